import base64

import pytest

from dlp.model import Zone
from tests.extract.reading import read, text, unread
from tests.helpers.documents import a_docx, a_mail

CALENDAR = (
    "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nBEGIN:VEVENT\r\nSUMMARY:folded 机\r\n 密 line\r\n"
    'DESCRIPTION:first\\nsecond\\, with a comma\\; and more\r\nATTENDEE;CN="a:b;c":mailto:x@example.com\r\n{more}'
    "END:VEVENT\r\nEND:VCALENDAR\r\n"
)


def test_folded_lines_are_joined_and_escapes_undone() -> None:
    body = text(read(CALENDAR.format(more="").encode(), "a.ics"), Zone.BODY)
    assert "SUMMARY:folded 机密 line" in body
    assert "first\nsecond, with a comma; and more" in body


def test_a_character_cut_by_a_fold_is_whole() -> None:
    raw = "BEGIN:VCARD\r\nNOTE:机密".encode()
    assert "NOTE:机密" in text(read(raw[:-2] + b"\r\n " + raw[-2:] + b"\r\nEND:VCARD\r\n"), Zone.BODY)


@pytest.mark.parametrize("charset", ["utf-8", "gb18030"])
def test_quoted_printable_values_are_decoded(charset: str) -> None:
    coded = "".join(f"={byte:02X}" for byte in "机密文件".encode(charset))
    line = f"NOTE;CHARSET={charset};ENCODING=QUOTED-PRINTABLE:{coded[:12]}=\r\n{coded[12:]}\r\n"
    assert "机密文件" in text(read(f"BEGIN:VCARD\r\nVERSION:2.1\r\n{line}END:VCARD\r\n".encode()), Zone.BODY)


@pytest.mark.parametrize(
    "line",
    [
        "ATTACH;ENCODING=BASE64;VALUE=BINARY;X-FILENAME=a.docx:{}",
        "ATTACH;VALUE=BINARY;ENCODING=b:{}",
        "PHOTO;BASE64:{}",
        "PHOTO:data:image/png;base64,{}",
    ],
)
def test_what_is_attached_is_a_document(line: str) -> None:
    content = base64.b64encode(a_docx(["ATTACHED 正文"])).decode()
    folded = "\r\n ".join([line.format(content)[at : at + 70] for at in range(0, len(line.format(content)), 70)])
    assert "ATTACHED 正文" in text(read(CALENDAR.format(more=folded + "\r\n").encode()), Zone.BODY)


def test_an_invitation_in_a_message_is_read() -> None:
    data = a_mail().replace(b"text/plain; charset=utf-8", b"text/calendar; charset=utf-8; method=REQUEST")
    invited = data.replace(base64.encodebytes(b"Hello\r\n").strip(), base64.b64encode(CALENDAR.format(more="").encode()))
    pieces = read(invited, media="message/rfc822")
    assert "folded 机密 line" in text(pieces, Zone.BODY)
    assert not unread(pieces)


@pytest.mark.parametrize("charset", ["utf-8", "utf-8-sig", "gb18030", "utf-16", "utf-16-le"])
def test_a_card_in_any_charset_is_read(charset: str) -> None:
    card = "BEGIN:VCARD\r\nVERSION:2.1\r\nFN:这是机密文件的\r\n 负责人张三，请勿外传，违者必究\r\nEND:VCARD\r\n"
    assert "这是机密文件的负责人张三" in text(read(card.encode(charset), "a.vcf"), Zone.BODY)
