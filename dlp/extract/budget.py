"""What one item may cost, counted while it is read. Reaching a limit is an Unscannable, never an exception outside this room."""

import time
from collections.abc import Callable, Container, Iterable, Iterator
from hashlib import blake2b
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from dlp.errors import ExtractError
from dlp.extract.passwords import Passwords
from dlp.model import Attachment, Limits, Why

CHUNK = 1 << 16
"""Bytes asked of a decompressor at a time."""
RATIO_FROM = 10 << 20
"""Expanded bytes below which the ratio is not asked: a small table of zeros may exceed it."""
DEADLINE = 0.7
"""Share of the item's seconds that extraction may use; the rest is detection's, before the parent kills the child."""


class Unreadable(ExtractError):
    """This document, or the rest of it, cannot be read; the walk goes on beside it. `detail` holds no content."""

    def __init__(self, why: Why, detail: str = "") -> None:
        self.why = why
        self.detail = detail
        super().__init__(f"{why}: {detail}")


class Exhausted(Unreadable):
    """The item as a whole has used up its budget: the walk ends, what was read before is kept."""


class Readable(Protocol):
    """A binary stream; `read(n)` returns at most n bytes, b"" at the end."""

    def read(self, size: int, /) -> bytes: ...


class Ocr(Protocol):
    """Reads the text in a picture."""

    def text(self, pixels: NDArray[np.uint8]) -> str:
        """The lines found in `pixels` (height, width, 3; RGB), each ended by a newline; "" where there are none."""
        ...


class Budget:
    """One item's account of expanded bytes, members and seconds; one for each walk, with what the walk may use.

    `passwords` are tried on what is encrypted. `ocr` reads pictures; without it they are only counted in `pictures`.
    `entering` is told the number of each document that a risky format is about to read; those in `avoid`, whose
    reader has crashed before, are not read but salvaged. `attachments` are those met in the message that the item is.
    """

    def __init__(
        self,
        limits: Limits,
        *,
        clock: Callable[[], float] = time.monotonic,
        passwords: Iterable[str] = (),
        ocr: Ocr | None = None,
        entering: Callable[[int], None] | None = None,
        avoid: Container[int] = (),
    ) -> None:
        self.limits = limits
        self.passwords = Passwords(passwords)
        self.ocr = ocr
        self.pictures = 0
        self.attachments: list[Attachment] = []
        self._entering = entering
        self._avoid = avoid
        self._documents = 0
        self._clock = clock
        self._deadline = clock() + DEADLINE * limits.seconds
        self._expanded = 0
        self._members = 0
        self._seen: set[bytes] = set()

    def tick(self) -> None:
        """Raises Exhausted(timeout) past the deadline; asked wherever a loop runs as long as content wants."""
        if self._clock() > self._deadline:
            raise Exhausted(Why.TIMEOUT, "time for reading is used up")

    def spend(self, size: int) -> None:
        """Account for `size` bytes that came out of a container. Raises Exhausted(too-large or timeout)."""
        self._expanded += size
        if self._expanded > self.limits.expanded_bytes:
            raise Exhausted(Why.TOO_LARGE, "the item expands beyond its limit")
        self.tick()

    def admit(self) -> None:
        """Account for one member. Raises Exhausted(too-many)."""
        self._members += 1
        if self._members > self.limits.members:
            raise Exhausted(Why.TOO_MANY, "the item has more members than its limit")

    def number(self) -> int:
        """The number of the next document of this walk, from 1; the same for the same item read again."""
        self._documents += 1
        return self._documents

    def enter(self, document: int) -> None:
        """A risky format is about to read document number `document`. Raises Unreadable(crashed) if that failed before."""
        if document in self._avoid:
            raise Unreadable(Why.CRASHED, "the reader of this format crashed on it")
        if self._entering is not None:
            self._entering(document)

    def fresh(self, data: bytes | memoryview) -> bool:
        """Whether this content is met for the first time: repeated members and quines are read once."""
        digest = blake2b(data, digest_size=16).digest()
        known = digest in self._seen
        self._seen.add(digest)
        return not known

    def absurd(self, size: int, *, packed: int) -> bool:
        """Whether `packed` bytes expand to `size` only in a bomb."""
        return size > RATIO_FROM and size > self.limits.ratio * packed

    def chunks(self, stream: Readable, *, packed: int) -> Iterator[bytes]:
        """`stream` to its end; `packed` is its size before expansion, in bytes.

        Raises Unreadable(too-large) at the limit of one member or at an absurd ratio, and what `spend` raises.
        """
        size = 0
        while chunk := stream.read(CHUNK):
            size += len(chunk)
            if size > self.limits.part_bytes:
                raise Unreadable(Why.TOO_LARGE, "a member is larger than its limit")
            if self.absurd(size, packed=packed):
                raise Unreadable(Why.TOO_LARGE, "a member expands beyond any reasonable ratio")
            self.spend(len(chunk))
            yield chunk

    def take(self, stream: Readable, *, packed: int) -> tuple[bytes, Unreadable | None]:
        """All that can be read of `stream`, and what ended it early, if anything did."""
        kept: list[bytes] = []
        try:
            kept.extend(self.chunks(stream, packed=packed))
        except Exhausted:
            raise
        except Unreadable as end:
            return b"".join(kept), end
        return b"".join(kept), None


class Guarded:
    """A stream whose foreign exceptions become Unreadable(corrupt); RuntimeError is zipfile's word for a password."""

    def __init__(self, inner: Readable, errors: tuple[type[Exception], ...]) -> None:
        self._inner = inner
        self._errors = errors

    def read(self, size: int, /) -> bytes:
        try:
            return self._inner.read(size)
        except self._errors as error:
            raise Unreadable(Why.CORRUPT, f"the compressed data is damaged ({type(error).__name__})") from error
