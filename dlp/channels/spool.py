"""The spool as a next hop: a message is taken once it is durable here; `spool_runner` brings it to the real one.

MAIL and RCPT are accepted as they come, since their syntax has been checked; what the real next hop
thinks of them becomes a delivery status notification. A process that runs no runner of its own (a
command) writes the file all the same, and the daemon's finds it.
"""

import asyncio
import errno
import json
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import TypeVar

import structlog

from dlp.blob import Blob
from dlp.channels.relay import NO_SMTPUTF8, Delivery, NextHop
from dlp.channels.smtp_syntax import Address
from dlp.channels.spool_envelope import SpoolEnvelope
from dlp.channels.spool_folder import Random, SpoolFolder, spool_id
from dlp.errors import RelayError
from dlp.model import Transport

log = structlog.get_logger()

T = TypeVar("T")

NO_SPACE = "452 4.3.1 Insufficient system storage, try again later"
NOT_STORED = "451 4.3.0 The message could not be stored, try again later"
TOO_LARGE = "552 5.3.4 Message size exceeds the limit of the next hop"

WRITERS = 16
"""Threads that write: the file system commits at once what ten or more wait for."""
PROBE = 3.0
"""Seconds the real next hop has to say what it offers; less than a client waits."""
_FULL = (errno.ENOSPC, errno.EDQUOT)


