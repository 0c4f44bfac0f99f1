"""What a PDF's objects say beside its pages (ISO 32000-1, clause 7): every string, whichever revision it is of, and the
streams that hold scripts, form packets, metadata and files.

Found by search, not by the cross-reference table: what an update has taken out of that is still in the file, and a form's
fields, a script or a file need no page to stand on.
"""

import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

from dlp.extract.budget import Budget, Unreadable
from dlp.extract.charset import detect
from dlp.model import Why, Zone

_STREAM = re.compile(rb">>\s{0,9}+stream(?:\r\n|\n|\r)")
_OBJECT = re.compile(rb"(\d{1,9})\s{1,9}\d{1,5}\s{1,9}obj")
_NUMBER = re.compile(rb"(?<!\d)\d{1,9}\s{1,9}\d{1,5}\s{1,9}\Z")
_HEAD = 4096
"""Bytes before a stream's data in which its dictionary is looked for."""
_PACKED = 8 << 20
"""Bytes that one object stream, script or packet may expand to."""
_LONGEST = 1 << 20
_SUSPECT = 1 << 18
"""Packed bytes from which one stream can expand to more than _BURST."""
_BURST = 256 << 20
"""Bytes that one stream may expand to before PDFium is given the document."""
_DEFLATED = re.compile(rb"/(?:FlateDecode|Fl)\b")
# A literal string ends at its parenthesis or, where that is missing, at what cannot stand in one, so that nothing is read twice.
_ENTRY = re.compile(
    rb"/ID\s{0,9}\[[^\]]{0,300}\]"  # the file's own digests
    rb"|(?:/([^\s/<>\[\]()]{1,100}+)\s{0,9}+)?"
    rb"(?:(\((?:[^()\\]++|\\.|\((?:[^()\\]++|\\.)*+\))*+\)?)|<([0-9A-Fa-f\s]++)>)",
    re.DOTALL,
)
_LENGTH = re.compile(rb"/Length\s{1,9}(\d{1,9})(?!\s{1,9}\d{1,5}\s{1,9}R)")
_REFERRED = re.compile(
    rb"/(JS|XFA|Metadata|RC|RV|EF)\s{0,9}(\[[^\[\]]{0,10000}\]|<<[^<>]{0,1000}>>|\d{1,9}\s{1,9}\d{1,5}\s{1,9}R)"
)
_REFERENCE = re.compile(rb"(\d{1,9})\s{1,9}\d{1,5}\s{1,9}R")
_ESCAPE = re.compile(rb"\\([0-7]{1,3}|\r\n|.)", re.DOTALL)
_ESCAPED = {b"n": b"\n", b"r": b"\r", b"t": b"\t", b"b": b"\b", b"f": b"\f", b"\n": b"", b"\r": b"", b"\r\n": b""}
_MARKS = ((b"\xfe\xff", "utf-16-be"), (b"\xff\xfe", "utf-16-le"), (b"\xef\xbb\xbf", "utf-8"))
_UNKEPT = frozenset(
    b"ID O U OE UE Perms Registry Ordering CheckSum DA CreationDate ModDate M CharSet Panose Lookup Producer Creator".split()
)
"""Keys whose strings nobody wrote: digests, fonts' names, dates, appearance, the program."""
_COMMENTS = frozenset(b"Contents RC RV T TU TM V DV Opt Subj CA AC RT URI Desc Reason Location ContactInfo Q".split())
_HIDDEN = frozenset(b"JS ActualText Alt E Alternate OverlayText".split())
# PDFDocEncoding where it differs from Latin-1 (ISO 32000-1, annex D.3).
_DOC_ENCODING = {
    **dict(zip(range(0x18, 0x20), "˘ˇˆ˙˝˛˚˜", strict=True)),
    **dict(zip(range(0x80, 0x9F), "•†‡…—–ƒ⁄‹›−‰„“”‘’‚™ﬁﬂŁŒŠŸŽıłœšž", strict=True)),
    0xA0: "€",
}


@dataclass(frozen=True, slots=True)
class Text:
    """A string in an object: its zone, and `key: value` where a key names it and is worth telling."""

    zone: Zone
    value: str


