"""Hits and near misses of signatures, as data beside the rules.

A file `<family>.yml` belongs to `<family>.yar`. It lies beside the rules (there `<family>.tests.yml` is read too), or,
for the shipped signatures, in a folder of its own. Its form:

    cn_id:                                    # a signature
      hits:                                   # each must be found
        - "身份证号 110101199003077432"       # a text: the whole body of a document
        - {text: "…", zone: header}           # a text in another zone
        - {name: "110101199003077432.pdf"}    # a file's name; may stand together with a text
        - {raw_base64: "TVo="}                # a file's bytes
        - {text: "…", level: secret, count: 2}   # and with this level, this count of distinct matches
      near_misses:                            # none may be found; the same forms, without level and count
        - "编号 110101199003077431"
"""

import base64
import binascii
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from dlp.errors import Fault
from dlp.model import Part, Raw, Zone

HITS, NEAR_MISSES = "hits", "near_misses"
_KEYS = ("text", "zone", "name", "raw_base64", "level", "count")


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One example: `hit` tells whether `signature` must be found in `pieces`. `number` counts from 1 in its list."""

    signature: str
    hit: bool
    number: int
    path: Path
    pieces: tuple[Part | Raw, ...]
    level: str | None = None
    count: int | None = None

    @property
    def key(self) -> str:
        """Where in the file it stands."""
        return f"{self.signature}.{HITS if self.hit else NEAR_MISSES}[{self.number}]"


def case_files(family: Path, tests: Path | None) -> list[Path]:
    """Where the cases of the signature file `family` are: those files that exist, in `tests` and beside it."""
    places = [family.with_suffix(".yml"), family.with_suffix(".tests.yml")]
    if tests is not None:
        places.insert(0, tests / f"{family.stem}.yml")
    return [place for place in places if place.is_file()]


def read_cases(path: Path) -> tuple[list[Case], list[Fault]]:
    """The cases in one file, and what is wrong with it."""
    faults: list[Fault] = []
    try:
        document = yaml.safe_load(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        return [], [Fault(str(path), "", f"cannot be read: {type(error).__name__}", "save it as UTF-8 YAML")]
    if not isinstance(document, dict):
        return [], [Fault(str(path), "", "is no mapping of signatures to cases", "see the docstring of dlp.detect.cases")]
    return [case for name, lists in document.items() for case in _cases(path, str(name), lists, faults)], faults


def _cases(path: Path, signature: str, lists: Any, faults: list[Fault]) -> Iterator[Case]:
    if not isinstance(lists, dict) or not set(lists) <= {HITS, NEAR_MISSES}:
        faults.append(Fault(str(path), signature, "is not a mapping of hits and near_misses"))
        return
    for kind, examples in lists.items():
        for number, example in enumerate(examples or (), 1):
            try:
                yield _case(path, signature, kind == HITS, number, example)
            except ValueError as error:
                faults.append(Fault(str(path), f"{signature}.{kind}[{number}]", str(error)))


def _case(path: Path, signature: str, hit: bool, number: int, example: Any) -> Case:
    """Raises ValueError, with a sentence, for an example of no known form."""
    fields: Mapping[str, Any] = {"text": example} if isinstance(example, str) else example
    if not isinstance(fields, dict) or not fields:
        raise ValueError("is neither a text nor a mapping")
    if unknown := [key for key in fields if key not in _KEYS]:
        raise ValueError(f"unknown key {unknown[0]!r}; known: {', '.join(_KEYS)}")
    level, count = fields.get("level"), fields.get("count")
    if not hit and (level is not None or count is not None):
        raise ValueError("a near miss has neither level nor count")
    return Case(signature=signature, hit=hit, number=number, path=path, pieces=_pieces(fields), level=level, count=count)


def _pieces(fields: Mapping[str, Any]) -> tuple[Part | Raw, ...]:
    pieces: list[Part | Raw] = []
    if "name" in fields:
        pieces.append(Part(text=str(fields["name"]), zone=Zone.FILENAME))
    if "text" in fields:
        zone = Zone(fields.get("zone", "body"))
        body = zone is Zone.BODY
        pieces.append(Part(text=str(fields["text"]), zone=zone, start=body, page=1 if body else None))
    if "raw_base64" in fields:
        try:
            pieces.append(Raw(data=base64.b64decode(fields["raw_base64"], validate=True)))
        except (binascii.Error, TypeError) as error:
            raise ValueError("its raw_base64 is not base64") from error
    if not pieces:
        raise ValueError("has none of text, name, raw_base64")
    return tuple(pieces)


def cases_of(families: Sequence[tuple[Path, Path | None]]) -> tuple[list[Case], list[Fault]]:
    """The cases of many signature files, each with the folder of its tests or None."""
    cases: list[Case] = []
    faults: list[Fault] = []
    for family, tests in families:
        for path in case_files(family, tests):
            found, wrong = read_cases(path)
            cases.extend(found)
            faults.extend(wrong)
    return cases, faults
