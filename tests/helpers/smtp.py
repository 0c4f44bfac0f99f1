"""A next hop that fails on demand, and a client that says exactly the bytes it is told."""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

HANG, RESET, GARBAGE, CLOSE, SLOW = "hang", "reset", "garbage", "close", "slow"
"""What a fake hop may do instead of answering."""

EXTENSIONS = ("PIPELINING", "SIZE 52428800", "8BITMIME", "SMTPUTF8", "DSN", "ENHANCEDSTATUSCODES")

_DEFAULTS = {
    "connect": "220 hop.example ESMTP",
    "HELO": "250 hop.example",
    "MAIL": "250 2.1.0 hop takes the sender",
    "RCPT": "250 2.1.5 hop takes the recipient",
    "DATA": "354 hop listens",
    "end": "250 2.0.0 hop queued it as 4F2A",
    "RSET": "250 2.0.0 hop forgets",
    "QUIT": "221 2.0.0 bye",
    "STARTTLS": "220 2.0.0 go ahead",
}


@dataclass(frozen=True)
class Taken:
    """One message a hop took: its command lines and its bytes, dot included, as they came."""

    mail: bytes
    rcpt: tuple[bytes, ...]
    wire: bytes

    @property
    def content(self) -> bytes:
        return unstuffed(self.wire)


@dataclass
class FakeHop:
    """An SMTP or LMTP server. `replies` overrides an answer by verb ("connect", "end" and the commands), by a whole
    command line, or by one of HANG, RESET, GARBAGE, CLOSE; a list is used up one by one, its last for ever.

    `commands` are the lines as they came, `wire` each message as it came, dot included; `taken` what was answered 250.
    """

    replies: dict[str, str | list[str]] = field(default_factory=dict)
    extensions: tuple[str, ...] = EXTENSIONS
    lmtp: bool = False
    tls: ssl.SSLContext | None = None
    commands: list[bytes] = field(default_factory=list)
    wire: list[bytes] = field(default_factory=list)
    taken: list[Taken] = field(default_factory=list)
    connections: int = 0
    open: int = 0
    port: int = 0
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)
    _writers: set[asyncio.StreamWriter] = field(default_factory=set)

    @property
    def url(self) -> str:
        return f"{'lmtp' if self.lmtp else 'smtp'}://127.0.0.1:{self.port}"

    @property
    def messages(self) -> list[bytes]:
        """The content of each message, unstuffed."""
        return [unstuffed(one) for one in self.wire]

    def said(self, verb: str) -> list[bytes]:
        """The command lines that began with this verb."""
        return [line for line in self.commands if line.upper().startswith(verb.encode())]

    def disconnect(self) -> None:
        """End every connection now."""
        for writer in self._writers:
            writer.transport.abort()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self._writers.add(writer)
        self.connections += 1
        self.open += 1
        try:
            with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, EOFError):
                await self._converse(reader, writer)
        finally:
            self.open -= 1
            self._writers.discard(writer)
            self._tasks.discard(task)
            writer.close()

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await self._answer(writer, "connect")
        mail, rcpt = b"", list[bytes]()
        while line := (await reader.readuntil(b"\n")).removesuffix(b"\r\n"):
            self.commands.append(line)
            verb = line.split(b" ")[0].decode("ascii", "replace").upper()
            if verb in ("EHLO", "LHLO"):
                await self._answer(writer, verb, default=self._ehlo())
                continue
            code = await self._answer(writer, line.decode("latin-1") if line.decode("latin-1") in self.replies else verb)
            if verb == "STARTTLS" and code == "220" and self.tls:
                await writer.start_tls(self.tls)
            elif verb in ("MAIL", "RSET"):
                mail, rcpt = line, []
            elif verb == "RCPT" and code.startswith("2"):
                rcpt.append(line)
            elif verb == "DATA" and code == "354":
                if self.replies.get("content") == RESET:
                    await reader.read(1)
                    writer.transport.abort()
                    raise EOFError
                if self.replies.get("content") in (HANG, SLOW):
                    transport = writer.transport
                    assert isinstance(transport, asyncio.Transport)
                    transport.pause_reading()
                    await asyncio.sleep(3600 if self.replies["content"] == HANG else 0.7)
                    transport.resume_reading()
                self.wire.append(wire := await _message(reader))
                codes = [await self._answer(writer, "end") for _ in range(len(rcpt) if self.lmtp else 1)]
                if any(code.startswith("2") for code in codes):
                    self.taken.append(Taken(mail, tuple(rcpt), wire))
            elif verb == "QUIT":
                return

    def _ehlo(self) -> str:
        lines = ["hop.example", *self.extensions, *(["STARTTLS"] if self.tls else [])]
        return "\r\n".join([f"250-{line}" for line in lines[:-1]] + [f"250 {lines[-1]}"])

    async def _answer(self, writer: asyncio.StreamWriter, verb: str, *, default: str = "") -> str:
        scripted = self.replies.get(verb)
        if isinstance(scripted, list):
            scripted = scripted.pop(0) if len(scripted) > 1 else scripted[0]
        reply = scripted or default or _DEFAULTS.get(verb, "500 5.5.2 what?")
        if reply == HANG:
            await asyncio.sleep(3600)
        elif reply == RESET:
            writer.transport.abort()
            raise EOFError
        elif reply == CLOSE:
            raise EOFError
        elif reply == GARBAGE:
            reply = "\0\xff this is no SMTP"
        writer.write(reply.encode("utf-8", "surrogateescape") + b"\r\n")
        await writer.drain()
        if reply.startswith("421"):
            raise EOFError
        return reply[:3]