@dataclass(frozen=True, slots=True)
class Stream:
    """A stream that something refers to by the key `use`, expanded as far as it goes; `whole` is false where more is in it,
    `encrypted` true where it has a filter of its own for that (7.6.5)."""

    use: str
    content: bytes
    whole: bool
    encrypted: bool


class Objects:
    """A file's objects: what stands outside its streams, the object streams' contents, and where each stream begins."""

    def __init__(self, data: bytes, budget: Budget) -> None:
        self.data = data
        self._budget = budget
        self._streams: list[tuple[int, int, int]] = []
        self._objects: list[bytes] = []
        last = data.rfind(b"endstream")
        at = 0
        for begin in _STREAM.finditer(data):
            if begin.start() < at:
                continue
            self._objects.append(data[at : begin.start() + 2])
            end = data.find(b"endstream", begin.end()) if begin.end() <= last else -1
            self._streams.append((begin.start() + 2, begin.end(), end if end >= 0 else len(data)))
            at = end + 9 if end >= 0 else begin.end()
        self._objects.append(data[at:])
        for head, start, end in self._found():
            if b"/ObjStm" in head:  # 7.5.7
                self._objects.append(_expanded(data, start, end, head=head, budget=budget, most=_PACKED)[0])

    def check(self) -> None:
        """Raises Unreadable(too-large) for a stream that expands so far that PDFium, which keeps all of it, would crash."""
        for head, start, end in self._found():
            layers = len(_DEFLATED.findall(head))
            if (layers > 1 or (layers == 1 and end - start > _SUSPECT)) and _explodes(self.data[start:end], layers, self._budget):
                raise Unreadable(Why.TOO_LARGE, "a stream expands beyond any reasonable size")

    def _found(self) -> Iterator[tuple[bytes, int, int]]:
        """Each stream's dictionary, its object's number with it, and where its data begin and end."""
        for before, start, end in self._streams:
            self._budget.tick()
            yield _dictionary(self.data, before), start, end

    def texts(self) -> Iterator[Text]:
        """Every string outside the streams and in the object streams, in the order of the file."""
        for objects in self._objects:
            for number, match in enumerate(_ENTRY.finditer(objects)):
                if number % 256 == 0:
                    self._budget.tick()
                key, literal, digits = match.groups()
                if key in _UNKEPT or literal is digits is None:
                    continue
                value = string(literal) if literal is not None else hexadecimal(digits)
                if value and not value.isspace():
                    yield _text(key, value)

    def streams(self) -> Iterator[Stream]:
        """The scripts, form packets, metadata and files, each version of them; files by their type or by who refers to them."""
        uses = self._uses()
        for head, start, end in self._found():
            number = _OBJECT.match(head)
            use = uses.get(int(number.group(1))) if number else None
            if b"/EmbeddedFile" in head:
                use = "EF"
            elif use is None and b"/Metadata" in head and b"/XML" in head:
                use = "Metadata"
            if use is not None:
                most = self._budget.limits.part_bytes if use == "EF" else _PACKED
                content, whole = _expanded(self.data, start, end, head=head, budget=self._budget, most=most)
                yield Stream(use, content, whole, b"/Crypt" in head)

    def _uses(self) -> dict[int, str]:
        """Object numbers by the key that refers to them."""
        return {
            int(number): key.decode()
            for objects in self._objects
            for key, value in _REFERRED.findall(objects)
            for number in _REFERENCE.findall(value)
        }


def _text(key: bytes | None, value: str) -> Text:
    if key is None:
        return Text(Zone.HIDDEN, value)
    if key in _COMMENTS:
        return Text(Zone.COMMENT, value)
    if key in _HIDDEN:
        return Text(Zone.HIDDEN, value)
    return Text(Zone.PROPERTY, f"{key.decode('latin-1')}: {value}")


def _dictionary(data: bytes, stream: int) -> bytes:
    """What stands between the last `obj` before a stream and the stream, the object's number with it."""
    least = max(0, stream - _HEAD)
    at = data.rfind(b"obj", least, stream)
    number = _NUMBER.search(data, max(least, at - 24), at) if at > 0 else None
    return data[number.start() if number else least : stream]


