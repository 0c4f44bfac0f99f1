"""One conversation with a next hop: commands out, replies in, each within a time. RFC 5321 section 4.2.

A protocol of its own and no stream: a message is five short replies, and what a stream's buffers and timers cost
for each is more than all the rest of relaying it.
"""

import asyncio
import os
import re
import ssl
from dataclasses import dataclass
from typing import Any, TypeVar, cast

from dlp.channels.rota import turn
from dlp.errors import RelayError
from dlp.model import Transport

T = TypeVar("T")

DOWN = "451 4.4.1 The next hop cannot be reached, try again later"
BROKEN = "451 4.4.2 The next hop did not answer properly, try again later"

_LINE = re.compile(rb"([2-5]\d\d)(?:([ -])([^\x00\r\n]*))?\r?\n")
_LINES = 100
"""Of one reply."""
_LONGEST = 1 << 16
"""Bytes of one line of a reply, and of what is said unasked."""
_HIGH = 1 << 20
"""Bytes of content that wait to be sent before we wait ourselves."""


_PIECE = 1 << 18
"""Bytes of a file that are sent before others have their turn."""


class Gone(RelayError):
    """The connection ended, or the next hop ended it with 421; before the content a new one may be tried."""


@dataclass(frozen=True, slots=True)
class Reply:
    """A whole reply, its lines joined by CRLF."""

    code: int
    text: str


