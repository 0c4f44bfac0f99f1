import base64
import gzip
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlp.extract.budget import Budget
from dlp.extract.document import Document
from dlp.extract.walk import walk
from dlp.model import Limits, Part, Unscannable, Why, Zone
from tests.extract.reading import parts, read, text, unread
from tests.helpers.archives import zip_crypto
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
    pieces = read(data, media=MAIL)
    assert Why.TOO_MANY in [why for why, _ in unread(pieces)]
    assert len([part for part in parts(pieces) if part.text == "hello"]) > 9_000


def test_a_message_without_end_or_header_is_read() -> None:
    assert "just words" in text(read(b"just words, no header at all", media=MAIL))
    assert "body" in text(read(b"\r\nbody", media=MAIL), Zone.BODY)


@pytest.mark.parametrize("charset", ["gb18030", "big5", "utf-8"])
def test_raw_eight_bit_names_and_fields_are_read(charset: str) -> None:
    shown = "机密文件名单" if charset != "big5" else "機密文件名單"
    disposition = b'Content-Disposition: attachment; filename="' + shown.encode(charset) + b'.txt"'
    pieces = read(b"Subject: x\r\nX-Note: " + shown.encode(charset) + b"\r\n" + disposition + b"\r\n\r\ny", media=MAIL)
    assert text(pieces, Zone.FILENAME) == f"{shown}.txt"
    assert f"x-note: {shown}" in text(pieces, Zone.PROPERTY)


def test_a_raw_field_is_read_in_the_charset_of_the_message() -> None:
    data = b"Subject: " + "密".encode("gb18030") + b"\r\nContent-Type: text/plain; charset=gb2312\r\n\r\nx"
    assert text(read(data, media=MAIL), Zone.SUBJECT) == "密"


@pytest.mark.parametrize(
    ("charset", "shown"),
    [
        ("iso-8859-1", "这是机密文件，不得外传"),
        ("windows-1252", "这是机密文件，不得外传"),
        ("x-nothing", "这是机密文件，不得外传"),
    ],
)
def test_a_western_charset_that_is_none_is_not_believed(charset: str, shown: str) -> None:
    data = b"Subject: x\r\nContent-Type: text/plain; charset=" + charset.encode() + b"\r\n\r\n" + shown.encode("gb18030")
    assert shown in text(read(data, media=MAIL), Zone.BODY)


@pytest.mark.parametrize("media", ["text/plain", "text/html"])
def test_utf_8_declared_as_another_charset_is_read(media: str) -> None:
    data = f"Subject: x\r\nContent-Type: {media}; charset=gb2312\r\n\r\n<p>这是机密文件，不得外传".encode()
    assert "这是机密文件" in text(read(data, media=MAIL), Zone.BODY)


def test_what_may_be_two_charsets_is_read_in_both() -> None:
    raw = "模模".encode("gb18030")  # which is valid UTF-8, too
    data = b"Subject: x\r\nContent-Type: text/plain; charset=gb2312\r\n\r\n" + raw
    body = text(read(data, media=MAIL), Zone.BODY)
    assert "模模" in body
    assert raw.decode() in body


@pytest.mark.parametrize(
    ("fields", "names"),
    [
        ("Content-Disposition: attachment; filename=plain.txt; filename*=utf-8''%E6%9C%BA.txt", {"机.txt", "plain.txt"}),
        (
            "Content-Type: a/b; name=typed.txt\r\nContent-Disposition: attachment; filename=disposed.txt",
            {"typed.txt", "disposed.txt"},
        ),
        ("Content-Disposition: attachment; filename=first.txt; filename=second.txt", {"first.txt", "second.txt"}),
        ("Content-Type: a/b\r\nContent-Location: file:///C:/pages/%7Ex/place.gif?q", {"place.gif"}),
    ],
)
def test_every_name_of_an_attachment_is_read(fields: str, names: set[str]) -> None:
    found = text(read(f"Subject: x\r\n{fields}\r\n\r\nhello".encode(), media=MAIL), Zone.FILENAME)
    assert set(found.split()) == names


