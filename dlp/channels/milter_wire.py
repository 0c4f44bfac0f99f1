"""The milter protocol, version 6: packets between a mail server (Sendmail, Postfix) and a filter. Pure.

A packet is a length (32 bits, big endian, of what follows), a letter, and data; strings end with NUL.
What the mail server says is read into values here; what we answer is made here, as bytes. The numbers
and letters are those of Sendmail's libmilter (mfdef.h) and of Postfix's MILTER_README.
"""

import functools
from dataclasses import dataclass
from struct import Struct

VERSION = 6
OLDEST = 2
"""The oldest version we speak: Sendmail's before 8.14."""
LIMIT = 1 << 20
"""Bytes of one packet; Postfix sends a body in 64 KiB, and fields of at most `header_size_limit` (100 KiB)."""
TOP = 0
"""The place of INSHEADER that is above every field, the mail server's own Received included."""

# What the mail server sends.
ABORT, BODY, CONNECT, MACRO, END, HELO, QUIT_NC, HEADER = b"ABCDEHKL"
MAIL, END_OF_HEADER, OPTIONS, QUIT, RECIPIENT, DATA, UNKNOWN = b"MNOQRTU"

# What we may do (actions).
ADD_HEADERS, DELETE_RECIPIENTS, CHANGE_HEADERS, SET_MACROS = 0x1, 0x8, 0x10, 0x100
ACTIONS = ADD_HEADERS | DELETE_RECIPIENTS | CHANGE_HEADERS
"""Those we cannot do without."""

# What need not be sent to us, and where no reply is awaited (protocol flags).
NO_EOH, NO_UNKNOWN, NO_DATA, LEADING_SPACE = 0x40, 0x100, 0x200, 0x100000
SILENCES = {
    HEADER: 0x80,
    CONNECT: 0x1000,
    HELO: 0x2000,
    MAIL: 0x4000,
    RECIPIENT: 0x8000,
    DATA: 0x10000,
    UNKNOWN: 0x20000,
    END_OF_HEADER: 0x40000,
    BODY: 0x80000,
}
"""By what is sent: the flag that spares its reply."""
WISHES = NO_EOH | NO_UNKNOWN | NO_DATA | LEADING_SPACE | sum(SILENCES.values())

WANTED_MACROS = {0: "", 1: "", 2: "i {auth_authen} {tls_version}", 3: "", 4: "", 5: "i", 6: ""}
"""By stage: connect, HELO, MAIL, RCPT, DATA, end of message, end of header."""

_LENGTH = Struct(">I")
_NUMBERS = Struct(">III")


class Malformed(Exception):
    """What came is no packet of this protocol, or not one for this moment; the text quotes nothing of it."""


class Packets:
    """Bytes as they arrive into packets, however they are cut."""

    def __init__(self) -> None:
        self._data = b""
        self._at = 0
        # The beginning of a packet that has not come whole: its pieces are joined once, when they are enough.
        self._pieces: list[bytes] = []
        self._missing = 0

    def feed(self, data: bytes) -> None:
        """Take what has arrived."""
        if self._pieces:
            self._pieces.append(data)
            self._missing -= len(data)
            if self._missing > 0:
                return
            data = b"".join(self._pieces)
            self._pieces.clear()
        self._data, self._at = self._data[self._at :] + data, 0

    def take(self) -> tuple[int, bytes] | None:
        """The next whole packet, letter and data; None while there is none. Raises Malformed for a length that cannot be."""
        data, at = self._data, self._at
        left = len(data) - at
        wanted = _LENGTH.size
        if left >= wanted:
            (length,) = _LENGTH.unpack_from(data, at)
            if not 1 <= length <= LIMIT:
                raise Malformed(f"a packet of {length} bytes")
            wanted += length
            if left >= wanted:
                self._at = at + wanted
                return data[at + 4], data[at + 5 : self._at]
        if left:
            self._pieces.append(data[at:])
            self._missing = wanted - left
        self._data, self._at = b"", 0
        return None


