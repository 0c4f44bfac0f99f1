import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlp.extract.biff import SharedStrings, Stream, constants, edge, rk
from dlp.extract.budget import Budget
from dlp.extract.document import Document
from dlp.extract.passwords import OPENED
from dlp.extract.walk import walk
from dlp.model import Limits, Part, Why, Zone
from tests.extract.reading import parts, read, text, unread
from tests.helpers.compound import a_compound
from tests.helpers.sheets import (
    EOF,
    a_beginning,
    a_box,
    a_cell,
    a_label,
    a_number,
    a_record,
    a_rich_text,
    a_shared,
    a_stream,
    a_text,
    a_xls,
    characters,
    encrypted,
    shared_strings,
)


def a_budget() -> Budget:
    return Budget(Limits())


def an_xf(code: int) -> bytes:
    return a_record(0xE0, struct.pack("<HH", 0, code) + bytes(16))


def test_every_kind_of_cell_is_read() -> None:
    cells = (
        a_shared((0, 0), 0)
        + a_label((0, 1), "LABEL机密")
        + a_cell(0xD6, (0, 2), a_text("RICH1") + b"\0\0")
        + a_number((1, 0), 110101199003077758)
        + a_cell(0x27E, (1, 1), struct.pack("<I", 123 << 2 | 3))
        + a_record(0xBD, struct.pack("<HHHIHIH", 1, 2, 0, 7 << 2 | 2, 0, 0x40590000, 3))
        + a_cell(0x205, (2, 0), b"\1\0")
        + a_cell(0x205, (2, 1), b"\x2a\1")
        + a_cell(0x06, (2, 2), struct.pack("<dHIH", 2.5, 0, 0, 0))
        + a_cell(0x06, (2, 3), b"\0\0\0\0\0\0\xff\xff" + struct.pack("<HIH", 0, 0, 12) + b"\x17\x08\0FORMULA1")
        + a_record(0x207, a_text("CACHED1"))
        + a_cell(0x06, (2, 4), b"\1\0\1\0\0\0\xff\xff" + struct.pack("<HIH", 0, 0, 0))
    )
    pieces = read(a_xls({"工资": cells}, strings=["姓名"]), "a.xls")
    (body,) = parts(pieces)
    assert body.text == ("\t姓名\tLABEL机密\tRICH1\n\t110101199003077760\t1.23\t7\t100\n\tTRUE\t#N/A\t2.5\tCACHED1\tTRUE\n")
    assert (body.trail, body.page, body.start) == (("工资",), 1, True)
    assert "FORMULA1" in text(pieces, Zone.HIDDEN)
    assert "工资" in text(pieces, Zone.PROPERTY)
    assert not unread(pieces)


def test_hidden_sheets_rows_and_columns_are_hidden_text() -> None:
    row = a_record(0x208, struct.pack("<HHHHHHI", 1, 0, 2, 255, 0, 0, 0x20))
    column = a_record(0x7D, struct.pack("<HHHHHH", 2, 2, 0, 0, 1, 0))
    shown = column + row + a_label((0, 0), "SHOWN1") + a_label((0, 2), "COLUMN1") + a_label((1, 0), "ROW1")
    sheets = {"a": a_label((0, 0), "HIDDEN1"), "b": shown, "c": a_label((0, 0), "HIDDEN2")}
    pieces = read(a_xls(sheets, states={"a": 1, "c": 2}))
    (body,) = parts(pieces)
    assert (body.text, body.page, body.start) == ("\tSHOWN1\n", 2, True)
    hidden = [(part.text.strip(), part.trail, part.page) for part in parts(pieces, Zone.HIDDEN)]
    assert hidden == [("HIDDEN1", ("a",), 1), ("COLUMN1\nROW1", ("b",), 2), ("HIDDEN2", ("c",), 3)]


def test_dates_and_numbers_are_displayed_and_stored() -> None:
    codes = a_record(0x41E, struct.pack("<H", 164) + a_text("000-0000-0000")) + an_xf(0) + an_xf(14) + an_xf(164)
    cells = a_number((0, 0), 45296, style=1) + a_number((0, 1), 13812345678, style=2) + a_number((0, 2), 1e18)
    body = text(read(a_xls({"s": cells}, more=codes)), Zone.BODY)
    assert body == "\t2024/1/5 (45296)\t138-1234-5678 (13812345678)\t1000000000000000000\n"
    later = text(read(a_xls({"s": a_number((0, 0), 43834, style=1)}, more=codes + a_record(0x22, b"\1\0"))), Zone.BODY)
    assert "2024/1/5" in later


