"""Rows of declared tables, found again: the primary cell, then others of the same row close by.

Close by is within REACH folded characters of the primary cell or on its line, in the same trail. Spans of the text that have the
shape of a primary cell are hashed, all at once; the few that hash to one are looked at again: the hashes of that row's other
cells are unmasked and looked for among the spans around it. Cells of different rows never make a finding, however near.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dlp import columns
from dlp.detect.keyed import Hashes, Keyed, Sums, unsealed
from dlp.detect.normalise import Folded
from dlp.detect.records_build import PRIMARY, columns_of, mask, run_starts
from dlp.detect.register import BuiltIn, Register, Seen
from dlp.detect.squeeze import Numbers, Shapes, Squeezed, prepare
from dlp.errors import ConfigError
from dlp.model import Finding, Part, Trail, Unscannable, Why
from dlp.redact import mask as masked

KIND = "records"
SIGNATURE = BuiltIn(name="declared_record", title="Rows of a declared table", title_zh="已申报数据表的行")
REACH = 150
LINE = 1000
"""Folded characters of a line that are looked at on either side."""
BLOCK = 1 << 20
"""Characters looked at together; more only where one part is longer."""
MOST_JUDGED = 1 << 19
"""Pairs of a primary cell in a block and a row that has it."""
CONFIDENCE = 95


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What is kept, sealed, of one table. `least` other cells must stand by the primary one; it takes `rows` distinct rows to
    make a finding; `expires` is the end of it. `shapes` are those of the primary column, then of each other one."""

    title: str
    level: str
    owner: str
    least: int
    rows: int
    shapes: Sequence[Sequence[Sequence[int]]]
    expires: str | None = None


class Sieve:
    """A bit for each of some sixteen times as many slots as there are hashes: most of what is not among them falls through, for
    a fifth of what a search costs. Made of the hashes, which are keyed, so it tells no more than they do."""

    def __init__(self, ordered: Hashes) -> None:
        bits = max(10, (16 * len(ordered)).bit_length())
        self._shift = np.uint64(64 - bits)
        self._slots = np.zeros(1 << (bits - 3), dtype=np.uint8)
        for start in range(0, len(ordered), BLOCK):
            slots = ordered[start : start + BLOCK] >> self._shift
            places = slots >> np.uint64(3)
            marks = (1 << (slots & np.uint64(7)).astype(np.int64)).astype(np.uint8)
            firsts = run_starts(places)
            self._slots[places[firsts]] |= np.bitwise_or.reduceat(marks, firsts)

    def passed(self, hashes: Hashes) -> Numbers:
        """The places of those that may be among the hashes."""
        slots = hashes >> self._shift
        marks = self._slots[slots >> np.uint64(3)] >> (slots & np.uint64(7)).astype(np.uint8)
        return np.flatnonzero(marks & 1)


@dataclass(frozen=True, slots=True)
class Hits:
    """Primary cells in a text, each with one row that has it: squeezed place and length, number of the row."""

    starts: Numbers
    lengths: Numbers
    rows: Numbers

    def __len__(self) -> int:
        return len(self.starts)

    def chosen(self, which: NDArray[np.bool_]) -> "Hits":
        return Hits(self.starts[which], self.lengths[which], self.rows[which])


