import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlp.model import Limits, Part, Why, Zone
from tests.extract.reading import parts, read, text, unread
from tests.helpers.documents import Member, a_xlsx, a_zip

STYLES = (
    '<styleSheet><numFmts><numFmt numFmtId="164" formatCode="000\\-0000\\-0000"/>'
    '<numFmt numFmtId="165" formatCode="@&quot;（内部）&quot;"/></numFmts>'
    '<cellStyleXfs><xf numFmtId="9"/></cellStyleXfs>'
    '<cellXfs count="5"><xf numFmtId="0"/><xf numFmtId="14" xfId="0"><alignment/></xf><xf numFmtId="164"/><xf numFmtId="165"/>'
    '<xf numFmtId="10"/></cellXfs></styleSheet>'
)


def a_sheet(rows: str, before: str = "", behind: str = "") -> str:
    return f"<worksheet>{before}<sheetData>{rows}</sheetData>{behind}</worksheet>"


def with_sheet(sheet: str, **extra: Member) -> bytes:
    return a_xlsx({"s": []}, extra={"xl/worksheets/sheet1.xml": sheet, "xl/styles.xml": STYLES, **extra})


def test_numbers_and_dates_are_displayed_and_stored() -> None:
    rows = (
        '<row r="1"><c r="A1" s="1"><v>45296</v></c><c s="2" r="B1"><v>13812345678</v></c><c r="C1"><v>3.50</v></c>'
        '<c r="D1" s="4"><v>1.2E-3</v></c><c r="E1" s="3" t="str"><f>A2</f><v>名单</v></c><c r="F1"><v>6.2E18</v></c>'
        '<c r="G1" t="b"><v>1</v></c><c r="H1" t="e"><v>#N/A</v></c><c r="I1" t="d"><v>2024-01-05</v></c>'
        '<c r="J1" s="1"><v>odd</v></c></row>'
    )
    pieces = read(with_sheet(a_sheet(rows)))
    assert text(pieces, Zone.BODY) == (
        "\t2024/1/5 (45296)\t138-1234-5678 (13812345678)\t3.50\t0.12% (0.0012)\t名单（内部） (名单)\t6200000000000000000"
        "\tTRUE\t#N/A\t2024-01-05\todd\n"
    )
    assert "A2" in text(pieces, Zone.HIDDEN)


def test_the_system_of_1904_is_known() -> None:
    workbook = '<workbook><workbookPr date1904="1"/><sheets><sheet name="s" r:id="rId1"/></sheets></workbook>'
    data = with_sheet(a_sheet('<row><c s="1"><v>43834</v></c></row>'), **{"xl/workbook.xml": workbook})
    assert "2024/1/5 (43834)" in text(read(data), Zone.BODY)


def test_sheets_come_in_the_workbooks_order() -> None:
    relations = "".join(
        f'<Relationship Id="r{number}" Target="{target}"/>'
        for number, target in enumerate(["worksheets/second.xml", "/xl/worksheets/sheet1.xml", "elsewhere/third.xml"])
    )
    sheets = '<sheet name="one" r:id="r1"/><sheet name="two" r:id="r0"/><sheet name="3" r:id="r2"/>'
    cell = '<row><c t="inlineStr"><is><t>{}</t></is></c></row>'
    members: dict[str, Member] = {
        "[Content_Types].xml": "<Types/>",
        "xl/elsewhere/third.xml": a_sheet(cell.format("THIRD1")),
        "xl/worksheets/second.xml": a_sheet(cell.format("SECOND1")),
        "xl/worksheets/sheet1.xml": a_sheet(cell.format("FIRST1")),
        "xl/workbook.xml": f"<workbook><sheets>{sheets}</sheets></workbook>",
        "xl/_rels/workbook.xml.rels": f"<Relationships>{relations}</Relationships>",
    }
    found = [(part.text.strip(), part.trail, part.page, part.start) for part in parts(read(a_zip(members)))]
    assert found == [("FIRST1", ("one",), 1, True), ("SECOND1", ("two",), 2, False), ("THIRD1", ("3",), 3, False)]


