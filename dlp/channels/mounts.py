"""The mount table of this machine, its changes, and what sysfs tells of the device behind a mount.

Source: proc(5), /proc/PID/mountinfo; the kernel's Documentation/ABI/testing/sysfs-block (`removable`) and
sysfs-bus-usb (`serial`, `manufacturer`, `product`).
"""

import asyncio
import contextlib
import os
import re
import select
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

MOUNTINFO = Path("/proc/self/mountinfo")
SYSFS = Path("/sys")

_ESCAPE = re.compile(r"\\([0-7]{3})")


@dataclass(frozen=True, slots=True, kw_only=True)
class Mount:
    """One line of mountinfo. `path` is the mount point (surrogateescape), `source` the device or what stands for it."""

    id: int
    major: int
    minor: int
    path: str
    read_only: bool
    filesystem: str
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Drive:
    """What the kernel knows of a block device's hardware; "" where it does not say."""

    removable: bool
    serial: str = ""
    vendor: str = ""
    model: str = ""


def parse(table: str) -> Iterator[Mount]:
    """The mounts of a mountinfo text in its order; a line that is not one is passed over, for the kernel may add forms."""
    for line in table.split("\n"):
        before, separator, after = line.partition(" - ")
        fields, tail = before.split(" "), after.split(" ")
        if not separator or len(fields) < 6 or len(tail) < 3 or not _numbers(fields[0], *fields[2].split(":")):
            continue
        major, minor = fields[2].split(":")
        yield Mount(
            id=int(fields[0]),
            major=int(major),
            minor=int(minor),
            path=_unescaped(fields[4]),
            read_only="ro" in fields[5].split(",") or "ro" in tail[2].split(","),
            filesystem=tail[0],
            source=_unescaped(tail[1]),
        )


def current(table: Path = MOUNTINFO) -> dict[str, Mount]:
    """The mounts to be seen now, by mount point; of several on one point the topmost. Raises OSError."""
    return {mount.path: mount for mount in parse(os.fsdecode(table.read_bytes()))}


def filesystem(device: int, table: Path = MOUNTINFO) -> str:
    """The type of the file system with this st_dev, "" if it is not in the mount table (btrfs subvolumes, for one)."""
    wanted = os.major(device), os.minor(device)
    return next((mount.filesystem for mount in current(table).values() if (mount.major, mount.minor) == wanted), "")


def device(mount: Mount) -> tuple[int, int]:
    """The numbers of the block device behind a mount: its own, or for a file system with numbers of its own
    (btrfs, major 0) those of the device node it was mounted from."""
    if mount.major or not mount.source.startswith("/dev/"):
        return mount.major, mount.minor
    try:
        number = os.stat(mount.source).st_rdev
    except OSError:
        return mount.major, mount.minor
    return os.major(number), os.minor(number)


def drive(major: int, minor: int, sysfs: Path = SYSFS) -> Drive:
    """The hardware behind a device number: from the partition up to the disk and, if there is one, the USB device.

    A device is removable if its disk says so (card readers, sticks) or if it hangs on USB (hard disks in a case).
    """
    start = sysfs / "dev" / "block" / f"{major}:{minor}"
    if not start.exists():
        return Drive(removable=False)
    here = start.resolve()
    removable, on_usb = False, False
    for folder in (here, *here.parents):
        removable = removable or _word(folder / "removable") == "1"
        on_usb = on_usb or (folder / "subsystem").resolve().name == "usb"
        serial, at_usb_device = _word(folder / "serial"), (folder / "idVendor").exists()
        if serial or at_usb_device:
            # Not further up: the next serial would be the host controller's.
            vendor, model = _word(folder / "manufacturer"), _word(folder / "product") or _word(folder / "model")
            return Drive(removable=removable or on_usb or at_usb_device, serial=serial, vendor=vendor, model=model)
        if folder == sysfs:
            break
    return Drive(removable=removable or on_usb)


async def news(changed: asyncio.Event, seconds: float) -> None:
    """Return once `changed` is set, or `seconds` have passed; it is clear then."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await changed.wait()
    changed.clear()


class MountWatch:
    """Calls `changed` on the running loop after each change of the mount table.

    poll(2) on mountinfo tells of a change by POLLPRI (proc(5)) but is always readable, which a selector
    would take for news; an epoll of its own, asked for EPOLLPRI alone, stands in between.
    """

    def __init__(self, changed: Callable[[], None], table: Path = MOUNTINFO) -> None:
        self._changed = changed
        self._table = os.open(table, os.O_RDONLY | os.O_CLOEXEC)
        self._epoll = select.epoll()
        self._epoll.register(self._table, select.EPOLLPRI)
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self._epoll.fileno(), self._ready)

    def close(self) -> None:
        """Ask no more."""
        self._loop.remove_reader(self._epoll.fileno())
        self._epoll.close()
        os.close(self._table)

    def _ready(self) -> None:
        self._epoll.poll(0)
        self._changed()


def _numbers(*words: str) -> bool:
    return len(words) == 3 and all(word.isascii() and word.isdigit() for word in words)


def _unescaped(field: str) -> str:
    """Space, tab, newline and backslash are written as octal numbers (proc(5))."""
    return _ESCAPE.sub(lambda match: chr(int(match.group(1), 8) & 0xFF), field)


def _word(file: Path) -> str:
    """A sysfs attribute's one line, "" where there is none."""
    try:
        return file.read_text("utf-8", "replace").strip()
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError, PermissionError):
        return ""
