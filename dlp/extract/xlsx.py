"""Excel workbooks (ECMA-376 part 1, section 18): cells in rows, with the strings they refer to; numbers as stored."""

import re
from collections.abc import Iterator
from decimal import Decimal

from dlp.extract.budget import Budget
from dlp.extract.document import Document
from dlp.extract.format import Format, Pieces
from dlp.extract.markup import attributes, tags, unescape
from dlp.extract.office import Flow, Reader, flowed, read_package, stream
from dlp.extract.sniff import XLSX
from dlp.extract.zipped import Member, Package
from dlp.model import Part, Unscannable, Zone

_SHEET = re.compile(r"xl/worksheets/sheet(\d{1,6})\.xml", re.IGNORECASE)
_CELL = re.compile(r"<(?:\w{1,20}:)?(c|v|t|f|is)\b([^<>]*)>([^<]*)|</(?:\w{1,20}:)?(row|rPh)>|<(?:\w{1,20}:)?(rPh)\b")
_KIND = re.compile(r"\bt\s?=\s?[\"'](\w{1,12})[\"']")
_END = re.compile(r"</(?:\w{1,20}:)?sheetData\s*>")
_LARGE = re.compile(r"-?\d(?:\.\d{1,17})?E\+\d{1,2}")
_ZONES = (
    (re.compile(r"xl/(?:threadedC|c)omments", re.IGNORECASE), Zone.COMMENT),
    (re.compile(r"xl/drawings/", re.IGNORECASE), Zone.TEXTBOX),
    (re.compile(r"xl/(?:charts|diagrams)/", re.IGNORECASE), Zone.BODY),
    (re.compile(r"xl/(?:styles|theme)", re.IGNORECASE), Zone.HIDDEN),
)
_HIDDEN_STATES = frozenset({"hidden", "veryHidden"})


class _Workbook:
    """What the sheets need of the other parts: the shared strings, and each sheet's name and state."""

    def __init__(self) -> None:
        self.strings: list[str] = []
        self.used: set[int] = set()
        self.sheets: dict[str, tuple[str, bool]] = {}
        self.begun = False

    def string(self, index: str) -> str:
        """The shared string a cell refers to; "" where there is none."""
        place = int(index) if index.isascii() and index.isdigit() and len(index) < 10 else -1
        if not 0 <= place < len(self.strings):
            return ""
        self.used.add(place)
        return self.strings[place]


def read(document: Document, budget: Budget) -> Pieces:
    """The sheets, each under its name; strings that no cell shows; every other part."""
    book = _Workbook()
    faults: list[Unscannable] = []

    def reader(package: Package) -> Reader:
        package.members.sort(key=lambda member: int(match.group(1)) if (match := _SHEET.fullmatch(member.name)) else 1 << 30)
        parts = {member.name.lower(): member for member in package.members if not member.encrypted}
        faults.extend(_prepare(document, package, parts, budget, book))

        def sheet(member: Member) -> Pieces | None:
            if member.encrypted:
                return None
            if _SHEET.fullmatch(member.name):
                return _sheet(document, package, member, budget, book)
            return iter(()) if member.name.lower() == "xl/sharedstrings.xml" else None

        return sheet

    yield from read_package(document, budget, zone_of=_zone, reader=reader)
    yield from faults
    left = (f"{text}\n" for place, text in enumerate(book.strings) if place not in book.used)
    yield from document.parts(left, zone=Zone.HIDDEN)


def _prepare(
    document: Document, package: Package, parts: dict[str, Member], budget: Budget, book: _Workbook
) -> Iterator[Unscannable]:
    if (member := parts.get("xl/sharedstrings.xml")) is not None:
        yield from _strings(document, package, member, budget, book.strings)
    targets: dict[str, str] = {}
    if (member := parts.get("xl/_rels/workbook.xml.rels")) is not None:
        for piece in stream(document, package, member, budget):
            if isinstance(piece, str):
                targets |= _targets(piece)
    if (member := parts.get("xl/workbook.xml")) is not None:
        for piece in stream(document, package, member, budget):
            for tag in tags(piece) if isinstance(piece, str) else ():
                if tag.name == "sheet" and tag.kind == "":
                    given = {key.rpartition(":")[2]: value for key, value in attributes(tag.inside)}
                    path = targets.get(given.get("id", ""), "")
                    book.sheets[path] = (given.get("name", ""), given.get("state", "") in _HIDDEN_STATES)


