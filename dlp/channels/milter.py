"""The milter: a second door of the mail channel, opened by the mail server itself while it takes a message.

The mail server shows us each message before it answers its client, and we say what becomes of it:
it goes on, marked; it is refused; or it is held, and the client is told that all is well. The mail
server keeps what goes on and answers for it. A fault of ours is 451. Of everything but the end of a message
no answer is awaited, where the mail server agrees, so that it never waits for us in between.
"""

import asyncio
import functools
import socket
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import structlog

from dlp.channels import milter_wire as wire
from dlp.channels.mail_door import FAILED, LATE, judged
from dlp.channels.milter_gate import Marking, MilterGate, SplitMilterGate, separable
from dlp.channels.milter_message import Message
from dlp.channels.milter_settings import MilterSettings
from dlp.channels.milter_socket import SocketFile
from dlp.channels.smtp_client import Arrival, Client
from dlp.channels.smtp_syntax import Address, received
from dlp.channels.smtp_wire import Room, Storage
from dlp.metrics import Metrics
from dlp.model import Channel, Envelope, Item
from dlp.ports import Submit

log = structlog.get_logger()

BUSY = "451 4.3.2 Too many sessions, try again later"
PROGRESS_SECONDS = 20.0
"""How often the mail server is told that we are still at work."""
FAREWELL = 5.0
"""Seconds a message has to arrive to its end when we stop."""
BACKLOG = 1024
_TICK = 0.02
LOCAL = "0"
"""The port of a client that did not come by SMTP. What Postfix then calls a recipient is not what it was called first,
by which alone it can be taken away."""
_NAMELESS = "unknown"
"""What stands in a trace field for a client that has no address: mail from the mail server's own machine."""


