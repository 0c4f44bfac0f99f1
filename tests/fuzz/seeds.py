"""Documents to damage: for every format some that go through as much of its reader as can be."""

import bz2
import gzip
import io
import lzma
import zipfile
from collections.abc import Callable

from tests.fuzz.archive_seeds import ARCHIVES
from tests.helpers import legacy, pdfs, pictures, sheets
from tests.helpers.books import a_text, an_epub, an_ofd, der
from tests.helpers.compound import a_compound
from tests.helpers.documents import a_docx, a_mail, a_pdf, a_pptx, a_tar, a_xlsx, a_zip
from tests.helpers.mail import a_cms, a_compressed, a_literal, an_mbox, armoured
from tests.helpers.mapi import Attachment, a_msg, a_tnef, compressed_rtf, message_streams
from tests.helpers.metafiles import (
    a_bmp,
    a_wmf,
    an_emf,
    emf_bitmap,
    emf_comment,
    emf_font,
    emf_small_text,
    emf_text,
    emf_texts,
    plus_pixels,
    plus_record,
    plus_text,
    wmf_bitmap,
    wmf_delete,
    wmf_enhanced,
    wmf_extended_text,
    wmf_font,
    wmf_select,
    wmf_text,
)
from tests.helpers.opendocument import a_flat_odf, an_odf, encrypted_odf
from tests.helpers.packages import a_control, a_device_mode, a_flat_package, a_word_2003_document, an_excel_2003_workbook
from tests.helpers.rtf import a_package, an_object, an_rtf

Seed = Callable[[], bytes]
_OFFICE = {"embedded": {"a.bin": b"x" * 50}}


def stored(package: bytes) -> bytes:
    """The same package without compression, so that a changed byte is a changed character and not a broken stream."""
    view = io.BytesIO(package)
    with zipfile.ZipFile(view) as archive:
        return a_zip({name: archive.read(name) for name in archive.namelist()}, compression=zipfile.ZIP_STORED)


