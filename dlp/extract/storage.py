"""A storage inside a compound file made a compound file of its own ([MS-CFB]), so that the format it holds can be read.

An embedded workbook, document or message is a storage among others: its streams are packed anew, as plainly as possible.
"""

import struct
from itertools import pairwise

from dlp.extract.budget import Budget, Exhausted, Unreadable
from dlp.extract.compound import MAGIC, Compound, Path

_END, _FREE, _FAT = 0xFFFFFFFE, 0xFFFFFFFF, 0xFFFFFFFD
_LISTED = 109
"""Sectors of the FAT that the header itself lists; the sectors are chosen so large that no more are needed."""
_SMALL = 4 << 20
"""Bytes up to which sectors of 512 bytes, else of 4,096."""


def nested_file(compound: Compound, budget: Budget, *path: str) -> tuple[bytes, Unreadable | None]:
    """The storage at `path` as a file, and what kept the first of its unread streams from being read."""
    streams: dict[Path, bytes] = {}
    problem: Unreadable | None = None
    for inner, known in compound.below(*path).items():
        budget.tick()
        try:
            streams[inner] = compound.read(known)
        except Exhausted:
            raise
        except Unreadable as error:
            problem = problem or error
    return packed(streams), problem


def packed(streams: dict[Path, bytes]) -> bytes:
    """A compound file with `streams` by their paths."""
    size = sum(map(len, streams.values()))
    shift = 9 if size + 1024 * len(streams) <= _SMALL else 12
    sector = 1 << shift
    contents: list[bytes] = [content + bytes(-len(content) % sector) for content in streams.values()]
    starts, at = [], 0
    for content in contents:
        starts.append(at if content else _END)
        at += len(content) // sector
    directory = _directory(streams, starts)
    directory += bytes(-len(directory) % sector)
    fat: list[int] = []
    for content in (*contents, directory):
        _chain(fat, len(content) // sector)
    count = 1
    while count * (sector // 4) < len(fat) + count:
        count += 1
    listed = [*range(len(fat), len(fat) + count)][:_LISTED]
    fat += [_FAT] * count
    fat += [_FREE] * (count * (sector // 4) - len(fat))
    header = struct.pack("<8s16xHHHHH6x", MAGIC, 0x3E, 4 if shift > 9 else 3, 0xFFFE, shift, 6)
    # No small sectors: the size below which a stream would lie in them is 0.
    header += struct.pack("<IIIIIIIII", 0, count, at, 0, 0, _END, 0, _END, 0)
    header += struct.pack(f"<{_LISTED}I", *listed, *[_FREE] * (_LISTED - len(listed)))
    return b"".join((header, bytes(sector - 512), *contents, directory, struct.pack(f"<{len(fat)}I", *fat)))


def _chain(fat: list[int], sectors: int) -> None:
    if sectors:
        fat += [*range(len(fat) + 1, len(fat) + sectors), _END]


def _directory(streams: dict[Path, bytes], starts: list[int]) -> bytes:
    """The entries; those of one storage are chained by their right siblings, which for a reader that lists is tree enough."""
    kids: dict[Path, list[int]] = {(): []}
    entries: list[tuple[str, int, int, int]] = [("Root Entry", 5, _END, 0)]
    storages: dict[Path, int] = {(): 0}
    for (path, content), start in zip(streams.items(), starts, strict=True):
        for depth in range(1, len(path)):
            above = path[:depth]
            if above not in storages:
                storages[above] = len(entries)
                kids[above[:-1]].append(len(entries))
                kids[above] = []
                entries.append((above[-1], 1, 0, 0))
        kids[path[:-1]].append(len(entries))
        entries.append((path[-1], 2, start, len(content)))
    right = {number: after for numbers in kids.values() for number, after in pairwise(numbers)}
    child = {storages[path]: numbers[0] for path, numbers in kids.items() if numbers}
    return b"".join(
        _entry(*entry, right=right.get(number, _FREE), child=child.get(number, _FREE)) for number, entry in enumerate(entries)
    )


def _entry(name: str, kind: int, start: int, size: int, *, right: int, child: int) -> bytes:
    raw = name.encode("utf-16-le", "surrogatepass")[:62]
    black = 1
    return struct.pack("<64sHBBIII36xIQ", raw, len(raw) + 2, kind, black, _FREE, right, child, start, size)
