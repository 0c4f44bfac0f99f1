"""The pages of a PDF by PDFium: text, edges, annotations, and what on them is a picture.

A page that is a scan, or whose text has no Unicode values, is drawn and read by OCR; pictures beside text are
read one by one, each once however many pages show it. Without OCR they are counted and told.
"""

import ctypes
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b

import numpy as np
import pypdfium2
import pypdfium2.raw as pdfium
from numpy.typing import NDArray

from dlp.extract.budget import Budget, Exhausted, Unreadable
from dlp.extract.document import Document
from dlp.extract.ocr import LEGIBLE, recognized
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
_OBJECTS = 20_000
"""Objects of one page, forms opened, that are looked at for pictures."""
_NESTED = 8
"""Forms within forms that are opened."""
_MANY = 12
"""Pictures on a page from which it is drawn as a whole: scanners cut pages into strips and layers."""
_COVERS = 0.5
"""Share of a page from which its pictures are the page."""
_SCALE = 200 / 72
"""Pixels for a point at which a page is drawn: 200 dots an inch."""
_DRAWN = 6_000_000
"""Pixels of a drawn page; A4 at 200 dots an inch has 3.9 million."""
_PIXELS = 64_000_000
"""Pixels of one picture that are taken out of a page."""
_KEYS = ("Contents", "T", "V", "DV", "TU", "RC", "Subj")
"""String entries of annotation and widget dictionaries (ISO 32000-1, tables 164, 170 and 220)."""
_PLAIN = {pdfium.FPDF_ANNOT_LINK, pdfium.FPDF_ANNOT_POPUP, pdfium.FPDF_ANNOT_WIDGET, pdfium.FPDF_ANNOT_TEXT}
"""Annotations that draw nothing but what their strings say."""
Pixels = NDArray[np.uint8]
Handle = object


@dataclass(slots=True)
class Told:
    """What has been yielded of a document, so that no string, page or picture is given twice."""

    strings: set[str] = field(default_factory=set)
    pages: set[str] = field(default_factory=set)
    pictures: set[bytes] = field(default_factory=set)

    def fresh(self, text: str) -> bool:
        """Whether this string is new."""
        text = text.strip()
        known = text in self.strings
        self.strings.add(text)
        return bool(text) and not known


@dataclass(slots=True)
class Drawn:
    """What is on a page beside text: pictures, their share of it, how many other drawings; whether that is all."""

    pictures: list[Handle] = field(default_factory=list)
    others: int = 0
    covered: float = 0.0
    whole: bool = True


def pages(document: Document, pdf: pypdfium2.PdfDocument, told: Told, budget: Budget) -> Iterator[Part | Unscannable]:
    """Everything on the pages."""
    count = len(pdf)
    for number in range(1, min(count, PAGES) + 1):
        budget.tick()
        try:
            page = pdf[number - 1]
        except pypdfium2.PdfiumError:
            yield document.unread(Why.CORRUPT, f"page {number} cannot be read")
            continue
        try:
            yield from _page(document, page, number, told, budget)
        finally:
            page.close()
    if count > PAGES:
        yield document.unread(Why.TOO_MANY, f"more than {PAGES} pages")
    if count == 0:
        yield document.unread(Why.CORRUPT, "no page can be read")


def page_texts(pdf: pypdfium2.PdfDocument, budget: Budget) -> Iterator[tuple[int, str]]:
    """The pages' numbers, from 1, and texts; a page that cannot be read has none."""
    for index in range(min(len(pdf), PAGES)):
        budget.tick()
        try:
            page = pdf[index]
        except pypdfium2.PdfiumError:
            continue
        try:
            yield index + 1, _text(page)
        except pypdfium2.PdfiumError:
            continue
        finally:
            page.close()


def _text(page: pypdfium2.PdfPage) -> str:
    text_page = page.get_textpage()
    try:
        return str(text_page.get_text_range()).replace("\r\n", "\n")
    finally:
        text_page.close()


def _page(document: Document, page: pypdfium2.PdfPage, number: int, told: Told, budget: Budget) -> Iterator[Part | Unscannable]:
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
    told.pages.add(text)
    yield from document.parts([text], page=number, start=number == 1)
    for zone, edge in edges:
        yield from document.parts([edge], zone=zone, page=number)
    notes = [value for value in _annotations(page) if told.fresh(value)]
    yield from document.parts((f"{value}\n" for value in notes), zone=Zone.COMMENT, page=number)
    yield from _seen(document, page, number, text, told, budget)
    yield from _stamped(document, page, number, text)


