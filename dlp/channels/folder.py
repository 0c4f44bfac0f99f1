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
import os
import secrets
import stat
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from pathlib import Path

import structlog

from dlp.channels import mounts
from dlp.channels.folder_file import Identity, Place, Reason, Snapshot, Wait, open_folder, open_place, shown, take
from dlp.channels.folder_gate import FileGate, Notice, put_back
from dlp.channels.folder_names import own_name
from dlp.channels.folder_queue import Look, Pending
from dlp.channels.watch import LIMIT_KEY, TreeWatch
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
FAT = {"vfat", "msdos", "exfat"}
"""File systems without lasting inode numbers, whose times are coarse (two seconds on FAT)."""
FAT_SETTLE = 2.1

_CHUNK = 500
"""Paths handed from a walk to the queue at a time."""
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
    None where the root may be mounted anew."""

    path: str
    channel: Channel
    device: str = ""
    pinned: int | None = None


class RootGone(DLPError):
    """The root is not there (any more), or is not what it was."""


class Folder:
    """Watches one root from `start` to `stop`. `slots` is shared by the folders of a channel and limits how many
    files are in work at once. Lives on one event loop; file work is done in threads."""

    def __init__(
        self, root: Root, ports: FolderPorts, *, slots: asyncio.Semaphore, settle_seconds: float, rescan_seconds: float
    ) -> None:
        self._root = root
        self._ports = ports
        self._slots = slots
        self._settle = settle_seconds
        self._rescan = rescan_seconds
        self._pending = Pending(QUEUE)
        self._active: set[asyncio.Task[None]] = set()
        self._in_work: set[str] = set()
        self._hiding: set[str] = set()
        self._fat = False
        self._token = secrets.token_hex(8)
        self._wake = asyncio.Event()
        self._asked = asyncio.Event()
        self._walks: dict[str, None] = {}
        self._walking = False
        self._present = True
        self._unwatched = 0
        self._reported = (0, 0)
        self._loop = asyncio.get_running_loop()
        self.reconciled: float | None = None

    async def start(self) -> None:
        """Begin with a walk of the whole tree; returns at once."""
        self._handover = _Handover(self._loop, self._received)
        self._watch = await asyncio.to_thread(TreeWatch, self._handover)
        self._walks[""] = None
        self._asked.set()
        self._tasks = [asyncio.create_task(self._walk_on()), asyncio.create_task(self._look_on())]

    async def stop(self) -> None:
        """End; a file in work is finished, one that waits is found again at the next start."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.gather(*self._active, return_exceptions=True)
        await asyncio.to_thread(self._watch.stop)
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
        self._add(files, due)

    def _add(self, files: list[str], due: float) -> None:
        now = self._loop.time()
        missed = [file for file in files if not self._pending.add(file, due=due, now=now)]
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
        return max(self._settle, FAT_SETTLE) if self._fat else self._settle

    # Walks

    async def _walk_on(self) -> None:
        full_due = 0.0
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(max(0.0, full_due - self._loop.time())):
                    await self._asked.wait()
            self._walking = True
            if "" in self._walks or self._loop.time() >= full_due:
                # A walk of everything answers every request made until now, none made from now on.
                self._walks.clear()
                full_due = self._loop.time() + (self._rescan if await self._reconciled() else min(RETURN, self._rescan))
            else:
                folder = next(iter(self._walks))
                del self._walks[folder]
                if not await self._walked(folder):
                    full_due = min(full_due, self._loop.time() + RETURN)
            self._walking = False
            if not self._walks:
                self._asked.clear()

    async def _reconciled(self) -> bool:
        """Walk the whole tree and let go of directories that are not in it any more; whether it was all walked."""
        self._unwatched = 0
        await asyncio.to_thread(self._watch.begin_round)
        try:
            await asyncio.to_thread(self._check_root)
        except (OSError, RootGone) as error:
            if self._present:
                level = logging.ERROR if self._root.pinned is None else logging.INFO
                log.log(level, "watched folder is not there", root=shown(self._root.path), error=str(error))
            self._present = False
            return False
        self._present = True
        if not await self._walked(""):
            return False
        await asyncio.to_thread(self._watch.end_round)
        self._report(wanted=len(self._watch) + self._unwatched, watched=len(self._watch))
        self.reconciled = self._loop.time()
        if self._unwatched:
            log.error(
                "directories are not watched, only walked now and then: raise the limit",
                root=shown(self._root.path),
                unwatched=self._unwatched,
                sysctl=LIMIT_KEY,
            )
        return True

    def _check_root(self) -> None:
        status = os.stat(self._root.path)
        if not stat.S_ISDIR(status.st_mode):
            raise RootGone("it is not a directory")
        if self._root.pinned not in (None, status.st_dev):
            raise RootGone("another file system is mounted there, or none")
        self._fat = mounts.filesystem(status.st_dev) in FAT

    async def _walked(self, folder: str) -> bool:
        """Queue every file below `folder` that is not known; False, with a log line, where the journal failed."""
        files = self._files(folder, self._ports.basis())
        try:
            while chunk := await asyncio.to_thread(lambda: list(islice(files, _CHUNK))):
                self._add([path for path, old in chunk if not old], self._loop.time() + self._settling)
                self._add([path for path, old in chunk if old], self._loop.time())
                while not self._pending.roomy:
                    await asyncio.sleep(0.05)
        except DLPError as error:
            log.error("walk broken off, to be begun again", root=shown(self._root.path), error=str(error))
            return False
        except Exception as error:  # noqa: BLE001 - a bug must not end the walks and leave the tree unwatched
            log.error("walk broken off, to be begun again", root=shown(self._root.path), error=type(error).__name__)
            return False
        if folder:
            await asyncio.to_thread(self._watch.drop_detached)
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
                if not self._ports.journal.known(self._version(path, Identity.of(status), basis))
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
        """It has not changed lately. On FAT the times say little (they are local, and coarse)."""
        return not self._fat and self._ports.clock().timestamp() - status.st_ctime > self._settle

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
        taken = await asyncio.to_thread(self._take, place, look, basis)
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
        descriptor = open_place(place)
        if descriptor is None:
            log.debug("not a regular file", path=shown(place.path))
            return None
        try:
            identity = Identity.of(os.fstat(descriptor))
            if self._ports.journal.known(self._version(place.relative, identity, basis)):
                return None
            patient = self._loop.time() - look.first < PATIENCE + self._settling
            return take(descriptor, copied=self._ports.limits.bytes, seen=look.seen, patient=patient)
        finally:
            os.close(descriptor)

    async def _submit(self, place: Place, taken: Snapshot, basis: str) -> None:
        gate = FileGate(place, taken, notice=self._ports.notice, hiding=self._hiding, others=self._others)
        outcome = await self._ports.submit(self._item(place, taken), gate)
        if outcome.verdict.action < Action.QUARANTINE and not taken.contested:
            version = self._version(place.relative, taken.identity, basis)
            await asyncio.to_thread(self._ports.journal.note, version)

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
        """On FAT an inode number lasts as long as the mount at best, so the path stands in; and two drives may have
        files of one path, size and time, so what one mount's folder noted no other believes."""
        return FileVersion(
            device=identity.device,
            inode=0 if self._fat else identity.inode,
            size=identity.size,
            mtime_ns=identity.mtime_ns,
            ctime_ns=identity.ctime_ns,
            basis=f"{basis} {self._token}" if self._fat else basis,
            path=self._place(relative).path if self._fat else "",
        )


