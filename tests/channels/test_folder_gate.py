"""Removal: whatever happens between the inspection and the unlink, each content ends in its place or in custody."""

import asyncio
import errno
import fcntl
import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from dlp.channels.folder_file import Place, Snapshot, Wait, lease, open_place, take
from dlp.channels.folder_gate import FileGate
from dlp.channels.folder_names import hidden_name, own_name
from dlp.errors import GateError
from dlp.model import Action, Channel, FileOrigin, Item, Verdict
from tests.channels.folders import MARK, Bench, Custody, notices, until

VERDICT = Verdict(action=Action.QUARANTINE, level="secret")


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(Custody(tmp_path / "custody"))


@pytest.fixture
def share(tmp_path: Path) -> Path:
    folder = tmp_path / "share"
    folder.mkdir()
    return folder


def snapshot(file: Path) -> Snapshot:
    descriptor = open_place(Place(root=str(file.parent), relative=file.name))
    assert descriptor is not None
    try:
        taken = take(descriptor, copied=1 << 20, seen=None, patient=False)
    finally:
        os.close(descriptor)
    assert isinstance(taken, Snapshot)
    return taken


def gate(file: Path, taken: Snapshot, notice: Callable[[Verdict, str, str], str] | None = None) -> FileGate:
    place = Place(root=str(file.parent), relative=file.name)
    return FileGate(place, taken, notice=notice, hiding=set(), others=lambda left: None)


def kept(bench: Bench, share: Path) -> set[bytes]:
    """Every content that is in custody or in the share, notices left out."""
    there = {path.read_bytes() for path in share.iterdir() if path.is_file() and not path.name.endswith(".dlp.txt")}
    return there | set(bench.custody.contents())


def _appended(file: Path) -> None:
    with file.open("ab") as out:
        out.write(b", and more")


def _rewritten_with_its_times(file: Path) -> None:
    status = file.stat()
    file.write_bytes(b"x" * status.st_size)
    os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))


def _replaced(file: Path) -> None:
    (file.parent.parent / "new").write_bytes(b"another content")
    (file.parent.parent / "new").rename(file)


def _permissions_taken_away(file: Path) -> None:
    file.chmod(0)


def _swapped_for_a_link(file: Path) -> None:
    file.rename(file.parent / "renamed.txt")
    file.symlink_to("/etc/hostname")


@pytest.mark.parametrize(
    "meddle", [_appended, _rewritten_with_its_times, _replaced, _permissions_taken_away, _swapped_for_a_link]
)
async def test_a_file_that_changed_after_its_inspection_is_not_lost(
    bench: Bench, share: Path, meddle: Callable[[Path], None]
) -> None:
    file = share / "plan.txt"
    wanted = {MARK}
    done = []

    def meanwhile(item: Item) -> None:
        if not done:
            meddle(file)
            done.append(item)
            wanted.update(path.read_bytes() for path in share.iterdir() if path.is_file() and not path.is_symlink())

    bench.meanwhile = meanwhile
    file.write_bytes(MARK)
    async with bench.share(share) as channel:
        await until(lambda: len(bench.judged) > 1)
        await channel.settled()
    assert wanted <= kept(bench, share)
    assert not [name for name in os.listdir(share) if own_name(name)]
    assert Path("/etc/hostname").exists()


async def test_a_file_that_vanished_is_said(share: Path) -> None:
    file = share / "plan.txt"
    file.write_bytes(MARK)
    taken = snapshot(file)
    file.unlink()
    with taken.blob, pytest.raises(GateError, match="No such file"):
        await gate(file, taken).withhold(VERDICT, "inc", "held")


async def test_without_custody_nothing_is_removed(share: Path) -> None:
    file = share / "plan.txt"
    file.write_bytes(MARK)
    with (taken := snapshot(file)).blob, pytest.raises(GateError, match="custody"):
        await gate(file, taken).withhold(VERDICT, "inc", None)
    assert file.exists()


