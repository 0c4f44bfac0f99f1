"""Device control, the ask socket and the daemon's records, together; only sysfs is made."""

from datetime import timedelta
from pathlib import Path

import pytest

from dlp.channels import usb_devices_control
from dlp.channels.ask import AskClient, ask_socket
from dlp.channels.ask_server import AskPorts, AskServer
from dlp.channels.usb_devices_allow import Entry
from dlp.channels.usb_devices_control import DeviceControl
from dlp.channels.usb_devices_wire import SAY, AskedLedger, answered_by
from dlp.devices import DeviceBook
from dlp.metrics import Metrics
from dlp.model import Action, Inspection, Item, Limits, Verdict
from dlp.ports import DeviceException, Gate, Outcome, Sighting
from dlp.store.stores import Stores
from tests.channels.test_usb_devices_control import until
from tests.channels.usb_tree import STORAGE, News, UsbTree
from tests.store.items import now

ALLOWED = Verdict(action=Action.ALLOW)


async def judge(item: Item) -> Verdict:
    return ALLOWED


async def submit(item: Item, gate: Gate) -> Outcome:
    return Outcome(verdict=ALLOWED, inspection=Inspection())


def server(state: Path, stores: Stores) -> AskServer:
    def tell(sighting: Sighting) -> None:
        assert sighting.serial

    book = DeviceBook(stores.devices, stores.audit, Metrics(), clock=now, tell=tell)
    ports = AskPorts(
        submit=submit,
        judge=judge,
        metrics=Metrics(),
        limits=Limits,
        basis=lambda: "",
        clock=now,
        new_id=lambda: "item",
        told={},
        replies={SAY: answered_by(book.devices)},
    )
    return AskServer(ask_socket(state), ports, needed=frozenset({"devices"}))


async def test_an_exception_given_to_the_daemon_lets_the_drive_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(usb_devices_control, "ASK_SECONDS", 0.05)
    state = tmp_path / "state"
    stores, tree, news = Stores.open(state, clock=now), UsbTree(tmp_path), News()
    daemon = server(state, stores)
    await daemon.start()
    client = AskClient(ask_socket(state), "devices")
    control = DeviceControl(
        [Entry("GOOD")],
        AskedLedger(client),
        folder=tmp_path / "guard",
        clock=now,
        bus=tree.bus,
        rules=[tmp_path],
        watch=news.listen,
    )
    await control.start()
    tree.plug("1-1", STORAGE, serial="X")
    news.say("add", "usb1/1-1")
    await until(lambda: [one.sighting.decision for one in stores.devices.known()] == ["refused"])
    assert daemon.missing == []
    assert tree.authorised("1-1") == []
    stores.devices.allow(DeviceException(entry="X", until=now() + timedelta(hours=1), reason="r", by="li"), added=now())
    await until(lambda: tree.authorised("1-1"))
    await daemon.stop()  # it is away for a while, and what happens then is told when it is back
    stores.devices.revoke("X", at=now(), by="li")
    tree.plug("1-2", STORAGE, serial="Y")
    news.say("add", "usb1/1-2")
    await until(lambda: "refused: 1" in control.status())
    assert tree.authorised("1-1") == ["1-1:1.0"]
    daemon = server(state, stores)
    await daemon.start()
    await until(lambda: not tree.authorised("1-1"))
    await until(
        lambda: (
            {(one.sighting.serial, one.sighting.decision) for one in stores.devices.known()} == {("X", "ended"), ("Y", "refused")}
        )
    )
    await control.stop()
    await daemon.stop()
    stores.close()
    tree.close()
