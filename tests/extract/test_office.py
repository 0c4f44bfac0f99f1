import pytest

from dlp.model import Limits, Part, Raw, Why, Zone
from tests.extract.reading import parts, random_bytes, read, text, unread
from tests.helpers.documents import a_docx, a_pptx, a_xlsx


def test_every_place_of_a_word_document_is_read_in_its_zone() -> None:
    data = a_docx(
        [["机", "密★", "10年"], "second"],
        header="HEADER1",
        footer="FOOTER1",
        comments=["COMMENT1"],
        footnotes=["FOOTNOTE1"],
        properties={"title": "PROP1"},
        custom={"MSIP_Label_1_Name": "PROP2"},
        hidden=["HIDDEN1"],
        deleted=["DELETED1"],
        textbox=["TEXTBOX1"],
        watermark="WATERMARK1",
        table=[["CELL1", "CELL2"]],
        links=["http://x/LINK1"],
        embedded={"in.xlsx": a_xlsx({"内部": [["EMBEDDED1"]]})},
        extra={
            "customXml/item1.xml": "<a b='CUSTOM1'>CUSTOM2</a>",
            "word/chunk.html": "<html><p>CHUNK1</p></html>",
            "word/settings.xml": '<w:settings><w:docVar w:name="n" w:val="DOCVAR1"/></w:settings>',
        },
    )
    pieces = read(data, "a.docx")
    (body,) = [part for part in parts(pieces) if part.trail == ()]
    assert body.text.startswith("机密★10年\nsecond\n")
    assert body.start
    assert "CELL1\nCELL2\n" in body.text
    assert "HIDDEN1" not in body.text
    expected = {
        Zone.HEADER: ["HEADER1"],
        Zone.FOOTER: ["FOOTER1"],
        Zone.COMMENT: ["COMMENT1"],
        Zone.NOTE: ["FOOTNOTE1"],
        Zone.PROPERTY: ["PROP1", "PROP2", "MSIP_Label_1_Name", "LINK1", "CUSTOM1", "CUSTOM2", "DOCVAR1"],
        Zone.HIDDEN: ["HIDDEN1", "DELETED1"],
        Zone.TEXTBOX: ["TEXTBOX1"],
        Zone.WATERMARK: ["WATERMARK1"],
    }
    for zone, strings in expected.items():
        for string in strings:
            assert string in text(pieces, zone), (zone, string)
    assert "EMBEDDED1" in text(pieces, Zone.BODY, ("in.xlsx", "内部"))
    assert "CHUNK1" in text(pieces, Zone.BODY, ("chunk.html",))
    assert not unread(pieces)


@pytest.mark.parametrize("value", ["0", "false", "off"])
def test_a_run_that_is_not_hidden_after_all_is_body(value: str) -> None:
    xml = f'<w:document><w:p><w:r><w:rPr><w:vanish w:val="{value}"/></w:rPr><w:t>SHOWN</w:t></w:r></w:p></w:document>'
    assert "SHOWN" in text(read(a_docx(extra={"word/document2.xml": xml})), Zone.BODY)


def test_pretty_printed_markup_does_not_split_words() -> None:
    xml = "<w:document>\n <w:p>\n  <w:r>\n   <w:t>机</w:t>\n  </w:r>\n  <w:r>\n   <w:t>密</w:t>\n  </w:r>\n </w:p>\n</w:document>"
    assert "机密" in text(read(a_docx(extra={"word/document2.xml": xml})), Zone.BODY)


def test_markup_that_no_parser_takes_is_read() -> None:
    data = a_docx(
        extra={"word/document2.xml": b"<w:document><w:p><w:t>BEFORE</w:t></w:q>\xff\x00<w:t>AFTER &undefined; &#x673A;</w:t>"}
    )
    assert "BEFORE" in text(read(data), Zone.BODY)
    assert "AFTER &undefined; 机" in text(read(data), Zone.BODY)


