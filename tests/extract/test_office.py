import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlp.extract.flow import Flow
from dlp.extract.inert import is_inert, pictures
from dlp.model import Limits, Part, Raw, Why, Zone
from tests.extract.reading import parts, random_bytes, read, text, unread
from tests.helpers.documents import a_docx, a_pptx, a_xlsx
from tests.helpers.metafiles import an_emf, emf_text
from tests.helpers.packages import a_control, a_device_mode, a_font, a_ticket, an_embedded_font


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


@pytest.mark.parametrize(
    ("properties", "shown"),
    [
        ('<w:color w:val="FFFFFF"/>', False),
        ("<w:color w:val='ffffff' w:themeColor='background1'/>", False),
        ('<w:sz w:val="2"/>', False),
        ("<w:specVanish/>", False),
        ('<w:sz w:val="20"/><w:color w:val="FF0000"/>', True),
        ('<w:color w:val="FFFFFF"/><w:highlight w:val="red"/>', True),
        ('<w:color w:val="FFFFFF"/><w:shd w:val="clear" w:fill="000080"/>', True),
        ('<w:color w:val="FFFFFF"/><w:shd w:val="clear" w:fill="auto"/>', False),
    ],
)
def test_text_that_cannot_be_seen_is_hidden(properties: str, shown: bool) -> None:
    runs = f"<w:r><w:rPr>{properties}</w:rPr><w:t>RUN1</w:t></w:r><w:r><w:t>RUN2</w:t></w:r>"
    xml = f"<w:document><w:p><w:pPr><w:rPr><w:vanish/></w:rPr></w:pPr>{runs}</w:p></w:document>"
    pieces = read(a_docx(extra={"word/document2.xml": xml}))
    assert "RUN1" in text(pieces, Zone.BODY if shown else Zone.HIDDEN)
    assert "RUN2" in text(pieces, Zone.BODY)


def test_white_text_in_a_table_or_a_box_may_stand_on_a_ground() -> None:
    run = '<w:p><w:r><w:rPr><w:color w:val="FFFFFF"/></w:rPr><w:t>{}</w:t></w:r></w:p>'
    table = f"<w:tbl><w:tr><w:tc>{run.format('HEAD1')}</w:tc></w:tr></w:tbl>"
    box = f"<w:txbxContent>{run.format('BOX1')}</w:txbxContent>"
    pieces = read(a_docx(extra={"word/document2.xml": f"<w:document>{table}{box}{run.format('AFTER1')}</w:document>"}))
    assert "HEAD1" in text(pieces, Zone.BODY)
    assert "BOX1" in text(pieces, Zone.TEXTBOX)
    assert "AFTER1" in text(pieces, Zone.HIDDEN)


def test_what_is_hidden_in_one_piece_of_a_part_stays_hidden_in_the_next() -> None:
    padding = "<w:lang/>" * 40_000
    hidden = f"<w:r><w:rPr><w:vanish/>{padding}</w:rPr><w:t>HIDDEN1</w:t></w:r>"
    xml = f"<w:document><w:p>{hidden}<w:r><w:t>SHOWN1</w:t></w:r></w:p></w:document>"
    pieces = read(a_docx(extra={"word/document2.xml": xml}))
    assert "HIDDEN1" in text(pieces, Zone.HIDDEN)
    assert "SHOWN1" in text(pieces, Zone.BODY)


def test_text_where_markup_should_be_is_read() -> None:
    asides = "<?say ASIDE1?><x><![CDATA[SECTION1]]></x>"
    run = "<w:r><w:t>RUN1</w:t></w:r>"
    xml = f"LEADING <w:document><!-- REMARK1 --><w:p>STRAY {run}</w:p>{asides}</w:document>TRAILING"
    pieces = read(a_docx(extra={"word/document2.xml": xml}))
    for word in ("LEADING", "STRAY", "RUN1", "TRAILING"):
        assert word in text(pieces, Zone.BODY)
    for word in ("REMARK1", "ASIDE1", "SECTION1"):
        assert word in text(pieces, Zone.HIDDEN)


