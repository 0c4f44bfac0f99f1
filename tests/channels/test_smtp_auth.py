"""AUTH over real sockets: what a client may say when, what it is answered, and whom the message is then from."""

import asyncio
import base64
import logging
import smtplib
import ssl
from collections.abc import Awaitable, Callable
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest

from dlp.channels import smtp_auth, smtp_session
from dlp.channels.smtp_auth import Attempts, Recent, loopback, unclaimed
from dlp.channels.smtp_auth_file import Verifier
from dlp.channels.smtp_sasl import Claim
from dlp.channels.smtp_syntax import Address
from tests.channels.mail_house import House, house
from tests.helpers.smtp import Conversation, FakeHop, talking, without_ours

MESSAGE = b"Subject: hello\r\n\r\nGood morning.\r\n"
SECRET = "canary-pässword-机密"
HOP = ("8BITMIME", "AUTH PLAIN")
TRUSTED = ("127.0.0.0/8",)
"""For tests of something else: a trusted peer does not wait after a wrong password."""


def b64(text: str | bytes) -> bytes:
    return base64.b64encode(text.encode() if isinstance(text, str) else text)


def plain(user: str = "alice", password: str = SECRET, authority: str = "") -> bytes:
    return b64(f"{authority}\0{user}\0{password}")


@pytest.fixture
def logins(tmp_path: Path) -> Path:
    """A file in which alice has SECRET."""
    file = tmp_path / "logins"
    file.write_text(f"# who may\n\nalice:{Verifier.of(SECRET.encode(), ln=10, p=1)}\n", "utf-8")
    file.chmod(0o600)
    return file


def failures(here: House) -> dict[str, float]:
    (metric,) = here.metrics.mail_auth_failures.collect()
    return {one.labels["why"]: one.value for one in metric.samples}


async def by_plain_at_once(client: Conversation, password: str) -> str:
    return await client.say(b"AUTH PLAIN " + plain(password=password))


async def by_plain(client: Conversation, password: str) -> str:
    assert await client.say(b"auth plain") == "334 "
    return await client.say(plain(password=password))


async def by_login(client: Conversation, password: str) -> str:
    assert await client.say(b"AUTH LOGIN") == "334 VXNlcm5hbWU6"
    assert await client.say(b64("alice")) == "334 UGFzc3dvcmQ6"
    return await client.say(b64(password))


async def by_login_at_once(client: Conversation, password: str) -> str:
    assert await client.say(b"AUTH LOGIN " + b64("alice")) == "334 UGFzc3dvcmQ6"
    return await client.say(b64(password))


Way = Callable[[Conversation, str], Awaitable[str]]
WAYS = [by_plain_at_once, by_plain, by_login, by_login_at_once]


@pytest.mark.parametrize("way", WAYS)
async def test_who_proves_his_name_sends_under_it(logins: Path, way: Way) -> None:
    async with house(auth_file=logins, trusted_peers=TRUSTED) as here, talking(here.address) as client:
        assert "AUTH PLAIN LOGIN" in await client.say(b"EHLO x")
        assert await way(client, "not it") == "535 5.7.8 Authentication credentials invalid"
        assert await way(client, SECRET) == "235 2.7.0 Authentication successful"
        assert (await client.message(MESSAGE, ehlo=False)).startswith("250 ")
        _, ours = without_ours(here.hop.messages[0])
        assert failures(here) == {"rejected": 1}
    assert [one.user for one in here.judge.envelopes] == ["alice"]
    assert " with ESMTPA id " in ours["Received"]


async def test_the_name_outlives_everything_but_a_new_session(logins: Path) -> None:
    async with house(auth_file=logins, trusted_peers=TRUSTED) as here, talking(here.address) as client:
        await client.say(b"EHLO x")
        await by_plain(client, SECRET)
        await client.say(b"RSET", b"EHLO y")
        await client.message(MESSAGE)
        await client.say(b"HELO z")
        await client.message(MESSAGE, ehlo=False)
        assert (await client.say(b"EHLO x", b"AUTH PLAIN " + plain())).startswith("503 5.5.1 ")
        await client.say(b"XFORWARD ADDR=192.0.2.9 IDENT=4F2B")
        await client.message(MESSAGE, ehlo=False)
        # XCLIENT begins a session anew: it is somebody else's, unless it says whose.
        await client.say(b"XCLIENT ADDR=192.0.2.10")
        await client.message(MESSAGE)
        await by_plain(client, SECRET)
        await client.say(b"XCLIENT LOGIN=bob")
        await client.message(MESSAGE)
        assert (await client.say(b"AUTH PLAIN " + plain())).startswith("503 5.5.1 ")
        protocols = [without_ours(one)[1]["Received"].partition(" with ")[2].partition(" ")[0] for one in here.hop.messages]
    assert [one.user for one in here.judge.envelopes] == ["alice", "alice", "alice", None, "bob"]
    assert protocols == ["ESMTPA", "SMTP", "ESMTPA", "ESMTP", "ESMTP"]
    assert here.judge.envelopes[2].queue_id == "4F2B"