SEEDS: dict[str, dict[str, Seed]] = {
    "text": {
        "gb18030": lambda: "机密文件 secret\n".encode("gb18030") * 20,
        "utf-16": lambda: "机密文件 secret\n".encode("utf-16") * 20,
    },
    "html": {
        "plain": lambda: (
            b"<html><title>t</title><!-- c --><script>s</script><p a='b' c=\"d\">x&amp;&#65;</p><a href='data:,x'>" * 3
        )
    },
    "xml": {
        "plain": lambda: b"<?xml version='1.0' encoding='gb18030'?><note b='c'>d<![CDATA[e]]></note>",
        "flat": lambda: a_flat_package(a_docx(hidden=["h"], embedded={"a.bin": b"x"})),
        "word 2003": lambda: a_word_2003_document("<w:p><w:r><w:t>t</w:t></w:r></w:p>", header="h", binary={"a": b"b"}),
        "excel 2003": lambda: an_excel_2003_workbook(
            {"s": "<Row><Cell><Data>d</Data><Comment><Data>c</Data></Comment></Cell></Row>", "t": ""}, hidden="t"
        ),
    },
    "emf": {
        "text": lambda: an_emf(
            [emf_font(1, 134), emf_text("机密", advance=9), emf_text(b"t"), emf_texts(["a", "b"]), emf_small_text("s")],
            description="d",
        ),
        "pictures": lambda: an_emf(
            [emf_bitmap(*a_bmp()), emf_comment(b"EMF+" + plus_text("t") + plus_record(0x4008, plus_pixels(9, 9), flags=0x500))],
            tail=b"tail",
        ),
    },
    "wmf": {
        "text": lambda: a_wmf(
            [wmf_font(134), wmf_select(0), wmf_text("机".encode("gb18030")), wmf_extended_text(b"t", options=2, advance=9)],
            placeable=True,
        ),
        "pictures": lambda: a_wmf([wmf_bitmap(*a_bmp()), wmf_enhanced(b"x" * 9, rest=0, whole=9), wmf_delete(0)]),
    },
    "eml": {
        "plain": lambda: a_mail(
            subject="机密", html="<p>x</p>", attachments=[("机.docx", "a/b", a_docx()), ("b", "text/plain", b"y")]
        )
    },
    "docx": {
        "packed": lambda: a_docx(header="h", watermark="w", hidden=["h"], textbox=["t"], **_OFFICE),  # type: ignore[arg-type]
        "stored": lambda: stored(a_docx(header="h", watermark="w", hidden=["h"], deleted=["d"], textbox=["t"], links=["u"])),
        "parts": lambda: stored(a_docx(media={"a.bin": a_control("c", picture=b"x" * 9), "b.bin": a_device_mode("p")})),
    },
    "xlsx": {"stored": lambda: stored(a_xlsx({"s": [["a", 1], ["b", 2.5]]}, header="h", comments=["c"], names={"n": "v"}))},
    "xls": {
        "compound": lambda: sheets.a_xls({"s": sheets.every_record()}, strings=["a"], more=sheets.global_records()),
        "stream": lambda: sheets.a_stream(
            {"s": sheets.every_record(), "h": b""},
            strings=[sheets.a_rich_text("机密", runs=1, reading="r"), "b" * 20],
            states={"h": 2},
            more=sheets.global_records(),
        ),
        "old": lambda: (
            sheets.a_record(0x09, b"\2\0\x10\0")
            + sheets.a_record(0x04, bytes(7) + b"\4" + "机密".encode("gb18030"))
            + sheets.a_record(0x03, bytes(15))
        ),
    },
    "xlsb": {
        "stored": lambda: stored(
            sheets.a_xlsb(
                {"s": sheets.every_packaged_record()},
                strings=["a"],
                styles=sheets.packaged(44, b"\xa4\0" + sheets.wide("0.00"))
                + sheets.packaged(617)
                + sheets.packaged(47, bytes(16)),
                more=sheets.packaged(39, bytes(9) + sheets.wide("n")) + sheets.packaged(153, bytes(4)),
                extra={"xl/comments1.bin": sheets.packaged(637, b"\0" + sheets.wide("c")) + sheets.packaged(21, bytes(8))},
            )
        )
    },
    "pptx": {"stored": lambda: stored(a_pptx(notes=["n"], master="m", properties={"title": "p"}))},
    "pdf": {
        "plain": lambda: a_pdf(["机密 text", None], header="h", annotation="a", uri="u", attachments={"a": b"b"}),
        "objects": lambda: pdfs.updated(
            pdfs.a_file(
                pdfs.a_page(
                    pdfs.shown("text", mode=3),
                    catalog="/AF [21 0 R] /AcroForm << /XFA 22 0 R >> /Metadata 23 0 R",
                    page="/Annots [24 0 R]",
                    more={
                        20: pdfs.a_stream(b"file", "/Type /EmbeddedFile", packed=True),
                        21: b"<< /Type /Filespec /F (a) /EF << /F 20 0 R >> >>",
                        22: pdfs.a_stream(b"<a b='c'>d</a>"),
                        23: pdfs.a_stream(pictures.an_xmp({"a": "b"}), "/Type /Metadata /Subtype /XML"),
                        24: b"<< /Type /Annot /Subtype /Stamp /Rect [5 5 9 9] /F 4 /Contents (c) /AP << /N 25 0 R >> >>",
                        25: pdfs.a_stream(b"0 0 m 9 9 l S", "/Type /XObject /Subtype /Form /BBox [0 0 9 9]"),
                        26: pdfs.an_object_stream({30: b"<< /V (x) /JS (y) >>"}),
                    },
                )
            ),
            {4: pdfs.a_stream(pdfs.shown("later"))},
        ),
        "encrypted": lambda: pdfs.encrypted(pdfs.a_page(pdfs.shown("text")), user="secret"),
    },
    "image": {
        "png": lambda: pictures.a_png(
            texts={"a": "b"},
            packed={"c": "d"},
            international={"e": "f"},
            chunks=[(b"eXIf", pictures.an_exif({270: (2, b"text\0")}))],
        ),
        "jpeg": lambda: pictures.a_jpeg(
            comment="c",
            segments=[
                (0xE1, b"Exif\0\0" + pictures.an_exif({270: (2, b"text\0")}, below={0x9286: (7, b"UNICODE\0t\0")}, order=">")),
                (0xE1, b"http://ns.adobe.com/xap/1.0/\0" + pictures.an_xmp({"a": "b"})),
                (0xED, b"Photoshop 3.0\0" + pictures.an_iptc({120: b"caption"})),
            ],
        ),
        "gif": lambda: pictures.a_gif(comment=b"c" * 300, application=b"a"),
        "tiff": lambda: pictures.a_tiff(texts={270: b"description", 285: b"p"}),
        "webp": lambda: pictures.a_webp(chunks=[(b"EXIF", pictures.an_exif({270: (2, b"text\0")})), (b"XMP ", b"<a/>")]),
        "bmp": lambda: pictures.a_bmp(12, 12),
        "icon": lambda: pictures.an_icon([pictures.a_png(16, 16, texts={"a": "b"})]),
        "boxes": lambda: pictures.boxes((b"ftyp", b"heic"), (b"meta", b"ispe" + bytes(12)), (b"free", b"text")),
    },
    "zip": {"nested": lambda: a_zip({"a.txt": "text", "b.zip": a_zip({"c.txt": "inner"})})},
    "tar": {"plain": lambda: a_tar({"a.txt": "text", "b/c": "x" * 600})},
    "gzip": {"plain": lambda: gzip.compress(b"text" * 100, mtime=0)},
    "bzip2": {"plain": lambda: bz2.compress(b"text" * 100)},
    "xz": {"plain": lambda: lzma.compress(b"text" * 100)},
    "encrypted": {
        "package": lambda: a_compound({("EncryptedPackage",): b"x" * 600, ("EncryptionInfo",): b"\4\0\4\0" + b"x" * 90})
    },
    "mbox": {"two": lambda: an_mbox([a_mail(subject="机密"), a_mail(attachments=[("b", "text/plain", b"y")])])},
    "cms": {
        "signed": lambda: a_cms(b"Content-Type: text/plain\r\n\r\n" + "机密".encode(), names=["Alice"]),
        "streamed": lambda: a_cms(b"Content-Type: text/plain\r\n\r\n" + "机密".encode(), chunks=9),
    },
    "pgp": {
        "armoured": lambda: armoured(a_compressed(a_literal("机密".encode(), name="a.txt"))),
        "binary": lambda: b"\x90\x0d\x03\x00\x0a\x01" + bytes(8) + b"\x01" + a_literal(b"text"),
    },
    "doc": {
        "stories": lambda: legacy.a_doc(
            "机密 \x13 HYPERLINK x \x14body\x15\r",
            footnotes="n\r",
            headers=["h\r"],
            hidden=["body"],
            tables={
                "bookmarks": legacy.a_string_table(["b"]),
                "lists": legacy.a_list("level"),
                "drawings": legacy.a_record(0xF000),
            },
            data=legacy.a_picture_in_text(legacy.a_blip(legacy.PNG)) + legacy.a_form_field(*"ndfhsex", choices=["c"]),
        ),
        "word 95": lambda: legacy.a_word_95("机密".encode("gb18030")),
        "encrypted": lambda: legacy.a_doc("x", password="secret"),
    },
    "ppt": {
        "slides": lambda: legacy.a_ppt(
            [[(0, "t"), (1, "机密")]],
            slides={1: [legacy.a_textbox("b", placeholder=9), legacy.a_shape_options(description="d", link="http://x")]},
            notes={1: "n"},
            header="h",
            comment="c",
            embedded=b"e" * 50,
            pictures=legacy.a_blip(legacy.PNG) + legacy.a_metafile(b"x" * 90),
        )
    },
    "ole": {
        "objects": lambda: a_compound(
            {
                ("\1Ole10Native",): legacy.a_package("a.txt", b"text"),
                ("A", "\1CompObj"): bytes(60),
                ("\5SummaryInformation",): legacy.a_property_set({2: "title"}, custom={"name": "value"}),
                **legacy.a_vba_project("' macro"),
            }
        )
    },
    "msg": {
        "plain": lambda: a_msg(
            {0x0037: "机密", 0x1000: "b", 0x1013: b"<p>h</p>", 0x1009: compressed_rtf(rb"{\rtf1 x}"), 0x3FFD: 936},
            recipients=[{0x3001: "r"}],
            attachments=[
                Attachment(name="a.txt", content=b"x"),
                Attachment(streams=message_streams({0x0037: "inner"}, header=24)),
            ],
            named={"label": "v"},
        )
    },
    "tnef": {
        "plain": lambda: a_tnef(
            {0x0037: "机密", 0x1013: b"<p>h</p>", 0x1009: compressed_rtf(rb"{\rtf1 x}", [(1, 9)]), 0x3FFD: 936},
            attributes=[(0x0002800C, b"body")],
            recipients=[{0x3001: "r"}, {0x3001: "s"}],
            attachments=[Attachment(name="a.txt", content=b"x"), Attachment(content=a_tnef({0x0037: "inner"}))],
            named={"label": "v"},
        )
    },
    "vcard": {
        "calendar": lambda: (
            b"BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nSUMMARY:a\r\n b\\n\r\nNOTE;ENCODING=QUOTED-PRINTABLE:=E6=9C=BA=\r\n=E5=AF=86\r\n"
            b"ATTACH;ENCODING=BASE64;VALUE=BINARY:c2VjcmV0\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
        )
    },
    "rtf": {
        "zones": lambda: an_rtf(
            r"{\header h}{\v hidden}{\*\annotation a}{\field{\*\fldinst HYPERLINK x}{\fldrslt y}}{\footnote n}\trowd c\cell\row"
            r"{\shp{\*\shpinst{\sp{\sn gtextUNICODE}{\sv w}}{\shptxt t}}}{\*\docvar {a}{b}}\u26426?{\uc2\u26426\'bb\'fa}\'c3\'dc",
            page=936,
            head=r"{\info{\title t}}{\*\userprops{\propname a}{\staticval b}}{\colortbl;\red255\green255\blue255;}",
        ),
        "objects": lambda: an_rtf(
            rf"{{\object{{\*\objdata {an_object(a_package('a.txt', b'text'), kind='Package').hex()}}}}}"
            rf"{{\pict\dibitmap0 {'28' * 60}}}"
            r"{\*\htmltag64 <p>}\htmlrtf x\htmlrtf0 {\pict\bin3 abc}",
            head=r"\fromhtml1",
        ),
    },
    "odf": {
        "text": lambda: an_odf(
            '<text:p text:style-name="a">x<text:s text:c="3"/><text:note>n</text:note></text:p>'
            "<office:annotation>a</office:annotation>",
            automatic='<style:style style:name="a"><style:text-properties text:display="none"/></style:style>',
            labels={"a": "b"},
            extra={"Object 1/content.xml": "<text:p>o</text:p>"},
        ),
        "sheet": lambda: an_odf(
            '<table:table table:name="s"><table:table-row><table:table-cell office:value="1234567" '
            'table:number-columns-repeated="2"><text:p>1</text:p></table:table-cell></table:table-row></table:table>',
            kind="spreadsheet",
        ),
        "flat": lambda: a_flat_odf("<text:p>x<office:binary-data>AAAA</office:binary-data></text:p>", properties={"title": "t"}),
        "encrypted": lambda: encrypted_odf("<text:p>x</text:p>", "password"),
    },
    "ofd": {
        "plain": lambda: an_ofd(
            [a_text("机密") + a_text("b", 40), a_text("c")],
            template=a_text("t"),
            annotations='<ofd:Annot Type="Watermark">' + a_text("w") + "</ofd:Annot>",
            extra={"Doc_0/Signs/Seal.esl": der(0x30, der(0x0C, b"seal") + der(0x04, der(0x30, der(0x16, b"x"))))},
        )
    },
    "epub": {"plain": lambda: an_epub({"a.xhtml": "x"}, metadata="<dc:title>t</dc:title>", encrypted={"OPS/b": "c"})},
    **ARCHIVES,
}
"""Format name → kind → builder. A format without a seed fails its test."""
