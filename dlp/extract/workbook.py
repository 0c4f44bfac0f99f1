"""A workbook of BIFF records ([MS-XLS] 2.1.7.20): its sheets, each under its name, and the texts beside the cells.

Record numbers are those of [MS-XLS] 2.3; the layouts before BIFF8 are those of OpenOffice.org's documentation of the
Excel file format. What a record of no known layout holds is searched for runs of printable text.
"""

import struct
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from dlp.extract.aside import Aside
from dlp.extract.biff import (
    EOF,
    ERRORS,
    Record,
    SharedStrings,
    Stream,
    constants,
    continued,
    edge,
    encoding_of,
    generation,
    is_beginning,
    loose,
    rk,
    text,
    truth,
    unicode,
)
from dlp.extract.budget import Budget, Unreadable
from dlp.extract.document import Document
from dlp.extract.format import Pieces
from dlp.extract.grid import Grid
from dlp.extract.number_format import CellFormats, written
from dlp.extract.office_art import drawings
from dlp.model import Trail, Why, Zone

_GLOBALS = frozenset({0x05, 0x100})
"""Kinds of substream that are no sheet: the globals of BIFF5 and 8, and BIFF4's workbook."""
_LABELSST, _RK, _NUMBER, _MULRK = 0xFD, 0x27E, 0x203, 0xBD
_SERIES_TEXT, _LABEL = 0x100D, 0x204
_ROW, _COLINFO = 0x208, 0x7D
_CELL = struct.Struct("<HHH").unpack_from
_CELL_STRING = struct.Struct("<HHHI").unpack_from
_CELL_NUMBER = struct.Struct("<HHHd").unpack_from
_WORD = struct.Struct("<I").unpack_from
_DOUBLE = struct.Struct("<d").unpack_from
_NOTE_OBJECT = 0x19
_REMEMBERED = 16_384
"""Numbers kept as displayed: dates and prices repeat down a column."""
# Records of layout, calculation, fonts and protection, which hold no text; and those of charts but for their series' texts.
_SILENT = frozenset(
    {
        *(0x00, 0x01, 0x0C, 0x0D, 0x0E, 0x0F, 0x10, 0x11, 0x12, 0x13, 0x19, 0x1A, 0x1B),
        *(0x1D, 0x26, 0x27, 0x28, 0x29, 0x2A, 0x2B, 0x31, 0x33, 0x3D, 0x40, 0x41, 0x55, 0x5F),
        *(0x63, 0x80, 0x81, 0x82, 0x83, 0x84, 0x8C, 0x8D, 0x92, 0x99, 0x9B, 0x9C, 0x9D, 0xA0),
        *(0xA1, 0xBE, 0xC1, 0xD7, 0xDA, 0xDD, 0xE1, 0xE2, 0xE5, 0xEF, 0xFF, 0x13D, 0x160, 0x161),
        *(0x1AF, 0x1B0, 0x1B2, 0x1B7, 0x1BC, 0x1C0, 0x1C1, 0x200, 0x201, 0x20B, 0x225, 0x231, 0x23E),
        *(0x862, 0x863, 0x867, 0x868, 0x879, 0x87C, 0x87D, 0x88B, 0x88C, 0x88E, 0x892, 0x89A, 0x89B),
        *range(0x850, 0x862),
        *range(0x89D, 0x8A4),
        *(kind for kind in range(0x1001, 0x1070) if kind != _SERIES_TEXT),
    }
)


@dataclass(frozen=True, slots=True)
class _Sheet:
    """What the workbook says of one sheet; `page` counts from 1."""

    name: str
    hidden: bool
    page: int


