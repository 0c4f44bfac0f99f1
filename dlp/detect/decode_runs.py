"""Where in a text something may stand encoded: candidates, found cheaply in the folded UTF-8 that the engine scans.

Nearly every text holds none, so what finds them has to cost next to nothing: searches for one byte where an
encoding has a sign of its own (%, &, a backslash), and a few operations on whole arrays where it has not. Folded text
is small letters and half width; what a run says is read from the original.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dlp.detect.decode_text import NUMERALS, Encoding, promising
from dlp.detect.engine import Hit
from dlp.detect.normalise import Folded

Bools = NDArray[np.bool_]
Places = NDArray[np.int64]
Classes = NDArray[np.uint8]

SHORTEST = 12
"""Characters of base64 and hexadecimal digits from which a run is looked at; eight, if it begins as Chinese in UTF-8 does."""
_WRAPPED = 40
"""Characters of a line of base64 from which the next may continue it."""
_LOOK = 16
"""Characters at the beginning of a run that are looked at."""
_SIGNS = 2
"""Of these, the most that may be one of +, /, - and _."""
_LINE = 400
"""Characters to either side in which the ends of a line written back to front are looked for, in bytes thrice that."""


@dataclass(frozen=True, slots=True)
class Run:
    """A candidate: bytes `start` to before `end` of the data."""

    encoding: Encoding
    start: int
    end: int

    def hit(self) -> Hit:
        """As the views take it."""
        return Hit(self.encoding.value, self.start, self.end - self.start)


def runs(data: bytes, turned: Sequence[Hit] = ()) -> list[Run]:
    """The candidates in `data`, in order; they may overlap, and the one that is tried first stands first. `turned` are
    the engine's hits of the rule TURNED."""
    marks = _marks(data)
    found = [*_signed(data), *_blobs(data, marks), *_spaced(data, marks.single)]
    found += _turned(data, turned)
    return sorted(found, key=lambda run: (run.start, run.start - run.end))


# ── encodings with a sign of their own ──

_ESCAPE = rb"\\(?:u(?:00[01][0-9a-f]{5}|[0-9a-f]{4}|\{[0-9a-f]{1,6}\})|x[0-9a-f]{2}|[0-3][0-7]{2})"
_ENTITY = rb"&(?:amp;){0,3}+#x?+[0-9a-f]{1,7};?+"
_SIGNED = (
    (b"\\", Encoding.ESCAPES, re.compile(_ESCAPE + rb"(?:" + _ESCAPE + rb"|\\[nrtbf\"'/\\])*+")),
    (b"%", Encoding.PERCENT, re.compile(rb"%(?:[0-9a-f]{2}(?:%[0-9a-f]{2})++|2[05]|u[0-9a-f]{4}(?:%u[0-9a-f]{4})*+)")),
    (b"&", Encoding.ENTITIES, re.compile(_ENTITY + rb"(?:" + _ENTITY + rb")*+")),
    (b"&", Encoding.ENTITIES, re.compile(rb"&(?:amp;){0,3}+(?!(?:amp|lt|gt|quot|apos|#[x0-9a-f]{1,9});)[a-z][a-z0-9]{1,31}+;")),
    (b"=", Encoding.QUOTED_PRINTABLE, re.compile(rb"=(?:(?:20|3d|09)(?=[a-z=\r\n])|[0-9a-f]{2}(?:(?:=\r?\n)?+=[0-9a-f]{2})++)")),
)
"""The sign without which there is none, and the run."""


def _signed(data: bytes) -> Iterator[Run]:
    for sign, encoding, pattern in _SIGNED:
        if sign in data:
            for match in pattern.finditer(data):
                yield Run(encoding, match.start(), match.end())


# ── what has none: classes of bytes, many at a time ──

