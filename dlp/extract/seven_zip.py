"""7z archives (7zFormat.txt of the LZMA SDK): unpacked by the standard library, with a known password too.

What it does not unpack (PPMd, BCJ2) goes to libarchive.
"""

import lzma
import zlib
from collections.abc import Iterator

from dlp.extract import seven_zip_data, seven_zip_header
from dlp.extract.archive import named
from dlp.extract.budget import CHUNK, Budget, Exhausted, Readable, Unreadable
from dlp.extract.document import Document
from dlp.extract.expand import Limited, Stored
from dlp.extract.format import Format, Pieces
from dlp.extract.leftover import leftover
from dlp.extract.passwords import OPENED
from dlp.extract.seven_zip_header import START, File, Folder, Header, Streams
from dlp.extract.unarchive import Unarchiver
from dlp.model import Why

_TRIES = 40
"""Passwords tried on one archive: 7-Zip makes an attempt cost some 50 ms."""
_PASSED = 256 << 20
"""Bytes of one member that are unpacked without being kept, for the sake of the members after it."""
_PLAUSIBLE = 1 << 20
"""Bytes that show whether a password is the right one where the member is larger."""
_Substream = tuple[File | None, int, int | None]


def read(document: Document, budget: Budget) -> Pieces:
    """Members as documents inside, the names of empty ones, what no member is made of."""
    archive = _Archive(document, budget)
    try:
        begins, ends = archive.located()
        header, opened = archive.header()
    except Exhausted:
        raise
    except Unreadable as error:
        if error.why is Why.CORRUPT:
            yield from _headless(document, budget)
        raise
    for file in header.files:
        budget.tick()
        if not file.stream:
            yield from named(document, file.name)
    yield from archive.members(header, trail=(OPENED,) if opened else ())
    at = max([archive.used, *(place + size for place, size in header.streams.places)])
    yield from leftover(document, min(at, begins), begins, budget)
    yield from leftover(document, ends, len(document.data), budget)