class SpoolHop(NextHop):
    """Takes messages into `folder`. `stored` is told the id of each, in the loop; `limit` is the largest message, in bytes.

    `real` is the next hop behind it, asked only what it offers.
    """

    def __init__(
        self,
        folder: SpoolFolder,
        real: NextHop,
        *,
        clock: Callable[[], datetime],
        random: Random,
        limit: int,
        stored: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._folder = folder
        self._real = real
        self._clock = clock
        self._random = random
        self._limit = limit
        self._stored = stored
        self._offers: dict[str, str] | None = None
        self._threads: ThreadPoolExecutor | None = None
        self._prepared = False

    def open(self) -> Delivery:
        """See NextHop."""
        return SpoolDelivery(self)

    def open_once(self, key: str) -> Delivery:
        """See NextHop: `key` becomes the message's id, and one that is or was here is not taken again."""
        return SpoolDelivery(self, key=key)

    async def extensions(self) -> dict[str, str]:
        """See NextHop. While the real one is down, what it said last, in whatever process; if it never spoke, RelayError.

        DSN is always among them: what the next hop does not tell the sender we do (RFC 3461 section 5.2).
        """
        try:
            async with asyncio.timeout(PROBE):
                offers = await self._real.extensions()
        except (RelayError, TimeoutError) as error:
            offers = await self.remembered()
            if not offers:
                raise RelayError(NOT_STORED, "the next hop has never said what it offers") from error
        else:
            if offers != await self.remembered():
                self._offers = offers
                await self._remember(offers)
        return {**offers, "DSN": ""}

    async def remembered(self) -> dict[str, str]:
        """What the real next hop offered when it was last asked; nothing if it never was."""
        if self._offers is None:
            self._offers = await self.run(self._recall)
        return self._offers

    async def close(self) -> None:
        """See NextHop."""
        threads, self._threads = self._threads, None
        if threads is not None:
            await asyncio.to_thread(threads.shutdown)
        await self._real.close()

    # What a delivery asks

    async def ready(self) -> None:
        """There is room for two messages of the largest size. Raises RelayError."""
        try:
            if not self._prepared:
                await self.run(self._folder.prepare)
                self._prepared = True
            free = self._folder.free()
        except OSError as error:
            raise _refused(error) from error
        if free < 2 * self._limit:
            log.error("the spool is full: mail is refused for now", folder=str(self._folder.root), free=free)
            raise RelayError(NO_SPACE, f"less than {2 * self._limit} bytes are free in {self._folder.root}")

    async def accept(self, sender: Address, *, size: int | None) -> None:
        """What the real next hop would refuse for certain is refused at once. Raises RelayError."""
        offers = await self.remembered()
        theirs = offers.get("SIZE", "")
        if offers and sender.param("SMTPUTF8") is not None and "SMTPUTF8" not in offers:
            raise RelayError(NO_SMTPUTF8, "the next hop lacks SMTPUTF8")
        if size is not None and theirs.isdecimal() and 0 < int(theirs) < size:
            raise RelayError(TOO_LARGE, "larger than the next hop takes")

    async def store(self, sender: Address, recipients: list[Address], head: bytes, blob: Blob, *, key: str) -> str:
        """The id under which it is durable. Raises RelayError."""
        now = self._clock()
        envelope = SpoolEnvelope(
            id=key or spool_id(now, self._random),
            queued=now,
            sender=sender,
            recipients=tuple(recipients),
            size=len(head) + blob.size,
            once=bool(key),
        )
        try:
            if not await self.run(self._folder.store, envelope, _pieces(head, blob)):
                log.warning("a message that was taken before is not taken again", message=envelope.id)
        except OSError as error:
            raise _refused(error) from error
        self._stored(envelope.id)
        return envelope.id

    async def run(self, work: Callable[..., T], *arguments: object) -> T:
        """In one of our threads."""
        if self._threads is None:
            self._threads = ThreadPoolExecutor(WRITERS, thread_name_prefix="spool")
        return await asyncio.get_running_loop().run_in_executor(self._threads, work, *arguments)

    def _recall(self) -> dict[str, str]:
        try:
            value = json.loads((self._folder.root / "offers.json").read_bytes())
        except (OSError, ValueError):
            return {}  # nothing is remembered: the next hop is asked again anyway
        return {str(keyword): str(parameters) for keyword, parameters in value.items()} if isinstance(value, dict) else {}

    async def _remember(self, offers: dict[str, str]) -> None:
        try:
            await self.run(self._write_down, offers)
        except OSError as error:
            log.warning("what the next hop offers was not written down", error=error.strerror)

    def _write_down(self, offers: dict[str, str]) -> None:
        self._folder.prepare()
        draft = self._folder.tmp / f"offers.{self._random(6).hex()}"
        draft.write_text(json.dumps(offers), "ascii")
        draft.rename(self._folder.root / "offers.json")


class SpoolDelivery:
    """One message into the spool; implements Delivery. How it will go on is not known yet."""

    transport = Transport.UNKNOWN

    def __init__(self, hop: SpoolHop, *, key: str = "") -> None:
        self._hop = hop
        self._key = key
        self._sender: Address | None = None
        self._recipients: list[Address] = []

    async def mail(self, sender: Address, *, size: int | None) -> str:
        """See Delivery."""
        await self._hop.ready()
        await self._hop.accept(sender, size=size)
        self._sender = sender
        return "250 2.1.0 Ok"

    async def rcpt(self, recipient: Address) -> str:
        """See Delivery."""
        self._recipients.append(recipient)
        return "250 2.1.5 Ok"

    async def keep(self, places: Sequence[int]) -> None:
        """See Delivery."""
        self._recipients = [self._recipients[place] for place in places]

    async def data(self, head: bytes, blob: Blob) -> str:
        """See Delivery."""
        if self._sender is None or not self._recipients:
            raise RelayError(NOT_STORED, "no transaction is open")
        stored = await self._hop.store(self._sender, self._recipients, head, blob, key=self._key)
        return f"250 2.0.0 Ok: queued as {stored}"

    async def data_each(self, head: bytes, blob: Blob) -> list[str]:
        """See Delivery."""
        return [await self.data(head, blob)] * len(self._recipients)

    async def abort(self) -> None:
        """See Delivery; nothing is kept before `data`."""


def _pieces(head: bytes, blob: Blob) -> Iterator[bytes]:
    yield head
    yield from blob.chunks()


def _refused(error: OSError) -> RelayError:
    reply = NO_SPACE if error.errno in _FULL else NOT_STORED
    return RelayError(reply, f"the spool cannot be written: {error.strerror or type(error).__name__}")
