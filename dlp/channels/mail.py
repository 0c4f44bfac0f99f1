"""The mail channel: takes a message by SMTP, has it judged, and passes it to the next hop or keeps it back.

A message answered 250 has been accepted by the next hop or is in quarantine or spool. MAIL and RCPT are said
to the next hop as the client says them, so its refusals come at the verb where they belong; DATA is
said to it only after the verdict. A fault of ours is 451. What is inspected is what is sent on:
the content with its line ends normalised and the sender's own X-DLP-* fields taken out.
"""

import asyncio
import ipaddress
import socket
import ssl
from collections.abc import Callable, Coroutine, Sequence
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import structlog

from dlp.blob import Blob
from dlp.channels.mail_auth import authenticator
from dlp.channels.mail_door import FAILED, LATE, judged
from dlp.channels.mail_gate import MailGate, SplitGate
from dlp.channels.mail_settings import MailSettings
from dlp.channels.relay import Delivery, NextHop
from dlp.channels.smtp_client import Arrival
from dlp.channels.smtp_session import DIGITS, NO_ROOM, Refusal, Session
from dlp.channels.smtp_syntax import Address, authenticated_by, received, subject
from dlp.channels.smtp_wire import Intake, Room
from dlp.channels.sockets import listening
from dlp.channels.subject_tag import tag
from dlp.errors import ConfigError, RelayError
from dlp.metrics import Metrics
from dlp.model import Channel, Envelope, Item
from dlp.ports import Submit

log = structlog.get_logger()

T = TypeVar("T")

TOO_LARGE = "552 5.3.4 Message size exceeds the limit"
OUR_FIELDS = 1024
"""Bytes our own fields may add to a message: what a declared SIZE grows by."""
EXTENSIONS_AGE = 60.0
"""Seconds the next hop's extensions are remembered, or that they could not be had."""
PROBE = 5.0
"""Seconds a client's EHLO waits for the next hop at the most."""
ACCEPTED = 64
"""Clients accepted at one go."""
PAUSE = 1.0
"""Seconds without accepting where no more descriptors can be had."""
PATIENCE = 20.0
"""Seconds a client has to send the message it is at when we stop."""
QUIET = 2.0
"""Seconds without a word after which a client that is at no message is told to go when we stop."""
FAREWELL = 5.0
"""Seconds a client has to take its last reply when we stop."""
_TICK = 0.02
_PASSED_ON = ("8BITMIME", "SMTPUTF8", "DSN")


class MailTransaction:
    """One message from MAIL to its reply; implements smtp_session.Transaction."""

    def __init__(self, gateway: "MailGateway", sender: Address, delivery: Delivery) -> None:
        self._gateway = gateway
        self._sender = sender
        self._delivery = delivery
        self._recipients: list[Address] = []
        self._given = False

    @property
    def recipients(self) -> int:
        """See Transaction."""
        return len(self._recipients)

    @property
    def utf8(self) -> bool:
        """See Transaction."""
        return self._sender.param("SMTPUTF8") is not None

    async def rcpt(self, recipient: Address) -> str:
        """See Transaction."""
        reply = await self._delivery.rcpt(recipient)
        self._recipients.append(recipient)
        return reply

    def abandon(self) -> None:
        """See Transaction."""
        if not self._given:
            self._given = True
            self._gateway.spawn(self._delivery.abort())

    async def data(self, intake: Intake, arrival: Arrival) -> str:
        """See Transaction."""
        self._given = True
        try:
            blob = intake.blob()
        except OSError as error:
            log.error("mail not stored", error=error.strerror)
            intake.close()
            self._gateway.spawn(self._delivery.abort())
            return FAILED
        item = self._item(blob, intake, arrival)
        return await self._gateway.settle(item, self._gate(item, arrival), self._delivery, intake)

    def _item(self, blob: Blob, intake: Intake, arrival: Arrival) -> Item:
        envelope = Envelope(
            peer=arrival.client.endpoint,
            sender=self._sender.mailbox,
            recipients=tuple(recipient.mailbox for recipient in self._recipients),
            user=arrival.client.user or (authenticated_by(intake.head) if self._gateway.trusts(arrival.peer) else None),
            subject=subject(intake.head),
            queue_id=arrival.client.queue_id,
            transport=self._delivery.transport,
        )
        gateway = self._gateway
        return Item(
            id=gateway.new_id(), channel=Channel.MAIL, origin=envelope, blob=blob, arrived=gateway.clock(), claim=intake.claim
        )

    def _gate(self, item: Item, arrival: Arrival) -> MailGate:
        trace = received(
            helo=arrival.helo,
            peer=arrival.peer,
            hostname=self._gateway.hostname,
            protocol=arrival.protocol,
            id=item.id,
            at=item.arrived,
        )
        attributes = {
            "sender": self._sender.as_json(),
            "recipients": [recipient.as_json() for recipient in self._recipients],
            "trace": trace.decode("ascii"),
        }
        return self._gateway.gate(item=item, delivery=self._delivery, trace=trace, attributes=attributes, tags=self._gateway.tags)


