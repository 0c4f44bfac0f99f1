"""One item read until it is answered: as it is, then without what failed, then its printable text only.

A crash may be chance, or an earlier document's doing, so the item is tried once more as it was. If the child said at
which document it was, the item is then read without that document's reader, so that a document that crashes its reader
costs that document and not the item. The answer is never "clean".
"""

import math
import time
from dataclasses import dataclass, replace

from dlp.model import Inspection, Unscannable, Why
from dlp.workers.crew import Crew, Task
from dlp.workers.processes import GRACE, Done, Lost

MOST_AVOIDED = 3
"""Documents of one item that are left out one by one; after that no risky format is used at all."""
_SALVAGE = 1 / 3
"""Share of an item's seconds that a salvage may take."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """An item's answer, and the task as it was last given."""

    done: Done
    task: Task


async def whole(crew: Crew, task: Task, *, until: float = math.inf) -> Reading:
    """The item read in at most `3 + MOST_AVOIDED` rounds and a salvage.

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
        following = current if once_more else _without(outcome, current)
        if following is None or left <= 0:
            return await salvage(crew, task, Unscannable(why=outcome.why, detail=outcome.detail))
        retried = retried or once_more
        current = replace(following, fresh=True, seconds=left)


def _by_chance(lost: Lost, *, blameless: bool) -> bool:
    """Whether the same again in a fresh child may end well. A child that is out of time says nothing of that."""
    return lost.why is not Why.TIMEOUT and (blameless or lost.cause == "crashed")


def _without(lost: Lost, task: Task) -> Task | None:
    """`task` without the document at which it was lost, or without any risky format where that has been done too often;
    None where it was lost at no such document."""
    if not lost.document or not task.risky:
        return None
    if lost.document in task.avoid or len(task.avoid) >= MOST_AVOIDED:
        return replace(task, risky=False)
    return replace(task, avoid=task.avoid | {lost.document})


async def salvage(crew: Crew, task: Task, reason: Unscannable) -> Reading:
    """What the printable text of an item that could not be read whole still shows, beside the reason."""
    given = replace(task, fresh=True, salvaging=True, seconds=_SALVAGE * task.seconds)
    outcome, _ = await crew.run(given)
    if isinstance(outcome, Done):
        unread = tuple(dict.fromkeys((reason, *outcome.inspection.unscannable)))
        found = replace(outcome.inspection, unscannable=unread)
        return Reading(done=Done(inspection=found, declared=outcome.declared), task=given)
    second = Unscannable(why=outcome.why, detail=f"not even its printable text: {outcome.detail}")
    return Reading(done=Done(inspection=Inspection(unscannable=(reason, second))), task=given)
