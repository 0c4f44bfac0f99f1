"""tar (POSIX.1-2017 pax, GNU): members in order; what follows a damaged header is not passed over."""

import re
import tarfile
from collections.abc import Iterator

from dlp.extract.budget import Budget, Guarded, Unreadable
from dlp.extract.charset import decode
from dlp.extract.document import Document
from dlp.extract.format import Format, Pieces
from dlp.model import Part, Why, Zone

_ERRORS = (tarfile.TarError, EOFError, OSError, ValueError)
_CONTENT = re.compile(rb"[^\0]")


def read(document: Document, budget: Budget) -> Pieces:
    """Regular files as documents inside, the names of everything else, and the targets of links."""
    with _opened(document) as archive:
        damage = ""
        while True:
            try:
                member = archive.next()
            except _ERRORS as error:
                damage = type(error).__name__
                break
            if member is None:
                break
            budget.tick()
            yield from _member(document, archive, member, budget)
        # tarfile takes a header that it cannot read for the end of the archive.
        if damage or _CONTENT.search(document.data, min(archive.offset, len(document.data))):
            yield document.unread(Why.CORRUPT, f"a member cannot be read {damage}".rstrip())
            rest = document.data[archive.offset :]
            yield document.nested(rest, name=None, label="after the last member")


def _opened(document: Document) -> tarfile.TarFile:
    try:
        return tarfile.open(fileobj=document.open(), mode="r:", encoding="utf-8", errors="surrogateescape")
    except _ERRORS as error:
        raise Unreadable(Why.CORRUPT, f"not a readable tar ({type(error).__name__})") from error


def _member(document: Document, archive: tarfile.TarFile, member: tarfile.TarInfo, budget: Budget) -> Pieces:
    name = decode(member.name.encode("utf-8", "surrogateescape"), None)
    if not member.isreg():
        yield from _named(document, name, member.linkname)
        return
    held = archive.extractfile(member)
    if held is None:
        yield document.unread(Why.CORRUPT, "a member without content", trail=(name,))
        return
    # A sparse member may state terabytes that are not there, so its size is counted against what is packed.
    content, end = budget.take(Guarded(held, _ERRORS), packed=len(document.data))
    if end is None and len(content) < member.size:
        yield document.unread(Why.CORRUPT, "a member is cut short", trail=(name,))
    elif end is not None:
        yield document.unread(end.why, end.detail, trail=(name,))
    yield document.nested(content, name=name)


def _named(document: Document, name: str, target: str) -> Iterator[Part]:
    yield Part(text=name, trail=(*document.trail, name), zone=Zone.FILENAME)
    yield from document.parts([target], zone=Zone.FILENAME, trail=(name,))


FORMAT = Format(name="tar", media_types=("application/x-tar",), read=read)
