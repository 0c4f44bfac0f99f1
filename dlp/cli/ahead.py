"""Several documents at a time, their results in order."""

import asyncio
import os
from collections import deque
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable
from typing import Any, TypeVar

from dlp.config import Configuration

T = TypeVar("T")
R = TypeVar("R")

_A_WORKER = 4
"""Documents under way for each worker, so that none waits for a file to be opened."""


def as_many(loaded: Configuration) -> int:
    """How many documents to have under way: some for each worker, and never more than wait for their pictures."""
    return min(_A_WORKER * (loaded.workers.count or len(os.sched_getaffinity(0))), loaded.ocr.count + loaded.ocr.max_queue)


async def in_order(items: Iterable[T], work: Callable[[T], Coroutine[Any, Any, R]], *, ahead: int) -> AsyncIterator[R]:
    """What `work` makes of each item, in their order, at most `ahead` of them under way. Raises what `work` raises."""
    under_way = deque[asyncio.Task[R]]()
    try:
        for item in items:
            under_way.append(asyncio.create_task(work(item)))
            if len(under_way) >= ahead:
                yield await under_way.popleft()
        while under_way:
            yield await under_way.popleft()
    finally:
        for task in under_way:
            task.cancel()
