"""Cabinets ([MS-CAB]): stored and MSZIP folders are unpacked here; LZX goes to libarchive, as a cabinet of that folder alone.

libarchive 3.6 crashes on crafted cabinets, so it gets none as it came.
"""

import re
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from dlp.extract.archive import named
from dlp.extract.budget import CHUNK, Budget, Exhausted, Unreadable
from dlp.extract.charset import decode
from dlp.extract.document import Document
from dlp.extract.expand import Limited
from dlp.extract.format import Format, Pieces
from dlp.extract.leftover import leftover
from dlp.model import Why

LONE = b"MSCF\x01\x00\x00\x00"
"""What a cabinet of one LZX folder begins with: the reserved field tells it from those that come from outside."""
_HEADER = struct.Struct("<4sLLLLLBBHHHHH")
_FOLDER = struct.Struct("<LHH")
_FILE = struct.Struct("<LLHHHH")
_BLOCK = struct.Struct("<LHH")
_PREVIOUS, _NEXT, _RESERVED = 1, 2, 4
_STORED, _MSZIP, _QUANTUM, _LZX = range(4)
_FROM_PREVIOUS, _TO_NEXT = (0xFFFD, 0xFFFF), (0xFFFE, 0xFFFF)
_UTF8 = 0x80
_LARGEST = 0x8000 + 6144
"""Bytes of one block at the most ([MS-CAB] 2.4)."""
_DICTIONARY = 1 << 15
_NAME = re.compile(rb"([^\0]{0,1024})\0")


@dataclass(frozen=True, slots=True)
class _File:
    name: str
    size: int
    at: int
    folder: int
    index: int


@dataclass(frozen=True, slots=True)
class _Folder:
    at: int
    blocks: int
    kind: int
    level: int


def read(document: Document, budget: Budget) -> Pieces:
    """Members as documents inside. Raises Unreadable(corrupt) where there is no header."""
    cabinet = _Cabinet(document, budget)
    if cabinet.damaged:
        yield document.unread(Why.CORRUPT, "the list of members is damaged")
    for number, folder in enumerate(cabinet.folders):
        files = sorted((file for file in cabinet.files if file.folder == number), key=lambda file: (file.at, file.at + file.size))
        yield from cabinet.members(folder, files)
    for file in cabinet.files:
        if file.folder >= len(cabinet.folders):
            yield document.unread(Why.CORRUPT, "a member of no folder", trail=(file.name,))
            yield from named(document, file.name)
    if 0 < cabinet.size < len(document.data):
        yield from leftover(document, cabinet.size, len(document.data), budget)


class _Cabinet:
    """One cabinet while it is read."""

    def __init__(self, document: Document, budget: Budget) -> None:
        self._document = document
        self._budget = budget
        self._data = memoryview(document.data)
        self.damaged = False
        head = bytes(self._data[: _HEADER.size])
        if len(head) < _HEADER.size:
            raise Unreadable(Why.CORRUPT, "not a readable cabinet")
        _, _, self.size, _, files_at, _, _, _, folders, files, flags, _, _ = _HEADER.unpack(head)
        at = _HEADER.size
        header_reserve = folder_reserve = self._reserve = 0
        if flags & _RESERVED:
            header_reserve, folder_reserve, self._reserve = struct.unpack("<HBB", bytes(self._data[at : at + 4]).ljust(4, b"\0"))
            at += 4 + header_reserve
        for flag in (_PREVIOUS, _NEXT):
            for _ in range(2 if flags & flag else 0):  # the name of a cabinet, the name of a disk
                at = self._text(at)[1]
        self.folders = list(self._folders(at, folders, _FOLDER.size + folder_reserve))
        self.files = list(self._files(files_at, files))

    def _folders(self, at: int, count: int, size: int) -> Iterator[_Folder]:
        for place in range(at, at + count * size, size):
            raw = bytes(self._data[place : place + _FOLDER.size])
            if len(raw) < _FOLDER.size:
                self.damaged = True
                return
            begins, blocks, kind = _FOLDER.unpack(raw)
            yield _Folder(begins, blocks, kind & 0x0F, kind)

    def _files(self, at: int, count: int) -> Iterator[_File]:
        for _ in range(count):
            self._budget.tick()
            raw = bytes(self._data[at : at + _FILE.size])
            if len(raw) < _FILE.size:
                self.damaged = True
                return
            size, begins, index, _, _, attributes = _FILE.unpack(raw)
            name, at = self._text(at + _FILE.size)
            folder = 0 if index in _FROM_PREVIOUS else len(self.folders) - 1 if index in _TO_NEXT else index
            yield _File(decode(name, "utf-8" if attributes & _UTF8 else None), size, begins, folder, index)

    def _text(self, at: int) -> tuple[bytes, int]:
        match = _NAME.match(self._data, at)
        if match is None:
            self.damaged = True
            return b"", len(self._data)
        return match.group(1), match.end()

    def members(self, folder: _Folder, files: list[_File]) -> Pieces:
        """What the files of a folder hold, in the order of their data."""
        if folder.kind == _LZX and not any(file.index in _FROM_PREVIOUS for file in files):
            blocks = self._whole(folder)
            for file in files if not blocks else ():
                yield self._document.unread(Why.CORRUPT, "the cabinet is cut short", trail=(file.name,))
                yield from named(self._document, file.name)
            if blocks:
                yield self._document.nested(_alone(folder, files, blocks), name=None, label="LZX")
            return
        stream = _Unpacked(self._blocks(folder), folder.kind, self._budget)
        packed = len(self._data)
        for file in files:
            self._budget.tick()
            content, end = self._member(stream, file, packed=packed)
            if end is not None:
                yield self._document.unread(end.why, end.detail, trail=(file.name,))
            yield self._document.nested(content, name=file.name or None, label="unnamed")

    def _member(self, stream: "_Unpacked", file: _File, *, packed: int) -> tuple[bytes, Unreadable | None]:
        if file.index in _FROM_PREVIOUS:
            return b"", Unreadable(Why.CORRUPT, "begins in another cabinet")
        try:
            stream.go_to(file.at)
        except Exhausted:
            raise
        except Unreadable as error:
            return b"", error
        limited = Limited(stream, file.size)
        content, end = self._budget.take(limited, packed=packed)
        if end is None and limited.left:
            end = Unreadable(Why.CORRUPT, "goes on in another cabinet" if file.index in _TO_NEXT else "a member is cut short")
        return content, end

    def _blocks(self, folder: _Folder) -> Iterator[tuple[memoryview, int]]:
        """The data of each block and its size when unpacked. Raises Unreadable(corrupt)."""
        at = folder.at
        for _ in range(folder.blocks):
            self._budget.tick()
            head = bytes(self._data[at : at + _BLOCK.size + self._reserve])
            if len(head) < _BLOCK.size + self._reserve:
                raise Unreadable(Why.CORRUPT, "the cabinet is cut short")
            checksum, size, unpacked = _BLOCK.unpack_from(head)
            at += len(head)
            data = self._data[at : at + size]
            yield data, unpacked
            if len(data) < size or size > _LARGEST:
                raise Unreadable(Why.CORRUPT, "the cabinet is cut short")
            if checksum and checksum != _checksum(head[4:], _checksum(data)):
                raise Unreadable(Why.CORRUPT, "the checksum of a block is another")
            at += size

    def _whole(self, folder: _Folder) -> list[bytes]:
        """The blocks of a folder as far as they are whole, without their checksums."""
        blocks: list[bytes] = []
        try:
            for data, unpacked in self._blocks(folder):
                blocks.append(_BLOCK.pack(0, len(data), unpacked) + bytes(data))
        except Exhausted:
            raise
        except Unreadable:
            return blocks[:-1]
        return blocks


