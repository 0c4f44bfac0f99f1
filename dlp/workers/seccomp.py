"""Which system calls a zygote and its children may make; every other one kills the process.

Allow-lists, so that a call added to the kernel tomorrow is refused today (seccomp(2)). Calls that
honest code tries and survives without (opening a path, asking for a terminal, a socket) answer EPERM, so
that a late import is an exception and not a death. Filters stack and the stricter answer wins: the child
installs its own on top of the one it inherits from the zygote.
"""

import ctypes
import errno
import os
import signal
from collections.abc import Sequence
from typing import Any

from dlp.workers.libc import PR_SET_NAME, PR_SET_PDEATHSIG, PR_SET_SECCOMP, prctl

try:
    import pyseccomp
except RuntimeError:  # it found no libseccomp; that is a missing layer, to be named with the others
    pyseccomp = None

_MODE_FILTER = 2
_PROT_EXEC = 4
_FORK_FLAGS = 0x0120_0000 | signal.SIGCHLD
"""What fork(3) of glibc gives clone(2): CLONE_CHILD_SETTID | CLONE_CHILD_CLEARTID; no thread, no namespace."""
_F_DUPFD_CLOEXEC = 1030
_FCNTL = (1, 3, _F_DUPFD_CLOEXEC)
"""F_GETFD, F_GETFL and the duplicate that the mmap module makes."""

_COMPUTE = (
    "brk munmap mremap madvise futex rt_sigaction rt_sigprocmask rt_sigreturn sigaltstack restart_syscall "
    "getpid gettid getrandom clock_gettime clock_getres clock_nanosleep nanosleep gettimeofday time times getrusage "
    "sched_yield sched_getaffinity sysinfo uname set_robust_list rseq membarrier exit exit_group"
)
_DESCRIPTORS = "read pread64 readv write writev lseek close recvmsg sendmsg recvfrom sendto"
"""Calls on descriptors already held: the child has /dev/null, its channel and one read-only content."""
_NURSE = "getppid wait4 waitid pidfd_open poll ppoll getsockname getsockopt seccomp prlimit64 setrlimit"
"""What the zygote does besides: reap, watch its sockets, and what a child still needs while it confines itself."""
_LANDLOCK = "landlock_create_ruleset landlock_restrict_self"
_NURSE_PRCTL = (PR_SET_PDEATHSIG, PR_SET_NAME, PR_SET_SECCOMP)

_REFUSED = (
    "open openat openat2 creat stat lstat fstat newfstatat fstatat64 statx statfs fstatfs access faccessat faccessat2 "
    "readlink readlinkat getcwd chdir fchdir chroot mkdir mkdirat rmdir unlink unlinkat rename renameat renameat2 link linkat "
    "symlink symlinkat mknod mknodat chmod fchmod fchmodat chown fchown lchown fchownat utime utimes utimensat truncate "
    "ftruncate fallocate getdents getdents64 getxattr lgetxattr fgetxattr setxattr lsetxattr fsetxattr listxattr "
    "name_to_handle_at open_by_handle_at inotify_init1 inotify_add_watch fanotify_init fanotify_mark "
    "ioctl flock fsync fdatasync sync syncfs dup dup2 dup3 pipe pipe2 memfd_create memfd_secret eventfd eventfd2 "
    "epoll_create epoll_create1 select pselect6 sendfile splice tee vmsplice copy_file_range mlock mlock2 mlockall "
    "socket socketpair connect bind listen accept accept4 shutdown setsockopt sendmmsg recvmmsg "
    "shmget shmat shmctl semget semop semctl msgget msgsnd msgrcv msgctl mq_open "
    "kill tkill tgkill rt_sigqueueinfo rt_tgsigqueueinfo pidfd_send_signal pidfd_getfd "
    "getuid geteuid getgid getegid getresuid getresgid getgroups setuid setgid setreuid setregid setresuid setresgid setgroups "
    "capget capset getpgid getpgrp getsid setsid setpgid getpriority setpriority ioprio_set sched_setaffinity sched_setscheduler "
    "sched_setparam sched_getscheduler sched_getparam umask"
)


class _Program(ctypes.Structure):
    """struct sock_fprog of linux/filter.h."""

    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_char_p))


def child_program() -> bytes:
    """The filter of a child: it computes, reads what it was handed, and answers. Raises OSError."""
    rules = _base()
    _allow(rules, "prlimit64", pyseccomp.Arg(0, pyseccomp.EQ, 0), pyseccomp.Arg(2, pyseccomp.EQ, 0))
    return _compiled(rules)


def zygote_program() -> bytes:
    """The filter of the zygote: a child's, and what forking and reaping children takes. Raises OSError."""
    rules = _base()
    for name in f"{_NURSE} {_LANDLOCK}".split():
        _allow(rules, name)
    _allow(rules, "clone", pyseccomp.Arg(0, pyseccomp.EQ, _FORK_FLAGS))
    # Its flags are in memory, where a filter cannot look; on ENOSYS glibc falls back to clone.
    _answer(rules, errno.ENOSYS, "clone3")
    for option in _NURSE_PRCTL:
        _allow(rules, "prctl", pyseccomp.Arg(0, pyseccomp.EQ, option))
    return _compiled(rules)


def install(program: bytes) -> None:
    """Put this thread, and all it will fork, under `program` for good. Needs NO_NEW_PRIVS. Raises OSError."""
    prctl(PR_SET_SECCOMP, _MODE_FILTER, ctypes.byref(_Program(len(program) // 8, program)))


def _base() -> Any:
    if pyseccomp is None:
        raise OSError(errno.ENOSYS, "libseccomp.so.2 cannot be loaded (Debian: apt-get install libseccomp2)")
    rules = pyseccomp.SyscallFilter(pyseccomp.KILL_PROCESS)
    # Else a call by another ABI's numbers (i386, x32) would end only the thread.
    rules.set_attr(pyseccomp.Attr.ACT_BADARCH, pyseccomp.KILL_PROCESS)
    for name in f"{_COMPUTE} {_DESCRIPTORS}".split():
        _allow(rules, name)
    for name in ("mmap", "mprotect"):
        _allow(rules, name, pyseccomp.Arg(2, pyseccomp.MASKED_EQ, _PROT_EXEC, 0))
        _answer(rules, errno.EPERM, name, pyseccomp.Arg(2, pyseccomp.MASKED_EQ, _PROT_EXEC, _PROT_EXEC))
    for command in _FCNTL:
        _allow(rules, "fcntl", pyseccomp.Arg(1, pyseccomp.EQ, command))
    for name in _REFUSED.split():
        _answer(rules, errno.EPERM, name)
    return rules


def _allow(rules: Any, name: str, *conditions: Any) -> None:
    _add(rules, pyseccomp.ALLOW, name, conditions)


def _answer(rules: Any, number: int, name: str, *conditions: Any) -> None:
    _add(rules, pyseccomp.ERRNO(number), name, conditions)


def _add(rules: Any, action: int, name: str, conditions: Sequence[Any]) -> None:
    if pyseccomp.resolve_syscall(pyseccomp.Arch.NATIVE, name) == -1:
        return  # a name this libseccomp does not know falls to the default, which kills
    rules.add_rule(action, name, *conditions)


def _compiled(rules: Any) -> bytes:
    """Compiled once, before confinement; a forked child then only hands the bytes to the kernel."""
    with os.fdopen(os.memfd_create("dlp-filter", os.MFD_CLOEXEC), "w+b") as file:
        rules.export_bpf(file)
        file.seek(0)
        return file.read()
