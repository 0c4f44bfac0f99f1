"""A gated drive beside the same one mounted plainly, in one run, as root: `python -m benchmarks.gate` (`make bench-gate`).

Both are one ext4 on one loop device, in turns. A large file is written with dd and synced, and read back after the caches
were dropped; small files are copied with `cp -r`, and synced at the end. "Gate alone" is judged by a small daemon that
looks for one word; "with inspection" by the real one, under the shipped signatures and policy, small files only: how fast a
large one is judged has nothing to do with the gate.

Prints Markdown for docs/performance.md.
"""

import argparse
import contextlib
import os
import shutil
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from benchmarks.measure import machine, table
from tests.helpers.daemon import configure, eventually, started
from tests.helpers.gate import gated, image, judge, looped
from tests.helpers.guard import guarding

WORDS = b"Lunch is at noon and the meeting after it. "


def run(*command: object) -> None:
    subprocess.run([*map(str, command)], check=True, capture_output=True)


def timed(step: Callable[[], None]) -> float:
    begun = time.perf_counter()
    step()
    return time.perf_counter() - begun


def measured(point: Path, source: Path, small: int, *, large: bool = True) -> dict[str, float]:
    """Seconds of each step on the drive at `point`, which is left as empty as it was."""
    place = point / "bench"
    place.mkdir()
    found = {}
    os.sync()
    if large:
        write = ("dd", f"if={source / 'large'}", f"of={place / 'large'}", "bs=1M", "conv=fsync")
        found["large, written"] = timed(lambda: run(*write))
        Path("/proc/sys/vm/drop_caches").write_text("1")
        found["large, read"] = timed(lambda: run("dd", f"if={place / 'large'}", "of=/dev/null", "bs=1M"))
    found["small"] = timed(lambda: run("sh", "-c", f"cp -r {source / 'small'} {place}/ && sync -f {place}"))
    assert len(os.listdir(place / "small")) == small
    shutil.rmtree(place)
    os.sync()
    return found


@contextlib.contextmanager
def plain(device: str, point: Path) -> Iterator[Path]:
    point.mkdir(exist_ok=True)
    run("mount", device, point)
    try:
        yield point
    finally:
        run("umount", point)


@contextlib.contextmanager
def inspected(folder: Path, device: str) -> Iterator[Path]:
    """The real daemon and the real guard."""
    root = folder / "media"
    extra = f'[usb]\nstrength = "gate"\ndevices = ["{device}"]\ngate_root = "{root}"\n'
    config = configure(folder, extra=extra)
    with started(config), guarding(config):
        (point,) = eventually(lambda: [one for one in root.iterdir() if os.path.ismount(one)])
        yield point


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="64 MB and 200 files, once")
    parser.add_argument("--folder", help="on the disk to measure on (default: the temporary folder)")
    arguments = parser.parse_args()
    large, small, rounds = (64, 200, 1) if arguments.quick else (512, 1000, 3)
    with tempfile.TemporaryDirectory(prefix="dlp-bench-gate-", dir=arguments.folder) as name:
        folder = Path(name)
        source = folder / "source"
        (source / "small").mkdir(parents=True)
        (source / "large").write_bytes(os.urandom(1 << 20) * large)
        for number in range(small):
            (source / "small" / f"{number}.txt").write_bytes(WORDS * (4096 // len(WORDS)))
        made = image(folder / "drive.img", size=(2 * large + 64) << 20)
        results: dict[str, list[dict[str, float]]] = {"plain mount": [], "gate alone": [], "with inspection": []}
        with looped(made) as device:
            for _ in range(rounds):
                with plain(device, folder / "plain") as point:
                    results["plain mount"].append(measured(point, source, small))
                with judge(folder / "state"), gated(folder, device, made) as drive:
                    results["gate alone"].append(measured(drive.point, source, small))
                (folder / "daemon").mkdir(exist_ok=True)
                with inspected(folder / "daemon", device) as point:
                    results["with inspection"].append(measured(point, source, small, large=False))
    report(results, large, small)


def report(results: dict[str, list[dict[str, float]]], large: int, small: int) -> None:
    print(machine(), "\n")
    amounts = {"large, written": (large, "MB/s"), "large, read": (large, "MB/s"), "small": (small, "files/s")}
    rows = []
    for way, found in results.items():
        row = [way]
        for step, (amount, unit) in amounts.items():
            if step not in found[0]:
                row.append("")
                continue
            speed = amount / statistics.median(one[step] for one in found)
            native = amount / statistics.median(one[step] for one in results["plain mount"])
            row.append(f"{speed:,.0f} {unit} ({speed / native:.2f})")
        rows.append(row)
    print(table(["", f"{large} MB written and synced", f"{large} MB read", f"{small:,} files of 4 KB copied and synced"], rows))


if __name__ == "__main__":
    main()
