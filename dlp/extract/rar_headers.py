"""The headers of RAR archives: version 1.5 to 4 (technote.txt of WinRAR 4) and 5 (rarlab.com/technote.htm).

Only the headers are read here: what is in the archive, where its packed data stands, which of it is encrypted.
"""

import re
import struct
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from dlp.extract.charset import decode
from dlp.extract.rar_crypt import Encryption, Encryption3, Encryption5

OLD, NEW = b"Rar!\x1a\x07\x00", b"Rar!\x1a\x07\x01\x00"
STORED_OLD = 0x30
_MAIN, _FILE, _SUB, _END = 0x73, 0x74, 0x7A, 0x7B
_OLD_FILE = re.compile(rb"(?s)..\x74...\x00")
_NEW_FILE = re.compile(rb"(?s)....(?:[\x08-\x7f]|[\x80-\xff][\x01-\x7f])\x02")
_OLD_FIXED = struct.Struct("<LLBLLBBHL")
_LONGEST = 2 << 20
"""Bytes of one header (technote.htm: 2 MB)."""
_FIELDS = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A file, a folder or a service record (a comment, an NTFS stream). `before` and `after`: it begins or goes on in
    another volume. `readable`: libarchive knows how it is packed. `fields` is what a header needs to be made again."""

    name: str
    packed: memoryview
    size: int
    stored: bool
    crc: int | None
    solid: bool
    readable: bool = True
    service: bool = False
    directory: bool = False
    before: bool = False
    after: bool = False
    target: str = ""
    encryption: Encryption | None = None
    fields: tuple[int, ...] = ()


@dataclass(slots=True)
class Listing:
    """What an archive holds; `locked` if its headers are encrypted and no password opens them; where it ends."""

    new: bool
    entries: list[Entry] = field(default_factory=list)
    volume: bool = False
    locked: bool = False
    opened: bool = False
    damaged: bool = False
    ended: bool = False
    end: int = 0


Find = Callable[[Encryption], str | None]
"""The password that opens headers encrypted so, None if none is known."""


def listing(data: memoryview, *, most: int, find: Find, tick: Callable[[], None]) -> Listing:
    """At most `most` entries; what a damaged header hides is passed over, and the next one that is whole is found."""
    new = data[: len(NEW)] == NEW
    found = Listing(new=new)
    walk = _new(data, found, find) if new else _old(data, found, find)
    for entry in walk:
        tick()
        found.entries.append(entry)
        if len(found.entries) >= most:
            found.damaged = True
            break
    return found


def alone(entries: list[Entry], contents: list[memoryview | bytes], *, new: bool) -> bytes:
    """An archive of these entries only, not encrypted and in one volume, with the packed `contents` given."""
    out: list[bytes | memoryview] = [_new_main(entries)] if new else [_old_main(entries)]
    for number, (entry, content) in enumerate(zip(entries, contents, strict=True)):
        out.append((_new_header if new else _old_header)(entry, b"%d" % number, len(content)))
        out.append(content)
    # libarchive reads a few bytes beyond packed data, and none of it where there are none.
    end = _new_packed(_number(5) + _number(0) + _number(0)) if new else _old_packed(struct.pack("<BHH", _END, 0x4000, 7))
    return b"".join((*out, end, bytes(64)))


# Version 1.5 to 4.


def _old(data: memoryview, found: Listing, find: Find) -> Iterator[Entry]:
    at, unlock = len(OLD), None
    while at + 7 <= len(data):
        if unlock is not None:
            opened = unlock(data, at)
            header, begins = opened if opened else (b"", at)
        else:
            header, begins = bytes(data[at : at + struct.unpack_from("<H", data, at + 5)[0]]), 0
            begins = at + len(header)
        if not _old_whole(header):
            found.damaged = True
            at = _sought(_OLD_FILE, data, at + 1, _old_at) if unlock is None else len(data)
            continue
        kind, flags = header[2], struct.unpack_from("<H", header, 3)[0]
        size = struct.unpack_from("<L", header, 7)[0] if flags & 0x8000 and len(header) >= 11 else 0
        if kind == _MAIN:
            found.volume = bool(flags & 1)
            if flags & 0x80:
                unlock = _old_unlock(data, begins, found, find)
                if unlock is None:
                    found.locked = True
                    return
        elif kind in (_FILE, _SUB) and len(header) >= 32:
            entry = _old_entry(header, flags, data, begins)
            size = entry.fields[0]
            yield entry
        elif kind == _END:
            found.ended, found.end = True, begins + size
            return
        at = found.end = begins + size


def _old_whole(header: bytes) -> bool:
    return len(header) >= 7 and zlib.crc32(header[2:]) & 0xFFFF == struct.unpack_from("<H", header)[0]


def _old_at(data: memoryview, at: int) -> bool:
    return _old_whole(bytes(data[at : at + struct.unpack_from("<H", data, at + 5)[0]]))


def _old_unlock(
    data: memoryview, at: int, found: Listing, find: Find
) -> Callable[[memoryview, int], tuple[bytes, int] | None] | None:
    """What reads an encrypted header: eight bytes of salt, then blocks of AES."""

    def first(encryption: Encryption, password: str) -> bool:
        return _old_opened(data, at, encryption, password) is not None

    if at + 24 > len(data):
        return None
    encryption = Encryption3(salt=bytes(data[at : at + 8]), fits=first)
    password = find(encryption)
    if password is None:
        return None
    found.opened = True

    def unlock(data: memoryview, at: int) -> tuple[bytes, int] | None:
        return _old_opened(data, at, Encryption3(salt=bytes(data[at : at + 8])), password)

    return unlock


def _old_opened(data: memoryview, at: int, encryption: Encryption, password: str) -> tuple[bytes, int] | None:
    """A decrypted header, and where it ends."""
    head = encryption.decrypted(data[at + 8 : at + 24], password)
    if len(head) < 16:
        return None
    size = struct.unpack_from("<H", head, 5)[0]
    padded = -(-size // 16) * 16
    header = encryption.decrypted(data[at + 8 : at + 8 + padded], password)[:size]
    return (header, at + 8 + padded) if _old_whole(header) else None


def _old_entry(header: bytes, flags: int, data: memoryview, begins: int) -> Entry:
    packed, size, system, crc, time, version, method, length, attributes = _OLD_FIXED.unpack_from(header, 7)
    at = 7 + _OLD_FIXED.size
    if flags & 0x100 and len(header) >= at + 8:
        high_packed, high_size = struct.unpack_from("<LL", header, at)
        packed, size, at = packed | high_packed << 32, size | high_size << 32, at + 8
    name, at = header[at : at + length], at + length
    salt = header[at : at + 8] if flags & 0x400 else b""
    return Entry(
        name=_old_name(name, unicode=bool(flags & 0x200)), packed=data[begins : begins + packed], size=size,
        stored=method == STORED_OLD, crc=crc, solid=bool(flags & 0x10), service=header[2] == _SUB,
        readable=version >= 29 and not flags & 0x10,  # neither older methods nor members packed as one
        directory=flags & 0xE0 == 0xE0 and header[2] == _FILE, before=bool(flags & 1), after=bool(flags & 2),
        encryption=Encryption3(salt=salt, version=version) if flags & 4 else None,
        fields=(packed, flags, system, crc, time, version, method, attributes),
    )  # fmt: skip


def _old_name(raw: bytes, *, unicode: bool) -> str:
    """A name in the system's encoding, with a NUL and a compressed form of its UTF-16 behind it, or in UTF-8 alone."""
    plain, zero, packed = raw.partition(b"\0")
    if not unicode or not zero:
        return decode(raw, "utf-8" if unicode else None)
    out: list[int] = []
    source = iter(packed)
    high = next(source, 0)
    flags = left = 0
    for value in source:
        if not left:
            flags, left = value, 8
            value = next(source, 0)
        left -= 2
        kind = flags >> left & 3
        if kind == 3:
            add, upper = (next(source, 0), high) if value & 0x80 else (0, 0)
            out.extend((byte + add & 0xFF) | upper << 8 for byte in plain[len(out) :][: (value & 0x7F) + 2])
        else:
            out.append(value | (0, high, next(source, 0) if kind == 2 else 0)[kind] << 8)
    return struct.pack(f"<{len(out)}H", *out).decode("utf-16-le", "replace") or decode(plain, None)