@dataclass(frozen=True, slots=True)
class Offer:
    """What one side of the negotiation can or wants."""

    version: int
    actions: int
    protocol: int

    @classmethod
    def parse(cls, data: bytes) -> "Offer":
        """From the data of OPTNEG; what a later version may add is passed over. Raises Malformed."""
        if len(data) < _NUMBERS.size:
            raise Malformed("a negotiation that is cut short")
        return cls(*_NUMBERS.unpack_from(data))

    def answered(self, *, wishes: int = WISHES) -> "Offer":
        """What we take of it. Raises Malformed where that is not enough."""
        if self.version < OLDEST or ~self.actions & ACTIONS:
            raise Malformed(f"version {self.version} with the actions {self.actions:#x} is not enough")
        return Offer(min(self.version, VERSION), self.actions & (ACTIONS | SET_MACROS), self.protocol & wishes)

    @property
    def silent(self) -> frozenset[int]:
        """What is sent without awaiting a reply."""
        return frozenset(sent for sent, flag in SILENCES.items() if self.protocol & flag)

    @property
    def leading_space(self) -> bool:
        """A field's value is sent, and read, with the space behind its colon."""
        return bool(self.protocol & LEADING_SPACE)

    def packet(self) -> bytes:
        """As OPTNEG, with the macros we want where we may say so."""
        data = _NUMBERS.pack(self.version, self.actions, self.protocol)
        if self.actions & SET_MACROS:
            data += b"".join(_LENGTH.pack(stage) + names.encode() + b"\0" for stage, names in WANTED_MACROS.items())
        return packet(b"O", data)


@functools.lru_cache(maxsize=16)
def negotiated(data: bytes, wishes: int) -> tuple[Offer, frozenset[int], bytes]:
    """What we take of the offer in the data of OPTNEG, what is then `silent`, and the answer: one mail server always
    says the same. Raises Malformed."""
    taken = Offer.parse(data).answered(wishes=wishes)
    return taken, taken.silent, taken.packet()


def packet(letter: bytes, data: bytes = b"") -> bytes:
    """One packet."""
    return _LENGTH.pack(1 + len(data)) + letter + data


def strings(data: bytes) -> list[bytes]:
    """The strings, each ended by NUL; what follows the last NUL counts as one too."""
    found = data.split(b"\0")
    return found if found[-1] else found[:-1]


def macros(data: bytes) -> tuple[int, dict[str, str]]:
    """For which command, and name → value; names without braces. Raises Malformed."""
    if not data:
        raise Malformed("macros of no command")
    words = data[1:].split(b"\0")
    names = (name.decode("ascii", "replace").strip("{}") for name in words[::2])
    values = (value.decode("utf-8", "surrogateescape") for value in words[1::2])
    return data[0], dict(zip(names, values, strict=False))


def header(data: bytes) -> tuple[bytes, bytes]:
    """Name and value of a field, the value as it was sent. Raises Malformed."""
    name, found, value = data.partition(b"\0")
    if not found:
        raise Malformed("a field without a value")
    return name, value[:-1] if value.endswith(b"\0") else value


@dataclass(frozen=True, slots=True)
class Connection:
    """Whom the mail server speaks with: its name, and its address ("" where it has none) with the port."""

    name: str
    address: str
    port: int

    @classmethod
    def parse(cls, data: bytes) -> "Connection":
        """From the data of CONNECT. Families are "4", "6" (with or without "IPv6:"), "L" (a path) and "U" (unknown).

        Raises Malformed.
        """
        name, found, rest = data.partition(b"\0")
        if not found or not rest:
            raise Malformed("a connection from nowhere")
        if rest[:1] not in (b"4", b"6"):
            return cls(_text(name), "", 0)
        if len(rest) < 3:
            raise Malformed("a connection without an address")
        address = _text(rest[3:].split(b"\0")[0])
        return cls(_text(name), address[5:] if address[:5].lower() == "ipv6:" else address, int.from_bytes(rest[1:3], "big"))


def _text(octets: bytes) -> str:
    return octets.decode("utf-8", "surrogateescape")


CONTINUE, ACCEPT, DISCARD, TEMPFAIL, PROGRESS = (packet(letter) for letter in (b"c", b"a", b"d", b"t", b"p"))


def reply_code(reply: str) -> bytes:
    """This SMTP reply to the client; the mail server reads it as a format, in which "%" stands doubled."""
    return packet(b"y", reply.replace("%", "%%").encode("utf-8", "surrogateescape") + b"\0")


def insert_header(name: str, value: str) -> bytes:
    """A field above all others; `value` as it shall stand behind the colon."""
    return packet(b"i", _LENGTH.pack(TOP) + f"{name}\0{value}\0".encode())


def delete_header(name: bytes, index: int) -> bytes:
    """Take out the field that is number `index`, from 1, of those of this name."""
    return packet(b"m", _LENGTH.pack(index) + name + b"\0\0")


def delete_recipient(path: bytes) -> bytes:
    """Take out a recipient, named as in RCPT, brackets included."""
    return packet(b"-", path + b"\0")
