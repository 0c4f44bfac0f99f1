"""Every step of the way of mail that can fail, made to fail: the client is told to try again, nothing is lost or said twice,
and the daemon goes on."""

import asyncio
import hashlib
import itertools
import smtplib
import subprocess
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.helpers.daemon import Daemon, configure, started
from tests.helpers.documents import a_mail
from tests.helpers.scale import LONG
from tests.helpers.smtp import CLOSE, GARBAGE, HANG, RESET, FakeHop, running
from tests.helpers.trace import Call, need_strace, traced

OUTSIDE = "partner@example.org"
CLEAN, HELD, REFUSED = "nothing of note", "秘密★5年", "绝密★30年"
SOME = 1 if LONG else 4
"""One in so many steps is made to fail; each in `make test-long` and `make test-folders`."""
numbers = itertools.count(1)


def letter(text: str) -> bytes:
    """A message like no other."""
    return a_mail("ann@example.com", [OUTSIDE], "note", f"{text}\r\nno. {next(numbers)}\r\n")


def sent(port: int, message: bytes) -> str:
    """The reply to the whole, or to the first verb that was not accepted."""
    with smtplib.SMTP(timeout=120) as client:
        client.connect("127.0.0.1", port)
        client.ehlo("client.example.com")
        for verb in (client.mail, client.rcpt):
            code, text = verb("ann@example.com" if verb == client.mail else OUTSIDE)
            if code >= 400:
                return f"{code} {text.decode()}"
        code, text = client.data(message)
        return f"{code} {text.decode()}"


def sent_while_failing(daemon: Daemon, message: bytes, inject: str, trace: Path) -> tuple[str, list[Call]]:
    """The reply, and the calls that were made to fail."""
    calls = inject.partition(":")[0]
    with traced(daemon.process.pid, trace, calls=calls, inject=inject) as seen:
        reply = sent(daemon.smtp, message)
    return reply, [call for call in seen.calls if call.injected]


def digest(message: bytes) -> str:
    return hashlib.sha256(message).hexdigest()


def custody(daemon: Daemon) -> Counter[str]:
    """How many originals there are of each content."""
    return Counter(held["sha256"] for held in daemon.json("quarantine", "list", "--state", "held"))


def sound(daemon: Daemon) -> None:
    assert daemon.process.poll() is None
    assert daemon.dlp("audit", "verify").returncode == 0
    assert daemon.dlp("quarantine", "verify").returncode == 0


# The durable steps


@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    ("call", "error", "step", "places"),
    [
        ("fsync", "EIO", 1, ("audit.jsonl", ".draft", "quarantine/")),
        ("fdatasync", "EIO", 1, ("dlp.db-wal",)),
        ("rename", "EIO", 1, (".draft",)),
        ("write", "ENOSPC", 1, ("memfd:", ".draft")),
        ("pwrite64", "ENOSPC", 5, ("dlp.db-wal",)),
    ],
)
def test_a_step_of_the_quarantine_that_fails_defers_the_message(
    daemon: Daemon, tmp_path: Path, call: str, error: str, step: int, places: tuple[str, ...]
) -> None:
    """Each call of that kind in turn (some of them, unless asked for all), until there was none left to fail."""
    need_strace()
    messages, failed = list[bytes](), list[Call]()
    for when in itertools.count(1, SOME * step):
        message = letter(HELD)
        reply, now_failed = sent_while_failing(daemon, message, f"{call}:error={error}:when={when}", tmp_path / "trace")
        messages.append(message)
        if not now_failed:
            assert reply.startswith("250"), reply
            break
        failed += now_failed
        if not reply.startswith("250"):  # what failed may come after custody: then it is held, and that is what counts
            assert reply[:3] in ("451", "452"), (reply, now_failed)
            assert sent(daemon.smtp, message).startswith("250")
    assert failed
    for place in places if LONG else ():
        assert any(place in (one.on or one.arguments) for one in failed), (place, failed)
    held = custody(daemon)
    assert [held[digest(message)] for message in messages] == [1] * len(messages)
    sound(daemon)


@pytest.mark.timeout(600)
@pytest.mark.parametrize(("call", "error"), [("fsync", "EIO"), ("rename", "ENOSPC"), ("write", "ENOSPC")])
def test_a_step_of_the_maildir_that_fails_defers_the_message(daemon: Daemon, tmp_path: Path, call: str, error: str) -> None:
    need_strace()
    messages, failures = list[bytes](), 0
    for when in itertools.count(1, SOME):
        message = letter(CLEAN)
        reply, failed = sent_while_failing(daemon, message, f"{call}:error={error}:when={when}", tmp_path / "trace")
        messages.append(message)
        if not failed:
            assert reply.startswith("250"), reply
            break
        failures += 1
        assert reply[:3] in ("451", "452"), (reply, failed)
        assert sent(daemon.smtp, message).startswith("250")
    assert failures
    delivered = Counter(message.rpartition(b"\r\n\r\n")[2] for message in daemon.delivered())
    assert [delivered[message.rpartition(b"\r\n\r\n")[2]] for message in messages] == [1] * len(messages)
    assert not list((daemon.outbox / "tmp").iterdir())
    sound(daemon)


