"""What the engine is shown of an item, and the way back from a match to the place it stands.

A `TextView` joins the folded texts of many parts for one scan; a `RawView` is the bytes of one file.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import compress
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from dlp.detect.engine import Hit
from dlp.detect.normalise import Folded, fold
from dlp.model import Part, Raw, Zone

_BETWEEN = "\n\x00\n"
"""Between the parts: no folded text holds a NUL, so no rule can take the end of one and the start of the next for a phrase."""
_WINDOW = 4096
"""Bytes on either side of a match on raw bytes that are decoded for it."""

Numbers = NDArray[np.int64]
Origin = Callable[[int], int]
"""From an offset in a text that was decoded to the one where that stands encoded."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where one hit stands.

    `text[start:end]` is the match in the original, `folded[folded_start:folded_end]` in the folded text of the same
    part (or of the same window of bytes); `offset` counts from the beginning of the part.
    """

    part: Part
    text: str
    start: int
    end: int
    folded: str
    folded_start: int
    folded_end: int
    offset: int

    @property
    def match(self) -> str:
        """As it stands in the original."""
        return self.text[self.start : self.end]

    @property
    def folded_match(self) -> str:
        """As it compares."""
        return self.folded[self.folded_start : self.folded_end]


class View(Protocol):
    """Bytes for the engine, and places for its hits."""

    @property
    def data(self) -> bytes | memoryview: ...

    @property
    def starts(self) -> Numbers:
        """Where in the bytes each part begins."""

    def places(self, hits: Sequence[Hit]) -> Iterator[tuple[int, Place]]:
        """The index and the place of each hit, in order; a hit on nothing but what stands between two parts has none.

        Takes the hits of all rules at once: finding characters in UTF-8 reads the whole text."""


class TextView:
    """The folded texts of parts, added one by one, as one UTF-8 text."""

    def __init__(self) -> None:
        self._parts: list[Part] = []
        self._folded: list[Folded] = []
        self._origins: dict[int, Origin] = {}
        self._joined: bytes | None = None
        self._starts = np.zeros(1, dtype=np.int64)

    def __bool__(self) -> bool:
        return bool(self._parts)

    def add(self, part: Part, origin: Origin | None = None) -> None:
        """Fold `part` and keep it; not after `data` was asked for. `origin` is that of a decoded text."""
        self._parts.append(part)
        self._folded.append(fold(part.text))
        if origin is not None:
            self._origins[id(part)] = origin

    @property
    def length(self) -> int:
        """Characters of all parts, as they stand in the original."""
        return sum(len(part.text) for part in self._parts)

    def original(self, part: Part, offset: int) -> int:
        """Where in the item's own text that stands which is at `offset` of `part`."""
        origin = self._origins.get(id(part))
        return offset if origin is None else origin(offset)

    @property
    def folded(self) -> Sequence[tuple[Part, Folded]]:
        """The parts with their folded texts, in order."""
        return list(zip(self._parts, self._folded, strict=True))

    @property
    def parts(self) -> Sequence[Part]:
        """All that were added."""
        return self._parts

    @property
    def data(self) -> bytes:
        """All of it."""
        if self._joined is None:
            pieces = [folded.text.encode() for folded in self._folded]
            lengths = np.array([len(piece) + len(_BETWEEN) for piece in pieces], dtype=np.int64)
            self._joined, self._starts = _BETWEEN.encode().join(pieces), np.cumsum(lengths) - lengths
        return self._joined

    @property
    def starts(self) -> Numbers:
        """See View; after `data`."""
        return self._starts

    def places(self, hits: Sequence[Hit]) -> Iterator[tuple[int, Place]]:
        """See View. A match that runs into the next part ends with its own."""
        if not hits:
            return
        starts, ends = self._characters(hits)
        lengths = np.array([len(folded.text) + len(_BETWEEN) for folded in self._folded], dtype=np.int64)
        firsts = np.cumsum(lengths) - lengths
        owners = np.searchsorted(firsts, starts, side="right") - 1
        firsts = firsts[owners]
        spans = zip(owners.tolist(), (starts - firsts).tolist(), (ends - firsts).tolist(), strict=True)
        for index, (owner, start, end) in enumerate(spans):
            part, folded = self._parts[owner], self._folded[owner]
            end = min(end, len(folded.text))
            if start < end:
                first, last = folded.span(start, end)
                yield index, Place(part, part.text, first, last, folded.text, start, end, self.original(part, first))

    def _characters(self, hits: Sequence[Hit]) -> tuple[Numbers, Numbers]:
        """The hits' byte offsets as character offsets; one that splits a character takes the whole of it."""
        starts = np.array([hit.offset for hit in hits], dtype=np.int64)
        ends = starts + np.array([hit.length for hit in hits], dtype=np.int64)
        if self.data.isascii():
            return starts, ends
        counts = characters_before(self.data, np.concatenate((starts + 1, ends)))
        return counts[: starts.size] - 1, counts[starts.size :]


