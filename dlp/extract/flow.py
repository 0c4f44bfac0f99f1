"""The text of running office markup, by zone: WordprocessingML, DrawingML, PresentationML, SpreadsheetML, VML.

Nine tags in ten are formatting. Every expression here begins with a fixed character, so that the search goes from
one to the next at the speed of memory, and names only what bears on the text.
"""

import re
from collections.abc import Callable, Iterable

from dlp.extract.markup import unescape
from dlp.extract.words import VALUED, all_words, value_words, words
from dlp.model import Zone

_INNER = {
    "txbxContent": Zone.TEXTBOX,
    # These stand inside the one file of Word 2003 XML.
    "hdr": Zone.HEADER,
    "ftr": Zone.FOOTER,
    "footnote": Zone.NOTE,
    "endnote": Zone.NOTE,
    "DocumentProperties": Zone.PROPERTY,
    "CustomDocumentProperties": Zone.PROPERTY,
}
"""Elements with a zone of their own."""
_PLACEHOLDERS = {"title": Zone.TITLE, "ctrTitle": Zone.TITLE, "ftr": Zone.FOOTER, "hdr": Zone.HEADER}
_EDGES = {
    "oddHeader": Zone.HEADER,
    "evenHeader": Zone.HEADER,
    "firstHeader": Zone.HEADER,
    "oddFooter": Zone.FOOTER,
    "evenFooter": Zone.FOOTER,
    "firstFooter": Zone.FOOTER,
}
_RUN_TEXT = frozenset({"t", "delText", "instrText", "delInstrText"})
_DELETED = frozenset({"delText", "instrText", "delInstrText"})
_NUMBERS = frozenset(
    {"posOffset", "pctWidth", "pctHeight", "pctPosHOffset", "pctPosVOffset", "align", "Anchor", "formatCode", "tableStyleId"}
)
"""Elements whose text is layout."""
_POINT = {"sz": 2, "rPr": 100}
"""One point in the half points of Word (ECMA-376 part 1, 17.3.2.38) and the hundredths of DrawingML (21.1.2.3.9)."""
_PRIVATE = range(0xD800, 0xF900)
"""Surrogates, which are no characters, and private use, which is a picture in some font."""

_LINES = ("tr", "si", "comment", "text", "pt", "is", "row", "br", "cr")
"""Elements after which a new line begins, beside paragraphs and shapes."""
_SHAPES = ("sp", "pic", "graphicFrame")
_BEGIN = (*_RUN_TEXT, "br", "cr", "tab", "ptab", "sym", "noBreakHyphen", "ph", "tbl", *_INNER, *VALUED)
_END = ("p", "tbl", *_LINES, *_SHAPES, *_INNER)


def _tags(*, begin: Iterable[str], end: Iterable[str]) -> re.Pattern[str]:
    """The tags of those names without their prefixes: an end tag's name, or a name, what is inside the tag and what follows."""
    prefix = r"(?:[^\s:<>/]{1,64}+:)?+"
    after = r"([^<>]*+)>?+([^<]*+)"
    return re.compile(rf"<(?:/{prefix}({_by_initial(end)})(?=[\s>])|{prefix}({_by_initial(begin)})(?=[\s/>]){after})")


def _by_initial(names: Iterable[str]) -> str:
    """Alternatives, of which those with another first letter are passed over at once."""
    rests: dict[str, list[str]] = {}
    for name in sorted(names):
        rests.setdefault(name[0], []).append(name[1:])
    return "|".join(f"{initial}(?:{'|'.join(rest)})" for initial, rest in rests.items())


_PLAIN = _tags(begin=_BEGIN, end=_END)
_CAREFUL = _tags(begin=(*_BEGIN, "r", "vanish", "specVanish", "rPr", "sz", "color", "shd", "highlight"), end=(*_END, "r"))
"""The same with what may hide a run, for markup in which something does."""
_OTHER_TEXT = re.compile(r">\s*+([^<\s][^<]*+)")
_ASIDE = re.compile(r"<(?:!|\?(?!xml\s|mso-application))([^<>]*+)")
_DECLARATION = 200
"""Characters in which an XML declaration ends."""
_NAME = re.compile(r"[\w.:-]{0,128}")
_TINY = re.compile(r"sz(?:(?<=\ssz)\s?=\s?[\"'](?:\d{1,2}|100)[\"']|\s[^<>]{0,40}val\s?=\s?[\"'][0-2][\"'])")
_WHITENED = re.compile(r"color\s[^<>]{0,200}?val\s?=\s?[\"'][fF]{6}[\"']")
_SIZE = re.compile(r"\b(?:sz|val)\s?=\s?[\"'](\d{1,3})[\"']", re.ASCII)
_WHITE = re.compile(r"\bval\s?=\s?[\"'][fF]{6}[\"']")
_FILL = re.compile(r"\bfill\s?=\s?[\"'](?!auto|[fF]{6})\w")
_OFF = re.compile(r"val\s?=\s?[\"'](?:0|false|off)[\"']")
_TYPE = re.compile(r"\btype\s?=\s?[\"'](\w{1,20})[\"']")
_CHAR = re.compile(r"\bchar\s?=\s?[\"']([0-9A-Fa-f]{2,5})[\"']")
# Fields and formats in a sheet's header (ECMA-376 part 1, 18.3.1.46): position, font, size, colour, page number.
_CODES = re.compile(r"&(?:[LCRPNDTFAZGBIUESXYOH]|\"[^\"]{0,100}\"|K[0-9A-F]{6}|\d{1,3})")


