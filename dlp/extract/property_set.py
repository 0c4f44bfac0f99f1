"""Property sets ([MS-OLEPS], [MS-OSHARED] 2.3.3): the summaries of Office documents and the properties that users define.

Sensitivity labels (`MSIP_Label_…`) are user-defined properties. Strings are in the set's own code page, which older
Chinese programs state wrongly: a value that reads as another encoding is given in both.
"""

import re
import struct
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from dlp.extract.budget import Budget
from dlp.extract.charset import decode, detect
from dlp.extract.strings import strings

_SUMMARY = bytes.fromhex("e0859ff2f94f6810ab9108002b27b3d9")
_DOCUMENT = bytes.fromhex("02d5cdd59c2e1b10939708002b2cf9ae")
_NAMES = {
    _SUMMARY: {
        2: "Title",
        3: "Subject",
        4: "Author",
        5: "Keywords",
        6: "Comments",
        7: "Template",
        8: "Last saved by",
        17: "Thumbnail",
        18: "Application",
    },
    _DOCUMENT: {
        2: "Category",
        3: "Presentation format",
        13: "Parts",
        14: "Manager",
        15: "Company",
        26: "Content type",
        27: "Status",
        28: "Language",
        29: "Version",
    },
}
"""[MS-OSHARED] 2.3.3.2.1.1 and 2.3.3.2.2.1. What else these two sets hold are counts and switches."""
_DICTIONARY, _CODE_PAGE = 0, 1
_I2, _I4, _R4, _R8, _CY, _DATE, _BSTR, _BOOL, _VARIANT = 2, 3, 4, 5, 6, 7, 8, 11, 12
_LPSTR, _LPWSTR, _FILETIME, _BLOB, _CLIPBOARD, _VECTOR = 0x1E, 0x1F, 0x40, 0x41, 0x47, 0x1000
_NUMBERS = {
    _I2: "<h",
    _I4: "<i",
    _R4: "<f",
    _R8: "<d",
    0x10: "<b",
    0x11: "<B",
    0x12: "<H",
    0x13: "<I",
    0x14: "<q",
    0x15: "<Q",
    0x16: "<i",
    0x17: "<I",
}
"""[MS-OLEPS] 2.15."""
_PAGES = {
    1200: "utf-16-le",
    1201: "utf-16-be",
    10000: "mac-roman",
    10001: "cp932",
    10002: "big5",
    10008: "gb18030",
    20936: "gb18030",
}
_PAGES |= {28591: "latin-1", 54936: "gb18030", 65001: "utf-8", 20866: "koi8-r"}
_ASCII = frozenset({*(f"cp125{last}" for last in range(9)), "cp936", "cp950", "utf-8"})
"""Encodings whose first half is ASCII, those of nearly all sets."""
_METAFILE, _ENHANCED = 3, 14
"""Clipboard formats of a thumbnail."""
_PLAIN_RECORD, _PLAIN_TEXT = struct.Struct("<IH"), {0x0521, 0x0A32}
_ENHANCED_RECORD, _ENHANCED_TEXT = struct.Struct("<II"), {83, 84, 96, 97, 108}
"""Layout of a metafile's records, and the functions that draw text."""
_DEEPEST = 3
"""Vectors of variants of vectors."""
_MOST = 10_000
"""Properties of a set, and elements of a vector, that are read."""
# UTF-16 without control characters, zeros at its end.
_WORDS = re.compile(rb"(?:[\t\n\r\x20-\xff]\x00|[\x00-\xff][\x01-\xd7\xe0-\xff])+(?:\x00\x00)*")
_EPOCH = datetime(1601, 1, 1, tzinfo=UTC)


