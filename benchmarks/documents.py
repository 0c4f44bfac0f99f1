"""Declared documents: what is found again, what is found in error, and what looking costs: `python -m benchmarks.documents`.

Over the statutes that DLP_CORPUS names, and its other documents. Some statutes are declared; of each, a tenth is cut out at a
random place, some of its characters are replaced by others, and it is set into the middle of another text. Statutes quote each
other, so those that were not declared are asked too, with and without a public set of yet others.

Prints Markdown for docs/performance.md. `tables` is for other benchmarks.
"""

import argparse
import csv
import os
import random
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np

from benchmarks.measure import machine, seconds, table
from dlp.detect import fingerprints
from dlp.detect.documents import LEAST, Documents, file_hash
from dlp.detect.engine import Rules
from dlp.detect.fingerprint_index import Addition, Index, change
from dlp.detect.normalise import Folded, fold, prepare
from dlp.detect.register import Seen
from dlp.detect.signatures import load
from dlp.extract.budget import Budget
from dlp.extract.document import Document
from dlp.extract.walk import walk
from dlp.model import Finding, Limits, Part, Zone

KEY = bytes(range(32))
DECLARED = 100
"""Statutes declared; as many others are the public set, and the rest is asked."""
EXCERPTS = 5
"""Cut out of each declared one."""
SHARE = 0.1
REWORDED = (0.0, 0.02, 0.05)
RUN, COMMON = 20, 120
"""Text in common counts in runs of so many characters; with fewer of them in all, a finding is an error."""
LARGEST = 2 << 20
"""Bytes of a document of the corpus that is read for this."""
LOADED = 10_000_000
ROOT = Path(__file__).parents[1]


def tables(corpus: Path, *, loaded: int = LOADED) -> str:
    """All of it as Markdown."""
    return "\n\n".join((precision(corpus), look_up(corpus, loaded)))


def precision(corpus: Path) -> str:
    """What is found of excerpts, and of documents that were not declared."""
    laws = _laws(corpus)
    chance = random.Random(7)
    chance.shuffle(laws)
    long = [text for text in laws if fingerprints.counted(fold(text).text).size * SHARE >= LEAST]
    declared, others = long[:DECLARED], [text for text in laws if text not in long[:DECLARED]]
    public, rest = others[:DECLARED], others[DECLARED:]
    with tempfile.TemporaryDirectory() as folder:
        plain, guarded = _registers(Path(folder), declared, public)
        rows = [
            [name, f"{100 * share:.0f} %", f"{_recall(register, declared, rest, share, words=words):.3f}"]
            for name, words in (("characters anywhere", False), ("words of 2 to 6 characters", True))
            for share in REWORDED
            for register in (guarded,)
        ]
        recall = table(("reworded", "share", f"found of {DECLARED * EXCERPTS} excerpts of 10 %"), rows)
        unrelated = [
            [name, str(len(texts)), _found(plain, texts, declared), _found(guarded, texts, declared)]
            for name, texts in (
                ("statutes not declared", rest),
                ("other documents", list(_documents(corpus))),
            )
        ]
    return f"{recall}\n\n{table(('not declared', 'texts', 'found without a public set', 'found with one'), unrelated)}"


def _registers(folder: Path, declared: Sequence[str], public: Sequence[str]) -> tuple[Documents, Documents]:
    for name, texts in (("documents", declared), ("public", public)):
        (folder / name).mkdir()
        change(folder / name, add=[_addition(f"{name}-{number}", text) for number, text in enumerate(texts)])
    index, known = Index.opened(folder / "documents"), Index.opened(folder / "public")
    assert index is not None
    return Documents(index, None, KEY), Documents(index, known, KEY)


def _addition(name: str, text: str) -> Addition:
    prints = fingerprints.of_texts([fold(text).text], KEY)
    return Addition(id=name, hashes=prints.hashes, file=file_hash(name.encode(), KEY), level="secret", owner="nobody")


def _recall(register: Documents, declared: Sequence[str], carriers: Sequence[str], share: float, *, words: bool) -> float:
    chance = random.Random(11)
    found = 0
    for number, text in enumerate(declared):
        for _ in range(EXCERPTS):
            length = int(len(text) * SHARE)
            start = chance.randrange(len(text) - length)
            excerpt = _reworded(text[start : start + length], share, chance, words=words)
            carrier = chance.choice(carriers)[:2000]
            half = len(carrier) // 2
            found += f"documents-{number}" in _sighted(register, carrier[:half] + excerpt + carrier[half:])
    return found / (len(declared) * EXCERPTS)


def _reworded(text: str, share: float, chance: random.Random, *, words: bool) -> str:
    """`text` with this share of its characters replaced, one by one, or some neighbours at a time."""
    letters, left = list(text), round(share * len(text))
    while left > 0:
        length = min(left, chance.randint(2, 6) if words else 1)
        start = chance.randrange(len(letters) - length + 1)
        for place in range(start, start + length):
            letters[place] = chr(chance.randrange(0x4E00, 0x9000))
        left -= length
    return "".join(letters)


def _sighted(register: Documents, text: str) -> set[str]:
    found = register.findings(Seen(texts=[(Part(text=text), fold(text))], names=[], files=[]))
    return {one.facts["entry"] for one in found if isinstance(one, Finding)}


