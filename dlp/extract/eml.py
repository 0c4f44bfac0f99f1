"""Messages (RFC 5322, MIME) and web archives (MHTML, RFC 2557): header fields, bodies, attachments, messages inside.

Every leaf is judged by its content: one declared as text that is something else is a document inside. The whole is
outlined before anything is yielded, so that a password in the text opens an attachment that stands before it.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from dlp.extract import html
from dlp.extract.budget import Budget, Exhausted
from dlp.extract.charset import decode
from dlp.extract.document import Document
from dlp.extract.format import Format, Pieces
from dlp.extract.markup import unescape
from dlp.extract.mime import (
    Entity,
    Name,
    charsets,
    entity,
    guessed,
    is_entity,
    media_type,
    parameters,
    quoted_words,
    split,
    unflowed,
    words,
)
from dlp.extract.passwords import LEARNED
from dlp.extract.sniff import CMS, MAIL, OCTETS, sniff
from dlp.extract.transfer import Decoded, enclosed, transferred
from dlp.model import Attachment, Part, Trail, Unscannable, Why, Zone

LEVELS = 50
"""Multipart bodies inside each other; mail programs make four or five."""
LARGE = 8 << 20
"""Bytes above which a text is a document inside, which is read in pieces."""
TEXTS = 20
"""Texts of one message that are searched for passwords."""
_SHOWN = frozenset({"subject", "thread-topic"})
_LOOK = 1 << 16
"""Bytes in which a message names a charset, for raw 8-bit fields."""
_BEFORE = b"\xef\xbb\xbf\r\n\t "
"""What editors and careless programs leave before a header."""
_CHARSET = re.compile(rb"(?i)charset[ \t]{0,9}=[ \t]{0,9}[\"']?(?!us-ascii|utf-?8)([\w.:-]{3,40})")
_HEAD = 2048
"""Bytes of a text in which it shows that it is something else."""
_MESSAGES = frozenset({MAIL, "message/global", "message/news", "text/rfc822-headers", "message/global-headers"})
_PAGES = frozenset({"text/html", "text/enriched", "text/richtext"})
_PLAIN = frozenset({"text/plain", "message/delivery-status", "message/disposition-notification", "message/feedback-report"})
_SEALED = frozenset({"multipart/signed", "multipart/encrypted"})
"""RFC 1847: what stands in these is changed by nobody unnoticed."""
_TAG = re.compile(r"<[^<>]*>")
# Lines as encoders write them; what is attached like this and names no encoding was encoded twice, or its field was lost.
_UNDECLARED = re.compile(rb"\s{0,20}(?:[A-Za-z0-9+/]{60,76}\r?\n){2,}")
_ENCODED = re.compile(rb"(?i)^content-transfer-encoding[ \t]{0,9}:", re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Leaf:
    """One body that is no multipart: what its header says of it. `span` is where its entity stands in the item's content,
    None where it cannot be taken out of it."""

    body: memoryview
    number: int
    media: str = "text/plain"
    given: dict[str, Name]
    encodings: tuple[str, ...] = ()
    attached: bool = False
    zone: Zone = Zone.BODY
    span: tuple[int, int] | None = None

    @property
    def textual(self) -> bool:
        """It is declared as a text of the message itself."""
        return not self.attached and (self.media in _PAGES or self.media in _PLAIN)

    @property
    def label(self) -> str:
        """What stands in the trail where it has no name."""
        return f"{self.media.partition('/')[0]} {self.number}"

    @property
    def trail(self) -> Trail:
        """The step under which an attachment is found; that of a text is its name, if it has one."""
        return self.names[:1] or (() if self.textual else (self.label,))

    @property
    def names(self) -> tuple[str, ...]:
        """The names it is given, that which a mail program shows first."""
        found = [self.given[key] for key in ("filename", "name", "location") if key in self.given]
        return tuple(dict.fromkeys(text for name in found for text in (name.value, *name.others) if text))

    def parameter(self, key: str) -> str:
        return self.given[key].value if key in self.given else ""

    @property
    def charset(self) -> str | None:
        named = self.parameter("charset").split()
        return named[0] if named else None

    def contents(self) -> Iterator[Decoded]:
        """The body with its encoding undone; more than once where the header names more than one encoding."""
        found = [transferred(bytes(self.body), encoding) for encoding in self.encodings or ("",)]
        for place, decoded in enumerate(found):
            if decoded not in found[:place]:
                yield decoded


class _Piece(NamedTuple):
    """An entity, and where it begins in what it is a piece of; None where its bytes do not stand there so."""

    data: memoryview
    at: int | None


_Outline = Iterator[Part | Unscannable | _Leaf]


def read(document: Document, budget: Budget) -> Pieces:
    """The message's own fields, then its entities in order; nested messages are documents inside."""
    held: list[Part | Unscannable | _Leaf] = []
    end: Exhausted | None = None
    try:
        held.extend(_outline(document, budget))
    except Exhausted as error:
        end = error
    _learn(held, budget)
    for piece in held:
        if isinstance(piece, _Leaf):
            yield from _leaf(document, piece, budget)
        else:
            yield piece
    if end is not None:
        raise end


