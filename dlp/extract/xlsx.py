"""Excel workbooks (ECMA-376 part 1, section 18): cells in rows, with their strings; numbers as displayed, and stored."""

import re
from collections.abc import Iterable, Iterator
from decimal import Decimal
from xml.sax.saxutils import escape

from dlp.extract.biff import truth
from dlp.extract.budget import Budget
from dlp.extract.document import Document
from dlp.extract.format import Format, Pieces
from dlp.extract.grid import Grid
from dlp.extract.markup import attributes, tags, unescape
from dlp.extract.number_format import CellFormats
from dlp.extract.office import Flow, Reader, flowed, read_package, stream, xml_part
from dlp.extract.sheet_list import PRINTER, SheetList, printer, targets
from dlp.extract.sniff import XLSX
from dlp.extract.zipped import Member, Package
from dlp.model import Part, Unscannable, Zone

_SHEET = re.compile(r"xl/(?:work|macro|dialog)sheets/[^/]{1,200}\.xml", re.IGNORECASE)
_P = r"(?:\w{1,20}:)?"
# A cell with what most cells have, a formula and a value; everything else tag by tag.
_CELL = re.compile(
    rf"""(?x)
    (?:<{_P}c\b[^<>/]*/>)+  # cells with nothing but a style, of which there are many
    | <{_P}c\b (?:\ r="([A-Z]{{1,3}})\d{{1,7}}")? ([^<>]*)>
        (?: <{_P}f\b[^<>]*> (?: ([^<]*) </{_P}f>)? )?
        (?: <{_P}v\b[^<>]*> ([^<]*) </{_P}v> (?:</{_P}c>)? )?
    | <{_P}(v|t|f|row|rPh|col)\b([^<>]*)>([^<]*)
    | </{_P}(row|rPh|c)>
    """
)
_STRING = re.compile(
    rf"""(?x)
    <{_P}si\b[^<>]*> (?: <{_P}t\b[^<>/]*> ([^<]*) </{_P}t></{_P}si> )?
    | <{_P}(t|rPh)\b[^<>]*>([^<]*)
    | </{_P}(si|rPh)>
    """
)
_STYLE = re.compile(rf"<{_P}(numFmt|xf|cellXfs)\b([^<>]*)|</{_P}(cellXfs)")
_CODE = re.compile(r"\bnumFmtId\s?=\s?[\"'](\d{1,9})[\"']")
_KIND = re.compile(r"\bt\s?=\s?[\"'](\w{1,12})[\"']")
_LOOK = re.compile(r"\bs\s?=\s?[\"'](\d{1,7})[\"']")
_PLACE = re.compile(r"\br\s?=\s?[\"']([A-Z]{1,3})")
_HIDDEN = re.compile(r"\bhidden\s?=\s?[\"'](?:1|true)[\"']")
_BEGIN = re.compile(rf"<{_P}sheetData\b")
_END = re.compile(rf"</{_P}sheetData\s*>|<{_P}sheetData\s*/>")
_EXPONENT = re.compile(r"-?\d(?:\.\d{1,17})?[Ee][+-]?\d{1,3}")
_CHAINED = re.compile(r"<c(?: [a-z]=\"[A-Z0-9]{1,12}\"){1,8} ?/>")
_ITEM = re.compile(rf"<{_P}[sndeb]\b[^<>]*?\bv\s?=\s?\"([^\"<]*)\"")
_ZONES = (
    (re.compile(r"xl/(?:threadedC|c)omments", re.IGNORECASE), Zone.COMMENT),
    (re.compile(r"xl/drawings/", re.IGNORECASE), Zone.TEXTBOX),
    (re.compile(r"xl/(?:charts|diagrams)/", re.IGNORECASE), Zone.BODY),
    (re.compile(r"xl/(?:styles|theme)", re.IGNORECASE), Zone.HIDDEN),
)
_HIDDEN_STATES = frozenset({"hidden", "veryHidden"})
_REMEMBERED = 4096
"""Kinds of cells (style and type) that are remembered."""
_LONG = 64
"""Characters of the attributes of a cell that is remembered."""

Look = tuple[int, str, bool]
"""A cell's style, the type of its value, and whether it has the General format."""
_PLAIN: Look = (0, "", True)


