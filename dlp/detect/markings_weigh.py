"""Evidence against doubt: what the forms of marks have in common.

All loops in the patterns are possessive: a line of the document can never make one backtrack.
"""

import re
from collections.abc import Sequence

from dlp.detect.evidence import Candidate, Judgement
from dlp.detect.markings_date import date_in
from dlp.detect.markings_fold import fold
from dlp.detect.markings_patterns import CLOSE, OPEN, QUOTES, Markings
from dlp.detect.markings_place import Place
from dlp.detect.markings_term import Term, term_of
from dlp.model import Zone

MARKED = frozenset({Zone.HEADER, Zone.FOOTER, Zone.WATERMARK})
"""Zones that are there to bear marks."""
NAMING = frozenset({Zone.SUBJECT, Zone.FILENAME, Zone.TITLE})
"""Zones that name the thing."""

_COPY_NUMBER = re.compile(r"份号|印发份数|(?<!\w)0\d{5}(?!\w)|copy (?:no\.? ?)?\d+ of \d+")
_DOCUMENT_NUMBER = re.compile(r"[〔\[(]\d{4}[〕\])]第?\d{1,5}号")
_DECLASSIFY = re.compile(r"declassif(?:y|ication)(?: date| on)? ?:? ?")
_KINDS_OF_SECRET = re.compile("(?:国家|商业|工作|技术|军事)秘密")
_HEADING = re.compile(r"密级|等级|级别|分级|\blevel\b|\bclassification\b")
_SENTENCE_END = re.compile("[。!?;]")
_REPLY = re.compile(r"^(?:(?:re|fwd?|aw|wg|sv|答复|回复|转发|自动回复)[:：]\s*+)++", re.IGNORECASE)
_HAN_LEVELS = ("绝密", "机密", "秘密", "核心商密", "普通商密")
_ENGLISH_LEVELS = ("top secret", "secret", "confidential", "restricted")
LIFTED = "declassified"
"""Before the day, in the fact `void` of a mark that a stamp has lifted."""
_STAMP_LINE = 60
"""Characters of a line that can be a stamp."""
_NOT_YET = re.compile(r"(?:\b(?:not|never|be|until|when|once|will|un)\W*|[未不待拟的可应前后])$|不得|不予|将于|计划|预计")
_WIDEST = 40
"""Characters on either side of a match in which the rest of a longer mark may stand."""


def word_of(marks: Markings, candidate: Candidate) -> str:
    """The longest word of a level that the match holds, or ""."""
    folded = " ".join(re.sub("[_:-]", " ", candidate.folded).split())
    return next((word for word in marks.words if word in folded), "")


def judge(
    place: Place,
    word: str,
    evidence: Sequence[str],
    *,
    alone: bool,
    term: str = "",
    doubts: Sequence[str] = (),
    options: bool = False,
) -> Judgement | None:
    """The candidate's points against the threshold; the judgement tells the level, the mark, the term and the evidence.

    `word` is a word of a level, `evidence` and `doubts` what the form itself has seen (keys of these tables); `alone`
    says that nothing stands beside the mark but what belongs to one, `options` that other levels beside it are the
    choices of a form and no list in a text about levels. A mark that a dated stamp has ended is void.
    """
    marks, (standing, points) = place.marks, place.standing(alone=alone)
    near = place.near
    beside = _beside(marks, near)
    points += sum(marks.evidence[name] for name in (*evidence, *beside))
    points -= sum(marks.doubts[name] for name in (*_doubts(place, near, alone=alone), *doubts))
    if not options and _other_levels(place, word):
        points -= marks.doubts["other-levels"]
    stamp = _stamp(place)
    ended = date_in(stamp) if stamp else None
    if stamp and not ended:
        points -= marks.doubts["declassified"]
    if points < marks.threshold:
        return None
    word = _widened(place, word)
    facts = {"evidence": ", ".join((standing, *evidence, *beside)), "mark": word}
    if bound := term_of(term, marks.unlimited) if term else _term_below(place):
        facts["term"] = str(bound)
    if ended:
        facts["void"] = f"{LIFTED} {ended.isoformat()}"
    level = marks.levels[word]
    return Judgement(
        value=f"{level}:{facts.get('term', '')}",
        confidence=min(99, int(80 + 3 * (points - marks.threshold))),
        level=level,
        facts=facts,
        void=ended is not None,
    )


def _term_below(place: Place) -> Term | None:
    """The term where it has a line of its own below the mark: 保密期限：10年, Declassify on: 1 January 2035."""
    for line in place.below:
        if found := place.marks.term_line.match(line):
            return term_of(found["term"], place.marks.unlimited)
        if (english := _DECLASSIFY.match(line)) and (until := date_in(line[english.end() :])):
            return Term(until=until)
    return None


