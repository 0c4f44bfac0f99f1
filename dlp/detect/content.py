"""Kinds of business content, told by several different words standing together: validators for the signatures of
financial statements, personnel files, contracts, customers and minutes. Source code is in `content_code`.

YARA finds an anchor, one word that such content cannot do without; the validator counts in a bounded window about
it. Only the first of a run of equal anchors is judged, so a text that repeats one costs no more than any other.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from dlp.detect import content_table as table
from dlp.detect.content_business import BUSINESS_VALIDATORS
from dlp.detect.content_code import CODE_VALIDATORS
from dlp.detect.content_shape import flat
from dlp.detect.content_technical import TECHNICAL_VALIDATORS
from dlp.detect.evidence import Candidate, Judgement, Validator

_HEADING = 300
"""Characters to either side of an anchor within which the heading of its table stands."""
_ROWS = 2500
"""Characters after an anchor in which its rows are counted."""


def first_of_run(candidate: Candidate, reach: int) -> bool:
    """Whether the same words do not stand within `reach` characters before: a run is judged once, at its first."""
    return candidate.text.rfind(candidate.match, max(0, candidate.start - reach), candidate.start) < 0


def about(candidate: Candidate, before: int, after: int) -> str:
    """The window about the match, flat."""
    return flat(candidate.text[max(0, candidate.start - before) : candidate.end + after])


@dataclass(frozen=True, slots=True)
class Concept:
    """One word or its synonyms. `glue` are the characters that, like letters and digits, may not stand right before it; None
    where anything may. A pattern that began by looking behind would take three times as long."""

    pattern: re.Pattern[str]
    glue: str | None = None

    def seen(self, text: str) -> bool:
        """Whether the text holds it."""
        found = self.pattern.search(text)
        while found and self.glue is not None and self._glued(text, found.start()):
            found = self.pattern.search(text, found.start() + 1)
        return found is not None

    def _glued(self, text: str, start: int) -> bool:
        before = text[start - 1 : start]
        return before.isalnum() or (before != "" and before in f"_{self.glue}")


def _whole_words(concepts: Iterable[str]) -> tuple[Concept, ...]:
    """Each concept by itself: 部门 but not 部门规章, tax but not taxonomy."""
    return tuple(Concept(re.compile(rf"(?:{concept})(?![\w])"), "/") for concept in concepts)


def _anywhere(concepts: Iterable[str]) -> tuple[Concept, ...]:
    return tuple(Concept(re.compile(concept)) for concept in concepts)


def _seen(concepts: Sequence[Concept], text: str, least: int) -> int:
    """How many different concepts the text holds; 0 as soon as fewer than `least` are certain."""
    seen = 0
    for left, concept in zip(range(len(concepts), 0, -1), concepts, strict=True):
        if seen + left < least:
            return 0
        seen += concept.seen(text)
    return seen


def _at_least(pattern: re.Pattern[str], text: str, count: int) -> bool:
    found = pattern.finditer(text)
    return all(next(found, None) is not None for _ in range(count))


def _found(kind: str, confidence: int, **facts: int) -> Judgement:
    return Judgement(value=kind, confidence=confidence, facts={name: str(number) for name, number in facts.items()})


# Tables with a heading


def _by_columns(kind: str, shape: table.Columns) -> Validator:
    """A validator of tables: enough headings near the anchor, enough rows after it."""
    columns, row = _whole_words(shape.columns), re.compile(shape.row)

    def validate(candidate: Candidate) -> Judgement | None:
        if not first_of_run(candidate, _HEADING):
            return None
        seen = _seen(columns, about(candidate, _HEADING, _HEADING), shape.least)
        if seen < shape.least or not _at_least(row, flat(candidate.text[candidate.end : candidate.end + _ROWS]), shape.rows):
            return None
        return _found(kind, min(99, 75 + 4 * (seen - shape.least)), columns=seen)

    return validate


# Financial statements


_TITLES = _anywhere(table.STATEMENT_TITLES)
_AMOUNT = re.compile(table.AMOUNT)
_LINES = tuple(
    Concept(re.compile(rf"(?:{line})(?!\w)[^\d\n]{{0,40}}\n?[ \t|]{{0,8}}{table.AMOUNT}"), "") for line in table.STATEMENT_LINES
)
"""A line of a statement with its figure; the figure may stand on the next line, as PDF shows narrow cells."""
FIGURE = re.compile(r"\d(?:\d{0,2}(?:,\d{3})+(?:\.\d+)?|\d{0,11}\.\d{1,2}|\d{2,11})(?![\w.]|[-/年]\d|[年月日号条款页章])")
"""table.AMOUNT from its first digit on, found much faster: a text without it, such as a statute, has no line of a statement."""
_TOTAL_LINES = 8
_TITLED_LINES = 5


_DISCLOSED = re.compile(table.DISCLOSED)


def financial_statement(candidate: Candidate) -> Judgement | None:
    """Lines of a balance sheet, an income statement or a cash flow statement with their figures, under its title;
    without one, more lines are asked. A listed company's report in the form prescribed for publication is none: whether it is
    out yet no text says, so its draft is declared."""
    if not first_of_run(candidate, _ROWS):
        return None
    window = about(candidate, _ROWS // 2, 2 * _ROWS)
    if _DISCLOSED.search(window):
        return None
    titles = _seen(_TITLES, window, 0)
    least = _TITLED_LINES if titles else _TOTAL_LINES
    if not FIGURE.search(window) or (lines := _seen(_LINES, window, least)) < least:
        return None
    return _found("statement", min(99, 76 + 2 * lines + 3 * titles), lines=lines, titles=titles)


_BUDGET = _whole_words(table.BUDGET_WORDS)
_FIGURES_ROW = re.compile(rf"(?:{table.AMOUNT})[^\n\w]{{1,12}}(?:{table.AMOUNT})")


def budget_report(candidate: Candidate) -> Judgement | None:
    """A table that sets budgeted beside actual or planned figures: three of its headings and four rows of two figures."""
    if not first_of_run(candidate, _HEADING):
        return None
    seen = _seen(_BUDGET, about(candidate, 100, _HEADING), 4)
    if seen < 4 or not _at_least(_FIGURES_ROW, flat(candidate.text[candidate.end : candidate.end + _ROWS]), 4):
        return None
    return _found("budget", min(99, 70 + 4 * seen), columns=seen)


# Personnel files


_RECORD, _REVIEW = _whole_words(table.RECORD_WORDS), _whole_words(table.REVIEW_WORDS)
_PERSON = re.compile(table.PERSON)
_BLANK_VALUE = r"(?:[ \t]*[:：|][ \t]*|[ \t]+)(?![_ \t\n.…—-])"
_NAMED = re.compile(
    rf"(?:姓\s?名|被考核人|被评估人|被评价人|employee name|employee|full name|name){_BLANK_VALUE}(?!性别|部门|岗位)\w{{2}}"
)
"""A form whose name has been filled in; an empty template is nobody's file."""


