"""What is found when someone tries to hide it: `python -m benchmarks.evasion` (`make bench-evasion`).

Markings, identifiers and their labels, hidden in every way that `benchmarks.evasion_variants` knows, go through `inspect` with
the shipped signatures, as the files that they are; beside each an innocent twin, for which any finding is a false one.
Prints Markdown for docs/performance.md, and with --missed what was not found; ends with 1 if a class falls short of GOAL
or a twin was taken for a secret.
"""

import argparse
import json
import sys
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path

from benchmarks.evasion_variants import BLOBS, GROUPS, PICTURES, Variant, variants
from benchmarks.measure import machine, table
from dlp.detect.detector import Detector
from dlp.extract.budget import Budget, Ocr
from dlp.inspection import inspect
from dlp.model import Limits

GOAL = 97
"""Percent of the variants of each class."""
_SIGNATURES = Path(__file__).parents[1] / "signatures"


@dataclass(slots=True)
class Tally:
    """One class: how many variants, how many found, and of what was not found or wrongly found the names."""

    group: str
    variants: int = 0
    found: int = 0
    twins: int = 0
    missed: list[str] = field(default_factory=list)
    mistaken: list[str] = field(default_factory=list)

    @property
    def percent(self) -> float:
        """Of the variants; 100 where there are none."""
        return 100 * self.found / self.variants if self.variants else 100.0

    @property
    def holds(self) -> bool:
        """Whether the class reaches the goal and cries no wolf."""
        return self.percent >= GOAL and not self.mistaken


def detector() -> Detector:
    """With the shipped signatures."""
    return Detector.load([_SIGNATURES])


def findings(variant: Variant, asked: Detector, ocr: Ocr | None = None) -> set[str]:
    """Names of the signatures found in a variant."""
    budget = Budget(Limits(), ocr=ocr)
    result = inspect(memoryview(variant.data), name=variant.file, media=None, budget=budget, detector=asked)
    return {finding.signature for finding in result.findings}


def tally(group: str, some: Iterable[Variant], asked: Detector, ocr: Ocr | None = None) -> Tally:
    """What becomes of the variants of one class."""
    result = Tally(group)
    for variant in some:
        found = findings(variant, asked, ocr)
        if not variant.found_by:
            result.twins += 1
            if found:
                result.mistaken.append(f"{variant.name}: {', '.join(sorted(found))}")
            continue
        result.variants += 1
        if found & variant.found_by:
            result.found += 1
        else:
            result.missed.append(variant.name)
    return result


def _tallies(groups: Iterable[str]) -> Iterator[Tally]:
    asked = detector()
    for group in groups:
        reader = None
        if group == PICTURES:
            from dlp.extract import ocr

            if not ocr.available():
                print("pictures: skipped, the extra ocr is not installed", file=sys.stderr)
                continue
            reader = ocr.load()
        yield tally(group, variants(group), asked, reader)


def _report(tallies: list[Tally], *, missed: bool) -> str:
    rows = [
        [
            one.group,
            str(one.variants),
            str(one.found),
            f"{one.percent:.1f} %" if one.variants else "",
            f"{len(one.mistaken)} of {one.twins}",
        ]
        for one in tallies
    ]
    count, found = sum(one.variants for one in tallies), sum(one.found for one in tallies)
    wrong, twins = sum(len(one.mistaken) for one in tallies), sum(one.twins for one in tallies)
    rows.append(["all", str(count), str(found), f"{100 * found / max(1, count):.1f} %", f"{wrong} of {twins}"])
    lines = [machine(), "", table(("Class", "Variants", "Found", "", "Innocent twins taken for one"), rows)]
    if missed:
        lines += [f"missed: {one.group}: {name!r}" for one in tallies for name in one.missed]
        lines += [f"mistaken: {one.group}: {name!r}" for one in tallies for name in one.mistaken]
    return "\n".join(lines)


def main(arguments: list[str] | None = None) -> int:
    """The command."""
    everything = (*GROUPS, PICTURES, BLOBS)
    parser = argparse.ArgumentParser(prog="benchmarks.evasion", description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--json", action="store_true", help="the tallies as JSON")
    parser.add_argument("--missed", action="store_true", help="what was missed, and what was taken for a secret")
    parser.add_argument("--class", dest="group", choices=everything, metavar="NAME", help=f"one of: {', '.join(everything)}")
    options = parser.parse_args(arguments)
    tallies = list(_tallies([options.group] if options.group else everything))
    if options.json:
        print(json.dumps([asdict(one) | {"percent": one.percent} for one in tallies], ensure_ascii=False, indent=1))
    else:
        print(_report(tallies, missed=options.missed))
    return 0 if all(one.holds for one in tallies) else 1


if __name__ == "__main__":
    sys.exit(main())