def test_texts_beside_the_cells_are_in_their_zones() -> None:
    link = bytes(8) + bytes(16) + struct.pack("<II", 2, 0x17) + struct.pack("<I", 7) + "LINK1".encode("utf-16-le") + bytes(4)
    validation = struct.pack("<I", 3) + a_text("P") + a_text("E") + a_text("PROMPT1") + a_text("ERROR1")
    validation += struct.pack("<HH", 9, 0) + b"\x17\x0b\0VALID1\0ALSO" + struct.pack("<HH", 0, 0)
    condition = struct.pack("<BBHH", 1, 3, 10, 0) + bytes(6) + b"\x17\x05\0COND1"
    edges = bytes(12) + bytes(16) + struct.pack("<H4H", 0, 5, 0, 0, 6) + a_text("EVEN1") + a_text("FIRST1")
    chart = a_beginning(0x20) + a_record(0x100D, b"\0\0" + a_text("CHART1", size=1)) + a_number((0, 0), 77.5)
    chart += a_cell(0x204, (0, 0), a_text("SERIES1")) + EOF
    sheet = (
        a_label((0, 0), "x")
        + a_record(0x14, a_text('&C&"宋体,常规"&14机&B密 R&&D'))
        + a_record(0x15, a_text("&LFOOTER1&P"))
        + a_record(0x89C, edges)
        + a_box("TEXTBOX1")
        + a_box("COMMENT1", comment=True)
        + a_record(0x1C, struct.pack("<HHHH", 0, 0, 0, 1) + a_text("AUTHOR1"))
        + a_record(0x1B8, link)
        + a_record(0x1BE, validation)
        + a_record(0x1B1, condition)
        + a_record(0x9E, struct.pack("<HH", 0, 0) + b"\6\2\0\0\0\0\7\0\0\0" + bytes(10) + characters("FILTER1"))
        + chart
        + a_record(0x1A9, bytes(50) + a_text("VIEW1"))
        + a_record(0x7777, "UNKNOWN1机密".encode("utf-16-le"))
    )
    name = struct.pack("<HBBHHH4B", 0, 0, 5, 9, 0, 0, 0, 0, 0, 0) + characters("NAME1") + b"\x17\x06\0VALUE1"
    book = struct.pack("<HH", 1, 9) + b"\0\1\1C\3D.xls" + a_text("EXTSHEET")
    cached = b"\1\0\0\0" + b"\2" + a_text("EXTCACHE1") + b"\1" + struct.pack("<d", 4711.5)
    more = (
        a_record(0x18, name)
        + a_record(0x5C, a_text("USER1"))
        + a_record(0x1AE, book)
        + a_record(0x5A, cached)
        + a_record(0x41E, struct.pack("<H", 170) + a_text('0"FORMAT1"'))
    )
    pieces = read(a_xls({"s": sheet}, strings=["UNUSED1"], more=more))
    expected = {
        Zone.HEADER: ["机密 R&D", "EVEN1"],
        Zone.FOOTER: ["FOOTER1", "FIRST1"],
        Zone.TEXTBOX: ["TEXTBOX1"],
        Zone.COMMENT: ["COMMENT1", "AUTHOR1"],
        Zone.PROPERTY: ["NAME1 VALUE1", "USER1"],
        Zone.BODY: ["CHART1", "77.5", "SERIES1"],
        Zone.HIDDEN: [
            *("LINK1", "PROMPT1", "ERROR1", "VALID1\nALSO", "COND1", "FILTER1", "VIEW1", "UNKNOWN1机密", "UNUSED1"),
            *("EXTSHEET", "EXTCACHE1", "4711.5", "FORMAT1"),
        ],
    }
    for zone, strings in expected.items():
        for string in strings:
            assert string in text(pieces, zone), (zone, string)
    assert not unread(pieces)


@given(strings=st.lists(st.text(alphabet="ab\xe9机密★𠀀", max_size=40), min_size=1, max_size=12), largest=st.integers(12, 60))
def test_shared_strings_survive_any_cut(strings: list[str], largest: int) -> None:
    data = a_beginning(0x05) + shared_strings(strings, largest=largest) + EOF
    ((_, first, more),) = [record for record in Stream(data, a_budget()) if record[0] == 0xFC]
    assert SharedStrings(first, more, a_budget()).strings == strings