def _old_main(entries: list[Entry]) -> bytes:
    flags = 8 if any(entry.solid for entry in entries) else 0
    main = struct.pack("<BHH6x", _MAIN, flags, 13)
    return OLD + _old_packed(main)


def _old_header(entry: Entry, name: bytes, packed: int) -> bytes:
    _, flags, system, crc, time, version, method, attributes = entry.fields
    fixed = _OLD_FIXED.pack(
        packed & 0xFFFF_FFFF, entry.size & 0xFFFF_FFFF, system, crc, time, version, method, len(name), attributes
    ) + struct.pack("<LL", packed >> 32, entry.size >> 32)  # fmt: skip
    # The flags that stay are those of the dictionary and of solid data.
    rest = struct.pack("<BHH", _FILE, flags & 0xF0 | 0x8100, 7 + len(fixed) + len(name)) + fixed + name
    return _old_packed(rest)


def _old_packed(header: bytes) -> bytes:
    return struct.pack("<H", zlib.crc32(header) & 0xFFFF) + header


# Version 5.


def _new(data: memoryview, found: Listing, find: Find) -> Iterator[Entry]:
    at = len(NEW)
    opened: tuple[Encryption5, str] | None = None
    while at + 7 <= len(data):
        header, begins = _new_block(data, at) if opened is None else _new_opened(data, at, *opened)
        if not header:
            found.damaged = True
            at = _sought(_NEW_FILE, data, at + 1, _new_at) if opened is None else len(data)
            continue
        numbers = _Numbers(header)
        kind, flags = numbers.next(), numbers.next()
        extra = numbers.next() if flags & 1 else 0
        size = numbers.next() if flags & 2 else 0
        if kind == 1:
            found.volume = bool(numbers.next() & 1)
        elif kind in (2, 3):
            yield _new_entry(numbers, flags, extra, data[begins : begins + size], service=kind == 3)
        elif kind == 4:
            encryption = _new_encryption(numbers)
            password = find(encryption)
            if password is None:
                found.locked = True
                return
            opened, found.opened = (encryption, password), True
        elif kind == 5:
            found.ended, found.end = True, begins + size
            return
        at = found.end = begins + size