class Flow:
    """Text taken out of running markup, by zone: runs join with nothing, paragraphs with a line end.

    `zone` is that of the plain text; text boxes, titles, hidden and deleted text, watermarks and what is in attributes
    go to their own. With `everything` the values of all attributes are words, and properties.
    """

    def __init__(self, zone: Zone, *, placeholders: bool = False, everything: bool = False) -> None:
        self._zones = [zone]
        self._placeholders = placeholders
        self._words = all_words if everything else words
        self._vanished = self._white = self._shaded = False
        self._tables = 0
        self._texts: dict[Zone, list[str]] = {zone: []}
        self._unended: set[Zone] = set()
        self._known: dict[str, Zone] = {}

    def feed(self, text: str) -> None:
        """Take in markup that ends between two tags."""
        for zone, value in self._words(text):
            self._known.setdefault(value, zone)
        self._outside(text)
        others = _OTHER_TEXT.finditer(text)
        other = next(others, None)
        place = other.start() if other else len(text)
        for match in (_CAREFUL if self._hides(text) else _PLAIN).finditer(text):
            while other and place < match.start():
                self._other(other)
                other = next(others, None)
                place = other.start() if other else len(text)
            ended, name, inside, following = match.groups()
            if ended:
                _AT_END[ended](self)
                continue
            if name not in _RUN_TEXT:
                self._begin(name, inside, following)
            elif following:
                self.add(Zone.HIDDEN if name in _DELETED else self._zone, unescape(following))
            while other and place < match.end():  # the text behind this tag, which has been taken in
                other = next(others, None)
                place = other.start() if other else len(text)
        while other:
            self._other(other)
            other = next(others, None)

    def add(self, zone: Zone, text: str) -> None:
        """Put a text where it belongs."""
        self._texts.setdefault(zone, []).append(text)
        if text.endswith("\n"):
            self._unended.discard(zone)
        else:
            self._unended.add(zone)

    @property
    def texts(self) -> dict[Zone, list[str]]:
        """What was taken in; the words of attributes, each once, after the text of their zone, so that they part no runs."""
        self.end_line()
        found = {zone: list(texts) for zone, texts in self._texts.items()}
        for value, zone in self._known.items():
            found.setdefault(zone, []).append(value + "\n")
        return found

    @property
    def _zone(self) -> Zone:
        unseen = self._white and not (self._shaded or self._tables or self._zones[-1] is Zone.TEXTBOX)
        return Zone.HIDDEN if self._vanished or unseen else self._zones[-1]

    def _hides(self, text: str) -> bool:
        """Whether something in this markup, or from before, may hide text."""
        given = self._vanished or self._white or "anish" in text
        return given or _WHITENED.search(text) is not None or _TINY.search(text) is not None

    def _outside(self, text: str) -> None:
        """What stands before any tag, and comments, CDATA sections and the like."""
        if not text.startswith("<"):
            self.add(self._zone, unescape(text[: text.find("<")] if "<" in text else text) + "\n")
        if _has_aside(text):
            for match in _ASIDE.finditer(text):
                aside = match.group(1).removeprefix("[CDATA[").removesuffix("]]").removeprefix("--").removesuffix("--")
                self.add(Zone.HIDDEN, unescape(aside) + "\n")

    def _other(self, match: re.Match[str]) -> None:
        """Text behind a tag that is none of those that matter, as a line; the tag may have a zone, or be a number's."""
        markup = match.string
        name = _NAME.match(markup, markup.rfind("<", 0, match.start()) + 1)
        local = name.group().rpartition(":")[2] if name else ""
        if local in _EDGES:
            self.add(_EDGES[local], _CODES.sub("", unescape(match.group(1))) + "\n")
        elif local not in _NUMBERS:
            self.add(self._zone, unescape(match.group(1)) + "\n")

    def _begin(self, name: str, inside: str, following: str) -> None:
        if name in _INNER:
            if not inside.endswith("/"):
                self._enter(_INNER[name])
        elif name in VALUED:
            for zone, value in value_words(name, inside):
                known = self._known.setdefault(value, zone)
                self._known[value] = zone if zone is Zone.WATERMARK else known
        else:
            _AT_BEGIN[name](self, inside)
        if following and not following.isspace():
            self.add(self._zone, unescape(following) + "\n")

    def _enter(self, zone: Zone) -> None:
        """Into an element with a zone of its own; in a part that is all of one zone only text boxes have."""
        own = zone is Zone.TEXTBOX or self._zones[0] is Zone.BODY
        self._zones.append(zone if own else self._zones[-1])

    def leave(self) -> None:
        """Out of such an element."""
        self.end_line()
        if len(self._zones) > 1:
            self._zones.pop()

    def end_line(self) -> None:
        """A line end in every zone that has text since the last one."""
        for zone in self._unended:
            self._texts[zone].append("\n")
        self._unended.clear()

    def end_paragraph(self) -> None:
        """The end of a paragraph and of what its properties say."""
        self._vanished = self._white = self._shaded = False
        self.end_line()

    def end_run(self) -> None:
        """The end of a run and of what its properties say."""
        self._vanished = self._white = False

    def end_shape(self) -> None:
        """Out of a shape; a placeholder had its own zone."""
        if self._placeholders:
            self.leave()
        else:
            self.end_line()

    def end_table(self) -> None:
        """Out of a table."""
        self._tables = max(self._tables - 1, 0)

    def table(self, inside: str) -> None:
        """Into a table."""
        self._tables += not inside.endswith("/")

    def run(self, _inside: str) -> None:
        """A run begins; the properties of a paragraph's mark hide the mark only."""
        self._vanished = self._white = False

    def vanish(self, inside: str) -> None:
        """Hidden text."""
        self._vanished = not _OFF.search(inside)

    def size(self, name: str, inside: str) -> None:
        """Text of one point or less is hidden."""
        size = _SIZE.search(inside)
        self._vanished = self._vanished or (size is not None and int(size.group(1)) <= _POINT[name])

    def color(self, inside: str) -> None:
        """White text; what lies behind it in a table or a text box is not known here."""
        self._white = _WHITE.search(inside) is not None

    def shade(self, inside: str) -> None:
        """The run or its paragraph has a ground of its own."""
        self._shaded = self._shaded or _FILL.search(inside) is not None

    def highlight(self, _inside: str) -> None:
        """The run has a ground of its own."""
        self._shaded = True

    def tab(self, inside: str) -> None:
        """A tab; a tab stop has a value or a position, a tab has none."""
        if "val" not in inside and "pos" not in inside:
            self.add(self._zone, "\t")

    def line(self, _inside: str) -> None:
        """A line end in the text."""
        self.add(self._zone, "\n")

    def hyphen(self, _inside: str) -> None:
        """A hyphen at which no line ends."""
        self.add(self._zone, "-")

    def symbol(self, inside: str) -> None:
        """A character given by its number."""
        code = _CHAR.search(inside)
        number = int(code.group(1), 16) if code else 0
        if number and number not in _PRIVATE:
            self.add(self._zone, chr(number))

    def placeholder(self, inside: str) -> None:
        """The rest of the shape is a slide's title, header or footer."""
        if self._placeholders:
            kind = _TYPE.search(inside)
            self._zones.append(_PLACEHOLDERS.get(kind.group(1) if kind else "", self._zones[0]))


