"""Permits, passports, vehicles, banks, addresses: a right one is found, one with a changed character is not."""

import string

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from dlp.detect.evidence import Candidate, Judgement, Validator
from dlp.detect.identifiers import bank_card, luhn
from dlp.detect.identifiers_things import THING_VALIDATORS, cn_plate, email_address, swift_bic, vin
from dlp.detect.identifiers_travel import TRAVEL_VALIDATORS, cn_foreigner_card, cn_residence_permit, passport_mrz
from dlp.detect.normalise import fold
from dlp.model import Part, Zone
from tests.detect.test_identifiers import mod_11_2

VIN_LETTERS = "0123456789ABCDEFGHJKLMNPRSTUVWXYZ"


def ask(validator: Validator, match: str, before: str = "", after: str = "", zone: Zone = Zone.BODY) -> Judgement | None:
    text = before + match + after
    end = len(before) + len(match)
    part = Part(text=text, zone=zone)
    return validator(Candidate(part=part, text=text, start=len(before), end=end, folded=fold(match).text, string="x"))


def vin_check(body: str) -> str:
    """The check digit by the transliteration of 49 CFR 565.15: letters by their place in their row of a telephone's nine."""
    values = {letter: int(letter) if letter.isdigit() else 0 for letter in VIN_LETTERS}
    for row, first in (("ABCDEFGH", 1), ("JKLMN", 1), ("STUVWXYZ", 2)):
        values |= {letter: first + place for place, letter in enumerate(row)}
    values |= {"P": 7, "R": 9}
    weights = [8, 7, 6, 5, 4, 3, 2, 10, 0, 9, 8, 7, 6, 5, 4, 3, 2]
    return "0123456789X"[sum(values[letter] * weight for letter, weight in zip(body, weights, strict=True)) % 11]


@st.composite
def vins(draw: st.DrawFn, maker: str = "LSV") -> str:
    body = maker + draw(st.text(VIN_LETTERS, min_size=10, max_size=10)) + f"{draw(st.integers(0, 9999)):04d}"
    assume(len(set(body)) > 7)
    return body[:8] + vin_check(body[:8] + "0" + body[9:]) + body[9:]


@given(vins())
def test_a_right_vin_is_found(number: str) -> None:
    assert ask(vin, number) == Judgement(value=number.lower())


@given(vins(), st.integers(0, 16), st.sampled_from(VIN_LETTERS))
def test_a_vin_of_china_with_a_wrong_check_digit_is_not(number: str, place: int, letter: str) -> None:
    other = number[:place] + letter + number[place + 1 :]
    assume(vin_check(other[:8] + "0" + other[9:]) != other[8])
    assume(other[0] in "12345L")
    assert ask(vin, other, "VIN ") is None


def test_a_vin_of_europe_needs_its_word_unless_its_check_digit_holds() -> None:
    assert ask(vin, "WBAVX71050AB12345") is None
    found = ask(vin, "WBAVX71050AB12345", "VIN: ")
    assert found is not None and found.confidence == 60


def test_the_example_passport_of_the_standard() -> None:
    """ICAO 9303 part 4, appendix A."""
    lines = "P<UTOERIKSSON<<ANNA<MARIA<<<<<<<<<<<<<<<<<<<\nL898902C36UTO7408122F1204159ZE184226B<<<<<10"
    assert ask(passport_mrz, lines[41:], lines[:41]) == Judgement(value="l898902c3")


@pytest.mark.parametrize("place", [45, 50, 60, 66, 75, 88])
def test_a_passport_with_one_character_changed_is_none(place: int) -> None:
    lines = "P<UTOERIKSSON<<ANNA<MARIA<<<<<<<<<<<<<<<<<<<\nL898902C36UTO7408122F1204159ZE184226B<<<<<10"
    changed = lines[:place] + ("7" if lines[place] != "7" else "8") + lines[place + 1 :]
    assert ask(passport_mrz, changed[41:], changed[:41]) is None


@given(st.sampled_from(["810000", "820000", "830000", "110101"]), st.integers(0, 999), st.sampled_from(string.digits))
def test_a_residence_permit_has_its_region_and_check_digit(region: str, serial: int, digit: str) -> None:
    body = f"{region}19900307{serial:03d}"
    right = mod_11_2(body)
    assert (ask(cn_residence_permit, body + right) is not None) == (region != "110101")
    assert digit == right or ask(cn_residence_permit, body + digit) is None


@given(st.integers(0, 999))
def test_a_foreigners_card(serial: int) -> None:
    body = f"91184019850203{serial:03d}"
    assert ask(cn_foreigner_card, body + mod_11_2(body), "永久居留 ") is not None
    assert ask(cn_foreigner_card, body + mod_11_2(body), "编号 ") is None


@given(st.text(string.digits, min_size=13, max_size=13))
def test_unionpay_has_two_ranges(body: str) -> None:
    for issuer, issued in (("62", True), ("810", True), ("819", False)):
        number = (issuer + body)[:15]
        number += next(digit for digit in string.digits if luhn(number + digit))
        assert (ask(bank_card, number, "卡号 ") is not None) == (issued and len(set(number)) > 1)


@pytest.mark.parametrize("serial", ["12345", "A1234", "AB123", "12345D", "D12345", "DA1234", "1234挂"])
def test_plates(serial: str) -> None:
    assert ask(cn_plate, "车牌", after=f"号：粤B{serial}，") is not None


@pytest.mark.parametrize("serial", ["1234", "ABC12", "IO123", "11111", "1234567"])
def test_what_is_no_plate(serial: str) -> None:
    assert ask(cn_plate, "车牌", after=f"号：粤B{serial}，") is None


@pytest.mark.parametrize(
    ("text", "found"), [(" DEUTDEFF", True), (" DEUTDEFF500", True), (" DEUTXXFF", False), (" deutdeff", False)]
)
def test_bank_codes(text: str, found: bool) -> None:
    assert (ask(swift_bic, "SWIFT code:", after=text) is not None) == found


def test_addresses_of_an_envelope_do_not_count() -> None:
    assert ask(email_address, "@corp.cn", "名单\nli.wei") == Judgement(value="li.wei@corp.cn")
    for line in ("To: a@b.cn, li.wei", "收件人：li.wei", "> Cc: a@b.cn,\n li.wei", "From: Li <li.wei"):
        assert ask(email_address, "@corp.cn", f"Hello\n{line}") is None, line
    assert ask(email_address, "@corp.cn", "li.wei", zone=Zone.HEADER) is None


@given(
    text=st.text(alphabet="pH1<京A0129@.cn\n\t LVviswiftSWIFT:通行证ab", max_size=120),
    cut=st.integers(0, 120),
    size=st.integers(1, 90),
)
def test_validators_take_any_text(text: str, cut: int, size: int) -> None:
    start = min(cut, len(text))
    for validator in (*TRAVEL_VALIDATORS.values(), *THING_VALIDATORS.values()):
        judgement = ask(validator, text[start : start + size], text[:start], text[start + size :])
        assert judgement is None or judgement.value