def test_hidden_rows_and_columns_are_hidden_text() -> None:
    before = '<cols><col min="1" max="1"/><col min="2" max="3" hidden="1"/></cols>'
    rows = (
        '<row r="1"><c r="A1" t="str"><v>SHOWN1</v></c><c r="C1" t="str"><v>COLUMN1</v></c>'
        '<c t="inlineStr" r="B1"><is><t>COLUMN2</t></is></c></row>'
        '<row r="2" hidden="1"><c r="A2" t="str"><v>ROW1</v></c></row><row r="3"><c r="D3" t="str"><v>SHOWN2</v></c></row>'
    )
    pieces = read(with_sheet(a_sheet(rows, before)))
    assert text(pieces, Zone.BODY) == "\tSHOWN1\n\tSHOWN2\n"
    assert "COLUMN1\tCOLUMN2\nROW1\n" in text(pieces, Zone.HIDDEN)


def test_what_stands_around_the_cells_is_read() -> None:
    before = '<sheetPr codeName="代号"/>'
    behind = (
        "<headerFooter><evenHeader>EVEN1</evenHeader><firstFooter>FIRST1</firstFooter></headerFooter>"
        '<hyperlinks><hyperlink ref="A1" location="LOCATION1" tooltip="TIP1"/></hyperlinks>'
        '<dataValidation prompt="PROMPT1" error="ERROR1"><formula1>"甲,乙"</formula1></dataValidation>'
        '<autoFilter><filterColumn><filters><filter val="筛"/></filters></filterColumn></autoFilter>'
        "<conditionalFormatting><cfRule><formula>COND1</formula></cfRule></conditionalFormatting>"
    )
    for sheet in (
        a_sheet("", before, behind),
        f"<worksheet>{before}<sheetData/>{behind}</worksheet>",
        f"<w>{before}{behind}</w>",
    ):
        pieces = read(with_sheet(sheet))
        assert "EVEN1" in text(pieces, Zone.HEADER)
        assert "FIRST1" in text(pieces, Zone.FOOTER)
        for word in ("代号", "LOCATION1", "TIP1", "PROMPT1", "ERROR1", "甲,乙", "筛", "COND1"):
            assert word in text(pieces, Zone.HIDDEN), word


def test_caches_and_other_parts_are_read() -> None:
    extra: dict[str, Member] = {
        "xl/pivotCache/pivotCacheDefinition1.xml": '<p><cacheField name="FIELD1"><s v="甲"/><n v="12"/></cacheField></p>',
        "xl/pivotCache/pivotCacheRecords1.xml": '<r><x v="0"/><s v="A&amp;B"/><d v="2024-01-05T00:00:00"/></r>',
        "xl/externalLinks/externalLink1.xml": '<e><sheetName val="EXTSHEET"/><cell r="A1"><v>EXTCACHE1</v></cell></e>',
        "xl/threadedComments/threadedComment1.xml": "<T><threadedComment><text>THREADED1</text></threadedComment></T>",
        "xl/persons/person.xml": '<p><person displayName="PERSON1"/></p>',
        "xl/charts/chart1.xml": "<c:chart><c:tx><a:t>CHART1</a:t></c:tx><c:pt><c:v>CACHED1</c:v></c:pt></c:chart>",
        "xl/calcChain.xml": '<calcChain><c r="ABC123" i="1"/><c r="A2" l="1"/><c r="B1" note="机密"/></calcChain>',
        "xl/printerSettings/printerSettings1.bin": "PRINTER1".encode("utf-16-le") + struct.pack("<8I", *range(8)),
        "xl/tables/table1.xml": '<table displayName="TABLE1"><tableColumn name="列名"/></table>',
        "xl/revisions/revisionLog1.xml": "<r><rcc><nc><is><t>REVISED1</t></is></nc></rcc></r>",
    }
    pieces = read(with_sheet(a_sheet(""), **extra))
    hidden = text(pieces, Zone.HIDDEN)
    for word in ("甲\n", "12\n", "A&B\n", "2024-01-05"):
        assert word in hidden, word
    properties = text(pieces, Zone.PROPERTY)
    for word in ("FIELD1", "EXTSHEET", "EXTCACHE1", "PERSON1", "PRINTER1", "TABLE1", "列名", "REVISED1", "机密"):
        assert word in properties, word
    assert "ABC123" not in properties
    assert "THREADED1" in text(pieces, Zone.COMMENT)
    for word in ("CHART1", "CACHED1"):
        assert word in text(pieces, Zone.BODY)
    assert not unread(pieces)


