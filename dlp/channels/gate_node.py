"""A file of a gated drive while somebody has it open."""

import errno
import os
import stat
import threading
import time
from dataclasses import dataclass

from dlp.channels.gate_staging import Staged, Staging
from dlp.channels.gate_tree import Attributes, Tree


@dataclass(slots=True)
class Fresh:
    """The attributes of a file that is not on the drive yet."""

    mode: int
    uid: int
    gid: int


class Node:
    """All who have it open share it, so they see the same content. `lock` is held by who changes the content or has it
    judged; what is said of the tree (`path`, `fresh`, `gone`) changes under the lock of all nodes instead.

    `dirty`: the content has not been judged since it last changed. `told`: the errno that each close gets meanwhile, 0 for
    none. `broken`: the errno of a write that failed, so that what is there is no whole content, and goes nowhere. `gone`: it
    was removed, so that nothing of it goes onto the drive any more; `hidden`: where it is meanwhile, and `was` where it was.
    """

    def __init__(self, path: str, owner: str) -> None:
        self.path = path
        self.owner = owner
        self.opens = 0
        self.lock = threading.Lock()
        self.staged: Staged | None = None
        self.reader: int | None = None
        self.fresh: Fresh | None = None
        self.dirty = False
        self.told = 0
        self.broken = 0
        self.gone = False
        self.hidden: str | None = None
        self.was = ""
        self.times: tuple[int, int] | None = None

    def stage(self, staging: Staging, *, empty: bool = False) -> Staged:
        """The content to be changed: what is on the drive to begin with, unless nothing of it is wanted. Raises OSError."""
        if self.staged is None:
            staged = staging.new()
            if self.reader is not None and not empty:
                try:
                    staged.fill(self.reader)
                except BaseException:
                    staged.close()
                    raise
            self.staged = staged
        return self.staged

    def changed(self) -> None:
        """The content is another one now."""
        self.dirty, self.told, self.times = True, 0, None

    def read_into(self, buffer: memoryview, offset: int) -> int:
        """Raises OSError."""
        if self.staged is not None:
            return self.staged.read_into(buffer, offset)
        if self.reader is None:
            raise OSError(errno.EBADF, os.strerror(errno.EBADF))
        return os.preadv(self.reader, [buffer], offset)

    def status(self, tree: Tree) -> dict[str, int]:
        """As of stat(2). Raises OSError."""
        if self.fresh is None:
            found = status(self._on_drive(tree))
        else:
            mode = stat.S_IFREG | self.fresh.mode
            found = {"st_mode": mode, "st_nlink": 1, "st_uid": self.fresh.uid, "st_gid": self.fresh.gid}
        if self.staged is not None:
            content = self.staged.status()
            found |= {"st_size": content.st_size, "st_blocks": content.st_blocks}
            found |= {"st_mtime": content.st_mtime_ns, "st_ctime": content.st_ctime_ns, "st_atime": content.st_atime_ns}
            if self.times is not None:
                found["st_atime"], found["st_mtime"] = self.times
        return found

    def _on_drive(self, tree: Tree) -> os.stat_result:
        if not self.gone:
            return tree.status(self.path)
        if self.hidden is not None:
            return tree.status(self.hidden)
        if self.reader is not None:
            return os.fstat(self.reader)
        raise OSError(errno.ENOENT, os.strerror(errno.ENOENT))

    def attributes(self, tree: Tree) -> Attributes:
        """What it is to have on the drive. Raises OSError."""
        found = self.status(tree)
        return Attributes(
            mode=stat.S_IMODE(found["st_mode"]),
            uid=found["st_uid"],
            gid=found["st_gid"],
            atime_ns=found.get("st_atime", time.time_ns()),
            mtime_ns=found.get("st_mtime", time.time_ns()),
        )

    def close(self) -> None:
        """Give up what it holds."""
        if self.staged is not None:
            self.staged.close()
        if self.reader is not None:
            os.close(self.reader)


def status(found: os.stat_result) -> dict[str, int]:
    return {
        "st_mode": found.st_mode,
        "st_nlink": found.st_nlink,
        "st_uid": found.st_uid,
        "st_gid": found.st_gid,
        "st_size": found.st_size,
        "st_blocks": found.st_blocks,
        "st_atime": found.st_atime_ns,
        "st_mtime": found.st_mtime_ns,
        "st_ctime": found.st_ctime_ns,
    }
