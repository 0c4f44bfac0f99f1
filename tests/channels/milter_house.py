"""A milter between a mail server and a pipeline that does what it is told. The mail server is one of ours, written apart
from what it tests, that speaks as Postfix and Sendmail do."""

import asyncio
import itertools
import struct
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dlp.channels.milter import MilterServer
from dlp.channels.milter_settings import MilterSettings
from dlp.metrics import Metrics
from tests.channels.mail_house import NOW, Judge

ALL_ACTIONS = 0x1FF
ALL_EVENTS = 0x1FFFFF
NO_REPLIES = 0xFF080
OLD_EVENTS = 0x7F
"""What version 2 knew: every packet is answered, values come without their space."""

Packet = tuple[str, bytes]


def packet(letter: str, data: bytes = b"") -> bytes:
    return struct.pack(">I", 1 + len(data)) + letter.encode() + data


def offer(version: int = 6, actions: int = ALL_ACTIONS, events: int = ALL_EVENTS) -> bytes:
    return packet("O", struct.pack(">III", version, actions, events))


def macros(letter: str, **values: str) -> bytes:
    """A name of one letter stands alone, a longer one in braces."""
    pairs = [(name if len(name) == 1 else f"{{{name}}}", value) for name, value in values.items()]
    return packet("D", letter.encode() + b"".join(f"{name}\0{value}\0".encode() for name, value in pairs))


def connect(name: str = "client.example", family: str = "4", address: str = "192.0.2.7", port: int = 40123) -> bytes:
    place = family.encode() + (struct.pack(">H", port) + address.encode() + b"\0" if family in "46L" else b"")
    return packet("C", name.encode() + b"\0" + place)


MESSAGE = b"From: a@example.com\nSubject: hello\n\nGood morning.\r\n"
CONTENT = b"From: a@example.com\r\nSubject: hello\r\n\r\nGood morning.\r\n"


