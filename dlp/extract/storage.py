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
_LITTLE = 4 << 20
"""Bytes of a file up to which sectors of 512 bytes, else of 4,096."""
_CUTOFF, _SMALL = 4096, 64
"""Streams of fewer bytes lie in small sectors of this many ([MS-CFB] 2.2)."""


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
    shift = 9 if size + 1024 * len(streams) <= _LITTLE else 12
    sectors = _Sectors(1 << shift)
    small, starts = _Sectors(_SMALL), []
    for content in streams.values():
        starts.append((small if len(content) < _CUTOFF else sectors).put(content))
    root = sectors.put(small.content)
    mini = sectors.put(small.table(1 << shift))
    directory = sectors.put(_directory(streams, starts, root, len(small.content)))
    end = len(sectors.chains)
    count = 1
    while count * (1 << shift - 2) < end + count:
        count += 1
    sectors.chains += [_FAT] * count
    listed = [*range(end, end + count)][:_LISTED]
    header = struct.pack("<8s16xHHHHH6x", MAGIC, 0x3E, 4 if shift > 9 else 3, 0xFFFE, shift, 6)
    minis = -(-4 * len(small.chains) >> shift)
    header += struct.pack("<IIIIIIIII", 0, count, directory, 0, _CUTOFF, mini, minis, _END, 0)
    header += struct.pack(f"<{_LISTED}I", *listed, *[_FREE] * (_LISTED - len(listed)))
    return b"".join((header, bytes((1 << shift) - 512), sectors.content, sectors.table(1 << shift)))


class _Sectors:
    """Streams put into sectors of one size, one behind the other, and the chains of them."""

    def __init__(self, size: int) -> None:
        self.chains: list[int] = []
        self._contents: list[bytes] = []
        self._size = size

    def put(self, content: bytes) -> int:
        """Append a stream; the number of its first sector, or what stands for none."""
        if not content:
            return _END
        first = len(self.chains)
        padded = content + bytes(-len(content) % self._size)
        self._contents.append(padded)
        self.chains += [*range(first + 1, first + len(padded) // self._size), _END]
        return first

    @property
    def content(self) -> bytes:
        return b"".join(self._contents)

    def table(self, sector: int) -> bytes:
        """The chains, padded to whole sectors of `sector` bytes."""
        held = struct.pack(f"<{len(self.chains)}I", *self.chains)
        return held + b"\xff" * (-len(held) % sector)


def _directory(streams: dict[Path, bytes], starts: list[int], root: int, size: int) -> bytes:
    """The entries; those of one storage are chained by their right siblings, which for a reader that lists is tree enough."""
    kids: dict[Path, list[int]] = {(): []}
    entries: list[tuple[str, int, int, int]] = [("Root Entry", 5, root, size)]
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
