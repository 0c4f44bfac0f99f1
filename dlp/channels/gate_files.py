"""The file system that users see in place of a gated drive: reads pass through, writes wait for the verdict.

What is written goes to staging, and to the drive only when it has been judged, whole, under a temporary name and then its
own: at close, at fsync, and when the last one lets go. What is refused is in custody and nowhere else, and the drive has
what it had before. What changes only the tree (folders, links, new names for old files) is judged by the words in it.

Paths are of the drive, beginning with "/" (surrogateescape). Everything raises OSError as the kernel's own would.
"""

import contextlib
import errno
import os
import secrets
import stat
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from typing import Protocol

import structlog

from dlp.channels.ask_wire import Answer, Kind, Question
from dlp.channels.folder_file import shown
from dlp.channels.folder_names import own_name
from dlp.channels.gate_node import Fresh, Node, status
from dlp.channels.gate_refusals import NAME as NOTICE
from dlp.channels.gate_refusals import Refusals
from dlp.channels.gate_staging import Staging
from dlp.channels.gate_tree import TEMPORARY, Attributes, Tree
from dlp.errors import AskError
from dlp.model import Channel

log = structlog.get_logger()

ASIDE = ".fuse_hidden"
"""How the names begin to which libfuse renames what is removed while it is open."""
RESTORED = ".dlp-restore-"
"""How the names begin under which a release writes (dlp.channels.folder_restore): judged under their final name."""
UTIME_NOW, UTIME_OMIT = (1 << 30) - 1, (1 << 30) - 2
"""utimensat(2): nanoseconds that mean the present, and "as it is"."""


class Told(Protocol):
    """See `dlp.channels.ask.Commit`."""

    answer: Answer

    def done(self) -> None: ...

    def failed(self, error: str) -> None: ...


