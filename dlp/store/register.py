"""What people see of the registers: one row for each entry, of whatever kind. What it is found by is in files of its own."""

import fcntl
import os
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import RowMapping, delete, insert, select

from dlp.columns import give
from dlp.errors import StoreError
from dlp.store.codec import canonical, parse, plain
from dlp.store.database import Database
from dlp.store.files import PRIVATE_FILE, translated
from dlp.store.rows import rows_of
from dlp.store.schema import register

LOCK = ".lock"
_TRIES, _PAUSE = 10, 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """Something declared. `size` counts bytes of a document, rows of a table, names of a list; `details` is what its kind has
    besides, JSON-serialisable. Nothing in it is content but for the title."""

    id: str
    kind: str
    title: str
    added: datetime
    added_by: str
    level: str | None = None
    owner: str = ""
    expires: datetime | None = None
    note: str = ""
    size: int = 0
    details: Mapping[str, Any] = field(default_factory=dict)


class SqlRegister:
    """The table of entries."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, entries: Iterable[Entry]) -> None:
        """All of them, or none. Raises StoreError."""
        rows = [_row(entry) for entry in entries]
        if rows:
            with self._database.write("what was declared was not recorded") as connection:
                connection.execute(insert(register), rows)

    def get(self, entry: str) -> Entry | None:
        """The entry, or None where there is none of this id."""
        with self._database.read("the register was not read") as connection:
            row = connection.execute(select(register).where(register.c.id == entry)).mappings().first()
        return None if row is None else _entry(row)

    def list(self, kind: str) -> Iterator[Entry]:
        """All of one kind, oldest first."""
        yield from map(_entry, rows_of(self._database, register, "the register was not listed", register.c.kind == kind))

    def remove(self, entries: Iterable[str]) -> None:
        """Forget these; ids that name nothing are no matter."""
        with self._database.write("what was declared was not removed") as connection:
            for entry in entries:
                connection.execute(delete(register).where(register.c.id == entry))


@contextmanager
def changing(folder: Path) -> Iterator[None]:
    """Hold the register folder, which is there, against a second command. Raises StoreError where one is at work."""
    with translated("the register was not locked", folder):
        descriptor = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, PRIVATE_FILE)
    try:
        give(descriptor, folder)
        _hold(descriptor)
        yield
    finally:
        os.close(descriptor)


def _hold(descriptor: int) -> None:
    for _ in range(_TRIES):
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(_PAUSE)  # it may only be the daemon, which asks whether we are at work
        else:
            return
    raise StoreError("another `dlp register` is at work: try again when it has ended")


def busy(folder: Path) -> bool:
    """Whether a command is changing the registers just now. Raises OSError."""
    try:
        descriptor = os.open(folder / LOCK, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def _row(entry: Entry) -> dict[str, Any]:
    return {
        "id": entry.id,
        "kind": entry.kind,
        "title": plain(entry.title),
        "level": entry.level,
        "owner": plain(entry.owner),
        "expires": entry.expires,
        "added": entry.added,
        "added_by": plain(entry.added_by),
        "note": plain(entry.note),
        "size": entry.size,
        "details": canonical(dict(entry.details)),
    }


def _entry(row: RowMapping) -> Entry:
    return Entry(
        id=row["id"],
        kind=row["kind"],
        title=row["title"],
        level=row["level"],
        owner=row["owner"],
        expires=row["expires"],
        added=row["added"],
        added_by=row["added_by"],
        note=row["note"],
        size=row["size"],
        details=parse(row["details"], dict[str, Any]),
    )
