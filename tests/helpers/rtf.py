"""RTF documents made by code (specification 1.9.1), and the OLE 1.0 objects in them ([MS-OLEDS])."""

import struct


def an_rtf(body: str = "Hello", *, fonts: str = r"{\f0\fcharset0 Arial;}", page: int = 1252, head: str = "") -> bytes:
    """A document: `body` is RTF already, `fonts` the entries of the font table, `head` what stands before the body."""
    return rf"{{\rtf1\ansi\ansicpg{page}\deff0\uc1{{\fonttbl{fonts}}}{head}{body}}}".encode("ascii")


def unicode(text: str) -> str:
    """Characters beyond ASCII by their numbers, each with a question mark for old readers."""
    units = struct.iter_unpack("<h", text.encode("utf-16-le"))
    return "".join(chr(unit) if 0 < unit < 0x80 else rf"\u{unit}?" for (unit,) in units)


def escaped(text: str, encoding: str) -> str:
    r"""Every byte beyond ASCII, and those that mean something, as \'xx."""
    plain = set(range(0x20, 0x7F)) - set(b"\\{}")
    return "".join(chr(byte) if byte in plain else rf"\'{byte:02x}" for byte in text.encode(encoding))


def an_object(content: bytes, *, kind: str = "Word.Document.8") -> bytes:
    """An embedded OLE 1.0 object ([MS-OLEDS] 2.2.5)."""
    name = kind.encode() + b"\0"
    return struct.pack("<III", 0x501, 2, len(name)) + name + struct.pack("<III", 0, 0, len(content)) + content


def a_package(name: str, content: bytes) -> bytes:
    """A file as the Object Packager wraps it, to stand in an object of kind "Package"."""
    label = name.encode() + b"\0"
    place = b"C:\\origin\\" + label
    return (
        b"\2\0" + label + place + b"\0\0\3\0" + struct.pack("<I", len(place)) + place + struct.pack("<I", len(content)) + content
    )
