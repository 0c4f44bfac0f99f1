"""What .msg files and TNEF have in common: MAPI properties, their text, compressed RTF, and what they make of a message.

[MS-OXPROPS] for the numbers, [MS-OXCDATA] 2.11 for the types, [MS-OXRTFCP] for the compression.
"""

import re
import struct
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import NamedTuple

from dlp.extract import html
from dlp.extract.budget import Budget
from dlp.extract.charset import decode
from dlp.extract.document import Document
from dlp.extract.format import Pieces
from dlp.extract.markup import unescape
from dlp.extract.mime import charsets, entity, words
from dlp.extract.passwords import LEARNED
from dlp.extract.strings import strings
from dlp.model import Part, Trail, Why, Zone

INTEGER16, INTEGER32, BOOLEAN, INTEGER64, TIME = 0x02, 0x03, 0x0B, 0x14, 0x40
OBJECT, STRING8, UNICODE, GUID, BINARY = 0x0D, 0x1E, 0x1F, 0x48, 0x0102
MULTIPLE = 0x1000
SUBJECT, HEADERS, BODY, RTF, HTML, DATA = 0x0037, 0x007D, 0x1000, 0x1009, 0x1013, 0x3701
_CODE_PAGE, _INTERNET_CODE_PAGE = 0x3FFD, 0x3FDE
_SENSITIVITY = 0x0036
_LEVELS = ("normal", "personal", "private", "confidential")  # [MS-OXCMSG] 2.2.1.13
_FILE_NAMES = (0x3707, 0x3704, 0x3001, 0x3708, 0x370D)
_FIXED = {INTEGER16: "<h", INTEGER32: "<i", INTEGER64: "<q"}
_EPOCH = datetime(1601, 1, 1, tzinfo=UTC)
_NAMES = {
    0x001A: "message-class",
    SUBJECT: "subject",
    0x0042: "sent-representing-name",
    0x0065: "sent-representing-email",
    0x0070: "topic",
    0x0C1A: "sender-name",
    0x0C1F: "sender-email",
    0x0E02: "bcc",
    0x0E03: "cc",
    0x0E04: "to",
    0x0E06: "delivery-time",
    0x0039: "submit-time",
    0x1035: "message-id",
    0x1039: "references",
    0x1042: "in-reply-to",
    0x3001: "display-name",
    0x3003: "email",
    0x3004: "comment",
    0x3007: "created",
    0x3008: "modified",
    0x3704: "filename",
    0x3707: "filename",
    0x3708: "pathname",
    0x370D: "pathname",
    0x370E: "content-type",
    0x3712: "content-id",
    0x3713: "content-location",
    0x39FE: "email",
    0x3FFA: "last-modifier",
    0x5D01: "sender-email",
    0x5D02: "sent-representing-email",
}
_CODE_PAGES = {  # Python has these under other names than "cp" and the number
    936: "gb18030",
    950: "big5hkscs",
    10000: "mac_roman",
    10002: "big5hkscs",
    10008: "gb18030",
    1200: "utf-16-le",
    1201: "utf-16-be",
    20127: "ascii",
    20866: "koi8_r",
    20932: "euc_jp",
    20936: "gb18030",
    21866: "koi8_u",
    50220: "iso2022_jp",
    50221: "iso2022_jp",
    50222: "iso2022_jp",
    50225: "iso2022_kr",
    51932: "euc_jp",
    51936: "gb18030",
    51949: "euc_kr",
    52936: "hz",
    54936: "gb18030",
    65000: "utf-7",
    65001: "utf-8",
}
_TAG = re.compile(r"<[^<>]*>")
_SHORT = 32
"""Bytes up to which a binary value is taken for an identifier."""
_DICTIONARY = (  # [MS-OXRTFCP] 2.1.2.1
    b"{\\rtf1\\ansi\\mac\\deff0\\deftab720{\\fonttbl;}{\\f0\\fnil \\froman \\fswiss \\fmodern \\fscript \\fdecor MS Sans Serif"
    b"SymbolArialTimes New RomanCourier{\\colortbl\\red0\\green0\\blue0\r\n\\par \\pard\\plain\\f0\\fs20\\b\\i\\u\\tab\\tx"
)
_COMPRESSED, _UNCOMPRESSED = b"LZFu", b"MELA"
_HEX = re.compile(rb"\\'([0-9a-fA-F]{2})")
_CONTROL = re.compile(rb"\\[a-z]{1,32}-?\d{0,10} ?|[{}\r\n]")


