"""PDF (ISO 32000) by PDFium: text page by page, then what stands beside the pages.

PDFium rebuilds a damaged cross-reference table itself. A page whose content is a picture is told as unsupported,
so that a scanned document never looks clean.
"""

import ctypes
import re
import zlib
from collections.abc import Iterator

import pypdfium2
import pypdfium2.raw as pdfium

from dlp.extract.budget import Budget, Unreadable
from dlp.extract.document import Document
from dlp.extract.format import Format, Pieces
from dlp.extract.markup import attributes, tags
from dlp.model import Part, Unscannable, Why, Zone

PAGES = 5_000
"""Pages read of one document."""
EDGE = 0.08
"""Share of a page's height, at the top and at the bottom, where a header or footer stands."""
_SHORT = 200
"""Characters; a header is shorter, and a page with fewer under a large picture is taken for a scan."""
_NOTES = 2_000
"""Annotations read of one page."""
_STRING = 1 << 20
"""Bytes of one string value that are read."""
_OUTLINE = 10_000
_CATALOG = re.compile(rb"(?<!\d)(\d{1,9})\s{1,9}(\d{1,5})\s{1,9}obj\s{0,9}<<[^>]{0,500}?/Type\s{0,9}/Catalog")
_XMP = re.compile(rb"<x:xmpmeta.{0,1000000}?</x:xmpmeta>", re.DOTALL)
_INFO = re.compile(rb"/Info\s{1,9}(\d{1,9})\s{1,9}\d{1,5}\s{1,9}R")
_OBJECT_STREAM = re.compile(rb"/Type\s{0,9}/ObjStm")
_ENTRY = re.compile(
    rb"/([\w.#-]{1,100})\s{0,9}(\((?:[^()\\]|\\.|\((?:[^()\\]|\\.){0,60000}\)){0,60000}\)|<[0-9A-Fa-f\s]{0,60000}>)", re.DOTALL
)
_KEYS = ("Contents", "T", "V", "DV", "TU", "RC", "Subj")
"""String entries of annotation and widget dictionaries (ISO 32000-1, tables 164, 170 and 220)."""


def read(document: Document, budget: Budget) -> Pieces:
    """Raises Unreadable(encrypted or corrupt) where PDFium opens nothing."""
    data = bytes(document.data)
    try:
        pdf = _opened(data)
    except pypdfium2.PdfiumError as error:
        pdf = _repaired(data, error)
        yield document.unread(Why.CORRUPT, "the trailer is missing or damaged")
    try:
        yield from _pages(document, pdf, budget)
        yield from _outline(document, pdf)
        yield from _properties(document, pdf, data, budget)
        yield from _attachments(document, pdf, budget)
    finally:
        pdf.close()


def _opened(data: bytes) -> pypdfium2.PdfDocument:
    """Raises Unreadable(encrypted), or PdfiumError for anything else that PDFium does not open."""
    try:
        return pypdfium2.PdfDocument(data)
    except pypdfium2.PdfiumError as error:
        if getattr(error, "err_code", None) == pdfium.FPDF_ERR_PASSWORD:
            raise Unreadable(Why.ENCRYPTED, "a password is needed") from error
        raise


def _repaired(data: bytes, cause: Exception) -> pypdfium2.PdfDocument:
    """The document with a trailer of ours, which is what a truncated one lacks for PDFium to find its objects.

    Raises Unreadable(corrupt) where that does not help either.
    """
    roots = _CATALOG.findall(data)
    if not roots:
        raise Unreadable(Why.CORRUPT, "not a readable PDF") from cause
    trailer = b"\ntrailer\n<< /Root %s %s R >>\nstartxref\n0\n%%%%EOF\n" % roots[-1]  # the newest (ISO 32000-1, 7.5.6)
    try:
        return _opened(data + trailer)
    except pypdfium2.PdfiumError as error:
        raise Unreadable(Why.CORRUPT, "not a readable PDF") from error


def _pages(document: Document, pdf: pypdfium2.PdfDocument, budget: Budget) -> Iterator[Part | Unscannable]:
    count = len(pdf)
    for number in range(1, min(count, PAGES) + 1):
        budget.tick()
        try:
            page = pdf[number - 1]
        except pypdfium2.PdfiumError:
            yield document.unread(Why.CORRUPT, f"page {number} cannot be read")
            continue
        try:
            yield from _page(document, page, number, budget)
        finally:
            page.close()
    if count > PAGES:
        yield document.unread(Why.TOO_MANY, f"more than {PAGES} pages")
    if count == 0:
        yield document.unread(Why.CORRUPT, "no page can be read")


