"""ClamAV's own client, clamdscan, and what it says."""

import subprocess
from dataclasses import dataclass, field
from pathlib import Path

CLAMD = '[clamd]\nsocket = "clamd.sock"\n'
"""What a daemon's configuration has besides."""


@dataclass(frozen=True)
class Scanned:
    """What clamdscan said of each file, by path: the name it was found by, or what was wrong; and its exit status: 1 found,
    2 an error."""

    status: int
    found: dict[str, str] = field(default_factory=dict)
    errors: dict[str, str] = field(default_factory=dict)
    output: str = ""


def clamdscan(folder: Path, *arguments: object, seconds: float = 100) -> Scanned:
    """Ask the socket in `folder`."""
    settings = folder / "clamd.conf"
    settings.write_text(f"LocalSocket {folder / 'clamd.sock'}\n")
    command = ["clamdscan", "-c", str(settings), "--no-summary", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, timeout=seconds, cwd=folder, stdin=subprocess.DEVNULL)
    output = done.stdout.decode("utf-8", "surrogateescape")
    scanned = Scanned(done.returncode, output=output + done.stderr.decode("utf-8", "replace"))
    for line in output.splitlines():
        path, _, said = line.removeprefix("WARNING: ").rpartition(": ")
        if said.endswith(" FOUND"):
            scanned.found[path] = said.removesuffix(" FOUND")
        elif said.endswith(" ERROR") or line.startswith("WARNING: "):
            scanned.errors[path] = said
    return scanned