def test_a_character_given_by_its_number_is_read() -> None:
    symbols = '<w:sym w:font="x" w:char="673A"/><w:sym w:font="Wingdings" w:char="F0E0"/>'
    xml = f"<w:document><w:p><w:r><w:t>A</w:t>{symbols}<w:t>B</w:t></w:r></w:p></w:document>"
    assert "A机B" in text(read(a_docx(extra={"word/document2.xml": xml})), Zone.BODY)


@pytest.mark.parametrize(
    "attribute", ['descr="WORD1"', "descr='WORD1'", 'descr = "WORD1"', 'wp:title="WORD1"', 'name="机密WORD1"', "name='机密WORD1'"]
)
def test_words_in_attributes_are_read(attribute: str) -> None:
    pieces = read(a_docx(extra={"word/document2.xml": f'<w:document><wp:docPr id="1" {attribute} x="y"/></w:document>'}))
    assert "WORD1" in text(pieces, Zone.HIDDEN)


@pytest.mark.parametrize(
    "element",
    [
        '<wp:docPr id="1" name="WORD1"/>',
        '<pic:cNvPr id="1" name="C:\\WORD1.png"/>',
        '<w:bookmarkStart w:id="0" w:name="WORD1"/>',
        '<w:listEntry w:val="WORD1"/>',
        '<w:listItem w:displayText="a" w:value="WORD1"/>',
        "<w:alias w:val = 'WORD1'/>",
    ],
)
def test_names_of_shapes_and_entries_of_forms_are_read(element: str) -> None:
    pieces = read(a_docx(extra={"word/document2.xml": f"<w:document>{element}</w:document>"}))
    assert "WORD1" in text(pieces, Zone.HIDDEN)


def test_numbers_of_editing_sessions_are_no_words() -> None:
    settings = '<w:settings xmlns:w="urn:a"><w:rsids><w:rsid w:val="00A1B2C3"/></w:rsids><w:other w:val="11B2C3D4"/></w:settings>'
    properties = text(read(a_docx(extra={"word/settings.xml": settings})), Zone.PROPERTY)
    assert "11B2C3D4" in properties
    assert "00A1B2C3" not in properties
    assert "urn:a" not in properties


def test_words_in_attributes_part_no_runs() -> None:
    deleted = '<w:del w:author="{}"><w:r><w:delText>{}</w:delText></w:r></w:del>'
    xml = f"<w:document><w:p>{deleted.format('PERSON1', '机')}{deleted.format('PERSON2', '密')}</w:p></w:document>"
    hidden = text(read(a_docx(extra={"word/document2.xml": xml})), Zone.HIDDEN)
    assert "机密" in hidden
    assert "PERSON1\nPERSON2" in hidden


PLACES = {  # part, markup with the word in it, zone
    "word/people.xml": ('<w15:people><w15:person w15:author="WORD1"/></w15:people>', Zone.PROPERTY),
    "word/commentsExtended.xml": ("<w15:commentsEx>WORD1</w15:commentsEx>", Zone.COMMENT),
    "word/glossary/document.xml": (
        "<w:glossaryDocument><w:p><w:r><w:t>WORD1</w:t></w:r></w:p></w:glossaryDocument>",
        Zone.HIDDEN,
    ),
    "word/diagrams/data1.xml": ("<dgm:pt><dgm:t><a:p><a:r><a:t>WORD1</a:t></a:r></a:p></dgm:t></dgm:pt>", Zone.TEXTBOX),
    "word/charts/chart1.xml": ("<c:strCache><c:pt><c:v>WORD1</c:v></c:pt></c:strCache>", Zone.TEXTBOX),
    "word/footnotes.xml": (
        "<w:footnotes><w:footnote><w:p><w:r><w:t>WORD1</w:t></w:r></w:p></w:footnote></w:footnotes>",
        Zone.NOTE,
    ),
    "word/activeX/activeX1.xml": ('<ax:ocx ax:license="WORD1"/>', Zone.PROPERTY),
    "customXml/item2.xml": ("<a><b>WORD1</b></a>", Zone.PROPERTY),
    "docProps/app.xml": ("<Properties><Company>WORD1</Company></Properties>", Zone.PROPERTY),
    "word/_rels/settings.xml.rels": (
        '<Relationships xmlns="http://x"><Relationship Id="rId1" Target="file:///C:/WORD1.dotx" TargetMode="External"/>',
        Zone.PROPERTY,
    ),
    "word/_rels/odd.xml.rels": (
        '<Relationships xmlns="http://x"><Relationship Id="a" Target="b" Note="WORD1"/></Relationships>',
        Zone.PROPERTY,
    ),
}


