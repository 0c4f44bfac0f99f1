"""Archives that libarchive reads: ISO 9660, cpio, LHA, ar, xar, PPMd in ZIP, LZX in CAB. Each its own reader, none guessed."""

from dlp.extract.budget import Budget, Unreadable
from dlp.extract.document import Document
from dlp.extract.format import Format, Pieces
from dlp.extract.unarchive import Entry, Unarchiver
from dlp.model import Part, Why, Zone

_LZX = "application/x-cab-lzx"
READERS = {
    _LZX: "cab",
    "application/x-iso9660-image": "iso9660",
    "application/x-cpio": "cpio",
    "application/x-lha": "lha",
    "application/x-archive": "ar",
    "application/x-xar": "xar",
    "application/x-zip-ppmd": "zip_streamable",
}
"""The reader of libarchive for each media type."""


def read(document: Document, budget: Budget) -> Pieces:
    """Members as documents inside, the names of everything else, the targets of links."""
    data = document.data
    if document.media_type == _LZX:  # the mark by which it is told from other cabinets
        data = b"MSCF\0\0\0\0" + bytes(data[8:])
    with Unarchiver(data, formats=[READERS[document.media_type]]) as archive:
        for entry in archive.entries():
            budget.tick()
            yield from member(document, archive, entry, budget)


def member(document: Document, archive: Unarchiver, entry: Entry, budget: Budget) -> Pieces:
    """What one entry of `archive` holds. Raises Exhausted."""
    if entry.target or not entry.regular:
        yield from named(document, entry.name, entry.target)
    if not entry.regular and not entry.size:
        return
    content, end = _content(document, archive, entry, budget)
    if not content and not entry.regular:  # a size is stated for folders in ISO 9660; there is nothing to read
        return
    if end is not None:
        yield document.unread(end.why, end.detail, trail=(entry.name,))
    yield document.nested(content, name=entry.name or None, label="unnamed")


def _content(document: Document, archive: Unarchiver, entry: Entry, budget: Budget) -> tuple[bytes, Unreadable | None]:
    if entry.encrypted:
        return b"", Unreadable(Why.ENCRYPTED, "an encrypted member")
    content, end = budget.take(archive, packed=len(document.data))
    if entry.size is not None and not content[entry.size :].strip(b"\0"):
        content = content[: entry.size]  # the reader of xar gives zeros behind the second member and those after it
    if end is None and entry.regular and entry.size is not None and len(content) < entry.size:
        end = Unreadable(Why.CORRUPT, "a member is cut short")
    return content, end


def named(document: Document, name: str, target: str = "") -> Pieces:
    """The name of what has no content of its own, and what it points to."""
    if name:
        yield Part(text=name, trail=(*document.trail, name), zone=Zone.FILENAME)
    yield from document.parts([target], zone=Zone.FILENAME, trail=(name,))


FORMAT = Format(name="archive", media_types=tuple(READERS), read=read, risky=True)
