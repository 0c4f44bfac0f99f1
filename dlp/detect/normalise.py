"""Folds text for comparing, and keeps the way back to where each character stood.

One look-up per character in a numpy table over the UTF-32 code points gives what it becomes and what kind that is:
compatibility forms and width (Unicode Standard Annex 15, NFKC, of each character alone), lower case, Latin letters
without their marks, traditional to simplified. Zero-width characters, bidirectional controls, combining marks and
variation selectors go; Cyrillic and Greek letters that look Latin become Latin inside words made to look Latin. Then
white space and separators between two Chinese characters go ("机 密", "机·密"), unless a blank line divides them.
`origin` tells for every folded character the offset of the original one.

ASCII, the bulk of code and mail, only changes case and skips all that.
"""

import unicodedata
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from dlp.detect.han import RADICALS, SIMPLIFIED

Offsets = NDArray[np.int32]
Codes = NDArray[np.uint32]
Mask = NDArray[np.bool_]
Kinds = NDArray[np.uint8]
Places = NDArray[np.intp]

_CODE = (1 << 21) - 1
_KIND = 21
"""An entry of the table is a code point, and its kinds from this bit on."""
_EXPAND = 1 << 29
"""Entries from here on (but _DROP) are indexes into the expansions, plus this."""
_DROP = 1 << 30

_CONTROLS = (0x00AD, 0x034F, 0x061C, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x180E, 0x3164, 0xFEFF, 0xFFA0)
_INVISIBLE = (
    *((code, code) for code in _CONTROLS),
    (0x0300, 0x036F),  # combining diacritical marks
    (0x1AB0, 0x1AFF),
    (0x1DC0, 0x1DFF),
    (0x200B, 0x200F),  # zero-width space, joiners, directional marks
    (0x202A, 0x202E),  # bidirectional embeddings and overrides
    (0x2060, 0x206F),  # word joiner, invisible operators, isolates
    (0x20D0, 0x20FF),  # combining marks for symbols, enclosing circles
    (0xFE00, 0xFE0F),  # variation selectors
    (0xFE20, 0xFE2F),
    (0xFFF9, 0xFFFB),  # interlinear annotation
    (0xE0000, 0xE0FFF),  # tags and variation selectors supplement
)

_LOOK_ALIKE = dict(
    zip(
        "авсԁеɡһіјкӏмпорԛгѕтхуѵԝʙѡ" + "αβγιкκνορτυχω" + "ɑɩ",
        "abcdeghijklmnopqrstxyvwbw" + "abyikkvoptuxw" + "ai",
        strict=True,
    )
)
"""After Unicode Technical Standard 39 (confusables), the letters that pass for a Latin one in common fonts."""

_CAPITALS = dict(zip("ΝΗΜΕΖΥН", "\u0378\u0379\u0380\u0381\u0382\u0383\u038b", strict=True))
"""Capitals that look Latin and whose small letters do not, to unassigned code points that stand for them until it is known
whether their word is made to look Latin."""
_LOOK_ALIKE |= dict(zip(_CAPITALS.values(), "nhmezyh", strict=True))

_SPACES = "\t\n\v\f\r \x1c\x1d\x1e\x1f\x85\u2028\u2029"
_JOINTS = ".-_~|^`'\"·•・‧∙⋅●○‐–—―=+"
"""Separators that are set between two Chinese characters to hide a word."""
_WEAK_JOINTS = "*/\\,;:#&@()[]<>、。!?"
"""Separators that also divide words of a list, so they go only beside a character that stands alone."""
_REACH = 16
"""The longest run of spaces and separators that is closed."""

_SPACE, _NEWLINE, _JOINT, _WEAK, _CHINESE, _LATIN, _ALIKE, _FOREIGN = (1 << bit for bit in range(8))


@dataclass(frozen=True, slots=True)
class Folded:
    """`text` folded; `origin[i]` is the offset in the original of its i-th character, None where offsets are the same."""

    text: str
    origin: Offsets | None = None

    def span(self, start: int, end: int) -> tuple[int, int]:
        """The original's offsets of folded `start`..`end` (`start` < `end`): first character's start, last one's end."""
        if self.origin is None:
            return start, end
        return int(self.origin[start]), int(self.origin[end - 1]) + 1


