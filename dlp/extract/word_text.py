"""The text of Word documents ([MS-DOC] 2.4.1): pieces put together, cut into stories, hidden runs and fields apart.

Positions are characters, that is units of UTF-16, of the whole text; so everything is cut as bytes and decoded last.
"""

import re
import struct
from bisect import bisect_right
from typing import NamedTuple

from dlp.extract.budget import Budget
from dlp.extract.charset import decode, detect
from dlp.extract.word_fib import Fib, Place
from dlp.model import Zone

STORIES = (Zone.BODY, Zone.NOTE, Zone.HEADER, Zone.HIDDEN, Zone.COMMENT, Zone.NOTE, Zone.TEXTBOX, Zone.TEXTBOX)
"""Main text, footnotes, headers and footers, macros, comments, endnotes, text boxes, those in headers (2.3)."""
_COMPRESSED = 0x40000000
_FOOTERS = (2, 3, 5)
"""Of six stories of a section: of even pages, odd pages, the first page (2.3.5)."""
_SEPARATORS = 6
_PAGE = 512
_OWED = 1 << 14
"""Bytes of pieces that are accounted for together."""
# A run that is hidden (sprmCFVanish, sprmCFSpecVanish) or deleted (sprmCFRMarkDel), with its value on (2.6.1).
_MARKED = re.compile(rb"[\x3c\x00\x18]\x08[\x01\x81]")
_MARKS = frozenset({0x083C, 0x0800, 0x0818})
_OPERANDS = {0: 1, 1: 1, 2: 2, 3: 4, 4: 2, 5: 2, 7: 3}
"""Bytes of an operand by the upper three bits of a property's number; 6 states its own (2.2.5.1)."""
_LONG = (0xD606, 0xD608)
_FIELD = re.compile("([\x13\x14\x15])")
# What else stands for something that is no character (2.4.1, 2.8.25), and what separates cells and rows.
_SHOWN = (
    ("\r", "\n"),
    ("\x07\x07", "\n"),
    ("\x07", "\t"),
    ("\x0b", "\n"),
    ("\x0c", "\n"),
    ("\x0e", "\n"),
    ("\x1e", "-"),
    ("\x1f", ""),
    ("\x01", ""),
    ("\x02", ""),
    ("\x03", ""),
    ("\x04", ""),
    ("\x05", ""),
    ("\x08", ""),
    ("\0", ""),
)
_STANDING = re.compile("[\x00-\x05\x07\x08\x0b-\x0e\x1e\x1f]")
_CODE_PAGES = {0x04: "gb18030", 0x11: "cp932", 0x12: "cp949", 0x19: "cp1251", 0x08: "cp1253", 0x1F: "cp1254", 0x0D: "cp1255"}
_CODE_PAGES |= {0x01: "cp1256", 0x05: "cp1250", 0x0E: "cp1250", 0x15: "cp1250", 0x22: "cp1251", 0x23: "cp1251", 0x1E: "cp874"}
_TRADITIONAL = (0x0404, 0x0C04, 0x1404)
"""Encodings by the primary language of Word 6 documents, whose bytes do not tell them."""


class Piece(NamedTuple):
    """Characters `start` to `end` - 1 of the text stand from byte `offset` of the main stream on, `width` bytes each."""

    start: int
    end: int
    offset: int
    width: int


class Story(NamedTuple):
    """One text with what in it is not shown: hidden and deleted runs, instructions of fields."""

    zone: Zone
    shown: str
    hidden: str


