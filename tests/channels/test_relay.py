"""The next hop: failing at every verb, dying in between, and the two kinds that are no SMTP server."""

import asyncio
import os
import ssl
from pathlib import Path

import pytest

from dlp.blob import Blob
from dlp.channels.relay import NextHop, Tls
from dlp.channels.smtp_syntax import Address
from dlp.channels.transport import local, weaker
from dlp.errors import RelayError
from dlp.model import Transport
from tests.channels.mail_house import Judge, house
from tests.helpers.smtp import CLOSE, EXTENSIONS, GARBAGE, HANG, RESET, FakeHop, running, talking

MESSAGE = b"Subject: hello\r\n\r\nGood morning.\r\n"
OURS = "451 4.4."
SENDER = Address(path=b"<a@example.com>")
RECIPIENTS = [Address(path=b"<b@example.org>"), Address(path=b"<c@example.org>")]

REFUSALS = [
    "450 4.2.0 later, says the hop",
    "452 4.3.1 hop is full",
    "550 5.7.1 never, says the hop",
    "554-5.7.1 two\r\n554 5.7.1 lines",
    "421 4.3.2 hop shuts down",
    "550 nö \udcff",
]


@pytest.mark.parametrize("verb", ["MAIL", "RCPT", "DATA", "end"])
@pytest.mark.parametrize("refusal", REFUSALS)
async def test_a_refusal_passes_verbatim_at_the_verb_where_it_came(verb: str, refusal: str) -> None:
    async with house(hop=FakeHop(replies={verb: refusal})) as here, talking(here.address) as client:
        await client.say(b"EHLO x")
        reply = await client.say(b"MAIL FROM:<a@example.com>")
        if verb != "MAIL":
            assert reply.startswith("250 2.1.0 hop")
            reply = await client.say(b"RCPT TO:<b@example.org>")
        if verb in ("DATA", "end"):
            assert reply.startswith("250 2.1.5 hop")
            await client.say(b"DATA")
            await client.send(MESSAGE + b".\r\n")
            reply = await client.reply()
        assert reply == refusal
        if refusal.startswith("421"):
            assert await client.closed()
        else:
            assert (await client.say(b"NOOP")).startswith("250")


@pytest.mark.parametrize("verb", ["connect", "EHLO", "MAIL", "RCPT", "DATA", "end"])
@pytest.mark.parametrize("fault", [HANG, RESET, CLOSE, GARBAGE])
async def test_a_broken_next_hop_is_451_of_ours(verb: str, fault: str) -> None:
    hop = FakeHop(replies={verb: fault})
    async with house(hop=hop, reply_seconds=0.3, connect_seconds=0.3) as here, talking(here.address) as client:
        here.gateway._offers_until = float("inf")
        monkey = pytest.MonkeyPatch()
        monkey.setattr("dlp.channels.relay._FINAL", 0.3)
        try:
            assert (await client.message(MESSAGE)).startswith(OURS)
        finally:
            monkey.undo()
        assert (await client.say(b"NOOP")).startswith("250")
        assert len(here.hop.wire) == (1 if verb == "end" else 0)


@pytest.mark.parametrize("greeting", ["554 5.7.1 go away", "421 4.7.0 too busy", "450 later", "250 wrong code"])
async def test_a_next_hop_that_greets_badly_is_451(greeting: str) -> None:
    async with house(hop=FakeHop(replies={"connect": greeting})) as here, talking(here.address) as client:
        assert (await client.message(MESSAGE)).startswith("451 4.4.1 ")


async def test_a_next_hop_that_is_down_is_451_and_comes_back() -> None:
    hop = FakeHop()
    async with house(hop=hop) as here, talking(here.address) as client:
        port, here.gateway._hop._place = hop.port, ("127.0.0.1", 1)  # type: ignore[attr-defined]
        assert (await client.message(MESSAGE)).startswith("451 4.4.1 ")
        here.gateway._hop._place = ("127.0.0.1", port)  # type: ignore[attr-defined]
        assert (await client.message(MESSAGE)).startswith("250 ")