async def test_what_may_not_be_said_when(logins: Path) -> None:
    async with house(auth_file=logins) as here, talking(here.address) as client:
        assert (await client.say(b"AUTH PLAIN " + plain())).startswith("503 5.5.1 ")
        assert (await client.say(b"HELO x", b"AUTH PLAIN " + plain())).startswith("503 5.5.1 ")
        for wrong, code in ((b"AUTH", "501"), (b"AUTH CRAM-MD5", "504"), (b"AUTH PLAIN a b", "501")):
            assert (await client.say(b"EHLO x", wrong))[:3] == code
        assert (await client.say(b"MAIL FROM:<a@example.com>", b"AUTH PLAIN " + plain())).startswith("503 5.5.1 ")
        assert (await client.say(b"RCPT TO:<b@example.com>")).startswith("250 ")
        assert (await client.say(b"RSET", b"AUTH PLAIN " + plain())).startswith("235 ")
        assert failures(here) == {}


@pytest.mark.parametrize(
    ("said", "answer", "why"),
    [
        ([b"AUTH PLAIN =" + plain()], "501 5.5.2 ", "malformed"),
        ([b"AUTH PLAIN ="], "501 5.5.2 ", "malformed"),
        ([b"AUTH PLAIN %%%"], "501 5.5.2 ", "malformed"),
        (["AUTH PLAIN é".encode()], "501 5.5.2 ", "malformed"),
        ([b"AUTH PLAIN " + b64("alice")], "501 5.5.2 ", "malformed"),
        ([b"AUTH PLAIN", b"*"], "501 5.7.0 ", "cancelled"),
        ([b"AUTH PLAIN", b""], "501 5.5.2 ", "malformed"),
        ([b"AUTH PLAIN", b"QQ"], "501 5.5.2 ", "malformed"),
        ([b"AUTH PLAIN", b"\xff\xfe"], "501 5.5.2 ", "malformed"),
        ([b"AUTH LOGIN ="], "334 ", None),
        ([b"AUTH LOGIN", b"*"], "501 5.7.0 ", "cancelled"),
        ([b"AUTH LOGIN", b64("alice"), b"*"], "501 5.7.0 ", "cancelled"),
        ([b"AUTH LOGIN", b64("alice"), b64("a\0b")], "501 5.5.2 ", "malformed"),
        ([b"AUTH PLAIN", b"A" * 12_284], "501 5.5.2 ", "malformed"),
        ([b"AUTH PLAIN", b"A" * 12_288], "500 5.5.6 ", "malformed"),
        ([b"AUTH PLAIN", b"A" * 300_000], "500 5.5.6 ", "malformed"),
        ([b"AUTH PLAIN " + plain(authority="root")], "535 5.7.8 ", "rejected"),
        ([b"AUTH PLAIN " + plain(user="nobody")], "535 5.7.8 ", "rejected"),
        ([b"AUTH LOGIN", b64("alice"), b64(b"\xff\xfe")], "535 5.7.8 ", "rejected"),
    ],
)
async def test_what_goes_wrong_leaves_the_session_in_step(logins: Path, said: list[bytes], answer: str, why: str | None) -> None:
    async with house(auth_file=logins, trusted_peers=TRUSTED) as here, talking(here.address) as client:
        await client.say(b"EHLO x")
        assert (await client.say(*said)).startswith(answer)
        if why is None:
            assert (await client.say(b"*")).startswith("501 5.7.0 ")
        assert (await client.say(b"NOOP")).startswith("250")
        assert failures(here) == {why or "cancelled": 1}
        assert (await by_plain(client, SECRET)).startswith("235 ")


