"""What Word, Excel and PowerPoint packages have in common (ECMA-376 parts 1 and 2): parts, relationships, properties, text.

Every XML part gives its text, whether or not the main part refers to it; every other part is a document inside.
"""

import re
from collections.abc import Callable, Iterator

from dlp.extract.budget import Budget, Exhausted, Unreadable
from dlp.extract.charset import decode
from dlp.extract.document import Document
from dlp.extract.format import Pieces
from dlp.extract.markup import attributes, decoded, tags, unescape
from dlp.extract.zipped import Member, Package
from dlp.model import Part, Unscannable, Why, Zone

_XML = (".xml", ".rels", ".vml")
_RUN_TEXT = frozenset({"t", "delText", "instrText", "delInstrText"})
_ENDS = frozenset({"p", "tr", "si", "comment", "txbxContent", "text", "pt", "sp", "is", "row", "br", "cr"})
"""Elements after which a new line begins."""
_SHAPES = frozenset({"sp", "pic", "graphicFrame"})
_HIDDEN = frozenset({"delText", "instrText", "delInstrText"})
_NUMBERS = frozenset(
    {"posOffset", "pctWidth", "pctHeight", "pctPosHOffset", "pctPosVOffset", "align", "Anchor", "formatCode", "tableStyleId"}
)
"""Elements whose text is layout."""
_PLACEHOLDERS = {"title": Zone.TITLE, "ctrTitle": Zone.TITLE, "ftr": Zone.FOOTER, "hdr": Zone.HEADER}
_EDGES = {
    "oddHeader": Zone.HEADER,
    "evenHeader": Zone.HEADER,
    "firstHeader": Zone.HEADER,
    "oddFooter": Zone.FOOTER,
    "evenFooter": Zone.FOOTER,
    "firstFooter": Zone.FOOTER,
}
# Fields and formats in a sheet's header (ECMA-376 part 1, 18.3.1.46): position, font, size, colour, page number.
_CODES = re.compile(r"&(?:[LCRPNDTFAZGBIUESXYOH]|\"[^\"]{0,100}\"|K[0-9A-F]{6}|\d{1,3})")
_OFF = re.compile(r"val\s?=\s?[\"'](?:0|false|off)[\"']")
_TYPE = re.compile(r"\btype\s?=\s?[\"'](\w{1,20})[\"']")
# Attributes that hold words a person wrote, and any attribute with characters beyond ASCII.
_WORDS = re.compile(
    r"\s(?:\w{1,20}:)?(?:descr|title|alt|string|author|initials|instr|tooltip|alias|tag|displayText|placeholder|prompt|promptTitle"
    r"|error|errorTitle|display|location|caption)\s?=\s?(?:\"([^\"<]+)\"|'([^'<]+)')"
)
_FOREIGN = re.compile(r"=\"([^\"<\x80-\U0010ffff]*[\x80-\U0010ffff][^\"<]*)\"")
_VALUES = re.compile(r"<(?:\w{1,20}:)?(?:docVar|default|helpText|statusText|tag|listItem)\b[^<>]*?\bval\s?=\s?\"([^\"<]+)\"")
_WATERMARK = re.compile(r"<(?:\w{1,20}:)?textpath\b[^<>]*?\bstring\s?=\s?(?:\"([^\"<]+)\"|'([^'<]+)')")

_WORD = 4
"""Characters of an attribute that may be a word; the many shorter ones are numbers and switches."""
_DULL = ("http://schemas.", "application/vnd.openxml", "dcterms:")

Reader = Callable[[Member], Pieces | None]
"""A format's own way with one part; None leaves it to what is common."""


