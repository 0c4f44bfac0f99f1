"""Folded text with nothing left but letters and digits, and where a cell of a table may stand in it.

What people put between the characters of a number, a name or an address changes from one document to the next: spaces, hyphens,
tabs, quotes, line ends. Squeezed, `138-0013 8000` and `13800138000` are one, in a table's cell as in a text. A cell begins and
ends in a text where a run of digits or of letters does; between characters of Chinese it may do so anywhere.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from operator import itemgetter

import numpy as np
from numpy.typing import NDArray

from dlp.detect.normalise import fold

LONGEST = 64
"""Squeezed characters by which a cell is known; what comes after them is not looked at."""
DIGIT, LETTER, HAN = 1, 2, 3
"""Kinds of characters; HAN stands for every script whose words are not divided by spaces (and for Hangul)."""
_IDEOGRAPHIC = 0x2E80
_MARK = "\x01"
"""Between cells that are folded together: folding leaves it, and what stands beside it, as they are."""

Numbers = NDArray[np.int64]
Codes = NDArray[np.uint8] | NDArray[np.uint32]

Shape = tuple[int, int, int]
"""Of a cell: squeezed characters (1 to LONGEST), digits and HAN among them."""


@dataclass(frozen=True, slots=True)
class Squeezed:
    """The characters that stay, their kinds, and the place of each in the folded text."""

    codes: Codes
    kinds: NDArray[np.uint8]
    places: Numbers

    @classmethod
    def of(cls, folded: str) -> "Squeezed":
        """Of a text that has been folded."""
        codes = _points(folded)
        kinds = _kinds().take(codes)
        places = np.flatnonzero(kinds)
        return cls(codes.take(places), kinds.take(places), places)

    def __len__(self) -> int:
        return len(self.codes)

    def edges(self) -> NDArray[np.bool_]:
        """For each place before, between and after the characters, whether a cell may begin or end there."""
        edges = np.ones(len(self) + 1, dtype=np.bool_)
        if len(self) > 1:
            before, after = self.kinds[:-1], self.kinds[1:]
            edges[1:-1] = (before != after) | (after == HAN) | (np.diff(self.places) > 1)
        return edges


class Shapes:
    """The shapes that cells have: which spans of a text are worth hashing. Raises ValueError for what is no shape."""

    def __init__(self, wanted: Iterable[Sequence[int]]) -> None:
        tables: dict[int, NDArray[np.bool_]] = {}
        for length, digits, han in wanted:
            if not 0 < length <= LONGEST or min(digits, han) < 0 or digits + han > length:
                raise ValueError("no shape of a cell")
            tables.setdefault(length, np.zeros((length + 1, length + 1), dtype=np.bool_))[digits, han] = True
        self._tables = sorted(tables.items(), key=itemgetter(0))
        """By length, which numbers of digits and of HAN there are."""

    def spans(self, text: Squeezed, within: NDArray[np.bool_] | None = None) -> Iterator[tuple[int, Numbers]]:
        """Every span that has one of the shapes, as a length and the places where spans of this length begin; only such as
        begin where `within` says so.

        A span holds no more separators than characters, and a few."""
        if not len(text) or not self._tables:
            return
        edges = text.edges()
        begins = edges[:-1] if within is None else edges[:-1] & within
        starts = np.flatnonzero(begins)
        plain = starts[text.kinds[starts] != HAN]
        digits, han = _counted(text.kinds == DIGIT), _counted(text.kinds == HAN)
        for length, table in self._tables:
            found = starts if table[:, 1:].any() else plain
            found = found[: np.searchsorted(found, len(text) - length, side="right")]
            if length < LONGEST:
                found = found[edges[found + length]]
            ends = found + length
            fits = table[digits[ends] - digits[found], han[ends] - han[found]]
            fits &= text.places[ends - 1] - text.places[found] < 2 * length + 8
            if fits.any():
                yield length, found[fits]


@dataclass(frozen=True, slots=True)
class Cells:
    """Cells folded and squeezed, one after another: `codes[starts[i] : starts[i] + lengths[i]]` is cell number i, cut off after
    LONGEST characters; `digits` and `han` are counted in what is left."""

    codes: Codes
    starts: Numbers
    lengths: Numbers
    digits: Numbers
    han: Numbers

    @classmethod
    def of(cls, texts: Sequence[str]) -> "Cells":
        """In one go, because folding one cell at a time would take twenty times as long."""
        joined = _MARK.join(texts)
        if joined.count(_MARK) != len(texts) - 1:
            joined = _MARK.join(text.replace(_MARK, " ") for text in texts)
        codes = _points(fold(joined).text)
        kinds = _kinds().take(codes)
        kept = np.flatnonzero(kinds)
        ends = np.append(np.searchsorted(kept, np.flatnonzero(codes == ord(_MARK))), len(kept))
        starts = np.concatenate(([0], ends[:-1]))
        lengths = np.minimum(ends - starts, LONGEST)
        codes, kinds, ends = codes.take(kept), kinds.take(kept), starts + lengths
        digits, han = (_counted(kinds == kind).astype(np.int64) for kind in (DIGIT, HAN))
        return cls(codes, starts, lengths, digits[ends] - digits[starts], han[ends] - han[starts])

    def __len__(self) -> int:
        return len(self.starts)

    def shapes(self, chosen: NDArray[np.bool_]) -> set[Shape]:
        """Those of the chosen cells."""
        side = LONGEST + 1
        coded = (self.lengths[chosen] * side + self.digits[chosen]) * side + self.han[chosen]
        return {(code // side**2, code // side % side, code % side) for code in np.flatnonzero(np.bincount(coded)).tolist()}


def prepare() -> None:
    """Build the table now (some 10 ms) rather than at the first text, so that forked children share it."""
    _kinds()


def _counted(marks: NDArray[np.bool_]) -> NDArray[np.int32]:
    """How many of `marks` are set before each place."""
    counts = np.zeros(len(marks) + 1, dtype=np.int32)
    np.cumsum(marks, out=counts[1:])
    return counts


def _points(text: str) -> Codes:
    if text.isascii():
        return np.frombuffer(text.encode("ascii"), dtype=np.uint8)
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype=np.uint32)


@cache
def _kinds() -> NDArray[np.uint8]:
    kinds = np.zeros(0x110000, dtype=np.uint8)
    kinds[:0x10000] = [LETTER if chr(code).isalnum() else 0 for code in range(0x10000)]
    kinds[0x10000:0x20000] = [LETTER if chr(code).isalnum() else 0 for code in range(0x10000, 0x20000)]
    kinds[0x20000:0x323B0] = HAN
    kinds[_IDEOGRAPHIC:0x10000][kinds[_IDEOGRAPHIC:0x10000] != 0] = HAN
    kinds[ord("0") : ord("9") + 1] = DIGIT
    return kinds
