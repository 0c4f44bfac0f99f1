"""What watching folders costs and loses: `python -m benchmarks.folders` (`make bench-folders`).

1. Events: files made at a paced rate, and as fast as one process can, heard by raw inotify(7) (a loop that reads and counts)
   and by the watch of `dlp.channels.watch`, each in a process of its own, in turn, in the same run: what is lost, CPU a file.
2. Walks: a tree that the journal knows, walked again.
3. The daemon: files a second and CPU a file through inspection, records and journal; latency from close to verdict.

Prints Markdown for docs/performance.md. Nothing here asserts a time.
"""

import argparse
import asyncio
import ctypes
import hashlib
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.measure import machine, table
from dlp.channels.folder import FolderPorts
from dlp.channels.share import ShareChannel, ShareSettings
from dlp.channels.watch import TreeWatch
from dlp.metrics import Metrics
from dlp.model import Action, Inspection, Item, Limits, Verdict
from dlp.ports import Gate, Outcome
from dlp.store.journal import SqlJournal
from tests.helpers.daemon import Daemon, configure, started

_CLOSED = 0x8 | 0x80 | 0x100  # IN_CLOSE_WRITE | IN_MOVED_TO | IN_CREATE: what the watch asks for
_QUEUE_FULL = 0x4000

WRITE = """
import os, sys, time
folder, count, rate = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
begun = time.monotonic()
for n in range(count):
    os.close(os.open(f"{folder}/{n}", os.O_WRONLY | os.O_CREAT))
    if rate and n % 100 == 0 and (ahead := begun + n / rate - time.monotonic()) > 0:
        time.sleep(ahead)
print(time.monotonic() - begun)
"""


class Names:
    """Counts each file once; implements `watch.Listener`."""

    def __init__(self) -> None:
        self.seen: set[str] = set()
        self.overflows = 0

    def file_changed(self, path: str) -> None:
        self.seen.add(path)

    def folder_appeared(self, path: str) -> None:
        pass

    def overflowed(self) -> None:
        self.overflows += 1


def raw(folder: str, wait: Callable[[], None]) -> Names:
    """Raw inotify: read, take apart, count."""
    libc, names = ctypes.CDLL(None, use_errno=True), Names()
    descriptor = libc.inotify_init1(os.O_NONBLOCK)
    libc.inotify_add_watch(descriptor, folder.encode(), _CLOSED)
    wait()
    idle = 0
    while idle < 20:
        try:
            data, at = os.read(descriptor, 1 << 17), 0
        except BlockingIOError:
            idle += 1
            time.sleep(0.05)
            continue
        idle = 0
        while at < len(data):
            mask, size = int.from_bytes(data[at + 4 : at + 8], "little"), int.from_bytes(data[at + 12 : at + 16], "little")
            if mask & _QUEUE_FULL:
                names.overflowed()
            else:
                names.file_changed(os.fsdecode(data[at + 16 : at + 16 + size].rstrip(b"\0")))
            at += 16 + size
    return names


def watch(folder: str, wait: Callable[[], None]) -> Names:
    """The watch of the product."""
    names = Names()
    tree = TreeWatch(names)
    descriptor = os.open(folder, os.O_RDONLY)
    assert tree.add("", descriptor)
    wait()
    idle, before = 0, -1
    while idle < 20:
        idle = idle + 1 if tree.caught_up and len(names.seen) == before else 0
        before = len(names.seen)
        time.sleep(0.05)
    tree.stop()
    return names


LISTENERS = {"raw inotify": raw, "the watch": watch}


def listen(name: str, folder: str) -> None:
    """In a process of its own: say when ready, count, and print what it cost."""
    used = [0.0]

    def wait() -> None:
        print("ready", flush=True)
        used[0] = time.process_time()

    names = LISTENERS[name](folder, wait)
    print(json.dumps({"seen": len(names.seen), "overflows": names.overflows, "cpu": time.process_time() - used[0]}))


def heard(name: str, files: int, rate: float) -> dict[str, float]:
    """One listener beside one writer."""
    with tempfile.TemporaryDirectory(prefix="dlp-bench-") as folder:
        command = [sys.executable, "-m", "benchmarks.folders", "--listen", name, folder]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
            done = subprocess.run([sys.executable, "-c", WRITE, folder, str(files), str(rate)], capture_output=True, check=True)
            told: dict[str, float] = json.loads(process.stdout.readline())
    return told | {"rate": files / float(done.stdout), "lost": files - told["seen"], "each": 1e6 * told["cpu"] / files}


def events(files: int) -> str:
    rows = []
    for rate in (2_000, 5_000, 10_000, 20_000, 0):
        got = {name: heard(name, files, rate) for name in LISTENERS}
        reference = got["raw inotify"]["each"]
        for name, one in got.items():
            lost = f"{one['lost']:.0f} ({one['overflows']:.0f} overflows)" if one["overflows"] else f"{one['lost']:.0f}"
            rows.append(
                [
                    f"{rate or 'as fast as can be'}",
                    f"{one['rate']:.0f}",
                    name,
                    lost,
                    f"{one['each']:.1f}",
                    f"{one['each'] / reference:.1f}",
                ]
            )
    return table(["files/s wanted", "files/s made", "heard by", "lost", "CPU µs a file", "÷ raw"], rows)


