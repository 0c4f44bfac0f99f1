"""A spool between a test and a fake hop, with a clock that the test turns."""

import asyncio
import email
import email.policy
import os
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from pathlib import Path
from typing import Any

from dlp.blob import Blob
from dlp.channels.relay import NextHop
from dlp.channels.smtp_syntax import Address
from dlp.channels.spool import SpoolHop
from dlp.channels.spool_folder import SpoolFolder
from dlp.channels.spool_runner import SpoolRunner
from dlp.channels.spool_settings import SpoolSettings
from dlp.metrics import Metrics
from tests.helpers.smtp import FakeHop, running

START = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
HEAD = b"Received: from x\r\n\tby gate.example\r\n"
CONTENT = b"From: a@example.com\r\nSubject: hello\r\n\r\nGood morning.\r\n.dot\r\n"
SENDER = b"<a@example.com>"
PATIENT = 60.0


@dataclass
class Clock:
    """Stands still but for `pass_`."""

    now: datetime = START

    def __call__(self) -> datetime:
        return self.now

    def pass_(self, **span: float) -> None:
        self.now += timedelta(**span)


def an_address(path: bytes, *params: bytes) -> Address:
    return Address(path=path, params=params)


def recipients(*paths: bytes) -> list[Address]:
    return [an_address(path) for path in paths]


async def until(true: Callable[[], object], *, seconds: float = PATIENT) -> None:
    """Wait for it; a machine under load is slow."""
    async with asyncio.timeout(seconds):
        while not true():
            await asyncio.sleep(0.01)


@dataclass
class SpoolHouse:
    folder: SpoolFolder
    hop: FakeHop
    into: SpoolHop
    runner: SpoolRunner
    metrics: Metrics
    clock: Clock

    async def send(self, *to: Address | bytes, sender: Address | bytes = SENDER, content: bytes = CONTENT, key: str = "") -> str:
        """A message into the spool; the id it is queued as."""
        whole = [one if isinstance(one, Address) else an_address(one) for one in to or (b"<b@example.org>",)]
        author = sender if isinstance(sender, Address) else an_address(sender)
        with Blob.of([content]) as blob:
            reply = await self.into.deliver(author, whole, HEAD, blob, key=key)
        assert reply.startswith("250 2.0.0 Ok: queued as ")
        return reply.rpartition(" ")[2]

    async def emptied(self) -> None:
        """Everything has gone."""
        await until(lambda: not self.folder.names())

    async def tried(self, name: str, times: int) -> None:
        """A message has been tried so often, and is at rest."""
        await until(lambda: self.folder.look(name).tries >= times)

    def files(self, folder: str) -> list[str]:
        return sorted(path.name for path in (self.folder.root / folder).iterdir())


@asynccontextmanager
async def spool_house(
    root: Path,
    *,
    hop: FakeHop | None = None,
    clock: Clock | None = None,
    run: bool = True,
    limit: int = 1 << 20,
    timeout: float = PATIENT,
    patience: float = PATIENT,
    **settings: Any,
) -> AsyncIterator[SpoolHouse]:
    """Everything started, and stopped at the end; `settings` are SpoolSettings. Without `run` the runner stands still."""
    hop, clock, metrics = hop or FakeHop(), clock or Clock(), Metrics()
    folder = SpoolFolder(root / "spool", random=os.urandom)
    async with running(hop):
        real, asked = (NextHop.parse(hop.url, command_timeout=timeout, connect_timeout=timeout) for _ in range(2))
        runner = SpoolRunner(
            folder,
            real,
            SpoolSettings(**settings),
            metrics,
            clock=clock,
            random=os.urandom,
            hostname="gate.example",
            look=0.05,
            patience=patience,
        )
        into = SpoolHop(folder, asked, clock=clock, random=os.urandom, limit=limit, stored=runner.poke if run else lambda _: None)
        if run:
            await runner.start()
        else:
            folder.prepare()
        try:
            yield SpoolHouse(folder=folder, hop=hop, into=into, runner=runner, metrics=metrics, clock=clock)
        finally:
            await into.close()
            await runner.stop()


def parsed(message: bytes) -> EmailMessage:
    """A message as a mail program reads it, without a defect."""
    made = email.message_from_bytes(message, policy=email.policy.SMTP)
    assert isinstance(made, EmailMessage)
    assert not [defect for part in made.walk() for defect in part.defects]
    return made


def groups(report: EmailMessage) -> Sequence[Any]:
    """The groups of fields of a notification: the message's, then each recipient's."""
    status = report.get_payload(1)
    payload = status.get_payload()
    assert isinstance(payload, list)
    return payload
