"""The ask socket: the guard asks, the daemon answers; and what either does when the other is gone."""

import asyncio
import contextlib
import json
import os
import socket
import threading
import time
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from dlp.channels.ask import AskClient, Asker, AskError, Kind, Question, ask_socket
from dlp.channels.ask_server import AskPorts, AskServer
from dlp.channels.ask_wire import Answer, connected, dump_answer, dump_question, parse_answer, parse_question, receive, send
from dlp.channels.front_wire import PACKET
from dlp.errors import StoreError
from dlp.metrics import Metrics
from dlp.model import Action, Channel, FileOrigin, Inspection, Item, Limits, Verdict
from dlp.ports import Gate, Outcome

T = TypeVar("T")
MARK = b"TOP SECRET"
OPEN = Question(kind=Kind.OPEN, channel=Channel.SHARE, path="/s/a.txt", volume="/s", owner="ann", device="7:1", inode=3)
COMMIT = replace(OPEN, kind=Kind.COMMIT, channel=Channel.USB, attributes={"mode": 0o644, "xattrs": {}})


class House:
    """A daemon in small. `judged` is what came, `ended` how each commit ended: "released", "withheld" or the error."""

    def __init__(self) -> None:
        self.judged: list[tuple[Item, bytes]] = []
        self.ended: list[str] = []
        self.metrics = Metrics()
        self.limits = Limits()
        self.basis = "1"
        self.told: list[dict[str, Any]] = []
        self.hold: asyncio.Event | None = None

    async def judge(self, item: Item) -> Verdict:
        content = item.blob.read()
        self.judged.append((item, content))
        if self.hold is not None:
            await self.hold.wait()
        if b"FAIL" in content:
            raise StoreError("no space is left")
        return Verdict(action=Action.QUARANTINE if MARK in content else Action.ALLOW)

    async def submit(self, item: Item, gate: Gate) -> Outcome:
        verdict = await self.judge(item)
        try:
            if verdict.action >= Action.QUARANTINE:
                assert gate.destroys
                await gate.withhold(verdict, "inc-1", "held-1")
                self.ended.append("withheld")
            else:
                await gate.release()
                self.ended.append("released")
        except Exception as error:
            self.ended.append(str(error))
            raise
        return Outcome(verdict=verdict, inspection=Inspection())

    def ports(self) -> AskPorts:
        return AskPorts(
            submit=self.submit,
            judge=self.judge,
            metrics=self.metrics,
            limits=lambda: self.limits,
            basis=lambda: self.basis,
            clock=lambda: datetime.now(UTC),
            new_id=lambda: "item-1",
            told={"note": self.told.append},
        )

    def connected(self, duty: str) -> float | None:
        return self.metrics.registry.get_sample_value("dlp_guard_connected", {"duty": duty})


@contextlib.asynccontextmanager
async def serving(house: House, state: Path, **more: Any) -> AsyncIterator[AskServer]:
    server = AskServer(ask_socket(state), house.ports(), **more)
    await server.start()
    try:
        yield server
    finally:
        await server.stop()


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """Deeper than a UNIX socket's name may be long."""
    folder = tmp_path / ("deep" * 20) / ("deeper" * 10)
    folder.mkdir(parents=True)
    return folder


def content(data: bytes) -> int:
    descriptor = os.memfd_create("content")
    os.write(descriptor, data)
    return descriptor


THREADS = ThreadPoolExecutor(100)
"""The server in the same process works in the loop's own threads, and must not wait for its askers."""


async def in_a_thread(function: Callable[..., T], *arguments: Any) -> T:
    return await asyncio.get_running_loop().run_in_executor(THREADS, function, *arguments)


async def until(condition: Callable[[], object]) -> None:
    while not condition():
        await asyncio.sleep(0.01)


@pytest.mark.parametrize("threads", [True, False])
async def test_open_is_judged_and_nothing_is_done(state: Path, threads: bool) -> None:
    house = House()
    async with serving(house, state):
        asker, client = Asker(ask_socket(state), "deny-open"), AskClient(ask_socket(state), "deny-open")

        async def opened(data: bytes) -> Answer:
            descriptor = content(data)
            try:
                if threads:
                    return await in_a_thread(asker.open, OPEN, descriptor, 20)
                return await client.open(OPEN, descriptor, 20)
            finally:
                os.close(descriptor)

        assert await opened(b"clean") == Answer(allowed=True, action=Action.ALLOW, basis="1")
        assert await opened(MARK) == Answer(allowed=False, action=Action.QUARANTINE, basis="1")
        with pytest.raises(AskError, match="no space is left"):
            await opened(b"FAIL")
        assert (await opened(b"clean again")).allowed
        asker.close()
        client.close()
    (item, data), *_ = house.judged
    assert data == b"clean"
    assert item.channel is Channel.SHARE
    assert item.origin == FileOrigin(path="/s/a.txt", volume="/s", owner="ann", device="7:1", inode=3)
    assert house.ended == []


