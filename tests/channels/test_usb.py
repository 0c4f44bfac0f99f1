"""Channel `usb` on real file systems: loop-mounted images that come and go."""

import contextlib
import os
import subprocess
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from dlp.channels import mounts
from dlp.channels.usb import UsbChannel, UsbSettings
from dlp.errors import ConfigError
from dlp.model import Channel, FileOrigin
from dlp.settings import check
from tests.channels.folders import MARK, Bench, Custody, until

pytestmark = [pytest.mark.root, pytest.mark.skipif(os.geteuid() != 0, reason="mounting needs root")]


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(Custody(tmp_path / "custody"))


@pytest.fixture
def point(tmp_path: Path) -> Iterator[Path]:
    """A mount point that the pattern of `usb` matches; unmounted at the end."""
    folder = tmp_path / "media" / "user" / "stick"
    folder.mkdir(parents=True)
    yield folder
    subprocess.run(["umount", "-l", folder], check=False, capture_output=True)


@pytest.fixture
def image(tmp_path: Path) -> Path:
    file = tmp_path / "stick.img"
    with file.open("wb") as out:
        out.truncate(8 << 20)
    subprocess.run(["mkfs.ext4", "-q", file], check=True)
    return file


def mount(image: Path, point: Path, *options: str) -> None:
    subprocess.run(["mount", "-o", ",".join(["loop", *options]), image, point], check=True)


def unmount(point: Path) -> None:
    """As a user would: no force, so anything that keeps the drive busy shows."""
    subprocess.run(["umount", point], check=True)


@contextlib.asynccontextmanager
async def usb(bench: Bench, point: Path, **more: Any) -> AsyncIterator[UsbChannel]:
    pattern = str(point.parent.parent / "*" / "*")
    channel = UsbChannel(UsbSettings(mounts=(pattern,), settle_seconds=0.05), bench.ports(), **more)
    await channel.start()
    try:
        await channel.settled()
        yield channel
    finally:
        await channel.stop()


async def test_a_marked_file_on_a_drive_goes_into_custody(bench: Bench, image: Path, point: Path) -> None:
    async with usb(bench, point) as channel:
        assert channel.drives == []
        mount(image, point)
        await until(lambda: channel.drives == [str(point)])
        (point / "plan.txt").write_bytes(MARK)
        (point / "menu.txt").write_bytes(b"clean")
        await until(lambda: bool(bench.custody.contents()))
        await channel.settled()
        assert sorted(name for name in os.listdir(point) if name != "lost+found") == ["menu.txt", "plan.txt.dlp.txt"]
        unmount(point)
        await until(lambda: channel.drives == [])
    (item,) = [item for item in bench.judged if item.name == "plan.txt"]
    assert item.channel is Channel.USB
    assert isinstance(item.origin, FileOrigin)
    assert item.origin.volume == str(point)
    assert item.origin.device.startswith("7:")


async def test_what_was_on_the_drive_before_is_judged(bench: Bench, image: Path, point: Path) -> None:
    mount(image, point)
    (point / "old.txt").write_bytes(MARK)
    async with usb(bench, point):
        pass
    assert bench.custody.contents() == [MARK]


async def test_a_drive_that_comes_back_is_watched_again(bench: Bench, image: Path, point: Path) -> None:
    async with usb(bench, point) as channel:
        for n in range(3):
            mount(image, point)
            await until(lambda: channel.drives == [str(point)])
            (point / f"{n}.txt").write_bytes(b"%d" % n)
            await until(lambda n=n: str(point / f"{n}.txt") in bench.paths)  # type: ignore[misc]
            await channel.settled()
            unmount(point)
            await until(lambda: channel.drives == [])
        await until(lambda: bench.metric("dlp_watch_directories", state="watched") == 0)


async def test_the_bare_mount_point_is_not_the_drive(bench: Bench, image: Path, point: Path) -> None:
    async with usb(bench, point) as channel:
        mount(image, point)
        await until(lambda: channel.drives == [str(point)])
        await channel.settled()
        unmount(point)
        (point / "in the mount point.txt").write_bytes(MARK)
        channel.recheck()
        await until(lambda: channel.drives == [])
    assert bench.judged == []


async def test_pulled_while_files_are_copied(bench: Bench, image: Path, point: Path) -> None:
    """A lazy unmount takes the drive away under the walk; nothing hangs, and nothing but the drive's own is judged."""
    async with usb(bench, point) as channel:
        mount(image, point)
        for n in range(300):
            (point / f"{n}.txt").write_bytes(MARK + b"%d" % n)
        subprocess.run(["umount", "-l", point], check=True)
        await until(lambda: channel.drives == [])
    mount(image, point)
    left = {path.read_bytes() for path in point.glob("*.txt") if not path.name.endswith(".dlp.txt")}
    assert left | set(bench.custody.contents()) >= {MARK + b"%d" % n for n in range(300)}


async def test_a_read_only_drive_is_passed_over(bench: Bench, image: Path, point: Path) -> None:
    mount(image, point)
    (point / "old.txt").write_bytes(MARK)
    unmount(point)
    mount(image, point, "ro")
    async with usb(bench, point) as channel:
        assert channel.drives == []
    assert bench.judged == []


async def test_a_full_drive_loses_nothing_and_still_gives_up_what_is_marked(bench: Bench, image: Path, point: Path) -> None:
    mount(image, point)
    (point / "plan.txt").write_bytes(MARK)
    with contextlib.suppress(OSError), (point / "filler.bin").open("wb") as filler:
        while True:
            filler.write(bytes(65536))
    async with usb(bench, point):
        pass
    assert not (point / "plan.txt").exists()
    assert MARK in bench.custody.contents()


async def test_a_device_the_kernel_calls_removable_needs_no_pattern(
    bench: Bench, image: Path, point: Path, tmp_path: Path
) -> None:
    mount(image, point)
    found = mounts.current()[str(point)]
    disk = tmp_path / "sys" / "devices" / "sdz"
    disk.mkdir(parents=True)
    (disk / "removable").write_text("1\n")
    (disk / "serial").write_text("ABC123\n")
    (tmp_path / "sys" / "dev" / "block").mkdir(parents=True)
    (tmp_path / "sys" / "dev" / "block" / f"{found.major}:{found.minor}").symlink_to(disk)
    (point / "a.txt").write_bytes(b"x")
    elsewhere = tmp_path / "a" / "b" / "c"
    async with usb(bench, elsewhere, sysfs=tmp_path / "sys") as channel:
        assert channel.drives == [str(point)]
    assert [item.origin.device for item in bench.judged if isinstance(item.origin, FileOrigin)] == ["ABC123"]


async def test_on_fat_a_path_stands_for_the_inode_and_no_mount_believes_another(
    bench: Bench, image: Path, point: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The kernel of the tests may lack FAT; what is asked of it here is only how the journal names versions.
    monkeypatch.setattr(mounts, "filesystem", lambda device: "vfat")
    mount(image, point)
    (point / "a.txt").write_bytes(b"x")
    for rounds in (1, 2):
        async with usb(bench, point) as channel:
            channel.recheck()
            await channel.settled()
        assert len(bench.judged) == rounds
    assert {(version.path, version.inode) for version in bench.journal.versions} == {(str(point / "a.txt"), 0)}


def test_patterns_are_absolute() -> None:
    with pytest.raises(ConfigError, match="absolute"):
        check({"mounts": ["media/*"]}, UsbSettings, where="x")
