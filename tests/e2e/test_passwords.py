"""The password in one message, the archive in the next: what is in it is found, and the password is nowhere."""

import smtplib
import subprocess
import sys
from pathlib import Path

from tests.helpers.archives import zip_aes
from tests.helpers.daemon import CHECKOUT, configure, started
from tests.helpers.documents import a_docx, a_mail

PASSWORD = "Falke-7731-Nest"
LISTED = "Listed-by-4-operator"
MARKED = {"plan.docx": a_docx(["机密★10年", "二〇二六年生产计划"])}
SENDER, RECIPIENT = "a@example.com", "b@example.org"


def send(port: int, message: bytes, *, sender: str = SENDER) -> tuple[int, bytes]:
    """The reply to the end of data."""
    with smtplib.SMTP("127.0.0.1", port, timeout=30) as client:
        client.ehlo()
        client.mail(sender)
        client.rcpt(RECIPIENT)
        return client.data(message)


def written(folder: Path) -> bytes:
    """Everything that any file below `folder` holds, its own name besides."""
    return b"".join(path.name.encode() + path.read_bytes() for path in folder.rglob("*") if path.is_file())


def test_a_password_of_the_message_before_opens_the_archive(folder: Path) -> None:
    config = configure(folder, extra='[passwords]\nfile = "words.txt"\n[ocr]\nuse = "off"\n')
    (folder / "words.txt").write_text(f"{LISTED}\n")
    (folder / "words.txt").chmod(0o600)
    archive = a_mail(SENDER, [RECIPIENT], attachments=[("a.zip", "application/zip", zip_aes(MARKED, PASSWORD))])
    listed = a_mail(SENDER, [RECIPIENT], attachments=[("b.zip", "application/zip", zip_aes(MARKED, LISTED))])
    with started(config) as daemon:
        code, _ = send(daemon.smtp, a_mail(SENDER, [RECIPIENT], "hello", f"The password is {PASSWORD}.\r\n"))
        assert code == 250
        for message, sender in ((archive, SENDER), (listed, "c@example.com"), (archive, "c@example.com")):
            send(daemon.smtp, message, sender=sender)
        told, opened, by_list, closed = daemon.json("incidents", "list")
        assert (told["action"], [one["signature"] for one in told["findings"]]) == ("alert", ["password_told"])
        for incident in (opened, by_list):
            (finding,) = incident["findings"]
            assert "(password found)" in finding["trail"]
            assert incident["level"] == "secret"
            assert "(password found)" in daemon.dlp("incidents", "show", incident["id"]).stdout
        assert closed["findings"] == []
        assert [place["why"] for place in closed["unscannable"]] == ["encrypted"]
        metrics, log = daemon.get("/metrics")[1], daemon.log
        shown = daemon.dlp("incidents", "show", opened["id"]).stdout + daemon.dlp("status").stdout
    for word in (PASSWORD, LISTED):
        assert word not in metrics + log + shown
        assert word.encode() not in written(folder / "state")


RUN = """
import asyncio, ctypes, os, signal, sys
from pathlib import Path
from dlp.daemon import Daemon
from dlp.supervisor import Supervisor

def announce(daemon):
    print("dumpable", ctypes.CDLL(None).prctl(3, 0, 0, 0, 0))  # PR_GET_DUMPABLE
    os.kill(os.getpid(), signal.SIGTERM)

asyncio.run(Daemon(Path(sys.argv[1]), Supervisor({})).run(announce))
"""


def test_the_daemon_leaves_no_core_and_lets_nobody_look(folder: Path) -> None:
    command = [sys.executable, "-c", RUN, str(configure(folder))]
    done = subprocess.run(command, capture_output=True, text=True, cwd=CHECKOUT, timeout=60)
    assert done.stdout == "dumpable 0\n", done.stderr
