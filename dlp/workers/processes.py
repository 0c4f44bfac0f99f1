"""The zygote and its children as the daemon sees them: sockets and process descriptors in the event loop.

Nothing here blocks. A process is only ever signalled through its descriptor (pidfd_open(2)), which cannot
name another process that was given the same number since.
"""

import asyncio
import os
import signal
import socket
import subprocess
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from dlp.errors import ConfigError, SignatureError, WorkerError
from dlp.model import Inspection, Limits, Why
from dlp.workers import wire
from dlp.workers.confine import Layers, isolated

JOB = "dlp.inspection:inspect"
LOADER = "dlp.detect.detector:Detector.load"
OCR = "dlp.extract.ocr:load"
START_SECONDS = 60.0
"""For a zygote to load and confine itself; many signatures take seconds to compile."""
FORK_SECONDS = 10.0
EXIT_SECONDS = 5.0
GRACE = 0.5
"""Seconds a child may go over its deadline before it is killed."""
_LONGEST_REPORT = 64 << 20
_ENVIRONMENT = {
    "LANG": "C.UTF-8",
    "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",  # ctypes.util.find_library asks ldconfig
    "OPENBLAS_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
    "ORT_DISABLE_TELEMETRY": "1",  # from a thread of its own
    "MALLOC_ARENA_MAX": "1",
}
"""All of it. One thread, since a filter of system calls covers only the thread that installs it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """What a zygote is made of. `job`, `loader` and `ocr` are "module:name"; tests bring their own. Without `ocr` it
    reads no text in pictures; without `registers`, a folder, it looks for nothing declared. `key` is theirs."""

    paths: tuple[Path, ...]
    limits: Limits
    job: str = JOB
    loader: str = LOADER
    ocr: str | None = None
    registers: Path | None = None
    key: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """A job with an inspection. `learned` are words of the item that may be passwords, `declared` what a register asked."""

    inspection: Inspection
    learned: tuple[str, ...] = field(default=(), repr=False)
    declared: bytes = field(default=b"", repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Lost:
    """A job without an inspection. `cause` is the metric's word: timeout, crashed, limit or lied; `document` the number of
    the last document that a risky format was about to read, 0 where there was none."""

    why: Why
    cause: str
    detail: str
    document: int = 0


class Child:
    """One confined child; one job at a time. `served` counts the jobs it has answered, `entered` is the number of the
    last document of its job that a risky format was about to read, 0 while there is none."""

    def __init__(self, pid: int, process: int, channel: socket.socket, zygote: "Zygote") -> None:
        self.pid = pid
        self.served = 0
        self.entered = 0
        self.zygote = zygote
        self.exited: asyncio.Future[int | None] = asyncio.get_running_loop().create_future()
        """Its exit status, or None when the zygote died with it."""
        self._process = process
        self._channel = channel
        self._open = True
        self._busy = False

    async def run(self, job: wire.Job, content: int) -> Done | Lost:
        """Do one job on the open file `content`. After a Lost, and once it has `entered` anything, the child must be ended."""
        self._busy = True
        try:
            async with asyncio.timeout(job.seconds + GRACE):
                socket.send_fds(self._channel, [wire.encode(job)], [content])
                answer = wire.decode_answer(await self._receive(), job.serial, self.zygote.signatures, size=job.size)
        except TimeoutError:
            return self._lost(Why.TIMEOUT, "timeout", f"no answer within {job.seconds:.3g} seconds")
        except wire.LyingChild as error:
            return self._lost(Why.CRASHED, "lied", str(error))
        except (OSError, EOFError):
            return self._lost(Why.CRASHED, "crashed", await self._ending())
        self.served += 1
        if answer.inspection is not None:
            self._busy = False
            return Done(inspection=answer.inspection, learned=answer.learned, declared=answer.declared)
        why = answer.why or Why.CRASHED
        return self._lost(why, "crashed" if why is Why.CRASHED else "limit", answer.detail)

    def _lost(self, why: Why, cause: str, detail: str) -> Lost:
        return Lost(why=why, cause=cause, detail=detail, document=self.entered)

    async def _receive(self) -> bytes:
        """The whole answer. Raises EOFError when the child ends first, LyingChild for what no honest child says."""
        loop = asyncio.get_running_loop()
        length: int | None = None
        data = bytearray()
        while length is None or len(data) < length:
            packet = await loop.sock_recv(self._channel, wire.PACKET)
            if not packet:
                raise EOFError
            if length is None:
                number = wire.entered(packet, after=self.entered, most=self.zygote.recipe.limits.members)
                if number is not None:
                    self.entered = number
                    continue
                length, packet = int.from_bytes(packet[:8], "big"), packet[8:]
            data += packet
            if length > wire.LONGEST_ANSWER or len(data) > length:
                raise wire.LyingChild("an answer that is too long")
        return bytes(data)

    async def _ending(self) -> str:
        with suppress(TimeoutError):
            status = await asyncio.wait_for(asyncio.shield(self.exited), 1)
            if status is None:
                return "ended together with its zygote"
            return f"killed by {signal.Signals(-status).name}" if status < 0 else f"ended with status {status}"
        return "hung up"

    def quiet(self) -> bool:
        """Whether it waits for a job, as it should: neither gone nor saying what nobody asked."""
        try:
            self._channel.recv(1)
        except BlockingIOError:
            return True
        except OSError:
            return False
        return False

    def end(self) -> None:
        """Kill it, whatever it does, and give up what belongs to it."""
        if not self._open:
            return
        self._open = False
        try:
            signal.pidfd_send_signal(self._process, signal.SIGKILL)
        except ProcessLookupError:
            pass  # gone already
        except PermissionError:
            # A root daemon without CAP_KILL. A child that waits for a job ends when its channel closes; one that is
            # at work only with its zygote, by PR_SET_PDEATHSIG.
            if self._busy:
                self.zygote.close()
        os.close(self._process)
        self._channel.close()


class Zygote:
    """One running zygote; made by `start`. `idle` are the persistent children that wait for a job."""

    def __init__(self, recipe: Recipe) -> None:
        self.recipe = recipe
        self.signatures: frozenset[str] = frozenset()
        self.layers = Layers()
        self.dead = False
        self.idle: list[Child] = []
        self._leases = 0
        self._retired = False
        self._loop = asyncio.get_running_loop()
        self._loaded: asyncio.Future[wire.Loaded] = self._loop.create_future()
        self._ready: asyncio.Future[wire.Ready] = self._loop.create_future()
        self._forks: deque[tuple[asyncio.Future[Child], socket.socket]] = deque()
        self._children: dict[int, Child] = {}
        self.ended: asyncio.Future[None] = self._loop.create_future()
        self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._control.setblocking(False)
        with theirs:
            # Started in this very thread, the event loop's: PR_SET_PDEATHSIG is about the thread, not the process.
            self._process = subprocess.Popen(  # noqa: S603
                isolated("dlp.workers.zygote", "main"),
                stdin=theirs.fileno(),
                stdout=subprocess.DEVNULL,
                env=_ENVIRONMENT,
                cwd="/",
                start_new_session=True,
            )
        self.pid = self._process.pid
        self._pidfd = os.pidfd_open(self.pid)
        self._loop.add_reader(self._control, self._hear)
        self._loop.add_reader(self._pidfd, self._bury)

    @classmethod
    async def start(cls, recipe: Recipe) -> "Zygote":
        """A zygote that has loaded and is confined. Raises ConfigError (SignatureError) for what the operator wrote,
        WorkerError for anything else."""
        zygote = cls(recipe)
        try:
            async with asyncio.timeout(START_SECONDS):
                await zygote._set_up()
        except TimeoutError:
            await zygote.stop()
            raise WorkerError(f"the zygote was not ready within {START_SECONDS:g} seconds") from None
        except BaseException:
            await zygote.stop()
            raise
        return zygote

    async def _set_up(self) -> None:
        paths = tuple(map(str, self.recipe.paths))
        setup = wire.Setup(
            job=self.recipe.job,
            loader=self.recipe.loader,
            paths=paths,
            limits=self.recipe.limits,
            parent=os.getpid(),
            ocr=self.recipe.ocr,
            registers=str(self.recipe.registers) if self.recipe.registers else None,
            key=self.recipe.key,
        )
        self._control.send(wire.encode(setup))
        loaded = await self._loaded
        match loaded.error:
            case "":
                self.signatures = frozenset(loaded.signatures)
            case "signatures":
                raise SignatureError(loaded.faults)
            case "configuration":
                raise ConfigError(loaded.faults)
            case what:
                raise WorkerError(f"the zygote could not load: {what}")
        ready = await self._ready
        self.layers = Layers(ready.missing, ready.weaker)

    async def fork(self, jobs: int) -> Child:
        """A new child for at most `jobs` jobs. Raises WorkerError."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        ours.setblocking(False)
        asked: asyncio.Future[Child] = self._loop.create_future()
        try:
            with theirs:
                socket.send_fds(self._control, [wire.encode(wire.Fork(jobs))], [theirs.fileno()])
            self._forks.append((asked, ours))
            async with asyncio.timeout(FORK_SECONDS):
                return await asked
        except OSError as error:  # it hung up; or it hangs (TimeoutError), and must not be asked again
            self.close()
            ours.close()
            raise WorkerError(f"the zygote did not fork: {type(error).__name__}") from None
        except BaseException:
            if asked.done() and not asked.cancelled() and asked.exception() is None:
                asked.result().end()
            ours.close()
            raise

    def lease(self) -> None:
        """Count one user more; a retired zygote ends with its last."""
        self._leases += 1

    def give_back(self) -> None:
        """Count one user less."""
        self._leases -= 1
        self._end_if_unused()

    def retire(self) -> None:
        """Another has taken its place: finish what is under way, then end."""
        self._retired = True
        while self.idle:
            self.idle.pop().end()
        self._end_if_unused()

    @property
    def retired(self) -> bool:
        """Whether another has taken its place."""
        return self._retired

    def _end_if_unused(self) -> None:
        if self._retired and self._leases == 0:
            self.close()

    def close(self) -> None:
        """Hang up: the zygote ends, and every child with it. Idempotent."""
        if self.dead:
            return
        self.dead = True
        self._loop.remove_reader(self._control)
        self._control.close()
        gone = WorkerError("the zygote ended")
        waiting: list[asyncio.Future[Any]] = [self._loaded, self._ready, *(asked for asked, _ in self._forks)]
        for future in waiting:
            if not future.done():
                future.set_exception(gone)
                future.exception()  # told to whoever waits; nobody waiting is no fault
        self._forks.clear()
        while self.idle:
            self.idle.pop().end()
        for child in self._children.values():
            if not child.exited.done():
                child.exited.set_result(None)
        self._children.clear()

    async def stop(self) -> None:
        """Hang up and see it end; kill it if it does not."""
        self.close()
        try:
            await asyncio.wait_for(asyncio.shield(self.ended), EXIT_SECONDS)
        except TimeoutError:
            self._process.kill()
            await self.ended

    def _bury(self) -> None:
        """The process has ended."""
        self._loop.remove_reader(self._pidfd)
        os.close(self._pidfd)
        self._process.wait()
        self.close()
        self.ended.set_result(None)

    def _hear(self) -> None:
        """One word from the zygote."""
        try:
            packet, descriptors, _, _ = socket.recv_fds(self._control, wire.PACKET, 1)
        except BlockingIOError:
            return
        except OSError:
            packet, descriptors = b"", []
        if not packet:
            self.close()
        elif packet == b"\0":
            self._heard_loaded(descriptors[0])
        else:
            self._heard(wire.decode_zygote_word(packet), descriptors)

    def _heard_loaded(self, file: int) -> None:
        try:
            word = wire.decode(os.pread(file, _LONGEST_REPORT, 0), wire.Loaded)
        except msgspec.MsgspecError as error:
            self._loaded.set_exception(WorkerError(f"the zygote's report does not decode: {error}"))
        else:
            self._loaded.set_result(word)
        finally:
            os.close(file)

    def _heard(self, word: wire.ZygoteWord, descriptors: Sequence[int]) -> None:
        match word:
            case wire.Ready():
                self._ready.set_result(word)
            case wire.Forked():
                self._heard_forked(word, descriptors)
            case wire.Exited():
                if (child := self._children.pop(word.pid, None)) is not None and not child.exited.done():
                    child.exited.set_result(word.status)

    def _heard_forked(self, word: wire.Forked, descriptors: Sequence[int]) -> None:
        asked, channel = self._forks.popleft()
        if word.error:
            if not asked.done():
                asked.set_exception(WorkerError(word.error))
            return
        # Known from here on, so that its exit, which may be the very next word, finds it.
        self._children[word.pid] = child = Child(word.pid, descriptors[0], channel, self)
        if asked.done():
            child.end()  # whoever asked has given up
        else:
            asked.set_result(child)
