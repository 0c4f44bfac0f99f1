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
    pattern = _pattern(tuple(words))
    if pattern.search(text, max(0, start - REACH), start) or pattern.search(text, end, end + REACH):
        return True
    return fills_cell(text, start, end) and pattern.search(text, 0, HEADING) is not None


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
