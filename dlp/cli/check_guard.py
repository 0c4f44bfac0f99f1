"""What `dlp check` says of the strengths that take a guard."""

from collections.abc import Iterator

from dlp.channels.deny_open_answers import DUTY
from dlp.channels.deny_open_check import kernel_lacks, not_dedicated
from dlp.config import Configuration, duties
from dlp.errors import Fault
from dlp.instance import guard_stands, running

START = "systemctl enable --now dlp-guard"


def deny_open(loaded: Configuration) -> Iterator[Fault]:
    """A kernel that lacks it, and shares whose file system is not their own."""
    tables = {"share": loaded.share, "usb": loaded.usb}
    chosen = [name for name, table in tables.items() if table is not None and table.strength == DUTY]
    for name in chosen:
        yield from kernel_lacks(f"{name}.strength")
    if "share" in chosen and loaded.share is not None:
        for path in loaded.share.paths:
            yield from not_dedicated(str(path), "share.paths", loaded.state)


def not_there(loaded: Configuration) -> Iterator[Fault]:
    """No guard where the daemon runs and needs one."""
    if running(loaded.state):
        yield from _not_there(loaded)


def not_yet(loaded: Configuration) -> Iterator[Fault]:
    """As `not_there`, of a daemon that is to be started yet."""
    if not running(loaded.state):
        yield from _not_there(loaded)


def _not_there(loaded: Configuration) -> Iterator[Fault]:
    if (needed := duties(loaded)) and not guard_stands(loaded.state):
        what = f"no guard runs, and without one there is no {', '.join(sorted(needed))}"
        yield Fault("guard", "strength", what, START)
