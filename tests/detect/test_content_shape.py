"""The shape of documents: labels and headings count, the same words in sentences do not."""

import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlp.detect.content_shape import STEP, _window, flat, headed, window
from dlp.detect.detector import Detector
from dlp.detect.evidence import Candidate
from dlp.extract.budget import Budget
from dlp.extract.document import Document
from dlp.extract.walk import walk
from dlp.model import Finding, Limits, Part, Raw, Unscannable, Zone
from tests.helpers.documents import a_docx, a_xlsx

ROOT = Path(__file__).parents[2]
FAMILIES = ("management", "trade", "technical", "network")


@pytest.fixture(scope="module")
def detector() -> Detector:
    return Detector.load([ROOT / f"signatures/{family}.yar" for family in FAMILIES])


def candidate(text: str, word: str, zone: Zone = Zone.BODY) -> Candidate:
    start = text.index(word)
    return Candidate(part=Part(text=text, zone=zone), text=text, start=start, end=start + len(word), folded=word, string="x")


def found(detector: Detector, *pieces: Part | Raw) -> set[str]:
    scan = detector.begin()
    for piece in pieces:
        scan.add(piece)
    results = list(scan.finish())
    assert not [result for result in results if isinstance(result, Unscannable)]
    return {result.signature for result in results if isinstance(result, Finding)}


@pytest.mark.parametrize(
    ("text", "labels"),
    [
        ("项目名称：低温涂料\n负责人：张一", ["项目名称", "负责人"]),
        ("第一章 市场分析\n1.2 技术路线\n（三）投资估算\n3、结论", ["市场分析", "技术路线", "投资估算", "结论"]),
        ("项 目 名 称：甲", ["项目名称"]),
        (
            "品名 规格型号 数量 单价(元)\n轴承 6204 100 12.50",
            ["品名", "规格型号", "数量", "单价(元", "轴承", "6204", "100", "12.50"],
        ),
        ("客户,电话,账期\n甲,1,2", ["客户", "电话", "账期", "甲", "1", "2"]),
        ("客户，电话，账期", ["客户,电话,账期"]),
        ("一次合格率\t不良數量", ["一次合格率", "不良数量"]),
        ("unit price | total: 5", ["unit price", "total"]),
    ],
)
def test_labels(text: str, labels: list[str]) -> None:
    assert window(candidate(text, text[0])).labels.split("\n") == labels


@pytest.mark.parametrize(
    ("text", "is_heading"),
    [
        ("配方单", True),
        ("2026年3月配方单（讨论稿）\n内容", True),
        ("附件\n北方示范公司配方单\n", True),
        ("请填写配方单。", False),
        ("关于填写配方单，各部门注意", False),
        ("说" * 95 + "配方单", False),
        ("The 配方单 is filled in. Then it is sent", False),
    ],
)
def test_headings(text: str, is_heading: bool) -> None:
    assert headed(candidate(text, "配方单")) == is_heading
    assert headed(candidate(text, "配方单", Zone.TITLE))


FORMULA = [
    ["原料名称", "用量（%）", "供应商"],
    ["多元醇", "62.5", "甲"],
    ["扩链剂", "12.0", "乙"],
    ["催化剂", "0.5", "丙"],
    ["异氰酸酯", "25.0", "丁"],
]
PLAN = [
    "研发项目任务书",
    "项目名称：低温涂料",
    "项目负责人：张一",
    "研究内容：固化剂",
    "技术指标：80",
    "经费预算：120万元",
    "进度安排：6个月",
]


@pytest.mark.parametrize(
    ("name", "content", "signature"),
    [
        ("a.docx", a_docx(["配方编号：F-118"], table=FORMULA), "formula_table"),
        ("a.xlsx", a_xlsx({"配方": [["配方编号", "F-118"], *FORMULA]}), "formula_table"),
        ("b.docx", a_docx(PLAN), "research_plan"),
    ],
)
def test_in_documents(detector: Detector, name: str, content: bytes, signature: str) -> None:
    pieces = walk(Document(data=memoryview(content), name=name, media=None), Budget(Limits()))
    assert signature in found(detector, *(piece for piece in pieces if not isinstance(piece, Unscannable)))


def test_the_words_of_a_form_in_sentences_are_nothing(detector: Detector) -> None:
    assert (
        found(detector, Part(text="、".join(line.split("：")[0] for line in PLAN) + "应当写明，数额为120万元。", start=True))
        == set()
    )
    assert found(detector, Part(text="\n".join(f"{line.split('：')[0]}：" for line in PLAN), start=True)) == set()


def test_flat_by_example() -> None:
    assert flat("資產　負債表：１，２００．５０％ 180℃ 😀Ａ") == "资产 负债表:1,200.50% 180°c 😀a"
    assert flat("資產負債表：…") == "资产负债表:..."


def test_a_step_is_judged_once(detector: Detector) -> None:
    """A text that is nothing but headings of one kind takes time in proportion to its length."""
    text = "董事会决议\n报价单\n检测报告\n〔2026〕1号 关于\n" * 4
    spent = []
    for times in (STEP // 20, STEP // 5):
        started = time.thread_time()
        assert found(detector, Part(text=text * times, start=True)) == set()
        spent.append(time.thread_time() - started)
    assert spent[1] < 16 * spent[0] + 0.5


def test_nothing_of_an_item_is_kept(detector: Detector) -> None:
    assert found(detector, Part(text="\n".join(PLAN), start=True)) == {"research_plan"}
    assert _window.cache_info().currsize == 0


@given(text=st.text(alphabet="配方单项目名称：用量12.5%\t\n,|、。()（）1.第一章", max_size=300), cut=st.integers(0, 300))
def test_any_text_has_a_window(text: str, cut: int) -> None:
    start = min(cut, len(text))
    one = Candidate(part=Part(text=text), text=text, start=start, end=min(start + 3, len(text)), folded="", string="x")
    about = window(one)
    assert all(len(label) <= 90 for label in about.labels.split("\n"))
    assert isinstance(headed(one), bool)


@pytest.mark.corpus
def test_statutes_are_no_papers(detector: Detector, corpus: Path) -> None:
    named = [path.name for path in sorted((corpus / "laws").glob("*.txt")) if found(detector, Part(text=path.read_text("utf-8")))]
    assert named == []
