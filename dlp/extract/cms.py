"""S/MIME and other CMS files (RFC 5652, RFC 8551): what is only signed or compressed is read, what is encrypted is told.

The structure is BER (ITU-T X.690), in which Outlook and OpenSSL write lengths that are not known beforehand, so it is
walked here and not by a DER parser; nothing recurses.
"""

import re
import zlib
from collections.abc import Iterator
from typing import NamedTuple

from dlp.extract.budget import Budget, Unreadable
from dlp.extract.charset import decode
from dlp.extract.document import Document
from dlp.extract.format import Format, Pieces
from dlp.extract.mime import is_entity
from dlp.extract.sniff import CMS, MAIL
from dlp.extract.transfer import unbase64
from dlp.model import Why, Zone

TEXTS = 10_000
"""Strings of certificates and attributes that are read."""
_PEM = re.compile(rb"-----BEGIN (?:PKCS7|CMS)-----\s*([A-Za-z0-9+/=\s]+)")
_PKCS7 = bytes.fromhex("2a864886f70d0107")
_SMIME_TYPES = bytes.fromhex("2a864886f70d01091001")
_DATA = _PKCS7 + b"\x01"
_COMPRESSED = _SMIME_TYPES + b"\x09"  # RFC 3274
_ENCRYPTED = frozenset({*(_PKCS7 + bytes((number,)) for number in (3, 4, 6)), _SMIME_TYPES + b"\x17"})  # the last: RFC 5083
_OID, _OCTETS, _CONTENT = 0x06, 0x04, 0xA0
_STRINGS = {0x0C: "utf-8", 0x13: "latin-1", 0x14: None, 0x16: None, 0x1A: "latin-1", 0x1E: "utf-16-be"}
_SUFFIXES = (".p7m", ".p7s", ".p7z", ".p7")


class _Element(NamedTuple):
    """One value: its tag, where its content starts and ends; `end` is None where it is as long as it lasts."""

    tag: int
    start: int
    end: int | None


def read(document: Document, budget: Budget) -> Pieces:
    """The signed content as a document inside, the texts of certificates. Raises Unreadable(corrupt)."""
    data = _binary(bytes(document.data))
    outer = _element(data, 0)
    kind, *content = _children(data, outer, budget)
    named = data[kind.start : kind.end]
    if named in _ENCRYPTED:
        yield document.unread(Why.ENCRYPTED, "S/MIME enveloped data")
        return
    inside = _children(data, content[0], budget)[0] if content else None
    octets = inside if inside is None or named == _DATA else _encapsulated(data, inside, budget)
    if octets is not None:
        yield from _content(document, _joined(data, octets, budget), compressed=named == _COMPRESSED, budget=budget)
    skipped = (octets.start, octets.end or octets.start) if octets else (0, 0)
    yield from document.parts(_texts(data, skipped, budget), zone=Zone.PROPERTY)
    if (outer.end is None and not data.rstrip(b"\r\n").endswith(b"\0\0")) or (outer.end or 0) > len(data):
        yield document.unread(Why.CORRUPT, "a CMS structure ends early")


def _content(document: Document, content: bytes, *, compressed: bool, budget: Budget) -> Pieces:
    if compressed:
        try:
            content = zlib.decompressobj().decompress(content, budget.limits.part_bytes + 1)
        except zlib.error as error:
            raise Unreadable(Why.CORRUPT, f"the compressed data is damaged ({type(error).__name__})") from error
        if len(content) > budget.limits.part_bytes:
            raise Unreadable(Why.TOO_LARGE, "the content is larger than its limit")
    budget.spend(len(content))
    name = document.name or ""
    stem = next((name[: -len(suffix)] for suffix in _SUFFIXES if name.lower().endswith(suffix)), "")
    shown = stem if "." in stem else None
    yield document.nested(content, name=shown, label="signed content", media=MAIL if is_entity(content) else None)


