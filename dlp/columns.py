"""Sorted numbers in files that are mapped into memory: what the registers' indexes are made of.

A set of columns is a folder. Each column is one file, a plain little-endian array; `manifest` names the files, their lengths
and checksums, and facts about the whole. A file is never changed: a `Draft` writes new ones beside those there are, syncs them,
and renames a new manifest over the old, so that a crash at any step leaves the old set or the new, whole. What no manifest
names is rubbish, and the next draft removes it.
"""

import json
import os
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dlp.errors import ConfigError

Array = NDArray[Any]

MANIFEST = "manifest"
_FORMAT = 1
_PRIVATE_FOLDER, _PRIVATE_FILE = 0o700, 0o600
_ATTEMPTS = 10
"""Times a set is opened again that another process replaced meanwhile."""
_CHUNK = 1 << 24
"""Bytes whose checksum is taken at a time."""
_REMEDY = "restore the state folder from a backup, or move this folder away and register everything again"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Column:
    """One file of a manifest: its name, numpy's word for the type of its numbers, how many, the CRC-32 of its bytes."""

    file: str
    kind: str
    length: int
    crc: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Columns:
    """One set, opened: read-only arrays by name, and the facts of its manifest."""

    arrays: Mapping[str, Array]
    facts: Mapping[str, Any]
    named: Mapping[str, _Column]


def opened(folder: Path) -> Columns | None:
    """The set in `folder`, every checksum verified; None where nothing was ever written. Raises ConfigError (damaged, not
    permitted)."""
    for _ in range(_ATTEMPTS):
        text = _manifest(folder)
        if text is None:
            return None
        facts, named = _parsed(folder, text)
        try:
            arrays = {name: _mapped(folder, column) for name, column in named.items()}
        except FileNotFoundError as error:
            if _manifest(folder) == text:
                raise _damaged(folder, f"the file {Path(error.filename).name} is missing") from None
        else:
            return Columns(arrays=arrays, facts=facts, named=named)
    raise ConfigError.single(folder, "", "is being changed all the time", "try again")


def facts(folder: Path) -> Mapping[str, Any]:
    """Those of the set in `folder`, its columns unread; none where nothing was ever written. Raises ConfigError."""
    text = _manifest(folder)
    return {} if text is None else _parsed(folder, text)[0]


def _manifest(folder: Path) -> bytes | None:
    try:
        return (folder / MANIFEST).read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ConfigError.single(folder, "", f"cannot be read: {error.strerror}", "give it to the daemon's user") from error


def _parsed(folder: Path, text: bytes) -> tuple[Mapping[str, Any], Mapping[str, _Column]]:
    crc, _, body = text.partition(b"\n")
    try:
        if int(crc, 16) != zlib.crc32(body):
            raise _damaged(folder, "its manifest does not have its checksum")
        content = json.loads(body)
        if content["format"] != _FORMAT:
            remedy = "install the version of dlp that made it, or register everything again"
            raise ConfigError.single(folder, "", f"its format {content['format']} is not of this version", remedy)
        return content["facts"], {name: _Column(**column) for name, column in content["columns"].items()}
    except (ValueError, KeyError, TypeError) as error:
        raise _damaged(folder, "its manifest cannot be read") from error


def _mapped(folder: Path, column: _Column) -> Array:
    """Raises FileNotFoundError, and ConfigError where the file is not what the manifest says."""
    path = folder / column.file
    kind = np.dtype(column.kind)
    try:
        if path.stat().st_size != column.length * kind.itemsize:
            raise _damaged(folder, f"{column.file} has not its length")
        # A plain array over the map: the subclass costs microseconds at every turn.
        array: Array = np.memmap(path, dtype=kind, mode="r").view(np.ndarray) if column.length else np.empty(0, dtype=kind)
        data, crc = array.view(np.uint8).data, 0
        for start in range(0, len(data), _CHUNK):
            crc = zlib.crc32(data[start : start + _CHUNK], crc)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise ConfigError.single(path, "", f"cannot be read: {error.strerror}", "give it to the daemon's user") from error
    if crc != column.crc:
        raise _damaged(folder, f"{column.file} has not its checksum")
    return array


def _damaged(folder: Path, what: str) -> ConfigError:
    return ConfigError.single(folder, "", f"is damaged: {what}", _REMEDY)


