import struct
import sys
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlp.extract import vba
from dlp.extract.budget import Budget, Unreadable
from dlp.extract.compound import Compound, names
from dlp.extract.property_set import PropertySet
from dlp.extract.storage import nested_file, packed
from dlp.model import Limits, Part, Why, Zone
from tests.extract.reading import random_bytes, read, text, unread
from tests.helpers.compound import SECTOR, a_compound
from tests.helpers.documents import a_docx, a_zip
from tests.helpers.legacy import a_container, a_doc, a_package, a_property_set, a_vba_project, wide

STREAMS = {
    ("large",): random_bytes(20_000),
    ("small",): b"small",
    ("empty",): b"",
    ("A", "B", "deep"): b"d" * 64,
    ("A", "x" * 31): b"x" * 4095,
    ("A", "cut-off"): b"c" * 4096,
    **{("Many", f"n{number}"): bytes([number]) * number for number in range(1, 120)},
}


def budget(**limits: int) -> Budget:
    return Budget(Limits(**limits))


def test_every_stream_is_read_as_it_was_written() -> None:
    compound = Compound(a_compound(STREAMS), budget())
    assert set(compound.streams) == set(STREAMS)
    assert {path: compound.read(path) for path in compound.streams} == STREAMS
    assert compound.find("a", "B", "DEEP") == ("A", "B", "deep")
    assert compound.find("none") is None
    assert not compound.damage
    assert set(names(a_compound(STREAMS))) == {path[0] for path in STREAMS}


def test_a_storage_becomes_a_file_of_its_own() -> None:
    content, problem = nested_file(Compound(a_compound(STREAMS), budget()), budget(), "A")
    inner = Compound(content, budget())
    assert problem is None
    assert {path: inner.read(path) for path in inner.streams} == {
        path[1:]: held for path, held in STREAMS.items() if path[0] == "A"
    }


def test_a_large_storage_is_packed_in_large_sectors() -> None:
    streams = {("a",): random_bytes(5 << 20), ("b", "c"): b"x"}
    compound = Compound(packed(streams), budget())
    assert {path: compound.read(path) for path in compound.streams} == streams


def test_a_file_without_its_end_is_read_as_far_as_it_goes() -> None:
    streams = {("first",): b"1" * 5000, ("second",): b"2" * 50_000}
    data = a_compound(streams)
    at = data.index(b"2" * 600)
    directory = data.index(wide("Root Entry"))
    moved = data[:at] + data[directory : directory + SECTOR] + data[at : at + 20_000]
    compound = Compound(moved, budget())
    assert compound.read(("first",)) == streams["first",]
    assert 0 < len(compound.read(("second",))) < 50_000
    assert compound.damage


def test_a_stream_that_no_storage_lists_is_read() -> None:
    data = bytearray(a_compound({("A", "listed"): b"x" * 5000, ("A", "HIDDEN1"): b"STREAM1 " * 700}))
    place = data.index(wide("A\0"))
    struct.pack_into("<I", data, place + 76, 0xFFFFFFFF)  # no child
    pieces = read(bytes(data))
    assert "STREAM1" in text(pieces)
    assert (Why.CORRUPT, ()) in unread(pieces)


def test_chains_and_trees_that_close_on_themselves_end() -> None:
    data = bytearray(a_compound({("a",): b"x" * 5000, ("b",): b"y" * 5000}))
    fat = 512 + SECTOR * struct.unpack_from("<I", data, 76)[0]
    for sector in range(20):
        struct.pack_into("<I", data, fat + 4 * sector, sector)  # each its own next
    for place in range(data.index(wide("Root Entry")), len(data) - 128, 128):
        struct.pack_into("<III", data, place + 68, 1, 2, 1)
    try:
        compound = Compound(bytes(data), budget())
        for path in compound.streams:
            compound.read(path)
    except Unreadable as error:
        assert error.why is Why.CORRUPT


def test_streams_that_share_their_bytes_are_bounded() -> None:
    data = bytearray(a_compound({("big",): b"x" * 100_000, **{(f"n{number}",): b"z" * 5000 for number in range(300)}}))
    place = data.index(wide("big\0"))
    start = struct.unpack_from("<I", data, place + 116)[0]
    for number in range(300):
        entry = data.index(wide(f"n{number}\0"))
        struct.pack_into("<IQ", data, entry + 116, start, 100_000)
    pieces = read(bytes(data), limits=Limits(expanded_bytes=5 << 20))
    assert Why.TOO_LARGE in [why for why, _ in unread(pieces)]


