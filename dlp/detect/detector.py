"""parts → findings. The engine gives evidence, this decides.

Three views of an item are asked: the bytes of each file (`raw`), each once; all its text, normalised, in one scan,
so that a rule's condition is asked over the whole item; and its file names. A rule that holds is a signature's
evidence, each match of its strings a candidate. A candidate counts if it stands in one of the signature's zones and
near one of its words, and its validator confirms it; the signature counts if enough distinct candidates do.
"""

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path

from dlp.detect import content_shape, nearness
from dlp.detect.checks import facts_of, word_of
from dlp.detect.decode import DEPTH, Decoder
from dlp.detect.decode_runs import TURNED
from dlp.detect.engine import Hit
from dlp.detect.evidence import Candidate, Judgement, Validator
from dlp.detect.markings_item import told
from dlp.detect.nearness import near
from dlp.detect.normalise import prepare
from dlp.detect.register import Seen
from dlp.detect.registers import BUILT_IN, Registers
from dlp.detect.signatures import Lane, Signature, SignatureSet, load
from dlp.detect.validators import FIRST_OF_BLOCK, WHOLE_NUMBERS
from dlp.detect.views import Place, RawView, TextView, View, first_of_blocks, whole_numbers
from dlp.errors import Fault, SignatureError
from dlp.model import Finding, Mode, Part, Raw, Trail, Unscannable, Why, Zone
from dlp.redact import mask

MOST_FINDINGS = 10_000
MOST_JUDGED = 250_000
"""Candidates of one signature that are looked at in one view of an item."""
SECONDS = 20
"""For one scan of the engine; the worker's deadline for the whole item stands above it."""


@dataclass(frozen=True, slots=True)
class Detector:
    """The signatures and registers in force. Immutable, and shared by the scans of forked children."""

    loaded: SignatureSet
    registers: Registers = field(default_factory=Registers)

    @classmethod
    def load(cls, paths: Sequence[Path], registers: Registers | None = None) -> "Detector":
        """Raises SignatureError with every fault in the files named."""
        prepare()
        loaded = load(paths)
        if taken := sorted(BUILT_IN.keys() & loaded.signatures.keys()):
            first = loaded.signatures[taken[0]]
            place, what = f"{first.path}:{first.line}", "the name is that of a register's findings"
            raise SignatureError([Fault(place, first.name, what, "rename the rule")])
        return cls(loaded, Registers() if registers is None else registers)

    @property
    def signatures(self) -> Mapping[str, Signature]:
        """By name, in order of file and place."""
        return self.loaded.signatures

    @property
    def names(self) -> frozenset[str]:
        """Of all that can be found: signatures, and those of registers."""
        return frozenset(self.signatures) | self.registers.signatures

    def begin(self) -> "Scan":
        """A scan of one item."""
        return Scan(self.loaded, self.registers)


@dataclass(frozen=True, slots=True)
class _Sighting:
    """One candidate that counts."""

    signature: Signature
    judgement: Judgement
    trail: Trail
    zone: Zone
    offset: int
    excerpt: str
    page: int | None = None
    string: str = ""
    word: str = ""


class Scan:
    """One item's parts on their way to findings: `add` each, then `finish` once. `parts` and `text_chars` count texts."""

    def __init__(self, loaded: SignatureSet, registers: Registers) -> None:
        self.parts = 0
        self.text_chars = 0
        self._loaded = loaded
        self._registers = registers
        self._files: list[tuple[Trail, bytes]] = []
        self._texts = TextView()
        self._names = TextView()
        self._raw: list[_Sighting] = []
        self._unscannable: list[Unscannable] = []
        self._turned: tuple[Hit, ...] = ()

    def add(self, piece: Part | Raw) -> None:
        """Bytes are scanned now and may be given up after; texts are kept until `finish`."""
        if isinstance(piece, Raw):
            if self._registers:
                self._files.append((piece.trail, hashlib.sha256(piece.data).digest()))
            self._raw.extend(self._ask(Lane.RAW, RawView(piece), piece.trail))
            return
        self.parts += 1
        self.text_chars += len(piece.text)
        (self._names if piece.zone is Zone.FILENAME else self._texts).add(piece)

    def finish(self) -> Iterator[Finding | Unscannable]:
        """What was found, signature by signature, then what could not be judged.

        Text comes before bytes: where both show the same thing in the same place, the finding tells the text's zone.
        """
        sightings: list[_Sighting] = []
        for lane, view in ((Lane.TEXT, self._texts), (Lane.NAME, self._names)):
            sightings.extend(self._ask_decoded(lane, view))
        content_shape.forget()
        nearness.forget()
        yield from _capped(_findings(self._completed([*sightings, *self._raw])))
        yield from self._unscannable
        if self._registers:
            yield from self._registers.findings(Seen(texts=self._texts.folded, names=self._names.folded, files=self._files))

    def _ask_decoded(self, lane: Lane, view: TextView) -> Iterator[_Sighting]:
        """Ask a view, and what stands encoded in it."""
        decoder = Decoder(view.length)
        for depth in range(DEPTH + 1):
            if not view:
                break
            yield from self._ask(lane, view, ())
            view = decoder.decoded(view, self._turned) if depth < DEPTH else view
        if decoder.cut:
            detail = "too much decoded text; the rest of it was not looked at"
            self._unscannable.append(Unscannable(why=Why.TOO_LARGE, detail=detail))

    def _completed(self, sightings: list[_Sighting]) -> Iterator[_Sighting]:
        judged = told([(one.trail, one.judgement) for one in sightings], self._texts.parts)
        return (replace(one, judgement=judgement) for one, judgement in zip(sightings, judged, strict=True))

    def _ask(self, lane: Lane, view: View, trail: Trail) -> Iterator[_Sighting]:
        evidence = self._loaded.rules.scan(view.data, SECONDS)
        self._unscannable.extend(Unscannable(why=why, trail=trail, detail=detail) for why, detail in evidence.incomplete)
        self._turned = evidence.hits.get(TURNED, ())
        asked: list[tuple[Signature, Hit]] = []
        for name, hits in evidence.hits.items():
            signature = self._loaded.signatures.get(name)  # a private rule has none
            if signature is None or lane not in signature.on:
                continue
            if not hits:
                yield from _unplaced(signature, lane, trail)
            asked.extend((signature, hit) for hit in self._worth_judging(signature, view, trail, hits))
        for index, place in view.places([hit for _, hit in asked]):
            signature, hit = asked[index]
            judgement = _judgement(signature, hit, place, self._loaded.validators)
            if judgement is not None:
                yield _sighting(signature, judgement, hit, place)

    def _worth_judging(self, signature: Signature, view: View, trail: Trail, hits: tuple[Hit, ...]) -> tuple[Hit, ...]:
        if signature.validator in WHOLE_NUMBERS:
            hits = whole_numbers(view.data, hits)
        if block := FIRST_OF_BLOCK.get(signature.validator or ""):
            hits = first_of_blocks(view.starts, hits, block)
        if len(hits) > MOST_JUDGED:
            detail = f"signature {signature.name} has {len(hits)} candidates, {MOST_JUDGED} were judged"
            self._unscannable.append(Unscannable(why=Why.TOO_MANY, trail=trail, detail=detail))
        return hits[:MOST_JUDGED]