def personnel_record(candidate: Candidate) -> Judgement | None:
    """A filled form about one person: seven of its fields, a name, and a date or a number of theirs."""
    if not first_of_run(candidate, _ROWS):
        return None
    window = about(candidate, 200, _ROWS)
    seen = _seen(_RECORD, window, 6)
    if seen < 6 or not _NAMED.search(window) or not _PERSON.search(window):
        return None
    return _found("record", min(99, 72 + 3 * seen), fields=seen)


def performance_review(candidate: Candidate) -> Judgement | None:
    """A filled appraisal: five of its fields, a name, and figures."""
    if not first_of_run(candidate, _ROWS):
        return None
    window = about(candidate, 600, _ROWS)
    seen = _seen(_REVIEW, window, 5)
    if seen < 5 or not _NAMED.search(window) or not _at_least(_SCORE, window, 4):
        return None
    return _found("review", min(99, 70 + 4 * seen), fields=seen)


_SCORE = re.compile(r"(?<![\w.])\d{1,3}(?:\.\d)?(?:%|分)?(?![\w.])")


# Contracts


_CLAUSES_ZH, _CLAUSES_EN = _anywhere(table.CONTRACT_WORDS_ZH), _anywhere(table.CONTRACT_WORDS_EN)
_BEFORE_PARTIES, _CONTRACT = 1500, 20_000
"""Characters before and after the naming of a party in which the clauses of its contract are looked for."""
_NAME_ZH = r"(?:\([^)\n]{0,20}\))?[ \t]*[:|\t][ \t|]*+(?:\([^)\n]{0,20}\)[ \t]*+)?(?!\w{1,6}[:(])[^\W_][\w·()&. ]{1,59}"
_PARTIES = tuple((re.compile(rf"{one}{_NAME_ZH}"), re.compile(rf"{other}{_NAME_ZH}")) for one, other in table.PARTIES_ZH)
_OPEN = re.compile(table.OPEN_LICENCE)


