"""bzip2: one document inside, named after the file."""

import bz2

from dlp.extract.budget import Budget
from dlp.extract.document import Document
from dlp.extract.expand import Decompressor, Streams, expanded
from dlp.extract.format import Format, Pieces


def read(document: Document, budget: Budget) -> Pieces:
    """The concatenated streams as one document."""
    data = document.data

    def start(at: int) -> Decompressor | None:
        return bz2.BZ2Decompressor() if data[at : at + 3] == b"BZh" else None

    return expanded(document, budget, Streams(data, budget, start=start, errors=(OSError, EOFError, ValueError)))


FORMAT = Format(name="bzip2", media_types=("application/x-bzip2",), read=read)
