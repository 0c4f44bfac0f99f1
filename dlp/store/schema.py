"""The tables of `state/dlp.db`. A change here needs a migration beside it; a test compares the two."""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Dialect,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
)


class UtcTime(TypeDecorator[datetime]):
    """An aware time as RFC 3339 text in UTC with microseconds: readable in any database and sorted as it reads."""

    impl = String(27)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> str | None:
        return None if value is None else rfc3339(value)

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        return None if value is None else datetime.fromisoformat(value)


def rfc3339(time: datetime) -> str:
    """`2026-01-31T08:00:00.000000Z` (RFC 3339 section 5.6)."""
    return time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


metadata = MetaData()

incidents = Table(
    "incidents",
    metadata,
    # The order of insertion; clocks go back, this does not.
    Column("seq", Integer, primary_key=True, autoincrement=True),
    Column("id", String(32), nullable=False, unique=True),
    Column("item", String(128), nullable=False),
    Column("opened", UtcTime, nullable=False),
    Column("closed", UtcTime),
    Column("state", String(16), nullable=False),
    Column("channel", String(16), nullable=False),
    Column("level", String(64)),
    Column("origin", Text, nullable=False),
    Column("verdict", Text, nullable=False),
    Column("findings", Text, nullable=False),
    Column("unscannable", Text, nullable=False),
    Column("sha256", String(64), nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("enforced", Boolean, nullable=False),
    Column("quarantine", String(32)),
    Column("error", Text, nullable=False),
    Column("review", String(32), nullable=False),
    Column("reviewed_by", Text, nullable=False),
    Index("incidents_state", "state", "seq"),
    sqlite_autoincrement=True,
)

quarantine = Table(
    "quarantine",
    metadata,
    Column("seq", Integer, primary_key=True, autoincrement=True),
    Column("id", String(32), nullable=False, unique=True),
    # Not a foreign key: custody is not refused because a record is missing.
    Column("incident", String(32), nullable=False),
    Column("channel", String(16), nullable=False),
    Column("stored", UtcTime, nullable=False),
    Column("released", UtcTime),
    Column("size", BigInteger, nullable=False),
    Column("sha256", String(64), nullable=False),
    Column("level", String(64)),
    Column("origin", Text, nullable=False),
    Column("approve_by", Text, nullable=False),
    Column("state", String(16), nullable=False),
    # The process that stores or releases just now (dlp.store.process), so that a dead one's work is taken up.
    Column("holder", String(128), nullable=False),
    # The content's key and the attributes, sealed by the key file; NULL once purged.
    Column("envelope", LargeBinary),
    Column("key_id", String(16), nullable=False),
    Index("quarantine_state", "state", "seq"),
    Index("quarantine_sha256", "sha256"),
    Index("quarantine_incident", "incident"),
    sqlite_autoincrement=True,
)

audit_head = Table(
    "audit_head",
    metadata,
    # One row, number 1: the last durable record of the audit log, so that cutting its tail is found.
    Column("one", Integer, primary_key=True, autoincrement=False),
    Column("seq", Integer, nullable=False),
    Column("hash", String(64), nullable=False),
    Column("mac", String(64), nullable=False),
)

register = Table(
    "register",
    metadata,
    # What people see of what was declared; what it is found by is in the files under register/.
    Column("seq", Integer, primary_key=True, autoincrement=True),
    Column("id", String(32), nullable=False, unique=True),
    Column("kind", String(16), nullable=False),
    Column("title", Text, nullable=False),
    Column("level", String(64)),
    Column("owner", Text, nullable=False),
    Column("expires", UtcTime),
    Column("added", UtcTime, nullable=False),
    Column("added_by", Text, nullable=False),
    Column("note", Text, nullable=False),
    # Bytes of a document, rows of a table, names of a list.
    Column("size", BigInteger, nullable=False),
    # What a kind has besides, as JSON.
    Column("details", Text, nullable=False),
    Index("register_kind", "kind", "seq"),
    sqlite_autoincrement=True,
)

devices = Table(
    "devices",
    metadata,
    # USB drives that were ever plugged in, by what they call themselves, and what was decided last.
    Column("seq", Integer, primary_key=True, autoincrement=True),
    Column("vendor", String(4), nullable=False),
    Column("model", String(4), nullable=False),
    Column("serial", Text, nullable=False),
    Column("maker", Text, nullable=False),
    Column("product", Text, nullable=False),
    Column("first", UtcTime, nullable=False),
    Column("last", UtcTime, nullable=False),
    Column("decision", String(16), nullable=False),
    Column("user", Text, nullable=False),
    Index("devices_identity", "vendor", "model", "serial", unique=True),
    Index("devices_last", "last"),
    sqlite_autoincrement=True,
)

device_exceptions = Table(
    "device_exceptions",
    metadata,
    Column("seq", Integer, primary_key=True, autoincrement=True),
    Column("entry", Text, nullable=False),
    Column("until", UtcTime, nullable=False),
    Column("reason", Text, nullable=False),
    Column("added", UtcTime, nullable=False),
    Column("added_by", Text, nullable=False),
    Column("revoked", UtcTime),
    Column("revoked_by", Text, nullable=False),
    Index("device_exceptions_entry", "entry"),
    sqlite_autoincrement=True,
)
