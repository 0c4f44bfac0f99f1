"""OLE compound files: what is in them besides the streams that a format of its own reads, and those of no such format.

Property sets, macros and embedded objects ([MS-OLEDS] 2.3) stand in the files of Word, Excel and PowerPoint alike. A storage
that holds an object is a document, and so is a stream that nothing here knows.
"""

import re
import struct
from collections.abc import Container, Iterator

from dlp.extract import oleds, vba, works
from dlp.extract.budget import Budget, Exhausted, Unreadable
from dlp.extract.charset import decode
from dlp.extract.compound import Compound, Path
from dlp.extract.document import Document
from dlp.extract.format import Format, Pieces
from dlp.extract.property_set import PropertySet
from dlp.extract.storage import nested_file
from dlp.extract.strings import strings
from dlp.model import Why, Zone

_OBJECT = frozenset(
    {
        "\1ole10native",
        "\1ole",
        "\1compobj",
        "contents",
        "package",
        "worddocument",
        "workbook",
        "book",
        "powerpoint document",
        "encryptedpackage",
        "visiodocument",
        "__properties_version1.0",
    }
)
"""A storage with one of these streams is an object of its own."""
_QUIET = re.compile(
    r"(?i)\x01Ole|\x03ObjInfo|\x03LinkInfo|\x03OCXNAME|\x03OCXDATA|\x03AccessObjSiteData|Current User|Version|_VBA_PROJECT"
    r"|properties_stream"
)
"""Streams of a few fields in binary, whose strings are all that a person could have put there."""
_SEALED = re.compile(r"(?i)encryption|EncryptedSummary|\x09DRMContent|\x09DRMViewerContent")
"""[MS-OFFCRYPTO] 2.3.5.4 and 2.2.11: properties that are encrypted beside the document, and rights-managed content."""
_PRESENTATION = re.compile(r"(?i)\x02OlePres\d{3}")
_PRINT = re.compile(r"(?i)\x03E?PRINT")
_METAFILE = re.compile(rb"\x01\x00\x09\x00\x00\x03|\xd7\xcd\xc6\x9a|\x01\x00\x00\x00(?s:.{36}) EMF")
_LOOK = 512
"""Bytes in which a picture begins whose header ([MS-OLEDS] 2.3.4) is not gone through."""


def read(document: Document, budget: Budget) -> Pieces:
    """Everything in a compound file of which nobody knows more than that."""
    compound = Compound(document.data, budget)
    yield from other_streams(document, compound, budget)


def other_streams(document: Document, compound: Compound, budget: Budget, *, read: Container[str] = ()) -> Pieces:
    """All but the root's streams in `read` (names in lower case), which the caller reads; then what damage there was."""
    macros = dict.fromkeys(vba.projects(compound))
    objects = macros | dict.fromkeys(_objects(compound, macros))
    for path in compound.streams:
        budget.tick()
        if not (len(path) == 1 and path[0].lower() in read) and not _below(path, objects):
            yield from _stream(document, compound, path, budget)
    for start in objects:
        budget.tick()
        if start in macros:
            yield from vba.read_project(document, compound, start, budget)
        else:
            content, problem = nested_file(compound, budget, *start)
            if problem is not None:
                yield document.unread(problem.why, problem.detail, trail=start)
            yield document.nested(content, name=None, label=_shown(start[-1]), trail=tuple(map(_shown, start[:-1])))
    for sentence in compound.damage:
        yield document.unread(Why.CORRUPT, sentence)


def _below(path: Path, storages: Container[Path]) -> bool:
    return any(path[:depth] in storages for depth in range(len(path) + 1))


def _objects(compound: Compound, macros: Container[Path]) -> Iterator[Path]:
    """The outermost storages that are objects and not in a macro project."""
    found: set[Path] = set()
    for path in sorted((path for path in compound.streams if path[-1].lower() in _OBJECT and len(path) > 1), key=len):
        storage = path[:-1]
        if not _below(storage, macros) and not _below(storage, found):
            found.add(storage)
            yield storage


def _stream(document: Document, compound: Compound, path: Path, budget: Budget) -> Pieces:
    name, place = path[-1], tuple(map(_shown, path[:-1]))
    try:
        data = compound.read(path)
    except Exhausted:
        raise
    except Unreadable as error:
        yield document.unread(error.why, error.detail, trail=(*place, _shown(name)))
        return
    if not data:
        return
    if _SEALED.fullmatch(name):
        yield document.unread(Why.ENCRYPTED, "a stream is encrypted", trail=(*place, _shown(name)))
    elif name.startswith("\5") and data[:2] == b"\xfe\xff":
        yield from properties(document, data, budget, trail=(*place, _shown(name)))
    elif name.lower() == "\1ole10native":
        yield from _packaged(document, data, place)
    elif name.lower() == "\1compobj":
        yield from document.parts(_class_names(data), zone=Zone.PROPERTY, trail=place)
    elif _QUIET.fullmatch(name) or path[0] == "\6DataSpaces":
        yield from document.parts(strings(data), zone=Zone.PROPERTY, trail=(*place, _shown(name)))
    elif _PRESENTATION.fullmatch(name) or _PRINT.fullmatch(name):
        picture = _METAFILE.search(data, 0, _LOOK)
        if picture is not None:
            yield document.nested(data[picture.start() :], name=None, label=_shown(name), trail=place)
    elif data.startswith(works.MAGIC):
        yield from document.parts(works.words(data, budget), trail=place, start=True)
        yield from document.parts(strings(data), zone=Zone.HIDDEN, trail=place)
    else:
        yield document.nested(data, name=None, label=_shown(name), trail=place)


def properties(document: Document, data: bytes, budget: Budget, *, trail: tuple[str, ...] = ()) -> Pieces:
    """A stream that is a property set."""
    found = PropertySet(data, budget)
    yield from document.parts(found.lines, zone=Zone.PROPERTY, trail=trail)
    if found.thumbnail:
        yield document.nested(found.thumbnail, name=None, label="thumbnail", trail=trail)
    if found.damage:
        yield document.unread(Why.CORRUPT, "a property set is damaged", trail=trail)


def _packaged(document: Document, data: bytes, place: tuple[str, ...]) -> Pieces:
    """The native data of an object: a file of the Object Packager, or whatever its program wrote ([MS-OLEDS] 2.3.6)."""
    native = data[4:]
    try:
        name, paths, content = oleds.package(native)
    except (struct.error, ValueError):
        yield document.nested(native, name=None, label="Ole10Native", trail=place)
        return
    end = native.find(content) + len(content)
    wide = list(strings(native[end:]))  # the same names in UTF-16, in which no code page can spoil them
    texts = dict.fromkeys((*(path + "\n" for path in paths), *wide))
    yield from document.parts(texts, zone=Zone.FILENAME, trail=place)
    yield document.nested(content, name=name or None, label="Package", trail=place)


def _class_names(data: bytes) -> Iterator[str]:
    """The names by which an object's class is shown to people and known to programs ([MS-OLEDS] 2.3.8)."""
    at = 28
    for _ in range(3):
        size = int.from_bytes(data[at : at + 4], "little")
        if not 0 < size <= len(data):
            return
        yield decode(data[at + 4 : at + 4 + size].rstrip(b"\0"), None) + "\n"
        at += 4 + size


def _shown(name: str) -> str:
    """A stream's name without the control character that says what kind of stream it is."""
    return name.lstrip("\1\2\3\4\5\6\7\x08\x09") or "stream"


FORMAT = Format(name="ole", media_types=("application/x-ole-storage",), read=read)
