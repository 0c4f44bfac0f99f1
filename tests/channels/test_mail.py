"""The gateway over real sockets: what it answers, what it sends on, what it keeps back."""

import asyncio
import hashlib
import smtplib
import ssl
from collections.abc import Iterator
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest

from dlp.channels.mail import MailGateway
from dlp.channels.mail_gate import release_message
from dlp.channels.mail_settings import MailSettings
from dlp.channels.relay import NextHop
from dlp.errors import ConfigError, GateError, RelayError, StoreError, WorkerError
from dlp.metrics import Metrics
from dlp.model import Action, Channel
from dlp.ports import Held
from dlp.settings import check
from tests.channels.mail_house import NOW, Judge, house
from tests.helpers.smtp import HANG, RESET, SLOW, FakeHop, normalised, running, talking, without_ours

MESSAGE = b"From: a@example.com\r\nSubject: hello\r\n\r\nGood morning.\r\n"

CONTENTS = {
    "plain": MESSAGE,
    "empty": b"",
    "headers only": b"Subject: nothing follows\r\n",
    "only a line end": b"\r\n",
    "no header": b"\r\nbody at once\r\n",
    "dots": b"Subject: dots\r\n\r\n.\r\n..\r\n...\r\n.hidden\r\na.\r\n.\r\n",
    "a dot as the whole": b".\r\n",
    "8-bit": b"Subject: \xd6\xd0\xce\xc4\r\n\r\n" + bytes(range(0x80, 0x100)) * 40 + b"\r\n",
    "NUL": b"Subject: zero\r\n\r\na\0b\0\0\r\n\0\r\n",
    "control characters": bytes(set(range(256)) - {10, 13}) + b"\r\n",
    "long line": b"Subject: long\r\n\r\n" + b"x" * 100_000 + b"\r\nend\r\n",
    "long header": b"Subject: " + b"y" * 100_000 + b"\r\n\r\nbody\r\n",
    "long line of dots": b"\r\n" + b"." * 70_000 + b"\r\n",
    "empty lines": b"\r\n" * 3_000,
    "dots across chunks": b"A: b\r\n\r\n" + b"0123456789\r\n.\r\n" * 40_000,
    "not a header": b"this is no header\r\nX: y\r\n\r\nbody\r\n",
    "folded": b"Subject: one\r\n two\r\n\tthree\r\n\r\nbody\r\n",
}


@pytest.mark.parametrize("name", CONTENTS)
async def test_content_arrives_unchanged_but_for_the_fields_on_top(name: str) -> None:
    async with house() as here, talking(here.address) as client:
        assert await client.message(CONTENTS[name]) == "250 2.0.0 hop queued it as 4F2A"
        arrived, ours = without_ours(here.hop.messages[0])
    assert arrived == CONTENTS[name]
    assert here.judge.contents == [CONTENTS[name]]
    assert list(ours) == ["Received", "X-DLP-Item", "X-DLP-Action"]
    assert ours["X-DLP-Item"] == "item-1"
    assert ours["X-DLP-Action"] == "released"


@pytest.mark.corpus
async def test_real_messages_arrive_unchanged_but_for_line_ends(corpus: Path) -> None:
    originals = [path.read_bytes() for path in sorted((corpus / "mail").iterdir())]
    async with house() as here, talking(here.address) as client:
        for original in originals:
            wire = normalised(original)
            assert (await client.message(wire)).startswith("250 ")
            expected = wire if wire.endswith(b"\r\n") else wire + b"\r\n"
            assert without_ours(here.hop.messages[-1])[0] == here.judge.contents[-1] == expected
        for original in originals:  # as a careless client sends them, with the line ends they have
            await client.begin()
            await client.send(original.replace(b"\n.", b"\n..") + b"\r\n.\r\n")
            assert (await client.reply()).startswith("250 ")
            assert without_ours(here.hop.messages[-1])[0] == here.judge.contents[-1]
            assert here.judge.contents[-1] == normalised(here.judge.contents[-1])
    assert len(here.hop.wire) == 2 * len(originals)


async def test_the_trace_field_names_client_gateway_protocol_and_time_but_no_recipient() -> None:
    async with house() as here, talking(here.address) as client:
        await client.message(MESSAGE, b"<secret-bcc@example.org>")
        _, ours = without_ours(here.hop.messages[0])
    assert ours["Received"] == (
        "from client.example ([127.0.0.1])\tby gate.example with ESMTP id item-1;\tSun, 22 Nov 2026 12:00:00 +0000"
    )
    assert b"secret-bcc" not in here.hop.messages[0]


