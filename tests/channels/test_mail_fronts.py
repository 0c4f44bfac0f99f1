"""The gateway in processes of its own: what it does in one process it does in several, and none of them is trusted with a key."""

import asyncio
import contextlib
import os
import signal
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from dlp.channels.front_wire import PACKET, FrontWire, Packet, dump_error, dump_item, parse_error, parse_item
from dlp.channels.mail_fronts import MailFronts
from dlp.channels.mail_settings import MailSettings
from dlp.channels.sockets import listening
from dlp.errors import GateError, RelayError, StoreError, WorkerError
from dlp.metrics import Metrics
from dlp.model import Action, Envelope
from tests.channels.mail_house import Judge
from tests.helpers.smtp import FakeHop, running, talking, without_ours
from tests.store.items import an_envelope, an_item

MESSAGE = b"Subject: hello\r\n\r\nGood morning.\r\n"
THREE = (b"<a@example.org>", b"<b@example.org>", b"<c@example.org>")
pytestmark = pytest.mark.timeout(300)


class Fronts:
    def __init__(self, channel: MailFronts, judge: Judge, hop: FakeHop, metrics: Metrics) -> None:
        self.channel, self.judge, self.hop, self.metrics = channel, judge, hop, metrics

    @property
    def address(self) -> tuple[str, int]:
        return self.channel.addresses[0]

    def pids(self) -> set[int]:
        return {front._process.pid for front in self.channel._fronts}


@asynccontextmanager
async def fronts(state: Path, *, judge: Judge | None = None, hop: FakeHop | None = None, **more: Any) -> AsyncIterator[Fronts]:
    judge, hop, metrics = judge or Judge(), hop or FakeHop(), Metrics()
    (state / "mail").mkdir()
    async with running(hop):
        chosen = {"listen": ("127.0.0.1:0",), "hostname": "gate.example", "next_hop": hop.url, "processes": 1, **more}
        settings = MailSettings(**chosen)
        channel = MailFronts(settings, judge, metrics, given=(), state=state, names=lambda: {"secret": "机密"})
        await channel.start()
        try:
            yield Fronts(channel, judge, hop, metrics)
        finally:
            if judge.wait is not None:
                judge.wait.set()
            await channel.stop()


async def test_a_message_is_judged_here_and_delivered_there(tmp_path: Path) -> None:
    async with fronts(tmp_path) as here, talking(here.address) as client:
        await client.say(b"EHLO x", b"MAIL FROM:<\xff@example.com> RET=HDRS", b"RCPT TO:<to@example.org> NOTIFY=NEVER", b"DATA")
        await client.send(MESSAGE + b".\r\n")
        assert await client.reply() == "250 2.0.0 hop queued it as 4F2A"
        arrived, ours = without_ours(here.hop.messages[0])
        assert arrived == here.judge.contents[0] == MESSAGE
        assert ours["X-DLP-Action"] == "released"
        (envelope,) = here.judge.envelopes
        assert (envelope.sender, envelope.recipients, envelope.subject) == ("\udcff@example.com", ("to@example.org",), "hello")
        assert here.judge.attributes[0]["recipients"] == [{"path": "<to@example.org>", "params": ["NOTIFY=NEVER"]}]
        assert here.hop.said("MAIL")[0].startswith(b"MAIL FROM:<\xff@example.com> RET=HDRS")


@pytest.mark.parametrize(
    ("judge", "reply"),
    [
        (Judge(action=Action.BLOCK), "550 5.7.1 Message refused by policy, reference incident-7"),
        (Judge(action=Action.QUARANTINE), "250 2.0.0 Message held for review, reference incident-7"),
        (Judge(action=Action.QUARANTINE, held=None), "451 4.3.0 Temporary failure, try again later"),
        (Judge(error=StoreError("the disk is full")), "451 4.3.0 Temporary failure, try again later"),
        (Judge(error=RuntimeError("a bug that quotes 机密")), "451 4.3.0 Temporary failure, try again later"),
        (Judge(error=RelayError("452 4.2.2 full", "full")), "452 4.2.2 full"),
        (Judge(error_after=StoreError("not recorded")), "250 2.0.0 hop queued it as 4F2A"),
    ],
)
async def test_every_verdict_and_every_fault_reaches_the_client(tmp_path: Path, judge: Judge, reply: str) -> None:
    async with fronts(tmp_path, judge=judge) as here, talking(here.address) as client:
        assert await client.message(MESSAGE) == reply
        assert (await client.say(b"NOOP")).startswith("250")


async def test_a_refusal_of_the_next_hop_passes_verbatim(tmp_path: Path) -> None:
    async with fronts(tmp_path, hop=FakeHop(replies={"end": "554 5.6.0 nö \udcff"})) as here, talking(here.address) as client:
        assert await client.message(MESSAGE) == "554 5.6.0 nö \udcff"


