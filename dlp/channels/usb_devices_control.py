"""Device control: only drives that are allowed get a driver; everything else that is plugged in works as ever.

Where `[usb] allow` names drives, every USB controller is told to hold new interfaces (`dlp.channels.usb_devices`), so that
no driver binds one before it was judged: a drive that is not allowed never becomes a disk, not for a moment. Interfaces
that are no storage are authorised at once, by this duty and by the udev rule beside it (systemd/dlp.rules), whichever
comes first: keyboards and mice work whether or not this process lives. The hold stays when the process ends.

A drive the machine runs from is never taken away. Whoever makes a device can have it claim any serial.
"""

import asyncio
import contextlib
import itertools
import json
import os
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

import structlog

from dlp.channels import seat
from dlp.channels.uevents import Uevent, UeventWatch
from dlp.channels.usb_devices import Bus, UsbDevice
from dlp.channels.usb_devices_allow import Entry
from dlp.errors import DLPError
from dlp.ports import DeviceException, Sighting

log = structlog.get_logger()

DUTY = "devices"
"""What the daemon knows it by."""
ASK_SECONDS = 2.0
"""How often the daemon is asked for the exceptions in force."""
LOOK_SECONDS = 60.0
"""How often all devices are looked at even if the kernel reported nothing."""
FLUSH_SECONDS = 10.0
"""How long a drive that is being taken away may take to write what it was given before."""
MOST_TOLD = 100
"""Sightings told at once."""
MOST_UNTOLD = 1000
"""Sightings kept for a daemon that does not answer."""
RULES = (Path("/etc/udev/rules.d/60-dlp.rules"), Path("/usr/lib/udev/rules.d/60-dlp.rules"))
"""Where the udev rule may be."""
EXCEPTIONS, HOLD = "device-exceptions.json", "hold-usb"
"""In the duty's folder: the exceptions last heard of; a file that is there while drives are held, for the udev rule."""


class Ledger(Protocol):
    """The daemon, as this duty needs it."""

    async def devices(self, sightings: Sequence[Sighting]) -> Sequence[DeviceException]:
        """Record these, and say which exceptions are in force. Raises DLPError or OSError where it does not answer; then
        nothing counts as recorded."""

    def close(self) -> None:
        """It is not asked any more."""


class Watch(Protocol):
    """`dlp.channels.uevents.UeventWatch`, or what tells of devices in its place."""

    def __call__(self, happened: Callable[[Uevent], None], overflowed: Callable[[], None]) -> "Watching": ...


class Watching(Protocol):
    """A watch at work."""

    def close(self) -> None: ...


@dataclass(slots=True)
class _Judged:
    number: int
    decision: str


