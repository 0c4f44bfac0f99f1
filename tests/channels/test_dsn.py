"""Notifications as a mail program reads them: complete, in order, about those concerned and nobody else."""

from datetime import timedelta
from email.message import EmailMessage
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlp.blob import Blob
from dlp.channels.dsn import HEADERS, Notification, RecipientReport, Report, compose
from dlp.channels.smtp_syntax import Address
from tests.channels.spool_house import START, an_address, groups, parsed

CONTENT = b"Received: x\r\nSubject: hello\r\n there\r\n\r\nGood morning.\r\n"
SENDER = an_address(b"<a@example.com>")


def a_recipient(*params: bytes, path: bytes = b"<b@example.org>", **facts: Any) -> RecipientReport:
    chosen = {"address": an_address(path, *params), "reply": "550 5.1.1 nobody of that name", "at": START, **facts}
    return RecipientReport(**chosen)


def a_report(*recipients: RecipientReport, **facts: Any) -> Report:
    chosen = {
        "id": "m-1-0",
        "about": "m-1",
        "hostname": "gate.example",
        "action": "failed",
        "sender": SENDER,
        "arrived": START,
        "now": START + timedelta(hours=1),
        "recipients": recipients or (a_recipient(),),
        "boundary": "dlp-0123456789",
        **facts,
    }
    return Report(**chosen)


def composed(report: Report, content: bytes = CONTENT) -> tuple[Notification, bytes, EmailMessage]:
    with Blob.of([content]) as blob:
        notification = compose(report, blob)
        whole = b"".join(notification.pieces())
    assert len(whole) == notification.size
    assert whole.count(b"\n") == whole.count(b"\r\n") == whole.count(b"\r")
    return notification, whole, parsed(whole)


def types(message: EmailMessage) -> list[str]:
    return [part.get_content_type() for part in message.iter_parts()]


def test_a_failure_is_a_report_of_three_parts() -> None:
    notification, _, message = composed(a_report())
    assert (notification.sender.path, notification.recipient.path) == (b"<>", b"<a@example.com>")
    assert notification.recipient.params == (b"NOTIFY=NEVER",)
    assert message["To"] == "a@example.com"
    assert message["Auto-Submitted"] == "auto-replied"
    assert message["Message-ID"] == "<m-1-0@gate.example>"
    assert message["From"] == "Mail Delivery System <MAILER-DAEMON@gate.example>"
    assert "未能送达" in message["Subject"]
    assert message.get_content_type() == "multipart/report"
    assert message.get_param("report-type") == "delivery-status"
    assert types(message) == ["text/plain", "message/delivery-status", "text/rfc822-headers"]
    text = next(message.iter_parts()).get_content()
    for said in ("您的邮件未能送达", "could not be delivered", "b@example.org", "nobody of that name", "m-1"):
        assert said in text
    about, recipient = groups(message)
    assert dict(about) == {"Reporting-MTA": "dns; gate.example", "Arrival-Date": "Sun, 22 Nov 2026 12:00:00 +0000"}
    assert dict(recipient) == {
        "Final-Recipient": "rfc822; b@example.org",
        "Action": "failed",
        "Status": "5.1.1",
        "Diagnostic-Code": "smtp; 550 5.1.1 nobody of that name",
        "Last-Attempt-Date": "Sun, 22 Nov 2026 12:00:00 +0000",
    }
    assert list(message.iter_parts())[2].get_content().split() == ["Received:", "x", "Subject:", "hello", "there"]


def test_envid_and_orcpt_come_back_decoded() -> None:
    sender = an_address(b"<a@example.com>", b"ENVID=QQ+2B1+20x")
    _, _, message = composed(a_report(a_recipient(b"ORCPT=rfc822;old+2Bbox@example.net"), sender=sender))
    about, recipient = groups(message)
    assert about["Original-Envelope-Id"] == "QQ+1 x"
    assert recipient["Original-Recipient"] == "rfc822; old+box@example.net"
    assert next(iter(recipient)) == "Original-Recipient"


@pytest.mark.parametrize("hidden", [b"ENVID=x+0D+0AAction:+20delivered", b"ENVID=+00+1B"])
def test_nothing_a_sender_writes_begins_a_field(hidden: bytes) -> None:
    recipient = a_recipient(b"ORCPT=rfc822;x+0D+0A+0D+0AAction:+20delivered", reply="550 a\r\nAction: delivered\r\n\r\nx\0")
    _, whole, message = composed(a_report(recipient, sender=an_address(b"<a@example.com>", hidden)))
    assert len(groups(message)) == 2
    assert b"\r\nAction: delivered" not in whole
    assert b"\0" not in whole


@pytest.mark.parametrize("ret", [None, b"RET=HDRS", b"ret=hdrs"])
def test_headers_only_are_returned_unless_more_is_asked_for(ret: bytes | None) -> None:
    sender = Address(path=b"<a@example.com>", params=(ret,) if ret else ())
    notification, whole, _ = composed(a_report(sender=sender))
    assert notification.content is None
    assert b"Good morning" not in whole