class _Handover:
    """From the watch's thread to the loop, many changes at a time; implements `watch.Listener`."""

    def __init__(self, loop: asyncio.AbstractEventLoop, receive: Callable[[list[str], list[str], bool], None]) -> None:
        self._loop = loop
        self._receive = receive
        self._lock = threading.Lock()
        self._files: dict[str, None] = {}
        self._folders: dict[str, None] = {}
        self._overflow = False
        self._announced = False

    @property
    def empty(self) -> bool:
        return not self._announced

    def file_changed(self, path: str) -> None:
        with self._lock:
            if len(self._files) < QUEUE:
                self._files[path] = None
            else:
                self._overflow = True
            self._announce()

    def folder_appeared(self, path: str) -> None:
        with self._lock:
            self._folders[path] = None
            self._announce()

    def overflowed(self) -> None:
        with self._lock:
            self._overflow = True
            self._announce()

    def _announce(self) -> None:
        if not self._announced:
            self._announced = True
            self._loop.call_soon_threadsafe(self._deliver)

    def _deliver(self) -> None:
        with self._lock:
            files, folders, overflow = list(self._files), list(self._folders), self._overflow
            self._files, self._folders, self._overflow, self._announced = {}, {}, False, False
        self._receive(files, folders, overflow)


def _joined(folder: str, name: str) -> str:
    return f"{folder}/{name}" if folder else name


def absolute(path: Path) -> str:
    """The path as a root: absolute, without a slash at the end."""
    return os.path.abspath(path)
