"""The audit log: `state/audit/audit.jsonl`, one record a line, appended by any process, chained (dlp.store.audit_record).

The number and hash of the last durable record are also in the database, sealed, so that a tail
cut off is found. What is wrong with the file's end is never mended silently: the next record
written says what was found, and the chain goes on from the last record known.
"""

import fcntl
import hashlib
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import BinaryIO

import structlog
from sqlalchemy import insert, select, update

from dlp.errors import StoreError
from dlp.store.audit_check import AuditReport, Problem, check
from dlp.store.audit_record import HEAD_CHANGED, HEAD_GONE, REPAIRED, Head, authentic, line_after, mac
from dlp.store.database import Database
from dlp.store.files import PRIVATE_FILE, private_folder, sync_folder, translated, write_all
from dlp.store.ids import Clock
from dlp.store.schema import audit_head

log = structlog.get_logger()

_BLOCK = 64 << 10


class Anchor:
    """The head as the database keeps it."""

    def __init__(self, database: Database, key: bytes) -> None:
        self._database = database
        self._key = key

    def read(self) -> tuple[Head | None, bool]:
        """The head, or None where none was kept; and whether its seal is right."""
        with self._database.read("the audit log's head was not read") as connection:
            row = connection.execute(select(audit_head)).first()
        if row is None:
            return None, True
        head = Head(seq=row.seq, hash=row.hash)
        return head, row.mac == mac(head, self._key)

    def move(self, head: Head) -> None:
        """Keep `head` instead, durably."""
        values = {"seq": head.seq, "hash": head.hash, "mac": mac(head, self._key)}
        with self._database.write("the audit log's head was not kept") as connection:
            if connection.execute(update(audit_head).where(audit_head.c.one == 1).values(**values)).rowcount == 0:
                connection.execute(insert(audit_head).values(one=1, **values))