def fold(text: str) -> Folded:
    """`text` in the form signatures are compared with."""
    if text.isascii():
        return Folded(text.lower().replace("\x00", " "))
    codes = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype=np.uint32)
    tables = _tables()
    entries, origin = tables.entries.take(codes, mode="clip"), None
    odd = (entries >= _EXPAND).nonzero()[0]
    if odd.size:
        entries, origin = _expanded(entries, odd, tables)
    kinds, folded = (entries >> _KIND).astype(np.uint8), entries & np.uint32(_CODE)
    _latinise(folded, kinds, tables)
    kept = _closed(kinds)
    if kept is not None:
        places = kept.nonzero()[0]
        folded, origin = folded.take(places), (places.astype(np.int32) if origin is None else origin.take(places))
    return Folded(str(folded.data, "utf-32-le"), origin)


def folded_words(words: str) -> tuple[str, ...]:
    """The words of a `|`-separated list, folded; empty ones are dropped."""
    return tuple(folded for word in words.split("|") if (folded := fold(word.strip()).text))


def prepare() -> None:
    """Build the tables now (some 100 ms) rather than at the first text, so that forked children share them."""
    _tables()


@dataclass(frozen=True, slots=True)
class _Tables:
    """`entries` by code point. `expanded` holds the entries of all expansions, the n-th from `starts[n]` to `starts[n + 1]`."""

    entries: Codes
    expanded: Codes
    starts: Places
    alike: Codes
    small: Codes


@cache
def _tables() -> _Tables:
    table, kinds = np.arange(0x110000, dtype=np.uint32), _kinds()
    expansions: list[str] = []
    for code in _candidates():
        letters = _folded_letter(chr(code))
        if len(letters) == 1:
            table[code] = ord(letters)
        else:
            table[code] = _EXPAND + len(expansions) if letters else _DROP
            if letters:
                expansions.append(letters)
    for first, last in _INVISIBLE:
        table[first : last + 1] = _DROP
    table[0xD800:0xE000] = 0xFFFD  # lone surrogates have no UTF-8
    table[0] = 0x20
    plain = table < _EXPAND
    table[plain] |= kinds[table[plain]] << _KIND
    expanded = np.array([ord(letter) for letters in expansions for letter in letters], dtype=np.uint32)
    return _Tables(
        entries=table,
        expanded=expanded | kinds[expanded] << np.uint32(_KIND),
        starts=np.cumsum([0, *map(len, expansions)], dtype=np.intp),
        alike=_alike(_LOOK_ALIKE),
        small=_alike({sign: letter.lower() for letter, sign in _CAPITALS.items()}),
    )


def _candidates() -> list[int]:
    """The code points that may fold to something else: the planes with decompositions and cases."""
    blocks = (range(0x41, 0x3400), range(0xA640, 0xAC00), range(0xF900, 0x10000), range(0x10400, 0x10500))
    more = (range(0x1D400, 0x1D800), range(0x1EE00, 0x1F300), range(0x1FBF0, 0x1FBFA), range(0x2F800, 0x2FA20))
    return [code for block in (*blocks, *more) for code in block] + [ord(letter) for letter in SIMPLIFIED]


def _folded_letter(letter: str) -> str:
    if letter in _CAPITALS:
        return _CAPITALS[letter]
    if not letter.isascii() and (digit := unicodedata.digit(letter, None)) is not None:
        return str(digit)  # of any script, in circles, brackets and with a full stop
    letter = RADICALS.get(letter, letter)
    text = unicodedata.normalize("NFKC", letter).lower()
    if text[:1] < "\u0250" or len(text) > 1:  # Latin: without its marks
        bare = "".join(c for c in unicodedata.normalize("NFKD", text) if not "\u0300" <= c <= "\u036f")
        text = unicodedata.normalize("NFKC", bare)
    return "".join(SIMPLIFIED.get(c, c) for c in text)


def _kinds() -> Codes:
    """What matters of each folded character, as bits."""
    kinds = np.zeros(0x110000, dtype=np.uint32)
    for letters, kind in (
        (_SPACES, _SPACE),
        ("\n\x0b\x0c\u2028\u2029\x85", _SPACE | _NEWLINE),
        (_JOINTS, _JOINT),
        (_WEAK_JOINTS, _WEAK),
    ):
        for letter in letters:
            kinds[ord(letter)] |= kind
    for first, last in ((0x3400, 0x4DBF), (0x4E00, 0x9FFF), (0xF900, 0xFAFF), (0x20000, 0x323AF), (0x3021, 0x3029)):
        kinds[first : last + 1] |= _CHINESE
    for letter in "★☆〇【】《》〈〉〔〕「」『』〖〗":
        kinds[ord(letter)] |= _CHINESE
    kinds[ord("a") : ord("z") + 1] |= _LATIN
    kinds[0x0370:0x0530] |= _FOREIGN
    for letter in _LOOK_ALIKE:
        kinds[ord(letter)] |= _ALIKE | _FOREIGN
    return kinds


