"""tar (POSIX.1-2017 pax, GNU): members in order, without a copy; what follows a damaged header is not passed over."""

import re

from dlp.extract.archive import named
from dlp.extract.budget import Budget, Unreadable
from dlp.extract.document import Document
from dlp.extract.format import Format, Pieces
from dlp.extract.leftover import leftover
from dlp.extract.tar_headers import BLOCK, Extended, Header, Hole, header, more_map, pax_map, sound, text
from dlp.model import Why, Zone

_CONTENT = re.compile(rb"[^\0]")
_MAGIC = re.compile(rb"ustar")
_REGULAR, _LINKS, _EMPTY = (b"0", b"\0", b"7", b"S"), (b"1", b"2"), (b"1", b"2", b"3", b"4", b"5", b"6")
_LONGEST = 1 << 20
"""Bytes of a long name or of the records of pax that are read."""


def read(document: Document, budget: Budget) -> Pieces:
    """Files as documents inside, the names of everything else, the targets of links, attributes."""
    archive = _Archive(document, budget)
    if header(archive.block(0)) is None:
        raise Unreadable(Why.CORRUPT, "not a readable tar")
    while archive.at < len(archive.data):
        budget.tick()
        yield from archive.next()


class _Archive:
    """One archive while it is read: `at` is where the next header stands."""

    def __init__(self, document: Document, budget: Budget) -> None:
        self.data = memoryview(document.data)
        self.at = 0
        self._document = document
        self._budget = budget
        self._extended = Extended()

    def block(self, at: int) -> bytes:
        return bytes(self.data[at : at + BLOCK])

    def next(self) -> Pieces:
        """What the header at `at` and what belongs to it hold."""
        block = self.block(self.at)
        if not block.strip(b"\0"):
            self._skip_zeros()
            return
        found = header(block, self._extended)
        if found is None:
            yield from self._damaged()
            return
        self.at += BLOCK
        if found.kind in (b"L", b"K", b"x", b"X", b"g"):
            yield from self._told(found)
            return
        yield from self._member(found)
        self._extended = Extended()

    def _skip_zeros(self) -> None:
        """To the next block that is not empty: another archive may stand behind the end of this one."""
        match = _CONTENT.search(self.data, self.at)
        self.at = len(self.data) if match is None else match.start() // BLOCK * BLOCK

    def _damaged(self) -> Pieces:
        """Tell, and go on at the next header that is whole; what stands between is read as it is."""
        yield self._document.unread(Why.CORRUPT, "a member cannot be read")
        start, self._extended = self.at, Extended()
        self.at = len(self.data)
        for match in _MAGIC.finditer(self.data, start + BLOCK):
            self._budget.tick()
            place = match.start() - 257
            if place > start and sound(self.block(place)):
                self.at = place
                break
        yield from leftover(self._document, start, self.at, self._budget)

    def _told(self, found: Header) -> Pieces:
        """A header about the next member: a long name, a long target, records of pax."""
        raw = bytes(self.data[self.at : self.at + min(found.size, _LONGEST)])
        self._pass(found.size)
        if found.kind == b"L":
            self._extended.name = raw.split(b"\0", 1)[0]
        elif found.kind == b"K":
            self._extended.target = raw.split(b"\0", 1)[0]
        else:
            told = self._extended
            told.take_pax(raw)
            yield from self._document.parts((f"{line}\n" for line in told.texts), zone=Zone.PROPERTY)
            told.texts.clear()

    def _member(self, found: Header) -> Pieces:
        holes, follows = list(found.holes), found.follows
        while follows:
            self._budget.tick()
            more, follows = more_map(self.block(self.at))
            holes += more
            self.at += BLOCK
        if found.kind in _EMPTY and (not found.size or self._another()):
            yield from named(self._document, found.name, found.target if found.kind in _LINKS else "")
            return
        content = self.data[self.at : self.at + found.size]
        self._pass(found.size)
        if len(content) < found.size:
            yield self._document.unread(Why.CORRUPT, "a member is cut short", trail=(found.name,))
        if found.kind == b"D":
            yield from self._folder(found, content)
        else:
            yield from self._content(found, content, holes)

    def _content(self, found: Header, content: memoryview, holes: list[Hole]) -> Pieces:
        if found.kind not in _REGULAR:
            yield from named(self._document, "", found.target)
        if found.kind == b"M":
            yield self._document.unread(Why.CORRUPT, "begins in another volume", trail=(found.name,))
        end: Unreadable | None = None
        whole: memoryview | bytes = content
        if holes:
            whole, end = _filled(holes, content, found.real, self._budget)
        elif (told := pax_map(self._extended, content)) is not None:
            whole, end = _filled(*told, self._budget)
        self._budget.spend(len(whole))
        most = self._budget.limits.part_bytes
        if len(whole) > most:
            whole, end = whole[:most], Unreadable(Why.TOO_LARGE, "a member is larger than its limit")
        if end is not None:
            yield self._document.unread(end.why, end.detail, trail=(found.name,))
        yield self._document.nested(whole, name=found.name or None, label="unnamed")

    def _folder(self, found: Header, content: memoryview) -> Pieces:
        """A folder of an incremental archive: its names, each after a letter and before a NUL."""
        yield from named(self._document, found.name)
        names = bytes(content[:_LONGEST]).split(b"\0")
        yield from self._document.parts((f"{text(name[1:])}\n" for name in names), zone=Zone.FILENAME, trail=(found.name,))
        if len(content) > _LONGEST:
            yield self._document.unread(Why.TOO_LARGE, "a list of names is larger than its limit", trail=(found.name,))

    def _another(self) -> bool:
        """Whether a header or nothing follows at once: what needs no content may state a size all the same."""
        block = self.block(self.at)
        return not block.strip(b"\0") or sound(block)

    def _pass(self, size: int) -> None:
        self.at += -(-size // BLOCK) * BLOCK


def _filled(holes: list[Hole], content: memoryview, real: int, budget: Budget) -> tuple[bytes, Unreadable | None]:
    """A sparse member with its holes; without them where they are more than is expanded."""
    size = max([real, *(offset + length for offset, length in holes)])
    pieces: list[bytes] = []
    at = place = 0
    whole = size <= budget.limits.part_bytes and not budget.absurd(size, packed=len(content))
    for offset, length in holes:
        if whole and offset > place:
            pieces.append(bytes(offset - place))
        pieces.append(bytes(content[at : at + length]))
        at += length
        place = offset + length
        if at > len(content):
            break
    pieces.append(bytes(content[at:]))
    end = None if whole else Unreadable(Why.TOO_LARGE, "a sparse member is read without its holes")
    return b"".join(pieces), end


FORMAT = Format(name="tar", media_types=("application/x-tar",), read=read)
