"""Word documents, templates and macro documents (ECMA-376 part 1, section 17)."""

import re

from dlp.extract.budget import Budget
from dlp.extract.document import Document
from dlp.extract.format import Format, Pieces
from dlp.extract.office import Reader, read_package, xml_part
from dlp.extract.sniff import DOCX
from dlp.extract.zipped import Member, Package
from dlp.model import Zone

_BODY = re.compile(r"word/document\d*\.xml", re.IGNORECASE)
_ZONES = (
    (re.compile(r"word/header\d*\.xml", re.IGNORECASE), Zone.HEADER),
    (re.compile(r"word/footer\d*\.xml", re.IGNORECASE), Zone.FOOTER),
    (re.compile(r"word/(?:foot|end)notes\d*\.xml", re.IGNORECASE), Zone.NOTE),
    (re.compile(r"word/comments\w*\.xml", re.IGNORECASE), Zone.COMMENT),
    (re.compile(r"word/glossary/|word/(?:styles|theme|numbering|fontTable|webSettings|stylesWith)", re.IGNORECASE), Zone.HIDDEN),
    (re.compile(r"word/(?:charts|diagrams|drawings)/", re.IGNORECASE), Zone.TEXTBOX),
)


def read(document: Document, budget: Budget) -> Pieces:
    """The body, then every other part of the package in its order."""

    def reader(package: Package) -> Reader:
        package.members.sort(key=lambda member: _BODY.fullmatch(member.name) is None)

        def body(member: Member) -> Pieces | None:
            if not _BODY.fullmatch(member.name) or member.encrypted:
                return None
            return xml_part(document, package, member, budget, zone=Zone.BODY, start=True)

        return body

    return read_package(document, budget, zone_of=_zone, reader=reader)


def _zone(name: str) -> Zone | None:
    """The zone of a part by its name; None for properties, settings, custom data and relationships."""
    return next((zone for pattern, zone in _ZONES if pattern.match(name) and not name.endswith(".rels")), None)


FORMAT = Format(name="docx", media_types=(DOCX,), read=read)
