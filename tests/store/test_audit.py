"""The audit log on disk: processes that share it, power cuts, full disks, and whoever lays hands on it."""

import json
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Delete, Update, delete, update

from dlp.errors import StoreError
from dlp.store.audit import FileAudit
from dlp.store.audit_check import AuditReport, check
from dlp.store.audit_record import GENESIS, REPAIRED, Head, authentic, line_after
from dlp.store.database import Database, open_database
from dlp.store.schema import audit_head
from tests.store.items import now

KEY = b"k" * 32
Open = Callable[[], FileAudit]


@pytest.fixture
def database(state: Path) -> Iterator[Database]:
    opened = open_database(state)
    yield opened
    opened.close()


@pytest.fixture
def open_audit(state: Path, database: Database) -> Iterator[Open]:
    """Opens the log once more, as another process would."""
    opened: list[FileAudit] = []

    def open_() -> FileAudit:
        opened.append(FileAudit(state / "audit", KEY, database, clock=now))
        return opened[-1]

    yield open_
    for audit in opened:
        audit.close()


def filled(open_audit: Open, records: int) -> FileAudit:
    audit = open_audit()
    for number in range(1, records + 1):
        audit.record("event", number=number)
    return audit


def whats(report: AuditReport) -> list[str]:
    return [problem.what for problem in report.problems]


def rewrite(audit: FileAudit, change: Callable[[list[bytes]], list[bytes]]) -> None:
    """Change the file's lines behind the log's back, in place."""
    lines = change(audit.path.read_bytes().splitlines(keepends=True))
    audit.path.write_bytes(b"".join(lines))


def test_records_are_chained_from_the_first(open_audit: Open) -> None:
    audit = filled(open_audit, 3)
    records = [json.loads(line) for line in audit.path.read_text().splitlines()]
    assert [record["seq"] for record in records] == [1, 2, 3]
    assert [record["prev"] for record in records] == [GENESIS, records[0]["hash"], records[1]["hash"]]
    assert audit.verify() == AuditReport(records=3)
    assert audit.head_time() is not None
    assert audit.path.stat().st_mode & 0o777 == 0o600


def test_an_empty_log_verifies(open_audit: Open) -> None:
    audit = open_audit()
    assert audit.verify() == AuditReport(records=0)
    assert audit.head_time() is None


def test_processes_and_threads_share_one_chain(open_audit: Open) -> None:
    logs = [open_audit() for _ in range(3)]

    def write(audit: FileAudit) -> None:
        for number in range(30):
            audit.record("event", durable=number % 5 == 0, number=number)

    threads = [threading.Thread(target=write, args=(audit,)) for audit in logs * 2]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert logs[0].verify() == AuditReport(records=180)


TAMPERING: dict[str, tuple[Callable[[list[bytes]], list[bytes]], list[str]]] = {
    "edit": (lambda lines: [*lines[:4], lines[4].replace(b'"number":5', b'"number":6'), *lines[5:]], ["record 5 was edited"]),
    "respelling": (lambda lines: [*lines[:4], lines[4].replace(b'":', b'": '), *lines[5:]], ["record 5 was edited"]),
    "garbage in its place": (lambda lines: [*lines[:4], b"\xff{}\n", *lines[5:]], ["record 5 was edited"]),
    "deletion": (lambda lines: lines[:4] + lines[6:], ["records 5–6 are missing: deleted"]),
    "deletion of the first": (lambda lines: lines[1:], ["record 1 is missing: deleted"]),
    "deletion of two": (lambda lines: lines[1:4] + lines[5:], ["record 1 is missing: deleted", "record 5 is missing: deleted"]),
    "reordering": (lambda lines: [*lines[:4], lines[5], lines[4], *lines[6:]], ["record 5 is out of order"]),
    "a copy": (lambda lines: [*lines[:7], lines[3], *lines[7:]], ["record 4 is there twice: a copy was inserted"]),
    "a forgery": (
        lambda lines: [*lines[:7], line_after(Head(seq=7), b"x" * 32, time=now(), event="event", facts={})[0], *lines[7:]],
        ["is no record of this log: it was inserted, damaged, or torn"],
    ),
    "a line between": (
        lambda lines: [*lines[:7], b"\n", *lines[7:]],
        ["is no record of this log: it was inserted, damaged, or torn"],
    ),
    "cut tail": (lambda lines: lines[:7], ["records 8–10 are missing: the tail was cut off"]),
    "emptied": (lambda lines: [], ["records 1–10 are missing: the tail was cut off"]),
    "edited tail": (lambda lines: [*lines[:9], lines[9].replace(b"event", b"evenT")], ["record 10 was edited"]),
}


