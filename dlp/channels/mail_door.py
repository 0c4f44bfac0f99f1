"""What the doors of mail, the gateway and the milter, have in common: one message between its judge and its answer."""

from collections.abc import Mapping
from typing import Any, Protocol

import structlog

from dlp.errors import DLPError, GateError, RelayError, WorkerError
from dlp.model import Item, Verdict
from dlp.ports import Gate, Submit

log = structlog.get_logger()

FAILED = "451 4.3.0 Temporary failure, try again later"
LATE = "451 4.3.0 Inspection took too long, try again later"


class Door(Gate, Protocol):
    """A gate whose message somebody waits for. `unscanned`: it goes on though nobody could inspect it."""

    unscanned: bool

    @property
    def answered(self) -> bool:
        """Something has been done, and what is to be told of it stands."""


class Expiring:
    """What may be done until it is too late; what was begun by then is finished."""

    def __init__(self) -> None:
        self._begun = False
        self._expired = False

    def expire(self) -> bool:
        """Nothing more shall be done; False if it has been begun and will be finished."""
        self._expired = not self._begun
        return self._expired

    def begin(self) -> None:
        """Something is about to be done. Raises RelayError once it is too late."""
        if self._expired:
            raise RelayError(LATE, "the deadline has passed; the sender was told to try again")
        self._begun = True


class KeptBack:
    """The recipients of a message who do not get it, while others do; implements ports.Gate."""

    destroys = False

    def __init__(self, attributes: Mapping[str, Any]) -> None:
        self.attributes = attributes

    async def release(self) -> None:
        """See ports.Gate; what is apart is apart because it is withheld."""
        raise GateError("these recipients were told apart to be withheld")

    async def withhold(self, verdict: Verdict, incident: str, held: str | None) -> None:
        """See ports.Gate: the client has one reply for all, so what these do not get must be in custody."""
        if held is None:
            raise GateError("some recipients cannot be withheld: the message is not in custody")


async def judged(submit: Submit, item: Item, door: Door, *, pass_unscanned: bool) -> str:
    """Have the item judged and acted on; the reply where the door has no answer, whatever happens.

    What has been done stands, even if recording it failed afterwards. `pass_unscanned`: where no inspection can be had at all
    the message goes on, marked.
    """
    try:
        await _submitted(submit, item, door, pass_unscanned=pass_unscanned)
    except RelayError as error:
        log.warning("mail not delivered", item=item.id, reason=str(error))
        return error.reply
    except DLPError as error:
        log.error("mail not handled", item=item.id, error=type(error).__name__, reason=str(error))
    except Exception as error:  # noqa: BLE001 - a bug must not become a bounce; its text may quote content
        log.error("mail not handled", item=item.id, error=type(error).__name__)
    return FAILED


async def _submitted(submit: Submit, item: Item, door: Door, *, pass_unscanned: bool) -> None:
    try:
        await submit(item, door)
    except WorkerError as error:
        if not pass_unscanned or door.answered:
            raise
        log.error("mail delivered unscanned", item=item.id, reason=str(error))
        door.unscanned = True
        await door.release()
