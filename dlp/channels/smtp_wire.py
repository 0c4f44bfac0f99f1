"""DATA between the wire and a Blob (RFC 5321 sections 2.3.8, 4.5.2), chunk by chunk and without any line-length limit.

Only CRLF.CRLF ends a message. Line ends are normalised before the content is stored, so that what is
inspected is what is sent on, and no bare CR or LF can start a second message at a laxer next hop
("SMTP smuggling").
"""

import asyncio
import errno
import fcntl
import hashlib
import io
import os
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import SupportsIndex

from dlp.blob import Blob
from dlp.channels.rota import rota
from dlp.model import ReleaseClaim

END = b"\r\n.\r\n"
LIMIT = 1 << 16
"""Bytes the stream buffers before it pauses, and the longest command line that is read whole."""
IN_MEMORY = 1 << 20
"""Bytes of one message that are kept in memory."""
_TURN = 1 << 17
"""Bytes that arrive at once of which nothing more is read until all others have had their turn: libuv reads one connection
up to 32 times in a row, which with fast senders of large messages is hundreds of milliseconds."""
HEAD = 1 << 16
"""Bytes of the header section kept for the envelope (its Subject)."""

_PREFIXES = tuple(END[:length] for length in range(len(END) - 1, 0, -1))
_RECEIVED = re.compile(rb"received[ \t]*:")
_OURS = b"x-dlp-"
_RELEASED = b"x-dlp-released:"
_CLAIM = re.compile(rb"(?i)x-dlp-released:\s*([A-Za-z0-9._-]{1,64})\s+([0-9a-f]{64})\s*")
_LONGEST_CLAIM = 256
"""Bytes of a field X-DLP-Released that are looked at."""
_NAMED = 16
"""Bytes at the start of a line that tell which field it is."""
_SEALS = fcntl.F_SEAL_SEAL | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE


Sink = Callable[[bytes], bytes | None]
"""Takes what arrives; returns what follows the end of what it wants, None while that has not come."""


class Reader(asyncio.StreamReader):
    """A stream that can be looked into, given bytes back, stopped, and turned aside."""

    _buffer: bytearray
    _transport: asyncio.ReadTransport | None
    _paused: bool

    def __init__(self, *, limit: int = LIMIT) -> None:
        loop = asyncio.get_running_loop()
        super().__init__(limit=limit, loop=loop)
        self._loop = loop
        self._stopped = False
        self._sink: Sink | None = None
        self._sunk: asyncio.Future[bool] | None = None

    async def pour(self, sink: Sink) -> bool:
        """Hand all input to `sink` as it arrives, without another copy, until it has enough; what follows is read
        next. False if the input ends before. Raises what the sink raises."""
        if self._buffer:
            held = bytes(self._buffer)
            self.forget()
            self._maybe_resume_transport()  # type: ignore[attr-defined]
            if (rest := sink(held)) is not None:
                self.unread(rest)
                return True
        if self._eof:  # type: ignore[attr-defined]
            return False
        self._sink, self._sunk = sink, self._loop.create_future()
        try:
            return await self._sunk
        finally:
            self._sink = None

    @property
    def pending(self) -> bool:
        """Bytes have arrived that nobody has read."""
        return bool(self._buffer)

    def unread(self, data: bytes) -> None:
        """Put `data` back in front."""
        self._buffer[:0] = data

    def forget(self) -> None:
        """Drop what has arrived and was not read."""
        self._buffer.clear()

    def stop(self) -> None:
        """Forget what has arrived and will arrive: the next read is the end of input."""
        self._stopped = True
        self.forget()
        self.feed_eof()

    def feed_eof(self) -> None:
        """As the base; a sink that waits for more waits in vain."""
        super().feed_eof()
        self._settle(enough=False)

    def set_exception(self, error: Exception) -> None:
        """As the base; a sink that waits for more waits in vain."""
        super().set_exception(error)
        self._settle(enough=False)

    def feed_data(self, data: Iterable[SupportsIndex]) -> None:
        """As the base, unless stopped or turned aside."""
        if self._stopped:
            return
        if self._sink is not None:
            data = self._sank(bytes(data))
        if data:
            super().feed_data(data)

    def _sank(self, data: bytes) -> bytes:
        """Give `data` to the sink; what it leaves for others."""
        assert self._sink is not None and self._sunk is not None  # noqa: S101 - set together in `pour`
        try:
            rest = self._sink(data)
        except Exception as error:  # noqa: BLE001 - raised again in `pour`, whose task it belongs to
            self._sink = None
            if not self._sunk.done():
                self._sunk.set_exception(error)
            return b""
        if rest is None:
            if len(data) >= _TURN:
                self._yield_turn()
            return b""
        self._settle(enough=True)
        return rest

    def _yield_turn(self) -> None:
        if self._transport is not None:
            self._transport.pause_reading()
            rota().ask(self._read_on)

    def _read_on(self) -> None:
        if self._transport is not None and not self._paused:
            self._transport.resume_reading()

    def _settle(self, *, enough: bool) -> None:
        self._sink = None
        if self._sunk is not None and not self._sunk.done():
            self._sunk.set_result(enough)


