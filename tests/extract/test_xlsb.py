import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlp.model import Limits, Why, Zone
from tests.extract.reading import parts, read, text, unread
from tests.helpers.sheets import a_packaged_cell as a_cell
from tests.helpers.sheets import a_row, a_xls, a_xlsb, packaged, wide


def a_string(column: int, words: str) -> bytes:
    return a_cell(6, column, wide(words))


def test_every_kind_of_cell_is_read() -> None:
    formula = struct.pack("<HI", 0, 22) + b"\x17\x08\0" + "FORMULA1".encode("utf-16-le")
    cells = (
        a_row(0)
        + a_cell(7, 0, struct.pack("<I", 0))
        + a_string(1, "INLINE机密")
        + a_cell(62, 2, b"\1" + wide("RICH1") + bytes(8))
        + a_row(4)
        + a_cell(5, 0, struct.pack("<d", 6.222835865055785e18))
        + a_cell(2, 1, struct.pack("<I", 123 << 2 | 3))
        + packaged(13, struct.pack("<II", 0, 7 << 2 | 2))
        + packaged(17, struct.pack("<I", 0) + wide("SHORT1"))
        + a_row(5)
        + a_cell(4, 0, b"\1")
        + a_cell(3, 1, b"\x2a")
        + a_cell(8, 2, wide("CACHED1") + formula)
        + a_cell(9, 3, struct.pack("<d", 2.5) + formula)
    )
    pieces = read(a_xlsb({"工资": cells}, strings=["姓名"]), "a.xlsb")
    (body,) = parts(pieces)
    assert body.text == ("\t姓名\tINLINE机密\tRICH1\n\t6222835865055785000\t1.23\t7\tSHORT1\n\tTRUE\t#N/A\tCACHED1\t2.5\n")
    assert (body.trail, body.page, body.start) == (("工资",), 1, True)
    assert "FORMULA1" in text(pieces, Zone.HIDDEN)
    assert "工资" in text(pieces, Zone.PROPERTY)
    assert not unread(pieces)


def test_hidden_sheets_rows_and_columns_are_hidden_text() -> None:
    column = packaged(60, struct.pack("<IIIIH", 1, 1, 0, 0, 1))
    shown = column + a_row(0) + a_string(0, "SHOWN1") + a_string(1, "COLUMN1") + a_row(1, hidden=True) + a_string(0, "ROW1")
    sheets = {"a": a_row(0) + a_string(0, "HIDDEN1"), "b": shown, "c": a_row(0) + a_string(0, "HIDDEN2")}
    pieces = read(a_xlsb(sheets, states={"a": 1, "c": 2}))
    (body,) = parts(pieces)
    assert (body.text, body.page, body.start) == ("\tSHOWN1\n", 2, True)
    hidden = [(part.text.strip(), part.trail, part.page) for part in parts(pieces, Zone.HIDDEN)]
    assert hidden == [("HIDDEN1", ("a",), 1), ("COLUMN1\nROW1", ("b",), 2), ("HIDDEN2", ("c",), 3)]


def test_dates_and_numbers_are_displayed_and_stored() -> None:
    look = struct.Struct("<HH12x").pack
    styles = packaged(44, struct.pack("<H", 164) + wide('0"元"')) + packaged(626) + packaged(47, look(0, 9)) + packaged(627)
    styles += packaged(617) + packaged(47, look(0, 0)) + packaged(47, look(0, 14)) + packaged(47, look(0, 164)) + packaged(618)
    cells = a_row(0) + a_cell(5, 0, struct.pack("<d", 43834), style=1) + a_cell(2, 1, struct.pack("<I", 5 << 2 | 2), style=2)
    pieces = read(a_xlsb({"s": cells}, styles=styles, more=packaged(153, struct.pack("<I", 1))))
    assert text(pieces, Zone.BODY) == "\t2024/1/5 (43834)\t5元 (5)\n"


