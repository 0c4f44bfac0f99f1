"""The gateway under load: a restart refuses nobody, a flood is turned away, large messages do not fill memory."""

import base64
import os
import resource
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.helpers.daemon import Daemon, configure, eventually, started
from tests.helpers.documents import a_mail

pytestmark = pytest.mark.timeout(600)
MESSAGES = 400


def with_mail(config: Path, *lines: str, port: int | None = None) -> Path:
    """The configuration with more lines in [mail], listening there."""
    text = config.read_text("utf-8")
    start = text.index("[mail]")
    rest = text[start:].splitlines()
    if port is not None:
        rest[1] = f'listen = ["127.0.0.1:{port}"]'
    config.write_text(text[:start] + "\n".join([*rest[:2], *lines, *rest[2:]]), "utf-8")
    return config


@pytest.fixture
def port() -> Iterator[socket.socket]:
    """A listening socket that outlives the daemon, as systemd would hold it."""
    with socket.create_server(("127.0.0.1", 0), backlog=1024) as listener:
        yield listener


@pytest.mark.skipif(shutil.which("smtp-source") is None, reason="needs Postfix's smtp-source (scripts/system-packages --tests)")
@pytest.mark.parametrize("processes", [0, pytest.param(2, marks=pytest.mark.long)])
def test_restarts_and_reloads_under_load_refuse_and_lose_nothing(tmp_path: Path, port: socket.socket, processes: int) -> None:
    number = port.getsockname()[1]
    config = with_mail(configure(tmp_path), f"processes = {processes}", port=number)
    command = ["smtp-source", "-s", "50", "-m", str(MESSAGES), "-l", "2000", "-f", "a@example.com", "-t", "b@example.org"]
    with started(config, handed=port) as daemon:
        load = subprocess.Popen([*command, f"127.0.0.1:{number}"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        eventually(lambda: len(daemon.delivered()) > 20, seconds=120)
        daemon.reload()
        eventually(lambda: '"event": "reloaded"' in daemon.log, seconds=60)
        assert daemon.stop() == 0
        assert load.poll() is None, "there is load left for the next"
    with started(config, handed=port) as daemon:
        eventually(lambda: len(daemon.delivered()) > MESSAGES // 2, seconds=240)
        assert daemon.stop() == 0
    with started(config, handed=port) as daemon:
        said, _ = load.communicate(timeout=300)
        assert (load.returncode, said) == (0, "")
        assert len(daemon.delivered()) == MESSAGES


def test_a_socket_that_nobody_serves_is_a_fault(tmp_path: Path, port: socket.socket) -> None:
    with pytest.raises(AssertionError), started(configure(tmp_path), handed=port):
        pass
    assert "whose socket was handed over" in (tmp_path / "stderr").read_text("utf-8")


def test_a_flood_is_turned_away_and_leaves_no_trace(tmp_path: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < 4000:
        pytest.skip("fewer descriptors than the flood needs may be open")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 4000), hard))
    cap, flood = 100, 2100
    with started(with_mail(configure(tmp_path), f"max_sessions = {cap}")) as daemon:
        place = ("127.0.0.1", daemon.smtp)
        clients = [socket.create_connection(place, timeout=60) for _ in range(flood)]
        greetings = [client.recv(200) for client in clients]
        assert sum(greeting.startswith(b"220 ") for greeting in greetings) == cap
        assert sum(greeting == b"421 4.3.2 Too many sessions, try again later\r\n" for greeting in greetings) == flood - cap
        for client in clients:
            client.close()
        eventually(lambda: greeted(place), seconds=30)
        assert [line for line in daemon.log.splitlines() if '"level": "error"' in line] == []


def greeted(place: tuple[str, int]) -> bool:
    with socket.create_connection(place, timeout=20) as client:
        return client.recv(200).startswith(b"220 ")


def resident(pid: int) -> int:
    """Bytes of memory a process has for itself, and its share of what several have (proc_pid_smaps(5), Pss)."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:"))


def front_of(daemon: Daemon) -> int:
    """The process that speaks SMTP for it."""
    children = Path(f"/proc/{daemon.process.pid}/task/{daemon.process.pid}/children").read_text().split()
    return next(int(one) for one in children if b"dlp.front" in Path(f"/proc/{one}/cmdline").read_bytes())


@pytest.mark.long
@pytest.mark.parametrize("processes", [0, 1])
def test_twenty_large_messages_at_once_do_not_fill_memory(tmp_path: Path, processes: int) -> None:
    content = base64.encodebytes(os.urandom(15 << 20)).replace(b"\n", b"\r\n")
    head = b"From: a@example.com\r\nTo: b@example.com\r\nSubject: large\r\nMIME-Version: 1.0\r\n"
    head += b"Content-Type: application/octet-stream\r\nContent-Transfer-Encoding: base64\r\n\r\n"
    policy = tmp_path / "policy.toml"
    # What is in random bytes is another test's business.
    policy.write_text('[[rule]]\nname = "drives"\nwhen = { channel = "usb" }\nthen = "alert"\n', "utf-8")
    config = configure(tmp_path, policy=policy, extra="[limits]\nbytes = 1000000")  # and so is what inspecting them takes
    with started(with_mail(config, f"processes = {processes}", "max_bytes_in_flight = 1000000000")) as daemon:
        pid = front_of(daemon) if processes else daemon.process.pid
        send(daemon.smtp, a_mail("a@example.com", ["b@example.com"], "small", "one to warm up"))
        before, peak = resident(pid), 0
        with ThreadPoolExecutor(20) as pool:
            sent = [pool.submit(send, daemon.smtp, head + content) for _ in range(20)]
            while not all(one.done() for one in sent):
                peak = max(peak, resident(pid))
                time.sleep(0.05)
        assert [one.result()[:4] for one in sent] == ["250 "] * 20
        assert peak - before < 64 << 20, f"grew by {(peak - before) >> 20} MiB"
        assert list((tmp_path / "state" / "mail").iterdir()) == []


def send(number: int, message: bytes) -> str:
    """A whole session; the reply to the end of data."""
    with socket.create_connection(("127.0.0.1", number), timeout=400) as client, client.makefile("rb") as replies:
        replies.readline()
        for line in (b"HELO x", b"MAIL FROM:<a@example.com>", b"RCPT TO:<b@example.com>", b"DATA"):
            client.sendall(line + b"\r\n")
            replies.readline()
        client.sendall(message + b"\r\n.\r\n")
        return replies.readline().decode()
