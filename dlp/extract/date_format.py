"""Dates and times as a spreadsheet displays them (ECMA-376 part 1, 18.8.31): a stored number is days since 1900 or 1904."""

from collections.abc import Sequence
from datetime import date, timedelta
from typing import NamedTuple

from dlp.extract.numerals import Numerals

_LAST_DAY = 2_958_465
"""31 December 9999 in the system of 1900, the last date that is displayed."""
_DAY = 86_400
_NOON = 43_200
_MONTHS = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)
_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_CHINESE_DAYS = "一二三四五六日"

Token = tuple[str, str]
"""One piece of a format code: what it is (`date`, `minute`, `elapsed`, `noon`, `digit`, `literal` …), and its text."""


class _Moment(NamedTuple):
    """`weekday` counts from Monday = 0; `clock` is seconds since midnight."""

    year: int
    month: int
    day: int
    weekday: int
    clock: int


def units(tokens: list[Token]) -> tuple[Token, ...]:
    """The tokens of a date: `m` beside hours or seconds is minutes; signs of numbers are literals."""
    places = [place for place, (kind, _) in enumerate(tokens) if kind in ("date", "elapsed")]
    found = list(tokens)
    for order, place in enumerate(places):
        kind, text = tokens[place]
        if kind == "date" and text[0] == "m" and len(text) <= 2:
            before = tokens[places[order - 1]][1][0] if order else ""
            after = tokens[places[order + 1]][1][0] if order + 1 < len(places) else ""
            if before == "h" or after == "s":
                found[place] = ("minute", text)
    return tuple(("literal", text) if kind in ("comma", "percent", "text", "exponent") else (kind, text) for kind, text in found)


def timed(tokens: Sequence[Token], value: float, *, from_1904: bool, numerals: Numerals | None = None) -> str:
    """A date or time; "" for what Excel shows as a row of #."""
    if not 0 <= value < _LAST_DAY + 1:
        return ""
    fractions = _fractions(tokens)
    scale = int(10**fractions)
    seconds, part = divmod(round(value * _DAY * scale), scale)
    days, clock = divmod(seconds, _DAY)
    moment = _Moment(*_calendar(days, from_1904=from_1904), clock)
    half = any(kind == "noon" for kind, _ in tokens)
    decimals = iter(str(part).zfill(fractions) if fractions else "")
    out: list[str] = []
    for kind, text in tokens:
        if kind == "noon":
            out.append(text.split("/")[clock >= _NOON])
        elif kind == "digit":
            out.append(next(decimals, ""))
        elif kind in ("date", "minute", "elapsed"):
            shown = _unit(text, moment, half=half) if kind == "date" else _count(text, seconds, minute=kind == "minute")
            out.append(_worded(shown, numerals, year=text[0] in "ye") if numerals else shown)
        else:
            out.append(text)
    return "".join(out)


def _fractions(tokens: Sequence[Token]) -> int:
    """Decimals of a second that are displayed."""
    for place, (kind, _) in enumerate(tokens):
        if kind == "point" and place + 1 < len(tokens) and tokens[place + 1][0] == "digit":
            return sum(1 for kind, _ in tokens[place + 1 : place + 4] if kind == "digit")
    return 0


def _calendar(days: int, *, from_1904: bool) -> tuple[int, int, int, int]:
    """Year, month, day and weekday. The system of 1900 has a 29 February 1900 ([MS-OI29500] 18.17.4.1)."""
    if from_1904:
        found = date(1904, 1, 1) + timedelta(min(days, _LAST_DAY - 1462))
    elif days == 60:
        return 1900, 2, 29, 2
    elif days == 0:
        return 1900, 1, 0, 5
    else:
        found = date(1899, 12, 30 if days > 60 else 31) + timedelta(min(days, _LAST_DAY))
    return found.year, found.month, found.day, found.weekday()


def _unit(text: str, moment: _Moment, *, half: bool) -> str:
    """A year, month, day, hour or second; `half` says that hours go to twelve."""
    size = len(text)
    match text[0]:
        case "y":
            return f"{moment.year % 100:02}" if size <= 2 else str(moment.year)
        case "e":
            return str(moment.year)
        case "m":
            name = _MONTHS[moment.month - 1]
            return (str(moment.month), f"{moment.month:02}", name[:3], name, name[0])[min(size, 5) - 1]
        case "d":
            name = _DAYS[moment.weekday]
            return (str(moment.day), f"{moment.day:02}", name[:3], name)[min(size, 4) - 1]
        case "a":
            return ("星期" if size > 3 else "") + _CHINESE_DAYS[moment.weekday]
        case "h":
            hour = moment.clock // 3600
            return str((hour - 1) % 12 + 1 if half else hour).zfill(min(size, 2))
    return str(moment.clock % 60).zfill(min(size, 2))


def _count(text: str, seconds: int, *, minute: bool) -> str:
    """The minutes of the hour, or all hours, minutes or seconds since the beginning."""
    number = seconds // 60 % 60 if minute else seconds // {"h": 3600, "m": 60, "s": 1}[text[0]]
    return str(number).zfill(len(text))


def _worded(shown: str, numerals: Numerals, *, year: bool) -> str:
    if not shown.isdecimal():
        return shown
    return numerals.digits(shown) if year else numerals.count(shown)
