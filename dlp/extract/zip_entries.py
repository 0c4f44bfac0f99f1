"""The structure of a ZIP (PKWARE APPNOTE 6.3): the central directory and the local headers, by offset, as they are.

Nothing is believed beyond what is there: a name is bytes until it is decoded here, and an offset is used once checked.
"""

import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from dlp.extract.charset import decode, detect

LOCAL = re.compile(rb"PK\x03\x04(?s:.{26})")
METHODS = frozenset((*range(11), 12, 14, 16, 18, 19, 20, *range(93, 100)))
"""The compression methods there are (APPNOTE 4.4.5)."""
AES = 99
ENCRYPTED, DESCRIPTOR, STRONG, UTF8 = 0x1, 0x8, 0x40, 0x800
"""Bits of the general purpose flag (APPNOTE 4.4.4)."""
_LONGEST_NAME = 4096
"""PATH_MAX of Linux."""
_LOCAL_HEADER = struct.Struct("<4s5H3L2H")
_ENTRY = struct.Struct("<4s6H3L5H2L")
_END = struct.Struct("<4s4H2LH")
_END64_LOCATOR = struct.Struct("<4sLQL")
_END64 = struct.Struct("<4sQ2H2L4Q")
_MOST_BEHIND = _END.size + 0xFFFF
_ZIP64, _UNICODE_COMMENT, _UNICODE_NAME = 0x0001, 0x6375, 0x7075  # APPNOTE 4.5.3, 4.6.8, 4.6.9
_OTHER_NAMES = ("gb18030", "big5hkscs", "cp932")


class Header(NamedTuple):
    """One entry as one of its headers states it; `data` is where its data begins, `local` where its local header stands."""

    name: str
    flags: int
    method: int
    time: int
    crc: int
    packed: int
    size: int
    local: int
    data: int
    extra: bytes = b""
    comment: str = ""
    other_name: str = ""
    attributes: int = 0

    @property
    def encrypted(self) -> bool:
        return bool(self.flags & ENCRYPTED) or self.method == AES


@dataclass(slots=True)
class Directory:
    """The central directory: its entries, where it begins and where the archive ends, its comment, what is wrong with it."""

    entries: list[Header] = field(default_factory=list)
    start: int = 0
    end: int = 0
    comment: bytes = b""
    damage: list[str] = field(default_factory=list)
    found: bool = False


def directory(data: bytes | memoryview, *, most: int) -> Directory:
    """The directory that the last end record points to; at most `most` entries of it."""
    result = Directory(start=len(data), end=len(data))
    end = _end_record(data)
    if end is None:
        result.damage.append("the directory cannot be found")
        return result
    at, disk, count, size, offset, comment = end
    result.comment = comment
    if disk:
        result.damage.append("a part of a split archive")
    # What stands before the archive, such as the program of a self-extractor, shifts every offset stated in it.
    moved = size <= at and data[at - size : at - size + 4] == b"PK\x01\x02"
    start, shift = (at - size, at - size - offset) if moved else (offset, 0)
    if count and data[start : start + 4] != b"PK\x01\x02":
        result.damage.append("the directory cannot be read")
        return result
    result.found, result.start = True, start
    result.end = at + _END.size + len(comment)
    result.entries.extend(_entries(data, start=start, end=at, shift=shift, most=most))
    if len(result.entries) >= most:
        result.damage.append("more entries than are read")
    elif len(result.entries) & 0xFFFF != count & 0xFFFF:
        result.damage.append("the directory does not have the entries it states")
    return result


def local(data: bytes | memoryview, at: int) -> Header | None:
    """The local header at `at`, None if there is none (APPNOTE 4.3.7)."""
    header = bytes(data[at : at + _LOCAL_HEADER.size])
    if len(header) < _LOCAL_HEADER.size or not header.startswith(b"PK\x03\x04"):
        return None
    _, _, flags, method, time, _, crc, packed, size, length, more = _LOCAL_HEADER.unpack(header)
    begins = at + _LOCAL_HEADER.size
    raw = bytes(data[begins : begins + length])
    extra = bytes(data[begins + length : begins + length + more])
    # Four bytes that look like a header may stand in anything: what follows is then content, and a name goes on record.
    name = name_of(raw, flags) if method in METHODS and length <= _LONGEST_NAME else ""
    fields = dict(_fields(extra))
    (size, packed), _ = _wide(fields.get(_ZIP64, b""), (size, packed))
    return Header(
        name=name, flags=flags, method=method, time=time, crc=crc, packed=packed, size=size,
        local=at, data=begins + length + more, extra=extra, other_name=_unicode(fields.get(_UNICODE_NAME, b"")),
    )  # fmt: skip


def name_of(raw: bytes, flags: int = 0) -> str:
    """A name: UTF-8 if it is, whatever the flag says, else a Chinese encoding if it fits, else code page 437 (APPNOTE, D.1)."""
    if raw.isascii():
        return raw.decode("ascii")
    if flags & UTF8:
        return decode(raw, "utf-8")
    encoding = detect(raw)
    return decode(raw, encoding) if encoding == "utf-8" or encoding in _OTHER_NAMES else raw.decode("cp437")


