"""The day of a document: where it stands in the text, in Chinese and in English.

成文日期 is below the signature (GB/T 9704-2012 section 7.3.5.4): the last line that is nothing but a date, perhaps with the
name of who signs. Before that comes a date which says what it is (成文日期：, Date:), and after it one near the top.
"""

import re
from collections.abc import Iterator
from datetime import date

from dlp.detect.markings_fold import fold
from dlp.detect.markings_term import day_of, number_of

_REACH = 3000
"""Characters at the beginning and at the end of a text that are looked at."""
_LINE = 60
"""Characters of a line that can be a date and a signature."""
_HAN = "零〇○o一二三四五六七八九十"
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_MONTH = rf"(?P<word>{'|'.join(_MONTHS)})[a-z]{{0,6}}\.?"
_FORMS = tuple(
    re.compile(form)
    for form in (
        r"(?<!\d)(?P<year>(?:19|20)\d\d)(?P<month>0\d|1[0-2])(?P<day>[0-3]\d)(?!\d)",
        r"(?<!\d)(?P<year>(?:19|20)\d\d)\s?[年./-]\s?(?P<month>\d{1,2})\s?[月./-]\s?(?P<day>\d{1,2})(?!\d)日?",
        rf"(?P<hyear>[二一][{_HAN}]{{3}})年(?P<hmonth>[{_HAN}]{{1,2}})月(?P<hday>[{_HAN}]{{1,3}})日",
        rf"(?<!\d)(?P<day>\d{{1,2}})(?:st|nd|rd|th)? {_MONTH},? (?P<year>(?:19|20)\d\d)(?!\d)",
        rf"(?<![a-z]){_MONTH} (?P<day>\d{{1,2}})(?:st|nd|rd|th)?,? (?P<year>(?:19|20)\d\d)(?!\d)",
    )
)
_NAMED = re.compile(
    r"(?:(?:成文|发文|签发|印发|编制|发布|制发|定密)(?:日期|时间)|(?<!\w)日期"
    r"|(?<!\w)(?:date of issue|issue date|issued(?: on)?|dated?)(?!\w))"
    r"\s?[:：|]?\s?"
)
_BESIDE = re.compile(r"[\w\s.,:()&·|/-]{0,24}")


def date_in(text: str) -> date | None:
    """The first date in a line, in any form."""
    found = _first(fold(text))
    return found[1] if found else None


def own_date(text: str) -> date | None:
    """The day of the document whose text this is, or None where it does not say."""
    head, tail = text[:_REACH], text[max(_REACH, len(text) - _REACH) :]
    lines = [fold(line).strip() for line in re.split(r"[\n\r]+", f"{head}\n{tail}") if len(line) <= 2 * _LINE]
    return next(_named(lines), None) or next(_alone(reversed(lines)), None)


def _named(lines: list[str]) -> Iterator[date]:
    for line in lines:
        named = _NAMED.search(line)
        found = _first(line[named.end() : named.end() + _LINE]) if named else None
        if found and found[0] <= 2:
            yield found[1]


def _alone(lines: Iterator[str]) -> Iterator[date]:
    """Of the lines that hold a date, those in which little stands before it and nothing but 印发 or a place after."""
    for line in lines:
        found = _first(line) if len(line) <= _LINE else None
        if found and _BESIDE.fullmatch(line[: found[0]]) and len(line) - found[2] <= 6:
            yield found[1]


def _first(line: str) -> tuple[int, date, int] | None:
    """Where the first date begins, the date, where it ends."""
    found = [made for form in _FORMS for match in form.finditer(line) if (made := _made(match))]
    return min(found, default=None)


def _made(match: re.Match[str]) -> tuple[int, date, int] | None:
    part = match.groupdict()
    if "hyear" in part:
        year, month, day = "".join(str(_digit(one)) for one in part["hyear"]), number_of(part["hmonth"]), number_of(part["hday"])
        made = day_of(year, str(month), str(day))
    else:
        word = part.get("word")
        made = day_of(part["year"], str(_MONTHS.index(word) + 1) if word else part["month"], part["day"])
    return (match.start(), made, match.end()) if made else None


def _digit(character: str) -> int:
    return 0 if character in "零〇○o" else "零一二三四五六七八九".find(character) % 10
