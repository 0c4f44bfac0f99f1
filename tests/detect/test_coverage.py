"""The table of what policies ask for: every category has an answer, and what it names exists."""

from pathlib import Path

import pytest

from dlp.detect import coverage
from dlp.detect.signatures import load
from dlp.policy.profiles import load_profile

ROOT = Path(__file__).parents[2]
SHIPPED = ROOT / "signatures" / coverage.FILE
KNOWN = load([ROOT / "signatures"]).signatures


def changed(folder: Path, old: str, new: str) -> list[tuple[str, str]]:
    """What the lint says of the shipped table with one place changed."""
    text = SHIPPED.read_text("utf-8")
    assert old in text
    path = folder / coverage.FILE
    path.write_text(text.replace(old, new, 1), "utf-8")
    return [(fault.key, fault.what) for fault in coverage.lint(path, KNOWN)]


def test_the_shipped_table_is_whole() -> None:
    assert [str(fault) for fault in coverage.lint(SHIPPED, KNOWN)] == []
    assert tuple(coverage.load(SHIPPED)) == coverage.IDS


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ("[C07]", "[C70]", ("C07", "the category is missing")),
        ("[C07]", "[C70]", ("C70", "is no category")),
        ('"official_document"', '"oficial_document"', ("C09", "names the signature 'oficial_document', which does not exist")),
        ('registers = ["documents", "codenames"]', 'registers = ["papers"]', ("C04", "names the register 'papers'")),
        ('en = "definition of top secret"', 'en = " "', ("C62", "lacks its words")),
        ('policy = "profiles cn-data and international"', "", ("C60", "has no answer")),
        ('policy = "profiles cn-data and international"', 'police = "x"', ("C60.police", "unknown key")),
    ],
)
def test_a_table_that_is_not_is_refused(tmp_path: Path, old: str, new: str, fault: tuple[str, str]) -> None:
    assert fault in changed(tmp_path, old, new)


def test_a_table_that_is_missing_is_a_fault(tmp_path: Path) -> None:
    (fault,) = coverage.lint(tmp_path / coverage.FILE, KNOWN)
    assert fault.what == "no such file"


def test_every_category_of_a_signature_has_a_level_in_every_profile() -> None:
    categories = {signature.category for signature in KNOWN.values() if signature.category}
    for path in sorted((ROOT / "config" / "profiles").glob("*.toml")):
        assert categories <= set(load_profile(path, ROOT).categories), path.name
