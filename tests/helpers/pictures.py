"""Pictures made by code, without a library: the smallest files of each format, with a text in every place beside the pixels."""

import struct
import zlib
from collections.abc import Mapping, Sequence


def a_png(
    width: int = 40,
    height: int = 20,
    *,
    texts: Mapping[str, str] | None = None,
    packed: Mapping[str, str] | None = None,
    international: Mapping[str, str] | None = None,
    chunks: Sequence[tuple[bytes, bytes]] = (),
    gray: bytes | None = None,
) -> bytes:
    """A PNG of 8-bit grey (PNG, third edition): tEXt, zTXt and iTXt chunks, others as given; `gray` are its rows, else white."""
    rows = gray if gray is not None else b"\xff" * (width * height)
    lines = b"".join(b"\0" + rows[at : at + width] for at in range(0, width * height, width))
    listed = [(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))]
    listed += [(b"tEXt", key.encode("latin-1") + b"\0" + text.encode()) for key, text in (texts or {}).items()]
    listed += [(b"zTXt", key.encode("latin-1") + b"\0\0" + zlib.compress(text.encode())) for key, text in (packed or {}).items()]
    for key, text in (international or {}).items():
        listed.append((b"iTXt", key.encode("latin-1") + b"\0\1\0zh\0\0" + zlib.compress(text.encode())))
    listed += [*chunks, (b"IDAT", zlib.compress(lines)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(_png_chunk(kind, content) for kind, content in listed)


def _png_chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def an_exif(
    entries: Mapping[int, tuple[int, bytes]],
    *,
    below: Mapping[int, tuple[int, bytes]] | None = None,
    order: str = "<",
    following: bytes = b"",
) -> bytes:
    """A TIFF file: one directory of `entries`, tag → type and value, an Exif directory of `below`, then `following`.

    TIFF 6.0, section 2. The type's size is taken as one byte but for SHORT (3) and LONG (4).
    """
    below = below or {}
    first = 8
    count = len(entries) + bool(below)
    second = first + 2 + 12 * count + 4
    at = second + (2 + 12 * len(below) + 4 if below else 0)
    table, values, at = _directory(entries, at, order)
    if below:
        table += struct.pack(order + "HHII", 34665, 4, 1, second)
    lower, more, at = _directory(below, at, order)
    data = struct.pack(order + "2sHI", b"II" if order == "<" else b"MM", 42, first)
    data += struct.pack(order + "H", count) + table + struct.pack(order + "I", at if following else 0)
    if below:
        data += struct.pack(order + "H", len(below)) + lower + bytes(4)
    return data + values + more + following


def _directory(entries: Mapping[int, tuple[int, bytes]], at: int, order: str) -> tuple[bytes, bytes, int]:
    table = values = b""
    for tag, (kind, value) in entries.items():
        number = len(value) // {3: 2, 4: 4}.get(kind, 1)
        if len(value) <= 4:
            table += struct.pack(order + "HHI", tag, kind, number) + value.ljust(4, b"\0")
            continue
        table += struct.pack(order + "HHII", tag, kind, number, at)
        values += value
        at += len(value)
    return table, values, at


def a_tiff(width: int = 40, height: int = 20, *, texts: Mapping[int, bytes] | None = None) -> bytes:
    """A TIFF of 8-bit grey in one strip, white, with ASCII fields by their tag."""
    fields: dict[int, tuple[int, bytes]] = {
        256: (4, struct.pack("<I", width)),
        257: (4, struct.pack("<I", height)),
        258: (3, struct.pack("<H", 8)),
        259: (3, struct.pack("<H", 1)),
        262: (3, struct.pack("<H", 1)),
        273: (4, bytes(4)),
        277: (3, struct.pack("<H", 1)),
        278: (4, struct.pack("<I", height)),
        279: (4, struct.pack("<I", width * height)),
    }
    fields |= {tag: (2, value + b"\0") for tag, value in (texts or {}).items()}
    fields = dict(sorted(fields.items()))
    empty = an_exif(fields)
    fields[273] = (4, struct.pack("<I", len(empty)))
    return an_exif(fields) + b"\xff" * (width * height)


def a_jpeg(
    width: int = 40, height: int = 20, *, segments: Sequence[tuple[int, bytes]] = (), comment: str = "", end: bytes = b"\xff\xd9"
) -> bytes:
    """The segments of a JPEG (ITU-T T.81, annex B) around data that is no picture: enough for whoever does not decode it."""
    listed = [*segments, *([(0xFE, comment.encode())] if comment else [])]
    listed.append((0xC0, struct.pack(">BHHB", 8, height, width, 1) + b"\1\x11\0"))
    listed.append((0xDA, b"\1\1\0\0\x3f\0"))
    return b"\xff\xd8" + b"".join(_segment(marker, content) for marker, content in listed) + b"\x12\xff\x00\x34\xff\xd0" + end


def _segment(marker: int, content: bytes) -> bytes:
    return b"\xff" + bytes((marker,)) + struct.pack(">H", len(content) + 2) + content


def a_gif(width: int = 40, height: int = 20, *, comment: bytes = b"", application: bytes = b"") -> bytes:
    """A GIF89a of one black frame (sections 15 to 27), a comment and an application extension before it."""
    data = b"GIF89a" + struct.pack("<HHBBB", width, height, 0x80, 0, 0) + b"\0\0\0\xff\xff\xff"
    if comment:
        data += b"\x21\xfe" + _sub_blocks(comment)
    if application:
        data += b"\x21\xff\x0bPRIVATE 1.0" + _sub_blocks(application)
    return data + b"\x2c" + struct.pack("<HHHHB", 0, 0, width, height, 0) + b"\x02" + _sub_blocks(b"\x84\x51") + b"\x3b"


def _sub_blocks(content: bytes) -> bytes:
    pieces = [content[at : at + 200] for at in range(0, len(content), 200)]
    return b"".join(bytes((len(piece),)) + piece for piece in pieces) + b"\0"


def a_webp(width: int = 40, height: int = 20, *, chunks: Sequence[tuple[bytes, bytes]] = ()) -> bytes:
    """An extended WebP (RFC 9649) without its pixels."""
    head = bytes(4) + (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    body = b"".join(
        kind + struct.pack("<I", len(content)) + content + b"\0" * (len(content) % 2)
        for kind, content in [(b"VP8X", head), *chunks]
    )
    return b"RIFF" + struct.pack("<I", len(body) + 4) + b"WEBP" + body


def a_bmp(width: int = 40, height: int = 20) -> bytes:
    """A white Windows bitmap of 24 bits a pixel."""
    rows = (b"\xff" * (3 * width)).ljust((3 * width + 3) // 4 * 4, b"\0") * height
    return (
        struct.pack("<2sIII", b"BM", 54 + len(rows), 0, 54)
        + struct.pack("<IiiHHIIIIII", 40, width, height, 1, 24, 0, len(rows), 0, 0, 0, 0)
        + rows
    )


def an_icon(pictures: Sequence[bytes], *, side: int = 32) -> bytes:
    """An icon of `pictures`, each a PNG."""
    at = 6 + 16 * len(pictures)
    table = b""
    for picture in pictures:
        table += struct.pack("<BBBBHHII", side, side, 0, 0, 1, 32, len(picture), at)
        at += len(picture)
    return struct.pack("<HHH", 0, 1, len(pictures)) + table + b"".join(pictures)


def boxes(*listed: tuple[bytes, bytes]) -> bytes:
    """Boxes of ISO 14496-12, 4.2, as JPEG 2000, HEIF and AVIF are made of."""
    return b"".join(struct.pack(">I4s", len(content) + 8, kind) + content for kind, content in listed)


def an_xmp(values: Mapping[str, str]) -> bytes:
    """An XMP packet (ISO 16684-1) with one element for each value."""
    inside = "".join(f"<dc:{name}>{value}</dc:{name}>" for name, value in values.items())
    return (
        '<?xpacket begin="" id="W5M0MpCehiHzreSzNTczkc9d"?><x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF><rdf:Description>'
        f'{inside}</rdf:Description></rdf:RDF></x:xmpmeta><?xpacket end="w"?>'
    ).encode()


def an_iptc(values: Mapping[int, bytes]) -> bytes:
    """An Adobe resource block with IPTC's application record (IIM 4.2)."""
    record = b"".join(struct.pack(">BBBH", 0x1C, 2, dataset, len(value)) + value for dataset, value in values.items())
    return b"8BIM\x04\x04\0\0" + struct.pack(">I", len(record)) + record + b"\0" * (len(record) % 2)
