import base64
import binascii
import gzip
import quopri

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlp.extract.transfer import FILE, RUNS, Decoded, enclosed, transferred, unbase64

ALPHABET = b"!\"#$%&'()*+,-012345689@ABCDEFGHIJKLMNPQRSTUVXYZ[`abcdefhijklmpqr"


def binhexed(name: bytes, data: bytes, resource: bytes = b"") -> bytes:
    """BinHex 4.0 (RFC 1741, appendix A): the stream with its marks escaped, in lines of 64."""
    header = bytes((len(name),)) + name + b"\0TEXTttxt\0\0" + len(data).to_bytes(4, "big") + len(resource).to_bytes(4, "big")
    stream = (header + b"\0\0" + data + b"\0\0" + resource + b"\0\0").replace(b"\x90", b"\x90\0")
    to = bytes.maketrans(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/", ALPHABET)
    coded = base64.b64encode(stream).rstrip(b"=").translate(to)
    lines = b"\r\n".join(coded[at : at + 64] for at in range(0, len(coded), 64))
    return b"(This file must be converted with BinHex 4.0)\r\n\r\n:" + lines + b":\r\n"


def yencoded(name: bytes, data: bytes) -> bytes:
    """yEnc with lines of about 128 characters."""
    coded = [bytes(((byte + 42) % 256,)) for byte in data]
    coded = [b"=" + bytes(((char[0] + 64) % 256,)) if char in (b"\0", b"\r", b"\n", b"=") else char for char in coded]
    lines = b"\r\n".join(b"".join(coded[at : at + 128]) for at in range(0, len(coded), 128))
    return b"=ybegin line=128 size=%d name=%s\r\n%s\r\n=yend size=%d\r\n" % (len(data), name, lines, len(data))


def uuencoded(name: bytes, data: bytes) -> bytes:
    lines = b"".join(binascii.b2a_uu(data[at : at + 45]) for at in range(0, len(data), 45))
    return b"begin 644 %s\n%s`\nend\n" % (name, lines)


@given(data=st.binary(max_size=500))
def test_what_is_encoded_is_decoded(data: bytes) -> None:
    assert unbase64(base64.encodebytes(data)) == Decoded(data)
    assert transferred(quopri.encodestring(data), "quoted-printable").content == data
    if data:
        for encoded in (binhexed(b"a.txt", data), yencoded(b"a.txt", data), uuencoded(b"a.txt", data)):
            (found,) = enclosed(b"hello\r\n" + encoded + b"\r\nbye")
            assert found == ("a.txt", data, True)


@given(data=st.binary(max_size=200), cut=st.integers(0, 300), junk=st.binary(max_size=5))
def test_damaged_base_64_gives_what_is_left(data: bytes, cut: int, junk: bytes) -> None:
    encoded = base64.b64encode(data).rstrip(b"=")[:cut]
    foreign = bytes(char for char in junk if not chr(char).isalnum() and char not in b"+/=")
    content = unbase64(encoded[:7] + foreign + encoded[7:]).content
    assert content == data[: len(content)]
    assert len(content) >= len(encoded) * 3 // 4 - 1


def test_padding_in_the_middle_is_read_past_and_bounded() -> None:
    assert unbase64(b"YQ==IGI=\r\nIGM=") == Decoded(b"a b c")
    assert unbase64(b"YQ==" * RUNS) == Decoded(b"a" * (RUNS // 2), whole=False)
    assert unbase64(b"YQ==" * (RUNS // 4)) == Decoded(b"a" * (RUNS // 4))


def test_what_is_no_base_64_is_told() -> None:
    assert unbase64(b"\xff\xfe?!") == Decoded(b"", whole=False)
    assert unbase64(b" \r\n") == Decoded(b"")


@pytest.mark.parametrize("name", ["", "7bit", "8BIT", "binary", "x-unheard-of", "identity"])
def test_other_encodings_leave_the_body_as_it_is(name: str) -> None:
    assert transferred(b"body", name) == Decoded(b"body")


def test_gzip_in_base_64_is_bounded_and_its_damage_told() -> None:
    packed = gzip.compress(b"text" * 100, mtime=0)
    assert transferred(base64.b64encode(packed), "x-gzip64") == Decoded(b"text" * 100)
    assert not transferred(base64.b64encode(packed[:20]), "x-gzip64").whole
    assert not transferred(base64.b64encode(b"no gzip"), "x-gzip64").whole
    bomb = transferred(base64.b64encode(gzip.compress(bytes(FILE + 1), mtime=0)), "x-gzip64")
    assert (len(bomb.content), bomb.whole) == (FILE, False)


def test_the_resource_fork_of_binhex_is_read() -> None:
    (found,) = enclosed(binhexed(b"a", b"data", b"RESOURCE"))
    assert found.content == b"dataRESOURCE"


def test_run_lengths_of_binhex_are_expanded_and_bounded() -> None:
    stream = b"\1a\0TEXTttxt\0\0" + (6).to_bytes(4, "big") + bytes(4) + b"\0\0" + b"x\x90\5" + b"\x90\0" + b"\0\0" + b"\0\0"
    to = bytes.maketrans(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/", ALPHABET)
    begin = b"(This file must be converted with BinHex 4.0)\n:"
    (found,) = enclosed(begin + base64.b64encode(stream).rstrip(b"=").translate(to) + b":")
    assert found == ("a", b"xxxxx\x90", True)
    (found,) = enclosed(begin + base64.b64encode(b"x\x90\xff" * (FILE // 200)).translate(to) + b":")
    assert not found.whole


@pytest.mark.parametrize("end", ["`\nend\n", "end\n", "", "--not uuencode at all--\n"])
def test_uuencode_without_a_proper_end_is_read(end: str) -> None:
    text = uuencoded(b"s p.txt", b"SECRET TEXT").split(b"`")[0] + end.encode()
    (found,) = enclosed(text)
    assert found[:2] == ("s p.txt", b"SECRET TEXT")


def test_base_64_of_uuencode_is_read() -> None:
    (found,) = enclosed(b"begin-base64 644 a.txt\nU0VDUkVU\n====\n")
    assert found == ("a.txt", b"SECRET", True)


def test_several_files_are_found_in_their_order() -> None:
    text = uuencoded(b"a", b"1") + b"words\n" + yencoded(b"b", b"2") + binhexed(b"c", b"3") + uuencoded("机".encode(), b"4")
    assert [(found.name, found.content) for found in enclosed(text)] == [("a", b"1"), ("b", b"2"), ("c", b"3"), ("机", b"4")]
