"""What of secrets is not a matter of one example: randomness."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlp.detect.secrets import entropy


@pytest.mark.parametrize(("text", "bits"), [("", 0.0), ("aaaa", 0.0), ("abab", 1.0), ("abcdefgh", 3.0)])
def test_entropy(text: str, bits: float) -> None:
    assert entropy(text) == pytest.approx(bits)


@given(st.text(min_size=1, max_size=40))
def test_entropy_is_the_same_in_any_order(text: str) -> None:
    assert entropy(text) == pytest.approx(entropy("".join(sorted(text))))