@pytest.mark.parametrize("part", PLACES)
def test_every_part_of_a_word_package_is_read(part: str) -> None:
    markup, zone = PLACES[part]
    assert "WORD1" in text(read(a_docx(extra={part: markup})), zone)


@pytest.mark.parametrize(
    ("part", "zone"),
    [
        ("ppt/notesMasters/notesMaster1.xml", Zone.HEADER),
        ("ppt/handoutMasters/handoutMaster1.xml", Zone.HEADER),
        ("ppt/comments/modernComment_1.xml", Zone.COMMENT),
        ("ppt/diagrams/data1.xml", Zone.TEXTBOX),
        ("ppt/commentAuthors.xml", Zone.PROPERTY),
    ],
)
def test_every_part_of_a_presentation_is_read(part: str, zone: Zone) -> None:
    shape = "<p:sp><p:txBody><a:p><a:r><a:t>WORD1</a:t></a:r></a:p></p:txBody></p:sp>"
    assert "WORD1" in text(read(a_pptx(extra={part: shape})), zone)
    assert "TAG1" in text(
        read(a_pptx(extra={"ppt/tags/tag1.xml": '<p:tagLst><p:tag name="n" val="TAG1"/></p:tagLst>'})), Zone.PROPERTY
    )


def test_labels_are_properties_by_name() -> None:
    label = '<clbl:labelList><clbl:label id="{0-1}" enabled="1" method="Privileged" siteId="{2-3}" removed="0"/></clbl:labelList>'
    pieces = read(a_docx(custom={"MSIP_Label_1_Name": "绝密", "Other": "x"}, extra={"docMetadata/LabelInfo.xml": label}))
    properties = text(pieces, Zone.PROPERTY)
    for line in ("MSIP_Label_1_Name: 绝密", "Other: x", "MSIP_Label_0-1_method: Privileged", "MSIP_Label_0-1_siteId: {2-3}"):
        assert f"{line}\n" in properties


def test_a_label_of_absurd_length_is_not_repeated() -> None:
    xml = f'<clbl:label id="{"x" * 50_000}" ' + " ".join(f'a{number}="value"' for number in range(20_000)) + "/>"
    pieces = read(a_docx(extra={"docMetadata/LabelInfo.xml": xml}))
    assert "_a19999: value" in text(pieces, Zone.PROPERTY)
    assert len(text(pieces, Zone.PROPERTY)) < 10_000_000


def presentation(order: list[int]) -> dict[str, str]:
    """The parts of a presentation that say in which order its slides, by number of their parts, are shown."""
    listed = "".join(f'<p:sldId id="{256 + number}" r:id="rId{number}"/>' for number in order)
    targets = "".join(f'<Relationship Id="rId{number}" Target="slides/slide{number}.xml"/>' for number in order)
    return {
        "ppt/presentation.xml": f"<p:presentation><p:sldIdLst>{listed}</p:sldIdLst></p:presentation>",
        "ppt/_rels/presentation.xml.rels": f"<Relationships>{targets}</Relationships>",
    }


