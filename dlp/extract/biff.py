"""BIFF, the records of Excel's binary workbooks ([MS-XLS] 2.1.4 for BIFF8, and the generations before it): framing and strings.

A record is a number, a size and that many bytes; what does not fit goes on in CONTINUE records. Texts are UTF-16 or
its lower bytes in BIFF8, bytes in a code page before. Damage shortens a text and loses no other.
"""

import re
import struct
from collections.abc import Callable, Iterator, Sequence

from dlp.extract.budget import Budget
from dlp.extract.charset import detect, known
from dlp.extract.strings import strings

EOF, CONTINUE, CODEPAGE = 0x0A, 0x3C, 0x42
LABEL, RSTRING, BOUNDSHEET = 0x204, 0xD6, 0x85
_BOFS = frozenset({0x09, 0x209, 0x409, 0x809})
_FIRST = tuple(struct.pack("<H", kind) for kind in _BOFS)
_BEGINNING = re.compile(
    rb"(?s)\x09(?:\x08[\x04-\x20]\x00.[\x00-\x06]|[\x00\x02\x04][\x04-\x10]\x00..[\x05\x06\x10\x20\x40\x00][\x00\x01])"
)
_HEADER = struct.Struct("<HH").unpack_from
_REAL = struct.Struct("<d").unpack
_UNSIGNED = struct.Struct("<Q").pack
_EVERY = 0xFF
"""The clock is asked once in so many records and one."""
_SAMPLE = 1 << 16
_RICH, _EXTENDED = 0x08, 0x04
# Lengths and texts that are too short for the search for runs of printable characters.
_SHORT = re.compile(rb"(?s)([\x02-\x05])\x00(?:\x00([\x20-\x7e\xa0-\xff]{2,5})|\x01((?:.[\x30\x4e-\x9f\xff]){2,5}))")
_PART_ID = re.compile(r"rId\d+$")
_SHORT_PACKAGED = re.compile(rb"(?s)([\x02-\x05])\x00\x00\x00()((?:.[\x30\x4e-\x9f\xff]){2,5})")
_CONSTANT = re.compile(rb"(?s)\x17([\x01-\xff])([\x00\x01])")
_PACKAGED_CONSTANT = re.compile(rb"(?s)\x17([\x01-\xff])(\x00)")
_OLD_CONSTANT = re.compile(rb"(?s)\x17([\x02-\xff])")
_PAGES = {
    367: "ascii",
    1200: "utf-16-le",
    10_000: "mac_roman",
    32_768: "mac_roman",
    32_769: "cp1252",
    936: "gb18030",
    950: "big5",
}
"""CODEPAGE's own numbers (OpenOffice.org's documentation of the format, 5.17); all others are Windows code pages."""

ERRORS = {0x00: "#NULL!", 0x07: "#DIV/0!", 0x0F: "#VALUE!", 0x17: "#REF!", 0x1D: "#NAME?", 0x24: "#NUM!", 0x2A: "#N/A"}
"""[MS-XLS] 2.5.10."""
Record = tuple[int, bytes, Sequence[bytes]]
"""A record's number, its data, and the data of the CONTINUE records behind it."""


class Stream:
    """A workbook's records. `began` is where the last substream begins; `damaged` says at the end whether one is cut off.

    `passed` is what stands between substreams, where Excel does not look.

    A `headless` stream has records from its first byte on, without a BOF.
    """

    def __init__(self, data: bytes, budget: Budget, *, headless: bool = False) -> None:
        self.data = data
        self.damaged = False
        self.began = 0
        self.passed: list[bytes] = []
        self._budget = budget
        self._first = 0 if headless or data[:2] in _FIRST else self._next_beginning(0)

    def __iter__(self) -> Iterator[Record]:
        """Every record of every substream; what stands between two substreams is passed over."""
        data, count, depth = self.data, 0, 0
        at = self._first
        end = len(data) - 4
        while at <= end:
            kind, size = _HEADER(data, at)
            start = at + 4
            at = start + size
            payload = data[start:at]
            more: Sequence[bytes] = ()
            if data[at : at + 2] == b"\x3c\x00":
                more, at = self._continued(at)
            count += 1
            if not count & _EVERY:
                self._budget.tick()
            if kind in _BOFS:
                depth += 1
                self.began = start - 4
            yield kind, payload, more
            if kind == EOF:
                depth -= 1
                if depth <= 0:
                    depth, at = 0, self._next_beginning(at)
        self.damaged = at > len(data) or depth > 0

    def _continued(self, at: int) -> tuple[list[bytes], int]:
        found = []
        while self.data[at : at + 2] == b"\x3c\x00" and at + 4 <= len(self.data):
            size = int.from_bytes(self.data[at + 2 : at + 4], "little")
            found.append(self.data[at + 4 : at + 4 + size])
            at += 4 + size
            self._budget.tick()
        return found, at

    def _next_beginning(self, at: int) -> int:
        match = _BEGINNING.search(self.data, at)
        start = match.start() if match else len(self.data)
        if start > at and self.data.count(0, at, start) < start - at:
            self.passed.append(self.data[at:start])
        return start