def test_an_empty_attachment_has_a_name() -> None:
    data = b"Subject: x\r\nContent-Disposition: attachment; filename=telling.txt\r\n\r\n"
    assert text(read(data, media=MAIL), Zone.FILENAME) == "telling.txt"


SECRET = base64.b64encode(b"SECRET TEXT")


@pytest.mark.parametrize(
    "message",
    [
        # The boundary is not the one that is declared, or none is, or it is declared in a second field, or late.
        b'Content-Type: multipart/mixed; boundary="other"\r\n\r\n--b\r\nContent-Transfer-Encoding: base64\r\n\r\n%s\r\n--b--',
        b"Content-Type: multipart/mixed\r\n\r\n--b\r\nContent-Transfer-Encoding: base64\r\n\r\n%s\r\n--b--",
        b"Content-Type: multipart\r\n\r\n--b\r\nContent-Transfer-Encoding: base64\r\n\r\n%s\r\n--b--",
        b"Content-Type: text/plain\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"
        b"--b\r\nContent-Transfer-Encoding: base64\r\n\r\n%s",
        b"X: y\r\n\r\nforwarded:\r\n--b\r\nContent-Type: text/plain\r\nContent-Transfer-Encoding: base64\r\n\r\n%s\r\n--b--",
        # Delimiters with white space after them, or whose beginning is that of another.
        b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b  \t\r\nContent-Transfer-Encoding: base64\r\n\r\n%s\r\n--b--  ",
        b"Content-Type: multipart/mixed; boundary=bb\r\n\r\n--bb\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"
        b"--b\r\nContent-Transfer-Encoding: base64\r\n\r\n%s\r\n--b--\r\n--bb--",
        b'Content-Type: multipart/mixed; boundary="b "\r\n\r\n--b\r\nContent-Transfer-Encoding: base64\r\n\r\n%s\r\n--b--',
        # Line ends of LF and CR only; no empty line after a header that has no body.
        b"Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Transfer-Encoding: base64\n\n%s\n--b--",
        b"Content-Type: multipart/mixed; boundary=b\r\r--b\rContent-Transfer-Encoding: base64\r\r%s\r--b--",
        # Encodings: two that differ, one misspelt, one for the whole multipart, none although it is one.
        b"Content-Transfer-Encoding: 7bit\r\nContent-Transfer-Encoding: base64\r\n\r\n%s",
        b'Content-Transfer-Encoding: "Base-64"\r\n\r\n%s',
        b"Content-Transfer-Encoding: base64\r\n\r\n<!%s>",
        b"Content-Type: text/plain;\r\n charset=utf-8 name=x\r\nContent-Transfer-Encoding: base64\r\n\r\n%s",
    ],
)
def test_tricks_with_the_structure_hide_nothing(message: bytes) -> None:
    assert "SECRET TEXT" in text(read(b"Subject: x\r\n" + message % SECRET, media=MAIL))


def test_a_multipart_body_that_is_encoded_as_a_whole_is_read() -> None:
    body = base64.b64encode(b"--b\r\nContent-Type: text/plain\r\n\r\nSECRET TEXT\r\n--b--")
    data = b"Subject: x\r\nContent-Type: multipart/mixed; boundary=b\r\nContent-Transfer-Encoding: base64\r\n\r\n" + body
    assert "SECRET TEXT" in text(read(data, media=MAIL), Zone.BODY)


def test_an_attachment_whose_encoding_is_not_named_is_read() -> None:
    content = base64.encodebytes(a_docx(["藏在里面"]))
    data = b"Subject: x\r\nContent-Disposition: attachment; filename=a.docx\r\n\r\n" + content
    assert "藏在里面" in text(read(data, media=MAIL), Zone.BODY)


@pytest.mark.parametrize("declared", ["message/rfc822", "text/html", "text/rfc822-headers", "image/png"])
def test_what_is_declared_as_something_else_is_judged_by_its_content(declared: str) -> None:
    data = f"Subject: x\r\nContent-Type: {declared}\r\nContent-Transfer-Encoding: base64\r\n\r\n".encode()
    assert "藏在里面" in text(read(data + base64.b64encode(a_docx(["藏在里面"])), media=MAIL), Zone.BODY)


