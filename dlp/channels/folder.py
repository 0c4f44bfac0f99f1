"""One watched tree on one channel: every regular file in it is judged once in every version.

Two ways lead to a file. Events (dlp.channels.watch) are quick, and may be lost; walks of the tree are
complete: at the start, after an overflow, after a change of signatures or policy, every `rescan_seconds`,
and of every directory that appears, because what was in it before it was watched is not reported. The
journal makes a walk cheap: a version that was judged and left is passed over.

A file that cannot be judged now (being written, unreadable, custody not possible) is looked at again,
each time later, until it can be or is gone. It is never noted as judged.
"""

import asyncio
import contextlib
import errno
import logging
import math
import os
import secrets
import stat
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Any, Literal, TypeVar

import structlog

from dlp.channels.filesystems import FileSystems, by_path, remote
from dlp.channels.folder_file import Identity, Place, Reason, Snapshot, Wait, open_folder, open_place, shown, take
from dlp.channels.folder_gate import FileGate, Notice, put_back
from dlp.channels.folder_handover import Handover
from dlp.channels.folder_names import own_name
from dlp.channels.folder_queue import Look, Pending
from dlp.channels.watch import INSTANCES_KEY, LIMIT_KEY, NoWatch, TreeWatch
from dlp.errors import DLPError
from dlp.metrics import Metrics
from dlp.model import Action, Channel, FileOrigin, Item, Limits
from dlp.ports import FileVersion, Journal, Submit

log = structlog.get_logger()

QUEUE = 100_000
"""Paths waiting at the most; what comes beyond is found by a walk."""
PATIENCE = 30.0
"""Seconds after which a file that somebody keeps open for writing is judged as it is."""
RETURN = 15.0
"""Seconds between tries to reach a root that is not there."""
COARSE_SETTLE = 2.1
"""Seconds a file stands still before it is read where times are coarse (FAT: two seconds) or another machine writes."""
POLL_SECONDS = 30.0
"""How often a tree of which nobody tells anything is walked, unless the configuration says otherwise."""
POLL_SHARE = 0.1
"""Of the time, walks for want of events take no more than this; a tree that is slow to walk is polled less often."""

Events = Literal["auto", "inotify", "poll"]
"""Where changes are heard of: from inotify, with polls of what others change behind this kernel's back; from inotify
alone; by polls alone."""

_STOP_SECONDS = 30.0
"""How long a stop waits for files in work; a file server that does not answer is not waited for any longer."""
_CHUNK = 500
"""Paths handed from a walk to the queue at a time."""
_T = TypeVar("_T")
_GONE = {errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ESTALE, errno.ENXIO, errno.ENODEV}


