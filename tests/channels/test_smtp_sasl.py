"""What a client may send for PLAIN and LOGIN, and what becomes of anything else."""

import base64
import binascii

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlp.channels.smtp_sasl import LONGEST_NAME, Claim, Malformed, decoded, name, plain, prepared

NAMES = st.text(st.characters(codec="ascii", min_codepoint=33, max_codepoint=126), min_size=1, max_size=LONGEST_NAME)
PASSWORDS = st.binary(min_size=1, max_size=300).filter(lambda octets: b"\0" not in octets)


@given(st.binary())
def test_base64_is_read_back(octets: bytes) -> None:
    assert decoded(base64.b64encode(octets)) == octets


@given(st.binary(max_size=40))
def test_anything_is_base64_to_the_letter_or_malformed(text: bytes) -> None:
    """The slow rule: the alphabet in groups of four, padded at the end and nowhere else."""
    body = text.rstrip(b"=")
    alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    right = len(text) % 4 == 0 and len(text) - len(body) <= 2 and all(octet in alphabet for octet in body)
    if right:
        assert decoded(text) == binascii.a2b_base64(text)
    else:
        with pytest.raises(Malformed):
            decoded(text)


@given(NAMES, PASSWORDS)
def test_a_message_of_plain_is_read_back(user: str, password: bytes) -> None:
    for authority in ("", user):
        claim = plain(authority.encode() + b"\0" + user.encode() + b"\0" + password)
        assert claim == Claim(user=user, password=password)


@given(st.binary(max_size=400))
def test_any_message_of_plain_is_a_claim_nobody_or_malformed(message: bytes) -> None:
    try:
        claim = plain(message)
    except Malformed as error:
        assert len(str(error)) < 100  # says what is wrong, never what was sent
        return
    assert message.count(b"\0") == 2
    if claim is not None:
        assert claim.password == message.split(b"\0")[2] != b""
        assert claim.user.isprintable()
        assert 0 < len(claim.user.encode()) <= LONGEST_NAME


def test_nobody_acts_as_somebody_else() -> None:
    assert plain(b"root\0alice\0secret") is None
    assert plain(b"alice\0alice\0secret") is not None


@pytest.mark.parametrize(
    "message",
    [
        b"",
        b"\0",
        b"\0\0",
        b"\0alice\0",
        b"\0\0secret",
        b"alice\0secret",
        b"\0a\0b\0c",
        b"\0\xff\0secret",
        b"\0a\nb\0secret",
        b"\0" + b"a" * 256 + b"\0secret",
        "\0\u202eecila\0secret".encode(),
        "\0\u200b\0secret".encode(),
    ],
)
def test_what_is_not_plain(message: bytes) -> None:
    with pytest.raises(Malformed):
        plain(message)


def test_login_has_no_nul_that_plain_would_read_otherwise() -> None:
    for user, password in ((b"a\0b", b"c"), (b"a", b"b\0c")):
        with pytest.raises(Malformed):
            Claim.of(user, password)


@pytest.mark.parametrize(  # the examples of RFC 4013 section 3, and what an input method makes of letters
    ("text", "is_"),
    [
        ("I\u00adX", "IX"),
        ("user", "user"),
        ("USER", "USER"),
        ("\u00aa", "a"),
        ("\u2168", "IX"),
        ("ａｌｉｃｅ", "alice"),
        ("a\u00a0b", "a b"),
        ("用户", "用户"),
    ],
)
def test_preparation(text: str, is_: str) -> None:
    assert prepared(text.encode()) == is_


@pytest.mark.parametrize("text", ["\u0007", "\u0627\u0031", "\u0627a\u0628", "\ue000", ""])
def test_what_preparation_prohibits(text: str) -> None:
    with pytest.raises(Malformed):
        prepared(text.encode())


@given(st.text(max_size=60))
def test_a_prepared_name_stays_as_it_is(text: str) -> None:
    try:
        once = name(text.encode("utf-8", "surrogatepass"))
    except Malformed:
        return
    assert name(once.encode()) == once


def test_a_claim_does_not_show_its_password() -> None:
    assert "canary" not in repr(Claim(user="alice", password=b"canary"))
