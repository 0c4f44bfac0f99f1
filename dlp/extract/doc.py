"""Word 97-2003 documents and templates ([MS-DOC]), those of WPS Writer, which are the same, and the text of Word 6 and 95."""

import re
import struct
from collections.abc import Iterator

from dlp.extract import office_art
from dlp.extract.budget import Budget, Exhausted, Unreadable
from dlp.extract.charset import decode
from dlp.extract.compound import Compound
from dlp.extract.document import Document
from dlp.extract.format import Format, Pieces
from dlp.extract.ole import other_streams
from dlp.extract.passwords import OPENED
from dlp.extract.strings import strings
from dlp.extract.unlock import unlocked
from dlp.extract.word_fib import Fib, Place
from dlp.extract.word_text import Text
from dlp.model import Part, Why, Zone

_OWN = frozenset({"worddocument", "0table", "1table", "data"})
_TABLES = (
    (Place.ASSOCIATED, Zone.PROPERTY),
    (Place.AUTHORS, Zone.PROPERTY),
    (Place.VARIABLES, Zone.PROPERTY),
    (Place.SAVED_BY, Zone.PROPERTY),
    (Place.FILES, Zone.PROPERTY),
    (Place.BOOKMARKS, Zone.HIDDEN),
    (Place.FORM_FIELDS, Zone.HIDDEN),
    (Place.CAPTIONS, Zone.HIDDEN),
    (Place.GLOSSARY, Zone.HIDDEN),
)
"""Tables of strings (2.2.4): title and author, revisers, variables, who saved where, linked files; bookmarks, lists of choices,
labels of captions, names of building blocks."""
_MOST = 100_000
"""Strings of one table that are read."""
_PICF = 68
"""Bytes of a picture's header in the Data stream (2.9.190)."""
_SHAPE, _SHAPE_FILE, _METAFILE = 0x64, 0x66, 0x08
_LEVELS = 9
_CONTROLS = re.compile(r"[\x00-\x1f]+")


def read(document: Document, budget: Budget) -> Pieces:
    """The stories in their zones, then the tables of strings, pictures, and what else stands in the file."""
    compound = Compound(document.data, budget)
    try:
        yield from _document(document, compound, budget)
    except Exhausted:
        raise
    except Unreadable as error:  # the objects in the file are read all the same
        yield document.unread(error.why, error.detail)
        yield from document.parts(strings(document.data), zone=Zone.RAW)
    yield from other_streams(document, compound, budget, read=_OWN)


def _document(document: Document, compound: Compound, budget: Budget) -> Pieces:
    main = _stream(compound, "WordDocument")
    fib = Fib(main)
    if fib.encrypted:
        yield from _encrypted(document, budget)
        return
    table = main if fib.ansi else _stream(compound, fib.table)
    yield from _stories(document, fib, main, table, budget)
    if fib.glossary:
        yield from _glossary(document, main, table, fib.glossary, budget)
    yield from _words(document, fib, table, budget)
    if not fib.ansi:
        yield from _drawings(document, fib, main, table, budget)
        yield from _data(document, _stream(compound, "Data"), budget)
        # What an earlier save left behind.
        unused = _stream(compound, "0Table" if fib.table == "1Table" else "1Table")
        yield from document.parts(strings(unused), zone=Zone.HIDDEN)


def _stream(compound: Compound, name: str) -> bytes:
    path = compound.find(name)
    return b"" if path is None else compound.read(path)


def _encrypted(document: Document, budget: Budget) -> Pieces:
    plain = unlocked(document.data, budget)
    if plain is None:
        yield document.unread(Why.ENCRYPTED, "the document is encrypted")
    else:
        yield document.nested(plain, name=None, label=OPENED)


def _stories(document: Document, fib: Fib, main: bytes, table: bytes, budget: Budget) -> Pieces:
    text = Text(fib, main, table, budget)
    hidden: list[str] = []
    start = True
    for story in text.stories():
        if not (story.shown or story.hidden):
            continue  # of a section without headers, say
        for part in document.parts([story.shown], zone=story.zone, start=start and story.zone is Zone.BODY):
            start = start and story.zone is not Zone.BODY
            yield part
        if story.hidden:
            hidden.append(story.hidden + "\n")
    yield from document.parts(hidden, zone=Zone.HIDDEN)
    if fib.fast_saved:
        yield from document.parts(_left_over(fib, main, text), zone=Zone.HIDDEN)
    if text.damage:
        yield document.unread(Why.CORRUPT, "pieces of the text are missing")


def _left_over(fib: Fib, main: bytes, text: Text) -> Iterator[str]:
    """Text that a fast save has taken out of the document and left in the file."""
    gaps: list[bytes] = []
    at = fib.first
    for piece in sorted(text.pieces, key=lambda piece: piece.offset):
        if piece.offset > at:
            gaps.append(main[at : piece.offset])
        at = max(at, piece.offset + piece.width * (piece.end - piece.start))
    return strings(bytes(4).join((*gaps, main[at : fib.end])))


def _glossary(document: Document, main: bytes, table: bytes, at: int, budget: Budget) -> Pieces:
    """The building blocks of a template, which are a document beside the document (2.5.2, pnNext)."""
    try:
        fib = Fib(main, at)
    except Unreadable as error:
        yield document.unread(error.why, error.detail, trail=("AutoText",))
        return
    texts = [text for story in Text(fib, main, table, budget).stories() for text in (story.shown, "\n", story.hidden, "\n")]
    yield from document.parts(texts, zone=Zone.HIDDEN, trail=("AutoText",))
    yield from _words(document, fib, table, budget)


