"""Bytes of an archive that belong to no member: before, between and after them."""

import re

from dlp.extract.budget import Budget
from dlp.extract.document import Document
from dlp.extract.format import Pieces
from dlp.extract.sniff import OCTETS
from dlp.extract.strings import strings
from dlp.model import Zone

_LEAST = 17
"""Bytes that may hold something: more than a data descriptor (PKWARE APPNOTE 4.3.9) or padding."""
_CONTENT = re.compile(rb"[^\0]")


def leftover(document: Document, start: int, end: int, budget: Budget) -> Pieces:
    """A document inside where it is of a known kind, else its printable strings: an archive may be signed or padded there."""
    if end - start < _LEAST or _CONTENT.search(document.data, start, end) is None:
        return
    budget.tick()
    rest = document.nested(document.data[start:end], name=None, label="outside the members")
    if rest.media_type != OCTETS:
        yield rest
    else:
        yield from rest.parts(strings(rest.data), zone=Zone.RAW)
