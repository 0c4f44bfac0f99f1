"""gzip (RFC 1952): one document inside, named after the file."""

import gzip
import zlib

from dlp.extract.budget import Budget
from dlp.extract.document import Document
from dlp.extract.expand import expanded
from dlp.extract.format import Format, Pieces


def read(document: Document, budget: Budget) -> Pieces:
    """The concatenated members as one document."""
    errors = (gzip.BadGzipFile, EOFError, zlib.error, OSError)
    return expanded(document, budget, gzip.GzipFile(fileobj=document.open()), errors)


FORMAT = Format(name="gzip", media_types=("application/gzip",), read=read)
