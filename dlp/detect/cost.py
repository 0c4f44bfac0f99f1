"""What a rule costs: processor time over that of a rule that asks nothing, on ordinary and on hostile text.

Costs are ratios to the empty rule in the same run, so that they mean the same on every machine. The empty rule takes
some 1.1 ms a MB on the machine where the limits were chosen.
"""

import random
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from dlp.detect.engine import Rules, compile_source
from dlp.detect.normalise import fold
from dlp.detect.signatures import Signature

SIZE = 1 << 17
"""Bytes of each buffer."""
RUNS = 5
SECONDS = 1
"""After which a rule that will not end is stopped; it is over every limit by then."""
ORDINARY_LIMIT = 12.0
"""A pattern that begins with a class costs 25 to 50 times the empty rule; one with a literal of three letters below 1.
The limit leaves room for a rule that matches much of the text it is tried on."""
HOSTILE_LIMIT = 500.0
"""In nothing but digits a number's pattern is tried at every place; this bounds the harm."""

_ZH = "公司将于下周召开年度工作会议，请各部门提前准备好汇报材料，按时交给办公室汇总。会议时间另行通知，地点在三楼。\n"
_EN = "The committee will meet again next week, and every department is asked to send its report to the office before Friday. "
_CODE = "def total(items, rate=0.13):\n    for item in items:\n        yield item.name, round(item.price * (1 + rate), 2)\n\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """How many times the empty rule a rule costs, beyond it: the worst of the ordinary buffers and of the hostile ones."""

    ordinary: float
    hostile: float

    @property
    def excessive(self) -> bool:
        """Whether it is over a limit."""
        return self.ordinary > ORDINARY_LIMIT or self.hostile > HOSTILE_LIMIT


@cache
def buffers() -> tuple[Mapping[str, bytes], Mapping[str, bytes]]:
    """Ordinary and hostile text by name, folded as the engine gets it; the same in every run."""
    draw = random.Random(20230701)  # noqa: S311 -- reproducible text, not a secret
    ordinary = {"chinese": _ZH, "english": _EN, "code": _CODE}
    hostile = {
        "digits": "".join(draw.choices("0123456789", k=SIZE)),
        "letters and digits": "".join(draw.choices("abcdefghijklmnopqrstuvwxyz0123456789", k=SIZE)),
        "numbers": "\n".join(
            "\t".join(str(draw.randrange(10 ** draw.randrange(2, 12))) for _ in range(8)) for _ in range(SIZE // 48)
        ),
        "one letter": "a" * SIZE,
        "spaces": " " * SIZE,
    }
    return {name: _filled(text) for name, text in ordinary.items()}, {name: _filled(text) for name, text in hostile.items()}


def _filled(text: str) -> bytes:
    data = fold(text).text.encode()
    return (data * (SIZE // len(data) + 1))[:SIZE]


def cost(signature: Signature) -> Cost:
    """Measure one shipped or operator's rule, alone but for the rules of its file that it names."""
    rules, empty = compile_source(source_of(signature.path, signature.name)), compile_source("rule empty { condition: false }")
    ordinary, hostile = buffers()
    return Cost(
        ordinary=max(_ratio(rules, empty, data, ORDINARY_LIMIT) for data in ordinary.values()),
        hostile=max(_ratio(rules, empty, data, HOSTILE_LIMIT) for data in hostile.values()),
    )


def _ratio(rules: Rules, empty: Rules, data: bytes, limit: float) -> float:
    """The least of several runs, for noise only ever adds; one run will do far from the limit."""
    base = min(_seconds(empty, data) for _ in range(RUNS))
    first = _seconds(rules, data)
    if limit / 4 < first / base < limit * 4:
        first = min(first, *(_seconds(rules, data) for _ in range(RUNS)))
    return first / base - 1


def _seconds(rules: Rules, data: bytes) -> float:
    started = time.thread_time()
    rules.scan(data, SECONDS)
    return time.thread_time() - started


_RULE = re.compile(r"^[ \t]*(?:(?:private|global)\s+)*rule\s+(\w+)", re.MULTILINE)


def source_of(path: Path, name: str) -> str:
    """The source of one rule, with the imports of its file and the other rules there that it names, in their order."""
    source = path.read_text("utf-8-sig")
    starts = [(found.group(1), found.start()) for found in _RULE.finditer(source)]
    ends = [start for _, start in starts[1:]] + [len(source)]
    chunks = {rule: source[start:end] for (rule, start), end in zip(starts, ends, strict=True)}
    wanted, grown = {name}, True
    while grown:
        named = {rule for rule in chunks for user in wanted if re.search(rf"\b{rule}\b", chunks[user])}
        grown = not named <= wanted
        wanted |= named
    return source[: starts[0][1]] + "".join(chunk for rule, chunk in chunks.items() if rule in wanted)
