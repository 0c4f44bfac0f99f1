"""Tags, attributes and entities by regular expressions that are linear in their input.

An XML parser stops at the first bad byte, expands what a hostile document declares and recurses as deep as it
nests; none of that happens here. A document that no parser would take still gives its text.
"""

import codecs
import html.entities
import re
from collections.abc import Iterator
from typing import NamedTuple

from dlp.extract.budget import Budget, Readable

_ENTITY = re.compile(r"&(?:#0{0,20}([0-9]{1,7})|#[xX]0{0,20}([0-9a-fA-F]{1,6})|([a-zA-Z][a-zA-Z0-9]{1,31}));?")
# Anything but "<" and ">" inside a tag, and a ">" that may be missing: every "<" is looked at once.
_TAG = re.compile(r"<([/!?]?)(?:[\w.-]{1,64}:)?([\w.-]{0,64})([^<>]*)>?([^<]*)")
_ATTRIBUTE = re.compile(r"""(?<![\w:.-])([\w:.-]{1,64})\s{0,64}=\s{0,64}(?:"([^"<]*)"|'([^'<]*)')""")
_PIECE = 1 << 18
"""Characters from which on a piece is given out."""
_DECLARED = re.compile(rb"<\?xml[^>]{0,200}?encoding\s{0,9}=\s{0,9}[\"']([A-Za-z0-9._-]{1,40})")


def unescape(text: str) -> str:
    """Character references replaced by their characters (HTML 5, section 13.5; a superset of XML's five).

    Not html.unescape, which raises for a number of more than 4,300 digits.
    """
    return _ENTITY.sub(_character, text) if "&" in text else text


def _character(match: re.Match[str]) -> str:
    decimal, hexadecimal, name = match.groups()
    if name:
        return html.entities.html5.get(name + ";", match.group())
    number = int(decimal) if decimal else int(hexadecimal, 16)
    return chr(number) if 0 < number < 0x110000 and not 0xD800 <= number < 0xE000 else "\ufffd"


class Tag(NamedTuple):
    """One tag and the text up to the next. `kind` is "" (opening or empty), "/", "!" or "?"; `name` has no prefix;
    `inside` is what follows the name, with the closing "/" of an empty element."""

    kind: str
    name: str
    inside: str
    text: str

    @property
    def empty(self) -> bool:
        """Whether it closes itself."""
        return self.inside.endswith("/")


def tags(text: str) -> Iterator[Tag]:
    """Every tag in `text`; what stands before the first one is not part of any."""
    for match in _TAG.finditer(text):
        kind, name, inside, following = match.groups()
        yield Tag(kind, name, inside, unescape(following))


def attributes(inside: str) -> Iterator[tuple[str, str]]:
    """The quoted attributes of a tag, entities replaced; a name keeps its prefix."""
    for match in _ATTRIBUTE.finditer(inside):
        name, double, single = match.groups()
        yield name, unescape(double if double is not None else single)


def decoded(stream: Readable, budget: Budget, *, packed: int) -> Iterator[str]:
    """An XML stream as text, in pieces that end before a "<", so that no tag is cut.

    Raises what `Budget.chunks` and the stream raise, after yielding what came before it.
    """
    decoder: codecs.IncrementalDecoder | None = None
    held: list[str] = []
    size = 0
    chunks = budget.chunks(stream, packed=packed)
    while True:
        try:
            chunk = next(chunks, b"")
        except Exception:
            yield "".join(held)
            raise
        if decoder is None:
            decoder = codecs.getincrementaldecoder(encoding_of(chunk))("replace")
        text = decoder.decode(chunk, not chunk)
        cut = text.rfind("<")
        if not chunk or (size > _PIECE and cut >= 0):
            yield "".join(held) + (text[:cut] if chunk else text)
            held, size = [text[cut:]], 0
        else:
            held.append(text)
        size += len(text)
        if not chunk:
            return


def encoding_of(head: bytes) -> str:
    """The encoding of an XML document by its mark or declaration (XML 1.0, appendix F), UTF-8 without either."""
    for mark, name in ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16")):
        if head.startswith(mark):
            return name
    if head.startswith(b"<\x00"):
        return "utf-16-le"
    if head.startswith(b"\x00<"):
        return "utf-16-be"
    declared = _DECLARED.match(head)
    try:
        return codecs.lookup(declared.group(1).decode()).name if declared else "utf-8"
    except LookupError:
        return "utf-8"
