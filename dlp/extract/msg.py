"""Outlook messages ([MS-OXMSG]): the properties of the message, its recipients and its attachments, each a storage of streams.

An embedded message is packed as a file of its own, with the names of named properties, which only the outermost has; so is
an OLE object, and by its content the walk finds what it is.
"""

import re
import struct
from collections.abc import Iterator

from dlp.extract.budget import Budget, Exhausted, Unreadable
from dlp.extract.compound import Compound, Path
from dlp.extract.document import Document
from dlp.extract.format import Format, Pieces
from dlp.extract.mapi import BINARY, DATA, MULTIPLE, OBJECT, STRING8, UNICODE, Properties, Property, fields, message
from dlp.extract.storage import packed
from dlp.model import Why

_PROPERTIES = "__properties_version1.0"
_NAMED = "__nameid_version1.0"
_STREAM = re.compile(r"(?i)__substg1\.0_([0-9A-F]{4})([0-9A-F]{4})(-[0-9A-F]{8})?")
_ENTRY = struct.Struct("<HHI8s")  # 2.4.2: type, number, flags, value
_NAME = struct.Struct("<IHH")  # 2.2.3.1.2: number or offset, kind and GUID, index
_VARIABLE = frozenset({STRING8, UNICODE, BINARY, OBJECT})
_FIRST_NAMED = 0x8000


class _Message:
    """The storages of one message; what could not be read of them gathers in `problems`."""

    def __init__(self, compound: Compound) -> None:
        self.compound = compound
        self.problems: list[Unreadable] = []
        self.storages: dict[Path, list[Path]] = {(): []}
        for path in compound.streams:
            # A storage inside an attachment is an object; its streams stay together.
            depth = min(len(path) - 1, 2)
            self.storages.setdefault(path[:depth], []).append(path)
        self.objects: dict[str, list[Path]] = {}
        for storage in self.storages:
            if len(storage) == 2:
                self.objects.setdefault(storage[0], []).append(storage)
        self.names = self._named()

    def stream(self, path: Path) -> bytes:
        """A stream, or b"" with a problem more."""
        try:
            return self.compound.read(path)
        except Exhausted:
            raise
        except Unreadable as error:
            self.problems.append(error)
            return b""

    def properties(self, storage: Path, page: str | None = None) -> Properties:
        """The properties of the object in `storage`."""
        return Properties(self._properties(storage), page=page)

    def _properties(self, storage: Path) -> Iterator[Property]:
        for path in self.storages.get(storage, ()):
            if path[-1].lower() == _PROPERTIES:
                yield from self._fixed(self.stream(path), root=not storage)
            elif match := _STREAM.fullmatch(path[-1]):
                number, kind, index = int(match.group(1), 16), int(match.group(2), 16), match.group(3)
                if kind & MULTIPLE and not index and kind & ~MULTIPLE in _VARIABLE:
                    continue  # the lengths of the values, which are streams of their own (2.1.4)
                yield Property(number, kind & ~MULTIPLE, self.stream(path), self.names.get(number, ""))

    def _fixed(self, content: bytes, *, root: bool) -> Iterator[Property]:
        """The values that fit into an entry; before them stands a header, of an embedded message a shorter one (2.4.1)."""
        start = 8 if not root else 32 if len(content) % 16 == 0 else 24
        held = content[start:]
        for kind, number, _, value in _ENTRY.iter_unpack(held[: len(held) // _ENTRY.size * _ENTRY.size]):
            if kind not in _VARIABLE and not kind & MULTIPLE:
                yield Property(number, kind, value, self.names.get(number, ""))

    def _named(self) -> dict[int, str]:
        """The names of the numbers from 0x8000 on (2.2.3)."""
        found = {path[-1].lower()[-8:]: path for path in self.storages.get((_NAMED,), ())}
        entries, texts = (self.stream(found[key]) if key in found else b"" for key in ("00030102", "00040102"))
        names: dict[int, str] = {}
        for value, kind, index in _NAME.iter_unpack(entries[: len(entries) // _NAME.size * _NAME.size]):
            if kind & 1:
                size = int.from_bytes(texts[value : value + 4], "little")
                name = texts[value + 4 : value + 4 + size].decode("utf-16-le", "replace")
            else:
                name = f"named 0x{value:04x}"
            names[_FIRST_NAMED + index] = name
        return names


def read(document: Document, budget: Budget) -> Pieces:
    """The message, its recipients, its attachments, and streams that no such file has."""
    compound = Compound(document.data, budget)
    held = _Message(compound)
    top = held.properties(())
    yield from message(document, top, budget)
    for storage in held.storages:
        budget.tick()
        kind = storage[0].lower() if storage else ""
        if len(storage) == 1 and kind.startswith("__recip_version1.0_"):
            yield from fields(document, held.properties(storage, top.page))
        elif len(storage) == 1 and kind.startswith("__attach_version1.0_"):
            yield from _attachment(document, held, storage, top.page)
        elif len(storage) == 2 and not (kind.startswith("__attach_version1.0_") and _STREAM.fullmatch(storage[1])):
            yield from _unknown(document, held, held.storages[storage])
    for storage, paths in held.storages.items():
        if len(storage) < 2 and storage != (_NAMED,):
            strange = [path for path in paths if not (_STREAM.fullmatch(path[-1]) or path[-1].lower() == _PROPERTIES)]
            yield from _unknown(document, held, strange)
    for problem in dict.fromkeys((error.why, error.detail) for error in held.problems):
        yield document.unread(*problem)
    for sentence in compound.damage:
        yield document.unread(Why.CORRUPT, sentence)


def _attachment(document: Document, held: _Message, storage: Path, page: str | None) -> Pieces:
    """What is attached by value, as an object or as a message; of what is only referred to there is but the place."""
    number = int(storage[0][-8:], 16) if re.fullmatch(r"[0-9a-fA-F]{8}", storage[0][-8:]) else 0
    properties = held.properties(storage, page)
    name = properties.file_name
    label = f"attachment {number + 1}"
    yield from fields(document, properties, trail=(name or label,))
    content = properties.data
    objects = held.objects.get(storage[0], [])
    for known in objects:
        match = _STREAM.fullmatch(known[1])
        if match and int(match.group(1), 16) == DATA:
            yield document.nested(_file(held, known), name=name, label=label)
    if content is not None or (name and not objects):
        media = (properties.texts(0x370E) or [""])[0]
        vouched = media if media.startswith("text/") else None
        yield document.nested(content or b"", name=name, label=label, media=vouched)


def _file(held: _Message, storage: Path) -> bytes:
    """A storage as a file; with the names of the outermost message, if it is a message."""
    streams = {path[2:]: held.stream(path) for path in held.storages[storage]}
    if any(path[-1].lower() == _PROPERTIES for path in streams):
        streams |= {path: held.stream(path) for path in held.storages.get((_NAMED,), ())}
    return packed(streams)


def _unknown(document: Document, held: _Message, paths: list[Path]) -> Pieces:
    for path in paths:
        yield document.nested(held.stream(path), name=None, label=path[-1], trail=path[:-1])


FORMAT = Format(name="msg", media_types=("application/vnd.ms-outlook",), read=read)