class _Archive:
    """One archive while it is read, with the password that opens it once that is found."""

    def __init__(self, document: Document, budget: Budget) -> None:
        self._document = document
        self._budget = budget
        self._data = memoryview(document.data)
        self._password: str | None = None
        self._keys: dict[tuple[str, bytes], tuple[bytes, bytes] | None] = {}
        self._tried = 0
        self._raw = b""
        self.used = START
        """Where what holds a packed header ends."""

    def located(self) -> tuple[int, int]:
        """Where the header begins and ends. Raises Unreadable(corrupt)."""
        begins, ends, crc = seven_zip_header.place(self._data)
        self._raw = bytes(self._data[begins:ends])
        if zlib.crc32(self._raw) != crc:
            raise Unreadable(Why.CORRUPT, "the list of members is damaged")
        return begins, ends

    def header(self) -> tuple[Header, bool]:
        """The header, unpacked where it is packed, and whether it took a password. Raises Unreadable."""
        raw = self._raw
        if not raw:
            return Header(Streams([], [], []), []), False
        for _ in range(4):  # a header may hold where another one is packed
            streams = seven_zip_header.encoded(raw)
            if streams is None:
                return seven_zip_header.header(raw), self._password is not None
            if not streams.folders:
                break
            self.used = max([self.used, *(place + size for place, size in streams.places)])
            folder = streams.folders[0]
            what = "the list of members is encrypted"
            content = self._content(folder, self._packed(streams, 0), size=folder.size, crc=folder.crc, what=what)
            raw, end = self._budget.take(content, packed=len(self._data))
            if end is not None:
                raise end
        raise Unreadable(Why.CORRUPT, "the list of members is damaged")

    def members(self, header: Header, *, trail: tuple[str, ...]) -> Pieces:
        """Each folder's members; those of folders that cannot be unpacked here by libarchive."""
        files = iter([file for file in header.files if file.stream])
        place = 0
        others: dict[int, Unreadable] = {}
        for index, folder in enumerate(header.streams.folders):
            own: list[_Substream] = [(next(files, None), size, crc) for size, crc in header.streams.substreams[index]]
            listed = sum(1 for _, size, _ in own if size)
            own = own or [(None, folder.size, folder.crc)]
            try:
                yield from self._folder(folder, self._packed(header.streams, index), own, trail)
            except Exhausted:
                raise
            except Unreadable as error:
                if error.why is Why.UNSUPPORTED and not seven_zip_data.encrypted(folder):
                    others.update(dict.fromkeys(range(place, place + listed), error))
                    for file, size, _ in own:
                        yield from named(self._document, "" if size else _name(file))
                else:
                    yield from self._refused(own, error)
            place += listed
        if others:
            yield from self._foreign(others)

    def _refused(self, own: list[_Substream], error: Unreadable) -> Pieces:
        for file, _, _ in own:
            yield self._document.unread(error.why, error.detail, trail=(_name(file),))
            yield from named(self._document, _name(file))

    def _folder(self, folder: Folder, packed: list[memoryview], own: list[_Substream], trail: tuple[str, ...]) -> Pieces:
        _, size, crc = own[0]
        stream = self._content(folder, packed, size=size, crc=crc)
        steps = trail or ((OPENED,) if seven_zip_data.encrypted(folder) else ())
        broken: Unreadable | None = None
        for file, size, crc in own:
            self._budget.tick()
            content, end = b"", broken
            if broken is None:
                content, end, broken = self._member(stream, size, crc, packed=sum(map(len, packed)))
            if end is not None:
                yield self._document.unread(end.why, end.detail, trail=(_name(file),))
            yield self._document.nested(content, name=file.name if file and file.name else None, label="unnamed", trail=steps)

    def _member(
        self, stream: Readable, size: int, crc: int | None, *, packed: int
    ) -> tuple[bytes, Unreadable | None, Unreadable | None]:
        """One member of a folder: its content, what ended it early, and what ends all that follow."""
        limited = Limited(stream, size)
        content, end = self._budget.take(limited, packed=packed)
        if end is None and limited.left:
            end = Unreadable(Why.CORRUPT, "a member is cut short")
        if end is None:
            wrong = crc is not None and zlib.crc32(content) != crc
            return content, Unreadable(Why.CORRUPT, "the checksum is another") if wrong else None, None
        if end.why is not Why.TOO_LARGE:
            return content, end, end
        if limited.left > _PASSED:
            return content, end, end
        return content, end, self._passed(limited)

    def _passed(self, limited: "Limited") -> Unreadable | None:
        """Unpack the rest of a member without keeping it."""
        try:
            while limited.read(CHUNK):
                self._budget.tick()
        except Exhausted:
            raise
        except Unreadable as error:
            return error
        return None

    def _packed(self, streams: Streams, index: int) -> list[memoryview]:
        first = sum(len(folder.packed) for folder in streams.folders[:index])
        places = streams.places[first : first + len(streams.folders[index].packed)]
        return [self._data[at : at + size] for at, size in places]

    def _content(
        self, folder: Folder, packed: list[memoryview], *, size: int, crc: int | None, what: str = "an encrypted member"
    ) -> Readable:
        """A folder's content. Raises Unreadable."""
        if not seven_zip_data.encrypted(folder):
            return seven_zip_data.unpacked(folder, packed, lambda _: None)
        if self._password is None or not self._opens(folder, packed, self._password, size=size, crc=crc):

            def attempt(password: str) -> str | None:
                self._budget.tick()
                self._tried += 1
                fits = self._tried <= _TRIES and self._opens(folder, packed, password, size=size, crc=crc)
                return password if fits else None

            found = self._budget.passwords.opened(attempt)
            if found is None:
                raise Unreadable(Why.ENCRYPTED, what)
            self._password = found
        return self._decrypted(folder, packed, self._password)

    def _opens(self, folder: Folder, packed: list[memoryview], password: str, *, size: int, crc: int | None) -> bool:
        """Whether what this password gives can be unpacked, and has its checksum where it is small enough to say."""
        try:
            limited = Limited(self._decrypted(folder, packed, password), min(size, _PLAUSIBLE))
            content = b"".join(iter(lambda: limited.read(CHUNK), b""))
        except Exhausted:
            raise
        except Unreadable as error:
            return error.why is Why.UNSUPPORTED
        return not limited.left and (size > _PLAUSIBLE or crc is None or zlib.crc32(content) == crc)

    def _decrypted(self, folder: Folder, packed: list[memoryview], password: str) -> Readable:
        def key(properties: bytes) -> tuple[bytes, bytes] | None:
            if (password, properties) not in self._keys:
                self._keys[password, properties] = seven_zip_data.derived(properties, password)
            return self._keys[password, properties]

        return seven_zip_data.unpacked(folder, packed, key)

    def _foreign(self, wanted: dict[int, Unreadable]) -> Pieces:
        """The members with these numbers, through libarchive, which gives members with content in their order."""
        number = 0
        with Unarchiver(self._data, formats=["7zip"]) as archive:
            for entry in archive.entries():
                self._budget.tick()
                if not entry.regular or not entry.size:
                    continue
                if number in wanted:
                    content, end = self._budget.take(archive, packed=len(self._data))
                    if end is not None:
                        end = wanted[number] if not content and end.why is Why.CORRUPT else end
                        yield self._document.unread(end.why, end.detail, trail=(entry.name,))
                    yield self._document.nested(content, name=entry.name or None, label="unnamed")
                number += 1


def _headless(document: Document, budget: Budget) -> Pieces:
    """The packed streams of an archive whose header is lost, by the methods that 7-Zip uses unless told otherwise."""
    data = memoryview(document.data)[START:]
    for content in _guessed(data, budget):
        found, _ = budget.take(content, packed=len(data))
        if len(found) > CHUNK or (found and len(found) > len(data) // 2):
            yield document.nested(found, name=None, label="members without a list")
            return


def _guessed(data: memoryview, budget: Budget) -> Iterator[Readable]:
    most = 2 * budget.limits.part_bytes
    for own in (
        {"id": lzma.FILTER_LZMA2, "dict_size": 64 << 20},
        {"id": lzma.FILTER_LZMA1, "dict_size": 64 << 20, "lc": 3, "lp": 0, "pb": 2},
    ):
        yield seven_zip_data.Piped(Stored(data), lzma.LZMADecompressor(lzma.FORMAT_RAW, filters=[own]), most)


def _name(file: File | None) -> str:
    return file.name if file else ""


FORMAT = Format(name="7z", media_types=("application/x-7z-compressed",), read=read, risky=True)
