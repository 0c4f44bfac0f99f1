from pathlib import Path

import pytest

from dlp.extract.budget import Budget
from dlp.extract.compound import Compound
from dlp.extract.document import Document
from dlp.extract.mapi import decompressed
from dlp.extract.walk import walk
from dlp.model import Limits, Raw, Unscannable, Why, Zone
from tests.extract.reading import parts, read, text, unread
from tests.helpers.compound import a_compound
from tests.helpers.documents import a_docx
from tests.helpers.mapi import (
    BODY,
    CODE_PAGE,
    HEADERS,
    HTML,
    INTERNET_CODE_PAGE,
    RTF,
    SUBJECT,
    Attachment,
    a_msg,
    compressed_rtf,
    message_streams,
)


def test_every_place_of_a_message_is_read_in_its_zone() -> None:
    headers = "From: x\r\nX-Secret: =?utf-8?B?5py65a+G?=\r\nX-Label: HEADER\r\n"
    pieces = read(
        a_msg(
            {
                SUBJECT: "关于机密",
                BODY: "正文 PLAIN",
                HTML: "<p>HTML<b>机</b>密</p><!-- HIDDENHTML -->".encode(),
                RTF: compressed_rtf(rb"{\rtf1 RTFTEXT}"),
                HEADERS: headers,
                0x0C1A: "张三 SENDER",
                0x0036: 3,
            },
            recipients=[{0x3001: "李四 RECIPIENT", 0x39FE: "li@example.com"}],
            attachments=[Attachment(name="附件.docx", content=a_docx(["ATTACHED 正文"]))],
            named={"MSIP_Label_1_Name": "LABEL 绝密"},
        )
    )
    assert text(pieces, Zone.SUBJECT) == "关于机密"
    assert "正文 PLAIN" in text(pieces, Zone.BODY, ())
    assert "HTML机密" in text(pieces, Zone.BODY, ())
    assert "HIDDENHTML" in text(pieces, Zone.HIDDEN)
    assert "RTFTEXT" in text(pieces, Zone.BODY, ("rtf",))
    assert "ATTACHED 正文" in text(pieces, Zone.BODY, ("附件.docx",))
    assert "附件.docx" in text(pieces, Zone.FILENAME)
    properties = text(pieces, Zone.PROPERTY)
    assert "x-secret: 机密" in properties
    assert "x-label: HEADER" in properties
    assert "sender-name: 张三 SENDER" in properties
    assert "display-name: 李四 RECIPIENT" in properties
    assert "MSIP_Label_1_Name: LABEL 绝密" in properties
    assert "sensitivity: confidential" in properties
    assert [part.start for part in parts(pieces) if part.trail == ()] == [True, True]
    assert not unread(pieces)


@pytest.mark.parametrize(
    ("page", "number"), [("gb18030", 936), ("gb18030", 54936), ("big5", 950), ("utf-8", 65001), ("cp1251", 1251)]
)
def test_texts_of_8_bits_are_read_in_the_code_page_of_the_message(page: str, number: int) -> None:
    shown = "Секретно" if page == "cp1251" else "人民政府公文"
    properties = {SUBJECT: shown, BODY: shown, CODE_PAGE: number, INTERNET_CODE_PAGE: number}
    pieces = read(a_msg(properties, page=page, attachments=[Attachment(name=f"{shown}.txt", content=b"x")]))
    assert shown in text(pieces, Zone.SUBJECT)
    assert shown in text(pieces, Zone.BODY)
    assert f"{shown}.txt" in text(pieces, Zone.FILENAME)


def test_texts_of_8_bits_without_a_code_page_are_read() -> None:
    body = "这是机密文件，不得外传。请各单位遵照执行。"
    assert body in text(read(a_msg({SUBJECT: "x", BODY: body}, page="gb18030")), Zone.BODY)


def test_an_embedded_message_is_a_document_with_the_names_of_the_outer_one() -> None:
    inner = message_streams({SUBJECT: "里面", BODY: "INNER BODY", 0x8000: "INNER LABEL"}, header=24)
    outer = a_msg({SUBJECT: "outside"}, named={"MSIP_Label_x": "OUTER"}, attachments=[Attachment(name="fwd", streams=inner)])
    pieces = read(outer)
    assert text(pieces, Zone.SUBJECT, ("fwd",)) == "里面"
    assert "INNER BODY" in text(pieces, Zone.BODY, ("fwd",))
    assert "MSIP_Label_x: INNER LABEL" in text(pieces, Zone.PROPERTY, ("fwd",))
    assert not unread(pieces)


