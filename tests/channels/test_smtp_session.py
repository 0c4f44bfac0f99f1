"""Conversations: what a client may say, in what order, and what reaches the next hop for it."""

import asyncio
import logging
import smtplib
import ssl
import threading
from pathlib import Path
from typing import Any

import pytest

from dlp.channels.smtp_client import Client
from dlp.model import Action
from tests.channels.mail_house import Judge, house
from tests.helpers.smtp import FakeHop, talking, unstuffed, without_ours

MESSAGE = b"Subject: hello\r\n\r\nGood morning.\r\n"


async def test_the_extensions_are_those_of_the_next_hop_and_ours() -> None:
    hop = FakeHop(extensions=("8BITMIME", "SIZE 9000", "CHUNKING", "XCLIENT NAME"))
    async with house(hop=hop) as here, talking(here.address) as client:
        reply = await client.say(b"EHLO x")
        assert set(reply.replace("250 ", "250-").split("\r\n")) == {
            "250-gate.example",
            "250-PIPELINING",
            "250-SIZE 9000",
            "250-ENHANCEDSTATUSCODES",
            "250-8BITMIME",
        }


@pytest.mark.parametrize(
    ("sender", "recipient"),
    [
        (b"<>", b"<b@example.org>"),
        (
            b"<From@Example.COM> RET=HDRS ENVID=QQ3141+2B59",
            b"<b@example.org> NOTIFY=SUCCESS,delay ORCPT=rfc822;Bob+3D@Example.Org",
        ),
        (b"<a@example.com> AUTH=<>", b"<b@example.org>"),
        (b"<a@example.com> AUTH=e+3Dmc2@example.com BODY=8BITMIME", b'<"quoted local"@example.org>'),
        ("<用户@例子.中国> SMTPUTF8 BODY=8BITMIME".encode(), "<收件人@例子.中国>".encode()),
        (b"<a\xff\xfe@example.com>", b"<\xe9@example.org>"),
        (b"<@relay.example:a@example.com>", b"<postmaster>"),
        (b"<SRS0=xyz=AB=example.net=x@example.com> X-NEW=Value", b"<b%c@example.org>"),
        (b"<a@[192.0.2.7]>", b"<b@[IPv6:2001:db8::7]>"),
    ],
)
async def test_paths_and_parameters_reach_the_next_hop_byte_for_byte(sender: bytes, recipient: bytes) -> None:
    hop = FakeHop(extensions=("8BITMIME", "SMTPUTF8", "DSN", "AUTH PLAIN"))
    async with house(hop=hop) as here, talking(here.address) as client:
        assert (await client.message(MESSAGE, recipient, sender=sender)).startswith("250 ")
    assert here.hop.said("MAIL") == [b"MAIL FROM:" + sender]
    assert here.hop.said("RCPT") == [b"RCPT TO:" + recipient]


async def test_size_grows_by_our_fields_and_the_order_of_parameters_stays() -> None:
    async with house() as here, talking(here.address) as client:
        await client.message(MESSAGE, sender=b"<a@example.com> RET=FULL size=1000 BODY=8BITMIME")
    assert here.hop.said("MAIL") == [b"MAIL FROM:<a@example.com> RET=FULL BODY=8BITMIME SIZE=2024"]
    assert len(here.hop.messages[0]) < 2024


async def test_parameters_of_extensions_the_next_hop_lacks_stay_here() -> None:
    async with house(hop=FakeHop(extensions=())) as here, talking(here.address) as client:
        sender = b"<a@example.com> BODY=8BITMIME RET=HDRS ENVID=x SIZE=20 AUTH=<>"
        await client.message(MESSAGE, b"<b@example.org> NOTIFY=NEVER ORCPT=rfc822;b@c", sender=sender)
        assert (here.hop.said("MAIL"), here.hop.said("RCPT")) == ([b"MAIL FROM:<a@example.com>"], [b"RCPT TO:<b@example.org>"])
        assert (await client.say("MAIL FROM:<é@example.com> SMTPUTF8".encode())).startswith("550 5.6.7 ")


