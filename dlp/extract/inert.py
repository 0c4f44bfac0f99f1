"""Parts of office packages that are known and hold no document: printer settings, fonts, controls of forms, trash.

They are told by their structure, never by their name: whatever else is put under such a name is a document inside
like any other. Their printable text is read all the same.
"""

import re
import struct
from uuid import UUID

_DEVICE, _PUBLIC = 64, 220
"""Bytes of the device's name, and of the public part, in a DEVMODEW ([MS-RPRN] 2.2.2.1)."""
_FONT_TABLE = re.compile(rb"[A-Za-z][A-Za-z0-9/ ]{2}[A-Za-z0-9/ ]")
_OBFUSCATED = 32
"""Bytes of an embedded font that are hidden by its key (ECMA-376 part 4, 17.8.1)."""
_CONTROLS = re.compile(  # the classes of [MS-OFORMS] 1.9, each followed by its version, 2.0
    b"(?:"
    + b"|".join(
        re.escape(UUID(name).bytes_le)
        for name in (
            *(f"8bd21d{number:02x}-ec42-11ce-9e0d-00aa006002f3" for number in (0x10, 0x20, 0x30, 0x40, 0x50, 0x60)),
            *(f"5512d1{number:02x}-5cc6-11cf-8d67-00aa00bdce1d" for number in range(0x10, 0x25, 2)),
            "978c9e23-d4b0-11ce-bf2d-00aa003f40d0",
            "d7053240-ce69-11cd-a777-00dd01143c57",
            "4c599241-6926-101b-9992-00000b65c6f9",
            "dfd181e0-5e2f-11ce-a449-00aa004a803d",
            "79176fb0-b7f2-11ce-97ef-00aa006d2776",
            "eae50eb0-4a62-11ce-bed6-00aa00611080",
        )
    )
    + rb")\x00\x02"
)
_FILES = re.compile(rb"PK\x03\x04|%PDF-|\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1|7z\xbc\xaf\x27\x1c|Rar!\x1a\x07|\xfd7zXZ\x00")
"""How files begin that somebody may have put behind a right beginning."""
_PICTURE = UUID("0be35204-8f91-11ce-9de3-00aa004bb851").bytes_le + b"\x6c\x74\x00\x00"
"""What stands before a picture in a control ([MS-OFORMS] 2.4.8)."""


def is_inert(data: bytes) -> bool:
    """Whether `data` is one of those parts, and no other file stands in it."""
    known = not data.strip(b"\0\xff") or _is_device_mode(data) or _is_ticket(data) or _is_font(data) or _is_control(data)
    return known and not _FILES.search(data)


def pictures(data: bytes) -> list[bytes]:
    """The pictures in a control of a form."""
    found = []
    for piece in data.split(_PICTURE)[1:] if _is_control(data) else ():
        found.append(piece[4 : 4 + int.from_bytes(piece[:4], "little")])
    return [picture for picture in found if picture]


def _is_device_mode(data: bytes) -> bool:
    """Printer settings of Windows: their own sizes add up to theirs."""
    if len(data) < _PUBLIC:
        return False
    version, _, public, private = struct.unpack_from("<HHHH", data, _DEVICE)
    return bool(0x0300 <= version <= 0x0401 and public == _PUBLIC and len(data) == public + private)


def _is_ticket(data: bytes) -> bool:
    """Printer settings of macOS: property lists, each after its kind and size."""
    at = 4
    while at + 8 < len(data):
        _, size = struct.unpack_from("<II", data, at)
        if not data.startswith(b"<?xml", at + 8):
            return False
        at += 8 + size
    return at > 4 and at == len(data)


def _is_font(data: bytes) -> bool:
    """A font, plain, with its first bytes hidden, or as Embedded OpenType: what lies in the tables is outlines."""
    if data[34:36] == b"LP" and int.from_bytes(data[:4], "little") == len(data):  # W3C submission EOT, 3.1
        return True
    # The directory begins at 12 (OpenType 1.9, "otff"); its first whole entry that is not hidden is the third.
    entries = [data[at : at + 16] for at in range(_OBFUSCATED + 12, _OBFUSCATED + 12 + 4 * 16, 16)]
    return all(_FONT_TABLE.match(entry) and _lies_in(entry, len(data)) for entry in entries)


def _lies_in(entry: bytes, size: int) -> bool:
    if len(entry) < 16:
        return False
    offset, length = struct.unpack_from(">II", entry, 8)
    return int(offset + length) <= size


def _is_control(data: bytes) -> bool:
    return _CONTROLS.match(data) is not None