@dataclass(frozen=True, slots=True, kw_only=True)
class FolderPorts:
    """What a folder asks of the daemon.

    `basis` names the signatures and the policy in force, `notice` makes the text left for a removed file
    (None: no notices), `clock` gives the present, aware, in UTC, `new_id` an item's id.
    """

    submit: Submit
    journal: Journal
    metrics: Metrics
    limits: Limits
    basis: Callable[[], str]
    notice: Notice | None
    clock: Callable[[], datetime]
    new_id: Callable[[], str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Root:
    """What is watched. `device` goes into every origin ("" for the st_dev as "major:minor"). `pinned` is the
    st_dev the root must keep, so that an unmounted drive's bare mount point is not taken for the drive;
    None where the root may be mounted anew. `poll_seconds`: how often is walked what events do not tell of."""

    path: str
    channel: Channel
    device: str = ""
    pinned: int | None = None
    events: Events = "auto"
    poll_seconds: float = POLL_SECONDS


class RootGone(DLPError):
    """The root is not there (any more), or is not what it was."""


class Folder:
    """Watches one root from `start` to `stop`. `slots` is shared by the folders of a channel and limits how many
    files are in work at once. Lives on one event loop; file work is done in threads of its own, so that a file server that
    does not answer stops nobody else."""

    def __init__(
        self, root: Root, ports: FolderPorts, *, slots: asyncio.Semaphore, settle_seconds: float, rescan_seconds: float
    ) -> None:
        self._root = root
        self._ports = ports
        self._slots = slots
        self._settle = settle_seconds
        self._rescan = rescan_seconds
        self._pending = Pending(QUEUE, PATIENCE)
        self._active: set[asyncio.Task[None]] = set()
        self._in_work: set[str] = set()
        self._hiding: set[str] = set()
        self._systems = FileSystems()
        self._coarse = False
        self._polled: dict[str, str] = {}
        self._told: set[str] = set()
        self._effort = 0.0
        self._limit = LIMIT_KEY
        self._threads = ThreadPoolExecutor((os.cpu_count() or 1) + 2, thread_name_prefix="ThreadPool-folder")
        self._token = secrets.token_hex(8)
        self._wake = asyncio.Event()
        self._asked = asyncio.Event()
        self._walks: dict[str, None] = {}
        self._walking = self._polling = False
        self._present = True
        self._unwatched = 0
        self._reported = (0, 0)
        self._loop = asyncio.get_running_loop()
        self.reconciled: float | None = None

    async def start(self) -> None:
        """Begin with a walk of the whole tree; returns at once."""
        self._handover = Handover(self._loop, self._received, QUEUE)
        self._watch = await self._in_thread(self._begin_watch)
        self._walks[""] = None
        self._asked.set()
        self._tasks = [asyncio.create_task(self._walk_on()), asyncio.create_task(self._look_on())]

    async def stop(self) -> None:
        """End; a file in work is finished, one that waits is found again at the next start."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._active:
            _, late = await asyncio.wait(self._active, timeout=_STOP_SECONDS)
            if late:
                log.error(
                    "files are still in work: their file server does not answer", root=shown(self._root.path), files=len(late)
                )
        await asyncio.to_thread(self._watch.stop)
        self._threads.shutdown(wait=False)
        self._report(wanted=0, watched=0)

    def recheck(self) -> None:
        """Walk the whole tree soon: what judged the files has changed, or something was missed."""
        self._ask("")

    @property
    def queued(self) -> int:
        """Paths waiting or in work."""
        return len(self._pending) + len(self._active)

    async def settled(self) -> None:
        """Return once everything seen is judged, or has failed and waits for another try."""
        calm = 0
        while calm < 3:
            await asyncio.sleep(0.01)
            busy = self._walks or self._walking or self._active or self._pending.fresh
            calm = 0 if busy or not self._watch.caught_up or not self._handover.empty else calm + 1

    # What to look at

    def _received(self, files: list[str], folders: list[str], overflow: bool) -> None:
        if overflow:
            self._ports.metrics.watch_overflows.inc()
            log.warning("file events were lost: walking the whole tree", root=shown(self._root.path))
            self._ask("")
        for folder in folders:
            self._ask(folder)
        due = self._loop.time() + self._settling
        self._add(files, due, changed=True)

    def _add(self, files: list[str], due: float, *, changed: bool) -> None:
        now = self._loop.time()
        missed = [file for file in files if not self._pending.add(file, due=due, now=now, changed=changed)]
        if missed:
            self._ask("")
        self._wake.set()

    def _ask(self, folder: str) -> None:
        if len(self._walks) >= QUEUE:
            folder = ""
        self._walks[folder] = None
        self._asked.set()

    @property
    def _settling(self) -> float:
        return max(self._settle, COARSE_SETTLE) if self._coarse else self._settle

    # Walks

    async def _walk_on(self) -> None:
        full_due = poll_due = 0.0
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(max(0.0, min(full_due, poll_due) - self._loop.time())):
                    await self._asked.wait()
            self._walking = True
            polling = self._loop.time() >= poll_due
            if "" in self._walks or self._loop.time() >= full_due or (polling and self._polls_all):
                # A walk of everything answers every request made until now, none made from now on.
                self._polling = "" not in self._walks and self._loop.time() < full_due
                self._walks.clear()
                full_due = self._loop.time() + (self._rescan if await self._reconciled() else min(RETURN, self._rescan))
                poll_due = self._loop.time() + self._pause()
            elif polling:
                self._polling = True
                whole = [await self._walked(top) for top in list(self._polled)]
                full_due = full_due if all(whole) else min(full_due, self._loop.time() + RETURN)
                poll_due = self._loop.time() + self._pause()
            else:
                folder = next(iter(self._walks))
                del self._walks[folder]
                if not await self._walked(folder):
                    full_due = min(full_due, self._loop.time() + RETURN)
            self._walking = self._polling = False
            if not self._walks:
                self._asked.clear()

    @property
    def _polls_all(self) -> bool:
        return "" in self._polled or (self._unwatched > 0 and self._root.events == "auto")

    def _pause(self) -> float:
        """Seconds until what sends no events is walked again."""
        effort, self._effort = self._effort, 0.0
        return max(self._root.poll_seconds, effort / POLL_SHARE) if self._polled or self._polls_all else math.inf

    async def _reconciled(self) -> bool:
        """Walk the whole tree and let go of directories that are not in it any more; whether it was all walked."""
        self._unwatched = 0
        self._begin_polls()
        await self._in_thread(self._watch.begin_round)
        try:
            await self._in_thread(self._check_root)
        except (OSError, RootGone) as error:
            if self._present:
                level = logging.ERROR if self._root.pinned is None else logging.INFO
                log.log(level, "watched folder is not there", root=shown(self._root.path), error=str(error))
            self._present = False
            return False
        self._present = True
        if not await self._walked(""):
            return False
        await self._in_thread(self._watch.end_round)
        self._report(wanted=len(self._watch) + self._unwatched, watched=len(self._watch))
        self.reconciled = self._loop.time()
        if self._unwatched:
            log.error(
                "directories are not watched, only walked now and then: raise the limit and start again",
                root=shown(self._root.path),
                unwatched=self._unwatched,
                sysctl=self._limit,
                poll_seconds=self._root.poll_seconds if self._polls_all else self._rescan,
            )
        return True

    def _check_root(self) -> None:
        status = os.stat(self._root.path)
        if not stat.S_ISDIR(status.st_mode):
            raise RootGone("it is not a directory")
        if self._root.pinned not in (None, status.st_dev):
            raise RootGone("another file system is mounted there, or none")
        self._systems.forget()
        kind = self._systems.kind(status.st_dev)
        self._coarse = by_path(kind) or remote(kind)

    def _begin_watch(self) -> TreeWatch | NoWatch:
        if self._root.events == "poll":
            return NoWatch(wanted=False)
        try:
            return TreeWatch(self._handover)
        except OSError as error:
            self._limit = INSTANCES_KEY
            log.error("no inotify instance: the tree is walked only", root=shown(self._root.path), error=error.strerror)
            return NoWatch(wanted=True)

    def _begin_polls(self) -> None:
        """What is to be polled is found anew by each walk of the whole tree."""
        self._effort = 0.0
        self._told |= self._polled.keys()
        self._polled = {"": ""} if self._root.events == "poll" else {}

    def _met(self, folder: str, device: int) -> None:
        """A walk is at a directory of this file system."""
        kind = self._systems.kind(device)
        if not (remote(kind) or by_path(kind)):
            return
        self._coarse = True
        if self._root.events != "auto" or not remote(kind):
            return
        if any(not top or folder == top or folder.startswith(f"{top}/") for top in self._polled):
            return
        self._polled[folder] = kind
        if folder not in self._told:
            log.info(
                "what others change there sends no events: polled",
                path=shown(self._place(folder).path),
                filesystem=kind,
                poll_seconds=self._root.poll_seconds,
            )

    def _next(self, files: Iterator[tuple[str, bool]]) -> list[tuple[str, bool]]:
        began = self._loop.time()
        chunk = list(islice(files, _CHUNK))
        self._effort += self._loop.time() - began
        return chunk

    async def _walked(self, folder: str) -> bool:
        """Queue every file below `folder` that is not known; False, with a log line, where the journal failed."""
        files = self._files(folder, self._ports.basis())
        try:
            while chunk := await self._in_thread(self._next, files):
                if self._polling:  # often; what cannot be done now keeps the time of its next try
                    chunk = [one for one in chunk if not self._pending.idle(one[0])]
                self._add([path for path, old in chunk if not old], self._loop.time() + self._settling, changed=False)
                self._add([path for path, old in chunk if old], self._loop.time(), changed=False)
                while not self._pending.roomy:
                    await asyncio.sleep(0.05)
        except DLPError as error:
            log.error("walk broken off, to be begun again", root=shown(self._root.path), error=str(error))
            return False
        except Exception as error:  # noqa: BLE001 - a bug must not end the walks and leave the tree unwatched
            log.error("walk broken off, to be begun again", root=shown(self._root.path), error=type(error).__name__)
            return False
        if folder:
            await self._in_thread(self._watch.drop_detached)
        self._report(wanted=len(self._watch) + self._unwatched, watched=len(self._watch))
        return True

    def _files(self, top: str, basis: str) -> Iterator[tuple[str, bool]]:
        """The regular files below `top` that the journal does not know, each with whether it has stood for a while.

        Watches every directory before it reads it. Holds no descriptor between two directories.
        """
        folders = [top]
        while folders:
            folder = folders.pop()
            try:
                below, files = self._listed(folder, basis)
            except OSError as error:
                if error.errno not in _GONE:
                    log.warning("directory not read", path=shown(self._place(folder).path), error=error.strerror)
                continue
            folders.extend(below)
            yield from files

    def _listed(self, folder: str, basis: str) -> tuple[list[str], list[tuple[str, bool]]]:
        descriptor = open_folder(self._root.path, folder)
        try:
            self._met(folder, os.fstat(descriptor).st_dev)
            if not self._watch.add(folder, descriptor):
                self._unwatched += 1
            with os.scandir(descriptor) as entries:
                found = [self._recovered(descriptor, folder, entry) for entry in entries]
            below = [_joined(folder, name) for name, status in found if status and stat.S_ISDIR(status.st_mode)]
            files = [
                (path, self._standing(status))
                for name, status in found
                if status and stat.S_ISREG(status.st_mode)
                for path in [_joined(folder, name)]
                if not self._ports.journal.known(
                    self._version(path, Identity.of(status, self._systems.kind(status.st_dev)), basis)
                )
            ]
            return below, files
        finally:
            os.close(descriptor)

    def _recovered(self, descriptor: int, folder: str, entry: "os.DirEntry[str]") -> tuple[str, os.stat_result | None]:
        """The entry's name and status; a file that a crash left hidden gets its own name back first."""
        name = entry.name
        own = own_name(name)
        if own and entry.is_file(follow_symlinks=False) and self._place(_joined(folder, name)).path not in self._hiding:
            log.warning("file left hidden by an interrupted removal: put back", path=shown(self._place(folder).path))
            name = put_back(descriptor, name, own)
        try:
            return name, os.stat(name, dir_fd=descriptor, follow_symlinks=False)
        except OSError as error:
            if error.errno not in _GONE:
                log.warning("file not read", path=shown(self._place(_joined(folder, name)).path), error=error.strerror)
            return name, None

    def _standing(self, status: os.stat_result) -> bool:
        """It has not changed lately. On FAT the times say little (they are local, and coarse), nor do another machine's."""
        return not self._coarse and self._ports.clock().timestamp() - status.st_ctime > self._settle

    def _report(self, *, wanted: int, watched: int) -> None:
        """The gauges are sums over all folders: each adds what has changed in it."""
        before, self._reported = self._reported, (wanted, watched)
        self._ports.metrics.watch_directories.labels("wanted").inc(wanted - before[0])
        self._ports.metrics.watch_directories.labels("watched").inc(watched - before[1])

    # Looks

    async def _look_on(self) -> None:
        while True:
            await self._slots.acquire()
            look = self._pending.take(self._loop.time())
            if look is not None and look.path not in self._in_work:
                self._in_work.add(look.path)
                task = asyncio.create_task(self._judge(look))
                self._active.add(task)
                task.add_done_callback(self._finished)
                continue
            self._slots.release()
            if look is not None:
                # Two judgements of one file at once would take it into custody twice.
                look.due = self._loop.time() + self._settling
                self._pending.put_back(look)
            self._wake.clear()
            due = self._pending.next_due()
            try:
                async with asyncio.timeout(None if due is None else max(0.0, due - self._loop.time())):
                    await self._wake.wait()
            except TimeoutError:
                continue

    def _finished(self, task: asyncio.Task[None]) -> None:
        self._active.discard(task)
        self._slots.release()
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("internal error", root=shown(self._root.path), error=type(error).__name__)

    async def _judge(self, look: Look) -> None:
        place = self._place(look.path)
        try:
            await self._judged(place, look)
        except DLPError as error:
            log.error("file left in place", path=shown(place.path), error=str(error), tries=look.tries + 1)
            self._again(look)
        except OSError as error:
            if error.errno in _GONE:
                log.debug("file is gone", path=shown(place.path))
            else:
                log.warning("file not read", path=shown(place.path), error=error.strerror, tries=look.tries + 1)
                self._again(look)
        except Exception as error:  # noqa: BLE001 - a bug behind `submit` must not end the watch, nor pass for a judgement
            log.error("file left in place: internal error", path=shown(place.path), error=type(error).__name__)
            self._again(look)
        finally:
            self._in_work.discard(look.path)

    async def _judged(self, place: Place, look: Look) -> None:
        basis = self._ports.basis()
        taken = await self._in_thread(self._take, place, look, basis)
        if isinstance(taken, Wait):
            log.debug("file not read yet", path=shown(place.path), why=taken.reason.value)
            look.seen = taken.seen
            self._again(look, idle=taken.reason is Reason.OPEN)
        elif taken is not None:
            with taken.blob:
                await self._submit(place, taken, basis)

    def _take(self, place: Place, look: Look, basis: str) -> Snapshot | Wait | None:
        """The file's content; None if it is known or is not a regular file. Raises OSError."""
        if self._root.pinned not in (None, os.stat(self._root.path).st_dev):
            return None
        if self._hidden(place):
            return None
        descriptor = open_place(place)
        if descriptor is None:
            log.debug("not a regular file", path=shown(place.path))
            return None
        try:
            status = os.fstat(descriptor)
            kind = self._systems.kind(status.st_dev)
            identity = Identity.of(status, kind)
            if self._ports.journal.known(self._version(place.relative, identity, basis)):
                return None
            # How long it waited in the queue before says nothing of who writes to it.
            now = self._loop.time()
            look.tried = now if look.tried is None else look.tried
            patient = now - look.tried < PATIENCE + self._settling
            return take(descriptor, copied=self._ports.limits.bytes, seen=look.seen, patient=patient, kind=kind)
        finally:
            os.close(descriptor)

    def _hidden(self, place: Place) -> bool:
        """Whether it is a file on its way out, of which the gate hears itself; one that was left so gets its own name back,
        and is judged under that. Raises OSError."""
        own = own_name(place.name)
        if own is None:
            return False
        if place.path in self._hiding:
            return True
        folder = open_folder(place.root, place.folder)
        try:
            if not stat.S_ISREG(os.stat(place.name, dir_fd=folder, follow_symlinks=False).st_mode):
                return False
            name = put_back(folder, place.name, own)
        finally:
            os.close(folder)
        if name == place.name:
            return False
        self._loop.call_soon_threadsafe(self._ask, place.folder)
        return True

    async def _submit(self, place: Place, taken: Snapshot, basis: str) -> None:
        gate = FileGate(place, taken, notice=self._ports.notice, hiding=self._hiding, others=self._others, run=self._in_thread)
        outcome = await self._ports.submit(self._item(place, taken), gate)
        if outcome.verdict.action < Action.QUARANTINE and not taken.contested:
            version = self._version(place.relative, taken.identity, basis)
            await self._in_thread(self._ports.journal.note, version)

    def _item(self, place: Place, taken: Snapshot) -> Item:
        identity = taken.identity
        device = self._root.device or f"{os.major(identity.device)}:{os.minor(identity.device)}"
        origin = FileOrigin(path=place.path, volume=self._root.path, owner=taken.owner, device=device, inode=identity.inode)
        ports = self._ports
        return Item(id=ports.new_id(), channel=self._root.channel, origin=origin, blob=taken.blob, arrived=ports.clock())

    def _again(self, look: Look, *, idle: bool = True) -> None:
        """Look again, each time after twice the wait, at least every `rescan_seconds`."""
        look.idle = idle
        wait = max(self._settling, min(self._settling * 2 ** min(look.tries, 30), self._rescan))
        look.tries += 1
        look.due = self._loop.time() + wait
        self._pending.put_back(look)
        self._wake.set()

    def _others(self, _: int) -> None:
        """A removed file has other names: a walk finds those that are in this tree. Called from a thread."""
        self._loop.call_soon_threadsafe(self._ask, "")

    def _place(self, relative: str) -> Place:
        return Place(root=self._root.path, relative=relative)

    def _version(self, relative: str, identity: Identity, basis: str) -> FileVersion:
        """On FAT an inode number lasts as long as the mount at best, and so it does on FUSE, so the path stands in; and
        two drives may have files of one path, size and time, so what one mount's folder noted no other believes."""
        named = not identity.inode
        return FileVersion(
            device=identity.device,
            inode=identity.inode,
            size=identity.size,
            mtime_ns=identity.mtime_ns,
            ctime_ns=identity.ctime_ns,
            basis=f"{basis} {self._token}" if named else basis,
            path=self._place(relative).path if named else "",
        )

    async def _in_thread(self, work: Callable[..., _T], *arguments: Any) -> _T:
        return await self._loop.run_in_executor(self._threads, work, *arguments)


def _joined(folder: str, name: str) -> str:
    return f"{folder}/{name}" if folder else name


def absolute(path: Path) -> str:
    """The path as a root: absolute, without a slash at the end."""
    return os.path.abspath(path)
