"""XML of any vocabulary: its source as it stands, and its text and attribute values with the tags taken out.

Office documents in one XML file are read as what they are, as well.
"""

import re
from collections.abc import Iterator

from dlp.extract.budget import Budget
from dlp.extract.document import Document
from dlp.extract.format import Format, Pieces
from dlp.extract.markup import attributes, tags
from dlp.extract.office_xml import reader_of
from dlp.extract.text import texts
from dlp.model import Why

_HEAD = 1 << 16
"""Bytes in which a document's root element begins."""


def read(document: Document, budget: Budget) -> Pieces:
    """The source, because it may be read as such, then what a program that parses it would show."""
    yield from document.parts(texts(document, budget), start=True)
    head = next(texts(document, budget), "")[:_HEAD]
    reader = reader_of(head)
    if reader is not None:
        yield from reader(document, between_tags(texts(document, budget)), budget)
    else:
        values: list[str] = []
        yield from document.parts(_contents(between_tags(texts(document, budget)), values))
        yield from document.parts(values)
    if re.search(rb"<!ENTITY|<\0!\0E\0N\0T\0I\0T\0Y", document.data):
        yield document.unread(Why.UNSUPPORTED, "declares entities, which are not expanded")


def between_tags(pieces: Iterator[str]) -> Iterator[str]:
    """The same text in pieces that end before a "<", so that no tag is cut."""
    held: list[str] = []
    for piece in pieces:
        cut = piece.rfind("<")
        if cut < 0:
            held.append(piece)
            continue
        yield "".join((*held, piece[:cut]))
        held = [piece[cut:]]
    yield "".join(held)


def _contents(pieces: Iterator[str], values: list[str]) -> Iterator[str]:
    """The texts, those of attributes to `values`; an element ends a line unless text goes on right behind it, as behind a word
    in bold."""
    for piece in pieces:
        for tag in tags(piece):
            if "=" in tag.inside:
                values.extend(f"{value}\n" for _, value in attributes(tag.inside))
            if tag.kind == "/" and (not tag.text or tag.text[0].isspace()):
                yield "\n"
            if tag.text:
                yield tag.text


FORMAT = Format(name="xml", media_types=("text/xml",), read=read)
