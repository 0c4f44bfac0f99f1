"""Declared tables and code names: what is found again, what is found in error, what looking and declaring cost:
`python -m benchmarks.records`.

A table of people is made by chance (number, name, telephone, address, department). Some of its rows are planted in four layouts;
then each is planted again with the other cells of another row. Clean text is the statutes that DLP_CORPUS names, else chance
Chinese; the project's documentation; its own source code. Costs are beside that of folding the same text in the same run.

Prints Markdown for docs/performance.md. `tables` is for other benchmarks.
"""

import argparse
import csv
import hashlib
import os
import random
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np

from benchmarks.measure import machine, table
from dlp import columns
from dlp.cli import tables as files
from dlp.config import Configuration
from dlp.detect.codenames import CodeNames, NameList
from dlp.detect.keyed import Keyed, Sums, sealed
from dlp.detect.normalise import Folded, fold, prepare
from dlp.detect.records import Facts, open_records
from dlp.detect.records_build import Builder, Built
from dlp.detect.register import Register, Seen
from dlp.detect.squeeze import Cells
from dlp.model import Finding, Part

KEY = bytes(range(32))
ROWS = 1_000_000
PLANTED = 2000
NAMES = 5000
SIZE = 4 << 20
"""Bytes of each clean text."""
ROOT = Path(__file__).parents[1]
HEADING = ("number", "name", "telephone", "address", "department")
FAMILY = "王李张刘陈杨赵黄周吴徐孙胡朱高林何郭马罗梁宋郑谢韩唐冯于董萧"
GIVEN = "伟芳娜敏静丽强磊军洋勇艳杰娟涛明超秀霞平刚桂英华玉兰建国志文斌鑫宇浩然子轩梓涵欣怡佳琪雨"
TOWNS = ("北京市海淀区", "上海市浦东新区", "杭州市西湖区", "广州市天河区", "成都市武侯区", "武汉市洪山区", "西安市雁塔区")

Row = tuple[str, ...]


def seconds(work: Callable[[], object], *, rounds: int = 3) -> float:
    """The least processor time of `rounds` runs of `work`, in seconds: all of this runs in one thread and waits for nothing."""
    best = float("inf")
    for _ in range(rounds):
        start = time.process_time()
        work()
        best = min(best, time.process_time() - start)
    return best