def _edges(page: pypdfium2.PdfPage, text_page: pypdfium2.PdfTextPage) -> Iterator[tuple[Zone, str]]:
    """The lines at the top and the bottom, which are part of the page's text as well."""
    left, bottom, right, top = page.get_bbox()
    margin = EDGE * (top - bottom)
    for zone, low, high in ((Zone.HEADER, top - margin, top), (Zone.FOOTER, bottom, bottom + margin)):
        text = text_page.get_text_bounded(left, low, right, high)
        if 0 < len(text.strip()) < _SHORT:
            yield zone, text


def _seen(
    document: Document, page: pypdfium2.PdfPage, number: int, text: str, told: Told, budget: Budget
) -> Iterator[Part | Unscannable]:
    """What of the page is to be seen and not in its text: read by OCR, or told."""
    drawn = _drawn(page)
    if not drawn.whole:
        yield document.unread(Why.TOO_MANY, f"page {number} has more than {_OBJECTS} objects")
    covered = drawn.covered > _COVERS  # then also by strips of a scan, each too narrow to be legible
    fresh = [picture for picture in drawn.pictures if (covered or _legible(picture)) and _fresh(picture, told)]
    reason = _reason(text, drawn) or _pictured(fresh, covered=covered)
    if reason:
        yield from _scanned(document, page, number, reason, budget)
        return
    if not fresh:
        return
    if budget.ocr is None:
        budget.pictures += len(fresh)
        yield document.unread(Why.UNSUPPORTED, f"page {number} has {len(fresh)} pictures, and no OCR")
        return
    for picture in fresh:
        yield from _picture(document, picture, number, budget)


def _reason(text: str, drawn: Drawn) -> str:
    """Why the page has to be seen as a whole, or ""."""
    shown = "".join(text.split())
    strange = sum(char < " " or char in "\x7f\ufffd\ufffe\uffff" or "\ue000" <= char <= "\uf8ff" for char in shown)
    if 3 * strange > len(shown):
        return "has a font without Unicode values"
    if not shown and (drawn.pictures or drawn.others):
        return "is an image" if drawn.pictures else "has drawings and no text"
    return "is mostly an image" if drawn.covered > _COVERS and len(shown) < _SHORT else ""


def _pictured(fresh: Sequence[Handle], *, covered: bool) -> str:
    """Why a page of text has to be seen as a whole for its pictures, or ""; a background of all pages is seen on the first."""
    if covered and fresh:
        return "has a picture under its text"
    return "has many pictures" if len(fresh) > _MANY else ""


def _drawn(page: pypdfium2.PdfPage) -> Drawn:
    """The page's objects, those inside forms too."""
    width, height = page.get_size()
    area = max(width * height, 1.0)
    found = Drawn()
    box = [ctypes.c_float() for _ in range(4)]
    places = [ctypes.byref(edge) for edge in box]
    seen = 0
    waiting: list[tuple[Handle, int]] = [(page.raw, 0)]
    while waiting:
        holder, depth = waiting.pop()
        count, get = (
            (pdfium.FPDFFormObj_CountObjects, pdfium.FPDFFormObj_GetObject)
            if depth
            else (pdfium.FPDFPage_CountObjects, pdfium.FPDFPage_GetObject)
        )
        for index in range(max(count(holder), 0)):
            seen += 1
            if seen > _OBJECTS:
                found.whole = False
                return found
            one = get(holder, index)
            kind = pdfium.FPDFPageObj_GetType(one)
            if kind == pdfium.FPDF_PAGEOBJ_IMAGE:
                found.pictures.append(one)
                if pdfium.FPDFPageObj_GetBounds(one, *places):
                    left, bottom, right, top = (edge.value for edge in box)
                    found.covered += (right - left) * (top - bottom) / area
            elif kind == pdfium.FPDF_PAGEOBJ_FORM and depth < _NESTED:
                waiting.append((one, depth + 1))
            elif kind != pdfium.FPDF_PAGEOBJ_TEXT:
                found.others += 1
    return found


def _size(picture: Handle) -> tuple[int, int]:
    """Width and height in pixels; zeros where they cannot be had."""
    width, height = ctypes.c_uint(), ctypes.c_uint()
    pdfium.FPDFImageObj_GetImagePixelSize(picture, ctypes.byref(width), ctypes.byref(height))
    return width.value, height.value


def _legible(picture: Handle) -> bool:
    return min(_size(picture)) >= LEGIBLE


def _fresh(picture: Handle, told: Told) -> bool:
    """Whether these pixels have not been met on another page; always where they cannot be had."""
    size = pdfium.FPDFImageObj_GetImageDataRaw(picture, None, 0)
    if size == 0:
        return True
    buffer = ctypes.create_string_buffer(size)
    pdfium.FPDFImageObj_GetImageDataRaw(picture, buffer, size)
    digest = blake2b(buffer, digest_size=16).digest() + repr(_size(picture)).encode()
    known = digest in told.pictures
    told.pictures.add(digest)
    return not known