def _found(register: Documents, texts: Sequence[str], declared: Sequence[str]) -> str:
    """How many are found, and how many of them in error: with hardly any text in common with what they are found as."""
    sighted = [(text, [declared[int(entry.split("-")[1])] for entry in _sighted(register, text)]) for text in texts]
    found = [(text, others) for text, others in sighted if others]
    strange = sum(max(_common(text, other) for other in others) < COMMON for text, others in found)
    return f"{len(found)}, {strange} of them in error"


def _common(text: str, other: str) -> int:
    """Characters that count of `text` that stand in `other` too, in runs of at least RUN."""
    ours, theirs = ("".join(map(chr, fingerprints.counted(fold(one).text).tolist())) for one in (text, other))
    runs = {theirs[start : start + RUN] for start in range(len(theirs) - RUN + 1)}
    covered = set[int]()
    for start in range(len(ours) - RUN + 1):
        if ours[start : start + RUN] in runs:
            covered.update(range(start, start + RUN))
    return len(covered)


def _laws(corpus: Path) -> list[str]:
    return [path.read_text("utf-8") for path in sorted((corpus / "laws").glob("*.txt"))]


def _documents(corpus: Path) -> Iterator[str]:
    """The texts of the corpus's other documents, extracted; those that are large or encrypted are left out."""
    with (corpus / "INDEX.tsv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    for row in rows:
        path = corpus / row["path"]
        generated = row["path"].startswith("synth/")  # some of them are made of the statutes' own paragraphs
        if generated or row["expect"] in {"hazard", "encrypted"} or not path.is_file() or path.stat().st_size > LARGEST:
            continue
        document = Document(data=memoryview(path.read_bytes()), name=None, media=None)
        pieces = walk(document, Budget(Limits(seconds=20)))
        text = "\n".join(piece.text for piece in pieces if isinstance(piece, Part) and piece.zone is not Zone.FILENAME)
        if text.strip():
            yield text


def look_up(corpus: Path, loaded: int) -> str:
    """What asking takes with so many fingerprints loaded, beside the engine alone on the same bytes."""
    rules = load([ROOT / "signatures"]).rules
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "documents").mkdir()
        built = seconds(lambda: _fill(Path(folder) / "documents", loaded), rounds=1)
        opened = seconds(lambda: Index.opened(Path(folder) / "documents"), rounds=1)
        index = Index.opened(Path(folder) / "documents")
        assert index is not None
        register = Documents(index, None, KEY)
        rows = [_asked(name, text, register, rules) for name, text in _samples(corpus)]
    said = f"{loaded:,} fingerprints: built in {built:.0f} s, opened and verified in {opened:.1f} s."
    header = ("text", "MB", "register ms/MB", "of which hashing", "yara ms/MB", "ratio")
    return f"{said}\n\n{table(header, rows)}"


def _fill(folder: Path, loaded: int) -> None:
    """Random hashes, as those of real documents are."""
    numbers, each = np.random.default_rng(3), 50_000
    for batch in range(0, loaded, 20 * each):
        add = [
            Addition(
                id=f"document-{place}",
                hashes=numbers.integers(0, 1 << 64, each, dtype=np.uint64),
                file=place,
                level="secret",
            )
            for place in range(batch, min(loaded, batch + 20 * each), each)
        ]
        change(folder, add=add)


def _samples(corpus: Path) -> Iterator[tuple[str, str]]:
    yield "Chinese", "\n".join(_laws(corpus))[: 2 << 20]
    code = [path.read_text("utf-8") for path in sorted((ROOT / "dlp").rglob("*.py"))]
    yield "code", "\n".join(code)[: 2 << 20]
    words = sorted({word for text in code for word in text.split() if word.isalpha()})
    chance = random.Random(5)
    yield "English words", " ".join(chance.choice(words) for _ in range(300_000))


def _asked(name: str, text: str, register: Documents, rules: Rules) -> list[str]:
    folded: Folded = fold(text)
    seen = Seen(texts=[(Part(text=text), folded)], names=[], files=[])
    data = folded.text.encode()
    size = len(data) / 1e6
    timed: Sequence[Callable[[], object]] = (
        lambda: list(register.findings(seen)),
        lambda: fingerprints.of_texts([folded.text], KEY),
        lambda: rules.scan(data, 60),
    )
    ours, hashing, engine = (1000 * seconds(work) / size for work in timed)
    return [name, f"{size:.1f}", f"{ours:.1f}", f"{hashing:.1f}", f"{engine:.1f}", f"{ours / engine:.2f}"]


def main() -> None:
    """Print the tables."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--loaded", type=int, default=LOADED)
    arguments.add_argument("--corpus", type=Path, default=os.environ.get("DLP_CORPUS"))
    chosen = arguments.parse_args()
    if chosen.corpus is None:
        sys.exit("DLP_CORPUS is not set: name the folder of the corpus")
    prepare()
    fingerprints.prepare()
    sys.stdout.write(f"{machine()}\n\n{tables(Path(chosen.corpus), loaded=chosen.loaded)}\n")


if __name__ == "__main__":
    main()