class _Numbers:
    """Reads a header: numbers of seven bits a byte, the lowest first; zero behind the end."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self.at = 0

    def next(self) -> int:
        value = shift = 0
        while self.at < len(self._data) and shift < _FIELDS:
            byte = self._data[self.at]
            self.at += 1
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                break
        return value

    def take(self, size: int) -> bytes:
        self.at += size
        return self._data[max(self.at - size, 0) : self.at]

    def records(self, size: int) -> Iterator[tuple[int, "_Numbers"]]:
        """The extra area, the last `size` bytes."""
        area = _Numbers(self._data[max(len(self._data) - size, 0) :] if size else b"")
        while area.at < len(area._data):
            record = _Numbers(area.take(area.next()))
            yield record.next(), record


def _new_block(data: memoryview, at: int) -> tuple[bytes, int]:
    """The header at `at` without checksum and size, and where it ends; empty if it is not whole."""
    numbers = _Numbers(bytes(data[at + 4 : at + 7]))
    size = numbers.next()
    begins = at + 4 + numbers.at
    whole = bytes(data[at + 4 : begins + size]) if 0 < size <= _LONGEST else b""
    if not whole or zlib.crc32(whole) != int.from_bytes(data[at : at + 4], "little"):
        return b"", at
    return whole[numbers.at :], begins + size


def _new_at(data: memoryview, at: int) -> bool:
    return bool(_new_block(data, at)[0])


def _new_opened(data: memoryview, at: int, encryption: Encryption5, password: str) -> tuple[bytes, int]:
    """The same where headers are encrypted: an initial vector before each, padding behind."""
    vector = bytes(data[at : at + 16])
    first = encryption.decrypted(data[at + 16 : at + 32], password, vector=vector)
    numbers = _Numbers(first[4:7])
    size = 4 + numbers.next() + numbers.at
    padded = -(-size // 16) * 16
    if len(vector) < 16 or size > _LONGEST:
        return b"", at
    plain = encryption.decrypted(data[at + 16 : at + 16 + padded], password, vector=vector)
    header, _ = _new_block(memoryview(plain), 0)
    return header, at + 16 + padded


def _new_entry(numbers: _Numbers, flags: int, extra: int, packed: memoryview, *, service: bool) -> Entry:
    kind, size = numbers.next(), numbers.next()
    numbers.next()
    if kind & 2:
        numbers.take(4)
    crc = int.from_bytes(numbers.take(4), "little") if kind & 4 else None
    compression, system = numbers.next(), numbers.next()
    name = decode(numbers.take(numbers.next()), "utf-8")
    target, encryption = "", None
    for record, fields in numbers.records(extra):
        if record == 1:
            encryption = _new_encryption(fields, vector=True)
        elif record == 5:
            fields.next()
            fields.next()
            target = decode(fields.take(fields.next()), "utf-8")
    return Entry(
        name=name, packed=packed, size=size, stored=compression >> 7 & 7 == 0,
        crc=None if encryption and encryption.tweaked else crc, solid=bool(compression & 0x40), service=service,
        directory=bool(kind & 1) and not service, before=bool(flags & 8), after=bool(flags & 0x10),
        target=target, encryption=encryption, fields=(kind & ~6, compression, system),
    )  # fmt: skip


def _new_encryption(numbers: _Numbers, *, vector: bool = False) -> Encryption5:
    numbers.next()
    flags = numbers.next()
    power = int.from_bytes(numbers.take(1), "little")
    salt = numbers.take(16)
    return Encryption5(
        power=power,
        salt=salt,
        vector=numbers.take(16) if vector else b"",
        check_value=numbers.take(12) if flags & 1 else b"",
        tweaked=bool(flags & 2) and vector,
    )


def _new_main(entries: list[Entry]) -> bytes:
    solid = 4 if any(entry.solid for entry in entries) else 0
    return NEW + _new_packed(_number(1) + _number(0) + _number(solid))


def _new_header(entry: Entry, name: bytes, packed: int) -> bytes:
    kind, compression, system = entry.fields
    fields = (2, 2, packed, kind & ~1, entry.size, 0, compression, system, len(name))
    return _new_packed(b"".join(map(_number, fields)) + name)


def _new_packed(header: bytes) -> bytes:
    sized = _number(len(header)) + header
    return struct.pack("<L", zlib.crc32(sized)) + sized


def _number(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes((*out, value))


def _sought(pattern: re.Pattern[bytes], data: memoryview, at: int, whole: Callable[[memoryview, int], bool]) -> int:
    """Where the next file's header stands that is whole."""
    while (match := pattern.search(data, at)) is not None:
        if whole(data, match.start()):
            return match.start()
        at = match.start() + 1
    return len(data)
