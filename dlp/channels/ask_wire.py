"""What the guard and the daemon say to each other: JSON packets with descriptors over a UNIX socket of sequenced packets.

The guard (`dlp guard`) has the privileges, the daemon the keys, the records and the readers of hostile content. So the
guard asks, handing over a descriptor of the content, and the daemon answers. Packets are as in dlp.channels.front_wire:
an object of JSON; one too large for the socket travels in a memfd of its own, the last of its descriptors.

| from the guard | from the daemon |
|---|---|
| `hello` duty: which duty it does | `basis` basis: what judgements rest on now; first of all, and after each reload |
| `ask` serial, question; the content | `answer` serial, answer; or `sorry` serial, error: there is none |
| `done` serial, or `failed` serial, error (after an answer that allows a commit) | `closed` serial, error: the record is closed |
| `counted` counted: as `Metrics.taken` | |
"""

import json
import os
import socket
import struct
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from dlp.channels.front_wire import DESCRIPTORS, PACKET, Packet
from dlp.model import Action, Channel

_CREDENTIALS = struct.Struct("=iII")


class Kind(StrEnum):
    """OPEN: may it be read? Nothing is recorded or moved. COMMIT: may it be written there? Recorded, and kept if not."""

    OPEN = "open"
    COMMIT = "commit"


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """`path` is absolute and as its user sees it (surrogateescape), `volume` the share or the drive's mount point, `owner` a
    user name or "uid:N", `device` the drive's serial or the st_dev as "major:minor". `attributes` is what custody keeps
    beside the content (`folder_file.attributes_of`), for a commit."""

    kind: Kind
    channel: Channel
    path: str
    volume: str
    owner: str
    device: str
    inode: int = 0
    attributes: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """`action` is the policy's, `incident` the id of the record, where there is one. `basis` names the signatures and the
    policy by which it was judged: under another one it is not to be remembered."""

    allowed: bool
    action: Action
    incident: str | None = None
    basis: str = ""


def dump_question(question: Question) -> Packet:
    return asdict(question)


def parse_question(packet: Packet) -> Question:
    """Raises ValueError or TypeError for what is none."""
    return Question(**packet | {"kind": Kind(packet["kind"]), "channel": Channel(packet["channel"])})


def dump_answer(answer: Answer) -> Packet:
    return asdict(answer) | {"action": str(answer.action)}


def parse_answer(packet: Packet) -> Answer:
    return Answer(**packet | {"action": Action.named(packet["action"])})


def ask_socket(state: Path) -> Path:
    """Where the daemon of this state listens."""
    return state / "run" / "ask.sock"


def peer(connection: socket.socket) -> tuple[int, int]:
    """Process and user at the other end (SO_PEERCRED of unix(7)): of a listener those at the time it began to listen."""
    process, user, _ = _CREDENTIALS.unpack(connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size))
    return process, user


def connected(path: Path, *, timeout: float | None) -> socket.socket:
    """A connection to the daemon, whose calls take `timeout` seconds at most (0: none waits). Raises OSError."""
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    try:
        connection.settimeout(timeout)
        with Near(path) as near:
            connection.connect(near)
    except OSError:
        connection.close()
        raise
    return connection


class Near:
    """A name of a socket's file that fits sun_path (108 bytes, unix(7)), however deep its folder lies: by way of /proc."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __enter__(self) -> str:
        self._folder = os.open(self._path.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        return f"/proc/self/fd/{self._folder}/{self._path.name}"

    def __exit__(self, *_: object) -> None:
        os.close(self._folder)


def send(connection: socket.socket, packet: Packet, descriptors: Sequence[int] = ()) -> None:
    """One packet, in the caller's thread. Raises OSError: BlockingIOError where the socket is full and must not wait."""
    data = json.dumps(packet, ensure_ascii=True, separators=(",", ":")).encode("ascii")
    if len(data) <= PACKET:
        socket.send_fds(connection, [data], descriptors)
        return
    with open(os.memfd_create("dlp-packet", os.MFD_CLOEXEC), "r+b", buffering=0) as memory:
        view = memoryview(data)
        while view:
            view = view[memory.write(view) :]
        socket.send_fds(connection, [b"\0"], [*descriptors, memory.fileno()])


def receive(connection: socket.socket) -> tuple[Packet, list[int]]:
    """The next packet and its descriptors, which are the caller's to close. Raises OSError: BlockingIOError where there is
    none yet, ConnectionError where the other end is gone, TimeoutError."""
    data, held, _, _ = socket.recv_fds(connection, PACKET, DESCRIPTORS + 1, socket.MSG_CMSG_CLOEXEC)
    if not data:
        raise ConnectionResetError("the other end is gone")
    if data == b"\0":
        with open(held.pop(), "rb") as memory:
            memory.seek(0)
            data = memory.read()
    return json.loads(data), held
