"""The inotify watch, and what becomes of a folder when events are lost, watches are short, or files cannot be read."""

import asyncio
import errno
import os
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dlp.channels import folder, watch
from dlp.channels.folder_file import open_place
from dlp.channels.watch import TreeWatch
from dlp.model import FileOrigin
from tests.channels.folders import MARK, Bench, Custody, until


class Heard:
    """Every change told, in order."""

    def __init__(self) -> None:
        self.files: list[str] = []
        self.folders: list[str] = []
        self.overflows = 0

    def file_changed(self, path: str) -> None:
        self.files.append(path)

    def folder_appeared(self, path: str) -> None:
        self.folders.append(path)

    def overflowed(self) -> None:
        self.overflows += 1


@pytest.fixture
def heard() -> Heard:
    return Heard()


@pytest.fixture
def tree(heard: Heard) -> Iterator[TreeWatch]:
    tree = TreeWatch(heard)
    yield tree
    tree.stop()


@pytest.fixture
def share(tmp_path: Path) -> Path:
    share = tmp_path / "share"
    share.mkdir()
    return share


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(Custody(tmp_path / "custody"))


def add_all(tree: TreeWatch, top: Path, *paths: str) -> None:
    for path in paths:
        (top / path).mkdir(exist_ok=True)
    for path in paths:
        assert add(tree, top, path)


