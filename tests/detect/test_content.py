"""Business content: told by different words that stand together, never by one of them."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlp.detect.cases import Case, read_cases
from dlp.detect.content import CONTENT_VALIDATORS, flat
from dlp.detect.detector import Detector
from dlp.detect.evidence import Candidate
from dlp.extract.budget import Budget
from dlp.extract.document import Document
from dlp.extract.walk import walk
from dlp.model import Finding, Limits, Part, Raw, Unscannable, Zone
from tests.helpers.documents import a_docx, a_xlsx

ROOT = Path(__file__).parents[2]
FAMILIES = ("finance", "personnel", "contracts", "source_code")
READ = [read_cases(ROOT / f"tests/signatures/{family}.yml") for family in FAMILIES]
CASES = [case for cases, _ in READ for case in cases]


@pytest.fixture(scope="module")
def detector() -> Detector:
    return Detector.load([ROOT / f"signatures/{family}.yar" for family in FAMILIES])


def found(detector: Detector, *pieces: Part | Raw) -> list[Finding]:
    scan = detector.begin()
    for piece in pieces:
        scan.add(piece)
    results = list(scan.finish())
    assert not [result for result in results if isinstance(result, Unscannable)]
    return [result for result in results if isinstance(result, Finding)]


def test_cases_can_be_read() -> None:
    assert not [fault for _, faults in READ for fault in faults]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.key)
def test_case(detector: Detector, case: Case) -> None:
    findings = found(detector, *case.pieces)
    if case.hit:
        assert case.signature in {finding.signature for finding in findings}
    else:
        assert findings == []


PAY = [
    ["工号", "姓名", "部门", "基本工资", "绩效工资", "社保", "个税", "实发工资"],
    ["001", "张一", "生产部", 6000, 2100, 640, 120, 6860],
    ["002", "李二", "质检部", 5800, 1900, 610, 90, 6540],
    ["003", "王三", "销售部", 5000, 4100, 590, 150, 7920],
]
BALANCE = [
    ["项目", "期末余额", "年初余额"],
    ["货币资金", "1,204,551.20", "998,120.00"],
    ["应收账款", "3,500,120.55", "2,998,000.10"],
    ["存货", "870,332.10", "910,500.00"],
    ["流动资产合计", "5,575,003.85", "4,906,620.10"],
    ["资产总计", "17,775,003.85", "17,806,620.10"],
    ["负债合计", "6,120,400.00", "6,777,010.00"],
]


@pytest.mark.parametrize(
    ("name", "content", "category"),
    [
        ("pay.xlsx", a_xlsx({"工资表": PAY}), "personnel-files"),
        ("pay.docx", a_docx(["工资表"], table=[[str(cell) for cell in row] for row in PAY]), "personnel-files"),
        ("balance.xlsx", a_xlsx({"资产负债表": [["资产负债表"], *BALANCE]}), "financial-statements"),
        ("balance.docx", a_docx(["资产负债表"], table=BALANCE), "financial-statements"),
    ],
)
def test_tables_in_documents(detector: Detector, name: str, content: bytes, category: str) -> None:
    pieces = walk(Document(data=memoryview(content), name=name, media=None), Budget(Limits()))
    findings = found(detector, *(piece for piece in pieces if not isinstance(piece, Unscannable)))
    assert {finding.category for finding in findings} == {category}


@pytest.mark.parametrize(
    "text",
    [
        "资产负债表 " * 3000,
        "甲方：" * 3000,
        "基本工资\n" * 3000,
        "def f(x):\n" * 3000,
        "by and between " * 3000,
        "净利润 1,000.00\n" * 3000,
        "被考核人 " * 3000,
    ],
)
def test_one_word_repeated_is_nothing(detector: Detector, text: str) -> None:
    assert found(detector, Part(text=text, start=True)) == []


def test_a_statement_needs_its_figures(detector: Detector) -> None:
    rows = "\n".join(row[0] for row in BALANCE)
    assert found(detector, Part(text=f"资产负债表\n{rows}")) == []


def test_a_run_is_judged_at_its_first(detector: Detector) -> None:
    text = "资产负债表\n" + "\n".join("\t".join(row) for row in BALANCE)
    once, twice = found(detector, Part(text=text)), found(detector, Part(text=text + "\n" + text))
    assert len(once) == len(twice) == 1


def test_code_in_a_hidden_place_is_not_judged(detector: Detector) -> None:
    code = next(case for case in CASES if case.signature == "source_code" and case.hit).pieces[0]
    assert isinstance(code, Part)
    assert found(detector, Part(text=code.text, zone=Zone.BODY))
    assert found(detector, Part(text=code.text, zone=Zone.RAW)) == []


@given(
    text=st.text(alphabet="甲乙方：资产负债表合计净利润工资姓名1,0.9\n\t (){}=;defa_#_-", max_size=200),
    cut=st.integers(0, 200),
    zone=st.sampled_from(list(Zone)),
)
def test_validators_take_any_text(text: str, cut: int, zone: Zone) -> None:
    start = min(cut, len(text))
    end = min(start + 4, len(text))
    candidate = Candidate(
        part=Part(text=text, zone=zone), text=text, start=start, end=end, folded=flat(text[start:end]), string="x"
    )
    for validator in CONTENT_VALIDATORS.values():
        judgement = validator(candidate)
        assert judgement is None or 0 <= (judgement.confidence or 0) <= 99


@pytest.mark.corpus
def test_statutes_are_no_business_content(detector: Detector, corpus: Path) -> None:
    named = [path.name for path in sorted((corpus / "laws").glob("*.txt")) if found(detector, Part(text=path.read_text("utf-8")))]
    assert named == []
