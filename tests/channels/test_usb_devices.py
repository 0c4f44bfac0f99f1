"""USB devices as sysfs shows them, and which of them are allowed."""

import errno
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlp.channels import usb_devices
from dlp.channels.usb import UsbSettings
from dlp.channels.usb_devices_allow import Entry
from dlp.ports import Sighting
from tests.channels.usb_tree import CONTROLLER, KEYBOARD, STORAGE, VENDOR, UsbTree
from tests.store.items import now


@pytest.fixture
def tree(tmp_path: Path) -> Iterator[UsbTree]:
    made = UsbTree(tmp_path)
    yield made
    made.close()


def test_what_is_plugged_in(tree: UsbTree) -> None:
    tree.plug("1-4.2", STORAGE, KEYBOARD, serial=" A1 ", drivers=["uas"])
    tree.plug("1-5", KEYBOARD)
    stick, keyboard = tree.bus.devices()
    assert (stick.name, stick.vendor, stick.model, stick.serial) == ("1-4.2", "0951", "1666", "A1")
    assert (stick.maker, stick.product) == ("Kingston", "Stick")
    assert [(one.name, one.driver, one.authorised) for one in stick.storage] == [("1-4.2:1.0", "uas", True)]
    assert keyboard.storage == ()
    assert keyboard.serial == ""
    assert tree.bus.controllers() == ["usb1"]
    assert tree.bus.device("1-9") is None


def test_an_interface_of_a_vendors_class_is_storage_once_such_a_driver_has_it(tree: UsbTree) -> None:
    tree.plug("1-1", VENDOR, drivers=["ums-realtek"])
    tree.plug("1-2", VENDOR, drivers=["qcserial"])
    assert [bool(device.storage) for device in tree.bus.devices()] == [True, False]


def test_all_are_authorised_before_one_is_probed(tree: UsbTree, monkeypatch: pytest.MonkeyPatch) -> None:
    tree.bus.default("usb1", authorised=False)
    tree.plug("1-1", VENDOR, VENDOR)
    asked: list[str] = []
    write = usb_devices._write

    def watched(file: Path, value: str) -> None:
        asked.append(file.name)
        write(file, value)

    monkeypatch.setattr(usb_devices, "_write", watched)
    tree.bus.authorise(next(tree.bus.devices()).interfaces)
    assert asked == ["authorized", "authorized", "drivers_probe", "drivers_probe"]
    assert tree.authorised("1-1") == ["1-1:1.0", "1-1:1.1"]
    assert tree.probed == "1-1:1.01-1:1.1"


def test_what_is_refused_and_what_is_gone(tree: UsbTree) -> None:
    tree.plug("1-1", STORAGE, KEYBOARD)
    device = next(tree.bus.devices())
    tree.bus.refuse(device.storage)
    assert tree.authorised("1-1") == ["1-1:1.1"]
    tree.pull("1-1")
    tree.bus.refuse(device.storage)
    tree.bus.authorise(device.interfaces)


def test_a_driver_that_wants_nothing_is_no_fault_and_a_refusal_of_the_kernel_is(
    tree: UsbTree, monkeypatch: pytest.MonkeyPatch
) -> None:
    tree.plug("1-1", KEYBOARD)
    device = next(tree.bus.devices())

    def failing(number: int) -> None:
        def write(*_: object) -> int:
            raise OSError(number, os.strerror(number))

        monkeypatch.setattr(os, "write", write)

    failing(errno.EINVAL)
    tree.bus.authorise(device.interfaces)
    failing(errno.EIO)
    with pytest.raises(OSError, match="Input/output"):
        tree.bus.authorise(device.interfaces)


def test_a_kernel_that_cannot_hold(tree: UsbTree) -> None:
    assert tree.bus.unable() == []
    (tree.names / "usb1" / "interface_authorized_default").unlink()
    assert tree.bus.unable() == ["usb1"]


def test_what_the_machine_runs_from(tree: UsbTree) -> None:
    tree.plug("1-3", STORAGE, serial="ROOT")
    disk = tree.root / CONTROLLER / "usb1/1-3/1-3:1.0/host0/block/sda"
    (disk / "sda1").mkdir(parents=True)
    mapped = tree.root / "devices/virtual/block/dm-0"
    (mapped / "slaves").mkdir(parents=True)
    (mapped / "slaves" / "sda1").symlink_to(disk / "sda1")
    numbers = tree.root / "dev" / "block"
    numbers.mkdir(parents=True)
    (numbers / "8:1").symlink_to(disk / "sda1")
    (numbers / "254:0").symlink_to(mapped)
    assert tree.bus.runs_from() == {"1-3"}
    tree.table.write_text("21 1 254:0 / / rw - ext4 /dev/mapper/root rw\n")
    assert tree.bus.runs_from() == {"1-3"}
    tree.table.write_text("21 1 259:0 / / rw - ext4 /dev/nvme0n1 rw\n30 21 8:1 / /media/x rw - vfat /dev/sda1 rw\n")
    assert tree.bus.runs_from() == frozenset()


def claims(serial: str, ids: str = "0951:1666") -> Sighting:
    vendor, _, model = ids.partition(":")
    return Sighting(time=now(), decision="refused", vendor=vendor, model=model, serial=serial)


@pytest.mark.parametrize(
    ("entry", "serial", "ids", "covered"),
    [
        ("A1", "A1", "0951:1666", True),
        ("A1", "a1", "0951:1666", False),
        ("0951:1666:A1", "A1", "0951:1666", True),
        ("0951:1666:A1", "A1", "0951:1667", False),
        ("ABCD:00EF:A1", "A1", "abcd:00ef", True),
        ("0951:1666:", "", "0951:1666", True),
        ("0951:1666:", "A1", "0951:1666", False),
        ("A1", "", "0951:1666", False),
        ("a:b:c", "a:b:c", "0951:1666", True),
    ],
)
def test_what_an_entry_covers(entry: str, serial: str, ids: str, *, covered: bool) -> None:
    assert Entry.parse(entry).covers(claims(serial, ids)) is covered


@pytest.mark.parametrize("entry", ["", "  ", "a\nb", "x" * 301])
def test_what_is_no_entry(entry: str) -> None:
    with pytest.raises(ValueError, match="neither a serial"):
        Entry.parse(entry)
    with pytest.raises(ValueError, match="neither a serial"):
        UsbSettings(allow=(entry,))


@given(st.text(max_size=60))
def test_an_entry_reads_as_it_is_written(text: str) -> None:
    try:
        entry = Entry.parse(text)
    except ValueError:
        return
    assert Entry.parse(str(entry)) == entry


def test_the_real_sysfs_can_be_read() -> None:
    bus = usb_devices.Bus()
    assert [device.name for device in bus.devices()] == [device.name for device in bus.devices()]
    assert isinstance(bus.runs_from(), frozenset)
