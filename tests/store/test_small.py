"""Ids, the names of processes, and the ballast."""

import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlp.store import ballast
from dlp.store.ballast import Ballast
from dlp.store.ids import INCIDENT, new_id
from dlp.store.process import alive, this_process

TIMES = st.datetimes(datetime(2020, 1, 1), datetime(3000, 1, 1), timezones=st.just(UTC))


@given(TIMES, st.timedeltas(timedelta(milliseconds=2), timedelta(days=9999)), st.binary(min_size=4, max_size=4))
def test_ids_sort_by_time_whatever_chance_says(time: datetime, later: timedelta, chance: bytes) -> None:
    first = new_id(INCIDENT, time, lambda _: b"\xff" * 4)
    assert first < new_id(INCIDENT, time + later, lambda _: chance)


def test_an_id_is_short_and_has_no_letters_that_are_misread() -> None:
    made = {new_id(INCIDENT, datetime(2026, 1, 1, tzinfo=UTC), os.urandom) for _ in range(200)}
    assert {len(one) for one in made} == {18}
    assert not {"i", "l", "o", "u"} & set("".join(one.removeprefix("inc-") for one in made))
    assert len(made) > 190


def test_a_process_is_alive_until_it_ends() -> None:
    assert alive(this_process())
    code = "import sys; from dlp.store.process import this_process; print(this_process(), flush=True); sys.stdin.read()"
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}
    with subprocess.Popen(
        [sys.executable, "-c", code],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
    ) as child:
        assert child.stdout
        name = child.stdout.readline().strip()
        assert alive(name)
        child.communicate()
    assert not alive(name)


def test_the_same_pid_is_not_the_same_process() -> None:
    boot, pid, started = this_process().split(":")
    assert not alive(f"{boot}:{pid}:{int(started) + 1}")
    assert not alive(f"{boot.replace(boot[0], 'x')}:{pid}:{started}")


@pytest.mark.parametrize("name", ["", "x", "a:b:c", ":::", "a:-1:2"])
def test_what_is_no_name_is_not_alive(name: str) -> None:
    assert not alive(name)


def test_ballast_takes_up_space_until_it_is_let_go(tmp_path: Path) -> None:
    one = Ballast(tmp_path / "ballast")
    assert one.take_on()
    assert one.take_on()
    assert one.path.stat().st_blocks * 512 >= ballast.SIZE
    assert one.let_go()
    assert not one.let_go()


def test_ballast_does_not_fill_a_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ballast, "free_bytes", lambda _path: ballast.SIZE)
    one = Ballast(tmp_path / "ballast")
    assert not one.take_on()
    assert not one.path.exists()
