import struct
from pathlib import Path

import pytest
from hypothesis import given

from dlp.extract.budget import Budget
from dlp.extract.document import Document
from dlp.extract.passwords import OPENED
from dlp.extract.walk import walk
from dlp.model import Limits, Part, Why, Zone
from tests.extract.damage import damaged, streams
from tests.extract.reading import parts, read, text, unread
from tests.helpers.compound import a_compound
from tests.helpers.documents import a_docx
from tests.helpers.legacy import (
    PNG,
    a_blip,
    a_doc,
    a_form_field,
    a_list,
    a_metafile,
    a_package,
    a_picture_in_text,
    a_property_set,
    a_record,
    a_shape_options,
    a_string_table,
    a_textbox,
    a_vba_project,
    a_word_95,
    counted,
    wide,
)


def test_every_story_is_read_in_its_zone() -> None:
    data = a_doc(
        "机密★10年\r正文 BODY1\rCELL1\x07CELL2\x07\x07LINE1\x0bLINE2\r",
        footnotes="\x02FOOTNOTE1 脚注\r",
        headers=["EVENHEADER1\r", "HEADER1 页眉\r", "EVENFOOTER1\r", "FOOTER1\r", "FIRSTHEADER1\r", "FIRSTFOOTER1\r"],
        macros="MACRO1\r",
        comments="\x05COMMENT1 批注\r",
        endnotes="ENDNOTE1\r",
        textboxes="TEXTBOX1\r",
        header_textboxes="TEXTBOX2 文本框\r",
    )
    pieces = read(data, "a.doc")
    (body,) = [part for part in parts(pieces) if part.trail == ()]
    assert body.text.startswith("机密★10年\n正文 BODY1\nCELL1\tCELL2\nLINE1\nLINE2\n")
    assert body.start
    expected = {
        Zone.NOTE: ["FOOTNOTE1 脚注", "ENDNOTE1"],
        Zone.HEADER: ["EVENHEADER1", "HEADER1 页眉", "FIRSTHEADER1"],
        Zone.FOOTER: ["EVENFOOTER1", "FOOTER1", "FIRSTFOOTER1"],
        Zone.HIDDEN: ["MACRO1"],
        Zone.COMMENT: ["COMMENT1 批注"],
        Zone.TEXTBOX: ["TEXTBOX1", "TEXTBOX2 文本框"],
    }
    for zone, strings in expected.items():
        for string in strings:
            assert string in text(pieces, zone), (zone, string)
    assert not unread(pieces)


def test_hidden_and_deleted_text_is_kept_apart() -> None:
    pieces = read(
        a_doc("x" * 60 + "机" + "HIDDEN1" + "密" + "y" * 40 + "DELETED1" + "z" * 60, hidden=["HIDDEN1"], deleted=["DELETED1"])
    )
    assert "机密" in text(pieces, Zone.BODY)
    assert "HIDDEN1" not in text(pieces, Zone.BODY)
    assert "DELETED1" not in text(pieces, Zone.BODY)
    assert "HIDDEN1" in text(pieces, Zone.HIDDEN)
    assert "DELETED1" in text(pieces, Zone.HIDDEN)


def test_instructions_of_fields_are_hidden_and_their_results_are_body() -> None:
    link = '\x13 HYPERLINK "http://x/LINK1" \x14密\x15'
    pieces = read(a_doc(f'before \x13 IF \x13 REF NESTED1 \x14inner\x15 "INSTRUCTION1" \x14机{link}\x15 after\r'))
    assert "before 机密 after" in text(pieces, Zone.BODY)
    for string in ("NESTED1", "INSTRUCTION1", "http://x/LINK1"):
        assert string in text(pieces, Zone.HIDDEN)
        assert string not in text(pieces, Zone.BODY)


@pytest.mark.parametrize("body", ["\x15\x14\x15 TEXT1", "\x13\x13\x13 TEXT1", "TEXT1 \x13", "\x14\x13 TEXT1 \x14\x14"])
def test_fields_that_do_not_close_lose_nothing(body: str) -> None:
    assert "TEXT1" in text(read(a_doc(body)))


def test_tables_of_strings_are_read() -> None:
    values = counted("VALUE1 值")
    data = a_doc(
        "text",
        tables={
            "associated": a_string_table(["", "", "TITLE1 标题", "SUBJECT1"]),
            "bookmarks": a_string_table(["BOOKMARK1"]),
            "authors": a_string_table(["Unknown", "REVISER1"]),
            "variables": a_string_table(["VARIABLE1"], extra=4) + values,
            "saved_by": a_string_table(["SAVER1", "C:\\PATH1.doc"]),
            "commenters": counted("COMMENTER1"),
            "glossary": a_string_table(["BLOCK1"]),
            "lists": a_list("第\x00章 LEVEL1", "LEVEL2"),
        },
    )
    pieces = read(data)
    for string in ("TITLE1 标题", "SUBJECT1", "REVISER1", "VARIABLE1", "VALUE1 值", "SAVER1", "PATH1"):
        assert string in text(pieces, Zone.PROPERTY), string
    for string in ("BOOKMARK1", "BLOCK1", "LEVEL1", "LEVEL2"):
        assert string in text(pieces, Zone.HIDDEN), string
    assert "COMMENTER1" in text(pieces, Zone.COMMENT)


