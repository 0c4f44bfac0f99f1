import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlp.extract import emf, wmf
from dlp.extract.budget import Budget
from dlp.extract.document import Document
from dlp.extract.format import Format
from dlp.model import Limits, Part, Unscannable, Why, Zone
from tests.helpers import metafiles as m
from tests.helpers.documents import a_docx

PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 40


def found(form: Format, data: bytes) -> tuple[str, list[Document], list[Why]]:
    """The texts, documents inside, and reasons of what was not read."""
    pieces = list(form.read(Document(data=data), Budget(Limits())))
    text = "".join(piece.text for piece in pieces if isinstance(piece, Part))
    inside = [piece for piece in pieces if isinstance(piece, Document)]
    return text, inside, [piece.why for piece in pieces if isinstance(piece, Unscannable)]


def test_every_text_record_of_an_enhanced_metafile_is_read() -> None:
    records = [
        m.emf_text("机密WIDE"),
        m.emf_font(1, 134),
        m.emf_text("绝密窄".encode("gb18030"), y=10),
        m.emf_font(2, 204),
        m.emf_text("секретно".encode("cp1251"), y=20),
        m.emf_texts(["POLY1", "POLY2"]),
        m.emf_small_text("小SMALL1"),
        m.emf_small_text(b"SMALL2"),
    ]
    text, inside, unread = found(emf.FORMAT, m.an_emf(records, description="Program\0TITLE1\0\0"))
    for word in ("机密WIDE", "绝密窄", "секретно", "POLY1\nPOLY2", "小SMALL1", "SMALL2", "TITLE1"):
        assert word in text
    assert (inside, unread) == ([], [])


def test_a_picture_of_lines_only_is_read() -> None:
    assert found(emf.FORMAT, m.an_emf([m.emf_record(54, b"\0" * 8)] * 5)) == ("", [], [])
    assert found(wmf.FORMAT, m.a_wmf([m.wmf_record(0x0213, b"\0" * 4)] * 5)) == ("", [], [])


def test_text_that_goes_on_where_the_last_ended_is_joined() -> None:
    records = [
        m.emf_text("机", x=0, y=5, advance=10),
        m.emf_text("密", x=10, y=5, advance=10),
        m.emf_text("word", x=30, y=5, advance=10),
        m.emf_text("far", x=500, y=5, advance=10),
        m.emf_text("below", x=0, y=25),
    ]
    assert found(emf.FORMAT, m.an_emf(records))[0] == "机密 word\tfar\nbelow"
    pieces = [m.wmf_extended_text(b"se", x=3, advance=10), m.wmf_extended_text(b"cret", x=23, advance=10)]
    assert found(wmf.FORMAT, m.a_wmf(pieces))[0] == "secret"


def test_the_records_of_emf_plus_are_read() -> None:
    comment = b"EMF+" + m.plus_text("绘DRAWN") + m.plus_glyphs("DRIVEN", characters=True)
    text, _, unread = found(emf.FORMAT, m.an_emf([m.emf_comment(comment)]))
    assert "绘DRAWN\nDRIVEN\n" in text
    assert unread == []


def test_glyphs_without_characters_are_told() -> None:
    plus = m.emf_comment(b"EMF+" + m.plus_glyphs("xx", characters=False))
    assert found(emf.FORMAT, m.an_emf([plus]))[2] == [Why.UNSUPPORTED]
    assert found(emf.FORMAT, m.an_emf([m.emf_text("xx", options=0x10)]))[2] == [Why.UNSUPPORTED]
    assert found(wmf.FORMAT, m.a_wmf([m.wmf_extended_text(b"xx", options=0x10)]))[2] == [Why.UNSUPPORTED]


def test_comments_and_what_stands_behind_the_end_are_read() -> None:
    group = b"GDIC" + (2).to_bytes(4, "little") + b"\0" * 16 + (6).to_bytes(4, "little") + "GROUP1".encode("utf-16-le")
    records = [m.emf_comment("C:\\秘密项目方案.docx".encode("utf-16-le")), m.emf_comment(group)]
    text, inside, unread = found(emf.FORMAT, m.an_emf(records, tail=b"SHORT BEHIND"))
    assert "秘密项目方案.docx" in text
    assert "GROUP1" in text
    assert "SHORT BEHIND" in text
    assert (inside, unread) == ([], [])
    package = a_docx(["SECRET1"])
    text, inside, _ = found(wmf.FORMAT, m.a_wmf([m.wmf_comment(b"a COMMENT1")], tail=package))
    assert "COMMENT1" in text
    assert [bytes(document.data) for document in inside] == [package]


