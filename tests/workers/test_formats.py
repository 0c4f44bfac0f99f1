"""Every format in a real confined child: nothing it needs is lacking there, and it reads what this process reads.

What a reader imports only when it meets something is imported here and cannot be there, so a difference names it.
"""

import csv
from collections.abc import AsyncIterator, Callable, Iterator
from itertools import groupby, islice
from pathlib import Path

import pytest

from dlp.blob import Blob
from dlp.detect.detector import Detector
from dlp.extract.budget import Budget
from dlp.extract.passwords import OPENED
from dlp.inspection import inspect
from dlp.model import Inspection, Limits, Why
from dlp.workers.passwords import Words
from dlp.workers.pool import Workers
from dlp.workers.processes import JOB, LOADER
from tests.fuzz.seeds import SEEDS
from tests.helpers.archives import a_7z, a_rar4, a_rar5, an_arj, zip_aes, zip_crypto
from tests.helpers.documents import a_docx, a_mail
from tests.helpers.legacy import sealed
from tests.helpers.opendocument import an_odf, encrypted_odf, wholly_encrypted_odf
from tests.helpers.pdfs import a_page, encrypted, shown
from tests.workers.helpers import a_pool, an_item

RULE = """
rule code_word { meta:
    title = "A code name" title_zh = "代号" category = "code-names" confidence = 90
    strings: $a = "bluebird" nocase condition: $a }
"""
LIMITS = Limits(seconds=20)
CRASH = "the reader of this format crashed on it"
PASSWORD = "Q3-2024!"
PASSWORDS = ("password", "secret", "123456", "机密", PASSWORD)
TEXT = "Project Bluebird ships in May."


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


async def compare(workers: Workers, detector: Detector, content: bytes, name: str) -> Inspection:
    with Blob.of([content]) as blob:
        found = await workers.inspect(an_item(blob=blob, name=name))
    budget = Budget(LIMITS, passwords=PASSWORDS)
    here = inspect(memoryview(content), name=name, media=None, budget=budget, detector=detector)
    assert not [one for one in found.unscannable if one.why is Why.CRASHED], name
    assert comparable(found) == comparable(here), name
    return found


async def test_a_child_reads_what_this_process_reads(workers: Workers, detector: Detector) -> None:
    for form, kinds in SEEDS.items():
        for kind, build in kinds.items():
            await compare(workers, detector, build(), f"{form}-{kind}")


LOCKED: dict[str, Callable[[], bytes]] = {
    "traditional.zip": lambda: zip_crypto({"a.txt": TEXT}, PASSWORD),
    "aes.zip": lambda: zip_aes({"a.txt": TEXT}, PASSWORD),
    "hidden.7z": lambda: a_7z({"a.txt": TEXT}, password=PASSWORD, hide_names=True),
    "hidden.rar": lambda: a_rar5({"a.txt": TEXT}, password=PASSWORD, hide_names=True),
    "a.rar": lambda: a_rar4({"a.txt": TEXT}, password=PASSWORD),
    "a.arj": lambda: an_arj({"a.txt": TEXT}, password=PASSWORD),
    "agile.docx": lambda: sealed(a_docx([TEXT]), PASSWORD),
    "aes.odt": lambda: encrypted_odf(f"<text:p>{TEXT}</text:p>", PASSWORD),
    "blowfish.odt": lambda: encrypted_odf(f"<text:p>{TEXT}</text:p>", PASSWORD, method="blowfish"),
    "whole.odt": lambda: wholly_encrypted_odf(an_odf(f"<text:p>{TEXT}</text:p>"), PASSWORD),
    "a.pdf": lambda: encrypted(a_page(shown("bluebird")), user=PASSWORD),
    "a.eml": lambda: a_mail(
        body=f"The password is {PASSWORD}-2",
        attachments=[("a.zip", "application/zip", zip_aes({"a.txt": TEXT}, f"{PASSWORD}-2"))],
    ),
}
"""One of each kind of encryption that a known password opens."""


@pytest.mark.parametrize("name", LOCKED)
async def test_a_child_opens_what_a_password_opens(workers: Workers, detector: Detector, name: str) -> None:
    found = await compare(workers, detector, LOCKED[name](), name)
    assert [one.signature for one in found.findings] == ["code_word"]
    assert OPENED in found.findings[0].trail


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
