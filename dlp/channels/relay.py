"""The next hop: an SMTP or LMTP client that changes no byte, and a maildir for a trial.

A `Delivery` is one transaction, spoken verb by verb as our own client speaks it, so that the next
hop's refusal passes verbatim at the verb where it came. RFC 5321 (SMTP), RFC 2033 (LMTP), RFC 3207
(STARTTLS). A connection that dies before the content is sent is replaced once and what was accepted
is said again; after `354` nothing is ever repeated.

Parameters of extensions which the next hop does not offer are left out (SIZE, BODY, AUTH, DSN's), as
Postfix does; unknown ones go on for it to judge. A message that asks for SMTPUTF8 is refused where
the next hop lacks it (RFC 6531 section 3.5), and one that asks for REQUIRETLS where the next hop
lacks that or is not known for certain (RFC 8689 section 4.2.1).
"""

import asyncio
import os
import re
import secrets
import socket
import ssl
import time
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Literal, Protocol

import structlog

from dlp.blob import Blob
from dlp.channels.relay_connection import BROKEN, DOWN, Connection, Gone, Reply
from dlp.channels.smtp_syntax import Address
from dlp.channels.smtp_wire import stuffed
from dlp.channels.transport import transport_of, weaker
from dlp.errors import ConfigError, RelayError
from dlp.model import Transport

log = structlog.get_logger()

FULL = "451 4.3.0 The message could not be stored, try again later"
NO_SMTPUTF8 = "550 5.6.7 The next hop does not take internationalised mail"
NO_REQUIRETLS = "550 5.7.30 REQUIRETLS support required"

Tls = Literal["off", "may", "verify"]

_CHUNK = 1 << 18
_IDLE = 20.0
"""Seconds an unused connection is kept; one the next hop closes sooner is replaced when it is wanted."""
_USES = 100
_FINAL = 600.0
"""Seconds to wait for the reply after the final dot (RFC 5321 section 4.5.3.2.6)."""
_FARE = 5.0
"""Seconds spent on the courtesy of RSET."""
_NEEDS = {"SIZE": "SIZE", "BODY": "8BITMIME", "AUTH": "AUTH", "RET": "DSN", "ENVID": "DSN", "NOTIFY": "DSN", "ORCPT": "DSN"}


class Delivery(Protocol):
    """One message to the next hop. Every method but `abort` raises RelayError with the reply to give."""

    @property
    def transport(self) -> Transport:
        """How the message goes on, once `mail` was said; it becomes no weaker afterwards."""

    async def mail(self, sender: Address, *, size: int | None) -> str:
        """Say who sends, and how many bytes if that is known; returns the next hop's reply."""

    async def rcpt(self, recipient: Address) -> str:
        """Add one recipient; a refused one leaves the others as they are."""

    async def keep(self, places: Sequence[int]) -> None:
        """Go on with those of the accepted recipients only, by their places, of which there is one at least."""

    async def data(self, head: bytes, blob: Blob) -> str:
        """Send `head` and the blob; returns the next hop's reply once it has the message durably."""

    async def data_each(self, head: bytes, blob: Blob) -> list[str]:
        """As `data`, but a reply for each recipient that was accepted, in their order: what the next hop says after the dot
        is among them, a refusal too, and what it failed to say is 451."""

    async def abort(self) -> None:
        """End the transaction, whatever its state; does nothing after `data`."""


