"""Passwords to try on what is encrypted: the operator's, and those that a sender's last messages named.

People send the password in one message and the archive in the next. What was learned is content: it stays in memory,
for a while, and is in no log, metric, file or `repr`.
"""

import time
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from dlp.errors import ConfigError, Fault
from dlp.extract.passwords import TRIES

SENDERS = 1_000
"""Senders remembered; the one silent for longest is forgotten first."""
LONGEST = 255
"""Bytes, in UTF-8, of one of the operator's passwords, so that all that are passed fit one packet."""
MOST_GIVEN = TRIES // 2
"""Passwords of the operator's; each is tried on everything encrypted."""
MOST_PASSED = TRIES * 3 // 4
"""Passwords that come with an item, so that the words of the item itself have their turn too."""


@dataclass(frozen=True, slots=True)
class Words:
    """Passwords in the order in which they are to be tried; `repr` does not tell them."""

    words: tuple[str, ...] = field(default=(), repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class PasswordSettings:
    """The table [passwords]. `list`, and `file` with one a line in UTF-8, are tried on everything encrypted; of each
    sender's mail the last `remember` words that may be passwords are kept in memory for `remember_seconds`."""

    list: tuple[str, ...] = field(default=(), repr=False)
    file: Path | None = None
    remember_seconds: float = 3600.0
    remember: int = 100

    def __post_init__(self) -> None:
        """Every fault at once."""
        if faults := [*_faults("passwords.list", self.list), *self._numbers()]:
            raise ConfigError(faults)

    def _numbers(self) -> Iterator[Fault]:
        if self.remember < 0:
            yield Fault("[passwords]", "passwords.remember", "is negative", "0 remembers nothing")
        if not self.remember_seconds >= 0:
            yield Fault("[passwords]", "passwords.remember_seconds", "is negative", "0 remembers nothing")

    def given(self) -> Words:
        """The operator's passwords. Reads `file`; raises ConfigError."""
        listed = [*self.list, *(_lines(self.file) if self.file else ())]
        if faults := list(_faults("passwords.file", listed)):
            raise ConfigError([Fault(str(self.file), one.key, one.what, one.remedy) for one in faults])
        return Words(tuple(dict.fromkeys(listed)))


def _lines(path: Path) -> list[str]:
    """A password may begin or end with a space, so only the end of the line is taken off."""
    try:
        text = path.read_text("utf-8-sig")
    except OSError as error:
        raise ConfigError.single(path, "passwords.file", f"cannot be read: {error.strerror}", "check its permissions") from error
    except UnicodeDecodeError as error:
        raise ConfigError.single(path, "passwords.file", "is not UTF-8", "save it as UTF-8") from error
    return [line for line in (line.removesuffix("\r") for line in text.split("\n")) if line]


def _faults(key: str, words: Sequence[str]) -> Iterator[Fault]:
    """Which of `words` cannot be used, by its place only."""
    if len(words) > MOST_GIVEN:
        yield Fault("[passwords]", key, f"{len(words)} passwords, and {MOST_GIVEN} can be tried", "keep those that are used most")
    for place, word in enumerate(words, 1):
        if not 0 < len(word.encode("utf-8", "surrogatepass")) <= LONGEST:
            yield Fault("[passwords]", key, f"password {place} is empty or longer than {LONGEST} bytes")


class Remembered:
    """What the messages of each sender named, newest first. `clock` counts seconds."""

    def __init__(self, settings: PasswordSettings, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._settings = settings
        self._clock = clock
        self._senders: OrderedDict[str, tuple[tuple[float, str], ...]] = OrderedDict()

    def __repr__(self) -> str:
        return f"Remembered({len(self._senders)} senders)"

    def adopt(self, settings: PasswordSettings) -> None:
        """Go by `settings` from now on; what is remembered stays as long as they allow."""
        self._settings = settings

    def learn(self, sender: str, words: Sequence[str]) -> None:
        """Take up the words of a message; the null sender is nobody in particular (RFC 5321, 4.5.5)."""
        new = dict.fromkeys(words)
        kept = [(since, word) for since, word in self._known(sender) if word not in new]
        now = self._clock()
        known = (*((now, word) for word in new), *kept)[: self._settings.remember]
        self._senders.pop(sender.casefold(), None)
        if sender and known:
            self._senders[sender.casefold()] = known
        if len(self._senders) > SENDERS:
            self._senders.popitem(last=False)

    def of(self, sender: str) -> tuple[str, ...]:
        """The words of this sender's recent messages, newest message first."""
        return tuple(word for _, word in self._known(sender))[: self._settings.remember]

    def _known(self, sender: str) -> tuple[tuple[float, str], ...]:
        """What of this sender is young enough, with its time; senders of whom nothing is are forgotten."""
        oldest = self._clock() - self._settings.remember_seconds
        while self._senders and next(iter(self._senders.values()))[0][0] <= oldest:
            self._senders.popitem(last=False)  # they stand in the order of their newest words
        return tuple(one for one in self._senders.get(sender.casefold(), ()) if one[0] > oldest)