def _explodes(packed: bytes, layers: int, budget: Budget) -> bool:
    """Whether `layers` of deflate around each other hold more than a process should keep."""
    for layer in range(min(layers, 4)):
        kept: list[bytes] = []
        size = 0
        inflater = zlib.decompressobj()
        try:
            while chunk := inflater.decompress(packed, 1 << 20):
                budget.tick()
                size += len(chunk)
                if size > (_BURST if layer == layers - 1 else budget.limits.part_bytes):
                    return True
                if layer < layers - 1:
                    kept.append(chunk)
                packed = inflater.unconsumed_tail
        except zlib.error:
            pass  # PDFium, too, keeps what came before the damage
        packed = b"".join(kept)
    return False


def _expanded(data: bytes, start: int, end: int, *, head: bytes, budget: Budget, most: int) -> tuple[bytes, bool]:
    """A stream's content as far as it can be had, and whether its filters are known: none, or FlateDecode alone."""
    stated = _LENGTH.search(head)
    if b"/Filter" not in head and stated and data[start + int(stated.group(1)) : end + 9].lstrip() == b"endstream":
        end = start + int(stated.group(1))
    budget.spend(end - start)  # streams that overlap are read again and again
    packed = data[start:end]
    if b"/Filter" not in head:
        return packed[:most], len(packed) <= most
    if not re.search(rb"/Filter\s{0,9}\[?\s{0,9}/(?:FlateDecode|Fl)\b\s{0,9}(?:\]|/(?!\w+Decode)|>>|\Z)", head):
        return b"", False
    inflater = zlib.decompressobj()
    kept: list[bytes] = []
    room = most
    try:
        while room > 0 and (chunk := inflater.decompress(packed, min(room, 1 << 20))):
            budget.spend(len(chunk))
            kept.append(chunk)
            room -= len(chunk)
            packed = inflater.unconsumed_tail
    except zlib.error:
        return b"".join(kept), bool(kept)
    return b"".join(kept), room > 0


def string(literal: bytes) -> str:
    """A literal string with its parentheses, the last of which may be missing (7.3.4.2)."""
    inside = literal[1:-1] if literal.endswith(b")") else literal[1:]
    return _decoded(_ESCAPE.sub(_unescaped, inside) if b"\\" in inside else inside)


def hexadecimal(digits: bytes) -> str:
    """A hexadecimal string without its brackets (7.3.4.3)."""
    packed = b"".join(digits[: 2 * _LONGEST].split())
    return _decoded(bytes.fromhex((packed + b"0" * (len(packed) % 2)).decode()))


def _unescaped(match: re.Match[bytes]) -> bytes:
    code = match.group(1)
    if code.isdigit():
        return bytes((int(code, 8) & 0xFF,)) if all(digit in b"01234567" for digit in code) else code
    return _ESCAPED.get(code, code)


def _decoded(raw: bytes) -> str:
    """A text string (7.9.2.2): by its mark, in a Chinese or Unicode encoding that it fits, or in PDFDocEncoding; "" for bytes."""
    for mark, encoding in _MARKS:
        if raw.startswith(mark):
            return raw[len(mark) :].decode(encoding, "replace")
    if raw.isascii():
        return "" if _binary(raw) else raw.decode()
    if _binary(raw):
        return ""
    guessed = detect(raw)
    if guessed in {"utf-8", "gb18030", "big5hkscs"}:
        return raw.decode(guessed, "replace")
    return raw.decode("latin-1").translate(_DOC_ENCODING)


def _binary(raw: bytes) -> bool:
    """More than a tenth of control characters: a digest or a signature."""
    return 10 * sum(map(raw.count, _CONTROLS)) > len(raw)


_CONTROLS = tuple(bytes((code,)) for code in (*range(9), 0x0B, *range(0x0E, 0x18), 0x7F))


def revisions(data: bytes) -> list[int]:
    """Where earlier revisions of the document end (7.5.6), the oldest first; a linearised file's first section is none."""
    ends = [match.end() for match in re.finditer(rb"startxref\s{1,9}\d{1,12}\s{1,9}%%EOF[\r\n]{0,2}", data)]
    if b"/Linearized" in data[:_HEAD]:
        ends = ends[1:]
    return ends[:-1]
