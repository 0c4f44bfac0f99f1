"""What may be guarded: a file system that nobody who has to answer needs."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from dlp.channels import mounts
from dlp.channels.deny_open_check import fault_of, kernel_lacks, not_dedicated, numbers
from dlp.channels.fanotify import Group
from dlp.channels.mounts import Mount
from tests.cli.conftest import Dlp, dlp
from tests.helpers.daemon import configure
from tests.helpers.guard import mounted

__all__ = ["dlp"]


def mount(path: str, minor: int) -> Mount:
    return Mount(id=minor, major=8, minor=minor, path=path, read_only=False, filesystem="ext4", source="/dev/sda")


def test_subvolumes_of_one_file_system_are_one() -> None:
    """btrfs gives each another st_dev; the mount table has the file system's."""
    table = {one.path: one for one in (mount("/", 1), mount("/home", 1), mount("/export", 2))}
    assert numbers("/home/ann/plans", table) == numbers("/", table) == (8, 1)
    assert numbers("/export/team", table) == (8, 2)
    (fault,) = not_dedicated("/home/ann", "share.paths", Path("/export/state"), table)
    assert "the system (/)" in fault.what
    assert list(not_dedicated("/export/team", "share.paths", Path("/home/state"), table)) == []


def test_the_system_the_state_and_the_program_are_named(tmp_path: Path) -> None:
    (fault,) = not_dedicated(str(tmp_path), "share.paths", tmp_path / "state")
    assert (fault.where, fault.key) == (str(tmp_path), "share.paths")
    assert "a file system of its own" in fault.remedy
    table = {one.path: one for one in (mount("/", 1), mount(str(tmp_path), 2))}
    (fault,) = not_dedicated(str(tmp_path), "share.paths", tmp_path / "state", table)
    assert fault.what.startswith("is on the file system that holds the daemon's state")


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Path]:
    with mounted(tmp_path / "image", tmp_path / "share") as share:
        yield share


@pytest.mark.root
@pytest.mark.skipif(os.geteuid() != 0, reason="mounting needs root")
def test_a_file_system_of_its_own_may_be_guarded_and_a_bind_mount_is_none(own: Path, tmp_path: Path) -> None:
    assert list(not_dedicated(str(own), "share.paths", tmp_path / "state")) == []
    bound = tmp_path / "bound"
    bound.mkdir()
    subprocess.run(["mount", "--bind", tmp_path, bound], check=True)
    try:
        assert str(bound) in mounts.current()
        assert len(list(not_dedicated(str(bound), "share.paths", tmp_path / "state"))) == 1
    finally:
        subprocess.run(["umount", bound], check=True)


@pytest.mark.root
@pytest.mark.skipif(os.geteuid() != 0, reason="mounting needs root")
def test_what_is_judged_is_the_folder_that_is_marked_and_not_its_path(own: Path, tmp_path: Path) -> None:
    """A drive that is pulled between the look and the mark leaves its mount point, on the file system of the system."""

    def fault() -> str:
        found = fault_of(folder, str(own), "usb.strength", tmp_path / "state", mounts.current())
        return "" if found is None else found.what

    folder = os.open(own, os.O_PATH)
    assert fault() == ""
    subprocess.run(["umount", "-l", own], check=True)
    assert fault() == "is not mounted any more"
    os.close(folder)
    folder = os.open(own, os.O_PATH)
    assert "holds the system" in fault()
    os.close(folder)


def test_a_kernel_without_permission_events(monkeypatch: pytest.MonkeyPatch) -> None:
    """Which no kernel of the tests is: fanotify_init(2) answers EINVAL there."""

    def refuse() -> Group:
        raise OSError(22, "Invalid argument")

    monkeypatch.setattr(Group, "make", refuse)
    (fault,) = kernel_lacks("share.strength")
    assert (fault.where, fault.key) == ("kernel", "share.strength")


def test_check_names_what_is_not_there(dlp: Dlp, tmp_path: Path) -> None:
    config = configure(tmp_path)
    config.write_text(config.read_text("utf-8").replace("settle_seconds = 0.2", 'strength = "deny-open"'), "utf-8")
    done = dlp("check", "--json", config=config)
    assert done.status == 2
    assert [(row["where"], row["key"]) for row in done.rows] == [(str(tmp_path / "share"), "share.paths")]
    done = dlp("guard", config=config)
    assert done.status == 2


@pytest.mark.root
@pytest.mark.skipif(os.geteuid() != 0, reason="mounting needs root")
def test_check_warns_of_a_guard_that_is_not_there_yet(own: Path, dlp: Dlp, tmp_path: Path) -> None:
    config = configure(tmp_path)
    config.write_text(config.read_text("utf-8").replace("settle_seconds = 0.2", 'strength = "deny-open"'), "utf-8")
    done = dlp("check", config=config)
    assert done.status == 0, done.err
    assert "no guard runs, and without one there is no deny-open" in done.out
    assert "systemctl enable --now dlp-guard" in done.out
