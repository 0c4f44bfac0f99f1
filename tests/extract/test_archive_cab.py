"""Cabinets: names, methods, spanning, damage."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlp.model import Why, Zone
from tests.extract.reading import random_bytes, read, text, unread
from tests.helpers.archives import a_cab, self_extractor
from tests.helpers.documents import a_docx

MEMBERS = {"密\\a.txt": "FIRST1 机密", "b.docx": a_docx(["SECOND1"]), "c.txt": "THIRD1 " * 20_000, "d.txt": "FOURTH1"}


@pytest.mark.parametrize("reserve", [0, 6])
@pytest.mark.parametrize("utf8", [True, False])
@pytest.mark.parametrize("kind", [0, 1])
def test_members_are_documents_inside(kind: int, reserve: int, *, utf8: bool) -> None:
    pieces = read(a_cab(MEMBERS, kind=kind, utf8=utf8, reserve=reserve), "a.cab")
    assert text(pieces, Zone.BODY, ("密\\a.txt",)) == "FIRST1 机密"
    assert "SECOND1" in text(pieces, Zone.BODY, ("b.docx",))
    assert text(pieces, Zone.BODY, ("c.txt",)).count("THIRD1") == 20_000
    assert text(pieces, Zone.BODY, ("d.txt",)) == "FOURTH1"
    assert not unread(pieces)


def test_quantum_is_told_by_each_member() -> None:
    pieces = read(a_cab({"a.txt": "SECRET", "b.txt": "OTHER1"}, kind=2))
    assert unread(pieces) == [(Why.UNSUPPORTED, ("a.txt",)), (Why.UNSUPPORTED, ("b.txt",))]


def test_lzx_is_left_to_libarchive() -> None:
    """An uncompressed block of LZX ([MS-PATCH] 2.6): no translation, block type 3, its size, three offsets, the bytes."""
    plain = b"LZX SECRET, 25 characters"
    bits = f"{0:01b}{3:03b}{len(plain):024b}".ljust(32, "0")
    packed = (
        b"".join(int(bits[at : at + 16], 2).to_bytes(2, "little") for at in (0, 16)) + struct.pack("<3L", 1, 1, 1) + plain + b"\0"
    )
    data = a_cab({"a.txt": plain}, kind=0)
    at = data.index(plain) - 8
    folder = data.index(struct.pack("<LHH", at, 1, 0))
    block = struct.pack("<LHH", 0, len(packed), len(plain)) + packed
    pieces = read(data[:folder] + struct.pack("<LHH", at, 1, 0x0F03) + data[folder + 8 : at] + block)
    assert text(pieces, Zone.BODY, ("LZX", "a.txt")) == plain.decode()


@pytest.mark.parametrize(("index", "seen"), [(0xFFFD, False), (0xFFFE, True), (0xFFFF, False)])
def test_members_of_several_cabinets_are_told(index: int, *, seen: bool) -> None:
    data = a_cab({"a.txt": "FIRST1"}, kind=0, index=index).replace(struct.pack("<LL", 6, 0), struct.pack("<LL", 600, 0))
    pieces = read(data)
    assert unread(pieces) == [(Why.CORRUPT, ("a.txt",))]
    assert ("FIRST1" in text(pieces)) is seen


def test_what_precedes_the_damage_is_read() -> None:
    data = bytearray(a_cab({"a.txt": "FIRST1 " * 9_000, "b.bin": random_bytes(100_000), "c.txt": "THIRD1"}))
    data[-50_000] ^= 0xFF
    pieces = read(bytes(data))
    assert "FIRST1" in text(pieces, Zone.BODY, ("a.txt",))
    assert (Why.CORRUPT, ("b.bin",)) in unread(pieces)
    assert (Why.CORRUPT, ("c.txt",)) in unread(pieces)
    pieces = read(bytes(data[:60_000]))
    assert "FIRST1" in text(pieces, Zone.BODY, ("a.txt",))
    assert (Why.CORRUPT, ("b.bin",)) in unread(pieces)


def test_a_member_of_no_folder_is_told() -> None:
    assert unread(read(a_cab({"a.txt": "SECRET"}, index=7))) == [(Why.CORRUPT, ("a.txt",))]


def test_a_self_extractor_is_read() -> None:
    assert "SECRET" in text(read(self_extractor(a_cab({"a.txt": "SECRET"}) + b"more of the program")), Zone.BODY)


@given(at=st.integers(0, 1 << 14), data=st.binary(min_size=1, max_size=6), kind=st.integers(0, 2))
def test_damage_is_never_a_crash(at: int, data: bytes, kind: int) -> None:
    whole = bytearray(a_cab({"a.txt": "FIRST1", "b.txt": "SECOND1 " * 9}, kind=kind))
    at %= len(whole)
    whole[at : at + len(data)] = data
    # A changed byte may make it LZX, whose reader in libarchive crashes on damage: that is for the tests of workers.
    if whole[:4] == b"MSCF" and whole[42] & 0x0F != 3:
        assert Why.CRASHED not in [why for why, _ in unread(read(bytes(whole), "a.cab"))]