async def test_a_command_that_is_too_long_is_refused_in_step(logins: Path) -> None:
    async with house(auth_file=logins) as here, talking(here.address) as client:
        await client.say(b"EHLO x")
        for length in (5_000, 70_000, 300_000):
            assert (await client.say(b"AUTH PLAIN " + b"A" * length)).startswith("500 ")
        assert (await by_plain_at_once(client, SECRET)).startswith("235 ")


async def test_three_failures_end_the_connection(logins: Path) -> None:
    async with house(auth_file=logins, trusted_peers=TRUSTED) as here, talking(here.address) as client:
        await client.say(b"EHLO x")
        for _ in range(3):
            assert (await by_plain_at_once(client, "not it")).startswith("535 ")
        assert (await client.reply()).startswith("421 4.7.0 ")
        assert await client.closed()
        assert failures(here) == {"rejected": 3}


async def test_who_guesses_waits_on_every_connection(logins: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Attempts, "PATIENCE", 0.0)
    async with house(auth_file=logins) as here:
        assert here.gateway.authenticator is not None
        monkeypatch.setattr(here.gateway.authenticator, "_attempts", Attempts(clock=lambda: 0.0))
        async with talking(here.address) as client:
            await client.say(b"EHLO x")
            assert (await by_plain_at_once(client, "not it")).startswith("535 ")
        async with talking(here.address) as client:
            await client.say(b"EHLO x")
            assert (await by_plain_at_once(client, SECRET)).startswith("454 4.7.0 Too many")
        assert failures(here) == {"rejected": 1, "throttled": 1}


async def test_a_wait_after_a_failure_ends_with_an_answer(logins: Path) -> None:
    async with house(auth_file=logins) as here, talking(here.address) as client:
        await client.say(b"EHLO x")
        assert (await by_plain_at_once(client, "not it")).startswith("535 ")
        assert (await by_plain_at_once(client, SECRET)).startswith("235 ")


async def test_who_hangs_up_before_the_answer_has_failed_all_the_same(logins: Path) -> None:
    async with house(auth_file=logins) as here:
        assert here.gateway.authenticator is not None
        async with talking(here.address) as client:
            await client.say(b"EHLO x")
            await client.send(b"AUTH PLAIN " + plain(password="not it") + b"\r\n")
            client.writer.transport.abort()
        attempts = here.gateway.authenticator._attempts
        for _ in range(200):
            if len(attempts):
                break
            await asyncio.sleep(0.05)
        assert len(attempts) == 1


async def test_without_credentials_there_is_no_auth() -> None:
    async with house() as here, talking(here.address) as client:
        assert "AUTH" not in await client.say(b"EHLO x")
        assert (await client.say(b"AUTH PLAIN " + plain())).startswith("502 5.5.1 ")


