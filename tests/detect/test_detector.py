"""The lanes, the condition over the whole item, and what makes a candidate count."""

from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dlp.detect import detector as module
from dlp.detect.detector import Detector
from dlp.model import Finding, Mode, Part, Raw, Unscannable, Why, Zone
from tests.detect.rules import META, rule, written

ID = "110101199003077432"
OTHER_ID = "310104198702170048"


def scanned(folder: Path, source: str, *pieces: Part | Raw) -> list[Finding | Unscannable]:
    scan = Detector.load([written(folder, source)]).begin()
    for piece in pieces:
        scan.add(piece)
    return list(scan.finish())


def found(folder: Path, source: str, *pieces: Part | Raw) -> list[Finding]:
    results = scanned(folder, source, *pieces)
    assert not [result for result in results if isinstance(result, Unscannable)]
    return [result for result in results if isinstance(result, Finding)]


def meta(*more: str) -> str:
    return " ".join((META, *more))


def test_a_finding_tells_what_and_where(tmp_path: Path) -> None:
    text = "第一行\n这里有機 密 計 劃一份，又有机密计划。"
    part = Part(text=text, trail=("a.zip", "b.txt"), zone=Zone.NOTE)
    (finding,) = found(tmp_path, rule("plan", '$a = "机密计划"', meta=meta('mode = "shadow"')), part)
    assert finding == Finding(
        signature="plan",
        category="other",
        confidence=50,
        count=1,
        trail=("a.zip", "b.txt"),
        zone=Zone.NOTE,
        offset=text.index("機"),
        excerpt="*" * 7,
        mode=Mode.SHADOW,
    )


def test_a_condition_is_asked_over_the_whole_item(tmp_path: Path) -> None:
    source = rule("both", '$a = "alpha" $b = "beta"', "all of them")
    pieces = [Part(text="ALPHA", trail=("1",)), Part(text="then beta", trail=("2",))]
    assert found(tmp_path, source, pieces[0]) == []
    assert [(finding.trail, finding.count, finding.offset) for finding in found(tmp_path, source, *pieces)] == [
        (("1",), 1, 0),
        (("2",), 1, 5),
    ]


def test_no_phrase_runs_from_one_part_into_the_next(tmp_path: Path) -> None:
    source = rule("phrase", '$a = "机密" $b = /alpha\\s+beta/')
    assert found(tmp_path, source, Part(text="机"), Part(text="密"), Part(text="alpha"), Part(text="beta")) == []


def test_a_match_that_runs_over_ends_with_its_part(tmp_path: Path) -> None:
    source = rule("long", "$a = /alpha[^z]{1,20}/")
    (finding,) = found(tmp_path, source, Part(text="密 alpha one"), Part(text="two"))
    assert finding.excerpt == "al*****ne"


def test_the_lanes(tmp_path: Path) -> None:
    pieces = [Part(text="marker", trail=("t",)), Part(text="marker.doc", trail=("n",), zone=Zone.FILENAME)]
    raw = Raw(data=memoryview(b"\x00\x01marker"), trail=("r",))
    for on, expected in (("text", Zone.BODY), ("name", Zone.FILENAME), ("raw", Zone.RAW)):
        source = rule("m", '$a = "marker"', meta=meta(f'on = "{on}"'))
        (finding,) = found(tmp_path, source, *pieces, raw)
        assert finding.zone is expected
        assert finding.offset == (2 if on == "raw" else 0)
    assert len(found(tmp_path, rule("m", '$a = "marker"'), *pieces, raw)) == 3


def test_text_and_bytes_of_one_file_are_one_finding(tmp_path: Path) -> None:
    (finding,) = found(tmp_path, rule("m", '$a = "机密" nocase'), Raw(data="机密".encode()), Part(text="机密"))
    assert (finding.zone, finding.count) == (Zone.BODY, 1)


def test_bytes_are_matched_as_they_are(tmp_path: Path) -> None:
    source = rule("cased", '$a = "CamelCase"', meta=meta('on = "raw"'))
    assert found(tmp_path, source, Raw(data=b"camelcase")) == []
    assert found(tmp_path, source, Raw(data=b"x CamelCase"))[0].offset == 2


def test_zones(tmp_path: Path) -> None:
    source = rule("m", '$a = "marker"', meta=meta('zone = "header|footer"'))
    assert found(tmp_path, source, Part(text="marker")) == []
    assert found(tmp_path, source, Part(text="marker", zone=Zone.FOOTER))[0].zone is Zone.FOOTER


def test_count_is_of_distinct_values_and_asked_over_the_item(tmp_path: Path) -> None:
    source = rule("ids", "$a = /[0-9]{18}/", meta=meta('validator = "cn_id" min_count = 2'))
    twice = Part(text=f"{ID} and {ID} again, not 110101199003077431", trail=("a",))
    other = Part(text=OTHER_ID, trail=("b",))
    assert found(tmp_path, source, twice) == []
    assert [(finding.trail, finding.count) for finding in found(tmp_path, source, twice, other)] == [(("a",), 1), (("b",), 1)]


