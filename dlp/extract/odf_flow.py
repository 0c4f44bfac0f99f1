"""The text of OpenDocument markup by zone and page (ODF 1.3 part 3): what is shown, what is hidden, what is said about it.

One pass over the tags of a part, or of a flat document, which has all parts in one.
"""

import re
from base64 import b64decode
from bisect import bisect
from collections import defaultdict
from collections.abc import Iterator
from typing import NamedTuple

from dlp.extract.markup import unescape
from dlp.model import Zone

_TAG = re.compile(r"<(/?)([^\s<>/!?][^\s<>/]*)([^<>]*)>?([^<]*)|<([^<]*)")
_ZONES: dict[str, Zone] = {
    "annotation": Zone.COMMENT,
    "note": Zone.NOTE,
    "notes": Zone.NOTE,
    "header": Zone.HEADER,
    "header-left": Zone.HEADER,
    "header-first": Zone.HEADER,
    "header-decl": Zone.HEADER,
    "footer": Zone.FOOTER,
    "footer-left": Zone.FOOTER,
    "footer-first": Zone.FOOTER,
    "footer-decl": Zone.FOOTER,
    "tracked-changes": Zone.HIDDEN,
    "change-info": Zone.HIDDEN,
    "deletion": Zone.HIDDEN,
    "hidden-text": Zone.HIDDEN,
    "hidden-paragraph": Zone.HIDDEN,
    "scenario": Zone.HIDDEN,
    "document-meta": Zone.PROPERTY,
    "scripts": Zone.HIDDEN,
    "forms": Zone.HIDDEN,
    "master-styles": Zone.HEADER,  # what a master says is on every page
    "content-validations": Zone.HIDDEN,
    "named-expressions": Zone.HIDDEN,
    "database-ranges": Zone.HIDDEN,
    "dde-links": Zone.HIDDEN,
    "table-source": Zone.HIDDEN,
    "index-source": Zone.HIDDEN,
}
"""Elements whose text has a zone of its own."""
_SHAPES = frozenset(
    """text-box custom-shape rect ellipse circle line polyline polygon regular-polygon path connector caption measure
    control""".split()  # noqa: SIM905 - readable
)
_ALTERNATIVE = frozenset({"title", "desc"})
_STYLED = frozenset({"p", "h", "span", "section", "table", "table-row", "table-cell", "page", "frame", *_SHAPES})
_LINES = frozenset({"p", "h", "line-break", "list-item", "user-defined", "script", "module", "creator", "date"})
# Patterns over whole parts begin with a letter or a colon that must be there: so they are as fast as looking for it.
_STYLES = re.compile(r"office:(?:automatic-styles|styles|font-face-decls|settings)\b[^<>]*>")
# Attributes that hold words a person wrote, and any with characters beyond ASCII.
_WORDS = re.compile(
    r":(?:href|string-value|string-value-if-true|string-value-if-false|formula|condition|description|label|(?<!office:)value|current-value"
    r"|placeholder|help-message|title|alt|display-name|target-frame-name|connection-name|database-name|command|list-source"
    r"|image-data|author|initials|note|content|expression|prompt|user-name)=\"([^\"<]{2,})\""
)
_NAMES = re.compile(r":(?:name|id)=\"([^\"<]{2,})\"")
_FOREIGN = re.compile(r"=\"([^\"<\x80-\U0010ffff]*[\x80-\U0010ffff][^\"<]*)\"")
_ANY = re.compile(r"\s([\w:.-]{1,64})\s?=\s?(?:\"([^\"<]*)\"|'([^'<]*)')")
_GENERATED = re.compile(r"[A-Za-z]{1,12}[_ ]?\d{1,4}|_[\d_]{1,12}|-?\d{1,5}(?:[.,]\d{1,5})?[\w%]{0,3}|true|false")
"""Values that programs give by counting."""
_SINGLE = re.compile(r"='([^'\"<]*)'")
_STYLE_TEXT = re.compile(r">\s*([^<>\s][^<>]*)")
_STYLE = re.compile(r"style:style\s([^<>]*)>")
_UNSEEN = re.compile(r":(?:display=\"(?:none|false)\"|visibility=\"(?:hidden|collapse|filter)\"|font-size=\"[0-4](?:\.\d+)?pt\")")
_WHITE = re.compile(r":color=\"#[fF]{6}\"")
_STYLE_NAME = re.compile(r":style-name=\"([^\"<]*)\"")
_OWN_NAME = re.compile(r":name=\"([^\"<]*)\"")
_PARENT = re.compile(r":parent-style-name=\"([^\"<]*)\"")
_HIDES = re.compile(r":(?:display=\"(?:none|condition)\"|visibility=\"(?:hidden|collapse|filter)\")")
_COUNT = re.compile(r":c=\"(\d{1,6})\"")
_REPEATED = re.compile(r":number-columns-repeated=\"(\d{1,6})\"")
_VALUE = re.compile(r":(?:value|date-value|time-value|string-value)=\"([^\"<]*)\"")
_LABELLED = re.compile(r":name=\"([^\"<]*)\"")
_TITLED = re.compile(r":class=\"(?:title|subtitle)\"")
_WATERMARK = re.compile(r"(?i):name=\"[^\"<]*water\s?mark")
_MEDIA = re.compile(r"(?:text|image|application)/[\w.+-]+")
_DULL = ("http://www.w3.org/", "urn:oasis:", "http://openoffice.org/", "http://docs.oasis", "http://purl.org/")

