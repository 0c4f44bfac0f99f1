"""`dlp scan` over every document there is, and over damaged ones made on the spot: an answer for each, in bounded time and
memory, and nothing unread that looks clean."""

import csv
import json
import random
import resource
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.fuzz.seeds import SEEDS
from tests.helpers.daemon import CHECKOUT, configure

SECONDS = 60
"""The most one document may take."""
MEMORY = 2 << 30
"""The most one process may take, in bytes."""
DAMAGED = 2_000
_NO_PICTURES = '[ocr]\nuse = "off"\n'


def scanned(folder: Path, target: Path) -> dict[str, dict[str, Any]]:
    """The result of each file below `target`, by its path."""
    config = configure(folder, extra=_NO_PICTURES)
    command = [sys.executable, "-m", "dlp", "scan", "--json", "--config", str(config), str(target)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=CHECKOUT, encoding="utf-8", timeout=550)
    assert done.returncode in (0, 1, 2), done.stderr
    results = [json.loads(line) for line in done.stdout.splitlines()]
    assert resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss << 10 < MEMORY
    return {result["path"]: result for result in results}


def damaged() -> Iterator[tuple[str, bytes]]:
    """Names and contents: the seeds of every format in turn, bytes changed, pieces moved, doubled, dropped, ends cut off."""
    chosen = random.Random(20261122)
    seeds = [(f"{form}-{kind}", build()) for form, kinds in SEEDS.items() for kind, build in kinds.items()]
    for number in range(DAMAGED):
        name, seed = seeds[number % len(seeds)]
        yield f"{number:04}-{name}", _damaged(seed, chosen)


def _damaged(seed: bytes, chosen: random.Random) -> bytes:
    data = bytearray(seed)
    for _ in range(chosen.randint(1, 12)):
        at = chosen.randrange(len(data) + 1)
        end = at + chosen.randint(1, 200)
        match chosen.randrange(6):
            case 0 if at < len(data):
                data[at] = chosen.randrange(256)
            case 1:
                data[at:at] = chosen.randbytes(chosen.randint(1, 9))
            case 2:
                del data[at : at + chosen.randint(1, 60)]
            case 3:
                data[at:at] = data[at:end]
            case 4:
                data[at:end] = bytes(end - at)
            case 5 if at > len(data) // 2:
                del data[at:]
    return bytes(data)


@pytest.mark.corpus
@pytest.mark.timeout(600)
def test_every_document_of_the_corpus(corpus: Path, tmp_path: Path) -> None:
    results = scanned(tmp_path, corpus)
    assert set(results) == {str(path) for path in corpus.rglob("*") if path.is_file()}
    assert not [path for path, result in results.items() if result["seconds"] > SECONDS]
    with (corpus / "INDEX.tsv").open(newline="", encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file, delimiter="\t") if (corpus / row["path"]).is_file()]
    dangerous = [row["path"] for row in rows if row["expect"].startswith(("hazard", "encrypted", "corrupt"))]
    assert dangerous
    clean = [path for path in dangerous if not results[str(corpus / path)]["unscannable"]]
    assert clean == []
    texts = [row["path"] for row in rows if row["expect"] == "text"]
    crashed = [path for path in texts if any(one["why"] == "crashed" for one in results[str(corpus / path)]["unscannable"])]
    assert crashed == []


@pytest.mark.timeout(600)
def test_damaged_documents(tmp_path: Path) -> None:
    target = tmp_path / "damaged"
    target.mkdir()
    for name, data in damaged():
        (target / name).write_bytes(data)
    results = scanned(tmp_path, target)
    assert len(results) == DAMAGED
    assert not [path for path, result in results.items() if result["seconds"] > SECONDS]