class Table:
    """One table of the index, mapped."""

    def __init__(self, name: str, facts: Facts, keyed: Keyed, arrays: Sequence[Hashes]) -> None:
        self.name = name
        self.facts = facts
        self._keyed = keyed
        self._primary, *self._others = arrays
        self._shapes = [Shapes(one) for one in facts.shapes]
        self._sieve = Sieve(self._primary)
        self._expires = datetime.fromisoformat(facts.expires) if facts.expires else None

    def in_force(self) -> bool:
        """Whether its time is not over."""
        return self._expires is None or datetime.now(UTC) < self._expires

    def identity(self, hits: Hits) -> Hashes:
        """A number for each hit by which its row's primary cell is told from others."""
        return np.asarray(self._primary[hits.rows])

    def hits(self, text: Squeezed, sums: Sums) -> Hits:
        """Where a primary cell stands, once for each row that has it."""
        starts, lengths, firsts, counts = ([np.empty(0, dtype=np.int64)] for _ in range(4))
        for length, places in self._shapes[0].spans(text):
            hashes = self._keyed.hashes(sums.spans(text.codes, places, length), PRIMARY)
            likely = self._sieve.passed(hashes)
            places, hashes = places[likely], hashes[likely]
            first = np.searchsorted(self._primary, hashes, side="left")
            count = np.searchsorted(self._primary, hashes, side="right") - first
            found = count > 0
            starts.append(places[found])
            lengths.append(np.full(np.count_nonzero(found), length, dtype=np.int64))
            firsts.append(first[found])
            counts.append(count[found])
        counted, start, length_, first_ = map(np.concatenate, (counts, starts, lengths, firsts))
        nth = np.arange(counted.sum()) - np.repeat(np.cumsum(counted) - counted, counted)
        return Hits(np.repeat(start, counted), np.repeat(length_, counted), np.repeat(first_, counted) + nth)

    def confirmed(self, text: Squeezed, sums: Sums, hits: Hits, windows: tuple[Numbers, Numbers]) -> NDArray[np.bool_]:
        """Which hits have enough other cells of their row in their window, squeezed places from and to."""
        near = _covered(windows, len(text))
        counts = np.zeros(len(hits), dtype=np.int64)
        for number, stored in enumerate(self._others, start=1):
            wanted = np.asarray(stored[hits.rows]) ^ mask(self._keyed, self.identity(hits), number)
            counts += self._beside(text, sums, hits, windows, _Wanted(number, wanted, self._shapes[number], near))
        return counts >= self.facts.least

    def _beside(
        self, text: Squeezed, sums: Sums, hits: Hits, windows: tuple[Numbers, Numbers], wanted: "_Wanted"
    ) -> NDArray[np.bool_]:
        """For each hit whether the hash that is wanted of it stands in its window, apart from the primary cell."""
        values, ranks = np.unique(wanted.hashes, return_inverse=True)
        lengths = np.zeros(len(values), dtype=np.int64)
        seen = [np.empty(0, dtype=np.int64)]
        for length, places in wanted.shapes.spans(text, wanted.near):
            hashes = self._keyed.hashes(sums.spans(text.codes, places, length), wanted.number)
            rank = np.minimum(np.searchsorted(values, hashes), len(values) - 1)
            found = values[rank] == hashes
            lengths[rank[found]] = length
            seen.append(_ranked(rank[found], places[found]))
        ordered = np.sort(np.concatenate(seen))
        size = lengths[ranks]
        before = _any_between(ordered, ranks, windows[0], hits.starts - size)
        after = _any_between(ordered, ranks, hits.starts + hits.lengths, windows[1] - size)
        return before | after


@dataclass(frozen=True, slots=True)
class _Wanted:
    """The hashes of other column `number`, one for each hit, and where in the text they may begin."""

    number: int
    hashes: Hashes
    shapes: Shapes
    near: NDArray[np.bool_]


def _ranked(ranks: Numbers, places: Numbers) -> Numbers:
    """Two numbers in one that sorts by both."""
    return np.asarray((ranks.astype(np.int64) << 32) + places, dtype=np.int64)


def _any_between(ordered: Numbers, ranks: Numbers, first: Numbers, last: Numbers) -> NDArray[np.bool_]:
    """Whether one of `ordered` has the rank and a place from `first` to `last`."""
    low = np.searchsorted(ordered, _ranked(ranks, first), side="left")
    high = np.searchsorted(ordered, _ranked(ranks, np.maximum(last, -1)), side="right")
    return np.asarray((high > low) & (last >= first), dtype=np.bool_)


def _covered(windows: tuple[Numbers, Numbers], size: int) -> NDArray[np.bool_]:
    """For each place whether it is in a window."""
    steps = np.bincount(windows[0], minlength=size + 1) - np.bincount(windows[1], minlength=size + 1)
    return np.asarray(np.cumsum(steps[:size]) > 0, dtype=np.bool_)


@dataclass(frozen=True, slots=True)
class Block:
    """Parts that are looked at together. `firsts` are their places in `text`; `groups` where those of one trail begin and end."""

    parts: Sequence[tuple[Part, Folded]]
    text: str
    firsts: Numbers
    groups: tuple[Numbers, Numbers]

    @classmethod
    def of(cls, parts: Sequence[tuple[Part, Folded]]) -> "Block":
        lengths = np.array([len(folded.text) + 1 for _, folded in parts], dtype=np.int64)
        firsts = np.cumsum(lengths) - lengths
        new = [at == 0 or parts[at][0].trail != parts[at - 1][0].trail for at in range(len(parts))]
        owner = np.cumsum(new) - 1
        begins = firsts[np.flatnonzero(new)]
        ends = np.append(begins[1:], lengths.sum())
        return cls(parts, "\n".join(folded.text for _, folded in parts), firsts, (begins[owner], ends[owner]))

    def owners(self, places: Numbers) -> Numbers:
        """The number of the part in which each folded place is."""
        return np.searchsorted(self.firsts, places, side="right") - 1

    def windows(self, text: Squeezed, hits: Hits) -> tuple[Numbers, Numbers]:
        """For each hit the squeezed places between which the row's other cells are looked for."""
        first, last = text.places[hits.starts], text.places[hits.starts + hits.lengths - 1]
        lines = np.array([-1, *_line_ends(self.text), len(self.text)], dtype=np.int64)
        line = np.searchsorted(lines, first, side="left")
        begin = np.minimum(first - REACH, np.maximum(lines[line - 1], first - LINE))
        end = np.maximum(last + REACH, np.minimum(lines[np.searchsorted(lines, last, side="left")], last + LINE))
        owner = self.owners(first)
        begin, end = np.maximum(begin, self.groups[0][owner]), np.minimum(end, self.groups[1][owner])
        return np.searchsorted(text.places, begin), np.searchsorted(text.places, end, side="right")


