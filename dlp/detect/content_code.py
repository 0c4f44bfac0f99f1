"""Source code, told by how many lines of a window are code and by how many different constructs they hold.

Code under an open licence is meant to be seen and is none of ours; a header that claims the code lowers what is asked.
"""

import re
from collections import Counter
from collections.abc import Mapping
from types import MappingProxyType

from dlp.detect.content_table import OPEN_LICENCE, PROPRIETARY
from dlp.detect.evidence import Candidate, Judgement, Validator
from dlp.model import Zone

_BEFORE, _REACH = 1000, 6000
"""Characters before and after the anchor that are looked at."""
_LONGEST = 160
"""Characters of a line that are looked at."""
_HEAD = 3000
"""Characters of the part's beginning in which a licence or a claim is looked for."""
_FENCE = "```"
"""Fenced code stands in documentation (CommonMark 0.31, section 4.5)."""
_CODE_LINES = 20
_CLAIMED_LINES = 6
_DENSITY = 0.6
"""Share of the window's lines that are code."""
_DIFFERENT = 4
"""Constructs that must differ."""

_CONSTRUCTS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "import": (
            "#ifupcvl",
            r"#\s*include\s*[<\"]|import\s+[\w.{*]|from\s+[\w.]+\s+import\s|using\s+[\w.]+;|package\s+[\w.]+;?$"
            r"|use\s+[\w:]+;|(?:const|var|let)\s.{1,60}require\(",
        ),
        "function": (
            "adfspvoicubl",
            r"(?:async\s+)?(?:def\s+\w+\s*\(|func(?:tion)?\s+[\w(]|fn\s+\w+|sub\s+\w+\s*\{)"
            r"|(?:(?:public|private|protected|static|final|virtual|override|inline|const|unsigned)\s+){1,4}[\w<>\[\],\s*&:]+\("
            r"|(?:int|void|char|bool|double|float|long|size_t|string|auto)\s+\*?[\w:]+\s*\([^;]*\)?\s*\{?$",
        ),
        "type": (
            "pafedscitn",
            r"(?:(?:public|private|protected|abstract|final|export|default|static)\s+){0,4}"
            r"(?:class|interface|struct|enum|trait|impl|namespace|typedef)\s[^.]*[{:;(]?\s*$",
        ),
        "branch": (
            "}eifwsct",
            r"\}?\s*else\b\s*[{:i]|(?:el|else\s+)?if\b.*[:{)]\s*$|for\b.*[:{)]\s*$|while\b.*[:{)]\s*$|switch\s*\("
            r"|case\s.+:|try\s*[:{]|\}?\s*(?:catch\s*\(|except\b.*:)",
        ),
        "return": ("rbcty", r"return\b.*[;\w)\]}'\"]$|break;?$|continue;?$|throw\s.*;$|raise\s+\w+|yield\s"),
        "assignment": (
            "",
            r"(?:(?:let|const|var|auto|final|static|my|private|int|long|double|float|char|bool|string)\s+)?"
            r"[\w.$\[\]>*&:<,-]{1,60}(?:\s[\w.$\[\]<>]{1,40})?\s*[-+*/|&]?:?=(?!=)\s*\S",
        ),
        "call": ("", r"[\w.$>:-]+\(.*\)?\s*[;,{]?\s*$"),
        "macro": ("#@", r"#\s*(?:define|ifdef|ifndef|if|endif|pragma|undef)\b|@\w+(?:\(.*\))?$"),
        "brace": ("{}()[]", r"[{}()\[\]]+[;,)]*\s*$"),
        "comment": ('/*#-"', r"//|/\*|\*/|\*\s|#\s|#!|--\s|\"\"\""),
    }
)
"""What a line of code looks like, without its indent and in small letters, in the more usual languages; the first that fits
names the line. Before each pattern the characters it may begin with, "" for any, so that few are tried on a line."""


def _trying(opening: str) -> re.Pattern[str]:
    """The constructs that may begin with this character."""
    tried = (f"(?P<{name}>{pattern})" for name, (opens, pattern) in _CONSTRUCTS.items() if not opens or opening in opens)
    return re.compile("|".join(tried))


_OPENINGS: Mapping[str, re.Pattern[str]] = {opening: _trying(opening) for opens, _ in _CONSTRUCTS.values() for opening in opens}
_ANY_OPENING = _trying("\0")
_STRUCTURAL = frozenset(_CONSTRUCTS) - {"brace", "comment"}
_OPEN = re.compile(OPEN_LICENCE)
_OPEN_WORDS = (
    *("licen", "permission is", "redistribution and", "creative commons", "public domain", "opensource", "open source"),
    *("open-source", "free software", "under the terms", "木兰", "mulan", "开源"),
)
"""Each form of OPEN_LICENCE holds one of these, and to look for them takes a third of the time."""
_CLAIMED = re.compile(PROPRIETARY)
_READ = frozenset({Zone.BODY, Zone.TEXTBOX, Zone.NOTE, Zone.COMMENT})


def source_code(candidate: Candidate) -> Judgement | None:
    """Twenty lines of four different constructs, six in ten of all lines, without an open licence above them."""
    return None if is_open(_head(candidate)) else _judged(candidate, _CODE_LINES)


def proprietary_source(candidate: Candidate) -> Judgement | None:
    """A few lines of code under a header that claims them."""
    if candidate.start > _HEAD:
        return None
    head = _head(candidate)
    return None if is_open(head) or not _CLAIMED.search(head) else _judged(candidate, _CLAIMED_LINES)


def is_open(head: str) -> bool:
    """Whether this text, in small letters, names an open licence."""
    return any(word in head for word in _OPEN_WORDS) and _OPEN.search(head) is not None


def _head(candidate: Candidate) -> str:
    """What stands at the beginning of the part and just above the anchor."""
    return f"{candidate.text[:_HEAD]}\n{candidate.text[max(_HEAD, candidate.start - _HEAD) : candidate.start]}".lower()


def _judged(candidate: Candidate, least: int) -> Judgement | None:
    if candidate.part.zone not in _READ:
        return None
    window = candidate.text[max(0, candidate.start - _BEFORE) : candidate.end + _REACH]
    if _FENCE in window:
        return None
    lines = [cut for line in window.lower().splitlines() if (cut := line[:_LONGEST].lstrip())]
    kinds: Counter[str] = Counter()
    for line, times in Counter(lines).items():  # code repeats itself
        if kind := construct(line):
            kinds[kind] += times
    structural = [times for kind, times in kinds.items() if kind in _STRUCTURAL]
    if sum(structural) < least or kinds.total() < _DENSITY * len(lines) or len(structural) < _DIFFERENT:
        return None
    return Judgement(value="code", confidence=min(99, 70 + kinds.total() // 4), facts={"lines": str(kinds.total())})


def construct(line: str) -> str | None:
    """What kind of code a line is (not empty, without its indent, in small letters); None for what is none."""
    found = _OPENINGS.get(line[0], _ANY_OPENING).match(line)
    return found.lastgroup if found else None


FIRST_OF_BLOCK: Mapping[str, int] = MappingProxyType({"source_code": 16_000})
"""Validators that are shown the first candidate alone in each block of so many bytes of a part: code has thousands."""

CODE_VALIDATORS: Mapping[str, Validator] = MappingProxyType(
    {"source_code": source_code, "proprietary_source": proprietary_source}
)
"""Validators by the name that a signature's meta gives."""
