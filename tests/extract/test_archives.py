import bz2
import gzip
import io
import lzma
import struct
import tarfile
import zipfile
import zlib

import pytest

from dlp.extract.budget import Budget
from dlp.extract.document import Document
from dlp.extract.walk import walk
from dlp.model import Limits, Raw, Unscannable, Why, Zone
from tests.extract.reading import parts, random_bytes, read, text, unread
from tests.helpers.documents import a_docx, a_tar, a_zip


def encrypted(data: bytes, name: bytes) -> bytes:
    """`data`, a ZIP, with the encryption bit of the member `name` set in both of its headers (APPNOTE 4.4.4)."""
    out = bytearray(data)
    for signature, flags, at in ((b"PK\x03\x04", 6, 30), (b"PK\x01\x02", 8, 46)):
        place = out.find(signature)
        while place >= 0:
            if out[place + at : place + at + len(name)] == name:
                out[place + flags] |= 1
            place = out.find(signature, place + 4)
    return bytes(out)


def test_members_are_documents_inside() -> None:
    pieces = read(a_zip({"d/a.txt": "文字", "../../etc/b.docx": a_docx(["TEXT1"]), "empty/": "", "e.txt": ""}), "a.zip")
    assert text(pieces, Zone.BODY, ("d/a.txt",)) == "文字"
    assert "TEXT1" in text(pieces, Zone.BODY, ("../../etc/b.docx",))
    assert {part.text for part in parts(pieces, Zone.FILENAME)} == {"a.zip", "d/a.txt", "../../etc/b.docx", "empty/", "e.txt"}
    assert not unread(pieces)
    assert [piece.trail for piece in pieces if isinstance(piece, Raw)] == [(), ("d/a.txt",), ("../../etc/b.docx",)]


@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_every_method_of_the_standard_library_is_read(compression: int) -> None:
    assert "SECRET" in text(read(a_zip({"a.txt": "SECRET"}, compression=compression)))


@pytest.mark.parametrize("encoding", ["utf-8", "gb18030", "cp437"])
def test_names_without_the_flag_are_decoded(encoding: str) -> None:
    name = "nom-é.txt" if encoding == "cp437" else "绝密资料清单.txt"
    raw = name.encode(encoding)
    data = a_zip({"x" * len(raw): "SECRET"}).replace(b"x" * len(raw), raw)
    assert name in text(read(data), Zone.FILENAME)


def test_a_name_with_a_nul_is_kept_whole() -> None:
    data = a_zip({"aXb.txt": "SECRET"}).replace(b"aXb", b"a\0b")
    assert "SECRET" in text(read(data))


def test_a_member_without_a_name_is_read() -> None:
    assert "SECRET" in text(read(a_zip({"": "SECRET"})), Zone.BODY, ("unnamed",))


def test_an_encrypted_member_is_told_and_the_others_are_read() -> None:
    data = encrypted(a_zip({"open.txt": "OPEN1", "shut.txt": "SHUT1"}), b"shut.txt")
    pieces = read(data, "a.zip")
    assert "OPEN1" in text(pieces)
    assert unread(pieces) == [(Why.ENCRYPTED, ("shut.txt",))]
    assert "shut.txt" in text(pieces, Zone.FILENAME)


def test_a_damaged_member_is_told_and_read_as_far_as_it_goes() -> None:
    data = a_zip({"a.txt": "SECRET", "b.txt": "OTHER1"}, compression=zipfile.ZIP_STORED).replace(b"SECRET", b"SECRE7")
    pieces = read(data)
    assert unread(pieces) == [(Why.CORRUPT, ("a.txt",))]
    assert "OTHER1" in text(pieces)


def test_a_zip_without_its_directory_is_read_by_its_local_headers() -> None:
    data = a_zip({"a.txt": "FIRST1", "b.txt": "SECOND1"})
    pieces = read(data[: data.index(b"PK\x01\x02")])
    assert "FIRST1" in text(pieces)
    assert "SECOND1" in text(pieces)
    assert (Why.CORRUPT, ()) in unread(pieces)


