"""ARJ archives (technote of ARJ 2.77): headers read here, data packed by methods 1 to 3 by libarchive's reader of LHA.

Those methods are what LHA calls -lh7- with a smaller window, so each member is put into an LHA header of its own.
"""

import re
import struct
import zlib
from dataclasses import dataclass

from dlp.extract.archive import named
from dlp.extract.budget import Budget, Exhausted, Unreadable
from dlp.extract.charset import decode
from dlp.extract.document import Document
from dlp.extract.expand import Stored
from dlp.extract.format import Format, Pieces
from dlp.extract.leftover import leftover
from dlp.extract.passwords import OPENED
from dlp.extract.unarchive import Unarchiver
from dlp.model import Why, Zone

_MAGIC = re.compile(rb"\x60\xea")
_FIXED = struct.Struct("<8BL3LHHH")
_LARGEST = 2600
"""Bytes of a header (technote)."""
_EXTENDED = 64
"""Extended headers that are passed over; ARJ writes none."""
_GARBLED, _AFTER, _BEFORE = 0x01, 0x04, 0x08
_COMMENT, _DIRECTORY = 2, 3
_TRIES = 40
_Content = tuple[bytes, Unreadable | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Header:
    name: str
    comment: str
    flags: int
    method: int
    kind: int
    modifier: int
    size: int
    crc: int
    packed: memoryview


def read(document: Document, budget: Budget) -> Pieces:
    """Members as documents inside, the names of folders, the comments of all. Raises Unreadable(corrupt)."""
    data = memoryview(document.data)
    at = _sought(data, 0)
    if at is None:
        raise Unreadable(Why.CORRUPT, "not a readable ARJ archive")
    first = True
    while at is not None:
        budget.tick()
        if bytes(data[at : at + 4]) == b"\x60\xea\0\0":
            yield from leftover(document, at + 4, len(data), budget)
            return
        parsed = _header(data, at, first=first)
        if parsed is None:
            yield document.unread(Why.CORRUPT, "a header is damaged")
            at = _sought(data, at + 1)
            continue
        header, at = parsed
        yield from document.parts([header.comment], zone=Zone.COMMENT, trail=() if first else (header.name,))
        if not first:
            yield from _member(document, header, budget)
        first = False
        if at >= len(data):
            yield document.unread(Why.CORRUPT, "the archive is cut short")
            return


def _member(document: Document, header: _Header, budget: Budget) -> Pieces:
    if header.kind in (_COMMENT, _DIRECTORY) or (not header.size and header.kind > _DIRECTORY):
        yield from named(document, header.name)
        return
    content, end, trail = _read(header, budget)
    if end is not None:
        yield document.unread(end.why, end.detail, trail=(header.name,))
    yield document.nested(content, name=header.name or None, label="unnamed", trail=trail)


def _read(header: _Header, budget: Budget) -> tuple[bytes, Unreadable | None, tuple[str, ...]]:
    """The content, what ended it early, and the step of the trail that says a password was found."""
    if not header.flags & _GARBLED:
        return *_judged(header, *_unpacked(header, header.packed, budget)), ()

    def attempt(password: str) -> bytes | None:
        budget.tick()
        content, end = _judged(header, *_unpacked(header, _clear(header, password), budget))
        return content if end is None else None

    found = budget.passwords.opened(attempt, tries=_TRIES)
    if found is None:
        return b"", Unreadable(Why.ENCRYPTED, "an encrypted member"), ()
    return found, None, (OPENED,)


def _unpacked(header: _Header, packed: memoryview | bytes, budget: Budget) -> _Content:
    if header.method == 0:
        return budget.take(Stored(packed), packed=len(packed))
    if header.method not in (1, 2, 3):
        return b"", Unreadable(Why.UNSUPPORTED, f"compression method {header.method}")
    if header.flags & _BEFORE:
        return b"", Unreadable(Why.CORRUPT, "begins in another volume")
    try:
        with Unarchiver(_as_lha(packed, header.size), formats=["lha"]) as archive:
            for _ in archive.entries():
                return budget.take(archive, packed=len(packed))
    except Exhausted:
        raise
    except Unreadable as error:
        return b"", error
    return b"", Unreadable(Why.CORRUPT, "a member's data cannot be read")


def _judged(header: _Header, content: bytes, end: Unreadable | None) -> _Content:
    if header.flags & (_AFTER | _BEFORE):
        return content, Unreadable(Why.CORRUPT, "goes on in another volume")
    if end is None and zlib.crc32(content) != header.crc:
        return content, Unreadable(Why.CORRUPT, "the checksum is another")
    return content, end


def _as_lha(packed: memoryview | bytes, size: int) -> bytes:
    """An LHA archive of one member, its header of level 0 without a checksum of the data."""
    rest = struct.pack("<5sLLLBBB1s", b"-lh7-", len(packed), size, 0, 0x20, 0, 1, b"a")
    return b"".join((bytes((len(rest), sum(rest) & 0xFF)), rest, packed, bytes(64)))


def _clear(header: _Header, password: str) -> bytes:
    """The first of ARJ's ciphers: every byte changed by one of the password and the modifier of the member."""
    key = bytes((byte + header.modifier) & 0xFF for byte in password.encode("utf-8", "replace"))
    size = len(header.packed)
    stream = (key * (size // len(key) + 1))[:size]
    return (int.from_bytes(header.packed, "big") ^ int.from_bytes(stream, "big")).to_bytes(size, "big")


def _header(data: memoryview, at: int, *, first: bool) -> tuple[_Header, int] | None:
    """The header at `at`, and where the next one stands; None if it is not whole."""
    basic = _basic(data, at)
    if basic is None or basic[0] > len(basic) or basic[0] < _FIXED.size - 4:
        return None
    length, _, _, _, flags, method, kind, modifier, _, packed, size, crc, _, _, _ = _FIXED.unpack_from(
        basic.ljust(_FIXED.size, b"\0")
    )
    name, comment, *_ = (*basic[length:].split(b"\0"), b"", b"")
    at += 4 + len(basic) + 4
    for _ in range(_EXTENDED):
        extended = int.from_bytes(data[at : at + 2], "little")
        at += 2 + extended + (4 if extended else 0)
        if not extended:
            break
    packed = 0 if first else packed
    header = _Header(
        name=decode(name, None), comment=decode(comment, None), flags=flags, method=method, kind=kind, modifier=modifier,
        size=size, crc=crc, packed=data[at : at + packed],
    )  # fmt: skip
    return header, at + packed


def _basic(data: memoryview, at: int) -> bytes | None:
    """The basic header at `at`, if its checksum is right."""
    size = int.from_bytes(data[at + 2 : at + 4], "little")
    basic = bytes(data[at + 4 : at + 4 + size])
    stated = bytes(data[at + 4 + size : at + 8 + size])
    whole = 0 < size <= _LARGEST and bytes(data[at : at + 2]) == b"\x60\xea" and zlib.crc32(basic).to_bytes(4, "little") == stated
    return basic if whole else None


def _sought(data: memoryview, at: int) -> int | None:
    """Where the next whole header stands."""
    return next((match.start() for match in _MAGIC.finditer(data, at) if _basic(data, match.start()) is not None), None)


FORMAT = Format(name="arj", media_types=("application/x-arj",), read=read, risky=True)