SMUGGLES = {
    "LF.LF": b"\n.\n",
    "LF.CRLF": b"\n.\r\n",
    "CR.CR": b"\r.\r",
    "CR.CRLF": b"\r.\r\n",
    "CRLF.LF": b"\r\n.\n",
    "CRLF.CR": b"\r\n.\r",
    "LF.CR": b"\n.\r",
    "CRLF.CRCRLF": b"\r\n.\r\r\n",
    "CRCRLF.CRCRLF": b"\r\r\n.\r\r\n",
    "CRLF NUL.CRLF": b"\r\n\0.\r\n",
    "CRLF.NUL CRLF": b"\r\n.\0\r\n",
    "NUL CRLF.LF": b"\0\r\n.\n",
    "LFLF.CRLF": b"\n\n.\r\n",
    "CRLF..CRLF": b"\r\n..\r\n",
    "CRLF .CRLF": b"\r\n .\r\n",
}
ATTACK = b"MAIL FROM:<ceo@example.com>\r\nRCPT TO:<victim@example.org>\r\nDATA\r\nSubject: forged\r\n\r\nforged\r\n"


@pytest.mark.parametrize("name", SMUGGLES)
@pytest.mark.parametrize("whole", [True, False])
async def test_a_smuggled_message_stays_inside_the_one_that_carries_it(name: str, whole: bool) -> None:
    wire = b"Subject: cover\r\n\r\ntext" + SMUGGLES[name] + ATTACK + b".\r\n"
    async with house() as here, talking(here.address) as client:
        await client.begin()
        for piece in [wire] if whole else [wire[at : at + 7] for at in range(0, len(wire), 7)]:
            await client.send(piece)
        assert (await client.reply()).startswith("250 ")
        assert (await client.say(b"QUIT")).startswith("221 ")
        assert await client.closed()
    assert len(here.judge.contents) == len(here.hop.wire) == 1
    assert b"forged" in here.judge.contents[0]
    assert here.hop.said("MAIL") == [b"MAIL FROM:<from@example.com>"]
    wire_out = here.hop.wire[0]
    bare = wire_out.replace(b"\r\n", b"")
    assert b"\r" not in bare
    assert b"\n" not in bare
    # No line of the content is a lone dot for anybody, however lax.
    assert b"\n.\r\n" not in wire_out[:-5]
    # What is sent is what was judged.
    assert without_ours(unstuffed(wire_out))[0] == here.judge.contents[0]


@pytest.mark.parametrize("name", ["LF.LF", "LF.CRLF", "CR.CR", "CRLF.LF", "CRLF.CR"])
async def test_bare_line_ends_are_refused_and_the_connection_closed_where_asked(name: str) -> None:
    async with house(newlines="reject") as here, talking(here.address) as client:
        await client.begin()
        await client.send(b"Subject: cover\r\n\r\ntext" + SMUGGLES[name] + ATTACK + b".\r\nMAIL FROM:<x@example.com>\r\n")
        assert (await client.reply()).startswith("550 5.5.2 ")
        assert await client.closed()
    assert (here.judge.contents, here.hop.wire, len(here.hop.said("MAIL"))) == ([], [], 1)


async def test_reject_lets_proper_messages_through() -> None:
    async with house(newlines="reject") as here, talking(here.address) as client:
        assert (await client.message(MESSAGE)).startswith("250 ")


async def test_the_senders_own_verdicts_are_taken_out_before_inspection() -> None:
    forged = (
        b"X-DLP-Action: allow\r\nFrom: a@example.com\r\nx-dlp-item: 1\r\n folded\r\n\tand again\r\nX-DLPX: mine\r\n"
        b"X-Dlp-Released : held-1\r\nSubject: s\r\n\r\nX-DLP-Action: in the body\r\n"
    )
    async with house() as here, talking(here.address) as client:
        await client.message(forged)
        arrived, _ = without_ours(here.hop.messages[0])
    assert arrived == b"From: a@example.com\r\nX-DLPX: mine\r\nSubject: s\r\n\r\nX-DLP-Action: in the body\r\n"
    assert here.judge.contents == [arrived]


async def test_a_message_that_goes_in_circles_is_stopped() -> None:
    async with house() as here, talking(here.address) as client:
        assert (await client.message(b"Received: from x\r\n" * 51 + b"\r\nbody\r\n")) == "554 5.4.6 Too many hops"
        assert (await client.message(b"Received: from x\r\n" * 50 + b"\r\nReceived: body\r\n")).startswith("250 ")


