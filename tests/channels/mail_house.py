"""A gateway between a client and a fake hop, judged by a pipeline that does what it is told."""

import asyncio
import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from dlp.blob import Blob
from dlp.channels.mail import MailGateway
from dlp.channels.mail_settings import MailSettings
from dlp.channels.relay import NextHop
from dlp.metrics import Metrics
from dlp.model import Action, Envelope, Inspection, Item, ReleaseClaim, Verdict
from dlp.ports import Divisible, Gate, Markable, Outcome, Replaceable
from tests.helpers.smtp import FakeHop, running

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


@dataclass
class Judge:
    """Implements ports.Submit: acts as `action` says, after `wait` is set, and raises `error` before or after acting."""

    action: Action = Action.ALLOW
    error: Exception | None = None
    error_after: Exception | None = None
    held: str | None = "held-1"
    wait: asyncio.Event | None = None
    arrived: asyncio.Event = field(default_factory=asyncio.Event)
    envelopes: list[Envelope] = field(default_factory=list)
    contents: list[bytes] = field(default_factory=list)
    attributes: list[Any] = field(default_factory=list)
    claims: list[ReleaseClaim | None] = field(default_factory=list)
    apart: frozenset[int] = frozenset()
    level: str | None = None
    instead: bytes | None = None
    """What goes in place of what is withheld."""
    patience: float = 0.0

    async def __call__(self, item: Item, gate: Gate) -> Outcome:
        assert isinstance(item.origin, Envelope)
        self.envelopes.append(item.origin)
        self.contents.append(item.blob.read())
        self.claims.append(item.claim)
        if self.apart and isinstance(gate, Divisible) and len(item.recipients) > len(self.apart):
            return await self._divided(gate)
        self.attributes.append(gate.attributes)
        self.arrived.set()
        if self.wait is not None:
            await self.wait.wait()
        if self.error is not None:
            raise self.error
        verdict = Verdict(action=self.action, level=self.level)
        if isinstance(gate, Markable):
            gate.mark(self.level)
        if self.instead is not None:
            await self._replaced(gate, self.instead)
        elif self.action >= Action.QUARANTINE:
            await gate.withhold(verdict, "incident-7", self.held)
        else:
            await gate.release()
        if self.error_after is not None:
            raise self.error_after
        return Outcome(verdict=verdict, inspection=Inspection())

    async def _divided(self, gate: Divisible) -> Outcome:
        """Keep it back from those `apart`; a message to them alone is held whole."""
        back, on = await gate.divide(self.apart)
        self.attributes += [back.attributes, on.attributes]
        self.action = Action.QUARANTINE
        verdict = Verdict(action=Action.QUARANTINE)
        if self.instead is None:
            await back.withhold(verdict, "incident-7", self.held)
        await on.release()
        if self.instead is not None:
            await self._replaced(back, self.instead)
        return Outcome(verdict=verdict, inspection=Inspection())

    async def _replaced(self, gate: Gate, content: bytes) -> None:
        assert isinstance(gate, Replaceable)
        self.patience = gate.patience
        with Blob.of([content]) as blob:
            await gate.replaced(blob).release()


@dataclass
class House:
    gateway: MailGateway
    judge: Judge
    hop: FakeHop
    metrics: Metrics

    @property
    def address(self) -> tuple[str, int]:
        return self.gateway.addresses[0]


@asynccontextmanager
async def house(
    *,
    hop: FakeHop | None = None,
    judge: Judge | None = None,
    maildir: Path | None = None,
    through: NextHop | None = None,
    **settings: Any,
) -> AsyncIterator[House]:
    """Everything started, and stopped at the end; `settings` are MailSettings; `through` takes the hop's place."""
    hop, judge, metrics = hop or FakeHop(), judge or Judge(), Metrics()
    ids = itertools.count(1)
    async with running(hop):
        chosen = {"listen": ("127.0.0.1:0",), "hostname": "gate.example", "next_hop": hop.url, **settings}
        if maildir is not None:
            chosen["next_hop"] = f"maildir:{maildir}"
        gateway = MailGateway(
            MailSettings(**chosen), judge, metrics, clock=lambda: NOW, new_id=lambda: f"item-{next(ids)}", hop=through
        )
        await gateway.start()
        try:
            yield House(gateway=gateway, judge=judge, hop=hop, metrics=metrics)
        finally:
            if judge.wait is not None:
                judge.wait.set()
            await asyncio.wait_for(gateway.stop(), 20)
