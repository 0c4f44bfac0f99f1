"""What every `ports.Journal` does."""

from dataclasses import replace
from typing import Any

import pytest

from dlp.ports import FileVersion, Journal
from dlp.store.stores import Stores
from tests.helpers.memory import MemoryJournal

VERSION = FileVersion(device=2049, inode=12, size=5, mtime_ns=7, ctime_ns=9, basis="b1")


@pytest.fixture(params=["real", "memory"])
def journal(request: pytest.FixtureRequest) -> Journal:
    if request.param == "memory":
        return MemoryJournal()
    stores: Stores = request.getfixturevalue("stores")
    return stores.journal


def test_what_was_noted_is_known_and_nothing_else_is(journal: Journal) -> None:
    assert not journal.known(VERSION)
    journal.note(VERSION)
    assert journal.known(VERSION)


@pytest.mark.parametrize(
    "change",
    [{"size": 6}, {"mtime_ns": 8}, {"ctime_ns": 8}, {"basis": "b2"}, {"inode": 13}, {"device": 2050}, {"path": "/a"}],
    ids=lambda change: next(iter(change)),
)
def test_another_version_is_not_known(journal: Journal, change: dict[str, Any]) -> None:
    journal.note(VERSION)
    assert not journal.known(replace(VERSION, **change))
    assert journal.known(VERSION)


def test_a_newer_version_replaces_the_older(journal: Journal) -> None:
    newer = replace(VERSION, mtime_ns=8, ctime_ns=10)
    journal.note(VERSION)
    journal.note(newer)
    assert journal.known(newer)
    assert not journal.known(VERSION)


def test_on_fat_the_path_tells_files_apart(journal: Journal) -> None:
    one, other = replace(VERSION, path="/mnt/a\udcff"), replace(VERSION, path="/mnt/b", size=6)
    journal.note(one)
    journal.note(other)
    assert journal.known(one)
    assert journal.known(other)


def test_only_the_present_basis_is_kept(journal: Journal) -> None:
    kept = replace(VERSION, inode=1, basis="b2")
    for version in (VERSION, replace(VERSION, inode=2), kept):
        journal.note(version)
    assert journal.keep_only("b2") == 2
    assert journal.known(kept)
    assert not journal.known(VERSION)
    assert journal.keep_only("b2") == 0


def test_numbers_may_use_all_their_bits(journal: Journal) -> None:
    big = replace(VERSION, device=(1 << 64) - 1, inode=1 << 63)
    journal.note(big)
    assert journal.known(big)
    journal.keep_only(VERSION.basis)
    assert journal.known(big)


def test_the_real_one_counts_what_it_knows(stores: Stores) -> None:
    assert stores.journal.size() == 0
    stores.journal.note(VERSION)
    assert stores.journal.size() == 1
    stores.journal.keep_only("b2")
    assert stores.journal.size() == 0
