"""One document: bytes with a name, at a place inside the item."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import IO, cast

from dlp.extract.sniff import sniff
from dlp.extract.view import View
from dlp.model import Part, Trail, Unscannable, Why, Zone

LONGEST = 1 << 20
"""Characters of one Part at the most; a longer text is cut and the pieces overlap."""
OVERLAP = 4096
"""Characters repeated at the beginning of the next piece, longer than anything a signature spans."""


@dataclass(frozen=True, kw_only=True)
class Document:
    """Bytes to read. `media` is a media type somebody vouches for, `charset` a declared one: hints where content does not tell.

    `depth` counts the containers around it; a nested document is made by `nested`.
    """

    data: bytes | memoryview
    name: str | None = None
    media: str | None = None
    charset: str | None = None
    trail: Trail = ()
    depth: int = 0

    @cached_property
    def media_type(self) -> str:
        """The media type found in the content; the name breaks ties."""
        return sniff(self.data, name=self.name, media=self.media)

    def open(self) -> IO[bytes]:
        """A file over the content, for libraries that want one."""
        return cast(IO[bytes], View(self.data))

    def nested(
        self,
        data: bytes | memoryview,
        *,
        name: str | None,
        label: str = "",
        media: str | None = None,
        charset: str | None = None,
        trail: Trail = (),
    ) -> "Document":
        """A document inside this one: `trail` are the steps from this document to it, before its own name.

        `label` stands in the trail where it has no name.
        """
        place = (*self.trail, *trail, name or label)
        return Document(data=data, name=name, media=media, charset=charset, trail=place, depth=self.depth + 1)

    def parts(
        self,
        texts: Iterable[str],
        *,
        zone: Zone = Zone.BODY,
        trail: Trail = (),
        page: int | None = None,
        start: bool = False,
    ) -> Iterator[Part]:
        """The joined `texts` as Parts of at most LONGEST characters, overlapping; none for white space only."""
        place = (*self.trail, *trail)
        for text in overlapping(texts):
            if text and not text.isspace():
                yield Part(text=text, trail=place, zone=zone, page=page, start=start)
                start = False

    def unread(self, why: Why, detail: str = "", *, trail: Trail = ()) -> Unscannable:
        """A place in this document that could not be read."""
        return Unscannable(why=why, trail=(*self.trail, *trail), detail=detail)


def overlapping(texts: Iterable[str]) -> Iterator[str]:
    """The joined `texts` in pieces of at most LONGEST characters, each beginning with the end of the one before."""
    held: list[str] = []
    size = 0
    for text in texts:
        held.append(text)
        size += len(text)
        if size <= LONGEST:
            continue
        joined = "".join(held)
        at = 0
        while len(joined) - at > LONGEST:
            yield joined[at : at + LONGEST]
            at += LONGEST - OVERLAP
        held, size = [joined[at:]], len(joined) - at
    yield "".join(held)
