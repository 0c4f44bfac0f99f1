"""One item read until it is answered: as it is, then without what failed, then its printable text only.

A crash may be chance, or an earlier document's doing, so it is tried once more as it was. One that says at which
document it happened is then read without that document's reader, so that a document that crashes its reader
costs that document and not the item. The answer is never "clean".
"""

import math
import time
from dataclasses import dataclass, replace

from dlp.model import Inspection, Unscannable, Why
from dlp.workers.crew import Crew, Task
from dlp.workers.processes import GRACE, Done, Lost

MOST_AVOIDED = 3
"""Documents of one item whose reader may be avoided: so at most five readings, and a salvage."""
_SALVAGE = 1 / 3
"""Share of an item's seconds that a salvage may take."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """An item's answer, and the task as it was last given."""

    done: Done
    task: Task


async def whole(crew: Crew, task: Task, *, until: float = math.inf) -> Reading:
    """The item read in at most `2 + MOST_AVOIDED` rounds and a salvage.

    Each round takes at most `task.seconds`, and all of them with the salvage at most twice that: with the default of 30
    an item is answered within 60 seconds, below the 80 after which a message is deferred. By `until` (time.monotonic), if
    that is earlier, no further round is under way. Raises WorkerError where no child can be had.
    """
    end = min(time.monotonic() + 2 * task.seconds, until) - _SALVAGE * task.seconds - 2 * GRACE
    retried, current = False, task
    while True:
        outcome, blameless = await crew.run(current)
        if isinstance(outcome, Done):
            return Reading(done=outcome, task=current)
        left = min(task.seconds, end - time.monotonic())
        once_more = not retried and _by_chance(outcome, blameless=blameless)
        avoid = current.avoid if once_more else _avoiding(outcome, current.avoid)
        if avoid is None or left <= 0:
            return await salvage(crew, task, Unscannable(why=outcome.why, detail=outcome.detail))
        retried = retried or once_more
        current = replace(task, fresh=True, avoid=avoid, seconds=left)


def _by_chance(lost: Lost, *, blameless: bool) -> bool:
    """Whether the same again in a fresh child may end well. A child that is out of time says nothing of that."""
    return lost.why is not Why.TIMEOUT and (blameless or lost.cause == "crashed")


def _avoiding(lost: Lost, avoided: frozenset[int]) -> frozenset[int] | None:
    """What to avoid in the next round; None where that is unknown, or has been tried, or was tried too often."""
    if not lost.document or lost.document in avoided or len(avoided) >= MOST_AVOIDED:
        return None
    return avoided | {lost.document}


async def salvage(crew: Crew, task: Task, reason: Unscannable) -> Reading:
    """What the printable text of an item that could not be read whole still shows, beside the reason."""
    given = replace(task, fresh=True, salvaging=True, seconds=_SALVAGE * task.seconds)
    outcome, _ = await crew.run(given)
    if isinstance(outcome, Done):
        unread = tuple(dict.fromkeys((reason, *outcome.inspection.unscannable)))
        return Reading(done=Done(inspection=replace(outcome.inspection, unscannable=unread)), task=given)
    second = Unscannable(why=outcome.why, detail=f"not even its printable text: {outcome.detail}")
    return Reading(done=Done(inspection=Inspection(unscannable=(reason, second))), task=given)
