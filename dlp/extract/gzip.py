"""gzip (RFC 1952): one document inside, named after the file or as the header says; the header's comment."""

import struct
import zlib

from dlp.extract.budget import Budget
from dlp.extract.charset import decode
from dlp.extract.document import Document
from dlp.extract.expand import Decompressor, Inflater, Streams, expanded
from dlp.extract.format import Format, Pieces
from dlp.model import Zone

_MAGIC = b"\x1f\x8b\x08"
_EXTRA, _NAME, _COMMENT = 0x04, 0x08, 0x10
_FIELD = 4096
"""Bytes of a name or comment that are read."""


def read(document: Document, budget: Budget) -> Pieces:
    """The concatenated members as one document."""
    data = document.data

    def start(at: int) -> Decompressor | None:
        return Inflater(16 + zlib.MAX_WBITS) if data[at : at + 3] == _MAGIC else None

    extra, name, comment = _header(bytes(data[: (1 << 16) + 2 * _FIELD]))
    for text in (extra, comment):
        yield from document.parts([text], zone=Zone.COMMENT)
    yield from expanded(document, budget, Streams(data, budget, start=start, errors=(EOFError, zlib.error)), name=name or None)


def _header(head: bytes) -> tuple[str, str, str]:
    """The extra field, the name and the comment of the first member (RFC 1952, 2.3.1)."""
    flags, at, extra = head[3] if len(head) > 3 else 0, 10, b""
    if flags & _EXTRA and len(head) >= 12:
        (size,) = struct.unpack_from("<H", head, at)
        extra, at = head[at + 2 : at + 2 + size], at + 2 + size
    texts = [decode(extra, None) if extra.isascii() else ""]
    for flag in (_NAME, _COMMENT):
        raw = head[at : at + _FIELD].split(b"\0", 1)[0] if flags & flag else b""
        at += len(raw) + 1 if flags & flag else 0
        texts.append(decode(raw, None))
    return texts[0], texts[1], texts[2]


FORMAT = Format(name="gzip", media_types=("application/gzip",), read=read)
