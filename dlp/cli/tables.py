"""Tables an administrator hands in: CSV and TSV (RFC 4180), in UTF-8, UTF-16 with its mark, or GB18030; and workbooks, which a
confined child reads as it reads whatever is scanned."""

import asyncio
import codecs
import csv
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TextIO

from dlp.cli.scan import item_of, opened_file
from dlp.config import Configuration, plan
from dlp.errors import ConfigError
from dlp.metrics import Metrics
from dlp.workers.pool import Workers

BATCH = 50_000
"""Rows handed on together."""
_LONGEST = 1 << 20
"""Characters of a cell: a quote that is never closed makes a cell of the rest of the file."""
_CHUNK = 1 << 20
_DELIMITERS = ",\t;|"
_MARKS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))

WORKBOOKS = frozenset({".xlsx", ".xlsm", ".xlsb", ".xls", ".et", ".ods"})
_LARGEST = 256 << 20
"""Bytes of a workbook's first sheet as text: what a child says is not believed in size."""
_MOST_BROKEN = 0.1
"""Share of a workbook's rows that may be left out."""

Row = Sequence[str]


@dataclass(frozen=True, slots=True)
class Sheet:
    """A table: its heading, and its other rows, some thousands at a time. A row may be shorter or longer than the heading.
    `broken` rows were left out."""

    heading: Row
    batches: Iterator[Sequence[Row]]
    broken: int = 0


@contextmanager
def opened(path: Path, configuration: Configuration) -> Iterator[Sheet]:
    """The table in a file. Raises ConfigError for one that cannot be read, here and from its batches."""
    if path.suffix.lower() in WORKBOOKS:
        yield asyncio.run(_workbook(path, configuration))
        return
    try:
        encoding = _encoding(path)
        with path.open(encoding=encoding, newline="") as file:
            delimiter = _delimiter(path, file.readline())
            file.seek(0)
            rows = _rows(path, file, delimiter)
            heading = next(rows, None)
            if heading is None:
                raise ConfigError.single(path, "", "is empty", "name a table with a heading and rows")
            yield Sheet([cell.strip() for cell in heading], _batches(rows))
    except OSError as error:
        raise ConfigError.single(path, "", f"cannot be read: {error.strerror}", "check the path and its permissions") from error


async def _workbook(path: Path, configuration: Configuration) -> Sheet:
    """The first sheet of a workbook. Its text says nothing of empty cells, so that a row that has any is left out."""
    workers = Workers(configuration.workers, plan(configuration), Metrics())
    try:
        status, blob = opened_file(str(path), configuration.limits)
    except OSError as error:
        raise ConfigError.single(path, "", f"cannot be read: {error.strerror}", "check the path and its permissions") from error
    if blob is None:
        raise ConfigError.single(path, "", "is not a regular file", "name a workbook")
    with blob:
        try:
            await workers.start()
            inspection, packed = await workers.declare(item_of(str(path), status, blob), "records")
        finally:
            await workers.stop()
    if inspection.unscannable:
        why = ", ".join(dict.fromkeys(place.detail or place.why.value for place in inspection.unscannable))
        raise ConfigError.single(path, "", f"could not be read whole: {why}", "save it as CSV in UTF-8")
    return _sheet(path, _unpacked(path, packed))


def _unpacked(path: Path, packed: bytes) -> str:
    """What a child packed (see `dlp.inspection.declare_table`), and no more of it than a table may have."""
    unpacker = zlib.decompressobj()
    try:
        data = unpacker.decompress(packed, _LARGEST)
        if unpacker.eof:
            return data.decode()
    except (zlib.error, UnicodeDecodeError):
        pass
    raise ConfigError.single(path, "", "what the child says of it makes no sense", "save it as CSV in UTF-8")


def _sheet(path: Path, text: str) -> Sheet:
    """From lines of cells, tabs between them and in front."""
    lines = [line.strip("\t").split("\t") for line in text.split("\n") if line.strip()]
    if not lines:
        raise ConfigError.single(path, "", "is empty", "name a table with a heading and rows")
    heading, rows = [cell.strip() for cell in lines[0]], lines[1:]
    whole = [row for row in rows if len(row) == len(heading)]
    if len(rows) - len(whole) > _MOST_BROKEN * len(rows):
        what = f"{len(rows) - len(whole)} of {len(rows)} rows have empty cells, or line ends in cells"
        raise ConfigError.single(path, "", what, "save it as CSV in UTF-8")
    return Sheet(heading, _batches(iter(whole)), broken=len(rows) - len(whole))


def _rows(path: Path, file: TextIO, delimiter: str) -> Iterator[list[str]]:
    """Without lines that are empty."""
    csv.field_size_limit(_LONGEST)
    reader = csv.reader(file, delimiter=delimiter, strict=True)
    try:
        for row in reader:
            if any(row):
                yield row
    except csv.Error as error:
        remedy = "quote cells that hold quotes or line ends, and double the quotes in them"
        raise ConfigError.single(path, f"line {reader.line_num}", f"is no row: {error}", remedy) from error


def _batches(rows: Iterator[Row]) -> Iterator[Sequence[Row]]:
    while batch := list(islice(rows, BATCH)):
        yield batch


def _encoding(path: Path) -> str:
    with path.open("rb") as file:
        head = file.read(4)
    marked = next((name for mark, name in _MARKS if head.startswith(mark)), None)
    for name in (marked,) if marked else ("utf-8", "gb18030"):
        if _decodes(path, name):
            return name
    raise ConfigError.single(path, "", "is neither UTF-8 nor GB18030", "save it as CSV in UTF-8")


def _decodes(path: Path, encoding: str) -> bool:
    decoder = codecs.getincrementaldecoder(encoding)()
    try:
        with path.open("rb") as file:
            while chunk := file.read(_CHUNK):
                if "\x00" in decoder.decode(chunk):
                    return False
        decoder.decode(b"", final=True)
    except UnicodeError:
        return False
    return True


def _delimiter(path: Path, heading: str) -> str:
    if path.suffix.lower() == ".tsv":
        return "\t"
    outside = "".join(heading.split('"')[::2])
    return max(_DELIMITERS, key=outside.count)
