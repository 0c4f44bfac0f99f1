from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlp.extract.budget import Budget
from dlp.extract.document import Document
from dlp.extract.epub import read as read_epub
from dlp.model import Limits, Part, Unscannable, Why, Zone
from tests.extract.reading import text
from tests.helpers.books import an_epub

Found = list[Part | Unscannable | Document]
AES = "http://www.w3.org/2001/04/xmlenc#aes256-cbc"
FONT = "http://www.idpf.org/2008/embedding"


def read(data: bytes) -> Found:
    """What this format yields, the documents inside unread."""
    return list(read_epub(Document(data=memoryview(data)), Budget(Limits())))


def said(found: Found, zone: Zone | None = None) -> str:
    return text([piece for piece in found if isinstance(piece, Part)], zone)


def inside(found: Found) -> list[Document]:
    return [piece for piece in found if isinstance(piece, Document)]


def test_chapters_come_in_the_order_of_the_spine() -> None:
    book = an_epub({"b.xhtml": "<p>机密</p>", "a.xhtml": "x", "c.xhtml": "unlisted"}, spine=["a.xhtml", "b.xhtml"])
    found = inside(read(book))
    assert [document.name for document in found] == ["a.xhtml", "b.xhtml", "c.xhtml"]
    assert {document.media_type for document in found} == {"text/html"}


def test_metadata_and_other_members_are_read() -> None:
    metadata = '<dc:title>TITLE1</dc:title><meta property="dcterms:rights">RIGHTS1</meta><meta name="cover" content="COVER1"/>'
    extra = {"OPS/toc.ncx": "<ncx><text>LABEL1</text></ncx>", "OPS/a.png": b"\x89PNG\r\n\x1a\n", "OPS/a.woff": b"wOFF FONT NAME1"}
    found = read(an_epub({"a.xhtml": "x"}, metadata=metadata, extra=extra))
    for expected in ("TITLE1", "dcterms:rights: RIGHTS1", "cover: COVER1", "LABEL1"):
        assert expected in said(found, Zone.PROPERTY)
    assert "NAME1" in said(found, Zone.HIDDEN)
    assert [document.name for document in inside(found)] == ["a.xhtml", "a.png"]


def test_what_is_encrypted_is_told_and_a_font_is_not() -> None:
    hidden = {"OPS/a.xhtml": AES, "OPS/f.otf": FONT}
    found = read(an_epub({"a.xhtml": "x", "b.xhtml": "y"}, encrypted=hidden, extra={"OPS/f.otf": b"\x01" * 50}))
    told = [(piece.why, piece.trail) for piece in found if isinstance(piece, Unscannable)]
    assert told == [(Why.ENCRYPTED, ("OPS/a.xhtml",))]
    assert [document.name for document in inside(found)] == ["b.xhtml"]


def test_damage_is_told_and_the_rest_is_read() -> None:
    whole = an_epub({"a.xhtml": "FIRST", "b.xhtml": "SECOND"}, metadata="<dc:title>TITLE1</dc:title>")
    at = whole.index(b"TITLE1") + 20
    found = read(whole[:at] + b"?" + whole[at + 1 :])
    assert "TITLE1" in said(found)
    assert [document.name for document in inside(found)] == ["a.xhtml", "b.xhtml"]
    assert [piece.why for piece in found if isinstance(piece, Unscannable)] == [Why.CORRUPT]


@given(st.text(alphabet="<>/=\"' abidrefhrefitemref&;#?!-", max_size=200))
def test_any_list_is_read_without_a_fault(markup: str) -> None:
    read(an_epub({"a.xhtml": "x"}, metadata=markup, extra={"META-INF/encryption.xml": markup}))


def test_what_stands_before_the_package_is_read() -> None:
    found = read(b"SMUGGLED WORDS IN FRONT " + an_epub({"a.xhtml": "x"}))
    assert "SMUGGLED WORDS" in said(found) or b"SMUGGLED WORDS" in b"".join(bytes(inner.data) for inner in inside(found))


@pytest.mark.corpus
def test_a_real_book_is_read(corpus: Path) -> None:
    for path in sorted(corpus.rglob("*.epub")):
        found = read(path.read_bytes())
        assert [document for document in inside(found) if document.media_type == "text/html"], path.name
