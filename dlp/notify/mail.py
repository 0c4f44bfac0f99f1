"""Notices by mail to whom a rule's `notify` names: addresses, and "sender" for the sender of a message."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, make_msgid

import structlog

from dlp.errors import DLPError
from dlp.metrics import Metrics
from dlp.model import Envelope
from dlp.notify.notices import Words
from dlp.ports import Incident

log = structlog.get_logger()

Deliver = Callable[[str, Sequence[str], bytes], Awaitable[object]]
"""Hands a message to the next hop: envelope sender, recipients, content with CRLF. Raises DLPError."""

SENDER = "sender"
"""The word in a rule's `notify` that stands for the sender of the message."""


class MailNotices:
    """Sends each incident's notices in the background; implements `ports.Notify`.

    Notices leave with the null reverse-path and `Auto-Submitted: auto-generated`, so that nothing
    answers them (RFC 3834 section 5). One that cannot be delivered is logged and counted.
    """

    def __init__(self, *, deliver: Deliver, author: str, words: Words, metrics: Metrics) -> None:
        self._deliver = deliver
        self._author = author
        self._words = words
        self._metrics = metrics
        self._under_way: set[asyncio.Task[None]] = set()

    def adopt(self, words: Words) -> None:
        """Speak in these words from the next notice on."""
        self._words = words

    async def incident(self, incident: Incident) -> None:
        if recipients := _recipients(incident):
            task = asyncio.create_task(self._send(incident, recipients))
            self._under_way.add(task)
            task.add_done_callback(self._under_way.discard)

    async def drain(self) -> None:
        """Return when every notice begun has been delivered or given up."""
        await asyncio.gather(*self._under_way)

    async def _send(self, incident: Incident, recipients: Sequence[str]) -> None:
        for recipient in recipients:  # one message each: nobody learns who else was told
            try:
                await self._deliver("", [recipient], self._message(incident, recipient))
            except DLPError as error:
                self._metrics.notice_failures.labels("mail").inc()
                log.error("notice not delivered", incident=incident.id, error=str(error))

    def _message(self, incident: Incident, recipient: str) -> bytes:
        message = EmailMessage(policy=SMTP)
        message["From"] = self._author
        message["To"] = recipient
        message["Subject"] = self._words.mail_subject(incident)
        message["Date"] = format_datetime(incident.closed or incident.opened)
        message["Message-ID"] = make_msgid(idstring=incident.id, domain=self._author.rpartition("@")[2] or "localhost")
        message["Auto-Submitted"] = "auto-generated"
        message.set_content(self._words.mail_body(incident), cte="base64")
        return message.as_bytes()


def _recipients(incident: Incident) -> tuple[str, ...]:
    sender = incident.origin.sender if isinstance(incident.origin, Envelope) else ""
    named = (sender if address == SENDER else address for address in incident.verdict.notify)
    return tuple(dict.fromkeys(address for address in named if address))
