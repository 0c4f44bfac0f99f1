"""A marking is found at its level in whatever carries it, and ordinary text in the same carrier is not taken for one."""

from collections.abc import Callable
from pathlib import Path

import pytest

from dlp.detect.detector import Detector
from dlp.extract.budget import Budget
from dlp.extract.document import Document
from dlp.extract.walk import walk
from dlp.model import Finding, Limits, Unscannable, Zone
from tests.helpers import legacy, sheets
from tests.helpers.archives import a_7z, a_cab, a_rar5, an_arj
from tests.helpers.books import a_text, an_epub, an_ofd
from tests.helpers.documents import a_docx, a_mail, a_pdf, a_pptx, a_tar, a_xlsx, a_zip
from tests.helpers.mapi import a_msg
from tests.helpers.metafiles import an_emf, emf_small_text
from tests.helpers.opendocument import an_odf
from tests.helpers.rtf import an_rtf, unicode

ROOT = Path(__file__).parents[2]
TEXT = "采购方案"
_SUBJECT, _BODY = 0x0037, 0x1000

Carrier = Callable[[str], bytes]
CARRIERS: dict[str, Carrier] = {
    "txt": lambda mark: f"{mark}\n\n{TEXT}\n".encode(),
    "gb18030": lambda mark: f"{mark}\n\n{TEXT}\n".encode("gb18030"),
    "utf-16": lambda mark: f"{mark}\n\n{TEXT}\n".encode("utf-16"),
    "html": lambda mark: f"<html><body><p>{mark}</p><p>{TEXT}</p></body></html>".encode(),
    "docx": lambda mark: a_docx([mark, TEXT]),
    "doc": lambda mark: legacy.a_doc(f"{mark}\r{TEXT}\r"),
    "rtf": lambda mark: an_rtf(rf"{unicode(mark)}\par {unicode(TEXT)}\par"),
    "odt": lambda mark: an_odf(f"<text:p>{mark}</text:p><text:p>{TEXT}</text:p>"),
    "ofd": lambda mark: an_ofd([a_text(mark, y=10) + a_text(TEXT, y=60)]),
    "epub": lambda mark: an_epub({"a.xhtml": f"<p>{mark}</p><p>{TEXT}</p>"}),
    "pdf": lambda mark: a_pdf([f"{mark}\n{TEXT}"]),
    "xlsx": lambda mark: a_xlsx({"Sheet1": [[mark], [TEXT, 100]]}),
    "xls": lambda mark: sheets.a_xls({"Sheet1": sheets.a_label((0, 0), mark) + sheets.a_label((1, 0), TEXT)}),
    "pptx": lambda mark: a_pptx([(mark, [TEXT])]),
    "ppt": lambda mark: legacy.a_ppt([[(0, mark), (1, TEXT)]]),
    "emf": lambda mark: an_emf([emf_small_text(mark), emf_small_text(TEXT)]),
    "eml": lambda mark: a_mail(body=f"{mark}\r\n\r\n{TEXT}\r\n"),
    "msg": lambda mark: a_msg({_SUBJECT: "方案", _BODY: f"{mark}\r\n\r\n{TEXT}"}),
    "zip": lambda mark: a_zip({"a.docx": a_docx([mark, TEXT])}),
    "7z": lambda mark: a_7z({"a.txt": f"{mark}\n\n{TEXT}"}),
    "rar": lambda mark: a_rar5({"a.txt": f"{mark}\n\n{TEXT}"}),
    "arj": lambda mark: an_arj({"a.txt": f"{mark}\n\n{TEXT}"}),
    "cab": lambda mark: a_cab({"a.txt": f"{mark}\n\n{TEXT}"}),
    "tar": lambda mark: a_tar({"a.txt": f"{mark}\n\n{TEXT}"}, compression="xz"),
    "docx in a message in a zip": lambda mark: a_zip({"a.eml": a_mail(attachments=[("a.docx", "a/b", a_docx([mark, TEXT]))])}),
}


@pytest.fixture(scope="module")
def detector() -> Detector:
    return Detector.load([ROOT / "signatures/markings.yar"])


def levels(detector: Detector, content: bytes) -> set[str | None]:
    scan = detector.begin()
    unread = []
    for piece in walk(Document(data=memoryview(content)), Budget(Limits())):
        if isinstance(piece, Unscannable):
            unread.append(piece)
        else:
            scan.add(piece)
    assert unread == []
    return {found.level for found in scan.finish() if isinstance(found, Finding) and found.zone is not Zone.RAW}


@pytest.mark.parametrize("carrier", CARRIERS)
@pytest.mark.parametrize(("mark", "level"), [("绝密★长期", "top-secret"), ("机密", "secret")])
def test_a_marking_is_found_in_every_carrier(detector: Detector, carrier: str, mark: str, level: str) -> None:
    assert levels(detector, CARRIERS[carrier](mark)) == {level}


@pytest.mark.parametrize("carrier", CARRIERS)
def test_a_sentence_is_none_in_any(detector: Detector, carrier: str) -> None:
    assert levels(detector, CARRIERS[carrier]("各部门应当妥善保管机密文件")) == set()
