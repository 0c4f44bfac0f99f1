"""Starting, reloading, stopping and failing, as an administrator lives it."""

import email
import json
import os
import shutil
import smtplib
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.helpers.daemon import CHECKOUT, Daemon, configure, dlp, eventually, free_port, started
from tests.helpers.documents import a_mail

RULE = """
rule project_falcon {{
    meta:
        title = "Project Falcon"
        title_zh = "猎鹰项目"
        level = "{level}"
        confidence = 90
    strings:
        $name = "project falcon" nocase
    condition:
        $name
}}
"""
MESSAGE = a_mail("a@example.com", ["b@example.org"], "hello", "nothing of note\r\n")


def test_stops_when_asked_and_every_line_of_its_log_is_json(folder: Path) -> None:
    with started(configure(folder)) as daemon:
        said = (folder / "stdout").read_text("utf-8")
        assert f"127.0.0.1:{daemon.smtp}" in said
        assert str(daemon.share) in said
        assert f"http://127.0.0.1:{daemon.http}/metrics" in said
        assert daemon.stop() == 0
        assert all(isinstance(json.loads(line), dict) for line in daemon.log.splitlines())


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (("[mail]", "[mial]"), "did you mean 'mail'?"),
        (('state = "state"', 'state = "state"\nprofile = "nowhere"'), "nowhere"),
        (("settle_seconds = 0.2", 'settle_seconds = "soon"'), "share.settle_seconds"),
        (("maildir:outbox", "carrier-pigeon:coop"), "mail.next_hop"),
    ],
)
def test_a_broken_configuration_exits_2_and_names_the_key(folder: Path, change: tuple[str, str], named: str) -> None:
    config = configure(folder)
    config.write_text(config.read_text("utf-8").replace(*change), "utf-8")
    for verb in ("run", "check"):
        done = dlp(verb, config=config)
        assert done.returncode == 2, done.stderr
        assert named in done.stderr
    assert not (folder / "state").exists(), "nothing was started"


@pytest.mark.parametrize(
    "text",
    [
        RULE.format(level="secret").replace("title =", "titel ="),
        *(pytest.param(text, marks=pytest.mark.long) for text in ("rule broken {", 'include "x.yar"')),
    ],
)
def test_a_signature_that_is_wrong_stops_the_start(folder: Path, text: str) -> None:
    (folder / "own").mkdir()
    (folder / "own" / "mine.yar").write_text(text, "utf-8")
    config = configure(folder, signatures=str(folder / "own"))
    for verb in ("run", "check"):
        done = dlp(verb, config=config)
        assert done.returncode == 2, done.stderr
        assert "mine.yar" in done.stderr


def test_reload_takes_up_a_good_signature_and_refuses_a_bad_one(folder: Path) -> None:
    (folder / "own").mkdir()
    with started(configure(folder, signatures=str(folder / "own"))) as daemon:
        note = daemon.share / "note.txt"
        note.write_text("Project Falcon flies.\n")
        eventually(lambda: daemon.metric('dlp_items_total{action="allow",channel="share"}'))
        count = daemon.metric("dlp_signatures_loaded")
        (folder / "own" / "mine.yar").write_text(RULE.format(level="secret"))
        daemon.reload()
        eventually(lambda: daemon.metric("dlp_signatures_loaded") == count + 1)
        eventually(lambda: not note.exists())  # what was judged by the old rules is judged again
        (folder / "own" / "mine.yar").write_text("rule broken {")
        daemon.reload()
        eventually(lambda: daemon.metric("dlp_reload_failures_total") == 1)
        assert daemon.metric("dlp_signatures_loaded") == count + 1
        note2 = daemon.share / "note2.txt"
        note2.write_text("project falcon\n")
        eventually(lambda: not note2.exists())


