"""Drawings of Word, Excel and PowerPoint ([MS-ODRAW]): the texts of shapes' properties, and the pictures.

A drawing is a tree of records whose headers tell containers from atoms; it is walked flat, from header to header, so that
neither depth nor a wrong length matters much. A picture is a document of its own.
"""

import re
import struct
import zlib
from collections.abc import Iterator
from hashlib import blake2b

from dlp.extract.budget import Budget, Exhausted, Guarded, Unreadable
from dlp.extract.document import Document
from dlp.extract.format import Pieces
from dlp.extract.office import read_package
from dlp.extract.strings import strings
from dlp.extract.zipped import Member
from dlp.model import Part, Unscannable, Zone

HEADER = struct.Struct("<HHI")
"""Version (the lower four bits; 15 for a container) and instance, type, length of what follows (2.2.1)."""
CONTAINER = 0xF
FBSE = 0xF007
OPTIONS = (0xF00B, 0xF121, 0xF122)
"""The tables of a shape's properties (2.2.9 to 2.2.11)."""
BLIPS = range(0xF018, 0xF118)
_PROPERTY = struct.Struct("<HI")
PROPERTY = _PROPERTY.size
"""Bytes of one property, without its longer value (2.2.7)."""
_METAFILES = (0xF01A, 0xF01B, 0xF01C)
_PICT, _DIB = 0xF01C, 0xF01F
_FBSE_SIZE = 36
_COMPLEX = re.compile(rb"[\x80-\xff]")
_PICTURES = (0x0104, 0x0186, 0x01C5)
_WORD_ART, _LINK, _PACKAGE = 0x00C0, 0x0382, 0x03A9
"""The text of WordArt, which is what watermarks are made of; a hyperlink; the shape in the words of OOXML (2.3)."""
_WORDS = frozenset({0x0105, 0x0187, 0x01C7, 0x0380, 0x0381, 0x038D, 0x038E, 0x00C1})
"""Names of picture files, the shape's name, its description, the tip, a script, the text of WordArt as RTF."""
_TICKED = 1 << 14
"""Bytes of records from one look at the clock to the next."""
_FED = 1 << 10
"""Compressed bytes given to the decompressor at a time: what those before damage became is kept."""
_AT_ONCE = 4 << 20
"""Bytes that a stream may inflate to in one call; more are inflated piece by piece, each accounted for before the next."""


class Shapes:
    """What is gathered from a document's shapes: `texts` by zone, each once, and what of their packages has been read."""

    def __init__(self) -> None:
        self.texts: dict[Zone, dict[str, None]] = {}
        self._read: set[bytes] = set()

    def fresh(self, package: bytes, member: Member | None = None) -> bool:
        """Whether no such package, or member of one, has come before.

        A member is the same by what both of its headers and its content hold: it says nothing new, and its damage is known.
        """
        if member is None:
            digest = blake2b(package, digest_size=16).digest()
        else:
            header = member.header
            stated = (header.name, header.flags, header.method, header.crc, header.packed, header.size)
            known = blake2b(package[header.local : header.data + header.packed], digest_size=16)
            known.update(repr(stated).encode("utf-8", "replace"))
            digest = known.digest()
        fresh = digest not in self._read
        self._read.add(digest)
        return fresh


class Inflated:
    """A zlib stream that is read in pieces."""

    def __init__(self, data: bytes | memoryview) -> None:
        self._inflate = zlib.decompressobj()
        self._rest = memoryview(data)
        self._tail = b""  # of what was fed: all of the rest would be copied at each call

    def read(self, size: int, /) -> bytes:
        while not self._inflate.eof:
            fed, self._rest = (self._tail, self._rest) if self._tail else (self._rest[:_FED], self._rest[_FED:])
            chunk = self._inflate.decompress(fed, size)
            self._tail = self._inflate.unconsumed_tail
            if chunk or not fed:
                return chunk
        return b""


def inflated(data: bytes | memoryview, budget: Budget) -> tuple[bytes, Unreadable | None]:
    """What a zlib stream holds as far as it can be read, and what ended it early."""
    most = min(_AT_ONCE, budget.limits.part_bytes)
    try:
        content = zlib.decompressobj().decompress(data, most)
    except zlib.error:
        content = None  # read again piece by piece, so that what comes before the damage is not lost
    if content is not None and len(content) < most:
        budget.spend(len(content))
        return content, None
    return budget.take(Guarded(Inflated(data), (zlib.error,)), packed=len(data))


def drawings(
    document: Document, data: bytes | memoryview, budget: Budget, *, delayed: bytes = b"", trail: tuple[str, ...] = ()
) -> Pieces:
    """The texts and pictures of the records in `data`; `delayed` is the stream that holds pictures left out there."""
    shapes = Shapes()
    view = memoryview(data)
    at, ticked = 0, -1
    while at + 8 <= len(view):
        if at > ticked:
            budget.tick()
            ticked = at + _TICKED
        version, kind, size = HEADER.unpack_from(view, at)
        body = at + 8
        at = body if version & 0xF == CONTAINER else body + size
        if kind == FBSE:
            at = min(body + _FBSE_SIZE + (view[body + 33] if body + 33 < len(view) else 0), body + size)
            yield from _entry(document, bytes(view[body:at]), delayed if at >= body + size else b"", budget, trail)
        elif kind in OPTIONS:
            if size > PROPERTY * (version >> 4):
                yield from options(document, bytes(view[body:at]), version >> 4, budget, shapes, trail=trail)
        elif kind in BLIPS:
            yield from blip(document, kind, version >> 4, view[body:at], budget, trail=trail)
    yield from worded(document, shapes.texts, trail=trail)


