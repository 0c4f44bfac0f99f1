"""Workers: `ports.Inspector` by confined children of a zygote.

A message gets a child of its own, so that a child one message took over cannot call the next one clean; so does
whatever a risky format reads. Other files share persistent children, replaced after `recycle_after` documents.
Whatever a child does (dies, hangs, lies, reaches a limit), the answer is an Unscannable and what could still be found
around it; it is never "clean".
"""

import asyncio
import math
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from dlp.metrics import Metrics
from dlp.model import Channel, Envelope, Inspection, Item, Limits, Unscannable, Why
from dlp.workers.crew import Confinement, Crew, Task, readable
from dlp.workers.passwords import MOST_PASSED, PasswordSettings, Remembered, Words
from dlp.workers.pictures import OcrSettings, Pictures
from dlp.workers.processes import JOB, LOADER, OCR, Done, Recipe
from dlp.workers.rounds import Reading, salvage, whole
from dlp.workers.turns import Turns

_ANSWER = 0.9
"""Share of a channel's deadline in which an item is to be inspected; the rest is for deciding, recording and custody."""
_FAMILIES = {
    "mail": "message/ application/mbox application/vnd.ms-outlook application/ms-tnef application/vnd.ms-tnef application/pkcs7- "
    "application/pgp-",
    "text": "text/ application/json",
    "image": "image/",
    "media": "audio/ video/",
    "pdf": "application/pdf",
    "archive": "application/zip application/gzip application/zstd application/vnd.rar application/vnd.ms-cab application/x-tar "
    "application/x-7z application/x-arj application/x-archive application/x-bzip2 application/x-cab application/x-compress "
    "application/x-cpio application/x-iso9660 application/x-lha application/x-lz application/x-rpm application/x-xar "
    "application/x-xz application/x-zip",
    "office": "application/vnd.openxmlformats application/vnd.oasis.opendocument application/vnd.sun.xml application/vnd.ms- "
    "application/msword application/rtf application/ofd application/epub application/encrypted application/x-ole-storage",
    "binary": "application/x- application/vnd.microsoft.portable-executable",
}
"""What a media type begins with; of several families the first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerSettings:
    """The table [workers]. `count` children at once (0: one for each processor); a persistent child is replaced after
    `recycle_after` documents; with "best-effort" a kernel that lacks a layer is told about and used all the same."""

    confinement: Confinement = "required"
    count: int = 0
    recycle_after: int = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What the workers go by, all of which a reload may change.

    `given` are the operator's passwords. `ocr` is None where text in pictures is not read. `deadlines` are the seconds
    in which a channel has to answer for an item, for those channels that have to. `registers` is the folder of what is
    declared, `key` theirs; None where there is nothing.
    """

    signatures: Sequence[Path] = ()
    limits: Limits = field(default_factory=Limits)
    given: Words = field(default_factory=Words)
    passwords: PasswordSettings = field(default_factory=PasswordSettings)
    ocr: OcrSettings | None = None
    deadlines: Mapping[Channel, float] = field(default_factory=dict)
    registers: Path | None = None
    key: bytes | None = field(default=None, repr=False)