async def test_a_next_hop_that_answers_out_of_turn_is_451() -> None:
    for verb, reply in [("MAIL", "354 what"), ("RCPT", "354 what"), ("DATA", "250 what"), ("end", "354 what")]:
        async with house(hop=FakeHop(replies={verb: reply})) as here, talking(here.address) as client:
            assert (await client.message(MESSAGE)).startswith("451 4.4.2 "), verb


async def test_endless_replies_are_cut_off() -> None:
    for reply in ["250-more\r\n" * 200 + "250 end", "250 " + "x" * 100_000, "250-one\r\n251 other"]:
        async with house(hop=FakeHop(replies={"MAIL": reply})) as here, talking(here.address) as client:
            assert (await client.message(MESSAGE)).startswith("451 4.4.2 ")


async def test_a_refused_recipient_leaves_the_others() -> None:
    hop = FakeHop(replies={"RCPT TO:<nobody@example.org>": "550 5.1.1 nobody"})
    async with house(hop=hop) as here, talking(here.address) as client:
        await client.say(b"EHLO x", b"MAIL FROM:<a@example.com>", b"RCPT TO:<b@example.org>")
        assert await client.say(b"RCPT TO:<nobody@example.org>") == "550 5.1.1 nobody"
        await client.say(b"DATA")
        await client.send(MESSAGE + b".\r\n")
        assert (await client.reply()).startswith("250 ")
    assert here.judge.envelopes[0].recipients == ("b@example.org",)


@pytest.mark.parametrize("how", ["drop", "421"])
async def test_a_connection_that_dies_while_we_inspect_is_replaced_once(how: str) -> None:
    judge = Judge(wait=asyncio.Event())
    hop = FakeHop(replies={"DATA": ["421 4.4.2 timeout", "354 go"]} if how == "421" else {})
    async with house(hop=hop, judge=judge) as here, talking(here.address) as client:
        await client.begin(b"<b@example.org> NOTIFY=NEVER", b"<c@example.org>", sender=b"<a@example.com> RET=HDRS")
        await client.send(MESSAGE + b".\r\n")
        await judge.arrived.wait()
        if how == "drop":
            hop.disconnect()
        assert judge.wait is not None
        judge.wait.set()
        assert await client.reply() == "250 2.0.0 hop queued it as 4F2A"
    assert len(hop.wire) == 1
    assert hop.connections == 2
    assert hop.said("MAIL") == [b"MAIL FROM:<a@example.com> RET=HDRS"] * 2
    assert hop.said("RCPT") == [b"RCPT TO:<b@example.org> NOTIFY=NEVER", b"RCPT TO:<c@example.org>"] * 2


async def test_a_recipient_refused_the_second_time_refuses_the_message() -> None:
    judge = Judge(wait=asyncio.Event())
    hop = FakeHop(replies={"RCPT": ["250 ok", "450 4.2.1 not now"]})
    async with house(hop=hop, judge=judge) as here, talking(here.address) as client:
        await client.begin()
        await client.send(MESSAGE + b".\r\n")
        await judge.arrived.wait()
        hop.disconnect()
        assert judge.wait is not None
        judge.wait.set()
        assert await client.reply() == "450 4.2.1 not now"
    assert hop.wire == []


async def test_nothing_is_repeated_after_the_content_has_begun() -> None:
    hop = FakeHop(replies={"content": RESET})
    async with house(hop=hop) as here, talking(here.address) as client:
        assert (await client.message(MESSAGE * 10_000)).startswith(OURS)
    assert len(hop.said("DATA")) == 1


async def test_a_connection_is_used_again_and_an_idle_one_that_died_is_replaced() -> None:
    async with house() as here, talking(here.address) as client:
        for _ in range(3):
            assert (await client.message(MESSAGE)).startswith("250 ")
        assert here.hop.connections == 1
        here.hop.disconnect()
        assert (await client.message(MESSAGE)).startswith("250 ")
        assert here.hop.connections == 2


