"""A message with a classified attachment arrives without it: the harmless one as it was, a notice for the other."""

import base64
import email
import email.policy
import smtplib
from collections.abc import Iterator
from email.message import EmailMessage
from pathlib import Path

import pytest

from dlp.extract.budget import Budget
from dlp.extract.document import Document
from dlp.extract.walk import walk
from dlp.model import Limits, Part
from tests.e2e.test_main_job import without_added
from tests.helpers.daemon import Daemon, configure, started
from tests.helpers.documents import a_docx, a_mail, a_zip

OUTSIDE, INSIDE = "partner@example.org", "colleague@example.com"
CANARY = "Zq8vCanaryKw47xTmo2PhsLr"
DOCX = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
SECRET = a_docx(["机密★10年", CANARY], header=CANARY)
MENU = "今日菜单：面条。\n".encode() * 40
"""Of no format that shares anything with the other."""
POLICY = """
[[rule]]
name = "classified attachments stay here"
when = { channel = "mail", level = ">=confidential", recipients = "external" }
then = "block"
replace = true
"""


@pytest.fixture(scope="module", params=[False, pytest.param(True, marks=pytest.mark.long)], ids=["for all", "split"])
def daemon(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    folder = tmp_path_factory.mktemp("replacing")
    policy = folder / "policy.toml"
    policy.write_text(POLICY, "utf-8")
    config = configure(folder, policy=policy)
    if request.param:
        config.write_text(config.read_text("utf-8").replace("[mail]\n", "[mail]\nsplit = true\n"), "utf-8")
    with started(config) as running:
        yield running


def letter(*attachments: tuple[str, str, bytes], body: str = "见附件。\r\n") -> bytes:
    return a_mail("ann@example.com", [OUTSIDE], "计划", body, attachments=attachments)


def send(daemon: Daemon, message: bytes, *recipients: str) -> tuple[int, bytes]:
    with smtplib.SMTP("127.0.0.1", daemon.smtp, timeout=100) as client:
        client.ehlo("client.example.com")
        client.mail("ann@example.com")
        for recipient in recipients or (OUTSIDE,):
            assert client.rcpt(recipient)[0] == 250
        return client.data(message)


def parts(message: bytes) -> list[EmailMessage]:
    whole = email.message_from_bytes(message, policy=email.policy.default)
    return [part for part in whole.walk() if isinstance(part, EmailMessage) and not part.is_multipart()]


def texts(message: bytes) -> str:
    """Everything that can be read in a message."""
    document = Document(data=memoryview(message), media="message/rfc822")
    return "\n".join(piece.text for piece in walk(document, Budget(Limits())) if isinstance(piece, Part))


def holds(delivered: bytes, original: bytes) -> bool:
    """Whether anything of `original` is in `delivered`, as text or as it was encoded."""
    lines = [line for line in base64.encodebytes(original).split() if len(line) > 20]
    return CANARY in texts(delivered) or "机密" in texts(delivered) or any(line in delivered for line in lines)


@pytest.mark.parametrize(
    ("name", "media", "content"),
    [("plan.docx", DOCX, SECRET), ("计划.zip", "application/zip", a_zip({"in/plan.docx": SECRET, "menu.txt": MENU}))],
)
def test_the_offending_attachment_is_a_notice_and_the_other_as_it_was(
    daemon: Daemon, name: str, media: str, content: bytes
) -> None:
    message, before = letter((name, media, content), ("menu.txt", "application/octet-stream", MENU)), len(daemon.delivered())
    assert holds(message, content), "so it would be seen"
    assert send(daemon, message) == (250, daemon_reply(daemon))
    assert len(daemon.delivered()) == before + 1
    delivered = daemon.delivered()[-1]
    assert b"X-DLP-Action: replaced\r\n" in delivered
    assert not holds(delivered, content)
    body, notice, menu = parts(delivered)
    assert body.get_content() == "见附件。\r\n"
    assert (menu.get_filename(), menu.get_payload(decode=True)) == ("menu.txt", MENU)
    incident = daemon.json("incidents", "list")[-1]
    assert notice.get_filename() == f"{name}.txt"
    assert incident["id"] in notice.get_content()
    assert (incident["action"], incident["state"], incident["enforced"]) == ("block", "closed", True)
    shown = daemon.dlp("incidents", "show", incident["id"]).stdout
    assert "delivered with 1 attachment replaced" in shown
    # The original is there, and goes out whole once somebody lets it go.
    done = daemon.dlp("quarantine", "release", incident["quarantine"], "--reason", "approved")
    assert done.returncode == 0, done.stderr
    assert without_added(daemon.delivered()[-1]) == message


def daemon_reply(daemon: Daemon) -> bytes:
    """What the maildir answers for the message that came last."""
    newest = sorted((daemon.outbox / "new").iterdir(), key=lambda path: path.stat().st_mtime_ns)[-1]
    return f"2.0.0 Ok: stored as {newest.name}".encode()


def test_a_name_that_is_a_marking_itself_is_not_repeated(daemon: Daemon) -> None:
    message = letter(("绝密★启用后三十年.docx", DOCX, SECRET), ("menu.txt", "application/octet-stream", MENU))
    assert send(daemon, message)[0] == 250
    delivered = daemon.delivered()[-1]
    assert b"X-DLP-Action: replaced\r\n" in delivered
    assert not holds(delivered, SECRET)
    assert "绝密" not in texts(delivered)


@pytest.mark.parametrize(
    "message",
    [
        letter(("menu.txt", "application/octet-stream", MENU), body=f"机密★10年\r\n{CANARY}\r\n"),
        letter(("plan.docx", DOCX, SECRET), body=f"机密★10年\r\n{CANARY}\r\n"),
        letter(("plan.docx", DOCX, SECRET)).replace(b"multipart/mixed", b"multipart/signed"),
    ],
    ids=["in the text", "in both", "signed"],
)
def test_what_is_not_in_an_attachment_alone_is_kept_whole(daemon: Daemon, message: bytes) -> None:
    before = len(daemon.delivered())
    assert send(daemon, message)[0] == 550
    assert len(daemon.delivered()) == before
    incident = daemon.json("incidents", "list")[-1]
    assert "no attachment was replaced" in daemon.dlp("incidents", "show", incident["id"]).stdout


def test_insiders_get_it_whole_where_recipients_are_told_apart(daemon: Daemon) -> None:
    message, before = letter(("plan.docx", DOCX, SECRET), ("menu.txt", "application/octet-stream", MENU)), len(daemon.delivered())
    assert send(daemon, message, INSIDE, OUTSIDE)[0] == 250
    new = daemon.delivered()[before:]
    split = "split = true" in Path(daemon.config).read_text("utf-8")
    assert sorted(b"X-DLP-Action: replaced\r\n" in one for one in new) == ([False, True] if split else [True])
    for one in new:
        assert holds(one, SECRET) is (b"X-DLP-Action: released\r\n" in one)
