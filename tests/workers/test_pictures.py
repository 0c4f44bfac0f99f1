"""The second reading of items with pictures: what it adds, and that nothing is lost where it cannot be had."""

import asyncio
import os

import pytest

from dlp.errors import ConfigError
from dlp.extract import ocr
from dlp.model import Channel, Finding, Inspection, Limits, Unscannable, Why
from dlp.workers.pictures import OcrSettings, merged
from dlp.workers.pool import Plan, Workers
from tests.workers.helpers import LIMITS, a_pool, ask, children, restarts, settled

OCR = OcrSettings(seconds=5, memory=256 << 20)
NOT_READ = Unscannable(why=Why.UNSUPPORTED, trail=("p.png",))
BODY = Finding(signature="known", trail=("body",))


def results(workers: Workers) -> dict[str, float]:
    """How often each result of a second reading was counted."""
    (metric,) = workers._metrics.ocr_items.collect()
    return {sample.labels["result"]: sample.value for sample in metric.samples}


def waiting(workers: Workers) -> float | None:
    return workers._metrics.registry.get_sample_value("dlp_queue_items", {"channel": "ocr"})


@pytest.mark.parametrize("channel", [Channel.MAIL, Channel.SHARE])
async def test_text_in_pictures_is_found_besides(channel: Channel) -> None:
    async with a_pool(ocr=OCR) as workers:
        found = await ask(workers, "picture", channel)
        assert {(one.trail, one.level) for one in found.findings} == {(("body",), None), (("p.png",), "secret")}
        assert (found.unscannable, found.pictures) == ((), 0)
        assert found.media_type.startswith("text/")
        assert (results(workers), waiting(workers)) == ({"read": 1}, 0)


async def test_without_it_a_picture_is_unscannable() -> None:
    async with a_pool() as workers:
        found = await ask(workers, "picture")
        assert (found.findings, found.unscannable, found.pictures) == ((BODY,), (NOT_READ,), 1)
        assert results(workers) == {}


async def test_it_is_loaded_for_the_first_picture_unless_it_is_required() -> None:
    async with a_pool(ocr=OCR) as workers:
        await ask(workers, "plain")
        assert len(children(os.getpid())) == 1
        await ask(workers, "picture")
        assert len(children(os.getpid())) == 2
    async with a_pool(ocr=OcrSettings(use="required")):
        await settled(lambda: len(children(os.getpid())) == 2)
    assert children(os.getpid()) == []


@pytest.mark.parametrize(
    ("end", "cause"), [("die", "crashed"), ("bug", "crashed"), ("hog", "limit"), ("garbage", "lied"), ("spin", "timeout")]
)
async def test_a_second_reading_that_fails_leaves_the_first(end: str, cause: str) -> None:
    async with a_pool(ocr=OcrSettings(seconds=1, memory=256 << 20)) as workers:
        found = await ask(workers, f"picture:{end}")
        assert (found.findings, found.unscannable) == ((BODY,), (NOT_READ,))
        assert (results(workers), restarts(workers, f"ocr-{cause}")) == ({"failed": 1}, 1)


@pytest.mark.parametrize("reader", ["no_reader", "threaded_reader", "nothing"])
async def test_a_reader_that_cannot_be_loaded_leaves_the_first(reader: str) -> None:
    async with a_pool(ocr=OCR, reader=f"tests.workers.jobs:{reader}") as workers:
        for _ in range(2):
            assert (await ask(workers, "picture")).unscannable == (NOT_READ,)
        assert results(workers) == {"failed": 2}
        assert (await ask(workers, "plain")).unscannable == ()


async def test_what_finds_the_queue_full_is_not_read_twice() -> None:
    async with a_pool(ocr=OcrSettings(max_queue=1, seconds=5)) as workers:
        found = await asyncio.gather(*(ask(workers, "picture:nap", channel) for channel in [Channel.MAIL, Channel.SHARE] * 2))
        assert sorted(len(one.unscannable) for one in found) == [0, 0, 1, 1]
        assert results(workers) == {"read": 2, "queue-full": 2}