def test_a_page_declared_as_text_is_read_as_a_page() -> None:
    data = b"Subject: x\r\nContent-Type: text/plain\r\n\r\n<html><body>SEC<b>RET</b></body></html>"
    assert "SECRET" in text(read(data, media=MAIL), Zone.BODY)


def test_text_with_control_characters_is_text() -> None:
    pieces = read("Subject: x\r\nContent-Type: text/plain\r\n\r\n\0\x01机密 text".encode(), media=MAIL)
    assert "机密 text" in text(pieces, Zone.BODY)
    assert not unread(pieces)


def test_a_file_after_the_last_delimiter_is_a_document() -> None:
    data = a_mail(attachments=[("a.txt", "text/plain", b"x")]) + a_zip({"in.txt": "SMUGGLED"})
    assert "SMUGGLED" in text(read(data, media=MAIL), Zone.BODY)


def test_a_large_text_is_read_in_pieces() -> None:
    body = "机密 line of a long text\n".encode("gb18030") * 400_000 + b"THE END"
    pieces = read(b"Subject: x\r\nContent-Type: text/plain; charset=gb2312\r\n\r\n" + body, media=MAIL)
    found = parts(pieces)
    assert "机密" in found[0].text
    assert "THE END" in found[-1].text
    assert not unread(pieces)


def test_flowed_lines_are_joined() -> None:
    body = "the account is 6222 8356 \r\n> 5507 8533\r\nfixed\r\n-- \r\nname\r\n"
    data = f"Subject: x\r\nContent-Type: text/plain; format=flowed\r\n\r\n{body}".encode()
    assert "6222 8356 5507 8533\r\nfixed\r\n-- \r\nname" in text(read(data, media=MAIL), Zone.BODY)
    spaced = data.replace(b"flowed", b"flowed; DelSp=yes")
    assert "6222 83565507 8533" in text(read(spaced, media=MAIL), Zone.BODY)


def test_a_report_is_read_with_the_header_it_returns() -> None:
    subject = b"Subject: =?utf-8?B?5py65a+G?="
    data = (
        b"Subject: bounced\r\nContent-Type: multipart/report; boundary=b\r\n\r\n--b\r\n\r\nYour " + subject + b"\r\n"
        b"--b\r\nContent-Type: message/delivery-status\r\n\r\nDiagnostic-Code: smtp; REFUSED\r\n"
        b"--b\r\nContent-Type: text/rfc822-headers\r\n\r\n" + subject + b"\r\nX-A: RETURNED\r\n--b--"
    )
    pieces = read(data, media=MAIL)
    assert "REFUSED" in text(pieces, Zone.BODY)
    assert "x-a: RETURNED" in text(pieces, Zone.PROPERTY)
    assert text(pieces, Zone.SUBJECT, ("text 4",)) == "机密"
    assert "Subject: 机密" in text(pieces, Zone.HIDDEN) or "机密" in text(pieces, Zone.HIDDEN)
    assert not unread(pieces)


def test_a_digest_holds_messages() -> None:
    data = b"Subject: x\r\nContent-Type: multipart/digest; boundary=b\r\n\r\n--b\r\n\r\nSubject: inner\r\n\r\nDIGESTED\r\n--b--"
    pieces = read(data, media=MAIL)
    assert "inner" in text(pieces, Zone.SUBJECT)
    assert "DIGESTED" in text(pieces, Zone.BODY)


def test_a_part_of_a_message_is_told_and_its_beginning_read() -> None:
    kind = 'message/partial; id="a"; number=1; total=2'
    pieces = read(f"Subject: x\r\nContent-Type: {kind}\r\n\r\nSubject: whole\r\n\r\nFIRST HALF".encode(), media=MAIL)
    assert Why.UNSUPPORTED in [why for why, _ in unread(pieces)]
    assert "FIRST HALF" in text(pieces, Zone.BODY)
    assert "whole" in text(pieces, Zone.SUBJECT)


