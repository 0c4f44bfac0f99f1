"""PDF (ISO 32000) by PDFium: text page by page; then, by search among the objects, what no page shows.

PDFium rebuilds a damaged cross-reference table itself. What can only be seen, scans and pictures, goes to the OCR
engine, or is told, so that a scanned document never looks clean.
"""

import ctypes
import re
from collections.abc import Iterator

import pypdfium2
import pypdfium2.raw as pdfium

from dlp.extract.budget import Budget, Exhausted, Unreadable
from dlp.extract.charset import decode
from dlp.extract.document import Document
from dlp.extract.exif import packets, xmp
from dlp.extract.format import Format, Pieces
from dlp.extract.markup import attributes, tags
from dlp.extract.passwords import OPENED
from dlp.extract.pdf_objects import Objects, revisions
from dlp.extract.pdf_pages import Told, page_texts, pages
from dlp.extract.polyglot import around
from dlp.model import Part, Unscannable, Why, Zone

REVISIONS = 20
"""Earlier revisions read, the newest first."""
_TRIES = 100
"""Passwords tried; the newest kind of encryption takes some milliseconds for each."""
_HEADER = 1024
"""Bytes in which the header stands (annex H.3.4.1)."""
_OUTLINE = 10_000
_ATTACHMENTS = 1_000
_CATALOG = re.compile(rb"(?<!\d)(\d{1,9})\s{1,9}(\d{1,5})\s{1,9}obj\s{0,9}<<[^>]{0,500}?/Type\s{0,9}/Catalog")
_ENCRYPTED = re.compile(rb"/Encrypt\s{0,9}(?:\d|<<)")


def read(document: Document, budget: Budget) -> Pieces:
    """Raises Unreadable(encrypted or corrupt) where PDFium opens nothing."""
    data = bytes(document.data)
    try:
        yield from _read(document, data, budget)
    except Exhausted:
        raise
    except Unreadable:
        yield from _around(document, data)
        raise
    yield from _around(document, data)


def _read(document: Document, data: bytes, budget: Budget) -> Pieces:
    objects = Objects(data, budget)
    objects.check()
    try:
        pdf, password = _unlocked(data, budget)
    except pypdfium2.PdfiumError as error:
        pdf, password = _repaired(data, error), None
        yield document.unread(Why.CORRUPT, "the trailer is missing or damaged")
    try:
        if password:
            yield document.nested(_decrypted(pdf), name=None, label=OPENED)
            return
        yield from _opened(document, pdf, objects, budget)
    finally:
        pdf.close()


def _opened(document: Document, pdf: pypdfium2.PdfDocument, objects: Objects, budget: Budget) -> Pieces:
    told = Told()
    yield from pages(document, pdf, told, budget)
    titles = [title for title in _outline(pdf) if told.fresh(title)]
    yield from document.parts((f"{title}\n" for title in titles), zone=Zone.HIDDEN)
    properties = [value for value in pdf.get_metadata_dict().values() if told.fresh(value)]
    yield from document.parts((f"{value}\n" for value in properties), zone=Zone.PROPERTY)
    if _ENCRYPTED.search(objects.data):  # opened all the same, for only its owner's rights are locked
        if b"/EFOpen" in objects.data:
            yield document.unread(Why.ENCRYPTED, "the attachments need a password")
        objects = Objects(_decrypted(pdf), budget)
    yield from _attachments(document, pdf, budget)
    yield from _objects(document, objects, told, budget)
    yield from _earlier(document, objects.data, told, budget)


def _load(data: bytes, password: str | None = None) -> pypdfium2.PdfDocument | None:
    """The document; None where a password is needed or this is not it. Raises PdfiumError for anything else."""
    try:
        return pypdfium2.PdfDocument(data, password=password)
    except pypdfium2.PdfiumError as error:
        if getattr(error, "err_code", None) == pdfium.FPDF_ERR_PASSWORD:
            return None
        raise


def _unlocked(data: bytes, budget: Budget) -> tuple[pypdfium2.PdfDocument, bool]:
    """The document, and whether it took a password. Raises Unreadable(encrypted) and PdfiumError."""
    if (pdf := _load(data)) is not None:
        return pdf, False

    def attempt(password: str) -> pypdfium2.PdfDocument | None:
        budget.tick()
        return _load(data, password)

    if (pdf := budget.passwords.opened(attempt, tries=_TRIES)) is not None:
        return pdf, True
    raise Unreadable(Why.ENCRYPTED, "a password is needed")


def _repaired(data: bytes, cause: Exception) -> pypdfium2.PdfDocument:
    """The document with a trailer of ours, which is what a truncated one lacks for PDFium to find its objects.

    Raises Unreadable(corrupt) where that does not help either, Unreadable(encrypted) where a password is needed.
    """
    roots = _CATALOG.findall(data)
    if not roots:
        raise Unreadable(Why.CORRUPT, "not a readable PDF") from cause
    trailer = b"\ntrailer\n<< /Root %s %s R >>\nstartxref\n0\n%%%%EOF\n" % roots[-1]  # the newest (7.5.6)
    try:
        pdf = _load(data + trailer)
    except pypdfium2.PdfiumError as error:
        raise Unreadable(Why.CORRUPT, "not a readable PDF") from error
    if pdf is None:
        raise Unreadable(Why.ENCRYPTED, "a password is needed")
    return pdf


