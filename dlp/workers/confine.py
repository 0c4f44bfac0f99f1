"""The layers that stand around inspection, each a small function, and the list of those this machine lacks.

The zygote calls `confine` once everything is loaded; each child then calls `confine_child`, which only
takes more away. A layer is *missing* when something it alone forbids stays possible, and *weaker* when
another layer forbids the same; the first stops a daemon that requires confinement, the second is told.
"""

import ctypes
import os
import pwd
import resource
import subprocess
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

import msgspec

from dlp.errors import WorkerError
from dlp.workers import landlock, libc, seccomp
from dlp.workers.libc import prctl

ACCOUNT = "dlp-worker"
"""The account a root daemon's workers run as, if it exists."""
_NOBODY = 65534
"""Else this id, which owns nothing (Documentation/admin-guide/sysctl/fs.rst, overflowuid)."""
_NEW_USER = 0x1000_0000
_NEW_NETWORK_AND_IPC = 0x4000_0000 | 0x0800_0000
"""CLONE_NEWUSER, CLONE_NEWNET and CLONE_NEWIPC of linux/sched.h."""
_CAP_SETUID = 7
_CAPABILITY_VERSION = 0x2008_0522
"""_LINUX_CAPABILITY_VERSION_3: two 32-bit sets (capget(2))."""
_DESCRIPTORS = 32
_FIRST_TO_DIE = 800
"""oom_score_adj of a worker (proc(5), -1000 to 1000): when memory runs out it goes before the daemon does."""


class Layers(msgspec.Struct, frozen=True):
    """What `confine` could not do, one sentence each."""

    missing: tuple[str, ...] = ()
    weaker: tuple[str, ...] = ()


def missing() -> tuple[str, ...]:
    """Each layer this kernel and this user lack, with the reason, found out by trying them all in a
    process of its own. Blocks for about 0.2 s. Raises WorkerError where the trial itself fails."""
    try:
        command = isolated("dlp.workers.confine", "trial")
        done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, check=True, timeout=30)  # noqa: S603
        return msgspec.json.decode(done.stdout, type=Layers).missing
    except (OSError, subprocess.SubprocessError, msgspec.MsgspecError) as error:
        raise WorkerError(f"the confinement could not be tried: {type(error).__name__}") from error


def isolated(module: str, function: str) -> list[str]:
    """The command that calls `module.function()` in a fresh interpreter which takes nothing from the environment or the
    current folder (-I), and finds this package where it was found here."""
    place = str(Path(__file__).resolve().parents[2])
    code = f"import sys; sys.path.append(sys.argv.pop()); from {module} import {function}; {function}()"
    return [sys.executable, "-I", "-c", code, place]


def trial() -> None:
    """What `missing` runs: confine this process, and say on standard output what could not be done."""
    layers = confine(keep=(1,))
    os.write(1, msgspec.json.encode(layers))
    os._exit(0)


def confine(*, keep: Sequence[int] = ()) -> Layers:
    """Put this single-threaded process behind every layer it can have, for good.

    `keep` are the descriptors above 2 that stay open.
    """
    lacks: list[str] = []
    weaker: list[str] = []
    filters: list[bytes] = []
    # Compiled first: it takes a file to write to, which the limits then forbid.
    _attempt(lacks, "system calls (libseccomp)", lambda: filters.append(seccomp.zygote_program()))
    with suppress(OSError):  # no layer: only a preference, and /proc may be absent
        Path("/proc/self/oom_score_adj").write_text(str(_FIRST_TO_DIE))
    close_all_but(keep)
    alone = _own_network()
    _attempt(lacks, "another user's id", become_nobody)
    if not alone:
        _attempt(weaker, "no network namespace of its own", lambda: libc.unshare(_NEW_USER | _NEW_NETWORK_AND_IPC))
    _attempt(lacks, "capabilities are kept", drop_capabilities)
    _attempt(lacks, "new privileges stay possible", no_new_privileges)
    _attempt(lacks, "resource limits", limit_resources)
    _attempt(lacks, "the file system (Landlock)", lambda: weaker.extend(forbid_files()))
    if filters:
        _attempt(lacks, "system calls (seccomp)", lambda: seccomp.install(filters[0]))
    return Layers(tuple(lacks), tuple(weaker))


def _attempt(lacks: list[str], layer: str, apply: Callable[[], None]) -> None:
    try:
        apply()
    except (OSError, ValueError, RuntimeError) as error:
        # ValueError: a limit above the hard one; RuntimeError: no libseccomp.
        lacks.append(f"{layer}: {error}")


def close_all_but(keep: Sequence[int]) -> None:
    """Close every descriptor above 2 but these."""
    low = 3
    for descriptor in sorted(keep):
        os.closerange(low, max(low, descriptor))
        low = max(low, descriptor + 1)
    os.closerange(low, os.sysconf("SC_OPEN_MAX"))


