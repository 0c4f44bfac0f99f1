"""A process with a spool. `run ROOT URL`: a runner, until it is killed. `store ROOT URL`: one message into the spool,
then the reply on standard output. Run by test_spool_crash.py.
"""

import asyncio
import os
import sys
from datetime import UTC, datetime
from pathlib import Path

from dlp.blob import Blob
from dlp.channels.relay import NextHop
from dlp.channels.spool import SpoolHop
from dlp.channels.spool_folder import SpoolFolder
from dlp.channels.spool_runner import SpoolRunner
from dlp.channels.spool_settings import SpoolSettings
from dlp.metrics import Metrics
from tests.channels.spool_house import CONTENT, HEAD, an_address


def now() -> datetime:
    return datetime.now(UTC)


async def run(folder: SpoolFolder, hop: NextHop) -> None:
    settings = SpoolSettings(retry_seconds=0.2, retry_max_seconds=0.5, deliveries=4)
    runner = SpoolRunner(
        folder, hop, settings, Metrics(), clock=now, random=os.urandom, hostname="gate.example", look=0.05, patience=0
    )
    await runner.start()
    await asyncio.sleep(3600)


async def store(folder: SpoolFolder, hop: NextHop) -> None:
    into = SpoolHop(folder, hop, clock=now, random=os.urandom, limit=1000)
    with Blob.of([CONTENT]) as blob:
        reply = await into.deliver(an_address(b"<a@example.com>"), [an_address(b"<b@example.org>")], HEAD, blob)
    os.write(1, reply.encode())
    await into.close()


if __name__ == "__main__":
    folder = SpoolFolder(Path(sys.argv[2]), random=os.urandom)
    asyncio.run({"run": run, "store": store}[sys.argv[1]](folder, NextHop.parse(sys.argv[3])))
