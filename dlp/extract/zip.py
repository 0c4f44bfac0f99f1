"""ZIP archives: every member a document inside. Packages of formats that are not read yet are taken apart as well."""

from dlp.extract.budget import Budget
from dlp.extract.charset import decode
from dlp.extract.document import Document
from dlp.extract.format import Format, Pieces
from dlp.extract.zipped import Package
from dlp.model import Part, Why, Zone


def read(document: Document, budget: Budget) -> Pieces:
    """The archive's comment, the names of its folders, its members; each that cannot be read by its name."""
    package = Package(document, budget)
    if document.media_type in _PACKAGES:
        yield document.unread(Why.UNSUPPORTED, document.media_type)
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
        yield document.nested(content, name=member.name or None, label="unnamed")


_PACKAGES = (
    "application/vnd.oasis.opendocument",
    "application/vnd.oasis.opendocument.text",
    "application/vnd.oasis.opendocument.text-template",
    "application/vnd.oasis.opendocument.spreadsheet",
    "application/vnd.oasis.opendocument.spreadsheet-template",
    "application/vnd.oasis.opendocument.presentation",
    "application/vnd.oasis.opendocument.presentation-template",
    "application/vnd.oasis.opendocument.graphics",
    "application/epub+zip",
    "application/ofd",
    "application/vnd.ms-excel.sheet.binary.macroenabled.12",
)
FORMAT = Format(name="zip", media_types=("application/zip", *_PACKAGES), read=read)
