"""What a rule costs: the processor time it adds, on ordinary text and on hostile text.

The engine walks all the literals of all rules in one automaton. The first rule of any set pays for the walk, so a rule by
itself over a rule that asks nothing says little about what it adds: three words alone cost as much as the empty rule. A rule is
therefore measured in the company of a hundred ordinary words, and what the company costs without it is taken away.

The result is a multiple of the empty rule's own time on the same bytes, taken in turns with it, so that it means the same on
every machine. The empty rule takes some 1.1 ms a MB on the machine where the limits were chosen.
"""

import random
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from dlp.detect.cost_texts import TEXTS
from dlp.detect.engine import Rules, compile_source
from dlp.detect.normalise import fold
from dlp.detect.signatures import Signature
from dlp.model import Why

SIZE = 1 << 17
"""Bytes of each buffer."""
RUNS = 3
"""Turns on each ordinary buffer, of which the least counts: noise only ever adds. One on each hostile buffer."""
MOST_RUNS = 40
"""Turns for a rule that seems to be over a limit, before it is said to be."""
SECONDS = 3
"""After which a rule that will not end is stopped; it is over every limit by then."""
ORDINARY_LIMIT = 0.9
"""Times the empty rule, 1 ms a MB. A pattern that begins with a rare literal costs 0.1 and less, one that begins with a
frequent word 0.5, with a class 20 to 40. A tenth cannot be told from noise on a busy machine."""
HOSTILE_LIMIT = 100.0
"""In nothing but digits a number's pattern is tried at every place; this bounds the harm."""
PER_MATCH = 1.0
"""Times the empty rule that each match in 1,024 bytes is let have besides: to note what is found has its price too."""

_HOPELESS = 4
_SURE = 3
"""Turns after which what is over its limit `_HOPELESS` times stays so. One may have been a machine's that took the core away."""
_PATIENCE = 0.3
"""Seconds of one rule on one buffer, after which no further turn is taken."""
_COMPANY = "dlp_company"
_ORDINARY = ("Chinese", "English", "source code")


@dataclass(frozen=True, slots=True, kw_only=True)
class Worst:
    """The buffer on which a rule is most over, or nearest to, its limit: the buffer's name, how many times the empty rule the
    rule takes and may take there, and milliseconds a MB here and now."""

    buffer: str
    times: float
    limit: float
    ms_per_mb: float

    @property
    def excessive(self) -> bool:
        """Whether it is over the limit."""
        return self.times > self.limit

    @property
    def hopeless(self) -> bool:
        """Whether it is so far over that no other measure would change it."""
        return self.times > self.limit * _HOPELESS


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What a rule adds, on the worst of the ordinary buffers and of the hostile ones."""

    ordinary: Worst
    hostile: Worst

    @property
    def excessive(self) -> bool:
        """Whether it is over a limit."""
        return self.ordinary.excessive or self.hostile.excessive


@cache
def buffers() -> tuple[Mapping[str, bytes], Mapping[str, bytes]]:
    """Ordinary and hostile text by name, folded as the engine gets it; the same in every run."""
    draw = random.Random(20230701)  # noqa: S311 -- reproducible text, not a secret
    texts = {name: make(SIZE, draw) for name, make in TEXTS.items()}
    hostile = {
        **{name: text for name, text in texts.items() if name not in _ORDINARY},
        "digits": "".join(draw.choices("0123456789", k=SIZE)),
        "letters and digits": "".join(draw.choices("abcdefghijklmnopqrstuvwxyz0123456789", k=SIZE)),
        "one letter": "a" * SIZE,
        "spaces": " " * SIZE,
    }
    return {name: _filled(texts[name]) for name in _ORDINARY}, {name: _filled(text) for name, text in hostile.items()}


def _filled(text: str) -> bytes:
    data = fold(text).text.encode()
    return (data * (SIZE // len(data) + 1))[:SIZE]


@cache
def _company() -> str:
    """A rule of ordinary words: four that begin with each letter, twenty of digits, sixty of two Chinese characters."""
    draw = random.Random(20230702)  # noqa: S311 -- reproducible text, not a secret
    words = [letter + "".join(draw.choices("etaoinshrdlu", k=3)) for letter in "abcdefghijklmnopqrstuvwxyz" for _ in range(4)]
    words += ["".join(draw.choices("0123456789", k=4)) + "-q" for _ in range(20)]
    characters = "资产负债利润合同协议编号员工客户名称会议纪要预算工资入职政治面貌物料清单未经授权保留版所有密码内部文件"
    words += ["".join(draw.choices(characters, k=2)) for _ in range(60)]
    strings = " ".join(f'$w{number} = "{word}"' for number, word in enumerate(words))
    return f"rule {_COMPANY} {{ strings: {strings} condition: any of them }}\n"


@cache
def _references() -> tuple[Rules, Rules]:
    """The empty rule, and the company alone."""
    return compile_source("rule dlp_empty { condition: false }"), compile_source(_company())


def cost(signature: Signature) -> Cost:
    """Measure one shipped or operator's rule, with the rules of its file that it names."""
    rules = compile_source(f"{signature.source or source_of(signature.path, signature.name)}\n{_company()}")
    ordinary, hostile = buffers()
    return Cost(
        ordinary=_worst(rules, ordinary, ORDINARY_LIMIT, RUNS),
        hostile=_worst(rules, hostile, HOSTILE_LIMIT, 1),
    )


def _worst(rules: Rules, texts: Mapping[str, bytes], limit: float, runs: int) -> Worst:
    worst: Worst | None = None
    for name, data in texts.items():
        found = _added(rules, name, data, limit, runs)
        if worst is None or found.times / found.limit > worst.times / worst.limit:
            worst = found
        if worst.hopeless:
            break
    assert worst is not None  # noqa: S101 -- there are buffers
    return worst


def _added(rules: Rules, name: str, data: bytes, limit: float, runs: int) -> Worst:
    """The least of `runs` turns; of more where that is near the limit or above it, but of `_SURE` where it is far above."""
    least = [float("inf")] * 3
    times, turns, spent, most = 0.0, 0, 0.0, MOST_RUNS
    while turns < runs or (limit / 2 < times and turns < most and spent < _PATIENCE):
        taken = [_taken(asked, data) for asked in (*_references(), rules)]
        if not turns:
            limit += PER_MATCH * taken[2][1] * 1024 / len(data)
        least = [min(one, seconds) for one, (seconds, _) in zip(least, taken, strict=True)]
        times, turns, spent = (least[2] - least[1]) / least[0], turns + 1, spent + taken[2][0]
        most = _SURE if times > limit * _HOPELESS else MOST_RUNS
    return Worst(buffer=name, times=max(0.0, times), limit=limit, ms_per_mb=max(0.0, least[2] - least[1]) * 1e9 / len(data))


def _taken(rules: Rules, data: bytes) -> tuple[float, int]:
    """Seconds of a scan, and how many matches it had beside those of the company."""
    started = time.thread_time()
    evidence = rules.scan(data, SECONDS)
    seconds = time.thread_time() - started
    if any(why is Why.TIMEOUT for why, _ in evidence.incomplete):
        seconds = max(seconds, float(SECONDS))  # the engine's clock is the wall's
    return seconds, sum(len(hits) for rule, hits in evidence.hits.items() if rule != _COMPANY)


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
