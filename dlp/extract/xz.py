"""xz and the older lzma container (.xz file format 1.2, LZMA SDK): one document inside, named after the file."""

import lzma

from dlp.extract.budget import Budget
from dlp.extract.document import Document
from dlp.extract.expand import Decompressor, Streams, expanded
from dlp.extract.format import Format, Pieces

_MAGIC = b"\xfd7zXZ\0"


def read(document: Document, budget: Budget) -> Pieces:
    """The concatenated streams as one document; of the older container there is one."""
    data = document.data

    def start(at: int) -> Decompressor | None:
        if at == 0 or data[at : at + 6] == _MAGIC:
            return lzma.LZMADecompressor()
        return None

    return expanded(document, budget, Streams(data, budget, start=start, errors=(lzma.LZMAError, EOFError, ValueError)))


FORMAT = Format(name="xz", media_types=("application/x-xz", "application/x-lzma"), read=read)
