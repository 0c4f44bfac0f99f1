import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlp.model import Why, Zone
from tests.extract.reading import parts, read, text, unread

PAGE = (
    "<!DOCTYPE html><html><head><title>标题 T1</title><meta name=description content='M1'>"
    "<script>var a = 'S1' < b;</script><style>/* C1 */</style></head>"
    "<body><!-- COMMENT1 --><p>机<b>密</b></p><div style='display:none'>D1</div><img alt='A1'><a href='http://x/H1'>go</a>"
    "<input type=hidden value=V1><textarea>T2</textarea>&#x7EDD;&#23494;&nbsp;&lt;x&gt;<template>T3</template>"
    "<table><tr><td>c1<td>c2</table></body></html>"
)


def test_every_place_is_read_in_its_zone() -> None:
    pieces = read(PAGE.encode(), "a.html")
    body = text(pieces, Zone.BODY)
    for expected in ("机密", "go", "T2", "绝密", "<x>", "c1\tc2"):
        assert expected in body
    assert text(pieces, Zone.TITLE).strip() == "标题 T1"
    assert "M1" in text(pieces, Zone.PROPERTY)
    for expected in ("S1' < b", "C1", "COMMENT1", "A1", "http://x/H1", "V1", "D1", "T3"):
        assert expected in text(pieces, Zone.HIDDEN)
    assert not unread(pieces)


def test_the_body_starts_with_its_first_word() -> None:
    (body,) = parts(read(b"<html>\n <body>\n  <p>\n  first</p></body></html>", "a.html"))
    assert body.start
    assert body.text.strip().startswith("first")


def test_a_page_in_a_legacy_encoding_is_read_with_and_without_its_charset() -> None:
    named = "<html><head><meta charset=gb2312></head><body>这是一份机密文件，不得外传。</body></html>"
    assert "机密文件" in text(read(named.encode("gb18030")))
    assert "机密文件" in text(read(named.replace("<meta charset=gb2312>", "").encode("gb18030")))
    assert "机密文件" in text(read(named.encode("utf-16")))


def test_a_data_address_is_a_document_inside() -> None:
    page = f"<html><a href='data:text/plain;base64,{base64.b64encode('内部资料'.encode()).decode()}'>x</a></html>"
    assert "内部资料" in text(read(page.encode()), Zone.BODY)


def test_deep_nesting_is_read_and_told() -> None:
    pieces = read(b"<html>" + b"<div>" * 300_000 + b"INNER")
    assert "INNER" in text(pieces)
    assert (Why.TOO_DEEP, ()) in unread(pieces)


def test_a_tag_with_too_many_attributes_is_read_and_told() -> None:
    pieces = read(b"<html><div " + b" ".join(b'a%d="v%d"' % (i, i) for i in range(20_000)) + b">")
    assert "v19999" in text(pieces)
    assert (Why.TOO_MANY, ()) in unread(pieces)


@pytest.mark.parametrize(
    "markup",
    [
        "<div hidden>UNIQUE</div>",
        "<div style='visibility: hidden'>a<div>b</div>UNIQUE</div>",
        "<span style='font-size:0px'>UNIQUE</span>",
        '<span style="color:#FFFFFF">UNIQUE</span>',
        "<font color=white>UNIQUE</font>",
        "<p style='display:none'>UNIQUE<p>",
        "<template><b>UNI</b>QUE</template>",
        "<!--[if mso]><p title='x'>UNI<b>QUE</b></p><![endif]-->",
        "<script>var a = '\\u0055NIQUE';</script>",
        '<script type=\'application/ld+json\'>{"name": "UNIQUE"}</script>',
        "<p title='>' alt='UNIQUE'>",
        '<p title="<!--" alt = "UNIQUE">-->',
        "<p class='机 UNIQUE'>",
        "<p data-x=UNIQUE>",
    ],
)
def test_what_is_not_shown_is_hidden_text(markup: str) -> None:
    pieces = read(f"<html><body>before{markup}</b>after<p>last</body>".encode())
    assert "UNIQUE" in text(pieces, Zone.HIDDEN)
    assert "UNIQUE" not in text(pieces, Zone.BODY)
    assert "before" in text(pieces, Zone.BODY)
    assert "last" in text(pieces, Zone.BODY)


def test_shown_text_is_shown_whatever_its_tags_hold() -> None:
    markup = (
        "<p title='a > b'>one</p><p title=\"<script>\">two</p><p title='it's'>three</p>1 < 2"
        '<p STYLE="background:red;color:#fff">four<noscript>five</noscript><svg><title>six</title></svg>'
    )
    body = text(read(f"<html><body>{markup}".encode()), Zone.BODY)
    for expected in ("one", "two", "three", "1 < 2", "four", "five"):
        assert expected in body


def test_a_page_in_an_attribute_is_a_document_inside() -> None:
    pieces = read('<html><iframe srcdoc="&lt;p&gt;机&lt;b&gt;密&lt;/b&gt;"></iframe>'.encode())
    assert "机密" in text(pieces, Zone.BODY, ("page 1",))


def test_a_mark_is_believed_before_a_declared_charset() -> None:
    page = "<html><meta charset=gbk><body>绝密文件</body></html>"
    assert "绝密文件" in text(read(page.encode("utf-8-sig")), Zone.BODY)
    assert "绝密文件" in text(read(page.encode("utf-16")), Zone.BODY)


TOKENS = (
    *("<p>", "</p>", "<div hidden>", "</div>", "<!--", "-->", "<script>", "</script>", "<title>", "</title>", "<template>", "'"),
    *(
        '"',
        ">",
        "<",
        "text",
        "&#x;",
        "<meta content=x>",
        "</template>",
        "<![CDATA[",
        "]]>",
        "<td>",
        "/>",
        "密",
        '<a b="',
        "<a b='",
    ),
)


@given(st.lists(st.sampled_from(TOKENS)))
def test_no_text_is_lost_whatever_stands_around_it(tokens: list[str]) -> None:
    pieces = read(("<html>" + "".join(tokens) + " FIRST " + "".join(reversed(tokens)) + " LAST").encode())
    assert not [why for why, _ in unread(pieces)]
    assert "LAST" in text(pieces)


def test_unclosed_constructs_take_linear_time_and_lose_nothing() -> None:
    for opening in (b"<!--", b"<a href='", b'<a b="', b"<script>", b"&#" + b"1" * 5000, b"<a " + b"x" * 50_000):
        pieces = read(b"<html>" + opening * 20_000 + b"LAST"[:4] if len(opening) < 100 else b"<html>" + opening * 20 + b"LAST")
        assert "LAST" in text(pieces)
