"""A clamd socket before a pipeline that does what it is told, and one who asks there."""

import asyncio
import itertools
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dlp.channels.clamd import About, ClamdServer
from dlp.channels.clamd_settings import ClamdSettings
from dlp.metrics import Metrics
from dlp.model import Action, FileOrigin, Inspection, Item, Limits, Verdict
from dlp.ports import Gate, Outcome
from tests.channels.mail_house import NOW

SECRET = b"the secret plan"


@dataclass
class Judge:
    """Implements ports.Submit: withholds what has "secret" in it, once `wait` is set; raises `error` before."""

    action: Action = Action.QUARANTINE
    level: str | None = "secret"
    error: Exception | None = None
    wait: asyncio.Event | None = None
    arrived: asyncio.Event = field(default_factory=asyncio.Event)
    origins: list[FileOrigin] = field(default_factory=list)
    contents: list[bytes] = field(default_factory=list)
    attributes: list[Any] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    at_once: int = 0
    most_at_once: int = 0

    async def __call__(self, item: Item, gate: Gate) -> Outcome:
        assert isinstance(item.origin, FileOrigin)
        assert gate.destroys
        self.origins.append(item.origin)
        self.contents.append(content := b"".join(itertools.islice(item.blob.chunks(), 64)))
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        self.arrived.set()
        try:
            if self.wait is not None:
                await self.wait.wait()
            if self.error is not None:
                raise self.error
            return await self._judged(content, gate)
        except Exception as error:
            self.failures.append(str(error))
            raise
        finally:
            self.at_once -= 1

    async def _judged(self, content: bytes, gate: Gate) -> Outcome:
        if b"secret" not in content:
            await gate.release()
            return Outcome(verdict=Verdict(), inspection=Inspection())
        verdict = Verdict(action=self.action, level=self.level)
        if self.action >= Action.QUARANTINE:
            self.attributes.append(gate.attributes)
            await gate.withhold(verdict, "inc-7", "q-7")
        else:
            await gate.release()
        return Outcome(verdict=verdict, inspection=Inspection(), incident="inc-7", held="q-7")


def chunk(data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + data


def stream(*chunks: bytes) -> bytes:
    """A whole stream behind its command."""
    return b"zINSTREAM\0" + b"".join(map(chunk, chunks)) + chunk(b"")


@dataclass
class Client:
    """One connection."""

    socket: socket.socket

    async def send(self, data: bytes, *descriptors: int) -> None:
        if descriptors:
            socket.send_fds(self.socket, [data], list(descriptors))
        else:
            await asyncio.get_running_loop().sock_sendall(self.socket, data)

    async def receive(self) -> bytes:
        """What comes next; b"" once the server has hung up."""
        try:
            return await asyncio.wait_for(asyncio.get_running_loop().sock_recv(self.socket, 1 << 16), 60)
        except ConnectionError:
            return b""

    async def rest(self) -> bytes:
        """Everything until the server hangs up."""
        found = b""
        while data := await self.receive():
            found += data
        return found

    async def replies(self, count: int) -> list[bytes]:
        """So many replies, each ended by NUL."""
        found = b""
        while found.count(b"\0") < count:
            data = await self.receive()
            assert data, found
            found += data
        return found.split(b"\0")[:-1]


@dataclass
class House:
    server: ClamdServer
    judge: Judge
    metrics: Metrics
    path: Path

    @asynccontextmanager
    async def talking(self) -> AsyncIterator[Client]:
        peer = socket.socket(socket.AF_UNIX)
        peer.setblocking(False)
        with peer:
            await asyncio.get_running_loop().sock_connect(peer, str(self.path))
            yield Client(peer)

    async def ask(self, request: bytes, *descriptors: int) -> bytes:
        """Everything that is answered to a request, up to the end of the connection."""
        async with self.talking() as client:
            await client.send(request, *descriptors)
            return await client.rest()


@asynccontextmanager
async def house(
    folder: Path, *, judge: Judge | None = None, limits: Limits | None = None, **settings: Any
) -> AsyncIterator[House]:
    """Everything started, and stopped at the end; `settings` are ClamdSettings."""
    judge, metrics, path, ids = judge or Judge(), Metrics(), folder / "clamd.sock", itertools.count(1)
    server = ClamdServer(
        ClamdSettings(socket=path, **settings),
        judge,
        metrics,
        limits=lambda: limits or Limits(),
        clock=lambda: NOW,
        new_id=lambda: f"item-{next(ids)}",
        about=About(version="9.9", signatures=lambda: 42),
        folder=folder,
    )
    await server.start()
    try:
        yield House(server=server, judge=judge, metrics=metrics, path=path)
    finally:
        if judge.wait is not None:
            judge.wait.set()
        await asyncio.wait_for(server.stop(), 60)
