"""Plain text in any encoding: prose, CSV, JSON, source code."""

import re
from collections.abc import Iterator

from dlp.extract.budget import Budget
from dlp.extract.charset import decode, detect, known
from dlp.extract.document import Document
from dlp.extract.format import Format, Pieces

PIECE = 1 << 20
"""Bytes decoded at a time; cut at line ends, so that no character is cut in two."""
_FIXED = {"utf-16": 4, "utf-16-le": 4, "utf-16-be": 4, "utf-32": 4, "utf-32-le": 4, "utf-32-be": 4}
_SEVEN_BIT = re.compile(rb"~\{|\x1b\$")


def read(document: Document, budget: Budget) -> Pieces:
    """The text, in pieces that overlap."""
    yield from document.parts(texts(document, budget), start=True)
    data = document.data
    if re.search(_SEVEN_BIT, data) and known(document.charset) is None:
        # What looks like HZ or ISO 2022 may be neither; its ASCII is read as it stands, too.
        yield from document.parts(bytes(data[at : at + PIECE]).decode("latin-1") for at in range(0, len(data), PIECE))


def texts(document: Document, budget: Budget) -> Iterator[str]:
    """The document decoded, in the declared charset or in the one found."""
    encoding = known(document.charset)
    if encoding is None or not fits(document.data, encoding):
        encoding = detect(bytes(document.data[:PIECE]))
    for piece in _pieces(document.data, encoding or "utf-8"):
        budget.tick()
        yield decode(piece, encoding)


def fits(data: bytes | memoryview, encoding: str) -> bool:
    """Whether the beginning of `data` is valid in a declared encoding: what is declared is often wrong."""
    head = bytes(data[:4096])
    try:
        head[: head.rfind(b"\n") + 1 or len(head)].decode(encoding)
    except (UnicodeError, ValueError):
        return False
    return True


def _pieces(data: bytes | memoryview, encoding: str) -> Iterator[bytes]:
    """Pieces that each decode by themselves; the byte order mark of the first says how to read the rest."""
    step = _FIXED.get(encoding)
    mark = bytes(data[: step or 0]) if encoding in ("utf-16", "utf-32") else b""
    mark = mark[:2] if encoding == "utf-16" else mark
    at = 0
    while at < len(data):
        piece = bytes(data[at : at + PIECE])
        if step is None and at + PIECE < len(data):
            piece = piece[: piece.rfind(b"\n") + 1 or len(piece)]
        yield mark + piece if at else piece
        at += len(piece)


FORMAT = Format(
    name="text",
    media_types=("text/*", "text/plain", "text/csv", "application/json"),
    read=read,
)
