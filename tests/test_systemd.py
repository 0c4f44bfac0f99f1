"""The unit, the user and the folders, as systemd itself reads them."""

import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest

from tests.helpers.daemon import CHECKOUT

UNIT = CHECKOUT / "systemd" / "dlp.service"
GUARD = CHECKOUT / "systemd" / "dlp-guard.service"
needs_systemd = pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed")


def values(key: str, unit: Path = UNIT) -> list[str]:
    return re.findall(rf"^{key}=(.*)$", unit.read_text("utf-8"), re.MULTILINE)


@needs_systemd
@pytest.mark.parametrize(("unit", "threshold"), [(UNIT, 20), (GUARD, 40)], ids=lambda value: getattr(value, "name", None))
def test_the_exposure_is_low(unit: Path, threshold: int) -> None:
    """The guard may have no mount name space of its own, in which it could not mount for others, and has CAP_SYS_ADMIN."""
    done = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", f"--threshold={threshold}", unit], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout[-500:] + done.stderr


@needs_systemd
@pytest.mark.parametrize("unit", [UNIT, GUARD], ids=lambda unit: unit.name)
def test_the_unit_is_understood(unit: Path) -> None:
    """All but the program, which only an installation has."""
    done = subprocess.run(["systemd-analyze", "verify", "--man=no", unit], capture_output=True, text=True)
    complaints = [line for line in done.stderr.splitlines() if unit.name in line and "is not executable" not in line]
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


def test_the_guard_is_tried_again_for_ever_and_has_no_mounts_of_its_own() -> None:
    """While it is away the kernel allows every open."""
    assert values("Restart", GUARD) == ["always"]
    assert values("StartLimitIntervalSec", GUARD) == ["0"]
    assert values("CapabilityBoundingSet", GUARD) == [
        "CAP_SYS_ADMIN CAP_DAC_OVERRIDE CAP_DAC_READ_SEARCH CAP_CHOWN CAP_FOWNER CAP_LEASE"
    ]
    private = "PrivateTmp PrivateDevices PrivateMounts PrivateNetwork ProtectSystem ProtectHome ProtectProc ProtectKernelTunables"
    for key in (*private.split(), "ProtectKernelModules", "ProtectKernelLogs", "ProtectControlGroups", "ReadWritePaths"):
        assert values(key, GUARD) == [], f"{key} gives it a mount name space of its own (systemd.exec(5))"
