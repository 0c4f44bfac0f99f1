"""Channel `share` on real directories: what is there, what comes, however it comes, is judged in every version."""

import asyncio
import os
import shutil
import socket
import subprocess
from pathlib import Path

import pytest

from dlp.channels import folder
from dlp.channels.share import ShareSettings
from dlp.errors import ConfigError
from dlp.model import Action, Item, Limits
from dlp.ports import Gate, Outcome
from dlp.settings import check
from tests.channels.folders import MARK, Bench, Custody, notices, until


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(Custody(tmp_path / "custody"))


@pytest.fixture
def share(tmp_path: Path) -> Path:
    folder = tmp_path / "share"
    folder.mkdir()
    return folder


async def test_a_clean_file_stays_and_is_judged_once(bench: Bench, share: Path) -> None:
    async with bench.share(share) as channel:
        (share / "a.txt").write_bytes(b"lunch at noon")
        await until(lambda: bool(bench.judged))
        channel.recheck()
        await channel.settled()
    assert (share / "a.txt").read_bytes() == b"lunch at noon"
    assert bench.paths == [str(share / "a.txt")]


async def test_a_marked_file_goes_into_custody_and_leaves_a_notice(bench: Bench, share: Path) -> None:
    async with bench.share(share) as channel:
        (share / "plan.txt").write_bytes(MARK)
        await until(lambda: bool(bench.judged))
        await channel.settled()
    assert bench.custody.contents() == [MARK]
    assert os.listdir(share) == ["plan.txt.dlp.txt"]
    assert "隔离区" in (share / "plan.txt.dlp.txt").read_text("utf-8")


async def test_notices_can_be_turned_off(bench: Bench, share: Path) -> None:
    bench.notices = False
    (share / "plan.txt").write_bytes(MARK)
    async with bench.share(share):
        assert os.listdir(share) == []


async def test_what_is_there_at_the_start_is_judged_and_a_restart_passes_it_over(bench: Bench, share: Path) -> None:
    (share / "deep" / "er").mkdir(parents=True)
    (share / "deep" / "er" / "a.txt").write_bytes(b"clean")
    async with bench.share(share):
        assert bench.paths == [str(share / "deep/er/a.txt")]
    async with bench.share(share):
        assert len(bench.judged) == 1


async def test_a_change_of_basis_judges_everything_again(bench: Bench, share: Path) -> None:
    (share / "a.txt").write_bytes(b"clean")
    async with bench.share(share) as channel:
        bench.basis = "2"
        channel.recheck()
        await channel.settled()
    assert bench.paths == [str(share / "a.txt")] * 2


async def test_every_version_of_a_file_is_judged(bench: Bench, share: Path) -> None:
    async with bench.share(share) as channel:
        for n in range(3):
            (share / "a.txt").write_bytes(b"version %d" % n)
            await until(lambda n=n: len(bench.judged) == n + 1)  # type: ignore[misc]
        await channel.settled()
    assert len(bench.judged) == 3


async def test_a_copied_tree_is_judged_whole(bench: Bench, share: Path, tmp_path: Path) -> None:
    source = _tree(tmp_path / "source", folders=50, files=20)
    async with bench.share(share) as channel:
        await asyncio.to_thread(shutil.copytree, source, share / "copy")
        await until(lambda: len(set(bench.paths)) >= 1000)
        await channel.settled()
    assert len(set(bench.paths)) == 1000


async def test_a_tree_moved_in_out_and_in_again_is_judged_whole(bench: Bench, share: Path, tmp_path: Path) -> None:
    source = _tree(tmp_path / "source", folders=30, files=3)
    async with bench.share(share) as channel:
        source.rename(share / "tree")
        await until(lambda: len(bench.judged) >= 90)
        await channel.settled()
        assert len(bench.judged) == 90
        (share / "tree").rename(tmp_path / "outside")
        (tmp_path / "outside" / "folder-1" / "unseen.txt").write_bytes(b"written outside")
        await channel.settled()
        assert len(bench.judged) == 90
        (tmp_path / "outside").rename(share / "back")
        await until(lambda: str(share / "back/folder-1/unseen.txt") in bench.paths)
        (share / "back" / "folder-2" / "later.txt").write_bytes(b"watched under its new name")
        await until(lambda: str(share / "back/folder-2/later.txt") in bench.paths)


