"""Walks the audit log and names what is not as it was written: an edit, a deletion, a reordering, an insertion, a cut tail."""

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from dlp.store.audit_record import GENESIS, HEAD_CHANGED, HEAD_GONE, REPAIRED, Head, Record, authentic, claimed


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """What is wrong, at or just before which line (from 1) of the file."""

    line: int
    what: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditReport:
    """How many authentic records there are, and every problem in the order of the lines."""

    records: int
    problems: tuple[Problem, ...] = ()


@dataclass(frozen=True, slots=True)
class _Suspect:
    """A line that is no authentic record, and the number it claims, or else the one that was due."""

    line: int
    seq: int
    sha256: str


class _Walk:
    def __init__(self) -> None:
        self.records = 0
        self.due = 1
        self.previous = GENESIS
        self.missing: dict[int, int] = {}  # number → line before which it is missing
        self.suspects: list[_Suspect] = []
        self.problems: list[Problem] = []

    def line(self, number: int, line: bytes, key: bytes) -> Record | None:
        """Take one line; the record, if it is one."""
        record = authentic(line, key)
        if record is None:
            # For the text of what a line claims nothing is known; the number only helps to say "edited" for "missing".
            seq = claimed(line)
            self.suspects.append(_Suspect(number, self.due if seq is None else seq, hashlib.sha256(line).hexdigest()))
            return None
        self.records += 1
        self._explain(number, record)
        self._place(number, record)
        return record

    def _explain(self, number: int, record: Record) -> None:
        """A torn line is no problem once a record says so and names its very bytes; a head that was lost stays one."""
        if record.event != REPAIRED:
            return
        if self.suspects and self.suspects[-1].sha256 == record.facts.get("torn_sha256"):
            self.suspects.pop()
        if (reason := record.facts.get("reason")) in (HEAD_CHANGED, HEAD_GONE):
            what = f"record {record.seq} says: {reason}; whether the tail was cut off before it cannot be told"
            self.problems.append(Problem(line=number, what=what))

    def _place(self, number: int, record: Record) -> None:
        if record.seq < self.due:
            late = self.missing.pop(record.seq, None) is not None
            what = "is out of order" if late else "is there twice: a copy was inserted"
            self.problems.append(Problem(line=number, what=f"record {record.seq} {what}"))
            return
        if record.seq == self.due and record.prev != self.previous:
            what = f"record {record.seq} does not follow the one before it: an older log was put in place of a newer one"
            self.problems.append(Problem(line=number, what=what))
        self.missing |= dict.fromkeys(range(self.due, record.seq), number)
        self.due, self.previous = record.seq + 1, record.hash

    def finish(self, lines: int, anchor: Head | None) -> AuditReport:
        """The report; `anchor` is the last durable record as the database knows it."""
        cut = range(self.due, anchor.seq + 1) if anchor else range(0)
        absent = set(self.missing) | set(cut)
        for suspect in self.suspects:
            edited = suspect.seq in absent
            what = f"record {suspect.seq} was edited" if edited else "is no record of this log: it was inserted, damaged, or torn"
            self.problems.append(Problem(line=suspect.line, what=what))
            absent.discard(suspect.seq)
        deleted = {seq: line for seq, line in self.missing.items() if seq in absent}
        self.problems += [Problem(line=line, what=f"{_span(a, b)} missing: deleted") for a, b, line in _runs(deleted)]
        tail = {seq: lines + 1 for seq in cut if seq in absent}
        self.problems += [Problem(line=line, what=f"{_span(a, b)} missing: the tail was cut off") for a, b, line in _runs(tail)]
        return AuditReport(records=self.records, problems=tuple(sorted(self.problems, key=lambda problem: problem.line)))


def check(lines: Iterable[bytes], key: bytes, anchor: Head | None) -> AuditReport:
    """Check `lines` (without newlines) against one another and against `anchor`."""
    walk, number = _Walk(), 0
    for number, line in enumerate(lines, start=1):
        record = walk.line(number, line, key)
        if record and anchor and record.seq == anchor.seq and record.hash != anchor.hash:
            what = f"record {record.seq} is not the one the database knows: an older log was put in place of a newer one"
            walk.problems.append(Problem(line=number, what=what))
    return walk.finish(number, anchor)


def _runs(lines: dict[int, int]) -> Iterator[tuple[int, int, int]]:
    """Consecutive numbers as (first, last, line)."""
    first = last = -1
    for seq in sorted(lines):
        if first >= 0 and seq == last + 1:
            last = seq
            continue
        if first >= 0:
            yield first, last, lines[first]
        first = last = seq
    if first >= 0:
        yield first, last, lines[first]


def _span(first: int, last: int) -> str:
    return f"record {first} is" if first == last else f"records {first}–{last} are"
