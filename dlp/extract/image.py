"""Pictures: the texts beside the pixels, what is hidden behind their end, and the text in the pixels by OCR.

Without OCR a picture is told as unsupported and its texts are read all the same; its pixels are never
searched for printable runs, since they have none that mean anything.
"""

from collections.abc import Iterator

from dlp.extract.budget import Budget, Exhausted, Unreadable
from dlp.extract.document import Document
from dlp.extract.exif import Metadata, packets, xmp
from dlp.extract.format import Format, Pieces
from dlp.extract.image_chunks import WALKERS
from dlp.extract.ocr import LEGIBLE, recognized
from dlp.extract.polyglot import around
from dlp.extract.strings import strings
from dlp.model import Part, Unscannable, Why, Zone

_HEAD = 1024
"""Bytes in which a PDF may begin (ISO 32000-1, annex H.3.4.1), whatever stands before it."""


def read(document: Document, budget: Budget) -> Pieces:
    """Texts first, so that they are there should the engine use up the time. Raises Unreadable(unsupported) for kinds unknown."""
    data = bytes(document.data)
    found = Metadata()
    walker = WALKERS.get(document.media_type)
    if walker is not None:
        walker(data, found, budget)
    yield from _texts(document, data, found, budget)
    yield from _inner(document, data, found)
    told = False
    if found.size is None or min(found.size) >= LEGIBLE:
        for piece in _seen(document, budget):
            told |= isinstance(piece, Unscannable)
            yield piece
    if found.damaged and not told:
        yield document.unread(Why.CORRUPT, "the picture is cut off or damaged")
    if walker is None:
        yield from document.parts((f"{run}\n" for run in _runs(data, budget)), zone=Zone.RAW)


def _texts(document: Document, data: bytes, found: Metadata, budget: Budget) -> Iterator[Part]:
    for packet in packets(data, budget):
        found.properties += xmp(packet)
    properties = dict.fromkeys(text for text in found.properties if text)
    yield from document.parts((f"{text}\n" for text in properties), zone=Zone.PROPERTY)
    yield from document.parts((f"{text}\n" for text in found.comments), zone=Zone.COMMENT)
    loose = b"\n".join(found.loose)
    budget.spend(len(loose))
    yield from document.parts(_runs(loose, budget), zone=Zone.RAW)


def _runs(data: bytes, budget: Budget) -> Iterator[str]:
    for run in strings(data):
        budget.tick()
        yield run


def _inner(document: Document, data: bytes, found: Metadata) -> Pieces:
    """Documents in the picture's file: thumbnails, what other programs find in it, what stands behind its end."""
    for label, content in found.inner:
        if content:
            yield document.nested(content, name=None, label=label)
    end = len(data) if found.end is None else min(found.end, len(data))
    if (start := data.find(b"%PDF-", 0, _HEAD)) > 0:
        yield document.nested(data[start:], name=None, label="inside the picture")
    yield from around(document, data, start=0, end=end, kind="picture")


def _seen(document: Document, budget: Budget) -> Pieces:
    """The text in the pixels, a part for each frame or page."""
    if budget.ocr is None:
        budget.pictures += 1
        yield document.unread(Why.UNSUPPORTED, "a picture, and no OCR")
        return
    from dlp.extract import raster  # Pillow is of the same extra as the engine, and loaded with it

    try:
        for number, pixels in enumerate(raster.frames(document.data, budget), start=1):
            yield from document.parts(recognized(pixels, budget), page=number, start=number == 1)
    except Exhausted:
        raise
    except Unreadable as error:
        yield document.unread(error.why, error.detail)


FORMAT = Format(name="image", media_types=tuple(dict.fromkeys((*WALKERS, "image/*"))), read=read, risky_with_ocr=True)