def read(document: Document, budget: Budget) -> Pieces:
    """The sheets in the workbook's order, each under its name; strings that no cell shows; every other part."""
    book = _Workbook(document, budget)

    def reader(package: Package) -> Reader:
        book.prepare(package)
        package.members.sort(key=book.sheets.place)
        return book.part

    yield from read_package(document, budget, zone_of=_zone, reader=reader)
    yield from book.rest()


class _Workbook:
    """One workbook on the way through its parts."""

    def __init__(self, document: Document, budget: Budget) -> None:
        self.sheets = SheetList()
        self._document = document
        self._budget = budget
        self._package: Package
        self._strings: list[str] = []
        self._aside: list[str] = []
        self._used = bytearray()
        self._formats = CellFormats()
        self._faults: list[Unscannable] = []
        self.looks: dict[str, Look] = {}

    def prepare(self, package: Package) -> None:
        """Read what the sheets need of the other parts: the shared strings, the styles, each sheet's name and state."""
        self._package = package
        parts = {member.name.lower(): member for member in package.members if not member.encrypted}
        self._share(parts.get("xl/sharedstrings.xml"))
        self._style(parts.get("xl/styles.xml"))
        related = targets(self._document, package, parts.get("xl/_rels/workbook.xml.rels"), self._budget)
        for piece in self._markup(parts.get("xl/workbook.xml")):
            for tag in tags(piece):
                if tag.kind == "" and tag.name in ("sheet", "workbookPr"):
                    given = {key.rpartition(":")[2]: value for key, value in attributes(tag.inside)}
                    if tag.name == "sheet":
                        path = related.get(given.get("id", ""), "")
                        self.sheets.add(path, given.get("name", ""), hidden=given.get("state", "") in _HIDDEN_STATES)
                    else:
                        self._formats.from_1904 = given.get("date1904", "") in ("1", "true")

    def _markup(self, member: Member | None) -> Iterator[str]:
        """The markup of a part; what breaks it off is noted."""
        if member is None:
            return
        for piece in stream(self._document, self._package, member, self._budget):
            if isinstance(piece, Unscannable):
                self._faults.append(piece)
            else:
                yield piece

    def _share(self, member: Member | None) -> None:
        """The shared strings; phonetic runs, which repeat a string in another script, stand apart."""
        held: list[str] = []
        reading = held
        add = self._strings.append
        for piece in self._markup(member):
            for match in _STRING.finditer(self._plain(piece)):
                whole, name, text, closed = match.groups()
                if whole is not None:
                    add(unescape(whole))
                elif name == "t":
                    reading.append(unescape(text))
                elif name == "rPh":
                    reading = self._aside
                elif closed == "rPh":
                    reading = held
                elif closed == "si" or match.group().endswith("/>"):
                    add("".join(held))
                    held.clear()
        self._strings += ["".join(held)] if held else []
        self._used = bytearray(len(self._strings))

    def _style(self, member: Member | None) -> None:
        """Which format code each style of cells has."""
        within = False
        for piece in self._markup(member):
            for match in _STYLE.finditer(piece):
                name, inside, closed = match.groups()
                code = _CODE.search(inside or "")
                if name == "cellXfs" or closed:
                    within = not closed
                elif name == "numFmt" and code:
                    given = dict(attributes(inside))
                    self._formats.codes[int(code.group(1))] = given.get("formatCode", "")
                elif name == "xf" and within:
                    self._formats.styles.append(int(code.group(1)) if code else 0)

    def part(self, member: Member) -> Pieces | None:
        """The way of one part; None for what is read as in any package."""
        name = member.name.lower()
        if member.encrypted:
            return None
        if name in self.sheets or _SHEET.fullmatch(name):
            return self._sheet(member)
        if name == "xl/sharedstrings.xml":
            return iter(())
        if name.startswith(PRINTER):
            return printer(self._document, self._package, member)
        if name == "xl/calcchain.xml":
            return self._chain(member)
        if name.startswith(("xl/pivotcache/", "xl/externallinks/")) and name.endswith(".xml"):
            return self._cache(member)
        return None

    def rest(self) -> Pieces:
        """Damage, strings that no cell shows, words in the format codes."""
        yield from self._faults
        unused = (f"{text}\n" for text, used in zip(self._strings, self._used, strict=True) if not used)
        yield from self._document.parts(unused, zone=Zone.HIDDEN)
        words = (f"{word}\n" for word in (*self._aside, *self._formats.literals))
        yield from self._document.parts(words, zone=Zone.HIDDEN)

    def _chain(self, member: Member) -> Pieces:
        """The order of calculation: nothing but places of cells, unless somebody put more there."""
        pieces = (_CHAINED.sub("", piece) for piece in self._markup(member))
        return xml_part(self._document, self._package, member, self._budget, zone=None, pieces=pieces)

    def _plain(self, markup: str) -> str:
        """Markup without comments, which are put aside, and with CDATA sections as text: what a reader of XML sees."""
        if "<!" not in markup:
            return markup
        kept: list[str] = []
        at = 0
        while (start := markup.find("<!", at)) >= 0:
            self._budget.tick()
            comment = markup.startswith("<!--", start)
            if not comment and not markup.startswith("<![CDATA[", start):
                kept.append(markup[at : start + 2])
                at = start + 2
                continue
            inside = start + (4 if comment else 9)
            end = markup.find("-->" if comment else "]]>", inside)
            if end < 0:
                break
            kept += (markup[at:start], "" if comment else escape(markup[inside:end]))
            self._aside += [markup[inside:end]] if comment else []
            at = end + 3
        return "".join((*kept, markup[at:]))

    def _cache(self, member: Member) -> Pieces:
        """Copies of cells of other sheets and workbooks (18.10, 18.14): the values, which stand in attributes, each once."""
        found: dict[str, None] = {}
        for piece in self._markup(member):
            found.update(dict.fromkeys(_ITEM.findall(piece)))
        yield from self._document.parts((f"{unescape(value)}\n" for value in found if value), zone=Zone.HIDDEN)
        if "records" not in member.name.lower():
            yield from xml_part(self._document, self._package, member, self._budget, zone=None)

    def look(self, inside: str) -> Look:
        """What a cell's attributes say: its style, the type of its value, whether a number is displayed as it is stored."""
        kind, style = _KIND.search(inside), _LOOK.search(inside)
        number = int(style.group(1)) if style else 0
        found = (number, kind.group(1) if kind else "", self._formats.is_general(number))
        if len(self.looks) < _REMEMBERED and len(inside) < _LONG:
            self.looks[inside] = found
        return found

    def value(self, look: Look, raw: str) -> str:
        """A cell's value as displayed (18.18.11)."""
        style, kind, general = look
        if kind == "s":
            place = int(raw) if raw.isascii() and raw.isdigit() and len(raw) < 10 else len(self._strings)
            if place >= len(self._strings):
                return ""
            self._used[place] = 1
            text = self._strings[place]
            return text if general else self._formats.word(style, text)
        if kind in ("", "n"):
            return self._number(style, raw, general=general)
        if kind == "b":
            return truth(raw.strip() not in ("0", "false", ""))
        return self.word(look, unescape(raw))

    def word(self, look: Look, text: str) -> str:
        """A cell's text as displayed."""
        return text if look[2] else self._formats.word(look[0], text)

    def _number(self, style: int, raw: str, *, general: bool) -> str:
        if "&" in raw:
            return unescape(raw)
        stored = _written(raw) if "E" in raw or "e" in raw else raw
        if general:
            return stored
        try:
            return self._formats.number(style, float(raw), stored)
        except ValueError:
            return stored

    def _sheet(self, member: Member) -> Iterator[Part | Unscannable]:
        sheet = self.sheets[member.name.lower()]
        zone = Zone.HIDDEN if sheet.hidden else Zone.BODY
        grid, rest = Grid(self._budget), Flow(Zone.HIDDEN)
        rows = self._rows(self._markup(member), grid, rest)
        start = self.sheets.starts(sheet)
        yield from self._document.parts(rows, zone=zone, trail=(sheet.name,), page=sheet.page, start=start)
        yield from self._document.parts(grid.hidden, zone=Zone.HIDDEN, trail=(sheet.name,), page=sheet.page)
        yield from flowed(self._document, rest, Zone.HIDDEN, page=sheet.page, trail=(sheet.name,))

    def _rows(self, pieces: Iterable[str], grid: Grid, rest: Flow) -> Iterator[str]:
        """The cells, row after row; all that stands before and behind them goes to `rest`."""
        cells = _Cells(self, grid, rest)
        begun = ended = False
        for piece in pieces:
            end = None if ended else _END.search(piece)
            if not begun:
                begin = _BEGIN.search(piece)
                rest.feed(piece[: begin.start()] if begin else piece)
                begun = begin is not None
            table = "" if ended else piece[: end.start()] if end else piece
            yield from cells.feed(self._plain(table))
            rest.feed(piece[end.start() :] if end else piece if ended else "")
            ended = ended or end is not None
        yield cells.end()


