"""Which block devices are drives, and what is on them."""

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlp.channels.block import Device, FileSystem, devices, mounted, options, parse
from dlp.channels.mounts import Drive


def disk(sysfs: Path, name: str, number: str, *, removable: int = 1, size: int = 2048, parts: tuple[str, ...] = ()) -> Path:
    """A disk, its partitions, and the links to them, as the kernel has them."""
    folder = sysfs / "devices" / "usb1" / "block" / name
    for place, dev, extra in [
        (folder, number, {}),
        *((folder / part, f"8:{17 + i}", {"partition": "1"}) for i, part in enumerate(parts)),
    ]:
        place.mkdir(parents=True)
        facts = {"dev": dev, "size": str(size), "ro": "0", **extra}
        if place == folder:
            facts |= {"removable": str(removable), "diskseq": "7"}
        for key, value in facts.items():
            (place / key).write_text(value + "\n")
        (place / "holders").mkdir()
        (sysfs / "class" / "block").mkdir(parents=True, exist_ok=True)
        (sysfs / "dev" / "block").mkdir(parents=True, exist_ok=True)
        (sysfs / "class" / "block" / place.name).symlink_to(place)
        (sysfs / "dev" / "block" / dev).symlink_to(place)
    return folder


def names(sysfs: Path, *patterns: str) -> list[str]:
    return [one.name for one in devices(patterns, sysfs=sysfs)]


def test_removable_disks_and_partitions(tmp_path: Path) -> None:
    disk(tmp_path, "sdb", "8:16", parts=("sdb1", "sdb2"))
    disk(tmp_path, "sdc", "8:32")
    disk(tmp_path, "sdd", "8:48", size=0)  # a reader without a card
    disk(tmp_path, "vda", "254:0", removable=0)
    assert names(tmp_path) == ["sdb1", "sdb2", "sdc"], "of a disk with partitions these count"
    assert names(tmp_path, "/dev/vd*") == ["sdb1", "sdb2", "sdc", "vda"]
    (one, *_) = devices([], sysfs=tmp_path)
    assert (one.node, one.major, one.minor, one.sequence, one.size, one.read_only) == ("/dev/sdb1", 8, 17, 7, 1 << 20, False)
    assert one.told_as == "8:17"


def test_what_is_part_of_something_else_is_none(tmp_path: Path) -> None:
    (disk(tmp_path, "sdb", "8:16") / "holders" / "dm-0").mkdir()
    assert names(tmp_path) == []


def test_where_it_is_mounted(tmp_path: Path) -> None:
    table = tmp_path / "mountinfo"
    table.write_text("22 1 8:17 / /mnt/stick rw - vfat /dev/sdb1 rw\n")
    assert mounted(device("sdb1", 17), table) == "/mnt/stick"
    assert mounted(device("sdb2", 18), table) == ""


def device(name: str = "sdb1", minor: int = 17, serial: str = "") -> Device:
    hardware = Drive(removable=True, serial=serial)
    return Device(name=name, major=8, minor=minor, sequence=7, size=1 << 20, read_only=False, hardware=hardware)


def test_what_blkid_says() -> None:
    said = "ID_FS_LABEL=my_stick\nID_FS_LABEL_ENC=my\\x20stick\\xe7\\xba\\xa2\nID_FS_UUID=1234-ABCD\nID_FS_TYPE=vfat\n"
    assert parse(said) == FileSystem(type="vfat", label="my stick红", uuid="1234-ABCD")
    assert parse("ID_FS_TYPE=ntfs\n") == FileSystem(type="ntfs3")
    for other in ("", "ID_PART_TABLE_TYPE=dos\n", "ID_FS_TYPE=crypto_LUKS\nID_FS_USAGE=crypto\n", "ID_FS_TYPE=btrfs\n"):
        assert parse(other) is None


@given(said=st.text(), label=st.text(), serial=st.text())
def test_nothing_it_says_makes_a_bad_mount_point(said: str, label: str, serial: str) -> None:
    parse(said)
    name = FileSystem(type="vfat", label=label, uuid="../..").name(device(serial=serial))
    assert re.fullmatch(r"[\w-][\w.-]*", name) and len(name) <= 64


@pytest.mark.parametrize(
    ("label", "serial", "uuid", "name"),
    [("红 stick;1", "S1", "U1", "红_stick_1"), ("..", "S/1", "U1", "S_1"), ("", "", "U1", "U1"), ("", "", "", "sdb1")],
)
def test_the_name_of_a_mount_point(label: str, serial: str, uuid: str, name: str) -> None:
    assert FileSystem(type="ext4", label=label, uuid=uuid).name(device(serial=serial)) == name


def test_whose_the_files_are() -> None:
    vfat = options(FileSystem(type="vfat"), (1000, 1001))
    assert vfat == {"uid": "1000", "gid": "1001", "umask": "0077", "utf8": "1"}
    assert options(FileSystem(type="exfat"), None) == {"uid": "0", "gid": "0", "umask": "0022", "iocharset": "utf8"}
    assert "uid" not in options(FileSystem(type="ext4"), (1000, 1000))
