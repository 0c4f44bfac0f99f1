import json
import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlp.extract import rtf
from dlp.extract.budget import Budget, Exhausted
from dlp.extract.document import Document
from dlp.model import Limits, Part, Why, Zone
from tests.extract.reading import Found, alone, inside, parts, said, why
from tests.helpers.documents import a_zip
from tests.helpers.rtf import a_package, an_object, an_rtf, escaped, unicode


def read(data: bytes, limits: Limits | None = None) -> Found:
    """What this format yields, the documents inside unread."""
    return alone(rtf.FORMAT, data, limits=limits)


@pytest.mark.parametrize(
    ("markup", "zone"),
    [
        (r"{\header UNIQUE\par}", Zone.HEADER),
        (r"{\headerf UNIQUE\par}", Zone.HEADER),
        (r"{\footerl UNIQUE\par}", Zone.FOOTER),
        (r"{\footnote\ftnalt UNIQUE}", Zone.NOTE),
        (r"{\*\annotation UNIQUE}", Zone.COMMENT),
        (r"{\*\atnauthor UNIQUE}", Zone.COMMENT),
        (r"{\v UNIQUE}", Zone.HIDDEN),
        (r"{\v UNI}{\v QUE}", Zone.HIDDEN),
        (r"{\deleted UNIQUE}", Zone.HIDDEN),
        (r"{\fs2 UNIQUE}", Zone.HIDDEN),
        (r"{\colortbl;\red255\green255\blue255;}{\cf1 UNIQUE}", Zone.HIDDEN),
        (r'{\field{\*\fldinst HYPERLINK "http://UNIQUE"}{\fldrslt x}}', Zone.HIDDEN),
        (r"{\field{\*\fldinst x}{\fldrslt UNIQUE}}", Zone.BODY),
        (r"{\info{\title UNIQUE}}", Zone.PROPERTY),
        (r"{\info{\upr{\author ?}{\*\ud{\author UNIQUE}}}}", Zone.PROPERTY),
        (r"{\*\userprops{\propname MSIP_Label_x}\proptype30{\staticval UNIQUE}}", Zone.PROPERTY),
        (r"{\*\docvar {name}{UNIQUE}}", Zone.HIDDEN),
        (r"{\*\bkmkstart UNIQUE}", Zone.HIDDEN),
        (r"{\*\unheardof{\inner UNIQUE}}", Zone.HIDDEN),
        (r"{\*\formfield{\*\ffdeftext UNIQUE}}", Zone.HIDDEN),
        (r"{\shp{\*\shpinst{\sp{\sn wzDescription}{\sv UNIQUE}}}}", Zone.HIDDEN),
        (r"{\shp{\*\shpinst{\sp{\sn gtextUNICODE}{\sv UNIQUE}}}}", Zone.TEXTBOX),
        (r"{\header{\shp{\*\shpinst{\sp{\sn gtextUNICODE}{\sv UNIQUE}}}}}", Zone.WATERMARK),
        (r"{\shp{\*\shpinst{\shptxt UNIQUE}}}", Zone.TEXTBOX),
        (r"{\listtext UNIQUE\tab}", Zone.BODY),
        (r"\trowd\cellx1000 UNIQUE\cell\row", Zone.BODY),
        (r"{\stylesheet{\s1 UNIQUE;}}", Zone.HIDDEN),
        (r"{\*\generator UNIQUE;}", Zone.PROPERTY),
        (r"{\*\revtbl{UNIQUE;}}", Zone.PROPERTY),
    ],
)
def test_every_place_is_read_in_its_zone(markup: str, zone: Zone) -> None:
    found = read(an_rtf(r"before \par " + markup + r"\par after"))
    assert "UNIQUE" in said(found, zone)
    assert "before" in said(found, Zone.BODY)
    assert "after" in said(found, Zone.BODY)
    assert not why(found)


def test_a_label_is_a_property_with_its_name() -> None:
    found = read(an_rtf(r"{\*\userprops{\propname MSIP_Label_1_Name}\proptype30{\staticval Secret}}"))
    assert "MSIP_Label_1_Name: Secret" in said(found, Zone.PROPERTY)


def test_runs_join_and_paragraphs_and_cells_part() -> None:
    found = read(an_rtf(r"{\b one}{\v hid}{\i word}\par next\cell last\row"))
    (body,) = parts([piece for piece in found if isinstance(piece, Part)])
    assert body.start
    assert body.text.split() == ["oneword", "next", "last"]
    assert "next\tlast\n" in body.text