def _words(document: Document, fib: Fib, table: bytes, budget: Budget) -> Iterator[Part]:
    """Strings that stand in tables of their own."""
    for place, zone in _TABLES:
        held = fib.of(table, place)
        if held:
            budget.tick()
            yield from document.parts((word + "\n" for word in _string_table(held) if word), zone=zone)
    commenters = fib.of(table, Place.COMMENTERS)
    if commenters:
        yield from document.parts((name + "\n" for name in _counted(commenters)), zone=Zone.COMMENT)
    for place in (Place.ROUTING, Place.AUTOSAVED):
        held = fib.of(table, place)
        if held:
            yield from document.parts(strings(held), zone=Zone.PROPERTY)
    yield from document.parts((level + "\n" for level in _levels(fib, table)), zone=Zone.HIDDEN)


def _string_table(data: bytes) -> Iterator[str]:
    """An STTB, in Unicode or not (2.2.4), and the counted strings that may follow it, as the values of variables do (2.9.303)."""
    wide = data[:2] == b"\xff\xff"
    at = 2 if wide else 0
    if len(data) < at + 4:
        return
    count, extra = struct.unpack_from("<HH", data, at)
    at += 4
    for _ in range(count):
        if at + 2 > len(data):
            return
        if wide:
            size = 2 * int.from_bytes(data[at : at + 2], "little")
            yield data[at + 2 : at + 2 + size].decode("utf-16-le", "replace")
            at += 2 + size + extra
        else:
            size = data[at]
            yield decode(data[at + 1 : at + 1 + size], None)
            at += 1 + size + extra
    yield from _counted(data[at:])


def _counted(data: bytes) -> Iterator[str]:
    """Strings that each begin with the number of their characters (2.9.355)."""
    at = 0
    for _ in range(_MOST):
        if at + 2 > len(data):
            return
        size = 2 * int.from_bytes(data[at : at + 2], "little")
        if size:
            yield data[at + 2 : at + 2 + size].decode("utf-16-le", "replace").rstrip("\0")
        at += 2 + size


def _levels(fib: Fib, table: bytes) -> Iterator[str]:
    """What stands before and after the numbers of lists (2.9.131, 2.9.150): it is shown, and in no story."""
    offset, length = fib.place(Place.LISTS)
    held = table[offset : offset + length]
    if len(held) < 2:
        return
    count = int.from_bytes(held[:2], "little")
    known: set[str] = set()
    seen: set[bytes] = set()
    at = offset + length
    for flags in held[2 + 26 : 2 + 28 * count : 28]:
        for _ in range(1 if flags & 1 else _LEVELS):
            if at + 30 > len(table):
                return
            at += 28 + table[at + 24] + table[at + 25]
            size = 2 * int.from_bytes(table[at : at + 2], "little")
            level = table[at + 2 : at + 2 + size]
            at += 2 + size
            if level in seen:
                continue
            seen.add(level)
            words = _CONTROLS.sub("", level.decode("utf-16-le", "replace")).strip()
            if len(words) > 1 and words not in known:
                known.add(words)
                yield words


def _drawings(document: Document, fib: Fib, main: bytes, table: bytes, budget: Budget) -> Pieces:
    """The shapes (2.9.172): those common to the document, then behind a byte each those of the body and of the headers."""
    held = memoryview(fib.of(table, Place.DRAWINGS))
    while len(held) >= 8:
        size = 8 + int.from_bytes(held[4:8], "little")
        yield from office_art.drawings(document, held[:size], budget, delayed=main)
        held = held[size + 1 :]


def _data(document: Document, data: bytes, budget: Budget) -> Pieces:
    """Pictures in the text, form fields and hyperlinks, which the Data stream holds one after the other (2.3.6).

    They are found by their headers and not by the characters that stand for them, so none is missed.
    """
    links: list[bytes] = []
    view = memoryview(data)
    at = data.find(b"\x44\0", 4)
    while at >= 0:
        budget.tick()
        start = at - 4
        (size,) = struct.unpack_from("<I", data, start)
        if not _PICF <= size <= len(data) - start:
            at = data.find(b"\x44\0", at + 1)
            continue
        yield from _picture(document, view[start : start + size], budget, links)
        at = data.find(b"\x44\0", start + size + 4)
    if links:
        yield from document.parts(strings(bytes(4).join(links)), zone=Zone.HIDDEN)


def _picture(document: Document, data: memoryview, budget: Budget, links: list[bytes]) -> Pieces:
    (kind,) = struct.unpack_from("<H", data, 6)
    body = data[_PICF:]
    if kind == _SHAPE_FILE and body:
        name, body = bytes(body[1 : 1 + body[0]]), body[1 + body[0] :]
        yield from document.parts([decode(name, None)], zone=Zone.HIDDEN)
    if kind in (_SHAPE, _SHAPE_FILE):
        yield from office_art.drawings(document, body, budget)
    elif kind == _METAFILE:
        yield document.nested(body, name=None, label="picture")
    elif bytes(body[:4]) == b"\xff\xff\xff\xff":  # a form field (2.9.78): name, default, format, help and status, macros, choices
        yield from document.parts((word + "\n" for word in _form_field(bytes(body))), zone=Zone.HIDDEN)
    else:
        links.append(bytes(body))


def _form_field(body: bytes) -> Iterator[str]:
    at = 10
    text = body[4:5] and body[4] & 0b11 == 0
    for number in range(7):
        if number == 1 and not text:
            at += 2  # a check box or a list has a number for its default
            continue
        size = 2 * int.from_bytes(body[at : at + 2], "little")
        yield body[at + 2 : at + 2 + size].decode("utf-16-le", "replace")
        at += 4 + size
    yield from _string_table(body[at:])


FORMAT = Format(name="doc", media_types=("application/msword",), read=read)