class Workers:
    """The confined workers of one daemon. `start` before the first `inspect`, `stop` at the end."""

    def __init__(
        self,
        settings: WorkerSettings,
        plan: Plan,
        metrics: Metrics,
        *,
        job: str = JOB,
        loader: str = LOADER,
        reader: str = OCR,
    ) -> None:
        self._settings = settings
        self._count = settings.count or len(os.sched_getaffinity(0))
        self._job, self._loader, self._reader = job, loader, reader
        self._plan = plan
        self._metrics = metrics
        self._turns = Turns(self._count)
        self._remembered = Remembered(plan.passwords)
        self._crew = Crew(self._recipe(plan), metrics, confinement=settings.confinement, recycle_after=settings.recycle_after)
        self._pictures: Pictures | None = None
        self._leaving: dict[Pictures, asyncio.Task[None]] = {}
        self._show()

    async def start(self) -> None:
        """Returns once an item can be inspected. Raises ConfigError (SignatureError), ConfinementError, WorkerError."""
        await self._crew.start()
        self._replace_pictures(self._plan)

    async def stop(self) -> None:
        """End every child and every zygote; jobs under way are lost."""
        for pictures in (*self._leaving, *([self._pictures] if self._pictures else [])):
            await pictures.stop()
        for task in self._leaving.values():
            task.cancel()
        await self._crew.stop()

    async def reload(self, plan: Plan) -> None:
        """Go by `plan` once it has been tried. Raises as `start` does, and then everything is as it was. Jobs under way,
        and those that wait for their pictures, end as they began."""
        await self._crew.reload(self._recipe(plan))
        self._plan = plan
        self._remembered.adopt(plan.passwords)
        self._replace_pictures(plan)

    async def check(self) -> None:
        """Have a plain text inspected by a child of its own, outside the turns: a daemon whose children are all busy is
        well. Raises WorkerError where that does not end in an inspection."""
        await self._crew.check()

    @property
    def signatures(self) -> frozenset[str]:
        """The names of the signatures in force; empty before `start`."""
        return self._crew.signatures

    async def inspect(self, item: Item) -> Inspection:
        """See `ports.Inspector`."""
        return (await self._done(item)).inspection

    async def declare(self, item: Item, register: str) -> tuple[Inspection, bytes]:
        """What could not be read of `item`, and what the register of this kind wants to know of the rest (see
        `dlp.inspection.DECLARING`): made of hostile bytes by a child, so not to be believed in shape or size."""
        done = await self._done(item, declaring=register)
        return done.inspection, done.declared

    async def _done(self, item: Item, declaring: str = "") -> Done:
        plan = self._plan
        until = time.monotonic() + _ANSWER * plan.deadlines.get(item.channel, math.inf)
        async with self._turns.turn(item.channel.value):
            self._show()
            try:
                with readable(item.blob) as content:
                    task = replace(self._task(item, content, plan), declaring=declaring)
                    reading = await self._first(item, task, until=until)
            finally:
                self._show(ending=1)
        if self._pictures is not None and reading.done.inspection.pictures:
            with readable(item.blob) as content:
                task = replace(self._task(item, content, plan), declaring=declaring)
                reading = await self._pictures.again(reading, task, name=item.channel.value, until=until)
        if isinstance(item.origin, Envelope):
            self._remembered.learn(item.origin.sender, reading.done.learned)
        return reading.done

    def _task(self, item: Item, content: int, plan: Plan) -> Task:
        known = self._remembered.of(item.origin.sender) if isinstance(item.origin, Envelope) else ()
        return Task(
            content=content,
            size=min(item.blob.size, plan.limits.bytes),
            seconds=plan.limits.seconds,
            name=None if item.name is None else item.name.encode("utf-8", "surrogateescape"),
            media=item.media,
            fresh=item.channel is Channel.MAIL,
            passwords=Words(tuple(dict.fromkeys((*plan.given.words, *known)))[:MOST_PASSED]),
        )

    async def _first(self, item: Item, task: Task, *, until: float) -> Reading:
        """The item without the text in its pictures."""
        started = time.monotonic()
        reading = await self._read(item, task, until=until)
        inspection = replace(reading.done.inspection, seconds=time.monotonic() - started)
        self._metrics.inspect_seconds.labels(family(inspection.media_type)).observe(inspection.seconds)
        return replace(reading, done=replace(reading.done, inspection=inspection))

    async def _read(self, item: Item, task: Task, *, until: float) -> Reading:
        if item.blob.size > task.size:
            too_large = Unscannable(why=Why.TOO_LARGE, detail=f"{item.blob.size} bytes, the limit is {task.size}")
            return await salvage(self._crew, task, too_large)
        return await whole(self._crew, task, until=until)

    def _recipe(self, plan: Plan) -> Recipe:
        return Recipe(
            paths=tuple(plan.signatures),
            limits=plan.limits,
            job=self._job,
            loader=self._loader,
            registers=plan.registers,
            key=plan.key,
        )

    def _replace_pictures(self, plan: Plan) -> None:
        self._retire_pictures()
        if plan.ocr is not None:
            recipe = replace(self._recipe(plan), ocr=self._reader)
            self._pictures = Pictures(plan.ocr, recipe, self._metrics, confinement=self._settings.confinement)
            if plan.ocr.use == "required":
                self._pictures.start()

    def _retire_pictures(self) -> None:
        """What waits there is still read there."""
        old, self._pictures = self._pictures, None
        if old is not None:
            self._leaving[old] = asyncio.create_task(self._leave(old))

    async def _leave(self, old: Pictures) -> None:
        await old.drained()
        await old.stop()
        del self._leaving[old]

    def _show(self, *, ending: int = 0) -> None:
        idle = min(self._count, self._turns.free + ending)
        self._metrics.workers.labels("idle").set(idle)
        self._metrics.workers.labels("busy").set(self._count - idle)


def family(media_type: str) -> str:
    """The kind of content as a metric's label: few, and none that a document can choose."""
    return next((name for name, starts in _FAMILIES.items() if media_type.startswith(tuple(starts.split()))), "other")