def test_texts_beside_the_cells_are_in_their_zones() -> None:
    none = b"\xff\xff\xff\xff"
    edges = packaged(479, b"\0\0" + wide("&C机&B密") + wide("FOOTER1") + none + none + wide("FIRST1") + none)
    link = packaged(494, bytes(16) + wide("rId7") + wide("LOCATION1") + wide("TIP1") + wide("SHOWN1"))
    valid = packaged(64, bytes(8) + wide("PROMPT1") + b"\x17\x06\0" + "VALID1".encode("utf-16-le"))
    name = packaged(39, struct.pack("<IBI", 0, 0, 0) + wide("NAME1") + b"\x17\x06\0" + "VALUE1".encode("utf-16-le"))
    comment = packaged(632, wide("AUTHOR1")) + packaged(635, bytes(36)) + packaged(637, b"\0" + wide("COMMENT1"))
    cache = packaged(24, wide("PIVOT机密")) + packaged(21, struct.pack("<d", 88.25))
    cache += packaged(25, struct.pack("<HHBBBB", 2024, 1, 5, 0, 0, 0))
    outside = packaged(371, bytes(4) + wide("EXTCACHE1")) + packaged(368, bytes(4) + struct.pack("<d", 4711.5))
    data = a_xlsb(
        {"s": a_row(0) + a_string(0, "x") + edges + link + valid},
        strings=["UNUSED1"],
        more=name,
        extra={
            "xl/comments1.bin": comment,
            "xl/pivotCache/pivotCacheRecords1.bin": cache,
            "xl/externalLinks/externalLink1.bin": outside,
            "xl/tables/table1.bin": packaged(343, bytes(40) + wide("TABLE1") + wide("列名")),
            "xl/drawings/drawing1.xml": "<xdr:wsDr><a:p><a:t>TEXTBOX1</a:t></a:p></xdr:wsDr>",
            "xl/charts/chart1.xml": "<c:chart><a:p><a:t>CHART1</a:t></a:p></c:chart>",
            "xl/printerSettings/printerSettings1.bin": "PRINTER1".encode("utf-16-le") + bytes(40),
            "xl/embeddings/oleObject1.bin": a_xls({"inner": b""}, strings=["EMBEDDED1"]),
            "docProps/core.xml": "<c><dc:title>TITLE1</dc:title></c>",
        },
    )
    pieces = read(data)
    expected = {
        Zone.HEADER: ["机密", "FIRST1"],
        Zone.FOOTER: ["FOOTER1"],
        Zone.COMMENT: ["COMMENT1", "AUTHOR1"],
        Zone.TEXTBOX: ["TEXTBOX1"],
        Zone.BODY: ["CHART1"],
        Zone.PROPERTY: ["NAME1 VALUE1", "PRINTER1", "TITLE1"],
        Zone.HIDDEN: [
            *("LOCATION1", "TIP1", "SHOWN1", "PROMPT1", "VALID1", "UNUSED1", "PIVOT机密", "88.25", "2024-01-05"),
            *("EXTCACHE1", "4711.5", "TABLE1", "列名", "EMBEDDED1"),
        ],
    }
    for zone, strings in expected.items():
        for string in strings:
            assert string in text(pieces, zone), (zone, string)
    assert not unread(pieces)


def test_a_part_that_is_no_sequence_of_records_is_a_document_inside() -> None:
    pieces = read(a_xlsb({"s": b""}, extra={"xl/odd.bin": "绝密文件一份\n".encode() * 20}))
    assert "绝密文件一份" in text(pieces, Zone.BODY, ("odd.bin",))


def test_damage_costs_what_is_damaged_only() -> None:
    cells = a_row(0) + packaged(7, b"\0") + a_string(1, "AFTER1") + a_cell(7, 2, struct.pack("<I", 999)) + packaged(0, b"")
    cut = a_row(0) + a_string(0, "BEFORE1") + b"\x06\xff\x7f" + bytes(9)
    pieces = read(a_xlsb({"s": cells, "t": cut}))
    assert text(pieces, Zone.BODY, ("s",)) == "\tAFTER1\n"
    assert "BEFORE1" in text(pieces, Zone.BODY, ("t",))
    assert unread(pieces) == [(Why.CORRUPT, ("xl/worksheets/sheet2.bin",))]


def test_a_string_that_a_million_cells_refer_to_is_bounded() -> None:
    cells = b"".join(a_row(row) + a_cell(7, 0, struct.pack("<I", 0)) for row in range(20_000))
    pieces = read(a_xlsb({"s": cells}, strings=["x" * 8000]), limits=Limits(expanded_bytes=20 << 20))
    assert Why.TOO_LARGE in [why for why, _ in unread(pieces)]


def test_records_shorter_than_their_layout_are_survived() -> None:
    kinds = (*range(70), 147, 153, 156, 343, 368, 371, 479, 494, 632, 637)
    for size in (0, 1, 3, 5):
        records = b"".join(packaged(kind, bytes(size)) for kind in kinds)
        data = a_xlsb({"s": records}, strings=["a"], more=records, styles=records, extra={"xl/comments1.bin": records})
        assert Why.CRASHED not in [why for why, _ in unread(read(data))]


@given(data=st.binary(max_size=600))
def test_any_records_are_survived(data: bytes) -> None:
    pieces = read(a_xlsb({"s": data}, strings=["a"], more=data, styles=data, extra={"xl/comments1.bin": data}))
    assert Why.CRASHED not in [why for why, _ in unread(pieces)]


@pytest.mark.corpus
def test_real_workbooks_give_their_words(corpus: Path) -> None:
    for path, words in (
        ("SheetJS+test_files/2013/apachepoi_SampleSS.xls.xlsb", ["I'm in bold blue, on a yellow background", "Sheet Number 2"]),
        ("SheetJS+test_files/2013/apachepoi_51461.xls.xlsb", ["Documento", "36.10 € (36.1)"]),
    ):
        pieces = read((corpus / path).read_bytes())
        assert not unread(pieces)
        for word in words:
            assert word in text(pieces), word


def test_the_two_binary_formats_read_alike() -> None:
    row = struct.pack("<HHHH", 0, 0, 0, 6) + b"\0SAME 1"
    old = read(a_xls({"s": struct.pack("<HH", 0x204, len(row)) + row}))
    new = read(a_xlsb({"s": a_row(0) + a_string(0, "SAME 1")}))
    assert text(old, Zone.BODY) == text(new, Zone.BODY) == "\tSAME 1\n"
