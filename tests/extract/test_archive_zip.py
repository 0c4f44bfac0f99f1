"""ZIP: its methods, names, encryption, and what stands where no member is."""

import lzma
import struct
import zlib

import pytest

from dlp.extract.budget import Budget
from dlp.extract.document import Document
from dlp.extract.passwords import OPENED
from dlp.extract.walk import Piece, walk
from dlp.model import Limits, Why, Zone
from tests.extract.reading import random_bytes, read, text, unread
from tests.helpers.archives import commented_zip, filtered, with_methods, zip_aes, zip_crypto
from tests.helpers.documents import a_tar, a_zip


def tried(data: bytes, *passwords: str, name: str = "a.zip") -> list[Piece]:
    """Everything that the walk yields where these passwords are known."""
    return list(walk(Document(data=memoryview(data), name=name), Budget(Limits(), passwords=passwords)))


@pytest.mark.parametrize(
    "pack", [zip_crypto, lambda m, p: zip_aes(m, p, strength=1), zip_aes], ids=["zipcrypto", "aes-128", "aes-256"]
)
def test_a_known_password_opens(pack) -> None:  # type: ignore[no-untyped-def]
    data = pack({"a.txt": "SECRET ONE 机密", "b.bin": random_bytes(200_000), "c.txt": "SECRET TWO"}, "Q3-2024!机密")
    pieces = tried(data, "wrong", "Wrong-2", "Q3-2024!机密")
    assert "SECRET ONE 机密" in text(pieces, Zone.BODY, (OPENED, "a.txt"))
    assert "SECRET TWO" in text(pieces, Zone.BODY, (OPENED, "c.txt"))
    assert (Why.ENCRYPTED, ("a.txt",)) not in unread(pieces)
    assert "Q3-2024!" not in repr(pieces)


@pytest.mark.parametrize("pack", [zip_crypto, zip_aes])
def test_without_the_password_every_member_is_told(pack) -> None:  # type: ignore[no-untyped-def]
    pieces = tried(pack({"a.txt": "SECRET", "b.txt": "OTHER1"}, "right"), *(f"wrong{i}" for i in range(600)))
    assert unread(pieces) == [(Why.ENCRYPTED, ("a.txt",)), (Why.ENCRYPTED, ("b.txt",))]
    assert "SECRET" not in text(pieces)


def test_a_changed_byte_of_an_encrypted_member_is_never_clean() -> None:
    data = bytearray(zip_aes({"a.txt": "SECRET " * 50}, "right"))
    data[80] ^= 1
    assert unread(tried(bytes(data), "right"))


def test_methods_of_zipx() -> None:
    plain = "SECRET 机密文件 ".encode() * 20
    raw = lzma.compress(
        plain, lzma.FORMAT_RAW, filters=[{"id": lzma.FILTER_LZMA1, "dict_size": 1 << 16, "lc": 3, "lp": 0, "pb": 2}]
    )
    data = with_methods(
        {
            "xz.txt": (95, lzma.compress(plain), plain),
            "lzma.txt": (14, struct.pack("<BBHBL", 9, 20, 5, 93, 1 << 16) + raw, plain),
            "zstd.txt": (93, filtered("zstd", plain + b"!"), plain + b"!"),
        }
    )
    pieces = read(data)
    assert "机密文件" in text(pieces, Zone.BODY, ("xz.txt",))
    assert "机密文件" in text(read(with_methods({"lzma.txt": (14, struct.pack("<BBHBL", 9, 20, 5, 93, 1 << 16) + raw, plain)})))
    assert "!" in text(pieces, Zone.BODY, ("zstd.txt", "content"))
    assert not unread(pieces)


def test_a_method_that_is_not_read_is_told_by_its_member() -> None:
    pieces = read(with_methods({"old.txt": (6, b"imploded", b"plain"), "b.txt": (0, b"OTHER1", b"OTHER1")}))
    assert unread(pieces) == [(Why.UNSUPPORTED, ("old.txt",))]
    assert "OTHER1" in text(pieces)


def test_comments_of_the_archive_and_of_members() -> None:
    pieces = read(commented_zip([("a.txt", "SECRET", "MEMBER COMMENT 密"), ("b/", "", "FOLDER COMMENT")], "ARCHIVE COMMENT 密"))
    assert text(pieces, Zone.COMMENT, ()) == "ARCHIVE COMMENT 密"
    assert text(pieces, Zone.COMMENT, ("a.txt",)) == "MEMBER COMMENT 密"
    assert text(pieces, Zone.COMMENT, ("b/",)) == "FOLDER COMMENT"
    assert not unread(pieces)


def test_a_name_whose_flag_lies_is_read() -> None:
    """The flag says UTF-8, the bytes are GB 18030."""
    raw = "绝密资料清单.txt".encode("gb18030")
    data = bytearray(a_zip({"x" * len(raw): "SECRET"}).replace(b"x" * len(raw), raw))
    for signature, at in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
        data[data.index(signature) + at + 1] |= 8
    pieces = read(bytes(data))
    assert "绝密资料清单.txt" in text(pieces, Zone.FILENAME)
    assert "SECRET" in text(pieces)