class Property(NamedTuple):
    """One value of one property. `kind` is its type without the flag for several; `name` that of a named property."""

    id: int
    kind: int
    value: bytes
    name: str = ""


class Properties:
    """The properties of one object: a message, an attachment or a recipient."""

    def __init__(self, found: Iterable[Property], *, page: str | None = None) -> None:
        """`page` is the charset of its 8-bit strings, if known from elsewhere."""
        self.all = list(found)
        self._page = page

    @cached_property
    def page(self) -> str | None:
        """The charset of 8-bit strings."""
        return code_page(self.number(_CODE_PAGE)) or self._page or code_page(self.number(_INTERNET_CODE_PAGE))

    @property
    def body_page(self) -> str | None:
        """The charset of bodies, which may be another."""
        return code_page(self.number(_INTERNET_CODE_PAGE)) or self.page

    def values(self, number: int) -> list[Property]:
        return [found for found in self.all if found.id == number]

    def number(self, number: int) -> int | None:
        """An integer, or None."""
        for found in self.values(number):
            if found.kind in _FIXED:
                size = struct.calcsize(_FIXED[found.kind])
                return int.from_bytes(found.value[:size], "little", signed=True)
        return None

    def texts(self, number: int, *, page: str | None = None) -> list[str]:
        """The readings of a text: more than one where the bytes do not tell their charset."""
        return list(dict.fromkeys(text for found in self.values(number) for text in self.readings(found, page)))

    def readings(self, found: Property, page: str | None = None) -> list[str]:
        """A value as text; [] for what is none."""
        if found.kind == UNICODE:
            return [found.value.decode("utf-16-le", "replace").rstrip("\0")]
        if found.kind == STRING8:
            raw = found.value.rstrip(b"\0")
            return [decode(raw, charset) for charset in charsets(raw, page or self.page)]
        return []

    @property
    def file_name(self) -> str | None:
        """The name of an attachment, without folders."""
        for number in _FILE_NAMES:
            for text in self.texts(number):
                if shown := text.replace("\\", "/").rsplit("/", 1)[-1].strip():
                    return shown
        return None

    @property
    def data(self) -> bytes | None:
        """The content of an attachment by value."""
        return next((found.value for found in self.values(DATA) if found.kind == BINARY), None)


def code_page(number: int | None) -> str | None:
    """The charset of a Windows code page."""
    if number is None or number <= 0:
        return None
    return _CODE_PAGES.get(number) or (f"iso8859-{number - 28590}" if 28591 <= number <= 28605 else f"cp{number}")


def message(document: Document, held: Properties, budget: Budget) -> Pieces:
    """The subject, the fields and the bodies of a message; its words are learned before anything is yielded."""
    rtf = [decompressed(found.value, budget) for found in held.values(RTF) if found.kind == BINARY]
    _learn(held, [content for content, _ in rtf], budget)
    yield from document.parts(_lines(held.texts(SUBJECT)), zone=Zone.SUBJECT)
    yield from document.parts(_headers(held), zone=Zone.PROPERTY)
    yield from fields(document, held)
    for text in held.texts(BODY, page=held.body_page):
        yield from document.parts([text], start=True)
    for found in held.values(HTML):
        yield from _page(document, held, found, budget)
    for content, whole in rtf:
        if not whole:
            yield document.unread(Why.CORRUPT, "compressed RTF is damaged", trail=("rtf",))
        if content:
            yield document.nested(content, name=None, label="rtf", media="application/rtf")


def fields(document: Document, held: Properties, *, trail: Trail = ()) -> Iterator[Part]:
    """Every text and date but for bodies, each with its name, and the strings in binary values."""
    lines = (
        line for found in held.all if found.id not in (HEADERS, BODY, HTML, RTF, DATA, SUBJECT) for line in _field(held, found)
    )
    yield from document.parts(lines, zone=Zone.PROPERTY, trail=trail)
    unknown = [found.value for found in held.all if found.kind == BINARY and found.id not in (RTF, HTML, DATA)]
    if salvaged := b"\0\0".join(value for value in unknown if len(value) > _SHORT):
        yield from document.parts(strings(salvaged), zone=Zone.RAW, trail=trail)


