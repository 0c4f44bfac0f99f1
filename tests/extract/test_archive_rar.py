"""RAR 4 and 5: names, comments, links, volumes, passwords, damage."""

import struct
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlp.extract.budget import Budget
from dlp.extract.document import Document
from dlp.extract.passwords import OPENED
from dlp.extract.walk import Piece, walk
from dlp.model import Limits, Unscannable, Why, Zone
from tests.extract.reading import read, text, unread
from tests.helpers.archives import a_rar4, a_rar5
from tests.helpers.documents import a_docx

MEMBERS = {"密/a.txt": "FIRST1 机密", "b.docx": a_docx(["SECOND1"]), "empty.txt": ""}


def tried(data: bytes, *passwords: str) -> list[Piece]:
    return list(walk(Document(data=memoryview(data), name="a.rar"), Budget(Limits(), passwords=passwords)))


@pytest.mark.parametrize("pack", [a_rar4, a_rar5])
def test_members_are_documents_inside(pack) -> None:  # type: ignore[no-untyped-def]
    pieces = read(pack(MEMBERS), "a.rar")
    assert text(pieces, Zone.BODY, ("密/a.txt",)) == "FIRST1 机密"
    assert "SECOND1" in text(pieces, Zone.BODY, ("b.docx",))
    assert "empty.txt" in text(pieces, Zone.FILENAME)
    assert not unread(pieces)


def test_comments_links_and_folders() -> None:
    pieces = read(a_rar5({"a.txt": "TEXT1"}, comment="COMMENT1 密", link=("LINK1", "../TARGET1"), folder="FOLDER1"))
    assert text(pieces, Zone.COMMENT) == "COMMENT1 密"
    assert {"a.txt", "LINK1", "../TARGET1", "FOLDER1"} == set(text(pieces, Zone.FILENAME).split("\n"))
    assert not unread(pieces)


def test_a_name_in_the_old_compressed_form() -> None:
    """Two characters of a row, one of another, four of the plain name."""
    packed = b"n.txt\0" + bytes((0x4E, 0b01_10_11_00, 0x2D, 0xC6, 0x5B, 0x03))
    pieces = read(a_rar4({}, unicode_name=(packed, "TEXT1")))
    assert "\u4e2d\u5bc6" in text(pieces, Zone.FILENAME)
    assert "TEXT1" in text(pieces)


@pytest.mark.parametrize("pack", [a_rar4, a_rar5, lambda m, password: a_rar5(m, password=password, hide_names=True)])
def test_a_known_password_opens(pack) -> None:  # type: ignore[no-untyped-def]
    pieces = tried(pack({"a.txt": "FIRST1 机密", "b.txt": "SECOND1"}, password="Q3-密!"), "wrong", "Q3-密!")
    assert text(pieces, Zone.BODY, (OPENED, "a.txt")) == "FIRST1 机密"
    assert text(pieces, Zone.BODY, (OPENED, "b.txt")) == "SECOND1"
    assert not unread(pieces)
    assert "Q3-" not in repr(pieces)


@pytest.mark.parametrize("pack", [a_rar4, a_rar5])
def test_without_the_password_every_member_is_told(pack) -> None:  # type: ignore[no-untyped-def]
    pieces = tried(pack({"a.txt": "SECRET", "b.txt": "OTHER1"}, password="right"), "wrong")
    assert unread(pieces) == [(Why.ENCRYPTED, ("a.txt",)), (Why.ENCRYPTED, ("b.txt",))]


def test_hidden_names_are_told() -> None:
    pieces = tried(a_rar5({"a.txt": "SECRET"}, password="right", hide_names=True), "wrong")
    assert [piece.detail for piece in pieces if isinstance(piece, Unscannable)] == ["the list of members is encrypted"]


def test_a_key_that_costs_too_much_is_not_derived() -> None:
    data = a_rar5({"a.txt": "SECRET"}, password="right", power=4)
    at = data.index(b"S" * 16)
    start = data.index(b"\x02\x03", 20)
    size = data[start - 1]
    block = bytearray(data[start - 1 : start + size])
    block[at - start] = 40
    data = data[: start - 5] + struct.pack("<L", zlib.crc32(block)) + bytes(block) + data[start + size :]
    assert unread(tried(data, "right")) == [(Why.ENCRYPTED, ("a.txt",))]


@pytest.mark.parametrize("flags", [0x10, 0x08], ids=["goes on", "begins before"])
def test_what_a_volume_holds_is_read_and_the_rest_told(flags: int) -> None:
    pieces = read(a_rar5({"a.txt": "FIRST1"}, volume_flags=flags))
    assert "FIRST1" in text(pieces)
    assert unread(pieces) == [(Why.CORRUPT, ("a.txt",))]


@pytest.mark.parametrize("pack", [a_rar4, a_rar5])
def test_what_stands_behind_a_damaged_header_is_read(pack) -> None:  # type: ignore[no-untyped-def]
    data = bytearray(pack({"a.txt": "FIRST1", "bbbb.txt": "SECOND1", "c.txt": "THIRD1"}))
    data[data.index(b"bbbb.txt")] ^= 1
    pieces = read(bytes(data))
    assert "FIRST1" in text(pieces, Zone.BODY)
    assert "THIRD1" in text(pieces, Zone.BODY)
    assert (Why.CORRUPT, ()) in unread(pieces)


@pytest.mark.parametrize("pack", [a_rar4, a_rar5])
def test_damaged_and_cut_members_are_told(pack) -> None:  # type: ignore[no-untyped-def]
    data = pack({"a.txt": "FIRST1", "b.txt": "SECOND1 " * 20})
    pieces = read(data.replace(b"FIRST1", b"FIRST2"))
    assert (Why.CORRUPT, ("a.txt",)) in unread(pieces)
    pieces = read(data[:-100])
    assert "FIRST1" in text(pieces)
    assert "SECOND1" in text(pieces)
    assert (Why.CORRUPT, ("b.txt",)) in unread(pieces)


def test_what_stands_behind_the_archive_is_read() -> None:
    assert "BEHIND THE ARCHIVE" in text(read(a_rar5({"a.txt": "SECRET"}) + b"BEHIND THE ARCHIVE, A LINE"))


@given(kind=st.sampled_from([a_rar4, a_rar5]), at=st.integers(0, 10_000), byte=st.integers(0, 255))
def test_a_changed_byte_is_never_a_crash(kind, at: int, byte: int) -> None:  # type: ignore[no-untyped-def]
    data = bytearray(kind({"a.txt": "FIRST1", "b.txt": "SECOND1 " * 9}))
    data[at % len(data)] = byte
    assert Why.CRASHED not in [why for why, _ in unread(read(bytes(data), "a.rar"))]
