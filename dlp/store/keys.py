"""The key file, and the keys derived from it.

The file holds one line, `dlp-key-1 ` and 32 random bytes in hex. Each use has a key of its own, by
HKDF-SHA-256 (RFC 5869) with its own info label, so that none tells anything of another. Who loses
the file loses what is in quarantine: it belongs in a backup apart from the state.
"""

import os
import stat
from dataclasses import dataclass, field
from pathlib import Path

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from dlp.errors import ConfigError
from dlp.store.files import PRIVATE_FILE, private_folder, sync_folder, translated, write_all

KEY_BYTES = 32
_MARK = "dlp-key-1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Keys:
    """`wrapping` seals the keys of originals, `audit` chains the audit log, `release` seals released messages,
    `register` keys the indexes of what is declared; `id` names the key file's content and tells nothing of it."""

    wrapping: bytes = field(repr=False)
    audit: bytes = field(repr=False)
    release: bytes = field(repr=False)
    register: bytes = field(repr=False)
    id: str

    @classmethod
    def derived(cls, master: bytes) -> "Keys":
        """The keys that follow from the file's 32 bytes."""
        return cls(
            wrapping=_derive(master, b"dlp quarantine wrapping key 1"),
            audit=_derive(master, b"dlp audit log key 1"),
            release=_derive(master, b"dlp release key 1"),
            register=_derive(master, b"dlp register key 1"),
            id=_derive(master, b"dlp key id 1")[:8].hex(),
        )


def open_keys(path: Path, *, needed: bool) -> Keys:
    """The keys of the file `path`, which is made where it is missing, unless it is `needed` to read what exists.

    Raises ConfigError where it is missing but needed, open to others, or no key file; StoreError
    where it cannot be read or made durable.
    """
    if not path.exists():
        if needed:
            remedy = "restore it from its backup; without it nothing in quarantine can be read"
            raise ConfigError.single(path, "", "the key file is missing, though there is content it protects", remedy)
        _create(path)
    return Keys.derived(_read(path))


def _derive(master: bytes, info: bytes) -> bytes:
    return HKDF(algorithm=SHA256(), length=KEY_BYTES, salt=None, info=info).derive(master)


def _create(path: Path) -> None:
    """Make the file whole or not at all.

    It is written under another name and linked: link(2) refuses an existing name as O_EXCL does,
    and neither a crash nor a second process that starts now can meet half a key.
    """
    private_folder(path.parent)
    draft = path.with_name(f".{path.name}.{os.urandom(8).hex()}")
    with translated("the key file was not made", path):
        try:
            _write(draft, f"{_MARK} {os.urandom(KEY_BYTES).hex()}\n".encode("ascii"))
            try:
                os.link(draft, path)
            except FileExistsError:
                return  # another process made it meanwhile
        finally:
            draft.unlink(missing_ok=True)
            sync_folder(path.parent)


def _write(path: Path, data: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, PRIVATE_FILE)
    try:
        os.fchmod(descriptor, PRIVATE_FILE)
        write_all(descriptor, data)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _read(path: Path) -> bytes:
    with translated("the key file was not read", path):
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            _refuse_open(path, os.fstat(descriptor))
            text = os.read(descriptor, 256)
        finally:
            os.close(descriptor)
    mark, _, digits = text.decode("ascii", "replace").strip().partition(" ")
    try:
        master = bytes.fromhex(digits)
    except ValueError:
        master = b""
    if mark != _MARK or len(master) != KEY_BYTES:
        raise ConfigError.single(path, "", "is not a key file of this version", "restore it from its backup")
    return master


def _refuse_open(path: Path, status: os.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise ConfigError.single(path, "", "the key file is not a regular file", "restore it from its backup")
    if status.st_mode & 0o077:
        what = f"the key file is open to others (mode {status.st_mode & 0o777:o})"
        raise ConfigError.single(path, "", what, f"chmod 600 {path}")
    owners = {0, os.geteuid()}
    if os.geteuid() == 0:  # an administrator's command on the state of the daemon's own user
        owners.add(path.parent.stat().st_uid)
    if status.st_uid not in owners:
        raise ConfigError.single(path, "", f"the key file belongs to another user (uid {status.st_uid})", f"chown it: {path}")
