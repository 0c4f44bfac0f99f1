"""A gated drive as a file system of the kernel's, by FUSE (fuse(4)); the one place that knows mfusepy and libfuse 3.

The hot calls, read and write, work on libfuse's own buffers, where mfusepy would copy them.
"""

import ctypes
import errno
import functools
import itertools
import os
import pwd
import stat
import threading
from collections.abc import Callable, Iterator
from typing import Any

import structlog

from dlp.channels.gate_files import Caller, GateFiles
from dlp.channels.gate_node import Node
from dlp.channels.gate_refusals import NAME as NOTICE

log = structlog.get_logger()

TYPE = "dlp-gate"
"""The kernel calls the file system "fuse.dlp-gate" in the mount table."""
FILESYSTEM = f"fuse.{TYPE}"
_SIGNALLED = 8
"""What fuse_main of libfuse returns after a signal to end (fuse.h: an error in the loop)."""


def library_lacks() -> str:
    """Why there is no FUSE here, or ""."""
    if not os.path.exists("/dev/fuse"):
        return "there is no /dev/fuse: modprobe fuse"
    return "" if _library() else "libfuse 3 is not installed (Debian: libfuse3-3)"


def serve(files: GateFiles, point: str, name: str, ready: Callable[[], None], *, read_only: bool) -> None:
    """Mount at `point` and serve until unmounted or asked to stop by SIGTERM. `ready` is called once it is mounted. Raises
    OSError where it cannot be."""
    os.environ["FUSE_LIBRARY_PATH"] = _library()
    import mfusepy

    class Binding(mfusepy.FUSE):  # type: ignore[misc]
        """Where mfusepy loses something or takes too long."""

        def _wrapper(self, step: Callable[..., Any], *arguments: Any) -> int:
            _stay()
            try:
                return int(step(*arguments) or 0)
            except OSError as error:
                return -(error.errno or errno.EIO)
            except Exception:
                log.exception("an operation of the gate failed")
                return -errno.EIO

        def rename_fuse_3(self, old: bytes, new: bytes, flags: int) -> int:
            if flags & ~1:  # RENAME_NOREPLACE, which the kernel sees to itself
                return -errno.EINVAL
            return int(self.operations.rename(os.fsdecode(old), os.fsdecode(new)))

        def create(self, path: bytes, mode: int, info: Any) -> int:
            info.contents.fh = self.operations.create(os.fsdecode(path), mode, info.contents.flags)
            return 0

        def read(self, path: bytes | None, buffer: Any, size: int, offset: int, info: Any) -> int:
            return int(self.operations.read(info.contents.fh, _memory(buffer, size), offset))

        def write(self, path: bytes | None, buffer: Any, size: int, offset: int, info: Any) -> int:
            return int(self.operations.write(info.contents.fh, _memory(buffer, size), offset))

    mounted = False

    def stands() -> None:
        nonlocal mounted
        mounted = True
        ready()

    options: dict[str, Any] = {"allow_other": True, "default_permissions": True, "nosuid": True, "nodev": True, "noexec": True}
    try:
        Binding(
            Operations(files, mfusepy.fuse_get_context, stands),
            point,
            foreground=True,
            fsname=name,
            subtype=TYPE,
            ro=read_only,
            attr_timeout=0,  # what was refused is gone at once
            entry_timeout=0,
            negative_timeout=0,
            **options,
        )
    except RuntimeError as error:
        if mounted and error.args == (_SIGNALLED,):
            return
        raise OSError(errno.EIO, f"libfuse cannot mount it: {error}") from error


