"""The real Postfix with the daemon in its path, in each way of config/postfix/, beside the same Postfix alone.

What Postfix alone accepts is accepted, and what the hop behind it is told is the same, byte for byte; messages arrive
unchanged but for fields on top; verdicts, failures and releases are what docs/mail.md says of each way.
"""

import base64
import itertools
import re
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import pytest

from dlp.model import Action
from tests.e2e.postfix_messages import made, real
from tests.helpers.daemon import Daemon, eventually, started
from tests.helpers.postfix import ALONE, HOST, Client, Ports, Postfix, Way, postfix, recording, way
from tests.helpers.scale import LONG
from tests.helpers.smtp import FakeHop, Taken

pytestmark = pytest.mark.timeout(900)

ANN, PASSWORD = "ann@example.com", "Tr0ub4dor"
OUTSIDE = b"<partner@example.org>"
POLICY = """
[[rule]]
name = "Ann's secrets stay"
when = { channel = "mail", level = ">=secret", recipients = "external", sender = "ann@example.com" }
then = "block"

[[rule]]
name = "Ann's confidences wait"
when = { channel = "mail", level = "confidential", recipients = "external", sender = "ann@example.com" }
then = "quarantine"
"""
CAREFUL = "smtpd_forbid_bare_newline = normalize\nsmtpd_forbid_bare_newline_exclusions =\n"


@dataclass(frozen=True)
class Kind:
    """What a way is like: whether the sender waits for the verdict, whether Postfix has a queue id by then, and how many
    Received fields are on top at the hop."""

    waits: bool
    queued: bool
    received: int


KINDS = {
    "before-queue": Kind(waits=True, queued=False, received=3),
    "after-queue": Kind(waits=False, queued=True, received=3),
    "smart-host": Kind(waits=False, queued=True, received=2),
    "milter": Kind(waits=True, queued=True, received=1),
}


@dataclass
class House:
    """Postfix, the hop behind it, and the daemon between them."""

    way: Way
    mta: Postfix
    hop: FakeHop
    config: Path
    daemon: Daemon
    _stack: ExitStack = field(default_factory=ExitStack)

    @property
    def kind(self) -> Kind:
        return KINDS[self.way.name]

    def up(self) -> None:
        self.daemon = self._stack.enter_context(started(self.config))

    def down(self) -> None:
        self._stack.close()

    def decided(self) -> float:
        """How many messages have had their verdict."""
        return sum(self.daemon.metric(f'dlp_items_total{{action="{one}",channel="mail"}}') for one in Action)


class Numbers:
    """Recipients that no message had before, so that each is found again without a mark in its content."""

    _next = itertools.count(1)

    @classmethod
    def recipient(cls) -> bytes:
        return b"<m%d@example.org>" % next(cls._next)


@pytest.fixture(scope="module")
def alone() -> Iterator[tuple[Postfix, FakeHop]]:
    """Postfix that relays to a hop, and nothing between."""
    with recording() as hop, postfix(ALONE, relayhost=("127.0.0.1", hop.port), main=CAREFUL, users={ANN: PASSWORD}) as mta:
        yield mta, hop


