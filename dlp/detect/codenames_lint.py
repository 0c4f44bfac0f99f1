"""Codes that can be guessed: what a code tells of the name behind it, or of the code that comes next."""

import math
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from dlp.detect.codenames import letters, too_short, words

SHORTEST = 5
"""Letters and digits a code should have."""
LEAST_BITS = 10.0
"""Bits that the characters of a code should have together, by how often each of them stands in it."""
_SHARED_LATIN, _SHARED_HAN = 3, 2
"""Characters in a row that a code and its name share by no accident."""
_RUN = 3
_NUMBERED = re.compile(r"(.*?)([0-9]{1,9})([^0-9]*)\Z", re.DOTALL)

_INITIALS = (
    ("a", 0xB0A1),
    ("b", 0xB0C5),
    ("c", 0xB2C1),
    ("d", 0xB4EE),
    ("e", 0xB6EA),
    ("f", 0xB7A2),
    ("g", 0xB8C1),
    ("h", 0xB9FE),
    ("j", 0xBBF7),
    ("k", 0xBFA6),
    ("l", 0xC0AC),
    ("m", 0xC2E8),
    ("n", 0xC4C3),
    ("o", 0xC5B6),
    ("p", 0xC5BE),
    ("q", 0xC6DA),
    ("r", 0xC8BB),
    ("s", 0xC8F6),
    ("t", 0xCBFA),
    ("w", 0xCDDA),
    ("x", 0xCEF4),
    ("y", 0xD1B9),
    ("z", 0xD4D1),
)
"""The 3,755 commonest Chinese characters stand in GB 2312-80 by their pinyin: with which code each initial begins."""
_LAST = 0xD7F9


@dataclass(frozen=True, slots=True)
class Weakness:
    """What is wrong with the pair of that number, from 1: a word, and a sentence that tells nothing of the name."""

    number: int
    kind: str
    what: str


def weaknesses(pairs: Sequence[Sequence[str]], public: Sequence[str] = ()) -> Iterator[Weakness]:
    """All that is found, pair by pair. `public` are the public terms."""
    known = {letters(term) for term in public}
    codes = [letters(code) for _, code in pairs]
    counted = Counter(codes)
    names: dict[str, set[str]] = {}
    for (real, _), code in zip(pairs, codes, strict=True):
        names.setdefault(code, set()).add(letters(real))
    sequence = _in_sequence(counted)
    for number, ((real, _), code) in enumerate(zip(pairs, codes, strict=True), start=1):
        if too_short(real):
            yield Weakness(number, "short-name", "the real name is so short that it will be found where it is not meant")
        if not code:
            continue
        if len(names[code]) > 1:
            yield Weakness(number, "shared", "the code stands for more than one name")
        if code in known:
            yield Weakness(number, "public", "the code is a public term")
        if code in sequence:
            yield Weakness(number, "sequence", "the code is one of a sequence: who knows one guesses the next")
        yield from (Weakness(number, *found) for found in _of_one(real, code))


def _of_one(real: str, code: str) -> Iterator[tuple[str, str]]:
    if len(code) < SHORTEST:
        yield "short", f"the code has fewer than {SHORTEST} letters and digits"
    if _bits(code) < LEAST_BITS or _run(code):
        yield "pattern", "the code repeats itself, or is a run such as abc or 123"
    if _shares(letters(real), code):
        yield "contains", "the code and the real name share a part"
    elif _abbreviates(real, code):
        yield "initials", "the code has the initials of the real name, or of its pinyin"


def _in_sequence(codes: Counter[str]) -> set[str]:
    """Codes that differ from their neighbours in a number, and by equal steps: three or more, or two in a row."""
    groups: dict[tuple[str, str], dict[int, str]] = {}
    for code in codes:
        match = _NUMBERED.fullmatch(code)
        if match is not None:
            groups.setdefault((match[1], match[3]), {})[int(match[2])] = code
        elif code:
            groups.setdefault((code[:-1], ""), {})[ord(code[-1])] = code
    return {code for group in groups.values() for code in _steps(group)}


def _steps(group: dict[int, str]) -> Iterator[str]:
    numbers = sorted(group)
    even = len(numbers) >= _RUN and len({after - before for before, after in pairwise(numbers)}) == 1
    for number in numbers:
        if even or number - 1 in group or number + 1 in group:
            yield group[number]


def _bits(code: str) -> float:
    counts = Counter(code)
    return -sum(count * math.log2(count / len(code)) for count in counts.values())


def _run(code: str) -> bool:
    """Whether each character follows the one before, up or down."""
    steps = {ord(after) - ord(before) for before, after in pairwise(code)}
    return len(code) >= _RUN and steps in ({1}, {-1}, {0})


def _shares(real: str, code: str) -> bool:
    for size in (_SHARED_LATIN, _SHARED_HAN):
        parts = {code[at : at + size] for at in range(len(code) - size + 1)}
        if any(part in real for part in parts if size == _SHARED_LATIN or not part.isascii()):
            return True
    return False


def _abbreviates(real: str, code: str) -> bool:
    """Whether the letters of the code, two or more, begin with the initials of the name's characters or words, or end so."""
    plain = "".join(filter(str.isalpha, code))
    for initials in (_pinyin(real), "".join(word[0] for word in words(real) if word[0].isalpha())):
        if len(initials) > 1 and len(plain) > 1 and (initials in plain or plain in initials):
            return True
    return False


def _pinyin(name: str) -> str:
    """The initials of the name's Chinese characters, where they are known, and its Latin words' first letters."""
    return "".join("".join(map(_initial, word)) if not word.isascii() else word[0] for word in words(name) if word[0].isalpha())


def _initial(character: str) -> str:
    try:
        code = int.from_bytes(character.encode("gb2312"), "big")
    except UnicodeEncodeError:
        return ""
    return next((letter for letter, first in reversed(_INITIALS) if first <= code <= _LAST), "")
