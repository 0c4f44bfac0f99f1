"""How much is found of what is classified, and how much is found that is not (`make bench-precision`).

1. Real documents: those of DLP_CORPUS that its index does not call generated, its messages and its laws, through
   `dlp scan` with the shipped policy's profile. None bears a mark; share with an enforced finding at `confidential` or above.
2. Carriers: every form of mark times docx, pdf, eml and txt, in each of the places that carrier has for one, with
   ordinary text around; share found at its own level. Beside it the same forms inside sentences that talk about secrecy.

Prints Markdown for docs/performance.md, and what was missed or found wrongly with --verbose. Declared documents and declared
tables have benchmarks of their own.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.end_to_end import prose
from benchmarks.measure import machine, table
from dlp.detect.detector import Detector
from dlp.extract.budget import Budget
from dlp.inspection import inspect
from dlp.model import Limits, Mode
from tests.helpers.daemon import CHECKOUT, configure
from tests.helpers.documents import a_docx, a_mail, a_pdf

LEVELS = ("public", "internal", "confidential", "secret", "top-secret")
_TELLING = frozenset(LEVELS[2:])

FORMS: Mapping[str, str] = {
    **{
        f"{word}{star}{term}": level
        for word, level in (("绝密", "top-secret"), ("机密", "secret"), ("秘密", "confidential"))
        for star, term in (("★", "10年"), ("★", "长期"), ("★", ""), ("☆", "3年"), ("★", "6个月"), ("级★", "2030年12月31日"))
    },
    "绝密级文件": "top-secret",
    "机密文件": "secret",
    "【机密】": "secret",
    "〔秘密〕": "confidential",
    "密级：机密": "secret",
    "密级：绝密★20年": "top-secret",
    "密级: 秘密": "confidential",
    "密级：□公开 □秘密 ☑机密 □绝密": "secret",
    "核心商密★5年": "secret",
    "普通商密▲3年": "confidential",
    "TOP SECRET": "top-secret",
    "TOP SECRET//SI//NOFORN": "top-secret",
    "SECRET//NOFORN": "secret",
    "CONFIDENTIAL": "confidential",
    "STRICTLY CONFIDENTIAL": "confidential",
    "Classification: CONFIDENTIAL": "confidential",
    "Classification: SECRET": "secret",
}
"""Forms of mark and the level each states."""

TALK = (
    "各部门应当妥善保管标有{}字样的文件。",
    "国家秘密的密级分为绝密、机密、秘密三级，{}是其中一级的标注方式。",
    "Documents marked {} must be kept in a locked cabinet.",
    "培训内容：{}的含义与标注方法、保管要求及违规案例。",
)
"""Sentences that talk of a mark and bear none."""


@dataclass(frozen=True, slots=True)
class Made:
    """A document that was made, where its mark stands, and the file's name."""

    place: str
    content: bytes
    name: str


def carriers(mark: str, text: Sequence[str]) -> Iterator[Made]:
    """`mark` in every place of every carrier, above or beside the paragraphs `text`."""
    lines = list(text)
    yield Made("txt, first line", "\n".join([mark, "", *lines]).encode(), "a.txt")
    yield Made("txt, below the title", "\n".join([lines[0], "", mark, "", *lines[1:]]).encode(), "a.txt")
    yield Made("txt, GB18030", "\n".join([mark, "", *lines]).encode("gb18030"), "a.txt")
    yield Made("docx, first paragraph", a_docx([mark, *lines]), "a.docx")
    yield Made("docx, header", a_docx(lines, header=mark), "a.docx")
    yield Made("docx, footer", a_docx(lines, footer=mark), "a.docx")
    yield Made("docx, split in runs", a_docx([[mark[:1], mark[1:2], mark[2:]], *lines]), "a.docx")
    yield Made("pdf, first line", a_pdf(["\n".join([mark, *(line[:40] for line in lines)])]), "a.pdf")
    yield Made("pdf, header", a_pdf(["\n".join(line[:40] for line in lines)], header=mark), "a.pdf")
    yield Made("eml, first line", a_mail(body="\r\n".join([mark, "", *lines])), "a.eml")
    yield Made("eml, subject", a_mail(subject=f"【{mark}】{lines[0][:20]}", body="\r\n".join(lines)), "a.eml")
    attached = [("a.docx", "application/octet-stream", a_docx([mark, *lines]))]
    yield Made("eml, attached docx", a_mail(body="\r\n".join(lines), attachments=attached), "a.eml")


def levels(detector: Detector, made: Made) -> set[str]:
    """The levels that enforced markings state in it."""
    media = "message/rfc822" if made.name.endswith(".eml") else None
    found = inspect(memoryview(made.content), name=made.name, media=media, budget=Budget(Limits()), detector=detector)
    return {finding.level for finding in found.findings if finding.mode is Mode.ENFORCE and finding.level in _TELLING}