_LETTER, _GAP, _HEX, _BETWEEN, _BLOB, _DIGIT, _FIVE, _X = (1 << bit for bit in range(8))
"""_GAP is _LETTER moved by one, _BETWEEN is _HEX, _DIGIT is _BLOB, _FIVE is _BLOB by two, and _X is
_DIGIT by two: so shifts compare them."""
_PIECE = 1 << 17
"""Bytes at a time, so that they stay in the cache."""
_OVERLAP = 32


def _class_table() -> bytes:
    table = bytearray(256)
    for letters, bit in (
        (b"abcdefghijklmnopqrstuvwxyz0123456789", _LETTER),
        (b" .-_*,/|:\t\xc2", _GAP),
        (b"0123456789abcdef", _HEX),
        (b" :-,\t\r\n", _BETWEEN),
        (b"abcdefghijklmnopqrstuvwxyz0123456789+/-_", _BLOB),
        (b"0123456789", _DIGIT),
        (b"56", _FIVE),
        (b"x", _X),
    ):
        for letter in letters:
            table[letter] |= bit
    return bytes(table)


_CLASSES = _class_table()


@dataclass(slots=True)
class _Marks:
    """Places in the data where something may begin: a run with a digit, a short one that may be Chinese, four pairs of
    hexadecimal digits, a byte as 0xNN, four single letters."""

    long: list[int]
    short: list[int]
    pairs: list[int]
    prefixed: list[int]
    single: list[int]


def _marks(data: bytes) -> _Marks:
    found = _Marks([], [], [], [], [])
    for first in range(0, len(data), _PIECE):
        for places, marks in zip(
            (found.long, found.short, found.pairs, found.prefixed, found.single), _piece(data, first), strict=True
        ):
            if marks.size:
                places.extend((marks + first).tolist())
    return found


def _piece(data: bytes, first: int) -> tuple[Places, ...]:
    """The marks in one piece, counted from its beginning. The byte before it and those after are looked at too."""
    piece = (data[first - 1 : first] or b"\n") + data[first : first + _PIECE + _OVERLAP]
    count = min(_PIECE, len(data) - first)
    piece += bytes(count + 1 + _OVERLAP - len(piece))
    classes: Classes = np.frombuffer(piece.translate(_CLASSES), dtype=np.uint8)
    here, after = classes[1:], classes[1:] >> 1
    two = here[:-1] & here[1:]
    four = two[:-2] & two[2:]
    eight = four[:-4] & four[4:]
    begins = eight[:count] & (classes[:count] ^ np.uint8(0xFF))
    digit = after[:-1] | after[1:]
    for step in (2, 4, 8, 16):
        digit = digit[:-step] | digit[step:]
    long = _where(begins & four[8 : 8 + count], _BLOB)
    long = long[((digit[long] & _BLOB) != 0) | _without_digits(piece, long)] if long.size else long
    short = begins & (after[:count] >> 1)
    pair = two[:-1] & after[2:]  # two digits, then what stands between
    pair = pair[:-3] & pair[3:]
    pairs = pair[:count] & two[6 : 6 + count]
    prefixed = (here[:count] << 2) & here[1 : count + 1]  # a digit, then x
    single = _where(here[:-1] & after[1:] & np.invert(classes[:-2]), _LETTER)  # a letter between signs
    single = single[:-3][single[3:] - single[:-3] <= _REACH]
    return long, _where(short, _BLOB), _where(pairs, _HEX), _where(prefixed, _X), single[single < count]


def _without_digits(piece: bytes, places: Places) -> Bools:
    """Whether what begins there may be base64 that has no digit for long: of ASCII in UTF-16, where every second byte is
    0; of a number, whose bytes are all alike; of \\u00 in a row. (The expression for it is _WITHOUT_DIGITS.)"""
    letters = np.frombuffer(piece, dtype=np.uint8)[1:][places[:, None] + np.arange(8)]
    utf_16 = (letters[:, (4, 7)] == ord("a")).all(axis=1)
    number = (_IN_NUMBERS[letters[:, (0, 4)]] == 1).all(axis=1) & (_IN_NUMBERS[letters[:, (1, 5)]] == 2).all(axis=1)
    escape = (letters[:, :4] == list(b"xhuw")).all(axis=1)
    return np.asarray(utf_16 | number | escape, dtype=np.bool_)


