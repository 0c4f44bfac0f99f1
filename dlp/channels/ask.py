"""The guard's end of the ask socket: `Asker` for threads, `AskClient` for an event loop.

Whoever asks decides what is done without an answer, which is an AskError: the daemon is dead, is stopped, takes too
long, or failed.
"""

import asyncio
import contextlib
import itertools
import os
import socket
import threading
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

from dlp.channels.ask_wire import (
    Answer,
    Kind,
    Question,
    ask_socket,
    connected,
    dump_question,
    parse_answer,
    receive,
    send,
)
from dlp.channels.front_wire import FrontWire, Packet, parse_error
from dlp.errors import AskError

__all__ = ["Answer", "AskClient", "AskError", "Asker", "Commit", "Kind", "Question", "ask_socket"]

DEAD = "the daemon does not answer"


class Commit:
    """The answer to a commit. Where it allows, exactly one of `done` and `failed` is to be called."""

    def __init__(self, answer: Answer) -> None:
        self.answer = answer
        self.error: str | None = "given up"

    def done(self) -> None:
        """It is there, durably."""
        self.error = None

    def failed(self, error: str) -> None:
        """It is not; `error` says why, without content."""
        self.error = error


class Asker:
    """Asks from any thread, as many at once as there are threads. `duty` is what the daemon knows this guard by.

    A connection serves one question at a time and is used again; one that went wrong is closed, by which the daemon
    knows that nobody waits for its answer any more.
    """

    def __init__(self, path: Path, duty: str) -> None:
        self._path = path
        self._duty = duty
        self._lock = threading.Lock()
        self._idle: list[socket.socket] = []
        self._serials = itertools.count(1)

    def connect(self, timeout: float) -> None:
        """Connect now, so that the daemon sees that the duty is done before anything is asked. Raises AskError."""
        with self._using(time.monotonic() + timeout) as connection:
            self._give_back(connection)

    def open(self, question: Question, descriptor: int, timeout: float) -> Answer:
        """The answer, `timeout` seconds from now at the latest. Raises AskError."""
        until = time.monotonic() + timeout
        with self._using(until) as connection:
            answer = self._asked(connection, question, descriptor, until)[1]
            self._give_back(connection)
            return answer

    @contextlib.contextmanager
    def commit(self, question: Question, descriptor: int, timeout: float) -> Iterator[Commit]:
        """The answer, `timeout` seconds from now at the latest; on leaving, the daemon hears what became of it. Raises
        AskError where there is no answer, and on leaving where the record could not be closed within `timeout`."""
        until = time.monotonic() + timeout
        with self._using(until) as connection:
            serial, answer = self._asked(connection, question, descriptor, until)
        commit = Commit(answer)
        try:
            yield commit
        except BaseException as error:
            commit.failed(type(error).__name__)
            with contextlib.suppress(AskError):  # the first error is the one to raise
                self._close(connection, serial, commit, timeout)
            raise
        self._close(connection, serial, commit, timeout)

    def close(self) -> None:
        """Give the connections up."""
        with self._lock:
            idle, self._idle = self._idle, []
        for one in idle:
            one.close()

    @contextlib.contextmanager
    def _using(self, until: float) -> Iterator[socket.socket]:
        """A connection, closed if anything goes wrong with it."""
        try:
            connection = self._taken() or self._new(until)
        except OSError as error:
            raise AskError(f"{DEAD}: {error}") from error
        with _guarded(connection):
            yield connection

    def _taken(self) -> socket.socket | None:
        while True:
            with self._lock:
                if not self._idle:
                    return None
                connection = self._idle.pop()
            if not _ended(connection):
                return connection

    def _give_back(self, connection: socket.socket) -> None:
        with self._lock:
            self._idle.append(connection)

    def _new(self, until: float) -> socket.socket:
        connection = connected(self._path, timeout=_left(until))
        send(connection, {"say": "hello", "duty": self._duty})
        return connection

    def _asked(self, connection: socket.socket, question: Question, descriptor: int, until: float) -> tuple[int, Answer]:
        serial = next(self._serials)
        connection.settimeout(_left(until))
        send(connection, {"say": "ask", "serial": serial, "question": dump_question(question)}, [descriptor])
        packet = _next(connection, serial, until)
        if packet["say"] == "sorry":
            raise AskError(f"the daemon failed: {parse_error(packet['error'])}")
        return serial, parse_answer(packet["answer"])

    def _close(self, connection: socket.socket, serial: int, commit: Commit, timeout: float) -> None:
        until = time.monotonic() + timeout
        with _guarded(connection):
            connection.settimeout(timeout)
            if commit.answer.allowed:
                send(connection, _outcome(serial, commit))
            error = parse_error(_next(connection, serial, until)["error"])
            self._give_back(connection)
        if error is not None and commit.error is None:
            raise AskError(f"committed, but the daemon failed: {error}")