def worded(document: Document, texts: dict[Zone, dict[str, None]], *, trail: tuple[str, ...] = ()) -> Iterator[Part]:
    """Collected words as parts."""
    for zone, words in texts.items():
        yield from document.parts((word + "\n" for word in words), zone=zone, trail=trail)


def _entry(document: Document, entry: bytes, delayed: bytes, budget: Budget, trail: tuple[str, ...]) -> Pieces:
    """A picture's entry in the store: its name, and the picture where it lies in another stream (2.2.32)."""
    if len(entry) < _FBSE_SIZE:
        return
    yield from document.parts([_text(entry[_FBSE_SIZE:])], zone=Zone.HIDDEN, trail=trail)
    (place,) = struct.unpack_from("<I", entry, 28)
    if delayed and place + 8 <= len(delayed):
        version, kind, size = HEADER.unpack_from(delayed, place)
        if kind in BLIPS:
            picture = memoryview(delayed)[place + 8 : place + 8 + size]
            yield from blip(document, kind, version >> 4, picture, budget, trail=trail)


def options(
    document: Document,
    body: bytes,
    count: int,
    budget: Budget,
    shapes: Shapes,
    *,
    trail: tuple[str, ...] = (),
) -> Pieces:
    """A table of properties (2.2.9): six bytes each, then the longer values. Words go to `shapes`, pictures and packages come."""
    at = PROPERTY * count
    texts = shapes.texts
    if len(body) <= at:
        return
    for complex_one in _COMPLEX.finditer(body[1:at:PROPERTY]):  # the bytes with the bit that says so
        identifier, size = _PROPERTY.unpack_from(body, PROPERTY * complex_one.start())
        value, at = body[at : at + size], at + size
        number = identifier & 0x3FFF
        if number == _WORD_ART:
            texts.setdefault(Zone.WATERMARK, {})[_text(value)] = None
        elif number in _WORDS:
            texts.setdefault(Zone.HIDDEN, {})[_text(value)] = None
        elif number == _LINK:
            texts.setdefault(Zone.HIDDEN, {}).update(dict.fromkeys(run.rstrip("\n") for run in strings(value)))
        elif number == _PACKAGE and value.startswith(b"PK\3\4"):
            yield from package(document, value, budget, shapes, trail=trail)
        elif number in _PICTURES and len(value) > 8:
            version, kind, inner = HEADER.unpack_from(value)
            if kind in BLIPS:
                yield from blip(document, kind, version >> 4, value[8 : 8 + inner], budget, trail=trail)


def package(document: Document, data: bytes, budget: Budget, shapes: Shapes, *, trail: tuple[str, ...] = ()) -> Pieces:
    """What newer programs keep beside a shape, a master or a theme in the words of OOXML; only the older ones need the rest.

    Many members are the same in all of them, and are read once.
    """

    def once(member: Member) -> Pieces | None:
        return None if shapes.fresh(data, member) else iter(())

    budget.admit()
    if not shapes.fresh(data):
        return
    inner = document.nested(data, name=None, label="package", trail=trail)
    try:
        yield from read_package(inner, budget, zone_of=lambda _: Zone.HIDDEN, reader=lambda _: once)
    except Exhausted:
        raise
    except Unreadable as error:
        yield inner.unread(error.why, error.detail)


def blip(
    document: Document, kind: int, instance: int, body: bytes | memoryview, budget: Budget, *, trail: tuple[str, ...] = ()
) -> Iterator[Document | Unscannable]:
    """A picture (2.2.23): one or two digests, then a metafile, mostly compressed, or the bytes of a file."""
    at = 32 if instance & 1 else 16
    picture: bytes | memoryview
    if kind not in _METAFILES:
        picture = body[at + 1 :]
        picture = bitmap(picture) if kind == _DIB else picture
    else:
        picture = body[at + 34 :]
        if body[at + 32 : at + 33] == b"\0":
            picture, end = inflated(picture, budget)
            if end is not None:
                yield document.unread(end.why, end.detail, trail=(*trail, "picture"))
    if picture:
        yield document.nested(bytes(512) + picture if kind == _PICT else picture, name=None, label="picture", trail=trail)


def bitmap(dib: bytes | memoryview) -> bytes:
    """A device-independent bitmap with the header of a file ([MS-WMF] 2.2.2.9)."""
    if len(dib) < 40:
        return bytes(dib)
    size, bits, compression, used = struct.unpack_from("<I10xHI12xI", dib)
    masks = 12 if compression == 3 and size == 40 else 0
    colours = min(used, 256) or (1 << bits if bits <= 8 else 0)
    offset = min(14 + size + masks + 4 * colours, 14 + len(dib))
    return struct.pack("<2sIII", b"BM", 14 + len(dib), 0, offset) + dib


def _text(value: bytes) -> str:
    return value[: len(value) // 2 * 2].decode("utf-16-le", "replace").split("\0", 1)[0].strip()
