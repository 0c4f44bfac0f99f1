"""One message before the next hop, and its way back out of quarantine."""

import asyncio
import hashlib
import math
from collections.abc import Awaitable, Callable, Iterator, Mapping
from typing import Any

from dlp.blob import Blob
from dlp.channels.mail_door import Expiring, KeptBack
from dlp.channels.relay import Delivery, NextHop
from dlp.channels.smtp_syntax import Address
from dlp.channels.smtp_wire import HEAD
from dlp.channels.subject_tag import tagged
from dlp.errors import GateError
from dlp.model import Action, Item, Verdict
from dlp.ports import Gate, Held

Seal = Callable[[str, str], str]
"""`ports.Quarantine.seal`."""

REPLACED = "replaced"
"""What X-DLP-Action says of a message of which attachments have been replaced by notices."""


class MailGate(Expiring):
    """One message before the next hop; implements ports.Replaceable and ports.Markable.

    `reply` is what the client is to be told, once something has been done. `delivery` stands with
    sender and recipients said; `hop` is where it leads. After `expire` nothing is done any more; it
    comes at `due` (the loop's time). `tags` gives the tag of a level on the Subject of what passes.
    """

    destroys = False

    def __init__(
        self,
        *,
        item: Item,
        delivery: Delivery,
        trace: bytes,
        attributes: Mapping[str, Any],
        hop: NextHop,
        tags: Callable[[str], str] | None = None,
    ) -> None:
        super().__init__()
        self._tags = tags
        self._tag: str | None = None
        self.reply: str | None = None
        self.unscanned = False
        self.due = math.inf
        self._item = item
        self._hop = hop
        self._delivery = delivery
        self._trace = trace
        self._attributes = attributes

    @property
    def answered(self) -> bool:
        """See mail_door.Door."""
        return self.reply is not None

    @property
    def attributes(self) -> Mapping[str, Any]:
        """What `release_message` needs: the SMTP parameters and our trace field."""
        return self._attributes

    async def release(self) -> None:
        """See ports.Gate: the next hop has the message once this returns."""
        await self.send(self._item.blob, "unscanned" if self.unscanned else "released")

    async def send(self, blob: Blob, action: str) -> None:
        """As `release`; `action` is what the field X-DLP-Action says of `blob`."""
        self.begin()
        self.reply = await self._delivery.data(*self._marked(self._head(action), blob))

    def mark(self, level: str | None) -> None:
        """See ports.Markable."""
        self._tag = self._tags(level) if self._tags is not None and level is not None else None

    def _marked(self, head: bytes, blob: Blob) -> tuple[bytes, Blob]:
        """Our fields and the message, with the tag in its Subject: what is changed goes with the head, the rest from the blob."""
        if self._tag is None:
            return head, blob
        first = next(blob.chunks(HEAD), b"")
        if (edit := tagged(first, self._tag)) is None:
            return head, blob
        return head + first[: edit.start] + edit.new, blob.rest(edit.end)

    @property
    def patience(self) -> float:
        """See ports.Replaceable."""
        return self.due - asyncio.get_running_loop().time()

    def replaced(self, blob: Blob) -> Gate:
        """See ports.Replaceable."""
        return Replaced(self._attributes, lambda: self.send(blob, REPLACED))

    async def withhold(self, verdict: Verdict, incident: str, held: str | None) -> None:
        """See ports.Gate: nothing goes out; only the reply is chosen."""
        self.begin()
        if verdict.action is Action.BLOCK:
            self.reply = f"550 5.7.1 Message refused by policy, reference {incident}"
        elif held is not None:
            self.reply = f"250 2.0.0 Message held for review, reference {incident}"
        else:
            raise GateError("a message cannot be held: it is not in custody")

    def _head(self, action: str) -> bytes:
        return self._trace + f"X-DLP-Item: {self._item.id}\r\nX-DLP-Action: {action}\r\n".encode("ascii")


