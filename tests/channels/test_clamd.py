"""The clamd socket: what is answered, what is never answered OK, and who may ask about what."""

import asyncio
import os
import socket
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from dlp.channels import clamd_connection, clamd_session
from dlp.channels.clamd_content import Asker, Folder, Unreadable, listing, of_path, resolved
from dlp.channels.clamd_settings import ClamdSettings
from dlp.errors import ConfigError, GateError, StoreError
from dlp.model import Action, Limits
from tests.channels.clamd_house import SECRET, Judge, chunk, house, stream

FOUND = b"DLP.secret.inc-7 FOUND"
NOBODY = 65534


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A clean file, two that are not, a FIFO, a link."""
    top = tmp_path / "tree"
    (top / "sub").mkdir(parents=True)
    (top / "clean").write_bytes(b"good morning")
    (top / "sub" / "one").write_bytes(SECRET)
    (top / "sub" / "two").write_bytes(SECRET)
    os.mkfifo(top / "sub" / "pipe")
    (top / "link").symlink_to(top / "sub" / "one")
    return top


# ---- Simple requests


async def test_simple_requests_are_answered_and_the_connection_ends(tmp_path: Path) -> None:
    async with house(tmp_path) as here:
        assert await here.ask(b"PING\n") == b"PONG\n"
        assert await here.ask(b"nPING\n") == b"PONG\n"
        assert await here.ask(b"zPING\0zPING\0") == b"PONG\0"
        assert await here.ask(b"zVERSION\0") == b"dlp 9.9/42\0"
        offered = await here.ask(b"nVERSIONCOMMANDS\n")
        assert offered.startswith(b"dlp 9.9/42| COMMANDS: ")
        assert {b"SCAN", b"INSTREAM", b"FILDES", b"IDSESSION"} <= set(offered.split())
        stats = await here.ask(b"zSTATS\0")
        assert stats.startswith(b"POOLS: 1\n\nSTATE: VALID PRIMARY\nTHREADS: live ")
        assert stats.endswith(b"\nEND\0")
        assert await here.ask(b"zSHUTDOWN\0") == await here.ask(b"zRELOAD\0") == b"COMMAND UNAVAILABLE\0"
        assert await here.ask(b"zFOO\0") == await here.ask(b"zEND\0") == b"UNKNOWN COMMAND\0"


async def test_who_says_nothing_is_not_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clamd_session, "COMMAND_SECONDS", 0.1)
    monkeypatch.setattr(clamd_session, "IDLE_SECONDS", 0.1)
    async with house(tmp_path) as here:
        assert await here.ask(b"zPIN") == b"COMMAND READ TIMED OUT\n"
        assert await here.ask(b"zIDSESSION\0zPING\0") == b"1: PONG\0002: COMMAND READ TIMED OUT\n"
        assert await here.ask(b"zINSTREAM\0" + chunk(SECRET)) == b"COMMAND READ TIMED OUT\0"
    assert here.judge.contents == []


# ---- Files and trees


async def test_a_file_is_judged_by_its_path(tmp_path: Path, tree: Path) -> None:
    async with house(tmp_path) as here:
        path = bytes(tree / "sub" / "one")
        assert await here.ask(b"zSCAN " + path + b"\0") == path + b": " + FOUND + b"\0"
        assert await here.ask(b"SCAN " + bytes(tree / "clean") + b"\n") == bytes(tree / "clean") + b": OK\n"
        link = bytes(tree / "link")
        assert await here.ask(b"nSCAN " + link + b"\n") == link + b": " + FOUND + b"\n"
    one = tree / "sub" / "one"
    assert [origin.path for origin in here.judge.origins] == [str(one), str(tree / "clean"), str(one)]
    assert here.judge.origins[0].inode == one.stat().st_ino
    assert here.judge.attributes[0]["mode"] == stat.S_IMODE(one.stat().st_mode)


@pytest.mark.parametrize("command", [b"CONTSCAN", b"MULTISCAN"])
async def test_of_a_tree_everything_that_is_not_ok_is_told(tmp_path: Path, tree: Path, command: bytes) -> None:
    async with house(tmp_path) as here:
        sub = bytes(tree / "sub")
        told = (await here.ask(b"z" + command + b" " + bytes(tree) + b"\0")).split(b"\0")
        assert sorted(told) == [
            b"",
            sub + b"/one: " + FOUND,
            sub + b"/pipe: Not supported file type ERROR",
            sub + b"/two: " + FOUND,
        ]
        (tree / "sub" / "pipe").unlink()
        (tree / "sub" / "one").unlink()
        (tree / "sub" / "two").unlink()
        assert await here.ask(b"z" + command + b" " + bytes(tree) + b"\0") == bytes(tree) + b": OK\0"


@pytest.mark.parametrize("command", [b"SCAN", b"ALLMATCHSCAN"])
async def test_scan_ends_with_the_first_that_is_found(tmp_path: Path, tree: Path, command: bytes) -> None:
    async with house(tmp_path) as here:
        told = await here.ask(b"z" + command + b" " + bytes(tree) + b"/\0")
        assert told == bytes(tree) + b"/sub/one: " + FOUND + b"\0"
    assert here.judge.contents == [b"good morning", SECRET]


async def test_what_cannot_be_read_is_an_error_and_nothing_is_opened_to_find_out(tmp_path: Path, tree: Path) -> None:
    async with house(tmp_path) as here:
        for path in (tree / "none", tree / "clean" / "below", Path("clean")):
            assert (await here.ask(b"zSCAN " + bytes(path) + b"\0")).endswith(
                b": File path check failure: No such file or directory. ERROR\0"
            )
        for path in (tree / "sub" / "pipe", Path("/dev/tty"), here.path):  # opening the FIFO would wait for a writer
            assert await here.ask(b"zSCAN " + bytes(path) + b"\0") == bytes(path) + b": Not supported file type ERROR\0"
        (tree / "loop").symlink_to(tree / "loop")
        assert (await here.ask(b"zSCAN " + bytes(tree / "loop") + b"\0")).endswith(b" ERROR\0")
    assert here.judge.contents == []


async def test_a_file_that_says_it_is_empty_is_read_to_its_end(tmp_path: Path) -> None:
    async with house(tmp_path) as here:
        assert await here.ask(b"zSCAN /proc/version\0") == b"/proc/version: OK\0"
    assert here.judge.contents == [Path("/proc/version").read_bytes()]


async def test_a_name_with_a_newline_does_not_pass_for_two_replies(tmp_path: Path, tree: Path) -> None:
    odd = tree / "x: OK\n"
    odd.mkdir()
    (odd / "a\xff").write_bytes(SECRET)
    async with house(tmp_path) as here:
        assert (await here.ask(b"nCONTSCAN " + bytes(tree) + b"\n")).count(b"\n") == 4
        assert bytes(odd) + "/a\xff: ".encode() + FOUND in await here.ask(b"zCONTSCAN " + bytes(tree) + b"\0")


async def test_a_file_too_large_for_a_copy_is_read_in_place_and_never_withheld_without_custody(tmp_path: Path) -> None:
    large = tmp_path / "large"
    large.write_bytes(b"good" * 100)
    async with house(tmp_path, limits=Limits(bytes=100)) as here:
        assert await here.ask(b"zSCAN " + bytes(large) + b"\0") == bytes(large) + b": OK\0"
        large.write_bytes(SECRET * 100)
        assert (await here.ask(b"zSCAN " + bytes(large) + b"\0")).endswith(b"Internal error, ask again later. ERROR\0")
    assert "too large for custody" in here.judge.failures[0]


# ---- Streams and descriptors


async def test_a_stream_is_judged_however_it_is_cut(tmp_path: Path) -> None:
    async with house(tmp_path) as here:
        assert await here.ask(stream(b"the sec", b"ret plan")) == b"stream: " + FOUND + b"\0"
        assert await here.ask(stream()) == b"stream: OK\0"
        async with here.talking() as client:
            for byte in stream(b"good", b"morning"):
                await client.send(bytes([byte]))
            assert await client.rest() == b"stream: OK\0"
    assert here.judge.contents == [SECRET, b"", b"goodmorning"]
    assert here.judge.attributes[0]["uid"] == os.geteuid()


async def test_a_stream_too_large_is_refused_before_it_comes(tmp_path: Path) -> None:
    async with house(tmp_path, max_stream=1000) as here:
        assert await here.ask(stream(b"x" * 1000)) == b"stream: OK\0"
        assert await here.ask(stream(b"x" * 600, b"x" * 401)) == b"INSTREAM size limit exceeded. ERROR\0"
        assert await here.ask(b"zINSTREAM\0\xff\xff\xff\xff") == b"INSTREAM size limit exceeded. ERROR\0"
        assert await here.ask(b"zIDSESSION\0" + stream(b"x" * 1001)) == b"1: INSTREAM size limit exceeded. ERROR\0"
    assert len(here.judge.contents) == 1


async def test_streams_share_their_room_and_give_it_back(tmp_path: Path) -> None:
    async with house(tmp_path, judge=Judge(wait=asyncio.Event()), max_bytes_in_flight=1000) as here:
        async with here.talking() as first:
            await first.send(stream(b"x" * 600))
            await here.judge.arrived.wait()
            assert await here.ask(stream(b"x" * 600)) == b""
            in_session = b"zIDSESSION\0" + stream(b"x" * 600) + b"zEND\0"
            assert await here.ask(in_session) == b"1: Can't allocate memory ERROR\0"
            assert here.judge.wait is not None
            here.judge.wait.set()
            assert await first.rest() == b"stream: OK\0"
        assert await here.ask(stream(b"x" * 1000)) == b"stream: OK\0"


async def test_half_a_stream_is_not_judged(tmp_path: Path) -> None:
    async with house(tmp_path) as here:
        async with here.talking() as client:
            await client.send(b"zINSTREAM\0" + chunk(SECRET))
            client.socket.shutdown(socket.SHUT_WR)
            assert await client.rest() == b""
        assert await here.ask(stream(b"x")) == b"stream: OK\0"
    assert here.judge.contents == [b"x"]


async def test_an_open_file_is_judged_and_known_by_its_path(tmp_path: Path, tree: Path) -> None:
    one = os.open(tree / "sub" / "one", os.O_RDONLY)
    os.lseek(one, 5, os.SEEK_SET)
    async with house(tmp_path) as here:
        for request in (b"zFILDES\0x", b"nFILDES\nx", b"FILDES\nx"):
            assert FOUND in await here.ask(request, one)
        async with here.talking() as client:
            await client.send(b"zFILDES\0")
            await client.send(b"x", one)
            assert (await client.rest()).startswith(b"fd[")
        (tree / "sub" / "one").unlink()
        assert FOUND in await here.ask(b"zFILDES\0x", one)
    os.close(one)
    assert {origin.path for origin in here.judge.origins[:4]} == {str(tree / "sub" / "one")}
    assert here.judge.origins[4].path.startswith("fd:")
    assert here.judge.contents == [SECRET] * 5


async def test_what_is_no_readable_file_is_an_error(tmp_path: Path, tree: Path) -> None:
    reader, writer = os.pipe()
    folder, only = os.open(tree, os.O_RDONLY), os.open(tree / "sub" / "one", os.O_WRONLY)
    place = os.open(tree / "sub" / "one", os.O_PATH)
    async with house(tmp_path) as here:
        assert (await here.ask(b"zFILDES\0x", reader)).endswith(b": Not a regular file ERROR\0")
        assert (await here.ask(b"zFILDES\0x", folder)).endswith(b": Not a regular file ERROR\0")
        assert (await here.ask(b"zFILDES\0x", only)).endswith(b" ERROR\0")
        assert (await here.ask(b"zFILDES\0x", place)).endswith(b" ERROR\0")
        assert await here.ask(b"zFILDES\0x") == b"No file descriptor received. ERROR\0"
    for one in (reader, writer, folder, only, place):
        os.close(one)
    assert here.judge.contents == []


async def test_descriptors_nobody_asks_about_are_closed(tmp_path: Path, tree: Path) -> None:
    one = os.open(tree / "clean", os.O_RDONLY)
    async with house(tmp_path) as here:
        before = len(os.listdir("/proc/self/fd"))
        assert await here.ask(b"zPING\0", one, one, one) == b"PONG\0"
        async with here.talking() as client:
            for _ in range(5):
                await client.send(b"z", *[one] * 8)
            assert await client.rest() == b"No file descriptor received. ERROR\n"
        await asyncio.sleep(0)
        assert len(os.listdir("/proc/self/fd")) == before
    os.close(one)


# ---- Sessions


async def test_a_session_answers_by_number_and_ends_when_told(tmp_path: Path, tree: Path) -> None:
    clean = bytes(tree / "clean")
    async with house(tmp_path) as here, here.talking() as client:
        await client.send(b"zIDSESSION\0zPING\0" + stream(SECRET) + b"zSCAN " + clean + b"\0nVERSION\nzEND\0")
        told = await client.rest()
        assert sorted(told.replace(b"\n", b"\0").split(b"\0")) == [
            b"",
            b"1: PONG",
            b"2: stream: " + FOUND,
            b"3: " + clean + b": OK",
            b"4: dlp 9.9/42",
        ]


async def test_a_session_goes_on_while_something_is_judged(tmp_path: Path) -> None:
    async with house(tmp_path, judge=Judge(wait=asyncio.Event())) as here, here.talking() as client:
        await client.send(b"zIDSESSION\0" + stream(SECRET) + b"zPING\0")
        assert await client.replies(1) == [b"2: PONG"]
        assert here.judge.wait is not None
        here.judge.wait.set()
        assert await client.replies(1) == [b"1: stream: " + FOUND]
        await client.send(b"zFOO\0zPING\0")
        assert await client.rest() == b"3: Command invalid inside IDSESSION. ERROR\0"


# ---- The verdict, and what is never OK


async def test_alert_is_ok_and_a_level_that_is_none_has_a_name(tmp_path: Path) -> None:
    async with house(tmp_path, judge=Judge(action=Action.ALERT)) as here:
        assert await here.ask(stream(SECRET)) == b"stream: OK\0"
        here.judge.action, here.judge.level = Action.BLOCK, None
        assert await here.ask(stream(SECRET)) == b"stream: DLP.none.inc-7 FOUND\0"


@pytest.mark.parametrize(
    "error", [StoreError("the disk is full"), GateError("no"), RuntimeError("content"), OSError(28, "No space left")]
)
async def test_a_fault_of_ours_is_an_error_in_a_session_and_silence_outside(tmp_path: Path, error: Exception) -> None:
    async with house(tmp_path, judge=Judge(error=error)) as here:
        assert await here.ask(stream(SECRET)) == b""
        told = await here.ask(b"zIDSESSION\0" + stream(SECRET) + b"zEND\0")
        assert told.startswith(b"1: stream: ")
        assert told.endswith(b" ERROR\0")
        assert b"content" not in told


async def test_after_the_deadline_the_answer_is_an_error_and_found_is_not_on_record_as_told(tmp_path: Path) -> None:
    judge = Judge(wait=asyncio.Event())
    async with house(tmp_path, judge=judge, deadline_seconds=0.1) as here:
        assert await here.ask(stream(SECRET)) == b""
        assert await here.ask(b"zIDSESSION\0" + stream(SECRET) + b"zEND\0") == b"1: stream: Time limit reached ERROR\0"
        assert judge.wait is not None
        judge.wait.set()
    assert ["deadline" in failure for failure in judge.failures] == [True, True]


async def test_who_hangs_up_is_not_on_record_as_told(tmp_path: Path) -> None:
    judge = Judge(wait=asyncio.Event())
    async with house(tmp_path, judge=judge) as here:
        async with here.talking() as client:
            await client.send(stream(SECRET))
            await judge.arrived.wait()
        assert judge.wait is not None
        judge.wait.set()
    assert ["hung up" in failure for failure in judge.failures] == [True]


async def test_who_has_only_said_all_he_will_is_answered(tmp_path: Path) -> None:
    async with house(tmp_path) as here, here.talking() as client:
        await client.send(stream(SECRET))
        client.socket.shutdown(socket.SHUT_WR)
        assert await client.rest() == b"stream: " + FOUND + b"\0"


async def test_who_does_not_listen_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clamd_connection, "SEND_SECONDS", 0.1)
    async with house(tmp_path) as here, here.talking() as client:
        with pytest.raises(ConnectionError):
            await client.send(b"zIDSESSION\0")
            async with asyncio.timeout(60):
                while True:
                    await client.send(b"zVERSIONCOMMANDS\0" * 1000)


# ---- How many, and the end


async def test_not_more_are_judged_at_once_than_there_is_room_for(tmp_path: Path) -> None:
    async with house(tmp_path) as here:
        told = await asyncio.gather(*(here.ask(stream(SECRET)) for _ in range(50)))
        assert set(told) == {b"stream: " + FOUND + b"\0"}
        assert here.judge.most_at_once <= here.server.most_at_once


async def test_who_comes_beyond_the_limit_waits(tmp_path: Path) -> None:
    async with house(tmp_path, max_sessions=1) as here, here.talking() as first:
        await first.send(b"zIDSESSION\0zPING\0")
        assert await first.replies(1) == [b"1: PONG"]
        async with here.talking() as second:
            await second.send(b"zPING\0")
            await first.send(b"zEND\0")
            assert await second.rest() == b"PONG\0"


async def test_stop_answers_what_is_under_way_and_ends_what_is_idle(tmp_path: Path) -> None:
    judge = Judge(wait=asyncio.Event())
    async with house(tmp_path, judge=judge) as here, here.talking() as idle, here.talking() as busy:
        await idle.send(b"zIDSESSION\0zPING\0")
        assert await idle.replies(1) == [b"1: PONG"]
        await busy.send(stream(SECRET))
        await judge.arrived.wait()
        stopping = asyncio.create_task(here.server.stop())
        assert await idle.rest() == b""
        assert judge.wait is not None
        judge.wait.set()
        assert await busy.rest() == b"stream: " + FOUND + b"\0"
        await stopping
        assert not here.path.exists()
        with pytest.raises(FileNotFoundError):
            await here.ask(b"zPING\0")


async def test_the_socket_has_the_mode_that_was_asked_for(tmp_path: Path) -> None:
    async with house(tmp_path, mode=0o600) as here:
        assert stat.S_IMODE(here.path.stat().st_mode) == 0o600


def test_settings_that_cannot_work_are_all_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        ClamdSettings(socket=Path("/" + "x" * 107), mode=0o1000, max_stream=0, max_sessions=0, deadline_seconds=0)
    keys = [fault.key for fault in caught.value.faults]
    assert keys == ["clamd.socket", "clamd.mode", "clamd.max_stream", "clamd.max_sessions", "clamd.deadline_seconds"]
    with pytest.raises(ConfigError, match=r"clamd\.group: there is no group 'nosuch'"):
        ClamdSettings(socket=tmp_path / "s", group="nosuch").group_id()


# ---- Who may ask about what


@pytest.fixture
def theirs(public_folder: Path) -> Path:
    """A folder that others may search and list up to here."""
    if os.geteuid() != 0:
        pytest.skip("needs root: makes files of others")
    return public_folder


def may(path: Path, asker: Asker) -> bool:
    try:
        of_path(resolved(str(path), asker), asker, 1000).blob.close()
    except Unreadable as error:
        assert str(error) == "Access denied."
        return False
    return True


def test_others_have_read_only_what_they_may_read_themselves(theirs: Path) -> None:
    file, asker = theirs / "file", Asker(NOBODY, NOBODY, frozenset({4000}))
    file.write_bytes(b"x")
    for mode, owner, group, allowed in (
        (0o644, 0, 0, True),
        (0o640, 0, 0, False),
        (0o640, 0, NOBODY, True),
        (0o640, 0, 4000, True),
        (0o604, 0, 4000, False),
        (0o400, NOBODY, 0, True),
        (0o044, NOBODY, 0, False),
    ):
        os.chown(file, owner, group)
        file.chmod(mode)
        assert may(file, asker) is allowed, (oct(mode), owner, group)
        assert may(file, Asker(0, 0))


def test_a_folder_that_others_may_not_search_hides_what_is_there_and_what_is_not(theirs: Path) -> None:
    inner = theirs / "inner"
    inner.mkdir(mode=0o700)
    (inner / "open").write_bytes(b"x")
    (inner / "open").chmod(0o644)
    os.mkfifo(inner / "pipe")
    asker = Asker(NOBODY, NOBODY)
    for name in ("open", "none", "pipe"):
        assert not may(inner / name, asker)
    (theirs / "link").symlink_to(inner / "open")
    assert not may(theirs / "link", asker)
    with pytest.raises(Unreadable, match=r"Access denied\."):
        listing(str(inner), asker, 10)
    inner.chmod(0o711)
    assert may(inner / "open", asker)
    with pytest.raises(Unreadable, match=r"Access denied\."):
        listing(str(inner), asker, 10)


def test_where_modes_are_not_the_whole_of_it_others_may_not(theirs: Path) -> None:
    file = theirs / "file"
    file.write_bytes(b"x")
    file.chmod(0o644)
    assert may(file, Asker(NOBODY, NOBODY))
    # acl(5) in the form of the kernel: version 2; owner rw-, user 65534 ---, group r--, mask r--, others r--.
    entries = [(0x01, 6, 0xFFFFFFFF), (0x02, 0, NOBODY), (0x04, 4, 0xFFFFFFFF), (0x10, 4, 0xFFFFFFFF), (0x20, 4, 0xFFFFFFFF)]
    packed = b"\2\0\0\0" + b"".join(
        tag.to_bytes(2, "little") + perm.to_bytes(2, "little") + who.to_bytes(4, "little") for tag, perm, who in entries
    )
    try:
        os.setxattr(file, "system.posix_acl_access", packed)
    except OSError:
        pytest.skip("this file system has no access control lists")
    assert not may(file, Asker(NOBODY, NOBODY))


def test_a_tree_is_walked_without_following_links_and_only_so_far(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").write_bytes(b"")
    (tmp_path / "c").symlink_to(tmp_path / "a")
    asker = Asker(os.geteuid(), os.getegid())
    found = listing(str(tmp_path), asker, 10)
    assert (found.files, found.folders, found.more) == (("b",), ("a",), False)
    assert listing(str(tmp_path), asker, 1).more
    with pytest.raises(Unreadable):
        listing(str(tmp_path / "c"), asker, 10)
    with pytest.raises(Unreadable):
        of_path(str(tmp_path / "c" / "x"), asker, 10)
    with pytest.raises(Folder):
        of_path(str(tmp_path / "a"), asker, 10)


ASK = """
import socket, sys
peer = socket.socket(socket.AF_UNIX)
peer.connect(sys.argv[1])
peer.sendall(b"zSCAN " + sys.argv[2].encode() + b"\\0")
sys.stdout.buffer.write(peer.recv(10000))
"""


async def test_the_kernel_says_who_asks(theirs: Path) -> None:
    file = theirs / "private"
    file.write_bytes(SECRET)
    file.chmod(0o600)

    def asked() -> bytes:
        # Not the environment's own interpreter, which nobody else may reach.
        command = ["/usr/bin/python3", "-c", ASK, str(theirs / "clamd.sock"), str(file)]
        return subprocess.run(
            command, capture_output=True, check=True, user=NOBODY, group=NOBODY, extra_groups=[], cwd="/"
        ).stdout

    if not Path("/usr/bin/python3").exists():
        pytest.skip(f"needs /usr/bin/python3 beside {sys.executable}")
    async with house(theirs, mode=0o666) as here:
        assert await asyncio.to_thread(asked) == bytes(file) + b": Access denied. ERROR\0"
        os.chown(file, NOBODY, NOBODY)
        assert await asyncio.to_thread(asked) == bytes(file) + b": " + FOUND + b"\0"
    assert len(here.judge.contents) == 1