def _widened(place: Place, word: str) -> str:
    """The longest word of a mark that holds `word` and stands at this place: NATO RESTRICTED for RESTRICTED."""
    longer = place.marks.longer.get(word)
    if not longer:
        return word
    before = fold(place.line_before[-_WIDEST:])
    match = fold(place.candidate.match)
    line = re.sub(r"[_/-]", " ", before + match + fold(place.line_after[:_WIDEST]))
    start, end = len(before), len(before) + len(match)
    return next((wide for wide in longer if line.find(wide, max(0, end - len(wide)), start + len(wide)) >= 0), word)


def _beside(marks: Markings, near: str) -> list[str]:
    checks = (("handling", marks.handling), ("copy-number", _COPY_NUMBER), ("document-number", _DOCUMENT_NUMBER))
    return [name for name, pattern in checks if pattern.search(near)]


def _doubts(place: Place, near: str, *, alone: bool) -> list[str]:
    """Every reason to think that the text speaks about marks instead of bearing one."""
    marks = place.marks
    sentence = f"{_SENTENCE_END.split(fold(place.line_before))[-1]}\0{_SENTENCE_END.split(fold(place.line_after))[0]}"
    reasons = (
        ("policy", (not alone and marks.policy.search(sentence)) or _under_heading(place)),
        ("policy-document", place.zone is Zone.BODY and marks.policy_title.search(place.head())),
        ("sentence", place.zone is Zone.BODY and _wrapped(place)),
        ("quoted", not alone and place.zone not in NAMING and place.line_before[-1:] in QUOTES and place.line_before),
        ("fiction", marks.fiction.search(near)),
    )
    return [name for name, seen in reasons if seen]


def _under_heading(place: Place) -> bool:
    """Whether the mark is a cell below the heading of a table that explains levels: 密级 | 说明."""
    above = place.above[-1:]
    listed = place.after != place.line_after or place.before != place.line_before
    return bool(listed and above and _HEADING.search(above[0]) and place.marks.policy.search(above[0]))


def _stamp(place: Place) -> str:
    """The line beside the mark that says, as a stamp does, that it is over; else "".

    It is the mark's own line, or one of the two above or below; short, and no part of a sentence.
    """
    own = f"{fold(place.line_before[-_STAMP_LINE:])} {fold(place.line_after[:_STAMP_LINE])}"
    return next((line for line in (own, *place.above, *place.below) if _is_stamp(place.marks, line)), "")


def _is_stamp(marks: Markings, line: str) -> bool:
    found = marks.declassified.search(line) if len(line) <= _STAMP_LINE else None
    if found is None or _NOT_YET.search(line[: found.start()]):
        return False
    return not marks.policy.search(line)


def _other_levels(place: Place, word: str) -> bool:
    """Whether other levels are listed beside this one: on its line, or at the start of a line just above or below."""
    family = _ENGLISH_LEVELS if word.isascii() else _HAN_LEVELS
    others = "|".join(level for level in family if level not in word and word not in level)
    if len(word) <= 2 and word.isascii():  # a portion mark stands among others by its nature
        return False
    line = f"{fold(place.line_before)}\0{fold(place.line_after)}"
    if re.search(others, _KINDS_OF_SECRET.sub("", line)):
        return True
    return any(re.match(rf"[\W\d]*+(?:{others})", one) for one in (*place.above, *place.below))


def _wrapped(place: Place) -> bool:
    """Whether the mark's line is the middle of a sentence that was broken into narrow lines."""
    above, below = place.above[-1:], place.below[:1]
    marks = place.marks
    return bool((above and marks.wrapped_above.search(above[0])) or (below and marks.wrapped_below.match(below[0])))


def owned(place: Place) -> bool:
    """Whether the name of an owner stands before the mark: 某某公司 机密."""
    return bool(place.marks.owner_before.search(fold(place.line_before)[-40:]))


def bracketed(place: Place) -> bool:
    """Whether the mark stands in brackets of its own."""
    before, after = place.line_before[-1:], place.line_after[:1]
    return bool(before and after) and before in OPEN and after in CLOSE


def leading(place: Place) -> bool:
    """Whether the mark opens its line (or name, past Re: and 转发:) and is set off from what follows."""
    before = _REPLY.sub("", place.line_before) if place.zone in NAMING else place.line_before
    if before.rsplit("/", 1)[-1].strip(" \t_★☆*" + OPEN):
        return False
    after = re.sub(r"^(?:级|文件|资料|材料)", "", place.line_after)
    return bool(re.match(r"[\]】)）〗〕}］>:：_\-—–·|\s★☆.,，、]|$", after))


def trailing(place: Place) -> bool:
    """Whether the mark closes a name: 方案(机密).docx, 合同_绝密.pdf."""
    set_off = re.search(rf"[\s_\-—.·/{re.escape(OPEN)}]$", place.line_before)
    after = place.line_after.strip(" " + CLOSE)
    return bool(set_off and re.fullmatch(r"(?:[_\- ]?(?:v?\d[\d._-]{0,12}|final|终稿|定稿|副本))?(?:\.\w{1,5}){0,3}", after))
