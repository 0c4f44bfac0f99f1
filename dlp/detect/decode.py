"""What stands encoded in a text, as more text to be asked.

A part with encoded runs is asked a second time with what they say in their place, so that the words beside a run,
its line and its zone count for what it says; of a long part only the beginning and what is around the runs, with
lines left out marked as such. A whole document put into base64 or hexadecimal digits is asked as a document of
its own besides. What was decoded is looked at once more (DEPTH). A view of decoded text is asked apart from the plain
one: no condition that holds over the plain text can be spoilt by it.
"""

import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial

from dlp.detect import decode_runs
from dlp.detect.decode_text import BLOBS, DECODERS, OVERRIDE, Encoding
from dlp.detect.engine import Hit
from dlp.detect.views import Origin, TextView
from dlp.model import Part

DEPTH = 2
"""How many encodings inside each other are undone."""
MOST = 16 << 20
"""Characters of decoded text of one item."""
_LEAST = 1 << 16
_TIMES = 8
"""Decoded text may have so many characters more than the text it comes from: two encodings inside each other take four,
and only a text made to cost much takes more."""
CONTEXT = 200
"""Characters to either side of a run that are asked with it."""
HEAD = 400
"""Characters at the beginning of a part that are asked with every run: there are titles and the headings of columns."""
_DOCUMENT = 24
"""Characters from which what a run says is a document of its own; with a line's end in it, any length."""
_GAP = "\n" + "…\n" * 10
"""For what is left out: lines enough that nothing below them stands in the upper part of a page."""


_TOGETHER = (frozenset(Encoding) - {Encoding.TURNED, Encoding.BIDI}, frozenset({Encoding.TURNED}), frozenset({Encoding.BIDI}))
"""What is put in place together; what changes the order of a line, apart from what is encoded in it."""
_WORDS = re.compile("[A-Za-z0-9+=]{12,}")


@dataclass(frozen=True, slots=True)
class _Said:
    """An encoded run, `start` to before `end` of a part's text, and what it says."""

    start: int
    end: int
    text: str
    encoding: Encoding


class Decoder:
    """Undoes the encodings of one item's texts, `length` characters. `cut` says that there was more than may be asked."""

    def __init__(self, length: int) -> None:
        self.cut = False
        self._left = min(MOST, _LEAST + _TIMES * length)

    def decoded(self, view: TextView, turned: Sequence[Hit] = ()) -> TextView:
        """What stands encoded in the parts of `view`; often nothing, and then the view is empty.
        `turned` are the engine's hits in it of decode_runs.TURNED."""
        result = TextView()
        for part, found in _by_part(view, turned):
            for piece, origin in _pieces(part, found):
                self._left -= len(piece.text)
                if self._left < 0:
                    self.cut = True
                    return result
                result.add(piece, _composed(view, part, origin))
        return result


def _by_part(view: TextView, turned: Sequence[Hit]) -> Iterator[tuple[Part, list[_Said]]]:
    """The parts that hold encoded runs, and these in order."""
    found: dict[int, list[_Said]] = {}
    parts: dict[int, Part] = {}
    for part, folded in view.folded:
        spans = [(Encoding.NUMERALS, *folded.span(*span)) for span in decode_runs.numerals(folded.text)]
        spans += [(Encoding.SPACED, *span) for span in decode_runs.set_apart(part.text, folded)]
        if "\u202e" in part.text:
            spans += [(Encoding.BIDI, *match.span()) for match in OVERRIDE.finditer(part.text)]
        if spans:
            parts[id(part)] = part
            found[id(part)] = [said for span in spans for said in _said(span[0], part, *span[1:])]
    runs = decode_runs.runs(view.data, turned)
    for index, place in view.places([run.hit() for run in runs]) if runs else ():
        parts[id(place.part)] = place.part
        found.setdefault(id(place.part), []).extend(_said(runs[index].encoding, place.part, place.start, place.end))
    for key, said in found.items():
        if said:
            yield parts[key], said


def _said(encoding: Encoding, part: Part, start: int, end: int) -> Iterator[_Said]:
    if encoding is Encoding.TURNED:
        start = part.text.rfind("\n", max(0, start - CONTEXT), start) + 1 or start
    run = part.text[start:end]
    text = DECODERS[encoding](run)
    if text is not None:
        yield _Said(start, end, text, encoding)
    elif encoding in BLOBS:
        words = [word for word in _WORDS.finditer(run) if word.group() != run]
        for word in words:  # lines that are no one text, or what follows a path
            if (text := DECODERS[encoding](word.group())) is not None:
                yield _Said(start + word.start(), start + word.end(), text, encoding)


def _pieces(part: Part, found: Sequence[_Said]) -> Iterator[tuple[Part, Origin]]:
    """The texts to be asked for what the runs of one part say."""
    for encodings in _TOGETHER:
        said = _apart([one for one in found if one.encoding in encodings])
        if said:
            yield _in_place(part, said)
        if Encoding.TURNED in encodings and 2 * sum(one.end - one.start for one in said) > len(part.text):
            yield replace(part, text=part.text[::-1]), partial(_from_the_end, len(part.text) - 1)
    for one in _apart([one for one in found if one.encoding in BLOBS]):
        at_top = part.start and not part.text[: one.start].strip()  # then what was put in place is that document
        if not at_top and (len(one.text) >= _DOCUMENT or "\n" in one.text.strip()):
            yield replace(part, text=one.text, page=None, start=True), partial(_all_at, one.start)


def _all_at(start: int, _offset: int) -> int:
    return start


def _from_the_end(last: int, offset: int) -> int:
    return last - offset


def _composed(view: TextView, part: Part, origin: Origin) -> Origin:
    """`origin` leads into a part of `view`, which may be decoded itself."""
    return lambda offset: view.original(part, origin(offset))


def _apart(found: Sequence[_Said]) -> list[_Said]:
    """Those that do not overlap one before."""
    result: list[_Said] = []
    for one in sorted(found, key=lambda one: one.start):
        if not result or one.start >= result[-1].end:
            result.append(one)
    return result


def _in_place(part: Part, said: Sequence[_Said]) -> tuple[Part, Origin]:
    """The part's text around the runs, and what they say in their place."""
    pieces: list[str] = []
    starts: list[int] = []
    origins: list[tuple[int, bool]] = []
    length = 0

    def add(text: str, origin: int, *, copied: bool) -> None:
        nonlocal length
        if text:
            pieces.append(text)
            starts.append(length)
            origins.append((origin, copied))
            length += len(text)

    at, shown = 0, HEAD  # what comes next of the original; up to where it is shown
    for one in said:
        first = one.start - CONTEXT
        if first > shown:
            add(part.text[at:shown], at, copied=True)
            add(_GAP, shown, copied=False)
            at = first
        add(part.text[at : one.start], at, copied=True)
        add(one.text, one.start, copied=False)
        at, shown = one.end, max(HEAD, one.end + CONTEXT)
    add(part.text[at:shown], at, copied=True)

    def origin(offset: int) -> int:
        place = bisect_right(starts, offset) - 1
        began, copied = origins[place]
        return began + offset - starts[place] if copied else began

    return replace(part, text="".join(pieces)), origin
