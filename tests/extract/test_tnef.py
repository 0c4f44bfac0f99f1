import struct

import pytest

from dlp.model import Limits, Why, Zone
from tests.extract.reading import read, text, unread
from tests.helpers.documents import a_docx, a_mail
from tests.helpers.mapi import BODY, HTML, RTF, SUBJECT, Attachment, a_tnef, compressed_rtf


def test_every_place_of_a_stream_is_read_in_its_zone() -> None:
    pieces = read(
        a_tnef(
            {
                SUBJECT: "关于机密",
                BODY: "正文 PLAIN",
                HTML: "<p>HTML<b>机</b>密</p>".encode(),
                RTF: compressed_rtf(rb"{\rtf1 RTFTEXT}"),
                0x0C1A: "张三 SENDER",
            },
            attributes=[(0x00018009, b"ATTRIBUTE\0")],
            recipients=[{0x3001: "李四 RECIPIENT"}, {0x3001: "SECOND RECIPIENT"}],
            attachments=[Attachment(name="附件.docx", content=a_docx(["ATTACHED 正文"]), properties={0x3004: "REMARK"})],
            named={"MSIP_Label_1": "LABEL 绝密"},
        ),
        "winmail.dat",
    )
    assert text(pieces, Zone.SUBJECT) == "关于机密"
    assert "正文 PLAIN" in text(pieces, Zone.BODY, ())
    assert "HTML机密" in text(pieces, Zone.BODY, ())
    assert "RTFTEXT" in text(pieces, Zone.BODY, ("rtf",))
    assert "ATTACHED 正文" in text(pieces, Zone.BODY, ("附件.docx",))
    properties = text(pieces, Zone.PROPERTY)
    for shown in ("张三 SENDER", "李四 RECIPIENT", "SECOND RECIPIENT", "MSIP_Label_1: LABEL 绝密", "REMARK", "ATTRIBUTE"):
        assert shown in properties
    assert not unread(pieces)


def test_attributes_of_old_programs_are_read_in_the_code_page() -> None:
    shown = "人民政府公文".encode("gb18030")
    data = a_tnef(attributes=[(0x00018004, shown + b"\0"), (0x0002800C, shown)], code_page=936)
    assert text(read(data), Zone.SUBJECT) == "人民政府公文"
    assert "人民政府公文" in text(read(data), Zone.BODY)


def test_a_name_in_the_code_page_is_read() -> None:
    data = a_tnef(attachments=[Attachment(name="机密文件名单.txt", content=b"CONTENT")], code_page=936, page="gb18030")
    assert "机密文件名单.txt" in text(read(data), Zone.FILENAME)
    assert "CONTENT" in text(read(data), Zone.BODY)


def test_an_embedded_message_is_a_document() -> None:
    inner = a_tnef({SUBJECT: "里面", BODY: "INNER BODY"})
    pieces = read(a_tnef({SUBJECT: "outside"}, attachments=[Attachment(content=inner)]))
    assert text(pieces, Zone.SUBJECT, ("attachment 1",)) == "里面"
    assert "INNER BODY" in text(pieces, Zone.BODY, ("attachment 1",))
    assert not unread(pieces)


def test_messages_inside_each_other_are_bounded_and_told() -> None:
    data = a_tnef({BODY: "INNERMOST"})
    for level in range(6):
        data = a_tnef({SUBJECT: str(level)}, attachments=[Attachment(content=data)])
    assert Why.TOO_DEEP in [why for why, _ in unread(read(data, limits=Limits(depth=3)))]


def test_it_is_found_in_a_message_under_any_name() -> None:
    mail = a_mail(attachments=[("a.bin", "application/octet-stream", a_tnef({BODY: "IN THE MAIL"}))])
    assert "IN THE MAIL" in text(read(mail), Zone.BODY)


@pytest.mark.parametrize("kept", [3, 5, 20, 60, 200, 400])
def test_a_cut_stream_gives_what_is_left_and_is_told(kept: int) -> None:
    whole = a_tnef({SUBJECT: "机密", BODY: "x" * 400}, attachments=[Attachment(name="a", content=b"y" * 100)])
    assert len(whole) > kept
    assert unread(read(whole[:kept], "winmail.dat")) or kept < 8


def test_counts_that_lie_are_bounded() -> None:
    listed = struct.pack("<I", 0xFFFFFFFF) + struct.pack("<HHI", 0x101F, 0x3001, 0xFFFFFFFF)
    pieces = read(a_tnef(attributes=[(0x00069003, listed), (0x00069004, b"\xff" * 8), (0x0002800C, b"STILL READ")]))
    assert "STILL READ" in text(pieces, Zone.BODY)
    assert Why.CORRUPT in [why for why, _ in unread(pieces)]