class _Cells:
    """The cells in the markup of one sheet."""

    def __init__(self, book: _Workbook, grid: Grid, rest: Flow) -> None:
        self._book = book
        self._grid = grid
        self._rest = rest
        self._row = 0
        self._column = 0
        self._look = _PLAIN
        self._held: list[str] | None = None
        self._phonetic = False

    def feed(self, table: str) -> Iterator[str]:
        """The lines that a piece of markup completes."""
        place, looks, value_of = self._grid.place, self._book.looks, self._book.value
        for match in _CELL.finditer(table):
            column, inside, formula, value, name, more, text, closed = match.groups()
            if match.lastindex is None:
                continue
            if inside is None:
                done = self._other(name, more, text, closed)
            else:
                done = self._closed()
                look = looks.get(inside) or self._book.look(inside)
                if formula:
                    self._rest.add(Zone.HIDDEN, unescape(formula) + "\n")
                if value is not None:
                    done += place(self._row, _number_of(column) if self._grid.hides_columns else 0, value_of(look, value))
                elif not inside.endswith("/"):
                    self._look, self._held = look, []
                    self._column = _number_of(column or _letters(inside))
            if done:
                yield done

    def end(self) -> str:
        """The rest."""
        return self._closed() + self._grid.end()

    def _other(self, name: str | None, inside: str, text: str, closed: str | None) -> str:
        """A tag within a cell or about a row or a column."""
        if closed == "rPh":
            self._phonetic = False
        elif closed or name == "row":
            done = self._closed()
            if name:
                self._row += 1
                if _HIDDEN.search(inside):
                    self._grid.hide_row(self._row)
            return done
        elif name == "rPh":
            self._phonetic = True
        elif name == "f" or (name == "t" and self._phonetic):
            self._rest.add(Zone.HIDDEN, unescape(text) + "\n")
        elif name == "col":
            self._columns(inside)
        elif self._held is None:
            self._rest.add(Zone.HIDDEN, unescape(text) + "\n")
        else:
            self._held.append(unescape(text) if name == "t" else self._book.value(self._look, text))
        return ""

    def _closed(self) -> str:
        """Place the cell that was open."""
        if self._held is None:
            return ""
        held, self._held = self._held, None
        return self._grid.place(self._row, self._column, self._book.word(self._look, "".join(held)))

    def _columns(self, inside: str) -> None:
        if _HIDDEN.search(inside):
            given = dict(attributes(inside))
            first, last = given.get("min", ""), given.get("max", "")
            if first.isdecimal() and last.isdecimal() and len(first + last) < 12:
                self._grid.hide_columns(int(first) - 1, int(last) - 1)


def _letters(inside: str) -> str:
    match = _PLACE.search(inside)
    return match.group(1) if match else ""


def _number_of(column: str | None) -> int:
    """A column's number, from 0, by its letters."""
    number = 0
    for letter in column or "":
        number = 26 * number + ord(letter) - 64
    return number - 1


def _written(value: str) -> str:
    """A number as stored, but with its digits written out where Excel writes an exponent (an account number, say)."""
    return format(Decimal(value), "f") if _EXPONENT.fullmatch(value) else value


def _zone(name: str) -> Zone | None:
    return next((zone for pattern, zone in _ZONES if pattern.match(name) and not name.endswith(".rels")), None)


FORMAT = Format(name="xlsx", media_types=(XLSX,), read=read)
