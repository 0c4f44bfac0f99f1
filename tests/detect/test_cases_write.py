"""A near miss more in a file of cases, and everything else as it was."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlp.detect.cases import read_cases
from dlp.detect.cases_write import example, with_near_miss
from dlp.model import Part, Zone

BLOCK = """# of the house
word:   # a comment
  hits:
    - a marker
  near_misses:
    # why this one
    - a make
other:
  hits: [x]
"""


def pieces(folder: Path, source: str, signature: str = "word") -> list[str]:
    path = folder / "rules.yml"
    path.write_text(source, "utf-8")
    cases, faults = read_cases(path)
    assert not faults
    return [
        part.text for one in cases if one.signature == signature and not one.hit for part in one.pieces if isinstance(part, Part)
    ]


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("", ["new"]),
        (BLOCK, ["new", "a make"]),
        (BLOCK.replace("    - a make", "  - a make"), ["new", "a make"]),
        ("word:\n    hits:\n    - x", ["new"]),
        ("word:\n  hits: [a]\n", ["new"]),
        ("word:\n", ["new"]),
        ("wordy:\n  hits: [a]\n", ["new"]),
        ("word:\n  near_misses:\n", ["new"]),
    ],
)
def test_where_it_goes(tmp_path: Path, source: str, expected: list[str]) -> None:
    made = with_near_miss(source, "word", example("new", Zone.BODY))
    assert pieces(tmp_path, made) == expected
    for line in source.splitlines():
        assert line in made.splitlines()


@pytest.mark.parametrize("source", ["word: {hits: [a]}\n", "word:\n  near_misses: [a]\n", '"word":\n  hits: [a]\n'])
def test_what_is_not_in_block_form_is_told(source: str) -> None:
    with pytest.raises(ValueError, match="block form"):
        with_near_miss(source, "word", '"new"')


@given(text=st.text(st.characters(exclude_categories=["Cs"]), min_size=1), zone=st.sampled_from([*Zone]))
def test_any_text_comes_back_as_it_was(tmp_path_factory: pytest.TempPathFactory, text: str, zone: Zone) -> None:
    path = tmp_path_factory.getbasetemp() / "rules.yml"
    path.write_text(with_near_miss("", "word", example(text, zone)), "utf-8")
    cases, faults = read_cases(path)
    assert not faults
    (part,) = cases[0].pieces
    assert isinstance(part, Part)
    assert (part.text, part.zone) == (text, zone)
