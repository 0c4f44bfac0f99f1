"""Evidence against doubt: what the forms of marks have in common.

All loops in the patterns are possessive: a line of the document can never make one backtrack.
"""

import re
from collections.abc import Sequence

from dlp.detect import markings_table as table
from dlp.detect.evidence import Candidate, Judgement
from dlp.detect.markings_place import Place, fold
from dlp.model import Zone

DECORATION = r"[\s\[\]【】()《》〖〗〔〕{}★☆*※=—–―_~|│·•▲◆■●:;,、。.!#+<>/\\-]"
OPEN, CLOSE = "[【(（〖〔{［<〈", "]】)）〗〕}］>〉"
QUOTES = "\"'“”‘’「」『』`"
TERM = table.TERM.replace("?P<term>", "?:")
OTHER_FIELD = rf"(?:{table.OTHER_FIELDS})[:.]?\w{{0,20}}+"
OWNER = rf"[\w&]{{0,24}}(?:{table.OWNERS})"

MARKED = frozenset({Zone.HEADER, Zone.FOOTER, Zone.WATERMARK})
"""Zones that are there to bear marks."""
NAMING = frozenset({Zone.SUBJECT, Zone.FILENAME, Zone.TITLE})
"""Zones that name the thing."""
TELLING = frozenset(zone for zone, points in table.ZONE_POINTS.items() if points >= table.THRESHOLD)
"""Zones that suffice for a mark by itself."""

POLICY = re.compile(table.POLICY_WORDS)
_POLICY_TITLE = re.compile(rf"(?:{table.POLICY_TITLES})(?:\W|$)|第[一1]条|第[一1]章")
_FICTION = re.compile(table.FICTION)
_DECLASSIFIED = re.compile(r"(?:已|予以|经)解密|declassified|(?:approved|cleared) for (?:public )?release")
_HANDLING = re.compile(
    table.HANDLING + r"|do not (?:copy|distribute|forward|share|disclose)|not for (?:public|external|distribution|release)"
)
_COPY_NUMBER = re.compile(r"份号|印发份数|(?<!\w)0\d{5}(?!\w)|copy (?:no\.? ?)?\d+ of \d+")
_DOCUMENT_NUMBER = re.compile(r"[〔\[(]\d{4}[〕\])]第?\d{1,5}号")
_OWNER_BEFORE = re.compile(rf"{OWNER}{DECORATION}*+$")
_WRAPPED_ABOVE = re.compile(rf"(?:{table.WRAPPED_ABOVE})$")
_WRAPPED_BELOW = re.compile(table.WRAPPED_BELOW)
_KINDS_OF_SECRET = re.compile("(?:国家|商业|工作|技术|军事)秘密")
_SENTENCE_END = re.compile("[。!?;]")
_REPLY = re.compile(r"^(?:(?:re|fwd?|aw|wg|sv|答复|回复|转发|自动回复)[:：]\s*+)++", re.IGNORECASE)
_HAN_LEVELS = ("绝密", "机密", "秘密", "核心商密", "普通商密")
_ENGLISH_LEVELS = ("top secret", "secret", "confidential", "restricted")


def word_of(candidate: Candidate) -> str:
    """The longest word of a level that the match holds, or ""."""
    folded = " ".join(candidate.folded.replace("_", " ").replace("-", " ").split())
    return max((word for word in table.LEVELS if len(word) > 1 and word in folded), key=len, default="")


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
    """The candidate's points against the threshold; the judgement tells the level, the term and the evidence.

    `word` is a key of LEVELS, `evidence` and `doubts` what the form itself has seen (keys of EVIDENCE and
    PENALTIES); `alone` says that nothing stands beside the mark but what belongs to one, `options` that other
    levels beside it are the choices of a form and no list in a text about levels.
    """
    standing, points = place.standing(alone=alone)
    near = place.near()
    beside = _beside(near)
    points += sum(table.EVIDENCE[name] for name in (*evidence, *beside))
    points -= sum(table.PENALTIES[name] for name in (*_doubts(place, near, alone=alone), *doubts))
    if not options and _other_levels(place, word):
        points -= table.PENALTIES["other levels"]
    if points < table.THRESHOLD:
        return None
    facts = {"evidence": ", ".join((standing, *evidence, *beside))} | ({"term": term} if term else {})
    level = table.LEVELS[word]
    return Judgement(
        value=f"{level}:{term}", confidence=min(99, int(80 + 3 * (points - table.THRESHOLD))), level=level, facts=facts
    )


def _beside(near: str) -> list[str]:
    checks = (("handling", _HANDLING), ("copy number", _COPY_NUMBER), ("document number", _DOCUMENT_NUMBER))
    return [name for name, pattern in checks if pattern.search(near)]


def _doubts(place: Place, near: str, *, alone: bool) -> list[str]:
    """Every reason to think that the text speaks about marks instead of bearing one."""
    sentence = f"{_SENTENCE_END.split(fold(place.line_before))[-1]}\0{_SENTENCE_END.split(fold(place.line_after))[0]}"
    reasons = (
        ("policy", not alone and POLICY.search(sentence)),
        ("policy document", place.zone is Zone.BODY and _POLICY_TITLE.search(place.head())),
        ("sentence", place.zone is Zone.BODY and _wrapped(place)),
        ("quoted", place.zone not in NAMING and place.line_before[-1:] in QUOTES and place.line_before),
        ("fiction", _FICTION.search(near)),
        ("declassified", _DECLASSIFIED.search(near)),
    )
    return [name for name, seen in reasons if seen]


def _other_levels(place: Place, word: str) -> bool:
    """Whether other levels are listed beside this one: on its line, or at the start of a line just above or below."""
    family = _ENGLISH_LEVELS if word.isascii() else _HAN_LEVELS
    others = "|".join(level for level in family if level not in word and word not in level)
    if len(word) <= 2 and word.isascii():  # a portion mark stands among others by its nature
        return False
    line = f"{fold(place.line_before)}\0{fold(place.line_after)}"
    if re.search(others, _KINDS_OF_SECRET.sub("", line)):
        return True
    return any(re.match(rf"[\W\d]*+(?:{others})", one) for one in (*place.above(), *place.below()))


def _wrapped(place: Place) -> bool:
    """Whether the mark's line is the middle of a sentence that was broken into narrow lines."""
    above, below = place.above()[-1:], place.below()[:1]
    return bool((above and _WRAPPED_ABOVE.search(above[0])) or (below and _WRAPPED_BELOW.match(below[0])))


def owned(place: Place) -> bool:
    """Whether the name of an owner stands before the mark: 某某公司 机密."""
    return bool(_OWNER_BEFORE.search(fold(place.line_before)[-40:]))


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