async def test_a_worker_that_cannot_be_had_is_what_on_failure_says(tmp_path: Path) -> None:
    judge = Judge(error=WorkerError("none"))
    async with fronts(tmp_path, judge=judge, on_failure="pass-with-header") as here, talking(here.address) as client:
        assert (await client.message(MESSAGE)).startswith("250 ")
        assert without_ours(here.hop.messages[0])[1]["X-DLP-Action"] == "unscanned"


async def test_recipients_are_parted_there_too(tmp_path: Path) -> None:
    judge = Judge(apart=frozenset({1}))
    async with fronts(tmp_path, judge=judge, split=True) as here, talking(here.address) as client:
        assert await client.message(MESSAGE, *THREE) == "250 2.0.0 hop queued it as 4F2A"
        assert here.hop.said("RCPT")[-2:] == [b"RCPT TO:" + one for one in THREE[::2]]
        kept, passed = judge.attributes
        assert [one["path"] for one in kept["recipients"]] == ["<b@example.org>"]
        assert [one["path"] for one in passed["recipients"]] == ["<a@example.org>", "<c@example.org>"]


async def test_other_content_goes_in_place(tmp_path: Path) -> None:
    judge = Judge(action=Action.QUARANTINE, instead=b"Subject: less\r\n\r\nGood.\r\n")
    async with fronts(tmp_path, judge=judge) as here, talking(here.address) as client:
        assert (await client.message(MESSAGE)).startswith("250 ")
        arrived, ours = without_ours(here.hop.messages[0])
        assert (arrived, ours["X-DLP-Action"]) == (judge.instead, "replaced")
        assert 0 < judge.patience <= 80


async def test_a_level_is_called_as_the_daemon_calls_it(tmp_path: Path) -> None:
    async with fronts(tmp_path, judge=Judge(level="secret"), subject_tag="[{level}]") as here, talking(here.address) as client:
        await client.message(MESSAGE)
        assert b"=?utf-8?" in here.hop.messages[0].lower()
        assert b"\r\n\r\nGood morning.\r\n" in here.hop.messages[0]


async def test_a_large_message_and_a_long_envelope_pass(tmp_path: Path) -> None:
    large = b"Subject: large\r\n\r\n" + (b"x" * 70 + b"\r\n") * 30_000
    many = tuple(b"<%05d%s@example.org>" % (number, b"y" * 50) for number in range(900))
    async with fronts(tmp_path) as here, talking(here.address) as client:
        assert (await client.message(large, *many)).startswith("250 ")
        assert here.judge.contents == [large]
        assert len(here.judge.envelopes[0].recipients) == 900
    assert list((tmp_path / "mail").iterdir()) == []


async def test_one_that_dies_takes_only_its_own_with_it_and_comes_again(tmp_path: Path) -> None:
    judge = Judge(wait=asyncio.Event())
    async with fronts(tmp_path, judge=judge) as here:
        (first,) = here.pids()
        async with talking(here.address) as client:
            await client.begin()
            await client.send(MESSAGE + b".\r\n")
            await judge.arrived.wait()
            os.kill(first, signal.SIGKILL)
            with contextlib.suppress(ConnectionError):
                assert await client.reply() == "", "nothing was promised"
        assert judge.wait is not None
        judge.wait.set()
        while here.pids() <= {first}:
            await asyncio.sleep(0.05)
        async with talking(here.address) as client:
            assert (await client.message(MESSAGE)).startswith("250 ")
        assert here.hop.messages and len(here.hop.messages) == 1
        assert here.metrics.registry.get_sample_value("dlp_worker_restarts_total", {"why": "mail-front"}) == 1


