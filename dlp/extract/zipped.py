"""ZIP as archives and office packages use it (PKWARE APPNOTE 6.3): members read under a budget, damage told.

The central directory is believed first. What it does not list, and everything where it cannot be read, is found
by the local headers: readers differ in which they believe, and a leak may stand in either.
"""

import re
import struct
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from lzma import LZMAError
from typing import IO

from dlp.extract.budget import Budget, Exhausted, Guarded, Unreadable
from dlp.extract.charset import decode, detect
from dlp.extract.document import Document
from dlp.model import Why

ERRORS = (
    zipfile.BadZipFile,
    zlib.error,
    LZMAError,
    EOFError,
    OSError,
    ValueError,
    NotImplementedError,
    RuntimeError,
    struct.error,
)
_LOCAL = re.compile(rb"PK\x03\x04(?s:.{26})")
_METHODS = frozenset((*range(11), 12, 14, 16, 18, 19, 20, *range(93, 100)))
"""The compression methods there are (APPNOTE 4.4.5)."""
_LONGEST_NAME = 4096
"""PATH_MAX of Linux."""
_UTF8_NAME = 0x800
_ENCRYPTED = 0x1


@dataclass(frozen=True, slots=True)
class Member:
    """One entry: `info` where the directory lists it, else the place of its local header."""

    name: str
    encrypted: bool
    directory: bool
    size: int
    info: zipfile.ZipInfo | None
    offset: int


class Package:
    """An opened ZIP. `damage` are the sentences that say what is wrong with its structure."""

    def __init__(self, document: Document, budget: Budget) -> None:
        """Raises Unreadable(corrupt) where there is not even a local header."""
        self.damage: list[str] = []
        self.comment = b""
        self._data = document.data
        self._budget = budget
        self._archive = self._opened(document.open())
        self.members = list(self._listed())
        if not self.members and self._archive is None:
            raise Unreadable(Why.CORRUPT, "not a readable ZIP")

    def read(self, member: Member) -> tuple[bytes, Unreadable | None]:
        """A member's content as far as it can be read, and what ended it early."""
        if member.encrypted:
            return b"", Unreadable(Why.ENCRYPTED, "an encrypted member")
        try:
            stream = self.stream(member)
        except Exhausted:
            raise
        except Unreadable as error:
            return b"", error
        return self._budget.take(stream, packed=member.size)

    def stream(self, member: Member) -> Guarded:
        """A member's content, not yet read. Raises Unreadable."""
        if member.info is None or self._archive is None:
            return Guarded(_Local(self._data, member.offset), ERRORS)
        try:
            return Guarded(self._archive.open(member.info), ERRORS)
        except NotImplementedError as error:
            raise Unreadable(Why.UNSUPPORTED, "a compression method that is not read") from error
        except ERRORS as error:
            raise Unreadable(Why.CORRUPT, f"a member cannot be read ({type(error).__name__})") from error

    def _opened(self, view: IO[bytes]) -> zipfile.ZipFile | None:
        # zipfile makes an object of every entry before anything can be counted.
        entries = sum(1 for _ in re.finditer(rb"PK\x01\x02", self._data))
        if entries > 4 * self._budget.limits.members:
            self.damage.append("more entries than are read")
            return None
        try:
            archive = zipfile.ZipFile(view)
        except ERRORS as error:
            self.damage.append(f"the directory cannot be read ({type(error).__name__})")
            return None
        self.comment = archive.comment
        return archive

    def _listed(self) -> Iterator[Member]:
        """The directory's entries that do not overlap, then the local headers outside all of them."""
        taken: list[tuple[int, int]] = []
        infos = [] if self._archive is None else self._archive.infolist()
        last = -1
        overlapping: set[int] = set()
        for info in sorted(infos, key=lambda info: info.header_offset):
            end = _data_at(self._data, info.header_offset) + info.compress_size
            if info.header_offset < last:
                overlapping.add(id(info))
                continue
            taken.append((info.header_offset, end))
            last = end
        if overlapping:
            self.damage.append("entries overlap")
        for info in infos:
            if id(info) not in overlapping:
                yield _member(info)
        yield from self._unlisted(taken)

    def _unlisted(self, taken: list[tuple[int, int]]) -> Iterator[Member]:
        at = 0
        for start, end in [*taken, (len(self._data), len(self._data))]:
            while at < start and (match := _LOCAL.search(self._data, at, start)) is not None:
                member = _local(self._data, match)
                self.damage.append("a member that the directory does not list")
                yield member
                stated = int.from_bytes(match.group()[18:22], "little")
                at = max(match.end(), _data_at(self._data, match.start()) + stated)
                self._budget.tick()
            at = max(at, end)


class _Local:
    """A member's data read from its local header on, for DEFLATE and stored members."""

    def __init__(self, data: bytes | memoryview, offset: int) -> None:
        header = bytes(data[offset : offset + 30])
        self._method = int.from_bytes(header[8:10], "little")
        self._at = _data_at(data, offset)
        size = int.from_bytes(header[18:22], "little")
        self._end = min(self._at + size, len(data)) if self._method == 0 or size else len(data)
        self._data = data
        self._inflate = zlib.decompressobj(-15)

    def read(self, size: int, /) -> bytes:
        if self._method == zipfile.ZIP_STORED:
            chunk = bytes(self._data[self._at : min(self._at + size, self._end)])
            self._at += len(chunk)
            return chunk
        if self._method != zipfile.ZIP_DEFLATED:
            raise Unreadable(Why.UNSUPPORTED, "a compression method that is not read")
        while not self._inflate.eof:
            packed = self._inflate.unconsumed_tail
            if not packed:
                packed = bytes(self._data[self._at : min(self._at + size, self._end)])
                self._at += len(packed)
            if not packed:
                raise EOFError
            if chunk := self._inflate.decompress(packed, size):
                return chunk
        return b""


def _member(info: zipfile.ZipInfo) -> Member:
    name = info.orig_filename
    if not info.flag_bits & _UTF8_NAME:
        name = _name(name.encode("cp437", "replace"))
    return Member(name, bool(info.flag_bits & _ENCRYPTED), name.endswith("/"), info.compress_size, info, info.header_offset)


def _local(data: bytes | memoryview, match: re.Match[bytes]) -> Member:
    header = match.group()
    method, length = int.from_bytes(header[8:10], "little"), int.from_bytes(header[26:28], "little")
    # Four bytes that look like a header may stand in anything: what follows is then content, and a name goes on record.
    name = _name(bytes(data[match.end() : match.end() + length])) if method in _METHODS and length <= _LONGEST_NAME else ""
    flags, size = int.from_bytes(header[6:8], "little"), int.from_bytes(header[18:22], "little")
    size = size or max(len(data) - _data_at(data, match.start()), 0)  # where a data descriptor states it (APPNOTE 4.3.9)
    return Member(name, bool(flags & _ENCRYPTED), name.endswith("/"), size, None, match.start())


def _data_at(data: bytes | memoryview, offset: int) -> int:
    """Where the data of the member begins whose local header stands at `offset` (APPNOTE 4.3.7)."""
    lengths = bytes(data[offset + 26 : offset + 30])
    return offset + 30 + int.from_bytes(lengths[:2], "little") + int.from_bytes(lengths[2:], "little")


def _name(raw: bytes) -> str:
    """A name without the UTF-8 flag: UTF-8 if it is, the Chinese encodings if they fit, else code page 437 (APPNOTE, D.1)."""
    encoding = detect(raw)
    return decode(raw, encoding) if encoding in ("utf-8", "gb18030", "big5hkscs", "cp932") else raw.decode("cp437")
