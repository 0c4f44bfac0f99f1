"""A private Postfix for a test, in the way of config/postfix/ that the test names, and the hop behind it.

Everything of it is in a temporary folder and on ports of its own; the machine's Postfix, if there is one, is not touched.
"""

import asyncio
import json
import os
import pwd
import re
import shutil
import smtplib
import socket
import subprocess
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.helpers.daemon import CHECKOUT, configure, eventually, free_port
from tests.helpers.smtp import FakeHop, running, stuffed

HOST = "mx.example.com"
_PATH = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/sbin"])
_SECTION = re.compile(r"^# ---- /etc/(?:dlp|postfix)/(\S+) ----$", re.MULTILINE)

MAIN = """
compatibility_level = 3.6
queue_directory = {folder}/queue
data_directory = {folder}/data
maillog_file = {folder}/log
maillog_file_prefixes = {folder}
myhostname = {host}
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
mynetworks = 127.0.0.0/8
mydestination =
alias_maps =
alias_database =
local_recipient_maps =
smtp_dns_support_level = disabled
smtp_host_lookup = native
smtp_tls_security_level = none
biff = no
message_size_limit = 104857600
queue_run_delay = 2s
minimal_backoff_time = 1s
maximal_backoff_time = 2s
anvil_rate_time_unit = 1s
{relay}
"""

MASTER = """
smtp      inet  n       -       n       -       -       smtpd
pickup    unix  n       -       n       60      1       pickup
cleanup   unix  n       -       n       -       0       cleanup
qmgr      unix  n       -       n       300     1       qmgr
tlsmgr    unix  -       -       n       1000?   1       tlsmgr
rewrite   unix  -       -       n       -       -       trivial-rewrite
bounce    unix  -       -       n       -       0       bounce
defer     unix  -       -       n       -       0       bounce
trace     unix  -       -       n       -       0       bounce
verify    unix  -       -       n       -       1       verify
flush     unix  n       -       n       1000?   0       flush
proxymap  unix  -       -       n       -       -       proxymap
smtp      unix  -       -       n       -       -       smtp
relay     unix  -       -       n       -       -       smtp
showq     unix  n       -       n       -       -       showq
error     unix  -       -       n       -       -       error
retry     unix  -       -       n       -       -       error
discard   unix  -       -       n       -       -       discard
anvil     unix  -       -       n       -       1       anvil
scache    unix  -       -       n       -       1       scache
postlog   unix-dgram n  -       n       -       1       postlogd
"""


def required() -> None:
    """Skip the test, by name, where Postfix is absent or may not be started."""
    if os.geteuid() != 0:
        pytest.skip("needs root: Postfix changes to users of its own")
    if shutil.which("postfix", path=_PATH) is None:
        pytest.skip("needs Postfix (scripts/system-packages --tests)")
    if shutil.which("saslpasswd2", path=_PATH) is None:
        pytest.skip("needs sasl2-bin, for Postfix's users (scripts/system-packages --tests)")


@dataclass(frozen=True, kw_only=True)
class Ports:
    """Of one house: where clients come, where dlp listens, where it hands back, who is behind it, and dlp's milter socket."""

    smtp: int = field(default_factory=free_port)
    gateway: int = field(default_factory=free_port)
    reinjection: int = field(default_factory=free_port)
    hop: int = 25
    milter: str = ""

    def put_into(self, text: str) -> str:
        """A part of a shipped configuration with these ports instead of its own, and nothing chrooted."""
        for written, meant in {
            "127.0.0.1]:10025": f"127.0.0.1]:{self.gateway}",
            "127.0.0.1:10025": f"127.0.0.1:{self.gateway}",
            "127.0.0.1:10026": f"127.0.0.1:{self.reinjection}",
            "192.0.2.25:25": f"127.0.0.1:{self.hop}",
            "/run/dlp/milter.sock": self.milter,
        }.items():
            text = text.replace(written, meant)
        text = re.sub(r"^smtp( +inet )", rf"127.0.0.1:{self.smtp}\1", text, flags=re.MULTILINE)
        return re.sub(r"^(\S+ +(?:inet|unix) +\S +\S +)y ", r"\1n ", text, flags=re.MULTILINE)


@dataclass(frozen=True, kw_only=True)
class Way:
    """What config/postfix/NAME.cf says: main.cf and master.cf of Postfix, the tables of dlp.toml."""

    name: str
    main: str = ""
    master: str = ""
    toml: str = ""

    def configure(self, folder: Path, *, mail: str = "", extra: str = "", policy: Path | None = None) -> Path:
        """What `tests.helpers.daemon.configure` writes, with this way's tables for its [mail]; `mail` are more keys."""
        config = configure(folder, extra=extra, policy=policy)
        before, _, after = config.read_text("utf-8").partition("[mail]\n")
        config.write_text(f"{before}{self.toml.strip()}\n{mail}\n[share]\n{after.partition('[share]')[2]}", "utf-8")
        return config


