"""The milter over real sockets: what it tells the mail server, and what it has inspected."""

import asyncio
import hashlib
import os
import socket
import stat
import struct
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dlp.channels import milter
from dlp.channels.milter_settings import MilterSettings
from dlp.errors import ConfigError, GateError, RelayError, StoreError, WorkerError
from dlp.model import Action, Envelope, ReleaseClaim
from tests.channels.mail_house import Judge
from tests.channels.milter_house import (
    CONTENT,
    MESSAGE,
    OLD_EVENTS,
    MailServer,
    added,
    connect,
    deleted,
    house,
    offer,
    packet,
)

OURS = [(0, "X-DLP-Action: released"), (0, "X-DLP-Item: item-1")]
ACCEPTED, DISCARDED, GONE = ("a", b""), ("d", b""), ("", b"")
FAILED = ("y", b"451 4.3.0 Temporary failure, try again later\0")

MESSAGES = {
    "plain": MESSAGE,
    "empty": b"\n",
    "headers only": b"Subject: nothing follows\n\n",
    "no header": b"\nbody at once\r\n",
    "dots": b"Subject: dots\n\n.\r\n..\r\n.hidden\r\n.\r\n",
    "8-bit": b"Subject: \xd6\xd0\xce\xc4\n\n" + bytes(range(0x80, 0x100)) * 40 + b"\r\n",
    "NUL": b"Subject: zero\n\na\0b\0\0\r\n\0\r\n",
    "bare CR and LF": b"Subject: a\rb\n\none\rtwo\nthree\r\n",
    "no last line end": b"Subject: cut\n\nno end",
    "long line": b"Subject: long\n\n" + b"x" * 200_000 + b"\r\nend\r\n",
    "long header": b"Subject: " + b"y" * 100_000 + b"\n\nbody\r\n",
    "many headers": b"".join(b"X-Field-%d: value %d\n" % (number, number) for number in range(5_000)) + b"\nbody\r\n",
    "folded": b"Subject: one\n two\n\tthree\n\nbody\r\n",
    "spaces": b"Subject:none\nA:  two\nB:\nC: \n\nbody\r\n",
    "large": b"Subject: large\n\n" + b"0123456789abcde\r\n" * 60_000,
}


def sent_on(message: bytes) -> bytes:
    """What the mail server sends on: the lines of the header end with CRLF."""
    if message.startswith(b"\n"):
        return b"\r\n" + message[1:]
    head, _, body = message.partition(b"\n\n")
    return head.replace(b"\n", b"\r\n") + b"\r\n\r\n" + body


@pytest.mark.parametrize("name", MESSAGES)
async def test_what_is_inspected_is_what_is_sent_on(name: str, tmp_path: Path) -> None:
    async with house(tmp_path) as here, here.greeted() as client:
        said = await client.message(MESSAGES[name])
    assert here.judge.contents == [sent_on(MESSAGES[name])]
    assert (added(said), said[-1], len(said)) == (OURS, ACCEPTED, 3)


@pytest.mark.parametrize("name", MESSAGES)
async def test_a_mail_server_of_old_is_answered_packet_by_packet(name: str, tmp_path: Path) -> None:
    message = MESSAGES[name] if name != "spaces" else b"A: b\n\n"  # it cannot tell how many spaces there were
    async with house(tmp_path) as here, here.greeted(version=2, actions=0x3F, events=OLD_EVENTS) as client:
        assert client.waits == "LCHMRTNB"
        said = await client.message(message, chunk=1000 if len(message) < 10_000 else 65535)
        assert added(said) == [(0, "X-DLP-Action:released"), (0, "X-DLP-Item:item-1")]
    assert here.judge.contents == [sent_on(message)]


