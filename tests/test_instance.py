"""One daemon on one state."""

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
