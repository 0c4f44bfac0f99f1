import json
from base64 import b64encode
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlp.extract import odf
from dlp.extract.document import Document
from dlp.extract.passwords import OPENED
from dlp.model import Limits, Part, Why, Zone
from tests.extract.reading import Found, alone, body, inside, said, text, unread, why
from tests.helpers.opendocument import a_flat_odf, an_odf, encrypted_odf, wholly_encrypted_odf

FLAT = "application/vnd.oasis.opendocument.text-flat-xml"


def read(data: bytes, *, limits: Limits | None = None, passwords: tuple[str, ...] = ()) -> Found:
    """What this format yields, the documents inside unread."""
    return alone(odf.FORMAT, data, limits=limits, passwords=passwords)


@pytest.mark.parametrize(
    ("markup", "zone"),
    [
        ("<text:p>UNI<text:span>QUE</text:span></text:p>", Zone.BODY),
        ("<text:p>UNI<text:note><text:note-body><text:p>n</text:p></text:note-body></text:note>QUE</text:p>", Zone.BODY),
        ("<text:tracked-changes><text:deletion><text:p>UNIQUE</text:p></text:deletion></text:tracked-changes>", Zone.HIDDEN),
        ("<text:p><text:hidden-text text:string-value='UNIQUE' text:is-hidden='true'/></text:p>", Zone.HIDDEN),
        ("<text:section text:display='none'><text:p>UNIQUE</text:p></text:section>", Zone.HIDDEN),
        ("<text:p text:style-name='Unseen'>UNIQUE</text:p>", Zone.HIDDEN),
        ("<text:p><text:span text:style-name='Child'>UNIQUE</text:span></text:p>", Zone.HIDDEN),
        ("<text:p text:style-name='White'>UNIQUE</text:p>", Zone.HIDDEN),
        ("<text:p><text:a xlink:href='http://x/UNIQUE'>l</text:a></text:p>", Zone.HIDDEN),
        (
            "<text:p><office:annotation><dc:creator>a</dc:creator><text:p>UNIQUE</text:p></office:annotation></text:p>",
            Zone.COMMENT,
        ),
        ("<text:p><text:note><text:note-body><text:p>UNIQUE</text:p></text:note-body></text:note></text:p>", Zone.NOTE),
        ("<text:p><draw:frame><draw:text-box><text:p>UNIQUE</text:p></draw:text-box></draw:frame></text:p>", Zone.TEXTBOX),
        ("<draw:custom-shape><text:p>UNIQUE</text:p></draw:custom-shape>", Zone.TEXTBOX),
        ("<draw:custom-shape draw:name='PowerPlusWaterMarkObject1'><text:p>UNIQUE</text:p></draw:custom-shape>", Zone.WATERMARK),
        ("<draw:frame><svg:title>UNIQUE</svg:title></draw:frame>", Zone.HIDDEN),
        ("<draw:frame><svg:desc>UNIQUE</svg:desc></draw:frame>", Zone.HIDDEN),
        ("<office:forms><form:form><form:text form:current-value='UNIQUE'/></form:form></office:forms>", Zone.HIDDEN),
        ("<text:bookmark text:name='UNIQUE'/>", Zone.HIDDEN),
        ("<!-- UNIQUE -->", Zone.HIDDEN),
        ("<text:p xml:foreign='UNIQUE 机'>x</text:p>", Zone.HIDDEN),
        ("<text:p><![CDATA[UNIQUE <x>]]></text:p>", Zone.BODY),
    ],
)
def test_every_place_is_read_in_its_zone(markup: str, zone: Zone) -> None:
    styles = (
        "<style:style style:name='Plain' style:family='text'><style:text-properties fo:color='#000000'/></style:style>"
        "<style:style style:name='Unseen' style:family='text'><style:text-properties text:display='none'/></style:style>"
        "<style:style style:name='White' style:family='text'><style:text-properties fo:color='#ffffff'/></style:style>"
    )
    child = "<style:style style:name='Child' style:family='text' style:parent-style-name='Unseen'/>"
    wrapped = f"<text:p text:style-name='Plain'>before</text:p>{markup}<text:p>after</text:p>"
    found = read(an_odf(wrapped, styles=styles, automatic=child))
    assert "UNIQUE" in said(found, zone)
    assert "before" in said(found, Zone.BODY)
    assert "after" in said(found, Zone.BODY)
    assert not why(found)


def test_the_body_begins_the_document_and_keeps_spaces_tabs_and_lines() -> None:
    first, *_ = body(read(an_odf('<text:p>a<text:s text:c="3"/>b<text:tab/>c<text:line-break/>d</text:p><text:h>e</text:h>')))
    assert first.start
    assert first.text == "a   b\tc\nd\ne\n"