def test_a_member_that_the_directory_does_not_list_is_read_and_told() -> None:
    one, two = a_zip({"hidden.txt": "HIDDEN1"}), a_zip({"shown.txt": "SHOWN1"})
    pieces = read(one[: one.index(b"PK\x01\x02")] + two)
    assert "HIDDEN1" in text(pieces)
    assert "SHOWN1" in text(pieces)
    assert (Why.CORRUPT, ()) in unread(pieces)


def test_overlapping_members_are_told_and_bounded() -> None:
    """The bomb of D. Fifield, "A better zip bomb" (WOOT 2019), in its simplest form: one member listed many times."""
    data = a_zip({"a": b"\0" * (5 << 20)})
    directory = data[data.index(b"PK\x01\x02") : data.index(b"PK\x05\x06")]
    body, count = data[: data.index(b"PK\x01\x02")], 2_000
    end = struct.pack("<4sHHHHIIH", b"PK\x05\x06", 0, 0, count, count, len(directory) * count, len(body), 0)
    pieces = read(body + directory * count + end)
    assert (Why.CORRUPT, ()) in unread(pieces)
    assert sum(isinstance(piece, Raw) for piece in pieces) == 2


def test_a_bomb_is_bounded_and_told() -> None:
    pieces = read(a_zip({"bomb": b"\0" * (40 << 20), "a.txt": "AFTER1"}))
    assert (Why.TOO_LARGE, ("bomb",)) in unread(pieces)
    assert "AFTER1" in text(pieces)


def test_the_whole_item_is_bounded() -> None:
    data = a_zip({f"{i}.txt": random_bytes(1 << 20).hex() for i in range(4)})
    pieces = read(data, limits=Limits(expanded_bytes=5 << 20))
    assert [why for why, _ in unread(pieces)] == [Why.TOO_LARGE]
    assert sum(isinstance(piece, Raw) for piece in pieces) == 3


def test_too_many_members_end_the_walk_and_what_was_read_is_kept() -> None:
    pieces = read(a_zip({f"{i}.txt": f"TEXT{i}" for i in range(50)}), limits=Limits(members=20))
    assert [why for why, _ in unread(pieces)] == [Why.TOO_MANY]
    assert "TEXT10" in text(pieces)


def test_deep_nesting_is_bounded_told_and_salvaged() -> None:
    data = a_zip({"a.txt": "INNERMOST"})
    for level in range(30):
        data = a_zip({f"{level}.zip": data}, compression=zipfile.ZIP_STORED)
    pieces = read(data)
    assert [why for why, _ in unread(pieces)] == [Why.TOO_DEEP]
    assert len(next(trail for why, trail in unread(pieces))) == 17


def test_a_repeated_member_is_read_once() -> None:
    pieces = read(a_zip({"a.txt": "SAME TEXT", "b.txt": "SAME TEXT"}))
    assert text(pieces, Zone.BODY) == "SAME TEXT"
    assert {part.text for part in parts(pieces, Zone.FILENAME)} == {"a.txt", "b.txt"}


def test_time_is_bounded_and_what_was_read_is_kept() -> None:
    now = iter(range(10_000))
    budget = Budget(Limits(seconds=100), clock=lambda: float(next(now)))
    data = a_zip({f"{i}.txt": f"TEXT{i}" for i in range(200)})
    pieces = list(walk(Document(data=data), budget))
    assert [piece.why for piece in pieces if isinstance(piece, Unscannable)] == [Why.TIMEOUT]
    assert "TEXT0" in text(pieces)


