"""OpenDocument texts, sheets, presentations and drawings, packaged or flat (ODF 1.3, parts 2 and 3), and OpenOffice.org 1's.

Styles are read before the content, for they say what of it is hidden. What is encrypted is opened with the passwords at
hand and read on as a package without encryption.
"""

import io
import re
import zipfile
from collections.abc import Callable, Iterator

from dlp.extract.budget import Budget, Exhausted, Readable, Unreadable
from dlp.extract.charset import decode
from dlp.extract.document import Document
from dlp.extract.format import Format, Pieces
from dlp.extract.markup import decoded
from dlp.extract.odf_crypto import Encryption, encryptions, inflated, opened
from dlp.extract.odf_flow import Flow, words
from dlp.extract.packaged import beside
from dlp.extract.passwords import OPENED
from dlp.extract.strings import strings
from dlp.extract.zipped import Member, Package
from dlp.model import Part, Trail, Unscannable, Why, Zone

_MANIFEST = "META-INF/manifest.xml"
_FLOWS = ("styles.xml", "content.xml", "meta.xml", "settings.xml")
"""The parts of a document, and of each object inside, in the order in which they are read."""
_XML = (".xml", ".rdf", ".xlb", ".xlc", ".xba", ".xdl")
_DRAWN = (b"VCLMTF", b"VCLDFX")
"""How LibreOffice's own pictures of embedded objects begin; the objects are there as well."""
_CACHES = frozenset({"layout-cache"})
_MIMETYPE = re.compile(rb"application/[\w.+-]{1,100}\s*")
_WHOLE = "encrypted-package"
"""The one member that is a whole package, encrypted (ODF 1.4)."""

Source = Callable[[], Readable]


def read(document: Document, budget: Budget) -> Pieces:
    """The content by slides or sheets, what styles, properties and settings say, then every other member."""
    if document.media_type.endswith("-flat-xml"):
        yield from _flow(document, document.open, budget, packed=len(document.data), hidden=set(), start=True)
        return
    package = Package(document, budget)
    yield from beside(document, package, budget)
    encrypted = _encrypted(package)
    if encrypted:
        plain = _opened(package, encrypted, budget)
        if plain is not None:
            yield document.nested(plain, name=None, label=OPENED)
            return
        yield document.unread(Why.ENCRYPTED, "an encrypted document")
    yield from _members(document, package, budget, skip=frozenset(encrypted))


def _members(document: Document, package: Package, budget: Budget, *, skip: frozenset[str]) -> Pieces:
    """Every member that can be read, the document's own before those of objects inside."""
    hidden: set[str] = set()
    styles: list[Part | Unscannable | Document] = []
    for member in sorted(package.members, key=_order):
        budget.tick()
        if member.name in skip or (member.directory and not member.size):
            continue
        folder, _, base = member.name.rpartition("/")
        if base not in _FLOWS or folder == "META-INF":
            yield from styles
            styles = []
            yield from _other(document, package, member, budget)
            continue
        main = base == "content.xml"
        if base == "styles.xml":
            hidden = set()
        pieces = _flow(
            document,
            _source(package, member),
            budget,
            packed=member.size,
            hidden=hidden,
            trail=(folder,) if folder else (),
            start=main and not folder,
        )
        if base == "styles.xml":  # said after what it is the style of
            styles = list(pieces)
            continue
        yield from pieces
        yield from styles
        styles = []
    yield from styles


def _order(member: Member) -> tuple[str, int]:
    """By folders, the document's own first; in each its parts as they depend on each other, then all else."""
    folder, _, base = member.name.rpartition("/")
    return folder, _FLOWS.index(base) if base in _FLOWS else len(_FLOWS)


def _source(package: Package, member: Member) -> Source:
    """A member's content; of an encrypted one what a password opens. Calling it raises Unreadable."""

    def content() -> Readable:
        if not member.encrypted:
            return package.stream(member)
        plain, end = package.read(member)
        if end is not None:
            raise end
        return io.BytesIO(plain)

    return content


