"""Code names: what is found of declared lists, and what of a code can be guessed."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dlp import columns
from dlp.detect import codenames
from dlp.detect.codenames import CodeNames, NameList, letters, open_codenames, too_short
from dlp.detect.codenames_lint import weaknesses
from dlp.detect.keyed import sealed
from dlp.detect.normalise import fold
from dlp.detect.register import Seen
from dlp.errors import ConfigError
from dlp.model import Finding, Part, Trail, Unscannable, Why, Zone

KEY = bytes(range(32))
PAIRS = (("聚四氢呋喃醚二醇", "K7Q2XW"), ("PolyTHF 2000", "ZM41RT"), ("猎鹰", "F-3"), ("Blue Heron", ""))


def a_list(pairs: Sequence[Sequence[str]] = PAIRS, *, forbidden: bool = True, expires: str | None = None) -> NameList:
    return NameList(title="原料", level="top-secret", owner="lab", forbidden=forbidden, expires=expires, pairs=pairs)


def looked(register: CodeNames, *parts: Part | str, names: Sequence[str] = ()) -> list[Finding | Unscannable]:
    pieces = [Part(text=part, trail=(str(at),)) if isinstance(part, str) else part for at, part in enumerate(parts)]
    files = [Part(text=name, zone=Zone.FILENAME) for name in names]
    texts, named = ([(part, fold(part.text)) for part in group] for group in (pieces, files))
    return list(register.findings(Seen(texts=texts, names=named, files=[])))


def found(register: CodeNames, *parts: Part | str, names: Sequence[str] = ()) -> list[tuple[str, str, Trail]]:
    """Kind, numbers of the pairs, trail."""
    results = looked(register, *parts, names=names)
    assert not [one for one in results if isinstance(one, Unscannable)]
    return [(one.facts["kind"], one.facts["names"], one.trail) for one in results if isinstance(one, Finding)]


REGISTER = CodeNames(["c1"], [a_list()])


def test_a_real_name_is_found_where_only_its_code_belongs() -> None:
    text = "工艺单：投料 聚四氫呋喃醚 二醇 20kg"
    (finding,) = looked(REGISTER, Part(text=text, trail=("a.docx",), zone=Zone.NOTE))
    assert finding == Finding(
        signature="code_name",
        level="top-secret",
        confidence=90,
        trail=("a.docx",),
        zone=Zone.NOTE,
        offset=text.index("聚"),
        excerpt="*" * 9,
        facts={"entry": "c1", "kind": "real-name", "names": "1", "title": "原料", "owner": "lab"},
    )


def test_a_code_alone_is_nothing() -> None:
    assert found(REGISTER, "投料 K7Q2XW 20kg, ZM41RT, F-3") == []


def test_name_and_code_anywhere_in_an_item_are_a_pair() -> None:
    assert found(REGISTER, "猎鹰", "f 3") == [("pair", "3", ("0",)), ("real-name", "3", ("0",))]
    open_names = CodeNames(["c1"], [a_list(forbidden=False)])
    assert found(open_names, "猎鹰计划", "K7Q2XW") == []
    assert found(open_names, "K7Q2XW", names=["聚四氢呋喃醚二醇.docx"]) == [("pair", "1", ())]


def test_one_finding_for_each_kind_and_trail_counts_names() -> None:
    results = looked(REGISTER, "猎鹰 blue-heron 猎鹰", "Blue  Heron")
    assert [(one.count, one.facts["names"], one.trail) for one in results if isinstance(one, Finding)] == [
        (2, "3, 4", ("0",)),
        (1, "4", ("1",)),
    ]


@pytest.mark.parametrize(
    "text",
    ["polythf2000", "PolyTHF-2000", "(POLYTHF_2000)", "用polythf 2000料", "ＰｏｌｙＴＨＦ　２０００", "poly\u200bthf 2000"],
)
def test_words_of_a_name_may_be_written_apart(text: str) -> None:
    assert found(REGISTER, text) == [("real-name", "2", ("0",))]


@pytest.mark.parametrize("text", ["xpolythf 2000", "polythf 20001", "polythf of 2000", "poly 2000", "blue herons"])
def test_a_latin_name_stands_alone(text: str) -> None:
    assert found(REGISTER, text) == []


def test_public_terms_are_no_real_names() -> None:
    pairs = (("MDI", "Q9ZT4K"), ("猎鹰", "R2XW8P"))
    public = NameList(title="", level=None, owner="lab", public=["mdi", "猎鹰火箭"])
    register = CodeNames(["c1", "c2"], [a_list(pairs), public])
    assert found(register, "MDI 与猎鹰火箭") == []
    assert found(register, "MDI 即 Q9ZT4K") == [("pair", "1", ("0",))]
    assert found(register, "猎鹰火箭 R2XW8P") == []
    assert found(register, "猎鹰火箭与猎鹰") == [("real-name", "2", ("0",))]


def test_a_name_on_two_lists_is_found_for_both() -> None:
    register = CodeNames(["c1", "c2"], [a_list((("猎鹰", "A"),)), a_list((("獵鷹", "B"),), forbidden=False)])
    assert [(one.facts["entry"], one.facts["kind"]) for one in looked(register, "猎鹰 b") if isinstance(one, Finding)] == [
        ("c1", "real-name"),
        ("c2", "pair"),
    ]


def test_a_name_declared_in_two_forms_is_found_in_both() -> None:
    register = CodeNames(["c1", "c2"], [a_list([("blueheron", "")]), a_list([("Blue Heron", "")])])
    for text in ("blueheron", "blue heron", "blue-heron"):
        assert [one.facts["entry"] for one in looked(register, text) if isinstance(one, Finding)] == ["c1", "c2"], text


def test_what_has_expired_is_not_looked_for() -> None:
    past, future = ((datetime.now(UTC) + timedelta(hours=hours)).isoformat() for hours in (-1, 1))
    assert found(CodeNames(["c1"], [a_list(expires=past)]), "猎鹰") == []
    assert len(found(CodeNames(["c1"], [a_list(expires=future)]), "猎鹰")) == 1


def test_many_names_are_looked_for_at_once() -> None:
    pairs = [(f"原料{at:05d}号", f"zz{at * 7919 % 100003:05d}") for at in range(6000)]
    register = CodeNames(["c1"], [a_list(pairs)])
    assert found(register, "原料00000号、原料 03333 号、原料05999号") == [("real-name", "1, 3334, 6000", ("0",))]


def test_places_that_are_not_judged_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(codenames, "MOST_JUDGED", 3)
    results = looked(REGISTER, "猎鹰," * 4)
    assert [one.why for one in results if isinstance(one, Unscannable)] == [Why.TOO_MANY]
    assert len(results) == 2


NAMES = st.text(st.sampled_from("聚醚多元醇氢猎鹰abcxyz019 -_/"), min_size=1, max_size=12).filter(
    lambda name: not too_short(name)
)


@settings(deadline=None, max_examples=60)
@given(NAMES, st.sampled_from(["", "。", "\n", ", ", "\t("]), st.sampled_from(["", "。", "\n", ", ", ")\t"]))
def test_a_declared_name_is_found_as_it_is_written(name: str, before: str, after: str) -> None:
    register = CodeNames(["c1"], [a_list([(name, "")])])
    assert [kind for kind, *_ in found(register, f"x。{before}{name}{after}。x")] == ["real-name"]


@settings(deadline=None, max_examples=60)
@given(st.text(st.sampled_from("聚醚二醇abc01 -\n"), max_size=60))
def test_what_is_found_has_the_letters_of_the_name(text: str) -> None:
    known = ["聚醚", "abc 01", "二醇ab"]
    register = CodeNames(["c1"], [a_list([(name, "") for name in known])])
    for _, numbers, _ in found(register, text):
        assert all(letters(known[int(number) - 1]) in letters(text) for number in numbers.split(", "))


def test_lists_are_sealed_at_rest(tmp_path: Path) -> None:
    folder = tmp_path / "codenames"
    folder.mkdir()
    assert open_codenames(tmp_path, KEY) is None
    fields = {"title": "原料", "level": "secret", "owner": "lab", "pairs": PAIRS}
    columns.Draft(folder, None).commit({"lists": {"c1": sealed(KEY, fields, "c1")}})
    data = b"".join(path.read_bytes() for path in folder.iterdir())
    for word in ("聚四氢", "PolyTHF", "K7Q2XW", "lab", "原料"):
        assert not any(form in data for form in (word.encode(), word.encode("gb18030"), word.encode("unicode-escape")))
    register = open_codenames(tmp_path, KEY)
    assert isinstance(register, CodeNames) and len(found(register, "猎鹰")) == 1
    with pytest.raises(ConfigError, match="the key file is another"):
        open_codenames(tmp_path, KEY[::-1])


GOOD = (("聚四氢呋喃醚二醇", "K7Q2XW"), ("PolyTHF 2000", "ZM41RT"), ("Blue Heron", "9TXKV3"), ("猎鹰工程", ""))


def test_codes_that_tell_nothing_are_well() -> None:
    assert list(weaknesses(GOOD)) == []


@pytest.mark.parametrize(
    ("pairs", "kind"),
    [
        ([("alpha centauri", "QZX01"), ("beta lyrae", "QZX02")], "sequence"),
        ([("甲方项目", "K10VXT"), ("乙方项目", "K20VXT"), ("丙方项目", "K30VXT")], "sequence"),
        ([("甲方项目", "TKVWXA"), ("乙方项目", "TKVWXB")], "sequence"),
        ([("聚四氢呋喃", "JSQ7X9")], "initials"),
        ([("Blue Heron", "BH77X2")], "initials"),
        ([("PolyTHF 2000", "X9THF3K")], "contains"),
        ([("猎鹰工程", "工程K7Q2")], "contains"),
        ([("猎鹰工程", "X7Q")], "short"),
        ([("猎鹰工程", "AAAAA7")], "pattern"),
        ([("猎鹰工程", "23456")], "pattern"),
        ([("猎鹰工程", "K7Q2XW"), ("北斗工程", "k7q-2xw")], "shared"),
        ([("猎鹰工程", "POLYOL")], "public"),
        ([("鹰", "K7Q2XW")], "short-name"),
    ],
)
def test_codes_that_can_be_guessed(pairs: list[tuple[str, str]], kind: str) -> None:
    assert {one.number for one in weaknesses([*pairs, *GOOD[1:]], ["polyol"]) if one.kind == kind} == set(
        range(1, len(pairs) + 1)
    )


@given(st.lists(st.tuples(st.text(max_size=10), st.text(max_size=10)), max_size=6))
def test_any_list_is_linted(pairs: list[tuple[str, str]]) -> None:
    assert all(1 <= one.number <= len(pairs) for one in weaknesses(pairs))