def _has_aside(text: str) -> bool:
    """Whether there is more than a declaration; a character that is rare in markup is looked for first, which is faster."""
    if "!" in text and "<!" in text:
        return True
    declared = max(text.find("?>", 0, _DECLARATION), 0)
    return text.rfind("<?", 0, declared + 1) > 0 or (text.find("?", declared + 1) > 0 and text.rfind("<?") > 0)


_AT_END: dict[str, Callable[[Flow], None]] = {
    "p": Flow.end_paragraph,
    "r": Flow.end_run,
    "tbl": Flow.end_table,
    **dict.fromkeys(_LINES, Flow.end_line),
    **dict.fromkeys(_SHAPES, Flow.end_shape),
    **dict.fromkeys(_INNER, Flow.leave),
}
_AT_BEGIN: dict[str, Callable[[Flow, str], None]] = {
    "br": Flow.line,
    "cr": Flow.line,
    "tab": Flow.tab,
    "ptab": Flow.tab,
    "sym": Flow.symbol,
    "noBreakHyphen": Flow.hyphen,
    "ph": Flow.placeholder,
    "tbl": Flow.table,
    "r": Flow.run,
    "vanish": Flow.vanish,
    "specVanish": Flow.vanish,
    "rPr": lambda flow, inside: flow.size("rPr", inside),
    "sz": lambda flow, inside: flow.size("sz", inside),
    "color": Flow.color,
    "shd": Flow.shade,
    "highlight": Flow.highlight,
}