def marks(detector: Detector, say: Callable[[str], None]) -> str:
    """Share of marks found at their own level, by place; and of sentences taken for one."""
    text = [line for line in prose(1500, 7).splitlines() if line.strip()]
    places: dict[str, list[int]] = {}
    for mark, level in FORMS.items():
        for made in carriers(mark, text):
            tally = places.setdefault(made.place, [0, 0])
            tally[0] += 1
            if level in (found := levels(detector, made)):
                tally[1] += 1
            else:
                say(f"missed: {mark} in {made.place}: {', '.join(sorted(found)) or 'nothing'}")
    rows = [(place, str(tried), str(hit), f"{hit / tried:.1%}") for place, (tried, hit) in places.items()]
    tried, hit = (sum(tally[which] for tally in places.values()) for which in (0, 1))
    rows.append(("all", str(tried), str(hit), f"{hit / tried:.1%}"))
    wrong = asked = 0
    for mark in FORMS:
        for sentence in TALK:
            asked += 1
            if found := levels(detector, Made("txt", "\n".join([*text[:3], sentence.format(mark), *text[3:]]).encode(), "a.txt")):
                wrong += 1
                say(f"wrongly found: {sentence.format(mark)}: {', '.join(sorted(found))}")
    rows.append(("sentences about marks (should be 0)", str(asked), str(wrong), f"{wrong / asked:.1%}"))
    return table(("marks in", "tried", "found", "share"), rows)


def real(corpus: Path) -> Mapping[str, Sequence[Path]]:
    """The real documents: by kind, their files."""
    rows = [line.split("\t") for line in (corpus / "INDEX.tsv").read_text("utf-8").splitlines()[1:]]
    indexed = [corpus / row[0] for row in rows if not row[0].startswith("synth/")]
    return {
        "documents of public test suites": [path for path in indexed if path.is_file()],
        "messages": sorted(path for path in (corpus / "mail").rglob("*") if path.is_file()),
        "statutes and regulations": sorted(path for path in (corpus / "laws").rglob("*") if path.is_file()),
    }


MARKED = {"GaiaTest.doc": "its footer says Confidential"}
"""Documents that bear a mark of their own, as reading them shows; what is asked is of unmarked ones."""


def scanned(paths: Sequence[Path], config: Path) -> Iterator[Mapping[str, object]]:
    """What `dlp scan --json` says of each; what cannot be read is no finding."""
    command = [str(Path(sys.executable).parent / "dlp"), "scan", "--config", str(config), "--json", *map(str, paths)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=3600)
    if done.returncode not in (0, 1, 2):
        raise SystemExit(f"dlp scan ended with {done.returncode}: {done.stderr.strip()[-500:]}")
    for line in done.stdout.splitlines():
        yield json.loads(line)


def documents(corpus: Path, say: Callable[[str], None]) -> str:
    """Share of real unmarked documents with an enforced finding at confidential or above."""
    rows, total, wrong = [], 0, 0
    with tempfile.TemporaryDirectory(prefix="dlp-bench-") as folder:
        config = configure(Path(folder))
        for kind, paths in real(corpus).items():
            found = 0
            unmarked = [path for path in paths if path.name not in MARKED]
            for answer in scanned(unmarked, config):
                if answer["level"] in _TELLING:
                    found += 1
                    names = sorted({str(one["signature"]) for one in answer["findings"]})  # type: ignore[attr-defined]
                    say(f"found: {answer['path']}: {answer['level']}: {', '.join(names)}")
            rows.append((kind, str(len(unmarked)), str(found), f"{found / max(1, len(unmarked)):.2%}"))
            total, wrong = total + len(unmarked), wrong + found
    rows.append(("all", str(total), str(wrong), f"{wrong / max(1, total):.2%}"))
    return table(("real unmarked documents", "read", "at confidential or above", "share"), rows)


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description="how much is found, and how much wrongly")
    parser.add_argument("--verbose", action="store_true", help="name what was missed and what was found wrongly")
    verbose = parser.parse_args().verbose

    def say(line: str) -> None:
        if verbose:
            print(line, file=sys.stderr, flush=True)

    print(f"{machine()}\n")
    detector = Detector.load([CHECKOUT / "signatures"])
    print(f"{marks(detector, say)}\n")
    if corpus := os.environ.get("DLP_CORPUS"):
        print(documents(Path(corpus), say))
    else:
        print("Real documents: not read, for DLP_CORPUS does not name them.")


if __name__ == "__main__":
    main()
