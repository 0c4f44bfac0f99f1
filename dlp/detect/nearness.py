"""Whether one of a signature's words stands close by a match.

Close by is within REACH folded characters, or, for a match that fills a cell of a table or a line of its own, in
the first HEADING characters of its part: there the words are the heading of its column.
"""

import re
from collections.abc import Sequence
from functools import cache

REACH = 60
HEADING = 300
_CELL_EDGES = "\t,;|\n"


def near(words: Sequence[str], text: str, start: int, end: int) -> bool:
    """`text` is a part's folded text, `words` are folded; a Latin word counts only as a whole word or its plural."""
    key = tuple(words)
    if _stands(key, text, max(0, start - REACH), start) or _stands(key, text, end, end + REACH):
        return True
    return fills_cell(text, start, end) and _stands(key, text, 0, HEADING)


def _stands(words: tuple[str, ...], text: str, first: int, end: int) -> bool:
    """Whether a word stands in `text[first:end]`. To look for each word in turn takes a tenth of the time of the pattern,
    which is asked only where one is there, whether it stands by itself."""
    window = text[first:end]
    return any(word in window for word in words) and _pattern(words).search(text, first, end) is not None


@cache
def _pattern(words: tuple[str, ...]) -> re.Pattern[str]:
    return re.compile(
        "|".join(rf"(?<![a-z]){re.escape(word)}s?(?![a-z])" if word.isascii() else re.escape(word) for word in words)
    )


def fills_cell(text: str, start: int, end: int) -> bool:
    """Whether nothing but quotes and spaces stands between the match and a tab, comma, bar or line's end on both sides."""
    before = text[max(0, start - 4) : start].rstrip(" '\"")
    after = text[end : end + 4].lstrip(" '\"")
    return (not before or before[-1] in _CELL_EDGES) and (not after or after[0] in _CELL_EDGES)