def test_runs_and_readings_do_not_disturb_the_strings() -> None:
    strings: list[str | bytes] = [a_rich_text("東京", runs=2, reading="トウキョウ"), "機密", a_rich_text("X1", runs=1)]
    strings.append(a_rich_text("京都", reading="キョウト"))
    cells = b"".join(a_shared((0, number), number) for number in range(4))
    pieces = read(a_xls({"s": cells}, strings=strings))
    assert text(pieces, Zone.BODY) == "\t東京\t機密\tX1\t京都\n"
    assert "トウキョウ" in text(pieces, Zone.HIDDEN)
    assert "キョウト" in text(pieces, Zone.HIDDEN)


def test_a_long_text_box_goes_on_in_further_records() -> None:
    described = struct.pack("<HHHHHHHI", 0, 0, 0, 0, 0, 9, 16, 0)
    texts = (characters("ABC"), characters("机密文件"), b"\0DE")
    box = a_record(0x1B6, described) + b"".join(a_record(0x3C, words) for words in texts)
    assert "ABC机密文件DE" in text(read(a_xls({"s": box})), Zone.TEXTBOX)


def test_a_workbook_of_excel_95_is_read_in_its_code_page() -> None:
    def label(row: int, words: bytes) -> bytes:
        return a_record(0x204, struct.pack("<HHHH", row, 0, 0, len(words)) + words)

    name = "工资表".encode("gb18030")
    for page, words in ((936, "绝密文件一份"), (1252, "这是一份机密文件，不得外传，请妥善保管")):
        raw = words.encode("gb18030")
        sheet = label(0, raw) + a_record(0x14, bytes((5,)) + b"&CTOP") + a_record(0x1C, struct.pack("<HHH", 0, 0, 5) + b"NOTE1")
        head = a_record(0x42, struct.pack("<H", page))
        bound = struct.pack("<IBBB", len(a_beginning()) + len(head) + 4 + 7 + len(name) + 4, 1, 0, len(name)) + name
        stream = a_beginning(0x05, version=0x500) + head + a_record(0x85, bound) + EOF
        stream += a_beginning(0x10, version=0x500) + sheet + EOF
        pieces = read(a_compound({("Book",): stream}))
        assert words in text(pieces, Zone.HIDDEN, ("工资表",))
        assert "TOP" in text(pieces, Zone.HEADER)
        assert "NOTE1" in text(pieces, Zone.COMMENT)


@pytest.mark.parametrize(
    "stream",
    [
        a_record(0x09, b"\2\0\x10\0")
        + a_record(0x04, struct.pack("<HH3sB", 0, 0, b"\0\0\0", 6) + "机密1".encode("gb18030") + b"!")
        + a_record(0x03, struct.pack("<HH3sd", 0, 1, b"\0\0\0", 62.5))
        + a_record(0x02, struct.pack("<HH3sH", 0, 2, b"\0\0\0", 815)),
        a_record(0x209, b"\0\0\x10\0\0\0")
        + a_cell(0x204, (0, 0), struct.pack("<H", 6) + "机密1".encode("gb18030") + b"!")
        + a_number((0, 1), 62.5)
        + a_cell(0x27E, (0, 2), struct.pack("<I", 815 << 2 | 2)),
        a_record(0x409, b"\0\0\x10\0\0\0")
        + a_cell(0x204, (0, 0), struct.pack("<H", 6) + "机密1".encode("gb18030") + b"!")
        + a_cell(0x406, (0, 1), struct.pack("<dHH", 62.5, 0, 0))
        + a_cell(0x27E, (0, 2), struct.pack("<I", 815 << 2 | 2)),
    ],
    ids=["BIFF2", "BIFF3", "BIFF4"],
)
def test_bare_records_of_older_excel_are_read(stream: bytes) -> None:
    page = a_record(0x42, struct.pack("<H", 936))
    head = 4 + struct.unpack_from("<H", stream, 2)[0]
    pieces = read(stream[:head] + page + stream[head:] + EOF, "old.xls")
    assert text(pieces, Zone.BODY) == "\t机密1!\t62.5\t815\n"
    assert not unread(pieces)


def test_a_workbook_of_excel_4_has_named_sheets() -> None:
    sheet = a_record(0x409, b"\0\0\x10\0\0\0") + a_cell(0x204, (0, 0), struct.pack("<H", 5) + b"CELL1") + EOF
    bundle = a_record(0x8F, struct.pack("<IB", len(sheet), 6) + b"SHEET1")
    pieces = read(a_record(0x409, b"\0\0\0\1\0\0") + bundle + sheet + EOF)
    assert text(pieces, Zone.BODY, ("SHEET1",)) == "\tCELL1\n"
    assert "SHEET1" in text(pieces, Zone.PROPERTY)


