"""What a loss test writes down while it runs. Times are seconds since the epoch, of this machine's clock in all processes."""

from dataclasses import dataclass

LOST = ""
"""In place of a reply: the connection ended without one."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """A message under way from the first byte of its content (or the call that releases it) to the reply.

    `pid` names the process that made it, where that is one that may be killed.
    """

    id: str
    begin: float
    end: float
    reply: str = LOST
    pid: int = 0

    @property
    def taken(self) -> bool:
        return self.reply.startswith("2")


@dataclass(frozen=True, slots=True)
class Kill:
    """A kill -9 between two moments, of what, and how many messages were under way then."""

    role: str
    pid: int
    before: float
    after: float
    in_flight: int

    def during(self, begin: float, end: float) -> bool:
        """Whether it may have fallen into that time."""
        return self.before <= end and self.after >= begin

    def __str__(self) -> str:
        return f"kill -9 of {self.role} {self.pid} at {self.before:.3f}"
