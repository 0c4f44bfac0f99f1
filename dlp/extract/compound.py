"""OLE compound files ([MS-CFB]): the streams by their paths, each read under the budget.

An own reader, since a damaged file must give what is left of it: a stream that breaks off is read up to there, entries that
no storage lists are found all the same, and without a table of sectors the directory is looked for by its first name.
"""

import re
import struct
from bisect import bisect_left
from functools import cached_property
from typing import NamedTuple

import numpy as np

from dlp.extract.budget import Budget, Unreadable
from dlp.model import Why

MAGIC = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_HEADER = struct.Struct("<26xH2xH12xII4xIIII")  # 2.2
_ENTRY = struct.Struct("<64sHBxIII36xIQ")  # 2.6.1
_LISTED = 109
"""Sectors of the FAT that the header itself lists (2.2)."""
_STORAGE, _STREAM, _ROOT = 1, 2, 5
_NONE = 0xFFFFFFFA
"""From here on a number stands for no sector or no entry (2.1, 2.6.1)."""
_SMALL = 64
"""Bytes of a sector of the mini stream (2.2)."""
_ENTRIES = 100_000
"""Entries of one directory that are read."""
_DEEPEST = 32
"""Storages in each other; what is deeper is found as if no storage listed it."""
_ROOT_NAME = re.compile(re.escape("Root Entry".encode("utf-16-le")))

Path = tuple[str, ...]
"""Names from the root storage to a stream."""


class _Entry(NamedTuple):
    """A directory entry: `kind` is 1 for a storage, 2 for a stream, 5 for the root."""

    name: str
    kind: int
    left: int
    right: int
    child: int
    start: int
    size: int


_UNUSED = _Entry("", 0, 0, 0, 0, 0, 0)