async def test_a_pipelined_conversation_is_answered_in_order() -> None:
    async with house() as here, talking(here.address) as client:
        await client.say(b"EHLO x")
        await client.send(
            b"MAIL FROM:<a@example.com>\r\nRCPT TO:<b@example.org>\r\nRCPT TO:<c@example.org>\r\nDATA\r\n"
            + MESSAGE
            + b".\r\nMAIL FROM:<d@example.com>\r\nRCPT TO:<e@example.org>\r\nDATA\r\n"
            + MESSAGE
            + b".\r\nQUIT\r\n"
        )
        replies = [await client.reply() for _ in range(10)]
        assert [reply[:3] for reply in replies] == ["250", "250", "250", "354", "250", "250", "250", "354", "250", "221"]
        assert await client.closed()
    assert [envelope.recipients for envelope in here.judge.envelopes] == [("b@example.org", "c@example.org"), ("e@example.org",)]


async def test_verbs_out_of_order_and_malformed() -> None:
    async with house() as here, talking(here.address) as client:
        for said, code in [
            (b"MAIL FROM:<a@example.com>", "503"),
            (b"EHLO", "501"),
            (b"EHLO x", "250"),
            (b"RCPT TO:<b@example.org>", "503"),
            (b"DATA", "503"),
            (b"MAIL", "501"),
            (b"MAIL FROM:<a b@example.com>", "501"),
            (b"MAIL FROM:<a@example.com> SIZE=x", "501"),
            (b"MAIL FROM:<a@example.com> SIZE=" + b"9" * 3000, "501"),
            (b"MAIL FROM:<a@example.com> SIZE=99999999999999999999", "552"),
            (b"MAIL FROM:<a@example.com> BODY=BINARYMIME", "501"),
            (b"MAIL FROM:<a@example.com>", "250"),
            (b"MAIL FROM:<a@example.com>", "503"),
            (b"STARTTLS", "503"),
            (b"DATA", "554"),
            (b"RCPT TO:<>", "501"),
            (b"RCPT TO:<b@exa\x07mple.org>", "501"),
            (b"RCPT TO:<b@example.org>", "250"),
            (b"DATA now", "501"),
            (b"AUTH PLAIN AGEAYg==", "502"),
            (b"VRFY b", "252"),
            (b"XFORWARD ADDR=192.0.2.1", "550"),
            (b"XCLIENT LOGIN=root", "550"),
            (b"EXPN staff", "502"),
            (b"WHAT", "500"),
            (b"NOOP", "250"),
            (b"RSET", "250"),
            (b"RCPT TO:<b@example.org>", "503"),
            (b"HELO x", "250"),
            (b"MAIL FROM:<a@example.com>", "250"),
        ]:
            assert (await client.say(said))[:3] == code, said
    assert here.hop.said("DATA") == []


async def test_commands_may_be_long_and_longer_ones_are_refused_in_step() -> None:
    async with house() as here, talking(here.address) as client:
        assert (await client.say(b"EHLO x")).startswith("250-")
        long = b"MAIL FROM:<" + b"a" * 1900 + b"@example.com> ENVID=" + b"b" * 100
        assert (await client.say(long)).startswith("250 ")
        for length in (5_000, 70_000, 300_000):
            assert (await client.say(b"RCPT TO:<" + b"a" * length + b"@example.org>")).startswith("500 ")
        assert (await client.say(b"RCPT TO:<b@example.org>")).startswith("250 ")


async def test_a_thousand_recipients_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dlp.channels.smtp_session.RECIPIENTS", 3)
    async with house() as here, talking(here.address) as client:
        await client.say(b"EHLO x", b"MAIL FROM:<a@example.com>")
        replies = [await client.say(b"RCPT TO:<%d@example.org>" % number) for number in range(4)]
        assert [reply[:3] for reply in replies] == ["250", "250", "250", "452"]
        assert len(here.hop.said("RCPT")) == 3