def test_messages_inside_each_other_are_bounded_and_told() -> None:
    streams = message_streams({BODY: "INNERMOST"}, header=24)
    for _ in range(6):
        streams = message_streams({SUBJECT: "x"}, attachments=[Attachment(streams=streams)], header=24)
    pieces = read(a_compound(streams), limits=Limits(depth=3))
    assert Why.TOO_DEEP in [why for why, _ in unread(pieces)]


def test_an_object_is_a_document() -> None:
    package = Attachment(name="object", streams={("Package",): a_docx(["IN THE PACKAGE"])})
    pieces = read(a_msg({SUBJECT: "x"}, attachments=[package]))
    (inside,) = (piece for piece in pieces if isinstance(piece, Raw) and piece.trail == ("object",))
    assert Compound(inside.data).read(("Package",)) == (package.streams or {})[("Package",)]


def test_what_is_attached_by_reference_is_named() -> None:
    linked = Attachment(properties={0x3708: r"\\server\机密\plan.doc", 0x3705: 2})
    pieces = read(a_msg({SUBJECT: "x"}, attachments=[linked]))
    assert r"pathname: \\server\机密\plan.doc" in text(pieces, Zone.PROPERTY)
    assert "plan.doc" in text(pieces, Zone.FILENAME)
    assert not unread(pieces)


def test_streams_that_no_message_has_are_read() -> None:
    extra = {
        ("smuggled",): b"SMUGGLED TEXT",
        ("folder", "deep"): b"DEEP TEXT",
        ("__recip_version1.0_#00000000", "odd"): b"ODD TEXT",
    }
    pieces = read(a_msg({SUBJECT: "x", 0x6700: "BINARY 机密 VALUE ".encode("utf-16-le") * 4}, extra=extra))
    for shown in ("SMUGGLED TEXT", "DEEP TEXT", "ODD TEXT", "BINARY 机密 VALUE"):
        assert shown in text(pieces)


def test_values_of_several_are_read() -> None:
    extra = {
        ("__substg1.0_8000101F",): bytes(8),
        ("__substg1.0_8000101F-00000000",): "FIRST".encode("utf-16-le"),
        ("__substg1.0_8000101F-00000001",): "SECOND".encode("utf-16-le"),
    }
    properties = text(read(a_msg({SUBJECT: "x"}, extra=extra)), Zone.PROPERTY)
    assert "FIRST" in properties
    assert "SECOND" in properties


@pytest.mark.parametrize("kept", [600, 1500, 2500, 3500])
def test_a_cut_message_gives_what_is_left(kept: int) -> None:
    whole = a_msg({SUBJECT: "机密", BODY: "BODY " * 2_000, 0x0C1A: "x" * 3_000})
    pieces = read(whole[:kept])
    assert unread(pieces)
    assert Why.CRASHED not in [why for why, _ in unread(pieces)]


def test_a_password_in_the_body_is_known_before_the_attachment_is_read() -> None:
    budget = Budget(Limits())
    message = a_msg({SUBJECT: "x", HTML: "<p>解压密码：<b>Xk9#2024</b></p>".encode()}, attachments=[Attachment(content=b"y")])
    list(walk(Document(data=message), budget))
    assert "Xk9#2024" in budget.passwords.learned


def test_compressed_rtf() -> None:
    budget = Budget(Limits())
    assert decompressed(compressed_rtf(rb"{\rtf1 x}"), budget) == (rb"{\rtf1 x}", True)
    # "\rtf1" stands at 1 in the dictionary; what refers to itself repeats.
    assert decompressed(compressed_rtf(b"{", [(1, 5)]), budget) == (rb"{\rtf1", True)
    assert decompressed(compressed_rtf(b"ab", [(207, 9)]), budget) == (b"abababababa", True)
    assert decompressed(b"\x20\0\0\0\x10\0\0\0MELA\0\0\0\0{\\rtf1 plain}", budget)[0] == b"{\\rtf1 plain}"
    assert decompressed(compressed_rtf(b"x" * 100)[:60], budget)[1] is False
    assert decompressed(b"short", budget) == (b"", False)
    assert decompressed(b"", budget) == (b"", True)


@pytest.mark.corpus
def test_messages_of_other_projects_are_read(corpus: Path) -> None:
    found = [path for path in corpus.glob("*/**/*.msg") if path.parent.name != "mail"]
    assert len(found) >= 10
    for path in found:
        pieces = read(path.read_bytes(), path.name)
        assert text(pieces, Zone.BODY).strip()
        assert Why.CRASHED not in [piece.why for piece in pieces if isinstance(piece, Unscannable)]
