"""Rich Text Format (specification 1.9.1): every destination, shown or not, in the encodings its fonts name; objects, pictures.

A tokenizer and one pass over its tokens, with a stack of its own, for groups nest as deep as a document likes.
"""

import codecs
import re
import struct
from binascii import unhexlify
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from dlp.extract.budget import Budget, Exhausted
from dlp.extract.charset import decode, detect
from dlp.extract.document import Document
from dlp.extract.font_charset import CHARSETS
from dlp.extract.format import Format, Pieces
from dlp.extract.oleds import embedded
from dlp.extract.rtf_words import CHARACTERS, DOUBLE, HEX, INHERIT, NUMBERS, PAGES, SYMBOLS, VALUES, ZONES
from dlp.extract.strings import strings
from dlp.model import Part, Unscannable, Why, Zone

LEVELS = 1_000
"""Groups inside each other; no program that people write with comes near."""
_DEEP = f"more than {LEVELS} groups inside each other: a program may show it otherwise"
_BEYOND = "goes on behind its end"
_OFTEN = 0x3FF
"""Tokens between two looks at the clock."""
_TOKEN = re.compile(
    rb"([^\\{}\r\n]+)"
    rb"|((?:\\u-?[0-9]{1,10} ?(?:\?|\\'3[fF])?)+)"
    rb"|\\([a-zA-Z]{1,32})(-?[0-9]{1,200})? ?"
    rb"|((?:\\'[0-9a-fA-F]{2})+)"
    rb"|([{}])"
    rb"|\\([^a-zA-Z])"
)
_TEXT, _UNICODE, _WORD, _NUMBER, _HEX_BYTES, _BRACE, _SYMBOL = range(1, 8)
_UNIT = re.compile(rb"\\u(-?[0-9]{1,10}) ?(\?|\\'3[fF])?")
_DIGITS = re.compile(rb"[0-9a-fA-F\s]+")
_NOT_DIGITS = bytes(set(range(256)) - set(b"0123456789abcdefABCDEF"))
_NUMERIC = re.compile(r"[-\d.;,()\s]*")
_MARKUP = re.compile(rb"\\(?:rtf?\d|par|pard|f\d|cf\d|u-?\d|'[0-9a-f]{2})")
_PADDING = re.compile(rb"[\0\s]*")
_HALF = re.compile(r"[\ud800-\udfff]")
_LOOK = 4096
"""Bytes behind the end that show whether they are markup."""
_HIGH_PAIR = re.compile(rb"[\x80-\xff]{2}")
_HIGH_RUN = re.compile(rb"[\x80-\xff]{4}")
_SKIPPED = 4
"""Bytes that stand for one character written as \\u, at the most; more of them is text that some readers show."""
_UNSEEN, _DELETED, _WHITE, _TINY = 1, 2, 4, 8
_TINIEST = 4
"""Half points of a font size that nobody reads."""
_PICTURES = frozenset({"emfblip", "pngblip", "jpegblip", "macpict", "pmmetafile", "wmetafile", "dibitmap", "wbitmap"})


class _State(NamedTuple):
    """What a group inherits and its end restores. `into` takes texts, `digits` the hexadecimal; else `zone` does."""

    zone: Zone = Zone.BODY
    font: int = 0
    fallback: int = 1
    flags: int = 0
    encapsulating: bool = False
    into: list[str] | None = None
    digits: list[tuple[bool, bytes]] | None = None


class _Inside(NamedTuple):
    """A document found inside: `kind` is the word it was found under."""

    kind: str
    content: bytes
    picture: str = ""


