"""Whether a file system may be guarded: not one that this machine, the daemon or the guard itself cannot do without.

Every open on a guarded file system waits for the daemon. Were the daemon's own state, its program or the system on it,
whoever has to answer would wait for himself.
"""

import contextlib
import errno
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
    here = numbers(path, table)
    for one, what in needed(state).items():
        if numbers(one, table) == here:
            yield Fault(path, key, f"is on the file system that holds {what}: opens there must not wait for a verdict", _REMEDY)
            return


def numbers(path: str, table: Mapping[str, Mount]) -> tuple[int, int]:
    """The numbers of the file system a path is on, as the mount table has them: there all subvolumes of one have the same."""
    mount = _mount(path, table)
    if mount is None:  # the root itself: a process that was put into another one
        device = os.stat("/").st_dev
        return os.major(device), os.minor(device)
    return mount.major, mount.minor


@contextlib.contextmanager
def held(path: str, device: int, table: Mapping[str, Mount]) -> Iterator[str]:
    """The folder at `path` by a name that goes on meaning it, whatever is mounted or unmounted there meanwhile. Else what was
    judged a drive would, a moment after it was unmounted, be the system's own file system. Raises OSError, ESTALE where it is
    not on `device` (its st_dev) by the mount that the table has there."""
    descriptor = os.open(path, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        mount = _mount(path, table)
        if mount is None or (mount.id, device) != (mounts.mount_id(descriptor), os.fstat(descriptor).st_dev):
            raise OSError(errno.ESTALE, "what is mounted there has changed just now", path)
        yield f"/proc/self/fd/{descriptor}"
    finally:
        os.close(descriptor)


def _mount(path: str, table: Mapping[str, Mount]) -> Mount | None:
    place = os.path.realpath(path)
    while place not in table and place != "/":
        place = os.path.dirname(place)
    return table.get(place)


def kernel_lacks(key: str) -> Iterator[Fault]:
    """Why `deny-open` cannot be had of this kernel. To others than root the kernel does not say, and is believed."""
    try:
        Group.make().close()
    except PermissionError:
        return
    except OSError as error:
        what = f"has no permission events of fanotify (CONFIG_FANOTIFY_ACCESS_PERMISSIONS): {error.strerror}"
        yield Fault("kernel", key, what, 'use a kernel that has them, or strength = "detect"')