class Workbook:
    """One stream of records on the way through it."""

    def __init__(self, document: Document, budget: Budget, data: bytes) -> None:
        self._document = document
        self._budget = budget
        self._stream = Stream(data, budget)
        self._generation = 8
        self._encoding: str | None = None
        self._strings: list[str] = []
        self._used = bytearray()
        self._formats = CellFormats()
        self._sheets: dict[int, _Sheet] = {}
        self._bundled = ""
        self._texts = Aside()
        self._known: dict[bytes, str] = {}
        self._pending = (0, 0, 0)
        self._faults = 0
        self._begun = False
        self._noted = False
        self._shapes: list[bytes] = []

    def pieces(self) -> Pieces:
        """Every sheet in the order of the stream, then what belongs to the workbook as a whole.

        Raises Unreadable(corrupt) where no substream begins.
        """
        records = iter(self._stream)
        begun = False
        for kind, data, more in records:
            if not is_beginning(kind):
                self._guarded(kind, data, more, self._texts)
                continue
            begun = True
            self._begin(kind, data)
            if int.from_bytes(data[2:4], "little") not in _GLOBALS:
                yield from self._sheet(records, chart=data[2:4] == b"\x20\0")
        if not begun:
            raise Unreadable(Why.CORRUPT, "no workbook in it")
        yield from self._rest()
        if self._stream.damaged or self._faults:
            yield self._document.unread(Why.CORRUPT, "records are cut off or damaged")

    def _begin(self, kind: int, data: bytes) -> None:
        self._generation = generation(kind, data)
        if self._generation < 8 and self._encoding is None:
            self._encoding = encoding_of(Stream(self._stream.data, self._budget))
        elif self._generation == 8:
            self._encoding = None

    def _rest(self) -> Pieces:
        for sheet in self._sheets.values():
            self._texts.add(Zone.PROPERTY, sheet.name)
        for word in self._formats.literals:
            self._texts.add(Zone.HIDDEN, word)
        self._texts.loose += self._stream.passed
        unused = (f"{string}\n" for string, used in zip(self._strings, self._used, strict=True) if not used)
        yield from self._document.parts(unused, zone=Zone.HIDDEN)
        yield from self._texts.parts(self._document, self._budget)
        yield from self._drawn(())

    def _drawn(self, trail: Trail) -> Pieces:
        """The shapes and pictures met since the last time: their records lie between others, in pieces."""
        shapes, self._shapes = b"".join(self._shapes), []
        yield from drawings(self._document, shapes, self._budget, trail=trail)

    def _sheet(self, records: Iterator[Record], *, chart: bool) -> Pieces:
        sheet = self._sheets.get(self._stream.began, _Sheet(self._bundled, hidden=False, page=len(self._sheets) + 1))
        self._bundled = ""
        zone = Zone.HIDDEN if sheet.hidden else Zone.BODY
        trail = (sheet.name,) if sheet.name else ()
        texts, grid = Aside(), Grid(self._budget)
        start = not sheet.hidden and not self._begun
        self._begun = self._begun or not sheet.hidden
        if chart:
            self._chart(records, texts)
        else:
            rows = self._rows(records, grid, texts)
            yield from self._document.parts(rows, zone=zone, trail=trail, page=sheet.page, start=start)
        yield from self._document.parts(grid.hidden, zone=Zone.HIDDEN, trail=trail, page=sheet.page)
        yield from texts.parts(self._document, self._budget, trail=trail, page=sheet.page)
        yield from self._drawn(trail)

    def _rows(self, records: Iterator[Record], grid: Grid, texts: Aside) -> Iterator[str]:
        """The cells of a sheet, row after row; the records beside them give `texts`."""
        place, known = grid.place, self._known
        for kind, data, more in records:
            done = ""
            try:
                if kind == _LABELSST:
                    row, column, style, index = _CELL_STRING(data)
                    done = place(row, column, self._shared(style, index))
                elif kind in (_NUMBER, _RK):
                    row, column, _ = _CELL(data)
                    done = place(row, column, known.get(data[4:]) or self._number(data[4:]))
                elif kind == _MULRK:
                    row, column = data[0] | data[1] << 8, data[2] | data[3] << 8
                    pairs = [data[at : at + 6] for at in range(4, len(data) - 7, 6)]
                    done = grid.run(row, column, [known.get(pair) or self._number(pair) for pair in pairs])
                elif kind in _SILENT:
                    continue
                elif (cell := _CELLS.get(kind)) is not None:
                    done = cell(self, grid, texts, data, more)
                elif kind == EOF:
                    break
                elif is_beginning(kind):
                    self._chart(records, texts)
                else:
                    self._guarded(kind, data, more, texts, grid)
            except (struct.error, IndexError):
                self._faults += 1
            if done:
                yield done
        yield grid.end()

    def _number(self, cell: bytes) -> str:
        """A number behind its style: a double, or an RK number of four bytes. Numbers repeat: what they look like is kept."""
        style = cell[0] | cell[1] << 8
        value = _DOUBLE(cell, 2)[0] if len(cell) >= 10 else rk(_WORD(cell, 2)[0])
        found = self._formats.number(style, value, written(value))
        if len(self._known) < _REMEMBERED and len(cell) <= 10:
            self._known[cell] = found
        return found

    def _shared(self, style: int, index: int) -> str:
        if index >= len(self._strings):
            self._faults += 1
            return ""
        self._used[index] = 1
        return self._formats.word(style, self._strings[index])

    def _chart(self, records: Iterator[Record], texts: Aside) -> None:
        """The texts and cached values of a chart, which has substreams of its own at the most."""
        depth = 1
        for kind, data, more in records:
            if is_beginning(kind):
                depth += 1
            elif kind == EOF:
                depth -= 1
                if not depth:
                    return
            elif kind == _SERIES_TEXT:
                texts.add(Zone.BODY, text(data, 2, size=1, encoding=self._encoding)[0])
            elif kind == _LABEL:
                texts.add(Zone.BODY, text(data, 6, size=2, encoding=self._encoding)[0])
            elif kind == _NUMBER and len(data) >= 14:
                texts.add(Zone.BODY, written(_CELL_NUMBER(data)[3]))
            elif kind not in _SILENT:
                self._guarded(kind, data, more, texts)

    def _guarded(self, kind: int, data: bytes, more: Sequence[bytes], texts: Aside, grid: Grid | None = None) -> None:
        """A record beside the cells; of damaged ones, the runs of text."""
        if kind in _SILENT or kind == EOF:
            return
        try:
            if kind in (_ROW, _COLINFO):
                self._shape(grid, kind, data)
            elif (known := _BESIDE.get(kind)) is not None:
                known(self, data, more, texts)
            else:
                texts.loose += [data, *more]
        except (struct.error, IndexError):  # shorter than other writers make it: what is there is read all the same
            texts.loose += [data, *more]

    def _shape(self, grid: Grid | None, kind: int, data: bytes) -> None:
        """Which rows and columns are hidden ([MS-XLS] 2.4.221 and 2.4.53); before BIFF5 the flags stand elsewhere."""
        if grid is None or self._generation < 5:
            return
        if kind == _ROW and data[12] & 0x20:
            grid.hide_row(int.from_bytes(data[:2], "little"))
        elif kind == _COLINFO and data[8] & 1:
            grid.hide_columns(int.from_bytes(data[:2], "little"), int.from_bytes(data[2:4], "little"))

    def _style(self, data: bytes) -> int:
        return data[4] & 0x3F if self._generation == 2 else data[4] | data[5] << 8

    def _number_cell(self, grid: Grid, texts: Aside, data: bytes, more: Sequence[bytes]) -> str:
        row, column = struct.unpack_from("<HH", data)
        value: float = _DOUBLE(data, 7)[0]
        return grid.place(row, column, self._formats.number(self._style(data), value, written(value)))

    def _integer_cell(self, grid: Grid, texts: Aside, data: bytes, more: Sequence[bytes]) -> str:
        row, column, value = struct.unpack_from("<HH3xH", data)
        return grid.place(row, column, self._formats.number(self._style(data), value, str(value)))

    def _label_cell(self, grid: Grid, texts: Aside, data: bytes, more: Sequence[bytes]) -> str:
        row, column = struct.unpack_from("<HH", data)
        if self._encoding is None:
            found = continued([data[8:], *more], int.from_bytes(data[6:8], "little"))
        else:
            at, size = (7, 1) if self._generation == 2 else (6, 2)
            found = text(data, at, size=size, encoding=self._encoding)[0]
        return grid.place(row, column, self._formats.word(self._style(data), found))

    def _switch_cell(self, grid: Grid, texts: Aside, data: bytes, more: Sequence[bytes]) -> str:
        row, column = struct.unpack_from("<HH", data)
        at = 7 if self._generation == 2 else 6
        return grid.place(row, column, ERRORS.get(data[at], "") if data[at + 1] else truth(data[at]))

    def _formula_cell(self, grid: Grid, texts: Aside, data: bytes, more: Sequence[bytes]) -> str:
        """The cached result; a text one follows in a record of its own. The formula gives the texts written in it."""
        row, column = struct.unpack_from("<HH", data)
        at = 7 if self._generation == 2 else 6
        result, tokens = data[at : at + 8], data[at + 8 :]
        if b"\x17" in tokens:
            self._constants(tokens, texts)
        if result[6:] != b"\xff\xff":
            value: float = _DOUBLE(result)[0]
            return grid.place(row, column, self._formats.number(self._style(data), value, written(value)))
        self._pending = (row, column, self._style(data))
        if result[0] == 0:
            return ""
        return grid.place(row, column, {1: truth(result[2]), 2: ERRORS.get(result[2], "")}.get(result[0], ""))

    def _result_cell(self, grid: Grid, texts: Aside, data: bytes, more: Sequence[bytes]) -> str:
        """The text of the formula before it."""
        row, column, style = self._pending
        if self._encoding is None:
            found = continued([data[2:], *more], int.from_bytes(data[:2], "little"))
        else:
            found = text(data, 0, size=1 if self._generation == 2 else 2, encoding=self._encoding)[0]
        return grid.place(row, column, self._formats.word(style, found))

    def _bound_sheet(self, data: bytes, more: Sequence[bytes], texts: Aside) -> None:
        name = text(data, 6, size=1, encoding=self._encoding)[0]
        place = int.from_bytes(data[:4], "little")
        self._sheets[place] = _Sheet(name, bool(data[4] & 3), len(self._sheets) + 1)

    def _bundle(self, data: bytes, more: Sequence[bytes], texts: Aside) -> None:
        self._bundled = text(data, 4, size=1, encoding=self._encoding)[0]
        texts.add(Zone.PROPERTY, self._bundled)

    def _shared_strings(self, data: bytes, more: Sequence[bytes], texts: Aside) -> None:
        table = SharedStrings(data, more, self._budget)
        self._strings += table.strings
        self._used += bytes(len(table.strings))
        for reading in table.phonetic:
            texts.add(Zone.HIDDEN, reading)

    def _format(self, data: bytes, more: Sequence[bytes], texts: Aside) -> None:
        codes = self._formats.codes
        if self._generation >= 5:
            size = 2 if self._generation == 8 else 1
            codes[int.from_bytes(data[:2], "little")] = text(data, 2, size=size, encoding=self._encoding)[0]
        else:  # numbered by their order
            codes[len(codes)] = text(data, 2 if self._generation == 4 else 0, size=1, encoding=self._encoding)[0]

    def _cell_style(self, data: bytes, more: Sequence[bytes], texts: Aside) -> None:
        if self._generation >= 5:
            self._formats.styles.append(data[2] | data[3] << 8)
        else:
            self._formats.styles.append(data[2] & 0x3F if self._generation == 2 else data[1])

    def _drawings(self, data: bytes, more: Sequence[bytes], texts: Aside) -> None:
        self._shapes += [data, *more]

    def _epoch(self, data: bytes, more: Sequence[bytes], texts: Aside) -> None:
        self._formats.from_1904 = data[:1] == b"\1"

    def _name(self, data: bytes, more: Sequence[bytes], texts: Aside) -> None:
        """A defined name and the texts in what it stands for ([MS-XLS] 2.4.150); the built-in ones are a number each."""
        if self._generation < 5:
            texts.loose.append(data)
            return
        count, built_in = data[3], data[0] & 0x20
        if self._encoding is None:
            name, end = unicode(data, 14, count)
        else:
            name, end = data[14 : 14 + count].decode(self._encoding, "replace"), 14 + count
        found = list(constants(data[end:], self._encoding))
        texts.add(Zone.PROPERTY, " ".join(found if built_in else [name, *found]))

    def _user(self, data: bytes, more: Sequence[bytes], texts: Aside) -> None:
        texts.add(Zone.PROPERTY, text(data, 0, size=self._length, encoding=self._encoding)[0].strip())

    def _sharing(self, data: bytes, more: Sequence[bytes], texts: Aside) -> None:
        texts.add(Zone.PROPERTY, text(data, 4, size=self._length, encoding=self._encoding)[0].strip())

    def _header(self, data: bytes, more: Sequence[bytes], texts: Aside) -> None:
        texts.add(Zone.HEADER, edge(text(data, 0, size=self._length, encoding=self._encoding)[0]) if data else "")

    def _footer(self, data: bytes, more: Sequence[bytes], texts: Aside) -> None:
        texts.add(Zone.FOOTER, edge(text(data, 0, size=self._length, encoding=self._encoding)[0]) if data else "")

    def _further_edges(self, data: bytes, more: Sequence[bytes], texts: Aside) -> None:
        """Those of even pages and of the first ([MS-XLS] 2.4.137)."""
        counts = struct.unpack_from("<4H", data, 30)
        at = 38
        for count, zone in zip(counts, (Zone.HEADER, Zone.FOOTER) * 2, strict=True):
            if count:
                found, at = text(data, at, size=2, encoding=None)
                texts.add(zone, edge(found))

    @property
    def _length(self) -> int:
        """Bytes of a text's length where the generations differ."""
        return 2 if self._generation == 8 else 1

    def _note(self, data: bytes, more: Sequence[bytes], texts: Aside) -> None:
        """A comment: its author, the text being a text box; before BIFF8 the text ([MS-XLS] 2.4.179)."""
        if self._encoding is None:
            texts.add(Zone.COMMENT, text(data, 8, size=2, encoding=None)[0])
        else:
            texts.add(Zone.COMMENT, data[6:].decode(self._encoding, "replace"))

    def _object(self, data: bytes, more: Sequence[bytes], texts: Aside) -> None:
        self._noted = self._generation == 8 and data[4:6] == bytes((_NOTE_OBJECT, 0))
        texts.loose.append(data[22:])
        self._shapes += more

    def _text_box(self, data: bytes, more: Sequence[bytes], texts: Aside) -> None:
        found = continued(more, int.from_bytes(data[10:12], "little"))
        texts.add(Zone.COMMENT if self._noted else Zone.TEXTBOX, found)
        self._noted = False

    def _validation(self, data: bytes, more: Sequence[bytes], texts: Aside) -> None:
        """Titles and texts of the prompt and the error, then what is allowed ([MS-XLS] 2.4.74)."""
        at = 4
        for _ in range(4):
            found, at = text(data, at, size=2, encoding=None)
            texts.add(Zone.HIDDEN, found)
        self._formula(data[at:], more, texts)

    def _formula(self, data: bytes, more: Sequence[bytes], texts: Aside) -> None:
        self._constants(b"".join((data, *more)), texts)

    def _constants(self, tokens: bytes, texts: Aside) -> None:
        for found in constants(tokens, self._encoding):
            texts.add(Zone.HIDDEN, found)

    def _linked_book(self, data: bytes, more: Sequence[bytes], texts: Aside) -> None:
        """Another workbook's path and its sheets' names ([MS-XLS] 2.4.271)."""
        count, length = struct.unpack_from("<HH", data)
        if length in (0x401, 0x3A01):  # this workbook, an add-in
            return
        joined = b"".join((data, *more))
        path, at = text(joined, 2, size=2, encoding=None)
        texts.add(Zone.HIDDEN, path.translate(_PATH_MARKS))
        for _ in range(count):
            if at >= len(joined):
                break
            name, at = text(joined, at, size=2, encoding=None)
            texts.add(Zone.HIDDEN, name)

    def _linked_cells(self, data: bytes, more: Sequence[bytes], texts: Aside) -> None:
        """Cached cells of another workbook ([MS-XLS] 2.4.66)."""
        at = 4
        while at < len(data):
            kind = data[at]
            if kind == 2:
                found, at = text(data, at + 1, size=2, encoding=self._encoding)
                texts.add(Zone.HIDDEN, found)
                continue
            if kind == 1 and at + 9 <= len(data):
                texts.add(Zone.HIDDEN, written(_DOUBLE(data, at + 1)[0]))
            at += 9

    def _filter(self, data: bytes, more: Sequence[bytes], texts: Aside) -> None:
        """What a column is compared with ([MS-XLS] 2.4.6)."""
        at = 24
        for operand in (data[4:14], data[14:24]):
            if operand[0] == 6:
                found, at = unicode(data, at, operand[6])
                texts.add(Zone.HIDDEN, found)

    def _cached_string(self, data: bytes, more: Sequence[bytes], texts: Aside) -> None:
        texts.add(Zone.HIDDEN, text(data, 0, size=2, encoding=self._encoding)[0])


