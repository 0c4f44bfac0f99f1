"""Large messages take turns: one piece of one of them for each turn of the event loop.

Small mail beside them then waits for one piece at every step of its session, however many large messages are on their way.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from weakref import WeakKeyDictionary

_rotas: "WeakKeyDictionary[asyncio.AbstractEventLoop, Rota]" = WeakKeyDictionary()


class Rota:
    """Who is next in one event loop."""

    def __init__(self) -> None:
        self._waiting = deque[Callable[[], None]]()

    def ask(self, go_on: Callable[[], None]) -> None:
        """Call `go_on` in a later turn of the loop, in which no other is called."""
        self._waiting.append(go_on)
        if len(self._waiting) == 1:
            asyncio.get_running_loop().call_soon(self._next)

    def _next(self) -> None:
        try:
            self._waiting[0]()
        finally:
            self._waiting.popleft()
            if self._waiting:
                asyncio.get_running_loop().call_soon(self._next)


def rota() -> Rota:
    """That of the running loop."""
    loop = asyncio.get_running_loop()
    found = _rotas.get(loop)
    if found is None:
        found = _rotas[loop] = Rota()
    return found


async def turn() -> None:
    """Wait for one."""
    come = asyncio.get_running_loop().create_future()
    rota().ask(lambda: None if come.done() else come.set_result(None))
    await come
