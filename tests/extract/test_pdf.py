import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from dlp.extract.budget import Budget
from dlp.extract.document import Document
from dlp.extract.ocr import available
from dlp.extract.passwords import OPENED
from dlp.extract.pdf_objects import Objects, hexadecimal, string
from dlp.extract.walk import Piece, walk
from dlp.model import Limits, Part, Unscannable, Why, Zone
from tests.extract.reading import parts, read, text, unread
from tests.helpers.documents import a_docx, a_pdf, a_zip
from tests.helpers.pdfs import a_file, a_page, a_stream, an_image, an_object_stream, encrypted, shown, updated


class _Engine:
    """An engine that sees SEEN in every picture, and keeps the sizes it was shown."""

    def __init__(self) -> None:
        self.shapes: list[tuple[int, ...]] = []

    def text(self, pixels: NDArray[np.uint8]) -> str:
        self.shapes.append(pixels.shape)
        return "SEEN\n"


def _walked(data: bytes, budget: Budget) -> list[Piece]:
    return list(walk(Document(data=data), budget))


def _details(pieces: list[Piece]) -> list[str]:
    return [piece.detail for piece in pieces if isinstance(piece, Unscannable)]


def test_every_place_is_read_in_its_zone() -> None:
    data = a_pdf(
        ["第一页正文\nline two", "second page"],
        header="机密★10年",
        footer="FOOTER1",
        properties={"Title": "标题", "MSIP_Label_1_Name": "LABEL1"},
        annotation="注释一",
        uri="http://x/LINK1",
        attachments={"a.docx": a_docx(["ATTACHED1"])},
    )
    pieces = read(data, "a.pdf")
    body = [part for part in parts(pieces) if part.trail == ()]
    assert [(part.page, part.start) for part in body] == [(1, True), (2, False)]
    assert "第一页正文\nline two" in body[0].text
    assert "second page" in body[1].text
    assert [(part.text.strip(), part.page) for part in parts(pieces, Zone.HEADER)] == [("机密★10年", 1), ("机密★10年", 2)]
    assert [part.text.strip() for part in parts(pieces, Zone.FOOTER)] == ["FOOTER1", "FOOTER1"]
    for expected in ("注释一", "http://x/LINK1"):
        assert expected in text(pieces, Zone.COMMENT)
    for expected in ("标题", "MSIP_Label_1_Name: LABEL1"):
        assert expected in text(pieces, Zone.PROPERTY)
    assert "ATTACHED1" in text(pieces, Zone.BODY, ("a.docx",))
    assert not unread(pieces)


def test_a_page_that_is_an_image_is_told() -> None:
    pieces = read(a_pdf(["first", None]), "scan.pdf")
    assert unread(pieces) == [(Why.UNSUPPORTED, ())]
    assert "page 2 is an image" in [getattr(piece, "detail", "") for piece in pieces]


def test_a_damaged_or_missing_cross_reference_table_does_not_matter() -> None:
    data = a_pdf(["SECRET TEXT"])
    cut = read(data[: data.index(b"xref")])
    assert unread(cut) == [(Why.CORRUPT, ())]
    assert "SECRET TEXT" in text(cut, Zone.BODY)
    assert "SECRET TEXT" in text(read(data.replace(b"\nstartxref\n", b"\nstartxref\n9")), Zone.BODY)


def test_a_password_is_told() -> None:
    encrypt = (
        b"/Encrypt << /Filter /Standard /V 1 /R 2 /Length 40 /P -4 "
        b"/O <" + b"00" * 32 + b"> /U <" + b"11" * 32 + b"> >> /ID [<00> <00>] /Info"
    )
    assert unread(read(a_pdf(["SECRET TEXT"]).replace(b"/Info", encrypt))) == [(Why.ENCRYPTED, ())]


@pytest.mark.parametrize("data", [b"%PDF-1.7\nSALVAGED TEXT", b"%PDF-1.7\n1 0 obj\n<< /Type /Catalog >>\nendobj\nSALVAGED TEXT"])
def test_what_is_no_document_is_told_and_salvaged(data: bytes) -> None:
    pieces = read(data)
    assert Why.CORRUPT in [why for why, _ in unread(pieces)]
    assert "SALVAGED TEXT" in text(pieces)