def test_bitmaps_are_documents_inside() -> None:
    info, bits = m.a_bmp()
    for form, data in ((emf.FORMAT, m.an_emf([m.emf_bitmap(info, bits)])), (wmf.FORMAT, m.a_wmf([m.wmf_bitmap(info, bits)]))):
        _, (inside,), unread = found(form, data)
        assert inside.media_type == "image/bmp"
        assert bytes(inside.data[14:54]) == info
        assert int.from_bytes(inside.data[10:14], "little") == 54
        assert unread == []


def test_a_bitmap_with_colours_says_where_its_bits_begin() -> None:
    info, bits = m.a_bmp(depth=8)
    _, (inside,), _ = found(wmf.FORMAT, m.a_wmf([m.wmf_bitmap(info + b"\1\2\3\0" * 256, bits)]))
    assert int.from_bytes(inside.data[10:14], "little") == 54 + 4 * 256


def test_a_compressed_picture_in_a_bitmap_is_a_file_of_its_own() -> None:
    info, _ = m.a_bmp()
    png = info[:16] + (5).to_bytes(4, "little") + info[20:]
    _, (inside,), _ = found(emf.FORMAT, m.an_emf([m.emf_bitmap(png, PNG)]))
    assert bytes(inside.data) == PNG


def test_patterns_are_no_pictures_and_unknown_bitmaps_are_told() -> None:
    assert found(emf.FORMAT, m.an_emf([m.emf_bitmap(*m.a_bmp(4, 4))])) == ("", [], [])
    assert found(wmf.FORMAT, m.a_wmf([m.wmf_record(0x0940, b"\0" * 18)])) == ("", [], [])
    assert found(emf.FORMAT, m.an_emf([m.emf_bitmap(b"\x99" * 40, b"bits")]))[2] == [Why.UNSUPPORTED]
    assert found(wmf.FORMAT, m.a_wmf([m.wmf_bitmap(b"\x99" * 40, b"bits")]))[2] == [Why.UNSUPPORTED]


def test_images_of_emf_plus_are_documents_inside_even_in_pieces() -> None:
    image = m.plus_image(PNG)
    whole = m.plus_record(0x4008, image, flags=0x0500)
    size = len(image).to_bytes(4, "little")
    pieces = [m.plus_record(0x4008, size + part, flags=0x8500) for part in (image[:30], image[30:])]
    for comments in ([b"EMF+" + whole], [b"EMF+" + pieces[0], b"EMF+" + pieces[1]]):
        _, inside, unread = found(emf.FORMAT, m.an_emf([m.emf_comment(comment) for comment in comments]))
        assert [bytes(document.data) for document in inside] == [PNG]
        assert unread == []
    pixels = m.plus_record(0x4008, m.plus_pixels(16, 16), flags=0x0500)
    assert found(emf.FORMAT, m.an_emf([m.emf_comment(b"EMF+" + pixels)]))[1][0].media_type == "image/bmp"
    strange = m.plus_record(0x4008, m.plus_pixels(16, 16, pixels=1), flags=0x0500)
    assert found(emf.FORMAT, m.an_emf([m.emf_comment(b"EMF+" + strange)]))[2] == [Why.UNSUPPORTED]


def test_a_metafile_in_a_metafile_is_a_document_inside() -> None:
    inner = m.an_emf([m.emf_text("INNER")])
    half = len(inner) // 2
    outer = m.a_wmf(
        [
            m.wmf_enhanced(inner[:half], rest=len(inner) - half, whole=len(inner)),
            m.wmf_enhanced(inner[half:], rest=0, whole=len(inner)),
        ]
    )
    assert [bytes(document.data) for document in found(wmf.FORMAT, outer)[1]] == [inner]
    windows = m.a_wmf([m.wmf_text(b"INNER")])
    comment = b"GDIC" + (0x80000001).to_bytes(4, "little") + b"\0" * 16 + windows
    assert found(emf.FORMAT, m.an_emf([m.emf_comment(comment)]))[1][0].media_type == "image/wmf"