_SPACES = 1_000
"""Spaces that one element stands for, at the most."""
_REPEATS = 50
"""Times a repeated cell is written, at the most, and characters of one that is."""
_NUMBER = 6
"""Characters of a value from which on it is told beside what a cell shows."""


class Page(NamedTuple):
    """A slide or a sheet: `number` from 1, None for what is on no page; `name` in the document's words."""

    number: int | None
    name: str
    texts: dict[Zone, list[str]]


class Flow:
    """Text taken out of running markup. `boxed` is the zone of shapes' text: in a presentation it is the body."""

    def __init__(self, *, hidden: set[str], white: bool) -> None:
        """`hidden` are names of styles that are not seen, known from another part; those of this part are added.

        `white` says whether white text counts among them: on slides it is common.
        """
        self._white = white
        self.hidden = hidden
        self.pages: list[Page] = []
        self.pictures: list[bytes] = []
        self.declares = False
        self._page = Page(None, "", defaultdict(list))
        self._stack: list[tuple[str, Zone]] = []
        self._open: dict[str, int] = defaultdict(int)
        self._zone = Zone.BODY
        self._kind = ""
        self._number = 0
        self._sheets = 0
        self._in_styles = False
        self._known: set[str] = set()
        self._value: str | None = None
        self._cell: tuple[int, int] = (0, 1)
        self._binary: list[str] | None = None

    def feed(self, markup: str) -> None:
        """Take in markup that ends between two tags."""
        if "='" in markup:
            markup = _SINGLE.sub(r'="\1"', markup)
        at = 0
        for match in _STYLES.finditer(markup):
            start = match.start()
            before = markup[max(start - 2, 0) : start]
            if match.group().endswith("/>") or not before.endswith(("<", "</")):
                continue
            closing = before == "</"
            if closing and self._in_styles:
                self._style(markup[at : match.end()])
                at = match.end()
            elif not closing and not self._in_styles:
                self._content(markup[at : start - 1])
                at = start - 1
            self._in_styles = not closing
        if self._in_styles:
            self._style(markup[at:])
        else:
            self._content(markup[at:] if at else markup)

    def end(self) -> list[Page]:
        """What was read, in its order."""
        if self._binary is not None:
            self._end_binary()
        self._turn()
        return [page for page in self.pages if page.texts]

    def _style(self, markup: str) -> None:
        """Styles hold next to no words: the few are looked for, and the names of styles that hide what has them."""
        for pattern in (_STYLE_TEXT, _WORDS) if markup.isascii() else (_STYLE_TEXT, _WORDS, _FOREIGN):
            for match in pattern.finditer(markup):
                self._once(match.group(match.lastindex or 1))
        unseen = [match.start() for match in _UNSEEN.finditer(markup)]
        unseen += [match.start() for match in _WHITE.finditer(markup)] if self._white else []
        if not unseen and not self.hidden:
            return
        styles = list(_STYLE.finditer(markup))
        places = [style.start() for style in styles]
        hiding = {bisect(places, place) - 1 for place in unseen}
        for number, style in enumerate(styles):
            own, parent = _OWN_NAME.search(style.group(1)), _PARENT.search(style.group(1))
            if own is not None and (number in hiding or (parent is not None and parent.group(1) in self.hidden)):
                self.hidden.add(own.group(1))

    def _content(self, markup: str) -> None:
        for pattern in (_WORDS, _NAMES) if markup.isascii() else (_WORDS, _NAMES, _FOREIGN):
            for match in pattern.finditer(markup):
                self._once(match.group(match.lastindex or 1))
        for closing, qualified, inside, text, other in _TAG.findall(markup):
            if other:
                self._other(other)
                continue
            prefix, _, name = qualified.rpartition(":")
            if closing:
                self._close(name)
            else:
                self._begin(prefix, name, inside)
            if text:
                self._text(unescape(text))

    def _text(self, text: str) -> None:
        if self._binary is not None:
            self._binary.append(text)
        elif text.isspace():
            self._space(" ")
        else:
            self._page.texts[self._zone].append(text)

    def _other(self, inside: str) -> None:
        """Comments, declarations, instructions, sections of characters."""
        self.declares = self.declares or inside.startswith(("!DOCTYPE", "!ENTITY"))
        if not inside.startswith(("!", "?")):
            self._text(unescape("<" + inside))
        elif inside.startswith("![CDATA["):
            self._text(inside[8:].partition("]]>")[0])
        elif not inside.startswith("?xml"):
            self._page.texts[Zone.HIDDEN].append(unescape(inside) + "\n")

    def _begin(self, prefix: str, name: str, inside: str) -> None:
        if self._binary is not None:
            self._end_binary()
        empty = inside.endswith("/")
        zone = self._zone_of(prefix, name, inside)
        if zone is not None and not empty:
            self._stack.append((name, self._zone))
            self._open[name] += 1
            self._zone = zone
        if name == "s":
            count = _COUNT.search(inside)
            self._page.texts[self._zone].append(" " * min(int(count.group(1)) if count else 1, _SPACES))
        elif name == "tab":
            self._space("\t")
        elif name == "line-break" or (empty and name == "p"):
            self._space("\n")
        elif name in _ACTIONS:
            _ACTIONS[name](self, prefix, inside, empty)

    def _zone_of(self, prefix: str, name: str, inside: str) -> Zone | None:
        """The zone that an element opens; hidden stays hidden, and shapes are boxes only where they stand in running text."""
        if name in _STYLED and self._is_hidden(inside):
            return Zone.HIDDEN
        zone = Zone.PROPERTY if name == "meta" and prefix == "office" else _ZONES.get(name)
        if zone is not None:
            return None if self._zone is Zone.HIDDEN and zone is not Zone.NOTE else zone
        if name in _ALTERNATIVE and prefix in ("svg", "table"):
            return Zone.HIDDEN
        if name == "frame" and _TITLED.search(inside) and self._kind == "presentation" and self._zone is Zone.BODY:
            return Zone.TITLE
        if name in _SHAPES and _WATERMARK.search(inside):
            return Zone.WATERMARK
        if name in _SHAPES and self._zone is Zone.BODY and self._kind not in ("presentation", "drawing"):
            return Zone.TEXTBOX
        return None

    def _is_hidden(self, inside: str) -> bool:
        if _HIDES.search(inside):
            return True
        if not self.hidden:
            return False
        style = _STYLE_NAME.search(inside)
        return style is not None and style.group(1) in self.hidden

    def _close(self, name: str) -> None:
        if name in _LINES or self._zone is Zone.PROPERTY:
            self._space("\n")
        elif name == "table-cell" or name == "covered-table-cell":
            self._end_cell()
        elif name == "table-row":
            self._end_row()
        elif name == "binary-data":
            self._end_binary()
        elif (name == "page" and self._kind in ("presentation", "drawing")) or (name == "table" and self._kind == "spreadsheet"):
            self._sheets -= 1
            if self._sheets <= 0:
                self._turn()
        if self._open[name] > 0:
            self._space("\n")
            # An element that damage left open is closed with the one around it.
            while True:
                opened, self._zone = self._stack.pop()
                self._open[opened] -= 1
                if opened == name:
                    break

    def _space(self, char: str) -> None:
        """End a line, or part two words, unless that has just been done."""
        texts = self._page.texts[self._zone]
        if texts and (char == "\t" or not texts[-1].endswith(("\n", "\t", " "))):
            texts.append(char)

    def _turn(self, name: str = "", number: int | None = None) -> None:
        """Put the page away and begin another."""
        self.pages.append(self._page)
        self._page = Page(number, name, defaultdict(list))

    def _once(self, value: str) -> None:
        if value not in self._known and len(value) > 1 and not _GENERATED.fullmatch(value) and not value.startswith(_DULL):
            self._known.add(value)
            self._page.texts[Zone.HIDDEN].append(unescape(value) + "\n")

    def _end_cell(self) -> None:
        """The cell's text again where it is repeated; its value where what is shown may be less."""
        start, repeats = self._cell
        texts = self._page.texts[self._zone]
        if texts and texts[-1] == "\n":
            texts.pop()
        shown = "".join(texts[start:]) if len(texts) > start and len(texts) - start < 100 else ""
        if shown and len(shown) <= _REPEATS:
            texts.extend(["\t", shown] * (min(repeats, _REPEATS) - 1))
        if self._value is not None and len(self._value) >= _NUMBER and self._value not in shown:
            self._page.texts[Zone.HIDDEN].append(unescape(self._value) + "\n")
        self._value = None
        texts.append("\t")

    def _end_row(self) -> None:
        texts = self._page.texts[self._zone]
        while texts and texts[-1] == "\t":
            texts.pop()
        if texts and not texts[-1].endswith("\n"):
            texts.append("\n")

    def _end_binary(self) -> None:
        text = "".join(self._binary or ())
        self._binary = None
        try:
            self.pictures.append(b64decode(text))
        except ValueError:  # of base64, and of characters that are none of it
            self._page.texts[Zone.HIDDEN].append(text + "\n")

    # What elements do when they begin. Each takes the prefix, what stands inside the tag, whether it is empty.

    def _begin_cell(self, prefix: str, inside: str, empty: bool) -> None:
        value, repeated = _VALUE.search(inside), _REPEATED.search(inside)
        self._value = value.group(1) if value else None
        self._cell = (len(self._page.texts[self._zone]), int(repeated.group(1)) if repeated else 1)
        if empty:
            self._end_cell()

    def _begin_sheet(self, prefix: str, inside: str, empty: bool) -> None:
        if self._kind != "spreadsheet" or empty:
            return
        self._sheets += 1
        if self._sheets == 1:
            self._begin_page(inside)

    def _begin_slide(self, prefix: str, inside: str, empty: bool) -> None:
        if self._kind in ("presentation", "drawing") and not empty:
            self._sheets += 1
            self._begin_page(inside)

    def _begin_page(self, inside: str) -> None:
        name = _LABELLED.search(inside)
        self._number += 1
        self._turn(unescape(name.group(1)) if name else "", self._number)

    def _begin_body(self, prefix: str, inside: str, empty: bool) -> None:
        self._kind = "spreadsheet"

    def _begin_slides(self, prefix: str, inside: str, empty: bool) -> None:
        if prefix == "office":
            self._kind = "presentation"

    def _begin_drawing(self, prefix: str, inside: str, empty: bool) -> None:
        self._kind = "drawing"

    def _begin_property(self, prefix: str, inside: str, empty: bool) -> None:
        name = _LABELLED.search(inside)
        if self._zone is Zone.PROPERTY and name is not None and not empty:
            self._space("\n")
            self._page.texts[Zone.PROPERTY].append(unescape(name.group(1)) + ": ")

    def _begin_binary(self, prefix: str, inside: str, empty: bool) -> None:
        if not empty:
            self._binary = []


_ACTIONS = {
    "table-cell": Flow._begin_cell,
    "covered-table-cell": Flow._begin_cell,
    "table": Flow._begin_sheet,
    "page": Flow._begin_slide,
    "spreadsheet": Flow._begin_body,
    "presentation": Flow._begin_slides,
    "drawing": Flow._begin_drawing,
    "user-defined": Flow._begin_property,
    "binary-data": Flow._begin_binary,
}


def words(markup: str) -> Iterator[str]:
    """The texts and the attributes' values of markup of another vocabulary, numbers and switches left out."""
    for match in _ANY.finditer(markup):
        value = match.group(2) or match.group(3) or ""
        named = match.group(1).startswith("xmlns") or value.startswith(_DULL)
        if len(value) > 1 and not named and not _GENERATED.fullmatch(value) and not _MEDIA.fullmatch(value):
            yield unescape(value) + "\n"
    for match in _STYLE_TEXT.finditer(markup):
        yield unescape(match.group(1)) + "\n"
