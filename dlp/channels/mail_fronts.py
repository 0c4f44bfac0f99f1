"""Front processes of the mail gateway, as the daemon sees them: they speak SMTP, it judges.

All accept on the same sockets. One that dies takes its own sessions with it and is started again; a message it had in
work was answered by nobody, so its sender has it still.
"""

import asyncio
import itertools
import json
import os
import socket
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any

import structlog

from dlp.blob import Blob
from dlp.channels.front_wire import FrontWire, Packet, dump_error, dump_verdict, parse_error, parse_item
from dlp.channels.mail_door import FAILED
from dlp.channels.mail_settings import MailSettings
from dlp.channels.sockets import listening
from dlp.errors import RelayError
from dlp.metrics import Metrics
from dlp.model import Channel, Verdict
from dlp.ports import Gate, Submit

log = structlog.get_logger()

MODULE = "dlp.front"
"""Runs as a front process."""
START = 30.0
"""Seconds a front has to become ready."""
STOP = 110.0
"""Seconds it has to end: what is past its end of data may take as long as the deadline."""
PAUSE = 1.0
"""Seconds before one that died is started again."""


class MailFronts:
    """The mail channel in processes of its own; implements the daemon's Channel.

    `given` are sockets that may listen at our addresses already; `state` is the daemon's folder; `names` gives what people
    call the levels. `start` raises OSError where an address cannot be bound, or the fronts do not come up.
    """

    def __init__(
        self,
        settings: MailSettings,
        submit: Submit,
        metrics: Metrics,
        *,
        given: Sequence[socket.socket],
        state: Path,
        names: Callable[[], Mapping[str, str]],
    ) -> None:
        self._settings = settings
        self._submit = submit
        self._metrics = metrics
        self._given = given
        self._listeners: list[socket.socket] = []
        self._state = state
        self._names = names
        self._fronts: set[Front] = set()
        self._keepers: list[asyncio.Task[None]] = []
        self._stopping = False

    @property
    def addresses(self) -> tuple[tuple[str, int], ...]:
        """Where they listen: host and the port really bound."""
        return tuple(listener.getsockname()[:2] for listener in self._listeners)

    async def start(self) -> None:
        """Returns once every front is ready."""
        self._listeners = listening(self._settings.listen, self._given)
        ready = [asyncio.get_running_loop().create_future() for _ in range(self._settings.processes)]
        self._keepers = [asyncio.create_task(self._kept(one)) for one in ready]
        try:
            async with asyncio.timeout(START):
                await asyncio.gather(*ready)
        except (OSError, TimeoutError) as error:
            await self.stop()
            raise OSError(f"a front process of the gateway did not start: {error or 'no answer'}") from error

    async def stop(self) -> None:
        """They take nothing new and finish what is under way."""
        self._stopping = True
        for front in self._fronts:
            front.ask_to_stop()
        if self._keepers:
            _, late = await asyncio.wait(self._keepers, timeout=STOP)
            for front in self._fronts if late else ():
                front.kill()
            await asyncio.gather(*self._keepers)
        for listener in self._listeners:
            listener.close()

    def rename(self) -> None:
        """Tell them what people call the levels now."""
        for front in self._fronts:
            front.name(self._names())

    def _endpoints(self) -> tuple[str, ...]:
        """The addresses with the ports really bound, as settings write them."""
        return tuple(f"[{host}]:{port}" if ":" in host else f"{host}:{port}" for host, port in self.addresses)

    async def _kept(self, ready: "asyncio.Future[None]") -> None:
        """One front, started again whenever it dies."""
        while not self._stopping:
            front = Front(self._submit, self._metrics)
            try:
                await front.start(replace(self._settings, listen=self._endpoints()), self._listeners, self._state)
            except OSError as error:
                if not ready.done():
                    ready.set_exception(error)
                    return
                log.error("mail front not started", error=error.strerror)
            else:
                self._fronts.add(front)
                front.name(self._names())
                if not ready.done():
                    front.ready.add_done_callback(partial(_passed_on, ready))
                status = await front.ended()
                self._fronts.discard(front)
                if not ready.done():
                    ready.set_exception(OSError(f"it ended with status {status}"))
                    return
                if not self._stopping:
                    log.error("mail front died", status=status)
                    self._metrics.worker_restarts.labels("mail-front").inc()
            if not self._stopping:
                await asyncio.sleep(PAUSE)