def test_a_form_without_widgets_is_read() -> None:
    fields = (
        "/AcroForm << /Fields [20 0 R 21 0 R] /XFA [(datasets) 22 0 R (template) 23 0 R] >> "
        "/Names << /JavaScript << /Names [(s) << /S /JavaScript /JS (app.alert\\(SCRIPT1\\)) >> "
        "(t) << /S /JavaScript /JS 24 0 R >>] >> >>"
    )
    more = {
        20: b"<< /FT /Tx /T (name) /V (VALUE1) /DV (DEFAULT1) /TU (TOOLTIP1) >>",
        21: b"<< /FT /Ch /T (choice) /Opt [(OPTION1) [(export) <FEFF9009987900320021>]] /RV (<p>RICH1</p>) >>",
        22: a_stream("<xfa:datasets><name note='ATTRIBUTE1'>数据PACKET1</name></xfa:datasets>".encode(), packed=True),
        23: a_stream(b"<template><text>TEMPLATE1</text></template>"),
        24: a_stream(b"var x = 'SCRIPT2';", packed=True),
    }
    pieces = read(a_file(a_page(shown("BODY"), catalog=fields, more=more)))
    comments = text(pieces, Zone.COMMENT)
    for expected in ("VALUE1", "DEFAULT1", "TOOLTIP1", "RICH1", "数据PACKET1", "ATTRIBUTE1", "TEMPLATE1"):
        assert expected in comments
    hidden = text(pieces, Zone.HIDDEN)
    for expected in ("OPTION1", "选项2!", "app.alert(SCRIPT1)", "SCRIPT2"):
        assert expected in hidden
    assert not unread(pieces)


def test_structure_layers_labels_and_outline_are_read() -> None:
    catalog = (
        "/StructTreeRoot << /K << /S /Figure /Alt (ALTERNATIVE1) /ActualText <FEFF5B9E96456587672C> /E (EXPANSION1) >> >> "
        "/PageLabels << /Nums [0 << /P (LABELPREFIX1) >>] >> /OCProperties << /OCGs [20 0 R] /D << /OFF [20 0 R] >> >> "
        "/Outlines << /First 21 0 R /Last 21 0 R >> /Collection << /Schema << /F << /N (COLUMN1) >> >> >>"
    )
    more = {
        20: b"<< /Type /OCG /Name (LAYERNAME1) >>",
        21: b"<< /Title (OUTLINE1) /Parent 1 0 R >>",
    }
    content = b"/OC /L BDC\n" + shown("HIDDENLAYER1") + b"EMC\n" + shown("INVISIBLE1", mode=3) + shown("OFFPAGE1", at=5000)
    pieces = read(a_file(a_page(content, catalog=catalog, more=more, resources="/Properties << /L 20 0 R >>")))
    for expected in ("HIDDENLAYER1", "INVISIBLE1", "OFFPAGE1"):
        assert expected in text(pieces, Zone.BODY)
    for expected in ("ALTERNATIVE1", "实际文本", "EXPANSION1", "OUTLINE1"):
        assert expected in text(pieces, Zone.HIDDEN)
    for expected in ("P: LABELPREFIX1", "Name: LAYERNAME1", "N: COLUMN1"):
        assert expected in text(pieces, Zone.PROPERTY)


def test_files_are_found_wherever_they_hang() -> None:
    more = {
        20: b"<< /Type /Annot /Subtype /FileAttachment /Rect [0 0 9 9] /FS 21 0 R >>",
        21: b"<< /Type /Filespec /F (a.txt) /Desc (DESCRIPTION1) /EF << /F 22 0 R >> >>",
        22: a_stream(b"ATTACHED BY A NOTE", "/Type /EmbeddedFile", packed=True),
        23: b"<< /Type /Filespec /F (b.zip) /EF << /F 24 0 R >> >>",
        24: a_stream(a_zip({"c.txt": "ASSOCIATED"})),  # nothing but the reference says that it is a file
    }
    pieces = read(a_file(a_page(shown("BODY"), catalog="/AF [23 0 R]", page="/Annots [20 0 R]", more=more)))
    assert "ATTACHED BY A NOTE" in text(pieces, Zone.BODY, ("embedded file",))
    assert "ASSOCIATED" in text(pieces, Zone.BODY, ("embedded file", "c.txt"))
    assert "DESCRIPTION1" in text(pieces, Zone.COMMENT)
    assert not unread(pieces)


