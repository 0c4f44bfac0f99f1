"""`dlp queue` on a spool with something in it, and `dlp check` of one."""

import fcntl
import os
import re
from datetime import timedelta
from pathlib import Path

import pytest

from dlp.channels.spool_envelope import Mark, SpoolEnvelope
from dlp.channels.spool_folder import SpoolFolder
from dlp.cli.queue import age
from dlp.config import load_configuration
from dlp.instance import now
from dlp.store.stores import Stores
from tests.channels.spool_house import CONTENT, an_address
from tests.cli.conftest import Dlp

HOUR = timedelta(hours=1)


@pytest.fixture
def spooled(config: Path) -> Path:
    """Mail is spooled."""
    config.write_text(config.read_text("utf-8").replace("[mail]", '[mail]\nmode = "spool"'), "utf-8")
    return config


@pytest.fixture
def folder(spooled: Path) -> SpoolFolder:
    """One message that was tried an hour ago, one that is new."""
    folder = SpoolFolder(load_configuration(spooled).state / "spool", random=os.urandom)
    folder.prepare()
    to = (an_address(b"<b@example.org>", b"NOTIFY=NEVER"), an_address(b"<c@example.org>"))
    put = {"old": an_address(b"<a@example.com>", b"RET=HDRS"), "young": an_address(b"<>")}
    for number, (name, sender) in enumerate(put.items()):
        queued = now() - (2 - number) * HOUR
        folder.store(SpoolEnvelope(id=name, queued=queued, sender=sender, recipients=to, size=len(CONTENT)), [CONTENT])
    message = folder.open("old")
    message.mark(Mark(at=now() - HOUR, replies={0: "250 2.0.0 mine", 1: "450-4.2.0 \x1b[31mlater\r\n450 4.2.0 " + "x" * 80}))
    message.close()
    return folder


def test_the_queue_is_listed(dlp: Dlp, folder: SpoolFolder, spooled: Path) -> None:
    old, young = dlp("queue", "list", "--json", config=spooled).rows
    assert (old["id"], old["sender"], old["recipients"], old["tries"]) == ("old", "a@example.com", ["c@example.org"], 1)
    assert old["last_reply"].startswith("450-4.2.0 ")
    assert (young["id"], young["sender"], young["recipients"]) == ("young", "", ["b@example.org", "c@example.org"])
    assert (young["tries"], young["last_reply"]) == (0, "")
    assert 7200 <= old["age_seconds"] < 7200 + 600
    out = dlp("queue", "list", config=spooled).out
    size = len(CONTENT)
    assert re.search(rf"^old +2h( \d+[ms])? +{size} +a@example.com +c@example.org +1 +now +450-4.2.0", out, re.MULTILINE)
    assert "<>" in out
    assert "\x1b[31m" not in out
    assert "x" * 80 not in out


def test_a_message_is_shown_without_its_content(dlp: Dlp, folder: SpoolFolder, spooled: Path) -> None:
    (shown,) = dlp("queue", "show", "old", "--json", config=spooled).rows
    assert [one["state"] for one in shown["recipients"]] == ["taken", "waiting"]
    assert shown["recipients"][0]["parameters"] == "NOTIFY=NEVER"
    assert shown["parameters"] == "RET=HDRS"
    done = dlp("queue", "show", "old", config=spooled)
    assert "250 2.0.0 mine" in done.out
    assert "\x1b[31m" not in done.out
    assert "Good morning" not in done.out + str(shown)


@pytest.mark.parametrize("verb", [("show",), ("remove", "--yes")])
@pytest.mark.parametrize("identity", ["nothing", "../queue/old", ""])
def test_what_is_not_there_is_said_to_be_missing(
    dlp: Dlp, folder: SpoolFolder, spooled: Path, verb: tuple[str, ...], identity: str
) -> None:
    done = dlp("queue", *verb, identity, config=spooled)
    assert done.status == 1
    assert "no waiting message" in done.err
    assert folder.names() == ["old", "young"]


