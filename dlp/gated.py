"""The process that stands before one drive; started by the guard (dlp.channels.gate), and ended with it.

It mounts the drive for itself alone and shows users a file system in its place. When it dies, however it dies, the drive
is mounted nowhere any more.
"""

import contextlib
import ctypes
import json
import os
import resource
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

import structlog

from dlp import logs
from dlp.channels.ask import Asker
from dlp.channels.ask_wire import ask_socket
from dlp.channels.gate_files import Drive, GateFiles
from dlp.channels.gate_fuse import serve
from dlp.channels.gate_mount import detached
from dlp.channels.gate_refusals import Refusals
from dlp.channels.gate_staging import Staging
from dlp.channels.gate_tree import Tree
from dlp.channels.gate_wire import DUTY, Gated, parse_gated

log = structlog.get_logger()

DESCRIPTORS = 1 << 16
BYTES_A_SECOND = 2 << 20
"""How slowly content may be judged and kept before it is given up."""
_PR_SET_PDEATHSIG = 1


def stand(gated: Gated, ready: int) -> None:
    """Until the drive is unmounted, or the guard asks to stop. Raises OSError."""
    tree = Tree(detached(gated.node, gated.filesystem, gated.options, read_only=gated.read_only))
    if not gated.read_only and (left := tree.clean()):
        log.warning("removed what an interrupted copy left", files=left)
    drive = Drive(volume=gated.point, device=gated.device, patience=lambda size: gated.seconds + size / BYTES_A_SECOND)
    asker = Asker(ask_socket(Path(gated.state)), DUTY)
    files = GateFiles(drive, tree, Staging(gated.staging, memory=gated.memory, reserve=gated.reserve), asker, Refusals())

    def mounted() -> None:
        os.write(ready, b"1")
        os.close(ready)

    try:
        serve(files, gated.point, gated.node, mounted, read_only=gated.read_only)
    finally:
        files.close()
        asker.close()


def main(arguments: Sequence[str]) -> None:
    """The descriptor to say on that it stands, and what is told of the drive, as JSON."""
    logs.configure()
    os.umask(0)  # modes are as the kernel says
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(DESCRIPTORS, hard), hard))
    gated = parse_gated(json.loads(arguments[1]))
    try:
        stand(gated, int(arguments[0]))
    except OSError as error:
        log.error("the drive cannot be gated", node=gated.node, filesystem=gated.filesystem, error=error.strerror)
        sys.exit(1)


if __name__ == "__main__":
    main(sys.argv[1:])
