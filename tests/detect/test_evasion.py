"""A few of each class of evasion that `benchmarks.evasion` measures: none is missed, and no innocent twin is taken for one."""

import pytest

from benchmarks.evasion import detector, tally
from benchmarks.evasion_variants import BLOBS, GROUPS, variants
from dlp.detect.detector import Detector

EACH = 7
"""One of so many is tried: prime, so that carriers and ways take their turns."""


@pytest.fixture(scope="module")
def shipped() -> Detector:
    return detector()


@pytest.mark.parametrize("group", GROUPS)
def test_a_class_of_evasion_is_found(shipped: Detector, group: str) -> None:
    everything = list(variants(group))
    hidden = [one for one in everything if one.found_by][::EACH]
    innocent = [one for one in everything if not one.found_by][3::EACH]
    result = tally(group, [*hidden, *innocent], shipped)
    assert (result.missed, result.mistaken) == ([], [])
    assert result.variants
    assert result.twins


def test_what_only_looks_encoded_is_no_finding(shipped: Detector) -> None:
    result = tally(BLOBS, list(variants(BLOBS))[::2], shipped)
    assert result.mistaken == []
    assert result.twins > 20


def test_there_are_enough_of_them() -> None:
    names = [(one.group, one.name) for group in GROUPS for one in variants(group) if one.found_by]
    assert len(names) == len(set(names))
    assert len(names) >= 400
