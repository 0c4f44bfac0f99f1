"""The coders of 7z that the standard library unpacks: Copy, LZMA, LZMA2, Deflate, BZip2, Delta, the branch filters; AES-256.

A filter alone, which the library does not offer, is given to it as the filter of an LZMA2 stream of uncompressed chunks.
"""

import bz2
import hashlib
import lzma
import struct
import zlib
from collections.abc import Callable
from typing import Protocol

import numpy as np
from cryptography.hazmat.primitives.ciphers import Cipher, CipherContext, algorithms, modes
from numpy.typing import NDArray

from dlp.extract.budget import Readable, Unreadable
from dlp.extract.expand import Inflater, Stored
from dlp.extract.seven_zip_header import Coder, Folder
from dlp.model import Why

_AES = b"\x06\xf1\x07\x01"
_LZMA, _LZMA2, _DELTA, _ARM64 = b"\x03\x01\x01", b"\x21", b"\x03", b"\x0a"
_BRANCHES = {
    b"\x04": lzma.FILTER_X86,
    b"\x05": lzma.FILTER_POWERPC,
    b"\x06": lzma.FILTER_IA64,
    b"\x07": lzma.FILTER_ARM,
    b"\x08": lzma.FILTER_ARMTHUMB,
    b"\x09": lzma.FILTER_SPARC,
    b"\x03\x03\x01\x03": lzma.FILTER_X86,
    b"\x03\x03\x02\x05": lzma.FILTER_POWERPC,
    b"\x03\x03\x04\x01": lzma.FILTER_IA64,
    b"\x03\x03\x05\x01": lzma.FILTER_ARM,
    b"\x03\x03\x07\x01": lzma.FILTER_ARMTHUMB,
    b"\x03\x03\x08\x05": lzma.FILTER_SPARC,
}
"""Methods.txt of the LZMA SDK."""
_ERRORS = (lzma.LZMAError, zlib.error, OSError, EOFError, ValueError)
_INPUT = 1 << 16
_MOST_CYCLES = 24
"""Rounds of key derivation that are computed, as a power of two; 7-Zip writes 19."""

Words = NDArray[np.uint32]
Key = Callable[[bytes], tuple[bytes, bytes] | None]
"""The AES key and the initial vector for the properties of a coder, None where no password is known."""


class Step(Protocol):
    """A decompressor that is fed, and says whether it wants more."""

    @property
    def eof(self) -> bool: ...
    @property
    def needs_input(self) -> bool: ...
    def decompress(self, data: bytes, max_length: int) -> bytes: ...


class Piped:
    """What `step` makes of what `inner` gives, `size` bytes of it."""

    def __init__(self, inner: Readable, step: Step, size: int, *, last: bytes = b"") -> None:
        self._inner = inner
        self._step = step
        self._left = size
        self._last: bytes | None = last

    def read(self, size: int, /) -> bytes:
        """Raises Unreadable(corrupt)."""
        while self._left and not self._step.eof:
            try:
                packed = self._input() if self._step.needs_input else b""
                chunk = self._step.decompress(packed, min(size, self._left))
            except _ERRORS as error:
                raise Unreadable(Why.CORRUPT, f"the compressed data is damaged ({type(error).__name__})") from error
            if chunk:
                self._left -= len(chunk)
                return chunk
        return b""

    def _input(self) -> bytes:
        packed = self._inner.read(_INPUT)
        if packed:
            return packed
        if not self._last:
            raise EOFError
        packed, self._last = self._last, None
        return packed


class Chunked:
    """What `inner` gives as an LZMA2 stream of uncompressed chunks, without its end."""

    def __init__(self, inner: Readable) -> None:
        self._inner = inner
        self._begun = False

    def read(self, size: int, /) -> bytes:
        chunk = self._inner.read(_INPUT)
        if not chunk:
            return b""
        control = 2 if self._begun else 1  # the first one resets the dictionary
        self._begun = True
        return struct.pack(">BH", control, len(chunk) - 1) + chunk


