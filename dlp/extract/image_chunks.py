"""How the common picture formats are laid out, as far as it takes to find what stands beside the pixels and where they end.

One function a format: it fills a Metadata from the bytes, ends quietly where they do, and marks what is cut off or
out of order as damaged. No pixel is decoded here, so nothing is expanded but texts.
"""

import re
import struct
import zlib
from collections.abc import Callable, Iterator

from dlp.extract.budget import Budget
from dlp.extract.charset import decode
from dlp.extract.exif import Metadata, iptc, read_exif, read_resources, read_tiff, xmp

_TEXT = 1 << 20
"""Bytes that a compressed text may expand to."""
_PIXELS = {
    b"IDAT",
    b"fdAT",
    b"PLTE",
    b"tRNS",
    b"iCCP",
    b"acTL",
    b"fcTL",
    b"gAMA",
    b"cHRM",
    b"sRGB",
    b"pHYs",
    b"bKGD",
    b"sBIT",
    b"tIME",
}
"""PNG's chunks that hold no text of anybody's."""
_MARKER = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")
"""What ends a JPEG's entropy-coded data: a marker that is no stuffed byte, restart or fill (ITU-T T.81, B.1.1)."""
_FRAME = set(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_HEX = re.compile(rb"[0-9a-fA-F]{2}")
_XMP_NAME = b"http://ns.adobe.com/xap/1.0/\0"
_MORE_XMP = b"http://ns.adobe.com/xmp/extension/\0"
_XMP_BOX = bytes.fromhex("be7acfcb97a942e89c71999491e3afac")
"""The UUID of a box that holds XMP (XMP specification part 3, 1.1.4)."""
_BOXED_EXIF = re.compile(rb"Exif\x00\x00(?:II\*\x00|MM\x00\*)")


def read_png(data: bytes, found: Metadata, budget: Budget) -> None:
    """PNG, third edition, 5.3 and 11.3."""
    at = 8
    while at + 8 <= len(data):
        budget.tick()
        size, kind = struct.unpack_from(">I4s", data, at)
        content = data[at + 8 : at + 8 + size] if kind not in _PIXELS else b""
        at += 12 + size
        if kind == b"IHDR" and len(content) >= 8:
            found.size = struct.unpack_from(">II", content)
        elif kind in {b"tEXt", b"zTXt", b"iTXt"}:
            _png_text(kind, content, found, budget)
        elif kind == b"eXIf":
            read_exif(content, found, budget)
        elif kind == b"IEND":
            found.end = at
            return
        elif content:
            found.loose.append(content)
    found.damaged = True


def _png_text(kind: bytes, content: bytes, found: Metadata, budget: Budget) -> None:
    keyword, _, rest = content.partition(b"\0")
    if kind == b"zTXt":
        text = _inflated(rest[1:], budget)
    elif kind == b"iTXt":
        language, _, named = rest[2:].partition(b"\0")
        translated, _, text = named.partition(b"\0")
        text = _inflated(text, budget) if rest[:1] == b"\1" else text
        keyword += (b" " + translated if translated else b"") + (b" " + language if len(language) > 8 else b"")
    else:
        text = rest
    if keyword.startswith(b"Raw profile type "):
        _profile(keyword[17:], text, found, budget)
    elif text.lstrip().startswith((b"<?xpacket", b"<x:xmpmeta")):
        found.properties += xmp(text)
    else:
        found.properties.append(f"{decode(keyword, None)}: {decode(text, None)}")


def _inflated(data: bytes, budget: Budget) -> bytes:
    try:
        text = zlib.decompressobj().decompress(data, _TEXT)
    except zlib.error:
        return b""
    budget.spend(len(text))
    return text


def _profile(kind: bytes, text: bytes, found: Metadata, budget: Budget) -> None:
    """A block that ImageMagick keeps as hexadecimal: its name and its length on lines of their own, then the digits."""
    lines = text.split(b"\n", 3)
    block = bytes.fromhex(b"".join(_HEX.findall(lines[-1])).decode()) if len(lines) == 4 else b""
    if kind in (b"exif", b"APP1"):
        _application(0xE1, block, found, budget, [])
    elif kind == b"iptc":
        read_resources(block, found)
        found.properties += iptc(block)
    elif kind == b"xmp":
        found.properties += xmp(block)


def read_jpeg(data: bytes, found: Metadata, budget: Budget) -> None:
    """ITU-T T.81, annex B; the application segments as their makers define them."""
    at = 2
    extended: list[bytes] = []
    while at + 4 <= len(data) and data[at] == 0xFF:
        budget.tick()
        marker = data[at + 1]
        if marker == 0xFF:
            at += 1
            continue
        if marker == 0xD9:
            break
        if marker == 0x01 or 0xD0 <= marker <= 0xD8:
            at += 2
            continue
        size = int.from_bytes(data[at + 2 : at + 4], "big")
        content = data[at + 4 : at + 2 + size]
        at += 2 + max(size, 2)
        if marker in _FRAME and len(content) >= 5:
            height, width = struct.unpack_from(">HH", content, 1)
            found.size = (width, height)
        elif marker == 0xFE:
            found.comments.append(decode(content.strip(b"\0"), None))
        elif 0xE0 <= marker <= 0xEF:
            _application(marker, content, found, budget, extended)
        elif marker == 0xDA:
            scan = _MARKER.search(data, at)
            at = scan.start() if scan else len(data)
    if extended:
        found.properties += xmp(b"".join(extended))
    found.damaged |= data[at : at + 2] != b"\xff\xd9"
    found.end = None if found.damaged else at + 2


def _application(marker: int, content: bytes, found: Metadata, budget: Budget, extended: list[bytes]) -> None:
    if content.startswith(b"Exif\0"):
        read_exif(content, found, budget)
    elif content.startswith(_XMP_NAME):
        found.properties += xmp(content[len(_XMP_NAME) :])
    elif content.startswith(_MORE_XMP):
        extended.append(content[len(_MORE_XMP) + 40 :])  # after a digest, the full length and the offset
    elif content.startswith(b"Photoshop 3.0\0"):
        read_resources(content[14:], found)
    elif content[:2] in (b"II", b"MM") and marker == 0xE1:
        read_exif(content, found, budget)
    else:
        found.loose.append(content)


def read_gif(data: bytes, found: Metadata, budget: Budget) -> None:
    """GIF89a, sections 15 to 27."""
    if len(data) < 13:
        found.damaged = True
        return
    width, height, flags = struct.unpack_from("<HHB", data, 6)
    found.size = (width, height)
    at = 13 + _colours(flags)
    while at < len(data):
        budget.tick()
        kind = data[at]
        if kind == 0x3B:
            found.end = at + 1
            return
        if kind == 0x2C and at + 10 <= len(data):
            at, _ = _sub_blocks(data, at + 11 + _colours(data[at + 9]), keep=False)
        elif kind == 0x21 and at + 2 <= len(data):
            label = data[at + 1]
            at, content = _sub_blocks(data, at + 2, keep=label != 0xF9)
            if label == 0xFE:
                found.comments.append(decode(content, None))
            elif label != 0xF9:
                found.loose.append(content)
        else:
            break
    found.damaged = True


def _colours(flags: int) -> int:
    """Bytes of the colour table that `flags` announce."""
    return 3 << (flags & 7) + 1 if flags & 0x80 else 0


def _sub_blocks(data: bytes, at: int, *, keep: bool) -> tuple[int, bytes]:
    """Where a chain of sub-blocks ends, and what is in it if it is kept."""
    kept: list[bytes] = []
    while at < len(data) and (size := data[at]):
        if keep:
            kept.append(data[at + 1 : at + 1 + size])
        at += 1 + size
    return at + 1, b"".join(kept)


def read_webp(data: bytes, found: Metadata, budget: Budget) -> None:
    """RFC 9649, section 2."""
    end = 8 + int.from_bytes(data[4:8], "little")
    at = 12
    while at + 8 <= min(end, len(data)):
        budget.tick()
        kind, size = struct.unpack_from("<4sI", data, at)
        content = data[at + 8 : at + 8 + size] if kind not in {b"ANMF", b"ALPH", b"ICCP", b"ANIM"} else b""
        at += 8 + size + size % 2
        if kind == b"VP8X" and len(content) >= 10:
            found.size = (1 + int.from_bytes(content[4:7], "little"), 1 + int.from_bytes(content[7:10], "little"))
        elif kind == b"VP8 " and len(content) >= 10:
            width, height = struct.unpack_from("<HH", content, 6)
            found.size = found.size or (width & 0x3FFF, height & 0x3FFF)
        elif kind == b"VP8L" and len(content) >= 5:
            bits = int.from_bytes(content[1:5], "little")
            found.size = found.size or (1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF))
        elif kind == b"EXIF":
            read_exif(content, found, budget)
        elif kind == b"XMP ":
            found.properties += xmp(content)
        elif content:
            found.loose.append(content)
    found.damaged = end > len(data)
    found.end = end + end % 2


