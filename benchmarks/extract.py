"""What is read, how completely and how fast, format by format: `python -m benchmarks.extract` (`make bench-extract`).

Over the documents that DLP_CORPUS names: the share of the reference tokens found (those that at least two other
extractors agree on), the hiding places found, documents per second of CPU, and the most memory one document took,
for `dlp` and for other extractors beside it. Each document is read in a process of its own, so that a crash or a
hang is that document's. The references for speed are zlib inflating the document's own bytes in the same process, and
the first prototypes, whose readers stand alone: of ours, too, is told what the format's own reader takes, without
the pictures, attachments and objects inside.

Prints Markdown for docs/performance.md.
"""

import argparse
import csv
import json
import os
import re
import resource
import select
import signal
import sys
import time
import zlib
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import BinaryIO

from benchmarks import extractors
from benchmarks.measure import machine, table
from dlp.extract.budget import Budget, Ocr, Unreadable
from dlp.extract.document import Document
from dlp.extract.formats import format_for
from dlp.extract.walk import walk
from dlp.model import Limits, Part, Unscannable

SECONDS = 60
"""Wall-clock seconds after which the process of one document is ended."""
PROTOTYPE = {
    "docx": 318,
    "xlsx": 91,
    "xlsb": 178,
    "pptx": 156,
    "doc": 925,
    "xls": 319,
    "ppt": 547,
    "odf": 386,
    "rtf": 214,
    "pdf": 68,
    "html": 380,
    "eml": 914,
    "msg": 67,
}
"""Documents per second of the first prototype of each format, on a machine of this kind: the goal is 0.7 of it."""
_KINDS = {
    "odt": "odf",
    "ods": "odf",
    "odp": "odf",
    "rar4": "rar",
    "rar5": "rar",
    "zip-broken": "zip",
    "cfb-ooxml-encrypted": "docx",
}
_HAN = re.compile(r"[\u4e00-\u9fff]")
_LONG = 8
"""Letters from which a token may stand inside a word: extractors join what a line or a formula divides."""
_WORDS = re.compile(r"[a-z0-9]+")
_CONVERTED = {"lo_docx": "docx", "lo_xlsx": "xlsx", "lo_pptx": "pptx"}

Reader = Callable[[bytes, str], str]


@dataclass(slots=True)
class Reading:
    """What one extractor made of one document: its text, CPU seconds, the reference's, bytes of memory it took besides;
    `end` if it failed."""

    text: str = ""
    cpu: float = 0.0
    inflate: float = 0.0
    memory: int = 0
    end: str = ""
    unread: tuple[str, ...] = ()


@dataclass(slots=True)
class Tally:
    """One extractor's readings of one format."""

    readings: list[Reading] = field(default_factory=list)
    recalls: list[float] = field(default_factory=list)
    tokens: int = 0
    found: int = 0


@dataclass(frozen=True, slots=True)
class Source:
    """One document of the corpus: path below it, format, what is expected of it."""

    path: Path
    name: str
    kind: str
    expect: str


def ours(ocr: Ocr | None = None) -> Reader:
    """`dlp`'s own walk, as an extractor: all texts, then what could not be read."""

    def read(data: bytes, name: str) -> str:
        texts, unread = [], []
        for piece in walk(Document(data=data, name=name), Budget(Limits(), ocr=ocr)):
            if isinstance(piece, Part):
                texts.append(piece.text)
            elif isinstance(piece, Unscannable):
                unread.append(piece.why.value)
        return "\n".join(texts) + "\x1e" + ",".join(unread)

    return read


def alone(data: bytes, name: str) -> str:
    """The reader of the document's own format without what is inside it (pictures, attachments, objects)."""
    document = Document(data=data, name=name)
    form = format_for(document.media_type)
    if form is None:
        return ""
    try:
        return "\n".join(piece.text for piece in form.read(document, Budget(Limits())) if isinstance(piece, Part))
    except Unreadable:
        return ""


