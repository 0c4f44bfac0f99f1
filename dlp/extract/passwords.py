"""Passwords to try on what is encrypted: the operator's, and words of the messages that carry it.

People send the password in the message beside the archive, or in the next one. A password is content: it is in
no log, trail or detail; a trail only says that one was found (`OPENED`).
"""

import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import TypeVar

OPENED = "(password found)"
"""The step of a trail below which everything was encrypted and has been opened."""
TRIES = 200
"""Attempts on one document at the most; a format whose attempt is slow tries fewer."""
MOST = 1_000
"""Candidates kept."""
_LONGEST = 64
NAMED = 12
"""Candidates that the item itself calls passwords and that come before the given: a slow format tries no more than a few."""
LEARNED = 1 << 16
"""Characters of one text that are searched."""
CUES = 300
"""Words for "password" in one text that are followed up; each gives a handful of candidates."""
_SPAN = 160
"""Characters after such a word in which the password begins."""
_CUE = re.compile(
    r"(?i)密\s?[码碼]|口\s?令|暗\s?[号號]|[解提取访开]\s?[压取问锁]\s?[缩縮]?\s?[码碼]|通行[码碼]|pass[\s_-]?(?:word|code|phrase|wd)s?|passwor[dt]"
    r"|passwd|kennwort|contrase[ñn]a|mot de passe|парол[ья]|パスワード|비밀번호|(?<![a-z])(?:pwd?|psw|pass|pin|key)(?![a-z])"
)
# How each of these begins. It says nothing of case, so that the search can look for the first letters as one set, which is
# several times as fast; it is asked of the text in lower case.
_HINT = re.compile("密|口|暗|解|提|取|访|开|通|pa|pw|ps|pin|key|kenn|contr|mot de|парол|パス|비밀")
# What leads from the word to the password: "是", "is", a colon, an arrow, with up to forty characters before it ("for the file").
_STATED = re.compile(
    r"(?i)[^\n:：=→是为為]{0,40}?(?:\b(?:is|are|lautet)\b|就?[是为為]|[:：=→]|-{1,2}>|(?<=\s)[-–—](?=\s))[\s:：=]{0,20}([^\n]{1,100})"
)
_NEXT = re.compile(r"\s{0,20}([^\s:：=→][^\n]{0,99})")
_OPENING = "\"'“‘「『【[(（<《`*_"
_TOKEN = re.compile(r"[^\s\"'”’」』】\])）>》`，。；、！？]{1,64}")
_ASCII = re.compile(r"[\x21-\x7e]{1,64}")
_WORD = re.compile(r"(?<![\x21-\x7e])(?![a-zA-Z'-]{1,64}[.,;:!?)]?(?:\s|\Z))[\x21-\x7e]{4,64}(?![\x21-\x7e])")
_ALONE = re.compile(r"(?m)^[ \t\u3000]{0,20}([\x21-\x7e]{4,32})[ \t\u3000]{0,20}\r?$")
_ORDINARY = re.compile(r"[\w.+-]+@[\w.-]+|[a-zA-Z'-]+|[\d.,:/-]+")
_ADDRESS = re.compile(r"@|://|^[-=_*.#~+]+$|^[\d.,:/-]{9,}$")
_MIXED = re.compile(r"(?=[^\d]*\d)(?=[^a-zA-Z]*[a-zA-Z])|(?=\w*[^\w\s])(?=\W*[a-zA-Z0-9])")
_EDGES = ".,;:!?()[]{}<>\"'"
_LIKELY = 1 << 14
"""Characters of one text in which words that look like passwords are looked for without a cue."""

_Opened = TypeVar("_Opened")


class Passwords:
    """Candidates in the order in which they are tried: the first that are called a password, the given, the others so called,
    words that are a line of their own, words that look like one."""

    def __init__(self, given: Iterable[str] = ()) -> None:
        self._given = list(dict.fromkeys(given))
        self._named: dict[str, None] = {}
        self._alone: dict[str, None] = {}
        self._likely: dict[str, None] = {}

    def learn(self, text: str, *, called: bool = False) -> None:
        """Take up the words of a text, such as a message's subject or body, that may be passwords.

        With `called` only those that it calls so, as for the name of a file.
        """
        text = text[:LEARNED]
        for cue in islice(_cues(text), CUES):
            for candidate in _after(text[cue.end() : cue.end() + _SPAN], cue.group()):
                self._keep(self._named, candidate)
        if called:
            return
        for match in _ALONE.finditer(text[:_LIKELY]):
            word = match.group(1)
            if not word.isalpha() and not _ADDRESS.search(word):
                self._keep(self._alone, word)
        for match in _WORD.finditer(text[:_LIKELY]):
            word = match.group()
            if _looks_like_one(bare := word.strip(_EDGES)):
                self._keep(self._likely, bare)
                self._keep(self._likely, word)

    @property
    def learned(self) -> tuple[str, ...]:
        """What the texts gave, the named ones first, for later messages of the same sender."""
        return tuple(dict.fromkeys((*self._named, *self._alone, *self._likely)))

    @property
    def candidates(self) -> tuple[str, ...]:
        """All of them, in order, each once."""
        named = tuple(self._named)
        return tuple(dict.fromkeys((*named[:NAMED], *self._given, *named[NAMED:], *self._alone, *self._likely)))

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


def _cues(text: str) -> Iterator[re.Match[str]]:
    """What `_CUE` finds in the text, in order."""
    lower = text.lower()
    if len(lower) != len(text):  # a letter whose small form is two: places in the one are no places in the other
        yield from _CUE.finditer(text)
        return
    end = 0
    for hint in _HINT.finditer(lower):
        if hint.start() >= end and (cue := _CUE.match(text, hint.start())) is not None:
            end = cue.end()
            yield cue


def _after(rest: str, cue: str) -> Iterator[str]:
    """The passwords that the text after a word for "password" may state, the likeliest first."""
    stated = _STATED.match(rest)
    if stated is not None:
        yield from _read(stated.group(1))
    following = _NEXT.match(rest)
    if following is None:
        return
    line = following.group(1)
    # Without "is" or a colon most of what follows is prose; a password has a digit or a sign, or stands behind a Chinese word.
    token = _TOKEN.match(line.lstrip(_OPENING))
    if token is None:
        return
    word = token.group()
    if (_ASCII.match(word) and not cue.isascii()) or not word.strip(_EDGES).isalpha():
        yield from _read(word)


def _read(line: str) -> Iterator[str]:
    """The readings of the rest of a line: its first word, that without punctuation, its ASCII, the whole."""
    line = line.strip()
    bare = line.lstrip(_OPENING)
    token = _TOKEN.match(bare)
    if token:
        word = token.group()
        yield word
        yield word.rstrip(_EDGES)
        yield unicodedata.normalize("NFKC", word)
        if leading := _ASCII.match(word):
            yield leading.group()
            yield leading.group().rstrip(_EDGES)
    if bare != line:
        yield line.split()[0]
    if " " in bare:
        yield bare.rstrip(_OPENING + "”’」』】])）>》。，.")


def _looks_like_one(word: str) -> bool:
    """Two kinds of characters among letters, digits and signs, as in `Q3-2024!`; not an address, a number or a date."""
    if not 4 <= len(word) <= _LONGEST or "://" in word:
        return False
    return _MIXED.match(word) is not None and not _ORDINARY.fullmatch(word)