@pytest.mark.parametrize(
    ("charset", "encoding", "sentence"),
    [
        (134, "gbk", "绝密级文件，不得复制。"),
        (136, "big5", "機密文件功許蓋，不得外傳。"),  # characters whose second byte is a backslash
        (128, "cp932", "社外秘表示ソース、取扱注意。"),
        (129, "cp949", "대외비 문서"),
        (204, "cp1251", "Секретно"),
    ],
)
def test_bytes_are_read_in_the_encoding_of_their_font(charset: int, encoding: str, sentence: str) -> None:
    fonts = rf"{{\f0\fcharset0 Arial;}}{{\f1\fcharset{charset} Song;}}"
    assert sentence in said(read(an_rtf(rf"\f1 {escaped(sentence, encoding)}\f0 plain", fonts=fonts)), Zone.BODY)


def test_bytes_are_read_in_the_encoding_of_the_document_or_in_the_one_they_are_in() -> None:
    sentence = "这是一份机密文件，不得外传。"
    assert sentence in said(read(an_rtf(escaped(sentence, "gbk"), page=936)))
    assert sentence in said(read(an_rtf(escaped(sentence, "gbk"), page=1252)))
    assert sentence in said(read(an_rtf().replace(b"Hello", sentence.encode())))
    assert "café crème" in said(read(an_rtf(escaped("café crème", "cp1252"), page=936)))


@pytest.mark.parametrize(
    "markup",
    [
        unicode("机密😀"),
        r"\u26426\'3f\u23494 ?\u-10179?\u-8704?",
        r"{\uc2\u26426\'bb\'fa\u23494\'c3\'dc\u-10179??\u-8704??}",
        r"{\uc0\u26426\u23494\u-10179\u-8704}",
        r"\u26426 X\u23494 X\u128512 X",
    ],
)
def test_characters_by_number_replace_what_stands_for_them(markup: str) -> None:
    body = said(read(an_rtf(rf"<{markup}>")), Zone.BODY)
    assert body.strip() == "<机密😀>"


def test_a_long_fall_back_is_hidden_text() -> None:
    assert "SECRET WORDS" in said(read(an_rtf(r"{\uc50\u32 SECRET WORDS}")), Zone.HIDDEN)


