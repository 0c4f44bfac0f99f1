"""Which drives may be used: the entries of `[usb] allow`, and of the exceptions."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

LONGEST = 300
"""Characters of an entry: a serial has at most 126 (USB 2.0, section 9.6.7: 253 bytes of UTF-16)."""
_LONG_FORM = re.compile(r"([0-9A-Fa-f]{4}):([0-9A-Fa-f]{4}):(.*)")


class Claims(Protocol):
    """Whatever calls itself something: a device, or the record of one."""

    @property
    def vendor(self) -> str: ...

    @property
    def model(self) -> str: ...

    @property
    def serial(self) -> str: ...


@dataclass(frozen=True, slots=True)
class Entry:
    """A serial, "SERIAL"; or one of one make, "vendor:product:SERIAL", ids in hexadecimal as lsusb(8) shows them. With an
    empty serial the long form stands for the drives of that make that have none; the short form never does."""

    serial: str
    vendor: str = ""
    model: str = ""

    @classmethod
    def parse(cls, text: str) -> "Entry":
        """Raises ValueError."""
        text = text.strip()
        if not text or len(text) > LONGEST or not text.isprintable():
            raise ValueError(f'{text!r} is neither a serial nor "vendor:product:serial"')
        if found := _LONG_FORM.fullmatch(text):
            return cls(found[3].strip(), found[1].lower(), found[2].lower())
        return cls(text)

    def covers(self, device: Claims) -> bool:
        """Whether this device is meant, if it tells the truth. A serial is compared as it is, capitals and all."""
        made = not self.vendor or (device.vendor, device.model) == (self.vendor, self.model)
        return made and device.serial == self.serial

    def __str__(self) -> str:
        return f"{self.vendor}:{self.model}:{self.serial}" if self.vendor else self.serial


def parse_all(entries: Iterable[str]) -> tuple[Entry, ...]:
    """All of `[usb] allow`. Raises ValueError."""
    return tuple(map(Entry.parse, entries))
