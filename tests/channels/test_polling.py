"""Trees of which inotify does not tell all: network file systems, a real one here; limits really reached; polls by wish."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from dlp.channels import filesystems, folder
from dlp.channels.share import ShareSettings
from dlp.errors import ConfigError
from dlp.settings import check
from tests.channels.folders import MARK, Bench, Custody, until
from tests.helpers.sshfs import mounted


@pytest.fixture(autouse=True)
def coarse(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folder, "COARSE_SETTLE", 0.3)


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(Custody(tmp_path / "custody"))


@pytest.fixture
def share(tmp_path: Path) -> Path:
    folder = tmp_path / "share"
    folder.mkdir()
    return folder


@pytest.mark.root
async def test_what_another_machine_writes_is_found_by_polling(bench: Bench, share: Path, tmp_path: Path) -> None:
    """The network file system is mounted below the root: its type is asked for each directory."""
    served, point = tmp_path / "served", share / "net"
    served.mkdir()
    point.mkdir()
    with mounted(served, point):
        async with bench.share(share, poll_seconds=1) as channel:
            (served / "sub").mkdir()
            (served / "sub" / "plan.txt").write_bytes(MARK)
            (served / "menu.txt").write_bytes(b"clean")
            await until(lambda: (served / "sub" / "plan.txt.dlp.txt").exists() and str(point / "menu.txt") in bench.paths)
            (served / "menu.txt").write_bytes(b"another version")
            await until(lambda: bench.paths.count(str(point / "menu.txt")) == 2)
            await channel.settled()
        assert not (served / "sub" / "plan.txt").exists()
        assert bench.custody.contents() == [MARK]
        assert filesystems.of_path(str(share))[str(point)] == "fuse.sshfs"


@pytest.mark.root
async def test_without_polls_it_is_found_by_the_walks_of_everything(bench: Bench, share: Path, tmp_path: Path) -> None:
    served = tmp_path / "served"
    served.mkdir()
    with mounted(served, share):
        async with bench.share(share, poll_seconds=1, events="inotify") as channel:
            assert channel._folders[0]._pause() == float("inf")
            (served / "plan.txt").write_bytes(MARK)
            channel.recheck()
            await until(lambda: bench.custody.contents() == [MARK])


@pytest.mark.root
async def test_a_file_server_that_does_not_answer_stops_no_other_share(bench: Bench, share: Path, tmp_path: Path) -> None:
    served, net = tmp_path / "served", tmp_path / "net"
    served.mkdir()
    net.mkdir()
    for n in range(20):
        (served / f"{n}.txt").write_bytes(b"%d" % n)
    with mounted(served, net) as (server,):
        async with bench.share(net, share, poll_seconds=1) as channel:
            os.kill(server, signal.SIGSTOP)
            try:
                channel.recheck()
                for n in range(20):
                    (share / f"{n}.txt").write_bytes(MARK + b"%d" % n)
                await until(lambda: len(bench.custody.contents()) == 20)
            finally:
                os.kill(server, signal.SIGCONT)
            (served / "late.txt").write_bytes(MARK)
            await until(lambda: len(bench.custody.contents()) == 21)


async def test_polls_by_wish_watch_nothing_and_find_everything(bench: Bench, share: Path) -> None:
    async with bench.share(share, poll_seconds=1, events="poll"):
        assert bench.metric("dlp_watch_directories", state="wanted") == 0
        (share / "a" / "b").mkdir(parents=True)
        (share / "a" / "b" / "plan.txt").write_bytes(MARK)
        await until(lambda: bench.custody.contents() == [MARK])


async def test_a_poll_does_not_hasten_what_could_not_be_done(bench: Bench, share: Path) -> None:
    """Else a file that cannot be removed would be an incident at each poll."""
    bench.custody.full = True
    (share / "plan.txt").write_bytes(MARK)
    async with bench.share(share, poll_seconds=1, rescan_seconds=900, events="poll", settle_seconds=0.5) as channel:
        (one,) = channel._folders
        await until(lambda: len(bench.judged) == 3 and one._pending.idle("plan.txt"))
        due = one._pending.next_due()
        reconciled = one.reconciled
        await until(lambda: one.reconciled != reconciled)
        assert one._pending.next_due() == due
        bench.custody.full = False
        channel.recheck()
        await until(lambda: bench.custody.contents() == [MARK])


LIMITED = """
import asyncio, sys
from pathlib import Path
from tests.channels.folders import MARK, Bench, Custody, until

async def main(share, custody):
    bench = Bench(Custody(custody))
    async with bench.share(share, poll_seconds=1):
        counts = [bench.metric("dlp_watch_directories", state=state) for state in ("wanted", "watched")]
        (share / "7" / "plan.txt").write_bytes(MARK)
        await until(lambda: bench.custody.contents() == [MARK])
    print(*counts)

asyncio.run(main(*map(Path, sys.argv[1:])))
"""


@pytest.mark.root
@pytest.mark.parametrize(
    ("limit", "least", "most", "named"), [("watches", 5, 5, "max_user_watches"), ("instances", 0, 0, "max_user_instances")]
)
def test_limits_of_inotify_that_are_really_reached(
    share: Path, tmp_path: Path, limit: str, least: int, most: int, named: str
) -> None:
    """A user namespace has limits of its own (/proc/sys/user, namespaces(7)); what events do not tell is polled."""
    for n in range(10):
        (share / f"{n}").mkdir()
    script = f'echo {most} >/proc/sys/user/max_inotify_{limit} && exec "$@"'
    command = ["unshare", "--user", "--map-root-user", "sh", "-c", script, "sh"]
    command += [sys.executable, "-c", LIMITED, str(share), str(tmp_path / "custody")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    if "unshare failed" in done.stderr:
        pytest.skip("no user namespaces here")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1].split() == ["11.0", f"{least}.0"]
    assert named in done.stdout + done.stderr


def test_the_type_of_a_file_system_says_whether_it_is_polled() -> None:
    for kind in ("nfs", "nfs4", "cifs", "smb3", "9p", "fuse.sshfs", "fuse", "ceph", "virtiofs"):
        assert filesystems.remote(kind), kind
    for kind in ("ext4", "xfs", "btrfs", "tmpfs", "vfat", "exfat", "fuseblk", "overlay", ""):
        assert not filesystems.remote(kind), kind
    assert filesystems.by_path("fuse.sshfs")
    assert not filesystems.by_path("nfs4")


def test_the_file_systems_of_a_path(tmp_path: Path) -> None:
    table = tmp_path / "mountinfo"
    table.write_text(
        "21 1 8:1 / / rw - ext4 /dev/sda1 rw\n"
        "22 21 0:40 / /srv/team rw - nfs4 server:/team rw\n"
        "23 22 8:2 / /srv/team/disk rw - xfs /dev/sdb1 rw\n"
        "24 21 0:41 / /srv/teams rw - cifs //server/teams rw\n"
    )
    assert filesystems.of_path("/srv/team/a", table) == {"/srv/team": "nfs4"}
    assert filesystems.of_path("/srv/team", table) == {"/srv/team": "nfs4", "/srv/team/disk": "xfs"}
    assert list(filesystems.of_path("/srv", table).values()) == ["ext4", "nfs4", "xfs", "cifs"]


def test_settings_of_polls_are_checked() -> None:
    for wrong in ({"events": "fanotify"}, {"poll_seconds": 0.5}):
        with pytest.raises(ConfigError):
            check({"paths": ["/srv"], **wrong}, ShareSettings, where="x")
