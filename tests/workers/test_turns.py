"""Who is next."""

import asyncio

import pytest

from dlp.workers.turns import Turns


async def serve(turns: Turns, name: str, served: list[str], label: str) -> None:
    async with turns.turn(name):
        served.append(label)
        await asyncio.sleep(0)


async def test_a_message_does_not_wait_behind_a_whole_folder() -> None:
    turns, served = Turns(1), list[str]()
    async with turns.turn("share"):
        tasks = [asyncio.create_task(serve(turns, "share", served, f"file {n}")) for n in range(4)]
        tasks += [asyncio.create_task(serve(turns, "mail", served, f"message {n}")) for n in range(2)]
        await asyncio.sleep(0)
    await asyncio.gather(*tasks)
    assert served == ["file 0", "message 0", "file 1", "message 1", "file 2", "file 3"]
    assert turns.free == 1


async def test_no_more_at_once_than_turns() -> None:
    turns, at_once, most = Turns(3), 0, 0

    async def one() -> None:
        nonlocal at_once, most
        async with turns.turn("share"):
            at_once += 1
            most = max(most, at_once)
            await asyncio.sleep(0)
            at_once -= 1

    await asyncio.gather(*(one() for _ in range(20)))
    assert most == 3
    assert turns.free == 3


@pytest.mark.parametrize("already_given", [False, True])
async def test_who_gives_up_waiting_takes_no_turn(already_given: bool) -> None:
    turns, served = Turns(1), list[str]()
    held = turns.turn("share")
    await held.__aenter__()
    waiting = asyncio.create_task(serve(turns, "share", served, "given up"))
    behind = asyncio.create_task(serve(turns, "share", served, "behind"))
    await asyncio.sleep(0)
    if already_given:
        await held.__aexit__(None, None, None)
        waiting.cancel()
    else:
        waiting.cancel()
        await held.__aexit__(None, None, None)
    await behind
    assert served == ["behind"]
    assert waiting.cancelled()
    assert turns.free == 1
