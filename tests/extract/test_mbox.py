import pytest

from dlp.model import Limits, Why, Zone
from tests.extract.reading import read, text, unread
from tests.helpers.documents import a_docx, a_mail
from tests.helpers.mail import an_mbox


def test_each_message_is_a_document() -> None:
    attached = a_mail(subject="第二", attachments=[("附件.docx", "a/b", a_docx(["ATTACHED"]))])
    pieces = read(an_mbox([a_mail(subject="第一", body="FIRST\r\n"), attached]), "archive.mbox")
    assert text(pieces, Zone.SUBJECT, ("message 1",)) == "第一"
    assert "FIRST" in text(pieces, Zone.BODY, ("message 1",))
    assert text(pieces, Zone.SUBJECT, ("message 2",)) == "第二"
    assert "ATTACHED" in text(pieces, Zone.BODY, ("message 2", "附件.docx"))
    assert not unread(pieces)


def test_quoted_lines_are_restored_and_end_no_message() -> None:
    body = "before\nFrom here on\nX-Not: a field\nafter"
    pieces = read(an_mbox([f"Subject: x\n\n{body}".encode()]))
    assert "before\nFrom here on\nX-Not: a field\nafter" in text(pieces, Zone.BODY, ("message 1",))
    twice = read(an_mbox([b"Subject: x\n\n>>From a\n>From b\n> From c"]))
    assert ">From a\nFrom b\n> From c" in text(twice, Zone.BODY)


def test_a_line_in_a_body_that_no_field_follows_ends_no_message() -> None:
    data = b"From a@b Mon Jan  1 00:00:00 2024\nSubject: x\n\nFrom now on\nwe go\nFrom 12:30 to 13:00\nat noon\n"
    assert "we go\nFrom 12:30 to 13:00\nat noon" in text(read(data), Zone.BODY, ("message 1",))


@pytest.mark.parametrize(
    "line", ["From MAILER-DAEMON", "From - Mon Jan  1 00:00:00 2024", "From a b c d 99:99 remote from x", "From "]
)
@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
def test_odd_lines_between_messages_are_known(line: str, end: bytes) -> None:
    first = b"From a@b Mon Jan  1 00:00:00 2024\nSubject: one\n\nFIRST\n\n"
    data = first + line.encode() + b"\nReceived: x\nSubject: two\n\nSECOND\n"
    pieces = read(data.replace(b"\n", end))
    assert text(pieces, Zone.SUBJECT, ("message 2",)) == "two"
    assert "SECOND" in text(pieces, Zone.BODY, ("message 2",))


def test_a_mailbox_is_found_by_its_content() -> None:
    assert "FOUND" in text(read(an_mbox([b"Subject: x\n\nFOUND"]), "a.txt"), Zone.BODY, ("message 1",))


def test_too_many_messages_are_told() -> None:
    assert Why.TOO_MANY in [
        why for why, _ in unread(read(an_mbox([b"Subject: x\n\ny%d" % n for n in range(60)]), limits=Limits(members=50)))
    ]


def test_a_mailbox_attached_to_a_message_is_read() -> None:
    data = a_mail(attachments=[("old.mbox", "application/octet-stream", an_mbox([b"Subject: x\n\nARCHIVED"]))])
    assert "ARCHIVED" in text(read(data), Zone.BODY)
