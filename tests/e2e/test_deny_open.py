"""Strength `deny-open` on a real file system, with a real daemon and a real guard."""

import contextlib
import errno
import mmap
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.helpers.daemon import CHECKOUT, Daemon, configure, eventually, started
from tests.helpers.guard import Guard, guarding, mounted

pytestmark = [pytest.mark.root, pytest.mark.skipif(os.geteuid() != 0, reason="mounting and fanotify need root")]

CLASSIFIED, CLEAN = "机密★10年\n", "nothing of note\n"
PATIENCE = 1.5


def configuration(folder: Path, on_error: str = "deny", settle: float = 60.0, policy: Path | None = None) -> Path:
    """The folder's settling time is long, so that it does not take away what the test wants to see denied."""
    config = configure(folder, policy=policy)
    more = f'strength = "deny-open"\non_error = "{on_error}"\non_error_seconds = {PATIENCE}\nsettle_seconds = {settle}'
    config.write_text(config.read_text("utf-8").replace("settle_seconds = 0.2", more), "utf-8")
    return config


@dataclass
class House:
    daemon: Daemon
    guard: Guard
    share: Path

    def write(self, name: str, text: str) -> Path:
        file = self.share / name
        file.write_text(text, "utf-8")
        return file

    def counted(self) -> None:
        """Return once the daemon has heard what was counted until now."""
        count = self.daemon.metric('dlp_opens_total{answer="deny",channel="share"}')
        house_file = self.share / "counting.txt"
        house_file.write_text(CLASSIFIED, "utf-8")
        assert denied(house_file)
        eventually(lambda: self.daemon.metric('dlp_opens_total{answer="deny",channel="share"}') > count)


@contextlib.contextmanager
def housed(**settings: Any) -> Iterator[House]:
    """Where every user may go, which is not so below pytest's own folder."""
    folder = Path(tempfile.mkdtemp(prefix="dlp-deny-open-", dir="/tmp"))
    os.chmod(folder, 0o755)
    config = configuration(folder, **settings)
    try:
        with mounted(folder / "share.img", folder / "share") as share, started(config) as daemon, guarding(config) as guard:
            eventually(lambda: daemon.metric('dlp_guard_connected{duty="deny-open"}'))
            yield House(daemon, guard, share)
    finally:
        shutil.rmtree(folder)


@pytest.fixture(scope="module")
def house() -> Iterator[House]:
    with housed() as standing:
        yield standing


def run(*command: object, user: str | None = None) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(list(map(str, command)), capture_output=True, timeout=60, user=user)


def denied(file: Path) -> bool:
    try:
        file.read_bytes()
    except PermissionError as error:
        assert error.errno == errno.EPERM
        return True
    return False


def test_a_classified_file_is_denied_to_everybody(house: House) -> None:
    secret = house.write("secret.txt", CLASSIFIED)
    os.chmod(secret, 0o644)
    for user in (None, "nobody"):
        for command in (["cat", secret], ["cp", secret, "/dev/null"], [sys.executable, "-c", f"open({str(secret)!r})"]):
            done = run(*command, user=user)
            assert done.returncode != 0, command
            assert os.strerror(errno.EPERM).encode() in done.stderr
    os.chmod(secret, 0o755)
    with pytest.raises(PermissionError):
        run(secret)
    assert house.daemon.metric('dlp_opens_unjudged_total{channel="share",answer="deny"}') == 0
    eventually(lambda: house.daemon.metric('dlp_opens_total{answer="deny",channel="share"}') >= 6)


def test_it_is_denied_by_whatever_way(house: House) -> None:
    secret = house.write("origin.txt", CLASSIFIED)
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
    before = house.daemon.metric('dlp_opens_total{answer="allow",channel="share"}')
    for _ in range(20):
        assert not denied(file)
    house.counted()
    assert house.daemon.metric('dlp_opens_total{answer="allow",channel="share"}') == before + 1
    with file.open("r+b") as open_file, mmap.mmap(open_file.fileno(), 0) as mapping:
        mapping[:] = CLASSIFIED.encode()[: len(mapping)].ljust(len(mapping))
    assert denied(file)
    file.unlink()
    file.write_text(CLEAN, "utf-8")
    assert not denied(file)


def test_a_released_file_can_be_opened(house: House) -> None:
    """It was taken while the strength was `detect`, say: an approver lets it go, and it is let go."""
    with housed(settle=0.2) as other:
        secret = other.write("released.txt", CLASSIFIED)
        (held,) = eventually(lambda: other.daemon.json("quarantine", "list"))
        eventually(lambda: not secret.exists())
        assert run("cat", f"{secret}.dlp.txt").returncode == 0  # the notice
        assert other.daemon.dlp("quarantine", "release", held["id"], "--reason", "wanted").returncode == 0
        assert secret.read_text("utf-8") == CLASSIFIED
        copy = other.write("copy.txt", CLASSIFIED)
        assert denied(copy) or not copy.exists()


