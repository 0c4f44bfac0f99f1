"""Windows metafiles made by code: [MS-EMF], [MS-EMFPLUS] and [MS-WMF], record by record."""

import struct
from collections.abc import Sequence

BOUNDS = struct.pack("<4i", 0, 0, 100, 100)


def a_bmp(width: int = 16, height: int = 16, *, depth: int = 24) -> tuple[bytes, bytes]:
    """A device-independent bitmap: its header, and its bits."""
    stride = (width * depth + 31) // 32 * 4
    return struct.pack("<IiiHHIIiiII", 40, width, height, 1, depth, 0, 0, 0, 0, 0, 0), bytes(range(256)) * (
        stride * height // 256 + 1
    )


def an_emf(records: Sequence[bytes] = (), *, description: str = "", tail: bytes = b"", end: bool = True) -> bytes:
    """An enhanced metafile of `records`, with `tail` behind its end."""
    text = description.encode("utf-16-le")
    header = emf_record(
        1,
        struct.pack("<8i4s", 0, 0, 100, 100, 0, 0, 100, 100, b" EMF")
        + struct.pack("<IIIHHIIIIIII", 0x10000, 0, len(records), 1, 0, len(text) // 2, 88 if text else 0, 0, 100, 100, 30, 30)
        + text,
    )
    return header + b"".join(records) + (emf_record(14, struct.pack("<III", 0, 0, 20)) if end else b"") + tail


def emf_record(kind: int, body: bytes) -> bytes:
    """One record: type, size, body padded to four bytes."""
    body += b"\0" * (-len(body) % 4)
    return struct.pack("<II", kind, 8 + len(body)) + body


def emf_text(text: str | bytes, *, x: int = 0, y: int = 0, advance: int = 0, options: int = 0) -> bytes:
    """EMR_EXTTEXTOUTW, or EMR_EXTTEXTOUTA for bytes; `advance` is the width of each character."""
    raw = text.encode("utf-16-le") if isinstance(text, str) else text
    place = 76
    behind = place + len(raw) + -len(raw) % 4
    fixed = BOUNDS + struct.pack("<Iff", 1, 1.0, 1.0)
    body = struct.pack("<iiIII4iI", x, y, len(text), place, options, 0, 0, 0, 0, behind if advance else 0)
    advances = struct.pack(f"<{len(text)}i", *[advance] * len(text)) if advance else b""
    return emf_record(84 if isinstance(text, str) else 83, fixed + body + raw + b"\0" * (-len(raw) % 4) + advances)


def emf_texts(texts: Sequence[str]) -> bytes:
    """EMR_POLYTEXTOUTW."""
    place = 40 + 40 * len(texts)
    entries, raws = b"", b""
    for number, text in enumerate(texts):
        raw = text.encode("utf-16-le")
        entries += struct.pack("<iiIII4iI", 0, 10 * number, len(text), place + len(raws), 0, 0, 0, 0, 0, 0)
        raws += raw
    return emf_record(97, BOUNDS + struct.pack("<IffI", 1, 1.0, 1.0, len(texts)) + entries + raws)


def emf_small_text(text: str | bytes) -> bytes:
    """EMR_SMALLTEXTOUT, without a rectangle."""
    raw = text.encode("utf-16-le") if isinstance(text, str) else text
    options = 0x100 if isinstance(text, str) else 0x300
    return emf_record(108, struct.pack("<iiIIIff", 5, 5, len(text), options, 1, 1.0, 1.0) + raw)


def emf_font(number: int, charset: int) -> bytes:
    """EMR_EXTCREATEFONTINDIRECTW and the selection of what it makes."""
    font = struct.pack("<I5i8B", number, 10, 0, 0, 0, 400, 0, 0, 0, charset, 0, 0, 0, 0) + b"\0" * 64
    return emf_record(82, font) + emf_record(37, struct.pack("<I", number))


def emf_comment(data: bytes) -> bytes:
    """EMR_COMMENT."""
    return emf_record(70, struct.pack("<I", len(data)) + data)


def emf_bitmap(info: bytes, bits: bytes) -> bytes:
    """EMR_STRETCHDIBITS."""
    fixed = BOUNDS + struct.pack("<6i", 0, 0, 0, 0, 16, 16)
    return emf_record(
        81, fixed + struct.pack("<IIIIIIii", 80, len(info), 80 + len(info), len(bits), 0, 0xCC0020, 16, 16) + info + bits
    )


def plus_record(kind: int, data: bytes, *, flags: int = 0) -> bytes:
    """One record of EMF+."""
    return struct.pack("<HHII", kind, flags, 12 + len(data), len(data)) + data


def plus_text(text: str) -> bytes:
    """EmfPlusDrawString."""
    return plus_record(0x401C, struct.pack("<III4f", 0, 0, len(text), 0, 0, 9, 9) + text.encode("utf-16-le"))


def plus_glyphs(text: str, *, characters: bool) -> bytes:
    """EmfPlusDrawDriverString, of characters or of numbers of glyphs."""
    head = struct.pack("<IIII", 0, int(characters), 0, len(text))
    return plus_record(0x4036, head + text.encode("utf-16-le") + struct.pack(f"<{2 * len(text)}f", *[0.0] * 2 * len(text)))


def plus_image(content: bytes) -> bytes:
    """The content of an image object that holds a compressed picture."""
    return struct.pack("<IIiiiII", 0xDBC01002, 1, 0, 0, 0, 0, 1) + content


def plus_pixels(width: int, height: int, *, pixels: int = 0x0026200A) -> bytes:
    """The content of an image object of pixels of four bytes."""
    return struct.pack("<IIiiiII", 0xDBC01002, 1, width, height, 4 * width, pixels, 0) + b"\x7f" * (4 * width * height)


def a_wmf(records: Sequence[bytes] = (), *, placeable: bool = False, tail: bytes = b"", end: bool = True) -> bytes:
    """A Windows metafile of `records`, with `tail` behind its end."""
    body = b"".join(records) + (wmf_record(0, b"") if end else b"")
    head = struct.pack("<HHHIHIH", 1, 9, 0x300, 9 + len(body) // 2, 4, 100, 0)
    place = struct.pack("<IHhhhhHIH", 0x9AC6CDD7, 0, 0, 0, 100, 100, 96, 0, 0) if placeable else b""
    return place + head + body + tail


def wmf_record(function: int, body: bytes) -> bytes:
    """One record: size in words, function, body padded to a word."""
    body += b"\0" * (len(body) % 2)
    return struct.pack("<IH", 3 + len(body) // 2, function) + body


def wmf_text(raw: bytes, *, x: int = 0, y: int = 0) -> bytes:
    """META_TEXTOUT."""
    return wmf_record(0x0521, struct.pack("<H", len(raw)) + raw + b"\0" * (len(raw) % 2) + struct.pack("<hh", y, x))


def wmf_extended_text(raw: bytes, *, x: int = 0, y: int = 0, options: int = 0, advance: int = 0) -> bytes:
    """META_EXTTEXTOUT, with a rectangle where `options` say so."""
    rectangle = struct.pack("<4h", 0, 0, 9, 9) if options & 6 else b""
    advances = struct.pack(f"<{len(raw)}h", *[advance] * len(raw)) if advance else b""
    body = struct.pack("<hhHH", y, x, len(raw), options) + rectangle + raw + b"\0" * (len(raw) % 2) + advances
    return wmf_record(0x0A32, body)


def wmf_font(charset: int) -> bytes:
    """META_CREATEFONTINDIRECT."""
    return wmf_record(0x02FB, struct.pack("<5h8B", 10, 0, 0, 0, 400, 0, 0, 0, charset, 0, 0, 0, 0) + b"SimSun\0\0")


def wmf_select(number: int) -> bytes:
    """META_SELECTOBJECT."""
    return wmf_record(0x012D, struct.pack("<H", number))


def wmf_delete(number: int) -> bytes:
    """META_DELETEOBJECT."""
    return wmf_record(0x01F0, struct.pack("<H", number))


def wmf_pen() -> bytes:
    """META_CREATEPENINDIRECT."""
    return wmf_record(0x02FA, struct.pack("<HhhI", 0, 1, 1, 0))


def wmf_bitmap(info: bytes, bits: bytes) -> bytes:
    """META_STRETCHDIB."""
    return wmf_record(0x0F43, struct.pack("<IH8h", 0xCC0020, 0, 16, 16, 0, 0, 16, 16, 0, 0) + info + bits)


def wmf_comment(data: bytes) -> bytes:
    """META_ESCAPE with a comment."""
    return wmf_record(0x0626, struct.pack("<HH", 0x0F, len(data)) + data)


def wmf_enhanced(piece: bytes, *, rest: int, whole: int) -> bytes:
    """A comment that holds a piece of an enhanced metafile."""
    return wmf_comment(struct.pack("<4sIIHIIIII", b"WMFC", 1, 0x10000, 0, 0, 1, len(piece), rest, whole) + piece)
