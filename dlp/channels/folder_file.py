"""A file on a share or a drive, opened so that nobody can make us read something else.

A path is walked directory by directory with O_NOFOLLOW (openat(2)), so no symbolic link below the
watched root is ever followed. The last step opens O_PATH first and reads the inode's type: a FIFO, a
socket or a device node is never opened for reading, not even for an instant (opening a FIFO wakes its
writer, opening a tape rewinds it). A regular file is then opened through its O_PATH descriptor.
"""

import base64
import errno
import fcntl
import hashlib
import os
import pwd
import signal
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from dlp.blob import CHUNK, Blob
from dlp.channels.filesystems import by_path, remote

HASHED = 16 << 30
"""Bytes up to which a file too large for a copy is read in place for its SHA-256. Above it (a sparse file may
claim a tebibyte that nobody ever wrote) the hash stays empty, and the file can be reported but not withheld."""

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_READ = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC

_NO_LEASE = {errno.EACCES, errno.EPERM, errno.EINVAL, errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS}


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a file stands: the watched root, absolute, and the path from there (surrogateescape)."""

    root: str
    relative: str

    @property
    def path(self) -> str:
        return f"{self.root.rstrip('/')}/{self.relative}"

    @property
    def folder(self) -> str:
        """The path of the file's directory from the root, "" for the root."""
        return self.relative.rpartition("/")[0]

    @property
    def name(self) -> str:
        return self.relative.rpartition("/")[2]

    def beside(self, name: str) -> "Place":
        """The place of another name in the same directory."""
        return Place(root=self.root, relative=f"{self.folder}/{name}" if self.folder else name)


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """One version of one file, as the kernel tells it apart. `inode` is 0 where it says nothing (filesystems.by_path)."""

    device: int
    inode: int
    size: int
    mtime_ns: int
    ctime_ns: int

    @classmethod
    def of(cls, status: os.stat_result, kind: str = "") -> "Identity":
        """Of a file on a file system of this type."""
        return cls(
            device=status.st_dev,
            inode=0 if by_path(kind) else status.st_ino,
            size=status.st_size,
            mtime_ns=status.st_mtime_ns,
            ctime_ns=status.st_ctime_ns,
        )

    def still(self, status: os.stat_result) -> bool:
        """Whether this is the status of the same version."""
        return self == replace(Identity.of(status), inode=status.st_ino if self.inode else 0)


class Reason(StrEnum):
    """Why a file is not read now."""

    OPEN = "open for writing"
    MOVING = "not yet standing still"
    CHANGED = "changed while it was read"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait:
    """Look again later; `seen` is the version that must still be there then."""

    reason: Reason
    seen: Identity


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """The content of one version of a file, and what custody must keep beside it.

    `contested`: it was read while somebody may have been writing to it, so the content may be of no version
    that ever stood on the disk. The holder closes `blob`.
    """

    blob: Blob
    identity: Identity
    attributes: Mapping[str, Any]
    owner: str
    contested: bool


def open_folder(root: str, relative: str = "") -> int:
    """A descriptor of the directory `relative` below `root`. `root` itself is the operator's word and may be a
    symbolic link. Raises OSError: ELOOP or ENOTDIR where a component below is a link."""
    here = os.open(root, _FOLDER)
    for name in relative.split("/") if relative else ():
        try:
            below = os.open(name, _FOLDER | os.O_NOFOLLOW, dir_fd=here)
        finally:
            os.close(here)
        here = below
    return here


def open_regular(folder: int, name: str) -> int | None:
    """The regular file `name` in the directory `folder`, open for reading; None if it is anything else. Raises OSError."""
    found = os.open(name, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder)
    try:
        if not stat.S_ISREG(os.fstat(found).st_mode):
            return None
        link = f"/proc/self/fd/{found}"
        try:
            return os.open(link, _READ | os.O_NOATIME)
        except PermissionError:
            # O_NOATIME is for the owner and for root (open(2)).
            return os.open(link, _READ)
    finally:
        os.close(found)


def open_place(place: Place) -> int | None:
    """As `open_regular`, for a whole place."""
    folder = open_folder(place.root, place.folder)
    try:
        return open_regular(folder, place.name)
    finally:
        os.close(folder)