def test_a_part_in_another_encoding_is_read() -> None:
    for encoding in ("utf-16", "gb18030"):
        xml = f'<?xml version="1.0" encoding="{encoding}"?><w:hdr><w:p><w:t>机密文件</w:t></w:p></w:hdr>'.encode(encoding)
        assert "机密文件" in text(read(a_docx(extra={"word/header9.xml": xml})), Zone.HEADER)


def test_a_declared_document_type_is_told() -> None:
    bomb = '<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">]><w:hdr><w:t>&b;</w:t></w:hdr>'
    pieces = read(a_docx(["TEXT1"], extra={"word/header9.xml": bomb}))
    assert "TEXT1" in text(pieces)
    assert (Why.CORRUPT, ("word/header9.xml",)) in unread(pieces)


def test_what_nobody_knows_inside_is_told() -> None:
    pieces = read(a_docx(["TEXT1"], media={"sound.bin": b"\x01\x02\x03\x04" * 20}))
    assert unread(pieces) == [(Why.UNSUPPORTED, ("sound.bin",))]


def test_every_place_of_a_workbook_is_read_in_its_zone() -> None:
    data = a_xlsx(
        {"工资": [["姓名", "身份证"], ["张三", 110101199003077758], [3.5, "x"]], "深藏": [["HIDDEN1"]]},
        hidden=["深藏"],
        header="机&B密",
        footer="FOOTER1",
        comments=["COMMENT1"],
        names={"n": '"NAME1"'},
        properties={"title": "PROP1"},
    )
    pieces = read(data, "a.xlsx")
    (body,) = parts(pieces)
    assert body.text == "\t姓名\t身份证\n\t张三\t110101199003077758\n\t3.5\tx\n"
    assert (body.trail, body.page, body.start) == (("工资",), 1, True)
    hidden = [part for part in parts(pieces, Zone.HIDDEN) if "HIDDEN1" in part.text]
    assert [(part.trail, part.page) for part in hidden] == [(("深藏",), 2)]
    assert text(pieces, Zone.HEADER).strip() == "机密"
    assert text(pieces, Zone.FOOTER).strip() == "FOOTER1"
    assert text(pieces, Zone.COMMENT).strip() == "COMMENT1"
    assert "NAME1" in text(pieces, Zone.PROPERTY)
    assert "PROP1" in text(pieces, Zone.PROPERTY)
    assert not unread(pieces)


def test_a_string_that_no_cell_shows_is_read() -> None:
    shared = "<sst><si><r><t>机</t></r><r><t>密</t></r><rPh><t>ジミツ</t></rPh></si></sst>"
    pieces = read(a_xlsx({"s": []}, extra={"xl/sharedStrings.xml": shared}))
    assert "机密" in text(pieces, Zone.HIDDEN)
    assert "ジミツ" in text(pieces, Zone.HIDDEN)


def test_inline_strings_formulas_and_exponents_are_read() -> None:
    sheet = (
        '<x:worksheet><x:sheetData><x:row><x:c t="inlineStr"><x:is><x:r><x:t>IN</x:t></x:r><x:t>LINE</x:t></x:is></x:c>'
        '<x:c t="str"><x:f>"A"&amp;"FORMULA1"</x:f><x:v>CACHED1</x:v></x:c>'
        "<x:c><x:v>6.222835865055785E+18</x:v></x:c></x:row></x:sheetData>"
        "<x:dataValidation><x:formula1>VALID1</x:formula1></x:dataValidation></x:worksheet>"
    )
    pieces = read(a_xlsx(extra={"xl/worksheets/sheet7.xml": sheet}))
    assert "\tINLINE\tCACHED1\t6222835865055785000\n" in text(pieces, Zone.BODY)
    assert '"A"&"FORMULA1"' in text(pieces, Zone.HIDDEN)
    assert "VALID1" in text(pieces, Zone.HIDDEN)


