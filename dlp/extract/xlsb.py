"""Excel's binary workbooks in a package ([MS-XLSB]): parts of records, between them XML as in other packages.

Record numbers are those of [MS-XLSB] 2.3. What a record of no known layout holds is searched for runs of printable
text; a part that is no sequence of records is a document inside.
"""

import struct
from collections.abc import Callable, Iterator

from dlp.extract.aside import Aside
from dlp.extract.biff import ERRORS, edge, packaged_constants, rk, truth
from dlp.extract.budget import Budget
from dlp.extract.document import Document
from dlp.extract.format import Format, Pieces
from dlp.extract.grid import Grid
from dlp.extract.number_format import CellFormats, written
from dlp.extract.office import Reader, read_package
from dlp.extract.sheet_list import PRINTER, SheetList, printer, targets
from dlp.extract.zipped import Member, Package
from dlp.model import Part, Unscannable, Why, Zone

_ROW, _STYLES, _STYLES_END = 0, 617, 618
_SHEETS = ("xl/worksheets/sheet", "xl/macrosheets/", "xl/dialogsheets/", "xl/chartsheets/")
_FOREIGN = ("xl/vbaproject", "xl/embeddings/", "xl/activex/", "xl/media/", "xl/ctrlprops/", "xl/vbadata")
"""Folders whose parts are documents of other kinds."""
_ZONES = {"xl/comments": Zone.COMMENT, "xl/charts/": Zone.BODY, "xl/drawings/": Zone.TEXTBOX, "xl/diagrams/": Zone.BODY}
_SILENT = frozenset(
    {
        *(1, 12, 20, 26, 27, 37, 38, 40, 42, 45, 46, 47, 48, 49, 50, 51, 52),  # blank cells, indexes, fills, borders, styles
        *(128, 129, 130, 131, 132, 133, 134, 135, 136, 137, 138, 143, 144, 145, 146, 148, 151, 152, 154, 157, 158, 159, 160),
        *(176, 177, 357, 358, 360, 364, 366, 367, 369, 370, 390, 391, 392, 393, 430, 476, 477, 478, 480, 485, 500, 501, 504),
        *(535, 550, 551, 573, 574, 589, 590, 628, 629, 630, 631, 633, 634, 636, 660, 661, 663),
        *range(603, 628),
    }
)
"""Records that begin, end and count, and those of layout."""
_CELL = struct.Struct("<II").unpack_from
_WORD = struct.Struct("<I").unpack_from
_REAL = struct.Struct("<d").unpack_from
_EVERY = 0xFF

Record = tuple[int, bytes]


class _Records:
    """The records of one part. `damaged` says at the end whether the last one is cut off."""

    def __init__(self, data: bytes, budget: Budget) -> None:
        self.damaged = False
        self._data = data
        self._budget = budget

    def __iter__(self) -> Iterator[Record]:
        """Numbers and sizes have seven bits in each byte, the eighth says that another follows ([MS-XLSB] 2.1.4)."""
        data, at, end, count = self._data, 0, len(self._data), 0
        try:
            while at < end:
                kind = data[at]
                at += 1
                if kind & 0x80:
                    kind = kind & 0x7F | (data[at] & 0x7F) << 7
                    at += 1
                size = data[at]
                at += 1
                shift = 7
                if size & 0x80:
                    size &= 0x7F
                    while shift < 28:
                        more = data[at]
                        at += 1
                        size |= (more & 0x7F) << shift
                        shift += 7
                        if not more & 0x80:
                            break
                count += 1
                if not count & _EVERY:
                    self._budget.tick()
                yield kind, data[at : at + size]
                at += size
        except IndexError:
            self.damaged = True
        self.damaged = self.damaged or at > end


def read(document: Document, budget: Budget) -> Pieces:
    """The sheets in the workbook's order, then every other part."""
    book = _Book(document, budget)

    def reader(package: Package) -> Reader:
        parts = {member.name.lower(): member for member in package.members if not member.encrypted}
        book.prepare(package, parts)
        package.members.sort(key=book.sheets.place)
        return book.part

    yield from read_package(document, budget, zone_of=_zone, reader=reader)
    yield from book.rest()


