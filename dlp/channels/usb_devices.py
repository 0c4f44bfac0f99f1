"""USB devices as sysfs shows them, and the two switches of theirs that are turned here.

A controller's `interface_authorized_default` decides whether interfaces that come later may be bound by a driver; an
interface's own `authorized` decides for that one, and writing 0 unbinds its driver, so that a disk is gone. An interface
that is authorised afterwards is probed only when its name is written to `drivers_probe`. Source: the kernel's
Documentation/usb/authorization.rst and ABI/testing/sysfs-bus-usb; USB Mass Storage Class, Overview 1.4, section 2.
"""

import errno
import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from dlp.channels.mounts import MOUNTINFO, SYSFS, current, device

MASS_STORAGE = "08"
"""bInterfaceClass of disks, sticks, card readers and optical drives, by bulk-only transport and by UAS alike."""
STORAGE_DRIVERS = re.compile(r"usb-storage|uas|ums-.*")
"""Drivers that make a disk; they bind some interfaces of a vendor's own class too (drivers/usb/storage/unusual_devs.h)."""
DEFAULT = "interface_authorized_default"
SYSTEM_MOUNTS = frozenset({"/", "/boot", "/boot/efi", "/usr", "/var", "/home", "/opt"})
"""A drive with one of these mounted is what the machine runs from."""

_DEVICE = re.compile(r"[0-9]+-[0-9]+(\.[0-9]+)*")
_ROOT_HUB = re.compile(r"usb[0-9]+")
_DEEP = 8
"""Storeys of mapped devices (dm, md) that are followed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Interface:
    """One interface of the active configuration. `driver` is "" where none is bound."""

    name: str
    storage: bool
    authorised: bool
    driver: str


@dataclass(frozen=True, slots=True, kw_only=True)
class UsbDevice:
    """A device that is plugged in. All words are the device's own claims; `serial`, `maker`, `product` may be "".

    `name` is its place, such as "1-4.2", and `number` (devnum) changes each time something is plugged in there.
    """

    name: str
    number: int
    vendor: str
    model: str
    serial: str
    maker: str
    product: str
    interfaces: tuple[Interface, ...]

    @property
    def storage(self) -> tuple[Interface, ...]:
        """The interfaces by which it is a drive."""
        return tuple(interface for interface in self.interfaces if interface.storage)


class Bus:
    """The USB devices of one sysfs; `table` is the mount table, asked which drives the machine runs from."""

    def __init__(self, sysfs: Path = SYSFS, table: Path = MOUNTINFO) -> None:
        self._sysfs = sysfs
        self._table = table
        self._devices = sysfs / "bus" / "usb" / "devices"

    @property
    def present(self) -> bool:
        """Whether this kernel knows USB."""
        return self._devices.is_dir()

    def controllers(self) -> list[str]:
        """The root hubs, such as "usb1"."""
        return sorted(name for name in self._names() if _ROOT_HUB.fullmatch(name))

    def unable(self) -> list[str]:
        """The root hubs whose kernel cannot hold interfaces (older than 4.4)."""
        return [name for name in self.controllers() if not (self._devices / name / DEFAULT).exists()]

    def devices(self) -> Iterator[UsbDevice]:
        """All that is plugged in; what goes meanwhile is passed over."""
        for name in sorted(self._names()):
            if _DEVICE.fullmatch(name) and (found := self.device(name)):
                yield found

    def device(self, name: str) -> UsbDevice | None:
        """The device at this place, None where there is none."""
        folder = self._devices / name
        number = _word(folder / "devnum")
        if not _DEVICE.fullmatch(name) or not number.isdecimal():
            return None
        return UsbDevice(
            name=name,
            number=int(number),
            vendor=_word(folder / "idVendor").lower(),
            model=_word(folder / "idProduct").lower(),
            serial=_word(folder / "serial"),
            maker=_word(folder / "manufacturer"),
            product=_word(folder / "product"),
            interfaces=tuple(self._interfaces(folder)),
        )

    def default(self, controller: str, *, authorised: bool) -> None:
        """What becomes of interfaces that come later on this controller. Raises OSError."""
        _write(self._devices / controller / DEFAULT, "01"[authorised])

    def defaults(self) -> dict[str, bool]:
        """By controller, whether interfaces that come later are authorised."""
        return {name: _word(self._devices / name / DEFAULT) != "0" for name in self.controllers()}

    def authorise(self, interfaces: Iterable[Interface]) -> None:
        """Let drivers have these, and have them probed once all are authorised, since some drivers want several.
        What has gone meanwhile is passed over. Raises OSError."""
        found = list(interfaces)
        for interface in found:
            if not interface.authorised:
                self._set(interface, "1")
        for interface in found:
            if not interface.driver:
                self._probe(interface)

    def refuse(self, interfaces: Iterable[Interface]) -> None:
        """Take these from their drivers. Raises OSError."""
        for interface in interfaces:
            if interface.authorised:
                self._set(interface, "0")

    def runs_from(self) -> frozenset[str]:
        """The places of the USB devices that carry a file system the machine runs from. Raises OSError."""
        mounts = current(self._table)
        found: set[str] = set()
        for point in SYSTEM_MOUNTS & mounts.keys():
            major, minor = device(mounts[point])
            found |= self._carriers(self._sysfs / "dev" / "block" / f"{major}:{minor}", _DEEP)
        return frozenset(found)

    def _carriers(self, block: Path, deep: int) -> set[str]:
        """The USB devices under a block device, also through what is mapped (dm-crypt, LVM, md)."""
        if not deep or not block.exists():
            return set()
        here = block.resolve()
        found = {part for part in here.parts if _DEVICE.fullmatch(part)}
        for slave in _listed(here / "slaves"):
            found |= self._carriers(here / "slaves" / slave, deep - 1)
        return found

    def _interfaces(self, folder: Path) -> Iterator[Interface]:
        for name in sorted(_listed(folder)):
            interface = folder / name
            kind = _word(interface / "bInterfaceClass") if name.startswith(f"{folder.name}:") else ""
            if not kind:
                continue
            driver = (interface / "driver").resolve().name if (interface / "driver").exists() else ""
            yield Interface(
                name=name,
                storage=kind == MASS_STORAGE or bool(STORAGE_DRIVERS.fullmatch(driver)),
                authorised=_word(interface / "authorized") != "0",
                driver=driver,
            )

    def _set(self, interface: Interface, value: str) -> None:
        _write(self._devices / interface.name / "authorized", value)

    def _probe(self, interface: Interface) -> None:
        """EINVAL and ENODEV say that no driver wants it, which is no fault (drivers/base/bus.c, drivers_probe_store)."""
        try:
            _write(self._sysfs / "bus" / "usb" / "drivers_probe", interface.name)
        except OSError as error:
            if error.errno not in (errno.EINVAL, errno.ENODEV):
                raise

    def _names(self) -> list[str]:
        return _listed(self._devices)


def _write(file: Path, value: str) -> None:
    """Into an attribute that exists; the device may have gone, and then there is nothing to turn."""
    try:
        descriptor = os.open(file, os.O_WRONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return
    try:
        os.write(descriptor, value.encode())
    except OSError as error:
        if error.errno != errno.ENODEV:
            raise
    finally:
        os.close(descriptor)


def _listed(folder: Path) -> list[str]:
    try:
        return os.listdir(folder)
    except (FileNotFoundError, NotADirectoryError):
        return []


def _word(file: Path) -> str:
    """An attribute's line; "" where there is none, or where the device has gone (the kernel says ENODEV)."""
    try:
        return file.read_text("utf-8", "replace").strip()
    except OSError:
        return ""
