"""The passage around a finding, as a child gives it away: with the shipped signatures, in this process."""

from pathlib import Path

import pytest

from dlp.detect.detector import Detector
from dlp.extract.budget import Budget
from dlp.model import Finding, Inspection, Limits, Zone
from dlp.passages import KEPT, outlined, passage_of, quoted
from dlp.workers.wire import Answer, decode_answer, encode_answer
from tests.helpers.documents import a_docx, a_mail

SIGNATURES = Path(__file__).parents[1] / "signatures"
ID = "110101199003077432"
TEXT = f"凤凰山项目组成员张三，身份证号 {ID}，已于上月离职，交接给李四。"


@pytest.fixture(scope="module")
def detector() -> Detector:
    return Detector.load([SIGNATURES])


def shown(inspection: Inspection, signature: str) -> Finding:
    return next(one for one in inspection.findings if one.signature == signature)


def test_an_outline_holds_nothing_that_was_written(detector: Detector) -> None:
    content = memoryview(a_docx(["第一章", TEXT]))
    inspection = outlined(content, name="x.docx", media=None, budget=Budget(Limits()), detector=detector)
    finding = shown(inspection, "cn_id")
    made = passage_of(finding)
    assert len(made) > 18
    assert "某某" in made
    for secret in ("凤凰山", "张三", "李四", ID, ID[6:14], ID[-4:]):
        assert secret not in made
    assert finding.facts[KEPT] == "0"
    assert (finding.excerpt, finding.trail) == ("", ())


def test_a_quotation_keeps_the_words(detector: Detector) -> None:
    content = memoryview(TEXT.encode())
    made = passage_of(shown(quoted(content, name="x.txt", media=None, budget=Budget(Limits()), detector=detector), "cn_id"))
    assert "张三" in made
    assert ID not in made


def test_a_subject_keeps_its_zone_and_a_mark_what_it_hangs_on(detector: Detector) -> None:
    mail = a_mail("hello there", subject="[机密] 凤凰山计划")
    inspection = outlined(memoryview(mail), name=None, media="message/rfc822", budget=Budget(Limits()), detector=detector)
    marks = [one for one in inspection.findings if one.zone is Zone.SUBJECT]
    assert marks
    assert all("机密" in passage_of(one) and "凤凰山" not in passage_of(one) for one in marks)


def test_it_fits_the_answer_of_a_child(detector: Detector) -> None:
    text = ("长长的正文" * 100 + TEXT) * 20
    found = outlined(memoryview(text.encode()), name="x.txt", media=None, budget=Budget(Limits()), detector=detector)
    answer = decode_answer(encode_answer(Answer(1, inspection=found)), 1, frozenset(detector.signatures), size=len(text))
    assert answer.inspection is not None
    assert passage_of(shown(answer.inspection, "cn_id")) == passage_of(shown(found, "cn_id")) != ""


def test_text_that_was_salvaged_is_shown_too(detector: Detector) -> None:
    content = memoryview(b"\0\1" + TEXT.encode() + b"\0")
    found = outlined(content, name=None, media=None, budget=Budget(Limits()), detector=detector, salvaging=True)
    assert passage_of(shown(found, "cn_id"))
