"""Gathers every fault of a file before anything is refused, so that an operator mends it in one go."""

import difflib
from collections.abc import Collection
from types import TracebackType

from dlp.errors import ConfigError, Fault


class Wrong(ValueError):
    """A value that means nothing here: a sentence and its remedy. Caught by `Faults.at`."""

    def __init__(self, what: str, remedy: str = "") -> None:
        self.what = what
        self.remedy = remedy
        super().__init__(f"{what} ({remedy})" if remedy else what)


class Faults:
    """The faults of the file `where`, collected key by key."""

    def __init__(self, where: str) -> None:
        self._where = where
        self._found: list[Fault] = []

    def at(self, key: str) -> "_Place":
        """What raises Wrong inside `with faults.at(key)` is a fault of `key`; the work goes on after the block."""
        return _Place(self, key)

    def add(self, key: str, wrong: Wrong) -> None:
        self._found.append(Fault(self._where, key, wrong.what, wrong.remedy))

    def settle(self) -> None:
        """Raises ConfigError with all that was found, if anything was."""
        if self._found:
            raise ConfigError(self._found)


class _Place:
    """Not `contextlib.contextmanager`: `__exit__` returning bool tells a type checker that the block may be left early."""

    def __init__(self, faults: Faults, key: str) -> None:
        self._faults = faults
        self._key = key

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> bool:
        if isinstance(error, Wrong):
            self._faults.add(self._key, error)
            return True
        return False


def known(name: str, names: Collection[str], kind: str) -> str:
    """`name`, if it is one of `names`; else raises Wrong with the nearest of them, or all, as remedy."""
    if name in names:
        return name
    close = difflib.get_close_matches(name, names, n=1)
    listed = ", ".join(sorted(names)) or "none"
    raise Wrong(f"unknown {kind} {name!r}", f"did you mean {close[0]!r}? known: {listed}" if close else f"known: {listed}")


def distinct(names: Collection[str], kind: str) -> None:
    """Raises Wrong if one of `names` comes twice."""
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise Wrong(f"{kind} {name!r} comes twice", "keep one of them")
        seen.add(name)