def contract_zh(candidate: Candidate) -> Judgement | None:
    """A Chinese contract between named parties: both names filled in, and five of its clauses."""
    if not first_of_run(candidate, _BEFORE_PARTIES):
        return None
    window = about(candidate, _BEFORE_PARTIES, _CONTRACT)
    clauses = _seen(_CLAUSES_ZH, window, 5)
    if clauses < 5 or not any(one.search(window) and other.search(window) for one, other in _PARTIES):
        return None
    return _found("contract", min(99, 72 + 3 * clauses), clauses=clauses)


_COMPANY = re.compile(r"\b(?:inc|llc|l\.l\.c|ltd|limited|corp|corporation|gmbh|plc|company|s\.a|b\.v|pty|co)\b")
_SIGNED = re.compile(r"in witness whereof|(?:^|\n)\s*by:.{0,80}\n(?:.{0,80}\n){0,3}\s*(?:name|title):")
_TEMPLATE = re.compile(r"_{4,}|\[(?:company|name|party|insert|client|date)[^\]]{0,40}\]|<(?:company|name|party)[^>]{0,40}>|\{\{")


def contract_en(candidate: Candidate) -> Judgement | None:
    """An English contract between named companies: seven of its clauses, and a place where it is signed."""
    if not first_of_run(candidate, _BEFORE_PARTIES):
        return None
    parties = about(candidate, 120, 300)
    if not _COMPANY.search(parties) or _TEMPLATE.search(parties):
        return None
    window = about(candidate, _BEFORE_PARTIES, 2 * _CONTRACT)
    clauses = _seen(_CLAUSES_EN, window, 7)
    if clauses < 7 or not _SIGNED.search(window) or _OPEN.search(window[: 2 * _BEFORE_PARTIES]):
        return None
    return _found("contract", min(99, 65 + 3 * clauses), clauses=clauses)


# Minutes


_MINUTES = _anywhere(table.MINUTES_WORDS)


def meeting_minutes(candidate: Candidate) -> Judgement | None:
    """Minutes under their title: five of their fields, with who was there."""
    if not first_of_run(candidate, _ROWS):
        return None
    window = about(candidate, 100, _ROWS)
    seen = _seen(_MINUTES, window, 5)
    return _found("minutes", min(99, 66 + 4 * seen), fields=seen) if seen >= 5 else None


_KINDS: Mapping[str, Callable[[Candidate], Judgement | None]] = {
    "payroll_table": _by_columns("payroll", table.PAYROLL),
    "employee_roster": _by_columns("roster", table.ROSTER),
    "customer_table": _by_columns("customers", table.CUSTOMERS),
    "bill_of_materials": _by_columns("bom", table.BOM),
    "financial_statement": financial_statement,
    "budget_report": budget_report,
    "personnel_record": personnel_record,
    "performance_review": performance_review,
    "contract_zh": contract_zh,
    "contract_en": contract_en,
    "meeting_minutes": meeting_minutes,
}

CONTENT_VALIDATORS: Mapping[str, Validator] = MappingProxyType(
    {**_KINDS, **CODE_VALIDATORS, **BUSINESS_VALIDATORS, **TECHNICAL_VALIDATORS}
)
"""Validators by the name that a signature's meta gives."""
