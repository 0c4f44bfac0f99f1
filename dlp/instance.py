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
