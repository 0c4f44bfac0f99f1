"""Immutable content with a SHA-256. Who creates a Blob closes it.

Content that came through a channel is copied into a sealed memfd (memfd_create(2), fcntl(2)
F_ADD_SEALS), so that what is inspected is what is kept and sent on, whatever a writer does
meanwhile. A file too large for that is read in place (`Blob.over`); it is not sealed, and its
SHA-256 is that of the moment it was read.
"""

import fcntl
import hashlib
import os
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from types import TracebackType

CHUNK = 1 << 20
"""Bytes read at a time."""

_SEALS = fcntl.F_SEAL_SEAL | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE


def _write(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


@dataclass(frozen=True, slots=True)
class Blob:
    """Content behind a read descriptor: `size` in bytes, `sealed` if nobody can change it.

    `known` is its SHA-256 in hex, "" of what is too large to have one, None while nobody has asked. `undotted`: no
    line begins with a dot, and the last one has its end, so that SMTP sends it as it is.
    """

    descriptor: int
    known: str | None
    size: int
    sealed: bool = True
    undotted: bool = False
    start: int = 0
    """Where in it the content begins; see `rest`."""

    @property
    def sha256(self) -> str:
        """In hex; where it is not known yet the content is read for it, which takes its time: not to be asked in an event
        loop. "" of what is too large to have one."""
        if self.known is None:
            digest = hashlib.sha256()
            for chunk in self.chunks():
                digest.update(chunk)
            object.__setattr__(self, "known", digest.hexdigest())
        assert self.known is not None  # noqa: S101 - set above
        return self.known

    @classmethod
    def of(cls, chunks: Iterable[bytes]) -> "Blob":
        """Copy `chunks` into a sealed memfd. Raises OSError (no memory) and closes what it opened."""
        digest, size = hashlib.sha256(), 0
        descriptor = os.memfd_create("dlp-item", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        try:
            for chunk in chunks:
                digest.update(chunk)
                size += len(chunk)
                _write(descriptor, chunk)
            fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, _SEALS)
        except BaseException:
            os.close(descriptor)
            raise
        return cls(descriptor, digest.hexdigest(), size)

    @classmethod
    def copy_of(cls, source: int) -> "Blob":
        """A sealed copy of the open file `source`, from its beginning; `source` stays open."""
        return cls.of(_read(source))

    @classmethod
    def over(cls, source: int) -> "Blob":
        """The open file `source` read in place, without a copy: a duplicate descriptor, not sealed."""
        digest, size = hashlib.sha256(), 0
        for chunk in _read(source):
            digest.update(chunk)
            size += len(chunk)
        return cls(os.dup(source), digest.hexdigest(), size, sealed=False)

    def chunks(self, size: int = CHUNK) -> Iterator[bytes]:
        """The content from the beginning; any number of readers at once."""
        return _read(self.descriptor, size, start=self.start)

    def rest(self, start: int) -> "Blob":
        """What follows the first `start` bytes, to be sent: over the same descriptor, so it is not to be closed."""
        return replace(self, known=None, size=max(0, self.size - start), start=self.start + start)

    def between(self, start: int, end: int) -> Iterator[bytes]:
        """The content from byte `start` to before byte `end`."""
        return _read(self.descriptor, start=self.start + start, end=self.start + end)

    def read(self) -> bytes:
        """All of it, for content known to be small."""
        return b"".join(self.chunks())

    def close(self) -> None:
        """Give the content up; the creator calls this once."""
        os.close(self.descriptor)

    def __enter__(self) -> "Blob":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()


def _read(descriptor: int, size: int = CHUNK, *, start: int = 0, end: int = sys.maxsize) -> Iterator[bytes]:
    """pread(2) from `start` to `end` or the last byte, so that the descriptor's own position is neither used nor moved."""
    while chunk := os.pread(descriptor, min(size, max(0, end - start)), start):
        start += len(chunk)
        yield chunk