_IN_NUMBERS = np.zeros(256, dtype=np.uint8)
_IN_NUMBERS[list(b"mno")], _IN_NUMBERS[list(b"dtjz")] = 1, 2


_NONE: Places = np.zeros(0, dtype=np.int64)


def _where(classes: NDArray[Any], bit: int) -> Places:
    chosen = classes & np.uint8(bit)
    return np.flatnonzero(chosen != 0) if chosen.max(initial=0) else _NONE


# ── runs of letters and digits ──

_RUN = re.compile(rb"[a-z0-9+/_-]++")
_NUMBER = re.compile(rb"(?:0x)?(?:[2-7][0-9]){6,}+(?![0-9])")
"""A number alone can only be hexadecimal, and then says ASCII by every second digit."""
_HEX_RUN = re.compile(rb"(?:0x)?((?:[0-9a-f]{2})++)(?![0-9a-z+/_-])")
_SOME_DIGIT = re.compile(rb"[^0-9]{0,63}+[0-9]")
_WITHOUT_DIGITS = re.compile(rb"....a..a|(?:[mno][dtjz]..){2}|xhuw")
_SIGN = re.compile(rb"[+/_-]")


def _blobs(data: bytes, marks: _Marks) -> Iterator[Run]:
    end = 0
    for start in marks.long:
        if start < end:
            continue
        end = _run_end(data, start)
        start += data[start : start + 1] == b"/" and data[start + 1 : start + 2] != b"/"  # of a path
        look = data[start : min(end, start + _LOOK)]
        if look.isdigit() and data[start:end].isdigit():
            if _NUMBER.match(data, start):
                yield Run(Encoding.HEX, start, end)
        elif len(_SIGN.findall(look)) <= _SIGNS and (_SOME_DIGIT.match(data, start, end) or _WITHOUT_DIGITS.match(look)):
            end = _wrapped_end(data, start, end)
            end = _padding_end(data, end)
            if hexadecimal := _HEX_RUN.match(data, start):
                if promising(bytes.fromhex(hexadecimal[1][: 2 * _LOOK].decode())):
                    yield Run(Encoding.HEX, start, end)
            else:
                yield Run(Encoding.BASE64, start, end)
    for start in marks.short:
        if match := _SHORT_RUN.match(data, start):
            yield Run(Encoding.BASE64, start, match.end())
    yield from _short_padded(data)
    yield from _at(data, Encoding.HEX, marks.pairs, _SPACED_HEX)
    yield from _at(data, Encoding.HEX, marks.prefixed, _PREFIXED_HEX)


def _run_end(data: bytes, start: int) -> int:
    match = _RUN.match(data, start)
    return match.end() if match else start


_BREAK = re.compile(rb"[ \t]{0,4}+\r?\n[ \t>]{0,8}+(?=[a-z0-9+/_-]++={0,2}[ \t]{0,4}+(?:\r?\n|\Z))")


def _wrapped_end(data: bytes, start: int, end: int) -> int:
    """The end of a run that goes on over lines: all of one length but the last, which is shorter."""
    length = line = end - start
    while line == length >= _WRAPPED and (found := _BREAK.match(data, end)):
        line = _run_end(data, found.end()) - found.end()
        if line > length:
            break
        end = found.end() + line
    return end


def _short_padded(data: bytes) -> Iterator[Run]:
    """Base64 of two Chinese characters in GB 18030: six characters and padding."""
    for sign in _PADDING.finditer(data):
        if match := _PADDED.search(data, max(0, sign.start() - SHORTEST), _padding_end(data, sign.start())):
            yield Run(Encoding.BASE64, *match.span())


