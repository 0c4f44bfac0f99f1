"""HTML: what a reader sees, and what he does not (title, comments, scripts, attributes, what a style hides).

Not html.parser, whose handling of unclosed constructs is quadratic, nor a tree. A page is split at its "<"; each different
tag is looked at once, for a page has many tags and few different ones, and what needs no look at all is done by one
operation on all pieces (WHATWG HTML, section 13.2.5, simplified). Every step moves forward.
"""

import base64
import binascii
import re
from collections.abc import Callable, Iterator
from urllib.parse import unquote_to_bytes

import numpy as np

from dlp.extract.budget import Budget
from dlp.extract.charset import decode, detect, known
from dlp.extract.document import Document
from dlp.extract.format import Format, Pieces
from dlp.extract.markup import unescape
from dlp.extract.text import fits, texts
from dlp.model import Part, Why, Zone

_BLOCKS = frozenset(
    """address article aside blockquote body br button caption center dd details dialog div dl dt fieldset figcaption figure
    footer form h1 h2 h3 h4 h5 h6 head header hr html iframe label legend li main nav noscript ol optgroup option p pre
    section select summary table tbody template textarea tfoot thead title tr ul""".split()  # noqa: SIM905 - readable
)
_CELLS = frozenset({"td", "th"})
_UNREAD = frozenset({"script", "style", "xmp", "noembed", "noframes"})
"""Elements whose content is not markup and not shown."""
_OPTIONAL_END = frozenset(
    """area base body br col colgroup dd dt embed head hr html img input li link meta option optgroup p param rb rp rt source
    tbody td tfoot th thead tr track wbr""".split()  # noqa: SIM905 - readable
)
"""Elements that have no end tag, or need none, and so tell nothing of nesting."""
_VOID = frozenset({"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "param", "source", "track", "wbr"})
_PHRASES = frozenset({"a", "b", "i", "u", "em", "font", "span", "strong", "sup", "sub", "small", "cite", "code", "abbr", "time"})
LEVELS = 2_000
"""Elements inside each other; browsers stop at 512, and no tool that people write pages with comes near."""
ATTRIBUTES = 1_000
"""Attributes of one element."""
_DULL = ("class", "id", "style", "rel", "type", "lang", "dir", "width", "height", "target", "align", "role", "srcset", "sizes")
"""Attributes that hold no words, unless they hold characters beyond ASCII."""
_NAME = re.compile(r"/?([a-zA-Z][^\s/<>]{0,64})")
_QUOTED = re.compile(r'="' + "".join(rf'(?<!\s{name}=")' for name in _DULL) + r'([^"]*)"')
_ANY_QUOTED = re.compile(r'="([^"]*)"')
_ATTRIBUTE = re.compile(r"""(?<![^\s"'/])([^\s"'<>/=]{1,64})\s{0,64}=\s{0,64}(?:"([^"]*)"?|'([^']*)'?|([^\s"'>]+))""")
_OPENED = re.compile(r"""=\s{0,64}(?:(?=(["']))(?:"[^"]*|'[^']*)(["']?))""")
_UNSEEN = re.compile(
    r"display\s{0,9}:\s{0,9}none|visibility\s{0,9}:\s{0,9}hidden|font-size\s{0,9}:\s{0,9}0(?![.\d]{0,9}[1-9])"
    r"|opacity\s{0,9}:\s{0,9}0(?![.\d]{0,9}[1-9])|(?<!-)\bcolor\s{0,9}[:=]\s{0,9}[\"']?(?:#fff(?:fff)?|white)\b"
)
_UNSEEN_ATTRIBUTE = re.compile(r"\shidden(?:\s|$|=)")
_DULL_VALUE = re.compile(r"-?[\d.]{1,9}(?:px|%|em|pt)?|#?")
_SHORT = 12
_SRCDOC = re.compile(r"""(?i)\ssrcdoc\s{0,64}=\s{0,64}(?:"([^"]*)"|'([^']*)')""")
_COMMENT_END = re.compile(r"--!?>")
_ESCAPED = re.compile(r"(?:\\u[0-9a-fA-F]{4})+")
_INDENT = re.compile(r"\n\s+")
_META_CHARSET = re.compile(rb"<meta[^>]{0,200}?charset\s{0,9}=\s{0,9}[\"']?([A-Za-z0-9._:-]{1,40})", re.I)
_XML_CHARSET = re.compile(rb"\s{0,9}<\?xml[^>]{0,100}?encoding\s{0,9}=\s{0,9}[\"']([A-Za-z0-9._:-]{1,40})")
_MARKS = (b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")
_DATA_URI = re.compile(r"(?i)data:([\w.+/-]{0,100})((?:;[\w=.+-]{1,60}){0,5}),")

# What a tag does: inline and block, each of no consequence for nesting, opening or closing; then what needs a look.
_INLINE, _OPEN, _CLOSE, _LINE, _LINE_OPEN, _LINE_CLOSE, _CELL, _SPECIAL = range(8)
_TEXT, _COMMENT, _DECLARATION, _RAW, _TITLE, _META, _UNSHOWN, _UNCLOSED = range(_SPECIAL, _SPECIAL + 8)
_BETWEEN = ("", "", "", "\n", "\n", "\n", "\t", *[""] * 4, "\n", "", "\n", "")
"""What stands in the text for a tag, by what it does."""
_NESTING = np.array((0, 1, -1, 0, 1, -1, *[0] * 9), dtype=np.int64)
WINDOW = 1 << 24
"""Characters that are taken apart at a time; an element across two windows is read, but as if it ended with the first."""


class _Page:
    """What has been read so far, by zone; `links` are documents in attributes, and whether each is a page."""

    def __init__(self, budget: Budget) -> None:
        self.texts: dict[Zone, list[str]] = {}
        self.links: list[tuple[str, bool]] = []
        self.deepest = 0
        self.wide = False
        self.budget = budget
        self._known: dict[str, int] = {}

    def add(self, zone: Zone, text: str) -> None:
        self.texts.setdefault(zone, []).append(text)

    def scan(self, source: str, zone: Zone = Zone.BODY) -> None:
        """Take in a page, or a part of one that is not shown: its text goes to `zone`."""
        first, *pieces = source.split("<")
        tags: list[str] = []
        shown: list[str] = []
        for piece in pieces:
            tag, _, text = piece.partition(">")
            tags.append(tag)
            shown.append(text)
        self.budget.tick()
        self._known |= {tag: _kind(tag) for tag in dict.fromkeys(tags) if tag not in self._known}
        kinds = list(map(self._known.__getitem__, tags))
        if kinds and ">" not in pieces[-1] and kinds[-1] != _COMMENT:
            kinds[-1] = _TEXT  # a tag that never ends is shown here, for no browser shows what it holds
        self.deepest = max(self.deepest, _depth(kinds))
        if max(kinds, default=0) >= _SPECIAL:
            _Specials(self, pieces, tags, shown, kinds, inner=zone is not Zone.BODY).read()
        self.budget.tick()
        flat = [""] * (2 * len(kinds))
        flat[::2] = map(_BETWEEN.__getitem__, kinds)
        flat[1::2] = shown
        self.add(zone, _INDENT.sub("\n", unescape(first + "".join(flat))).lstrip("\n") + "\n")
        different = dict.fromkeys(tags)
        self._attributes([tag for tag in different if "=" in tag and tag.isascii()])  # one byte a character is read faster
        self._attributes([tag for tag in different if not tag.isascii()])

    def _attributes(self, tags: list[str]) -> None:
        """The values of attributes, each once: of all tags together, then of those that are written otherwise."""
        if not tags:
            return
        joined = "\0".join(tags)
        if max(map(len, tags)) > 2 * ATTRIBUTES:
            self.wide = self.wide or max(tag.count("=") for tag in tags) > ATTRIBUTES
        parts = _QUOTED.split(joined)
        values = dict.fromkeys(parts[1::2])
        rest = " ".join(parts[::2])
        self.budget.tick()
        if not rest.isascii():
            values |= dict.fromkeys(value for value in _ANY_QUOTED.findall(rest) if not value.isascii())
        rest = _ANY_QUOTED.sub(" ", rest)
        if "=" in rest or not rest.isascii():
            unusual = [tag for tag in rest.split("\0") if "=" in tag or not tag.isascii()]
            values |= dict.fromkeys(value for tag in unusual for value in _unusual(tag))
        if "srcdoc" in joined or "SRCDOC" in joined:
            pages = (match.group(1) or match.group(2) or "" for match in _SRCDOC.finditer(joined))
            self.links.extend((unescape(page), True) for page in pages)
        if "data:" in joined or "DATA:" in joined:
            links = [value for value in values if value[:5].lower() == "data:"]
            self.links.extend((link, False) for link in links)
            for link in links:
                del values[link]
        lines = [value for value in values if len(value) > _SHORT or not _DULL_VALUE.fullmatch(value)]
        self.add(Zone.HIDDEN, unescape("\n".join(lines)) + "\n")


def _kind(tag: str) -> int:
    """What a tag does; asked once for each that is different, and most are of a common kind with a common spelling."""
    kind = _COMMON.get((tag.split(None, 1) or ("",))[0])
    if kind is None or "'" in tag or "tyle" in tag or "hid" in tag or "TYLE" in tag or "HID" in tag or "olor" in tag:
        return _kind_of_any(tag)
    if tag.count('"') % 2:
        return _UNCLOSED if _open_quote(tag) else kind
    return _INLINE if kind == _OPEN and tag.endswith("/") else kind


def _kind_of_any(tag: str) -> int:
    match = _NAME.match(tag)
    if match is None:
        return _COMMENT if tag.startswith("!--") else _DECLARATION if tag.startswith(("!", "?")) else _TEXT
    if (tag.count('"') % 2 or tag.count("'") % 2) and _open_quote(tag):
        return _UNCLOSED
    name = match.group(1).lower()
    closing = tag.startswith("/")
    if not closing:
        if name in _UNREAD:
            return _RAW
        if name in ("title", "meta"):
            return _TITLE if name == "title" else _META
        if name not in _VOID and (name == "template" or _is_unseen(tag)):
            return _UNSHOWN
    return _plain(name, closing=closing, empty=tag.endswith("/"))


def _plain(name: str, *, closing: bool, empty: bool) -> int:
    """What an element does that stands in the text."""
    nesting = 0 if name in _OPTIONAL_END or empty else 2 if closing else 1
    return _CELL if name in _CELLS else (_LINE if name in _BLOCKS else _INLINE) + nesting


_COMMON = {
    ("/" if closing else "") + name: _plain(name, closing=closing, empty=False)
    for name in (_BLOCKS | _CELLS | _VOID | _PHRASES) - {"title", "meta", "template"}
    for closing in (False, True)
}


def _open_quote(tag: str) -> str:
    """The quote of a value that does not end inside `tag`; "" if all do."""
    found = _OPENED.findall(tag)
    return found[-1][0] if found and not found[-1][1] else ""


def _is_unseen(tag: str) -> bool:
    """Whether an attribute or a style hides an element; white text may stand on a ground of its own."""
    tag = tag.lower()
    if "hidden" in tag and _UNSEEN_ATTRIBUTE.search(_ANY_QUOTED.sub(" ", tag)):
        return True
    if "style" not in tag and "color" not in tag:
        return False
    grounded = "background" in tag or "bgcolor" in tag
    return any(not (grounded and "color" in match.group()) for match in _UNSEEN.finditer(tag))


def _depth(kinds: list[int]) -> int:
    """How deep elements stand inside each other; what closes nothing counts for nothing."""
    if not kinds:
        return 0
    levels = np.cumsum(_NESTING[np.frombuffer(bytes(kinds), dtype=np.uint8)])
    return int((levels - np.minimum.accumulate(np.minimum(levels, 0))).max())


def _unusual(tag: str) -> Iterator[str]:
    """The values in a tag that stand in other quotes than usual, or in none; names beyond ASCII."""
    for match in _ATTRIBUTE.finditer(tag):
        value = match.group(2) or match.group(3) or match.group(4) or ""
        if match.group(1).lower() not in _DULL or not value.isascii():
            yield value
    if not tag.isascii():
        yield tag


class _Specials:
    """The tags that need a look, in their order: they change what is shown of the pieces that follow.

    An action takes the place of a tag and returns the place where reading goes on. `inner` says that nothing here is shown.
    """

    def __init__(
        self, page: _Page, pieces: list[str], tags: list[str], shown: list[str], kinds: list[int], *, inner: bool
    ) -> None:
        self._page = page
        self._pieces = pieces
        self._tags = tags
        self._shown = shown
        self._kinds = kinds
        self._inner = inner
        self._unclosed: set[str] = set()
        """Quotes and elements whose end has been looked for in vain."""

    def read(self) -> None:
        """Raises Exhausted."""
        at = 0
        for place in [place for place, kind in enumerate(self._kinds) if kind >= _SPECIAL]:
            if place >= at:
                self._page.budget.tick()
                at = _ACTIONS[self._kinds[place] - _SPECIAL](self, place)

    def _blank(self, start: int, end: int) -> None:
        """Nothing is shown of these pieces, nor are they tags."""
        size = end - start
        self._shown[start:end] = [""] * size
        self._tags[start:end] = [""] * size
        self._kinds[start:end] = [_INLINE] * size

    def _unshown(self, content: str) -> None:
        """Take in what is not shown; once: in what is not shown anything else is as it stands."""
        if "<" in content and not self._inner:
            self._page.scan(content, Zone.HIDDEN)
        else:
            self._page.add(Zone.HIDDEN, unescape(content) + "\n")

    def _text(self, place: int) -> int:
        self._shown[place] = "<" + self._pieces[place]
        self._tags[place] = ""
        return place + 1

    def _comment(self, place: int) -> int:
        """One that is not closed reaches to the end."""
        content = [self._pieces[place][3:]]
        end = place
        while (match := _COMMENT_END.search(content[-1])) is None and end + 1 < len(self._pieces):
            end += 1
            content.append(self._pieces[end])
        rest = ""
        if match is not None:
            rest = content[-1][match.end() :]
            content[-1] = content[-1][: match.start()]
        elif content[0].startswith(">") and end == place:  # an empty one
            rest = content.pop()[1:]
        self._blank(place, end + 1)
        self._shown[end] = rest
        self._unshown("<".join(content))
        return end + 1

    def _declaration(self, place: int) -> int:
        tag = self._tags[place]
        if tag.lower() != "!doctype html":
            self._page.add(Zone.HIDDEN, f"<{tag}>\n")
        self._tags[place] = ""
        return place + 1

    def _raw(self, place: int) -> int:
        """A script or a style sheet; one that is not closed reaches to the end."""
        end = self._closing(place, _named(self._tags[place])) or len(self._pieces)
        content = "<".join([self._shown[place], *self._pieces[place + 1 : end]])
        self._page.add(Zone.HIDDEN, _ESCAPED.sub(_character, content) + "\n")
        self._shown[place] = ""
        self._blank(place + 1, end)
        return end

    def _title(self, place: int) -> int:
        end = self._closing(place, "title") or place + 1
        self._page.add(Zone.TITLE, unescape("<".join([self._shown[place], *self._pieces[place + 1 : end]])) + "\n")
        self._shown[place] = ""
        self._blank(place + 1, end)
        return end

    def _closing(self, place: int, name: str) -> int | None:
        """The place of the next end tag of this name."""
        if name in self._unclosed:
            return None
        wanted = "/" + name
        for end in range(place + 1, len(self._tags)):
            tag = self._tags[end]
            if tag.startswith("/") and tag[: len(wanted)].lower() == wanted:
                return end
        self._unclosed.add(name)
        return None

    def _meta(self, place: int) -> int:
        for match in _ATTRIBUTE.finditer(self._tags[place]):
            value = match.group(2) or match.group(3) or match.group(4) or ""
            if match.group(1).lower() == "content" or not value.isascii():
                self._page.add(Zone.PROPERTY, unescape(value) + "\n")
        self._tags[place] = ""
        return place + 1

    def _unseen(self, place: int) -> int:
        """An element that is not shown, with what it holds."""
        if self._inner:
            return place + 1
        end = self._end(place, _named(self._tags[place]))
        self._unshown("<".join([self._shown[place], *self._pieces[place + 1 : end]]))
        self._shown[place] = ""
        self._blank(place + 1, end)
        return end

    def _end(self, place: int, name: str) -> int:
        """The place of the end tag of an element, or behind its first text where it has none."""
        if name in self._unclosed:
            return place + 1
        depth, size = 1, len(name)
        for end in range(place + 1, len(self._tags)):
            tag = self._tags[end]
            if tag[:size].lower() == name and not tag[size : size + 1].isalnum():
                depth += name not in _OPTIONAL_END
                if name in _OPTIONAL_END:
                    return end
            elif tag[:1] == "/" and tag[1 : size + 1].lower() == name and not tag[size + 1 : size + 2].isalnum():
                depth -= 1
                if not depth:
                    return end
        self._unclosed.add(name)
        return place + 1

    def _quoted(self, place: int) -> int:
        """A tag with a ">" or "<" in a value: it ends where no value is open. Where none is ever closed it ends as any other."""
        tag = self._tags[place]
        held, piece, at, end = [tag], self._pieces[place], len(tag), place
        quote = _open_quote(tag)
        while quote:
            found = -1 if quote in self._unclosed else piece.find(quote, at)
            while found < 0 and quote not in self._unclosed:
                if end + 1 == len(self._pieces):
                    self._unclosed.add(quote)
                    break
                held.append(piece[at:] + "<")
                end += 1
                piece, at = self._pieces[end], 0
                found = piece.find(quote)
            if found < 0:
                return place + 1
            close = piece.find(">", found + 1)
            more = piece[found + 1 : close if close >= 0 else len(piece)]
            held += [piece[at : found + 1], more]
            at = found + 1 + len(more)
            quote = _open_quote(more)
        merged = "".join(held)
        self._blank(place, end + 1)
        left = piece[at + 1 :] if close >= 0 else more
        self._tags[end], self._shown[end], self._pieces[end] = merged, left, f"{merged}>{left}"
        kind = _kind(merged)
        if kind >= _SPECIAL and kind != _UNCLOSED:
            return _ACTIONS[kind - _SPECIAL](self, end)
        self._kinds[end] = kind
        return end + 1


_ACTIONS: tuple[Callable[[_Specials, int], int], ...] = (
    _Specials._text,
    _Specials._comment,
    _Specials._declaration,
    _Specials._raw,
    _Specials._title,
    _Specials._meta,
    _Specials._unseen,
    _Specials._quoted,
)
"""In the order of the kinds."""


def _named(tag: str) -> str:
    match = _NAME.match(tag)
    return match.group(1).lower() if match else ""


def _character(match: re.Match[str]) -> str:
    return bytes.fromhex(match.group().replace("\\u", "")).decode("utf-16-be", "replace")


def read(document: Document, budget: Budget) -> Pieces:
    """The title, the body, then what is hidden; data: addresses (RFC 2397) and pages in attributes are documents inside."""
    page = _Page(budget)
    for window in _windows(_source(document, budget)):
        page.scan(window)
    for zone in (Zone.TITLE, Zone.BODY, Zone.PROPERTY, Zone.HIDDEN):
        yield from document.parts(page.texts.get(zone, ()), zone=zone, start=zone is Zone.BODY)
    if page.deepest > LEVELS:
        yield document.unread(Why.TOO_DEEP, f"more than {LEVELS} elements inside each other: a browser may show it otherwise")
    if page.wide:
        yield document.unread(Why.TOO_MANY, f"an element with more than {ATTRIBUTES} attributes")
    for number, (link, is_page) in enumerate(page.links, 1):
        if is_page:
            yield document.nested(
                link.encode("utf-8", "replace"), name=None, label=f"page {number}", media="text/html", charset="utf-8"
            )
        else:
            yield from _linked(document, link, number)


def _windows(source: str) -> Iterator[str]:
    at = 0
    while len(source) - at > WINDOW:
        cut = source.rfind("<", at + 1, at + WINDOW)
        cut = cut if cut > at else at + WINDOW
        yield source[at:cut]
        at = cut
    yield source[at:] if at else source


def _source(document: Document, budget: Budget) -> str:
    """The whole page as text: by its mark, the charset of the protocol, its own, or the one found (WHATWG HTML, 13.2.3.2)."""
    data = bytes(document.data)
    if data.startswith(_MARKS):
        return decode(data, detect(data))
    declared = _META_CHARSET.search(data[:4096]) or _XML_CHARSET.match(data[:1024])
    named = known(document.charset) or known(declared.group(1).decode() if declared else None)
    if named and fits(data, named):
        return decode(data, named)
    return "".join(texts(document, budget))


def _linked(document: Document, link: str, number: int) -> Iterator[Document | Part]:
    match = _DATA_URI.match(link)
    if match is None:
        yield from document.parts([link], zone=Zone.HIDDEN)
        return
    content = unquote_to_bytes(link[match.end() :])
    if "base64" in match.group(2).lower():
        try:
            content = base64.b64decode(content + b"==")
        except binascii.Error:
            yield from document.parts([link], zone=Zone.HIDDEN)
            return
    yield document.nested(content, name=None, label=f"data {number}", media=match.group(1) or None)


FORMAT = Format(name="html", media_types=("text/html",), read=read)
