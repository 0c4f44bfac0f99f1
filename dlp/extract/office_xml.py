"""Office documents in one XML file: flat packages, and the formats of Office 2003 before them.

A flat package (`pkg:package`, which Word and PowerPoint write) is made the package it stands for. Word's
`w:wordDocument` and Excel's `ss:Workbook` have vocabularies of their own.
"""

import io
import re
import zipfile
from collections.abc import Callable, Iterator
from itertools import islice

from dlp.extract.budget import Budget, Exhausted, Unreadable
from dlp.extract.document import Document
from dlp.extract.flow import Flow
from dlp.extract.format import Pieces
from dlp.extract.markup import attributes, tags
from dlp.extract.office import flowed
from dlp.extract.transfer import unbase64
from dlp.extract.words import all_words
from dlp.model import Part, Why, Zone

Reader = Callable[[Document, Iterator[str], Budget], Pieces]
"""Reads markup given in pieces that end between two tags."""

_PREFIX = r"(?:[\w.-]{1,64}+:)?+"
_ROOT = re.compile(rf"<{_PREFIX}(package|wordDocument|Workbook)\s([^<>]*)")
_MARKS = {
    "package": "http://schemas.microsoft.com/office/2006/xmlPackage",
    "wordDocument": "http://schemas.microsoft.com/office/word/2003/wordml",
    "Workbook": "urn:schemas-microsoft-com:office:spreadsheet",
}
_PART = re.compile(rf"<{_PREFIX}part\s([^<>]*)>")
_XML_DATA = re.compile(rf"<{_PREFIX}xmlData\b[^<>]*>")
_BINARY_DATA = re.compile(rf"<{_PREFIX}binaryData\b[^<>]*>([^<]*)")
_BINARY = re.compile(rf"<{_PREFIX}binData\b([^<>]*)>([^<]*)")
_LONGEST_NAME = 1024
"""Characters of a part's name; a ZIP takes no more than 65,535 bytes."""
_HIDDEN_STATES = frozenset({"SheetHidden", "SheetVeryHidden"})


def reader_of(head: str) -> Reader | None:
    """The way to read a file that begins with `head`, None for other XML."""
    root = _ROOT.search(head)
    return _READERS[root.group(1)] if root and _MARKS[root.group(1)] in root.group(2) else None


def _flat_package(document: Document, markup: Iterator[str], budget: Budget) -> Pieces:
    """The package as a document inside, for the reader of its kind."""
    held: list[str] = []
    size = 0
    for piece in markup:
        size += len(piece)
        if size > budget.limits.part_bytes:
            raise Unreadable(Why.TOO_LARGE, "a flat package larger than the limit of a part")
        held.append(piece)
    out = io.BytesIO()
    names: set[str] = set()
    with zipfile.ZipFile(out, "w") as package:
        for name, content in _parts("".join(held), budget):
            while name in names:
                name = f"again/{len(names)}/{name}"
            names.add(name)
            package.writestr(zipfile.ZipInfo(name or "(no name)"), content)
        if "[Content_Types].xml" not in names:
            package.writestr(zipfile.ZipInfo("[Content_Types].xml"), b"<Types/>")
    yield document.nested(out.getvalue(), name=None, label="package")


def _parts(markup: str, budget: Budget) -> Iterator[tuple[str, bytes]]:
    """The name and the content of each part; what has no data as it stands."""
    found = list(islice(_PART.finditer(markup), budget.limits.members + 1))
    if len(found) > budget.limits.members:
        raise Exhausted(Why.TOO_MANY, "a flat package with more parts than an item's limit")
    starts = [(match.start(), match.end(), dict(attributes(match.group(1)))) for match in found]
    if not starts:
        raise Unreadable(Why.CORRUPT, "a flat package without parts")
    ends = [start for start, _, _ in starts[1:]] + [len(markup)]
    for (_, start, given), end in zip(starts, ends, strict=True):
        name = next((value for key, value in given.items() if key.rpartition(":")[2] == "name"), "").lstrip("/")[:_LONGEST_NAME]
        content = markup[start:end]
        budget.spend(len(content))
        data, binary = _XML_DATA.search(content), _BINARY_DATA.search(content)
        if binary and (data is None or binary.start() < data.start()):
            yield name, unbase64(binary.group(1).encode("ascii", "ignore")).content
            continue
        yield name, content[data.end() if data else 0 :].encode("utf-8", "replace")


