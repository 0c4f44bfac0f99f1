"""One directory tree under inotify(7), through watchdog.

watchdog's Observer is not used, only its inotify layer (`InotifyFD` and the `WatchCallback`
protocol): the observer pairs renames by a search that is quadratic under load, keeps following
directories that were moved away, swallows the watch limit, and hides a queue overflow from the
handler. Here a watch knows its parent and its name, not its path, so a moved tree is one change
however many directories it has, and an overflow or a missing watch reaches the listener.

A watch is added through the directory's own descriptor (/proc/self/fd, proc(5)), never by a path
that somebody may swap for a symbolic link meanwhile.
"""

import fcntl
import itertools
import os
import struct
import termios
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from watchdog.observers.inotify_c import CallbackId, InotifyConstants, InotifyEvent, InotifyFD, Mask, WatchDescriptor

LIMIT_KEY = "fs.inotify.max_user_watches"
"""The sysctl to raise when directories go unwatched (inotify(7))."""

INSTANCES_KEY = "fs.inotify.max_user_instances"
"""The sysctl to raise when no inotify instance is to be had; a tree takes one."""

_APPEARED = InotifyConstants.IN_CREATE | InotifyConstants.IN_MOVED_TO
_CHANGED = _APPEARED | InotifyConstants.IN_CLOSE_WRITE
_FLAGS = InotifyConstants.IN_ONLYDIR | InotifyConstants.IN_EXCL_UNLINK
_MASK = Mask(_CHANGED | InotifyConstants.IN_MOVED_FROM | _FLAGS)

_DEPTH = 2048
"""No path has more names (PATH_MAX is 4096 bytes); keeps a moment's disorder from becoming an endless walk."""

_NO_WATCH = WatchDescriptor(-1)
"""What watchdog returns, without an error, for a directory it may not read."""


class Listener(Protocol):
    """Told of changes, on the watch's own thread. Paths are relative to the root, "" is the root itself."""

    def file_changed(self, path: str) -> None:
        """Something that is not a directory was created, moved here, linked here, or closed after writing."""

    def folder_appeared(self, path: str) -> None:
        """A directory was created or moved here; it is not watched yet, and what is in it was not reported.
        "" says that the root itself was removed or unmounted."""

    def overflowed(self) -> None:
        """The kernel dropped events: anything may have changed."""


@dataclass(slots=True)
class _Watched:
    """`parent` is the parent's watch, None where `name` is the whole path from the root (the root, or a
    directory below one that could not be watched), _NO_WATCH where the directory was moved away."""

    parent: WatchDescriptor | None
    name: str
    callback: CallbackId
    round: int


class _Kernel(InotifyFD):
    """watchdog's reader thread, which also tells whether it has caught up with the kernel."""

    def __init__(self) -> None:
        self.waiting = threading.Event()
        super().__init__()

    def read_events(self, *, event_buffer_size: int = 1 << 17) -> list[InotifyEvent]:
        self.waiting.set()
        events = super().read_events(event_buffer_size=event_buffer_size)
        self.waiting.clear()
        return events

    @property
    def unread(self) -> int:
        """Bytes the kernel holds for us (inotify(7), FIONREAD)."""
        answer = fcntl.ioctl(self._inotify_fd, termios.FIONREAD, b"\0" * 4)
        return int(struct.unpack("i", answer)[0])