class NextHop(ABC):
    """Where released mail goes."""

    @staticmethod
    def parse(
        url: str, *, hostname: str = "", tls: Tls = "may", connect_timeout: float = 10.0, command_timeout: float = 60.0
    ) -> "NextHop":
        """The one that `url` names: smtp://host[:port], lmtp://host[:port], lmtp:/socket or maildir:PATH. Raises ConfigError.

        `hostname` is what we greet with, by default the machine's. `tls`: "off"; "may" uses STARTTLS where
        it is offered, without checking the certificate (against listeners only); "verify" insists on it
        and on a certificate for that host. Timeouts are in seconds.
        """
        scheme, _, rest = url.partition(":")
        if scheme == "maildir" and rest:
            return MaildirHop(Path(rest))
        try:
            if scheme not in ("smtp", "lmtp"):
                raise ValueError("is none of the known kinds")
            place = _place(scheme, rest)
        except ValueError as error:
            remedy = "smtp://host:port, lmtp://host:port, lmtp:/path/to/socket or maildir:PATH"
            raise ConfigError.single("[mail]", "mail.next_hop", str(error), remedy) from error
        return SmtpHop(
            place,
            lmtp=scheme == "lmtp",
            hostname=hostname or socket.gethostname(),
            tls="off" if isinstance(place, str) else tls,
            connect_timeout=connect_timeout,
            command_timeout=command_timeout,
        )

    @abstractmethod
    def open(self) -> Delivery:
        """A new transaction; nothing is said before its `mail`."""

    @abstractmethod
    async def extensions(self) -> dict[str, str]:
        """What the next hop offers, keyword → parameters. Raises RelayError if it cannot be asked."""

    async def close(self) -> None:  # noqa: B027 - most have nothing to close
        """Let idle connections go."""

    def open_once(self, key: str) -> Delivery:
        """A new transaction for the one message that `key` names: where that can be told, it is taken once at the most."""
        return self.open()

    async def deliver(self, sender: Address, recipients: Sequence[Address], head: bytes, blob: Blob, *, key: str = "") -> str:
        """A whole transaction; if one recipient is refused nobody gets the message. `key`: see open_once. Raises RelayError."""
        delivery = self.open_once(key) if key else self.open()
        try:
            await delivery.mail(sender, size=len(head) + blob.size)
            for recipient in recipients:
                await delivery.rcpt(recipient)
            return await delivery.data(head, blob)
        finally:
            await delivery.abort()

    async def deliver_message(self, sender: str, recipients: Sequence[str], content: bytes) -> str:
        """A message of our own making, its lines ended by CRLF, to these addresses. Raises RelayError."""
        paths = [Address(path=b"<" + one.encode("utf-8", "surrogateescape") + b">") for one in (sender, *recipients)]
        try:
            blob = Blob.of([content])
        except OSError as error:
            raise RelayError(FULL, f"no memory for a message: {error.strerror}") from error
        with blob:
            return await self.deliver(paths[0], paths[1:], b"", blob)


def _place(scheme: str, rest: str) -> tuple[str, int] | str:
    if rest.startswith("//"):
        return parse_endpoint(rest[2:], default=25 if scheme == "smtp" else 24)
    if scheme == "lmtp" and rest.startswith("/"):
        return rest
    raise ValueError("names neither //host:port nor, for lmtp, the absolute path of a socket")


def parse_endpoint(text: str, *, default: int | None = None) -> tuple[str, int]:
    """ "host:port", or "[v6]:port", as a pair. Raises ValueError."""
    found = re.fullmatch(r"(\[[0-9A-Fa-f:.]+\]|[^\s:/\[\]]+)(?::(\d{1,5}))?", text)
    if found is None or (found[2] is None and default is None) or int(found[2] or 0) > 65535:
        raise ValueError(f"{text!r} is not host:port")
    return found[1].strip("[]"), int(found[2]) if found[2] is not None else default or 0


