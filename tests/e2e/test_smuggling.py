"""SMTP smuggling: what somebody might take for the end of a message, and is not, starts no second one.

Straight at the gateway, and through the real Postfix before it, which hears its own idea of the end first; in both ways of
treating bare line ends. The gateway runs here with a pipeline that lets all pass, so that only the wire is in question.
"""

import asyncio
import itertools
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import pytest

from tests.channels.mail_house import House, house
from tests.helpers.postfix import Ports, Postfix, postfix, recording, way
from tests.helpers.smtp import Conversation, FakeHop, normalised, talking, unstuffed, without_ours

pytestmark = pytest.mark.timeout(600)

# What a lax server may take for a line end: all that the public tools try, and some more.
ENDS = {
    "CRLF": b"\r\n",
    "LF": b"\n",
    "CR": b"\r",
    "CRCRLF": b"\r\r\n",
    "LFCR": b"\n\r",
    "LFLF": b"\n\n",
    "NUL-CRLF": b"\0\r\n",
    "CRLF-NUL": b"\r\n\0",
    "CR-NUL-LF": b"\r\0\n",
    "VT": b"\x0b",
    "FF": b"\x0c",
    "NEL": b"\xc2\x85",
    "LS": b"\xe2\x80\xa8",
}
TRICKS = {
    "two dots": b"\r\n..\r\n",
    "two dots by LF": b"\n..\n",
    "dot and blank": b"\r\n. \r\n",
    "blank and dot": b"\r\n .\r\n",
    "dot and NUL": b"\r\n.\0\r\n",
    "dot and tab": b"\r\n.\t\r\n",
    "dot after a dot by LF": b"\r\n.\n.\r",
    "dots by CR": b"\r.\r.\r.\r",
    "backspace": b"\r\n.\x08\r\n",
    "BDAT": b"\nBDAT 0 LAST\n",
    "BDAT by CR": b"\r.\rBDAT 0 LAST\r",
    "QUIT": b"\n.\nQUIT\n",
    "RSET": b"\n.\nRSET\n",
    "long line before": b"x" * 70_000 + b"\n.\n",
}
ATTACK = b"MAIL FROM:<ceo@evil.example>\r\nRCPT TO:<victim@example.org>\r\nDATA\r\nSubject: forged\r\n\r\nforged\r\n"
COVER = b"Subject: cover\r\n\r\ntext"
GENUINE = b"\r\n.\r\n"


def _carriers() -> Iterator[tuple[str, bytes]]:
    pairs = {f"{before}.{after}": ENDS[before] + b"." + ENDS[after] for before, after in itertools.product(ENDS, ENDS)}
    for name, sequence in {**pairs, **TRICKS}.items():
        yield name, COVER + sequence + ATTACK
        yield f"{name} on a line of its own", COVER + b"\r\n" + sequence + b"\r\n" + ATTACK
        yield f"{name} before LF commands", COVER + sequence + ATTACK.replace(b"\r\n", b"\n") + b"\r\n"


CARRIERS = {name: content for name, content in _carriers() if GENUINE not in content}
"""Messages that carry another; with CRLF.CRLF after them they are whole."""


def has_bare(content: bytes) -> bool:
    return re.search(rb"(?<!\r)\n|\r(?!\n)", content) is not None


def harmless(hop: FakeHop) -> None:
    """Nothing of what the hop got is the attacker's but text of a message, and the wire has no bare line end."""
    said = b"\r\n".join(hop.commands)
    assert b"evil.example" not in said
    assert b"victim" not in said
    assert not has_bare(said)
    for wire in hop.wire:
        assert not has_bare(wire)
        assert GENUINE not in wire[:-1]
        assert b"forged" in wire


def test_the_carriers_are_many_and_hold_the_public_ones() -> None:
    assert len(CARRIERS) > 500
    public = [b"\n.\n", b"\r.\r", b"\r.\n", b"\n.\r", b"\n.\r\n", b"\r\n.\n", b"\r.\r\n", b"\r\n.\r", b"\r\n\0.\r\n"]
    public += [b"\r\n.\r\r\n", b"\r\r\n.\r\r\n", b"\r\n.\0\r\n"]
    for sequence in public:
        assert any(sequence in content for content in CARRIERS.values())


async def carry(client: Conversation, content: bytes, *, pieces: int = 0) -> str:
    """A message to its genuine end, in pieces of so many bytes; the reply."""
    wire = content + b".\r\n"
    for at in range(0, len(wire), pieces or len(wire)):
        await client.send(wire[at : at + (pieces or len(wire))])
        if pieces:
            await asyncio.sleep(0)
    return await client.reply()


# Straight at the gateway