def _line_ends(text: str) -> Numbers:
    kind, width = ("ascii", np.uint8) if text.isascii() else ("utf-32-le", np.uint32)
    return np.flatnonzero(np.frombuffer(text.encode(kind, "surrogatepass"), dtype=width) == ord("\n"))


def blocks(parts: Iterable[tuple[Part, Folded]]) -> Iterator[Block]:
    """The parts in order, as many together as are within BLOCK."""
    held, size = list[tuple[Part, Folded]](), 0
    for part, folded in parts:
        if held and size + len(folded.text) > BLOCK:
            yield Block.of(held)
            held, size = [], 0
        held.append((part, folded))
        size += len(folded.text)
    if held:
        yield Block.of(held)


@dataclass(slots=True)
class _Place:
    """What becomes one finding: the first row of a table found in one trail, and all that were."""

    part: Part
    start: int
    end: int
    rows: set[int] = field(default_factory=set)


class Records:
    """The declared tables; a `Register`."""

    def __init__(self, tables: Sequence[Table], sums: Sums) -> None:
        self._tables = tables
        self._sums = sums

    @property
    def signatures(self) -> Sequence[BuiltIn]:
        """See Register."""
        return (SIGNATURE,)

    def findings(self, seen: Seen) -> Iterator[Finding | Unscannable]:
        """See Register. One for each table and trail, of tables with enough distinct rows in the item."""
        tables = [table for table in self._tables if table.in_force()]
        found: list[dict[Trail, _Place]] = [{} for _ in tables]
        unjudged = [0] * len(tables)
        for block in blocks([*seen.texts, *seen.names]) if tables else ():
            text = Squeezed.of(block.text)
            for number, table in enumerate(tables):
                unjudged[number] += self._look(table, block, text, found[number])
        for number, table in enumerate(tables):
            yield from _told(table, found[number])
            if unjudged[number]:
                detail = f"table {table.name}: {unjudged[number]} places that may be rows were not judged"
                yield Unscannable(why=Why.TOO_MANY, detail=detail)

    def _look(self, table: Table, block: Block, text: Squeezed, found: dict[Trail, _Place]) -> int:
        """Add the rows found in a block; how many places were not judged."""
        hits = table.hits(text, self._sums)
        most = np.arange(len(hits)) < MOST_JUDGED
        unjudged, hits = len(hits) - int(np.count_nonzero(most)), hits.chosen(most)
        if len(hits):
            hits = hits.chosen(table.confirmed(text, self._sums, hits, block.windows(text, hits)))
            firsts, lasts = text.places[hits.starts], text.places[hits.starts + hits.lengths - 1]
            spans = zip(block.owners(firsts).tolist(), firsts.tolist(), lasts.tolist(), strict=True)
            for (owner, first, last), row in zip(spans, table.identity(hits).tolist(), strict=True):
                part, folded = block.parts[owner]
                if part.trail not in found:
                    at = int(block.firsts[owner])
                    start, end = folded.span(first - at, min(last + 1 - at, len(folded.text)))
                    found[part.trail] = _Place(part, start, end)
                found[part.trail].rows.add(row)
        return unjudged


def _told(table: Table, found: Mapping[Trail, _Place]) -> Iterator[Finding]:
    if len({row for place in found.values() for row in place.rows}) < table.facts.rows:
        return
    for trail, place in found.items():
        yield Finding(
            signature=SIGNATURE.name,
            level=table.facts.level,
            confidence=CONFIDENCE,
            count=len(place.rows),
            trail=trail,
            zone=place.part.zone,
            offset=place.start,
            excerpt=masked(place.part.text[place.start : place.end]),
            facts={"entry": table.name, "title": table.facts.title, "owner": table.facts.owner, "rows": str(len(place.rows))},
        )


def open_records(folder: Path, key: bytes) -> Register | None:
    """The declared tables under the register folder; None where there are none. Raises ConfigError."""
    read = columns.opened(folder / KIND)
    names = entries(read.facts) if read else {}
    if read is None or not names:
        return None
    prepare()
    tables = []
    for name, text in names.items():
        facts = unsealed_facts(folder / KIND, key, name, text)
        arrays = [read.arrays[column] for column in columns_of(name, len(facts.shapes) - 1)]
        tables.append(Table(name, facts, Keyed(key, name), arrays))
    return Records(tables, Sums(key))


def entries(facts: Mapping[str, Any]) -> dict[str, str]:
    """By id, the sealed facts of each table in a manifest."""
    return dict(facts.get("tables", {}))


def unsealed_facts(folder: Path, key: bytes, name: str, text: str) -> Facts:
    """Raises ConfigError where they do not open."""
    try:
        return Facts(**unsealed(key, text, name))
    except (ValueError, TypeError) as error:
        remedy = "restore the key file that was there when it was declared, or declare it again"
        raise ConfigError.single(folder, name, str(error), remedy) from error
