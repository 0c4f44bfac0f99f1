"""strace(1) on a running daemon: what it asked of the kernel, in order, and calls that are made to fail."""

import re
import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

CALLS = "fsync,fdatasync,rename,renameat,renameat2,write,writev,sendto,sendmsg,read,recvfrom,recvmsg"

_LINE = re.compile(r"(\d+) +(.*)")
_WHOLE = re.compile(r"(\w+)\((.*)\) += (-?\w+)(.*)", re.DOTALL)
_BEGUN = re.compile(r"(\w+)\((.*) <unfinished \.\.\.>", re.DOTALL)
_RESUMED = re.compile(r"<\.\.\. (\w+) resumed>(.*)", re.DOTALL)
_DESCRIPTOR = re.compile(r"\d+<((?:->|[^<>])*)>")


@dataclass(frozen=True, slots=True)
class Call:
    """One system call. `begin` and `end` count the lines of the trace: of two threads' calls one came after the other only
    if it began after the other's end. `result` is -1 for an error; `injected` if it was made to fail and never done."""

    pid: int
    name: str
    arguments: str
    result: int
    begin: int
    end: int
    injected: bool = False

    @property
    def on(self) -> str:
        """What the descriptor in front is open on: a path, or `TCP:[ours->theirs]`; "" where there is none."""
        found = _DESCRIPTOR.match(self.arguments)
        return found[1] if found else ""

    @property
    def renamed(self) -> tuple[str, str]:
        """From and to."""
        names = re.findall(r'"([^"]*)"', self.arguments)
        return names[0], names[1]

    @property
    def data(self) -> str:
        """The bytes read or written, as strace quotes them."""
        found = re.search(r'"((?:[^"\\]|\\.)*)"', self.arguments)
        return found[1] if found else ""


def parsed(text: str) -> list[Call]:
    """The calls of a trace of `strace -f -yy`, by their beginnings; those that never ended are left out."""
    begun, calls = dict[int, Call](), list[Call]()
    for number, line in enumerate(text.splitlines()):
        found = _LINE.fullmatch(line)
        if found is None:
            continue
        pid, said = int(found[1]), found[2]
        if part := _BEGUN.fullmatch(said):
            begun[pid] = Call(pid, part[1], part[2], 0, number, number)
        elif (part := _RESUMED.fullmatch(said)) and pid in begun:
            first = begun.pop(pid)
            if whole := _WHOLE.fullmatch(f"{first.name}({first.arguments}{part[2]}"):
                calls.append(replace(_call(pid, whole, number), begin=first.begin))
        elif whole := _WHOLE.fullmatch(said):
            calls.append(_call(pid, whole, number))
    return sorted(calls, key=lambda call: call.begin)


def _call(pid: int, whole: re.Match[str], number: int) -> Call:
    result = int(whole[3], 0) if whole[3].lstrip("-").isdecimal() else 0
    return Call(pid, whole[1], whole[2], result, number, number, injected="INJECTED" in whole[4])


Step = tuple[str, Callable[[Call], bool]]
"""What a step is called, and which calls are it."""


def in_order(calls: Sequence[Call], steps: Sequence[Step]) -> list[Call]:
    """The steps' calls: the last one of the last step, and of each other one the last that ended before the next began.

    Raises AssertionError where a step is not to be found before its next, or failed.
    """
    found, before = list[Call](), len(calls) and max(call.end for call in calls) + 1
    for name, is_step in reversed(steps):
        fitting = [call for call in calls if is_step(call) and call.result >= 0 and call.end < before]
        assert fitting, f"{name} was not done before {steps[len(steps) - len(found)][0] if found else 'the end'}"
        found.insert(0, fitting[-1])
        before = fitting[-1].begin
    return found


def need_strace() -> None:
    """Skip the test, by name, where there is no strace or it may not look at the daemon, whose memory is closed to others."""
    if shutil.which("strace") is None:
        pytest.skip("strace is not installed")
    effective = int(Path("/proc/self/status").read_text().split("CapEff:")[1].split()[0], 16)
    if not effective >> 19 & 1:  # CAP_SYS_PTRACE
        pytest.skip("needs CAP_SYS_PTRACE: traces the daemon")


class Trace:
    """The calls of a process that is traced, once `traced` has ended."""

    def __init__(self, path: Path) -> None:
        self._path = path

    @property
    def calls(self) -> list[Call]:
        return parsed(self._path.read_text("utf-8", "replace"))


@contextmanager
def traced(pid: int, path: Path, *, calls: str = CALLS, inject: str = "") -> Iterator[Trace]:
    """Trace a process with all its threads, from when strace has taken hold of every one until it has let go.

    `inject` as strace's option of that name has it, such as "fsync:error=EIO:when=2"; it counts each thread's calls by
    themselves.
    """
    command = ["strace", "-f", "-yy", "-s", "200", "-o", str(path), "-e", f"trace={calls}", "-p", str(pid)]
    command += ["-e", f"inject={inject}"] if inject else []
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as strace:
        drain = threading.Thread(target=strace.stderr.read if strace.stderr else lambda: None)
        drain.start()
        try:
            _wait(lambda: strace.poll() is not None or _held(pid, strace.pid))
            if strace.poll() is not None:
                pytest.skip("strace may not trace here")
            yield Trace(path)
        finally:
            strace.terminate()
            strace.wait(timeout=60)
            drain.join()


def _held(pid: int, tracer: int) -> bool:
    """Whether every thread is traced."""
    return all(f"\nTracerPid:\t{tracer}\n" in (task / "status").read_text() for task in Path(f"/proc/{pid}/task").iterdir())


def _wait(probe: Callable[[], bool]) -> None:
    end = time.monotonic() + 60
    while not probe():
        assert time.monotonic() < end
        time.sleep(0.02)
