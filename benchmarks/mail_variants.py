"""The ways mail may go from smtp-source to smtp-sink: past Postfix alone, past ours, past others. Each is a private instance."""

import json
import os
import re
import socket
import subprocess
import sys
import threading
import time
import tomllib
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks import mail_filters
from benchmarks.processes import Group, group
from tests.helpers.daemon import CHECKOUT, Daemon, eventually, free_port, started
from tests.helpers.postfix import Ports, Postfix, Way, postfix, way

_COUNT = re.compile(rb"mesg=(\d+)")
_PATH = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/sbin"])


class Sink:
    """smtp-sink, which takes everything and keeps nothing; `messages` so far, and `when` the last one came (perf_counter)."""

    def __init__(self) -> None:
        self.port = free_port()
        self.messages = 0
        self.when = 0.0
        command = ["smtp-sink", "-c", *(("-u", "nobody") if os.geteuid() == 0 else ()), f"127.0.0.1:{self.port}", "1000"]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, env={**os.environ, "PATH": _PATH})
        self._reader = threading.Thread(target=self._count, daemon=True)
        self._reader.start()
        eventually(lambda: listens(self.port))

    def _count(self) -> None:
        assert self._process.stdout is not None
        rest = b""
        while chunk := os.read(self._process.stdout.fileno(), 1 << 16):
            found = _COUNT.findall(rest + chunk + b" ")
            rest = (rest + chunk)[-40:]
            if found and int(found[-1]) > self.messages:
                self.messages, self.when = int(found[-1]), time.perf_counter()

    def stop(self) -> None:
        """End it."""
        self._process.terminate()
        self._process.wait()
        self._reader.join()


@dataclass(frozen=True, kw_only=True)
class Variant:
    """`key` names it on the command line. `ours` has a gateway of ours in it; `inspects` "", "off" or "on"."""

    key: str
    name: str
    inspects: str = ""
    needs: tuple[str, ...] = ("postfix",)
    start: Callable[["Site"], None]

    @property
    def title(self) -> str:
        """As the tables say it."""
        return f"{self.name}, {self.inspects}" if self.inspects else self.name

    @property
    def ours(self) -> bool:
        """A gateway of ours stands in it."""
        return bool(self.inspects)


class Site:
    """One variant running: `port` is where clients come, `group` counts what it costs, `gateway` our process in it."""

    def __init__(self, variant: Variant, stack: ExitStack, folder: Path) -> None:
        self.variant = variant
        self.stack = stack
        self.folder = folder
        self.sink = Sink()
        stack.callback(self.sink.stop)
        self.group: Group = group(variant.key)
        stack.callback(self.group.close)
        self.port = 0
        self.gateway = 0
        self.mta: Postfix | None = None
        self.daemon: Daemon | None = None
        with self.group.entered():
            variant.start(self)

    def quiet(self) -> None:
        """Wait until nothing is under way."""
        if self.mta is not None:
            self.mta.drained(seconds=300)
        before = -1
        while before != self.sink.messages:
            before = self.sink.messages
            time.sleep(0.2)
        self.group.settled()

    def complaint(self) -> str:
        """The last warning in Postfix's log, if there is one."""
        lines = self.mta.log.splitlines() if self.mta is not None else []
        return next((line for line in reversed(lines) if ": warning:" in line), "")

    def relay(self, chosen: Way, ports: Ports, *, main: str = "", master: str = "") -> None:
        """Postfix in this way, its last hop the sink."""
        hop = ("127.0.0.1", self.sink.port)
        self.mta = self.stack.enter_context(postfix(chosen, ports=ports, relayhost=hop, main=main, master=master))
        self.port = ports.smtp

    def ours(self, tables: Mapping[str, Mapping[str, Any]]) -> None:
        """The real daemon, or the gateway alone where nothing is to be inspected, on these tables."""
        config = _configuration(self.folder, tables)
        if self.variant.inspects == "on":
            self.daemon = self.stack.enter_context(started(config))
            self.gateway = self.daemon.process.pid
        else:
            self.gateway = self.stack.enter_context(_gateway(config))

    def stopped(self) -> list[str]:
        """What the daemon did with messages instead of letting them pass, as lines of its metrics."""
        if self.daemon is None:
            return []
        lines = self.daemon.get("/metrics")[1].splitlines()
        acted = [line for line in lines if line.startswith("dlp_items_total{") and 'action="allow"' not in line]
        return [line for line in acted if not line.endswith(" 0.0")]


def listens(port: int) -> bool:
    """Somebody does, on the loopback."""
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