@pytest.mark.parametrize("change, expected", TAMPERING.values(), ids=list(TAMPERING))
def test_tampering_is_named(open_audit: Open, change: Callable[[list[bytes]], list[bytes]], expected: list[str]) -> None:
    audit = filled(open_audit, 10)
    rewrite(audit, change)
    assert whats(audit.verify()) == expected


@pytest.mark.parametrize("kept", [0, 4, 9])
def test_a_cut_tail_stays_known_when_the_log_goes_on(open_audit: Open, kept: int) -> None:
    audit = filled(open_audit, 10)
    rewrite(audit, lambda lines: lines[:kept])
    open_audit().record("event", number=11)
    report = open_audit().verify()
    assert [what.partition(" missing")[2] for what in whats(report)] == [": deleted"]
    assert f"{kept + 1}" in whats(report)[0]
    assert any(json.loads(line)["event"] == REPAIRED for line in audit.path.read_text().splitlines())


def test_a_removed_file_is_found(open_audit: Open) -> None:
    audit = filled(open_audit, 3)
    audit.path.unlink()
    audit.record("event", number=4)
    assert whats(audit.verify()) == ["records 1–3 are missing: deleted"]


def test_an_older_log_put_back_is_found(open_audit: Open) -> None:
    audit = filled(open_audit, 3)
    older = audit.path.read_bytes()
    audit.record("event", number=4)
    audit.path.write_bytes(older)
    assert whats(audit.verify()) == ["record 4 is missing: the tail was cut off"]


def test_another_history_under_the_same_key_is_found(open_audit: Open, tmp_path: Path) -> None:
    audit = filled(open_audit, 3)
    other = open_database(tmp_path / "other")
    elsewhere = FileAudit(tmp_path / "other" / "audit", KEY, other, clock=now)
    for number in range(3):
        elsewhere.record("other", number=number)
    audit.path.write_bytes(elsewhere.path.read_bytes())
    elsewhere.close()
    other.close()
    assert whats(audit.verify()) == ["record 3 is not the one the database knows: an older log was put in place of a newer one"]


@pytest.mark.parametrize(
    "statement, expected",
    [(update(audit_head).values(seq=4), "was changed"), (delete(audit_head), "is gone")],
    ids=["changed", "deleted"],
)
def test_hands_on_the_kept_head_are_named(
    open_audit: Open, database: Database, statement: Update | Delete, expected: str
) -> None:
    audit = filled(open_audit, 10)
    with database.write("test") as connection:
        connection.execute(statement)
    rewrite(audit, lambda lines: lines[:4])
    (what,) = whats(audit.verify())
    assert expected in what


@pytest.mark.parametrize("statement", [update(audit_head).values(seq=4), delete(audit_head)], ids=["changed", "deleted"])
def test_hands_on_the_kept_head_stay_known_when_the_log_goes_on(
    open_audit: Open, database: Database, statement: Update | Delete
) -> None:
    audit = filled(open_audit, 10)
    with database.write("test") as connection:
        connection.execute(statement)
    rewrite(audit, lambda lines: lines[:4])
    audit.record("event", number=5)
    (what,) = whats(audit.verify())
    assert what.startswith("record 5 says: the head in the database")


