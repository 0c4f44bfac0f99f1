"""Columns: what a draft writes is read again, and a crash at any step leaves the old set or the new."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dlp import columns
from dlp.columns import Draft, opened
from dlp.errors import ConfigError

OLD, NEW = np.arange(5, dtype=np.uint64), np.arange(7, dtype=np.uint64)


def write(folder: Path, numbers: columns.Array, **facts: object) -> None:
    draft = Draft(folder, opened(folder))
    draft.write("number", numbers)
    draft.commit(facts)


def read(folder: Path) -> list[int]:
    found = opened(folder)
    assert found is not None
    return [int(number) for number in found.arrays["number"]]


def test_nothing_was_ever_written(tmp_path: Path) -> None:
    assert opened(tmp_path) is None
    assert columns.facts(tmp_path) == {}


def test_what_is_written_is_read(tmp_path: Path) -> None:
    draft = Draft(tmp_path, None)
    writer = draft.column("number", "<u4")
    writer.append(np.array([1, 2], dtype=np.int64))
    writer.append(np.array([3], dtype=np.int64))
    draft.write("nothing", np.empty(0, dtype=np.uint64))
    draft.commit({"a": [1]})
    found = opened(tmp_path)
    assert found is not None
    assert found.arrays["number"].tolist() == [1, 2, 3]
    assert found.arrays["nothing"].size == 0
    assert found.facts == columns.facts(tmp_path) == {"a": [1]}
    with pytest.raises(ValueError, match="read-only"):
        found.arrays["number"][0] = 9


def test_a_column_is_kept_and_rubbish_goes(tmp_path: Path) -> None:
    write(tmp_path, OLD)
    before = {path.name for path in tmp_path.iterdir()}
    (tmp_path / "left-by-a-crash").write_bytes(b"x")
    draft = Draft(tmp_path, opened(tmp_path))
    draft.keep("number")
    draft.commit({})
    assert read(tmp_path) == OLD.tolist()
    assert {path.name for path in tmp_path.iterdir()} == before


def test_all_files_are_private(tmp_path: Path) -> None:
    columns.private(tmp_path / "new")
    write(tmp_path / "new", OLD)
    assert (tmp_path / "new").stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in (tmp_path / "new").iterdir()} == {0o600}


class Crash(BaseException):
    """Not an error that anybody handles."""


@pytest.mark.parametrize("step", range(12))
def test_a_crash_at_any_step_leaves_the_old_or_the_new(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: int) -> None:
    """At each system call that changes something, the folder is as a crash would leave it: never mixed, never unreadable."""
    folder, crashed = tmp_path / "set", tmp_path / "crashed"
    folder.mkdir()
    write(folder, OLD)
    left = [step]

    def counting(call: Callable[..., Any]) -> Callable[..., Any]:
        def counted(*arguments: Any, **options: Any) -> Any:
            if left[0] == 0:
                raise Crash
            left[0] -= 1
            return call(*arguments, **options)

        return counted

    with monkeypatch.context() as patch:
        for name in ("write", "fsync"):
            patch.setattr(os, name, counting(getattr(os, name)))
        patch.setattr(Path, "rename", counting(Path.rename))
        patch.setattr(Path, "unlink", counting(Path.unlink))
        ended = False
        try:
            write(folder, NEW)
            ended = True
        except Crash:
            pass
        shutil.copytree(folder, crashed)
    assert read(crashed) in (OLD.tolist(), NEW.tolist())
    assert not ended or read(crashed) == NEW.tolist()
    write(crashed, NEW[:3])
    assert read(crashed) == [0, 1, 2]
    assert len(list(crashed.iterdir())) == 2


def test_the_steps_above_are_all_there_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    test_a_crash_at_any_step_leaves_the_old_or_the_new(tmp_path, monkeypatch, 100)


@pytest.mark.parametrize(
    "harm",
    [
        lambda folder: _column(folder).write_bytes(b"\1" + _column(folder).read_bytes()[1:]),
        lambda folder: _column(folder).write_bytes(b""),
        lambda folder: _column(folder).unlink(),
        lambda folder: (folder / "manifest").write_bytes(b""),
        lambda folder: (folder / "manifest").write_bytes((folder / "manifest").read_bytes()[:-1]),
        lambda folder: (folder / "manifest").write_bytes(b"zz\n{}"),
    ],
    ids=["changed", "cut", "gone", "empty manifest", "cut manifest", "no manifest"],
)
def test_damage_is_told(tmp_path: Path, harm: Callable[[Path], object]) -> None:
    write(tmp_path, OLD)
    harm(tmp_path)
    with pytest.raises(ConfigError, match="damaged") as caught:
        opened(tmp_path)
    assert caught.value.faults[0].remedy


def _column(folder: Path) -> Path:
    return next(folder.glob("number-*"))


def test_a_newer_format_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(columns, "_FORMAT", 2)
        write(tmp_path, OLD)
    with pytest.raises(ConfigError, match="format 2"):
        opened(tmp_path)
