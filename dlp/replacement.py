"""A message with its offending attachments replaced by notices, and the proof that it may go so.

The parent parses no hostile content: it cuts the message where a confined child has said that attachments stand, and
what comes of that is inspected and judged like any other message, for the same recipients. Only if it may go then is it
sent; so neither a mistake nor a child that lies lets anything out. Every byte outside the attachments stays as it is.
"""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from email.message import EmailMessage
from email.policy import SMTP
from types import TracebackType

from dlp.blob import Blob
from dlp.errors import WorkerError
from dlp.model import Action, Attachment, Inspection, Item, Verdict
from dlp.policy.attachments import named_by_a_finding
from dlp.policy.policy import Policy
from dlp.ports import Gate, Inspector, Replaceable

Notice = Callable[[str], str]
"""`notice(incident)` is the text that stands where an attachment stood."""

PROOF = 0.8
"""Share of the time left that the second inspection may take; the rest is for custody and delivery."""
_LONGEST_NAME = 80
"""Characters of an attachment's own name that its notice bears."""
_UNNAMED = "attachment"


@dataclass(frozen=True, slots=True, kw_only=True)
class Substitute:
    """A rewritten message that may go in place of the original: its content, the verdict on it, the gate by which it goes."""

    blob: Blob
    verdict: Verdict
    gate: Gate


@dataclass(frozen=True, slots=True, kw_only=True)
class Replacement:
    """The substitute for a message, if there is one; leaving the context closes its blob. `note` is the sentence for the
    incident, "" where nothing was asked for."""

    note: str = ""
    substitute: Substitute | None = None

    def __enter__(self) -> "Replacement":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self.substitute is not None:
            self.substitute.blob.close()

    def told(self, verdict: Verdict) -> Verdict:
        """The verdict on the original, as it is to be remembered after the act."""
        if not self.note:
            return verdict
        return replace(verdict, replace=self.substitute is not None, reasons=(self.note, *verdict.reasons))


def kept(why: str) -> Replacement:
    """None: the message is kept back whole."""
    return Replacement(note=f"no attachment was replaced: {why}")


class Replacer:
    """Makes replacements. `notice` gives the words."""

    def __init__(self, inspector: Inspector, notice: Notice) -> None:
        self._inspector = inspector
        self._notice = notice

    async def replacement(
        self, policy: Policy, item: Item, gate: Replaceable, *, inspection: Inspection, incident: str
    ) -> Replacement:
        """What may go in place of `item`, proven. What stands against it is a note and no error: the message can be kept."""
        attachments = await asyncio.to_thread(policy.offending, item, inspection)
        if not attachments:
            return kept("what offends is not in attachments that can be taken out of the message")
        try:
            blob = await asyncio.to_thread(self._rewritten, item.blob, attachments, inspection, incident)
        except OSError as error:
            return kept(f"no memory for the rewritten message: {error.strerror}")
        verdict: Verdict | str = ""
        try:
            verdict = await self._judged(policy, replace(item, blob=blob, claim=None), seconds=PROOF * gate.patience)
        finally:
            if not isinstance(verdict, Verdict):
                blob.close()
        if not isinstance(verdict, Verdict):
            return kept(verdict)
        count = "1 attachment" if len(attachments) == 1 else f"{len(attachments)} attachments"
        substitute = Substitute(blob=blob, verdict=verdict, gate=gate.replaced(blob))
        return Replacement(note=f"delivered with {count} replaced by notices", substitute=substitute)

    async def _judged(self, policy: Policy, item: Item, *, seconds: float) -> Verdict | str:
        """The verdict under which `item`, the rewritten message, may go, or why it may not."""
        try:
            async with asyncio.timeout(seconds):
                inspection = await self._inspector.inspect(item)
        except TimeoutError:
            return "there was no time to inspect the message without them"
        except WorkerError as error:
            return f"the message without them could not be inspected: {error}"
        verdict = await asyncio.to_thread(policy.decide, item, inspection)
        return verdict if verdict.action < Action.QUARANTINE else "the message without them may not go either"

    def _rewritten(self, blob: Blob, attachments: Sequence[Attachment], inspection: Inspection, incident: str) -> Blob:
        text = self._notice(incident)
        names = (_UNNAMED if named_by_a_finding(inspection, one) else _plain(one.name) for one in attachments)
        return rewritten(blob, attachments, [notice_entity(text, f"{name}.txt") for name in names])


def rewritten(blob: Blob, attachments: Sequence[Attachment], entities: Sequence[bytes]) -> Blob:
    """The message with each of these attachments, in order and apart, replaced by its entity. Raises OSError."""

    def chunks() -> Iterator[bytes]:
        at = 0
        for attachment, entity in zip(attachments, entities, strict=True):
            yield from blob.between(at, attachment.start)
            yield entity
            at = attachment.end
        yield from blob.between(at, blob.size)

    return Blob.of(chunks())


def notice_entity(text: str, name: str) -> bytes:
    """An attachment (RFC 2183) of plain text. As base64 no line of it can be taken for a delimiter; it has no line end after
    its last line, for that one belongs to the delimiter (RFC 2046, 5.1.1)."""
    entity = EmailMessage(policy=SMTP)
    entity.set_content(text, cte="base64", disposition="attachment", filename=name)
    del entity["MIME-Version"]
    return entity.as_bytes().removesuffix(b"\r\n")


def _plain(name: str) -> str:
    """`name` in what may stand in a field and in a file system; a document has chosen it."""
    letters = "".join(one if one.isprintable() and one not in '/\\"' else "_" for one in name[:_LONGEST_NAME])
    return letters.strip(" .") or _UNNAMED
