"""A document that crashes or hangs its reader costs that document, and never the item around it."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator

import pytest

from dlp.model import Channel, Inspection, Limits, Unscannable, Why
from dlp.workers.pool import Workers
from tests.workers.helpers import a_pool, ask, children, restarts, settled, zygote


@pytest.fixture
async def workers() -> AsyncIterator[Workers]:
    async with a_pool() as pool:
        yield pool


def read(inspection: Inspection) -> list[str]:
    return [one.trail[0] for one in inspection.findings]


def unread(inspection: Inspection) -> list[tuple[Why, tuple[str, ...]]]:
    return [(one.why, one.trail) for one in inspection.unscannable]


async def idle() -> None:
    """Until no child of the zygote is left."""
    await settled(lambda: not children(zygote()))


@pytest.mark.parametrize("channel", [Channel.MAIL, Channel.SHARE])
@pytest.mark.parametrize("end", ["die", "abort", "hog", "leave", "bug", "thread", "garbage"])
async def test_the_document_at_which_a_child_ended_is_left_out(channel: Channel, end: str) -> None:
    async with a_pool() as workers:
        found = await ask(workers, f"walk:ok,{end},fine,ok", channel)
        assert read(found) == ["1 ok", "3 fine", "4 ok"]
        assert unread(found) == [(Why.CRASHED, (f"2 {end}",))]


async def test_a_document_that_hangs_is_left_out_while_there_is_time() -> None:
    async with a_pool(limits=Limits(seconds=4)) as workers:
        found = await ask(workers, "walk:ok,spin,fine", Channel.MAIL)
        assert read(found) == ["1 ok", "3 fine"]
        assert unread(found) == [(Why.CRASHED, ("2 spin",))]
        assert restarts(workers, "timeout") == 1


async def test_two_readings_are_all_the_time_there_is() -> None:
    async with a_pool(limits=Limits(seconds=4)) as workers:
        found = await ask(workers, "walk:ok,spin,spin,spin", Channel.MAIL)
        assert (found.media_type, unread(found)) == ("text/salvaged", [(Why.TIMEOUT, ())])
        assert restarts(workers, "timeout") == 2


async def test_a_message_past_its_deadline_is_not_read_again() -> None:
    async with a_pool(limits=Limits(seconds=1), deadlines={Channel.MAIL: 1}) as workers:
        found = await ask(workers, "walk:ok,spin", Channel.MAIL)
        assert unread(found) == [(Why.TIMEOUT, ())]
        assert restarts(workers, "timeout") == 1


async def test_three_documents_are_left_out_and_with_a_fourth_all_that_are_risky() -> None:
    async with a_pool() as workers:
        found = await ask(workers, "walk:die,die,ok,die")
        assert (read(found), [place for _, (place,) in unread(found)]) == (["3 ok"], ["1 die", "2 die", "4 die"])
        assert restarts(workers, "crashed") == 4  # and once more for the first
        found = await ask(workers, "walk:die,die,die,die,ok,fine")
        assert read(found) == ["5 ok"]
        assert [place for _, (place,) in unread(found)] == ["1 die", "2 die", "3 die", "4 die", "6 fine"]
        assert restarts(workers, "crashed") == 4 + 5


async def test_a_crash_at_no_document_costs_one_more_reading() -> None:
    async with a_pool() as workers:
        assert (await ask(workers, "die")).unscannable == (Unscannable(why=Why.CRASHED, detail="killed by SIGSEGV"),)
        assert restarts(workers, "crashed") == 2


async def test_a_crash_by_chance_costs_nothing() -> None:
    async with a_pool() as workers:
        await settled(lambda: not children(zygote()))  # the one that tried the pool
        under_way = asyncio.create_task(ask(workers, "sleep:1", Channel.MAIL))
        await settled(lambda: children(zygote()))
        os.kill(children(zygote())[0], signal.SIGKILL)  # as the kernel does when memory runs out
        assert unread(await under_way) == []
        assert restarts(workers, "crashed") == 1


# ---- Whose child is kept


async def test_a_child_that_a_risky_format_has_used_is_not_used_again() -> None:
    async with a_pool() as workers:
        await ask(workers, "walk:ok")
        await settled(lambda: len(children(zygote())) == 1)
        before = children(zygote())
        await ask(workers, "walk:ok,ok")
        assert children(zygote()) == before
        await ask(workers, "walk:ok,fine")
        await idle()
        assert restarts(workers, "risky") == 1


LIES = ["shout_entering:2,1", "shout_entering:1,1", "shout_entering:0", "shout_entering:100000", "entering_and_more"]


@pytest.mark.parametrize("order", [*LIES, "entering_for_ever"])
async def test_numbers_that_no_walk_gives_are_a_lie(workers: Workers, order: str) -> None:
    found = await ask(workers, order)
    assert found.media_type == "text/salvaged"
    assert found.unscannable == (Unscannable(why=Why.CRASHED, detail="a document that cannot be the next"),)


async def test_rising_numbers_are_believed(workers: Workers) -> None:
    assert unread(await ask(workers, "shout_entering:1,5,10000")) == []