@pytest.mark.parametrize("compression", ["", "gz", "bz2", "xz"])
def test_a_tar_is_read(compression: str) -> None:
    name = f"a.tar.{compression}" if compression else "a.tar"
    pieces = read(a_tar({"机密/a.txt": "SECRET", "b.docx": a_docx(["TEXT1"])}, compression=compression), name)
    inner = ("a.tar",) if compression else ()
    assert text(pieces, Zone.BODY, (*inner, "机密/a.txt")) == "SECRET"
    assert "TEXT1" in text(pieces, Zone.BODY, (*inner, "b.docx"))
    assert not unread(pieces)


def test_names_and_targets_of_links_are_read() -> None:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        link = tarfile.TarInfo("LINK1")
        link.type, link.linkname = tarfile.SYMTYPE, "TARGET1"
        archive.addfile(link)
    pieces = read(out.getvalue())
    assert "LINK1" in text(pieces, Zone.FILENAME)
    assert "TARGET1" in text(pieces, Zone.FILENAME)


def test_what_follows_a_damaged_header_is_told_and_salvaged() -> None:
    data = bytearray(a_tar({"a.txt": "FIRST1", "b.txt": "SECOND1"}))
    data[1024 + 148 : 1024 + 156] = b"99999999"
    pieces = read(bytes(data))
    assert "FIRST1" in text(pieces)
    assert "SECOND1" in text(pieces)
    assert Why.CORRUPT in [why for why, _ in unread(pieces)]


def test_a_truncated_tar_is_told() -> None:
    data = a_tar({"a.txt": "FIRST1", "b.txt": "x" * 5000})
    pieces = read(data[:3000])
    assert "FIRST1" in text(pieces)
    assert Why.CORRUPT in [why for why, _ in unread(pieces)]


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress, lzma.compress])
def test_a_single_compressed_file_is_read(pack) -> None:  # type: ignore[no-untyped-def]
    assert "SECRET" in text(read(pack(b"SECRET"), "a.txt.gz"))
    assert "SECOND" in text(read(pack(b"FIRST ") + pack(b"SECOND")))
    damaged = read(pack(random_bytes(5_000).hex().encode())[:-1000])
    assert Why.CORRUPT in [why for why, _ in unread(damaged)]


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress, lzma.compress])
def test_a_compressed_bomb_is_bounded_and_told(pack) -> None:  # type: ignore[no-untyped-def]
    assert Why.TOO_LARGE in [why for why, _ in unread(read(pack(b"\0" * (40 << 20))))]


def test_gzip_inside_gzip_is_bounded() -> None:
    data = b"INNERMOST TEXT"
    for _ in range(40):
        data = gzip.compress(data, compresslevel=0)
    assert [why for why, _ in unread(read(data))] == [Why.TOO_DEEP]


def test_an_item_beyond_its_limit_is_salvaged_up_to_it() -> None:
    pieces = read(b"BEGINNING" + b"\0" * 5000 + b"THE END", limits=Limits(bytes=4096))
    assert unread(pieces) == [(Why.TOO_LARGE, ())]
    assert "BEGINNING" in text(pieces, Zone.RAW)
    assert "THE END" not in text(pieces)


def test_what_is_not_supported_is_told_and_salvaged() -> None:
    data = b"\0\1\2\3" + zlib.compress(random_bytes(100)) + b"VISIBLE TEXT" + "机密文件".encode()
    pieces = read(data, "a.xyz")
    assert unread(pieces) == [(Why.UNSUPPORTED, ())]
    assert "VISIBLE TEXT机密文件" in text(pieces, Zone.RAW)


def test_content_that_looks_like_a_header_does_not_become_a_name() -> None:
    """A trail goes on record; what stands behind four chance bytes is content."""
    pieces = list(walk(Document(data=b"PK\x03\x04" + b"CANARYSECRET" * 50, name="a.zip", media=None), Budget(Limits())))
    assert any(isinstance(piece, Unscannable) for piece in pieces)
    assert not [piece for piece in pieces if "CANARY" in "".join(piece.trail)]