class RawView:
    """The bytes of one file."""

    def __init__(self, raw: Raw) -> None:
        self._bytes = memoryview(raw.data).cast("B")
        self._trail = raw.trail

    @property
    def data(self) -> memoryview:
        """All of it."""
        return self._bytes

    @property
    def starts(self) -> Numbers:
        """See View."""
        return np.zeros(1, dtype=np.int64)

    def places(self, hits: Sequence[Hit]) -> Iterator[tuple[int, Place]]:
        """See View. The text is Latin-1, a character a byte; what it compares as is read as UTF-8."""
        for index, hit in enumerate(hits):
            first, end = max(0, hit.offset - _WINDOW), hit.offset + hit.length
            window = bytes(self._bytes[first : end + _WINDOW])
            cut, stop = hit.offset - first, end - first
            before, match, after = (
                fold(piece.decode("utf-8", "replace")).text for piece in (window[:cut], window[cut:stop], window[stop:])
            )
            text = window.decode("latin-1")
            part = Part(text=text, trail=self._trail, zone=Zone.RAW)
            folded_end = len(before) + len(match)
            yield index, Place(part, text, cut, stop, before + match + after, len(before), folded_end, hit.offset)


def whole_numbers(data: bytes | memoryview, hits: Sequence[Hit]) -> tuple[Hit, ...]:
    """The hits that are not cut out of a longer run of ASCII digits."""
    text = np.pad(np.frombuffer(data, dtype=np.uint8), 1)  # so that the first and the last byte have neighbours
    digit = (text >= ord("0")) & (text <= ord("9"))
    starts = np.array([hit.offset for hit in hits], dtype=np.int64) + 1
    ends = starts + np.array([hit.length for hit in hits], dtype=np.int64)
    cut = (digit[starts] & digit[starts - 1]) | (digit[ends] & digit[ends - 1])
    return tuple(compress(hits, (~cut).tolist()))


def first_of_blocks(starts: Numbers, hits: Sequence[Hit], block: int) -> tuple[Hit, ...]:
    """Of hits in order of place, the first in each block of `block` bytes; blocks are counted from each part's beginning."""
    offsets = np.array([hit.offset for hit in hits], dtype=np.int64)
    parts = np.searchsorted(starts, offsets, side="right") - 1
    blocks = (offsets - starts[parts]) // block
    new = (np.diff(parts, prepend=-1) != 0) | (np.diff(blocks, prepend=-1) != 0)
    return tuple(compress(hits, new.tolist()))


_ONES = np.uint64(0x0101010101010101)


def characters_before(data: bytes, offsets: Numbers) -> Numbers:
    """How many characters of UTF-8 begin before each byte offset (0 to len(data)).

    Continuation bytes are 10xxxxxx (RFC 3629), -65 and less as signed numbers. The others are counted in words of eight
    bytes at once: times _ONES, the highest byte of a word is the sum of its bytes."""
    leads = np.zeros(len(data) // 8 * 8 + 8, dtype=np.bool_)
    np.greater(np.frombuffer(data, dtype=np.int8), -65, out=leads[: len(data)])
    counts = (leads.view(np.uint64) * _ONES) >> np.uint64(56)
    before = np.cumsum(counts, dtype=np.int64) - counts.astype(np.int64)
    word, rest = np.divmod(offsets, 8)
    inside = leads.reshape(-1, 8)[word] & (np.arange(8) < rest[:, np.newaxis])
    return np.asarray(before[word] + inside.sum(axis=1), dtype=np.int64)
