"""All registers of one installation, opened together.

`<state>/register/` has a folder for each kind, and in it a set of `dlp.columns`, whose manifest is replaced by every change.
Nothing readable of what was declared is in any of these files; what people see of an entry is in the database.
"""

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from dlp.columns import MANIFEST
from dlp.detect import codenames, records
from dlp.detect.documents import DECLARED, open_documents
from dlp.detect.register import BuiltIn, Register, Seen
from dlp.model import Finding, Unscannable

Opener = Callable[[Path, bytes], Register | None]
"""Is given the register folder and the key of all registers; None where nothing of its kind is declared. Raises ConfigError for
what is damaged or may not be read. Everything it will read is mapped when it returns: nothing can be opened later."""

OPENERS: Mapping[str, Opener] = {
    "documents": open_documents,
    records.KIND: records.open_records,
    codenames.KIND: codenames.open_codenames,
}
"""By kind."""

BUILT_IN: Mapping[str, BuiltIn] = {one.name: one for one in (DECLARED, records.SIGNATURE, codenames.SIGNATURE)}
"""Every signature that a register may report, by name."""


def titles(language: str) -> dict[str, str]:
    """What registers find, for people, by signature; `language` is "zh" or "en"."""
    return {name: one.title_zh if language == "zh" else one.title for name, one in BUILT_IN.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Registers:
    """What is declared. `key` keys every index; None where there is no register at all."""

    key: bytes | None = None
    opened: Sequence[Register] = ()

    @classmethod
    def open(cls, folder: Path, key: bytes | None) -> "Registers":
        """Open what there is under `folder`. Raises ConfigError for what is damaged or may not be read."""
        if key is None:
            return cls()
        found = [register for opener in OPENERS.values() if (register := opener(folder, key)) is not None]
        return cls(key=key, opened=tuple(found))

    @property
    def signatures(self) -> frozenset[str]:
        """The names that findings of these registers carry."""
        return frozenset(one.name for register in self.opened for one in register.signatures)

    def __bool__(self) -> bool:
        return bool(self.opened)

    def findings(self, seen: Seen) -> Iterator[Finding | Unscannable]:
        """What of `seen` is declared, register by register."""
        for register in self.opened:
            yield from register.findings(seen)


def generation(folder: Path) -> bytes:
    """A digest of what is declared; b"" where nothing ever was. Raises OSError."""
    manifests = [path.read_bytes() for path in _manifests(folder)]
    return hashlib.sha256(b"".join(hashlib.sha256(one).digest() for one in manifests)).digest() if manifests else b""


def stamp(folder: Path) -> Sequence[tuple[str, int, int]]:
    """What changes when `generation` does, cheap to ask. Raises OSError."""
    return [(path.parent.name, status.st_ino, status.st_mtime_ns) for path in _manifests(folder) for status in (path.stat(),)]


def _manifests(folder: Path) -> list[Path]:
    return sorted(folder.glob(f"*/{MANIFEST}"))