class _Decryption:
    """AES in blocks as they come."""

    eof = False

    def __init__(self, context: CipherContext) -> None:
        self._context = context
        self._plain = b""

    @property
    def needs_input(self) -> bool:
        return not self._plain

    def decompress(self, data: bytes, max_length: int) -> bytes:
        plain = self._plain + self._context.update(data)
        self._plain = plain[max_length:]
        return plain[:max_length]


class _Arm64:
    """The branch filter of ARM64, which the standard library lacks: the targets of BL and ADRP (xz 5.4, simple/arm64.c)."""

    eof = False

    def __init__(self) -> None:
        self._kept = b""
        self._out = b""
        self._place = 0

    @property
    def needs_input(self) -> bool:
        return not self._out

    def decompress(self, data: bytes, max_length: int) -> bytes:
        if data:
            self._out += self._converted(self._kept + data)
        out, self._out = self._out[:max_length], self._out[max_length:]
        return out

    def _converted(self, data: bytes) -> bytes:
        whole = len(data) // 4 * 4
        self._kept = data[whole:]
        words = np.frombuffer(data[:whole], dtype="<u4").copy()
        at = (self._place + 4 * np.arange(len(words), dtype=np.uint64)).astype(np.uint32)
        self._place += whole
        calls = words >> 26 == 0x25
        words[calls] = 0x9400_0000 | (words[calls] - (at[calls] >> 2)) & 0x03FF_FFFF
        return _pages(words, at).tobytes()


def _pages(words: Words, at: Words) -> Words:
    """ADRP with its page made relative; only pages within 512 MB were made absolute."""
    source = (words >> 29 & 3) | (words >> 3 & 0x1F_FFFC)
    near = (words & 0x9F00_0000 == 0x9000_0000) & ((source + 0x2_0000 & 0x1C_0000) == 0)
    moved = source - (at >> 12)
    made = (words & 0x9000_001F) | (moved & 3) << 29 | (moved & 0x3_FFFC) << 3 | (0 - (moved & 0x2_0000)) & 0xE0_0000
    return np.where(near, made, words).astype("<u4")


def encrypted(folder: Folder) -> bool:
    """Whether a password is needed."""
    return any(coder.method == _AES for coder in folder.coders)


def unpacked(folder: Folder, streams: list[memoryview], key: Key) -> Readable:
    """The content of a folder. Raises Unreadable(unsupported, encrypted or corrupt)."""
    content: Readable = Stored(streams[0]) if streams else Stored(b"")
    for index in _order(folder):
        content = _step(folder.coders[index], content, folder.sizes[index], key)
    return content


def derived(properties: bytes, password: str) -> tuple[bytes, bytes] | None:
    """The key and the initial vector: SHA-256 over salt, password in UTF-16 and a counter, 2 to the stated power times."""
    cycles, salt, vector = _parameters(properties)
    secret = salt + password.encode("utf-16-le", "replace")
    if cycles == 0x3F:
        return secret[:32].ljust(32, b"\0"), vector
    if cycles > _MOST_CYCLES:
        return None
    digest = hashlib.sha256()
    rounds = min(1 << cycles, 1 << 12)
    block = np.empty((rounds, len(secret) + 8), dtype=np.uint8)
    block[:, : len(secret)] = np.frombuffer(secret, dtype=np.uint8)
    for first in range(0, 1 << cycles, rounds):
        block[:, len(secret) :] = np.arange(first, first + rounds, dtype="<u8").view(np.uint8).reshape(rounds, 8)
        digest.update(block.data)
    return digest.digest(), vector