class Flow:
    """Text taken out of running markup, by zone: runs join with nothing, paragraphs with a line end.

    `zone` is that of the plain text; text boxes, titles, hidden and deleted text, watermarks and what is in attributes
    go to their own.
    """

    def __init__(self, zone: Zone, *, placeholders: bool = False) -> None:
        self._zones = [zone]
        self._placeholders = placeholders
        self._hidden = False
        self._in_run = False
        self.texts: dict[Zone, list[str]] = {zone: []}
        self._known: set[str] = set()

    def feed(self, text: str) -> None:
        """Take in markup that ends between two tags."""
        self._attributes(text)
        for tag in tags(text):
            if tag.kind == "":
                self._open(tag.name, tag.inside)
            elif tag.kind == "/":
                self._close(tag.name)
            elif tag.kind == "!":
                self.add(Zone.HIDDEN, unescape(tag.inside).removeprefix("[CDATA[").removesuffix("]]") + "\n")
            if tag.text:
                self._text(tag.kind, tag.name, tag.text)

    def add(self, zone: Zone, text: str) -> None:
        """Put a text where it belongs."""
        self.texts.setdefault(zone, []).append(text)

    def _open(self, name: str, inside: str) -> None:
        if name == "r":
            self._in_run, self._hidden = True, False
        elif name == "vanish" and self._in_run:
            self._hidden = not _OFF.search(inside)
        elif name == "tab" and "val" not in inside:  # a tab stop has a value, a tab has none
            self.add(self._zone, "\t")
        elif name in ("br", "cr"):
            self.add(self._zone, "\n")
        elif name == "noBreakHyphen":
            self.add(self._zone, "-")
        elif name == "txbxContent":
            self._zones.append(Zone.TEXTBOX)
        elif name == "ph" and self._placeholders:
            kind = _TYPE.search(inside)
            self._zones.append(_PLACEHOLDERS.get(kind.group(1) if kind else "", self._zones[0]))

    def _close(self, name: str) -> None:
        if name == "r":
            self._in_run = self._hidden = False
            return
        if name in _ENDS:
            for texts in self.texts.values():
                if texts and not texts[-1].endswith("\n"):
                    texts.append("\n")
        if (name == "txbxContent" or (name in _SHAPES and self._placeholders)) and len(self._zones) > 1:
            self._zones.pop()

    def _text(self, kind: str, name: str, text: str) -> None:
        if kind == "" and name in _RUN_TEXT:
            self.add(Zone.HIDDEN if name in _HIDDEN else self._zone, text)
        elif not text.isspace() and name not in _NUMBERS:
            zone = _EDGES.get(name)
            self.add(zone or self._zone, (_CODES.sub("", text) if zone else text) + "\n")

    @property
    def _zone(self) -> Zone:
        return Zone.HIDDEN if self._hidden else self._zones[-1]

    def _attributes(self, text: str) -> None:
        for match in _WATERMARK.finditer(text):
            self._once(Zone.WATERMARK, match.group(1) or match.group(2))
        for pattern in (_WORDS, _VALUES, _FOREIGN):
            for match in pattern.finditer(text):
                self._once(Zone.HIDDEN, match.group(match.lastindex or 1))

    def _once(self, zone: Zone, value: str) -> None:
        if value not in self._known:
            self._known.add(value)
            self.add(zone, unescape(value) + "\n")


def read_package(
    document: Document, budget: Budget, *, zone_of: Callable[[str], Zone | None], reader: Callable[[Package], Reader]
) -> Pieces:
    """Every part of the package in the order of its members, which `reader` may change before it answers.

    What the format's own reader leaves has the zone that `zone_of` gives its name; None means that its attributes
    are words as well.
    """
    package = Package(document, budget)
    for sentence in dict.fromkeys(package.damage):
        yield document.unread(Why.CORRUPT, sentence)
    yield from document.parts([decode(package.comment, None)], zone=Zone.COMMENT)
    own = reader(package)
    for member in package.members:
        budget.tick()
        if member.directory and not member.size:
            continue
        pieces = own(member)
        if pieces is not None:
            yield from pieces
        elif member.name.lower().endswith(_XML) and not member.encrypted:
            yield from xml_part(document, package, member, budget, zone=zone_of(member.name))
        else:
            yield from _inside(document, package, member, budget)


def _inside(document: Document, package: Package, member: Member, budget: Budget) -> Pieces:
    content, end = package.read(member)
    if end is not None:
        yield document.unread(end.why, end.detail, trail=(member.name,))
    yield document.nested(content, name=member.name.rsplit("/", 1)[-1])


def xml_part(
    document: Document,
    package: Package,
    member: Member,
    budget: Budget,
    *,
    zone: Zone | None,
    page: int | None = None,
    start: bool = False,
    placeholders: bool = False,
) -> Iterator[Part | Unscannable]:
    """The text of one XML part; damage is told after what was read before it."""
    flow = Flow(zone or Zone.PROPERTY, placeholders=placeholders)
    for piece in stream(document, package, member, budget):
        if isinstance(piece, Unscannable):
            yield piece
            continue
        flow.feed(piece)
        if "<!DOCTYPE" in piece or "<!ENTITY" in piece:
            # ECMA-376 part 2, 7.2.5 forbids it: what an entity stands for is shown to some readers and not to others.
            yield document.unread(Why.CORRUPT, "declares a document type", trail=(member.name,))
        if zone is None:
            _attribute_words(piece, flow, targets=member.name.endswith(".rels"))
    yield from flowed(document, flow, zone or Zone.PROPERTY, page=page, start=start)


def _attribute_words(markup: str, flow: Flow, *, targets: bool) -> None:
    """The values of all attributes, or of relationships only the targets outside the package (ECMA-376 part 2, 8.3)."""
    for tag in tags(markup):
        if tag.kind == "?" or (targets and "External" not in tag.inside):
            continue
        for name, value in attributes(tag.inside):
            if len(value) >= _WORD and not name.startswith("xmlns") and not value.startswith(_DULL):
                flow.add(Zone.PROPERTY, value + "\n")


def flowed(
    document: Document, flow: Flow, first: Zone, *, page: int | None = None, start: bool = False, trail: tuple[str, ...] = ()
) -> Iterator[Part]:
    """A flow's texts as Parts, those of zone `first` first."""
    yield from document.parts(flow.texts.pop(first, ()), zone=first, page=page, start=start, trail=trail)
    for zone, texts in flow.texts.items():
        yield from document.parts(texts, zone=zone, page=page, trail=trail)


def stream(document: Document, package: Package, member: Member, budget: Budget) -> Iterator[str | Unscannable]:
    """The markup of one part in pieces; where it breaks off, an Unscannable last."""
    try:
        yield from decoded(package.stream(member), budget, packed=member.size)
    except Exhausted:
        raise
    except Unreadable as end:
        yield document.unread(end.why, end.detail, trail=(member.name,))