def test_objects_and_pictures_are_documents_inside() -> None:
    packed = an_object(a_package("机密.txt", b"PACKED"), kind="Package").hex()
    ole = an_object(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1 rest").hex()
    picture = (b"\x89PNG\r\n\x1a\n" + b"x" * 40).hex()
    found = read(
        an_rtf(
            rf"{{\object\objemb{{\*\objclass Package}}{{\*\objdata {packed}}}{{\result shown}}}}{{\object{{\*\objdata {ole}}}}}"
            rf"{{\*\shppict{{\pict\pngblip {picture}}}}}"
        )
    )
    package, storage, png = inside(found)
    assert (package.name, bytes(package.data)) == ("机密.txt", b"PACKED")
    assert bytes(storage.data).startswith(b"\xd0\xcf\x11\xe0")
    assert png.media_type == "image/png"
    assert "shown" in said(found, Zone.BODY)
    assert "Word.Document.8" in said(found, Zone.HIDDEN)
    assert "C:\\origin\\" in said(found, Zone.HIDDEN)


def test_an_obfuscated_object_is_read() -> None:
    digits = an_object(a_package("a.txt", b"PACKED"), kind="Package").hex()
    spaced = "\r\n ".join(digits[at : at + 7] for at in range(0, len(digits), 7))
    nested = (
        rf"{{\object{{\*\objdata\objupdate {spaced[:90]}{{\*\junk {{\deep}}}}{{\b {spaced[90:200]}}}\unknown5 {spaced[200:]}g}}}}"
    )
    assert b"PACKED" in [bytes(document.data) for document in inside(read(an_rtf(nested)))]


def test_binary_data_is_no_markup() -> None:
    content = b"BM" + b"}{\\v \\par" * 5
    data = an_rtf(r"before{\pict\wbitmap0\bin" + f"{len(content)} @@" + r"}after").replace(b"@@", content)
    found = read(data)
    assert [bytes(document.data) for document in inside(found)] == [content]
    assert "beforeafter" in said(found, Zone.BODY)
    lie = read(an_rtf(r"before\bin99999999999 after"))
    assert "after" in said(lie, Zone.BODY)
    assert why(lie) == [Why.CORRUPT]


def test_a_bitmap_gets_the_header_of_a_file() -> None:
    dib = struct.pack("<IiiHHIIiiII", 40, 1, 1, 1, 24, 0, 4, 0, 0, 0, 0) + b"\0\0\0\0"
    (picture,) = inside(read(an_rtf(rf"{{\pict\dibitmap0 {dib.hex()}}}")))
    assert picture.media_type == "image/bmp"
    assert bytes(picture.data)[10:14] == struct.pack("<I", 54)


def test_a_mail_that_was_html_gives_its_page() -> None:
    body = (
        r"{\*\htmltag64 <html>}{\*\htmltag84 <p title='ATTRIBUTE'>}\htmlrtf {\htmlrtf0 " + unicode("机密")
        + r"\htmlrtf }\htmlrtf0 {\*\htmltag92 </p>}{\*\htmltag <!-- COMMENT -->}\htmlrtf ONLY RTF\htmlrtf0 "
    )  # fmt: skip
    found = read(an_rtf(body, head=r"\fromhtml1"))
    (page,) = inside(found)
    assert bytes(page.data).decode() == "<html><p title='ATTRIBUTE'>机密</p><!-- COMMENT -->"
    assert "机密" in said(found, Zone.BODY)
    assert "ONLY RTF" in said(found, Zone.BODY)


def test_what_stands_behind_the_end_is_read() -> None:
    archive = a_zip({"a.txt": "x"})
    (rest,) = inside(read(an_rtf() + b"\r\n\0" + archive))
    assert rest.media_type == "application/zip"
    more = read(an_rtf() + an_rtf("SECOND"))
    assert "SECOND" in said(more, Zone.BODY)
    assert why(more) == [Why.CORRUPT]


def test_depth_is_no_recursion_and_is_told() -> None:
    found = read(b"{\\rtf1 " + b"{" * 100_000 + b"INNER" + b"}" * 100_001)
    assert "INNER" in said(found, Zone.BODY)
    assert why(found) == [Why.TOO_DEEP]


def test_a_document_cut_short_gives_what_it_has() -> None:
    found = read(an_rtf(r"{\header TOP}text{\*\userprops{\propname n}{\staticval LAST")[:-1])
    assert "TOP" in said(found, Zone.HEADER)
    assert "n: LAST" in said(found, Zone.PROPERTY)
    assert Why.CORRUPT in why(found)


def test_an_object_is_spent_from_the_budget() -> None:
    digits = "00" * 5_000
    data = Document(data=an_rtf(rf"text{{\object{{\*\objdata {digits}}}}}"))
    found = []
    with pytest.raises(Exhausted):
        for piece in rtf.read(data, Budget(Limits(expanded_bytes=1_000))):
            found.append(piece)
    assert "text" in said(found, Zone.BODY)


@given(st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=60))
def test_any_text_comes_back(sentence: str) -> None:
    markup = "".join(f"\\{char}" if char in "\\{}" else unicode(char) for char in sentence)
    assert "<" + sentence + ">" in said(read(an_rtf(f"<{markup}>")), Zone.BODY)


TOKENS = (
    *(r"\bin3 ", "{", "}", r"\*", r"\objdata ", r"\pict ", r"\dibitmap0 ", r"\u-5?", r"\'f", r"\'ff", r"\uc9 ", "0a " * 60),
    *(r"\sv ", r"\sn ", r"\f1 ", r"\fonttbl ", r"\v ", r"\htmltag ", r"\docvar ", r"\datafield ", "text", "\\", "\0"),
)


@given(st.lists(st.sampled_from(TOKENS)))
def test_any_markup_is_read_without_a_fault(tokens: list[str]) -> None:
    read(b"{\\rtf1 " + "".join(tokens).encode())


@pytest.mark.corpus
def test_the_canaries_are_found(corpus: Path) -> None:
    truth = json.loads((corpus / "canary_truth.json").read_text("utf-8"))["rtf"]
    found = said(read((corpus / "synth/canary/canary.rtf").read_bytes()))
    assert [place for place, canary in truth.items() if canary not in found] == []


@pytest.mark.corpus
def test_real_documents_are_read_without_a_fault(corpus: Path) -> None:
    for path in sorted(corpus.rglob("*.rtf")):
        assert said(read(path.read_bytes())) or not path.stat().st_size, path.name
