"""One running daemon for the tests that do not need one of their own."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.helpers.daemon import Daemon, configure, started


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    folder = tmp_path_factory.mktemp("daemon")
    with started(configure(folder)) as running:
        yield running


@pytest.fixture
def as_root() -> None:
    if os.geteuid() != 0:
        pytest.skip("needs root: mounts a file system")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path