async def test_postfix_is_asked_for_no_reply_before_the_end(tmp_path: Path) -> None:
    async with house(tmp_path) as here, here.talking() as client:
        await client.negotiate()
        assert (client.agreed[:2], client.waits, client.space) == ((6, 0x119), "", True)
        assert client.wanted[2] == "i {auth_authen} {tls_version}"
        # So all can be said at once: 3 messages, one answer each, in order.
        batch = connect() + packet("H", b"client.example\0")
        for number in (b"1", b"2", b"3"):
            batch += b"".join(client.parts(b"Subject: " + number + b"\n\n", b"<a@example.com>", [b"<b@example.com>"]))
        await client.send(batch + packet("Q"))
        answers = [await client.answer() for _ in range(3)]
        assert await client.receive() == GONE
    assert [added(one)[1][1] for one in answers] == ["X-DLP-Item: item-1", "X-DLP-Item: item-2", "X-DLP-Item: item-3"]
    assert [envelope.subject for envelope in here.judge.envelopes] == ["1", "2", "3"]


async def test_the_envelope_tells_who_sends_what_to_whom(tmp_path: Path) -> None:
    async with house(tmp_path) as here, here.greeted() as client:
        subject = b"Subject: =?utf-8?B?5py65a+G?=\n =?gb18030?B?zsS8/g==?= no. 7\n\n"
        to = b"<to@example.org> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;To@example.org"
        sender = b"<from@example.com> RET=HDRS ENVID=Qq+2B7 SIZE=300"
        await client.message(subject, to, b"<@route.example:two@example.net>", sender=sender, user="bob@example.com")
        await client.message(sender=b"<>")
    assert here.judge.envelopes[0] == Envelope(
        peer="192.0.2.7:40123",
        user="bob@example.com",
        sender="from@example.com",
        recipients=("to@example.org", "two@example.net"),
        subject="机密文件 no. 7",
        queue_id="4F2A",
    )
    attributes = here.judge.attributes[0]
    assert attributes["sender"] == {"path": "<from@example.com>", "params": ["RET=HDRS", "ENVID=Qq+2B7", "SIZE=300"]}
    params = ["NOTIFY=SUCCESS,DELAY", "ORCPT=rfc822;To@example.org"]
    assert attributes["recipients"][0] == {"path": "<to@example.org>", "params": params}
    assert attributes["trace"] == (
        "Received: from client.example ([192.0.2.7])\r\n"
        "\tby gate.example with ESMTPA id item-1;\r\n\tSun, 22 Nov 2026 12:00:00 +0000\r\n"
    )
    # The second has no user: the first one's macros are not its own.
    assert (here.judge.envelopes[1].user, here.judge.envelopes[1].sender) == (None, "")
    assert "with ESMTP id" in here.judge.attributes[1]["trace"]


@pytest.mark.parametrize(
    ("said", "peer", "trace"),
    [
        (connect("localhost", family="U"), "localhost:0", "([unknown])"),
        (connect("localhost", family="L", address="/run/x"), "localhost:0", "([unknown])"),
        (connect("c.example", family="6", address="IPv6:2001:db8::1"), "[2001:db8::1]:40123", "([IPv6:2001:db8::1])"),
        (b"", "unknown:0", "([unknown])"),
    ],
)
async def test_mail_that_came_otherwise_has_an_origin_too(said: bytes, peer: str, trace: str, tmp_path: Path) -> None:
    async with house(tmp_path) as here, here.talking() as client:
        await client.negotiate()
        await client.send(said)
        assert (await client.message())[-1] == ACCEPTED
    assert here.judge.envelopes[0].peer == peer
    assert trace in here.judge.attributes[0]["trace"]


async def test_a_connection_used_for_another_client_forgets_the_first(tmp_path: Path) -> None:
    async with house(tmp_path) as here, here.greeted() as client:
        await client.message(user="bob")
        await client.send(packet("K") + connect("other.example", address="192.0.2.8", port=1))
        await client.message()
    assert [envelope.peer for envelope in here.judge.envelopes] == ["192.0.2.7:40123", "192.0.2.8:1"]
    assert "from unknown ([192.0.2.8])" in here.judge.attributes[1]["trace"]


