"""The store's ports in memory, for the tests of other rooms; they fail on demand. The contract tests hold them to the real ones.

incidents = MemoryIncidents()
incidents.faults.fail("close", times=1)     # the next close raises StoreError, as on a full disk
"""

import hashlib
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from dlp.errors import StoreError
from dlp.model import Channel, Envelope, FileOrigin, Finding, Inspection, Item, Origin, ReleaseClaim, Verdict
from dlp.ports import FileVersion, Held, Incident
from dlp.redact import mask
from dlp.store.quarantine import covers


class Faults:
    """Which methods fail, how often, and with what; `calls` counts all calls."""

    def __init__(self) -> None:
        self.calls: Counter[str] = Counter()
        self._planned: dict[str, tuple[int | None, Exception]] = {}

    def fail(self, method: str, *, times: int | None = None, error: Exception | None = None) -> None:
        """From now on `method` raises (`error`, or else StoreError), for `times` calls or until `mend`."""
        self._planned[method] = (times, error or StoreError(f"{method}: no space is left (injected)"))

    def mend(self) -> None:
        """Nothing fails any more."""
        self._planned.clear()

    def hit(self, method: str) -> None:
        """Called by every method first."""
        self.calls[method] += 1
        if method not in self._planned:
            return
        times, error = self._planned[method]
        if times == 0:
            return
        self._planned[method] = (None if times is None else times - 1, error)
        raise error


def _unreviewed(finding: Finding) -> dict[str, str]:
    return {name: value for name, value in finding.facts.items() if name != "review"}


def _now() -> datetime:
    return datetime.now(UTC)


def _masked(origin: Origin) -> Origin:
    if isinstance(origin, Envelope) and origin.subject is not None:
        return replace(origin, subject=mask(origin.subject))
    return origin


class MemoryIncidents:
    """`ports.Incidents`."""

    def __init__(self) -> None:
        self.faults = Faults()
        self.rows: dict[str, Incident] = {}

    def open(self, item: Item, inspection: Inspection, verdict: Verdict) -> str:
        self.faults.hit("open")
        incident = f"inc-{len(self.rows) + 1:06}"
        self.rows[incident] = Incident(
            id=incident,
            opened=_now(),
            channel=item.channel,
            origin=_masked(item.origin),
            verdict=verdict,
            findings=inspection.findings,
            unscannable=inspection.unscannable,
            sha256=item.blob.sha256,
            size=item.blob.size,
        )
        return incident

    def close(self, incident: str, *, held: str | None, verdict: Verdict | None = None) -> None:
        more = {} if verdict is None else {"verdict": verdict}
        self._change("close", incident, state="closed", closed=_now(), enforced=True, quarantine=held, error="", **more)

    def fail(self, incident: str, error: str, *, held: str | None) -> None:
        self._change("fail", incident, state="failed", enforced=False, quarantine=held, error=error)

    def get(self, incident: str) -> Incident | None:
        self.faults.hit("get")
        return self.rows.get(incident)

    def list(self, *, state: str | None = None, channel: Channel | None = None) -> Iterator[Incident]:
        self.faults.hit("list")
        for row in tuple(self.rows.values()):
            if state in (None, row.state) and channel in (None, row.channel):
                yield row

    def review(self, incident: str, outcome: str, by: str, *, false: Collection[str] = ()) -> None:
        if outcome not in ("confirmed", "false-positive", "other"):
            raise StoreError(f"{outcome!r} is no outcome")
        self._change("review", incident, review=outcome, reviewed_by=by)
        marked = tuple(
            replace(one, facts={**one.facts, "review": "false-positive"} if one.signature in false else _unreviewed(one))
            for one in self.rows[incident].findings
        )
        self.rows[incident] = replace(self.rows[incident], findings=marked)
        if self.rows[incident].state in ("interrupted", "failed"):
            self.rows[incident] = replace(self.rows[incident], state="closed", closed=_now())

    def interrupted(self) -> int:
        self.faults.hit("interrupted")
        was_open = [row for row in self.rows.values() if row.state == "open"]
        self.rows |= {row.id: replace(row, state="interrupted") for row in was_open}
        return len(was_open)

    def counts_open(self) -> Mapping[str, int]:
        self.faults.hit("counts_open")
        return Counter(row.verdict.level or "none" for row in self.rows.values() if row.state != "closed")

    def _change(self, method: str, incident: str, **values: Any) -> None:
        self.faults.hit(method)
        if incident not in self.rows:
            raise StoreError(f"there is no incident {incident}")
        self.rows[incident] = replace(self.rows[incident], **values)