def test_the_data_stream_gives_pictures_form_fields_and_links() -> None:
    shape = a_record(0xF004, [a_shape_options(description="DESCRIPTION1 说明")])
    data = b"".join(
        (
            bytes(13),
            a_picture_in_text(shape + a_blip(PNG)),
            b"\x44\0\x44\0",
            a_form_field("NAME1", "DEFAULT1", "FORMAT1", "HELP1", "STATUS1", "ENTRY1", "EXIT1", choices=["CHOICE1"]),
            struct.pack("<IH", 68 + 40, 68).ljust(68, b"\0") + wide("http://x/TARGET1 abc"),
        )
    )
    pieces = read(a_doc("text", data=data))
    assert ("picture",) in [piece.trail for piece in pieces]
    for string in (
        "DESCRIPTION1 说明",
        "NAME1",
        "DEFAULT1",
        "FORMAT1",
        "HELP1",
        "STATUS1",
        "ENTRY1",
        "EXIT1",
        "CHOICE1",
        "TARGET1",
    ):
        assert string in text(pieces, Zone.HIDDEN), string


def test_drawings_give_word_art_and_pictures() -> None:
    shapes = [a_record(0xF004, [a_shape_options(word_art="机密 WATERMARK1")]), a_textbox("x")]
    drawing = (
        a_record(0xF000, [a_blip(PNG)]) + b"\0" + a_record(0xF002, shapes) + b"\1" + a_record(0xF002, [a_metafile(b"x" * 90)])
    )
    pieces = read(a_doc("text", tables={"drawings": drawing}))
    assert "机密 WATERMARK1" in text(pieces, Zone.WATERMARK)
    assert [piece.trail for piece in pieces].count(("picture",)) >= 2


def test_objects_properties_and_macros_are_read() -> None:
    inner = {("ObjectPool", "_1", *path): content for path, content in streams(a_doc("INNER1 内部")).items()}
    extra = {
        **inner,
        ("ObjectPool", "_2", "\1Ole10Native"): a_package("机密.docx", a_docx(["PACKAGED1"])),
        ("ObjectPool", "_2", "\3ObjInfo"): b"\0" * 6,
        ("\5SummaryInformation",): a_property_set({2: "TITLE1", 4: "AUTHOR1"}),
        ("\5DocumentSummaryInformation",): a_property_set(custom={"MSIP_Label_1_Name": "机密 LABEL1"}),
        ("MsoDataStore", "A", "Item"): b"<a>CUSTOM1</a>",
        **a_vba_project('Const c = "机密 MACRO1"'),
    }
    pieces = read(a_doc("text", extra=extra))
    assert "INNER1 内部" in text(pieces, Zone.BODY, ("ObjectPool", "_1"))
    assert "PACKAGED1" in text(pieces, Zone.BODY, ("ObjectPool", "_2", "机密.docx"))
    for string in ("TEMPORARY1", "ORIGIN1"):
        assert string in text(pieces, Zone.FILENAME)
    assert "Title: TITLE1" in text(pieces, Zone.PROPERTY)
    assert "MSIP_Label_1_Name: 机密 LABEL1" in text(pieces, Zone.PROPERTY)
    assert "CUSTOM1" in text(pieces)
    for string in ("机密 MACRO1", "PROJECTNAME", "CAPTION1"):
        assert string in text(pieces, Zone.HIDDEN), string
    assert not unread(pieces)


def test_text_that_a_fast_save_left_behind_is_read() -> None:
    assert "TAKEN OUT 删去的" in text(read(a_doc("text", fast_saved="TAKEN OUT 删去的文字")), Zone.HIDDEN)


