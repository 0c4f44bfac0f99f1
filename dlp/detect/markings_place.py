"""Where a mark stands: its line, its cell, the lines about it, and whether that is the top of a document.

Everything here looks at a bounded window of the part, so that a hostile text of a million candidates costs
no more for each than an honest one.
"""

import re
from dataclasses import dataclass
from functools import cached_property

from dlp.detect.evidence import Candidate
from dlp.detect.markings_fold import fold
from dlp.detect.markings_patterns import Markings
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


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where one candidate stands, and `marks`, by which it is judged.

    `before` and `after` are the rest of its cell (the line, cut at tabs, bars and runs of spaces) and
    `line_before`, `line_after` the rest of its line, all as they stand in the original. What needs folding is
    worked out when asked, for most candidates are refused by their own line.
    """

    marks: Markings
    candidate: Candidate
    before: str
    after: str
    line_before: str
    line_after: str

    @property
    def zone(self) -> Zone:
        """The zone of the part."""
        return self.candidate.part.zone

    @cached_property
    def near(self) -> str:
        """The mark and what is about it, folded, across lines."""
        text, start, end = self.candidate.text, self.candidate.start, self.candidate.end
        return fold(text[max(0, start - _NEAR) : end + _NEAR])

    @cached_property
    def above(self) -> tuple[str, ...]:
        """Up to two lines above, folded, in order, without blank ones."""
        lines = _BLANK.split(self.candidate.around(_NEAR)[0])[:-1]
        return tuple(fold(line).strip() for line in lines[-2:])

    @cached_property
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
        return self.candidate.part.start and self._lines_above() < self.marks.points["top-lines"]

    @property
    def upper(self) -> bool:
        """Whether it is in the upper part of the first page, or on the first line of a later one."""
        part = self.candidate.part
        if part.start:
            return self._lines_above() < self.marks.points["upper-lines"]
        return part.page is not None and self._lines_above() == 0

    def _lines_above(self) -> float:
        """How many lines with text stand above the mark's; `upper-lines` where it is too far down to be in the upper part."""
        most, characters = self.marks.points["upper-lines"], self.marks.points["upper-chars"]
        if self.candidate.start > 4 * characters:
            return most
        above = [line for line in _BLANK.split(self.candidate.text[: self.candidate.start])[:-1] if line.strip()]
        return len(above) if sum(map(len, above)) <= characters else most

    def standing(self, *, alone: bool) -> tuple[str, float]:
        """The place's name and its points for a mark that is by itself in it, or not."""
        if points := self.marks.zones[self.zone]:
            return self.zone.value, points
        if not alone:
            return "running text", 0.0
        if self.top:
            return "top", self.marks.points["top"]
        if self.upper:
            return "upper part", self.marks.points["upper"]
        return "own line", self.marks.points["own-line"]


def place_of(marks: Markings, candidate: Candidate) -> Place:
    """The place of `candidate` in its part."""
    before, after = candidate.around(_LINE)
    line_before, line_after = _BREAK.split(before)[-1], _BREAK.split(after, maxsplit=1)[0]
    return Place(
        marks=marks,
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
