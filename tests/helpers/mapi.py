"""Outlook's .msg files, TNEF and compressed RTF, made by code."""

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from tests.helpers.compound import a_compound

Value = str | bytes | int
STRING8, UNICODE, BINARY, LONG, OBJECT = 0x1E, 0x1F, 0x0102, 0x03, 0x0D
SUBJECT, BODY, RTF, HTML, HEADERS = 0x0037, 0x1000, 0x1009, 0x1013, 0x007D
CODE_PAGE, INTERNET_CODE_PAGE = 0x3FFD, 0x3FDE
IMESSAGE = bytes.fromhex("0703020000000000c000000000000046")


@dataclass(frozen=True, kw_only=True)
class Attachment:
    """By value, as a message, or as the streams of an object."""

    name: str = ""
    content: bytes | None = None
    streams: Mapping[tuple[str, ...], bytes] | None = None
    properties: Mapping[int, Value] = field(default_factory=dict)


def a_msg(
    properties: Mapping[int, Value],
    *,
    recipients: Sequence[Mapping[int, Value]] = (),
    attachments: Sequence[Attachment] = (),
    named: Mapping[str, Value] | None = None,
    page: str = "",
    extra: Mapping[tuple[str, ...], bytes] | None = None,
) -> bytes:
    """A message ([MS-OXMSG]); with `page` its texts are 8-bit strings in that charset."""
    streams = message_streams(properties, recipients=recipients, attachments=attachments, named=named, page=page)
    return a_compound(streams | dict(extra or {}))


def message_streams(
    properties: Mapping[int, Value],
    *,
    recipients: Sequence[Mapping[int, Value]] = (),
    attachments: Sequence[Attachment] = (),
    named: Mapping[str, Value] | None = None,
    page: str = "",
    header: int = 32,
) -> dict[tuple[str, ...], bytes]:
    """The streams of a message by their paths; an embedded one has a `header` of 24 bytes."""
    names = dict(named or {})
    numbered = {0x8000 + index: value for index, value in enumerate(names.values())}
    streams = _object((), {**properties, **numbered}, header, page)
    if names:
        entries, texts = b"", b""
        for index, name in enumerate(names):
            entries += struct.pack("<IHH", len(texts), 1 | 1 << 1, index)
            raw = name.encode("utf-16-le")
            texts += struct.pack("<I", len(raw)) + raw + bytes(-len(raw) % 4)
        streams[("__nameid_version1.0", "__substg1.0_00020102")] = b""
        streams[("__nameid_version1.0", "__substg1.0_00030102")] = entries
        streams[("__nameid_version1.0", "__substg1.0_00040102")] = texts
    for number, recipient in enumerate(recipients):
        streams |= _object((f"__recip_version1.0_#{number:08X}",), recipient, 8, page)
    for number, attachment in enumerate(attachments):
        place = f"__attach_version1.0_#{number:08X}"
        held: dict[int, Value] = dict(attachment.properties)
        if attachment.name:
            held[0x3707] = attachment.name
        if attachment.content is not None:
            held[0x3701] = attachment.content
        streams |= _object((place,), held, 8, page)
        for path, content in (attachment.streams or {}).items():
            streams[(place, "__substg1.0_3701000D", *path)] = content
    return streams


def _object(place: tuple[str, ...], properties: Mapping[int, Value], header: int, page: str) -> dict[tuple[str, ...], bytes]:
    fixed = bytes(header)
    streams: dict[tuple[str, ...], bytes] = {}
    for number, value in properties.items():
        if isinstance(value, int):
            fixed += struct.pack("<HHIq", LONG, number, 6, value)
            continue
        kind, raw = _encoded(value, page)
        fixed += struct.pack("<HHIq", kind, number, 6, len(raw))
        streams[(*place, f"__substg1.0_{number:04X}{kind:04X}")] = raw
    streams[(*place, "__properties_version1.0")] = fixed
    return streams


def _encoded(value: str | bytes, page: str) -> tuple[int, bytes]:
    if isinstance(value, bytes):
        return BINARY, value
    return (STRING8, value.encode(page)) if page else (UNICODE, value.encode("utf-16-le"))


