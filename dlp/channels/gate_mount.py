"""A file system mounted where nobody else can reach it, and paths on it that cannot lead elsewhere.

The new mount calls (fsopen(2), fsconfig(2), fsmount(2); Linux 5.2) give a mount that is attached to no tree: it has no
path, it is in no mount table, and it ends with the last descriptor of it. openat2(2) (Linux 5.6) walks below one folder.
glibc has wrappers for the former since 2.36 only, so both are called by number; these numbers are the same everywhere
but on alpha (the kernel's asm-generic/unistd.h).
"""

import ctypes
import errno
import os
import struct
from collections.abc import Mapping

_MOUNT_SETATTR_FLAGS = {"nosuid": 0x2, "nodev": 0x4, "noexec": 0x8, "noatime": 0x10}
_READ_ONLY = 0x1
_FSOPEN, _FSCONFIG, _FSMOUNT, _OPENAT2 = 430, 431, 432, 437
_FSOPEN_CLOEXEC = _FSMOUNT_CLOEXEC = 1
_SET_FLAG, _SET_STRING, _CREATE = 0, 1, 6
_DETACH = 2
"""MNT_DETACH of umount2(2)."""
_RESOLVE = 0x01 | 0x02 | 0x04 | 0x08
"""RESOLVE_NO_XDEV, NO_MAGICLINKS, NO_SYMLINKS, BENEATH."""

_libc = ctypes.CDLL(None, use_errno=True)
_libc.syscall.restype = ctypes.c_long


def detached(device: str, filesystem: str, options: Mapping[str, str | None], *, read_only: bool) -> int:
    """Mount the block device for this process alone: a descriptor (O_PATH) of its root. Options without a value are flags.
    Nothing on it is run, is a device or changes the user. Raises OSError: with what the file system says of it, if it does."""
    context = _call(_FSOPEN, _text(filesystem), _FSOPEN_CLOEXEC)
    try:
        try:
            _string(context, "source", device)
            for name, value in options.items():
                _flag(context, name) if value is None else _string(context, name, value)
            if read_only:
                _flag(context, "ro")
            _call(_FSCONFIG, context, _CREATE, None, None, 0)
            flags = sum(_MOUNT_SETATTR_FLAGS.values()) | (_READ_ONLY if read_only else 0)
            return _call(_FSMOUNT, context, _FSMOUNT_CLOEXEC, flags)
        except OSError as error:
            raise OSError(error.errno, _said(context) or os.strerror(error.errno or 0)) from error
    finally:
        os.close(context)


def beneath(root: int, path: str, flags: int, mode: int = 0) -> int:
    """Open `path` below the folder `root`, by way of no symbolic link, ".." or other mount. Raises OSError: ELOOP, EXDEV."""
    how = struct.pack("=QQQ", flags | os.O_CLOEXEC, mode, _RESOLVE)
    return _call(_OPENAT2, root, os.fsencode(path), ctypes.c_char_p(how), len(how))


def unmount(point: str) -> None:
    """Take the topmost mount at `point` away at once, whoever uses it. Raises OSError: EINVAL where there is none."""
    if _libc.umount2(os.fsencode(point), _DETACH):
        raise _error()


def kernel_lacks() -> str:
    """What this kernel does not have of all this, or ""."""
    try:
        _call(_FSOPEN, None, 0)
    except OSError as error:
        return "fsopen(2), of Linux 5.2" if error.errno == errno.ENOSYS else ""
    return ""


def _string(context: int, name: str, value: str) -> None:
    _call(_FSCONFIG, context, _SET_STRING, _text(name), _text(value), 0)


def _flag(context: int, name: str) -> None:
    _call(_FSCONFIG, context, _SET_FLAG, _text(name), None, 0)


def _text(word: str) -> ctypes.c_char_p:
    return ctypes.c_char_p(os.fsencode(word))


def _said(context: int) -> str:
    """The messages of the file system itself, which wait in the context (fsopen(2)); each read(2) gives one."""
    words = []
    while True:
        try:
            words.append(os.read(context, 4096).decode("utf-8", "replace").strip())
        except OSError:
            return "; ".join(words)


def _call(number: int, *arguments: object) -> int:
    result: int = _libc.syscall(ctypes.c_long(number), *(_long(one) for one in arguments))
    if result < 0:
        raise _error()
    return result


def _long(argument: object) -> object:
    """Variadic arguments are as wide as registers."""
    return ctypes.c_long(argument) if isinstance(argument, int) else argument


def _error() -> OSError:
    number = ctypes.get_errno()
    return OSError(number, os.strerror(number))
