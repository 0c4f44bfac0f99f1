"""The unit, the user and the folders, as systemd itself reads them."""

import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest

from dlp.channels.usb_devices import DEFAULT, MASS_STORAGE
from dlp.channels.usb_devices_control import HOLD, RULES
from tests.helpers.daemon import CHECKOUT

UNIT = CHECKOUT / "systemd" / "dlp.service"
needs_systemd = pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed")


def values(key: str) -> list[str]:
    return re.findall(rf"^{key}=(.*)$", UNIT.read_text("utf-8"), re.MULTILINE)


@needs_systemd
def test_the_exposure_is_low() -> None:
    done = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", "--threshold=20", UNIT], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout[-500:] + done.stderr


@needs_systemd
def test_the_unit_is_understood() -> None:
    """All but the program, which only an installation has."""
    done = subprocess.run(["systemd-analyze", "verify", "--man=no", UNIT], capture_output=True, text=True)
    complaints = [line for line in done.stderr.splitlines() if "dlp.service" in line and "is not executable" not in line]
    assert complaints == []


@needs_systemd
def test_the_socket_is_understood_and_is_the_port_of_the_shipped_configuration(tmp_path: Path) -> None:
    unit = CHECKOUT / "systemd" / "dlp.socket"
    done = subprocess.run(["systemd-analyze", "verify", "--man=no", unit], capture_output=True, text=True)
    assert [line for line in done.stderr.splitlines() if "dlp.socket" in line] == []
    shipped = tomllib.loads((CHECKOUT / "config" / "dlp.toml").read_text("utf-8"))
    assert re.findall(r"^ListenStream=(.*)$", unit.read_text("utf-8"), re.MULTILINE) == shipped["mail"]["listen"]


@pytest.mark.skipif(shutil.which("systemd-sysusers") is None, reason="systemd-sysusers is not installed")
def test_the_user_is_understood() -> None:
    done = subprocess.run(
        ["systemd-sysusers", "--dry-run", CHECKOUT / "systemd" / "dlp.sysusers"], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


def test_a_bad_configuration_ends_it_for_good_and_the_watchdog_is_on() -> None:
    assert values("RestartPreventExitStatus") == ["2"]
    assert values("Type") == ["notify"]
    assert values("WatchdogSec") == ["60"]
    assert "landlock_restrict_self" in values("SystemCallFilter")[0]


def test_the_udev_rule_is_where_device_control_looks_for_it_and_reads_its_mark() -> None:
    rule = (CHECKOUT / "systemd" / "dlp.rules").read_text("utf-8")
    assert f"/var/lib/dlp-guard/{HOLD}" in rule
    assert f"/{RULES[-1].relative_to('/')}" in (CHECKOUT / "scripts" / "install").read_text("utf-8")
    assert DEFAULT in rule and f'ATTR{{bInterfaceClass}}!="{MASS_STORAGE}"' in rule
