"""What the folder tests share: a pipeline in small, a custody on disk, a journal in memory, and a channel to drive."""

import asyncio
import contextlib
import hashlib
import itertools
import json
import os
import re
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from dlp.channels.folder import FolderPorts
from dlp.channels.share import ShareChannel, ShareSettings
from dlp.errors import StoreError
from dlp.metrics import Metrics
from dlp.model import Action, Channel, FileOrigin, Inspection, Item, Limits, Verdict
from dlp.ports import FileVersion, Gate, Held, Outcome

MARK = b"TOP SECRET"


def by_mark(item: Item) -> Action:
    """Quarantine what bears the mark in its first megabyte."""
    return Action.QUARANTINE if MARK in next(item.blob.chunks(), b"") else Action.ALLOW


class Custody:
    """Originals in a directory, each durable before its id is returned."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.full = False
        folder.mkdir(exist_ok=True)

    def store(self, item: Item, attributes: dict[str, Any]) -> str:
        if self.full:
            raise StoreError("no space left for custody")
        assert isinstance(item.origin, FileOrigin)
        held = f"{item.blob.sha256[:16]}-{item.id}"
        row = {"attributes": attributes, "path": item.origin.path, "volume": item.origin.volume, "owner": item.origin.owner}
        self._durable(held + ".json", json.dumps(row).encode())
        self._durable(held, b"".join(item.blob.chunks()))
        return held

    def _durable(self, name: str, content: bytes) -> None:
        temporary = self.folder / f"{name}.part"
        with temporary.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.rename(self.folder / name)

    def contents(self) -> list[bytes]:
        return [path.read_bytes() for path in sorted(self.folder.iterdir()) if "." not in path.name]

    def held(self, incident: str = "inc") -> list[Held]:
        return list(self._held(incident))

    def _held(self, incident: str) -> Iterator[Held]:
        for path in sorted(self.folder.glob("*.json")):
            row = json.loads(path.read_text())
            content = (self.folder / path.stem).read_bytes()
            yield Held(
                id=path.stem,
                incident=incident,
                channel=Channel.SHARE,
                stored=datetime.now(UTC),
                size=len(content),
                sha256=hashlib.sha256(content).hexdigest(),
                level=None,
                origin=FileOrigin(path=row["path"], volume=row["volume"], owner=row["owner"], device="", inode=0),
                state="held",
                attributes=row["attributes"],
            )


class MemoryJournal:
    def __init__(self) -> None:
        self.versions: set[FileVersion] = set()

    def known(self, version: FileVersion) -> bool:
        return version in self.versions

    def note(self, version: FileVersion) -> None:
        self.versions.add(version)

    def keep_only(self, basis: str) -> int:
        before = len(self.versions)
        self.versions = {version for version in self.versions if version.basis == basis}
        return before - len(self.versions)


@dataclass
class Bench:
    """`judged` is every item submitted, in order, its blob closed by now. `meanwhile` runs between custody and gate."""

    custody: Custody
    decide: Callable[[Item], Action] = by_mark
    meanwhile: Callable[[Item], None] = lambda item: None
    journal: MemoryJournal = field(default_factory=MemoryJournal)
    metrics: Metrics = field(default_factory=Metrics)
    limits: Limits = field(default_factory=Limits)
    basis: str = "1"
    judged: list[Item] = field(default_factory=list)
    notices: bool = True
    number: Iterator[int] = field(default_factory=itertools.count)

    async def submit(self, item: Item, gate: Gate) -> Outcome:
        action = self.decide(item)
        self.judged.append(item)
        verdict = Verdict(action=action, level="secret")
        held = None
        if action >= Action.QUARANTINE:
            held = await asyncio.to_thread(self.custody.store, item, dict(gate.attributes))
            self.meanwhile(item)
            await gate.withhold(verdict, "inc", held)
        else:
            self.meanwhile(item)
            await gate.release()
        return Outcome(verdict=verdict, inspection=Inspection(), incident="inc" if held else None, held=held)

    @property
    def paths(self) -> list[str]:
        return [item.origin.path for item in self.judged if isinstance(item.origin, FileOrigin)]

    def ports(self) -> FolderPorts:
        return FolderPorts(
            submit=self.submit,
            journal=self.journal,
            metrics=self.metrics,
            limits=self.limits,
            basis=lambda: self.basis,
            notice=self.notice if self.notices else None,
            clock=lambda: datetime.now(UTC),
            new_id=lambda: f"item-{next(self.number):06d}",
        )

    def notice(self, verdict: Verdict, incident: str, name: str) -> str:
        return f"此文件已被移入隔离区。This file was moved to quarantine. {incident}"

    @contextlib.asynccontextmanager
    async def share(self, *paths: Path, **settings: Any) -> AsyncIterator[ShareChannel]:
        """A share channel over `paths`, its first walk done."""
        chosen = replace(ShareSettings(paths=paths, settle_seconds=0.05), **settings)
        channel = ShareChannel(chosen, self.ports())
        await channel.start()
        try:
            await channel.settled()
            yield channel
        finally:
            await channel.stop()

    def metric(self, name: str, **labels: str) -> float:
        return self.metrics.registry.get_sample_value(name, labels) or 0.0


async def until(condition: Callable[[], bool]) -> None:
    """Wait until it is so; the test's own timeout ends a wait in vain."""
    while not condition():
        await asyncio.sleep(0.01)


def notices(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("*") if re.search(r"\.dlp(\.\d)?\.txt$", path.name))
