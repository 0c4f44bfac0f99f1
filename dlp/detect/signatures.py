"""Reads signature files: YARA rules with the meta that makes a rule a signature.

Meta of a rule (the outer contract, docs/signatures.md):

    title, title_zh   what it finds, for people, in both languages
    category          what kind of information it finds; a profile gives the level
    level             the level itself, on the canonical scale, where the signature states it (one of the two at least)
    confidence        0 to 100: how sure one confirmed match is
    validator         optional; a name in dlp.detect.validators that confirms each match
    min_count         optional; distinct confirmed matches needed in the item, 1 if absent
    near              optional; "word|word": one of them stands within reach of the match
    zone              optional; "header|title": only there
    on                optional; "text|raw|name": which views are asked; all if absent
    mode              optional; "enforce" or "shadow"

A private rule is a building block for others and needs no meta; a global rule would silence every other and is
refused. Names are unique over all folders. Every fault in every file is reported at once.
"""

import difflib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from types import ModuleType
from typing import Any

from dlp.detect import decode_runs
from dlp.detect.engine import CompileError, Declared, Rules, compile_source, compile_sources
from dlp.detect.evidence import Validator
from dlp.detect.markings_patterns import Markings
from dlp.detect.markings_table import FILE, OWN, own_rule, read_tables
from dlp.detect.normalise import folded_words
from dlp.errors import Fault, SignatureError
from dlp.model import Mode, Zone

SUFFIXES = (".yar", ".yara")
_ID = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
"""The shape of a category and of a level; which of them exist is the profile's affair."""


class Lane(StrEnum):
    """What of an item a signature is asked over."""

    TEXT = "text"
    RAW = "raw"
    NAME = "name"


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """One rule's meta, checked. `near` is folded; empty `zones` means everywhere; `source` is that of a rule which was
    made of the words of a markings.toml and stands in no file."""

    name: str
    title: str
    title_zh: str
    confidence: int
    category: str | None = None
    level: str | None = None
    validator: str | None = None
    min_count: int = 1
    near: tuple[str, ...] = ()
    zones: frozenset[Zone] = frozenset()
    on: frozenset[Lane] = frozenset(Lane)
    mode: Mode = Mode.ENFORCE
    path: Path
    line: int
    source: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SignatureSet:
    """Signatures by name, in order of file and place, the compiled rules that find them, and the validators they name."""

    signatures: Mapping[str, Signature]
    rules: Rules
    validators: Mapping[str, Validator]


def load(paths: Sequence[Path]) -> SignatureSet:
    """Every signature in the files and folders named. Raises SignatureError with all that is wrong."""
    faults: list[Fault] = []
    sources: dict[str, str] = {}
    signatures: dict[str, Signature] = {}
    for path in _files(paths, faults):
        source = _read(path, faults)
        declared = _declared(path, source, faults)
        for rule in declared:
            _admit(rule, path, _line(source, rule.name), signatures, faults)
        if declared:
            sources[str(path)] = source
    marks = _marks(paths, sources, signatures, faults)
    if not signatures and not faults:
        faults.append(Fault(", ".join(map(str, paths)) or "signatures", "", "no signature found", "name a folder of .yar files"))
    if faults:
        raise SignatureError(faults)
    rules = compile_sources(sources | {decode_runs.TURNED: decode_runs.source()})
    return SignatureSet(signatures=signatures, rules=rules, validators=_known().validators(marks))


def _known() -> ModuleType:
    """dlp.detect.validators, loaded with the first signatures. Its patterns take longer to compile than all the rest of a command
    takes to start, and most commands, and the daemon itself, only ask which files of signatures there are."""
    from dlp.detect import validators

    return validators


def _marks(
    paths: Sequence[Path], sources: dict[str, str], signatures: dict[str, Signature], faults: list[Fault]
) -> Markings | None:
    """What marks are judged by, and a signature for those of an operator's own; None where no signature asks for it."""
    found = tables(paths)
    asking = [one for one in signatures.values() if one.validator in _known().MARKING_VALIDATORS]
    if not found:
        remedy = f"name the folder of the shipped signatures in [signatures] paths; it holds {FILE}"
        faults += [Fault(f"{one.path}:{one.line}", one.name, f"its validator needs a {FILE}", remedy) for one in asking[:1]]
        return None
    read = read_tables(found, faults)
    if read is None:
        return None
    if read.own:
        place, source = found[-1], own_rule(read)
        for rule in _declared(place, source, faults):
            _admit(rule, place, 1, signatures, faults)
        signatures[OWN] = replace(signatures[OWN], source=source)
        sources[str(place)] = source
    return Markings(read)


