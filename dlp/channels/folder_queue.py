"""What a folder still has to look at, and when: bounded, each path at most once."""

import heapq
import itertools
import math
from dataclasses import dataclass

from dlp.channels.folder_file import Identity


@dataclass(slots=True)
class Look:
    """One path to look at. Times are seconds of one monotonic clock.

    `first` is when it was first heard of, `tried` when it was first looked at, `tries` how often it could not be finished,
    `seen` the version met at the last look. `idle`: nothing can be done about it for now but to try again.
    """

    path: str
    due: float
    first: float
    tried: float | None = None
    tries: int = 0
    seen: Identity | None = None
    idle: bool = False


class Pending:
    """Paths by due time. A path heard of again is looked at once, later, but never later than `patience` seconds after it
    was first heard of; nothing is lost silently: `add` says no."""

    def __init__(self, limit: int, patience: float = math.inf) -> None:
        self._limit = limit
        self._patience = patience
        self._looks: dict[str, Look] = {}
        self._heap: list[tuple[float, int, str]] = []
        self._order = itertools.count()

    def __len__(self) -> int:
        return len(self._looks)

    @property
    def fresh(self) -> int:
        """Looks that are not idle."""
        return sum(not look.idle for look in self._looks.values())

    def idle(self, path: str) -> bool:
        """Whether `path` waits for another try that nothing new has hastened."""
        look = self._looks.get(path)
        return look is not None and look.idle

    @property
    def roomy(self) -> bool:
        """Less than half full: a walk may add more."""
        return len(self._looks) < self._limit / 2

    def add(self, path: str, *, due: float, now: float, changed: bool = True) -> bool:
        """Look at `path` at `due`; later than planned if it was planned and has `changed`, since it shall stand still, and
        not later if it was only met again. False where there is no room for it."""
        known = self._looks.get(path)
        if known is not None:
            latest = min(due, max(known.due, known.first + self._patience)) if changed else min(due, known.due)
            sooner, known.due, known.idle = latest < known.due, latest, False
            if sooner:
                self._push(known)
            return True
        if len(self._looks) >= self._limit:
            return False
        self.put_back(Look(path, due, now))
        return True

    def put_back(self, look: Look) -> None:
        """A look that was taken out and could not be finished; what was heard of its path meanwhile stands."""
        known = self._looks.setdefault(look.path, look)
        if known is look:
            self._push(look)
        else:
            known.first, known.tried, known.tries, known.seen = look.first, look.tried, look.tries, look.seen

    def take(self, now: float) -> Look | None:
        """The look that has been due longest, taken out; None if none is due."""
        while self._heap and self._heap[0][0] <= now:
            _, _, path = heapq.heappop(self._heap)
            look = self._looks.get(path)
            if look is None:
                continue
            if look.due <= now:
                return self._looks.pop(path)
            self._push(look)
        return None

    def next_due(self) -> float | None:
        """When to ask again; perhaps a little early."""
        return self._heap[0][0] if self._heap else None

    def _push(self, look: Look) -> None:
        heapq.heappush(self._heap, (look.due, next(self._order), look.path))
        if len(self._heap) > 2 * len(self._looks) + 1000:
            # Entries of looks that were moved forward stay behind; here they go.
            self._heap = [(one.due, next(self._order), one.path) for one in self._looks.values()]
            heapq.heapify(self._heap)
