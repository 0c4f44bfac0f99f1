"""The gate of a file on a share or a drive: releasing leaves it, withholding removes it and leaves a notice.

Removal, so that at every instant the original is in its place, under its hidden name, or in custody:
1. open the file again and hold a read lease on it: nobody writes to it from here on, or we hear of it;
2. it must be the very version that is in custody (device, inode, size, mtime, ctime);
3. rename it to a hidden name, which nobody else uses: what is under that name now is what will be
   removed, whatever is put in its old place meanwhile;
4. its SHA-256 must be that of the copy in custody, else it goes back and is inspected anew;
5. unlink, fsync the directory; 6. the notice.
A crash after 3 leaves the hidden file; the next walk of the tree gives it its name back.
"""

import asyncio
import contextlib
import hashlib
import os
from collections.abc import Awaitable, Callable, Iterator, Mapping
from typing import Any

import structlog

from dlp.channels.folder_file import HASHED, Identity, Place, Snapshot, lease, leased, open_folder, open_regular, read, shown
from dlp.channels.folder_names import hidden_name, is_notice_name, notice_names, notice_text, rename_new
from dlp.errors import GateError
from dlp.model import Verdict

log = structlog.get_logger()

Notice = Callable[[Verdict, str, str], str]
"""`notice(verdict, incident, name)` is the text left in the place of the removed file `name`."""


class FileGate:
    """Implements `ports.Gate` for one version of one file.

    `hiding` is the set of hidden paths in use in this process: a walk leaves them alone. `notice` is None
    where notices are turned off. `others` is called with the number of other names (hard links) the
    removed file still has, if any. `run` does file work in a thread.
    """

    destroys = True

    def __init__(
        self,
        place: Place,
        snapshot: Snapshot,
        *,
        notice: Notice | None,
        hiding: set[str],
        others: Callable[[int], None],
        run: Callable[..., Awaitable[None]] = asyncio.to_thread,
    ) -> None:
        self._place = place
        self._snapshot = snapshot
        self._notice = notice
        self._hiding = hiding
        self._others = others
        self._run = run

    @property
    def attributes(self) -> Mapping[str, Any]:
        """See `folder_file.attributes_of`. Raises GateError for a file too large to be hashed, hence to be held."""
        if not self._snapshot.blob.sha256:
            raise GateError(f"the file is larger than {HASHED >> 30} GiB: too large for custody, remove it by hand")
        return self._snapshot.attributes

    async def release(self) -> None:
        """The file stays where it is."""

    async def withhold(self, verdict: Verdict, incident: str, held: str | None) -> None:
        """Remove the file and leave a notice. Raises GateError if it is not, any more, what is in custody."""
        if held is None:
            raise GateError("the original is not in custody: the file stays")
        await self._run(self._withhold, verdict, incident)

    def _withhold(self, verdict: Verdict, incident: str) -> None:
        try:
            folder = open_folder(self._place.root, self._place.folder)
        except OSError as error:
            raise GateError(f"the file's folder cannot be opened: {error.strerror}") from error
        try:
            left = self._remove(folder)
            if left:
                log.warning("removed file has other names", path=shown(self._place.path), names=left, incident=incident)
                self._others(left)
            self._leave_notice(folder, verdict, incident)
        finally:
            os.close(folder)

    def _remove(self, folder: int) -> int:
        """Steps 1 to 5; returns how many hard links remain. Raises GateError."""
        try:
            with self._opened(folder) as descriptor, self._hidden(folder, descriptor) as name:
                os.unlink(name, dir_fd=folder)
                self._sync(folder)
                return os.fstat(descriptor).st_nlink
        except OSError as error:
            raise GateError(f"the file could not be removed: {error.strerror}") from error

    def _sync(self, folder: int) -> None:
        """The file is gone, and in custody; should a power cut bring it back, the next walk finds it."""
        try:
            os.fsync(folder)
        except OSError as error:
            log.warning("removal not synced to the disk", path=shown(self._place.path), error=error.strerror)

    @contextlib.contextmanager
    def _opened(self, folder: int) -> Iterator[int]:
        """The file, leased where the kernel allows, and still the version that was inspected."""
        descriptor = open_regular(folder, self._place.name)
        if descriptor is None:
            raise GateError("the file was replaced by something that is not a regular file")
        try:
            if lease(descriptor) is False and not self._snapshot.contested:
                raise GateError("the file is being written: it will be inspected anew")
            if not self._snapshot.identity.still(os.fstat(descriptor)):
                raise GateError("the file changed after it was inspected: it will be inspected anew")
            yield descriptor
        finally:
            os.close(descriptor)

    @contextlib.contextmanager
    def _hidden(self, folder: int, descriptor: int) -> Iterator[str]:
        """The file under a hidden name, proven to be what is in custody; if it is not, or cannot be removed, it gets its own
        name again."""
        name = hidden_name(self._place.name)
        path = self._place.beside(name).path
        self._hiding.add(path)
        try:
            leasing = leased(descriptor)
            os.rename(self._place.name, name, src_dir_fd=folder, dst_dir_fd=folder)
            try:
                self._prove(folder, name, descriptor)
                if leasing and not leased(descriptor):
                    raise GateError("somebody is about to write to the file: it will be inspected anew")
                yield name
            except BaseException:
                put_back(folder, name, self._place.name)
                raise
        finally:
            self._hiding.discard(path)

    def _prove(self, folder: int, name: str, descriptor: int) -> None:
        before = os.fstat(descriptor)
        moved = os.stat(name, dir_fd=folder, follow_symlinks=False)
        if (moved.st_dev, moved.st_ino) != (before.st_dev, before.st_ino):
            raise GateError("another file took the name while this one was inspected: it will be inspected in its turn")
        digest = hashlib.sha256()
        for chunk in read(descriptor, before.st_size):
            digest.update(chunk)
        # Renaming changed the ctime, so the version to compare with is the one just after it.
        still = Identity.of(os.fstat(descriptor)) == Identity.of(before)
        if not still or digest.hexdigest() != self._snapshot.blob.sha256:
            raise GateError("the file changed after it was inspected: it will be inspected anew")

    def _leave_notice(self, folder: int, verdict: Verdict, incident: str) -> None:
        # A notice that was itself withheld gets none: the chain would have no end.
        if self._notice is None or is_notice_name(self._place.name):
            return
        content = notice_text(self._notice(verdict, incident, self._place.name), incident)
        try:
            leave_notice(folder, self._place.name, content, owner=self._snapshot.attributes)
        except OSError as error:
            log.warning("notice not written", path=shown(self._place.path), incident=incident, error=error.strerror)


