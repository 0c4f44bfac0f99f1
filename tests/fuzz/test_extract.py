"""Whatever happens to a document: the walk yields Part, Raw or Unscannable, inside its budget, and never raises."""

import bz2
import gzip
import io
import lzma
import zipfile
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlp.extract.budget import Budget
from dlp.extract.document import Document
from dlp.extract.walk import walk
from dlp.model import Limits, Part, Raw, Unscannable, Why
from tests.helpers.documents import a_docx, a_mail, a_pdf, a_pptx, a_tar, a_xlsx, a_zip

LIMITS = Limits(bytes=1 << 20, expanded_bytes=8 << 20, depth=4, members=200, seconds=20)
OFFICE = {"embedded": {"a.bin": b"x" * 50}}
PIECES = [b"\0", b"\xff" * 4, b"<", b">", b"&#", b'"', b"PK\x03\x04", b"\r\n", b"--=_dlp", b"<!--"]
"""What a damaged document may have gained."""
SEEDS: dict[str, Callable[[], bytes]] = {
    "text": lambda: "机密文件 secret\n".encode("gb18030") * 20,
    "utf-16": lambda: "机密文件 secret\n".encode("utf-16") * 20,
    "html": lambda: b"<html><title>t</title><!-- c --><script>s</script><p a='b' c=\"d\">x&amp;&#65;</p><a href='data:,x'>" * 3,
    "xml": lambda: b"<?xml version='1.0' encoding='gb18030'?><a b='c'>d<![CDATA[e]]></a>",
    "eml": lambda: a_mail(subject="机密", html="<p>x</p>", attachments=[("机.docx", "a/b", a_docx()), ("b", "text/plain", b"y")]),
    "docx": lambda: a_docx(header="h", watermark="w", hidden=["h"], textbox=["t"], **OFFICE),  # type: ignore[arg-type]
    "docx-stored": lambda: stored(a_docx(header="h", watermark="w", hidden=["h"], deleted=["d"], textbox=["t"], links=["u"])),
    "xlsx-stored": lambda: stored(a_xlsx({"s": [["a", 1], ["b", 2.5]]}, header="h", comments=["c"], names={"n": "v"})),
    "pptx-stored": lambda: stored(a_pptx(notes=["n"], master="m", properties={"title": "p"})),
    "pdf": lambda: a_pdf(["机密 text", None], header="h", annotation="a", uri="u", attachments={"a": b"b"}),
    "zip": lambda: a_zip({"a.txt": "text", "b.zip": a_zip({"c.txt": "inner"})}),
    "tar": lambda: a_tar({"a.txt": "text", "b/c": "x" * 600}),
    "gzip": lambda: gzip.compress(b"text" * 100, mtime=0),
    "bzip2": lambda: bz2.compress(b"text" * 100),
    "xz": lambda: lzma.compress(b"text" * 100),
    "ole": lambda: b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 200 + "EncryptedPackage".encode("utf-16-le"),
}


def stored(package: bytes) -> bytes:
    """The same package without compression, so that a changed byte is a changed character and not a broken stream."""
    view = io.BytesIO(package)
    with zipfile.ZipFile(view) as archive:
        return a_zip({name: archive.read(name) for name in archive.namelist()}, compression=zipfile.ZIP_STORED)


def check(data: bytes, name: str | None = None) -> None:
    """Walk, and hold the walk to its promise."""
    size = 0
    for piece in walk(Document(data=data, name=name), Budget(LIMITS)):
        assert isinstance(piece, Part | Raw | Unscannable)
        # The walk survives a parser that crashes; that none does is what this looks for.
        assert not (isinstance(piece, Unscannable) and piece.why is Why.CRASHED), piece.detail
        size += len(piece.text) if isinstance(piece, Part) else 0
    assert size <= 64 << 20


@st.composite
def damaged(draw: st.DrawFn, seed: bytes) -> bytes:
    """`seed` with bytes changed, pieces moved, doubled, dropped, or its end cut off."""
    data = bytearray(seed)
    for _ in range(draw(st.integers(1, 8))):
        at = draw(st.integers(0, len(data)))
        match draw(st.sampled_from(["flip", "insert", "drop", "double", "cut"])):
            case "flip" if at < len(data):
                data[at] = draw(st.integers(0, 255))
            case "insert":
                data[at:at] = draw(st.sampled_from(PIECES))
            case "drop":
                del data[at : at + draw(st.integers(1, 40))]
            case "double":
                data[at:at] = data[at : at + draw(st.integers(1, 200))]
            case "cut" if at:
                del data[at:]
    return bytes(data)


@pytest.mark.parametrize("kind", SEEDS)
@given(choice=st.data())
def test_damaged_documents(kind: str, choice: st.DataObject) -> None:
    check(choice.draw(damaged(SEEDS[kind]())))


@given(data=st.binary(max_size=2_000), name=st.none() | st.text(max_size=20))
def test_any_bytes(data: bytes, name: str | None) -> None:
    check(data, name)


@given(text=st.text(alphabet="<>/!-&#;='\"ab \n\r\t机密:?=_@[]{}%", max_size=400))
def test_any_markup(text: str) -> None:
    for opening in ("<html>", "<?xml version='1.0'?><a>", "Subject: x\r\nTo: y\r\n\r\n", "Subject: "):
        check((opening + text).encode())
