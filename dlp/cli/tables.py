"""Tables an administrator hands in: CSV and TSV (RFC 4180), in UTF-8, UTF-16 with its mark, or GB18030."""

import codecs
import csv
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TextIO

from dlp.errors import ConfigError

BATCH = 50_000
"""Rows handed on together."""
_LONGEST = 1 << 20
"""Characters of a cell: a quote that is never closed makes a cell of the rest of the file."""
_CHUNK = 1 << 20
_DELIMITERS = ",\t;|"
_MARKS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))

Row = Sequence[str]


@dataclass(frozen=True, slots=True)
class Sheet:
    """A table: its heading, and its other rows, some thousands at a time. A row may be shorter or longer than the heading."""

    heading: Row
    batches: Iterator[Sequence[Row]]


@contextmanager
def opened(path: Path) -> Iterator[Sheet]:
    """The table in a file. Raises ConfigError for one that cannot be read, here and from its batches."""
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


def _rows(path: Path, file: TextIO, delimiter: str) -> Iterator[list[str]]:
    """Without those that are empty."""
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
