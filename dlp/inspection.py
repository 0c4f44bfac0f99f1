"""inspect() = extract + detect. Runs in a confined child, never in the daemon's process."""

import time

from dlp.detect.detector import Detector
from dlp.extract.budget import Budget
from dlp.extract.document import Document
from dlp.extract.walk import salvage, walk
from dlp.model import Finding, Inspection, Unscannable


def inspect(
    data: memoryview, *, name: str | None, media: str | None, budget: Budget, detector: Detector, salvaging: bool = False
) -> Inspection:
    """Everything found in `data`, and everything in it that could not be read.

    `name` is the file's base name, `media` a media type the channel vouches for, None where the content must
    tell. `budget` is this item's own: what it may cost, what is known to help, and what was learned from it afterwards.
    With `salvaging` no format is parsed: only the runs of printable text are scanned, for content whose parser
    crashed or ran out of time.
    """
    started = time.perf_counter()
    document = Document(data=data, name=name, media=media)
    scan = detector.begin()
    unscannable: list[Unscannable] = []
    for piece in salvage(document, budget) if salvaging else walk(document, budget):
        if isinstance(piece, Unscannable):
            unscannable.append(piece)
        else:
            scan.add(piece)
    findings: list[Finding] = []
    for result in scan.finish():
        if isinstance(result, Unscannable):
            unscannable.append(result)
        else:
            findings.append(result)
    return Inspection(
        findings=tuple(findings),
        unscannable=tuple(unscannable),
        seconds=time.perf_counter() - started,
        media_type=document.media_type,
        parts=scan.parts,
        text_chars=scan.text_chars,
        pictures=budget.pictures,
        attachments=tuple(budget.attachments),
    )