class Connection(asyncio.Protocol):
    """One conversation. After anything but a proper reply it is closed and stays so.

    `extensions` are those of the last EHLO, `uses` the transactions so far. `encrypted` once TLS stands; `way` is what
    whoever opened it makes of that.
    """

    def __init__(self) -> None:
        self.extensions: dict[str, str] = {}
        self.uses = 0
        self.closed = False
        self.encrypted = False
        self.way = Transport.UNKNOWN
        self.expiry: asyncio.TimerHandle | None = None
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._input = bytearray()
        self._lines: list[bytes] = []
        self._ended = False
        self._reply: asyncio.Future[Reply] | None = None
        self._room: asyncio.Future[None] | None = None
        self._lost: asyncio.Future[None] = self._loop.create_future()

    @property
    def stale(self) -> bool:
        """It ended, or the hop said something unasked (a 421, or worse): it would be out of step."""
        return self.closed or self._ended or bool(self._input)

    @property
    def peername(self) -> object:
        """Who is at the other end, as the socket names it; None where nobody is."""
        return self._transport.get_extra_info("peername") if self._transport is not None else None

    async def command(self, line: bytes, *, timeout: float) -> Reply:
        """The reply to one command line. Raises RelayError, Gone where the connection has ended."""
        self._write(line + b"\r\n")
        return await self.reply(timeout=timeout)

    async def reply(self, *, timeout: float) -> Reply:
        """The next reply. Raises as `command`."""
        try:
            found = self._parsed()
            if found is None:
                if self._ended:
                    raise _ended()
                self._reply = self._loop.create_future()
                found = await self._timed(self._reply, timeout)
        except BaseException:
            self.close()  # whatever went wrong, cancellation included: the conversation is out of step
            raise
        finally:
            self._reply = None
        if found.code == 421:
            self.close()
            raise Gone(found.text, "the next hop ended the session")
        return found

    async def send(self, chunk: bytes, *, timeout: float) -> None:
        """Content; returns once there is room for more. Raises as `command`."""
        self._write(chunk)
        if self._room is None:
            return
        try:
            await self._timed(self._room, timeout)
        except BaseException:
            self.close()
            raise

    async def send_file(self, descriptor: int, start: int, size: int, *, timeout: float) -> None:
        """`size` bytes of a file from `start` on, which the kernel copies to the socket by itself; in TLS they are read and
        sent. Raises as `command`."""
        if self.encrypted:
            while size > 0 and (chunk := os.pread(descriptor, min(_PIECE, size), start)):
                await self.send(chunk, timeout=timeout)
                start, size = start + len(chunk), size - len(chunk)
            return
        try:
            await self._flushed(timeout)
            while size > 0:
                sent = await self._sent(descriptor, start, min(_PIECE, size), timeout)
                start, size = start + sent, size - sent
                await turn()
        except OSError as error:
            self.close()
            raise _ended(error) from error
        except BaseException:
            self.close()
            raise

    async def _flushed(self, timeout: float) -> None:
        """Until the kernel has all that was written."""
        assert self._transport is not None  # noqa: S101 - a command has been answered
        self._transport.set_write_buffer_limits(high=0)
        try:
            if self._room is not None:
                await self._timed(self._room, timeout)
        finally:
            self._transport.set_write_buffer_limits(high=_HIGH)

    async def _sent(self, descriptor: int, start: int, size: int, timeout: float) -> int:
        """Bytes the kernel took, once it took some. Raises OSError, RelayError."""
        assert self._transport is not None  # noqa: S101 - a command has been answered
        while True:
            if self.closed or self._ended:
                raise _ended()
            target = self._transport.get_extra_info("socket").fileno()
            try:
                if sent := os.sendfile(target, descriptor, start, size):
                    return sent
                raise RelayError(BROKEN, "the content to send is shorter than it was")
            except BlockingIOError:
                await self._writable(target, timeout)

    async def _writable(self, target: int, timeout: float) -> None:
        """Until the socket takes more. The loop lets nobody watch a transport's own descriptor, so another one is watched."""
        self._room = self._loop.create_future()
        watched = os.dup(target)
        self._loop.add_writer(watched, self.resume_writing)
        try:
            await self._timed(self._room, timeout)
        finally:
            self._loop.remove_writer(watched)
            os.close(watched)
            self._room = None

    async def start_tls(self, context: ssl.SSLContext, host: str, *, timeout: float) -> None:
        """Go on in TLS. Raises RelayError."""
        assert self._transport is not None  # noqa: S101 - a command has been answered
        try:
            if self._input:
                raise RelayError(BROKEN, "the next hop spoke in clear after STARTTLS")
            async with asyncio.timeout(timeout):
                transport = await self._loop.start_tls(self._transport, self, context, server_hostname=host)
            if transport is None:
                raise _ended()
        except ssl.SSLError as error:
            self.close()
            raise RelayError(DOWN, f"TLS with the next hop failed: {error.reason}") from error
        except TimeoutError as error:
            self.close()
            raise _late() from error
        except OSError as error:
            self.close()
            raise _ended(error) from error
        except BaseException:
            self.close()
            raise
        self._transport, self.encrypted = transport, True

    def close(self) -> None:
        """End it without a word."""
        self.closed = True
        if self.expiry is not None:
            self.expiry.cancel()
        if self._transport is not None:
            self._transport.close()

    def quit(self) -> None:
        """End it politely, not waiting for the answer."""
        if self._transport is not None and not self._ended:
            self._transport.write(b"QUIT\r\n")
        self.close()

    async def wait_closed(self) -> None:
        """Until the transport is gone."""
        await self._lost

    # What the transport calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See asyncio.Protocol."""
        self._transport = cast(asyncio.Transport, transport)  # of a stream socket; uvloop's is none of asyncio's classes
        self._transport.set_write_buffer_limits(high=_HIGH)

    def data_received(self, data: bytes) -> None:
        """See asyncio.Protocol."""
        self._input += data
        if self._reply is None or self._reply.done():
            if len(self._input) > _LONGEST:
                self._end(None)
                self.close()
            return
        try:
            found = self._parsed()
        except RelayError as error:
            self._reply.set_exception(error)
            return
        if found is not None:
            self._reply.set_result(found)

    def eof_received(self) -> bool:
        """See asyncio.Protocol."""
        self._end(None)
        return False

    def connection_lost(self, error: Exception | None) -> None:
        """See asyncio.Protocol."""
        self._end(error)
        if not self._lost.done():
            self._lost.set_result(None)

    def pause_writing(self) -> None:
        """See asyncio.BaseProtocol."""
        self._room = self._loop.create_future()

    def resume_writing(self) -> None:
        """See asyncio.BaseProtocol."""
        room, self._room = self._room, None
        if room is not None and not room.done():
            room.set_result(None)

    def _end(self, error: Exception | None) -> None:
        self._ended = True
        for waiting in (self._reply, self._room):
            if waiting is not None and not waiting.done():
                waiting.set_exception(_ended(error))
                waiting.exception()  # seen, even if nobody waits any more

    def _write(self, data: bytes) -> None:
        if self._transport is None or self.closed or self._ended:
            self.close()
            raise _ended()
        self._transport.write(data)

    async def _timed(self, future: "asyncio.Future[T]", timeout: float) -> T:
        timer = self._loop.call_later(timeout, _expire, future)
        try:
            return await future
        finally:
            timer.cancel()

    def _parsed(self) -> Reply | None:
        """A whole reply of one or more lines, once it is there (RFC 5321 section 4.2.1). Raises RelayError."""
        while 0 <= (end := self._input.find(b"\n")) <= _LONGEST:
            line = bytes(self._input[: end + 1])
            del self._input[: end + 1]
            found = _LINE.fullmatch(line)
            if found is None or (self._lines and not line.startswith(self._lines[0][:3])):
                raise RelayError(BROKEN, "a reply of the next hop is not SMTP")
            self._lines.append(line.rstrip(b"\r\n"))
            if found[2] != b"-":
                lines, self._lines = self._lines, []
                return Reply(int(found[1]), b"\r\n".join(lines).decode("utf-8", "surrogateescape"))
            if len(self._lines) >= _LINES:
                raise RelayError(BROKEN, "a reply of the next hop is too long")
        if len(self._input) > _LONGEST:
            raise RelayError(BROKEN, "a reply of the next hop is too long")
        return None


def _expire(future: "asyncio.Future[Any]") -> None:
    if not future.done():
        future.set_exception(_late())


def _late() -> RelayError:
    return RelayError(BROKEN, "the next hop did not answer in time")


def _ended(error: Exception | None = None) -> Gone:
    return Gone(BROKEN, f"the next hop closed the connection{f': {type(error).__name__}' if error else ''}")
