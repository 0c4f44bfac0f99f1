"""The data of one member of a ZIP: decompressed by the method its header names, checked, decrypted with a known password."""

import bz2
import hashlib
import hmac
import lzma
import struct
import zlib
from collections.abc import Callable

import numpy as np
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from dlp.extract.budget import CHUNK, Budget, Readable, Unreadable
from dlp.extract.expand import Decompressor, Inflater, Stored, Streams
from dlp.extract.unarchive import Unarchiver
from dlp.extract.zip_entries import AES, DESCRIPTOR, LOCAL, Header, aes
from dlp.model import Why

STORED, DEFLATED, BZIPPED, LZMA, XZ = 0, 8, 12, 14, 95
ZSTD = (20, 93)
PPMD = 98
_ERRORS = (zlib.error, lzma.LZMAError, OSError, EOFError, ValueError, struct.error)
_VERIFIER, _MAC = 2, 10
"""Bytes that tell a wrong password, and that end the data (WinZip, AE-1 and AE-2, 3)."""
_ITERATIONS = 1000
_TRAD_HEADER = 12
_END = b"PK\x05\x06" + bytes(18)
"""The end record of a directory without entries (APPNOTE 4.3.16)."""


class Checked:
    """A member's data; at its end the size and the checksum that its header states are compared."""

    def __init__(self, inner: Readable, header: Header, *, method: int, checksum: bool = True) -> None:
        self._inner = inner
        # A header whose sizes follow the data states none (APPNOTE 4.3.9).
        self._stated = not (header.flags & DESCRIPTOR and header.crc == 0 and header.size == 0)
        self._header = header
        self._ends = method == LZMA and self._stated  # the stream itself need not say where it ends (APPNOTE 5.8.9)
        self._checksum = checksum
        self._crc = 0
        self._size = 0

    def read(self, size: int, /) -> bytes:
        """Raises Unreadable(corrupt)."""
        if self._ends and self._size >= self._header.size:
            return b""
        chunk = self._inner.read(size)
        self._size += len(chunk)
        self._crc = zlib.crc32(chunk, self._crc)
        if not chunk and self._stated:
            if self._checksum and self._crc != self._header.crc:
                raise Unreadable(Why.CORRUPT, "the checksum is another")
            if self._size != self._header.size:
                raise Unreadable(Why.CORRUPT, "the size is not the one stated")
        return chunk


def packed(data: bytes | memoryview, header: Header) -> memoryview:
    """The bytes of a member. Where its header does not state how many (APPNOTE 4.3.9), those up to the next header, or all."""
    view = memoryview(data)
    if header.packed or not header.flags & DESCRIPTOR:
        return view[header.data : header.data + header.packed]
    if header.method == STORED and not header.encrypted and (following := LOCAL.search(data, header.data)):
        return view[header.data : following.start()]
    return view[header.data :]


def whole(content: bytes | memoryview, header: Header) -> bytes | None:
    """A small deflated member that is just as its header states; None for any other, of which `stream` tells the rest."""
    if header.method != DEFLATED or header.size > CHUNK:
        return None
    inner = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        expanded = inner.decompress(content, CHUNK)
    except zlib.error:
        return None
    right = inner.eof and len(expanded) == header.size and zlib.crc32(expanded) == header.crc
    return expanded if right else None


def stream(content: bytes | memoryview, method: int, budget: Budget) -> Readable:
    """`content` decompressed. Raises Unreadable(unsupported or corrupt)."""
    if method == STORED:
        return Stored(content)
    make = _DECOMPRESSORS.get(method)
    if make is None:
        raise Unreadable(Why.UNSUPPORTED, f"compression method {method}")
    try:
        decompressor, begins = make(content)
    except _ERRORS as error:
        raise Unreadable(Why.CORRUPT, f"a member cannot be read ({type(error).__name__})") from error
    return Streams(content[begins:], budget, start=lambda at: decompressor if at == 0 else None, errors=_ERRORS)


def _lzma(content: bytes | memoryview) -> tuple[Decompressor, int]:
    """APPNOTE 5.8.8: version, size of the properties, the properties as in the LZMA SDK."""
    length, properties, dictionary = struct.unpack_from("<2xHBL", content)
    rest, lc = divmod(properties, 9)
    pb, lp = divmod(rest, 5)
    filters = [{"id": lzma.FILTER_LZMA1, "dict_size": max(dictionary, 4096), "lc": lc, "lp": lp, "pb": pb}]
    return lzma.LZMADecompressor(lzma.FORMAT_RAW, filters=filters), 4 + length


