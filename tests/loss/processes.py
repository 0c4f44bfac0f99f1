"""The processes of a running daemon, found as the kernel shows them, and their death."""

import os
import signal
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from tests.loss.records import Kill

GATEWAY, ZYGOTE, WORKER, FRONT = "gateway", "zygote", "worker", "front"
"""The daemon's own process; what forks the workers; a worker; any other child, such as a front process."""


@dataclass(frozen=True, slots=True)
class Process:
    """One process and what it is for."""

    pid: int
    parent: int
    role: str


def children(pid: int) -> list[int]:
    """The living children of a process (proc(5), /proc/PID/task/TID/children)."""
    found: list[int] = []
    with suppress(FileNotFoundError, ProcessLookupError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            with suppress(FileNotFoundError, ProcessLookupError):
                found += map(int, (task / "children").read_text().split())
    return found


def tree(root: int) -> Iterator[Process]:
    """The daemon at `root` and everything below it."""
    yield Process(root, 0, GATEWAY)
    waiting = [(root, GATEWAY)]
    while waiting:
        parent, role = waiting.pop()
        for pid in children(parent):
            below = Process(pid, parent, _role(pid, role))
            yield below
            waiting.append((pid, below.role))


def _role(pid: int, parent: str) -> str:
    if parent in (ZYGOTE, WORKER):
        return WORKER
    try:
        command = Path(f"/proc/{pid}/cmdline").read_bytes() + Path(f"/proc/{pid}/comm").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return FRONT
    return ZYGOTE if b"zygote" in command else FRONT


def kill(pid: int, role: str, *, parent: int = 0, in_flight: int = 0) -> Kill | None:
    """Kill -9 that very process; None if it, or the `parent` it had, is gone already."""
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        return None
    try:
        if parent and pid not in children(parent):
            return None  # its number has been given to another
        before = time.time()
        signal.pidfd_send_signal(handle, signal.SIGKILL)
        return Kill(role, pid, before, time.time(), in_flight)
    except ProcessLookupError:
        return None
    finally:
        os.close(handle)
