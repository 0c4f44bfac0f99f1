"""Answers opens: the process that holds the fanotify group, and nothing that could make it wait.

One thread, one loop, no call that blocks: it reads events, hands the descriptor of what is being opened to the daemon,
and answers when the daemon has, or per `on_error` when the time is up. So a daemon that is dead, stopped or slow, and a
guard around it that died, hold nobody for longer than `on_error_seconds`.

What is remembered: that a file may be opened, by a mark in the kernel that a change of the file removes; that one may
not, by its identity, for a while. Neither outlives a change of signatures or policy.
"""

import heapq
import itertools
import os
import select
import socket
import stat
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Literal

import structlog

from dlp.channels.ask_wire import (
    Answer,
    Kind,
    Question,
    ask_socket,
    connected,
    dump_question,
    parse_answer,
    peer,
    receive,
    send,
)
from dlp.channels.fanotify import CLOSE_WRITE, Event, Group
from dlp.channels.folder_file import Identity, lease, unlease
from dlp.channels.front_wire import Packet
from dlp.metrics import Metrics
from dlp.model import Channel

log = structlog.get_logger()

DUTY = "deny-open"
DESCRIPTORS = 8192
MOST_WAITING = 3000
"""How many opens may wait at once; what comes beyond is answered by `on_error` at once. Each takes two descriptors."""
MOST_LATE = 1000
"""Questions nobody waits for any more, kept for their answer."""
STANDING = 0.05
"""Seconds a file must not have changed before it is passed over: two changes closer than that may bear one time stamp."""
REMEMBERED = 10_000
FORGOTTEN = 60.0
"""Seconds for which a denial is remembered."""
RETRY = 0.2
"""Seconds between two tries to reach the daemon."""
TELL = 1.0
"""Seconds between two reports of what was counted."""
ROUNDS = 3
"""How often a file is asked about that changes each time while it is judged; then the last answer counts."""
_ANCESTORS = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Guarded:
    """A file system that is guarded: `device` is its st_dev. `volume` is the share or the mount point, `label` the device as
    origins name it ("" for its numbers)."""

    device: int
    channel: Channel
    volume: str
    label: str
    on_error: Literal["deny", "allow"]
    on_error_seconds: float


def dump_guarded(guarded: Guarded) -> Packet:
    return asdict(guarded)


def parse_guarded(packet: Packet) -> Guarded:
    return Guarded(**packet | {"channel": Channel(packet["channel"])})


@dataclass(slots=True, eq=False)
class _Question:
    """One version of a file, and the descriptors of all who wait to open it. `content` stays open until there is an answer,
    however late, so that it can be remembered. `steady`: it had not changed for a while when it was asked about."""

    serial: int
    identity: Identity
    guarded: Guarded
    content: int
    steady: bool
    round: int = 1
    waiting: list[int] = field(default_factory=list)


