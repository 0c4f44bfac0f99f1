"""What a package on ZIP says beside its members, the same for every format that is one."""

from dlp.extract.budget import Budget
from dlp.extract.charset import decode
from dlp.extract.document import Document
from dlp.extract.format import Pieces
from dlp.extract.leftover import leftover
from dlp.extract.zipped import Package
from dlp.model import Why, Zone


def beside(document: Document, package: Package, budget: Budget) -> Pieces:
    """Damage to its structure, comments on it and on its members, bytes that belong to none."""
    for sentence in dict.fromkeys(package.damage):
        yield document.unread(Why.CORRUPT, sentence)
    yield from document.parts([decode(package.comment, None)], zone=Zone.COMMENT)
    for member in package.members:
        yield from document.parts([member.header.comment], zone=Zone.COMMENT, trail=(member.name,))
    for start, end in package.gaps:
        yield from leftover(document, start, end, budget)
