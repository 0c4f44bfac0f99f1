"""One daemon on one state."""

import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from dlp import instance
from dlp.errors import ConfigError

HOLD = """
import sys
from pathlib import Path
from dlp.instance import lock
held = lock(Path(sys.argv[1]))
print("held", flush=True)
sys.stdin.read()
"""


def test_now_is_aware_and_in_utc() -> None:
    assert instance.now().utcoffset() == timedelta(0)


def test_ids_are_unique_and_sort_by_the_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    moments = [datetime(2026, 3, 4, tzinfo=UTC) + timedelta(seconds=n) for n in range(100)]
    ids = []
    for moment in moments:
        monkeypatch.setattr(instance, "now", lambda moment=moment: moment)
        ids.append(instance.item_id())
    assert ids == sorted(set(ids))
    assert all(one.startswith("item-") for one in ids)


def test_a_state_is_held_by_one_process_until_that_ends(tmp_path: Path) -> None:
    state = tmp_path / "deep" / "state"
    assert not instance.running(state)
    assert not state.exists(), "asking leaves no trace"
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(state)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=Path(__file__).parents[1]
    )
    try:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        assert state.stat().st_mode & 0o777 == 0o700
        assert instance.running(state)
        with pytest.raises(ConfigError, match="another daemon works on this state"):
            instance.lock(state)
        holder.kill()
        holder.wait()
        instance.lock(state).close()
        assert not instance.running(state)
    finally:
        holder.kill()
        holder.communicate()


def test_a_guard_holds_a_state_against_a_second_one_and_stands_when_it_says_so(tmp_path: Path) -> None:
    assert instance.guard_stands(tmp_path) == 0
    with instance.GuardLock(tmp_path) as held:
        assert instance.guard_stands(tmp_path) == 0  # not yet
        with pytest.raises(ConfigError, match="another guard"), instance.GuardLock(tmp_path):
            pass
        held.stands()
        assert instance.guard_stands(tmp_path) == os.getpid()
    assert instance.guard_stands(tmp_path) == 0
    with instance.GuardLock(tmp_path):
        assert instance.guard_stands(tmp_path) == 0  # what the last one said is gone
    with pytest.raises(ConfigError, match="start the daemon first"), instance.GuardLock(tmp_path / "nowhere"):
        pass


@pytest.mark.parametrize("what", ["symbolic link", "second name", "FIFO", "linked folder"])
def test_the_guard_follows_nothing_that_the_daemons_user_put_there(tmp_path: Path, what: str) -> None:
    state, precious = tmp_path / "state", tmp_path / "precious"
    state.mkdir()
    precious.write_text("precious")
    place = state / "run" / "guard.lock"
    if what == "linked folder":
        (tmp_path / "elsewhere").mkdir()
        place.parent.symlink_to(tmp_path / "elsewhere")
    else:
        place.parent.mkdir()
    match what:
        case "symbolic link":
            place.symlink_to(precious)
        case "second name":
            place.hardlink_to(precious)
        case "FIFO":
            os.mkfifo(place)
    with pytest.raises(ConfigError, match="cannot be written"), instance.GuardLock(state):
        pass
    assert precious.read_text() == "precious"
    assert list((tmp_path / "elsewhere").iterdir() if what == "linked folder" else ()) == []
    if what != "linked folder":
        with pytest.raises(OSError, match=r"no file|symbolic"):
            instance.guard_stands(state)
