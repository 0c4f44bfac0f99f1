"""The milter protocol's packets: what is sent arrives, however it is cut, and nothing that is sent can hurt."""

import struct

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from dlp.channels import milter_wire as wire
from dlp.channels.milter import address
from tests.channels.milter_house import connect, macros, packet

SAID = st.lists(st.tuples(st.sampled_from("ABCDEHKLMNOQRTUxz"), st.binary(max_size=300)), max_size=20)
CUTS = st.lists(st.integers(1, 40), min_size=1, max_size=40)


def pieces(data: bytes, cuts: list[int]) -> list[bytes]:
    found, at = [], 0
    while at < len(data):
        for cut in cuts:
            found.append(data[at : at + cut])
            at += cut
    return found


@given(SAID, CUTS)
def test_packets_come_out_as_they_went_in_however_they_are_cut(said: list[tuple[str, bytes]], cuts: list[int]) -> None:
    packets, heard = wire.Packets(), []
    for piece in pieces(b"".join(packet(letter, data) for letter, data in said), cuts):
        packets.feed(piece)
        while (found := packets.take()) is not None:
            heard.append((chr(found[0]), found[1]))
    assert heard == said


@pytest.mark.parametrize("length", [0, wire.LIMIT + 1, 0xFFFFFFFF])
def test_a_length_that_cannot_be_is_told_before_it_is_waited_for(length: int) -> None:
    packets = wire.Packets()
    packets.feed(packet("Q") + struct.pack(">I", length))
    assert packets.take() == (wire.QUIT, b"")
    with pytest.raises(wire.Malformed, match=f"{length} bytes"):
        packets.take()


def test_the_largest_packet_passes() -> None:
    packets = wire.Packets()
    packets.feed(packet("B", b"x" * (wire.LIMIT - 1)) + packet("E"))
    assert packets.take() == (wire.BODY, b"x" * (wire.LIMIT - 1))
    assert packets.take() == (wire.END, b"")
    assert packets.take() is None


@given(st.binary(max_size=60))
@example(b"")
@example(b"\0")
@example(b"x\0" + b"4")
@example(b"x\0" + b"4\0\0")
def test_any_data_is_read_or_malformed(data: bytes) -> None:
    for read in (wire.Offer.parse, wire.macros, wire.header, wire.Connection.parse, address, wire.strings):
        try:
            read(data)
        except wire.Malformed:
            continue


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        (connect(), wire.Connection("client.example", "192.0.2.7", 40123)),
        (connect(family="6", address="IPv6:2001:db8::1"), wire.Connection("client.example", "2001:db8::1", 40123)),
        (connect(family="6", address="2001:db8::1"), wire.Connection("client.example", "2001:db8::1", 40123)),
        (connect("localhost", family="U"), wire.Connection("localhost", "", 0)),
        (connect("localhost", family="L", address="/run/sock"), wire.Connection("localhost", "", 0)),
    ],
)
def test_a_client_is_known_by_name_and_address(said: bytes, meant: wire.Connection) -> None:
    assert wire.Connection.parse(said[5:]) == meant


def test_macros_have_their_command_and_lose_their_braces() -> None:
    said = macros("M", i="4F2A", auth_authen="bob", mail_addr="")
    assert wire.macros(said[5:]) == (wire.MAIL, {"i": "4F2A", "auth_authen": "bob", "mail_addr": ""})


@pytest.mark.parametrize(
    ("offered", "agreed"),
    [
        ((6, 0x1FF, 0x1FFFFF), (6, 0x119, 0x1FF3C0)),
        ((7, 0xFFFFFFFF, 0xFFFFFFFF), (6, 0x119, 0x1FF3C0)),
        ((2, 0x3F, 0x7F), (2, 0x19, 0x40)),
        ((6, 0x19, 0), (6, 0x19, 0)),
    ],
)
def test_nothing_is_agreed_that_was_not_offered(offered: tuple[int, int, int], agreed: tuple[int, int, int]) -> None:
    answer = wire.Offer(*offered).answered()
    assert (answer.version, answer.actions, answer.protocol) == agreed


@pytest.mark.parametrize("offered", [(1, 0x1FF, 0), (6, 0x1FF & ~0x1, 0), (6, 0x1FF & ~0x8, 0), (6, 0x1FF & ~0x10, 0)])
def test_what_is_not_enough_is_refused(offered: tuple[int, int, int]) -> None:
    with pytest.raises(wire.Malformed, match="not enough"):
        wire.Offer(*offered).answered()


def test_a_reply_with_percent_signs_is_no_format() -> None:
    assert wire.reply_code("550 5.7.1 100% refused") == packet("y", b"550 5.7.1 100%% refused\0")


def test_what_may_be_done_to_a_message_is_said_in_packets() -> None:
    assert wire.insert_header("X-DLP-Item", " item-1") == packet("i", b"\0\0\0\0X-DLP-Item\0 item-1\0")
    assert wire.delete_header(b"X-DLP-Item", 258) == packet("m", b"\0\0\1\2X-DLP-Item\0\0")
    assert wire.delete_recipient(b"<a@example.com>") == packet("-", b"<a@example.com>\0")
