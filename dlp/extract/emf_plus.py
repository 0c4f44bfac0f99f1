"""The records of [MS-EMFPLUS], which stand in comments of an enhanced metafile: text, pictures, metafiles."""

import struct
from collections.abc import Iterator

from dlp.extract.budget import Budget
from dlp.extract.document import Document

_OBJECT, _STRING, _DRIVER_STRING = 0x4008, 0x401C, 0x4036
_CONTINUED = 0x8000
_IMAGE = 5
_BITMAP, _METAFILE = 1, 2
_CHARACTERS = 1
"""The option of a driver string whose glyphs are characters ([MS-EMFPLUS] 2.1.2.3)."""
_DEPTHS = {0x00021808: 24, 0x00022009: 32, 0x0026200A: 32, 0x000E200B: 32}
"""Pixel formats in the order of bytes that a BMP has, and their bits ([MS-EMFPLUS] 2.1.1.25)."""


class Plus:
    """The records of all comments of one metafile."""

    def __init__(self, document: Document) -> None:
        self.texts: list[str] = []
        self.glyphs = False
        self.unknown = False
        self._document = document
        self._held = bytearray()

    def records(self, data: bytes, budget: Budget) -> Iterator[Document]:
        """Take in the records of one comment; the documents in them."""
        at = 0
        while at + 12 <= len(data):
            kind, flags, size, length = struct.unpack_from("<HHII", data, at)
            content = data[at + 12 : at + 12 + min(length, max(size - 12, 0))]
            if kind == _OBJECT and flags >> 8 & 0x7F == _IMAGE:
                yield from self._image(content, continued=bool(flags & _CONTINUED), most=budget.limits.part_bytes)
            elif kind == _STRING and len(content) >= 28:
                chars = int.from_bytes(content[8:12], "little")
                self._text(content[28 : 28 + 2 * chars])
            elif kind == _DRIVER_STRING and len(content) >= 16:
                options, _, count = struct.unpack_from("<III", content, 4)
                if options & _CHARACTERS:
                    self._text(content[16 : 16 + 2 * count])
                else:
                    self.glyphs = self.glyphs or count > 0
            at += max(size, 12)
            budget.tick()

    def _text(self, raw: bytes) -> None:
        self.texts.append(raw.decode("utf-16-le", "replace").replace("\0", "") + "\n")

    def _image(self, content: bytes, *, continued: bool, most: int) -> Iterator[Document]:
        """An image, which may come in pieces that each begin with the size of the whole ([MS-EMFPLUS] 2.3.5.1)."""
        if continued:
            whole = min(int.from_bytes(content[:4], "little"), most)
            self._held += content[4:]
            if len(self._held) < whole:
                return
            content = bytes(self._held)
        self._held.clear()
        found = _file(content)
        if found:
            yield self._document.nested(found, name=None, label="image")
        self.unknown = self.unknown or found is None


def _file(image: bytes) -> bytes | None:
    """The file that an image object holds ([MS-EMFPLUS] 2.2.1.4), None where it holds none that is known."""
    if len(image) < 16:
        return None
    kind = int.from_bytes(image[4:8], "little")
    if kind == _METAFILE:
        return image[16 : 16 + int.from_bytes(image[12:16], "little")]
    if kind != _BITMAP or len(image) < 28:
        return None
    width, height, stride, pixels, compressed = struct.unpack_from("<iiiII", image, 8)
    return image[28:] if compressed else _pixels(image[28:], width, height, stride, _DEPTHS.get(pixels, 0))


def _pixels(bits: bytes, width: int, height: int, stride: int, depth: int) -> bytes | None:
    """Rows of pixels as a BMP; its negative height says that the first row is the top one."""
    if not depth or not 0 < stride <= len(bits) or width <= 0 or height <= 0 or stride * 8 < width * depth:
        return None
    info = struct.pack("<IiiHHIIiiII", 40, stride * 8 // depth, -height, 1, depth, 0, 0, 0, 0, 0, 0)
    return struct.pack("<2sIHHI", b"BM", 54 + len(bits), 0, 0, 54) + info + bits