async def test_a_fault_while_reading_ends_the_session_so_that_content_is_never_a_command(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any) -> None:
        raise RuntimeError("a bug")

    monkeypatch.setattr("dlp.channels.smtp_wire.FieldFilter.feed", broken)
    async with house() as here, talking(here.address) as client:
        await client.begin()
        await client.send(ATTACK)
        assert await client.reply() == "451 4.3.0 Temporary failure, try again later"
        assert await client.closed()
        assert len(here.hop.said("MAIL")) == 1


async def test_a_fault_outside_a_message_is_451_and_the_session_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(*_: Any) -> None:
        raise RuntimeError("a bug")

    async with house() as here, talking(here.address) as client:
        await client.say(b"EHLO x")
        monkeypatch.setattr(here.gateway, "mail", broken)
        assert await client.say(b"MAIL FROM:<a@example.com>") == "451 4.3.0 Temporary failure, try again later"
        assert (await client.say(b"NOOP")).startswith("250")


async def test_trusted_peers_tell_for_whom_they_speak() -> None:
    async with house(trusted_peers=("127.0.0.0/8",)) as here, talking(here.address) as client:
        assert "XFORWARD NAME ADDR PORT PROTO HELO IDENT SOURCE" in await client.say(b"EHLO x")
        reply = await client.say(b"XFORWARD NAME=pc ADDR=192.0.2.9 PORT=4711", b"XFORWARD IDENT=4F+32B HELO=pc PROTO=ESMTP")
        assert reply.startswith("250 ")
        await client.message(MESSAGE, ehlo=False)
        await client.message(MESSAGE, ehlo=False)
        assert (await client.say(b"XCLIENT ADDR=IPV6:2001:db8::9 PORT=25 LOGIN=alice+40example.com")).startswith("220 ")
        assert (await client.say(b"MAIL FROM:<a@example.com>")).startswith("503")
        await client.message(MESSAGE)
        await client.message(MESSAGE)
        assert (await client.say(b"XFORWARD WHAT=1")).startswith("501")
    first, second, *logged_in = here.judge.envelopes
    assert (first.peer, first.queue_id) == ("192.0.2.9:4711", "4F2B")
    assert (second.peer.partition(":")[0], second.queue_id) == ("127.0.0.1", None)
    for envelope in logged_in:
        assert (envelope.peer, envelope.user) == ("[2001:db8::9]:25", "alice@example.com")


async def test_an_untrusted_peer_is_not_offered_them() -> None:
    async with house(trusted_peers=("192.0.2.0/24",)) as here, talking(here.address) as client:
        assert "XCLIENT" not in await client.say(b"EHLO x")
        assert (await client.say(b"XCLIENT LOGIN=root")).startswith("550 5.7.0")
        await client.message(MESSAGE)
    assert here.judge.envelopes[0].user is None


@pytest.mark.parametrize(("peers", "user"), [(("127.0.0.0/8",), "ann"), (("192.0.2.0/24",), None)])
async def test_the_trace_of_a_trusted_peer_alone_names_the_user(peers: tuple[str, ...], user: str | None) -> None:
    trace = b"Received: from pc\r\n\t(Authenticated sender: ann)\r\n\tby mx with ESMTPA\r\n"
    async with house(trusted_peers=peers) as here, talking(here.address) as client:
        await client.message(trace + MESSAGE)
    assert here.judge.envelopes[0].user == user


def test_a_client_keeps_what_a_peer_does_not_know() -> None:
    client = Client(addr="192.0.2.1", port="9", user="u")
    assert client.told({"ADDR": None, "HELO": "pc"}) == Client(addr="192.0.2.1", port="9", helo="pc", user="u")


async def test_nothing_of_a_message_or_an_address_is_logged(caplog: pytest.LogCaptureFixture, capsys: Any) -> None:
    caplog.set_level(logging.DEBUG)
    judge = Judge(error=RuntimeError("canary-in-exception"))
    async with house(judge=judge) as here, talking(here.address) as client:
        await client.message(b"Subject: canary-subject\r\n\r\ncanary-body\r\n", sender=b"<canary-sender@example.com>")
        await client.say(b"canary-command")
    printed = capsys.readouterr()
    assert "canary" not in caplog.text + printed.out + printed.err


# STARTTLS