@pytest.mark.parametrize("name", ["page.mht", "page.doc"])
def test_a_web_archive_is_read_whatever_it_is_called(name: str) -> None:
    data = (
        b'MIME-Version: 1.0\r\nContent-Type: multipart/related; boundary="b"\r\n\r\n'
        b"--b\r\nContent-Location: file:///C:/x/page.htm\r\nContent-Transfer-Encoding: quoted-printable\r\n"
        b'Content-Type: text/html; charset="gb2312"\r\n\r\n<p>=BB=FA<b>=C3=DC</b></p>=\r\n\r\n'
        b"--b\r\nContent-Location: file:///C:/x/data.xml\r\nContent-Type: text/xml\r\n\r\n<a>RELATED</a>\r\n--b--\r\n"
    )
    pieces = read(data, name)
    assert "机密" in text(pieces, Zone.BODY, ())
    assert "RELATED" in text(pieces, Zone.BODY, ("data.xml",))
    assert not unread(pieces)


def test_a_compressed_encoding_is_undone() -> None:
    data = b"Subject: x\r\nContent-Transfer-Encoding: x-gzip64\r\n\r\n" + base64.b64encode(gzip.compress(b"ZIPPED TEXT", mtime=0))
    assert "ZIPPED TEXT" in text(read(data, media=MAIL), Zone.BODY)


def test_an_archive_is_opened_with_the_password_that_stands_after_it() -> None:
    attached = base64.encodebytes(zip_crypto({"in.txt": "机密 in the archive"}, "Xk9#2024"))
    data = (
        b"Subject: x\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"
        b"--b\r\nContent-Type: application/zip; name=a.zip\r\nContent-Transfer-Encoding: base64\r\n\r\n" + attached + b"\r\n"
        b"--b\r\nContent-Type: text/plain; charset=gb2312\r\n\r\n"
        + "附件的解压密码是Xk9#2024，请查收".encode("gb18030")
        + b"\r\n--b--"
    )
    pieces = read(data, media=MAIL)
    assert "机密 in the archive" in text(pieces, Zone.BODY)
    assert not unread(pieces)
    assert "Xk9#2024" not in "".join(step for piece in pieces for step in piece.trail)


def test_a_password_in_the_name_of_an_attachment_is_known() -> None:
    budget = Budget(Limits())
    list(walk(Document(data=a_mail(attachments=[("资料 密码Xk92.zip", "a/b", b"x")]), media=MAIL), budget))
    assert "Xk92" in budget.passwords.learned


@pytest.mark.parametrize("before", ["", "\r\n\r\n", "\ufeff", " \n"])
def test_what_stands_before_the_header_hides_nothing(before: str) -> None:
    data = before.encode() + b"Subject: x\r\nContent-Transfer-Encoding: base64\r\n\r\nU0VDUkVU"
    assert "SECRET" in text(read(data, "a.eml"), Zone.BODY)


def test_a_multipart_body_alone_is_a_message() -> None:
    data = b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Transfer-Encoding: base64\r\n\r\nU0VDUkVU\r\n--b--"
    assert "SECRET" in text(read(data, "a.dat"), Zone.BODY)


def test_a_raw_field_is_read_in_the_charset_that_a_part_names() -> None:
    header = b"Subject: " + "密".encode("gb18030") + b"\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"
    data = header + b"--b\r\nContent-Type: text/plain; charset=gb2312\r\n\r\nx\r\n--b--"
    assert text(read(data, media=MAIL), Zone.SUBJECT) == "密"


def test_the_name_of_a_text_that_is_shown_is_read() -> None:
    pieces = read(b"Subject: x\r\nContent-Type: text/plain; name*=gbk''%BB%FA%C3%DC.txt\r\n\r\nbody", media=MAIL)
    assert "机密.txt" in text(pieces, Zone.FILENAME)
    assert "body" in text(pieces, Zone.BODY, ())