async def test_a_connection_that_says_more_than_it_was_asked_is_not_used_again() -> None:
    hop = FakeHop(replies={"end": "250 2.0.0 stored\r\n250 2.1.0 and one more"})
    async with house(hop=hop) as here, talking(here.address) as client:
        assert await client.message(MESSAGE) == "250 2.0.0 stored"
        await asyncio.sleep(0.05)
        hop.replies["MAIL"] = "550 5.7.1 not you"
        assert await client.message(MESSAGE) == "550 5.7.1 not you"
        assert hop.connections == 2


async def test_a_connection_grows_old(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dlp.channels.relay._USES", 2)
    async with house() as here, talking(here.address) as client:
        here.gateway._offers_until = float("inf")
        for _ in range(5):
            assert (await client.message(MESSAGE)).startswith("250 ")
        assert here.hop.connections == 3


async def test_an_idle_connection_is_let_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dlp.channels.relay._IDLE", 0.05)
    async with house() as here, talking(here.address) as client:
        await client.message(MESSAGE)
        while here.hop.open:
            await asyncio.sleep(0.01)
        assert here.hop.said("QUIT") == [b"QUIT"]


async def test_a_next_hop_without_ehlo_gets_helo_and_no_parameters() -> None:
    hop = FakeHop(replies={"EHLO": "502 what"})
    async with house(hop=hop) as here, talking(here.address) as client:
        assert (await client.message(MESSAGE, sender=b"<a@example.com> SIZE=9 BODY=8BITMIME RET=HDRS")).startswith("250 ")
    assert hop.said("HELO") == [b"HELO gate.example"]
    assert hop.said("MAIL") == [b"MAIL FROM:<a@example.com>"]


# LMTP


async def delivered(hop: FakeHop, url: str) -> str:
    next_hop = NextHop.parse(url, hostname="gate.example")
    with Blob.of([MESSAGE]) as blob:
        try:
            return await next_hop.deliver(SENDER, RECIPIENTS, b"X: y\r\n", blob)
        finally:
            await next_hop.close()


async def test_lmtp_over_a_socket_needs_every_recipients_consent(tmp_path: Path) -> None:
    path = str(tmp_path / "lmtp")
    hop = FakeHop(lmtp=True, replies={"end": ["250 2.0.0 first", "250 2.0.0 second"]})
    async with running(hop, path=path):
        assert await delivered(hop, f"lmtp:{path}") == "250 2.0.0 second"
    assert hop.said("LHLO") == [b"LHLO gate.example"]
    assert hop.messages == [b"X: y\r\n" + MESSAGE]


@pytest.mark.parametrize(
    ("replies", "expected"),
    [
        (["250 ok", "450 4.2.2 later"], "450 4.2.2 later"),
        (["550 5.2.2 full", "250 ok"], "550 5.2.2 full"),
        (["550 5.2.2 full", "452 4.2.2 later"], "452 4.2.2 later"),
    ],
)
async def test_lmtp_recipients_that_differ_refuse_the_message(replies: list[str], expected: str) -> None:
    hop = FakeHop(lmtp=True, replies={"end": list(replies)})
    async with running(hop):
        with pytest.raises(RelayError) as refused:
            await delivered(hop, hop.url)
    assert refused.value.reply == expected


async def test_notices_of_our_own_are_delivered() -> None:
    async with running(FakeHop()) as hop:
        next_hop = NextHop.parse(hop.url)
        await next_hop.deliver_message("", ["boss@example.com"], MESSAGE)
        await next_hop.close()
    assert hop.said("MAIL") == [b"MAIL FROM:<> SIZE=%d" % len(MESSAGE)]
    assert hop.messages == [MESSAGE]


# Maildir


async def test_a_maildir_syncs_the_file_renames_and_syncs_the_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[str] = []
    fsync, rename = os.fsync, Path.rename

    def noted_fsync(descriptor: int) -> None:
        done.append(f"fsync {Path(os.readlink(f'/proc/self/fd/{descriptor}')).parent.name}")
        fsync(descriptor)

    def noted_rename(self: Path, target: Path) -> Path:
        done.append("rename")
        return rename(self, target)

    monkeypatch.setattr("os.fsync", noted_fsync)
    monkeypatch.setattr(Path, "rename", noted_rename)
    await delivered(FakeHop(), f"maildir:{tmp_path / 'box'}")
    assert done == ["fsync tmp", "rename", "fsync box"]
    (stored,) = (tmp_path / "box" / "new").iterdir()
    assert stored.read_bytes() == b"X: y\r\n" + MESSAGE


async def test_a_maildir_that_fails_leaves_no_draft(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(descriptor: int) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr("os.fsync", fails)
    with pytest.raises(RelayError) as refused:
        await delivered(FakeHop(), f"maildir:{tmp_path / 'box'}")
    assert refused.value.reply.startswith("451 4.3.0 ")
    assert [path for path in (tmp_path / "box").rglob("*") if path.is_file()] == []


# How safe the way is


@pytest.mark.parametrize(
    ("peer", "here"),
    [
        ("/run/lmtp.sock", True),
        ("", True),
        (b"\0abstract", True),
        (("127.0.0.1", 25), True),
        (("127.9.9.9", 25), True),
        (("::1", 25, 0, 0), True),
        (("::ffff:127.0.0.1", 25, 0, 0), True),
        (("192.0.2.1", 25), False),
        (("::ffff:192.0.2.1", 25, 0, 0), False),
        (("fe80::1%eth0", 25, 0, 2), False),
        (None, False),
    ],
)
def test_what_stays_on_this_machine(peer: object, here: bool) -> None:
    assert local(peer) is here


def test_one_way_is_weaker_than_another() -> None:
    order = [Transport.UNKNOWN, Transport.CLEAR, Transport.UNVERIFIED, Transport.VERIFIED, Transport.LOCAL]
    assert set(order) == set(Transport)
    for place, one in enumerate(order):
        assert [weaker(one, other) for other in order] == [place < rank for rank in range(len(order))]


@pytest.fixture
def far(monkeypatch: pytest.MonkeyPatch) -> None:
    """A next hop on another machine, which no test may speak to: what is near counts as far."""
    monkeypatch.setattr("dlp.channels.transport.local", lambda peer: False)


def server_tls(certificate: tuple[Path, Path]) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(*certificate)
    return context


async def transport(hop: FakeHop, tls: Tls) -> Transport:
    next_hop = NextHop.parse(hop.url.replace("127.0.0.1", "localhost"), tls=tls)
    delivery = next_hop.open()
    try:
        await delivery.mail(SENDER, size=None)
        return delivery.transport
    finally:
        await delivery.abort()
        await next_hop.close()


async def test_how_a_message_goes_on(
    certificate: tuple[Path, Path], far: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate[0]))
    async with running(FakeHop(tls=server_tls(certificate))) as hop:
        assert await transport(hop, "off") is Transport.CLEAR
        assert await transport(hop, "may") is Transport.UNVERIFIED
        assert await transport(hop, "verify") is Transport.VERIFIED
    async with running(FakeHop()) as hop:
        assert await transport(hop, "may") is Transport.CLEAR


async def test_what_stays_here_is_local(tmp_path: Path, certificate: tuple[Path, Path]) -> None:
    async with running(FakeHop(tls=server_tls(certificate))) as hop:
        assert await transport(hop, "off") is Transport.LOCAL
        assert await transport(hop, "may") is Transport.LOCAL
    assert NextHop.parse(f"maildir:{tmp_path}").open().transport is Transport.LOCAL
    assert NextHop.parse("smtp://localhost").open().transport is Transport.UNKNOWN


async def test_the_policy_is_told_how_the_message_goes_on(certificate: tuple[Path, Path], far: None) -> None:
    async with house(hop=FakeHop(tls=server_tls(certificate))) as here, talking(here.address) as client:
        assert (await client.message(MESSAGE)).startswith("250 ")
        assert here.judge.envelopes[0].transport is Transport.UNVERIFIED
    async with house() as here, talking(here.address) as client:
        assert (await client.message(MESSAGE)).startswith("250 ")
        assert here.judge.envelopes[0].transport is Transport.CLEAR


async def test_a_message_judged_for_tls_does_not_go_in_clear_when_its_connection_is_lost(
    certificate: tuple[Path, Path], far: None
) -> None:
    hop = FakeHop(tls=server_tls(certificate), replies={"DATA": RESET})
    judge = Judge(wait=asyncio.Event())
    async with house(hop=hop, judge=judge) as here, talking(here.address) as client:
        await client.begin()
        await client.send(MESSAGE + b".\r\n")
        await judge.arrived.wait()
        hop.tls = None  # from now on STARTTLS is stripped
        hop.replies.clear()
        hop.disconnect()
        assert judge.wait is not None
        judge.wait.set()
        assert (await client.reply()).startswith("451 4.4.")
        assert hop.wire == []
        assert (await client.message(MESSAGE, ehlo=False)).startswith("250 ")
        assert [one.transport for one in judge.envelopes] == [Transport.UNVERIFIED, Transport.CLEAR]


# REQUIRETLS

REQUIRETLS = (*EXTENSIONS, "REQUIRETLS")


async def test_requiretls_goes_on_where_the_next_hop_has_it() -> None:
    async with house(hop=FakeHop(extensions=REQUIRETLS)) as here, talking(here.address) as client:
        assert (await client.message(MESSAGE, sender=b"<a@example.com> REQUIRETLS")).startswith("250 ")
        assert here.hop.said("MAIL") == [b"MAIL FROM:<a@example.com> REQUIRETLS"]


@pytest.mark.parametrize("maildir", [True, False])
async def test_requiretls_is_refused_where_the_next_hop_lacks_it(tmp_path: Path, maildir: bool) -> None:
    async with house(maildir=tmp_path if maildir else None) as here, talking(here.address) as client:
        await client.say(b"EHLO x")
        assert (await client.say(b"MAIL FROM:<a@example.com> requiretls")).startswith("550 5.7.30 ")
        assert here.hop.said("MAIL") == []
        assert (await client.say(b"MAIL FROM:<a@example.com>")).startswith("250 ")


async def test_requiretls_does_not_go_to_a_next_hop_that_is_not_known_for_certain(
    certificate: tuple[Path, Path], far: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate[0]))
    hop = FakeHop(tls=server_tls(certificate), extensions=REQUIRETLS)
    async with house(hop=hop) as here, talking(here.address) as client:
        assert (await client.message(MESSAGE, sender=b"<a@example.com> REQUIRETLS")).startswith("550 5.7.30 ")
    url = hop.url.replace("127.0.0.1", "localhost")
    async with running(hop):
        url = hop.url.replace("127.0.0.1", "localhost")
        next_hop = NextHop.parse(url, tls="verify")
        assert "REQUIRETLS" in await next_hop.extensions()
        await next_hop.close()


async def test_requiretls_is_offered_within_tls_where_the_next_hop_has_it(certificate: tuple[Path, Path]) -> None:
    ours = {"tls_cert": certificate[0], "tls_key": certificate[1]}
    for extensions, offered in ((REQUIRETLS, True), (EXTENSIONS, False)):
        async with house(hop=FakeHop(extensions=extensions), **ours) as here, talking(here.address) as client:
            assert "REQUIRETLS" not in await client.say(b"EHLO x")
            await client.say(b"STARTTLS")
            await client.writer.start_tls(ssl.create_default_context(cafile=str(certificate[0])), server_hostname="localhost")
            assert ("REQUIRETLS" in await client.say(b"EHLO x")) is offered
    async with house(hop=FakeHop(extensions=REQUIRETLS)) as here, talking(here.address) as client:
        assert "REQUIRETLS" not in await client.say(b"EHLO x")
