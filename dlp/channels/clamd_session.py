"""What is said on one connection to the clamd socket, from the first request to the last reply."""

import asyncio
import functools
import os
from collections.abc import Callable, Coroutine, Iterable
from typing import TYPE_CHECKING, Any

import structlog

from dlp.channels import clamd_wire as wire
from dlp.channels.clamd_connection import Connection
from dlp.channels.clamd_content import Listing, Unreadable, listing, resolved
from dlp.channels.clamd_wire import Command, Refused

if TYPE_CHECKING:
    from dlp.channels.clamd import ClamdServer

log = structlog.get_logger()

COMMAND_SECONDS = 30.0
"""How long a request may take to come, once the connection stands."""
IDLE_SECONDS = 120.0
"""How long a session may be silent, and a stream."""
STREAM_SECONDS = 600.0
"""How long a stream may take to come."""
MOST_UNDER_WAY = 64
"""Requests of one session that are answered at once; of further ones nothing is read meanwhile."""
MOST_NAMES = 250_000
"""Names met in one tree."""
FOLDER = b"It is a folder. ERROR"
"""What the server says of a folder."""
STOPPING = b"The daemon is being stopped. ERROR"


class Session:
    """One connection, to its end."""

    def __init__(self, server: "ClamdServer", connection: Connection) -> None:
        self._server = server
        self._connection = connection
        self._under_way: set[asyncio.Task[None]] = set()
        self._number: int | None = None

    async def run(self) -> None:
        """Answer what is asked, until the asker ends, or says what cannot be served. Raises OSError where he hung up."""
        try:
            await self._converse()
        except Refused as refused:
            await self._finished()
            await self._connection.send(wire.reply(refused.reply, refused.end, self._number))
        finally:
            for task in self._under_way:
                task.cancel()

    async def _converse(self) -> None:
        command = await self._command(COMMAND_SECONDS)
        if command is None:
            return
        if command.name != "IDSESSION":
            if command.name == "END":
                raise Refused(wire.UNKNOWN, command.end)
            await (await self._begun(command, None))
            return
        number = 0
        while True:
            self._number = number = number + 1
            command = await self._command(IDLE_SECONDS, inside=True)
            if command is None or command.name == "END":
                break
            task = asyncio.create_task(await self._begun(command, number))
            self._under_way.add(task)
            task.add_done_callback(self._ended)
            if len(self._under_way) >= MOST_UNDER_WAY:
                await asyncio.wait(self._under_way, return_when=asyncio.FIRST_COMPLETED)
        await self._finished()

    async def _finished(self) -> None:
        if self._under_way:
            await asyncio.wait(self._under_way)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._under_way.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.info("clamd request not answered", error=type(error).__name__)

    async def _command(self, seconds: float, *, inside: bool = False) -> Command | None:
        """The next request; None where there is none. Raises Refused, OSError."""
        end = asyncio.get_running_loop().time() + seconds
        while (command := self._connection.input.command(inside=inside)) is None:
            left = end - asyncio.get_running_loop().time()
            try:
                more = await self._connection.receive(left)
            except TimeoutError:
                if inside and self._under_way:  # he waits for us, not we for him
                    await self._finished()
                    end = asyncio.get_running_loop().time() + seconds
                    continue
                raise Refused(wire.SLOW, b"\n") from None
            if not more:
                return None
        return command

    async def _begun(self, command: Command, number: int | None) -> Coroutine[Any, Any, None]:
        """What remains to be done for a request once everything that belongs to it has come. Raises Refused, OSError."""
        match command.name:
            case "PING":
                return self._say(b"PONG", command, number)
            case "VERSION":
                return self._say(self._version(), command, number)
            case "VERSIONCOMMANDS":
                offered = " ".join(wire.OFFERED).encode()
                return self._say(self._version() + b"| COMMANDS: " + offered, command, number)
            case "STATS":
                return self._say(self._stats(), command, number)
            case "INSTREAM":
                return await self._stream(command, number)
            case "FILDES":
                return await self._descriptor(command, number)
            case "SCAN" | "CONTSCAN" | "MULTISCAN" | "ALLMATCHSCAN":
                return self._scan(command, number)
            case _:
                raise Refused(wire.UNAVAILABLE, command.end)

    async def _say(self, text: bytes, command: Command, number: int | None) -> None:
        await self._connection.send(wire.reply(text, command.end, number))

    def _version(self) -> bytes:
        about = self._server.about
        return f"dlp {about.version}/{about.signatures()}".encode()

    def _stats(self) -> bytes:
        """In clamd's form, with what there is of it here: files in work and files waiting."""
        server = self._server
        busy, most = server.working, server.most_at_once
        return (
            "POOLS: 1\n\nSTATE: VALID PRIMARY\n"
            f"THREADS: live {most}  idle {most - busy} max {most} idle-timeout 0\n"
            f"QUEUE: {server.waiting} items\n\n"
            "MEMSTATS: heap N/A mmap N/A used N/A free N/A releasable N/A pools 0 pools_used N/A pools_total N/A\nEND"
        ).encode()

    # Content that is handed over

    async def _stream(self, command: Command, number: int | None) -> Coroutine[Any, Any, None]:
        storage = self._server.storage()
        if storage is None:
            raise _no_room(command, number)
        try:
            async with asyncio.timeout(STREAM_SECONDS):
                while length := await self._length():
                    await self._chunk(storage, length, command, number)
        except TimeoutError:
            storage.close()
            raise Refused(wire.SLOW, command.end) from None
        except BaseException:
            storage.close()
            raise
        judged = self._server.judge_stream(storage, self._connection)
        return self._tell_of_stream(judged, command, number)

    async def _length(self) -> int:
        while (length := self._connection.input.length()) is None:
            await self._more()
        return length

    async def _chunk(self, storage: Any, length: int, command: Command, number: int | None) -> None:
        if storage.size + length > self._server.settings.max_stream:
            raise Refused(wire.TOO_LARGE, command.end)
        while length:
            if not self._connection.input:
                await self._more()
            data = self._connection.input.data(length)
            storage.keep(data)
            if storage.wrong:  # memory, or the room of all streams: its size has been looked at
                raise _no_room(command, number)
            length -= len(data)

    async def _descriptor(self, command: Command, number: int | None) -> Coroutine[Any, Any, None]:
        while not self._connection.input.byte():
            await self._more()
        descriptor = self._connection.descriptor()
        if descriptor is None:
            raise Refused(wire.NO_DESCRIPTOR, command.end)
        judged = self._server.judge_descriptor(descriptor, self._connection)
        return self._tell(b"fd[%d]" % descriptor, judged, command, number)

    async def _more(self) -> None:
        """Raises ConnectionResetError where the asker ends in the middle: half a document is not judged."""
        if not await self._connection.receive(IDLE_SECONDS):
            raise ConnectionResetError("the asker ended in the middle")

    async def _tell(self, label: bytes, judged: asyncio.Task[bytes], command: Command, number: int | None) -> None:
        await self._say(wire.line(label, await asyncio.shield(judged), command.end), command, number)

    async def _tell_of_stream(self, judged: asyncio.Task[bytes], command: Command, number: int | None) -> None:
        """See `_no_room`: of what could not be judged nothing is said."""
        if number is None and (await asyncio.shield(judged)).endswith(b" ERROR"):
            log.warning("clamd stream not judged: hung up")
            return
        await self._tell(b"stream", judged, command, number)

    # Content that has a path

    async def _scan(self, command: Command, number: int | None) -> None:
        scan = Scan(self._server, self._connection, command, lambda text: self._say(text, command, number))
        await scan.run()


