"""Items and pools for the tests of the workers."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from dlp.blob import Blob
from dlp.metrics import Metrics
from dlp.model import Channel, Envelope, FileOrigin, Inspection, Item, Limits
from dlp.workers.pool import Workers, WorkerSettings

JOBS = {"job": "tests.workers.jobs:job", "loader": "tests.workers.jobs:load"}
LIMITS = Limits(seconds=5, memory=256 << 20, bytes=1 << 20)


def an_item(data: bytes = b"plain", *, channel: Channel = Channel.SHARE, name: str = "a.txt", blob: Blob | None = None) -> Item:
    origin = (
        Envelope(peer="192.0.2.1:25", sender="a@example.com", recipients=("b@example.org",))
        if channel is Channel.MAIL
        else FileOrigin(path=f"/share/{name}", volume="/share", owner="a", device="8:1", inode=1)
    )
    return Item(id="1", channel=channel, origin=origin, blob=blob or Blob.of([data]), arrived=datetime.now(UTC))


@asynccontextmanager
async def a_pool(
    settings: WorkerSettings | None = None, limits: Limits = LIMITS, paths: tuple[Path, ...] = (), **more: Any
) -> AsyncIterator[Workers]:
    workers = Workers(settings or WorkerSettings(count=2), limits, paths, Metrics(), **(JOBS | more))
    await workers.start()
    try:
        yield workers
    finally:
        await workers.stop()


async def ask(workers: Workers, order: str | bytes, channel: Channel = Channel.SHARE, name: str = "a.txt") -> Inspection:
    item = an_item(order.encode() if isinstance(order, str) else order, channel=channel, name=name)
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
