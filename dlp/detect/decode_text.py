"""What one encoded run says: base64, hex, escapes, entities, numbers written otherwise, text stored back to front.

Each function takes the run as it stands in a text and answers with what it decodes to, or None where that is no
text: what does not decode strictly, or decodes to bytes that are no characters people write, was no encoded text.
"""

import base64
import binascii
import html
import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from enum import StrEnum
from types import MappingProxyType

_ODD = re.compile("[\x00-\x08\x0e-\x1f\x7f-\x9f\ud800-\udfff\ue000-\uf8ff\ufdd0-\ufdef\ufffd-\uffff]")
"""Characters that no text for people holds: controls, halves of pairs, private and unassigned ones."""
_CONTROLS = bytes(code for code in (*range(0x20), 0x7F) if chr(code) not in "\t\n\r\v\f\x1b")
_HEAD = 48
"""Bytes of a long run that are decoded first, to see whether it is worth the rest: most are pictures and hashes."""
_COMMON = 0.9
"""The share of a text in GB 18030 or UTF-16 whose characters GB 2312 has; random bytes come nowhere near."""


def text_of(data: bytes) -> str | None:
    """`data` as text, in UTF-8, UTF-16 or GB 18030; None if it is text in none of them."""
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return _clean(data, "utf-16")
    text = _clean(data, "utf-8-sig")
    if text is None and not data.isascii():
        text = _common(_clean(data, "gb18030"))
    if text is None and len(data) % 2 == 0:
        text = _common(_clean(data, "utf-16-le")) or _common(_clean(data, "utf-16-be"))
    return text


def _clean(data: bytes, encoding: str) -> str | None:
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError:
        return None
    return None if _ODD.search(text) else text


def _common(text: str | None) -> str | None:
    """`text` if it is made of characters in common use: nearly any bytes are text of a kind in these encodings."""
    if text is None or len(text.encode("gb2312", "ignore").decode("gb2312")) < _COMMON * len(text):
        return None
    return text


def _words(text: str | None) -> str | None:
    return text if text and text.strip() else None


def promising(head: bytes) -> bool:
    """Whether bytes may begin a text: no controls, or every other byte one of UTF-16's high ones."""
    if len(head.translate(None, _CONTROLS)) == len(head):
        return True
    return any(all(high in _HIGH for high in head[side : len(head) & ~1 : 2]) for side in (0, 1)) or head[:2] in (
        b"\xff\xfe",
        b"\xfe\xff",
    )


_HIGH = frozenset((0x00, 0x20, 0x25, 0x26, 0x30, *range(0x4E, 0xA0), 0xFF))
"""High bytes of UTF-16 for ASCII, punctuation, ★, CJK punctuation, Chinese characters, full width."""
_URL_ALPHABET = str.maketrans("-_", "+/")
_BLANKS = re.compile(r"[\s>]+")


