"""EPUB (version 3.3 and before; Open Container Format): the package's metadata, the chapters in the order they are read in.

Every chapter is a page of HTML inside. What META-INF/encryption.xml lists is encrypted, save fonts, which are only obfuscated.
"""

import posixpath
import re
from collections.abc import Iterator
from urllib.parse import unquote

from dlp.extract.budget import Budget, Exhausted, Unreadable
from dlp.extract.charset import decode
from dlp.extract.document import Document
from dlp.extract.format import Format, Pieces
from dlp.extract.inert import is_inert
from dlp.extract.markup import attributes, decoded, tags
from dlp.extract.packaged import beside
from dlp.extract.strings import strings
from dlp.extract.zipped import Member, Package
from dlp.model import Part, Unscannable, Why, Zone

_PAGES = (".xhtml", ".html", ".htm", ".xht")
_LISTS = (".opf", ".ncx", ".xml", ".smil", ".pls")
_OBFUSCATIONS = ("http://www.idpf.org/2008/embedding", "http://ns.adobe.com/pdf/enc#RC")
"""Algorithms that hide fonts under a key that the book states (EPUB 3.3, section 4.3; Adobe's forerunner)."""
_PACKED_FONTS = (b"wOFF", b"wOF2")
_MIMETYPE = re.compile(rb"\s*application/epub\+zip\s*")
_DULL = ("http://www.w3.org/", "http://www.idpf.org/", "http://purl.org/", "urn:oasis:", "application/", "text/", "image/")
_NUMBERS = re.compile(r"[-\d.:%]*|\w{0,12}\d{1,5}")


def read(document: Document, budget: Budget) -> Pieces:
    """The metadata, the chapters in the order of the spine, then every other member."""
    package = Package(document, budget)
    yield from beside(document, package, budget)
    members = {member.name: member for member in package.members if not member.directory or member.size}
    algorithms = _encryption(package, members)
    spine: list[str] = []
    for name in [name for name in members if name.lower().endswith(_LISTS)]:
        markup, end = _markup(package, members[name], budget)
        if name.lower().endswith(".opf"):
            spine += [chapter for chapter in _spine(markup, posixpath.dirname(name)) if chapter in members]
        yield from document.parts(_said(markup), zone=Zone.PROPERTY, trail=(name,))
        yield from _ended(document, end, name)
    chapters = dict.fromkeys([*spine, *(name for name in members if name.lower().endswith(_PAGES))])
    for name in dict.fromkeys([*chapters, *members]):
        budget.tick()
        hidden = algorithms.get(name)
        if hidden is not None and hidden not in _OBFUSCATIONS:
            yield document.unread(Why.ENCRYPTED, "an encrypted member", trail=(name,))
        elif not name.lower().endswith(_LISTS):
            yield from _member(document, package, members[name], page=name in chapters, font=hidden is not None)


def _member(document: Document, package: Package, member: Member, *, page: bool, font: bool) -> Pieces:
    content, end = package.read(member)
    if end is not None:
        yield document.unread(end.why, end.detail, trail=(member.name,))
    base = posixpath.basename(member.name)
    if page:
        yield document.nested(content, name=base, media="text/html")
    elif font or content.startswith(_PACKED_FONTS) or is_inert(content):
        yield from document.parts(strings(content), zone=Zone.HIDDEN, trail=(member.name,))
    elif base != "mimetype" or not _MIMETYPE.fullmatch(content):
        yield document.nested(content, name=base)


def _encryption(package: Package, members: dict[str, Member]) -> dict[str, str]:
    """The encrypted members and how each is encrypted (Open Container Format 3.3, section 4.2.6.3.2)."""
    listed = members.get("META-INF/encryption.xml")
    if listed is None:
        return {}
    content, _ = package.read(listed)
    found: dict[str, str] = {}
    algorithm = ""
    for tag in tags(decode(content, "utf-8")):
        given = {name.rpartition(":")[2]: value for name, value in attributes(tag.inside)}
        if tag.name == "EncryptedData":
            algorithm = ""
        elif tag.name == "EncryptionMethod":
            algorithm = algorithm or given.get("Algorithm", "")
        elif tag.name == "CipherReference":
            found[unquote(given.get("URI", ""))] = algorithm
    return found


def _spine(markup: str, folder: str) -> Iterator[str]:
    """The chapters in the order they are read in (EPUB 3.3, section 5.7)."""
    places: dict[str, str] = {}
    for tag in tags(markup):
        if tag.name not in ("item", "itemref"):
            continue
        given = dict(attributes(tag.inside))
        if tag.name == "item":
            places[given.get("id", "")] = posixpath.normpath(posixpath.join(folder, unquote(given.get("href", ""))))
        elif given.get("idref") in places:
            yield places[given["idref"]]


def _said(markup: str) -> Iterator[str]:
    """The texts and the attributes' words of a list, a named value with its name."""
    for tag in tags(markup):
        given = dict(attributes(tag.inside)) if tag.inside and tag.kind == "" else {}
        text = tag.text.strip()
        if tag.name == "meta" and "content" in given:
            yield f"{given.get('name', '')}: {given['content']}\n"
        elif tag.name == "meta" and text:
            yield f"{given.get('property', '')}: {text}\n"
        elif tag.kind in ("", "/") and text:
            yield f"{text}\n"
        if tag.kind == "!":
            yield f"{tag.inside}\n"
        for name, value in given.items():
            if len(value) > 1 and not name.startswith("xml") and not value.startswith(_DULL) and not _NUMBERS.fullmatch(value):
                yield f"{value}\n"


def _markup(package: Package, member: Member, budget: Budget) -> tuple[str, Unreadable | None]:
    """A list as far as it can be read, and what ended it early."""
    held: list[str] = []
    if member.encrypted:
        return "", Unreadable(Why.ENCRYPTED, "an encrypted member")
    try:
        held.extend(decoded(package.stream(member), budget, packed=member.size))
    except Exhausted:
        raise
    except Unreadable as end:
        return "".join(held), end
    return "".join(held), None


def _ended(document: Document, end: Unreadable | None, name: str) -> Iterator[Part | Unscannable]:
    if end is not None:
        yield document.unread(end.why, end.detail, trail=(name,))


FORMAT = Format(name="epub", media_types=("application/epub+zip",), read=read)
