"""Opening encrypted Office documents ([MS-OFFCRYPTO]) with the passwords that are known.

msoffcrypto knows ECMA-376 standard and agile encryption, RC4 and RC4 CryptoAPI of Word, Excel and PowerPoint, and Excel's
XOR obfuscation. It is made to work in memory: a confined child has no file system.
"""

import io
import logging
import struct
from collections.abc import Callable
from importlib import import_module
from types import SimpleNamespace
from typing import Any
from xml.parsers.expat import ExpatError

import msoffcrypto
import msoffcrypto.format.doc97
import msoffcrypto.format.ooxml
import msoffcrypto.format.ppt97
import msoffcrypto.format.xls97
import structlog
from msoffcrypto import exceptions
from msoffcrypto.method.ecma376_agile import ECMA376Agile

from dlp.extract.budget import Budget, Exhausted, Unreadable
from dlp.extract.compound import Compound
from dlp.extract.passwords import TRIES
from dlp.extract.storage import packed

_log = structlog.get_logger()
DEFAULTS = ("VelvetSweatshop", "/01Hannes Ruescher/01")
"""What Excel ([MS-OFFCRYPTO] 2.4.2.3) and PowerPoint use for a document that is encrypted but opens without a question."""
_MOST_ROUNDS = 1_000_000
"""Rounds of the hash of one password that are gone through; Office writes 100,000, and the format allows 10,000,000."""
_ALL_ROUNDS = 4_000_000
"""Rounds spent on all passwords of one document, two to three seconds."""
_STANDARD_ROUNDS = 50_000
"""[MS-OFFCRYPTO] 2.3.4.7."""
_LARGEST_WORKBOOK = 16 << 20
"""Bytes of a workbook that is decrypted: msoffcrypto makes a Python integer of each byte."""
_ERRORS = (
    exceptions.FileFormatError,
    exceptions.ParseError,
    exceptions.DecryptionError,
    ExpatError,
    struct.error,
    OSError,
    ValueError,
    TypeError,
    LookupError,
    AttributeError,
    AssertionError,
    OverflowError,
    RecursionError,
    MemoryError,
)
"""What msoffcrypto, and olefile under it, raise for a wrong password, an unknown method and for damage."""

# Only what is written back into the file goes to temporary files, so a buffer does.
_IN_MEMORY = SimpleNamespace(TemporaryFile=io.BytesIO)
for _module in (msoffcrypto.format.doc97, msoffcrypto.format.ppt97, msoffcrypto.format.xls97):
    _module.tempfile = _IN_MEMORY
# Imported on first use otherwise, when a confined child opens no file any more.
for _name in ("xml.dom.expatbuilder", "cryptography.hazmat.backends.openssl.backend"):
    import_module(_name)
# Its debug messages quote passwords and keys.
logging.getLogger("msoffcrypto").setLevel(logging.CRITICAL)


def unlocked(data: bytes | memoryview, budget: Budget) -> bytes | None:
    """The document without its encryption; None where no known password or the default one opens it, or nothing can.

    An encrypted OOXML file gives its package, a binary one the compound file with its main streams in the clear.
    Raises what `Budget.spend` raises.
    """
    opened = _opened(data, budget) if len(data) <= budget.limits.part_bytes else None
    if opened is None:
        return None

    def attempt(password: str) -> bytes | None:
        budget.tick()
        return _attempt(opened, password)

    default = next((plain for word in DEFAULTS if (plain := attempt(word)) is not None), None)
    plain = default or budget.passwords.opened(attempt, tries=_tries(opened))
    if plain is not None:
        budget.spend(len(plain))
    return plain


def _opened(data: bytes | memoryview, budget: Budget) -> Any:
    """The library's view of an encrypted file; None where it has none, or where trying would cost too much."""
    try:
        opened = msoffcrypto.OfficeFile(io.BytesIO(_sound(data, budget)))
        if not opened.is_encrypted() or _rounds(opened) > _MOST_ROUNDS:
            return None
    except Exhausted:
        raise
    except (Unreadable, *_ERRORS):
        return None
    too_large = opened.format == "xls97" and len(data) > _LARGEST_WORKBOOK
    return None if too_large else opened


def _sound(data: bytes | memoryview, budget: Budget) -> bytes:
    """The same streams in a file without damage: olefile, when it writes, follows a chain that closes on itself for ever."""
    compound = Compound(data, budget)
    return packed({path: compound.read(path) for path, size in compound.streams.items() if size})


def _rounds(opened: Any) -> int:
    """How often a password is hashed."""
    if opened.format != "ooxml":
        return 1
    return int(opened.info["spinValue"]) if opened.type == "agile" else _STANDARD_ROUNDS


def _tries(opened: Any) -> int:
    return min(TRIES, _ALL_ROUNDS // max(_rounds(opened), 1))


def _attempt(opened: Any, password: str) -> bytes | None:
    plain = io.BytesIO()
    try:
        _key(opened)(password)
    except _ERRORS:
        return None
    try:
        opened.decrypt(plain)
    except _ERRORS as error:  # the password is right, and what is damaged may have been written all the same
        _log.info("an unlocked document is damaged", error=type(error).__name__)
    return plain.getvalue() or None


def _key(opened: Any) -> Callable[[str], None]:
    """How a password is verified and taken."""
    if opened.format != "ooxml":
        return lambda password: opened.load_key(password=password)
    if opened.type != "agile":
        return lambda password: opened.load_key(password=password, verify_password=True)

    def agile(password: str) -> None:
        # load_key goes through all rounds twice before it says no.
        info = opened.info
        verified = ECMA376Agile.verify_password(
            password,
            info["passwordSalt"],
            info["passwordHashAlgorithm"],
            info["encryptedVerifierHashInput"],
            info["encryptedVerifierHashValue"],
            info["spinValue"],
            info["passwordKeyBits"],
        )
        if not verified:
            raise exceptions.InvalidKeyError
        opened.load_key(password=password)

    return agile
