"""What secrecy policies ask for, and what answers it.

`signatures/coverage.toml` lists the categories of information that real policies name, C01 to C69, each with words in both
languages and its answer: signatures that find it by content, registers in which its owner declares it, the part of profile or
policy that settles it, or a reason why content cannot. A category may have several.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from dlp.errors import ConfigError, Fault
from dlp.settings import check, read

FILE = "coverage.toml"
IDS = tuple(f"C{number:02d}" for number in range(1, 70))
REGISTERS = ("documents", "public", "records", "codenames")
"""Verbs of `dlp register`: declared documents, public ones, declared tables, code names."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Coverage:
    """One category of information and what answers it; at least one of the four is not empty."""

    zh: str
    en: str
    signatures: tuple[str, ...] = ()
    registers: tuple[str, ...] = ()
    policy: str = ""
    reason: str = ""


def load(path: Path) -> Mapping[str, Coverage]:
    """The categories by id, in the file's order. Raises ConfigError for a file of another shape."""
    return check(read(path), dict[str, Coverage], where=str(path))


def lint(path: Path, signatures: Collection[str]) -> list[Fault]:
    """What is wrong with the file: its shape, a category that lacks or is unknown, one without an answer, a signature or a
    register that does not exist."""
    try:
        categories = load(path)
    except ConfigError as error:
        return list(error.faults)
    faults = [
        Fault(str(path), one, "the category is missing", f"add [{one}] with its answer") for one in IDS if one not in categories
    ]
    for name, category in categories.items():
        faults += [Fault(str(path), name, what, remedy) for what, remedy in _wrong(name, category, signatures)]
    return faults


def _wrong(name: str, category: Coverage, signatures: Collection[str]) -> list[tuple[str, str]]:
    """What is wrong with one category, and what to do."""
    wrong = [
        (f"names the signature {one!r}, which does not exist", "correct or remove it")
        for one in category.signatures
        if one not in signatures
    ]
    wrong += [
        (f"names the register {one!r}", f"known: {', '.join(REGISTERS)}") for one in category.registers if one not in REGISTERS
    ]
    if name not in IDS:
        wrong.append(("is no category", f"the ids are {IDS[0]} to {IDS[-1]}"))
    if not category.zh.strip() or not category.en.strip():
        wrong.append(("lacks its words", "fill zh and en"))
    if not (category.signatures or category.registers or category.policy.strip() or category.reason.strip()):
        wrong.append(("has no answer", "name signatures, registers, the policy that settles it, or a reason"))
    return wrong
