"""The clamd protocol, as clamd(8) describes it and as clamd 1.4 answers: requests out of bytes, replies into bytes.

A request is `zNAME argument` up to a NUL, `nNAME argument` up to a newline, or, for some, the bare words up to a
newline; the reply ends as the request did. The bytes after INSTREAM are chunks, each behind its length (four bytes,
network order), an empty one the last. After FILDES comes one byte of any value, with the descriptor.
"""

import struct
from dataclasses import dataclass

LONGEST = 4096 + 32
"""Bytes of a request: a path of PATH_MAX and the words before it."""

UNKNOWN = b"UNKNOWN COMMAND"
UNAVAILABLE = b"COMMAND UNAVAILABLE"
OUTSIDE = b"Command invalid inside IDSESSION. ERROR"
TOO_LARGE = b"INSTREAM size limit exceeded. ERROR"
NO_DESCRIPTOR = b"No file descriptor received. ERROR"
SLOW = b"COMMAND READ TIMED OUT"
NO_ROOM = b"Can't allocate memory ERROR"

WITH_PATH = frozenset({"SCAN", "CONTSCAN", "MULTISCAN", "ALLMATCHSCAN"})
WITHOUT = frozenset(
    {"PING", "VERSION", "VERSIONCOMMANDS", "STATS", "INSTREAM", "FILDES", "IDSESSION", "END", "RELOAD", "SHUTDOWN"}
)
PREFIXED = frozenset({"VERSIONCOMMANDS", "STATS", "INSTREAM", "IDSESSION", "END", "ALLMATCHSCAN"})
"""What is unknown without its z or n."""
INSIDE = frozenset({"PING", "VERSION", "VERSIONCOMMANDS", "STATS", "SCAN", "INSTREAM", "FILDES", "END"})
"""What may be asked in a session."""
OFFERED = tuple(sorted((WITH_PATH | WITHOUT) - {"RELOAD", "SHUTDOWN"}))
"""What VERSIONCOMMANDS names. Who may ask a question may not end the daemon."""

_ENDS = {ord("z"): b"\0", ord("n"): b"\n"}


class Refused(Exception):
    """A request that cannot be served; `reply`, ended by `end`, is the last word of the connection."""

    def __init__(self, reply: bytes, end: bytes) -> None:
        super().__init__(reply.decode("ascii"))
        self.reply = reply
        self.end = end


@dataclass(frozen=True, slots=True)
class Command:
    """A request; `end` is what its replies end with."""

    name: str
    argument: bytes
    end: bytes


class Input:
    """What the asker has sent and nobody has read yet."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> None:
        self._buffer += data

    def __len__(self) -> int:
        return len(self._buffer)

    def command(self, *, inside: bool = False) -> Command | None:
        """The next request, None while it is not whole; `inside` a session. Raises Refused."""
        if not self._buffer:
            return None
        end = _ENDS.get(self._buffer[0])
        if inside and end is None:
            raise Refused(OUTSIDE, b"\n")
        at = self._buffer.find(end or b"\n", 0, LONGEST)
        if at < 0:
            if len(self._buffer) >= LONGEST:
                raise Refused(UNKNOWN, end or b"\n")
            return None
        line = bytes(self._buffer[:at])
        del self._buffer[: at + 1]
        command = parsed(line[1:], end) if end else parsed(line.removesuffix(b"\r"), None)
        if inside and (command is None or command.name not in INSIDE):
            raise Refused(OUTSIDE, end or b"\n")
        if command is None:
            raise Refused(UNKNOWN, end or b"\n")
        return command

    def byte(self) -> bool:
        """Drop the byte that comes with a descriptor; False while it has not come."""
        if not self._buffer:
            return False
        del self._buffer[0]
        return True

    def length(self) -> int | None:
        """The length of the next chunk, None while it has not come."""
        if len(self._buffer) < 4:
            return None
        (length,) = struct.unpack_from(">I", self._buffer)
        del self._buffer[:4]
        return int(length)

    def data(self, most: int) -> bytes:
        """Up to `most` bytes of a chunk, as many as there are."""
        found = bytes(self._buffer[:most])
        del self._buffer[:most]
        return found


def parsed(line: bytes, end: bytes | None) -> Command | None:
    """The request on a line, without its prefix; `end` is None where it had none. None where there is no such request."""
    word, space, argument = line.partition(b" ")
    name = word.decode("latin-1")
    if end is None and name in PREFIXED:
        return None
    if (name in WITH_PATH and space) or (name in WITHOUT and not space):
        return Command(name, argument, end or b"\n")
    return None


def reply(text: bytes, end: bytes, number: int | None) -> bytes:
    """`text` as it is sent; `number` is that of the request in a session."""
    return (b"" if number is None else b"%d: " % number) + text + end


def line(label: bytes, result: bytes, end: bytes) -> bytes:
    """What is said of one file. Where replies end with a newline, a name that has one must not pass for two replies."""
    if end == b"\n":
        label = label.replace(b"\n", b"\\n").replace(b"\r", b"\\r")
    return label + b": " + result
