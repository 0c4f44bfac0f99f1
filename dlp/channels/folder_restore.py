"""Puts an original back where it was taken, or elsewhere: identical bytes, owner, mode, times, extended
attributes; never over anything.

The file is written without a name (open(2), O_TMPFILE) and linked into place when it is whole and synced,
so no watcher sees half of it and a crash leaves nothing. Where the file system has no such files (FAT), it
has a hidden name meanwhile, stays open for writing so that no folder reads it, and is renamed.
"""

import base64
import contextlib
import errno
import hashlib
import os
import secrets
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dlp.channels.folder_file import open_folder, open_regular, read
from dlp.channels.folder_names import is_our_notice, notice_names, rename_new
from dlp.errors import GateError
from dlp.model import Channel, FileOrigin
from dlp.ports import Held

_NOTICE_BYTES = 1 << 16
"""A notice of ours is smaller than this."""
_UNNAMED = {errno.EOPNOTSUPP, errno.EISDIR, errno.EINVAL, errno.ENOENT}
"""How a file system says that it has no O_TMPFILE (open(2))."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Restored:
    """Where the original is now. `lost` names what could not be restored ("owner", "mode", "times", "xattr NAME")."""

    path: Path
    lost: tuple[str, ...] = ()

    def __str__(self) -> str:
        without = f" (not restored, for want of permission: {', '.join(self.lost)})" if self.lost else ""
        return f"{self.path.as_posix().encode('utf-8', 'backslashreplace').decode()}{without}"


def restore(held: Held, content: Iterator[bytes], to: Path | None) -> Restored:
    """Write `content` to the path it was taken from, or to `to`, which must not exist; its folder must. A message
    has no path of its own: it goes to `to`, with nothing but its bytes.

    The notice left for it is removed if nobody touched it. Raises GateError, and then nothing was written:
    the path exists, the folder does not, the content is not what was held, or the kernel refuses.
    """
    place, folder, name = _target(held, to)
    try:
        lost = _write(folder, name, held, content)
        if to is None:
            _remove_notice(folder, name, held.incident)
    except FileExistsError:
        raise GateError("a file of that name exists: nothing is overwritten; name another place with --to") from None
    except OSError as error:
        raise GateError(f"the file could not be restored: {error.strerror}") from error
    finally:
        os.close(folder)
    return Restored(path=place, lost=tuple(lost))


def _target(held: Held, to: Path | None) -> tuple[Path, int, str]:
    """Where the original goes: the path, a descriptor of its folder, and the name in it."""
    origin = held.origin
    try:
        if to is not None:
            return to, open_folder(str(to.parent)), to.name
        if not isinstance(origin, FileOrigin):
            raise GateError("it is a message, which has no place of its own; name a file with --to")
        if held.channel is Channel.USB and not os.path.ismount(origin.volume):
            raise GateError("the drive it was taken from is not mounted; name another place with --to")
        relative = origin.path.removeprefix(origin.volume.rstrip("/") + "/")
        folder, _, name = relative.rpartition("/")
        return Path(origin.path), open_folder(origin.volume, folder), name
    except OSError as error:
        raise GateError(f"the folder cannot be opened: {error.strerror}; name another place with --to") from error


def _write(folder: int, name: str, held: Held, content: Iterator[bytes]) -> list[str]:
    with _nameless(folder) as (descriptor, publish):
        digest, size = hashlib.sha256(), 0
        for chunk in content:
            digest.update(chunk)
            size += len(chunk)
            _write_all(descriptor, chunk)
        if (digest.hexdigest(), size) != (held.sha256, held.size):
            raise GateError("the content is not what was held: nothing was restored")
        lost = list(_apply(descriptor, held.attributes)) if isinstance(held.origin, FileOrigin) else []
        os.fsync(descriptor)
        publish(name)
        os.fsync(folder)
    return lost


@contextlib.contextmanager
def _nameless(folder: int) -> Iterator[tuple[int, Callable[[str], None]]]:
    """A new file open for writing, and what gives it its name; without a name at the end, it is gone."""
    try:
        descriptor = os.open(".", os.O_TMPFILE | os.O_RDWR | os.O_CLOEXEC, 0o600, dir_fd=folder)
    except OSError as error:
        if error.errno not in _UNNAMED:
            raise
        with _hidden(folder) as hidden:
            yield hidden
        return
    try:
        yield descriptor, lambda name: os.link(f"/proc/self/fd/{descriptor}", name, dst_dir_fd=folder, follow_symlinks=True)
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def _hidden(folder: int) -> Iterator[tuple[int, Callable[[str], None]]]:
    temporary = f".dlp-restore-{secrets.token_hex(8)}"
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    descriptor = os.open(temporary, flags, 0o600, dir_fd=folder)
    try:
        yield descriptor, lambda name: rename_new(temporary, name, folder=folder)
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary, dir_fd=folder)
        os.close(descriptor)


def _apply(descriptor: int, attributes: Mapping[str, Any]) -> Iterator[str]:
    """Set what was kept; yields the names of what the kernel refused. The owner first, for chown(2) clears bits of
    the mode, and the times last, for all else changes them."""
    if not _done(lambda: os.fchown(descriptor, attributes["uid"], attributes["gid"])):
        yield "owner"
    if not _done(lambda: os.fchmod(descriptor, attributes["mode"])):
        yield "mode"
    for name, value in attributes.get("xattrs", {}).items():
        if not _done(lambda name=name, value=value: os.setxattr(descriptor, name, base64.b64decode(value))):  # type: ignore[misc]
            yield f"xattr {name}"
    if not _done(lambda: os.utime(descriptor, ns=(attributes["atime_ns"], attributes["mtime_ns"]))):
        yield "times"


def _done(step: Callable[[], None]) -> bool:
    try:
        step()
    except OSError as error:
        if error.errno in (errno.EPERM, errno.EACCES, errno.EOPNOTSUPP, errno.EINVAL):
            return False
        raise
    return True


def _write_all(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


def _remove_notice(folder: int, name: str, incident: str) -> None:
    for candidate in notice_names(name):
        try:
            descriptor = open_regular(folder, candidate)
        except OSError:
            continue
        if descriptor is None:
            continue
        try:
            content = b"".join(read(descriptor, _NOTICE_BYTES))
        finally:
            os.close(descriptor)
        if is_our_notice(content, incident):
            os.unlink(candidate, dir_fd=folder)
