"""Claims tried at another server: its word decides, and nothing is said in clear where others listen."""

import asyncio
import base64
import logging
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.smtp import SMTP, AuthResult

from dlp.channels import smtp_auth_upstream
from dlp.channels.smtp_auth import Unchecked
from dlp.channels.smtp_auth_upstream import AuthTls, UpstreamCredentials, parse_upstream
from dlp.channels.smtp_sasl import Claim
from tests.channels.mail_house import house
from tests.helpers.smtp import CLOSE, GARBAGE, HANG, RESET, FakeHop, running, talking

SECRET = b"canary-secret"
CLAIM = Claim(user="alice", password=SECRET)
PLAIN = base64.b64encode(b"\0alice\0" + SECRET)
OFFERS = ("PIPELINING", "AUTH CRAM-MD5 PLAIN LOGIN")


def credentials(port: int, *, scheme: str = "smtp", tls: AuthTls = "verify", reply: float = 20.0) -> UpstreamCredentials:
    url = f"{scheme}://localhost:{port}"
    return UpstreamCredentials(url, tls=tls, hostname="gate.example", connect_timeout=20, command_timeout=reply)


@asynccontextmanager
async def aiosmtpd(certificate: tuple[Path, Path], *, implicit: bool = False) -> AsyncIterator[tuple[int, list[str]]]:
    """A real server that knows alice, by STARTTLS only, or by TLS from the first byte; its port and who asked."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(*certificate)
    loop, asked = asyncio.get_running_loop(), list[str]()

    def authenticator(server: Any, session: Any, envelope: Any, mechanism: str, said: Any) -> AuthResult:
        asked.append(mechanism)
        return AuthResult(success=(said.login, said.password) == (b"alice", SECRET), handled=False)

    def session() -> SMTP:
        tls = None if implicit else context
        return SMTP(
            object(), hostname="up", tls_context=tls, auth_require_tls=not implicit, authenticator=authenticator, loop=loop
        )

    server = await loop.create_server(session, "127.0.0.1", 0, ssl=context if implicit else None)
    try:
        yield server.sockets[0].getsockname()[1], asked
    finally:
        server.close()
        await asyncio.sleep(0.1)  # its sessions take note that the client is gone


@pytest.mark.parametrize("implicit", [False, True])
@pytest.mark.parametrize("verify", [False, True])
async def test_a_real_server_over_tls(
    certificate: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch, implicit: bool, verify: bool
) -> None:
    if verify:
        # As for another machine, whose name stands in its certificate.
        monkeypatch.setattr(smtp_auth_upstream, "loopback", lambda host: False)
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate[0]))
    async with aiosmtpd(certificate, implicit=implicit) as (port, asked):
        upstream = credentials(port, scheme="smtps" if implicit else "smtp")
        assert not await upstream.holds(Claim(user="alice", password=b"wrong"))
        assert await upstream.holds(CLAIM)
        assert await upstream.holds(CLAIM)
        assert asked == ["PLAIN", "PLAIN"]  # the last was known


@pytest.mark.parametrize("implicit", [False, True])
async def test_a_certificate_that_does_not_hold_is_told_nothing(
    certificate: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch, implicit: bool
) -> None:
    monkeypatch.setattr(smtp_auth_upstream, "loopback", lambda host: False)
    async with aiosmtpd(certificate, implicit=implicit) as (port, asked):
        scheme = "smtps" if implicit else "smtp"
        with pytest.raises(Unchecked, match="TLS"):
            await credentials(port, scheme=scheme).holds(CLAIM)
        assert asked == []
        assert await credentials(port, scheme=scheme, tls="encrypt").holds(CLAIM)


async def test_in_clear_only_to_loopback_unless_the_operator_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    hop = FakeHop(extensions=OFFERS, replies={"AUTH": "235 2.7.0 yes"})
    async with running(hop):
        assert await credentials(hop.port).holds(CLAIM)
        monkeypatch.setattr(smtp_auth_upstream, "loopback", lambda host: False)
        for tls in ("verify", "encrypt"):
            with pytest.raises(Unchecked):
                await credentials(hop.port, tls=tls).holds(CLAIM)
        assert hop.said("AUTH") == [b"AUTH PLAIN " + PLAIN]
        assert await credentials(hop.port, tls="may").holds(CLAIM)
        assert len(hop.said("AUTH")) == 2


@pytest.mark.parametrize(
    ("reply", "answer"),
    [
        ("235 2.7.0 yes", True),
        ("235-2.7.0 yes\r\n235 2.7.0 and more", True),
        ("535 5.7.8 no", False),
        ("250 ok", None),
        ("334 ", None),
        ("421 4.3.2 not now", None),
        ("454 4.7.0 later", None),
        ("504 5.5.4 what", None),
        ("530 5.7.0 STARTTLS first", None),
        ("534 5.7.9 too weak", None),
        ("538 5.7.11 clear", None),
        (RESET, None),
        (CLOSE, None),
        (GARBAGE, None),
        (HANG, None),
    ],
)
async def test_235_is_yes_and_535_no_and_nothing_else_is_either(reply: str, answer: bool | None) -> None:
    hop = FakeHop(extensions=OFFERS, replies={"AUTH": reply})
    async with running(hop):
        upstream = credentials(hop.port, reply=1.0 if reply == HANG else 20.0)
        if answer is None:
            with pytest.raises(Unchecked) as error:
                await upstream.holds(CLAIM)
            assert "canary" not in str(error.value)
        else:
            assert await upstream.holds(CLAIM) is answer
        for _ in range(100):
            if not hop.open or reply == HANG:
                break
            await asyncio.sleep(0.05)
        assert hop.open == (reply == HANG)  # it is deaf as well


@pytest.mark.parametrize("replies", [{"connect": "554 no"}, {"connect": CLOSE}, {"EHLO": "500 what", "HELO": "250 hop"}])
async def test_a_server_that_does_not_speak_auth_decides_nothing(replies: dict[str, Any]) -> None:
    async with running(FakeHop(extensions=OFFERS, replies=replies)) as hop:
        with pytest.raises(Unchecked):
            await credentials(hop.port).holds(CLAIM)
    async with running(FakeHop(extensions=("AUTH CRAM-MD5",))) as hop:
        with pytest.raises(Unchecked, match="neither PLAIN nor LOGIN"):
            await credentials(hop.port).holds(CLAIM)


async def test_login_where_there_is_no_plain_and_a_long_response_on_a_line_of_its_own() -> None:
    user, password = base64.b64encode(b"alice").decode(), base64.b64encode(SECRET).decode()
    replies: dict[str, Any] = {"AUTH LOGIN": "334 VXNlcm5hbWU6", user: "334 UGFzc3dvcmQ6", password: "235 2.7.0 yes"}
    async with running(FakeHop(extensions=("AUTH LOGIN",), replies=replies)) as hop:
        assert await credentials(hop.port).holds(CLAIM)
    long = Claim(user="alice", password=b"x" * 2000)
    whole = base64.b64encode(b"\0alice\0" + long.password).decode()
    async with running(FakeHop(extensions=OFFERS, replies={"AUTH PLAIN": "334 ", whole: "235 2.7.0 yes"})) as hop:
        assert await credentials(hop.port).holds(long)
        assert max(map(len, hop.said("AUTH"))) <= 510


async def test_many_wait_and_more_are_turned_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(smtp_auth_upstream, "WAITING", 15)
    hop = FakeHop(extensions=OFFERS, replies={"AUTH": HANG})
    async with running(hop):
        upstream = credentials(hop.port)
        claims = [asyncio.create_task(upstream.holds(Claim(user=f"u{n}", password=b"x"))) for n in range(20)]
        try:
            for claim in claims[15:]:
                with pytest.raises(Unchecked, match="wait for"):
                    await claim
            while len(hop.said("AUTH")) < smtp_auth_upstream.AT_ONCE:
                await asyncio.sleep(0.05)
            assert hop.connections == smtp_auth_upstream.AT_ONCE
        finally:
            for claim in claims:
                claim.cancel()
            await asyncio.gather(*claims, return_exceptions=True)


async def test_a_server_that_takes_too_long_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(smtp_auth_upstream, "PATIENCE", 1.0)
    async with running(FakeHop(extensions=OFFERS, replies={"AUTH": HANG})) as hop:
        with pytest.raises(Unchecked, match="did not answer"):
            await credentials(hop.port).holds(CLAIM)


async def test_through_the_gateway(caplog: pytest.LogCaptureFixture, capsys: Any) -> None:
    caplog.set_level(logging.DEBUG)
    up = FakeHop(extensions=OFFERS, replies={"AUTH": ["535 5.7.8 no", "454 4.7.0 later", "235 2.7.0 yes"]})
    async with (
        running(up),
        house(auth_upstream=up.url, trusted_peers=("127.0.0.1",)) as here,
        talking(here.address) as client,
    ):
        assert "AUTH PLAIN LOGIN" in await client.say(b"EHLO x")
        assert await client.say(b"AUTH PLAIN " + PLAIN) == "535 5.7.8 Authentication credentials invalid"
        assert (await client.say(b"AUTH PLAIN " + PLAIN)).startswith("454 4.7.0 ")
        assert (await client.say(b"AUTH PLAIN " + PLAIN)).startswith("235 ")
        assert (await client.message(b"A: b\r\n\r\n", ehlo=False)).startswith("250 ")
    assert here.judge.envelopes[0].user == "alice"
    printed = capsys.readouterr()
    everything = caplog.text + printed.out + printed.err
    assert "mail authentication not possible" in everything
    assert "canary" not in everything
    assert PLAIN.decode() not in everything


async def test_a_server_that_is_not_there_is_454() -> None:
    up = FakeHop()
    async with running(up):
        gone = up.url
    async with house(auth_upstream=gone) as here, talking(here.address) as client:
        await client.say(b"EHLO x")
        assert (await client.say(b"AUTH PLAIN " + PLAIN)).startswith("454 4.7.0 ")
        assert (await client.message(b"A: b\r\n\r\n", ehlo=False)).startswith("250 ")


@pytest.mark.parametrize(
    ("url", "place"),
    [
        ("smtp://mx.example.com", ("smtp", "mx.example.com", 587)),
        ("smtp://mx.example.com:25", ("smtp", "mx.example.com", 25)),
        ("smtps://[::1]", ("smtps", "::1", 465)),
        ("lmtp://mx", None),
        ("smtp:mx", None),
        ("smtp://", None),
        ("smtp://mx:99999", None),
        ("smtp://mx/path", None),
        ("mx:25", None),
    ],
)
def test_its_address(url: str, place: tuple[str, str, int] | None) -> None:
    if place is None:
        with pytest.raises(ValueError, match="is n"):
            parse_upstream(url)
    else:
        assert parse_upstream(url) == place
