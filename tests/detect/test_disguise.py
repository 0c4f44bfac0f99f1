"""What is replaced keeps its shape, and what the finding hangs on stays."""

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlp.detect.detector import Detector
from dlp.detect.disguise import disguised
from dlp.model import Finding, Part

SIGNATURES = Path(__file__).parents[2] / "signatures"
CARD = "4532015112830366"
CASES = [
    ("cn_id", "张三，身份证号 110101199003077432，住址：幸福路12号", "110101199003077432"),
    ("bank_card", f"Please charge card number {CARD} today", CARD),
    ("bank_card", "card number 4532-0151-1283-0366 today", "4532-0151-1283-0366"),
    ("cn_mobile", "联系电话：13912345678（王五）", "13912345678"),
    ("iban", "IBAN: DE89370400440532013000, thank you", "DE89370400440532013000"),
]


@pytest.fixture(scope="module")
def detector() -> Detector:
    return Detector.load([SIGNATURES / "identifiers.yar"])


def fires(detector: Detector, signature: str, text: str) -> bool:
    scan = detector.begin()
    scan.add(Part(text=text, start=True, page=1))
    return any(isinstance(one, Finding) and one.signature == signature for one in scan.finish())


def shape(text: str) -> str:
    text = re.sub(r"[a-z]", "a", re.sub(r"[A-Z]", "A", text))
    return re.sub(r"[^\W\d_a-zA]", "某", re.sub(r"\d", "0", text))


@pytest.mark.parametrize(("signature", "text", "number"), CASES)
def test_a_number_becomes_another_that_is_found(detector: Detector, signature: str, text: str, number: str) -> None:
    for words in (False, True):
        made = disguised(text, lambda one: fires(detector, signature, one), words=words)
        assert made.kept == 0
        assert number not in made.text
        assert fires(detector, signature, made.text)
        assert shape(made.text) == shape(text)
    assert ("张三" in made.text) is False
    assert "Please" not in made.text


def test_the_words_stay_where_they_may(detector: Detector) -> None:
    text = "张三，身份证号 110101199003077432，邮箱 san.zhang@example.com"
    made = disguised(text, lambda one: fires(detector, "cn_id", one), words=False)
    assert made.text.startswith("张三，身份证号 ")
    assert "san.zhang" not in made.text
    assert "example" not in made.text


def test_what_it_hangs_on_stays_and_is_counted() -> None:
    made = disguised("Invoice 20251234 for the bluebird", lambda text: "20251234" in text and "bluebird" in text, words=True)
    assert (made.text, made.kept) == ("Xxxxxxx 20251234 xxx xxx bluebird", 1)


@given(st.text(max_size=120))
def test_any_text_keeps_its_shape(text: str) -> None:
    made = disguised(text, lambda _: True, words=True)
    assert len(made.text) == len(text)
    assert made.kept == 0
    for was, becomes in zip(text, made.text, strict=True):
        assert was.isdecimal() == becomes.isdecimal()
        assert was.isalpha() or was.isdecimal() or was == becomes


@given(st.text(max_size=120))
def test_where_nothing_may_change_nothing_does(text: str) -> None:
    assert disguised(text, lambda _: False, words=True).text == text
