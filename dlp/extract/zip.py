"""ZIP archives: every member a document inside."""

from dlp.extract.budget import Budget
from dlp.extract.charset import decode
from dlp.extract.document import Document
from dlp.extract.format import Format, Pieces
from dlp.extract.leftover import leftover
from dlp.extract.passwords import OPENED
from dlp.extract.zip_data import PPMD, ZSTD
from dlp.extract.zipped import Member, Package
from dlp.model import Part, Why, Zone


def read(document: Document, budget: Budget) -> Pieces:
    """The archive's comment, the names of its folders, its members with their comments, what stands between them."""
    package = Package(document, budget)
    for sentence in dict.fromkeys(package.damage):
        yield document.unread(Why.CORRUPT, sentence)
    yield from document.parts([decode(package.comment, None)], zone=Zone.COMMENT)
    for member in package.members:
        budget.tick()
        yield from _said(document, member)
        if member.directory and not member.size:
            yield Part(text=member.name, trail=(*document.trail, member.name), zone=Zone.FILENAME)
        else:
            yield from _content(document, package, member)
    for start, end in package.gaps:
        yield from leftover(document, start, end, budget)


def _said(document: Document, member: Member) -> Pieces:
    """What the headers say of a member besides: a comment, another name."""
    header = member.header
    yield from document.parts([header.comment], zone=Zone.COMMENT, trail=(member.name,))
    if header.other_name != member.name:
        yield from document.parts([header.other_name], zone=Zone.FILENAME, trail=(member.name,))


def _content(document: Document, package: Package, member: Member) -> Pieces:
    name = member.name or None
    if member.header.method in ZSTD and not member.encrypted:
        yield document.nested(package.packed(member), name=name, label="unnamed")
    elif member.header.method == PPMD and not member.encrypted:
        yield document.nested(package.alone(member), name=None, label="PPMd")
    else:
        content, end = package.read(member)
        if end is not None:
            yield document.unread(end.why, end.detail, trail=(member.name,))
        opened = member.encrypted and (end is None or end.why is not Why.ENCRYPTED)
        yield document.nested(content, name=name, label="unnamed", trail=(OPENED,) if opened else ())


FORMAT = Format(name="zip", media_types=("application/zip",), read=read)
