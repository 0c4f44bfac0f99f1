"""The scenarios of `make test-folders` in short: a moment of each that a daemon of its own takes part in."""

import os
from pathlib import Path

import pytest

from tests.folders import run
from tests.helpers.scale import LONG
from tests.helpers.trace import need_strace


def say(text: str) -> None:
    print(text)


@pytest.mark.timeout(300)
def test_after_kill_9_each_file_is_in_custody_once_and_is_released_as_it_was(tmp_path: Path) -> None:
    run.kills(tmp_path, say, rounds=10 if LONG else 1, files=4)


@pytest.mark.root
@pytest.mark.skipif(os.geteuid() != 0, reason="mounting needs root")
@pytest.mark.timeout(300)
def test_a_start_on_a_full_disk_is_said_and_everything_is_taken_once_there_is_room(tmp_path: Path) -> None:
    run.disks(tmp_path, say, kinds=(("ext4", 1024),), running=LONG)


@pytest.mark.timeout(300)
def test_a_disk_that_fails_while_a_file_is_taken_loses_nothing(tmp_path: Path) -> None:
    need_strace()
    run.faults(tmp_path, say, calls=(("fsync", "EIO"),), most=2)
