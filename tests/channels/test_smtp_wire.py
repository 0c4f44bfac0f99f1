"""DATA's wire form: however it is cut into chunks, one content comes out."""

import asyncio
import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlp.channels.smtp_wire import DataDecoder, FieldFilter, Intake, Reader, Room, stuffed
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


LARGE = b"0123456789abcde\r\n" * 200_000


def test_a_large_message_goes_on_in_a_file_without_a_name(tmp_path: Path) -> None:
    room = Room(messages=1, bytes=1 << 30)
    room.enter()
    intake = Intake(limit=1 << 30, room=room, strict=False, folder=tmp_path)
    for piece in pieces(LARGE, [1 << 18]):
        assert intake.feed(piece) is None
    assert intake.feed(b".\r\n") == b""
    with intake.blob() as blob:
        intake.close()
        assert blob.read() == LARGE
        assert blob.sha256 == hashlib.sha256(LARGE).hexdigest()
        assert os.readlink(f"/proc/self/fd/{blob.descriptor}").startswith(str(tmp_path))
        with pytest.raises(OSError, match="Bad file descriptor"):
            os.write(blob.descriptor, b"x")
    assert list(tmp_path.iterdir()) == []
    assert room.bytes == 1 << 30


def test_a_file_system_without_unnamed_files_keeps_the_message_in_memory(tmp_path: Path) -> None:
    room = Room(messages=1, bytes=1 << 30)
    room.enter()
    intake = Intake(limit=1 << 30, room=room, strict=False, folder=tmp_path / "none")
    assert intake.feed(LARGE + b".\r\n") == b""
    with intake.blob() as blob:
        assert (blob.read(), blob.sealed) == (LARGE, True)
    intake.close()


# What is poured


async def test_what_arrives_is_poured_until_it_is_enough_and_the_rest_is_read() -> None:
    reader, got = Reader(), bytearray()

    def sink(data: bytes) -> bytes | None:
        got.extend(data)
        return bytes(got[6:]) if len(got) > 6 else None

    reader.feed_data(b"ab")
    poured = asyncio.create_task(reader.pour(sink))
    await asyncio.sleep(0)
    reader.feed_data(b"cd")
    reader.feed_data(b"efgh\n")
    reader.feed_data(b"more\n")
    assert await poured
    assert await reader.readline() == b"gh\n"
    assert await reader.readline() == b"more\n"


@pytest.mark.parametrize("early", [True, False])
async def test_input_that_ends_early_is_not_enough(early: bool) -> None:
    reader = Reader()
    reader.feed_data(b"a")
    if early:
        reader.feed_eof()
    poured = asyncio.create_task(reader.pour(lambda data: None))
    await asyncio.sleep(0)
    if not early:
        reader.set_exception(ConnectionResetError())
    assert await poured is False


async def test_what_a_sink_raises_is_raised_where_it_was_poured() -> None:
    def sink(data: bytes) -> bytes | None:
        raise KeyError("a bug")

    reader = Reader()
    poured = asyncio.create_task(reader.pour(sink))
    await asyncio.sleep(0)
    reader.feed_data(b"a")
    with pytest.raises(KeyError):
        await poured
    reader.feed_data(b"b")
    assert await reader.read(1) == b"b"


def test_memory_that_cannot_be_had_is_insufficient_storage(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(descriptor: int, data: bytes) -> int:
        raise OSError(28, "No space left on device")

    intake = an_intake(Room(messages=1, bytes=1000))
    monkeypatch.setattr("os.write", full)
    assert intake.feed(b"a\r\n.\r\n") == b""
    assert intake.wrong.startswith("452 4.3.1 ")
    intake.close()
