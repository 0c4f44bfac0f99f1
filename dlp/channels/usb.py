"""Channel `usb`: drives, watched at strength `detect` from the moment they are mounted.

A drive is a mount whose point matches one of the patterns, or whose device the kernel calls removable or
finds on USB. A mount that cannot be written to is passed over: nothing leaves by it.
"""

import asyncio
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Literal

import structlog

from dlp.channels import mounts
from dlp.channels.folder import Folder, FolderPorts, Root
from dlp.channels.folder_file import shown
from dlp.channels.mounts import Drive, Mount, MountWatch
from dlp.channels.share import check_on_error, check_times, slots
from dlp.channels.usb_devices_allow import parse_all
from dlp.model import Channel

log = structlog.get_logger()

RECHECK_SECONDS = 10.0
"""How often the mount table is read even if the kernel reported no change."""

GATED = "fuse.dlp-gate"
"""What stands in place of a drive at strength `gate`: nothing gets on it unjudged."""
_PSEUDO = {"proc", "sysfs", "devpts", "cgroup", "cgroup2", "autofs", "securityfs", "debugfs", "tracefs", "bpf", "mqueue"}
"""File systems of the kernel's own that hold no files of anybody."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UsbSettings:
    """Table `[usb]`. `mounts` are patterns of mount points, `*` standing for one name; `allow` are the drives that
    may be used at all (dlp.channels.usb_devices_allow), every one where it is empty. Under `gate`, `devices` are
    patterns of block devices that are drives besides every removable one, and `gate_root` the folder of their mount points.
    The times are as for shares.
    Raises ValueError."""

    mounts: tuple[str, ...] = ("/media/*/*", "/run/media/*/*", "/mnt/usb*")
    strength: Literal["detect", "deny-open", "gate"] = "detect"
    devices: tuple[str, ...] = ()
    gate_root: Path = Path("/media/dlp")
    on_error: Literal["deny", "allow"] = "deny"
    on_error_seconds: float = 10.0
    allow: tuple[str, ...] = ()
    settle_seconds: float = 0.5
    rescan_seconds: float = 900

    def __post_init__(self) -> None:
        check_times(self.settle_seconds, self.rescan_seconds)
        check_on_error(self.on_error_seconds)
        parse_all(self.allow)
        for pattern in self.mounts:
            if not pattern.startswith("/"):
                raise ValueError(f"mounts must be absolute patterns, {pattern!r} is not")
        for pattern in self.devices:
            if not pattern.startswith("/dev/"):
                raise ValueError(f"devices must be patterns of device nodes such as /dev/sd*, {pattern!r} is not")


class UsbChannel:
    """Watches every drive from its mount to its unmount. `table` and `sysfs` are the kernel's, elsewhere in tests."""

    def __init__(
        self, settings: UsbSettings, ports: FolderPorts, *, table: Path = mounts.MOUNTINFO, sysfs: Path = mounts.SYSFS
    ) -> None:
        self._settings = settings
        self._ports = ports
        self._table = table
        self._sysfs = sysfs
        self._folders: dict[Mount, Folder] = {}
        self._passed: set[Mount] = set()

    async def start(self) -> None:
        """Begin; drives that are mounted already are found before this returns."""
        self._loop = asyncio.get_running_loop()
        self._slots = slots()
        self._changed = asyncio.Event()
        self._comparing = asyncio.Lock()
        self._watch = MountWatch(self._changed.set, self._table)
        await self._compare()
        self._task = asyncio.create_task(self._follow())
        label = self._ports.metrics.queue_items.labels(Channel.USB.value)
        label.set_function(lambda: sum(folder.queued for folder in self._folders.values()))

    async def stop(self) -> None:
        """End; returns once nothing is in work."""
        self._watch.close()
        async with self._comparing:
            # Not in the middle of a comparison, which would leave a folder half begun or half ended.
            self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        await asyncio.gather(*(folder.stop() for folder in self._folders.values()))
        self._folders.clear()

    async def settled(self) -> None:
        """Return once every mounted drive is known and everything seen on it is judged or waits for another try."""
        await self._compare()
        await asyncio.gather(*(folder.settled() for folder in list(self._folders.values())))

    def recheck(self) -> None:
        """Signatures or policy have changed: judge everything again."""
        for folder in self._folders.values():
            folder.recheck()

    @property
    def drives(self) -> list[str]:
        """The mount points watched now."""
        return sorted(mount.path for mount in self._folders)

    async def _follow(self) -> None:
        while True:
            await mounts.news(self._changed, RECHECK_SECONDS)
            await self._compare()

    async def _compare(self) -> None:
        """Watch what has come, let go of what has gone."""
        async with self._comparing:
            try:
                drives = await asyncio.to_thread(self._drives)
            except OSError as error:
                log.error("mount table not read", error=error.strerror)
                return
            for mount in [mount for mount in self._folders if mount not in drives]:
                log.info("drive gone", mount=shown(mount.path))
                await self._folders.pop(mount).stop()
            for mount, drive in drives.items():
                if mount not in self._folders:
                    await self._begin(mount, drive)

    async def _begin(self, mount: Mount, drive: Drive) -> None:
        log.info("drive found", mount=shown(mount.path), serial=drive.serial, vendor=drive.vendor, model=drive.model)
        try:
            # Not the number in the table: on btrfs the two differ.
            device = os.stat(mount.path).st_dev
        except OSError as error:
            log.warning("drive not readable", mount=shown(mount.path), error=error.strerror)
            return
        folder = Folder(
            Root(path=mount.path, channel=Channel.USB, device=drive.serial, pinned=device),
            self._ports,
            slots=self._slots,
            settle_seconds=self._settings.settle_seconds,
            rescan_seconds=self._settings.rescan_seconds,
        )
        await folder.start()
        self._folders[mount] = folder

    def _drives(self) -> dict[Mount, Drive]:
        found = {mount: mounts.drive(*mounts.device(mount), self._sysfs) for mount in mounts.current(self._table).values()}
        wanted = {mount: drive for mount, drive in found.items() if is_drive(mount, drive, self._settings.mounts)}
        passed = {mount for mount in wanted if mount.read_only}
        for mount in passed - self._passed:
            log.info("drive is read-only: nothing can leave by it", mount=shown(mount.path))
        self._passed = passed
        return {mount: drive for mount, drive in wanted.items() if mount not in passed}


def is_drive(mount: Mount, drive: Drive, patterns: Sequence[str]) -> bool:
    """Whether a mount on this hardware is a drive; see above."""
    if mount.filesystem in _PSEUDO or mount.filesystem == GATED:
        return False
    point = PurePosixPath(mount.path)
    return drive.removable or any(point.match(pattern) for pattern in patterns)
