"""compress (.Z, ncompress 4.2): one document inside, named after the file.

libarchive has a reader, but only behind its guessing, which goes on through compressed data inside compressed data.
"""

from collections.abc import Iterator

from dlp.extract.budget import CHUNK, Budget, Unreadable
from dlp.extract.document import Document
from dlp.extract.expand import expanded
from dlp.extract.format import Format, Pieces
from dlp.model import Why

_BITS, _BLOCKS = 0x1F, 0x80
_CLEAR = 256
_GROUP = 8
"""Codes that are packed together: when their width changes, the rest of a group is padding."""


def read(document: Document, budget: Budget) -> Pieces:
    """The document inside, as far as it can be read."""
    return expanded(document, budget, _Expanded(memoryview(document.data), budget))


class _Expanded:
    """The expanded bytes as a stream."""

    def __init__(self, data: memoryview, budget: Budget) -> None:
        self._chunks = _chunks(data, budget)
        self._kept = b""

    def read(self, size: int, /) -> bytes:
        """Raises Unreadable(corrupt), Exhausted."""
        if not self._kept:
            self._kept = next(self._chunks, b"")
        chunk, self._kept = self._kept[:size], self._kept[size:]
        return chunk


def _chunks(data: memoryview, budget: Budget) -> Iterator[bytes]:
    """LZW: each code is a byte, or the string of an earlier code and one more byte."""
    flags = data[2] if len(data) > 2 else 0
    widest, blocks = flags & _BITS, bool(flags & _BLOCKS)
    if not 9 <= widest <= 16:
        raise Unreadable(Why.CORRUPT, "not a readable compressed file")
    first = [bytes((byte,)) for byte in range(256)] + ([b""] if blocks else [])
    table, last = list(first), b""
    out: list[bytes] = []
    size = 0
    for code in _codes(data, table, widest=widest, blocks=blocks):
        if code == _CLEAR and blocks:
            table[:] = first
            last = b""
            continue
        if code < len(table):
            found = table[code]
        elif code == len(table) and last:
            found = last + last[:1]
        else:
            yield b"".join(out)
            raise Unreadable(Why.CORRUPT, "the compressed data is damaged")
        if last and len(table) < 1 << widest:
            table.append(last + found[:1])
        last = found
        out.append(found)
        size += len(found)
        if size >= CHUNK:
            budget.tick()
            yield b"".join(out)
            out, size = [], 0
    yield b"".join(out)


def _codes(data: memoryview, table: list[bytes], *, widest: int, blocks: bool) -> Iterator[int]:
    """The codes, as wide as the growing `table` needs; after a change of width or a clearing a new group begins."""
    at, width = 3, 9
    while at < len(data):
        group = int.from_bytes(data[at : at + width], "little")
        count = min(_GROUP, 8 * (len(data) - at) // width)
        mask = (1 << width) - 1
        at += width
        for index in range(count):
            code = group >> (index * width) & mask
            yield code
            if code == _CLEAR and blocks:
                width = 9
                break
            if len(table) >= 1 << width and width < widest:
                width += 1
                break


FORMAT = Format(name="compress", media_types=("application/x-compress",), read=read)