def _page(document: Document, page: pypdfium2.PdfPage, number: int, budget: Budget) -> Iterator[Part | Unscannable]:
    try:
        text_page = page.get_textpage()
    except pypdfium2.PdfiumError:
        yield document.unread(Why.CORRUPT, f"the text of page {number} cannot be read")
        return
    try:
        text = text_page.get_text_range().replace("\r\n", "\n")
        edges = list(_edges(page, text_page)) if text.strip() else []
    finally:
        text_page.close()
    budget.spend(2 * len(text))
    yield from document.parts([text], page=number, start=number == 1)
    for zone, edge in edges:
        yield from document.parts([edge], zone=zone, page=number)
    unread = _unread(page, text)
    if unread:
        yield document.unread(Why.UNSUPPORTED, f"page {number} {unread}")
    yield from document.parts(_annotations(page), zone=Zone.COMMENT, page=number)


def _edges(page: pypdfium2.PdfPage, text_page: pypdfium2.PdfTextPage) -> Iterator[tuple[Zone, str]]:
    """The lines at the top and the bottom, which are part of the page's text as well."""
    left, bottom, right, top = page.get_bbox()
    margin = EDGE * (top - bottom)
    for zone, low, high in ((Zone.HEADER, top - margin, top), (Zone.FOOTER, bottom, bottom + margin)):
        text = text_page.get_text_bounded(left, low, right, high)
        if 0 < len(text.strip()) < _SHORT:
            yield zone, text


def _unread(page: pypdfium2.PdfPage, text: str) -> str:
    """What keeps a page's content from being read as text, or ""."""
    shown = "".join(text.split())
    if len(shown) >= _SHORT:
        strange = sum(char in "\ufffd\ufffe\uffff\x00" or "\ue000" <= char <= "\uf8ff" for char in shown)
        return "has a font without Unicode values" if 3 * strange > len(shown) else ""
    images, drawings, largest = _objects(page)
    if not shown and (images or drawings):
        return "is an image" if images else "has drawings and no text"
    return "is mostly an image" if largest > 0.5 else ""


def _objects(page: pypdfium2.PdfPage) -> tuple[int, int, float]:
    """How many images and how many other drawings are on a page, and the largest image's share of it."""
    width, height = page.get_size()
    area = max(width * height, 1.0)
    images = drawings = 0
    largest = 0.0
    for place, drawn in enumerate(page.get_objects(max_depth=5)):
        if drawn.type == pdfium.FPDF_PAGEOBJ_IMAGE:
            images += 1
            left, bottom, right, top = drawn.get_bounds()
            largest = max(largest, (right - left) * (top - bottom) / area)
        elif drawn.type in (pdfium.FPDF_PAGEOBJ_PATH, pdfium.FPDF_PAGEOBJ_SHADING):
            drawings += 1
        if place >= 2_000:
            break
    return images, drawings, largest


def _annotations(page: pypdfium2.PdfPage) -> Iterator[str]:
    """Notes, form values and link targets, a line each."""
    for index in range(min(pdfium.FPDFPage_GetAnnotCount(page), _NOTES)):
        note = pdfium.FPDFPage_GetAnnot(page, index)
        if not note:
            continue
        try:
            for key in _KEYS:
                if value := _value(note, key):
                    yield value + "\n"
            if target := _target(page, note):
                yield target + "\n"
        finally:
            pdfium.FPDFPage_CloseAnnot(note)


def _value(note: object, key: str) -> str:
    size = pdfium.FPDFAnnot_GetStringValue(note, key.encode(), None, 0)
    if not 2 < size <= _STRING:
        return ""
    buffer = ctypes.create_string_buffer(size)
    pdfium.FPDFAnnot_GetStringValue(note, key.encode(), ctypes.cast(buffer, ctypes.POINTER(ctypes.c_ushort)), size)
    return buffer.raw[: size - 2].decode("utf-16-le", "replace")


