"""The real mail gateway with nothing behind it that inspects: what the gateway itself costs.

    python -m benchmarks.mail_gateway --config dlp.toml

No option of the product does this, so the composition stands here; it takes the tables [mail] and [milter] of a
configuration. It prints "ready" once it listens, and ends by SIGTERM.
"""

import argparse
import asyncio
import signal
from pathlib import Path

import uvloop

from dlp.channels.mail import MailGateway
from dlp.channels.milter import MilterServer
from dlp.config import Configuration, load_configuration
from dlp.instance import item_id, now
from dlp.metrics import Metrics
from dlp.model import Inspection, Item, Verdict
from dlp.ports import Gate, Outcome


async def release(item: Item, gate: Gate) -> Outcome:
    """Implements ports.Submit: everything goes on at once."""
    await gate.release()
    return Outcome(verdict=Verdict(), inspection=Inspection())


async def serve(configuration: Configuration) -> None:
    """Until SIGTERM."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    channels = list[MailGateway | MilterServer]()
    if configuration.mail:
        channels.append(MailGateway(configuration.mail, release, Metrics(), clock=now, new_id=item_id))
    if configuration.milter:
        channels.append(MilterServer(configuration.milter, release, Metrics(), clock=now, new_id=item_id))
    for channel in channels:
        await channel.start()
    print("ready", flush=True)
    await stop.wait()
    for channel in channels:
        await channel.stop()


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description="the mail gateway, inspecting nothing")
    parser.add_argument("--config", type=Path, required=True)
    configuration = load_configuration(parser.parse_args().config)
    if configuration.mail and not configuration.milter:
        uvloop.run(serve(configuration))  # as front processes run; the milter runs in the daemon's own loop
    else:
        asyncio.run(serve(configuration))


if __name__ == "__main__":
    main()
