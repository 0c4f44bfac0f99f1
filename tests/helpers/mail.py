"""Mailboxes, signed and encrypted messages, calendars, made by code."""

import base64
import zlib
from collections.abc import Sequence

DATA = bytes.fromhex("2a864886f70d010701")
SIGNED = bytes.fromhex("2a864886f70d010702")
ENVELOPED = bytes.fromhex("2a864886f70d010703")
COMPRESSED = bytes.fromhex("2a864886f70d0109100109")
_INDEFINITE = b"\x80"


def der(tag: int, content: bytes) -> bytes:
    """One element with a definite length (X.690, 8.1)."""
    size = len(content)
    if size < 0x80:
        return bytes((tag, size)) + content
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes((tag, 0x80 | len(length))) + length + content


def ber(tag: int, content: bytes) -> bytes:
    """One element of indefinite length."""
    return bytes((tag,)) + _INDEFINITE + content + b"\0\0"


def a_cms(content: bytes | None, *, kind: bytes = SIGNED, names: Sequence[str] = (), chunks: int = 0) -> bytes:
    """A ContentInfo (RFC 5652) around `content`, None for a detached signature; with `chunks` in a stream of so many bytes."""
    wrap = ber if chunks else der
    octets = b"" if content is None else der(0x04, content)
    if chunks and content is not None:
        octets = ber(0x24, b"".join(der(0x04, content[at : at + chunks]) for at in range(0, len(content), chunks)))
    inside = wrap(0xA0, octets) if octets else b""
    encapsulated = wrap(0x30, der(0x06, DATA) + inside)
    certificates = der(0xA0, b"".join(der(0x30, der(0x0C, name.encode())) for name in names)) if names else b""
    algorithms = der(0x31, b"") if kind == SIGNED else der(0x30, der(0x06, COMPRESSED))
    structure = wrap(0x30, der(0x02, b"\1") + algorithms + encapsulated + certificates)
    return wrap(0x30, der(0x06, kind) + wrap(0xA0, structure))


def a_packet(tag: int, body: bytes) -> bytes:
    """One OpenPGP packet with a length of four octets (RFC 9580, 4.2.1.4)."""
    return bytes((0xC0 | tag, 0xFF)) + len(body).to_bytes(4, "big") + body


def a_literal(content: bytes, name: str = "") -> bytes:
    """A literal data packet (RFC 9580, 5.9)."""
    shown = name.encode()
    return a_packet(11, b"b" + bytes((len(shown),)) + shown + b"\0\0\0\0" + content)


def a_compressed(packets: bytes) -> bytes:
    """A compressed data packet, zlib (RFC 9580, 5.6)."""
    return a_packet(8, b"\2" + zlib.compress(packets))


def armoured(packets: bytes) -> bytes:
    """An armoured OpenPGP message (RFC 9580, 6.2), without a checksum."""
    return b"-----BEGIN PGP MESSAGE-----\n\n" + base64.encodebytes(packets) + b"-----END PGP MESSAGE-----\n"


def an_mbox(messages: Sequence[bytes], *, line: str = "From alice@example.com Mon Jan  1 00:00:00 2024") -> bytes:
    """A mailbox (RFC 4155), "From " lines inside quoted as mboxrd does."""
    return b"".join(line.encode() + b"\n" + message.replace(b"\nFrom ", b"\n>From ") + b"\n\n" for message in messages)
