"""Forks a child for each line on standard input; the child works on the stores until it is killed. Run by test_crash.py.

Forking from a process that has imported everything makes a kill cost milliseconds, not a start of Python.
"""

import os
import random
import sys
from pathlib import Path

from dlp.store.stores import Stores
from tests.store.items import INSPECTION, VERDICT, a_file, an_item, now


def say(*words: str) -> None:
    """One write(2), so that a kill leaves a whole line or none."""
    os.write(1, (" ".join(words) + "\n").encode("ascii"))


def work(state: Path, seed: int) -> None:
    """Store, release and purge; say each only after it has returned."""
    chance = random.Random(seed)
    say("pid", str(os.getpid()))
    stores = Stores.open(state, clock=now)
    for number in range(10_000):
        item = an_item(chance.randbytes(chance.choice((0, 10, 4000, 70_000))), origin=a_file(f"/mnt/usb/{seed}/{number}"))
        incident = stores.incidents.open(item, INSPECTION, VERDICT)
        held = stores.quarantine.store(item, incident, VERDICT, {"mode": 0o600})
        say("stored", held, item.blob.sha256)
        stores.incidents.close(incident, held=held)
        stores.audit.record("held", durable=bool(number % 2), held=held)
        say("audited", held)
        if number % 3 == 0:
            with stores.quarantine.releasing(held):
                say("releasing", held)
            say("released", held)
        if number % 4 == 0:
            say("purging", held)
            stores.quarantine.purge(held)
            say("purged", held)
        item.blob.close()


def main() -> None:
    state = Path(sys.argv[1])
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            work(state, int(line))
        os.waitpid(child, 0)
        say("dead")


main()
