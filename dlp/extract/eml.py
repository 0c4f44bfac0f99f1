"""Messages (RFC 5322, MIME): header fields, bodies, attachments, messages inside.

Every leaf is judged by its content: one declared as text that is something else is a document inside.
"""

from collections.abc import Iterator

from dlp.extract import html
from dlp.extract.budget import Budget
from dlp.extract.charset import decode
from dlp.extract.document import Document
from dlp.extract.format import Format, Pieces
from dlp.extract.mime import Entity, entity, parameters, split, transferred, uuencoded, words
from dlp.extract.sniff import MAIL, sniff
from dlp.model import Part, Unscannable, Why, Zone

LEVELS = 50
"""Multipart bodies inside each other; mail programs make four or five."""
_SHOWN = frozenset({"subject", "thread-topic"})


def read(document: Document, budget: Budget) -> Pieces:
    """The message's own fields, then its entities in order; nested messages are documents inside."""
    pending = [(entity(memoryview(document.data)), 0)]
    number = 0
    while pending:
        held, level = pending.pop()
        budget.tick()
        yield from _fields(document, held, top=level == 0)
        media, given = _media(held)
        if media.startswith("multipart/") and given.get("boundary"):
            preamble, children, epilogue = split(held.body, given["boundary"])
            yield from _multipart(document, media, preamble + b"\n" + epilogue)
            if not children:
                yield document.unread(Why.CORRUPT, "a multipart body without its boundary")
            if level >= LEVELS:
                yield document.unread(Why.TOO_DEEP, f"more than {LEVELS} multipart bodies inside each other")
                yield from document.parts([decode(bytes(held.body), None)], zone=Zone.RAW)
                continue
            for child in reversed(children):
                pending.append((_child(child, media), level + 1))
            continue
        number += 1
        budget.admit()
        yield from _leaf(document, held, media, given, number, budget)


def _child(data: memoryview, media: str) -> Entity:
    found = entity(data)
    if media == "multipart/digest" and not found.field("content-type"):  # RFC 2046, 5.1.5
        return Entity(fields=(), body=data, junk=b"digest")
    if not found.fields and found.junk:
        return Entity(fields=(), body=data, junk=b"")  # no header at all: the whole is the body
    return found


def _media(held: Entity) -> tuple[str, dict[str, str]]:
    if held.junk == b"digest":
        return MAIL, {}
    value = held.field("content-type")
    given = parameters(";" + value.partition(";")[2]) if ";" in value else {}
    given |= {
        key: text
        for key, text in parameters(";" + held.field("content-disposition").partition(";")[2]).items()
        if key == "filename"
    }
    return value.partition(";")[0].strip().lower() or "text/plain", given


def _fields(document: Document, held: Entity, *, top: bool) -> Iterator[Part | Unscannable]:
    """The subject, and every other field with its name; of an entity inside the whole header is PROPERTY, too."""
    properties: list[str] = []
    for field in held.fields:
        if not field.whole:
            yield document.unread(Why.TOO_LARGE, "a header field is longer than 64 KiB")
        if field.name in _SHOWN and top:
            yield from document.parts([words(field.value)], zone=Zone.SUBJECT)
        else:
            properties.append(f"{field.name}: {words(field.value)}\n")
    if held.junk and held.junk != b"digest":
        properties.append(decode(held.junk, None))
    yield from document.parts(properties, zone=Zone.PROPERTY)


def _multipart(document: Document, media: str, around: bytes) -> Iterator[Part | Unscannable]:
    """What stands before and after the parts, which mail programs do not show; ciphertext (RFC 1847) is told."""
    if media == "multipart/encrypted":
        yield document.unread(Why.ENCRYPTED, media)
    yield from document.parts([decode(around, None)], zone=Zone.HIDDEN)


def _leaf(document: Document, held: Entity, media: str, given: dict[str, str], number: int, budget: Budget) -> Pieces:
    name = given.get("filename") or given.get("name")
    if given.get("smime-type", "").lower() == "enveloped-data":  # RFC 8551, 3.2.2
        yield document.unread(Why.ENCRYPTED, "S/MIME enveloped data", trail=(name,) if name else ())
    if media in ("message/partial", "message/external-body"):  # RFC 2046, 5.2.2 and 5.2.3: the content is elsewhere
        yield document.unread(Why.UNSUPPORTED, media)
    raw = bytes(held.body)
    content = transferred(raw, held.field("content-transfer-encoding"))
    if content is None:
        yield document.unread(Why.CORRUPT, "an entity is not in the transfer encoding it names", trail=(name,) if name else ())
        content = raw
    attached = name is not None or held.field("content-disposition").lower().startswith("attachment")
    if not attached and media.startswith("text/") and sniff(content, name=None, media=media).startswith("text/"):
        yield from _body(document, content, media, given.get("charset"), budget)
    elif content:
        vouched = media if media == MAIL or media.startswith("text/") else None
        yield document.nested(
            content, name=name, label=f"{media.partition('/')[0]} {number}", media=vouched, charset=given.get("charset")
        )


def _body(document: Document, content: bytes, media: str, charset: str | None, budget: Budget) -> Pieces:
    """A text of the message itself: a page, or plain text with what is uuencoded in it."""
    if media == "text/html":
        inner = Document(data=content, media=media, charset=charset, trail=document.trail, depth=document.depth)
        yield from html.read(inner, budget)
        return
    yield from document.parts([decode(content, charset)], start=True)
    for name, inside in uuencoded(content):
        budget.admit()
        yield document.nested(inside, name=name)


FORMAT = Format(name="eml", media_types=(MAIL,), read=read)
