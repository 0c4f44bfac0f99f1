import os
import socket
from pathlib import Path

from dlp.supervisor import Supervisor


def test_speaks_sd_notify(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(str(tmp_path / "notify"))
        supervisor = Supervisor({"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "60000000"})
        supervisor.ready("watching mail")
        supervisor.alive()
        assert listener.recv(100) == b"READY=1\nSTATUS=watching mail"
        assert listener.recv(100) == b"WATCHDOG=1"
        assert supervisor.interval == 30


def test_is_silent_without_systemd_and_for_another_process() -> None:
    supervisor = Supervisor({"WATCHDOG_USEC": "1", "WATCHDOG_PID": str(os.getpid() + 1)})
    supervisor.ready("")
    assert supervisor.interval == 0
