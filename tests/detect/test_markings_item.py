"""Terms, the day a mark ends, stamps that lift one, and several marks in one item."""

from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlp.detect.detector import Detector
from dlp.detect.evidence import Judgement
from dlp.detect.markings_date import date_in, own_date
from dlp.detect.markings_item import told
from dlp.detect.markings_patterns import Markings
from dlp.detect.markings_table import read_tables
from dlp.detect.markings_term import Term, parsed, term_of
from dlp.model import Finding, Mode, Part, Trail, Zone

ROOT = Path(__file__).parents[2]
TODAY = date(2026, 6, 1)
TABLES = read_tables([ROOT / "signatures/markings.toml"], [])
assert TABLES is not None
MARKS = Markings(TABLES)


@pytest.fixture(scope="module")
def detector() -> Detector:
    return Detector.load([ROOT / "signatures/markings.yar"])


def found(detector: Detector, *parts: Part) -> list[Finding]:
    scan = detector.begin()
    for part in parts:
        scan.add(part)
    return [one for one in scan.finish() if isinstance(one, Finding)]


def body(text: str, trail: Trail = ()) -> Part:
    return Part(text=text, trail=trail, start=True, page=1)


@pytest.mark.parametrize(
    ("written", "term"),
    [
        ("10年", "10年"),
        ("１０年", "10年"),
        ("三十年", "30年"),
        ("贰拾年", "20年"),
        ("一百年", "100年"),
        ("6个月", "6个月"),
        ("六个月", "6个月"),
        ("2周", "2周"),
        ("30天", "30天"),
        ("20日", "20天"),
        ("10 years", "10年"),
        ("6 months", "6个月"),
        ("长期", "长期"),
        ("永久", "长期"),
        ("2030年1月1日", "解密时间 2030-01-01"),
        ("2030-1-1", "解密时间 2030-01-01"),
        ("2030年2月", "解密时间 2030-02-28"),
        ("2030年", "解密时间 2030-12-31"),
        ("公布前", "条件 公布前"),
        ("项目结束后", "条件 项目结束后"),
    ],
)
def test_a_term_has_one_form(written: str, term: str) -> None:
    made = MARKS.term.fullmatch(written.translate({0xFF11: "1", 0xFF10: "0"}))
    assert made is not None
    assert str(term_of(written, MARKS.unlimited)) == term
    assert parsed(term) == term_of(written, MARKS.unlimited)


@pytest.mark.parametrize(
    ("term", "written", "ends"),
    [
        ("10年", date(2024, 3, 1), date(2034, 3, 1)),
        ("1年", date(2024, 2, 29), date(2025, 2, 28)),
        ("6个月", date(2024, 8, 31), date(2025, 2, 28)),
        ("2周", date(2024, 12, 25), date(2025, 1, 8)),
        ("解密时间 2030-01-01", None, date(2030, 1, 1)),
        ("10年", None, None),
        ("长期", date(2024, 3, 1), None),
        ("条件 公布前", date(2024, 3, 1), None),
        ("999年", date(9000, 3, 1), date(9999, 3, 1)),
        ("999年", date(9001, 3, 1), None),
    ],
)
def test_the_day_a_term_ends(term: str, written: date | None, ends: date | None) -> None:
    assert parsed(term).ends(written) == ends


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("机密★10年\n方案\n正文。\n某某局办公室\n2024年3月1日\n", date(2024, 3, 1)),
        ("方案\n\n某某局  二〇二四年三月十五日\n", date(2024, 3, 15)),
        ("方案\n二○二四年十二月三十一日", date(2024, 12, 31)),
        ("编号：12\n成文日期：2023-05-06\n……\n2024年3月1日\n", date(2023, 5, 6)),
        ("纪要\n2024年1月2日\n正文提到2020年1月1日发生的事情，以及其他很多内容。\n", date(2024, 1, 2)),
        ("某某办公室 2024年3月5日印发", date(2024, 3, 5)),
        ("MEMORANDUM\nDate: 12 March 2024\nTo: all\n", date(2024, 3, 12)),
        ("Report\nMarch 12, 2024\n\nWe met on 1 May 2020 and agreed on much.\n", date(2024, 3, 12)),
        ("Report\n12th Mar. 2024\n", date(2024, 3, 12)),
        ("Dated 2024/03/12\n", date(2024, 3, 12)),
        ("方案\n2024年13月1日\n", None),
        ("我们在2020年1月1日开了会，并在2021年2月2日签了合同。", None),
        ("", None),
    ],
)
def test_the_day_of_a_document(text: str, day: date | None) -> None:
    assert own_date(text) == day


@given(st.text(alphabet="二〇一年月日3 mar2024-./:\n日期dat", max_size=80))
def test_no_text_breaks_the_search_for_a_day(text: str) -> None:
    assert own_date(text) is None or date_in(text.replace("\n", " ")) is not None or date_in(text) is not None


@given(number=st.integers(1, 999), unit=st.sampled_from(["year", "month", "week", "day"]), written=st.dates(), other=st.dates())
def test_terms_come_back_and_compare(number: int, unit: str, written: date, other: date) -> None:
    term, until = Term(number=number, unit=unit), Term(until=other)
    assert parsed(str(term)) == term
    assert parsed(str(until)) == until
    assert max(term.reach(written), until.reach(written)) < Term(event="公布前").reach(written) < Term().reach(written)
    ends = term.ends(written)
    assert ends is None or (ends > written and ends.toordinal() == term.reach(written))


