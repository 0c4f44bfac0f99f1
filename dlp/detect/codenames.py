"""Code names: real names that may not be written where only their codes belong, and the two side by side.

A declared list pairs real names with their codes. A real name is found alone where its list forbids it, and together with its
code anywhere in the same item: who has both has the key to every other paper. Names are known in folded text by their letters and
digits, whatever stands between their words; one of Latin letters or digits stands alone. What is public (MDI, BDO) is
declared as such: a public term is no real name by itself, and a name inside of a longer public term is none at all.

At rest the lists are sealed. In memory the names are strings of a compiled rule set, of which only the zygote has a copy.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import chain, groupby, islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

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
MOST_JUDGED = 2_000_000
"""Places in one item: codes may fill whole tables of an innocent one."""
MOST_PAIRS = 20_000
"""Of one list: they are compiled whenever the workers start."""
_NAMES, _MOST_FORMS = 500, 20
"""Names of one rule, and forms of one name: the engine takes 10,000 strings. All of these differ in separators only."""
_MARK = "\x01"
"""Between names that are folded together: folding leaves it, and what stands beside it, as they are."""
_BETWEEN = b"\n\x00\n"
_GAP = "[0-3]"
"""Bytes that may stand between the words of a name: a few of ASCII, or one wide character."""
_JOINTS = (b"", b" ", b"-", b"_")
_ATOM = 3
"""Bytes in a row that the engine needs of a string to be fast."""
_LETTERS = np.array([bytes([byte]).isalnum() for byte in range(256)], dtype=np.bool_)
_NUMBERS = 64
"""Characters in which a finding names the pairs."""

Numbers = NDArray[np.int64]
Mask = NDArray[np.bool_]


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
    return _runs(fold(name).text)


def _runs(folded: str) -> list[str]:
    return ["".join(run) for kind, run in groupby(folded, _kind) if kind]


def _kind(character: str) -> int:
    if not character.isalnum():
        return 0
    return 3 if not character.isascii() else 1 if character.isdigit() else 2


def _trimmed(folded: str) -> str:
    """From its first letter or digit to its last."""
    places = [place for place, character in enumerate(folded) if character.isalnum()]
    return folded[places[0] : places[-1] + 1]


def _patterns(folded: str) -> Iterator[str]:
    """The engine's strings for a name: hexadecimal, so that no character of it means anything to the engine."""
    runs = [run.encode() for run in _runs(folded)]
    if len(runs) > 1 and max(map(len, runs)) >= _ATOM:
        yield "{ " + f" {_GAP} ".join(run.hex(" ") for run in runs) + " }"
    else:
        forms = [joint.join(runs) for joint in _JOINTS] + [_trimmed(folded).encode()]
        for form in dict.fromkeys(forms):
            yield "{ " + form.hex(" ") + " }"


@dataclass(slots=True)
class _Term:
    """One name or code, by its letters: the folded forms in which it is declared, the pairs (number of the list, number of the
    pair from 1) of which it is the real name or the code, and whether it is public."""

    forms: dict[str, None] = field(default_factory=dict)
    real: list[tuple[int, int]] = field(default_factory=list)
    code: list[tuple[int, int]] = field(default_factory=list)
    public: bool = False


@dataclass(frozen=True, slots=True)
class _Sight:
    """A term in its place: number of the part, bytes of the text."""

    term: _Term
    owner: int
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class _Places:
    """Where terms stand, in order: numbers of terms, bytes of the text."""

    terms: Numbers
    starts: Numbers
    ends: Numbers

    def chosen(self, which: Mask) -> "_Places":
        return _Places(self.terms[which], self.starts[which], self.ends[which])

    def outside(self, public: "_Places") -> Mask:
        """Which of them are not inside of a longer one of `public`."""
        if not len(public.starts):
            return np.ones(len(self.starts), dtype=np.bool_)
        reach = np.concatenate(([-1], np.maximum.accumulate(public.ends)))
        earlier = np.searchsorted(public.starts, self.starts, side="left")
        same = np.searchsorted(public.starts, self.starts, side="right")
        longest = np.where(same > earlier, reach[same], -1)  # of those that begin at the same place or before
        return np.asarray((reach[earlier] < self.ends) & (longest <= self.ends), dtype=np.bool_)


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

    def owners(self, starts: Numbers) -> Numbers:
        """The numbers of the parts in which these bytes are."""
        return np.searchsorted(self._firsts, starts, side="right") - 1

    def alone(self, places: _Places) -> Mask:
        """Which are not cut out of a longer run of Latin letters and digits. Bytes of other scripts are no letters here."""
        letter = _LETTERS[np.frombuffer(b"\n%b\n" % self.data, dtype=np.uint8)]
        first, last = places.starts + 1, places.ends
        cut = letter[first - 1] & letter[first] | letter[last] & letter[last + 1]
        return np.asarray(~cut, dtype=np.bool_)

    def trail(self, sight: _Sight) -> Trail:
        return self._parts[sight.owner][0].trail

    def place(self, sight: _Sight) -> tuple[Part, int, int]:
        """The part, and where in the original it stands."""
        part, folded = self._parts[sight.owner]
        first = int(self._firsts[sight.owner])
        start = len(self.data[first : sight.start].decode())
        end = start + len(self.data[sight.start : sight.end].decode())
        return part, *folded.span(start, end)


