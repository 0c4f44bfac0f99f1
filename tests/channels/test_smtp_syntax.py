"""Paths, parameters, xtext, subjects: bytes in, the same bytes out."""

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlp.channels.smtp_syntax import Address, authenticated_by, parse_attributes, parse_path, received, subject, xtext


@pytest.mark.parametrize(
    ("argument", "path", "mailbox", "params"),
    [
        ("FROM:<>", b"<>", "", ()),
        ("from:<a@example.com>", b"<a@example.com>", "a@example.com", ()),
        ("FROM: <a@example.com>", b"<a@example.com>", "a@example.com", ()),
        ("FROM:a@example.com", b"<a@example.com>", "a@example.com", ()),
        ("FROM:<Postmaster>", b"<Postmaster>", "Postmaster", ()),
        ("FROM:<a..b.@example.com>", b"<a..b.@example.com>", "a..b.@example.com", ()),
        ('FROM:<"a b\\"<>@c"@example.com>', b'<"a b\\"<>@c"@example.com>', '"a b\\"<>@c"@example.com', ()),
        ("FROM:<a@[192.0.2.1]>", b"<a@[192.0.2.1]>", "a@[192.0.2.1]", ()),
        ("FROM:<a@[IPv6:2001:db8::1]>", b"<a@[IPv6:2001:db8::1]>", "a@[IPv6:2001:db8::1]", ()),
        ("FROM:<@one,@two.example:a@example.com>", b"<@one,@two.example:a@example.com>", "a@example.com", ()),
        ("FROM:<用户@例子.中国> SMTPUTF8", "<用户@例子.中国>".encode(), "用户@例子.中国", (b"SMTPUTF8",)),
        ("FROM:<a\udcff@example.com>", b"<a\xff@example.com>", "a\udcff@example.com", ()),
        (
            "FROM:<a@b.c> ENVID=QQ314159 RET=hdrs AUTH=<> body=8bitmime X-New=1=2",
            b"<a@b.c>",
            "a@b.c",
            (b"ENVID=QQ314159", b"RET=hdrs", b"AUTH=<>", b"body=8bitmime", b"X-New=1=2"),
        ),
    ],
)
def test_a_path_and_its_parameters_are_kept_as_they_stand(
    argument: str, path: bytes, mailbox: str, params: tuple[bytes, ...]
) -> None:
    address = parse_path(argument, "FROM:")
    assert address == Address(path=path, params=params)
    assert address.mailbox == mailbox
    assert Address.from_json(json.loads(json.dumps(address.as_json(), ensure_ascii=False).encode())) == address


@pytest.mark.parametrize(
    "argument",
    [
        "",
        "TO:<a@example.com>",
        "FROM:",
        "FROM:<a@example.com",
        "FROM:a@example.com>",
        "FROM:<a@example.com>SIZE=1",
        "FROM:<a b@example.com>",
        "FROM:<a@exam\rple.com>",
        "FROM:<a@example.com\0>",
        "FROM:<a@example.com> =x",
        "FROM:<a@example.com> SIZE=",
        "FROM:<a@example.com> A=b\x07",
        "FROM:<a@b@c>",
        "FROM:<@route.example:>",
        "FROM:<a@>",
        "FROM:<a@example.com> <b@example.com>",
        'FROM:<"a@example.com>',
    ],
)
def test_what_is_no_path_is_refused(argument: str) -> None:
    assert parse_path(argument, "FROM:") is None


@given(st.text())
def test_any_argument_is_a_path_without_control_characters_or_none(text: str) -> None:
    address = parse_path("TO:" + text.encode("utf-8", "surrogatepass").decode("utf-8", "surrogateescape"), "TO:")
    assert address is None or not any(octet < 32 or octet == 127 for octet in b"".join([address.path, *address.params]))


def test_parameters_are_found_in_any_case() -> None:
    address = Address(path=b"<>", params=(b"size=10", b"SMTPUTF8"))
    assert (address.param("SIZE"), address.param("SMTPUTF8"), address.param("BODY")) == ("10", "", None)