class ColumnWriter:
    """One new file of a draft; `append` as often as it takes, so that a column larger than memory can be written."""

    def __init__(self, folder: Path, file: str, kind: str) -> None:
        self._file, self._kind = file, np.dtype(kind).newbyteorder("<")
        self._length = self._crc = 0
        self._descriptor = os.open(folder / file, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, _PRIVATE_FILE)
        give(self._descriptor, folder)

    def append(self, numbers: Array) -> None:
        """Raises OSError."""
        data = np.ascontiguousarray(numbers, dtype=self._kind).view(np.uint8).data
        self._length += len(numbers)
        self._crc = zlib.crc32(data, self._crc)
        while data:
            data = data[os.write(self._descriptor, data) :]

    def done(self) -> _Column:
        """Make it durable and close it."""
        os.fsync(self._descriptor)
        self.close()
        return _Column(file=self._file, kind=self._kind.str, length=self._length, crc=self._crc)

    def close(self) -> None:
        """Idempotent."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


class Draft:
    """A new set for `folder`, in force once `commit` has returned. One writer at a time: hold a lock around it."""

    def __init__(self, folder: Path, old: Columns | None) -> None:
        self._folder = folder
        self._old = old.named if old else {}
        self._kept: dict[str, _Column] = {}
        self._writers: dict[str, ColumnWriter] = {}
        self._rubbish()

    def column(self, name: str, kind: str) -> ColumnWriter:
        """A new column; `kind` is numpy's word, such as "<u8". Raises OSError."""
        writer = ColumnWriter(self._folder, f"{name}-{os.urandom(6).hex()}", kind)
        self._writers[name] = writer
        return writer

    def write(self, name: str, numbers: Array) -> None:
        """A new column that is in memory whole. Raises OSError."""
        self.column(name, numbers.dtype.str).append(numbers)

    def keep(self, *names: str) -> None:
        """Take these columns over from the old set, unchanged."""
        self._kept.update((name, self._old[name]) for name in names)

    def commit(self, facts: Mapping[str, Any]) -> None:
        """Make all of it durable and put it in force. Raises OSError; then the old set is in force."""
        named = self._kept | {name: writer.done() for name, writer in self._writers.items()}
        columns = {name: asdict(column) for name, column in named.items()}
        body = json.dumps({"format": _FORMAT, "facts": dict(facts), "columns": columns}).encode()
        replaced(self._folder / MANIFEST, b"%08x\n%b" % (zlib.crc32(body), body))
        self._rubbish(keep=[column.file for column in named.values()])

    def give_up(self) -> None:
        """Close what is open; the files are rubbish."""
        for writer in self._writers.values():
            writer.close()

    def _rubbish(self, keep: Sequence[str] = ()) -> None:
        """Remove what no manifest names: `keep`, or else the old set, stays."""
        named = {MANIFEST, *(keep or [column.file for column in self._old.values()])}
        for path in self._folder.iterdir():
            if path.name not in named:
                path.unlink(missing_ok=True)


def replaced(path: Path, data: bytes) -> None:
    """Put a small file in the place of `path`, whole and durable (rename(2), fsync(2)). Raises OSError."""
    draft = path.with_name(f".{path.name}.{os.urandom(6).hex()}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, _PRIVATE_FILE)
    try:
        give(descriptor, path.parent)
        view = memoryview(data)
        while view:
            view = view[os.write(descriptor, view) :]
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    draft.rename(path)
    synced(path.parent)


def private(folder: Path) -> None:
    """Make `folder` in a folder that is there, durably, with mode 0700. Raises OSError."""
    if not folder.is_dir():
        folder.mkdir(mode=_PRIVATE_FOLDER, exist_ok=True)
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            give(descriptor, folder.parent)
        finally:
            os.close(descriptor)
        synced(folder.parent)


def synced(folder: Path) -> None:
    """Make the names in `folder` durable (fsync(2), NOTES). Raises OSError."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def give(descriptor: int, folder: Path) -> None:
    """Let who owns `folder` own what was made in it: an administrator's command works on the state of the daemon's own user,
    who has to read what it leaves."""
    owner = folder.stat()
    if os.geteuid() == 0 and owner.st_uid != 0:
        os.fchown(descriptor, owner.st_uid, owner.st_gid)
