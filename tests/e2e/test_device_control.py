"""Device control as it is run: a daemon, and a guard with the unit's capabilities and no others. Sticks are plugged in by
`make test-vm`; here the kernel may have no USB at all."""

from datetime import timedelta
from pathlib import Path

import pytest

from dlp.instance import now
from tests.helpers.daemon import Daemon, configure, dlp, eventually, started
from tests.helpers.guard import guarding

pytestmark = [pytest.mark.root, pytest.mark.usefixtures("as_root")]
CONNECTED = 'dlp_guard_connected{duty="devices"}'
TOMORROW = (now() + timedelta(days=1)).strftime("%Y-%m-%d")


def connected(daemon: Daemon, value: str) -> bool:
    return f"{CONNECTED} {value}" in daemon.get("/metrics")[1]


def test_the_daemon_knows_its_guard_and_the_guard_its_exceptions(tmp_path: Path) -> None:
    config = configure(tmp_path, extra='[workers]\ncount = 1\n[usb]\nmounts = []\nallow = ["GOOD"]\n')
    with started(config) as daemon:
        eventually(lambda: connected(daemon, "0.0"))
        with guarding(config) as guard:
            eventually(lambda: connected(daemon, "1.0"))
            assert "drives allowed: 1" in guard.log
            assert dlp("devices", "allow", "LATER", "--until", TOMORROW, "--reason", "visit", config=config).returncode == 0
            kept = next(tmp_path.rglob("hold-usb")).with_name("device-exceptions.json")
            eventually(lambda: kept.exists() and "LATER" in kept.read_text())
        eventually(lambda: connected(daemon, "0.0"))