@pytest.mark.parametrize(
    ("text", "there"),
    [
        ("手机 7654321", True),
        ("7654321（手機）", True),
        ("手机" + "的" * 58 + "7654321", True),
        ("手机" + "的" * 59 + "7654321", False),
        ("phones: 7654321", True),
        ("headphone 7654321", False),
        ("姓名\t手机\n" + "甲\t1\n" * 60 + "乙\t7654321\n", True),
        ("姓名\t手机\n" + "甲\t1\n" * 60 + "乙 7654321 号\n", False),
    ],
)
def test_near(tmp_path: Path, text: str, there: bool) -> None:
    source = rule("n", '$a = "7654321"', meta=meta('near = "手机|phone"'))
    assert bool(found(tmp_path, source, Part(text=text))) is there


def test_a_condition_without_strings_is_about_the_whole(tmp_path: Path) -> None:
    source = rule("big", "", "filesize > 3", meta=meta('on = "text"'))
    (finding,) = found(tmp_path, source, Part(text="four"))
    assert (finding.trail, finding.offset, finding.excerpt) == ((), 0, "")
    assert found(tmp_path, source, Part(text="3")) == []


def test_a_private_rule_finds_nothing_by_itself(tmp_path: Path) -> None:
    source = 'private rule base { strings: $a = "abc" condition: $a }\n' + rule("uses", '$b = "def"', "base and $b")
    assert found(tmp_path, source, Part(text="abc")) == []
    assert [finding.signature for finding in found(tmp_path, source, Part(text="abc def"))] == ["uses"]


def test_the_level_a_marking_states_wins_and_levels_stand_apart(tmp_path: Path) -> None:
    root = Path(__file__).parents[2] / "signatures" / "markings.yar"
    scan = Detector.load([root]).begin()
    scan.add(Part(text="绝密★30年", zone=Zone.HEADER))
    scan.add(Part(text="秘密★5年", zone=Zone.FOOTER))
    levels = {finding.level for finding in scan.finish() if isinstance(finding, Finding)}
    assert {"top-secret", "confidential"} <= levels


def test_more_findings_than_are_listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_FINDINGS", 3)
    results = scanned(tmp_path, rule("m", '$a = "marker"'), *(Part(text="marker", trail=(str(i),)) for i in range(4)))
    assert [type(result) for result in results] == [Finding, Finding, Finding, Unscannable]
    assert isinstance(results[-1], Unscannable) and results[-1].why is Why.TOO_MANY


def test_more_candidates_than_are_judged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_JUDGED", 3)
    results = scanned(tmp_path, rule("m", '$a = "marker"'), Part(text="marker " * 4))
    assert {type(result) for result in results} == {Finding, Unscannable}


def test_more_matches_than_the_engine_keeps(tmp_path: Path) -> None:
    results = scanned(tmp_path, rule("m", '$a = "a"', meta=meta('validator = "cn_id" on = "text"')), Part(text="a" * 1_000_001))
    assert {result.why for result in results if isinstance(result, Unscannable)} == {Why.TOO_MANY}


def test_an_engine_out_of_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SECONDS", 1)
    source = rule("slow", "$a = /a[a0]{1,900}z/", meta=meta('on = "text"'))
    (result,) = scanned(tmp_path, source, Part(text="a0" * 3_000_000))
    assert isinstance(result, Unscannable) and result.why is Why.TIMEOUT


def test_parts_and_characters_are_counted(tmp_path: Path) -> None:
    scan = Detector.load([written(tmp_path, rule("m"))]).begin()
    for piece in (Part(text="一二三"), Part(text="ab", zone=Zone.FILENAME), Raw(data=b"bytes")):
        scan.add(piece)
    assert (scan.parts, scan.text_chars) == (2, 5)


def test_an_empty_item_has_no_findings(tmp_path: Path) -> None:
    assert found(tmp_path, rule("m")) == []
    assert found(tmp_path, rule("m"), Part(text=""), Raw(data=b"")) == []


@pytest.fixture(scope="module")
def needle(tmp_path_factory: pytest.TempPathFactory) -> Detector:
    return Detector.load(
        [written(tmp_path_factory.mktemp("rules"), rule("needle", '$a = "财务报表x7"', meta=meta('on = "text"')))]
    )


HAY = st.text(alphabet="的一是㎏ﬁ密é\u200b 😀\ud800aZ.\n", max_size=30)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(HAY, HAY), min_size=1, max_size=5))
def test_a_place_is_found_again_in_its_part(needle: Detector, hays: Sequence[tuple[str, str]]) -> None:
    """Whatever stands around it, however much folding shifts, trail and offset point at the very characters."""
    spelt = "財 务报\u200b表X7"
    scan = needle.begin()
    for number, (before, after) in enumerate(hays):
        scan.add(Part(text=f"{before}9{spelt}9{after}", trail=(str(number),)))
    findings = [finding for finding in scan.finish() if isinstance(finding, Finding)]
    assert [finding.trail for finding in findings] == [(str(number),) for number in range(len(hays))]
    assert [finding.offset for finding in findings] == [len(before) + 1 for before, _ in hays]
