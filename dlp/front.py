"""A front process of the mail gateway: speaks SMTP with clients and the next hop, and holds no key and no record.

Started by the daemon (dlp.channels.mail_fronts), which hands it one end of a socket pair, the listening sockets, and its
settings on standard input. It ends when the daemon asks, or is gone.
"""

import asyncio
import json
import os
import signal
import socket
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import structlog
import uvloop

from dlp import logs
from dlp.channels.mail import MailGateway
from dlp.channels.mail_front import Desk
from dlp.channels.mail_settings import MailSettings
from dlp.config import Configuration, large
from dlp.errors import DLPError
from dlp.instance import item_id, now
from dlp.metrics import Metrics
from dlp.settings import check
from dlp.workers.confine import drop_capabilities, no_new_privileges
from dlp.workers.libc import PR_SET_DUMPABLE, PR_SET_PDEATHSIG, prctl

log = structlog.get_logger()

COUNT = 1.0
"""Seconds between two reports of what was counted."""


async def serve(told: dict[str, Any], control: socket.socket, listeners: Sequence[socket.socket]) -> None:
    """Until the daemon asks to stop, or is gone."""
    over, metrics, gone = asyncio.Event(), Metrics(), asyncio.Event()

    def lost() -> None:
        gone.set()
        over.set()

    desk = Desk(control, stop=over.set, lost=lost)
    settings = check(told["settings"], MailSettings, where="[mail]")
    state = Path(told["state"])
    gateway = MailGateway(
        settings,
        desk,
        metrics,
        clock=now,
        new_id=item_id,
        folder=large(state),
        hop=Configuration(state=state, mail=settings).mail_hop(settings),
        level_name=desk.level_name,
        given=listeners,
    )
    # What only the daemon may read, a TLS key of another user's, has been read; the ports are open.
    drop_capabilities()
    no_new_privileges()
    await gateway.start()
    desk.say({"say": "ready"})
    while not over.is_set():
        try:
            async with asyncio.timeout(COUNT):
                await over.wait()
        except TimeoutError:
            if counted := metrics.taken():
                desk.say({"say": "counted", "counted": counted})
    if not gone.is_set():
        await gateway.stop()
    desk.close()


def main(arguments: Sequence[str]) -> int:
    """Descriptors of the pair's end and of the listening sockets; the exit status."""
    logs.configure()
    os.umask(0o077)
    prctl(PR_SET_DUMPABLE, 0)
    # The daemon's death is seen at the pair's end as well; this one comes even if we are stuck.
    prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # a signal to the whole group is the daemon's to act on
    told = json.load(sys.stdin)
    control, *listeners = (socket.socket(fileno=int(one)) for one in arguments)
    for one in listeners:
        one.setblocking(False)
    try:
        uvloop.run(serve(told, control, listeners))
    except DLPError as error:
        log.error("mail front not started", error=str(error))
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
