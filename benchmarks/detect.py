"""How fast detection is: `python -m benchmarks.detect [--json] [SECTION…]` (`make bench-detect`).

Processor time of one thread, the least of several turns, each reference in turns with what it is compared to.

chain    a text in, findings out: fold, engine, validators; beside yara-python alone with the same rules on the same bytes
fold     folding alone; beside unicodedata.normalize("NFKC")
rules    what each rule adds on each text, ordinary and hostile, the ten dearest
stages   where the time goes

Texts are made by code (`dlp.detect.cost_texts`), in parts of 2 to 200 KB; with DLP_CORPUS also its statutes. Another section
is a function that gives tables, named in SECTIONS. Prints Markdown for docs/performance.md.
"""

import argparse
import json
import os
import time
import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yara

from benchmarks.measure import machine, table
from dlp.detect import bench
from dlp.detect.cost import SIZE, buffers
from dlp.detect.cost_texts import TEXTS, parts
from dlp.detect.detector import Detector
from dlp.detect.engine import compile_source
from dlp.detect.normalise import fold
from dlp.detect.views import TextView
from dlp.model import Part, Raw
from tests.helpers.daemon import CHECKOUT

ROUNDS = 5
SIGNATURES = CHECKOUT / "signatures"
CHAIN_GOAL = 6.0
"""Times yara-python alone, at most."""
FOLD_GOALS = (100.0, 4.0)
"""MB a second, or times as fast as NFKC: one of the two."""
RULE_GOAL = 0.45
"""Times the empty rule: 0.5 ms a MB where that takes 1.1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """One result: a title, its columns, and a row for each thing measured."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]

    def markdown(self) -> str:
        """As docs/performance.md has it."""
        return f"{self.title}\n\n{table(self.columns, self.rows)}\n"

    def json(self) -> Iterator[Mapping[str, Any]]:
        """A line for each row."""
        for row in self.rows:
            yield {"table": self.title} | dict(zip(self.columns, row, strict=True))


def least(*works: Callable[[], object], rounds: int = ROUNDS) -> list[float]:
    """Processor seconds of each work, the least of `rounds` turns, all in each turn."""
    best = [float("inf")] * len(works)
    for _ in range(rounds):
        for place, work in enumerate(works):
            started = time.thread_time()
            work()
            best[place] = min(best[place], time.thread_time() - started)
    return best


@cache
def texts() -> Mapping[str, Sequence[str]]:
    """By kind, the parts measured on."""
    kinds = {kind: parts(kind) for kind in TEXTS}
    if corpus := os.environ.get("DLP_CORPUS"):
        laws = sorted((Path(corpus) / "laws").rglob("*.txt"))
        kinds["statutes"] = [path.read_text("utf-8", "replace") for path in laws]
    return kinds


@cache
def detector() -> Detector:
    """The shipped signatures."""
    return Detector.load([SIGNATURES])


def megabytes(pieces: Sequence[str]) -> float:
    """Of 10⁶ bytes, in UTF-8."""
    return sum(len(piece.encode()) for piece in pieces) / 1e6


def detect(pieces: Sequence[str], *, raw: bool) -> int:
    """Each text an item of its own, with the bytes of its file or without; the number of results."""
    results = 0
    for piece in pieces:
        scan = detector().begin()
        if raw:
            scan.add(Raw(data=piece.encode()))
        scan.add(Part(text=piece, start=True))
        results += sum(1 for _ in scan.finish())
    return results


def chain() -> Iterator[Table]:
    """The whole chain against the engine alone."""
    alone = yara.compile(filepaths={path.stem: str(path) for path in sorted(SIGNATURES.glob("*.yar"))})
    rows = []
    for kind, pieces in texts().items():
        size, encoded = megabytes(pieces), [piece.encode() for piece in pieces]

        def engine(encoded: Sequence[bytes] = encoded) -> None:
            for data in encoded:
                alone.match(data=data)

        whole, both, reference = least(
            lambda pieces=pieces: detect(pieces, raw=False), lambda pieces=pieces: detect(pieces, raw=True), engine
        )
        met = "met" if whole / reference <= CHAIN_GOAL else "missed"
        cells = (f"{size:.2f}", f"{size / reference:.1f}", f"{size / whole:.1f}", f"{whole / reference:.2f}", met)
        rows.append((kind, *cells, f"{size / both:.1f}", f"{both / reference:.2f}"))
    columns = (
        "text",
        "MB",
        "yara alone MB/s",
        "text MB/s",
        f"× yara (goal ≤ {CHAIN_GOAL:g})",
        "",
        "text and bytes MB/s",
        "× yara",
    )
    yield Table(title="From a text to its findings", columns=columns, rows=rows)


