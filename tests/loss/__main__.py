"""`python -m tests.loss`: the loss test at its full size, then the negative control; a table of each, exit status 1 for a fault.

Environment: LOSS_MESSAGES (10000), LOSS_KILLS (100) while they are sent, LOSS_RELEASE_KILLS (20) while they are released,
LOSS_SESSIONS (8), LOSS_SECONDS (3600) the sending may take, LOSS_SEED (random), LOSS_MODE (relay), LOSS_MAIL (lines for the
table [mail], ";" between them, besides the mode's), LOSS_FOLDER (where to leave everything; a temporary folder).
"""

import os
import random
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

from tests.loss.judge import Report
from tests.loss.run import MODES, Plan, run


def _plan() -> Plan:
    def number(name: str, otherwise: float) -> int:
        return int(os.environ.get(name, otherwise))

    mode = MODES[os.environ.get("LOSS_MODE", "relay")]
    return Plan(
        messages=number("LOSS_MESSAGES", 10_000),
        kills=number("LOSS_KILLS", 100),
        release_kills=number("LOSS_RELEASE_KILLS", 20),
        seconds=number("LOSS_SECONDS", 3600),
        sessions=number("LOSS_SESSIONS", 8),
        seed=number("LOSS_SEED", random.randrange(1 << 31)),
        mode=replace(mode, lines="\n".join([mode.lines, *os.environ.get("LOSS_MAIL", "").split(";")])),
        say=lambda text: print(text, flush=True),
    )


def _show(title: str, report: Report, seconds: float) -> None:
    print(f"\n{title} ({seconds:.0f} s)\n{report.table}")
    for heading, lines in (("Duplicates", report.duplicates), ("Faults", report.faults)):
        if lines:
            print(f"\n  {heading}:", *lines, sep="\n    ")
    sys.stdout.flush()


def main() -> int:
    """The exit status."""
    plan = _plan()
    with tempfile.TemporaryDirectory(prefix="dlp-loss-") as temporary:
        place = Path(os.environ.get("LOSS_FOLDER", temporary))
        for name in ("product", "control"):
            (place / name).mkdir(parents=True)
        print(f"seed {plan.seed}, in {place}", flush=True)
        begun = time.monotonic()
        report = run(place / "product", plan)
        _show("The product", report, time.monotonic() - begun)
        small = replace(plan, messages=300, kills=6, release_kills=0, mode=MODES["control"], module="tests.loss.control")
        begun = time.monotonic()
        control = run(place / "control", small)
        _show(
            "The negative control, which answers 250 from memory and must lose",
            replace(control, faults=[]),
            time.monotonic() - begun,
        )
    verdict = "0 lost, every duplicate explained" if not report.faults else f"{len(report.faults)} faults"
    print(f"\n{verdict}; the control lost {len(control.lost)}")
    return 1 if report.faults or not control.lost else 0


sys.exit(main())