def tables(paths: Sequence[Path]) -> list[Path]:
    """The files that say how markings are judged: those in the folders, and beside the files named; in this order, each once."""
    found: dict[Path, Path] = {}
    for path in paths:
        places = sorted(path.rglob(FILE)) if path.is_dir() else [path.parent / FILE]
        found.update({place.resolve(): place for place in places if place.is_file() and place.resolve() not in found})
    return list(found.values())


def files(path: Path) -> list[Path]:
    """The signature files at `path`: itself, or those under it, sorted."""
    if path.is_dir():
        return sorted(file for file in path.rglob("*") if file.suffix in SUFFIXES and file.is_file())
    return [path]


def _files(paths: Sequence[Path], faults: list[Fault]) -> Iterator[Path]:
    seen: set[Path] = set()
    for path in paths:
        if not path.exists():
            faults.append(Fault(str(path), "", "no such file or folder", "correct [signatures] paths, or create it"))
            continue
        for file in files(path):
            if (real := file.resolve()) not in seen:  # a folder named twice is read once
                seen.add(real)
                yield file


def _read(path: Path, faults: list[Fault]) -> str:
    try:
        return path.read_text("utf-8-sig")
    except OSError as error:
        faults.append(Fault(str(path), "", f"cannot be read: {error.strerror}", "check its permissions"))
    except UnicodeDecodeError:
        faults.append(Fault(str(path), "", "is not UTF-8", "save it as UTF-8"))
    return ""


def _declared(path: Path, source: str, faults: list[Fault]) -> list[Declared]:
    """The file's rules, or none and a fault: each file is compiled alone first, so that the fault names it."""
    try:
        return list(compile_source(source).declared())
    except CompileError as error:
        place = f"{path}:{error.line}" if error.line else str(path)
        faults.append(Fault(place, "", f"does not compile: {error.message}", _remedy(error.message)))
        return []


def _remedy(message: str) -> str:
    if "includes are disabled" in message:
        return "put the included rules into a file of their own in the folder; include is not allowed"
    if "undefined identifier" in message:
        return "rules see only rules of their own file; external variables are not defined"
    if "duplicated identifier" in message:
        return "rename one of the two"
    return "correct the rule"


def _line(source: str, name: str) -> int:
    found = re.search(rf"^[ \t]*(?:(?:private|global)\s+)*rule\s+{re.escape(name)}\b", source, re.MULTILINE)
    return source.count("\n", 0, found.start()) + 1 if found else 1


def _admit(rule: Declared, path: Path, line: int, signatures: dict[str, Signature], faults: list[Fault]) -> None:
    place = f"{path}:{line}"
    if rule.is_global:
        remedy = "write its condition into the rules that need it, or make it private and name it there"
        faults.append(Fault(place, rule.name, "is global: where it does not hold, no other rule would be asked", remedy))
    if rule.is_private or rule.is_global:
        return
    if (other := signatures.get(rule.name)) is not None:
        faults.append(Fault(place, rule.name, f"the name is taken by {other.path}:{other.line}", "rename one of the two"))
        return
    meta = _Meta(rule.meta, place, rule.name)
    signature = meta.signature(path, line)
    faults.extend(meta.faults)
    signatures[rule.name] = signature


_KEYS = ("title", "title_zh", "category", "level", "confidence", "validator", "min_count", "near", "zone", "on", "mode")


