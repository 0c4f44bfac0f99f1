"""Durable before acknowledged, as the kernel sees it: fsync(file) < rename < fsync(folder) < commit < `250`."""

import asyncio
import smtplib
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.helpers.daemon import Daemon, configure, started
from tests.helpers.documents import a_mail
from tests.helpers.smtp import FakeHop, running
from tests.helpers.trace import Call, Step, Trace, in_order, need_strace, parsed, traced

OUTSIDE = "partner@example.org"
SENT = ("write", "writev", "sendto", "sendmsg")
SYNCED = ("fsync", "fdatasync")


def letter(text: str) -> bytes:
    return a_mail("ann@example.com", [OUTSIDE], "note", f"{text}\r\n")


def sent(daemon: Daemon, message: bytes, trace: Path) -> tuple[Trace, str]:
    """The trace of one message, and the reply to its end."""
    need_strace()
    with smtplib.SMTP("127.0.0.1", daemon.smtp, timeout=60) as client:
        client.ehlo("client.example.com")
        with traced(daemon.process.pid, trace) as seen:
            client.mail("ann@example.com")
            client.rcpt(OUTSIDE)
            code, text = client.data(message)
    return seen, f"{code} {text.decode()}"


def answered(port: int, reply: str) -> Step:
    """The write of that reply to a client of this port; of a socket strace cannot always tell more than its inode."""
    return (
        "the reply",
        lambda call: call.name in SENT and (f":{port}->" in call.on or "socket:[" in call.on) and call.data.startswith(reply),
    )


def synced(what: str, path: Callable[[str], bool]) -> Step:
    return what, lambda call: call.name in SYNCED and path(call.on)


def renamed(source: Callable[[str], bool], target: Callable[[str], bool]) -> Step:
    return "rename", lambda call: call.name.startswith("rename") and source(call.renamed[0]) and target(call.renamed[1])


def test_a_quarantined_message_is_durable_before_it_is_answered(daemon: Daemon, tmp_path: Path) -> None:
    seen, reply = sent(daemon, letter("秘密★5年"), tmp_path / "trace")
    held = daemon.json("quarantine", "list")[-1]["id"]
    assert reply.startswith("250 2.0.0 Message held"), reply
    steps = [
        synced("fsync of the object", lambda path: path.endswith(f"/.{held}.draft")),
        renamed(lambda path: path.endswith(f"/.{held}.draft"), lambda path: path.endswith(f"/{held}")),
        synced("fsync of its folder", lambda path: Path(path).parent == daemon.folder / "state" / "quarantine"),
        synced("commit", lambda path: path.endswith("/dlp.db-wal")),
        answered(daemon.smtp, "250 2.0.0 Message held"),
    ]
    file, name, folder, _, _ = in_order(seen.calls, steps)
    assert Path(name.renamed[0]).parent == Path(name.renamed[1]).parent == Path(folder.on)
    assert file.on == name.renamed[0]


def test_a_message_to_a_maildir_is_durable_before_it_is_answered(daemon: Daemon, tmp_path: Path) -> None:
    seen, reply = sent(daemon, letter("nothing of note"), tmp_path / "trace")
    name = reply.rpartition(" ")[2]
    assert (daemon.outbox / "new" / name).exists(), reply
    steps = [
        synced("fsync of the file", lambda path: path == str(daemon.outbox / "tmp" / name)),
        renamed(lambda path: path == str(daemon.outbox / "tmp" / name), lambda path: path == str(daemon.outbox / "new" / name)),
        synced("fsync of its folder", lambda path: path == str(daemon.outbox / "new")),
        answered(daemon.smtp, reply),
    ]
    in_order(seen.calls, steps)


async def test_a_relayed_message_is_answered_after_the_next_hop_has_answered(tmp_path: Path) -> None:
    need_strace()
    async with running(FakeHop()) as hop:
        seen, reply, port = await asyncio.to_thread(_relayed, tmp_path, hop.url)
        assert reply == "250 2.0.0 hop queued it as 4F2A"
        theirs: Step = (
            "the next hop's reply",
            lambda call: (
                call.name in ("read", "recvfrom", "recvmsg") and f"->127.0.0.1:{hop.port}]" in call.on and reply in call.data
            ),
        )
        in_order(seen.calls, [theirs, answered(port, reply)])


def _relayed(folder: Path, hop: str) -> tuple[Trace, str, int]:
    with started(configure(folder, next_hop=hop)) as daemon:
        return *sent(daemon, letter("nothing of note"), folder / "trace"), daemon.smtp


# What the reading of a trace can see

GOOD = """\
7 fsync(22</q/22/.x.draft>) = 0
7 rename("/q/22/.x.draft", "/q/22/x") = 0
7 fsync(22</q/22>) = 0
7 fdatasync(9</dlp.db-wal>) = 0
5 sendto(20<TCP:[127.0.0.1:25->127.0.0.1:40000]>, "250 2.0.0 Ok\\r\\n", 14, 0, NULL, 0) = 14
"""
STEPS = [
    synced("file", lambda path: path == "/q/22/.x.draft"),
    renamed(lambda path: path.endswith(".draft"), lambda path: path == "/q/22/x"),
    synced("folder", lambda path: path == "/q/22"),
    synced("commit", lambda path: path == "/dlp.db-wal"),
    answered(25, "250"),
]


def test_the_reading_knows_a_right_order() -> None:
    assert [call.begin for call in in_order(parsed(GOOD), STEPS)] == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("left", range(4))
def test_the_reading_notices_a_step_that_comes_too_late_or_never_or_fails(left: int) -> None:
    lines = GOOD.splitlines()
    later = [*lines[:left], lines[left + 1], lines[left], *lines[left + 2 :]]
    never = [*lines[:left], *lines[left + 1 :]]
    failed = [*lines[:left], lines[left].replace("= 0", "= -1 EIO (Input/output error) (INJECTED)"), *lines[left + 1 :]]
    for wrong in (later, never, failed):
        with pytest.raises(AssertionError, match="was not done before"):
            in_order(parsed("\n".join(wrong)), STEPS)


def test_the_reading_takes_a_call_that_is_still_going_on_for_not_done() -> None:
    lines = GOOD.splitlines()
    begun, ended = "7 fsync(22</q/22> <unfinished ...>", "7 <... fsync resumed>) = 0"
    right = [*lines[:2], begun, ended, *lines[3:]]
    wrong = [*lines[:2], begun, *lines[3:], ended]
    assert in_order(parsed("\n".join(right)), STEPS)[2] == Call(7, "fsync", "22</q/22>", 0, 2, 3)
    with pytest.raises(AssertionError, match="folder was not done before commit"):
        in_order(parsed("\n".join(wrong)), STEPS)