async def test_the_senders_own_fields_are_taken_out_and_not_inspected(tmp_path: Path) -> None:
    forged = b"X-DLP-Item: one\nA: b\nx-dlp-item: two\n folded\nX-Dlp-Action: three\nX-DLP-Item : four\nX-DLPX: stays\n"
    forged += b"\nX-DLP-Item: body\r\n"
    async with house(tmp_path) as here, here.greeted() as client:
        said = await client.message(forged)
    assert here.judge.contents == [b"A: b\r\nX-DLPX: stays\r\n\r\nX-DLP-Item: body\r\n"]
    assert deleted(said) == [("x-dlp-item", 3), ("x-dlp-action", 1), ("x-dlp-item", 2), ("x-dlp-item", 1)]
    assert [letter for letter, _ in said] == ["m"] * 4 + ["i"] * 2 + ["a"]


@pytest.mark.parametrize(
    ("action", "answer"),
    [
        (Action.ALLOW, ACCEPTED),
        (Action.ALERT, ACCEPTED),
        (Action.QUARANTINE, DISCARDED),
        (Action.BLOCK, ("y", b"550 5.7.1 Message refused by policy, reference incident-7\0")),
    ],
)
async def test_the_answer_follows_the_action(action: Action, answer: tuple[str, bytes], tmp_path: Path) -> None:
    async with house(tmp_path, judge=Judge(action=action)) as here, here.greeted() as client:
        for _ in range(2):  # the connection is good for another message
            said = await client.message()
            assert said[-1] == answer
            assert (len(added(said)) == 2) == (action < Action.QUARANTINE)


async def test_a_message_that_is_not_in_custody_is_not_discarded(tmp_path: Path) -> None:
    async with house(tmp_path, judge=Judge(action=Action.QUARANTINE, held=None)) as here, here.greeted() as client:
        assert await client.message() == [FAILED]


@pytest.mark.parametrize("error", [StoreError("disk full"), WorkerError("no child"), RuntimeError("a bug"), KeyError("x")])
async def test_a_failure_of_ours_is_451(error: Exception, tmp_path: Path) -> None:
    async with house(tmp_path, judge=Judge(error=error)) as here, here.greeted() as client:
        assert await client.message() == [FAILED]
        here.judge.error = None
        assert (await client.message())[-1] == ACCEPTED
    assert here.metrics.queue_items.labels("mail")._value.get() == 0


async def test_what_has_been_done_stands_if_recording_it_fails(tmp_path: Path) -> None:
    judge = Judge(action=Action.QUARANTINE, error_after=StoreError("disk full"))
    async with house(tmp_path, judge=judge) as here, here.greeted() as client:
        assert await client.message() == [DISCARDED]


async def test_a_message_that_cannot_be_inspected_passes_marked_where_that_is_asked_for(tmp_path: Path) -> None:
    judge = Judge(error=WorkerError("no child"))
    async with house(tmp_path, judge=judge, on_failure="pass-with-header") as here, here.greeted() as client:
        said = await client.message()
        assert (added(said)[0], said[-1]) == ((0, "X-DLP-Action: unscanned"), ACCEPTED)
        judge.error = StoreError("disk full")  # which is no reason
        assert await client.message() == [FAILED]


# Some of the recipients


async def test_withheld_recipients_are_deleted_and_the_others_served(tmp_path: Path) -> None:
    to = (b"<a@example.org> NOTIFY=NEVER", "<ü@example.org>".encode(), b"<c@example.org>")
    judge = Judge(apart=frozenset({0, 1}))
    async with house(tmp_path, judge=judge, split=True) as here, here.greeted() as client:
        said = await client.message(MESSAGE, *to)
    gone = [data for letter, data in said if letter == "-"]
    assert (gone, said[-1]) == ([b"<a@example.org>\0", "<ü@example.org>\0".encode()], ACCEPTED)
    assert added(said) == OURS
    back, on = here.judge.attributes
    assert back["recipients"][0] == {"path": "<a@example.org>", "params": ["NOTIFY=NEVER"]}
    assert [one["path"] for one in back["recipients"]] == ["<a@example.org>", "<Ã¼@example.org>"]  # Latin-1 of each byte
    assert [one["path"] for one in on["recipients"]] == ["<c@example.org>"]
    assert back["sender"] == on["sender"] == {"path": "<from@example.com>", "params": []}


