"""Forks a child for each line on standard input: `STEP ROOT N`. The child does the step and is killed by the kernel
(SIGKILL) before or after the Nth system call of it that Python makes; N = 0 lets it live. Run by test_spool_crash.py.
"""

import os
import signal
import sys
from pathlib import Path
from types import FrameType
from typing import Any

from dlp.channels.spool_envelope import Mark, SpoolEnvelope
from dlp.channels.spool_folder import Spooled, SpoolFolder
from tests.channels.spool_house import CONTENT, HEAD, START, an_address

NAME = "0a1b"
TOOK = Mark(at=START, replies={0: "250 2.0.0 mine", 1: "450 4.2.0 later"})
ENVELOPE = SpoolEnvelope(
    id=NAME,
    queued=START,
    sender=an_address(b"<a@example.com>"),
    recipients=(an_address(b"<b@example.org>"), an_address(b"<c@example.org>")),
    size=len(HEAD + CONTENT),
    once=True,
)


def say(text: str) -> None:
    """One write(2), so that a kill leaves a whole line or none."""
    os.write(1, f"{text}\n".encode("ascii"))


def die_at(call: int) -> None:
    """SIGKILL at that moment: each system call counts twice, before and after."""
    left = call

    def profile(frame: FrameType, event: str, function: Any) -> None:
        nonlocal left
        if event in ("c_call", "c_return") and getattr(function, "__module__", "") in ("posix", "fcntl"):
            left -= 1
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.setprofile(profile)


def work(step: str, root: Path, call: int) -> None:
    folder = SpoolFolder(root, random=os.urandom)
    message: Spooled | None = folder.open(NAME) if step != "store" else None
    if call:
        die_at(call)
    if message is None:
        folder.store(ENVELOPE, [HEAD, CONTENT])
    elif step == "mark":
        message.mark(TOOK)
    else:
        message.finish()
    sys.setprofile(None)
    say("did")


def main() -> None:
    for line in sys.stdin:
        step, root, call = line.split()
        child = os.fork()
        if child == 0:
            try:
                work(step, Path(root), int(call))
            finally:
                os._exit(0)
        _, status = os.waitpid(child, 0)
        say("killed" if os.WIFSIGNALED(status) else "lived")


if __name__ == "__main__":
    main()