ALONE = Way(name="alone")
"""Postfix without dlp."""


def way(name: str, ports: Ports) -> Way:
    """The shipped configuration of that name, with these ports."""
    text = (CHECKOUT / "config" / "postfix" / f"{name}.cf").read_text("utf-8")
    _, *pieces = _SECTION.split(text)
    parts = {pieces[at]: ports.put_into(pieces[at + 1]) for at in range(0, len(pieces), 2)}
    return Way(name=name, main=parts.get("main.cf", ""), master=parts.get("master.cf", ""), toml=parts["dlp.toml"])


@dataclass(frozen=True, kw_only=True)
class Postfix:
    """A running one. `folder` holds conf/, queue/, data/ and log."""

    folder: Path
    ports: Ports

    @property
    def config(self) -> Path:
        return self.folder / "conf"

    @property
    def address(self) -> tuple[str, int]:
        """Where clients come."""
        return "127.0.0.1", self.ports.smtp

    @property
    def log(self) -> str:
        file = self.folder / "log"
        return file.read_text("utf-8", "replace") if file.exists() else ""

    def run(self, command: str, *arguments: str, check: bool = True) -> str:
        """One of Postfix's own commands on this instance; what it prints."""
        done = subprocess.run(
            [_command(command), "-c", str(self.config), *arguments], capture_output=True, text=True, timeout=120, check=False
        )
        assert not check or done.returncode == 0, (
            f"{command} {' '.join(arguments)}: {done.stdout}{done.stderr}\n{self.log[-2000:]}"
        )
        return done.stdout

    def queue(self) -> list[dict[str, Any]]:
        """What postqueue -j tells, a message each."""
        return [json.loads(line) for line in self.run("postqueue", "-j").splitlines()]

    def flush(self) -> None:
        """Try everything in the queue again, now."""
        self.run("postqueue", "-f")

    def drained(self, *, seconds: float = 120.0) -> None:
        """Wait until the queue is empty."""
        eventually(lambda: not self.queue(), seconds=seconds)

    def reload(self) -> None:
        self.run("postfix", "reload")

    def client(self) -> smtplib.SMTP:
        """A session with the smtpd that clients use."""
        return smtplib.SMTP(*self.address, local_hostname="client.example.com", timeout=120)

    @property
    def pid(self) -> int:
        """Of the master, 0 where none runs."""
        file = self.folder / "queue" / "pid" / "master.pid"
        pid = int(file.read_text()) if file.exists() and file.read_text().strip() else 0
        return pid if pid and Path(f"/proc/{pid}").exists() else 0


def _command(name: str) -> str:
    found = shutil.which(name, path=_PATH)
    assert found is not None, f"{name} is not installed"
    return found


@contextmanager
def postfix(
    chosen: Way = ALONE,
    *,
    ports: Ports | None = None,
    relayhost: tuple[str, int] | None = None,
    main: str = "",
    master: str = "",
    users: Mapping[str, str] | None = None,
) -> Iterator[Postfix]:
    """A Postfix in this way, stopped at the end; it relays to `relayhost` unless the way says otherwise.

    `users` (name@realm → password) may log in with PLAIN or LOGIN.

    `main` and `master` are lines of main.cf and services of master.cf that come last; a service that stands
    already (its name and type) is replaced.
    """
    required()
    ports = ports or Ports()
    # Not under pytest's folder: Postfix's own users must be able to walk there.
    folder = Path(tempfile.mkdtemp(prefix="dlp-postfix-", dir="/tmp"))
    here = Postfix(folder=folder, ports=ports)
    folder.chmod(0o755)
    for name in ("conf", "queue", "data"):
        (folder / name).mkdir(mode=0o755)
    try:
        _write(here, relayhost, main=[chosen.main, main, _sasl(here, users) if users else ""], master=[chosen.master, master])
        here.run("postfix", "start")
        yield here
    finally:
        _end(here)
        shutil.rmtree(folder)


def _write(here: Postfix, relayhost: tuple[str, int] | None, *, main: list[str], master: list[str]) -> None:
    os.chown(here.folder / "data", pwd.getpwnam("postfix").pw_uid, -1)
    relay = f"relayhost = [{relayhost[0]}]:{relayhost[1]}" if relayhost else ""
    text = MAIN.format(folder=here.folder, host=HOST, relay=relay)
    (here.config / "main.cf").write_text(_settings("\n".join([text, *main])), "utf-8")
    services = _services(here.ports.put_into(MASTER))
    for more in master:
        services |= _services(more)
    (here.config / "master.cf").write_text("".join(services.values()), "utf-8")


