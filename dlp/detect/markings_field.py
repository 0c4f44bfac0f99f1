"""Fields that hold a level: 密级：机密, Classification: CONFIDENTIAL, forms with boxes, and sensitivity labels."""

import re
from collections.abc import Sequence

from dlp.detect.evidence import Candidate, Judgement
from dlp.detect.markings_fold import fold
from dlp.detect.markings_patterns import DECORATION, Markings
from dlp.detect.markings_place import Place, place_of, repeated
from dlp.detect.markings_weigh import judge

_SEPARATED = re.compile(r"\s*[:：|│\[【(（=】\]]|[\t\n\r \u3000]")
_ENDS = set("\n\r\t|,;。])】>.")
_PREFIX = re.compile(rf"(?:{DECORATION}|\d)+|文件|文档|资料|项目|本|security|data|document|information")

_REACH = 90
"""Characters after a field's name in which its value stands."""


def field(marks: Markings, candidate: Candidate) -> Judgement | None:
    """A field's name with a level as its value; a form lists all levels and ticks one."""
    if repeated(candidate):
        return None
    place, raw = place_of(marks, candidate), candidate.around(_REACH)[1]
    value = fold(raw)
    if word := _ticked(marks, _first_line(value)):
        return _stated(place, word, ["field", "ticked"])
    found = marks.field.match(value)
    if not found or found["level"] not in marks.levels or not _SEPARATED.match(raw) or marks.box.search(_first_line(value)):
        return None
    rest = value[found.end() :]
    tail = marks.field_tail.match(rest)
    if not tail or not (tail.end() == len(rest) or _ENDS & set(tail[0])):
        return None
    term = marks.field_term.match(rest)
    evidence = ["field", *(["star"] if found["star"] else []), *(["term"] if term else [])]
    doubts = ["lower-case"] if found["level"].isascii() and found["level"] in raw else []
    return _stated(place, found["level"], evidence, doubts=doubts, term=term["term"] if term else "")


def _stated(place: Place, word: str, evidence: Sequence[str], *, doubts: Sequence[str] = (), term: str = "") -> Judgement | None:
    if place.marks.examination.search(fold(place.line_after)):
        return None
    opens = not _PREFIX.sub("", fold(place.before))
    sentence = [] if opens or place.zone in place.marks.telling else ["sentence"]
    return judge(place, word, evidence, alone=opens, term=term, doubts=[*sentence, *doubts], options=True)


def _first_line(value: str) -> str:
    """The rest of the field's line, or the next where its name ends its own."""
    lines = value.split("\n")
    return lines[0] if lines[0].strip(" :\r\t") or len(lines) < 2 else lines[1]


def _ticked(marks: Markings, line: str) -> str:
    """The first level whose box is ticked, or "" where no box is.

    Boxes stand either all before or all after their words; what the line opens with tells which.
    """
    first = marks.box_opens.match(line)
    options = list((marks.box_first if first else marks.box_last).finditer(line))
    chosen = [option["level"] for option in options if marks.ticked.fullmatch(option["box"])]
    return next((level for level in chosen if len(options) > 1 and level in marks.levels), "")


def sensitivity_label(marks: Markings, candidate: Candidate) -> Judgement | None:
    """MSIP_Label_<GUID>_Name = Confidential: Microsoft Purview's label, in a document's custom properties or in the
    msip_labels field of a message (Microsoft Learn, "Sensitivity labels: metadata in files and e-mail")."""
    found = marks.label.match(fold(candidate.around(60)[1]))
    if not found or found["level"] not in marks.levels:
        return None
    return judge(place_of(marks, candidate), found["level"], ["label"], alone=True, options=True)
