"""Text as a set of keyed numbers, so that a part of it is known again and nothing of it can be read.

Of the folded text only letters, digits and Chinese characters count. Each run of GRAM of them is hashed (a rolling polynomial
modulo 2^64), and of every WINDOW hashes in a row the least is kept: winnowing (Schleimer, Wilkerson and Aiken, "Winnowing: Local
Algorithms for Document Fingerprinting", SIGMOD 2003), so any common run of GRAM + WINDOW - 1 characters has a fingerprint in
common. What is kept is encrypted (AES-128 by the register's key, the first 64 bits), so that nobody without the key can ask an
index whether a guessed text is in it.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import ECB
from numpy.typing import NDArray

GRAM = 12
WINDOW = 32
ASKED = 16
"""The window of a text that is looked up. What is least of WINDOW is least of fewer too, so nothing is lost by it; and what
stands in the index is found even where a hash that a changed character brought about is less."""
KEY_BYTES = 16

Hashes = NDArray[np.uint64]
Positions = NDArray[np.int64]
Codes = NDArray[np.uint32]

_MODULUS = 1 << 64
_BASE = 0x9E3779B97F4A7C15
_MIX = np.uint64(0xD6E8FEB86659FD93)
"""An odd number: a multiplication by it brings every bit to the upper ones, which decide what is least."""
_NO_ASCII = bytes(code for code in range(128) if not chr(code).isalnum())
_SETTLED = 1 << 17
"""Hashes after which they are encrypted and sifted."""
_PIECE = 1 << 14
"""Characters hashed at a time: what they take stays in the processor's cache."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Prints:
    """The fingerprints of a text in order, where each stands, counted in the characters that count (the first of its window),
    and how many of those there are."""

    hashes: Hashes
    positions: Positions
    characters: int


Sift = Callable[[Hashes], NDArray[np.intp]]
"""Which of these hashes to keep."""


class Press:
    """Takes a text piece by piece; pieces follow each other as if they were one text. With `sift` it keeps only what that
    chooses, so that a long text does not take much memory."""

    def __init__(self, key: bytes, window: int = WINDOW, sift: Sift | None = None) -> None:
        self._key = key[:KEY_BYTES]
        self._sift = sift
        self._window = window
        self._overlap = GRAM + window - 2
        self._waiting: list[Codes] = []
        self._size = 0
        self._before = 0
        self._last: int | None = None
        self._fresh: list[Hashes] = []
        self._fresh_positions: list[Positions] = []
        self._unsettled = 0
        self._hashes: list[Hashes] = []
        self._positions: list[Positions] = []
        self.characters = 0

    def feed(self, text: str) -> None:
        """`text` is folded. Its characters that count go on where the last text's ended."""
        for start in range(0, len(text), _PIECE):
            codes = counted(text[start : start + _PIECE])
            self._waiting.append(codes)
            self._size += codes.size
            self.characters += codes.size
            if self._size >= _PIECE:
                self._press()

    def finish(self) -> Prints:
        """Everything that was fed; not to be fed any more."""
        self._press()
        self._settle()
        return Prints(
            hashes=_all(self._hashes), positions=_all(self._positions).astype(np.int64, copy=False), characters=self.characters
        )

    def _press(self) -> None:
        codes = np.concatenate([np.empty(0, dtype=np.uint32), *self._waiting])
        if codes.size > self._overlap:
            least = winnowed(rolling(codes), self._window)
            fresh = np.empty(least.size, dtype=np.bool_)
            fresh[0] = self._last is None or int(least[0]) != self._last
            np.not_equal(least[1:], least[:-1], out=fresh[1:])
            places = np.flatnonzero(fresh)
            self._fresh.append(least[places])
            self._fresh_positions.append(places + self._before)
            self._unsettled += places.size
            self._last = int(least[-1])
            self._before += least.size
            codes = codes[-self._overlap :].copy()
        self._waiting, self._size = [codes], codes.size
        if self._unsettled >= _SETTLED:
            self._settle()

    def _settle(self) -> None:
        if self._fresh:
            hashes, positions = encrypted(_all(self._fresh), self._key), _all(self._fresh_positions)
            if self._sift is not None:
                chosen = self._sift(hashes)
                hashes, positions = hashes[chosen], positions[chosen]
            self._hashes.append(hashes)
            self._positions.append(positions)
        self._fresh, self._fresh_positions, self._unsettled = [], [], 0


