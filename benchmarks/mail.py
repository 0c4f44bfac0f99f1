"""What standing in the path of mail costs: Postfix alone, with ours in each way, with others (`make bench-mail`, as root).

Every variant is a private instance that runs all the time; each round sends the same messages through each in turn, so
that a noisy machine hits all alike. Per cell (size, sessions) and variant:

1. Load: smtp-source sends, a connection a message; smtp-sink takes. Messages per second until the last one is at the
   sink; processor time of all processes of the variant, ended ones too, a message; peak memory (PSS).
2. Latency: a client of our own (mail_load) with as many sessions, since smtp-source does not time messages: from
   connecting to the reply after the dot.

Then small mail beside two senders of 20 MB, and the memory of the gateway's process with 20 messages of 20 MB at once.
Ratios are to Postfix alone in the same round and cell, the median of the rounds. Prints Markdown for docs/performance.md.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

from benchmarks.mail_filters import installed
from benchmarks.mail_messages import SIZES, written
from benchmarks.mail_report import report
from benchmarks.mail_variants import VARIANTS, Site, Variant
from benchmarks.measure import machine
from benchmarks.processes import Peak, pss, unmapped
from tests.helpers.daemon import CHECKOUT, eventually

_PATH = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/sbin"])
LARGE, SMALL = "20 MB", "10 KB"
PARALLEL = 20
"""Messages of 20 MB at once, for the memory of the gateway."""
_GROWS = ("gateway", "milter")
"""Of which the memory is measured; before and after the queue it is the same gateway."""
_SENDER, _RECIPIENT = "sender@example.com", "recipient@example.net"


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One kind of load."""

    size: str
    sessions: int

    def __str__(self) -> str:
        return f"{self.size} × {self.sessions}"


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What is measured: cells, variants, rounds; `seconds` each load and each latency takes, roughly."""

    cells: tuple[Cell, ...]
    variants: tuple[Variant, ...]
    rounds: int
    seconds: float
    beside: float
    least: int
    """Seconds, and messages at the least, that small mail is timed beside large mail."""


@dataclass
class Figures:
    """What was measured, raw: rows of plain values, times in seconds, memory in bytes."""

    machine: str
    loads: list[dict[str, object]] = field(default_factory=list)
    latencies: list[dict[str, object]] = field(default_factory=list)
    beside: list[dict[str, object]] = field(default_factory=list)
    growth: list[dict[str, object]] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)


class Bench:
    """One run of a plan over running sites."""

    def __init__(self, plan: Plan, folder: Path) -> None:
        self.plan = plan
        self.folder = folder
        self.figures = Figures(machine())
        self._rates: dict[tuple[str, Cell], float] = {}

    def run(self, sites: Sequence[Site]) -> None:
        """Everything, the order of the variants turned on by one each round."""
        for number in range(self.plan.rounds):
            turned = [*sites[number % len(sites) :], *sites[: number % len(sites)]]
            for cell in self.plan.cells:
                for site in turned:
                    with self._step(site, f"{cell}, {site.variant.title}, round {number + 1} of {self.plan.rounds}"):
                        self._load(site, cell, number)
                        self._latency(site, cell, number)
            for site in turned:
                with self._step(site, f"{SMALL} beside two senders of {LARGE}, {site.variant.title}, round {number + 1}"):
                    self._beside(site, number)
        for site in sites:
            if site.variant.key.partition("-")[0] in _GROWS:
                with self._step(site, f"memory with {PARALLEL} × {LARGE}, {site.variant.title}"):
                    self._growth(site)
        for site in sites:
            if acted := site.stopped():
                self.figures.failed.append(f"{site.variant.title} did not let everything pass: {', '.join(acted)}")

    @contextmanager
    def _step(self, site: Site, what: str) -> Iterator[None]:
        """One measurement; where it fails that is reported at the end, and the others go on."""
        say(what)
        try:
            yield
        except (AssertionError, subprocess.SubprocessError) as error:
            say(f"failed: {error}")
            self.figures.failed.append(f"{what}: {error} {site.complaint()}".rstrip())

    def _load(self, site: Site, cell: Cell, number: int) -> None:
        file = written(self.folder, SIZES[cell.size])
        rate = self._rates.get((site.variant.key, cell)) or self._warmed(site, file, cell)
        count = max(2 * cell.sessions, 4 if cell.size == LARGE else 40, min(5000, int(rate * self.plan.seconds)))
        site.quiet()
        before, sent = site.group.cpu(), site.sink.messages
        with Peak(site.group.pss, interval=0.2) as memory:
            start = time.perf_counter()
            send(site.port, file, sessions=cell.sessions, count=count)
            arrived(site, sent + count)
            elapsed = site.sink.when - start
        cpu = site.group.settled() - before
        assert site.sink.messages == sent + count, f"{site.variant.title}: {site.sink.messages - sent} of {count} messages"
        self._rates[site.variant.key, cell] = count / elapsed
        row = {"messages": count, "seconds": elapsed, "cpu": cpu, "pss": memory.value}
        self.figures.loads.append({**_where(site, cell, number), **row})

    def _warmed(self, site: Site, file: Path, cell: Cell) -> float:
        """A first rate; processes that are started on demand are there afterwards."""
        count = max(2 * cell.sessions, 2 if cell.size == LARGE else 20)
        sent, start = site.sink.messages, time.perf_counter()
        send(site.port, file, sessions=cell.sessions, count=count)
        arrived(site, sent + count)
        return count / (site.sink.when - start)

    def _latency(self, site: Site, cell: Cell, number: int) -> None:
        site.quiet()
        file = written(self.folder, SIZES[cell.size])
        seconds = timed(site.port, file, sessions=cell.sessions, seconds=self.plan.seconds, least=max(5, cell.sessions))
        site.quiet()
        self.figures.latencies.append({**_where(site, cell, number), "latencies": seconds})

    def _beside(self, site: Site, number: int) -> None:
        large, small = (written(self.folder, SIZES[size]) for size in (LARGE, SMALL))
        site.quiet()
        with sending(site.port, large, sessions=2):
            time.sleep(1.0)
            seconds = timed(site.port, small, sessions=1, seconds=self.plan.beside, pause=0.02, least=self.plan.least)
        site.quiet()
        self.figures.beside.append({"variant": site.variant.title, "round": number, "latencies": seconds})

    def _growth(self, site: Site) -> None:
        file = written(self.folder, SIZES[LARGE])
        send(site.port, file, sessions=2, count=2)
        site.quiet()
        before, sent, pid = pss(site.gateway), site.sink.messages, site.gateway
        with Peak(lambda: pss(pid), interval=0.02) as mapped, Peak(lambda: unmapped(pid), interval=0.02) as files:
            send(site.port, file, sessions=PARALLEL, count=PARALLEL)
            arrived(site, sent + PARALLEL)
        site.quiet()
        row = {"variant": site.variant.title, "before": before, "peak": mapped.value, "files": files.value, "after": pss(pid)}
        self.figures.growth.append(row)


def _where(site: Site, cell: Cell, number: int) -> dict[str, object]:
    return {"variant": site.variant.title, "round": number, "size": cell.size, "sessions": cell.sessions}


def _source(port: int, file: Path, *, sessions: int, count: int) -> list[str]:
    options = ["-s", str(sessions), "-m", str(count), "-f", _SENDER, "-t", _RECIPIENT, "-F", str(file)]
    return ["smtp-source", *options, f"127.0.0.1:{port}"]


def send(port: int, file: Path, *, sessions: int, count: int) -> None:
    """smtp-source to its end; it stops at the first reply that is not 2xx, and so do we."""
    command = _source(port, file, sessions=sessions, count=count)
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, env={**os.environ, "PATH": _PATH})
    assert done.returncode == 0, f"{' '.join(command)}: {done.stderr.strip()}"


@contextmanager
def sending(port: int, file: Path, *, sessions: int) -> Iterator[None]:
    """smtp-source in the background; cut off at the end."""
    command = _source(port, file, sessions=sessions, count=1_000_000)
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env={**os.environ, "PATH": _PATH})
    try:
        yield
        assert process.poll() is None, f"{' '.join(command)}: {process.communicate()[1].strip()}"
    finally:
        process.kill()
        process.communicate()


def timed(port: int, file: Path, *, sessions: int, seconds: float, pause: float = 0.0, least: int = 1) -> list[float]:
    """Latencies by mail_load, in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.mail_load", "--port", str(port), "--file", str(file)]
    command += ["--sessions", str(sessions), "--seconds", str(seconds), "--pause", str(pause), "--least", str(least)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=900, cwd=CHECKOUT)
    assert done.returncode == 0, done.stderr.strip()
    latencies: list[float] = json.loads(done.stdout)
    return latencies


