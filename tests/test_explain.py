"""Why there is a finding, said in both languages, and never with content in it."""

import re
import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlp.detect.checks import CHECKS
from dlp.detect.detector import Detector
from dlp.detect.validators import NAMES
from dlp.explain import Explain, sentence
from dlp.model import Finding, Mode, Part, Zone
from dlp.redact import mask
from tests.detect.rules import META, rule, written

ROOT = Path(__file__).parents[1]
ID = "110101199003077432"
FULL = Finding(
    signature="cn_id",
    confidence=95,
    count=3,
    trail=("a.zip", "b.docx"),
    zone=Zone.HEADER,
    excerpt="11**************32",
    facts={"checks": "check digit, date", "near": "身份证", "string": "whole", "page": "2", "lines": "7"},
)


def test_a_sentence_says_what_where_by_what_and_which_checks() -> None:
    assert sentence(FULL, "Identity number", "en") == (
        "Identity number: in a.zip / b.docx (header, page 2); 3 distinct matches such as “11**************32”; "
        "by the rule's $whole; near “身份证”; checked: check digit, date; lines: 7; confidence 95."
    )
    assert sentence(FULL, "身份证号码", "zh") == (
        "身份证号码：在a.zip / b.docx 的页眉第 2 页；3 处不同的匹配，如“11**************32”；"
        "匹配规则字符串 $whole；邻近“身份证”；"
        "已核验：校验位、日期；行数：7；可信度 95。"
    )


def test_what_is_not_known_is_left_out_and_shadow_and_review_are_said() -> None:
    plain = Finding(signature="word", mode=Mode.SHADOW, facts={"review": "false-positive"})
    assert sentence(plain, "", "en") == (
        "word: in the item itself (body); 1 match; confidence 100; counted, not acted on (shadow); marked as a false positive."
    )
    assert sentence(plain, "", "zh") == "word：在正文；1 处不同的匹配；可信度 100；只计数，不处置（shadow）；已判为误报。"


def test_the_languages_and_titles_of_a_profile() -> None:
    explain = Explain({"en": {"cn_id": "Identity number"}, "zh": {}}, ("zh", "en"))
    why = explain.why(FULL)
    assert list(why) == ["zh", "en"]
    assert why["zh"].startswith("cn_id：")
    assert why["en"].startswith("Identity number: ")
    assert "11**" not in "".join(explain.why(FULL, excerpt=False).values())


@given(
    text=st.text(max_size=80),
    facts=st.dictionaries(st.text(max_size=64), st.text(max_size=64), max_size=8),
    zone=st.sampled_from(Zone),
    count=st.integers(1, 9),
)
def test_any_finding_has_one_line_in_each_language(text: str, facts: dict[str, str], zone: Zone, count: int) -> None:
    finding = Finding(signature="x", trail=(text,), zone=zone, facts=facts, count=count, excerpt=mask(text))
    for line in Explain({}).why(finding).values():
        assert line.splitlines() == [line]
        assert line.startswith("x")


def found(*pieces: Part, paths: list[Path]) -> list[Finding]:
    scan = Detector.load(paths).begin()
    for piece in pieces:
        scan.add(piece)
    return [one for one in scan.finish() if isinstance(one, Finding)]


def test_what_the_shipped_signatures_say_holds_no_content() -> None:
    canary = "Zanzibar-Klondike"
    text = f"{canary}的身份证号：{ID}，联系电话 13912345678，{canary}。\n机密★10年\n"
    findings = found(Part(text=text, start=True, page=1), paths=[ROOT / "signatures"])
    assert {"cn_id", "cn_mobile"} <= {one.signature for one in findings}
    for one in findings:
        assert one.facts["page"] == "1"
        said = " ".join([*Explain({}).why(one).values(), *one.facts.values()])
        for secret in (ID, ID[:12], "13912345678", canary, "Zanzibar"):
            assert secret not in said
    (number,) = [one for one in findings if one.signature == "cn_id"]
    assert number.facts["checks"] == CHECKS["cn_id"]


@pytest.mark.parametrize(("text", "word"), [("budget: abc", "budget"), ("abc (Budgets)", "budgets"), ("abc 预算", "预算")])
def test_the_word_close_by_is_told(tmp_path: Path, text: str, word: str) -> None:
    path = written(tmp_path, rule("plan", meta=META + ' near = "budget|预算"'))
    (finding,) = found(Part(text=text), paths=[path])
    assert finding.facts == {"near": word}


def test_a_heading_of_the_column_is_told(tmp_path: Path) -> None:
    path = written(tmp_path, rule("plan", '$marker = "abc"', meta=META + ' near = "预算"'))
    (finding,) = found(Part(text="预算\n" + "x" * 200 + "\nabc\n"), paths=[path])
    assert finding.facts == {"near": "预算", "string": "marker"}


def test_what_a_validator_checks_is_said_of_all_validators_there_are() -> None:
    assert set(CHECKS) == set(NAMES)
    assert all(len(said) <= 64 for said in CHECKS.values())


def test_every_check_and_every_name_of_evidence_has_its_chinese() -> None:
    evidence = tomllib.loads((ROOT / "signatures/markings.toml").read_text("utf-8"))["evidence"]
    words = {word.strip() for said in CHECKS.values() for word in said.split(",")} | set(evidence)
    finding = Finding(signature="x", facts={"checks": ", ".join(sorted(words))})
    told = sentence(finding, "", "zh")
    assert [word for word in words if not word.isupper() and re.search(rf"(?<![\w-]){re.escape(word)}(?![\w-])", told)] == []
