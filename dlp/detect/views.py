"""What the engine is shown of an item, and the way back from a match to the place it stands.

A `TextView` joins the folded texts of many parts for one scan; a `RawView` is the bytes of one file.
"""

from collections.abc import Iterator, Sequence
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

    def places(self, hits: Sequence[Hit]) -> Iterator[tuple[int, Place]]:
        """The index and the place of each hit, in order; a hit on nothing but what stands between two parts has none.

        Takes the hits of all rules at once: finding characters in UTF-8 reads the whole text."""


class TextView:
    """The folded texts of parts, added one by one, as one UTF-8 text."""

    def __init__(self) -> None:
        self._parts: list[Part] = []
        self._folded: list[Folded] = []
        self._joined: bytes | None = None

    def __bool__(self) -> bool:
        return bool(self._parts)

    def add(self, part: Part) -> None:
        """Fold `part` and keep it; not after `data` was asked for."""
        self._parts.append(part)
        self._folded.append(fold(part.text))

    @property
    def folded(self) -> Sequence[tuple[Part, Folded]]:
        """The parts with their folded texts, in order."""
        return list(zip(self._parts, self._folded, strict=True))

    @property
    def data(self) -> bytes:
        """All of it."""
        if self._joined is None:
            self._joined = _BETWEEN.join(folded.text for folded in self._folded).encode()
        return self._joined

    def places(self, hits: Sequence[Hit]) -> Iterator[tuple[int, Place]]:
        """See View. A match that runs into the next part ends with its own."""
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
                yield index, Place(part, part.text, first, last, folded.text, start, end, first)

    def _characters(self, hits: Sequence[Hit]) -> tuple[Numbers, Numbers]:
        """The hits' byte offsets as character offsets; one that splits a character takes the whole of it."""
        starts = np.array([hit.offset for hit in hits], dtype=np.int64)
        ends = starts + np.array([hit.length for hit in hits], dtype=np.int64)
        if self.data.isascii():
            return starts, ends
        return self._leads_before(starts + 1) - 1, self._leads_before(ends)

    def _leads_before(self, offsets: Numbers) -> Numbers:
        """How many characters begin before each byte offset (all > 0): UTF-8 continuation bytes are 10xxxxxx (RFC 3629)."""
        lead = (np.frombuffer(self.data, dtype=np.uint8) & 0xC0) != 0x80
        marks = np.unique(np.append(offsets, 0))
        inside = marks[marks < lead.size]
        counts = np.cumsum(np.add.reduceat(lead, inside, dtype=np.int64))
        before = np.concatenate(([0], counts))
        return np.asarray(before[np.searchsorted(marks, offsets)], dtype=np.int64)


class RawView:
    """The bytes of one file."""

    def __init__(self, raw: Raw) -> None:
        self._bytes = memoryview(raw.data).cast("B")
        self._trail = raw.trail

    @property
    def data(self) -> memoryview:
        """All of it."""
        return self._bytes

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