def _parameters(properties: bytes) -> tuple[int, bytes, bytes]:
    """The power of two of the rounds, the salt, the initial vector (7zAes.cpp of the LZMA SDK)."""
    if not properties:
        raise Unreadable(Why.CORRUPT, "the parameters of the encryption are damaged")
    first, second = properties[0], properties[1] if len(properties) > 1 else 0
    salted, vectored = first >> 7 & 1, first >> 6 & 1
    salt_size, vector_size = (salted + (second >> 4), vectored + (second & 0x0F)) if first & 0xC0 else (0, 0)
    salt = properties[2 : 2 + salt_size]
    return first & 0x3F, salt, properties[2 + salt_size :][:vector_size].ljust(16, b"\0")[:16]


def _order(folder: Folder) -> list[int]:
    """The coders from the packed stream to the content."""
    if any(coder.inputs != 1 or coder.outputs != 1 for coder in folder.coders) or len(folder.packed) != 1:
        raise Unreadable(Why.UNSUPPORTED, "a filter of several streams")
    feeds = {output: bound for bound, output in folder.binds}
    order = [folder.packed[0]]
    while (following := feeds.get(order[-1])) is not None and len(order) < len(folder.coders):
        order.append(following)
    if len(order) != len(folder.coders) or max(order) >= len(folder.coders) or len(folder.sizes) != len(order):
        raise Unreadable(Why.CORRUPT, "the list of members is damaged")
    return order


def _step(coder: Coder, inner: Readable, size: int, key: Key) -> Readable:
    method, properties = coder.method, coder.properties
    if method == b"\0":
        return inner
    if method == _AES:
        return _decryption(inner, properties, size, key)
    if method == _ARM64:
        return Piped(inner, _Arm64(), size, last=b"\0\0\0")
    if method == b"\x04\x01\x08":
        return Piped(inner, Inflater(-zlib.MAX_WBITS), size)
    if method == b"\x04\x02\x02":
        return Piped(inner, bz2.BZ2Decompressor(), size)
    try:
        return _lzma(method, properties, inner, size)
    except (lzma.LZMAError, ValueError, struct.error, IndexError) as error:
        raise Unreadable(Why.CORRUPT, "the parameters of a method are damaged") from error


def _lzma(method: bytes, properties: bytes, inner: Readable, size: int) -> Readable:
    """LZMA and LZMA2 with a dictionary no larger than the content; a filter alone."""
    most = min(max(size, 4096), 0xFFFF_FFFF)
    plain = {"id": lzma.FILTER_LZMA2, "dict_size": 1 << 16}
    if method == _LZMA:
        packed, dictionary = struct.unpack_from("<BL", properties)
        rest, lc = divmod(packed, 9)
        pb, lp = divmod(rest, 5)
        own = {"id": lzma.FILTER_LZMA1, "dict_size": min(max(dictionary, 4096), most), "lc": lc, "lp": lp, "pb": pb}
        return Piped(inner, lzma.LZMADecompressor(lzma.FORMAT_RAW, filters=[own]), size)
    if method == _LZMA2:
        power = properties[0] & 0x3F
        own = {"id": lzma.FILTER_LZMA2, "dict_size": min(2 | power & 1, 3) << min(power // 2 + 11, 30)}
        own["dict_size"] = min(own["dict_size"], most)
        return Piped(inner, lzma.LZMADecompressor(lzma.FORMAT_RAW, filters=[own]), size)
    if method == _DELTA:
        own = {"id": lzma.FILTER_DELTA, "dist": properties[0] + 1}
    elif method in _BRANCHES:
        own = {"id": _BRANCHES[method]}
    else:
        raise Unreadable(Why.UNSUPPORTED, f"compression method {method.hex()}")
    return Piped(Chunked(inner), lzma.LZMADecompressor(lzma.FORMAT_RAW, filters=[own, plain]), size, last=b"\0")


def _decryption(inner: Readable, properties: bytes, size: int, key: Key) -> Readable:
    found = key(properties)
    if found is None:
        raise Unreadable(Why.ENCRYPTED, "an encrypted member")
    secret, vector = found
    return Piped(inner, _Decryption(Cipher(algorithms.AES(secret), modes.CBC(vector)).decryptor()), size)
