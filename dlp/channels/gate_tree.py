"""The files of a drive as they are on the drive itself, reached through a descriptor of its root and nothing else.

Paths begin with "/", the root of the drive. The folder of a path is opened beneath the root, so that no link on the drive
leads this process, which is root, anywhere else.
"""

import contextlib
import errno
import os
import secrets
import stat
from collections.abc import Iterator
from dataclasses import dataclass

from dlp.channels.gate_mount import beneath
from dlp.channels.gate_staging import copy

TEMPORARY = ".dlp-gate-"
"""How the names begin under which judged content comes onto the drive, before it gets its own name."""
_NO_OWNERS = {errno.EPERM, errno.EOPNOTSUPP, errno.EINVAL}
"""How a file system says that its files belong to nobody (FAT)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attributes:
    """What a file gets beside its content. Times in nanoseconds."""

    mode: int
    uid: int
    gid: int
    atime_ns: int
    mtime_ns: int


class Tree:
    """`root` is the descriptor, which `close` gives up. Every method raises OSError as the kernel does."""

    def __init__(self, root: int) -> None:
        self.root = root

    def close(self) -> None:
        os.close(self.root)

    @contextlib.contextmanager
    def at(self, path: str) -> Iterator[tuple[int, str]]:
        """The folder of a path, and the name in it."""
        folder, _, name = path.rpartition("/")
        if not folder:
            yield self.root, name or "."
            return
        descriptor = beneath(self.root, folder[1:], os.O_PATH | os.O_DIRECTORY)
        try:
            yield descriptor, name
        finally:
            os.close(descriptor)

    def status(self, path: str) -> os.stat_result:
        with self.at(path) as (folder, name):
            return os.stat(name, dir_fd=folder, follow_symlinks=False)

    def exists(self, path: str) -> bool:
        try:
            self.status(path)
        except FileNotFoundError:
            return False
        return True

    def open(self, path: str) -> int:
        """A regular file, for reading."""
        with self.at(path) as (folder, name):
            flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
            descriptor = os.open(name, flags, dir_fd=folder)
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.close(descriptor)
            raise OSError(errno.EACCES, os.strerror(errno.EACCES))
        return descriptor

    def names(self, path: str) -> list[tuple[str, int]]:
        """What is in a folder, with the type bits of each one's mode; not what this program has there for a moment."""
        with self.at(path) as (folder, name):
            descriptor = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder)
        try:
            with os.scandir(descriptor) as entries:
                return [(entry.name, _type(entry)) for entry in entries if not entry.name.startswith(TEMPORARY)]
        finally:
            os.close(descriptor)

    def link_target(self, path: str) -> str:
        with self.at(path) as (folder, name):
            return os.readlink(name, dir_fd=folder)

    def remove(self, path: str) -> None:
        with self.at(path) as (folder, name):
            os.unlink(name, dir_fd=folder)

    def remove_folder(self, path: str) -> None:
        with self.at(path) as (folder, name):
            os.rmdir(name, dir_fd=folder)

    def rename(self, old: str, new: str) -> None:
        with self.at(old) as (source, name), self.at(new) as (target, wanted):
            os.rename(name, wanted, src_dir_fd=source, dst_dir_fd=target)

    def make_folder(self, path: str, mode: int, uid: int, gid: int) -> None:
        with self.at(path) as (folder, name):
            inherited = os.stat(folder)
            os.mkdir(name, 0o700, dir_fd=folder)
            if inherited.st_mode & stat.S_ISGID:
                mode, gid = mode | stat.S_ISGID, inherited.st_gid
            self._give(folder, name, mode, uid, gid)

    def make_link(self, path: str, target: str, uid: int, gid: int) -> None:
        """A symbolic one."""
        with self.at(path) as (folder, name):
            os.symlink(target, name, dir_fd=folder)
            with _without_owners():
                os.chown(name, uid, gid, dir_fd=folder, follow_symlinks=False)

    def link(self, old: str, new: str) -> None:
        """Another name for the same file."""
        with self.at(old) as (source, name), self.at(new) as (target, wanted):
            os.link(name, wanted, src_dir_fd=source, dst_dir_fd=target, follow_symlinks=False)

    def change_mode(self, path: str, mode: int) -> None:
        with self.at(path) as (folder, name):
            _change_mode(folder, name, mode)

    def change_owner(self, path: str, uid: int, gid: int) -> None:
        with self.at(path) as (folder, name):
            os.chown(name, uid, gid, dir_fd=folder, follow_symlinks=False)

    def change_times(self, path: str, atime_ns: int, mtime_ns: int) -> None:
        with self.at(path) as (folder, name):
            os.utime(name, ns=(atime_ns, mtime_ns), dir_fd=folder, follow_symlinks=False)

    def sync(self, path: str) -> None:
        """A folder's own entries."""
        with self.at(path) as (folder, name):
            descriptor = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def bring(self, content: int, attributes: Attributes) -> str:
        """The open file `content` onto the drive under a temporary name, durably; returns its path. Nothing is left there
        where that fails."""
        name = TEMPORARY + secrets.token_hex(8)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        descriptor = os.open(name, flags, 0o600, dir_fd=self.root)
        try:
            copy(content, descriptor)
            with _without_owners():
                os.fchown(descriptor, attributes.uid, attributes.gid)
            with _without_owners():
                os.fchmod(descriptor, attributes.mode)
            os.utime(descriptor, ns=(attributes.atime_ns, attributes.mtime_ns))
            os.fsync(descriptor)
        except BaseException:
            with contextlib.suppress(OSError):  # the first error is the one to raise
                os.unlink(name, dir_fd=self.root)
            raise
        finally:
            os.close(descriptor)
        return f"/{name}"

    def clean(self) -> int:
        """Remove what a process that was killed left behind under temporary names; returns how many."""
        folder = os.open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=self.root)
        try:
            mine = [name for name in os.listdir(folder) if name.startswith(TEMPORARY)]
        finally:
            os.close(folder)
        for name in mine:
            os.unlink(name, dir_fd=self.root)
        return len(mine)

    def _give(self, folder: int, name: str, mode: int, uid: int, gid: int) -> None:
        with _without_owners():
            os.chown(name, uid, gid, dir_fd=folder, follow_symlinks=False)
        with _without_owners():
            _change_mode(folder, name, mode)


def _change_mode(folder: int, name: str, mode: int) -> None:
    """fchmodat(2) has no way not to follow a link before Linux 6.6."""
    descriptor = os.open(name, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder)
    try:
        if stat.S_ISLNK(os.fstat(descriptor).st_mode):
            raise OSError(errno.EOPNOTSUPP, os.strerror(errno.EOPNOTSUPP))
        os.chmod(f"/proc/self/fd/{descriptor}", mode)
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def _without_owners() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno not in _NO_OWNERS:
            raise


def _type(entry: os.DirEntry[str]) -> int:
    if entry.is_symlink():
        return stat.S_IFLNK
    return stat.S_IFDIR if entry.is_dir(follow_symlinks=False) else stat.S_IFREG