async def test_the_envelope_tells_who_sends_what_to_whom() -> None:
    async with house() as here, talking(here.address) as client:
        subject = b"Subject: =?utf-8?B?5py65a+G?= =?gb18030?B?zsS8/g==?= no. 7\r\n\r\n"
        await client.message(subject, b"<to@example.org>", b"<@route.example:two@example.net>")
        port = client.writer.get_extra_info("sockname")[1]
    envelope = here.judge.envelopes[0]
    assert envelope.peer == f"127.0.0.1:{port}"
    assert envelope.sender == "from@example.com"
    assert envelope.recipients == ("to@example.org", "two@example.net")
    assert envelope.subject == "机密文件 no. 7"
    assert (envelope.user, envelope.queue_id) == (None, None)


@pytest.mark.parametrize(
    ("action", "reply"),
    [
        (Action.ALLOW, "250 2.0.0 hop queued it as 4F2A"),
        (Action.ALERT, "250 2.0.0 hop queued it as 4F2A"),
        (Action.QUARANTINE, "250 2.0.0 Message held for review, reference incident-7"),
        (Action.BLOCK, "550 5.7.1 Message refused by policy, reference incident-7"),
    ],
)
async def test_the_reply_follows_the_action(action: Action, reply: str) -> None:
    async with house(judge=Judge(action=action)) as here, talking(here.address) as client:
        assert await client.message(MESSAGE) == reply
        # The session, and the hop's connection, are good for another message.
        assert await client.message(MESSAGE) == reply
    delivered = 2 if action < Action.QUARANTINE else 0
    assert len(here.hop.wire) == delivered
    assert len(here.hop.said("DATA")) == delivered
    assert here.hop.connections <= 2  # the RSET of the first may still be under way


async def test_a_message_that_is_not_in_custody_is_not_called_held() -> None:
    async with house(judge=Judge(action=Action.QUARANTINE, held=None)) as here, talking(here.address) as client:
        assert await client.message(MESSAGE) == "451 4.3.0 Temporary failure, try again later"
        assert here.hop.wire == []


@pytest.mark.parametrize("error", [StoreError("disk full"), WorkerError("no child"), RuntimeError("a bug"), KeyError("x")])
async def test_a_failure_of_ours_is_451_and_delivers_nothing(error: Exception) -> None:
    async with house(judge=Judge(error=error)) as here, talking(here.address) as client:
        assert await client.message(MESSAGE) == "451 4.3.0 Temporary failure, try again later"
        assert here.hop.wire == []
        here.judge.error = None
        assert (await client.message(MESSAGE)).startswith("250 ")


@pytest.mark.parametrize("error", [StoreError("incident not closed"), RuntimeError("a bug"), RelayError("451 x", "y")])
async def test_what_has_been_done_is_answered_even_if_recording_it_failed(error: Exception) -> None:
    async with house(judge=Judge(error_after=error)) as here, talking(here.address) as client:
        assert await client.message(MESSAGE) == "250 2.0.0 hop queued it as 4F2A"


async def test_pass_with_header_delivers_when_nothing_can_inspect() -> None:
    judge = Judge(error=WorkerError("no child"))
    async with house(judge=judge, on_failure="pass-with-header") as here, talking(here.address) as client:
        assert (await client.message(MESSAGE)).startswith("250 2.0.0 hop")
        content, ours = without_ours(here.hop.messages[0])
        assert (content, ours["X-DLP-Action"]) == (MESSAGE, "unscanned")
        judge.error = StoreError("no custody")
        assert (await client.message(MESSAGE)).startswith("451 4.3.0")


async def test_pass_with_header_passes_on_the_next_hops_refusal() -> None:
    judge = Judge(error=WorkerError("no child"))
    hop = FakeHop(replies={"end": "554 5.6.0 hop dislikes it"})
    async with house(judge=judge, hop=hop, on_failure="pass-with-header") as here, talking(here.address) as client:
        assert await client.message(MESSAGE) == "554 5.6.0 hop dislikes it"


async def test_past_the_deadline_the_sender_is_put_off_and_nothing_is_delivered_afterwards() -> None:
    judge = Judge(wait=asyncio.Event())
    async with house(judge=judge, deadline_seconds=0.1) as here, talking(here.address) as client:
        assert await client.message(MESSAGE) == "451 4.3.0 Inspection took too long, try again later"
        assert judge.wait is not None
        judge.wait.set()
        await here.gateway.stop()
    assert here.hop.wire == []


async def test_the_sessions_idle_time_does_not_run_while_we_work() -> None:
    judge = Judge(wait=asyncio.Event())
    async with house(judge=judge, idle_seconds=0.2) as here, talking(here.address) as client:
        assert (await client.begin()).startswith("354")
        await client.send(b"\r\n.\r\n")
        await judge.arrived.wait()
        await asyncio.sleep(0.5)
        assert judge.wait is not None
        judge.wait.set()
        assert (await client.reply()).startswith("250 ")
        assert await client.reply() == "421 4.4.2 Idle for too long"
        assert await client.closed()