@pytest.mark.parametrize("threads", [True, False])
async def test_commit(state: Path, threads: bool) -> None:
    """The record is closed when the asker says what became of it, and only then does the asker go on."""
    house = House()
    asker, client = Asker(ask_socket(state), "gate"), AskClient(ask_socket(state), "gate")

    def in_thread(data: bytes, failing: Exception | None) -> Answer:
        with asker.commit(COMMIT, content(data), 20) as commit:
            if failing:
                raise failing
            if commit.answer.allowed:
                commit.done()
        return commit.answer

    async def committed(data: bytes, failing: Exception | None = None) -> Answer:
        if threads:
            return await in_a_thread(in_thread, data, failing)
        async with client.commit(COMMIT, content(data), 20) as commit:
            if failing:
                raise failing
            if commit.answer.allowed:
                commit.done()
        return commit.answer

    async with serving(house, state):
        assert await committed(b"clean") == Answer(allowed=True, action=Action.ALLOW, basis="1")
        assert house.ended == ["released"]
        assert await committed(MARK) == Answer(allowed=False, action=Action.QUARANTINE, incident="inc-1", basis="1")
        assert house.ended == ["released", "withheld"]
        with pytest.raises(OSError, match="full"):
            await committed(b"clean", OSError("the drive is full"))
        await until(lambda: len(house.ended) == 3)
        assert house.ended[2] == "not committed: OSError"
        with pytest.raises(AskError, match="no space is left"):
            await committed(b"FAIL")
        assert (await committed(b"clean")).allowed
    asker.close()
    client.close()


@pytest.mark.parametrize("threads", [True, False])
async def test_an_answer_that_comes_too_late_commits_nothing(state: Path, threads: bool) -> None:
    house = House()
    house.hold = asyncio.Event()
    asker, client = Asker(ask_socket(state), "gate"), AskClient(ask_socket(state), "gate")

    def in_thread() -> None:
        with asker.commit(COMMIT, content(b"clean"), 0.2):
            pass

    async with serving(house, state):
        with pytest.raises(AskError, match="does not answer"):
            if threads:
                await in_a_thread(in_thread)
            else:
                async with client.commit(COMMIT, content(b"clean"), 0.2):
                    pass
        house.hold.set()
        await until(lambda: house.ended)
        assert house.ended[0].startswith("not committed: the guard ")
    client.close()


async def test_many_threads_and_tasks_at_once(state: Path) -> None:
    house = House()
    async with serving(house, state):
        asker, client = Asker(ask_socket(state), "deny-open"), AskClient(ask_socket(state), "deny-open")
        wanted = [(n, b"%d " % n + (MARK if n % 3 == 0 else b"")) for n in range(60)]
        descriptors = [content(data) for _, data in wanted]
        threads = [in_a_thread(asker.open, OPEN, one, 30) for one in descriptors]
        answers = await asyncio.gather(*threads, *(client.open(OPEN, one, 30) for one in descriptors))
        assert [answer.allowed for answer in answers] == [n % 3 != 0 for n, _ in wanted] * 2
        for one in descriptors:
            os.close(one)
        asker.close()
        client.close()


async def test_a_question_larger_than_a_packet(state: Path) -> None:
    house = House()
    large = replace(COMMIT, attributes={"xattrs": {"user.big": "x" * (3 * PACKET)}})
    async with serving(house, state):
        client = AskClient(ask_socket(state), "gate")
        async with client.commit(large, content(b"clean"), 20) as commit:
            commit.done()
        asker = Asker(ask_socket(state), "gate")
        assert (await in_a_thread(asker.open, replace(large, kind=Kind.OPEN), content(b"x"), 20)).allowed
        client.close()
        asker.close()


async def test_content_too_large_to_copy_is_read_in_place(state: Path, tmp_path: Path) -> None:
    house = House()
    house.limits = Limits(bytes=4)
    file = tmp_path / "large"
    file.write_bytes(b"larger than four bytes " + MARK)
    async with serving(house, state):
        client = AskClient(ask_socket(state), "deny-open")
        descriptor = os.open(file, os.O_RDONLY)
        assert not (await client.open(OPEN, descriptor, 20)).allowed
        os.close(descriptor)
        client.close()
    assert not house.judged[0][0].blob.sealed


