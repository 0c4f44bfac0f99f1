"""7z: its methods, its passwords, its damage."""

import struct
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlp.extract.budget import Budget
from dlp.extract.document import Document
from dlp.extract.passwords import OPENED
from dlp.extract.walk import Piece, walk
from dlp.model import Limits, Raw, Unscannable, Why, Zone
from tests.extract.reading import random_bytes, read, text, unread
from tests.helpers.archives import a_7z, written
from tests.helpers.documents import a_docx

MEMBERS = {"密/a.txt": "FIRST1 机密", "b.docx": a_docx(["SECOND1"]), "empty.txt": "", "c.txt": "THIRD1 " * 5_000}


def tried(data: bytes, *passwords: str) -> list[Piece]:
    return list(walk(Document(data=memoryview(data), name="a.7z"), Budget(Limits(), passwords=passwords)))


@pytest.mark.parametrize("method", ["copy", "lzma", "lzma2", "x86", "delta"])
def test_members_are_documents_inside(method: str) -> None:
    pieces = read(a_7z(MEMBERS, method=method, folders=["FOLDER1"]), "a.7z")
    assert text(pieces, Zone.BODY, ("密/a.txt",)) == "FIRST1 机密"
    assert "SECOND1" in text(pieces, Zone.BODY, ("b.docx",))
    assert text(pieces, Zone.BODY, ("c.txt",)).count("THIRD1") == 5_000
    assert {"密/a.txt", "empty.txt", "FOLDER1"} <= set(text(pieces, Zone.FILENAME).split("\n"))
    assert not unread(pieces)


@pytest.mark.parametrize("method", ["copy", "deflate", "bzip2", "lzma1", "lzma2", "ppmd"])
def test_what_another_program_wrote_is_read(method: str) -> None:
    """PPMd is read through libarchive."""
    pieces = read(written("7zip", MEMBERS, options=f"compression={method}"), "a.7z")
    assert text(pieces, Zone.BODY, ("密/a.txt",)) == "FIRST1 机密"
    assert text(pieces, Zone.BODY, ("c.txt",)).count("THIRD1") == 5_000
    assert "empty.txt" in text(pieces, Zone.FILENAME)
    assert not unread(pieces)


@pytest.mark.parametrize("hide_names", [False, True])
@pytest.mark.parametrize("method", ["copy", "lzma", "lzma2"])
def test_a_known_password_opens(method: str, *, hide_names: bool) -> None:
    data = a_7z(MEMBERS, method=method, password="Q3-密!", hide_names=hide_names)
    pieces = tried(data, "wrong", "Q3-密!")
    assert text(pieces, Zone.BODY, (OPENED, "密/a.txt")) == "FIRST1 机密"
    assert not unread(pieces)
    assert "Q3-" not in repr(pieces)


def test_without_the_password_every_member_is_told() -> None:
    pieces = tried(a_7z({"a.txt": "SECRET", "b.txt": "OTHER1"}, password="right"), "wrong")
    assert unread(pieces) == [(Why.ENCRYPTED, ("a.txt",)), (Why.ENCRYPTED, ("b.txt",))]
    assert "a.txt" in text(pieces, Zone.FILENAME)


def test_hidden_names_are_told() -> None:
    pieces = tried(a_7z({"a.txt": "SECRET"}, password="right", hide_names=True), "wrong")
    assert [(why, detail) for why, detail in told(pieces)] == [(Why.ENCRYPTED, "the list of members is encrypted")]


def told(pieces: list[Piece]) -> list[tuple[Why, str]]:
    return [(piece.why, piece.detail) for piece in pieces if isinstance(piece, Unscannable)]


def test_a_key_that_costs_too_much_is_not_derived() -> None:
    data = a_7z({"a.txt": "SECRET"}, password="right").replace(bytes((0x46, 7)), bytes((0x40 | 40, 7)))
    head = bytearray(data)
    offset, size = struct.unpack_from("<QQ", data, 12)
    struct.pack_into("<L", head, 28, zlib.crc32(data[32 + offset : 32 + offset + size]))
    struct.pack_into("<L", head, 8, zlib.crc32(head[12:32]))
    assert unread(tried(bytes(head), "right")) == [(Why.ENCRYPTED, ("a.txt",))]


def test_a_damaged_member_is_told_and_what_precedes_it_is_read() -> None:
    data = bytearray(a_7z({"a.txt": "FIRST1", "b.bin": random_bytes(400_000), "c.txt": "THIRD1"}))
    data[200_000] ^= 0xFF
    pieces = read(bytes(data))
    assert "FIRST1" in text(pieces)
    assert (Why.CORRUPT, ("b.bin",)) in unread(pieces)


def test_of_an_archive_without_its_end_the_members_are_read() -> None:
    data = a_7z({"a.txt": "FIRST1 " * 9_000, "b.bin": random_bytes(100_000)})
    pieces = read(data[:60_000])
    assert "FIRST1" in text(pieces)
    assert (Why.CORRUPT, ()) in unread(pieces)


def test_what_stands_behind_the_archive_is_read() -> None:
    assert "BEHIND THE ARCHIVE" in text(read(a_7z({"a.txt": "SECRET"}) + b"BEHIND THE ARCHIVE, A LINE"))


def test_a_name_that_is_no_utf_16_is_kept() -> None:
    pieces = read(a_7z({"a\ud800b.txt": "SECRET"}))
    assert "SECRET" in text(pieces)
    assert "b.txt" in text(pieces, Zone.FILENAME)


def test_a_bomb_is_bounded_and_what_follows_it_is_read() -> None:
    pieces = read(a_7z({"a.txt": "FIRST1", "bomb": b"\0" * (11 << 20), "c.txt": "THIRD1"}))
    assert unread(pieces)[0] == (Why.TOO_LARGE, ("bomb",))
    assert "FIRST1" in text(pieces)
    assert "THIRD1" in text(pieces)


def test_a_method_that_is_not_read_is_told_by_each_member() -> None:
    data = a_7z({"a.txt": "SECRET", "b.txt": "OTHER1"}, method="ppmd")
    pieces = read(data)
    assert {why for why, _ in unread(pieces)} <= {Why.UNSUPPORTED, Why.CORRUPT}
    assert unread(pieces)


@given(at=st.integers(0, 10_000), byte=st.integers(0, 255))
def test_a_changed_byte_is_never_clean_or_a_crash(at: int, byte: int) -> None:
    data = bytearray(a_7z({"a.txt": "FIRST1", "b.txt": "SECOND1 " * 9}, method="copy"))
    at %= len(data)
    changed = data[at] != byte
    data[at] = byte
    pieces = read(bytes(data), "a.7z")
    assert Why.CRASHED not in [why for why, _ in unread(pieces)]
    whole = "FIRST1" in text(pieces, Zone.BODY) and "SECOND1 SECOND1" in text(pieces, Zone.BODY)
    assert unread(pieces) or whole or not changed
    assert any(isinstance(piece, Raw) for piece in pieces)