async def test_a_slow_sender_is_not_idle() -> None:
    async with house(idle_seconds=0.4) as here, talking(here.address) as client:
        assert (await client.begin()).startswith("354")
        for byte in b"Subject: s\r\n\r\n.\r\n":
            await asyncio.sleep(0.05)
            await client.send(bytes([byte]))
        assert (await client.reply()).startswith("250 ")


@pytest.mark.parametrize("action", [Action.ALLOW, Action.QUARANTINE])
async def test_a_client_that_half_closes_after_the_dot_gets_its_reply(action: Action) -> None:
    judge = Judge(wait=asyncio.Event(), action=action)
    async with house(judge=judge) as here, talking(here.address) as client:
        await client.begin()
        await client.send(MESSAGE + b".\r\n")
        client.writer.write_eof()
        await judge.arrived.wait()
        assert judge.wait is not None
        judge.wait.set()
        assert (await client.reply()).startswith("250 2.0.0")
        assert await client.closed()


async def test_a_client_that_vanishes_after_the_dot_does_not_stop_the_message() -> None:
    judge = Judge(wait=asyncio.Event())
    async with house(judge=judge) as here:
        async with talking(here.address) as client:
            await client.begin()
            await client.send(MESSAGE + b".\r\n")
            await judge.arrived.wait()
            client.writer.transport.abort()
        assert judge.wait is not None
        judge.wait.set()
        await here.gateway.stop()
        assert len(here.hop.wire) == 1


async def test_a_client_that_vanishes_before_the_dot_leaves_nothing() -> None:
    async with house() as here:
        async with talking(here.address) as client:
            await client.begin()
            await client.send(b"Subject: never ends\r\n\r\n.\r")
            client.writer.write_eof()
            assert await client.closed()
        await here.gateway.stop()
    assert (here.judge.contents, here.hop.wire, here.hop.said("DATA")) == ([], [], [])


async def test_stop_waits_for_the_message_in_work_and_ends_idle_sessions() -> None:
    judge = Judge(wait=asyncio.Event())
    async with house(judge=judge) as here, talking(here.address) as busy, talking(here.address) as idle:
        await busy.begin()
        await busy.send(MESSAGE + b".\r\n")
        await judge.arrived.wait()
        stopping = asyncio.create_task(here.gateway.stop())
        assert await idle.reply() == "421 4.3.2 Service is shutting down"
        assert not stopping.done()
        assert judge.wait is not None
        judge.wait.set()
        assert await busy.reply() == "250 2.0.0 hop queued it as 4F2A"
        assert await busy.reply() == "421 4.3.2 Service is shutting down"
        await asyncio.wait_for(stopping, 10)
        assert await busy.closed()


async def test_who_has_come_may_send_one_message_while_we_stop() -> None:
    async with house() as here, talking(here.address) as fresh, talking(here.address) as known:
        assert (await known.message(MESSAGE)).startswith("250 ")
        assert (await known.say(b"MAIL FROM:<a@example.com>")).startswith("250 ")
        stopping = asyncio.create_task(here.gateway.stop())
        await asyncio.sleep(0.1)
        assert (await fresh.message(MESSAGE)).startswith("250 ")
        assert await fresh.say(b"MAIL FROM:<a@example.com>") == "421 4.3.2 Service is shutting down"
        await asyncio.sleep(2.5)  # a client at a message is not silent
        assert (await known.say(b"RCPT TO:<b@example.org>")).startswith("250 ")
        assert not stopping.done()
        await known.say(b"DATA")
        await known.send(MESSAGE + b".\r\n")
        assert (await known.reply()).startswith("250 ")
        assert await known.say(b"MAIL FROM:<a@example.com>") == "421 4.3.2 Service is shutting down"
        await asyncio.wait_for(stopping, 10)
        assert len(here.hop.messages) == 3


async def test_messages_in_work_are_counted() -> None:
    judge = Judge(wait=asyncio.Event())
    async with house(judge=judge) as here, talking(here.address) as client:
        gauge = here.metrics.queue_items.labels("mail")
        await client.begin()
        await client.send(MESSAGE + b".\r\n")
        await judge.arrived.wait()
        assert gauge._value.get() == 1
        assert judge.wait is not None
        judge.wait.set()
        await client.reply()
        await here.gateway.stop()
        assert gauge._value.get() == 0


