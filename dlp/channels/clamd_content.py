"""What a question on the clamd socket is about: a file of a path, an open file, a stream; and who may ask for it.

The daemon may read more than those who ask. So a path is read for root and for the daemon's own user, and for others only
where the file's and every folder's mode lets them through; they are told the same of what they may not read and of what is
not there. Who cannot be told apart by modes (an access control list that is not the owner's affair) may not. An open file and
a stream need no such question: who has them can read them.

Links in a path are resolved first, as the asker's own open would; the result is then opened without following any
(openat(2), O_NOFOLLOW), and nothing but a regular file is opened at all.
"""

import errno
import os
import pwd
import socket
import stat
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any

from dlp.blob import Blob
from dlp.channels.folder_file import attributes_of, open_regular, owner_of
from dlp.errors import DLPError
from dlp.model import FileOrigin

DENIED = "Access denied."
IRREGULAR = "Not supported file type"
NOT_REGULAR = "Not a regular file"
MISSING = "File path check failure: No such file or directory."

_SO_PEERGROUPS = 59
"""unix(7): the groups of the peer when it connected; not in Python's socket module."""
_MOST_GROUPS = 256
_ACL = "system.posix_acl_access"
_SEARCH = os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_LIST = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC


class Unreadable(DLPError):
    """What was asked about cannot be read; the text is for the asker."""


class Folder(Unreadable):
    """What was asked about is a folder."""


@dataclass(frozen=True, slots=True)
class Asker:
    """Who connected: effective user, group, and further groups."""

    uid: int
    gid: int
    groups: frozenset[int] = frozenset()

    @classmethod
    def of(cls, connection: socket.socket) -> "Asker":
        """The peer of a UNIX socket, as it was when it connected (unix(7), SO_PEERCRED). Raises OSError."""
        size = struct.calcsize("3i")
        _, uid, gid = struct.unpack("3i", connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size))
        try:
            raw = connection.getsockopt(socket.SOL_SOCKET, _SO_PEERGROUPS, _MOST_GROUPS * 4)
        except OSError as error:
            if error.errno != errno.ERANGE:
                raise
            raw = b""  # more than we ask for: who has so many is known by the first alone
        return cls(uid, gid, frozenset(struct.unpack(f"{len(raw) // 4}I", raw)))

    @property
    def trusted(self) -> bool:
        """May have anything read that the daemon can read."""
        return self.uid in (0, os.geteuid())

    @property
    def name(self) -> str:
        """User name, or "uid:N"."""
        try:
            return pwd.getpwuid(self.uid).pw_name
        except KeyError:
            return f"uid:{self.uid}"

    def check(self, descriptor: int, wanted: int) -> None:
        """`wanted` are bits as of others in a mode (4 read, 1 search). Raises Unreadable where the asker may not."""
        if not self.trusted and not self._may(descriptor, wanted):
            raise Unreadable(DENIED)

    def _may(self, descriptor: int, wanted: int) -> bool:
        status = os.fstat(descriptor)
        if status.st_uid == self.uid:
            return status.st_mode >> 6 & wanted == wanted
        if _listed(descriptor):  # acl(5): then the bits of group and others are not the whole of it
            return False
        ours = status.st_gid == self.gid or status.st_gid in self.groups
        return (status.st_mode >> 3 if ours else status.st_mode) & wanted == wanted


def _listed(descriptor: int) -> bool:
    """Whether the file, perhaps only a place (O_PATH), has an access control list."""
    try:
        os.getxattr(f"/proc/self/fd/{descriptor}", _ACL)
    except OSError as error:
        if error.errno in (errno.ENODATA, errno.EOPNOTSUPP):
            return False
        raise
    return True


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """What is to be judged. The holder closes `blob`. `attributes` are None of what is too large for custody."""

    blob: Blob
    origin: FileOrigin
    attributes: Mapping[str, Any] | None


def resolved(path: str, asker: Asker) -> str:
    """`path` without links. Raises Unreadable."""
    try:
        if not path.startswith("/"):
            raise FileNotFoundError(errno.ENOENT, "not a full path")
        return os.path.realpath(path, strict=True)
    except OSError as error:
        raise _unreadable(error, asker) from error


def of_path(path: str, asker: Asker, limit: int) -> Content:
    """The file at `path`, which has no links in it; see `of_file`. Raises OSError, Unreadable, and Folder where it is one."""
    try:
        descriptor = _opened(path, asker)
    except OSError as error:
        raise _unreadable(error, asker) from error
    try:
        return of_file(descriptor, path, limit)
    finally:
        os.close(descriptor)


