"""A real guard beside a real daemon, and a file system of its own for what it guards."""

import contextlib
import errno
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.helpers.daemon import CHECKOUT, eventually

UNIT = CHECKOUT / "systemd" / "dlp-guard.service"


def as_the_unit_does() -> list[str]:
    """What to put before the command so that root has the unit's capabilities and no other."""
    (listed,) = re.findall(r"^CapabilityBoundingSet=(.*)$", UNIT.read_text("utf-8"), re.MULTILINE)
    kept = ",".join(["-all", *(f"+{name.removeprefix('CAP_').lower()}" for name in listed.split())])
    return ["setpriv", "--inh-caps=-all", f"--bounding-set={kept}", "--no-new-privs"]


@contextlib.contextmanager
def mounted(image: Path, point: Path, *, size: int = 32 << 20) -> Iterator[Path]:
    """An ext4 of `size` bytes in the file `image`, mounted at `point`, and unmounted at the end whatever holds it."""
    point.mkdir(parents=True, exist_ok=True)
    with image.open("wb") as out:
        out.truncate(size)
    subprocess.run(["mkfs.ext4", "-q", "-m", "0", image], check=True)
    subprocess.run(["mount", "-o", "loop", image, point], check=True)
    os.chmod(point, 0o777)
    try:
        yield point
    finally:
        subprocess.run(["umount", "-l", point], check=False, capture_output=True)


@dataclass
class Guard:
    """A running guard; `log` is what it wrote so far."""

    process: subprocess.Popen[bytes]
    place: Path

    @property
    def log(self) -> str:
        return self.place.read_text("utf-8")

    @property
    def answerer(self) -> int:
        """The process that answers opens."""
        found = children(self.process.pid)
        return found[0] if found else 0


def children(process: int) -> list[int]:
    path = Path(f"/proc/{process}/task/{process}/children")
    return [int(one) for one in path.read_text().split()]


@contextlib.contextmanager
def guarding(config: Path) -> Iterator[Guard]:
    """A guard that stands; stopped at the end, and killed if it does not stop, with the process that answers."""
    place = config.parent / "guard.log"
    before = place.read_text("utf-8") if place.exists() else ""
    with place.open("ab") as out:
        command = [*as_the_unit_does(), sys.executable, "-m", "dlp", "guard", "--config", str(config)]
        process = subprocess.Popen(command, stdout=out, stderr=out, cwd=CHECKOUT)
    guard = Guard(process, place)
    answerer = 0
    try:
        eventually(lambda: process.poll() is not None or "guards. Ctrl-C" in guard.log[len(before) :], seconds=60)
        assert process.poll() is None, guard.log
        yield guard
    finally:
        if process.poll() is None:
            answerer = guard.answerer
            process.terminate()
            try:
                process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        if answerer:
            with contextlib.suppress(ProcessLookupError):
                os.kill(answerer, 9)


def denied(file: Path) -> bool:
    """Whether the kernel refuses to open it, as a guard has said (EPERM)."""
    try:
        file.read_bytes()
    except PermissionError as error:
        assert error.errno == errno.EPERM
        return True
    return False
