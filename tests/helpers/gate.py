"""A gated drive: an image on a loop device, the process that stands before it, and a small daemon that judges by a mark."""

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from dlp.channels.gate_wire import Gated, dump_gated
from tests.helpers.daemon import CHECKOUT

MARK = b"TOP SECRET GATE-7f3a91"
"""What the small daemon refuses (tests.channels.ask_house)."""


def image(path: Path, *, size: int = 32 << 20, kind: str = "ext4") -> Path:
    """A file system in a file of `size` bytes."""
    with path.open("wb") as out:
        out.truncate(size)
    subprocess.run([f"mkfs.{kind}", "-q", "-m", "0", path], check=True)
    return path


@contextlib.contextmanager
def looped(path: Path, *, read_only: bool = False) -> Iterator[str]:
    """The loop device of an image; nobody can have it twice."""
    command = ["losetup", "--find", "--show", *(["--read-only"] if read_only else []), str(path)]
    device = subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
    try:
        yield device
    finally:
        subprocess.run(["losetup", "-d", device], check=False, capture_output=True)


@contextlib.contextmanager
def judge(state: Path) -> Iterator[subprocess.Popen[bytes]]:
    """The small daemon."""
    (state / "run").mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "tests.channels.ask_house", str(state)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, cwd=CHECKOUT)
    assert process.stdout is not None
    process.stdout.readline()
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


@dataclass
class Standing:
    """A drive that is gated at `point`."""

    point: Path
    image: Path
    process: subprocess.Popen[bytes]

    def raw(self) -> bytes:
        """Everything on the device, as it is on the medium once it is synced."""
        return self.image.read_bytes()

    def end(self) -> None:
        self.process.terminate()
        self.process.wait(timeout=20)


@contextlib.contextmanager
def gated(
    folder: Path,
    device: str,
    drive: Path,
    *,
    reserve: int = 0,
    memory: int | None = None,
    read_only: bool = False,
    kind: str = "ext4",
) -> Iterator[Standing]:
    """Gate the drive as the guard does. `folder` holds state, staging and mount point."""
    point, staging = folder / "point", folder / "staging"
    point.mkdir(mode=0o000, exist_ok=True)
    staging.mkdir(exist_ok=True)
    told = Gated(
        node=device,
        filesystem=kind,
        point=str(point),
        device="SERIAL-1",
        state=str(folder / "state"),
        staging=str(staging),
        seconds=30,
        reserve=reserve,
        memory=memory,
        read_only=read_only,
    )
    reader, writer = os.pipe()
    with (folder / "gated.log").open("ab") as out:
        command = [sys.executable, "-m", "dlp.gated", str(writer), json.dumps(dump_gated(told))]
        process = subprocess.Popen(command, pass_fds=[writer], stdout=out, stderr=out, cwd=CHECKOUT)
    os.close(writer)
    try:
        assert os.read(reader, 1), (folder / "gated.log").read_text()
        yield Standing(point, drive, process)
    finally:
        os.close(reader)
        if process.poll() is None:
            process.terminate()
            try:
                process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        subprocess.run(["umount", "-l", point], check=False, capture_output=True)
