"""What the daemon and a front process say to each other: JSON packets over a socket pair, with descriptors.

A front speaks SMTP with strangers; the daemon holds the keys and the records. So a front says what arrived and hands
over the content, the daemon judges, and asks the front to do what a gate does. A packet is a JSON object; one too
large for the socket travels in a memfd of its own.
"""

import asyncio
import json
import os
import socket
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

from dlp.blob import Blob
from dlp.errors import DLPError, GateError, RelayError, StoreError, WorkerError
from dlp.model import Action, Channel, Envelope, Item, ReleaseClaim, Verdict

PACKET = 60_000
"""Bytes of the largest packet that travels in the socket itself."""
DESCRIPTORS = 4
_KINDS = {kind.__name__: kind for kind in (WorkerError, StoreError, GateError, DLPError)}

Packet = dict[str, Any]
Receive = Callable[[Packet, list[int]], None]
"""Takes a packet and its descriptors, which are the taker's to close."""


class FrontWire:
    """One end. `receive` gets each packet in turn, `lost` is called once when the other end has gone."""

    def __init__(self, end: socket.socket, receive: Receive, lost: Callable[[], None]) -> None:
        self._end = end
        self._receive = receive
        self._lost = lost
        self._waiting: deque[tuple[bytes, list[int]]] = deque()
        self._loop = asyncio.get_running_loop()
        end.setblocking(False)
        self._loop.add_reader(end, self._readable)

    def send(self, packet: Packet, descriptors: Sequence[int] = ()) -> None:
        """Queue a packet; the descriptors are duplicated and stay the caller's. Does nothing once the end is closed."""
        if self._end.fileno() < 0:
            return
        data = json.dumps(packet, ensure_ascii=True, separators=(",", ":")).encode("ascii")
        held = [os.dup(one) for one in descriptors]
        if len(data) > PACKET:
            held.append(_memory(data))
            data = b""
        self._waiting.append((data, held))
        if len(self._waiting) == 1:
            self._flush()

    def close(self) -> None:
        """Say and hear no more."""
        if self._end.fileno() < 0:
            return
        self._loop.remove_reader(self._end)
        self._loop.remove_writer(self._end)
        self._end.close()
        while self._waiting:
            _close(self._waiting.popleft()[1])

    def _flush(self) -> None:
        while self._waiting:
            data, held = self._waiting[0]
            try:
                socket.send_fds(self._end, [data or b"\0"], held)
            except BlockingIOError:
                self._loop.add_writer(self._end, self._flush)
                return
            except OSError:
                self._gone()
                return
            self._waiting.popleft()
            _close(held)
        self._loop.remove_writer(self._end)

    def _readable(self) -> None:
        try:
            data, held, _, _ = socket.recv_fds(self._end, PACKET, DESCRIPTORS + 1, socket.MSG_CMSG_CLOEXEC)
        except BlockingIOError:
            return
        except OSError:
            data, held = b"", []
        if not data:
            self._gone()
            return
        if data == b"\0":
            data = _content(held.pop())
        self._receive(json.loads(data), held)

    def _gone(self) -> None:
        if self._end.fileno() >= 0:
            self.close()
            self._lost()


def dump_item(item: Item) -> Packet:
    """All of a message but its content."""
    assert isinstance(item.origin, Envelope)  # noqa: S101 - a front takes messages only
    claim = None if item.claim is None else asdict(item.claim)
    return {
        "id": item.id,
        "origin": asdict(item.origin),
        "arrived": item.arrived.isoformat(),
        "claim": claim,
        "size": item.blob.size,
    }


def parse_item(packet: Packet, descriptor: int) -> Item:
    """The message again, over the descriptor of its content."""
    origin = packet["origin"] | {"recipients": tuple(packet["origin"]["recipients"])}
    return Item(
        id=packet["id"],
        channel=Channel.MAIL,
        origin=Envelope(**origin),
        blob=Blob(descriptor, None, packet["size"]),
        arrived=datetime.fromisoformat(packet["arrived"]),
        claim=None if packet["claim"] is None else ReleaseClaim(**packet["claim"]),
    )


def dump_verdict(verdict: Verdict) -> Packet:
    """What a gate needs of it."""
    return {"action": str(verdict.action), "level": verdict.level}


def parse_verdict(packet: Packet) -> Verdict:
    """The inverse of `dump_verdict`."""
    return Verdict(action=Action.named(packet["action"]), level=packet["level"])


def dump_error(error: BaseException | None) -> Packet | None:
    """Kind and words; of what is not ours the kind alone, since its words may quote content."""
    if error is None:
        return None
    kind = next((one.__name__ for one in type(error).__mro__ if one.__name__ in _KINDS or one is RelayError), "")
    reply = error.reply if isinstance(error, RelayError) else ""
    return {"kind": kind, "text": str(error) if kind else f"internal error: {type(error).__name__}", "reply": reply}


def parse_error(packet: Mapping[str, str] | None) -> DLPError | None:
    """The inverse of `dump_error`; what was not ours is a DLPError."""
    if packet is None:
        return None
    if packet["kind"] == "RelayError":
        return RelayError(packet["reply"], packet["text"])
    return _KINDS.get(packet["kind"], DLPError)(packet["text"])


def _memory(data: bytes) -> int:
    descriptor = os.memfd_create("dlp-packet", os.MFD_CLOEXEC)
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]
    return descriptor


def _content(descriptor: int) -> bytes:
    with os.fdopen(descriptor, "rb") as file:
        file.seek(0)
        return file.read()


def _close(descriptors: Sequence[int]) -> None:
    for one in descriptors:
        os.close(one)