class Ask(Protocol):
    """Who judges; `dlp.channels.ask.Asker`."""

    def commit(self, question: Question, descriptor: int, timeout: float) -> AbstractContextManager[Told]: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Drive:
    """What is told of every file: where the users see the drive, its serial or number; and how long a verdict is waited
    for, by the size of the content in bytes."""

    volume: str
    device: str
    patience: Callable[[int], float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Who asks the kernel: ids, and the user's name."""

    uid: int
    gid: int
    name: str


class GateFiles:
    """One drive. May be used by several threads."""

    def __init__(self, drive: Drive, tree: Tree, staging: Staging, ask: Ask, refusals: Refusals) -> None:
        self._drive = drive
        self._tree = tree
        self._staging = staging
        self._ask = ask
        self._refusals = refusals
        self._nodes: dict[str, Node] = {}
        self._lock = threading.RLock()

    # Files that are open

    def create(self, path: str, mode: int, flags: int, caller: Caller) -> Node:
        """A new file, open."""
        self._ours(path)
        with self._lock:
            if path in self._nodes or self._tree.exists(path):
                if flags & os.O_EXCL:
                    raise _error(errno.EEXIST)
                return self.open(path, flags, caller)
            with self._tree.at(path) as (folder, _):
                above = os.stat(folder)
            node = Node(path, caller.name)
            node.fresh = Fresh(stat.S_IMODE(mode), caller.uid, above.st_gid if above.st_mode & stat.S_ISGID else caller.gid)
            node.stage(self._staging)
            node.dirty, node.opens = True, 1
            self._nodes[path] = node
            return node

    def open(self, path: str, flags: int, caller: Caller) -> Node:
        self._ours(path)
        writing = flags & os.O_ACCMODE != os.O_RDONLY
        with self._lock:
            node = self._nodes.get(path)
            if node is None:
                node = Node(path, caller.name)
                node.reader = self._tree.open(path)
                self._nodes[path] = node
            node.opens += 1
            if writing:
                node.owner = caller.name
        if writing and flags & os.O_TRUNC:
            try:
                self.truncate(node, 0)
            except BaseException:
                self._let_go(node)
                raise
        return node

    def read_into(self, node: Node, buffer: memoryview, offset: int) -> int:
        return node.read_into(buffer, offset)

    def write(self, node: Node, data: memoryview | bytes, offset: int) -> int:
        with node.lock:
            node.changed()
            try:
                return node.stage(self._staging).write(data, offset)
            except OSError as error:
                node.broken = error.errno or errno.EIO
                raise

    def truncate(self, node: Node, size: int) -> None:
        with node.lock:
            node.stage(self._staging, empty=size == 0).truncate(size)
            node.changed()
            if size == 0:
                node.broken = 0

    def truncate_path(self, path: str, size: int, caller: Caller) -> None:
        """truncate(2), which opens nothing."""
        node = self.open(path, os.O_WRONLY, caller)
        try:
            self.truncate(node, size)
            self.fsync(node)
        finally:
            self._let_go(node)

    def flush(self, node: Node) -> None:
        """One who has it open closes it. While it is empty nothing is done: a shell opens a file and duplicates the
        descriptor before it writes."""
        with node.lock:
            if node.dirty and node.staged is not None and node.staged.status().st_size == 0:
                return
            self._judge(node)

    def fsync(self, node: Node) -> None:
        if node.path.rpartition("/")[2].startswith(RESTORED):
            return  # it is judged when it has its name
        with node.lock:
            self._judge(node)

    def release(self, node: Node) -> None:
        """One of those who opened it is through with it, for good."""
        try:
            with node.lock:
                if node.dirty and not node.told and (node.opens == 1 or node.staged is None or node.staged.status().st_size):
                    self._judge(node)
        except OSError as error:
            log.warning("not written to the drive, and nobody could be told", path=shown(node.path), error=error.strerror)
        finally:
            self._let_go(node)

    def _let_go(self, node: Node) -> None:
        with self._lock:
            node.opens -= 1
            if node.opens:
                return
            if self._nodes.get(node.path) is node:
                del self._nodes[node.path]
            if node.hidden is not None:
                with contextlib.suppress(OSError):  # a pulled drive; what is left is removed at the next start
                    self._tree.remove(node.hidden)
            node.close()

    # The verdict

    def _judge(self, node: Node) -> None:
        """Bring the content onto the drive, if it may be there. The caller holds the node's lock."""
        if node.gone or not node.dirty or node.staged is None:
            if node.told and not node.gone:
                raise _error(node.told)
            return
        try:
            if node.broken:
                raise _error(node.broken)
            with node.staged.frozen() as content:
                self._commit(node, content)
        except OSError as error:
            node.told = error.errno or errno.EIO
            node.dirty = node.told != errno.EACCES
            raise
        node.dirty, node.told = False, 0

    def _commit(self, node: Node, content: int) -> None:
        attributes = node.attributes(self._tree)
        with self._asked(node.path, node.owner, content, attributes):
            there = self._tree.bring(content, attributes)
            try:
                with self._lock:
                    if node.gone:
                        self._tree.remove(there)
                        return
                    self._tree.rename(there, node.path)
                    node.fresh = None
                    folder = node.path.rpartition("/")[0]
            except BaseException:
                with contextlib.suppress(OSError):  # the first error is the one to raise
                    self._tree.remove(there)
                raise
            self._tree.sync(folder)

    @contextlib.contextmanager
    def _asked(self, path: str, owner: str, content: int, attributes: Attributes) -> Iterator[None]:
        """Entered where it may be on the drive; the daemon hears whether it got there. Raises OSError: EACCES where it may
        not, EIO where nobody says so."""
        done = False
        try:
            with self._ask.commit(
                self._question(path, owner, attributes), content, self._drive.patience(os.fstat(content).st_size)
            ) as commit:
                if not commit.answer.allowed:
                    self._refused(path, commit.answer)
                try:
                    yield
                except OSError as error:
                    commit.failed(error.strerror or "failed")
                    self._refusals.add(path, f"写入移动存储失败 writing to the drive failed: {error.strerror}")
                    raise
                commit.done()
                done = True
        except AskError as error:
            if done:
                log.error("written to the drive, but not recorded", path=shown(path), error=str(error))
                return
            log.error("not written to the drive: nobody judged it", path=shown(path), error=str(error))
            self._refusals.add(path, "未能检查，未写入 it could not be inspected, and was not written")
            raise _error(errno.EIO) from error

    def _question(self, path: str, owner: str, attributes: Attributes) -> Question:
        folder, _, name = path.rpartition("/")
        return Question(
            kind=Kind.COMMIT,
            channel=Channel.USB,
            path=f"{self._drive.volume}{folder}/{own_name(name) or name}",
            volume=self._drive.volume,
            owner=owner,
            device=self._drive.device,
            attributes={**asdict(attributes), "nlink": 1, "xattrs": {}},
        )

    def _refused(self, path: str, answer: Answer) -> None:
        log.warning("refused", path=shown(path), incident=answer.incident)
        self._refusals.add(path, "含涉密或受控内容 it holds what may not leave", answer.incident)
        raise _error(errno.EACCES)

    @contextlib.contextmanager
    def _words(self, path: str, caller: Caller, words: bytes = b"") -> Iterator[None]:
        """The name itself, and `words`, may be on the drive."""
        memory = os.memfd_create("dlp-words", os.MFD_CLOEXEC)
        try:
            os.write(memory, words)
            now = time.time_ns()
            attributes = Attributes(mode=0o600, uid=caller.uid, gid=caller.gid, atime_ns=now, mtime_ns=now)
            with self._asked(path, caller.name, memory, attributes):
                yield
        finally:
            os.close(memory)

    # The tree

    def status(self, path: str, node: Node | None = None) -> dict[str, int]:
        if node is None and path == f"/{NOTICE}" and (text := self._refusals.text()):
            at = int(self._refusals.changed * 1e9)
            mode = stat.S_IFREG | 0o444
            return {"st_mode": mode, "st_nlink": 1, "st_size": len(text), "st_mtime": at, "st_ctime": at, "st_atime": at}
        with self._lock:
            node = node or self._nodes.get(path)
            return node.status(self._tree) if node is not None else status(self._tree.status(path))

    def notice(self, path: str) -> bytes:
        """The content of the notice, b"" for any other path."""
        return self._refusals.text() if path == f"/{NOTICE}" else b""

    def names(self, path: str) -> list[tuple[str, int]]:
        with self._lock:
            found = dict(self._tree.names(path))
            prefix = path.rstrip("/") + "/"
            for one in self._below(prefix):
                if one.fresh is not None and "/" not in one.path[len(prefix) :] and not one.gone:
                    found[one.path[len(prefix) :]] = stat.S_IFREG
        if path == "/" and self._refusals.text():
            found[NOTICE] = stat.S_IFREG
        return list(found.items())

    def readlink(self, path: str) -> str:
        return self._tree.link_target(path)

    def statfs(self) -> os.statvfs_result:
        return os.fstatvfs(self._tree.root)

    def mkdir(self, path: str, mode: int, caller: Caller) -> None:
        self._ours(path)
        with self._words(path, caller):
            self._tree.make_folder(path, mode, caller.uid, caller.gid)

    def rmdir(self, path: str) -> None:
        with self._lock:
            if any(node.fresh is not None for node in self._below(path + "/")):
                raise _error(errno.ENOTEMPTY)
            self._tree.remove_folder(path)

    def symlink(self, path: str, target: str, caller: Caller) -> None:
        self._ours(path)
        with self._words(path, caller, os.fsencode(target)):
            self._tree.make_link(path, target, caller.uid, caller.gid)

    def link(self, old: str, new: str, caller: Caller) -> None:
        self._ours(old, new)
        with self._lock:
            node = self._nodes.get(old)
        if node is not None:
            with node.lock:
                self._judge(node)
        with self._words(new, caller):
            self._tree.link(old, new)

    def unlink(self, path: str) -> None:
        self._ours(path)
        with self._lock:
            node = self._nodes.pop(path, None)
            if node is None:
                self._tree.remove(path)
                return
            if node.hidden is None and node.fresh is None:
                self._tree.remove(path)
            node.gone = True
            node.path = f"/{ASIDE}{secrets.token_hex(8)}"
            self._nodes[node.path] = node

    def rename(self, old: str, new: str, caller: Caller) -> None:
        if new.rpartition("/")[2].startswith(ASIDE):
            self._put_aside(old, new)
            return
        self._ours(old, new)
        with self._lock:
            node = self._nodes.get(old)
            waiting = node is not None and node.fresh is not None  # the name is judged with the content
        name = new.rpartition("/")[2]
        if waiting or name == old.rpartition("/")[2] or name == own_name(old.rpartition("/")[2]) or self._known(new):
            self._rename(old, new)
            return
        with self._words(new, caller):
            self._rename(old, new)

    def _known(self, path: str) -> bool:
        """A name that is on the drive already says nothing new there."""
        with self._lock:
            return self._tree.exists(path) or self._aside(path) is not None

    def _rename(self, old: str, new: str) -> None:
        with self._lock:
            node, aside = self._nodes.get(old), self._aside(new)
            if node is not None and node.fresh is not None:
                self._rename_fresh(node, new, aside)
                return
            self._tree.rename(old, new)
            if aside is not None:
                aside.was = ""
            over = self._nodes.pop(new, None)
            if over is not None and over is not node:
                self._orphan(over)
            for one in [*self._below(old + "/"), *([node] if node else [])]:
                self._move(one, new + one.path[len(old) :])

    def _rename_fresh(self, node: Node, new: str, aside: Node | None) -> None:
        """A file that is not on the drive takes a name there: what has the name now keeps it until the verdict."""
        if aside is not None and aside.hidden is not None and not self._tree.exists(new):
            self._tree.rename(aside.hidden, new)
            aside.hidden = None
        if self._tree.exists(new) and stat.S_ISDIR(self._tree.status(new).st_mode):
            raise _error(errno.EISDIR)
        over = self._nodes.pop(new, None)
        if over is not None and over is not node:
            self._orphan(over)
        self._move(node, new)

    def _put_aside(self, old: str, new: str) -> None:
        """libfuse removes what is open by giving it another name, which it removes when nobody has it open any more. On the
        drive it stays under a temporary name, for a file that may be refused is perhaps about to take its place."""
        with self._lock:
            node = self._nodes.get(old)
            if node is None or node.gone:
                raise _error(errno.EACCES)
            if node.fresh is None:
                node.hidden = f"/{TEMPORARY}{secrets.token_hex(8)}"
                node.was = old
                self._tree.rename(old, node.hidden)
            node.gone = True
            self._move(node, new)

    def _aside(self, path: str) -> Node | None:
        """What had this name on the drive and was put aside."""
        return next((one for one in self._nodes.values() if one.hidden is not None and one.was == path), None)

    def _orphan(self, node: Node) -> None:
        """Its name is another file's now."""
        node.gone = True
        node.path = f"/{ASIDE}{secrets.token_hex(8)}"
        self._nodes[node.path] = node

    def _move(self, node: Node, path: str) -> None:
        if self._nodes.get(node.path) is node:
            del self._nodes[node.path]
        node.path = path
        self._nodes[path] = node

    def _below(self, prefix: str) -> list[Node]:
        return [node for path, node in self._nodes.items() if path.startswith(prefix)]

    def chmod(self, path: str, mode: int) -> None:
        self._ours(path)
        with self._lock:
            node = self._nodes.get(path)
            if node is not None and node.fresh is not None:
                node.fresh.mode = stat.S_IMODE(mode)
            else:
                self._tree.change_mode(path, stat.S_IMODE(mode))

    def chown(self, path: str, uid: int, gid: int) -> None:
        self._ours(path)
        with self._lock:
            node = self._nodes.get(path)
            if node is not None and node.fresh is not None:
                node.fresh.uid = node.fresh.uid if uid < 0 else uid
                node.fresh.gid = node.fresh.gid if gid < 0 else gid
            else:
                self._tree.change_owner(path, uid, gid)

    def utimens(self, path: str, times: tuple[int, int] | None) -> None:
        """Nanoseconds."""
        self._ours(path)
        now = time.time_ns()
        with self._lock:
            before = self.status(path)
            atime, mtime = (
                now if wanted == UTIME_NOW else before[key] if wanted == UTIME_OMIT else wanted
                for wanted, key in zip(times or (UTIME_NOW, UTIME_NOW), ("st_atime", "st_mtime"), strict=True)
            )
            node = self._nodes.get(path)
            if node is not None and node.staged is not None:
                node.times = atime, mtime
            if node is None or (node.fresh is None and not node.gone):
                self._tree.change_times(path, atime, mtime)

    def fsyncdir(self, path: str) -> None:
        self._tree.sync(path)

    def close(self) -> None:
        """What is open still is not judged any more."""
        with self._lock:
            for node in self._nodes.values():
                node.close()
            self._nodes.clear()
            self._tree.close()

    @staticmethod
    def _ours(*paths: str) -> None:
        """Names that this file system needs itself are nobody's to use."""
        for path in paths:
            name = path.rpartition("/")[2]
            if name.startswith(TEMPORARY) or path == f"/{NOTICE}":
                raise _error(errno.EACCES)


def _error(number: int) -> OSError:
    return OSError(number, os.strerror(number))
