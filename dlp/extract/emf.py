"""Enhanced metafiles ([MS-EMF]): the text that is drawn, what comments hold, and bitmaps and other files inside.

A picture made of lines and text is read whole. Bitmaps are documents inside, for whoever reads pictures.
"""

import struct
from collections.abc import Iterator

from dlp.extract.budget import Budget
from dlp.extract.document import Document
from dlp.extract.drawing import Writing, bitmap, legacy_text
from dlp.extract.emf_plus import Plus
from dlp.extract.format import Format, Pieces
from dlp.extract.polyglot import around
from dlp.extract.strings import strings
from dlp.model import Why, Zone

_HEADER, _END, _SELECT, _FONT, _COMMENT, _SMALL_TEXT = 1, 14, 37, 82, 70, 108
_TEXTS = {83: 1, 84: 2, 96: 1, 97: 2}
"""EMR_EXTTEXTOUTA and W, EMR_POLYTEXTOUTA and W, and bytes a character."""
_POLY = 96
_BITMAPS = {  # where these records say where their bitmap is ([MS-EMF] 2.3.1, 2.3.7)
    76: 84,  # EMR_BITBLT
    77: 84,  # EMR_STRETCHBLT
    78: 84,  # EMR_MASKBLT
    79: 96,  # EMR_PLGBLT
    80: 48,  # EMR_SETDIBITSTODEVICE
    81: 48,  # EMR_STRETCHDIBITS
    93: 16,  # EMR_CREATEMONOBRUSH
    94: 16,  # EMR_CREATEDIBPATTERNBRUSHPT
    114: 84,  # EMR_ALPHABLEND
    116: 84,  # EMR_TRANSPARENTBLT
}
_TEXT, _TEXT_SIZE = 36, 40
"""Where EmrText begins in a record, and its bytes ([MS-EMF] 2.2.5)."""
_GLYPHS, _NO_RECTANGLE, _SMALL = 0x10, 0x100, 0x200
"""Options of text ([MS-EMF] 2.1.11)."""
_GROUP, _WINDOWS = 2, 0x80000001
"""Public comments ([MS-EMF] 2.1.10)."""