async def test_a_message_does_not_wait_beyond_its_deadline() -> None:
    async with a_pool(ocr=OcrSettings(seconds=4), deadlines={Channel.MAIL: 3}) as workers:
        await ask(workers, "picture")
        file = asyncio.create_task(ask(workers, "picture:spin"))
        await settled(lambda: waiting(workers))
        assert (await ask(workers, "picture", Channel.MAIL)).unscannable == (NOT_READ,)
        assert not file.done()
        assert results(workers) == {"read": 1, "late": 1}
        await file


async def test_a_reload_lets_those_that_wait_be_read() -> None:
    async with a_pool(ocr=OCR) as workers:
        under_way = [asyncio.create_task(ask(workers, "picture:nap")) for _ in range(2)]
        await settled(lambda: waiting(workers) == 2)
        await workers.reload(Plan(limits=LIMITS))
        assert (await ask(workers, "picture")).unscannable == (NOT_READ,)
        assert [one.unscannable for one in await asyncio.gather(*under_way)] == [(), ()]
        await settled(lambda: len(children(os.getpid())) == 1)


async def test_a_pool_that_stops_at_once_leaves_nothing() -> None:
    async with a_pool(ocr=OcrSettings(use="required")) as workers:
        await workers.reload(Plan(limits=Limits(seconds=5), ocr=OCR))
    assert children(os.getpid()) == []


# ---- One answer of two readings


def test_a_place_read_at_the_second_time_is_read() -> None:
    first = Inspection(findings=(BODY,), unscannable=(NOT_READ,), media_type="image/png", pictures=1, seconds=1.0)
    second = Inspection(seconds=2.0, parts=3)
    assert merged(first, second) == Inspection(findings=(BODY,), media_type="image/png", seconds=3.0, parts=3)


@pytest.mark.parametrize("why", [Why.TIMEOUT, Why.TOO_LARGE, Why.TOO_MANY, Why.CRASHED])
def test_a_second_reading_that_was_cut_short_vouches_for_nothing(why: Why) -> None:
    end = Unscannable(why=why, trail=("somewhere",))
    assert merged(Inspection(unscannable=(NOT_READ,)), Inspection(unscannable=(end,))).unscannable == (end, NOT_READ)
    assert merged(Inspection(unscannable=(NOT_READ, end)), Inspection(unscannable=(end,))).unscannable == (end,)


def test_a_picture_that_is_too_large_is_not_said_twice() -> None:
    large = Unscannable(why=Why.TOO_LARGE, trail=NOT_READ.trail)
    other = Unscannable(why=Why.UNSUPPORTED, trail=("q.png",))
    assert merged(Inspection(unscannable=(NOT_READ, other)), Inspection(unscannable=(large,))).unscannable == (large, other)


def test_of_two_findings_in_one_place_the_one_that_counts_more_is_kept() -> None:
    few, many = Finding(signature="a", count=2), Finding(signature="a", count=3)
    assert merged(Inspection(findings=(many,)), Inspection(findings=(few,))).findings == (many,)
    assert merged(Inspection(findings=(few,)), Inspection(findings=(many,))).findings == (many,)
    assert len(merged(Inspection(findings=(few,)), Inspection(findings=(Finding(signature="b"),))).findings) == 2


# ---- Settings


@pytest.mark.parametrize("wrong", [{"count": 0}, {"max_queue": -1}, {"seconds": 0}, {"memory": 0}])
def test_a_number_that_cannot_work_is_a_fault(wrong: dict[str, int]) -> None:
    with pytest.raises(ConfigError, match=f"ocr.{next(iter(wrong))}"):
        OcrSettings(**wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize("installed", [True, False])
def test_whether_it_is_in_use(monkeypatch: pytest.MonkeyPatch, installed: bool) -> None:
    monkeypatch.setattr(ocr, "available", lambda: installed)
    assert OcrSettings().in_use() is installed
    assert OcrSettings(use="off").in_use() is False
    if installed:
        assert OcrSettings(use="required").in_use() is True
    else:
        with pytest.raises(ConfigError, match="EXTRAS=ocr"):
            OcrSettings(use="required").in_use()