def _scanned(
    document: Document, page: pypdfium2.PdfPage, number: int, reason: str, budget: Budget
) -> Iterator[Part | Unscannable]:
    """The page drawn and read."""
    if budget.ocr is None:
        budget.pictures += 1
        yield document.unread(Why.UNSUPPORTED, f"page {number} {reason}")
        return
    width, height = page.get_size()
    scale = min(_SCALE, (_DRAWN / max(width * height, 1.0)) ** 0.5)
    try:
        bitmap = page.render(scale=scale, rev_byteorder=True, may_draw_forms=False)
    except pypdfium2.PdfiumError:
        yield document.unread(Why.CORRUPT, f"page {number} {reason} and cannot be drawn")
        return
    try:
        pixels = _rgb(bitmap)
    finally:
        bitmap.close()
    yield from _read(document, pixels, number, budget)


def _picture(document: Document, picture: Handle, number: int, budget: Budget) -> Iterator[Part | Unscannable]:
    width, height = _size(picture)
    if width * height > _PIXELS:
        yield document.unread(Why.TOO_LARGE, f"a picture on page {number} has more than {_PIXELS} pixels")
        return
    raw = pdfium.FPDFImageObj_GetBitmap(picture)
    if not raw:
        yield document.unread(Why.CORRUPT, f"a picture on page {number} cannot be decoded")
        return
    try:
        pixels = _rgb(pypdfium2.PdfBitmap.from_raw(raw))
    finally:
        pdfium.FPDFBitmap_Destroy(raw)
    yield from _read(document, pixels, number, budget)


def _read(document: Document, pixels: Pixels, number: int, budget: Budget) -> Iterator[Part | Unscannable]:
    try:
        yield from document.parts(recognized(pixels, budget), page=number)
    except Exhausted:
        raise
    except Unreadable as error:
        yield document.unread(error.why, f"page {number}: {error.detail}")


def _rgb(bitmap: pypdfium2.PdfBitmap) -> Pixels:
    """A copy in RGB, whatever the bitmap's own order is."""
    pixels = bitmap.to_numpy()
    if pixels.ndim == 2:
        return np.repeat(pixels[:, :, np.newaxis], 3, axis=2)
    colours = pixels[:, :, :3]
    return np.ascontiguousarray(colours if bitmap.rev_byteorder else colours[:, :, ::-1])


def _stamped(document: Document, page: pypdfium2.PdfPage, number: int, text: str) -> Iterator[Part | Unscannable]:
    """The lines that annotations draw by their appearance, such as stamps, which need not be in any of their strings.

    Comes last: drawing them into the page changes it.
    """
    kinds = {kind for _, kind in _notes(page)}
    if not kinds - _PLAIN or pdfium.FPDFPage_Flatten(page, pdfium.FLAT_NORMALDISPLAY) != pdfium.FLATTEN_SUCCESS:
        return
    known = set(text.split("\n"))
    try:
        again = page.pdf[number - 1]
        lines = [line for line in _text(again).split("\n") if line not in known]
        again.close()
    except pypdfium2.PdfiumError:
        yield document.unread(Why.CORRUPT, f"the annotations of page {number} cannot be drawn")
        return
    yield from document.parts((f"{line}\n" for line in lines), zone=Zone.COMMENT, page=number)


def _notes(page: pypdfium2.PdfPage) -> Iterator[tuple[Handle, int]]:
    """Each annotation, open until the next is asked for, and its kind."""
    for index in range(min(pdfium.FPDFPage_GetAnnotCount(page), _NOTES)):
        note = pdfium.FPDFPage_GetAnnot(page, index)
        if not note:
            continue
        try:
            yield note, pdfium.FPDFAnnot_GetSubtype(note)
        finally:
            pdfium.FPDFPage_CloseAnnot(note)


def _annotations(page: pypdfium2.PdfPage) -> Iterator[str]:
    """Notes, form values and link targets."""
    for note, _ in _notes(page):
        for key in _KEYS:
            if value := _value(note, key):
                yield value
        if target := _target(page, note):
            yield target


def _value(note: Handle, key: str) -> str:
    size = pdfium.FPDFAnnot_GetStringValue(note, key.encode(), None, 0)
    if not 2 < size <= _STRING:
        return ""
    buffer = ctypes.create_string_buffer(size)
    pdfium.FPDFAnnot_GetStringValue(note, key.encode(), ctypes.cast(buffer, ctypes.POINTER(ctypes.c_ushort)), size)
    return buffer.raw[: size - 2].decode("utf-16-le", "replace")


def _target(page: pypdfium2.PdfPage, note: Handle) -> str:
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
