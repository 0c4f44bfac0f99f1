"""One client's SMTP session: aiosmtpd's loop with the verbs that carry mail said anew.

Overridden because of what 1.4.6 does: it refuses DSN parameters and folds their case, reads DATA line
by line with a limit, cancels the handler when the client half-closes, and answers an exception with
a 500, which is a bounce; its AUTH knows no state but its own, no bound on failures, and 501 for what is
535. RFC 5321; RFC 1870 (SIZE), 2920 (PIPELINING), 3207 (STARTTLS), 3461 (DSN), 4954 (AUTH, in
smtp_auth), 6152 (8BITMIME), 6531 (SMTPUTF8); XFORWARD and XCLIENT as in Postfix's READMEs of those names.

What a session asks of the gateway is `Receiver`; the mail itself is a `Transaction`.
"""

import asyncio
import collections
import logging
import math
import ssl
from collections.abc import Awaitable
from dataclasses import replace
from types import FunctionType
from typing import Any, ClassVar, Protocol, cast

import structlog
from aiosmtpd.smtp import SMTP, TLSSetupException

from dlp.channels.mail_door import FAILED
from dlp.channels.smtp_auth import MECHANISMS, REQUIRED, TOO_MANY, Authenticator, Login, loopback, read_line
from dlp.channels.smtp_client import Arrival, Client
from dlp.channels.smtp_syntax import Address, parse_attributes, parse_path
from dlp.channels.smtp_wire import LIMIT, Intake, Reader
from dlp.errors import RelayError

log = structlog.get_logger()

# aiosmtpd logs every command, addresses and what follows a misunderstood DATA included.
logging.getLogger("mail.log").disabled = True

COMMAND_LIMIT = 4096
"""Bytes of a command line; RFC 5321 section 4.5.3.1.4 asks for 512, DSN and SMTPUTF8 for some more."""
MOST_UNKNOWN = 20
"""Commands of a session that are none, until it is ended."""
DIGITS = 20
"""Of a SIZE (RFC 1870 section 4)."""
RECIPIENTS = 1000
"""Of one message; RFC 5321 section 4.5.3.1.8 asks for 100, Postfix takes 1000."""
HOPS = 50
"""Received fields of a message that goes in circles (RFC 5321 section 6.3; Postfix's hopcount_limit)."""

BUSY = "421 4.3.2 Too many sessions, try again later"
STOPPING = "421 4.3.2 Service is shutting down"
IDLE = "421 4.4.2 Idle for too long"
NO_ROOM = "452 4.3.1 Too many messages in work, try again later"

_XFORWARD = ("NAME", "ADDR", "PORT", "PROTO", "HELO", "IDENT", "SOURCE")
_XCLIENT = ("NAME", "ADDR", "PORT", "PROTO", "HELO", "LOGIN")


class Transaction(Protocol):
    """One message from MAIL to its reply."""

    async def rcpt(self, recipient: Address) -> str:
        """The reply that accepts a recipient. Raises RelayError."""

    async def data(self, intake: Intake, arrival: Arrival) -> str:
        """Judge and deliver; the reply to the end of data. Takes the intake over, and goes on to its end even if
        the caller is cancelled."""

    def abandon(self) -> None:
        """Nothing will come of it; does nothing once `data` was called."""

    @property
    def recipients(self) -> int:
        """How many were accepted."""

    @property
    def utf8(self) -> bool:
        """MAIL had the parameter SMTPUTF8."""


class Receiver(Protocol):
    """The gateway as one session sees it."""

    @property
    def authenticator(self) -> Authenticator | None:
        """Who checks the claims of AUTH; None where AUTH is not offered."""

    async def offers(self) -> dict[str, str]:
        """The extensions to offer, keyword → parameters: what we and the next hop both can."""

    async def mail(self, sender: Address) -> tuple[Transaction, str]:
        """Begin a transaction and the reply that accepts the sender. Raises RelayError."""

    def intake(self) -> Intake | None:
        """What a message is read into, and closed by whoever has it last; None while there is no room for one more."""

    def trusts(self, host: str) -> bool:
        """XFORWARD and XCLIENT from this address are believed."""

    def left(self, session: "Session") -> None:
        """The session is over."""


class Refusal(asyncio.Protocol):
    """What a client meets when there is no room for its session."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Say so and close."""
        writable = cast(asyncio.WriteTransport, transport)  # uvloop's is none of asyncio's classes
        writable.write(BUSY.encode() + b"\r\n")
        writable.close()


