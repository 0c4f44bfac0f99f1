"""A passage that still shows what a signature finds, and no longer what it said: for near misses made of real documents.

What is replaced keeps its shape: a digit stays a digit of its script, a small letter a small letter, a date a date, a Chinese
character a Chinese character, and every length. Each replacement is tried on the detector and stands only if the signature
still fires, so that what the finding hangs on (the word 机密, the issuer of a card) is what remains. Nothing of what replaces
depends on what was replaced, but that the first six characters of a number may stay: a region or an issuer is not the number.
"""

import random
import re
import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta

LONGEST = 448
"""Characters of a passage at the most."""
_RUN = re.compile(r"\d+(?:[ -]\d+)+|[A-Za-z\d_@.+/-]+|[^\W\d_]")
"""A number in groups; a run of letters, digits and what stands in an address; any other letter by itself."""
_DATE = re.compile(r"(?:19|20)\d\d(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])", re.ASCII)
_NUMBER = 4
"""Digits from which on a run counts as a number that names something."""
_TRIES = {True: 400, False: 12}
"""For a number, of which a check digit may refuse ten of eleven, and for anything else with a digit in it."""
_MOST = 4000
"""Questions to the detector about one passage."""
_ISSUER = 6


@dataclass(frozen=True, slots=True)
class Disguised:
    """The passage, and how many numbers and addresses stand in it as they were, since the finding hangs on each."""

    text: str
    kept: int


def disguised(text: str, fires: Callable[[str], bool], *, words: bool) -> Disguised:
    """`text` with its numbers and addresses replaced, and with `words` its words, as far as it `fires` all the same."""
    spans = [found.span() for found in _RUN.finditer(text)]
    named = [span for span in spans if _names(text[slice(*span)])]
    attempt, kept = _Attempt(text, fires), 0
    for start, end in named:
        kept += not attempt.replace(start, end, _numbers(text[start:end])) and _tells(text[start:end])
    if words:
        for start, end in spans:
            if (start, end) not in named:
                attempt.replace(start, end, iter([_filler(text[start:end])]))
    return Disguised(attempt.text, kept)


class _Attempt:
    """The passage as it becomes."""

    def __init__(self, text: str, fires: Callable[[str], bool]) -> None:
        self.text = text
        self._fires = fires
        self._left = _MOST

    def replace(self, start: int, end: int, candidates: Iterator[str]) -> bool:
        """Take the first candidate that fires; whether one did."""
        for candidate in candidates:
            if self._left == 0:
                return False
            self._left -= 1
            changed = self.text[:start] + candidate + self.text[end:]
            if self._fires(changed):
                self.text = changed
                return True
        return False


def _names(run: str) -> bool:
    return "@" in run or any(letter.isdecimal() for letter in run)


def _tells(run: str) -> bool:
    return "@" in run or sum(letter.isdecimal() for letter in run) >= _NUMBER


def _numbers(run: str) -> Iterator[str]:
    """Runs of the same shape, every second with the first six characters of this one."""
    source = random.Random(len(run))  # noqa: S311 - no secret: it must not depend on what is replaced
    for number in range(_TRIES[_tells(run)]):
        made = _redated(run, "".join(_like(letter, source) for letter in run), source)
        kept = _ISSUER if number % 2 and len(run) > 2 * _ISSUER and "@" not in run else 0
        yield run[:kept] + made[kept:]


def _redated(run: str, made: str, source: random.Random) -> str:
    """`made` with a date wherever `run` has one."""
    for found in _DATE.finditer(run):
        day = date(1950, 1, 1) + timedelta(days=source.randrange(18_000))
        made = made[: found.start()] + f"{day:%Y%m%d}" + made[found.end() :]
    return made


def _like(letter: str, source: random.Random) -> str:
    """Another of its kind; signs stay."""
    if letter.isdecimal():
        return chr(ord(letter) - unicodedata.decimal(letter) + source.randrange(10))
    if letter.isascii() and letter.isalpha():
        return source.choice("ABCDEFGHJKMNPQRSTUWXYZ" if letter.isupper() else "abcdefghjkmnpqrstuwxyz")
    return letter


def _filler(run: str) -> str:
    """x for every letter of a word, 某 for a character."""
    return "".join(_blank(letter) if letter.isalpha() else letter for letter in run)


def _blank(letter: str) -> str:
    if unicodedata.east_asian_width(letter) in "WF":
        return "某"
    return "X" if letter.isupper() else "x"
