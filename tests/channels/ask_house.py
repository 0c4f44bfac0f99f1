"""A daemon in small, in a process of its own: answers on the ask socket by a mark in the content. SIGHUP changes the basis
and what the mark is. `python -m tests.channels.ask_house STATE`."""

import asyncio
import signal
import sys
from datetime import UTC, datetime
from pathlib import Path

from dlp.channels.ask_server import AskPorts, AskServer
from dlp.channels.ask_wire import ask_socket
from dlp.errors import StoreError
from dlp.metrics import Metrics
from dlp.model import Action, Inspection, Item, Limits, Verdict
from dlp.ports import Gate, Outcome

MARKS = (b"TOP SECRET", b"BETTER KNOWN")


class AskHouse:
    def __init__(self, state: Path) -> None:
        self.state = state
        self.rounds = 0
        self.metrics = Metrics()

    async def judge(self, item: Item) -> Verdict:
        content = next(item.blob.chunks(), b"")
        if b"FAIL" in content:
            raise StoreError("no space is left")
        return Verdict(action=Action.BLOCK if MARKS[self.rounds % 2] in content else Action.ALLOW)

    async def submit(self, item: Item, gate: Gate) -> Outcome:
        verdict = await self.judge(item)
        await (gate.release() if verdict.action is Action.ALLOW else gate.withhold(verdict, "inc-1", "held-1"))
        return Outcome(verdict=verdict, inspection=Inspection())

    async def serve(self) -> None:
        server = AskServer(
            ask_socket(self.state),
            AskPorts(
                submit=self.submit,
                judge=self.judge,
                metrics=self.metrics,
                limits=Limits,
                basis=lambda: str(self.rounds),
                clock=lambda: datetime.now(UTC),
                new_id=lambda: "item-1",
                told={},
            ),
        )
        await server.start()

        def changed() -> None:
            self.rounds += 1
            server.tell_basis()

        asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, changed)
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(AskHouse(Path(sys.argv[1])).serve())