async def test_a_change_the_times_do_not_show_is_seen_by_the_content(share: Path, bench: Bench) -> None:
    """A snapshot whose identity is right and whose content is not: the file must go back under its name."""
    file = share / "plan.txt"
    file.write_bytes(MARK)
    taken = snapshot(file)
    other = share.parent / "other.txt"
    other.write_bytes(MARK[::-1])
    with taken.blob, snapshot(other).blob as blob, pytest.raises(GateError, match="changed"):
        false = Snapshot(blob=blob, identity=taken.identity, attributes={}, owner="", contested=True)
        await gate(file, false).withhold(VERDICT, "inc", "held")
    assert os.listdir(share) == ["plan.txt"]


async def test_notices_overwrite_nothing_and_have_no_notices(bench: Bench, share: Path) -> None:
    (share / "plan.txt.dlp.txt").write_bytes(b"somebody's own")
    (share / "plan.txt").write_bytes(MARK)
    (share / "other.txt.dlp.txt").write_bytes(MARK)
    async with bench.share(share):
        pass
    assert notices(share) == ["plan.txt.dlp.2.txt", "plan.txt.dlp.txt"]
    assert (share / "plan.txt.dlp.txt").read_bytes() == b"somebody's own"


async def test_a_notice_that_cannot_be_written_stops_nothing(share: Path) -> None:
    file = share / "plan.txt"
    file.write_bytes(MARK)
    for number in ("", ".2", ".3", ".4", ".5", ".6", ".7", ".8", ".9"):
        (share / f"plan.txt.dlp{number}.txt").touch()
    with (taken := snapshot(file)).blob:
        await gate(file, taken, lambda verdict, incident, name: "gone").withhold(VERDICT, "inc", "held")
    assert not file.exists()


async def test_a_file_left_hidden_comes_back_and_is_judged(bench: Bench, share: Path) -> None:
    (share / hidden_name("plan.txt")).write_bytes(b"clean")
    (share / hidden_name("taken.txt")).write_bytes(b"older")
    (share / "taken.txt").write_bytes(b"newer")
    async with bench.share(share):
        assert sorted(os.listdir(share)) == ["plan.txt", "taken (1).txt", "taken.txt"]
        assert len(bench.judged) == 3


