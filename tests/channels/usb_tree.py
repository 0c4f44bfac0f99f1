"""A made sysfs with USB devices, and what the kernel would do in it."""

import os
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

from dlp.channels.uevents import Uevent
from dlp.channels.usb_devices import Bus

KEYBOARD, HUB, STORAGE, VENDOR = "03", "09", "08", "ff"
CONTROLLER = "devices/pci0000:00/0000:00:14.0"


class UsbTree:
    """`root` is the sysfs, `table` the mount table; `probed` what was offered to drivers since it was last asked."""

    def __init__(self, folder: Path) -> None:
        self.root, self.table = folder / "sys", folder / "mountinfo"
        self.names = self.root / "bus" / "usb" / "devices"
        self.names.mkdir(parents=True)
        self.table.write_text("21 1 8:1 / / rw - ext4 /dev/sda1 rw\n")
        os.mkfifo(self.root / "bus" / "usb" / "drivers_probe")
        self._probes = os.open(self.root / "bus" / "usb" / "drivers_probe", os.O_RDWR | os.O_NONBLOCK)
        self._number = 1
        self.controller("usb1")

    def close(self) -> None:
        os.close(self._probes)

    @property
    def bus(self) -> Bus:
        return Bus(self.root, self.table)

    def controller(self, name: str) -> None:
        folder = self.root / CONTROLLER / name
        self._attributes(
            folder, interface_authorized_default="1", devnum="1", idVendor="1d6b", idProduct="0002", serial="0000:00:14.0"
        )
        (self.names / name).symlink_to(folder)

    def plug(self, name: str, *kinds: str, serial: str = "", ids: str = "0951:1666", drivers: Sequence[str] = ()) -> None:
        """A device whose interfaces are of these classes, each as the controller's default says; `drivers` have bound them."""
        self._number += 1
        folder = self.root / CONTROLLER / "usb1" / name
        vendor, _, model = ids.partition(":")
        self._attributes(
            folder, devnum=str(self._number), idVendor=vendor, idProduct=model, manufacturer="Kingston", product="Stick"
        )
        if serial:
            self._attributes(folder, serial=serial)
        (self.names / name).symlink_to(folder)
        for place, kind in enumerate(kinds):
            interface = f"{name}:1.{place}"
            self._attributes(folder / interface, bInterfaceClass=kind, authorized=self.default("usb1"))
            (self.names / interface).symlink_to(folder / interface)
        for place, driver in enumerate(drivers):
            self.bind(f"{name}:1.{place}", driver)

    def bind(self, interface: str, driver: str) -> None:
        known = self.root / "bus" / "usb" / "drivers" / driver
        known.mkdir(parents=True, exist_ok=True)
        (self.names / interface / "driver").symlink_to(known)

    def pull(self, name: str) -> None:
        for link in (name, *(one.name for one in self.names.glob(f"{name}:*"))):
            (self.names / link).unlink()
        shutil.rmtree(self.root / CONTROLLER / "usb1" / name)

    def default(self, controller: str = "usb1") -> str:
        return (self.names / controller / "interface_authorized_default").read_text().strip()

    def authorised(self, name: str) -> list[str]:
        """The interfaces of a device that drivers may have."""
        return sorted(one.name for one in self.names.glob(f"{name}:*") if (one / "authorized").read_text().strip() == "1")

    @property
    def probed(self) -> str:
        try:
            return os.read(self._probes, 4096).decode()
        except BlockingIOError:
            return ""

    def _attributes(self, folder: Path, **values: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        for name, value in values.items():
            (folder / name).write_text(f"{value}\n")


class News:
    """Tells of devices in the kernel's place; give `listen` to a DeviceControl."""

    def listen(self, happened: Callable[[Uevent], None], overflowed: Callable[[], None]) -> "News":
        self.happened, self.overflowed = happened, overflowed
        return self

    def close(self) -> None:
        self.happened, self.overflowed = lambda _: None, lambda: None

    def say(self, action: str, path: str) -> None:
        self.happened(Uevent(action, f"/{CONTROLLER}/{path}", {"SUBSYSTEM": "usb"}))
