"""Channel `clamd`: other servers ask, in the protocol of clamd, and our verdict is the answer.

ALLOW and ALERT are OK, QUARANTINE and BLOCK are FOUND with the name DLP.LEVEL.INCIDENT, and what could not be read or
judged in time is ERROR, never OK. We touch nothing: what becomes of the file is the asker's affair. The connection ends
with the reply, but in a session (IDSESSION).
"""

import asyncio
import contextlib
import os
import socket
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

import structlog

from dlp.channels.clamd_connection import Connection
from dlp.channels.clamd_content import Content, Folder, Unreadable, of_file, of_path, of_stream, path_of
from dlp.channels.clamd_gate import ClamdGate
from dlp.channels.clamd_session import FOLDER, Session
from dlp.channels.clamd_settings import ClamdSettings
from dlp.channels.milter_socket import SocketFile
from dlp.channels.smtp_wire import Room, Storage
from dlp.errors import DLPError
from dlp.metrics import Metrics
from dlp.model import Action, Channel, Item, Limits
from dlp.ports import Outcome, Submit

log = structlog.get_logger()

BACKLOG = 1024
MOST_STREAMS = 1000
FAREWELL = 5.0
"""Seconds after the last deadline within which every asker has his answer when we stop."""
FAILED = b"Internal error, ask again later. ERROR"
LATE = b"Time limit reached ERROR"
T = TypeVar("T")

Result = asyncio.Task[bytes]
Take = Callable[[], Content]
"""Reads what is to be judged; called in a thread. Raises OSError, Unreadable."""


@dataclass(frozen=True, slots=True, kw_only=True)
class About:
    """What VERSION and STATS tell of the daemon."""

    version: str
    signatures: Callable[[], int]


