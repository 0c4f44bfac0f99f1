"""The table [milter]: where the mail server finds us, and what we may cost."""

import grp
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from dlp.channels.relay import NextHop, parse_endpoint
from dlp.errors import ConfigError, Fault

PATIENCE = 300.0
"""Seconds Postfix waits for the answer to a message (milter_content_timeout)."""

_LONGEST = 107
"""Bytes of a socket's path, unix(7)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MilterSettings:
    """The table [milter]. Sizes are bytes, times seconds; `__post_init__` raises ConfigError for a value that cannot work.

    `listen`: "unix:PATH" or "inet:host:port", any number. `socket_mode` and `socket_group` are those of
    each socket's file; who may write to it may connect. `next_hop`: where messages released from quarantine
    go (see NextHop.parse), absent where that of [mail] goes for both. `split`: what one recipient may not
    have is withheld from him alone; otherwise none gets it. `on_failure`: as in [mail].
    `max_queue`: messages in work at once, from MAIL on. `deadline_seconds`: from the end of data to the
    answer. `hostname`: ours in the trace field of a message that was held, by default the machine's.
    """

    listen: tuple[str, ...]
    socket_mode: int = 0o660
    socket_group: str | None = None
    next_hop: str | None = None
    on_failure: Literal["tempfail", "pass-with-header"] = "tempfail"
    split: bool = False
    hostname: str = ""
    max_size: int = 50 << 20
    max_sessions: int = 1000
    max_bytes_in_flight: int = 512 << 20
    max_queue: int = 1000
    deadline_seconds: float = 240.0

    def __post_init__(self) -> None:
        """Every fault at once."""
        if faults := list(_faults(self)):
            raise ConfigError(faults)

    def hop(self) -> NextHop | None:
        """The next hop of released messages, if these settings name one."""
        return NextHop.parse(self.next_hop, hostname=self.hostname) if self.next_hop else None

    @property
    def places(self) -> tuple[Path | tuple[str, int], ...]:
        """`listen` read: the path of a socket, or host and port."""
        return tuple(map(parse_listen, self.listen))

    def group_id(self) -> int | None:
        """The number of `socket_group`. Raises ConfigError where there is no such group."""
        if self.socket_group is None:
            return None
        try:
            return grp.getgrnam(self.socket_group).gr_gid
        except KeyError:
            raise ConfigError.single(
                "[milter]", "milter.socket_group", f"there is no group {self.socket_group!r}", "name the mail server's group"
            ) from None


def parse_listen(text: str) -> Path | tuple[str, int]:
    """ "unix:PATH" or "inet:host:port". Raises ValueError."""
    kind, _, rest = text.partition(":")
    if kind == "inet":
        return parse_endpoint(rest)
    if kind != "unix" or not rest:
        raise ValueError(f"{text!r} is neither unix:PATH nor inet:host:port")
    if len(rest.encode()) > _LONGEST:
        raise ValueError(f"the path in {text!r} is longer than the {_LONGEST} bytes a socket's may have")
    return Path(rest)


def _faults(settings: MilterSettings) -> Iterator[Fault]:
    try:
        settings.hop()
    except ConfigError as error:
        yield from (Fault("[milter]", "milter.next_hop", fault.what, fault.remedy) for fault in error.faults)
    if not settings.listen:
        yield Fault("[milter]", "milter.listen", "is empty", "name a place, or leave the table [milter] out")
    for place in settings.listen:
        try:
            parse_listen(place)
        except ValueError as error:
            yield Fault("[milter]", "milter.listen", str(error), 'write "unix:/run/dlp/milter.sock" or "inet:127.0.0.1:10026"')
    if not 0 <= settings.socket_mode <= 0o777:
        yield Fault("[milter]", "milter.socket_mode", "is not the mode of a file", "write it in octal, as 0o660")
    for key in ("max_size", "max_sessions", "max_bytes_in_flight", "max_queue"):
        if getattr(settings, key) < 1:
            yield Fault("[milter]", f"milter.{key}", "must be at least 1")
    if not 0 < settings.deadline_seconds < PATIENCE:
        remedy = "Postfix waits no longer for an answer (milter_content_timeout)"
        yield Fault("[milter]", "milter.deadline_seconds", f"must be more than 0 and less than {PATIENCE:.0f}", remedy)
    if not re.fullmatch(r"[!-~]*", settings.hostname):
        yield Fault("[milter]", "milter.hostname", "is not a host name", "write it in ASCII (IDNA) without spaces")