def _padding_end(data: bytes, start: int) -> int:
    return start + len(data[start : start + 2]) - len(data[start : start + 2].lstrip(b"="))


_PADDING = re.compile(rb"=(?=[=\s]|\Z)(?<=[a-z0-9+/_-]{6}=)")
_PADDED = re.compile(rb"(?<![a-z0-9+/_-])(?:[a-z0-9+/_-]{6}==|[a-z0-9+/_-]{7}=|[a-z0-9+/_-]{10}==|[a-z0-9+/_-]{11}=)\Z")
_SHORT_RUN = re.compile(rb"(?:[56][a-z0-9+/_-]{3}){2,}+(?:[a-z0-9+/_-]{2,3})?={0,2}(?![a-z0-9+/_=-])")
_PREFIXED_HEX = re.compile(rb"0x[0-9a-f]{2}(?:[, \r\n]{1,4}+0x[0-9a-f]{2}){3,}+")
_SPACED_HEX = re.compile(rb"[0-9a-f]{2}(?:(?:[ :,-]|\r?\n)[0-9a-f]{2}(?![0-9a-z])){3,}+")


def _at(data: bytes, encoding: Encoding, places: Sequence[int], pattern: re.Pattern[bytes]) -> Iterator[Run]:
    """The pattern's matches at the places, none inside another."""
    end = 0
    for start in places:
        if start >= end and (match := pattern.match(data, start)):
            end = match.end()
            yield Run(encoding, start, end)


# ── one by one ──

_SIGN_BETWEEN = rb"(?:[ .\-_*,/|:\t]|\xc2\xb7){1,3}+"
_ONE_BY_ONE = re.compile(rb"[a-z0-9](?:" + _SIGN_BETWEEN + rb"[a-z0-9](?![a-z0-9])){3,}+")
_ONE_BEFORE = re.compile(rb"(?<![a-z0-9])[a-z0-9]" + _SIGN_BETWEEN + rb"\Z")
_REACH = 12
"""Bytes from a single letter to the third after it."""


def _spaced(data: bytes, places: Sequence[int]) -> Iterator[Run]:
    """Four in a row with a few signs between them, and what goes on like that to either side."""
    end = 0
    for place in places:
        if place < end:
            continue
        start = place
        while before := _ONE_BEFORE.search(data, max(end, start - 8), start):
            start = before.start()
        if match := _ONE_BY_ONE.match(data, start):
            end = match.end()
            yield Run(Encoding.SPACED, start, end)


# ── Chinese numerals ──

_EVERY = 4
_NUMERALS = 11
_NUMERAL_RUN = re.compile(rf"[{NUMERALS}](?:[{NUMERALS}]|[ -](?=[{NUMERALS}x])){{10,}}+x?")


@cache
def _numeral_table() -> Bools:
    table = np.zeros(1 << 16, dtype=np.bool_)
    table[[ord(numeral) for numeral in NUMERALS]] = True
    return table


def numerals(folded: str) -> Iterator[tuple[int, int]]:
    """Runs of eleven or more in a folded text, from and to. One character of _EVERY is looked at."""
    if len(folded) < _NUMERALS or folded.isascii():
        return
    codes = np.frombuffer(folded.encode("utf-16-le"), dtype=np.uint16)
    if codes.size != len(folded):  # characters beyond the first plane are two units each
        codes = np.frombuffer(folded.encode("utf-32-le"), dtype=np.uint32).astype(np.uint16)
    seen, step = _numeral_table()[codes[::_EVERY]], _EVERY
    end = 0
    for place in (np.flatnonzero(seen[:-1] & seen[1:]) * step).tolist():
        if place >= end and (found := _NUMERAL_RUN.search(folded, max(end, place - 2 * step), place + 2 * step + 16)):
            found = _NUMERAL_RUN.match(folded, found.start()) or found
            end = found.end()
            yield found.start(), end