def tables(rows: int, corpus: Path | None) -> str:
    """All of it as Markdown."""
    chance = random.Random(11)
    people = [person(chance) for _ in range(rows)]
    with tempfile.TemporaryDirectory() as folder:
        by_number, costs = declared(Path(folder), "number", people, (0, 1, 2, 3, 4))
        by_name, _ = declared(Path(folder), "name", people[: rows // 10], (1, 2, 3))
        found = recall(by_number, people, chance)
        texts = clean(corpus, chance)
        speed = looking({"number": by_number, "name": by_name, "codes": code_names(chance)}, texts, people)
    return "\n\n".join((costs, found, speed, hashing()))


def person(chance: random.Random) -> Row:
    """A row by chance."""
    born = f"{chance.randrange(1950, 2006)}{chance.randrange(1, 13):02d}{chance.randrange(1, 29):02d}"
    given = "".join(chance.choices(GIVEN, k=chance.choice((1, 2, 2))))
    road = "".join(chance.choices(GIVEN, k=2))
    return (
        f"{chance.randrange(110101, 659006)}{born}{chance.randrange(1000):03d}{chance.choice('0123456789X')}",
        chance.choice(FAMILY) + given,
        f"1{chance.randrange(3, 10)}{chance.randrange(10**9):09d}",
        f"{chance.choice(TOWNS)}{road}路{chance.randrange(1, 999)}号{chance.randrange(1, 40)}栋{chance.randrange(101, 3000)}室",
        chance.choice(("研发部", "销售部", "财务部", "人事部", "生产部")),
    )


def declared(folder: Path, name: str, rows: Sequence[Row], chosen: Sequence[int]) -> tuple[Register, str]:
    """The table declared from a CSV file as the command does, the first of the chosen columns primary; and what that cost."""
    file, place = folder / f"{name}.csv", folder / name
    (place / "records").mkdir(parents=True)
    with file.open("w", encoding="utf-8", newline="") as out:
        csv.writer(out).writerows([HEADING, *rows])
    started = time.process_time()
    built = _built(file, place / "records", name, chosen)
    spent = time.process_time() - started
    size = sum(path.stat().st_size for path in (place / "records").iterdir())
    opening = seconds(lambda: open_records(place, KEY), rounds=1)
    register = open_records(place, KEY)
    assert register is not None
    cells = (f"{built.rows:,}", str(len(chosen)), f"{built.rows / spent:,.0f}", f"{size / built.rows:.1f}", f"{opening:.2f}")
    return register, table(("rows", "columns", "rows/s declared, from CSV (CPU)", "bytes/row", "s to open"), [cells])


def _built(file: Path, folder: Path, name: str, chosen: Sequence[int]) -> Built:
    builder = Builder(Sums(KEY), Keyed(KEY, name), others=len(chosen) - 1, least=1)
    with files.opened(file, Configuration()) as sheet:
        for batch in sheet.batches:
            primary, *others = [[row[place] for row in batch] for place in chosen]
            builder.add(primary, others)
    draft = columns.Draft(folder, None)
    built = builder.finish(draft, name)
    facts = Facts(title=name, level="secret", owner="", least=1, rows=1, shapes=built.shapes)
    draft.commit({"tables": {name: sealed(KEY, asdict(facts), name)}})
    return built


def recall(register: Register, people: Sequence[Row], chance: random.Random) -> str:
    """Planted rows that are found, and rows with the cells of others, layout by layout."""
    planted = chance.sample(range(len(people)), PLANTED)
    others = planted[1:] + planted[:1]
    rows = []
    for name in ("running text", "CSV", "table", "a cell a line"):
        right = sum(_hit(register, _laid(name, people[at], chance)) for at in planted)
        mixed = [_mixed(people[at], people[other]) for at, other in zip(planted, others, strict=True)]
        wrong = sum(_hit(register, _laid(name, row, chance)) for row in mixed)
        rows.append((name, f"{right / PLANTED:.4f}", str(wrong)))
    return table((f"{PLANTED} rows planted", "found", "found with another row's cells"), rows)


def _mixed(own: Row, other: Row) -> Row:
    """One's number with another's cells; a cell that both have is left out, because there it is one's own."""
    return (own[0], *("" if cell == theirs else theirs for cell, theirs in zip(own[1:], other[1:], strict=True)))


def _hit(register: Register, text: str) -> bool:
    seen = Seen(texts=[(Part(text=text), fold(text))], names=[], files=[])
    return any(isinstance(one, Finding) for one in register.findings(seen))


def _laid(layout: str, row: Row, chance: random.Random) -> str:
    number, name, telephone, address, department = row
    if layout == "running text":
        grouped = f"{telephone[:3]}{chance.choice(' -')}{telephone[3:7]}{chance.choice(' -')}{telephone[7:]}"
        return (
            f"{department}的{name}（身份证号 {number[:6]} {number[6:14]} {number[14:]}）住在{address}，可拨打{grouped}联系本人。"
        )
    if layout == "a cell a line":
        return "\n".join(("编号", "7", name, telephone, number, department, address))
    return {"CSV": ",", "table": "\t"}[layout].join(("7", name, number, department, telephone)) + "\n"


def clean(corpus: Path | None, chance: random.Random) -> dict[str, str]:
    """Texts with nothing declared in them."""
    laws = sorted((corpus / "laws").glob("*.txt")) if corpus else []
    chinese = "".join(path.read_text("utf-8", "replace") for path in laws) or "".join(
        chance.choices([chr(code) for code in range(0x4E00, 0x5200)] + list("，。\n的了在是0123456789"), k=SIZE // 3)
    )
    docs = "".join(path.read_text("utf-8") for path in sorted(ROOT.glob("docs/*.md")))
    code = "".join(path.read_text("utf-8") for path in sorted(ROOT.glob("dlp/**/*.py")))
    return {name: _sized(text) for name, text in (("Chinese", chinese), ("English", docs), ("code", code))}


def _sized(text: str) -> str:
    while len(text.encode()) < SIZE:
        text += text
    return text.encode()[:SIZE].decode("utf-8", "ignore")


def code_names(chance: random.Random) -> Register:
    """A list by chance, half Chinese, half Latin."""
    chinese = ["".join(chance.choices(GIVEN + "聚醚酯醇酸胺烯", k=6)) for _ in range(NAMES // 2)]
    latin = [f"{''.join(chance.choices('abcdefghiklmnoprstuv', k=7))} {chance.randrange(100, 9999)}" for _ in range(NAMES // 2)]
    pairs = [(name, f"{chance.getrandbits(30):06x}") for name in (*chinese, *latin)]
    return CodeNames(["list"], [NameList(title="", level="secret", owner="", pairs=pairs)])


def looking(registers: dict[str, Register], texts: dict[str, str], people: Sequence[Row]) -> str:
    """MB/s of each register over clean texts, and over a table that leaks whole; and what was found in the clean ones."""
    leaked = "".join(",".join(row) + "\n" for row in people[: SIZE // 400])
    rows, false = [], 0
    for name, text in {**texts, "leaked table": leaked}.items():
        size = len(text.encode()) / 1e6
        parts = list(_parts(text))
        cells = [name, f"{size / seconds(lambda text=text: fold(text)):.0f}"]
        for register in registers.values():
            seen = Seen(texts=parts, names=[], files=[])
            cells.append(f"{size / seconds(lambda register=register, seen=seen: list(register.findings(seen))):.0f}")
            false += sum(1 for _ in register.findings(seen)) if name in texts else 0
        rows.append(tuple(cells))
    heads = ("MB/s (CPU)", "folding", "by number", "by name of 2 to 4 characters", f"{NAMES} code names and their codes")
    return f"{table(heads, rows)}\n\nFindings in the clean texts: {false}."


def _parts(text: str) -> Iterator[tuple[Part, Folded]]:
    step = 1 << 20
    for start in range(0, len(text), step):
        piece = text[start : start + step]
        yield Part(text=piece), fold(piece)


def hashing() -> str:
    """A million telephone numbers hashed: ours over arrays, and BLAKE2b one by one."""
    numbers = [f"138{at:08d}" for at in range(1_000_000)]
    cells, sums, keyed = Cells.of(numbers), Sums(KEY), Keyed(KEY, "t")
    ours = seconds(lambda: keyed.hashes(sums.spans(cells.codes, cells.starts, 11), 0))
    encoded = np.array(numbers, dtype="S11")
    single = seconds(lambda: [hashlib.blake2b(one, key=KEY, digest_size=8).digest() for one in encoded.tolist()], rounds=1)
    return table(
        ("ns a hash", "ours, over arrays", "blake2b, one by one"), [("11 digits", f"{ours * 1e3:.0f}", f"{single * 1e3:.0f}")]
    )


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=ROWS)
    arguments = parser.parse_args()
    prepare()
    corpus = Path(os.environ["DLP_CORPUS"]) if "DLP_CORPUS" in os.environ else None
    sys.stdout.write(f"Machine: {machine()}.\n\n{tables(arguments.rows, corpus)}\n")


if __name__ == "__main__":
    main()
