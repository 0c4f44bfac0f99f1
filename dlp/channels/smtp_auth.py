"""AUTH (RFC 4954): who a client is, by PLAIN or LOGIN.

`Credentials` knows who is who: a file (smtp_auth_file) or an upstream server (smtp_auth_upstream).
The `Authenticator`, one a gateway, asks them and makes who guesses wait; a `Login`, one a session, speaks
with the client. Nothing here logs or keeps a password, nor the name, since people type a password into that field.
"""

import asyncio
import hashlib
import hmac
import ipaddress
import secrets
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, replace
from typing import Any, Protocol

import structlog

from dlp.channels.smtp_sasl import Claim, Malformed, decoded, plain
from dlp.channels.smtp_syntax import Address
from dlp.errors import DLPError
from dlp.metrics import Metrics

log = structlog.get_logger()

MECHANISMS = "PLAIN LOGIN"
RESPONSE_LIMIT = 12288
"""Bytes of a line of the exchange (RFC 4954 section 4, point 5)."""
MOST_FAILURES = 3
"""Of one connection, which is then closed."""

SUCCESS = "235 2.7.0 Authentication successful"
REQUIRED = "530 5.7.0 Authentication required"
TOO_MANY = "421 4.7.0 Too many failed authentications"
_REJECTED = "535 5.7.8 Authentication credentials invalid"
_CANCELLED = "501 5.7.0 Authentication cancelled"
_MALFORMED = "501 5.5.2 Cannot make sense of that response"
_TOO_LONG = "500 5.5.6 Authentication exchange line is too long"
_UNCHECKED = "454 4.7.0 Temporary authentication failure, try again later"
_THROTTLED = "454 4.7.0 Too many failed authentications, try again later"

Ask = Callable[[str], Awaitable[bytes | None]]
"""Send a challenge ("334 …") and read one line without its end; None for a line beyond RESPONSE_LIMIT, read to its end."""


class Unchecked(DLPError):
    """Nobody can say now whether a claim holds: says which source, why, and what to do; never the claim."""


class Credentials(Protocol):
    """Knows who is who. A claim may be asked about at any time and several at once."""

    async def holds(self, claim: Claim) -> bool:
        """The password is that user's; a user who is not known takes as long as a wrong password. Raises Unchecked."""


class Recent:
    """Claims that held lately, as keyed hashes, so that who authenticates for every message costs little.

    `proof` is what a claim was checked against: when that changes, the claim is no longer known.
    """

    SECONDS = 300.0
    MOST = 10_000

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._key = secrets.token_bytes(32)
        self._until: OrderedDict[bytes, float] = OrderedDict()

    def knows(self, claim: Claim, proof: bytes = b"") -> bool:
        """It held against this proof, not long ago."""
        return self._until.get(self._digest(claim, proof), 0.0) > self._clock()

    def keep(self, claim: Claim, proof: bytes = b"") -> None:
        """It holds now; the oldest is forgotten where there are too many."""
        self._until[self._digest(claim, proof)] = self._clock() + self.SECONDS
        if len(self._until) > self.MOST:
            self._until.popitem(last=False)

    def _digest(self, claim: Claim, proof: bytes) -> bytes:
        parts = (claim.user.encode(), proof, claim.password)
        return hmac.digest(self._key, b"".join(len(one).to_bytes(4, "big") + one for one in parts), hashlib.sha256)


@dataclass(slots=True)
class _Record:
    failures: float
    since: float
    free: float