async def test_nobody_there_and_gone_while_asked(state: Path) -> None:
    asker, client = Asker(ask_socket(state), "deny-open"), AskClient(ask_socket(state), "deny-open")
    for ask in (client.open(OPEN, 0, 5), in_a_thread(asker.open, OPEN, 0, 5)):
        with pytest.raises(AskError):
            await ask
    house = House()
    house.hold = asyncio.Event()
    async with serving(house, state) as server:
        asked = [
            asyncio.create_task(client.open(OPEN, content(b"x"), 30)),
            asyncio.create_task(in_a_thread(asker.open, OPEN, content(b"x"), 30)),
        ]
        await until(lambda: len(house.judged) == 2)
        house.hold.set()
        await server.stop()
        for one in asked:
            with contextlib.suppress(AskError):
                assert (await one).allowed
        await server.start()
        assert (await client.open(OPEN, content(b"x"), 30)).allowed
        assert (await in_a_thread(asker.open, OPEN, content(b"x"), 30)).allowed
        client.close()
        asker.close()


async def test_a_stopped_daemon_does_not_hold_a_thread(state: Path) -> None:
    """Somebody listens, and answers nothing."""
    ask_socket(state).parent.mkdir()
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listener:
        folder = os.open(ask_socket(state).parent, os.O_PATH)
        listener.bind(f"/proc/self/fd/{folder}/ask.sock")
        os.close(folder)
        listener.listen(1)
        asker = Asker(ask_socket(state), "deny-open")
        began = time.monotonic()
        for _ in range(4):  # more than its queue holds
            with pytest.raises(AskError):
                await in_a_thread(asker.open, OPEN, content(b"x"), 0.2)
        assert time.monotonic() - began < 60


async def test_the_daemon_knows_its_guards_and_tells_them_the_basis(state: Path) -> None:
    house = House()
    async with serving(house, state, needed=frozenset({"deny-open", "gate"})) as server:
        assert server.missing == ["deny-open", "gate"]
        assert house.connected("gate") == 0
        with connected(ask_socket(state), timeout=20) as connection:
            assert (await in_a_thread(receive, connection))[0] == {"say": "basis", "basis": "1"}
            send(connection, {"say": "hello", "duty": "gate"})
            await until(lambda: house.connected("gate") == 1)
            assert server.missing == ["deny-open"]
            house.basis = "2"
            server.tell_basis()
            assert (await in_a_thread(receive, connection))[0] == {"say": "basis", "basis": "2"}
            send(connection, {"say": "counted", "counted": [["dlp_opens", {"channel": "share", "answer": "deny"}, 2.0]]})
            send(connection, {"say": "note", "what": "a drive"})
            send(connection, {"say": "nonsense"})
            await until(lambda: house.told)
        await until(lambda: house.connected("gate") == 0)
    assert house.metrics.registry.get_sample_value("dlp_opens_total", {"channel": "share", "answer": "deny"}) == 2
    assert not ask_socket(state).exists()


async def test_a_guard_that_does_not_come_is_an_error_in_the_log(state: Path) -> None:
    with structlog.testing.capture_logs() as logs:
        async with serving(House(), state, needed=frozenset({"gate"}), patience=0.01):
            await until(lambda: logs)
    assert [(line["log_level"], line["duties"], line["remedy"]) for line in logs] == [
        ("error", ["gate"], "systemctl enable --now dlp-guard")
    ]


@pytest.mark.root
@pytest.mark.skipif(os.geteuid() != 0, reason="becoming another user needs root")
async def test_strangers_are_refused(state: Path) -> None:
    house = House()
    async with serving(house, state):
        os.chmod(ask_socket(state), 0o666)
        folder = os.open(ask_socket(state).parent, os.O_PATH)
        heard: list[bytes] = []

        def stranger() -> None:
            reading, writing = os.pipe()
            if (child := os.fork()) == 0:
                with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as end:
                    end.settimeout(20)
                    os.setuid(65534)
                    end.connect(f"/proc/self/fd/{folder}/ask.sock")
                    os.write(writing, b"in:" + end.recv(100))
                os._exit(0)
            os.waitpid(child, 0)
            os.close(writing)
            heard.append(os.read(reading, 200))

        thread = threading.Thread(target=stranger)
        thread.start()
        await until(lambda: heard)
        os.close(folder)
        assert heard[0] in (b"in:", b"")  # let go without a word, or no way in at all


names = st.text(st.characters(codec="utf-8"), max_size=20) | st.binary(max_size=20).map(os.fsdecode)
questions = st.builds(
    Question,
    kind=st.sampled_from(Kind),
    channel=st.sampled_from(Channel),
    path=names,
    volume=names,
    owner=names,
    device=names,
    inode=st.integers(0, 2**64 - 1),
    attributes=st.dictionaries(names, st.integers() | names, max_size=3),
)


@given(questions, st.builds(Answer, allowed=st.booleans(), action=st.sampled_from(Action), incident=st.none() | st.just("i")))
def test_what_is_said_is_what_is_heard(question: Question, answer: Answer) -> None:
    """Also a name that is not UTF-8, as JSON of ASCII."""
    assert parse_question(json.loads(json.dumps(dump_question(question)))) == question
    assert parse_answer(json.loads(json.dumps(dump_answer(answer)))) == answer
