"""Every error `dlp` raises on purpose.

    DLPError
      ConfigError       a file the operator wrote is wrong: names file, key and remedy; exit status 2
      SignatureError    a signature does not compile, lacks its meta or repeats a name
      ExtractError      a document cannot be read: becomes an Unscannable, never escapes `dlp.extract`
      WorkerError       the confined child failed in a way that is not the document's doing
      ConfinementError  the kernel lacks a layer of the confinement that the configuration requires
      StoreError        custody, incident or audit could not be made durable
      RelayError        the next hop did not take a message; carries the SMTP reply to give
      GateError         a channel could not release or withhold what it was told to
      AskError          the daemon did not answer the guard: dead, stopped, too slow, or it failed

Public text is in `str(error)` and may be shown to a stranger only where the class says so; a
foreign exception is translated in the module that owns its library and kept as `__cause__`.
"""

from collections.abc import Sequence
from dataclasses import dataclass


class DLPError(Exception):
    """Root of the tree; carries one sentence that says what happened, where, and what to do."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing wrong in a file the operator wrote.

    `where` is the file (or the subject of a check), `key` the dotted key inside it ("" for the
    whole file), `what` a sentence, `remedy` what to do about it ("" where the sentence says it).
    """

    where: str
    key: str
    what: str
    remedy: str = ""

    def __str__(self) -> str:
        place = f"{self.where}: {self.key}" if self.key else self.where
        return f"{place}: {self.what}" + (f" ({self.remedy})" if self.remedy else "")


class ConfigError(DLPError):
    """One or more faults in the operator's files; nothing was started."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        self.faults = tuple(faults)
        super().__init__("\n".join(map(str, self.faults)))

    @classmethod
    def single(cls, where: object, key: str, what: str, remedy: str = "") -> "ConfigError":
        """The usual case: one fault."""
        return cls([Fault(str(where), key, what, remedy)])


class SignatureError(ConfigError):
    """A signature file is wrong; same shape as any other fault of the operator's files."""


class ExtractError(DLPError):
    """A document, or a place in it, cannot be read."""


class WorkerError(DLPError):
    """The confined child, or the zygote it comes from, failed for a reason of ours."""


class ConfinementError(DLPError):
    """A layer of the confinement is missing; `layers` names each with the kernel's reason."""

    def __init__(self, layers: Sequence[str]) -> None:
        self.layers = tuple(layers)
        super().__init__("confinement is incomplete: " + "; ".join(self.layers))


class StoreError(DLPError):
    """Something that had to be durable is not; the caller must not acknowledge or remove."""


class RelayError(DLPError):
    """The next hop did not take the message.

    `reply` is the SMTP reply for the client, code and text without CRLF: the next hop's own words
    where it spoke (RFC 5321 section 4.2), else a 451 of ours that tells nothing of the inside.
    """

    def __init__(self, reply: str, reason: str) -> None:
        self.reply = reply
        super().__init__(reason)


class GateError(DLPError):
    """A channel could not carry out release or withhold; the item stays where it is."""


class AskError(DLPError):
    """The daemon gave the guard no answer; the guard does what it does without one."""