# ── Chinese set apart ──

_SIGN_APART = r"(?:[^\w★☆\n]|_|\n(?!\s{0,16}\n)){1,16}+"
_ONE = r"(?:[0-9]{1,4}|[^\W0-9_]|[★☆])(?![^\W_]|[★☆])"
_SET_APART = re.compile(r"(?:[^\W_]|[★☆])(?:" + _SIGN_APART + _ONE + r"){3,}+")


def set_apart(text: str, folded: Folded) -> Iterator[tuple[int, int]]:
    """Where in a text characters stand one by one, by what folding took from between them, twice in a row."""
    if folded.origin is None or folded.origin.size < 4 or folded.origin[-1] - folded.origin[0] < folded.origin.size + 1:
        return
    gap = np.diff(folded.origin) > 1
    end = 0
    for place in folded.origin[np.flatnonzero(gap[:-1] & gap[1:])].tolist():
        if place >= end and (found := _SET_APART.match(text, place)):
            end = found.end()
            yield place, end


# ── back to front ──

_SURE = (
    *(
        "绝密",
        "机密",
        "秘密",
        "商密",
        "密级",
        "内部资料",
        "内部文件",
        "身份证",
        "证件号",
        "手机号",
        "电话:",
        "银行卡",
        "护照号",
        "信用代码",
    ),
    *(
        "实发工资",
        "合同编号",
        "花名册",
        "客户名称",
        "密码:",
        "secret",
        "confidential",
        "restricted",
        "internal",
        "password",
        "passport",
    ),
)
"""Words that the line of a text written back to front is known by, each alone."""
_LIKELY = (
    *(
        "公司",
        "我们",
        "工作",
        "管理",
        "客户",
        "信息",
        "文件",
        "资料",
        "合同",
        "项目",
        "产品",
        "技术",
        "战略",
        "计划",
        "统计",
        "数据",
    ),
    *(
        "组织",
        "方案",
        "报告",
        "会议",
        "工资",
        "财务",
        "预算",
        "采购",
        "员工",
        "甲方",
        "名单",
        "供应",
        "姓名",
        "电话",
        "手机",
        "银行",
    ),
)
"""Frequent words: a line holds two of them back to front, and more of them so than as they should be."""


TURNED = "dlp_turned"
"""The rule that finds these words; it stands with the signatures' so that one scan asks all."""


def source() -> str:
    """The source of the rule TURNED."""
    words = [f'$s{place} = "{word[::-1]}"' for place, word in enumerate(_SURE)]
    words += [f'$l{place} = "{word[::-1]}"' for place, word in enumerate(_LIKELY)]
    return f"rule {TURNED} {{ strings: {' '.join(words)} condition: any of them }}"


def _turned(data: bytes, hits: Sequence[Hit]) -> Iterator[Run]:
    """Lines that hold such words."""
    end, sure, likely, start = 0, False, 0, 0
    for hit in hits:
        if hit.offset >= end:
            if _is_turned(data, start, end, sure=sure, likely=likely):
                yield Run(Encoding.TURNED, start, end)
            least = max(end, hit.offset - 3 * _LINE)
            start = max(data.rfind(b"\n", least, hit.offset) + 1, least)
            end = data.find(b"\n", hit.offset, hit.offset + 3 * _LINE)
            end = end if end >= 0 else min(len(data), hit.offset + 3 * _LINE)
            sure, likely = False, 0
        sure, likely = sure or hit.string.startswith("s"), likely + hit.string.startswith("l")
    if _is_turned(data, start, end, sure=sure, likely=likely):
        yield Run(Encoding.TURNED, start, end)


def _is_turned(data: bytes, start: int, end: int, *, sure: bool, likely: int) -> bool:
    if likely < 2 and not sure:
        return False
    return sure or sum(data.count(word, start, end) for word in _FORWARD) < likely


_FORWARD = tuple(word.encode() for word in _LIKELY)