def _word(document: Document, markup: Iterator[str], budget: Budget) -> Pieces:
    """Word 2003: the text by zones; binary data as documents inside."""
    flow = Flow(Zone.BODY)
    for piece in markup:
        budget.tick()
        for match in _BINARY.finditer(piece):
            given = {key.rpartition(":")[2]: value for key, value in attributes(match.group(1))}
            content = unbase64(match.group(2).encode("ascii", "ignore")).content
            budget.spend(len(content))
            yield document.nested(content, name=given.get("name", "").rpartition("/")[2] or None, label="binary data")
        flow.feed(_BINARY.sub("<binData>", piece) if "binData" in piece else piece)
    yield from flowed(document, flow, Zone.BODY)


class _Sheet:
    """One sheet of Excel 2003: cells in rows, comments, the rest."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.hidden = False
        self.texts: dict[Zone, list[str]] = {}
        self._inside: list[str] = []

    def take(self, kind: str, name: str, inside: str, text: str) -> None:
        """One tag and the text behind it."""
        if kind == "" and not inside.endswith("/") and name in ("Data", "Comment", "Visible"):
            self._inside.append(name)
        elif kind == "/" and self._inside and self._inside[-1] == name:
            self._inside.pop()
            self._add("\n" if name == "Comment" else "", zone=Zone.COMMENT)
        elif kind == "" and name == "Cell":
            self._add("\t", zone=Zone.BODY)
        elif kind == "/" and name == "Row":
            self._add("\n", zone=Zone.BODY)
        if self._inside[-1:] == ["Visible"]:
            self.hidden = self.hidden or text.strip() in _HIDDEN_STATES
        elif "Comment" in self._inside:
            self._add(text, zone=Zone.COMMENT)
        elif "Data" in self._inside:
            self._add(text, zone=Zone.BODY)
        elif text and not text.isspace():
            self._add(text + "\n", zone=Zone.HIDDEN)

    def _add(self, text: str, *, zone: Zone) -> None:
        if text:
            self.texts.setdefault(zone, []).append(text)

    def parts(self, document: Document, *, page: int, start: bool) -> Iterator[Part]:
        """What was taken in; all of a sheet that is not shown is hidden."""
        for zone, texts in self.texts.items():
            place = Zone.HIDDEN if self.hidden else zone
            trail = (self.name,) if self.name else ()
            yield from document.parts(texts, zone=place, trail=trail, page=page or None, start=start and place is Zone.BODY)


def _workbook(document: Document, markup: Iterator[str], budget: Budget) -> Pieces:
    """Excel 2003: each sheet under its name; the values of all attributes, in which formulas and links are."""
    sheet = _Sheet("")
    page = 0
    values: dict[str, None] = {}
    for piece in markup:
        budget.tick()
        values |= dict.fromkeys(f"{value}\n" for _, value in all_words(piece))
        for tag in tags(piece):
            if tag.name == "Worksheet" and tag.kind == "":
                yield from sheet.parts(document, page=page, start=page == 1)
                given = {key.rpartition(":")[2]: value for key, value in attributes(tag.inside)}
                sheet, page = _Sheet(given.get("Name", "")), page + 1
            sheet.take(tag.kind, tag.name, tag.inside, tag.text)
    yield from sheet.parts(document, page=page, start=page == 1)
    yield from document.parts(values, zone=Zone.PROPERTY)


_READERS: dict[str, Reader] = {"package": _flat_package, "wordDocument": _word, "Workbook": _workbook}