def sources(corpus: Path) -> list[Source]:
    """The documents of the index, and the hiding places, which are formats of their own."""
    found = []
    with (corpus / "INDEX.tsv").open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file, delimiter="\t"):
            if (corpus / row["path"]).is_file():
                kind = _KINDS.get(row["type"], row["type"])
                found.append(Source(corpus / row["path"], row["path"], kind, row["expect"]))
    return found


def measured(read: Reader, path: Path, *, rounds: int) -> Reading:
    """Read `path` in a process of its own; the shortest of `rounds` counts."""
    ours_end, theirs_end = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.close(ours_end)
            _child(read, path, rounds=rounds, answer=theirs_end)
        finally:
            os._exit(1)
    os.close(theirs_end)
    with os.fdopen(ours_end, "rb") as pipe:
        data = _until(pipe, pid)
    _, status = os.waitpid(pid, 0)
    if status:
        return Reading(end=f"signal {status & 0x7F}" if status & 0x7F else "failed")
    answer = json.loads(data)
    text, _, unread = answer["text"].partition("\x1e")
    return Reading(
        text=text,
        cpu=answer["cpu"],
        inflate=answer["inflate"],
        memory=answer["memory"],
        end=answer["end"],
        unread=tuple(filter(None, unread.split(","))),
    )


def _until(pipe: BinaryIO, pid: int) -> bytes:
    """All of `pipe`; its process is killed if it takes longer than SECONDS."""
    deadline, data = time.monotonic() + SECONDS, b""
    while select.select([pipe], [], [], max(deadline - time.monotonic(), 0))[0]:
        chunk = os.read(pipe.fileno(), 1 << 20)
        if not chunk:
            return data
        data += chunk
    os.kill(pid, signal.SIGKILL)
    return b""


def _child(read: Reader, path: Path, *, rounds: int, answer: int) -> None:
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    null = os.open(os.devnull, os.O_RDWR)
    os.dup2(null, 1)
    os.dup2(null, 2)
    data = path.read_bytes()
    packed = zlib.compress(data)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    text, end, best = "", "", float("inf")
    inflate = float("inf")
    for _ in range(rounds):
        started = time.process_time()
        zlib.decompress(packed)
        inflate = min(inflate, time.process_time() - started)
        started = time.process_time()
        try:
            text = read(data, path.name)
        except Exception as error:  # noqa: BLE001 - another extractor may raise anything; it is counted
            end = type(error).__name__
        best = min(best, time.process_time() - started)
    memory = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) << 10
    result = {"text": text, "cpu": best, "inflate": inflate, "end": end, "memory": memory}
    with os.fdopen(answer, "wb") as pipe:
        pipe.write(json.dumps(result).encode("utf-8", "surrogatepass"))
    os._exit(0)


def hits(text: str, tokens: Iterable[str]) -> int:
    """How many of `tokens` stand in `text`: words as words, long ones and pairs of Chinese characters anywhere."""
    folded = text.casefold()
    words = set(_WORDS.findall(folded))
    dense = "".join(folded.split())
    return sum(token in words or ((len(token) >= _LONG or _HAN.search(token) is not None) and token in dense) for token in tokens)


def read_all(name: str, read: Reader, chosen: list[Source], tokens: dict[str, list[str]], *, rounds: int) -> dict[str, Tally]:
    """Every document by one extractor, format by format; progress on standard error."""
    tallies: dict[str, Tally] = defaultdict(Tally)
    for number, source in enumerate(chosen, 1):
        if sys.stderr.isatty():
            print(f"\r{name}: {number} of {len(chosen)} ", end="", file=sys.stderr)
        reading = measured(read, source.path, rounds=rounds)
        tally = tallies[source.kind]
        tally.readings.append(reading)
        if wanted := tokens.get(source.name):
            found = hits(reading.text, wanted)
            tally.tokens += len(wanted)
            tally.found += found
            tally.recalls.append(found / len(wanted))
    if sys.stderr.isatty():
        print(file=sys.stderr)
    return tallies