class _Book:
    """One workbook on the way through its parts."""

    def __init__(self, document: Document, budget: Budget) -> None:
        self.sheets = SheetList()
        self._document = document
        self._budget = budget
        self._package: Package
        self._strings: list[str] = []
        self._used = bytearray()
        self._formats = CellFormats()
        self._texts = Aside(packaged=True)
        self._faults: list[Unscannable] = []

    def prepare(self, package: Package, parts: dict[str, Member]) -> None:
        """Read what the sheets need: the workbook, its strings and styles."""
        self._package = package
        related = targets(self._document, package, parts.get("xl/_rels/workbook.bin.rels"), self._budget)
        for kind, data in self._records(parts.get("xl/workbook.bin")):
            if kind == 156:
                relation, at = _text(data, 8)
                name = _text(data, at)[0]
                self.sheets.add(related.get(relation, ""), name, hidden=data[:4] in (b"\1\0\0\0", b"\2\0\0\0"))
                self._texts.add(Zone.PROPERTY, name)
            elif kind == 153:
                self._formats.from_1904 = bool(int.from_bytes(data[:4], "little") & 1)
            elif kind == 39:
                name, at = _text(data, 9)
                self._texts.add(Zone.PROPERTY, " ".join((name, *packaged_constants(data[at:]))))
                self._texts.loose.append(data[at:])
            elif kind not in _SILENT:
                self._texts.loose.append(data)
        for kind, data in self._records(parts.get("xl/sharedstrings.bin")):
            if kind == 19:
                self._strings.append(self._rich(data, 0, self._texts))
        self._used = bytearray(len(self._strings))
        self._style(parts.get("xl/styles.bin"))

    def _style(self, member: Member | None) -> None:
        within = False
        for kind, data in self._records(member):
            if kind == 44:
                self._formats.codes[int.from_bytes(data[:2], "little")] = _text(data, 2)[0]
            elif kind in (_STYLES, _STYLES_END):
                within = kind == _STYLES
            elif kind == 47 and within:
                self._formats.styles.append(int.from_bytes(data[2:4], "little"))
            elif kind == 48:
                self._texts.loose.append(data)

    def _records(self, member: Member | None) -> Iterator[Record]:
        """The records of a part; what breaks off is noted as damage."""
        if member is None:
            return
        content, end = self._package.read(member)
        records = _Records(content, self._budget)
        yield from records
        if end is not None:
            self._faults.append(self._document.unread(end.why, end.detail, trail=(member.name,)))
        elif records.damaged:
            self._faults.append(self._document.unread(Why.CORRUPT, "records are cut off", trail=(member.name,)))

    def part(self, member: Member) -> Pieces | None:
        """The way of one part; None for XML and for what is a document inside."""
        name = member.name.lower()
        if member.encrypted:
            return None
        if name.startswith(PRINTER):
            return printer(self._document, self._package, member)
        if not name.endswith(".bin") or not name.startswith("xl/"):
            return None
        if name in ("xl/workbook.bin", "xl/sharedstrings.bin", "xl/styles.bin"):
            return iter(())
        if name in self.sheets or name.startswith(_SHEETS):
            return self._sheet(member)
        return None if name.startswith(_FOREIGN) else self._other(member)

    def rest(self) -> Pieces:
        """What belongs to the workbook as a whole, strings that no cell shows, and damage."""
        for word in self._formats.literals:
            self._texts.add(Zone.HIDDEN, word)
        unused = (f"{string}\n" for string, used in zip(self._strings, self._used, strict=True) if not used)
        yield from self._document.parts(unused, zone=Zone.HIDDEN)
        yield from self._texts.parts(self._document, self._budget)
        yield from self._faults

    def _sheet(self, member: Member) -> Iterator[Part | Unscannable]:
        sheet = self.sheets[member.name.lower()]
        grid, texts = Grid(self._budget), Aside(packaged=True)
        zone, trail = Zone.HIDDEN if sheet.hidden else Zone.BODY, (sheet.name,)
        rows = self._rows(self._records(member), grid, texts)
        start = self.sheets.starts(sheet)
        yield from self._document.parts(rows, zone=zone, trail=trail, page=sheet.page, start=start)
        yield from self._document.parts(grid.hidden, zone=Zone.HIDDEN, trail=trail, page=sheet.page)
        yield from texts.parts(self._document, self._budget, trail=trail, page=sheet.page)

    def _rows(self, records: Iterator[Record], grid: Grid, texts: Aside) -> Iterator[str]:
        """The cells, row after row; every other record gives `texts`."""
        row = column = 0
        for kind, data in records:
            try:
                if kind == _ROW:
                    row, column = _WORD(data)[0], -1
                    if data[11] & 0x10:
                        grid.hide_row(row)
                elif kind in _CELLS:
                    column, style = _CELL(data)
                    done = grid.place(row, column, _CELLS[kind](self, style & 0xFFFFFF, data, 8, texts))
                    if done:
                        yield done
                elif kind in _SHORT_CELLS:  # beside the cell before, without its column ([MS-XLSB] 2.5.10)
                    column += 1
                    value = _SHORT_CELLS[kind](self, _WORD(data)[0] & 0xFFFFFF, data, 4, texts)
                    if done := grid.place(row, column, value):
                        yield done
                else:
                    self._beside(kind, data, texts, grid)
            except (struct.error, IndexError):
                texts.loose.append(data)
        yield grid.end()

    def _beside(self, kind: int, data: bytes, texts: Aside, grid: Grid) -> None:
        if kind == 60 and data[16] & 1:
            grid.hide_columns(*struct.unpack_from("<II", data))
        elif kind == 479:
            at = 2
            for zone in (Zone.HEADER, Zone.FOOTER) * 3:
                found, at = _text(data, at)
                texts.add(zone, edge(found))
        elif kind not in _SILENT and kind != 60:
            texts.loose.append(data)
            for found in packaged_constants(data):
                texts.add(Zone.HIDDEN, found)

    def _other(self, member: Member) -> Pieces:
        """Comments, caches, tables and the like; a document inside where it is no sequence of records."""
        content, end = self._package.read(member)
        records = _Records(content, self._budget)
        zone = _zone(member.name) or Zone.HIDDEN
        texts = Aside(packaged=True)
        for kind, data in records:
            try:
                self._value(kind, data, texts, zone)
            except (struct.error, IndexError):
                texts.loose.append(data)
        if end is not None:
            yield self._document.unread(end.why, end.detail, trail=(member.name,))
        if records.damaged:
            yield self._document.nested(content, name=member.name.rsplit("/", 1)[-1])
        else:
            yield from texts.parts(self._document, self._budget, zone=zone)

    def _value(self, kind: int, data: bytes, texts: Aside, zone: Zone) -> None:
        if kind in (24, 31, 632):  # an item of a pivot cache, its reading, a comment's author
            texts.add(zone, _text(data, 0)[0])
        elif kind == 637:  # a comment's text
            texts.add(zone, self._rich(data, 0, texts))
        elif kind in (21, 28):  # a pivot cache's numbers
            texts.add(zone, written(_REAL(data)[0]))
        elif kind in (25, 32):  # and its dates
            year, month, day, hour, minute, second = struct.unpack_from("<HHBBBB", data)
            texts.add(zone, f"{year}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}")
        elif kind == 371:  # cells of another workbook
            texts.add(zone, _text(data, 4)[0])
        elif kind == 368:
            texts.add(zone, written(_REAL(data, 4)[0]))
        elif kind not in _SILENT:
            texts.loose.append(data)

    def _rich(self, data: bytes, at: int, texts: Aside) -> str:
        """A text with runs of fonts and a reading of its characters, which stands apart ([MS-XLSB] 2.5.121)."""
        flags = data[at] if at < len(data) else 0
        found, at = _text(data, at + 1)
        if flags & 2:
            if flags & 1:
                at += 4 + 4 * int.from_bytes(data[at : at + 4], "little")
            texts.add(Zone.HIDDEN, _text(data, at)[0])
        return found

    def _shared(self, style: int, data: bytes, at: int, texts: Aside) -> str:
        index: int = _WORD(data, at)[0]
        if index >= len(self._strings):
            return ""
        self._used[index] = 1
        return self._formats.word(style, self._strings[index])

    def _real(self, style: int, data: bytes, at: int, texts: Aside) -> str:
        value: float = _REAL(data, at)[0]
        if len(data) > at + 8:
            self._formula(data, at + 8, texts)
        return self._formats.number(style, value, written(value))

    def _small(self, style: int, data: bytes, at: int, texts: Aside) -> str:
        value = rk(_WORD(data, at)[0])
        return self._formats.number(style, value, written(value))

    def _string(self, style: int, data: bytes, at: int, texts: Aside) -> str:
        found, end = _text(data, at)
        self._formula(data, end, texts)
        return self._formats.word(style, found)

    def _rich_cell(self, style: int, data: bytes, at: int, texts: Aside) -> str:
        return self._formats.word(style, self._rich(data, at, texts))

    def _truth(self, style: int, data: bytes, at: int, texts: Aside) -> str:
        self._formula(data, at + 1, texts)
        return truth(data[at])

    def _error(self, style: int, data: bytes, at: int, texts: Aside) -> str:
        self._formula(data, at + 1, texts)
        return ERRORS.get(data[at], "")

    def _formula(self, data: bytes, at: int, texts: Aside) -> None:
        for found in packaged_constants(data[at:]) if b"\x17" in data[at:] else ():
            texts.add(Zone.HIDDEN, found)