_blocks: list[bytes] = []


def _keep(writer: object, block: int, size: int) -> int:
    _blocks.append(ctypes.string_at(block, size))
    return 1


# Made once, at import: a confined child may not make memory executable, which a new callback needs.
_WRITER = pdfium.FPDF_FILEWRITE(1, type(pdfium.FPDF_FILEWRITE().WriteBlock)(_keep))


def _decrypted(pdf: pypdfium2.PdfDocument) -> bytes:
    """The document as a file without encryption. Raises Unreadable(encrypted) where PDFium cannot write it."""
    _blocks.clear()
    try:
        if not pdfium.FPDF_SaveAsCopy(pdf, ctypes.byref(_WRITER), pdfium.FPDF_REMOVE_SECURITY):
            raise Unreadable(Why.ENCRYPTED, "it opens, but cannot be decrypted")
        return b"".join(_blocks)
    finally:
        _blocks.clear()


def _around(document: Document, data: bytes) -> Pieces:
    """What stands before the header and after the last end, where other programs find other files."""
    start = max(data.find(b"%PDF-", 0, _HEADER), 0)
    end = data.rfind(b"%%EOF")
    yield from around(document, data, start=start, end=end + 5 if end > 0 else len(data), kind="PDF")


def _outline(pdf: pypdfium2.PdfDocument) -> Iterator[str]:
    for number, mark in enumerate(pdf.get_toc(max_depth=15)):
        if number >= _OUTLINE:
            return
        yield mark.get_title()


def _attachments(document: Document, pdf: pypdfium2.PdfDocument, budget: Budget) -> Pieces:
    count = pdf.count_attachments()
    for index in range(min(count, _ATTACHMENTS)):
        budget.tick()
        try:
            attachment = pdf.get_attachment(index)
            name, content = attachment.get_name(), bytes(attachment.get_data())
        except pypdfium2.PdfiumError:
            yield document.unread(Why.CORRUPT, f"attachment {index + 1} cannot be read")
            continue
        budget.spend(len(content))
        yield document.nested(content, name=name or None, label=f"attachment {index + 1}")
    if count > _ATTACHMENTS:
        yield document.unread(Why.TOO_MANY, f"more than {_ATTACHMENTS} attachments")


def _objects(document: Document, objects: Objects, told: Told, budget: Budget) -> Pieces:
    """Every other string and stream with a meaning. A file that PDFium gave already is the same bytes: the walk reads it once."""
    found: dict[Zone, list[str]] = {}
    for text in objects.texts():
        if told.fresh(text.value):
            found.setdefault(text.zone, []).append(text.value)
    for stream in objects.streams():
        if stream.encrypted:
            yield document.unread(Why.ENCRYPTED, "a stream of the document is encrypted by itself")
        elif not stream.whole:
            yield document.unread(Why.UNSUPPORTED, f"a stream of kind {stream.use} is packed in a way that is not read")
        if stream.use == "EF":
            yield document.nested(stream.content, name=None, label="embedded file")
        elif stream.use == "JS":
            found.setdefault(Zone.HIDDEN, []).append(decode(stream.content, None))
        elif stream.use == "Metadata":
            found.setdefault(Zone.PROPERTY, []).extend(value for value in xmp(stream.content) if told.fresh(value))
        else:
            found.setdefault(Zone.COMMENT, []).extend(value for value in _packet(stream.content) if told.fresh(value))
    for packet in packets(objects.data, budget):
        found.setdefault(Zone.PROPERTY, []).extend(value for value in xmp(packet) if told.fresh(value))
    for zone, values in found.items():
        yield from document.parts((f"{value}\n" for value in values), zone=zone)


def _packet(content: bytes) -> Iterator[str]:
    """The texts and attributes of XFA's XML or of a rich text (ISO 32000-1, 12.7.8 and 12.7.3.4)."""
    for tag in tags(decode(content, None)):
        yield from (value for name, value in attributes(tag.inside) if not name.startswith("xmlns"))
        if tag.text.strip():
            yield tag.text.strip()


def _earlier(document: Document, data: bytes, told: Told, budget: Budget) -> Iterator[Part | Unscannable]:
    """The texts of pages as they were before updates, where they differ from those that are there now."""
    ends = revisions(data)
    for number, end in list(enumerate(ends, start=1))[-REVISIONS:]:
        budget.tick()
        try:
            pdf = _load(data[:end])
        except pypdfium2.PdfiumError:
            continue  # its objects' strings have been read with all others
        if pdf is None:
            continue
        try:
            for page, text in page_texts(pdf, budget):
                if text not in told.pages:
                    told.pages.add(text)
                    yield from document.parts([text], zone=Zone.HIDDEN, trail=(f"revision {number}",), page=page)
        finally:
            pdf.close()
    if len(ends) > REVISIONS:
        yield document.unread(Why.TOO_MANY, f"more than {REVISIONS} earlier revisions")


FORMAT = Format(name="pdf", media_types=("application/pdf",), read=read, risky=True)