class PropertySet:
    """What one stream holds, read as far as it goes: `lines` are "name: value", `thumbnail` a metafile of the first page.

    `damage` says whether the stream is not what it states.
    """

    def __init__(self, data: bytes, budget: Budget) -> None:
        self.lines: list[str] = []
        self.thumbnail = b""
        self.damage = False
        self._data = data
        self._budget = budget
        self._encoding = "cp1252"
        try:
            for fmtid, start in self._sets():
                self._set(fmtid, start)
        except (struct.error, ValueError, OverflowError):
            self.damage = True

    def _sets(self) -> Iterator[tuple[bytes, int]]:
        """Format identifier and place of each set (2.21)."""
        if self._data[:2] != b"\xfe\xff":
            raise ValueError("no property set")
        (count,) = struct.unpack_from("<I", self._data, 24)
        for number in range(min(count, 2)):
            fmtid, start = struct.unpack_from("<16sI", self._data, 28 + 20 * number)
            yield fmtid, start

    def _set(self, fmtid: bytes, start: int) -> None:
        (count,) = struct.unpack_from("<I", self._data, start + 4)
        count = min(count, _MOST, (len(self._data) - start - 8) // 8)
        places = dict(struct.iter_unpack("<II", self._data[start + 8 : start + 8 + 8 * count]))
        if _CODE_PAGE in places:
            (page,) = struct.unpack_from("<H", self._data, start + places[_CODE_PAGE] + 4)
            self._encoding = _PAGES.get(page, f"cp{page}")
        known = _NAMES.get(fmtid)
        names = known if known is not None else self._dictionary(start + places[_DICTIONARY]) if _DICTIONARY in places else {}
        for number, place in places.items():
            self._budget.tick()
            name = names.get(number)
            if number in (_DICTIONARY, _CODE_PAGE) or (known is not None and name is None):
                continue
            try:
                values, _ = self._typed(start + place, 0)
            except (struct.error, ValueError, OverflowError):
                self.damage = True
                continue
            words = dict.fromkeys(value for value in values if value and not value.isspace())
            self.lines += [f"{name}: {value}\n" if name else f"{value}\n" for value in words]

    def _dictionary(self, at: int) -> dict[int, str]:
        """The names of user-defined properties (2.17)."""
        (count,) = struct.unpack_from("<I", self._data, at)
        at += 4
        names: dict[int, str] = {}
        wide = self._encoding.startswith("utf-16")
        for _ in range(min(count, _MOST)):
            number, length = struct.unpack_from("<II", self._data, at)
            size = 2 * length if wide else length
            raw = self._data[at + 8 : at + 8 + size]
            names[number] = self._text(raw)
            at += 8 + size + (-size % 4 if wide else 0)
        return names

    def _typed(self, at: int, depth: int) -> tuple[list[str], int]:
        """The values of the typed property at `at`, and the place behind it (2.15)."""
        (kind,) = struct.unpack_from("<H", self._data, at)
        if kind & _VECTOR:
            return self._vector(kind & 0xFFF, at + 4, depth)
        return self._value(kind, at + 4)

    def _vector(self, kind: int, at: int, depth: int) -> tuple[list[str], int]:
        (count,) = struct.unpack_from("<I", self._data, at)
        at += 4
        values: list[str] = []
        for _ in range(min(count, _MOST) if depth < _DEEPEST else 0):
            self._budget.tick()
            if kind == _LPSTR and at % 4 and not self._plausible(at):
                at += -at % 4  # Office does not align the strings of a vector, others do ([MS-OSHARED] 2.3.3.1.5)
            found, at = self._typed(at, depth + 1) if kind == _VARIANT else self._value(kind, at)
            values += found
        return values, at

    def _plausible(self, at: int) -> bool:
        (size,) = struct.unpack_from("<I", self._data, at)
        return bool(0 < size <= len(self._data) - at - 4)

    def _value(self, kind: int, at: int) -> tuple[list[str], int]:
        if kind in _NUMBERS:
            (number,) = struct.unpack_from(_NUMBERS[kind], self._data, at)
            return [str(number)], at + max(struct.calcsize(_NUMBERS[kind]), 4)
        if kind == _BOOL:
            return ["true" if struct.unpack_from("<H", self._data, at)[0] else "false"], at + 4
        if kind == _FILETIME:
            (ticks,) = struct.unpack_from("<Q", self._data, at)
            return [(_EPOCH + timedelta(microseconds=ticks // 10)).isoformat()] if ticks else [], at + 8
        if kind in (_LPSTR, _BSTR, _LPWSTR, _BLOB, _CLIPBOARD):
            return self._counted(kind, at)
        if kind in (_CY, _DATE):
            return [], at + 8
        return [], at

    def _counted(self, kind: int, at: int) -> tuple[list[str], int]:
        """A value that begins with its length: a string, a blob, the picture on a clipboard."""
        (size,) = struct.unpack_from("<I", self._data, at)
        size = 2 * size if kind == _LPWSTR else size
        raw = self._data[at + 4 : at + 4 + size]
        if len(raw) < size:
            self.damage = True
        end = at + 4 + size
        if kind == _LPWSTR:
            return [_ended(raw.decode("utf-16-le", "replace"))], end + -size % 4
        if kind == _BLOB:
            return self._blob(raw, at + 4), end + -size % 4
        if kind == _CLIPBOARD:
            self.thumbnail = self.thumbnail or _picture(raw)
            return [], end + -size % 4
        return self._readings(raw), end

    def _blob(self, raw: bytes, at: int) -> list[str]:
        """The strings of a blob: the targets of hyperlinks (2.3.3.1.18), one string, or what looks like one."""
        if _WORDS.fullmatch(raw):
            return [_ended(raw.decode("utf-16-le", "replace"))]
        values: list[str] = []
        try:
            (count,) = struct.unpack_from("<I", raw)
            at += 4
            for _ in range(min(count, _MOST)):
                found, at = self._typed(at, _DEEPEST)
                values += [value for value in found if not value.lstrip("-").isdigit()]
        except (struct.error, ValueError, OverflowError):
            return [_ended(run) for run in strings(raw)]
        return values

    def _readings(self, raw: bytes) -> list[str]:
        text = self._text(raw)
        if raw.isascii() or not self._encoding.startswith("cp125"):
            return [text]
        other = detect(raw.rstrip(b"\0"))
        return [text, _ended(decode(raw, other))] if other in ("utf-8", "gb18030", "big5hkscs") else [text]

    def _text(self, raw: bytes) -> str:
        plain = raw.isascii() and self._encoding in _ASCII
        return _ended(raw.decode("ascii") if plain else decode(raw, self._encoding))


def _ended(text: str) -> str:
    return text.split("\0", 1)[0].strip()


def _picture(data: bytes) -> bytes:
    """The metafile of a thumbnail ([MS-OSHARED] 2.3.3.1.13) if it draws text: as pixels it is too small to be read."""
    if len(data) < 16 or data[:4] != b"\xff\xff\xff\xff":
        return b""
    kind = int.from_bytes(data[4:8], "little")
    if kind == _METAFILE:
        metafile = data[16:]  # behind a METAFILEPICT of 16-bit Windows
        return metafile if _draws(metafile, 18, _PLAIN_RECORD, unit=2) & _PLAIN_TEXT else b""
    if kind == _ENHANCED:
        metafile = data[8:]
        return metafile if _draws(metafile, 0, _ENHANCED_RECORD, unit=1) & _ENHANCED_TEXT else b""
    return b""


def _draws(metafile: bytes, at: int, record: struct.Struct, *, unit: int) -> set[int]:
    """The functions of a metafile's records ([MS-WMF] 2.3, [MS-EMF] 2.3), sizes being in `unit` bytes."""
    found: set[int] = set()
    for _ in range(_MOST):
        if at + record.size > len(metafile):
            break
        first, second = record.unpack_from(metafile, at)
        size, function = (first, second) if record is _PLAIN_RECORD else (second, first)
        found.add(function)
        at += max(size * unit, record.size)
    return found