async def test_more_messages_than_the_queue_holds_are_put_off_before_they_are_sent() -> None:
    judge = Judge(wait=asyncio.Event())
    async with house(judge=judge, max_queue=1) as here, talking(here.address) as first, talking(here.address) as second:
        await first.begin()
        assert (await second.begin()).startswith("452 4.3.1 ")
        await first.send(MESSAGE + b".\r\n")
        assert judge.wait is not None
        judge.wait.set()
        assert (await first.reply()).startswith("250 ")
        await here_settles(here.gateway)
        assert (await second.say(b"DATA")).startswith("354 ")


async def test_a_client_that_does_not_take_its_replies_does_not_keep_us_from_stopping(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dlp.channels.mail.PATIENCE", 0.5)
    monkeypatch.setattr("dlp.channels.mail.FAREWELL", 0.1)
    async with house() as here, talking(here.address) as client:
        client.reader._transport.pause_reading()  # type: ignore[attr-defined]
        client.writer.write(b"NOOP\r\n" * 2_000_000)
        await asyncio.sleep(0.3)
        await asyncio.wait_for(here.gateway.stop(), 15)


async def here_settles(gateway: MailGateway) -> None:
    while gateway._tasks:
        await asyncio.sleep(0.01)


async def test_bytes_in_flight_are_bounded_and_given_back() -> None:
    judge = Judge(wait=asyncio.Event())
    assert judge.wait is not None
    big = b"Subject: b\r\n\r\n" + b"z" * 60_000 + b"\r\n"
    async with (
        house(judge=judge, max_bytes_in_flight=100_000) as here,
        talking(here.address) as first,
        talking(here.address) as second,
    ):
        await first.begin()
        await first.send(big + b".\r\n")
        await judge.arrived.wait()
        assert (await second.message(big)).startswith("452 4.3.1 ")
        assert (await second.say(b"MAIL FROM:<a@example.com> SIZE=60000")).startswith("452 4.3.1 ")
        judge.wait.set()
        assert (await first.reply()).startswith("250 ")
        await here_settles(here.gateway)
        assert (await second.message(big)).startswith("250 ")


async def test_more_sessions_than_allowed_are_told_421() -> None:
    async with house(max_sessions=2) as here:
        async with talking(here.address), talking(here.address), talking(here.address, greeted=False) as third:
            assert await third.reply() == "421 4.3.2 Too many sessions, try again later"
            assert await third.closed()
        await asyncio.sleep(0.05)
        async with talking(here.address) as later:
            assert (await later.say(b"NOOP")).startswith("250")


async def test_two_hundred_sessions_at_once() -> None:
    async def one(address: tuple[str, int], number: int) -> str:
        async with talking(address) as client:
            return await client.message(b"Subject: %d\r\n\r\nbody\r\n" % number)

    async with house() as here:
        replies = await asyncio.gather(*(one(here.address, number) for number in range(200)))
        assert set(replies) == {"250 2.0.0 hop queued it as 4F2A"}
        bodies = {without_ours(message)[0] for message in here.hop.messages}
        assert bodies == {b"Subject: %d\r\n\r\nbody\r\n" % number for number in range(200)}


async def test_size_is_refused_at_mail_and_after_the_last_byte() -> None:
    async with house(max_size=10_000) as here, talking(here.address) as client:
        assert "250-SIZE 10000" in await client.say(b"EHLO me")
        assert (await client.say(b"MAIL FROM:<a@example.com> SIZE=10001")).startswith("552 5.3.4")
        assert (await client.message(b"Subject: x\r\n\r\n" + b"w" * 500_000 + b"\r\nQUIT\r\n")).startswith("552 5.3.4")
        # In step: the rest of the message was read and nothing of it was taken for a command.
        assert (await client.message(b"\r\n" + b"w" * 9_996 + b"\r\n")).startswith("250 ")
        assert here.hop.said("QUIT") == []
        assert len(here.hop.wire) == 1


async def test_a_maildir_is_a_next_hop(tmp_path: Path) -> None:
    async with house(maildir=tmp_path / "out") as here, talking(here.address) as client:
        assert (await client.message(CONTENTS["dots"])).startswith("250 2.0.0 Ok: stored as ")
    (stored,) = (tmp_path / "out" / "new").iterdir()
    assert without_ours(stored.read_bytes())[0] == CONTENTS["dots"]
    assert list((tmp_path / "out" / "tmp").iterdir()) == []
    assert stored.stat().st_mode & 0o777 == 0o600


async def test_a_maildir_that_cannot_be_written_is_451(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("a file is in the way")
    async with house(maildir=tmp_path / "out") as here, talking(here.address) as client:
        assert await client.message(MESSAGE) == "451 4.3.0 The message could not be stored, try again later"


async def test_the_standard_library_delivers_through_it() -> None:
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = "a@example.com", "b@example.org", "机密"
    message.set_content("正文\n.\n")

    def send(address: tuple[str, int]) -> dict[str, Any]:
        with smtplib.SMTP(*address, local_hostname="client") as client:
            return client.send_message(message, mail_options=["SMTPUTF8"])

    async with house() as here:
        assert await asyncio.to_thread(send, here.address) == {}
        assert here.judge.envelopes[0].subject == "机密"
        assert here.hop.said("MAIL")[0].startswith(b"MAIL FROM:<a@example.com> ")


# Release from quarantine


def held(attributes: Any) -> Held:
    return Held(
        id="held-1",
        incident="incident-7",
        channel=Channel.MAIL,
        stored=NOW,
        size=len(MESSAGE),
        sha256="",
        level=None,
        origin=Judge().envelopes[0] if Judge().envelopes else None,  # type: ignore[arg-type]
        state="releasing",
        attributes=attributes,
    )


def a_seal(held: str, body: str) -> str:
    return hashlib.sha256(f"{held} {body}".encode()).hexdigest()


@pytest.mark.parametrize(
    "content",
    [MESSAGE, b"\r\nno header\r\n", b"Subject: no body\r\n", b"A: b\r\n\r\n", b"A: b\r\n" * 20_000 + b"\r\nlate\r\n", b""],
)
async def test_a_released_message_that_comes_by_again_claims_what_its_seal_fits(content: bytes) -> None:
    async with house() as here, running(FakeHop()) as hop:
        await release_message(held(ATTRIBUTES), iter([content]), NextHop.parse(hop.url), a_seal)
        async with talking(here.address) as client:
            again = b"Received: from a hop on the way\r\n" + hop.messages[0]
            assert (await client.message(again)).startswith("250 ")
        (claim,) = here.judge.claims
        assert claim is not None
        assert (claim.held, claim.seal) == ("held-1", a_seal("held-1", claim.body))
        assert b"X-DLP-Released" not in here.hop.messages[0]


@pytest.mark.parametrize(
    "field", [b"", b"X-DLP-Released: q-1\r\n", b"X-DLP-Released: q-1 " + b"g" * 64 + b"\r\n", b"X-DLP-Released: \r\n"]
)
async def test_a_field_of_another_shape_claims_nothing(field: bytes) -> None:
    async with house() as here, talking(here.address) as client:
        await client.message(field + MESSAGE)
    assert here.judge.claims == [None]
    assert without_ours(here.hop.messages[0])[0] == MESSAGE


async def test_a_held_message_is_released_to_its_recipients_with_its_parameters() -> None:
    async with house(judge=Judge(action=Action.QUARANTINE)) as here, talking(here.address) as client:
        await client.say(b"EHLO x", b"MAIL FROM:<> RET=HDRS ENVID=aBc+3D BODY=8BITMIME")
        await client.say(
            b"RCPT TO:<b@example.org> NOTIFY=NEVER ORCPT=rfc822;B@Example.Org", b"RCPT TO:<\xff@example.org>", b"DATA"
        )
        await client.send(MESSAGE + b".\r\n")
        assert (await client.reply()).startswith("250 2.0.0 Message held")
        hop = FakeHop()
        async with running(hop):
            reply = await release_message(
                held(here.judge.attributes[0]), iter([MESSAGE[:10], MESSAGE[10:]]), NextHop.parse(hop.url), a_seal
            )
    assert reply == "250 2.0.0 hop queued it as 4F2A"
    content, ours = without_ours(hop.messages[0])
    assert content == MESSAGE
    assert ours["X-DLP-Released"].split() == ["held-1", a_seal("held-1", hashlib.sha256(b"Good morning.\r\n").hexdigest())]
    assert ours["Received"].startswith("from x ")
    assert hop.said("MAIL")[0].startswith(b"MAIL FROM:<> RET=HDRS ENVID=aBc+3D BODY=8BITMIME SIZE=")
    assert int(hop.said("MAIL")[0].rpartition(b"=")[2]) == len(hop.messages[0])
    assert hop.said("RCPT") == [
        b"RCPT TO:<b@example.org> NOTIFY=NEVER ORCPT=rfc822;B@Example.Org",
        b"RCPT TO:<\xff@example.org>",
    ]


ATTRIBUTES = {
    "sender": {"path": "<>", "params": []},
    "recipients": [{"path": "<a@example.org>", "params": []}, {"path": "<b@example.org>", "params": []}],
    "trace": "Received: from x\r\n",
}


async def test_a_release_reaches_all_or_none() -> None:
    async with running(FakeHop(replies={"RCPT TO:<b@example.org>": "550 5.1.1 who?"})) as hop:
        with pytest.raises(RelayError) as refused:
            await release_message(held(ATTRIBUTES), iter([MESSAGE]), NextHop.parse(hop.url), a_seal)
        assert refused.value.reply == "550 5.1.1 who?"
        assert hop.said("DATA") == []


async def test_content_that_proves_false_at_its_end_is_never_sent() -> None:
    def torn() -> Iterator[bytes]:
        yield MESSAGE
        raise StoreError("the hash differs")

    async with running(FakeHop()) as hop:
        with pytest.raises(StoreError):
            await release_message(held(ATTRIBUTES), torn(), NextHop.parse(hop.url), a_seal)
        assert hop.connections == 0


@pytest.mark.parametrize("attributes", [{}, {"mode": 0o644}, {**ATTRIBUTES, "sender": "x"}, {**ATTRIBUTES, "recipients": [1]}])
async def test_a_file_is_not_released_as_a_message(attributes: Any) -> None:
    with pytest.raises(GateError):
        await release_message(held(attributes), iter([MESSAGE]), NextHop.parse("smtp://127.0.0.1:1"), a_seal)


# Large messages

BASE64 = b"Subject: large\r\n\r\n" + (b"A" * 76 + b"\r\n") * 40_000


@pytest.mark.parametrize(
    "content",
    [
        BASE64,
        BASE64 + b".\r\n..\r\n",
        b".first\r\n" + BASE64,
        b"X-DLP-Forged: x\r\n" + BASE64,
        BASE64 + b"a . in the midst\r\n",
        BASE64.replace(b"AAA\r\n", b"AAA\n", 3) + b"\n.bare",
    ],
)
@pytest.mark.parametrize("secure", [False, True])
async def test_a_large_message_goes_whole_by_whatever_way(content: bytes, secure: bool, certificate: Any, tmp_path: Path) -> None:
    context = None
    if secure:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(*certificate)
    async with house(hop=FakeHop(tls=context)) as here, talking(here.address) as client:
        here.gateway._folder = tmp_path
        assert (await client.message(content)).startswith("250 ")
        arrived, _ = without_ours(here.hop.messages[0])
    assert arrived == normalised(content + (b"" if content.endswith(b"\r\n") else b"\r\n")).replace(b"X-DLP-Forged: x\r\n", b"")


async def test_a_next_hop_that_takes_a_large_message_slowly_gets_it() -> None:
    async with house(hop=FakeHop(replies={"content": SLOW})) as here, talking(here.address) as client:
        assert (await client.message(BASE64 * 3)).startswith("250 ")
        assert without_ours(here.hop.messages[0])[0] == BASE64 * 3


@pytest.mark.parametrize("fault", [RESET, HANG])
async def test_a_next_hop_that_fails_within_a_large_message_is_451(fault: str) -> None:
    hop = FakeHop(replies={"content": fault})
    async with house(hop=hop, reply_seconds=1) as here, talking(here.address) as client:
        assert (await client.message(BASE64 * 10)).startswith("451 4.4.2 ")


# Some of the recipients

THREE = (b"<a@example.org>", b"<b@example.org> NOTIFY=NEVER", b"<c@example.org>")


async def test_who_may_have_a_message_gets_it_while_it_is_held_for_others() -> None:
    async with house(judge=Judge(apart=frozenset({1})), split=True) as here, talking(here.address) as client:
        assert await client.message(MESSAGE, *THREE) == "250 2.0.0 hop queued it as 4F2A"
        assert without_ours(here.hop.messages[0])[0] == MESSAGE
        assert here.hop.commands[-4:-1] == [
            b"MAIL FROM:<from@example.com>",
            b"RCPT TO:<a@example.org>",
            b"RCPT TO:<c@example.org>",
        ]
        (kept, passed) = here.judge.attributes
        assert [one["path"] for one in kept["recipients"]] == ["<b@example.org>"]
        assert kept["recipients"][0]["params"] == ["NOTIFY=NEVER"]
        assert [one["path"] for one in passed["recipients"]] == ["<a@example.org>", "<c@example.org>"]
        # The session is in step, and the connection to the next hop of use.
        assert (await client.message(MESSAGE, ehlo=False)).startswith("250 2.0.0 Message held")


async def test_others_who_cannot_be_served_alone_leave_the_message_with_its_sender() -> None:
    hop = FakeHop(replies={"RCPT TO:<c@example.org>": ["250 2.1.5 Ok", "452 4.2.2 just now not"]})
    async with house(hop=hop, judge=Judge(apart=frozenset({0})), split=True) as here, talking(here.address) as client:
        assert await client.message(MESSAGE, *THREE) == "452 4.2.2 just now not"
        assert here.hop.messages == []
        assert here.judge.attributes == []  # nobody was withheld anything


async def test_a_next_hop_that_goes_away_while_recipients_are_parted_is_met_again() -> None:
    hop = FakeHop(replies={"RSET": ["421 4.3.2 bye", "250 Ok"]})
    async with house(hop=hop, judge=Judge(apart=frozenset({0, 1})), split=True) as here, talking(here.address) as client:
        assert (await client.message(MESSAGE, *THREE)).startswith("250 2.0.0 hop queued")
        assert here.hop.connections == 2
        assert here.hop.said("RCPT")[-1] == b"RCPT TO:<c@example.org>"
        assert here.hop.said("RCPT").count(b"RCPT TO:<a@example.org>") == 1


async def test_unless_it_is_asked_for_no_message_is_divided() -> None:
    async with house(judge=Judge(apart=frozenset({1}))) as here, talking(here.address) as client:
        assert (await client.message(MESSAGE, *THREE)).startswith("250 2.0.0 hop queued")
        assert len(here.hop.said("RCPT")) == 3


# Something else in its place

REST = b"Subject: hello\r\n\r\nThe rest.\r\n.\r\n"


@pytest.mark.parametrize("split", [False, True])
async def test_what_goes_in_place_of_a_message_says_so_and_the_reply_is_the_next_hops(split: bool) -> None:
    judge = Judge(action=Action.QUARANTINE, instead=REST)
    async with house(judge=judge, split=split) as here, talking(here.address) as client:
        assert await client.message(MESSAGE, *THREE) == "250 2.0.0 hop queued it as 4F2A"
        assert 0 < judge.patience <= here.gateway._settings.deadline_seconds
        (delivered,) = here.hop.messages
        content, ours = without_ours(delivered)
        assert content == REST
        assert list(ours) == ["Received", "X-DLP-Item", "X-DLP-Action"]
        assert ours["X-DLP-Action"] == "replaced"
        assert len(here.hop.said("RCPT")) == 3
        judge.instead = None
        assert (await client.message(MESSAGE, ehlo=False)).startswith("250 2.0.0 Message held")


async def test_a_next_hop_that_refuses_what_goes_in_its_place_is_heard() -> None:
    hop = FakeHop(replies={"end": "554 5.7.1 not that either"})
    judge = Judge(action=Action.QUARANTINE, instead=REST)
    async with house(hop=hop, judge=judge) as here, talking(here.address) as client:
        assert await client.message(MESSAGE) == "554 5.7.1 not that either"


async def test_recipients_apart_get_it_in_a_transaction_of_their_own() -> None:
    judge = Judge(apart=frozenset({1}), instead=REST)
    async with house(judge=judge, split=True) as here, talking(here.address) as client:
        assert await client.message(MESSAGE, *THREE) == "250 2.0.0 hop queued it as 4F2A"
        (whole, rest) = here.hop.messages
        assert without_ours(whole)[0] == MESSAGE
        assert without_ours(whole)[1]["X-DLP-Action"] == "released"
        assert without_ours(rest)[0] == REST
        assert without_ours(rest)[1]["X-DLP-Action"] == "replaced"
        assert without_ours(rest)[1]["X-DLP-Item"] == without_ours(whole)[1]["X-DLP-Item"]
        said = here.hop.said("RCPT")
        assert said[3:5] == [b"RCPT TO:<a@example.org>", b"RCPT TO:<c@example.org>"]
        assert said[5:] == [b"RCPT TO:<b@example.org> NOTIFY=NEVER"]


async def test_past_the_deadline_nothing_goes_in_its_place_either() -> None:
    judge = Judge(action=Action.QUARANTINE, instead=REST, wait=asyncio.Event())
    async with house(judge=judge, deadline_seconds=0.2) as here, talking(here.address) as client:
        assert (await client.message(MESSAGE)).startswith("451 4.3.0 Inspection took too long")
        judge.wait.set()  # type: ignore[union-attr]
        await asyncio.wait(here.gateway._tasks)
        assert judge.patience < 0
        assert here.hop.messages == []


# Settings


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("next_hop", "http://example.org"),
        ("next_hop", "smtp:example.org"),
        ("next_hop", "smtp://example.org:notaport"),
        ("next_hop", "smtp://example.org:70000"),
        ("next_hop", "lmtp:relative/socket"),
        ("next_hop", "maildir:"),
        ("listen", ()),
        ("listen", ("10025",)),
        ("listen", ("127.0.0.1:10025", "::1:10025")),
        ("trusted_peers", ("10.0.0.1/8",)),
        ("max_size", 0),
        ("deadline_seconds", 0),
        ("tls_cert", Path("cert.pem")),
        ("hostname", "has space"),
        ("subject_tag", "[{levels}]"),
    ],
)
def test_a_faulty_value_names_its_key(key: str, value: Any) -> None:
    chosen = {"next_hop": "smtp://127.0.0.1:25", key: value}
    with pytest.raises(ConfigError) as error:
        MailSettings(**chosen)
    assert [fault.key for fault in error.value.faults] == [f"mail.{key}"]


