"""A tag at the front of a message's Subject, such as "[机密]". Pure: says which bytes become which, and changes nothing else.

The sender's own bytes stay as they are, behind the tag; a tag that is not ASCII is written as encoded words (RFC 2047).
Of several Subject fields the first is tagged, as mail programs show that one. A signature over the Subject (DKIM, RFC 6376)
made before does not hold afterwards.
"""

import base64
import re
from collections.abc import Iterator
from dataclasses import dataclass

from dlp.channels.smtp_syntax import subject

LEVEL = "{level}"
"""The one placeholder of a tag's pattern."""
LONGEST = 60
"""Characters of a pattern, and of the tag made of it: with `Subject: ` it fits on a line."""
_PATTERN = re.compile(r"(?:[^{}]|\{level\})+")
_FIELD = re.compile(rb"^subject[ \t]*:", re.IGNORECASE | re.MULTILINE)
_ENCODED = re.compile(rb"[ \t\r\n]*=\?")
_FOLDED = re.compile(rb"(?:[^\r\n]*(?:\r\n|\n)(?=[ \t]))*[^\r\n]*")
_LINE = 78
"""Characters of a line that should not be passed (RFC 5322 section 2.1.1)."""
_OCTETS = 39
"""Of UTF-8 in one encoded word, so that it stands on a line with the name of the field."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Edit:
    """`new` in place of the bytes from `start` up to `end`."""

    start: int
    end: int
    new: bytes


def fault(pattern: str) -> str | None:
    """What is wrong with the pattern of a tag, or None."""
    if not pattern.strip() or not pattern.isprintable():
        return "is empty, or has a character that cannot be printed"
    if len(pattern) > LONGEST:
        return f"is longer than {LONGEST} characters"
    if _PATTERN.fullmatch(pattern) is None:
        return "has a placeholder that is none"
    return None


def tag(pattern: str, name: str) -> str:
    """The tag for the level of this name, on one line."""
    printable = "".join(character if character.isprintable() else " " for character in pattern.replace(LEVEL, name))
    return " ".join(printable.split())[:LONGEST].rstrip()


def tagged(head: bytes, text: str) -> Edit | None:
    """What to change in the beginning of a message, lines ended by CRLF, so that its Subject begins with `text`.

    None where the Subject has it already. A message without the field gets one, on top.
    """
    section = head[: _section(head)]
    if (found := _FIELD.search(section)) is None:
        return Edit(start=0, end=0, new=b"Subject:" + tagged_value(b"", text) + b"\r\n")
    whole = _FOLDED.match(section, found.end())
    value = whole.group() if whole else b""
    new = tagged_value(value, text, name=found.group())
    return None if new == value else Edit(start=found.end(), end=found.end() + len(value), new=new)


def tagged_value(value: bytes, text: str, *, name: bytes = b"Subject:", newline: bytes = b"\r\n") -> bytes:
    """`value` (what stands behind the colon of the field `name`, folded or not) with the tag in front of it.

    The same bytes where the tag stands in it already. New folds are made with `newline`.
    """
    if " ".join(text.split()) in (subject(b"Subject:" + value.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")) or ""):
        return value
    blank = not value.strip()
    mark = (newline + b" ").join(_words(text, spaced=_ENCODED.match(value) is not None))
    if blank:
        return b" " + mark
    first = value.partition(b"\n")[0].rstrip(b"\r")
    room = _LINE - len((name + b" " + mark).rpartition(b"\n")[2])
    gap = b"" if value[:1] in (b" ", b"\t", b"\r", b"\n") else b" "
    fold = newline if first.strip() and len(gap + first) > room else b""
    return b" " + mark + fold + gap + value


def _section(head: bytes) -> int:
    """Where the header section ends, as far as it is in `head`."""
    if head.startswith(b"\r\n"):
        return 0
    end = head.find(b"\r\n\r\n")
    return end + 2 if end >= 0 else len(head)


def _words(text: str, *, spaced: bool) -> Iterator[bytes]:
    """`text` as a header holds it. Space between encoded words is not shown, so before another it stands inside (`spaced`)."""
    if text.isascii() and "=?" not in text:
        yield text.encode("ascii")
        return
    piece = b""
    for octets in (character.encode("utf-8", "replace") for character in text + " " * spaced):
        if len(piece) + len(octets) > _OCTETS:
            yield _encoded(piece)
            piece = b""
        piece += octets
    yield _encoded(piece)


def _encoded(octets: bytes) -> bytes:
    return b"=?utf-8?B?" + base64.b64encode(octets) + b"?="
