"""Drawings of Word, Excel and PowerPoint ([MS-ODRAW]): the texts of shapes' properties, and the pictures.

A drawing is a tree of records whose headers tell containers from atoms; it is walked flat, from header to header, so that
neither depth nor a wrong length matters much. A picture is a document of its own.
"""

import struct
import zlib
from collections.abc import Iterator

from dlp.extract.budget import Budget, Exhausted, Guarded, Unreadable
from dlp.extract.document import Document
from dlp.extract.format import Pieces
from dlp.extract.office import read_package
from dlp.extract.strings import strings
from dlp.model import Part, Unscannable, Zone

HEADER = struct.Struct("<HHI")
"""Version (the lower four bits; 15 for a container) and instance, type, length of what follows (2.2.1)."""
CONTAINER = 0xF
FBSE = 0xF007
OPTIONS = (0xF00B, 0xF121, 0xF122)
"""The tables of a shape's properties (2.2.9 to 2.2.11)."""
BLIPS = range(0xF018, 0xF118)
_METAFILES = (0xF01A, 0xF01B, 0xF01C)
_PICT, _DIB = 0xF01C, 0xF01F
_FBSE_SIZE = 36
_COMPLEX = 0x8000
_PICTURES = (0x0104, 0x0186, 0x01C5)
_WORD_ART, _LINK, _PACKAGE = 0x00C0, 0x0382, 0x03A9
"""The text of WordArt, which is what watermarks are made of; a hyperlink; the shape in the words of OOXML (2.3)."""
_WORDS = frozenset({0x0105, 0x0187, 0x01C7, 0x0380, 0x0381, 0x038D, 0x038E, 0x00C1})
"""Names of picture files, the shape's name, its description, the tip, a script, the text of WordArt as RTF."""


class Inflated:
    """A zlib stream that is read in pieces."""

    def __init__(self, data: bytes) -> None:
        self._inflate = zlib.decompressobj()
        self._tail = data

    def read(self, size: int, /) -> bytes:
        if self._inflate.eof or not self._tail:
            return b""
        chunk = self._inflate.decompress(self._tail, size)
        self._tail = self._inflate.unconsumed_tail
        return chunk


def inflated(data: bytes, budget: Budget) -> tuple[bytes, Unreadable | None]:
    """What a zlib stream holds as far as it can be read, and what ended it early."""
    return budget.take(Guarded(Inflated(data), (zlib.error,)), packed=len(data))


def drawings(document: Document, data: bytes, budget: Budget, *, delayed: bytes = b"", trail: tuple[str, ...] = ()) -> Pieces:
    """The texts and pictures of the records in `data`; `delayed` is the stream that holds pictures left out there."""
    texts: dict[Zone, dict[str, None]] = {}
    at = 0
    while at + 8 <= len(data):
        budget.tick()
        version, kind, size = HEADER.unpack_from(data, at)
        body = at + 8
        at = body if version & 0xF == CONTAINER else body + size
        if kind == FBSE:
            at = min(body + _FBSE_SIZE + (data[body + 33] if body + 33 < len(data) else 0), body + size)
            yield from _entry(document, data[body:at], delayed if at >= body + size else b"", budget, trail)
        elif kind in OPTIONS:
            yield from options(document, data[body:at], version >> 4, budget, texts, trail=trail)
        elif kind in BLIPS:
            yield from blip(document, kind, version >> 4, data[body:at], budget, trail=trail)
    yield from worded(document, texts, trail=trail)


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
            yield from blip(document, kind, version >> 4, delayed[place + 8 : place + 8 + size], budget, trail=trail)


def options(
    document: Document,
    body: bytes,
    count: int,
    budget: Budget,
    texts: dict[Zone, dict[str, None]],
    *,
    trail: tuple[str, ...] = (),
) -> Pieces:
    """A table of properties (2.2.9): six bytes each, then the longer values. Words go to `texts`, pictures and packages come."""
    at = 6 * count
    if len(body) <= at:
        return
    for identifier, size in struct.iter_unpack("<HI", body[:at]):
        if not identifier & _COMPLEX:
            continue
        value, at = body[at : at + size], at + size
        number = identifier & 0x3FFF
        if number == _WORD_ART:
            texts.setdefault(Zone.WATERMARK, {})[_text(value)] = None
        elif number in _WORDS:
            texts.setdefault(Zone.HIDDEN, {})[_text(value)] = None
        elif number == _LINK:
            texts.setdefault(Zone.HIDDEN, {}).update(dict.fromkeys(run.rstrip("\n") for run in strings(value)))
        elif number == _PACKAGE and value.startswith(b"PK\3\4"):
            yield from package(document, value, budget, trail=trail)
        elif number in _PICTURES and len(value) > 8:
            version, kind, inner = HEADER.unpack_from(value)
            if kind in BLIPS:
                yield from blip(document, kind, version >> 4, value[8 : 8 + inner], budget, trail=trail)


def package(document: Document, data: bytes, budget: Budget, *, trail: tuple[str, ...] = ()) -> Pieces:
    """What newer programs keep beside a shape, a master or a theme in the words of OOXML; only the older ones need the rest."""
    budget.admit()
    inner = document.nested(data, name=None, label="package", trail=trail)
    try:
        yield from read_package(inner, budget, zone_of=lambda _: Zone.HIDDEN, reader=lambda _: lambda _: None)
    except Exhausted:
        raise
    except Unreadable as error:
        yield inner.unread(error.why, error.detail)


def blip(
    document: Document, kind: int, instance: int, body: bytes, budget: Budget, *, trail: tuple[str, ...] = ()
) -> Iterator[Document | Unscannable]:
    """A picture (2.2.23): one or two digests, then a metafile, mostly compressed, or the bytes of a file."""
    at = 32 if instance & 1 else 16
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


def bitmap(dib: bytes) -> bytes:
    """A device-independent bitmap with the header of a file ([MS-WMF] 2.2.2.9)."""
    if len(dib) < 40:
        return dib
    size, bits, compression, used = struct.unpack_from("<I10xHI12xI", dib)
    masks = 12 if compression == 3 and size == 40 else 0
    colours = min(used, 256) or (1 << bits if bits <= 8 else 0)
    offset = min(14 + size + masks + 4 * colours, 14 + len(dib))
    return struct.pack("<2sIII", b"BM", 14 + len(dib), 0, offset) + dib


def _text(value: bytes) -> str:
    return value[: len(value) // 2 * 2].decode("utf-16-le", "replace").split("\0", 1)[0].strip()