def test_all_faults_are_named_at_once() -> None:
    with pytest.raises(ConfigError) as error:
        MailSettings(next_hop="nowhere", listen=("x",), max_queue=0)
    assert {fault.key for fault in error.value.faults} == {"mail.next_hop", "mail.listen", "mail.max_queue"}


def test_settings_are_read_strictly() -> None:
    read = check({"next_hop": "lmtp:/run/lmtp", "listen": ["[::1]:2525"], "newlines": "reject"}, MailSettings, where="x")
    assert read.listen == ("[::1]:2525",)
    with pytest.raises(ConfigError, match="unknown key"):
        check({"next_hop": "lmtp:/run/lmtp", "lisen": ["[::1]:2525"]}, MailSettings, where="x")
    with pytest.raises(ConfigError, match="newlines"):
        check({"next_hop": "lmtp:/run/lmtp", "newlines": "keep"}, MailSettings, where="x")


def test_a_certificate_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    settings = MailSettings(next_hop="maildir:/x", tls_cert=tmp_path / "none.pem", tls_key=tmp_path / "none.key")
    with pytest.raises(ConfigError, match=r"none\.pem"):
        MailGateway(settings, Judge(), Metrics(), clock=lambda: NOW, new_id=str)


async def test_an_address_in_use_is_an_os_error_and_leaves_nothing_listening() -> None:
    async with house() as here:
        taken = f"127.0.0.1:{here.address[1]}"
        settings = MailSettings(next_hop="maildir:/x", listen=("127.0.0.1:0", taken))
        second = MailGateway(settings, Judge(), Metrics(), clock=lambda: NOW, new_id=str)
        with pytest.raises(OSError, match="in use"):
            await second.start()
        assert second.addresses == ()


