"""HTML: what a reader sees, and what he does not (title, comments, scripts, attributes).

Not html.parser, whose handling of unclosed constructs is quadratic; every step here moves forward and looks at
a character a bounded number of times (WHATWG HTML, section 13.2.5, simplified).
"""

import base64
import binascii
import re
from collections.abc import Iterator
from urllib.parse import unquote_to_bytes

from dlp.extract.budget import Budget
from dlp.extract.charset import decode, known
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
_DULL = frozenset(
    """class id style width height rel type lang dir target align valign border cellpadding cellspacing bgcolor color face
    size colspan rowspan charset http-equiv name method for role tabindex loading srcset sizes media nowrap
    clear""".split()  # noqa: SIM905 - readable
)
"""Attributes that hold no words, unless they hold characters beyond ASCII."""
_OPTIONAL_END = frozenset(
    """area base body br col colgroup dd dt embed head hr html img input li link meta option optgroup p param rb rp rt source
    tbody td tfoot th thead tr track wbr""".split()  # noqa: SIM905 - readable
)
"""Elements that have no end tag, or need none, and so tell nothing of nesting."""
LEVELS = 2_000
"""Elements inside each other; browsers stop at 512, and no tool that people write pages with comes near."""
ATTRIBUTES = 1_000
"""Attributes of one element."""
_NAME = re.compile(r"[a-zA-Z][^\s/<>]{0,64}")
_ATTRIBUTE = re.compile(r"""(?<![^\s"'/])([^\s"'<>/=]{1,64})\s{0,64}=\s{0,64}(?:"([^"]*)"|'([^']*)'|([^\s"'>]+))""")
_META_CHARSET = re.compile(rb"<meta[^>]{0,200}?charset\s{0,9}=\s{0,9}[\"']?([A-Za-z0-9._:-]{1,40})", re.I)
_DATA_URI = re.compile(r"data:([\w.+/-]{0,100})((?:;[\w=.+-]{1,60}){0,5}),")


class _Page:
    """What has been read so far, by zone."""

    def __init__(self) -> None:
        self.texts: dict[Zone, list[str]] = {}
        self.links: list[str] = []
        self.level = self.deepest = 0
        self.widest = 0

    def add(self, zone: Zone, text: str) -> None:
        self.texts.setdefault(zone, []).append(text)

    def space(self, zone: Zone, text: str) -> None:
        """Add white space, unless a line has just ended: source is indented, and a body begins with its first word."""
        texts = self.texts.setdefault(zone, [])
        if texts and not texts[-1].endswith("\n"):
            texts.append("\n" if "\n" in text else text)

    def flow(self, zone: Zone, text: str) -> None:
        """Add what stands between two tags."""
        if text.isspace():
            self.space(zone, text)
        elif text:
            self.add(zone, unescape(text))


def read(document: Document, budget: Budget) -> Pieces:
    """The title, the body, then what is hidden; data: addresses (RFC 2397) are documents inside."""
    page = _Page()
    _scan(_source(document, budget), page, budget)
    for zone in (Zone.TITLE, Zone.BODY, Zone.PROPERTY, Zone.HIDDEN):
        yield from document.parts(page.texts.get(zone, ()), zone=zone, start=zone is Zone.BODY)
    if page.deepest > LEVELS:
        yield document.unread(Why.TOO_DEEP, f"more than {LEVELS} elements inside each other: a browser may show it otherwise")
    if page.widest > ATTRIBUTES:
        yield document.unread(Why.TOO_MANY, f"an element with more than {ATTRIBUTES} attributes")
    for number, link in enumerate(page.links, 1):
        budget.admit()
        yield from _linked(document, link, number)


def _source(document: Document, budget: Budget) -> str:
    """The whole page as text, in the charset of the protocol, of its own meta element, or the one found."""
    declared = _META_CHARSET.search(bytes(document.data[:4096]))
    named = known(document.charset) or known(declared.group(1).decode() if declared else None)
    if named and fits(document.data, named):
        return decode(bytes(document.data), named)
    return "".join(texts(document, budget))


def _scan(source: str, page: _Page, budget: Budget) -> None:
    at, title = 0, False
    while (start := source.find("<", at)) >= 0:
        page.flow(Zone.TITLE if title else Zone.BODY, source[at:start])
        if source.startswith("<!--", start):
            at = _comment(source, start + 4, page)
            continue
        end = source.find(">", start)
        if end < 0:
            at = start
            break
        inside = source[start + 1 : end]
        at = end + 1
        closing = inside.startswith("/")
        match = _NAME.match(inside, 1 if closing else 0)
        if match is None:
            page.add(Zone.HIDDEN if inside.startswith(("!", "?")) else Zone.BODY, f"<{inside}>\n")
            continue
        name = match.group().lower()
        if name in _BLOCKS or name in _CELLS:
            page.space(Zone.BODY, "\n" if name in _BLOCKS else "\t")
        title = name == "title" and not closing
        if name not in _OPTIONAL_END and not inside.endswith("/"):
            page.level = max(page.level + (-1 if closing else 1), 0)
            page.deepest = max(page.deepest, page.level)
        if not closing:
            _attributes(name, inside[match.end() :], page)
            if name in _UNREAD:
                at = _unread(source, at, name, page)
        budget.tick()
    page.flow(Zone.BODY, source[at:])


def _comment(source: str, start: int, page: _Page) -> int:
    """Past a comment; one that is not closed reaches to the end."""
    end = source.find("-->", start)
    text = source[start:] if end < 0 else source[start:end]
    page.add(Zone.HIDDEN, unescape(text) + "\n")
    return len(source) if end < 0 else end + 3


def _unread(source: str, start: int, name: str, page: _Page) -> int:
    """Past the content of a script or a style sheet; one that is not closed reaches to the end."""
    close = re.compile(f"</{name}", re.IGNORECASE).search(source, start)
    end = close.start() if close else len(source)
    page.add(Zone.HIDDEN, source[start:end] + "\n")
    return end


def _attributes(name: str, inside: str, page: _Page) -> None:
    for number, match in enumerate(_ATTRIBUTE.finditer(inside), 1):
        page.widest = max(page.widest, number)
        key = match.group(1).lower()
        value = match.group(2) or match.group(3) or match.group(4) or ""
        if key in ("src", "href", "data", "srcdoc") and value[:5].lower() == "data:":
            page.links.append(value)
        elif key not in _DULL or not value.isascii() or "&" in value:
            page.add(Zone.PROPERTY if name == "meta" else Zone.HIDDEN, unescape(value) + "\n")


def _linked(document: Document, link: str, number: int) -> Iterator[Document | Part]:
    match = _DATA_URI.match(link)
    if match is None:
        yield from document.parts([link], zone=Zone.HIDDEN)
        return
    content = unquote_to_bytes(link[match.end() :])
    if "base64" in match.group(2):
        try:
            content = base64.b64decode(content + b"==")
        except binascii.Error:
            yield from document.parts([link], zone=Zone.HIDDEN)
            return
    yield document.nested(content, name=None, label=f"data {number}", media=match.group(1) or None)


FORMAT = Format(name="html", media_types=("text/html",), read=read)
