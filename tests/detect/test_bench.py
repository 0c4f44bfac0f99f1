"""The bench refuses what is not well made, and reads the cases."""

from pathlib import Path

import pytest

from dlp.detect import bench
from dlp.detect.cost import source_of
from dlp.errors import SignatureError
from tests.detect.rules import META, rule, written

WORD = rule("word", '$a = "marker"')
GOOD = "word:\n  hits: [a marker here]\n  near_misses: [a make here]\n"


def whats(folder: Path, tests: Path | None) -> list[str]:
    return [fault.what for fault in bench.lint([folder], tests)]


@pytest.fixture
def shipped(tmp_path: Path) -> Path:
    (tmp_path / "signatures").mkdir()
    (tmp_path / "tests").mkdir()
    return tmp_path


def test_a_signature_with_hits_and_near_misses_passes(shipped: Path) -> None:
    written(shipped / "signatures", WORD)
    written(shipped / "tests", GOOD, "rules.yml")
    assert whats(shipped / "signatures", shipped / "tests") == []


@pytest.mark.parametrize(
    ("cases", "what"),
    [
        ("word:\n  hits: [a marker here]\n", "has no near misses"),
        ("word:\n  near_misses: [none]\n", "has no hits"),
        (GOOD + "wrd:\n  hits: [x]\n", "there is no signature of this name"),
        ("word:\n  hits: [{txt: x}]\n", "unknown key 'txt'; known: text, zone, name, raw_base64, level, count"),
        ("word:\n  near_misses: [{text: x, level: secret}]\n", "a near miss has neither level nor count"),
        ("word:\n  hits: [{text: x, zone: attic}]\n", "'attic' is not a valid Zone"),
        ("word:\n  hits: [{raw_base64: '!'}]\n", "its raw_base64 is not base64"),
        ("word:\n  hits: [{zone: body}]\n", "has none of text, name, raw_base64"),
        ("word: [a]\n", "is not a mapping of hits and near_misses"),
        ("- a\n", "is no mapping of signatures to cases"),
        ("word: [", "cannot be read: ParserError"),
    ],
)
def test_what_is_wrong_with_cases(shipped: Path, cases: str, what: str) -> None:
    written(shipped / "signatures", WORD)
    written(shipped / "tests", cases, "rules.yml")
    assert what in whats(shipped / "signatures", shipped / "tests")


def test_a_shipped_signature_without_a_file_of_cases_is_refused(shipped: Path) -> None:
    written(shipped / "signatures", WORD)
    assert whats(shipped / "signatures", shipped / "tests") == ["has no hits", "has no near misses"]


def test_an_operators_signature_without_cases_is_only_warned_of(shipped: Path) -> None:
    (shipped / "own").mkdir()
    written(shipped / "signatures", WORD)
    written(shipped / "tests", GOOD, "rules.yml")
    written(shipped / "own", rule("theirs"))
    paths = [shipped / "signatures", shipped / "own"]
    assert bench.lint(paths, shipped / "tests") == []
    assert [(fault.key, fault.what) for fault in bench.warnings(paths, shipped / "tests")] == [
        ("theirs", "has no hits"),
        ("theirs", "has no near misses"),
    ]


@pytest.mark.parametrize("name", ["rules.yml", "rules.tests.yml"])
def test_an_operators_cases_lie_beside_the_rules(tmp_path: Path, name: str) -> None:
    written(tmp_path, WORD)
    written(tmp_path, GOOD, name)
    assert bench.warnings([tmp_path]) == []
    assert [(result.case.key, result.passed) for result in bench.test([tmp_path])] == [
        ("word.hits[1]", True),
        ("word.near_misses[1]", True),
    ]


def test_faults_of_loading_are_faults_of_lint(tmp_path: Path) -> None:
    written(tmp_path, "rule {")
    assert "does not compile" in whats(tmp_path, None)[0]


def test_a_rule_that_costs_too_much_is_refused(tmp_path: Path) -> None:
    written(tmp_path, rule("dear", "$a = /[a-z]+[0-9]/"))
    assert bench.lint([tmp_path], costs=False) == []
    (fault,) = bench.lint([tmp_path])
    assert "times the empty rule" in fault.what
    assert "literal" in fault.remedy


def test_the_forms_of_a_case(tmp_path: Path) -> None:
    meta = META.replace("category", "level").replace("other", "secret")
    written(tmp_path, rule("word", "$a = /marker[0-9]/ nocase", meta=meta))
    cases = """
word:
  hits:
    - MARKER1
    - {text: marker1, zone: header, level: secret, count: 1}
    - {name: marker1.txt}
    - {raw_base64: AE1BUktFUjE=}
    - {text: marker1, level: top-secret}
    - {text: marker1, count: 2}
    - nothing
  near_misses:
    - marker
    - marker1
"""
    written(tmp_path, cases, "rules.yml")
    assert [result.why for result in bench.test([tmp_path])] == [
        "",
        "",
        "",
        "",
        "was found as secret, not as top-secret",
        "was found 1 times, not 2",
        "was not found",
        "",
        "was found, and must not be",
    ]


def test_unreadable_cases_are_no_result(tmp_path: Path) -> None:
    written(tmp_path, WORD)
    written(tmp_path, "word: [", "rules.yml")
    with pytest.raises(SignatureError):
        bench.test([tmp_path])


def test_a_rule_is_measured_with_those_it_names(tmp_path: Path) -> None:
    source = 'import "math"\n' + rule("base") + rule("middle", "", "base") + rule("spare") + rule("top", "", "middle and true")
    path = written(tmp_path, source)
    alone = source_of(path, "top")
    assert alone == 'import "math"\n' + rule("base") + rule("middle", "", "base") + rule("top", "", "middle and true")