def _unreadable(error: OSError, asker: Asker) -> Unreadable:
    """In words that tell who may not look nothing of what is there."""
    if not asker.trusted or error.errno in (errno.EACCES, errno.EPERM):
        return Unreadable(DENIED)
    if error.errno in (errno.ENOENT, errno.ENOTDIR):
        return Unreadable(MISSING)
    return Unreadable(f"File path check failure: {error.strerror}.")


def _folder(path: str, asker: Asker) -> int:
    """A place to look names up from, every folder on the way one the asker may search. Raises OSError, Unreadable."""
    here = os.open("/", _SEARCH)
    try:
        for name in filter(None, path.split("/")):
            asker.check(here, 1)
            below = os.open(name, _SEARCH, dir_fd=here)
            os.close(here)
            here = below
        asker.check(here, 1)
    except BaseException:
        os.close(here)
        raise
    return here


def _opened(path: str, asker: Asker) -> int:
    """Open for reading, if it is a regular file that the asker may read. Raises OSError, Unreadable."""
    place = _folder(os.path.dirname(path), asker)
    try:
        name = os.path.basename(path) or "."
        descriptor = open_regular(place, name)
        if descriptor is None:
            if stat.S_ISDIR(os.stat(name, dir_fd=place, follow_symlinks=False).st_mode):
                raise Folder("It is a folder.")
            raise Unreadable(IRREGULAR if asker.trusted else DENIED)
    finally:
        os.close(place)
    try:
        asker.check(descriptor, 4)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """What a folder has: files (and what is neither file nor folder), and folders; by name. `more`: not all of it."""

    files: tuple[str, ...]
    folders: tuple[str, ...]
    more: bool = False


def listing(path: str, asker: Asker, most: int) -> Listing:
    """Up to `most` names in the folder at `path`, without links; those in it are left out. Raises Unreadable."""
    try:
        place = _folder(path, asker)
        try:
            asker.check(place, 5)
            descriptor = os.open(".", _LIST, dir_fd=place)
        finally:
            os.close(place)
        try:
            return _listing(descriptor, most)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise _unreadable(error, asker) from error


def _listing(descriptor: int, most: int) -> Listing:
    with os.scandir(descriptor) as entries:
        found = list(islice(entries, most + 1))
        kept = [entry for entry in found[:most] if not entry.is_symlink()]
        folders = sorted(entry.name for entry in kept if entry.is_dir(follow_symlinks=False))
        files = sorted(entry.name for entry in kept if not entry.is_dir(follow_symlinks=False))
    return Listing(files=tuple(files), folders=tuple(folders), more=len(found) > most)


def of_file(descriptor: int, path: str, limit: int) -> Content:
    """A sealed copy of the open file; one larger than `limit` is read in place, not for custody. Raises OSError, Unreadable."""
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode):
        raise Unreadable(NOT_REGULAR)
    origin = FileOrigin(
        path=path,
        volume=os.path.dirname(path),
        owner=owner_of(status),
        device=f"{os.major(status.st_dev)}:{os.minor(status.st_dev)}",
        inode=status.st_ino,
    )
    if status.st_size > limit:
        os.pread(descriptor, 1, 0)  # who may not read it shall be told so
        return Content(blob=Blob(os.dup(descriptor), "", status.st_size, sealed=False), origin=origin, attributes=None)
    return Content(blob=Blob.of(_whole(descriptor, limit)), origin=origin, attributes=attributes_of(descriptor, status))


def _whole(descriptor: int, limit: int) -> Iterator[bytes]:
    """To the end, wherever that is by now: a file may grow, and those of the kernel (proc(5)) say that they are empty."""
    size = 0
    for chunk in Blob(descriptor, "", 0).chunks():
        if (size := size + len(chunk)) > limit:
            raise Unreadable("The file grew while it was read.")
        yield chunk


def path_of(descriptor: int, asker: Asker) -> str:
    """The path of an open file where it has one and it still leads there, else whose descriptor it is."""
    path = os.readlink(f"/proc/self/fd/{descriptor}")
    try:
        if path.startswith("/") and os.path.samestat(os.lstat(path), os.fstat(descriptor)):
            return path
    except OSError:
        pass  # deleted, or in a place of the asker's own
    return f"fd:{asker.name}"


def of_stream(blob: Blob, asker: Asker) -> Content:
    """A stream, which has no place of its own. It is known by who sent it, so that a release holds for him alone."""
    attributes = attributes_of(blob.descriptor, os.fstat(blob.descriptor))
    attributes |= {"uid": asker.uid, "gid": asker.gid, "mode": 0o600, "xattrs": {}}
    origin = FileOrigin(path=f"stream:{asker.name}", volume="", owner=asker.name, device="", inode=0)
    return Content(blob=blob, origin=origin, attributes=attributes)
