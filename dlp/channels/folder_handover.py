"""What the watch's thread tells a folder, carried to the folder's event loop many changes at a time."""

import asyncio
import threading
from collections.abc import Callable

GATHER = 0.02
"""Seconds in which changes are gathered. Waking the loop for each would give the interpreter's lock away each time, and under
load the watch's thread then waits for it longer than the kernel's queue lasts."""


class Handover:
    """Implements `watch.Listener`. `receive(files, folders, overflow)` is called on the loop; of more than `limit`
    files at once the rest is told as an overflow."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, receive: Callable[[list[str], list[str], bool], None], limit: int
    ) -> None:
        self._loop = loop
        self._receive = receive
        self._limit = limit
        self._lock = threading.Lock()
        self._files: dict[str, None] = {}
        self._folders: dict[str, None] = {}
        self._overflow = False
        self._announced = False

    @property
    def empty(self) -> bool:
        """Nothing is on its way."""
        return not self._announced

    def file_changed(self, path: str) -> None:
        """See `watch.Listener`."""
        with self._lock:
            if len(self._files) < self._limit:
                self._files[path] = None
            else:
                self._overflow = True
            self._announce()

    def folder_appeared(self, path: str) -> None:
        """See `watch.Listener`."""
        with self._lock:
            self._folders[path] = None
            self._announce()

    def overflowed(self) -> None:
        """See `watch.Listener`."""
        with self._lock:
            self._overflow = True
            self._announce()

    def _announce(self) -> None:
        if not self._announced:
            self._announced = True
            self._loop.call_soon_threadsafe(self._loop.call_later, GATHER, self._deliver)

    def _deliver(self) -> None:
        with self._lock:
            files, folders, overflow = list(self._files), list(self._folders), self._overflow
            self._files, self._folders, self._overflow, self._announced = {}, {}, False, False
        self._receive(files, folders, overflow)
