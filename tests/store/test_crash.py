"""kill -9 at any instruction: nothing that was acknowledged is lost, nothing is there twice, everything verifies."""

import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dlp.store.stores import Stores
from tests.helpers.scale import LONG
from tests.store.items import now

KILLS = 60 if LONG else 20
ROOT = Path(__file__).parents[2]


class Told:
    """What the children said they had done."""

    def __init__(self) -> None:
        self.stored: dict[str, str] = {}
        self.steps: dict[str, set[str]] = {step: set() for step in ("audited", "releasing", "released", "purging", "purged")}

    def take(self, line: str) -> None:
        step, held, *rest = line.split()
        if step == "stored":
            self.stored[held] = rest[0]
        else:
            self.steps[step].add(held)


@contextmanager
def zygote(state: Path) -> Iterator["subprocess.Popen[str]"]:
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    command = [sys.executable, str(Path(__file__).with_name("crash_zygote.py")), str(state)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    ) as process:
        yield process
        assert process.stdin
        process.stdin.close()
        assert process.stderr
        assert process.stderr.read() == ""


def run_and_kill(process: "subprocess.Popen[str]", seed: int, lines: int, seconds: float, told: Told) -> None:
    """Kill a new child `seconds` after it has said `lines` lines: counted so, it works on a slow machine too."""
    assert process.stdin
    assert process.stdout
    print(seed, file=process.stdin, flush=True)
    pid = int(process.stdout.readline().split()[1])
    for _line in range(lines):
        told.take(process.stdout.readline().strip())
    time.sleep(seconds)
    os.kill(pid, signal.SIGKILL)
    while (line := process.stdout.readline().strip()) not in ("dead", ""):
        told.take(line)


def check(stores: Stores, state: Path, told: Told, kills: int) -> None:
    rows = {row.id: row for row in stores.quarantine.list()}
    assert told.stored.keys() <= rows.keys()
    # A kill between the commit and the word leaves one that was not acknowledged, at most one a kill.
    assert len(rows) - len(told.stored) <= kills
    assert {held: rows[held].sha256 for held in told.stored} == told.stored
    for held in told.stored:
        allowed = {"held"}
        if held in told.steps["releasing"]:
            allowed = {"released"} if held in told.steps["released"] else {"held", "released"}
        if held in told.steps["purging"]:
            allowed = {"purged"} if held in told.steps["purged"] else allowed | {"purged"}
        assert rows[held].state in allowed
    kept = {row.id for row in rows.values() if row.state != "purged"}
    assert dict(stores.quarantine.verify()) == dict.fromkeys(kept)
    assert Counter(path.name for path in state.glob("quarantine/*/*")) == Counter(kept)
    assert stores.audit.verify().problems == ()


MOST_KILLS = 6 * KILLS
"""Where a machine's speed has the kills fall between the steps they are to hit."""


def test_a_killed_process_loses_and_doubles_nothing(state: Path) -> None:
    chance, told = random.Random(20261122), Told()
    undone = put_back = 0
    with zygote(state) as process:
        for kill in range(1, MOST_KILLS + 1):
            if kill > KILLS and undone >= 3:
                break
            run_and_kill(process, kill, chance.choice((0, 1, 2, 3, 4, 5, 9, 14)), chance.uniform(0.0, 0.012), told)
            stores = Stores.open(state, clock=now)
            report = stores.recover()
            stores.incidents.interrupted()
            assert report.problems == ()
            undone, put_back = undone + report.undone, put_back + report.put_back
            if kill % 8 == 0:
                check(stores, state, told, kill)
            for incident in stores.incidents.list(state="interrupted"):
                # What was in custody when the process died is named, so that a person finds it.
                assert incident.quarantine is None or stores.quarantine.get(incident.quarantine)
            stores.close()
        assert stores_agree(state, told)
    # Otherwise the kills missed what they were to hit.
    assert len(told.stored) >= KILLS // 2
    assert undone >= 3


def stores_agree(state: Path, told: Told) -> bool:
    """A second recovery finds nothing left to do."""
    stores = Stores.open(state, clock=now)
    report = stores.recover()
    stores.close()
    return (report.undone, report.put_back, report.erased, report.problems) == (0, 0, 0, ()) and bool(told.stored)
