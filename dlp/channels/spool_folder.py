"""The spool on disk: a file a message, a journal beside it, and what makes both survive a power cut.

    queue/ID     the envelope, an empty line, the message; complete and durable once it has this name
    journal/ID   what happened to it since; there only if something did
    tmp/         files being written; whoever writes one holds a lock on it
    done/ID      has gone and is not taken again (envelopes with `once`)
    corrupt/     what could not be read; never deleted here
    flush        all is to be tried now

A file is delivered, changed or removed only under flock(2) on it, so two processes never deliver one at
once; the kernel lets the lock go when its holder dies. Everything here blocks and raises OSError.
"""

import base64
import fcntl
import itertools
import os
import re
import stat
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from dlp.blob import CHUNK, Blob
from dlp.channels.spool_envelope import History, Mark, SpoolEnvelope, marks_of

Random = Callable[[int], bytes]
"""That many random bytes; os.urandom in the daemon."""

_NAME = re.compile(r"[0-9a-z][0-9a-z-]{0,99}")
_FOLDERS = ("queue", "journal", "tmp", "done", "corrupt")
_LONGEST_LINE = 16 << 20
_SMALL = 1 << 18
"""Bytes gathered before they are written."""
_DONE_DAYS = 90.0
"""Days that is remembered what has gone; who lets an original go a second time after a crash does so long before."""


def spool_id(now: datetime, random: Random) -> str:
    """24 digits and letters that sort by time: 48 bits of milliseconds, 72 bits of chance."""
    milliseconds = round(now.timestamp() * 1000)
    return base64.b32hexencode(milliseconds.to_bytes(6, "big") + random(9)).decode("ascii").lower()


@dataclass(frozen=True, slots=True)
class Body(Blob):
    """The message inside an open file of the spool, from byte `start` on."""

    start: int = 0

    def chunks(self, size: int = CHUNK) -> Iterator[bytes]:
        """See Blob."""
        offset = self.start
        while chunk := os.pread(self.descriptor, size, offset):
            offset += len(chunk)
            yield chunk


