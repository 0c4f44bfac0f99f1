"""Files inside files: what stands before, behind or between the bytes that a format accounts for.

A reader of one format stops at its end; a reader of another finds its own beginning further on. Both are right, and
whoever wants to hide something knows it.
"""

from collections.abc import Iterator

from dlp.extract.document import Document
from dlp.extract.format import Pieces
from dlp.extract.sniff import OCTETS
from dlp.extract.strings import strings
from dlp.model import Zone

PADDING = 64
"""Bytes outside a format that are taken for padding unless they are text."""
_HEADER = 1024
"""Bytes of no known kind that are taken for a wrapper's header, and only searched for text."""
_BLANK = b"\0\r\n\t \xff\x1a"
_DIRECTORY_END = 65_557
"""Bytes from the end of a file in which a ZIP's directory ends, a comment of full length behind it (PKWARE APPNOTE 4.3.16)."""


def around(document: Document, data: bytes, *, start: int, end: int, kind: str) -> Pieces:
    """What stands in `data` before `start` and after `end`, between which is a `kind` ("picture"), and a ZIP in between."""
    yield from _outside(document, data[:start], f"before the {kind}")
    directory = data.rfind(b"PK\x05\x06", max(start, len(data) - _DIRECTORY_END), end)
    archive = data.find(b"PK\x03\x04", start + 1, directory) if directory > 0 else -1
    if archive > 0:
        yield document.nested(data[archive:], name=None, label=f"inside the {kind}")
    yield from _outside(document, data[end:], f"after the {kind}")


def _outside(document: Document, data: bytes, label: str) -> Pieces:
    inked = data.strip(_BLANK)
    outside = document.nested(data.lstrip(_BLANK), name=None, label=label)
    if len(inked) > PADDING and (len(inked) > _HEADER or outside.media_type != OCTETS):
        yield outside
    else:
        yield from document.parts(_lines(inked), zone=Zone.RAW, trail=(label,))


def _lines(data: bytes) -> Iterator[str]:
    return strings(data) if data else iter(())