def rate(tally: Tally) -> float:
    """Documents per second of CPU."""
    read = [reading for reading in tally.readings if not reading.end]
    cpu = sum(reading.cpu for reading in read)
    return len(read) / cpu if cpu else 0.0


def row(kind: str, tally: Tally, bare: Tally | None) -> list[str]:
    """One line of the table of formats; `bare` is what the reader alone took."""
    read = [reading for reading in tally.readings if not reading.end]
    goal = PROTOTYPE.get(kind)
    own = None if bare is None else rate(bare)
    ratio = median(reading.cpu / max(reading.inflate, 1e-6) for reading in read) if read else 0.0
    return [
        kind,
        str(len(tally.readings)),
        str(len(tally.readings) - len(read)),
        *recall([tally]),
        f"{rate(tally):.0f}",
        "" if own is None else f"{own:.0f}",
        "" if own is None or goal is None else f"{own / goal:.2f}",
        f"{ratio:.0f}",
        f"{max((reading.memory for reading in tally.readings), default=0) / (1 << 20):.0f}",
    ]


def recall(tallies: Iterable[Tally]) -> tuple[str, str]:
    """The share of all tokens that was found, and the mean of the documents' shares with the number of documents."""
    tallies = list(tallies)
    tokens, found = sum(tally.tokens for tally in tallies), sum(tally.found for tally in tallies)
    shares = [share for tally in tallies for share in tally.recalls]
    return (f"{found / tokens:.3f}", f"{sum(shares) / len(shares):.3f} ({len(shares)})") if tokens else ("", "")


HEADER = [
    "format",
    "documents",
    "failed",
    "recall",
    "per document (of)",
    "documents/s CPU",
    "reader alone",
    "÷ prototype",
    "CPU ÷ inflate",
    "peak MB",
]


def formats(tallies: dict[str, Tally], bare: dict[str, Tally]) -> str:
    """The table of formats, and the recall over all of them."""
    rows = [row(kind, tallies[kind], bare.get(kind)) for kind in sorted(tallies)]
    rows.append(["all", str(sum(len(t.readings) for t in tallies.values())), "", *recall(tallies.values()), "", "", "", "", ""])
    return table(HEADER, rows)


def canaries(corpus: Path, readers: dict[str, Reader]) -> str:
    """Hiding places found, file by file and extractor by extractor, and the names of ours that are missing.

    A conversion (`lo_*`) may have dropped a place: it is asked only for those that at least one extractor finds.
    """
    truth: dict[str, dict[str, str]] = json.loads((corpus / "canary_truth.json").read_text(encoding="utf-8"))
    rows, total = [], dict.fromkeys(readers, 0)
    places = 0
    for path in sorted((corpus / "synth" / "canary").iterdir()):
        wanted = truth[_CONVERTED.get(path.stem, path.suffix[1:])]
        texts = {name: measured(read, path, rounds=1).text for name, read in readers.items()}
        if path.stem in _CONVERTED:
            wanted = {place: mark for place, mark in wanted.items() if any(mark in text for text in texts.values())}
        missing = [place for place, mark in wanted.items() if mark not in texts["dlp"]]
        places += len(wanted)
        for name, text in texts.items():
            total[name] += sum(mark in text for mark in wanted.values())
        counts = [str(sum(mark in text for mark in wanted.values())) for text in texts.values()]
        rows.append([path.name, str(len(wanted)), *counts, ", ".join(missing)])
    rows.append(["all", str(places), *(f"{count} ({count / places:.1%})" for count in total.values()), ""])
    return table(["hiding places in", "there", *readers, "missing in dlp"], rows)


def numbers(corpus: Path) -> str:
    """The known numbers in texts of every encoding."""
    truth = json.loads((corpus / "zh_truth.json").read_text(encoding="utf-8"))["text"]
    rows: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    for name, (encoding, _, wanted) in truth.items():
        path = corpus / "synth" / name
        if path.is_file():
            text = "".join(measured(ours(), path, rounds=1).text.split())
            rows[encoding][0] += len(wanted)
            rows[encoding][1] += sum(number in text for number in wanted.values())
    there, found = (sum(counts[place] for counts in rows.values()) for place in (0, 1))
    lines = [[encoding, str(counts[0]), str(counts[1])] for encoding, counts in sorted(rows.items()) if counts[0]]
    return table(["known numbers in", "there", "found"], [*lines, ["all", str(there), f"{found} ({found / there:.1%})"]])