class SpoolFolder:
    """The folder `root`, made by `prepare`."""

    def __init__(self, root: Path, *, random: Random) -> None:
        self.root = root
        self.queue, self.journal, self.tmp, self.done, self.corrupt = (root / name for name in _FOLDERS)
        self._random = random

    def prepare(self) -> None:
        """Make what is missing, with mode 0700, owned by the owner of what it lies in."""
        for folder in (self.root, *(self.root / name for name in _FOLDERS)):
            if not folder.is_dir():
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
                _give(folder, like=folder.parent)
                sync_folder(folder.parent)

    def free(self) -> int:
        """Bytes that may still be written here."""
        there = os.statvfs(self.root)
        return there.f_bavail * there.f_frsize

    # Into the spool

    def store(self, envelope: SpoolEnvelope, pieces: Iterable[bytes]) -> bool:
        """The message is durable in the queue on return; False: nothing was done, one of that id is or was there already.

        tmp, fsync, rename, fsync of the folder: a rename is durable only once its folder is (fsync(2)).
        """
        target, draft = self.queue / envelope.id, self.tmp / f"{envelope.id}.{self._random(6).hex()}"
        if target.exists() or (self.done / envelope.id).exists():
            return False
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            # Held until the end: who clears tmp leaves it alone, and nobody delivers what is not acknowledged yet.
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            _give(descriptor, like=self.root)
            for piece in _gathered(itertools.chain((envelope.line() + b"\n\n",), pieces)):
                _write(descriptor, piece)
            os.fsync(descriptor)
            draft.rename(target)
            draft = target
            sync_folder(self.queue)
        except BaseException:
            # Refused means not delivered: wherever it is, it goes again, under the lock still.
            draft.unlink(missing_ok=True)
            raise
        finally:
            os.close(descriptor)
        return True

    def flush(self) -> None:
        """Ask whoever delivers to try everything now."""
        os.close(os.open(self.root / "flush", os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600))

    # Out of it

    def names(self) -> list[str]:
        """What is in the queue, oldest first where ids sort by time."""
        return sorted(os.listdir(self.queue))

    def set_aside_count(self) -> int:
        """How many files could not be read."""
        return sum(not name.endswith(".journal") for name in os.listdir(self.corrupt))

    def flushed(self) -> bool:
        """Whether all is to be tried now; asked once."""
        try:
            (self.root / "flush").unlink()
        except FileNotFoundError:
            return False
        return True

    def open(self, name: str) -> "Spooled":
        """The message, locked until it is closed.

        Raises FileNotFoundError if it has gone, BlockingIOError if another holds it, ValueError if it is none.
        """
        descriptor = os.open(self.queue / name, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.stat(self.queue / name).st_ino != os.fstat(descriptor).st_ino:
                raise FileNotFoundError(name)  # it went between the two calls
            history, body, kept = self._read(name, descriptor)
        except BaseException:
            os.close(descriptor)
            raise
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_WILLNEED)  # the loop sends it and shall not wait for the disk
        return Spooled(self, history, body, kept)

    def look(self, name: str) -> History:
        """What is known of a message, without a lock. Raises FileNotFoundError and ValueError as `open`."""
        descriptor = os.open(self.queue / name, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
        try:
            return self._read(name, descriptor)[0]
        finally:
            os.close(descriptor)

    def _read(self, name: str, descriptor: int) -> tuple[History, Body, int]:
        there = os.fstat(descriptor)
        if not stat.S_ISREG(there.st_mode) or _NAME.fullmatch(name) is None:
            raise ValueError("it is no file of ours")
        line = _first_line(descriptor)
        envelope = SpoolEnvelope.parse(line)
        start = len(line) + 2
        if envelope.id != name or there.st_size != start + envelope.size:
            raise ValueError("its name or its size is not what its envelope says")
        try:
            journal = (self.journal / name).read_bytes()
        except FileNotFoundError:
            journal = b""
        marks, kept = marks_of(journal)
        return History(envelope, marks), Body(descriptor, "", envelope.size, sealed=False, start=start), kept

    def set_aside(self, name: str) -> Path:
        """Put away, under a name nothing has yet, what cannot be read."""
        for number in itertools.count():
            place = self.corrupt / (f"{name}.{number}" if number else name)
            if not place.exists():
                break
        (self.queue / name).rename(place)
        with suppress(FileNotFoundError):  # most have no journal
            (self.journal / name).rename(place.with_name(place.name + ".journal"))
        for folder in (self.corrupt, self.queue):
            sync_folder(folder)
        return place

    def recover(self) -> None:
        """Clear away what a crash left: files nobody is writing any more, journals of messages that have gone."""
        for draft in self.tmp.iterdir():
            _clear(draft)
        journals = os.listdir(self.journal)  # before the queue: a journal is made only beside a message
        for name in set(journals) - set(os.listdir(self.queue)):
            (self.journal / name).unlink(missing_ok=True)
        for gone in self.done.iterdir():
            if time.time() - gone.stat().st_mtime > _DONE_DAYS * 86400:
                gone.unlink(missing_ok=True)


class Spooled:
    """A message that is open and locked. Its methods block."""

    def __init__(self, folder: SpoolFolder, history: History, body: Body, kept: int) -> None:
        self.history = history
        self.body = body
        self._folder = folder
        self._kept = kept

    @property
    def envelope(self) -> SpoolEnvelope:
        """What the file says."""
        return self.history.envelope

    def mark(self, mark: Mark, *, durable: bool = True) -> None:
        """Write down what happened; with `durable` it survives a power cut once this returns."""
        path = self._folder.journal / self.envelope.id
        line = mark.line()
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            _give(descriptor, like=self._folder.root)
            os.ftruncate(descriptor, self._kept)  # a line that was cut short would spoil the next
            os.lseek(descriptor, self._kept, os.SEEK_SET)
            _write(descriptor, line)
            if durable:
                os.fsync(descriptor)
                sync_folder(self._folder.journal)
        finally:
            os.close(descriptor)
        self._kept += len(line)
        self.history.add(mark)

    def finish(self) -> None:
        """It has gone, for good: durable once this returns. May be called again after an error."""
        name = self.envelope.id
        if self.envelope.once:
            os.close(os.open(self._folder.done / name, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600))
            sync_folder(self._folder.done)
        (self._folder.queue / name).unlink(missing_ok=True)
        sync_folder(self._folder.queue)
        # Last, and no matter if it comes back: without it, everybody would get the message again.
        (self._folder.journal / name).unlink(missing_ok=True)

    def close(self) -> None:
        """Let go of it."""
        os.close(self.body.descriptor)


def sync_folder(path: Path) -> None:
    """Make the names in `path` durable."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _give(what: Path | int, *, like: Path) -> None:
    """An administrator's file must be the daemon's to read."""
    owner = like.stat()
    if owner.st_uid != os.geteuid():
        os.chown(what, owner.st_uid, owner.st_gid)


def _clear(draft: Path) -> None:
    try:
        descriptor = os.open(draft, os.O_WRONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    except FileNotFoundError:
        return  # its writer was quicker
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return  # somebody is writing it
    else:
        draft.unlink(missing_ok=True)
    finally:
        os.close(descriptor)


def _first_line(descriptor: int) -> bytes:
    """The envelope's line; what follows it begins with an empty one."""
    read = b""
    while (end := read.find(b"\n")) < 0:
        chunk = os.pread(descriptor, max(1 << 16, len(read)), len(read))
        if not chunk or len(read) > _LONGEST_LINE:
            raise ValueError("its first line does not end")
        read += chunk
    if (read + os.pread(descriptor, 1, len(read)))[end + 1 : end + 2] != b"\n":
        raise ValueError("no empty line follows its envelope")
    return read[:end]


def _gathered(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Small pieces joined, so that a small message is one write(2)."""
    waiting = bytearray()
    for piece in pieces:
        waiting += piece
        if len(waiting) >= _SMALL:
            yield bytes(waiting)
            waiting.clear()
    yield bytes(waiting)


def _write(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]