def _alike(letters: dict[str, str]) -> Codes:
    table = np.arange(0x0530, dtype=np.uint32)
    for letter, other in letters.items():
        table[ord(letter)] = ord(other)
    return table


def _expanded(entries: Codes, odd: Places, tables: _Tables) -> tuple[Codes, Offsets]:
    """`entries` with the dropped characters gone and the expanding ones expanded, and where each came from."""
    lengths = np.ones(entries.size, dtype=np.int32)
    growing = odd[entries[odd] != _DROP]
    forms = (entries[growing] - _EXPAND).astype(np.intp)
    grown = tables.starts[forms + 1] - tables.starts[forms]
    lengths[odd] = 0
    lengths[growing] = grown
    origin = np.repeat(np.arange(entries.size, dtype=np.int32), lengths)
    result = entries.take(origin)
    if growing.size:
        firsts = np.cumsum(lengths, dtype=np.int64)[growing] - grown
        inside = np.arange(grown.sum()) - np.repeat(np.cumsum(grown) - grown, grown)
        result[np.repeat(firsts, grown) + inside] = tables.expanded[np.repeat(tables.starts[forms], grown) + inside]
    return result, origin


def _latinise(folded: Codes, kinds: Kinds, tables: _Tables) -> None:
    """Turn look-alikes into Latin, in place, in words that hold a Latin letter or nothing but look-alikes."""
    alike = kinds & _ALIKE
    if not alike.any():
        return
    places = alike.nonzero()[0]
    letter = (kinds & (_LATIN | _FOREIGN)) != 0
    word = np.cumsum(np.diff(letter, prepend=False), dtype=np.int32)
    count = int(word[-1]) + 1
    latin = np.bincount(word, weights=(kinds & _LATIN) != 0, minlength=count) > 0
    pure = np.bincount(word, weights=letter & ((kinds & _ALIKE) == 0), minlength=count) == 0
    chosen = (latin | pure)[word[places]]
    folded[places] = np.where(chosen, tables.alike[folded[places]], tables.small[folded[places]])
    kinds[places[chosen]] = _LATIN


def _closed(kinds: Kinds) -> Mask | None:
    """Which characters stay when the runs of spaces and separators between Chinese characters go; None if all do.

    Few passes over bytes, for most texts are short: a bit of `kinds` stands for true."""
    size = kinds.size
    chinese = np.zeros(size + 4, dtype=np.uint8)  # so that the first and the last character have neighbours, of no kind
    np.bitwise_and(kinds, _CHINESE, out=chinese[2:-2])
    if not chinese.any():
        return None
    edges = chinese[1:] ^ chinese[:-1]
    first, last = chinese[1:] & edges, chinese[:-1] & edges  # of a run of Chinese characters, as seen at the one after, before
    junk = np.zeros(size + 1, dtype=np.uint8)
    np.bitwise_and(kinds, _SPACE | _JOINT, out=junk[:-1])
    junk[:-1] |= (kinds & _WEAK) * (_CHINESE // _WEAK) & (first[:-3] | last[3:])  # beside one that stands alone
    starts = np.logical_and(junk[:-1], chinese[1:-3]).nonzero()[0]
    if not starts.size:
        return None
    lengths, newlines = _runs(junk, kinds, starts)
    closing = (lengths <= _REACH) & (newlines <= 1) & (chinese[starts + lengths + 2] != 0)  # a blank line divides
    starts, lengths = starts[closing], lengths[closing]
    if not starts.size:
        return None
    kept = np.ones(size, dtype=np.bool_)
    kept[starts] = False
    for step in range(1, int(lengths.max())):
        kept[starts[lengths > step] + step] = False
    return kept


def _runs(junk: Kinds, kinds: Kinds, starts: Places) -> tuple[Places, Places]:
    """The length of each run of junk that begins at `starts`, _REACH + 1 for any longer, and how many newlines it holds, 0 where
    its length is 1. `junk` ends with one that is none."""
    lengths, newlines = np.ones(starts.size, dtype=np.intp), np.zeros(starts.size, dtype=np.intp)
    going = (junk[starts + 1] != 0).nonzero()[0]
    newlines[going] = (kinds[starts[going]] & _NEWLINE) != 0
    length = 1
    while going.size and length <= _REACH:
        lengths[going] = length + 1
        newlines[going] += (kinds[starts[going] + length] & _NEWLINE) != 0
        length += 1
        going = going[junk[starts[going] + length] != 0]
    return lengths, newlines
