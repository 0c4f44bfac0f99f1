"""What `dlp check` says of the strength `gate`."""

from pathlib import Path

import pytest

from dlp.channels.mounts import Drive, Mount
from dlp.cli import check_gate
from dlp.config import Configuration, load_configuration
from tests.helpers.daemon import configure


def loaded(folder: Path, strength: str) -> Configuration:
    return load_configuration(configure(folder, extra=f'[usb]\nstrength = "{strength}"\n'))


@pytest.fixture
def whole(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine that has everything, and no drive."""
    monkeypatch.setattr(check_gate, "library_lacks", lambda: "")
    monkeypatch.setattr(check_gate, "kernel_lacks", lambda: "")
    monkeypatch.setattr(check_gate.shutil, "which", lambda name, path: f"/sbin/{name}")
    monkeypatch.setattr(check_gate.mounts, "current", dict)


@pytest.mark.usefixtures("whole")
def test_nothing_where_all_is_there(tmp_path: Path) -> None:
    assert list(check_gate.gate(loaded(tmp_path, "gate"))) == []


@pytest.mark.usefixtures("whole")
def test_what_is_missing_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(check_gate, "library_lacks", lambda: "libfuse 3 is not installed (Debian: libfuse3-3)")
    monkeypatch.setattr(check_gate, "kernel_lacks", lambda: "fsopen(2), of Linux 5.2")
    monkeypatch.setattr(check_gate.shutil, "which", lambda name, path: None)
    faults = list(map(str, check_gate.gate(loaded(tmp_path, "gate"))))
    assert len(faults) == 3 and all("usb.strength" in fault for fault in faults)
    assert "fsopen" in faults[0] and "libfuse3-3" in faults[1] and "util-linux" in faults[2]
    assert list(check_gate.gate(loaded(tmp_path, "detect"))) == []


@pytest.mark.usefixtures("whole")
def test_a_drive_that_is_mounted_already_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def mount(path: str, filesystem: str) -> Mount:
        return Mount(id=1, major=8, minor=17, path=path, read_only=False, filesystem=filesystem, source="/dev/sdb1")

    table = {one.path: one for one in (mount("/mnt/stick", "vfat"), mount("/media/dlp/S", "fuse.dlp-gate"), mount("/", "ext4"))}
    monkeypatch.setattr(check_gate.mounts, "current", lambda: table)
    monkeypatch.setattr(check_gate.mounts, "drive", lambda *numbers: Drive(removable=True))
    assert [fault.where for fault in check_gate.gate(loaded(tmp_path, "gate"))] == ["/mnt/stick"]