def test_a_second_name_in_an_extra_field_is_read() -> None:
    data = with_methods({"plain.txt": (0, b"SECRET", b"SECRET")})
    name = "暗号.txt".encode()
    extra = struct.pack("<HHBL", 0x7075, 5 + len(name), 1, zlib.crc32(b"plain.txt")) + name
    at = data.index(b"PK\1\2")
    entry = bytearray(data[at : at + 46])
    entry[30:32] = struct.pack("<H", len(extra))
    end = bytearray(data[at + 55 :])
    end[12:16] = struct.pack("<L", 55 + len(extra))
    pieces = read(data[:at] + bytes(entry) + b"plain.txt" + extra + bytes(end))
    assert "暗号.txt" in text(pieces, Zone.FILENAME)
    assert not unread(pieces)


def test_what_stands_before_between_and_after_the_members_is_read() -> None:
    data = a_zip({"a.txt": "SECRET"})
    before, after = "BEFORE THE ARCHIVE 绝密文件在此".encode(), b"AFTER THE ARCHIVE, A LINE"
    pieces = read(data[:0] + data + after)
    assert "AFTER THE ARCHIVE" in text(pieces)
    at = data.index(b"PK\1\2")
    shifted = bytearray(data[at:])
    shifted[-6:-2] = struct.pack("<L", at + len(before))
    pieces = read(data[:at] + before + bytes(shifted))
    assert "绝密文件在此" in text(pieces)
    assert "SECRET" in text(pieces)


def test_two_archives_in_a_row_are_both_read() -> None:
    pieces = read(a_zip({"a.txt": "FIRST1"}) + a_zip({"b.txt": "SECOND1"}))
    assert "FIRST1" in text(pieces)
    assert "SECOND1" in text(pieces)


def test_a_member_hidden_behind_a_lying_size_is_read() -> None:
    """The directory says that the first member reaches over the second."""
    data = bytearray(a_zip({"a.txt": "SHOWN1 " * 9, "b.txt": "HIDDEN1 " * 9}))
    at = data.index(b"PK\1\2")
    data[at + 20 : at + 24] = struct.pack("<L", len(data) - 40)
    pieces = read(bytes(data))
    assert "HIDDEN1" in text(pieces)
    assert Why.CORRUPT in [why for why, _ in unread(pieces)]


def test_where_both_headers_of_a_member_differ_it_is_read_by_either() -> None:
    data = bytearray(a_zip({"a.txt": "SECRET " * 30}))
    at = data.index(b"PK\1\2")
    data[at + 10 : at + 12] = struct.pack("<H", 0)  # the directory says stored
    pieces = read(bytes(data))
    assert "SECRET SECRET" in text(pieces)
    assert (Why.CORRUPT, ("a.txt",)) in unread(pieces)


def test_a_part_of_a_split_archive_is_told_and_read() -> None:
    data = bytearray(a_zip({"a.txt": "SECRET"}))
    data[-18:-16] = struct.pack("<H", 2)
    pieces = read(bytes(data))
    assert (Why.CORRUPT, ()) in unread(pieces)
    assert "SECRET" in text(pieces)


def test_members_before_a_cut_are_read() -> None:
    data = a_zip({f"{i}.txt": f"TEXT{i} " + random_bytes(300).hex() for i in range(20)})
    pieces = read(data[: len(data) // 2])
    assert "TEXT0" in text(pieces)
    assert "TEXT8" in text(pieces)
    assert (Why.CORRUPT, ()) in unread(pieces)


def test_hostile_names_are_only_names() -> None:
    names = ["../../../etc/passwd", "/etc/shadow", "C:\\windows\\x", "a\0b", "\u202egnp.exe", "x" * 4000]
    pieces = read(with_methods({name: (0, f"TEXT{i}".encode(), f"TEXT{i}".encode()) for i, name in enumerate(names)}))
    assert all(f"TEXT{i}" in text(pieces) for i in range(len(names)))


def test_a_zip_in_a_tar_in_a_filter_is_read() -> None:
    data = filtered("zstd", a_tar({"in/b.zip": a_zip({"c.txt": "DEEP1"})}))
    assert text(read(data, "x.tar.zst"), Zone.BODY, ("x.tar", "in/b.zip", "c.txt")) == "DEEP1"


def test_ppmd_is_read_through_libarchive() -> None:
    """APPNOTE method 98, packed by an encoder of PPMd variant I, order 6, 1 MB."""
    packed = bytes.fromhex("050050015d00f4c8f5a923bc4872a52b523db0e1c4cf30")
    pieces = read(with_methods({"a.txt": (98, packed, "PPMDSECRET 机密".encode())}))
    assert text(pieces, Zone.BODY, ("PPMd", "a.txt")) == "PPMDSECRET 机密"
    assert not unread(pieces)
