"""What a format is: a name, the media types it reads, and the function that reads them."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from dlp.extract.budget import Budget
from dlp.extract.document import Document
from dlp.model import Part, Unscannable

Pieces = Iterator[Part | Unscannable | Document]


@dataclass(frozen=True, slots=True, kw_only=True)
class Format:
    """One format a file. `read` yields texts, places that could not be read, and documents inside, which the walk reads.

    `read` raises Unreadable where it cannot go on; the walk reports that and salvages. A media type that ends
    in "/*" stands for all of its kind that no other format names. A `risky` format hands content to a library
    in C: the walk says so before, so that a crash costs this document and not the item, and the process is not kept.
    `risky_with_ocr` is the same for one that does so only where there is an engine for text in pictures.
    """

    name: str
    media_types: tuple[str, ...]
    read: Callable[[Document, Budget], Pieces]
    risky: bool = False
    risky_with_ocr: bool = False