class FileAudit:
    """`ports.Audit` on one file. Threads and processes take turns."""

    def __init__(self, folder: Path, key: bytes, database: Database, *, clock: Clock) -> None:
        """Open `folder`/audit.jsonl and explain what a power cut left at its end. Raises StoreError."""
        private_folder(folder)
        self.path = folder / "audit.jsonl"
        self._key = key
        self._anchor = Anchor(database, key)
        self._clock = clock
        self._turn = threading.Lock()
        self._descriptor = -1
        self._seen: tuple[int, Head] | None = None  # the file's length after our last append, and its head
        self._anchored = False  # whether the database keeps a head
        self._explain()

    def record(self, event: str, *, durable: bool = True, **facts: object) -> None:
        """See `ports.Audit.record`. After a StoreError the record is not in the file, or is whole in it."""
        with self._writing():
            head, length, found = self._end()
            self._append(head, length, found, [(event, facts)], durable=durable)

    def verify(self) -> AuditReport:
        """Check every record, from the first to the last that is there now."""
        with self._writing():
            length = os.fstat(self._descriptor).st_size
            anchor, sealed = self._anchor.read()
        with translated("the audit log was not read", self.path), self.path.open("rb") as file:
            report = check(_lines(file, length), self._key, anchor if sealed else None)
        what = _distrust(anchor, report.records, sealed=sealed)
        problems = (*report.problems, *([Problem(line=0, what=what)] if what else []))
        return AuditReport(records=report.records, problems=problems)

    def head_time(self) -> datetime | None:
        """When the last whole record was written; None where there is none."""
        with self._writing():
            line, _torn = self._last(os.fstat(self._descriptor).st_size)
        record = authentic(line, self._key)
        return record.time if record else None

    def close(self) -> None:
        """Give the file back."""
        with self._turn:
            if self._descriptor >= 0:
                os.close(self._descriptor)
            self._descriptor = -1

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """Our turn, among threads and then among processes, at the file that has the name now."""
        with self._turn, translated("the audit log was not reached", self.path):
            self._lock()
            try:
                yield
            finally:
                fcntl.flock(self._descriptor, fcntl.LOCK_UN)

    def _lock(self) -> None:
        """Lock the file; open it again where it was removed or replaced meanwhile, which its end will show."""
        while True:
            if self._descriptor < 0:
                flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
                self._descriptor = os.open(self.path, flags, PRIVATE_FILE)
                self._seen = None
                sync_folder(self.path.parent)
            fcntl.flock(self._descriptor, fcntl.LOCK_EX)
            if self.path.exists() and os.path.samestat(self.path.stat(), os.fstat(self._descriptor)):
                return
            os.close(self._descriptor)
            self._descriptor = -1

    def _explain(self) -> None:
        """At opening: if the end is not right, say so in the log now. On a full disk the next record says it."""
        with self._writing():
            head, length, found = self._end()
            if not found:
                return
            try:
                self._append(head, length, found, [], durable=True)
            except StoreError as error:
                log.error("the audit log's end needs a record that could not be written", error=str(error))

    def _end(self) -> tuple[Head, int, dict[str, object]]:
        """Where the next record goes: the head it follows, the file's length, and what was found wrong there."""
        length = os.fstat(self._descriptor).st_size
        if self._seen and self._seen[0] == length:
            return self._seen[1], length, {}
        line, torn = self._last(length)
        found: dict[str, object] = {}
        if torn:
            found = {"reason": "an unfinished line", "torn_bytes": len(torn), "torn_sha256": hashlib.sha256(torn).hexdigest()}
        record = authentic(line, self._key)
        head = record.head if record else self._last_authentic(length)
        if line and not record:
            found["reason"] = "the last line is no record of this log"
        anchor, sealed = self._anchor.read()
        self._anchored = anchor is not None
        if not sealed:
            found["reason"] = HEAD_CHANGED
        elif anchor is None and head.seq > 1:
            found["reason"] = HEAD_GONE
        elif anchor and anchor.seq > head.seq:
            found["reason"] = f"records {head.seq + 1} to {anchor.seq} are missing at the end"
            head = anchor
        return head, length, found

    def _append(
        self, head: Head, length: int, found: dict[str, object], records: list[tuple[str, dict[str, object]]], *, durable: bool
    ) -> None:
        """Write all of it or none, `found` explained first; then fsync and keep the head, where `durable`."""
        explained: list[tuple[str, dict[str, object]]] = [(REPAIRED, found)] if found else []
        # As long as no head is kept every record is durable: without one a cut tail could not be told.
        durable = durable or not self._anchored or bool(found)
        data = b"\n" if "torn_bytes" in found else b""
        for event, facts in explained + records:
            line, head = line_after(head, self._key, time=self._clock(), event=event, facts=facts)
            data += line
        self._write(data, length, durable=durable)
        self._seen = length + len(data), head
        if durable:
            # If this fails the record stays: it is true and durable, and a head kept too early would cry wolf.
            self._anchor.move(head)
            self._anchored = True

    def _write(self, data: bytes, length: int, *, durable: bool) -> None:
        """All of `data` at the end, or the file as it was, `length` bytes long."""
        with translated("nothing was recorded in the audit log", self.path):
            try:
                write_all(self._descriptor, data)
                if durable:
                    os.fsync(self._descriptor)
            except OSError:
                self._seen = None
                os.ftruncate(self._descriptor, length)
                raise

    def _last(self, length: int) -> tuple[bytes, bytes]:
        """The last whole line, and what stands behind its newline."""
        tail, start = b"", length
        while start > 0 and tail.count(b"\n") < 2:
            size = min(_BLOCK, start)
            start -= size
            tail = os.pread(self._descriptor, size, start) + tail
        whole, newline, torn = tail.rpartition(b"\n")
        return (whole.rpartition(b"\n")[2], torn) if newline else (b"", tail)

    def _last_authentic(self, length: int) -> Head:
        """The last head in a file whose last line is not right."""
        head = Head()
        with self.path.open("rb") as file:
            for line in _lines(file, length):
                if record := authentic(line, self._key):
                    head = record.head
        return head


def _distrust(anchor: Head | None, records: int, *, sealed: bool) -> str:
    """What is wrong with the head in the database."""
    if not sealed:
        return "the head kept in the database was changed; whether the log's tail was cut off cannot be told"
    if anchor is None and records > 1:
        return "the head kept in the database is gone; whether the log's tail was cut off cannot be told"
    return ""


def _lines(file: BinaryIO, length: int) -> Iterator[bytes]:
    """The lines within the first `length` bytes, without newlines; the last may be unfinished."""
    while length > 0 and (line := file.readline(length)):
        length -= len(line)
        yield line.removesuffix(b"\n")
