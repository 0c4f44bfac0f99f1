"""English marks: banner lines, portion marks, the Traffic Light Protocol."""

import re
import unicodedata

from dlp.detect.evidence import Candidate, Judgement
from dlp.detect.markings_fold import fold
from dlp.detect.markings_patterns import CLOSE, OPEN, Markings
from dlp.detect.markings_place import Place, place_of, repeated
from dlp.detect.markings_weigh import MARKED, NAMING, bracketed, judge, leading, trailing, word_of
from dlp.model import Zone

_OWNER = re.compile(r"(?:[A-Z][\w.&'’-]*+[\s,]*+){0,5}+")
_DENIED = re.compile(r"\b(?:not|non|un)\W*$")
_COMMON = frozenset(
    {"secret", "restricted", "internal", "internal use", "internal only", "in confidence", "cui", "fouo", "controlled"}
)
"""Words that name software, shops and people as well: in capitals, or in a header, or not at all."""
_BARE = frozenset({"internal", "cui", "fouo"})
"""Of these, what begins many a title: nothing but a separator may follow."""
_SEPARATOR = re.compile(r"[\s)\]*]*(?:$|//|[-–—|:•·,/\n])")
_SENTENCE_CASE = re.compile(r"[A-Z][a-z]+[ -][a-z ]+")
_CODE_NAME = re.compile(
    r"\.(?:c|cc|cpp|cs|css|go|h|html?|ini|java|js|json|jsx|kt|less|lua|php|pl|py|rb|rs|scss|sh|sql|ts|tsx|vue|ya?ml)$"
)
_PORTION_LINE = re.compile(r"^[ \t]*(?:[\w.]{1,6}[.)]? {0,2})?\((?:U|TS|S|C|CUI)(?://[A-Z][A-Z ,/-]{0,60})?\)", re.MULTILINE)
_AROUND = 600
"""Characters about a bare (S) in which other paragraphs show their portion marks."""
_HEADER_LINE = 80
_OPENED = re.compile(rf"[{re.escape(OPEN)}]([^{re.escape(OPEN + CLOSE)}]*)\Z")
_CLOSED = re.compile(rf"([^{re.escape(OPEN + CLOSE)}]*)[{re.escape(CLOSE)}]")


def english(marks: Markings, candidate: Candidate) -> Judgement | None:
    """TOP SECRET, CONFIDENTIAL, INTERNAL USE ONLY by itself: a banner, a header, a subject, a file name."""
    if repeated(candidate):
        return None
    place, word = place_of(marks, candidate), word_of(marks, candidate)
    if not word or not _whole(candidate, place):
        return None
    if place.zone in NAMING:
        return _name(candidate, place, word)
    if marks.control.match(fold(place.line_after)) and candidate.match == candidate.match.upper():
        doubts = ["sentence"] if re.search(r"[a-z]", place.line_before) else []
        return judge(place, word, ["control"], alone=not place.line_before.strip(), doubts=doubts)
    if word in _BARE and not (_alone(place) and _SEPARATOR.match(place.line_after)):
        return None
    if not _alone(place) and not _header(place):
        return None
    return judge(place, word, [], alone=True, doubts=_own_doubts(candidate, place, word))


def _whole(candidate: Candidate, place: Place) -> bool:
    """Whether the match is no piece of a longer word or name; in capitals, an underscore of a file's name sets it off."""
    loud = place.zone in NAMING and candidate.match == candidate.match.upper()
    before = place.line_before if loud else place.line_before.rstrip("_")
    return not re.search(r"[^\W_]$|&$", before) and not re.match(r"[A-Za-z]", place.line_after)


def _alone(place: Place) -> bool:
    """Whether the mark's cell holds nothing else but words of a mark and an owner in capitals."""
    before, after = place.before, fold(place.after)
    if _DENIED.search(fold(before)) or place.marks.english_verbs.search(fold(before)) or place.marks.english_verbs.search(after):
        return False
    opens = _OWNER.fullmatch(before.strip(" -–—|:[(*")) or place.marks.english_before.fullmatch(fold(before))
    return bool(opens and place.marks.english_after.fullmatch(after))


