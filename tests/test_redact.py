import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlp.redact import KEPT, LONGEST, MASK, fingerprint, mask


@pytest.mark.parametrize(
    ("raw", "masked"),
    [
        ("", ""),
        ("机密", "**"),
        ("机密★10年", "******"),
        ("secret7", "*******"),
        ("110101199003077758", "11**************58"),
        ("a b\n c\td e f g", "a **********f g"[:2] + "*" * 9 + " g"),
    ],
)
def test_mask(raw: str, masked: str) -> None:
    assert mask(raw) == masked


@given(st.text())
def test_no_more_than_four_characters_and_no_more_than_the_longest_ever_show(raw: str) -> None:
    masked = mask(raw)
    assert len(masked) <= LONGEST
    assert len(masked.replace(MASK, "")) <= 2 * KEPT
    assert "\n" not in masked


@given(st.text(), st.text(), st.binary(min_size=16, max_size=16))
def test_fingerprints_compare_and_tell_nothing(one: str, two: str, key: bytes) -> None:
    assert (fingerprint(one, key) == fingerprint(two, key)) == (one == two)
    assert len(fingerprint(one, key)) == 16
