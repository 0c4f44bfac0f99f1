"""Whether a file system may be guarded: not one that this machine, the daemon or the guard itself cannot do without.

Every open on a guarded file system waits for the daemon. Were the daemon's own state, its program or the system on it,
whoever has to answer would wait for himself.
"""

import os
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from dlp.channels import mounts
from dlp.channels.fanotify import Group
from dlp.channels.mounts import Mount
from dlp.errors import Fault

SYSTEM = ("/", "/usr", "/etc", "/var", "/run", "/tmp", "/dev")  # noqa: S108 - named, not written to
_PACKAGE = Path(__file__).resolve().parents[1]
_REMEDY = 'mount a file system of its own there (a partition, a logical volume), or choose strength = "detect"'


def needed(state: Path) -> dict[str, str]:
    """Each path that opens must not wait for, and what it is."""
    ours = {str(state): "the daemon's state", str(_PACKAGE): "the program itself"}
    ours |= {os.path.realpath(one): "the Python it runs on" for one in (sys.executable, sys.prefix, sys.base_prefix)}
    return {path: f"the system ({path})" for path in SYSTEM} | ours


def not_dedicated(path: str, key: str, state: Path, table: Mapping[str, Mount] | None = None) -> Iterator[Fault]:
    """Why the file system at `path` may not be guarded. `key` is what names it in the configuration. Raises OSError."""
    table = mounts.current() if table is None else table
    if what := _needed_for(numbers(path, table), state, table):
        yield Fault(path, key, f"is on the file system that holds {what}: opens there must not wait for a verdict", _REMEDY)


def fault_of(folder: int, path: str, key: str, state: Path, table: Mapping[str, Mount]) -> Fault | None:
    """As `not_dedicated`, of an open folder: what is mounted at its path may be another by now, the folder is what it is.
    `table` must have been read after it was opened."""
    mount = next((one for one in table.values() if one.id == _mount_of(folder)), None)
    if mount is None:
        return Fault(path, key, "is not mounted any more")
    if what := _needed_for((mount.major, mount.minor), state, table):
        return Fault(path, key, f"is on the file system that holds {what}: opens there must not wait for a verdict", _REMEDY)
    return None


def _needed_for(here: tuple[int, int], state: Path, table: Mapping[str, Mount]) -> str:
    """What the file system of these numbers holds that must not wait; "" for nothing."""
    return next((what for one, what in needed(state).items() if numbers(one, table) == here), "")


def _mount_of(descriptor: int) -> int:
    """The id of the mount an open file is on (proc(5), /proc/PID/fdinfo)."""
    lines = Path(f"/proc/self/fdinfo/{descriptor}").read_text("ascii").splitlines()
    return int(next(line for line in lines if line.startswith("mnt_id:")).split()[1])


def numbers(path: str, table: Mapping[str, Mount]) -> tuple[int, int]:
    """The numbers of the file system a path is on, as the mount table has them: there all subvolumes of one have the same."""
    place = os.path.realpath(path)
    while place not in table and place != "/":
        place = os.path.dirname(place)
    if place not in table:  # the root itself: a process that was put into another one
        device = os.stat("/").st_dev
        return os.major(device), os.minor(device)
    return table[place].major, table[place].minor


def kernel_lacks(key: str) -> Iterator[Fault]:
    """Why `deny-open` cannot be had of this kernel. To others than root the kernel does not say, and is believed."""
    try:
        Group.make().close()
    except PermissionError:
        return
    except OSError as error:
        what = f"has no permission events of fanotify (CONFIG_FANOTIFY_ACCESS_PERMISSIONS): {error.strerror}"
        yield Fault("kernel", key, what, 'use a kernel that has them, or strength = "detect"')
