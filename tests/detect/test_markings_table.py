"""`markings.toml`: checked whole, added to by an operator's own, and what it says is what is found."""

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlp.detect import bench
from dlp.detect.detector import Detector
from dlp.detect.markings_notation import Malformed, alternatives, pattern
from dlp.detect.markings_table import read_tables
from dlp.errors import Fault, SignatureError
from dlp.model import Finding, Part, Zone
from tests.detect.rules import rule, written

ROOT = Path(__file__).parents[2]
SHIPPED = ROOT / "signatures/markings.yar"
MARKED = 'title = "A" title_zh = "甲" category = "other" confidence = 50 validator = "banner_mark"'


def detector(folder: Path, source: str) -> Detector:
    """The shipped marks with an operator's own in `folder`."""
    written(folder, source, "markings.toml")
    return Detector.load([SHIPPED, folder])


def found(loaded: Detector, text: str, zone: Zone = Zone.BODY) -> list[tuple[str, str | None]]:
    scan = loaded.begin()
    scan.add(Part(text=text, zone=zone, start=True, page=1))
    return [(one.signature, one.level) for one in scan.finish() if isinstance(one, Finding)]


def faults(folder: Path, source: str) -> list[str]:
    with pytest.raises(SignatureError) as caught:
        detector(folder, source)
    path = str(folder / "markings.toml")
    assert all(fault.where == path and fault.remedy for fault in caught.value.faults)
    return [f"{fault.key}: {fault.what} ({fault.remedy})" for fault in caught.value.faults]


def test_a_mark_of_ones_own_is_looked_for_and_judged_as_any_other(tmp_path: Path) -> None:
    own = detector(tmp_path, '[levels]\n"内控" = "internal"\n"xyz group restricted" = "secret"\n')
    assert found(own, "内控\n\n采购方案") == [("own_marking", "internal")]
    assert found(own, "【内控】下季度报价", Zone.SUBJECT) == [("own_marking", "internal")]
    assert found(own, "公司内控制度由审计部负责。") == []
    assert found(own, "内控管理办法\n第一条 为加强内控，制定本办法。") == []
    marked = found(own, "XYZ Group Restricted\n\nPlan")
    assert {level for _, level in marked} == {"secret"}, "the longest mark that stands there states the level"
    assert ("own_marking", "secret") in marked
    assert found(own, "The xyz group restricted its offer.") == []


def test_a_key_replaces_a_list_grows_and_a_word_goes(tmp_path: Path) -> None:
    assert found(detector(tmp_path, '[levels]\n"商密" = "secret"\n'), "商密★5年\n方案") == [("trade_secret_marking", "secret")]
    assert found(detector(tmp_path, '[levels]\n"商密" = ""\n'), "商密★5年\n方案") == []
    assert found(detector(tmp_path, "[points]\nthreshold = 100\n"), "绝密★长期\n方案") == []
    assert found(Detector.load([SHIPPED]), "联合体 普通商密\n方案") == []
    assert found(detector(tmp_path, '[words]\nowners = ["联合体"]\n'), "联合体 普通商密\n方案") != []
    assert found(Detector.load([SHIPPED]), "机密\n\n这款游戏的剧情设定") == []
    game = detector(tmp_path, '[words]\nfiction = ["-游戏", "-剧情"]\n')
    assert found(game, "机密\n\n这款游戏的剧情设定") == [("classification_banner", "secret")]


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("[levles]\n", "levles: unknown key (did you mean 'levels'?)"),
        ("levels = 3\n", "levels: is no table (write [levels] and its keys below)"),
        ('[levels]\n"内控" = 3\n', "levels.内控: is no id of a level"),
        ('[levels]\n"内控" = "confidental"\n', "levels.内控: unknown level 'confidental' (did you mean 'confidential'?)"),
        ('[levels]\n"內控" = "internal"\n', "levels.內控: is not in normalised form (write '内控')"),
        ('[levels]\n"AB" = "internal"\n', "levels.AB: is not in normalised form (write 'ab')"),
        ('[levels]\n"ab" = "internal"\n', "levels.ab: is too short"),
        ('[levels]\n"密" = "internal"\n', "levels.密: is too short"),
        ('[levels]\n"绝秘" = ""\n', "levels.绝秘: takes '绝秘' away, which is not there (did you mean '绝密'?)"),
        ("[zones]\nheadr = 3\n", "zones.headr: unknown key (did you mean 'header'?)"),
        ("[points]\nthreshold = 0\n", "points.threshold: is 0, at which every word would be a mark (write 5)"),
        ("[doubts]\npolicy = -1\n", "doubts.policy: is no number of points"),
        ("[doubts]\npolicy = true\n", "doubts.policy: is no number of points"),
        ('[evidence]\nstar = "4"\n', "evidence.star: is no number of points"),
        ('[words]\nowner = ["a"]\n', "words.owner: unknown key (did you mean 'owners'?)"),
        ('[words]\nowners = "集团"\n', "words.owners: is no list of words"),
        ('[words]\nowners = ["a(b"]\n', "words.owners[0]: has '(' out of place"),
        ('[words]\nowners = ["x", "(a)?"]\n', "words.owners[1]: would match nothing at all"),
        ('[words]\nowners = ["-没有"]\n', "words.owners[0]: takes '没有' away, which is not there"),
        ("levels = [\n", ": is not valid TOML"),
    ],
)
def test_what_is_wrong_is_refused_with_its_key(tmp_path: Path, source: str, expected: str) -> None:
    assert [said for said in faults(tmp_path, source) if said.startswith(expected)], faults(tmp_path, source)


