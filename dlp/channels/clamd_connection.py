"""One connection to the clamd socket: bytes and descriptors in, replies out, each with a time limit.

Descriptors come beside bytes (unix(7), SCM_RIGHTS), which the transports of asyncio do not hand on; so the socket is
read here, whenever the loop says that it can be.
"""

import asyncio
import contextlib
import os
import select
import socket
from collections import deque

from dlp.channels.clamd_content import Asker
from dlp.channels.clamd_wire import NO_DESCRIPTOR, Input, Refused

SEND_SECONDS = 30.0
"""How long an asker may leave an answer unread."""
_CHUNK = 1 << 18
_AT_ONCE = 8
"""Descriptors taken with one packet, and kept before they are asked about."""


class Connection:
    """The socket of one asker. Raises OSError where the kernel does not say who he is."""

    def __init__(self, peer: socket.socket) -> None:
        peer.setblocking(False)
        self.asker = Asker.of(peer)
        self.input = Input()
        self._socket = peer
        self._descriptors: deque[int] = deque()
        self._sending = asyncio.Lock()

    async def receive(self, seconds: float) -> bool:
        """Wait for more; False where the asker has said all he will. Raises TimeoutError, OSError."""
        await self._readable(seconds)
        try:
            data, descriptors, _, _ = socket.recv_fds(self._socket, _CHUNK, _AT_ONCE, socket.MSG_CMSG_CLOEXEC)
        except BlockingIOError:
            return True
        self._descriptors += descriptors
        self.input.feed(data)
        if len(self._descriptors) > _AT_ONCE:
            raise Refused(NO_DESCRIPTOR, b"\n")
        return bool(data)

    async def _readable(self, seconds: float) -> None:
        loop = asyncio.get_running_loop()
        waiter: asyncio.Future[None] = loop.create_future()
        loop.add_reader(self._socket.fileno(), _wake, waiter)
        try:
            async with asyncio.timeout(seconds):
                await waiter
        finally:
            loop.remove_reader(self._socket.fileno())

    def descriptor(self) -> int | None:
        """The next of the descriptors received, which is the caller's from now on."""
        return self._descriptors.popleft() if self._descriptors else None

    async def send(self, data: bytes) -> None:
        """One reply, whole; after half of one nothing more can be said. Raises TimeoutError, OSError."""
        async with self._sending:
            try:
                async with asyncio.timeout(SEND_SECONDS):
                    await asyncio.get_running_loop().sock_sendall(self._socket, data)
            except OSError:
                self._shut(socket.SHUT_RDWR)
                raise

    def gone(self) -> bool:
        """The asker has hung up; one who has only ended his own side still listens (poll(2), POLLHUP)."""
        if self._socket.fileno() < 0:
            return True
        poll = select.poll()
        poll.register(self._socket.fileno(), 0)
        return bool(poll.poll(0))

    def deafen(self) -> None:
        """Take no more: what is waited for does not come any more. Answers still go out."""
        self._shut(socket.SHUT_RD)

    def _shut(self, how: int) -> None:
        with contextlib.suppress(OSError):  # he has hung up already
            self._socket.shutdown(how)

    def close(self) -> None:
        """Hang up, and close what nobody asked about."""
        for descriptor in self._descriptors:
            os.close(descriptor)
        self._descriptors.clear()
        self._socket.close()


def _wake(waiter: asyncio.Future[None]) -> None:
    if not waiter.done():
        waiter.set_result(None)
