"""PowerPoint presentations, templates and shows (ECMA-376 part 1, section 19)."""

import re

from dlp.extract.budget import Budget
from dlp.extract.document import Document
from dlp.extract.format import Format, Pieces
from dlp.extract.office import Reader, read_package, xml_part
from dlp.extract.sniff import PPTX
from dlp.extract.zipped import Member, Package
from dlp.model import Zone

_SLIDE = re.compile(r"ppt/slides/slide(\d{1,6})\.xml", re.IGNORECASE)
_NOTES = re.compile(r"ppt/notesSlides/notesSlide(\d{1,6})\.xml", re.IGNORECASE)
_ZONES = (
    # What a master or a layout says is on every slide, as a header is on every page.
    (re.compile(r"ppt/(?:slide|notes|handout)(?:Masters|Layouts)/", re.IGNORECASE), Zone.HEADER),
    (re.compile(r"ppt/comments/", re.IGNORECASE), Zone.COMMENT),
    (re.compile(r"ppt/theme/", re.IGNORECASE), Zone.HIDDEN),
    (re.compile(r"ppt/(?:charts|diagrams|drawings)/", re.IGNORECASE), Zone.TEXTBOX),
)


def read(document: Document, budget: Budget) -> Pieces:
    """The slides by the numbers of their parts, each with its number as page, then every other part."""

    def reader(package: Package) -> Reader:
        package.members.sort(key=lambda member: _number(_SLIDE, member.name) or 1 << 30)

        def paged(member: Member) -> Pieces | None:
            slide, notes = _number(_SLIDE, member.name), _number(_NOTES, member.name)
            if member.encrypted or (slide is None and notes is None):
                return None
            zone = Zone.BODY if slide else Zone.NOTE
            return xml_part(
                document,
                package,
                member,
                budget,
                zone=zone,
                page=slide or notes,
                start=slide == 1,
                placeholders=slide is not None,
            )

        return paged

    return read_package(document, budget, zone_of=_zone, reader=reader)


def _number(pattern: re.Pattern[str], name: str) -> int | None:
    match = pattern.fullmatch(name)
    return int(match.group(1)) if match else None


def _zone(name: str) -> Zone | None:
    return next((zone for pattern, zone in _ZONES if pattern.match(name) and not name.endswith(".rels")), None)


FORMAT = Format(name="pptx", media_types=(PPTX,), read=read)
