"""The process that answers opens under `deny-open`; started by the guard (dlp.channels.deny_open), and outlives it.

It ends when the guard asks, or when, after its guard died, the next one stands.
"""

import json
import os
import resource
import select
import signal
import socket
from collections.abc import Sequence
from pathlib import Path

import structlog

from dlp import logs
from dlp.channels.ask_wire import receive, send
from dlp.channels.deny_open_answers import DESCRIPTORS, Answerer, parse_guarded
from dlp.channels.fanotify import Group
from dlp.instance import guard_stands

log = structlog.get_logger()

LAST_TO_DIE = -900
"""Its oom_score_adj (proc(5)): when memory runs out, it goes after nearly everybody."""


def serve(answerer: Answerer, control: socket.socket, state: Path, guard: int) -> None:
    """Until the guard, which is this process, asks to stop, or is gone and another one stands."""
    answerer.poll.register(control.fileno(), select.EPOLLIN)
    own, orphan = control.fileno(), False
    while True:
        for descriptor, _ in answerer.poll.poll(answerer.pause()):
            if descriptor != own:
                answerer.ready(descriptor)
            elif not _told(answerer, control):
                orphan = True
                answerer.orphaned()
                answerer.poll.unregister(control.fileno())
                log.error("the guard died; opens are answered all the same, until the next one stands")
        answerer.work()
        if answerer.stopped or (orphan and guard_stands(state) not in (0, guard)):
            answerer.stop()
            return


def _told(answerer: Answerer, control: socket.socket) -> bool:
    """Take up what the guard says; False where it is gone."""
    try:
        packet, _ = receive(control)
        match packet["say"]:
            case "guard":
                answerer.guard([parse_guarded(one) for one in packet["guarded"]])
            case "stop":
                answerer.stopped = True
        send(control, {"say": "heard"})
    except BlockingIOError:
        return True
    except OSError:
        return False
    return True


def main(arguments: Sequence[str]) -> None:
    """Descriptors of the socket pair's end and of the fanotify group, and what else is told, as JSON."""
    logs.configure()
    control, group = socket.socket(fileno=int(arguments[0])), Group(int(arguments[1]))
    control.setblocking(False)
    told = json.loads(arguments[2])
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # a signal to the whole group is the guard's to act on
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(DESCRIPTORS, hard), hard))
    try:
        Path("/proc/self/oom_score_adj").write_text(str(LAST_TO_DIE))
    except OSError as error:
        log.warning("may be ended when memory runs out", error=error.strerror)
    state = Path(told["state"])
    serve(Answerer(group, state, trusted=frozenset({os.getpid(), told["guard"]})), control, state, told["guard"])