@dataclass
class MailServer:
    """A mail server's side of one connection. `space`: it sends values with the space behind the colon, as it has agreed;
    `waits`: what it sends that is answered."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    space: bool = True
    waits: str = ""
    agreed: tuple[int, int, int] = (0, 0, 0)
    wanted: dict[int, str] = field(default_factory=dict)

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def receive(self) -> Packet:
        """The next packet; ("", b"") once the milter has closed."""
        try:
            (length,) = struct.unpack(">I", await self._exactly(4))
            data = await self._exactly(length)
        except (asyncio.IncompleteReadError, ConnectionError):
            return "", b""
        return chr(data[0]), data[1:]

    async def _exactly(self, count: int) -> bytes:
        return await asyncio.wait_for(self.reader.readexactly(count), 60)

    async def say(self, data: bytes) -> Packet | None:
        """One packet, and the answer to it if it has one."""
        await self.send(data)
        return await self.receive() if chr(data[4]) in self.waits else None

    async def negotiate(self, **offered: int) -> None:
        await self.send(offer(**offered))
        letter, data = await self.receive()
        assert letter == "O", letter
        self.agreed = struct.unpack(">III", data[:12])
        flags, rest = self.agreed[2], data[12:]
        while rest:
            names, _, after = rest[4:].partition(b"\0")
            self.wanted[struct.unpack(">I", rest[:4])[0]] = names.decode()
            rest = after
        self.space = bool(flags & 0x100000)
        by_flag = {0x80: "L", 0x1000: "C", 0x2000: "H", 0x4000: "M", 0x8000: "R", 0x10000: "T", 0x40000: "N", 0x80000: "B"}
        self.waits = "".join(letter for flag, letter in by_flag.items() if not flags & flag)

    async def hello(self, **offered: int) -> None:
        """Everything up to the first message."""
        await self.negotiate(**offered)
        for one in (connect(), macros("H", tls_version=""), packet("H", b"client.example\0")):
            assert await self.say(one) in (None, ("c", b""))

    def parts(
        self,
        message: bytes,
        sender: bytes,
        recipients: Iterable[bytes],
        *,
        queue_id: str = "4F2A",
        user: str = "",
        chunk: int = 65535,
    ) -> list[bytes]:
        """A message in packets. Its fields end with LF, as their folds do in a packet; its body is sent as it is.
        `sender` and `recipients` may have parameters behind a space."""
        head, _, body = message.partition(b"\n\n") if not message.startswith(b"\n") else (b"", b"", message[1:])
        said = [macros("M", auth_authen=user), packet("M", sender.replace(b" ", b"\0") + b"\0")]
        said += [packet("R", one.replace(b" ", b"\0") + b"\0") for one in recipients]
        fields: list[bytes] = []
        for line in head.removesuffix(b"\n").split(b"\n") if head else []:
            if line[:1] in (b" ", b"\t") and fields:
                fields[-1] += b"\n" + line
            else:
                fields.append(line)
        for name, _, value in (one.partition(b":") for one in fields):
            said.append(packet("L", name + b"\0" + (value if self.space else value.removeprefix(b" ")) + b"\0"))
        said += [packet("N")] if not self.agreed[2] & 0x40 else []
        said += [packet("B", body[at : at + chunk]) for at in range(0, len(body), chunk)]
        return [*said, macros("E", i=queue_id), packet("E")]

    async def message(
        self,
        message: bytes = MESSAGE,
        *recipients: bytes,
        sender: bytes = b"<from@example.com>",
        **more: Any,
    ) -> list[Packet]:
        """Send it as one who waits only where there is something to wait for; everything said at its end."""
        batch = b""
        for part in self.parts(message, sender, recipients or (b"<to@example.org>",), **more):
            batch += part
            if chr(part[4]) in self.waits:
                await self.send(batch)
                answer = await self.receive()
                batch = b""
                if answer != ("c", b""):
                    return [answer]
        await self.send(batch)
        return await self.answer()

    async def answer(self) -> list[Packet]:
        """What is said at the end of a message, up to what ends it."""
        said = [await self.receive()]
        while said[-1][0] in tuple("him+-bqp"):
            said.append(await self.receive())
        return said

    async def close(self) -> None:
        self.writer.close()


@dataclass
class House:
    server: MilterServer
    judge: Judge
    metrics: Metrics
    path: Path

    @asynccontextmanager
    async def talking(self) -> AsyncIterator[MailServer]:
        """A connection on which nothing has been said."""
        reader, writer = await asyncio.open_unix_connection(str(self.path))
        try:
            yield MailServer(reader, writer)
        finally:
            writer.close()

    @asynccontextmanager
    async def greeted(self, **offered: int) -> AsyncIterator[MailServer]:
        """A connection ready for its first message."""
        async with self.talking() as client:
            await client.hello(**offered)
            yield client


@asynccontextmanager
async def house(folder: Path, *, judge: Any = None, listen: Sequence[str] = (), **settings: Any) -> AsyncIterator[House]:
    """Everything started, and stopped at the end; `settings` are MilterSettings."""
    judge, metrics, path, ids = judge or Judge(), Metrics(), folder / "milter.sock", itertools.count(1)
    chosen = MilterSettings(listen=(f"unix:{path}", *listen), hostname="gate.example", **settings)
    server = MilterServer(chosen, judge, metrics, clock=lambda: NOW, new_id=lambda: f"item-{next(ids)}")
    await server.start()
    try:
        yield House(server=server, judge=judge, metrics=metrics, path=path)
    finally:
        if getattr(judge, "wait", None) is not None:
            judge.wait.set()
        await asyncio.wait_for(server.stop(), 60)


def added(said: Iterable[Packet]) -> list[tuple[int, str]]:
    """The fields inserted, with their places, in the order in which they were said."""
    found = []
    for letter, data in said:
        if letter == "i":
            name, value, _ = data[4:].split(b"\0")
            found.append((struct.unpack(">I", data[:4])[0], f"{name.decode()}:{value.decode()}"))
    return found


def deleted(said: Iterable[Packet]) -> list[tuple[str, int]]:
    """The fields deleted: name and number."""
    found = []
    for letter, data in said:
        if letter == "m":
            name, value, _ = data[4:].split(b"\0")
            assert value == b""
            found.append((name.decode(), struct.unpack(">I", data[:4])[0]))
    return found
