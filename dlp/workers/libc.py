"""The system calls Python does not wrap, through glibc by ctypes; a failure is an OSError that names the call."""

import ctypes
import os

_LIBC = ctypes.CDLL(None, use_errno=True)
_LIBC.syscall.restype = ctypes.c_long

# Numbers of prctl(2), from linux/prctl.h.
PR_SET_PDEATHSIG = 1
PR_SET_DUMPABLE = 4
PR_SET_NAME = 15
PR_SET_SECCOMP = 22
PR_CAPBSET_READ = 23
PR_CAPBSET_DROP = 24
PR_SET_NO_NEW_PRIVS = 38
PR_CAP_AMBIENT = 47


def prctl(option: int, *arguments: object) -> int:
    """prctl(2), unused arguments zero. Raises OSError."""
    given = [_word(one) for one in arguments]
    return _checked("prctl", _LIBC.prctl(option, *given, *[ctypes.c_ulong(0)] * (4 - len(given))))


def unshare(flags: int) -> None:
    """unshare(2); the standard library has it only from Python 3.12. Raises OSError."""
    _checked("unshare", _LIBC.unshare(flags))


def capget(header: object, data: object) -> None:
    """capget(2). Raises OSError."""
    _checked("capget", _LIBC.capget(header, data))


def capset(header: object, data: object) -> None:
    """capset(2). Raises OSError."""
    _checked("capset", _LIBC.capset(header, data))


def syscall(name: str, number: int, *arguments: object) -> int:
    """A call glibc has no function for; `name` is for the error's text. Raises OSError."""
    result: int = _LIBC.syscall(ctypes.c_long(number), *[_word(one) for one in arguments])
    return _checked(name, result)


def _word(value: object) -> object:
    """Variadic arguments are passed at the width of a register, or the upper half is undefined."""
    return ctypes.c_ulong(value & 0xFFFF_FFFF_FFFF_FFFF) if isinstance(value, int) else value


def _checked(name: str, result: int) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{name}: {os.strerror(number)}")
    return result