class _Chains:
    """The sectors of a table (the FAT or the mini FAT), followed in runs of consecutive ones.

    Where the table is cut off, what is left of it says nothing about the rest, which then follow each other.
    """

    def __init__(self, table: bytes, sectors: int) -> None:
        following = np.frombuffer(table, dtype="<u4", count=len(table) // 4)
        self._breaks: list[int] = np.flatnonzero(following != np.arange(1, len(following) + 1, dtype=np.uint32)).tolist()
        self._after: list[int] = following[self._breaks].tolist()
        self._sectors = sectors

    def runs(self, first: int, most: int) -> list[tuple[int, int]]:
        """First and last+1 of each run from sector `first` on, `most` sectors in all at the most."""
        found: list[tuple[int, int]] = []
        most = min(most, self._sectors)
        while most > 0 and first < self._sectors:
            at = bisect_left(self._breaks, first)
            last = min(self._breaks[at] if at < len(self._breaks) else self._sectors - 1, first + most - 1)
            found.append((first, last + 1))
            most -= last + 1 - first
            first = self._after[at] if at < len(self._breaks) else _NONE
        return found


class Compound:
    """An opened compound file. `damage` says, without content, what of its structure is wrong; it may grow while it is read."""

    def __init__(self, data: bytes | memoryview, budget: Budget | None = None) -> None:
        """Raises Unreadable(corrupt)."""
        self.damage: list[str] = []
        self._data = memoryview(data)
        self._budget = budget
        if len(data) < 512 or not bytes(data[: len(MAGIC)]) == MAGIC:
            raise Unreadable(Why.CORRUPT, "no compound file")
        version, shift, fats, directory, cutoff, mini, minis, difat = _HEADER.unpack_from(data)
        self._sector = 1 << (shift if 7 <= shift <= 16 else 9)
        self._wide = version >= 4
        self._cutoff = cutoff
        self._mini_at = mini
        self._minis = minis
        self._sectors = len(data) // self._sector + 1
        self._chains = _Chains(self._fat(fats, difat), self._sectors)
        self._entries = self._directory(directory)

    @cached_property
    def streams(self) -> dict[Path, int]:
        """Every stream's path and its size in bytes, in the directory's order."""
        return {path: self._entries[number].size for path, number in self._paths.items()}

    def find(self, *path: str) -> Path | None:
        """The stream at `path`, whose names compare without case ([MS-CFB] 2.6.4); None where there is none."""
        return self._folded.get(_fold(path))

    def read(self, path: Path) -> bytes:
        """A stream's content, as far as it is there.

        Raises Unreadable(too-large), Unreadable(corrupt) where nothing is left of it, and what `Budget.spend` raises.
        """
        entry = self._entries[self._paths[path]]
        if self._budget is not None and entry.size > self._budget.limits.part_bytes:
            raise Unreadable(Why.TOO_LARGE, "a stream is larger than its limit")
        content = self._content(entry)
        if self._budget is not None:
            self._budget.spend(len(content))
        if len(content) < entry.size:
            self._damaged("a stream breaks off")
            if not content:
                raise Unreadable(Why.CORRUPT, "a stream cannot be read")
        return content

    def below(self, *path: str) -> dict[Path, Path]:
        """The streams in the storage at `path` and its storages: their paths from there on, and from the root."""
        return {known[len(path) :]: known for known in self._below.get(_fold(path), ())}

    @property
    def roots(self) -> list[str]:
        """The names of the root's entries, streams and storages."""
        return list(dict.fromkeys(path[0] for path in self._places.values()))

    def _damaged(self, sentence: str) -> None:
        if sentence not in self.damage:
            self.damage.append(sentence)

    def _fat(self, stated: int, difat: int) -> bytes:
        """The table of all sectors, its own sectors being listed in the header and from there in a chain (2.5)."""
        listed = list(struct.unpack_from(f"<{_LISTED}I", self._data, 76)[:stated])
        while len(listed) < min(stated, self._sectors):
            held = self._slice(difat, difat + 1)
            if len(held) < self._sector:
                break
            *more, difat = struct.unpack(f"<{self._sector // 4}I", held)
            listed += more
        listed = [number for number in listed[:stated] if number < self._sectors]
        table = b"".join(self._slice(number, number + 1) for number in listed)
        if len(table) < stated * self._sector:
            self._damaged("the table of sectors is not complete")
        return table[: len(table) // 4 * 4]

    def _slice(self, first: int, end: int) -> memoryview:
        """Sectors `first` to `end` - 1; the header takes the place of one."""
        return self._data[(first + 1) * self._sector : (end + 1) * self._sector]

    def _directory(self, first: int) -> list[_Entry]:
        runs = self._chains.runs(first, _ENTRIES * _ENTRY.size // self._sector)
        held = b"".join(self._slice(*run) for run in runs)
        if _ROOT_NAME.match(held) is None and (len(held) <= 66 or held[66] != _ROOT):
            found = _ROOT_NAME.search(self._data)
            if found is None:
                raise Unreadable(Why.CORRUPT, "the compound file has no directory")
            self._damaged("the directory is not where it should be")
            held = bytes(self._data[found.start() : found.start() + _ENTRIES * _ENTRY.size])
        if len(held) < _ENTRY.size:
            raise Unreadable(Why.CORRUPT, "the directory is cut short")
        return self._parsed(held)

    def _parsed(self, held: bytes) -> list[_Entry]:
        entries: list[_Entry] = []
        if len(held) >= _ENTRIES * _ENTRY.size:
            self._damaged("more entries than are read")
        whole = held[: len(held) // _ENTRY.size * _ENTRY.size]
        for raw, length, kind, left, right, child, start, size in _ENTRY.iter_unpack(whole):
            if kind not in (_STORAGE, _STREAM, _ROOT):
                kind = 0
                if entries:  # the first is the root, whatever it says
                    entries.append(_UNUSED)
                    continue
            name = raw[: max(min(length, 64) - 2, 0)].decode("utf-16-le", "replace")
            # Only version 4 has sizes of more than 32 bits; older writers left anything in the upper half (2.6.1).
            entries.append(_Entry(name, kind, left, right, child, start, size if self._wide else size & 0xFFFFFFFF))
        return entries

    @cached_property
    def _places(self) -> dict[int, Path]:
        """Number and path of every entry below the root; those that no storage lists stand in the root."""
        places: dict[int, Path] = {}
        waiting: list[tuple[int, Path]] = [(self._entries[0].child, ())]
        while waiting:
            number, above = waiting.pop()
            if not 0 < number < len(self._entries) or number in places:
                continue
            entry = self._entries[number]
            if entry.kind == 0:
                continue
            places[number] = (*above, entry.name)
            waiting += [(entry.left, above), (entry.right, above)]
            if entry.kind == _STORAGE and len(above) < _DEEPEST:
                waiting.append((entry.child, places[number]))
        for number, entry in enumerate(self._entries[1:], 1):
            if entry.kind == _STREAM and number not in places:
                self._damaged("a stream that no storage lists")
                places[number] = (entry.name,)
        return dict(sorted(places.items()))

    @cached_property
    def _paths(self) -> dict[Path, int]:
        paths: dict[Path, int] = {}
        for number, path in self._places.items():
            if self._entries[number].kind == _STREAM:
                paths[path if path not in paths else (*path[:-1], f"{path[-1]} {number}")] = number
        return paths

    @cached_property
    def _folded(self) -> dict[Path, Path]:
        folded: dict[Path, Path] = {}
        for path in self._paths:
            folded.setdefault(_fold(path), path)
        return folded

    @cached_property
    def _below(self) -> dict[Path, list[Path]]:
        """The streams in each storage and its storages."""
        below: dict[Path, list[Path]] = {}
        for folded, path in self._folded.items():
            for depth in range(len(path)):
                below.setdefault(folded[:depth], []).append(path)
        return below

    @cached_property
    def _mini(self) -> tuple[_Chains, bytes]:
        """The table of the small sectors and the stream they lie in, which is the root's (2.4, 2.6.3)."""
        table = b"".join(self._slice(*run) for run in self._chains.runs(self._mini_at, self._minis))
        root = self._entries[0]
        runs = self._chains.runs(root.start, -(-root.size // self._sector))
        held = b"".join(self._slice(*run) for run in runs)
        return _Chains(table[: len(table) // 4 * 4], -(-len(held) // _SMALL)), held

    def _content(self, entry: _Entry) -> bytes:
        if entry.size >= self._cutoff:
            runs = self._chains.runs(entry.start, -(-entry.size // self._sector))
            pieces = [self._slice(*run) for run in runs]
            excess = sum(map(len, pieces)) - entry.size
            if excess > 0:  # less than a sector; all is copied once, for streams are large
                pieces[-1] = pieces[-1][:-excess]
            return b"".join(pieces)
        table, held = self._mini
        found = table.runs(entry.start, -(-entry.size // _SMALL))
        return b"".join(held[_SMALL * first : _SMALL * end] for first, end in found)[: entry.size]


def _fold(path: Path) -> Path:
    return tuple(name.lower() for name in path)


def names(data: bytes | memoryview) -> list[str]:
    """The names of the root's entries, streams and storages. Raises Unreadable(corrupt)."""
    return Compound(data).roots
