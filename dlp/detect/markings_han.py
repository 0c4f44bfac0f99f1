"""Chinese marks: 密级★期限, the bare banner, the trade secret of a state enterprise."""

import re
from dataclasses import replace

from dlp.detect.evidence import Candidate, Judgement
from dlp.detect.markings_fold import fold
from dlp.detect.markings_patterns import OPEN, STARS, Markings
from dlp.detect.markings_place import Place, place_of, repeated
from dlp.detect.markings_weigh import MARKED, NAMING, bracketed, judge, leading, owned, trailing, word_of
from dlp.model import Zone

_STARS = frozenset(STARS)
_STARRED = ("密", "密件", "内部")
"""What the rule of the state secret looks for before a star."""
_SHORT_NAME = re.compile(r"[\w&()]{1,12}\s?")
_HEADER_LINE = 60
"""Characters beside a mark in a header line that it may still be set off from."""


def state_secret(marks: Markings, candidate: Candidate) -> Judgement | None:
    """密级★保密期限 and its variants. A true star with a term is a mark anywhere but in a text about marks."""
    if repeated(candidate):
        return None
    place, word = place_of(marks, candidate), word_of(marks, candidate)
    after = fold(place.line_after)
    if not word or marks.examination.match(after) or _denied(place):
        return None
    strong = any(star in candidate.folded for star in STARS)
    term = marks.term_after.match(after)
    if not strong and not term:
        return None
    alone = _alone(place, joined=True)
    evidence = ["star" if strong else "weak-star", *(["term"] if term else [])]
    doubts = [] if alone or (strong and term) else ["sentence"]
    return judge(place, word, evidence, alone=alone, term=term["term"] if term else "", doubts=doubts)


def banner(marks: Markings, candidate: Candidate) -> Judgement | None:
    """绝密, 机密文件, 内部资料 by itself: a banner, a header, a bracketed subject, a file name."""
    if repeated(candidate):
        return None
    candidate = _inside_brackets(candidate)
    place, word = place_of(marks, candidate), word_of(marks, candidate)
    after = fold(place.line_after)
    starred = after[:1] in _STARS and candidate.folded.endswith(_STARRED)  # the state secret's, judged as that
    if not word or starred or marks.examination.match(after) or _denied(place):
        return None
    alone = _alone(place, kind=candidate.folded.endswith(marks.named_kinds)) or _said_of_itself(place)
    if not alone and not _set_off(place):
        return None
    term = marks.term_after.match(after)
    evidence = [name for name, seen in (("bracket", bracketed(place)), ("term", term), ("owner", owned(place))) if seen]
    doubts = [] if alone or place.zone in marks.telling else ["sentence"]
    return judge(place, word, evidence, alone=True, term=term["term"] if term else "", doubts=doubts)


def trade_secret(marks: Markings, candidate: Candidate) -> Judgement | None:
    """核心商密, 普通商密, 商业秘密, with owner before and term after."""
    if repeated(candidate):
        return None
    place, word = place_of(marks, candidate), word_of(marks, candidate)
    term = marks.term_after.match(fold(place.line_after))
    of_art = word.startswith(("核心", "普通"))
    named = of_art and term and _SHORT_NAME.fullmatch(place.before) and not marks.policy.search(fold(place.before))
    alone = bool(named) or _alone(place, joined=of_art)
    if not word or not (alone or _set_off(place) or (of_art and term)):
        return None
    checks = (("trade-secret", of_art), ("term", term), ("bracket", bracketed(place)), ("owner", owned(place)))
    doubts = [] if alone or place.zone in marks.telling else ["sentence"]
    evidence = [name for name, seen in checks if seen]
    return judge(place, word, evidence, alone=alone, term=term["term"] if term else "", doubts=doubts)


def _denied(place: Place) -> bool:
    """非秘密, 解密: the character before takes the level back."""
    return bool(place.marks.denied.search(fold(place.before[-4:])))


def _inside_brackets(candidate: Candidate) -> Candidate:
    """A match of 【内部】 without its brackets, so that they count as what stands about the mark."""
    if candidate.folded[:1] not in OPEN:
        return candidate
    return replace(candidate, start=candidate.start + 1, end=candidate.end - 1, folded=candidate.folded[1:-1])


def _said_of_itself(place: Place) -> bool:
    """A short header or footer that says it in a sentence: 本文件为公司机密,未经授权不得外传."""
    return (
        place.zone in MARKED
        and len(place.line_after) <= _HEADER_LINE
        and bool(place.marks.stated.search(fold(place.line_before)))
    )


def _alone(place: Place, *, joined: bool = False, kind: bool = False) -> bool:
    """Whether nothing stands in the mark's cell but what belongs to a mark: owner, term, handling, numbers.

    某公司机密 may be half a sentence, so an owner must stand apart from a bare word unless `joined`,
    or unless the thing is named with it (`kind`, or right after: 某公司机密文件).
    """
    after = fold(place.after)
    if not place.marks.after.fullmatch(after) or not place.marks.before.fullmatch(fold(place.before)):
        return False
    if joined or not place.before[-1:].isalnum():
        return True
    return (kind or place.zone in MARKED or bool(place.marks.kind_after.match(after))) and not place.marks.policy.search(
        fold(place.before)
    )


def _set_off(place: Place) -> bool:
    """Not alone, yet set off from the rest of a title, a name or a short header line."""
    if place.zone in NAMING:
        return leading(place) or trailing(place) or bracketed(place) or _folder(place)
    if place.zone in MARKED and len(place.line_before) + len(place.line_after) <= _HEADER_LINE:
        return (leading(place) or trailing(place)) and not place.marks.policy.search(fold(place.line_before + place.line_after))
    return bracketed(place) and leading(place)


def _folder(place: Place) -> bool:
    """Whether the mark is the whole name of a folder on the way to the file."""
    return place.zone is Zone.FILENAME and place.line_after[:1] == "/" and place.line_before[-1:] in {"", "/"}
