"""Mailboxes in one file (RFC 4155; mboxo, mboxrd and mboxcl alike): each message is a document inside.

A message begins at a "From " line that a header field follows. Lengths stated in a header are not believed.
"""

import re
from collections.abc import Iterator

from dlp.extract.budget import Budget
from dlp.extract.document import Document
from dlp.extract.format import Format, Pieces
from dlp.extract.sniff import MAIL

# After the line, a field whose name messages begin with, or any field where the line has a time (RFC 4155, appendix A).
_FROM = re.compile(
    rb"From (?:[^\r\n]{0,300}\d\d:\d\d[^\r\n]{0,100}\r?\n(?=[\x21-\x39\x3b-\x7e]{1,100}[ \t]{0,9}:)"
    rb"|[^\r\n]{0,400}\r?\n(?=(?i:x-[a-z-]{1,60}|return-path|received|delivered-to|message-id|date|from|to|subject|mime-version"
    rb"|content-type|status)[ \t]{0,9}:))"
)
_QUOTED = re.compile(rb"\n>(?=>{0,100}From )")


def read(document: Document, budget: Budget) -> Pieces:
    """The messages in order, numbered where they have no name."""
    data = memoryview(document.data)
    for number, (start, end) in enumerate(_messages(data, budget), 1):
        message: bytes | memoryview = data[start:end]
        if _QUOTED.search(message):
            message = _QUOTED.sub(b"\n", message)
        yield document.nested(message, name=None, label=f"message {number}", media=MAIL)


def _messages(data: memoryview, budget: Budget) -> Iterator[tuple[int, int]]:
    """Where each message begins, after its "From " line, and ends; what stands before the first is one, too."""
    start: int | None = None
    for match in _FROM.finditer(data):
        budget.tick()
        at = match.start()
        if at and data[at - 1] not in b"\r\n":
            continue
        if start is not None or at:
            yield start or 0, at
        start = match.end()
    yield start or 0, len(data)


FORMAT = Format(name="mbox", media_types=("application/mbox",), read=read)