def _configuration(folder: Path, tables: Mapping[str, Mapping[str, Any]]) -> Path:
    """The shipped configuration with these tables for its channels, and text in pictures not read."""
    shipped = CHECKOUT / "config"
    tables = {
        "signatures": {"paths": [str(CHECKOUT / "signatures")]},
        "organisation": {"domains": ["example.com"]},
        "ocr": {"use": "off"},
        "metrics": {"listen": f"127.0.0.1:{free_port()}"},
        **tables,
    }
    lines = [f'policy = "{shipped / "policy.toml"}"', 'state = "state"']
    for name, table in tables.items():
        lines += [f"[{name}]", *(f"{key} = {json.dumps(value)}" for key, value in table.items())]
    path = folder / "dlp.toml"
    path.write_text("\n".join(lines) + "\n", "utf-8")
    return path


@contextmanager
def _gateway(config: Path) -> Iterator[int]:
    """benchmarks.mail_gateway, its process id."""
    log = config.parent / "gateway.log"
    command = [sys.executable, "-m", "benchmarks.mail_gateway", "--config", str(config)]
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output, cwd=CHECKOUT)
    try:
        eventually(lambda: process.poll() is not None or b"ready" in log.read_bytes(), seconds=60)
        assert process.poll() is None, log.read_text("utf-8", "replace")
        yield process.pid
    finally:
        process.terminate()
        process.wait(60)


# The variants


def _alone(site: Site) -> None:
    site.relay(Way(name="alone"), Ports())


def _gateway_alone(site: Site) -> None:
    site.port = free_port()
    site.ours({"mail": {"listen": [f"127.0.0.1:{site.port}"], "next_hop": f"smtp://127.0.0.1:{site.sink.port}"}})


def _queue(name: str) -> Callable[[Site], None]:
    """One of the two ways in which Postfix hands a message to us by SMTP and takes it back."""

    def start(site: Site) -> None:
        ports = Ports()
        chosen = way(name, ports)
        site.ours(tomllib.loads(chosen.toml))
        site.relay(chosen, ports)

    return start


def _milter(site: Site) -> None:
    ports = Ports(milter=str(site.folder / "milter.sock"))
    chosen = way("milter", ports)
    unused = {"listen": [f"127.0.0.1:{free_port()}"], "next_hop": f"smtp://127.0.0.1:{site.sink.port}"}
    site.ours({"mail": unused, **tomllib.loads(chosen.toml)})
    site.relay(chosen, ports)


def _by_milter(site: Site, path: Path) -> None:
    site.relay(Way(name="milter"), Ports(), main=f"smtpd_milters = unix:{path}\nmilter_default_action = tempfail")


def _rspamd(site: Site) -> None:
    _by_milter(site, site.stack.enter_context(mail_filters.rspamd(site.folder)))


def _clamav(site: Site) -> None:
    _by_milter(site, site.stack.enter_context(mail_filters.clamav_milter(site.folder)))


def _amavis(site: Site) -> None:
    """As its README.postfix has it; the way is ours after the queue, with as many at once as amavis takes."""
    ports = Ports()
    chosen = way("after-queue", ports)
    options = ("smtp_send_xforward_command=yes", "smtp_data_done_timeout=1200s", "disable_dns_lookups=yes", "max_use=20")
    transport = f"dlp unix - - n - {mail_filters.amavis_servers()} smtp\n" + "".join(f"    -o {one}\n" for one in options)
    site.stack.enter_context(mail_filters.amavis(site.folder, port=ports.gateway, back=ports.reinjection))
    site.relay(chosen, ports, master=transport)


def _both(key: str, name: str, start: Callable[[Site], None], needs: tuple[str, ...] = ("postfix",)) -> list[Variant]:
    return [Variant(key=f"{key}-{how}", name=name, inspects=how, start=start, needs=needs) for how in ("off", "on")]


VARIANTS = (
    Variant(key="postfix", name="Postfix alone", start=_alone),
    *_both("gateway", "dlp alone", _gateway_alone, ()),
    *_both("before", "Postfix + dlp before-queue", _queue("before-queue")),
    *_both("milter", "Postfix + dlp milter", _milter),
    *_both("after", "Postfix + dlp after-queue", _queue("after-queue")),
    Variant(key="clamav", name="Postfix + clamav-milter", start=_clamav, needs=("postfix", "clamd", "clamav-milter")),
    Variant(key="rspamd", name="Postfix + rspamd", start=_rspamd, needs=("postfix", "rspamd")),
    Variant(key="amavis", name="Postfix + amavis", start=_amavis, needs=("postfix", "clamd", "amavisd")),
)
REFERENCE = VARIANTS[0]
