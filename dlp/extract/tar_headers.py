"""The headers of tar: ustar and pax (POSIX.1-2017), GNU (tar manual, "Basic Tar Format"), and the sparse members of GNU."""

import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field

from dlp.extract.charset import decode

BLOCK = 512
_PAX_RECORD = re.compile(rb"(\d{1,20}) ([^=]{1,1000})=", re.DOTALL)
_SPARSE = struct.Struct("12s12s")
_MOST_HOLES = 100_000
_KNOWN = frozenset(("path", "linkpath", "size", "uname", "gname", "hdrcharset", "charset"))
_NUMBER = re.compile(rb"-?[\d.]*")

Hole = tuple[int, int]
"""Offset and size of a piece of data in a sparse member."""


@dataclass(slots=True)
class Extended:
    """What the headers before a member's own say of it."""

    name: bytes | None = None
    target: bytes | None = None
    size: int | None = None
    texts: list[str] = field(default_factory=list)
    sparse: dict[str, bytes] = field(default_factory=dict)
    places: list[int] = field(default_factory=list)

    def take_pax(self, data: bytes) -> None:
        """Records of pax: their size, a key, a value."""
        at = 0
        while (match := _PAX_RECORD.match(data, at)) is not None:
            end = at + int(match.group(1))
            if end <= match.end() or end > len(data) + 1:
                return
            self._take(match.group(2).decode("utf-8", "replace"), data[match.end() : end - 1])
            at = end

    def _take(self, key: str, value: bytes) -> None:
        if key == "path":
            self.name = value
        elif key == "linkpath":
            self.target = value
        elif key == "size":
            self.size = int(value) if value.isdigit() and len(value) < 20 else None
        elif key in ("GNU.sparse.offset", "GNU.sparse.numbytes"):  # version 0.0 repeats them
            if value.isdigit() and len(value) < 20 and len(self.places) < _MOST_HOLES:
                self.places.append(int(value))
        elif key.startswith("GNU.sparse."):
            self.sparse[key.removeprefix("GNU.sparse.")] = value
        elif key not in _KNOWN and not _NUMBER.fullmatch(value):
            self.texts.append(f"{key}: {decode(value, None)}")


@dataclass(frozen=True, slots=True)
class Header:
    """One header: `kind` is its type flag, `holes` and `real` the map and the size of a sparse member of the older form."""

    name: str
    target: str
    kind: bytes
    size: int
    follows: bool
    holes: tuple[Hole, ...] = ()
    real: int = 0


def header(block: bytes, extended: Extended | None = None) -> Header | None:
    """The header in `block`, None if its checksum is wrong; `follows`: more of the sparse map stands in the next block."""
    if len(block) < BLOCK or not sound(block):
        return None
    told = extended or Extended()
    kind = block[156:157]
    gnu = block[257:265] == b"ustar  \0"
    name = told.name if told.name is not None else _field(block, 0, 100)
    if told.name is None and block[257:263] == b"ustar\0" and (prefix := _field(block, 345, 155)):
        name = prefix + b"/" + name
    if (own := told.sparse.get("name")) is not None:
        name = own
    target = told.target if told.target is not None else _field(block, 157, 100)
    sparse = kind == b"S" and (gnu or told.name is not None)
    return Header(
        name=text(name),
        target=text(target),
        kind=kind,
        size=told.size if told.size is not None else number(block[124:136]),
        follows=sparse and block[482] != 0,
        holes=tuple(_map(block[386:482])) if sparse else (),
        real=number(block[483:495]) if sparse else 0,
    )


def sound(block: bytes) -> bool:
    """Whether the checksum of a header is right, with the bytes taken as unsigned or, as some do, as signed."""
    try:
        stated = int(block[148:156].strip(b" \0") or b"-1", 8)
    except ValueError:
        return False
    total = sum(block) - sum(block[148:156]) + 8 * 0x20
    return stated == total or stated == total - 256 * sum(byte > 0x7F for byte in block)


def text(raw: bytes) -> str:
    """A name, UTF-8 or what it looks like."""
    return raw.decode("ascii") if raw.isascii() else decode(raw, None)


def number(raw: bytes) -> int:
    """A number in octal digits, or in base 256 where the highest bit is set; 0 where it is neither."""
    if raw[:1] == b"\x80":
        return int.from_bytes(raw[1:], "big")
    try:
        return max(int(raw.split(b"\0", 1)[0].strip() or b"0", 8), 0)
    except ValueError:
        return 0


def more_map(block: bytes) -> tuple[list[Hole], bool]:
    """An extension of the map of a sparse member, and whether another one follows."""
    return list(_map(block[:504])), block[504:505] not in (b"", b"\0")


def pax_map(extended: Extended, content: memoryview) -> tuple[list[Hole], memoryview, int] | None:
    """The map of a sparse member in pax, its data behind the map, its real size; None if it is not sparse."""
    told = extended.sparse
    real = _decimal(told.get("realsize", told.get("size", b"")))
    if told.get("major") == b"1":
        return _version_1(content, real)
    numbers = [_decimal(value) for value in told["map"].split(b",")[: 2 * _MOST_HOLES]] if "map" in told else extended.places
    return (list(zip(numbers[::2], numbers[1::2], strict=False)), content, real) if numbers else None


def _version_1(content: memoryview, real: int) -> tuple[list[Hole], memoryview, int]:
    """Decimal numbers on lines of their own stand before the data: how many pieces, then offset and size of each."""
    head = bytes(content[: 1 << 20])
    first, _, rest = head.partition(b"\n")
    count = min(_decimal(first), _MOST_HOLES)
    lines = rest.split(b"\n", 2 * count)
    numbers = [_decimal(line) for line in lines[: 2 * count]]
    used = len(first) + 1 + sum(len(line) + 1 for line in lines[: 2 * count])
    begins = -(-used // BLOCK) * BLOCK
    return list(zip(numbers[::2], numbers[1::2], strict=False)), content[begins:], real


def _decimal(value: bytes) -> int:
    return int(value) if value.isdigit() and len(value) < 20 else 0


def _map(raw: bytes) -> Iterator[Hole]:
    for offset, size in _SPARSE.iter_unpack(raw[: len(raw) // 24 * 24]):
        if size.strip(b" \0") or offset.strip(b" \0"):
            yield number(offset), number(size)


def _field(block: bytes, at: int, size: int) -> bytes:
    return block[at : at + size].split(b"\0", 1)[0]
