"""The fingerprints of many documents in files: sorted, mapped into memory, with a small part that is rewritten by each change.

Two segments, `base` and `delta`, are pairs (hash, document's number) sorted by hash, each with a filter: words of 64 bits, one
chosen by the first bits of a hash, in which its last bits set three (a Bloom filter in blocks: Putze, Sanders and Singler,
"Cache-, Hash- and Space-Efficient Bloom Filters", WEA 2007). Of the hashes that are not there some 98 in 100 are told so by one
look into it. A change rewrites the delta; when that has outgrown a quarter of the base, or MOST_DELTA, both are merged into a
new base, piece by piece. Planned for 100 million hashes, 12 bytes each. What is removed is forgotten at once, and its pairs go
with the next merge.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dlp import columns
from dlp.columns import Columns, Draft
from dlp.detect.fingerprints import Hashes

Numbers = NDArray[np.uint32]
Indexes = NDArray[np.int64]
Pairs = tuple[Hashes, Numbers]

SEGMENTS = ("base", "delta")
LARGEST_DELTA, MOST_DELTA = 1 << 20, 1 << 23
"""Pairs that the delta may always have, and never exceeds by more than one change, since it is sorted in memory."""
LONGEST_RUN = 64
"""Documents looked at for one hash."""
SKETCH = 16
"""The least hashes of a document, kept to tell versions of one document."""
ALIKE = SKETCH // 2
"""Of two sketches these many are in common where two documents are versions of one."""
_SPARSE = 12
"""Bits of a filter for each hash, at least."""
_ONE, _PLACE = np.uint64(1), np.uint64(63)
_PIECE = 1 << 22
"""Pairs merged at a time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Declared:
    """One document. `number` is never given twice; `family` is the number of the first of several versions of one document;
    `prints` how many distinct fingerprints it has, 0 where only its bytes are known; `expires` RFC 3339, "" for never."""

    number: int
    id: str
    family: int
    prints: int
    level: str = ""
    owner: str = ""
    expires: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Addition:
    """A document to be added; `hashes` need be neither sorted nor distinct, `file` tells its bytes (`file_hash`)."""

    id: str
    hashes: Hashes
    file: int
    level: str = ""
    owner: str = ""
    expires: str = ""


@dataclass(frozen=True, slots=True)
class Segment:
    """Pairs sorted by hash, and their filter."""

    hashes: Hashes
    documents: Numbers
    words: Hashes

    def look_up(self, wanted: Hashes, most: int) -> tuple[Indexes, Numbers, bool]:
        """Pairs (index into `wanted`, number of a document that has this hash), at most `most`; and whether those are all."""
        likely = self.likely(wanted)
        likely = likely[np.argsort(wanted[likely])]  # neighbours in the file are asked for together
        asked = wanted[likely]
        first = np.searchsorted(self.hashes, asked)
        there = first < self.hashes.size
        there[there] = self.hashes[first[there]] == asked[there]
        likely, asked, first = likely[there], asked[there], first[there]
        runs = np.minimum(np.searchsorted(self.hashes, asked, side="right") - first, LONGEST_RUN)
        ends = np.cumsum(runs)
        whole = int(np.searchsorted(ends, most, side="right"))
        runs, ends = runs[:whole], ends[:whole]
        total = int(ends[-1]) if whole else 0
        within = np.arange(total) - np.repeat(ends - runs, runs)
        return np.repeat(likely[:whole], runs), self.documents[np.repeat(first[:whole], runs) + within], whole == likely.size

    def likely(self, wanted: Hashes) -> Indexes:
        """Indexes into `wanted` of all that are here, and of few others."""
        words = self.words.take((wanted >> np.uint64(65 - self.words.size.bit_length())).view(np.int64))
        some = np.flatnonzero((words >> (wanted & _PLACE)) & _ONE)  # the first of its bits tells of most
        masks = _masks(wanted[some])
        likely: Indexes = some[(words[some] & masks) == masks]
        return likely


