"""What a changed set of signatures would find otherwise: two inspections of the same bytes, compared signature by signature.

Pure. A finding is known by its signature and its trail; what else is told of it (level, confidence, count, zone, mode) may
change. Offsets and excerpts are not compared: they say where the best match stands, and two sets may prefer different ones. A
place that only one of the two could read is a change too, since whatever stands there is lost to that set.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum

from dlp.model import Action, Finding, Inspection, Trail

UNREAD = "(unscannable)"
"""Stands for a signature in changes of what could be read."""

State = tuple[str, ...]
"""What is told of one finding besides where it is: level, confidence, count, zone, mode."""


class Kind(StrEnum):
    """What becomes of a finding under the changed set."""

    FOUND = "found"
    LOST = "lost"
    CHANGED = "changed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One signature at one place; `before` and `after` are what is told of it there, empty where it is not found."""

    signature: str
    trail: Trail
    before: tuple[State, ...]
    after: tuple[State, ...]

    @property
    def kind(self) -> Kind:
        """New, gone, or told otherwise."""
        return Kind.CHANGED if self.before and self.after else Kind.FOUND if self.after else Kind.LOST


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """One inspection, graded, and what the policy would do."""

    inspection: Inspection
    action: Action
    level: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """One item under both sets."""

    name: str
    before: Judged
    after: Judged
    changes: tuple[Change, ...]

    @property
    def same(self) -> bool:
        """Whether nothing at all would change."""
        return not self.changes and (self.before.action, self.before.level) == (self.after.action, self.after.level)


@dataclass(slots=True)
class Totals:
    """All items: how many of each change every signature has, and how the actions move."""

    items: int = 0
    changed: int = 0
    signatures: dict[str, Counter[Kind]] = field(default_factory=dict)
    actions: Counter[tuple[Action, Action]] = field(default_factory=Counter)

    def add(self, compared: Compared) -> None:
        """Count one item."""
        self.items += 1
        self.changed += not compared.same
        for change in compared.changes:
            self.signatures.setdefault(change.signature, Counter())[change.kind] += 1
        if compared.before.action is not compared.after.action:
            self.actions[compared.before.action, compared.after.action] += 1


def compare(name: str, before: Judged, after: Judged) -> Compared:
    """Both judgements of the item called `name`, and what differs, by signature and place."""
    changes = [*_changes(before.inspection.findings, after.inspection.findings), *_unread(before.inspection, after.inspection)]
    return Compared(name=name, before=before, after=after, changes=tuple(changes))


def _changes(before: Iterable[Finding], after: Iterable[Finding]) -> Iterator[Change]:
    old, new = _states(before), _states(after)
    for signature, trail in sorted(old.keys() | new.keys()):
        was, becomes = old.get((signature, trail), ()), new.get((signature, trail), ())
        if was != becomes:
            yield Change(signature=signature, trail=trail, before=was, after=becomes)


def _states(findings: Iterable[Finding]) -> dict[tuple[str, Trail], tuple[State, ...]]:
    states: dict[tuple[str, Trail], list[State]] = {}
    for one in findings:
        told = (one.level or "", str(one.confidence), str(one.count), one.zone.value, one.mode.value)
        states.setdefault((one.signature, one.trail), []).append(told)
    return {key: tuple(sorted(told)) for key, told in states.items()}


def _unread(before: Inspection, after: Inspection) -> Iterator[Change]:
    old, new = ({(place.trail, place.why.value) for place in one.unscannable} for one in (before, after))
    for trail, why in sorted(old ^ new):
        lost, gained = ((why,),) if (trail, why) in old else (), ((why,),) if (trail, why) in new else ()
        yield Change(signature=UNREAD, trail=trail, before=lost, after=gained)
