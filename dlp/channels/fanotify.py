"""fanotify(7) by ctypes: a group that is asked before files of a marked file system are opened.

Constants are those of linux/fanotify.h; fanotify_init(2) and fanotify_mark(2) say what they mean. A group takes
CAP_SYS_ADMIN to make; to read it, to answer and to set marks takes the descriptor alone. The kernel allows whatever
waits once the last descriptor of a group is closed.
"""

import contextlib
import ctypes
import errno
import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass

CLASS_CONTENT = 0x04
CLOEXEC = 0x01
NONBLOCK = 0x02
UNLIMITED_QUEUE = 0x10
UNLIMITED_MARKS = 0x20

CLOSE_WRITE = 0x0000_0008
OPEN_PERM = 0x0001_0000
OPEN_EXEC_PERM = 0x0004_0000
ASKED = OPEN_PERM | OPEN_EXEC_PERM
"""Events that wait for an answer."""

_ADD, _REMOVE, _IGNORED, _FLUSH, _FILESYSTEM, _EVICTABLE = 0x01, 0x02, 0x20, 0x80, 0x100, 0x200
_ALLOW, _DENY = 1, 2
_AT_FDCWD = -100

_EVENT = struct.Struct("=IBBHQii")
"""struct fanotify_event_metadata: length, version, reserved, length of this part, mask, descriptor, process."""
_RESPONSE = struct.Struct("=iI")
_VERSION = 3
_READ = 64 * _EVENT.size

_LIBC = ctypes.CDLL(None, use_errno=True)
_LIBC.fanotify_mark.argtypes = (ctypes.c_int, ctypes.c_uint, ctypes.c_uint64, ctypes.c_int, ctypes.c_char_p)
_LIBC.fanotify_init.argtypes = (ctypes.c_uint, ctypes.c_uint)


@dataclass(frozen=True, slots=True)
class Event:
    """What happened (a mask), to the file behind `descriptor`, by which process. The descriptor is the reader's to close;
    it is open for reading, and reading or closing it makes no event. `asked`: it waits for an answer."""

    mask: int
    descriptor: int
    process: int

    @property
    def asked(self) -> bool:
        return bool(self.mask & ASKED)


class Group:
    """A notification group. Every method raises OSError where the kernel refuses."""

    def __init__(self, descriptor: int) -> None:
        """On the descriptor of one, which is this object's from now on."""
        self.descriptor = descriptor

    @classmethod
    def make(cls) -> "Group":
        """A new one, with nothing marked. ENOSYS or EINVAL: this kernel has no permission events; EPERM: not permitted.

        Its queue has no limit, since what does not fit would be allowed unasked. A FIFO is opened for an event without
        waiting for its other end.
        """
        flags = CLASS_CONTENT | CLOEXEC | NONBLOCK | UNLIMITED_QUEUE | UNLIMITED_MARKS
        opened = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOATIME | getattr(os, "O_LARGEFILE", 0)
        return cls(_checked(_LIBC.fanotify_init(flags, opened)))

    def watch(self, folder: int) -> None:
        """Ask before every open on the file system of an open folder, by whatever mount or name space, and tell of every
        close after writing. Not by its path, at which another one may be mounted by now, or none."""
        self._mark(_ADD | _FILESYSTEM, ASKED | CLOSE_WRITE, folder, b".")

    def leave(self) -> None:
        """The inverse of every `watch`."""
        self._mark(_FLUSH | _FILESYSTEM, 0, _AT_FDCWD, b"/")

    def pass_over(self, file: int) -> None:
        """Do not ask about this open file again until it is modified, or the kernel forgets it."""
        try:
            self._mark(_ADD | _IGNORED | _EVICTABLE, ASKED, file, None)
        except OSError as error:
            if error.errno != errno.EINVAL:
                raise
            self._mark(_ADD | _IGNORED, ASKED, file, None)  # before Linux 5.19

    def ask_again(self, file: int) -> None:
        """The inverse of `pass_over`; nothing where the file was not passed over."""
        with contextlib.suppress(FileNotFoundError):
            self._mark(_REMOVE | _IGNORED, ASKED, file, None)

    def ask_all_again(self) -> None:
        """The inverse of every `pass_over`."""
        self._mark(_FLUSH, 0, _AT_FDCWD, b"/")

    def events(self) -> Iterator[Event]:
        """What the kernel has now; none, without waiting, where it has nothing.

        A file that the kernel cannot open for the event (no descriptor is left, the disk fails) it denies by itself.
        """
        try:
            data = os.read(self.descriptor, _READ)
        except OSError as error:
            if error.errno in (errno.EBADF, errno.EINVAL, errno.EFAULT):
                raise  # no group
            return
        offset = 0
        while offset < len(data):
            length, version, _, _, mask, descriptor, process = _EVENT.unpack_from(data, offset)
            if version != _VERSION:
                raise OSError(errno.EPROTO, f"fanotify events of version {version}, not {_VERSION}")
            offset += length
            if descriptor >= 0:
                yield Event(mask, descriptor, process)

    def answer(self, descriptor: int, *, allowed: bool) -> bool:
        """Let the one who waits go on, or fail with EPERM; False where nobody waits for this descriptor (any more)."""
        try:
            os.write(self.descriptor, _RESPONSE.pack(descriptor, _ALLOW if allowed else _DENY))
        except FileNotFoundError:
            return False
        return True

    def answer_all(self, *, allowed: bool, most: int) -> int:
        """Answer everything that somebody read and did not answer, by trying every descriptor below `most`: the number it had
        there counts, in whatever process. Returns how many there were."""
        return sum(self.answer(one, allowed=allowed) for one in range(most))

    def close(self) -> None:
        """Give it up."""
        os.close(self.descriptor)

    def _mark(self, flags: int, mask: int, folder: int, path: bytes | None) -> None:
        _checked(_LIBC.fanotify_mark(self.descriptor, flags, mask, folder, path))


def _checked(result: int) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"fanotify: {os.strerror(number)}")
    return result
