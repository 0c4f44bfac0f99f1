"""xz and the older lzma container: one document inside, named after the file."""

import lzma

from dlp.extract.budget import Budget
from dlp.extract.document import Document
from dlp.extract.expand import expanded
from dlp.extract.format import Format, Pieces


def read(document: Document, budget: Budget) -> Pieces:
    """The concatenated streams as one document."""
    return expanded(document, budget, lzma.LZMAFile(document.open()), (lzma.LZMAError, EOFError, OSError, ValueError))


FORMAT = Format(name="xz", media_types=("application/x-xz", "application/x-lzma"), read=read)