def _target(page: pypdfium2.PdfPage, note: object) -> str:
    link = pdfium.FPDFAnnot_GetLink(note)
    action = pdfium.FPDFLink_GetAction(link) if link else None
    if not action:
        return ""
    size = pdfium.FPDFAction_GetURIPath(page.pdf, action, None, 0)
    if not 1 < size <= _STRING:
        return ""
    buffer = ctypes.create_string_buffer(size)
    pdfium.FPDFAction_GetURIPath(page.pdf, action, buffer, size)
    return buffer.raw[: size - 1].decode("utf-8", "replace")


def _outline(document: Document, pdf: pypdfium2.PdfDocument) -> Iterator[Part]:
    titles: list[str] = []
    for mark in pdf.get_toc(max_depth=15):
        titles.append(mark.get_title() + "\n")
        if len(titles) >= _OUTLINE:
            break
    yield from document.parts(titles, zone=Zone.HIDDEN)


def _properties(document: Document, pdf: pypdfium2.PdfDocument, data: bytes, budget: Budget) -> Iterator[Part]:
    """The Info dictionary with entries of its own (sensitivity labels), XMP, and the strings of packed objects."""
    values = [value for value in pdf.get_metadata_dict().values() if value]
    if b"/Encrypt" not in data:  # the strings of an encrypted document are ciphertext
        values += [value for objects in (*_info(data), *_packed(data, budget)) for value in _entries(objects)]
    for packet in _XMP.findall(data):
        for tag in tags(packet.decode("utf-8", "replace")):
            values += [value for name, value in attributes(tag.inside) if not name.startswith("xmlns")]
            values.append(tag.text.strip())
    unique = dict.fromkeys(value for value in values if value)
    yield from document.parts((f"{value}\n" for value in unique), zone=Zone.PROPERTY)


def _info(data: bytes) -> Iterator[bytes]:
    """The objects that trailers name as Info (ISO 32000-1, 14.3.3)."""
    for number in {match.group(1) for match in _INFO.finditer(data)}:
        found = re.search(rb"(?<!\d)" + number + rb"\s{1,9}\d{1,5}\s{1,9}obj", data)
        if found:
            end = data.find(b"endobj", found.end(), found.end() + _STRING)
            yield data[found.end() : end if end > 0 else found.end() + 4096]


def _packed(data: bytes, budget: Budget) -> Iterator[bytes]:
    """The contents of object streams (ISO 32000-1, 7.5.7), as far as they are deflated and inflate to a megabyte."""
    for match in _OBJECT_STREAM.finditer(data):
        begin = data.find(b"stream", match.end(), match.end() + 1024)
        if begin < 0:
            continue
        try:
            objects = zlib.decompressobj().decompress(data[begin + 6 : begin + 6 + _STRING].lstrip(b"\r\n"), _STRING)
        except zlib.error:
            continue
        budget.spend(len(objects))
        yield objects


def _entries(objects: bytes) -> Iterator[str]:
    for key, value in _ENTRY.findall(objects):
        text = _literal(value)
        yield f"{key.decode('latin-1')}: {text}" if text.strip() else ""


def _literal(token: bytes) -> str:
    """A string object (ISO 32000-1, 7.3.4 and 7.9.2): UTF-16 with a mark, else PDFDocEncoding, near Latin-1."""
    if token.startswith(b"<"):
        digits = b"".join(token[1:-1].split())
        raw = bytes.fromhex((digits + b"0" * (len(digits) % 2)).decode())
    else:
        raw = re.sub(rb"\\([()\\])", rb"\1", token[1:-1])
    return raw[2:].decode("utf-16-be", "replace") if raw.startswith(b"\xfe\xff") else raw.decode("latin-1")


def _attachments(document: Document, pdf: pypdfium2.PdfDocument, budget: Budget) -> Pieces:
    for index in range(pdf.count_attachments()):
        budget.tick()
        try:
            attachment = pdf.get_attachment(index)
            name, content = attachment.get_name(), bytes(attachment.get_data())
        except pypdfium2.PdfiumError:
            yield document.unread(Why.CORRUPT, f"attachment {index + 1} cannot be read")
            continue
        budget.spend(len(content))
        yield document.nested(content, name=name or None, label=f"attachment {index + 1}")


FORMAT = Format(name="pdf", media_types=("application/pdf",), read=read)
