"""XML of any vocabulary: its source as it stands, and its text and attribute values with the tags taken out."""

import re
from collections.abc import Iterator

from dlp.extract.budget import Budget
from dlp.extract.document import Document
from dlp.extract.format import Format, Pieces
from dlp.extract.markup import attributes, tags
from dlp.extract.text import texts
from dlp.model import Why


def read(document: Document, budget: Budget) -> Pieces:
    """The source, because it may be read as such, then what a program that parses it would show."""
    yield from document.parts(texts(document, budget), start=True)
    yield from document.parts(_contents(document, budget))
    if re.search(rb"<!ENTITY", document.data):
        yield document.unread(Why.UNSUPPORTED, "declares entities, which are not expanded")


def _contents(document: Document, budget: Budget) -> Iterator[str]:
    for text in texts(document, budget):
        for tag in tags(text):
            yield from (f"{value}\n" for _, value in attributes(tag.inside))
            yield tag.text
            if tag.kind == "/":
                yield "\n"


FORMAT = Format(name="xml", media_types=("text/xml",), read=read)