def test_an_object_gives_its_names_and_its_document() -> None:
    pieces = read(
        a_compound({("\1Ole10Native",): a_package("机密.docx", a_docx(["INNER1"])), ("\1CompObj",): _class_names("Package")})
    )
    assert "INNER1" in text(pieces, Zone.BODY, ("机密.docx",))
    for string in ("TEMPORARY1", "ORIGIN1"):
        assert string in text(pieces, Zone.FILENAME)
    assert "Package" in text(pieces, Zone.PROPERTY)
    assert not unread(pieces)


def test_native_data_of_other_programs_is_a_document() -> None:
    inner = a_zip({"a.txt": "NATIVE1"})
    assert "NATIVE1" in text(read(a_compound({("\1Ole10Native",): struct.pack("<I", len(inner)) + inner})), Zone.BODY)


def test_objects_in_objects_are_read_and_bounded() -> None:
    data = a_docx(["INNERMOST1"])
    for _ in range(5):
        data = a_compound({("ObjectPool", "_1", "Package"): data, ("ObjectPool", "_1", "\1CompObj"): _class_names("Document")})
    assert "INNERMOST1" in text(read(data, limits=Limits(depth=16)), Zone.BODY)
    assert Why.TOO_DEEP in [why for why, _ in unread(read(data, limits=Limits(depth=4)))]


def test_a_document_in_an_unknown_storage_is_read() -> None:
    compound = Compound(a_doc("机密 INNER1"))
    inner = {("Anything", "Below", *path): compound.read(path) for path in compound.streams}
    assert "机密 INNER1" in text(read(a_compound({**inner, ("Unknown",): b"plain text of a stream"})), Zone.BODY)


def test_the_picture_of_an_object_is_a_document() -> None:
    metafile = b"\1\0\0\0" + bytes(36) + b" EMF" + bytes(60)
    pieces = read(a_compound({("A", "\3EPRINT"): metafile, ("\2OlePres000",): bytes(40) + metafile + b"other"}))
    assert {("A", "EPRINT"), ("OlePres000",)} <= {piece.trail for piece in pieces}


def test_a_document_of_works_is_read() -> None:
    words = wide("机密 WORKS1\rline two\r")
    header = b"CHNKINK \4\0\7\0" + struct.pack("<H", 1) + bytes(18)
    entry = struct.pack("<H4s10xII", 24, b"TEXT", len(header) + 24, len(words))
    pieces = read(
        a_compound({("CONTENTS",): header + entry + words + bytes(40), ("\1CompObj",): _class_names("Quill96")}), "a.wps"
    )
    assert "机密 WORKS1\nline two" in text(pieces, Zone.BODY)
    assert not unread(pieces)


def test_a_thumbnail_that_draws_text_is_a_document() -> None:
    drawn = struct.pack("<IIII", 0xFFFFFFFF, 3, 0, 0) + b"\1\0\x09\0\0\3" + bytes(12) + struct.pack("<IH", 6, 0x0521) + bytes(6)
    for metafile, expected in ((drawn, drawn[16:]), (drawn.replace(b"\x21\5", b"\x41\x0b"), b"")):
        value = struct.pack("<II", 0x47, len(metafile)) + metafile
        data = a_property_set({2: "x", 17: "y" * (len(value) - 9)})
        place = data.index(struct.pack("<I", 0x1E), data.index(b"x\0"))
        assert PropertySet(data[:place] + value + data[place + len(value) :], budget()).thumbnail == expected


def test_macros_of_a_package_are_read() -> None:
    project = a_compound(a_vba_project("' 机密 MACRO1\r\n' aaaaaaaaaaaaaaaa", under=()))
    pieces = read(a_docx(extra={"word/vbaProject.bin": project}), "a.docm")
    assert "机密 MACRO1\r\n' aaaaaaaaaaaaaaaa" in text(pieces, Zone.HIDDEN)
    assert "CAPTION1" in text(pieces, Zone.HIDDEN)
    assert not unread(pieces)


