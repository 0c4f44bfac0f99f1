"""Incidents in the database, beyond the contract."""

import itertools
from datetime import timedelta
from pathlib import Path

import pytest

from dlp.errors import StoreError
from dlp.model import Verdict
from dlp.store.database import open_database
from dlp.store.incidents import SqlIncidents
from dlp.store.rows import PAGE
from dlp.store.stores import Stores
from tests.store.items import INSPECTION, VERDICT, MakeItem, now


def test_they_survive_a_restart(state: Path, make_item: MakeItem) -> None:
    first = Stores.open(state, clock=now)
    incident = first.incidents.open(make_item(), INSPECTION, VERDICT)
    before = first.incidents.get(incident)
    first.close()
    second = Stores.open(state, clock=now)
    assert second.incidents.get(incident) == before
    second.close()


def test_a_list_longer_than_a_page_is_whole_and_in_order_even_if_the_clock_goes_back(state: Path, make_item: MakeItem) -> None:
    database, ticks = open_database(state), itertools.count()
    start = now()
    incidents = SqlIncidents(database, clock=lambda: start - timedelta(seconds=next(ticks)), random=lambda size: bytes(size))
    item = make_item()
    opened = [incidents.open(item, INSPECTION, VERDICT) for _ in range(PAGE + 3)]
    assert [one.id for one in incidents.list()] == opened
    database.close()


def test_an_id_that_is_taken_is_not_given_again(state: Path, make_item: MakeItem) -> None:
    database, item, time = open_database(state), make_item(), now()
    chances = iter([b"\0\0\0\0", b"\0\0\0\0", b"\0\0\0\1", *[b"\0\0\0\0"] * 9])
    incidents = SqlIncidents(database, clock=lambda: time, random=lambda _size: next(chances))
    first, second = (incidents.open(item, INSPECTION, VERDICT) for _ in range(2))
    assert first != second
    with pytest.raises(StoreError, match="random"):
        incidents.open(item, INSPECTION, VERDICT)
    database.close()


def test_what_is_not_closed_is_counted_by_level(stores: Stores, make_item: MakeItem) -> None:
    item = make_item()
    closed, failed, *_rest = (stores.incidents.open(item, INSPECTION, VERDICT) for _ in range(4))
    stores.incidents.open(item, INSPECTION, Verdict())
    stores.incidents.close(closed, held=None)
    stores.incidents.fail(failed, "no", held=None)
    assert stores.incidents.counts_open() == {"secret": 3, "none": 1}


def test_an_interrupted_incident_names_what_was_already_in_custody(stores: Stores, make_item: MakeItem) -> None:
    item = make_item()
    incident = stores.incidents.open(item, INSPECTION, VERDICT)
    held = stores.quarantine.store(item, incident, VERDICT, {})
    assert stores.incidents.interrupted() == 1
    interrupted = stores.incidents.get(incident)
    assert interrupted is not None
    assert interrupted.quarantine == held


def test_an_error_may_name_a_path_that_is_not_utf_8(stores: Stores, make_item: MakeItem) -> None:
    incident = stores.incidents.open(make_item(), INSPECTION, VERDICT)
    stores.incidents.fail(incident, "/mnt/\udcff: vanished", held=None)
    failed = stores.incidents.get(incident)
    assert failed is not None
    assert failed.error == "/mnt/\\udcff: vanished"
