import base64
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlp.extract.sniff import CMS
from dlp.model import Why, Zone
from tests.extract.reading import read, text, unread
from tests.helpers.documents import a_docx, a_mail
from tests.helpers.mail import COMPRESSED, DATA, ENVELOPED, SIGNED, a_cms, der

MAIL = "message/rfc822"
ENTITY = b"Content-Type: text/plain; charset=gb18030\r\n\r\n" + "机密文件".encode("gb18030")


@pytest.mark.parametrize("chunks", [0, 1, 7, 1_000])
def test_what_is_signed_is_read_as_an_entity(chunks: int) -> None:
    pieces = read(a_cms(ENTITY, chunks=chunks, names=["Signer 张三"]), "smime.p7m")
    assert "机密文件" in text(pieces, Zone.BODY, ("signed content",))
    assert "Signer 张三" in text(pieces, Zone.PROPERTY, ())
    assert not unread(pieces)


def test_a_signed_file_is_read_under_its_name() -> None:
    pieces = read(a_cms(a_docx(["IN THE FILE"])), "contract.docx.p7m")
    assert "IN THE FILE" in text(pieces, Zone.BODY, ("contract.docx",))


def test_it_is_found_in_a_message_under_any_name() -> None:
    signed = a_cms(a_mail(subject="里面", attachments=[("a.docx", "a/b", a_docx(["ATTACHED"]))]))
    for name, media in (("smime.p7m", "application/pkcs7-mime"), ("a.bin", "application/octet-stream")):
        pieces = read(a_mail(attachments=[(name, media, signed)]), media=MAIL)
        assert "里面" in text(pieces, Zone.SUBJECT)
        assert "ATTACHED" in text(pieces, Zone.BODY)
        assert not unread(pieces)


def test_a_detached_signature_gives_its_names() -> None:
    pieces = read(a_cms(None, names=["Signer"]), "smime.p7s")
    assert "Signer" in text(pieces, Zone.PROPERTY)
    assert not unread(pieces)


def test_what_is_compressed_is_read() -> None:
    assert "机密文件" in text(read(a_cms(zlib.compress(ENTITY), kind=COMPRESSED)), Zone.BODY)


def test_plain_data_is_read() -> None:
    data = der(0x30, der(0x06, DATA) + der(0xA0, der(0x04, ENTITY)))
    assert "机密文件" in text(read(data), Zone.BODY)


def test_what_is_encrypted_is_told() -> None:
    data = der(0x30, der(0x06, ENVELOPED) + der(0xA0, der(0x30, b"\2\1\0" + bytes(50))))
    assert unread(read(data, "smime.p7m")) == [(Why.ENCRYPTED, ())]
    declared = b"Subject: x\r\nContent-Type: application/pkcs7-mime; smime-type=enveloped-data; name=smime.p7m\r\n"
    body = declared + b"Content-Transfer-Encoding: base64\r\n\r\n" + base64.b64encode(data)
    assert unread(read(body, media=MAIL)) == [(Why.ENCRYPTED, ("smime.p7m",))]


@pytest.mark.parametrize("label", [b"PKCS7", b"CMS"])
def test_armour_is_taken_off(label: bytes) -> None:
    armoured = b"-----BEGIN %s-----\n%s-----END %s-----\n" % (label, base64.encodebytes(a_cms(ENTITY)), label)
    assert "机密文件" in text(read(armoured), Zone.BODY)


@pytest.mark.parametrize("kept", [16, 30, 45, 60, 80, 100])
@pytest.mark.parametrize("chunks", [0, 5])
def test_a_cut_structure_is_told_or_gives_its_beginning(kept: int, chunks: int) -> None:
    data = a_cms(b"Content-Type: text/plain\r\n\r\n" + b"SECRET " * 20, chunks=chunks)
    pieces = read(data[:kept], "smime.p7m")
    assert unread(pieces) or "SECRET" in text(pieces)
    assert Why.CRASHED not in [why for why, _ in unread(pieces)]


def test_damaged_compression_is_told() -> None:
    assert (Why.CORRUPT, ()) in unread(read(a_cms(b"no zlib", kind=COMPRESSED)))


@given(content=st.binary(max_size=300))
def test_any_structure_is_read_without_a_crash(content: bytes) -> None:
    for kind in (SIGNED, COMPRESSED, DATA):
        data = b"\x30\x80\x06" + bytes((len(kind),)) + kind + b"\xa0\x80" + content
        assert Why.CRASHED not in [why for why, _ in unread(read(data, media=CMS))]
