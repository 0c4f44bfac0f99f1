import bz2
import zlib

import pytest

from dlp.model import Why, Zone
from tests.extract.reading import read, text, unread
from tests.helpers.documents import a_docx, a_mail
from tests.helpers.mail import a_compressed, a_literal, a_packet, armoured

ONE_PASS = b"\x90\x0d\x03\x00\x0a\x01" + bytes(8) + b"\x01"
DEFLATE = zlib.compressobj(wbits=-15)
RAW = DEFLATE.compress(a_literal(b"SECRET")) + DEFLATE.flush()


@pytest.mark.parametrize(
    "packets",
    [
        a_literal(b"SECRET"),
        a_compressed(ONE_PASS + a_literal(b"SECRET") + a_packet(2, b"signature")),
        a_packet(8, b"\1" + RAW),
        a_packet(8, b"\3" + bz2.compress(a_literal(b"SECRET"))),
        a_packet(8, b"\0" + a_literal(b"SECRET")),
        b"\xcb\xe1b\0\xe2\0\0\0\0\x06SECRET",  # bodies of 2 and 4 bytes, then the rest (RFC 9580, 4.2.1.4)
        b"\xa3\2" + zlib.compress(b"\xac\x0cb\0\0\0\0\0SECRET"),
    ],
)
def test_what_is_not_encrypted_is_read(packets: bytes) -> None:
    pieces = read(armoured(packets))
    assert "SECRET" in text(pieces, Zone.BODY)
    assert not unread(pieces)


def test_a_literal_file_has_its_name() -> None:
    pieces = read(armoured(a_literal(a_docx(["IN THE FILE"]), name="机密.docx")))
    assert "IN THE FILE" in text(pieces, Zone.BODY, ("机密.docx",))


def test_a_signed_entity_is_read_as_one() -> None:
    entity = b"Content-Type: text/plain\r\nContent-Transfer-Encoding: base64\r\n\r\nU0VDUkVU"
    assert "SECRET" in text(read(armoured(a_literal(entity))), Zone.BODY)


def test_a_binary_message_is_known_by_its_packets() -> None:
    assert "SECRET" in text(read(ONE_PASS + a_literal(b"SECRET"), "a.gpg"), Zone.BODY, ("content",))


@pytest.mark.parametrize(
    "packets",
    [
        b"\x85\x01\x0c\x03" + bytes(8) + b"\x01" + bytes(258) + a_packet(18, b"\1" + bytes(50)),
        b"\x8c\x0d\x04\x09\x03\x02" + bytes(9) + a_packet(18, b"\1" + bytes(50)),
        b"\xc1\xc0\x4c\x03" + bytes(8) + b"\x01" + bytes(258) + a_packet(20, bytes(50)),
    ],
)
def test_what_is_encrypted_is_told(packets: bytes) -> None:
    assert (Why.ENCRYPTED, ()) in unread(read(packets, "a.gpg"))
    assert (Why.ENCRYPTED, ()) in unread(read(armoured(packets), "a.asc"))
    mail = a_mail(body="see below\r\n" + armoured(packets).decode() + "bye\r\n")
    assert Why.ENCRYPTED in [why for why, _ in unread(read(mail, media="message/rfc822"))]


def test_a_clear_signed_text_is_read() -> None:
    signed = "-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA256\n\n机密\n-----BEGIN PGP SIGNATURE-----\n\niQ==\n"
    pieces = read(a_mail(body=signed), media="message/rfc822")
    assert "机密" in text(pieces, Zone.BODY, ())
    assert not unread(pieces)


def test_layers_and_expansion_are_bounded_and_told() -> None:
    data = a_literal(b"SECRET")
    for _ in range(20):
        data = a_compressed(data)
    assert Why.TOO_DEEP in [why for why, _ in unread(read(armoured(data)))]
    assert Why.TOO_LARGE in [why for why, _ in unread(read(armoured(a_compressed(bytes(65 << 20)))))]


@pytest.mark.parametrize(
    "data", [armoured(b""), armoured(b"text"), armoured(a_packet(8, b"\2damaged")), armoured(a_packet(8, b"\x09x"))]
)
def test_damage_is_told(data: bytes) -> None:
    assert [why for why, _ in unread(read(data)) if why in (Why.CORRUPT, Why.UNSUPPORTED)]
