"""A whole pipeline over the ports in memory: every step is recorded in order, every step can be made to fail."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from dlp.blob import Blob
from dlp.metrics import Metrics
from dlp.model import Channel, Envelope, FileOrigin, Finding, Inspection, Item, Unscannable, Verdict
from dlp.pipeline import Pipeline
from dlp.policy.policy import Policy
from dlp.ports import Incident
from tests.helpers.memory import Faults, MemoryAudit, MemoryIncidents, MemoryQuarantine
from tests.policy.builders import a_policy, a_rule

NOW = datetime(2026, 3, 4, 12, tzinfo=UTC)
CONTENT = b"the plan of the year"

RULES = "".join(
    a_rule(f'signature = "{action}"', action, f"rule {action}") for action in ("alert", "quarantine", "block")
) + a_rule("unscannable = true", "quarantine", "rule unread")
"""A finding's signature is the action it leads to; a place that could not be read is quarantined."""


class Recorded(Faults):
    """Faults that also write every call, failing or not, into one list shared by all ports."""

    def __init__(self, port: str, events: list[str]) -> None:
        super().__init__()
        self._port = port
        self._events = events

    def hit(self, method: str) -> None:
        self._events.append(f"{self._port}.{method}")
        super().hit(method)


class RecordingGate:
    """`ports.Gate`. `fault` is what either verb raises; `released` and `withheld` count what really happened."""

    def __init__(self, events: list[str], *, destroys: bool, fault: Exception | None = None) -> None:
        self.events = events
        self.destroys = destroys
        self.attributes: Mapping[str, Any] = {"mode": 0o640}
        self.fault = fault
        self.released = 0
        self.withheld: list[tuple[Verdict, str, str | None]] = []

    async def release(self) -> None:
        self.events.append("gate.release")
        self._fail()
        self.released += 1

    async def withhold(self, verdict: Verdict, incident: str, held: str | None) -> None:
        self.events.append("gate.withhold")
        self._fail()
        self.withheld.append((verdict, incident, held))

    def _fail(self) -> None:
        if self.fault is not None:
            raise self.fault


class MarkableGate(RecordingGate):
    """`ports.Markable`: it keeps what it was marked with."""

    def mark(self, level: str | None) -> None:
        self.events.append("gate.mark")
        self.level = level


class DivisibleGate(RecordingGate):
    """`ports.Divisible`: it divides into one that keeps back and one that goes on, which `fault` is for."""

    def __init__(self, events: list[str], *, fault: Exception | None = None) -> None:
        super().__init__(events, destroys=False)
        self.back, self.on = RecordingGate(events, destroys=False), RecordingGate(events, destroys=False, fault=fault)
        self.asked: frozenset[int] | None = None

    async def divide(self, withheld: frozenset[int]) -> tuple[RecordingGate, RecordingGate]:
        self.events.append("gate.divide")
        self._fail()
        self.asked = withheld
        return self.back, self.on


class ReplaceableGate(RecordingGate):
    """`ports.Replaceable`: what goes in its place goes by `instead`, which `fault` is for; `sent` is what went."""

    def __init__(self, events: list[str], *, fault: Exception | None = None, patience: float = 60.0) -> None:
        super().__init__(events, destroys=False)
        self.patience = patience
        self.instead = RecordingGate(events, destroys=False, fault=fault)
        self.sent: list[bytes] = []

    def replaced(self, blob: Blob) -> RecordingGate:
        self.sent.append(blob.read())
        return self.instead


class ApartGate(DivisibleGate):
    """`ports.Divisible` whose withheld recipients have a `ports.Replaceable`, `apart`."""

    def __init__(self, events: list[str], *, fault: Exception | None = None, others: Exception | None = None) -> None:
        super().__init__(events, fault=others)
        self.back = self.apart = ReplaceableGate(events, fault=fault)


class FixedInspector:
    """`ports.Inspector` that has found what it was told, or raises what it was told; `again` is for what it sees after the
    first item, after `seconds`. `seen` are the contents."""

    def __init__(self, events: list[str]) -> None:
        self.answer: Inspection | Exception = Inspection()
        self.again: Inspection | Exception | None = None
        self.seconds = 0.0
        self.seen: list[bytes] = []
        self._events = events

    async def inspect(self, item: Item) -> Inspection:
        self._events.append("inspect")
        answer = self.again if self.again is not None and self.seen else self.answer
        if self.seen:
            await asyncio.sleep(self.seconds)
        self.seen.append(item.blob.read())
        if isinstance(answer, Exception):
            raise answer
        return answer


@dataclass
class RecordingNotify:
    """`ports.Notify` that keeps what it was told."""

    events: list[str]
    told: list[Incident] = field(default_factory=list)

    async def incident(self, incident: Incident) -> None:
        self.events.append("notify")
        self.told.append(incident)


class House:
    """One pipeline and everything behind it. `events` names every step of every port in the order it was begun."""

    def __init__(self, folder: Path, *, evidence: bool = True, rules: str = RULES) -> None:
        self.events: list[str] = []
        self.incidents, self.quarantine, self.audit = MemoryIncidents(), MemoryQuarantine(), MemoryAudit()
        self.incidents.faults = Recorded("incidents", self.events)
        self.quarantine.faults = Recorded("quarantine", self.events)
        self.audit.faults = Recorded("audit", self.events)
        self.inspector, self.notify = FixedInspector(self.events), RecordingNotify(self.events)
        self.metrics = Metrics()
        self.policy: Policy = a_policy(folder, rules)
        self.pipeline = Pipeline(
            inspector=self.inspector,
            notice=lambda incident: f"withheld, see {incident}",
            policy=self.policy,
            incidents=self.incidents,
            quarantine=self.quarantine,
            audit=self.audit,
            notify=self.notify,
            metrics=self.metrics,
            clock=lambda: NOW + timedelta(seconds=2),
            evidence=evidence,
        )

    def finds(self, *findings: Finding, unread: tuple[Unscannable, ...] = ()) -> None:
        """What the inspection of every item gives from now on."""
        self.inspector.answer = Inspection(findings=findings, unscannable=unread)

    def gate(self, *, destroys: bool, fault: Exception | None = None) -> RecordingGate:
        return RecordingGate(self.events, destroys=destroys, fault=fault)

    @property
    def only_incident(self) -> Incident:
        """The one incident there is."""
        (incident,) = self.incidents.rows.values()
        return incident

    def sample(self, name: str, **labels: str) -> float:
        """The value of one metric, 0 where it was never set."""
        return self.metrics.registry.get_sample_value(name, labels) or 0.0


def a_message(*recipients: str, content: bytes = CONTENT) -> Item:
    """A message from inside to these; who calls closes the blob."""
    origin = Envelope(peer="192.0.2.1:25", sender="ann@example.com", recipients=recipients, subject="the plan")
    return Item(id="item-1", channel=Channel.MAIL, origin=origin, blob=Blob.of([content]), arrived=NOW)


def an_item(*, file: bool, path: str = "/media/x/plan.docx", content: bytes = CONTENT) -> Item:
    """A file on a drive, or a message to the outside, over a sealed copy of `content`; who calls closes the blob."""
    origin: FileOrigin | Envelope
    if file:
        origin = FileOrigin(path=path, volume="/media/x", owner="alice", device="SER1", inode=7)
    else:
        origin = Envelope(peer="192.0.2.1:25", sender="ann@example.com", recipients=("bob@example.org",), subject="the plan")
    channel = Channel.USB if file else Channel.MAIL
    return Item(id="item-1", channel=channel, origin=origin, blob=Blob.of([content]), arrived=NOW)