def test_slides_are_numbered_as_they_are_shown() -> None:
    notes = '<Relationships><Relationship Id="rId1" Target="../slides/slide3.xml"/></Relationships>'
    extra = presentation([3, 1]) | {"ppt/notesSlides/_rels/notesSlide1.xml.rels": notes}
    pieces = read(a_pptx([("", ["ONE"]), ("", ["TWO"]), ("", ["THREE"])], notes=["NOTE1"], extra=extra))
    assert [(part.text.strip(), part.page, part.start) for part in parts(pieces)] == [("THREE", 1, True), ("ONE", 2, False)]
    assert [(part.text.strip(), part.page) for part in parts(pieces, Zone.HIDDEN)] == [("TWO", None)]
    assert [(part.text.strip(), part.page) for part in parts(pieces, Zone.NOTE)] == [("NOTE1", 1)]


def test_the_body_begins_with_the_first_slide_that_has_text() -> None:
    pieces = read(a_pptx([("A", []), ("B", ["TWO"]), ("C", ["THREE"])], hidden=[1]))
    assert [(part.text.strip(), part.start) for part in parts(pieces)] == [("TWO", True), ("THREE", False)]


def test_slide_text_of_a_point_is_hidden() -> None:
    run = '<p:sld><p:sp><a:p><a:r><a:rPr lang="en" sz="{}"/><a:t>{}</a:t></a:r></a:p></p:sp></p:sld>'
    pieces = read(
        a_pptx([], extra={"ppt/slides/slide1.xml": run.format(100, "TINY1"), "ppt/slides/slide2.xml": run.format(1800, "LARGE1")})
    )
    assert "TINY1" in text(pieces, Zone.HIDDEN)
    assert "LARGE1" in text(pieces, Zone.BODY)


INERT = {
    "word/printerSettings1.bin": a_device_mode("\\\\server\\打印机 PRINTER1"),
    "word/printerSettings2.bin": a_ticket("PRINTER1"),
    "word/fonts/font1.odttf": a_font("PRINTER1", hidden=True),
    "word/fonts/font1.ttf": a_font("PRINTER1"),
    "ppt/fonts/font1.fntdata": an_embedded_font("PRINTER1"),
    "word/activeX/activeX1.bin": a_control("PRINTER1"),
}


@pytest.mark.parametrize("part", INERT)
def test_parts_that_hold_no_document_are_read_as_strings(part: str) -> None:
    pieces = read(a_docx(extra={part: INERT[part]}))
    assert "PRINTER1" in text(pieces, Zone.RAW)
    assert not unread(pieces)


def test_a_part_of_zeros_holds_nothing() -> None:
    assert not unread(read(a_docx(extra={"[trash]/0000.dat": b"\xff" * 4 + b"\0" * 600})))


def test_the_name_of_a_harmless_part_hides_no_document() -> None:
    data = a_device_mode("Printer")
    for hidden in (data + b"\x01\x02\x03", data[:-1], a_device_mode("Printer", private=a_docx(["SECRET1"]))):
        assert [why for why, _ in unread(read(a_docx(extra={"word/printerSettings1.bin": hidden})))] == [Why.UNSUPPORTED]
    pieces = read(a_docx(extra={"word/printerSettings1.bin": a_docx(["SECRET1"])}))
    assert "SECRET1" in text(pieces, Zone.BODY, ("printerSettings1.bin",))


def test_a_picture_in_a_control_is_a_document_inside() -> None:
    drawn = an_emf([emf_text("DRAWN1")])
    pieces = read(a_docx(extra={"word/activeX/activeX1.bin": a_control("caption", picture=drawn)}))
    assert "DRAWN1" in text(pieces, Zone.BODY, ("activeX1.bin", "picture"))


@pytest.mark.parametrize(
    "kind",
    [
        "application/vnd.ms-word.document.macroEnabled.main+xml",
        "application/vnd.openxmlformats-officedocument.x.template.main+xml",
    ],
)
def test_templates_and_macro_documents_are_read(kind: str) -> None:
    types = f'<Types><Override PartName="/word/document.xml" ContentType="{kind}"/></Types>'
    assert "TEXT1" in text(read(a_docx(["TEXT1"], extra={"[Content_Types].xml": types})), Zone.BODY, ())