def test_a_removed_message_is_gone_and_on_record(dlp: Dlp, folder: SpoolFolder, spooled: Path) -> None:
    assert dlp("queue", "remove", "old", "--yes", "--reason", "sent twice", config=spooled).status == 0
    assert folder.names() == ["young"]
    assert os.listdir(folder.journal) == []
    record = (load_configuration(spooled).state / "audit" / "audit.jsonl").read_text("utf-8")
    assert '"queue-removed"' in record
    assert "sent twice" in record
    assert "c@example.org" in record
    stores = Stores.open(load_configuration(spooled).state, clock=now)
    assert stores.audit.verify().problems == ()
    stores.close()


def test_a_message_in_delivery_is_not_removed(dlp: Dlp, folder: SpoolFolder, spooled: Path) -> None:
    with (folder.queue / "old").open("rb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        done = dlp("queue", "remove", "old", "--yes", config=spooled)
    assert done.status == 1
    assert "is being delivered" in done.err
    assert folder.names() == ["old", "young"]


def test_flush_leaves_word_for_the_daemon(dlp: Dlp, folder: SpoolFolder, spooled: Path) -> None:
    done = dlp("queue", "flush", config=spooled)
    assert done.out.startswith("2 to be tried once the daemon runs")
    assert folder.flushed()
    assert not folder.flushed()


@pytest.mark.parametrize("verb", [("list",), ("flush",)])
def test_an_empty_queue_is_no_fault(dlp: Dlp, spooled: Path, verb: tuple[str, ...]) -> None:
    done = dlp("queue", *verb, config=spooled)
    assert (done.status, done.out) == (0, "Nothing waits.\n")
    assert not (load_configuration(spooled).state / "spool").exists()


def test_a_file_that_cannot_be_read_is_named(dlp: Dlp, folder: SpoolFolder, spooled: Path) -> None:
    (folder.queue / "old").write_bytes(b"{}\n\nsecret")
    done = dlp("queue", "list", "--json", config=spooled)
    assert [row["id"] for row in done.rows] == ["young"]
    assert "queue/old cannot be read" in done.err.replace("\n", "")
    assert "secret" not in done.err
    assert dlp("queue", "show", "old", config=spooled).status == 1


def test_check_looks_at_the_spool(dlp: Dlp, folder: SpoolFolder, spooled: Path) -> None:
    assert "ok  spool" in dlp("check", config=spooled).out
    (folder.corrupt / "x").write_bytes(b"")
    assert "could not read 1 files, such as x" in dlp("check", config=spooled).out.replace("\n", " ")
    folder.root.chmod(0o750)
    done = dlp("check", config=spooled)
    assert done.status == 2
    assert f"chmod 700 {folder.root}" in done.err.replace("\n", "")
    folder.root.chmod(0o700)
    spooled.write_text(spooled.read_text("utf-8").replace("[mail]", f"[mail]\nmax_size = {1 << 60}"), "utf-8")
    done = dlp("check", config=spooled)
    assert done.status == 2
    assert "mail.max_size" in done.err


@pytest.mark.parametrize(
    ("key", "value"), [("retry_seconds", "0.0"), ("deliveries", "0"), ("retri_seconds", "5.0"), ("give_up_seconds", '"5 days"')]
)
def test_a_wrong_key_of_the_table_is_named(dlp: Dlp, spooled: Path, key: str, value: str) -> None:
    spooled.write_text(spooled.read_text("utf-8") + f"\n[mail.spool]\n{key} = {value}\n", "utf-8")
    done = dlp("check", config=spooled)
    assert done.status == 2
    assert f"mail.spool.{key}" in done.err


@pytest.mark.parametrize(
    ("span", "text"),
    [
        (timedelta(), "0s"),
        (timedelta(seconds=-3), "0s"),
        (timedelta(seconds=59.4), "59s"),
        (timedelta(minutes=2), "2m"),
        (timedelta(hours=1, seconds=5), "1h"),
        (timedelta(hours=25, minutes=5), "1d 1h"),
        (timedelta(days=400), "400d"),
    ],
)
def test_ages(span: timedelta, text: str) -> None:
    assert age(span) == text
