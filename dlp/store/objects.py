"""The folder of sealed originals: `state/quarantine/<aa>/<id>`, written so that a name there means a whole, durable file."""

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from dlp.store.files import PRIVATE_FILE, private_folder, sync_folder, translated, write_all
from dlp.store.sealed import Read

_DRAFT = ".draft"


class Found(NamedTuple):
    """A file in the folder: whose it is, whether only a draft, and where."""

    id: str
    draft: bool
    path: Path


class Objects:
    """Files by id. The ids come from the database, never from outside."""

    def __init__(self, root: Path) -> None:
        private_folder(root)
        self.root = root

    def path(self, held: str) -> Path:
        """Where the object of that id is; 256 folders, evenly filled, keep each small."""
        return self.root / hashlib.sha256(held.encode("utf-8")).hexdigest()[:2] / held

    def write(self, held: str, pieces: Iterable[bytes], check: Callable[[Read], None]) -> None:
        """Write the object durably; `check` reads it back from the disk before it gets its name. Raises StoreError.

        Draft beside its place, fsync, read back, rename, fsync of the folder: after a power cut
        there is the whole object under its name or none.
        """
        path = self.path(held)
        draft = path.with_name(f".{held}{_DRAFT}")
        private_folder(path.parent)
        with translated("the original was not stored", path):
            try:
                _write(draft, pieces)
                with _reading(draft) as read:
                    check(read)
                draft.rename(path)
            except BaseException:
                draft.unlink(missing_ok=True)
                raise
            sync_folder(path.parent)

    @contextmanager
    def reading(self, held: str) -> Iterator[Read]:
        """The object, to be read from its beginning. Raises StoreError."""
        path = self.path(held)
        with translated("the original was not read", path), _reading(path) as read:
            yield read

    def exists(self, held: str) -> bool:
        """Whether there is an object of that id."""
        return self.path(held).exists()

    def remove(self, held: str) -> None:
        """Remove the object and its draft, whichever is there, durably. Raises StoreError."""
        path = self.path(held)
        with translated("the original was not removed", path):
            for name in (path, path.with_name(f".{held}{_DRAFT}")):
                name.unlink(missing_ok=True)
            if path.parent.exists():
                sync_folder(path.parent)

    def found(self) -> Iterator[Found]:
        """Each object and each draft there is."""
        with translated("the folder of originals was not read", self.root):
            for path in sorted(self.root.glob("[0-9a-f][0-9a-f]/*")):
                draft = path.name.startswith(".") and path.name.endswith(_DRAFT)
                yield Found(path.name[1 : -len(_DRAFT)] if draft else path.name, draft, path)

    def erase(self, path: Path) -> None:
        """Remove a file that `found` named, durably. Raises StoreError."""
        with translated("what is left of an original was not removed", path):
            path.unlink(missing_ok=True)
            sync_folder(path.parent)


def _write(path: Path, pieces: Iterable[bytes]) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, PRIVATE_FILE)
    try:
        for piece in pieces:
            write_all(descriptor, piece)
        os.fsync(descriptor)
        # What is read back is to come from the disk, not from the memory it was written from.
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
    finally:
        os.close(descriptor)


@contextmanager
def _reading(path: Path) -> Iterator[Read]:
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with open(descriptor, "rb") as file:
        yield file.read
