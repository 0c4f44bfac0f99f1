"""`dlp guard`: the privileged part of the strengths `deny-open` and `gate`, in the foreground."""

import asyncio
import os
import sys

from dlp import __version__, logs
from dlp.cli.common import ConfigOption, configuration_file
from dlp.guard import Guard
from dlp.supervisor import Supervisor


def guard(config: ConfigOption = None) -> None:
    """Do what takes root for the strengths deny-open and gate, asking the daemon; Ctrl-C or SIGTERM stops it.

    Exit status: 0 asked to stop, 2 bad configuration.
    """
    logs.configure()
    os.umask(0o077)
    asyncio.run(Guard(configuration_file(config), Supervisor(os.environ)).run(announce))


def announce(guard: Guard) -> None:
    """Say on standard output what is guarded."""
    rows = [f"dlp {__version__} guards. Ctrl-C stops it.", *(f"  {duty.name:<10} {duty.status()}" for duty in guard.duties)]
    sys.stdout.write("\n".join(rows) + "\n")
    sys.stdout.flush()