class DataDecoder:
    """Wire form to content: finds the end, removes the transparency dot, makes every line end CRLF.

    A bare LF becomes CRLF, a bare CR a space; `bare` tells that there was one. `dotted`: a line of the content may begin
    with a dot.
    """

    def __init__(self) -> None:
        # DATA begins at the start of a line: a line end is imagined before it and cut off again.
        self._carry = b"\r\n"
        self._imagined = 2
        self._ends = io.IncrementalNewlineDecoder(None, translate=False)
        self.bare = False
        self.dotted = False

    def feed(self, chunk: bytes) -> tuple[bytes, bytes | None]:
        """Some content, and what follows the end of data: None as long as that has not come."""
        buffer = self._carry + chunk
        end = buffer.find(END) if b"." in buffer else -1  # base64, most of what is large, has none
        if end >= 0:
            return self._content(buffer[: end + 2]), buffer[end + len(END) :]
        # What may yet become the end is held back, so that no CRLF and no dot is ever cut from what precedes it.
        held = next((prefix for prefix in _PREFIXES if buffer.endswith(prefix)), b"")
        self._carry = held
        return self._content(buffer[: len(buffer) - len(held)]), None

    def _content(self, piece: bytes) -> bytes:
        if not piece:
            return b""
        plain = piece
        if b"." in piece and b"\r\n." in piece:
            plain, self.dotted = piece.replace(b"\r\n.", b"\r\n"), True
        if self._imagined:
            plain, self._imagined = plain[self._imagined :], 0
        if self._regular(plain):
            return plain
        self.bare = self.dotted = True  # a dot behind a bare LF now begins a line
        return plain.replace(b"\r\n", b"\n").replace(b"\r", b" ").replace(b"\n", b"\r\n")

    def _regular(self, plain: bytes) -> bool:
        """Every CR and LF is part of a CRLF; `plain` ends in no CR that an LF could still follow.

        The decoder of the standard library's text files sees all kinds of line ends in one pass, four times as fast as
        counting them; once it has seen others it cannot tell where, and they are counted.
        """
        if not self.bare:
            self._ends.decode(plain.decode("latin-1"), final=True)
            if self._ends.newlines in (None, "\r\n"):
                return True
        lines = plain.count(b"\r\n")
        return lines == plain.count(b"\n") == plain.count(b"\r")


def claim(field: bytes, body: str) -> ReleaseClaim | None:
    """What a field X-DLP-Released says on a message whose body has that digest, if it is one of ours by its looks."""
    if (found := _CLAIM.fullmatch(field)) is None:
        return None
    return ReleaseClaim(held=found[1].decode("ascii"), seal=found[2].decode("ascii"), body=body)


