"""English marks: banner lines, portion marks, the Traffic Light Protocol."""

import re
import unicodedata

from dlp.detect import markings_table as table
from dlp.detect.evidence import Candidate, Judgement
from dlp.detect.markings_place import Place, fold, place_of, repeated
from dlp.detect.markings_weigh import DECORATION, MARKED, NAMING, TELLING, bracketed, judge, leading, trailing, word_of
from dlp.model import Zone

_BEFORE = re.compile(rf"(?:{DECORATION}|(?<!\w)(?:{table.ENGLISH_BEFORE})(?!\w))*+")
_AFTER = re.compile(rf"(?:{DECORATION}|(?<!\w)(?:{table.ENGLISH_AFTER})(?!\w))*+")
_VERBS = re.compile(rf"(?<!\w)(?:{table.ENGLISH_VERBS})(?!\w)")
_OWNER = re.compile(r"(?:[A-Z][\w.&'’-]*+[\s,]*+){0,5}+")
_STATED = re.compile(
    r"\bthis (?:document|presentation|report|material|file|page|drawing|manual|draft|memo|workbook) (?:is|contains) "
)
_DISCLAIMER = re.compile(table.DISCLAIMER)
_DENIED = re.compile(r"\b(?:not|non)\W*$")
_CONTROL = re.compile(rf"\s*//\s*(?:{table.CONTROLS})(?![a-z])")
_PORTION = re.compile(rf"\((?P<level>ts|s|c)//(?:{table.CONTROLS})(?![a-z])")
_COMMON = frozenset({"secret", "restricted", "internal", "internal use", "internal only"})
"""Words that name software and shops as well: in capitals, or in a header, or not at all."""
_HEADER_LINE = 80


def english(candidate: Candidate) -> Judgement | None:
    """TOP SECRET, CONFIDENTIAL, INTERNAL USE ONLY by itself: a banner, a header, a subject, a file name."""
    if repeated(candidate):
        return None
    place, word = place_of(candidate), word_of(candidate)
    if not word or re.search(r"[\w&]$", place.line_before.rstrip("_")) or re.match(r"[A-Za-z]", place.line_after):
        return None
    if place.zone in NAMING:
        return _name(candidate, place, word)
    if _CONTROL.match(fold(place.line_after)) and candidate.match == candidate.match.upper():
        return judge(place, word, ["control"], alone=not place.line_before.strip())
    if not _alone(place) and not _header(place):
        return None
    return judge(place, word, [], alone=True, doubts=_own_doubts(candidate, place, word))


def _alone(place: Place) -> bool:
    """Whether the mark's cell holds nothing else but words of a mark and an owner in capitals."""
    before, after = place.before, fold(place.after)
    if _DENIED.search(fold(before)) or _VERBS.search(fold(before)) or _VERBS.search(after):
        return False
    opens = _OWNER.fullmatch(before.strip(" -–—|:[(*")) or _BEFORE.fullmatch(fold(before))
    return bool(opens and _AFTER.fullmatch(after))


def _header(place: Place) -> bool:
    """A short header or footer line that holds the word and is no sentence, or says it of the document itself."""
    if place.zone not in MARKED or _DENIED.search(fold(place.line_before)):
        return False
    line = fold(f"{place.line_before}\0{place.line_after}")
    return bool(_STATED.search(line)) or (len(line) <= _HEADER_LINE and not _VERBS.search(line))


def _own_doubts(candidate: Candidate, place: Place, word: str) -> list[str]:
    match = unicodedata.normalize("NFKC", candidate.match)  # a mathematical capital has no small letter
    doubts = []
    if place.zone not in MARKED and (match == match.lower() or (word in _COMMON and match != match.upper())):
        doubts.append("lower case")
    if place.zone in {Zone.BODY, Zone.RAW} and not place.top and _DISCLAIMER.search(place.near()):
        doubts.append("disclaimer")
    return doubts


def _name(candidate: Candidate, place: Place, word: str) -> Judgement | None:
    """A subject, title or file name that opens or closes with the mark, or holds it in brackets."""
    if bracketed(place):
        return judge(place, word, ["bracket"], alone=True)
    loud = candidate.match == candidate.match.upper()
    if word in _COMMON and not (loud and place.zone is Zone.SUBJECT):
        return None
    if _DENIED.search(fold(place.line_before)) or _VERBS.search(
        fold(re.sub(r"[_./-]", " ", f"{place.line_before} \0 {place.line_after}"))
    ):
        return None
    set_off = re.match(r"\s*(?:$|[:：—–|-])", place.line_after) or place.zone is Zone.FILENAME
    named = _alone(place) or (set_off and (leading(place) or trailing(place)))
    return judge(place, word, [], alone=True) if named else None


def portion(candidate: Candidate) -> Judgement | None:
    """(S//NF), (TS//SI): a portion mark, which opens a paragraph or follows its number; in capitals."""
    found = _PORTION.match(candidate.folded)
    if not found or candidate.match != candidate.match.upper():
        return None
    place = place_of(candidate)
    opens = bool(re.fullmatch(r"[\s\w.)]{0,12}", place.line_before))
    return judge(place, found["level"], ["control"], alone=opens, doubts=[] if opens else ["sentence"])


def tlp(candidate: Candidate) -> Judgement | None:
    """TLP:RED, TLP:AMBER (FIRST TLP 2.0) by itself, or in a zone for marks; a text that lists the colours explains them."""
    place, word = place_of(candidate), re.sub(r"\s", "", candidate.folded)
    near = place.near().replace(" ", "")
    explained = re.search(r"tlp:(?:clear|white|green)", near) or any(
        colour in near for colour in ("tlp:red", "tlp:amber") if colour not in word
    )
    alone = bool(_BEFORE.fullmatch(fold(place.before))) and not re.search(r"[a-z]", fold(place.after))
    if word not in table.LEVELS or explained or not (alone or place.zone in TELLING):
        return None
    return judge(place, word, ["tlp"], alone=alone)
