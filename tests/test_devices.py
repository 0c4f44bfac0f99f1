"""What the daemon does with a drive it is told of."""

from datetime import timedelta
from pathlib import Path

import pytest

from dlp.devices import DeviceBook
from dlp.errors import StoreError
from dlp.metrics import Metrics
from dlp.notify.events import ocsf_drive
from dlp.ports import DECISIONS, DeviceException, Sighting
from dlp.store.stores import Stores
from tests.store.items import now

SEEN = Sighting(time=now(), decision="refused", vendor="0951", model="1666", serial="A1", maker="Kingston", user="zhang")


@pytest.fixture
def stores(tmp_path: Path) -> Stores:
    return Stores.open(tmp_path / "state", clock=now)


async def test_it_is_in_the_audit_log_in_the_table_told_and_counted(stores: Stores, tmp_path: Path) -> None:
    told: list[Sighting] = []
    metrics = Metrics()
    exception = DeviceException(entry="B2", until=now() + timedelta(hours=1), by="li")
    stores.devices.allow(exception, added=now())
    book = DeviceBook(stores.devices, stores.audit, metrics, clock=now, tell=told.append)
    assert [one.entry for one in await book.devices([SEEN])] == ["B2"]
    assert [one.sighting for one in stores.devices.known()] == [SEEN]
    assert told == [SEEN]
    assert metrics.registry.get_sample_value("dlp_usb_drives_total", {"decision": "refused"}) == 1
    record = (tmp_path / "state" / "audit" / "audit.jsonl").read_text("utf-8").splitlines()[-1]
    assert all(word in record for word in ("device-refused", '"A1"', '"0951"', '"Kingston"', '"zhang"'))
    stores.close()


async def test_what_is_not_in_the_audit_log_is_not_told(stores: Stores) -> None:
    class Full:
        def record(self, event: str, *, durable: bool = True, **facts: object) -> None:
            raise StoreError("the disk is full")

    told: list[Sighting] = []
    book = DeviceBook(stores.devices, Full(), Metrics(), clock=now, tell=told.append)
    with pytest.raises(StoreError):
        await book.devices([SEEN])
    assert told == []
    assert list(stores.devices.known()) == []
    stores.close()


@pytest.mark.parametrize("decision", DECISIONS)
def test_the_event_says_what_was_decided(decision: str) -> None:
    event = ocsf_drive(Sighting(time=now(), decision=decision, vendor="0951", model="1666", serial="A1"))
    assert event["status"] == decision
    assert event["action"] == ("Denied" if decision in ("refused", "ended") else "Allowed")
    assert event["unmapped"]["serial"] == "A1"