class CodeNames:
    """The declared lists; a `Register`. `names` are their ids, one for each."""

    def __init__(self, names: Sequence[str], lists: Sequence[NameList]) -> None:
        self._names, self._lists = names, lists
        terms = _Terms(name for one in lists for name in (*chain(*one.pairs), *one.public) if name)
        for number, one in enumerate(lists):
            for place, (real, code) in enumerate(one.pairs, start=1):
                terms[real].real.append((number, place))
                if code:
                    terms[code].code.append((number, place))
            for name in one.public:
                terms[name].public = True
        self._terms = list(terms.by_letters.values())
        self._letters = [key.encode() for key in terms.by_letters]
        self._sizes = np.array([len(key) for key in self._letters], dtype=np.int64)
        self._public = np.array([term.public for term in self._terms], dtype=np.bool_)
        self._rules = _compiled([tuple(term.forms) for term in self._terms])

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
        yield from self._told(text, self._sights(text, hits[:MOST_JUDGED]))

    def _sights(self, text: _Text, hits: Sequence[Hit]) -> list[_Sight]:
        """The first whole place of each term in each part, those inside of longer public terms left out."""
        number = {name: int(name[1:].partition("_")[0]) for name in {hit.string for hit in hits}}
        terms = np.array([number[hit.string] for hit in hits], dtype=np.int64)
        starts = np.array([hit.offset for hit in hits], dtype=np.int64)
        ends = starts + np.array([hit.length for hit in hits], dtype=np.int64)
        order = np.argsort(starts, kind="stable")
        places = _Places(terms[order], starts[order], ends[order])
        places = places.chosen(text.alone(places))
        places = places.chosen(self._whole(text.data, places))
        public = places.chosen(self._public[places.terms])
        places = places.chosen(places.outside(public))
        owners = text.owners(places.starts)
        firsts = np.sort(np.unique(owners * len(self._terms) + places.terms, return_index=True)[1])
        kept = zip(*(column[firsts].tolist() for column in (places.terms, owners, places.starts, places.ends)), strict=True)
        return [_Sight(self._terms[term], owner, start, end) for term, owner, start, end in kept]

    def _whole(self, data: bytes, places: _Places) -> Mask:
        """Which hold nothing but the letters of their term, and separators."""
        whole: Mask = np.equal(places.ends - places.starts, self._sizes[places.terms])
        for at in np.flatnonzero(~whole).tolist():
            match = data[places.starts[at] : places.ends[at]]
            whole[at] = _alone(match.decode("utf-8", "replace")).encode() == self._letters[places.terms[at]]
        return whole

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


class _Terms:
    """The terms of names, by their letters; all names are folded in one go, since folding one by one takes most of the time."""

    def __init__(self, names: Iterable[str]) -> None:
        distinct = list(dict.fromkeys(names))
        joined = fold(_MARK.join(name.replace(_MARK, " ") for name in distinct)).text
        self._letters = {name: _alone(folded) for name, folded in zip(distinct, joined.split(_MARK), strict=True)}
        self.by_letters: dict[str, _Term] = {}
        for name, folded in zip(distinct, joined.split(_MARK), strict=True):
            self.by_letters.setdefault(self._letters[name], _Term()).forms[folded] = None

    def __getitem__(self, name: str) -> _Term:
        return self.by_letters[self._letters[name]]


def _compiled(terms: Sequence[Sequence[str]]) -> Rules:
    """A rule for some thousands of terms each, by their forms; a string is called t, the term's number, and its own."""
    rules = []
    for start in range(0, len(terms), _NAMES):
        strings = []
        for number, forms in enumerate(terms[start : start + _NAMES], start):
            patterns = dict.fromkeys(pattern for form in forms for pattern in _patterns(form))
            strings += [f"$t{number}_{own} = {pattern}" for own, pattern in enumerate(islice(patterns, _MOST_FORMS))]
        rules.append(f"rule names_{start} {{ strings: {' '.join(strings)} condition: any of them }}")
    return compile_source("\n".join(rules))


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