class FieldFilter:
    """Takes the sender's own X-DLP-* fields, folded lines included, out of a header section as it passes.

    `hops` counts the Received fields, `head` keeps the beginning of the section. The section ends at
    the first empty line and nowhere earlier, whatever stands in it: a reader behind us may be as lenient.
    Of a field X-DLP-Released the claim is kept, with the digest of the body, which is computed for that alone.
    """

    def __init__(self) -> None:
        self._carry = b""
        self._at_line_start = True
        self._dropping = False
        self._claiming = False
        self._claim = bytearray()
        self._body = hashlib.sha256()
        self._in_body = False
        self.hops = 0
        self.head = bytearray()

    def claim(self) -> ReleaseClaim | None:
        """What the first field X-DLP-Released says, if it is one of ours by its looks; asked when all has passed."""
        return claim(bytes(self._claim), self._body.hexdigest())

    def feed(self, data: bytes) -> bytes:
        """`data` (whole CRLFs only) without those fields."""
        if self._in_body:
            if self._claim:
                self._body.update(data)
            return data
        kept = b"".join(self._lines(self._carry + data))
        self.head += kept[: HEAD - len(self.head)]
        return kept

    def _lines(self, data: bytes) -> Iterator[bytes]:
        self._carry, at = b"", 0
        while at < len(data):
            end = data.find(b"\r\n", at)
            stop = end + 2 if end >= 0 else len(data)
            if self._at_line_start:
                if end == at:
                    self._in_body = True
                    if self._claim:
                        self._body.update(data[at + 2 :])
                    yield data[at:]
                    return
                if end < 0 and stop - at < _NAMED:
                    self._carry = data[at:]
                    return
                self._begin(data[at : at + _NAMED].lower())
            if not self._dropping:
                yield data[at:stop]
            elif self._claiming:
                self._claim += data[at:stop][: _LONGEST_CLAIM - len(self._claim)]
            self._at_line_start = end >= 0
            at = stop

    def _begin(self, line: bytes) -> None:
        if line[:1] in (b" ", b"\t"):
            return  # a folded line goes the way of its field
        self._dropping = line.startswith(_OURS)
        self._claiming = line.startswith(_RELEASED) and not self._claim
        self.hops += _RECEIVED.match(line) is not None


@dataclass(slots=True)
class Room:
    """What all messages in work may take together, from the first byte of content to the reply."""

    messages: int
    bytes: int

    def enter(self) -> bool:
        """Room for one more message is taken, if there is some."""
        if self.messages < 1:
            return False
        self.messages -= 1
        return True

    def take(self, size: int) -> bool:
        """Room for `size` more bytes is taken, if there is some."""
        if self.bytes < size:
            return False
        self.bytes -= size
        return True

    def leave(self, size: int) -> None:
        """A message of `size` bytes is done with."""
        self.messages += 1
        self.bytes += size


