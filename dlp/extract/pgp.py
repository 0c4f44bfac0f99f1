"""OpenPGP messages (RFC 9580), armoured or not: what is only signed or compressed is read, what is encrypted is told.

Clear-signed text (section 7) needs no reader: it is text.
"""

import bz2
import re
import zlib
from typing import NamedTuple

from dlp.extract.budget import Budget, Unreadable
from dlp.extract.charset import decode
from dlp.extract.document import Document
from dlp.extract.format import Format, Pieces
from dlp.extract.mime import is_entity
from dlp.extract.sniff import MAIL, PGP
from dlp.extract.transfer import unbase64
from dlp.model import Why, Zone

PACKETS = 10_000
"""Packets of one message."""
LAYERS = 8
"""Compressed packets inside each other."""
_COMPRESSED, _LITERAL, _USER = 8, 11, 13
_CIPHERTEXT = frozenset({1, 3, 9, 18, 20})
"""Session keys and encrypted data (section 5)."""
_ARMOUR = re.compile(rb"-----BEGIN PGP [A-Z ,0-9/]{1,60}-----[ \t]*\r?\n(?:[^\r\n:]{1,60}: [^\r\n]{0,500}\r?\n)*[ \t]*\r?\n")
_END = re.compile(rb"\r?\n=[A-Za-z0-9+/]{4}[ \t]*\r?\n-----END|\r?\n-----END")


class _Packet(NamedTuple):
    tag: int
    body: bytes
    whole: bool


def read(document: Document, budget: Budget) -> Pieces:
    """Raises Unreadable(corrupt) where there are no packets."""
    pending = [(_binary(bytes(document.data)), 0)]
    known = encrypted = False
    while pending:
        data, layer = pending.pop()
        packets, whole = _packets(data, budget)
        known = known or bool(packets)
        if not whole:
            yield document.unread(Why.CORRUPT, "the packets end early")
        for packet in packets:
            if packet.tag in _CIPHERTEXT:
                encrypted = True
            elif packet.tag == _USER:
                yield from document.parts([decode(packet.body, "utf-8")], zone=Zone.PROPERTY)
            elif packet.tag == _LITERAL:
                yield _literal(document, packet.body)
            elif packet.tag == _COMPRESSED and layer < LAYERS:
                pending.append((_expanded(packet.body, budget), layer + 1))
            elif packet.tag == _COMPRESSED:
                yield document.unread(Why.TOO_DEEP, f"more than {LAYERS} compressed packets inside each other")
    if encrypted:
        yield document.unread(Why.ENCRYPTED, "an OpenPGP message")
    if not known:
        raise Unreadable(Why.CORRUPT, "an OpenPGP message without packets")


def _binary(data: bytes) -> bytes:
    """Without the armour (section 6.2), if there is one."""
    start = _ARMOUR.search(data)
    if start is None:
        return data
    end = _END.search(data, start.end() - 1)
    return unbase64(data[start.end() : end.start() if end else len(data)]).content


def _packets(data: bytes, budget: Budget) -> tuple[list[_Packet], bool]:
    """The packets in `data` (section 4.2), and whether they are well-formed to its end."""
    found: list[_Packet] = []
    at = 0
    while at < len(data):
        budget.tick()
        if not data[at] & 0x80 or len(found) >= PACKETS:
            return found, False
        packet, at = (_current if data[at] & 0x40 else _legacy)(data, at)
        found.append(packet)
        if not packet.whole:
            return found, False
    return found, True


def _legacy(data: bytes, at: int) -> tuple[_Packet, int]:
    """A packet with a header of the old format (section 4.2.2)."""
    tag, kind = data[at] >> 2 & 0x0F, data[at] & 3
    if kind == 3:
        return _Packet(tag, data[at + 1 :], whole=True), len(data)
    start = at + 1 + (1 << kind)
    end = start + int.from_bytes(data[at + 1 : start], "big")
    return _Packet(tag, data[start:end], whole=end <= len(data)), end


def _current(data: bytes, at: int) -> tuple[_Packet, int]:
    """A packet with a header of the present format (section 4.2.1), its partial bodies joined."""
    tag = data[at] & 0x3F
    at += 1
    body: list[bytes] = []
    while at < len(data):
        first = data[at]
        partial = 224 <= first < 255
        if first < 192:
            size, start = first, at + 1
        elif first < 224:
            size, start = ((first - 192) << 8) + int.from_bytes(data[at + 1 : at + 2], "big") + 192, at + 2
        elif partial:
            size, start = 1 << (first & 0x1F), at + 1
        else:
            size, start = int.from_bytes(data[at + 1 : at + 5], "big"), at + 5
        body.append(data[start : start + size])
        at = start + size
        if not partial:
            return _Packet(tag, b"".join(body), whole=at <= len(data)), at
    return _Packet(tag, b"".join(body), whole=False), at


def _expanded(body: bytes, budget: Budget) -> bytes:
    """The packets in a compressed one (section 5.6). Raises Unreadable(corrupt, too-large, unsupported)."""
    kind, packed = body[:1], body[1:]
    try:
        match kind:
            case b"\0":
                content = packed
            case b"\1" | b"\2":
                content = zlib.decompressobj(-15 if kind == b"\1" else 15).decompress(packed, budget.limits.part_bytes + 1)
            case b"\3":
                content = bz2.BZ2Decompressor().decompress(packed, budget.limits.part_bytes + 1)
            case _:
                raise Unreadable(Why.UNSUPPORTED, "an unknown compression")
    except (zlib.error, OSError, ValueError) as error:
        raise Unreadable(Why.CORRUPT, f"a compressed packet is damaged ({type(error).__name__})") from error
    if len(content) > budget.limits.part_bytes:
        raise Unreadable(Why.TOO_LARGE, "a compressed packet is larger than its limit")
    budget.spend(len(content))
    return content


def _literal(document: Document, body: bytes) -> Document:
    """The document in a literal data packet (section 5.9)."""
    size = body[1] if len(body) > 1 else 0
    content = body[6 + size :]
    name = decode(body[2 : 2 + size], "utf-8") or None
    return document.nested(content, name=name, label="content", media=MAIL if is_entity(content) else None)


FORMAT = Format(name="pgp", media_types=(PGP,), read=read)
