"""A Samba of the test's own: one share, one port of the loopback, folders of its own; never the system's."""

import os
import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.helpers.daemon import eventually, free_port

GUEST = "nobody"
PLACES = "/usr/sbin:/usr/local/sbin:/usr/bin"
"""Where smbd may be."""

GLOBAL = """
[global]
server role = standalone server
interfaces = lo
bind interfaces only = yes
smb ports = {port}
disable netbios = yes
map to guest = bad user
guest account = {guest}
load printers = no
disable spoolss = yes
lock directory = {folder}/lock
state directory = {folder}/state
cache directory = {folder}/cache
private dir = {folder}/private
pid directory = {folder}/pid
ncalrpc dir = {folder}/ncalrpc
log file = {folder}/log
log level = 1
max log size = 0

[share]
path = {share}
guest only = yes
guest ok = yes
read only = no
"""


@dataclass(frozen=True)
class Samba:
    port: int
    folder: Path
    share: Path

    def client(self, *commands: str) -> subprocess.CompletedProcess[str]:
        """What smbclient does and says for these commands."""
        place = ["-N", "-p", str(self.port), "-s", str(self.folder / "smb.conf"), "//127.0.0.1/share"]
        asked = ["smbclient", *place, "-c", "; ".join(commands)]
        return subprocess.run(asked, capture_output=True, text=True, timeout=60, cwd=self.folder / "client")


@contextmanager
def samba(folder: Path, share: Path, lines: str) -> Iterator[Samba]:
    """Serves `share`, with these lines in its section, until the end."""
    for name in ("lock", "state", "cache", "private", "pid", "ncalrpc", "client"):
        (folder / name).mkdir()
    server = Samba(free_port(), folder, share)
    settings = GLOBAL.format(port=server.port, folder=folder, share=share, guest=GUEST) + lines
    (folder / "smb.conf").write_text(settings)
    smbd = shutil.which("smbd", path=PLACES) or "smbd"
    command = [smbd, "-s", str(folder / "smb.conf"), "--foreground", "--no-process-group", "--debug-stdout"]
    with (folder / "stdout").open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output, stdin=subprocess.DEVNULL, start_new_session=True)
    try:
        eventually(lambda: process.poll() is not None or _listens(server.port))
        assert process.poll() is None, (folder / "stdout").read_text("utf-8", "replace")
        yield server
    finally:
        os.killpg(process.pid, signal.SIGTERM)  # of a session that began with it: its children, and nobody else
        process.wait(timeout=30)


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
