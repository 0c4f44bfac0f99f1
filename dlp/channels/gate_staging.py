"""Where what is written to a gated drive lies until it has been judged: without a name, for this process alone.

Content lies in memory (memfd_create(2)), sealed before it is judged, as long as there is not too much of it. The rest lies
in files without a name (O_TMPFILE of open(2)) on the disk, which nobody but this process can write to, and which are not
written to while they are judged.
"""

import contextlib
import errno
import fcntl
import os
import threading
from collections.abc import Iterator

from dlp.blob import CHUNK

MEMORY = 1 << 30
"""Bytes that lie in memory at once, for a drive; or one SHARE-th of the machine's, where that is less."""
SHARE = 8
RESERVE = 256 << 20
"""Bytes that are left free on the disk: the daemon's records and custody must not run short."""
_LOOK = 8 << 20
"""Bytes written between two looks at what is free."""
_SEALS = fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE


class Staging:
    """All that waits on one drive. `folder` is on the disk; nothing in it ever has a name. `memory`: bytes that lie in memory
    at once; `small`: of one file; both None for the above; `reserve`: bytes that stay free on the disk."""

    def __init__(self, folder: str, *, small: int | None = None, memory: int | None = None, reserve: int = RESERVE) -> None:
        self.folder = folder
        self._memory = _memory() if memory is None else memory
        self._small = self._memory if small is None else small
        self._reserve = reserve
        self._used = 0
        self._lock = threading.Lock()

    def new(self) -> "Staged":
        """Raises OSError."""
        return Staged(self, os.memfd_create("dlp-staged", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING))

    def on_disk(self) -> int:
        """A new file without a name. Raises OSError."""
        self.room()
        return os.open(self.folder, os.O_TMPFILE | os.O_RDWR | os.O_CLOEXEC, 0o600)

    def room(self) -> None:
        """Raises OSError (ENOSPC) where the disk is as full as it may become."""
        free = os.statvfs(self.folder)
        if free.f_bavail * free.f_frsize < self._reserve:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def large(self, size: int) -> bool:
        return size > self._small

    def take(self, before: int, size: int) -> bool:
        """A file in memory wants `size` bytes instead of `before`; whether it may."""
        with self._lock:
            if size > before and (self.large(size) or self._used + size - before > self._memory):
                return False
            self._used += size - before
            return True


class Staged:
    """One file's content. Reading and writing may be done by several threads."""

    def __init__(self, staging: Staging, memory: int) -> None:
        self._staging = staging
        self._descriptor = memory
        self._in_memory = True
        self._sealed = False
        self._taken = 0
        self._unseen = 0
        self._lock = threading.Lock()

    def status(self) -> os.stat_result:
        with self._lock:
            return os.fstat(self._descriptor)

    def read_into(self, buffer: memoryview, offset: int) -> int:
        with self._lock:
            return os.preadv(self._descriptor, [buffer], offset)

    def write(self, data: memoryview | bytes, offset: int) -> int:
        """All of it, or OSError: ENOSPC."""
        with self._lock:
            self._thaw()
            self._grow(offset + len(data))
            if not self._in_memory:
                self._unseen += len(data)
                if self._unseen >= _LOOK:
                    self._staging.room()
                    self._unseen = 0
            view, done = memoryview(data), 0
            while done < len(view):
                done += os.pwrite(self._descriptor, view[done:], offset + done)
            return done

    def truncate(self, size: int) -> None:
        """Raises OSError."""
        with self._lock:
            self._thaw()
            if size > self._taken and self._in_memory and self._staging.large(size):
                self._spill()  # a hole of any size costs nothing on the disk
            os.ftruncate(self._descriptor, size)
            if self._in_memory:
                self._grow(size)
                if self._in_memory and size < self._taken:
                    self._staging.take(self._taken, size)
                    self._taken = size

    def fill(self, source: int) -> None:
        """Become what the open file `source` is. Raises OSError."""
        offset = 0
        while chunk := os.pread(source, CHUNK, offset):
            offset += self.write(chunk, offset)

    @contextlib.contextmanager
    def frozen(self) -> Iterator[int]:
        """A descriptor, for reading, of what is there now. Nothing may be written meanwhile: in memory nobody could, and on
        the disk only this object could. Raises OSError."""
        with self._lock:
            if self._in_memory and not self._sealed:
                fcntl.fcntl(self._descriptor, fcntl.F_ADD_SEALS, _SEALS)
                self._sealed = True
            shown = os.open(f"/proc/self/fd/{self._descriptor}", os.O_RDONLY | os.O_CLOEXEC)
        try:
            yield shown
        finally:
            os.close(shown)

    def close(self) -> None:
        with self._lock:
            os.close(self._descriptor)
            self._descriptor = -1
            self._staging.take(self._taken, 0)
            self._taken = 0

    def _thaw(self) -> None:
        """What was sealed stays as it is; from here on this is a copy of it."""
        if not self._sealed:
            return
        copy = os.memfd_create("dlp-staged", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        self._replace(copy)
        self._sealed = False

    def _grow(self, size: int) -> None:
        if self._in_memory and size > self._taken:
            if self._staging.take(self._taken, size):
                self._taken = size
            else:
                self._spill()

    def _spill(self) -> None:
        self._replace(self._staging.on_disk())
        self._in_memory = False
        self._staging.take(self._taken, 0)
        self._taken = 0

    def _replace(self, fresh: int) -> None:
        try:
            copy(self._descriptor, fresh)
        except BaseException:
            os.close(fresh)
            raise
        os.close(self._descriptor)
        self._descriptor = fresh


def _memory() -> int:
    return min(MEMORY, os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // SHARE)


def copy(source: int, target: int) -> None:
    """Make `target`, empty until now, what `source` is, holes included, within the kernel. Raises OSError."""
    size = os.fstat(source).st_size
    for start, end in _data(source, size):
        os.lseek(target, start, os.SEEK_SET)
        while start < end:
            sent = os.sendfile(target, source, start, min(end - start, 1 << 30))
            if not sent:
                break
            start += sent
    os.ftruncate(target, size)


def _data(source: int, size: int) -> Iterator[tuple[int, int]]:
    """Where the file has data, from byte to before byte (SEEK_DATA of lseek(2))."""
    end = 0
    while end < size:
        try:
            start = os.lseek(source, end, os.SEEK_DATA)
        except OSError as error:
            if error.errno == errno.ENXIO:
                return
            raise
        end = os.lseek(source, start, os.SEEK_HOLE)
        yield start, end
