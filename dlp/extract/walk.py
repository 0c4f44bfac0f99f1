"""From one document to everything that can be read in it, and everything that cannot.

The walk never raises for what the content does and drops nothing silently: what a format cannot read is an
Unscannable, and its printable strings are yielded all the same.
"""

from collections.abc import Iterator

import structlog

from dlp.extract.budget import Budget, Exhausted, Unreadable
from dlp.extract.document import Document
from dlp.extract.format import Format, Pieces
from dlp.extract.formats import format_for
from dlp.extract.strings import strings
from dlp.model import Part, Raw, Unscannable, Why, Zone

Piece = Part | Raw | Unscannable
_log = structlog.get_logger()


def walk(document: Document, budget: Budget) -> Iterator[Piece]:
    """Everything in `document`: for it and for each document inside it a Part with its name, a Raw, then what its format yields.

    An empty document is read. At the end of the budget the walk stops with an Unscannable.
    """
    where = document
    try:
        for found, piece in _visit(document, budget):
            where = found
            yield piece
    except Exhausted as end:
        yield where.unread(end.why, end.detail)


def salvage(document: Document, budget: Budget) -> Iterator[Part | Raw]:
    """Without any parser: the name, the bytes, the runs of printable text, as far as the budget's time goes."""
    yield from _named(document)
    yield Raw(data=document.data, trail=document.trail)
    try:
        yield from _strings(document, budget)
    except Exhausted as end:
        _log.warning("salvage ended early", why=end.why, size=len(document.data))


def _visit(document: Document, budget: Budget) -> Iterator[tuple[Document, Piece]]:
    """The pieces of one document, each with the document it is of, so that the walk knows where it ended."""
    for part in _named(document):
        yield document, part
    budget.admit()
    budget.tick()
    number = budget.number()
    if not document.data or not budget.fresh(document.data):
        return
    yield document, Raw(data=document.data, trail=document.trail)
    refused = _refused(document, budget)
    if refused is not None:
        yield document, refused
        for part in _strings(document, budget):
            yield document, part
        return
    for piece in _read(document, budget, number):
        if isinstance(piece, Document):
            yield from _visit(piece, budget)
        else:
            yield document, piece


def _refused(document: Document, budget: Budget) -> Unscannable | None:
    if document.depth > budget.limits.depth:
        return document.unread(Why.TOO_DEEP, f"more than {budget.limits.depth} containers deep")
    if len(document.data) > budget.limits.bytes:
        return document.unread(Why.TOO_LARGE, f"larger than {budget.limits.bytes} bytes")
    return None


def _read(document: Document, budget: Budget, number: int) -> Pieces:
    """What the document's format yields; whatever ends it early is an Unscannable followed by salvage."""
    form: Format | None = None
    try:
        form = format_for(document.media_type)
        if form is None:
            raise Unreadable(Why.UNSUPPORTED, document.media_type)
        if form.risky or (form.risky_with_ocr and budget.ocr is not None):
            budget.enter(number)
        yield from form.read(document, budget)
        return
    except Exhausted:
        raise
    except Unreadable as error:
        end = document.unread(error.why, error.detail)
    except MemoryError:
        end = document.unread(Why.TOO_LARGE, f"{_name(form)}: out of memory")
    except Exception as error:  # noqa: BLE001 - a fault of a parser must not make the document look clean
        # The error's own text may quote the document, so only its kind is told.
        _log.warning("a format failed", format=_name(form), error=type(error).__name__)
        end = document.unread(Why.CRASHED, f"{_name(form)}: {type(error).__name__}")
    yield end
    yield from _strings(document, budget)


def _name(form: Format | None) -> str:
    return form.name if form else "identification"


def _named(document: Document) -> Iterator[Part]:
    if document.name:
        yield Part(text=document.name, trail=document.trail, zone=Zone.FILENAME)


def _strings(document: Document, budget: Budget) -> Iterator[Part]:
    return document.parts(_ticking(document.data[: budget.limits.bytes], budget), zone=Zone.RAW)


def _ticking(data: bytes | memoryview, budget: Budget) -> Iterator[str]:
    for run in strings(data):
        budget.tick()
        yield run