async def test_recipients_are_not_told_apart_unless_that_is_asked_for(tmp_path: Path) -> None:
    judge = Judge(action=Action.QUARANTINE, apart=frozenset({0}))
    async with house(tmp_path, judge=judge) as here, here.greeted() as client:
        assert await client.message(MESSAGE, b"<a@example.org>", b"<b@example.org>") == [DISCARDED]


async def test_the_others_are_not_served_where_the_withheld_part_is_not_in_custody(tmp_path: Path) -> None:
    judge = Judge(apart=frozenset({0}), held=None)
    async with house(tmp_path, judge=judge, split=True) as here, here.greeted() as client:
        assert await client.message(MESSAGE, b"<a@example.org>", b"<b@example.org>") == [FAILED]


@pytest.mark.parametrize(
    "odd", [b"<a@example.org>", b"<A@Example.ORG>", b'<"a"@example.org>', b"<@route.example:c@example.org>", b"<postmaster>"]
)
async def test_a_message_to_an_address_that_may_not_be_taken_away_alone_is_treated_whole(odd: bytes, tmp_path: Path) -> None:
    judge = Judge(action=Action.QUARANTINE, apart=frozenset({0}))
    async with house(tmp_path, judge=judge, split=True) as here, here.greeted() as client:
        assert await client.message(MESSAGE, b"<a@example.org>", b"<b@example.org>", odd) == [DISCARDED]


@pytest.mark.parametrize("said", [connect("localhost", family="U"), connect("localhost", address="127.0.0.1", port=0)])
async def test_a_message_from_the_mail_servers_own_machine_is_treated_whole(said: bytes, tmp_path: Path) -> None:
    judge = Judge(action=Action.QUARANTINE, apart=frozenset({0}))
    async with house(tmp_path, judge=judge, split=True) as here, here.talking() as client:
        await client.negotiate()
        await client.send(said)
        assert await client.message(MESSAGE, b"<a@example.org>", b"<b@example.org>") == [DISCARDED]


# A message that was released before


async def test_a_released_message_claims_what_its_seal_must_fit(tmp_path: Path) -> None:
    field, seal = b"X-DLP-Released: q-1\n\t" + b"e" * 64 + b"\n", "e" * 64
    body = b"Good\r\n\r\nmorning.\r\n" * 10_000
    async with house(tmp_path) as here, here.greeted() as client:
        said = await client.message(field + field.replace(b"q-1", b"q-2") + b"Subject: x\n\n" + body)
        assert deleted(said) == [("x-dlp-released", 2), ("x-dlp-released", 1)]
        await client.message(field + b"\n")
        await client.message(MESSAGE)
        await client.message(b"X-DLP-Released: q-1\n\n" + body)
    assert here.judge.claims == [
        ReleaseClaim(held="q-1", seal=seal, body=hashlib.sha256(body).hexdigest()),
        ReleaseClaim(held="q-1", seal=seal, body=hashlib.sha256(b"").hexdigest()),
        None,
        None,
    ]


# Limits


async def test_a_message_too_large_is_552_and_the_next_is_taken(tmp_path: Path) -> None:
    async with house(tmp_path, max_size=1000) as here, here.greeted() as client:
        assert await client.message(b"A: b\n\n" + b"x" * 1000) == [("y", b"552 5.3.4 Message size exceeds the limit\0")]
        assert (await client.message())[-1] == ACCEPTED
    assert here.judge.contents == [CONTENT]


async def test_bytes_beyond_the_room_are_452_and_room_is_given_back(tmp_path: Path) -> None:
    async with house(tmp_path, max_bytes_in_flight=1000) as here, here.greeted() as client:
        for _ in range(3):
            full = b"452 4.3.1 Insufficient system storage, try again later\0"
            assert await client.message(b"A: b\n\n" + b"x" * 1000) == [("y", full)]
            assert (await client.message(b"A: b\n\n" + b"x" * 900))[-1] == ACCEPTED


