"""A real full disk: every acknowledged original stays, errors are StoreErrors, purging makes room, and it goes on afterwards.

In a child process: on a file system of small blocks a hole in a mapped file would end it by SIGBUS.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

MIB = 1 << 20


@pytest.fixture(params=["tmpfs", "ext4 with blocks of 1 KiB"])
def small_disk(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Path]:
    """A mounted file system of a few MiB."""
    if os.geteuid() != 0:
        pytest.skip("only root can mount")
    disk, image = tmp_path / "disk", tmp_path / "image"
    disk.mkdir()
    if request.param == "tmpfs":
        command = ["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(disk)]
    else:
        if shutil.which("mkfs.ext4", path="/usr/sbin:/sbin:/usr/bin:/bin") is None:
            pytest.skip("mkfs.ext4 is not installed")
        with image.open("wb") as file:
            file.truncate(8 * MIB)
        subprocess.run(["/sbin/mkfs.ext4", "-q", "-b", "1024", "-m", "0", str(image)], check=True)
        command = ["mount", "-o", "loop", str(image), str(disk)]
    mounted = subprocess.run(command, capture_output=True, text=True, check=False)
    if mounted.returncode:
        pytest.skip(f"cannot mount here: {mounted.stderr.strip()}")
    try:
        yield disk
    finally:
        subprocess.run(["umount", str(disk)], check=True)


@pytest.mark.root
def test_a_full_disk_loses_nothing_and_can_be_left_behind(small_disk: Path) -> None:
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}
    command = [sys.executable, str(Path(__file__).with_name("full_disk_child.py")), str(small_disk)]
    child = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert (child.returncode, child.stdout.splitlines()[-1:]) == (0, ["done"]), child.stdout + child.stderr