@pytest.fixture(scope="module", params=list(KINDS))
def house(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    folder = tmp_path_factory.mktemp(request.param)
    sockets = Path(tempfile.mkdtemp(prefix="dlp-milter-", dir="/tmp"))  # Postfix's users must be able to walk there
    sockets.chmod(0o755)
    (folder / "policy.toml").write_text(POLICY, "utf-8")
    with recording() as hop:
        ports = Ports(hop=hop.port, milter=str(sockets / "milter.sock"))
        chosen = way(request.param, ports)
        with postfix(chosen, ports=ports, relayhost=("127.0.0.1", hop.port), users={ANN: PASSWORD}) as mta:
            config = chosen.configure(folder, policy=folder / "policy.toml")
            # Markings are all that is looked for here; the rest would only take time.
            config.write_text(config.read_text("utf-8").replace('/signatures"', '/signatures/markings.yar"'), "utf-8")
            with ExitStack() as stack:
                daemon = stack.enter_context(started(config))
                yield House(way=chosen, mta=mta, hop=hop, config=config, daemon=daemon, _stack=stack)
    shutil.rmtree(sockets)


def login(client: Client) -> None:
    secret = base64.b64encode(f"\0{ANN}\0{PASSWORD}".encode())
    assert client.say(b"AUTH PLAIN " + secret).startswith("235 ")


def taken(hop: FakeHop, recipient: bytes, *, count: int = 1) -> list[Taken]:
    """The messages for `recipient`, once there are so many."""

    def found() -> list[Taken]:
        return [one for one in hop.taken if any(recipient in line for line in one.rcpt)]

    eventually(lambda: len(found()) >= count, seconds=60)
    return found()


# Transactions


@dataclass(frozen=True)
class Case:
    """One transaction: the commands before DATA."""

    mail: bytes
    rcpt: tuple[bytes, ...] = (OUTSIDE,)
    ehlo: bytes = b"EHLO client.example.com"


A = b"MAIL FROM:<a@example.com>"


def to(*paths: bytes) -> tuple[bytes, ...]:
    return tuple(b"RCPT TO:" + path for path in paths)


CASES: Mapping[str, Case] = {
    "plain": Case(A, to(OUTSIDE)),
    "null sender": Case(b"MAIL FROM:<>", to(OUTSIDE)),
    "null sender with DSN": Case(b"MAIL FROM:<> RET=HDRS ENVID=x", to(b"<b@example.org> NOTIFY=NEVER")),
    "lower case": Case(b"mail from:<a@example.com>", (b"rcpt to:<b@example.org>",)),
    "HELO": Case(A, to(OUTSIDE), ehlo=b"HELO client.example.com"),
    "space before the path": Case(b"MAIL FROM: <a@example.com>", to(b" <b@example.org>")),
    "no brackets": Case(b"MAIL FROM:a@example.com", to(b"b@example.org")),
    "SIZE": Case(A + b" SIZE=1000", to(OUTSIDE)),
    "SIZE=0": Case(A + b" SIZE=0", to(OUTSIDE)),
    "BODY=7BIT": Case(A + b" BODY=7BIT", to(OUTSIDE)),
    "BODY=8BITMIME": Case(A + b" BODY=8BITMIME", to(OUTSIDE)),
    "SIZE and BODY in lower case": Case(A + b" size=1000 body=8bitmime", to(OUTSIDE)),
    "RET and ENVID": Case(A + b" RET=HDRS ENVID=QQ3141+2B59", to(OUTSIDE)),
    "RET=FULL": Case(A + b" RET=FULL", to(OUTSIDE)),
    "NOTIFY and ORCPT": Case(A, to(b"<b@example.org> NOTIFY=FAILURE,DELAY ORCPT=rfc822;Bob+2BTag@Example.ORG")),
    "NOTIFY=NEVER": Case(A, to(b"<b@example.org> NOTIFY=NEVER")),
    "NOTIFY=SUCCESS": Case(A, to(b"<b@example.org> NOTIFY=SUCCESS")),
    "ORCPT of another type": Case(A, to(b"<b@example.org> ORCPT=x400;C=cn+3BADMD=x")),
    "all of DSN": Case(
        A + b" RET=FULL ENVID=" + b"e" * 90, to(b"<b@example.org> NOTIFY=SUCCESS,FAILURE ORCPT=rfc822;b@example.org")
    ),
    "AUTH=<>": Case(A + b" AUTH=<>", to(OUTSIDE)),
    "AUTH with an address": Case(A + b" AUTH=e+3Dmc2@example.com", to(OUTSIDE)),
    "SMTPUTF8": Case("MAIL FROM:<用户@example.com> SMTPUTF8".encode(), to("<收件人@example.org>".encode())),
    "SMTPUTF8 with ASCII": Case(A + b" SMTPUTF8 BODY=8BITMIME", to(OUTSIDE)),
    "SMTPUTF8 domain": Case(A + b" SMTPUTF8", to("<b@例子.example.org>".encode())),
    "8-bit without SMTPUTF8": Case(A, to("<ü@example.org>".encode())),
    "source route": Case(A, to(b"<@relay.example.net:b@example.org>")),
    "source route of the sender": Case(b"MAIL FROM:<@relay.example.net,@two.example.net:a@example.com>", to(OUTSIDE)),
    "quoted local parts": Case(b'MAIL FROM:<"john doe"@example.com>', to(b'<"b c"@example.org>', b'<"b\\"c"@example.org>')),
    "quoted without need": Case(A, to(b'<"b"@example.org>')),
    "quoted angle bracket": Case(A, to(b'<"b>c"@example.org>')),
    "quoted at": Case(A, to(b'<"b@c"@example.org>')),
    "empty quoted": Case(A, to(b'<""@example.org>')),
    "case": Case(b"MAIL FROM:<Ann.X@Example.COM>", to(b"<BoB@Example.ORG>")),
    "plus": Case(b"MAIL FROM:<a+tag@example.com>", to(b"<b+tag=x@example.org>")),
    "signs": Case(b"MAIL FROM:<a!#$&'*/=?^_`{|}~-@example.com>", to(b"<b!#$&'*/=?^_`{|}~-@example.org>")),
    "percent": Case(A, to(b"<b%c@example.org>")),
    "bang": Case(A, to(b"<host!b@example.org>")),
    "dots": Case(b"MAIL FROM:<a..b@example.com>", to(b"<.b.@example.org>")),
    "literal": Case(b"MAIL FROM:<a@[192.0.2.7]>", to(b"<b@[192.0.2.7]>")),
    "IPv6 literal": Case(A, to(b"<b@[IPv6:2001:db8::7]>")),
    "trailing dot": Case(A, to(b"<b@example.org.>")),
    "underscore": Case(A, to(b"<b@a_b.example.org>")),
    "Punycode": Case(A, to(b"<b@xn--fsqu00a.example.org>")),
    "postmaster": Case(A, to(b"<postmaster>")),
    "no domain": Case(b"MAIL FROM:<a>", to(b"<b>")),
    "long local part": Case(A, to(b"<" + b"l" * 64 + b"@example.org>")),
    "too long local part": Case(A, to(b"<" + b"l" * 200 + b"@example.org>")),
    "long domain": Case(A, to(b"<b@" + b".".join([b"d" * 60] * 3) + b".example.org>")),
    "VERP": Case(b"MAIL FROM:<SRS0=xyz=AB=example.net=x@example.com>", to(OUTSIDE)),
    "the same twice": Case(A, to(OUTSIDE, OUTSIDE)),
    "120 recipients": Case(A, to(*(b"<r%d@example.org>" % number for number in range(120)))),
    "an unknown parameter": Case(A + b" X-NEW=1", to(OUTSIDE)),
    "a bad SIZE": Case(A + b" SIZE=x", to(OUTSIDE)),
    "a bad BODY": Case(A + b" BODY=x", to(OUTSIDE)),
    "a bad path": Case(b"MAIL FROM:<a@b", to(OUTSIDE)),
    "no sender": Case(b"MAIL FROM:", to(OUTSIDE)),
    "a null recipient": Case(A, to(b"<>")),
}
_SIZE = re.compile(rb" SIZE=(\d+)")


def run(mta: Postfix, name: str, case: Case) -> tuple[str, ...]:
    """The first digits of the replies to the commands, and to the message if it came so far."""
    head = "From: a@example.com\r\nDate: Mon, 01 Jan 2024 00:00:00 +0000\r\nMessage-Id: <1@x>\r\n"
    codes = []
    with Client(mta.address, ehlo=case.ehlo) as client:
        for line in (case.mail, *case.rcpt, b"DATA"):
            codes.append(client.say(line)[:1])
        if codes[-1] == "3":
            client.send(f"{head}Subject: case {name};\r\n\r\ntext\r\n.\r\n".encode())
            codes.append(client.reply()[:1])
    return tuple(codes)


def told(hop: FakeHop, name: str) -> list[tuple[bytes, bytes]]:
    """What the hop was told of a case: each MAIL with each of its RCPTs, sizes left out; recipients may come in other
    transactions and in another order, which is Postfix's own choice."""
    mark = f"Subject: case {name};\r\n".encode()
    return sorted((_SIZE.sub(b"", one.mail), rcpt) for one in hop.taken if mark in one.wire for rcpt in one.rcpt)


@pytest.fixture(scope="module")
def expected(alone: tuple[Postfix, FakeHop]) -> dict[str, tuple[tuple[str, ...], list[tuple[bytes, bytes]]]]:
    """Of each case: what Postfix alone answers, and what the hop is then told."""
    mta, hop = alone
    codes = {name: run(mta, name, case) for name, case in CASES.items()}
    mta.drained()
    return {name: (codes[name], told(hop, name)) for name in CASES}


@pytest.mark.long_for("smart-host", "after-queue")
def test_what_postfix_alone_accepts_is_accepted_and_the_hop_is_told_the_same(
    house: House, expected: dict[str, tuple[tuple[str, ...], list[tuple[bytes, bytes]]]]
) -> None:
    accepted = {name for name, (codes, _) in expected.items() if codes[-1] == "2" and "5" not in codes}
    assert len(accepted) > 40
    assert all(expected[name][1] for name in accepted), "what was accepted arrived"
    codes = {name: run(house.mta, name, case) for name, case in CASES.items()}
    house.mta.drained()
    assert {name: codes[name] for name in accepted} == {name: expected[name][0] for name in accepted}
    differing = {
        name: (told(house.hop, name), expected[name][1]) for name in accepted if told(house.hop, name) != expected[name][1]
    }
    assert not differing
    refused = {name for name, (codes, _) in expected.items() if "2" not in codes[-1:]}
    assert {name: told(house.hop, name) for name in refused if told(house.hop, name)} == {}
    assert all(_SIZE.search(one.mail) for one in house.hop.taken)


def test_commands_sent_ahead_are_answered_in_order(house: House) -> None:
    recipients = [Numbers.recipient() for _ in range(3)]
    content = b"Subject: ahead\r\n\r\ntext\r\n.\r\n"
    with Client(house.mta.address) as client:
        assert "PIPELINING" in client.offers
        client.send(b"".join(b"%s\r\nRCPT TO:%s\r\nDATA\r\n" % (A, one) for one in recipients[:1]))
        assert [client.reply()[:3] for _ in range(3)] == ["250", "250", "354"]
        client.send(content + b"".join(b"%s\r\nRCPT TO:%s\r\n" % (A, one) for one in recipients[1:2]) + b"DATA\r\n")
        assert [client.reply()[:3] for _ in range(4)] == ["250", "250", "250", "354"]
        client.send(content + b"RSET\r\n" + A + b"\r\nRCPT TO:" + recipients[2] + b"\r\nDATA\r\n")
        assert [client.reply()[:3] for _ in range(5)] == ["250", "250", "250", "250", "354"]
        client.send(content + b"QUIT\r\n")
        assert [client.reply()[:3] for _ in range(2)] == ["250", "221"]
    for one in recipients:
        assert len(taken(house.hop, one)) == 1


def test_a_chunked_message_arrives_whole(house: House) -> None:
    """BDAT (RFC 3030): Postfix takes it and says DATA to us."""
    content, recipient = b"Subject: chunks\r\n\r\n.\r\n..\r\nx\r\n.\r\nQUIT\r\n", Numbers.recipient()
    with Client(house.mta.address) as client:
        assert "CHUNKING" in client.offers
        client.say(A)
        client.say(b"RCPT TO:" + recipient)
        client.send(b"BDAT 24\r\n" + content[:24])
        assert client.reply().startswith("250 ")
        client.send(b"BDAT %d LAST\r\n" % len(content[24:]) + content[24:])
        assert client.reply().startswith("250 ")
    assert taken(house.hop, recipient)[0].content.endswith(content.partition(b"\r\n")[2])


# Content

_FIELD = re.compile(rb"[^\r\n]*\r\n(?:[ \t][^\r\n]*\r\n)*")
_MADE = re.compile(
    rb"^((?:Resent-)?)(Message-Id): <\d{14}\.[0-9A-F]+@" + re.escape(HOST.encode()) + rb">"
    rb"|^((?:Resent-)?)(Date): \w{3}, [ \d]\d \w{3} \d{4} [\d:]{8} \+0000 \(UTC\)",
    re.MULTILINE,
)


def bare(content: bytes, received: int) -> bytes:
    """A message without that many Received fields on top and without ours among them; the Message-Id and Date that Postfix
    itself gives to what has none made the same for all."""
    while content:
        top = _FIELD.match(content)
        assert top is not None
        if top[0].startswith(b"Received: ") and received:
            received -= 1
        elif not top[0].startswith((b"X-DLP-Item: ", b"X-DLP-Action: ")):
            break
        content = content[top.end() :]
    assert received == 0
    return _MADE.sub(rb"\1\2\3\4: made by Postfix", content)


def sent(mta: Postfix, messages: Sequence[bytes]) -> list[tuple[bytes, list[str]]]:
    """Each message's recipient and the replies; several sessions at once."""

    def send(content: bytes) -> tuple[bytes, list[str]]:
        recipient = Numbers.recipient()
        with Client(mta.address) as client:
            return recipient, client.transaction(b"<post@example.net> BODY=8BITMIME", [recipient], content)

    with ThreadPoolExecutor(6) as several:
        return list(several.map(send, messages))


def arrived(hop: FakeHop, deliveries: Sequence[tuple[bytes, list[str]]], received: int) -> list[bytes | None]:
    """What came of each, None where the hop has it not; AssertionError where it has one twice."""
    found: dict[bytes, list[bytes]] = {recipient: [] for recipient, _ in deliveries}
    for one in hop.taken:
        for line in one.rcpt:
            found.get(line.split(b" ")[1].removeprefix(b"TO:"), []).append(one.content)
    assert all(len(copies) <= 1 for copies in found.values()), "one came twice"
    return [bare(copies[0], received) if copies else None for copies in found.values()]


@pytest.fixture(scope="module")
def messages() -> list[bytes]:
    """Those we make, and real ones where DLP_CORPUS says where they are; one of three, if there is not much time."""
    return [*made(), *real()][:: 1 if LONG else 3]


@pytest.fixture(scope="module")
def reference(alone: tuple[Postfix, FakeHop], messages: list[bytes]) -> list[bytes | None]:
    """What Postfix alone delivers of each message."""
    mta, hop = alone
    deliveries = sent(mta, messages)
    mta.drained()
    return arrived(hop, deliveries, 1)


@pytest.mark.long_for("smart-host", "after-queue")
def test_every_message_arrives_as_postfix_alone_delivers_it(
    house: House, messages: list[bytes], reference: list[bytes | None]
) -> None:
    assert len(messages) >= (300 if real() else 160) // (1 if LONG else 3)
    assert None not in reference
    deliveries = sent(house.mta, messages)
    assert {replies[-1][:3] for _, replies in deliveries} == {"250"}
    house.mta.drained()
    came = arrived(house.hop, deliveries, house.kind.received)
    differing = [number for number, (ours, theirs) in enumerate(zip(came, reference, strict=True)) if ours != theirs]
    assert not differing, [(came[number], reference[number]) for number in differing[:3]]


# Verdicts

FORGED = (
    b"Received: from x (x [192.0.2.1])\r\n\t(Authenticated sender: boss@example.com)\r\n\tby mx.example.com with ESMTPA id 1\r\n"
)


def letter(text: str, *, top: bytes = b"") -> bytes:
    head = "From: ann@example.com\r\nTo: partner@example.org\r\nSubject: plan\r\nContent-Type: text/plain; charset=utf-8\r\n"
    return top + f"{head}\r\n{text}\r\n二〇二六年生产计划\r\n".encode()


@dataclass(frozen=True)
class Sent:
    """One message of Ann's: whom it went to, the last reply, and from which port."""

    house: House
    recipient: bytes
    reply: str
    port: int

    @cached_property
    def incident(self) -> dict[str, Any]:
        """What `dlp incidents list` says of it, once it is closed."""
        address = self.recipient.decode().strip("<>")

        def found() -> list[dict[str, Any]]:
            listed = self.house.daemon.json("incidents", "list")
            return [one for one in listed if one["closed"] and address in one["origin"]["recipients"]]

        return eventually(found, seconds=60)[0]


def send(house: House, content: bytes, *, user: bool = True) -> Sent:
    """The message has its verdict when this returns."""
    recipient, before = Numbers.recipient(), house.decided()
    with Client(house.mta.address) as client:
        if user:
            login(client)
        *_, reply = client.transaction(f"<{ANN}>".encode(), [recipient], content)
    eventually(lambda: house.decided() > before, seconds=60)
    return Sent(house, recipient, reply, client.port)


def came(house: House, recipient: bytes) -> list[Taken]:
    house.mta.drained()
    return [one for one in house.hop.taken if any(recipient in line for line in one.rcpt)]


def test_what_is_clean_passes(house: House) -> None:
    message = letter("今日菜单")
    done = send(house, message)
    assert done.reply.startswith("250 ")
    assert len(taken(house.hop, done.recipient)) == 1
    (one,) = came(house, done.recipient)
    assert bare(one.content, house.kind.received).endswith(message.partition(b"\r\n\r\n")[2])
    assert b"X-DLP-Action: released\r\n" in one.content


def test_what_is_secret_is_refused_with_its_reference(house: House) -> None:
    done = send(house, letter("机密★10年"))
    assert (done.incident["action"], done.incident["level"], done.incident["enforced"]) == ("block", "secret", True)
    refusal = f"550 5.7.1 Message refused by policy, reference {done.incident['id']}"
    if house.kind.waits:
        assert done.reply == refusal
    else:
        assert done.reply.startswith("250 ")
        bounce = taken(house.hop, b"<ann@example.com>")[-1]
        assert bounce.mail.startswith(b"MAIL FROM:<>")
        assert refusal.partition(" ")[2].encode() in re.sub(rb"\s+", b" ", bounce.content)
    assert came(house, done.recipient) == []


def test_what_is_confidential_is_held_and_released_once(house: House) -> None:
    message = letter("秘密★5年")
    done = send(house, message)
    assert done.reply.startswith("250 ")
    if house.kind.waits and not house.kind.queued:  # else the 250 is Postfix's own
        assert done.reply == f"250 2.0.0 Message held for review, reference {done.incident['id']}"
    assert done.incident["action"] == "quarantine"
    assert came(house, done.recipient) == []
    held = done.incident["quarantine"]
    released = house.daemon.dlp("quarantine", "release", held, "--reason", "approved")
    assert released.returncode == 0, released.stderr
    (one,) = taken(house.hop, done.recipient)
    assert f"X-DLP-Released: {held}".encode() in one.content
    assert one.content.endswith(message.partition(b"\r\n\r\n")[2])
    assert house.daemon.dlp("quarantine", "release", held).returncode == 1, "a second release sends nothing"
    assert len(came(house, done.recipient)) == 1


def test_user_client_and_queue_id_reach_the_incident(house: House) -> None:
    """A forged Received names nobody, and hides nobody."""
    sent = [
        (user, send(house, letter("秘密★5年", top=top), user=user is not None)) for user in (ANN, None) for top in (b"", FORGED)
    ]
    for user, done in sent:
        origin = done.incident["origin"]
        assert (origin["user"], origin["peer"]) == (user, f"127.0.0.1:{done.port}")
        if house.kind.queued:
            login = f", sasl_method=PLAIN, sasl_username={user}" if user else ""
            assert f"{origin['queue_id']}: client=localhost[127.0.0.1]{login}\n" in house.mta.log
        else:
            assert origin["queue_id"] is None
            assert done.incident["id"] in done.reply


# Failure


def test_while_the_hop_fails_nothing_is_lost(house: House) -> None:
    house.hop.replies["end"] = ["451 4.3.0 try later", "421 4.3.2 going down", "250 2.0.0 taken"]
    try:
        done = send(house, letter("今日菜单"))
        assert done.reply.startswith("250 ")
        eventually(lambda: house.mta.flush() or not house.mta.queue(), seconds=100)
    finally:
        del house.hop.replies["end"]
    assert len(came(house, done.recipient)) == 1


def test_while_the_daemon_is_down_nothing_is_lost(house: House) -> None:
    house.down()
    recipient, message = Numbers.recipient(), letter("今日菜单")
    try:
        with Client(house.mta.address) as client:
            reply = client.transaction(f"<{ANN}>".encode(), [recipient], message)[-1]
        if house.kind.waits:
            assert reply.startswith("451 ")
        else:
            assert reply.startswith("250 ")
            waiting = eventually(lambda: [one for one in house.mta.queue() if "delay_reason" in one["recipients"][0]])
            assert len(waiting) == 1
        assert house.hop.taken == [] or not any(recipient in line for line in house.hop.taken[-1].rcpt)
    finally:
        house.up()
    if house.kind.waits:
        with Client(house.mta.address) as client:
            assert client.transaction(f"<{ANN}>".encode(), [recipient], message)[-1].startswith("250 ")
    else:
        house.mta.flush()
    taken(house.hop, recipient)
    assert len(came(house, recipient)) == 1