class _Reader:
    """One pass; afterwards `texts` by zone, the documents `inside`, the original `html`, and what was `odd`."""

    def __init__(self, data: bytes | memoryview, budget: Budget) -> None:
        self.texts: dict[Zone, list[str]] = defaultdict(list)
        self.inside: list[_Inside] = []
        self.html: list[str] | None = None
        self.odd: dict[str, Why] = {}
        self._data = data
        self._budget = budget
        self._state = _State()
        self._stack: list[_State] = []
        self._open: list[tuple[int, str, _State]] = []
        self._held = bytearray()
        self._last = Zone.BODY
        self._skip = 0
        self._fonts: dict[int, str | None] = {}
        self._default = 0
        self._page = "cp1252"
        self._colours: list[int] = []
        self._colour: int | None = None
        self._name = ""
        self._picture = ""

    def read(self) -> None:
        """Raises Exhausted; what was read before stays."""
        at: int | None = 0
        while at is not None:
            at = self._tokens(at)
        self._flush()
        if self._stack:
            self.odd["ends inside a group"] = Why.CORRUPT
            while self._stack:
                self._close()

    def _tokens(self, at: int) -> int | None:
        """Take in tokens from `at` on, up to a place where another way of reading begins; None at the end."""
        starred = False
        for count, match in enumerate(_TOKEN.finditer(self._data, at)):
            if not count & _OFTEN:
                self._budget.tick()
            kind = match.lastindex
            if kind == _TEXT:
                if self._state.digits is not None:
                    return self._digits(match)
                self._text(match.group())
                continue
            if kind == _HEX_BYTES:
                self._text(bytes.fromhex(match.group().replace(b"\\'", b"").decode()))
                continue
            if kind == _SYMBOL:
                starred = match.group() == b"\\*"
                self._symbol(match.group(_SYMBOL))
                continue
            if self._held:
                self._flush()
            if kind == _UNICODE:
                self._unicode(match.group())
            elif kind == _BRACE:
                self._skip = 0
                if match.group() == b"{":
                    self._stack.append(self._state)
                elif self._close():
                    return self._after(match.end())
            else:
                word = match.group(_WORD)
                action = _ACTIONS.get(word)
                if action is not None:
                    number = match.group(_NUMBER)
                    action(self, word.decode(), None if number is None else int(number), starred)
                elif word == b"bin":
                    return self._binary(match.end(), int(match.group(_NUMBER) or 0))
                elif starred:
                    self._destination(word.decode(), None, True)
                starred = False
        return None

    def _text(self, raw: bytes) -> None:
        if self._skip:
            raw = self._skipping(raw)
        if self._held or not raw.isascii():
            self._held += raw
        elif raw:
            self._add(raw.decode("ascii"))

    def _skipping(self, raw: bytes) -> bytes:
        """`raw` without what stands for a character that was read as \\u; where that is long, it is hidden text."""
        skipped, kept = raw[: self._skip], raw[self._skip :]
        self._skip -= len(skipped)
        if len(skipped) > _SKIPPED and self._state.digits is None:
            self.texts[Zone.HIDDEN].append(self._decoded(skipped) + "\n")
        return kept

    def _flush(self) -> None:
        if self._held:
            raw = bytes(self._held)
            self._held.clear()
            self._add(self._decoded(raw))

    def _add(self, text: str) -> None:
        state = self._state
        if state.digits is not None:
            return
        if state.into is not None:
            state.into.append(text)
            return
        zone = Zone.HIDDEN if state.flags else state.zone
        texts = self.texts[zone]
        if zone is not self._last:
            if zone is not Zone.BODY and texts:
                texts.append("\n")
            self._last = zone
        texts.append(text)
        if self.html is not None and state.zone is Zone.BODY and not state.encapsulating:
            self.html.append(text)

    def _decoded(self, raw: bytes) -> str:
        """Bytes in the encoding of their font, or of the document; where neither is likely, in the one found."""
        stated = self._fonts.get(self._state.font)
        encoding = stated or self._page
        if stated is None and encoding in DOUBLE and not _HIGH_PAIR.search(raw):
            encoding = "cp1252" if encoding != "cp932" else encoding
        elif stated is None and encoding not in DOUBLE and _HIGH_RUN.search(raw):
            # Four letters with accents in a row are in no word; two characters of Chinese are.
            found = detect(raw)
            encoding = found if found in DOUBLE else encoding
        return decode(raw, encoding)

    def _unicode(self, run: bytes) -> None:
        """Characters by their numbers, each followed by as many bytes for old readers as \\uc says."""
        units = _UNIT.findall(run)
        literal = self._state.fallback == 0
        mark = (b"63",) if literal else ()
        self._add(_characters(part for number, instead in units for part in ((number, *mark) if instead else (number,))))
        self._skip = 0 if literal else self._state.fallback - (1 if units[-1][1] else 0)

    def _symbol(self, symbol: bytes) -> None:
        if symbol in b"\\{}":
            self._text(symbol)
        elif (char := SYMBOLS.get(symbol.decode("latin-1"))) is not None:
            self._flush()
            self._add(char)

    def _digits(self, match: re.Match[bytes]) -> int:
        """Take in hexadecimal digits, as many as follow, or one text among them."""
        if self._state.digits is not None:
            digits = _DIGITS.match(self._data, match.start())
            match = digits if digits is not None and digits.end() > match.start() else match
            self._state.digits.append((False, match.group().translate(None, _NOT_DIGITS)))
        return match.end()

    def _binary(self, at: int, size: int) -> int:
        """Past bytes that are no markup; a size beyond the end is a lie, and what follows it is read."""
        if size <= 0:
            return at
        if size > len(self._data) - at:
            self.odd["states more binary data than there is"] = Why.CORRUPT
            return at
        content = bytes(self._data[at : at + size])
        if self._state.digits is not None:
            self._state.digits.append((True, content))
        else:
            self.inside.append(_Inside("bin", content))
        return at + size

    def _close(self) -> bool:
        """End a group; whether it was the outermost."""
        depth = len(self._stack)
        while self._open and self._open[-1][0] >= depth:
            _, word, state = self._open.pop()
            self._finish(word, state)
        if depth > LEVELS:
            self.odd[_DEEP] = Why.TOO_DEEP
        if depth:
            self._state = self._stack.pop()
            if self._state.into is not None and self._open and self._open[-1][1] == "docvar":
                self._state.into.append("\t")
        return not self._stack

    def _after(self, at: int) -> int | None:
        """What stands behind the document: more of it, or another file."""
        padding = _PADDING.match(self._data, at)
        at = padding.end() if padding is not None else at
        if at == len(self._data):
            return None
        if _BEYOND not in self.odd and not _MARKUP.search(self._data, at, at + _LOOK):
            self.inside.append(_Inside("rest", bytes(self._data[at:])))
            return None
        self.odd[_BEYOND] = Why.CORRUPT
        return at

    def _destination(self, word: str, number: int | None, starred: bool) -> None:
        """The rest of the group is another text: by its word, or hidden if it may be ignored by who does not know it."""
        state = self._state
        if word in HEX:
            state = state._replace(digits=[], into=None)
        elif word == "htmltag":
            self.html = [] if self.html is None else self.html
            state = state._replace(into=self.html, digits=None)
        elif word in VALUES or word in NUMBERS or word == "docvar":
            state = state._replace(into=[], digits=None)
        elif word in INHERIT:
            return
        else:
            zone = ZONES.get(word, Zone.HIDDEN if starred else state.zone)
            state = state._replace(zone=zone, flags=0, into=None, digits=None)
        if word in ("pict", "objdata"):
            self._picture = ""
        self._state = state
        self._open.append((len(self._stack), word, state))

    def _finish(self, word: str, state: _State) -> None:
        """A destination has ended: what was collected goes where it belongs."""
        if state.digits is not None:
            content = _unhexed(state.digits)
            self._budget.spend(len(content))
            self.inside.append(_Inside(word, content, self._picture if word == "pict" else ""))
        elif state.into is None:
            self.texts[state.zone].append("\n")
        elif word in ("sn", "propname"):
            self._name = "".join(state.into).strip()
        elif word == "sv":
            self._property("".join(state.into).strip(), state.zone)
        elif word == "docvar":
            self.texts[Zone.HIDDEN].append("".join(state.into).strip("\t") + "\n")
        elif word in VALUES:
            self.texts[Zone.PROPERTY].append(f"{self._name}: {''.join(state.into).strip()}\n")

    def _property(self, value: str, zone: Zone) -> None:
        """A shape's property: what WordArt shows is a watermark in a header, most others are numbers."""
        if self._name == "gtextUNICODE":
            self.texts[Zone.WATERMARK if zone in (Zone.HEADER, Zone.FOOTER) else Zone.TEXTBOX].append(value + "\n")
        elif not _NUMERIC.fullmatch(value):
            self.texts[Zone.HIDDEN].append(value + "\n")

    # What control words do. Each takes the word, its number, whether an asterisk stood before.

    def _character(self, word: str, number: int | None, starred: bool) -> None:
        self._add(CHARACTERS[word])

    def _font(self, word: str, number: int | None, starred: bool) -> None:
        if number is not None and number != self._state.font:
            self._state = self._state._replace(font=number)

    def _deff(self, word: str, number: int | None, starred: bool) -> None:
        self._default = number or 0
        self._state = self._state._replace(font=self._default)

    def _fcharset(self, word: str, number: int | None, starred: bool) -> None:
        self._fonts[self._state.font] = CHARSETS.get(number or 0)

    def _cpg(self, word: str, number: int | None, starred: bool) -> None:
        self._fonts[self._state.font] = _page(number or 0) or self._fonts.get(self._state.font)

    def _ansicpg(self, word: str, number: int | None, starred: bool) -> None:
        old = {"mac": 10000, "pc": 437, "pca": 850}.get(word)
        self._page = _page(old or number or 0) or self._page

    def _uc(self, word: str, number: int | None, starred: bool) -> None:
        self._state = self._state._replace(fallback=max(number if number is not None else 1, 0))

    def _plain(self, word: str, number: int | None, starred: bool) -> None:
        self._state = self._state._replace(font=self._default, flags=self._state.flags & _DELETED)

    def _flag(self, flag: int, on: bool) -> None:
        flags = self._state.flags | flag if on else self._state.flags & ~flag
        if flags != self._state.flags:
            self._state = self._state._replace(flags=flags)

    def _unseen(self, word: str, number: int | None, starred: bool) -> None:
        self._flag(_DELETED if word == "deleted" else _UNSEEN, number != 0)

    def _fs(self, word: str, number: int | None, starred: bool) -> None:
        self._flag(_TINY, number is not None and 0 <= number <= _TINIEST)

    def _cf(self, word: str, number: int | None, starred: bool) -> None:
        self._flag(_WHITE, number is not None and 0 <= number < len(self._colours) and self._colours[number] == 0xFFFFFF)

    def _colouring(self, word: str, number: int | None, starred: bool) -> None:
        """The three parts of an entry of the colour table come in order; blue ends one."""
        self._colour = ((self._colour or 0) << 8 | (number or 0) & 0xFF) & 0xFFFFFF
        if word == "blue":
            if not self._colours:
                self._colours.append(0)  # entry 0 is automatic and states nothing
            self._colours.append(self._colour)
            self._colour = None

    def _blip(self, word: str, number: int | None, starred: bool) -> None:
        self._picture = word

    def _fromhtml(self, word: str, number: int | None, starred: bool) -> None:
        self.html = [] if self.html is None else self.html

    def _htmlrtf(self, word: str, number: int | None, starred: bool) -> None:
        self._state = self._state._replace(encapsulating=number != 0)


