"""Address cards and calendars (RFC 6350, RFC 5545; vCard 2.1 and vCalendar 1.0 before them): the values of their lines.

Folded lines are joined, quoted-printable and base 64 values decoded; what is attached is a document inside.
"""

import quopri
import re
from collections.abc import Iterator

from dlp.extract.budget import Budget
from dlp.extract.charset import decode, detect
from dlp.extract.document import Document
from dlp.extract.format import Format, Pieces
from dlp.extract.mime import charsets
from dlp.extract.transfer import unbase64

_FOLD = re.compile(rb"\r?\n[ \t]")  # RFC 5545, 3.1
_SOFT = re.compile(rb"=\r?\n[ \t]?")
_LINE = re.compile(rb"[^\r\n]+")
_NAME = re.compile(rb"""[\w.-]{1,60}(?:;(?:[^":;\r\n]++|"[^"\r\n]*")*+)*+:""")
_ENCODING = re.compile(rb"(?i);(?:encoding=)?\"?(quoted-printable|base64|b)\"?(?=[;:])")
_CHARSET = re.compile(rb"(?i);charset=\"?([\w.:-]{1,40})")
_NAMED = re.compile(rb"(?i);(?:x-)?file-?name=\"?([^\";:]{1,255})")
_DATA_URI = re.compile(rb"(?i)data:[^,]{0,200};base64,")
_SPECIAL = re.compile(rb"(?i)[;=](?:quoted-printable|base64|b)[;:\"]|;charset=|data:")
_ESCAPES = re.compile(r"\\([nN,;:\\])")


def read(document: Document, budget: Budget) -> Pieces:
    """A line for each property, its parameters with it, and the attachments."""
    data, declared = bytes(document.data), document.charset
    if (encoding := detect(data)) and encoding.startswith(("utf-16", "utf-32")):
        data, declared = decode(data, encoding).encode("utf-8", "replace"), "utf-8"
    quoted = b"QUOTED-PRINTABLE" in data.upper()
    unfolded = _FOLD.sub(b"", _SOFT.sub(b"", data) if quoted else data)
    attached: list[Document] = []
    encodings = charsets(unfolded, declared)
    special = _SPECIAL.search(unfolded)
    lines = _lines(document, unfolded, encodings[0], attached, budget) if special else _plain(unfolded, encodings)
    yield from document.parts(lines, start=True)
    yield from attached


def _plain(data: bytes, encodings: tuple[str | None, ...]) -> Iterator[str]:
    """The lines where none is encoded in a way of its own, in each reading."""
    for charset in encodings:
        yield _ESCAPES.sub(_unescaped, decode(data, charset))


def _lines(document: Document, data: bytes, charset: str | None, attached: list[Document], budget: Budget) -> Iterator[str]:
    """The text of each line; the binary values go to `attached`."""
    for match in _LINE.finditer(data):
        budget.tick()
        line = match.group()
        name = _NAME.match(line)
        head, value = (name.group(), line[name.end() :]) if name else (b"", line)
        encoding = _ENCODING.search(head)
        declared = _CHARSET.search(head)
        named = declared.group(1).decode("latin-1") if declared else charset
        inline = _DATA_URI.match(value)
        if inline or (encoding and not encoding.group(1).lower().startswith(b"q")):
            content = unbase64(value[inline.end() if inline else 0 :]).content
            attached.append(_attachment(document, head, content, len(attached) + 1))
            value = b""
        elif encoding:
            value = quopri.decodestring(value)
        yield decode(head, charset) + _ESCAPES.sub(_unescaped, decode(value, named)) + "\n"


def _unescaped(match: re.Match[str]) -> str:
    return "\n" if match.group(1) in "nN" else match.group(1)


def _attachment(document: Document, head: bytes, content: bytes, number: int) -> Document:
    named = _NAMED.search(head)
    label = f"{decode(re.split(b'[;:]', head)[0], None).lower()} {number}"
    return document.nested(content, name=decode(named.group(1), None) if named else None, label=label)


FORMAT = Format(name="vcard", media_types=("text/vcard", "text/calendar", "text/x-vcard", "text/x-vcalendar"), read=read)
