"""The daemon's end of the ask socket: answers what the guard asks, by the policy in force."""

import asyncio
import contextlib
import fcntl
import os
import pwd
import socket
import stat
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import structlog

from dlp.blob import Blob
from dlp.channels.ask_wire import Answer, Kind, Near, Question, dump_answer, parse_question, peer
from dlp.channels.folder_file import HASHED, read, shown
from dlp.channels.front_wire import FrontWire, Packet, dump_error
from dlp.errors import GateError
from dlp.metrics import Metrics
from dlp.model import Action, FileOrigin, Item, Limits, Verdict
from dlp.ports import Submit

log = structlog.get_logger()

BACKLOG = 64
_FINAL = fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE


@dataclass(frozen=True, slots=True, kw_only=True)
class AskPorts:
    """What the server asks of the daemon. `judge` says what the policy would do with an item, and does nothing; `basis`
    names the signatures and the policy in force; `told` are those who listen to packets of other kinds, by their `say`."""

    submit: Submit
    judge: Callable[[Item], Awaitable[Verdict]]
    metrics: Metrics
    limits: Callable[[], Limits]
    basis: Callable[[], str]
    clock: Callable[[], datetime]
    new_id: Callable[[], str]
    told: Mapping[str, Callable[[Packet], None]]


class AskServer:
    """Listens at `path` from `start` to `stop`, to root and to the daemon's own user. `needed` are the duties that the
    configuration asks of a guard: that one of them is not done is an error in the log."""

    def __init__(self, path: Path, ports: AskPorts, *, needed: frozenset[str] = frozenset(), patience: float = 10.0) -> None:
        self._path = path
        self._ports = ports
        self._needed = needed
        self._patience = patience
        self._guards: set[_Guard] = set()
        self._slots = asyncio.Semaphore((os.cpu_count() or 1) + 1)

    async def start(self) -> None:
        """Begin. Raises OSError where the socket cannot be made."""
        self._loop = asyncio.get_running_loop()
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with contextlib.suppress(FileNotFoundError):
            if stat.S_ISSOCK(self._path.lstat().st_mode):
                self._path.unlink()  # the daemon's lock says that nobody else serves it
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        try:
            with Near(self._path) as near:
                self._listener.bind(near)
            self._path.chmod(0o600)
            self._listener.listen(BACKLOG)
        except OSError:
            self._listener.close()
            raise
        self._listener.setblocking(False)
        self._loop.add_reader(self._listener, self._accept)
        self._show()
        self._warning = self._loop.call_later(self._patience, self._warn)

    async def stop(self) -> None:
        """End; what is being asked gets no answer any more."""
        self._warning.cancel()
        self._loop.remove_reader(self._listener)
        self._listener.close()
        with contextlib.suppress(FileNotFoundError):
            self._path.unlink()
        guards, self._needed = list(self._guards), frozenset()
        for guard in guards:
            guard.wire.close()
            self._leave(guard)
        await asyncio.gather(*(guard.ended() for guard in guards))

    def tell_basis(self) -> None:
        """Signatures or policy have changed: nothing judged before is to be remembered."""
        for guard in self._guards:
            guard.tell_basis()

    @property
    def missing(self) -> list[str]:
        """The duties that are needed and that no connected guard does."""
        return sorted(self._needed - {guard.duty for guard in self._guards})

    def _accept(self) -> None:
        try:
            connection, _ = self._listener.accept()
        except OSError as error:
            if not isinstance(error, BlockingIOError):
                log.error("a guard could not connect", error=error.strerror)
            return
        process, user = peer(connection)
        if user not in (0, os.geteuid()):
            log.error("refused at the ask socket: neither root nor the daemon's own user", uid=user, pid=process)
            connection.close()
            return
        guard = _Guard(connection, self._ports, self._slots, left=self._leave, joined=self._joined)
        self._guards.add(guard)
        guard.tell_basis()

    def _joined(self, guard: "_Guard") -> None:
        log.info("guard connected", duty=guard.duty)
        self._show()

    def _leave(self, guard: "_Guard") -> None:
        self._guards.discard(guard)
        if guard.duty and guard.duty in self.missing:
            log.error("guard gone", duty=guard.duty, remedy="systemctl status dlp-guard")
        self._show()

    def _show(self) -> None:
        connected = {guard.duty for guard in self._guards} - {""}
        for duty in self._needed | connected | set(self._shown()):
            self._ports.metrics.guard_connected.labels(duty).set(duty in connected)

    def _shown(self) -> list[str]:
        (family,) = self._ports.metrics.guard_connected.collect()
        return [sample.labels["duty"] for sample in family.samples]

    def _warn(self) -> None:
        if self.missing:
            log.error(
                "no guard does what the configuration asks for", duties=self.missing, remedy="systemctl enable --now dlp-guard"
            )