def test_a_file_for_two_generations_is_read_in_both() -> None:
    old_stream = a_beginning(0x10, version=0x500) + a_record(0x204, struct.pack("<HHHH", 0, 0, 0, 4) + b"OLD1") + EOF
    pieces = read(a_compound({("Workbook",): a_stream({"s": a_label((0, 0), "NEW1")}), ("Book",): old_stream}))
    assert "NEW1" in text(pieces, Zone.BODY)
    assert "OLD1" in text(pieces, Zone.BODY)


def test_other_streams_are_read() -> None:
    cache = a_record(0xC6, bytes(20)) + a_record(0xCD, a_text("PIVOT机密")) + a_record(0xC9, struct.pack("<d", 88.25))
    cache += a_record(0xCE, struct.pack("<HHBBBB", 2024, 1, 5, 0, 0, 0)) + EOF
    inner = a_stream({"inner": a_label((0, 0), "EMBEDDED1")})
    data = a_compound(
        {
            ("Workbook",): a_stream({"s": a_label((0, 0), "x")}),
            ("_SX_DB_CUR", "0001"): cache,
            ("Revision Log",): b"\0" * 8 + "REVISION机密".encode("utf-16-le"),
            ("User Names",): b"\0" * 8 + "SHARER1".encode("utf-16-le"),
            ("MBD0001", "Workbook"): inner,
        }
    )
    pieces = read(data, "a.xls")
    hidden = text(pieces, Zone.HIDDEN)
    for word in ("PIVOT机密", "88.25", "2024-01-05", "REVISION机密", "SHARER1"):
        assert word in hidden, word
    assert "EMBEDDED1" in text(pieces, Zone.BODY)
    assert not unread(pieces)


def test_an_encrypted_workbook_is_told() -> None:
    stream = a_beginning(0x05) + a_record(0x2F, struct.pack("<HHH", 1, 1, 1) + bytes(48)) + b"\x42\0\2\0xx" + EOF
    pieces = read(a_compound({("Workbook",): stream}), "a.xls")
    assert unread(pieces) == [(Why.ENCRYPTED, ())]


def test_a_workbook_with_a_known_password_is_opened() -> None:
    moved = a_stream({"s": a_label((0, 0), "SECRET机密")}, more=a_record(0x2F, bytes(54)))
    stream = encrypted(moved.replace(a_record(0x2F, bytes(54)), b""), "VelvetSweatshop")
    pieces = read(a_compound({("Workbook",): stream}))
    assert text(pieces, Zone.BODY, (OPENED, "s")) == "\tSECRET机密\n"
    assert not unread(pieces)
    locked = encrypted(moved.replace(a_record(0x2F, bytes(54)), b""), "Q3-2024!")
    data = a_compound({("Workbook",): locked})
    opened = list(walk(Document(data=data), Budget(Limits(), passwords=["wrong", "Q3-2024!"])))
    assert "SECRET机密" in text(opened, Zone.BODY)


def test_a_sheet_that_the_workbook_does_not_list_is_read() -> None:
    between = b"\0" * 30 + "BETWEEN机密".encode("utf-16-le")
    stream = a_stream({"s": a_label((0, 0), "LISTED1")}) + between + a_beginning() + a_label((0, 0), "UNLISTED1") + EOF
    pieces = read(a_compound({("Workbook",): stream}))
    assert "LISTED1" in text(pieces, Zone.BODY, ("s",))
    assert "UNLISTED1" in text(pieces, Zone.BODY, ())
    assert "BETWEEN机密" in text(pieces, Zone.HIDDEN)


def test_what_is_no_workbook_is_told_and_salvaged() -> None:
    secret = "这是一份机密文件".encode("utf-16-le")
    for data in (a_compound({("Workbook",): b"\1\2" + secret}), a_compound({("Book",): b"", ("Other",): secret * 9})):
        pieces = read(data)
        assert (Why.CORRUPT, ()) in unread(pieces)
        assert "这是一份机密文件" in text(pieces, Zone.RAW)


