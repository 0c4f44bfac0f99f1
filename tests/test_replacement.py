"""Attachments cut out of messages: exactly they are, and everything else stays as it was."""

import base64
import email
import email.policy
from collections.abc import Sequence
from email.message import EmailMessage

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlp.blob import Blob
from dlp.extract import eml
from dlp.extract.budget import Budget
from dlp.extract.document import Document
from dlp.model import Attachment, Finding, Inspection, Limits, Zone
from dlp.policy.attachments import named_by_a_finding
from dlp.replacement import _plain, notice_entity, rewritten
from tests.helpers.documents import a_mail
from tests.helpers.mime import Node, messages, written

NOTICE = notice_entity("withheld\n", "gone.txt")


def attachments(data: bytes) -> list[Attachment]:
    """Those that the reader of messages notes."""
    budget = Budget(Limits())
    list(eml.FORMAT.read(Document(data=memoryview(data), media="message/rfc822"), budget))
    return budget.attachments


def without(data: bytes, chosen: Sequence[Attachment], notice: bytes = NOTICE) -> bytes:
    with Blob.of([data]) as blob, rewritten(blob, chosen, [notice] * len(chosen)) as made:
        assert made.sealed
        return made.read()


def leaves(data: bytes) -> list[tuple[list[tuple[str, str]], object]]:
    """Header and payload of every leaf, as the standard library reads them; a message inside counts as a whole."""
    found = []
    pending = [email.message_from_bytes(data, policy=email.policy.compat32)]
    while pending:
        entity = pending.pop()
        if entity.is_multipart() and entity.get_content_maintype() == "multipart":
            pending.extend(reversed(entity.get_payload()))
        elif entity.is_multipart():
            found.append((entity.items(), [inner.as_bytes() for inner in entity.get_payload()]))
        else:
            found.append((entity.items(), entity.get_payload(decode=True)))
    return found


@given(messages)
def test_the_spans_cut_out_exactly_the_attachments(root: Node) -> None:
    made = written(root)
    assert attachments(bytes(made.content)) == made.attachments


@given(messages, st.data())
def test_what_is_not_replaced_is_read_by_others_as_it_was(root: Node, data: st.DataObject) -> None:
    made = written(root)
    content = bytes(made.content)
    chosen = [one for one in made.attachments if data.draw(st.booleans())]
    result = without(content, chosen)
    before, after = leaves(content), leaves(result)
    gone = [
        place for place, (fields, _) in enumerate(after) if ("Content-Disposition", 'attachment; filename="gone.txt"') in fields
    ]
    assert len(gone) == len(chosen)
    assert all(after[place][1] == b"withheld\r\n" for place in gone)
    assert [one for place, one in enumerate(after) if place not in gone] == [
        one for place, one in enumerate(before) if place not in gone
    ]
    outside, at = b"", 0
    for one in chosen:
        outside += content[at : one.start]
        at = one.end
    assert result.replace(NOTICE, b"") == outside + content[at:]
    # The rewritten message has its attachments where the notices stand, so it can be inspected like any other.
    assert len(attachments(result)) == len(made.attachments)


@pytest.mark.parametrize(
    "data",
    [
        b"Subject: x\r\nContent-Type: application/pdf; name=a.pdf\r\n\r\n%PDF-1.7",
        b"Subject: x\r\n\r\nbegin 644 s.txt\r\n+4T5#4D54(%1%6%0 \r\n`\r\nend\r\n",
        a_mail(attachments=[("a.bin", "application/octet-stream", b"x")]).replace(b"multipart/mixed", b"multipart/signed"),
        a_mail(attachments=[("a.bin", "application/octet-stream", b"x")]).replace(b"multipart/mixed", b"multipart/encrypted"),
        b"Content-Type: multipart/mixed; boundary=b\r\nContent-Transfer-Encoding: base64\r\n\r\n"
        + base64.b64encode(b"--b\r\nContent-Type: application/octet-stream\r\n\r\nx\r\n--b--\r\n"),
    ],
    ids=["the message itself", "in its text", "signed", "encrypted", "encoded as a whole"],
)
def test_what_cannot_be_taken_out_is_not_noted(data: bytes) -> None:
    assert attachments(data) == []


def test_a_document_inside_is_not_cut_into() -> None:
    inner = a_mail(attachments=[("in.bin", "application/octet-stream", b"x")])
    (found,) = attachments(a_mail(attachments=[("m.eml", "message/rfc822", inner)]))
    assert found.name == "m.eml"


def test_a_text_that_is_something_else_is_an_attachment() -> None:
    data = a_mail(body="hi\r\n", html="PK\x03\x04 in truth\r\n")
    (found,) = attachments(data)
    assert found.name == "text 3"
    assert b"text/html" in data[found.start : found.end]


def test_a_blank_before_the_header_is_counted() -> None:
    data = a_mail(attachments=[("a.bin", "application/octet-stream", b"x")])
    (plain,), (moved,) = attachments(data), attachments(b"\r\n\r\n" + data)
    assert (moved.start, moved.end) == (plain.start + 4, plain.end + 4)


@given(st.text(max_size=300))
def test_a_notice_bears_any_name_a_document_chooses(name: str) -> None:
    entity = notice_entity("已截留\n", f"{_plain(name)}.txt")
    _head, _, body = entity.partition(b"\r\n\r\n")
    assert max(map(len, entity.split(b"\r\n"))) <= 78
    assert entity.isascii()
    assert b"\n" not in entity.replace(b"\r\n", b"")
    assert not body.endswith(b"\n")
    read = email.message_from_bytes(entity, policy=email.policy.default)
    assert isinstance(read, EmailMessage)
    assert sorted(name.lower() for name in read) == ["content-disposition", "content-transfer-encoding", "content-type"]
    assert read.get_content().splitlines() == ["已截留"]
    assert read.get_content_disposition() == "attachment"
    shown = read.get_filename() or ""
    assert shown.endswith(".txt")
    assert not set(shown) & set('/\\"\r\n\0')


@pytest.mark.parametrize(
    ("trail", "zone", "itself"),
    [
        (("绝密.docx",), Zone.FILENAME, True),
        (("绝密.docx",), Zone.PROPERTY, True),
        (("绝密.docx",), Zone.BODY, False),
        (("绝密.docx", "in.txt"), Zone.FILENAME, False),
        (("other",), Zone.FILENAME, False),
    ],
)
def test_a_name_is_kept_unless_it_is_found_itself(trail: tuple[str, ...], zone: Zone, itself: bool) -> None:
    inspection = Inspection(findings=(Finding(signature="s", trail=trail, zone=zone),))
    assert named_by_a_finding(inspection, Attachment(name="绝密.docx", start=0, end=1)) is itself