def test_comments_in_the_markup_do_not_part_words() -> None:
    rows = '<row><c t="s"><v>0</v></c><c t="str"><v>绝<!-- ASIDE2 -->密</v></c><c t="str"><v><![CDATA[A<B]]></v></c></row>'
    shared = "<sst><si><t>机<!-- ASIDE1 -->密</t></si></sst>"
    pieces = read(with_sheet(a_sheet(rows), **{"xl/sharedStrings.xml": shared}))
    assert text(pieces, Zone.BODY) == "\t机密\t绝密\tA<B\n"
    assert "ASIDE1" in text(pieces, Zone.HIDDEN)
    assert "ASIDE2" in text(pieces, Zone.HIDDEN)


def test_strings_of_every_kind_are_shared() -> None:
    shared = (
        '<x:sst xmlns:x="x"><x:si><x:t xml:space="preserve"> A </x:t></x:si><x:si/><x:si>'
        "<x:r><x:t>机</x:t></x:r><x:r><x:t>密</x:t></x:r>"
        "<x:rPh><x:t>ジミツ</x:t></x:rPh></x:si>\n<x:si>\n<x:t>B</x:t></x:si></x:sst>"
    )
    rows = "<row>" + "".join(f'<c t="s"><v>{number}</v></c>' for number in (0, 2, 3, 99)) + "</row>"
    pieces = read(with_sheet(a_sheet(rows), **{"xl/sharedStrings.xml": shared}))
    assert text(pieces, Zone.BODY) == "\t A \t机密\tB\n"
    assert "ジミツ" in text(pieces, Zone.HIDDEN)


def test_cells_without_rows_and_ends_are_read() -> None:
    pieces = read(with_sheet("<worksheet><sheetData><c><v>1</v><c t='inlineStr'><is><t>OPEN1</t>"))
    assert "\t1\tOPEN1" in text(pieces, Zone.BODY)


def test_far_cells_cost_nothing() -> None:
    rows = '<row r="1"><c r="A1"><v>1</v></c></row><row r="1048576"><c r="XFD1048576" t="str"><v>FAR1</v></c></row>'
    pieces = read(
        with_sheet(a_sheet(rows, '<dimension ref="A1:XFD1048576"/><cols><col min="2" max="999999999" hidden="1"/></cols>'))
    )
    assert "FAR1" in text(pieces, Zone.HIDDEN)
    assert sum(len(piece.text) for piece in pieces if isinstance(piece, Part)) < 4000


def test_a_long_string_in_many_cells_is_bounded() -> None:
    sheet = a_sheet("<row>" + '<c t="s"><v>0</v></c>' * 20_000 + "</row>")
    data = with_sheet(sheet, **{"xl/sharedStrings.xml": f"<sst><si><t>{'x' * 30_000}</t></si></sst>"})
    assert Why.TOO_LARGE in [why for why, _ in unread(read(data, limits=Limits(expanded_bytes=20 << 20)))]


@pytest.mark.parametrize("markup", ["<!--" * 60_000, "<c " * 60_000, "<!" * 90_000, "<c r='A1'><f>" * 20_000, '<c t="' * 40_000])
def test_hostile_markup_takes_no_longer_than_other(markup: str) -> None:
    pieces = read(with_sheet(a_sheet(markup)), limits=Limits(seconds=20))
    assert Why.TIMEOUT not in [why for why, _ in unread(pieces)]


@given(markup=st.text(alphabet="<>/!-crvtfsis\"'=0A1&; \n机", max_size=300))
def test_any_markup_is_survived(markup: str) -> None:
    data = with_sheet(a_sheet(markup), **{"xl/sharedStrings.xml": markup, "xl/calcChain.xml": markup})
    assert Why.CRASHED not in [why for why, _ in unread(read(data))]


@pytest.mark.corpus
def test_real_workbooks_give_their_words(corpus: Path) -> None:
    pieces = read((corpus / "synth/canary/canary.xlsx").read_bytes())
    for place in ("CELL", "FORMULACACHED", "COMMENT", "HIDDENROW", "VERYHIDDENSHEET", "TEXTBOX", "VALIDATION", "RICHSTRING"):
        assert f"CNXLSX{place}秘密" in text(pieces), place
    assert not unread(pieces)