def _all(arrays: Sequence[NDArray[Any]]) -> NDArray[Any]:
    """Them as one; of none an empty one."""
    return np.concatenate(arrays) if arrays else np.empty(0, dtype=np.uint64)


def counted(text: str) -> Codes:
    """The code points of the characters in `text` that count."""
    if text.isascii():
        return np.frombuffer(text.encode("ascii").translate(None, _NO_ASCII), dtype=np.uint8).astype(np.uint32)
    codes = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype=np.uint32)
    return codes[_counts().take(codes)]


def place_of(text: str, place: int) -> int:
    """Where in `text` its `place`-th character that counts stands; the end where there are fewer."""
    for start in range(0, len(text), _PIECE):
        codes = np.frombuffer(text[start : start + _PIECE].encode("utf-32-le", "surrogatepass"), dtype=np.uint32)
        standing = np.flatnonzero(_counts().take(codes))
        if place < standing.size:
            return start + int(standing[place])
        place -= standing.size
    return len(text)


@cache
def _counts() -> NDArray[np.bool_]:
    return np.fromiter((chr(code).isalnum() for code in range(0x110000)), dtype=np.bool_, count=0x110000)


def prepare() -> None:
    """Build the table now rather than at the first text, so that forked children share it."""
    _counts()
    _powers(2 * _PIECE + GRAM + WINDOW)


def rolling(codes: Codes) -> Hashes:
    """One hash for each run of GRAM characters; there are at least that many, and at most some two pieces.

    Of c0, c1 … it is the sum of c(i + j) B^j for j from 0 to GRAM - 1, modulo 2^64 and mixed: the difference of two sums over
    the whole, divided by B^i, which an odd B allows.
    """
    powers, inverses = _powers(2 * _PIECE + GRAM + WINDOW)
    sums = np.empty(codes.size + 1, dtype=np.uint64)
    sums[0] = 0
    np.multiply(codes, powers[: codes.size], out=sums[1:])
    np.cumsum(sums[1:], out=sums[1:])
    hashes = sums[GRAM:] - sums[:-GRAM]
    hashes *= inverses[: hashes.size]
    return hashes


@cache
def _powers(size: int) -> tuple[Hashes, Hashes]:
    """B^i, and B^-i times _MIX, for i below `size`."""
    powers = np.full(size, _BASE, dtype=np.uint64)
    inverses = np.full(size, pow(_BASE, -1, _MODULUS), dtype=np.uint64)
    powers[0], inverses[0] = 1, _MIX
    return np.cumprod(powers, dtype=np.uint64), np.cumprod(inverses, dtype=np.uint64)


def winnowed(hashes: Hashes, window: int) -> Hashes:
    """The least of every `window` hashes in a row, a power of two; there are at least that many."""
    span = 1
    while span < window:
        hashes = np.minimum(hashes[:-span], hashes[span:])
        span *= 2
    return hashes


def encrypted(hashes: Hashes, key: bytes) -> Hashes:
    """Each as a block of AES, cut to its first half: a function that nobody can compute, or turn back, without the key. One
    block at a time is what is wanted here: equal hashes have to stay equal."""
    blocks = np.zeros((hashes.size, 2), dtype="<u8")
    blocks[:, 0] = hashes
    encryptor: Any = Cipher(AES(key[:KEY_BYTES]), ECB()).encryptor()  # noqa: S305
    return np.frombuffer(encryptor.update(blocks.tobytes()), dtype="<u8")[::2].astype(np.uint64)


def of_texts(texts: Iterable[str], key: bytes) -> Prints:
    """The fingerprints of folded texts that follow each other."""
    press = Press(key)
    for text in texts:
        press.feed(text)
    return press.finish()


def packed(hashes: Hashes) -> bytes:
    """As bytes, eight each, little-endian."""
    return hashes.astype("<u8").tobytes()


def unpacked(data: bytes) -> Hashes:
    """What `packed` made. Raises ValueError for what it did not."""
    return np.frombuffer(data, dtype="<u8").astype(np.uint64)