class DeviceControl:
    """A duty of the guard. `allow` empty lets every drive in, and they are recorded all the same.

    `folder` is its own, and survives restarts; `clock` tells aware times.
    """

    def __init__(
        self,
        allow: Iterable[Entry],
        ledger: Ledger,
        *,
        folder: Path,
        clock: Callable[[], datetime],
        bus: Bus | None = None,
        user: Callable[[], Awaitable[str]] = seat.user,
        rules: Sequence[Path] = RULES,
        watch: Watch = UeventWatch,
    ) -> None:
        self._allow = tuple(allow)
        self._ledger = ledger
        self._folder = folder
        self._clock = clock
        self._bus = bus or Bus()
        self._user = user
        self._rules = rules
        self._listen = watch
        self._exceptions: list[tuple[Entry, datetime]] = []
        self._judged_by: list[tuple[Entry, datetime]] = []
        self._judged: dict[str, _Judged] = {}
        self._untold: dict[int, tuple[Sighting, asyncio.Future[str]]] = {}
        self._numbers = itertools.count()
        self._unheard = False
        self._judging = asyncio.Lock()
        self._asking = asyncio.Event()

    @property
    def name(self) -> str:
        """What the daemon knows this duty by."""
        return DUTY

    def status(self) -> str:
        """A few words for an administrator."""
        judged = [one.decision for one in self._judged.values()]
        away = sum(decision in ("refused", "ended") for decision in judged)
        rule = f"drives allowed: {len(self._allow)}" if self._allow else "every drive is allowed"
        return f"{rule}; plugged in: {len(judged)}, of them refused: {away}"

    async def start(self) -> None:
        """Hold new interfaces, or let go of them where every drive is allowed, and judge what is plugged in already.

        Raises OSError where sysfs may not be written or the kernel's news cannot be heard.
        """
        self._events: asyncio.Queue[Uevent | None] = asyncio.Queue()
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        await asyncio.to_thread(self._recall)
        if not self._bus.present:
            log.warning("this kernel has no USB: there is nothing to hold")
        self._watch = self._listen(self._heard, lambda: self._events.put_nowait(None))
        try:
            await asyncio.to_thread(self._hold)
            async with self._judging:
                await self._look()
        except OSError:
            self._watch.close()
            raise
        self._tasks = [asyncio.create_task(one) for one in (self._follow(), self._keep_asking())]

    async def stop(self) -> None:
        """End. New interfaces stay held where the udev rule is there to let keyboards in."""
        self._watch.close()
        for task in self._tasks:
            task.cancel()
        for _, user in self._untold.values():
            user.cancel()
        await asyncio.gather(*self._tasks, *(user for _, user in self._untold.values()), return_exceptions=True)
        self._ledger.close()
        if self._allow and not any(rule.exists() for rule in self._rules):
            log.warning(
                "the udev rule is not installed: drives are no longer held, so that keyboards work", rule=str(self._rules[-1])
            )
            await asyncio.to_thread(self._default, authorised=True)

    def _heard(self, event: Uevent) -> None:
        if event.subsystem == "usb" and event.action in ("add", "bind", "change", "remove"):
            self._events.put_nowait(event)

    def _hold(self) -> None:
        """Whether later interfaces wait, for every controller there is; told to the udev rule for those that come."""
        for controller in self._bus.unable() if self._allow else ():
            log.error(
                "this kernel cannot hold drives on a USB controller",
                controller=controller,
                missing="interface_authorized_default",
            )
        mark = self._folder / HOLD
        if self._allow:
            mark.touch(mode=0o644)
        else:
            mark.unlink(missing_ok=True)
        self._default(authorised=not self._allow)

    def _default(self, *, authorised: bool) -> None:
        for controller, now in self._bus.defaults().items():
            if now != authorised:
                self._bus.default(controller, authorised=authorised)

    async def _follow(self) -> None:
        """Judge what the kernel tells of; after an overflow, when an exception ends, and once a minute, everything."""
        while True:
            event = None
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._until_look()):
                    event = await self._events.get()
            await self._guarded(self._take(event))

    async def _guarded(self, work: Awaitable[None]) -> None:
        """One at a time; a device that cannot be judged now stays as it is, which is held if it came while drives are."""
        async with self._judging:
            try:
                await work
            except OSError as error:
                log.error("a USB device could not be judged", error=error.strerror, file=error.filename)

    async def _take(self, event: Uevent | None) -> None:
        if event is None:
            await self._look()
            return
        place = event.path.rpartition("/")[2].partition(":")[0]
        if place.startswith("usb"):
            await asyncio.to_thread(self._default, authorised=not self._allow)
        elif event.action == "remove":
            self._gone(place)
        elif device := await asyncio.to_thread(self._bus.device, place):
            await self._judge(device, probe=event.action == "bind")

    async def _look(self) -> None:
        """Everything that is plugged in."""
        self._judged_by = self._in_force()
        await asyncio.to_thread(self._default, authorised=not self._allow)
        devices = await asyncio.to_thread(lambda: list(self._bus.devices()))
        for device in devices:
            await self._judge_alone(device)
        for place in self._judged.keys() - {device.name for device in devices}:
            self._gone(place)

    async def _judge_alone(self, device: UsbDevice) -> None:
        """One that the kernel will not let be judged is no reason to leave the others."""
        try:
            await self._judge(device, probe=False)
        except OSError as error:
            log.error("a USB device could not be judged", place=device.name, error=error.strerror, file=error.filename)

    def _gone(self, place: str) -> None:
        """An interface's removal tells nothing of its device's; a device that is there again has another number."""
        if self._bus.device(place) is None:
            self._judged.pop(place, None)

    async def _judge(self, device: UsbDevice, *, probe: bool) -> None:
        """Let every interface in that is no storage; with `probe` offer those without a driver once more, since one that
        wants several interfaces may have found not all of them authorised. Then decide about the storage."""
        others = [one for one in device.interfaces if not one.storage and (not one.authorised or (probe and not one.driver))]
        await asyncio.to_thread(self._bus.authorise, others)
        if not device.storage:
            return
        before = self._judged.get(device.name)
        known = before is not None and before.number == device.number
        decision = self._decision(device)
        if decision == "refused":
            if device.name in await asyncio.to_thread(self._bus.runs_from):
                decision = "kept"
            elif known and before is not None and before.decision in ("allowed", "excepted", "ended"):
                decision = "ended"
        await self._enforce(device, decision)
        if not known or before is None or before.decision != decision:
            self._judged[device.name] = _Judged(device.number, decision)
            self._tell(device, decision)

    def _decision(self, device: UsbDevice) -> str:
        if not self._allow or any(entry.covers(device) for entry in self._allow):
            return "allowed"
        now = self._clock()
        excepted = any(entry.covers(device) and until > now for entry, until in self._exceptions)
        return "excepted" if excepted else "refused"

    async def _enforce(self, device: UsbDevice, decision: str) -> None:
        if decision in ("allowed", "excepted"):
            held = [one for one in device.storage if not one.authorised]
            await asyncio.to_thread(self._bus.authorise, held)
        elif decision != "kept":
            if any(one.driver for one in device.storage):
                await _flush()
            await asyncio.to_thread(self._bus.refuse, device.storage)

    def _tell(self, device: UsbDevice, decision: str) -> None:
        facts = {"vendor": device.vendor, "model": device.model, "serial": device.serial}
        facts |= {"maker": device.maker, "product": device.product}
        say = log.info if decision in ("allowed", "excepted") else log.warning
        say("usb drive", decision=decision, place=device.name, **facts)
        if decision == "kept":
            log.error(
                "the machine runs from a drive that is not allowed: it stays; add its serial to [usb] allow", serial=device.serial
            )
        if len(self._untold) >= MOST_UNTOLD:
            log.error("the daemon does not answer: the oldest sighting of a drive goes unrecorded", kept=MOST_UNTOLD)
            del self._untold[min(self._untold)]
        # Who sits there is asked at once and waited for elsewhere: the next device must not wait for logind.
        user = asyncio.ensure_future(self._user())
        self._untold[next(self._numbers)] = Sighting(time=self._clock(), decision=decision, **facts), user
        self._asking.set()

    async def _keep_asking(self) -> None:
        """Tell the daemon what was seen, learn what is excepted, and judge anew when that changes or ends."""
        while True:
            telling = dict(itertools.islice(self._untold.items(), MOST_TOLD))
            told = [replace(sighting, user=await user) for sighting, user in telling.values()]
            try:
                exceptions = [(Entry.parse(one.entry), one.until) for one in await self._ledger.devices(told)]
            except (DLPError, OSError, ValueError, KeyError, TypeError) as error:  # the last three: a daemon of another version
                if not self._unheard:
                    log.warning("the daemon does not answer: exceptions stay as they were", error=str(error))
                self._unheard = True
            else:
                self._unheard = False
                for number in telling:
                    self._untold.pop(number, None)
                await self._adopt(exceptions)
            if self._in_force() != self._judged_by:
                await self._guarded(self._look())
            self._asking.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(ASK_SECONDS):
                    await self._asking.wait()

    def _until_look(self) -> float:
        """Seconds, at the end of the next exception at the latest."""
        ends = [until for _, until in self._in_force()]
        left = (min(ends) - self._clock()).total_seconds() if ends else LOOK_SECONDS
        return min(LOOK_SECONDS, max(0.0, left))

    def _in_force(self) -> list[tuple[Entry, datetime]]:
        now = self._clock()
        return [one for one in self._exceptions if one[1] > now]

    async def _adopt(self, fresh: list[tuple[Entry, datetime]]) -> None:
        if fresh != self._exceptions:
            self._exceptions = fresh
            try:
                await asyncio.to_thread(self._remember)
            except OSError as error:
                log.error("exceptions will not survive a restart of this process", error=error.strerror, file=error.filename)

    def _remember(self) -> None:
        """For a start without the daemon."""
        file = self._folder / EXCEPTIONS
        fresh = file.with_suffix(".new")
        fresh.write_text(json.dumps([[str(entry), until.isoformat()] for entry, until in self._exceptions]), "utf-8")
        os.replace(fresh, file)

    def _recall(self) -> None:
        """What an earlier process remembered; where that is damaged nothing is excepted until the daemon answers."""
        try:
            known = json.loads((self._folder / EXCEPTIONS).read_text("utf-8"))
            self._exceptions = [
                (Entry.parse(str(entry)), datetime.fromisoformat(until).astimezone(UTC)) for entry, until in known
            ]
        except FileNotFoundError:
            return
        except (OSError, ValueError, TypeError) as error:
            log.warning("remembered exceptions cannot be read", file=str(self._folder / EXCEPTIONS), error=type(error).__name__)


async def _flush() -> None:
    """What programs wrote to a drive that is about to go, as far as it takes that in time."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(FLUSH_SECONDS):
            await asyncio.to_thread(os.sync)