def test_a_stamp_that_only_draws_its_text_is_read() -> None:
    form = a_stream(
        b"BT /F1 12 Tf 2 2 Td (STAMPTEXT1) Tj ET",
        "/Type /XObject /Subtype /Form /BBox [0 0 100 20] /Resources << /Font << /F1 5 0 R >> >>",
    )
    more = {20: b"<< /Type /Annot /Subtype /Stamp /Rect [50 50 150 70] /F 4 /AP << /N 21 0 R >> >>", 21: form}
    pieces = read(a_file(a_page(shown("BODY"), page="/Annots [20 0 R]", more=more)))
    assert "STAMPTEXT1" in text(pieces, Zone.COMMENT)
    assert text(pieces, Zone.COMMENT).count("BODY") == 0


def test_objects_in_packed_streams_and_metadata_in_one_are_read() -> None:
    labelled = "<rdf:Description pdfx:MSIP_Label_1_Name='LABEL1'><dc:title><rdf:li>标题XMP</rdf:li></dc:title></rdf:Description>"
    packet = f"<x:xmpmeta>{labelled}</x:xmpmeta>"
    more = {
        20: an_object_stream({30: b"<< /MSIP_Label_2_Name (LABEL2) >>", 31: b"<< /FT /Tx /V (PACKEDVALUE1) >>"}),
        21: a_stream(packet.encode(), "/Type /Metadata /Subtype /XML", packed=True),
    }
    pieces = read(a_file(a_page(shown("BODY"), catalog="/Metadata 21 0 R", more=more)))
    for expected in ("MSIP_Label_1_Name: LABEL1", "title: 标题XMP", "MSIP_Label_2_Name: LABEL2"):
        assert expected in text(pieces, Zone.PROPERTY)
    assert "PACKEDVALUE1" in text(pieces, Zone.COMMENT)


def test_what_an_update_took_away_is_read() -> None:
    first = a_file(a_page(shown("REMOVEDTEXT1"), more={20: b"<< /Title (REMOVEDTITLE1) >>"}), trailer=b"/Info 20 0 R")
    second = updated(first, {4: a_stream(shown("SECONDTEXT1")), 20: b"<< /Title (SECONDTITLE1) >>"}, trailer=b"/Info 20 0 R")
    third = updated(second, {4: a_stream(shown("LASTTEXT1"))}, trailer=b"/Info 20 0 R")
    pieces = read(third)
    assert "LASTTEXT1" in text(pieces, Zone.BODY)
    assert "REMOVEDTEXT1" in text(pieces, Zone.HIDDEN, ("revision 1",))
    assert "SECONDTEXT1" in text(pieces, Zone.HIDDEN, ("revision 2",))
    assert "Title: REMOVEDTITLE1" in text(pieces, Zone.PROPERTY)
    same = read(updated(first, {20: b"<< /Title (OTHER) >>"}, trailer=b"/Info 20 0 R"))
    assert [part for part in parts(same, Zone.HIDDEN) if part.trail] == []


def test_what_stands_around_the_document_is_read() -> None:
    data = a_file(a_page(shown("BODY")))
    pieces = read(b"only WORDS BEFORE\n" + data + b"\n" + a_zip({"c.txt": "BEHIND"}))
    assert "WORDS BEFORE" in text(pieces, Zone.RAW)
    assert "BEHIND" in text(pieces, Zone.BODY, ("after the PDF", "c.txt"))
    assert "BODY" in text(pieces, Zone.BODY, ())


def test_a_password_that_is_known_opens_it() -> None:
    held = {20: a_stream(b"SECRETFILE1", "/Type /EmbeddedFile"), 21: b"<< /Type /Filespec /EF << /F 20 0 R >> >>"}
    data = encrypted(a_page(shown("SECRETBODY1"), catalog="/AF [21 0 R]", more=held), user="Q3-2024!")
    assert unread(read(data)) == [(Why.ENCRYPTED, ())]
    pieces = _walked(data, Budget(Limits(), passwords=["wrong", "Q3-2024!"]))
    assert unread(pieces) == []
    assert "SECRETBODY1" in text(pieces, Zone.BODY, (OPENED,))
    assert "SECRETFILE1" in text(pieces, Zone.BODY, (OPENED, "embedded file"))
    assert "Q3-2024!" not in "".join(part.text for part in pieces if isinstance(part, Part))