@pytest.mark.parametrize("placeable", [False, True])
def test_text_of_a_windows_metafile_is_read_in_the_code_page_of_its_font(placeable: bool) -> None:
    records = [
        m.wmf_pen(),
        m.wmf_font(134),
        m.wmf_font(136),
        m.wmf_select(1),
        m.wmf_text("机密".encode("gb18030"), y=1),
        m.wmf_select(2),
        m.wmf_extended_text("機密".encode("big5"), y=2, options=2),
        m.wmf_delete(1),
        m.wmf_font(204),
        m.wmf_select(1),
        m.wmf_text("секретно".encode("cp1251"), y=3),
    ]
    text, inside, unread = found(wmf.FORMAT, m.a_wmf(records, placeable=placeable))
    assert text == "机密\n機密\nсекретно"
    assert (inside, unread) == ([], [])


def test_text_in_the_default_character_set_is_guessed() -> None:
    assert found(wmf.FORMAT, m.a_wmf([m.wmf_text("秘密文件".encode("gb18030"))]))[0] == "秘密文件"


def test_damage_is_told_after_what_was_read() -> None:
    for form, data in (
        (emf.FORMAT, m.an_emf([m.emf_text("BEFORE"), m.emf_text("AFTER")], end=False)),
        (wmf.FORMAT, m.a_wmf([m.wmf_text(b"BEFORE"), m.wmf_text(b"AFTER")], end=False)),
    ):
        text, _, unread = found(form, data[:-6])
        assert "BEFORE" in text
        assert unread == [Why.CORRUPT]


def test_texts_that_share_their_bytes_are_bounded() -> None:
    chars = 20_000
    entry = b"\0" * 8 + chars.to_bytes(4, "little") + (40).to_bytes(4, "little") + b"\0" * 24
    record = m.emf_record(97, m.BOUNDS + b"\0" * 12 + (1_000).to_bytes(4, "little") + entry * 1_000)
    with pytest.raises(Exception, match="expands"):
        list(emf.FORMAT.read(Document(data=m.an_emf([record])), Budget(Limits(expanded_bytes=1 << 20))))


@given(choice=st.data())
def test_any_damage_gives_pieces(choice: st.DataObject) -> None:
    info, bits = m.a_bmp()
    plus = m.emf_comment(b"EMF+" + m.plus_text("t") + m.plus_record(0x4008, m.plus_image(PNG), flags=0x0500))
    picture = info, bits[:99]
    enhanced = [m.emf_text("t"), m.emf_texts(["a", "b"]), m.emf_font(1, 134), m.emf_bitmap(*picture), plus]
    windows = [m.wmf_font(1), m.wmf_select(0), m.wmf_text(b"t"), m.wmf_bitmap(*picture), m.wmf_comment(b"c")]
    seeds = ((emf.FORMAT, m.an_emf(enhanced)), (wmf.FORMAT, m.a_wmf(windows)))
    form, seed = choice.draw(st.sampled_from(seeds))
    data = bytearray(seed)
    for _ in range(choice.draw(st.integers(1, 8))):
        data[choice.draw(st.integers(0, len(data) - 1))] = choice.draw(st.integers(0, 255))
    for piece in form.read(Document(data=bytes(data)), Budget(Limits())):
        assert isinstance(piece, Part | Unscannable | Document)


@pytest.mark.corpus
def test_the_words_in_a_chart_of_the_corpus_are_read(corpus: Path) -> None:
    (path,) = corpus.glob("apache+tika/**/018367.docx")
    with zipfile.ZipFile(path) as package:
        text, inside, unread = found(emf.FORMAT, package.read("word/media/image2.emf"))
    assert "Distribution of Approved RECA Claims" in text
    assert "FY 1999\tFY 2000" in text
    assert [document.media_type for document in inside] == ["image/emf"]
    assert unread == []


def test_descriptions_are_properties() -> None:
    pieces = emf.FORMAT.read(Document(data=m.an_emf([], description="TITLE1")), Budget(Limits()))
    assert [piece.zone for piece in pieces if isinstance(piece, Part)] == [Zone.PROPERTY]
