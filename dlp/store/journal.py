"""The scan journal: which versions of which files were judged. A cache in a file of its own, `state/journal.db`.

Losing a note costs one more inspection, so notes are committed in batches and without an fsync
each (synchronous=NORMAL), and a disk that takes none is no reason to stop.
"""

import os
import threading
from pathlib import Path

import structlog
from sqlalchemy import BigInteger, Column, LargeBinary, MetaData, String, Table, delete, func, insert, select, text

from dlp.errors import StoreError
from dlp.ports import FileVersion
from dlp.store.database import Database, open_sqlite

log = structlog.get_logger()

BATCH = 500
"""Notes kept back at the most; a crash forgets them."""
_LAYOUT = 1
"""The layout's number, in SQLite's user_version; another makes the cache anew, for it is only a cache."""

metadata = MetaData()
file_versions = Table(
    "file_versions",
    metadata,
    Column("device", BigInteger, primary_key=True, autoincrement=False),
    Column("inode", BigInteger, primary_key=True, autoincrement=False),
    # The file system's own bytes; empty where the inode number says which file it is.
    Column("path", LargeBinary, primary_key=True),
    Column("size", BigInteger, nullable=False),
    Column("mtime_ns", BigInteger, nullable=False),
    Column("ctime_ns", BigInteger, nullable=False),
    Column("basis", String(128), nullable=False),
    sqlite_with_rowid=False,
)

_Key = tuple[int, int, bytes]
_Value = tuple[int, int, int, str]

_LOOKUP = "SELECT size, mtime_ns, ctime_ns, basis FROM file_versions WHERE device = ? AND inode = ? AND path = ?"


class SqlJournal:
    """`ports.Journal` on a SQLite file. Methods may be called from any thread."""

    def __init__(self, where: Path) -> None:
        """Open or make the file. Raises StoreError."""
        self._database = open_sqlite(where, synchronous="NORMAL", prepare=_tables)
        self._turn = threading.Lock()
        self._notes: dict[_Key, _Value] = {}

    def known(self, version: FileVersion) -> bool:
        """Whether this very version was judged by this very basis."""
        key = _key(version)
        with self._turn:
            noted = self._notes.get(key)
        return (noted or self._stored(key)) == _value(version)

    def note(self, version: FileVersion) -> None:
        """See `ports.Journal.note`."""
        with self._turn:
            self._notes[_key(version)] = _value(version)
            if len(self._notes) >= BATCH:
                self._commit()

    def keep_only(self, basis: str) -> int:
        """See `ports.Journal.keep_only`."""
        with self._turn:
            self._commit()
        with self._database.write("old notes were not dropped from the scan journal") as connection:
            return connection.execute(delete(file_versions).where(file_versions.c.basis != basis)).rowcount

    def size(self) -> int:
        """How many versions are noted. Raises StoreError."""
        with self._turn:
            waiting = len(self._notes)
        with self._database.read("the scan journal was not read") as connection:
            return waiting + (connection.scalar(select(func.count()).select_from(file_versions)) or 0)

    def close(self) -> None:
        """Commit what is noted and give the file back."""
        with self._turn:
            self._commit()
        self._database.close()

    def _stored(self, key: _Key) -> tuple[object, ...] | None:
        return self._database.lookup("the scan journal was not read", _LOOKUP, key)

    def _commit(self) -> None:
        """Write the notes; called with the turn held. A failure forgets them: those files are inspected once more."""
        if not self._notes:
            return
        rows = [_row(key, value) for key, value in self._notes.items()]
        self._notes = {}
        try:
            with self._database.write("notes were not written to the scan journal") as connection:
                connection.execute(insert(file_versions).prefix_with("OR REPLACE"), rows)
        except StoreError as error:
            log.warning("notes of the scan journal are lost; those files are inspected again", notes=len(rows), error=str(error))


def _tables(database: Database) -> None:
    with database.write("the scan journal was not opened") as connection:
        if connection.scalar(text("PRAGMA user_version")) != _LAYOUT:
            metadata.drop_all(connection)
        metadata.create_all(connection)
        connection.execute(text(f"PRAGMA user_version = {_LAYOUT:d}"))


def _key(version: FileVersion) -> _Key:
    return _signed(version.device), _signed(version.inode), os.fsencode(version.path)


def _value(version: FileVersion) -> _Value:
    return version.size, version.mtime_ns, version.ctime_ns, version.basis


def _row(key: _Key, value: _Value) -> dict[str, object]:
    names = ("device", "inode", "path", "size", "mtime_ns", "ctime_ns", "basis")
    return dict(zip(names, (*key, *value), strict=True))


def _signed(number: int) -> int:
    """An unsigned 64-bit number as the signed one of the same bits, which is what SQLite holds (inode numbers of some
    network file systems use all 64)."""
    return number - (1 << 64) if number >= 1 << 63 else number
