"""The shipped signatures on the bench: all are well made, each hit is found, each near miss is not."""

from pathlib import Path

import pytest

from dlp.detect import bench

ROOT = Path(__file__).parents[2]
SIGNATURES, CASES = ROOT / "signatures", ROOT / "tests" / "signatures"


def test_the_shipped_signatures_are_well_made() -> None:
    """Meta, hits and near misses for every one, no case without its signature. What they cost is measured in benchmarks/."""
    assert [str(fault) for fault in bench.lint([SIGNATURES], CASES, costs=False)] == []


@pytest.mark.parametrize(
    "result", bench.test([SIGNATURES], CASES), ids=lambda result: f"{result.case.path.stem}:{result.case.key}"
)
def test_case(result: bench.Result) -> None:
    assert result.why == ""


def test_the_identifiers_have_the_names_that_policies_use() -> None:
    cases = {result.case.signature for result in bench.test([SIGNATURES], CASES)}
    assert {"cn_id", "cn_uscc", "bank_card", "cn_mobile", "cn_passport", "iban", "us_ssn"} <= cases
