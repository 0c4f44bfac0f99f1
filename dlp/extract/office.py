"""What Word, Excel and PowerPoint packages have in common (ECMA-376 parts 1 and 2): parts, relationships, properties, text.

Every XML part gives its text, whether or not the main part refers to it; every other part is a document inside.
"""

import re
from collections.abc import Callable, Iterator

from dlp.extract.budget import Budget, Exhausted, Unreadable
from dlp.extract.charset import decode
from dlp.extract.document import Document
from dlp.extract.flow import Flow as Flow
from dlp.extract.format import Pieces
from dlp.extract.markup import decoded
from dlp.extract.zipped import Member, Package
from dlp.model import Part, Unscannable, Why, Zone

_XML = (".xml", ".rels", ".vml")
_INTERNAL = re.compile(
    r"<Relationship(?: Id=\"\w{1,40}\"| Type=\"http://[\w./-]{1,200}\"| Target=\"[\x21\x23-\x3b\x3d-\x7e]{1,200}\"){3} ?/>",
    re.ASCII,
)
"""A relationship to a part of the same package: nothing but names of parts (ECMA-376 part 2, 8.3)."""

Reader = Callable[[Member], Pieces | None]
"""A format's own way with one part; None leaves it to what is common."""


def read_package(
    document: Document, budget: Budget, *, zone_of: Callable[[str], Zone | None], reader: Callable[[Package], Reader]
) -> Pieces:
    """Every part of the package in the order of its members, which `reader` may change before it answers.

    What the format's own reader leaves has the zone that `zone_of` gives its name; None means that its attributes
    are words as well.
    """
    package = Package(document, budget)
    for sentence in dict.fromkeys(package.damage):
        yield document.unread(Why.CORRUPT, sentence)
    yield from document.parts([decode(package.comment, None)], zone=Zone.COMMENT)
    own = reader(package)
    for member in package.members:
        budget.tick()
        if member.directory and not member.size:
            continue
        pieces = own(member)
        if pieces is not None:
            yield from pieces
        elif member.name.lower().endswith(_XML) and not member.encrypted:
            yield from xml_part(document, package, member, budget, zone=zone_of(member.name))
        else:
            yield from _inside(document, package, member, budget)


def _inside(document: Document, package: Package, member: Member, budget: Budget) -> Pieces:
    content, end = package.read(member)
    if end is not None:
        yield document.unread(end.why, end.detail, trail=(member.name,))
    yield document.nested(content, name=member.name.rsplit("/", 1)[-1])


def xml_part(
    document: Document,
    package: Package,
    member: Member,
    budget: Budget,
    *,
    zone: Zone | None,
    page: int | None = None,
    start: bool = False,
    placeholders: bool = False,
    pieces: Iterator[str | Unscannable] | None = None,
) -> Iterator[Part | Unscannable]:
    """The text of one XML part; damage is told after what was read before it.

    Without a `zone` it is properties, and all attributes are words. `pieces` is the part's stream where it has been
    opened.
    """
    flow = Flow(zone or Zone.PROPERTY, placeholders=placeholders, everything=zone is None)
    for piece in pieces or stream(document, package, member, budget):
        if isinstance(piece, Unscannable):
            yield piece
            continue
        flow.feed(_INTERNAL.sub("", piece) if member.name.endswith(".rels") else piece)
        if "<!" in piece and ("<!DOCTYPE" in piece or "<!ENTITY" in piece):
            # ECMA-376 part 2, 7.2.5 forbids it: what an entity stands for is shown to some readers and not to others.
            yield document.unread(Why.CORRUPT, "declares a document type", trail=(member.name,))
    yield from flowed(document, flow, zone or Zone.PROPERTY, page=page, start=start)


def flowed(
    document: Document, flow: Flow, first: Zone, *, page: int | None = None, start: bool = False, trail: tuple[str, ...] = ()
) -> Iterator[Part]:
    """A flow's texts as Parts, those of zone `first` first."""
    found = flow.texts
    yield from document.parts(found.pop(first, ()), zone=first, page=page, start=start, trail=trail)
    for zone, texts in found.items():
        yield from document.parts(texts, zone=zone, page=page, trail=trail)


def stream(document: Document, package: Package, member: Member, budget: Budget) -> Iterator[str | Unscannable]:
    """The markup of one part in pieces; where it breaks off, an Unscannable last."""
    try:
        yield from decoded(package.stream(member), budget, packed=member.size)
    except Exhausted:
        raise
    except Unreadable as end:
        yield document.unread(end.why, end.detail, trail=(member.name,))
