"""The header of a 7z archive (7zFormat.txt of the LZMA SDK): where its packed streams are, how to unpack them, what they hold."""

import struct
import zlib
from dataclasses import dataclass

from dlp.extract.budget import Unreadable
from dlp.model import Why

MAGIC = b"7z\xbc\xaf\x27\x1c"
START = 32
"""Where the packed streams begin; stated offsets count from there."""
_END, _HEADER, _ARCHIVE, _ADDITIONAL, _STREAMS, _FILES, _PACKED, _FOLDERS, _SUBSTREAMS = range(9)
_SIZE, _CRC, _FOLDER, _UNPACKED, _COUNTS, _EMPTY_STREAM, _EMPTY_FILE, _ANTI, _NAMES = range(9, 18)
_ENCODED = 0x17


@dataclass(frozen=True, slots=True)
class Coder:
    """One step of unpacking; `inputs` and `outputs` are 1 but for BCJ2."""

    method: bytes
    properties: bytes
    inputs: int
    outputs: int


@dataclass(slots=True)
class Folder:
    """Streams that are unpacked together: `binds` are pairs of an input and the output that feeds it, `packed` the other
    inputs; `sizes` are of each output."""

    coders: list[Coder]
    binds: list[tuple[int, int]]
    packed: list[int]
    sizes: list[int]
    crc: int | None = None

    @property
    def size(self) -> int:
        """Bytes of the output that feeds nothing, which is the content."""
        fed = {output for _, output in self.binds}
        return next((size for index, size in enumerate(self.sizes) if index not in fed), 0)


@dataclass(slots=True)
class Streams:
    """`places` are the offset and size of every packed stream; `substreams` the sizes and checksums of each folder's members."""

    places: list[tuple[int, int]]
    folders: list[Folder]
    substreams: list[list[tuple[int, int | None]]]


@dataclass(frozen=True, slots=True)
class File:
    """A member; `stream` says whether it has content."""

    name: str
    stream: bool
    directory: bool


@dataclass(frozen=True, slots=True)
class Header:
    """What the header says."""

    streams: Streams
    files: list[File]