def test_every_fault_is_told_at_once(tmp_path: Path) -> None:
    assert len(faults(tmp_path, '[levels]\n"ab" = "internal"\n[points]\nthreshold = 0\n[zones]\nx = 1\n')) == 3


def test_the_first_file_is_whole(tmp_path: Path) -> None:
    first = written(tmp_path, '[levels]\n"机密" = "secret"\n', "markings.toml")
    wrong: list[Fault] = []
    assert read_tables([first], wrong) is None
    assert {fault.key for fault in wrong} > {"zones.body", "points.threshold", "evidence.star", "doubts.policy", "words.owners"}


def test_a_signature_that_needs_the_tables_says_so(tmp_path: Path) -> None:
    with pytest.raises(SignatureError, match=r"its validator needs a markings\.toml"):
        Detector.load([written(tmp_path, rule("marked", meta=MARKED))])
    assert Detector.load([written(tmp_path, rule("plain"))])


def test_marks_of_ones_own_have_cases_beside_them(tmp_path: Path) -> None:
    written(tmp_path, '[levels]\n"内控" = "internal"\n', "markings.toml")
    written(tmp_path, 'own_marking:\n  hits: ["内控\\n方案", "没有"]\n  near_misses: ["内控制度"]\n', "markings.yml")
    assert bench.lint([SHIPPED, tmp_path]) == []
    assert not bench.measured(Detector.load([SHIPPED, tmp_path]).signatures["own_marking"]).excessive
    own = {result.case.key: result.passed for result in bench.test([SHIPPED, tmp_path]) if result.case.signature == "own_marking"}
    assert own == {"own_marking.hits[1]": True, "own_marking.hits[2]": False, "own_marking.near_misses[1]": True}


@given(word=st.text(alphabet="ab|()?*#\\ 密.+[", max_size=12), text=st.text(alphabet="ab密1 ", max_size=12))
def test_a_word_is_refused_or_a_bounded_pattern(word: str, text: str) -> None:
    try:
        made = pattern(word)
    except Malformed:
        return
    assert re.fullmatch(alternatives([word, "zz"]), "zz")
    assert re.fullmatch(made, "") is None
    found = re.match(made, text + "b" * 1000)
    assert found is None or len(found[0]) <= 12 * len(word)


@pytest.mark.parametrize(
    ("word", "matching", "other"),
    [
        ("(a|bc)d", ["ad", "bcd"], ["d", "abcd"]),
        ("a(b)?c", ["ac", "abc"], ["abbc"]),
        ("只限*", ["只限", "只限领导"], ["限"]),
        ("season #", ["season 12"], ["season x"]),
        (r"\(c\)", ["(c)"], ["c"]),
        ("u.s.", ["u.s."], ["uxsx"]),
    ],
)
def test_notation(word: str, matching: list[str], other: list[str]) -> None:
    assert all(re.fullmatch(pattern(word), text) for text in matching)
    assert not any(re.fullmatch(pattern(word), text) for text in other)
