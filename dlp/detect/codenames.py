"""Code names: real names that may not be written where only their codes belong, and the two side by side.

A declared list pairs real names with their codes. A real name is found alone where its list forbids it, and together with its
code anywhere in the same item: who has both has the key to every other paper. Names are known in folded text by their letters and
digits, whatever stands between their words; one of Latin letters or digits stands alone. What is public (MDI, BDO) is
declared as such: a public term is no real name by itself, and a name inside of a longer public term is none at all.

At rest the lists are sealed. In memory the names are strings of a compiled rule set, of which only the zygote has a copy.
"""

import bisect
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np

from dlp import columns
from dlp.detect.engine import Hit, Rules, compile_source
from dlp.detect.keyed import unsealed
from dlp.detect.normalise import Folded, fold
from dlp.detect.register import BuiltIn, Register, Seen
from dlp.errors import ConfigError
from dlp.model import Finding, Part, Trail, Unscannable, Why
from dlp.redact import LONGEST, MASK

KIND = "codenames"
SIGNATURE = BuiltIn(name="code_name", title="A real name that has a code", title_zh="须用代号的真实名称")
ALONE, PAIR = "real-name", "pair"
CONFIDENCE = 90
SECONDS = 20
MOST_JUDGED = 250_000
MOST_PAIRS = 100_000
"""Of one list."""
_NAMES = 1000
"""Of one rule, each of five forms at the most; the engine takes 10,000 strings."""
_BETWEEN = b"\n\x00\n"
_GAP = "[0-3]"
"""Bytes that may stand between the words of a name: a few of ASCII, or one wide character."""
_JOINTS = (b"", b" ", b"-", b"_")
_ATOM = 3
"""Bytes in a row that the engine needs of a string to be fast."""
_NUMBERS = 64
"""Characters in which a finding names the pairs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NameList:
    """One declared list, as it is kept, sealed: `pairs` of a real name and its code ("" where it has none), or `public` terms.
    `forbidden`: a real name is a finding by itself."""

    title: str
    level: str | None
    owner: str
    expires: str | None = None
    forbidden: bool = True
    pairs: Sequence[Sequence[str]] = ()
    public: Sequence[str] = ()

    def in_force(self) -> bool:
        """Whether its time is not over."""
        return self.expires is None or datetime.now(UTC) < datetime.fromisoformat(self.expires)


def letters(name: str) -> str:
    """What a name is known by: its letters and digits, folded."""
    return _alone(fold(name).text)


def _alone(folded: str) -> str:
    return "".join(filter(str.isalnum, folded))


def too_short(name: str) -> bool:
    """Whether a name has so few letters that it would be found everywhere: under three, or under two where one is Chinese."""
    known = letters(name)
    return len(known) < (3 if known.isascii() else 2)


def words(name: str) -> list[str]:
    """The runs of one kind, digits, Latin letters or others, of which a name consists."""
    folded = fold(name).text
    return ["".join(run) for kind, run in groupby(folded, _kind) if kind]


def _kind(character: str) -> int:
    if not character.isalnum():
        return 0
    return 3 if not character.isascii() else 1 if character.isdigit() else 2


def _trimmed(folded: str) -> str:
    """From its first letter or digit to its last."""
    places = [place for place, character in enumerate(folded) if character.isalnum()]
    return folded[places[0] : places[-1] + 1]


def _patterns(name: str) -> Iterator[str]:
    """The engine's strings for a name: hexadecimal, so that no character of it means anything to the engine."""
    runs = [word.encode() for word in words(name)]
    if len(runs) > 1 and max(map(len, runs)) >= _ATOM:
        yield "{ " + f" {_GAP} ".join(run.hex(" ") for run in runs) + " }"
    else:
        forms = [joint.join(runs) for joint in _JOINTS] + [_trimmed(fold(name).text).encode()]
        for form in dict.fromkeys(forms):
            yield "{ " + form.hex(" ") + " }"