def _alone(folder: _Folder, files: list[_File], blocks: list[bytes]) -> bytes:
    """A cabinet of this folder only."""
    listed = b"".join(
        _FILE.pack(file.size, file.at, 0, 0, 0, _UTF8) + file.name.encode("utf-8", "replace")[:255] + b"\0" for file in files
    )
    begins = _HEADER.size + _FOLDER.size
    size = begins + len(listed) + sum(map(len, blocks))
    head = _HEADER.pack(LONE[:4], 1, size, 0, begins, 0, 3, 1, 1, len(files), 0, 0, 0)
    return b"".join((head, _FOLDER.pack(begins + len(listed), len(blocks), folder.level), listed, *blocks))


class _Unpacked:
    """A folder's content as a stream."""

    def __init__(self, blocks: Iterator[tuple[memoryview, int]], kind: int, budget: Budget) -> None:
        self._blocks = blocks
        self._kind = kind
        self._budget = budget
        self._kept = b""
        self._last = b""
        self._broken: Unreadable | None = None
        self._at = 0

    def read(self, size: int, /) -> bytes:
        """Raises Unreadable(corrupt, unsupported)."""
        while not self._kept:
            if self._broken is not None:
                raise self._broken
            try:
                block = next(self._blocks, None)
                if block is None:
                    return b""
                self._kept = self._block(*block)
            except Exhausted:
                raise
            except Unreadable as error:
                self._broken = error  # for every member that follows
        chunk, self._kept = self._kept[:size], self._kept[size:]
        self._at += len(chunk)
        return chunk

    def go_to(self, at: int) -> None:
        """To the place `at` in the content, without keeping what is passed."""
        if at < self._at:
            raise Unreadable(Why.CORRUPT, "members overlap")
        while self._at < at:
            self._budget.tick()
            if not self.read(min(CHUNK, at - self._at)):
                raise Unreadable(Why.CORRUPT, "a member is cut short")

    def _block(self, data: memoryview, size: int) -> bytes:
        if self._kind == _STORED:
            return bytes(data)
        if self._kind != _MSZIP:
            raise Unreadable(Why.UNSUPPORTED, "Quantum compression" if self._kind == _QUANTUM else "LZX compression")
        if bytes(data[:2]) != b"CK":
            raise Unreadable(Why.CORRUPT, "the compressed data is damaged")
        inflate = zlib.decompressobj(-zlib.MAX_WBITS, zdict=self._last)
        try:
            plain = inflate.decompress(data[2:], max(size, 1))
        except zlib.error as error:
            raise Unreadable(Why.CORRUPT, "the compressed data is damaged") from error
        self._last = (self._last + plain)[-_DICTIONARY:]
        return plain


def _checksum(data: bytes | memoryview, seed: int = 0) -> int:
    """[MS-CAB] 3.1: the words of four bytes together by XOR, the last bytes the other way round."""
    whole = len(data) // 4 * 4
    words = np.frombuffer(data[:whole], dtype="<u4")
    return seed ^ int(np.bitwise_xor.reduce(words)) ^ int.from_bytes(data[whole:], "big")


FORMAT = Format(name="cab", media_types=("application/vnd.ms-cab-compressed",), read=read)
