"""The table of what is declared, and the lock of those who change it."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import text

from dlp.errors import StoreError
from dlp.store.database import open_database
from dlp.store.migrate import HEAD, current, upgrade
from dlp.store.register import Entry, busy, changing
from dlp.store.stores import Stores
from tests.store.items import now

ENTRY = Entry(
    id="doc-1",
    kind="documents",
    title="计划 \udc80",
    added=now(),
    added_by="root",
    level="secret",
    owner="董事会",
    expires=now() + timedelta(days=1),
    note="n",
    size=1 << 40,
    details={"characters": 5, "with": ["a"]},
)


def test_what_is_added_is_listed_by_kind_and_removed(stores: Stores) -> None:
    other = Entry(id="pub-1", kind="public", title="form", added=now(), added_by="root")
    stores.register.add([ENTRY, replace(ENTRY, id="doc-2"), other])
    kept = replace(ENTRY, title="计划 \\udc80")
    assert list(stores.register.list("documents")) == [kept, replace(kept, id="doc-2")]
    assert stores.register.get("pub-1") == other
    stores.register.remove(["doc-1", "none"])
    assert [entry.id for entry in stores.register.list("documents")] == ["doc-2"]
    assert stores.register.get("doc-1") is None
    stores.register.add([])


def test_of_several_all_or_none_are_added(stores: Stores) -> None:
    with pytest.raises(StoreError):
        stores.register.add([ENTRY, ENTRY])
    assert list(stores.register.list("documents")) == []


def test_a_second_command_is_told_to_wait(tmp_path: Path) -> None:
    assert not busy(tmp_path)
    with changing(tmp_path), pytest.raises(StoreError, match="at work"), changing(tmp_path):
        pass
    with changing(tmp_path):
        assert busy(tmp_path)
    assert not busy(tmp_path)


def test_the_first_database_gets_the_table_and_keeps_its_rows(state: Path) -> None:
    stores = Stores.open(state, clock=now)
    stores.audit.record("something")
    stores.close()
    database = open_database(state)
    with database.write("test") as connection:  # as the first version left it
        for table in ("register", "devices", "device_exceptions"):
            connection.execute(text(f"DROP TABLE {table}"))
        connection.execute(text("UPDATE alembic_version SET version_num = '0001'"))
        heads = connection.execute(text("SELECT count(*) FROM audit_head")).scalar()
        upgrade(connection, "here")
        assert current(connection) == HEAD
        assert connection.execute(text("SELECT count(*) FROM audit_head")).scalar() == heads == 1
    database.close()
    stores = Stores.open(state, clock=now)
    stores.register.add([ENTRY])
    stores.close()