def _field(held: Properties, found: Property) -> Iterator[str]:
    name = found.name or _NAMES.get(found.id, f"0x{found.id:04x}")
    if found.id == _SENSITIVITY:
        level = held.number(_SENSITIVITY) or 0
        yield f"sensitivity: {_LEVELS[level] if 0 < level < len(_LEVELS) else level}\n"
    elif found.kind == TIME and len(found.value) >= 8:
        yield f"{name}: {_time(found.value)}\n"
    else:
        for text in held.readings(found):
            if text:
                yield f"{name}: {text}\n"


def _time(value: bytes) -> str:
    """A FILETIME ([MS-DTYP] 2.3.3) in UTC."""
    try:
        return (_EPOCH + timedelta(microseconds=int.from_bytes(value[:8], "little") // 10)).isoformat(" ", "seconds")
    except OverflowError:
        return "0x" + value[:8].hex()


def _lines(texts: Iterable[str]) -> Iterator[str]:
    for number, text in enumerate(texts):
        yield f"\n{text}" if number else text


def _headers(held: Properties) -> Iterator[str]:
    """The header with which the message was transported, its words decoded."""
    for text in held.texts(HEADERS):
        parsed = entity(memoryview(text.encode("utf-8", "replace")))
        for field in parsed.fields:
            yield f"{field.name}: {words(field.value)}\n"
        yield decode(parsed.junk, "utf-8")
        if parsed.body.nbytes:
            yield "\n" + decode(bytes(parsed.body), "utf-8")


def _page(document: Document, held: Properties, found: Property, budget: Budget) -> Pieces:
    encodings = ("utf-16-le",) if found.kind == UNICODE else charsets(found.value, held.body_page)
    for encoding in encodings:
        inner = Document(data=found.value, media="text/html", charset=encoding, trail=document.trail, depth=document.depth)
        yield from html.read(inner, budget)


def _learn(held: Properties, rtf: list[bytes], budget: Budget) -> None:
    """Let the budget know the words of the subject and the bodies: one may open an attachment."""
    for text in (*held.texts(SUBJECT), *held.texts(BODY, page=held.body_page)):
        budget.passwords.learn(text)
    for found in held.values(HTML):
        head = found.value[: 2 * LEARNED]
        encoding = "utf-16-le" if found.kind == UNICODE else charsets(head, held.body_page)[0]
        budget.passwords.learn(unescape(_TAG.sub(" ", decode(head, encoding)[:LEARNED])))
    if not held.values(BODY):
        for content in rtf:
            plain = _HEX.sub(lambda match: bytes((int(match.group(1), 16),)), _CONTROL.sub(b" ", content[: 2 * LEARNED]))
            budget.passwords.learn(decode(plain, None))


def decompressed(packed: bytes, budget: Budget) -> tuple[bytes, bool]:
    """Compressed RTF ([MS-OXRTFCP] 2.1, 3.1): the text, and whether it is whole."""
    if len(packed) < 16:
        return b"", not packed
    size, kind = int.from_bytes(packed[:4], "little"), packed[8:12]
    if kind == _UNCOMPRESSED:
        return packed[16 : size + 4], size + 4 <= len(packed)
    if kind != _COMPRESSED:
        return packed, packed.startswith(b"{\\rt")
    content = _expanded(packed, min(size + 4, len(packed)), budget)
    budget.spend(len(content))
    return content, len(content) >= int.from_bytes(packed[4:8], "little")


def _expanded(packed: bytes, end: int, budget: Budget) -> bytes:
    """Eight literals or references to what stands before, for each byte of flags (3.1.4); ends at what refers to nothing."""
    out = bytearray(_DICTIONARY)
    at, runs = 16, 0
    while at < end and len(out) < budget.limits.part_bytes:
        runs += 1
        if runs % 4096 == 0:
            budget.tick()
        flags = packed[at]
        at += 1
        if flags == 0:
            out += packed[at : min(at + 8, end)]
            at += 8
            continue
        for bit in range(8):
            if not flags >> bit & 1:
                out += packed[at : at + 1]
                at += 1
                continue
            reference = int.from_bytes(packed[at : at + 2], "big")
            at += 2
            distance = (len(out) - (reference >> 4)) % 4096
            # A reference to the place that is written next is the end.
            if distance == 0 or distance > len(out) or at > end:
                return bytes(out[len(_DICTIONARY) :])
            length = (reference & 15) + 2
            piece = out[len(out) - distance : len(out) - distance + length]
            out += (piece * (length // len(piece) + 1))[:length]
    return bytes(out[len(_DICTIONARY) :])