def test_on_a_full_disk_the_log_opens_and_explains_its_end_later(open_audit: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    audit = filled(open_audit, 3)
    audit.path.write_bytes(audit.path.read_bytes() + b'{"event"')

    def write(_descriptor: int, _data: bytes) -> int:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("os.write", write)
        again = open_audit()
    assert whats(again.verify()) == ["is no record of this log: it was inserted, damaged, or torn"]
    again.record("event", number=4)
    assert again.verify() == AuditReport(records=5)


def test_a_head_that_could_not_be_kept_is_kept_with_the_next_record(open_audit: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    audit = open_audit()

    def move(_self: object, _head: Head) -> None:
        raise StoreError("no space is left")

    with monkeypatch.context() as patch:
        patch.setattr("dlp.store.audit.Anchor.move", move)
        with pytest.raises(StoreError):
            audit.record("event", number=1)
    audit.record("event", durable=False, number=2)
    assert audit.verify() == AuditReport(records=2)


@given(st.data())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_flipped_bit_is_found(data: st.DataObject) -> None:
    head, whole = Head(), b""
    for number in range(4):
        line, head = line_after(head, KEY, time=now(), event="event", facts={"number": number})
        whole += line
    bit = data.draw(st.integers(0, len(whole) * 8 - 1))
    flipped = bytearray(whole)
    flipped[bit // 8] ^= 1 << bit % 8
    lines = bytes(flipped).split(b"\n")
    report = check(lines[:-1] if lines[-1] == b"" else lines, KEY, head)
    assert report.problems


@given(st.recursive(st.none() | st.booleans() | st.floats() | st.integers() | st.text(), lambda inner: st.lists(inner)))
def test_no_line_is_mistaken_for_a_record(value: object) -> None:
    for document in (value, {"seq": value, "time": value, "event": value, "facts": value, "prev": value, "hash": value}):
        assert authentic(json.dumps(document).encode(), KEY) is None


def test_a_torn_line_is_kept_explained_and_no_problem(open_audit: Open) -> None:
    audit = filled(open_audit, 3)
    whole = audit.path.read_bytes()
    audit.path.write_bytes(whole + whole.splitlines()[0][:40])
    again = open_audit()
    assert again.verify() == AuditReport(records=4)
    repaired = json.loads(audit.path.read_bytes().splitlines()[-1])
    assert (repaired["event"], repaired["facts"]["torn_bytes"]) == (REPAIRED, 40)
    again.record("event", number=4)
    audit.record("event", number=5)
    assert audit.verify() == AuditReport(records=6)


def test_a_torn_line_changed_afterwards_is_a_problem(open_audit: Open) -> None:
    audit = filled(open_audit, 3)
    audit.path.write_bytes(audit.path.read_bytes() + b'{"event"')
    open_audit()
    rewrite(audit, lambda lines: [line.replace(b'{"event"\n', b'{"Event"\n') for line in lines])
    assert whats(audit.verify()) == ["is no record of this log: it was inserted, damaged, or torn"]


def test_a_torn_durable_record_is_missed(open_audit: Open) -> None:
    """fsync said it was there: then it was not a power cut."""
    audit = filled(open_audit, 3)
    audit.path.write_bytes(audit.path.read_bytes()[:-20])
    report = open_audit().verify()
    assert whats(report) == ["record 3 is missing: deleted"]


@pytest.mark.parametrize("accepted", [0, 1, 100])
def test_a_short_write_is_taken_back(open_audit: Open, monkeypatch: pytest.MonkeyPatch, accepted: int) -> None:
    audit = filled(open_audit, 2)
    before = audit.path.read_bytes()
    real = os.write

    def write(descriptor: int, data: bytes) -> int:
        if accepted and len(data) > accepted:
            return real(descriptor, bytes(data[:accepted]))
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("os.write", write)
        with pytest.raises(StoreError, match="no space is left"):
            audit.record("event", text="x" * 150)
    assert audit.path.read_bytes() == before
    audit.record("event", number=3)
    assert audit.verify() == AuditReport(records=3)


def test_a_failing_fsync_is_an_error_and_takes_the_record_back(open_audit: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    audit = filled(open_audit, 2)

    def fsync(_descriptor: int) -> None:
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr("os.fsync", fsync)
        with pytest.raises(StoreError, match="the disk fails"):
            audit.record("event", number=3)
    assert audit.verify() == AuditReport(records=2)