def _sighting(signature: Signature, judgement: Judgement, hit: Hit, place: Place) -> _Sighting:
    part, word = place.part, word_of(signature, place)
    return _Sighting(signature, judgement, part.trail, part.zone, place.offset, place.match, part.page, hit.string, word)


def _unplaced(signature: Signature, lane: Lane, trail: Trail) -> Iterator[_Sighting]:
    """A condition that holds without a string (a size, a count of none) is about the whole; nothing in it to validate."""
    zone = {Lane.TEXT: Zone.BODY, Lane.NAME: Zone.FILENAME, Lane.RAW: Zone.RAW}[lane]
    if signature.validator is None and not signature.near and (not signature.zones or zone in signature.zones):
        yield _Sighting(signature, Judgement(value=""), trail, zone, 0, "")


def _judgement(signature: Signature, hit: Hit, place: Place, validators: Mapping[str, Validator]) -> Judgement | None:
    if signature.zones and place.part.zone not in signature.zones:
        return None
    if signature.near and not near(signature.near, place.folded, place.folded_start, place.folded_end):
        return None
    if signature.validator is None:
        return Judgement(value=place.folded_match)
    return validators[signature.validator](
        Candidate(
            part=place.part,
            text=place.text,
            start=place.start,
            end=place.end,
            folded=place.folded_match,
            string=hit.string,
            folded_part=place.folded,
            folded_start=place.folded_start,
        )
    )


@dataclass(slots=True)
class _Entry:
    """What becomes one finding: the strongest sighting of one signature, at one level, in one trail; and all its values."""

    best: _Sighting
    values: set[str] = field(default_factory=set)

    def add(self, sighting: _Sighting) -> None:
        self.values.add(sighting.judgement.value)
        if _confidence(sighting) > _confidence(self.best):
            self.best = sighting


def _confidence(sighting: _Sighting) -> int:
    stated = sighting.judgement.confidence
    return sighting.signature.confidence if stated is None else stated


def _findings(sightings: Iterable[_Sighting]) -> Iterator[Finding]:
    """One for each signature, trail and level stated, of signatures with enough distinct values in the whole item."""
    entries: dict[tuple[str, Trail, str | None, bool], _Entry] = {}
    values: dict[str, set[str]] = {}
    for sighting in sightings:
        name, level = sighting.signature.name, sighting.judgement.level or sighting.signature.level
        values.setdefault(name, set()).add(sighting.judgement.value)
        entries.setdefault((name, sighting.trail, level, sighting.judgement.void), _Entry(sighting)).add(sighting)
    for (name, _, level, _), entry in entries.items():
        if len(values[name]) >= entry.best.signature.min_count:
            yield _finding(entry, level)


def _finding(entry: _Entry, level: str | None) -> Finding:
    sighting = entry.best
    return Finding(
        signature=sighting.signature.name,
        category=sighting.signature.category,
        level=level,
        confidence=_confidence(sighting),
        count=len(entry.values),
        trail=sighting.trail,
        zone=sighting.zone,
        offset=sighting.offset,
        excerpt=mask(sighting.excerpt),
        mode=Mode.SHADOW if sighting.judgement.void else sighting.signature.mode,
        facts=facts_of(sighting.signature, sighting.judgement, page=sighting.page, string=sighting.string, word=sighting.word),
    )


def _capped(findings: Iterator[Finding]) -> Iterator[Finding | Unscannable]:
    yield from islice(findings, MOST_FINDINGS)
    if next(findings, None) is not None:
        yield Unscannable(why=Why.TOO_MANY, detail=f"more than {MOST_FINDINGS} findings; the rest are not listed")
