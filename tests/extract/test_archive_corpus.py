"""The archives of the corpus: each yields what its members hold, or says exactly what could not be read."""

from pathlib import Path

import pytest

from dlp.extract.budget import Budget
from dlp.extract.document import Document
from dlp.extract.walk import Piece, walk
from dlp.model import Limits, Part, Raw, Unscannable, Why

pytestmark = pytest.mark.corpus

# What stands in the text or the names, and every reason that is given for what does not (pictures and programs aside).
EXPECTED: dict[str, tuple[str, set[Why]]] = {
    "7Zip.ARMT.7z": ("using System;", set()),
    "7Zip.encryptedFiles.7z": ("тест.txt", {Why.ENCRYPTED}),
    "PPMd.7z": ("XZCompressorInputStream", set()),
    "test7Z_protected_passTika.7z": ("text.txt", {Why.ENCRYPTED}),
    "test_read_format_7zip_lzma2_arm64.7z": ("hw-arm64", set()),
    "Arj.method1.arj": ("using System;", set()),
    "empty-file.txt.bz2": ("empty-file.txt", set()),
    "test_read_format_cab_lzx_oob.cab": ("L", {Why.CORRUPT}),
    "test_read_format_cab_skip_malformed.cab": ("0/@", {Why.CORRUPT}),
    "COMPRESS-459.cpio": ("COMPRESS-459/öäü.txt", set()),
    "gzip.html.gz": ("This is a gzipped HTML file.", set()),
    "test_read_format_iso_rockridge_zf_overflow.iso": (".", set()),
    "test_read_format_iso_zisofs_overflow.iso": ("OVERFLOW.BIN", set()),
    "test_read_format_lha_header2.lzh": ("file 2 contents", set()),
    "test_extract.cpio.lz4": ("contents of file2.", set()),
    "Rar15.rar": ("TECT.TXT", {Why.UNSUPPORTED}),
    "test_read_format_rar_multivolume.part0004.rar": ("test text document", {Why.CORRUPT}),
    "test_read_format_rar_seek_data_cursor0.rar": ("LibarchiveAddingTest.html", {Why.CORRUPT}),
    "rar3-solid.rar": ("000\n001\n002", {Why.UNSUPPORTED}),
    "unicode2.rar": ("уииоотивл.txt", set()),
    "test_read_format_rar5_encrypted_filenames.rar": ("", {Why.ENCRYPTED}),
    "test_read_format_rar5_multiarchive_solid.part03.rar": ("elf-Linux-ARMv7-ls", {Why.CORRUPT}),
    "rar5-crc.rar": ("000\n001\n002", set()),
    "rar5-vols.part3.rar": ("4805", {Why.CORRUPT}),
    "test-times-bsd-folder.tar": ("Test times file", set()),
    "test-times-epax-folder.tar": ("Test times file 2", set()),
    "test-times-xstar.tar": ("Test times file", set()),
    "test_gcpio_compat_ref.ustar": ("123456789", set()),
    "test_compat_xz_1.txz": ("f3", set()),
    "test_expand.xz": ("contents of test_expand.xz.", set()),
    "bomb_1g.xz": ("bomb_1g", {Why.TOO_LARGE}),
    "Zip.Evil.zip": ("this is an evil one", set()),
    "Zip.deflate.noEmptyDirs.zip": ("using System;", set()),
    "lzma.zip": ("Hello World!", set()),
    "volumecomment.zip": ("Hello World!", set()),
    "test_f_new.zip": ("world", set()),
    "test_read_data_into_fd_size_exceeds_declared_deflate.zip": ("hello world", {Why.CORRUPT}),
    "test_read_format_zip_lzma_multi.zipx": ("Sample configuration file for smartd", set()),
    "test_read_format_zip_lzma_stream_end.zipx": ("All system-wide defaults", set()),
    "test_read_format_zip_size_exceeds_declared_deflate.zip": ("hello world", {Why.CORRUPT}),
    "test_singlefile.zip": ("hello", set()),
    "e_aes.zip": ("canary.docx", {Why.ENCRYPTED}),
    "e_zipcrypto.zip": ("canary.docx", {Why.ENCRYPTED}),
    "bomb_overlap.zip": ("f", {Why.CORRUPT, Why.TOO_LARGE}),
    "deep60.zip": ("n.zip", {Why.TOO_DEEP}),
    "COMPRESS-351.zip": ("", {Why.CORRUPT}),
    "test_compat_zstd_1.tar.zst": ("f3", set()),
    "test_empty.zst": ("", set()),
    "bomb_4g.zst": ("bomb_4g", {Why.TOO_LARGE}),
}
PASSWORDS = {
    "test7Z_protected_passTika.7z": "Tika",
    "test_read_format_rar5_encrypted_filenames.rar": "password",
}
_CONTAINERS = ("application/x-7z", "compression method", "packed by", "application/vnd.rar", "application/zip")


def places(corpus: Path) -> dict[str, Path]:
    rows = (line.split("\t") for line in (corpus / "INDEX.tsv").read_text().splitlines()[1:])
    return {Path(row[0]).name: corpus / row[0] for row in rows}


def walked(place: Path, *passwords: str) -> list[Piece]:
    document = Document(data=memoryview(place.read_bytes()), name=place.name)
    return list(walk(document, Budget(Limits(), passwords=passwords)))


@pytest.mark.parametrize("name", EXPECTED)
def test_an_archive_is_read_or_says_what_is_not(corpus: Path, name: str) -> None:
    token, reasons = EXPECTED[name]
    pieces = walked(places(corpus)[name])
    assert any(token in piece.text for piece in pieces if isinstance(piece, Part) and piece.trail) or not token
    told = [piece for piece in pieces if isinstance(piece, Unscannable)]
    # A member that is a picture or a program is its own format's affair.
    own = {piece.why for piece in told if piece.why is not Why.UNSUPPORTED or piece.detail.startswith(_CONTAINERS)}
    assert own == reasons


@pytest.mark.parametrize("name", PASSWORDS)
def test_an_encrypted_archive_is_opened_with_its_password(corpus: Path, name: str) -> None:
    pieces = walked(places(corpus)[name], "wrong", PASSWORDS[name])
    assert Why.ENCRYPTED not in {piece.why for piece in pieces if isinstance(piece, Unscannable)}
    assert any(isinstance(piece, Raw) and piece.trail for piece in pieces)


def test_no_archive_of_the_corpus_is_missing_here(corpus: Path) -> None:
    kinds = {"7z", "rar4", "rar5", "cab", "iso", "cpio", "lha", "arj", "zst", "lz4", "tar", "xz", "zip", "bz2"}
    rows = [line.split("\t")[:2] for line in (corpus / "INDEX.tsv").read_text().splitlines()[1:]]
    assert {Path(path).name for path, kind in rows if kind in kinds} <= set(EXPECTED)
