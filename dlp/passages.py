"""The passage around what a signature finds, for a near miss. Runs in a confined child, as `dlp.inspection` does.

A child answers with findings, whose facts are short; so the passage of a finding is in its facts, in pieces, numbered. What is
not meant to leave the child is disguised before it does.
"""

from collections.abc import Iterator
from functools import partial

from dlp.detect.detector import Detector
from dlp.detect.disguise import LONGEST, disguised
from dlp.extract.budget import Budget
from dlp.extract.document import Document
from dlp.extract.walk import salvage, walk
from dlp.model import Finding, Inspection, Part, Unscannable, Zone

PIECE = 64
PIECES = LONGEST // PIECE
KEPT = "kept"
"""The fact that says how many numbers could not be disguised."""
_MOST_SIGNATURES = 10
_REACHES = ((60, 80), (160, 200), (380, 60), (20, 420))
"""Characters before and after the start of the match that are tried, the least first."""


def outlined(
    data: memoryview, *, name: str | None, media: str | None, budget: Budget, detector: Detector, salvaging: bool = False
) -> Inspection:
    """One passage a signature, of which only what the finding hangs on can be read. Parameters as `dlp.inspection.inspect`."""
    return _inspected(Document(data=data, name=name, media=media), budget, detector, salvaging=salvaging, words=True)


def quoted(
    data: memoryview, *, name: str | None, media: str | None, budget: Budget, detector: Detector, salvaging: bool = False
) -> Inspection:
    """One passage a signature, its words as they are, its numbers and addresses disguised."""
    return _inspected(Document(data=data, name=name, media=media), budget, detector, salvaging=salvaging, words=False)


def passage_of(finding: Finding) -> str:
    """The passage in a finding's facts; "" where none shows by itself what was found."""
    return "".join(finding.facts.get(str(number), "") for number in range(PIECES))


def _inspected(document: Document, budget: Budget, detector: Detector, *, salvaging: bool, words: bool) -> Inspection:
    scan, parts, unscannable = detector.begin(), list[Part](), list[Unscannable]()
    for piece in salvage(document, budget) if salvaging else walk(document, budget):
        if isinstance(piece, Unscannable):
            unscannable.append(piece)
            continue
        if isinstance(piece, Part):
            parts.append(piece)
        scan.add(piece)
    found: dict[str, Finding] = {}
    for result in scan.finish():
        if isinstance(result, Unscannable):
            unscannable.append(result)
        elif len(found) < _MOST_SIGNATURES and not _shown(found.get(result.signature)):
            found[result.signature] = _with_passage(result, parts, detector, words=words)
    return Inspection(
        findings=tuple(found.values()),
        unscannable=tuple(unscannable),
        media_type=document.media_type,
        parts=scan.parts,
        text_chars=scan.text_chars,
    )


def _shown(finding: Finding | None) -> bool:
    return finding is not None and bool(passage_of(finding))


def _with_passage(finding: Finding, parts: list[Part], detector: Detector, *, words: bool) -> Finding:
    fires = partial(_fires, detector, finding)
    passage = next(filter(fires, _windows(finding, parts)), "")
    if not passage:
        return _stating(finding, {})
    made = disguised(passage, fires, words=words)
    pieces = {str(number): made.text[number * PIECE : (number + 1) * PIECE] for number in range(PIECES)}
    return _stating(finding, {name: piece for name, piece in pieces.items() if piece} | {KEPT: str(made.kept)})


def _stating(finding: Finding, facts: dict[str, str]) -> Finding:
    """Nothing of the finding but which it is and its zone."""
    return Finding(signature=finding.signature, zone=finding.zone, facts=facts)


def _windows(finding: Finding, parts: list[Part]) -> Iterator[str]:
    """Passages that may show it: around the match, least first, then the beginning of its text."""
    texts = [one.text for one in parts if (one.trail, one.zone) == (finding.trail, finding.zone)]
    for text in (text for text in texts if finding.offset < len(text)):
        for before, after in _REACHES:
            start = max(0, finding.offset - before)
            yield _writable(text[start : finding.offset + after])
        yield _writable(text[:LONGEST])


def _writable(text: str) -> str:
    return text.encode("utf-8", "replace").decode("utf-8")[:LONGEST]


def _fires(detector: Detector, finding: Finding, text: str) -> bool:
    """Whether the signature finds something in `text` alone, in the way that cases are asked (dlp.detect.cases)."""
    body = finding.zone is Zone.BODY
    scan = detector.begin()
    scan.add(Part(text=text, zone=finding.zone, start=body, page=1 if body else None))
    return any(isinstance(one, Finding) and one.signature == finding.signature for one in scan.finish())
