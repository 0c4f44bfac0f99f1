"""Strength `gate`: a drive is mounted where nobody can reach it, and users see a file system that writes nothing unjudged.

This is the part that knows which drives there are: it starts a process for each (`dlp.gated`), keeps the mount points, and
takes away what a process that died has left. The mount point of a drive is a folder of root's that nobody may enter, before
and after: what is written while no process stands there fails.
"""

import asyncio
import contextlib
import errno
import json
import os
import pwd
import signal
import stat
import sys
from dataclasses import dataclass, replace
from pathlib import Path

import structlog

from dlp.channels import block, mounts, seat
from dlp.channels.ask import AskClient
from dlp.channels.ask_wire import ask_socket
from dlp.channels.block import Device, FileSystem
from dlp.channels.folder_file import shown
from dlp.channels.gate_mount import unmount
from dlp.channels.gate_staging import RESERVE
from dlp.channels.gate_wire import DUTY, Gated, dump_gated
from dlp.channels.uevents import Uevent, UeventWatch
from dlp.channels.usb import GATED, UsbSettings
from dlp.errors import AskError

log = structlog.get_logger()

LOOK_SECONDS = 2.0
"""How often the devices are looked at even if the kernel told of nothing."""
START_SECONDS = 60.0
"""How long a drive may take to be mounted: a journal may have to be replayed."""
STOP_SECONDS = 10.0
PAUSE_SECONDS = 10.0
"""Before what could not be gated is tried again."""
CLAIM = "gate-drives"
"""A file beside the staging folder: while it is there the udev rule (systemd/dlp-gate.rules) tells desktops to mount no drive."""
_MODULE = "dlp.gated"


@dataclass(frozen=True, slots=True, kw_only=True)
class GateSettings:
    """The table `[usb]`; where the daemon's state is, and the folder for what waits; how many seconds a verdict on little
    content may take; and how many bytes stay free on the disk of that folder."""

    usb: UsbSettings
    state: Path
    staging: Path
    seconds: float
    reserve: int = RESERVE


class _Standing:
    """A drive and the process before it."""

    def __init__(self, point: Path, process: asyncio.subprocess.Process, changed: asyncio.Event) -> None:
        self.point = point
        self.process = process
        self._end = asyncio.create_task(self._ends(changed))

    async def _ends(self, changed: asyncio.Event) -> None:
        """What the process leaves behind is looked at at once."""
        await self.process.wait()
        changed.set()


