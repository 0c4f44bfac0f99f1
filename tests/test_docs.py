"""The documentation names everything there is, and its links lead somewhere."""

import dataclasses
import re
import types
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
import typer
from prometheus_client import Metric

from dlp.cli import VERBS, build
from dlp.config import Configuration
from dlp.extract.formats import NAMES
from dlp.metrics import Metrics

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", *sorted(DOCS.glob("*.md"))]
LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)(?:\s+\"[^\"]*\")?\)")
HEADING = re.compile(r"^#+\s+(.+?)\s*$", re.MULTILINE)


def text_of(*paths: Path) -> str:
    return "\n".join(path.read_text("utf-8") for path in paths)


def keys(shape: type, table: str = "") -> Iterator[tuple[str, str]]:
    """Every (table, key) of the configuration, walking its dataclasses; a table of the top is not a key itself."""
    for field, kind in typing.get_type_hints(shape).items():
        inner = [one for one in (kind, *typing.get_args(kind)) if dataclasses.is_dataclass(one)]
        if inner and isinstance(kind, type | types.UnionType):
            yield from keys(typing.cast(type, inner[0]), f"{table}.{field}".strip("."))
        else:
            yield table, field


def verbs() -> Iterator[str]:
    """Every command that can be given, such as "quarantine release"."""
    for verb in VERBS:
        command: Any = typer.main.get_command(build((verb,)))
        command = command.commands[verb]
        inner = getattr(command, "commands", None)
        yield from (f"{verb} {name}" for name in inner) if inner else (verb,)


def metrics() -> Iterator[Metric]:
    return iter(Metrics().registry.collect())


def sampled(metric: Metric) -> str:
    """The name as it is scraped."""
    return metric.name + ("_total" if metric.type == "counter" else "")


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    headings = (re.sub(r"[^\w\- ]", "", heading.lower()) for heading in HEADING.findall(page.read_text("utf-8")))
    return {heading.replace(" ", "-") for heading in headings}


def test_there_is_something_to_look_at() -> None:
    listed = set(keys(Configuration))
    assert {("", "profile"), ("mail", "next_hop"), ("limits", "seconds"), ("organisation", "domains")} <= listed
    assert ("", "mail") not in listed
    assert {"scan", "quarantine release", "signatures lint"} <= set(verbs())
    assert "dlp_items_total" in map(sampled, metrics())


@pytest.mark.parametrize(("table", "key"), list(keys(Configuration)), ids=lambda value: value or "top")
def test_every_key_of_the_configuration_is_explained(table: str, key: str) -> None:
    explained = re.compile(rf"`(\[{re.escape(table)}\] )?{key}`") if table else re.compile(rf"`{key}`")
    shipped = (ROOT / "config" / "dlp.toml").read_text("utf-8")
    lines, current = [], ""
    for line in shipped.splitlines():
        current = found[1] if (found := re.match(r"\[([\w.]+)\]", line)) else current
        lines += [line] if current == table else []
    given = re.search(rf"^(# )?{key} = ", "\n".join(lines), re.MULTILINE)
    assert given or explained.search(text_of(DOCS / "configuration.md")), f"[{table}] {key}"


@pytest.mark.parametrize("name", list(map(sampled, metrics())))
def test_every_metric_is_explained(name: str) -> None:
    assert name in text_of(DOCS / "operations.md", ROOT / "README.md")


@pytest.mark.parametrize("verb", list(verbs()))
def test_every_verb_is_explained(verb: str) -> None:
    assert re.search(rf"\bdlp {verb}\b", text_of(DOCS / "operations.md", ROOT / "README.md", DOCS / "signatures.md")), verb


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_leads_somewhere(page: Path) -> None:
    for target in LINK.findall(page.read_text("utf-8")):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        linked = (page.parent / unquote(path)).resolve() if path else page
        assert linked.exists(), target
        if anchor and linked.suffix == ".md":
            assert unquote(anchor) in anchors(linked), target


def test_the_example_of_a_format_is_the_smallest_there_is() -> None:
    shown = re.search(r"```python\n(.+?)```", text_of(ROOT / "CONTRIBUTING.md"), re.DOTALL)
    assert shown is not None
    sources = [(ROOT / "dlp" / "extract" / f"{name}.py").read_text("utf-8") for name in NAMES]
    assert shown.group(1) == min(sources, key=lambda source: source.count("\n"))