async def test_starttls_forgets_what_was_said_in_clear(certificate: tuple[Path, Path]) -> None:
    context = ssl.create_default_context(cafile=str(certificate[0]))
    async with house(tls_cert=certificate[0], tls_key=certificate[1]) as here, talking(here.address) as client:
        assert "250-STARTTLS" in await client.say(b"EHLO x") or "250 STARTTLS" in await client.say(b"EHLO x")
        # Said in one packet with STARTTLS, the classic injection.
        await client.send(b"STARTTLS\r\nMAIL FROM:<injected@example.com>\r\n")
        assert (await client.reply()).startswith("220 ")
        await client.writer.start_tls(context, server_hostname="localhost")
        assert (await client.say(b"MAIL FROM:<a@example.com>")).startswith("503 ")
        assert "STARTTLS" not in await client.say(b"EHLO x")
        assert (await client.say(b"STARTTLS")).startswith("503 ")
        assert await client.message(MESSAGE * 5000) == "250 2.0.0 hop queued it as 4F2A"
        content, ours = without_ours(here.hop.messages[0])
    assert content == MESSAGE * 5000
    assert " with ESMTPS id " in ours["Received"]
    assert here.hop.said("MAIL") == [b"MAIL FROM:<from@example.com>"]


async def test_who_said_quit_over_tls_and_stays_does_not_keep_the_gateway(certificate: tuple[Path, Path]) -> None:
    context, stopped = ssl.create_default_context(cafile=str(certificate[0])), threading.Event()

    def stay(port: int) -> None:
        with smtplib.SMTP("localhost", port, timeout=60) as client:
            client.starttls(context=context)
            assert client.docmd("QUIT")[0] == 221
            loop.call_soon_threadsafe(said.set)
            stopped.wait(60)
            client.close()

    loop, said = asyncio.get_running_loop(), asyncio.Event()
    async with house(tls_cert=certificate[0], tls_key=certificate[1]) as here:
        client = asyncio.create_task(asyncio.to_thread(stay, here.address[1]))
        await said.wait()
        await asyncio.wait_for(here.gateway.stop(), 60)
        stopped.set()
        await client


async def test_a_failed_handshake_ends_the_session(certificate: tuple[Path, Path]) -> None:
    async with house(tls_cert=certificate[0], tls_key=certificate[1]) as here, talking(here.address) as client:
        await client.say(b"EHLO x", b"STARTTLS")
        await client.send(b"this is no handshake\r\n")
        await client.reader.read()  # an alert, and the end
    assert here.hop.said("MAIL") == []


async def test_without_a_certificate_starttls_is_not_offered() -> None:
    async with house() as here, talking(here.address) as client:
        assert "STARTTLS" not in await client.say(b"EHLO x")
        assert (await client.say(b"STARTTLS")).startswith("454 ")


async def test_the_next_hop_is_spoken_to_in_tls_where_it_offers_it(certificate: tuple[Path, Path]) -> None:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(*certificate)
    async with house(hop=FakeHop(tls=context)) as here, talking(here.address) as client:
        assert (await client.message(MESSAGE * 5000)).startswith("250 ")
        assert (await client.message(MESSAGE)).startswith("250 ")
        assert without_ours(here.hop.messages[0])[0] == MESSAGE * 5000
    assert [line.split(b" ")[0] for line in here.hop.commands[:4]] == [b"EHLO", b"STARTTLS", b"EHLO", b"MAIL"]


async def test_a_certificate_that_must_hold_and_does_not_puts_mail_off(certificate: tuple[Path, Path]) -> None:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(*certificate)
    async with house(hop=FakeHop(tls=context), next_hop_tls="verify") as here, talking(here.address) as client:
        assert (await client.message(MESSAGE)).startswith("451 4.4.1 ")
    async with house(next_hop_tls="verify") as here, talking(here.address) as client:
        assert (await client.message(MESSAGE)).startswith("451 4.4.1 ")
        assert here.hop.said("MAIL") == []


async def test_blocked_mail_leaves_the_session_in_order() -> None:
    async with house(judge=Judge(action=Action.BLOCK)) as here, talking(here.address) as client:
        await client.begin()
        await client.send(MESSAGE + b".\r\nNOOP\r\n")
        assert (await client.reply()).startswith("550 5.7.1 ")
        assert (await client.reply()).startswith("250")
        await asyncio.wait_for(here.gateway.stop(), 10)
    assert here.hop.said("RSET")
