"""A file that only takes up space, so that there is some to give back when the disk is full.

Purging makes room but needs some first, for the database's log; so does opening the database. The
ballast is let go then, and taken on again when there is room.
"""

import os
from pathlib import Path

import structlog

from dlp.store.files import FULL, PRIVATE_FILE, free_bytes, translated

log = structlog.get_logger()

SIZE = 1 << 20


class Ballast:
    """The file at `path`, there or not."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def take_on(self) -> bool:
        """Make the file unless it is there; whether it is. There must be room for it twice. Raises StoreError."""
        if self.path.exists():
            return True
        if free_bytes(self.path.parent) < 2 * SIZE:
            log.warning("there is no room for ballast; once the disk is full nothing can be purged", path=str(self.path))
            return False
        with translated("the ballast was not made", self.path):
            return self._fill()

    def let_go(self) -> bool:
        """Give the space back; False where there was none to give."""
        try:
            self.path.unlink()
        except FileNotFoundError:
            return False
        log.warning("the disk is full; the ballast was let go", path=str(self.path))
        return True

    def scarce(self) -> bool:
        """Whether the disk is so full that a purge may not succeed."""
        return free_bytes(self.path.parent) < SIZE

    def spent(self) -> bool:
        """Whether it was let go, and there is no room to take it on again."""
        return not self.path.exists() and free_bytes(self.path.parent) < 2 * SIZE

    def _fill(self) -> bool:
        descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, PRIVATE_FILE)
        try:
            os.posix_fallocate(descriptor, 0, SIZE)
        except OSError as error:
            self.path.unlink()
            if error.errno in FULL:
                return False
            raise
        finally:
            os.close(descriptor)
        return True
