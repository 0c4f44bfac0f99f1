"""What an open costs with `deny-open`, beside the same open without: `python -m benchmarks.opens`, as root.

A real daemon on the shipped signatures and policy, a real guard, an ext4 of its own by loop mount. One open is
open(2), read(2) of all, close(2), by a process that is neither's child. The same files are opened before the guard is
there and after it has gone, in the same run. The watch of the share stands still meanwhile (settle_seconds).

Prints Markdown for docs/performance.md. `opens` is for other benchmarks.
"""

import contextlib
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.measure import machine, table
from tests.helpers.daemon import configure, eventually, started
from tests.helpers.guard import guarding, mounted

FILES = 200
AGAIN = 20_000
READERS = 8
SIZES = {"1 KiB": 1 << 10, "100 KiB": 100 << 10, "4 MiB": 4 << 20}
"""Of clean files; the last in tenths of the number."""
CLASSIFIED = "机密★10年\n"

READ = """
import os, sys, time
rounds, paths = int(sys.argv[1]), sys.stdin.read().splitlines()
for _ in range(rounds):
    for path in paths:
        start = time.perf_counter_ns()
        try:
            file = os.open(path, os.O_RDONLY)
            while os.read(file, 1 << 20):
                pass
            os.close(file)
        except PermissionError:
            pass
        print(time.perf_counter_ns() - start)
"""


@dataclass(frozen=True)
class Times:
    """Of opens, in nanoseconds, sorted."""

    all: Sequence[int]

    def at(self, share: float) -> str:
        """The time that this share of them did not exceed, as text."""
        micro = self.all[min(len(self.all) - 1, int(share * len(self.all)))] / 1000
        return f"{micro:.1f} µs" if micro < 1000 else f"{micro / 1000:.1f} ms"


def reading(paths: Sequence[Path], rounds: int = 1) -> "subprocess.Popen[str]":
    """A process that opens and reads each, so many times."""
    command = [sys.executable, "-I", "-c", READ, str(rounds)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdin is not None
    process.stdin.write("\n".join(map(str, paths)))
    process.stdin.close()
    return process


def read(paths: Sequence[Path], rounds: int = 1) -> Times:
    """How long each open of each file took."""
    process = reading(paths, rounds)
    assert process.stdout is not None
    times = Times(sorted(int(line) for line in process.stdout))
    process.wait()
    return times


def written(folder: Path, kind: str, count: int, size: int, *, classified: bool = False) -> list[Path]:
    """Files of chance words, each another, older than what is too fresh to be remembered."""
    chance = random.Random(kind)
    words = ["".join(chance.choices("abcdefghijklmnoprstuvw", k=chance.randrange(2, 10))) for _ in range(2000)]
    paths = []
    for number in range(count):
        text = " ".join(chance.choices(words, k=size // 7 + 1))[: size - 20]
        path = folder / f"{kind.replace(' ', '-')}-{number}.txt"
        path.write_text((CLASSIFIED if classified else "") + f"{number:09d} {text}", "utf-8")
        paths.append(path)
    return paths


@contextlib.contextmanager
def files(folder: Path, count: int) -> Iterator[dict[str, list[Path]]]:
    """The clean ones of each size, and classified ones."""
    with mounted(folder / "share.img", folder / "share", size=256 << 20) as share:
        made = {name: written(share, name, count if size < 1 << 20 else count // 10, size) for name, size in SIZES.items()}
        made["classified, 1 KiB"] = written(share, "classified", count, 1 << 10, classified=True)
        yield made


def opens(count: int = FILES) -> str:
    """All of it as Markdown. Takes root."""
    with tempfile.TemporaryDirectory(prefix="dlp-opens-") as name, files(Path(name), count) as made:
        folder, rows = Path(name), list[Sequence[str]]()
        config = configure(folder)
        still = 'strength = "deny-open"\nsettle_seconds = 3600\non_error_seconds = 60'
        config.write_text(config.read_text("utf-8").replace("settle_seconds = 0.2", still), "utf-8")
        with started(config) as daemon:
            without = {kind: read(paths, 5) for kind, paths in made.items()}
            small, one = made["1 KiB"], made["1 KiB"][:1]
            rows.append(_row("1 KiB, again and again", "no guard", read(one, AGAIN)))
            with guarding(config):
                eventually(lambda: daemon.metric('dlp_guard_connected{duty="deny-open"}'))
                time.sleep(1)
                for kind, paths in made.items():
                    rows += [_row(kind, "no guard", without[kind]), _row(kind, "first open", read(paths))]
                    rows.append(_row(kind, "later opens", read(paths, 20)))
                rows.insert(1, _row("1 KiB, again and again", "passed over", read(one, AGAIN)))
                fresh = written(folder / "share", "crowd", count, 1 << 10)
                time.sleep(0.2)
                crowd = together(fresh)
                later = together(small, 20)
            alone = together(small, 20)
    many = [
        ("the same new files, each once", f"{crowd:,.0f}"),
        ("files that are passed over", f"{later:,.0f}"),
        ("no guard", f"{alone:,.0f}"),
    ]
    head = table(("File", "With", "p50", "p99", "worst"), rows)
    return f"{machine()}\n\n{head}\n\n{table((f'{READERS} processes open at once', 'Opens a second'), many)}"


def together(paths: Sequence[Path], rounds: int = 1) -> float:
    """Opens a second by several processes that open the same files at once."""
    start = time.perf_counter()
    readers = [reading(paths, rounds) for _ in range(READERS)]
    done = 0
    for reader in readers:
        assert reader.stdout is not None
        done += sum(1 for _ in reader.stdout)
        reader.wait()
    return done / (time.perf_counter() - start)


def _row(kind: str, what: str, times: Times) -> Sequence[str]:
    return kind, what, times.at(0.5), times.at(0.99), times.at(1)


def main() -> int:
    if os.geteuid() != 0:
        print("takes root: it mounts, and asks the kernel to be asked", file=sys.stderr)
        return 1
    print(opens())
    return 0


if __name__ == "__main__":
    sys.exit(main())
