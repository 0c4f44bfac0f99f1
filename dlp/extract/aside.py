"""What a sheet or a workbook of records says beside its cells: texts by zone, and records whose layout is not gone into."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from dlp.extract.biff import loose
from dlp.extract.budget import Budget
from dlp.extract.document import Document
from dlp.model import Part, Trail, Zone


@dataclass(slots=True)
class Aside:
    """Texts, each once in its zone; `loose` is the data of records without a known layout. `packaged` says it is BIFF12."""

    packaged: bool = False
    loose: list[bytes] = field(default_factory=list)
    _zones: dict[Zone, dict[str, None]] = field(default_factory=dict)

    def add(self, zone: Zone, text: str) -> None:
        """Take in a text."""
        if text and not text.isspace():
            self._zones.setdefault(zone, {})[text.strip("\0")] = None

    def parts(
        self, document: Document, budget: Budget, *, zone: Zone = Zone.HIDDEN, trail: Trail = (), page: int | None = None
    ) -> Iterator[Part]:
        """All texts; those found in loose records are of `zone`."""
        for run in loose(self.loose, budget, packaged=self.packaged):
            self.add(zone, run.rstrip("\n"))
        for place, found in self._zones.items():
            yield from document.parts((f"{text}\n" for text in found), zone=place, trail=trail, page=page)
