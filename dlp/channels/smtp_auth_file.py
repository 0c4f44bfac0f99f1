"""Credentials in a file: `name:$scrypt$ln=14,r=8,p=5$salt$hash` a line, blank lines and `#` comments between.

The part after the colon is a PHC string, salt and hash in base64 without padding, as other tools write it
for scrypt (RFC 7914). Name and password are prepared by SASLprep. The file is read again when it has changed.
"""

import asyncio
import base64
import binascii
import fcntl
import hashlib
import hmac
import os
import re
import secrets
import stat
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import structlog

from dlp.channels.smtp_auth import Recent, Unchecked
from dlp.channels.smtp_sasl import Claim, Malformed, name, prepared
from dlp.errors import ConfigError, Fault

log = structlog.get_logger()

OTHERS = 0o077
AT_ONCE = 2
"""Passwords derived at the same time; each takes the memory its line asks for, LARGEST at the most."""
WAITING = 50
"""Claims that wait for that; those beyond are to be tried again later."""
SMALLEST, LARGEST = 1 << 20, 64 << 20
"""Bytes of memory (128 N r, RFC 7914 section 2) that a line may ask for."""
MOST_PASSES = 16
_SETTLED = 1.0
"""Seconds: a file written later than that before it was read may be written again without a newer time stamp."""

_VERIFIER = re.compile(r"\$scrypt\$ln=(\d{1,2}),r=(\d{1,3}),p=(\d{1,2})\$([A-Za-z0-9+/]{1,128})\$([A-Za-z0-9+/]{1,128})")
_Version = tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Verifier:
    """What a password is checked against. `ln` is the binary logarithm of scrypt's N."""

    ln: int = 14
    r: int = 8
    p: int = 5
    salt: bytes = field(repr=False)
    digest: bytes = field(repr=False)

    @classmethod
    def of(cls, password: bytes, *, ln: int = 14, r: int = 8, p: int = 5) -> "Verifier":
        """A new one. Raises Malformed for a password that SASLprep does not allow."""
        salt = secrets.token_bytes(16)
        digest = _scrypt(prepared(password).encode(), salt, ln=ln, r=r, p=p, length=32)
        return cls(ln=ln, r=r, p=p, salt=salt, digest=digest)

    @classmethod
    def parse(cls, text: str) -> "Verifier":
        """The inverse of `str`. Raises ValueError, whose text does not quote it."""
        found = _VERIFIER.fullmatch(text)
        if found is None:
            raise ValueError("is not name:$scrypt$ln=…,r=…,p=…$salt$hash")
        ln, r, p = int(found[1]), int(found[2]), int(found[3])
        if not SMALLEST <= 128 * r << ln <= LARGEST or not 1 <= p <= MOST_PASSES:
            raise ValueError(
                f"asks for less than {SMALLEST >> 20} or more than {LARGEST >> 20} MiB, or over {MOST_PASSES} passes"
            )
        salt, digest = (_unpadded(part) for part in found.group(4, 5))
        if len(salt) < 8 or not 16 <= len(digest) <= 64:
            raise ValueError("has a salt of less than 8 bytes, or a hash not of 16 to 64")
        return cls(ln=ln, r=r, p=p, salt=salt, digest=digest)

    def __str__(self) -> str:
        salt, digest = (base64.b64encode(part).decode().rstrip("=") for part in (self.salt, self.digest))
        return f"$scrypt$ln={self.ln},r={self.r},p={self.p}${salt}${digest}"

    def matches(self, password: bytes) -> bool:
        """Slowly, and in as much time for a wrong one."""
        found = _scrypt(password, self.salt, ln=self.ln, r=self.r, p=self.p, length=len(self.digest))
        return hmac.compare_digest(found, self.digest)


def _scrypt(password: bytes, salt: bytes, *, ln: int, r: int, p: int, length: int) -> bytes:
    # OpenSSL wants to be told that more than 32 MiB are meant; it takes a little beside 128 N r.
    return hashlib.scrypt(password, salt=salt, n=1 << ln, r=r, p=p, dklen=length, maxmem=2 * LARGEST)


def _unpadded(text: str) -> bytes:
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except binascii.Error:
        raise ValueError("is not in base64 after its parameters") from None