class Answerer:
    """Answers what `group` asks. `trusted` are processes that are never held, besides the daemon and children of both."""

    def __init__(
        self, group: Group, state: Path, *, trusted: frozenset[int], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.metrics = Metrics()
        self.stopped = False
        self._group = group
        self._state = state
        self._trusted = trusted
        self._clock = clock
        self._guarded: dict[int, list[Guarded]] = {}
        self._told_what = False
        self._serials = itertools.count(1)
        self._questions: dict[int, _Question] = {}
        self._asked: dict[Identity, _Question] = {}
        self._unsent: dict[int, _Question] = {}
        self._late: OrderedDict[int, _Question] = OrderedDict()
        self._deadlines: list[tuple[float, int, int]] = []
        self._until: dict[int, float] = {}
        self._denied: OrderedDict[Identity, float] = OrderedDict()
        self._basis = ""
        self._daemon: socket.socket | None = None
        self._daemon_handle = -1
        self._daemon_process = 0
        self._lost_at = clock()
        self._tried_at = -RETRY
        self._told_at = clock()
        self._unjudged = 0
        self._untold: list[tuple[str, dict[str, str], float]] = []
        self.poll = select.epoll()

    def guard(self, guarded: list[Guarded]) -> None:
        """What is guarded from now on, by its device. Before this is told for the first time, nobody is answered."""
        if not self._told_what:
            self.poll.register(self._group.descriptor, select.EPOLLIN)
            self._told_what = True
        self._guarded = {}
        for one in guarded:
            self._guarded.setdefault(one.device, []).append(one)

    def orphaned(self) -> None:
        """The guard is gone: its number may become another's."""
        self._trusted = frozenset({os.getpid()})

    def stop(self) -> None:
        """Answer all who wait, as if their time were up."""
        for question in list(self._questions.values()):
            for descriptor in list(question.waiting):
                self._unanswered(question, descriptor)
        self._lose()

    def pause(self) -> float:
        """Seconds until `work` has something to do by itself."""
        now = self._clock()
        due = self._deadlines[0][0] if self._deadlines else now + TELL
        if self._daemon is None:
            due = min(due, max(self._tried_at + RETRY, now))
        return max(0.0, min(due - now, TELL))

    def ready(self, descriptor: int) -> None:
        """The poll says that this one has something."""
        if descriptor == self._group.descriptor:
            for event in self._group.events():
                self._event(event)
        elif self._daemon is not None and descriptor == self._daemon.fileno():
            self._hear()

    def work(self) -> None:
        """What is due: answers whose time is up, what was not sent, what was counted."""
        now = self._clock()
        while self._deadlines and self._deadlines[0][0] <= now:
            _, serial, descriptor = heapq.heappop(self._deadlines)
            question = self._questions.get(serial)
            if question is not None and descriptor in question.waiting:
                self._unanswered(question, descriptor)
        self._reach()
        self._send()
        if now - self._told_at >= TELL:
            self._told_at = now
            self._tell()

    # Events

    def _event(self, event: Event) -> None:
        if event.asked:
            self._open(event)
            return
        if event.mask & CLOSE_WRITE:
            # What is written through a mapping makes no event of its own, and leaves the kernel's mark where it is.
            self._group.ask_again(event.descriptor)
        os.close(event.descriptor)

    def _open(self, event: Event) -> None:
        status = os.fstat(event.descriptor)
        # A file system whose files bear other numbers than its root (subvolumes) is one of those marked all the same.
        known = self._guarded.get(status.st_dev) or next(iter(self._guarded.values()), None)
        guarded = known[0] if known else None
        if guarded is None or not stat.S_ISREG(status.st_mode) or status.st_size == 0 or self._ours(event.process):
            self._answer(event.descriptor, allowed=True)
            return
        identity = Identity.of(status)
        if self._is_denied(identity):
            self._judged(guarded, event.descriptor, allowed=False)
            return
        if len(self._until) >= MOST_WAITING:
            self._unjudge(guarded, event.descriptor)
            return
        question = self._asked.get(identity) or self._new(identity, guarded, event.descriptor, round=1)
        self._late.pop(question.serial, None)
        question.waiting.append(event.descriptor)
        self._reach()
        if self._lost_for() > guarded.on_error_seconds:
            self._unanswered(question, event.descriptor)
            return
        self._until[event.descriptor] = self._clock() + guarded.on_error_seconds
        heapq.heappush(self._deadlines, (self._until[event.descriptor], question.serial, event.descriptor))
        self._send()

    def _new(self, identity: Identity, guarded: Guarded, descriptor: int, *, round: int) -> _Question:
        steady = time.time_ns() - identity.ctime_ns > STANDING * 1e9
        question = _Question(next(self._serials), identity, guarded, os.dup(descriptor), steady, round=round)
        self._questions[question.serial] = self._unsent[question.serial] = self._asked[identity] = question
        return question

    def _ours(self, process: int) -> bool:
        """Whether it is the daemon, the guard or a child of either: were they held, nobody would be answered."""
        trusted = self._trusted | ({self._daemon_process} if self._daemon_lives() else set())
        for _ in range(_ANCESTORS):
            if process in trusted:
                return True
            if process <= 1:
                return False
            process = _parent(process)
        return False

    def _daemon_lives(self) -> bool:
        """Its number is not another's by now."""
        if self._daemon_handle < 0:
            return False
        poll = select.poll()
        poll.register(self._daemon_handle, select.POLLIN)
        return not poll.poll(0)

    # Answers

    def _answer(self, descriptor: int, *, allowed: bool) -> None:
        self._until.pop(descriptor, None)
        self._group.answer(descriptor, allowed=allowed)
        os.close(descriptor)

    def _judged(self, guarded: Guarded, descriptor: int, *, allowed: bool) -> None:
        self.metrics.opens.labels(guarded.channel.value, "allow" if allowed else "deny").inc()
        self._answer(descriptor, allowed=allowed)

    def _unanswered(self, question: _Question, descriptor: int) -> None:
        """The time is up for one who waits. What is asked stays asked: the answer may help the next one."""
        question.waiting.remove(descriptor)
        self._unjudge(question.guarded, descriptor)
        if self._daemon is None and not question.waiting:
            self._drop(question)
        elif not question.waiting:
            self._late[question.serial] = question
            if len(self._late) > MOST_LATE:
                self._drop(next(iter(self._late.values())))

    def _unjudge(self, guarded: Guarded, descriptor: int) -> None:
        self.metrics.opens_unjudged.labels(guarded.channel.value, guarded.on_error).inc()
        self._unjudged += 1
        self._answer(descriptor, allowed=guarded.on_error == "allow")

    def _drop(self, question: _Question) -> None:
        del self._questions[question.serial]
        del self._asked[question.identity]
        self._unsent.pop(question.serial, None)
        self._late.pop(question.serial, None)
        os.close(question.content)

    def _answered(self, question: _Question, answer: Answer) -> None:
        if answer.allowed and question.waiting and question.round < ROUNDS:
            identity = Identity.of(os.fstat(question.content))
            if identity != question.identity:
                self._ask_anew(question, identity)
                return
        if answer.basis == self._basis:
            self._remember(question, allowed=answer.allowed)
        for descriptor in question.waiting:
            self._judged(question.guarded, descriptor, allowed=answer.allowed)
        self._drop(question)

    def _ask_anew(self, question: _Question, identity: Identity) -> None:
        """It changed while it was judged: who waits would get something else. Each has the rest of his time."""
        fresh = self._asked.get(identity) or self._new(identity, question.guarded, question.content, round=question.round + 1)
        for descriptor in question.waiting:
            fresh.waiting.append(descriptor)
            heapq.heappush(self._deadlines, (self._until[descriptor], fresh.serial, descriptor))
        self._drop(question)
        self._send()

    def _remember(self, question: _Question, *, allowed: bool) -> None:
        if not allowed:
            self._denied[question.identity] = self._clock() + FORGOTTEN
            while len(self._denied) > REMEMBERED:
                self._denied.popitem(last=False)
            return
        if not question.steady or not _unwritten(question.content):
            return
        try:
            self._group.pass_over(question.content)
        except OSError as error:
            log.warning("a verdict is not remembered", error=error.strerror)
            return
        if Identity.of(os.fstat(question.content)) != question.identity:
            # It changed before the mark stood, which removes only marks that stand.
            self._group.ask_again(question.content)

    def _is_denied(self, identity: Identity) -> bool:
        until = self._denied.get(identity)
        if until is not None and until < self._clock():
            del self._denied[identity]
            until = None
        return until is not None

    def _forget(self) -> None:
        self._denied.clear()
        self._group.ask_all_again()

    # The daemon

    def _lost_for(self) -> float:
        """Seconds for which there has been no daemon to ask."""
        return 0.0 if self._daemon is not None else self._clock() - self._lost_at

    def _reach(self) -> None:
        now = self._clock()
        if self._daemon is not None or now - self._tried_at < RETRY:
            return
        self._tried_at = now
        try:
            self._daemon = connected(ask_socket(self._state), timeout=0)
        except OSError:
            return
        self._daemon_process, _ = peer(self._daemon)
        try:
            self._daemon_handle = os.pidfd_open(self._daemon_process)
            send(self._daemon, {"say": "hello", "duty": DUTY})
        except OSError:
            self._lose()
            return
        self.poll.register(self._daemon.fileno(), select.EPOLLIN)
        log.info("asking the daemon", pid=self._daemon_process)

    def _lose(self) -> None:
        """There is no daemon: who waits goes on waiting for the next one, while there is time."""
        if self._daemon is None:
            return
        self._lost_at = self._clock()
        log.error("the daemon is gone; opens are answered by on_error until it is back")
        self._daemon.close()
        if self._daemon_handle >= 0:
            os.close(self._daemon_handle)
        self._daemon, self._daemon_handle = None, -1
        for question in list(self._questions.values()):
            if not question.waiting:
                self._drop(question)
        self._unsent = dict(self._questions)

    def _send(self) -> None:
        """Ask what is not asked yet, as far as the socket takes it."""
        while self._daemon is not None and self._unsent:
            serial, question = next(iter(self._unsent.items()))
            packet = {"say": "ask", "serial": serial, "question": dump_question(self._question(question))}
            try:
                send(self._daemon, packet, [question.content])
            except BlockingIOError:
                return  # tried again within TELL, and after each answer
            except OSError:
                self._lose()
                return
            del self._unsent[serial]

    def _question(self, question: _Question) -> Question:
        identity = question.identity
        try:
            path = os.readlink(f"/proc/self/fd/{question.content}")
        except OSError:  # deeper than a page holds
            path = f"{question.guarded.volume}/(inode {identity.inode})"
        places = self._guarded.get(question.guarded.device, [])
        guarded = next((one for one in places if path.startswith(f"{one.volume.rstrip('/')}/")), question.guarded)
        return Question(
            kind=Kind.OPEN,
            channel=guarded.channel,
            path=path,
            volume=guarded.volume,
            owner=f"uid:{os.fstat(question.content).st_uid}",  # whose name it is may have to be asked of another machine
            device=guarded.label or f"{os.major(identity.device)}:{os.minor(identity.device)}",
            inode=identity.inode,
        )

    def _hear(self) -> None:
        while self._daemon is not None:
            try:
                packet, descriptors = receive(self._daemon)
            except BlockingIOError:
                return
            except (OSError, ValueError):
                self._lose()
                return
            for one in descriptors:
                os.close(one)
            self._heard(packet)
            self._send()

    def _heard(self, packet: Packet) -> None:
        match packet["say"]:
            case "basis":
                if packet["basis"] != self._basis:
                    self._basis = packet["basis"]
                    self._forget()
            case "answer":
                if (question := self._questions.get(packet["serial"])) is not None:
                    self._answered(question, parse_answer(packet["answer"]))
            case "sorry":
                # It failed, and would again: there is no sense in waiting for the time to be up.
                if (question := self._questions.get(packet["serial"])) is not None:
                    for descriptor in list(question.waiting):
                        self._unanswered(question, descriptor)
                    if question.serial in self._questions:
                        self._drop(question)

    def _tell(self) -> None:
        if self._unjudged:
            log.error("opens answered by on_error, without a verdict", opens=self._unjudged)
            self._unjudged = 0
        self._untold += self.metrics.taken()
        if self._daemon is None or not self._untold:
            return
        try:
            send(self._daemon, {"say": "counted", "counted": self._untold})
        except BlockingIOError:
            return  # told with the next
        except OSError:
            self._lose()
            return
        self._untold = []


def _unwritten(descriptor: int) -> bool:
    """Nobody has the file open for writing, as far as the kernel says."""
    free = lease(descriptor)
    if free:
        unlease(descriptor)
    return free is not False


def _parent(process: int) -> int:
    """The process's parent (proc(5), field 4 of /proc/PID/stat); 0 where there is no such process."""
    try:
        with open(f"/proc/{process}/stat", "rb") as file:
            # The second field is the command in parentheses and may hold spaces and parentheses itself.
            return int(file.read().rpartition(b")")[2].split()[1])
    except (OSError, IndexError, ValueError):
        return 0