class MemoryQuarantine:
    """`ports.Quarantine`."""

    def __init__(self) -> None:
        self.faults = Faults()
        self.rows: dict[str, Held] = {}
        self.contents: dict[str, bytes] = {}
        self._let_go: set[str] = set()

    def store(self, item: Item, incident: str, verdict: Verdict, attributes: Mapping[str, Any]) -> str:
        self.faults.hit("store")
        for row in self.rows.values():
            if (row.incident, row.sha256) == (incident, item.blob.sha256) and row.state in ("held", "releasing"):
                return row.id
        held = f"q-{len(self.rows) + 1:06}"
        self.contents[held] = item.blob.read()
        self.rows[held] = Held(
            id=held,
            incident=incident,
            channel=item.channel,
            stored=_now(),
            size=item.blob.size,
            sha256=item.blob.sha256,
            level=verdict.level,
            origin=_masked(item.origin),
            state="held",
            approve_by=verdict.approve_by,
            attributes=dict(attributes),
        )
        return held

    def get(self, held: str) -> Held | None:
        self.faults.hit("get")
        return self.rows.get(held)

    def list(self, *, state: str | None = None) -> Iterator[Held]:
        self.faults.hit("list")
        yield from (row for row in tuple(self.rows.values()) if state in (None, row.state))

    def released(self, item: Item) -> str | None:
        self.faults.hit("released")
        if isinstance(item.origin, Envelope):
            return self._released_message(item.origin, item.claim)
        for row in reversed(self.rows.values()):
            if not isinstance(row.origin, FileOrigin):
                continue
            same = (row.sha256, row.origin.path) == (item.blob.sha256, item.origin.path)
            if same and (row.state == "releasing" or row.id in self._let_go):
                return row.id
        return None

    def _released_message(self, envelope: Envelope, claim: ReleaseClaim | None) -> str | None:
        row = self.rows.get(claim.held) if claim else None
        if claim is None or row is None or claim.seal != self.seal(claim.held, claim.body):
            return None
        let_go = row.state == "releasing" or row.id in self._let_go
        return row.id if let_go and isinstance(row.origin, Envelope) and covers(row.origin, envelope) else None

    def seal(self, held: str, body: str) -> str:
        return hashlib.sha256(f"memory {held} {body}".encode()).hexdigest()

    def content(self, held: str) -> Iterator[bytes]:
        self.faults.hit("content")
        if held not in self.contents:
            raise StoreError(f"there is nothing {held}, or it was purged")
        yield self.contents[held]

    @contextmanager
    def releasing(self, held: str) -> Iterator[None]:
        self.faults.hit("releasing")
        row = self.rows.get(held)
        if row is None or row.state != "held":
            raise StoreError(f"{held} is not held")
        self.rows[held] = replace(row, state="releasing")
        try:
            yield
        except BaseException:
            self.rows[held] = row
            raise
        self.rows[held] = replace(row, state="released")
        self._let_go.add(held)

    def purge(self, held: str) -> None:
        self.faults.hit("purge")
        row = self.rows.get(held)
        if row is None or row.state == "releasing":
            raise StoreError(f"there is nothing {held}, or it is being released")
        self.rows[held] = replace(row, state="purged", attributes={})
        self.contents.pop(held, None)

    def totals(self) -> tuple[int, int]:
        self.faults.hit("totals")
        kept = [row.size for row in self.rows.values() if row.state in ("held", "releasing")]
        return len(kept), sum(kept)


class MemoryJournal:
    """`ports.Journal`."""

    def __init__(self) -> None:
        self.faults = Faults()
        self.rows: dict[tuple[int, int, str], FileVersion] = {}

    def known(self, version: FileVersion) -> bool:
        self.faults.hit("known")
        return self.rows.get((version.device, version.inode, version.path)) == version

    def note(self, version: FileVersion) -> None:
        self.faults.hit("note")
        self.rows[version.device, version.inode, version.path] = version

    def keep_only(self, basis: str) -> int:
        self.faults.hit("keep_only")
        old = [key for key, version in self.rows.items() if version.basis != basis]
        for key in old:
            del self.rows[key]
        return len(old)


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One record."""

    event: str
    facts: Mapping[str, object] = field(default_factory=dict)
    durable: bool = True


class MemoryAudit:
    """`ports.Audit`."""

    def __init__(self) -> None:
        self.faults = Faults()
        self.records: list[AuditEntry] = []

    def record(self, event: str, *, durable: bool = True, **facts: object) -> None:
        self.faults.hit("record")
        for name, value in facts.items():
            _plain(name, value)
        self.records.append(AuditEntry(event, facts, durable))

    def events(self) -> list[str]:
        """The events, in order."""
        return [record.event for record in self.records]


def _plain(name: str, value: object) -> None:
    if isinstance(value, list | tuple):
        for one in value:
            _plain(name, one)
    elif value is not None and not isinstance(value, str | int | float | bool):
        raise TypeError(f"audit fact {name!r} is a {type(value).__name__}")
