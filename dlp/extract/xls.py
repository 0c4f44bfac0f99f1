"""Excel's binary workbooks ([MS-XLS]: BIFF8, and BIFF2 to 5 before it) and Kingsoft's .et, which are the same.

The newer ones are a stream in a compound file, the oldest are bare records. Every substream is read wherever it
stands, whether or not the workbook lists it as a sheet.
"""

from itertools import islice

from dlp.extract.biff import Stream
from dlp.extract.budget import Budget, Exhausted, Unreadable
from dlp.extract.compound import MAGIC, Compound
from dlp.extract.document import Document
from dlp.extract.format import Format, Pieces
from dlp.extract.ole import other_streams
from dlp.extract.passwords import OPENED
from dlp.extract.strings import strings
from dlp.extract.unlock import unlocked
from dlp.extract.workbook import Workbook, cached
from dlp.model import Why, Zone

_WORKBOOKS = ("Workbook", "Book")
"""BIFF8's and BIFF5's; a file for both generations of Excel has both."""
_LOGS = ("Revision Log", "User Names", "Ctls", "XCB", "ETExtData")
"""Changes to a shared workbook and who shares it ([MS-XLS] 2.1.7.18 and 19), controls, tool bars, Kingsoft's extensions: all are
searched for strings."""
_OWN = frozenset(name.lower() for name in (*_WORKBOOKS, *_LOGS))
_PIVOT_CACHES = frozenset({"_SX_DB_CUR", "_SX_DB"})
_FILEPASS = 0x2F
_FIRST = 16
"""Records among which FILEPASS stands where there is one: it comes before anything encrypted ([MS-XLS] 2.1.7.20.3)."""


def read(document: Document, budget: Budget) -> Pieces:
    """The sheets, then the rest of the workbook, then the other streams. Raises Unreadable where a workbook is none."""
    if bytes(document.data[:8]) != MAGIC:
        yield from _workbook(document, bytes(document.data), budget)
        return
    compound = Compound(document.data, budget)
    books = [path for path in map(compound.find, _WORKBOOKS) if path is not None]
    failed = None if books else Unreadable(Why.CORRUPT, "no workbook in it")
    for path in books:
        try:
            yield from _workbook(document, compound.read(path), budget)
        except Exhausted:
            raise
        except Unreadable as error:
            failed = error
    yield from _others(document, compound, budget)
    if failed is not None:
        raise failed


def _others(document: Document, compound: Compound, budget: Budget) -> Pieces:
    for path in filter(None, map(compound.find, _LOGS)):
        try:
            yield from document.parts(strings(compound.read(path)), zone=Zone.HIDDEN, trail=path)
        except Exhausted:
            raise
        except Unreadable as error:
            yield document.unread(error.why, error.detail, trail=path)
    for piece in other_streams(document, compound, budget, read=_OWN):
        if isinstance(piece, Document) and _PIVOT_CACHES.intersection(piece.trail[len(document.trail) :][:1]):
            yield from document.parts(cached(bytes(piece.data), budget), zone=Zone.HIDDEN, trail=("pivot cache",))
        else:
            yield piece


def _workbook(document: Document, data: bytes, budget: Budget) -> Pieces:
    if not _protected(data, budget):
        yield from Workbook(document, budget, data).pieces()
    elif (plain := unlocked(document.data, budget)) is not None:
        yield document.nested(plain, name=None, label=OPENED)
    else:
        yield document.unread(Why.ENCRYPTED, "the workbook is encrypted")


def _protected(data: bytes, budget: Budget) -> bool:
    return any(kind == _FILEPASS for kind, _, _ in islice(Stream(data, budget), _FIRST))


FORMAT = Format(name="xls", media_types=("application/vnd.ms-excel",), read=read)
