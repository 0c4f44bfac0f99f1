"""Content sealed in chunks: AES-256-GCM in the STREAM construction.

AES-GCM is NIST SP 800-38D. STREAM is Hoang, Reyhanitabar, Rogaway and Vizár, "Online Authenticated-
Encryption and its Nonce-Reuse Misuse-Resistance", CRYPTO 2015, section 7: each chunk's nonce is a
random prefix, the chunk's number and a flag on the last, so that chunks cut off, swapped or put
elsewhere do not open. One key seals one content, once.

The layout, numbers big-endian:

    header   16 bytes   "DLPQ", version 1, chunk size (4 bytes), nonce prefix (7 bytes)
    chunk    its plaintext's length + 16 bytes of tag; all but the last are chunk-size long
    nonce    12 bytes   prefix (7), chunk number from 0 (4), 1 on the last chunk and 0 before (1)
    AAD      header, chunk number (8 bytes), the content's name: a chunk opens in its own file only

Empty content is one empty chunk.
"""

import os
import struct
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from dlp.errors import StoreError

CHUNK = 1 << 20
"""Bytes of plaintext in a chunk."""
_LARGEST = 16 << 20
"""A header that asks for larger chunks is refused before anything is read for it."""
_TAG = 16
_HEADER = struct.Struct(">4sBI7s")
_MAGIC, _VERSION = b"DLPQ", 1
_PREFIX = 7

Read = Callable[[int], bytes]
"""read(n): up to n bytes, fewer only at the end."""


def new_key() -> bytes:
    """A key for one content."""
    return AESGCM.generate_key(bit_length=256)


@dataclass(frozen=True, slots=True)
class _Chunks:
    """The cipher of one content."""

    cipher: AESGCM
    header: bytes
    name: bytes

    def seal(self, number: int, last: bool, data: bytes) -> bytes:
        return self.cipher.encrypt(self._nonce(number, last), data, self._bound(number))

    def open(self, number: int, last: bool, data: bytes) -> bytes:
        return self.cipher.decrypt(self._nonce(number, last), data, self._bound(number))

    def _nonce(self, number: int, last: bool) -> bytes:
        return self.header[-_PREFIX:] + struct.pack(">IB", number, last)

    def _bound(self, number: int) -> bytes:
        return self.header + struct.pack(">Q", number) + self.name


def seal(chunks: Iterable[bytes], key: bytes, name: str, *, size: int = CHUNK) -> Iterator[bytes]:
    """The sealed form of `chunks`, piece by piece; `name` must be given again to open it. `key` is used once only."""
    header = _HEADER.pack(_MAGIC, _VERSION, size, os.urandom(_PREFIX))
    cipher = _Chunks(AESGCM(key), header, name.encode("utf-8"))
    yield header
    for number, last, data in _numbered(_sized(chunks, size)):
        yield cipher.seal(number, last, data)


def unseal(read: Read, key: bytes, name: str) -> Iterator[bytes]:
    """The content back, chunk by chunk, each authenticated. Raises StoreError at the first that is not."""
    header = read(_HEADER.size)
    size = _chunk_size(header)
    cipher = _Chunks(AESGCM(key), header, name.encode("utf-8"))
    for number, last, data in _numbered(_pieces(read, size + _TAG)):
        try:
            yield cipher.open(number, last, data)
        except InvalidTag:
            raise StoreError(f"chunk {number} is not as it was sealed: changed, moved, cut off, or of another key") from None


def wrap(key: bytes, plain: bytes, name: str) -> bytes:
    """A small value sealed under the long-lived `key`: random nonce of 12 bytes, then AES-256-GCM with `name` bound in
    (SP 800-38D section 8.2.2; good for 2**32 values under one key)."""
    nonce = os.urandom(12)
    return nonce + AESGCM(key).encrypt(nonce, plain, name.encode("utf-8"))


def unwrap(key: bytes, sealed: bytes, name: str) -> bytes:
    """What `wrap` sealed. Raises StoreError."""
    try:
        return AESGCM(key).decrypt(sealed[:12], sealed[12:], name.encode("utf-8"))
    except (InvalidTag, ValueError):
        raise StoreError("its key does not open: the row was changed, or the key file is another") from None


def _chunk_size(header: bytes) -> int:
    """The chunk size a header names. Raises StoreError for what is no header."""
    if len(header) != _HEADER.size:
        raise StoreError("it is cut off within its header")
    magic, version, size, _prefix = _HEADER.unpack(header)
    if magic != _MAGIC or version != _VERSION or not 0 < size <= _LARGEST:
        raise StoreError("its header is not one of this version")
    return int(size)


def _numbered(pieces: Iterable[bytes]) -> Iterator[tuple[int, bool, bytes]]:
    """Each piece with its number and whether it is the last; nothing counts as one empty piece."""
    rest = iter(pieces)
    piece, number = next(rest, b""), 0
    for following in rest:
        yield number, False, piece
        piece, number = following, number + 1
    yield number, True, piece


def _sized(chunks: Iterable[bytes], size: int) -> Iterator[bytes]:
    """The same bytes in pieces of exactly `size`, the last one shorter."""
    pending = bytearray()
    for chunk in chunks:
        pending += chunk
        while len(pending) >= size:
            yield bytes(pending[:size])
            del pending[:size]
    if pending:
        yield bytes(pending)


def _pieces(read: Read, size: int) -> Iterator[bytes]:
    while piece := read(size):
        yield piece
