"""Whether one of a signature's words stands close by a match.

Close by is within REACH folded characters, or, for a match that fills a cell of a table or a line of its own, in
the first HEADING characters of its part: there the words are the heading of its column.
"""

import re
from collections.abc import Sequence
from functools import cache, lru_cache

REACH = 60
HEADING = 300
_CELL_EDGES = "\t,;|\n"


def near(words: Sequence[str], text: str, start: int, end: int) -> bool:
    """`text` is a part's folded text, `words` are folded; a Latin word counts only as a whole word or its plural."""
    before, after = (max(0, start - REACH), start), (end, end + REACH)
    if _held(words, f"{text[before[0] : start]}\0{text[end : after[1]]}"):
        pattern = _pattern(tuple(words))
        if pattern.search(text, *before) or pattern.search(text, *after):
            return True
    return fills_cell(text, start, end) and _heads(tuple(words), text[:HEADING])


def _held(words: Sequence[str], window: str) -> bool:
    """Whether one of the words is there at all: to look for each takes a tenth of the time of the pattern, which tells whether
    one stands by itself."""
    for word in words:  # noqa: SIM110 -- any() takes twice as long
        if word in window:
            return True
    return False


@lru_cache(maxsize=32)
def _heads(words: tuple[str, ...], heading: str) -> bool:
    """Whether one of the words stands in the heading, which every cell of a column asks anew."""
    return _held(words, heading) and _pattern(words).search(heading) is not None


def forget() -> None:
    """Let go of the headings kept, at the end of an item."""
    _heads.cache_clear()


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