def compressed_rtf(rtf: bytes, references: Sequence[tuple[int, int]] = ()) -> bytes:
    """[MS-OXRTFCP] with literals only, then `references` as (place in the dictionary, length), then the end."""
    tokens: list[tuple[bool, bytes]] = [(False, rtf[at : at + 1]) for at in range(len(rtf))]
    size = len(rtf)
    for place, length in references:
        tokens.append((True, struct.pack(">H", place << 4 | length - 2)))
        size += length
    tokens.append((True, struct.pack(">H", (207 + size) % 4096 << 4)))
    body = b""
    for at in range(0, len(tokens), 8):
        group = tokens[at : at + 8]
        body += bytes((sum(reference << bit for bit, (reference, _) in enumerate(group)),)) + b"".join(raw for _, raw in group)
    return struct.pack("<II4sI", len(body) + 12, size, b"LZFu", 0) + body


def a_tnef(
    properties: Mapping[int, Value] | None = None,
    *,
    attributes: Sequence[tuple[int, bytes]] = (),
    recipients: Sequence[Mapping[int, Value]] = (),
    attachments: Sequence[Attachment] = (),
    named: Mapping[str, Value] | None = None,
    code_page: int = 1252,
    page: str = "",
) -> bytes:
    """A stream of attributes ([MS-OXTNEF]); an attachment with `content` of TNEF and no name is an embedded message."""
    stream = b"\x78\x9f\x3e\x22\x01\x00" + _attribute(1, 0x00069007, struct.pack("<II", code_page, 0))
    for identifier, value in attributes:
        stream += _attribute(1, identifier, value)
    if recipients:
        rows = b"".join(_list(row, {}, page) for row in recipients)
        stream += _attribute(1, 0x00069004, struct.pack("<I", len(recipients)) + rows)
    if properties or named:
        stream += _attribute(1, 0x00069003, _list(properties or {}, named or {}, page))
    for attachment in attachments:
        stream += _attribute(2, 0x00069002, bytes(14))
        held: dict[int, Value] = dict(attachment.properties)
        if attachment.name:
            held[0x3707] = attachment.name
            stream += _attribute(2, 0x00018010, attachment.name.encode(page or "utf-8", "replace") + b"\0")
        if attachment.content is not None and attachment.name:
            stream += _attribute(2, 0x0006800F, attachment.content)
        inside = b"" if attachment.name or attachment.content is None else _embedded(attachment.content)
        count = len(held) + bool(inside)
        listed = struct.pack("<I", count) + _list(held, {}, page)[4:] + inside
        stream += _attribute(2, 0x00069005, listed)
    return stream


def _attribute(level: int, identifier: int, value: bytes) -> bytes:
    return struct.pack("<BII", level, identifier, len(value)) + value + struct.pack("<H", sum(value) & 0xFFFF)


def _list(properties: Mapping[int, Value], named: Mapping[str, Value], page: str) -> bytes:
    listed = struct.pack("<I", len(properties) + len(named))
    for number, value in properties.items():
        listed += _property(number, b"", value, page)
    for index, (name, value) in enumerate(named.items()):
        raw = name.encode("utf-16-le") + b"\0\0"
        listed += _property(0x8000 + index, bytes(16) + struct.pack("<II", 1, len(raw)) + raw + bytes(-len(raw) % 4), value, page)
    return listed


def _property(number: int, name: bytes, value: Value, page: str) -> bytes:
    if isinstance(value, int):
        return struct.pack("<HH", LONG, number) + name + struct.pack("<i", value)
    kind, raw = _encoded(value, page)
    return struct.pack("<HH", kind, number) + name + struct.pack("<II", 1, len(raw)) + raw + bytes(-len(raw) % 4)


def _embedded(content: bytes) -> bytes:
    raw = IMESSAGE + content
    return struct.pack("<HHII", OBJECT, 0x3701, 1, len(raw)) + raw + bytes(-len(raw) % 4)
