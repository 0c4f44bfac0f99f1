"""What makes a running daemon one of its kind: the clock it goes by, the ids it gives, the lock on its state."""

import fcntl
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

from dlp.errors import ConfigError
from dlp.store.ids import new_id


def now() -> datetime:
    """The present, aware, in UTC."""
    return datetime.now(UTC)


def item_id() -> str:
    """An item's id: sorts by time, unique."""
    return new_id("item", now(), os.urandom)


def lock(state: Path) -> IO[str]:
    """Hold `state` against a second daemon for as long as the returned file is open. Raises ConfigError."""
    state.mkdir(mode=0o700, parents=True, exist_ok=True)
    file = (state / "daemon.lock").open("a")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        raise ConfigError.single(
            state, "", "another daemon works on this state", "stop it, or give this one a `state` of its own"
        ) from None
    return file


def running(state: Path) -> bool:
    """Whether a daemon holds `state`."""
    try:
        lock(state).close()
    except ConfigError:
        return True
    return False