def _flow(
    document: Document, source: Source, budget: Budget, *, packed: int, hidden: set[str], trail: Trail = (), start: bool = False
) -> Pieces:
    """The text of one part; damage, and the end of the budget, are told after what was read before them."""
    slides = any(kind in document.media_type for kind in ("presentation", "graphics", "impress", "draw"))
    flow = Flow(hidden=hidden, white=not slides)
    end: Unreadable | None = None
    try:
        for markup in decoded(source(), budget, packed=packed):
            flow.feed(markup)
    except Unreadable as error:
        end = error
    for page in flow.end():
        place = (*trail, page.name) if page.name else trail
        for zone, texts in sorted(page.texts.items(), key=lambda entry: entry[0] is not Zone.BODY):
            for part in document.parts(texts, zone=zone, trail=place, page=page.number, start=start and zone is Zone.BODY):
                yield part
                start = start and zone is not Zone.BODY
    if flow.declares:
        yield document.unread(Why.CORRUPT, "declares a document type", trail=trail)
    if isinstance(end, Exhausted):
        raise end
    if end is not None:
        yield document.unread(end.why, end.detail, trail=trail)
    for number, picture in enumerate(flow.pictures, 1):
        budget.spend(len(picture))
        yield document.nested(picture, name=None, label=f"picture {number}", trail=trail)


def _other(document: Document, package: Package, member: Member, budget: Budget) -> Pieces:
    """Scripts, forms of menus, signatures and other markup as hidden text; anything else as a document inside."""
    if member.name.endswith(_XML):
        yield from _markup(document, package, member, budget)
        return
    content, end = package.read(member)
    if end is not None:
        yield document.unread(end.why, end.detail, trail=(member.name,))
    base = member.name.rpartition("/")[2]
    if content.startswith(_DRAWN) or base in _CACHES:
        yield from document.parts(strings(content), zone=Zone.HIDDEN, trail=(member.name,))
    elif base != "mimetype" or not _MIMETYPE.fullmatch(content):
        yield document.nested(content, name=base)


def _markup(document: Document, package: Package, member: Member, budget: Budget) -> Iterator[Part | Unscannable]:
    end: Unreadable | None = None
    found: list[str] = []
    try:
        for markup in decoded(_source(package, member)(), budget, packed=member.size):
            found.extend(words(markup))
    except Unreadable as error:
        end = error
    names = {f"{known.name}\n" for known in package.members} if member.name == _MANIFEST else set()
    yield from document.parts((word for word in found if word not in names), zone=Zone.HIDDEN, trail=(member.name,))
    if isinstance(end, Exhausted):
        raise end
    if end is not None:
        yield document.unread(end.why, end.detail, trail=(member.name,))


def _encrypted(package: Package) -> dict[str, Encryption]:
    """The encrypted members by their names, as far as the manifest can be read."""
    manifest = next((member for member in package.members if member.name == _MANIFEST), None)
    if manifest is None:
        return {}
    content, _ = package.read(manifest)
    return encryptions(decode(content, "utf-8"))


def _opened(package: Package, encrypted: dict[str, Encryption], budget: Budget) -> bytes | None:
    """The package without its encryption, if a password opens it: the smallest member that can tell is tried."""
    sealed = [member for member in package.members if member.name in encrypted and encrypted[member.name].tells]
    first = min(sealed, key=lambda member: member.size, default=None)
    if first is None:
        return None
    content, _ = package.read(first)

    def attempt(password: str) -> str | None:
        budget.tick()
        return password if opened(content, encrypted[first.name], password) is not None else None

    password = budget.passwords.opened(attempt, tries=encrypted[first.name].tries)
    if password is None:
        return None
    if first.name == _WHOLE:
        return opened(content, encrypted[first.name], password)
    return _rebuilt(package, encrypted, password, budget)


def _rebuilt(package: Package, encrypted: dict[str, Encryption], password: str, budget: Budget) -> bytes:
    """A package of the same members, opened. One that does not open stays as it is, and is read as what it is."""
    written: set[str] = set()
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for member in sorted(package.members, key=lambda member: member.name != "mimetype"):
            budget.tick()
            if member.name in written or member.name == _MANIFEST:
                continue
            written.add(member.name)
            content, _ = package.read(member)
            if member.name in encrypted:
                plain = opened(content, encrypted[member.name], password)
                content = content if plain is None else inflated(plain, budget.limits.part_bytes)
                budget.spend(len(content))
            archive.writestr(zipfile.ZipInfo(member.name), content)
    return out.getvalue()


_VOCABULARY = "application/vnd.oasis.opendocument"
_KINDS = ("text", "spreadsheet", "presentation", "graphics", "chart", "image", "formula", "base", "database")
_TEXTS = ("text-master", "text-web", "text-master-template")
_OLD = ("writer", "calc", "impress", "draw", "math", "writer.global", "base")
FORMAT = Format(
    name="odf",
    media_types=(
        _VOCABULARY,
        *(f"{_VOCABULARY}.{kind}{form}" for kind in _KINDS for form in ("", "-template", "-flat-xml")),
        *(f"{_VOCABULARY}.{kind}" for kind in _TEXTS),
        *(f"application/vnd.sun.xml.{kind}{form}" for kind in _OLD for form in ("", ".template")),
    ),
    read=read,
)