class _Drawing:
    """What the records have told so far."""

    def __init__(self, document: Document, budget: Budget) -> None:
        self.writing = Writing()
        self.plus = Plus(document)
        self.described: list[str] = []
        self.comments: list[bytes] = []
        self.glyphs = self.unknown = False
        self.end = -1
        self._document = document
        self._budget = budget
        self._charsets: dict[int, int] = {}
        self._charset = 1

    def records(self) -> Iterator[tuple[int, bytes]]:
        """Each record with its type; `end` is where the last one ends, -1 where they break off."""
        data = self._document.data
        at = 0
        while at + 8 <= len(data):
            kind, size = struct.unpack_from("<II", data, at)
            if size < 8 or at + size > len(data):
                return
            yield kind, bytes(data[at : at + size])
            at += size
            if kind == _END:
                self.end = at
                return
            self._budget.tick()

    def draw(self, kind: int, record: bytes) -> Iterator[Document]:
        """Take one record; the documents in it."""
        if kind in _TEXTS:
            self._texts(kind, record)
        elif kind in _BITMAPS:
            info, bits = (_slice(record, _BITMAPS[kind] + place) for place in (0, 8))
            found = bitmap(info, bits)
            if found:
                yield self._document.nested(found, name=None, label="bitmap")
            self.unknown = self.unknown or found is None
        elif kind == _COMMENT:
            yield from self._comment(record[12 : 12 + int.from_bytes(record[8:12], "little")])
        elif kind == _SMALL_TEXT:
            self._small_text(record)
        elif kind == _FONT and len(record) > 35:
            self._charsets[int.from_bytes(record[8:12], "little")] = record[35]
        elif kind == _SELECT:
            self._charset = self._charsets.get(int.from_bytes(record[8:12], "little"), self._charset)
        elif kind == _HEADER and len(record) >= 68:
            count, place = struct.unpack_from("<II", record, 60)
            self.described.append(record[place : place + 2 * count].decode("utf-16-le", "replace").replace("\0", "\n") + "\n")

    def _texts(self, kind: int, record: bytes) -> None:
        wide = _TEXTS[kind] == 2
        first, count = _TEXT, 1
        if kind >= _POLY:
            first, count = _TEXT + 4, int.from_bytes(record[_TEXT : _TEXT + 4], "little")
        for at in range(first, min(first + count * _TEXT_SIZE, len(record) - _TEXT_SIZE + 1), _TEXT_SIZE):
            x, y, chars, place, options = struct.unpack_from("<iiIII", record, at)
            advances = int.from_bytes(record[at + 36 : at + 40], "little")
            text = self._text(record[place : place + chars * _TEXTS[kind]], wide=wide, options=options)
            self.writing.draw(text, x=x, y=y, width=_width(record[advances : advances + 4 * chars]) if advances else 0)

    def _small_text(self, record: bytes) -> None:
        if len(record) < _TEXT:
            return
        x, y, chars, options = struct.unpack_from("<iiII", record, 8)
        start = _TEXT if options & _NO_RECTANGLE else _TEXT + 16
        wide = not options & _SMALL
        self.writing.draw(self._text(record[start : start + chars * (1 + wide)], wide=wide, options=options), x=x, y=y)

    def _text(self, raw: bytes, *, wide: bool, options: int) -> str:
        self._budget.spend(len(raw))  # many texts may refer to the same bytes
        if options & _GLYPHS:
            self.glyphs = self.glyphs or bool(raw)
            return ""
        return raw.decode("utf-16-le", "replace").replace("\0", "") if wide else legacy_text(raw, self._charset)

    def _comment(self, data: bytes) -> Iterator[Document]:
        """A private comment gives its printable text; Office keeps the name of an embedded file in one."""
        if data.startswith(b"EMF+"):
            yield from self.plus.records(data[4:], self._budget)
        elif data.startswith(b"GDIC") and int.from_bytes(data[4:8], "little") == _GROUP:
            chars = int.from_bytes(data[24:28], "little")
            self.described.append(data[28 : 28 + 2 * chars].decode("utf-16-le", "replace").replace("\0", "") + "\n")
        elif data.startswith(b"GDIC") and int.from_bytes(data[4:8], "little") == _WINDOWS:
            yield self._document.nested(data[24:], name=None, label="metafile")
        else:
            self.comments.append(data)


def _width(advances: bytes) -> int:
    """The sum of the distances between characters ([MS-EMF] 2.2.5, OutputDx)."""
    return sum(value for (value,) in struct.iter_unpack("<i", advances[: len(advances) // 4 * 4]))


def _slice(record: bytes, at: int) -> bytes:
    """The bytes whose offset and size stand at `at`."""
    if at + 8 > len(record):
        return b""
    place, size = struct.unpack_from("<II", record, at)
    return record[place : place + size]


def read(document: Document, budget: Budget) -> Pieces:
    """Documents inside as they stand, then the text in the order in which it is drawn, then what comments say."""
    drawing = _Drawing(document, budget)
    for kind, record in drawing.records():
        yield from drawing.draw(kind, record)
    yield from document.parts(drawing.writing.texts, start=True)
    yield from document.parts(drawing.plus.texts, start=not drawing.writing.texts)
    yield from document.parts(drawing.described, zone=Zone.PROPERTY)
    yield from document.parts(strings(b"\0\0".join(drawing.comments)), zone=Zone.RAW)
    if drawing.glyphs or drawing.plus.glyphs:
        yield document.unread(Why.UNSUPPORTED, "text drawn by the numbers of its glyphs")
    if drawing.unknown or drawing.plus.unknown:
        yield document.unread(Why.UNSUPPORTED, "a picture in a form that is not read")
    if drawing.end < 0:
        yield document.unread(Why.CORRUPT, "the records end early")
    else:
        yield from around(document, bytes(document.data), start=0, end=drawing.end, kind="metafile")


FORMAT = Format(name="emf", media_types=("image/emf",), read=read)