class MailGateway:
    """The channel: listens, and sees every message through.

    `submit` is the pipeline; `clock` the present, aware, in UTC; `new_id` the id of an item; `folder` is where
    large messages lie while they are in work, unnamed: absent, they stay in memory; `hop` is where mail goes,
    by default the next hop of `settings`; `level_name` what people call a level; `given` are sockets that may listen
    there already. The constructor raises ConfigError, `start` OSError where an address cannot be bound.
    """

    def __init__(
        self,
        settings: MailSettings,
        submit: Submit,
        metrics: Metrics,
        *,
        clock: Callable[[], datetime],
        new_id: Callable[[], str],
        folder: Path | None = None,
        hop: NextHop | None = None,
        level_name: Callable[[str], str] = str,
        given: Sequence[socket.socket] = (),
    ) -> None:
        self.clock = clock
        self.new_id = new_id
        self.hostname = settings.hostname or socket.gethostname()
        self.tags = partial(_tag, settings.subject_tag, level_name) if settings.subject_tag is not None else None
        self._given = given
        self._settings = settings
        self._folder = folder
        self._submit = submit
        self._metrics = metrics
        self._hop = hop or settings.hop()
        self.gate = partial(SplitGate if settings.split else MailGate, hop=self._hop)
        self._tls = _tls(settings)
        self._trusted = [ipaddress.ip_network(network) for network in settings.trusted_peers]
        self._room = Room(messages=settings.max_queue, bytes=settings.max_bytes_in_flight)
        self._sessions: set[Session] = set()
        self._tasks: set[asyncio.Task[Any]] = set()
        self._listeners: list[socket.socket] = []
        self._arriving: set[asyncio.Task[None]] = set()
        self._offers: dict[str, str] = {}
        self._offers_until = 0.0
        self.authenticator = authenticator(settings, metrics, spawn=self.spawn)

    @property
    def addresses(self) -> tuple[tuple[str, int], ...]:
        """Where it listens: host and the port really bound."""
        return tuple(listener.getsockname()[:2] for listener in self._listeners)

    async def start(self) -> None:
        """Listen on every address, or on none."""
        self._listeners = listening(self._settings.listen, self._given)
        for listener in self._listeners:
            listener.setblocking(False)
            asyncio.get_running_loop().add_reader(listener, self._accept, listener)

    def _accept(self, listener: socket.socket) -> None:
        """Take who waits. By ourselves, since asyncio's server drops who was accepted just before it is closed."""
        for _ in range(ACCEPTED):
            try:
                connection, _ = listener.accept()
            except (BlockingIOError, ConnectionAbortedError):
                return
            except OSError as error:
                log.error("no more sessions can be opened", error=error.strerror)
                loop = asyncio.get_running_loop()
                loop.remove_reader(listener)
                loop.call_later(PAUSE, self._resume, listener)
                return
            connection.setblocking(False)
            self._arriving.add(task := self.spawn(self._welcome(connection)))
            task.add_done_callback(self._arriving.discard)

    def _resume(self, listener: socket.socket) -> None:
        if listener in self._listeners:
            asyncio.get_running_loop().add_reader(listener, self._accept, listener)

    async def _welcome(self, connection: socket.socket) -> None:
        try:
            await asyncio.get_running_loop().connect_accepted_socket(self._protocol, connection)
        except OSError:  # gone already
            connection.close()

    async def stop(self) -> None:
        """Take no more; let who is at it send its message; see every message past its end of data to its reply.

        A client that has just come is not turned away: who finds nobody listening is served by our successor, but who was
        accepted can only be served here.
        """
        listeners, self._listeners = self._listeners, []
        for listener in listeners:
            asyncio.get_running_loop().remove_reader(listener)
            listener.close()
        if self._arriving:
            await asyncio.wait(self._arriving)
        for session in list(self._sessions):
            session.leave()
        await self._patient()
        for session in list(self._sessions):
            session.shut()
        while self._tasks:  # one may begin another
            await asyncio.wait(self._tasks)
        for _ in range(int(FAREWELL / _TICK)):
            if not self._sessions:
                break
            await asyncio.sleep(_TICK)
        for session in list(self._sessions):
            session.abort()
        await self._hop.close()

    async def _patient(self) -> None:
        """Until every client has sent what it is at, or for PATIENCE; one that says nothing is told to go sooner."""
        for turn in range(int(PATIENCE / _TICK)):
            staying = [session for session in self._sessions if not session.ending]
            if not staying:
                return
            for session in staying:
                # By the clock and by turns, in which the loop would have heard it: we may be the ones who are slow.
                if session.silent > QUIET and turn > QUIET / _TICK:
                    session.shut()
            await asyncio.sleep(_TICK)

    def _protocol(self) -> asyncio.Protocol:
        if len(self._sessions) >= self._settings.max_sessions:
            return Refusal()
        session = Session(self, hostname=self.hostname, tls=self._tls, idle=self._settings.idle_seconds)
        self._sessions.add(session)
        return session

    def spawn(self, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        """Run to its end whatever the session does."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    # What a session asks (smtp_session.Receiver)

    def left(self, session: Session) -> None:
        """See Receiver."""
        self._sessions.discard(session)

    def trusts(self, host: str) -> bool:
        """See Receiver."""
        try:
            address = ipaddress.ip_address(host.partition("%")[0])
        except ValueError:
            return False
        return any(address in network for network in self._trusted)

    async def offers(self) -> dict[str, str]:
        """See Receiver. While the next hop cannot be asked, everything is offered: MAIL will be 451."""
        now = asyncio.get_running_loop().time()
        if now >= self._offers_until:
            try:
                async with asyncio.timeout(PROBE):
                    self._offers = await self._hop.extensions()
            except (RelayError, TimeoutError):
                self._offers = dict.fromkeys(_PASSED_ON, "")
            self._offers_until = asyncio.get_running_loop().time() + EXTENSIONS_AGE
        theirs, size = self._offers.get("SIZE", ""), self._settings.max_size
        if theirs.isdecimal() and len(theirs) <= DIGITS and int(theirs):
            size = min(size, int(theirs))
        passed_on = {keyword: "" for keyword in _PASSED_ON if keyword in self._offers}
        if self._tls is not None and "REQUIRETLS" in self._offers:
            passed_on["REQUIRETLS"] = ""
        return {"PIPELINING": "", "SIZE": str(size), "ENHANCEDSTATUSCODES": "", **passed_on}

    async def mail(self, sender: Address) -> tuple[MailTransaction, str]:
        """See Receiver."""
        declared = int(sender.param("SIZE") or 0)
        if declared > self._settings.max_size:
            raise RelayError(TOO_LARGE, "declared too large")
        if declared > self._room.bytes:
            raise RelayError(NO_ROOM, "no room for the declared size")
        delivery = self._hop.open()
        try:
            reply = await delivery.mail(sender, size=declared + OUR_FIELDS if declared else None)
        except RelayError:
            self.spawn(delivery.abort())
            raise
        return MailTransaction(self, sender, delivery), reply

    def intake(self) -> Intake | None:
        """See Receiver."""
        if not self._room.enter():
            return None
        strict = self._settings.newlines == "reject"
        return Intake(limit=self._settings.max_size, room=self._room, strict=strict, folder=self._folder)

    # What a transaction asks

    async def settle(self, item: Item, gate: MailGate, delivery: Delivery, intake: Intake) -> str:
        """Judge, enforce, and the reply; closes the blob, the intake and the delivery when all is done.

        Past the deadline the sender is told to try again, unless delivery has begun; the judging is
        left to end by itself, and the gate no longer opens.
        """
        answer: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        gate.due = asyncio.get_running_loop().time() + self._settings.deadline_seconds
        self.spawn(self._work(item, gate, delivery, intake, answer))
        timer = asyncio.get_running_loop().call_later(self._settings.deadline_seconds, self._late, item, gate, answer)
        try:
            return await answer  # the work goes on even if the session does not
        finally:
            timer.cancel()

    def _late(self, item: Item, gate: MailGate, answer: "asyncio.Future[str]") -> None:
        if not answer.done() and gate.expire():
            log.warning("mail too late", item=item.id)
            answer.set_result(LATE)

    async def _work(self, item: Item, gate: MailGate, delivery: Delivery, intake: Intake, answer: "asyncio.Future[str]") -> None:
        queue = self._metrics.queue_items.labels(Channel.MAIL.value)
        queue.inc()
        try:
            pass_unscanned = self._settings.on_failure == "pass-with-header"
            reply = await judged(self._submit, item, gate, pass_unscanned=pass_unscanned)
            if not answer.done():
                answer.set_result(gate.reply or reply)
        finally:
            queue.dec()
            item.blob.close()
            intake.close()
            await delivery.abort()


def _tag(pattern: str, level_name: Callable[[str], str], level: str) -> str:
    return tag(pattern, level_name(level))


def _tls(settings: MailSettings) -> ssl.SSLContext | None:
    if settings.tls_cert is None or settings.tls_key is None:
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    try:
        context.load_cert_chain(settings.tls_cert, settings.tls_key)
    except OSError as error:  # ssl.SSLError is one
        what = f"cannot be loaded: {error.strerror or error}"
        raise ConfigError.single(settings.tls_cert, "mail.tls_cert", what, "give a PEM chain and its key") from error
    return context