def aes(extra: bytes) -> tuple[int, int, int] | None:
    """Version, strength (1 to 3: 128, 192, 256 bits) and the method inside, of a member encrypted as WinZip does (AE-1, AE-2)."""
    found = dict(_fields(extra)).get(0x9901, b"")
    if len(found) < 7:
        return None
    version, _, strength, method = struct.unpack_from("<H2sBH", found)
    return (version, strength, method) if strength in (1, 2, 3) else None


def _end_record(data: bytes | memoryview) -> tuple[int, int, int, int, int, bytes] | None:
    """Where the directory ends, then disk, entries, size and offset of the directory, and the comment (APPNOTE 4.3.16)."""
    tail = bytes(data[max(len(data) - _MOST_BEHIND, 0) :])
    place = tail.rfind(b"PK\x05\x06")
    while place >= 0 and place + _END.size > len(tail):
        place = tail.rfind(b"PK\x05\x06", 0, place)
    if place < 0:
        return None
    _, disk, _, _, count, size, offset, length = _END.unpack_from(tail, place)
    comment = tail[place + _END.size :][:length]
    at = len(data) - len(tail) + place
    if 0xFFFF in (disk, count) or 0xFFFF_FFFF in (size, offset):
        found = _end64(data, at)
        if found is not None:
            return (*found, comment)
    return at, 0 if disk == 0xFFFF else disk, count, size, offset, comment


def _end64(data: bytes | memoryview, at: int) -> tuple[int, int, int, int, int] | None:
    """The ZIP64 record before the end record at `at` (APPNOTE 4.3.14, 4.3.15); where something stands before the archive too."""
    locator = at - _END64_LOCATOR.size
    if locator < 0 or data[locator : locator + 4] != b"PK\x06\x07":
        return None
    stated = _END64_LOCATOR.unpack(data[locator:at])[2]
    for place in (stated, locator - _END64.size):
        if 0 <= place <= len(data) - _END64.size and data[place : place + 4] == b"PK\x06\x06":
            _, _, _, _, disk, _, _, count, size, offset = _END64.unpack(data[place : place + _END64.size])
            return place, disk, count, size, offset
    return None


def _entries(data: bytes | memoryview, *, start: int, end: int, shift: int, most: int) -> Iterator[Header]:
    """APPNOTE 4.3.12."""
    at = start
    for _ in range(most):
        header = bytes(data[at : at + _ENTRY.size])
        if at >= end or len(header) < _ENTRY.size or not header.startswith(b"PK\x01\x02"):
            return
        _, _, _, flags, method, time, _, crc, packed, size, length, more, said, _, _, attributes, offset = _ENTRY.unpack(header)
        at += _ENTRY.size
        raw = bytes(data[at : at + length])
        extra = bytes(data[at + length : at + length + more])
        comment = bytes(data[at + length + more : at + length + more + said])
        at += length + more + said
        fields = dict(_fields(extra)) if more else {}
        if _ZIP64 in fields:
            (size, packed, offset), _ = _wide(fields[_ZIP64], (size, packed, offset))
        place = offset + shift if offset + shift >= 0 else len(data)
        lengths = bytes(data[place + 26 : place + 30])
        begins = place + 30 + sum(struct.unpack("<HH", lengths)) if len(lengths) == 4 else len(data)
        yield Header(
            name=name_of(raw, flags), flags=flags, method=method, time=time, crc=crc, packed=packed, size=size,
            local=place, data=begins, extra=extra, attributes=attributes,
            comment=name_of(comment, flags) + _unicode(fields.get(_UNICODE_COMMENT, b"")) if said or fields else "",
            other_name=_unicode(fields.get(_UNICODE_NAME, b"")) if fields else "",
        )  # fmt: skip


def _fields(extra: bytes) -> Iterator[tuple[int, bytes]]:
    """APPNOTE 4.5.1."""
    at = 0
    while at + 4 <= len(extra):
        kind, size = struct.unpack_from("<HH", extra, at)
        yield kind, extra[at + 4 : at + 4 + size]
        at += 4 + size


def _wide(wide: bytes, values: tuple[int, ...]) -> tuple[tuple[int, ...], bytes]:
    """`values`, each that is all ones replaced by the next eight bytes of the ZIP64 field; and what is left of it."""
    out = []
    for value in values:
        if value == 0xFFFF_FFFF and len(wide) >= 8:
            value, wide = int.from_bytes(wide[:8], "little"), wide[8:]
        out.append(value)
    return tuple(out), wide


def _unicode(found: bytes) -> str:
    """The text of an Info-ZIP Unicode field: a version, a checksum of the other name, UTF-8."""
    return decode(found[5:], "utf-8") if found[:1] == b"\1" else ""
