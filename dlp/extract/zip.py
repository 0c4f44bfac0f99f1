"""ZIP archives: every member a document inside."""

from dlp.extract.budget import Budget
from dlp.extract.charset import decode
from dlp.extract.document import Document
from dlp.extract.format import Format, Pieces
from dlp.extract.zipped import Package
from dlp.model import Part, Why, Zone


def read(document: Document, budget: Budget) -> Pieces:
    """The archive's comment, the names of its folders, its members; each that cannot be read by its name."""
    package = Package(document, budget)
    for sentence in dict.fromkeys(package.damage):
        yield document.unread(Why.CORRUPT, sentence)
    yield from document.parts([decode(package.comment, None)], zone=Zone.COMMENT)
    for member in package.members:
        budget.tick()
        if member.directory and not member.size:
            yield Part(text=member.name, trail=(*document.trail, member.name), zone=Zone.FILENAME)
            continue
        content, end = package.read(member)
        if end is not None:
            yield document.unread(end.why, end.detail, trail=(member.name,))
        yield document.nested(content, name=member.name)


FORMAT = Format(name="zip", media_types=("application/zip",), read=read)