async def test_the_genuine_end_does_end_it() -> None:
    """The control: with CRLF.CRLF the attacker's commands are run, so what follows can fail."""
    async with house() as here, talking(here.address) as client:
        await client.begin()
        await client.send(COVER + GENUINE + ATTACK + b".\r\n")
        for _ in range(5):
            await client.reply()
        assert len(here.hop.wire) == 2
        with pytest.raises(AssertionError):
            harmless(here.hop)


async def test_no_other_sequence_ends_a_message() -> None:
    async with house() as here, talking(here.address) as client:
        for name, content in CARRIERS.items():
            here.hop.wire.clear()
            assert (await client.begin()).startswith("354")
            assert (await carry(client, content)).startswith("250 "), name
            harmless(here.hop)
            (wire,) = here.hop.wire
            assert without_ours(unstuffed(wire))[0] == normalised(content.replace(b"\r\n.", b"\r\n")), name
        assert len(here.judge.contents) == len(CARRIERS)


@pytest.mark.parametrize("pieces", [1, 2, 3, 5])
async def test_nor_in_pieces(pieces: int) -> None:
    chosen = {name: content for name, content in CARRIERS.items() if name in {f"{a}.{b}" for a in ENDS for b in ENDS}}
    async with house() as here, talking(here.address) as client:
        for name, content in chosen.items():
            await client.begin()
            assert (await carry(client, content, pieces=pieces)).startswith("250 "), name
        assert len(here.hop.wire) == len(chosen)
        harmless(here.hop)


async def test_where_bare_line_ends_are_rejected_they_end_the_connection() -> None:
    async with house(newlines="reject") as here:
        for name, content in CARRIERS.items():
            async with talking(here.address) as client:
                await client.begin()
                reply = await carry(client, content)
                assert reply.startswith("550 5.5.2 " if has_bare(content) else "250 "), name
                if has_bare(content):
                    assert await client.closed()
        assert len(here.hop.wire) == sum(not has_bare(content) for content in CARRIERS.values())
        harmless(here.hop)


# Through Postfix


@dataclass(frozen=True)
class Street:
    """A Postfix, where it and the gateway expect each other, and the hop at the end."""

    name: str
    mta: Postfix
    hop: FakeHop

    @asynccontextmanager
    async def gateway(self, newlines: str) -> AsyncIterator[House]:
        ports = self.mta.ports
        port = ports.reinjection if self.name == "before-queue" else self.hop.port
        settings = {"listen": (f"127.0.0.1:{ports.gateway}",), "next_hop": f"smtp://127.0.0.1:{port}", "newlines": newlines}
        async with house(**settings) as here:
            yield here


@pytest.fixture(scope="module", params=["before-queue", "smart-host"])
def street(request: pytest.FixtureRequest) -> Iterator[Street]:
    with recording() as hop:
        ports = Ports(hop=hop.port)
        with postfix(way(request.param, ports), ports=ports, relayhost=("127.0.0.1", hop.port)) as mta:
            yield Street(request.param, mta, hop)


SHORT = {name: content for name, content in CARRIERS.items() if name in TRICKS or " " not in name}


@pytest.mark.parametrize("newlines", ["normalise", "reject"])
async def test_through_postfix_no_sequence_starts_a_second_message(street: Street, newlines: str) -> None:
    """Before us Postfix makes an LF a CRLF, and from its queue a CR a blank; what it still lets through is ours to refuse."""
    street.hop.wire.clear()
    street.hop.commands.clear()
    replies: dict[str, str] = {}
    async with street.gateway(newlines):
        for name, content in SHORT.items():
            async with talking(street.mta.address) as client:
                assert (await client.begin()).startswith("354"), name
                replies[name] = await carry(client, content)
        await asyncio.to_thread(street.mta.drained)
    refusable = {name for name, content in SHORT.items() if re.search(rb"\r(?!\n)", content)}
    refused = refusable if (street.name, newlines) == ("before-queue", "reject") else set[str]()
    assert {name for name, reply in replies.items() if reply.startswith("550 5.5.2 ")} == refused
    assert {name for name, reply in replies.items() if reply.startswith("250 ")} == set(SHORT) - refused
    assert len(street.hop.wire) == len(SHORT) - len(refused) > 80
    harmless(street.hop)


async def test_without_the_line_in_its_configuration_postfix_itself_is_taken_in() -> None:
    """The control for Postfix, and why config/postfix/ has `smtpd_forbid_bare_newline`."""
    with recording() as hop, postfix(relayhost=("127.0.0.1", hop.port), main="smtpd_forbid_bare_newline = no") as mta:
        async with talking(mta.address) as client:
            await client.begin()
            assert (await carry(client, COVER + b"\n.\n" + ATTACK)).startswith("250 ")
            assert await client.say(b"QUIT")
        await asyncio.to_thread(mta.drained)
        assert len(hop.wire) == 2
        with pytest.raises(AssertionError):
            harmless(hop)