async def test_a_directory_moved_within_the_share_is_followed(bench: Bench, share: Path) -> None:
    (share / "a" / "b").mkdir(parents=True)
    (share / "c").mkdir()
    async with bench.share(share):
        (share / "a").rename(share / "c" / "a")
        (share / "c" / "a" / "b" / "new.txt").write_bytes(b"x")
        await until(lambda: str(share / "c/a/b/new.txt") in bench.paths)


async def test_hard_links_and_renamed_files_are_judged(bench: Bench, share: Path, tmp_path: Path) -> None:
    (tmp_path / "outside.txt").write_bytes(MARK)
    async with bench.share(share) as channel:
        os.link(tmp_path / "outside.txt", share / "link.txt")
        await until(lambda: notices(share) == ["link.txt.dlp.txt"])
        (tmp_path / "moved.txt").write_bytes(MARK)
        (tmp_path / "moved.txt").rename(share / "moved.txt")
        await until(lambda: "moved.txt.dlp.txt" in notices(share))
        await channel.settled()
    assert bench.custody.contents() == [MARK, MARK]
    assert (tmp_path / "outside.txt").exists()


async def test_every_hard_link_in_the_share_goes(bench: Bench, share: Path) -> None:
    (share / "one.txt").write_bytes(MARK)
    os.link(share / "one.txt", share / "two.txt")
    async with bench.share(share) as channel:
        await until(lambda: notices(share) == ["one.txt.dlp.txt", "two.txt.dlp.txt"])
        await channel.settled()
    assert sorted(os.listdir(share)) == ["one.txt.dlp.txt", "two.txt.dlp.txt"]


async def test_a_file_is_not_read_while_it_is_written(bench: Bench, share: Path) -> None:
    async with bench.share(share):
        with (share / "slow.txt").open("wb") as file:
            file.write(b"the first half, ")
            file.flush()
            await asyncio.sleep(0.3)
            assert bench.judged == []
            file.write(MARK)
        await until(lambda: bool(bench.judged))
    assert bench.custody.contents() == [b"the first half, " + MARK]


