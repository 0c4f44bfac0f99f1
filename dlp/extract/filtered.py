"""Single compressed files that libarchive reads: zstd (RFC 8878), LZ4 frames, lzip, compress (.Z)."""

from dlp.extract.budget import Budget
from dlp.extract.document import Document
from dlp.extract.expand import expanded
from dlp.extract.format import Format, Pieces
from dlp.extract.unarchive import Unarchiver

_FILTERS = {
    "application/zstd": "zstd",
    "application/x-lz4": "lz4",
    "application/x-lzip": "lzip",
    "application/x-compress": "compress",
}


def read(document: Document, budget: Budget) -> Pieces:
    """The concatenated frames as one document; through one filter only, whatever they hold."""
    with Unarchiver(document.data, formats=["raw", "empty"], filtered=_FILTERS[document.media_type]) as archive:
        for _ in archive.entries():
            yield from expanded(document, budget, archive)


FORMAT = Format(name="filtered", media_types=tuple(_FILTERS), read=read, risky=True)
