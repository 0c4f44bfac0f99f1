"""RPM packages (RPM file format, version 3 and 4): the texts of the header, and the payload as a document inside."""

import struct
from collections.abc import Iterator
from itertools import pairwise

from dlp.extract.budget import Budget, Unreadable
from dlp.extract.charset import decode
from dlp.extract.document import Document
from dlp.extract.format import Format, Pieces
from dlp.model import Why, Zone

_LEAD = 96
_MAGIC = b"\x8e\xad\xe8\x01"
_STRINGS = (6, 8, 9)
"""A string, a list of strings, a string in several languages."""
_MOST = 10_000
"""Entries of a header."""


def read(document: Document, budget: Budget) -> Pieces:
    """Raises Unreadable(corrupt) where a header cannot be read."""
    data = memoryview(document.data)
    _, at = _header(data, _LEAD)
    texts, at = _header(data, -(-at // 8) * 8)
    yield from document.parts((f"{text}\n" for text in texts), zone=Zone.PROPERTY)
    budget.tick()
    if at >= len(data):
        yield document.unread(Why.CORRUPT, "the package is cut short")
    yield document.nested(document.data[at:], name="payload.cpio.gz")


def _header(data: memoryview, at: int) -> tuple[list[str], int]:
    """The strings of the header at `at`, and where it ends."""
    fixed = bytes(data[at : at + 16])
    if len(fixed) < 16 or not fixed.startswith(_MAGIC):
        raise Unreadable(Why.CORRUPT, "a header is damaged")
    count, size = struct.unpack_from(">LL", fixed, 8)
    begins = at + 16 + 16 * count
    if count > _MOST or begins + size > len(data):
        raise Unreadable(Why.CORRUPT, "a header is damaged")
    index = bytes(data[at + 16 : begins])
    store = bytes(data[begins : begins + size])
    return list(_texts(index, store)), begins + size


def _texts(index: bytes, store: bytes) -> Iterator[str]:
    """The strings of every entry that has some; an entry reaches to the next one."""
    entries = sorted((offset, kind) for _, kind, offset, _ in struct.iter_unpack(">LLLL", index))
    for (start, kind), (end, _) in pairwise([*entries, (len(store), 0)]):
        if kind in _STRINGS:
            yield from (decode(raw, None) for raw in store[start:end].split(b"\0") if raw)


FORMAT = Format(name="rpm", media_types=("application/x-rpm",), read=read)
