"""The shape of a document: a heading, and under it labels with what they name.

A rule, a lesson or a regulation writes the words of a form into sentences; the form itself sets each at the beginning of
a line or of a cell, with a value after it. So words count here only as labels, and a title only as a heading.

Windows are cut at fixed steps of the text and kept for the next anchor, so a text full of anchors costs no more than
one with some.
"""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property, lru_cache

from dlp.detect.evidence import Candidate, Judgement, Validator
from dlp.detect.han import narrow, simplified
from dlp.model import Zone

STEP = 2000
"""Characters: anchors of one step share a window."""
BEFORE, AFTER = 300, 4000
"""Characters before and after a step that its window takes in."""
_KEPT = 8
"""Windows kept, which all kinds share."""
_CELLS_KEPT = 2048
"""Labels of cells kept: windows overlap."""

FILLED = r":[ \t|]*(?![_.…(\[<{*-])\w[^\n\t|:]|[\t|][ ]*[¥$€£]?\d[\d,.]*"
"""A label's value that has been filled in, or a figure in a cell."""
FIGURE = (
    r"(?<![a-z0-9_.])[¥$€£]?\d[\d,]*(?:\.\d+)?(?:万|亿|千)?(?:元|美元|吨|台|件|套|份|天|年|个月|人|家|平方米|倍|%)?(?!\w|\.\d)"
)
"""A number by itself, with a unit of money or without."""
PUBLISHED = (
    r"证券代码|股票代码|公告编号|\bisbn\b|\bissn\b|\bdoi ?[:.]|arxiv|示范文本|范本\)|填[表写]说明|样表\)|creative commons"
    r"|for immediate release|press release|新闻稿|新华社|<(?:姓名|name)>"
)
"""Words of what is published, and of a model that nobody has filled in."""

_TITLED = frozenset({Zone.TITLE, Zone.SUBJECT, Zone.HEADER})
_LONGEST_HEADING = 90
_SENTENCE = re.compile(r"[，;!?。]|\. |\.$|,.*,")
_GAP = re.compile("  +")
_NEXT_LABEL = re.compile(r" (?<=[^:\s] )(?=[\u4e00-\u9fff]{2,12}:)")
_CSV = re.compile(r"(?m)^[^\n\t|,，。;；]{1,40}(?:,(?! )[^\n\t|,，。;；]{0,40}){2,}$")
_SPACED = re.compile("(?m)^(?=[^\n]{0,80}[\u4e00-\u9fff])[^\\s,，。;；、]{2,20}(?: [^\\s,，。;；、]{1,20}){2,}[ \r]?$")
"""A row of cells with a space between them, as tables of PDF are read; Chinese prose has none."""
_HAN = re.compile("[\u4e00-\u9fff]")
_TWO_COMMAS = re.compile(r",(?! )[^\n\t|,，。;；]{0,40},(?! )")
"""What a row in _CSV has, and little else does."""
_COMMA = re.compile(r",(?!\d{3}(?!\d))")
"""A comma between two cells; none between thousands."""
_NUMBERING = re.compile(
    r"\A(?:第[一二三四五六七八九十百\d]{1,4}[章节部分篇]{1,2}|[(]?(?:[一二三四五六七八九十]{1,3}"
    r"|\d{1,2}(?:\.\d{1,2}){0,3})(?:[)、:]|\.(?!\d)|(?<=\d)(?=[ \u4e00-\u9fff]))"
    r"|chapter \d+|section \d+|[#*•·○●■□☑◆-]{1,3})[ 、.:]*"
)
_NUMBERED = frozenset("第(一二三四五六七八九十cs#*•·○●■□☑◆-")
"""What a numbering may begin with, beside a digit."""
_BETWEEN_HAN = re.compile("(?<=[\u4e00-\u9fff]) +(?=[\u4e00-\u9fff])")


def flat(text: str) -> str:
    """`text` in one width and case and in simplified Chinese; white space stays, for it divides cells."""
    return simplified(narrow(text).lower())


_FORGET: list[Callable[[], None]] = []


def forget() -> None:
    """Let go of the windows kept, at the end of an item: the next one's reader has no business with them."""
    for clear in (_window.cache_clear, _label.cache_clear, *_FORGET):
        clear()


@dataclass(frozen=True)
class Window:
    """A stretch of text, flat, with tabs between cells that commas or spaces divide."""

    text: str

    @cached_property
    def labels(self) -> str:
        """Its labels, one a line."""
        return "\n".join(label for cell in _cells(self.text) if (label := _label(cell)))


@lru_cache(maxsize=_KEPT)
def _window(text: str, first: int, last: int) -> Window:
    celled = text[first:last]
    if not celled.isascii() and _HAN.search(celled):
        celled = _SPACED.sub(lambda found: found.group().replace(" ", "\t"), celled)
    if _TWO_COMMAS.search(celled):
        celled = _CSV.sub(lambda found: _COMMA.sub("\t", found.group()), celled)
    return Window(flat(celled))


