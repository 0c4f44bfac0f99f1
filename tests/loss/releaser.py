"""Releases originals one after another in one process: `python -m tests.loss.releaser CONFIG JOURNAL`, ids on standard input.

It calls what `dlp quarantine release` calls, and writes down when each release begins and how it
ends, each line at once, so that a kill in the middle leaves a beginning without an end. One that
fails is tried again after the others, a few times; the exit status is 0 whatever remains.
"""

import json
import os
import sys
import time
from collections import deque
from pathlib import Path

from dlp.cli.quarantine import release
from dlp.errors import DLPError

_TRIES = 5


def main() -> None:
    config = Path(sys.argv[1])
    with Path(sys.argv[2]).open("a", buffering=1) as journal:
        waiting = deque((identity, _TRIES) for identity in sys.stdin.read().split())
        while waiting:
            identity, tries = waiting.popleft()
            said = {"id": identity, "pid": os.getpid()}
            journal.write(json.dumps(said | {"begin": time.time()}) + "\n")
            try:
                release(identity, reason="reviewed", config=config)
                reply = "250 released"
            except DLPError as error:
                reply = f"451 {error}"
                waiting.extend([(identity, tries - 1)] if tries > 1 else [])
                time.sleep(0.05)
            journal.write(json.dumps(said | {"end": time.time(), "reply": reply}) + "\n")


main()