def test_an_owners_password_is_not_needed() -> None:
    data = encrypted(
        a_page(shown("SECRETBODY1"), catalog="/Metadata 20 0 R", more={20: a_stream(b"<x:xmpmeta><a>SECRETXMP1</a></x:xmpmeta>")})
    )
    pieces = read(data)
    assert unread(pieces) == []
    assert "SECRETBODY1" in text(pieces, Zone.BODY, ())
    assert "SECRETXMP1" in text(pieces, Zone.PROPERTY)


def test_a_file_encrypted_by_itself_is_told() -> None:
    more = {20: a_stream(b"x" * 32, "/Type /EmbeddedFile /Filter [/Crypt]")}
    assert (Why.ENCRYPTED, ()) in unread(read(a_file(a_page(shown("BODY"), more=more))))


def test_a_script_packed_in_another_way_is_told() -> None:
    more = {20: b"<< /S /JavaScript /JS 21 0 R >>", 21: a_stream(b"x", "/Filter /LZWDecode")}
    assert unread(read(a_file(a_page(shown("BODY"), more=more)))) == [(Why.UNSUPPORTED, ())]


_LONG = "words enough to be a page of text " * 8


def _pictured(images: dict[str, bytes], *, text: str = _LONG, size: int = 100) -> bytes:
    more = {20 + number: image for number, image in enumerate(images.values())}
    names = " ".join(f"/{name} {20 + number} 0 R" for number, name in enumerate(images))
    placed = "".join(f"q {size} 0 0 {size} {10 + 5 * number} 100 cm /{name} Do Q\n" for number, name in enumerate(images))
    return a_file(a_page(shown(text) + placed.encode(), more=more, resources=f"/XObject << {names} >>"))


def test_pictures_beside_text_are_told_once_each() -> None:
    budget = Budget(Limits())
    twice = {"A": an_image(40, 30), "B": an_image(40, 30, seed=1), "C": an_image(40, 30)}
    pieces = _walked(_pictured(twice), budget)
    assert budget.pictures == 2
    assert _details(pieces) == ["page 1 has 2 pictures, and no OCR"]
    assert _LONG.strip() in text(pieces, Zone.BODY)


def test_a_picture_too_small_for_text_is_not_told() -> None:
    assert unread(read(_pictured({"A": an_image(9, 300), "B": an_image(300, 9)}))) == []


@pytest.mark.skipif(not available(), reason="the extra `ocr` is not installed")  # which decodes them
def test_pictures_beside_text_are_seen_by_the_engine() -> None:
    engine = _Engine()
    pieces = _walked(_pictured({"A": an_image(40, 30), "B": an_image(50, 30)}), Budget(Limits(), ocr=engine))
    assert engine.shapes == [(30, 40, 3), (30, 50, 3)]
    assert unread(pieces) == []
    assert [(part.page, part.zone) for part in pieces if isinstance(part, Part) and "SEEN" in part.text] == [(1, Zone.BODY)] * 2


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (_pictured({"A": an_image(40, 30)}, text="", size=500), "page 1 is an image"),
        (_pictured({"A": an_image(40, 30)}, text="short", size=600), "page 1 is mostly an image"),
        (_pictured({"A": an_image(40, 30)}, size=600), "page 1 has a picture under its text"),
        (_pictured({f"A{number}": an_image(40, 30, seed=number) for number in range(20)}), "page 1 has many pictures"),
        (a_file(a_page(b"10 10 m 90 90 l S")), "page 1 has drawings and no text"),
    ],
)
def test_a_page_that_has_to_be_seen_is_drawn(data: bytes, reason: str) -> None:
    budget = Budget(Limits())
    assert reason in _details(_walked(data, budget))
    assert budget.pictures == 1
    engine = _Engine()
    pieces = _walked(data, Budget(Limits(), ocr=engine))
    assert unread(pieces) == []
    assert {shape[1] for shape in engine.shapes} == {1667}  # 600 points at 200 dots an inch
    assert "SEEN" in text(pieces, Zone.BODY)


def test_a_background_of_all_pages_is_seen_once() -> None:
    objects = a_page(
        shown(_LONG) + b"q 600 0 0 800 0 0 cm /A Do Q", more={20: an_image(40, 30)}, resources="/XObject << /A 20 0 R >>"
    )
    objects |= {2: b"<< /Type /Pages /Kids [3 0 R 6 0 R] /Count 2 >>", 6: objects[3]}
    assert _details(read(a_file(objects))) == ["page 1 has a picture under its text"]