async def _message(reader: asyncio.StreamReader) -> bytes:
    """Everything up to CRLF.CRLF, and nothing looser."""
    wire = bytearray()
    while not (wire.endswith(b"\r\n.\r\n") or wire == b".\r\n"):
        wire += await reader.readuntil(b"\n")
    return bytes(wire)


def unstuffed(wire: bytes) -> bytes:
    """The content of a message on the wire, the slow and plain way."""
    lines = wire.removesuffix(b".\r\n").split(b"\r\n")
    return b"\r\n".join(line.removeprefix(b".") for line in lines)


def stuffed(content: bytes) -> bytes:
    """A message as a correct client sends it."""
    lines = content.split(b"\r\n")
    wire = b"\r\n".join(b"." + line if line.startswith(b".") else line for line in lines)
    return wire + (b".\r\n" if not content or content.endswith(b"\r\n") else b"\r\n.\r\n")


def normalised(content: bytes) -> bytes:
    """The rule, said the slow way: CRLF stays, LF alone is CRLF, CR alone is a space."""
    made, at = bytearray(), 0
    while at < len(content):
        if content[at : at + 2] == b"\r\n":
            made += b"\r\n"
            at += 2
            continue
        made += {b"\n": b"\r\n", b"\r": b" "}.get(content[at : at + 1], content[at : at + 1])
        at += 1
    return bytes(made)


@asynccontextmanager
async def running(hop: FakeHop, *, path: str | None = None) -> AsyncIterator[FakeHop]:
    """The hop on a free port of 127.0.0.1, or on a UNIX socket."""
    if path is not None:
        server: asyncio.Server = await asyncio.start_unix_server(hop.serve, path, limit=1 << 26)
    else:
        server = await asyncio.start_server(hop.serve, "127.0.0.1", 0, limit=1 << 26)
        hop.port = server.sockets[0].getsockname()[1]
    try:
        yield hop
    finally:
        server.close()
        tasks = list(hop._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await server.wait_closed()


class Conversation:
    """A client: `send` raw bytes, `reply` one whole reply."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def reply(self) -> str:
        """The next reply, lines joined by CRLF; "" if the server has closed."""
        lines = []
        while line := await asyncio.wait_for(self.reader.readline(), 20):
            lines.append(line.decode("utf-8", "surrogateescape").removesuffix("\r\n"))
            if line[3:4] != b"-":
                break
        return "\r\n".join(lines)

    async def say(self, *lines: bytes) -> str:
        """Each line with CRLF; the reply to the last."""
        reply = ""
        for line in lines:
            await self.send(line + b"\r\n")
            reply = await self.reply()
        return reply

    async def begin(self, *recipients: bytes, sender: bytes = b"<from@example.com>", ehlo: bool = True) -> str:
        """EHLO, MAIL, RCPT for each, DATA, as far as they are accepted; the last reply."""
        said = [b"EHLO client.example"] if ehlo else []
        said += [b"MAIL FROM:" + sender, *(b"RCPT TO:" + one for one in recipients or (b"<to@example.org>",)), b"DATA"]
        reply = ""
        for line in said:
            reply = await self.say(line)
            if not reply.startswith("2"):
                break
        return reply

    async def message(self, content: bytes, *recipients: bytes, sender: bytes = b"<from@example.com>", ehlo: bool = True) -> str:
        """A whole transaction, as far as it is accepted; the last reply."""
        reply = await self.begin(*recipients, sender=sender, ehlo=ehlo)
        if not reply.startswith("354"):
            return reply
        await self.send(stuffed(content))
        return await self.reply()

    async def closed(self) -> bool:
        """Nothing more comes and the connection has ended."""
        with contextlib.suppress(ConnectionError):
            return await asyncio.wait_for(self.reader.read(), 20) == b""
        return True


@asynccontextmanager
async def talking(address: tuple[str, int], *, greeted: bool = True) -> AsyncIterator[Conversation]:
    """A connection to `address`; its greeting is read first."""
    reader, writer = await asyncio.open_connection(*address, limit=1 << 26)
    conversation = Conversation(reader, writer)
    try:
        if greeted:
            assert (await conversation.reply()).startswith("220 ")
        yield conversation
    finally:
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()


def without_ours(message: bytes) -> tuple[bytes, Mapping[str, str]]:
    """A delivered message without the fields we add on top, and those fields."""
    added: dict[str, str] = {}
    name = ""
    while message:
        line, _, rest = message.partition(b"\r\n")
        if line.startswith(b"\t") and name:
            added[name] += line.decode()
        else:
            name = line.partition(b":")[0].decode("latin-1")
            if name in added or name not in ("Received", "X-DLP-Item", "X-DLP-Action", "X-DLP-Released"):
                break
            added[name] = line.partition(b":")[2].decode().strip()
        message = rest
    return message, added