def _header(place: Place) -> bool:
    """A short header or footer line that holds the word and is no sentence, or says it of the document itself."""
    if place.zone not in MARKED or _DENIED.search(fold(place.line_before)):
        return False
    line = fold(f"{place.line_before}\0{place.line_after}")
    return bool(place.marks.stated.search(fold(place.line_before))) or (
        len(line) <= _HEADER_LINE and not place.marks.english_verbs.search(line)
    )


def _own_doubts(candidate: Candidate, place: Place, word: str) -> list[str]:
    match = unicodedata.normalize("NFKC", candidate.match)  # a mathematical capital has no small letter
    doubts = []
    quiet = (
        match == match.lower()
        or place.line_after[:1] == "!"
        or _SENTENCE_CASE.fullmatch(match)
        or (word in _COMMON and match != match.upper())
    )
    if place.zone not in MARKED and quiet:
        doubts.append("lower-case")
    if place.zone in {Zone.BODY, Zone.RAW} and not place.top and place.marks.disclaimer.search(place.near):
        doubts.append("disclaimer")
    return doubts


def _name(candidate: Candidate, place: Place, word: str) -> Judgement | None:
    """A subject, title or file name that opens or closes with the mark, or holds it in brackets."""
    if bracketed(place) or _in_brackets(place):
        return judge(place, word, ["bracket"], alone=True)
    loud = candidate.match == candidate.match.upper()
    if word in _COMMON and not (loud and place.zone is Zone.SUBJECT):
        return None
    if _DENIED.search(fold(place.line_before)) or place.marks.english_verbs.search(
        fold(re.sub(r"[_./-]", " ", f"{place.line_before} \0 {place.line_after}"))
    ):
        return None
    if place.zone is Zone.FILENAME and _CODE_NAME.search(fold(place.line_after)):
        return None
    opens = leading(place) or bool(place.marks.english_before.fullmatch(fold(place.line_before)))
    set_off = re.match(r"\s*(?:$|[:：—–|-])", place.line_after) or place.zone is Zone.FILENAME
    named = _alone(place) or (set_off and (opens or trailing(place)))
    return judge(place, word, [], alone=True) if named else None


def _in_brackets(place: Place) -> bool:
    """Whether the mark shares its brackets with words of a mark alone: 【SECRET//NOFORN】, [Strictly Confidential]."""
    opened, closed = _OPENED.search(place.line_before), _CLOSED.match(place.line_after)
    if not opened or not closed:
        return False
    before, after = fold(opened[1]), place.marks.control.sub("", fold(closed[1]))
    return bool(place.marks.english_before.fullmatch(before) and place.marks.english_after.fullmatch(after))


def portion(marks: Markings, candidate: Candidate) -> Judgement | None:
    """(S//NF), (TS//SI), (S): a portion mark, which opens a paragraph or follows its number; in capitals.

    A bare (S) is one only among others: another paragraph close by is marked (U) or so too.
    """
    found = marks.portion.match(candidate.folded)
    if not found or candidate.match != candidate.match.upper() or repeated(candidate):
        return None
    place = place_of(marks, candidate)
    opens = bool(re.fullmatch(r"[\s\w.)]{0,12}", place.line_before))
    bare = "//" not in candidate.folded
    if bare and not (opens and _among_portions(candidate)):
        return None
    return judge(place, found["level"], ["control"], alone=opens, doubts=[] if opens else ["sentence"])


def _among_portions(candidate: Candidate) -> bool:
    before, after = candidate.around(_AROUND)
    marked = {found[0].strip() for found in _PORTION_LINE.finditer(f"{before}{candidate.match}{after}")}
    return len(marked) > 1 and any(one.endswith("(U)") or "//" in one for one in marked)


def tlp(marks: Markings, candidate: Candidate) -> Judgement | None:
    """TLP:RED, TLP:AMBER (FIRST TLP 2.0) by itself, or in a zone for marks; a text that lists the colours explains them."""
    if repeated(candidate):
        return None
    place, word = place_of(marks, candidate), re.sub(r"\s", "", candidate.folded)
    near = place.near.replace(" ", "")
    explained = re.search(r"tlp:(?:clear|white|green)", near) or any(
        colour in near for colour in ("tlp:red", "tlp:amber") if colour not in word
    )
    alone = bool(marks.english_before.fullmatch(fold(place.before))) and not re.search(r"[a-z]", fold(place.after))
    if word not in marks.levels or explained or not (alone or place.zone in marks.telling):
        return None
    return judge(place, word, ["tlp"], alone=alone)