def _no_room(command: Command, number: int | None) -> Exception:
    """What ends a stream that there is no room for.

    Outside a session we hang up without a word. All who ask take that for a failure, but an ERROR about a stream makes
    rspamd (3.4, lua_scanners/clamav.lua) let the message pass as if it had never asked. In a session a word is due, for
    hanging up would take the answers to other requests away.
    """
    return Refused(wire.NO_ROOM, command.end) if number is not None else ConnectionAbortedError("no room for a stream")


class Scan:
    """One request about a path: a file, or every file of a tree.

    SCAN and ALLMATCHSCAN end with the first that is found, CONTSCAN and MULTISCAN do not; MULTISCAN has several in work.
    Of a tree only what is not OK is told, and, where that is nothing, that the whole is.
    """

    def __init__(
        self, server: "ClamdServer", connection: Connection, command: Command, say: Callable[[bytes], Coroutine[Any, Any, None]]
    ) -> None:
        self._server = server
        self._connection = connection
        self._end = command.end
        self._path = os.fsdecode(command.argument)
        self._first = command.name in ("SCAN", "ALLMATCHSCAN")
        self._ahead = server.most_at_once if command.name == "MULTISCAN" else 1
        self._say = say
        self._told = False
        self._found = False
        self._root = ""

    async def run(self) -> None:
        """Raises OSError where the asker hung up."""
        try:
            self._root = await self._server.read(functools.partial(resolved, self._path, self._connection.asker))
        except Unreadable as error:
            await self._tell("", f"{error} ERROR".encode())
            return
        result = await self._judged("")
        if result != FOLDER:
            await self._tell("", result)
            return
        await self._walk()
        if not self._told:
            await self._tell("", b"OK")

    async def _walk(self) -> None:
        waiting, left = [""], MOST_NAMES
        while waiting and not await self._over():
            folder = waiting.pop()
            inside = await self._listed(folder, left)
            if inside is None:
                continue
            await self._files([_joined(folder, name) for name in inside.files])
            waiting += [_joined(folder, name) for name in reversed(inside.folders)]
            left -= len(inside.files) + len(inside.folders)
            if inside.more:
                await self._tell(folder, b"Too many files, not all of them were read. ERROR")
                return

    async def _over(self) -> bool:
        if self._connection.gone():
            raise ConnectionResetError("the asker has hung up")
        if self._server.stopping:
            await self._tell("", STOPPING)
            return True
        return self._first and self._found

    async def _listed(self, folder: str, most: int) -> Listing | None:
        try:
            return await self._server.read(functools.partial(listing, self._place(folder), self._connection.asker, most))
        except Unreadable as error:
            await self._tell(folder, f"{error} ERROR".encode())
            return None

    async def _files(self, paths: Iterable[str]) -> None:
        under_way: set[asyncio.Task[None]] = set()
        try:
            for path in paths:
                if await self._over():
                    break
                under_way.add(asyncio.create_task(self._one(path)))
                if len(under_way) >= self._ahead:
                    done, under_way = await asyncio.wait(under_way, return_when=asyncio.FIRST_COMPLETED)
                    for task in done:
                        task.result()
            await asyncio.gather(*under_way)
        finally:
            for task in under_way:
                task.cancel()

    async def _one(self, path: str) -> None:
        if (result := await self._judged(path)) != b"OK":
            await self._tell(path, result)

    async def _judged(self, path: str) -> bytes:
        return await asyncio.shield(self._server.judge_path(self._place(path), self._connection))

    def _place(self, path: str) -> str:
        return _joined(self._root, path) if path else self._root

    async def _tell(self, path: str, result: bytes) -> None:
        self._told = True
        self._found = self._found or result.endswith(b" FOUND")
        label = _joined(self._path, path) if path else self._path
        await self._say(wire.line(os.fsencode(label), result, self._end))


def _joined(folder: str, name: str) -> str:
    return f"{folder.rstrip('/')}/{name}" if folder else name