def lease(descriptor: int) -> bool | None:
    """Take a read lease on the file (fcntl(2), F_SETLEASE): until the descriptor is closed, an open for writing waits.

    False where somebody already has it open for writing, None where the kernel does not say (neither owner
    nor CAP_LEASE, or a file system without leases). The kernel announces a waiting writer by a signal,
    by default SIGIO, which would end this process: SIGURG, ignored by default, is asked for instead.
    """
    try:
        fcntl.fcntl(descriptor, fcntl.F_SETSIG, signal.SIGURG)
        fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_RDLCK)
    except OSError as error:
        if error.errno == errno.EAGAIN:
            return False
        if error.errno in _NO_LEASE:
            return None
        raise
    return True


def unlease(descriptor: int) -> None:
    """Give a lease back; a writer that waited goes on."""
    fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_UNLCK)


def leased(descriptor: int) -> bool:
    """The lease is still whole: nobody waits to write."""
    return fcntl.fcntl(descriptor, fcntl.F_GETLEASE) == fcntl.F_RDLCK


def take(descriptor: int, *, copied: int, seen: Identity | None, patient: bool, kind: str = "") -> Snapshot | Wait:
    """The open file's content and attributes, or a reason to wait.

    Up to `copied` bytes are copied into a sealed blob; a larger file is read in place. `seen` is the version
    met at the last look, if there was one: where the kernel does not tell of writers, and on a type of file system
    (`kind`) where others write besides this kernel, only a version that stood still from one look to the next is read.
    An impatient caller reads what is there now. Raises OSError, also where memory is short.
    """
    status = os.fstat(descriptor)
    identity = Identity.of(status, kind)
    if patient and (reason := _unfit(descriptor, identity, seen, alone=not remote(kind))):
        return Wait(reason=reason, seen=identity)
    attributes = attributes_of(descriptor, status)
    blob = _blob(descriptor, identity.size, copied)
    steady = identity.still(os.fstat(descriptor))
    if not steady and patient:
        blob.close()
        return Wait(reason=Reason.CHANGED, seen=identity)
    return Snapshot(blob=blob, identity=identity, attributes=attributes, owner=owner_of(status), contested=not patient)


def _unfit(descriptor: int, identity: Identity, seen: Identity | None, *, alone: bool) -> Reason | None:
    free = lease(descriptor)
    if free:
        unlease(descriptor)
        if alone:
            return None
    if free is False:
        return Reason.OPEN
    return None if seen == identity else Reason.MOVING


def _blob(descriptor: int, size: int, copied: int) -> Blob:
    """No more than `size` bytes are read, however fast the file grows."""
    if size <= copied:
        return Blob.of(read(descriptor, size))
    digest = hashlib.sha256()
    if size <= HASHED:
        for chunk in read(descriptor, size):
            digest.update(chunk)
    return Blob(os.dup(descriptor), digest.hexdigest() if size <= HASHED else "", size, sealed=False)


def read(descriptor: int, size: int) -> Iterator[bytes]:
    """The first `size` bytes, or fewer if there are fewer."""
    offset = 0
    while chunk := os.pread(descriptor, min(CHUNK, size - offset), offset):
        offset += len(chunk)
        yield chunk


def attributes_of(descriptor: int, status: os.stat_result) -> dict[str, Any]:
    """What brings the file back as it was: mode, ids, times in nanoseconds, extended attributes in base64, link count."""
    return {
        "mode": stat.S_IMODE(status.st_mode),
        "uid": status.st_uid,
        "gid": status.st_gid,
        "mtime_ns": status.st_mtime_ns,
        "atime_ns": status.st_atime_ns,
        "nlink": status.st_nlink,
        "xattrs": _xattrs(descriptor),
    }


def _xattrs(descriptor: int) -> dict[str, str]:
    try:
        names = os.listxattr(descriptor)
        return {name: base64.b64encode(os.getxattr(descriptor, name)).decode("ascii") for name in names}
    except OSError as error:
        # ENODATA: one went away between the two calls; the rest of a moving target is not worth a wrong answer.
        if error.errno in (errno.EOPNOTSUPP, errno.ENODATA, errno.EACCES, errno.EPERM):
            return {}
        raise


def owner_of(status: os.stat_result) -> str:
    """The owner's user name, or "uid:N"."""
    try:
        return pwd.getpwuid(status.st_uid).pw_name
    except KeyError:
        return f"uid:{status.st_uid}"


def shown(path: str) -> str:
    """A path fit for a log: bytes that are not UTF-8 become escapes."""
    return path.encode("utf-8", "backslashreplace").decode("utf-8")