class _Guard:
    """One connection. Several questions may be under way on it."""

    def __init__(
        self,
        connection: socket.socket,
        ports: AskPorts,
        slots: asyncio.Semaphore,
        *,
        left: Callable[["_Guard"], None],
        joined: Callable[["_Guard"], None],
    ) -> None:
        self.duty = ""
        self._ports = ports
        self._slots = slots
        self._left = left
        self._joined = joined
        self._tasks: set[asyncio.Task[None]] = set()
        self._commits: dict[int, _CommitGate] = {}
        self.wire = FrontWire(connection, self._received, self._lost)

    def tell_basis(self) -> None:
        self.wire.send({"say": "basis", "basis": self._ports.basis()})

    async def ended(self) -> None:
        """Nothing is promised to who asked any more; what is being recorded is recorded."""
        for gate in self._commits.values():
            gate.give_up()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _lost(self) -> None:
        for gate in self._commits.values():
            gate.give_up()
        self._left(self)

    def _received(self, packet: Packet, descriptors: list[int]) -> None:
        match packet["say"]:
            case "ask" if len(descriptors) == 1:
                self._spawn(self._asked(packet, descriptors.pop()))
            case "done":
                self._told(packet, None)
            case "failed":
                self._told(packet, str(packet["error"]))
            case "hello":
                self.duty = str(packet["duty"])
                self._joined(self)
            case "counted":
                self._ports.metrics.add(packet["counted"])
            case say if say in self._ports.told:
                self._ports.told[say](packet)
            case say:
                log.error("a guard said what is not understood: is it of this version?", say=say)
        for one in descriptors:
            os.close(one)

    def _told(self, packet: Packet, error: str | None) -> None:
        if (gate := self._commits.get(packet["serial"])) is not None:
            gate.told(error)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _asked(self, packet: Packet, descriptor: int) -> None:
        serial = packet["serial"]
        try:
            question = parse_question(packet["question"])
            if question.kind is Kind.OPEN:
                async with self._slots:  # what is read is in memory meanwhile
                    with await asyncio.to_thread(self._blob, descriptor) as blob:
                        await self._open(serial, self._item(question, blob, await asyncio.to_thread(named, question.owner)))
            else:
                with await asyncio.to_thread(self._blob, descriptor) as blob:
                    await self._commit(serial, self._item(question, blob, question.owner), question)
        except Exception as error:  # noqa: BLE001 - whatever it is, who asks must hear that there is no answer
            log.error("a question of the guard was not answered", error=dump_error(error))
            self.wire.send({"say": "sorry", "serial": serial, "error": dump_error(error)})
        finally:
            os.close(descriptor)

    async def _open(self, serial: int, item: Item) -> None:
        basis = self._ports.basis()
        verdict = await self._ports.judge(item)
        allowed = verdict.action < Action.QUARANTINE
        if not allowed:
            assert isinstance(item.origin, FileOrigin)  # noqa: S101 - made in `_item`
            log.warning("open denied", path=shown(item.origin.path), action=str(verdict.action), level=verdict.level)
        self._answer(serial, Answer(allowed=allowed, action=verdict.action, basis=basis))

    async def _commit(self, serial: int, item: Item, question: Question) -> None:
        basis = self._ports.basis()

        def say(verdict: Verdict | None, incident: str | None) -> None:
            action = Action.ALLOW if verdict is None else verdict.action
            self._answer(serial, Answer(allowed=verdict is None, action=action, incident=incident, basis=basis))

        gate = self._commits[serial] = _CommitGate(question.attributes, say)
        try:
            await self._ports.submit(item, gate)
        except Exception as error:
            if not gate.answered:
                raise  # said by the caller
            log.error("not committed", path=shown(question.path), error=dump_error(error))
            self.wire.send({"say": "closed", "serial": serial, "error": dump_error(error)})
        else:
            self.wire.send({"say": "closed", "serial": serial, "error": None})
        finally:
            del self._commits[serial]

    def _answer(self, serial: int, answer: Answer) -> None:
        self.wire.send({"say": "answer", "serial": serial, "answer": dump_answer(answer)})

    def _blob(self, descriptor: int) -> Blob:
        """The content as it is now: copied, or read in place where it is too large, and then only hashed if it matters.
        Never opened again: that would be an open to be asked about."""
        size = os.fstat(descriptor).st_size
        if _sealed(descriptor):
            return Blob(os.dup(descriptor), None, size)
        if size <= self._ports.limits().bytes:
            return Blob.of(read(descriptor, size))
        return Blob(os.dup(descriptor), "" if size > HASHED else None, size, sealed=False)

    def _item(self, question: Question, blob: Blob, owner: str) -> Item:
        origin = FileOrigin(path=question.path, volume=question.volume, owner=owner, device=question.device, inode=question.inode)
        ports = self._ports
        return Item(id=ports.new_id(), channel=question.channel, origin=origin, blob=blob, arrived=ports.clock())


class _CommitGate:
    """The guard's two verbs; implements ports.Gate. What was withheld exists nowhere but in custody."""

    destroys = True

    def __init__(self, attributes: Mapping[str, Any], say: Callable[[Verdict | None, str | None], None]) -> None:
        self.attributes = attributes
        self.answered = False
        self._say = say
        self._ended = asyncio.Event()
        self._error: str | None = None

    async def release(self) -> None:
        """Returns once the guard has committed it. Raises GateError where it could not, or is gone."""
        self.answered = True
        self._say(None, None)
        await self._ended.wait()
        if self._error is not None:
            raise GateError(f"not committed: {self._error}")

    async def withhold(self, verdict: Verdict, incident: str, held: str | None) -> None:
        """Custody has it: the guard may forget it."""
        self.answered = True
        self._say(verdict, incident)

    def told(self, error: str | None) -> None:
        """What the guard said of the commit; the first word counts."""
        if not self._ended.is_set():
            self._error = error
            self._ended.set()

    def give_up(self) -> None:
        """The guard is gone."""
        self.told("the guard is gone")


def named(owner: str) -> str:
    """The name of a user told as "uid:N", where there is one. May have to ask another machine."""
    number = owner.removeprefix("uid:")
    if number == owner or not number.isdecimal():
        return owner
    try:
        return pwd.getpwuid(int(number)).pw_name
    except (KeyError, OverflowError):
        return owner


def _sealed(descriptor: int) -> bool:
    """Whether nobody can change it any more (memfd_create(2))."""
    try:
        seals: int = fcntl.fcntl(descriptor, fcntl.F_GET_SEALS)
    except OSError:
        return False  # no memfd
    return seals & _FINAL == _FINAL
