"""Keyed hashes of very many short texts at once, and the sealing of what is kept about them.

A hash is a pseudorandom function applied to a universal hash, which is a pseudorandom function again (Boneh and Shoup, A Graduate
Course in Applied Cryptography, section 7.3): who has not the key can tell nothing from it, not even by trying all numbers of
eleven digits. The universal hash is twice Lemire and Kaser's multilinear one, 44 bits each (Strongly Universal String Hashing is
Fast, The Computer Journal 57(11), 2014): a secret number, and each character times another one, summed modulo 2**64; of that the
upper bits. Both it and the AES-256 that follows, one block a text, go over arrays. A hash of its own for every candidate in a
text (BLAKE2, HMAC) would take some ten times as long, and a text has many candidates.
"""

import hashlib
import json
import os
from collections.abc import Mapping
from typing import Any

import numpy as np
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from numpy.typing import NDArray

from dlp.detect.squeeze import LONGEST, Cells, Codes, Numbers

Hashes = NDArray[np.uint64]

_UPPER = np.uint64(20)
"""Of 64 bits of a sum over characters of 21 bits, the upper 44 are universal."""
_NONCE = 12


class Texts:
    """Universal hashes of texts, which a `Keyed` makes into hashes of one table: `first` and `second` of 44 bits each."""

    def __init__(self, first: Hashes, second: Hashes, lengths: Hashes) -> None:
        self.low = (first >> _UPPER) | (second >> _UPPER << np.uint64(44))
        self.high = (second >> np.uint64(40)) | (lengths << np.uint64(32))

    def __len__(self) -> int:
        return len(self.low)


class Sums:
    """The universal hash of one key."""

    def __init__(self, key: bytes) -> None:
        drawn = np.frombuffer(hashlib.shake_256(b"dlp register sums 1" + key).digest(2 * (LONGEST + 1) * 8), dtype="<u8")
        self._start, self._secret = np.split(drawn.astype(np.uint64).reshape(LONGEST + 1, 2), [1])

    def spans(self, codes: Codes, starts: Numbers, length: int) -> Texts:
        """Of the texts of `length` (at most LONGEST) characters that begin in `codes` at `starts`."""
        return Texts(*self._sums(codes, starts, length), np.full(len(starts), length, dtype=np.uint64))

    def cells(self, cells: Cells) -> Texts:
        """Of cells, each by its whole length."""
        first, second = (np.zeros(len(cells), dtype=np.uint64) for _ in range(2))
        for length in np.flatnonzero(np.bincount(cells.lengths)).tolist():
            chosen = np.flatnonzero(cells.lengths == length)
            first[chosen], second[chosen] = self._sums(cells.codes, cells.starts[chosen], length)
        return Texts(first, second, cells.lengths.astype(np.uint64))

    def _sums(self, codes: Codes, starts: Numbers, length: int) -> tuple[Hashes, Hashes]:
        first, second = (np.full(len(starts), start, dtype=np.uint64) for start in self._start[0])
        for place in range(length):
            character = codes[starts + place].astype(np.uint64)
            first += character * self._secret[place, 0]
            second += character * self._secret[place, 1]
        return first, second


class Keyed:
    """The hashes of one table: the same text has another in every table and, by `tag` (0 to 255), in every column."""

    def __init__(self, key: bytes, table: str) -> None:
        own = hashlib.blake2b(table.encode(), key=key, digest_size=32, person=b"dlp table hash 1").digest()
        # A block cipher as a pseudorandom function of single blocks; nothing is encrypted with it.
        self._cipher = Cipher(algorithms.AES256(own), modes.ECB())  # noqa: S305

    def hashes(self, texts: Texts, tag: int) -> Hashes:
        """Of texts in the column `tag`."""
        return self._blocks(texts.low, texts.high | np.uint64(tag << 24))

    def masks(self, hashes: Hashes, tag: int) -> Hashes:
        """A number for each hash and `tag`, as secret as the key. No text has a block such as these: a length of 255."""
        return self._blocks(hashes, np.full(len(hashes), 255 << 32 | tag << 24, dtype=np.uint64))

    def _blocks(self, low: Hashes, high: Hashes) -> Hashes:
        blocks = np.empty((len(low), 2), dtype="<u8")
        blocks[:, 0], blocks[:, 1] = low, high
        sealed = self._cipher.encryptor().update(blocks.data.cast("B") if len(low) else b"")
        return np.frombuffer(sealed, dtype="<u8").reshape(-1, 2)[:, 0].astype(np.uint64)


def sealed(key: bytes, facts: Mapping[str, Any], name: str) -> str:
    """Facts as text that nobody reads without the key, and that opens under its own name only: AES-256-GCM (NIST SP 800-38D)
    with a random nonce of 12 bytes in front, in hex."""
    nonce = os.urandom(_NONCE)
    plain = json.dumps(dict(facts), ensure_ascii=False).encode()
    return (nonce + AESGCM(_sealing(key)).encrypt(nonce, plain, name.encode())).hex()


def unsealed(key: bytes, text: str, name: str) -> dict[str, Any]:
    """What `sealed` made. Raises ValueError where it was changed or the key is another."""
    data = bytes.fromhex(text)
    try:
        facts = json.loads(AESGCM(_sealing(key)).decrypt(data[:_NONCE], data[_NONCE:], name.encode()))
    except InvalidTag:
        raise ValueError("does not open: it was changed, or the key file is another") from None
    if not isinstance(facts, dict):
        raise ValueError("is not what is sealed here")
    return facts


def _sealing(key: bytes) -> bytes:
    return hashlib.blake2b(key=key, digest_size=32, person=b"dlp seal facts 1").digest()
