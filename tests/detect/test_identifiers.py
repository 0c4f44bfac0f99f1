"""Identifiers: a right one is found, one with a changed digit is not."""

import string
from datetime import date

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from dlp.detect.evidence import Candidate, Judgement, Validator
from dlp.detect.identifiers import bank_card, cn_id, cn_uscc, iban, luhn
from dlp.detect.normalise import fold
from dlp.model import Part

DATES = st.dates(min_value=date(1920, 1, 1), max_value=date(2025, 1, 1))


def ask(validator: Validator, number: str, before: str = "", after: str = "") -> Judgement | None:
    text = before + number + after
    return validator(
        Candidate(
            part=Part(text=text),
            text=text,
            start=len(before),
            end=len(before) + len(number),
            folded=fold(number).text,
            string="x",
        )
    )


def mod_11_2(digits: str) -> str:
    """ISO 7064 MOD 11-2 by its recursion, not by the table of weights."""
    product = 0
    for digit in digits:
        product = (product + int(digit)) * 2 % 11
    return "0123456789X"[(12 - product) % 11]


@st.composite
def resident_ids(draw: st.DrawFn) -> str:
    region = draw(st.sampled_from(["110101", "310104", "440305", "510107", "830000"]))
    body = region + draw(DATES).strftime("%Y%m%d") + f"{draw(st.integers(0, 999)):03d}"
    return body + mod_11_2(body)


@given(resident_ids())
def test_a_right_id_is_found(number: str) -> None:
    assert ask(cn_id, number, "证号", "。") == Judgement(value=number.lower())


@given(resident_ids(), st.integers(0, 17), st.sampled_from(string.digits))
def test_an_id_with_one_digit_changed_is_not(number: str, place: int, digit: str) -> None:
    assume(number[place] != digit)
    assert ask(cn_id, number[:place] + digit + number[place + 1 :]) is None


@given(resident_ids(), st.integers(0, 15))
def test_an_id_with_neighbours_swapped_is_not(number: str, place: int) -> None:
    assume(number[place] != number[place + 1])
    assert ask(cn_id, number[:place] + number[place + 1] + number[place] + number[place + 2 :]) is None


@given(resident_ids(), st.sampled_from(["1", "9", "0.", "7-", "3a"]))
def test_an_id_inside_a_longer_number_is_not(number: str, before: str) -> None:
    assert ask(cn_id, number, before) is None
    assert ask(cn_id, number, after="5") is None


@pytest.mark.parametrize("number", ["110101199002307430", "110101189912317432", "990101199003077432", "1101011990030774"])
def test_what_is_no_id(number: str) -> None:
    assert ask(cn_id, number, "身份证") is None


@given(st.sampled_from(["62220212", "411111", "545454", "353011"]), st.text(alphabet=string.digits, min_size=9, max_size=9))
def test_luhn_finds_the_right_digit_and_no_other(issuer: str, body: str) -> None:
    number = (issuer + body + "0" * 9)[:15]
    right = [digit for digit in string.digits if luhn(number + digit)]
    assert len(right) == 1
    found = [digit for digit in string.digits if ask(bank_card, number + digit, "卡号 ")]
    assert found == right


def test_a_card_beyond_the_reach_of_its_word_is_none() -> None:
    assert ask(bank_card, "4111111111111111", "卡号" + "另" * 61) is None
    assert ask(bank_card, "4111111111111111", "卡号" + "另" * 50) is not None


def test_a_card_under_its_heading_is_found_however_far() -> None:
    assert ask(bank_card, "4111111111111111", "name\tcard\n" + "other\t0\n" * 200 + "A\t", "\nB\t") is not None


@given(st.sampled_from("0123456789ABCDEFGHJKLMNPQRTUWXY"), st.integers(0, 17))
def test_a_credit_code_with_one_character_changed_is_none(letter: str, place: int) -> None:
    code = "91110108MA01ABCD5T"
    assume(code[place] != letter)
    assert ask(cn_uscc, code) is not None
    assert ask(cn_uscc, code[:place] + letter + code[place + 1 :]) is None


@given(st.integers(2, 21), st.sampled_from(string.digits))
def test_an_iban_with_one_digit_changed_is_none(place: int, digit: str) -> None:
    number = "DE89370400440532013000"
    assume(number[place] != digit)
    assert ask(iban, number) == Judgement(value=number.lower())
    assert ask(iban, number[:place] + digit + number[place + 1 :]) is None


def test_an_iban_is_cut_where_the_country_ends_it() -> None:
    assert ask(iban, "NO93 8601 1117 947 is my") == Judgement(value="no9386011117947")
    assert ask(iban, "NO93 8601 1117 947is") is None
