"""Builds signature files for tests."""

from pathlib import Path

META = 'title = "A" title_zh = "甲" category = "other" confidence = 50'


def rule(name: str, strings: str = '$a = "abc"', condition: str = "any of them", meta: str = META) -> str:
    """The source of one rule."""
    body = f"strings: {strings}" if strings else ""
    return f"rule {name} {{\n  meta: {meta}\n  {body}\n  condition: {condition}\n}}\n"


def written(folder: Path, source: str, name: str = "rules.yar") -> Path:
    """A file of rules in `folder`."""
    path = folder / name
    path.write_text(source, "utf-8")
    return path
