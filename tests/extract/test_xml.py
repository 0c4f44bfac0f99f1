import pytest

from dlp.model import Limits, Part, Why, Zone
from tests.extract.reading import parts, read, text, unread
from tests.helpers.documents import a_docx, a_pptx, a_xlsx
from tests.helpers.packages import a_flat_package, a_word_2003_document, an_excel_2003_workbook


def test_the_source_and_what_it_shows_are_read() -> None:
    pieces = read('<?xml version="1.0"?><r b="ATTR&#49;"><c>机<b class="x">密</b>文件</c><d>TEXT&#50;</d></r>'.encode())
    source, shown, values = parts(pieces)
    assert source.text.startswith("<?xml")
    assert shown.text.split() == ["机密文件", "TEXT2"]
    assert values.text.split() == ["1.0", "ATTR1", "x"]
    assert not unread(pieces)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "gb18030"])
def test_declared_entities_are_told(encoding: str) -> None:
    data = f'<?xml version="1.0" encoding="{encoding}"?><!DOCTYPE r [<!ENTITY b "机密">]><r>&b;</r>'.encode(encoding)
    pieces = read(data, "a.xml")
    assert "机密" in text(pieces)
    assert unread(pieces) == [(Why.UNSUPPORTED, ())]


@pytest.mark.parametrize("prefix", ["pkg", "p"])
def test_a_flat_package_is_read_as_the_package_it_stands_for(prefix: str) -> None:
    inner = a_docx(
        [["机", "密"]],
        header="HEADER1",
        hidden=["HIDDEN1"],
        embedded={"in.xlsx": a_xlsx({"内部": [["EMBEDDED1"]]})},
        custom={"MSIP_Label_1_Name": "绝密"},
    )
    pieces = read(a_flat_package(inner, prefix=prefix), "a.xml")
    assert "机密" in text(pieces, Zone.BODY, ("package",))
    assert "HEADER1" in text(pieces, Zone.HEADER)
    assert "HIDDEN1" in text(pieces, Zone.HIDDEN)
    assert "MSIP_Label_1_Name: 绝密" in text(pieces, Zone.PROPERTY)
    assert "EMBEDDED1" in text(pieces, Zone.BODY, ("package", "in.xlsx", "内部"))
    assert not unread(pieces)


def test_a_flat_presentation_and_a_flat_workbook_are_read() -> None:
    assert "标题" in text(read(a_flat_package(a_pptx([("标题", ["x"])]))), Zone.TITLE)
    assert "CELL1" in text(read(a_flat_package(a_xlsx({"s": [["CELL1"]]}))), Zone.BODY, ("package", "s"))


def test_a_flat_package_with_parts_of_one_name_and_without_data_is_read() -> None:
    part = '<pkg:part pkg:name="/word/document.xml"><pkg:xmlData><w:p><w:r><w:t>{}</w:t></w:r></w:p></pkg:xmlData></pkg:part>'
    odd = '<pkg:part pkg:name="/word/odd.xml"><w:t>ODD1</w:t></pkg:part>'
    long = f'<pkg:part pkg:name="/{"x" * 70_000}"><pkg:xmlData><a>LONG1<b:binaryData/></a></pkg:xmlData></pkg:part>'
    bare = '<pkg:part pkg:name="/x.bin"><pkg:binaryData>!!</pkg:binaryData></pkg:part>'
    root = '<pkg:package xmlns:pkg="http://schemas.microsoft.com/office/2006/xmlPackage">'
    markup = root + part.format("FIRST") + part.format("AGAIN") + odd + long + bare
    pieces = [piece for piece in read(markup.encode()) if isinstance(piece, Part) and piece.trail[:1] == ("package",)]
    for word in ("FIRST", "AGAIN", "ODD1", "LONG1"):
        assert word in text(pieces)


def test_a_flat_package_without_parts_is_told() -> None:
    pieces = read(b'<pkg:package xmlns:pkg="http://schemas.microsoft.com/office/2006/xmlPackage">TEXT1</pkg:package>')
    assert "TEXT1" in text(pieces, Zone.BODY)
    assert unread(pieces) == [(Why.CORRUPT, ())]


def test_a_flat_package_with_too_many_parts_is_told() -> None:
    root = '<pkg:package xmlns:pkg="http://schemas.microsoft.com/office/2006/xmlPackage">'
    pieces = read((root + '<pkg:part pkg:name="/a"/>' * 300).encode(), limits=Limits(members=200))
    assert Why.TOO_MANY in [why for why, _ in unread(pieces)]


def test_a_word_2003_document_is_read_by_zones() -> None:
    run = "<w:r>{}<w:t>{}</w:t></w:r>"
    body = (
        f"<w:p>{run.format('', '机')}{run.format('', '密')}</w:p><w:p>{run.format('<w:rPr><w:vanish/></w:rPr>', 'HIDDEN1')}</w:p>"
        "<w:p><w:r><w:footnote><w:p><w:r><w:t>NOTE1</w:t></w:r></w:p></w:footnote></w:r></w:p>"
    )
    inner = a_docx(["INNER1"])
    pieces = read(a_word_2003_document(body, header="HEADER1", title="TITLE1", binary={"wordml://in.docx": inner}), "a.xml")
    assert "机密\n" in text(pieces, Zone.BODY)
    assert "HIDDEN1" in text(pieces, Zone.HIDDEN)
    assert "NOTE1" in text(pieces, Zone.NOTE)
    assert "HEADER1" in text(pieces, Zone.HEADER)
    assert "TITLE1" in text(pieces, Zone.PROPERTY)
    assert "INNER1" in text(pieces, Zone.BODY, ("in.docx",))
    assert not unread(pieces)


def test_an_excel_2003_workbook_is_read_by_sheets() -> None:
    row = '<Row><Cell><Data ss:Type="String">{}</Data></Cell><Cell ss:HRef="http://x/LINK1"><Data>{}</Data></Cell></Row>'
    rich = "<Row><Cell><ss:Data><B>机</B><Font>密</Font></ss:Data>"
    rich += '<Comment ss:Author="a"><ss:Data>COMMENT1</ss:Data></Comment></Cell></Row>'
    data = an_excel_2003_workbook({"工资": row.format("姓名", "张三") + rich, "深藏": row.format("HIDDEN1", "x")}, hidden="深藏")
    pieces = read(data, "a.xls")
    shown = [part for part in parts(pieces) if part.trail == ("工资",)]
    assert [(part.text, part.page) for part in shown] == [("\t姓名\t张三\n\t机密\n", 1)]
    assert "COMMENT1" in text(pieces, Zone.COMMENT, ("工资",))
    assert "HIDDEN1" in text(pieces, Zone.HIDDEN, ("深藏",))
    assert "LINK1" in text(pieces, Zone.PROPERTY)
    assert not unread(pieces)


def test_a_tag_across_two_pieces_is_one_tag() -> None:
    filler = "<a>\n</a>" * 131_070
    pieces = read(f'<?xml version="1.0"?><r>{filler}<b\nc="ATTR1"\nd="ATTR2">TEXT1</b></r>'.encode())
    assert any(part.text.endswith("ATTR1\nATTR2\n") for part in parts(pieces))