# A full disk


@pytest.fixture
def small(folder: Path, as_root: None) -> Iterator[Path]:
    """A file system of 4 MiB for the daemon's state."""
    place = folder / "state"
    place.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", place], check=True)
    yield place
    subprocess.run(["umount", place], check=True)


@pytest.mark.long
@pytest.mark.root
@pytest.mark.timeout(600)
def test_on_a_full_state_every_message_is_done_or_deferred(folder: Path, small: Path) -> None:
    kinds = {letter(kind): kind for kind in (CLEAN, HELD, REFUSED) for _ in range(3)}
    kinds |= {letter(f"{HELD}\r\n" + "x" * 60_000): HELD for _ in range(3)}
    config = configure(folder)
    with started(config) as daemon:
        filler = small / "filler"
        with pytest.raises(OSError, match="No space"), filler.open("wb", buffering=0) as file:
            while True:
                file.write(b"\0" * 4096)
        replies = {message: sent(daemon.smtp, message) for message in kinds}
        assert any(reply.startswith("45") for reply in replies.values()), replies
        filler.unlink()
        for message, reply in replies.items():
            assert reply[:3] in ("250", "550", "451", "452"), reply
            if reply.startswith("45"):
                replies[message] = sent(daemon.smtp, message)
        held = custody(daemon)
        outside = b"".join(daemon.delivered())
        for message, reply in replies.items():
            assert reply.startswith("550" if kinds[message] == REFUSED else "250"), reply
            inside = kinds[message] != CLEAN
            assert held[digest(message)] == inside
            assert outside.count(message.rpartition(b"\r\n\r\n")[2]) == (not inside)
        sound(daemon)
    with started(config) as daemon:
        sound(daemon)
        assert not daemon.json("incidents", "list", "--state", "open")


# A next hop that fails


class Hop(FakeHop):
    """A next hop in an event loop of its own, in a thread."""

    def __init__(self) -> None:
        super().__init__()
        self.ready = threading.Event()

    def run(self) -> None:
        asyncio.run(self._run())

    async def _run(self) -> None:
        self.loop, self.stop = asyncio.get_running_loop(), asyncio.Event()
        async with running(self):
            self.ready.set()
            await self.stop.wait()

    def go_away(self) -> None:
        """End every connection, those that hang included."""
        asyncio.run_coroutine_threadsafe(self._leave(), self.loop).result(30)

    async def _leave(self) -> None:
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


@pytest.fixture(scope="module")
def hop() -> Iterator[Hop]:
    made = Hop()
    thread = threading.Thread(target=made.run, name="hop")
    thread.start()
    assert made.ready.wait(30)
    yield made
    made.loop.call_soon_threadsafe(made.stop.set)
    thread.join()


@pytest.fixture(scope="module")
def relaying(tmp_path_factory: pytest.TempPathFactory, hop: Hop) -> Iterator[Daemon]:
    config = configure(tmp_path_factory.mktemp("relaying"), next_hop=hop.url)
    text = config.read_text("utf-8").replace("[mail]\n", '[mail]\nreply_seconds = 1\nnext_hop_tls = "off"\n')
    config.write_text(text, "utf-8")
    with started(config) as daemon:
        yield daemon


DEFERRED = "451 4.4."
FOR_A_WHILE, FOR_GOOD, AWAY = "450 4.2.0 hop is busy", "554 5.6.0 hop does not like it", "421 4.3.2 hop goes down"
VERBS = ("MAIL", "RCPT", "DATA", "end")


@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    ("verb", "fault", "reply"),
    [
        *((verb, fault, DEFERRED) for verb in ("connect", "EHLO", *VERBS) for fault in (RESET, CLOSE, GARBAGE, HANG)),
        *(("connect", fault, DEFERRED) for fault in (FOR_A_WHILE, FOR_GOOD, AWAY)),
        *(("EHLO", fault, DEFERRED) for fault in (FOR_A_WHILE, AWAY)),
        *((verb, fault, fault) for verb in VERBS for fault in (FOR_A_WHILE, FOR_GOOD, AWAY)),
        ("content", RESET, DEFERRED),
    ],
)
def test_a_next_hop_that_fails_at_a_verb(relaying: Daemon, hop: Hop, verb: str, fault: str, reply: str) -> None:
    message, refused = letter(CLEAN), letter(CLEAN)
    hop.replies = {}
    hop.go_away()
    hop.wire.clear()
    hop.replies = {verb: fault, "HELO": fault} if verb == "EHLO" else {verb: fault}
    if (verb, fault) == ("end", HANG):  # it may take as long as RFC 5321 section 4.5.3.2.6 lets it, or go away
        threading.Timer(3, hop.go_away).start()
    got = sent(relaying.smtp, refused)
    assert got.startswith(reply), got
    assert len(hop.wire) == (verb == "end"), "the content is said once at the most"
    hop.replies = {}
    hop.wire.clear()
    assert sent(relaying.smtp, message) == "250 2.0.0 hop queued it as 4F2A"
    assert len(hop.messages) == 1
    assert hop.messages[0].endswith(message.partition(b"\r\n")[2])
    assert relaying.process.poll() is None
