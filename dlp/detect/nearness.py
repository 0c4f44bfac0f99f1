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
    first, head = max(0, start - REACH), HEADING if fills_cell(text, start, end) else 0
    window = f"{text[first:start]}\0{text[end : end + REACH]}\0{text[:head]}"
    for word in words:  # to look for each takes a tenth of the time of the pattern, which tells whether one stands by itself
        if word in window:
            break
    else:
        return False
    pattern = _pattern(tuple(words))
    spans = ((first, start), (end, end + REACH), (0, head))
    return any(pattern.search(text, *span) is not None for span in spans)


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


def near_word(words: Sequence[str], text: str, start: int, end: int) -> str:
    """Which of the words `near` saw: the one before the match, else after it, else in the heading; "" where there is none."""
    pattern = _pattern(tuple(words))
    head = HEADING if fills_cell(text, start, end) else 0
    for first, last in ((max(0, start - REACH), start), (end, end + REACH), (0, head)):
        if found := pattern.search(text, first, last):
            return found.group()
    return ""
