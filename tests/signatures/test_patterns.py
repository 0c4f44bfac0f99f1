"""Patterns whose prefixes are spelt out for speed find what the same patterns, written plainly, find."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlp.detect.cost import source_of
from dlp.detect.engine import Rules, compile_source

SIGNATURES = Path(__file__).parents[2] / "signatures"
_CODE = "[0-9a-hj-npqrtuwxy]"
PLAIN = {
    "cn_id": [
        r"[1-8][0-9]{5}[0-9]{2}(0[1-9]|1[0-2])[0-3][0-9]{4}",
        r"[1-8][0-9]{3}[ -][0-9]{2}(19|20)[ -][0-9]{2}(0[1-9]|1[0-2])[ -][0-3][0-9]{3}[ -][0-9][0-9x]",
    ],
    "cn_uscc": [rf"(1[1239]|3[1-59]|5[1239]|9[123])[ -]?[1-8][0-9]{{5}}[ -]?{_CODE}{{9}}[ -]?{_CODE}"],
    "bank_card": [
        r"4[0-9]{3}[ -]?[0-9]{4}[ -]?[0-9]{4}[ -]?([0-9]{4}([ -]?[0-9]{3})?|[0-9])",
        r"5[1-5][0-9]{2}[ -]?[0-9]{4}[ -]?[0-9]{4}[ -]?[0-9]{4}",
        r"2[2-7][0-9]{2}[ -]?[0-9]{4}[ -]?[0-9]{4}[ -]?[0-9]{4}",
        r"35(2[89]|[3-8][0-9])[ -]?[0-9]{4}[ -]?[0-9]{4}[ -]?[0-9]{4}([ -]?[0-9]{1,3})?",
        r"3[47][0-9]{2}[ -]?[0-9]{6}[ -]?[0-9]{5}",
        r"(6011|64[4-9][0-9]|65[0-9]{2})[ -]?[0-9]{4}[ -]?[0-9]{4}[ -]?[0-9]{4}([ -]?[0-9]{3})?",
    ],
    "cn_mobile": [r"1[3-9][0-9][ -]?[0-9]{4}[ -]?[0-9]{4}"],
    "us_ssn": [r"[0-9]{3}[ -][0-9]{2}[ -][0-9]{4}"],
}
NUMBERS = st.lists(
    st.sampled_from([" ", "-", "\n", "a", "x", "号"])
    | st.text(alphabet="0123456789", min_size=1, max_size=20)
    | st.integers(10, 99).map(lambda two: f"{two}{'0' * 2} {'1' * 4}-{'2' * 4} {'3' * 4}"),
    max_size=12,
).map("".join)


def spans(rules: Rules, name: str, text: str) -> set[tuple[int, int]]:
    return {(hit.offset, hit.length) for hit in rules.scan(text.encode(), 5).hits.get(name, ())}


@pytest.mark.parametrize("name", PLAIN)
def test_the_spelt_out_patterns_find_all_that_the_plain_ones_find(name: str) -> None:
    strings = "\n".join(f"$p{number} = /{pattern}/" for number, pattern in enumerate(PLAIN[name]))
    plain = compile_source(f"rule {name} {{ strings: {strings} condition: any of them }}")
    shipped = compile_source(source_of(SIGNATURES / "identifiers.yar", name))

    @given(NUMBERS)
    def check(text: str) -> None:
        assert spans(plain, name, text) <= spans(shipped, name, text)

    check()
