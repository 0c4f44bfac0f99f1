"""Documents made by code: every builder returns the bytes of one file, the same bytes for the same arguments.

The office files are the smallest packages that Word, Excel and PowerPoint open (ECMA-376 parts 1 and 2); the
PDF is ISO 32000-1 by hand. Texts may hold any character; they are escaped here.
"""

import base64
import io
import tarfile
import zipfile
from collections.abc import Mapping, Sequence
from email.header import Header
from urllib.parse import quote
from xml.sax.saxutils import escape, quoteattr

Member = bytes | str
Runs = str | Sequence[str]
"""One paragraph: a text, or the texts of its runs."""

_XML = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
_W = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
_S = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_P = "http://schemas.openxmlformats.org/presentationml/2006/main"
_A = "http://schemas.openxmlformats.org/drawingml/2006/main"
_R = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_PKG = "http://schemas.openxmlformats.org/package/2006"
_OFFICE = "application/vnd.openxmlformats-officedocument"


def a_zip(members: Mapping[str, Member], *, compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    """A ZIP of `members`, in their order."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, content in members.items():
            entry = zipfile.ZipInfo(name, (2024, 1, 1, 0, 0, 0))
            entry.compress_type = compression
            archive.writestr(entry, content)
    return out.getvalue()


def a_tar(members: Mapping[str, Member], *, compression: str = "") -> bytes:
    """A POSIX tar of `members`; `compression` is "", "gz", "bz2" or "xz"."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode=f"w:{compression}") as archive:  # type: ignore[call-overload]
        for name, content in members.items():
            data = content.encode() if isinstance(content, str) else content
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
    return out.getvalue()


def a_docx(
    body: Sequence[Runs] = ("Hello",),
    *,
    header: str = "",
    footer: str = "",
    comments: Sequence[str] = (),
    footnotes: Sequence[str] = (),
    properties: Mapping[str, str] | None = None,
    custom: Mapping[str, str] | None = None,
    hidden: Sequence[str] = (),
    deleted: Sequence[str] = (),
    textbox: Sequence[str] = (),
    watermark: str = "",
    table: Sequence[Sequence[str]] = (),
    links: Sequence[str] = (),
    embedded: Mapping[str, Member] | None = None,
    media: Mapping[str, Member] | None = None,
    extra: Mapping[str, Member] | None = None,
) -> bytes:
    """A Word document (ECMA-376 part 1, section 17).

    `properties` are those of docProps/core.xml (title, subject, creator …), `custom` those of docProps/custom.xml;
    `embedded` goes under word/embeddings/, `media` under word/media/, `extra` are parts by their full name.
    """
    paragraphs = [_paragraph(p) for p in body]
    paragraphs += [_paragraph(text, mark="<w:rPr><w:vanish/></w:rPr>") for text in hidden]
    paragraphs += [
        f"<w:p><w:del w:id='9' w:author='x'><w:r><w:delText>{escape(t)}</w:delText></w:r></w:del></w:p>" for t in deleted
    ]
    paragraphs += [f"<w:p><w:r><w:pict><w:txbxContent>{_paragraph(t)}</w:txbxContent></w:pict></w:r></w:p>" for t in textbox]
    if table:
        rows = ("".join(f"<w:tc>{_paragraph(cell)}</w:tc>" for cell in row) for row in table)
        paragraphs.append("<w:tbl>" + "".join(f"<w:tr>{row}</w:tr>" for row in rows) + "</w:tbl>")
    drawn = (
        f"<w:p><w:r><w:pict><v:shape><v:textpath string={quoteattr(watermark)}/></v:shape></w:pict></w:r></w:p>"
        if watermark
        else ""
    )
    members: dict[str, Member] = {
        "[Content_Types].xml": _content_types({"/word/document.xml": f"{_OFFICE}.wordprocessingml.document.main+xml"}),
        "_rels/.rels": _relations([("officeDocument", "word/document.xml", False)]),
        "word/document.xml": _word("document", f"<w:body>{''.join(paragraphs)}</w:body>"),
        "word/_rels/document.xml.rels": _relations([("hyperlink", link, True) for link in links]),
    }
    if header or watermark:
        members["word/header1.xml"] = _word("hdr", (_paragraph(header) if header else "") + drawn)
    if footer:
        members["word/footer1.xml"] = _word("ftr", _paragraph(footer))
    if comments:
        notes = (f"<w:comment w:id='{i}' w:author='a'>{_paragraph(t)}</w:comment>" for i, t in enumerate(comments))
        members["word/comments.xml"] = _word("comments", "".join(notes))
    if footnotes:
        notes = (f"<w:footnote w:id='{i}'>{_paragraph(t)}</w:footnote>" for i, t in enumerate(footnotes))
        members["word/footnotes.xml"] = _word("footnotes", "".join(notes))
    members |= _properties(properties, custom)
    members |= {f"word/embeddings/{name}": content for name, content in (embedded or {}).items()}
    members |= {f"word/media/{name}": content for name, content in (media or {}).items()}
    return a_zip(members | dict(extra or {}))


def a_xlsx(
    sheets: Mapping[str, Sequence[Sequence[object]]] | None = None,
    *,
    hidden: Sequence[str] = (),
    header: str = "",
    footer: str = "",
    comments: Sequence[str] = (),
    names: Mapping[str, str] | None = None,
    properties: Mapping[str, str] | None = None,
    custom: Mapping[str, str] | None = None,
    embedded: Mapping[str, Member] | None = None,
    extra: Mapping[str, Member] | None = None,
) -> bytes:
    """A workbook (ECMA-376 part 1, section 18): `sheets` maps a sheet's name to its rows.

    Texts go to the shared strings, numbers stay in the cells; the sheets named in `hidden` are veryHidden; `names`
    are defined names; header, footer and comments belong to the first sheet.
    """
    tables = dict(sheets) if sheets is not None else {"Sheet1": [["Hello"]]}
    strings: list[str] = []
    members: dict[str, Member] = {
        "[Content_Types].xml": _content_types({"/xl/workbook.xml": f"{_OFFICE}.spreadsheetml.sheet.main+xml"}),
        "_rels/.rels": _relations([("officeDocument", "xl/workbook.xml", False)]),
    }
    listed = ""
    for number, (name, rows) in enumerate(tables.items(), 1):
        state = ' state="veryHidden"' if name in hidden else ""
        listed += f'<sheet name={quoteattr(name)} sheetId="{number}"{state} r:id="rId{number}"/>'
        edges = _sheet_edges(header, footer) if number == 1 and (header or footer) else ""
        cells = "".join(_row(row, strings) for row in rows)
        members[f"xl/worksheets/sheet{number}.xml"] = (
            f'{_XML}<worksheet xmlns="{_S}"><sheetData>{cells}</sheetData>{edges}</worksheet>'
        )
    defined = "".join(f"<definedName name={quoteattr(key)}>{escape(value)}</definedName>" for key, value in (names or {}).items())
    members["xl/workbook.xml"] = (
        f'{_XML}<workbook xmlns="{_S}" xmlns:r="{_R}"><sheets>{listed}</sheets><definedNames>{defined}</definedNames></workbook>'
    )
    members["xl/_rels/workbook.xml.rels"] = _relations(
        [("worksheet", f"worksheets/sheet{i}.xml", False) for i in range(1, len(tables) + 1)]
    )
    items = "".join(f"<si><t>{escape(text)}</t></si>" for text in strings)
    members["xl/sharedStrings.xml"] = f'{_XML}<sst xmlns="{_S}">{items}</sst>'
    if comments:
        notes = "".join(f'<comment ref="A{i}"><text><t>{escape(t)}</t></text></comment>' for i, t in enumerate(comments, 1))
        members["xl/comments1.xml"] = f'{_XML}<comments xmlns="{_S}"><commentList>{notes}</commentList></comments>'
    members |= _properties(properties, custom)
    members |= {f"xl/embeddings/{name}": content for name, content in (embedded or {}).items()}
    return a_zip(members | dict(extra or {}))


def a_pptx(
    slides: Sequence[tuple[str, Sequence[str]]] = (("Title", ("Hello",)),),
    *,
    notes: Sequence[str] = (),
    master: str = "",
    hidden: Sequence[int] = (),
    properties: Mapping[str, str] | None = None,
    custom: Mapping[str, str] | None = None,
    media: Mapping[str, Member] | None = None,
    extra: Mapping[str, Member] | None = None,
) -> bytes:
    """A presentation (ECMA-376 part 1, section 19): each slide is a title and its texts, `notes` the speaker's, one a slide.

    `hidden` are numbers of slides, from 1, that are not shown.
    """
    members: dict[str, Member] = {
        "[Content_Types].xml": _content_types({"/ppt/presentation.xml": f"{_OFFICE}.presentationml.presentation.main+xml"}),
        "_rels/.rels": _relations([("officeDocument", "ppt/presentation.xml", False)]),
        "ppt/presentation.xml": f'{_XML}<p:presentation xmlns:p="{_P}"/>',
        "ppt/_rels/presentation.xml.rels": _relations(
            [("slide", f"slides/slide{i}.xml", False) for i in range(1, len(slides) + 1)]
        ),
    }
    for number, (title, texts) in enumerate(slides, 1):
        shapes = _shape(title, "<p:nvPr><p:ph type='title'/></p:nvPr>") + "".join(_shape(text) for text in texts)
        shown = ' show="0"' if number in hidden else ""
        members[f"ppt/slides/slide{number}.xml"] = _presentation("sld", shapes, shown)
    for number, text in enumerate(notes, 1):
        members[f"ppt/notesSlides/notesSlide{number}.xml"] = _presentation("notes", _shape(text))
    if master:
        members["ppt/slideMasters/slideMaster1.xml"] = _presentation("sldMaster", _shape(master))
    members |= _properties(properties, custom)
    members |= {f"ppt/media/{name}": content for name, content in (media or {}).items()}
    return a_zip(members | dict(extra or {}))


def a_pdf(
    pages: Sequence[str | None] = ("Hello",),
    *,
    header: str = "",
    footer: str = "",
    properties: Mapping[str, str] | None = None,
    annotation: str = "",
    uri: str = "",
    attachments: Mapping[str, bytes] | None = None,
) -> bytes:
    """A PDF 1.7 of A4 pages, one text each, a line for each of its lines; None is a page with nothing but an image.

    Text is drawn in a Type0 font whose codes are UTF-16 units, mapped back by a ToUnicode CMap (ISO 32000-1, 9.10.3).
    The annotation and the link stand on the first page; `properties` are keys of the Info dictionary (Title, Subject …).
    """
    objects: list[bytes] = [b"", b""]  # 1 catalog, 2 page tree
    drawn = "".join(page or "" for page in pages) + header + footer
    font = _pdf_font(objects, drawn)
    image = _pdf_add(
        objects,
        _pdf_stream(
            b"\x80" * 64, "/Type /XObject /Subtype /Image /Width 8 /Height 8 /BitsPerComponent 8 /ColorSpace /DeviceGray"
        ),
    )
    kids: list[int] = []
    for number, page in enumerate(pages):
        content = b"q 500 0 0 700 50 50 cm /Im0 Do Q" if page is None else _pdf_text(page, header, footer)
        stream = _pdf_add(objects, _pdf_stream(content))
        notes = _pdf_annotations(objects, annotation, uri) if number == 0 else ""
        resources = f"<< /XObject << /Im0 {image} 0 R >> >>" if page is None else f"<< /Font << /F0 {font} 0 R >> >>"
        box = f"/MediaBox [0 0 595 842] /Contents {stream} 0 R /Resources {resources}"
        kids.append(_pdf_add(objects, f"<< /Type /Page /Parent 2 0 R {box} {notes}>>".encode()))
    names = _pdf_attachments(objects, attachments or {})
    objects[0] = f"<< /Type /Catalog /Pages 2 0 R {names}>>".encode()
    objects[1] = f"<< /Type /Pages /Count {len(kids)} /Kids [{' '.join(f'{kid} 0 R' for kid in kids)}] >>".encode()
    info = _pdf_add(objects, ("<< " + " ".join(f"/{k} {_pdf_string(v)}" for k, v in (properties or {}).items()) + " >>").encode())
    return _pdf_file(objects, info)


def a_mail(
    sender: str = "alice@example.com",
    recipients: Sequence[str] = ("bob@partner.example",),
    subject: str = "Hello",
    body: str = "Hello\r\n",
    attachments: Sequence[tuple[str, str, bytes]] = (),
    *,
    html: str = "",
    charset: str = "utf-8",
    headers: Sequence[tuple[str, str]] = (),
) -> bytes:
    """A message (RFC 5322, RFC 2045–2047) with CRLF line ends; an attachment is (file name, media type, content)."""
    lines = [
        f"From: {sender}",
        f"To: {', '.join(recipients)}",
        f"Subject: {subject if subject.isascii() else Header(subject, charset).encode(linesep=chr(13) + chr(10))}",
        "Date: Mon, 01 Jan 2024 00:00:00 +0000",
        "Message-ID: <1@example.com>",
        "MIME-Version: 1.0",
        *(f"{name}: {value}" for name, value in headers),
    ]
    entities = [_entity(f"text/plain; charset={charset}", body.encode(charset))]
    if html:
        entities.append(_entity(f"text/html; charset={charset}", html.encode(charset)))
    for name, media, content in attachments:
        shown = f'filename="{name}"' if name.isascii() else f"filename*=utf-8''{quote(name, safe='')}"
        entities.append(_entity(media, content, f"Content-Disposition: attachment; {shown}"))
    if len(entities) == 1:
        return "\r\n".join([*lines, entities[0]]).encode()
    mixed = "".join(f"--=_dlp\r\n{entity}" for entity in entities)
    return "\r\n".join([*lines, 'Content-Type: multipart/mixed; boundary="=_dlp"', "", f"{mixed}--=_dlp--\r\n"]).encode()


def _entity(media: str, content: bytes, disposition: str = "") -> str:
    encoded = base64.encodebytes(content).decode().replace("\n", "\r\n")
    fields = [f"Content-Type: {media}", *([disposition] if disposition else []), "Content-Transfer-Encoding: base64"]
    return "\r\n".join([*fields, "", encoded])


def _content_types(overrides: Mapping[str, str]) -> str:
    listed = "".join(f'<Override PartName="{part}" ContentType="{media}"/>' for part, media in overrides.items())
    return (
        f'{_XML}<Types xmlns="{_PKG}/content-types">'
        f'<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        f'<Default Extension="xml" ContentType="application/xml"/>{listed}</Types>'
    )


def _relations(targets: Sequence[tuple[str, str, bool]]) -> str:
    mode = ' TargetMode="External"'
    listed = "".join(
        f'<Relationship Id="rId{i}" Type="{_R}/{kind}" Target={quoteattr(target)}{mode if external else ""}/>'
        for i, (kind, target, external) in enumerate(targets, 1)
    )
    return f'{_XML}<Relationships xmlns="{_PKG}/relationships">{listed}</Relationships>'


def _properties(core: Mapping[str, str] | None, custom: Mapping[str, str] | None) -> dict[str, Member]:
    members: dict[str, Member] = {}
    if core:
        listed = "".join(f"<dc:{key}>{escape(value)}</dc:{key}>" for key, value in core.items())
        members["docProps/core.xml"] = (
            f'{_XML}<cp:coreProperties xmlns:cp="{_PKG}/metadata/core-properties" xmlns:dc="http://purl.org/dc/elements/1.1/">'
            f"{listed}</cp:coreProperties>"
        )
    if custom:
        listed = "".join(
            f'<property fmtid="{{D5CDD505-2E9C-101B-9397-08002B2CF9AE}}" pid="{i}" name={quoteattr(key)}>'
            f"<vt:lpwstr>{escape(value)}</vt:lpwstr></property>"
            for i, (key, value) in enumerate(custom.items(), 2)
        )
        members["docProps/custom.xml"] = (
            f'{_XML}<Properties xmlns="http://schemas.openxmlformats.org/officeDocument/2006/custom-properties" '
            f'xmlns:vt="http://schemas.openxmlformats.org/officeDocument/2006/docPropsVTypes">{listed}</Properties>'
        )
    return members


def _paragraph(text: Runs, mark: str = "") -> str:
    runs = [text] if isinstance(text, str) else text
    return "<w:p>" + "".join(f'<w:r>{mark}<w:t xml:space="preserve">{escape(run)}</w:t></w:r>' for run in runs) + "</w:p>"


def _word(root: str, content: str) -> str:
    return f'{_XML}<w:{root} xmlns:w="{_W}" xmlns:v="urn:schemas-microsoft-com:vml">{content}</w:{root}>'


def _sheet_edges(header: str, footer: str) -> str:
    edges = f"<oddHeader>&amp;C{escape(header)}</oddHeader><oddFooter>&amp;C{escape(footer)}</oddFooter>"
    return f"<headerFooter>{edges}</headerFooter>"


def _row(values: Sequence[object], strings: list[str]) -> str:
    cells = ""
    for value in values:
        if isinstance(value, str):
            strings.append(value)
            cells += f'<c t="s"><v>{len(strings) - 1}</v></c>'
        else:
            cells += f"<c><v>{value}</v></c>"
    return f"<row>{cells}</row>"


def _shape(text: str, kind: str = "") -> str:
    return f"<p:sp><p:nvSpPr>{kind}</p:nvSpPr><p:txBody><a:p><a:r><a:t>{escape(text)}</a:t></a:r></a:p></p:txBody></p:sp>"


def _presentation(root: str, shapes: str, attributes: str = "") -> str:
    return f'{_XML}<p:{root} xmlns:p="{_P}" xmlns:a="{_A}"{attributes}><p:cSld><p:spTree>{shapes}</p:spTree></p:cSld></p:{root}>'


def _pdf_add(objects: list[bytes], content: bytes) -> int:
    objects.append(content)
    return len(objects)


def _pdf_stream(content: bytes, entries: str = "") -> bytes:
    return f"<< {entries} /Length {len(content)} >>\nstream\n".encode() + content + b"\nendstream"


def _pdf_string(text: str) -> str:
    return "<" + ("\ufeff" + text).encode("utf-16-be").hex() + ">"


def _pdf_font(objects: list[bytes], drawn: str) -> int:
    coded = drawn.encode("utf-16-be")
    units = sorted({coded[i : i + 2].hex() for i in range(0, len(coded), 2)})
    blocks = "".join(
        f"{len(chunk)} beginbfchar\n" + "".join(f"<{unit}> <{unit}>\n" for unit in chunk) + "endbfchar\n"
        for chunk in (units[i : i + 100] for i in range(0, len(units), 100))
    )
    cmap = (
        "/CIDInit /ProcSet findresource begin 12 dict begin begincmap /CMapName /U def /CMapType 2 def\n"
        f"1 begincodespacerange\n<0000> <ffff>\nendcodespacerange\n{blocks}endcmap end end"
    )
    unicode_map = _pdf_add(objects, _pdf_stream(cmap.encode()))
    descriptor = _pdf_add(
        objects,
        b"<< /Type /FontDescriptor /FontName /Song /Flags 4 /FontBBox [0 0 1000 1000] /ItalicAngle 0 "
        b"/Ascent 800 /Descent -200 /CapHeight 700 /StemV 80 >>",
    )
    system = "<< /Registry (Adobe) /Ordering (Identity) /Supplement 0 >>"
    face = f"/BaseFont /Song /CIDSystemInfo {system} /FontDescriptor {descriptor} 0 R /DW 1000"
    descendant = _pdf_add(objects, f"<< /Type /Font /Subtype /CIDFontType2 {face} >>".encode())
    encoding = f"/Encoding /Identity-H /DescendantFonts [{descendant} 0 R] /ToUnicode {unicode_map} 0 R"
    return _pdf_add(objects, f"<< /Type /Font /Subtype /Type0 /BaseFont /Song {encoding} >>".encode())


def _pdf_text(page: str, header: str, footer: str) -> bytes:
    placed = [(header, 815), (footer, 20)] if header or footer else []
    placed += [(line, 740 - 16 * i) for i, line in enumerate(page.split("\n"))]
    drawn = (f"BT /F0 10 Tf 50 {y} Td <{text.encode('utf-16-be').hex()}> Tj ET" for text, y in placed if text)
    return "\n".join(drawn).encode()


def _pdf_annotations(objects: list[bytes], annotation: str, uri: str) -> str:
    listed: list[int] = []
    if annotation:
        listed.append(
            _pdf_add(
                objects, f"<< /Type /Annot /Subtype /Text /Rect [10 10 30 30] /Contents {_pdf_string(annotation)} >>".encode()
            )
        )
    if uri:
        listed.append(
            _pdf_add(
                objects,
                f"<< /Type /Annot /Subtype /Link /Rect [10 40 30 60] /A << /S /URI /URI <{uri.encode().hex()}> >> >>".encode(),
            )
        )
    return f"/Annots [{' '.join(f'{number} 0 R' for number in listed)}] " if listed else ""


def _pdf_attachments(objects: list[bytes], attachments: Mapping[str, bytes]) -> str:
    listed = ""
    for name, content in sorted(attachments.items()):
        stream = _pdf_add(objects, _pdf_stream(content, "/Type /EmbeddedFile"))
        held = _pdf_add(
            objects, f"<< /Type /Filespec /F {_pdf_string(name)} /UF {_pdf_string(name)} /EF << /F {stream} 0 R >> >>".encode()
        )
        listed += f"{_pdf_string(name)} {held} 0 R "
    return f"/Names << /EmbeddedFiles << /Names [{listed}] >> >> " if listed else ""


def _pdf_file(objects: Sequence[bytes], info: int) -> bytes:
    out = io.BytesIO(b"")
    out.write(b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n")
    offsets = []
    for number, content in enumerate(objects, 1):
        offsets.append(out.tell())
        out.write(f"{number} 0 obj\n".encode() + content + b"\nendobj\n")
    start = out.tell()
    out.write(f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n".encode())
    out.write("".join(f"{offset:010} 00000 n \n" for offset in offsets).encode())
    out.write(f"trailer\n<< /Size {len(objects) + 1} /Root 1 0 R /Info {info} 0 R >>\nstartxref\n{start}\n%%EOF\n".encode())
    return out.getvalue()