def _outline(document: Document, budget: Budget) -> _Outline:
    """Every header field and every leaf, in order. Raises Exhausted(too-many, timeout)."""
    start, spoken = _opening(bytes(document.data[:_LOOK]))
    pending = [(_Piece(memoryview(document.data)[start:], None if document.depth else start), "", 0)]
    number = 0
    while pending:
        (data, at), parent, level = pending.pop()
        budget.tick()
        number += 1
        if number > budget.limits.members:
            raise Exhausted(Why.TOO_MANY, "a message has more entities than the limit of members")
        held = _entity(data, parent)
        leaf = _described(held, parent, number, span=(at, at + len(data)) if at is not None and level else None)
        own = leaf.trail if level and not leaf.textual and not leaf.media.startswith("multipart/") else ()
        yield from _fields(document, held, hint=leaf.charset or spoken, top=level == 0, trail=own)
        if not leaf.media.startswith("multipart/"):
            yield leaf
            continue
        if leaf.media == "multipart/encrypted":  # RFC 1847, 2.2
            yield document.unread(Why.ENCRYPTED, leaf.media)
        children: list[_Piece] = []
        body = None if at is None or leaf.media in _SEALED else at + len(data) - len(leaf.body)
        for piece in _multipart(document, leaf, level, budget):
            if isinstance(piece, _Piece):
                children.append(_Piece(piece.data, None if body is None or piece.at is None else body + piece.at))
            else:
                yield piece
        pending.extend((child, leaf.media, level + 1) for child in reversed(children))


def _opening(head: bytes) -> tuple[int, str | None]:
    """Where the header begins, and the first charset that is named, for fields in raw 8-bit text."""
    skipped = len(head) - len(head.lstrip(_BEFORE))
    found = None if head.isascii() else _CHARSET.search(head)
    return skipped if is_entity(head[skipped:]) else 0, found.group(1).decode("latin-1") if found else None


def _entity(data: memoryview, parent: str) -> Entity:
    found = entity(data)
    if not found.fields and found.junk and parent:
        return Entity(fields=(), body=data, junk=b"")  # no header at all: the whole is the body
    return found


def _described(held: Entity, parent: str, number: int, *, span: tuple[int, int] | None) -> _Leaf:
    """What the header says of the body; of several Content-Type fields the one that names a boundary."""
    types = held.all("content-type")
    value = next((text for text in types if "boundary" in text.lower()), types[0] if types else "")
    media = media_type(value) if types else MAIL if parent == "multipart/digest" else "text/plain"  # RFC 2046, 5.1.5
    disposition = held.field("content-disposition")
    given = parameters(value) | {key: name for key, name in parameters(disposition).items() if key == "filename"}
    if location := held.field("content-location"):
        given["location"] = Name(words(location).split("?")[0].rstrip("/").rsplit("/", 1)[-1])
    encodings = tuple(dict.fromkeys(words(text) for text in held.all("content-transfer-encoding")))
    named = "filename" in given or ("name" in given and media not in _PAGES | _PLAIN)
    attached = named or disposition.lower().startswith("attachment")
    return _Leaf(body=held.body, number=number, media=media, given=given, encodings=encodings, attached=attached, span=span)


