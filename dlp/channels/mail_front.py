"""The front's end: what arrives is handed to the daemon, and its gates do what the daemon asks."""

import asyncio
import itertools
import os
import socket
from collections.abc import Callable, Coroutine
from typing import Any

import structlog

from dlp.blob import Blob
from dlp.channels.front_wire import FrontWire, Packet, dump_error, dump_item, parse_error, parse_verdict
from dlp.channels.mail_gate import MailGate
from dlp.errors import DLPError, GateError
from dlp.model import Inspection, Item, Verdict
from dlp.ports import Divisible, Gate, Markable, Outcome, Replaceable

log = structlog.get_logger()


class Desk:
    """Hands items to the daemon; implements ports.Submit in a front process.

    `stop` is called when the daemon asks to stop, `lost` when it is gone. `names` are what people call the levels,
    as the daemon last said.
    """

    def __init__(self, end: socket.socket, *, stop: Callable[[], None], lost: Callable[[], None]) -> None:
        self.names: dict[str, str] = {}
        self._stop = stop
        self._lost = lost
        self._serials = itertools.count(1)
        self._submitted: dict[int, _Submitted] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._wire = FrontWire(end, self._received, self._gone)

    def level_name(self, level: str) -> str:
        """What people call a level."""
        return self.names.get(level, level)

    def say(self, packet: Packet) -> None:
        """Something that is not about an item: that we are ready, what we counted."""
        self._wire.send(packet)

    def close(self) -> None:
        """Nothing more is said or heard."""
        self._wire.close()

    async def __call__(self, item: Item, gate: Gate) -> Outcome:
        """See ports.Submit. The outcome is the daemon's business: here it is empty."""
        serial = next(self._serials)
        waiting = self._submitted[serial] = _Submitted(gate)
        abilities = {"divisible": isinstance(gate, Divisible), "replaceable": isinstance(gate, Replaceable)}
        due = gate.due if isinstance(gate, MailGate) else 0.0
        packet = {"say": "item", "serial": serial, **dump_item(item), **abilities, "due": due, "attributes": gate.attributes}
        self._wire.send(packet, [item.blob.descriptor])
        try:
            await waiting.done
        finally:
            del self._submitted[serial]
        return Outcome(verdict=Verdict(), inspection=Inspection())

    def _received(self, packet: Packet, descriptors: list[int]) -> None:
        match packet["say"]:
            case "stop":
                self._stop()
            case "names":
                self.names = packet["names"]
            case "done":
                if (waiting := self._submitted.get(packet["serial"])) is not None:
                    waiting.finish(parse_error(packet["error"]))
            case "call":
                self._spawn(self._called(packet, descriptors))

    def _gone(self) -> None:
        for waiting in self._submitted.values():
            waiting.finish(DLPError("the daemon is gone"))
        self._lost()

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _called(self, packet: Packet, descriptors: list[int]) -> None:
        answer: Packet = {"say": "did", "serial": packet["serial"], "call": packet["call"], "error": None}
        waiting = self._submitted.get(packet["serial"])
        try:
            if waiting is None:
                raise GateError("the message is no longer there")
            answer |= await waiting.call(packet, descriptors)
        except Exception as error:  # noqa: BLE001 - raised again in the daemon, whose call it was
            answer["error"] = dump_error(error)
        finally:
            for descriptor in descriptors:
                os.close(descriptor)
        self._wire.send(answer)


class _Submitted:
    """One item at the daemon, with the gates it may ask for: number 0 is the item's own."""

    def __init__(self, gate: Gate) -> None:
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._gates = [gate]

    def finish(self, error: DLPError | None) -> None:
        if self.done.done():
            return
        if error is None:
            self.done.set_result(None)
        else:
            self.done.set_exception(error)

    async def call(self, packet: Packet, descriptors: list[int]) -> Packet:
        """Do as asked; what the answer says besides. Raises what the gate raises."""
        gate = self._gates[packet["gate"]]
        if "level" in packet and isinstance(gate, Markable):
            gate.mark(packet["level"])
        match packet["verb"]:
            case "release":
                await gate.release()
            case "withhold":
                await gate.withhold(parse_verdict(packet["verdict"]), packet["incident"], packet["held"])
            case "replaced":
                assert isinstance(gate, Replaceable)  # noqa: S101 - said when it was submitted
                await gate.replaced(Blob(descriptors[0], None, packet["size"])).release()
            case "divide":
                assert isinstance(gate, Divisible)  # noqa: S101 - said when it was submitted
                parts = await gate.divide(frozenset(packet["withheld"]))
                self._gates += parts
                return {"gates": [self._described(part) for part in parts]}
        return {}

    def _described(self, gate: Gate) -> Packet:
        return {
            "gate": self._gates.index(gate),
            "attributes": gate.attributes,
            "replaceable": isinstance(gate, Replaceable),
        }
