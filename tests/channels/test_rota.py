"""Large messages take turns."""

import asyncio
from functools import partial

from dlp.channels.rota import rota, turn


def test_one_is_called_a_turn_and_all_in_order() -> None:
    async def turns() -> list[object]:
        seen = list[object]()
        for number in range(3):
            rota().ask(partial(seen.append, number))
        for _ in range(3):
            await asyncio.sleep(0)
            seen.append("others")
        return seen

    assert asyncio.run(turns()) == [0, "others", 1, "others", 2, "others"]


def test_who_gave_up_holds_nobody_back() -> None:
    async def turns() -> bool:
        first, second = asyncio.ensure_future(turn()), asyncio.ensure_future(turn())
        await asyncio.sleep(0)
        first.cancel()
        await asyncio.wait_for(second, 5)
        return first.cancelled()

    assert asyncio.run(turns())


def test_a_fault_of_one_does_not_stop_the_others() -> None:
    async def turns() -> list[str]:
        told = list[str]()
        asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(str(context["exception"])))
        rota().ask(_broken)
        await asyncio.wait_for(turn(), 5)
        return told

    assert asyncio.run(turns()) == ["broken"]


def _broken() -> None:
    raise ValueError("broken")
