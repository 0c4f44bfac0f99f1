"""The UNIX socket of a milter: a file with the rights of its own."""

import contextlib
import errno
import os
import socket
import stat
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class SocketFile:
    """A UNIX socket we listen on, and which file it is."""

    path: Path
    socket: socket.socket
    inode: int

    @classmethod
    def bound(cls, path: Path, *, mode: int, group: int | None) -> "SocketFile":
        """With its rights before anybody can connect. A file that a dead process left is replaced.

        Raises OSError, also where somebody listens there.
        """
        if answers(path):
            raise OSError(errno.EADDRINUSE, "another process listens there", str(path))
        _clear(path)
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            listener.bind(str(path))
            if group is not None:
                os.chown(path, -1, group)
            path.chmod(mode)
            return cls(path, listener, path.stat().st_ino)
        except OSError:
            listener.close()
            raise

    def remove(self) -> None:
        """The file, unless another took its place."""
        with contextlib.suppress(FileNotFoundError):
            if self.path.stat().st_ino == self.inode:
                self.path.unlink()


def answers(path: Path) -> bool:
    """Whether some process listens on the socket at `path`. Raises OSError where that cannot be asked."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.setblocking(False)
        try:
            probe.connect(str(path))
        except (FileNotFoundError, ConnectionRefusedError):
            return False
        except BlockingIOError:  # so many wait there that we would have to wait too
            return True
    return True


def _clear(path: Path) -> None:
    """Take away a socket that a dead process left; anything else stays, and will be in the way."""
    with contextlib.suppress(FileNotFoundError):
        if stat.S_ISSOCK(path.lstat().st_mode):
            path.unlink()