class Attempts:
    """Who has guessed wrong, by address, and how long he waits: 1, 2, 4, 8, then 10 seconds between two attempts.

    Attempts over several connections wait for each other. A failure fades in a minute. An IPv6 client has
    a /64 to itself, so that is what counts there.
    """

    FADE = 60.0
    LONGEST = 10.0
    PATIENCE = 30.0
    MOST_COUNTED = 10.0
    MOST = 10_000

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._records: OrderedDict[str, _Record] = OrderedDict()

    def __len__(self) -> int:
        return len(self._records)

    def wait(self, peer: str) -> float | None:
        """Seconds until the attempt that is begun now may be made; None where too many wait already."""
        record = self._records.get(_neighbourhood(peer))
        if record is None:
            return 0.0
        now = self._clock()
        self._fade(record, now)
        start = max(now, record.free)
        if start - now > self.PATIENCE:
            return None
        record.free = start + self._pace(record)
        return start - now

    def failed(self, peer: str) -> None:
        """Another failure from there."""
        now, key = self._clock(), _neighbourhood(peer)
        record = self._records.setdefault(key, _Record(0.0, now, now))
        self._records.move_to_end(key)
        self._fade(record, now)
        record.failures = min(record.failures + 1, self.MOST_COUNTED)
        record.free = max(record.free, now + self._pace(record))
        if len(self._records) > self.MOST:
            self._records.popitem(last=False)

    def _fade(self, record: _Record, now: float) -> None:
        record.failures = max(0.0, record.failures - (now - record.since) / self.FADE)
        record.since = now

    def _pace(self, record: _Record) -> float:
        return min(2.0 ** (record.failures - 1), self.LONGEST) if record.failures >= 0.5 else 0.0


def _neighbourhood(peer: str) -> str:
    try:
        address = ipaddress.ip_address(peer.partition("%")[0])
    except ValueError:
        return peer
    return str(address) if address.version == 4 else str(ipaddress.ip_network((address, 64), strict=False))


def loopback(host: str) -> bool:
    """What is said to this address leaves the machine nowhere. A name other than "localhost" is not known to be one."""
    try:
        return ipaddress.ip_address(host.partition("%")[0]).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def unclaimed(sender: Address) -> Address:
    """With `AUTH=<>` for any other AUTH: whoever says it is not trusted to (RFC 4954 section 5)."""
    params = (b"AUTH=<>" if one.upper().startswith(b"AUTH=") else one for one in sender.params)
    return replace(sender, params=tuple(params))


class _Failed(Exception):
    """The exchange ended without a user; `why` is for log and metric."""

    def __init__(self, reply: str, why: str) -> None:
        super().__init__(why)
        self.reply = reply
        self.why = why


class Authenticator:
    """Asks the credentials on behalf of all sessions.

    `spawn` runs a check to its end even where its session goes, so that to hang up early hides no failure.
    `without_tls`: AUTH is offered in clear to everybody. `required`: nobody sends without.
    """

    def __init__(
        self,
        credentials: Credentials,
        metrics: Metrics,
        *,
        spawn: Callable[[Coroutine[Any, Any, bool]], asyncio.Task[bool]],
        without_tls: bool = False,
        required: bool = False,
        attempts: Attempts | None = None,
    ) -> None:
        self.without_tls = without_tls
        self.required = required
        self._credentials = credentials
        self._failures = metrics.mail_auth_failures
        self._spawn = spawn
        self._attempts = attempts or Attempts()

    async def prove(self, claim: Claim | None, peer: str | None) -> None:
        """Returns if the claim holds; None never does. `peer`: whose failures count, None for nobody's. Raises _Failed."""
        if peer is not None:
            seconds = self._attempts.wait(peer)
            if seconds is None:
                raise _Failed(_THROTTLED, "throttled")
            await asyncio.sleep(seconds)
        try:
            holds = await asyncio.shield(self._spawn(self._judged(claim, peer)))
        except Unchecked as error:
            log.error("mail authentication not possible", reason=str(error))
            raise _Failed(_UNCHECKED, "unchecked") from None
        if not holds:
            raise _Failed(_REJECTED, "rejected")

    async def _judged(self, claim: Claim | None, peer: str | None) -> bool:
        holds = claim is not None and await self._credentials.holds(claim)
        if not holds and peer is not None:
            self._attempts.failed(peer)
        return holds

    def failed(self, peer: str, why: str) -> None:
        """Tell of a failure, once: in the log and in the metric."""
        log.warning("mail authentication failed", peer=peer, why=why)
        self._failures.labels(why).inc()