@dataclass(frozen=True, slots=True, kw_only=True)
class Index:
    """An index as it is in the files."""

    entries: Sequence[Declared]
    segments: Sequence[Segment]
    files: Mapping[int, Sequence[int]]
    """By `file_hash`, the numbers of the documents."""
    following: int
    """The number that the next document gets."""

    @classmethod
    def opened(cls, folder: Path) -> "Index | None":
        """The index in `folder`, mapped; None where there is none. Raises ConfigError."""
        found = columns.opened(folder)
        if found is None:
            return None
        entries, alive = _entries(found), {entry["number"] for entry in found.facts["entries"]}
        files: dict[int, list[int]] = {}
        for file, number in zip(found.arrays["file"].tolist(), found.arrays["file_document"].tolist(), strict=True):
            if number in alive:
                files.setdefault(file, []).append(number)
        segments = [
            Segment(found.arrays[f"{name}_hash"], found.arrays[f"{name}_document"], found.arrays[f"{name}_filter"])
            for name in SEGMENTS
            if found.arrays[f"{name}_hash"].size
        ]
        return cls(entries=entries, segments=segments, files=files, following=found.facts["following"])

    def likely(self, wanted: Hashes) -> Indexes:
        """As `Segment.likely`, over all segments."""
        likely = [segment.likely(wanted) for segment in self.segments]
        return likely[0] if len(likely) == 1 else np.unique(np.concatenate([np.empty(0, np.int64), *likely]))

    def look_up(self, wanted: Hashes, most: int) -> tuple[Indexes, Numbers, bool]:
        """As `Segment.look_up`, over all segments; documents that were removed are among the answers."""
        answers = [segment.look_up(wanted, most) for segment in self.segments]
        indexes = np.concatenate([np.empty(0, np.int64), *(indexes for indexes, _, _ in answers)])
        numbers = np.concatenate([np.empty(0, np.uint32), *(numbers for _, numbers, _ in answers)])
        return indexes, numbers, all(whole for _, _, whole in answers)


def change(folder: Path, *, add: Sequence[Addition] = (), remove: Collection[str] = ()) -> None:
    """Take these into the index in `folder`, and those ids out of it; in force when this returns. The caller holds the
    register's lock. Raises ConfigError where the index is damaged, OSError where it cannot be written (then it is as it was)."""
    old = columns.opened(folder)
    kept = [entry for entry in _entries(old) if entry.id not in remove] if old else []
    following = old.facts["following"] if old else 0
    sketches = _kept_sketches(old, kept)
    fresh = _numbered(add, following, kept, sketches)
    alive = _alive(kept, fresh, following + len(add))
    draft = Draft(folder, old)
    try:
        _write_pairs(draft, old, add, fresh, alive=alive)
        _write_files(draft, old, add, fresh, alive=alive)
        draft.write("sketch", np.concatenate([np.empty(0, np.uint64), *sketches]))
        entries = [asdict(entry) for entry in (*kept, *fresh)]
        draft.commit({"entries": entries, "following": following + len(add)})
    finally:
        draft.give_up()


def _entries(found: Columns) -> list[Declared]:
    return [Declared(**entry) for entry in found.facts["entries"]]


def _kept_sketches(old: Columns | None, kept: Sequence[Declared]) -> list[Hashes]:
    if old is None:
        return []
    table = dict(zip((entry["number"] for entry in old.facts["entries"]), old.arrays["sketch"].reshape(-1, SKETCH), strict=True))
    return [table[entry.number] for entry in kept]


def _numbered(add: Sequence[Addition], following: int, kept: Sequence[Declared], sketches: list[Hashes]) -> list[Declared]:
    """The additions with numbers and families; their sketches go to the end of `sketches`."""
    families: dict[int, list[int]] = {}
    for entry, sketch in zip(kept, sketches, strict=True):
        _note(families, entry.family, sketch)
    fresh = []
    for number, one in enumerate(add, following):
        distinct = np.unique(one.hashes)
        sketch = np.full(SKETCH, np.iinfo(np.uint64).max, dtype=np.uint64)
        sketch[: min(SKETCH, distinct.size)] = distinct[:SKETCH]
        family = _family(families, sketch, distinct.size)
        entry = Declared(
            number=number,
            id=one.id,
            family=number if family is None else family,
            prints=distinct.size,
            level=one.level,
            owner=one.owner,
            expires=one.expires,
        )
        _note(families, entry.family, sketch)
        sketches.append(sketch)
        fresh.append(entry)
    return fresh


def _note(families: dict[int, list[int]], family: int, sketch: Hashes) -> None:
    for value in sketch.tolist():
        known = families.setdefault(value, [])
        if family not in known:
            known.append(family)


def _family(families: Mapping[int, Sequence[int]], sketch: Hashes, size: int) -> int | None:
    """The family whose sketches have enough in common with this one."""
    if size < SKETCH:
        return None
    votes: dict[int, int] = {}
    for value in sketch.tolist():
        for family in families.get(value, ()):
            votes[family] = votes.get(family, 0) + 1
    best = max(votes, key=lambda family: votes[family], default=None)
    return best if best is not None and votes[best] >= ALIKE else None


def _alive(kept: Sequence[Declared], fresh: Sequence[Declared], size: int) -> NDArray[np.bool_]:
    alive = np.zeros(size, dtype=np.bool_)
    alive[[entry.number for entry in (*kept, *fresh)]] = True
    return alive


