"""What the compressed single files have in common."""

import re
import zlib
from collections.abc import Callable
from typing import Protocol

from dlp.extract.budget import Budget, Readable, Unreadable
from dlp.extract.document import Document
from dlp.extract.format import Pieces
from dlp.model import Why

_SUFFIXES = {
    ".tgz": ".tar",
    ".taz": ".tar",
    ".tbz2": ".tar",
    ".tbz": ".tar",
    ".txz": ".tar",
    ".tlz": ".tar",
    ".tzst": ".tar",
    ".svgz": ".svg",
    ".emz": ".emf",
    ".wmz": ".wmf",
}
_DROPPED = (".gz", ".bz2", ".xz", ".lzma", ".z", ".zst", ".lz4", ".lz", ".bz")
_CONTENT = re.compile(rb"[^\0]")
_INPUT = 1 << 16
"""Packed bytes given to a decompressor at a time."""


class Decompressor(Protocol):
    """One stream, as the classes of bz2 and lzma are."""

    @property
    def eof(self) -> bool: ...
    @property
    def needs_input(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, max_length: int) -> bytes: ...


class Stored:
    """Bytes as a stream."""

    def __init__(self, data: bytes | memoryview) -> None:
        self._data = memoryview(data)
        self._at = 0

    def read(self, size: int, /) -> bytes:
        chunk = bytes(self._data[self._at : self._at + size])
        self._at += len(chunk)
        return chunk


class Limited:
    """The next `left` bytes of a stream."""

    def __init__(self, inner: Readable, size: int) -> None:
        self._inner = inner
        self.left = size

    def read(self, size: int, /) -> bytes:
        chunk = self._inner.read(min(size, self.left)) if self.left else b""
        self.left -= len(chunk)
        return chunk


class Inflater:
    """zlib's decompressor with the face of the others; `bits` says in which wrapping, as its own does."""

    def __init__(self, bits: int) -> None:
        self._inner = zlib.decompressobj(bits)
        self._full = False

    @property
    def eof(self) -> bool:
        return self._inner.eof

    @property
    def needs_input(self) -> bool:
        return not (self._full or self._inner.unconsumed_tail)

    @property
    def unused_data(self) -> bytes:
        return self._inner.unused_data

    def decompress(self, data: bytes, max_length: int) -> bytes:
        chunk = self._inner.decompress(data or self._inner.unconsumed_tail, max_length)
        # Where the output is full there may be more of it without more input.
        self._full = len(chunk) == max_length
        return chunk


class Streams:
    """Compressed streams that stand one after the other in `data`, as one; `at` is where the last whole one ended."""

    def __init__(
        self,
        data: bytes | memoryview,
        budget: Budget,
        *,
        start: Callable[[int], Decompressor | None],
        errors: tuple[type[Exception], ...],
    ) -> None:
        """`start` gives the decompressor of the stream at an offset, None where there is none; `errors` are its library's."""
        self.at = 0
        self._data = memoryview(data)
        self._tick = budget.tick
        self._start = start
        self._errors = errors
        self._stream = start(0)
        self._fed = 0

    def read(self, size: int, /) -> bytes:
        """Raises Unreadable(corrupt), Exhausted: there may be millions of empty streams."""
        while self._stream is not None:
            self._tick()
            try:
                if chunk := self._more(self._stream, size):
                    return chunk
            except self._errors as error:
                raise Unreadable(Why.CORRUPT, f"the compressed data is damaged ({type(error).__name__})") from error
        return b""

    def _more(self, stream: Decompressor, size: int) -> bytes:
        packed = b""
        if stream.needs_input:
            packed = bytes(self._data[self._fed : self._fed + _INPUT])
            self._fed += len(packed)
            if not packed:
                raise EOFError
        chunk = stream.decompress(packed, size)
        if stream.eof:
            self.at = self._fed = self._fed - len(stream.unused_data)
            self._stream = self._start(self.at)
        return chunk


def expanded(document: Document, budget: Budget, stream: Readable, *, name: str | None = None) -> Pieces:
    """The document inside `stream`, as far as it can be read, under the name the file's own name tells, else `name`."""
    content, end = budget.take(stream, packed=len(document.data))
    if end is not None:
        yield document.unread(end.why, end.detail)
    yield document.nested(content, name=inner_name(document.name) or name, label="content")
    if isinstance(stream, Streams) and end is None and _CONTENT.search(document.data, stream.at):
        yield document.nested(document.data[stream.at :], name=None, label="after the compressed data")


def inner_name(name: str | None) -> str | None:
    """The name a file has once it is expanded: "a.tar.gz" → "a.tar", "a.tgz" → "a.tar"; None where it does not tell."""
    if name is None:
        return None
    stem, dot, suffix = name.rpartition(".")
    ending = (dot + suffix).lower()
    if not stem:
        return None
    return stem if ending in _DROPPED else stem + _SUFFIXES[ending] if ending in _SUFFIXES else None
