"""What a register is: something the organisation has declared, looked for in every item.

A register's findings carry the name of a built-in signature. A policy names it as any other.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from dlp.detect.normalise import Folded
from dlp.model import Finding, Part, Trail, Unscannable


@dataclass(frozen=True, slots=True, kw_only=True)
class BuiltIn:
    """A signature that is no YARA rule. `category` is None where an entry states its own level."""

    name: str
    title: str
    title_zh: str
    category: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """One item as registers see it: its texts and its file names, each with its folded form, and the SHA-256 of every file
    in it, the outermost first."""

    texts: Sequence[tuple[Part, Folded]]
    names: Sequence[tuple[Part, Folded]]
    files: Sequence[tuple[Trail, bytes]]


class Register(Protocol):
    """One kind of declared material, opened. Immutable, and shared by forked children, so its files stay mapped."""

    @property
    def signatures(self) -> Sequence[BuiltIn]:
        """Those its findings carry."""

    def findings(self, seen: Seen) -> Iterator[Finding | Unscannable]:
        """What of `seen` is declared. Excerpts are masked; what could not be looked at is an Unscannable."""
