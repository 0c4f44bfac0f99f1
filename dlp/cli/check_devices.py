"""What `dlp check` says of device control."""

from collections.abc import Iterator

from dlp.channels.usb_devices import DEFAULT, Bus
from dlp.channels.usb_devices_control import RULES
from dlp.config import Configuration
from dlp.errors import Fault


def held(loaded: Configuration) -> Iterator[Fault]:
    """A list of drives that this kernel cannot keep."""
    if loaded.usb is None or not loaded.usb.allow:
        return
    for controller in Bus().unable():
        what = f"drives are named, and the kernel cannot hold others on {controller}: it has no {DEFAULT}"
        yield Fault("kernel", "usb.allow", what, "use a kernel of 4.4 or later, or empty the list")


def unruled(loaded: Configuration) -> Iterator[Fault]:
    """Without the udev rule keyboards work by the guard's hand alone."""
    if loaded.usb and loaded.usb.allow and not any(rule.exists() for rule in RULES):
        what = "drives are named, and the udev rule is not installed: what is plugged in while no guard runs is not held"
        yield Fault(str(RULES[-1]), "usb.allow", what, "make install, or copy systemd/dlp.rules there")
