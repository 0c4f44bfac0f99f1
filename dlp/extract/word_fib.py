"""The file information block of Word 6 to 2003 ([MS-DOC] 2.5): where in its streams everything stands."""

import struct
from enum import IntEnum

from dlp.extract.budget import Unreadable
from dlp.model import Why

_SIGNATURES = (0xA5EC, 0xA5DC, 0xA697, 0xA698, 0xA699)
"""Word 97 and its successors; Word 6 and 95; those of East Asian Word 6 and 95."""
_WORD_97 = 0x6A
"""Versions from here on have a table stream and text in Unicode; Word 6 writes 101, Word 95 104, Word 97 193."""
_OLDEST = 100
_WORD_6_PAIRS, _WORD_6_COUNTS = 0x58, 0x34
_STORIES = 8


class Place(IntEnum):
    """Numbers of the pairs of offset and length (2.5.6); the first 60 are those of Word 6 as well."""

    HEADERS = 11
    CHARACTERS = 12
    BOOKMARKS = 21
    ASSOCIATED = 32
    PIECES = 33
    AUTOSAVED = 35
    COMMENTERS = 36
    FORM_FIELDS = 45
    DRAWINGS = 50
    AUTHORS = 51
    CAPTIONS = 52
    VARIABLES = 60
    ROUTING = 70
    SAVED_BY = 71
    FILES = 72
    LISTS = 73
    GLOSSARY = 9


class Fib:
    """One block. `counts` are the characters of the eight stories, `ansi` says that the text is bytes in a code page."""

    def __init__(self, stream: bytes, at: int = 0) -> None:
        """Raises Unreadable(corrupt, unsupported) where no document begins at `at`."""
        if len(stream) < at + 0xA0:
            raise Unreadable(Why.CORRUPT, "the document is cut short")
        signature, self.version, self.language, self._next, flags = struct.unpack_from("<HH2xHHH", stream, at)
        if signature not in _SIGNATURES:
            raise Unreadable(Why.CORRUPT, "not a document of Word")
        if self.version < _OLDEST:
            raise Unreadable(Why.UNSUPPORTED, "a document older than Word 6")
        self.ansi = self.version < _WORD_97
        self.template = bool(flags & 0x0001)
        self.fast_saved = bool(flags & 0x0004)
        self.encrypted = bool(flags & 0x0100)
        self.table = "1Table" if flags & 0x0200 else "0Table"
        self.wide = bool(flags & 0x1000)
        self.first, self.end = struct.unpack_from("<II", stream, at + 0x18)
        self._stream = stream
        counts, self._pairs, self._count = self._layout(at)
        known = stream[counts : counts + 4 * _STORIES]
        self.counts = [max(count, 0) for (count,) in struct.iter_unpack("<i", known[: len(known) // 4 * 4])]

    @property
    def glossary(self) -> int:
        """Where the block of a template's building blocks stands; 0 for none (2.5.2, pnNext)."""
        return 512 * self._next if self.template else 0

    def place(self, place: Place) -> tuple[int, int]:
        """Offset and length of something in the table stream; (0, 0) where this version does not know of it."""
        if place >= self._count:
            return 0, 0
        at = self._pairs + 8 * place
        if at + 8 > len(self._stream):
            return 0, 0
        offset, length = struct.unpack_from("<II", self._stream, at)
        return offset, length

    def of(self, table: bytes, place: Place) -> bytes:
        """What `table` holds of something, b"" for nothing."""
        offset, length = self.place(place)
        return table[offset : offset + length]

    def _layout(self, at: int) -> tuple[int, int, int]:
        """Where the counts of characters and the pairs stand, and how many pairs there are (2.5.1)."""
        if self.ansi:
            return at + _WORD_6_COUNTS, at + _WORD_6_PAIRS, Place.COMMENTERS
        (words,) = struct.unpack_from("<H", self._stream, at + 0x20)
        longs_at = at + 0x22 + 2 * words
        if words > 64 or longs_at + 2 > len(self._stream):
            raise Unreadable(Why.CORRUPT, "the document's first block is damaged")
        (longs,) = struct.unpack_from("<H", self._stream, longs_at)
        pairs_at = longs_at + 2 + 4 * longs
        if longs > 64 or pairs_at + 2 > len(self._stream):
            raise Unreadable(Why.CORRUPT, "the document's first block is damaged")
        (pairs,) = struct.unpack_from("<H", self._stream, pairs_at)
        return longs_at + 2 + 12, pairs_at + 2, pairs
