"""The clamd protocol: what is asked comes out as it went in, however it is cut, and nothing that is sent can hurt."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlp.channels import clamd_wire as wire
from dlp.channels.clamd_wire import Command, Input, Refused

CUTS = st.lists(st.integers(1, 40), min_size=1, max_size=40)
PATHS = st.binary(min_size=1, max_size=200).filter(lambda path: not set(path) & {0, 10})
COMMANDS = st.one_of(
    st.builds(
        lambda name, path, end: Command(name, path, end),
        st.sampled_from(sorted(wire.WITH_PATH)),
        PATHS,
        st.sampled_from([b"\0", b"\n"]),
    ),
    st.builds(lambda name, end: Command(name, b"", end), st.sampled_from(sorted(wire.WITHOUT)), st.sampled_from([b"\0", b"\n"])),
)


def said(command: Command) -> bytes:
    prefix = b"z" if command.end == b"\0" else b"n"
    return prefix + command.name.encode() + (b" " + command.argument if command.name in wire.WITH_PATH else b"") + command.end


def pieces(data: bytes, cuts: list[int]) -> list[bytes]:
    found, at = [], 0
    while at < len(data):
        for cut in cuts:
            found.append(data[at : at + cut])
            at += cut
    return found


def heard(data: list[bytes], *, inside: bool = False) -> tuple[list[Command], Refused | None]:
    source, commands = Input(), []
    try:
        for piece in data:
            source.feed(piece)
            while (command := source.command(inside=inside)) is not None:
                commands.append(command)
    except Refused as refused:
        return commands, refused
    return commands, None


@given(st.lists(COMMANDS, max_size=10), CUTS)
def test_requests_come_out_as_they_went_in_however_they_are_cut(commands: list[Command], cuts: list[int]) -> None:
    assert heard(pieces(b"".join(map(said, commands)), cuts)) == (commands, None)


@given(st.binary(max_size=300), CUTS, st.booleans())
def test_whatever_is_sent_is_heard_the_same_however_it_is_cut(data: bytes, cuts: list[int], inside: bool) -> None:
    whole, cut = heard([data], inside=inside), heard(pieces(data, cuts), inside=inside)
    assert whole[0] == cut[0]
    assert str(whole[1]) == str(cut[1])


@given(st.binary(max_size=300), st.sampled_from([b"\0", b"\n"]))
def test_a_reply_about_one_file_is_one_reply_whatever_its_name(name: bytes, end: bytes) -> None:
    label = name.replace(b"\0", b"") if end == b"\0" else name
    assert end not in wire.line(label, b"OK", end)


@pytest.mark.parametrize(
    ("data", "command"),
    [
        (b"PING\n", Command("PING", b"", b"\n")),
        (b"PING\r\n", Command("PING", b"", b"\n")),
        (b"SCAN /a b\r\n", Command("SCAN", b"/a b", b"\n")),
        (b"FILDES\n", Command("FILDES", b"", b"\n")),
        (b"zSCAN /a\nb\0", Command("SCAN", b"/a\nb", b"\0")),
        (b"nSCAN /a\r\n", Command("SCAN", b"/a\r", b"\n")),
        (b"zSCAN \0", Command("SCAN", b"", b"\0")),
    ],
)
def test_forms_of_a_request(data: bytes, command: Command) -> None:
    assert heard([data]) == ([command], None)


@pytest.mark.parametrize(
    "data",
    [
        b"\n",
        b"z\0",
        b"ping\n",
        b"FOO\n",
        b"zPING x\0",
        b"zPING\n\0",
        b"zSCAN\0",
        b"STATS\n",
        b"INSTREAM\n",
        b"IDSESSION\n",
        b"END\n",
        b"VERSIONCOMMANDS\n",
        b"ALLMATCHSCAN /a\n",
        b"zSTREAM\0",
        b"zSESSION\0",
        b"z" + b"A" * wire.LONGEST,
        b"z\xff\xfe\0",
    ],
)
def test_what_is_no_request_is_refused_as_clamd_does(data: bytes) -> None:
    commands, refused = heard([data])
    assert commands == []
    assert refused is not None
    assert refused.reply == b"UNKNOWN COMMAND"
    assert refused.end == (b"\0" if data.startswith(b"z") else b"\n")


@pytest.mark.parametrize("data", [b"zCONTSCAN /a\0", b"zMULTISCAN /a\0", b"zIDSESSION\0", b"zRELOAD\0", b"zFOO\0", b"PING\n"])
def test_what_a_session_does_not_take(data: bytes) -> None:
    _, refused = heard([data], inside=True)
    assert refused is not None
    assert refused.reply == b"Command invalid inside IDSESSION. ERROR"


def test_a_request_that_never_ends_is_not_kept() -> None:
    source = Input()
    with pytest.raises(Refused):
        for _ in range(wire.LONGEST):
            source.feed(b"zz")
            source.command()
    assert len(source) <= wire.LONGEST + 2


def test_chunks_and_the_byte_of_a_descriptor() -> None:
    source = Input()
    assert source.length() is None
    assert not source.byte()
    source.feed(struct.pack(">I", 5) + b"abc")
    assert source.length() == 5
    assert source.data(5) == b"abc"
    source.feed(b"deX")
    assert source.data(2) == b"de"
    assert source.byte()
    assert len(source) == 0