async def _walks(files: int) -> str:
    with tempfile.TemporaryDirectory(prefix="dlp-bench-") as temporary:
        share, journal = Path(temporary) / "share", SqlJournal(Path(temporary) / "journal.db")
        for n in range(files):
            if n % 100 == 0:
                (share / f"{n // 100}").mkdir(parents=True)
            os.close(os.open(share / f"{n // 100}" / f"{n}", os.O_WRONLY | os.O_CREAT))

        async def submit(item: Item, gate: Gate) -> Outcome:
            return Outcome(verdict=Verdict(action=Action.ALLOW, level=None), inspection=Inspection())

        ports = FolderPorts(
            submit=submit,
            journal=journal,
            metrics=Metrics(),
            limits=Limits(),
            basis=lambda: "b",
            notice=None,
            clock=lambda: datetime.now(UTC),
            new_id=lambda: "item",
        )
        rows = []
        for name in ("first walk: each read, and noted", "second: all known, after a restart"):
            channel = ShareChannel(ShareSettings(paths=(share,)), ports)
            began, used = time.perf_counter(), time.process_time()
            await channel.start()
            await channel.settled()
            took, cost = time.perf_counter() - began, time.process_time() - used
            await channel.stop()
            rows.append([name, f"{took:.1f}", f"{files / took:.0f}", f"{1e6 * cost / files:.0f}"])
        journal.close()
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
        stored = (Path(temporary) / "journal.db").stat().st_size / files
    said = f"{files} files in {files // 100} directories; the journal takes {stored:.0f} bytes a file, the process {memory} MB."
    return f"{said}\n\n" + table(["inspection left out", "seconds", "files/s", "CPU µs a file"], rows)


def _tree(pid: int) -> list[int]:
    found = [pid]
    for one in found:
        for task in Path(f"/proc/{one}/task").glob("*/children"):
            found += map(int, task.read_text().split())
    return found


def _cpu(pids: list[int]) -> float:
    """Seconds of these processes and of their children that have ended."""
    ticks = 0
    for pid in pids:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        ticks += sum(map(int, fields[11:15]))
    return ticks / os.sysconf("SC_CLK_TCK")


def _decided(daemon: Daemon) -> dict[str, float]:
    """When each content was decided on, by its SHA-256."""
    found = {}
    for line in (daemon.folder / "state" / "audit" / "audit.jsonl").read_text("utf-8").splitlines():
        record = json.loads(line)
        if record["event"] == "decision":
            found[record["facts"]["sha256"]] = datetime.fromisoformat(record["time"]).timestamp()
    return found


def scan_rate(files: int) -> list[str]:
    with tempfile.TemporaryDirectory(prefix="dlp-bench-") as temporary, started(configure(Path(temporary))) as daemon:
        pids = _tree(daemon.process.pid)
        used, own = _cpu(pids), _cpu(pids[:1])
        for n in range(files):
            (daemon.share / f"{n}.txt").write_text(f"note {n}, of which nobody needs to know\n" * 10, "utf-8")
        began = time.monotonic()
        while daemon.metric('dlp_items_total{action="allow",channel="share"}') < files:
            time.sleep(0.2)
        took = time.monotonic() - began
        now = _tree(daemon.process.pid)
        whole, daemons = 1e3 * (_cpu(now) - used) / files, 1e3 * (_cpu(now[:1]) - own) / files
    return [f"{files}", f"{files / took:.0f}", f"{whole:.1f}", f"{daemons:.1f}"]


def latency(settle: float, files: int, pause: float) -> list[str]:
    with tempfile.TemporaryDirectory(prefix="dlp-bench-") as temporary:
        config = configure(Path(temporary))
        config.write_text(config.read_text("utf-8").replace("settle_seconds = 0.2", f"settle_seconds = {settle}"), "utf-8")
        with started(config) as daemon:
            closed = {}
            for n in range(files):
                content = f"note {n}\n".encode()
                (daemon.share / f"{n}.txt").write_bytes(content)
                closed[hashlib.sha256(content).hexdigest()] = time.time()
                time.sleep(pause)
            while not closed.keys() <= (decided := _decided(daemon)).keys():
                time.sleep(0.2)
    waits = sorted(decided[sha] - when for sha, when in closed.items())
    return [f"{settle}", f"{waits[len(waits) // 2]:.3f}", f"{waits[int(len(waits) * 0.99)]:.3f}", f"{waits[-1]:.3f}"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--listen", nargs=2, metavar=("NAME", "FOLDER"), help=argparse.SUPPRESS)
    parser.add_argument("--quick", action="store_true", help="a tenth of the files")
    arguments = parser.parse_args()
    if arguments.listen:
        listen(*arguments.listen)
        return
    share = 10 if arguments.quick else 1
    load = os.getloadavg()[0]
    queue = Path("/proc/sys/fs/inotify/max_queued_events").read_text().strip()
    print(f"Machine: {machine()}. Load at the start: {load:.1f}. fs.inotify.max_queued_events = {queue}.\n")
    print(f"{50_000 // share} files at a time, empty.\n\n{events(50_000 // share)}\n", flush=True)
    print(f"{asyncio.run(_walks(50_000 // share))}\n", flush=True)
    print(
        table(["files through the daemon", "files/s", "CPU ms a file", "of which the daemon's own"], [scan_rate(5_000 // share)])
    )
    rows = [latency(settle, 500 // share, 0.05) for settle in (0.5, 0.05)]
    print("\n" + table(["settle_seconds", "close to verdict, p50 s", "p99 s", "longest s"], rows), flush=True)


if __name__ == "__main__":
    main()
