"""`dlp devices`: what was seen, what is allowed, and exceptions."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from dlp.cli import check_devices, devices
from dlp.config import load_configuration
from dlp.instance import now
from dlp.ports import Sighting
from dlp.store.stores import Stores
from tests.channels.usb_tree import STORAGE, UsbTree
from tests.cli.conftest import Dlp
from tests.helpers.daemon import configure

TOMORROW = (now().astimezone() + timedelta(days=1)).strftime("%Y-%m-%d")


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return configure(tmp_path, extra='[usb]\nallow = ["GOOD", "0951:1666:"]\n')


@pytest.fixture
def seen(config: Path) -> Iterator[Stores]:
    stores = Stores.open(load_configuration(config).state, clock=now)
    for serial, decision in (("GOOD", "allowed"), ("", "allowed"), ("BAD\x1b[2J", "refused")):
        sighting = Sighting(
            time=now(),
            decision=decision,
            vendor="0951",
            model="1666",
            serial=serial,
            maker="Kingston",
            product="DT",
            user="zhang",
        )
        stores.devices.saw(sighting)
    yield stores
    stores.close()


@pytest.mark.usefixtures("seen")
def test_the_list_tells_what_becomes_of_each_drive_now(
    dlp: Dlp, config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tree = UsbTree(tmp_path / "made")
    tree.plug("1-1", STORAGE, serial="GOOD")
    monkeypatch.setattr(devices, "Bus", lambda: tree.bus)
    done = dlp("devices", "allow", "LATER", "--until", TOMORROW, "--reason", "目录盘", "--by", "王总", config=config)
    assert done.status == 0, done.err
    rows = dlp("devices", "list", "--json", config=config).rows
    assert [(row["serial"], row["state"], row["plugged_in"]) for row in rows] == [
        ("GOOD", "allowed", True),
        ("", "allowed", False),
        ("BAD\x1b[2J", "refused", False),
        ("LATER", "excepted", False),
    ]
    assert rows[2]["user"] == "zhang" and rows[2]["decision"] == "refused" and rows[2]["maker"] == "Kingston"
    assert rows[3]["exception"]["by"] == "王总" and rows[3]["vendor"] is None
    shown = dlp("devices", "list", config=config).out
    assert "0951:1666" in shown and "目录盘" in shown and "(none)" in shown
    assert "\x1b" not in shown
    tree.close()


def test_an_exception_is_recorded_and_ends(dlp: Dlp, config: Path, seen: Stores) -> None:
    assert dlp("devices", "allow", "0951:1666:X9", "--until", TOMORROW, "--reason", "visit", config=config).status == 0
    (one,) = seen.devices.exceptions(now())
    assert one.entry == "0951:1666:X9" and one.reason == "visit"
    end = one.until.astimezone()
    assert (end - timedelta(seconds=1)).strftime("%Y-%m-%d") == TOMORROW
    assert dlp("devices", "revoke", "0951:1666:X9", config=config).status == 0
    assert seen.devices.exceptions(now()) == []
    again = dlp("devices", "revoke", "0951:1666:X9", config=config)
    assert again.status == 1 and "no exception in force" in again.err
    log = (load_configuration(config).state / "audit" / "audit.jsonl").read_text("utf-8")
    assert log.count('"device-excepted"') == 1 and log.count('"device-exception-revoked"') == 1
    assert dlp("audit", "verify", config=config).status == 0


def test_a_moment_may_be_given(dlp: Dlp, config: Path, seen: Stores) -> None:
    moment = f"{TOMORROW}T18:30"
    assert dlp("devices", "allow", "X", "--until", moment, "--reason", "visit", config=config).status == 0
    assert seen.devices.exceptions(now())[0].until == datetime.strptime(moment, "%Y-%m-%dT%H:%M").astimezone()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("X", "--until", "2020-01-01", "--reason", "r"), "is over"),
        (("X", "--until", "soon", "--reason", "r"), "no date"),
        (("X", "--until", TOMORROW, "--reason", " "), "say something"),
        ((" ", "--until", TOMORROW, "--reason", "r"), "neither a serial"),
        (("X", "--until", TOMORROW), "--reason"),
    ],
)
def test_what_is_wrong_with_the_command_line(dlp: Dlp, config: Path, words: tuple[str, ...], said: str) -> None:
    done = dlp("devices", "allow", *words, config=config)
    assert done.status == 64
    assert said in done.err


def test_where_every_drive_is_allowed_an_exception_is_refused(dlp: Dlp, tmp_path: Path) -> None:
    config = configure(tmp_path)
    done = dlp("devices", "allow", "X", "--until", TOMORROW, "--reason", "r", config=config)
    assert done.status == 1 and "allow names none" in done.err
    assert "No drives" in dlp("devices", "list", config=config).out


def test_check_says_where_drives_cannot_be_held(dlp: Dlp, config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tree = UsbTree(tmp_path / "made")
    monkeypatch.setattr(check_devices, "Bus", lambda: tree.bus)
    monkeypatch.setattr(check_devices, "RULES", (tmp_path / "60-dlp.rules",))
    well = dlp("check", config=config)
    assert well.status == 0, well.err
    assert "udev rule is not installed" in well.out
    (tmp_path / "60-dlp.rules").touch()
    assert "udev rule" not in dlp("check", config=config).out
    (tree.names / "usb1" / "interface_authorized_default").unlink()
    done = dlp("check", config=config)
    assert done.status == 2
    assert "cannot hold others on usb1" in done.err
    tree.close()
