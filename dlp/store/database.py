"""One SQLite file, shared by the daemon and the commands; its errors leave here as StoreError.

Write-ahead log with synchronous=FULL: a committed change has been fsynced
(https://www.sqlite.org/pragma.html#pragma_synchronous). A writer takes the lock when it begins
(BEGIN IMMEDIATE), so that two that read and then write wait for one another and neither fails halfway.
"""

import fcntl
import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, exc, make_url

from dlp.errors import ConfigError, StoreError
from dlp.store.files import PRIVATE_FILE, free_bytes, full, private_folder, sync_folder, translated
from dlp.store.migrate import upgrade

BUSY_SECONDS = 20.0
"""How long a statement waits for another process's lock."""
_BEGIN = "dlp_begin"
_WAL_INDEX = 32 << 10
"""Bytes of one region of the write-ahead log's index (https://www.sqlite.org/walformat.html section 2)."""
_PAGE = 4096
_SCARCE = 256 << 10
"""With fewer bytes free than this, SQLite's I/O error means a full disk."""


class Database:
    """An open database. Methods may be called from any thread."""

    def __init__(self, engine: Engine, where: Path) -> None:
        self._engine = engine
        self._writer = engine.execution_options(**{_BEGIN: "IMMEDIATE"})
        self.where = where

    @contextmanager
    def read(self, what: str) -> Iterator[Connection]:
        """A connection that sees one state of the database. Raises StoreError: `what` could not be done."""
        with self._translated(what), self._engine.begin() as connection:
            yield connection

    @contextmanager
    def write(self, what: str) -> Iterator[Connection]:
        """A connection whose changes are durable once the block has ended, all of them or none."""
        with self._translated(what), self._writer.begin() as connection:
            yield connection

    def lookup(self, what: str, statement: str, values: tuple[object, ...]) -> tuple[Any, ...] | None:
        """The first row of a query in SQLite's own words: the short way for a hot path, a tenth of what `read` costs."""
        with self._translated(what):
            pooled = self._engine.raw_connection()
            try:
                raw: Any = pooled.driver_connection
                row: tuple[Any, ...] | None = raw.execute(statement, values).fetchone()
            finally:
                pooled.close()
        return row

    def truncate_log(self, what: str) -> None:
        """Move the write-ahead log into the database and empty it, so that what was erased is in neither; where
        another process reads just now, the next checkpoint does it."""
        if self._engine.dialect.name != "sqlite":
            return
        with self._translated(what), self._engine.connect() as connection:
            raw: Any = connection.connection.driver_connection
            raw.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def close(self) -> None:
        """Give the connections back; the last one out writes the log into the database."""
        self._engine.dispose()

    @contextmanager
    def _translated(self, what: str) -> Iterator[None]:
        try:
            yield
        except (exc.SQLAlchemyError, sqlite3.Error) as error:
            raise _store_error(what, self.where, error) from error


def open_database(state: Path, url: str | None = None) -> Database:
    """`state/dlp.db`, or the database at `url`, with the tables of this version. Several processes may open it at once.

    Raises StoreError (DiskFull where that is why) and, for tables of a newer version, ConfigError.
    """
    private_folder(state)
    where = state / "dlp.db"
    if url is not None and make_url(url).get_backend_name() != "sqlite":
        database = Database(create_engine(url, hide_parameters=True), Path(make_url(url).render_as_string()))
        _migrate(database)
        return database
    return open_sqlite(where, synchronous="FULL", prepare=_migrate)


def open_sqlite(where: Path, *, synchronous: str, prepare: Callable[["Database"], None]) -> Database:
    """The SQLite file `where`, made with mode 0600 where missing; `prepare(database)` makes its tables."""
    with translated("the database was not opened", where), _alone(where.with_name(f".{where.name}.opening")):
        _room_for_index(where)
        os.close(os.open(where, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, PRIVATE_FILE))
        sync_folder(where.parent)
        database = Database(_engine(where, synchronous), where)
        try:
            _write_ahead(database)
            _allocate_index(where)
            prepare(database)
        except (StoreError, ConfigError, OSError):
            database.close()
            raise
    return database


