"""`dlp run`: the daemon in the foreground."""

import asyncio
import os
import sys

from dlp import __version__, logs
from dlp.cli.common import ConfigOption, configuration_file
from dlp.config import CHECKOUT, Configuration
from dlp.daemon import Daemon
from dlp.supervisor import Supervisor, inherited


def run(config: ConfigOption = None) -> None:
    """The daemon in the foreground; Ctrl-C or SIGTERM stops it, SIGHUP reloads it.

    Exit status: 0 asked to stop, 2 bad configuration.
    """
    logs.configure()
    daemon = Daemon(configuration_file(config), Supervisor(os.environ, inherited(os.environ)))
    os.umask(0o077)
    asyncio.run(daemon.run(announce))


def announce(daemon: Daemon) -> None:
    """Say on standard output what is watched and what to try."""
    configuration, profile = daemon.configuration, daemon.policy.profile
    title = f"{profile.name}, {profile.title_zh}" if profile.language == "zh" else profile.name
    lines = [f"dlp {__version__} is running: profile {title}; {daemon.signatures} signatures. Ctrl-C stops it.", ""]
    lines += [f"  {name:<8} {what}" for name, what in watched(daemon)]
    if tries := suggestions(configuration):
        lines += ["", "Try, from another terminal:", *(f"  {line}" for line in tries)]
    sys.stdout.write("\n".join(lines) + "\n")
    sys.stdout.flush()


def watched(daemon: Daemon) -> list[tuple[str, str]]:
    """What the daemon watches and serves, a line each."""
    configuration, rows = daemon.configuration, list[tuple[str, str]]()
    if configuration.mail:
        rows.append(("mail", f"{', '.join(daemon.mail_addresses)} → {configuration.mail.next_hop}"))
    if configuration.milter:
        rows.append(("milter", ", ".join(daemon.milter_addresses)))
    if configuration.share:
        rows.append(("share", ", ".join(map(str, configuration.share.paths))))
    if configuration.usb:
        rows.append(("usb", f"removable drives, and {', '.join(configuration.usb.mounts)}"))
    if configuration.clamd:
        rows.append(("clamd", str(configuration.clamd.socket)))
    if daemon.metrics_address:
        rows.append(("metrics", f"http://{daemon.metrics_address}/metrics  (/healthz, /readyz)"))
    rows.append(("state", str(configuration.state)))
    return rows


def suggestions(configuration: Configuration) -> list[str]:
    """Commands to paste for who tries a checkout; each does something to see."""
    if not configuration.state.is_relative_to(CHECKOUT):
        return []
    lines = []
    if configuration.share and configuration.share.paths:
        lines.append(f"printf '机密★10年\\n' > {configuration.share.paths[0]}/plan.txt   # taken to quarantine")
    command = f"{sys.prefix}/bin/dlp"
    lines += [f"{command} incidents list", f"{command} quarantine list", f"{command} scan {configuration.policy.parent}"]
    return lines