def test_a_long_string_that_many_cells_refer_to_is_bounded() -> None:
    sheet = "<worksheet><sheetData><row>" + '<c t="s"><v>0</v></c>' * 20_000 + "</row></sheetData></worksheet>"
    shared = f"<sst><si><t>{'x' * 30_000}</t></si></sst>"
    data = a_xlsx(extra={"xl/worksheets/sheet1.xml": sheet, "xl/sharedStrings.xml": shared})
    pieces = read(data, limits=Limits(expanded_bytes=20 << 20))
    assert Why.TOO_LARGE in [why for why, _ in unread(pieces)]


def test_every_place_of_a_presentation_is_read_in_its_zone() -> None:
    data = a_pptx(
        [("标题一", ["机密", "text"]), ("标题二", ["HIDDEN SLIDE"])],
        notes=["NOTE1"],
        master="MASTER1",
        hidden=[2],
        properties={"subject": "PROP1"},
        extra={"ppt/comments/comment1.xml": "<p:cm><p:text>COMMENT1</p:text></p:cm>"},
    )
    pieces = read(data, "a.pptx")
    assert [(part.text.strip(), part.page, part.start) for part in parts(pieces)] == [("机密\ntext", 1, True)]
    assert [(part.text.strip(), part.page) for part in parts(pieces, Zone.TITLE)] == [("标题一", 1)]
    assert [(part.text.strip(), part.page) for part in parts(pieces, Zone.HIDDEN)] == [("标题二\nHIDDEN SLIDE", 2)]
    assert [(part.text.strip(), part.page) for part in parts(pieces, Zone.NOTE)] == [("NOTE1", 1)]
    assert "MASTER1" in text(pieces, Zone.HEADER)
    assert "COMMENT1" in text(pieces, Zone.COMMENT)
    assert "PROP1" in text(pieces, Zone.PROPERTY)
    assert not unread(pieces)


def test_a_part_that_inflates_to_a_gigabyte_is_bounded_and_told() -> None:
    xml = b"<w:document><w:p><w:t>FIRST</w:t></w:p>" + b" " * (70 << 20)
    pieces = read(a_docx(["TEXT1"], extra={"word/document2.xml": xml}))
    assert "FIRST" in text(pieces)
    assert (Why.TOO_LARGE, ("word/document2.xml",)) in unread(pieces)


def test_a_truncated_document_gives_what_it_has() -> None:
    data = a_docx(["TEXT1"], extra={"word/media/x.bin": random_bytes(4000)})
    pieces = read(data[: len(data) // 2], "a.docx")
    assert "TEXT1" in text(pieces, Zone.BODY)
    assert Why.CORRUPT in [why for why, _ in unread(pieces)]


def test_an_encrypted_document_is_told() -> None:
    ole = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 1016 + "EncryptedPackage".encode("utf-16-le") + b"\0" * 480
    pieces = read(ole + "可见字符串机密文件".encode("utf-16-le"), "a.docx")
    assert unread(pieces) == [(Why.ENCRYPTED, ())]
    assert "机密文件" in text(pieces, Zone.RAW)


def test_an_old_binary_document_is_told_and_salvaged() -> None:
    ole = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 1016 + "WordDocument".encode("utf-16-le") + b"\0" * 488
    pieces = read(ole + "这是一份机密文件".encode("utf-16-le") + b"\0\0" + "不得外传的资料".encode("gb18030"), "a.doc")
    assert [trail for _, trail in unread(pieces)] == [()]
    assert "这是一份机密文件" in text(pieces, Zone.RAW)
    assert "不得外传的资料" in text(pieces, Zone.RAW)


def test_the_content_decides_over_the_name() -> None:
    pieces = read(a_docx(["TEXT1"]), "holiday.jpg")
    assert "TEXT1" in text(pieces, Zone.BODY)
    assert next(piece for piece in pieces if isinstance(piece, Part)).text == "holiday.jpg"
    assert sum(isinstance(piece, Raw) for piece in pieces) == 1