@pytest.mark.parametrize("body", ["解压密码：Xk9#2024\r\n", ""])
def test_a_password_in_the_text_is_known_before_the_attachment(body: str) -> None:
    budget = Budget(Limits())
    html = "" if body else "<p>密码&#xff1a;<b>Xk9#2024</b></p>"
    data = a_mail(body=body or "see below", html=html, attachments=[("a.txt", "text/plain", b"x")])
    pieces = walk(Document(data=data, media=MAIL), budget)
    next(piece for piece in pieces if isinstance(piece, Part))
    assert "Xk9#2024" in budget.passwords.learned


def test_a_password_after_the_attachment_opens_it_all_the_same() -> None:
    data = (
        b"Subject: x\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"
        b"--b\r\nContent-Disposition: attachment; filename=a.bin\r\n\r\nx\r\n--b\r\n\r\npassword: Xk9#2024\r\n--b--"
    )
    budget = Budget(Limits())
    for piece in walk(Document(data=data, media=MAIL), budget):
        if isinstance(piece, Part) and piece.zone is Zone.FILENAME:
            assert budget.passwords.candidates[0] == "Xk9#2024"
            return
    raise AssertionError("the attachment was not read")


def test_a_hundred_thousand_fields_are_bounded_and_told() -> None:
    pieces = read(b"a: b\r\n" * 100_000 + b"z: LAST\r\n\r\nBODY", media=MAIL)
    assert Why.TOO_MANY in [why for why, _ in unread(pieces)]
    assert "LAST" in text(pieces)
    assert "BODY" in text(pieces, Zone.BODY)


@given(
    lines=st.lists(
        st.sampled_from(
            [
                "Content-Type: multipart/mixed; boundary=b",
                'Content-Type: multipart/mixed; boundary="bb',
                "Content-Type: message/rfc822",
                "Content-Type: text/html; charset=utf-16",
                "Content-Transfer-Encoding: base64",
                "Content-Disposition: attachment; filename*0*=x''%; filename*1=",
                "Subject: =?utf-8?B?====?= =?x?q?=ZZ?=",
                "",
                "--b",
                "--b--",
                "--bb",
                "begin 644 a",
                "=ybegin name=",
                "(This file must be converted with BinHex 4.0)",
                "-----BEGIN PGP MESSAGE-----",
                "c2VjcmV0",
                " folded",
            ]
        ),
        max_size=30,
    ),
    end=st.sampled_from(["\r\n", "\n", "\r"]),
)
def test_any_structure_is_read_without_a_crash(lines: list[str], end: str) -> None:
    pieces = read(("Subject: x" + end + end.join(lines)).encode(), media=MAIL, limits=Limits(members=200))
    assert Why.CRASHED not in [why for why, _ in unread(pieces)]


UNREAD = {Why.UNSUPPORTED, Why.ENCRYPTED, Why.CORRUPT}
"""What real messages may hold: attachments in formats nobody knows, or damaged ones."""


@pytest.mark.corpus
def test_messages_of_other_projects_are_read(corpus: Path) -> None:
    found = sorted((corpus / "mail").iterdir())
    assert len(found) > 150
    for path in found:
        pieces = read(path.read_bytes(), media=MAIL)
        problems = [piece for piece in pieces if isinstance(piece, Unscannable)]
        assert {piece.why for piece in problems} <= UNREAD, path.name
        # The message itself is always read; what is not is attached to it, or is a part of a message.
        assert all(piece.trail or piece.detail == "message/partial" for piece in problems), path.name
        assert text(pieces), path.name


@pytest.mark.corpus
def test_chinese_messages_are_read_in_every_charset(corpus: Path) -> None:
    found = sorted((corpus / "synth" / "zhmail").glob("*.eml"))
    assert found
    for path in found:
        pieces = read(path.read_bytes(), path.name)
        assert re.search("身[份分][证證][号號]：", text(pieces, Zone.BODY, ())), path.name
        assert any(part.text == "附件.docx" for part in parts(pieces, Zone.FILENAME)), path.name
        assert not any(piece.trail == () for piece in pieces if isinstance(piece, Unscannable)), path.name