class FileCredentials:
    """The names of one file; implements smtp_auth.Credentials. The constructor reads it and raises ConfigError.

    A file that goes bad later lets nobody in, for a while (Unchecked): what it said before may be what was mended.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._turn = threading.Lock()
        self._slots = asyncio.Semaphore(AT_ONCE)
        self._waiting = 0
        self._recent = Recent()
        self._version: _Version | None = None
        self._verifiers: dict[str, Verifier] = {}
        self._decoy = _decoy({})
        self._read()

    async def holds(self, claim: Claim) -> bool:
        """See Credentials."""
        verifiers = await asyncio.to_thread(self._current)
        verifier = verifiers.get(claim.user)
        if verifier is not None and self._recent.knows(claim, verifier.digest):
            return True
        try:
            password = prepared(claim.password).encode()
        except Malformed:
            verifier, password = None, b""
        matches = await self._matches(verifier or self._decoy, password)
        if verifier is None or not matches:
            return False
        self._recent.keep(claim, verifier.digest)
        return True

    async def _matches(self, verifier: Verifier, password: bytes) -> bool:
        if self._waiting >= WAITING:
            raise Unchecked(f"{self._waiting} passwords wait to be checked; if that lasts, somebody is guessing")
        self._waiting += 1
        try:
            async with self._slots:
                return await asyncio.to_thread(verifier.matches, password)
        finally:
            self._waiting -= 1

    def _current(self) -> dict[str, Verifier]:
        """In a thread: the names as the file has them now. Raises Unchecked."""
        with self._turn:
            try:
                if self._version is None or _version(self._path.stat()) != self._version:
                    self._read()
            except ConfigError as error:
                raise Unchecked(str(error)) from error
            except OSError as error:
                raise Unchecked(f"{self._path} cannot be read: {error.strerror}; check it with `dlp check`") from error
            return self._verifiers

    def _read(self) -> None:
        self._version = None
        text, status = read(self._path)
        self._verifiers = parse(text, self._path)
        self._decoy = _decoy(self._verifiers)
        if time.time() - status.st_mtime > _SETTLED:
            self._version = _version(status)


def _version(status: os.stat_result) -> _Version:
    return status.st_mtime_ns, status.st_ctime_ns, status.st_ino, status.st_size


def _decoy(verifiers: dict[str, Verifier]) -> Verifier:
    """What a name that is not there is checked against: as costly as most that are."""
    costs = Counter((one.ln, one.r, one.p) for one in verifiers.values())
    if not costs:
        return Verifier(salt=secrets.token_bytes(16), digest=secrets.token_bytes(32))
    ln, r, p = costs.most_common(1)[0][0]
    return Verifier(ln=ln, r=r, p=p, salt=secrets.token_bytes(16), digest=secrets.token_bytes(32))


def read(path: Path) -> tuple[str, os.stat_result]:
    """The file's text and status, looked at by one descriptor. Raises ConfigError, also where others may read it."""
    try:
        with open(path, "rb") as file:
            status, octets = os.fstat(file.fileno()), file.read()
        text = octets.decode("utf-8")
    except FileNotFoundError:
        raise _fault(path, "no such file", "`dlp auth add NAME` makes it") from None
    except OSError as error:
        raise _fault(path, f"cannot be read: {error.strerror}", "give it to the agent's user, mode 0600") from error
    except UnicodeDecodeError as error:
        raise _fault(path, "is not UTF-8", "save it as UTF-8") from error
    if stat.S_IMODE(status.st_mode) & OTHERS:
        raise _fault(path, f"is open to others (mode {stat.S_IMODE(status.st_mode):o})", f"chmod 600 {path}")
    return text, status


def _fault(path: Path, what: str, remedy: str) -> ConfigError:
    return ConfigError.single(path, "mail.auth_file", what, remedy)


def parse(text: str, path: Path) -> dict[str, Verifier]:
    """The verifiers by name. Raises ConfigError with every line that is wrong, by its number only."""
    found: dict[str, Verifier] = {}
    faults: list[Fault] = []
    for number, line in enumerate(text.splitlines(), 1):
        if _is_entry(line):
            try:
                user, verifier = _entry(line)
                if user in found:
                    raise ValueError("names somebody a second time")
                found[user] = verifier
            except ValueError as error:
                faults.append(Fault(str(path), f"line {number}", str(error), "`dlp auth add NAME` writes such lines"))
    if faults:
        raise ConfigError(faults)
    return found


def _is_entry(line: str) -> bool:
    return bool(line.strip()) and not line.startswith("#")


def _entry(line: str) -> tuple[str, Verifier]:
    user, _, verifier = line.partition(":")
    return checked_name(user), Verifier.parse(verifier.strip())


def checked_name(user: str) -> str:
    """`user` if a line can have it: prepared, printable, without a colon or space at its ends. Raises ValueError."""
    try:
        fits = name(user.encode("utf-8", "surrogateescape")) == user
    except Malformed:
        fits = False
    if not fits or ":" in user or user != user.strip() or user.startswith("#"):
        raise ValueError("has a name that is empty, not in SASLprep's form (RFC 4013), or with a colon, or a space at its ends")
    return user


@contextmanager
def held(path: Path) -> Iterator[None]:
    """Nobody else who asks for this rewrites the file meanwhile. Raises OSError."""
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)


def rewritten(text: str, user: str, verifier: Verifier | None) -> str:
    """`text` with the line of `user` replaced, added at the end, or taken out; all other lines stay as they are."""
    lines = text.splitlines()
    new = [f"{user}:{verifier}"] if verifier is not None else []
    at = next((place for place, line in enumerate(lines) if _is_entry(line) and line.partition(":")[0] == user), len(lines))
    lines[at : at + 1] = new
    return "".join(f"{line}\n" for line in lines)


def replace_file(path: Path, text: str, *, owner: tuple[int, int]) -> None:
    """The whole file or the old one, whatever happens, mode 0600, and durable at return. Raises OSError."""
    draft = path.with_name(f".{path.name}.{secrets.token_hex(6)}")
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
    descriptor = os.open(draft, flags, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            os.fchmod(descriptor, 0o600)  # the umask may have taken some away
            if owner != (os.geteuid(), os.getegid()):
                os.fchown(descriptor, *owner)
            file.write(text.encode())
            file.flush()
            os.fsync(descriptor)
        os.rename(draft, path)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
