"""DATA's wire form: however it is cut into chunks, one content comes out."""

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlp.channels.smtp_wire import DataDecoder, FieldFilter, Intake, Room, stuffed
from tests.helpers import smtp
from tests.helpers.smtp import normalised

FRAGMENTS = st.lists(
    st.sampled_from([b"\r", b"\n", b"\r\n", b".", b"..", b"a", b"X-DLP-A: b", b"\0", b"\xff", b" ", b"Received:"])
)
CUTS = st.lists(st.integers(1, 7), min_size=1, max_size=40)


def pieces(data: bytes, cuts: list[int]) -> Iterator[bytes]:
    at = 0
    while at < len(data):
        for cut in cuts:
            yield data[at : at + cut]
            at += cut


def decoded(wire: bytes, cuts: list[int]) -> tuple[bytes, bytes | None]:
    decoder, content, rest = DataDecoder(), b"", None
    for piece in pieces(wire, cuts):
        if rest is not None:
            rest += piece
            continue
        part, rest = decoder.feed(piece)
        content += part
    return content, rest


@given(FRAGMENTS, CUTS)
def test_any_lines_come_back_however_they_are_cut(fragments: list[bytes], cuts: list[int]) -> None:
    content = normalised(b"".join(fragments))
    content += b"" if not content or content.endswith(b"\r\n") else b"\r\n"
    assert decoded(smtp.stuffed(content) + b"QUIT\r\n", cuts) == (content, b"QUIT\r\n")


@given(FRAGMENTS, CUTS)
def test_hostile_wire_ends_at_the_first_crlf_dot_crlf_and_holds_no_bare_line_end(fragments: list[bytes], cuts: list[int]) -> None:
    wire = b"".join(fragments)
    content, rest = decoded(wire, cuts)
    ends = (b"\r\n" + wire).find(b"\r\n.\r\n")
    assert (rest is None) == (ends < 0)
    if rest is not None:
        assert rest == (b"\r\n" + wire)[ends + 5 :]
    assert content == normalised(content)
    assert b"\n" not in content.replace(b"\r\n", b"")
    assert b"\r" not in content.replace(b"\r\n", b"")


@given(FRAGMENTS, CUTS)
def test_stuffing_is_the_same_however_content_is_cut(fragments: list[bytes], cuts: list[int]) -> None:
    content = normalised(b"".join(fragments))
    wire = b"".join(stuffed(pieces(content, cuts)))
    assert wire == smtp.stuffed(content)
    assert (b"\r\n" + wire).find(b"\r\n.\r\n") + 5 == len(wire) + 2


@given(
    st.lists(
        st.sampled_from(
            [b"A: b", b"X-DLP-Item: 1", b"x-dlp-z:", b" folded", b"\tfolded", b"Received: x", b"X-DLPX: y", b"no", b""]
        )
    ),
    CUTS,
)
def test_the_filter_takes_whole_fields_and_nothing_else(lines: list[bytes], cuts: list[int]) -> None:
    data = b"".join(line + b"\r\n" for line in lines)
    decoder, fields = DataDecoder(), FieldFilter()
    kept = b"".join(fields.feed(decoder.feed(piece)[0]) for piece in pieces(smtp.stuffed(data), cuts))
    expected, dropping, hops = [], False, 0
    for number, line in enumerate(lines):
        if not line:
            expected += lines[number:]
            break
        if not line.startswith((b" ", b"\t")):
            dropping = line.lower().startswith(b"x-dlp-")
        hops += line.startswith(b"Received:")
        expected += [] if dropping else [line]
    assert kept == b"".join(line + b"\r\n" for line in expected)
    assert fields.hops == hops


def an_intake(room: Room, *, limit: int = 1000) -> Intake:
    assert room.enter()
    return Intake(limit=limit, room=room, strict=False)


def test_an_intake_gives_its_room_back_once() -> None:
    room = Room(messages=1, bytes=100)
    intake = an_intake(room)
    assert not room.enter()
    assert intake.feed(b"0123456789\r\n.\r\nNOOP\r\n") == b"NOOP\r\n"
    assert (room.messages, room.bytes) == (0, 88)
    with intake.blob() as blob:
        intake.close()
        intake.close()
        assert blob.read() == b"0123456789\r\n"
        assert blob.sealed
    assert (room.messages, room.bytes) == (1, 100)


def test_an_intake_reads_on_when_it_may_not_keep() -> None:
    room = Room(messages=1, bytes=1000)
    intake = an_intake(room, limit=10)
    assert intake.feed(b"0123456789") is None
    assert intake.feed(b"more than ten\r\n") is None
    assert intake.wrong.startswith("552 5.3.4 ")
    assert intake.feed(b".\r\n") == b""
    intake.close()
    assert room.bytes == 1000


def test_memory_that_cannot_be_had_is_insufficient_storage(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(descriptor: int, data: bytes) -> int:
        raise OSError(28, "No space left on device")

    intake = an_intake(Room(messages=1, bytes=1000))
    monkeypatch.setattr("os.write", full)
    assert intake.feed(b"a\r\n.\r\n") == b""
    assert intake.wrong.startswith("452 4.3.1 ")
    intake.close()
