"""Where in a text something may stand encoded: candidates, found cheaply in the folded UTF-8 that the engine scans.

Nearly every text holds none, so what finds them has to cost next to nothing: searches for one byte where an
encoding has a sign of its own (%, &, a backslash), and where it has not, searches in a copy whose every byte is made the
letter of its kind (bytes.translate). Folded text is small letters and half width; what a run says is read from the original.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from dlp.detect.decode_text import NUMERALS, Encoding, promising
from dlp.detect.engine import Hit
from dlp.detect.normalise import Folded

Bools = NDArray[np.bool_]

SHORTEST = 12
"""Characters of base64 and hexadecimal digits from which a run is looked at; eight, if it begins as Chinese in UTF-8 does."""
_SHORTEST_RUN = b"a" * SHORTEST
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
    found = [*_signed(data), *_blobs(data), *_spaced(data), *_turned(data, turned)]
    return sorted(found, key=lambda run: (run.start, run.start - run.end))


# ── encodings with a sign of their own ──

_ESCAPE = rb"\\(?:u(?:00[01][0-9a-f]{5}|[0-9a-f]{4}|\{[0-9a-f]{1,6}\})|x[0-9a-f]{2}|[0-3][0-7]{2})"
_ENTITY = rb"&(?:amp;){0,3}+#x?+[0-9a-f]{1,7};?+"
_NAMED = rb"&(?:amp;){0,3}+(?!(?:amp|lt|gt|quot|apos);)[a-z][a-z0-9]{1,31}+;"
_SIGNED = (
    (b"\\", Encoding.ESCAPES, re.compile(_ESCAPE + rb"(?:" + _ESCAPE + rb"|\\[nrtbf\"'/\\])*+")),
    (b"%", Encoding.PERCENT, re.compile(rb"%(?:[0-9a-f]{2}(?:%[0-9a-f]{2})++|2[05]|u[0-9a-f]{4}(?:%u[0-9a-f]{4})*+)")),
    (b"&", Encoding.ENTITIES, re.compile(_ENTITY + rb"(?:" + _ENTITY + rb")*+|" + _NAMED)),
    (b"=", Encoding.QUOTED_PRINTABLE, re.compile(rb"=(?:(?:20|3d|09)(?=[a-z=\r\n])|[0-9a-f]{2}(?:(?:=\r?\n)?+=[0-9a-f]{2})++)")),
)
"""The sign that each begins with, and the run."""
_RARE = 2_000
"""Bytes to a sign from which searching for it and looking there is faster than the expression."""


def _signed(data: bytes) -> Iterator[Run]:
    for sign, encoding, pattern in _SIGNED:
        for match in _matches(data, sign, pattern):
            yield Run(encoding, match.start(), match.end())


def _matches(data: bytes, sign: bytes, pattern: re.Pattern[bytes]) -> Iterator[re.Match[bytes]]:
    """All matches of a pattern that begins with `sign`."""
    at, left = data.find(sign), len(data) // _RARE + 8
    while at >= 0 and left:
        left -= 1
        if found := pattern.match(data, at):
            yield found
        at = data.find(sign, found.end() if found else at + 1)
    if at >= 0:
        yield from pattern.finditer(data, at)


# ── encodings with none: each byte made a letter for what it may be part of, and searches for a few such letters ──

_DIGITS = b"0123456789"
_WORD = b"abcdefghijklmnopqrstuvwxyz" + _DIGITS
_ALPHABET = _WORD + b"+/-_"


def _classes(*members: tuple[bytes, bytes]) -> bytes:
    """A table for bytes.translate: the letter of the last class that a byte is in, or a space."""
    table = bytearray(b" " * 256)
    for letters, name in members:
        for letter in letters:
            table[letter] = name[0]
    return bytes(table)


# ── runs of letters and digits ──

_BLOB = _classes((_ALPHABET, b"a"))
_SHORT = _classes((_ALPHABET, b"a"), (b"56", b"5"))
_PAIRS = _classes((b":-,\t\r\n ", b"-"), (_DIGITS + b"abcdef", b"h"), (b"ghijklmnopqrstuvwxyz+/_", b"x"))
_SHORT_START = re.compile(rb" 5[5a]{3}5[5a]{3}")
_PAIR_START = re.compile(rb"hh-(?=-?hh--?hh--?hh)")
_LONG = 24
"""Characters from which a run is looked at that has no digit."""
_DIGIT = re.compile(rb"[0-9]")
_RUN = re.compile(rb"[a-z0-9+/_-]++")
_NUMBER = re.compile(rb"(?:0x)?(?:[2-7][0-9]){6,}+(?![0-9])")
"""A number alone can only be hexadecimal, and then says ASCII by every second digit."""
_HEX_RUN = re.compile(rb"(?:0x)?((?:[0-9a-f]{2})++)(?![0-9a-z+/_-])")
_SOME_DIGIT = re.compile(rb"[^0-9]{0,63}+[0-9]")
_WITHOUT_DIGITS = re.compile(rb"....a..a|(?:[mno][dtjz]..){2}|xhuw")
_SIGN = re.compile(rb"[+/_-]")


def _blobs(data: bytes) -> Iterator[Run]:
    end = 0
    for start, stop in _spans(data):
        if start >= end:
            end, found = _run(data, start, stop)
            yield from found
    for short in _SHORT_START.finditer(b" " + data.translate(_SHORT)):
        if match := _SHORT_RUN.match(data, short.start()):  # the space before it stands where the run does in `data`
            yield Run(Encoding.BASE64, *match.span())
    yield from _short_padded(data)
    pairs = (pair.start() for pair in _PAIR_START.finditer(data.translate(_PAIRS)))
    yield from _at(data, Encoding.HEX, pairs, _SPACED_HEX)
    for match in _PREFIXED_HEX.finditer(data):
        yield Run(Encoding.HEX, *match.span())


def _spans(data: bytes) -> Iterator[tuple[int, int]]:
    """Runs of the alphabet that are long enough, and hold a digit or are long; from and to."""
    classes = data.translate(_BLOB)
    start = classes.find(_SHORTEST_RUN)
    while start >= 0:
        end = classes.find(b" ", start + SHORTEST)
        end = len(data) if end < 0 else end
        if end - start >= _LONG or _DIGIT.search(data, start, end):
            yield start, end
        start = classes.find(_SHORTEST_RUN, end)


def _run(data: bytes, start: int, end: int) -> tuple[int, list[Run]]:
    """What one run of letters and digits may be, and where it ends, lines that go on with it included."""
    start += data[start : start + 1] == b"/" and data[start + 1 : start + 2] != b"/"  # of a path
    look = data[start : min(end, start + _LOOK)]
    if end - start < SHORTEST or len(_SIGN.findall(look)) > _SIGNS:
        return end, []
    if look.isdigit() and data[start:end].isdigit():
        return end, [Run(Encoding.HEX, start, end)] if _NUMBER.match(data, start) else []
    if not _SOME_DIGIT.match(data, start, end) and not _WITHOUT_DIGITS.match(look):
        return end, []
    end = _padding_end(data, _wrapped_end(data, start, end))
    hexadecimal = _HEX_RUN.match(data, start)
    if not hexadecimal:
        return end, [Run(Encoding.BASE64, start, end)]
    says = promising(bytes.fromhex(hexadecimal[1][: 2 * _LOOK].decode()))
    return end, [Run(Encoding.HEX, start, end)] if says else []


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


def _at(data: bytes, encoding: Encoding, places: Iterable[int], pattern: re.Pattern[bytes]) -> Iterator[Run]:
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
_LETTERS = _classes((bytes(set(range(0x80, 0x100)) - {0xC2, 0xB7}), b"x"), (_WORD, b"w"))
"""Signs become spaces. Bytes of Chinese are none, for a space would be looked at."""
_THREE_ALONE = re.compile(rb" w (?= {0,5}w {1,6}w[ x])")


def _spaced(data: bytes) -> Iterator[Run]:
    """Letters one by one, four in a row with a few signs between them, and what goes on like that."""
    return _at(data, Encoding.SPACED, _alone(data), _ONE_BY_ONE)


def _alone(data: bytes) -> Iterator[int]:
    """Where a letter stands alone and two more after it, one by one; or the one before, if it follows upon Chinese."""
    classes = b" %b " % data.translate(_LETTERS)
    found = _THREE_ALONE.search(classes)
    while found:
        before = _ONE_BEFORE.search(data, max(0, found.start() - 8), found.start())
        yield before.start() if before else found.start()
        found = _THREE_ALONE.search(classes, found.start() + 2)


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
        sure = sure or (hit.string.startswith("s") and not _overlapped(data, hit))
        likely += hit.string.startswith("l")
    if _is_turned(data, start, end, sure=sure, likely=likely):
        yield Run(Encoding.TURNED, start, end)


def _overlapped(data: bytes, hit: Hit) -> bool:
    """Whether the word shares a character with itself as it should be: 解密 above 机密 holds 密机 once the lines are closed."""
    word = data[hit.offset : hit.offset + hit.length].decode("utf-8", "replace")[::-1].encode()
    reach = hit.length - 1
    return word in data[max(0, hit.offset - reach) : hit.offset + hit.length + reach]


def _is_turned(data: bytes, start: int, end: int, *, sure: bool, likely: int) -> bool:
    if likely < 2 and not sure:
        return False
    return sure or sum(data.count(word, start, end) for word in _FORWARD) < likely


_FORWARD = tuple(word.encode() for word in _LIKELY)
