"""kill -9 at every system call of the spool, and of a runner at work: nothing is lost, nothing doubles but what was under way."""

import asyncio
import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from dlp.blob import Blob
from dlp.channels.relay import NextHop
from dlp.channels.spool import SpoolHop
from dlp.channels.spool_envelope import Fate, History, Mark
from dlp.channels.spool_folder import SpoolFolder
from tests.channels.spool_child import now
from tests.channels.spool_house import CONTENT, HEAD, PATIENT, START, an_address, until
from tests.channels.spool_zygote import ENVELOPE, NAME, TOOK
from tests.helpers.smtp import FakeHop, running

ROOT = Path(__file__).parents[2]
ENVIRONMENT = os.environ | {"PYTHONPATH": str(ROOT)}
KILLS = 10
DELIVERIES = 4
"""At once, as spool_child.py has it."""


class Zygote:
    """Does a step in a child that is killed at its Nth system call."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process

    def __call__(self, step: str, root: Path, call: int) -> tuple[bool, bool]:
        """Whether the child said it was done, and whether it was killed."""
        assert self._process.stdin
        assert self._process.stdout
        print(step, root, call, file=self._process.stdin, flush=True)
        said = []
        while (line := self._process.stdout.readline().strip()) not in ("killed", "lived"):
            assert line, "the zygote is gone"
            said.append(line)
        return said == ["did"], line == "killed"


@pytest.fixture(scope="module")
def zygote() -> Iterator[Zygote]:
    command = [sys.executable, str(Path(__file__).with_name("spool_zygote.py"))]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=ENVIRONMENT) as process:
        yield Zygote(process)
        assert process.stdin
        process.stdin.close()


def a_folder(root: Path, *marks: Mark) -> SpoolFolder:
    """With one message, if it has marks."""
    folder = SpoolFolder(root, random=os.urandom)
    folder.prepare()
    if marks:
        folder.store(ENVELOPE, [HEAD, CONTENT])
        message = folder.open(NAME)
        for mark in marks:
            message.mark(mark)
        message.close()
    return folder


def found(folder: SpoolFolder) -> History | None:
    """What the next process finds, whole, or nothing."""
    folder.recover()
    assert os.listdir(folder.tmp) == []
    assert folder.names() in ([], [NAME])
    if not folder.names():
        assert os.listdir(folder.journal) == []
        return None
    message = folder.open(NAME)
    assert message.body.read() == HEAD + CONTENT
    message.close()
    assert message.envelope == ENVELOPE
    return message.history


def kills(zygote: Zygote, step: str, tmp_path: Path, *marks: Mark) -> Iterator[tuple[SpoolFolder, bool]]:
    """A folder after each kill, and whether the child had said it was done."""
    for call in range(1, 1000):
        folder = a_folder(tmp_path / str(call), *marks)
        did, killed = zygote(step, folder.root, call)
        yield folder, did
        if not killed:
            assert did
            assert call > 15, "the calls were not counted"
            return
    raise AssertionError("the step never ends")


def test_storing(zygote: Zygote, tmp_path: Path) -> None:
    there = Counter[bool]()
    for folder, did in kills(zygote, "store", tmp_path):
        history = found(folder)
        assert history or not did
        there[history is not None] += 1
        # Whatever the crash left, the next attempt works, and there is one in the end.
        folder.store(ENVELOPE, [HEAD, CONTENT])
        assert found(folder)
    assert min(there[True], there[False]) >= 5


def test_crossing_off(zygote: Zygote, tmp_path: Path) -> None:
    earlier = Mark(at=START, replies={0: "450 4.2.0 later", 1: "450 4.2.0 later"})
    seen = Counter[bool]()
    for folder, did in kills(zygote, "mark", tmp_path, earlier):
        history = found(folder)
        assert history
        taken = history.fate(0) is Fate.TAKEN
        assert taken or not did
        assert history.tries == 1 + taken
        seen[taken] += 1
        message = folder.open(NAME)
        message.mark(TOOK)
        message.close()
        assert folder.look(NAME).fate(0) is Fate.TAKEN
    assert min(seen[True], seen[False]) >= 3


def test_finishing(zygote: Zygote, tmp_path: Path) -> None:
    gone = Counter[bool]()
    for folder, did in kills(zygote, "finish", tmp_path, TOOK):
        history = found(folder)
        assert history is None or not did
        gone[history is None] += 1
        if history is None:
            assert not folder.store(ENVELOPE, [HEAD, CONTENT]), "it is not taken again"
        else:
            assert history.fate(0) is Fate.TAKEN, "as long as it is there, so is what became of it"
    assert min(gone[True], gone[False]) >= 3


@pytest.mark.parametrize("cut", range(1, len(TOOK.line())))
def test_a_mark_that_was_cut_short_was_never_made(tmp_path: Path, cut: int) -> None:
    """A power cut may leave any part of a line."""
    first = Mark(at=START, replies={1: "250 2.0.0 mine"})
    folder = a_folder(tmp_path, first)
    with (folder.journal / NAME).open("ab") as journal:
        journal.write(TOOK.line()[:cut])
    history = found(folder)
    assert history
    assert (history.tries, history.waiting) == (1, (0,))
    message = folder.open(NAME)
    message.mark(TOOK)
    message.close()
    assert (folder.journal / NAME).read_bytes() == first.line() + TOOK.line()


async def test_a_runner_that_is_killed_again_and_again_delivers_everything(tmp_path: Path) -> None:
    hop = FakeHop(lmtp=True, replies={"end": [*(["250 2.0.0 ok", "250 2.0.0 ok", "450 4.2.0 later"] * 200), "250 2.0.0 ok"]})
    async with running(hop):
        folder = SpoolFolder(tmp_path / "spool", random=os.urandom)
        into = SpoolHop(folder, NextHop.parse(hop.url), clock=now, random=os.urandom, limit=10_000)
        sent = 0
        for _ in range(KILLS):
            for _message in range(8):
                sent += 1
                to = [an_address(f"<{sent}-{place}@example.org>".encode()) for place in range(3)]
                with Blob.of([b"Subject: %d\r\n\r\n" % sent]) as blob:
                    await into.deliver(an_address(b"<a@example.com>"), to, b"", blob)
            process = await start("run", folder, hop)
            before = len(hop.wire)
            await until(lambda before=before: len(hop.wire) >= before + 3)
            process.kill()
            await process.wait()
            assert process.returncode == -9
        process = await start("run", folder, hop)
        await until(lambda: not folder.names())
        process.kill()
        await process.wait()
        await into.close()
    times = Counter(re.findall(rb"Subject: (\d+)", b"".join(hop.wire)))
    assert set(times) == {b"%d" % number for number in range(1, sent + 1)}, "lost"
    asked = Counter(hop.said("RCPT"))
    assert len(asked) == 3 * sent
    # Each "later" is asked for once more; beyond that, only what was under way at a kill.
    again = sum(asked.values()) - 3 * sent
    assert again <= 200 + 3 * DELIVERIES * KILLS
    assert os.listdir(folder.corrupt) == []


async def start(what: str, folder: SpoolFolder, hop: FakeHop) -> asyncio.subprocess.Process:
    script = str(Path(__file__).with_name("spool_child.py"))
    return await asyncio.create_subprocess_exec(
        sys.executable, script, what, str(folder.root), hop.url, env=ENVIRONMENT, stdout=subprocess.DEVNULL
    )


def test_the_reply_comes_after_file_rename_and_folder_are_durable(tmp_path: Path) -> None:
    if shutil.which("strace") is None:
        pytest.skip("strace is not installed")
    trace, root = tmp_path / "trace", tmp_path / "spool"
    calls = "trace=fsync,fdatasync,rename,renameat,renameat2,write"
    script = str(Path(__file__).with_name("spool_child.py"))
    command = ["strace", "-f", "-y", "-s", "200", "-e", calls, "-o", str(trace), sys.executable, script]
    done = subprocess.run(
        [*command, "store", str(root), "smtp://127.0.0.1:9"],
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        timeout=PATIENT,
        check=False,
    )
    if "PTRACE" in done.stderr or "ptrace" in done.stderr:
        pytest.skip(f"nobody may be traced here: {done.stderr.strip()}")
    assert done.returncode == 0, done.stderr
    name = done.stdout.rpartition(" ")[2]
    lines = trace.read_text("utf-8", "replace").splitlines()
    assert (root / "queue" / name).read_bytes().endswith(b"\n\n" + HEAD + CONTENT)

    def first(pattern: str) -> int:
        return next(number for number, line in enumerate(lines) if re.search(pattern, line))

    file, folder = re.escape(f"{root}/tmp/{name}"), re.escape(f"{root}/queue")
    order = [
        first(rf"write\(\d+<{file}"),
        first(rf"fsync\(\d+<{file}"),
        first(rf'rename\w*\(.*"{file}'),
        first(rf"fsync\(\d+<{folder}>"),
        first(r"write\(1<.*250 2\.0\.0 Ok: queued as"),
    ]
    assert order == sorted(set(order))
    # None of them was still under way when the next began.
    threads = {number: lines[number].split()[0] for number in order}
    assert not [number for number in order if "unfinished" in lines[number] and not finished(lines, number, threads[number])]


def finished(lines: list[str], number: int, thread: str) -> bool:
    """Whether the call that a thread began here ended before anybody else's of the same kind."""
    with suppress(StopIteration):
        return bool(next(line for line in lines[number + 1 :] if line.startswith(thread) and "resumed" in line))
    return False
