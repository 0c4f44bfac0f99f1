"""An empty Landlock ruleset: every right the running kernel knows is handled, and none is granted.

Source: landlock(7), linux/landlock.h and Documentation/userspace-api/landlock.rst of the kernel. The
ABI grows; a bit the kernel does not know is an error (EINVAL), so each is asked for only from its ABI on.
"""

import ctypes
import os

from dlp.workers.libc import syscall

# The same on every architecture: numbers from 424 on are shared.
_CREATE_RULESET = 444
_RESTRICT_SELF = 446
_VERSION = 1 << 0

_FS = ((1, (1 << 13) - 1), (2, 1 << 13), (3, 1 << 14), (5, 1 << 15))
"""ABI and the file-system rights it adds: the first thirteen, REFER, TRUNCATE, IOCTL_DEV."""
_TCP = ((4, 0b11),)
"""BIND_TCP and CONNECT_TCP."""
_SCOPES = ((6, 0b11),)
"""ABSTRACT_UNIX_SOCKET and SIGNAL: neither reaches outside the ruleset's own domain."""
_COMPLETE = 6
"""The lowest ABI at which nothing of the above is lacking."""


class _RulesetAttr(ctypes.Structure):
    _fields_ = (("fs", ctypes.c_uint64), ("net", ctypes.c_uint64), ("scoped", ctypes.c_uint64))


def abi() -> int:
    """The kernel's Landlock ABI, from 1. Raises OSError where it has none (ENOSYS) or has it off (EOPNOTSUPP)."""
    return syscall("landlock_create_ruleset", _CREATE_RULESET, None, 0, _VERSION)


def lacking(version: int) -> str:
    """What a kernel of ABI `version` cannot forbid, as words; "" where nothing is lacking."""
    if version >= _COMPLETE:
        return ""
    kinds = ((3, "truncation"), (4, "TCP"), (5, "device ioctls"), (6, "signals and abstract sockets"))
    return f"Landlock ABI {version} does not cover " + ", ".join(what for since, what in kinds if version < since)


def restrict(version: int) -> None:
    """Forbid this thread, and all it will fork, whatever ABI `version` can forbid. Needs NO_NEW_PRIVS. Raises OSError."""
    attr = _RulesetAttr(_bits(_FS, version), _bits(_TCP, version), _bits(_SCOPES, version))
    # Older kernels know a shorter structure and refuse one whose tail is not zero, which it then is.
    ruleset = syscall("landlock_create_ruleset", _CREATE_RULESET, ctypes.byref(attr), ctypes.sizeof(attr), 0)
    try:
        syscall("landlock_restrict_self", _RESTRICT_SELF, ruleset, 0)
    finally:
        os.close(ruleset)


def _bits(rights: tuple[tuple[int, int], ...], version: int) -> int:
    return sum(bits for since, bits in rights if version >= since)