class Front:
    """One front process."""

    def __init__(self, submit: Submit, metrics: Metrics) -> None:
        self.ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._submit = submit
        self._metrics = metrics
        self._calls = itertools.count(1)
        self._called: dict[int, asyncio.Future[Packet]] = {}
        self._items: set[asyncio.Task[None]] = set()
        self._gone = False

    async def start(self, settings: MailSettings, listeners: Sequence[socket.socket], state: Path) -> None:
        """Begin it. Raises OSError."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._wire = FrontWire(ours, self._received, self._lost)
        told = json.dumps({"settings": asdict(settings), "state": state}, default=str)
        handed = [theirs, *listeners]
        try:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                MODULE,
                *[str(one.fileno()) for one in handed],
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.DEVNULL,
                pass_fds=[one.fileno() for one in handed],
                cwd="/",
                env=_environment(),
            )
        except OSError:
            self._wire.close()
            raise
        finally:
            theirs.close()
        assert self._process.stdin is not None  # noqa: S101 - a pipe was asked for
        self._process.stdin.write(told.encode("ascii"))
        self._process.stdin.close()

    async def ended(self) -> int:
        """Its exit status, once it has ended and all it had in work is settled."""
        status = await self._process.wait()
        self._lost()
        if self._items:
            await asyncio.wait(self._items)
        return status

    def ask_to_stop(self) -> None:
        """It takes nothing new, finishes, and ends."""
        self._wire.send({"say": "stop"})

    def name(self, names: Mapping[str, str]) -> None:
        """What people call the levels."""
        self._wire.send({"say": "names", "names": dict(names)})

    def kill(self) -> None:
        """End it now."""
        if self._process.returncode is None:
            self._process.kill()

    async def call(self, packet: Packet, descriptors: Sequence[int] = ()) -> Packet:
        """Have one of its gates do something; its answer. Raises what the gate raised, RelayError where the front is gone."""
        if self._gone:
            raise _vanished()
        number = next(self._calls)
        answer: asyncio.Future[Packet] = asyncio.get_running_loop().create_future()
        self._called[number] = answer
        self._wire.send({"say": "call", "call": number, **packet}, descriptors)
        try:
            said = await answer
        finally:
            del self._called[number]
        if (error := parse_error(said["error"])) is not None:
            raise error
        return said

    def _received(self, packet: Packet, descriptors: list[int]) -> None:
        match packet["say"]:
            case "ready":
                self.ready.set_result(None)
            case "counted":
                self._metrics.add(packet["counted"])
            case "did":
                if (answer := self._called.get(packet["call"])) is not None and not answer.done():
                    answer.set_result(packet)
            case "item":
                task = asyncio.create_task(self._item(packet, descriptors[0]))
                self._items.add(task)
                task.add_done_callback(self._items.discard)

    async def _item(self, packet: Packet, descriptor: int) -> None:
        item, serial = parse_item(packet, descriptor), packet["serial"]
        queue = self._metrics.queue_items.labels(Channel.MAIL.value)
        queue.inc()
        error: Exception | None = None
        try:
            await self._submit(item, _gate(self, packet | {"gate": 0}, due=packet["due"]))
        except Exception as raised:  # noqa: BLE001 - raised again in the front, which answers the client
            error = raised
        finally:
            queue.dec()
            item.blob.close()
        self._wire.send({"say": "done", "serial": serial, "error": dump_error(error)})

    def _lost(self) -> None:
        self._gone = True
        self._wire.close()
        for answer in self._called.values():
            if not answer.done():
                answer.set_exception(_vanished())


class RemoteGate:
    """A gate in a front process; implements ports.Markable."""

    destroys = False

    def __init__(self, front: Front, packet: Packet, *, due: float) -> None:
        self.attributes: Mapping[str, Any] = packet["attributes"]
        self._front = front
        self._about = {"serial": packet["serial"], "gate": packet["gate"]}
        self._due = due

    def mark(self, level: str | None) -> None:
        """See ports.Markable."""
        self._about["level"] = level

    async def release(self) -> None:
        """See ports.Gate."""
        await self._front.call({**self._about, "verb": "release"})

    async def withhold(self, verdict: Verdict, incident: str, held: str | None) -> None:
        """See ports.Gate."""
        told = {"verdict": dump_verdict(verdict), "incident": incident, "held": held}
        await self._front.call({**self._about, "verb": "withhold", **told})


class RemoteReplaceable(RemoteGate):
    """A gate in a front process that can send other content; implements ports.Replaceable."""

    @property
    def patience(self) -> float:
        """See ports.Replaceable. Both processes go by one clock (CLOCK_MONOTONIC)."""
        return self._due - time.monotonic()

    def replaced(self, blob: Blob) -> "RemoteReplaced":
        """See ports.Replaceable."""
        return RemoteReplaced(self, blob)

    async def send(self, blob: Blob) -> None:
        """Have `blob` go in place of the item's content."""
        await self._front.call({**self._about, "verb": "replaced", "size": blob.size}, [blob.descriptor])


class RemoteDivisible(RemoteReplaceable):
    """A gate in a front process whose recipients may be treated apart; implements ports.Divisible."""

    async def divide(self, withheld: frozenset[int]) -> tuple[Gate, Gate]:
        """See ports.Divisible."""
        said = await self._front.call({**self._about, "verb": "divide", "withheld": sorted(withheld)})
        back, on = (_gate(self._front, {"serial": self._about["serial"], **one}, due=self._due) for one in said["gates"])
        return back, on


class RemoteReplaced:
    """Other content for a gate in a front process; implements ports.Gate."""

    destroys = False

    def __init__(self, gate: RemoteReplaceable, blob: Blob) -> None:
        self.attributes = gate.attributes
        self._gate = gate
        self._blob = blob

    async def release(self) -> None:
        """See ports.Gate."""
        await self._gate.send(self._blob)

    async def withhold(self, verdict: Verdict, incident: str, held: str | None) -> None:
        """See ports.Gate: it is the gate it comes from that withholds."""
        await self._gate.withhold(verdict, incident, held)


def _gate(front: Front, packet: Packet, *, due: float) -> RemoteGate:
    kind = RemoteDivisible if packet.get("divisible") else RemoteReplaceable if packet["replaceable"] else RemoteGate
    return kind(front, packet, due=due)


def _passed_on(ready: "asyncio.Future[None]", _: "asyncio.Future[None]") -> None:
    if not ready.done():
        ready.set_result(None)


def _vanished() -> RelayError:
    return RelayError(FAILED, "the front process that had the message is gone; its client was told nothing")


def _environment() -> dict[str, str]:
    """What a front needs: where Python looks, and nothing of what the daemon was started with."""
    kept = {name: os.environ[name] for name in ("PATH", "LANG", "LC_ALL", "TZ", "VIRTUAL_ENV") if name in os.environ}
    return kept | {"PYTHONPATH": os.pathsep.join(sys.path)}
