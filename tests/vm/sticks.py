"""The contents of USB sticks: images on this machine, formatted as a user's would be."""

import subprocess
from pathlib import Path

MIB = 1 << 20
LAYOUTS = ("vfat", "exfat", "partitioned")
"""vfat and exfat on the whole stick; vfat in a partition, as sticks are sold."""
_START = 2048
"""Sectors before the partition."""


def make(file: Path, layout: str, *, size: int = 192 * MIB) -> Path:
    """A stick of that layout, empty."""
    with file.open("wb") as made:
        made.truncate(size)
    if layout == "partitioned":
        table = f"label: dos\nstart={_START}, type=c\n"
        subprocess.run(["sfdisk", "--quiet", file], input=table.encode(), check=True, capture_output=True)
        options = ["--offset", str(_START), str(file), str((size - _START * 512) // 1024)]
        subprocess.run(["mkfs.vfat", "-F", "32", "-n", "STICK", *options], check=True, capture_output=True)
    elif layout == "exfat":
        subprocess.run(["mkfs.exfat", "-L", "STICK", file], check=True, capture_output=True)
    else:
        subprocess.run(["mkfs.vfat", "-F", "32", "-n", "STICK", file], check=True, capture_output=True)
    return file


def holds(file: Path, wanted: bytes) -> bool:
    """Whether the raw stick has these bytes anywhere, in one piece."""
    before = b""
    with file.open("rb") as raw:
        while chunk := raw.read(8 * MIB):
            if wanted in before + chunk:
                return True
            before = chunk[-len(wanted) :]
    return False