def _migrate(database: Database) -> None:
    with database.write("the database was not brought up to date") as connection:
        upgrade(connection, str(database.where))


@contextmanager
def _alone(lock: Path) -> Iterator[None]:
    """One process at a time opens: changing to a write-ahead log does not wait for locks, it fails."""
    descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, PRIVATE_FILE)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _engine(where: Path, synchronous: str) -> Engine:
    # Parameters stay out of errors: they may hold what must not be logged.
    engine = create_engine(
        f"sqlite:///{where}", hide_parameters=True, connect_args={"timeout": BUSY_SECONDS}, pool_size=4, max_overflow=-1
    )

    @event.listens_for(engine, "connect")
    def _connected(raw: Any, _record: object) -> None:
        raw.isolation_level = None  # sqlite3 begins nothing by itself; `_begun` does
        for pragma in ("foreign_keys=ON", f"synchronous={synchronous}", "secure_delete=ON", "trusted_schema=OFF"):
            raw.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def _begun(connection: Connection) -> None:
        connection.exec_driver_sql(f"BEGIN {connection.get_execution_options().get(_BEGIN, 'DEFERRED')}")

    return engine


def _write_ahead(database: Database) -> None:
    with database._translated("the database was not opened"), database._engine.connect() as connection:
        raw: Any = connection.connection.driver_connection
        raw.execute("PRAGMA journal_mode=WAL")
        raw.execute("SELECT count(*) FROM sqlite_master").fetchone()  # makes the log and its index


def _small_blocks(where: Path) -> bool:
    return os.statvfs(where.parent).f_bsize < _PAGE


def _room_for_index(where: Path) -> None:
    """Refuse to open where the log's index could not be filled.

    SQLite maps the index and makes sure of one byte in every 4096; on a file system of smaller
    blocks the rest is a hole, and writing into it on a full disk is SIGBUS: no error, but the end.
    """
    if _small_blocks(where) and free_bytes(where.parent) < 4 * _WAL_INDEX:
        raise full("the database was not opened", where)


def _allocate_index(where: Path) -> None:
    """Fill the holes of the index (see `_room_for_index`), from a child.

    A child, because closing any descriptor of a file drops all POSIX locks its process holds on it
    (fcntl(2)), SQLite's too.
    """
    if _small_blocks(where):
        code = "import os, sys; os.posix_fallocate(os.open(sys.argv[1], os.O_RDWR), 0, int(sys.argv[2]))"
        command = [sys.executable, "-I", "-S", "-c", code, f"{where}-shm", str(2 * _WAL_INDEX)]
        if subprocess.run(command, capture_output=True, check=False).returncode:  # noqa: S603  our own words
            raise full("the database was not opened", where)


def _store_error(what: str, where: Path, error: exc.SQLAlchemyError | sqlite3.Error) -> StoreError:
    """`error` as a StoreError; only the driver's own message is told, which carries no parameters."""
    origin = error if isinstance(error, sqlite3.Error) else getattr(error, "orig", None)
    name = getattr(origin, "sqlite_errorname", "") or ""
    if name.startswith("SQLITE_FULL") or (name.startswith("SQLITE_IOERR") and free_bytes(where.parent) < _SCARCE):
        return full(what, where)
    reason = str(origin) if origin is not None else type(error).__name__
    return StoreError(f"{what}: {where}: {reason}; {_remedy(name)}")


def _remedy(name: str) -> str:
    """What to do about SQLite's result code `name` (https://www.sqlite.org/rescode.html)."""
    remedies = {
        "SQLITE_BUSY": "another process holds it: try again, or end that process",
        "SQLITE_LOCKED": "another process holds it: try again, or end that process",
        "SQLITE_IOERR": "the disk fails: check the kernel's log",
        "SQLITE_CORRUPT": "it is damaged: restore it from a backup",
        "SQLITE_NOTADB": "it is damaged: restore it from a backup",
        "SQLITE_READONLY": "check owner and permissions",
        "SQLITE_CANTOPEN": "check owner and permissions",
        "SQLITE_PERM": "check owner and permissions",
    }
    return next((remedy for code, remedy in remedies.items() if name.startswith(code)), "this is a fault in dlp: report it")
