"""Strength `deny-open`: an open of a file on a share or a drive waits for the policy's verdict, and fails where it is bad.

This is the part that knows what is to be guarded: it makes the fanotify group, marks file systems as they come and go,
and starts the process that answers (`dlp.opens`). That one goes on when this one dies. This one holds the group's
descriptor as well, so that when that one dies the kernel allows nothing: what it had read is answered per `on_error`,
and the next one finds the rest.
"""

import asyncio
import json
import os
import socket
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import structlog

from dlp.channels import mounts
from dlp.channels.deny_open_answers import DESCRIPTORS, DUTY, Guarded, dump_guarded
from dlp.channels.deny_open_check import fault_of, not_dedicated
from dlp.channels.fanotify import Group
from dlp.channels.folder_file import shown
from dlp.channels.front_wire import FrontWire, Packet
from dlp.channels.mounts import Mount, MountWatch
from dlp.channels.share import ShareSettings
from dlp.channels.usb import RECHECK_SECONDS, UsbSettings, is_drive
from dlp.errors import ConfigError
from dlp.model import Channel

log = structlog.get_logger()

START_SECONDS = 30.0
"""How long the process that answers may take to stand."""
STOP_SECONDS = 5.0
ANSWER_SECONDS = 5.0
"""How long it may be silent before it is taken for stuck."""
PAUSE = 0.5
"""Seconds between two that would not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DenyOpenSettings:
    """The tables whose strength is `deny-open`, None for the other; where the daemon's state is; and which module is the
    process that answers."""

    share: ShareSettings | None
    usb: UsbSettings | None
    state: Path
    module: str = "dlp.opens"

    def on_error(self) -> str:
        """What becomes of opens of whatever file system where nobody can say of which: denied, if any of them is to be."""
        chosen = {table.on_error for table in (self.share, self.usb) if table is not None}
        return "deny" if "deny" in chosen else "allow"


class DenyOpen:
    """The duty; implements `dlp.guard.Duty`. `table` is the kernel's mount table, elsewhere in tests."""

    name = DUTY

    def __init__(self, settings: DenyOpenSettings, *, table: Path = mounts.MOUNTINFO) -> None:
        self._settings = settings
        self._table = table
        self._guarded: dict[tuple[int, str], Guarded] = {}
        self._complained: set[str] = set()
        self._process: asyncio.subprocess.Process | None = None
        self._wire: FrontWire | None = None

    async def start(self) -> None:
        """See `Duty.start`. Raises ConfigError for a share whose file system is not its own."""
        self._loop = asyncio.get_running_loop()
        self._changed = asyncio.Event()
        self._heard = asyncio.Event()
        self._check_shares()
        self._group = Group.make()
        try:
            self._compare()
            await self._begin()
        except BaseException:
            self._group.close()
            raise
        self._watch = MountWatch(self._changed.set, self._table)
        self._tasks = [asyncio.create_task(one) for one in (self._follow(), self._keep(), self._see_whether_it_lives())]

    async def stop(self) -> None:
        """See `Duty.stop`: nothing is asked any more, and who waits is answered per `on_error`."""
        self._watch.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._group.leave()
        assert self._wire is not None and self._process is not None  # noqa: S101 - begun in `start`
        self._wire.send({"say": "stop"})
        try:
            async with asyncio.timeout(STOP_SECONDS):
                await self._process.wait()
        except TimeoutError:
            log.error("what answers opens does not end, and is killed")
            self._process.kill()
        self._wire.close()
        self._group.close()

    def status(self) -> str:
        """See `Duty.status`."""
        return ", ".join(shown(path) for _, path in sorted(self._guarded)) or "no drive"

    # What is guarded

    def _check_shares(self) -> None:
        faults = [
            fault
            for path in (self._settings.share.paths if self._settings.share else ())
            for fault in not_dedicated(str(path), "share.paths", self._settings.state, mounts.current(self._table))
        ]
        if faults:
            raise ConfigError(faults)

    async def _follow(self) -> None:
        while True:
            await mounts.news(self._changed, RECHECK_SECONDS)
            try:
                if self._compare():
                    self._say()
            except OSError as error:
                log.error("mount table not read", error=error.strerror)

    def _compare(self) -> bool:
        """Guard what has come; what has gone took its mark with it. Returns whether anything is different. Raises OSError."""
        before = dict(self._guarded)
        found = [self._seen(one) for one in [*self._shares(), *self._drives(mounts.current(self._table))]]
        self._guarded = {(one.device, one.volume): one for one in found if one is not None}
        for key in before.keys() - self._guarded.keys():
            log.info("guarded no more", path=shown(key[1]))
        return before != self._guarded

    def _shares(self) -> Iterator[Guarded]:
        settings = self._settings.share
        for path in settings.paths if settings else ():
            assert settings is not None  # noqa: S101 - else there were no paths
            yield _guarded(settings, Channel.SHARE, str(path), "")

    def _drives(self, table: Mapping[str, Mount]) -> Iterator[Guarded]:
        settings = self._settings.usb
        for mount in table.values() if settings else ():
            assert settings is not None  # noqa: S101 - else there were no mounts
            drive = mounts.drive(*mounts.device(mount))
            if is_drive(mount, drive, settings.mounts):
                yield _guarded(settings, Channel.USB, mount.path, drive.serial)

    def _seen(self, wanted: Guarded) -> Guarded | None:
        """What is there, with its device, and marked; None where it cannot be, or must not be.

        What is looked at and what is marked is one open folder, whatever is mounted or unmounted there meanwhile. It is
        marked each time: another file system of the same numbers may have taken the place of one that went with its mark.
        """
        try:
            folder = os.open(wanted.volume, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError as error:
            self._complain(wanted, f"not there: {error.strerror}")
            return None
        try:
            guarded = replace(wanted, device=os.fstat(folder).st_dev)
            key = f"{wanted.channel.value}.strength"
            if fault := fault_of(folder, wanted.volume, key, self._settings.state, mounts.current(self._table)):
                self._complain(wanted, str(fault))
                return None
            self._group.watch(folder)
        except OSError as error:
            self._complain(wanted, f"it cannot be: {error.strerror}")
            return None
        finally:
            os.close(folder)
        self._complained.discard(wanted.volume)
        if (guarded.device, guarded.volume) not in self._guarded:
            log.info("guarded", path=shown(wanted.volume))
        return guarded

    def _complain(self, wanted: Guarded, why: str) -> None:
        """Once, until it is guarded."""
        if wanted.volume not in self._complained:
            log.error("not guarded", path=shown(wanted.volume), why=shown(why))
        self._complained.add(wanted.volume)

    # The process that answers

    def _say(self) -> None:
        if self._wire is not None:
            self._wire.send({"say": "guard", "guarded": [dump_guarded(one) for one in self._guarded.values()]})

    async def _begin(self) -> None:
        """Start it, and return once it answers. Raises OSError."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        ready = self._loop.create_future()

        def heard(packet: Packet, descriptors: list[int]) -> None:
            self._heard.set()
            if not ready.done():
                ready.set_result(None)

        wire = FrontWire(ours, heard, lambda: None if ready.done() else ready.set_exception(OSError("it ended at once")))
        handed = (theirs.fileno(), self._group.descriptor)
        try:
            self._process = await asyncio.create_subprocess_exec(
                *_command(self._settings.module),
                *map(str, handed),
                json.dumps({"state": str(self._settings.state), "guard": os.getpid()}),
                stdin=asyncio.subprocess.DEVNULL,
                pass_fds=handed,
                cwd="/",
                start_new_session=True,
            )
        except OSError:
            wire.close()
            raise
        finally:
            theirs.close()
        self._wire = wire
        self._say()
        try:
            async with asyncio.timeout(START_SECONDS):
                await ready
        except BaseException:
            self._process.kill()
            wire.close()
            raise

    async def _keep(self) -> None:
        """Begin it anew whenever it dies."""
        while True:
            assert self._process is not None  # noqa: S101 - begun in `start`
            status = await self._process.wait()
            if self._wire is not None:
                self._wire.close()
            left = self._group.answer_all(allowed=self._settings.on_error() == "allow", most=DESCRIPTORS)
            log.error("what answers opens has died, and is begun anew", status=status, answered_by_on_error=left)
            await self._begin_again()

    async def _see_whether_it_lives(self) -> None:
        """One that is stopped, or stuck, holds everybody: it is ended, and the next one begins."""
        while True:
            self._heard.clear()
            if self._wire is not None:
                self._wire.send({"say": "ping"})
            try:
                async with asyncio.timeout(ANSWER_SECONDS):
                    await self._heard.wait()
            except TimeoutError:
                log.error("what answers opens says nothing, and is killed")
                if self._process is not None and self._process.returncode is None:
                    self._process.kill()
            await asyncio.sleep(PAUSE)

    async def _begin_again(self) -> None:
        """Until it stands. Who opens meanwhile waits for it; what one had read that did not stand is answered."""
        while True:
            try:
                await self._begin()
            except (OSError, TimeoutError) as error:
                log.error("what answers opens could not be begun", error=str(error))
                self._group.answer_all(allowed=self._settings.on_error() == "allow", most=DESCRIPTORS)
                await asyncio.sleep(PAUSE)
            else:
                return


def _guarded(settings: ShareSettings | UsbSettings, channel: Channel, volume: str, label: str) -> Guarded:
    """With its device still to be seen."""
    return Guarded(
        device=0,
        channel=channel,
        volume=volume,
        label=label,
        on_error=settings.on_error,
        on_error_seconds=settings.on_error_seconds,
    )


def _command(module: str) -> list[str]:
    """The interpreter takes nothing from the environment or the current folder (-I), and finds this package where it was
    found here."""
    place = str(Path(__file__).resolve().parents[2])
    return [sys.executable, "-I", "-c", f"import sys; sys.path.append({place!r}); from {module} import main; main(sys.argv[1:])"]
