"""The tables of USB drives that were seen and of those that are excepted for a time."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import text

from dlp.ports import DeviceException, Sighting
from dlp.store import devices
from dlp.store.database import open_database
from dlp.store.migrate import current, upgrade
from dlp.store.stores import Stores
from tests.store.items import now

SEEN = Sighting(
    time=now(), decision="refused", vendor="0951", model="1666", serial="A1", maker="金士顿", product="\udc80", user="zhang"
)


def test_a_drive_is_one_row_with_its_last_sighting(stores: Stores) -> None:
    later = replace(SEEN, time=SEEN.time + timedelta(hours=1), decision="excepted", user="li")
    other = replace(SEEN, serial="")
    for one in (SEEN, other, later):
        stores.devices.saw(one)
    first, second = stores.devices.known()
    assert (first.first, first.sighting) == (SEEN.time, replace(later, product="\\udc80"))
    assert second.sighting.serial == ""


def test_the_drives_not_seen_for_the_longest_time_are_dropped(stores: Stores, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devices, "MOST", 3)
    for number in range(5):
        stores.devices.saw(replace(SEEN, serial=str(number), time=SEEN.time + timedelta(seconds=number)))
        stores.devices.saw(replace(SEEN, serial="0", time=SEEN.time + timedelta(seconds=number)))
    assert [one.sighting.serial for one in stores.devices.known()] == ["0", "3", "4"]


def test_an_exception_is_in_force_until_it_ends_is_revoked_or_replaced(stores: Stores) -> None:
    start = now()
    hour = DeviceException(entry="A1", until=start + timedelta(hours=1), reason="目录", by="li")
    stores.devices.allow(hour, added=start)
    assert stores.devices.exceptions(start) == [replace(hour, added=start)]
    assert stores.devices.exceptions(start + timedelta(hours=1)) == []
    day = replace(hour, until=start + timedelta(days=1))
    stores.devices.allow(day, added=start)
    stores.devices.allow(replace(hour, entry="B2"), added=start)
    assert [(one.entry, one.until) for one in stores.devices.exceptions(start)] == [("A1", day.until), ("B2", hour.until)]
    assert not stores.devices.revoke("C3", at=start, by="li")
    assert stores.devices.revoke("A1", at=start, by="li")
    assert not stores.devices.revoke("A1", at=start, by="li")
    assert [one.entry for one in stores.devices.exceptions(start)] == ["B2"]
    assert [one.entry for one in stores.devices.last_exceptions()] == ["B2"]
    assert not stores.devices.revoke("B2", at=start + timedelta(hours=2), by="li")


def test_an_older_database_gets_the_tables(state: Path) -> None:
    Stores.open(state, clock=now).close()
    database = open_database(state)
    with database.write("test") as connection:
        for table in ("device_exceptions", "devices"):
            connection.execute(text(f"DROP TABLE {table}"))
        connection.execute(text("UPDATE alembic_version SET version_num = '0002'"))
        upgrade(connection, "test")
        assert current(connection) == "0003"
        assert connection.scalar(text("SELECT count(*) FROM devices")) == 0
    database.close()
