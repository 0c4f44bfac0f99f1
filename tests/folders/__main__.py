"""`python -m tests.folders [NAME…]`: what shares must bear, at full size, as root; exit status 1 for a fault.

Names are those of the scenarios (burst, trees, kills, disks, faults); none: all of them. Environment: FOLDERS_PLACE
(where to work and what to leave; a temporary folder).
"""

import os
import sys
import tempfile
import time
import traceback
from pathlib import Path

from tests.folders.run import SCENARIOS, played


def main(names: list[str]) -> int:
    """The exit status."""
    faults = 0
    with tempfile.TemporaryDirectory(prefix="dlp-folders-") as temporary:
        place = Path(os.environ.get("FOLDERS_PLACE", temporary))
        for name in names or SCENARIOS:
            begun = time.monotonic()
            print(f"{name}:", flush=True)
            try:
                played(name, place / name, lambda text: print(f"  {text}", flush=True))
            except Exception:  # the others are played all the same
                traceback.print_exc()
                faults += 1
            print(f"  {time.monotonic() - begun:.0f} s", flush=True)
    print("nothing lost" if not faults else f"{faults} scenarios failed")
    return 1 if faults else 0


sys.exit(main(sys.argv[1:]))
