"""Mailboxes in one file (RFC 4155; mboxo, mboxrd and mboxcl alike): each message is a document inside.

A message begins at a "From " line that a header field follows. Lengths stated in a header are not believed.
"""

import re
from collections.abc import Iterator

from dlp.extract.budget import Budget
from dlp.extract.document import Document
from dlp.extract.format import Format, Pieces
from dlp.extract.sniff import MAIL

# Before a field whose name messages begin with, or before any field if the line has a time (RFC 4155, appendix A).
_LINE = (
    rb"From (?:[^\r\n]{0,300}\d\d:\d\d[^\r\n]{0,100}\r?\n(?=[\x21-\x39\x3b-\x7e]{1,100}[ \t]{0,9}:)"
    rb"|[^\r\n]{0,400}\r?\n(?=(?i:x-[a-z-]{1,60}|return-path|received|delivered-to|message-id|date|from|to|subject|mime-version"
    rb"|content-type|status)[ \t]{0,9}:))"
)
_FIRST, _NEXT = re.compile(_LINE), re.compile(rb"\n" + _LINE)
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
    first = _FIRST.match(data)
    start = first.end() if first else 0
    for match in _NEXT.finditer(data, max(start - 1, 0)):
        budget.tick()
        yield start, match.start() + 1
        start = match.end()
    yield start, len(data)


FORMAT = Format(name="mbox", media_types=("application/mbox",), read=read)
