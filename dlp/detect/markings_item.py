"""What marks mean for the item as a whole: the day each one ends, and what they amount to together.

A mark binds from the document's own day (`dlp.detect.markings_date`), which stands in another part than a header with
the mark. Several marks in one item are a compilation, which is as secret as the highest of them for the longest of
their terms. Facts only are added: an expired mark is a mark still, and whoever may lift it has to.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime

from dlp.detect.evidence import Judgement
from dlp.detect.markings_date import own_date
from dlp.detect.markings_term import Term, parsed
from dlp.detect.markings_weigh import LIFTED
from dlp.model import Part, Trail, Zone

_SCALE = ("public", "internal", "confidential", "restricted", "secret", "top-secret")
"""To name the highest of several; what a profile makes of them is its own affair, and a level it alone knows is above."""
_TEXTS = frozenset({Zone.BODY, Zone.FOOTER, Zone.HEADER, Zone.TEXTBOX})
_MOST_PARTS = 4
"""Texts of one document, from its beginning and from its end, in which its day is looked for."""


def told(judged: Sequence[tuple[Trail, Judgement]], parts: Sequence[Part], today: date | None = None) -> list[Judgement]:
    """The judgements in order, those of marks with what the item tells of them. `today` is the day in UTC if not given."""
    today = today or datetime.now(UTC).date()
    judged = [(trail, _not_yet(judgement, today)) for trail, judgement in judged]
    marks = [(trail, judgement) for trail, judgement in judged if "mark" in judgement.facts]
    if not marks:
        return [judgement for _, judgement in judged]
    termed = {trail for trail, judgement in marks if "term" in judgement.facts}
    days = _days(termed, parts) if termed else {}
    together = _together([judgement for _, judgement in marks if not judgement.void], today)
    return [
        replace(judgement, facts={**judgement.facts, **_ending(judgement, days.get(trail), today), **together})
        if "mark" in judgement.facts
        else judgement
        for trail, judgement in judged
    ]


def _not_yet(judgement: Judgement, today: date) -> Judgement:
    """A mark that is to be lifted on a day still to come is no void one; its stamp told a plan."""
    if not judgement.void or judgement.facts["void"] <= f"{LIFTED} {today.isoformat()}":
        return judgement
    return replace(judgement, void=False, facts={key: value for key, value in judgement.facts.items() if key != "void"})


def _days(trails: set[Trail], parts: Sequence[Part]) -> Mapping[Trail, date]:
    """The day of the document at each trail, where its text tells."""
    texts: dict[Trail, list[str]] = {trail: [] for trail in trails}
    for part in parts:
        if part.zone in _TEXTS and part.trail in texts:
            texts[part.trail].append(part.text)
    days = {}
    for trail, several in texts.items():
        near = [*reversed(several[-_MOST_PARTS:]), *several[:_MOST_PARTS]]
        if day := next(filter(None, map(own_date, near)), None):
            days[trail] = day
    return days


def _ending(judgement: Judgement, written: date | None, today: date) -> Mapping[str, str]:
    if "term" not in judgement.facts:
        return {}
    ends = parsed(judgement.facts["term"]).ends(written)
    facts = {"dated": written.isoformat()} if written else {}
    if ends:
        facts["expired" if ends < today else "declassified_on"] = ends.isoformat()
    return facts


def _together(marks: Sequence[Judgement], today: date) -> Mapping[str, str]:
    """The highest level and the longest term, where marks differ in one of them."""
    levels = {judgement.level for judgement in marks if judgement.level}
    terms = {judgement.facts["term"] for judgement in marks if "term" in judgement.facts}
    if len(levels) < 2 and len(terms) < 2:
        return {}
    highest = max(levels, key=lambda level: (_SCALE.index(level) if level in _SCALE else len(_SCALE), level))
    longest: Term | None = max(map(parsed, sorted(terms)), key=lambda term: term.reach(today), default=None)
    return {"compilation": f"highest {highest}" + (f", longest term {longest}" if longest else "")}
