"""PowerPoint 97-2003 presentations and shows ([MS-PPT]), and those of WPS Presentation, which are the same.

The stream is a sequence of records whose containers hold records; it is walked flat, from header to header. What an earlier
save left in the file and a later one replaced is read as well, as hidden.
"""

import struct
from collections.abc import Callable, Iterator

from dlp.extract import office_art
from dlp.extract.budget import Budget, Exhausted, Unreadable
from dlp.extract.compound import Compound
from dlp.extract.document import Document
from dlp.extract.format import Format, Pieces
from dlp.extract.office_art import CONTAINER, HEADER
from dlp.extract.ole import other_streams
from dlp.extract.passwords import OPENED
from dlp.extract.strings import strings
from dlp.extract.unlock import unlocked
from dlp.model import Why, Zone

_OWN = frozenset({"powerpoint document", "current user", "pictures"})
_ENCRYPTED = 0xF3D1C4DF
"""The token of an encrypted document in the "Current User" stream (2.3.2)."""
_DOCUMENT, _SLIDE, _NOTES, _MASTER, _HANDOUT = 0x03E8, 0x03EE, 0x03F0, 0x03F8, 0x0FC9
_PERSIST_DIRECTORY, _CRYPT_SESSION = 0x1772, 0x2F14
_SLIDE_LIST, _SLIDE_PERSIST, _NOTES_ATOM = 0x0FF0, 0x03F3, 0x03F1
_CHARS, _BYTES, _STRING, _TEXT_HEADER = 0x0FA0, 0x0FA8, 0x0FBA, 0x0F9F
_PLACEHOLDER, _SHAPE = 0x0BC3, 0xF004
_HEADERS_FOOTERS, _COMMENT, _TAG_BLOB, _ENVIRONMENT = 0x0FD9, 0x2EE0, 0x138B, 0x03F2
_OBJECT, _SOUND = 0x1011, 0x07E7
"""Record types (2.13.24)."""
_TOP = {_SLIDE: Zone.BODY, _NOTES: Zone.NOTE, _MASTER: Zone.HEADER, _HANDOUT: Zone.HEADER}
"""What a master says is on every slide, as a header is on every page."""
_LISTS = (Zone.BODY, Zone.HEADER, Zone.NOTE)
"""Texts of slides, masters and notes kept in the document's outline, by the list's instance (2.4.14.3)."""
_TITLES = (0, 6)
"""Types of text that are titles (2.13.33)."""
_PLACEHOLDERS = {0x07: Zone.FOOTER, 0x09: Zone.FOOTER, 0x0A: Zone.HEADER, 0x01: Zone.TITLE, 0x03: Zone.TITLE}
_PLACEHOLDERS |= {0x0D: Zone.TITLE, 0x0F: Zone.TITLE}
"""Dates, footers, headers, titles of masters and of slides (2.13.22)."""

_OPTIONS = frozenset(office_art.OPTIONS)
_DOCUMENTS = frozenset({_OBJECT, _SOUND, *office_art.BLIPS})
_TICKED = 1 << 14
"""Bytes of records from one look at the clock to the next."""
_CONTAINERS = {_HEADERS_FOOTERS: Zone.FOOTER, _COMMENT: Zone.COMMENT}

Key = tuple[int | None, Zone]


def read(document: Document, budget: Budget) -> Pieces:
    """The slides in their order, each with its number, then everything else; the objects and pictures as documents."""
    compound = Compound(document.data, budget)
    try:
        yield from _presentation(document, compound, budget)
    except Exhausted:
        raise
    except Unreadable as error:  # the objects and properties in the file are read all the same
        yield document.unread(error.why, error.detail)
        yield from document.parts(strings(document.data), zone=Zone.RAW)
    yield from other_streams(document, compound, budget, read=_OWN)


def _presentation(document: Document, compound: Compound, budget: Budget) -> Pieces:
    stream, user, pictures = (_stream(compound, name) for name in ("PowerPoint Document", "Current User", "Pictures"))
    deck = _Deck(stream, budget)
    if deck.encrypted or user[12:16] == _ENCRYPTED.to_bytes(4, "little"):
        yield from _encrypted(document, compound, budget)
        return
    inside = list(deck.walk(document))
    yield from deck.parts(document)
    yield from inside
    yield from office_art.drawings(document, pictures, budget)
    if deck.damage:
        yield document.unread(Why.CORRUPT, "records of the presentation are cut short")