def test_notices_are_written_from_templates_which_a_reload_takes_up(folder: Path) -> None:
    own = folder / "notices"
    shutil.copytree(CHECKOUT / "config" / "notices", own)
    (folder / "policy.toml").write_text(
        '[[rule]]\nname = "all"\nwhen = { channel = "mail" }\nthen = "alert"\nnotify = ["sender", "security@example.com"]\n'
    )
    extra = '[notify]\ntemplates = "notices/"\nnext_hop = "maildir:told"\n'

    def told(count: int) -> list[bytes]:
        send(daemon)
        new = folder / "told" / "new"
        eventually(lambda: new.is_dir() and len(list(new.iterdir())) >= count)
        return [path.read_bytes() for path in sorted(new.iterdir(), key=lambda one: one.stat().st_mtime_ns)]

    with started(configure(folder, extra=extra, policy=folder / "policy.toml")) as daemon:
        messages = told(2)
        assert [email.message_from_bytes(one)["To"] for one in messages] == ["a@example.com", "security@example.com"]
        (own / "sender.zh.txt").write_text("Ours: $incident\n\nHello\n", "utf-8")
        daemon.reload()
        eventually(lambda: "reloaded" in daemon.log)
        assert email.message_from_bytes(told(4)[2])["Subject"].startswith("Ours: inc")
        (own / "sender.zh.txt").write_text("Ours: $incidents\n\nHello\n", "utf-8")
        daemon.reload()
        eventually(lambda: daemon.metric("dlp_reload_failures_total") == 1)
        assert "unknown placeholder $incidents" in daemon.log
        assert email.message_from_bytes(told(6)[4])["Subject"].startswith("Ours: inc")


def send(daemon: Daemon) -> None:
    with smtplib.SMTP("127.0.0.1", daemon.smtp, timeout=60) as client:
        client.sendmail("a@example.com", ["b@example.org"], MESSAGE)


def test_a_second_daemon_on_the_same_state_is_refused(folder: Path) -> None:
    config = configure(folder)
    with started(config) as daemon:
        done = dlp("run", config=config)
        assert done.returncode == 2
        assert "another daemon" in done.stderr
        assert daemon.dlp("check").returncode == 0, "the daemon's own ports are no fault"


def test_a_port_that_another_holds_is_a_fault(folder: Path) -> None:
    config = configure(folder)
    port = int(config.read_text().split("127.0.0.1:")[1].split('"')[0])
    with socket.create_server(("127.0.0.1", port)):
        for verb in ("check", "run"):
            done = dlp(verb, config=config)
            assert done.returncode == 2, done.stderr
            assert str(port) in done.stderr


def test_with_the_next_hop_down_mail_waits_at_its_sender(folder: Path) -> None:
    with (
        started(configure(folder, next_hop=f"smtp://127.0.0.1:{free_port()}")) as daemon,
        smtplib.SMTP("127.0.0.1", daemon.smtp) as client,
    ):
        with pytest.raises((smtplib.SMTPSenderRefused, smtplib.SMTPRecipientsRefused, smtplib.SMTPDataError)) as caught:
            client.sendmail("a@example.com", ["b@example.org"], MESSAGE)
        assert "451" in str(caught.value)


@pytest.fixture
def small(folder: Path, as_root: None) -> Iterator[Path]:
    """A file system of 3 MiB for the daemon's state."""
    place = folder / "state"
    place.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", place], check=True)
    yield place
    subprocess.run(["umount", place], check=True)


@pytest.mark.root
def test_a_full_disk_answers_451_leaves_files_and_recovers(folder: Path, small: Path) -> None:
    with started(configure(folder)) as daemon:
        with pytest.raises(OSError, match="No space"), (small / "filler").open("wb", buffering=0) as filler:
            while True:
                filler.write(b"\0" * 4096)
        path = daemon.share / "plan.txt"
        path.write_text("机密★10年\n" + "字" * 50_000, "utf-8")
        with smtplib.SMTP("127.0.0.1", daemon.smtp, timeout=60) as client, pytest.raises(smtplib.SMTPDataError) as caught:
            client.sendmail(
                "a@example.com", ["b@example.org"], a_mail("a@example.com", ["b@example.org"], "x", "秘密★5年\r\n" + "y" * 99999)
            )
        assert caught.value.smtp_code == 451
        assert path.exists()
        os.unlink(small / "filler")
        path.touch()
        eventually(lambda: not path.exists(), seconds=60)
        held = daemon.json("quarantine", "list", "--state", "held")
        assert [h["origin"]["path"] for h in held] == [str(path)]