class SmtpHop(NextHop):
    """A next hop by SMTP or LMTP, with a small pool of idle connections."""

    def __init__(
        self,
        place: tuple[str, int] | str,
        *,
        lmtp: bool,
        hostname: str,
        tls: Tls,
        connect_timeout: float,
        command_timeout: float,
    ) -> None:
        self.lmtp = lmtp
        self.command_timeout = command_timeout
        self._place = place
        self._hostname = hostname
        self._tls = tls
        self._connect_timeout = connect_timeout
        self._idle: list[Connection] = []
        self._context = _context(verify=tls == "verify") if tls != "off" else None

    def open(self) -> Delivery:
        """See NextHop."""
        return SmtpDelivery(self)

    async def extensions(self) -> dict[str, str]:
        """See NextHop."""
        connection = await self.checkout()
        self.checkin(connection)
        return connection.extensions

    async def close(self) -> None:
        """See NextHop; a connection in use is closed by who uses it."""
        idle, self._idle = self._idle, []
        for connection in idle:
            connection.quit()
            await connection.wait_closed()

    async def checkout(self) -> Connection:
        """An idle connection that still stands, else a new one. Raises RelayError."""
        while self._idle:
            connection = self._idle.pop()
            if connection.expiry is not None:
                connection.expiry.cancel()
            if not connection.stale:
                return connection
            connection.close()
        return await self.connect()

    def checkin(self, connection: Connection) -> None:
        """Give back a connection on which no transaction is open."""
        connection.uses += 1
        if connection.stale:
            connection.close()
            return
        if connection.uses >= _USES:
            connection.quit()
            return
        connection.expiry = asyncio.get_running_loop().call_later(_IDLE, self._expire, connection)
        self._idle.append(connection)

    def _expire(self, connection: Connection) -> None:
        if connection in self._idle:
            self._idle.remove(connection)
            connection.quit()

    async def connect(self) -> Connection:
        """A new connection, greeted, with TLS as far as it is wanted. Whatever fails here is 451: it refuses no message."""
        connection: Connection | None = None
        try:
            async with asyncio.timeout(self._connect_timeout):
                connection = await self._connected()
            greeting = await connection.reply(timeout=self.command_timeout)
            if greeting.code != 220:
                raise RelayError(DOWN, f"the next hop greets with {greeting.code}")
            await self._hello(connection)
            await self._secure(connection)
            self._weigh(connection)
        except (OSError, RelayError, TimeoutError) as error:
            if connection is not None:
                connection.close()
            reason = str(error) if isinstance(error, RelayError) else f"cannot connect: {error or type(error).__name__}"
            raise RelayError(DOWN, f"next hop: {reason}") from error
        return connection

    async def _connected(self) -> Connection:
        loop = asyncio.get_running_loop()
        if isinstance(self._place, str):
            return (await loop.create_unix_connection(Connection, self._place))[1]
        return (await loop.create_connection(Connection, *self._place))[1]

    async def _hello(self, connection: Connection) -> None:
        name = self._hostname.encode("idna" if not self._hostname.isascii() else "ascii")
        reply = await connection.command((b"LHLO " if self.lmtp else b"EHLO ") + name, timeout=self.command_timeout)
        if reply.code // 100 == 5 and not self.lmtp:
            reply = await connection.command(b"HELO " + name, timeout=self.command_timeout)
            connection.extensions = {}
        else:
            pairs = (line[4:].partition(" ") for line in reply.text.split("\r\n")[1:])
            connection.extensions = {keyword.upper(): value for keyword, _, value in pairs}
        if reply.code // 100 != 2:
            raise RelayError(DOWN, f"the next hop answers our greeting with {reply.code}")

    async def _secure(self, connection: Connection) -> None:
        if self._context is None:
            return
        if "STARTTLS" not in connection.extensions:
            if self._tls == "verify":
                raise RelayError(DOWN, "the next hop does not offer STARTTLS, which is required")
            return
        reply = await connection.command(b"STARTTLS", timeout=self.command_timeout)
        if reply.code != 220:
            raise RelayError(DOWN, f"the next hop answers STARTTLS with {reply.code}")
        await connection.start_tls(self._context, self._place[0], timeout=self.command_timeout)
        await self._hello(connection)

    def _weigh(self, connection: Connection) -> None:
        """How safe the conversation is; REQUIRETLS is only for a next hop that is known for certain."""
        verified = self._tls == "verify"
        connection.way = transport_of(connection.peername, encrypted=connection.encrypted, verified=verified)
        if connection.way not in (Transport.LOCAL, Transport.VERIFIED):
            connection.extensions.pop("REQUIRETLS", None)


def _context(*, verify: bool) -> ssl.SSLContext:
    context = ssl.create_default_context()
    if not verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