class _CommandReader(Reader):
    async def readuntil(self, separator: bytes = b"\n") -> bytes:  # type: ignore[override]
        """As the base; the end of input ends the session's task, since aiosmtpd's loop would ask again for ever."""
        try:
            return await super().readuntil(separator)
        except asyncio.IncompleteReadError:
            raise asyncio.CancelledError from None


class Session(SMTP):
    """One connection; made and kept by the gateway. `idle` in seconds."""

    command_size_limit = COMMAND_LIMIT
    command_size_limits: dict[str, int] = collections.defaultdict(lambda: COMMAND_LIMIT)  # noqa: RUF012 - as the base has it
    line_length_limit = LIMIT
    _base: ClassVar[dict[str, Any]] = {}

    def __init__(self, receiver: Receiver, *, hostname: str, tls: ssl.SSLContext | None, idle: float) -> None:
        self._begin_as_base(asyncio.get_running_loop())
        self.event_handler, self.hostname, self.tls_context, self._timeout_duration = receiver, hostname, tls, idle
        self.loop = asyncio.get_running_loop()
        # With a reader that can be looked into; aiosmtpd lets nobody choose it.
        asyncio.StreamReaderProtocol.__init__(
            self, _CommandReader(), client_connected_cb=self._cb_client_connected, loop=self.loop
        )
        self._smtp_methods = {verb: getattr(self, name) for verb, name in _VERBS.items()}
        self._receiver = receiver
        self._transaction: Transaction | None = None
        self._host = ""
        self._trusted = False
        self._peer = self._client = Client(addr="", port="")
        self._login = Login(receiver.authenticator)
        self._working = False
        self._reading = False
        self._last_reply = False
        self._closing = False
        self._leaving = False
        self._answered = 0
        self._unknown = 0
        self._due = math.inf

    def _begin_as_base(self, loop: asyncio.AbstractEventLoop) -> None:
        """What aiosmtpd's constructor sets, which looks through all our attributes for that: once, and not for each session.

        What it sets of settings is set anew by the caller; nothing mutable is among the rest.
        """
        if not Session._base:
            super().__init__(None, enable_SMTPUTF8=True, hostname="unknown", ident="ESMTP dlp", loop=loop)
            plain = (bool, int, float, str, type(None), FunctionType)
            Session._base = {name: value for name, value in vars(self).items() if isinstance(value, plain)}
        vars(self).update(Session._base)
        self._auth_methods, self._handle_hooks = {}, {}

    # The connection

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A client came, or its TLS handshake is done: either way it begins from nothing."""
        super().connection_made(transport)
        name = transport.get_extra_info("peername")
        host, port = (str(name[0]), str(name[1])) if isinstance(name, tuple) else ("unknown", "0")
        self._host = host.removeprefix("::ffff:")
        self._trusted = self._receiver.trusts(self._host)
        self._peer = self._client = Client(addr=self._host, port=port)
        self._login.user = None  # RFC 3207 section 4.2

    def connection_lost(self, error: Exception | None) -> None:
        """The client is gone. A message past its end of data goes on."""
        super().connection_lost(error)
        self._receiver.left(self)

    def eof_received(self) -> bool | None:
        """The client has said its last word, but may still listen: answer what it asked, then end."""
        self._input.feed_eof()
        return self._tls_protocol is None

    def leave(self) -> None:
        """End the session once its client has had one message answered; it may still send its first."""
        self._leaving = True
        if self._answered and self._transaction is None and not self._working:
            self.shut()

    @property
    def ending(self) -> bool:
        """Its last word has been said."""
        return self.transport is None or self.transport.is_closing()

    @property
    def silent(self) -> float:
        """Seconds since the client last said something, unless it is at a message or waits for us."""
        if self._transaction is not None or self._working:
            return 0.0
        return self.loop.time() - (self._due - self._timeout_duration)

    def shut(self) -> None:
        """End the session: at once with 421, or after the reply to the message in work."""
        if self._working:
            self._input.stop()
        else:
            self._farewell(STOPPING)

    def abort(self) -> None:
        """End the session without another word."""
        # A TLS transport that was closed twice, as aiosmtpd does after QUIT, no longer knows what it stands on.
        transport = self._original_transport or self.transport
        if transport is not None:
            cast(asyncio.WriteTransport, transport).abort()

    async def push(self, status: str | bytes) -> None:
        """Send one reply, its lines joined by CRLF."""
        octets = status.encode("utf-8", "surrogateescape") if isinstance(status, str) else status
        self._writer.write(octets + b"\r\n")
        await self._writer.drain()
        if octets.startswith(b"421") or self._last_reply:
            # RFC 5321 section 4.2.2: whoever says 421 closes, also where it is the next hop's.
            self._input.stop()

    async def handle_exception(self, error: Exception) -> str:
        """A fault of ours: never a 5xx, which would make the sender's server bounce the message."""
        if isinstance(error, RelayError):
            return error.reply
        log.error("mail session failed", error=type(error).__name__)
        if self._reading:
            # The message's end was not found: whatever follows must not be read as commands.
            self._input.stop()
        return FAILED

    async def _handle_client(self) -> None:
        """Greet, and answer command by command until one side has enough. The base's loop, without what it does for
        each command that nobody here asks of it."""
        try:
            await self.push(f"220 {self.hostname} {self.__ident__}")
            while self.transport is not None and not self._closing:
                line = await self._command_line()
                try:
                    await self._obeyed(line)
                except TLSSetupException as error:
                    self.transport.close()
                    self.connection_lost(error)
                except (ConnectionError, asyncio.CancelledError):
                    raise
                except Exception as error:  # noqa: BLE001 - answered by 451
                    await self.push(await self.handle_exception(error))
        except (ConnectionError, asyncio.CancelledError):
            self._writer.close()
        finally:
            self._abandon()

    async def _command_line(self) -> bytes:
        """The next line without its end; b"" for one that is too long, of which nothing is kept."""
        try:
            return (await self._input.readuntil(b"\n")).rstrip(b"\r\n")
        except asyncio.LimitOverrunError as error:
            await self._input.read(error.consumed)
        while True:
            try:
                await self._input.readuntil(b"\n")
            except asyncio.LimitOverrunError as error:
                await self._input.read(error.consumed)
            else:
                return b""

    async def _obeyed(self, line: bytes) -> None:
        verb, _, rest = line.partition(b" ")
        if not line or len(line) > COMMAND_LIMIT:
            await self.push("500 5.5.2 The command is empty or too long")
            return
        method = self._smtp_methods.get(verb.upper().decode("latin-1"))
        if method is not None:
            self._reset_timeout()
            await method(rest.strip().decode("utf-8", "surrogateescape") or None)
            return
        self._unknown += 1
        if self._unknown < MOST_UNKNOWN:
            await self.push("500 5.5.2 Command not recognised")
            return
        await self.push("502 5.5.1 Too many unrecognised commands, goodbye")
        self._closing = True
        self._writer.close()

    def _reset_timeout(self, duration: float | None = None) -> None:
        """As the base, by one timer that looks whether it is late instead of one for each command."""
        self._due = self.loop.time() + (duration or self._timeout_duration)
        if self._timeout_handle is None:
            self._timeout_handle = self.loop.call_at(self._due, self._look)

    def _look(self) -> None:
        if self.loop.time() < self._due:
            at = min(self._due, self.loop.time() + self._timeout_duration)
            self._timeout_handle = self.loop.call_at(at, self._look)
        else:
            self._timeout_cb()

    def _stop_timeout(self) -> None:
        """It is we who take our time now."""
        self._due = math.inf

    def _timeout_cb(self) -> None:
        self._farewell(IDLE)

    def _farewell(self, reply: str) -> None:
        """The last word, unless it was said."""
        if self.transport is not None and not self.transport.is_closing():
            self._writer.write(reply.encode() + b"\r\n")
            self.transport.close()

    @property
    def _input(self) -> Reader:
        reader = self._reader
        assert isinstance(reader, Reader)  # noqa: S101 - made in __init__
        return reader

    def _abandon(self) -> None:
        self._client = self._peer
        transaction, self._transaction = self._transaction, None
        if transaction is not None:
            transaction.abandon()

    def _set_rset_state(self) -> None:
        """aiosmtpd calls this at the start, at HELO, RSET and STARTTLS."""
        super()._set_rset_state()  # type: ignore[no-untyped-call]
        self._abandon()

    # Greeting

    async def smtp_EHLO(self, hostname: str) -> None:
        """Offer what we and the next hop both can."""
        if not hostname:
            await self.push("501 5.5.4 Syntax: EHLO hostname")
            return
        self._set_rset_state()
        self._greeted(hostname, extended=True)
        offers = await self._receiver.offers()
        if not self._tls_protocol:
            offers.pop("REQUIRETLS", None)  # RFC 8689 section 4.1: within TLS only
            if self.tls_context:
                offers["STARTTLS"] = ""
        if self._login.offered(private=self._private):
            offers["AUTH"] = MECHANISMS
        if self._trusted:
            offers["XFORWARD"] = " ".join(_XFORWARD)
            offers["XCLIENT"] = " ".join(_XCLIENT)
        lines = [self.hostname, *(f"{keyword} {value}".rstrip() for keyword, value in offers.items())]
        await self.push("\r\n".join([f"250-{line}" for line in lines[:-1]] + [f"250 {lines[-1]}"]))

    async def smtp_HELO(self, hostname: str) -> None:
        """No extensions."""
        if not hostname:
            await self.push("501 5.5.4 Syntax: HELO hostname")
            return
        self._set_rset_state()
        self._greeted(hostname, extended=False)
        await self.push(f"250 {self.hostname}")

    def _greeted(self, name: str, *, extended: bool) -> None:
        assert self.session is not None  # noqa: S101 - set in connection_made
        self.session.host_name, self.session.extended_smtp = name, extended

    async def smtp_STARTTLS(self, arg: str) -> None:
        """TLS; what the client sent ahead in clear is forgotten."""
        if self._tls_protocol or self._transaction:
            await self.push("503 5.5.1 Not now")
            return
        self._input.forget()
        await super().smtp_STARTTLS(arg)

    async def smtp_AUTH(self, arg: str | None) -> None:
        """Who sends; RSET, HELO and EHLO do not change it (RFC 4954 section 4)."""
        assert self.session is not None  # noqa: S101 - set in connection_made
        greeted, busy = bool(self.session.host_name) and self.session.extended_smtp, self._transaction is not None
        known = self._peer.user is not None
        reply = self._login.refusal(private=self._private, greeted=greeted, busy=busy, known=known)
        if reply is None:
            reply = await self._exchanged(arg or "")
        await self.push(reply)
        if self._login.exhausted:
            await self.push(TOO_MANY)

    async def _exchanged(self, arg: str) -> str:
        self._stop_timeout()
        try:
            trusted = self._trusted
            reply = await self._login.exchange(arg, peer=self._peer.addr, trusted=trusted, ask=self._response)
        finally:
            if self.transport is not None:
                self._reset_timeout()
        self._peer, self._client = (replace(one, user=self._login.user) for one in (self._peer, self._client))
        return reply

    async def _response(self, challenge: str) -> bytes | None:
        await self.push(f"334 {challenge}")
        self._reset_timeout()
        line = await read_line(self._input)
        self._stop_timeout()
        return line

    @property
    def _private(self) -> bool:
        """Nobody else reads what the client says."""
        return bool(self._tls_protocol) or loopback(self._host)

    async def smtp_VRFY(self, arg: str) -> None:
        """Neither confirmed nor denied (RFC 5321 section 7.3)."""
        await self.push("252 2.1.5 Send some mail and see")

    async def smtp_XFORWARD(self, arg: str | None) -> None:
        """Whom a trusted peer speaks for, until the end of the next transaction."""
        if (attributes := await self._attributes(arg, _XFORWARD)) is not None:
            self._client = self._client.told(attributes)
            await self.push("250 2.0.0 Ok")

    async def smtp_XCLIENT(self, arg: str | None) -> None:
        """As XFORWARD, for the whole session, which begins anew."""
        if (attributes := await self._attributes(arg, _XCLIENT)) is not None:
            if self._login.user is not None:
                self._login.user, self._peer = None, replace(self._peer, user=None)
            self._peer = self._client = self._peer.told(attributes)
            self._greeted("", extended=False)
            await self.push(f"220 {self.hostname} {self.__ident__}")

    async def _attributes(self, arg: str | None, names: tuple[str, ...]) -> dict[str, str | None] | None:
        if not self._trusted:
            await self.push("550 5.7.0 Not authorised")
        elif self._transaction is not None:
            await self.push("503 5.5.1 Mail transaction in progress")
        elif (attributes := parse_attributes(arg or "", names)) is None:
            await self.push("501 5.5.4 Bad attributes")
        else:
            return attributes
        return None

    # The transaction

    async def smtp_MAIL(self, arg: str | None) -> None:
        """Begin; the next hop is asked at once and its reply passed on."""
        if await self.check_helo_needed():
            return
        sender, trusted = parse_path(arg or "", "FROM:"), self._trusted
        if self._transaction is not None:
            await self.push("503 5.5.1 Nested MAIL command")
        elif self._leaving and self._answered:
            await self.push(STOPPING)
        elif self._login.required and self._login.user is None and not trusted:
            await self.push(REQUIRED)
        elif sender is None:
            await self.push("501 5.1.7 Bad sender address syntax")
        elif (refusal := self._refused(sender)) is not None:
            await self.push(refusal)
        else:
            await self._asked(self._begin(self._login.permitted(sender, trusted=trusted)))

    def _refused(self, sender: Address) -> str | None:
        if (sender.param("BODY") or "7BIT").upper() not in ("7BIT", "8BITMIME"):
            return "501 5.5.4 BODY is 7BIT or 8BITMIME"
        size = sender.param("SIZE")
        if size is not None and not (size.isdecimal() and len(size) <= DIGITS):
            return "501 5.5.4 Bad SIZE"
        return None

    async def smtp_RCPT(self, arg: str | None) -> None:
        """Add a recipient; the next hop is asked at once."""
        recipient = parse_path(arg or "", "TO:")
        if self._transaction is None:
            await self.push("503 5.5.1 Need MAIL command")
        elif recipient is None or recipient.path == b"<>":
            await self.push("501 5.1.3 Bad recipient address syntax")
        elif self._transaction.recipients >= RECIPIENTS:
            await self.push("452 4.5.3 Too many recipients")
        else:
            await self._asked(self._transaction.rcpt(recipient))

    async def _begin(self, sender: Address) -> str:
        self._transaction, reply = await self._receiver.mail(sender)
        return reply

    async def _asked(self, question: Awaitable[str]) -> None:
        try:
            reply = await question
        except RelayError as error:
            reply = error.reply
        await self.push(reply)

    async def smtp_DATA(self, arg: str | None) -> None:
        """Read the message, hand it over, pass on the reply."""
        transaction = self._transaction
        if transaction is None:
            await self.push("503 5.5.1 Need MAIL command")
        elif arg:
            await self.push("501 5.5.4 Syntax: DATA")
        elif not transaction.recipients:
            await self.push("554 5.5.1 No valid recipients")
        elif (intake := self._receiver.intake()) is None:
            await self.push(NO_ROOM)
        else:
            await self.push(await self._message(transaction, intake))

    async def _message(self, transaction: Transaction, intake: Intake) -> str:
        try:
            await self.push("354 End data with <CR><LF>.<CR><LF>")
            await self._receive(intake)
            if (complaint := self._complaint(intake)) is not None:
                return complaint
            arrival = self._arrival(utf8=transaction.utf8)
            self._transaction = None
        finally:
            if self._transaction is not None:
                intake.close()
                self._abandon()
        return await self._handed_over(transaction, intake, arrival)

    async def _receive(self, intake: Intake) -> None:
        self._reading = True

        def sink(chunk: bytes) -> bytes | None:
            self._reset_timeout()
            return intake.feed(chunk)

        if not await self._input.pour(sink):
            raise asyncio.CancelledError  # the client left in the middle: nothing was promised
        self._reading = False

    def _complaint(self, intake: Intake) -> str | None:
        if intake.bare:
            self._last_reply = True
            return "550 5.5.2 A line of the message does not end with <CR><LF>"
        if intake.wrong:
            return intake.wrong
        if intake.hops > HOPS:
            return "554 5.4.6 Too many hops"
        return None

    async def _handed_over(self, transaction: Transaction, intake: Intake, arrival: Arrival) -> str:
        self._stop_timeout()
        self._working = True
        try:
            return await transaction.data(intake, arrival)
        finally:
            self._working = False
            self._answered += 1
            self._client = self._peer
            if self.transport is not None:
                self._reset_timeout()

    def _arrival(self, *, utf8: bool) -> Arrival:
        assert self.session is not None  # noqa: S101 - set in connection_made
        protocol = "UTF8SMTP" if utf8 else "ESMTP" if self.session.extended_smtp else "SMTP"
        known = self._login.user is not None and protocol != "SMTP"  # no word for that in RFC 3848
        return Arrival(
            peer=self._host,
            helo=self.session.host_name or "",
            protocol=protocol + ("S" if self._tls_protocol else "") + ("A" if known else ""),
            client=self._client,
        )


_VERBS = {name.removeprefix("smtp_"): name for name in dir(Session) if name.startswith("smtp_")}