class Reader:
    """A cursor over a header; everything raises Unreadable(corrupt) at its end."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def take(self, size: int) -> bytes:
        if size > len(self._data) - self._at:
            raise _damaged()
        self._at += size
        return self._data[self._at - size : self._at]

    def byte(self) -> int:
        return self.take(1)[0]

    def number(self) -> int:
        """7zFormat.txt, NUMBER: the leading ones of the first byte say how many follow."""
        first = self.byte()
        follow = 8 - (~first & 0xFF).bit_length()
        low = int.from_bytes(self.take(follow), "little")
        return low | (first & ((1 << (7 - follow)) - 1 if follow < 7 else 0)) << (8 * follow)

    def count(self) -> int:
        """A number of things that take a byte or a bit each at least, so that a lie cannot fill the memory."""
        found = self.number()
        if found > 8 * len(self._data):
            raise _damaged()
        return found

    def bits(self, count: int) -> list[bool]:
        """The first bit is the highest of the first byte."""
        size = (count + 7) // 8
        return [bit == "1" for bit in f"{int.from_bytes(self.take(size), 'big'):0{8 * size}b}"[:count]] if count else []

    def rest(self) -> bytes:
        return self.take(len(self._data) - self._at)

    def some(self, count: int) -> list[bool]:
        """A bit for each of `count`, or a byte that says all."""
        return [True] * count if self.byte() else self.bits(count)

    def checksums(self, count: int) -> list[int | None]:
        """CRC-32, where there are."""
        return [struct.unpack("<L", self.take(4))[0] if defined else None for defined in self.some(count)]

    def expect(self, wanted: int) -> None:
        if self.byte() != wanted:
            raise _damaged()


def place(data: bytes | memoryview) -> tuple[int, int, int]:
    """Where the header begins and ends, and its checksum. Raises Unreadable(corrupt)."""
    head = bytes(data[:START])
    if len(head) < START or zlib.crc32(head[12:]) != struct.unpack_from("<L", head, 8)[0]:
        raise Unreadable(Why.CORRUPT, "the first header is damaged")
    offset, size, crc = struct.unpack_from("<QQL", head, 12)
    if START + offset + size > len(data):
        raise Unreadable(Why.CORRUPT, "the archive is cut short: the list of members is missing")
    return START + offset, START + offset + size, crc


def encoded(data: bytes) -> Streams | None:
    """The streams that hold the header, None where `data` is the header itself."""
    reader = Reader(data)
    kind = reader.byte()
    if kind == _ENCODED:
        return _streams(reader)
    if kind != _HEADER:
        raise _damaged()
    return None


def header(data: bytes) -> Header:
    """The header. Raises Unreadable(corrupt)."""
    reader = Reader(data)
    reader.expect(_HEADER)
    streams = Streams([], [], [])
    files: list[File] = []
    while (kind := reader.byte()) != _END:
        if kind == _ARCHIVE:
            while reader.byte() != _END:
                reader.take(reader.number())
        elif kind == _ADDITIONAL:
            _streams(reader)
        elif kind == _STREAMS:
            streams = _streams(reader)
        elif kind == _FILES:
            files = _files(reader)
        else:
            raise _damaged()
    return Header(streams, files)


def _streams(reader: Reader) -> Streams:
    places: list[tuple[int, int]] = []
    folders: list[Folder] = []
    substreams: list[list[tuple[int, int | None]]] | None = None
    while (kind := reader.byte()) != _END:
        if kind == _PACKED:
            places = _packed(reader)
        elif kind == _FOLDERS:
            folders = _folders(reader)
        elif kind == _SUBSTREAMS:
            substreams = _substreams(reader, folders)
        else:
            raise _damaged()
    return Streams(places, folders, [[(folder.size, folder.crc)] for folder in folders] if substreams is None else substreams)


def _packed(reader: Reader) -> list[tuple[int, int]]:
    at, count = START + reader.number(), reader.count()
    sizes: list[int] = []
    while (kind := reader.byte()) != _END:
        if kind == _SIZE:
            sizes = [reader.number() for _ in range(count)]
        elif kind == _CRC:
            reader.checksums(count)
        else:
            raise _damaged()
    places = []
    for size in sizes:
        places.append((at, size))
        at += size
    return places


def _folders(reader: Reader) -> list[Folder]:
    reader.expect(_FOLDER)
    count = reader.count()
    if reader.byte():  # in an additional stream, which no program writes
        raise _damaged()
    folders = [_folder(reader) for _ in range(count)]
    reader.expect(_UNPACKED)
    for folder in folders:
        folder.sizes = [reader.number() for coder in folder.coders for _ in range(coder.outputs)]
    while (kind := reader.byte()) != _END:
        if kind != _CRC:
            raise _damaged()
        for folder, crc in zip(folders, reader.checksums(count), strict=True):
            folder.crc = crc
    return folders


def _folder(reader: Reader) -> Folder:
    coders = []
    for _ in range(reader.count()):
        flags = reader.byte()
        method = reader.take(flags & 0x0F)
        inputs, outputs = (reader.count(), reader.count()) if flags & 0x10 else (1, 1)
        coders.append(Coder(method, reader.take(reader.number()) if flags & 0x20 else b"", inputs, outputs))
    inputs, outputs = sum(coder.inputs for coder in coders), sum(coder.outputs for coder in coders)
    if not coders or not outputs or inputs > 64 or outputs > 64:
        raise _damaged()
    binds = [(reader.number(), reader.number()) for _ in range(outputs - 1)]
    open_inputs = [index for index in range(inputs) if index not in {bound for bound, _ in binds}]
    packed = [reader.number() for _ in open_inputs] if len(open_inputs) > 1 else open_inputs
    return Folder(coders, binds, packed, [])


def _substreams(reader: Reader, folders: list[Folder]) -> list[list[tuple[int, int | None]]]:
    kind = reader.byte()
    counts = [1] * len(folders)
    if kind == _COUNTS:
        counts = [reader.count() for _ in folders]
        kind = reader.byte()
    if sum(counts) > 1 << 24:
        raise _damaged()
    sizes = []
    for folder, count in zip(folders, counts, strict=True):
        stated = [reader.number() for _ in range(count - 1)] if kind == _SIZE else [0] * (count - 1)
        sizes.append([*stated, max(folder.size - sum(stated), 0)] if count else [])
    if kind == _SIZE:
        kind = reader.byte()
    known = [folder.crc if len(own) == 1 else None for folder, own in zip(folders, sizes, strict=True)]
    crcs: list[int | None] = []
    while kind != _END:
        if kind != _CRC:
            raise _damaged()
        crcs = reader.checksums(sum(len(own) for own, crc in zip(sizes, known, strict=True) if crc is None))
        kind = reader.byte()
    rest = iter(crcs)
    return [[(size, crc if crc is not None else next(rest, None)) for size in own] for own, crc in zip(sizes, known, strict=True)]


def _files(reader: Reader) -> list[File]:
    count = reader.count()
    names: list[str] = []
    empty, empty_files = [False] * count, [False] * count
    while (kind := reader.byte()) != _END:
        value = Reader(reader.take(reader.number()))
        if kind == _EMPTY_STREAM:
            empty = value.bits(count)
        elif kind == _EMPTY_FILE:
            flags = iter(value.bits(sum(empty)))
            empty_files = [next(flags) if one else False for one in empty]
        elif kind == _NAMES:
            names = _names(value)
    names += [""] * (count - len(names))
    return [
        File(name, not without, without and not file)
        for name, without, file in zip(names[:count], empty, empty_files, strict=True)
    ]


def _names(value: Reader) -> list[str]:
    """Names in UTF-16, each ended by a zero unit; what is no UTF-16 is replaced."""
    value.byte()
    raw = value.rest()
    return raw[: len(raw) // 2 * 2].decode("utf-16-le", "replace").removesuffix("\0").split("\0") if raw else []


def _damaged() -> Unreadable:
    return Unreadable(Why.CORRUPT, "the list of members is damaged")
