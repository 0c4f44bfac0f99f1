import base64

import pytest

from dlp.model import Why, Zone
from tests.extract.reading import parts, read, text, unread
from tests.helpers.documents import a_docx, a_mail, a_zip

MAIL = "message/rfc822"


def test_fields_bodies_and_attachments_are_read_in_their_zones() -> None:
    data = a_mail(
        "zhang@example.com",
        subject="关于机密文件",
        body="正文第一行\r\n",
        html="<p>HTML<b>机</b>密</p>",
        attachments=[
            ("附件一.docx", "application/octet-stream", a_docx(["docx 正文"])),
            ("a.zip", "application/zip", a_zip({"in.txt": "zip 里"})),
        ],
        headers=[("X-Secret", "=?gb18030?B?" + base64.b64encode("绝密".encode("gb18030")).decode() + "?=")],
    )
    pieces = read(data, media=MAIL)
    assert text(pieces, Zone.SUBJECT) == "关于机密文件"
    assert "x-secret: 绝密" in text(pieces, Zone.PROPERTY)
    assert "zhang@example.com" in text(pieces, Zone.PROPERTY)
    assert "正文第一行" in text(pieces, Zone.BODY, ())
    assert "机密" in text(pieces, Zone.BODY, ())
    assert "docx 正文" in text(pieces, Zone.BODY, ("附件一.docx",))
    assert text(pieces, Zone.BODY, ("a.zip", "in.txt")) == "zip 里"
    assert "附件一.docx" in text(pieces, Zone.FILENAME)
    assert not unread(pieces)
    assert [part.text.strip() for part in parts(pieces) if part.start and part.trail == ()] == ["正文第一行", "HTML机密"]


@pytest.mark.parametrize("charset", ["gb18030", "gb2312", "big5", "utf-8", "utf-16"])
def test_a_body_is_read_in_its_charset(charset: str) -> None:
    assert "人民政府公文" in text(read(a_mail(body="人民政府公文\r\n", charset=charset), media=MAIL), Zone.BODY)


def test_a_body_whose_charset_lies_is_read_all_the_same() -> None:
    data = b"Subject: x\r\nContent-Type: text/plain; charset=us-ascii\r\n\r\n" + "这是机密文件，不得外传".encode("gb18030")
    assert "机密文件" in text(read(data, media=MAIL), Zone.BODY)


def test_a_raw_eight_bit_subject_is_read() -> None:
    assert "机密文件" in text(
        read(b"Subject: " + "关于机密文件的通知".encode("gb18030") + b"\r\n\r\nx", media=MAIL), Zone.SUBJECT
    )


def test_a_character_cut_between_two_encoded_words_is_read() -> None:
    raw = "机密".encode()
    first, second = (base64.b64encode(piece).decode() for piece in (raw[:4], raw[4:]))
    data = f"Subject: =?utf-8?B?{first}?=\r\n =?utf-8?B?{second}?=\r\n\r\n".encode()
    assert text(read(data, media=MAIL), Zone.SUBJECT) == "机密"


@pytest.mark.parametrize(
    "disposition",
    [
        "attachment; filename*=utf-8''%E6%9C%BA%E5%AF%86.txt",
        "attachment; filename*0*=gb18030''%BB%FA; filename*1*=%C3%DC.txt",
        'attachment; filename="=?utf-8?B?5py65a+GLnR4dA==?="',
        "attachment; filename==?utf-8?B?5py65a+GLnR4dA==?=",
    ],
)
def test_names_of_attachments_are_decoded(disposition: str) -> None:
    data = f"Subject: x\r\nContent-Type: application/octet-stream\r\nContent-Disposition: {disposition}\r\n\r\nhello".encode()
    assert text(read(data, media=MAIL), Zone.FILENAME) == "机密.txt"


def test_a_message_inside_a_message_is_read() -> None:
    inner = a_mail(subject="里面", body="内层正文\r\n")
    pieces = read(a_mail(attachments=[("m.eml", "message/rfc822", inner)]), media=MAIL)
    assert text(pieces, Zone.SUBJECT, ("m.eml",)) == "里面"
    assert "内层正文" in text(pieces, Zone.BODY, ("m.eml",))