async def test_in_clear_it_is_offered_on_loopback_only(
    logins: Path, certificate: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    # No address of another machine can be spoken from here.
    monkeypatch.setattr(smtp_session, "loopback", lambda host: False)
    context = ssl.create_default_context(cafile=str(certificate[0]))
    tls = {"tls_cert": certificate[0], "tls_key": certificate[1]}
    async with house(auth_file=logins, **tls) as here, talking(here.address) as client:
        assert "AUTH" not in await client.say(b"EHLO x")
        assert (await client.say(b"AUTH PLAIN " + plain())).startswith("538 5.7.11 ")
        assert (await client.say(b"STARTTLS")).startswith("220 ")
        await client.writer.start_tls(context, server_hostname="localhost")
        assert (await client.say(b"AUTH PLAIN " + plain())).startswith("503 ")
        assert "AUTH PLAIN LOGIN" in await client.say(b"EHLO x")
        assert (await by_login(client, SECRET)).startswith("235 ")
        await client.message(MESSAGE, ehlo=False)
        assert " with ESMTPSA id " in without_ours(here.hop.messages[0])[1]["Received"]
    async with house(auth_file=logins, auth_without_tls=True) as here, talking(here.address) as client:
        assert "AUTH PLAIN LOGIN" in await client.say(b"EHLO x")
        assert (await by_plain(client, SECRET)).startswith("235 ")


async def test_starttls_forgets_who_it_was(logins: Path, certificate: tuple[Path, Path]) -> None:
    context = ssl.create_default_context(cafile=str(certificate[0]))
    async with house(auth_file=logins, tls_cert=certificate[0], tls_key=certificate[1]) as here, talking(here.address) as client:
        await client.say(b"EHLO x")
        assert (await by_plain(client, SECRET)).startswith("235 ")
        await client.say(b"STARTTLS")
        await client.writer.start_tls(context, server_hostname="localhost")
        await client.message(MESSAGE)
        assert (await by_plain(client, SECRET)).startswith("235 ")
        await client.message(MESSAGE, ehlo=False)
        protocols = [without_ours(one)[1]["Received"].partition(" with ")[2].partition(" ")[0] for one in here.hop.messages]
    assert [one.user for one in here.judge.envelopes] == [None, "alice"]
    assert protocols == ["ESMTPS", "ESMTPSA"]


async def test_where_it_is_required_nobody_else_sends_but_trusted_peers(logins: Path) -> None:
    async with house(auth_file=logins, auth_required=True) as here, talking(here.address) as client:
        assert (await client.message(MESSAGE)).startswith("530 5.7.0 ")
        await by_plain(client, SECRET)
        assert (await client.message(MESSAGE, ehlo=False)).startswith("250 ")
        assert len(here.hop.said("MAIL")) == 1
    async with house(auth_file=logins, auth_required=True, trusted_peers=TRUSTED) as here, talking(here.address) as client:
        assert (await client.message(MESSAGE)).startswith("250 ")


CLAIMED = b"<a@example.com> RET=HDRS auth=e+3Dmc2@example.com BODY=8BITMIME"


async def test_an_auth_parameter_goes_on_only_from_who_may_say_it(logins: Path) -> None:
    hop = FakeHop(extensions=(*HOP, "DSN"))
    async with house(hop=hop, auth_file=logins) as here, talking(here.address) as client:
        await client.message(MESSAGE, sender=CLAIMED)
        await client.message(MESSAGE, sender=b"<a@example.com> AUTH=<>")
        await by_plain(client, SECRET)
        await client.message(MESSAGE, sender=CLAIMED, ehlo=False)
    async with house(hop=hop, auth_file=logins, trusted_peers=TRUSTED) as here, talking(here.address) as client:
        await client.message(MESSAGE, sender=CLAIMED)
    assert hop.said("MAIL") == [
        b"MAIL FROM:<a@example.com> RET=HDRS AUTH=<> BODY=8BITMIME",
        b"MAIL FROM:<a@example.com> AUTH=<>",
        b"MAIL FROM:" + CLAIMED,
        b"MAIL FROM:" + CLAIMED,
    ]


def test_a_sender_without_the_parameter_is_left_alone() -> None:
    sender = Address(path=b"<a@b>", params=(b"SIZE=3", b"AUTHOR=x", b"AUTH"))
    assert unclaimed(sender) == sender


@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN"])
@pytest.mark.parametrize("at_once", [True, False])
async def test_pythons_client_authenticates(logins: Path, certificate: tuple[Path, Path], mechanism: str, at_once: bool) -> None:
    context = ssl.create_default_context(cafile=str(certificate[0]))
    message = EmailMessage()
    message["Subject"], message["From"], message["To"] = "hello", "a@example.com", "b@example.org"
    message.set_content("Good morning.")

    def send(port: int) -> None:
        with smtplib.SMTP("localhost", port, timeout=60) as client:
            client.starttls(context=context)
            client.ehlo()
            client.user, client.password = "alice", "s3cret"
            method: Any = client.auth_plain if mechanism == "PLAIN" else client.auth_login
            with pytest.raises(smtplib.SMTPAuthenticationError) as refused:
                client.user = "mallory"
                client.auth(mechanism, method, initial_response_ok=at_once)
            assert refused.value.smtp_code == 535
            client.user = "alice"
            assert client.auth(mechanism, method, initial_response_ok=at_once)[0] == 235
            client.send_message(message)

    logins.write_text(f"alice:{Verifier.of(b's3cret', ln=10, p=1)}\n")
    tls = {"tls_cert": certificate[0], "tls_key": certificate[1]}
    async with house(auth_file=logins, trusted_peers=TRUSTED, **tls) as here:
        await asyncio.to_thread(send, here.address[1])
    assert [one.user for one in here.judge.envelopes] == ["alice"]


async def test_no_password_and_no_name_that_was_tried_is_logged(
    logins: Path, caplog: pytest.LogCaptureFixture, capsys: Any
) -> None:
    caplog.set_level(logging.DEBUG)
    said = [plain(), b64(SECRET), b64("canary-name"), plain(user="canary-name")]
    async with house(auth_file=logins, trusted_peers=TRUSTED) as here, talking(here.address) as client:
        await client.say(b"EHLO x")
        for line in (b"AUTH PLAIN " + plain(user="canary-name"), b"AUTH PLAIN x" + plain()):
            await client.say(line)
        await client.say(b"AUTH LOGIN", b64("alice"), b64(SECRET))
        # What is out of step is read as a command.
        await client.say(*said)
        shown = [one.getMessage() for one in caplog.records]
    async with house(auth_file=logins) as here, talking(here.address) as client:
        await client.say(b"EHLO x")
        await client.say(b"AUTH PLAIN " + plain(user="canary-name"))
    printed = capsys.readouterr()
    everything = caplog.text + printed.out + printed.err + "".join(shown)
    assert "mail authentication failed" in everything
    assert "127.0.0.1" in everything
    for secret in (SECRET, "canary", *(one.decode() for one in said)):
        assert secret not in everything


# Who waits how long, on a clock that stands until it is moved


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_the_wait_grows_and_fades() -> None:
    clock = Clock()
    attempts = Attempts(clock=clock)
    assert attempts.wait("192.0.2.1") == 0
    waits = []
    for _ in range(6):
        attempts.failed("192.0.2.1")
        seconds = attempts.wait("192.0.2.1")
        assert seconds is not None
        waits.append(seconds)
        clock.now += seconds
    assert waits == sorted(waits)
    assert waits[0] == 1
    assert waits[-1] == Attempts.LONGEST
    assert attempts.wait("192.0.2.2") == 0
    clock.now += 3600
    assert attempts.wait("192.0.2.1") == 0
    assert attempts.wait("192.0.2.1") == 0


def test_connections_side_by_side_wait_for_each_other_and_not_for_ever() -> None:
    attempts = Attempts(clock=Clock())
    for _ in range(20):
        attempts.failed("192.0.2.1")
    waits = [attempts.wait("192.0.2.1") for _ in range(100)]
    granted = [seconds for seconds in waits if seconds is not None]
    assert granted == [10, 20, 30]
    assert waits[3:] == [None] * 97


def test_an_ipv6_client_has_one_wait_for_all_its_addresses() -> None:
    attempts = Attempts(clock=Clock())
    attempts.failed("2001:db8::1")
    assert attempts.wait("2001:db8::ffff:1%eth0") == 1
    assert attempts.wait("2001:db8:0:1::1") == 0
    attempts.failed("unknown")
    assert attempts.wait("unknown") == 1


def test_guessers_are_remembered_in_bounded_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Attempts, "MOST", 5)
    attempts = Attempts(clock=Clock())
    for number in range(20):
        attempts.failed("192.0.2.1")
        attempts.failed(f"198.51.100.{number}")
    assert len(attempts) == 5
    assert attempts.wait("192.0.2.1") == Attempts.LONGEST
    assert attempts.wait("198.51.100.0") == 0


