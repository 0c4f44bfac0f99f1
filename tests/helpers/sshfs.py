"""A real network file system in one machine: sshfs(1) straight on OpenSSH's sftp-server, with no ssh in between.

What is done in the server's folder is done behind the back of the kernel that has it mounted, as by another machine.
"""

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

SERVER = Path("/usr/lib/openssh/sftp-server")


@contextmanager
def mounted(served: Path, point: Path) -> Iterator[list[int]]:
    """`served` at `point`, without caches; yields the server's process id, which may be stopped and continued. Skips the
    test, by name, where there is no sshfs."""
    if shutil.which("sshfs") is None or not SERVER.exists():
        pytest.skip("sshfs or sftp-server is not installed")
    command, wrote = point.with_name(f"{point.name}.sh"), point.with_name(f"{point.name}.pid")
    command.write_text(f"#!/bin/sh\necho $$ >{wrote}\nexec {SERVER}\n")
    command.chmod(0o755)
    options = f"ssh_command={command},dir_cache=no,attr_timeout=0,entry_timeout=0"
    done = subprocess.run(["sshfs", "-o", options, f"nowhere:{served}", point], capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"sshfs may not mount here: {done.stderr.strip()}")
    try:
        yield [int(wrote.read_text())]
    finally:
        subprocess.run(["umount", "-l", point], check=True)
