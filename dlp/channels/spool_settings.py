"""The table [mail.spool]: how long and how often a spooled message is tried."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

from dlp.errors import ConfigError, Fault


@dataclass(frozen=True, slots=True, kw_only=True)
class SpoolSettings:
    """The table [mail.spool]; `__post_init__` raises ConfigError for a value that cannot work.

    `retry_seconds`: after the first failure; doubled after each, up to `retry_max_seconds`. `warn_seconds`:
    age at which the sender is told of the delay. `give_up_seconds`: age at which the message is returned.
    `deliveries`: at once.
    """

    retry_seconds: float = 60.0
    retry_max_seconds: float = 3600.0
    warn_seconds: float = 4 * 3600.0
    give_up_seconds: float = 5 * 86400.0
    deliveries: int = 20

    def __post_init__(self) -> None:
        """Every fault at once."""
        if faults := list(_faults(self)):
            raise ConfigError(faults)

    def pause(self, tries: int) -> timedelta:
        """How long to wait after so many attempts have failed, at least one."""
        doublings = min(tries - 1, 64)
        return timedelta(seconds=min(self.retry_seconds * 2**doublings, self.retry_max_seconds))

    @property
    def warn(self) -> timedelta:
        """Age at which the sender is told of the delay."""
        return timedelta(seconds=self.warn_seconds)

    @property
    def give_up(self) -> timedelta:
        """Age at which the message is returned."""
        return timedelta(seconds=self.give_up_seconds)


_LONGEST = 366 * 86400.0
"""Seconds; a longer wait is a slip of the pen, and would overflow a date."""


def _faults(settings: SpoolSettings) -> Iterator[Fault]:
    for key in ("retry_seconds", "retry_max_seconds", "warn_seconds", "give_up_seconds"):
        if not 0 < getattr(settings, key) <= _LONGEST:
            yield Fault("[mail.spool]", f"mail.spool.{key}", "must be more than 0 and at most a year of seconds")
    if not 1 <= settings.deliveries <= 1000:
        yield Fault("[mail.spool]", "mail.spool.deliveries", "must be at least 1 and at most 1000")
    if settings.retry_max_seconds < settings.retry_seconds:
        yield Fault("[mail.spool]", "mail.spool.retry_max_seconds", "is less than retry_seconds", "make it as large or larger")
    if settings.give_up_seconds < settings.retry_seconds:
        yield Fault("[mail.spool]", "mail.spool.give_up_seconds", "is less than retry_seconds", "make it as large or larger")
