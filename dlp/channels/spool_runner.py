"""The runner of the spool: finds messages, brings them to the next hop, tries again, and tells senders what became of them.

One task looks after the queue and starts an attempt for each message that is due, a bounded number at
once. What the next hop said is written down before anything else is done; only a message that all have
and nobody need be told of is removed without. A message is never delivered again because writing that
down fails: the runner keeps it locked and tries to write until it can.
"""

import asyncio
import heapq
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import TypeVar

import structlog

from dlp.channels.dsn import Notification, RecipientReport, Report, compose
from dlp.channels.relay import NextHop
from dlp.channels.relay_connection import BROKEN, DOWN
from dlp.channels.spool_envelope import ACTIONS, Action, Fate, History, Mark, SpoolEnvelope, wants
from dlp.channels.spool_folder import Random, Spooled, SpoolFolder
from dlp.channels.spool_settings import SpoolSettings
from dlp.errors import RelayError
from dlp.metrics import Metrics

log = structlog.get_logger()

T = TypeVar("T")

THREADS = 16
LOOK = 1.0
"""Seconds between two looks at the folder for what other processes wrote."""
PATIENCE = 15.0
"""Seconds a delivery under way has to end when the runner stops; a message cut off after its dot may arrive twice."""


@dataclass(slots=True, eq=False)
class _Entry:
    """A message as the runner remembers it. `forced`: whatever its schedule says; `lost`: the next hop could not be had."""

    due: datetime
    since: datetime
    busy: bool = False
    forced: bool = False
    lost: bool = False


