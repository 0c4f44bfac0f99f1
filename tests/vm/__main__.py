"""`python -m tests.vm`: USB sticks plugged into a virtual machine with `dlp` in it; a line for each thing proved, exit status 1
where one is not, 2 where the machine could not be made.

`--rebuild` makes its disk anew, `--only TEXT` runs the first check and those with TEXT in their names, `--keep` leaves the
run's folder (console, sticks).
"""

import argparse
import shutil
import sys
import time
from pathlib import Path

from tests.vm.checks import CHECKS, House, folder
from tests.vm.guest import STRENGTH, Guest
from tests.vm.image import NotBuilt, build
from tests.vm.machine import MachineError, started

KEPT = Path("var") / "test-vm"


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make test-vm", description="USB sticks in a virtual machine.")
    parser.add_argument("--rebuild", action="store_true", help="make the disk anew")
    parser.add_argument("--only", default="", metavar="TEXT", help="the first check, and those with this text in their names")
    parser.add_argument("--keep", action="store_true", help=f"leave console and sticks in {KEPT}")
    return parser.parse_args()


def _say(text: str) -> None:
    print(text, flush=True)


def _run(options: argparse.Namespace, place: Path) -> int:
    begun = time.monotonic()
    image = build(_say, fresh=options.rebuild)
    _say(f"disk ready after {time.monotonic() - begun:.0f} s; starting the machine ({image.disk})")
    failed = 0
    with started(image, place) as machine:
        machine.wait_until_up()
        _say(f"up after {time.monotonic() - begun:.0f} s; drives at strength {STRENGTH!r}")
        house = House(Guest(machine), place)
        for number, check in enumerate(CHECKS):
            name = check.__name__.replace("_", " ")
            if number and options.only not in name:
                continue
            at = time.monotonic()
            try:
                check(house)
            except (AssertionError, MachineError) as error:
                failed += 1
                _say(f"FAIL {name} ({time.monotonic() - at:.0f} s): {error}")
                if not machine.alive():
                    raise MachineError("the machine has ended") from error
                _say(house.guest.logs())
                if number == 0:
                    break
            else:
                _say(f"ok   {name} ({time.monotonic() - at:.0f} s)")
    _say(f"{'FAILED' if failed else 'all is proved'}, after {time.monotonic() - begun:.0f} s")
    return 1 if failed else 0


def main() -> int:
    """The exit status."""
    options = _options()
    with folder() as temporary:
        try:
            return _run(options, Path(temporary))
        except (NotBuilt, MachineError) as error:
            _say(f"FAILED: {error}")
            return 2
        finally:
            if options.keep:
                shutil.rmtree(KEPT, ignore_errors=True)
                shutil.copytree(temporary, KEPT, ignore=shutil.ignore_patterns("agent", "qmp"))


if __name__ == "__main__":
    sys.exit(main())