def add(tree: TreeWatch, top: Path, path: str) -> bool:
    descriptor = os.open(top / path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        return tree.add(path, descriptor)
    finally:
        os.close(descriptor)


async def test_a_moved_tree_is_followed_by_one_change(tree: TreeWatch, heard: Heard, share: Path) -> None:
    add_all(tree, share, "", "a", "a/b", "a/b/c", "d")
    (share / "a").rename(share / "d" / "e")
    await until(lambda: heard.folders == ["d/e"])
    add(tree, share, "d/e")
    (share / "d/e/b/c/new.txt").write_bytes(b"x")
    await until(lambda: bool(heard.files))
    assert heard.files[0] == "d/e/b/c/new.txt"
    assert len(tree) == 5


async def test_a_tree_moved_away_is_heard_of_no_more(tree: TreeWatch, heard: Heard, share: Path, tmp_path: Path) -> None:
    add_all(tree, share, "", "a", "a/b")
    (share / "a").rename(tmp_path / "away")
    (tmp_path / "away/b/private.txt").write_bytes(b"x")
    (share / "last.txt").write_bytes(b"x")
    await until(lambda: "last.txt" in heard.files)
    assert set(heard.files) == {"last.txt"}
    tree.drop_detached()
    assert len(tree) == 1


async def test_adding_again_is_harmless_and_a_round_lets_go_of_the_rest(tree: TreeWatch, heard: Heard, share: Path) -> None:
    add_all(tree, share, "", "a", "b")
    tree.begin_round()
    assert add(tree, share, "")
    assert add(tree, share, "a")
    tree.end_round()
    assert len(tree) == 2
    (share / "b" / "unheard.txt").touch()
    (share / "a" / "heard.txt").touch()
    await until(lambda: bool(heard.files))
    assert heard.files[0] == "a/heard.txt"


async def test_a_removed_root_is_told(tree: TreeWatch, heard: Heard, share: Path) -> None:
    add(tree, share, "")
    share.rmdir()
    await until(lambda: heard.folders == [""])
    assert len(tree) == 0


async def test_a_directory_below_an_unwatched_one_knows_its_path(tree: TreeWatch, heard: Heard, share: Path) -> None:
    (share / "a" / "b").mkdir(parents=True)
    add(tree, share, "")
    add(tree, share, "a/b")
    (share / "a" / "b" / "x.txt").touch()
    await until(lambda: bool(heard.files))
    assert heard.files[0] == "a/b/x.txt"


async def test_an_overflow_of_the_kernels_queue_is_counted_and_nothing_is_missed(bench: Bench, share: Path) -> None:
    """The reader is held up until the kernel has dropped events: a real overflow, of the stock queue or a larger one."""
    room = int(Path("/proc/sys/fs/inotify/max_queued_events").read_text())
    if room > 20_000:
        pytest.skip("fs.inotify.max_queued_events is raised: an overflow would take too many files")
    (share / "busy").mkdir()
    (share / "busy" / "0.tmp").touch()
    async with bench.share(share) as channel:
        with channel._folders[0]._watch._lock:
            _rename_to_and_fro(share / "busy", room + 1000)
            for n in range(200):
                (share / f"{n}.txt").write_bytes(b"unheard of")
        await until(lambda: bench.metric("dlp_watch_overflows_total") == 1)
        await until(lambda: {str(share / f"{n}.txt") for n in range(200)} <= set(bench.paths))
        await channel.settled()


async def test_more_files_than_the_queue_holds_are_found_by_walking(
    bench: Bench, share: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(folder, "QUEUE", 20)
    async with bench.share(share) as channel:
        for n in range(300):
            (share / f"{n}.txt").write_bytes(b"%d" % n)
        await until(lambda: len(set(bench.paths)) == 300)
        await channel.settled()


async def test_watches_that_run_short_are_counted_and_the_files_are_walked(
    bench: Bench, share: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The limit is one for the whole machine: it is not lowered here, the kernel's answer is imitated.
    real, given = watch.InotifyFD.add_callback, []

    def limited(*arguments: Any) -> Any:
        if len(given) >= 2:
            raise OSError(errno.ENOSPC, "inotify watch limit reached")
        given.append(arguments)
        return real(*arguments)

    monkeypatch.setattr(watch.InotifyFD, "add_callback", limited)
    for n in range(5):
        (share / f"{n}").mkdir()
        (share / f"{n}" / "plan.txt").write_bytes(MARK)
    async with bench.share(share, rescan_seconds=1):
        assert bench.metric("dlp_watch_directories", state="wanted") == 6
        assert bench.metric("dlp_watch_directories", state="watched") == 2
        assert len(bench.custody.contents()) == 5
        for n in range(5):
            (share / f"{n}" / "later.txt").write_bytes(MARK + b" again")
        await until(lambda: len(bench.custody.contents()) == 10)


@pytest.mark.parametrize("error", [errno.EIO, errno.EACCES])
async def test_a_file_that_cannot_be_read_is_tried_again(
    bench: Bench, share: Path, monkeypatch: pytest.MonkeyPatch, error: int
) -> None:
    failures = [error] * 3

    def failing(place: Any) -> int | None:
        if failures:
            raise OSError(failures.pop(), "the disk says no")
        return open_place(place)

    monkeypatch.setattr(folder, "open_place", failing)
    (share / "plan.txt").write_bytes(MARK)
    async with bench.share(share):
        await until(lambda: bool(bench.custody.contents()))
    assert failures == []


async def test_a_file_kept_open_for_writing_is_judged_in_the_end(
    bench: Bench, share: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(folder, "PATIENCE", 0.2)
    async with bench.share(share):
        with (share / "open.txt").open("wb") as file:
            file.write(MARK)
            file.flush()
            await until(lambda: bool(bench.custody.contents()))
    assert not (share / "open.txt").exists()


async def test_without_leases_a_file_is_read_when_it_stands_still(
    bench: Bench, share: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As where the daemon neither owns the file nor is root, and on network file systems.
    monkeypatch.setattr("dlp.channels.folder_file.lease", lambda descriptor: None)
    async with bench.share(share, settle_seconds=0.2):
        with (share / "slow.txt").open("wb") as file:
            for _ in range(8):
                file.write(b"not yet. ")
                file.flush()
                await asyncio.sleep(0.1)
            file.write(MARK)
        await until(lambda: bool(bench.custody.contents()))
    assert bench.custody.contents() == [b"not yet. " * 8 + MARK]


async def test_a_symlink_swapped_in_again_and_again_is_never_followed(bench: Bench, share: Path, tmp_path: Path) -> None:
    """A directory turns into a link to a foreign one and back while files in it are judged."""
    (tmp_path / "foreign").mkdir()
    (tmp_path / "foreign" / "secret.txt").write_bytes(MARK)
    (share / "real").mkdir()
    (share / "real" / "secret.txt").write_bytes(b"clean")
    stop = threading.Event()

    def swap() -> None:
        while not stop.is_set():
            (share / "real").rename(share / "aside")
            (share / "real").symlink_to(tmp_path / "foreign")
            (share / "real").unlink()
            (share / "aside").rename(share / "real")

    async with bench.share(share) as channel:
        swapping = asyncio.create_task(asyncio.to_thread(swap))
        for n in range(60):
            (share / f"{n}.txt").touch()
            bench.basis = str(n)
            channel.recheck()
            await asyncio.sleep(0.01)
        stop.set()
        await swapping
        await channel.settled()
    assert bench.custody.contents() == []
    assert (tmp_path / "foreign" / "secret.txt").exists()
    inodes = {item.origin.inode for item in bench.judged if isinstance(item.origin, FileOrigin)}
    assert (tmp_path / "foreign" / "secret.txt").stat().st_ino not in inodes


async def test_directories_moved_out_and_back_many_at_once(bench: Bench, share: Path, tmp_path: Path) -> None:
    for n in range(1100):
        (share / "top" / f"{n}").mkdir(parents=True)
    async with bench.share(share) as channel:
        for _ in range(2):
            (share / "top").rename(tmp_path / "away")
            (tmp_path / "away").rename(share / "top")
        (share / "top" / "1099" / "after.txt").write_bytes(b"x")
        await until(lambda: str(share / "top/1099/after.txt") in bench.paths)
        await channel.settled()
        assert bench.metric("dlp_watch_directories", state="watched") == 1102
        shutil.rmtree(share / "top")


def _rename_to_and_fro(folder: Path, times: int) -> None:
    """Never two equal events in a row: the kernel would merge them."""
    for n in range(times):
        (folder / f"{n % 2}.tmp").rename(folder / f"{(n + 1) % 2}.tmp")