class MilterSession(asyncio.Protocol):
    """One connection of the mail server: any number of messages, one after the other.

    What has to be answered returns its answer, None for the usual one.

    `refused`: there is no room for it, so that every message is told to come again.
    """

    def __init__(self, server: "MilterServer", *, refused: bool) -> None:
        self._server = server
        self._refused = refused
        self._packets = wire.Packets()
        self._offer: wire.Offer | None = None
        self._silent: frozenset[int] = frozenset()
        self._macros: dict[int, dict[str, str]] = {}
        self._connection = wire.Connection("", "", 0)
        self._helo = ""
        self._message: Message | None = None
        self._gate: MilterGate | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._late = 0.0
        self._closing = False
        self._transport: asyncio.Transport | None = None
        self._tcp: socket.socket | None = None
        self._verbs: dict[int, Callable[[bytes], bytes | None]] = {
            wire.OPTIONS: self._negotiate,
            wire.MACRO: self._note,
            wire.CONNECT: self._connect,
            wire.HELO: self._greet,
            wire.MAIL: self._begin,
            wire.RECIPIENT: self._add_recipient,
            wire.HEADER: self._add_header,
            wire.END_OF_HEADER: self._end_header,
            wire.BODY: self._add_body,
            wire.END: self._end_of_message,
            wire.ABORT: self._abort,
            wire.QUIT_NC: self._start_over,
            wire.QUIT: self._quit,
        }

    @property
    def receiving(self) -> bool:
        """A message is on its way in."""
        return self._message is not None

    # The transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See asyncio.Protocol."""
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - what servers of streams give
        self._transport = transport
        peer: socket.socket = transport.get_extra_info("socket")
        if peer.family != socket.AF_UNIX:
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)  # who vanished shall not be waited for
            self._tcp = peer

    def connection_lost(self, error: Exception | None) -> None:
        """See asyncio.Protocol. A message past its end goes on to its own."""
        self._transport = None
        self._drop_message()
        self._server.left(self)

    def data_received(self, data: bytes) -> None:
        """See asyncio.Protocol."""
        if self._tcp is not None:
            # Postfix sends in small pieces, the next when the last one is acknowledged (RFC 896): now, not in 40 ms.
            self._tcp.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
        self._packets.feed(data)
        self._proceed()

    def shut(self) -> None:
        """End the session: now, or after the message that is on its way."""
        self._closing = True
        if self._message is None and self._gate is None and self._transport is not None:
            self._transport.close()

    def abort(self) -> None:
        """End the session without another word."""
        if self._transport is not None:
            self._transport.abort()

    def _write(self, packets: bytes) -> None:
        if self._transport is not None:
            self._transport.write(packets)

    # What the mail server says

    def _proceed(self) -> None:
        """Every packet there is, as far as one does not have to be answered first."""
        try:
            while self._gate is None and self._transport is not None and not self._transport.is_closing():
                found = self._packets.take()
                if found is None:
                    return
                self._hear(*found)
        except wire.Malformed as error:
            self._give_up(str(error))
        except Exception as error:  # noqa: BLE001 - a bug ends this session only; its text may quote content
            self._give_up(type(error).__name__)

    def _hear(self, letter: int, data: bytes) -> None:
        if self._offer is None and letter not in (wire.OPTIONS, wire.QUIT):
            raise wire.Malformed("no negotiation at the beginning")
        answer = None
        if (verb := self._verbs.get(letter)) is not None:
            answer = verb(data)
        elif letter not in (wire.DATA, wire.UNKNOWN):
            raise wire.Malformed(f"a packet of unknown kind {letter:#04x}")
        if letter in wire.SILENCES and letter not in self._silent:
            self._write(answer or wire.CONTINUE)

    def _give_up(self, reason: str) -> None:
        log.warning("milter session ended", reason=reason)
        self._close(wire.TEMPFAIL)

    def _close(self, last: bytes) -> None:
        self._drop_message()
        if self._transport is not None:
            self._transport.write(last)
            self._transport.close()

    def _negotiate(self, data: bytes) -> None:
        wishes = wire.WISHES & ~wire.SILENCES[wire.MAIL] if self._refused else wire.WISHES
        self._offer, self._silent, answer = wire.negotiated(data, wishes)
        self._write(answer)

    def _note(self, data: bytes) -> None:
        stage, macros = wire.macros(data)
        if stage == wire.MAIL:
            self._forget_macros()
        self._macros[stage] = macros

    def _macro(self, name: str) -> str | None:
        """None where it has no value, or an empty one."""
        return next((value for macros in self._macros.values() if (value := macros.get(name))), None)

    def _forget_macros(self) -> None:
        """Those of a message; those of the connection hold for the next one too."""
        for stage in (wire.MAIL, wire.RECIPIENT, wire.DATA, wire.END_OF_HEADER, wire.END):
            self._macros.pop(stage, None)

    def _connect(self, data: bytes) -> None:
        self._connection = wire.Connection.parse(data)

    def _greet(self, data: bytes) -> None:
        self._helo = data.rstrip(b"\0").decode("utf-8", "surrogateescape")

    def _begin(self, data: bytes) -> bytes | None:
        if self._message is not None:
            self._message.close()
        if self._refused:
            return wire.reply_code(BUSY)
        assert self._offer is not None  # noqa: S101 - see _hear
        self._message = Message(address(data), self._server.storage, space=self._offer.leading_space)
        return None

    def _add_recipient(self, data: bytes) -> None:
        self._current().add_recipient(address(data))

    def _add_header(self, data: bytes) -> None:
        self._current().add_header(*wire.header(data))

    def _end_header(self, _: bytes) -> None:
        self._current().end_header()

    def _add_body(self, data: bytes) -> None:
        self._current().add_body(data)

    def _current(self) -> Message:
        if self._message is None:
            raise wire.Malformed("a part of a message that has not begun")
        return self._message

    def _abort(self, _: bytes) -> None:
        self._drop_message()
        if self._closing:
            self._close(b"")

    def _quit(self, _: bytes) -> None:
        self._close(b"")

    def _start_over(self, _: bytes) -> None:
        """The mail server uses the connection for another client."""
        self._drop_message()
        self._macros.clear()
        self._connection, self._helo = wire.Connection("", "", 0), ""

    def _drop_message(self) -> None:
        if self._message is not None:
            self._message.close()
            self._message = None
        self._forget_macros()

    # The end of a message

    def _end_of_message(self, data: bytes) -> None:
        message = self._current()
        if data:
            message.add_body(data)
        complaint = message.complaint()
        if not complaint:
            try:
                gate, work = self._server.handle(message, self._arrival(message))
            except OSError as error:
                log.error("mail not stored", error=error.strerror)
                complaint = FAILED
        if complaint:
            self._drop_message()
            self._answer(wire.reply_code(complaint))
            return
        self._message = None
        self._forget_macros()
        self._await(gate, work)

    def _arrival(self, message: Message) -> Arrival:
        connection, user, tls = self._connection, self._macro("auth_authen"), self._macro("tls_version")
        protocol = "UTF8SMTP" if message.sender.param("SMTPUTF8") is not None else "ESMTP"
        name = connection.address or connection.name or _NAMELESS
        client = Client(addr=name, port=str(connection.port), helo=self._helo, user=user, queue_id=self._macro("i"))
        return Arrival(
            peer=connection.address or _NAMELESS,
            helo=self._helo,
            protocol=protocol + ("S" if tls else "") + ("A" if user else ""),
            client=client,
        )

    def _await(self, gate: MilterGate, work: asyncio.Task[bytes]) -> None:
        """The mail server waits, and so do we: nothing is read meanwhile."""
        assert self._transport is not None  # noqa: S101 - a packet of it is being heard
        self._gate = gate
        self._transport.pause_reading()
        self._late = self._server.deadline()
        self._arm()
        work.add_done_callback(functools.partial(self._finished, gate))

    def _arm(self) -> None:
        loop = asyncio.get_running_loop()
        left = self._late - loop.time()
        self._timer = loop.call_later(min(left, PROGRESS_SECONDS) if left > 0 else PROGRESS_SECONDS, self._still_at_work)

    def _still_at_work(self) -> None:
        """Past the deadline the client is told to try again, unless something has been begun that will be finished."""
        gate, loop = self._gate, asyncio.get_running_loop()
        if gate is not None and loop.time() >= self._late and gate.expire():
            log.warning("mail too late", item=gate.item)
            self._answer(wire.reply_code(LATE))
            return
        self._write(wire.PROGRESS)
        self._arm()

    def _finished(self, gate: MilterGate, work: asyncio.Task[bytes]) -> None:
        if self._gate is gate and not work.cancelled():
            self._answer(work.result())

    def _answer(self, packets: bytes) -> None:
        waited, self._gate = self._gate is not None, None
        if self._timer is not None:
            self._timer.cancel()
        self._write(packets)
        if self._closing:
            self._close(b"")
        elif waited and self._transport is not None:
            self._transport.resume_reading()
            self._proceed()


