"""The signature engine: compiles rules, scans bytes, gives evidence. The only module that knows yara-python.

Another engine takes its place by offering the same: `compile_source`, `Rules.scan`, `Rules.declared`.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import yara

from dlp.errors import DLPError
from dlp.model import Why

_KEPT = 1
"""Bytes of each match the engine copies: none is needed, offsets suffice, and a million copies would be dear."""
yara.set_config(max_match_data=_KEPT)


class CompileError(DLPError):
    """Rule source does not compile; `line` counts from 1, 0 where the engine names none."""

    def __init__(self, line: int, message: str) -> None:
        self.line, self.message = line, message
        super().__init__(f"line {line}: {message}" if line else message)


@dataclass(frozen=True, slots=True, kw_only=True)
class Declared:
    """A rule as its source declares it."""

    name: str
    meta: Mapping[str, Any]
    tags: tuple[str, ...]
    is_private: bool
    is_global: bool


@dataclass(frozen=True, slots=True)
class Hit:
    """One match of one string: its identifier without "$", and where it stands, in bytes."""

    string: str
    offset: int
    length: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What one scan found: for every rule whose condition holds its hits in order of place (none, if the condition
    needs no string). `incomplete` says why the answer may lack something, with a detail free of content."""

    hits: Mapping[str, tuple[Hit, ...]]
    incomplete: tuple[tuple[Why, str], ...] = ()


class Rules:
    """A compiled set. Scanning releases the interpreter lock and may be done from several threads."""

    def __init__(self, compiled: Any) -> None:
        self._compiled = compiled

    def declared(self) -> Iterator[Declared]:
        """Every rule in it, in order of source."""
        for rule in self._compiled:
            yield Declared(
                name=rule.identifier,
                meta=dict(rule.meta),
                tags=tuple(rule.tags),
                is_private=rule.is_private,
                is_global=rule.is_global,
            )

    def scan(self, data: bytes | memoryview, seconds: int) -> Evidence:
        """Ask every rule over `data`, for `seconds` (whole, the engine knows no fractions) at most."""
        overflowing: list[str] = []

        def warn(_kind: int, about: Any) -> int:
            overflowing.append(str(getattr(about, "rule", about)))
            return int(yara.CALLBACK_CONTINUE)

        try:
            matches = self._compiled.match(data=data, timeout=seconds, warnings_callback=warn)
        except yara.TimeoutError:
            return Evidence(hits={}, incomplete=((Why.TIMEOUT, f"signatures took more than {seconds} s"),))
        except yara.Error as error:
            return Evidence(hits={}, incomplete=((Why.CRASHED, f"signature engine: {error}"),))
        incomplete = tuple((Why.TOO_MANY, f"signature {rule} has too many matches") for rule in sorted(set(overflowing)))
        return Evidence(hits={match.rule: _hits(match) for match in matches}, incomplete=incomplete)


def _hits(match: Any) -> tuple[Hit, ...]:
    found = [
        Hit(string.identifier[1:], instance.offset, instance.matched_length)
        for string in match.strings
        for instance in string.instances
    ]
    found.sort(key=lambda hit: hit.offset)
    return tuple(found)


def compile_source(source: str) -> Rules:
    """One source alone, without includes. Raises CompileError."""
    return compile_sources({"default": source})


def compile_sources(sources: Mapping[str, str]) -> Rules:
    """Sources by namespace, in one set: all are asked in a single pass. Raises CompileError."""
    try:
        return Rules(yara.compile(sources=dict(sources), includes=False))
    except yara.Error as error:
        raise _compile_error(str(error)) from error


def _compile_error(text: str) -> CompileError:
    """The engine writes "line 3: undefined string" or "namespace(3): undefined string"."""
    place, _, message = text.partition(": ")
    digits = "".join(character for character in place if character.isdigit())
    if message and digits and (place.startswith("line ") or place.endswith(")")):
        return CompileError(int(digits), message)
    return CompileError(0, text)