def is_beginning(kind: int) -> bool:
    """Whether a record is a BOF, with which a substream begins."""
    return kind in _BOFS


def generation(kind: int, data: bytes) -> int:
    """Which BIFF a BOF record begins: 2, 3, 4, 5 (also called 7) or 8."""
    if kind == 0x809:
        return 8 if data[1:2] >= b"\x06" else 5
    return {0x09: 2, 0x209: 3}.get(kind, 4)


def unicode(data: bytes, at: int, count: int) -> tuple[str, int]:
    """`count` characters after their flags ([MS-XLS] 2.5.294, and 2.5.293 with runs), and where they end."""
    flags = data[at] if at < len(data) else 0
    at += 1
    runs = extension = 0
    if flags & _RICH:
        runs = int.from_bytes(data[at : at + 2], "little")
        at += 2
    if flags & _EXTENDED:
        extension = int.from_bytes(data[at : at + 4], "little")
        at += 4
    end = at + count * (1 + (flags & 1))
    text = data[at:end].decode("utf-16-le" if flags & 1 else "latin-1", "replace")
    return text, end + 4 * runs + extension


def text(data: bytes, at: int, *, size: int, encoding: str | None) -> tuple[str, int]:
    """A text after its length of `size` bytes, and where it ends; `encoding` is None in BIFF8."""
    count = int.from_bytes(data[at : at + size], "little")
    at += size
    if encoding is None:
        return unicode(data, at, count)
    return data[at : at + count].decode(encoding, "replace"), at + count


def continued(chunks: Sequence[bytes], count: int) -> str:
    """`count` characters over several records, each of which begins with flags of its own ([MS-XLS] 2.4.58)."""
    found: list[str] = []
    for chunk in chunks:
        wide = chunk[0] & 1 if chunk else 0
        piece = chunk[1 : 1 + (count << wide)]
        found.append(piece.decode("utf-16-le" if wide else "latin-1", "replace"))
        count -= len(piece) >> wide
        if count <= 0:
            break
    return "".join(found)


class SharedStrings:
    """The shared string table ([MS-XLS] 2.4.265): strings that may be cut anywhere by the end of a record."""

    def __init__(self, first: bytes, more: Sequence[bytes], budget: Budget) -> None:
        self.strings: list[str] = []
        self.phonetic: list[str] = []
        self._chunks = [first[8:], *more]
        self._place = 0
        self._budget = budget
        at = 0
        while self._place < len(self._chunks):
            at = self._whole(at)
            at = self._broken(at)

    def _whole(self, at: int) -> int:
        """Read the plain strings that lie in the current record; where the first other one begins."""
        chunk = self._chunks[self._place]
        size = len(chunk)
        add = self.strings.append
        while at + 3 <= size:
            flags = chunk[at + 2]
            if flags > 1:
                break
            count = chunk[at] | chunk[at + 1] << 8
            end = at + 3 + (count << flags)
            if end > size:
                break
            add(chunk[at + 3 : end].decode("utf-16-le" if flags else "latin-1", "replace"))
            at = end
        return at

    def _broken(self, at: int) -> int:
        """Read one string that has runs or is cut; where it ends, in what is then the current record."""
        self._budget.tick()
        if at >= len(self._chunks[self._place]):
            self._place += 1
            return at - len(self._chunks[self._place - 1])
        head, at = self._bytes(at, 3)
        if len(head) < 3:
            return at
        flags = head[2]
        counts, at = self._bytes(at, (2 if flags & _RICH else 0) + (4 if flags & _EXTENDED else 0))
        runs = int.from_bytes(counts[:2], "little") if flags & _RICH else 0
        extension = int.from_bytes(counts[-4:], "little") if flags & _EXTENDED else 0
        string, at = self._text(at, int.from_bytes(head[:2], "little"), flags & 1)
        self.strings.append(string)
        _, at = self._bytes(at, 4 * runs)
        extended, at = self._bytes(at, extension)
        if len(extended) > 14:  # ExtRst ([MS-XLS] 2.5.86): the reading of the characters
            count = int.from_bytes(extended[12:14], "little")
            self.phonetic.append(extended[14 : 14 + 2 * count].decode("utf-16-le", "replace"))
        return at

    def _bytes(self, at: int, count: int) -> tuple[bytes, int]:
        """The next `count` bytes, and where they end."""
        found = b""
        while len(found) < count and self._place < len(self._chunks):
            piece = self._chunks[self._place][at : at + count - len(found)]
            found += piece
            at += len(piece)
            if len(found) < count:
                self._place += 1
                at = 0
        return found, at

    def _text(self, at: int, count: int, wide: int) -> tuple[str, int]:
        """The next `count` characters; each record but the first says again how wide they are."""
        units = b""
        while count and self._place < len(self._chunks):
            chunk = self._chunks[self._place]
            piece = chunk[at : at + (count << wide)]
            piece = piece[: len(piece) >> wide << wide]
            units += piece if wide else piece.decode("latin-1").encode("utf-16-le")
            count -= len(piece) >> wide
            at += len(piece)
            if count:
                self._place += 1
                wide = self._chunks[self._place][0] & 1 if self._place < len(self._chunks) and self._chunks[self._place] else wide
                at = 1
        return units.decode("utf-16-le", "replace"), at


