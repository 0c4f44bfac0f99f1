"""The mount table and sysfs, as the kernel writes them."""

import asyncio
import os
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlp.channels.mounts import Drive, Mount, MountWatch, current, device, drive, filesystem, parse
from tests.channels.folders import until

LINE = r"36 35 98:0 /mnt1 /media/u/my\040stick\134\011 rw,noatime master:1 - ext3 /dev/disk\040one rw,errors=continue"


def test_a_line_of_proc_5_is_read() -> None:
    (mount,) = parse(LINE)
    assert mount == Mount(
        id=36, major=98, minor=0, path="/media/u/my stick\\\t", read_only=False, filesystem="ext3", source="/dev/disk one"
    )


@pytest.mark.parametrize("line", [LINE.replace("rw,noatime", "ro"), LINE.replace("rw,errors", "ro,errors")])
def test_read_only_by_the_mount_or_by_the_file_system(line: str) -> None:
    assert next(parse(line)).read_only


def test_of_two_mounts_on_one_point_the_upper_one_is_seen(tmp_path: Path) -> None:
    table = tmp_path / "mountinfo"
    table.write_text(f"{LINE}\n{LINE.replace('ext3', 'vfat')}\n")
    assert [mount.filesystem for mount in current(table).values()] == ["vfat"]


@given(st.text())
def test_no_text_upsets_the_parser(text: str) -> None:
    list(parse(text))


@given(st.text(min_size=1).map(lambda text: text.encode("utf-8", "surrogatepass")).map(os.fsdecode))
def test_every_name_comes_back_from_its_escaped_form(name: str) -> None:
    escaped = "".join(f"\\{ord(char):03o}" if char in " \t\n\\" else char for char in name)
    (mount,) = parse(f"1 2 3:4 / /{escaped} rw - ext4 /dev/sda rw\n")
    assert mount.path == f"/{name}"


def test_this_machine_has_a_root() -> None:
    mounts = current()
    assert "/" in mounts
    assert filesystem(os.stat("/proc").st_dev) == "proc"
    assert filesystem(1) == ""


def _disk(sysfs: Path, *, usb: bool, removable: str) -> Path:
    """A sysfs with the disk 8:0 and its partition 8:1, on a USB port behind a host controller, or on none."""
    port = sysfs / "devices" / "pci0" / "usb1" / "1-2"
    disk = port / "host6" / "block" / "sda"
    (disk / "sda1").mkdir(parents=True)
    (disk / "removable").write_text(f"{removable}\n")
    if usb:
        (sysfs / "bus" / "usb").mkdir(parents=True)
        (port / "subsystem").symlink_to(sysfs / "bus" / "usb")
        (port / "idVendor").write_text("0781\n")
        (port.parent / "serial").write_text("0000:00:14.0\n")
    (sysfs / "dev" / "block").mkdir(parents=True)
    (sysfs / "dev" / "block" / "8:1").symlink_to(disk / "sda1")
    return port


def test_a_usb_disk_is_known_by_its_port(tmp_path: Path) -> None:
    port = _disk(tmp_path, usb=True, removable="0")
    (port / "serial").write_text("4C53\n")
    (port / "manufacturer").write_text("SanDisk\n")
    (port / "product").write_text("Ultra\n")
    assert drive(8, 1, tmp_path) == Drive(removable=True, serial="4C53", vendor="SanDisk", model="Ultra")


def test_a_usb_disk_without_a_serial_does_not_borrow_the_controllers(tmp_path: Path) -> None:
    _disk(tmp_path, usb=True, removable="0")
    assert drive(8, 1, tmp_path) == Drive(removable=True)


@pytest.mark.parametrize(("flag", "removable"), [("1", True), ("0", False)])
def test_a_disk_that_is_not_on_usb_speaks_for_itself(tmp_path: Path, flag: str, removable: bool) -> None:
    _disk(tmp_path, usb=False, removable=flag)
    assert drive(8, 1, tmp_path) == Drive(removable=removable)


def test_no_device_is_no_drive(tmp_path: Path) -> None:
    assert drive(0, 99, tmp_path) == Drive(removable=False)


def test_a_file_system_with_numbers_of_its_own_is_followed_to_its_device() -> None:
    (mount,) = parse("1 2 0:44 / /media/u/x rw - btrfs /dev/null rw")
    assert device(mount) == (1, 3)
    (mount,) = parse("1 2 0:44 / /media/u/x rw - tmpfs tmpfs rw")
    assert device(mount) == (0, 44)


@pytest.mark.root
@pytest.mark.skipif(os.geteuid() != 0, reason="mounting needs root")
async def test_each_mount_and_unmount_is_told(tmp_path: Path) -> None:
    told: list[bool] = []
    watch = MountWatch(lambda: told.append(str(tmp_path) in current()))
    try:
        for n in range(10):
            await asyncio.to_thread(subprocess.run, ["mount", "-t", "tmpfs", "none", tmp_path], check=True)
            await until(lambda: told[-1:] == [True])
            await asyncio.to_thread(subprocess.run, ["umount", tmp_path], check=True)
            await until(lambda: told[-1:] == [False])
            assert len(told) < 10 * (n + 1), "the table is quiet, but we are told of changes"
    finally:
        watch.close()
