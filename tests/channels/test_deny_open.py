"""Strength `deny-open`: a real guard on a real file system, what answers it in small; deaths and stops of every part."""

import contextlib
import errno
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.helpers.daemon import CHECKOUT, eventually
from tests.helpers.guard import Guard, denied, guarding, mounted

pytestmark = [pytest.mark.root, pytest.mark.skipif(os.geteuid() != 0, reason="mounting and fanotify need root")]

MARKED, CLEAN = b"TOP SECRET", b"nothing of note"
PATIENCE = 0.5

TOML = """
state = "state"
[share]
paths = ["share"]
strength = "deny-open"
on_error = "{on_error}"
on_error_seconds = {seconds}
[usb]
mounts = ["{folder}/media/*"]
strength = "deny-open"
"""


@contextlib.contextmanager
def answering(state: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A daemon in small."""
    command = [sys.executable, "-m", "tests.channels.ask_house", str(state)]
    process = subprocess.Popen(command, cwd=CHECKOUT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        yield process
    finally:
        process.kill()
        process.wait()
        if process.stdout is not None:
            process.stdout.close()


@dataclass
class House:
    config: Path
    daemon: subprocess.Popen[bytes]
    guard: Guard
    share: Path

    def write(self, name: str, content: bytes) -> Path:
        file = self.share / name
        file.write_bytes(content)
        return file


@contextlib.contextmanager
def housed(folder: Path, on_error: str = "deny") -> Iterator[House]:
    (folder / "state").mkdir()
    config = folder / "dlp.toml"
    config.write_text(TOML.format(folder=folder, on_error=on_error, seconds=PATIENCE), "utf-8")
    with (
        mounted(folder / "share.img", folder / "share") as share,
        answering(folder / "state") as daemon,
        guarding(config) as guard,
    ):
        yield House(config, daemon, guard, share)


def test_file_systems_come_and_go_and_what_is_known_is_forgotten(tmp_path: Path) -> None:
    with housed(tmp_path) as house:
        _a_new_basis_forgets(house)
        _a_path_longer_than_the_kernel_tells(house)
        _an_overlay_in_a_user_name_space_is_no_way_around(house, tmp_path)
        _a_drive_is_guarded_when_it_is_mounted(house, tmp_path)
        _an_unmount_under_way_holds_nobody(house, tmp_path)
        house.guard.process.terminate()
        assert house.guard.process.wait(timeout=20) == 0
        assert not denied(house.share / "secret.txt")  # it let go


def _a_new_basis_forgets(house: House) -> None:
    """What was denied, and what the kernel was told to pass over."""
    one, other = house.write("one.txt", MARKED), house.write("other.txt", b"BETTER KNOWN")
    time.sleep(0.1)  # older than what is too fresh to be remembered
    for _ in range(3):
        assert denied(one)
        assert not denied(other)
    house.daemon.send_signal(signal.SIGHUP)
    eventually(lambda: denied(other) and not denied(one))
    house.daemon.send_signal(signal.SIGHUP)
    eventually(lambda: denied(one) and not denied(other))


def _a_path_longer_than_the_kernel_tells(house: House) -> None:
    here, name = os.open(house.share, os.O_RDONLY), "d" * 250
    for _ in range(20):
        os.mkdir(name, dir_fd=here)
        below = os.open(name, os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = below
    file = os.open("secret", os.O_CREAT | os.O_WRONLY, dir_fd=here)
    os.write(file, MARKED)
    os.close(file)
    answerer = house.guard.answerer
    with pytest.raises(PermissionError):
        os.open("secret", os.O_RDONLY, dir_fd=here)
    os.close(here)
    assert house.guard.answerer == answerer


def _an_overlay_in_a_user_name_space_is_no_way_around(house: House, folder: Path) -> None:
    """Which any user may make, where user name spaces are allowed."""
    house.write("under.txt", MARKED)
    (folder / "over").mkdir()
    lines = (
        "mount -t tmpfs none over && mkdir over/u over/w over/m",
        "mount -t overlay -o lowerdir=share,upperdir=over/u,workdir=over/w none over/m",
        "echo mounted; cat over/m/under.txt",
    )
    script = "\n".join(lines)
    done = subprocess.run(["unshare", "-Urm", "sh", "-c", script], capture_output=True, cwd=folder)
    if b"mounted" in done.stdout and b"mount:" not in done.stderr:
        assert done.stdout == b"mounted\n"
        assert os.strerror(errno.EPERM).encode() in done.stderr


def _a_drive_is_guarded_when_it_is_mounted(house: House, folder: Path) -> None:
    """And one that is only a folder of the system, bound there, is not."""
    (folder / "media" / "bound").mkdir(parents=True)
    (folder / "secret.txt").write_bytes(MARKED)
    with mounted(folder / "stick.img", folder / "media" / "stick") as stick:
        (stick / "secret.txt").write_bytes(MARKED)
        eventually(lambda: denied(stick / "secret.txt"))
        subprocess.run(["mount", "--bind", folder, folder / "media" / "bound"], check=True)
        try:
            eventually(lambda: "is on the file system that holds" in house.guard.log)
            assert not denied(folder / "media" / "bound" / "secret.txt")
        finally:
            subprocess.run(["umount", folder / "media" / "bound"], check=True)
        subprocess.run(["umount", stick], check=True)  # nothing keeps it


def _an_unmount_under_way_holds_nobody(house: House, folder: Path) -> None:
    secret = house.write("secret.txt", MARKED)
    house.daemon.send_signal(signal.SIGSTOP)
    reader = subprocess.Popen(["cat", secret], stderr=subprocess.PIPE)
    subprocess.run(["umount", "-l", house.share], check=True, timeout=20)
    assert reader.communicate(timeout=30)[1] != b""
    house.daemon.send_signal(signal.SIGCONT)
    subprocess.run(["mount", "-o", "loop", folder / "share.img", house.share], check=True)
    eventually(lambda: denied(secret))  # marked again


@pytest.mark.parametrize("on_error", ["deny", "allow"])
def test_a_daemon_that_is_stopped_or_dead(tmp_path: Path, on_error: str) -> None:
    with housed(tmp_path, on_error) as house:
        judged, secret, fresh = (house.write(name, text) for name, text in (("j", CLEAN), ("s", MARKED), ("f", CLEAN)))
        time.sleep(0.1)
        assert not denied(judged)
        assert denied(house.write("failing", b"FAIL")) is (on_error == "deny")
        house.daemon.send_signal(signal.SIGSTOP)
        began = time.monotonic()
        assert denied(fresh) is (on_error == "deny")
        assert denied(secret) is (on_error == "deny")
        assert time.monotonic() - began >= 2 * PATIENCE
        assert not denied(judged)  # known to the kernel
        house.daemon.send_signal(signal.SIGCONT)
        eventually(lambda: denied(secret) and not denied(fresh))
        house.daemon.kill()
        house.daemon.wait()
        fresh.write_bytes(CLEAN + CLEAN)
        assert denied(fresh) is (on_error == "deny")
        assert not denied(judged)
        with answering(tmp_path / "state"):
            eventually(lambda: denied(secret) and not denied(fresh))


def test_either_part_of_a_guard_dies(tmp_path: Path) -> None:
    with housed(tmp_path) as house:
        secret, answerer = house.write("secret.txt", MARKED), house.guard.answerer
        assert denied(secret)
        os.kill(answerer, signal.SIGKILL)
        assert all(denied(secret) for _ in range(3))
        eventually(lambda: house.guard.answerer not in (0, answerer))
        answerer = house.guard.answerer
        house.guard.process.kill()
        house.guard.process.wait()
        assert denied(secret)
        os.kill(answerer, signal.SIGKILL)
        eventually(lambda: ended(answerer))
        assert not denied(secret)  # the kernel allows, once nobody holds the descriptor
        with guarding(house.config):
            assert denied(secret)


@pytest.mark.long
def test_what_answers_hangs_and_the_next_guard_takes_over(tmp_path: Path) -> None:
    with housed(tmp_path) as house:
        secret, answerer = house.write("secret.txt", MARKED), house.guard.answerer
        os.kill(answerer, signal.SIGSTOP)
        assert denied(secret)  # the guard ends it, and begins the next one
        eventually(lambda: house.guard.answerer not in (0, answerer))
        answerer = house.guard.answerer
        house.guard.process.kill()
        house.guard.process.wait()
        with guarding(house.config):
            eventually(lambda: ended(answerer))  # another stands
            assert denied(secret)


def ended(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_bytes().rpartition(b")")[2].split()[0] == b"Z"
    except FileNotFoundError:
        return True