def test_the_body_is_what_the_package_names() -> None:
    relations = '<Relationships><Relationship Id="a" Target="/word/Main.xml"/></Relationships>'
    xml = "<w:document><w:p><w:r><w:t>BODY1</w:t></w:r></w:p></w:document>"
    pieces = read(a_docx(["OTHER1"], extra={"_rels/.rels": relations, "word/main.xml": xml}))
    assert "BODY1" in text(pieces, Zone.BODY)
    assert "OTHER1" in text(pieces, Zone.BODY)
    relations = '<Relationships><Relationship Id="a" Target="word/embeddings/x.xlsx"/></Relationships>'
    pieces = read(a_docx(embedded={"x.xlsx": a_xlsx({"s": [["SECRET1"]]})}, extra={"_rels/.rels": relations}))
    assert "SECRET1" in text(pieces, Zone.BODY, ("x.xlsx", "s"))


def test_a_file_under_the_name_of_a_part_is_a_document_inside() -> None:
    for name in ("word/theme/theme9.xml", "word/document.xml", "customXml/_rels/x.rels"):
        pieces = read(a_docx(extra={name: a_xlsx({"s": [["SECRET1"]]})}))
        assert "SECRET1" in text(pieces, Zone.BODY, (name.rsplit("/", 1)[-1], "s"))
    pieces = read(a_docx(extra={"word/theme/theme9.xml": b"\x01\x02\x03\x04" * 20}))
    assert unread(pieces) == [(Why.UNSUPPORTED, ("theme9.xml",))]


def test_a_part_that_is_not_in_the_encoding_it_declares_is_read() -> None:
    xml = '<?xml version="1.0" encoding="UTF-8"?><w:hdr><w:p><w:t>机密文件不得外传</w:t></w:p></w:hdr>'.encode("gb18030")
    assert "机密文件不得外传" in text(read(a_docx(extra={"word/header9.xml": xml})))
    sound = '<?xml version="1.0"?><w:hdr><w:p><w:t>\ufffd REPLACED1</w:t></w:p></w:hdr>'
    pieces = read(a_docx(extra={"word/header9.xml": sound}))
    assert "REPLACED1" in text(pieces, Zone.HEADER, ())
    assert not [part for part in pieces if isinstance(part, Part) and part.trail]


def test_strict_documents_are_read() -> None:
    main = "http://purl.oclc.org/ooxml/wordprocessingml/main"
    xml = f'<w:document xmlns:w="{main}"><w:p><w:r><w:t>机</w:t></w:r><w:r><w:t>密</w:t></w:r></w:p></w:document>'
    pieces = read(a_docx(extra={"word/document.xml": xml}))
    assert "机密" in text(pieces, Zone.BODY, ())
    assert "purl.oclc.org" not in text(pieces)


@given(markup=st.text(alphabet="<>/!?-&;='\"w:rtp val[]FsznCDAT \n密", max_size=300), rest=st.text(max_size=20))
def test_any_markup_gives_its_text(markup: str, rest: str) -> None:
    flow = Flow(Zone.BODY, placeholders=True)
    flow.feed(markup)
    flow.feed("<w:p><w:t>LAST</w:t></w:p>" + rest.replace("<", ""))
    assert "LAST" in "".join(text for texts in flow.texts.values() for text in texts)


@given(data=st.binary(max_size=400) | st.binary(max_size=40).map(lambda tail: a_control("c", picture=b"x") + tail))
def test_any_bytes_are_known_or_not(data: bytes) -> None:
    assert is_inert(data) in (True, False)
    assert sum(map(len, pictures(data))) <= len(data)


@pytest.mark.corpus
@pytest.mark.parametrize("kind", ["docx", "pptx", "xlsx"])
def test_every_hiding_place_of_the_corpus_is_read(corpus: Path, kind: str) -> None:
    places = json.loads((corpus / "canary_truth.json").read_text())[kind]
    everything = text(read((corpus / f"synth/canary/canary.{kind}").read_bytes()))
    assert [place for place, word in places.items() if word not in everything] == []
