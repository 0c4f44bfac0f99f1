"""Items with pictures are read a second time, whole, by children that also read text in pictures.

That takes hundreds of megabytes and seconds for each picture, so it has a zygote, a queue and limits of its own, and
nothing else waits for it. What the second reading cannot give (no room, no time, a crash) the first one has: its
pictures are unscannable there, and the answer is never less than the first.
"""

import asyncio
import time
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from typing import Literal

import structlog

from dlp.errors import ConfigError, ConfinementError, Fault, WorkerError
from dlp.extract import ocr
from dlp.metrics import Metrics
from dlp.model import Finding, Inspection, Why
from dlp.workers.crew import Confinement, Crew, Task
from dlp.workers.processes import Done, Recipe
from dlp.workers.rounds import Reading
from dlp.workers.turns import Turns

log = structlog.get_logger()

QUEUE = "ocr"
"""What the metrics call this crew and its queue."""
REMEDY = "make setup EXTRAS=ocr"
RETRY_SECONDS = 60.0
"""After which a crew that could not be started is tried again, once an item asks for it."""
_SHORTEST = 1.0
"""Seconds below which no second reading is begun."""
_CUT = frozenset({Why.TIMEOUT, Why.TOO_LARGE, Why.TOO_MANY, Why.TOO_DEEP, Why.CRASHED})
"""Reasons for which a reading may have ended before its end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OcrSettings:
    """The table [ocr]: text in pictures and scanned pages. `count` items at once, `max_queue` waiting; one item may take
    `seconds` and its child `memory` bytes. "if-installed": where the extra is; "required": not to start without it."""

    use: Literal["if-installed", "off", "required"] = "if-installed"
    count: int = 1
    max_queue: int = 100
    seconds: float = 60.0
    memory: int = 1 << 30

    def __post_init__(self) -> None:
        """Every fault at once."""
        wrong = [key for key, least in (("count", 1), ("max_queue", 0), ("memory", 1)) if getattr(self, key) < least]
        wrong += [] if self.seconds > 0 else ["seconds"]
        if wrong:
            raise ConfigError([Fault("[ocr]", f"ocr.{key}", "is too small") for key in wrong])

    def in_use(self) -> bool:
        """Whether text in pictures is read. Raises ConfigError where it is required and not installed."""
        if self.use == "off":
            return False
        installed = ocr.available()
        if self.use == "required" and not installed:
            what = "reading text in pictures is required, and the extra for it is not installed"
            raise ConfigError.single("[ocr]", "ocr.use", what, REMEDY)
        return installed


class Pictures:
    """The second reading's crew. It starts with the first item that needs it, or with `start`; items that come before it is
    ready, a few seconds later, wait for it."""

    def __init__(self, settings: OcrSettings, recipe: Recipe, metrics: Metrics, *, confinement: Confinement) -> None:
        self._settings = settings
        limits = replace(recipe.limits, seconds=settings.seconds, memory=settings.memory)
        self._crew = Crew(replace(recipe, limits=limits), metrics, confinement=confinement, recycle_after=1, label=f"{QUEUE}-")
        self._metrics = metrics
        self._turns = Turns(settings.count)
        self._inside = 0
        self._starting: asyncio.Task[None] | None = None
        self._failed = 0.0
        self._empty = asyncio.Event()
        self._empty.set()

    def start(self) -> None:
        """Load in the background."""
        self._starting = asyncio.create_task(self._start())

    async def drained(self) -> None:
        """Returns once nothing waits for it and nothing is read by it."""
        await self._empty.wait()

    async def stop(self) -> None:
        """End every child and the zygote. Idempotent."""
        if self._starting is not None:
            self._starting.cancel()
            await asyncio.wait([self._starting])
        await self._crew.stop()

    async def again(self, reading: Reading, task: Task, *, name: str, until: float) -> Reading:
        """`reading` with what its pictures show besides; itself where that cannot be had, whatever the reason.

        `task` says what to read, under `name` it waits its turn, and by `until` (time.monotonic) it has to be answered.
        """
        result, second = "queue-full", None
        if self._inside < self._settings.count + self._settings.max_queue:
            self._inside += 1
            self._empty.clear()
            self._metrics.queue_items.labels(QUEUE).set(self._inside)
            try:
                before = reading.task
                again = replace(task, avoid=before.avoid, risky=before.risky, fresh=True)
                result, second = await self._second(again, name=name, until=until)
            finally:
                self._inside -= 1
                self._metrics.queue_items.labels(QUEUE).set(self._inside)
                if not self._inside:
                    self._empty.set()
        self._metrics.ocr_items.labels(result).inc()
        if second is None:
            return reading
        self._metrics.inspect_seconds.labels(QUEUE).observe(second.inspection.seconds)
        learned = tuple(dict.fromkeys((*second.learned, *reading.done.learned)))
        both = merged(reading.done.inspection, second.inspection)
        return replace(reading, done=Done(inspection=both, learned=learned, declared=second.declared))

    async def _second(self, task: Task, *, name: str, until: float) -> tuple[str, Done | None]:
        """The metric's word for how it went, and the second reading where there is one."""
        async with AsyncExitStack() as stack:
            try:
                async with asyncio.timeout(until - _SHORTEST - time.monotonic()):
                    await self._ready()
                    await stack.enter_async_context(self._turns.turn(name))
            except TimeoutError:
                return "late", None
            except WorkerError:
                return "failed", None
            left = min(self._settings.seconds, until - time.monotonic())
            if left < min(_SHORTEST, self._settings.seconds):
                return "late", None
            try:
                outcome, _ = await self._crew.run(replace(task, seconds=left))
            except WorkerError as error:
                log.error("pictures not read", error=str(error))
                return "failed", None
        return ("read", outcome) if isinstance(outcome, Done) else ("failed", None)

    async def _ready(self) -> None:
        """Wait for the crew. Raises WorkerError while it cannot be had."""
        if self._starting is None or (self._failed and time.monotonic() - self._failed > RETRY_SECONDS):
            self.start()
        if self._starting is not None:
            await asyncio.shield(self._starting)
        if self._failed:
            raise WorkerError("text in pictures cannot be read")

    async def _start(self) -> None:
        self._failed = 0.0
        try:
            await self._crew.start()
        except (ConfigError, ConfinementError, WorkerError, OSError) as error:
            self._failed = time.monotonic()
            log.error("text in pictures cannot be read", error=str(error))


def merged(first: Inspection, second: Inspection) -> Inspection:
    """The second reading, and what only the first one found or could not read.

    A place that only the first one could not read (a picture) counts as read, unless the second one met a limit that the
    first did not: then it may not have come to that place.
    """
    cut = any(place.why in _CUT and place not in first.unscannable for place in second.unscannable)
    known = {place.trail for place in second.unscannable}
    missed = [place for place in first.unscannable if place.why is not Why.UNSUPPORTED or place.trail not in known]
    return replace(
        second,
        findings=_united(first.findings, second.findings),
        unscannable=tuple(dict.fromkeys((*second.unscannable, *(missed if cut else ())))),
        media_type=first.media_type,
        attachments=first.attachments or second.attachments,
        seconds=first.seconds + second.seconds,
    )


def _united(first: tuple[Finding, ...], second: tuple[Finding, ...]) -> tuple[Finding, ...]:
    """One for each place and kind, the one that counts more."""
    kept = {_kind(one): one for one in second}
    for one in first:
        other = kept.get(_kind(one))
        if other is None or other.count < one.count:
            kept[_kind(one)] = one
    return tuple(kept.values())


def _kind(finding: Finding) -> tuple[object, ...]:
    return finding.signature, finding.level, finding.trail, finding.mode
