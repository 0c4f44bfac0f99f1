"""Strength `deny-open` on a real file system, with a real daemon and a real guard."""

import errno
import mmap
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

import pytest

from tests.helpers.daemon import Daemon, configure, eventually, started
from tests.helpers.guard import Guard, denied, guarding, mounted

pytestmark = [pytest.mark.root, pytest.mark.skipif(os.geteuid() != 0, reason="mounting and fanotify need root")]

CLASSIFIED, CLEAN = "机密★10年\n", "nothing of note\n"
STRENGTH = 'settle_seconds = 0.2\nstrength = "deny-open"'


@dataclass
class House:
    daemon: Daemon
    guard: Guard
    share: Path
    writers: list[IO[bytes]] = field(default_factory=list)

    def write(self, name: str, text: str) -> Path:
        file = self.share / name
        file.write_text(text, "utf-8")
        return file

    def classified(self, name: str) -> Path:
        """A file that the watch of the share leaves alone for half a minute, for somebody has it open for writing."""
        writer = (self.share / name).open("xb")
        self.writers.append(writer)
        writer.write(CLASSIFIED.encode())
        writer.flush()
        return self.share / name

    def counted(self) -> None:
        """Return once the daemon has heard what was counted until now."""
        count = self.opens("deny")
        assert denied(self.classified(f"counting-{count}.txt"))
        eventually(lambda: self.opens("deny") > count)

    def opens(self, answer: str) -> float:
        return self.daemon.metric(f'dlp_opens_total{{answer="{answer}",channel="share"}}')


@pytest.fixture(scope="module")
def house() -> Iterator[House]:
    """Where every user may go, which is not so below pytest's own folder."""
    folder = Path(tempfile.mkdtemp(prefix="dlp-deny-open-", dir="/tmp"))
    os.chmod(folder, 0o755)
    config = configure(folder, extra="[limits]\nbytes = 1000000")
    config.write_text(config.read_text("utf-8").replace("settle_seconds = 0.2", STRENGTH), "utf-8")
    try:
        with mounted(folder / "share.img", folder / "share") as share, started(config) as daemon, guarding(config) as guard:
            eventually(lambda: daemon.metric('dlp_guard_connected{duty="deny-open"}'))
            standing = House(daemon, guard, share)
            yield standing
            for writer in standing.writers:
                writer.close()
    finally:
        shutil.rmtree(folder)


def run(*command: object, user: str | None = None) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(list(map(str, command)), capture_output=True, timeout=60, user=user)


def test_a_classified_file_is_denied_to_everybody(house: House) -> None:
    secret = house.classified("secret.txt")
    os.chmod(secret, 0o755)
    for user in (None, "nobody"):
        for command in (["cat", secret], ["cp", secret, "/dev/null"], ["perl", "-pe", "", secret]):
            done = run(*command, user=user)
            assert done.returncode != 0 or command[0] == "perl"
            assert os.strerror(errno.EPERM).encode() in done.stderr
    with pytest.raises(PermissionError):
        run(secret)
    house.counted()
    assert house.opens("deny") >= 7
    assert house.daemon.metric('dlp_opens_unjudged_total{answer="deny",channel="share"}') == 0
    assert "open denied" in house.daemon.log
    assert "机密" not in house.daemon.log + house.guard.log


def test_it_is_denied_by_whatever_way(house: House) -> None:
    secret = house.classified("origin.txt")
    link, symlink, away = house.share / "link", house.share / "symlink", house.daemon.folder / "bound"
    os.link(secret, link)
    symlink.symlink_to(secret)
    away.mkdir()
    subprocess.run(["mount", "--bind", house.share, away], check=True)
    try:
        assert denied(link)
        assert denied(symlink)
        assert denied(away / "origin.txt")
        secret.rename(house.share / "renamed.txt")
        assert denied(house.share / "renamed.txt")
    finally:
        subprocess.run(["umount", away], check=True)


def test_a_clean_file_is_read_and_written(house: House) -> None:
    clean = house.write("clean.txt", CLEAN)
    assert run("cat", clean).stdout == CLEAN.encode()
    assert run("sh", "-c", f"echo more >> {clean}; cat {clean}", user="root").stdout == CLEAN.encode() + b"more\n"
    new = house.share / "new.txt"
    assert run("sh", "-c", f"echo {CLEAN} > {new} && cat {new}", user="nobody").stdout == CLEAN.encode()


def test_what_is_remembered_is_forgotten_when_the_file_changes(house: House) -> None:
    file = house.write("changing.txt", CLEAN)
    time.sleep(0.1)  # older than what is too fresh to be remembered
    house.counted()
    before = house.opens("allow")
    for _ in range(20):
        assert not denied(file)
    house.counted()
    assert house.opens("allow") == before + 1
    with file.open("r+b") as open_file, mmap.mmap(open_file.fileno(), 0) as mapping:
        mapping[:] = CLASSIFIED.encode()[: len(mapping)].ljust(len(mapping))
    eventually(lambda: denied(file))  # the guard is told when the writer has closed it, and cannot have it wait
    file.unlink()
    file.write_text(CLEAN, "utf-8")
    assert not denied(file)


def test_what_the_watch_takes_and_an_approver_lets_go(house: House) -> None:
    secret = house.write("released.txt", CLASSIFIED)
    eventually(lambda: not secret.exists())
    eventually(lambda: run("cat", f"{secret}.dlp.txt").returncode == 0)  # the notice
    held = [one["id"] for one in house.daemon.json("quarantine", "list") if one["origin"]["path"] == str(secret)]
    assert house.daemon.dlp("quarantine", "release", held[0], "--reason", "wanted").returncode == 0
    assert secret.read_text("utf-8") == CLASSIFIED
    assert denied(house.classified("copy.txt"))  # nobody has let that go


def test_a_burst_of_opens_by_many(house: House) -> None:
    folder = house.share / "burst"
    folder.mkdir()
    for n in range(60):
        house.classified(f"burst/{n}.txt") if n % 3 == 0 else house.write(f"burst/{n}.txt", CLEAN)
    code = """
import os, sys
for name in sorted(os.listdir(sys.argv[1])):
    try:
        open(os.path.join(sys.argv[1], name), "rb").read()
    except PermissionError:
        print(name)
"""
    command = [sys.executable, "-I", "-c", code, str(folder)]
    readers = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(8)]
    wanted = sorted(f"{n}.txt" for n in range(0, 60, 3))
    for reader in readers:
        assert reader.communicate(timeout=100)[0].split() == wanted
    assert house.daemon.metric('dlp_opens_unjudged_total{answer="deny",channel="share"}') == 0


def test_what_is_no_file_or_claims_to_be_a_large_one(house: House) -> None:
    fifo, loop, sparse, device = (house.share / name for name in ("fifo", "loop", "sparse", "null"))
    os.mkfifo(fifo)
    loop.symlink_to(loop)
    os.mknod(device, 0o666 | 0o020000, os.makedev(1, 3))
    with sparse.open("wb") as out:
        out.truncate(1 << 40)
    writer = subprocess.Popen(["sh", "-c", f"echo through > {fifo}"])
    assert run("cat", fifo).stdout == b"through\n"
    assert writer.wait(timeout=20) == 0
    assert b"Too many levels" in run("cat", loop).stderr
    assert run("cat", device).stdout == b""
    done = run("head", "-c", "10", sparse)  # what cannot be read is alerted on a share, as shipped, and not kept back
    assert done.stdout in (bytes(10), b"")
    assert denied(house.classified(os.fsdecode(b"\xff.txt")))