def test_the_end_of_a_mark_is_computed_from_the_documents_own_day(detector: Detector) -> None:
    (finding,) = found(detector, Part(text="机密★10年", zone=Zone.HEADER), body("方案\n正文。\n某某局\n2024年3月1日\n"))
    assert (finding.facts["term"], finding.facts["dated"], finding.facts["declassified_on"]) == (
        "10年",
        "2024-03-01",
        "2034-03-01",
    )
    (finding,) = found(detector, body("机密★10年\n方案"))
    assert "declassified_on" not in finding.facts
    (finding,) = found(detector, body("机密★解密时间2090年1月1日\n方案"))
    assert finding.facts["declassified_on"] == "2090-01-01"


@pytest.mark.parametrize(
    ("text", "term"),
    [
        ("份号：000031\n密级：机密\n保密期限：10年\n\n某某文件\n", "10年"),
        ("秘密\n（保密期限：5年）\n方案", "5年"),
        ("机密\n解密时间：2090年1月1日\n方案", "解密时间 2090-01-01"),
        ("SECRET\nDeclassify on: 20900101\nReport", "解密时间 2090-01-01"),
        ("TOP SECRET//SI//NOFORN\nClassified by: J. Doe\nDeclassify On: January 1, 2090\n", "解密时间 2090-01-01"),
    ],
)
def test_a_term_on_a_line_of_its_own(detector: Detector, text: str, term: str) -> None:
    assert {finding.facts.get("term") for finding in found(detector, body(text))} == {term}


def test_the_day_of_another_document_says_nothing(detector: Detector) -> None:
    findings = found(detector, body("机密★10年\n方案", ("a",)), body("信\n2024年3月1日\n", ("b",)))
    assert "dated" not in findings[0].facts


def test_an_expired_mark_is_told_and_is_a_mark_still(detector: Detector) -> None:
    (finding,) = found(detector, body("秘密★1年\n方案\n正文。\n某某局\n2020年3月1日\n"))
    assert (finding.level, finding.mode, finding.facts["expired"]) == ("confidential", Mode.ENFORCE, "2021-03-01")
    assert "declassified_on" not in finding.facts


@pytest.mark.parametrize(
    "text",
    [
        "机密★10年（2020年1月1日解密）\n方案",
        "机密★10年\n已于2020年1月1日解密\n方案",
        "2020年1月1日予以解密\n机密★10年\n方案",
        "SECRET\nDeclassified on 1 January 2020\nReport",
        "Approved for release 2020/01/01\nSECRET\nReport",
    ],
)
def test_a_dated_stamp_lifts_the_mark_beside_it(detector: Detector, text: str) -> None:
    (finding,) = found(detector, body(text))
    assert (finding.mode, finding.facts["void"]) == (Mode.SHADOW, "declassified 2020-01-01")


@pytest.mark.parametrize(
    "text",
    [
        "机密★10年\n不得于2030年1月1日前解密\n方案",
        "机密★10年\n未解密\n方案",
        "机密★10年\n解密时间：2030年1月1日\n方案",
        "机密★10年\n方案\n本目录所列各件中，有三件已经在2020年1月1日由原单位解密的事项另行通知各有关单位办理，特此说明，请各单位知悉并遵照执行。",
        "SECRET\nDeclassified on 1 January 2090\nReport",
        "SECRET\nTo be declassified on 1 January 2040\nReport",
        "SECRET\nnot declassified, 1 January 2020\nReport",
    ],
)
def test_what_speaks_of_declassifying_lifts_nothing(detector: Detector, text: str) -> None:
    assert [finding.mode for finding in found(detector, body(text))] == [Mode.ENFORCE]


def test_a_mark_lifted_never_hides_another(detector: Detector) -> None:
    text = "机密★10年\n2020年1月1日解密\n\n第一篇\n" + "正文。\n" * 40 + "机密★10年\n第二篇"
    assert sorted(finding.mode for finding in found(detector, body(text))) == [Mode.ENFORCE, Mode.SHADOW]


def test_a_compilation_tells_the_highest_mark_and_the_longest_term(detector: Detector) -> None:
    findings = found(detector, body("秘密★30年\n甲", ("a",)), body("机密★10年\n乙", ("b",)), body("报价\n", ("c",)))
    assert {finding.facts["compilation"] for finding in findings} == {"highest secret, longest term 30年"}
    findings = found(detector, body("机密★10年\n乙\n" + "正文。\n" * 60 + "机密★长期\n丙"))
    assert findings[0].facts["compilation"] == "highest secret, longest term 长期"
    assert "compilation" not in found(detector, body("机密★10年\n乙"), Part(text="机密★10年", zone=Zone.HEADER))[0].facts


def test_what_is_no_mark_is_left_as_it_is() -> None:
    judged = [((), Judgement(value="1")), ((), Judgement(value="2", level="secret", facts={"mark": "机密", "term": "1年"}))]
    first, second = told(judged, [body("信\n2026年5月1日")], TODAY)
    assert first == judged[0][1]
    assert second.facts == {"mark": "机密", "term": "1年", "dated": "2026-05-01", "declassified_on": "2027-05-01"}
    assert told(judged[:1], [], TODAY) == [judged[0][1]]