def _binary(data: bytes) -> bytes:
    """Without the armour of RFC 7468, if there is one."""
    armoured = _PEM.match(data)
    return unbase64(armoured.group(1)).content if armoured else data


def _element(data: bytes, at: int) -> _Element:
    """The element at `at` (X.690, 8.1). Raises Unreadable(corrupt)."""
    if at + 2 > len(data):
        raise Unreadable(Why.CORRUPT, "a CMS structure ends early")
    tag, size = data[at], data[at + 1]
    start = at + 2
    if tag & 0x1F == 0x1F:
        raise Unreadable(Why.CORRUPT, "a CMS structure with an unknown tag")
    if size == 0x80:
        return _Element(tag, start, None)
    if size > 0x80:
        start += size & 0x7F
        size = int.from_bytes(data[at + 2 : start], "big")
    return _Element(tag, start, start + size)


def _flat(data: bytes, element: _Element, budget: Budget, *, deepest: int = 1 << 30) -> Iterator[tuple[int, _Element]]:
    """Every element inside `element` with its level, from 0, in order; ends at damage with what came before.

    Deeper than `deepest` only where there is no other way to the next.
    """
    ends: list[int | None] = [element.end]
    at = element.start
    count = 0
    while at < len(data):
        count += 1
        if count % 1024 == 0:
            budget.tick()
        while len(ends) > 1 and ends[-1] is not None and at >= ends[-1]:
            ends.pop()
        if ends[-1] is not None and at >= ends[-1]:
            return
        if ends[-1] is None and data[at : at + 2] == b"\0\0":
            at += 2
            ends.pop()
            if not ends:
                return
            continue
        try:
            inner = _element(data, at)
        except Unreadable:
            return
        yield len(ends) - 1, inner
        at = inner.start
        if inner.tag & 0x20 and (inner.end is None or len(ends) <= deepest):
            ends.append(inner.end)
        elif inner.end is None:
            return
        else:
            at = inner.end


def _children(data: bytes, element: _Element, budget: Budget) -> list[_Element]:
    """The elements directly inside. Raises Unreadable(corrupt) where there are none."""
    found = [inner for level, inner in _flat(data, element, budget, deepest=0) if level == 0]
    if not found:
        raise Unreadable(Why.CORRUPT, "a CMS structure is empty")
    return found


def _encapsulated(data: bytes, structure: _Element, budget: Budget) -> _Element | None:
    """The octets in encapContentInfo (RFC 5652, 5.2), a type and an explicitly tagged content; None where they are elsewhere."""
    before: list[_Element] = []
    for level, inner in _flat(data, structure, budget, deepest=2):
        before = [*before[-2:], inner]
        shape = [element.tag & ~0x20 if element.tag != _CONTENT else _CONTENT for element in before]
        if level == 2 and shape == [_OID, _CONTENT, _OCTETS]:
            return inner
        if level == 0 and inner.tag in (0xA0, 0xA1, 0x31) and len(before) > 2 and before[-2].tag == _OID:
            return None  # certificates or signers: the content is detached
    return None


def _joined(data: bytes, octets: _Element, budget: Budget) -> bytes:
    """An octet string that may consist of others (X.690, 8.7.3)."""
    if not octets.tag & 0x20:
        return data[octets.start : octets.end]
    pieces = (inner for _, inner in _flat(data, octets, budget) if inner.tag == _OCTETS)
    return b"".join(data[piece.start : piece.end] for piece in pieces)


def _texts(data: bytes, skipped: tuple[int, int], budget: Budget) -> Iterator[str]:
    """The character strings of the structure but for its content, a line each."""
    number = 0
    for _, inner in _flat(data, _element(data, 0), budget):
        if inner.tag in _STRINGS and not skipped[0] <= inner.start < skipped[1] and number < TEXTS:
            number += 1
            yield decode(data[inner.start : inner.end], _STRINGS[inner.tag]) + "\n"


FORMAT = Format(name="cms", media_types=(CMS, "application/pkcs7-signature"), read=read)