_DECOMPRESSORS: dict[int, Callable[[bytes | memoryview], tuple[Decompressor, int]]] = {
    DEFLATED: lambda _: (Inflater(-zlib.MAX_WBITS), 0),
    BZIPPED: lambda _: (bz2.BZ2Decompressor(), 0),
    LZMA: _lzma,
    XZ: lambda _: (lzma.LZMADecompressor(lzma.FORMAT_XZ), 0),
}


def alone(data: bytes | memoryview, header: Header) -> bytes:
    """An archive of this member only, with a local header and no directory."""
    return _alone(header, packed(data, header), method=header.method, flags=header.flags & ~DESCRIPTOR & ~1)


def decrypted(data: bytes | memoryview, header: Header, password: str) -> tuple[bytes | memoryview, int] | None:
    """The packed content and its method, None if this is not the password."""
    content = packed(data, header)
    if header.method == AES:
        return _aes(content, header, password.encode())
    if not _trad_fits(content, header, password.encode()):
        return None
    # The library decrypts a thousand times faster than Python; it gets a stored member, so that it does nothing else.
    member = _alone(header, content, method=STORED, flags=1, size=len(content) - _TRAD_HEADER)
    try:
        with Unarchiver(member, formats=["zip_streamable"], options="zip:ignorecrc32", password=password) as archive:
            for _ in archive.entries():
                return b"".join(iter(lambda: archive.read(1 << 16), b"")), header.method
    except Unreadable:
        return None
    return None


def _alone(header: Header, content: memoryview, *, method: int, flags: int, size: int | None = None) -> bytes:
    name = header.name.encode("utf-8", "replace")[:4096]
    check = header.crc if not header.flags & DESCRIPTOR else (header.time >> 8) << 24
    stated = (check, len(content), header.size if size is None else size, len(name), 0)
    return b"".join((struct.pack("<4s5H3L2H", b"PK\3\4", 63, flags | 0x800, method, 0, 0, *stated), name, content, _END))


def _aes(content: memoryview, header: Header, password: bytes) -> tuple[bytes, int] | None:
    """WinZip's encryption: PBKDF2 with HMAC-SHA1, AES in counter mode with a little-endian counter from 1, a MAC at the end."""
    found = aes(header.extra)
    if found is None:
        return None
    _, strength, method = found
    salt, length = bytes(content[: 4 + 4 * strength]), 8 + 8 * strength
    keys = hashlib.pbkdf2_hmac("sha1", password, salt, _ITERATIONS, 2 * length + _VERIFIER)
    begins = len(salt) + _VERIFIER
    if content[len(salt) : begins] != keys[-_VERIFIER:]:
        return None
    cipher = content[begins : max(len(content) - _MAC, begins)]
    mac = hmac.new(keys[length : 2 * length], cipher, "sha1").digest()[:_MAC]
    if not hmac.compare_digest(mac, bytes(content[begins + len(cipher) :])):
        return None
    blocks = -(-len(cipher) // 16)
    counter = np.zeros((blocks, 2), dtype="<u8")
    counter[:, 0] = np.arange(1, blocks + 1)
    key = Cipher(algorithms.AES(keys[:length]), modes.ECB()).encryptor().update(counter.tobytes())  # noqa: S305 - a key stream
    plain = np.frombuffer(key, dtype=np.uint8)[: len(cipher)] ^ np.frombuffer(cipher, dtype=np.uint8)
    return plain.tobytes(), method


def _trad_fits(content: memoryview, header: Header, password: bytes) -> bool:
    """Whether the last byte of the encryption header is right (APPNOTE 6.1.6): 1 in 256 wrong passwords passes too."""
    if len(content) < _TRAD_HEADER:
        return False
    keys = 0x12345678, 0x23456789, 0x34567890
    for byte in password:
        keys = _updated(keys, byte)
    plain = 0
    for byte in bytes(content[:_TRAD_HEADER]):
        low = keys[2] & 0xFFFF | 2
        plain = byte ^ (low * (low ^ 1) >> 8) & 0xFF
        keys = _updated(keys, plain)
    return plain == (header.time >> 8 if header.flags & DESCRIPTOR else header.crc >> 24)


def _updated(keys: tuple[int, int, int], byte: int) -> tuple[int, int, int]:
    """APPNOTE 6.1.5."""
    first = _crc(keys[0], byte)
    second = ((keys[1] + (first & 0xFF)) * 134_775_813 + 1) & 0xFFFF_FFFF
    return first, second, _crc(keys[2], second >> 24)


def _crc(crc: int, byte: int) -> int:
    """One step of CRC-32 without its inversions."""
    return ~zlib.crc32(bytes((byte,)), ~crc & 0xFFFF_FFFF) & 0xFFFF_FFFF