def read_bmp(data: bytes, found: Metadata, budget: Budget) -> None:
    """[MS-WMF] 2.2.2.3 and 2.2.2.9 behind a file header, whose size is often wrong: the pixels' end is reckoned."""
    if len(data) < 30:
        found.damaged = True
        return
    stated, pixels, header = struct.unpack_from("<I4xII", data, 2)
    if header == 12:
        width, height, _, depth = struct.unpack_from("<HHHH", data, 18)
        packed = 0
    else:
        width, height, _, depth = struct.unpack_from("<iiHH", data, 18)
        packed = int.from_bytes(data[30:34], "little") if len(data) >= 34 else 0
    found.size = (abs(width), abs(height))
    rows = (abs(width) * depth + 31) // 32 * 4 * abs(height)
    length = int.from_bytes(data[34:38], "little") if packed not in (0, 3, 6) else rows
    found.end = max(pixels + length, min(stated, len(data)))
    found.damaged = pixels + length > len(data)
    found.loose.append(data[14 + min(header, 256) : min(pixels, 1 << 16)])


def read_boxes(data: bytes, found: Metadata, budget: Budget) -> None:
    """JPEG 2000 (ISO 15444-1, annex I), HEIF and AVIF (ISO 23008-12): boxes of ISO 14496-12, 4.2."""
    at = 0
    for at, kind, content in _boxes(data):  # noqa: B007 - where the last one ends is asked below
        budget.tick()
        if kind == b"uuid" and content.startswith(_XMP_BOX):
            found.properties += xmp(content[16:])
        elif kind in {b"xml ", b"uuid", b"udta", b"free", b"skip"}:
            found.loose.append(content)
    found.end, found.damaged = min(at, len(data)), at > len(data) or at == 0
    for block in _BOXED_EXIF.finditer(data):
        read_exif(data[block.start() :], found, budget)
    ihdr, ispe = data.find(b"ihdr"), data.find(b"ispe\0\0\0\0")
    if 0 <= ihdr <= len(data) - 12:
        height, width = struct.unpack_from(">II", data, ihdr + 4)
        found.size = (width, height)
    elif 0 <= ispe <= len(data) - 16:
        found.size = struct.unpack_from(">II", data, ispe + 8)