def folding() -> Iterator[Table]:
    """Folding against NFKC. Of code only what holds another character than ASCII's: the rest is one call of str.lower."""
    rows = []
    for kind, pieces in texts().items():
        chosen = [piece if not piece.isascii() else f"{piece}é" for piece in pieces]
        size = megabytes(chosen)
        ours, nfkc = least(
            lambda chosen=chosen: [fold(piece) for piece in chosen],
            lambda chosen=chosen: [unicodedata.normalize("NFKC", piece) for piece in chosen],
        )
        met = "met" if size / ours >= FOLD_GOALS[0] or nfkc / ours >= FOLD_GOALS[1] else "missed"
        rows.append((kind, f"{size / ours:.0f}", f"{size / nfkc:.0f}", f"{nfkc / ours:.2f}", met))
    goal = f"÷ NFKC's time (goal: {FOLD_GOALS[0]:g} MB/s or {FOLD_GOALS[1]:g} ×)"
    yield Table(
        title="Folding, with at least one character that is not ASCII", columns=("text", "MB/s", "NFKC MB/s", goal, ""), rows=rows
    )


def rules() -> Iterator[Table]:
    """What the dearest rules add."""
    ordinary, hostile = buffers()
    empty = compile_source("rule empty { condition: false }")
    data = next(iter(ordinary.values()))
    (reference,) = least(lambda: empty.scan(data, 5), rounds=20)
    found = [(signature, bench.measured(signature)) for signature in detector().signatures.values()]
    found.sort(key=lambda one: one[1].ordinary.times, reverse=True)
    rows = []
    for signature, measured in found[:10]:
        worst = (measured.ordinary, measured.hostile)
        cells = [(one.buffer, f"{one.ms_per_mb:.2f}", f"{one.times:.2f}") for one in worst]
        met = "met" if measured.ordinary.times <= RULE_GOAL else "missed"
        rows.append((signature.name, *cells[0], met, *cells[1]))
    columns = ("rule", "ordinary", "ms/MB", f"× empty (goal ≤ {RULE_GOAL:g})", "", "hostile", "ms/MB", "× empty")
    over = sum(measured.ordinary.times > RULE_GOAL for _, measured in found)
    title = f"What a rule adds: the ten dearest of {len(found)}, {over} of them over the goal; the empty rule takes"
    yield Table(title=f"{title} {reference * 1e9 / SIZE:.2f} ms/MB here", columns=columns, rows=rows)
    yield Table(title="Buffers", columns=("ordinary", "hostile"), rows=[(", ".join(ordinary), ", ".join(hostile))])


def stages() -> Iterator[Table]:
    """Fold, engine, the way back to places; what is left of the chain is validators and findings."""
    rows, compiled = [], detector().loaded.rules
    for kind, pieces in texts().items():
        size = megabytes(pieces)
        views = [view_of(piece) for piece in pieces]
        evidence = [compiled.scan(view.data, 20) for view in views]
        hits = [[hit for one in found.hits.values() for hit in one] for found in evidence]
        fold_time, joined, engine, places, whole = least(
            lambda pieces=pieces: [fold(piece) for piece in pieces],
            lambda pieces=pieces: [view_of(piece).data for piece in pieces],
            lambda views=views: [compiled.scan(view.data, 20) for view in views],
            lambda views=views, hits=hits: [list(view.places(some)) for view, some in zip(views, hits, strict=True)],
            lambda pieces=pieces: detect(pieces, raw=False),
        )
        shares = {"fold": fold_time, "to UTF-8": joined - fold_time, "engine": engine}
        left = max(0.0, whole - sum(shares.values()))
        cells = [f"{share / size * 1e3:.1f} ({share / whole:.0%})" for share in (*shares.values(), left)]
        rows.append((kind, *cells, f"{places / size * 1e3:.1f}", f"{whole / size * 1e3:.1f}", str(sum(map(len, hits)))))
    columns = ("text", "fold", "to UTF-8", "engine", "places, validators, findings", "all hits placed", "whole", "hits")
    yield Table(title="Where the time goes, ms a MB", columns=columns, rows=rows)


def view_of(piece: str) -> TextView:
    """One text, folded."""
    view = TextView()
    view.add(Part(text=piece, start=True))
    return view


SECTIONS: Mapping[str, Callable[[], Iterator[Table]]] = {"chain": chain, "fold": folding, "rules": rules, "stages": stages}
"""By name, in order. The look-up of declared documents belongs here too."""


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description="how fast detection is")
    parser.add_argument("sections", nargs="*", metavar="SECTION", help=f"some of {', '.join(SECTIONS)}; all if none is named")
    parser.add_argument("--json", action="store_true", help="a line of JSON for each row")
    options = parser.parse_args()
    if unknown := set(options.sections) - set(SECTIONS):
        parser.error(f"no such section: {', '.join(sorted(unknown))}; there are {', '.join(SECTIONS)}")
    if not options.json:
        print(f"Machine: {machine()}. Processor time of one thread, the least of {ROUNDS} turns.\n")
    for name in options.sections or SECTIONS:
        for found in SECTIONS[name]():
            if options.json:
                for row in found.json():
                    print(json.dumps(row, ensure_ascii=False))
            else:
                print(found.markdown(), flush=True)


if __name__ == "__main__":
    main()