@dataclass(slots=True)
class _Term:
    """One name or code, by its letters: the pairs (number of the list, number of the pair from 1) of which it is the real name
    or the code, and whether it is public."""

    name: str
    real: list[tuple[int, int]] = field(default_factory=list)
    code: list[tuple[int, int]] = field(default_factory=list)
    public: bool = False


@dataclass(frozen=True, slots=True)
class _Sight:
    """A term in its place: bytes of the text."""

    term: _Term
    start: int
    end: int


@dataclass(slots=True)
class _Found:
    """Where a kind of finding was first seen in a trail, and for which pairs."""

    sight: _Sight
    numbers: set[int] = field(default_factory=set)


class _Text:
    """The folded parts of one item in one."""

    def __init__(self, parts: Sequence[tuple[Part, Folded]]) -> None:
        pieces = [folded.text.encode("utf-8", "surrogatepass") for _, folded in parts]
        lengths = np.array([len(piece) + len(_BETWEEN) for piece in pieces], dtype=np.int64)
        self._parts = parts
        self._firsts = np.cumsum(lengths) - lengths
        self.data = _BETWEEN.join(pieces)

    def trail(self, sight: _Sight) -> Trail:
        return self._parts[self._owner(sight)][0].trail

    def place(self, sight: _Sight) -> tuple[Part, int, int]:
        """The part, and where in the original it stands."""
        owner = self._owner(sight)
        part, folded = self._parts[owner]
        first = int(self._firsts[owner])
        start = len(self.data[first : sight.start].decode())
        end = start + len(self.data[sight.start : sight.end].decode())
        return part, *folded.span(start, end)

    def _owner(self, sight: _Sight) -> int:
        return int(np.searchsorted(self._firsts, sight.start, side="right")) - 1


class CodeNames:
    """The declared lists; a `Register`. `names` are their ids, one for each."""

    def __init__(self, names: Sequence[str], lists: Sequence[NameList]) -> None:
        self._names, self._lists = names, lists
        terms: dict[str, _Term] = {}
        for number, one in enumerate(lists):
            for place, (real, code) in enumerate(one.pairs, start=1):
                _term(terms, real).real.append((number, place))
                if code:
                    _term(terms, code).code.append((number, place))
            for name in one.public:
                _term(terms, name).public = True
        self._terms = list(terms.values())
        self._letters = [key.encode() for key in terms]
        self._rules = _compiled([term.name for term in self._terms])

    @property
    def signatures(self) -> Sequence[BuiltIn]:
        """See Register."""
        return (SIGNATURE,)

    def findings(self, seen: Seen) -> Iterator[Finding | Unscannable]:
        """See Register. One for each list, kind and trail."""
        text = _Text([*seen.texts, *seen.names])
        evidence = self._rules.scan(text.data, SECONDS)
        for why, _ in evidence.incomplete:
            yield Unscannable(why=why, detail="not all code names were looked for")
        hits = [hit for hits in evidence.hits.values() for hit in hits]
        if len(hits) > MOST_JUDGED:
            yield Unscannable(why=Why.TOO_MANY, detail=f"{len(hits)} places that may be code names, {MOST_JUDGED} were judged")
        yield from self._told(text, list(_uncovered(list(self._sights(text.data, hits[:MOST_JUDGED])))))

    def _sights(self, data: bytes, hits: Iterable[Hit]) -> Iterator[_Sight]:
        """The hits that are whole names."""
        for hit in hits:
            start, end = hit.offset, hit.offset + hit.length
            number = int(hit.string[1:].partition("_")[0])
            if _stands_alone(data, start, end) and _is(data[start:end], self._letters[number]):
                yield _Sight(self._terms[number], start, end)

    def _told(self, text: _Text, sights: Sequence[_Sight]) -> Iterator[Finding]:
        force = [one.in_force() for one in self._lists]
        coded = {pair for sight in sights for pair in sight.term.code}
        found: dict[tuple[int, str, Trail], _Found] = {}
        for sight in sights:
            for number, place in sight.term.real:
                kinds = [PAIR] if (number, place) in coded else []
                kinds += [ALONE] if self._lists[number].forbidden and not sight.term.public else []
                for kind in kinds if force[number] else ():
                    found.setdefault((number, kind, text.trail(sight)), _Found(sight)).numbers.add(place)
        for (number, kind, _), one in found.items():
            yield self._finding(text, number, kind, one)

    def _finding(self, text: _Text, number: int, kind: str, found: _Found) -> Finding:
        part, start, end = text.place(found.sight)
        declared = self._lists[number]
        return Finding(
            signature=SIGNATURE.name,
            level=declared.level,
            confidence=CONFIDENCE,
            count=len(found.numbers),
            trail=part.trail,
            zone=part.zone,
            offset=start,
            excerpt=MASK * min(end - start, LONGEST),
            facts={
                "entry": self._names[number],
                "kind": kind,
                "names": ", ".join(map(str, sorted(found.numbers)))[:_NUMBERS],
                "title": declared.title,
                "owner": declared.owner,
            },
        )


