import subprocess
import sys
from zipfile import ZIP_STORED

import pytest
from structlog.testing import capture_logs

from dlp.extract import formats
from dlp.extract.budget import Budget
from dlp.extract.document import Document
from dlp.extract.format import Format, Pieces
from dlp.extract.walk import salvage
from dlp.model import Limits, Part, Raw, Why, Zone
from tests.extract.reading import read, text, unread
from tests.helpers.documents import a_docx, a_zip


def failing(error: BaseException) -> Format:
    """A text format whose parser yields something and then fails, as no document at hand can make a real one do."""

    def parse(document: Document, budget: Budget) -> Pieces:
        yield Part(text="BEFORE1")
        raise error

    return Format(name="failing", media_types=("text/plain",), read=parse)


@pytest.mark.parametrize(
    ("error", "why"),
    [
        (ValueError("SECRET TEXT quoted"), Why.CRASHED),
        (RecursionError(), Why.CRASHED),
        (MemoryError(), Why.TOO_LARGE),
    ],
)
def test_a_parser_that_fails_is_told_and_followed_by_salvage(
    monkeypatch: pytest.MonkeyPatch, error: BaseException, why: Why
) -> None:
    monkeypatch.setitem(formats._BY_MEDIA, "text/plain", failing(error))
    with capture_logs() as logs:
        pieces = read(b"SECRET TEXT", "a.txt")
    assert unread(pieces) == [(why, ())]
    assert "BEFORE1" in text(pieces)
    assert "SECRET TEXT" in text(pieces, Zone.RAW)
    assert "SECRET" not in repr(logs)
    assert "SECRET" not in repr([piece for piece in pieces if not isinstance(piece, Part | Raw)])


def test_salvage_parses_nothing() -> None:
    document = Document(data=b"\x00\x01VISIBLE\x00" + "机密文件".encode("utf-16-le") + b"\x00\x01", name="a.docx")
    pieces = list(salvage(document, Budget(Limits())))
    assert pieces[0] == Part(text="a.docx", zone=Zone.FILENAME)
    assert isinstance(pieces[1], Raw)
    assert "VISIBLE" in text(pieces)
    assert "机密文件" in text(pieces)


def test_details_hold_no_content() -> None:
    pieces = read(a_docx(["SECRET TEXT"])[:-40], "a.docx")
    details = [piece for piece in pieces if not isinstance(piece, Part | Raw)]
    assert details
    assert "SECRET" not in repr(details)


def test_reading_imports_nothing_more() -> None:
    """A confined child opens no file, so everything that a document may need is loaded before."""
    program = """
import sys
from zipfile import ZIP_STORED
from dlp.extract.budget import Budget
from dlp.extract.document import Document
from dlp.extract.walk import walk
from dlp.model import Limits
from tests.helpers.documents import *

documents = [a_docx(), a_xlsx(), a_pptx(), a_pdf(["x", None], annotation="a", uri="u", attachments={"a": b"b"})]
documents += [a_tar({"a": "b"}, compression=kind) for kind in ("", "gz", "bz2", "xz")]
documents += [a_zip({"a": "b"}), b"\\x89PNG\\r\\n\\x1a\\n" + bytes(99), b"<html>x", b"<a>x</a>"]
documents += [a_mail(subject="\u673a\u5bc6", charset=name) for name in ("gb18030", "big5", "utf-16")]
for name in ("koi8-r", "euc-kr", "iso-2022-kr", "shift_jis", "windows-1251", "utf-7", "x-none", "hz"):
    documents.append(f"Subject: =?{name}?Q?=41?=\\r\\nContent-Type: text/plain; charset={name}\\r\\n\\r\\nx".encode())
before = set(sys.modules)
for data in documents:
    for piece in walk(Document(data=data), Budget(Limits())):
        pass
print(sorted(set(sys.modules) - before))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip().splitlines()[-1] == "[]"


def test_a_package_of_a_kind_nobody_reads_is_taken_apart() -> None:
    package = a_zip({"mimetype": "application/hwp+zip", "Contents/section0.xml": "<p>机密事项</p>"}, compression=ZIP_STORED)
    assert "机密事项" in text(read(package, "a.hwpx"), trail=("Contents/section0.xml",))
