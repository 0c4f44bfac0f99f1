"""Encrypted OpenDocument packages (ODF 1.3 part 2, section 3.4): what the manifest states, and opening with a password.

A start key is a digest of the password, a key is derived from it for every member. AES-CBC with PBKDF2 is what
LibreOffice writes up to 24.2 and the standard has, AES-GCM with Argon2id what it writes since, Blowfish what came before.
"""

import binascii
import hashlib
import re
import zlib
from base64 import b64decode
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from cryptography.exceptions import InvalidTag, UnsupportedAlgorithm
from cryptography.hazmat.decrepit.ciphers.algorithms import Blowfish
from cryptography.hazmat.primitives.ciphers import Cipher, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

from dlp.extract.markup import attributes, tags

_ITERATIONS = 1_000_000
_MEMORY = 1 << 18
"""KiB that Argon2id may use; LibreOffice writes 65,536."""
_WORK = 3_000_000
"""Iterations of PBKDF2 for one document, which take some seconds."""
_ARGON2_TRIES = 10
_CHECKED = 1024
"""Bytes of a member, still compressed, whose digest the manifest states."""
_KEY_SIZES = frozenset({16, 24, 32})
_NUMBER = re.compile(r"\d{1,9}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Encryption:
    """What the manifest says of one encrypted member. Names of algorithms are as written; sizes are in bytes."""

    algorithm: str = ""
    vector: bytes = b""
    derivation: str = ""
    salt: bytes = b""
    iterations: int = 0
    memory: int = 0
    lanes: int = 0
    key_size: int = 16
    start_key: str = ""
    digest: str = ""
    checksum: bytes = b""

    @property
    def tells(self) -> bool:
        """Whether a wrong password can be told from the right one, and the method costs what one may cost."""
        return self.tries > 0 and (bool(self.checksum) or "gcm" in self.algorithm.lower())

    @property
    def tries(self) -> int:
        """Passwords to try: as many as a document may cost, none where the cost of one is absurd."""
        if "argon2" in self.derivation.lower():
            return _ARGON2_TRIES if 8 <= self.memory <= _MEMORY and 1 <= self.iterations <= 10 and 1 <= self.lanes <= 16 else 0
        return min(_WORK // self.iterations, 200) if 0 < self.iterations <= _ITERATIONS else 0


def encryptions(manifest: str) -> dict[str, Encryption]:
    """The encrypted members by their names (ODF 1.3 part 2, sections 4.5 to 4.8)."""
    found: dict[str, Encryption] = {}
    path = ""
    stated: dict[str, str] = {}
    for tag in tags(manifest):
        given = {f"{tag.name} {name.rpartition(':')[2]}": value for name, value in attributes(tag.inside)}
        if tag.name == "file-entry" and tag.kind == "":
            path, stated = given.get("file-entry full-path", ""), {}
        stated |= given
        if tag.name == "encryption-data" and tag.kind == "/":
            found[path] = _encryption(stated)
    return found


def _encryption(stated: dict[str, str]) -> Encryption:
    return Encryption(
        algorithm=stated.get("algorithm algorithm-name", ""),
        vector=_bytes(stated.get("algorithm initialisation-vector", "")),
        derivation=stated.get("key-derivation key-derivation-name", ""),
        salt=_bytes(stated.get("key-derivation salt", "")),
        iterations=_number(stated.get("key-derivation iteration-count") or stated.get("key-derivation argon2-iterations", "")),
        memory=_number(stated.get("key-derivation argon2-memory", "")),
        lanes=_number(stated.get("key-derivation argon2-lanes", "")),
        key_size=_number(stated.get("key-derivation key-size", "16")),
        start_key=stated.get("start-key-generation start-key-generation-name", "SHA1"),
        digest=stated.get("encryption-data checksum-type", ""),
        checksum=_bytes(stated.get("encryption-data checksum", "")),
    )


def _bytes(text: str) -> bytes:
    try:
        return b64decode(text)
    except (binascii.Error, ValueError):
        return b""


def _number(text: str) -> int:
    return int(text) if _NUMBER.fullmatch(text) else 0


def opened(content: bytes, encryption: Encryption, password: str) -> bytes | None:
    """A member's content, still compressed unless it is a package; None if the password is not its own, or the method unknown.

    Raises nothing.
    """
    start = _digest(encryption.start_key)(password.encode("utf-8", "replace")).digest()
    try:
        plain = _decrypted(content, encryption, _key(start, encryption))
    except (ValueError, InvalidTag, UnsupportedAlgorithm, MemoryError):
        return None
    if encryption.checksum and not _fits(plain, encryption):
        return None
    return plain


def inflated(plain: bytes, limit: int) -> bytes:
    """The member behind its compression (RFC 1951), at most `limit` bytes and as far as it goes; stored content is itself."""
    inflate = zlib.decompressobj(-15)
    try:
        return inflate.decompress(plain, limit)
    except zlib.error:
        return plain


def _digest(name: str) -> Callable[[bytes], "hashlib._Hash"]:
    return hashlib.sha256 if "sha256" in name.lower().replace("-", "") else hashlib.sha1


def _key(start: bytes, encryption: Encryption) -> bytes:
    if "argon2" in encryption.derivation.lower():
        return Argon2id(
            salt=encryption.salt,
            length=encryption.key_size,
            iterations=encryption.iterations,
            lanes=encryption.lanes,
            memory_cost=encryption.memory,
        ).derive(start)
    if encryption.key_size not in _KEY_SIZES:
        raise ValueError("no size of a key")
    return hashlib.pbkdf2_hmac("sha1", start, encryption.salt, encryption.iterations, encryption.key_size)


def _decrypted(content: bytes, encryption: Encryption, key: bytes) -> bytes:
    """Raises ValueError or InvalidTag."""
    name = encryption.algorithm.lower()
    if "gcm" in name:
        # The vector stands before the content as well (XML Encryption 1.1, section 5.2.4).
        sealed = content.removeprefix(encryption.vector)
        return AESGCM(key).decrypt(encryption.vector, sealed, None)
    if "blowfish" in name:
        return _blowfish(content, key, encryption.vector)
    if "cbc" not in name:
        raise ValueError("an unknown method")
    decryptor = Cipher(AES(key), modes.CBC(encryption.vector)).decryptor()
    plain = decryptor.update(content[: len(content) // 16 * 16]) + decryptor.finalize()
    return plain[: -plain[-1]] if plain and 1 <= plain[-1] <= 16 else plain  # XML Encryption 1.1, section 5.2


def _blowfish(content: bytes, key: bytes, vector: bytes) -> bytes:
    """Cipher feedback of 64 bits, all blocks at once: each is combined with the one before it, encrypted."""
    if len(vector) != 8:
        raise ValueError("no vector")
    padded = content + bytes(-len(content) % 8)
    stream = Cipher(Blowfish(key), modes.ECB()).encryptor().update((vector + padded)[: len(padded)])  # noqa: S305 - the standard's
    mixed = np.frombuffer(padded, dtype=np.uint8) ^ np.frombuffer(stream, dtype=np.uint8)
    return mixed.tobytes()[: len(content)]


def _fits(plain: bytes, encryption: Encryption) -> bool:
    checked = plain[:_CHECKED] if "1k" in encryption.digest.lower() else plain
    return _digest(encryption.digest)(checked).digest() == encryption.checksum
