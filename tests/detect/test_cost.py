"""What a rule costs is told in multiples of the empty rule, and texts to measure on are made, not copied."""

from pathlib import Path

import pytest

from dlp.detect import bench
from dlp.detect.cost import HOSTILE_LIMIT, ORDINARY_LIMIT, SIZE, Cost, Worst, buffers, cost
from dlp.detect.cost_texts import SIZES, TEXTS, parts
from dlp.detect.signatures import Signature, load
from tests.detect.rules import rule, written


def signature(folder: Path, strings: str) -> Signature:
    return load([written(folder, rule("asked", strings))]).signatures["asked"]


def test_a_rule_of_a_rare_word_costs_next_to_nothing(tmp_path: Path) -> None:
    measured = bench.measured(signature(tmp_path, '$a = "xylograph"'))
    assert not measured.excessive
    assert measured.ordinary.limit == ORDINARY_LIMIT
    assert measured.hostile.limit == HOSTILE_LIMIT


@pytest.mark.parametrize("strings", ["$a = /[a-z]+[0-9]/", r"$a = /\w\d/"])
def test_a_pattern_that_begins_with_a_class_is_too_dear(tmp_path: Path, strings: str) -> None:
    assert cost(signature(tmp_path, strings)).excessive


def test_matches_are_paid_for(tmp_path: Path) -> None:
    """`the` stands everywhere in English; what it costs to note that is no fault of the pattern."""
    measured = bench.measured(signature(tmp_path, '$a = "the "'))
    assert measured.ordinary.times > 0
    assert not measured.excessive
    assert cost(signature(tmp_path, '$a = "the "')).ordinary.limit > ORDINARY_LIMIT or measured.ordinary.buffer != "English"


def test_a_rule_that_will_not_end_is_too_dear() -> None:
    fast = Worst(buffer="Chinese", times=0.1, limit=ORDINARY_LIMIT, ms_per_mb=0.1)
    slow = Worst(buffer="digits", times=HOSTILE_LIMIT * 2, limit=HOSTILE_LIMIT, ms_per_mb=1000)
    assert Cost(ordinary=fast, hostile=slow).excessive
    assert not Cost(ordinary=fast, hostile=fast).excessive


def test_buffers_are_of_one_size_and_each_of_its_own_kind() -> None:
    ordinary, hostile = buffers()
    everything = {**ordinary, **hostile}
    assert {len(data) for data in everything.values()} == {SIZE}
    assert len(set(everything.values())) == len(everything)
    assert set(ordinary) | {"tables of numbers"} == set(TEXTS)


@pytest.mark.parametrize("kind", TEXTS)
def test_texts_are_varied_and_the_same_in_every_run(kind: str) -> None:
    texts = parts(kind, rounds=1)
    assert texts == parts(kind, rounds=1)
    sizes = [len(text.encode()) for text in texts]
    assert all(size <= made < size + 4000 for size, made in zip(SIZES, sizes, strict=True))
    lines = [line for line in texts[-1].splitlines() if len(line) > 40]
    assert len(set(lines)) > 0.75 * len(lines)
