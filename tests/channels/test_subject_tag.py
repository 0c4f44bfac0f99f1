"""The tag on a Subject: it is shown once, in front, and every byte of the sender's stays."""

import email
import email.policy
from email.header import decode_header, make_header

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlp.channels.smtp_syntax import subject
from dlp.channels.subject_tag import LONGEST, fault, tag, tagged, tagged_value

ENCODED = b"=?utf-8?B?5Lmd5pyI?="
"""九月"""


def applied(message: bytes, text: str) -> bytes:
    edit = tagged(message, text)
    return message if edit is None else message[: edit.start] + edit.new + message[edit.end :]


def shown(message: bytes) -> str:
    """The subject as another reader of mail decodes it."""
    return str(make_header(decode_header(email.message_from_bytes(message)["Subject"])))


@pytest.mark.parametrize(
    ("message", "text", "expected"),
    [
        (b"Subject: plan\r\n\r\nx", "[secret]", b"Subject: [secret] plan\r\n\r\nx"),
        (b"SUBJECT :plan\r\n\r\nx", "[secret]", b"SUBJECT : [secret] plan\r\n\r\nx"),
        (b"A: b\r\nSubject: one\r\nSubject: two\r\n\r\n", "[s]", b"A: b\r\nSubject: [s] one\r\nSubject: two\r\n\r\n"),
        (b"A: b\r\n\r\nSubject: in the body\r\n", "[s]", b"Subject: [s]\r\nA: b\r\n\r\nSubject: in the body\r\n"),
        (b"\r\nSubject: in the body\r\n", "[s]", b"Subject: [s]\r\n\r\nSubject: in the body\r\n"),
        (b"", "[s]", b"Subject: [s]\r\n"),
        (b"Subject:\r\n\r\n", "[s]", b"Subject: [s]\r\n\r\n"),
        (b"Subject:  \t\r\nTo: x\r\n\r\n", "[s]", b"Subject: [s]\r\nTo: x\r\n\r\n"),
        (b"Subject:\r\n plan\r\n\r\n", "[s]", b"Subject: [s]\r\n plan\r\n\r\n"),
        (b"Subject: plan", "[s]", b"Subject: [s] plan"),
        (b"Subject: a\r\n\tb\r\nTo: x\r\n\r\n", "[s]", b"Subject: [s] a\r\n\tb\r\nTo: x\r\n\r\n"),
        (b"Subject: " + b"x" * 66 + b"\r\n\r\n", "[s]", b"Subject: [s]\r\n " + b"x" * 66 + b"\r\n\r\n"),
        (b"Subject: " + b"x" * 65 + b"\r\n\r\n", "[s]", b"Subject: [s] " + b"x" * 65 + b"\r\n\r\n"),
        ("Subject: 计划\r\n\r\n".encode(), "[s]", "Subject: [s] 计划\r\n\r\n".encode()),
        (b"Subject: plan\r\n\r\n", "[机密]", b"Subject: =?utf-8?B?W+acuuWvhl0=?= plan\r\n\r\n"),
        (b"Subject: plan\r\n\r\n", "=?x", b"Subject: =?utf-8?B?PT94?= plan\r\n\r\n"),
    ],
)
def test_where_the_tag_goes(message: bytes, text: str, expected: bytes) -> None:
    assert applied(message, text) == expected
    assert applied(expected, text) == expected, "no second one"


@pytest.mark.parametrize(
    "value",
    [b"plan", ENCODED, b"\r\n " + ENCODED, ENCODED + b" " + ENCODED, b"x " + ENCODED, b"=?gb2312?B?vLzDzA==?=", b"y" * 900],
)
@pytest.mark.parametrize("text", ["[secret]", "[机密]", "【绝密★长期】" * 6])
def test_what_people_see(value: bytes, text: str) -> None:
    message = b"From: a\r\nSubject: " + value + b"\r\nTo: b\r\n\r\nbody"
    before, after = shown(message), shown(applied(message, text))
    assert after.replace("\n", "").split() == f"{text} {before}".replace("\n", "").split()
    assert all(len(line) <= 78 or line in message for line in applied(message, text).split(b"\r\n"))


@pytest.mark.parametrize(
    "value", [b" Re: [secret] plan", b" [secret] x", b" Fwd: =?utf-8?Q?=5Bsecret=5D?= x", b" a [se\r\n cret]"]
)
def test_a_tag_that_is_there_already_is_not_repeated(value: bytes) -> None:
    there = subject(b"Subject:" + value) or ""
    assert (tagged_value(value, "[secret]") == value) is ("[secret]" in there)


def test_a_milters_value_keeps_its_own_line_ends() -> None:
    assert tagged_value(b"x" * 70, "[s]", newline=b"\n") == b" [s]\n " + b"x" * 70
    assert tagged_value(b"Re:\n [s] plan", "[s]", newline=b"\n") == b"Re:\n [s] plan"


@given(
    message=st.one_of(
        st.binary(max_size=300).map(lambda body: body.replace(b"\r", b"").replace(b"\n", b"\r\n")),
        st.lists(
            st.sampled_from([b"Subject:", b"subject :", b" x", b"\t", b"\r\n", b"A: b", "计".encode(), ENCODED, b"=?", b"[s]"]),
            max_size=12,
        ).map(b"".join),
    ),
    text=st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z"]), min_size=1, max_size=LONGEST),
)
def test_only_the_subject_changes_and_only_once(message: bytes, text: str) -> None:
    edit = tagged(message, text)
    if edit is None:
        return
    after = applied(message, text)
    assert after[: edit.start] == message[: edit.start]
    assert after.endswith(message[edit.end :])
    old = message[edit.start : edit.end]
    assert not old.strip() or edit.new.endswith(old)
    assert b"\r\n\r\n" not in edit.new
    assert all(line[:1] in b" \t" for line in edit.new.removesuffix(b"\r\n").split(b"\r\n")[1:])
    assert tagged(after, text) is None


@pytest.mark.parametrize(
    ("pattern", "wrong"),
    [
        ("[{level}]", False),
        ("【{level}】", False),
        ("external", False),
        ("", True),
        ("  ", True),
        ("{level", True),
        ("{}", True),
        ("{level.name}", True),
        ("{level!r}", True),
        ("{levels}", True),
        ("[{level}]\r\nBcc: x", True),
        ("x" * 61, True),
    ],
)
def test_a_pattern(pattern: str, wrong: bool) -> None:
    assert (fault(pattern) is not None) is wrong


def test_the_level_has_its_name_in_the_tag_and_no_line_of_its_own() -> None:
    assert tag("[{level}]", "机密") == "[机密]"
    assert tag("[{level}]", "a\r\nBcc: b") == "[a Bcc: b]"
    assert tag("{level}", "{level}") == "{level}"
    assert len(tag("[{level}]", "x" * 100)) == LONGEST
