"""inspect() with the shipped signatures, in this process: marked, unmarked, unreadable."""

from pathlib import Path

import pytest

from dlp.detect.detector import Detector
from dlp.extract.budget import Budget
from dlp.inspection import inspect
from dlp.model import Inspection, Limits, Mode, Why, Zone
from tests.helpers.documents import a_docx, a_mail, a_zip

SIGNATURES = Path(__file__).parents[1] / "signatures"
TEXT = ("二〇二六年生产计划", "第一章 总则。本计划适用于各车间。")
DOCX = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
PROGRAM = b"\x7fELF\x02\x01\x01" + bytes(57)


@pytest.fixture(scope="module")
def detector() -> Detector:
    return Detector.load([SIGNATURES])


def look(
    detector: Detector, content: bytes, name: str | None, *, media: str | None = None, limits: Limits | None = None, **more: bool
) -> Inspection:
    budget = Budget(limits or Limits())
    return inspect(memoryview(content), name=name, media=media, budget=budget, detector=detector, **more)


def encrypted_zip(content: bytes) -> bytes:
    """A stored member whose general purpose bit 0 says that it is encrypted (APPNOTE 4.4.4)."""
    plain = bytearray(a_zip({"plan.docx": content}, compression=0))
    plain[6] |= 1
    plain[plain.rindex(b"PK\x01\x02") + 8] |= 1
    return bytes(plain)


def test_a_marked_document_is_found_at_the_level_of_its_mark(detector: Detector) -> None:
    inspection = look(detector, a_docx(["机密★10年", *TEXT]), "plan.docx")
    assert {finding.level for finding in inspection.findings} == {"secret"}
    (finding,) = inspection.findings
    assert (finding.zone, finding.trail, finding.mode) == (Zone.BODY, (), Mode.ENFORCE)
    assert finding.facts["term"] == "10年"
    assert (inspection.unscannable, inspection.media_type) == ((), DOCX)
    assert inspection.parts >= 1
    assert inspection.text_chars > len("".join(TEXT))


def test_the_same_document_unmarked_is_clean(detector: Detector) -> None:
    inspection = look(detector, a_docx(TEXT), "plan.docx")
    assert (inspection.findings, inspection.unscannable) == ((), ())


def test_a_mark_is_found_at_the_end_of_its_trail(detector: Detector) -> None:
    attached = a_zip({"a/plan.docx": a_docx(["机密★10年", *TEXT])})
    message = a_mail(attachments=[("files.zip", "application/zip", attached)])
    (finding,) = look(detector, message, None, media="message/rfc822").findings
    assert finding.trail[-2:] == ("files.zip", "a/plan.docx")


@pytest.mark.parametrize(
    ("content", "name", "why"),
    [
        (encrypted_zip(a_docx(TEXT)), "plan.zip", Why.ENCRYPTED),
        (PROGRAM, "plan.doc", Why.UNSUPPORTED),
        (a_docx(TEXT)[:600], "plan.docx", Why.CORRUPT),
    ],
)
def test_what_cannot_be_read_is_never_clean(detector: Detector, content: bytes, name: str, why: Why) -> None:
    assert why in {place.why for place in look(detector, content, name).unscannable}


@pytest.mark.parametrize(
    ("limits", "why"),
    [(Limits(expanded_bytes=100), Why.TOO_LARGE), (Limits(depth=1), Why.TOO_DEEP), (Limits(members=2), Why.TOO_MANY)],
)
def test_a_limit_that_is_reached_is_told(detector: Detector, limits: Limits, why: Why) -> None:
    content = a_zip({f"{n}.zip": a_zip({"plan.docx": a_docx(TEXT)}) for n in range(5)})
    assert why in {place.why for place in look(detector, content, "a.zip", limits=limits).unscannable}


def test_salvaging_parses_nothing_and_still_finds_text(detector: Detector) -> None:
    content = b"PK\x03\x04 broken \x00" + "机密★10年\n二〇二六年生产计划\n".encode() + bytes(20)
    assert look(detector, content, "plan.docx", salvaging=True).findings
    assert look(detector, a_docx(["机密★10年", *TEXT]), "plan.docx", salvaging=True).findings == ()