def test_what_held_is_known_for_a_while_and_only_against_the_same_proof(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, claim = Clock(), Claim(user="alice", password=b"secret")
    recent = Recent(clock=clock)
    assert not recent.knows(claim, b"proof")
    recent.keep(claim, b"proof")
    assert recent.knows(claim, b"proof")
    assert not recent.knows(claim, b"another")
    assert not recent.knows(Claim(user="alice", password=b"secre"), b"proof")
    assert not recent.knows(Claim(user="alic", password=b"secret"), b"eproof")
    clock.now += Recent.SECONDS
    assert not recent.knows(claim, b"proof")
    monkeypatch.setattr(Recent, "MOST", 2)
    for number in range(5):
        recent.keep(Claim(user=f"user{number}", password=b"x"))
    assert [recent.knows(Claim(user=f"user{number}", password=b"x")) for number in range(5)] == [False] * 3 + [True] * 2


@pytest.mark.parametrize(
    ("host", "is_"),
    [
        ("127.0.0.1", True),
        ("127.9.9.9", True),
        ("::1", True),
        ("localhost", True),
        ("LOCALHOST", True),
        ("10.0.0.1", False),
        ("localhost.example.com", False),
        ("unknown", False),
        ("fe80::1%lo", False),
        ("", False),
    ],
)
def test_loopback(host: str, is_: bool) -> None:
    assert loopback(host) is is_
    assert smtp_auth.loopback is smtp_session.loopback