def test_a_scan_in_strips_under_text_is_told() -> None:
    strips = {f"A{number}": an_image(60, 8, seed=number) for number in range(10)}
    more = {20 + number: image for number, image in enumerate(strips.values())}
    placed = "".join(f"q 600 0 0 60 0 {60 * number} cm /{name} Do Q\n" for number, name in enumerate(strips))
    names = " ".join(f"/{name} {20 + number} 0 R" for number, name in enumerate(strips))
    data = a_file(a_page(shown(_LONG) + placed.encode(), more=more, resources=f"/XObject << {names} >>"))
    assert _details(read(data)) == ["page 1 has a picture under its text"]


def test_text_in_a_font_without_unicode_values_is_told_and_drawn() -> None:
    glyphs = {
        20: b"<< /Type /Font /Subtype /Type3 /FontBBox [0 0 1 1] /FontMatrix [1 0 0 1 0 0] /CharProcs << /x 21 0 R >> "
        b"/Encoding << /Differences [1 /x /x /x] >> /FirstChar 1 /LastChar 3 /Widths [1 1 1] >>",
        21: a_stream(b"1 0 0 0 1 1 d1 0 0 1 1 re f"),
    }
    objects = a_page(b"BT /F2 12 Tf 50 400 Td <0102030102> Tj ET", more=glyphs)
    data = a_file(objects | {3: objects[3].replace(b"/F1 5 0 R", b"/F1 5 0 R /F2 20 0 R")})
    assert "page 1 has a font without Unicode values" in _details(read(data))
    engine = _Engine()
    assert unread(_walked(data, Budget(Limits(), ocr=engine))) == []
    assert engine.shapes


def test_strings_are_decoded() -> None:
    assert string(rb"(a\(b\)\\ \101\n)") == "a(b)\\ A\n"
    assert string(b"(" + "机密文件".encode("utf-16-be").join((b"\xfe\xff", b")"))) == "机密文件"
    assert string("(国家秘密文件的规定)".encode("gb18030")) == "国家秘密文件的规定"
    assert string(b"(caf\xe9 \x85)") == "café –"
    assert hexadecimal(b"FEFF 673A 5BC6") == "机密"
    assert hexadecimal(b"4142 4") == "AB@"
    assert hexadecimal(b"00 01 02 03 04 05 06 07") == ""


@given(
    st.lists(
        st.sampled_from([b"(", b")", b"\\", b"<", b">", b"/K ", b"stream\n", b">>", b"endstream", b"1 0 obj", b"x" * 50]),
        max_size=60,
    )
)
def test_any_order_of_tokens_is_read(tokens: list[bytes]) -> None:
    data = b"".join(tokens)
    objects = Objects(data, Budget(Limits()))
    assert all(found.value for found in objects.texts())
    assert all(found.use for found in objects.streams())


def test_hostile_strings_take_no_time() -> None:
    budget = Budget(Limits(seconds=20))
    for data in (b"(" * 20_000, b"(a" * 20_000, b"((a)" * 20_000, b"/A" * 20_000, b">>stream\n" * 10_000, b"\\(" * 20_000):
        objects = Objects(data, budget)
        list(objects.texts())
        list(objects.streams())


@given(st.integers(0, 900), st.binary(max_size=6))
def test_damage_is_no_crash(at: int, patch: bytes) -> None:
    data = a_file(a_page(shown("BODY"), catalog="/AF [23 0 R]", more={20: an_object_stream({30: b"<< /V (x) >>"})}))
    pieces = read(data[:at] + patch + data[at + len(patch) :])
    assert Why.CRASHED not in [why for why, _ in unread(pieces)]


def test_a_stream_that_explodes_is_told_before_it_is_expanded() -> None:
    import zlib

    once = zlib.compress(bytes(300 << 20), 9)
    for content, filters in ((once, "/FlateDecode"), (zlib.compress(once, 9), "[/FlateDecode /FlateDecode]")):
        objects = a_page() | {4: a_stream(content, f"/Filter {filters}")}
        assert unread(read(a_file(objects))) == [(Why.TOO_LARGE, ())]