def base64_text(run: str) -> str | None:
    """RFC 4648, sections 4 and 5: both alphabets, wrapped or not, padded or not."""
    run = _BLANKS.sub("", run).rstrip("=").translate(_URL_ALPHABET)
    if len(run) % 4 == 1 or not run:
        return None
    try:
        if not promising(base64.b64decode(run[: _HEAD // 3 * 4] + "=" * (-len(run[: _HEAD // 3 * 4]) % 4))):
            return None
        return _words(text_of(base64.b64decode(run + "=" * (-len(run) % 4))))
    except binascii.Error:
        return None


_NO_HEX = re.compile(r"0[xX]|\\[xX]|[^0-9a-fA-F]+")


def hex_text(run: str) -> str | None:
    """Two hexadecimal digits a byte, whatever stands between the bytes and before them."""
    digits = _NO_HEX.sub("", run)
    if len(digits) % 2 or not promising(bytes.fromhex(digits[: 2 * _HEAD])):
        return None
    return _words(text_of(bytes.fromhex(digits)))


def percent_text(run: str) -> str | None:
    """%XX (RFC 3986, section 2.1), and the %uXXXX of old scripts."""
    if "%u" in run or "%U" in run:
        return _units(int(unit, 16) for unit in re.findall(r"%[uU]([0-9a-fA-F]{4})", run))
    return text_of(bytes.fromhex(run.replace("%", "")))


def quoted_printable_text(run: str) -> str | None:
    """=XX and soft line breaks (RFC 2045, section 6.7)."""
    return text_of(bytes.fromhex(re.sub(r"[=\s]", "", run)))


_ESCAPE = re.compile(
    r"(?P<bytes>(?:\\x[0-9a-fA-F]{2}|\\[0-3][0-7]{2})+)|\\U(?P<long>[0-9a-fA-F]{8})|\\u\{(?P<braced>[0-9a-fA-F]{1,6})\}"
    r"|(?P<units>(?:\\u[0-9a-fA-F]{4})+)|\\(?P<letter>[nrtbf\"'/\\])"
)
_LETTERS: Mapping[str, str] = MappingProxyType({"n": "\n", "r": "\r", "t": "\t", "b": " ", "f": "\f"})


def escaped_text(run: str) -> str | None:
    r"""The escapes of programming languages and JSON (RFC 8259, section 7): \uXXXX, \u{…}, \UXXXXXXXX, \xNN, \NNN, \n."""
    text = _ESCAPE.sub(_unescaped, run)
    return None if _ODD.search(text) else text


def _unescaped(match: re.Match[str]) -> str:
    if match["units"]:
        return _units(int(unit, 16) for unit in match["units"][2:].split("\\u")) or "\ufffd"
    if match["bytes"]:
        values = (int(digits[1:], 16) if digits[0] in "xX" else int(digits, 8) for digits in match["bytes"][1:].split("\\"))
        return text_of(bytes(values)) or "\ufffd"
    if code := match["long"] or match["braced"]:
        return chr(int(code, 16)) if int(code, 16) < 0x110000 else "\ufffd"
    return _LETTERS.get(match["letter"], match["letter"])


def _units(units: Iterable[int]) -> str | None:
    """UTF-16 code units as text; a half of a pair is none."""
    try:
        return b"".join(unit.to_bytes(2, "big") for unit in units).decode("utf-16-be")
    except UnicodeDecodeError:
        return None


_AMPERSANDS = re.compile(r"&(?:amp;)+")


def entity_text(run: str) -> str | None:
    """HTML's character references, named and by number, written once or escaped again."""
    text = html.unescape(_AMPERSANDS.sub("&", run))
    return None if text == run or _ODD.search(text) else text


_DIGITS = ("〇零○洞", "一壹弌幺", "二贰貳两兩", "三叁參叄参", "四肆", "五伍", "六陆陸", "七柒拐", "八捌", "九玖勾")
_NUMERALS = {ord(numeral): str(digit) for digit, numerals in enumerate(_DIGITS) for numeral in numerals} | {
    0x3020 + digit: str(digit)
    for digit in range(1, 10)  # Hangzhou numerals
}
NUMERALS = "".join(map(chr, _NUMERALS))
"""Chinese numerals that are read digit by digit: everyday, banker's, as spoken over the radio, Hangzhou."""


def numerals_text(run: str) -> str | None:
    """一一零一零五 and 壹壹零 as digits; whatever stands between them goes."""
    digits = "".join(letter for letter in run.translate(_NUMERALS) if letter in "0123456789xX")
    return digits or None


_SIGNS = re.compile(r"[^\w★☆]+|_+")


def spaced_text(run: str) -> str | None:
    """Characters set one by one: "T O P   S E C R E T", "1-1-0-1", "绝·密·★"; a gap wider than most is a space."""
    letters, gaps = _SIGNS.split(run), _SIGNS.findall(run)
    usual = Counter(gaps).most_common(1)[0][0] if gaps else ""
    wide = [len(gap) > len(usual) or (gap.isspace() and not usual.isspace()) for gap in gaps]
    return "".join(f"{' ' if wider else ''}{letter}" for wider, letter in zip((False, *wide), letters, strict=True))


def turned_text(lines: str) -> str | None:
    """Lines written back to front, each."""
    return "\n".join(line[::-1] for line in lines.split("\n"))


OVERRIDE = re.compile("\u202e(?:\u202d[^\n\u202c-\u202e]{0,500}+\u202c?|[^\n\u202c-\u202e]){1,2000}+\u202c?")
_LEFT_TO_RIGHT = re.compile("\u202d([^\u202c\u202e]*)\u202c?")
_BIDI = dict.fromkeys((0x061C, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A)))


def overridden_text(run: str) -> str | None:
    """What a right-to-left override shows (Unicode Standard Annex 9, RLO): its text reversed, but for what is overridden
    back inside."""
    turned: list[str] = []
    for place, piece in enumerate(_LEFT_TO_RIGHT.split(run)):
        plain = piece.translate(_BIDI)
        turned.append(plain if place % 2 else plain[::-1])
    return "".join(reversed(turned)) or None


def _unbroken(decode: Callable[[str], str | None]) -> Callable[[str], str | None]:
    """`decode` over the ordinary form of a run: half width, nothing invisible in it."""

    def plain(run: str) -> str | None:
        if not run.isascii():
            run = "".join(letter for letter in unicodedata.normalize("NFKC", run) if letter.isascii())
        return decode(run)

    return plain


class Encoding(StrEnum):
    """How a run is encoded."""

    BASE64 = "base64"
    HEX = "hex"
    PERCENT = "percent"
    ESCAPES = "escapes"
    QUOTED_PRINTABLE = "quoted-printable"
    ENTITIES = "entities"
    NUMERALS = "numerals"
    SPACED = "spaced"
    TURNED = "reversed"
    BIDI = "bidi"


DECODERS: Mapping[Encoding, Callable[[str], str | None]] = MappingProxyType(
    {
        Encoding.BASE64: _unbroken(base64_text),
        Encoding.HEX: _unbroken(hex_text),
        Encoding.PERCENT: _unbroken(percent_text),
        Encoding.ESCAPES: _unbroken(escaped_text),
        Encoding.QUOTED_PRINTABLE: _unbroken(quoted_printable_text),
        Encoding.ENTITIES: _unbroken(entity_text),
        Encoding.NUMERALS: numerals_text,
        Encoding.SPACED: spaced_text,
        Encoding.TURNED: turned_text,
        Encoding.BIDI: overridden_text,
    }
)
"""What a run says, by how it is encoded."""
BLOBS = frozenset({Encoding.BASE64, Encoding.HEX})
"""Encodings that a whole document is put into, rather than some of its characters."""