def test_headers_properties_and_labels() -> None:
    masters = (
        "<style:master-page><style:header><text:p>TOP</text:p></style:header>"
        "<style:footer><text:p>BOTTOM</text:p></style:footer></style:master-page>"
    )
    found = read(
        an_odf("", masters=masters, properties={"title": "Said", "subject": "机密"}, labels={"MSIP_Label_1_Name": "Top"})
    )
    assert "TOP" in said(found, Zone.HEADER)
    assert "BOTTOM" in said(found, Zone.FOOTER)
    assert said(found, Zone.PROPERTY).split("\n")[:3] == ["Said", "机密", "MSIP_Label_1_Name: Top"]


def test_a_sheet_is_a_page_of_tabbed_cells() -> None:
    table = (
        '<table:table table:name="Plan"><table:table-row><table:table-cell><text:p>a</text:p></table:table-cell>'
        '<table:table-cell table:number-columns-repeated="16384"/>'
        '<table:table-cell office:value-type="float" office:value="6222021234567890123"><text:p>6.22E+18</text:p>'
        '</table:table-cell></table:table-row><table:table-row><table:table-cell table:number-columns-repeated="2">'
        '<text:p>7</text:p></table:table-cell><table:table-cell table:formula="of:=CONCAT(&quot;LITERAL&quot;)"/>'
        "</table:table-row></table:table>"
        '<table:table table:name="Secret sheet" table:style-name="ta2"><table:table-row><table:table-cell><text:p>UNSEEN</text:p>'
        "</table:table-cell></table:table-row></table:table>"
    )
    automatic = '<style:style style:name="ta2" style:family="table"><style:table-properties table:display="false"/></style:style>'
    found = read(an_odf(table, kind="spreadsheet", automatic=automatic))
    (sheet,) = body(found)
    assert (sheet.trail, sheet.page, sheet.text) == (("Plan",), 1, "a\t\t6.22E+18\n7\t7\n")
    assert "6222021234567890123" in said(found, Zone.HIDDEN)
    assert "LITERAL" in said(found, Zone.HIDDEN)
    assert "Secret sheet" in said(found, Zone.HIDDEN)
    (unseen,) = [piece for piece in found if isinstance(piece, Part) and piece.text == "UNSEEN\n"]
    assert (unseen.zone, unseen.page) == (Zone.HIDDEN, 2)


def test_slides_have_pages_titles_and_notes() -> None:
    slide = (
        '<draw:page draw:name="One"><draw:frame presentation:class="title"><draw:text-box><text:p>HEAD</text:p></draw:text-box>'
        "</draw:frame><draw:custom-shape><text:p>SHOWN</text:p></draw:custom-shape>"
        "<presentation:notes><draw:text-box><text:p>SPOKEN</text:p></draw:text-box></presentation:notes></draw:page>"
    )
    unseen = '<draw:page draw:name="Two" draw:style-name="dp2"><draw:rect><text:p>SKIPPED</text:p></draw:rect></draw:page>'
    automatic = (
        '<style:style style:name="dp2"><style:drawing-page-properties presentation:visibility="hidden"/></style:style>'
        '<style:style style:name="white"><style:text-properties fo:color="#ffffff"/></style:style>'
    )
    found = read(an_odf(slide + unseen, kind="presentation", automatic=automatic))
    assert [(part.text, part.page) for part in body(found)] == [("SHOWN\n", 1)]
    assert "HEAD" in said(found, Zone.TITLE)
    assert "SPOKEN" in said(found, Zone.NOTE)
    assert "SKIPPED" in said(found, Zone.HIDDEN)


def test_objects_scripts_and_pictures_inside() -> None:
    sub = "<office:document-content><office:body><office:chart><text:p>INNER</text:p></office:chart></office:body>"
    extra = {
        "Object 1/content.xml": sub + "</office:document-content>",
        "Basic/Standard/Module1.xml": "<script:module script:name='M'>Sub Main ' MACRO</script:module>",
        "Pictures/a.png": b"\x89PNG\r\n\x1a\n",
        "ObjectReplacements/Object 1": b"VCLMTF" + "DRAWN TEXT".encode("utf-16-le"),
        "layout-cache": b"\x01\x02",
    }
    found = read(an_odf("<text:p>x</text:p>", extra=extra))
    (chart,) = [piece for piece in body(found) if "INNER" in piece.text]
    assert chart.trail == ("Object 1",)
    assert not chart.start
    assert "MACRO" in said(found, Zone.HIDDEN)
    assert "DRAWN TEXT" in said(found, Zone.HIDDEN)
    assert [document.name for document in inside(found)] == ["a.png"]


def test_a_flat_document_is_read_with_its_pictures() -> None:
    picture = b64encode(b"\x89PNG\r\n\x1a\nxyz").decode()
    markup = (
        f"<text:p>机密<draw:image><office:binary-data>\n {picture[:8]}\n{picture[8:]}</office:binary-data></draw:image></text:p>"
    )
    data = a_flat_odf(markup, properties={"subject": "SAID"})
    assert Document(data=data).media_type == FLAT
    found = read(data)
    assert "机密" in said(found, Zone.BODY)
    assert "SAID" in said(found, Zone.PROPERTY)
    assert [bytes(document.data) for document in inside(found)] == [b"\x89PNG\r\n\x1a\nxyz"]


