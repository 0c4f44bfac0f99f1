"""The removable drives of this machine that are not mounted yet: block devices, and what file system is on each.

Source: the kernel's Documentation/ABI/stable/sysfs-block (`diskseq`, `partition`, `ro`, `holders`); blkid(8).
"""

import contextlib
import fnmatch
import os
import re
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from dlp.channels import mounts
from dlp.channels.mounts import SYSFS
from dlp.channels.mounts import Drive as Hardware

FILESYSTEMS = ("vfat", "exfat", "ntfs3", "ext2", "ext3", "ext4", "iso9660", "udf")
"""What is mounted, and nothing else: each one more is code of the kernel that reads what a stranger wrote."""
WITHOUT_OWNERS = ("vfat", "exfat", "ntfs3")
"""File systems whose files belong to whoever the mount says."""
READ_ONLY = ("iso9660", "udf")

_PROBE_SECONDS = 20
_KERNEL_NAMES = {"ntfs": "ntfs3"}
_UNFIT = re.compile(r"[^\w.-]+")
_LONGEST = 64
"""Characters of a mount point's name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """A disk or a partition. `sequence` is another one for whatever is plugged in next (diskseq), `size` in bytes."""

    name: str
    major: int
    minor: int
    sequence: int
    size: int
    read_only: bool
    hardware: Hardware

    @property
    def node(self) -> str:
        return f"/dev/{self.name}"

    @property
    def told_as(self) -> str:
        """What an item calls the device."""
        return self.hardware.serial or f"{self.major}:{self.minor}"


@dataclass(frozen=True, slots=True, kw_only=True)
class FileSystem:
    """What is on a device: the kernel's name for it, and label and UUID, "" where there is none."""

    type: str
    label: str = ""
    uuid: str = ""

    def name(self, device: Device) -> str:
        """What a mount point may be called, safe for any shell: label, else serial, else UUID, else the kernel's name."""
        words = (self.label, device.hardware.serial, self.uuid, device.name)
        fit = (_UNFIT.sub("_", word).strip("._")[:_LONGEST] for word in words)
        return next(word for word in fit if word)


def devices(patterns: Sequence[str], *, sysfs: Path = SYSFS) -> Iterator[Device]:
    """What is removable, or fits one of the patterns ("/dev/sd[b-z]*"), has a medium in it, is no part of something else,
    and no disk whose partitions are what counts. Raises OSError."""
    for entry in sorted((sysfs / "class" / "block").iterdir(), key=lambda entry: entry.name):
        with contextlib.suppress(OSError, ValueError):  # it went away meanwhile
            found = _device(entry, sysfs)
            named = any(fnmatch.fnmatchcase(found.node, pattern) for pattern in patterns)
            if (found.hardware.removable or named) and found.size and _free(entry):
                yield found


def mounted(device: Device, table: Path = mounts.MOUNTINFO) -> str:
    """Where it is mounted for everybody, "" if nowhere. Raises OSError."""
    found = ((mounts.device(mount), mount.path) for mount in mounts.current(table).values())
    return next((path for numbers, path in found if numbers == (device.major, device.minor)), "")


def filesystem(device: Device) -> FileSystem | None:
    """What is on it; None for nothing, or for what is not mounted. Raises OSError where that cannot be found out."""
    command = ["blkid", "-p", "-o", "udev", "--", device.node]
    try:
        done = subprocess.run(command, capture_output=True, timeout=_PROBE_SECONDS, check=False, env={"PATH": PATH})  # noqa: S603
    except subprocess.TimeoutExpired as error:
        raise OSError(110, "the device does not answer") from error
    if done.returncode not in (0, 2):  # 2: nothing is known on it
        raise OSError(5, f"blkid ended with {done.returncode}")
    return parse(done.stdout.decode("utf-8", "replace"))


def parse(probed: str) -> FileSystem | None:
    """What `blkid -p -o udev` says."""
    words = dict(line.partition("=")[::2] for line in probed.splitlines())
    kind = words.get("ID_FS_TYPE", "")
    kind = _KERNEL_NAMES.get(kind, kind)
    if kind not in FILESYSTEMS or words.get("ID_FS_USAGE", "filesystem") != "filesystem":
        return None
    return FileSystem(type=kind, label=_decoded(words.get("ID_FS_LABEL_ENC", "")), uuid=words.get("ID_FS_UUID", ""))


def options(filesystem: FileSystem, owner: tuple[int, int] | None) -> dict[str, str | None]:
    """What it is mounted with: where files have no owners they are `owner`'s (user and group id) alone, or else root's, for
    everybody to read."""
    made: dict[str, str | None] = {}
    if filesystem.type in WITHOUT_OWNERS:
        uid, gid = owner or (0, 0)
        made |= {"uid": str(uid), "gid": str(gid), "umask": "0077" if owner else "0022"}
        # vfat's own form, for which no table of characters is loaded.
        made |= {"utf8": "1"} if filesystem.type == "vfat" else {"iocharset": "utf8"}
    if filesystem.type.startswith("ext"):
        made["errors"] = "remount-ro"
    return made


PATH = "/usr/sbin:/usr/bin:/sbin:/bin"
"""Where blkid is looked for."""


def _device(entry: Path, sysfs: Path) -> Device:
    major, minor = map(int, (entry / "dev").read_text().split(":"))
    disk = entry.resolve().parent if (entry / "partition").exists() else entry
    return Device(
        name=entry.name.replace("!", "/"),
        major=major,
        minor=minor,
        sequence=_number(disk / "diskseq"),
        size=_number(entry / "size") * 512,
        read_only=bool(_number(entry / "ro")),
        hardware=mounts.drive(major, minor, sysfs),
    )


def _free(entry: Path) -> bool:
    holders = entry / "holders"
    parts = any((below / "partition").exists() for below in entry.resolve().iterdir() if below.is_dir())
    return not parts and not (holders.is_dir() and any(holders.iterdir()))


def _number(file: Path) -> int:
    try:
        return int(file.read_text())
    except (FileNotFoundError, ValueError):
        return 0


def _decoded(word: str) -> str:
    r"""blkid writes what is no letter as \xNN, byte by byte."""
    raw = re.sub(rb"\\x([0-9a-fA-F]{2})", lambda match: bytes([int(match.group(1), 16)]), os.fsencode(word))
    return raw.decode("utf-8", "replace")
