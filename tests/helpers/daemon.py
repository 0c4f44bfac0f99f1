"""Starts the real daemon on a configuration of the test's own, and talks to it as its users do."""

import json
import os
import random
import signal
import socket
import subprocess
import sys
import time
import tomllib
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

CHECKOUT = Path(__file__).resolve().parents[2]
T = TypeVar("T")


def free_port() -> int:
    """A TCP port of the loopback that nobody listens on just now, and that no outgoing connection is given: who listens on
    it may go away and come back."""
    lowest = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    while True:
        port = random.SystemRandom().randrange(10_000, max(lowest, 10_100))
        try:
            with socket.create_server(("127.0.0.1", port)):
                return port
        except OSError:
            continue  # taken


def eventually(probe: Callable[[], T], *, seconds: float = 20.0) -> T:
    """The first truthy answer of `probe`, asked ten times a second; its last answer fails the test."""
    end = time.monotonic() + seconds
    while not (answer := probe()) and time.monotonic() < end:
        time.sleep(0.1)
    assert answer, f"still {answer!r} after {seconds} s"
    return answer


def dlp(
    *arguments: object, config: Path | None = None, check: bool = False, seconds: float = 120
) -> subprocess.CompletedProcess[str]:
    """Run the command as a user would; its output is captured."""
    named = ["--config", str(config)] if config else []
    command = [sys.executable, "-m", "dlp", *map(str, arguments), *named]
    return subprocess.run(command, capture_output=True, text=True, timeout=seconds, check=check, cwd=CHECKOUT, encoding="utf-8")


@dataclass
class Daemon:
    """A running daemon. `log` is what it wrote to stderr so far."""

    config: Path
    folder: Path
    smtp: int
    http: int
    process: subprocess.Popen[bytes]

    @property
    def log(self) -> str:
        return (self.folder / "stderr").read_text("utf-8")

    @property
    def share(self) -> Path:
        return self.folder / "share"

    @property
    def outbox(self) -> Path:
        return self.folder / "outbox"

    def get(self, path: str) -> tuple[int, str]:
        """Status and body of an HTTP GET."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.http}{path}", timeout=5) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()

    def metric(self, sample: str) -> float:
        """The value of one sample line, such as 'dlp_items_total{action="block",channel="mail"}'; 0 where it is absent."""
        lines = dict(line.rsplit(" ", 1) for line in self.get("/metrics")[1].splitlines() if not line.startswith("#"))
        return float(lines.get(sample, 0))

    def dlp(self, *arguments: object) -> subprocess.CompletedProcess[str]:
        return dlp(*arguments, config=self.config)

    def json(self, *arguments: object) -> list[dict[str, Any]]:
        """What a verb prints with --json, parsed."""
        done = self.dlp(*arguments, "--json")
        assert done.returncode == 0, done.stderr
        return [json.loads(line) for line in done.stdout.splitlines()]

    def delivered(self) -> list[bytes]:
        """The messages the next hop (a maildir) has taken, oldest first."""
        return [path.read_bytes() for path in sorted((self.outbox / "new").glob("*"), key=lambda p: p.stat().st_mtime_ns)]

    def reload(self) -> None:
        self.process.send_signal(signal.SIGHUP)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(timeout=10)

    def stop(self) -> int:
        self.process.terminate()
        return self.process.wait(timeout=60)


HAND_OVER = """
import os, sys
os.dup2(int(sys.argv[1]), 3)
os.set_inheritable(3, True)
os.environ |= {"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": "1"}
os.execv(sys.argv[2], sys.argv[2:])
"""
"""Gives a program a socket as systemd does (sd_listen_fds(3)): the variable names the very process, which this one becomes."""

TOML = """
state = "state"
policy = "{policy}"
[signatures]
paths = ["{signatures}"{more}]
[organisation]
name = "Example"
domains = ["example.com"]
[mail]
listen = ["127.0.0.1:{smtp}"]
next_hop = "{next_hop}"
[share]
paths = ["share"]
settle_seconds = 0.2
[metrics]
listen = "127.0.0.1:{http}"
{extra}
"""


def configure(
    folder: Path, *, extra: str = "", next_hop: str = "maildir:outbox", policy: Path | None = None, signatures: str = ""
) -> Path:
    """Write a configuration into `folder`, with ports of its own, and return its path."""
    (folder / "share").mkdir(exist_ok=True)
    text = TOML.format(
        policy=policy or CHECKOUT / "config" / "policy.toml",
        signatures=CHECKOUT / "signatures",
        more=f', "{signatures}"' if signatures else "",
        smtp=free_port(),
        http=free_port(),
        next_hop=next_hop,
        extra=extra,
    )
    path = folder / "dlp.toml"
    path.write_text(text, "utf-8")
    return path


@contextmanager
def started(
    config: Path,
    *,
    environment: dict[str, str] | None = None,
    module: str = "dlp",
    under: Sequence[str] = (),
    handed: socket.socket | None = None,
    full: bool = False,
) -> Iterator[Daemon]:
    """A daemon that is ready (or, with `full`, says that its disk is full), stopped (or killed, if it does not stop) at the
    end. `module` is run instead of `dlp`; `under` is put before the command, such as a tracer and its options. `handed` is a
    listening socket that it is given as systemd gives one."""
    read, folder = tomllib.loads(config.read_text("utf-8")), config.parent
    mail, metrics = (read.get(table, {}).get("listen", ":0") for table in ("mail", "metrics"))
    ports = [int((mail if isinstance(mail, str) else mail[0]).rpartition(":")[2]), int(metrics.rpartition(":")[2])]
    with (folder / "stderr").open("ab") as stderr, (folder / "stdout").open("ab") as stdout:
        command = [*under, sys.executable, "-m", module, "run", "--config", str(config)]
        passed = []
        if handed is not None:
            passed = [handed.fileno()]
            command = [sys.executable, "-c", HAND_OVER, str(handed.fileno()), *command]
        variables = {**os.environ, **(environment or {})}
        process = subprocess.Popen(command, stdout=stdout, stderr=stderr, cwd=CHECKOUT, env=variables, pass_fds=passed)
    daemon = Daemon(config=config, folder=folder, smtp=ports[0], http=ports[1], process=process)
    try:
        eventually(lambda: process.poll() is not None or _ready(daemon, full=full), seconds=60)
        assert process.poll() is None, daemon.log
        yield daemon
    finally:
        if process.poll() is None:
            daemon.stop()


def _ready(daemon: Daemon, *, full: bool) -> bool:
    try:
        status, said = daemon.get("/readyz")
        return "disk" in said if full else status == 200
    except OSError:
        return False