class ClamdServer:
    """Answers on the socket of `[clamd]` from `start` to `stop`. `folder`: where large streams lie, without a name.

    Who cannot be served at once waits in the socket's queue. As many files are read and judged at once as keep every
    processor busy; they are read in threads of their own, so that a file system that hangs is not in anybody else's way.
    """

    def __init__(
        self,
        settings: ClamdSettings,
        submit: Submit,
        metrics: Metrics,
        *,
        limits: Callable[[], Limits],
        clock: Callable[[], datetime],
        new_id: Callable[[], str],
        about: About,
        folder: Path | None = None,
    ) -> None:
        self.settings = settings
        self.about = about
        self.most_at_once = (os.cpu_count() or 1) + 1
        self._submit = submit
        self._limits = limits
        self._clock = clock
        self._new_id = new_id
        self._folder = folder
        self._room = Room(messages=MOST_STREAMS, bytes=settings.max_bytes_in_flight)
        self._queue = metrics.queue_items.labels(Channel.CLAMD.value)
        self._sessions: set[asyncio.Task[None]] = set()
        self._connections: set[Connection] = set()
        self._works: set[Result] = set()
        self._file: SocketFile | None = None
        self.stopping = False
        self.waiting = self.working = 0

    async def start(self) -> None:
        """Listen. Raises OSError."""
        self._slots = asyncio.Semaphore(self.most_at_once)
        self._places = asyncio.Semaphore(self.settings.max_sessions)
        self._readers = ThreadPoolExecutor(self.most_at_once, thread_name_prefix="clamd")
        self._file = SocketFile.bound(self.settings.socket, mode=self.settings.mode, group=self.settings.group_id())
        self._file.socket.listen(BACKLOG)
        self._file.socket.setblocking(False)
        self._accepting = asyncio.create_task(self._accept(self._file.socket))

    async def stop(self) -> None:
        """Take nothing new; answer what is under way."""
        self.stopping = True
        if self._file is None:
            return
        self._accepting.cancel()
        await asyncio.gather(self._accepting, return_exceptions=True)
        self._file.remove()
        self._file.socket.close()
        self._file = None
        for connection in self._connections:
            connection.deafen()
        if self._sessions:
            await asyncio.wait(self._sessions, timeout=self.settings.deadline_seconds + FAREWELL)
        for session in self._sessions:
            session.cancel()
        while self._works or self._sessions:
            await asyncio.wait({*self._works, *self._sessions})
        await asyncio.to_thread(self._readers.shutdown)

    async def _accept(self, listener: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await self._places.acquire()
            try:
                peer, _ = await loop.sock_accept(listener)
            except OSError as error:  # such as EMFILE: somebody has to leave first
                self._places.release()
                log.error("clamd connection not taken", error=error.strerror)
                await asyncio.sleep(1)
                continue
            except asyncio.CancelledError:
                self._places.release()
                raise
            task = asyncio.create_task(self._serve(peer))
            self._sessions.add(task)
            task.add_done_callback(self._sessions.discard)

    async def _serve(self, peer: socket.socket) -> None:
        try:
            with contextlib.closing(peer):
                connection = Connection(peer)
                with contextlib.closing(connection), self._known(connection):
                    await Session(self, connection).run()
        except OSError as error:  # he has hung up, or does not listen
            log.info("clamd connection broken", error=error.strerror or type(error).__name__)
        except Exception as error:  # noqa: BLE001 - a bug ends this connection only; its text may quote content
            log.error("clamd connection failed", error=type(error).__name__)
        finally:
            self._places.release()

    @contextlib.contextmanager
    def _known(self, connection: Connection) -> Iterator[None]:
        self._connections.add(connection)
        try:
            if self.stopping:
                connection.deafen()
            yield
        finally:
            self._connections.discard(connection)

    # What a session asks

    def storage(self) -> Storage | None:
        """Where a stream is kept; None while there is no room for one more."""
        return Storage(limit=self.settings.max_stream, room=self._room, folder=self._folder) if self._room.enter() else None

    async def read(self, ask: Callable[[], T]) -> T:
        """What `ask` returns, called in one of our threads. Raises Unreadable where that takes too long."""
        try:
            async with asyncio.timeout(self.settings.deadline_seconds):
                return await self._threaded(ask)
        except TimeoutError:
            raise Unreadable("Time limit reached") from None

    async def _threaded(self, ask: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._readers, ask)

    # Each of these takes over what it is given, and begins at once. The result is what is said of it.

    def judge_path(self, path: str, connection: Connection) -> Result:
        """The result for the file at `path`, which has no links in it; FOLDER where it is a folder."""
        return self._judge(lambda: of_path(path, connection.asker, self._limits().bytes), connection, None)

    def judge_descriptor(self, descriptor: int, connection: Connection) -> Result:
        """The result for an open file."""

        def take() -> Content:
            return of_file(descriptor, path_of(descriptor, connection.asker), self._limits().bytes)

        return self._judge(take, connection, lambda: os.close(descriptor))

    def judge_stream(self, storage: Storage, connection: Connection) -> Result:
        """The result for a stream that has come whole."""
        return self._judge(lambda: of_stream(storage.blob(), connection.asker), connection, storage.close)

    def _judge(self, take: Take, connection: Connection, drop: Callable[[], None] | None) -> Result:
        gate = ClamdGate(connection.gone)
        work = self._begin(self._work(take, gate, drop))
        return self._begin(self._in_time(work, gate))

    def _begin(self, coroutine: Coroutine[Any, Any, bytes]) -> Result:
        task = asyncio.create_task(coroutine)
        self._works.add(task)
        task.add_done_callback(self._works.discard)
        return task

    async def _in_time(self, work: Result, gate: ClamdGate) -> bytes:
        """What was begun goes on to its end after the deadline as well; only the answer to it is an error then."""
        done, _ = await asyncio.wait({work}, timeout=self.settings.deadline_seconds)
        return LATE if not done and gate.expire() else await work

    async def _work(self, take: Take, gate: ClamdGate, drop: Callable[[], None] | None) -> bytes:
        arrived = self._clock()
        self._queue.inc()
        self.waiting += 1
        try:
            async with self._slots:
                self.waiting -= 1
                self.working += 1
                try:
                    return await self._result(take, gate, arrived) if not gate.expired else LATE
                finally:
                    self.working -= 1
        finally:
            self._queue.dec()
            if drop is not None:
                drop()

    async def _result(self, take: Take, gate: ClamdGate, arrived: datetime) -> bytes:
        """What is said of one content, whatever happens; a fault of ours is never OK."""
        try:
            content = await self._threaded(take)
            with content.blob:
                gate.holds(content.attributes)
                item = Item(id=self._new_id(), channel=Channel.CLAMD, origin=content.origin, blob=content.blob, arrived=arrived)
                return result(await self._submit(item, gate))
        except Folder:
            return FOLDER
        except Unreadable as error:
            return f"{error} ERROR".encode()
        except OSError as error:
            log.warning("clamd could not read", error=error.strerror)
            return f"{error.strerror}. ERROR".encode()
        except DLPError as error:
            log.error("clamd could not judge", error=type(error).__name__, reason=str(error))
        except Exception as error:  # noqa: BLE001 - a bug must not become OK; its text may quote content
            log.error("clamd could not judge", error=type(error).__name__)
        return FAILED


def result(outcome: Outcome) -> bytes:
    """The verdict in clamd's words."""
    verdict = outcome.verdict
    if verdict.action < Action.QUARANTINE:
        return b"OK"
    return f"DLP.{verdict.level or 'none'}.{outcome.incident} FOUND".encode()
