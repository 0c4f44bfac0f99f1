"""Which process holds something, so that a dead one's work can be taken up: a bare pid is given again to another.

A process is named by the machine's boot id (random(4)), its pid and the time it started in clock
ticks after boot (proc(5), field 22 of /proc/PID/stat). All must see one another in /proc: the
daemon and the commands belong in one PID namespace.
"""

import os
from pathlib import Path

_BOOT = Path("/proc/sys/kernel/random/boot_id")


def this_process() -> str:
    """This process's name: boot id, pid, start."""
    pid = os.getpid()
    return f"{_boot()}:{pid}:{_started(pid)}"


def alive(name: str) -> bool:
    """Whether the process of that name still runs; False for what is no name."""
    match name.split(":"):
        case [boot, pid, started] if pid.isdecimal():
            return boot == _boot() and started == _started(int(pid))
        case _:
            return False


def _boot() -> str:
    return _BOOT.read_text("ascii").strip()


def _started(pid: int) -> str | None:
    """The start time, or None where there is no such process."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text("utf-8", "replace")
    except (FileNotFoundError, ProcessLookupError):
        return None
    # The second field is the command in parentheses and may hold spaces and parentheses itself.
    return stat.rpartition(")")[2].split()[19]
