"""Workers: `ports.Inspector` by confined children of a zygote.

A message gets a child of its own, so that a child one message took over cannot call the next one clean.
Files share persistent children, replaced after `recycle_after` documents. Whatever a child does (dies,
hangs, lies, reaches a limit), the answer is an Unscannable and what a second child could still find in the
runs of printable text; it is never "clean".
"""

import asyncio
import fcntl
import itertools
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import structlog

from dlp.blob import Blob
from dlp.errors import ConfigError, ConfinementError, WorkerError
from dlp.metrics import Metrics
from dlp.model import Channel, Inspection, Item, Limits, Unscannable, Why
from dlp.workers import wire
from dlp.workers.processes import JOB, LOADER, Child, Lost, Recipe, Zygote
from dlp.workers.turns import Turns

log = structlog.get_logger()

_SALVAGE_SECONDS = 10.0
"""The most a salvage may take, so that an item is answered within two deadlines of its own."""
_CANARY = b"A plain text that every worker can read.\n"
_FAMILIES = (
    ("message/", "mail"),
    ("text/", "text"),
    ("image/", "image"),
    ("audio/", "media"),
    ("video/", "media"),
    ("application/pdf", "pdf"),
    ("application/vnd.openxmlformats", "office"),
    ("application/vnd.oasis.opendocument", "office"),
    ("application/vnd.ms-", "office"),
    ("application/msword", "office"),
    ("application/rtf", "office"),
    ("application/zip", "archive"),
    ("application/gzip", "archive"),
    ("application/x-tar", "archive"),
    ("application/x-", "binary"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerSettings:
    """The table [workers]. `count` children at once (0: one for each processor); a persistent child is replaced after
    `recycle_after` documents; with "best-effort" a kernel that lacks a layer is told about and used all the same."""

    confinement: Literal["required", "best-effort"] = "required"
    count: int = 0
    recycle_after: int = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class _Task:
    """One item's job before it has a child. `content` is an open descriptor nobody can write through."""

    content: int
    size: int
    name: bytes | None = None
    media: str | None = None
    fresh: bool = True
    salvaging: bool = False
    seconds: float


class Workers:
    """The confined workers of one daemon. `start` before the first `inspect`, `stop` at the end."""

    def __init__(
        self,
        settings: WorkerSettings,
        limits: Limits,
        signature_paths: Sequence[Path],
        metrics: Metrics,
        *,
        job: str = JOB,
        loader: str = LOADER,
    ) -> None:
        self._settings = settings
        self._count = settings.count or len(os.sched_getaffinity(0))
        self._recipe = Recipe(paths=tuple(signature_paths), limits=limits, job=job, loader=loader)
        self._metrics = metrics
        self._turns = Turns(self._count)
        self._serials = itertools.count(1)
        self._changing = asyncio.Lock()
        self._zygote: Zygote | None = None
        self._show()

    async def start(self) -> None:
        """Returns once an item can be inspected. Raises ConfigError (SignatureError), ConfinementError, WorkerError."""
        async with self._changing:
            self._zygote = await self._tried(self._recipe)

    async def stop(self) -> None:
        """End every child and the zygote; jobs under way are lost."""
        async with self._changing:
            zygote, self._zygote = self._zygote, None
            if zygote is not None:
                await zygote.stop()

    async def reload(self, signature_paths: Sequence[Path], limits: Limits) -> None:
        """Build a new zygote beside the old, try it, and put it in its place. Raises as `start` does, and then the old
        one stays. Jobs under way finish on the zygote they began with."""
        async with self._changing:
            recipe = replace(self._recipe, paths=tuple(signature_paths), limits=limits)
            fresh = await self._tried(recipe)
            old, self._zygote, self._recipe = self._zygote, fresh, recipe
            if old is not None:
                old.retire()

    async def check(self) -> None:
        """Have a plain text inspected by a child of its own, outside the turns: a daemon whose children are all busy is
        well. Raises WorkerError where that does not end in an inspection."""
        await self._canary(await self._living())

    @property
    def signatures(self) -> frozenset[str]:
        """The names of the signatures in force; empty before `start`."""
        return self._zygote.signatures if self._zygote is not None else frozenset()

    async def inspect(self, item: Item) -> Inspection:
        """See `ports.Inspector`."""
        async with self._turns.turn(item.channel.value):
            self._show()
            try:
                with readable(item.blob) as content:
                    inspection = await self._inspect(item, content)
            finally:
                self._show(ending=1)
        self._metrics.inspect_seconds.labels(family(inspection.media_type)).observe(inspection.seconds)
        return inspection

    async def _inspect(self, item: Item, content: int) -> Inspection:
        started = time.perf_counter()
        limits = self._recipe.limits
        task = _Task(
            content=content,
            size=min(item.blob.size, limits.bytes),
            name=None if item.name is None else item.name.encode("utf-8", "surrogateescape"),
            media=item.media,
            fresh=item.channel is Channel.MAIL,
            seconds=limits.seconds,
        )
        if item.blob.size > limits.bytes:
            too_large = Unscannable(why=Why.TOO_LARGE, detail=f"{item.blob.size} bytes, the limit is {limits.bytes}")
            inspection = await self._salvage(task, too_large)
        else:
            inspection = await self._whole(task)
        return replace(inspection, seconds=time.perf_counter() - started)

    async def _whole(self, task: _Task) -> Inspection:
        """One job, and one more in a fresh child where the first child's failure says nothing of this document."""
        outcome, blameless = await self._run(task)
        if isinstance(outcome, Lost) and blameless and outcome.why is not Why.TIMEOUT:
            outcome, _ = await self._run(replace(task, fresh=True))
        if isinstance(outcome, Inspection):
            return outcome
        return await self._salvage(task, Unscannable(why=outcome.why, detail=outcome.detail))

    async def _salvage(self, task: _Task, reason: Unscannable) -> Inspection:
        """What the printable text of a document that could not be read whole still shows, beside the reason."""
        seconds = min(task.seconds, _SALVAGE_SECONDS)
        outcome, _ = await self._run(replace(task, fresh=True, salvaging=True, seconds=seconds))
        if isinstance(outcome, Inspection):
            return replace(outcome, unscannable=tuple(dict.fromkeys((reason, *outcome.unscannable))))
        return Inspection(
            unscannable=(reason, Unscannable(why=outcome.why, detail=f"not even its printable text: {outcome.detail}"))
        )

    async def _run(self, task: _Task) -> tuple[Inspection | Lost, bool]:
        """One job in one child; whether a failure was blameless. Raises WorkerError where no child can be had."""
        child = await self._hire(fresh=task.fresh)
        keep = False
        try:
            outcome = await self._ask(child, task)
            if isinstance(outcome, Lost):
                self._lost(child, outcome)
                return outcome, child.blameless
            keep = not task.fresh and self._kept(child)
            return outcome, False
        finally:
            if not keep:
                child.end()
            child.zygote.give_back()

    async def _hire(self, *, fresh: bool) -> Child:
        """A child, its zygote leased. Should the zygote die at this very moment, its successor is asked once."""
        zygote = await self._living()
        try:
            return await self._child(zygote, fresh=fresh)
        except WorkerError:
            if not zygote.dead:
                raise
            return await self._child(await self._living(), fresh=fresh)

    async def _ask(self, child: Child, task: _Task) -> Inspection | Lost:
        job = wire.Job(next(self._serials), task.size, task.name, task.media, task.salvaging)
        return await child.run(job, task.content, task.seconds)

    async def _child(self, zygote: Zygote, *, fresh: bool) -> Child:
        zygote.lease()
        try:
            return await self._persistent(zygote) if not fresh else await zygote.fork(1)
        except BaseException:
            zygote.give_back()
            raise

    async def _persistent(self, zygote: Zygote) -> Child:
        while zygote.idle:
            child = zygote.idle.pop()
            if child.quiet():
                return child
            self._metrics.worker_restarts.labels("crashed").inc()
            child.end()
        return await zygote.fork(self._settings.recycle_after)

    def _kept(self, child: Child) -> bool:
        """Put a persistent child back among the idle, unless its time is up."""
        if child.zygote.dead or child.zygote.retired:
            return False
        if child.served >= self._settings.recycle_after:
            self._metrics.worker_restarts.labels("recycled").inc()
            return False
        child.zygote.idle.append(child)
        return True

    def _lost(self, child: Child, lost: Lost) -> None:
        self._metrics.worker_restarts.labels(lost.cause).inc()
        log.warning("worker lost", cause=lost.cause, detail=lost.detail, pid=child.pid, served=child.served)

    async def _living(self) -> Zygote:
        """The zygote in force, started anew if it has died. Raises WorkerError where none can be had."""
        if self._zygote is not None and not self._zygote.dead:
            return self._zygote
        async with self._changing:
            if self._zygote is None:
                raise WorkerError("the workers are not started")
            if self._zygote.dead:
                self._metrics.worker_restarts.labels("zygote").inc()
                log.error("zygote died", pid=self._zygote.pid)
                self._zygote = await self._again()
            return self._zygote

    async def _again(self) -> Zygote:
        try:
            return await self._tried(self._recipe)
        except (ConfigError, ConfinementError) as error:
            raise WorkerError(f"the workers cannot be restarted: {error}") from error

    async def _tried(self, recipe: Recipe) -> Zygote:
        """A zygote that is confined as required and has inspected a plain text."""
        zygote = await Zygote.start(recipe)
        try:
            self._judge_confinement(zygote)
            await self._canary(zygote)
        except BaseException:
            await zygote.stop()
            raise
        return zygote

    def _judge_confinement(self, zygote: Zygote) -> None:
        if zygote.layers.missing and self._settings.confinement == "required":
            raise ConfinementError(zygote.layers.missing)
        if zygote.layers.missing:
            log.warning("confinement is incomplete", missing=zygote.layers.missing)
        if zygote.layers.weaker:
            log.info("confinement has one layer instead of two", weaker=zygote.layers.weaker)

    async def _canary(self, zygote: Zygote) -> None:
        child = await self._child(zygote, fresh=True)
        try:
            with Blob.of([_CANARY]) as blob, readable(blob) as content:
                task = _Task(content=content, size=blob.size, name=b"canary.txt", seconds=zygote.recipe.limits.seconds)
                outcome = await self._ask(child, task)
        finally:
            child.end()
            zygote.give_back()
        if isinstance(outcome, Lost):
            raise WorkerError(f"a worker could not inspect a plain text: {outcome.why.value}: {outcome.detail}")
        if outcome.unscannable or not outcome.parts:
            raise WorkerError("a worker could not read a plain text")

    def _show(self, *, ending: int = 0) -> None:
        idle = min(self._count, self._turns.free + ending)
        self._metrics.workers.labels("idle").set(idle)
        self._metrics.workers.labels("busy").set(self._count - idle)


def family(media_type: str) -> str:
    """The kind of content as a metric's label: few, and none that a document can choose."""
    return next((name for start, name in _FAMILIES if media_type.startswith(start)), "other")


@contextmanager
def readable(blob: Blob) -> Iterator[int]:
    """A descriptor of the content that cannot be written through. Raises WorkerError where there is none."""
    access = fcntl.fcntl(blob.descriptor, fcntl.F_GETFL) & os.O_ACCMODE
    if access == os.O_RDONLY:
        yield blob.descriptor
        return
    descriptor = None
    with suppress(OSError):  # no /proc
        descriptor = os.open(f"/proc/self/fd/{blob.descriptor}", os.O_RDONLY | os.O_CLOEXEC)
    if descriptor is None and not blob.sealed:
        raise WorkerError("the content could be changed through its descriptor, and cannot be opened for reading only")
    try:
        yield blob.descriptor if descriptor is None else descriptor
    finally:
        if descriptor is not None:
            os.close(descriptor)
