"""`dlp signatures cost`: what each rule adds to the time of a scan."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from dlp.cli.common import ConfigOption, JsonOption, configuration, print_json, print_table
from dlp.detect import bench, signatures
from dlp.detect.cost import Cost, Worst
from dlp.detect.signatures import Signature

_Paths = Annotated[
    list[Path] | None, typer.Argument(metavar="[PATH]…", help="Folders or files of signatures (default: the configured ones).")
]


def cost(paths: _Paths = None, config: ConfigOption = None, json: JsonOption = False) -> int:
    """Measure each rule on ordinary and on hostile text, in the company of ordinary words. Exit status 1 if one is too dear.

    Each line tells the text on which the rule comes nearest to its limit: milliseconds a MB beyond the same scan without the
    rule, and that as a multiple of what a rule costs that asks nothing, which means the same on every machine.
    """
    loaded = signatures.load(paths or configuration(config).signatures.paths).signatures.values()
    found = []
    for signature, measured in _measured(list(loaded)):
        found.append((signature, measured))
        if json:
            print_json(_json(signature, measured))
    if not json:
        found.sort(key=lambda one: one[1].ordinary.times, reverse=True)
        columns = ("signature", "ms/MB", "× empty", "limit", "on", "hostile ms/MB", "× empty", "limit", "on", "verdict")
        print_table(columns, [_row(*one) for one in found], empty="No signatures.")
    return 1 if any(measured.excessive for _, measured in found) else 0


def _measured(loaded: list[Signature]) -> Iterator[tuple[Signature, Cost]]:
    """One after the other, with a bar on standard error where that is a terminal."""
    console = Console(stderr=True)
    columns = (TextColumn("measuring"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.description}"))
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("", total=len(loaded))
        for signature in loaded:
            progress.update(task, description=signature.name)
            yield signature, bench.measured(signature)
            progress.advance(task)


def _row(signature: Signature, measured: Cost) -> tuple[str, ...]:
    ordinary, hostile = measured.ordinary, measured.hostile
    return (
        signature.name,
        *(f"{ordinary.ms_per_mb:.2f}", f"{ordinary.times:.2f}", f"{ordinary.limit:.2f}", ordinary.buffer),
        *(f"{hostile.ms_per_mb:.1f}", f"{hostile.times:.1f}", f"{hostile.limit:.0f}", hostile.buffer),
        _verdict(measured),
    )


def _verdict(measured: Cost) -> str:
    return "too dear" if measured.excessive else "ok"


def _json(signature: Signature, measured: Cost) -> dict[str, Any]:
    def worst(one: Worst) -> dict[str, Any]:
        facts = {"ms_per_mb": round(one.ms_per_mb, 3), "times_empty": round(one.times, 3), "limit": round(one.limit, 3)}
        return {"on": one.buffer} | facts

    return {
        "signature": signature.name,
        "file": str(signature.path),
        "line": signature.line,
        "ordinary": worst(measured.ordinary),
        "hostile": worst(measured.hostile),
        "verdict": _verdict(measured),
    }
