"""The whole product on real input: mail, a share and a drive in; incidents, metrics, audit and quarantine out."""

import os
import re
import smtplib
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.helpers.daemon import Daemon, configure, eventually, started
from tests.helpers.documents import a_docx, a_mail

OUTSIDE, INSIDE = "partner@example.org", "colleague@example.com"
DOCX = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"


def letter(text: str, *, to: str = OUTSIDE) -> bytes:
    document = a_docx(body=[text, "二〇二六年生产计划"])
    return a_mail("ann@example.com", [to], "计划", "见附件。\r\n", attachments=[("plan.docx", DOCX, document)])


def send(daemon: Daemon, message: bytes, *recipients: str) -> tuple[int, bytes]:
    """The reply to the end of data."""
    with smtplib.SMTP("127.0.0.1", daemon.smtp, timeout=60) as client:
        client.ehlo("client.example.com")
        client.mail("ann@example.com")
        for recipient in recipients or (OUTSIDE,):
            assert client.rcpt(recipient)[0] == 250
        return client.data(message)


def without_added(message: bytes) -> bytes:
    """`message` less the Received line on top and every X-DLP field."""
    head, _, body = message.partition(b"\r\n\r\n")
    fields = re.split(rb"\r\n(?![ \t])", head)
    assert fields[0].startswith(b"Received: ")
    kept = [field for field in fields[1:] if not field.lower().startswith(b"x-dlp-")]
    return b"\r\n".join(kept) + b"\r\n\r\n" + body


def test_a_marked_document_is_refused_to_the_outside_with_a_reference(daemon: Daemon) -> None:
    before = len(daemon.delivered())
    code, text = send(daemon, letter("机密★10年"))
    assert code == 550
    assert text.startswith(b"5.7.1 ")
    incident = daemon.json("incidents", "list")[-1]
    assert incident["id"].encode() in text
    assert (incident["action"], incident["level"], incident["state"], incident["enforced"]) == ("block", "secret", "closed", True)
    assert incident["origin"]["recipients"] == [OUTSIDE]
    assert incident["quarantine"] in {held["id"] for held in daemon.json("quarantine", "list")}
    assert len(daemon.delivered()) == before


def test_the_same_document_unmarked_arrives_unchanged(daemon: Daemon) -> None:
    message = letter("生产计划")
    assert send(daemon, message)[0] == 250
    assert without_added(daemon.delivered()[-1]) == message


def test_quarantined_mail_is_answered_250_and_released_byte_for_byte(daemon: Daemon) -> None:
    message, before = letter("秘密★5年"), len(daemon.delivered())
    assert send(daemon, message)[0] == 250
    assert len(daemon.delivered()) == before
    held = daemon.json("quarantine", "list", "--state", "held")[-1]
    done = daemon.dlp("quarantine", "release", held["id"], "--reason", "approved by the head")
    assert done.returncode == 0, done.stderr
    assert without_added(daemon.delivered()[-1]) == message
    assert daemon.dlp("quarantine", "release", held["id"]).returncode == 1, "a second release sends nothing"
    assert len(daemon.delivered()) == before + 1


def test_a_marked_file_on_a_share_goes_to_quarantine_and_comes_back_as_it_was(daemon: Daemon) -> None:
    path = daemon.share / "计划.docx"
    content = a_docx(body=["机密★10年", "计划"])
    path.write_bytes(content)
    path.chmod(0o640)
    os.utime(path, ns=(1_600_000_000_000_000_000, 1_600_000_000_123_456_789))
    eventually(lambda: not path.exists())
    held = eventually(lambda: [h for h in daemon.json("quarantine", "list") if h["origin"].get("path") == str(path)])[0]
    notices = [p for p in daemon.share.iterdir() if p.name.startswith(path.name)]
    assert len(notices) == 1
    assert held["incident"] in notices[0].read_text("utf-8")
    done = daemon.dlp("quarantine", "release", held["id"])
    assert done.returncode == 0, done.stderr
    status = path.stat()
    assert path.read_bytes() == content
    assert (status.st_mode & 0o777, status.st_mtime_ns) == (0o640, 1_600_000_000_123_456_789)
    assert not notices[0].exists()
    # The share is looked at again, and what an approver let go stays.
    other = daemon.share / "later.txt"
    other.write_text("机密★10年\n", "utf-8")
    eventually(lambda: not other.exists())
    assert path.read_bytes() == content


def test_an_ordinary_file_stays(daemon: Daemon) -> None:
    path = daemon.share / "menu.txt"
    sample = 'dlp_items_total{action="allow",channel="share"}'
    before = daemon.metric(sample)
    path.write_text("今日菜单：面条。\n", "utf-8")
    eventually(lambda: daemon.metric(sample) > before)
    assert path.exists()


@pytest.fixture
def drive(folder: Path, as_root: None) -> Iterator[Path]:
    """A loop-mounted ext4 image, as a drive would be."""
    image, mount = folder / "stick.img", folder / "stick"
    mount.mkdir()
    with image.open("wb") as file:
        file.truncate(16 << 20)
    subprocess.run(["mkfs.ext4", "-q", image], check=True)
    subprocess.run(["mount", "-o", "loop", image, mount], check=True)
    yield mount
    subprocess.run(["umount", mount], check=True)


@pytest.mark.root
def test_a_marked_file_on_a_drive_goes_to_quarantine_and_comes_back(drive: Path, folder: Path) -> None:
    config = configure(folder, extra=f'[usb]\nmounts = ["{drive}"]\n')
    with started(config) as daemon:
        path, content = drive / "plan.pdf.docx", a_docx(body=["绝密★30年", "x"])
        path.write_bytes(content)
        eventually(lambda: not path.exists())
        incident = eventually(lambda: [i for i in daemon.json("incidents", "list") if i["channel"] == "usb" and i["closed"]])[0]
        assert (incident["action"], incident["level"], incident["origin"]["path"]) == ("block", "top-secret", str(path))
        done = daemon.dlp("quarantine", "release", incident["quarantine"])
        assert done.returncode == 0, done.stderr
        assert path.read_bytes() == content


def test_everything_is_counted_and_recorded(daemon: Daemon) -> None:
    """Runs after the tests above in this module, on the same daemon."""
    listed = daemon.json("incidents", "list")
    assert {i["channel"] for i in listed} >= {"mail", "share"}
    assert daemon.metric('dlp_items_total{action="block",channel="mail"}') == 1
    assert daemon.metric('dlp_items_total{action="quarantine",channel="mail"}') == 1
    assert daemon.metric('dlp_items_total{action="quarantine",channel="share"}') == 2
    assert daemon.metric("dlp_signatures_loaded") > 10
    assert daemon.metric("dlp_quarantine_items") == len(daemon.json("quarantine", "list", "--state", "held"))
    verified = daemon.json("audit", "verify")[0]
    assert verified["records"] > 10
    assert verified["problems"] == []
    assert daemon.dlp("quarantine", "verify").returncode == 0
    assert daemon.dlp("status").returncode == 0