async def test_one_that_is_ready_has_no_capability_and_gets_none(tmp_path: Path) -> None:
    async with fronts(tmp_path) as here:
        (pid,) = here.pids()
        status = dict(line.split(":\t", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines() if ":\t" in line)
        assert {int(status[name], 16) for name in ("CapInh", "CapPrm", "CapEff", "CapAmb")} == {0}
        assert status["NoNewPrivs"] == "1"
        handed = {os.readlink(f"/proc/{pid}/fd/{one}") for one in os.listdir(f"/proc/{pid}/fd")}
        assert not [name for name in handed if "dlp.db" in name or "quarantine.key" in name or "audit" in name]


async def test_several_serve_one_port(tmp_path: Path) -> None:
    async with fronts(tmp_path, processes=2) as here:
        assert len(here.pids()) == 2

        async def one() -> str:
            async with talking(here.address) as client:
                return await client.message(MESSAGE)

        replies = await asyncio.gather(*[one() for _ in range(20)])
        assert all(reply.startswith("250 ") for reply in replies)
        assert len(here.judge.contents) == 20


async def test_stopping_finishes_what_is_under_way_and_then_they_end(tmp_path: Path) -> None:
    judge = Judge(wait=asyncio.Event())
    async with fronts(tmp_path, judge=judge) as here, talking(here.address) as client:
        await client.begin()
        await client.send(MESSAGE + b".\r\n")
        await judge.arrived.wait()
        stopping = asyncio.create_task(here.channel.stop())
        await asyncio.sleep(0.2)
        assert not stopping.done()
        assert judge.wait is not None
        judge.wait.set()
        assert (await client.reply()).startswith("250 ")
        assert (await client.say(b"QUIT")).startswith("221")
        await stopping
        assert not here.pids()


async def test_what_they_count_is_counted_here(tmp_path: Path) -> None:
    users = tmp_path / "users"
    users.touch(mode=0o600)
    async with fronts(tmp_path, auth_file=users) as here, talking(here.address) as client:
        assert (await client.say(b"EHLO x", b"AUTH PLAIN AGEAYg==")).startswith("535")
        while not here.metrics.registry.get_sample_value("dlp_mail_auth_failures_total", {"why": "rejected"}):
            await asyncio.sleep(0.1)


async def test_an_address_that_is_taken_is_an_error(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(OSError, match="in use"):
        async with fronts(tmp_path, listen=(f"127.0.0.1:{taken.getsockname()[1]}",)):
            pass


async def test_one_that_cannot_start_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dlp.channels.mail_fronts.MODULE", "dlp.errors")
    with pytest.raises(OSError, match="did not start"):
        async with fronts(tmp_path):
            pass


# What they say to each other


@asynccontextmanager
async def wires() -> AsyncIterator[tuple[FrontWire, "asyncio.Queue[tuple[Packet, list[int]]]", asyncio.Event]]:
    near, far = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    heard: asyncio.Queue[tuple[Packet, list[int]]] = asyncio.Queue()
    lost = asyncio.Event()
    listener = FrontWire(far, lambda packet, held: heard.put_nowait((packet, held)), lost.set)
    speaker = FrontWire(near, lambda packet, held: None, lambda: None)
    yield speaker, heard, lost
    speaker.close()
    listener.close()


async def test_packets_of_any_size_arrive_in_order_with_their_descriptors() -> None:
    async with wires() as (speaker, heard, _):
        before = len(os.listdir("/proc/self/fd"))
        sizes = [0, 10, PACKET - 100, PACKET + 1, 3 * PACKET, 1] * 40
        for number, size in enumerate(sizes):
            descriptor = os.memfd_create("x")
            os.write(descriptor, b"%d" % number)
            speaker.send({"number": number, "text": "y" * size}, [descriptor])
            os.close(descriptor)
        for number, size in enumerate(sizes):
            packet, (descriptor,) = await heard.get()
            assert (packet["number"], len(packet["text"])) == (number, size)
            assert os.pread(descriptor, 10, 0) == b"%d" % number
            os.close(descriptor)
        assert len(os.listdir("/proc/self/fd")) == before


async def test_an_end_that_goes_is_missed_once() -> None:
    async with wires() as (speaker, _, lost):
        speaker.close()
        await asyncio.wait_for(lost.wait(), 5)
        speaker.send({"say": "nothing"})


def test_an_item_comes_over_whole() -> None:
    item = an_item(origin=an_envelope())
    with item.blob:
        again = parse_item(dump_item(item), item.blob.descriptor)
        assert isinstance(again.origin, Envelope)
        assert (again.id, again.origin, again.arrived, again.blob.sha256) == (
            item.id,
            item.origin,
            item.arrived,
            item.blob.sha256,
        )


@pytest.mark.parametrize(
    "error", [RelayError("550 5.1.1 who \udcff", "who"), WorkerError("none"), GateError("not"), StoreError("full")]
)
def test_our_errors_come_over_as_they_are(error: Exception) -> None:
    again = parse_error(dump_error(error))
    assert (type(again), str(again), getattr(again, "reply", "")) == (type(error), str(error), getattr(error, "reply", ""))


def test_of_a_strangers_error_only_its_kind_comes_over() -> None:
    assert str(parse_error(dump_error(KeyError("机密")))) == "internal error: KeyError"
    assert parse_error(dump_error(None)) is None


def test_sockets_that_are_given_are_used_where_they_are_bound() -> None:
    with socket.create_server(("127.0.0.1", 0)) as given:
        mine = f"127.0.0.1:{given.getsockname()[1]}"
        first, second = listening([mine, "127.0.0.1:0"], [given])
        with second:
            assert first is given
            assert second.getsockname()[1] != given.getsockname()[1]
