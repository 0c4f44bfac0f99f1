"""How long a mark binds: its term as written, in one form, and the day on which it ends.

Forms of a term (保守国家秘密法实施条例 (2024): 保密期限, 解密时间 or 解密条件): a number of years, months, weeks or days from
the document's own date; a date; an event; or none, 长期.
"""

import calendar
import re
from dataclasses import dataclass
from datetime import date, timedelta

from dlp.detect.markings_fold import fold

_HAN = "零〇一二三四五六七八九十百两壹贰叁肆伍陆柒捌玖拾佰"
_FORMAL = str.maketrans("壹贰叁肆伍陆柒捌玖拾佰两〇", "一二三四五六七八九十百二零")
DATE = r"(?:19|20)\d\d[年./-]\d{1,2}[月./-](?:\d{1,2}日?)?|(?:19|20)\d\d年(?!\d)"
"""A date after a mark, folded: 2030年1月1日, 2030-01-01, 2030年."""
DURATION = rf"(?:\d{{1,3}}|[{_HAN}]{{1,4}})个?(?:年|月|周|天|日)|\d{{1,3}} ?(?:years?|months?|days?)"
"""A number of units of time, folded."""

_DATE = re.compile(r"(?P<year>(?:19|20)\d\d)[年./-](?:(?P<month>\d{1,2})(?:[月./-](?:(?P<day>\d{1,2})日?)?)?)?")
_DURATION = re.compile(rf"(?P<number>\d{{1,3}}|[{_HAN}]{{1,4}})个? ?(?P<unit>年|月|周|天|日|year|month|day)s?")
_UNITS = {"年": "year", "月": "month", "周": "week", "天": "day", "日": "day"}
_WRITTEN = {"year": "年", "month": "个月", "week": "周", "day": "天"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Term:
    """One of a number of units, the date on which it ends, an event, or no end at all."""

    number: int = 0
    unit: str = ""
    until: date | None = None
    event: str = ""

    def __str__(self) -> str:
        if self.until:
            return f"解密时间 {self.until.isoformat()}"
        if self.event:
            return f"条件 {self.event}"
        return f"{self.number}{_WRITTEN[self.unit]}" if self.unit else "长期"

    def reach(self, written: date) -> int:
        """For comparing: the day it is over for a document of that day, as an ordinal. What hangs on an event may last as
        long as it likes, and comes just before what has no end."""
        if self.event or not (self.until or self.unit):
            return date.max.toordinal() + (0 if self.event else 1)
        ends = self.ends(written)
        return date.max.toordinal() - 1 if ends is None else ends.toordinal()

    def ends(self, written: date | None) -> date | None:
        """The day on which it is over, for a document of the day `written`; None where that cannot be told."""
        if self.until:
            return self.until
        if not self.unit or written is None:
            return None
        if self.unit in {"week", "day"}:
            return written + timedelta(days=self.number * (7 if self.unit == "week" else 1))
        months = written.month - 1 + self.number * (12 if self.unit == "year" else 1)
        year, month = written.year + months // 12, months % 12 + 1
        if year > date.max.year:
            return None
        return date(year, month, min(written.day, calendar.monthrange(year, month)[1]))


def term_of(text: str, unlimited: re.Pattern[str]) -> Term:
    """`text` as a Term; it has matched one of the forms. What is neither date nor number nor `unlimited` is an event."""
    folded = fold(text)
    if (found := _DATE.match(folded)) and (until := day_of(found["year"], found["month"] or "12", found["day"])):
        return Term(until=until)
    if (found := _DURATION.match(folded)) and (number := number_of(found["number"])):
        return Term(number=number, unit=_UNITS.get(found["unit"], found["unit"]))
    return Term() if unlimited.fullmatch(folded) else Term(event=folded)


def day_of(year: str, month: str, day: str | None) -> date | None:
    """The date, the last of the month where no day is given; None where there is no such day."""
    try:
        last = calendar.monthrange(int(year), int(month))[1]
        return date(int(year), int(month), int(day) if day else last)
    except ValueError:
        return None


def number_of(text: str) -> int:
    """`text` as a number: digits, or Chinese ones up to 百; its characters are among those of DURATION."""
    if text.isdigit():
        return int(text)
    text = text.translate(_FORMAL)
    if not ("十" in text or "百" in text):
        return int("".join(str(_digit(character)) for character in text) or 0)
    total = pending = 0
    for character in text:
        if character in "十百":
            total += (pending or 1) * (10 if character == "十" else 100)
            pending = 0
        else:
            pending = _digit(character)
    return total + pending


def _digit(character: str) -> int:
    return "零一二三四五六七八九".find(character)


def parsed(written: str) -> Term:
    """The Term that `written`, a Term's str, came from."""
    if written.startswith("解密时间 "):
        return Term(until=date.fromisoformat(written.split(" ", 1)[1]))
    if written.startswith("条件 "):
        return Term(event=written.split(" ", 1)[1])
    if found := _DURATION.fullmatch(written):
        return Term(number=number_of(found["number"]), unit=_UNITS[found["unit"]])
    return Term()
