"""What Windows metafiles of both kinds have in common: text by its place, code pages of fonts, bitmaps as files of their own."""

import struct

from dlp.extract.charset import decode
from dlp.extract.font_charset import CHARSETS

_CORE_HEADER = 12
"""Bytes of a BITMAPCOREHEADER ([MS-WMF] 2.2.2.2), which has three bytes a colour."""
_BIT_FIELDS, _JPEG, _PNG = 3, 4, 5
"""Compressions ([MS-WMF] 2.1.1.7)."""
_LEAST = 8
"""Pixels of width and of height below which a bitmap is a pattern."""


class Writing:
    """Texts as they are drawn: what goes on at the end of the text before joins it, the rest begins a line."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        self._end: tuple[int, int] | None = None

    def draw(self, text: str, *, x: int, y: int, width: int = 0) -> None:
        """`text` begins at (x, y), which is (0, 0) where the pen stands; `width` is how far it reaches, 0 if unknown."""
        if not text:
            return
        if self.texts and not self.texts[-1].endswith("\n"):
            self.texts.append(self._between(x, y, width // len(text)))
        self.texts.append(text)
        self._end = (x + width, y) if width else None

    def line(self, text: str) -> None:
        """A text that stands alone."""
        if self.texts and not self.texts[-1].endswith("\n"):
            self.texts.append("\n")
        self.texts.append(text + "\n")
        self._end = None

    def _between(self, x: int, y: int, wide: int) -> str:
        if self._end is None or y != self._end[1]:
            return "\n"
        gap = x - self._end[0]
        if x == 0 or abs(gap) <= max(wide // 4, 1):
            return ""
        return " " if 0 < gap <= 2 * wide else "\t" if gap > 0 else "\n"


def legacy_text(data: bytes, charset: int) -> str:
    """Text in the code page of a font's character set, or in the one its bytes look like."""
    return decode(data.rstrip(b"\0"), CHARSETS.get(charset)).replace("\0", " ")


def bitmap(info: bytes, bits: bytes | None = None) -> bytes | None:
    """A file of a device-independent bitmap ([MS-WMF] 2.2.2.9): its header with colours, and the bits if they stand apart.

    JPEG and PNG inside are files as they are. b"" for nothing, or what is too small to show a character; None for what
    cannot be read.
    """
    if not info:
        return b""
    if len(info) < _CORE_HEADER:
        return None
    size = int.from_bytes(info[:4], "little")
    if size == _CORE_HEADER:
        width, height, _, depth = struct.unpack_from("<HHHH", info, 4)
        compression = used = 0
    elif 40 <= size <= 124 and len(info) >= 40:
        width, height, _, depth, compression, _, _, _, used = struct.unpack_from("<iiHHIIiiI", info, 4)
    else:
        return None
    if abs(width) < _LEAST or abs(height) < _LEAST:
        return b""
    if bits is None:
        ahead = min(size + _colours(size, depth, compression, used), len(info))
        info, bits = info[:ahead], info[ahead:]
    if compression in (_JPEG, _PNG):
        return bits
    start = 14 + len(info)
    return struct.pack("<2sIHHI", b"BM", (start + len(bits)) & 0xFFFFFFFF, 0, 0, start) + info + bits


def _colours(header: int, depth: int, compression: int, used: int) -> int:
    """Bytes of the colour table, or of the masks in its place."""
    if header == _CORE_HEADER:
        return 3 << depth if depth <= 8 else 0
    masks = 12 if compression == _BIT_FIELDS and header == 40 else 0
    return masks + 4 * (min(used, 256) or 1 << depth if depth <= 8 else min(used, 256))
