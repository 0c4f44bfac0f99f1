"""The spool over real sockets: what it answers, when it tries again, whom it tells what."""

import asyncio
import fcntl
import os
import socket
import subprocess
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from dlp.blob import Blob
from dlp.channels import spool
from dlp.channels.relay import NextHop
from dlp.channels.spool_envelope import Fate
from dlp.channels.spool_runner import SpoolRunner
from dlp.channels.spool_settings import SpoolSettings
from dlp.errors import ConfigError, RelayError
from dlp.metrics import Metrics
from tests.channels.mail_house import Judge, house
from tests.channels.spool_house import (
    CONTENT,
    HEAD,
    SENDER,
    Clock,
    an_address,
    groups,
    parsed,
    spool_house,
    until,
)
from tests.helpers.smtp import CLOSE, GARBAGE, HANG, RESET, FakeHop, talking

B, C, D = b"<b@example.org>", b"<c@example.org>", b"<d@example.org>"


async def test_a_message_goes_through_unchanged(tmp_path: Path) -> None:
    async with spool_house(tmp_path) as here:
        await here.send(
            an_address(B, b"NOTIFY=FAILURE", b"ORCPT=rfc822;B@example.org"), sender=an_address(SENDER, b"ENVID=x+2By")
        )
        await here.emptied()
        assert here.hop.messages == [HEAD + CONTENT]
        assert here.hop.said("MAIL") == [b"MAIL FROM:<a@example.com> ENVID=x+2By SIZE=%d" % len(HEAD + CONTENT)]
        assert here.hop.said("RCPT") == [b"RCPT TO:<b@example.org> NOTIFY=FAILURE ORCPT=rfc822;B@example.org"]
        assert here.files("tmp") == here.files("journal") == here.files("queue") == []


async def test_a_large_message_goes_through_unchanged(tmp_path: Path) -> None:
    content = CONTENT + (b"0123456789" * 5000 + b"\r\n.\r\n") * 60
    async with spool_house(tmp_path, limit=len(content)) as here:
        await here.send(content=content)
        await here.emptied()
        assert here.hop.messages == [HEAD + content]


async def test_the_gateway_answers_250_while_the_next_hop_is_away(tmp_path: Path) -> None:
    hop = FakeHop(replies={"MAIL": ["451 4.3.0 not now", "250 2.1.0 ok"]})
    async with spool_house(tmp_path, hop=hop, retry_seconds=10) as here:
        gateway_hop = spool.SpoolHop(
            here.folder,
            NextHop.parse(hop.url),
            clock=here.clock,
            random=os.urandom,
            limit=1 << 20,
            stored=here.runner.poke,
        )
        async with house(hop=hop, judge=Judge(), through=gateway_hop) as gate, talking(gate.address) as client:
            assert "DSN" in await client.say(b"EHLO x")
            reply = await client.message(CONTENT, ehlo=False)
            assert reply.startswith("250 2.0.0 Ok: queued as ")
            name = reply.rpartition(" ")[2]
            await here.tried(name, 1)
            assert hop.messages == []
            here.clock.pass_(seconds=11)
            await here.emptied()
        assert hop.messages[0].endswith(CONTENT)
        assert b"X-DLP-Item: item-1\r\n" in hop.messages[0]


FAULTS = ["450 4.2.0 later", "421 4.3.2 closing", HANG, RESET, CLOSE, GARBAGE]


FAULTY = [(verb, fault) for verb in ("connect", "EHLO", "MAIL", "RCPT", "DATA", "end") for fault in FAULTS] + [("content", RESET)]


