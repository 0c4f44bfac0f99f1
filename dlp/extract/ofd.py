"""OFD, the Chinese standard for fixed documents (GB/T 33190-2016): pages, templates, annotations, attachments, seals.

Pages are read in the order in which the document lists them, then every other part: its own vocabulary in its zone, seals
and signatures (GB/T 38540) for the texts and pictures in them.
"""

import posixpath
import re
import struct
from collections.abc import Iterator

from dlp.extract.asn1 import OCTETS, TEXTS, values
from dlp.extract.budget import Budget, Exhausted, Unreadable
from dlp.extract.document import Document
from dlp.extract.format import Format, Pieces
from dlp.extract.inert import is_inert
from dlp.extract.markup import Tag, attributes, decoded, tags
from dlp.extract.packaged import beside
from dlp.extract.strings import strings
from dlp.extract.zipped import Member, Package
from dlp.model import Part, Unscannable, Why, Zone

_SEALED = (".esl", ".dat", ".der", ".asn1")
_PICTURES = (b"\x89PNG", b"\xff\xd8\xff", b"GIF8", b"BM", b"II*\0", b"MM\0*", b"PK\3\4", b"%PDF", b"<svg", b"<?xml")
"""How a seal's picture begins; it may be a document itself."""
_ENCRYPTION = re.compile(r"(?i)(?:^|/)(?:encryptions?|decryptions?|encinfo|enc)\.(?:xml|dat)$")
"""Members of an encrypted document (GM/T 0099-2020)."""
_NUMBERS = re.compile(r"[-+\d\s.,#gLMQBCASE:TZ/]*|true|false|\w?\d{1,5}|(?:#[0-9a-fA-F]{1,2}\s?){1,4}|[A-Za-z0-9+/]{27,88}={1,2}")
"""Places, sizes, colours, paths drawn, digests."""
_TABLES = 64
"""Tables of a font that are looked through."""
_DULL = ("http://", "https://www.ofdspec", "urn:")
_OBJECTS = frozenset({"TextObject", "PathObject", "ImageObject", "CompositeObject"})
_INFORMATION = frozenset({"DocInfo", "CustomTag", "CustomTags", "Attachments", "Signatures", "Signature", "Extensions"})


class _Writing:
    """The text of one part: what stands on a line is joined as it is placed.

    `zone` is that of the plain text; what is not visible is hidden, a watermark's text and titles have their own.
    """

    def __init__(self, zone: Zone) -> None:
        self.texts: dict[Zone, list[str]] = {}
        self.links: list[tuple[str, str]] = []
        self._zone = zone
        self._over: Zone | None = None
        self._unseen = False
        self._object: dict[str, str] = {}
        self._end: tuple[float, float] | None = None
        self._size = 0.0
        self._name = ""

    def feed(self, markup: str) -> None:
        """Take in markup that ends between two tags."""
        for tag in tags(markup):
            if tag.kind == "/":
                self._close(tag.name)
            elif tag.kind == "":
                self._open(tag)
            elif tag.kind == "!":
                self._add(Zone.HIDDEN, tag.inside + "\n")

    def _open(self, tag: Tag) -> None:
        given = dict(attributes(tag.inside)) if tag.inside else {}
        if tag.name in _OBJECTS:
            self._object = given
            self._unseen = given.get("Visible") == "false" or given.get("Alpha") == "0"
        elif tag.name == "Annot":
            self._over = Zone.WATERMARK if given.get("Type") == "Watermark" else None
        elif tag.name in ("Page", "TemplatePage", "Document") and "BaseLoc" in given:
            self.links.append((tag.name, given["BaseLoc"]))
        elif tag.name in ("CustomData", "Parameter"):
            self._name = given.get("Name", "")
        if tag.name == "TextCode":
            self._write(given, tag.text)
            return
        for name, value in given.items():
            if not name.startswith("xmlns") and len(value) > 1 and not _NUMBERS.fullmatch(value) and not value.startswith(_DULL):
                self._add(Zone.HIDDEN, value + "\n")
        text = tag.text.strip()
        if tag.name == "DocRoot" and text:
            self.links.append(("Document", text))
        if text and not _NUMBERS.fullmatch(text):
            self._add(
                Zone.PROPERTY if self._zone is Zone.BODY else self._zone, f"{self._name}: {text}\n" if self._name else f"{text}\n"
            )

    def _close(self, name: str) -> None:
        if name in _OBJECTS:
            self._unseen = False
        elif name == "Annot":
            self._over = None
            self._end = None
        elif name in ("CustomData", "Parameter"):
            self._name = ""

    def _write(self, given: dict[str, str], text: str) -> None:
        """Put a text behind the one before it if it stands there: characters may be placed one by one."""
        box = [_number(value) for value in self._object.get("Boundary", "").split()[:2]] or [0.0]
        left = box[0] + _number(given.get("X", ""))
        base = box[-1] + _number(given.get("Y", ""))
        size = _number(self._object.get("Size", "")) or 1.0
        zone = Zone.HIDDEN if self._unseen else self._over or self._zone
        if self._end is not None and zone in self.texts:
            end, line = self._end
            if abs(base - line) > max(size, self._size) / 2 or left < end - 3 * size:
                self._add(zone, "\n")
            elif left > end + 2 * size:
                self._add(zone, "\t")
        self._add(zone, text.strip("\r\n"))
        self._end = (left + _advance(given.get("DeltaX", ""), size), base)
        self._size = size

    def _add(self, zone: Zone, text: str) -> None:
        self.texts.setdefault(zone, []).append(text)


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return 0.0