def test_a_macro_without_source_gives_the_strings_of_its_compiled_form() -> None:
    streams = a_vba_project("x")
    streams["Macros", "VBA", "Module1"] = b"\1\x16\2" + b"COMPILED STRING1" + bytes(9)
    assert "COMPILED STRING1" in text(read(a_compound(streams)), Zone.HIDDEN)


def test_a_macro_is_found_where_the_directory_lies() -> None:
    streams = a_vba_project("' MACRO1")
    streams["Macros", "VBA", "dir"] = b"\1\0\0"
    assert "MACRO1" in text(read(a_compound(streams)), Zone.HIDDEN)


@given(st.binary(max_size=9000))
def test_a_compressed_container_holds_what_went_in(data: bytes) -> None:
    small = bytes(pair[0] & 1 for pair in pairwise(data))
    assert vba.decompressed(a_container(small), budget()) == small
    vba.decompressed(b"\1" + data, budget())


@pytest.mark.parametrize(
    ("page", "encoding", "value"),
    [
        (936, "gb18030", "绝密 标题"),
        (950, "big5", "絕密 標題"),
        (65001, "utf-8", "绝密 标题"),
        (1200, "utf-16-le", "绝密"),
        (1251, "cp1251", "Секрет"),
    ],
)
def test_properties_are_read_in_their_code_page(page: int, encoding: str, value: str) -> None:
    found = PropertySet(a_property_set({2: value}, code_page=page, encoding=encoding), budget())
    assert found.lines == [f"Title: {value}\n"]
    assert not found.damage


def test_a_code_page_that_lies_does_not_spoil_a_value() -> None:
    found = PropertySet(a_property_set({2: "这是机密文件的标题"}, code_page=1252, encoding="gb18030"), budget())
    assert "Title: 这是机密文件的标题\n" in found.lines


def test_links_in_a_blob_are_read() -> None:
    target = struct.pack("<II", 0x1F, 12) + wide("http://LINK\0")
    blob = struct.pack("<I", 6) + struct.pack("<II", 3, 1) * 4 + target + struct.pack("<II", 0x1F, 0)
    placeholder = "x" * 100
    data = a_property_set(custom={"_PID_HLINKS": placeholder})
    place = data.index(struct.pack("<II", 0x1F, len(placeholder) + 1))
    data = data[:place] + struct.pack("<II", 0x41, len(blob)) + blob + data[place + 8 + len(blob) :]
    assert "_PID_HLINKS: http://LINK\n" in PropertySet(data, budget()).lines


@given(st.data())
def test_a_damaged_property_set_never_fails(data: st.DataObject) -> None:
    held = bytearray(a_property_set({2: "title"}, custom={"name": "value", "other": "机密"}))
    for _ in range(data.draw(st.integers(1, 6))):
        held[data.draw(st.integers(0, len(held) - 1))] = data.draw(st.integers(0, 255))
    PropertySet(bytes(held), budget())


@given(st.data())
def test_a_damaged_file_never_fails(data: st.DataObject) -> None:
    held = bytearray(_SEED)
    for _ in range(data.draw(st.integers(1, 8))):
        held[data.draw(st.integers(0, len(held) - 1))] = data.draw(st.sampled_from([0, 1, 2, 0x7F, 0xFE, 0xFF]))
    pieces = read(bytes(held), limits=Limits(bytes=1 << 20, expanded_bytes=8 << 20))
    assert Why.CRASHED not in [why for why, _ in unread(pieces)]
    assert sum(sys.getsizeof(piece.text) for piece in pieces if isinstance(piece, Part)) < 32 << 20


@pytest.mark.corpus
def test_real_files_are_read_whole(corpus: Path) -> None:
    for path in sorted(corpus.rglob("*.doc")):
        data = path.read_bytes()
        if data.startswith(b"\xd0\xcf\x11\xe0"):
            compound = Compound(data, budget())
            for stream, size in compound.streams.items():
                assert len(compound.read(stream)) == size, (path.name, stream)


def _class_names(name: str) -> bytes:
    raw = name.encode() + b"\0"
    return bytes(28) + (struct.pack("<I", len(raw)) + raw) * 2


_SEED = a_compound(
    {
        ("\1Ole10Native",): a_package("a.txt", b"text"),
        ("A", "\1CompObj"): _class_names("x"),
        ("A", "B", "C"): b"c" * 5000,
        ("\5SummaryInformation",): a_property_set({2: "title"}),
        **a_vba_project("x"),
    }
)
