"""VBA projects ([MS-OVBA]): the source of every module, what the designer stores of forms, and of a module without source its
strings.

A project is a storage with the storage "VBA" in it, in the documents of Office 97-2003 as in the vbaProject.bin of packages.
"""

import re
import struct

from dlp.extract.budget import Budget, Exhausted, Unreadable
from dlp.extract.charset import decode
from dlp.extract.compound import Compound, Path
from dlp.extract.document import Document
from dlp.extract.format import Pieces
from dlp.extract.strings import strings
from dlp.model import Zone

_CHUNK = 4096
"""Bytes that one chunk expands to at the most (2.4.1.1.3)."""
_SIGNATURE = 0b011
_CODE_PAGE, _MODULE_NAME, _MODULE_STREAM, _MODULE_OFFSET = 0x0003, 0x0019, 0x001A, 0x0031
_VERSION = 0x0009
"""Records of the "dir" stream (2.3.4.2)."""
# Every source begins with an attribute; so compressed, after the container's signature and the chunk's header.
_SOURCE = re.compile(rb"\x01..\x00Attribut", re.DOTALL)
_OWN = re.compile(r"(?i)dir|_VBA_PROJECT|__SRP_[0-9a-f]+")
"""Streams of the storage "VBA" that are no modules (2.3.4)."""


def projects(compound: Compound) -> list[Path]:
    """The storages that are projects."""
    return [path[:-2] for path in compound.streams if len(path) > 1 and path[-2].lower() == "vba" and path[-1].lower() == "dir"]


def read_project(document: Document, compound: Compound, project: Path, budget: Budget) -> Pieces:
    """The project's texts, all of them hidden from who reads the document."""
    known = compound.below(*project)
    folded = {tuple(name.lower() for name in path): path for path in known}
    directory, problem = _stream(compound, known[folded["vba", "dir"]])
    encoding, offsets = _modules(decompressed(directory, budget))
    for inner, path in known.items():
        budget.tick()
        held, end = _stream(compound, path)
        problem = problem or end
        if len(inner) > 1 and inner[0].lower() == "vba":
            texts = [] if _OWN.fullmatch(inner[1]) else _module(held, offsets.get(inner[1].lower()), encoding, budget)
        elif inner[0].lower() == "project":
            texts = [decode(held, encoding)]
        else:  # a form: its controls, captions and values
            texts = list(strings(held))
        yield from document.parts(texts, zone=Zone.HIDDEN, trail=path)
    if problem is not None:
        yield document.unread(problem.why, problem.detail, trail=project)


def decompressed(data: bytes, budget: Budget) -> bytes:
    """A compressed container (2.4.1), as far as it goes."""
    if data[:1] != b"\x01":
        return b""
    out: list[bytes] = []
    at = 1
    while at + 2 <= len(data):
        header = int.from_bytes(data[at : at + 2], "little")
        if header >> 12 & 0b111 != _SIGNATURE:
            break
        packed = data[at + 2 : at + 3 + (header & 0xFFF)]
        out.append(_chunk(packed) if header & 0x8000 else packed[:_CHUNK])
        budget.spend(len(out[-1]))
        at += 3 + (header & 0xFFF)
    return b"".join(out)


def _chunk(packed: bytes) -> bytes:
    """One compressed chunk: groups of eight tokens, each a byte or a copy of what stands before (2.4.1.3.2)."""
    out = bytearray()
    at = 0
    while at < len(packed) and len(out) < _CHUNK:
        flags = packed[at]
        at += 1
        if not flags:
            out += packed[at : at + 8]
            at += 8
            continue
        for bit in range(8):
            if at >= len(packed) or len(out) >= _CHUNK:
                break
            if not flags >> bit & 1:
                out.append(packed[at])
                at += 1
                continue
            token = int.from_bytes(packed[at : at + 2], "little")
            at += 2
            width = max((len(out) - 1).bit_length(), 4)  # 2.4.1.3.19.1
            offset, length = (token >> 16 - width) + 1, (token & 0xFFFF >> width) + 3
            if offset > len(out):
                return bytes(out)
            source = out[-offset:]
            out += (source * (length // offset + 1))[:length]
    return bytes(out[:_CHUNK])


def _modules(directory: bytes) -> tuple[str, dict[str, int]]:
    """The project's encoding, and where in each module's stream its source begins (2.3.4.2)."""
    encoding, offsets, name, at = "cp1252", {}, "", 0
    while at + 6 <= len(directory):
        kind, size = struct.unpack_from("<HI", directory, at)
        held = directory[at + 6 : at + 6 + size]
        if kind == _CODE_PAGE and size == 2:
            encoding = f"cp{int.from_bytes(held, 'little')}"
        elif kind == _MODULE_STREAM:
            name = decode(held, encoding).lower()
        elif kind == _MODULE_OFFSET and size == 4:
            offsets[name] = int.from_bytes(held, "little")
        at += 6 + size + (2 if kind == _VERSION else 0)  # the one record whose size is not that of the rest of it
    return encoding, offsets


def _module(held: bytes, offset: int | None, encoding: str, budget: Budget) -> list[str]:
    """A module's source; where there is none, the strings that its compiled form keeps."""
    found = _SOURCE.search(held)
    for start in dict.fromkeys((offset, found.start() if found else None)):
        source = decompressed(held[start:], budget) if start is not None else b""
        if source:
            return [decode(source, encoding)]
    return list(strings(held))


def _stream(compound: Compound, path: Path) -> tuple[bytes, Unreadable | None]:
    try:
        return compound.read(path), None
    except Exhausted:
        raise
    except Unreadable as error:
        return b"", error