class SpoolRunner:
    """Delivers what is in `folder` to `hop`, which it closes at the end.

    `clock` is the present, aware; `hostname` ours, for notifications; `look` and `patience` as LOOK and PATIENCE.
    """

    def __init__(
        self,
        folder: SpoolFolder,
        hop: NextHop,
        settings: SpoolSettings,
        metrics: Metrics,
        *,
        clock: Callable[[], datetime],
        random: Random,
        hostname: str,
        look: float = LOOK,
        patience: float = PATIENCE,
    ) -> None:
        self._folder = folder
        self._hop = hop
        self._settings = settings
        self._metrics = metrics
        self._clock = clock
        self._random = random
        self._hostname = hostname
        self._look_seconds = look
        self._patience = patience
        self._entries: dict[str, _Entry] = {}
        self._heap: list[tuple[datetime, str]] = []
        self._attempts: set[asyncio.Task[None]] = set()
        self._wake = asyncio.Event()
        self._stopping = False
        self._probe: datetime | None = None
        self._task: asyncio.Task[None] | None = None
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="spool-runner")

    async def start(self) -> None:
        """Find everything that is there, and begin. Raises OSError where the folder cannot be used."""
        await self._run(self._folder.prepare)
        await self._run(self._folder.recover)
        await self._look()
        self._task = asyncio.create_task(self._serve())

    async def stop(self) -> None:
        """Begin nothing new, and see what is under way to its end for a while."""
        self._stopping = True
        self._wake.set()
        if self._task is not None:
            await self._task
        if self._attempts:
            _, late = await asyncio.wait(self._attempts, timeout=self._patience)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)
        await self._hop.close()
        await asyncio.to_thread(self._threads.shutdown)

    def poke(self, name: str) -> None:
        """A message of that id has been stored: deliver it now."""
        self._add(name)
        self._wake.set()

    # The queue

    async def _serve(self) -> None:
        loop = asyncio.get_running_loop()
        while not self._stopping:
            until = loop.time() + self._look_seconds
            while not self._stopping and (left := until - loop.time()) > 0:
                self._wake.clear()
                self._launch()
                await self._pause(left)
            try:
                await self._look()
            except OSError as error:
                log.error("the spool cannot be looked at", folder=str(self._folder.root), error=error.strerror)

    async def _pause(self, seconds: float) -> None:
        """Until something happens, or something is due."""
        if self._heap and len(self._attempts) < self._settings.deliveries:
            seconds = max(0.0, min(seconds, (self._heap[0][0] - self._clock()).total_seconds()))
        try:
            async with asyncio.timeout(seconds):
                await self._wake.wait()
        except TimeoutError:
            return

    async def _look(self) -> None:
        """Learn of what came and went without our doing."""
        known = set(self._entries)
        names = await self._run(self._folder.names)
        for name in names:
            self._add(name)
        for name in known - set(names):
            if (entry := self._entries.get(name)) and not entry.busy:
                del self._entries[name]
        if await self._run(self._folder.flushed):
            log.info("the spool is flushed", messages=len(self._entries))
            self._force(list(self._entries))
        await self._probe_lost()
        now = self._clock()
        oldest = min((entry.since for entry in self._entries.values()), default=now)
        self._metrics.spool_items.set(len(self._entries))
        self._metrics.spool_oldest.set(max(0.0, (now - oldest).total_seconds()))
        self._metrics.spool_set_aside.set(await self._run(self._folder.set_aside_count))

    async def _probe_lost(self) -> None:
        """While the next hop is away, one of those that wait for it asks now and then; if it is back, all go (see _returned)."""
        if self._probe is None or self._clock() < self._probe:
            return
        lost = next((name for name, entry in self._entries.items() if entry.lost and not entry.busy), None)
        self._probe = self._later() if lost is not None else None
        self._force([lost] if lost is not None else [])

    def _returned(self) -> None:
        """The next hop took something: those that failed only because it was away need not wait any longer."""
        self._probe = None
        self._force([name for name, entry in self._entries.items() if entry.lost])

    def _force(self, names: list[str]) -> None:
        for name in names:
            entry = self._entries[name]
            entry.forced, entry.lost = True, False
            self._schedule(name, entry, self._clock())
        self._wake.set()

    def _add(self, name: str) -> None:
        if name not in self._entries:
            now = self._clock()
            self._entries[name] = entry = _Entry(due=now, since=now)
            self._schedule(name, entry, now)

    def _schedule(self, name: str, entry: _Entry, due: datetime) -> None:
        entry.due = due
        heapq.heappush(self._heap, (due, name))

    def _launch(self) -> None:
        """Begin what is due, as far as there is room."""
        now = self._clock()
        while self._heap and self._heap[0][0] <= now and len(self._attempts) < self._settings.deliveries:
            due, name = heapq.heappop(self._heap)
            entry = self._entries.get(name)
            if entry is None or entry.busy or entry.due != due:
                continue  # it went, or was given another time since
            entry.busy = True
            task = asyncio.create_task(self._attempt(name, entry))
            self._attempts.add(task)
            task.add_done_callback(partial(self._ended, name, entry))

    def _ended(self, name: str, entry: _Entry, task: asyncio.Task[None]) -> None:
        self._attempts.discard(task)
        entry.busy = False
        if not task.cancelled() and (error := task.exception()) is not None:
            # A bug must not stop the others; its text may quote content.
            log.error("spool attempt failed", message=name, error=type(error).__name__)
            entry.due = self._later()
        if self._entries.get(name) is entry:
            self._schedule(name, entry, entry.due)
        self._wake.set()

    def _later(self) -> datetime:
        return self._clock() + timedelta(seconds=self._settings.retry_seconds)

    # One message

    async def _attempt(self, name: str, entry: _Entry) -> None:
        entry.due = self._later()
        try:
            message = await self._run(self._folder.open, name)
        except FileNotFoundError:
            self._entries.pop(name, None)
        except BlockingIOError:
            self._entries.pop(name, None)  # who holds it may be done with it by the next look, which finds it again
        except OSError as error:
            log.error("a spooled message cannot be opened", message=name, error=error.strerror, folder=str(self._folder.queue))
        except ValueError as error:
            await self._set_aside(name, str(error))
        else:
            try:
                await self._carry(message, entry)
            finally:
                message.close()

    async def _set_aside(self, name: str, reason: str) -> None:
        try:
            place = await self._run(self._folder.set_aside, name)
        except OSError as error:
            log.error("a spooled message that cannot be read stays", message=name, reason=reason, error=error.strerror)
            return
        self._entries.pop(name, None)
        log.error("a spooled message cannot be read and was set aside", file=str(place), reason=reason)

    async def _carry(self, message: Spooled, entry: _Entry) -> None:
        """Everything that can be done now for one message; sets when there will be more to do, or forgets it."""
        history, now = message.history, self._clock()
        entry.since = history.envelope.queued
        if history.waiting:
            due = next_try(history, self._settings)
            if now < due and not entry.forced:
                entry.due = due
                return
            entry.forced = False
            await self._try(message, entry)
        if not await self._told(message):
            return
        if history.waiting:
            entry.due = next_try(history, self._settings)
            return
        await self._durably(message, message.finish)
        self._entries.pop(message.envelope.id, None)

    async def _try(self, message: Spooled, entry: _Entry) -> None:
        """One attempt, written down."""
        history, envelope = message.history, message.envelope
        places = history.waiting
        lacks_dsn = await self._lacks_dsn(message, places)
        replies = await self._delivered(message, places)
        now = self._clock()
        mark = Mark(at=now, replies=replies, lacks_dsn=lacks_dsn)
        kinds = Counter(reply[:1] for reply in replies.values())
        if kinds["2"] == len(envelope.recipients) and not any(wants(one, "relayed") for one in envelope.recipients):
            history.add(mark)  # the whole message goes at once, and with it all that would be written of it
        else:
            # A delay alone is worth no fsync: without it the message is only tried again sooner.
            await self._durably(message, partial(message.mark, mark, durable=bool(kinds["2"] + kinds["5"])))
        self._count(message, replies)
        entry.lost = DOWN in replies.values()
        if entry.lost:
            self._probe = self._probe or self._later()
        elif kinds["2"]:
            self._returned()
        if history.waiting and now - envelope.queued >= self._settings.give_up:
            await self._durably(message, partial(message.mark, Mark(at=now, given_up=history.waiting)))
        self._orphaned(message, places)

    async def _lacks_dsn(self, message: Spooled, places: tuple[int, ...]) -> bool:
        """Whether the next hop tells no sender of success, where one of these wants to know."""
        if not any(wants(message.envelope.recipients[place], "relayed") for place in places):
            return False
        try:
            return "DSN" not in await self._hop.extensions()
        except RelayError:
            return False  # then it takes nothing now either, and is asked again

    async def _delivered(self, message: Spooled, places: tuple[int, ...]) -> dict[int, str]:
        """What the next hop says for each."""
        replies: dict[int, str] = {}
        delivery = self._hop.open()
        try:
            await delivery.mail(message.envelope.sender, size=message.envelope.size)
            accepted = []
            for place in places:
                try:
                    await delivery.rcpt(message.envelope.recipients[place])
                except RelayError as error:
                    if _away(error.reply):
                        raise
                    replies[place] = error.reply
                else:
                    accepted.append(place)
            if accepted:
                replies |= dict(zip(accepted, await delivery.data_each(b"", message.body), strict=True))
        except RelayError as error:
            log.info("mail not delivered", message=message.envelope.id, reason=str(error))
            replies = dict.fromkeys(places, error.reply) | replies
        finally:
            await delivery.abort()
        return replies

    def _count(self, message: Spooled, replies: dict[int, str]) -> None:
        results = Counter({"2": "delivered", "5": "failed"}.get(reply[:1], "deferred") for reply in replies.values())
        for result, number in results.items():
            self._metrics.spool_deliveries.labels(result).inc(number)
        codes = sorted({reply[:3] for reply in replies.values()})
        log.info("mail tried", message=message.envelope.id, tries=message.history.tries, replies=codes, **results)

    def _orphaned(self, message: Spooled, places: tuple[int, ...]) -> None:
        """Nothing is returned to the null sender (RFC 5321 section 4.5.5), but it does not go unsaid."""
        failed = sum(message.history.fate(place) is Fate.FAILED for place in places)
        if failed and not message.envelope.sender.mailbox:
            log.error("mail cannot be delivered, and has no sender to tell", message=message.envelope.id, recipients=failed)

    # What the sender is told

    async def _told(self, message: Spooled) -> bool:
        """Spool each notification that is due; False if one could not be."""
        if not message.envelope.sender.mailbox:
            return True
        now = self._clock()
        for action in ACTIONS:
            places = message.history.untold(action, now=now, warn=self._settings.warn)
            if not places:
                continue
            # Its id is known beforehand, so that a crash before the mark below makes no second one.
            name = f"{message.envelope.id}-{message.history.reports}"
            try:
                await self._run(self._notify, message, self._report(message, action, places, name))
            except OSError as error:
                log.error("a notification could not be spooled", message=message.envelope.id, error=error.strerror)
                return False
            self.poke(name)
            self._metrics.spool_reports.labels(action).inc()
            log.info("sender notified", message=message.envelope.id, notification=name, action=action, recipients=len(places))
            await self._durably(message, partial(message.mark, Mark(at=now, told=action, about=places)))
        return True

    def _report(self, message: Spooled, action: Action, places: tuple[int, ...], name: str) -> Report:
        history, envelope = message.history, message.envelope
        return Report(
            id=name,
            about=envelope.id,
            hostname=self._hostname,
            action=action,
            sender=envelope.sender,
            arrived=envelope.queued,
            now=self._clock(),
            recipients=tuple(
                RecipientReport(
                    address=envelope.recipients[place],
                    reply=history.reply(place),
                    at=history.tried(place),
                    expired=history.given_up(place),
                )
                for place in places
            ),
            boundary=f"dlp-{self._random(16).hex()}",
            retry_until=envelope.queued + self._settings.give_up if action == "delayed" else None,
        )

    def _notify(self, message: Spooled, report: Report) -> None:
        notification: Notification = compose(report, message.body)
        envelope = SpoolEnvelope(
            id=report.id,
            queued=report.now,
            sender=notification.sender,
            recipients=(notification.recipient,),
            size=notification.size,
        )
        self._folder.store(envelope, notification.pieces())

    # Threads

    async def _durably(self, message: Spooled, step: Callable[[], None]) -> None:
        """Write down what has happened, however often it takes: as long as it is not, the message must not be touched."""
        while True:
            try:
                return await self._run(step)
            except OSError as error:
                log.error("what became of a message cannot be written", message=message.envelope.id, error=error.strerror)
            await asyncio.sleep(self._look_seconds)

    async def _run(self, work: Callable[..., T], *arguments: object) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, work, *arguments)


def next_try(history: History, settings: SpoolSettings) -> datetime:
    """When a message is to be tried next."""
    return history.last + settings.pause(history.tries) if history.last else history.envelope.queued


def _away(reply: str) -> bool:
    """The conversation is over: the next hop was not there, or went away."""
    return reply in (DOWN, BROKEN) or reply.startswith("421")
