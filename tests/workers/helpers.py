"""Items and pools for the tests of the workers."""

import asyncio
import os
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from dlp.blob import Blob
from dlp.metrics import Metrics
from dlp.model import Channel, Envelope, FileOrigin, Inspection, Item, Limits
from dlp.workers.pool import Plan, Workers, WorkerSettings

JOBS = {"job": "tests.workers.jobs:job", "loader": "tests.workers.jobs:load", "reader": "tests.workers.jobs:reader"}
LIMITS = Limits(seconds=5, memory=256 << 20, bytes=1 << 20)


def an_item(
    data: bytes = b"plain",
    *,
    channel: Channel = Channel.SHARE,
    name: str = "a.txt",
    blob: Blob | None = None,
    sender: str = "a@example.com",
) -> Item:
    origin = (
        Envelope(peer="192.0.2.1:25", sender=sender, recipients=("b@example.org",))
        if channel is Channel.MAIL
        else FileOrigin(path=f"/share/{name}", volume="/share", owner="a", device="8:1", inode=1)
    )
    return Item(id="1", channel=channel, origin=origin, blob=blob or Blob.of([data]), arrived=datetime.now(UTC))


@asynccontextmanager
async def a_pool(
    settings: WorkerSettings | None = None, limits: Limits = LIMITS, paths: tuple[Path, ...] = (), **more: Any
) -> AsyncIterator[Workers]:
    """`more` are fields of the plan, or names of what the zygotes load."""
    names = JOBS | {name: more.pop(name) for name in ("job", "loader", "reader") if name in more}
    plan = Plan(signatures=paths, limits=limits, **more)
    workers = Workers(settings or WorkerSettings(count=2), plan, Metrics(), **names)
    await workers.start()
    try:
        yield workers
    finally:
        await workers.stop()


async def ask(
    workers: Workers,
    order: str | bytes,
    channel: Channel = Channel.SHARE,
    name: str = "a.txt",
    sender: str = "a@example.com",
) -> Inspection:
    item = an_item(order.encode() if isinstance(order, str) else order, channel=channel, name=name, sender=sender)
    with item.blob:
        return await workers.inspect(item)


def children(pid: int) -> list[int]:
    """The processes whose parent is `pid` (proc(5), stat: id, name in parentheses, state, parent), zombies too."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            text = stat.read_text()
        except OSError:
            continue  # it ended meanwhile
        if int(text.rpartition(")")[2].split()[1]) == pid:
            found.append(int(text.split()[0]))
    return found


def zygote() -> int:
    """The one zygote this process has."""
    (pid,) = children(os.getpid())
    return pid


def restarts(workers: Workers, why: str) -> float:
    return workers._metrics.registry.get_sample_value("dlp_worker_restarts_total", {"why": why}) or 0.0


async def settled(condition: Callable[[], object], seconds: float = 30) -> None:
    """Wait for what the kernel or the zygote does in its own time."""
    give_up = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < give_up
        await asyncio.sleep(0.01)