def cached(data: bytes, budget: Budget) -> Iterator[str]:
    """The values in a pivot cache ([MS-XLS] 2.1.7.12), whose stream has no beginning: a copy of cells that may be gone."""
    names: list[bytes] = []
    for kind, payload, _ in Stream(data, budget, headless=True):
        if kind == 0xCD:
            yield text(payload, 0, size=2, encoding=None)[0] + "\n"
        elif kind == 0xC9 and len(payload) == 8:
            yield written(_DOUBLE(payload)[0]) + "\n"
        elif kind == 0xCC and len(payload) >= 2:
            yield f"{int.from_bytes(payload[:2], 'little', signed=True)}\n"
        elif kind == 0xCE and len(payload) == 8:
            year, month, day, hour, minute, second = struct.unpack("<HHBBBB", payload)
            yield f"{year}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}\n"
        else:
            names.append(payload)
    yield from loose(names, budget)


_PATH_MARKS = dict.fromkeys(range(0x20), "/")
"""How a path is encoded ([MS-XLS] 2.5.277): folders are divided by control characters."""
_CELLS: dict[int, Callable[[Workbook, Grid, Aside, bytes, Sequence[bytes]], str]] = {
    0x02: Workbook._integer_cell,
    0x03: Workbook._number_cell,
    0x04: Workbook._label_cell,
    0x05: Workbook._switch_cell,
    0x06: Workbook._formula_cell,
    0x07: Workbook._result_cell,
    0xD6: Workbook._label_cell,
    0x204: Workbook._label_cell,
    0x205: Workbook._switch_cell,
    0x206: Workbook._formula_cell,
    0x207: Workbook._result_cell,
    0x406: Workbook._formula_cell,
}
_BESIDE: dict[int, Callable[[Workbook, bytes, Sequence[bytes], Aside], None]] = {
    0x14: Workbook._header,
    0x15: Workbook._footer,
    0x18: Workbook._name,
    0x1C: Workbook._note,
    0x1E: Workbook._format,
    0x21: Workbook._formula,
    0x22: Workbook._epoch,
    0x43: Workbook._cell_style,
    0x5A: Workbook._linked_cells,
    0x5B: Workbook._sharing,
    0x5C: Workbook._user,
    0x5D: Workbook._object,
    0x85: Workbook._bound_sheet,
    0x8F: Workbook._bundle,
    0x9E: Workbook._filter,
    0xCD: Workbook._cached_string,
    0xE0: Workbook._cell_style,
    0xEB: Workbook._drawings,
    0xEC: Workbook._drawings,
    0xFC: Workbook._shared_strings,
    0x1AE: Workbook._linked_book,
    0x1B1: Workbook._formula,
    0x1B6: Workbook._text_box,
    0x1BE: Workbook._validation,
    0x218: Workbook._name,
    0x221: Workbook._formula,
    0x243: Workbook._cell_style,
    0x41E: Workbook._format,
    0x443: Workbook._cell_style,
    0x4BC: Workbook._formula,
    0x89C: Workbook._further_edges,
}