def test_the_building_blocks_of_a_template_are_read() -> None:
    held = streams(a_doc("BLOCK1 机密"))
    main = bytearray(held["WordDocument",])
    second = len(main)  # a page's beginning
    struct.pack_into("<HH", main, 8, second // 512, 0x0201)  # a template, and where its second block stands
    held["WordDocument",] = bytes(main) + main[:0x600]
    assert "BLOCK1 机密" in text(read(a_compound(held), "a.dot"), Zone.HIDDEN, ("AutoText",))


def test_an_encrypted_document_is_told_or_opened() -> None:
    data = a_doc("机密 SECRET1", password="Q3-2024!")
    pieces = read(data)
    assert unread(pieces) == [(Why.ENCRYPTED, ())]
    assert "SECRET1" not in text(pieces)
    budget = Budget(Limits(), passwords=["wrong", "Q3-2024!"])
    opened = list(walk(Document(data=data), budget))
    assert not unread(opened)
    assert "机密 SECRET1" in text(opened, Zone.BODY, (OPENED,))


@pytest.mark.parametrize(
    ("words", "encoding", "language"),
    [
        ("这是一份机密文件，不得外传。", "gb18030", 0x0804),
        ("這是一份機密文件", "big5", 0x0404),
        ("Секретный отчёт", "cp1251", 0x0419),
    ],
)
def test_word_95_is_read_in_its_language(words: str, encoding: str, language: int) -> None:
    pieces = read(a_word_95(words.encode(encoding) + b"\r", language=language), "a.doc")
    assert words in text(pieces, Zone.BODY)
    assert not unread(pieces)


def test_what_is_missing_is_told_and_the_rest_is_read() -> None:
    whole = a_doc("a" * 4000 + "b" * 4000 + "LAST1" + "c" * 3995, extra={("Z",): b"text of another stream"})
    pieces = read(whole[: len(whole) // 3])
    assert "LAST1" in text(pieces)
    assert Why.CORRUPT in [why for why, _ in unread(pieces)]


def test_objects_are_read_though_the_document_cannot_be() -> None:
    held = {
        ("WordDocument",): b"\1\0" * 3000,
        ("ObjectPool", "_1", "\1Ole10Native"): a_package("a.docx", a_docx(["PACKAGED1"])),
    }
    pieces = read(a_compound(held))
    assert Why.CORRUPT in [why for why, _ in unread(pieces)]
    assert "PACKAGED1" in text(pieces, Zone.BODY)


def test_a_piece_table_that_lies_is_bounded() -> None:
    pieces = 4000
    bounds = struct.pack(f"<{pieces + 1}I", *range(0, (pieces + 1) * 4000, 4000))
    plc = bounds + struct.pack("<HIH", 0, 0x40000000, 0) * pieces
    data = a_doc("x" * 9000, tables={"pieces": b"\2" + struct.pack("<I", len(plc)) + plc})
    found = read(data, limits=Limits(expanded_bytes=1 << 20))
    assert (Why.TOO_LARGE, ()) in unread(found)
    assert sum(len(piece.text) for piece in found if isinstance(piece, Part)) < 4 << 20


def test_what_is_no_document_is_told_and_salvaged() -> None:
    pieces = read(a_compound({("WordDocument",): b"\1\0" * 2000 + "机密文件资料".encode("utf-16-le")}))
    assert unread(pieces) == [(Why.CORRUPT, ())]
    assert "机密文件资料" in text(pieces, Zone.RAW)


_SEED = a_doc(
    "机密 body \x13 HYPERLINK x \x14y\x15\r" * 3,
    footnotes="note\r",
    headers=["a\r", "b\r"],
    hidden=["body"],
    tables={"bookmarks": a_string_table(["b"]), "lists": a_list("level one"), "drawings": a_record(0xF000, [a_blip(PNG)])},
    data=a_picture_in_text(a_metafile(b"x" * 90)) + a_form_field("n", "d", "f", "h", "s", "e", "x", choices=["c"]),
)


@given(damaged(streams(_SEED), [("WordDocument",), ("1Table",), ("Data",)]))
def test_damage_anywhere_never_fails(content: bytes) -> None:
    pieces = read(content, limits=Limits(bytes=1 << 20, expanded_bytes=8 << 20))
    assert Why.CRASHED not in [why for why, _ in unread(pieces)]


@pytest.mark.corpus
def test_real_documents_are_read_or_told(corpus: Path) -> None:
    for path in sorted(corpus.rglob("*.doc")):
        pieces = read(path.read_bytes(), path.name)
        assert Why.CRASHED not in [why for why, _ in unread(pieces)], path.name
        assert text(pieces, Zone.BODY).strip() or unread(pieces) or path.name in ("Bug49908.doc", "picture.doc"), path.name


@pytest.mark.corpus
def test_every_place_that_a_conversion_kept_is_read(corpus: Path) -> None:
    for name in ("lo_docx.doc", "lo_docx.wps"):
        pieces = read((corpus / "synth" / "canary" / name).read_bytes(), name)
        for zone, places in {
            Zone.BODY: ("BODY", "SPLITRUNS", "TABLE", "NESTEDTABLE", "WHITETEXT", "INSERTEDREVISION", "SDT"),
            Zone.HIDDEN: ("HIDDENVANISH", "DELETEDREVISION", "HYPERLINKTARGET"),
            Zone.TEXTBOX: ("TEXTBOX", "VMLTEXTBOX"),
            Zone.WATERMARK: ("WORDARTWATERMARK",),
            Zone.HEADER: ("HEADERFIRST",),
            Zone.NOTE: ("FOOTNOTE", "ENDNOTE"),
            Zone.COMMENT: ("COMMENT",),
            Zone.PROPERTY: ("REVAUTHOR", "CORESUBJECT", "CUSTOMPROPLABEL"),
        }.items():
            for place in places:
                assert f"CNDOCX{place}秘密" in text(pieces, zone), (name, place)
