"""`dlp signatures cost`: a table for people, lines for programs, and an exit status."""

from pathlib import Path

import pytest

from tests.cli.conftest import Dlp
from tests.detect.rules import rule, written


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    written(tmp_path, rule("cheap", '$a = "xylograph"'), "cheap.yar")
    return tmp_path


def test_a_cheap_rule_is_ok(dlp: Dlp, folder: Path) -> None:
    done = dlp("signatures", "cost", folder)
    assert done.status == 0
    heading, row = done.out.splitlines()
    assert heading.split()[:2] == ["signature", "ms/MB"]
    assert (row.split()[0], row.split()[-1]) == ("cheap", "ok")


def test_a_dear_rule_is_named_and_fails(dlp: Dlp, folder: Path) -> None:
    written(folder, rule("dear", "$a = /[a-z]+[0-9]/"), "dear.yar")
    done = dlp("signatures", "cost", folder, "--json")
    assert done.status == 1
    cheap, dear = done.rows
    assert (cheap["signature"], cheap["verdict"], dear["signature"], dear["verdict"]) == ("cheap", "ok", "dear", "too dear")
    assert dear["ordinary"]["times_empty"] > dear["ordinary"]["limit"]
    assert dear["ordinary"]["ms_per_mb"] > 0
    assert dear["hostile"]["on"]
    assert (dear["file"], dear["line"]) == (str(folder / "dear.yar"), 1)


def test_broken_signatures_are_told(dlp: Dlp, folder: Path) -> None:
    written(folder, "rule {", "broken.yar")
    done = dlp("signatures", "cost", folder)
    assert done.status not in (0, 1)
    assert "does not compile" in done.err


def test_without_paths_those_of_the_configuration_are_measured(
    dlp: Dlp, folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    config = tmp_path_factory.mktemp("config") / "dlp.toml"
    config.write_text(f'[signatures]\npaths = ["{folder}"]\n')
    done = dlp("signatures", "cost", "--json", config=config)
    assert [row["signature"] for row in done.rows] == ["cheap"]