def arrived(site: Site, messages: int) -> None:
    """Wait until the sink has them all."""
    eventually(lambda: site.sink.messages >= messages, seconds=600)


def say(what: str) -> None:
    """Progress, on standard error."""
    print(f"{time.strftime('%H:%M:%S')} {what}", file=sys.stderr, flush=True)


def measured(plan: Plan) -> Figures:
    """Start every variant that can be had, and run the plan."""
    with tempfile.TemporaryDirectory(prefix="dlp-bench-", dir="/tmp") as name, ExitStack() as stack:
        Path(name).chmod(0o755)  # other daemons' users walk there
        bench, sites = Bench(plan, Path(name)), list[Site]()
        for variant in plan.variants:
            if missing := [program for program in variant.needs if not installed(program)]:
                bench.figures.skipped.append(f"{variant.title}: {', '.join(missing)} not installed")
                continue
            say(f"starting {variant.title}")
            folder = Path(name) / variant.key
            folder.mkdir(mode=0o755)
            sites.append(Site(variant, stack, folder))
        bench.run(sites)
        return bench.figures


def _plan(given: argparse.Namespace) -> Plan:
    sizes = given.sizes or ([SMALL, LARGE] if given.quick else list(SIZES))
    sessions = given.sessions or ([10] if given.quick else [1, 10, 50])
    cells = [
        Cell(size=size, sessions=number)
        for size in sizes
        for number in (sorted({1 if given.quick else min(n, 4) for n in sessions}) if size == LARGE else sessions)
    ]
    chosen = [
        one for one in VARIANTS if not given.variants or one is VARIANTS[0] or any(one.key.startswith(k) for k in given.variants)
    ]
    return Plan(
        cells=tuple(cells),
        variants=tuple(chosen),
        rounds=given.rounds or (1 if given.quick else 3),
        seconds=given.seconds or (1.0 if given.quick else 1.5),
        beside=3.0 if given.quick else 6.0,
        least=5 if given.quick else 30,
    )


def main() -> None:
    """See the module."""
    keys = ", ".join(variant.key for variant in VARIANTS)
    parser = argparse.ArgumentParser(description="what standing in the path of mail costs")
    parser.add_argument("--quick", action="store_true", help="one round of 10 KB with 10 sessions and of 20 MB")
    parser.add_argument("--rounds", type=int, help="how often everything is measured (3)")
    parser.add_argument("--seconds", type=float, help="how long one load and one latency takes, roughly (1.5)")
    parser.add_argument("--sizes", nargs="+", choices=SIZES)
    parser.add_argument("--sessions", nargs="+", type=int, help="1 10 50; of 20 MB no more than 4")
    parser.add_argument("--variants", nargs="+", metavar="KEY", help=f"beside postfix, those that begin so: {keys}")
    parser.add_argument("--json", type=Path, metavar="FILE", help="the raw figures")
    given = parser.parse_args()
    if os.geteuid() != 0:
        raise SystemExit("needs root: Postfix and the filters change to users of their own, and control groups are made")
    figures = measured(_plan(given))
    if given.json:
        given.json.write_text(json.dumps(asdict(figures)))
    print(report(asdict(figures)))
    if figures.failed:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
