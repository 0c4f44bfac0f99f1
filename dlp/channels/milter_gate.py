"""One message at the mail server's end of data: what it is told to do with it."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dlp.channels.mail_door import Expiring, KeptBack
from dlp.channels.milter_wire import ACCEPT, DISCARD, delete_header, delete_recipient, insert_header, reply_code
from dlp.channels.smtp_syntax import Address
from dlp.errors import GateError
from dlp.model import Action, Item, Verdict

_USUAL = re.compile(rb"<[^\x00-\x20<>@\"\\,:;()]+@[^\x00-\x20<>@\"\\,:;()]+>")


@dataclass(frozen=True, slots=True, kw_only=True)
class Marking:
    """How a message that goes on is marked: the sender's own fields of our names, name and number from 1 of those of
    this name, go; ours come on top. `space` says that a value brings the space behind the colon itself."""

    item: str
    theirs: Sequence[tuple[bytes, int]] = ()
    space: bool = True

    def packets(self, action: str) -> bytes:
        """From the last to the first: so no number changes under a later deletion, and each insertion is above the one before."""
        space = " " if self.space else ""
        gone = b"".join(delete_header(name, index) for name, index in reversed(self.theirs))
        return gone + insert_header("X-DLP-Action", space + action) + insert_header("X-DLP-Item", space + self.item)


class MilterGate(Expiring):
    """One message in the mail server's hands; implements ports.Gate.

    `answer` is what the mail server is to be told, in packets, once something has been decided. It has the
    message in its queue and answers for it from there. After `expire` nothing is done any more.
    """

    destroys = False

    def __init__(self, *, item: Item, marking: Marking, attributes: Mapping[str, Any]) -> None:
        super().__init__()
        self.answer: bytes | None = None
        self.unscanned = False
        self._item = item
        self._marking = marking
        self._attributes = attributes
        self._without: Sequence[Address] = ()

    @property
    def item(self) -> str:
        """The id of the message's item."""
        return self._item.id

    @property
    def answered(self) -> bool:
        """See mail_door.Door."""
        return self.answer is not None

    @property
    def attributes(self) -> Mapping[str, Any]:
        """What `mail_gate.release_message` needs: the SMTP parameters and our trace field."""
        return self._attributes

    async def release(self) -> None:
        """See ports.Gate: the mail server delivers the message."""
        self.begin()
        gone = b"".join(delete_recipient(one.path) for one in self._without)
        self.answer = gone + self._marking.packets("unscanned" if self.unscanned else "released") + ACCEPT

    async def withhold(self, verdict: Verdict, incident: str, held: str | None) -> None:
        """See ports.Gate: nothing goes out; the client is told of a refusal, or that all is well."""
        self.begin()
        if verdict.action is Action.BLOCK:
            self.answer = reply_code(f"550 5.7.1 Message refused by policy, reference {incident}")
        elif held is not None:
            self.answer = DISCARD
        else:
            raise GateError("a message cannot be held: it is not in custody")


class SplitMilterGate(MilterGate):
    """A MilterGate whose recipients may be treated apart; implements ports.Divisible."""

    async def divide(self, withheld: frozenset[int]) -> tuple[KeptBack, "SplitMilterGate"]:
        """See ports.Divisible. The recipients must be `separable`."""
        recipients = [Address.from_json(one) for one in self._attributes["recipients"]]
        kept = [one for place, one in enumerate(recipients) if place in withheld]
        served = [one for place, one in enumerate(recipients) if place not in withheld]
        back = KeptBack({**self._attributes, "recipients": [one.as_json() for one in kept]})
        self._attributes = {**self._attributes, "recipients": [one.as_json() for one in served]}
        self._without = kept
        return back, self


def separable(recipients: Sequence[Address]) -> bool:
    """Whether each can be taken away alone. The mail server does that by address, says not whether it did, and does not
    for a source route: so each must be of the usual form, and none may be there twice."""
    return all(_USUAL.fullmatch(one.path) for one in recipients) and len({one.path.lower() for one in recipients}) == len(
        recipients
    )