async def test_what_cannot_be_removed_gets_its_name_back_and_is_in_custody_under_it(
    bench: Bench, share: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    failures, unlink = [errno.EIO, errno.EIO], os.unlink

    def failing(path: str, **more: Any) -> None:
        if failures and own_name(path):
            raise OSError(failures.pop(), "the disk says no")
        unlink(path, **more)

    monkeypatch.setattr(os, "unlink", failing)
    async with bench.share(share) as channel:
        (share / "plan.txt").write_bytes(MARK)
        await until(lambda: notices(share) == ["plan.txt.dlp.txt"])
        await channel.settled()
    assert failures == []
    assert {path for path in bench.paths if not path.endswith(".dlp.txt")} == {str(share / "plan.txt")}


async def test_a_removal_that_is_not_synced_is_a_removal(share: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = share / "plan.txt"
    file.write_bytes(MARK)

    def failing(descriptor: int) -> None:
        raise OSError(errno.EIO, "the disk says no")

    monkeypatch.setattr(os, "fsync", failing)
    with (taken := snapshot(file)).blob:
        await gate(file, taken).withhold(VERDICT, "inc", "held")
    assert not file.exists()


async def test_a_file_on_its_way_out_is_not_judged_a_second_time(
    bench: Bench, share: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is under its hidden name for as long as its proof takes, and the rename is an event as well."""
    prove = FileGate._prove

    def slow(*arguments: Any) -> None:
        time.sleep(0.5)
        prove(*arguments)

    monkeypatch.setattr(FileGate, "_prove", slow)
    async with bench.share(share) as channel:
        (share / "plan.txt").write_bytes(MARK)
        await until(lambda: notices(share) == ["plan.txt.dlp.txt"])
        await channel.settled()
    assert bench.custody.contents() == [MARK]
    assert bench.paths == [str(share / "plan.txt"), str(share / "plan.txt.dlp.txt")]


async def test_a_hidden_file_of_which_an_event_tells_gets_its_name_back(bench: Bench, share: Path) -> None:
    async with bench.share(share):
        (share / hidden_name("plan.txt")).write_bytes(MARK)
        await until(lambda: notices(share) == ["plan.txt.dlp.txt"])
    assert str(share / "plan.txt") in bench.paths


async def test_a_writer_who_waits_is_let_in(share: Path) -> None:
    """The lease holds a writer back while the file is read, and no longer."""
    file = share / "plan.txt"
    file.write_bytes(MARK)
    descriptor = os.open(file, os.O_RDONLY)
    assert lease(descriptor)
    with pytest.raises(BlockingIOError):
        os.open(file, os.O_WRONLY | os.O_NONBLOCK)
    assert fcntl.fcntl(descriptor, fcntl.F_GETLEASE) != fcntl.F_RDLCK
    writer = asyncio.create_task(asyncio.to_thread(file.write_bytes, b"new"))
    os.close(descriptor)
    await writer
    assert file.read_bytes() == b"new"


async def test_a_file_open_for_writing_waits_and_is_not_withheld(share: Path) -> None:
    file = share / "plan.txt"
    file.write_bytes(MARK)
    taken = snapshot(file)
    with taken.blob, file.open("ab"):
        descriptor = open_place(Place(root=str(share), relative="plan.txt"))
        assert descriptor is not None
        waits = take(descriptor, copied=1 << 20, seen=taken.identity, patient=True)
        os.close(descriptor)
        assert isinstance(waits, Wait)
        patient = Snapshot(
            blob=taken.blob, identity=taken.identity, attributes=taken.attributes, owner=taken.owner, contested=False
        )
        with pytest.raises(GateError, match="being written"):
            await gate(file, patient).withhold(VERDICT, "inc", "held")
    assert file.exists()


async def test_killed_at_any_step_the_original_is_in_its_place_or_in_custody(tmp_path: Path) -> None:
    """A child is killed (SIGKILL) before its first, second, third … call into the kernel's modules while it takes
    a file into custody and removes it; what is left is then given to a fresh channel."""
    finished = rounds = 0
    while finished == 0:
        rounds += 1
        base = tmp_path / f"round-{rounds}"
        share = base / "share"
        share.mkdir(parents=True)
        (share / "plan.txt").write_bytes(MARK)
        bench = Bench(Custody(base / "custody"))
        finished = _killed_at(rounds, share / "plan.txt", bench)
        assert MARK in kept(bench, share)
        async with bench.share(share):
            pass
        assert set(bench.custody.contents()) == {MARK}
        assert "plan.txt" not in os.listdir(share)
        assert not [name for name in os.listdir(share) if own_name(name)]
    assert rounds > 30


def _killed_at(step: int, file: Path, bench: Bench) -> int:
    """1 if the child came to its end before `step`."""
    child = os.fork()
    if child == 0:
        status = 1  # whatever happens here must not go on as a second test run
        try:
            _remove_until(step, file, bench)
            status = 42
        finally:
            os._exit(status)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert status in (-signal.SIGKILL, 42)
    return int(status == 42)


def _remove_until(step: int, file: Path, bench: Bench) -> None:
    taken = snapshot(file)
    item = Item(
        id="one",
        channel=Channel.SHARE,
        origin=FileOrigin(path=str(file), volume=str(file.parent), owner="", device="", inode=0),
        blob=taken.blob,
        arrived=bench.ports().clock(),
    )
    left = [step]

    def count(frame: FrameType, event: str, function: Any) -> None:
        if event == "c_call" and function.__module__ in ("posix", "fcntl", "_io"):
            left[0] -= 1
            if left[0] == 0:
                os.kill(os.getpid(), signal.SIGKILL)

    removal = gate(file, taken, bench.notice)
    sys.setprofile(count)
    held = bench.custody.store(item, dict(removal.attributes))
    assert held
    removal._withhold(VERDICT, "inc")
    sys.setprofile(None)