class Storage:
    """Where the content of one message is kept for as long as it is in work: a sealed memfd, or beyond IN_MEMORY bytes a
    file without a name in `folder`, which nobody else can open and a crash leaves nothing of.

    It has entered `room`, and `close` leaves it. Once something is `wrong` (the reply to give) nothing
    more is kept.
    """

    def __init__(self, *, limit: int, room: Room, folder: Path | None = None) -> None:
        self._folder = folder
        self._sealable = True
        self._descriptor = -1
        self._limit = limit
        self._room = room
        self._open = True
        self.size = 0
        self.wrong = ""

    @property
    def undotted(self) -> bool:
        """See Blob.undotted; where nobody has looked, no."""
        return False

    def keep(self, content: bytes) -> None:
        """Append, unless something is wrong, or becomes so by it."""
        if self.wrong or not content:
            return
        if self.size + len(content) > self._limit:
            self._give_up("552 5.3.4 Message size exceeds the limit")
        elif not self._room.take(len(content)):
            self._give_up("452 4.3.1 Insufficient system storage, try again later")
        else:
            self.size += len(content)
            try:
                if self._sealable and self.size > IN_MEMORY and self._folder is not None:
                    self._spill(self._folder)
                self._write(content)
            except OSError:
                self._give_up("452 4.3.1 Insufficient system storage, try again later")

    def _write(self, content: bytes) -> None:
        if self._descriptor < 0:
            self._descriptor = os.memfd_create("dlp-message", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        view = memoryview(content)
        while view:
            view = view[os.write(self._descriptor, view) :]

    def _spill(self, folder: Path) -> None:
        """Go on in a file. Raises OSError; a file system without unnamed files keeps the message in memory."""
        self._sealable = False
        try:
            file = os.open(folder, os.O_TMPFILE | os.O_RDWR | os.O_CLOEXEC, 0o600)
        except OSError as error:
            if error.errno not in (errno.EOPNOTSUPP, errno.EISDIR, errno.ENOENT):  # open(2), O_TMPFILE
                raise
            self._folder, self._sealable = None, True
            return
        memory, self._descriptor = self._descriptor, file
        if memory >= 0:
            try:
                for chunk in _pieces(memory):
                    self._write(chunk)
            finally:
                os.close(memory)

    def _give_up(self, reply: str) -> None:
        self.wrong = reply
        self._drop()

    def blob(self) -> Blob:
        """The message, sealed; from now on the caller closes it. Raises OSError."""
        if self._descriptor < 0:
            self._write(b"")
        if self._sealable:
            fcntl.fcntl(self._descriptor, fcntl.F_ADD_SEALS, _SEALS)
        else:  # nobody can open it but through us, and from now on we only read
            readable = os.open(f"/proc/self/fd/{self._descriptor}", os.O_RDONLY | os.O_CLOEXEC)
            os.close(self._descriptor)
            self._descriptor = readable
        descriptor, self._descriptor = self._descriptor, -1
        return Blob(descriptor, None, self.size, undotted=self.undotted)

    def close(self) -> None:
        """The message is done with: drop what `blob` has not handed over, and leave the room. May be called again."""
        self._drop()
        if self._open:
            self._open = False
            self._room.leave(self.size)

    def _drop(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


class Intake(Storage):
    """One message on its way from the wire into storage.

    Once something is `wrong` the rest is read to its end but not kept, so that the conversation stays
    in step. `strict` has `bare` tell of bare CRs and LFs.
    """

    def __init__(self, *, limit: int, room: Room, strict: bool, folder: Path | None = None) -> None:
        super().__init__(limit=limit, room=room, folder=folder)
        self._decoder = DataDecoder()
        self._fields = FieldFilter()
        self._strict = strict

    @property
    def head(self) -> bytes:
        """The beginning of the header section."""
        return bytes(self._fields.head)

    @property
    def hops(self) -> int:
        """How many Received fields the message has."""
        return self._fields.hops

    @property
    def claim(self) -> ReleaseClaim | None:
        """What the message says of its release from quarantine, nobody having checked it."""
        return self._fields.claim()

    @property
    def bare(self) -> bool:
        """A CR or LF stood alone and that is not allowed."""
        return self._strict and self._decoder.bare

    @property
    def undotted(self) -> bool:
        """See Blob.undotted."""
        return not self._decoder.dotted

    def feed(self, chunk: bytes) -> bytes | None:
        """Take one chunk; returns what follows the end of data, None while it has not come."""
        content, rest = self._decoder.feed(chunk)
        self.keep(self._fields.feed(content))
        return rest


def _pieces(descriptor: int) -> Iterator[bytes]:
    offset = 0
    while chunk := os.pread(descriptor, IN_MEMORY, offset):
        offset += len(chunk)
        yield chunk


def stuffed(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Content to wire form: a dot at the start of a line is doubled, and CRLF.CRLF ends it."""
    tail = b"\r\n"
    for chunk in chunks:
        if b"\r\n." in chunk or b"\r\n." in tail + chunk[:2]:
            yield (tail + chunk).replace(b"\r\n.", b"\r\n..")[len(tail) :]
        else:  # as most content is
            yield chunk
        tail = (tail + chunk[-2:])[-2:]
    yield b".\r\n" if tail == b"\r\n" else b"\r\n.\r\n"
