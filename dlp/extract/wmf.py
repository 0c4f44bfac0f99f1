"""Windows metafiles ([MS-WMF]): the text that is drawn, bitmaps, and an enhanced metafile in comments."""

import struct
from collections.abc import Iterator
from heapq import heappop, heappush

from dlp.extract.budget import Budget
from dlp.extract.document import Document
from dlp.extract.drawing import Writing, bitmap, legacy_text
from dlp.extract.format import Format, Pieces
from dlp.extract.polyglot import around
from dlp.extract.strings import strings
from dlp.model import Why, Zone

_PLACEABLE = b"\xd7\xcd\xc6\x9a"
_END, _ESCAPE, _TEXT, _EXTENDED_TEXT, _FONT, _SELECT, _DELETE = 0x0000, 0x0626, 0x0521, 0x0A32, 0x02FB, 0x012D, 0x01F0
_OBJECTS = frozenset({0x02FA, 0x02FB, 0x02FC, 0x00F7, 0x01F9, 0x06FF, 0x0142})
"""Records that make an object, which takes the lowest free place ([MS-WMF] 3.1.4.1)."""
_BITMAPS = {  # where these records have their bitmap ([MS-WMF] 2.3.1, 2.3.4.8)
    0x0940: 22,  # META_DIBBITBLT
    0x0B41: 26,  # META_DIBSTRETCHBLT
    0x0F43: 28,  # META_STRETCHDIB
    0x0D33: 24,  # META_SETDIBTODEV
    0x0142: 10,  # META_DIBCREATEPATTERNBRUSH
}
_GLYPHS, _RECTANGLE = 0x10, 0x06
"""Options of text ([MS-WMF] 2.1.2.2): numbers of glyphs; opaque or clipped, which a rectangle says."""
_COMMENT = 0x000F
"""The escape function of comments ([MS-WMF] 2.1.1.17)."""
_ENHANCED = b"WMFC\x01\x00\x00\x00"


class _Drawing:
    """What the records have told so far."""

    def __init__(self, document: Document, budget: Budget) -> None:
        self.writing = Writing()
        self.comments: list[bytes] = []
        self.enhanced: list[bytes] = []
        self.glyphs = self.unknown = False
        self.end = -1
        self._document = document
        self._budget = budget
        self._objects: dict[int, int] = {}
        self._free: list[int] = []
        self._charset = 1

    def records(self) -> Iterator[tuple[int, bytes]]:
        """Each record with its function; `end` is where the last one ends, -1 where they break off."""
        data = self._document.data
        at = 22 if bytes(data[:4]) == _PLACEABLE else 0
        at += 2 * int.from_bytes(data[at + 2 : at + 4], "little")
        while at + 6 <= len(data):
            words, function = struct.unpack_from("<IH", data, at)
            if words < 3 or at + 2 * words > len(data):
                return
            yield function, bytes(data[at : at + 2 * words])
            at += 2 * words
            if function == _END:
                self.end = at
                return
            self._budget.tick()

    def draw(self, function: int, record: bytes) -> Iterator[Document]:
        """Take one record; the documents in it."""
        if function in _OBJECTS:
            self._make(record[19] if function == _FONT and len(record) > 19 else -1)
        if function in _BITMAPS and len(record) != 2 * ((function >> 8) + 3):  # of which size it has none
            found = bitmap(record[_BITMAPS[function] :])
            if found:
                yield self._document.nested(found, name=None, label="bitmap")
            self.unknown = self.unknown or found is None
        elif function == _TEXT and len(record) >= 8:
            self._text(record)
        elif function == _EXTENDED_TEXT and len(record) >= 14:
            self._extended_text(record)
        elif function == _ESCAPE and int.from_bytes(record[6:8], "little") == _COMMENT:
            self._comment(record[10 : 10 + int.from_bytes(record[8:10], "little")])
        elif function == _SELECT:
            charset = self._objects.get(int.from_bytes(record[6:8], "little"), -1)
            self._charset = charset if charset >= 0 else self._charset
        elif function == _DELETE:
            place = int.from_bytes(record[6:8], "little")
            if self._objects.pop(place, None) is not None:
                heappush(self._free, place)

    def _make(self, charset: int) -> None:
        self._objects[heappop(self._free) if self._free else len(self._objects)] = charset

    def _text(self, record: bytes) -> None:
        size = int.from_bytes(record[6:8], "little")
        place = 8 + size + size % 2
        y, x = struct.unpack_from("<hh", record, place) if place + 4 <= len(record) else (0, 0)
        self.writing.draw(legacy_text(record[8 : 8 + size], self._charset), x=x, y=y)

    def _extended_text(self, record: bytes) -> None:
        y, x, size, options = struct.unpack_from("<hhHH", record, 6)
        if options & _GLYPHS:
            self.glyphs = self.glyphs or size > 0
            return
        start = 22 if options & _RECTANGLE else 14
        advances = record[start + size + size % 2 :][: 2 * size]
        width = sum(value for (value,) in struct.iter_unpack("<h", advances[: len(advances) // 2 * 2]))
        self.writing.draw(legacy_text(record[start : start + size], self._charset), x=x, y=y, width=width)

    def _comment(self, data: bytes) -> None:
        """A piece of an enhanced metafile ([MS-WMF] 2.3.6.5), or a private comment, which gives its printable text."""
        if data.startswith(_ENHANCED) and len(data) > 34:
            self.enhanced.append(data[34 : 34 + int.from_bytes(data[22:26], "little")])
        else:
            self.comments.append(data)


def read(document: Document, budget: Budget) -> Pieces:
    """Documents inside as they stand, then the text in the order in which it is drawn, then what comments say."""
    drawing = _Drawing(document, budget)
    for function, record in drawing.records():
        yield from drawing.draw(function, record)
    if drawing.enhanced:
        yield document.nested(b"".join(drawing.enhanced), name=None, label="metafile")
    yield from document.parts(drawing.writing.texts, start=True)
    yield from document.parts(strings(b"\0\0".join(drawing.comments)), zone=Zone.RAW)
    if drawing.glyphs:
        yield document.unread(Why.UNSUPPORTED, "text drawn by the numbers of its glyphs")
    if drawing.unknown:
        yield document.unread(Why.UNSUPPORTED, "a picture in a form that is not read")
    if drawing.end < 0:
        yield document.unread(Why.CORRUPT, "the records end early")
    else:
        yield from around(document, bytes(document.data), start=0, end=drawing.end, kind="metafile")


FORMAT = Format(name="wmf", media_types=("image/wmf",), read=read)