def _multipart(document: Document, leaf: _Leaf, level: int, budget: Budget) -> Iterator[Part | Unscannable | _Leaf | _Piece]:
    """The parts as pieces of the body, and what stands before and after them, which mail programs do not show, as leaves."""
    if level >= LEVELS:
        yield document.unread(Why.TOO_DEEP, f"more than {LEVELS} multipart bodies inside each other")
        yield from document.parts([decode(bytes(leaf.body), None)], zone=Zone.RAW)
        return
    body = leaf.body
    found = split(body, leaf.parameter("boundary"), most=budget.limits.members) if leaf.parameter("boundary") else None
    if found is None or not (found.parts or found.epilogues):
        body = memoryview(next(leaf.contents()).content) if any(leaf.encodings) else body
        boundary = guessed(body)
        if boundary is None:  # nothing in it would be taken for a part: it is one text
            yield _Leaf(body=body, number=leaf.number, given=leaf.given)
            return
        found = split(body, boundary, most=budget.limits.members)
    if not found.whole:
        yield document.unread(Why.TOO_MANY, "a multipart body has more delimiters than the limit of members")
    for around in (found.preamble, *found.epilogues):
        if len(around) > _HEAD or bytes(around).strip():
            yield _Leaf(body=around, number=leaf.number, given={}, zone=Zone.HIDDEN)
    verbatim = body is leaf.body
    yield from (_Piece(part, start if verbatim else None) for part, start in zip(found.parts, found.starts, strict=True))


def _fields(document: Document, held: Entity, *, hint: str | None, top: bool, trail: Trail) -> Iterator[Part | Unscannable]:
    """The subject, and every other field with its name; of an entity inside the whole header is PROPERTY, too."""
    properties: list[str] = []
    if not held.whole:
        yield document.unread(Why.TOO_MANY, "a header has more fields than are parsed", trail=trail)
    for field in held.fields:
        if not field.whole:
            yield document.unread(Why.TOO_LARGE, "a header field is longer than 64 KiB", trail=trail)
        if field.name in _SHOWN and top:
            yield from document.parts([words(field.value, hint)], zone=Zone.SUBJECT)
            continue
        properties.append(f"{field.name}: {words(field.value, hint)}\n")
        if "*" in field.value and "=" in field.value and field.name.startswith("content-"):
            extended = parameters(field.value).items()
            properties.extend(f"{key}: {text}\n" for key, name in extended for text in (name.value, *name.others))
    if held.junk:
        properties.append(decode(held.junk, None))
    yield from document.parts(properties, zone=Zone.PROPERTY, trail=trail)


def _leaf(document: Document, leaf: _Leaf, budget: Budget) -> Pieces:
    trail = leaf.trail
    if leaf.media == "message/partial" and leaf.parameter("total") != "1":  # RFC 2046, 5.2.2: the rest is elsewhere
        yield document.unread(Why.UNSUPPORTED, leaf.media, trail=trail)
    for decoded in leaf.contents():
        budget.spend(max(len(decoded.content) - len(leaf.body), 0))
        if not decoded.whole:
            yield document.unread(Why.CORRUPT, "an entity is not in the transfer encoding it names", trail=trail)
        content = decoded.content or bytes(leaf.body)
        if leaf.textual:
            yield from _text(document, leaf, content, budget)
        elif content or leaf.names:
            yield from _attachment(document, leaf, content, budget)


def _attachment(document: Document, leaf: _Leaf, content: bytes, budget: Budget) -> Pieces:
    name, *others = leaf.names or (None,)
    _noted(leaf, budget)
    found = sniff(content, name=None, media=None) if leaf.media in _MESSAGES or "smime-type" in leaf.given else ""
    if leaf.parameter("smime-type").lower() == "enveloped-data" and found != CMS:  # RFC 8551, 3.2.2
        yield document.unread(Why.ENCRYPTED, "S/MIME enveloped data", trail=leaf.trail)
    yield from document.parts([f"{other}\n" for other in others if other], zone=Zone.FILENAME, trail=leaf.names[:1])
    # A message is believed to be one, for many begin with what is no field; but not where it is a file of another kind.
    first = leaf.media == "message/partial" and leaf.parameter("number") == "1"
    message = first or (leaf.media in _MESSAGES and found.startswith(("text/", "message/")))
    media = MAIL if message else leaf.media if leaf.media.startswith("text/") else None
    yield document.nested(content, name=name, label=leaf.label, media=media, charset=leaf.charset)
    if not any(leaf.encodings) and leaf.attached and _UNDECLARED.match(content):
        yield document.nested(transferred(content, "base64").content, name=name, label=leaf.label)