def leave_notice(folder: int, name: str, content: bytes, *, owner: Mapping[str, Any]) -> None:
    """Write `content` beside where `name` stood, for everyone to read, never over anything. Raises OSError."""
    for candidate in notice_names(name):
        try:
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
            descriptor = os.open(candidate, flags, 0o600, dir_fd=folder)
        except FileExistsError:
            continue
        try:
            os.write(descriptor, content)
            with contextlib.suppress(PermissionError):
                # Only root gives files away, and FAT has no owners: the notice is then ours.
                os.fchown(descriptor, owner["uid"], owner["gid"])
            with contextlib.suppress(PermissionError):
                os.fchmod(descriptor, 0o644)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        os.fsync(folder)
        return
    raise FileExistsError(17, "every name for a notice is taken")


def put_back(folder: int, hidden: str, name: str) -> str:
    """Give a hidden file its name again, or one close to it if that is taken; returns the name it has now.

    Only a file that cannot be renamed at all keeps its hidden name: it is inspected under that.
    """
    stem, dot, suffix = name.rpartition(".")
    spares = (f"{stem} ({n}).{suffix}" if dot and stem else f"{name} ({n})" for n in range(1, 10))
    for candidate in (name, *spares):
        try:
            rename_new(hidden, candidate, folder=folder)
        except FileExistsError:
            continue
        except OSError as error:
            log.error("hidden file not put back", name=shown(name), error=error.strerror)
            return hidden
        return candidate
    return hidden