def test_what_stands_around_the_parts_is_read() -> None:
    data = a_mail(attachments=[("a.txt", "text/plain", b"x")]).replace(b"\r\n\r\n--=_dlp", b"\r\n\r\nPREAMBLE\r\n--=_dlp", 1)
    pieces = read(data + b"EPILOGUE", media=MAIL)
    assert "PREAMBLE" in text(pieces, Zone.HIDDEN)
    assert "EPILOGUE" in text(pieces, Zone.HIDDEN)


def test_parts_after_the_closing_delimiter_are_read() -> None:
    data = a_mail(attachments=[("a.txt", "text/plain", b"x")])
    late = b"--=_dlp\r\nContent-Type: text/plain\r\nContent-Transfer-Encoding: base64\r\n\r\n" + base64.b64encode(b"LATE PART")
    assert "LATE PART" in text(read(data + late, media=MAIL))


def test_base64_with_padding_in_its_middle_is_read_to_its_end() -> None:
    data = b"Subject: x\r\nContent-Transfer-Encoding: base64\r\n\r\n" + base64.b64encode(b"a") + base64.b64encode(b" SECOND")
    assert "SECOND" in text(read(data, media=MAIL), Zone.BODY)


def test_what_is_uuencoded_in_a_body_is_a_document_inside() -> None:
    data = b"Subject: x\r\n\r\nhi\r\nbegin 644 s.txt\r\n+4T5#4D54(%1%6%0 \r\n`\r\nend\r\n"
    assert text(read(data, media=MAIL), Zone.BODY, ("s.txt",)) == "SECRET TEXT"


def test_text_that_is_something_else_is_judged_by_its_content() -> None:
    data = b"Subject: x\r\nContent-Type: text/plain\r\nContent-Transfer-Encoding: base64\r\n\r\n" + base64.b64encode(
        a_docx(["藏在里面"])
    )
    assert "藏在里面" in text(read(data, media=MAIL), Zone.BODY)


@pytest.mark.parametrize(
    "header",
    [
        b'Content-Type: multipart/encrypted; boundary="b"\r\n\r\n--b\r\n\r\nx\r\n--b--',
        b'Content-Type: application/pkcs7-mime; smime-type=enveloped-data; name="smime.p7m"\r\n\r\nx',
        b"Content-Type: text/plain\r\n\r\n-----BEGIN PGP MESSAGE-----\r\n\r\nhQEM\r\n-----END PGP MESSAGE-----",
    ],
)
def test_encryption_is_told(header: bytes) -> None:
    assert Why.ENCRYPTED in [why for why, _ in unread(read(b"Subject: x\r\n" + header, media=MAIL))]


def test_two_thousand_levels_are_bounded_and_told() -> None:
    data = b"Subject: x\r\n"
    for level in range(2_000):
        data += b'Content-Type: multipart/mixed; boundary="b%d"\r\n\r\n--b%d\r\n' % (level, level)
    pieces = read(data + b"Content-Type: text/plain\r\n\r\nINNER TEXT", media=MAIL)
    assert Why.TOO_DEEP in [why for why, _ in unread(pieces)]
    assert "INNER TEXT" in text(pieces)


def test_two_thousand_messages_inside_each_other_are_bounded_and_told() -> None:
    pieces = read(b"Subject: x\r\nContent-Type: message/rfc822\r\n\r\n" * 2_000 + b"Subject: y\r\n\r\nINNER TEXT", media=MAIL)
    assert Why.TOO_DEEP in [why for why, _ in unread(pieces)]
    assert "INNER TEXT" in text(pieces)


def test_a_hundred_thousand_encoded_words_are_bounded() -> None:
    pieces = read(b"Subject: " + b"=?utf-8?B?5py6?= \r\n " * 100_000 + b"\r\n\r\nbody", media=MAIL)
    assert (Why.TOO_LARGE, ()) in unread(pieces)
    assert "机机机" in text(pieces, Zone.SUBJECT)


def test_too_many_parts_end_the_walk_and_are_told() -> None:
    data = b'Subject: x\r\nContent-Type: multipart/mixed; boundary="b"\r\n\r\n' + b"--b\r\n\r\nhello\r\n" * 12_000
    assert Why.TOO_MANY in [why for why, _ in unread(read(data, media=MAIL))]


def test_a_message_without_end_or_header_is_read() -> None:
    assert "just words" in text(read(b"just words, no header at all", media=MAIL))
    assert "body" in text(read(b"\r\nbody", media=MAIL), Zone.BODY)