def _term(terms: dict[str, _Term], name: str) -> _Term:
    return terms.setdefault(letters(name), _Term(name))


def _compiled(names: Sequence[str]) -> Rules:
    """A rule for some thousands of names each; a string is called t, the number of its name, and which of its forms it is."""
    rules = []
    for start in range(0, len(names), _NAMES):
        strings = [
            f"$t{start + number}_{form} = {pattern}"
            for number, name in enumerate(names[start : start + _NAMES])
            for form, pattern in enumerate(_patterns(name))
        ]
        rules.append(f"rule names_{start} {{ strings: {' '.join(strings)} condition: any of them }}")
    return compile_source("\n".join(rules))


def _stands_alone(data: bytes, start: int, end: int) -> bool:
    """Not cut out of a longer run of Latin letters and digits. Bytes of other scripts are no letters here."""
    cut_left = start > 0 and data[start : start + 1].isalnum() and data[start - 1 : start].isalnum()
    return not cut_left and not (data[end - 1 : end].isalnum() and data[end : end + 1].isalnum())


def _is(match: bytes, known: bytes) -> bool:
    """Whether there is nothing but the letters of the name, and separators."""
    return match == known or _alone(match.decode("utf-8", "replace")) == known.decode()


def _uncovered(sights: list[_Sight]) -> Iterator[_Sight]:
    """Without those inside of a longer public term."""
    public = sorted((sight.start, sight.end) for sight in sights if sight.term.public)
    starts = [start for start, _ in public]
    reach = list(np.maximum.accumulate([end for _, end in public])) if public else []
    for sight in sights:
        earlier = bisect.bisect_left(starts, sight.start)
        same = bisect.bisect_right(starts, sight.start)
        longer = (earlier and reach[earlier - 1] >= sight.end) or (same > earlier and public[same - 1][1] > sight.end)
        if not longer:
            yield sight


def open_codenames(folder: Path, key: bytes) -> Register | None:
    """The declared lists under the register folder; None where there are none. Raises ConfigError."""
    names = entries(columns.facts(folder / KIND))
    lists = [opened(folder / KIND, key, name, text) for name, text in names.items()]
    return CodeNames(list(names), lists) if any(one.pairs for one in lists) else None


def entries(facts: Mapping[str, Any]) -> dict[str, str]:
    """By id, the sealed lists in a manifest."""
    return dict(facts.get("lists", {}))


def opened(folder: Path, key: bytes, name: str, text: str) -> NameList:
    """A list unsealed. Raises ConfigError where it does not open."""
    try:
        return NameList(**unsealed(key, text, name))
    except (ValueError, TypeError) as error:
        remedy = "restore the key file that was there when it was declared, or declare it again"
        raise ConfigError.single(folder, name, str(error), remedy) from error
