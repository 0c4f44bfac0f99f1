"""Chinese marks: 密级★期限, the bare banner, the trade secret of a state enterprise."""

import re

from dlp.detect import markings_table as table
from dlp.detect.evidence import Candidate, Judgement
from dlp.detect.markings_place import Place, fold, place_of
from dlp.detect.markings_weigh import (
    DECORATION,
    MARKED,
    NAMING,
    OTHER_FIELD,
    OWNER,
    POLICY,
    TELLING,
    TERM,
    bracketed,
    judge,
    leading,
    owned,
    trailing,
    word_of,
)

_ANY_STAR = re.escape(table.STARS + table.WEAK_STARS)
_AFTER = re.compile(rf"级?(?:{table.KINDS}){{0,2}}+(?:{DECORATION}|{table.HANDLING}|(?:{TERM})|{OTHER_FIELD}|\d{{1,8}})*+")
_BEFORE = re.compile(rf"(?:{DECORATION}|{OTHER_FIELD}|\d{{1,8}})*+(?:{OWNER})?{DECORATION}*+")
_TERM = re.compile(rf"级?(?:{table.KINDS})?[{_ANY_STAR}\s]*{table.TERM}")
EXAMINATION = re.compile(rf"[{_ANY_STAR}\s(]*(?:{table.EXAMINATION})")
_STARS = frozenset(table.STARS)
_SHORT_NAME = re.compile(r"[\w&()]{1,12}\s?")
_HEADER_LINE = 60
"""Characters beside a mark in a header line that it may still be set off from."""


def state_secret(candidate: Candidate) -> Judgement | None:
    """密级★保密期限 and its variants. A true star with a term is a mark anywhere but in a text about marks."""
    place, word = place_of(candidate), word_of(candidate)
    after = fold(place.line_after)
    if not word or EXAMINATION.match(after) or _denied(place):
        return None
    strong = any(star in candidate.folded for star in table.STARS)
    term = _TERM.match(after)
    if not strong and not term:
        return None
    alone = _alone(place, joined=True)
    evidence = ["star" if strong else "weak star", *(["term"] if term else [])]
    doubts = [] if alone or (strong and term) else ["sentence"]
    return judge(place, word, evidence, alone=alone, term=term["term"] if term else "", doubts=doubts)


def banner(candidate: Candidate) -> Judgement | None:
    """绝密, 机密文件, 内部资料 by itself: a banner, a header, a bracketed subject, a file name."""
    place, word = place_of(candidate), word_of(candidate)
    after = fold(place.line_after)
    if not word or after[:1] in _STARS or EXAMINATION.match(after) or _denied(place):
        return None  # the star is the state secret's, judged as that
    alone = _alone(place)
    if not alone and not _set_off(place):
        return None
    term = _TERM.match(after)
    evidence = [name for name, seen in (("bracket", bracketed(place)), ("term", term), ("owner", owned(place))) if seen]
    doubts = [] if alone or place.zone in TELLING else ["sentence"]
    return judge(place, word, evidence, alone=True, term=term["term"] if term else "", doubts=doubts)


def trade_secret(candidate: Candidate) -> Judgement | None:
    """核心商密, 普通商密, 商业秘密, with owner before and term after."""
    place, word = place_of(candidate), word_of(candidate)
    term = _TERM.match(fold(place.line_after))
    of_art = word.startswith(("核心", "普通"))
    named = of_art and term and _SHORT_NAME.fullmatch(place.before) and not POLICY.search(fold(place.before))
    alone = bool(named) or _alone(place, joined=of_art)
    if not word or not (alone or _set_off(place) or (of_art and term)):
        return None
    checks = (("trade secret", of_art), ("term", term), ("bracket", bracketed(place)), ("owner", owned(place)))
    doubts = [] if alone or place.zone in TELLING else ["sentence"]
    evidence = [name for name, seen in checks if seen]
    return judge(place, word, evidence, alone=alone, term=term["term"] if term else "", doubts=doubts)


def _denied(place: Place) -> bool:
    """非秘密, 解密: the character before takes the level back."""
    return bool(place.before) and place.before[-1] in table.DENIED


def _alone(place: Place, *, joined: bool = False) -> bool:
    """Whether nothing stands in the mark's cell but what belongs to a mark: owner, term, handling, numbers.

    某公司机密 may be half a sentence, so an owner must stand apart from a bare word unless `joined`.
    """
    after = fold(place.after)
    if not _AFTER.fullmatch(after) or not _BEFORE.fullmatch(fold(place.before)):
        return False
    return joined or not place.before[-1:].isalnum() or bool(re.match(rf"级?(?:{table.KINDS})", after))


def _set_off(place: Place) -> bool:
    """Not alone, yet set off from the rest of a title, a name or a short header line."""
    if place.zone in NAMING:
        return leading(place) or trailing(place) or bracketed(place)
    if place.zone in MARKED and len(place.line_before) + len(place.line_after) <= _HEADER_LINE:
        return (leading(place) or trailing(place)) and not POLICY.search(fold(place.line_before + place.line_after))
    return bracketed(place) and leading(place)
