"""The pool with real children: who gets which child, and what becomes of an item whose child fails."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from dlp.blob import Blob
from dlp.errors import SignatureError, WorkerError
from dlp.extract.formats import FORMATS
from dlp.model import Channel, Inspection, Limits, Unscannable, Why
from dlp.redact import mask
from dlp.workers.crew import readable
from dlp.workers.pool import Plan, Workers, WorkerSettings, family
from dlp.workers.wire import MOST_FINDINGS
from tests.workers.helpers import a_pool, an_item, ask, children, restarts, settled, zygote


@pytest.fixture
async def workers() -> AsyncIterator[Workers]:
    async with a_pool() as pool:
        yield pool


def reasons(inspection: Inspection) -> list[Why]:
    return [one.why for one in inspection.unscannable]


async def test_files_share_a_child(workers: Workers) -> None:
    assert len({(await ask(workers, "plain")).media_type for _ in range(5)}) == 1


async def test_every_message_has_its_own_child(workers: Workers) -> None:
    files = {(await ask(workers, "plain")).media_type}
    mails = [(await ask(workers, "plain", Channel.MAIL)).media_type for _ in range(5)]
    assert len(files.union(mails)) == 6


async def test_a_persistent_child_is_replaced_after_its_documents() -> None:
    async with a_pool(WorkerSettings(count=1, recycle_after=3)) as workers:
        pids = [(await ask(workers, "plain")).media_type for _ in range(7)]
        assert [pids.count(pid) for pid in dict.fromkeys(pids)] == [3, 3, 1]
        assert restarts(workers, "recycled") == 2


async def test_as_many_at_once_as_there_are_turns() -> None:
    async with a_pool(WorkerSettings(count=3)) as workers:
        found = await asyncio.gather(*(ask(workers, "sleep:0.3") for _ in range(6)))
        assert len({one.media_type for one in found}) == 3
        sample = workers._metrics.registry.get_sample_value
        assert (sample("dlp_workers", {"state": "idle"}), sample("dlp_workers", {"state": "busy"})) == (3, 0)


FAILURES = [
    ("die", Why.CRASHED, "killed by SIGSEGV"),
    ("leave", Why.CRASHED, "ended with status 3"),
    ("silent", Why.CRASHED, "ended with status 0"),
    ("bug", Why.CRASHED, "ValueError in inspection"),
    ("late_import", Why.CRASHED, "module this_module_is_nowhere was not loaded before confinement"),
    ("deep", Why.TOO_DEEP, "the recursion limit was reached"),
    ("giant", Why.CRASHED, "an answer that is too long"),
    ("overlong", Why.CRASHED, "an answer that is too long"),
    ("endless", Why.CRASHED, "an answer that is too long"),
    ("garbage", Why.CRASHED, "an answer that does not decode: DecodeError"),
    ("other_serial", Why.CRASHED, "an answer to another job"),
    ("wrong_types", Why.CRASHED, "an answer that does not decode: ValidationError"),
    ("unknown_signature", Why.CRASHED, "an answer with impossible values"),
]


@pytest.mark.parametrize("channel", [Channel.MAIL, Channel.SHARE])
async def test_a_failing_child_is_never_clean(workers: Workers, channel: Channel) -> None:
    for order, why, detail in FAILURES:
        before = await ask(workers, "plain", channel)
        found = await ask(workers, order, channel)
        assert found.unscannable == (Unscannable(why=why, detail=detail),), order
        assert found.media_type == "text/salvaged", order
        assert reasons(before) == reasons(await ask(workers, "plain", channel)) == [], order


async def test_what_a_salvage_cannot_read_is_said_too(workers: Workers) -> None:
    first, second = (await ask(workers, "die_twice")).unscannable
    assert first == Unscannable(why=Why.CRASHED, detail="killed by SIGSEGV")
    assert second == Unscannable(why=Why.CRASHED, detail="not even its printable text: killed by SIGSEGV")


async def test_a_child_that_says_what_nobody_asked_is_not_believed(workers: Workers) -> None:
    for _ in range(2):
        found = await ask(workers, "babble")
        assert found.media_type == "text/salvaged"
        assert found.unscannable == (Unscannable(why=Why.CRASHED, detail="an answer to another job"),)


async def test_a_deadline_is_kept() -> None:
    async with a_pool(limits=Limits(seconds=0.2)) as workers:
        found = await ask(workers, "spin")
        assert reasons(found) == [Why.TIMEOUT]
        assert found.media_type == "text/salvaged"
        assert restarts(workers, "timeout") == 1


async def test_a_crash_in_a_used_child_says_nothing_of_the_document(workers: Workers) -> None:
    assert (await ask(workers, "die_if_used")).media_type == "text/first"
    again = await ask(workers, "die_if_used")
    assert (again.media_type, again.unscannable) == ("text/first", ())
    assert restarts(workers, "crashed") == 1


async def test_a_child_that_keeps_content_is_not_used_again(workers: Workers) -> None:
    first = await ask(workers, "keep_content")
    second = await ask(workers, "plain")
    assert reasons(first) == reasons(second) == []
    assert first.media_type != second.media_type


async def test_too_many_findings_are_cut_and_said_so(workers: Workers) -> None:
    found = await ask(workers, f"many:{MOST_FINDINGS + 5}")
    assert reasons(found) == [Why.TOO_MANY]
    assert 1000 < len(found.findings) <= MOST_FINDINGS
    assert "secret" in {one.level for one in found.findings}, "a rare finding was crowded out"


async def test_an_excerpt_is_masked_whatever_the_child_sends(workers: Workers) -> None:
    (finding,) = (await ask(workers, "unmasked:raw secret content")).findings
    assert finding.excerpt == mask("raw secret content")


async def test_a_name_that_is_not_utf8_arrives(workers: Workers) -> None:
    found = await ask(workers, "unreadable", name="caf\udce9.txt")
    assert found.unscannable == (Unscannable(why=Why.ENCRYPTED, trail=("caf\\udce9",)),)


async def test_more_than_the_limit_is_scanned_as_far_as_it_goes(workers: Workers) -> None:
    found = await ask(workers, bytes((1 << 20) + 1))
    assert found.unscannable == (Unscannable(why=Why.TOO_LARGE, detail="1048577 bytes, the limit is 1048576"),)
    assert found.media_type == "text/salvaged"


async def test_nothing_is_a_content_too(workers: Workers) -> None:
    assert reasons(await ask(workers, b"")) == []


async def test_a_file_read_in_place_and_cut_meanwhile_is_not_clean(workers: Workers, tmp_path: Path) -> None:
    path = tmp_path / "big"
    path.write_bytes(bytes(1 << 20))
    with path.open("rb") as file, Blob.over(file.fileno()) as blob:
        os.truncate(path, 0)
        found = await workers.inspect(an_item(blob=blob))
    assert [one.detail for one in found.unscannable] == ["killed by SIGBUS", "not even its printable text: killed by SIGBUS"]


def test_a_descriptor_that_can_be_written_through_is_not_handed_on(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"content")
    with path.open("r+b") as file, Blob.over(file.fileno()) as blob, readable(blob) as content:
        with pytest.raises(OSError, match="Bad file descriptor"):
            os.write(content, b"x")
        assert os.pread(content, 9, 0) == b"content"


async def test_a_dead_zygote_is_replaced(workers: Workers) -> None:
    before = zygote()
    os.kill(before, signal.SIGKILL)
    assert reasons(await ask(workers, "plain")) == []
    assert zygote() != before
    assert restarts(workers, "zygote") == 1
    await workers.check()


async def test_a_dying_zygote_takes_no_item_with_it(workers: Workers) -> None:
    under_way = [asyncio.create_task(ask(workers, "sleep:1", channel)) for channel in (Channel.MAIL, Channel.SHARE)]
    await settled(lambda: len(children(zygote())) == 2)
    await asyncio.sleep(0.2)
    os.kill(zygote(), signal.SIGKILL)
    for found in await asyncio.gather(*under_way):
        assert reasons(found) == []
        assert found.media_type != "text/salvaged"


async def test_no_zygote_is_an_error_and_not_an_inspection(tmp_path: Path) -> None:
    path = tmp_path / "rules"
    path.write_text("first")
    async with a_pool(paths=(path,)) as workers:
        path.write_text("broken")
        os.kill(zygote(), signal.SIGKILL)
        await settled(lambda: not children(os.getpid()))
        with pytest.raises(WorkerError, match="does not compile"):
            await ask(workers, "plain")
        path.write_text("mended")
        assert (await ask(workers, "note")).media_type == "text/mended"


async def test_reload_swaps_and_lets_the_old_finish(tmp_path: Path) -> None:
    old, new = tmp_path / "old", tmp_path / "new"
    old.write_text("old")
    new.write_text("new")
    async with a_pool(paths=(old,)) as workers:
        assert (await ask(workers, "note")).media_type == "text/old"
        under_way = asyncio.create_task(ask(workers, "sleep:1", Channel.MAIL))
        first = zygote()
        await settled(lambda: len(children(first)) == 2)
        await workers.reload(Plan(signatures=[new], limits=Limits(seconds=7)))
        assert (await ask(workers, "note")).media_type == "text/new"
        assert reasons(await under_way) == []
        await settled(lambda: first not in children(os.getpid()))


async def test_stop_ends_a_zygote_that_was_leaving_too(tmp_path: Path) -> None:
    rules = tmp_path / "rules"
    rules.write_text("rules")
    async with a_pool(paths=(rules,)) as workers:
        await ask(workers, "note")
        first = zygote()
        under_way = asyncio.create_task(ask(workers, "sleep:60", Channel.MAIL))
        await settled(lambda: len(children(first)) == 2)
        await workers.reload(Plan(signatures=[rules]))
        assert first in children(os.getpid())
    assert first not in children(os.getpid())
    await asyncio.gather(under_way, return_exceptions=True)


async def test_a_bad_reload_keeps_the_old(tmp_path: Path) -> None:
    good, bad = tmp_path / "good", tmp_path / "bad"
    good.write_text("good")
    bad.write_text("broken")
    async with a_pool(paths=(good,)) as workers:
        before = zygote()
        with pytest.raises(SignatureError) as raised:
            await workers.reload(Plan(signatures=[bad]))
        assert [(one.where, one.key) for one in raised.value.faults] == [(str(bad), "rule")]
        assert (await ask(workers, "note")).media_type == "text/good"
        assert zygote() == before
        assert workers.signatures == {"known"}


async def test_a_reload_that_cannot_read_a_plain_text_is_refused(workers: Workers) -> None:
    with pytest.raises(WorkerError, match=r"could not load: .*attribute"):
        async with a_pool(job="tests.workers.jobs:nothing"):
            pass
    with pytest.raises(WorkerError, match="could not read a plain text"):
        async with a_pool(job="tests.workers.jobs:blind"):
            pass


async def test_check_does_not_wait_for_a_turn() -> None:
    async with a_pool(WorkerSettings(count=1)) as workers:
        under_way = asyncio.create_task(ask(workers, "sleep:2"))
        await settled(lambda: children(zygote()))
        await workers.check()
        assert not under_way.done()
        await under_way


async def test_an_item_given_up_frees_its_turn_and_its_child() -> None:
    async with a_pool(WorkerSettings(count=1)) as workers:
        under_way = asyncio.create_task(ask(workers, "sleep:60"))
        await settled(lambda: len(children(zygote())) == 1)
        await asyncio.sleep(0.1)
        under_way.cancel()
        with pytest.raises(asyncio.CancelledError):
            await under_way
        assert reasons(await ask(workers, "plain")) == []
        await settled(lambda: len(children(zygote())) == 1)


async def test_nothing_leaks(workers: Workers) -> None:
    async def some() -> None:
        for order in ("plain", "plain", "plain", "bug"):
            await asyncio.gather(*(ask(workers, order, channel) for channel in (Channel.MAIL, Channel.SHARE)))

    def descriptors(pid: int) -> int:
        return len(os.listdir(f"/proc/{pid}/fd"))

    await some()
    await ask(workers, "plain")
    nurse = zygote()
    await settled(lambda: len(children(nurse)) == 1)
    await asyncio.sleep(0.5)  # for the zygote to close what it has handed over
    watched = [os.getpid(), *([nurse] if os.geteuid() == 0 else [])]
    before = [descriptors(pid) for pid in watched]
    for _ in range(25):
        await some()
    await ask(workers, "plain")
    await settled(lambda: len(children(nurse)) == 1)  # no zombie, and nobody but the one idle child
    await settled(lambda: [descriptors(pid) for pid in watched] == before)
    if os.geteuid() == 0:
        (child,) = children(nurse)
        assert sorted(os.listdir(f"/proc/{child}/fd"))[:3] == ["0", "1", "2"]
        assert descriptors(child) == 4


async def test_after_stop_there_is_nothing_left(workers: Workers) -> None:
    await ask(workers, "plain")
    await workers.stop()
    assert children(os.getpid()) == []
    with pytest.raises(WorkerError, match="not started"):
        await ask(workers, "plain")


@pytest.mark.parametrize(
    ("media_type", "expected"),
    [
        ("text/html", "text"),
        ("message/rfc822", "mail"),
        ("application/vnd.ms-outlook", "mail"),
        ("application/pdf", "pdf"),
        ("application/vnd.ms-excel", "office"),
        ("application/vnd.ms-cab-compressed", "archive"),
        ("application/x-7z-compressed", "archive"),
        ("application/x-dosexec", "binary"),
        ("invented/by-a-document", "other"),
    ],
)
def test_the_families_are_few(media_type: str, expected: str) -> None:
    assert family(media_type) == expected


def test_every_format_has_a_family() -> None:
    assert [media for form in FORMATS for media in form.media_types if family(media) == "other"] == []