class MilterServer:
    """The channel: listens, and sees every message through.

    `submit` is the pipeline; `clock` the present, aware, in UTC; `new_id` the id of an item; `folder` is where
    large messages lie while they are in work, unnamed: absent, they stay in memory. `start` raises OSError
    where a place cannot be bound, and ConfigError where the sockets' group is unknown.
    """

    def __init__(
        self,
        settings: MilterSettings,
        submit: Submit,
        metrics: Metrics,
        *,
        clock: Callable[[], datetime],
        new_id: Callable[[], str],
        folder: Path | None = None,
    ) -> None:
        self._clock = clock
        self._folder = folder
        self._new_id = new_id
        self._hostname = settings.hostname or socket.gethostname()
        self._settings = settings
        self._submit = submit
        self._metrics = metrics
        self._room = Room(messages=settings.max_queue, bytes=settings.max_bytes_in_flight)
        self._sessions: set[MilterSession] = set()
        self._refused: set[MilterSession] = set()
        self._tasks: set[asyncio.Task[Any]] = set()
        self._servers: list[asyncio.Server] = []
        self._files: list[SocketFile] = []

    @property
    def addresses(self) -> tuple[str, ...]:
        """Where it listens, in the words of the configuration, with the port really bound."""
        unix = [f"unix:{file.path}" for file in self._files]
        listeners = [listener for server in self._servers for listener in server.sockets if listener.family != socket.AF_UNIX]
        return (*unix, *("inet:{}:{}".format(*listener.getsockname()[:2]) for listener in listeners))

    async def start(self) -> None:
        """Listen on every place, or on none."""
        loop, group = asyncio.get_running_loop(), self._settings.group_id()
        try:
            for place in self._settings.places:
                if isinstance(place, Path):
                    file = SocketFile.bound(place, mode=self._settings.socket_mode, group=group)
                    self._files.append(file)
                    server = await loop.create_unix_server(self._protocol, sock=file.socket, backlog=BACKLOG)
                else:
                    server = await loop.create_server(self._protocol, *place, backlog=BACKLOG)
                self._servers.append(server)
        except OSError:
            await self.stop()
            raise

    async def stop(self) -> None:
        """Take no more; end idle sessions; let messages on their way arrive, and see each past its end to its answer."""
        for server in self._servers:
            server.close()
        for file in self._files:
            file.remove()
        for session in self._all():
            session.shut()
        await self._until(lambda: not any(session.receiving for session in self._all()))
        for session in self._all():
            if session.receiving:
                session.abort()
        while self._tasks:
            await asyncio.wait(self._tasks)
        await self._until(lambda: not self._all())
        for session in self._all():
            session.abort()
        self._servers.clear()
        self._files.clear()

    async def _until(self, done: Callable[[], bool]) -> None:
        for _ in range(int(FAREWELL / _TICK)):
            if done():
                return
            await asyncio.sleep(_TICK)

    def _all(self) -> list[MilterSession]:
        return [*self._sessions, *self._refused]

    def _protocol(self) -> asyncio.Protocol:
        refused = len(self._sessions) >= self._settings.max_sessions
        session = MilterSession(self, refused=refused)
        (self._refused if refused else self._sessions).add(session)
        return session

    # What a session asks

    def left(self, session: MilterSession) -> None:
        """The session is over."""
        self._sessions.discard(session)
        self._refused.discard(session)

    def storage(self) -> Storage | None:
        """Where a message is kept; None while there is no room for one more."""
        if not self._room.enter():
            return None
        return Storage(limit=self._settings.max_size, room=self._room, folder=self._folder)

    def deadline(self) -> float:
        """Until when a message that is complete now must be answered, on the loop's clock."""
        return asyncio.get_running_loop().time() + self._settings.deadline_seconds

    def handle(self, message: Message, arrival: Arrival) -> tuple[MilterGate, asyncio.Task[bytes]]:
        """Judge a complete message. Takes it over, and goes on to the end whatever becomes of the session.

        Raises OSError, and then has not taken it over.
        """
        assert message.storage is not None  # noqa: S101 - it is complete, and there was no complaint
        item = Item(
            id=self._new_id(),
            channel=Channel.MAIL,
            origin=_envelope(message, arrival),
            blob=message.storage.blob(),
            arrived=self._clock(),
            claim=message.claim,
        )
        gate = self._gate(item, message, arrival)
        task = asyncio.create_task(self._work(item, gate, message))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return gate, task

    def _gate(self, item: Item, message: Message, arrival: Arrival) -> MilterGate:
        trace = received(
            helo=arrival.helo,
            peer=arrival.peer,
            hostname=self._hostname,
            protocol=arrival.protocol,
            id=item.id,
            at=item.arrived,
        )
        attributes = {
            "sender": message.sender.as_json(),
            "recipients": [recipient.as_json() for recipient in message.recipients],
            "trace": trace.decode("ascii"),
        }
        apart = self._settings.split and arrival.client.port != LOCAL and separable(message.recipients)
        kind = SplitMilterGate if apart else MilterGate
        return kind(item=item, marking=Marking(item=item.id, theirs=message.theirs, space=message.space), attributes=attributes)

    async def _work(self, item: Item, gate: MilterGate, message: Message) -> bytes:
        queue = self._metrics.queue_items.labels(Channel.MAIL.value)
        queue.inc()
        try:
            pass_unscanned = self._settings.on_failure == "pass-with-header"
            reply = await judged(self._submit, item, gate, pass_unscanned=pass_unscanned)
            return gate.answer or wire.reply_code(reply)
        finally:
            queue.dec()
            item.blob.close()
            message.close()


def _envelope(message: Message, arrival: Arrival) -> Envelope:
    return Envelope(
        peer=arrival.client.endpoint,
        sender=message.sender.mailbox,
        recipients=tuple(recipient.mailbox for recipient in message.recipients),
        user=arrival.client.user,
        subject=message.subject,
        queue_id=arrival.client.queue_id,
    )


def address(data: bytes) -> Address:
    """The data of MAIL or RCPT: a path and its ESMTP parameters. Raises Malformed."""
    path, *params = wire.strings(data) or [b""]
    if not path:
        raise wire.Malformed("an envelope without an address")
    return Address(path=path if path.startswith(b"<") else b"<" + path + b">", params=tuple(params))
