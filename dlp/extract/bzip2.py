"""bzip2: one document inside, named after the file."""

import bz2

from dlp.extract.budget import Budget
from dlp.extract.document import Document
from dlp.extract.expand import expanded
from dlp.extract.format import Format, Pieces


def read(document: Document, budget: Budget) -> Pieces:
    """The concatenated streams as one document."""
    return expanded(document, budget, bz2.BZ2File(document.open()), (OSError, EOFError, ValueError))


FORMAT = Format(name="bzip2", media_types=("application/x-bzip2",), read=read)
