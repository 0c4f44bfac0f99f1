"""How the tests of this room read a document."""

import os
from collections.abc import Sequence

from dlp.extract.budget import Budget
from dlp.extract.document import Document
from dlp.extract.format import Format
from dlp.extract.walk import Piece, walk
from dlp.model import Limits, Part, Unscannable, Why, Zone

Found = list[Part | Unscannable | Document]
"""What a format's reader yields."""


def read(data: bytes, name: str | None = None, *, media: str | None = None, limits: Limits | None = None) -> list[Piece]:
    """Everything the walk yields."""
    return list(walk(Document(data=memoryview(data), name=name, media=media), Budget(limits or Limits())))


def text(pieces: Sequence[Piece], zone: Zone | None = None, trail: tuple[str, ...] | None = None) -> str:
    """The joined texts, of one zone or place if given."""
    parts = (piece for piece in pieces if isinstance(piece, Part))
    return "\n".join(part.text for part in parts if zone in (None, part.zone) and trail in (None, part.trail))


def parts(pieces: Sequence[Piece], zone: Zone = Zone.BODY) -> list[Part]:
    """The parts of one zone."""
    return [piece for piece in pieces if isinstance(piece, Part) and piece.zone is zone]


def unread(pieces: Sequence[Piece]) -> list[tuple[Why, tuple[str, ...]]]:
    """Reason and place of everything that could not be read."""
    return [(piece.why, piece.trail) for piece in pieces if isinstance(piece, Unscannable)]


def alone(form: Format, data: bytes, *, limits: Limits | None = None, passwords: Sequence[str] = ()) -> Found:
    """What one format's reader yields, the documents inside unread."""
    return list(form.read(Document(data=memoryview(data)), Budget(limits or Limits(), passwords=passwords)))


def said(found: Found, zone: Zone | None = None) -> str:
    """The joined texts of what `alone` gave, of one zone if given."""
    return text([piece for piece in found if isinstance(piece, Part)], zone)


def body(found: Found) -> list[Part]:
    """The parts of the body."""
    return [piece for piece in found if isinstance(piece, Part) and piece.zone is Zone.BODY]


def inside(found: Found) -> list[Document]:
    """The documents inside."""
    return [piece for piece in found if isinstance(piece, Document)]


def why(found: Found) -> list[Why]:
    """The reasons of what could not be read."""
    return [piece.why for piece in found if isinstance(piece, Unscannable)]


def random_bytes(size: int) -> bytes:
    """Bytes that no compressor makes smaller."""
    return os.urandom(size)