def _actions() -> dict[bytes, Callable[[_Reader, str, int | None, bool], None]]:
    destinations = {*HEX, *VALUES, *NUMBERS, *ZONES, *INHERIT, "docvar", "htmltag"}
    named: dict[str, Callable[[_Reader, str, int | None, bool], None]] = dict.fromkeys(destinations, _Reader._destination)
    named |= dict.fromkeys(CHARACTERS, _Reader._character)
    named |= dict.fromkeys(_PICTURES, _Reader._blip)
    named |= {"f": _Reader._font, "deff": _Reader._deff, "fcharset": _Reader._fcharset, "cpg": _Reader._cpg}
    named |= dict.fromkeys(("ansicpg", "mac", "pc", "pca"), _Reader._ansicpg)
    named |= dict.fromkeys(("red", "green", "blue"), _Reader._colouring)
    named |= dict.fromkeys(("v", "deleted"), _Reader._unseen)
    named |= {"uc": _Reader._uc, "plain": _Reader._plain, "fs": _Reader._fs, "cf": _Reader._cf}
    named |= {"fromhtml": _Reader._fromhtml, "htmlrtf": _Reader._htmlrtf}
    return {word.encode(): action for word, action in named.items()}


_ACTIONS = _actions()


def _page(number: int) -> str | None:
    """Python's name for a code page, or None."""
    name = PAGES.get(number, f"cp{number}")
    try:
        return codecs.lookup(name).name if 0 < number < 1 << 16 else None
    except LookupError:
        return None