def _own_network() -> bool:
    """Namespaces with no network device and no System V objects. False where that takes a user namespace around them,
    which comes after the change of ids: inside it no other id can be had."""
    try:
        libc.unshare(_NEW_NETWORK_AND_IPC)
    except OSError:
        return False
    return True


def become_nobody() -> None:
    """No root id and no supplementary group. An ordinary user's daemon has no other id to give, and keeps its own."""
    if not (_capable(_CAP_SETUID) and _mapped()):
        if os.geteuid() == 0 and _mapped():
            raise PermissionError("the daemon is root and has no CAP_SETUID")
        return
    user, group = _unprivileged()
    os.setgroups([])
    os.setresgid(group, group, group)
    os.setresuid(user, user, user)


def drop_capabilities() -> None:
    """None held, and none to be had by an exec."""
    _drop_bounding_set()
    prctl(libc.PR_CAP_AMBIENT, 4)  # PR_CAP_AMBIENT_CLEAR_ALL
    libc.capset(ctypes.byref(_this_process()), ctypes.byref((ctypes.c_uint32 * 6)()))


def _capable(capability: int) -> bool:
    sets = (ctypes.c_uint32 * 6)()  # effective, permitted, inheritable, twice (capget(2))
    libc.capget(ctypes.byref(_this_process()), ctypes.byref(sets))
    return bool(sets[0] >> capability & 1)


def _this_process() -> ctypes.Array[ctypes.c_uint32]:
    return (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION, 0)


def _drop_bounding_set() -> None:
    """An exec can give nothing that is not in this set; without CAP_SETPCAP it stays, and NO_NEW_PRIVS does the same."""
    for capability in range(64):
        with suppress(OSError):  # EINVAL past the last capability the kernel knows, EPERM without CAP_SETPCAP
            if prctl(libc.PR_CAPBSET_READ, capability) == 1:
                prctl(libc.PR_CAPBSET_DROP, capability)


def _mapped() -> bool:
    """Whether this process may take another id: not where its user namespace maps only one."""
    with suppress(OSError):
        return sum(int(line.split()[2]) for line in Path("/proc/self/uid_map").read_text().splitlines()) > 1
    return True


def _unprivileged() -> tuple[int, int]:
    with suppress(KeyError):
        account = pwd.getpwnam(ACCOUNT)
        return account.pw_uid, account.pw_gid
    return _NOBODY, _NOBODY


def no_new_privileges() -> None:
    """No setuid program can help (Landlock and seccomp ask for this), and no other process may look inside."""
    prctl(libc.PR_SET_NO_NEW_PRIVS, 1)
    prctl(libc.PR_SET_DUMPABLE, 0)


def die_with_parent(parent: int) -> None:
    """SIGKILL when the process (thread) that forked this one ends; set after every change of ids, which clears it.

    `parent` is the id it must have had: if it died in between, this process ends here.
    """
    prctl(libc.PR_SET_PDEATHSIG, 9)
    if os.getppid() != parent:
        os._exit(1)


def limit_resources() -> None:
    """setrlimit(2) for whatever no worker needs. Memory and CPU are the child's (`confine_child`)."""
    for kind, most in (
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_MEMLOCK, 0),
        (resource.RLIMIT_MSGQUEUE, 0),
        (resource.RLIMIT_NOFILE, _DESCRIPTORS),
    ):
        _limit(kind, most)


def _limit(kind: int, most: int) -> None:
    hard = resource.getrlimit(kind)[1]
    most = most if hard == resource.RLIM_INFINITY else min(most, hard)
    resource.setrlimit(kind, (most, most))


def forbid_files() -> list[str]:
    """An empty Landlock ruleset; returns what this kernel's version of it cannot forbid. Raises OSError without Landlock."""
    version = landlock.abi()
    landlock.restrict(version)
    return [words] if (words := landlock.lacking(version)) else []


def confine_child(*, parent: int, program: bytes | None, address_space: int, cpu_seconds: int) -> None:
    """What a forked child gives up besides: its zygote's reach, forking, signalling, and any but its share of memory.

    `address_space` in bytes, of the whole process. Raises OSError, and the child must not go on: its zygote
    had each of these layers, so there is no reason for it to lack one.
    """
    die_with_parent(parent)
    _limit(resource.RLIMIT_AS, address_space)
    _limit(resource.RLIMIT_CPU, cpu_seconds)
    _limit(resource.RLIMIT_NPROC, 0)
    if program is not None:
        seccomp.install(program)


def address_space() -> int:
    """Bytes of address space this process has now (proc(5), statm, first field in pages)."""
    return int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
