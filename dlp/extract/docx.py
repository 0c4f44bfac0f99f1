"""Word documents, templates and macro documents (ECMA-376 part 1, section 17)."""

import re

from dlp.extract.budget import Budget
from dlp.extract.document import Document
from dlp.extract.format import Format, Pieces
from dlp.extract.office import Reader, read_package, relationships, xml_part
from dlp.extract.sniff import DOCX
from dlp.extract.zipped import Member, Package
from dlp.model import Zone

_BODY = re.compile(r"word/document\d*\.xml")
_MARKUP = re.compile(r"word/[^/]{1,200}\.xml")
_ZONES = (
    (re.compile(r"word/header\d*\.xml", re.IGNORECASE), Zone.HEADER),
    (re.compile(r"word/footer\d*\.xml", re.IGNORECASE), Zone.FOOTER),
    (re.compile(r"word/(?:foot|end)notes\d*\.xml", re.IGNORECASE), Zone.NOTE),
    (re.compile(r"word/comments\w*\.xml", re.IGNORECASE), Zone.COMMENT),
    (re.compile(r"word/glossary/|word/(?:styles|theme|numbering|fontTable|webSettings|stylesWith)", re.IGNORECASE), Zone.HIDDEN),
    (re.compile(r"word/(?:charts|diagrams|drawings)/", re.IGNORECASE), Zone.TEXTBOX),
)


def read(document: Document, budget: Budget) -> Pieces:
    """The body, which is what the package names and what is commonly called so, then every other part in its order."""

    def reader(package: Package) -> Reader:
        parts = {member.name.lower(): member for member in package.members}
        named = set(relationships(document, package, parts, "", budget).values())
        bodies = {path for path in parts if _BODY.fullmatch(path) or (path in named and _MARKUP.fullmatch(path))}
        package.members.sort(key=lambda member: member.name.lower() not in bodies)

        def body(member: Member) -> Pieces | None:
            if member.name.lower() not in bodies or member.encrypted:
                return None
            return xml_part(document, package, member, budget, zone=Zone.BODY, start=True)

        return body

    return read_package(document, budget, zone_of=_zone, reader=reader)


def _zone(name: str) -> Zone | None:
    """The zone of a part by its name; None for properties, settings, custom data and relationships."""
    return next((zone for pattern, zone in _ZONES if pattern.match(name) and not name.endswith(".rels")), None)


FORMAT = Format(name="docx", media_types=(DOCX,), read=read)
