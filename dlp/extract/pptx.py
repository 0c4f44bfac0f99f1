"""PowerPoint presentations, templates and shows (ECMA-376 part 1, section 19)."""

import re
from dataclasses import dataclass, field
from itertools import chain

from dlp.extract.budget import Budget
from dlp.extract.document import Document
from dlp.extract.format import Format, Pieces
from dlp.extract.markup import attributes, tags
from dlp.extract.office import Reader, read_package, relationships, stream, xml_part
from dlp.extract.sniff import PPTX
from dlp.extract.zipped import Member, Package
from dlp.model import Part, Zone

_PRESENTATION = "ppt/presentation.xml"
_SLIDE = re.compile(r"ppt/slides/slide(\d{1,6})\.xml", re.IGNORECASE)
_NOTES = re.compile(r"ppt/notesslides/(?:notesslide(\d{1,6})|[^/]{1,200})\.xml")
_NOT_SHOWN = re.compile(r"<(?:\w{1,20}:)?sld\s[^<>]*?\bshow\s?=\s?[\"'](?:0|false|off)[\"']")
_ZONES = (
    # What a master or a layout says is on every slide, as a header is on every page.
    (re.compile(r"ppt/(?:slide|notes|handout)(?:Masters|Layouts)/", re.IGNORECASE), Zone.HEADER),
    (re.compile(r"ppt/comments/", re.IGNORECASE), Zone.COMMENT),
    (re.compile(r"ppt/theme/", re.IGNORECASE), Zone.HIDDEN),
    (re.compile(r"ppt/(?:charts|diagrams|drawings)/", re.IGNORECASE), Zone.TEXTBOX),
)
_HEAD = 4096
"""Characters in which a slide's first element ends."""
_LAST = 1 << 30


@dataclass
class _Show:
    """The slides' paths, in small letters, and their numbers; 0 for one that the presentation does not list."""

    document: Document
    package: Package
    parts: dict[str, Member]
    budget: Budget
    numbers: dict[str, int] = field(default_factory=dict)
    begun: bool = False

    def part(self, member: Member) -> Pieces | None:
        """A slide or a slide's notes, each with its slide's number as page."""
        path = member.name.lower()
        if member.encrypted:
            return None
        if path in self.numbers:
            return self._slide(member, self.numbers[path])
        if (notes := _NOTES.fullmatch(path)) is not None:
            of = relationships(self.document, self.package, self.parts, member.name, self.budget).values()
            slides = [slide for slide in of if slide in self.numbers] or [f"ppt/slides/slide{notes.group(1)}.xml"]
            page = self.numbers.get(slides[0])
            return xml_part(self.document, self.package, member, self.budget, zone=Zone.NOTE, page=page or None)
        return None

    def _slide(self, member: Member, number: int) -> Pieces:
        """A slide; all of one that is not shown is hidden."""
        pieces = stream(self.document, self.package, member, self.budget)
        first = next(pieces, "")
        shown = number and not (isinstance(first, str) and _NOT_SHOWN.search(first[:_HEAD]))
        for piece in xml_part(
            self.document,
            self.package,
            member,
            self.budget,
            zone=Zone.BODY if shown else Zone.HIDDEN,
            page=number or None,
            start=bool(shown) and not self.begun,
            placeholders=bool(shown),
            pieces=chain([first], pieces),
        ):
            self.begun = self.begun or (isinstance(piece, Part) and piece.start)
            yield piece


def read(document: Document, budget: Budget) -> Pieces:
    """The slides in the order of the presentation, then every other part."""

    def reader(package: Package) -> Reader:
        parts = {member.name.lower(): member for member in package.members}
        show = _Show(document, package, parts, budget)
        show.numbers = _numbers(document, package, parts, budget)
        package.members.sort(key=lambda member: show.numbers.get(member.name.lower(), _LAST) or _LAST - 1)
        return show.part

    return read_package(document, budget, zone_of=_zone, reader=reader)


def _numbers(document: Document, package: Package, parts: dict[str, Member], budget: Budget) -> dict[str, int]:
    """The slides by the presentation's list (ECMA-376 part 1, 19.2.1.34), or without one by the numbers in their names."""
    named = {path: int(match.group(1)) for path in parts if (match := _SLIDE.fullmatch(path))}
    listed: dict[str, int] = {}
    if (member := parts.get(_PRESENTATION)) is not None and not member.encrypted:
        targets = relationships(document, package, parts, _PRESENTATION, budget)
        for piece in stream(document, package, member, budget):
            for tag in tags(piece) if isinstance(piece, str) else ():
                if tag.name == "sldId" and not tag.kind:
                    given = [value for name, value in attributes(tag.inside) if name.endswith(":id")]
                    listed.setdefault(targets.get(given[0] if given else "", ""), len(listed) + 1)
    listed = {path: number for path, number in listed.items() if path in parts}
    return dict.fromkeys(named, 0) | listed if listed else named


def _zone(name: str) -> Zone | None:
    return next((zone for pattern, zone in _ZONES if pattern.match(name) and not name.endswith(".rels")), None)


FORMAT = Format(name="pptx", media_types=(PPTX,), read=read)
