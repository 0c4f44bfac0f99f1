"""The figures of benchmarks.mail as Markdown: tables of ratios to Postfix alone, and the goals with whether they are met."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from benchmarks.mail_variants import REFERENCE, VARIANTS
from benchmarks.measure import table

Row = Mapping[str, Any]
Cell = tuple[str, int]
Value = Callable[[Row], float]
GROWTH = 64 << 20
BESIDE = 0.2
_CHAINS = ("Postfix + rspamd", "Postfix + amavis")
_ON = ("Postfix + dlp before-queue, on", "Postfix + dlp milter, on", "Postfix + dlp after-queue, on")


@dataclass(frozen=True, kw_only=True)
class Limit:
    """A goal for the processor time of one variant, as a ratio to Postfix alone, for messages of these sizes."""

    variant: str
    sizes: tuple[str, ...]
    ratio: float


LIMITS = (
    Limit(variant="dlp alone, off", sizes=("10 KB", "200 KB"), ratio=0.35),
    Limit(variant="dlp alone, off", sizes=("20 MB",), ratio=0.25),
    Limit(variant="Postfix + dlp before-queue, off", sizes=("10 KB", "200 KB", "20 MB"), ratio=1.6),
    Limit(variant="Postfix + dlp milter, off", sizes=("10 KB", "200 KB", "20 MB"), ratio=1.15),
)


def percentile(values: Sequence[float], share: float) -> float:
    """The value that `share` of all do not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def cpu(row: Row) -> float:
    """Seconds of processor time a message."""
    return float(row["cpu"] / row["messages"])


def rate(row: Row) -> float:
    """Messages per second."""
    return float(row["messages"] / row["seconds"])


class Measured:
    """Rows of one kind: for a variant in a cell the median of the rounds, of a value and of its ratio to another variant's."""

    def __init__(self, rows: Sequence[Row], value: Value) -> None:
        self._values = {(row["variant"], (row["size"], row["sessions"]), row["round"]): value(row) for row in rows}
        self.variants = list(dict.fromkeys(sorted_by_table(variant for variant, _, _ in self._values)))
        self.cells = list(dict.fromkeys(cell for _, cell, _ in self._values))
        self._rounds = sorted({number for _, _, number in self._values})

    def value(self, variant: str, cell: Cell) -> float | None:
        """The median of the rounds."""
        found = [self._values[key] for number in self._rounds if (key := (variant, cell, number)) in self._values]
        return median(found) if found else None

    def ratio(self, variant: str, cell: Cell, to: str = REFERENCE.title) -> float | None:
        """The median of the rounds' ratios to another variant."""
        found = [
            self._values[variant, cell, number] / self._values[to, cell, number]
            for number in self._rounds
            if (variant, cell, number) in self._values and (to, cell, number) in self._values
        ]
        return median(found) if found else None


def sorted_by_table(variants: Iterator[str]) -> list[str]:
    """In the order of mail_variants, whatever the order they ran in."""
    there = set(variants)
    return [one.title for one in VARIANTS if one.title in there]


def report(figures: Mapping[str, Any]) -> str:
    """All of it."""
    loads, latencies = figures["loads"], figures["latencies"]
    costs = Measured(loads, cpu)
    pieces = [
        f"Machine: {figures['machine']}. Ratios in brackets are to Postfix alone in the same round, the median of the rounds.",
        _matrix("CPU ms per message, user and system, all processes", costs, scale=1e3),
        _matrix("messages per second", Measured(loads, rate), scale=1),
        _matrix("latency p50, ms", Measured(latencies, lambda row: percentile(row["latencies"], 0.50)), scale=1e3),
        _matrix("latency p99, ms", Measured(latencies, lambda row: percentile(row["latencies"], 0.99)), scale=1e3),
        _matrix("peak memory, MB (PSS of all processes)", Measured(loads, lambda row: float(row["pss"])), scale=2**-20),
        _beside(figures["beside"]),
        _growth(figures["growth"]),
        _judged(list(_goals(figures, costs))),
    ]
    if figures["skipped"]:
        pieces.append("Not measured: " + "; ".join(figures["skipped"]) + ".")
    if figures["failed"]:
        pieces.append("Failed:\n" + "\n".join(f"- {one}" for one in figures["failed"]))
    return "\n\n".join(piece for piece in pieces if piece)


