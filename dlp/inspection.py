"""inspect() = extract + detect. Runs in a confined child, never in the daemon's process."""

import time
import zlib
from collections.abc import Callable, Mapping

from dlp.detect import fingerprints
from dlp.detect.detector import Detector
from dlp.detect.normalise import fold
from dlp.detect.registers import Registers
from dlp.extract.budget import Budget
from dlp.extract.document import OVERLAP, Document
from dlp.extract.walk import salvage, walk
from dlp.model import Finding, Inspection, Part, Unscannable, Why, Zone


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


MOST_PRINTS = 750_000
"""Fingerprints of one document, so that they fit an answer: those of some twelve million characters."""


def declare_document(
    data: memoryview, *, name: str | None, media: str | None, budget: Budget, registers: Registers, salvaging: bool = False
) -> tuple[Inspection, bytes]:
    """What could not be read of a document, and the fingerprints of the rest (`fingerprints.packed`), for a register.

    Raises ValueError where there is no key.
    """
    if registers.key is None:
        raise ValueError("no key")
    started = time.perf_counter()
    document = Document(data=data, name=name, media=media)
    press, unscannable, parts = fingerprints.Press(registers.key), list[Unscannable](), 0
    for piece in salvage(document, budget) if salvaging else walk(document, budget):
        if isinstance(piece, Unscannable):
            unscannable.append(piece)
        elif isinstance(piece, Part) and piece.zone is not Zone.FILENAME:
            parts += 1
            press.feed(fold(piece.text).text)
    prints = press.finish()
    if prints.hashes.size > MOST_PRINTS:
        unscannable.append(Unscannable(why=Why.TOO_LARGE, detail=f"of {prints.hashes.size} fingerprints {MOST_PRINTS} are kept"))
    found = Inspection(
        unscannable=tuple(unscannable),
        seconds=time.perf_counter() - started,
        media_type=document.media_type,
        parts=parts,
        text_chars=prints.characters,
        pictures=budget.pictures,
    )
    return found, fingerprints.packed(prints.hashes[:MOST_PRINTS])


MOST_TABLE = 6 << 20
"""Bytes of one table, compressed, so that they fit an answer: some two hundred thousand rows."""


def declare_table(
    data: memoryview, *, name: str | None, media: str | None, budget: Budget, registers: Registers, salvaging: bool = False
) -> tuple[Inspection, bytes]:
    """The first sheet of a workbook as lines of cells, zlib-compressed UTF-8 (RFC 1950), and what could not be read.

    A workbook that cannot be parsed is no table, so that nothing is salvaged. The registers are not asked.
    """
    started = time.perf_counter()
    document = Document(data=data, name=name, media=media)
    first, end, packer, pieces, unscannable = None, "", zlib.compressobj(), list[bytes](), list[Unscannable]()
    for piece in () if salvaging else walk(document, budget):
        if isinstance(piece, Unscannable):
            unscannable.append(piece)
        elif isinstance(piece, Part) and piece.zone is Zone.BODY:
            first = piece.trail if first is None else first
            if piece.trail == first:
                goes_on = len(end) == OVERLAP and piece.text.startswith(end)
                text = piece.text[OVERLAP:] if goes_on else "\n" + piece.text
                pieces.append(packer.compress(text.encode("utf-8", "replace")))
                end = piece.text[-OVERLAP:]
    packed = b"".join((*pieces, packer.flush()))
    if len(packed) > MOST_TABLE:
        unscannable.append(Unscannable(why=Why.TOO_LARGE, detail=f"its first sheet takes {len(packed)} bytes, compressed"))
        packed = b""
    seconds = time.perf_counter() - started
    return Inspection(unscannable=tuple(unscannable), seconds=seconds, media_type=document.media_type), packed


Declaring = Callable[..., tuple[Inspection, bytes]]
DECLARING: Mapping[str, Declaring] = {"documents": declare_document, "records": declare_table}
"""By the name of a register, what it wants to know of an item that is declared; called as `declare_document` is."""
