"""What a classification marking looks like, as data: `markings.toml`, which a security team edits.

The first file read is whole (the shipped `signatures/markings.toml`, whose comments say what each table means). One in
a further folder adds to it: a key takes the place of the same key, the words of a list join those there, "-word" takes
one away, and a level "" takes a word of [levels] away. Everything is checked before anything is used, and every fault
in every file is reported at once.
"""

import difflib
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dlp.detect.markings_fold import fold
from dlp.detect.markings_notation import Malformed, pattern
from dlp.errors import Fault
from dlp.model import Zone

FILE = "markings.toml"
OWN = "own_marking"
"""The signature that is made of the words which further files add to [levels]."""

_LEVELS = ("public", "internal", "confidential", "secret", "top-secret", "restricted")
"""Ids of the canonical scale, to tell a misspelt one; a profile of an operator's may have others."""
_LEVEL = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
_NUMBERS: Mapping[str, Sequence[str]] = {
    "zones": tuple(zone.value for zone in Zone),
    "points": ("threshold", "top", "upper", "own-line", "top-lines", "upper-lines", "upper-chars"),
    "evidence": (
        *("star", "weak-star", "term", "bracket", "field", "ticked", "trade-secret", "owner", "handling", "copy-number"),
        *("document-number", "control", "label", "tlp"),
    ),
    "doubts": (
        *("policy", "policy-document", "other-levels", "quoted", "sentence", "fiction", "disclaimer", "declassified"),
        "lower-case",
    ),
}
_WORDS = (
    *("unlimited", "events", "kinds", "handling", "owners", "fields", "policy", "policy-titles", "fiction", "examination"),
    *("disclaimer", "wrapped-above", "wrapped-below", "denied", "declassified", "stated", "english-before", "english-after"),
    *("english-verbs", "controls"),
)
_TABLES = ("levels", *_NUMBERS, "words")
_MOST = 1000.0
"""The greatest number a file may give: lines, characters and points beyond it would be a slip."""
_LONGEST = 40
"""Characters of a word of a mark."""
_FEWEST = 3
"""Letters of a Latin word that a further file adds; less would be found in every text."""
_MOST_WORDS = 2000
"""Words of one table, so that no file makes each candidate dear."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tables:
    """The files read and merged. `own` are the words of [levels] that further files added, in order."""

    levels: Mapping[str, str]
    zones: Mapping[Zone, float]
    points: Mapping[str, float]
    evidence: Mapping[str, float]
    doubts: Mapping[str, float]
    words: Mapping[str, tuple[str, ...]]
    own: tuple[str, ...] = ()


def read_tables(paths: Sequence[Path], faults: list[Fault]) -> Tables | None:
    """The files at `paths` merged, the first one whole; None and faults where something is wrong."""
    found: list[Fault] = []
    merged: dict[str, dict[str, Any]] = {name: {} for name in _TABLES}
    own: dict[str, None] = {}
    for number, path in enumerate(paths):
        _File(path, found, further=number > 0).into(merged, own)
    found += _missing(paths[0], merged) if not found else ()
    faults += found
    if found:
        return None
    words = {name: tuple(listed) for name, listed in merged["words"].items()}
    zones = {Zone(name): points for name, points in merged["zones"].items()}
    numbers = {name: merged[name] for name in ("points", "evidence", "doubts")}
    return Tables(levels=merged["levels"], zones=zones, words=words, own=tuple(own), **numbers)


def own_rule(tables: Tables) -> str:
    """The source of the rule that finds candidates for the words of `tables.own`."""
    strings = "\n".join(f'        $word{number} = "{_quoted(word)}"' for number, word in enumerate(tables.own))
    return f"""rule {OWN}
{{
    meta:
        title = "Marking of the organisation's own"
        title_zh = "本单位自定的标志"
        level = "{tables.levels[tables.own[0]]}"
        confidence = 85
        validator = "own_mark"
        on = "text,name"
    strings:
{strings}
    condition:
        any of them
}}
"""


def _quoted(word: str) -> str:
    return word.replace("\\", "\\\\").replace('"', '\\"')


def _missing(path: Path, merged: Mapping[str, Mapping[str, Any]]) -> Iterator[Fault]:
    wanted = {**_NUMBERS, "words": _WORDS}
    for table, names in wanted.items():
        for name in names:
            if name not in merged[table]:
                yield Fault(str(path), f"{table}.{name}", "is missing", "take it from the shipped signatures/markings.toml")
    if not merged["levels"]:
        yield Fault(str(path), "levels", "names no word", 'add one, such as "机密" = "secret"')


class _File:
    """One file, checked key by key on its way into the tables before it."""

    def __init__(self, path: Path, faults: list[Fault], *, further: bool) -> None:
        self._path, self._faults, self._further = path, faults, further

    def into(self, merged: dict[str, dict[str, Any]], own: dict[str, None]) -> None:
        """Add what is right to `merged`, and to `own` the new words of a further file."""
        for name, table in self._read().items():
            if name not in _TABLES:
                self._unknown(name, name, _TABLES)
            elif not isinstance(table, dict):
                self._fault(name, "is no table", f"write [{name}] and its keys below")
            elif name == "levels":
                self._levels(table, merged[name], own)
            elif name == "words":
                self._words(table, merged[name])
            else:
                self._numbers(name, table, merged[name])

    def _read(self) -> dict[str, Any]:
        try:
            return tomllib.loads(self._path.read_text("utf-8"))
        except OSError as error:
            self._fault("", f"cannot be read: {error.strerror}", "check its permissions")
        except UnicodeDecodeError:
            self._fault("", "is not UTF-8", "save it as UTF-8")
        except tomllib.TOMLDecodeError as error:
            self._fault("", f"is not valid TOML: {error}", "put words that are not plain ASCII in quotes")
        return {}

    def _levels(self, table: Mapping[str, Any], levels: dict[str, str], own: dict[str, None]) -> None:
        for word, level in table.items():
            key = f"levels.{word}"
            if not isinstance(level, str) or (level and not _LEVEL.fullmatch(level)):
                self._fault(key, "is no id of a level", "write small Latin letters, digits and hyphens, such as top-secret")
            elif level and level not in _LEVELS and (close := difflib.get_close_matches(level, _LEVELS, n=1, cutoff=0.8)):
                self._fault(key, f"unknown level {level!r}", f"did you mean {close[0]!r}?")
            elif not level:
                self._removed(key, word, levels)
                own.pop(word, None)
            elif self._word(key, word, new=self._further and word not in levels):
                if self._further and word not in levels:
                    own[word] = None
                levels[word] = level
        self._many("levels", levels)

    def _word(self, key: str, word: str, *, new: bool) -> bool:
        """Whether `word` can be the word of a mark."""
        if not word or len(word) > _LONGEST or any(not character.isprintable() for character in word):
            self._fault(key, f"is no word of 1 to {_LONGEST} characters", "shorten it")
        elif fold(word) != word:
            self._fault(key, "is not in normalised form", f"write {fold(word)!r}")
        elif new and len(word) < (_FEWEST if word.isascii() else 2):
            self._fault(key, "is too short: it would be met in every text", "write the whole mark")
        else:
            return True
        return False

    def _numbers(self, name: str, table: Mapping[str, Any], numbers: dict[str, float]) -> None:
        for key, value in table.items():
            place = f"{name}.{key}"
            if key not in _NUMBERS[name]:
                self._unknown(place, key, _NUMBERS[name])
            elif isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= _MOST:
                self._fault(place, "is no number of points", f"write one from 0 to {_MOST:.0f}")
            elif place == "points.threshold" and not value:
                self._fault(place, "is 0, at which every word would be a mark", "write 5")
            else:
                numbers[key] = float(value)

    def _words(self, table: Mapping[str, Any], lists: dict[str, dict[str, None]]) -> None:
        for name, listed in table.items():
            key = f"words.{name}"
            if name not in _WORDS:
                self._unknown(key, name, _WORDS)
            elif not isinstance(listed, list) or not all(isinstance(word, str) for word in listed):
                self._fault(key, "is no list of words", f'write {name} = ["…", "…"]')
            else:
                words = lists.setdefault(name, {})
                for number, word in enumerate(listed):
                    self._listed(f"{key}[{number}]", word, words)
                self._many(key, words)

    def _listed(self, key: str, word: str, words: dict[str, None]) -> None:
        if self._further and len(word) > 1 and word.startswith("-"):
            self._removed(key, word[1:], words)
        elif fold(word) != word:
            self._fault(key, "is not in normalised form", f"write {fold(word)!r}")
        else:
            try:
                pattern(word)
            except Malformed as error:
                self._fault(key, str(error), r"write \( for a bracket itself; see the head of the shipped file")
            else:
                words[word] = None

    def _removed(self, key: str, word: str, table: dict[str, Any]) -> None:
        if word in table:
            del table[word]
        else:
            close = difflib.get_close_matches(word, table, n=1, cutoff=0.5)
            self._fault(
                key, f"takes {word!r} away, which is not there", f"did you mean {close[0]!r}?" if close else "leave it out"
            )

    def _many(self, key: str, table: Mapping[str, Any]) -> None:
        if len(table) > _MOST_WORDS:
            self._fault(key, f"has {len(table)} words, more than {_MOST_WORDS}", "leave out what is not used")

    def _unknown(self, key: str, name: str, known: Sequence[str]) -> None:
        close = difflib.get_close_matches(name, known, n=1)
        self._fault(key, "unknown key", f"did you mean {close[0]!r}?" if close else f"known keys: {', '.join(known)}")

    def _fault(self, key: str, what: str, remedy: str) -> None:
        self._faults.append(Fault(str(self._path), key, what, remedy))
