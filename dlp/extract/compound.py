"""OLE compound files ([MS-CFB]): the streams by their paths, each read under the budget.

olefile follows the sector chains; it guards against chains that close on themselves. What a directory does not
list is not looked for here: the raw bytes of the whole file are scanned anyway.
"""

import logging
import struct
from functools import cached_property

import olefile

from dlp.extract.budget import PART, Budget, Unreadable
from dlp.extract.view import View
from dlp.model import Why

MAGIC = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_ERRORS = (OSError, ValueError, IndexError, KeyError, TypeError, AttributeError, struct.error, RecursionError, MemoryError)
"""What olefile raises for damage; OSError is the parent of its own."""
_ENTRIES = 100_000
"""Entries of one directory that are listed."""

logging.getLogger("olefile").setLevel(logging.CRITICAL)  # its messages quote names that the document chose

Path = tuple[str, ...]
"""Names from the root storage to a stream."""


class Compound:
    """An opened compound file."""

    def __init__(self, data: bytes | memoryview, budget: Budget) -> None:
        """Raises Unreadable(corrupt)."""
        self._budget = budget
        self._ole = _opened(data)

    @cached_property
    def streams(self) -> dict[Path, int]:
        """Every stream's path and its size in bytes, in the directory's order. Raises Unreadable(corrupt)."""
        try:
            listed = self._ole.listdir(streams=True, storages=False)[:_ENTRIES]
            return {tuple(path): self._ole.get_size(path) for path in listed}
        except _ERRORS as error:
            raise _damaged(error) from error

    def find(self, *path: str) -> Path | None:
        """The stream at `path`, whose names compare without case ([MS-CFB] 2.6.4); None where there is none."""
        wanted = [name.lower() for name in path]
        return next((known for known in self.streams if [name.lower() for name in known] == wanted), None)

    def read(self, path: Path) -> bytes:
        """A stream's content. Raises Unreadable(corrupt, too-large), and what `Budget.spend` raises."""
        size = self.streams[path]
        if size > PART:
            raise Unreadable(Why.TOO_LARGE, "a stream is larger than its limit")
        self._budget.spend(size)
        try:
            content: bytes = self._ole.openstream(list(path)).read()
        except _ERRORS as error:
            raise _damaged(error) from error
        return content


def names(data: bytes | memoryview) -> list[str]:
    """The names of the root's entries, streams and storages. Raises Unreadable(corrupt)."""
    try:
        ole = _opened(data)
        return [entry.name for entry in ole.root.kids]
    except _ERRORS as error:
        raise _damaged(error) from error


def _opened(data: bytes | memoryview) -> olefile.OleFileIO:
    try:
        return olefile.OleFileIO(View(data), raise_defects=olefile.DEFECT_FATAL)
    except _ERRORS as error:
        raise _damaged(error) from error


def _damaged(error: Exception) -> Unreadable:
    return Unreadable(Why.CORRUPT, f"the compound file is damaged ({type(error).__name__})")
