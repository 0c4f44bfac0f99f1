"""Mail by way of the spool, as an administrator lives it: the next hop away, kill -9, a release with nobody running."""

from pathlib import Path

import pytest

from tests.e2e.test_main_job import OUTSIDE, letter, send
from tests.helpers.daemon import Daemon, configure, dlp, eventually, started
from tests.helpers.documents import a_mail

pytestmark = pytest.mark.timeout(300)  # each starts a daemon or two, and many commands

MESSAGE = a_mail("ann@example.com", [OUTSIDE], "hello", "nothing of note\r\n")


@pytest.fixture
def spooled(folder: Path) -> Path:
    """A configuration whose mail is spooled, for a next hop (a maildir) that `gone` takes away."""
    config = configure(folder, extra="[mail.spool]\nretry_seconds = 1\nretry_max_seconds = 1\n")
    config.write_text(config.read_text("utf-8").replace("[mail]", '[mail]\nmode = "spool"\nmax_size = 1048576'), "utf-8")
    return config


def gone(folder: Path) -> Path:
    """Something that is no folder stands where the maildir was."""
    place = folder / "outbox"
    if place.is_dir():
        place.rename(folder / "outbox.away")
    place.write_text("in the way")
    return place


def queued(daemon: Daemon) -> list[str]:
    return [row["id"] for row in daemon.json("queue", "list")]


def test_mail_is_taken_while_the_next_hop_is_away_and_survives_kill_9(spooled: Path, folder: Path) -> None:
    in_the_way = gone(folder)
    with started(spooled) as daemon:
        replies = [send(daemon, MESSAGE) for _ in range(5)]
        assert all(code == 250 and b"queued as" in text for code, text in replies)
        eventually(lambda: daemon.metric("dlp_spool_items") == 5, seconds=60)
        daemon.kill()
    in_the_way.unlink()
    with started(spooled) as daemon:
        eventually(lambda: len(daemon.delivered()) == 5, seconds=60)
        eventually(lambda: not queued(daemon), seconds=60)
        assert all(b"nothing of note" in message or b"X-DLP-Item" in message for message in daemon.delivered())
        assert len(daemon.delivered()) == 5


def test_flush_show_and_remove_work_on_a_running_daemon(spooled: Path, folder: Path) -> None:
    spooled.write_text(spooled.read_text("utf-8").replace("_seconds = 1\n", "_seconds = 3600\n"), "utf-8")
    in_the_way = gone(folder)
    with started(spooled) as daemon:
        for _ in range(2):
            assert send(daemon, MESSAGE)[0] == 250
        eventually(lambda: [row["tries"] for row in daemon.json("queue", "list")] == [1, 1], seconds=60)
        first, _ = queued(daemon)
        assert "451" in daemon.dlp("queue", "show", first).stdout
        assert daemon.dlp("queue", "remove", first, "--yes").returncode == 0
        in_the_way.unlink()
        assert "1 to be tried now" in daemon.dlp("queue", "flush").stdout
        eventually(lambda: not queued(daemon), seconds=60)
        assert len(daemon.delivered()) == 1


def test_a_release_is_durable_without_a_daemon_and_goes_out_once(spooled: Path) -> None:
    with started(spooled) as daemon:
        assert send(daemon, letter("秘密★5年"))[0] == 250
        (held,) = eventually(lambda: daemon.json("quarantine", "list", "--state", "held"), seconds=60)
        assert daemon.stop() == 0
        done = daemon.dlp("quarantine", "release", held["id"])
        assert done.returncode == 0, done.stderr
        assert queued(daemon) == [held["id"]]
        assert daemon.dlp("quarantine", "release", held["id"]).returncode == 1
    with started(spooled) as daemon:
        eventually(daemon.delivered, seconds=60)
        eventually(lambda: not queued(daemon), seconds=60)
        (message,) = daemon.delivered()
        assert b"X-DLP-Released: " + held["id"].encode() in message


def test_a_spool_that_cannot_be_used_stops_the_start(spooled: Path, folder: Path) -> None:
    (folder / "state").mkdir()
    (folder / "state" / "spool").write_text("in the way")
    done = dlp("run", config=spooled)
    assert done.returncode == 2
    assert "mail.mode" in done.stderr
