"""Fixtures for the tests of the store and of its contracts; imported by their conftest files."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dlp.model import Item
from dlp.store.stores import Stores
from tests.store.items import MakeItem, an_item, now


@pytest.fixture
def make_item() -> Iterator[MakeItem]:
    """`an_item`, closed after the test."""
    made: list[Item] = []

    def make(*args: Any, **options: Any) -> Item:
        made.append(an_item(*args, **options))
        return made[-1]

    yield make
    for item in made:
        item.blob.close()


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / "state"


@pytest.fixture
def stores(state: Path) -> Iterator[Stores]:
    opened = Stores.open(state, clock=now)
    yield opened
    opened.close()