def _matrix(title: str, measured: Measured, *, scale: float) -> str:
    def cell(variant: str, where: Cell) -> str:
        value, ratio = measured.value(variant, where), measured.ratio(variant, where)
        if value is None:
            return ""
        return (
            f"{_short(value * scale)} ({ratio:.2f})"
            if ratio is not None and variant != REFERENCE.title
            else _short(value * scale)
        )

    header = (title, *(f"{size} × {sessions}" for size, sessions in measured.cells))
    return table(header, [[variant, *(cell(variant, where) for where in measured.cells)] for variant in measured.variants])


def _short(value: float) -> str:
    return f"{value:.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def _pooled(rows: Sequence[Row]) -> dict[str, list[float]]:
    found = dict[str, list[float]]()
    for variant in sorted_by_table(row["variant"] for row in rows):
        found[variant] = [one for row in rows if row["variant"] == variant for one in row["latencies"]]
    return found


def _beside(rows: Sequence[Row]) -> str:
    header = ("10 KB beside two senders of 20 MB, ms", "p50", "p99", "max", "messages")
    lines = [
        [variant, *(_short(1e3 * percentile(all_, share)) for share in (0.5, 0.99, 1.0)), str(len(all_))]
        for variant, all_ in _pooled(rows).items()
    ]
    return table(header, lines) if rows else ""


def _growth(rows: Sequence[Row]) -> str:
    header = ("gateway process, MB, with 20 × 20 MB at once", "before", "peak", "growth", "unnamed files at peak", "after")
    keys = ("before", "peak", "growth", "files", "after")
    lines = [
        [row["variant"], *(_short({**row, "growth": row["peak"] - row["before"]}[key] * 2**-20) for key in keys)] for row in rows
    ]
    return table(header, lines) if rows else ""


def _judged(goals: Sequence[Sequence[str]]) -> str:
    return table(("goal", "measured", ""), goals) if goals else ""


def _goals(figures: Mapping[str, Any], costs: Measured) -> Iterator[tuple[str, str, str]]:
    for limit in LIMITS:
        ratios = {cell: costs.ratio(limit.variant, cell) for cell in costs.cells if cell[0] in limit.sizes}
        name = f"CPU of {limit.variant}, {' / '.join(limit.sizes)}: ≤ {limit.ratio} × Postfix alone"
        yield from _worst(name, ratios, limit.ratio)
    for ours in _ON:
        for theirs in _CHAINS:
            ratios = {cell: costs.ratio(ours, cell, theirs) for cell in costs.cells}
            yield from _worst(f"CPU of {ours}: < {theirs}", ratios, 1.0)
    for variant, latencies in _pooled(figures["beside"]).items():
        if "dlp" in variant:
            p99 = percentile(latencies, 0.99)
            goal = f"p99 of 10 KB beside two senders of 20 MB, {variant}: < {BESIDE * 1e3:.0f} ms"
            yield goal, f"{p99 * 1e3:.0f} ms", _verdict(p99 < BESIDE)
    for row in figures["growth"]:
        growth = row["peak"] - row["before"]
        goal = f"growth of the gateway's process with 20 × 20 MB, {row['variant']}: < {GROWTH >> 20} MB"
        yield goal, f"{growth / 2**20:.0f} MB", _verdict(growth < GROWTH)


def _worst(name: str, ratios: Mapping[Cell, float | None], limit: float) -> Iterator[tuple[str, str, str]]:
    found = {cell: ratio for cell, ratio in ratios.items() if ratio is not None}
    if found:
        cell = max(found, key=lambda one: found[one])
        best = min(found.values())
        yield name, f"{best:.2f} to {found[cell]:.2f} (at {cell[0]} × {cell[1]})", _verdict(found[cell] <= limit)


def _verdict(met: bool) -> str:
    return "met" if met else "missed"
