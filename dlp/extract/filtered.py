"""Single compressed files that libarchive reads: zstd (RFC 8878), LZ4 frames, lzip."""

from dlp.extract.budget import Budget, Unreadable
from dlp.extract.document import Document
from dlp.extract.expand import expanded
from dlp.extract.format import Format, Pieces
from dlp.extract.unarchive import Unarchiver
from dlp.model import Why

_FILTERS = {
    "application/zstd": "zstd",
    "application/x-lz4": "lz4",
    "application/x-lzip": "lzip",
}

_EMPTY = 64
"""Bytes of a file that holds nothing, at the most: an empty member of lzip has 36."""


def read(document: Document, budget: Budget) -> Pieces:
    """The concatenated frames as one document; through one filter only, whatever they hold."""
    with Unarchiver(document.data, formats=["raw", "empty"], filtered=_FILTERS[document.media_type]) as archive:
        for _ in archive.entries():
            yield from expanded(document, budget, archive)
            return
    # Data of which nothing can be expanded looks like data that expands to nothing.
    if len(document.data) > _EMPTY:
        raise Unreadable(Why.CORRUPT, "the compressed data is damaged")


FORMAT = Format(name="filtered", media_types=tuple(_FILTERS), read=read, risky=True)
