"""Names we give to files in other people's folders, and renames that never overwrite.

Hidden name: `.dlp-<16 hex>~<name>`: a file on its way out, between its own name and removal. Found after a
crash it goes back to its own name. Notice: `<name>.dlp.txt`, then `<name>.dlp.2.txt` and so on.
"""

import ctypes
import errno
import hashlib
import os
import re
import secrets
from collections.abc import Iterator

NAME_MAX = 255
"""Bytes of a file name (limits.h, NAME_MAX of every local file system)."""
NOTICES = 9
"""Notice names that are tried before giving up."""

_HIDDEN = re.compile(r"\.dlp-[0-9a-f]{16}~(.+)", re.DOTALL)
_NOTICE = re.compile(r"\.dlp(\.[2-9])?\.txt\Z")
_RENAME_NOREPLACE = 1  # linux/fs.h
_FOREIGN = {errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP, errno.EPERM}

_libc = ctypes.CDLL(None, use_errno=True)


def hidden_name(name: str) -> str:
    """A name nobody else uses, from which `own_name` reads `name` again (its end is cut where it would grow too long)."""
    prefix = f".dlp-{secrets.token_hex(8)}~"
    return prefix + _cut(name, NAME_MAX - len(prefix))


def own_name(name: str) -> str | None:
    """The name a hidden file had, None for a name that is not hidden."""
    match = _HIDDEN.fullmatch(name)
    return match.group(1) if match else None


def notice_names(name: str) -> Iterator[str]:
    """Names for the notice in the place of `name`, first choice first."""
    for number in range(1, NOTICES + 1):
        suffix = ".dlp.txt" if number == 1 else f".dlp.{number}.txt"
        yield _cut(name, NAME_MAX - len(suffix)) + suffix


def is_notice_name(name: str) -> bool:
    """Whether a file of this name would be a notice. Says nothing of its content: it is inspected like any other."""
    return _NOTICE.search(name) is not None


def notice_text(text: str, incident: str) -> bytes:
    """The notice's content: `text` and a last line by which `is_our_notice` knows it untouched."""
    body = text.rstrip("\n") + "\n"
    return f"{body}\n[dlp {incident} {_digest(body)}]\n".encode()


def is_our_notice(content: bytes, incident: str) -> bool:
    """Whether this is the notice we wrote for `incident`, with nothing added or taken away."""
    try:
        body, _, last = content.decode("utf-8").removesuffix("\n").rpartition("\n\n")
    except UnicodeDecodeError:
        return False
    return last == f"[dlp {incident} {_digest(body + chr(10))}]"


def rename_new(source: str, target: str, *, folder: int) -> None:
    """Rename within the directory `folder`, never over anything. Raises FileExistsError, or OSError.

    renameat2(2) with RENAME_NOREPLACE; where the file system does not know it, link(2) and unlink(2).
    """
    if hasattr(_libc, "renameat2"):
        failed = _libc.renameat2(folder, os.fsencode(source), folder, os.fsencode(target), _RENAME_NOREPLACE)
        if not failed:
            return
        number = ctypes.get_errno()
        if number not in _FOREIGN:
            raise OSError(number, os.strerror(number))
    os.link(source, target, src_dir_fd=folder, dst_dir_fd=folder, follow_symlinks=False)
    os.unlink(source, dir_fd=folder)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()[:16]


def _cut(name: str, size: int) -> str:
    """`name` in at most `size` bytes, whole characters only."""
    while len(os.fsencode(name)) > size:
        name = name[:-1]
    return name
