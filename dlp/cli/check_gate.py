"""What `dlp check` says of the strength `gate`."""

import shutil
from collections.abc import Iterator

from dlp.channels import mounts
from dlp.channels.block import PATH
from dlp.channels.gate_fuse import library_lacks
from dlp.channels.gate_mount import kernel_lacks
from dlp.channels.gate_wire import DUTY
from dlp.channels.usb import GATED
from dlp.config import Configuration
from dlp.errors import Fault

_KEY = "usb.strength"


def gate(loaded: Configuration) -> Iterator[Fault]:
    """A kernel or a machine without what gating takes, and drives that are open to be written to meanwhile."""
    if loaded.usb is None or loaded.usb.strength != DUTY:
        return
    instead = 'or choose strength = "deny-open" or "detect"'
    if lacks := kernel_lacks():
        yield Fault("kernel", _KEY, f"has no {lacks}", f"use a newer one, {instead}")
    if lacks := library_lacks():
        yield Fault("FUSE", _KEY, lacks, instead)
    if shutil.which("blkid", path=PATH) is None:
        yield Fault("blkid", _KEY, "is not installed: nobody can say what is on a drive", "install util-linux")
    for mount in mounts.current().values():
        hardware = mounts.drive(*mounts.device(mount))
        if hardware.removable and mount.filesystem != GATED and not mount.read_only and mount.path not in _SYSTEM:
            what = "is a drive that is mounted already: it is watched, and what is written to it is not held"
            yield Fault(mount.path, _KEY, what, "unmount it; the guard mounts it again")


_SYSTEM = ("/", "/boot", "/boot/efi", "/usr", "/var", "/home")
"""Where a system that was started from a drive has it."""
