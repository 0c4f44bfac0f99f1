"""Where a mark stands: its line, its cell, the lines about it, and whether that is the top of a document.

Everything here looks at a bounded window of the part, so that a hostile text of a million candidates costs
no more for each than an honest one.
"""

import re
from dataclasses import dataclass

from dlp.detect.evidence import Candidate
from dlp.detect.han import narrow, simplified
from dlp.detect.markings_table import OWN_LINE, TOP, TOP_LINES, UPPER, UPPER_CHARS, UPPER_LINES, ZONE_POINTS
from dlp.model import Zone

_LINE = 120
"""Characters looked at to either side for the ends of the mark's line."""
_NEAR = 160
"""Characters to either side that count as near the mark."""
_RUN = 12
"""Characters before a candidate in which the same words make it a repetition."""
_HEAD = 160
"""Characters of a part in which its title is looked for."""

_BREAKS = "\n\r\v\f\x1c\x1d\x1e\x85\u2028\u2029"
_CELL_END = re.compile(r"[\t|│┃¦]|[ \u3000\xa0]{2,}")
_BREAK = re.compile(f"[{_BREAKS}]")
_BLANK = re.compile(rf"(?:[{_BREAKS}][\s\ufeff]*)+")
_INVISIBLE = re.compile(
    "[\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff"
    "\u0300-\u036f\u20d0-\u20ff\ufe00-\ufe0f]"  # combining marks, variation selectors
)
_CHINESE_SPACE = re.compile(r"(?<=[\u3000-\u9fff★☆])[ \u3000\xa0]+|[ \u3000\xa0]+(?=[\u3000-\u9fff★☆])")


def fold(text: str) -> str:
    """`text` in the form the tables are written in: NFKC, lower case, simplified, nothing invisible, no space beside Chinese."""
    if text.isascii():
        return text.lower()
    return _CHINESE_SPACE.sub("", simplified(narrow(_INVISIBLE.sub("", text)).lower()))


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where one candidate stands.

    `before` and `after` are the rest of its cell (the line, cut at tabs, bars and runs of spaces) and
    `line_before`, `line_after` the rest of its line, all as they stand in the original. What needs folding is
    worked out when asked, for most candidates are refused by their own line.
    """

    candidate: Candidate
    before: str
    after: str
    line_before: str
    line_after: str

    @property
    def zone(self) -> Zone:
        """The zone of the part."""
        return self.candidate.part.zone

    def near(self) -> str:
        """The mark and what is about it, folded, across lines."""
        text, start, end = self.candidate.text, self.candidate.start, self.candidate.end
        return fold(text[max(0, start - _NEAR) : end + _NEAR])

    def above(self) -> tuple[str, ...]:
        """Up to two lines above, folded, in order, without blank ones."""
        lines = _BLANK.split(self.candidate.around(_NEAR)[0])[:-1]
        return tuple(fold(line).strip() for line in lines[-2:])

    def below(self) -> tuple[str, ...]:
        """Up to two lines below."""
        lines = _BLANK.split(self.candidate.around(_NEAR)[1])[1:]
        return tuple(fold(line).strip() for line in lines[:2])

    def head(self) -> str:
        """The beginning of the part as far as it stands before the mark, folded."""
        return fold(self.candidate.text[: min(_HEAD, self.candidate.start)])

    @property
    def top(self) -> bool:
        """Whether it is among the first lines of its document."""
        return self.candidate.part.start and self._lines_above() < TOP_LINES

    @property
    def upper(self) -> bool:
        """Whether it is in the upper part of the first page, or on the first line of a later one."""
        part = self.candidate.part
        return self._lines_above() < UPPER_LINES if part.start else part.page is not None and self._lines_above() == 0

    def _lines_above(self) -> int:
        """How many lines with text stand above the mark's; UPPER_LINES where it is too far down to be in the upper part."""
        if self.candidate.start > 4 * UPPER_CHARS:
            return UPPER_LINES
        above = [line for line in _BLANK.split(self.candidate.text[: self.candidate.start])[:-1] if line.strip()]
        return len(above) if sum(map(len, above)) <= UPPER_CHARS else UPPER_LINES

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
    before, after = candidate.around(_LINE)
    line_before, line_after = _BREAK.split(before)[-1], _BREAK.split(after, maxsplit=1)[0]
    return Place(
        candidate=candidate,
        before=_CELL_END.split(line_before)[-1],
        after=_CELL_END.split(line_after, maxsplit=1)[0],
        line_before=line_before,
        line_after=line_after,
    )


def repeated(candidate: Candidate) -> bool:
    """Whether the same words stand just before: of a run only the first is judged, so that a text which is nothing
    but marks costs no more than one that has a few."""
    text, start, words = candidate.text, candidate.start, candidate.match
    return text.rfind(words, max(0, start - len(words) - _RUN), start) >= 0