def _cells(reading: str) -> list[str]:
    """What lines, tabs, bars and gaps divide, and a space before the next Chinese label."""
    cells = _GAP.sub("\n", reading.replace("\t", "\n").replace("|", "\n"))
    if ":" in cells and not cells.isascii():
        cells = _NEXT_LABEL.sub("\n", cells)
    return cells.split("\n")


@lru_cache(maxsize=_CELLS_KEPT)
def _label(cell: str) -> str:
    """What stands before a colon, without the number of its chapter and the spaces that stretch a Chinese word."""
    name = cell.partition(":")[0].strip(" \r\"'“”[]【】()")
    if len(name) > 2 * _LONGEST_HEADING:
        return ""
    if " " in name and not name.isascii():
        name = _BETWEEN_HAN.sub("", name)
    if name[:1] in _NUMBERED or name[:1].isdigit():
        name = _NUMBERING.sub("", name, count=1) if len(name) <= _LONGEST_HEADING else ""
    return name if len(name) <= _LONGEST_HEADING else ""


def window(candidate: Candidate) -> Window:
    """The stretch about the step in which the match stands."""
    first = candidate.start - candidate.start % STEP
    return _window(candidate.text, max(0, first - BEFORE), first + STEP + AFTER)


def headed(candidate: Candidate) -> bool:
    """Whether the match stands in a heading: a title, or a short line that is no sentence."""
    if candidate.part.zone in _TITLED:
        return True
    text = candidate.text
    before = text[max(0, candidate.start - _LONGEST_HEADING) : candidate.start].rpartition("\n")
    after = text[candidate.end : candidate.end + _LONGEST_HEADING].partition("\n")
    if (not before[1] and candidate.start > _LONGEST_HEADING) or (not after[1] and candidate.end + _LONGEST_HEADING < len(text)):
        return False
    line = f"{before[2]}{text[candidate.start : candidate.end]}{after[0]}".replace("\n", "").replace("；", ";").strip()
    return len(line) <= _LONGEST_HEADING and not _SENTENCE.search(line)


def begins_cell(candidate: Candidate) -> bool:
    """Whether the match stands at the beginning of a line or a cell, as a table's heading does."""
    before = candidate.text[max(0, candidate.start - 4) : candidate.start]
    bare = before.rstrip(" \"'“")
    return not bare or bare[-1] in "\n\r\t|,，;" or before.endswith("  ")


def anywhere(candidate: Candidate) -> bool:
    """Every match."""
    return True


def as_labels(concepts: Iterable[str]) -> tuple[re.Pattern[str], ...]:
    """Each concept as a label, which may go on for some characters: 项目名称, 项目名称及编号."""
    return tuple(re.compile(rf"(?m)^(?:{concept})(?:[^\n]{{0,8}}|[ (/][^\n]{{0,24}})$") for concept in concepts)


def seen(patterns: Iterable[re.Pattern[str]], text: str) -> int:
    """How many different concepts the text holds."""
    return sum(1 for pattern in patterns if pattern.search(text))


def at_least(pattern: re.Pattern[str], text: str, count: int) -> bool:
    """Whether the text has so many matches."""
    found = pattern.finditer(text)
    return all(next(found, None) is not None for _ in range(count))


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """One kind of document.

    `least` of the `labels` must stand as labels, all of `must` anywhere, `count` matches of `evidence` (values that were
    filled in), none of `refuse`. The anchor is a heading, or, of a table, begins a cell.
    """

    kind: str
    labels: tuple[str, ...]
    least: int
    must: tuple[str, ...] = ()
    evidence: str = FILLED
    count: int = 3
    refuse: str = PUBLISHED
    heading: bool = True
    confidence: int = 72


def by_window(judge: Callable[[Window], Judgement | None], *, where: Callable[[Candidate], bool]) -> Validator:
    """The validator that asks `judge` about the window of a match that stands `where` it should, once for all of a step."""
    judged = lru_cache(maxsize=_KEPT)(judge)
    _FORGET.append(judged.cache_clear)

    def validate(candidate: Candidate) -> Judgement | None:
        return judged(window(candidate)) if where(candidate) else None

    return validate


def by_shape(shape: Shape) -> Validator:
    """The validator of one kind."""
    labels, must = as_labels(shape.labels), tuple(map(re.compile, shape.must))
    evidence, refuse = re.compile(shape.evidence), re.compile(shape.refuse)

    def judge(about: Window) -> Judgement | None:
        if not all(one.search(about.text) for one in must) or not at_least(evidence, about.text, shape.count):
            return None  # before the labels, which take longest
        found = seen(labels, about.labels)
        if found < shape.least or refuse.search(about.text):
            return None
        confidence = min(97, shape.confidence + 4 * (found - shape.least))
        return Judgement(value=shape.kind, confidence=confidence, facts={"labels": str(found)})

    return by_window(judge, where=headed if shape.heading else begins_cell)
