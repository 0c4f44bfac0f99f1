"""What makes a running daemon one of its kind: the clock it goes by, the ids it gives, the lock on its state."""

import errno
import fcntl
import os
import stat
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

from dlp.errors import ConfigError
from dlp.store.ids import new_id

_TRIES, _PAUSE = 10, 0.05


def now() -> datetime:
    """The present, aware, in UTC."""
    return datetime.now(UTC)


def item_id() -> str:
    """An item's id: sorts by time, unique."""
    return new_id("item", now(), os.urandom)


def lock(state: Path) -> IO[str]:
    """Hold `state` against a second daemon for as long as the returned file is open. Raises ConfigError."""
    place = state / "daemon.lock"
    try:
        state.mkdir(mode=0o700, parents=True, exist_ok=True)
        file = place.open("a")
    except OSError as error:
        raise ConfigError.single(place, "", f"cannot be written: {error.strerror}", "give it to the daemon's user") from error
    for _ in range(_TRIES):
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(_PAUSE)  # it may only be somebody who asks whether we run
        else:
            return file
    file.close()
    raise ConfigError.single(state, "", "another daemon works on this state", "stop it, or give this one a `state` of its own")


def running(state: Path) -> bool:
    """Whether a daemon holds `state`. Asking leaves no trace: an administrator's lock file would be in the daemon's way."""
    try:
        with (state / "daemon.lock").open("r") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False


class GuardLock:
    """Holds `state` against a second guard while it is entered, and says there whether the guard stands.

    Folder and file are whose the state is: the daemon and its commands look at them too. The guard is root, and the state
    belongs to somebody who is not: no link that stands there is followed.
    """

    def __init__(self, state: Path) -> None:
        self._state = state

    def __enter__(self) -> "GuardLock":
        """Raises ConfigError."""
        try:
            self._file = os.fdopen(_made(self._state), "r+")
        except OSError as error:
            what, remedy = f"cannot be written: {error.strerror}", "start the daemon first, which makes its state"
            raise ConfigError.single(self._state / _FOLDER / _FILE, "", what, remedy) from error
        for _ in range(_TRIES):
            try:
                fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                time.sleep(_PAUSE)  # it may only be somebody who asks whether we run
            else:
                self._file.truncate(0)
                return self
        self._file.close()
        raise ConfigError.single(self._state, "", "another guard works for this state", "stop it")

    def stands(self) -> None:
        """Everything the configuration asks for is done from now on."""
        self._file.write(str(os.getpid()))
        self._file.flush()

    def __exit__(self, *_: object) -> None:
        self._file.close()


def guard_stands(state: Path) -> int:
    """The process of the guard that works for `state` and has begun with all of it; 0 where there is none. Asking leaves no
    trace. Raises OSError."""
    try:
        file = os.fdopen(_regular(state / _FOLDER / _FILE, os.O_RDONLY), "r")
    except FileNotFoundError:
        return 0
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return int(file.read() or 0)
    return 0


_FOLDER, _FILE = "run", "guard.lock"
_SAFELY = os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


def _made(state: Path) -> int:
    """The lock file, made with its folder where they are missing. Raises OSError."""
    owner = state.stat()
    outer = os.open(state, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        try:
            os.mkdir(_FOLDER, 0o700, dir_fd=outer)
        except FileExistsError:
            fresh = False
        else:
            fresh = True
        folder = os.open(_FOLDER, os.O_RDONLY | os.O_DIRECTORY | _SAFELY, dir_fd=outer)
    finally:
        os.close(outer)
    try:
        if fresh:
            os.fchown(folder, owner.st_uid, owner.st_gid)
        try:
            file = os.open(_FILE, os.O_RDWR | os.O_CREAT | os.O_EXCL | _SAFELY, 0o600, dir_fd=folder)
        except FileExistsError:
            return _regular(_FILE, os.O_RDWR, folder)
        os.fchown(file, owner.st_uid, owner.st_gid)
        return file
    finally:
        os.close(folder)


def _regular(path: Path | str, flags: int, folder: int | None = None) -> int:
    """A file that is there, and is a file with one name and no link. Raises OSError."""
    descriptor = os.open(path, flags | _SAFELY, dir_fd=folder)
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode) or status.st_nlink != 1:
        os.close(descriptor)
        raise OSError(errno.EINVAL, "is no file, or has a second name", str(path))
    return descriptor
