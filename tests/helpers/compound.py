"""Compound files ([MS-CFB]) made by code."""

import struct
from collections.abc import Mapping
from dataclasses import dataclass, field

SECTOR = 512
_MINI = 64
_CUTOFF = 4096
_END, _FREE, _FAT = 0xFFFFFFFE, 0xFFFFFFFF, 0xFFFFFFFD
_IN_HEADER = 109
"""FAT sectors that the header itself lists; more would need a DIFAT, and no test needs seven megabytes."""


@dataclass
class _Entry:
    name: str
    kind: int  # 1 storage, 2 stream, 5 root
    content: bytes = b""
    clsid: bytes = bytes(16)
    kids: dict[str, "_Entry"] = field(default_factory=dict)
    number: int = 0
    left: int = _FREE
    right: int = _FREE
    child: int = _FREE
    start: int = _END
    size: int = 0


def a_compound(streams: Mapping[tuple[str, ...], bytes], *, clsids: Mapping[tuple[str, ...], bytes] | None = None) -> bytes:
    """A version 3 file with `streams` by their paths; storages are made as paths need them.

    `clsids` are class identifiers (16 bytes) of storages, () being the root.
    """
    entries = _tree(streams, clsids or {})
    sectors: list[bytes] = []
    fat: list[int] = []
    mini_fat: list[int] = []
    mini = b""
    for entry in entries[1:]:
        entry.size = len(entry.content)
        if 0 < entry.size < _CUTOFF:
            entry.start = len(mini_fat)
            mini_fat += _chain(entry.start, entry.size, _MINI)
            mini += _padded(entry.content, _MINI)
        elif entry.size:
            entry.start = _put(entry.content, sectors, fat)
    entries[0].start, entries[0].size = _put(mini, sectors, fat) if mini else _END, len(mini)
    table = _padded(struct.pack(f"<{len(mini_fat)}I", *mini_fat), SECTOR, b"\xff")
    mini_at = _put(table, sectors, fat) if mini_fat else _END
    directory_at = _put(_padded(b"".join(map(_packed, entries)), SECTOR), sectors, fat)
    fat_at = _allocate_fat(sectors, fat)
    if len(fat_at) > _IN_HEADER:
        raise ValueError("too large for a file without a DIFAT")
    header = struct.pack("<8s16sHHHHH6x", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", b"", 0x3E, 3, 0xFFFE, 9, 6)
    header += struct.pack("<IIIIIIIII", 0, len(fat_at), directory_at, 0, _CUTOFF, mini_at, len(table) // SECTOR, _END, 0)
    header += struct.pack(f"<{_IN_HEADER}I", *fat_at, *[_FREE] * (_IN_HEADER - len(fat_at)))
    return header + b"".join(sectors)


def _tree(streams: Mapping[tuple[str, ...], bytes], clsids: Mapping[tuple[str, ...], bytes]) -> list[_Entry]:
    """The entries in the order of their numbers, siblings in balanced trees."""
    root = _Entry("Root Entry", 5)
    for path, content in streams.items():
        at = root
        for name in path[:-1]:
            at = at.kids.setdefault(name, _Entry(name, 1))
        at.kids[path[-1]] = _Entry(path[-1], 2, content)
    for path, clsid in clsids.items():
        at = root
        for name in path:
            at = at.kids[name]
        at.clsid = clsid
    entries = [root]
    for entry in entries:  # grows while it is walked
        for kid in entry.kids.values():
            kid.number = len(entries)
            entries.append(kid)
    for entry in entries:
        entry.child = _balanced(sorted(entry.kids.values(), key=lambda kid: (len(kid.name), kid.name.upper())))
    return entries


def _balanced(kids: list[_Entry]) -> int:
    if not kids:
        return _FREE
    middle = len(kids) // 2
    kids[middle].left = _balanced(kids[:middle])
    kids[middle].right = _balanced(kids[middle + 1 :])
    return kids[middle].number


def _packed(entry: _Entry) -> bytes:
    name = entry.name.encode("utf-16-le")
    black = 1
    return struct.pack(
        "<64sHBBIII16sIQQIQ",
        name,
        len(name) + 2,
        entry.kind,
        black,
        entry.left,
        entry.right,
        entry.child,
        entry.clsid,
        0,
        0,
        0,
        entry.start,
        entry.size,
    )


def _padded(content: bytes, unit: int, fill: bytes = b"\0") -> bytes:
    return content + fill * (-len(content) % unit)


def _chain(first: int, size: int, unit: int) -> list[int]:
    count = (size + unit - 1) // unit
    return [*range(first + 1, first + count), _END]


def _put(content: bytes, sectors: list[bytes], fat: list[int]) -> int:
    """Append `content` as a chain of sectors; the number of the first."""
    first = len(sectors)
    fat += _chain(first, len(content), SECTOR)
    sectors += [_padded(content[at : at + SECTOR], SECTOR) for at in range(0, len(content), SECTOR)]
    return first


def _allocate_fat(sectors: list[bytes], fat: list[int]) -> list[int]:
    """Append the FAT itself, which lists its own sectors as well; their numbers."""
    per_sector = SECTOR // 4
    count = 1
    while count * per_sector < len(sectors) + count:
        count += 1
    places = list(range(len(sectors), len(sectors) + count))
    packed = struct.pack(f"<{len(fat) + count}I", *fat, *[_FAT] * count)
    packed = _padded(packed, SECTOR, b"\xff")
    sectors += [packed[at : at + SECTOR] for at in range(0, len(packed), SECTOR)]
    return places
