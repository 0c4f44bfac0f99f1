"""How a word of `markings.toml` is written: plain text with choices, short gaps and numbers, never a regular expression.

    (a|b)   a or b         (a|b)?   the same, or nothing
    *       up to 12 letters            #   a number of up to 8 digits
    \\      the next character itself

Every word so written matches a bounded text, so no file of an operator's can make a pattern that backtracks without end.
"""

import re
from collections.abc import Iterable

_LONGEST = 400
_MOST_GAPS = 2
_GAP, _NUMBER = r"\w{0,12}", r"\d{1,8}"
_TOKEN = re.compile(
    r"\\(?P<literal>.)|(?P<choice>\((?P<inside>[^()\\]*)\)(?P<optional>\??))|(?P<gap>\*)|(?P<number>#)|(?P<plain>[^\\()|?*#])|(?P<wrong>.)",
    re.DOTALL,
)


class Malformed(ValueError):
    """A word that is not well written; its text is a phrase that says why."""


def pattern(word: str) -> str:
    """The regular expression for `word`. Raises Malformed."""
    if not word or len(word) > _LONGEST:
        raise Malformed(f"is empty or longer than {_LONGEST} characters")
    made = "".join(map(_piece, _TOKEN.finditer(word)))
    if made.count(_GAP) > _MOST_GAPS:
        raise Malformed(f"has more than {_MOST_GAPS} gaps")
    if re.fullmatch(made, ""):
        raise Malformed("would match nothing at all")
    return made


def alternatives(words: Iterable[str]) -> str:
    """The regular expression for any one of `words`, the longest tried first. There is at least one."""
    return "|".join(pattern(word) for word in sorted(words, key=len, reverse=True))


def _piece(token: re.Match[str]) -> str:
    if token["wrong"]:
        raise Malformed(f"has {token['wrong']!r} out of place")
    if token["choice"]:
        options = token["inside"].split("|")
        if not all(options):
            raise Malformed("has an empty choice")
        return f"(?:{'|'.join(map(_plain, options))}){token['optional']}"
    if token["gap"]:
        return _GAP
    return _NUMBER if token["number"] else re.escape(token["literal"] or token["plain"])


def _plain(option: str) -> str:
    if "*" in option or "?" in option:
        raise Malformed("has a gap inside a choice")
    return _NUMBER.join(re.escape(piece) for piece in option.split("#"))
