"""What Word, Excel and PowerPoint packages have in common (ECMA-376 parts 1 and 2): parts, relationships, properties, text.

Every XML part gives its text, whether or not the main part refers to it; every other part is a document inside.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from posixpath import join, normpath

from dlp.extract.budget import Budget, Exhausted, Unreadable
from dlp.extract.charset import decode
from dlp.extract.document import Document
from dlp.extract.flow import Flow as Flow
from dlp.extract.format import Pieces
from dlp.extract.inert import is_inert, pictures
from dlp.extract.markup import attributes, decoded, encoding_of, tags
from dlp.extract.strings import strings
from dlp.extract.zipped import Member, Package
from dlp.model import Part, Unscannable, Why, Zone

_XML = (".xml", ".rels", ".vml")
_MARKUP = re.compile(r"[\ufeff\s]*<")
_INTERNAL = re.compile(
    r"<Relationship(?: Id=\"\w{1,40}\"| Type=\"http://[\w./-]{1,200}\"| Target=\"[\x21\x23-\x3b\x3d-\x7e]{1,200}\"){3} ?/>",
    re.ASCII,
)
"""A relationship to a part of the same package: nothing but names of parts (ECMA-376 part 2, 8.3)."""

_NO_RELATIONSHIP = re.compile(
    r"(?:<\?xml(?: \w{1,20}=[\"'][\w.-]{1,20}[\"']){1,3} ?\?>)?\s*<Relationships xmlns=\"http://[\w./-]{1,200}\">\s*</Relationships>\s*",
    re.ASCII,
)
"""What is left of most lists of relationships without those."""
_LABELS = re.compile(r"docProps/custom\.xml|docMetadata/LabelInfo\.xml", re.IGNORECASE)
_LONGEST_NAME = 255
"""Characters of a property's name, which is repeated before each of its values."""

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
    name = member.name.rsplit("/", 1)[-1]
    if end is not None:
        yield document.unread(end.why, end.detail, trail=(member.name,))
    if end is not None or not content or not is_inert(content):
        yield document.nested(content, name=name)
        return
    yield from document.parts([name], zone=Zone.FILENAME, trail=(name,))
    yield from document.parts(_strings(content, budget), zone=Zone.RAW, trail=(name,))
    for picture in pictures(content):
        yield document.nested(picture, name=None, label="picture", trail=(name,))


def _strings(content: bytes, budget: Budget) -> Iterator[str]:
    for text in strings(content):
        budget.tick()
        yield text


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
) -> Pieces:
    """The text of one XML part; damage is told after what was read before it.

    Without a `zone` it is properties, and all attributes are words. `pieces` is the part's stream where it has been
    opened.
    """
    flow = Flow(zone or Zone.PROPERTY, placeholders=placeholders, everything=zone is None)
    doubtful = False
    for number, piece in enumerate(pieces or stream(document, package, member, budget)):
        if isinstance(piece, Unscannable):
            yield piece
            continue
        doubtful = doubtful or "\ufffd" in piece or (number == 0 and not _MARKUP.match(piece))
        if member.name.endswith(".rels") and _NO_RELATIONSHIP.fullmatch(piece := _INTERNAL.sub("", piece)):
            continue
        flow.feed(piece)
        if _LABELS.fullmatch(member.name):
            named(piece, flow)
        if "!" in piece and ("<!DOCTYPE" in piece or "<!ENTITY" in piece):
            # ECMA-376 part 2, 7.2.5 forbids it: what an entity stands for is shown to some readers and not to others.
            yield document.unread(Why.CORRUPT, "declares a document type", trail=(member.name,))
    yield from flowed(document, flow, zone or Zone.PROPERTY, page=page, start=start)
    if doubtful:
        yield from _misnamed(document, package, member)


def _misnamed(document: Document, package: Package, member: Member) -> Iterator[Document]:
    """A part that is no markup, or not in the encoding it declares, as a document inside, for what it is."""
    content, _ = package.read(member)
    try:
        if _MARKUP.match(content.decode(encoding_of(content))):
            return
    except UnicodeError:
        pass  # which is what this is for
    if content:
        yield document.nested(content, name=member.name.rsplit("/", 1)[-1])


def named(markup: str, flow: Flow) -> None:
    """Custom properties and sensitivity labels as lines of `name: value`, by which policies know them.

    The value of a property is the text of an element in it (ECMA-376 part 1, 22.3.2.2); those of a label are its
    attributes ([MS-OFFCRYPTO] 2.6.4.4).
    """
    name = ""
    for tag in tags(markup):
        given = dict(attributes(tag.inside)) if tag.kind == "" else {}
        if tag.name == "property" and "name" in given:
            name = given["name"][:_LONGEST_NAME]
        elif tag.name == "label" and tag.kind == "":
            number = given.get("id", "")[:_LONGEST_NAME].strip("{}")
            for key, value in given.items():
                flow.add(Zone.PROPERTY, f"MSIP_Label_{number}_{key}: {value}\n")
        if name and tag.text and not tag.text.isspace():
            flow.add(Zone.PROPERTY, f"{name}: {tag.text}\n")


def relationships(document: Document, package: Package, parts: Mapping[str, Member], part: str, budget: Budget) -> dict[str, str]:
    """The relationships of `part`, "" for the package, to other parts: ids and paths, in small letters (ECMA-376 part 2, 8.3).

    `parts` are the package's members by their names in small letters.
    """
    folder, _, name = part.lower().rpartition("/")
    member = parts.get(f"{folder}/_rels/{name}.rels".lstrip("/"))
    found: dict[str, str] = {}
    for piece in stream(document, package, member, budget) if member and not member.encrypted else ():
        for tag in tags(piece) if isinstance(piece, str) else ():
            given = dict(attributes(tag.inside))
            if "Id" in given and "Target" in given:
                found[given["Id"]] = normpath(join("/", folder, given["Target"])).lstrip("/").lower()
    return found


def flowed(
    document: Document, flow: Flow, first: Zone, *, page: int | None = None, start: bool = False, trail: tuple[str, ...] = ()
) -> Iterator[Part]:
    """A flow's texts as Parts, those of zone `first` first."""
    found = flow.texts
    if texts := found.pop(first, None):
        yield from document.parts(texts, zone=first, page=page, start=start, trail=trail)
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