async def test_messages_beyond_the_queue_are_452_and_an_aborted_one_makes_room(tmp_path: Path) -> None:
    async with house(tmp_path, max_queue=1) as here, here.greeted() as one, here.greeted() as other:
        begun = one.parts(MESSAGE, b"<a@example.com>", [b"<b@example.com>"])[:-2]
        await one.send(b"".join(begun))
        await until(lambda: here.server._room.messages == 0)
        assert await other.message() == [("y", b"452 4.3.1 Too many messages in work, try again later\0")]
        await one.send(packet("A"))
        assert (await one.message())[-1] == ACCEPTED
        assert (await other.message())[-1] == ACCEPTED


async def test_sessions_beyond_the_limit_are_told_to_come_again_at_each_message(tmp_path: Path) -> None:
    busy = [("y", b"451 4.3.2 Too many sessions, try again later\0")]
    async with house(tmp_path, max_sessions=1) as here:
        async with here.greeted() as one, here.greeted() as other:
            assert (await one.message())[-1] == ACCEPTED
            for _ in range(2):
                assert await other.message() == busy
                await other.send(packet("A"))
            await one.send(packet("Q"))
            assert await one.receive() == GONE
        async with here.greeted() as again:
            assert (await again.message())[-1] == ACCEPTED


async def test_a_message_that_goes_in_circles_is_554(tmp_path: Path) -> None:
    async with house(tmp_path) as here, here.greeted() as client:
        assert (await client.message(b"Received: from x\n" * 50 + MESSAGE))[-1] == ACCEPTED
        assert await client.message(b"Received: from x\nRECEIVED : y\n" * 26 + MESSAGE) == [("y", b"554 5.4.6 Too many hops\0")]


