"""Source code, told by how many lines of a window are code and by how many different constructs they hold.

Code under an open licence is meant to be seen and is none of ours; a header that claims the code lowers what is asked.
"""

import re
from collections.abc import Mapping
from types import MappingProxyType

from dlp.detect.content_table import OPEN_LICENCE, PROPRIETARY
from dlp.detect.evidence import Candidate, Judgement, Validator
from dlp.model import Zone

_REACH = 4000
"""Characters after the anchor that are looked at."""
_HEAD = 3000
"""Characters of the part's beginning in which a licence or a claim is looked for."""
_CODE_LINES = 20
_CLAIMED_LINES = 6
_DENSITY = 0.6

_CONSTRUCTS: Mapping[str, re.Pattern[str]] = MappingProxyType(
    {
        "import": re.compile(
            r"^\s*(?:#\s*include\s*[<\"]|import\s+[\w.{*]|from\s+[\w.]+\s+import\s|using\s+[\w.]+;|package\s+[\w.]+;?$|require\(|use\s+[\w:]+;)"
        ),
        "function": re.compile(
            r"^\s*(?:async\s+)?(?:def\s+\w+\s*\(|func(?:tion)?\s+[\w(]|fn\s+\w+|sub\s+\w+\s*\{"
            r"|(?:(?:public|private|protected|static|final|virtual|override|inline|const|unsigned)\s+)+[\w<>\[\],\s*&:]+\("
            r"|(?:int|void|char|bool|double|float|long|size_t|string|auto)\s+\*?[\w:]+\s*\([^;]*\)?\s*\{?$)"
        ),
        "type": re.compile(
            r"^\s*(?:(?:public|private|protected|abstract|final|export|default|static)\s+)*"
            r"(?:class|interface|struct|enum|trait|impl|namespace|typedef|template\s*<)\b.*[{:;>(]?\s*$"
        ),
        "branch": re.compile(
            r"^\s*(?:\}?\s*else\b|(?:el)?(?:se\s+)?if\b.*[:{)]\s*$|for\b.*[:{)]\s*$|while\b.*[:{)]\s*$|switch\s*\(|case\s.+:|try\s*[:{]|\}?\s*(?:catch|except)\b)"
        ),
        "return": re.compile(r"^\s*(?:return\b.*[;\w)\]}'\"]|break;?$|continue;?$|throw\s|raise\s|yield\s)"),
        "assignment": re.compile(
            r"^\s*(?:(?:let|const|var|auto|final|static|my|int|long|double|float|char|bool|string)\s+)?[\w.$\[\]>*&:<,\s-]{1,60}\s*[-+*/|&]?:?=\s*\S.*[;\w)\]}'\",{(\[\\]\s*$"
        ),
        "call": re.compile(r"^\s*[\w.$>:-]+\(.*\)?\s*[;,{]?\s*$"),
        "brace": re.compile(r"^\s*[{}()\[\]]+[;,)]*\s*$"),
        "comment": re.compile(r"^\s*(?://|/\*|\*/|\*\s|#\s|#!|--\s|\"\"\")"),
        "macro": re.compile(r"^\s*(?:#\s*(?:define|ifdef|ifndef|if|endif|pragma|undef)\b|@\w+)"),
    }
)
_STRUCTURAL = frozenset({"import", "function", "type", "branch", "return", "assignment", "call", "macro"})
_OPEN = re.compile(OPEN_LICENCE)
_CLAIMED = re.compile(PROPRIETARY)
_READ = frozenset({Zone.BODY, Zone.TEXTBOX, Zone.NOTE, Zone.COMMENT})


def _construct(line: str) -> str:
    return next((name for name, pattern in _CONSTRUCTS.items() if pattern.match(line)), "")


def _judged(candidate: Candidate, least: int, *, claimed: bool) -> Judgement | None:
    text, start = candidate.text, candidate.start
    if candidate.part.zone not in _READ or text.rfind(candidate.match, max(0, start - _HEAD), start) >= 0:
        return None
    head = f"{text[:_HEAD]}\n{text[max(0, start - _HEAD) : start]}".lower()
    if _OPEN.search(head) or (claimed and not _CLAIMED.search(head)):
        return None
    lines = [line[:200] for line in text[max(0, start - 400) : candidate.end + _REACH].splitlines() if line.strip()]
    kinds = [kind for line in lines if (kind := _construct(line))]
    structural = _STRUCTURAL.intersection(kinds)
    code = sum(1 for kind in kinds if kind in _STRUCTURAL)
    if code < least or len(kinds) < _DENSITY * len(lines) or len(structural) < 4:
        return None
    return Judgement(value="code", confidence=min(99, 70 + len(kinds) // 4), facts={"lines": str(len(kinds))})


def source_code(candidate: Candidate) -> Judgement | None:
    """Twenty lines of four different constructs, six in ten of all lines, without an open licence above them."""
    return _judged(candidate, _CODE_LINES, claimed=False)


def proprietary_source(candidate: Candidate) -> Judgement | None:
    """A few lines of code under a header that claims them."""
    return _judged(candidate, _CLAIMED_LINES, claimed=True)


CODE_VALIDATORS: Mapping[str, Validator] = MappingProxyType(
    {"source_code": source_code, "proprietary_source": proprietary_source}
)
"""Validators by the name that a signature's meta gives."""