def _stream(compound: Compound, name: str) -> bytes:
    path = compound.find(name)
    return b"" if path is None else compound.read(path)


def _encrypted(document: Document, compound: Compound, budget: Budget) -> Pieces:
    plain = unlocked(document.data, budget)
    if plain is None:
        yield document.unread(Why.ENCRYPTED, "the presentation is encrypted")
        return
    yield document.nested(plain, name=None, label=OPENED)
    path = compound.find("Pictures")
    if path is not None and compound.streams[path]:
        yield document.unread(Why.ENCRYPTED, "the pictures are encrypted", trail=("Pictures",))


class _Deck:
    """The records of a presentation, and the texts found in them by slide and zone."""

    def __init__(self, data: bytes, budget: Budget) -> None:
        self.damage = False
        self._data, self._budget = data, budget
        self._texts: dict[Key, list[str]] = {}
        self._shapes = office_art.Shapes()
        self._top = list(self._records())
        self.encrypted = any(kind == _CRYPT_SESSION for kind, *_ in self._top)
        self._persisted = self._directory()
        self._numbers: dict[int, int] = {}  # of slides, by their places
        self._identified: dict[int, int] = {}  # of slides, by their identifiers
        self._page: int | None = None
        self._stale = False
        self._placed: Zone | None = None
        self._atoms: dict[int, Callable[[int, bytes, Zone], None]] = {
            _CHARS: self._chars,
            _BYTES: self._bytes,
            _STRING: self._string,
            _TEXT_HEADER: self._text_header,
            _PLACEHOLDER: self._placeholder,
            _SLIDE_PERSIST: self._slide,
        }

    def walk(self, document: Document) -> Pieces:
        """Go through everything, the outline first, which numbers the slides; yields the documents inside."""
        current = set(self._persisted.values())
        for kind, at, body, end in sorted(self._top, key=lambda record: record[0] != _DOCUMENT):
            self._stale = bool(current) and at not in current and (kind in _TOP or kind == _DOCUMENT)
            self._page = self._number(kind, at, body)
            yield from self._inside(document, at, end, _TOP.get(kind, Zone.HIDDEN))

    def parts(self, document: Document) -> Pieces:
        """The texts, slide by slide, then those of no slide."""
        start = True
        for (page, zone), texts in sorted(self._texts.items(), key=lambda item: item[0][0] or 1 << 30):
            yield from document.parts(texts, zone=zone, page=page, start=start and zone is Zone.BODY)
            start = start and zone is not Zone.BODY
        yield from office_art.worded(document, self._shapes.texts)

    def _records(self) -> Iterator[tuple[int, int, int, int]]:
        """Type, place, first byte of the content and end of each record that is in no other."""
        at = 0
        while at + 8 <= len(self._data):
            self._budget.tick()
            _, kind, size = HEADER.unpack_from(self._data, at)
            end = at + 8 + size
            if end > len(self._data):
                self.damage, end = True, len(self._data)
            yield kind, at, at + 8, end
            at = end

    def _directory(self) -> dict[int, int]:
        """Where each persistent object stands, as of the last save (2.3.4)."""
        places: dict[int, int] = {}
        for kind, _, body, end in self._top:
            while kind == _PERSIST_DIRECTORY and body + 4 <= end:
                (entry,) = struct.unpack_from("<I", self._data, body)
                first, count = entry & 0xFFFFF, min(entry >> 20, (end - body - 4) // 4)
                places.update(enumerate(struct.unpack_from(f"<{count}I", self._data, body + 4), first))
                body += 4 + 4 * count
        return places

    def _number(self, kind: int, at: int, body: int) -> int | None:
        """The number of the slide that a record is, or that its notes belong to."""
        if kind == _SLIDE:
            return self._numbers.get(at)
        if kind == _NOTES and self._data[body + 2 : body + 4] == _NOTES_ATOM.to_bytes(2, "little"):
            return self._identified.get(int.from_bytes(self._data[body + 8 : body + 12], "little"))
        return None

    def _inside(self, document: Document, at: int, end: int, zone: Zone) -> Pieces:
        """The records from `at` to `end`; none reaches beyond the container that it is in, whatever it states."""
        data, unpack, atoms = self._data, HEADER.unpack_from, self._atoms
        around: list[tuple[int, Zone]] = []
        stop, ticked = end, -1
        while at + 8 <= end:
            if at > ticked:
                self._budget.tick()
                ticked = at + _TICKED
            while at >= stop:
                stop, zone = around.pop()
            version, kind, size = unpack(data, at)
            body = at + 8
            at = body + size
            if at > stop:
                at = stop
            if version & 0xF == CONTAINER or kind == _TAG_BLOB:
                if kind == _SHAPE:
                    self._placed = None
                if kind != _ENVIRONMENT and body < at:
                    around.append((stop, zone))
                    stop, zone, at = at, _zone(kind, version >> 4, zone), body
            elif kind in atoms:
                atoms[kind](version >> 4, data[body:at], zone)
            elif at - body <= 8:
                continue
            elif kind in _OPTIONS:
                if at - body > office_art.PROPERTY * (version >> 4):
                    yield from office_art.options(document, data[body:at], version >> 4, self._budget, self._shapes)
            elif kind in _DOCUMENTS:
                yield from self._nested(document, kind, version >> 4, memoryview(data)[body:at])
            elif data.startswith(b"PK\3\4", body, at):
                yield from office_art.package(document, data[body:at], self._budget, self._shapes)

    def _nested(self, document: Document, kind: int, instance: int, body: memoryview) -> Pieces:
        """What is a document of its own: a picture, an object, a sound."""
        if kind in office_art.BLIPS:
            yield from office_art.blip(document, kind, instance, body, self._budget)
        elif kind == _OBJECT:
            content, end = office_art.inflated(body[4:], self._budget) if instance & 1 else (body, None)
            if end is not None:
                yield document.unread(end.why, end.detail, trail=("object",))
            yield document.nested(content, name=None, label="object")
        else:
            yield document.nested(body, name=None, label="sound")

    def _add(self, zone: Zone, text: str) -> None:
        key = (None, Zone.HIDDEN) if self._stale else (self._page, zone)
        self._texts.setdefault(key, []).append(text.replace("\r", "\n").replace("\x0b", "\n") + "\n")

    def _chars(self, instance: int, body: bytes, zone: Zone) -> None:
        self._text(zone, body.decode("utf-16-le", "replace"))

    def _bytes(self, instance: int, body: bytes, zone: Zone) -> None:
        self._text(zone, body.decode("latin-1"))

    def _text(self, zone: Zone, text: str) -> None:
        self._add(self._placed if self._placed is not None and zone is Zone.BODY else zone, text)

    def _string(self, instance: int, body: bytes, zone: Zone) -> None:
        """A string has its meaning from what it is in: a header or footer (2.4.15), a comment (2.5.26), else names and links."""
        if zone is Zone.FOOTER:
            zone = Zone.HEADER if instance == 1 else Zone.FOOTER
        elif zone is not Zone.COMMENT:
            zone = Zone.HIDDEN
        self._add(zone, body.decode("utf-16-le", "replace"))

    def _text_header(self, instance: int, body: bytes, zone: Zone) -> None:
        if body and body[0] in _TITLES:
            self._placed = Zone.TITLE
        elif self._placed is Zone.TITLE:
            self._placed = None

    def _placeholder(self, instance: int, body: bytes, zone: Zone) -> None:
        self._placed = _PLACEHOLDERS.get(body[4]) if len(body) > 4 else None

    def _slide(self, instance: int, body: bytes, zone: Zone) -> None:
        """The texts of the next slide follow, in the document's outline (2.4.14.5)."""
        self._page = self._placed = None
        if zone is Zone.BODY and not self._stale and len(body) >= 16:
            reference, _, _, identifier = struct.unpack_from("<IIII", body)
            self._page = len(self._numbers) + 1
            self._numbers[self._persisted.get(reference, -self._page)] = self._page
            self._identified[identifier] = self._page


def _zone(kind: int, instance: int, zone: Zone) -> Zone:
    """The zone of the texts in a container that stands in `zone`."""
    if kind == _SLIDE_LIST:
        return _LISTS[min(instance, 2)]
    return _CONTAINERS.get(kind, zone)


FORMAT = Format(name="ppt", media_types=("application/vnd.ms-powerpoint",), read=read)
