"""What every file of the product keeps to, held by a test and not by good will."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
LONGEST = 600
"""Lines of a file."""
FILES = sorted((ROOT / "dlp").rglob("*.py"))
BANNED_MODULES = {"pickle", "cPickle", "shelve", "marshal", "dill"}
"""What unpickles runs what it is given."""
BANNED_CALLS = {"eval", "exec", "__import__", "compile"}


def imported(tree: ast.AST) -> set[str]:
    """The top-level names of all modules imported anywhere in `tree`."""
    named = [alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names]
    named += [node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    return {name.partition(".")[0] for name in named}


def called(tree: ast.AST) -> set[str]:
    """The plain names called anywhere in `tree`."""
    calls = (node.func for node in ast.walk(tree) if isinstance(node, ast.Call))
    return {function.id for function in calls if isinstance(function, ast.Name)}


def test_there_is_something_to_look_at() -> None:
    assert len(FILES) > 80


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_file_of_the_product(path: Path) -> None:
    source = path.read_text("utf-8")
    tree = ast.parse(source)
    assert not source.strip() or ast.get_docstring(tree), "says what it is for"
    assert len(source.splitlines()) <= LONGEST
    assert not imported(tree) & BANNED_MODULES
    assert not called(tree) & BANNED_CALLS


@pytest.mark.parametrize(
    ("source", "modules", "calls"),
    [
        ("import pickle", {"pickle"}, set()),
        ("def f():\n    from pickle import loads\n    loads(b'')", {"pickle"}, {"loads"}),
        ("eval('1')", set(), {"eval"}),
        ("import re\nre.compile('x')", {"re"}, set()),
    ],
)
def test_the_looking_sees(source: str, modules: set[str], calls: set[str]) -> None:
    tree = ast.parse(source)
    assert (imported(tree), called(tree)) == (modules, calls)