async def test_a_hanging_next_hop_does_not_hang_the_greeting_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dlp.channels.mail.PROBE", 0.1)
    async with house(hop=FakeHop(replies={"connect": HANG}), reply_seconds=0.2) as here, talking(here.address) as client:
        assert "SMTPUTF8" in await client.say(b"EHLO x")
        assert (await client.say(b"MAIL FROM:<a@example.com>")).startswith("451 4.4.1 ")


# The tag on the Subject


@pytest.mark.parametrize("action", [Action.ALLOW, Action.ALERT])
@pytest.mark.parametrize("more", [b"Good morning.\r\n", (b"." + b"x" * 900 + b"\r\n") * 300])
async def test_what_passes_with_a_level_is_tagged_and_else_unchanged(action: Action, more: bytes) -> None:
    judge = Judge(action=action, level="secret")
    content = b"To: b\r\nSubject: plan\r\n\r\n" + more
    async with house(judge=judge, subject_tag="[{level}]") as here, talking(here.address) as client:
        assert (await client.message(content)).startswith("250 ")
        assert (await client.message(b"\r\n" + more, ehlo=False)).startswith("250 ")
        first, second = (without_ours(one)[0] for one in here.hop.messages)
    assert judge.contents[0] == content
    assert first == b"To: b\r\nSubject: [secret] plan\r\n\r\n" + more
    assert second == b"Subject: [secret]\r\n\r\n" + more


@pytest.mark.parametrize(("settings", "level"), [({}, "secret"), ({"subject_tag": "[{level}]"}, None)])
async def test_nothing_is_tagged_without_a_tag_or_a_level(settings: dict[str, str], level: str | None) -> None:
    async with house(judge=Judge(level=level), **settings) as here, talking(here.address) as client:
        assert (await client.message(MESSAGE)).startswith("250 ")
        assert without_ours(here.hop.messages[0])[0] == MESSAGE


async def test_what_passes_unscanned_has_no_level_and_no_tag() -> None:
    judge = Judge(error=WorkerError("no child"), level="secret")
    async with (
        house(judge=judge, subject_tag="[{level}]", on_failure="pass-with-header") as here,
        talking(here.address) as client,
    ):
        assert (await client.message(MESSAGE)).startswith("250 ")
        message, ours = without_ours(here.hop.messages[0])
    assert (message, ours["X-DLP-Action"]) == (MESSAGE, "unscanned")