@pytest.mark.parametrize(("verb", "fault"), FAULTY)
async def test_after_any_passing_fault_it_is_tried_again(
    tmp_path: Path, verb: str, fault: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dlp.channels.relay._FINAL", 0.5)
    hop = FakeHop(replies={verb: fault})
    async with spool_house(tmp_path, hop=hop, timeout=0.5, retry_seconds=60) as here:
        name = await here.send(B, C)
        await here.tried(name, 1)
        assert here.folder.look(name).last_reply[:1] == "4"
        del hop.replies[verb]
        here.clock.pass_(seconds=61)
        await here.emptied()
        assert hop.messages[-1] == HEAD + CONTENT
        assert len(hop.messages) <= 2
        assert len(hop.messages) == 1 or verb == "end", "only what has no answer after its dot may come twice"


@pytest.mark.parametrize("verb", ["MAIL", "RCPT", "DATA", "end"])
async def test_a_refusal_for_good_is_returned_to_the_sender(tmp_path: Path, verb: str) -> None:
    hop = FakeHop(replies={verb: ["554 5.7.1 never, says the hop", "250 2.0.0 ok" if verb != "DATA" else "354 go on"]})
    async with spool_house(tmp_path, hop=hop) as here:
        await here.send()
        await here.emptied()
        report = parsed(hop.messages[-1])
        assert hop.said("MAIL")[-1].startswith(b"MAIL FROM:<> ")
        assert hop.said("RCPT")[-1] == b"RCPT TO:<a@example.com> NOTIFY=NEVER"
        message, recipient = groups(report)
        assert message["Reporting-MTA"] == "dns; gate.example"
        assert recipient["Final-Recipient"] == "rfc822; b@example.org"
        assert (recipient["Action"], recipient["Status"]) == ("failed", "5.7.1")
        assert recipient["Diagnostic-Code"] == "smtp; 554 5.7.1 never, says the hop"
        assert len(hop.messages) == 1 + (verb == "end")


async def test_each_recipient_has_a_fate_of_its_own(tmp_path: Path) -> None:
    hop = FakeHop(replies={"RCPT TO:<c@example.org>": "450 4.2.1 busy", "RCPT TO:<d@example.org>": "550 5.1.1 nobody"})
    async with spool_house(tmp_path, hop=hop) as here:
        name = await here.send(B, C, D)
        await until(lambda: len(hop.messages) == 2 and len(here.folder.names()) == 1)
        history = here.folder.look(name)
        assert [history.fate(place) for place in range(3)] == [Fate.TAKEN, Fate.WAITING, Fate.FAILED]
        report = parsed(hop.messages[1])
        assert [group["Final-Recipient"] for group in groups(report)[1:]] == ["rfc822; d@example.org"]
        for other in (b"b@example.org", b"c@example.org"):
            assert other not in hop.messages[1]
        hop.replies.clear()
        here.clock.pass_(seconds=61)
        await here.emptied()
        assert hop.said("RCPT TO:<B@") == [b"RCPT TO:<b@example.org>"], "who has it does not get it again"
        assert hop.said("RCPT TO:<C@") == [b"RCPT TO:<c@example.org>"] * 2
        assert len(hop.messages) == 3


async def test_replies_of_lmtp_count_for_each(tmp_path: Path) -> None:
    hop = FakeHop(lmtp=True, replies={"end": ["250 2.0.0 mine", "452 4.2.2 full", "550 5.2.1 closed", "250 2.0.0 ok"]})
    async with spool_house(tmp_path, hop=hop) as here:
        name = await here.send(B, C, D)
        await until(lambda: len(hop.messages) == 2 and len(here.folder.names()) == 1)
        history = here.folder.look(name)
        assert [history.fate(place) for place in range(3)] == [Fate.TAKEN, Fate.WAITING, Fate.FAILED]
        here.clock.pass_(seconds=61)
        await here.emptied()
        assert hop.said("RCPT TO:<C@") == [b"RCPT TO:<c@example.org>"] * 2
        assert len(hop.said("RCPT TO:<B@")) == len(hop.said("RCPT TO:<D@")) == 1


@pytest.mark.parametrize("fault", [RESET, HANG, GARBAGE])
async def test_who_has_his_reply_of_lmtp_keeps_it_if_the_next_is_missing(
    tmp_path: Path, fault: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dlp.channels.relay._FINAL", 0.5)
    hop = FakeHop(lmtp=True, replies={"end": ["250 2.0.0 mine", fault, "250 2.0.0 ok"]})
    async with spool_house(tmp_path, hop=hop, timeout=20) as here:
        name = await here.send(B, C)
        await here.tried(name, 1)
        here.clock.pass_(seconds=61)
        await here.emptied()
        assert len(hop.said("RCPT TO:<B@")) == 1
        assert len(hop.said("RCPT TO:<C@")) == 2


async def test_the_pauses_double_up_to_a_limit(tmp_path: Path) -> None:
    hop = FakeHop(replies={"RCPT": "450 4.2.0 later"})
    async with spool_house(tmp_path, hop=hop, retry_seconds=60, retry_max_seconds=200) as here:
        name = await here.send()
        await here.tried(name, 1)
        for pause, tries in ((60, 2), (120, 3), (200, 4), (200, 5)):
            here.clock.pass_(seconds=pause - 1)
            await asyncio.sleep(0.3)
            assert here.folder.look(name).tries == tries - 1
            here.clock.pass_(seconds=1)
            await here.tried(name, tries)


async def test_a_delay_is_told_once_and_then_the_end(tmp_path: Path) -> None:
    hop = FakeHop(replies={"RCPT TO:<b@example.org>": "450 4.2.0 later"})
    async with spool_house(tmp_path, hop=hop, retry_seconds=3600) as here:
        name = await here.send()
        await here.tried(name, 1)
        for hours in range(2, 8):
            here.clock.pass_(hours=1)
            await here.tried(name, hours)
        await until(lambda: len(hop.messages) == 1 and len(here.folder.names()) == 1)
        _, delayed = groups(parsed(hop.messages[0]))
        assert (delayed["Action"], delayed["Status"]) == ("delayed", "4.2.0")
        assert delayed["Will-Retry-Until"] == "Fri, 27 Nov 2026 12:00:00 +0000"
        here.clock.pass_(days=5)
        await here.emptied()
        assert len(hop.messages) == 2
        _, failed = groups(parsed(hop.messages[1]))
        assert (failed["Action"], failed["Status"]) == ("failed", "4.4.7")
        assert failed["Diagnostic-Code"] == "smtp; 450 4.2.0 later"


@pytest.mark.parametrize(
    ("notify", "told"),
    [
        ((), ["delayed", "failed"]),
        ((b"NOTIFY=NEVER",), []),
        ((b"NOTIFY=FAILURE",), ["failed"]),
        ((b"notify=delay",), ["delayed"]),
        ((b"NOTIFY=SUCCESS",), []),
        ((b"NOTIFY=SUCCESS,FAILURE,DELAY",), ["delayed", "failed"]),
    ],
)
async def test_the_sender_is_told_what_notify_asks(tmp_path: Path, notify: tuple[bytes, ...], told: list[str]) -> None:
    hop = FakeHop(replies={b"RCPT TO:<b@example.org>".decode() + "".join(f" {n.decode()}" for n in notify): "450 4.2.0 later"})
    async with spool_house(tmp_path, hop=hop, retry_seconds=5 * 3600, retry_max_seconds=1e6) as here:
        name = await here.send(an_address(B, *notify))
        await here.tried(name, 1)
        here.clock.pass_(hours=5)
        await here.tried(name, 2)
        here.clock.pass_(days=6)
        await here.emptied()
        assert [groups(parsed(message))[1]["Action"] for message in hop.messages] == told


@pytest.mark.parametrize("dsn", [True, False])
async def test_success_is_told_by_the_next_hop_or_by_us(tmp_path: Path, dsn: bool) -> None:
    hop = FakeHop(extensions=("SIZE", "8BITMIME", "DSN") if dsn else ("SIZE", "8BITMIME"))
    async with spool_house(tmp_path, hop=hop) as here:
        await here.send(an_address(B, b"NOTIFY=SUCCESS,FAILURE"), C)
        await here.emptied()
        if dsn:
            assert hop.said("RCPT") == [b"RCPT TO:<b@example.org> NOTIFY=SUCCESS,FAILURE", b"RCPT TO:<c@example.org>"]
            assert len(hop.messages) == 1
        else:
            assert hop.said("RCPT") == [b"RCPT TO:<b@example.org>", b"RCPT TO:<c@example.org>", b"RCPT TO:<a@example.com>"]
            relayed = groups(parsed(hop.messages[1]))[1:]
            assert [(one["Final-Recipient"], one["Action"]) for one in relayed] == [("rfc822; b@example.org", "relayed")]


async def test_nothing_is_returned_to_the_null_sender(tmp_path: Path) -> None:
    hop = FakeHop(replies={"RCPT": "550 5.1.1 nobody"})
    async with spool_house(tmp_path, hop=hop) as here:
        await here.send(sender=b"<>")
        await here.emptied()
        await until(lambda: not here.files("journal"))
        assert hop.messages == []


async def test_a_next_hop_that_is_back_gets_everything_at_once(tmp_path: Path) -> None:
    hop = FakeHop(replies={"connect": "421 4.3.2 away"})
    async with spool_house(tmp_path, hop=hop, retry_seconds=3600) as here:
        names = [await here.send() for _ in range(5)]
        for name in names:
            await here.tried(name, 1)
        hop.replies.clear()
        await here.send()
        await here.emptied()
        assert len(hop.messages) == 6


async def test_a_next_hop_that_is_away_is_asked_by_one_message_only(tmp_path: Path) -> None:
    hop = FakeHop(replies={"connect": "421 4.3.2 away"})
    async with spool_house(tmp_path, hop=hop, retry_seconds=60) as here:
        names = [await here.send() for _ in range(5)]
        for name in names:
            await here.tried(name, 1)

        def tries() -> int:
            return sum(here.folder.look(name).tries for name in names)

        here.clock.pass_(seconds=61)  # all by their own schedule
        await until(lambda: tries() >= 10)
        await asyncio.sleep(0.5)
        before = tries()
        here.clock.pass_(seconds=61)  # for one, and nobody's schedule
        await until(lambda: tries() == before + 1)
        await asyncio.sleep(0.5)
        assert tries() == before + 1
        hop.replies.clear()
        here.clock.pass_(seconds=60)
        await here.emptied()
        assert sorted(hop.messages) == [HEAD + CONTENT] * 5


async def test_another_process_writes_and_flushes(tmp_path: Path) -> None:
    hop = FakeHop(replies={"RCPT": ["450 4.2.0 later", "250 ok"]})
    async with spool_house(tmp_path, hop=hop, retry_seconds=3600) as here:
        other = spool.SpoolHop(here.folder, NextHop.parse(hop.url), clock=here.clock, random=os.urandom, limit=1000)
        with Blob.of([CONTENT]) as blob:
            reply = await other.deliver(an_address(SENDER), [an_address(B)], HEAD, blob)
        await other.close()
        await here.tried(reply.rpartition(" ")[2], 1)
        here.folder.flush()
        await here.emptied()
        assert hop.messages == [HEAD + CONTENT]
        assert not (here.folder.root / "flush").exists()


async def test_what_another_process_holds_is_left_alone_until_it_lets_go(tmp_path: Path) -> None:
    async with spool_house(tmp_path, run=False) as here:
        name = await here.send()
        held = os.open(here.folder.queue / name, os.O_RDONLY)
        fcntl.flock(held, fcntl.LOCK_EX)
        await here.runner.start()
        for _ in range(5):
            here.clock.pass_(seconds=1)
            await asyncio.sleep(0.1)
        assert here.hop.messages == []
        os.close(held)
        here.clock.pass_(seconds=1)
        await here.emptied()
        assert len(here.hop.messages) == 1


async def test_two_runners_deliver_everything_once(tmp_path: Path) -> None:
    async with spool_house(tmp_path, run=False) as here:
        for _ in range(30):
            await here.send()
        second = SpoolRunner(
            here.folder,
            NextHop.parse(here.hop.url),
            SpoolSettings(),
            Metrics(),
            clock=here.clock,
            random=os.urandom,
            hostname="gate.example",
            look=0.05,
        )
        await asyncio.gather(here.runner.start(), second.start())
        await here.emptied()
        await second.stop()
        assert len(here.hop.messages) == 30


async def test_everything_is_found_again_after_a_restart_with_its_schedule(tmp_path: Path) -> None:
    clock = Clock()
    hop = FakeHop(replies={"RCPT TO:<c@example.org>": "450 4.2.0 later"})
    async with spool_house(tmp_path, hop=hop, clock=clock) as here:
        name = await here.send(B, C)
        await here.tried(name, 1)
    hop = FakeHop()
    async with spool_house(tmp_path, hop=hop, clock=clock) as here:
        await asyncio.sleep(0.3)
        assert hop.messages == []
        clock.pass_(seconds=60)
        await here.emptied()
        assert hop.said("RCPT") == [b"RCPT TO:<c@example.org>"]


SPOILT = {
    "empty": b"",
    "no envelope": CONTENT,
    "no line end": b'{"v": 1}',
    "an unknown version": b'{"v": 2}\n\nx',
    "cut short": None,
    "longer": None,
    "bad journal": None,
}


@pytest.mark.parametrize("how", SPOILT)
async def test_what_cannot_be_read_is_set_aside_and_kept(tmp_path: Path, how: str, capsys: pytest.CaptureFixture[str]) -> None:
    async with spool_house(tmp_path, run=False) as here:
        good, bad = await here.send(), await here.send(C)
        path = here.folder.queue / bad
        whole = path.read_bytes()
        if (spoilt := SPOILT[how]) is None:
            spoilt = whole[:-1] if how == "cut short" else whole + b"x" if how == "longer" else whole
        path.write_bytes(spoilt)
        if how == "bad journal":
            (here.folder.journal / bad).write_bytes(b"what is this?\n")
        (here.folder.corrupt / bad).write_bytes(b"an older one")
        await here.runner.start()
        await here.emptied()
        assert here.hop.messages == [HEAD + CONTENT], good
        assert (here.folder.corrupt / bad).read_bytes() == b"an older one"
        assert (here.folder.corrupt / f"{bad}.1").read_bytes() == spoilt
        assert (here.folder.corrupt / f"{bad}.1.journal").exists() == (how == "bad journal")
        await until(lambda: here.metrics.registry.get_sample_value("dlp_spool_set_aside") == 2)
    said = capsys.readouterr().out
    assert "set aside" in said
    assert "Good morning" not in said


async def test_a_stranger_in_the_queue_is_set_aside(tmp_path: Path) -> None:
    async with spool_house(tmp_path) as here:
        (here.folder.queue / "Not Ours").write_bytes(b"x")
        os.mkfifo(here.folder.queue / "pipe")
        await here.emptied()
        assert here.files("corrupt") == ["Not Ours", "pipe"]


async def test_extensions_are_remembered_while_the_next_hop_is_away(tmp_path: Path) -> None:
    hop = FakeHop(extensions=("SIZE 1000", "8BITMIME"))
    async with spool_house(tmp_path, hop=hop) as here:
        assert await here.into.extensions() == {"SIZE": "1000", "8BITMIME": "", "DSN": ""}
    with socket.create_server(("127.0.0.1", 0)) as nobody:
        port = nobody.getsockname()[1]
    away = spool.SpoolHop(here.folder, NextHop.parse(f"smtp://127.0.0.1:{port}"), clock=Clock(), random=os.urandom, limit=1 << 20)
    assert await away.extensions() == {"SIZE": "1000", "8BITMIME": "", "DSN": ""}
    delivery = away.open()
    for sender, size, reply in (
        (an_address(SENDER, b"SMTPUTF8"), None, "550 5.6.7"),
        (an_address(SENDER), 1001, "552 5.3.4"),
    ):
        with pytest.raises(RelayError) as caught:
            await delivery.mail(sender, size=size)
        assert caught.value.reply.startswith(reply)
    await away.close()


async def test_a_next_hop_that_never_spoke_is_not_made_up(tmp_path: Path) -> None:
    async with spool_house(tmp_path, hop=FakeHop(replies={"connect": RESET})) as here:
        with pytest.raises(RelayError):
            await here.into.extensions()
        name = await here.send(sender=an_address(SENDER, b"SMTPUTF8"))
        await here.tried(name, 1)


async def test_mail_is_refused_while_there_is_room_for_less_than_two_messages(tmp_path: Path) -> None:
    async with spool_house(tmp_path, limit=1 << 60) as here:
        delivery = here.into.open()
        with pytest.raises(RelayError) as caught:
            await delivery.mail(an_address(SENDER), size=None)
        assert caught.value.reply == "452 4.3.1 Insufficient system storage, try again later"


async def test_a_spool_that_cannot_be_written_is_451(tmp_path: Path) -> None:
    async with spool_house(tmp_path, run=False) as here:
        delivery = here.into.open()
        await delivery.mail(an_address(SENDER), size=None)
        await delivery.rcpt(an_address(B))
        here.folder.tmp.rmdir()
        here.folder.tmp.write_bytes(b"in the way")
        with Blob.of([CONTENT]) as blob, pytest.raises(RelayError) as caught:
            await delivery.data(HEAD, blob)
        assert caught.value.reply.startswith("451 4.3.0 ")
        assert here.files("queue") == []
        here.folder.tmp.unlink()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 1 MiB."""
    if os.geteuid() != 0:
        pytest.skip("only root can mount")
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", disk], capture_output=True, text=True, check=False
    )
    if mounted.returncode:
        pytest.skip(f"cannot mount here: {mounted.stderr.strip()}")
    try:
        yield disk
    finally:
        subprocess.run(["umount", disk], check=True)


def fill(disk: Path) -> Path:
    path = disk / "ballast"
    with path.open("wb", buffering=0) as file:
        for size in (1 << 16, 4096):
            try:
                while file.write(b"x" * size) == size:
                    continue
            except OSError:
                continue
    return path


@pytest.mark.root
async def test_a_full_disk_is_452_and_leaves_nothing(tmp_path: Path, small_disk: Path) -> None:
    async with spool_house(small_disk, run=False, limit=1000) as here:
        delivery = here.into.open()
        await delivery.mail(an_address(SENDER), size=None)
        await delivery.rcpt(an_address(B))
        with Blob.of([b"x" * (2 << 20)]) as blob, pytest.raises(RelayError) as caught:
            await delivery.data(HEAD, blob)
        assert caught.value.reply.startswith("452 4.3.1 ")
        assert here.files("queue") == here.files("tmp") == []


@pytest.mark.root
async def test_on_a_full_disk_nobody_gets_it_twice(tmp_path: Path, small_disk: Path) -> None:
    hop = FakeHop(replies={"RCPT TO:<c@example.org>": "450 4.2.0 later"})
    async with spool_house(small_disk, hop=hop, run=False, limit=1000, retry_seconds=1) as here:
        name = await here.send(B, C)
        ballast = fill(small_disk)
        await here.runner.start()
        await until(lambda: hop.messages)
        for _ in range(5):
            here.clock.pass_(seconds=10)
            await asyncio.sleep(0.1)
        assert len(hop.messages) == 1
        ballast.unlink()
        await here.tried(name, 1)
        hop.replies.clear()

        def emptied_later() -> bool:
            here.clock.pass_(seconds=10)  # again and again, for one more try may have been under way
            return not here.folder.names()

        await until(emptied_later)
        assert hop.said("RCPT TO:<B@") == [b"RCPT TO:<b@example.org>"]


async def test_a_message_with_a_key_is_taken_once(tmp_path: Path) -> None:
    async with spool_house(tmp_path) as here:
        assert [await here.send(key="q-1") for _ in range(2)] == ["q-1", "q-1"]
        await here.emptied()
        assert await here.send(key="q-1") == "q-1"
        await asyncio.sleep(0.3)
        assert len(here.hop.messages) == 1
        await here.send(key="q-2")
        await here.emptied()
        assert len(here.hop.messages) == 2


async def test_no_more_deliveries_at_once_than_allowed(tmp_path: Path) -> None:
    hop = FakeHop(replies={"end": HANG})
    async with spool_house(tmp_path, hop=hop, deliveries=3, patience=0.1) as here:
        for _ in range(8):
            await here.send()
        await until(lambda: len(hop.wire) == 3)
        await asyncio.sleep(0.3)
        assert (len(hop.wire), hop.open) == (3, 3)
    assert len(here.folder.names()) == 8, "what was cut off is tried again"


async def test_the_gauges_say_how_much_and_how_old(tmp_path: Path) -> None:
    hop = FakeHop(replies={"RCPT": "450 4.2.0 later"})
    async with spool_house(tmp_path, hop=hop) as here:
        names = [await here.send() for _ in range(2)]
        for name in names:
            await here.tried(name, 1)
        here.clock.pass_(seconds=30)
        value = here.metrics.registry.get_sample_value
        await until(lambda: (value("dlp_spool_items"), value("dlp_spool_oldest_seconds")) == (2, 30))
        assert value("dlp_spool_deliveries_total", {"result": "deferred"}) == 2


async def test_a_release_ends_durably_without_a_runner(tmp_path: Path) -> None:
    async with spool_house(tmp_path, run=False) as here:
        await here.send(key="q-7")
        assert here.files("queue") == ["q-7"]
        await here.runner.start()
        await here.emptied()
        assert here.files("done") == ["q-7"]


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("retry_seconds", 0.0),
        ("retry_max_seconds", 1.0),
        ("warn_seconds", -1.0),
        ("give_up_seconds", 1e12),
        ("give_up_seconds", 1.0),
        ("deliveries", 0),
        ("retry_seconds", float("nan")),
    ],
)
def test_a_setting_that_cannot_work_is_refused(key: str, value: float) -> None:
    with pytest.raises(ConfigError) as caught:
        SpoolSettings(**{key: value})  # type: ignore[arg-type]
    assert caught.value.faults[0].key == f"mail.spool.{key}"


def test_pauses_never_overflow() -> None:
    settings = SpoolSettings()
    assert [settings.pause(tries) for tries in (1, 2, 7, 10**6)] == [timedelta(seconds=s) for s in (60, 120, 3600, 3600)]
