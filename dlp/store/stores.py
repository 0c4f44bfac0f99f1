"""Everything the daemon keeps, opened together.

Under the state folder: `dlp.db` (incidents, custody, the audit log's head), `journal.db` (what was
judged), `quarantine/` (sealed originals), `audit/audit.jsonl`, `quarantine.key` unless the key file
is elsewhere, `register/` (what is declared), and `ballast`.
"""

import os
from contextlib import ExitStack
from pathlib import Path

from sqlalchemy import exists, or_, select

from dlp.store.audit import FileAudit
from dlp.store.ballast import Ballast
from dlp.store.database import Database, open_database
from dlp.store.devices import SqlDevices
from dlp.store.files import DiskFull, free_bytes, private_folder
from dlp.store.ids import Clock, Random
from dlp.store.incidents import SqlIncidents
from dlp.store.journal import SqlJournal
from dlp.store.keys import open_keys
from dlp.store.objects import Objects
from dlp.store.quarantine import RecoveryReport, SealedQuarantine
from dlp.store.register import SqlRegister
from dlp.store.schema import audit_head, quarantine

LEAST = 256 << 10
"""Bytes that a custody and the records of it take at least; with fewer free the disk is full."""


class Stores:
    """The four ports of one state folder; made by `open`, given back by `close`."""

    def __init__(self, state: Path, database: Database, closing: ExitStack, *, key: Path, clock: Clock, random: Random) -> None:
        keys = open_keys(key, needed=_protects_something(database))
        self._closing = closing
        self._ballast = Ballast(state / "ballast")
        self.incidents = SqlIncidents(database, clock=clock, random=random)
        objects = Objects(state / "quarantine")
        self.quarantine = SealedQuarantine(database, objects, keys, clock=clock, random=random, ballast=self._ballast)
        self.audit = FileAudit(state / "audit", keys.audit, database, clock=clock)
        closing.callback(self.audit.close)
        self.journal = SqlJournal(state / "journal.db")
        closing.callback(self.journal.close)
        self.register, self.register_key = SqlRegister(database), keys.register
        self.devices = SqlDevices(database)

    @classmethod
    def open(
        cls, state: Path, *, clock: Clock, random: Random = os.urandom, key: Path | None = None, url: str | None = None
    ) -> "Stores":
        """Open what is under `state`, making what is missing. Several processes may.

        On a full disk the ballast is let go, and there is room to open. Raises StoreError, and
        ConfigError for a key file that is missing or open to others and for a database of a newer
        version.
        """
        private_folder(state)
        ballast = Ballast(state / "ballast")

        def attempt() -> "Stores":
            with ExitStack() as closing:
                database = open_database(state, url)
                closing.callback(database.close)
                stores = cls(state, database, closing, key=key or state / "quarantine.key", clock=clock, random=random)
                stores._closing = closing.pop_all()
                return stores

        try:
            stores = attempt()
        except DiskFull:
            if not ballast.let_go():
                raise
            return attempt()
        ballast.take_on()
        return stores

    def recover(self) -> RecoveryReport:
        """Finish or undo what a dead process left in custody. The daemon calls it once, before any channel starts."""
        return self.quarantine.recover()

    def make_room(self) -> bool:
        """On a full disk, let the ballast go, so that a purge and the record of it can be written; the purge takes it on
        again. Whether there was any."""
        return self._ballast.let_go() if self._ballast.scarce() else False

    def cramped(self) -> bool:
        """Whether the disk is full, or was and there is no room for the ballast yet. Where there is, it is taken on again.
        Raises StoreError."""
        if free_bytes(self._ballast.path.parent) < LEAST or self._ballast.spent():
            return True
        return not self._ballast.take_on()

    def close(self) -> None:
        """Commit what is pending and give everything back."""
        self._closing.close()


def _protects_something(database: Database) -> bool:
    """Whether something was sealed or chained by a key already."""
    sealed = select(quarantine.c.id).where(quarantine.c.envelope.is_not(None))
    with database.read("the database was not read") as connection:
        return bool(connection.scalar(select(or_(exists(sealed), exists(select(audit_head.c.one))))))
