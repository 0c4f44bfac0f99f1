"""Where a mark stands: its line, its cell, the lines about it, and whether that is the top of a document.

Everything here looks at a bounded window of the part, so that a hostile text of a million candidates costs
no more for each than an honest one.
"""

import re
import unicodedata
from dataclasses import dataclass

from dlp.detect.evidence import Candidate
from dlp.detect.han import SIMPLIFIED
from dlp.detect.markings_table import OWN_LINE, TOP, TOP_LINES, UPPER, UPPER_CHARS, UPPER_LINES, ZONE_POINTS
from dlp.model import Zone

_LINE = 120
"""Characters looked at to either side for the ends of the mark's line."""
_NEAR = 160
"""Characters to either side that count as near the mark."""
_HEAD = 160
"""Characters of a part in which its title is looked for."""

_BREAKS = "\n\r\v\f\x1c\x1d\x1e\x85\u2028\u2029"
_CELL_END = re.compile(r"[\t|│┃¦]|[ \u3000\xa0]{2,}")
_BLANK = re.compile(rf"(?:[{_BREAKS}][\s\ufeff]*)+")
_INVISIBLE = dict.fromkeys((0xAD, *range(0x200B, 0x2010), *range(0x202A, 0x202F), *range(0x2060, 0x206A), 0xFEFF))
_SIMPLIFIED = str.maketrans(SIMPLIFIED)
_CHINESE_SPACE = re.compile(r"(?<=[\u3000-\u9fff★☆])[ \u3000\xa0]+|[ \u3000\xa0]+(?=[\u3000-\u9fff★☆])")


def fold(text: str) -> str:
    """`text` in the form the tables are written in: NFKC, lower case, simplified, nothing invisible, no space beside Chinese."""
    plain = unicodedata.normalize("NFKC", text.translate(_INVISIBLE)).lower().translate(_SIMPLIFIED)
    return _CHINESE_SPACE.sub("", plain)


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where one candidate stands.

    `before` and `after` are the rest of its cell (the line, cut at tabs, bars and runs of spaces) and
    `line_before`, `line_after` the rest of its line, all as they stand in the original; `near` is folded and
    reaches further. `above` and `below` are up to two folded lines
    on either side, in order, without blank ones. `head` is the folded beginning of
    the part where the mark is not itself in it.
    """

    zone: Zone
    before: str
    after: str
    line_before: str
    line_after: str
    near: str
    above: tuple[str, ...]
    below: tuple[str, ...]
    head: str
    top: bool
    upper: bool

    def standing(self, *, alone: bool) -> tuple[str, float]:
        """The place's name and its points for a mark that is by itself in it, or not."""
        if points := ZONE_POINTS[self.zone]:
            return self.zone.value, points
        if not alone:
            return "running text", 0.0
        if self.top:
            return "top", TOP
        if self.upper:
            return "upper part", UPPER
        return "own line", OWN_LINE


def place_of(candidate: Candidate) -> Place:
    """The place of `candidate` in its part."""
    text, start, end = candidate.text, candidate.start, candidate.end
    earlier, later = text[max(0, start - _LINE) : start], text[end : end + _LINE]
    line_before, line_after = _after_break(earlier), _before_break(later)
    near_before, near_after = text[max(0, start - _NEAR) : start], text[end : end + _NEAR]
    lines = _lines_above(text, start)
    return Place(
        zone=candidate.part.zone,
        before=_CELL_END.split(line_before)[-1],
        after=_CELL_END.split(line_after)[0],
        line_before=line_before,
        line_after=line_after,
        near=fold(near_before + candidate.match + near_after),
        above=tuple(fold(line).strip() for line in _BLANK.split(near_before)[:-1][-2:]),
        below=tuple(fold(line).strip() for line in _BLANK.split(near_after)[1:][:2]),
        head=fold(text[: min(_HEAD, max(0, start))]),
        top=candidate.part.start and lines < TOP_LINES,
        upper=lines < UPPER_LINES if candidate.part.start else candidate.part.page is not None and lines == 0,
    )


def _after_break(text: str) -> str:
    return text[max(text.rfind(mark) for mark in _BREAKS) + 1 :]


def _before_break(text: str) -> str:
    ends = [at for mark in _BREAKS if (at := text.find(mark)) >= 0]
    return text[: min(ends)] if ends else text


def _lines_above(text: str, start: int) -> int:
    """How many lines with text stand above the mark's; UPPER_LINES where it is too far down to be in the upper part."""
    if start > 4 * UPPER_CHARS:
        return UPPER_LINES
    above = [line for line in _BLANK.split(text[:start])[:-1] if line.strip()]
    return len(above) if sum(map(len, above)) <= UPPER_CHARS else UPPER_LINES
