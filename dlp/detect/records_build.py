"""The index of a declared table: columns of keyed hashes, sorted by the primary column's.

A row is eight bytes for its primary cell and eight for each of the others. Another cell's hash is masked by a number that
only the primary cell's hash and the key give, so that equal cells of different rows, a department, a town, look different:
without the key the index shows how many rows and columns there are, and nothing of what is in them.

Cells that prove nothing are left out: those too short, those that say again what another cell of the row says, and those shared
by more than one row in a hundred (and more than three).
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dlp.columns import ColumnWriter, Draft
from dlp.detect.keyed import Hashes, Keyed, Sums, Texts
from dlp.detect.squeeze import Cells, Shape

MOST_ROWS = 20_000_000
"""Of one table: it is sorted in memory, some 60 bytes a row at four columns."""
MOST_OTHERS = 15
MOST_ALIKE = 16
"""Rows that have the same primary cell; where there are more, it identifies nothing."""
COMMON_ROWS = 3
COMMON_SHARE = 0.01
PRIMARY_LEAST, OTHER_LEAST, HAN_LEAST = 4, 3, 2
"""Squeezed characters of a cell that counts: a primary one, another one, and either if these are Chinese."""
PRIMARY = 0
_MASK = 128
"""Tags: the primary column has 0, the others follow, and a mask has its column's plus this."""
_CHUNK = 1 << 18
"""Rows hashed or masked at a time."""
_NONE = np.uint64(0)
"""Stands for a cell that does not count, until the table is written."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Built:
    """What became of a table. `rows` are in the index; left out are those whose primary cell is too short or too long
    (`unusable`), is that of too many rows (`repeated`), or that have too few other cells that count (`sparse`). `common` are
    the cells of each other column that do not count because too many rows share them. `shapes` are those of the primary
    column, then of each other one."""

    rows: int
    unusable: int
    repeated: int
    sparse: int
    common: tuple[int, ...]
    shapes: tuple[tuple[Shape, ...], ...]


class Builder:
    """A table on its way into the index, batch by batch."""

    def __init__(self, sums: Sums, keyed: Keyed, *, others: int, least: int) -> None:
        self._sums = sums
        self._keyed = keyed
        self._least = least
        self._unusable = 0
        self._primary: list[Hashes] = []
        self._others: list[list[Hashes]] = [[] for _ in range(others)]
        self._shapes: list[set[Shape]] = [set() for _ in range(others + 1)]
        self.rows = 0

    def add(self, primary: Sequence[str], others: Sequence[Sequence[str]]) -> None:
        """Some rows, column by column: all sequences are of one length."""
        if not primary:
            return
        cells = Cells.of(primary)
        usable = (cells.lengths >= PRIMARY_LEAST) | (cells.han >= HAN_LEAST)
        self._unusable += int(np.count_nonzero(~usable))
        self._shapes[0] |= cells.shapes(usable)
        known = [self._sums.cells(cells)]
        self._primary.append(self._keyed.hashes(known[0], PRIMARY)[usable])
        for number, column in enumerate(others):
            cells = Cells.of(column)
            texts = self._sums.cells(cells)
            counts = (cells.lengths >= OTHER_LEAST) | (cells.han >= HAN_LEAST)
            counts &= ~_repeats(texts, known) & usable
            known.append(texts)
            self._shapes[number + 1] |= cells.shapes(counts)
            hashes = self._keyed.hashes(texts, number + 1)
            hashes[~counts] = _NONE
            self._others[number].append(hashes[usable])
        self.rows += len(primary)

    def finish(self, draft: Draft, table: str) -> Built:
        """Write the columns, called `table` and a number, into `draft`. Raises OSError."""
        primary = _joined(self._primary)
        order = np.argsort(primary, kind="stable")
        primary = primary[order]
        kept = _alike(primary) <= MOST_ALIKE
        repeated = int(np.count_nonzero(~kept))
        others, common = list[Hashes](), list[int]()
        for batches in self._others:
            hashes = _joined(batches)[order]
            common.append(_forget_common(hashes))
            others.append(hashes)
        enough = np.sum([hashes != _NONE for hashes in others], axis=0, dtype=np.int64) >= self._least
        sparse = int(np.count_nonzero(kept & ~enough))
        kept &= enough
        self._write(draft, table, primary[kept], [hashes[kept] for hashes in others])
        return Built(
            rows=int(np.count_nonzero(kept)),
            unusable=self._unusable,
            repeated=repeated,
            sparse=sparse,
            common=tuple(common),
            shapes=tuple(tuple(sorted(shapes)) for shapes in self._shapes),
        )

    def _write(self, draft: Draft, table: str, primary: Hashes, others: Sequence[Hashes]) -> None:
        writers = [draft.column(name, "<u8") for name in columns_of(table, len(others))]
        for start in range(0, len(primary), _CHUNK):
            piece = primary[start : start + _CHUNK]
            writers[0].append(piece)
            for number, hashes in enumerate(others, start=1):
                self._append(writers[number], piece, hashes[start : start + _CHUNK], number)

    def _append(self, writer: ColumnWriter, primary: Hashes, hashes: Hashes, number: int) -> None:
        empty = hashes == _NONE
        hashes[empty] = np.frombuffer(os.urandom(8 * int(np.count_nonzero(empty))), dtype=np.uint64)
        writer.append(hashes ^ mask(self._keyed, primary, number))


def columns_of(table: str, others: int) -> list[str]:
    """The names of a table's columns in the index, the primary one first."""
    return [f"{table}-{number}" for number in range(others + 1)]


def mask(keyed: Keyed, primary: Hashes, number: int) -> Hashes:
    """What hides the hashes of other column `number` (from 1) in the rows of these primary cells."""
    return keyed.masks(primary, _MASK + number)


def _joined(batches: list[Hashes]) -> Hashes:
    """The batches in one, and given up."""
    joined = np.concatenate(batches) if batches else np.empty(0, dtype=np.uint64)
    batches.clear()
    return joined


def _repeats(texts: Texts, known: Sequence[Texts]) -> NDArray[np.bool_]:
    """Which cells say what a cell before them in their row says."""
    found = np.zeros(len(texts), dtype=np.bool_)
    for one in known:
        found |= (one.low == texts.low) & (one.high == texts.high)
    return found


def run_starts(ordered: Hashes) -> NDArray[np.int64]:
    """Where, in sorted numbers, each that is not equal to the one before stands."""
    return np.flatnonzero(np.concatenate((np.ones(min(1, len(ordered)), dtype=np.bool_), ordered[1:] != ordered[:-1])))


def _alike(ordered: Hashes) -> NDArray[np.int64]:
    """For each of the sorted hashes how many equal it, itself among them."""
    firsts = run_starts(ordered)
    lengths = np.diff(firsts, append=len(ordered))
    return np.repeat(lengths, lengths)


def _forget_common(hashes: Hashes) -> int:
    """Strike out, in place, the cells that too many rows share; how many they were."""
    most = max(COMMON_ROWS, int(COMMON_SHARE * len(hashes)))
    ordered = np.sort(hashes)
    common = ordered[(_alike(ordered) > most) & (ordered != _NONE)]
    common = common[run_starts(common)]
    struck = np.isin(hashes, common)
    hashes[struck] = _NONE
    return int(np.count_nonzero(struck))