class Operations:
    """What mfusepy calls; create, read and write are called by the binding above. Handles are numbers; 0 is the notice's."""

    use_ns = True

    def __init__(self, files: GateFiles, context: Callable[[], tuple[int, int, int]], ready: Callable[[], None]) -> None:
        self._files = files
        self._context = context
        self._ready = ready
        self._handles: dict[int, Node] = {}
        self._readers: set[int] = set()
        self._numbers = itertools.count(1)

    def init(self, path: str) -> None:
        self._ready()

    def _caller(self) -> Caller:
        uid, gid, _ = self._context()
        return Caller(uid=uid, gid=gid, name=_name(uid))

    def _held(self, node: Node) -> int:
        number = next(self._numbers)
        self._handles[number] = node
        return number

    # Files

    def create(self, path: str, mode: int, flags: int) -> int:
        return self._held(self._files.create(path, mode, flags, self._caller()))

    def open(self, path: str, flags: int) -> int:
        if self._files.notice(path):
            if flags & os.O_ACCMODE != os.O_RDONLY:
                raise OSError(errno.EACCES, os.strerror(errno.EACCES))
            return 0
        handle = self._held(self._files.open(path, flags, self._caller()))
        if flags & os.O_ACCMODE == os.O_RDONLY:
            self._readers.add(handle)
        return handle

    def read(self, handle: int, buffer: memoryview, offset: int) -> int:
        if handle:
            return self._files.read_into(self._handles[handle], buffer, offset)
        data = self._files.notice(f"/{NOTICE}")[offset : offset + len(buffer)]
        buffer[: len(data)] = data
        return len(data)

    def write(self, handle: int, buffer: memoryview, offset: int) -> int:
        return self._files.write(self._handles[handle], buffer, offset)

    def flush(self, path: str | None, handle: int) -> int:
        if handle and handle not in self._readers:  # who only reads is told of no verdict
            self._files.flush(self._handles[handle])
        return 0

    def fsync(self, path: str | None, data_only: int, handle: int) -> int:
        if handle:
            self._files.fsync(self._handles[handle])
        return 0

    def release(self, path: str | None, handle: int) -> int:
        if handle:
            self._readers.discard(handle)
            self._files.release(self._handles.pop(handle))
        return 0

    def truncate(self, path: str | None, length: int, handle: int | None = None) -> int:
        if handle:
            self._files.truncate(self._handles[handle], length)
        elif path is not None:
            self._files.truncate_path(path, length, self._caller())
        return 0

    # The tree

    def getattr(self, path: str | None, handle: int | None = None) -> dict[str, int]:
        return self._files.status(path or "/", self._handles[handle] if handle else None)

    def readdir(self, path: str, handle: int) -> Iterator[tuple[str, int, int]]:
        yield ".", stat.S_IFDIR, 0
        yield "..", stat.S_IFDIR, 0
        for name, kind in self._files.names(path):
            yield name, kind, 0

    def readlink(self, path: str) -> str:
        return self._files.readlink(path)

    def statfs(self, path: str) -> dict[str, int]:
        found = self._files.statfs()
        return {key: getattr(found, key) for key in _STATFS}

    def mkdir(self, path: str, mode: int) -> int:
        self._files.mkdir(path, mode, self._caller())
        return 0

    def rmdir(self, path: str) -> int:
        self._files.rmdir(path)
        return 0

    def mknod(self, path: str, mode: int, device: int) -> int:
        if not stat.S_ISREG(mode):
            raise OSError(errno.EPERM, os.strerror(errno.EPERM))
        node = self._files.create(path, mode, os.O_EXCL, self._caller())
        try:
            self._files.fsync(node)
        finally:
            self._files.release(node)
        return 0

    def symlink(self, path: str, target: str) -> int:
        self._files.symlink(path, target, self._caller())
        return 0

    def link(self, new: str, old: str) -> int:
        self._files.link(old, new, self._caller())
        return 0

    def unlink(self, path: str) -> int:
        self._files.unlink(path)
        return 0

    def rename(self, old: str, new: str) -> int:
        self._files.rename(old, new, self._caller())
        return 0

    def chmod(self, path: str, mode: int) -> int:
        self._files.chmod(path, mode)
        return 0

    def chown(self, path: str, uid: int, gid: int) -> int:
        self._files.chown(path, uid, gid)
        return 0

    def utimens(self, path: str, times: tuple[int, int] | None = None) -> int:
        self._files.utimens(path, times)
        return 0

    def fsyncdir(self, path: str, data_only: int, handle: int) -> int:
        self._files.fsyncdir(path)
        return 0


_STATFS = ("f_bavail", "f_bfree", "f_blocks", "f_bsize", "f_favail", "f_ffree", "f_files", "f_frsize", "f_namemax")


_threads = threading.local()


def _stay() -> None:
    """Keep the interpreter's state of this thread, which is libfuse's, for its next call. ctypes would make it anew for
    each one, which takes longer than most calls do (PyGILState_Ensure, nested so that the last release never comes)."""
    if not hasattr(_threads, "known"):
        _threads.known = True
        ctypes.pythonapi.PyGILState_Ensure()


def _memory(buffer: Any, size: int) -> memoryview:
    """libfuse's buffer itself."""
    address = ctypes.cast(buffer, ctypes.c_void_p).value or 0
    return memoryview((ctypes.c_char * size).from_address(address)).cast("B")


def _library() -> str:
    """The name of libfuse 3, "" where there is none; mfusepy would take libfuse 2 where it finds both."""
    for name in ("libfuse3.so.4", "libfuse3.so.3"):
        try:
            ctypes.CDLL(name)
        except OSError:
            continue
        return name
    return ""


@functools.lru_cache(maxsize=256)
def _name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"uid:{uid}"