async def test_a_message_to_too_many_is_452(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dlp.channels.milter_message.RECIPIENTS", 2)
    async with house(tmp_path) as here, here.greeted() as client:
        assert await client.message(MESSAGE, b"<a@x>", b"<b@x>", b"<c@x>") == [("y", b"452 4.5.3 Too many recipients\0")]


# Time


async def test_the_mail_server_is_told_that_we_are_at_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(milter, "PROGRESS_SECONDS", 0.02)
    judge = Judge(wait=asyncio.Event())
    assert judge.wait is not None
    async with house(tmp_path, judge=judge) as here, here.greeted() as client:
        await client.send(b"".join(client.parts(MESSAGE, b"<a@example.com>", [b"<b@example.com>"])))
        assert [await client.receive() for _ in range(3)] == [("p", b"")] * 3
        judge.wait.set()
        while (said := await client.receive()) == ("p", b""):
            pass
        assert said[0] == "i"


@pytest.mark.parametrize("action", [Action.ALLOW, Action.QUARANTINE, Action.BLOCK])
async def test_past_the_deadline_the_client_is_told_to_try_again_and_nothing_is_done_any_more(
    action: Action, tmp_path: Path
) -> None:
    judge = Judge(action=action, wait=asyncio.Event())
    assert judge.wait is not None
    async with house(tmp_path, judge=judge, deadline_seconds=0.05) as here, here.greeted() as client:
        assert await client.message() == [("y", b"451 4.3.0 Inspection took too long, try again later\0")]
        judge.wait.set()
        judge.action = Action.ALLOW
        assert (await client.message())[0][0] in "iy"  # it may be too late as well on a slow machine
    assert len(here.judge.contents) == 2


async def test_a_message_past_its_end_is_seen_through_though_the_mail_server_leaves(tmp_path: Path) -> None:
    judge = Judge(action=Action.QUARANTINE, wait=asyncio.Event())
    assert judge.wait is not None
    async with house(tmp_path, judge=judge) as here:
        async with here.greeted() as client:
            await client.send(
                b"".join(client.parts(MESSAGE, b"<a@example.com>", [b"<b@example.com>"])) + packet("A") + packet("Q")
            )
            await asyncio.wait_for(judge.arrived.wait(), 20)
        judge.wait.set()
        await until(lambda: here.metrics.queue_items.labels("mail")._value.get() == 0)
        async with here.greeted() as client:
            assert await client.message() == [DISCARDED]


async def test_stopping_lets_messages_arrive_and_sees_them_to_their_answer(tmp_path: Path) -> None:
    judge = Judge(wait=asyncio.Event())
    assert judge.wait is not None
    async with house(tmp_path, judge=judge) as here, here.greeted() as idle, here.greeted() as late, here.greeted() as early:
        parts = early.parts(MESSAGE, b"<a@example.com>", [b"<b@example.com>"])
        await early.send(b"".join(parts))
        await late.send(b"".join(parts[:4]))
        await asyncio.wait_for(judge.arrived.wait(), 20)
        stopping = asyncio.create_task(here.server.stop())
        assert await idle.receive() == GONE
        assert not here.path.exists()
        await late.send(b"".join(parts[4:]))
        await until(lambda: len(judge.contents) == 2)
        judge.wait.set()
        for client in (early, late):
            assert (await client.answer())[-1] == ACCEPTED
            assert await client.receive() == GONE
        await asyncio.wait_for(stopping, 20)


async def test_stopping_does_not_wait_for_a_message_that_does_not_come(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(milter, "FAREWELL", 0.2)
    async with house(tmp_path) as here, here.greeted() as client:
        await client.send(packet("M", b"<a@example.com>\0"))
        await until(lambda: any(session.receiving for session in here.server._sessions))
        await asyncio.wait_for(here.server.stop(), 20)
        assert await client.receive() == GONE
        assert here.server._room.messages == MilterSettings(listen=("unix:a",)).max_queue


# Hostile and broken peers


@pytest.mark.parametrize(
    "said",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        b"\0\0\0\0",
        struct.pack(">I", 2_000_000),
        packet("M", b"<a@example.com>\0"),
        packet("O", b"\0\0\0\6"),
        offer(version=1),
        offer(actions=0),
        offer() + packet("x"),
        offer() + packet("R", b"<a@example.com>\0"),
        offer() + packet("L", b"A\0b\0"),
        offer() + packet("B", b"body"),
        offer() + packet("E"),
        offer() + packet("M", b"\0"),
        offer() + packet("M", b""),
        offer() + packet("D"),
        offer() + packet("C", b"nowhere\0"),
        offer() + packet("M", b"<a@example.com>\0") + packet("L", b"no value"),
    ],
    ids=range(17),
)
async def test_what_is_no_milter_protocol_ends_the_session_with_tempfail(
    said: bytes, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async with house(tmp_path) as here:
        async with here.talking() as client:
            await client.send(said)
            heard = await client.receive()
            if heard[0] == "O":
                heard = await client.receive()
            assert heard == ("t", b"")
            assert await client.receive() == GONE
        async with here.greeted() as client:
            assert (await client.message())[-1] == ACCEPTED
    assert capsys.readouterr().out.count("milter session ended") == 1


async def test_a_mail_server_may_be_as_slow_as_it_likes(tmp_path: Path) -> None:
    async with house(tmp_path) as here, here.talking() as client:
        client.space = True
        client.agreed = (6, 0, 0x40)
        said = offer() + connect() + b"".join(client.parts(MESSAGE, b"<a@example.com>", [b"<b@example.com>"]))
        for octet in said:
            await client.send(bytes([octet]))
            await asyncio.sleep(0)
        assert (await client.receive())[0] == "O"
        assert (await client.answer())[-1] == ACCEPTED
    assert here.judge.contents == [CONTENT]


async def test_a_session_cut_anywhere_leaves_nothing_behind(tmp_path: Path) -> None:
    async with house(tmp_path, max_queue=1) as here:
        descriptors = len(os.listdir("/proc/self/fd"))
        async with here.greeted() as client:
            parts = b"".join(client.parts(MESSAGE, b"<a@example.com>", [b"<b@example.com>"])[:-1])
        for cut in range(0, len(parts), 7):
            async with here.greeted() as client:
                await client.send(parts[:cut])
        await until(lambda: not here.server._sessions)
        assert len(os.listdir("/proc/self/fd")) <= descriptors
        async with here.greeted() as client:
            assert (await client.message())[-1] == ACCEPTED
    assert here.judge.contents == [CONTENT]


LETTERS = st.sampled_from("ABCDEHKLMNOQRTUx")


@given(said=st.lists(st.tuples(LETTERS, st.binary(max_size=40)), max_size=12), rest=st.binary(max_size=20))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_whatever_is_said_the_next_session_is_served(said: list[tuple[str, bytes]], rest: bytes, tmp_path: Path) -> None:
    async with house(tmp_path, max_queue=2, max_sessions=2) as here:
        async with here.talking() as client:
            await client.send(offer() + b"".join(packet(letter, data) for letter, data in said) + rest)
            client.writer.write_eof()
            while await client.receive() != GONE:
                pass
        async with here.greeted() as client:
            assert (await client.message())[-1] == ACCEPTED


async def test_many_at_once_are_all_answered(tmp_path: Path) -> None:
    async def one(number: int) -> None:
        async with here.greeted() as client:
            for _ in range(3):
                text = b"Subject: %d\n\n" % number + b"x" * 300_000
                said = await client.message(text)
                assert said[-1] == ACCEPTED

    async with house(tmp_path) as here:
        await asyncio.gather(*(one(number) for number in range(30)))
    assert len(here.judge.contents) == 90


# The socket


async def test_the_socket_has_the_rights_it_was_given_and_goes_away(tmp_path: Path) -> None:
    async with house(tmp_path, socket_mode=0o600, listen=["inet:127.0.0.1:0"]) as here:
        assert stat.S_IMODE(here.path.stat().st_mode) == 0o600
        unix, inet = here.server.addresses
        assert unix == f"unix:{here.path}"
        reader, writer = await asyncio.open_connection("127.0.0.1", int(inet.rpartition(":")[2]))
        client = MailServer(reader, writer)
        await client.hello()
        assert (await client.message())[-1] == ACCEPTED
        writer.close()
    assert not here.path.exists()


async def test_a_dead_processes_socket_is_replaced_a_live_ones_is_not(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(tmp_path / "milter.sock"))
    async with house(tmp_path) as here, here.greeted() as client:
        with pytest.raises(OSError, match="another process listens there"):
            async with house(tmp_path):
                pass
        assert (await client.message())[-1] == ACCEPTED


async def test_a_file_in_the_way_is_left_alone_and_nothing_is_listened_on(tmp_path: Path) -> None:
    (tmp_path / "milter.sock").write_text("precious")
    with pytest.raises(OSError, match="in use"):
        async with house(tmp_path):
            pass
    assert (tmp_path / "milter.sock").read_text() == "precious"


async def test_a_group_that_is_none_is_a_fault_of_the_configuration(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="there is no group 'no-such-group'"):
        async with house(tmp_path, socket_group="no-such-group"):
            pass
    assert MilterSettings(listen=("unix:a",), socket_group="root").group_id() == 0


async def test_gates_of_a_divided_message_do_one_thing_each(tmp_path: Path) -> None:
    class Careless(Judge):
        async def _divided(self, gate):  # type: ignore[no-untyped-def]
            back, _ = await gate.divide(self.apart)
            with pytest.raises(GateError):
                await back.release()
            raise RelayError("451 4.3.0 no", "careless")

    judge = Careless(apart=frozenset({0}))
    async with house(tmp_path, judge=judge, split=True) as here, here.greeted() as client:
        assert await client.message(MESSAGE, b"<a@x>", b"<b@x>") == [("y", b"451 4.3.0 no\0")]


async def until(true) -> None:  # type: ignore[no-untyped-def]
    """Wait until it is, for at most 20 seconds."""
    for _ in range(2000):
        if true():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("it never came true")
