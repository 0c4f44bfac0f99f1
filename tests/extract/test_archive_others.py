"""What carries an archive, and the archives and compressed files that libarchive reads."""

import gzip
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlp.model import Limits, Raw, Why, Zone
from tests.extract.reading import parts, random_bytes, read, text, unread
from tests.helpers.archives import a_7z, a_rar4, a_rar5, an_arj, an_rpm, filtered, self_extractor, written
from tests.helpers.documents import a_docx, a_tar, a_zip

MEMBERS = {"密/a.txt": "FIRST1 机密", "b.docx": a_docx(["SECOND1"]), "c.txt": "THIRD1 " * 5_000}


@pytest.mark.parametrize("kind", ["iso9660", "cpio", "cpio_newc", "xar", "ar_bsd", "7zip"])
def test_archives_of_libarchive_are_read(kind: str) -> None:
    members = (
        {"a.txt": MEMBERS["密/a.txt"], **MEMBERS} if kind != "ar_bsd" else {"a.txt": "FIRST1 机密", "b.docx": a_docx(["SECOND1"])}
    )
    pieces = read(written(kind, members))
    assert "FIRST1 机密" in text(pieces, Zone.BODY)
    assert "SECOND1" in text(pieces, Zone.BODY)
    assert "a.txt" in text(pieces, Zone.FILENAME)
    assert not unread(pieces)


@pytest.mark.parametrize("pack", ["iso9660", "xar", "cpio"])
def test_a_cut_archive_is_told_and_read_as_far_as_it_goes(pack: str) -> None:
    data = written(pack, {"a.txt": "FIRST1", "b.bin": random_bytes(200_000)})
    pieces = read(data[:150_000])
    assert Why.CORRUPT in {why for why, _ in unread(pieces)}


@pytest.mark.parametrize("kind", ["zstd", "lz4", "lzip", "compress", "gzip", "bzip2", "xz", "lzma"])
def test_compressed_files_are_read(kind: str) -> None:
    data = filtered(kind, ("SECRET 机密 " * 500).encode())
    assert text(read(data)).count("SECRET 机密") == 500
    assert not unread(read(data))
    tar = filtered(kind, a_tar({"in/a.txt": "DEEP1"}))
    assert "DEEP1" in text(read(tar, "a.tar"))


