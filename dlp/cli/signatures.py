"""`dlp signatures`: the security team's bench."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from dlp.cli import signatures_cost
from dlp.cli.common import ConfigOption, JsonOption, configuration, print_error, print_fault, print_json, print_table
from dlp.cli.signatures_near_miss import near_miss
from dlp.cli.signatures_replay import replay
from dlp.cli.signatures_report import report
from dlp.config import CHECKOUT, build_policy
from dlp.detect import bench, signatures
from dlp.detect import coverage as coverage_table
from dlp.detect.register import BuiltIn
from dlp.detect.registers import BUILT_IN
from dlp.detect.signatures import Signature
from dlp.errors import ConfigError
from dlp.model import Mode

app = typer.Typer(help="What is looked for, and the bench to try it on.", no_args_is_help=True)
app.command()(signatures_cost.cost)
app.command("near-miss")(near_miss)
app.command("replay")(replay)
app.command("report")(report)

Paths = Annotated[
    list[Path] | None, typer.Argument(metavar="[PATH]…", help="Folders or files of signatures (default: the configured ones).")
]


@app.command("list")
def list_(
    config: ConfigOption = None,
    json: JsonOption = False,
    coverage: Annotated[
        bool, typer.Option("--coverage", help="Instead: each category of information, and what finds it.")
    ] = False,
) -> None:
    """Every signature in force, with the level it has in the active profile."""
    if coverage:
        _list_coverage(json=json)
        return
    loaded = configuration(config)
    profile = build_policy(loaded).profile
    rows = []
    for one in signatures.load(loaded.signatures.paths).signatures.values():
        stated = profile.resolve(one.level) if one.level else profile.categories.get(one.category or "", profile.unlisted)
        if json:
            print_json(_json(one) | {"level": stated})
        rows.append(
            (
                one.name,
                one.category or "(the mark states it)",
                stated,
                str(one.confidence),
                one.mode.value,
                one.title,
                one.title_zh,
            )
        )
    rows += map(_declared, BUILT_IN.values())  # not as JSON, where every row is a rule with a level
    if not json:
        print_table(("signature", "category", "level", "confidence", "mode", "title", "名称"), rows, empty="No signatures.")


def _declared(one: BuiltIn) -> tuple[str, str, str, str, str, str, str]:
    """What registers find has a name like a signature, and each entry its own level."""
    return one.name, one.category or "(a register)", "(the entry's)", "", "enforce", one.title, one.title_zh


def _list_coverage(*, json: bool) -> None:
    """What secrecy policies ask for, C01 to C69, and the signatures, registers or reasons that answer."""
    shipped = CHECKOUT / "signatures"
    known = signatures.load([shipped]).signatures
    categories = coverage_table.load(shipped / coverage_table.FILE)
    if json:
        for name, one in categories.items():
            print_json({"id": name} | asdict(one))
        return
    rows = []
    for name, one in categories.items():
        found = ", ".join(each + (" (shadow)" if known[each].mode is Mode.SHADOW else "") for each in one.signatures)
        declared = ", ".join(f"register {each}" for each in one.registers)
        rows.append((name, one.zh, one.en, found, declared, "; ".join(filter(None, (one.policy, one.reason)))))
    print_table(("id", "类别", "category", "signatures", "registers", "policy or reason"), rows, empty="No categories.")


def _json(one: Signature) -> dict[str, object]:
    return {
        "signature": one.name,
        "title": one.title,
        "title_zh": one.title_zh,
        "category": one.category,
        "confidence": one.confidence,
        "validator": one.validator,
        "min_count": one.min_count,
        "near": list(one.near),
        "zones": sorted(zone.value for zone in one.zones),
        "on": sorted(lane.value for lane in one.on),
        "mode": one.mode.value,
        "file": str(one.path),
        "line": one.line,
    }


@app.command()
def lint(
    paths: Paths = None,
    config: ConfigOption = None,
    json: JsonOption = False,
    cost: Annotated[bool, typer.Option("--cost/--no-cost", help="Measure what each signature adds to a scan.")] = True,
) -> int:
    """Refuse a signature without its meta, without hits and near misses, or that costs too much. Exit status 0 or 1.

    Signatures in folders of your own may lack tests: that is a warning.
    """
    chosen, cases = _chosen(paths, config)
    faults = bench.lint(chosen, cases, costs=cost)
    warned = [] if faults else bench.warnings(chosen, cases)
    for fault in (*faults, *warned):
        print_fault(fault, warning=fault in warned, json=json)
    if not json:
        typer.echo(f"{len(faults)} faults, {len(warned)} warnings.")
    return 1 if faults else 0


@app.command()
def test(paths: Paths = None, config: ConfigOption = None, json: JsonOption = False) -> int:
    """Ask every hit and near miss. Exit status 0 if all hold, else 1."""
    chosen, cases = _chosen(paths, config)
    try:
        results = bench.test(chosen, cases)
    except ConfigError as error:
        for fault in error.faults:
            print_fault(fault, json=json)
        return 1
    for result in results:
        case = result.case
        if json:
            kind = "hit" if case.hit else "near-miss"
            print_json({"signature": case.signature, "case": case.key, "kind": kind, "passed": result.passed, "why": result.why})
        elif not result.passed:
            print_error(f"{case.path}: {case.key}: {result.why}")
    failed = sum(not result.passed for result in results)
    if not json:
        columns = ("signature", "hits", "near misses", "failed")
        print_table(columns, map(_counted, bench.totals(results)), empty="No cases.")
        typer.echo(f"{len(results)} cases, {failed} failed.")
    return 1 if failed else 0


def _counted(total: bench.Total) -> tuple[str, str, str, str]:
    return total.signature, str(total.hits), str(total.near_misses), str(total.failed or "")


def _chosen(paths: Sequence[Path] | None, config: Path | None) -> tuple[Sequence[Path], Path | None]:
    """The signatures asked for, and where the cases of the shipped ones stand, if those are among them."""
    chosen = paths or configuration(config).signatures.paths
    shipped = chosen[0].resolve() == CHECKOUT / "signatures"
    return chosen, CHECKOUT / "tests" / "signatures" if shipped else None
