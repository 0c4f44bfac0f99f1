"""The words in attributes: what a person wrote into a description, a tooltip or a label, and not numbers and names."""

import re
from collections.abc import Collection, Iterator

from dlp.extract.markup import unescape
from dlp.model import Zone

_NAMES = (
    *("descr", "title", "alt", "string", "author", "initials", "instr", "tooltip", "alias", "tag", "displayText", "placeholder"),
    *("prompt", "promptTitle", "error", "errorTitle", "display", "location", "caption"),
)
"""Attributes that hold words."""
_QUOTED = r"(?:\"([^\"<]+)\"|'([^'<]+)')"


def _backwards() -> re.Pattern[str]:
    """The attributes of those names, looked at from the "=" backwards: that is where a search goes at the speed of memory.

    A match without a value is a "=" with white space beside it, where looking backwards does not do.
    """
    by_last: dict[str, list[str]] = {}
    for name in _NAMES:
        by_last.setdefault(name[-1], []).append(name)
    groups = []
    for names in by_last.values():
        whole = "|".join(rf"(?<=[:\s]{name}=)" for name in names)
        groups.append(f"{_ending(names)}(?:{whole})")
    return re.compile(rf"=(?:{_ending(_NAMES)}(?:{'|'.join(groups)}){_QUOTED}|\s|(?<=\s=))")


def _ending(names: Collection[str]) -> str:
    """Looks back for the three last letters that one of the names may have: passes over most of the others."""
    letters = ("".join(sorted({name[place] for name in names})) for place in (-3, -2, -1))
    return f"(?<={''.join(f'[{each}]' for each in letters)}=)"


_NAMED = _backwards()
_SPACED = re.compile(rf"[\s:](?:{'|'.join(_NAMES)})\s{{0,64}}=\s{{0,64}}{_QUOTED}")
_FOREIGN = re.compile(
    r"=\s{0,64}(?:\"([\x00-\x21\x23-\x3b\x3d-\x7f]*+[^\x00-\x7f][^\"<]*+)\"|'([\x00-\x26\x28-\x3b\x3d-\x7f]*+[^\x00-\x7f][^'<]*+)')"
)
"""Any attribute with characters beyond ASCII."""
VALUED = frozenset(
    {"textpath", "docVar", "default", "helpText", "statusText", "tag", "alias", "listItem", "listEntry", "bookmarkStart"}
    | {"cNvPr", "docPr"}
)
"""Elements whose values and names are words: of forms, bookmarks, shapes, and VML's WordArt, of which Word makes watermarks."""
_VALUE = re.compile(rf"\b(?:val|value|name|string|displayText)\s{{0,64}}=\s{{0,64}}{_QUOTED}")
_ANY = re.compile(r"=\s{0,64}(?:\"([^\"<]{4,})\"|'([^'<]{4,})')")
"""Any attribute long enough for a word; the many shorter ones are numbers and switches."""
_DULL = ("http://schemas.", "http://purl.oclc.org/ooxml/", "application/vnd.openxml", "dcterms:")
"""How the format's own values begin."""
_NAMESPACES = ("http", "urn:")
_SESSION = 8
"""Digits of the number of an editing session."""


def words(markup: str) -> Iterator[tuple[Zone, str]]:
    """The values of attributes that hold words by their names or by their characters."""
    for match in _NAMED.finditer(markup):
        if match.lastindex is None:
            yield from ((Zone.HIDDEN, unescape(spaced[1] or spaced[2])) for spaced in _SPACED.finditer(markup))
            break
        yield Zone.HIDDEN, unescape(match[match.lastindex])
    for match in () if markup.isascii() else _FOREIGN.finditer(markup):
        yield Zone.HIDDEN, unescape(match[1] or match[2])


def value_words(element: str, inside: str) -> Iterator[tuple[Zone, str]]:
    """The words in what stands inside the tag of an element of VALUED."""
    zone = Zone.WATERMARK if element == "textpath" else Zone.HIDDEN
    return ((zone, unescape(match[1] or match[2])) for match in _VALUE.finditer(inside))


def all_words(markup: str) -> Iterator[tuple[Zone, str]]:
    """The values of all attributes that are not the file format's own."""
    for pattern in (_ANY,) if markup.isascii() else (_ANY, _FOREIGN):
        for match in pattern.finditer(markup):
            value = match.group(1) or match.group(2)
            if not value.startswith(_DULL) and not _is_technical(markup, match.start(), value):
                yield Zone.PROPERTY, unescape(value)


def _is_technical(markup: str, at: int, value: str) -> bool:
    """Whether the attribute whose "=" stands at `at` declares a namespace or numbers a session (`w:rsid`)."""
    before = markup[max(at - 64, 0) : at]
    if value.startswith(_NAMESPACES):
        return before[max(before.rfind(" "), before.rfind("\n")) + 1 :].startswith("xmlns")
    return len(value) == _SESSION and ":rsid" in before[before.rfind("<") + 1 :]