def rk(raw: int) -> float:
    """A number of 30 bits: an integer or the upper half of a double, perhaps hundredths ([MS-XLS] 2.5.218)."""
    if raw & 2:
        whole = (raw >> 2) - (raw >> 31 << 30)
        return whole / 100 if raw & 1 else whole
    value: float = _REAL(_UNSIGNED((raw & 0xFFFFFFFC) << 32))[0]
    return value / 100 if raw & 1 else value


def constants(tokens: bytes, encoding: str | None) -> Iterator[str]:
    """The texts written in a formula (PtgStr, [MS-XLS] 2.5.198.89), by their mark: tokens before them need not be known."""
    if encoding:
        return _constants(_OLD_CONSTANT, tokens, lambda match: (encoding, 1))
    return _constants(_CONSTANT, tokens, lambda match: ("utf-16-le", 2) if match.group(2) == b"\1" else ("latin-1", 1))


def packaged_constants(tokens: bytes) -> Iterator[str]:
    """The same of BIFF12 ([MS-XLSB] 2.5.97.76), for texts of less than 256 characters."""
    return _constants(_PACKAGED_CONSTANT, tokens, lambda match: ("utf-16-le", 2))


def _constants(pattern: re.Pattern[bytes], tokens: bytes, coded: Callable[[re.Match[bytes]], tuple[str, int]]) -> Iterator[str]:
    at = 0
    while match := pattern.search(tokens, at):
        encoding, width = coded(match)
        end = match.end() + match.group(1)[0] * width
        found = tokens[match.end() : end].decode(encoding, "replace").replace("\0", "\n")  # the entries of a validation's list
        sound = end <= len(tokens) and found.replace("\n", "").isprintable() and "\ufffd" not in found
        if sound:
            yield found
        at = end if sound else match.start() + 1


def loose(payloads: Sequence[bytes], budget: Budget, *, packaged: bool = False) -> Iterator[str]:
    """The texts in records whose layout is not gone into, a line each; `packaged` are those of BIFF12."""
    joined = b"\0\0".join(payloads)
    for run in strings(joined) if joined else ():
        budget.tick()
        if not _PART_ID.match(run):
            yield run
    for match in (_SHORT_PACKAGED if packaged else _SHORT).finditer(joined):
        narrow, wide = match.group(2, 3)
        count = match.group(1)[0]
        found = narrow[:count].decode("latin-1") if narrow else wide[: 2 * count].decode("utf-16-le", "replace")
        if len(found) == count and found.isprintable():
            yield found + "\n"


def encoding_of(stream: Stream) -> str:
    """The code page of a workbook before BIFF8: the declared one, unless its texts are plainly in a Chinese or Japanese one.

    A program that wrote such texts with a declaration of Western ones was common: the reader's own page was taken.
    """
    declared = "cp1252"
    sample = bytearray()
    for kind, data, _ in stream:
        if kind == CODEPAGE:
            page = int.from_bytes(data[:2], "little")
            declared = known(_PAGES.get(page, f"cp{page}")) or "cp1252"
        elif kind in (LABEL, RSTRING, 0x04, BOUNDSHEET):
            sample += data[7 if kind == BOUNDSHEET else 8 :] + b"\n"
        if len(sample) > _SAMPLE:
            break
    found = detect(bytes(sample).translate(_CLEAN))
    return found if found in ("gb18030", "big5hkscs", "cp932") and declared == "cp1252" else declared


_CLEAN = bytes(byte if byte >= 0x20 else 0x20 for byte in range(256))
"""Lengths are not characters."""
_EDGE = re.compile(r"&(?:(&)|[LCRPNDTFAZGBIUESXYOH+-]|\"[^\"]{0,100}\"|K(?:[0-9A-F]{6}|\d\d[+-]\d{3})|\d{1,3})")


def edge(raw: str) -> str:
    """A sheet's header or footer without its codes for place, font and fields ([MS-XLS] 2.4.136)."""
    return _EDGE.sub(r"\1", raw)


def truth(value: int) -> str:
    """A Boolean cell."""
    return "TRUE" if value else "FALSE"
