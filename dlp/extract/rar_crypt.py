"""How RAR archives are encrypted: AES-128 with a key from 262,144 rounds of SHA-1 (3 and 4), AES-256 with PBKDF2 (5)."""

import hashlib
import struct
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

_ROUNDS = 1 << 18
_BLOCK = _ROUNDS // 16
_KEYS = 16
"""Keys that are remembered: headers and members of one archive often share the salt."""
_MOST_POWER = 24
"""Of the rounds, as a power of two (technote.htm); WinRAR writes 15."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Encryption3:
    """Of version 3 and 4, which has nothing to tell a wrong password by: `fits` tries one."""

    salt: bytes
    version: int = 29
    fits: "Callable[[Encryption3, str], bool] | None" = None

    @property
    def known(self) -> bool:
        """Whether it is this encryption; before version 2.9 there were others."""
        return self.version >= 29

    @property
    def sure(self) -> bool:
        """Whether `check` tells."""
        return self.fits is not None

    def check(self, password: str) -> bool:
        return self.fits is None or self.fits(self, password)

    def decrypted(self, data: memoryview, password: str) -> bytes:
        return _cbc(*_old_key(password, self.salt), data)


@dataclass(frozen=True, slots=True, kw_only=True)
class Encryption5:
    """Of version 5: 2 to the `power` rounds; `check` tells a wrong password where there is one; `tweaked` checksums are keyed."""

    power: int
    salt: bytes
    vector: bytes
    check_value: bytes
    tweaked: bool

    @property
    def known(self) -> bool:
        """Whether a key may be computed."""
        return self.power <= _MOST_POWER

    @property
    def sure(self) -> bool:
        """Whether `check` tells."""
        return len(self.check_value) >= 8

    def check(self, password: str) -> bool:
        """Whether this is the password; True where nothing tells."""
        if not self.known:
            return False
        if not self.sure:
            return True
        folded = np.frombuffer(_new_key(password, self.salt, (1 << self.power) + 32), dtype=np.uint8).reshape(4, 8)
        return bool(np.bitwise_xor.reduce(folded).tobytes() == self.check_value[:8])

    def decrypted(self, data: memoryview, password: str, *, vector: bytes = b"") -> bytes:
        return _cbc(_new_key(password, self.salt, 1 << self.power), vector or self.vector, data)


Encryption = Encryption3 | Encryption5


def _cbc(key: bytes, vector: bytes, data: memoryview) -> bytes:
    """Whole blocks of `data` decrypted."""
    if len(vector) != 16:
        return b""
    return Cipher(algorithms.AES(key), modes.CBC(vector)).decryptor().update(data[: len(data) // 16 * 16])


@lru_cache(maxsize=_KEYS)
def _new_key(password: str, salt: bytes, rounds: int) -> bytes:
    return hashlib.pbkdf2_hmac("sha256", password.encode("utf-8", "replace"), salt, rounds)


@lru_cache(maxsize=_KEYS)
def _old_key(password: str, salt: bytes) -> tuple[bytes, bytes]:
    """The key is the digest over password, salt and a counter of 24 bits; of each 16th, a byte goes into the vector."""
    seed = password.encode("utf-16-le", "replace") + salt
    rows = np.empty((_BLOCK, len(seed) + 3), dtype=np.uint8)
    rows[:, : len(seed)] = np.frombuffer(seed, dtype=np.uint8)
    digest = hashlib.sha1()  # noqa: S324 - the format's choice
    vector = bytearray()
    for part in range(16):
        counter = np.arange(part * _BLOCK, (part + 1) * _BLOCK, dtype="<u4").view(np.uint8).reshape(_BLOCK, 4)
        rows[:, len(seed) :] = counter[:, :3]
        block = rows.tobytes()
        digest.update(block[: len(seed) + 3])
        vector.append(digest.copy().digest()[19])
        digest.update(block[len(seed) + 3 :])
    return struct.pack("<4L", *struct.unpack(">4L", digest.digest()[:16])), bytes(vector)
