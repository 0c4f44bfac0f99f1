"""Passwords to try on what is encrypted: the operator's, and words of the messages that carry it.

People send the password in the message beside the archive, or in the next one. A password is content: it is in
no log, trail or detail; a trail only says that one was found (`OPENED`).
"""

import re
from collections.abc import Callable, Iterable
from typing import TypeVar

OPENED = "(password found)"
"""The step of a trail below which everything was encrypted and has been opened."""
TRIES = 200
"""Attempts on one document at the most; a format whose attempt is slow tries fewer."""
MOST = 1_000
"""Candidates kept."""
_LONGEST = 64
LEARNED = 1 << 16
"""Characters of one text that are searched."""
# What stands after a word for "password" first, then what mixes kinds of characters as passwords do.
_NAMED = re.compile(
    r"(?i)(?:密\s?码|口\s?令|解压码|提取码|pass\s?(?:word|code|phrase)|passwd|pwd|\bpw|\bpin|\bkey)\s{0,5}"
    r"(?:is|are|为|是|：|:|=|→|->|-|\s){1,6}\s{0,5}[\"'“‘「【\[(（<]{0,2}([^\s\"'”’」】\])）>，。；、]{1,64})"
)
_WORD = re.compile(r"[\x21-\x7e]{4,64}")
_ORDINARY = re.compile(r"[\w.+-]+@[\w.-]+|[a-zA-Z'-]+|[\d.,:/-]+")
_EDGES = ".,;:!?()[]{}<>\"'"

_Opened = TypeVar("_Opened")


class Passwords:
    """Candidates in the order in which they are tried: the given, those called a password, those that look like one."""

    def __init__(self, given: Iterable[str] = ()) -> None:
        self._given = list(dict.fromkeys(given))
        self._named: dict[str, None] = {}
        self._likely: dict[str, None] = {}

    def learn(self, text: str) -> None:
        """Take up the words of a text, such as a message's subject or body, that may be passwords."""
        text = text[:LEARNED]
        for match in _NAMED.finditer(text):
            self._keep(self._named, match.group(1))
            self._keep(self._named, match.group(1).rstrip(_EDGES))
        for match in _WORD.finditer(text):
            word = match.group()
            for candidate in (word, word.strip(_EDGES)):
                if _looks_like_one(candidate):
                    self._keep(self._likely, candidate)

    @property
    def learned(self) -> tuple[str, ...]:
        """What the texts gave, the named ones first, for later messages of the same sender."""
        return tuple(dict.fromkeys((*self._named, *self._likely)))

    @property
    def candidates(self) -> tuple[str, ...]:
        """All of them, in order, each once."""
        return tuple(dict.fromkeys((*self._given, *self._named, *self._likely)))

    def opened(self, attempt: Callable[[str], _Opened | None], *, tries: int = TRIES) -> _Opened | None:
        """The first result of `attempt` that is not None; None where no candidate opens it within `tries`."""
        for candidate in self.candidates[:tries]:
            result = attempt(candidate)
            if result is not None:
                return result
        return None

    def _keep(self, kind: dict[str, None], candidate: str) -> None:
        if candidate and len(candidate) <= _LONGEST and len(kind) < MOST:
            kind.setdefault(candidate)


def _looks_like_one(word: str) -> bool:
    """Two kinds of characters among letters, digits and signs, as in `Q3-2024!`; not an address, a number or a date."""
    if not 4 <= len(word) <= _LONGEST or "://" in word:
        return False
    letters = any(char.isalpha() for char in word)
    digits = any(char.isdigit() for char in word)
    signs = any(not char.isalnum() for char in word)
    return (letters and digits) or (signs and (letters or digits) and not _ORDINARY.fullmatch(word))
