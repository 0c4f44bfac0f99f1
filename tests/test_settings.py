from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pytest

from dlp.errors import ConfigError
from dlp.settings import load


@dataclass(frozen=True, slots=True, kw_only=True)
class Inner:
    listen: tuple[str, ...] = ()
    mode: Literal["a", "b"] = "a"
    box: Path = Path("box")


@dataclass(frozen=True, slots=True, kw_only=True)
class Outer:
    name: str
    inner: Inner | None = None
    many: tuple[Inner, ...] = ()


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "x.toml"
    path.write_text(text, "utf-8")
    return path


def faults(path: Path) -> list[tuple[str, str]]:
    with pytest.raises(ConfigError) as caught:
        load(path, Outer)
    assert all(fault.where == str(path) for fault in caught.value.faults)
    return [(fault.key, fault.what + " " + fault.remedy) for fault in caught.value.faults]


def test_reads_tuples_choices_and_paths_relative_to_the_file(tmp_path: Path) -> None:
    got = load(written(tmp_path, 'name = "n"\n[inner]\nlisten = ["x"]\nmode = "b"\nbox = "../y"\n'), Outer)
    assert got == Outer(name="n", inner=Inner(listen=("x",), mode="b", box=tmp_path.parent / "y"))


def test_every_fault_is_reported_at_once_with_a_remedy(tmp_path: Path) -> None:
    found = dict(faults(written(tmp_path, '[inner]\nlistn = ["x"]\n[[many]]\n[[many]]\nzzz = 1\n')))
    assert found["name"] == "is missing add it"
    assert "did you mean 'listen'?" in found["inner.listn"]
    assert "known keys: box, listen, mode" in found["many.1.zzz"]


@pytest.mark.parametrize("line", ["name = 3", "name = 'n'\ninner = {mode = 'c'}", "name = 'n'\ninner = {listen = 'x'}"])
def test_a_wrong_type_is_an_error(tmp_path: Path, line: str) -> None:
    assert faults(written(tmp_path, line))


@pytest.mark.parametrize("text", ["name = @", "[a]\n[a]\n"])
def test_broken_toml_names_the_line(tmp_path: Path, text: str) -> None:
    assert "line" in faults(written(tmp_path, text))[0][1]


def test_a_missing_file_and_a_wrong_encoding(tmp_path: Path) -> None:
    assert "no such file" in faults(tmp_path / "none.toml")[0][1]
    path = tmp_path / "x.toml"
    path.write_bytes("name='密'".encode("gb18030"))
    assert "is not UTF-8" in faults(path)[0][1]