def _sasl(here: Postfix, users: Mapping[str, str]) -> str:
    """Cyrus SASL with a database of the test's own; the lines of main.cf that use it."""
    database = here.config / "sasldb2"
    for name, password in users.items():
        user, _, realm = name.partition("@")
        subprocess.run(
            [_command("saslpasswd2"), "-p", "-c", "-f", str(database), "-u", realm, user],
            input=password.encode(),
            check=True,
            timeout=60,
        )
    database.chmod(0o644)
    lines = ["pwcheck_method: auxprop", "auxprop_plugin: sasldb", f"sasldb_path: {database}", "mech_list: PLAIN LOGIN"]
    # Debian's Postfix looks in this folder whatever `cyrus_sasl_config_path` says.
    (here.config / "sasl").mkdir()
    (here.config / "sasl" / "smtpd.conf").write_text("\n".join(lines) + "\n", "utf-8")
    return f"smtpd_sasl_auth_enable = yes\nsmtpd_sasl_path = smtpd\ncyrus_sasl_config_path = {here.config}/sasl\n"


def _settings(text: str) -> str:
    """main.cf, each setting once: a later one replaces an earlier one, which Postfix would only warn of."""
    chosen: dict[str, str] = {}
    name = ""
    for line in text.splitlines():
        if line[:1].isspace() and name:
            chosen[name] += line + "\n"
        elif line.strip() and not line.startswith("#"):
            name = line.partition("=")[0].strip()
            chosen[name] = line + "\n"
    return "".join(chosen.values())


def _services(text: str) -> dict[tuple[str, str], str]:
    """master.cf, by name and type of the service."""
    chosen: dict[tuple[str, str], str] = {}
    key = ("", "")
    for line in text.splitlines():
        if line[:1].isspace() and key[0]:
            chosen[key] += line + "\n"
        elif line.strip() and not line.startswith("#"):
            words = line.split()
            key = words[0], words[1]
            chosen[key] = line + "\n"
    return chosen


def _end(here: Postfix) -> None:
    """Stop it, and what does not stop; nothing is left running."""
    pid = here.pid
    if not pid:
        return
    here.run("postfix", "stop", check=False)
    if here.pid:
        here.run("postfix", "abort", check=False)
    eventually(lambda: not here.pid)


@contextmanager
def recording(hop: FakeHop | None = None) -> Iterator[FakeHop]:
    """A FakeHop in a thread of its own, so that a test that is not async can look at it."""
    hop = hop or FakeHop()
    ready, loop = threading.Event(), asyncio.new_event_loop()
    over = asyncio.Event()

    async def serve() -> None:
        async with running(hop):
            ready.set()
            await over.wait()

    thread = threading.Thread(target=lambda: loop.run_until_complete(serve()), name="fake-hop", daemon=True)
    thread.start()
    try:
        assert ready.wait(20), "the hop did not start"
        yield hop
    finally:
        loop.call_soon_threadsafe(over.set)
        thread.join(20)
        loop.close()


class Client:
    """A connection that says exactly the bytes it is told and waits for each reply, for tests that are not async."""

    def __init__(self, address: tuple[str, int], *, ehlo: bytes = b"EHLO client.example.com") -> None:
        self._socket = socket.create_connection(address, timeout=100)
        self._lines = self._socket.makefile("rb")
        self.port = int(self._socket.getsockname()[1])
        assert self.reply().startswith("220 ")
        self.offers = self.say(ehlo)

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *_: object) -> None:
        self._lines.close()
        self._socket.close()

    def send(self, data: bytes) -> None:
        self._socket.sendall(data)

    def reply(self) -> str:
        """The next reply, lines joined by CRLF; "" once the server has closed."""
        lines = []
        try:
            while line := self._lines.readline():
                lines.append(line.decode("utf-8", "surrogateescape").removesuffix("\r\n"))
                if line[3:4] != b"-":
                    break
        except ConnectionError:
            return ""
        return "\r\n".join(lines)

    def say(self, line: bytes) -> str:
        self.send(line + b"\r\n")
        return self.reply()

    def transaction(self, mail: bytes, rcpt: Sequence[bytes], content: bytes) -> list[str]:
        """The reply to each command and to the message, as far as they are accepted; RSET after what was not."""
        replies = []
        for line in (b"MAIL FROM:" + mail, *(b"RCPT TO:" + one for one in rcpt), b"DATA"):
            replies.append(self.say(line))
            if replies[-1][:1] not in ("2", "3"):
                self.say(b"RSET")
                return replies
        self.send(stuffed(content))
        return [*replies, self.reply()]