def pictures(corpus: Path) -> str:
    """The strings of five digits and more in pictures; "" where the extra for OCR is not installed."""
    from dlp.extract import ocr

    if not ocr.available():
        return ""
    read = ours(ocr.load())
    truth: dict[str, str] = json.loads((corpus / "ocr_truth.json").read_text(encoding="utf-8"))
    rows, there, found = [], 0, 0
    for name, shown in truth.items():
        reading = measured(read, corpus / "synth" / "ocr" / name, rounds=1)
        wanted = re.findall(r"\d{5,}", shown)
        dense = "".join(reading.text.split())
        there, found = there + len(wanted), found + sum(number in dense for number in wanted)
        characters = sorted("".join(shown.split()))
        same = sum(min(characters.count(char), dense.count(char)) for char in set(characters)) / len(characters)
        rows.append([name, str(len(wanted)), str(sum(n in dense for n in wanted)), f"{same:.3f}", f"{reading.cpu:.1f}"])
    rows.append(["all", str(there), f"{found} ({found / there:.1%})", "", ""])
    return table(["digits in", "there", "found", "characters", "CPU s"], rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs="*", default=[], help="formats to measure; all where none is named")
    parser.add_argument("--rounds", type=int, default=3, help="readings of each document; the shortest counts")
    parser.add_argument("--alone", action="store_true", help="leave the other extractors out")
    parser.add_argument(
        "--misses", action="store_true", help="name the documents whose recall is below 0.97, and the tokens missed"
    )
    chosen = parser.parse_args()
    if not (place := os.environ.get("DLP_CORPUS")):
        parser.error("DLP_CORPUS names no folder; it is where the documents to measure with are")
    corpus = Path(place)
    tokens = {
        row["path"]: row["tokens"] for line in (corpus / "ref_tokens.jsonl").open(encoding="utf-8") for row in [json.loads(line)]
    }
    documents = [source for source in sources(corpus) if not chosen.only or source.kind in chosen.only]
    plain = [source for source in documents if not source.expect.startswith(("hazard", "encrypted", "corrupt"))]
    readers: dict[str, Reader] = {"dlp": ours()}
    if not chosen.alone:
        readers |= extractors.installed()
    print(f"{machine()}\n")
    for name, read in readers.items():
        rounds = chosen.rounds if name == "dlp" else 1
        with_tokens = plain if name == "dlp" else [source for source in plain if source.name in tokens]
        tallies = read_all(name, read, with_tokens, tokens, rounds=rounds)
        bare = read_all("readers alone", alone, plain, {}, rounds=rounds) if name == "dlp" else {}
        print(f"**{name}**\n\n{formats(tallies, bare)}\n")
        if name == "dlp" and chosen.misses:
            missed(plain, tallies, tokens)
    if not chosen.only:
        for text in (canaries(corpus, readers), numbers(corpus), pictures(corpus)):
            print(text + "\n" if text else "Pictures: the extra for OCR is not installed.\n")


def missed(documents: list[Source], tallies: dict[str, Tally], tokens: dict[str, list[str]]) -> None:
    """For whoever works on recall: what is missing where."""
    places: dict[str, int] = defaultdict(int)
    for source in documents:
        reading = tallies[source.kind].readings[places[source.kind]]
        places[source.kind] += 1
        wanted = tokens.get(source.name, [])
        lost = [token for token in wanted if not hits(reading.text, [token])]
        if wanted and len(lost) > 0.03 * len(wanted):
            print(f"{1 - len(lost) / len(wanted):.2f} {source.name}: {reading.end} {lost[:12]}")


if __name__ == "__main__":
    main()