class TreeWatch:
    """Watches directories one by one as `add` is told of them; the caller walks the tree."""

    def __init__(self, listener: Listener) -> None:
        self._listener = listener
        self._lock = threading.Lock()
        self._watched: dict[WatchDescriptor, _Watched] = {}
        self._below: dict[tuple[WatchDescriptor, str], WatchDescriptor] = {}
        self._callbacks = itertools.count(1)
        self._round = 0
        self._root: WatchDescriptor | None = None
        self._detached = False
        self._kernel = _Kernel()
        self._kernel.start()

    def __len__(self) -> int:
        """Directories watched."""
        return len(self._watched)

    @property
    def caught_up(self) -> bool:
        """No event is unread or half handled, as far as can be told from outside."""
        return self._kernel.waiting.is_set() and self._kernel.unread == 0

    def stop(self) -> None:
        """Remove every watch and end the thread."""
        self._kernel.stop()
        self._kernel.join()

    def add(self, path: str, descriptor: int) -> bool:
        """Watch the directory open as `descriptor` that now stands at `path`; again is harmless and corrects its path.

        False where it is not watched: the limit is reached, or the kernel refuses.
        """
        with self._lock:
            callback = CallbackId(next(self._callbacks))
            try:
                watch = self._kernel.add_callback(f"/proc/self/fd/{descriptor}".encode(), _MASK, self, callback)
            except OSError:
                # ENOSPC at the limit; whatever else it is, the directory is unwatched and will be counted so.
                return False
            if watch == _NO_WATCH:
                self._kernel.remove_callbacks([(watch, callback)])
                return False
            self._place(watch, path, callback)
            return True

    def begin_round(self) -> None:
        """A walk of the whole tree begins."""
        with self._lock:
            self._round += 1

    def end_round(self) -> None:
        """The walk has ended: let go of every directory it did not meet."""
        self._drop(lambda _, watched: watched.round < self._round)

    def drop_detached(self) -> None:
        """Let go of the directories that were moved away, and of all below them."""
        if self._detached:
            self._detached = False
            self._drop(lambda watch, _: self._path(watch) is None)

    def on_event(self, event: InotifyEvent) -> None:
        """Called by watchdog for every event of every watch."""
        with self._lock:
            folder = self._path(event.wd)
            name = os.fsdecode(event.name)
            if event.is_moved_from and event.is_directory:
                self._detach(event.wd, name)
                return
        if folder is None or not name:
            return
        path = f"{folder}/{name}" if folder else name
        if event.mask & InotifyConstants.IN_ISDIR:
            if event.mask & _APPEARED:
                self._listener.folder_appeared(path)
        elif event.mask & _CHANGED:
            self._listener.file_changed(path)

    def on_watch_deleted(self, wd: WatchDescriptor) -> None:
        """Called by watchdog when the directory was removed or unmounted."""
        with self._lock:
            self._forget(wd)
        if wd == self._root:
            self._listener.folder_appeared("")

    def on_queue_overflow(self) -> None:
        """Called by watchdog, once for each watch that shares this callback object."""
        self._listener.overflowed()

    def _place(self, watch: WatchDescriptor, path: str, callback: CallbackId) -> None:
        before = self._forget(watch)
        if before is not None:
            self._kernel.remove_callbacks([(watch, before.callback)])
        folder, _, name = path.rpartition("/")
        parent = self._find(folder) if path else None
        self._watched[watch] = _Watched(parent, path if parent is None else name, callback, self._round)
        if parent is not None:
            self._below[parent, name] = watch
        elif not path:
            self._root = watch

    def _forget(self, watch: WatchDescriptor) -> _Watched | None:
        watched = self._watched.pop(watch, None)
        if watched is not None and watched.parent is not None and self._below.get((watched.parent, watched.name)) == watch:
            del self._below[watched.parent, watched.name]
        return watched

    def _detach(self, folder: WatchDescriptor, name: str) -> None:
        if (moved := self._below.pop((folder, name), None)) is not None:
            self._watched[moved].parent = _NO_WATCH
            self._detached = True

    def _find(self, path: str) -> WatchDescriptor | None:
        """The watch that stands at `path`, or None."""
        watch: WatchDescriptor | None = self._root
        for name in path.split("/") if path else ():
            if watch is None:
                return None
            watch = self._below.get((watch, name))
        return watch if watch in self._watched else None

    def _path(self, watch: WatchDescriptor) -> str | None:
        """Where the watched directory stands now; None if it was moved away or is not known."""
        names: list[str] = []
        step: WatchDescriptor | None = watch
        while step is not None:
            watched = self._watched.get(step)
            if watched is None or len(names) > _DEPTH:
                return None
            if watched.name:
                names.append(watched.name)
            step = watched.parent
        return "/".join(reversed(names))

    def _drop(self, stale: Callable[[WatchDescriptor, _Watched], bool]) -> None:
        with self._lock:
            gone = [(watch, watched.callback) for watch, watched in self._watched.items() if stale(watch, watched)]
            self._kernel.remove_callbacks(gone)
            for watch, _ in gone:
                self._forget(watch)


class NoWatch:
    """Stands in for a TreeWatch where no events are to be had, or none are `wanted`; the tree is polled then."""

    def __init__(self, *, wanted: bool) -> None:
        self._wanted = wanted

    def __len__(self) -> int:
        return 0

    @property
    def caught_up(self) -> bool:
        """There is nothing to catch up with."""
        return True

    def add(self, path: str, descriptor: int) -> bool:
        """See `TreeWatch.add`: False where events are missed."""
        return not self._wanted

    def stop(self) -> None:
        """See `TreeWatch`."""

    def begin_round(self) -> None:
        """See `TreeWatch`."""

    def end_round(self) -> None:
        """See `TreeWatch`."""

    def drop_detached(self) -> None:
        """See `TreeWatch`."""
