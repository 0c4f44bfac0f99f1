import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlp.extract.number_format import BUILT_IN, CellFormats, number_format, written


@pytest.mark.parametrize(
    ("code", "value", "shown"),
    [
        ("0", 2.5, "3"),
        ("0.00", 3.14159, "3.14"),
        ("0.00", 2.675, "2.68"),  # as its digits say, not as its bits do
        ("0.00", -1.005, "-1.01"),
        ("0", -0.2, "0"),
        ("#,##0", 1234567.5, "1,234,568"),
        ("#,##0.00;[Red]-#,##0.00", -1234.5, "-1,234.50"),
        ("#,##0_);(#,##0)", -1234, "(1,234)"),
        ('_ * #,##0.00_ ;_ * -#,##0.00_ ;_ * "-"??_ ;_ @_ ', 1234.5, "1,234.50"),
        ('_ * #,##0.00_ ;_ * -#,##0.00_ ;_ * "-"??_ ;_ @_ ', 0, "-"),
        ("0%", 0.255, "26%"),
        ("0.00%", 0.12345, "12.35%"),
        ("0.00E+00", 12345, "1.23E+04"),
        ("0.0,,", 123_456_789, "123.5"),
        ('0!.0,"万"', 123_456, "12.3万"),
        ("0.0##", 1.5, "1.5"),
        ("00000000", 1234, "00001234"),
        ("000-0000-0000", 13812345678, "138-1234-5678"),
        ("0000 0000 0000 0000", 6228358650557850, "6228 3586 5055 7850"),
        ('[$¥-804]#,##0.00"元"', 12.5, "¥12.50元"),
        ('[>100]"many "0;"few "0', 500, "many 500"),
        ('[>100]"many "0;"few "0', 5, "few 5"),
        ('General"元"', 5.5, "5.5元"),
        (";;;", 5, ""),
        ('"机密"', 5, "机密"),
        ("yyyy-mm-dd", 45296, "2024-01-05"),
        ('yyyy"年"m"月"d"日"', 45296, "2024年1月5日"),
        ("[$-804]aaaa", 45296, "星期五"),
        ("dddd, mmmm dd, yy", 45296, "Friday, January 05, 24"),
        ("d-mmm", 45296, "5-Jan"),
        ("e-mm-dd", 45296, "2024-01-05"),
        ("yyyy/m/d h:mm", 45296.75, "2024/1/5 18:00"),
        ("h:mm AM/PM", 0.75, "6:00 PM"),
        ("上午/下午h:mm", 0.8, "下午7:12"),
        ('[DBNum1][$-804]yyyy"年"m"月"d"日"', 45646, "二〇二四年十二月二十日"),
        ('[DBNum2]yyyy"年"m"月"d"日"', 45610, "贰零贰肆年壹拾壹月壹拾肆日"),
        ("[DBNum1]General", 10203.5, "一万〇二百〇三.五"),
        ("[DBNum2]General", -120_000_300, "-壹亿贰仟万零叁佰"),
        ("[DBNum2]0", 1203, "壹贰零叁"),
        ("[DBNum3]0", 12, "１２"),
        ("mm:ss.0", 0.000123, "00:10.6"),
        ("[h]:mm:ss", 2.5, "60:00:00"),
        ("[mm]", 0.1, "144"),
        ("yyyy-mm-dd", 1, "1900-01-01"),
        ("yyyy-mm-dd", 60, "1900-02-29"),  # a day that the system of 1900 has
        ("yyyy-mm-dd", 61, "1900-03-01"),
        ("yyyy-mm-dd", -1, ""),
        ("yyyy-mm-dd", 3e6, ""),
    ],
)
def test_a_number_is_displayed_by_its_code(code: str, value: float, shown: str) -> None:
    form = number_format(code)
    assert form is not None
    assert form.number(value) == shown


@pytest.mark.parametrize("code", ["General", "@", "", "G/通用格式", "0" * 300])
def test_codes_that_show_what_is_stored_are_none(code: str) -> None:
    assert number_format(code) is None


def test_the_system_of_1904_begins_four_years_later() -> None:
    form = number_format("yyyy-mm-dd")
    assert form is not None
    assert form.number(43834, from_1904=True) == "2024-01-05"


@pytest.mark.parametrize(
    ("value", "digits"),
    [(6222835865055785000.0, "6222835865055785000"), (1e-7, "0.0000001"), (5.0, "5"), (3.5, "3.5"), (7, "7")],
)
def test_stored_digits_are_written_out(value: float, digits: str) -> None:
    assert written(value) == digits


def test_a_cell_gives_what_is_displayed_and_what_is_stored() -> None:
    formats = CellFormats()
    formats.styles = [0, 14, 164, 165, 2]
    formats.codes = {164: '@"（机密）"', 165: '"NO"000000'}
    assert formats.number(0, 45296, "45296") == "45296"
    assert formats.number(1, 45296, "45296") == "2024/1/5 (45296)"
    assert formats.number(1, 45296, "45296") == "2024/1/5 (45296)"
    assert formats.number(3, 12, "12") == "NO000012 (12)"
    assert formats.number(4, 3.25, "3.25") == "3.25"
    assert formats.number(99, 12, "12") == "12"
    assert formats.word(2, "名单") == "名单（机密） (名单)"
    assert formats.word(1, "名单") == "名单"
    assert formats.literals == ["（机密）", "NO"]


def test_every_built_in_code_shows_something() -> None:
    for number, code in BUILT_IN.items():
        form = number_format(code)
        assert form is None or form.number(1.5), number


@given(code=st.text(alphabet='0#?.,%;@"\\_*[]<>=-yYmdhsaAeEgG/PMл年$4$ ', max_size=40), value=st.floats())
def test_no_code_fails(code: str, value: float) -> None:
    form = number_format(code)
    if form is not None:
        assert isinstance(form.number(value), str)
        assert isinstance(form.number(value, from_1904=True), str)
        assert isinstance(form.text("x"), str)