def test_a_reload_forgets(tmp_path: Path) -> None:
    policy = tmp_path / "policy.toml"
    shipped = (CHECKOUT / "config" / "policy.toml").read_text("utf-8")
    policy.write_text("")
    with housed(policy=policy) as house:
        file = house.write("plan.txt", CLASSIFIED)
        time.sleep(0.1)
        for _ in range(3):
            assert not denied(file)
        policy.write_text(shipped, "utf-8")
        house.daemon.reload()
        eventually(lambda: denied(file))
        policy.write_text("")
        house.daemon.reload()
        eventually(lambda: not denied(file))


@pytest.mark.parametrize("on_error", ["deny", "allow"])
def test_a_daemon_that_is_stopped_or_dead(on_error: str) -> None:
    with housed(on_error=on_error) as house:
        judged, secret = house.write("judged.txt", CLEAN), house.write("secret.txt", CLASSIFIED)
        fresh = house.write("fresh.txt", CLEAN)
        time.sleep(0.1)
        assert not denied(judged)
        house.daemon.process.send_signal(signal.SIGSTOP)
        began = time.monotonic()
        assert denied(fresh) is (on_error == "deny")
        assert denied(secret) is (on_error == "deny")
        assert PATIENCE <= time.monotonic() - began < 2 * PATIENCE + 10
        assert not denied(judged)  # known to the kernel
        house.daemon.process.send_signal(signal.SIGCONT)
        eventually(lambda: denied(secret) and not denied(fresh))
        house.daemon.kill()
        fresh.write_text(CLEAN + CLEAN, "utf-8")
        assert denied(fresh) is (on_error == "deny")
        assert not denied(judged)
        with started(house.daemon.config) as again:
            eventually(lambda: denied(secret) and not denied(fresh))
            eventually(lambda: again.metric(f'dlp_opens_unjudged_total{{answer="{on_error}",channel="share"}}') >= 3)


def test_a_guard_of_which_either_part_dies() -> None:
    with housed() as house:
        secret, answerer = house.write("secret.txt", CLASSIFIED), house.guard.answerer
        assert denied(secret)
        os.kill(answerer, signal.SIGKILL)
        assert all(denied(secret) for _ in range(3))
        eventually(lambda: house.guard.answerer not in (0, answerer))
        answerer = house.guard.answerer
        os.kill(answerer, signal.SIGSTOP)
        assert denied(secret)  # by the next one
        eventually(lambda: house.guard.answerer not in (0, answerer))
        answerer = house.guard.answerer
        house.guard.process.kill()
        house.guard.process.wait()
        assert denied(secret)
        with guarding(house.daemon.config) as again:
            eventually(lambda: not Path(f"/proc/{answerer}").exists() or state_of(answerer) == "Z")
            assert denied(secret)
            again.process.kill()
            again.process.wait()
            os.kill(orphan := orphans(house.daemon.config)[0], signal.SIGKILL)
            eventually(lambda: not Path(f"/proc/{orphan}").exists() or state_of(orphan) == "Z")
            assert not denied(secret)  # the kernel allows, where nobody holds the descriptor
        with guarding(house.daemon.config):
            assert denied(secret)


def test_a_guard_that_is_stopped_lets_go() -> None:
    with housed() as house:
        secret = house.write("secret.txt", CLASSIFIED)
        assert denied(secret)
        house.guard.process.terminate()
        assert house.guard.process.wait(timeout=20) == 0
        assert not denied(secret)
        assert house.daemon.metric('dlp_guard_connected{duty="deny-open"}') == 0
        assert "guard gone" in house.daemon.log


def test_a_burst_of_opens_by_many(house: House) -> None:
    folder = house.share / "burst"
    folder.mkdir()
    for n in range(60):
        (folder / f"{n}.txt").write_text(f"{n}\n{CLASSIFIED if n % 3 == 0 else CLEAN}", "utf-8")
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
    assert (house.share / os.fsdecode(b"\xff.txt")).write_bytes(CLASSIFIED.encode())
    assert denied(house.share / os.fsdecode(b"\xff.txt"))


def test_an_unmount_under_way_holds_nobody() -> None:
    with housed() as house:
        secret = house.write("secret.txt", CLASSIFIED)
        house.daemon.process.send_signal(signal.SIGSTOP)
        reader = subprocess.Popen(["cat", secret], stderr=subprocess.PIPE)
        subprocess.run(["umount", "-l", house.share], check=True, timeout=20)
        assert reader.communicate(timeout=30)[1] != b""
        house.daemon.process.send_signal(signal.SIGCONT)
        subprocess.run(["mount", "-o", "loop", house.daemon.folder / "share.img", house.share], check=True)
        eventually(lambda: denied(secret))  # marked again


def orphans(config: Path) -> list[int]:
    """The processes that answer opens for this configuration."""
    state = str(config.parent / "state").encode()
    found = [path for path in Path("/proc").glob("[0-9]*/cmdline") if b"dlp.opens" in content(path) and state in content(path)]
    return [int(path.parent.name) for path in found]


def content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""


def state_of(process: int) -> str:
    return content(Path(f"/proc/{process}/stat")).rpartition(b")")[2].split()[0].decode()
