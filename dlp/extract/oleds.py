"""OLE 1.0 objects as RTF and Write embed them ([MS-OLEDS] 2.2), and the files of the Object Packager inside.

The class name, the topic and the item of a link are texts; what the object holds is a document.
"""

import struct
from dataclasses import dataclass

from dlp.extract.charset import decode
from dlp.extract.compound import MAGIC

_LINKED, _EMBEDDED = 1, 2
_LONGEST = 4096
"""Bytes of a class or file name that are believed."""
_ERRORS = (struct.error, ValueError)


@dataclass(frozen=True, slots=True, kw_only=True)
class Embedded:
    """What one object holds: `words` are its class and what it links to, `content` a document, called `name` if it has one."""

    words: tuple[str, ...] = ()
    name: str | None = None
    content: bytes = b""


def embedded(data: bytes) -> Embedded:
    """The object in `data`. Never raises: what is no OLE 1.0 object is its own content, from the OLE 2 file in it on if any."""
    try:
        kind, words, content = _object(data)
    except _ERRORS:
        at = data.find(MAGIC)
        return Embedded(content=data[max(at, 0) :])
    if kind == _LINKED:
        return Embedded(words=words, content=content)
    try:
        name, paths, packed = package(content)
    except _ERRORS:
        return Embedded(words=words, content=content)
    return Embedded(words=(*words, *paths), name=name, content=packed)


def package(data: bytes) -> tuple[str, tuple[str, ...], bytes]:
    """What the Object Packager wraps: the file's name, other paths it was known by, its content.

    The layout is in no specification: two bytes (2), the label and the path of origin, each ended by a zero byte,
    four bytes (0, 3), a counted temporary path, a counted content. Raises ValueError or struct.error for anything else.
    """
    if data[:2] != b"\2\0":
        raise ValueError("no package")
    label, at = _terminated(data, 2)
    origin, at = _terminated(data, at)
    if data[at : at + 4] != b"\0\0\3\0":
        raise ValueError("a package that is linked")
    (size,) = struct.unpack_from("<I", data, at + 4)
    if size > _LONGEST:
        raise ValueError("a path too long")
    temporary = data[at + 8 : at + 8 + size].rstrip(b"\0")
    at += 8 + size
    (size,) = struct.unpack_from("<I", data, at)
    texts = [decode(raw, None) for raw in (label, origin, temporary)]
    return texts[0], tuple(text for text in dict.fromkeys(texts[1:]) if text), data[at + 4 : at + 4 + size]


def _object(data: bytes) -> tuple[int, tuple[str, ...], bytes]:
    """The format (linked or embedded), the header's texts, the native data ([MS-OLEDS] 2.2.4 to 2.2.6)."""
    kind = struct.unpack_from("<II", data)[1]
    if kind not in (_LINKED, _EMBEDDED):
        raise ValueError("no object")
    words: list[str] = []
    at = 8
    for _ in range(3):  # class, topic, item
        (size,) = struct.unpack_from("<I", data, at)
        if size > _LONGEST:
            raise ValueError("a name too long")
        words.append(decode(data[at + 4 : at + 4 + size].rstrip(b"\0"), None))
        at += 4 + size
    if kind == _LINKED:
        return kind, tuple(filter(None, words)), data[at:]
    # A size that is a lie is no reason to read less.
    (size,) = struct.unpack_from("<I", data, at)
    content = data[at + 4 : at + 4 + size] if 0 < size <= len(data) - at - 4 else data[at + 4 :]
    return kind, tuple(filter(None, words)), content


def _terminated(data: bytes, at: int) -> tuple[bytes, int]:
    """The bytes up to the next zero, and the place behind it."""
    end = data.index(b"\0", at, at + _LONGEST)
    return data[at:end], end + 1
