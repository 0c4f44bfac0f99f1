"""Tables declared in a folder of the test's own, and what is found of them."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from dlp import columns
from dlp.detect.keyed import Keyed, Sums, sealed
from dlp.detect.normalise import fold
from dlp.detect.records import Facts, open_records
from dlp.detect.records_build import Builder, Built
from dlp.detect.register import Register, Seen
from dlp.model import Finding, Part, Unscannable

KEY = bytes(range(32))

Row = Sequence[str]


def declared(
    folder: Path, rows: Sequence[Row], *, name: str = "t1", least: int = 1, needed: int = 1, expires: str | None = None
) -> Built:
    """Declare a table, its first column the primary one, in the register folder."""
    (folder / "records").mkdir(exist_ok=True)
    builder = Builder(Sums(KEY), Keyed(KEY, name), others=len(rows[0]) - 1, least=least)
    primary, *others = zip(*rows, strict=True)
    builder.add(primary, others)
    old = columns.opened(folder / "records")
    draft = columns.Draft(folder / "records", old)
    built = builder.finish(draft, name)
    facts = Facts(title="客户表", level="secret", owner="sales", least=least, rows=needed, shapes=built.shapes, expires=expires)
    tables = {**(old.facts["tables"] if old else {}), name: sealed(KEY, asdict(facts), name)}
    if old:
        draft.keep(*old.arrays)
    draft.commit({"tables": tables})
    return built


def opened(folder: Path) -> Register:
    register = open_records(folder, KEY)
    assert register is not None
    return register


def looked(register: Register, *parts: Part | str) -> list[Finding | Unscannable]:
    """What is found in an item of these parts."""
    pieces = [Part(text=part) if isinstance(part, str) else part for part in parts]
    return list(register.findings(Seen(texts=[(part, fold(part.text)) for part in pieces], names=[], files=[])))


def found(register: Register, *parts: Part | str) -> list[Finding]:
    results = looked(register, *parts)
    assert not [result for result in results if isinstance(result, Unscannable)]
    return [result for result in results if isinstance(result, Finding)]
