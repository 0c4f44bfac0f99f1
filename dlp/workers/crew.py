"""One zygote that is always there, and the children it forks: started anew when it dies, replaced on a reload.

A job gets a child; whatever the child does (dies, hangs, lies, reaches a limit) is an outcome and never an exception.
Only that no child can be had at all is one.
"""

import asyncio
import fcntl
import itertools
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Literal

import structlog

from dlp.blob import Blob
from dlp.errors import ConfigError, ConfinementError, WorkerError
from dlp.metrics import Metrics
from dlp.workers import wire
from dlp.workers.passwords import Words
from dlp.workers.processes import Child, Done, Lost, Recipe, Zygote

log = structlog.get_logger()

Confinement = Literal["required", "best-effort"]

_CANARY = b"A plain text that every worker can read.\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """One item's job before it has a child. `content` is an open descriptor nobody can write through, `fresh` asks for a
    child of its own, `avoid` are the documents whose reader is not to be tried again; unless `risky`, those of no risky
    format are. `declaring` names a register that wants to know the item."""

    content: int
    size: int
    seconds: float
    name: bytes | None = None
    media: str | None = None
    fresh: bool = True
    salvaging: bool = False
    avoid: frozenset[int] = frozenset()
    risky: bool = True
    passwords: Words = field(default_factory=Words)
    declaring: str = ""

    def job(self, serial: int) -> wire.Job:
        """The task as a child is told it."""
        return wire.Job(
            serial=serial,
            size=self.size,
            name=self.name,
            media=self.media,
            seconds=self.seconds,
            salvaging=self.salvaging,
            avoid=tuple(sorted(self.avoid)),
            risky=self.risky,
            passwords=self.passwords.words,
            declaring=self.declaring,
        )


class Crew:
    """`label` stands before the causes that its metrics name, so that two crews can be told apart."""

    def __init__(
        self, recipe: Recipe, metrics: Metrics, *, confinement: Confinement, recycle_after: int, label: str = ""
    ) -> None:
        self._recipe = recipe
        self._metrics = metrics
        self._confinement = confinement
        self._recycle_after = recycle_after
        self._label = label
        self._serials = itertools.count(1)
        self._changing = asyncio.Lock()
        self._zygote: Zygote | None = None
        self._leaving: set[Zygote] = set()

    async def start(self) -> None:
        """Returns once a job can be done. Raises ConfigError (SignatureError), ConfinementError, WorkerError."""
        async with self._changing:
            self._zygote = await self._tried(self._recipe)

    async def stop(self) -> None:
        """End every child and the zygote; jobs under way are lost."""
        async with self._changing:
            self._let_go()
            for zygote in tuple(self._leaving):
                await zygote.stop()

    async def reload(self, recipe: Recipe) -> None:
        """Build a new zygote beside the old, try it, and put it in its place. Raises as `start` does, and then the old
        one stays. Jobs under way finish on the zygote they began with."""
        async with self._changing:
            fresh = await self._tried(recipe)
            old = self._let_go()
            self._zygote, self._recipe = fresh, recipe
            if old is not None:
                old.retire()

    def _let_go(self) -> Zygote | None:
        """The zygote there is, which is the crew's no more; it is remembered until its process has ended."""
        old, self._zygote = self._zygote, None
        if old is not None and not old.ended.done():
            self._leaving.add(old)
            old.ended.add_done_callback(lambda _: self._leaving.discard(old))
        return old

    async def check(self) -> None:
        """Have a plain text inspected. Raises WorkerError where that does not end in an inspection."""
        await self._canary(await self._living())

    @property
    def signatures(self) -> frozenset[str]:
        """The names of the signatures in force; empty before `start`."""
        return self._zygote.signatures if self._zygote is not None else frozenset()

    async def run(self, task: Task) -> tuple[Done | Lost, bool]:
        """One job in one child, and whether a failure says nothing of the item: documents before it, or the zygote, may be at
        fault. Raises WorkerError where no child can be had."""
        child = await self._hire(fresh=task.fresh)
        used, keep = child.served > 0, False
        try:
            outcome = await child.run(task.job(next(self._serials)), task.content)
            if isinstance(outcome, Lost):
                self._lost(child, outcome)
                return outcome, used or child.zygote.dead
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
            self._count("crashed")
            child.end()
        return await zygote.fork(self._recycle_after)

    def _kept(self, child: Child) -> bool:
        """Put a persistent child back among the idle, unless its time is up or a document may have taken it over."""
        if child.zygote.dead or child.zygote.retired:
            return False
        if child.entered:
            self._count("risky")
            return False
        if child.served >= self._recycle_after:
            self._count("recycled")
            return False
        child.zygote.idle.append(child)
        return True

    def _lost(self, child: Child, lost: Lost) -> None:
        self._count(lost.cause)
        log.warning("worker lost", cause=self._label + lost.cause, detail=lost.detail, pid=child.pid, served=child.served)

    def _count(self, cause: str) -> None:
        self._metrics.worker_restarts.labels(self._label + cause).inc()

    async def _living(self) -> Zygote:
        """The zygote in force, started anew if it has died. Raises WorkerError where none can be had."""
        if self._zygote is not None and not self._zygote.dead:
            return self._zygote
        async with self._changing:
            if self._zygote is None:
                raise WorkerError("the workers are not started")
            if self._zygote.dead:
                self._count("zygote")
                log.error("zygote died", pid=self._zygote.pid)
                fresh = await self._again()
                self._let_go()
                self._zygote = fresh
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
        if zygote.layers.missing and self._confinement == "required":
            raise ConfinementError(zygote.layers.missing)
        if zygote.layers.missing:
            log.warning("confinement is incomplete", missing=zygote.layers.missing)
        if zygote.layers.weaker:
            log.info("confinement has one layer instead of two", weaker=zygote.layers.weaker)

    async def _canary(self, zygote: Zygote) -> None:
        child = await self._child(zygote, fresh=True)
        try:
            with Blob.of([_CANARY]) as blob, readable(blob) as content:
                task = Task(content=content, size=blob.size, name=b"canary.txt", seconds=zygote.recipe.limits.seconds)
                outcome = await child.run(task.job(next(self._serials)), content)
        finally:
            child.end()
            zygote.give_back()
        if isinstance(outcome, Lost):
            raise WorkerError(f"a worker could not inspect a plain text: {outcome.why.value}: {outcome.detail}")
        if outcome.inspection.unscannable or not outcome.inspection.parts:
            raise WorkerError("a worker could not read a plain text")


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