class Text:
    """The whole text of one document. `damage` says that pieces are missing."""

    def __init__(self, fib: Fib, stream: bytes, table: bytes, budget: Budget) -> None:
        self.damage = False
        self._fib, self._stream, self._table, self._budget = fib, stream, table, budget
        self._units: list[bytes] = []
        self.pieces: list[Piece] = []
        self._at = 0
        self._owed = 0
        self._take()
        self._settle()
        self._text = b"".join(self._units)
        self._gone = _merged(self._marked())

    def stories(self) -> list[Story]:
        """All of them, headers and footers one by one; what the counts leave over is body."""
        found: list[Story] = []
        at = 0
        for zone, count in zip(STORIES, self._fib.counts, strict=False):
            end = min(at + count, self._at)
            if zone is Zone.HEADER:
                found += self._headers(at, end)
            else:
                found.append(self._story(zone, at, end))
            at = end
        found.append(self._story(Zone.BODY, at, self._at))
        return found

    def _take(self) -> None:
        """The pieces in their order (2.8.35); without them the text is what lies between its stated ends."""
        clx = self._fib.of(self._table, Place.PIECES)
        at = 0
        while at + 3 <= len(clx) and clx[at] == 1:
            at += 3 + int.from_bytes(clx[at + 1 : at + 3], "little")
        plc = clx[at + 5 :] if clx[at : at + 1] == b"\2" else b""
        count = (len(plc) - 4) // 12
        if count < 1:
            self.damage = not self._fib.ansi
            wide = self._fib.wide and not self._fib.ansi
            size = max(min(self._fib.end, len(self._stream)) - self._fib.first, 0)
            self._piece(self._fib.first, size // 2 if wide else size, 2 if wide else 1)
            return
        starts = struct.unpack_from(f"<{count + 1}I", plc)
        descriptors = plc[4 * count + 4 : 12 * count + 4]
        for start, end, (offset,) in zip(starts, starts[1:], struct.iter_unpack("<2xI2x", descriptors), strict=False):
            narrow = self._fib.ansi or bool(offset & _COMPRESSED)
            if offset & _COMPRESSED:
                offset = (offset & ~_COMPRESSED) // 2
            self._piece(offset, max(end - start, 0), 1 if narrow else 2)

    def _piece(self, offset: int, count: int, width: int) -> None:
        raw = self._stream[offset : offset + count * width]
        if len(raw) < count * width:
            self.damage = True
            count = len(raw) // width
        self._owed += len(raw)
        if self._owed >= _OWED:
            self._settle()
        if self._fib.ansi:
            units = self._from_bytes(raw)
            count = len(units) // 2
        else:
            units = raw[: 2 * count] if width == 2 else _narrow(raw).encode("utf-16-le")
        if count:
            self._units.append(units)
            self.pieces.append(Piece(self._at, self._at + count, offset, width))
            self._at += count

    def _settle(self) -> None:
        """Account for what the pieces hold: there may be thousands of a few bytes."""
        self._budget.spend(self._owed)
        self._owed = 0

    def _from_bytes(self, raw: bytes) -> bytes:
        """Text of Word 6 in UTF-16, in the encoding that it shows or that its language suggests."""
        if raw.isascii():
            return raw.decode("ascii").encode("utf-16-le")
        language = self._fib.language
        likely = "big5hkscs" if language in _TRADITIONAL else _CODE_PAGES.get(language & 0x3FF, "cp1252")
        found = detect(re.sub(rb"[\x00-\x08\x0e-\x1f]", b" ", raw))
        if found in ("gb18030", "big5hkscs", "cp932") and likely in ("cp1252", "cp949"):
            likely = found
        return decode(raw, likely).encode("utf-16-le", "replace")

    def _headers(self, start: int, end: int) -> list[Story]:
        """The stories of the header document, of which the first six are separators of notes (2.8.22)."""
        plc = self._fib.of(self._table, Place.HEADERS)
        marks = [start + place for (place,) in struct.iter_unpack("<I", plc[: len(plc) // 4 * 4])][:-1]
        bounds = [mark for mark in marks if start <= mark <= end]
        if bounds != sorted(bounds) or not bounds:
            bounds = [start]
        found = []
        for number, (first, last) in enumerate(zip(bounds, [*bounds[1:], end], strict=True)):
            self._budget.tick()
            footer = number >= _SEPARATORS and (number - _SEPARATORS) % 6 in _FOOTERS
            found.append(self._story(Zone.FOOTER if footer else Zone.HEADER, first, last))
        return found

    def _story(self, zone: Zone, start: int, end: int) -> Story:
        if start >= end:
            return Story(zone, "", "")
        shown, hidden = [], []
        at = start
        for first, last in self._gone[max(bisect_right(self._gone, (start,)) - 1, 0) :]:
            first, last = max(first, at), min(last, end)
            if first >= end:
                break
            if first < last:
                shown.append(self._text[2 * at : 2 * first])
                hidden.append(self._text[2 * first : 2 * last])
                at = last
        shown.append(self._text[2 * at : 2 * end])
        text, instructions = _fields(b"".join(shown).decode("utf-16-le", "replace"))
        apart = "\n".join(_clean(run.decode("utf-16-le", "replace")) for run in hidden)
        return Story(zone, _clean(text), _clean(instructions) + apart)

    def _marked(self) -> list[tuple[int, int]]:
        """The ranges of hidden and deleted characters, from the pages of character properties (2.8.5, 2.9.34)."""
        if self._fib.ansi:
            return []
        plc = self._fib.of(self._table, Place.CHARACTERS)
        count = (len(plc) - 4) // 8
        if count < 1:
            return []
        places = _Places(self.pieces)
        found: list[tuple[int, int]] = []
        for number in struct.unpack_from(f"<{count}I", plc, 4 * count + 4):
            self._budget.tick()
            page = self._stream[_PAGE * (number & 0x3FFFFF) :][:_PAGE]
            if len(page) == _PAGE and _MARKED.search(page):
                for first, last in _marked_runs(page):
                    found += places.characters(first, last)
        return found


class _Places:
    """From bytes of the main stream to characters of the text."""

    def __init__(self, pieces: list[Piece]) -> None:
        self._pieces = sorted(pieces, key=lambda piece: piece.offset)
        self._offsets = [piece.offset for piece in self._pieces]

    def characters(self, first: int, last: int) -> list[tuple[int, int]]:
        """The characters whose bytes lie in `first` to `last` - 1."""
        found = []
        for piece in self._pieces[max(bisect_right(self._offsets, first) - 1, 0) : bisect_right(self._offsets, last)]:
            start, end = max(first - piece.offset, 0) // piece.width, (last - piece.offset) // piece.width
            start, end = piece.start + start, min(piece.start + end, piece.end)
            if start < end:
                found.append((start, end))
        return found


def _marked_runs(page: bytes) -> list[tuple[int, int]]:
    """First byte and last+1 of each run whose properties hide it."""
    count = page[-1]
    if 5 * count + 4 > _PAGE - 1:
        return []
    bounds = struct.unpack_from(f"<{count + 1}I", page)
    found = []
    for number, place in enumerate(page[4 * count + 4 : 5 * count + 4]):
        properties = page[2 * place + 1 : 2 * place + 1 + page[2 * place]] if place else b""
        if _MARKED.search(properties) and _hides(properties):
            found.append((bounds[number], bounds[number + 1]))
    return found


def _hides(properties: bytes) -> bool:
    at = 0
    while at + 3 <= len(properties):
        number = properties[at] | properties[at + 1] << 8
        if number in _MARKS and properties[at + 2] in (0x01, 0x81):
            return True
        kind = number >> 13
        if number in _LONG:
            at += 2 + int.from_bytes(properties[at + 2 : at + 4], "little") + 1
        else:
            at += 2 + (properties[at + 2] + 1 if kind == 6 else _OPERANDS[kind])
    return False


def _merged(ranges: list[tuple[int, int]]) -> list[tuple[int, int]]:
    merged: list[tuple[int, int]] = []
    for first, last in sorted(ranges):
        if merged and first <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(last, merged[-1][1]))
        else:
            merged.append((first, last))
    return merged


def _narrow(raw: bytes) -> str:
    """Text of one byte a character (2.4.1); ASCII is decoded several times faster as what it is."""
    return raw.decode("ascii") if raw.isascii() else raw.decode("cp1252", "replace")


def _fields(text: str) -> tuple[str, str]:
    """The text with the results of its fields, and their instructions (2.8.25)."""
    if "\x13" not in text:
        return text.replace("\x14", "").replace("\x15", ""), ""
    shown: list[str] = []
    apart: list[str] = []
    open_fields: list[bool] = []  # whether each is still in its instruction
    instructions = 0
    for mark in _FIELD.split(text):
        if mark == "\x13":
            open_fields.append(True)
            instructions += 1
        elif mark == "\x14" and open_fields and open_fields[-1]:
            open_fields[-1] = False
            instructions -= 1
        elif mark == "\x15" and open_fields:
            instructions -= open_fields.pop()
            if not instructions:
                apart.append("\n")
        elif mark not in ("\x14", "\x15"):
            (apart if instructions else shown).append(mark)
    return "".join(shown), "".join(apart)


def _clean(text: str) -> str:
    if _STANDING.search(text) is None:
        return text
    for char, shown in _SHOWN:
        if char in text:
            text = text.replace(char, shown)
    return text
