"""The kernel's own news of devices: netlink(7), NETLINK_KOBJECT_UEVENT, multicast group 1.

It comes without udev, and before udev has looked at it. Source: the kernel's lib/kobject_uevent.c: one datagram an event,
"ACTION@DEVPATH", then KEY=VALUE, each ended by a zero byte; group 2 is udev's, in a form of its own.
"""

import asyncio
import contextlib
import errno
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

KERNEL = 1
"""The multicast group of the kernel's own messages."""
LARGEST = 16 << 10
"""Bytes of the largest datagram read; the kernel makes none over UEVENT_BUFFER_SIZE (2048) and its header."""
QUEUE = 16 << 20
"""Bytes the kernel may hold for us: a hub full of devices is some hundred messages."""

_PROTOCOL = 15
"""NETLINK_KOBJECT_UEVENT (linux/netlink.h)."""
_BUFFER_FORCE = 33
"""SO_RCVBUFFORCE (asm-generic/socket.h): beyond rmem_max, for CAP_NET_ADMIN only."""


@dataclass(frozen=True, slots=True)
class Uevent:
    """One event. `path` is under /sys, beginning with "/devices"; `facts` are the kernel's words, such as SUBSYSTEM, DEVTYPE,
    DEVNAME, MAJOR, MINOR, SEQNUM."""

    action: str
    path: str
    facts: Mapping[str, str]

    @property
    def subsystem(self) -> str:
        """Such as "usb" or "block"."""
        return self.facts.get("SUBSYSTEM", "")


def parse(message: bytes) -> Uevent | None:
    """One datagram; None for what is no event of the kernel's (udev's begin with "libudev")."""
    head, *fields = message.removesuffix(b"\0").split(b"\0")
    action, at, path = _text(head).partition("@")
    if not at or not action.isascii() or not action.isalpha() or not path.startswith("/"):
        return None
    pairs = (_text(field).partition("=") for field in fields)
    return Uevent(action, path, {name: value for name, equals, value in pairs if name and equals})


class UeventWatch:
    """Calls `happened` on the running loop with each event, and `overflowed` where the kernel had to drop some (ENOBUFS):
    anything may have come or gone, and the caller looks for itself.

    Raises OSError where there is no such socket.
    """

    def __init__(self, happened: Callable[[Uevent], None], overflowed: Callable[[], None]) -> None:
        self._happened = happened
        self._overflowed = overflowed
        self._socket = _opened()
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self._socket.fileno(), self._ready)

    def close(self) -> None:
        """Listen no more."""
        self._loop.remove_reader(self._socket.fileno())
        self._socket.close()

    def _ready(self) -> None:
        """Everything that waits. A message that no kernel sent (its port is not 0) is passed over."""
        while self._socket.fileno() >= 0:
            try:
                message, sender = self._socket.recvfrom(LARGEST)
            except BlockingIOError:
                return
            except OSError as error:
                if error.errno != errno.ENOBUFS:
                    raise
                self._overflowed()
                continue
            if sender[0] == 0 and (event := parse(message)):
                self._happened(event)


def _opened() -> Any:
    """A socket bound to the kernel's group, not blocking."""
    made = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC, _PROTOCOL)
    try:
        with contextlib.suppress(PermissionError):
            made.setsockopt(socket.SOL_SOCKET, _BUFFER_FORCE, QUEUE)
        made.bind((0, KERNEL))
    except OSError:
        made.close()
        raise
    return made


def _text(word: bytes) -> str:
    return word.decode("utf-8", "surrogateescape")
