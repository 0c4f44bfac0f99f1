"""Salvage: the runs of printable text in bytes that nobody could parse."""

import re
from collections.abc import Iterator

from dlp.extract.charset import everyday

WINDOW = 4 << 20
"""Bytes searched at a time; a run across two windows is found in two pieces that overlap."""
_LAP = 4096

_UTF8 = re.compile(
    rb"(?:[\t\x20-\x7e]{4,}|(?:[\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3}){2,})"
    rb"(?:[\t\x20-\x7e]|[\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3})*"
)
_GB18030 = re.compile(rb"(?:[\x20-\x7e]{0,8}[\xa1-\xa3\xb0-\xf7][\xa1-\xfe]){4,}[\x20-\x7e]{0,64}")
_LITTLE = re.compile(rb"(?:[\t\x20-\x7e]\x00|[\x00-\xff][\x4e-\x9f]|[\x00-\x1f]\x30|[\x01-\x5e]\xff){4,}")
_BIG = re.compile(rb"(?:\x00[\t\x20-\x7e]|[\x4e-\x9f][\x00-\xff]|\x30[\x00-\x1f]|\xff[\x01-\x5e]){4,}")
_SEARCHES = ((_UTF8, "utf-8"), (_GB18030, "gb18030"), (_LITTLE, "utf-16-le"), (_BIG, "utf-16-be"))


def strings(data: bytes | memoryview) -> Iterator[str]:
    """The runs found in UTF-8, GB 18030 and UTF-16 of both orders, a line each, encoding after encoding in every window."""
    for at in range(0, len(data), WINDOW):
        window = bytes(data[at : at + WINDOW + _LAP])
        for pattern, encoding in _SEARCHES:
            for run in pattern.finditer(window):
                text = run.group().decode(encoding, "ignore")
                if encoding == "utf-8" or text.isascii() or everyday(text):
                    yield text + "\n"