class GateDuty:
    """The duty; implements `dlp.guard.Duty`."""

    name = DUTY

    def __init__(self, settings: GateSettings) -> None:
        self._settings = settings
        self._client = AskClient(ask_socket(settings.state), DUTY)
        self._standing: dict[Device, _Standing] = {}
        self._waiting: dict[Device, float] = {}
        self._through: set[Device] = set()
        self._watch: UeventWatch | None = None
        self._heard = True

    async def start(self) -> None:
        """See `Duty.start`. Drives that are plugged in are gated when this returns, if they can be. Raises OSError."""
        self._loop = asyncio.get_running_loop()
        self._changed = asyncio.Event()
        _own(self._settings.staging.parent)
        _own(self._settings.staging)
        os.close(os.open(self._settings.staging.parent / CLAIM, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600))
        _open_to_all(self._settings.usb.gate_root)
        await asyncio.to_thread(self._clear)
        try:
            self._watch = UeventWatch(self._happened, self._changed.set)
        except OSError as error:
            log.warning("the kernel tells nothing of devices: they are looked at every so often", error=error.strerror)
        await self._compare()
        self._task = asyncio.create_task(self._follow())

    async def stop(self) -> None:
        """See `Duty.stop`: every drive is unmounted, what waits for a verdict fails."""
        if self._watch is not None:
            self._watch.close()
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        await asyncio.gather(*(self._end(device) for device in list(self._standing)))
        self._client.close()

    def status(self) -> str:
        """See `Duty.status`."""
        return ", ".join(shown(str(one.point)) for one in self._standing.values()) or "no drive"

    def _clear(self) -> None:
        """What an earlier guard has left: mounts whose process is dead, and empty mount points."""
        root = self._settings.usb.gate_root
        for mount in mounts.current().values():
            if mount.filesystem == GATED and Path(mount.path).parent == root:
                log.warning("a mount without a process is taken away", mount=shown(mount.path))
                unmount(mount.path)
        for left in root.iterdir():
            _remove(left)

    def _happened(self, event: Uevent) -> None:
        if event.subsystem == "block":
            self._waiting.clear()
            self._changed.set()

    async def _follow(self) -> None:
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LOOK_SECONDS):
                    await self._changed.wait()
            self._changed.clear()
            try:
                await self._compare()
            except OSError as error:
                log.error("devices not read", error=error.strerror)

    async def _compare(self) -> None:
        """Gate what has come, let go of what has gone or died. Raises OSError."""
        present = await asyncio.to_thread(lambda: set(block.devices(self._settings.usb.devices)))
        for device, one in list(self._standing.items()):
            if device not in present:
                log.warning("drive pulled", point=shown(str(one.point)))
                await self._end(device)
            elif one.process.returncode is not None:
                await self._died(device, one.process.returncode)
        self._through &= present
        now = self._loop.time()
        for device in sorted(present - self._through - set(self._standing), key=lambda device: device.name):
            if self._waiting.get(device, 0.0) <= now and not await self._begin(device):
                self._waiting[device] = now + PAUSE_SECONDS
        self._say()

    def _say(self) -> None:
        """The daemon knows that the duty is done, and for how many drives."""
        try:
            self._client.connect()
            self._client.say({"say": "gated", "drives": len(self._standing)})
        except AskError as error:
            if self._heard:
                log.error("nothing can be written to gated drives", error=str(error))
            self._heard = False
        else:
            self._heard = True

    async def _begin(self, device: Device) -> bool:
        """Whether the drive stands, or is not to."""
        try:
            if path := await asyncio.to_thread(block.mounted, device):
                log.error("not gated: it is mounted already", device=device.node, mount=shown(path), remedy="unmount it")
                return False
            found = await asyncio.to_thread(block.filesystem, device)
            if found is None:
                log.warning("not mounted: no file system that is gated", device=device.node)
                return False
            point = await asyncio.to_thread(self._point, found.name(device))
        except OSError as error:
            log.error("drive cannot be gated", device=device.node, error=error.strerror)
            return False
        process = await self._started(await self._gated(device, found, point))
        if process is None:
            await asyncio.to_thread(_close, point)
            return False
        self._standing[device] = _Standing(point, process, self._changed)
        one = device.hardware
        what = {"serial": one.serial, "vendor": one.vendor, "model": one.model, "filesystem": found.type}
        log.info("drive gated", device=device.node, point=shown(str(point)), **what)
        return True

    async def _gated(self, device: Device, found: FileSystem, point: Path) -> Gated:
        owner = _ids(await seat.user()) if found.type in block.WITHOUT_OWNERS else None
        settings = self._settings
        return Gated(
            node=device.node,
            filesystem=found.type,
            point=str(point),
            device=device.told_as,
            state=str(settings.state),
            staging=str(settings.staging),
            seconds=settings.seconds,
            reserve=settings.reserve,
            read_only=device.read_only or found.type in block.READ_ONLY,
            options=block.options(found, owner),
        )

    async def _started(self, gated: Gated) -> asyncio.subprocess.Process | None:
        """The process, once it stands; None, and it is gone, where it does not."""
        reader, writer = os.pipe()
        try:
            process = await asyncio.create_subprocess_exec(
                *_command(_MODULE),
                str(writer),
                json.dumps(dump_gated(gated)),
                stdin=asyncio.subprocess.DEVNULL,
                pass_fds=[writer],
                cwd="/",
            )
        except OSError as error:
            log.error("drive cannot be gated", device=gated.node, error=error.strerror)
            os.close(reader)
            return None
        finally:
            os.close(writer)
        try:
            async with asyncio.timeout(START_SECONDS):
                said = await _read(reader)
        except TimeoutError:
            said = b""
        finally:
            os.close(reader)
        if said:
            return process
        await _ended(process, signal.SIGKILL)
        if not gated.read_only and (asked := replace(gated, read_only=True)) != gated:
            log.info("tried again for reading only", device=gated.node)
            return await self._started(asked)
        return None

    async def _end(self, device: Device) -> None:
        one = self._standing.pop(device)
        await _ended(one.process, signal.SIGTERM)
        await asyncio.to_thread(_close, one.point)
        log.info("drive let go", point=shown(str(one.point)))

    async def _died(self, device: Device, status: int) -> None:
        """0: somebody unmounted it, and it stays so until it is plugged in again."""
        one = self._standing.pop(device)
        await asyncio.to_thread(_close, one.point)
        if status == 0:
            log.info("drive unmounted", point=shown(str(one.point)))
            self._through.add(device)
        else:
            log.error("the gate of a drive died; the drive is unmounted and gated anew", status=status, device=device.node)

    def _point(self, name: str) -> Path:
        """A mount point of that name, or one close to it: a folder nobody may enter. Raises OSError."""
        for number in range(1, 1000):
            point = self._settings.usb.gate_root / (name if number == 1 else f"{name}-{number}")
            with contextlib.suppress(FileExistsError):
                point.mkdir(mode=0o000)
                return point
        raise FileExistsError(17, "every mount point of that name is taken")


def _open_to_all(folder: Path) -> None:
    """A folder that everybody may pass through, whatever the umask; one that is there already stays as it is. Raises OSError."""
    try:
        folder.mkdir()
    except FileExistsError:
        return
    except FileNotFoundError:
        _open_to_all(folder.parent)
        folder.mkdir()
    folder.chmod(0o755)


def _own(folder: Path) -> None:
    """A folder of this user's alone, and no link to another. Raises OSError."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid():
        raise OSError(errno.EPERM, "is not the guard's own folder", str(folder))
    folder.chmod(0o700)


def _close(point: Path) -> None:
    """Nothing is mounted there any more, and the folder is gone."""
    with contextlib.suppress(OSError):  # EINVAL: it was unmounted in order
        unmount(str(point))
    _remove(point)


def _remove(point: Path) -> None:
    try:
        point.rmdir()
    except OSError as error:
        log.warning("left as it is", folder=shown(str(point)), error=error.strerror)


async def _ended(process: asyncio.subprocess.Process, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        process.send_signal(number)
    try:
        async with asyncio.timeout(STOP_SECONDS):
            await process.wait()
    except TimeoutError:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


async def _read(descriptor: int) -> bytes:
    """What comes first, b"" at the end."""
    loop = asyncio.get_running_loop()
    ready = asyncio.Event()
    loop.add_reader(descriptor, ready.set)
    try:
        await ready.wait()
    finally:
        loop.remove_reader(descriptor)
    return os.read(descriptor, 1)


def _ids(user: str) -> tuple[int, int] | None:
    try:
        found = pwd.getpwnam(user)
    except KeyError:
        return None
    return found.pw_uid, found.pw_gid


def _command(module: str) -> list[str]:
    """As the guard's other processes: nothing is taken from the environment or the current folder (-I)."""
    place = str(Path(__file__).resolve().parents[2])
    return [sys.executable, "-I", "-c", f"import sys; sys.path.append({place!r}); from {module} import main; main(sys.argv[1:])"]