def _text(data: bytes, at: int) -> tuple[str, int]:
    """A text after its length in characters, and where it ends; a length of all ones is none ([MS-XLSB] 2.5.166 and 2.5.168)."""
    count = int.from_bytes(data[at : at + 4], "little")
    at += 4
    if count == 0xFFFFFFFF:
        return "", at
    return data[at : at + 2 * count].decode("utf-16-le", "replace"), at + 2 * count


def _zone(name: str) -> Zone | None:
    lower = name.lower()
    if lower.endswith(".rels"):
        return None
    return next((zone for beginning, zone in _ZONES.items() if lower.startswith(beginning)), None)


_Cell = Callable[[_Book, int, bytes, int, Aside], str]
_CELLS: dict[int, _Cell] = {
    2: _Book._small,
    3: _Book._error,
    4: _Book._truth,
    5: _Book._real,
    6: _Book._string,
    7: _Book._shared,
    8: _Book._string,
    9: _Book._real,
    10: _Book._truth,
    11: _Book._error,
    62: _Book._rich_cell,
}
_SHORT_CELLS: dict[int, _Cell] = {
    13: _Book._small,
    14: _Book._error,
    15: _Book._truth,
    16: _Book._real,
    17: _Book._string,
    18: _Book._shared,
}
FORMAT = Format(name="xlsb", media_types=("application/vnd.ms-excel.sheet.binary.macroenabled.12",), read=read)