def _write_pairs(
    draft: Draft, old: Columns | None, add: Sequence[Addition], fresh: Sequence[Declared], *, alive: NDArray[np.bool_]
) -> None:
    """The delta anew, or, where it has outgrown the base or too much of the base is dead, both merged into a new base."""
    base, delta = _pairs(old, "base"), _pairs(old, "delta")
    new = [_sorted(np.unique(one.hashes), entry.number) for one, entry in zip(add, fresh, strict=True)]
    delta = _living(_joined([delta, *new]), alive)
    if delta[0].size > min(MOST_DELTA, max(LARGEST_DELTA, base[0].size // 4)) or _mostly_dead(base, alive):
        _write_segment(draft, "base", _merged(base, delta, alive), base[0].size + delta[0].size)
        _write_segment(draft, "delta", iter(()), 0)
        return
    if old is None:
        _write_segment(draft, "base", iter(()), 0)
    else:
        draft.keep("base_hash", "base_document", "base_filter")
    _write_segment(draft, "delta", iter([delta]), delta[0].size)


def _pairs(old: Columns | None, name: str) -> Pairs:
    if old is None:
        return np.empty(0, np.uint64), np.empty(0, np.uint32)
    return old.arrays[f"{name}_hash"], old.arrays[f"{name}_document"]


def _sorted(hashes: Hashes, number: int) -> Pairs:
    return hashes, np.full(hashes.size, number, dtype=np.uint32)


def _joined(pairs: Sequence[Pairs]) -> Pairs:
    hashes, numbers = (np.concatenate([one[column] for one in pairs]) for column in (0, 1))
    order = np.argsort(hashes, kind="stable")
    return hashes[order], numbers[order]


def _living(pairs: Pairs, alive: NDArray[np.bool_]) -> Pairs:
    living = alive[pairs[1]]
    return pairs if living.all() else (pairs[0][living], pairs[1][living])


def _mostly_dead(base: Pairs, alive: NDArray[np.bool_]) -> bool:
    living = sum(int(np.count_nonzero(alive[base[1][start : start + _PIECE]])) for start in range(0, base[1].size, _PIECE))
    return living < base[1].size // 2


def _merged(base: Pairs, delta: Pairs, alive: NDArray[np.bool_]) -> Iterator[Pairs]:
    """Both in order of hash, a piece at a time."""
    taken = 0
    for start in range(0, base[0].size, _PIECE):
        piece = base[0][start : start + _PIECE], base[1][start : start + _PIECE]
        last = start + _PIECE >= base[0].size
        until = delta[0].size if last else int(np.searchsorted(delta[0], piece[0][-1], side="right"))
        yield _living(_joined([piece, (delta[0][taken:until], delta[1][taken:until])]), alive)
        taken = until
    if not base[0].size:
        yield delta


def _write_segment(draft: Draft, name: str, pieces: Iterator[Pairs], most: int) -> None:
    hashes, documents = draft.column(f"{name}_hash", "<u8"), draft.column(f"{name}_document", "<u4")
    words = np.zeros(1 << max(4, (most * _SPARSE // 64).bit_length()), dtype=np.uint64)
    for piece in pieces:
        hashes.append(piece[0])
        documents.append(piece[1])
        _set(words, piece[0])
    draft.write(f"{name}_filter", words)


def _set(words: Hashes, hashes: Hashes) -> None:
    """Set the bits of these hashes, which are sorted."""
    if hashes.size:
        place = (hashes >> np.uint64(65 - words.size.bit_length())).view(np.int64)
        first = np.flatnonzero(np.concatenate(([True], place[1:] != place[:-1])))
        words[place[first]] |= np.bitwise_or.reduceat(_masks(hashes), first)


def _masks(hashes: Hashes) -> Hashes:
    """The three bits of each."""
    masks: Hashes = _ONE << (hashes & _PLACE)
    for shift in (6, 12):
        masks |= _ONE << (hashes >> np.uint64(shift) & _PLACE)
    return masks


def _write_files(
    draft: Draft, old: Columns | None, add: Sequence[Addition], fresh: Sequence[Declared], *, alive: NDArray[np.bool_]
) -> None:
    files = np.array([one.file for one in add], dtype=np.uint64)
    numbers = np.array([entry.number for entry in fresh], dtype=np.uint32)
    if old is not None:
        living = alive[old.arrays["file_document"]]
        files = np.concatenate([old.arrays["file"][living], files])
        numbers = np.concatenate([old.arrays["file_document"][living], numbers])
    draft.write("file", files)
    draft.write("file_document", numbers)
