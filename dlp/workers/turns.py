"""Who is next: at most so many at once, and the waiting served channel by channel, so that a folder of a hundred
thousand files does not keep a message waiting behind all of them."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class Turns:
    """`count` turns at once; those waiting under one name are served in order, the names in rotation."""

    def __init__(self, count: int) -> None:
        self.free = count
        self._waiting: dict[str, deque[asyncio.Future[None]]] = {}

    @asynccontextmanager
    async def turn(self, name: str) -> AsyncIterator[None]:
        """Wait for a turn, and give it back."""
        await self._take(name)
        try:
            yield
        finally:
            self._pass_on()

    async def _take(self, name: str) -> None:
        if self.free > 0:
            self.free -= 1
            return
        future = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(name, deque()).append(future)
        try:
            await future
        except asyncio.CancelledError:
            if future.done() and not future.cancelled():
                self._pass_on()  # the turn came at the very moment its taker gave up
            raise

    def _pass_on(self) -> None:
        while self._waiting:
            name = next(iter(self._waiting))
            queue = self._waiting.pop(name)
            future = queue.popleft()
            if queue:
                self._waiting[name] = queue  # at the end of the rotation
            if not future.done():
                future.set_result(None)
                return
        self.free += 1