def test_damage_costs_what_is_damaged_only() -> None:
    broken = a_record(0xFD, b"\0") + a_record(0x14, b"\xff") + a_record(0x1BE, b"\1") + a_shared((0, 0), 999)
    broken += a_label((1, 0), "AFTER1")
    stream = a_stream({"s": broken})
    pieces = read(a_compound({("Workbook",): stream}))
    assert "AFTER1" in text(pieces, Zone.BODY)
    assert unread(pieces) == [(Why.CORRUPT, ())]
    cut = a_stream({"s": a_label((0, 0), "BEFORE1") + a_label((1, 0), "y" * 900)})[:-300]
    pieces = read(a_compound({("Workbook",): cut}))
    assert "BEFORE1" in text(pieces, Zone.BODY)
    assert unread(pieces) == [(Why.CORRUPT, ())]


def test_a_string_that_a_million_cells_refer_to_is_bounded() -> None:
    cells = b"".join(a_shared((row, 0), 0) for row in range(20_000))
    pieces = read(a_xls({"s": cells}, strings=["x" * 8000]), limits=Limits(expanded_bytes=20 << 20))
    assert Why.TOO_LARGE in [why for why, _ in unread(pieces)]


def test_far_cells_and_huge_dimensions_cost_nothing() -> None:
    dimensions = a_record(0x200, struct.pack("<IIHHH", 0, 0xFFFFFFFF, 0, 0xFFFF, 0))
    columns = a_record(0x7D, struct.pack("<HHHHHH", 3, 0xFFFF, 0, 0, 1, 0))
    cells = dimensions + columns + a_label((0, 0), "NEAR1") + a_label((65535, 0), "FAR1") + a_label((65535, 255), "FARTHEST1")
    pieces = read(a_xls({"s": cells}))
    assert text(pieces, Zone.BODY) == "\tNEAR1\n\tFAR1\n"
    assert "FARTHEST1" in text(pieces, Zone.HIDDEN)
    assert sum(len(piece.text) for piece in pieces if isinstance(piece, Part)) < 100


def test_a_row_of_long_strings_is_given_out_in_pieces() -> None:
    cells = b"".join(a_shared((0, column), 0) for column in range(256)) + a_label((1, 0), "NEXT1")
    body = text(read(a_xls({"s": cells}, strings=["x" * 20_000])), Zone.BODY)
    assert "x\n\tNEXT1" in body


@pytest.mark.parametrize(("raw", "value"), [(7 << 2 | 2, 7), (0xFFFFFFFF, -0.01), (0x40590000, 100.0), (123 << 2 | 3, 1.23)])
def test_numbers_of_thirty_bits(raw: int, value: float) -> None:
    assert rk(raw) == pytest.approx(value)


def test_texts_in_formulas_are_found_by_their_mark() -> None:
    assert list(constants(b"\x44\0\0\x17\x03\x00abc\x17\x02\x01\x3a\x67\xc6\x5b\x17\xff\x00x", None)) == ["abc", "机密"]
    assert list(constants(b"\x17\x04" + "机密".encode("gb18030"), "gb18030")) == ["机密"]


def test_an_edge_loses_its_codes_only() -> None:
    assert edge('&L&"宋体,Bold"&12机&K00FF00密&P/&N&&co') == "机密/&co"


@pytest.mark.parametrize("version", [0x500, 0x600])
def test_records_shorter_than_their_layout_are_survived(version: int) -> None:
    for size in (0, 1, 3, 5, 9, 13):
        records = b"".join(a_record(kind, bytes(size)) for kind in range(0x1100) if kind not in (0x0A, 0x2F))
        stream = a_beginning(0x05, version=version) + records + EOF + a_beginning(0x10, version=version) + records + EOF
        assert Why.CRASHED not in [why for why, _ in unread(read(a_compound({("Workbook",): stream})))]


@given(data=st.binary(max_size=600))
def test_any_records_are_survived(data: bytes) -> None:
    pieces = read(a_stream({"s": data}, strings=["a"]), "a.xls")
    assert Why.CRASHED not in [why for why, _ in unread(pieces)]


@pytest.mark.corpus
def test_conversions_keep_every_hiding_place(corpus: Path) -> None:
    for name in ("lo_xlsx.xls", "lo_xlsx.et"):
        everything = text(read((corpus / "synth/canary" / name).read_bytes()))
        for place in ("CELL", "HEADER", "FOOTER", "COMMENT", "HIDDENSHEET", "HIDDENROW", "TEXTBOX", "VALIDATION", "DEFINEDNAME"):
            assert f"CNXLSX{place}秘密" in everything, (name, place)
