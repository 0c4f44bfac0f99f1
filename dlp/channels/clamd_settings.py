"""The table [clamd]: where other servers ask, and what they may cost."""

import grp
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from dlp.errors import ConfigError, Fault

LONGEST = 107
"""Bytes of a socket's path, unix(7)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClamdSettings:
    """The table [clamd]. Sizes are bytes, times seconds; `__post_init__` raises ConfigError for a value that cannot work.

    `mode` and `group` are those of the socket's file; who may write to it may ask. `max_stream`: of what is sent
    by INSTREAM. `max_bytes_in_flight`: of all streams in work. `max_sessions`: connections at once; who comes
    beyond waits to be taken. `deadline_seconds`: from the end of a request to its answer, of each file in a tree.
    """

    socket: Path
    mode: int = 0o660
    group: str | None = None
    max_stream: int = 256 << 20
    max_bytes_in_flight: int = 1 << 30
    max_sessions: int = 200
    deadline_seconds: float = 50.0

    def __post_init__(self) -> None:
        """Every fault at once."""
        if faults := list(_faults(self)):
            raise ConfigError(faults)

    def group_id(self) -> int | None:
        """The number of `group`. Raises ConfigError where there is no such group."""
        if self.group is None:
            return None
        try:
            return grp.getgrnam(self.group).gr_gid
        except KeyError:
            what, remedy = f"there is no group {self.group!r}", "name one that those who ask belong to"
            raise ConfigError.single("[clamd]", "clamd.group", what, remedy) from None

    def too_long(self) -> Fault | None:
        """The fault of a path that no socket can have."""
        if len(str(self.socket).encode("utf-8", "surrogateescape")) <= LONGEST:
            return None
        return Fault(
            "[clamd]", "clamd.socket", f"is longer than the {LONGEST} bytes a socket's path may have", "choose a shorter one"
        )


def _faults(settings: ClamdSettings) -> Iterator[Fault]:
    if fault := settings.too_long():
        yield fault
    if not 0 <= settings.mode <= 0o777:
        yield Fault("[clamd]", "clamd.mode", "is not the mode of a file", "write it in octal, as 0o660")
    for key in ("max_stream", "max_bytes_in_flight", "max_sessions"):
        if getattr(settings, key) < 1:
            yield Fault("[clamd]", f"clamd.{key}", "must be at least 1")
    if not settings.deadline_seconds > 0:
        yield Fault("[clamd]", "clamd.deadline_seconds", "must be more than 0")