class AskClient:
    """Asks from one event loop, many at once over one connection, which is made anew when it is lost."""

    def __init__(self, path: Path, duty: str) -> None:
        self._path = path
        self._duty = duty
        self._wire: FrontWire | None = None
        self._serials = itertools.count(1)
        self._waiting: dict[int, asyncio.Queue[Packet | None]] = {}

    def connect(self) -> None:
        """Connect now, if it is not. Raises AskError. Does not block: the socket is a local one."""
        self._connected()

    def say(self, packet: Packet) -> None:
        """Something that is no question; see `AskPorts.told`. Raises AskError."""
        self._connected().send(packet)

    async def open(self, question: Question, descriptor: int, timeout: float) -> Answer:
        """The answer, `timeout` seconds from now at the latest. Raises AskError."""
        with self._asking(question, descriptor) as (_, answers):
            return _answered(await _in_time(answers, timeout))

    @contextlib.asynccontextmanager
    async def commit(self, question: Question, descriptor: int, timeout: float) -> AsyncIterator[Commit]:
        """As `Asker.commit`."""
        with self._asking(question, descriptor) as (serial, answers):
            try:
                commit = Commit(_answered(await _in_time(answers, timeout)))
            except AskError:
                # An answer that comes too late must not leave the daemon waiting for the commit.
                self._tell({"say": "failed", "serial": serial, "error": "the guard did not wait any longer"})
                raise
            try:
                yield commit
            except BaseException as error:
                commit.failed(type(error).__name__)
                raise
            finally:
                if commit.answer.allowed:
                    self._tell(_outcome(serial, commit))
            recorded = parse_error((await _in_time(answers, timeout))["error"])
            if recorded is not None and commit.error is None:
                raise AskError(f"committed, but the daemon failed: {recorded}")

    def close(self) -> None:
        """Give the connection up; who waits for an answer gets an AskError."""
        if self._wire is not None:
            self._wire.close()
            self._lost()

    @contextlib.contextmanager
    def _asking(self, question: Question, descriptor: int) -> Iterator[tuple[int, "asyncio.Queue[Packet | None]"]]:
        serial = next(self._serials)
        answers = self._waiting[serial] = asyncio.Queue()
        try:
            self._connected().send({"say": "ask", "serial": serial, "question": dump_question(question)}, [descriptor])
            yield serial, answers
        finally:
            del self._waiting[serial]

    def _connected(self) -> FrontWire:
        if self._wire is None:
            try:
                connection = connected(self._path, timeout=0)
            except OSError as error:
                raise AskError(f"{DEAD}: {error}") from error
            self._wire = FrontWire(connection, self._received, self._lost)
            self._wire.send({"say": "hello", "duty": self._duty})
        return self._wire

    def _tell(self, packet: Packet) -> None:
        if self._wire is not None:
            self._wire.send(packet)

    def _received(self, packet: Packet, descriptors: list[int]) -> None:
        for one in descriptors:
            os.close(one)
        if (answers := self._waiting.get(packet.get("serial", 0))) is not None:
            answers.put_nowait(packet)

    def _lost(self) -> None:
        self._wire = None
        for answers in self._waiting.values():
            answers.put_nowait(None)


def _answered(packet: Packet) -> Answer:
    if packet["say"] == "sorry":
        raise AskError(f"the daemon failed: {parse_error(packet['error'])}")
    return parse_answer(packet["answer"])


async def _in_time(answers: "asyncio.Queue[Packet | None]", timeout: float) -> Packet:
    try:
        async with asyncio.timeout(timeout):
            packet = await answers.get()
    except TimeoutError:
        raise AskError(f"{DEAD} within {timeout:g} s") from None
    if packet is None:
        raise AskError(f"{DEAD}: it is gone")
    return packet


def _outcome(serial: int, commit: Commit) -> Packet:
    return {"say": "done" if commit.error is None else "failed", "serial": serial, "error": commit.error}


def _next(connection: socket.socket, serial: int, until: float) -> Packet:
    """The next packet about this question."""
    while True:
        connection.settimeout(_left(until))
        packet, held = receive(connection)
        for one in held:
            os.close(one)
        if packet.get("serial") == serial:
            return packet


def _left(until: float) -> float:
    """Seconds until then. Raises TimeoutError where it is past: a timeout of 0 would mean not to wait at all."""
    if (left := until - time.monotonic()) <= 0:
        raise TimeoutError("timed out")
    return left


def _ended(connection: socket.socket) -> bool:
    """Whether the other end is gone, found out without waiting; what it said meanwhile (a new basis) is passed over."""
    connection.settimeout(0)
    try:
        while True:
            _, held = receive(connection)
            for one in held:
                os.close(one)
    except BlockingIOError:
        return False
    except OSError:
        connection.close()
        return True


@contextlib.contextmanager
def _guarded(connection: socket.socket) -> Iterator[None]:
    """Closes the connection if anything goes wrong with it, by which the daemon knows that nobody waits any more."""
    try:
        yield
    except (OSError, ValueError, KeyError) as error:
        connection.close()
        raise AskError(f"{DEAD}: {error}") from error
    except BaseException:
        connection.close()
        raise