def _targets(markup: str) -> dict[str, str]:
    """Relationship ids and the parts they mean, relative to xl/ (ECMA-376 part 2, 8.3)."""
    found: dict[str, str] = {}
    for tag in tags(markup):
        given = dict(attributes(tag.inside))
        if "Id" in given and "Target" in given:
            target = given["Target"]
            found[given["Id"]] = (target.lstrip("/") if target.startswith("/") else f"xl/{target}").lower()
    return found


def _strings(document: Document, package: Package, member: Member, budget: Budget, into: list[str]) -> Iterator[Unscannable]:
    """The shared strings; phonetic runs, which repeat a string in another script, stand apart."""
    held: list[str] = []
    phonetic: list[str] = []
    reading = held
    for piece in stream(document, package, member, budget):
        if isinstance(piece, Unscannable):
            yield piece
            continue
        for tag in tags(piece):
            if tag.name == "rPh":
                reading = held if tag.kind == "/" else phonetic
            elif tag.name == "t" and tag.kind == "":
                reading.append(tag.text)
            elif tag.name == "si" and (tag.kind == "/" or tag.empty):
                into.append("".join(held))
                held.clear()
    into.extend(["".join(held)] if held else [])
    into.extend(phonetic)


def _sheet(document: Document, package: Package, member: Member, budget: Budget, book: _Workbook) -> Iterator[Part | Unscannable]:
    name, hidden = book.sheets.get(member.name.lower(), (member.name.rsplit("/", 1)[-1], False))
    zone = Zone.HIDDEN if hidden else Zone.BODY
    page = list(book.sheets).index(member.name.lower()) + 1 if member.name.lower() in book.sheets else None
    rest = Flow(Zone.HIDDEN)
    faults: list[Unscannable] = []
    cells = _cells(stream(document, package, member, budget), book, budget, rest, faults)
    yield from document.parts(cells, zone=zone, trail=(name,), page=page, start=not hidden and not book.begun)
    book.begun = book.begun or not hidden
    yield from flowed(document, rest, Zone.HIDDEN, page=page, trail=(name,))
    yield from faults


def _cells(
    pieces: Iterator[str | Unscannable], book: _Workbook, budget: Budget, rest: Flow, faults: list[Unscannable]
) -> Iterator[str]:
    """The values of a sheet's cells, tabs between them and a line end after a row; all else goes to `rest`."""
    kind, ended = "", False
    phonetic = False
    for piece in pieces:
        if isinstance(piece, Unscannable):
            faults.append(piece)
            continue
        end = None if ended else _END.search(piece)
        table = "" if ended else piece[: end.start()] if end else piece
        size = 0
        for match in _CELL.finditer(table):
            name, inside, text, closed, opened = match.groups()
            if name == "c":
                found = _KIND.search(inside)
                kind = found.group(1) if found else ""
                yield "\t"
            elif name == "v":
                value = book.string(text) if kind == "s" else _number(unescape(text))
                size += len(value)
                yield value
            elif name == "t":
                yield "" if phonetic else unescape(text)
            if name == "f" or (name == "t" and phonetic):
                rest.add(Zone.HIDDEN, unescape(text) + "\n")
            elif closed == "row":
                yield "\n"
            phonetic = (phonetic or opened is not None) and closed != "rPh"
            if size > 1 << 20:
                # A short cell may refer to a long string any number of times.
                budget.spend(size)
                size = 0
        budget.spend(size)
        rest.feed(piece[end.start() :] if end else piece if ended else "")
        ended = ended or end is not None


def _number(value: str) -> str:
    """A number as stored, but with its digits written out where Excel writes an exponent (an account number, say)."""
    return format(Decimal(value), "f") if _LARGE.fullmatch(value) else value


def _zone(name: str) -> Zone | None:
    return next((zone for pattern, zone in _ZONES if pattern.match(name) and not name.endswith(".rels")), None)


FORMAT = Format(name="xlsx", media_types=(XLSX,), read=read)