class _Meta:
    """Reads one rule's meta and collects what is wrong with it; a value that is wrong is read as its default."""

    def __init__(self, meta: Mapping[str, Any], place: str, rule: str) -> None:
        self.meta, self.place, self.rule = meta, place, rule
        self.faults: list[Fault] = []

    def signature(self, path: Path, line: int) -> Signature:
        category, level = self._id("category"), self._id("level")
        if "category" not in self.meta and "level" not in self.meta:
            self._fault("has neither category nor level", 'add category = "…", or level = "…" where the text states its level')
        signature = Signature(
            name=self.rule,
            title=self._text("title"),
            title_zh=self._text("title_zh"),
            category=category,
            level=level,
            confidence=self._number("confidence", low=0, high=100, required=True),
            validator=self._validator(),
            min_count=self._number("min_count", low=1, high=10_000),
            near=self._near(),
            zones=frozenset(Zone(name) for name in self._names("zone", tuple(Zone))),
            on=frozenset(Lane(name) for name in self._names("on", tuple(Lane))) or frozenset(Lane),
            mode=self._mode(),
            path=path,
            line=line,
        )
        self._unreachable(signature)
        self._misspelt()
        return signature

    def _fault(self, what: str, remedy: str = "") -> None:
        self.faults.append(Fault(self.place, self.rule, what, remedy))

    def _text(self, key: str) -> str:
        value = self.meta.get(key)
        if not isinstance(value, str) or not value.strip():
            self._fault(f"lacks the meta {key}", f'add {key} = "…"')
            return ""
        return value

    def _id(self, key: str) -> str | None:
        value = self.meta.get(key)
        if value is None:
            return None
        if not isinstance(value, str) or not _ID.fullmatch(value):
            self._fault(f"its {key} is not an id", "write small Latin letters, digits and hyphens, such as top-secret")
            return None
        return value

    def _number(self, key: str, *, low: int, high: int, required: bool = False) -> int:
        value = self.meta.get(key)
        if value is None:
            if required:
                self._fault(f"lacks the meta {key}", f"add {key} = {low} to {high}")
            return low
        if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
            self._fault(f"its {key} is not a whole number from {low} to {high}", f"write {key} = {high}, without quotes")
            return low
        return value

    def _validator(self) -> str | None:
        return self._one_of("validator", _known().NAMES)

    def _mode(self) -> Mode:
        return Mode(self._one_of("mode", tuple(Mode)) or Mode.ENFORCE)

    def _one_of(self, key: str, known: Sequence[str]) -> str | None:
        value = self.meta.get(key)
        if value is None or value in known:
            return value
        self._unknown(key, str(value), known)
        return None

    def _names(self, key: str, known: Sequence[str]) -> list[str]:
        """A list of names, divided by commas or bars; those unknown are faults and left out."""
        value = self.meta.get(key)
        if value is None:
            return []
        names = [name for name in re.split(r"[,|\s]+", str(value)) if name]
        if not names:
            self._fault(f"its {key} is empty", f"leave {key} out, or name one of {', '.join(known)}")
        for name in names:
            if name not in known:
                self._unknown(key, name, known)
        return [name for name in names if name in known]

    def _near(self) -> tuple[str, ...]:
        value = self.meta.get("near")
        if value is None:
            return ()
        words = folded_words(value) if isinstance(value, str) else ()
        if not words:
            self._fault("its near holds no word", 'write near = "word|another word"')
        return words

    def _unknown(self, key: str, value: str, known: Sequence[str]) -> None:
        close = difflib.get_close_matches(value, known, n=1)
        remedy = f"did you mean {close[0]!r}?" if close else f"known: {', '.join(sorted(known)) or 'none'}"
        self._fault(f"unknown {key} {value!r}", remedy)

    def _unreachable(self, signature: Signature) -> None:
        """A zone that no view of the signature can show would make a rule that never fires."""
        views = {Zone.FILENAME: Lane.NAME, Zone.RAW: Lane.RAW}
        reachable = {views.get(zone, Lane.TEXT) for zone in signature.zones}
        if signature.zones and not reachable & signature.on:
            wanted = ", ".join(sorted(reachable))
            self._fault("its zone is in no view it is asked over", f"let on name {wanted}, or leave on out")

    def _misspelt(self) -> None:
        """Other keys (author, reference …) are free, unless they look like one that matters."""
        for key in self.meta:
            close = difflib.get_close_matches(key, _KEYS, n=1, cutoff=0.8)
            if key not in _KEYS and close:
                self._fault(f"unknown meta {key}", f"did you mean {close[0]!r}?")
