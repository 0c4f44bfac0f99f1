"""Fields that hold a level: 密级：机密, Classification: CONFIDENTIAL, forms with boxes, and sensitivity labels."""

import re
from collections.abc import Sequence

from dlp.detect import markings_table as table
from dlp.detect.evidence import Candidate, Judgement
from dlp.detect.markings_han import EXAMINATION
from dlp.detect.markings_place import Place, fold, place_of, repeated
from dlp.detect.markings_weigh import DECORATION, OTHER_FIELD, TELLING, TERM, judge

_LOWEST = ("公开", "public", "非密", "非涉密", "一般", "无")
"""Values of such a field that state no level of ours."""
_WORDS = (*(word for word in table.LEVELS if len(word) > 2 or not word.isascii()), *_LOWEST)
_VALUES = "|".join(sorted(map(re.escape, _WORDS), key=len, reverse=True))
_FIELD = re.compile(
    rf"[】\])]?[:\s|=为]*[\[【(<\"]?(?:(?:strictly|highly|company|most) )?(?P<level>{_VALUES})"
    rf"(?P<star>[{table.STARS}]?)级?(?:文件|资料)?(?![a-z])"
)
_TAIL = re.compile(rf"(?:{DECORATION}|(?:{TERM})|{OTHER_FIELD}|\w{{2,8}}+:)*+")
_SEPARATED = re.compile(r"\s*[:：|│\[【(（=】\]]|[\t\n\r \u3000]")
_ENDS = set("\n\r\t|,;。])】>.")
_PREFIX = re.compile(rf"(?:{DECORATION}|\d)+|文件|文档|资料|项目|本|security|data|document|information")

_BOX = rf"[{table.TICKED}{table.UNTICKED}]|\[[ x√✓]?\]|\((?: |x|√|✓)?\)"
_TICKED = re.compile(rf"[{table.TICKED}]|\[[x√✓]\]|\((?:x|√|✓)\)")
_BOX_FIRST = re.compile(rf"(?P<box>{_BOX})\s*(?P<level>{_VALUES})")
_BOX_LAST = re.compile(rf"(?P<level>{_VALUES})级?\s*(?P<box>{_BOX})")
_REACH = 90
"""Characters after a field's name in which its value stands."""

_LABEL = re.compile(rf"[\s:=\"'>]*(?:[\w ]{{0,20}}[\\/-] ?)?(?P<level>{_VALUES})(?![a-z])")


def field(candidate: Candidate) -> Judgement | None:
    """A field's name with a level as its value; a form lists all levels and ticks one."""
    if repeated(candidate):
        return None
    place, raw = place_of(candidate), candidate.around(_REACH)[1]
    value = fold(raw)
    if word := _ticked(_first_line(value)):
        return _stated(place, word, ["field", "ticked"])
    found = _FIELD.match(value)
    if not found or found["level"] not in table.LEVELS or not _SEPARATED.match(raw) or re.search(_BOX, _first_line(value)):
        return None
    rest = value[found.end() :]
    tail = _TAIL.match(rest)
    if not tail or not (tail.end() == len(rest) or _ENDS & set(tail[0])):
        return None
    term = re.match(rf"[★☆*· ]*{table.TERM}", rest)
    evidence = ["field", *(["star"] if found["star"] else []), *(["term"] if term else [])]
    doubts = ["lower case"] if found["level"].isascii() and found["level"] in raw else []
    return _stated(place, found["level"], evidence, doubts=doubts, term=term["term"] if term else "")


def _stated(place: Place, word: str, evidence: Sequence[str], *, doubts: Sequence[str] = (), term: str = "") -> Judgement | None:
    if EXAMINATION.search(fold(place.line_after)):
        return None
    opens = not _PREFIX.sub("", fold(place.before))
    sentence = [] if opens or place.zone in TELLING else ["sentence"]
    return judge(place, word, evidence, alone=opens, term=term, doubts=[*sentence, *doubts], options=True)


def _first_line(value: str) -> str:
    """The rest of the field's line, or the next where its name ends its own."""
    lines = value.split("\n")
    return lines[0] if lines[0].strip(" :\r\t") or len(lines) < 2 else lines[1]


def _ticked(line: str) -> str:
    """The first level whose box is ticked, or "" where no box is.

    Boxes stand either all before or all after their words; what the line opens with tells which.
    """
    first = re.match(rf"[:\s|]*(?:{_BOX})", line)
    options = list((_BOX_FIRST if first else _BOX_LAST).finditer(line))
    chosen = [option["level"] for option in options if _TICKED.fullmatch(option["box"])]
    return next((level for level in chosen if len(options) > 1 and level in table.LEVELS), "")


def sensitivity_label(candidate: Candidate) -> Judgement | None:
    """MSIP_Label_<GUID>_Name = Confidential: Microsoft Purview's label, in a document's custom properties or in the
    msip_labels field of a message (Microsoft Learn, "Sensitivity labels: metadata in files and e-mail")."""
    found = _LABEL.match(fold(candidate.around(60)[1]))
    if not found or found["level"] not in table.LEVELS:
        return None
    return judge(place_of(candidate), found["level"], ["label"], alone=True, options=True)
