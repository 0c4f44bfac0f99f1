"""Every format in a real confined child: nothing it needs is lacking there, and it reads what this process reads.

What a reader imports only when it meets something is imported here and cannot be there, so a difference names it.
"""

import csv
from collections.abc import AsyncIterator, Iterator
from itertools import groupby, islice
from pathlib import Path

import pytest

from dlp.blob import Blob
from dlp.detect.detector import Detector
from dlp.extract.budget import Budget
from dlp.inspection import inspect
from dlp.model import Inspection, Limits, Why
from dlp.workers.passwords import Words
from dlp.workers.pool import Workers
from dlp.workers.processes import JOB, LOADER
from tests.fuzz.seeds import SEEDS
from tests.workers.helpers import a_pool, an_item

RULE = """
rule code_name { meta:
    title = "A code name" title_zh = "代号" category = "code-names" confidence = 90
    strings: $a = "bluebird" nocase condition: $a }
"""
LIMITS = Limits(seconds=20)
CRASH = "the reader of this format crashed on it"
PASSWORDS = ("password", "secret", "123456", "机密")


@pytest.fixture(scope="module")
def rules(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("rules")
    (folder / "rules.yar").write_text(RULE)
    return folder


@pytest.fixture(scope="module")
def detector(rules: Path) -> Detector:
    return Detector.load([rules])


@pytest.fixture
async def workers(rules: Path) -> AsyncIterator[Workers]:
    async with a_pool(limits=LIMITS, paths=(rules,), given=Words(PASSWORDS), job=JOB, loader=LOADER) as pool:
        yield pool


def comparable(inspection: Inspection) -> tuple[object, ...]:
    return inspection.media_type, inspection.parts, inspection.text_chars, inspection.findings, inspection.unscannable


async def compare(workers: Workers, detector: Detector, content: bytes, name: str) -> None:
    with Blob.of([content]) as blob:
        found = await workers.inspect(an_item(blob=blob, name=name))
    budget = Budget(LIMITS, passwords=PASSWORDS)
    here = inspect(memoryview(content), name=name, media=None, budget=budget, detector=detector)
    assert not [one for one in found.unscannable if one.why is Why.CRASHED], name
    assert comparable(found) == comparable(here), name


async def test_a_child_reads_what_this_process_reads(workers: Workers, detector: Detector) -> None:
    for form, kinds in SEEDS.items():
        for kind, build in kinds.items():
            await compare(workers, detector, build(), f"{form}-{kind}")


@pytest.mark.corpus
async def test_a_child_reads_what_was_made_with_a_text_in_every_place(workers: Workers, detector: Detector, corpus: Path) -> None:
    for folder in ("canary", "encrypted"):
        for path in sorted((corpus / "synth" / folder).iterdir()):
            await compare(workers, detector, path.read_bytes(), path.name)


def samples(corpus: Path) -> Iterator[Path]:
    """The two smallest of each kind of real document."""
    with (corpus / "INDEX.tsv").open(newline="", encoding="utf-8") as file:
        rows = sorted(csv.DictReader(file, delimiter="\t"), key=lambda row: (row["type"], int(row["bytes"])))
    for _, alike in groupby(rows, key=lambda row: row["type"]):
        yield from (corpus / row["path"] for row in islice(alike, 2))


@pytest.mark.corpus
async def test_nothing_is_lacking_for_real_documents(workers: Workers, corpus: Path) -> None:
    """Not compared with this process: some of them crash the library that reads them."""
    for path in samples(corpus):
        with Blob.of([path.read_bytes()]) as blob:
            found = await workers.inspect(an_item(blob=blob, name=path.name))
        assert not [one.detail for one in found.unscannable if one.why is Why.CRASHED and one.detail != CRASH], path
