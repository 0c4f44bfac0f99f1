"""libarchive behind a small face: one format, at most one filter, over the document's own memory, without callbacks.

Only what sniffing found is enabled. With everything enabled libarchive guesses, and unpacks compressed data inside
compressed data for as long as it finds any; a named filter is appended without that guessing, and no further one follows.
Its functions are declared here anew, since those of libarchive-c log the library's messages, which quote content.
"""

import ctypes
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from types import TracebackType
from typing import Any

import numpy as np

from dlp.extract.budget import CHUNK, Unreadable
from dlp.extract.charset import decode
from dlp.model import Why

try:
    from libarchive import ffi as _ffi
except (ImportError, OSError, AttributeError, TypeError) as error:
    # ctypes falls back on this program itself where there is no library, and then misses its functions.
    raise ImportError("libarchive cannot be loaded (Debian, Ubuntu: libarchive13 or libarchive13t64)") from error

FILTERS = {"lzip": 9, "lz4": 13, "zstd": 14}
"""ARCHIVE_FILTER_* of archive.h, of filters that the library reads itself and not by a program that it starts.
That of compress cannot be appended: it reads when there is nothing to read from yet, and crashes."""
_EOF, _WARN, _FATAL = 1, -20, -30
_TYPE, _DIRECTORY, _REGULAR, _UNSET = 0o170000, 0o040000, 0o100000, 0
_WINDOW = 1 << 18
"""Bytes given to the library at a time: with all of it in one block some readers look for the end from the beginning."""


def _function(name: str, result: Any, *arguments: Any) -> Callable[..., Any]:
    function = _ffi.libarchive[f"archive_{name}"]
    function.restype, function.argtypes = result, arguments
    return function  # type: ignore[no-any-return]


_P, _I, _Z, _S = ctypes.c_void_p, ctypes.c_int, ctypes.c_size_t, ctypes.c_char_p
_new = _function("read_new", _P)
_free = _function("read_free", _I, _P)
_filter = _function("read_append_filter", _I, _P, _I)
_options = _function("read_set_options", _I, _P, _S)
_passphrase = _function("read_add_passphrase", _I, _P, _S)
_open = _function("read_open_memory2", _I, _P, _P, _Z, _Z)
_next = _function("read_next_header", _I, _P, ctypes.POINTER(_P))
_data = _function("read_data", ctypes.c_ssize_t, _P, _P, _Z)
_filetype = _function("entry_filetype", _I, _P)
_encrypted = _function("entry_is_encrypted", _I, _P)
_any_encrypted = _function("read_has_encrypted_entries", _I, _P)
_size_set = _function("entry_size_is_set", _I, _P)
_size = _function("entry_size", ctypes.c_int64, _P)
_names = {
    what: tuple(_function(f"entry_{what}{form}", _S, _P) for form in ("", "_utf8"))
    for what in ("pathname", "symlink", "hardlink")
}
_formats = {
    name: _function(f"read_support_format_{name}", _I, _P)
    for name in (
        "7zip",
        "ar",
        "cab",
        "cpio",
        "empty",
        "iso9660",
        "lha",
        "rar",
        "rar5",
        "raw",
        "xar",
        "zip_seekable",
        "zip_streamable",
    )
}


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry: `target` of a link, `size` in bytes where it is stated; neither directory nor regular is a link or a device."""

    name: str
    target: str
    regular: bool
    directory: bool
    size: int | None
    encrypted: bool


class Unarchiver(AbstractContextManager["Unarchiver"]):
    """The entries of an archive in order, and the content of the one that was met last: `read` is a stream of it."""

    def __init__(
        self,
        data: bytes | memoryview,
        *,
        formats: Sequence[str],
        filtered: str | None = None,
        options: str = "",
        password: str = "",
    ) -> None:
        """Raises Unreadable(corrupt) where this is no such archive."""
        self._bytes = np.frombuffer(data, dtype=np.uint8)  # holds the memory; its address is given away
        self._buffer = ctypes.create_string_buffer(CHUNK)
        self._view = memoryview(self._buffer)
        self._archive = _new()
        if not self._archive:
            raise MemoryError
        try:
            self._opened(formats, filtered, options, password)
        except BaseException:
            self.close()
            raise

    def entries(self) -> Iterator[Entry]:
        """Raises Unreadable(corrupt or encrypted) where the next one cannot be read."""
        entry = ctypes.c_void_p()
        while True:
            status = _next(self._archive, ctypes.byref(entry))
            if status == _EOF:
                return
            if status < _WARN:
                if _any_encrypted(self._archive) > 0:
                    raise Unreadable(Why.ENCRYPTED, "the list of members is encrypted")
                raise Unreadable(Why.CORRUPT, "a member's header cannot be read")
            yield _entry(entry)

    def read(self, size: int, /) -> bytes:
        """The next bytes of this entry. Raises Unreadable(corrupt)."""
        got = _data(self._archive, self._buffer, min(size, CHUNK))
        if got < 0:
            raise Unreadable(Why.CORRUPT, "a member's data cannot be read")
        return bytes(self._view[:got])

    def close(self) -> None:
        if self._archive:
            _free(self._archive)
            self._archive = None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /) -> None:
        self.close()

    def _opened(self, formats: Sequence[str], filtered: str | None, options: str, password: str) -> None:
        for name in formats:
            self._check(_formats[name](self._archive))
        if filtered is not None:
            self._check(_filter(self._archive, FILTERS[filtered]))
        if options:
            self._check(_options(self._archive, options.encode()))
        if password:
            self._check(_passphrase(self._archive, password.encode()))
        address = self._bytes.ctypes.data if len(self._bytes) else None
        self._check(_open(self._archive, address, len(self._bytes), _WINDOW))

    def _check(self, status: int) -> None:
        if status < _WARN:
            raise Unreadable(Why.CORRUPT, "not a readable archive of its kind")


def _entry(entry: ctypes.c_void_p) -> Entry:
    kind = _filetype(entry) & _TYPE
    return Entry(
        name=_text(entry, "pathname"),
        target=_text(entry, "symlink") or _text(entry, "hardlink"),
        regular=kind in (_REGULAR, _UNSET),
        directory=kind == _DIRECTORY,
        size=_size(entry) if _size_set(entry) else None,
        encrypted=_encrypted(entry) > 0,
    )


def _text(entry: ctypes.c_void_p, what: str) -> str:
    """A name as the archive has it, decoded here: its bytes where the format has bytes, else UTF-8 made of its characters."""
    for function in _names[what]:
        found: bytes | None = function(entry)
        if found is not None:
            return decode(found, None)
    return ""
