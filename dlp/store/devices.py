"""USB drives that were ever plugged in, and those excepted for a time; implements `ports.Devices`."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, RowMapping, and_, delete, func, insert, select, update

from dlp.ports import DeviceException, Sighting
from dlp.store.codec import plain
from dlp.store.database import Database
from dlp.store.rows import rows_of
from dlp.store.schema import device_exceptions, devices

MOST = 10_000
"""Drives kept; beyond, those not seen for the longest time are dropped: a made device may call itself anything, each time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownDevice:
    """A drive, when it was seen first, and its last sighting."""

    first: datetime
    sighting: Sighting


class SqlDevices:
    """The two tables. Methods may be called from any thread."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def saw(self, sighting: Sighting) -> None:
        """See `ports.Devices.saw`."""
        fresh = _row(sighting)
        with self._database.write("a drive that was seen was not recorded") as connection:
            done = connection.execute(update(devices).where(_same(fresh)).values(fresh))
            if not done.rowcount:
                connection.execute(insert(devices).values(**fresh, first=sighting.time))
                _trim(connection)

    def known(self) -> Iterator[KnownDevice]:
        """All drives that were seen, in the order they came first. Raises StoreError."""
        for row in rows_of(self._database, devices, "the drives were not listed"):
            yield KnownDevice(first=row["first"], sighting=_sighting(row))

    def exceptions(self, at: datetime) -> list[DeviceException]:
        """See `ports.Devices.exceptions`."""
        return [_exception(row) for row in rows_of(self._database, device_exceptions, _NOT_READ, _in_force(at))]

    def last_exceptions(self) -> list[DeviceException]:
        """The newest of each entry that was not revoked, over or not. Raises StoreError."""
        newest = {row["entry"]: row for row in rows_of(self._database, device_exceptions, _NOT_READ)}
        return [_exception(row) for row in newest.values() if row["revoked"] is None]

    def allow(self, exception: DeviceException, *, added: datetime) -> None:
        """Except a drive; an earlier exception of the same entry ends. Raises StoreError."""
        with self._database.write("the exception was not recorded") as connection:
            _revoke(connection, exception.entry, added, exception.by)
            values = {"entry": exception.entry, "until": exception.until, "reason": plain(exception.reason)}
            connection.execute(
                insert(device_exceptions).values(**values, added=added, added_by=plain(exception.by), revoked_by="")
            )

    def revoke(self, entry: str, *, at: datetime, by: str) -> bool:
        """End the exception of this entry. Whether there was one in force. Raises StoreError."""
        with self._database.write("the exception was not revoked") as connection:
            return _revoke(connection, entry, at, by)


_NOT_READ = "the exceptions were not read"


def _in_force(at: datetime) -> ColumnElement[bool]:
    return and_(device_exceptions.c.revoked.is_(None), device_exceptions.c.until > at)


def _revoke(connection: Connection, entry: str, at: datetime, by: str) -> bool:
    ended = update(device_exceptions).where(device_exceptions.c.entry == entry, _in_force(at))
    return bool(connection.execute(ended.values(revoked=at, revoked_by=plain(by))).rowcount)


def _same(row: dict[str, object]) -> ColumnElement[bool]:
    return and_(*(devices.c[name] == row[name] for name in ("vendor", "model", "serial")))


def _trim(connection: Connection) -> None:
    excess = (connection.scalar(select(func.count()).select_from(devices)) or 0) - MOST
    if excess > 0:
        oldest = select(devices.c.seq).order_by(devices.c.last, devices.c.seq).limit(excess)
        connection.execute(delete(devices).where(devices.c.seq.in_(oldest)))


def _row(sighting: Sighting) -> dict[str, object]:
    words = ("vendor", "model", "serial", "maker", "product", "user")
    return {name: plain(getattr(sighting, name)) for name in words} | {"last": sighting.time, "decision": sighting.decision}


def _sighting(row: RowMapping) -> Sighting:
    names = ("decision", "vendor", "model", "serial", "maker", "product", "user")
    return Sighting(time=row["last"], **{name: row[name] for name in names})


def _exception(row: RowMapping) -> DeviceException:
    return DeviceException(entry=row["entry"], until=row["until"], reason=row["reason"], by=row["added_by"], added=row["added"])
