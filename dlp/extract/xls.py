"""Excel's binary workbooks ([MS-XLS]: BIFF8, and BIFF2 to 5 before it) and Kingsoft's .et, which are the same.

The newer ones are a stream in a compound file, the oldest are bare records. Every substream is read wherever it
stands, whether or not the workbook lists it as a sheet.
"""

from itertools import islice

from dlp.extract.biff import Stream
from dlp.extract.budget import Budget, Unreadable
from dlp.extract.compound import MAGIC, Compound
from dlp.extract.document import Document
from dlp.extract.format import Format, Pieces
from dlp.extract.passwords import OPENED
from dlp.extract.unlock import unlocked
from dlp.extract.workbook import Workbook
from dlp.model import Why

_FILEPASS = 0x2F
_FIRST = 16
"""Records among which FILEPASS stands where there is one: it comes before anything encrypted ([MS-XLS] 2.1.7.20.3)."""


def read(document: Document, budget: Budget) -> Pieces:
    """The sheets, then the rest of the workbook, then the other streams."""
    if bytes(document.data[:8]) != MAGIC:
        yield from _stream(document, bytes(document.data), budget)
        return
    compound = Compound(document.data, budget)
    for name in ("Workbook", "Book"):
        path = compound.find(name)
        if path is not None:
            yield from _stream(document, compound.read(path), budget)


def _stream(document: Document, data: bytes, budget: Budget) -> Pieces:
    if _protected(data, budget):
        plain = unlocked(document.data, budget)
        if plain is None:
            raise Unreadable(Why.ENCRYPTED, "the workbook is encrypted")
        yield document.nested(plain, name=None, label=OPENED)
        return
    yield from Workbook(document, budget, data).pieces()


def _protected(data: bytes, budget: Budget) -> bool:
    return any(kind == _FILEPASS for kind, _, _ in islice(Stream(data, budget), _FIRST))


FORMAT = Format(name="xls", media_types=("application/vnd.ms-excel",), read=read)
