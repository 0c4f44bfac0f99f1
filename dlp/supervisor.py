"""Tells systemd how the daemon is: sd_notify(3), the datagram protocol of $NOTIFY_SOCKET. Silent where there is no systemd."""

import os
import socket
import time
from collections.abc import Mapping, MutableMapping, Sequence

FIRST = 3
"""The descriptor of the first socket that is handed over (SD_LISTEN_FDS_START)."""


def inherited(environment: MutableMapping[str, str]) -> list[socket.socket]:
    """The listening sockets that the supervisor holds for us (sd_listen_fds(3)), not blocking and for this process alone.

    The variables are removed, so that no child takes them for its own.
    """
    mine = environment.pop("LISTEN_PID", "") == str(os.getpid())
    count = int(environment.pop("LISTEN_FDS", "0") or 0)
    environment.pop("LISTEN_FDNAMES", None)
    found = [socket.socket(fileno=FIRST + number) for number in range(count if mine else 0)]
    for one in found:
        os.set_inheritable(one.fileno(), False)
        one.setblocking(False)
    return found


class Supervisor:
    """`environment` is the process's own; the watchdog's interval is half of WATCHDOG_USEC, in seconds. `sockets` are the
    listening ones that were handed over."""

    def __init__(self, environment: Mapping[str, str], sockets: Sequence[socket.socket] = ()) -> None:
        self.sockets = tuple(sockets)
        address = environment.get("NOTIFY_SOCKET", "")
        self._address = "\0" + address[1:] if address.startswith("@") else address
        mine = environment.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
        self.interval = int(environment.get("WATCHDOG_USEC", "0")) / 2e6 if mine else 0.0

    def ready(self, status: str) -> None:
        self._send(f"READY=1\nSTATUS={status}")

    def reloading(self) -> None:
        self._send(f"RELOADING=1\nMONOTONIC_USEC={time.monotonic_ns() // 1000}")

    def alive(self) -> None:
        self._send("WATCHDOG=1")

    def stopping(self) -> None:
        self._send("STOPPING=1")

    def _send(self, message: str) -> None:
        if not self._address:
            return
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender:
            sender.sendto(message.encode(), self._address)
