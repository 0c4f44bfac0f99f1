"""The database: what it promises of a commit, who may share it, older and newer versions, and its errors in words."""

import shutil
import threading
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import exc, insert, text

from dlp.errors import ConfigError, StoreError
from dlp.store import database as module
from dlp.store.database import Database, open_database
from dlp.store.files import DiskFull
from dlp.store.migrate import HEAD, MIGRATIONS, current, upgrade
from dlp.store.schema import audit_head, metadata
from dlp.store.stores import Stores
from tests.store.items import INSPECTION, VERDICT, MakeItem, now


def pragma(database: Database, name: str) -> object:
    with database.read("test") as connection:
        return connection.scalar(text(f"PRAGMA {name}"))


def test_a_commit_is_synced_and_links_are_held(state: Path) -> None:
    database = open_database(state)
    assert [pragma(database, name) for name in ("journal_mode", "synchronous", "foreign_keys", "secure_delete")] == [
        "wal",
        2,
        1,
        1,
    ]
    database.close()


def test_the_migrations_make_the_tables_of_this_version(state: Path) -> None:
    database = open_database(state)
    with database.read("test") as connection:
        assert current(connection) == HEAD
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []
    database.close()


def test_head_is_the_newest_revision() -> None:
    assert ScriptDirectory(str(MIGRATIONS)).get_heads() == [HEAD]


def test_an_older_database_is_brought_up_to_date_and_keeps_its_rows(state: Path, make_item: MakeItem, tmp_path: Path) -> None:
    stores = Stores.open(state, clock=now)
    incident = stores.incidents.open(make_item(), INSPECTION, VERDICT)
    stores.close()
    later = tmp_path / "migrations"
    shutil.copytree(MIGRATIONS, later, ignore=shutil.ignore_patterns("__pycache__"))
    (later / "versions" / "next.py").write_text(
        "import sqlalchemy as sa\n"
        "from alembic import op\n"
        f"revision, down_revision = 'next', {HEAD!r}\n"
        "def upgrade():\n"
        "    op.add_column('incidents', sa.Column('unit', sa.Text))\n"
    )
    database = open_database(state)
    with database.write("test") as connection:
        upgrade(connection, "here", head="next", migrations=later)
        assert current(connection) == "next"
        assert connection.execute(text("SELECT id, unit FROM incidents")).all() == [(incident, None)]
    database.close()
    with pytest.raises(ConfigError, match="newer version") as caught:
        open_database(state)
    assert str(state / "dlp.db") in str(caught.value)


def test_a_migration_that_fails_changes_nothing(state: Path, tmp_path: Path) -> None:
    later = tmp_path / "migrations"
    shutil.copytree(MIGRATIONS, later, ignore=shutil.ignore_patterns("__pycache__"))
    (later / "versions" / "next.py").write_text(
        "from alembic import op\n"
        f"revision, down_revision = 'next', {HEAD!r}\n"
        "def upgrade():\n"
        "    op.drop_table('incidents')\n"
        "    op.execute('nonsense')\n"
    )
    database = open_database(state)
    with pytest.raises(StoreError), database.write("test") as connection:
        upgrade(connection, "here", head="next", migrations=later)
    with database.read("test") as connection:
        assert current(connection) == HEAD
        assert connection.scalar(text("SELECT count(*) FROM incidents")) == 0
    database.close()


def test_many_may_open_it_at_once(state: Path) -> None:
    opened: list[Database] = []
    threads = [threading.Thread(target=lambda: opened.append(open_database(state))) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(opened) == 6
    for database in opened:
        database.close()


def test_a_failed_block_changes_nothing(state: Path) -> None:
    database = open_database(state)
    with pytest.raises(RuntimeError), database.write("test") as connection:
        connection.execute(insert(audit_head).values(one=1, seq=1, hash="", mac=""))
        raise RuntimeError
    with database.read("test") as connection:
        assert connection.scalar(text("SELECT count(*) FROM audit_head")) == 0
    database.close()


def test_a_locked_database_is_an_error_in_words(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    holder = open_database(state)
    monkeypatch.setattr(module, "BUSY_SECONDS", 0.01)
    other = open_database(state)
    with holder.write("test"), pytest.raises(StoreError, match="another process holds it"), other.write("it was not done"):
        pass
    for database in (holder, other):
        database.close()


def test_a_damaged_file_is_an_error_in_words(state: Path) -> None:
    open_database(state).close()
    (state / "dlp.db").write_bytes(b"not a database, whatever its name says" * 100)
    with pytest.raises(StoreError, match="restore it from a backup") as caught:
        open_database(state)
    assert str(state / "dlp.db") in str(caught.value)


def test_a_folder_that_cannot_be_made_is_an_error_in_words(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match="file/state"):
        open_database(tmp_path / "file" / "state")


def test_an_error_tells_no_parameters(state: Path) -> None:
    database = open_database(state)
    with pytest.raises(StoreError) as caught, database.write("it was not done") as connection:
        connection.execute(text("INSERT INTO audit_head (one, seq) VALUES (1, :seq)"), {"seq": "classified words"})
    assert "classified words" not in str(caught.value)
    assert "classified words" not in repr(caught.value.__cause__)
    database.close()


@pytest.mark.parametrize("kind", [*exc.DBAPIError.__subclasses__(), exc.TimeoutError, exc.InvalidRequestError, exc.NoResultFound])
def test_every_error_of_the_library_leaves_as_ours(state: Path, kind: type[Exception]) -> None:
    database = open_database(state)
    error = kind("SELECT", {}, Exception("reason")) if issubclass(kind, exc.DBAPIError) else kind("reason")
    with pytest.raises(StoreError, match="it was not done"), database.read("it was not done"):
        raise error
    database.close()


class _Sqlite(Exception):
    sqlite_errorname = "SQLITE_FULL"


def test_a_full_disk_is_an_error_of_its_own(state: Path) -> None:
    database = open_database(state)
    with pytest.raises(DiskFull, match="no space is left"), database.read("it was not done"):
        raise exc.OperationalError("INSERT", {}, _Sqlite("database or disk is full"))
    database.close()