class Login:
    """One session's AUTH. `user` is who it is, None as long as that is not known; `failures` how often it failed."""

    def __init__(self, authenticator: Authenticator | None) -> None:
        self._authenticator = authenticator
        self.user: str | None = None
        self.failures = 0

    @property
    def required(self) -> bool:
        """Nobody sends without."""
        return self._authenticator is not None and self._authenticator.required

    @property
    def exhausted(self) -> bool:
        """The connection has failed too often and is to be closed."""
        return self.failures >= MOST_FAILURES

    def offered(self, *, private: bool) -> bool:
        """AUTH is there for a client whose words nobody else reads (`private`), or who may say them in clear."""
        return self._authenticator is not None and (private or self._authenticator.without_tls)

    def permitted(self, sender: Address, *, trusted: bool) -> Address:
        """The sender as it goes on: its AUTH parameter only from a peer that is trusted, or that has said who it is."""
        return sender if self._authenticator is None or trusted or self.user is not None else unclaimed(sender)

    def refusal(self, *, private: bool, greeted: bool, busy: bool, known: bool) -> str | None:
        """Why no exchange may begin now, None where it may. `greeted`: by EHLO; `busy`: in a transaction;
        `known`: the session has a user."""
        if self._authenticator is None:
            return "502 5.5.1 AUTH is not available"
        if not greeted:
            return "503 5.5.1 Send EHLO first"
        if known:
            return "503 5.5.1 Already authenticated"
        if busy:
            return "503 5.5.1 Mail transaction in progress"
        if not self.offered(private=private):
            return "538 5.7.11 Encryption required for authentication, use STARTTLS"
        return None

    async def exchange(self, argument: str, *, peer: str, trusted: bool, ask: Ask) -> str:
        """The whole exchange after "AUTH", where `refusal` had none; the reply that ends it. Sets `user` where it succeeds.

        A `trusted` peer speaks for many, so that it does not wait for what one of them typed.
        """
        authenticator, words = self._authenticator, argument.split()
        assert authenticator is not None  # noqa: S101 - see `refusal`
        if not 1 <= len(words) <= 2:
            return "501 5.5.4 Syntax: AUTH mechanism [initial-response]"
        if words[0].upper() not in MECHANISMS.split():
            return "504 5.5.4 Unrecognized authentication type"
        try:
            claim = await _claim(words, ask)
            await authenticator.prove(claim, None if trusted else peer)
        except _Failed as failure:
            self.failures += 1
            authenticator.failed(peer, failure.why)
            return failure.reply
        self.user = claim.user if claim is not None else None
        return SUCCESS


async def _claim(words: list[str], ask: Ask) -> Claim | None:
    """What the client says after "AUTH mechanism [initial-response]"; see smtp_sasl.plain for None. Raises _Failed."""
    try:
        first = None
        if len(words) == 2:  # "=" stands for an initial response without a byte (RFC 4954 section 4)
            first = b"" if words[1] == "=" else decoded(words[1].encode("utf-8", "surrogateescape"))
        if words[0].upper() == "PLAIN":
            return plain(first if first is not None else await _response("", ask))
        user = first if first is not None else await _response("VXNlcm5hbWU6", ask)  # "Username:"
        return Claim.of(user, await _response("UGFzc3dvcmQ6", ask))  # "Password:"
    except Malformed:
        raise _Failed(_MALFORMED, "malformed") from None


async def _response(challenge: str, ask: Ask) -> bytes:
    line = await ask(challenge)
    if line is None:
        raise _Failed(_TOO_LONG, "malformed")
    if line == b"*":
        raise _Failed(_CANCELLED, "cancelled")
    return decoded(line)


async def read_line(reader: asyncio.StreamReader) -> bytes | None:
    """One line without its end, or None for one beyond RESPONSE_LIMIT, all of which is read."""
    whole = True
    while True:
        try:
            line = await reader.readuntil(b"\n")
        except asyncio.LimitOverrunError as error:
            await reader.readexactly(error.consumed)
            whole = False
        else:
            return line.rstrip(b"\r\n") if whole and len(line) <= RESPONSE_LIMIT else None
