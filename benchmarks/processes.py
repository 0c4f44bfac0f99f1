"""What processes cost together in time and memory: by a control group (cgroup v2) or, where none can be made, by /proc."""

import ctypes
import os
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType

_TICK = os.sysconf("SC_CLK_TCK")
_PR_SET_CHILD_SUBREAPER = 36


class Group(ABC):
    """Processes that are counted together: those started within `entered`, and theirs."""

    @abstractmethod
    @contextmanager
    def entered(self) -> Iterator[None]:
        """What this process starts meanwhile belongs to the group, however it detaches itself."""

    @abstractmethod
    def cpu(self) -> float:
        """Seconds of user and system time so far, of processes that have ended too."""

    @abstractmethod
    def pids(self) -> list[int]:
        """Who lives."""

    @abstractmethod
    def close(self) -> None:
        """Its processes have ended; forget it."""

    def settled(self, *, seconds: float = 5.0) -> float:
        """`cpu` once it stands still (1 ms in 50 ms), or after `seconds`."""
        end, before = time.monotonic() + seconds, self.cpu()
        while time.monotonic() < end:
            time.sleep(0.05)
            now = self.cpu()
            if now - before < 0.001:
                return now
            before = now
        return before

    def pss(self) -> int:
        """Bytes of memory, what is shared counted in parts."""
        return sum(pss(pid) for pid in self.pids())


class ControlGroup(Group):
    """A cgroup v2; its cpu.stat counts without any controller being on."""

    def __init__(self, name: str) -> None:
        """Raises OSError where none can be made."""
        self._root = _mount()
        self._place = self._root / f"dlp-bench-{os.getpid()}-{name}"
        self._place.mkdir()

    @contextmanager
    def entered(self) -> Iterator[None]:
        """See Group."""
        home = self._root / _own().lstrip("/")
        (self._place / "cgroup.procs").write_text(str(os.getpid()))
        try:
            yield
        finally:
            (home / "cgroup.procs").write_text(str(os.getpid()))

    def cpu(self) -> float:
        """See Group."""
        return int((self._place / "cpu.stat").read_text().split()[1]) / 1e6

    def pids(self) -> list[int]:
        """See Group."""
        return [int(line) for line in (self._place / "cgroup.procs").read_text().split()]

    def close(self) -> None:
        """See Group."""
        for _ in range(100):
            with suppress(OSError):
                self._place.rmdir()
                return
            time.sleep(0.1)
        print(f"warning: {self._place} is not empty: {self.pids()}")


class Trees(Group):
    """By /proc/PID/stat: the trees below what was started, time of ended children included once their parent has waited."""

    def __init__(self) -> None:
        # Whoever detaches itself becomes a child of ours and is not lost to the machine's first process.
        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
        self._roots: set[int] = set()
        self._over = threading.Event()
        self._reaper = threading.Thread(target=self._reap, daemon=True)
        self._reaper.start()

    def _reap(self) -> None:
        """Wait for those that came to us by detaching themselves, and have a session of their own; others wait for the rest."""
        while not self._over.wait(0.1):
            for pid in list(self._roots):
                with suppress(OSError):
                    if os.getsid(pid) != os.getsid(0):
                        os.waitpid(pid, os.WNOHANG)

    @contextmanager
    def entered(self) -> Iterator[None]:
        """See Group."""
        before = set(_children().get(os.getpid(), ()))
        try:
            yield
        finally:
            time.sleep(0.2)
            self._roots |= set(_children().get(os.getpid(), ())) - before

    def cpu(self) -> float:
        """See Group."""
        ticks = 0
        for pid in self.pids():
            with suppress(OSError):
                ticks += sum(map(int, _stat(pid)[11:15]))
        return ticks / _TICK

    def pids(self) -> list[int]:
        """See Group."""
        children, found, left = _children(), list[int](), [pid for pid in self._roots if Path(f"/proc/{pid}").exists()]
        while left:
            pid = left.pop()
            found.append(pid)
            left += children.get(pid, ())
        return found

    def close(self) -> None:
        """See Group."""
        self._over.set()
        self._reaper.join()
        self._roots.clear()


def group(name: str) -> Group:
    """The better one that can be had."""
    try:
        return ControlGroup(name)
    except OSError:
        return Trees()


def pss(pid: int) -> int:
    """Bytes of one process's memory, its part of what is shared; 0 once it has ended."""
    try:
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    return 0


def unmapped(pid: int) -> int:
    """Bytes in unnamed files (memfd, O_TMPFILE, deleted ones) that a process holds open: PSS does not see them."""
    seen = dict[tuple[int, int], int]()
    with suppress(OSError):
        for entry in Path(f"/proc/{pid}/fd").iterdir():
            with suppress(OSError):
                target = os.readlink(entry)
                if target.startswith("/memfd:") or target.endswith(" (deleted)"):
                    found = entry.stat()
                    seen[found.st_dev, found.st_ino] = found.st_blocks * 512
    return sum(seen.values())


class Peak:
    """The largest value of `probe`, asked every `interval` seconds while the block runs."""

    def __init__(self, probe: Callable[[], int], *, interval: float) -> None:
        self._probe = probe
        self._interval = interval
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self.value = 0

    def _watch(self) -> None:
        while not self._over.wait(self._interval):
            self.value = max(self.value, self._probe())

    def __enter__(self) -> "Peak":
        self.value = self._probe()
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._over.set()
        self._thread.join()
        self.value = max(self.value, self._probe())


def _mount() -> Path:
    for line in Path("/proc/mounts").read_text().splitlines():
        words = line.split()
        if words[2] == "cgroup2":
            return Path(words[1])
    raise OSError("no cgroup v2 is mounted")


def _own() -> str:
    lines = Path("/proc/self/cgroup").read_text().splitlines()
    return next((line[3:] for line in lines if line.startswith("0::")), "/")


def _stat(pid: int) -> list[str]:
    """From the third field on: what comes before may contain blanks."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()


def _children() -> dict[int, list[int]]:
    found = dict[int, list[int]]()
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            with suppress(OSError):
                found.setdefault(int(_stat(int(entry.name))[1]), []).append(int(entry.name))
    return found