def _characters(numbers: Iterable[bytes]) -> str:
    """Numbers of UTF-16 units, negative above 32,767, or of characters, as some programs write them; halves stay halves."""
    units = [int(number) for number in numbers]
    if max(units) <= 0xFFFF:
        return struct.pack(f"<{len(units)}H", *(unit & 0xFFFF for unit in units)).decode("utf-16-le", "surrogatepass")
    return "".join(chr(unit if 0xFFFF < unit < 0x110000 else unit & 0xFFFF) for unit in units)


def _paired(texts: list[str]) -> list[str]:
    """`texts` with the halves of characters beyond 65,535 put together, which stand in tokens of their own."""
    joined = "".join(texts)
    return [joined.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace") if _HALF.search(joined) else joined]


def _unhexed(pieces: list[tuple[bool, bytes]]) -> bytes:
    """The bytes that digits and binary data make; the last of an odd number of digits is none."""
    out: list[bytes] = []
    digits: list[bytes] = []
    for binary, raw in [*pieces, (True, b"")]:
        if binary:
            joined = b"".join(digits)
            out += [unhexlify(joined[: len(joined) // 2 * 2]), raw]
            digits = []
        else:
            digits.append(raw)
    return b"".join(out)


def _bitmap(dib: bytes) -> bytes:
    """A BMP file of a device-independent bitmap, which RTF stores without the file's header ([MS-WMF] 2.2.2.3)."""
    if len(dib) < 40:
        return dib
    header, _, _, _, bits, compression = struct.unpack_from("<IiiHHI", dib)
    (used,) = struct.unpack_from("<I", dib, 32)
    palette = 4 * (used or (1 << bits if bits <= 8 else 0)) + (12 if compression == 3 and header == 40 else 0)
    if header > 0xFFFF or palette > len(dib):
        return dib
    return b"BM" + struct.pack("<IHHI", 14 + len(dib), 0, 0, 14 + header + palette) + dib


def read(document: Document, budget: Budget) -> Pieces:
    """The body, the other zones, then pictures and objects; of a mail that was HTML also that (label "html")."""
    reader = _Reader(document.data, budget)
    try:
        reader.read()
    except Exhausted:
        yield from _texts(document, reader)
        raise
    yield from _texts(document, reader)
    if reader.html:
        yield document.nested(_paired(reader.html)[0].encode(), name=None, label="html", media="text/html", charset="utf-8")
    for number, inside in enumerate(reader.inside, 1):
        yield from _inside(document, inside, number)


def _texts(document: Document, reader: _Reader) -> Iterator[Part | Unscannable]:
    yield from document.parts(_paired(reader.texts.pop(Zone.BODY, [])), start=True)
    for zone, texts in reader.texts.items():
        yield from document.parts(_paired(texts), zone=zone)
    for sentence, why in reader.odd.items():
        yield document.unread(why, sentence)


def _inside(document: Document, inside: _Inside, number: int) -> Pieces:
    if not inside.content:
        return
    if inside.kind == "pict":
        content = _bitmap(inside.content) if inside.picture == "dibitmap" else inside.content
        yield document.nested(content, name=None, label=f"picture {number}")
    elif inside.kind in ("objdata", "datastore"):
        thing = embedded(inside.content)
        yield from document.parts((f"{word}\n" for word in thing.words), zone=Zone.HIDDEN, trail=(f"object {number}",))
        yield document.nested(thing.content, name=thing.name or None, label=f"object {number}")
    elif inside.kind in ("themedata", "bin", "rest"):
        yield document.nested(inside.content, name=None, label=f"{inside.kind} {number}")
    else:
        yield from document.parts(strings(inside.content), zone=Zone.HIDDEN)


FORMAT = Format(name="rtf", media_types=("application/rtf",), read=read)
