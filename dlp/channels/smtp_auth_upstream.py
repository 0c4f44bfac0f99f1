"""Credentials at another server: a claim holds where it takes it by AUTH (RFC 4954) PLAIN or LOGIN.

Its 235 is yes, its 535 no; anything else, or nothing, is an answer that has to be asked for again.
"""

import asyncio
import base64
import socket
from typing import Literal

from dlp.channels.relay import SmtpHop, parse_endpoint
from dlp.channels.relay_connection import Connection
from dlp.channels.smtp_auth import Recent, Unchecked, loopback
from dlp.channels.smtp_sasl import Claim
from dlp.errors import RelayError

AuthTls = Literal["verify", "encrypt", "may"]

AT_ONCE = 10
"""Connections at the same time."""
WAITING = 50
"""Claims that wait for that; those beyond are to be tried again later."""
PATIENCE = 30.0
"""Seconds for one claim, from the connection to the answer."""
_LINE = 510
"""Bytes of a command without CRLF that every server takes (RFC 5321 section 4.5.3.1.4)."""
_PORTS = {"smtp": 587, "smtps": 465}


def parse_upstream(url: str) -> tuple[str, str, int]:
    """Scheme, host and port of smtp://host[:port] (RFC 6409) or smtps://host[:port] (RFC 8314). Raises ValueError."""
    scheme, _, rest = url.partition("://")
    if scheme not in _PORTS:
        raise ValueError(f"{url!r} is neither smtp://host:port nor smtps://host:port")
    host, port = parse_endpoint(rest, default=_PORTS[scheme])
    return scheme, host, port


class _ImplicitTls(SmtpHop):
    """TLS from the first byte (RFC 8314 section 3.3)."""

    async def _connected(self) -> Connection:
        connection = await super()._connected()
        assert self._context is not None  # noqa: S101 - `tls` is never "off" here
        await connection.start_tls(self._context, self._place[0], timeout=self.command_timeout)
        return connection

    async def _secure(self, connection: Connection) -> None:
        """It is."""


class UpstreamCredentials:
    """Who is who at another server; implements smtp_auth.Credentials.

    `tls`: "verify" insists on TLS and on a certificate for that host; "encrypt" on TLS; "may" uses it where
    it is offered. On loopback all three are "may". Timeouts are in seconds. Raises ValueError for a bad `url`.
    """

    def __init__(self, url: str, *, tls: AuthTls, hostname: str, connect_timeout: float, command_timeout: float) -> None:
        scheme, host, port = parse_upstream(url)
        self._url = url
        self._clear = tls == "may" or loopback(host)
        kind = _ImplicitTls if scheme == "smtps" else SmtpHop
        self._hop = kind(
            (host, port),
            lmtp=False,
            hostname=hostname or socket.gethostname(),
            tls="verify" if tls == "verify" and not loopback(host) else "may",
            connect_timeout=connect_timeout,
            command_timeout=command_timeout,
        )
        self._slots = asyncio.Semaphore(AT_ONCE)
        self._waiting = 0
        self._recent = Recent()

    async def holds(self, claim: Claim) -> bool:
        """See Credentials. How long a name that is not known takes is the server's business."""
        if self._recent.knows(claim):
            return True
        if self._waiting >= WAITING:
            raise Unchecked(f"{self._waiting} claims wait for {self._url}; if that lasts, somebody is guessing")
        self._waiting += 1
        try:
            async with asyncio.timeout(PATIENCE), self._slots:
                holds = await self._asked(claim)
        except TimeoutError:
            raise Unchecked(f"{self._url} did not answer in {PATIENCE:.0f} s") from None
        except RelayError as error:
            raise Unchecked(f"{self._url}: {error}") from error
        finally:
            self._waiting -= 1
        if holds:
            self._recent.keep(claim)
        return holds

    async def _asked(self, claim: Claim) -> bool:
        connection = await self._hop.connect()
        try:
            if not self._clear and not connection.encrypted:
                raise Unchecked(f'{self._url} does not offer TLS; mail.auth_upstream_tls = "may" would speak in clear')
            timeout = self._hop.command_timeout
            for line in _lines(claim, connection.extensions.get("AUTH", "").upper().split()):
                code = (await connection.command(line, timeout=timeout)).code
                if code != 334:
                    break
        finally:
            if not connection.closed:
                connection.quit()
        if code not in (235, 535):
            raise Unchecked(f"{self._url} answers AUTH with {code}")
        return code == 235


def _lines(claim: Claim, offered: list[str]) -> list[bytes]:
    """What is said, line by line, as long as the server says 334. Raises Unchecked."""
    user = claim.user.encode()
    if "PLAIN" in offered:
        response = base64.b64encode(b"\0" + user + b"\0" + claim.password)
        whole = b"AUTH PLAIN " + response
        return [whole] if len(whole) <= _LINE else [b"AUTH PLAIN", response]
    if "LOGIN" in offered:
        return [b"AUTH LOGIN", base64.b64encode(user), base64.b64encode(claim.password)]
    raise Unchecked("the upstream server offers neither PLAIN nor LOGIN")
