"""The words in attributes: what a person wrote into a description, a tooltip or a label, and not numbers and names."""

import re
from collections.abc import Iterator

from dlp.extract.markup import unescape
from dlp.model import Zone

_NAMES = (
    *("descr", "title", "alt", "string", "author", "initials", "instr", "tooltip", "alias", "tag", "displayText", "placeholder"),
    *("prompt", "promptTitle", "error", "errorTitle", "display", "location", "caption"),
)
"""Attributes that hold words."""
_QUOTED = r"(?:\"([^\"<]+)\"|'([^'<]+)')"


def _backwards() -> re.Pattern[str]:
    """The attributes of those names, looked at from the "=" backwards: that is where a search goes at the speed of memory."""
    by_end: dict[str, list[str]] = {}
    for name in _NAMES:
        by_end.setdefault(name[-2:], []).append(rf"(?<=[:\s]{name}=)")
    ends = "|".join(f"(?<={end}=)(?:{'|'.join(names)})" for end, names in by_end.items())
    gate = "".join(f"[{''.join(sorted({end[place] for end in by_end}))}]" for place in (0, 1))
    return re.compile(f"=(?<={gate}=)(?:{ends}){_QUOTED}")


_NAMED = _backwards()
_SPACED = re.compile(rf"[\s:](?:{'|'.join(_NAMES)})\s{{0,64}}=\s{{0,64}}{_QUOTED}")
_SPACE = re.compile(r"=(?:(?<=\s=)|\s)")
_FOREIGN = re.compile(
    r"=\s{0,64}(?:\"([\x00-\x21\x23-\x3b\x3d-\x7f]*+[^\x00-\x7f][^\"<]*+)\"|'([\x00-\x26\x28-\x3b\x3d-\x7f]*+[^\x00-\x7f][^'<]*+)')"
)
"""Any attribute with characters beyond ASCII."""
_VALUED = re.compile(r"<(?:[\w.-]{1,64}+:)?+(t(?:extpath|ag)|d(?:ocVar|efault)|helpText|statusText|alias|listItem)\b([^<>]*+)")
_VALUE = re.compile(rf"\b(?:val|string|displayText)\s{{0,64}}=\s{{0,64}}{_QUOTED}")
"""Elements whose attribute `val` holds words; and WordArt in VML, of which Word makes watermarks."""
_ANY = re.compile(r"=\s{0,64}(?:\"([^\"<]{4,})\"|'([^'<]{4,})')")
"""Any attribute long enough for a word; the many shorter ones are numbers and switches."""
_DULL = ("http://schemas.", "http://purl.oclc.org/ooxml/", "application/vnd.openxml", "dcterms:")
"""How the format's own values begin."""
_SESSION = re.compile(r"[0-9A-F]{8}")
"""The number of an editing session."""


def words(markup: str) -> Iterator[tuple[Zone, str]]:
    """The values of attributes that hold words by their names or by their characters."""
    for match in _VALUED.finditer(markup):
        zone = Zone.WATERMARK if match.group(1) == "textpath" else Zone.HIDDEN
        yield from ((zone, unescape(value[1] or value[2])) for value in _VALUE.finditer(match.group(2)))
    for pattern in (_SPACED if _SPACE.search(markup) else _NAMED, *(() if markup.isascii() else (_FOREIGN,))):
        for match in pattern.finditer(markup):
            yield Zone.HIDDEN, unescape(match.group(1) or match.group(2))


def all_words(markup: str) -> Iterator[tuple[Zone, str]]:
    """The values of all attributes that are not the file format's own."""
    for pattern in (_ANY,) if markup.isascii() else (_ANY, _FOREIGN):
        for match in pattern.finditer(markup):
            value = match.group(1) or match.group(2)
            if not value.startswith(_DULL) and not _is_technical(markup, match.start(), value):
                yield Zone.PROPERTY, unescape(value)


def _is_technical(markup: str, at: int, value: str) -> bool:
    """Whether the attribute whose "=" stands at `at` declares a namespace or numbers a session (`w:rsid`)."""
    if _SESSION.fullmatch(value):
        return ":rsid" in markup[markup.rfind("<", 0, at) : at]
    name = markup[max(at - 64, 0) : at]
    return name[max(name.rfind(" "), name.rfind("\n")) + 1 :].startswith("xmlns")