@pytest.mark.parametrize("kind", ["zstd", "lz4", "lzip"])
def test_a_cut_compressed_file_is_told(kind: str) -> None:
    data = filtered(kind, random_bytes(300_000).hex().encode())
    pieces = read(data[: len(data) // 2])
    assert Why.CORRUPT in [why for why, _ in unread(pieces)]
    # A cut block of LZ4 is not expanded at all.
    assert sum(isinstance(piece, Raw) for piece in pieces) == (1 if kind == "lz4" else 2)


@pytest.mark.parametrize("kind", ["zstd", "lz4", "lzip", "compress"])
def test_a_compressed_bomb_is_bounded_and_told(kind: str) -> None:
    data = filtered(kind, b"\0" * (24 << 20))
    assert Why.TOO_LARGE in [why for why, _ in unread(read(data, limits=Limits(expanded_bytes=8 << 20)))]


@pytest.mark.parametrize("kind", ["zstd", "compress"])
def test_a_filter_in_a_filter_is_a_document_inside(kind: str) -> None:
    data = b"INNERMOST TEXT"
    for _ in range(30):
        data = filtered(kind, data)
    assert [why for why, _ in unread(read(data))] == [Why.TOO_DEEP]


def test_a_name_and_a_comment_in_a_gzip_header_are_read() -> None:
    packed = gzip.compress(b"SECRET", mtime=0)
    data = packed[:3] + b"\x1c" + packed[4:10] + struct.pack("<H", 6) + b"EXTRA1" + b"NAME1.txt\0" + b"COMMENT1\0" + packed[10:]
    pieces = read(data)
    assert text(pieces, Zone.BODY, ("NAME1.txt",)) == "SECRET"
    assert {"COMMENT1", "EXTRA1"} == {part.text for part in parts(pieces, Zone.COMMENT)}


def test_what_stands_behind_compressed_data_is_read() -> None:
    pieces = read(gzip.compress(b"SECRET") + b"BEHIND THE DATA, A LINE")
    assert "BEHIND THE DATA" in text(pieces)
    assert "SECRET" in text(pieces)


def test_millions_of_empty_streams_are_bounded() -> None:
    assert unread(read(gzip.compress(b"") * 200_000 + gzip.compress(b"SECRET"), limits=Limits(seconds=0.1)))[0][0] is Why.TIMEOUT


@pytest.mark.parametrize(
    "archive",
    [a_zip, a_7z, a_rar4, a_rar5, an_arj, lambda m: gzip.compress(a_tar(m))],
    ids=["zip", "7z", "rar4", "rar5", "arj", "tgz"],
)
def test_the_archive_of_a_self_extractor_is_read(archive) -> None:  # type: ignore[no-untyped-def]
    pieces = read(self_extractor(archive({"a.txt": "SECRET 机密"})), "setup.exe")
    assert "SECRET 机密" in text(pieces, Zone.BODY)
    assert not unread(pieces)


def test_a_script_with_an_archive_behind_it_is_read() -> None:
    pieces = read(b"#!/bin/sh\ntail -n +3 $0 | tar xz\nexit\n" + gzip.compress(a_tar({"a.txt": "SECRET"})), "setup.sh")
    assert "SECRET" in text(pieces, Zone.BODY)


def test_a_program_without_an_archive_is_told_and_salvaged() -> None:
    pieces = read(self_extractor(bytes(200) + b"VISIBLE TEXT" + b"PK\x03\x04" + b"\xff" * 60 + b"7z\xbc\xaf\x27\x1c" + bytes(50)))
    assert [why for why, _ in unread(pieces)] == [Why.UNSUPPORTED]
    assert "VISIBLE TEXT" in text(pieces, Zone.RAW)


def test_a_package_of_rpm_is_read() -> None:
    pieces = read(an_rpm("SUMMARY1 密", gzip.compress(written("cpio_newc", {"a.txt": "SECRET"}))))
    assert "SUMMARY1 密" in text(pieces, Zone.PROPERTY)
    assert "SECRET" in text(pieces, Zone.BODY)
    assert not unread(pieces)


def test_layers_of_a_container_image_are_archives_inside() -> None:
    layer = gzip.compress(a_tar({"etc/secret.txt": "SECRET"}))
    image = a_tar({"manifest.json": "{}", "blobs/sha256/0123": layer})
    assert "SECRET" in text(read(image, "image.tar"))


def test_a_package_of_debian_is_read() -> None:
    data = written("ar_bsd", {"debian-binary": "2.0\n", "data.tar.gz": gzip.compress(a_tar({"a.txt": "SECRET"}))})
    assert "SECRET" in text(read(data, "a.deb"))


SEEDS = {
    "iso": lambda: written("iso9660", {"a.txt": "text"}),
    "cpio": lambda: written("cpio_newc", {"a.txt": "text" * 50}),
    "xar": lambda: written("xar", {"a.txt": "text" * 50}),
    "zstd": lambda: filtered("zstd", b"text" * 50),
    "compress": lambda: filtered("compress", b"text" * 50),
    "rpm": lambda: an_rpm("s", b"text" * 50),
    "program": lambda: self_extractor(a_zip({"a.txt": "text"})),
}


@pytest.mark.parametrize("kind", SEEDS)
@given(at=st.integers(0, 1 << 20), byte=st.integers(0, 255), cut=st.integers(0, 1 << 20) | st.none())
def test_damage_is_never_a_crash(kind: str, at: int, byte: int, cut: int | None) -> None:
    data = bytearray(SEEDS[kind]())
    data[at % len(data)] = byte
    if cut is not None:
        del data[cut % len(data) :]
    assert Why.CRASHED not in [why for why, _ in unread(read(bytes(data)))]