def test_attributes_are_xtext_and_may_be_unavailable() -> None:
    names = ("ADDR", "LOGIN", "HELO")
    assert parse_attributes("addr=192.0.2.1 LOGIN=a+20b+2B HELO=[UNAVAILABLE]", names) == {
        "ADDR": "192.0.2.1",
        "LOGIN": "a b+",
        "HELO": None,
    }
    assert parse_attributes("", names) is None
    assert parse_attributes("ADDR", names) is None
    assert parse_attributes("DESTADDR=1", names) is None
    assert parse_attributes("LOGIN=a+0Ab", names) is None
    assert xtext("+E6+9C+BA+2") == "机+2"


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        (b"From: x\r\n\r\n", None),
        (b"Subject: plain\r\n", "plain"),
        (b"X: y\r\nSUBJECT:one\r\n two\r\n\tthree\r\nSubject: second\r\n", "one two three"),
        (b"Subject: =?UTF-8?Q?=E6=9C=BA=E5=AF=86?=\r\n", "机密"),
        ("Subject: 机密\r\n".encode(), "机密"),
        ("Subject: 机密\r\n".encode("gb18030"), "机密"),
        (b"Subject: =?x-none?B?SGk=?=\r\n", "Hi"),
        (b"Subject: =?utf-8?B?a?=\r\n", "=?utf-8?B?a?="),
        (b"Subject:\r\n", ""),
        (b"X-Subject: no\r\nResent-Subject: no\r\n", None),
    ],
)
def test_subjects(head: bytes, expected: str | None) -> None:
    assert subject(head) == expected


@given(st.binary())
def test_any_subject_is_one_line_or_none(noise: bytes) -> None:
    found = subject(b"Subject: =?utf-8?B?" + noise + b"?= =?gbk?Q?" + noise + b"?=\r\n")
    assert found is not None
    assert "\n" not in found
    assert "\r" not in found


OURS = (
    b"Received: from [10.0.0.7] (pc7.example.com [10.0.0.7])\r\n"
    b"\t(using TLSv1.3 with cipher TLS_AES_256_GCM_SHA384 (256/256 bits)\r\n\t key-exchange X25519)\r\n"
    b'\t(Client CN "pc7 (Authenticated sender: boss)", Issuer "ca" (verified OK))\r\n'
)
BY = b"\tby mx.example.com (Postfix) with ESMTPSA id 4B1\r\n\tfor <b@example.org>; Sat, 28 Nov 2026 09:33:11 +0000 (UTC)\r\n"
ANN = b"\t(Authenticated sender: ann@example.com)\r\n"
FORGED = b"Received: from x (x [192.0.2.1])\r\n\t(Authenticated sender: boss)\r\n\tby y with ESMTPA id 1\r\n"


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        (OURS + ANN + BY + b"Subject: x\r\n\r\n", "ann@example.com"),
        (OURS + ANN + BY, "ann@example.com"),
        (b"DKIM-Signature: v=1;\r\n\tb=x\r\n" + OURS + ANN + BY + b"\r\n", "ann@example.com"),
        (OURS + ANN + BY + FORGED + b"\r\n", "ann@example.com"),
        (OURS + BY + FORGED + b"\r\n", None),
        (OURS + BY + ANN + b"\r\n", None),
        (b"Received: from by (by [10.0.0.7])\r\n" + ANN + BY, "ann@example.com"),
        (b"Received: (Authenticated sender: boss) by x\r\n", None),
        (b"Received: from x\r\n\tby mx for <x(\t(Authenticated sender: boss)@y>\r\n", None),
        (b"Received: from x\r\n\t(Authenticated sender: a (b) c)\r\n" + BY, "a (b) c"),
        (b"Received: from x\r\n\t(Authenticated sender: \xc3\xa9)\r\n" + BY, "é"),
        (b"Received: from x\r\n\t(Authenticated sender: \xff)\r\n" + BY, None),
        (b"Received: from x\r\n\t(Authenticated sender: )\r\n" + BY, None),
        (b"received : from x\r\n" + ANN + BY, "ann@example.com"),
        (b"X-Received: from x\r\n" + ANN + BY, None),
        (b"Subject: x\r\n\r\n" + FORGED, None),
        (b"\r\n" + FORGED, None),
        (b"", None),
    ],
)
def test_whom_the_server_before_us_authenticated(head: bytes, expected: str | None) -> None:
    assert authenticated_by(head) == expected


def test_the_trace_field_cannot_be_broken_out_of() -> None:
    made = received(
        helo="evil (x)\r\nBcc: y机",
        peer="2001:db8::1",
        hostname="gate",
        protocol="ESMTP",
        id="1",
        at=datetime(2026, 1, 2, tzinfo=UTC),
    )
    assert made == (
        b"Received: from evil??x???Bcc:?y? ([IPv6:2001:db8::1])\r\n"
        b"\tby gate with ESMTP id 1;\r\n\tFri, 02 Jan 2026 00:00:00 +0000\r\n"
    )
