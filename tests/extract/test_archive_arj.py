"""ARJ: names, comments, methods, passwords, damage."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlp.extract.budget import Budget
from dlp.extract.document import Document
from dlp.extract.passwords import OPENED
from dlp.extract.walk import walk
from dlp.model import Limits, Why, Zone
from tests.extract.reading import read, text, unread
from tests.helpers.archives import an_arj
from tests.helpers.documents import a_docx


def test_members_and_comments_are_read() -> None:
    pieces = read(an_arj({"绝密/a.txt": "FIRST1 机密", "b.docx": a_docx(["SECOND1"])}, comment="ARCHIVE COMMENT 密"), "a.arj")
    assert text(pieces, Zone.BODY, ("绝密/a.txt",)) == "FIRST1 机密"
    assert "SECOND1" in text(pieces, Zone.BODY, ("b.docx",))
    assert text(pieces, Zone.COMMENT, ()) == "ARCHIVE COMMENT 密"
    assert text(pieces, Zone.COMMENT, ("绝密/a.txt",)) == "绝密/a.txt!"
    assert not unread(pieces)


def test_a_known_password_opens() -> None:
    data = an_arj({"a.txt": "FIRST1 机密"}, password="Q3-2024!")
    pieces = list(walk(Document(data=data), Budget(Limits(), passwords=["wrong", "Q3-2024!"])))
    assert text(pieces, Zone.BODY, (OPENED, "a.txt")) == "FIRST1 机密"
    assert unread(read(data)) == [(Why.ENCRYPTED, ("a.txt",))]


def test_a_method_that_is_not_read_is_told() -> None:
    assert unread(read(an_arj({"a.txt": "SECRET"}, method=4))) == [(Why.UNSUPPORTED, ("a.txt",))]


@pytest.mark.parametrize("flag", [4, 8])
def test_a_member_of_several_volumes_is_told_and_read(flag: int) -> None:
    pieces = read(an_arj({"a.txt": "FIRST1"}, flags=flag))
    assert unread(pieces) == [(Why.CORRUPT, ("a.txt",))]
    assert "FIRST1" in text(pieces)


def test_what_stands_behind_a_damaged_header_is_read() -> None:
    data = bytearray(an_arj({"a.txt": "FIRST1", "bbbb.txt": "SECOND1", "c.txt": "THIRD1"}))
    data[data.index(b"bbbb.txt")] ^= 1
    pieces = read(bytes(data))
    assert "FIRST1" in text(pieces, Zone.BODY)
    assert "THIRD1" in text(pieces, Zone.BODY)
    assert (Why.CORRUPT, ()) in unread(pieces)


def test_a_cut_archive_is_told() -> None:
    data = an_arj({"a.txt": "FIRST1", "b.txt": "SECOND1 " * 20})
    pieces = read(data[:-50])
    assert "SECOND1" in text(pieces)
    assert {(Why.CORRUPT, ()), (Why.CORRUPT, ("b.txt",))} == set(unread(pieces))


@given(at=st.integers(0, 10_000), byte=st.integers(0, 255), method=st.integers(0, 4))
def test_a_changed_byte_is_never_a_crash(at: int, byte: int, method: int) -> None:
    data = bytearray(an_arj({"a.txt": "FIRST1", "b.txt": "SECOND1 " * 9}, method=method))
    data[at % len(data)] = byte
    assert Why.CRASHED not in [why for why, _ in unread(read(bytes(data), "a.arj"))]
