"""The gate of the clamd socket: we touch nothing, we answer; the asker acts."""

from collections.abc import Callable, Mapping
from typing import Any

from dlp.errors import GateError
from dlp.model import Verdict


class ClamdGate:
    """Implements `ports.Gate` for one question. `gone` says whether the asker has hung up.

    Withholding is to say FOUND. What the asker does then is his: Samba deletes the file, which may be the only copy. So
    custody comes first, and where custody cannot be had the answer is ERROR, not FOUND.
    """

    destroys = True

    def __init__(self, gone: Callable[[], bool]) -> None:
        self._gone = gone
        self._attributes: Mapping[str, Any] | None = None
        self._begun = False
        self.expired = False

    def holds(self, attributes: Mapping[str, Any] | None) -> None:
        """What custody keeps beside the content; None for what is too large for custody."""
        self._attributes = attributes

    @property
    def attributes(self) -> Mapping[str, Any]:
        """See `folder_file.attributes_of`. Raises GateError for what is too large for custody."""
        if self._attributes is None:
            raise GateError("it is larger than limits.bytes: too large for custody, so the asker was told of an error")
        return self._attributes

    def expire(self) -> bool:
        """The deadline has passed; False if the answer stands already."""
        self.expired = not self._begun
        return self.expired

    async def release(self) -> None:
        """The answer is OK."""
        self._begin()

    async def withhold(self, verdict: Verdict, incident: str, held: str | None) -> None:
        """The answer is FOUND. Raises GateError where nobody hears it any more."""
        self._begin()
        if self._gone():
            raise GateError("the asker has hung up: nobody was told, and nothing was withheld")

    def _begin(self) -> None:
        if self.expired:
            raise GateError("the deadline has passed: the asker was told of an error, not of this verdict")
        self._begun = True