def test_the_whole_message_is_returned_on_demand() -> None:
    sender = an_address(b"<a@example.com>", b"RET=FULL")
    _, whole, message = composed(a_report(sender=sender))
    assert types(message) == ["text/plain", "message/delivery-status", "message/rfc822"]
    assert b"Content-Type: message/rfc822\r\nContent-Transfer-Encoding: 7bit\r\n\r\n" + CONTENT + b"\r\n--" in whole


@pytest.mark.parametrize("action", ["delayed", "relayed"])
def test_but_not_where_nothing_failed(action: str) -> None:
    sender = an_address(b"<a@example.com>", b"RET=FULL")
    _, whole, message = composed(a_report(sender=sender, action=action, retry_until=START))
    assert types(message)[2] == "text/rfc822-headers"
    assert b"Good morning" not in whole
    assert groups(message)[1]["Action"] == action


def test_eight_bits_are_declared() -> None:
    sender = an_address(b"<a@example.com>", b"RET=FULL")
    notification, whole, _ = composed(a_report(sender=sender), CONTENT + b"\xd6\xd0\r\n")
    assert notification.sender.params == (b"BODY=8BITMIME",)
    assert b"message/rfc822\r\nContent-Transfer-Encoding: 8bit\r\n" in whole


def test_headers_that_are_not_seven_bits_are_encoded() -> None:
    notification, whole, message = composed(a_report(), b"Subject: \xd6\xd0\0" + b"y" * 2000 + b"\r\n\r\nbody")
    assert notification.sender.params == ()
    assert whole.isascii()
    returned = list(message.iter_parts())[2]
    assert returned["Content-Transfer-Encoding"] == "quoted-printable"
    assert returned.get_payload(decode=True) == b"Subject: \xd6\xd0\0" + b"y" * 2000 + b"\r\n"


def test_an_internationalised_message_is_answered_so() -> None:
    sender = Address(path="<王@例子.中国>".encode(), params=(b"SMTPUTF8",))
    notification, _, message = composed(a_report(a_recipient(path="<李@例子.中国>".encode()), sender=sender))
    assert notification.sender.params == (b"SMTPUTF8", b"BODY=8BITMIME")
    assert notification.recipient.path == sender.path
    assert types(message) == ["text/plain", "message/global-delivery-status", "message/global-headers"]
    assert message.get_param("report-type") == "global-delivery-status"


@pytest.mark.parametrize(
    ("reply", "status"),
    [
        ("550 5.7.1 no", "5.7.1"),
        ("550-5.7.1 no\r\n550 5.7.1 really", "5.7.1"),
        ("550 no", "5.0.0"),
        ("550 4.7.1 no", "5.0.0"),
        ("450 4.2.2 full", "4.2.2"),
        ("550 5.7.1.9 no", "5.0.0"),
        ("250 2.1.5 mine", "2.1.5"),
        ("", "4.0.0"),
    ],
)
def test_the_status_is_the_next_hops_where_it_has_one(reply: str, status: str) -> None:
    assert a_recipient(reply=reply).status == status


def test_a_time_that_ran_out_has_a_status_of_its_own() -> None:
    assert a_recipient(reply="450 4.2.2 full", expired=True).status == "4.4.7"


@pytest.mark.parametrize(
    ("content", "returned"),
    [
        (b"", b""),
        (b"\r\nbody\r\n", b""),
        (b"A: b\r\n", b"A: b\r\n"),
        (b"A: b\r\n\r\n" + b"x" * 10, b"A: b\r\n"),
        (b"A: b\r\n" + b"B" * HEADERS + b"\r\n\r\n", b"A: b\r\n"),
        (b"no line end", b""),
    ],
)
def test_the_header_section_ends_where_it_ends(content: bytes, returned: bytes) -> None:
    _, _, message = composed(a_report(), content)
    assert list(message.iter_parts())[2].get_payload(decode=True) == returned


@given(
    path=st.binary(max_size=80),
    params=st.lists(st.binary(max_size=40), max_size=3),
    reply=st.text(st.characters(), max_size=80),
    content=st.binary(max_size=300),
    utf8=st.booleans(),
)
def test_whatever_was_in_it_comes_out_a_report(path: bytes, params: list[bytes], reply: str, content: bytes, utf8: bool) -> None:
    sender = Address(path=b"<" + path + b">", params=(*params, *([b"SMTPUTF8"] if utf8 else [])))
    recipient = RecipientReport(address=Address(path=b"<" + path + b">", params=tuple(params)), reply=reply, at=None)
    with Blob.of([content]) as blob:
        whole = b"".join(compose(a_report(recipient, sender=sender), blob).pieces())
    status = whole.split(b"--dlp-0123456789")[2]
    assert status.count(b"\r\nAction: failed\r\n") == 1
    assert status.count(b"\r\n\r\n") == 3
    if not utf8:
        assert status.isascii()
