"""Loading: what is read, and that every fault names file, rule and remedy."""

from pathlib import Path

import pytest

from dlp.detect.signatures import Lane, load
from dlp.errors import Fault, SignatureError
from dlp.model import Mode, Zone
from tests.detect.rules import META, rule, written


def faults(*paths: Path) -> list[Fault]:
    with pytest.raises(SignatureError) as caught:
        load(list(paths))
    return list(caught.value.faults)


def only(path: Path) -> Fault:
    (fault,) = faults(path)
    return fault


def test_all_meta(tmp_path: Path) -> None:
    meta = (
        'title = "T" title_zh = "题" level = "top-secret" confidence = 90 validator = "cn_id" min_count = 3 '
        'near = "手機| Phone" zone = "header, title" on = "text|name" mode = "shadow" author = "us"'
    )
    path = written(tmp_path, "\n\n" + rule("full", meta=meta))
    found = load([tmp_path]).signatures["full"]
    assert (found.title, found.title_zh, found.category, found.level) == ("T", "题", None, "top-secret")
    assert (found.confidence, found.validator, found.min_count, found.near) == (90, "cn_id", 3, ("手机", "phone"))
    assert found.zones == {Zone.HEADER, Zone.TITLE}
    assert found.on == {Lane.TEXT, Lane.NAME}
    assert (found.mode, found.path, found.line) == (Mode.SHADOW, path, 3)


def test_defaults(tmp_path: Path) -> None:
    written(tmp_path, rule("plain"))
    found = load([tmp_path]).signatures["plain"]
    assert (found.level, found.validator, found.min_count, found.near, found.zones) == (None, None, 1, (), frozenset())
    assert found.on == set(Lane)
    assert found.mode is Mode.ENFORCE


def test_folders_are_read_to_the_bottom_in_order_and_twice_named_once(tmp_path: Path) -> None:
    (tmp_path / "b" / "deep").mkdir(parents=True)
    written(tmp_path / "b" / "deep", rule("second"), "x.yara")
    written(tmp_path, rule("first"), "a.yar")
    written(tmp_path, "not a rule", "notes.txt")
    assert list(load([tmp_path, tmp_path / "a.yar"]).signatures) == ["first", "second"]


def test_a_private_rule_is_a_building_block(tmp_path: Path) -> None:
    source = 'private rule base { strings: $a = "abc" condition: $a }\n' + rule("uses", strings="", condition="base")
    written(tmp_path, source)
    assert list(load([tmp_path]).signatures) == ["uses"]


def test_a_byte_order_mark_is_no_fault(tmp_path: Path) -> None:
    (tmp_path / "bom.yar").write_bytes(b"\xef\xbb\xbf" + rule("one").encode())
    assert list(load([tmp_path]).signatures) == ["one"]


def test_one_name_in_two_folders_names_both(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    first, second = written(tmp_path / "a", rule("same")), written(tmp_path / "b", rule("same"))
    (fault,) = faults(tmp_path / "a", tmp_path / "b")
    assert fault.where == f"{second}:1"
    assert f"{first}:1" in fault.what
    assert fault.key == "same"


@pytest.mark.parametrize(
    ("source", "line", "what", "remedy"),
    [
        ("rule broken {\n condition: $a }", 2, "undefined string", "correct"),
        ("rule broken {\n condition: foo > 1 }", 2, 'undefined identifier "foo"', "external variables"),
        ('include "other.yar"\n' + rule("one"), 1, "includes are disabled", "not allowed"),
        (rule("one") + rule("one"), 6, "duplicated identifier", "rename"),
    ],
)
def test_what_does_not_compile(tmp_path: Path, source: str, line: int, what: str, remedy: str) -> None:
    path = written(tmp_path, source)
    fault = only(tmp_path)
    assert fault.where.startswith(f"{path}:{line}") or fault.where == f"{path}:{line - 1}"
    assert what in fault.what
    assert remedy in fault.remedy


@pytest.mark.parametrize(
    ("old", "new", "what", "remedy"),
    [
        ('title = "A"', "", "lacks the meta title", 'add title = "…"'),
        ('title_zh = "甲"', 'title_zh = " "', "lacks the meta title_zh", "add title_zh"),
        ('category = "other"', "", "neither category nor level", "add category"),
        ('category = "other"', 'category = "Other Things"', "category is not an id", "small Latin letters"),
        ('category = "other"', "level = 3", "level is not an id", "top-secret"),
        ("confidence = 50", "", "lacks the meta confidence", "0 to 100"),
        ("confidence = 50", "confidence = 101", "confidence is not a whole number from 0 to 100", "without quotes"),
        ("confidence = 50", 'confidence = "high"', "confidence is not a whole number", "without quotes"),
        ("confidence = 50", "confidence = true", "confidence is not a whole number", "without quotes"),
        ("confidence = 50", "confidence = 50 min_count = 0", "min_count is not a whole number from 1", ""),
        ("confidence = 50", 'confidence = 50 validator = "cn_idd"', "unknown validator 'cn_idd'", "did you mean 'cn_id'?"),
        ("confidence = 50", 'confidence = 50 zone = "heading"', "unknown zone 'heading'", "header"),
        ("confidence = 50", 'confidence = 50 on = "text,bytes"', "unknown on 'bytes'", "name, raw, text"),
        ("confidence = 50", 'confidence = 50 on = ""', "its on is empty", "leave on out"),
        ("confidence = 50", 'confidence = 50 mode = "test"', "unknown mode 'test'", "enforce, shadow"),
        ("confidence = 50", 'confidence = 50 near = "|"', "near holds no word", "near ="),
        ("confidence = 50", 'confidence = 50 min_cout = "3"', "unknown meta min_cout", "did you mean 'min_count'?"),
        ("confidence = 50", 'confidence = 50 zone = "filename" on = "text"', "zone is in no view", "let on name name"),
        ("confidence = 50", 'confidence = 50 zone = "body" on = "raw"', "zone is in no view", "let on name text"),
    ],
)
def test_what_is_wrong_with_meta(tmp_path: Path, old: str, new: str, what: str, remedy: str) -> None:
    path = written(tmp_path, rule("one", meta=META.replace(old, new)))
    fault = only(tmp_path)
    assert (fault.where, fault.key) == (f"{path}:1", "one")
    assert what in fault.what
    assert remedy in fault.remedy


def test_a_global_rule_is_refused(tmp_path: Path) -> None:
    written(tmp_path, "global rule small { condition: filesize < 10 }\n" + rule("one"))
    fault = only(tmp_path)
    assert fault.key == "small"
    assert "global" in fault.what


def test_all_faults_of_all_files_at_once(tmp_path: Path) -> None:
    written(tmp_path, rule("one", meta='title = "A"'), "a.yar")
    written(tmp_path, "rule {", "b.yar")
    (tmp_path / "c.yar").write_bytes(b"\xff\xfe")
    found = faults(tmp_path, tmp_path / "absent")
    assert [fault.what.split(":")[0] for fault in found] == [
        "has neither category nor level",
        "lacks the meta title_zh",
        "lacks the meta confidence",
        "does not compile",
        "is not UTF-8",
        "no such file or folder",
    ]


def test_nothing_to_find_is_a_fault(tmp_path: Path) -> None:
    assert "no signature found" in only(tmp_path).what
    assert "no signature found" in faults()[0].what
