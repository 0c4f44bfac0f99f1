"""Notices by mail to whom a rule's `notify` names: addresses, and "sender" for the sender of a message.

A sender is told only where he is ours: inside the organisation, or authenticated. To a stranger's address, which anybody can
write into an envelope, the notice would be backscatter. The null sender is told nothing (RFC 5321 section 4.5.5), and nobody is
told of what goes from the null sender to those alone who would be told: that is a notice of our own, or as good as one.
"""

import asyncio
import re
from collections.abc import Awaitable, Callable, Iterator, Sequence
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, make_msgid

import structlog

from dlp.errors import DLPError
from dlp.metrics import Metrics
from dlp.model import Envelope
from dlp.notify.letters import Letters
from dlp.notify.templates import Kind
from dlp.ports import Incident

log = structlog.get_logger()

Deliver = Callable[[str, Sequence[str], bytes], Awaitable[object]]
"""Hands a message to the next hop: envelope sender, recipients, content with CRLF. Raises DLPError."""

SENDER = "sender"
"""The word in a rule's `notify` that stands for the sender of the message."""
UNDISCLOSED = "undisclosed-recipients:;"
_PLAIN = re.compile(r"[A-Za-z0-9.!#$%&'*+/^_`{|}~-]{1,64}@[A-Za-z0-9.-]{1,64}")
"""An address that a header can hold as it is; who has another is not named in it."""


class MailNotices:
    """Sends each incident's notices in the background; implements `ports.Notify`.

    Notices leave with the null reverse-path and `Auto-Submitted: auto-generated`, so that nothing
    answers them (RFC 3834 section 5). One that cannot be delivered is logged and counted.
    """

    def __init__(self, *, deliver: Deliver, author: str, letters: Letters, metrics: Metrics) -> None:
        self._deliver = deliver
        self._author = author
        self._letters = letters
        self._metrics = metrics
        self._under_way: set[asyncio.Task[None]] = set()

    def adopt(self, letters: Letters) -> None:
        """Write like this from the next notice on."""
        self._letters = letters

    async def incident(self, incident: Incident) -> None:
        if told := tuple(_told(incident, self._letters)):
            task = asyncio.create_task(self._send(incident, told))
            self._under_way.add(task)
            task.add_done_callback(self._under_way.discard)

    async def drain(self) -> None:
        """Return when every notice begun has been delivered or given up."""
        await asyncio.gather(*self._under_way)

    async def _send(self, incident: Incident, told: Sequence[tuple[Kind, str]]) -> None:
        for kind, recipient in told:  # one message each: nobody learns who else was told
            try:
                await self._deliver("", [recipient], self._message(kind, incident, recipient))
            except DLPError as error:
                self._metrics.notice_failures.labels("mail").inc()
                log.error("notice not delivered", incident=incident.id, error=str(error))

    def _message(self, kind: Kind, incident: Incident, recipient: str) -> bytes:
        subject, text = self._letters.letter(kind, incident)
        message = EmailMessage(policy=SMTP)
        message["From"] = self._author
        message["To"] = recipient if _PLAIN.fullmatch(recipient) else UNDISCLOSED
        message["Subject"] = subject
        message["Date"] = format_datetime(incident.closed or incident.opened)
        message["Message-ID"] = make_msgid(idstring=incident.id, domain=self._author.rpartition("@")[2] or "localhost")
        message["Auto-Submitted"] = "auto-generated"
        message.set_content(text, cte="base64")
        return message.as_bytes()


def _told(incident: Incident, letters: Letters) -> Iterator[tuple[Kind, str]]:
    """Who is told, and by which kind of notice."""
    notify, origin = incident.verdict.notify, incident.origin
    security = dict.fromkeys(address for address in notify if address != SENDER)
    if isinstance(origin, Envelope):
        known = {address.casefold() for address in security}
        if not origin.sender and all(one.casefold() in known for one in origin.recipients):
            log.info("nobody is told of a notice", incident=incident.id)
            return
        # While nothing has been done with it the message is still the sender's, and his server will say so.
        ours = origin.sender and (origin.user is not None or letters.inside(origin.sender))
        if SENDER in notify and ours and incident.state != "failed":
            yield "sender", origin.sender
    yield from (("security", address) for address in security)
