"""TNEF ([MS-OXTNEF]), what Outlook sends as winmail.dat: attributes, MAPI properties, recipients, attachments.

A message attached to it is TNEF in turn, and a document inside.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field

from dlp.extract.budget import Budget, Unreadable
from dlp.extract.document import Document
from dlp.extract.format import Format, Pieces
from dlp.extract.mapi import (
    BINARY,
    BODY,
    DATA,
    MULTIPLE,
    OBJECT,
    STRING8,
    SUBJECT,
    UNICODE,
    Properties,
    Property,
    code_page,
    fields,
    message,
)
from dlp.model import Why

ATTRIBUTES = 100_000
"""Attributes of one stream, and properties of one object."""
_SIGNATURE = b"\x78\x9f\x3e\x22"
_ATTRIBUTE = struct.Struct("<BII")  # 2.1.3.1: level, identifier, length; a checksum of two bytes follows the value
_SUBJECT, _BODY = 0x00018004, 0x0002800C  # 2.1.3.2
_MESSAGE_PROPERTIES, _RECIPIENTS, _CODE_PAGE = 0x00069003, 0x00069004, 0x00069007
_ATTACHED, _TITLE, _TRANSPORT_NAME = 0x00069002, 0x00018010, 0x00069001
_CONTENT, _ATTACHMENT_PROPERTIES = 0x0006800F, 0x00069005
_TEXTS = {0x00008000: "from", 0x00018009: "message-id", 0x00078008: "message-class", 0x00060000: "owner", 0x00060001: "sent-for"}
_SIZES = {0x02: 4, 0x03: 4, 0x04: 4, 0x05: 8, 0x06: 8, 0x07: 8, 0x0A: 4, 0x0B: 4, 0x14: 8, 0x40: 8, 0x48: 16, 0x01: 0}
"""Bytes of a value of each type of a fixed size, filled up to four (2.1.3.4)."""
_VARIABLE = frozenset({STRING8, UNICODE, BINARY, OBJECT})
_IDENTIFIER = 16
"""Bytes of the interface identifier that stands before an object."""
_FILE_NAME = 0x3704


@dataclass
class _Attachment:
    """What is known of one attachment so far."""

    found: list[Property] = field(default_factory=list)
    content: bytes | None = None


@dataclass
class _Stream:
    """What the attributes gave."""

    page: str | None = None
    found: list[Property] = field(default_factory=list)
    recipients: list[list[Property]] = field(default_factory=list)
    attachments: list[_Attachment] = field(default_factory=list)
    damage: list[str] = field(default_factory=list)


def read(document: Document, budget: Budget) -> Pieces:
    """Raises Unreadable(corrupt) where it is no TNEF."""
    data = bytes(document.data)
    if not data.startswith(_SIGNATURE):
        raise Unreadable(Why.CORRUPT, "no TNEF signature")
    held = _Stream()
    for identifier, value in _attributes(data, held, budget):
        _take(held, identifier, value, budget)
    top = Properties(held.found, page=held.page)
    yield from message(document, top, budget)
    for row in held.recipients:
        budget.tick()
        yield from fields(document, Properties(row, page=top.page))
    for number, attachment in enumerate(held.attachments, 1):
        budget.tick()
        yield from _attached(document, attachment, top.page, number)
    for sentence in dict.fromkeys(held.damage):
        yield document.unread(Why.CORRUPT, sentence)


def _attributes(data: bytes, held: _Stream, budget: Budget) -> Iterator[tuple[int, bytes]]:
    at = 6
    for _ in range(ATTRIBUTES):
        if at + _ATTRIBUTE.size > len(data):
            if at < len(data):
                held.damage.append("the last attribute breaks off")
            return
        budget.tick()
        level, identifier, size = _ATTRIBUTE.unpack_from(data, at)
        at += _ATTRIBUTE.size
        if level not in (1, 2):
            held.damage.append("an attribute is neither of the message nor of an attachment")
        if at + size > len(data):
            held.damage.append("an attribute breaks off")
        yield identifier, data[at : at + size]
        at += size + 2
    held.damage.append("more attributes than are read")


def _take(held: _Stream, identifier: int, value: bytes, budget: Budget) -> None:
    """Put one attribute where it belongs."""
    if identifier == _CODE_PAGE:
        held.page = code_page(int.from_bytes(value[:4], "little"))
    elif identifier in (_SUBJECT, _BODY):
        held.found.append(Property(SUBJECT if identifier == _SUBJECT else BODY, STRING8, value))
    elif identifier in _TEXTS:
        held.found.append(Property(0, STRING8, value.strip(b"\0").replace(b"\0", b" "), _TEXTS[identifier]))
    elif identifier == _MESSAGE_PROPERTIES:
        held.found.extend(_Reader(value, held, budget).properties())
    elif identifier == _RECIPIENTS:
        held.recipients.extend(_Reader(value, held, budget).rows())
    elif identifier == _ATTACHED or not held.attachments:
        held.attachments.append(_Attachment())
    if not held.attachments:
        return
    attachment = held.attachments[-1]
    if identifier in (_TITLE, _TRANSPORT_NAME):
        attachment.found.append(Property(_FILE_NAME, STRING8, value))
    elif identifier == _CONTENT:
        attachment.content = value
    elif identifier == _ATTACHMENT_PROPERTIES:
        attachment.found.extend(_Reader(value, held, budget).properties())


def _attached(document: Document, attachment: _Attachment, page: str | None, number: int) -> Pieces:
    properties = Properties(attachment.found, page=page)
    name, label = properties.file_name, f"attachment {number}"
    yield from fields(document, properties, trail=(name or label,))
    inside = [found.value for found in properties.values(DATA) if found.kind in (BINARY, OBJECT)]
    if attachment.content is not None or (name and not inside):
        yield document.nested(attachment.content or b"", name=name, label=label)
    for value in inside:
        yield document.nested(value, name=name, label=label)


class _Reader:
    """The properties in one attribute (2.1.3.4); ends at damage with what came before."""

    def __init__(self, data: bytes, held: _Stream, budget: Budget) -> None:
        self._data = data
        self._at = 0
        self._held = held
        self._budget = budget

    def rows(self) -> Iterator[list[Property]]:
        """The recipients, each a list of properties."""
        for _ in range(min(self._number(), ATTRIBUTES)):
            if self._at >= len(self._data):
                return
            self._budget.tick()
            yield list(self.properties())

    def properties(self) -> Iterator[Property]:
        count = self._number()
        if count > ATTRIBUTES:
            self._held.damage.append("more properties than are read")
        for _ in range(min(count, ATTRIBUTES)):
            if self._at + 4 > len(self._data):
                self._held.damage.append("a list of properties breaks off")
                return
            kind, number = struct.unpack_from("<HH", self._data, self._at)
            self._at += 4
            name = self._name() if number >= 0x8000 else ""
            yield from self._values(number, kind, name)

    def _number(self) -> int:
        value = int.from_bytes(self._bytes(4), "little")
        return value

    def _bytes(self, size: int) -> bytes:
        """The next `size` bytes, and past their filling up to four."""
        value = self._data[self._at : self._at + size]
        self._at += size + -size % 4
        return value

    def _name(self) -> str:
        """The name of a named property; it stands before the value (2.1.3.4.1)."""
        self._bytes(16)  # the GUID of its set
        if self._number() == 0:
            return f"named 0x{self._number():04x}"
        return self._bytes(self._number()).decode("utf-16-le", "replace").rstrip("\0")

    def _values(self, number: int, kind: int, name: str) -> Iterator[Property]:
        several, kind = bool(kind & MULTIPLE), kind & ~MULTIPLE
        if kind not in _VARIABLE and kind not in _SIZES:
            self._held.damage.append("a property of an unknown type")
            self._at = len(self._data)
            return
        count = self._number() if several or kind in _VARIABLE else 1
        for _ in range(min(count, ATTRIBUTES)):
            if self._at > len(self._data) or (self._at == len(self._data) and kind != 0x01):
                self._held.damage.append("a property breaks off")
                return
            value = self._bytes(self._number() if kind in _VARIABLE else _SIZES[kind])
            yield Property(number, kind, value[_IDENTIFIER:] if kind == OBJECT else value, name)


FORMAT = Format(name="tnef", media_types=("application/ms-tnef", "application/vnd.ms-tnef"), read=read)
