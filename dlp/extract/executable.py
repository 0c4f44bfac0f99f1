"""Programs that carry an archive: self-extractors, installers, scripts with one behind them.

Only what stands behind the program or in it as an archive is read, and the printable text; code is not taken apart.
"""

import re
import struct
import zlib
from collections.abc import Callable, Iterator

from dlp.extract.budget import Budget
from dlp.extract.document import Document
from dlp.extract.format import Format, Pieces
from dlp.extract.strings import strings
from dlp.extract.zip_entries import METHODS
from dlp.model import Why, Zone

_MOST = 16
"""Archives that are read in one program."""
_HEAD = 3 << 10
"""Bytes that show whether it is an archive."""
_SEEN = 100_000
"""Places looked at: four bytes of code may look like an archive."""
_ARCHIVE = re.compile(
    rb"(?s)PK\x03\x04|7z\xbc\xaf\x27\x1c|Rar!\x1a\x07[\x00\x01]|MSCF\x00{4}|\x1f\x8b\x08[\x00-\x1f]|\xfd7zXZ\x00\x00"
    rb"|BZh[1-9]1AY&SY|\x60\xea.[\x00-\x0a]\x1e|-lh[0567]-"
)


def read(document: Document, budget: Budget) -> Pieces:
    """The archives inside, each up to its end where it states one, else to the end of the program; then the printable text."""
    found = False
    for start, end in _archives(memoryview(document.data), budget):
        found = True
        yield document.nested(document.data[start:end], name=None, label="archive in a program")
    if not found:
        yield document.unread(Why.UNSUPPORTED, document.media_type)
    yield from document.parts(_ticking(document, budget), zone=Zone.RAW)


def _archives(data: memoryview, budget: Budget) -> Iterator[tuple[int, int]]:
    at = count = seen = 0
    while count < _MOST and seen < _SEEN and (match := _ARCHIVE.search(data, at)) is not None:
        budget.tick()
        seen += 1
        start = match.start() - (2 if match.group().startswith(b"-lh") else 0)
        end = _end(data, start)
        if end is None:
            at = match.end()
            continue
        count += 1
        yield start, end
        at = max(end, match.end())


def _end(data: memoryview, start: int) -> int | None:
    """Where the archive at `start` ends, as far as its first header tells; None if this is none."""
    head = bytes(data[start : start + _HEAD])
    check = next((check for magic, check in _CHECKS if head.startswith(magic)), _lha)
    size = check(head, len(data) - start)
    return None if size is None else start + size


def _zip(head: bytes, rest: int) -> int | None:
    version, _, method = struct.unpack_from("<HHH", head.ljust(64, b"\0"), 4)
    length: int = struct.unpack_from("<H", head.ljust(64, b"\0"), 26)[0]
    return rest if version & 0xFF <= 63 and method in METHODS and 0 < length <= 4096 else None


def _seven_zip(head: bytes, rest: int) -> int | None:
    if len(head) < 32 or zlib.crc32(head[12:32]) != struct.unpack_from("<L", head, 8)[0]:
        return None
    offset, size = struct.unpack_from("<QQ", head, 12)
    return min(32 + int(offset) + int(size), rest)


def _rar(head: bytes, rest: int) -> int | None:
    if head[6] == 1:
        return rest if head[7:8] == b"\0" and len(head) > 14 else None
    return rest if len(head) > 12 and head[9] == 0x73 else None


def _cabinet(head: bytes, rest: int) -> int | None:
    """[MS-CAB] 2.1: the size of the file, the version 1.3."""
    if len(head) < 36 or head[24:26] != b"\x03\x01":
        return None
    size: int = struct.unpack_from("<L", head, 8)[0]
    return size if 36 <= size <= rest else rest


def _gzip(head: bytes, rest: int) -> int | None:
    """A few bytes of it can be decompressed."""
    try:
        return rest if zlib.decompressobj(31).decompress(head) else None
    except zlib.error:
        return None


def _xz(head: bytes, rest: int) -> int | None:
    """The xz file format 1.2, 2.1.1."""
    return rest if zlib.crc32(head[6:8]).to_bytes(4, "little") == head[8:12] else None


def _arj(head: bytes, rest: int) -> int | None:
    size = int.from_bytes(head[2:4], "little")
    return rest if zlib.crc32(head[4 : 4 + size]).to_bytes(4, "little") == head[4 + size : 8 + size] else None


def _lha(head: bytes, rest: int) -> int | None:
    """A header of a level that there is, and data that is there."""
    return rest if len(head) > 21 and head[20] <= 3 and int.from_bytes(head[7:11], "little") <= rest else None


_CHECKS: tuple[tuple[bytes, Callable[[bytes, int], int | None]], ...] = (
    (b"PK", _zip),
    (b"7z", _seven_zip),
    (b"Rar!", _rar),
    (b"MSCF", _cabinet),
    (b"\x1f\x8b", _gzip),
    (b"\xfd", _xz),
    (b"\x60\xea", _arj),
    (b"BZh", lambda _, rest: rest),
)


def _ticking(document: Document, budget: Budget) -> Iterator[str]:
    for run in strings(document.data):
        budget.tick()
        yield run


FORMAT = Format(
    name="executable",
    media_types=(
        "application/x-dosexec",
        "application/vnd.microsoft.portable-executable",
        "application/x-msdos-program",
        "application/x-executable",
        "application/x-pie-executable",
        "application/x-sharedlib",
        "application/x-mach-binary",
        "application/x-shellscript",
    ),
    read=read,
)