@pytest.mark.parametrize("method", ["aes", "blowfish"])
def test_an_encrypted_document_is_told_and_opened_with_a_password(method: str) -> None:
    data = encrypted_odf("<text:p>绝密</text:p>" * 300, "pass-字", method=method)
    assert why(read(data, passwords=("wrong",))) == [Why.ENCRYPTED]
    (plain,) = inside(read(data, passwords=("wrong", "pass-字")))
    assert plain.trail == (OPENED,)
    assert "绝密" in said(read(bytes(plain.data)), Zone.BODY)


def test_a_wholly_encrypted_document_is_told_and_opened_with_a_password() -> None:
    data = wholly_encrypted_odf(an_odf("<text:p>绝密</text:p>"), "pass")
    assert why(read(data)) == [Why.ENCRYPTED]
    (plain,) = inside(read(data, passwords=("wrong", "pass")))
    assert "绝密" in said(read(bytes(plain.data)), Zone.BODY)


def test_an_absurd_derivation_is_not_tried() -> None:
    data = encrypted_odf("<text:p>x</text:p>", "pass", iterations=1_000_001)
    assert why(read(data, passwords=("pass",))) == [Why.ENCRYPTED]


def test_damage_is_told_after_what_stands_before_it() -> None:
    whole = an_odf("<text:p>FIRST</text:p>" + "<text:p>x</text:p>" * 2_000)
    at = whole.index(b"FIRST") + 2_000
    broken = whole[:at] + b"?" + whole[at + 1 :]
    found = read(broken)
    assert "FIRST" in said(found, Zone.BODY)
    assert Why.CORRUPT in why(found)


def test_a_declared_type_is_told() -> None:
    found = read(an_odf("<!DOCTYPE x [<!ENTITY y 'z'>]><text:p>&y;</text:p>"))
    assert Why.CORRUPT in why(found)


def test_what_is_unclosed_or_deep_is_read() -> None:
    found = read(an_odf("<text:note>" * 50_000 + "<text:p>INNER" + "</text:span>" * 50_000 + "<office:binary-data>REST!"))
    assert "INNER" in said(found)
    repeated = '<table:table-cell table:number-columns-repeated="999999"><text:p>word</text:p></table:table-cell>' * 100
    sheet = f'<table:table table:name="a b"><table:table-row>{repeated}</table:table-row></table:table>'
    assert 100 <= said(read(an_odf(sheet, kind="spreadsheet"))).count("word") <= 5_001


TOKENS = (
    *(
        "<text:p>",
        "</text:p>",
        "<text:note>",
        "</text:note>",
        "<table:table>",
        "</table:table>",
        "<table:table-row>",
        "text",
        " ",
    ),
    *(
        "<table:table-cell>",
        "</table:table-cell>",
        "</table:table-row>",
        '<text:s text:c="9"/>',
        "<office:binary-data>",
        "AAA",
        ">",
    ),
    *(
        "<office:spreadsheet>",
        "<office:automatic-styles>",
        "</office:automatic-styles>",
        "<",
        '<text:p text:style-name="a">',
        "&#x;",
    ),
    *('<style:style style:name="a">', '<x text:display="none"/>', "<draw:page>", "</draw:page>", "<office:presentation>", "<!--"),
)


@given(st.lists(st.sampled_from(TOKENS)))
def test_any_markup_is_read_without_a_fault(tokens: list[str]) -> None:
    read(an_odf("".join(tokens)))


def test_what_stands_before_the_package_is_read() -> None:
    found = read(b"SMUGGLED WORDS IN FRONT " + an_odf("<text:p>x</text:p>"))
    assert "SMUGGLED WORDS" in said(found) or b"SMUGGLED WORDS" in b"".join(bytes(inner.data) for inner in inside(found))


@pytest.mark.corpus
def test_the_canaries_are_found(corpus: Path) -> None:
    truth = json.loads((corpus / "canary_truth.json").read_text("utf-8"))["odt"]
    found = said(read((corpus / "synth/canary/canary.odt").read_bytes()))
    assert [place for place, canary in truth.items() if canary not in found] == []


@pytest.mark.corpus
def test_real_documents_are_read_without_a_fault(corpus: Path) -> None:
    for path in sorted(corpus.rglob("*.o[dt][tsp]")):
        assert said(read(path.read_bytes())), path.name


def test_characters_that_are_no_base64_are_text() -> None:
    pieces = read(a_flat_odf("<office:binary-data>机密AAAA</office:binary-data>"))
    assert "机密AAAA" in text(pieces, Zone.HIDDEN)
    assert unread(pieces) == []