class SmtpDelivery:
    """A transaction over one connection at a time; implements Delivery."""

    def __init__(self, hop: SmtpHop) -> None:
        self._hop = hop
        self._connection: Connection | None = None
        self._accepted: list[bytes] = []
        self._recipients = 0
        self._renewed = False
        self._transport = Transport.UNKNOWN

    @property
    def transport(self) -> Transport:
        """See Delivery."""
        return self._transport

    async def mail(self, sender: Address, *, size: int | None) -> str:
        """See Delivery."""
        self._connection = await self._hop.checkout()
        self._transport = self._connection.way
        offered = self._connection.extensions
        if sender.param("SMTPUTF8") is not None and "SMTPUTF8" not in offered:
            raise RelayError(NO_SMTPUTF8, "the next hop lacks SMTPUTF8")
        if sender.param("REQUIRETLS") is not None and "REQUIRETLS" not in offered:
            raise RelayError(NO_REQUIRETLS, "the next hop lacks REQUIRETLS, or is not known for certain")
        params = [one for one in _passable(sender, offered) if not one.upper().startswith(b"SIZE=")]
        if size is not None and "SIZE" in offered:
            params.append(b"SIZE=%d" % size)
        return (await self._say(b" ".join([b"MAIL FROM:" + sender.path, *params]))).text

    async def rcpt(self, recipient: Address) -> str:
        """See Delivery."""
        offered = self._held.extensions
        reply = await self._say(b" ".join([b"RCPT TO:" + recipient.path, *_passable(recipient, offered)]))
        self._recipients += 1
        return reply.text

    async def keep(self, places: Sequence[int]) -> None:
        """See Delivery: the transaction is begun anew, since no command takes a recipient back."""
        self._accepted = [self._accepted[0], *(self._accepted[1 + place] for place in places)]
        self._recipients = len(places)
        try:
            for line in (b"RSET", *self._accepted):
                await self._command(line, 2)
        except Gone:
            if self._renewed:
                raise
            await self._renew()

    async def data(self, head: bytes, blob: Blob) -> str:
        """See Delivery."""
        connection = await self._sent(head, blob)
        replies = [await connection.reply(timeout=_FINAL) for _ in range(self._recipients if self._hop.lmtp else 1)]
        self._connection = None
        self._hop.checkin(connection)
        return _settled(replies).text

    async def data_each(self, head: bytes, blob: Blob) -> list[str]:
        """See Delivery."""
        connection = await self._sent(head, blob)
        awaited, replies = self._recipients if self._hop.lmtp else 1, list[str]()
        try:
            while len(replies) < awaited:
                reply = await connection.reply(timeout=_FINAL)
                replies.append(reply.text if reply.code // 100 in (2, 4, 5) else BROKEN)
        except RelayError as error:
            # Those who have their answer keep it.
            replies += [error.reply] * (awaited - len(replies))
        else:
            self._connection = None
            self._hop.checkin(connection)
        return replies if self._hop.lmtp else replies * self._recipients

    async def _sent(self, head: bytes, blob: Blob) -> Connection:
        await self._say(b"DATA", expect=3)
        connection, timeout = self._held, self._hop.command_timeout
        if blob.undotted and blob.size > _CHUNK:
            await connection.send(head, timeout=timeout)
            await connection.send_file(blob.descriptor, blob.start, blob.size, timeout=timeout)
            await connection.send(b".\r\n", timeout=timeout)
            return connection
        for piece in _gathered(stuffed(_with_head(head, blob))):
            await connection.send(piece, timeout=timeout)
            if len(piece) >= _CHUNK:
                await asyncio.sleep(0)  # others have their turn while a large message goes out
        return connection

    async def abort(self) -> None:
        """See Delivery."""
        connection, self._connection = self._connection, None
        if connection is None or connection.closed:
            return
        try:
            reply = await connection.command(b"RSET", timeout=_FARE)
        except RelayError:
            return  # a failed command has closed the connection, which ends the transaction as well
        if reply.code == 250:
            self._hop.checkin(connection)
        else:
            connection.close()

    @property
    def _held(self) -> Connection:
        if self._connection is None:
            raise RelayError(BROKEN, "no transaction is open")
        return self._connection

    async def _say(self, line: bytes, *, expect: int = 2) -> Reply:
        try:
            reply = await self._command(line, expect)
        except Gone:
            if self._renewed:
                raise
            await self._renew()
            reply = await self._command(line, expect)
        self._accepted.append(line)
        return reply

    async def _renew(self) -> None:
        """A new connection, brought to where the lost one was. A message judged for a safe one does not go on a weaker one."""
        self._renewed = True
        self._connection = await self._hop.connect()
        if weaker(self._connection.way, self._transport):
            raise RelayError(BROKEN, f"the new connection is {self._connection.way}, the lost one was {self._transport}")
        for line in self._accepted:
            await self._command(line, 2)

    async def _command(self, line: bytes, expect: int) -> Reply:
        connection = self._held
        reply = await connection.command(line, timeout=self._hop.command_timeout)
        if reply.code // 100 == expect:
            return reply
        if reply.code // 100 in (4, 5):
            raise RelayError(reply.text, f"the next hop answers {line[:4].decode()} with {reply.code}")
        connection.close()
        raise RelayError(BROKEN, f"the next hop answers {line[:4].decode()} with {reply.code}, out of turn")


def _passable(address: Address, offered: dict[str, str]) -> list[bytes]:
    """The parameters the next hop will understand, verbatim, and those nobody here knows."""
    kept = []
    for param in address.params:
        need = _NEEDS.get(param.partition(b"=")[0].decode("ascii").upper())
        if need is None or need in offered:
            kept.append(param)
    return kept


def _with_head(head: bytes, blob: Blob) -> Iterator[bytes]:
    yield head
    yield from blob.chunks(_CHUNK)


def _gathered(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Small pieces joined, so that a small message is one packet and not three."""
    waiting, size = [], 0
    for piece in pieces:
        waiting.append(piece)
        size += len(piece)
        if size >= _CHUNK:
            yield b"".join(waiting)
            waiting, size = [], 0
    yield b"".join(waiting)


def _settled(replies: list[Reply]) -> Reply:
    """One reply for all recipients. SMTP sends one reply, LMTP one for each (RFC 2033 section 4.2).

    Where they differ the message is refused, for a while if one asks for that: some recipients may
    get it twice, or its sender a bounce for more of them than failed, but nobody loses it unnoticed.
    """
    for kind in (4, 5):
        for reply in replies:
            if reply.code // 100 == kind:
                raise RelayError(reply.text, f"the next hop answers the message with {reply.code}")
    if any(reply.code // 100 != 2 for reply in replies):
        raise RelayError(BROKEN, "the next hop answers the message out of turn")
    return replies[-1]


class MaildirHop(NextHop):
    """A maildir (https://cr.yp.to/proto/maildir.html) for a trial: one file a message, in wire form with CRLF."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def open(self) -> Delivery:
        """See NextHop."""
        return MaildirDelivery(self._root)

    async def extensions(self) -> dict[str, str]:
        """See NextHop."""
        return {"8BITMIME": "", "SMTPUTF8": "", "SIZE": ""}


class MaildirDelivery:
    """Stores one message; implements Delivery. It knows no recipients: all mail is taken."""

    transport = Transport.LOCAL

    def __init__(self, root: Path) -> None:
        self._root = root
        self._recipients = 0

    async def mail(self, sender: Address, *, size: int | None) -> str:
        """See Delivery."""
        if sender.param("REQUIRETLS") is not None:
            raise RelayError(NO_REQUIRETLS, "a maildir sends nothing on")
        return "250 2.1.0 Ok"

    async def rcpt(self, recipient: Address) -> str:
        """See Delivery."""
        self._recipients += 1
        return "250 2.1.5 Ok"

    async def keep(self, places: Sequence[int]) -> None:
        """See Delivery."""
        self._recipients = len(places)

    async def data(self, head: bytes, blob: Blob) -> str:
        """See Delivery."""
        name = f"{time.time_ns() // 10**9}.{secrets.token_hex(12)}.dlp"
        try:
            await asyncio.to_thread(_store, self._root, name, head, blob)
        except OSError as error:
            raise RelayError(FULL, f"the maildir cannot be written: {error.strerror}") from error
        return f"250 2.0.0 Ok: stored as {name}"

    async def data_each(self, head: bytes, blob: Blob) -> list[str]:
        """See Delivery."""
        return [await self.data(head, blob)] * self._recipients

    async def abort(self) -> None:
        """See Delivery; nothing is kept before `data`."""


def _store(root: Path, name: str, head: bytes, blob: Blob) -> None:
    """tmp, fsync, rename into new, fsync new: after return the message survives a power cut. Raises OSError."""
    for part in ("tmp", "new", "cur"):
        (root / part).mkdir(mode=0o700, parents=True, exist_ok=True)
    draft, place = root / "tmp" / name, root / "new" / name
    try:
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "wb") as file:
            for piece in _with_head(head, blob):
                file.write(piece)
            file.flush()
            os.fsync(file.fileno())
        draft.rename(place)
        folder = os.open(place.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    except OSError:
        for left in (draft, place):  # its sender is told to try again, so it must not be here as well
            left.unlink(missing_ok=True)
        raise
