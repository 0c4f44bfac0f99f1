"""The scan journal on disk: a cache that may be lost, but not be wrong."""

from dataclasses import replace
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from dlp.errors import StoreError
from dlp.ports import FileVersion
from dlp.store import journal as module
from dlp.store.journal import BATCH, SqlJournal

VERSION = FileVersion(device=2049, inode=12, size=5, mtime_ns=7, ctime_ns=9, basis="b1")


def test_notes_survive_a_restart(tmp_path: Path) -> None:
    journal = SqlJournal(tmp_path / "journal.db")
    versions = [replace(VERSION, inode=number, path=f"/{number}\udcff") for number in range(2 * BATCH + 5)]
    for version in versions:
        journal.note(version)
    journal.close()
    again = SqlJournal(tmp_path / "journal.db")
    assert all(map(again.known, versions))
    assert not again.known(replace(versions[0], size=6))
    again.close()


def test_a_newer_note_wins_over_a_stored_one(tmp_path: Path) -> None:
    journal = SqlJournal(tmp_path / "journal.db")
    newer = replace(VERSION, mtime_ns=8)
    journal.note(VERSION)
    journal.keep_only("b1")
    journal.note(newer)
    assert (journal.known(newer), journal.known(VERSION)) == (True, False)
    journal.keep_only("b1")
    assert (journal.known(newer), journal.known(VERSION)) == (True, False)
    journal.close()


def test_another_layout_begins_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = SqlJournal(tmp_path / "journal.db")
    first.note(VERSION)
    first.close()
    monkeypatch.setattr(module, "_LAYOUT", 2)
    second = SqlJournal(tmp_path / "journal.db")
    assert not second.known(VERSION)
    second.close()


def test_a_disk_that_takes_no_notes_is_told_and_stops_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    journal = SqlJournal(tmp_path / "journal.db")

    def write(_what: str) -> None:
        raise StoreError("no space is left")

    with monkeypatch.context() as patch, capture_logs() as logs:
        patch.setattr(journal._database, "write", write)
        for number in range(BATCH):
            journal.note(replace(VERSION, inode=number))
    assert [(line["log_level"], line["notes"]) for line in logs] == [("warning", BATCH)]
    assert not journal.known(VERSION)
    journal.note(VERSION)
    assert journal.known(VERSION)
    journal.close()
