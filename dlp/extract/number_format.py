"""A stored number and its format code into what a spreadsheet displays (ECMA-376 part 1, 18.8.30 and 18.8.31).

Excel stores a date as days since 1900 or 1904 and an account number as a double; what a person reads is made by a
format code. A signature may know either form, so a cell gives what is displayed and, where that differs, the
stored digits in brackets behind it.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Context, Decimal
from functools import lru_cache
from math import isfinite
from typing import NamedTuple

from dlp.extract.date_format import Token, timed, units
from dlp.extract.numerals import NUMERALS, Numerals

GENERAL = "General"
LONGEST_CODE = 255
"""Characters of a format code (ECMA-376 part 1, 18.8.30 by way of Excel's limits); a longer one is not applied."""
_DECIMALS = 30
"""Decimals that Excel displays at the most."""
_SAFE = 16
"""Characters of a number up to which a double holds it to the last digit."""
_EXACT = Context(prec=400, rounding=ROUND_HALF_UP)
"""More digits than the largest double has."""
_MEMORY = 16_384
"""Displayed numbers remembered per workbook: dates and prices repeat down a column."""

# ECMA-376 part 1, 18.8.30: the codes that are not written down in a file, with those that Chinese Excel has for 27 to 58.
BUILT_IN = {
    0: GENERAL,
    1: "0",
    2: "0.00",
    3: "#,##0",
    4: "#,##0.00",
    5: '"¥"#,##0;-"¥"#,##0',
    6: '"¥"#,##0;-"¥"#,##0',
    7: '"¥"#,##0.00;-"¥"#,##0.00',
    8: '"¥"#,##0.00;-"¥"#,##0.00',
    9: "0%",
    10: "0.00%",
    11: "0.00E+00",
    14: "yyyy/m/d",
    15: "d-mmm-yy",
    16: "d-mmm",
    17: "mmm-yy",
    18: "h:mm AM/PM",
    19: "h:mm:ss AM/PM",
    20: "h:mm",
    21: "h:mm:ss",
    22: "yyyy/m/d h:mm",
    27: 'yyyy"年"m"月"',
    28: 'm"月"d"日"',
    29: 'm"月"d"日"',
    30: "m-d-yy",
    31: 'yyyy"年"m"月"d"日"',
    32: 'h"时"mm"分"',
    33: 'h"时"mm"分"ss"秒"',
    34: '上午/下午h"时"mm"分"',
    35: '上午/下午h"时"mm"分"ss"秒"',
    36: 'yyyy"年"m"月"',
    37: "#,##0;-#,##0",
    38: "#,##0;-#,##0",
    39: "#,##0.00;-#,##0.00",
    40: "#,##0.00;-#,##0.00",
    41: "#,##0;-#,##0;-",
    42: '"¥"#,##0;-"¥"#,##0;"¥"-',
    43: "#,##0.00;-#,##0.00;-",
    44: '"¥"#,##0.00;-"¥"#,##0.00;"¥"-',
    45: "mm:ss",
    46: "[h]:mm:ss",
    47: "mm:ss.0",
    48: "##0.0E+0",
    49: "@",
    50: 'yyyy"年"m"月"',
    51: 'm"月"d"日"',
    52: 'yyyy"年"m"月"',
    53: 'm"月"d"日"',
    54: 'm"月"d"日"',
    55: '上午/下午h"时"mm"分"',
    56: '上午/下午h"时"mm"分"ss"秒"',
    57: 'yyyy"年"m"月"',
    58: 'm"月"d"日"',
}

_TOKEN = re.compile(
    r"""(?xs)
    "(?P<quoted>[^"]*)"? | [\\!](?P<escaped>.) | _(?P<space>.) | \*(?P<fill>.) | \[(?P<bracket>[^\]]*)\]
    | (?P<noon>AM/PM|am/pm|A/P|a/p|上午/下午) | (?P<general>[Gg]eneral|G/通用格式)
    | (?P<exponent>(?<=[0#?])[Ee][+-]) | (?P<date>[yY]+|[mM]+|[dD]+|[hH]+|[sS]+|[aA]{3,4}|[eE]+) | (?P<era>[gG]+|[bB]+)
    | (?P<digit>[0#?]) | (?P<point>\.) | (?P<comma>,) | (?P<percent>%) | (?P<end>;) | (?P<text>@) | (?P<other>.)
    """
)
_CONDITION = re.compile(r"(<=|>=|<>|<|>|=)(-?\d{1,15}(?:\.\d{1,15})?)$")
_CURRENCY = re.compile(r"\$([^-]*)")
_ELAPSED = re.compile(r"(?i)h+$|m+$|s+$")
_COMPARED = {
    "<": lambda a, b: a < b,
    ">": lambda a, b: a > b,
    "=": lambda a, b: a == b,
    "<=": lambda a, b: a <= b,
    ">=": lambda a, b: a >= b,
    "<>": lambda a, b: a != b,
}


def written(value: float) -> str:
    """The digits of a stored number, all of them and without an exponent: 6222835865055785000, not 6.2E+18."""
    text = repr(value)
    if "e" in text:
        return format(Decimal(text), "f")
    return text[:-2] if text.endswith(".0") else text


class _Plain(NamedTuple):
    """A number without places of its own for its digits: words before and behind, Python's format, the last decimal's worth."""

    before: str
    form: str
    behind: str
    step: Decimal
    percent: bool


@dataclass(frozen=True, slots=True)
class _Section:
    """One of the up to four parts of a code. `kind` is general, date, number, text or literal."""

    tokens: tuple[Token, ...]
    kind: str
    condition: tuple[str, float] | None
    numerals: Numerals | None
    plain: _Plain | None = None


@dataclass(frozen=True, slots=True)
class NumberFormat:
    """A format code taken apart."""

    sections: tuple[_Section, ...]

    @property
    def plain(self) -> _Plain | None:
        """The way of all numbers alike, if there is one."""
        only = self.sections[0]
        return only.plain if len(self.sections) == 1 and only.numerals is None and only.condition is None else None

    @property
    def for_text(self) -> bool:
        """Whether it says how texts are shown."""
        return self.sections[-1].kind == "text"

    def text(self, text: str) -> str:
        """What is displayed for a text; the text itself unless the code says how texts are shown."""
        if not self.for_text:
            return text
        return "".join(text if kind == "text" else more for kind, more in self.sections[-1].tokens).strip()

    def number(self, value: float, *, from_1904: bool = False) -> str:
        """What is displayed for `value`, "" where that is nothing or what Excel shows as a row of #."""
        if not isfinite(value):
            return ""
        section, signed = (self.sections[0], True) if len(self.sections) == 1 else self._chosen(value)
        return self._shown(section, value if signed else abs(value), from_1904=from_1904).strip()

    def _shown(self, section: _Section, value: float, *, from_1904: bool) -> str:
        numerals = section.numerals
        match section.kind:
            case "date":
                return timed(section.tokens, value, from_1904=from_1904, numerals=numerals)
            case "number":
                shown = _digits(section.tokens, value) if section.plain is None else _plainly(section.plain, value, repr(value))
                return numerals.digits(shown) if numerals else shown
            case "general":
                shown = numerals.number(written(value)) if numerals else written(value)
                return "".join(shown if kind == "general" else text for kind, text in section.tokens)
            case "literal":
                return ("-" if value < 0 and section.tokens else "") + "".join(text for _, text in section.tokens)
        return ""

    def _chosen(self, value: float) -> tuple[_Section, bool]:
        """The section for a number, and whether it shows the sign itself (18.8.31: a second section does not)."""
        numeric = [section for section in self.sections if section.kind != "text"] or list(self.sections)
        for place, section in enumerate(numeric):
            if section.condition is not None:
                sign, limit = section.condition
                if _COMPARED[sign](value, limit):
                    return section, place == 0 and value < 0
        if any(section.condition for section in numeric):
            return next((section for section in numeric if section.condition is None), numeric[-1]), True
        if value < 0 and len(numeric) > 1:
            return numeric[1], False
        if value == 0 and len(numeric) > 2:
            return numeric[2], False
        return numeric[0], True


class CellFormats:
    """The formats of one workbook's cells: `codes` by their numbers, `styles` the number of each cell style's code."""

    def __init__(self) -> None:
        self.codes: dict[int, str] = {}
        self.styles: list[int] = []
        self.from_1904 = False
        self._formats: dict[int, NumberFormat | None] = {}
        self._known: dict[tuple[int, float], str] = {}

    def number(self, style: int, value: float, stored: str) -> str:
        """A cell's number as displayed, then `stored`, its digits, in brackets where they differ."""
        chosen = self._formats[style] if style in self._formats else self._format(style)
        if chosen is None:
            return stored
        known = self._known.get((style, value))
        if known is None:
            plain = chosen.plain
            if plain is None or not isfinite(value):
                known = _both(chosen.number(value, from_1904=self.from_1904), stored)
            else:
                known = _both(_plainly(plain, value, stored).strip(), stored)
            if len(self._known) < _MEMORY:
                self._known[style, value] = known
        return known

    def word(self, style: int, text: str) -> str:
        """A cell's text as displayed, then the text itself in brackets where they differ."""
        chosen = self._formats[style] if style in self._formats else self._format(style)
        return text if chosen is None or not chosen.for_text else _both(chosen.text(text), text)

    def is_general(self, style: int) -> bool:
        """Whether a style's cells show what is stored."""
        return self._format(style) is None

    @property
    def literals(self) -> list[str]:
        """The words in the workbook's own codes, which a cell displays whatever its value is."""
        found = (match.group("quoted") for code in self.codes.values() for match in _TOKEN.finditer(code))
        return [word for word in dict.fromkeys(found) if word and len(word) > 1]

    def _format(self, style: int) -> NumberFormat | None:
        number = self.styles[style] if 0 <= style < len(self.styles) else 0
        found = self._formats[style] = number_format(self.codes.get(number) or BUILT_IN.get(number, GENERAL))
        return found


def _both(shown: str, stored: str) -> str:
    return stored if not shown or shown == stored else f"{shown} ({stored})"


@lru_cache(maxsize=1024)
def number_format(code: str) -> NumberFormat | None:
    """The format that `code` describes; None for General and plain text, which show what is stored, and for one too long."""
    if len(code) > LONGEST_CODE or code in ("", GENERAL, "@", "general", "G/通用格式"):
        return None
    parts: list[list[Token]] = [[]]
    for match in _TOKEN.finditer(code):
        kind = match.lastgroup or "other"
        if kind == "end":
            parts.append([])
        else:
            parts[-1].append((kind, match.group(kind)))
    return NumberFormat(tuple(_section(part) for part in parts[:4]))


def _section(raw: Sequence[Token]) -> _Section:
    tokens: list[Token] = []
    condition: tuple[str, float] | None = None
    numerals: Numerals | None = None
    for kind, text in raw:
        if kind != "bracket":
            tokens += _token(kind, text)
        elif match := _CONDITION.match(text):
            condition = (match.group(1), float(match.group(2)))
        elif match := _CURRENCY.match(text):
            tokens.append(("literal", match.group(1)))
        elif _ELAPSED.match(text):
            tokens.append(("elapsed", text.lower()))
        else:
            numerals = NUMERALS.get(text.lower(), numerals)
    kinds = {kind for kind, _ in tokens}
    if kinds & {"date", "elapsed", "noon"}:
        return _Section(units(tokens), "date", condition, numerals)
    if "general" in kinds:
        return _Section(tuple(tokens), "general", condition, numerals)
    if "digit" in kinds:
        numeric = _numeric(tokens)
        return _Section(numeric, "number", condition, numerals, _simple(numeric))
    if "text" in kinds:
        return _Section(tuple(tokens), "text", condition, numerals)
    return _Section(tuple(("literal", text) for _, text in tokens), "literal", condition, numerals)


def _token(kind: str, text: str) -> list[Token]:
    """What a token outside brackets stands for; what fills a column's width and eras stand for nothing."""
    if kind in ("quoted", "escaped", "other"):
        return [("literal", text)]
    if kind == "space":
        return [("literal", " ")]
    if kind in ("fill", "era"):
        return []
    return [(kind, text.lower() if kind == "date" else text)]


def _numeric(tokens: list[Token]) -> tuple[Token, ...]:
    """The tokens of a number: `digit` before and `decimal` after the point, `thousands` or `scale` for its commas."""
    last = max(place for place, (kind, _) in enumerate(tokens) if kind == "digit")
    first = min(place for place, (kind, _) in enumerate(tokens) if kind == "digit")
    found: list[Token] = []
    stage = "digit"
    for place, (kind, text) in enumerate(tokens):
        if kind == "digit":
            found.append((stage, text))
        elif kind == "point" and stage == "digit":
            stage = "decimal"
            found.append((kind, text))
        elif kind == "exponent" and stage != "power":
            stage = "power"
            found.append((kind, text))
        elif kind == "comma" and place > first:
            found.append(("thousands" if place < last and stage == "digit" else "scale", ""))
        elif kind == "percent":
            found.append((kind, text))
        else:
            found.append(("literal", text))
    return tuple(found)


_SIMPLE = re.compile(r"(l*)((?:[dt]*)d)(p(f*))?(l*(%?)l*)")


def _simple(tokens: tuple[Token, ...]) -> _Plain | None:
    """How Python writes such a number, where it can: thousands or none, one digit or more, decimals that are all written."""
    letters = {"literal": "l", "digit": "d", "thousands": "t", "point": "p", "decimal": "f", "percent": "%"}
    match = _SIMPLE.fullmatch("".join(letters.get(kind, "x") for kind, _ in tokens))
    if match is None or any(text in "#?" for kind, text in tokens if kind == "decimal"):
        return None
    if "".join(text for kind, text in tokens if kind == "digit").strip("#") != "0":
        return None
    if any(kind == "literal" and text == "/" for kind, text in tokens):
        return None
    decimals = min(len(match.group(4) or ""), _DECIMALS)
    point = "." if match.group(3) and not decimals else ""
    return _Plain(
        before="".join(text for _, text in tokens[: match.end(1)]),
        form=f"{',' if 't' in match.group(2) else ''}.{decimals}f",
        behind=point + "".join(text for _, text in tokens[match.start(5) :]),
        step=Decimal(1).scaleb(-decimals),
        percent=bool(match.group(6)),
    )


def _plainly(plain: _Plain, value: float, digits: str) -> str:
    """A number in Python's way: by its bits where that rounds as its `digits` do, which leaves out halves and large ones."""
    if plain.percent or len(digits) > _SAFE or (digits[-1] == "5" and "." in digits):
        number = abs(Decimal(repr(value)))
        number = _EXACT.scaleb(number, 2) if plain.percent else number
        rounded = _EXACT.quantize(number, plain.step)
        sign = "-" if value < 0 and rounded else ""
        return f"{sign}{plain.before}{rounded:{plain.form}}{plain.behind}"
    sign = "-" if value < 0 and round(value, -int(plain.step.as_tuple().exponent)) else ""
    return f"{sign}{plain.before}{abs(value):{plain.form}}{plain.behind}"


def _digits(tokens: Sequence[Token], value: float) -> str:
    """A number by its placeholders; "" for a fraction, whose stored digits say the same."""
    kinds = [kind for kind, _ in tokens]
    if any(kind == "literal" and text == "/" for kind, text in tokens):
        return ""
    number = abs(Decimal(repr(value)))
    if "power" in kinds:
        return f"{value:.{min(kinds.count('decimal'), _DECIMALS)}E}"
    number = _EXACT.scaleb(number, 2 * kinds.count("percent") - 3 * kinds.count("scale"))
    decimals = min(kinds.count("decimal"), _DECIMALS)
    rounded = format(_EXACT.quantize(number, Decimal(1).scaleb(-decimals)), "f")
    whole, _, rest = rounded.partition(".")
    shown = _filled(tokens, whole.lstrip("0"), rest)
    return f"-{shown}" if value < 0 and rounded.strip("0.") else shown


def _filled(tokens: Sequence[Token], whole: str, rest: str) -> str:
    """The digits put into their places: `whole` from the right, what has no place before the first; `rest` from the left."""
    places = [place for place, (kind, _) in enumerate(tokens) if kind == "digit"]
    least = sum(1 for place in places if tokens[place][1] == "0")
    grouped = "thousands" in (kind for kind, _ in tokens)
    out = [text if kind not in ("digit", "decimal") else "" for kind, text in tokens]
    if grouped and places:
        out[places[0]] = format(int(whole.zfill(max(least, 1))), ",") if int(whole or "0") or least else ""
    else:
        for place in reversed(places):
            out[place] = whole[-1:] or {"0": "0", "?": " "}.get(tokens[place][1], "")
            whole = whole[:-1]
        if places:
            out[places[0]] = whole + out[places[0]]
    kept = len(rest.rstrip("0"))
    taken = 0
    for place, (kind, text) in enumerate(tokens):
        if kind == "decimal" and taken < len(rest):
            out[place] = rest[taken] if taken < kept or text == "0" else {"?": " "}.get(text, "")
            taken += 1
    return "".join(out)