def _boxes(data: bytes) -> Iterator[tuple[int, bytes, bytes]]:
    """Where each box of the outermost level ends, its kind and its content."""
    at = 0
    while at + 8 <= len(data):
        size, kind = struct.unpack_from(">I4s", data, at)
        head = 8
        if size == 1 and at + 16 <= len(data):
            size, head = int.from_bytes(data[at + 8 : at + 16], "big"), 16
        elif size == 0:
            size = len(data) - at
        if size < head or not kind.strip(b" ").isalnum():
            return
        yield at + size, kind, data[at + head : at + size] if kind != b"mdat" and kind != b"jp2c" else b""
        at += size


def read_icon(data: bytes, found: Metadata, budget: Budget) -> None:
    """A directory of pictures, each a PNG or a BMP without its file header ([MS-WMF] 2.2.2.3); the largest is what is shown."""
    count = int.from_bytes(data[4:6], "little")
    sizes: list[tuple[int, int]] = []
    end = 6 + 16 * count
    for width, height, size, at in struct.iter_unpack("<BB6xII", data[6 : 6 + 16 * min(count, (len(data) - 6) // 16)]):
        budget.tick()
        sizes.append((width or 256, height or 256))
        end = max(end, at + size)
        if data.startswith(b"\x89PNG", at):
            read_png(data[at : at + size], found, budget)
    found.size, found.end, found.damaged = max(sizes, default=None), end, end > len(data)


WALKERS: dict[str, Callable[[bytes, Metadata, Budget], None]] = {
    "image/png": read_png,
    "image/jpeg": read_jpeg,
    "image/gif": read_gif,
    "image/tiff": read_tiff,
    "image/webp": read_webp,
    "image/bmp": read_bmp,
    "image/x-ms-bmp": read_bmp,
    "image/jp2": read_boxes,
    "image/jpx": read_boxes,
    "image/heic": read_boxes,
    "image/heif": read_boxes,
    "image/avif": read_boxes,
    "image/vnd.microsoft.icon": read_icon,
    "image/x-icon": read_icon,
}