def _advance(deltas: str, size: float) -> float:
    """How far a text reaches: the distances between its characters, "g n d" for n times d (GB/T 33190-2016, 11.3)."""
    total, fields = size, deltas.split()[:2_000]
    at = 0
    while at < len(fields):
        if fields[at] == "g" and at + 2 < len(fields):
            total += min(_number(fields[at + 1]), 10_000) * _number(fields[at + 2])
            at += 3
        else:
            total += _number(fields[at])
            at += 1
    return total


def read(document: Document, budget: Budget) -> Pieces:
    """The pages in their order, then the document's information, templates, annotations, signatures, pictures, fonts."""
    package = Package(document, budget)
    yield from beside(document, package, budget)
    members = {member.name.lstrip("/"): member for member in package.members}
    if any(_ENCRYPTION.search(name) for name in members):
        yield document.unread(Why.ENCRYPTED, "an encrypted document")
    done: set[str] = set()
    later: list[Part | Unscannable] = []
    pages, templates = _listed(document, package, members, budget, done, later)
    for number, name in enumerate(pages, 1):
        yield from _written(document, package, members[name], budget, _Writing(Zone.BODY), page=number)
    yield from later
    for name, member in members.items():
        budget.tick()
        if name in done or name in pages or (member.directory and not member.size):
            continue
        if name.lower().endswith(".xml"):
            zone = Zone.HEADER if name in templates else _zone(name)
            yield from _written(document, package, member, budget, _Writing(zone))
        else:
            yield from _other(document, package, member, budget)


def _listed(
    document: Document,
    package: Package,
    members: dict[str, Member],
    budget: Budget,
    done: set[str],
    later: list[Part | Unscannable],
) -> tuple[list[str], set[str]]:
    """The parts that are pages, in their order, and those that are templates, as OFD.xml and the documents it names list them.

    Those are read on the way, into `later`; pages that nothing lists come last, by their names.
    """
    pages: dict[str, None] = {}
    templates: set[str] = set()
    waiting = [name for name in ("OFD.xml",) if name in members]
    while waiting:
        budget.tick()
        name = waiting.pop(0)
        done.add(name)
        writing = _Writing(Zone.PROPERTY)
        later.extend(_written(document, package, members[name], budget, writing))
        for kind, place in writing.links:
            target = _target(name, place)
            if target not in members or target in done or target in pages or target in waiting:
                continue
            if kind == "Document":
                waiting.append(target)
            elif kind == "Page":
                pages[target] = None
            else:
                templates.add(target)
    loose = (name for name in members if re.search(r"(?i)(?:^|/)Page_?\d+/Content\.xml$", name) and name not in pages)
    return [*pages, *sorted(set(loose), key=_by_number)], templates


