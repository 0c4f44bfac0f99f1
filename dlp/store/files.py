"""Durable files: what fsync(2) and rename(2) promise, and no more."""

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dlp.errors import StoreError

PRIVATE_FOLDER = 0o700
PRIVATE_FILE = 0o600
FULL = {errno.ENOSPC, errno.EDQUOT}


class DiskFull(StoreError):
    """No space is left where something had to become durable."""


def private_folder(path: Path) -> None:
    """Make `path` and its missing parents with mode 0700, durably; what exists already keeps its mode."""
    missing = [folder for folder in (path, *path.parents) if not folder.exists()]
    for folder in reversed(missing):
        with translated(f"the folder {folder} was not made", folder):
            folder.mkdir(mode=PRIVATE_FOLDER, exist_ok=True)
            sync_folder(folder.parent)


def sync_folder(path: Path) -> None:
    """Make the names in `path` durable: a rename or an unlink is not, until its folder is synced (fsync(2), NOTES)."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_all(descriptor: int, data: bytes | memoryview) -> None:
    """write(2) until all of it is taken."""
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


@contextmanager
def translated(what: str, where: Path) -> Iterator[None]:
    """OSError inside becomes a StoreError: what was not done, where, why, and what to do."""
    try:
        yield
    except OSError as error:
        raise full(what, where) if error.errno in FULL else StoreError(_sentence(what, where, error)) from error


def full(what: str, where: Path) -> DiskFull:
    """The error for a full disk."""
    return DiskFull(f"{what}: no space is left for {where}; free some, or purge what is in quarantine")


def _sentence(what: str, where: Path, error: OSError) -> str:
    reason = error.strerror or type(error).__name__
    return f"{what}: {where}: {reason}; {_remedy(error)}"


def _remedy(error: OSError) -> str:
    match error.errno:
        case errno.EACCES | errno.EPERM:
            return "check owner and permissions"
        case errno.EROFS:
            return "the file system is read-only: check the kernel's log, then mount it writable"
        case errno.EIO:
            return "the disk fails: check the kernel's log"
        case errno.ENOENT | errno.ENOTDIR:
            return "something removed it: restore it from a backup"
        case _:
            return "check the disk and its file system"


def free_bytes(path: Path) -> int:
    """Bytes that may still be written where `path` is; 0 where that cannot be told."""
    try:
        return shutil.disk_usage(path).free
    except OSError:
        return 0