async def test_a_file_closed_again_and_again_is_judged_all_the_same(
    bench: Bench, share: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(folder, "PATIENCE", 0.5)
    async with bench.share(share, settle_seconds=0.2):
        while not bench.custody.contents():
            (share / "log.txt").write_bytes(MARK)
            await asyncio.sleep(0.05)


async def test_a_file_that_waited_long_for_its_turn_is_judged_like_any_other(
    bench: Bench, share: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is noted, too: else a burst would be inspected anew by each walk."""
    monkeypatch.setattr(folder, "PATIENCE", 0.1)
    submit = bench.submit

    async def slow(item: Item, gate: Gate) -> Outcome:
        await asyncio.sleep(0.1)
        return await submit(item, gate)

    bench.submit = slow  # type: ignore[method-assign]
    for n in range(30):
        (share / f"{n}.txt").write_bytes(b"clean")
    async with bench.share(share):
        assert len(bench.judged) == len(bench.journal.versions) == 30


async def test_a_rename_storm_loses_nothing(bench: Bench, share: Path) -> None:
    async with bench.share(share) as channel:
        for n in range(300):
            (share / f"{n}.tmp").write_bytes(b"%d" % n)
            (share / f"{n}.tmp").rename(share / f"{n}.txt")
        await until(lambda: {str(share / f"{n}.txt") for n in range(300)} <= set(bench.paths))
        await channel.settled()


async def test_five_thousand_files_at_once_are_all_judged(bench: Bench, share: Path) -> None:
    async with bench.share(share) as channel:
        await asyncio.to_thread(_burst, share, 5000)
        await until(lambda: len(set(bench.paths)) == 5000)
        await channel.settled()
        assert bench.metric("dlp_queue_items", channel="share") == 0


async def test_names_that_are_not_utf8_or_very_long(bench: Bench, share: Path) -> None:
    names = [b"\xff\xfe.txt", "机密".encode("gb18030"), b"x" * 255, "长".encode() * 85, b"new\nline", b" "]
    for name in names:
        (share / os.fsdecode(name)).write_bytes(MARK + name)
    async with bench.share(share):
        assert sorted(bench.custody.contents()) == sorted(MARK + name for name in names)
    assert len(notices(share)) == len(names)


async def test_what_is_not_a_regular_file_is_never_opened(bench: Bench, share: Path, tmp_path: Path) -> None:
    (tmp_path / "target.txt").write_bytes(MARK)
    (share / "link.txt").symlink_to(tmp_path / "target.txt")
    (share / "folder").symlink_to(tmp_path)
    (share / "loop").symlink_to(share)
    os.mkfifo(share / "pipe")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(share / "socket"))
        async with bench.share(share):
            (share / "pipe").touch()
    assert bench.judged == []
    assert (tmp_path / "target.txt").exists()


@pytest.mark.root
@pytest.mark.skipif(os.geteuid() != 0, reason="device nodes need root")
async def test_device_nodes_are_left_alone(bench: Bench, share: Path) -> None:
    os.mknod(share / "null", 0o20666, os.makedev(1, 3))
    async with bench.share(share):
        pass
    assert bench.judged == []


async def test_a_sparse_tebibyte_is_reported_but_not_read(bench: Bench, share: Path) -> None:
    bench.decide = lambda item: Action.ALERT
    with (share / "huge.img").open("wb") as file:
        file.truncate(1 << 40)
    async with bench.share(share):
        (item,) = bench.judged
    assert (item.blob.size, item.blob.sha256) == (1 << 40, "")


async def test_a_sparse_tebibyte_cannot_be_held_so_it_stays(bench: Bench, share: Path) -> None:
    bench.decide = lambda item: Action.QUARANTINE
    with (share / "huge.img").open("wb") as file:
        file.truncate(1 << 40)
    async with bench.share(share):
        assert (share / "huge.img").exists()
    assert bench.journal.versions == set()


async def test_a_file_above_the_limit_is_read_in_place_and_still_withheld(bench: Bench, share: Path) -> None:
    bench.limits = Limits(bytes=1000)
    (share / "large.bin").write_bytes(MARK + bytes(5000))
    async with bench.share(share):
        (item,) = [item for item in bench.judged if item.name == "large.bin"]
    assert not item.blob.sealed
    assert bench.custody.contents() == [MARK + bytes(5000)]
    assert os.listdir(share) == ["large.bin.dlp.txt"]


async def test_no_custody_no_removal_and_later_it_is_tried_again(bench: Bench, share: Path) -> None:
    bench.custody.full = True
    async with bench.share(share) as channel:
        (share / "plan.txt").write_bytes(MARK)
        await until(lambda: bool(bench.judged))
        await channel.settled()
        assert (share / "plan.txt").exists()
        assert bench.journal.versions == set()
        bench.custody.full = False
        await until(lambda: notices(share) == ["plan.txt.dlp.txt"])
    assert bench.custody.contents() == [MARK]


async def test_a_bug_behind_submit_leaves_the_file_and_ends_nothing(bench: Bench, share: Path) -> None:
    def broken(item: Item) -> Action:
        raise ZeroDivisionError

    bench.decide = broken
    (share / "a.txt").write_bytes(MARK)
    async with bench.share(share):
        assert (share / "a.txt").exists()
        bench.decide = lambda item: Action.ALLOW
        await until(lambda: bool(bench.journal.versions))


async def test_a_file_in_work_is_not_judged_a_second_time_meanwhile(bench: Bench, share: Path) -> None:
    go = asyncio.Event()
    submit, begun = bench.submit, list[str]()

    async def slow(item: Item, gate: Gate) -> Outcome:
        begun.append(item.id)
        await go.wait()
        return await submit(item, gate)

    bench.submit = slow  # type: ignore[method-assign]
    async with bench.share(share) as channel:
        (share / "plan.txt").write_bytes(MARK)
        await until(lambda: bool(begun))
        channel.recheck()
        # Another file has come all the way since: a second look at the first would have begun before it.
        (share / "later.txt").touch()
        await until(lambda: len(begun) == 2)
        await asyncio.sleep(0.2)
        go.set()
        await channel.settled()
    # The two files, and the notice left for the one.
    assert len(begun) == 3
    assert bench.custody.contents() == [MARK]


async def test_a_share_that_is_not_there_is_waited_for(bench: Bench, share: Path) -> None:
    share.rmdir()
    async with bench.share(share, rescan_seconds=1) as channel:
        assert bench.judged == []
        share.mkdir()
        (share / "a.txt").write_bytes(b"x")
        await until(lambda: bool(bench.judged))
        shutil.rmtree(share)
        await channel.settled()
        share.mkdir()
        (share / "b.txt").write_bytes(b"x")
        await until(lambda: len(bench.judged) == 2)


async def test_the_watches_are_counted_and_let_go(bench: Bench, share: Path, tmp_path: Path) -> None:
    _tree(share / "tree", folders=10, files=0)
    async with bench.share(share) as channel:
        assert bench.metric("dlp_watch_directories", state="watched") == 12
        assert bench.metric("dlp_watch_directories", state="wanted") == 12
        (share / "tree").rename(tmp_path / "away")
        await channel.settled()
        channel.recheck()
        await channel.settled()
        assert bench.metric("dlp_watch_directories", state="watched") == 1
        assert bench.metric("dlp_reconcile_lag_seconds") >= 0
    assert bench.metric("dlp_watch_directories", state="watched") == 0


@pytest.mark.root
@pytest.mark.skipif(os.geteuid() != 0, reason="mounting needs root")
async def test_what_cannot_be_removed_from_a_read_only_file_system_goes_once_it_can(
    bench: Bench, share: Path, tmp_path: Path
) -> None:
    source = tmp_path / "source"
    source.mkdir()
    (source / "plan.txt").write_bytes(MARK)
    subprocess.run(["mount", "--bind", source, share], check=True)
    try:
        subprocess.run(["mount", "-o", "remount,bind,ro", share], check=True)
        async with bench.share(share):
            await until(lambda: len(bench.judged) > 1)
            assert (share / "plan.txt").read_bytes() == MARK
            assert bench.journal.versions == set()
            subprocess.run(["mount", "-o", "remount,bind,rw", share], check=True)
            await until(lambda: notices(share) == ["plan.txt.dlp.txt"])
    finally:
        subprocess.run(["umount", "-l", share], check=True)
    assert set(bench.custody.contents()) == {MARK}


@pytest.mark.root
@pytest.mark.skipif(os.geteuid() != 0, reason="mounting needs root")
async def test_a_file_system_unmounted_and_mounted_below_a_share(bench: Bench, share: Path) -> None:
    """Under way: unmounted while its files are judged; what comes back is judged, what is below the bare point too."""
    (share / "disk").mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "tmpfs", share / "disk"], check=True)
    for n in range(300):
        (share / "disk" / f"{n}.txt").write_bytes(b"%d" % n)
    async with bench.share(share) as channel:
        channel.recheck()
        subprocess.run(["umount", "-l", share / "disk"], check=True)
        (share / "disk" / "bare.txt").write_bytes(MARK)
        channel.recheck()
        await until(lambda: bench.custody.contents() == [MARK])
        subprocess.run(["mount", "-t", "tmpfs", "tmpfs", share / "disk"], check=True)
        try:
            (share / "disk" / "new.txt").write_bytes(MARK)
            channel.recheck()
            await until(lambda: len(bench.custody.contents()) == 2)
        finally:
            subprocess.run(["umount", "-l", share / "disk"], check=True)


@pytest.mark.root
@pytest.mark.skipif(os.geteuid() != 0, reason="setting ids needs root")
async def test_the_notice_belongs_to_the_owner_of_the_file(bench: Bench, share: Path) -> None:
    (share / "plan.txt").write_bytes(MARK)
    os.chown(share / "plan.txt", 4321, 4322)
    async with bench.share(share):
        status = (share / "plan.txt.dlp.txt").stat()
        assert (status.st_uid, status.st_gid, status.st_mode & 0o777) == (4321, 4322, 0o644)


def test_settings_are_checked() -> None:
    assert check({"paths": ["/srv"]}, ShareSettings, where="x").settle_seconds == 0.5
    for wrong in ({"paths": []}, {"paths": ["/srv"], "settle_seconds": 0.0}, {"paths": ["/srv"], "strength": "gate"}):
        with pytest.raises(ConfigError):
            check(wrong, ShareSettings, where="x")


def _tree(top: Path, *, folders: int, files: int) -> Path:
    for n in range(folders):
        folder = top / f"folder-{n}"
        folder.mkdir(parents=True)
        for m in range(files):
            (folder / f"{m}.txt").write_bytes(b"%d-%d" % (n, m))
    return top


def _burst(folder: Path, count: int) -> None:
    script = 'for i in range(int(sys.argv[2])): open(f"{sys.argv[1]}/{i}.txt", "w").close()'
    subprocess.run(["python3", "-c", "import sys\n" + script, str(folder), str(count)], check=True)