def _noted(leaf: _Leaf, budget: Budget) -> None:
    """Let the budget know where it stands, once, though its encoding may be undone in more than one way."""
    if leaf.span is None:
        return
    start, end = leaf.span
    found = Attachment(name=leaf.names[0] if leaf.names else leaf.label, start=start, end=end)
    if budget.attachments[-1:] != [found]:
        budget.attachments.append(found)


def _text(document: Document, leaf: _Leaf, content: bytes, budget: Budget) -> Pieces:
    """A text of the message itself, or a document where it is something else."""
    encodings = charsets(content, leaf.charset)
    head = content[:_HEAD]
    if encodings[0] is not None:
        head = head.decode(encodings[0], "ignore").encode()  # so that no other charset is looked for
    kind = sniff(head, name=None, media=leaf.media) if head else leaf.media
    # What no format knows is read as the text it is declared to be.
    if not kind.startswith(("text/", "message/")) and kind not in ("application/mbox", OCTETS):
        yield from _attachment(document, leaf, content, budget)
        return
    budget.admit()
    yield from document.parts([f"{name}\n" for name in leaf.names], zone=Zone.FILENAME)
    page = kind == "text/html" or leaf.media in _PAGES
    for encoding in encodings:
        yield from (_page if page else _plain)(document, leaf, content, encoding, budget)
    label = f"text {leaf.number}"
    for found in enclosed(content):
        if not found.whole:
            yield document.unread(Why.CORRUPT, "an encoded file in a text is damaged", trail=(found.name or label,))
        budget.spend(len(found.content))
        yield document.nested(found.content, name=found.name, label=label)
    if b"\n--" in content and (boundary := guessed(content)):
        quoted = boundary.replace("\\", "\\\\").replace('"', '\\"').encode("latin-1")
        header = b'Content-Type: multipart/mixed; boundary="' + quoted + b'"\r\n\r\n'
        yield document.nested(header + content, name=None, label=label, media=MAIL)
    elif kind == MAIL and _ENCODED.search(content):
        yield document.nested(content, name=None, label=label, media=MAIL)


def _page(document: Document, leaf: _Leaf, content: bytes, encoding: str | None, budget: Budget) -> Pieces:
    inner = Document(data=content, media="text/html", charset=encoding, trail=document.trail, depth=document.depth)
    return html.read(inner, budget)


def _plain(document: Document, leaf: _Leaf, content: bytes, encoding: str | None, budget: Budget) -> Pieces:
    if len(content) > LARGE:
        yield document.nested(content, name=None, label=f"text {leaf.number}", media="text/plain", charset=encoding)
        return
    text = decode(content, encoding)
    if leaf.parameter("format").lower() == "flowed":
        text = unflowed(text, delete_space=leaf.parameter("delsp").lower() == "yes")
    yield from document.parts([text], zone=leaf.zone, start=leaf.zone is Zone.BODY)
    yield from document.parts([quoted_words(text)], zone=Zone.HIDDEN)


def _learn(held: list[Part | Unscannable | _Leaf], budget: Budget) -> None:
    """Let the budget know the words of the subject, the texts and the names: one may open an attachment."""
    texts = 0
    for piece in held:
        if isinstance(piece, Part) and piece.zone is Zone.SUBJECT:
            budget.passwords.learn(piece.text)
            continue
        if not isinstance(piece, _Leaf) or texts >= TEXTS:
            continue
        for name in piece.names[:2]:
            budget.passwords.learn(name.rpartition(".")[0] or name, called=True)
        if piece.media in _PAGES or piece.media in _PLAIN:
            texts += 1
            budget.tick()
            content = transferred(bytes(piece.body[: 2 * LEARNED]), next(iter(piece.encodings), "")).content[:LEARNED]
            text = decode(content, charsets(content, piece.charset)[0])
            budget.passwords.learn(unescape(_TAG.sub(" ", text)) if piece.media in _PAGES else text)


FORMAT = Format(name="eml", media_types=(MAIL,), read=read)
