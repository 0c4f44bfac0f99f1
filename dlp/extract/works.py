"""The text of Works 5 to 8 documents and of Publisher's stories: a stream of chunks that begins with "CHNKINK ".

The layout is in no specification: behind a header stand entries of 24 bytes, each with the name of a chunk, its place and its
size; those named TEXT hold UTF-16.
"""

import struct
from collections.abc import Iterator

from dlp.extract.budget import Budget

MAGIC = b"CHNKINK "
_ENTRY = struct.Struct("<H4s10xII")
_ENTRIES_AT = 0x20
_MOST = 32_000
"""Entries that are read."""


def words(data: bytes, budget: Budget) -> Iterator[str]:
    """The texts of one stream, a line each; none where it has no such chunk."""
    (count,) = struct.unpack_from("<H", data.ljust(_ENTRIES_AT, b"\0"), 0x0C)
    for number in range(min(count, _MOST)):
        at = _ENTRIES_AT + _ENTRY.size * number
        if at + _ENTRY.size > len(data):
            return
        _, name, place, size = _ENTRY.unpack_from(data, at)
        if name == b"TEXT":
            text = data[place : place + size // 2 * 2].decode("utf-16-le", "replace")
            budget.spend(2 * len(text))
            yield text.replace("\r", "\n").replace("\0", "") + "\n"
