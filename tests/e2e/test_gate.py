"""Drives at strength `gate`, with the real daemon and the real guard: what is classified never reaches the drive."""

import os
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.helpers.daemon import Daemon, configure, eventually, started
from tests.helpers.gate import image, looped
from tests.helpers.guard import Guard, children, guarding

pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root"),
    pytest.mark.xdist_group("gate"),
]

SECRET = "机密★5年\n\n关于下一步工作安排的通知\n\n各有关单位：\n请遵照执行。\n"


@pytest.fixture(scope="module")
def drive(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Daemon, Guard, Path, Path]]:
    """A daemon, a guard, the point where the drive is seen, and the image behind it."""
    folder = tmp_path_factory.mktemp("gate")
    made = image(folder / "drive.img")
    subprocess.run(["tune2fs", "-L", "红 stick;1", made], check=True, capture_output=True)
    with looped(made) as device, tempfile.TemporaryDirectory() as open_to_all:
        os.chmod(open_to_all, 0o755)
        root = Path(open_to_all) / "media" / "dlp"
        extra = f'[usb]\nstrength = "gate"\ndevices = ["{device}"]\ngate_root = "{root}"\nmounts = ["{root}/*"]\n'
        config = configure(folder, extra=extra)
        with started(config) as daemon, guarding(config) as guard:
            (point,) = eventually(lambda: [one for one in root.iterdir() if os.path.ismount(one)])
            os.chmod(point, 0o777)
            yield daemon, guard, point, made
        assert list(root.iterdir()) == [], "a guard that ends takes its mount points away"


def raw(made: Path) -> bytes:
    os.sync()
    return made.read_bytes()


def test_a_classified_copy_fails_is_held_and_may_be_released(drive: tuple[Daemon, Guard, Path, Path], tmp_path: Path) -> None:
    daemon, _, point, made = drive
    (tmp_path / "plan.txt").write_text(SECRET, "utf-8")
    done = subprocess.run(["cp", tmp_path / "plan.txt", point], capture_output=True, text=True)
    assert done.returncode and "Permission denied" in done.stderr
    eventually(lambda: not (point / "plan.txt").exists())
    assert SECRET.encode() not in raw(made)
    (incident,) = daemon.json("incidents", "list")
    assert incident["action"] == "block" and incident["enforced"] and incident["state"] == "closed"
    assert incident["origin"]["path"] == str(point / "plan.txt") and incident["origin"]["volume"] == str(point)
    assert incident["id"] in (point / "DLP-REFUSED.txt").read_text("utf-8")
    released = daemon.dlp("quarantine", "release", incident["quarantine"])
    assert released.returncode == 0, released.stderr
    assert (point / "plan.txt").read_text("utf-8") == SECRET
    assert SECRET.encode() in raw(made)


def test_a_user_writes_as_himself(drive: tuple[Daemon, Guard, Path, Path]) -> None:
    daemon, _, point, _ = drive

    def write(name: str, text: str) -> int:
        command = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "tee", str(point / name)]
        return subprocess.run(command, input=text.encode(), capture_output=True).returncode

    assert write("mine.txt", "Lunch is at noon.\n") == 0
    assert ((point / "mine.txt").stat().st_uid, (point / "mine.txt").stat().st_gid) == (65534, 65534)
    write("theirs.txt", SECRET)
    eventually(lambda: not (point / "theirs.txt").exists())
    assert daemon.json("incidents", "list")[-1]["origin"]["owner"] == "nobody"
    (point / "root-only").write_text("x")
    assert write("root-only", "y") != 0


def test_a_clean_copy_is_the_same_byte_for_byte(drive: tuple[Daemon, Guard, Path, Path], tmp_path: Path) -> None:
    daemon, _, point, _ = drive
    before = daemon.metric('dlp_gate_commits_total{result="committed"}')
    (tmp_path / "clean.txt").write_text("Lunch is at noon.\n" * 999)
    subprocess.run(["cp", "-p", tmp_path / "clean.txt", point], check=True)
    assert (point / "clean.txt").read_bytes() == (tmp_path / "clean.txt").read_bytes()
    assert (point / "clean.txt").stat().st_mtime_ns == (tmp_path / "clean.txt").stat().st_mtime_ns
    assert daemon.metric('dlp_gate_commits_total{result="committed"}') == before + 1
    assert daemon.metric("dlp_gate_drives") == 1
    assert daemon.metric('dlp_guard_connected{duty="gate"}') == 1


def test_a_name_is_judged_too(drive: tuple[Daemon, Guard, Path, Path]) -> None:
    _, _, point, made = drive
    name = "机密★5年 年度计划"
    (point / "harmless.txt").write_text("nothing\n")
    for step in (lambda: (point / name).mkdir(), lambda: (point / "harmless.txt").rename(point / name)):
        with pytest.raises(PermissionError):
            step()
    assert (point / "harmless.txt").read_text() == "nothing\n"
    assert name.encode() not in raw(made)


def test_a_gate_that_is_killed_leaves_a_closed_mount_point_and_stands_again(drive: tuple[Daemon, Guard, Path, Path]) -> None:
    _, guard, point, _ = drive
    (point / "before.txt").write_text("kept\n")
    (gate,) = children(guard.process.pid)
    os.kill(gate, 9)
    eventually(lambda: children(guard.process.pid) not in ([], [gate]) and os.path.ismount(point))
    assert (point / "before.txt").read_text() == "kept\n"


def test_a_daemon_that_is_gone_means_that_nothing_is_written(drive: tuple[Daemon, Guard, Path, Path]) -> None:
    """The last of these tests: the daemon does not come back."""
    daemon, _, point, made = drive
    daemon.kill()
    with pytest.raises(OSError, match="Input/output error"), (point / "late.txt").open("w") as out:
        out.write("harmless, and nobody to say so\n")
    eventually(lambda: not (point / "late.txt").exists())
    assert b"nobody to say so" not in raw(made)
