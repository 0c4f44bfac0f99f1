"""A next hop that can be killed at any moment: `python -m tests.loss.hop PORT JOURNAL`.

It says 250 only once the message, byte for byte, is in its journal and the journal is fsynced. A
record is a line of JSON (`at`, seconds since the epoch; `size`, bytes) and the bytes; one that a kill
cut off is nobody's and is removed at the next start.
"""

import asyncio
import json
import os
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from tests.helpers.smtp import unstuffed

_REPLIES = {
    "HELO": "250 hop.example",
    "EHLO": "250-hop.example\r\n250-SIZE 52428800\r\n250-8BITMIME\r\n250 ENHANCEDSTATUSCODES",
    "MAIL": "250 2.1.0 Ok",
    "RCPT": "250 2.1.5 Ok",
    "DATA": "354 go on",
    "RSET": "250 2.0.0 Ok",
    "NOOP": "250 2.0.0 Ok",
    "QUIT": "221 2.0.0 bye",
}


@dataclass(frozen=True, slots=True)
class Record:
    """A message in the journal: when it was written, and its bytes."""

    at: float
    raw: bytes


def records(journal: Path) -> Iterator[Record]:
    """The whole records, oldest first."""
    data, at = journal.read_bytes() if journal.exists() else b"", 0
    while (end := _end(data, at)) is not None:
        line, _, _ = data[at:].partition(b"\n")
        yield Record(float(json.loads(line)["at"]), data[at + len(line) + 1 : end])
        at = end


def _end(data: bytes, at: int) -> int | None:
    """Where the record that begins at `at` ends; None if it is not whole."""
    newline = data.find(b"\n", at)
    if newline < 0:
        return None
    end = newline + 1 + int(json.loads(data[at:newline])["size"])
    return end if end <= len(data) else None


def _repair(journal: Path) -> None:
    data, at = journal.read_bytes() if journal.exists() else b"", 0
    while (end := _end(data, at)) is not None:
        at = end
    if at < len(data):
        os.truncate(journal, at)


class Hop:
    """The server. One write for each record, so that records of several connections do not mix."""

    def __init__(self, journal: Path) -> None:
        _repair(journal)
        self._file = os.open(journal, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        os.fsync(self._file)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection."""
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            await self._converse(reader, writer)
        writer.close()

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 hop.example ESMTP\r\n")
        verb = ""
        while verb != "QUIT":
            verb = (await reader.readuntil(b"\r\n"))[:4].decode("ascii", "replace").upper()
            writer.write(_REPLIES.get(verb, "500 5.5.2 what?").encode() + b"\r\n")
            if verb == "DATA":
                await self._keep(unstuffed(await reader.readuntil(b"\r\n.\r\n")))
                writer.write(b"250 2.0.0 Ok: stored\r\n")
            await writer.drain()

    async def _keep(self, raw: bytes) -> None:
        record = json.dumps({"at": time.time(), "size": len(raw)}).encode() + b"\n" + raw
        assert os.write(self._file, record) == len(record)
        await asyncio.to_thread(os.fsync, self._file)


async def _main(port: int, journal: Path) -> None:
    server = await asyncio.start_server(Hop(journal).serve, "127.0.0.1", port, limit=1 << 24)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(_main(int(sys.argv[1]), Path(sys.argv[2])))