class SplitGate(MailGate):
    """A MailGate whose recipients may be treated apart; implements ports.Divisible."""

    async def divide(self, withheld: frozenset[int]) -> tuple["KeptBackOrReplaced", "SplitGate"]:
        """See ports.Divisible. The client is told what the next hop says of the others."""
        recipients = list(enumerate(self._attributes["recipients"]))
        others = [place for place, _ in recipients if place not in withheld]
        await self._delivery.keep(others)
        withheld_from = {**self._attributes, "recipients": [one for place, one in recipients if place in withheld]}
        kept = KeptBackOrReplaced(withheld_from, hop=self._hop, head=self._head(REPLACED), gate=self)
        self._attributes = {**self._attributes, "recipients": [one for place, one in recipients if place not in withheld]}
        return kept, self


class Replaced:
    """A message of which other content goes; implements ports.Gate. `send` sends that."""

    destroys = False

    def __init__(self, attributes: Mapping[str, Any], send: Callable[[], Awaitable[None]]) -> None:
        self.attributes = attributes
        self._send = send

    async def release(self) -> None:
        """See ports.Gate."""
        await self._send()

    async def withhold(self, verdict: Verdict, incident: str, held: str | None) -> None:
        """See ports.Gate; it is the gate it comes from that withholds."""
        raise GateError("what has been rewritten to go is not withheld")


class KeptBackOrReplaced(KeptBack):
    """Recipients who may yet get the message without what they may not have; implements ports.Replaceable.

    `head` are our fields on top of what may go to them by `hop`; `gate` is that of the others.
    """

    def __init__(self, attributes: Mapping[str, Any], *, hop: NextHop, head: bytes, gate: MailGate) -> None:
        super().__init__(attributes)
        self._hop = hop
        self._head = head
        self._gate = gate

    @property
    def patience(self) -> float:
        """See ports.Replaceable."""
        return self._gate.patience

    def replaced(self, blob: Blob) -> Gate:
        """See ports.Replaceable: it goes in a transaction of its own. All of them get it or none."""
        return Replaced(self.attributes, lambda: self._deliver(blob))

    async def _deliver(self, blob: Blob) -> None:
        sender, recipients = _envelope(self.attributes)
        await self._hop.deliver(sender, recipients, self._head, blob)


async def release_message(held: Held, content: Iterator[bytes], next_hop: NextHop, seal: Seal) -> str:
    """Deliver a message from quarantine as it would have been then; returns the next hop's reply.

    Its field `X-DLP-Released` has the seal by which it is known should it come by again: it is not held a second
    time. The content is authenticated to its end before anything is said to the next hop. All recipients
    get it or none. Raises RelayError, StoreError, or GateError for something that is not a message.
    """
    try:
        sender, recipients = _envelope(held.attributes)
        trace = str(held.attributes["trace"])
    except (KeyError, TypeError, ValueError) as error:
        raise GateError(f"{held.id} has no SMTP parameters: it is not a message of this gateway") from error
    with await asyncio.to_thread(Blob.of, content) as blob:
        body = await asyncio.to_thread(_body_digest, blob)
        head = f"{trace}X-DLP-Released: {held.id}\r\n\t{seal(held.id, body)}\r\n".encode("ascii")
        try:
            return await next_hop.deliver(sender, recipients, head, blob, key=held.id)
        finally:
            await next_hop.close()


def _envelope(attributes: Mapping[str, Any]) -> tuple[Address, list[Address]]:
    """Sender and recipients. Raises KeyError, TypeError or ValueError where they are not those of a message."""
    return Address.from_json(attributes["sender"]), [Address.from_json(one) for one in attributes["recipients"]]


def _body_digest(blob: Blob) -> str:
    """SHA-256 in hex of what follows the first empty line, as `smtp_wire.FieldFilter` computes it of what arrives."""
    digest, tail, inside = hashlib.sha256(), b"\r\n", False  # a message may begin with its empty line
    for chunk in blob.chunks():
        if not inside:
            joined = tail + chunk
            at = joined.find(b"\r\n\r\n")
            inside, tail = at >= 0, joined[-3:]
            chunk = joined[at + 4 :] if inside else b""
        digest.update(chunk)
    return digest.hexdigest()