def _by_number(name: str) -> tuple[int, str]:
    numbers = re.findall(r"\d{1,9}", name)
    return (int(numbers[-1]) if numbers else 0), name


def _target(source: str, place: str) -> str:
    """A place as a part names it: from the root if it begins with a slash, else from the part's own folder."""
    path = place if place.startswith("/") else posixpath.join(posixpath.dirname(source), place)
    return posixpath.normpath(path).lstrip("/")


def _zone(name: str) -> Zone:
    base = posixpath.basename(name)
    if "annot" in name.lower():
        return Zone.COMMENT
    return Zone.PROPERTY if base.split(".")[0] in _INFORMATION or "Tags" in name or "Signs/" in name else Zone.HIDDEN


def _written(
    document: Document, package: Package, member: Member, budget: Budget, writing: _Writing, *, page: int | None = None
) -> Iterator[Part | Unscannable]:
    """One part's text, then what ended it early."""
    end: Unreadable | None = Unreadable(Why.ENCRYPTED, "an encrypted member") if member.encrypted else None
    if end is None:
        try:
            for markup in decoded(package.stream(member), budget, packed=member.size):
                writing.feed(markup)
        except Unreadable as error:
            end = error
    place = () if page is not None else (member.name,)
    for zone, texts in sorted(writing.texts.items(), key=lambda entry: entry[0] is not Zone.BODY):
        yield from document.parts(texts, zone=zone, page=page, trail=place, start=page == 1 and zone is Zone.BODY)
    if isinstance(end, Exhausted):
        raise end
    if end is not None:
        yield document.unread(end.why, end.detail, trail=(member.name,))


def _other(document: Document, package: Package, member: Member, budget: Budget) -> Pieces:
    """A picture or an attachment as a document inside; of a seal what is in it; of a font its names."""
    content, end = package.read(member)
    if end is not None:
        yield document.unread(end.why, end.detail, trail=(member.name,))
    base = posixpath.basename(member.name)
    if member.name.lower().endswith(_SEALED) and content[:1] == b"\x30":
        yield from _seal(document, content, member.name, budget)
    elif is_inert(content):
        yield from document.parts(strings(_font_names(content)), zone=Zone.HIDDEN, trail=(member.name,))
    else:
        yield document.nested(content, name=base)


def _font_names(content: bytes) -> bytes:
    """The table of a font that holds texts (OpenType 1.9, "otff" and "name"); all of what is no such font."""
    for at in range(12, min(12 + 16 * _TABLES, len(content)), 16):
        if content[at : at + 4] == b"name":
            start, size = struct.unpack(">II", content[at + 8 : at + 16].ljust(8, b"\0"))
            return content[start : start + size]
    return content


def _seal(document: Document, content: bytes, name: str, budget: Budget) -> Pieces:
    """The names in a seal or a signature, and the seal's picture."""
    said: list[str] = []
    pictures: list[bytes] = []
    for tag, value in values(content):
        budget.tick()
        if tag in TEXTS:
            said.append(value.decode(TEXTS[tag], "replace") + "\n")
        elif tag == OCTETS and value.startswith(_PICTURES):
            pictures.append(value)
    yield from document.parts(said, zone=Zone.PROPERTY, trail=(name,))
    for number, picture in enumerate(pictures, 1):
        yield document.nested(picture, name=None, label=f"seal {number}", trail=(name,))


FORMAT = Format(name="ofd", media_types=("application/ofd",), read=read)
