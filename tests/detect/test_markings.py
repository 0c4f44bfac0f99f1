"""Markings: what bears one is found at its level, what speaks about them is not."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlp.detect.cases import Case, read_cases
from dlp.detect.detector import Detector
from dlp.detect.evidence import Candidate
from dlp.detect.markings import MARKING_VALIDATORS
from dlp.detect.markings_fold import fold
from dlp.detect.markings_patterns import Markings
from dlp.detect.markings_place import place_of
from dlp.detect.markings_table import read_tables
from dlp.extract.budget import Budget
from dlp.extract.document import Document
from dlp.extract.walk import walk
from dlp.model import Finding, Limits, Part, Raw, Unscannable, Zone
from tests.helpers.documents import a_docx, a_mail, a_pdf, a_pptx, a_xlsx

ROOT = Path(__file__).parents[2]
CASES, FAULTS = read_cases(ROOT / "tests/signatures/markings.yml")
TABLES = read_tables([ROOT / "signatures/markings.toml"], [])
assert TABLES is not None
MARKS = Markings(TABLES)
LEVELS, TOP_LINES = TABLES.levels, int(TABLES.points["top-lines"])
TERMS = {
    "10年": "10年",
    "三十年": "30年",
    "6个月": "6个月",
    "长期": "长期",
    "2027年3月1日": "解密时间 2027-03-01",
    "公布前": "条件 公布前",
}
LEVEL_WORDS = {"绝密": "top-secret", "机密": "secret", "秘密": "confidential"}


@pytest.fixture(scope="module")
def detector() -> Detector:
    return Detector.load([ROOT / "signatures/markings.yar"])


def found(detector: Detector, *pieces: Part | Raw) -> list[Finding]:
    scan = detector.begin()
    for piece in pieces:
        scan.add(piece)
    results = list(scan.finish())
    assert not [result for result in results if isinstance(result, Unscannable)]
    return [result for result in results if isinstance(result, Finding)]


def body(text: str) -> Part:
    return Part(text=text, start=True, page=1)


def test_cases_can_be_read() -> None:
    assert not FAULTS
    assert sum(case.hit for case in CASES) >= 60
    assert sum(not case.hit for case in CASES) >= 60


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.key)
def test_case(detector: Detector, case: Case) -> None:
    findings = found(detector, *case.pieces)
    if not case.hit:
        # Stricter than the bench: what is no mark for one signature must be none for another.
        assert findings == []
        return
    levels = {finding.level for finding in findings if finding.signature == case.signature}
    assert case.level in levels if case.level else levels


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.txt", "机密★10年\n\n采购方案".encode()),
        ("a.txt", "机密★10年\n\n采购方案".encode("gb18030")),
        ("a.docx", a_docx(["机密★10年", "采购方案"])),
        ("a.docx", a_docx(["采购方案"], header="机密★10年")),
        ("a.docx", a_docx(["采购方案"], watermark="机密★10年")),
        ("a.docx", a_docx(["采购方案"], table=[["密级", "机密"], ["编号", "12"]])),
        ("a.pdf", a_pdf(["机密★10年\n采购方案"])),
        ("a.xlsx", a_xlsx({"Sheet1": [["机密★10年", "部门"], ["设备", 100]]})),
        ("a.xlsx", a_xlsx({"Sheet1": [["设备", 100]]}, header="&C机密")),
        ("a.pptx", a_pptx([("机密★10年", ["采购方案"])])),
        ("a.eml", a_mail(body="机密★10年\r\n\r\n采购方案\r\n")),
        ("a.eml", a_mail(subject="【机密】采购方案")),
        ("a.eml", a_mail(attachments=[("机密★10年 方案.txt", "text/plain", b"1")])),
        ("机密★10年.txt", b"1"),
    ],
)
def test_marked_documents(detector: Detector, name: str, content: bytes) -> None:
    pieces = walk(Document(data=memoryview(content), name=name, media=None), Budget(Limits()))
    findings = found(detector, *(piece for piece in pieces if not isinstance(piece, Unscannable)))
    assert {finding.level for finding in findings} == {"secret"}


@given(
    word=st.sampled_from(sorted(LEVEL_WORDS)),
    star=st.sampled_from("★☆"),
    term=st.sampled_from(sorted(TERMS)),
    gap=st.sampled_from(["", " ", "\u3000", "\u200b", "  "]),
    zone=st.sampled_from([Zone.BODY, Zone.HEADER, Zone.WATERMARK, Zone.TITLE, Zone.NOTE]),
    above=st.sampled_from(["", "采购方案一览。\n\n", "A report.\n\n\n\n"]),
)
def test_star_and_term_are_found_wherever_they_stand(
    detector: Detector, word: str, star: str, term: str, gap: str, zone: Zone, above: str
) -> None:
    text = f"{above}{word[0]}{gap}{word[1]}{gap}{star}{gap}{term}\n报告"
    findings = [one for one in found(detector, Part(text=text, zone=zone)) if one.signature == "state_secret_marking"]
    assert [(one.level, one.facts["term"]) for one in findings] == [(LEVEL_WORDS[word], TERMS[term])]


@given(
    word=st.sampled_from(sorted(LEVEL_WORDS)),
    before=st.sampled_from(["泄露公司", "涉及国家", "这是一个", "各种", "应当标注", "本规定所称"]),
    after=st.sampled_from(["级文件应当专人保管", "的，依法追究责任", "是指重要的事项", "事项的范围", "与否由公司决定"]),
    zone=st.sampled_from([Zone.BODY, Zone.NOTE, Zone.COMMENT, Zone.SUBJECT, Zone.FILENAME]),
)
def test_a_sentence_is_no_mark(detector: Detector, word: str, before: str, after: str, zone: Zone) -> None:
    assert found(detector, Part(text=before + word + after, zone=zone, start=True)) == []


PIECES = (
    *("★", "密级", "：", "10年", "\n", " ", "(", "【", "a", "公司", "0", "//", "☑", "第"),
    *("解密", "2030年1月1日", "保密期限：", "Declassify on: ", "(S)", "(U)", "! ", "|"),
)


@given(
    pieces=st.lists(st.sampled_from([*LEVELS, *PIECES]), max_size=40),
    zone=st.sampled_from(list(Zone)),
    start=st.booleans(),
)
def test_validators_take_any_text(pieces: list[str], zone: Zone, start: bool) -> None:
    text = "".join(pieces)
    part = Part(text=text, zone=zone, start=start, page=1)
    for place, word in _occurrences(text):
        candidate = Candidate(part=part, text=text, start=place, end=place + len(word), folded=fold(word), string="x")
        for validator in MARKING_VALIDATORS.values():
            judgement = validator(MARKS, candidate)
            assert judgement is None or judgement.level in set(LEVELS.values())


def _occurrences(text: str) -> list[tuple[int, str]]:
    return [(at, word) for word in (*LEVELS, "密级") for at in range(len(text)) if text.startswith(word, at)]


@pytest.mark.parametrize("filler", ["1" * 5000, "第" * 5000, "A" * 5000, "a " * 2500, "公司" * 2500, "[" * 5000, "10年" * 2000])
@pytest.mark.parametrize(
    "mark", ["机密", "机密★", "核心商密", "密级：", "CONFIDENTIAL", "(S//NF)", "(S)\n(U)", "机密\n2020年1月1日解密\n"]
)
def test_no_line_makes_a_pattern_backtrack(detector: Detector, mark: str, filler: str) -> None:
    # A pattern that is exponential in the line would run into the test's time limit.
    found(detector, body(f"{filler}{mark}{filler}"), Part(text=f"{filler}{mark}{filler}", zone=Zone.HEADER))


def test_other_levels_listed_below_make_no_mark(detector: Detector) -> None:
    assert found(detector, body("绝密★30年\n机密★20年\n秘密★10年")) == []


def test_the_mark_itself_states_its_level_over_the_meta(detector: Detector) -> None:
    findings = found(detector, Part(text="绝密", zone=Zone.HEADER), Part(text="秘密", zone=Zone.FOOTER))
    assert {finding.level for finding in findings} == {"top-secret", "confidential"}


def test_confidence_grows_with_evidence(detector: Detector) -> None:
    bare, full = found(detector, body("机密\n报告"))[0], found(detector, body("机密★10年\n报告"))[0]
    assert bare.confidence < full.confidence


@pytest.mark.parametrize(
    ("lines", "expected"),
    [(0, (True, True)), (TOP_LINES - 1, (True, True)), (TOP_LINES, (False, True)), (20, (False, False))],
)
def test_top_and_upper_part(lines: int, expected: tuple[bool, bool]) -> None:
    text = "字\n" * lines + "机密\n"
    at = text.index("机密")
    place = place_of(MARKS, Candidate(part=body(text), text=text, start=at, end=at + 2, folded="机密", string="x"))
    assert (place.top, place.upper) == expected


@pytest.mark.corpus
def test_statutes_bear_no_mark(detector: Detector, corpus: Path) -> None:
    marked = [
        path.name
        for path in sorted((corpus / "laws").glob("*.txt"))
        if found(detector, body(path.read_text("utf-8")), Part(text=path.name, zone=Zone.FILENAME))
    ]
    assert marked == []


@pytest.mark.parametrize("gap", ["", " ", "\n"])
def test_of_a_run_of_marks_the_first_is_judged(detector: Detector, gap: str) -> None:
    findings = found(detector, body(f"机密★10年{gap}" * 3))
    assert [(one.signature, one.level, one.count) for one in findings] == [("state_secret_marking", "secret", 1)]
