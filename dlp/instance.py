"""What makes a running daemon one of its kind: the clock it goes by, the ids it gives, the lock on its state."""

import fcntl
import os
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

    Folder and file are whose the state is: the daemon and its commands look at them too.
    """

    def __init__(self, state: Path) -> None:
        self._state = state

    def __enter__(self) -> "GuardLock":
        """Raises ConfigError."""
        place = _guard_lock(self._state)
        try:
            owner = self._state.stat()
            place.parent.mkdir(mode=0o700, exist_ok=True)
            place.touch(mode=0o600)
            for one in (place.parent, place):
                os.chown(one, owner.st_uid, owner.st_gid)
            self._file = place.open("r+")
        except OSError as error:
            remedy = "start the daemon first, which makes its state"
            raise ConfigError.single(place, "", f"cannot be written: {error.strerror}", remedy) from error
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
        with _guard_lock(state).open("r") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return 0
    except BlockingIOError:
        return int(_guard_lock(state).read_text() or 0)
    return 0


def _guard_lock(state: Path) -> Path:
    return state / "run" / "guard.lock"
