"""Adds a near miss to a file of cases, and leaves every other byte of it as it is: people write comments there.

Only the block form is edited; where a list is written as `[…]`, the person is told. Whoever calls reads the result back
(`dlp.detect.cases.read_cases`) before it takes the file's place.
"""

import re

from dlp.detect.cases import NEAR_MISSES
from dlp.model import Zone


def example(text: str, zone: Zone) -> str:
    """One example in YAML, on one line."""
    if zone is Zone.FILENAME:
        return f"{{name: {quoted(text)}}}"
    return quoted(text) if zone is Zone.BODY else f"{{text: {quoted(text)}, zone: {zone.value}}}"


def quoted(text: str) -> str:
    """A double-quoted scalar (YAML 1.1, section 5.7); what a person could not see is escaped."""
    return '"' + "".join(_escaped(letter) for letter in text) + '"'


def _escaped(letter: str) -> str:
    if letter in '"\\':
        return "\\" + letter
    if letter == "\n":
        return "\\n"
    if letter.isprintable():
        return letter
    code = ord(letter)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def with_near_miss(source: str, signature: str, line: str) -> str:
    """`source` with one more near miss of `signature`. Raises ValueError where its list is not in block form."""
    lines = source.splitlines(keepends=True)
    if lines and not lines[-1].endswith("\n"):
        lines[-1] += "\n"
    head = _find(lines, rf"{re.escape(signature)}\s*:\s*(?:#.*)?$", 0, len(lines))
    if head is None:
        if any(re.match(rf"[\"']?{re.escape(signature)}[\"']?\s*:", one) for one in lines):
            raise ValueError(f"the cases of {signature} are not in block form: write hits and near_misses below it, indented")
        return "".join([*lines, f"{signature}:\n  {NEAR_MISSES}:\n    - {line}\n"])
    end = next((place for place in range(head + 1, len(lines)) if re.match(r"[^\s#]", lines[place])), len(lines))
    place = _find(lines, rf"\s+{NEAR_MISSES}\s*:\s*(?:#.*)?$", head + 1, end)
    if place is None:
        if _find(lines, rf"\s+{NEAR_MISSES}\s*:", head + 1, end) is not None:
            raise ValueError(f"near_misses of {signature} is not in block form: write each below it, after a dash")
        indent = _indent(lines[head + 1 : end], default="  ")
        return "".join([*lines[: head + 1], f"{indent}{NEAR_MISSES}:\n{indent}  - {line}\n", *lines[head + 1 :]])
    outer = _indent([lines[place]], default="")
    first = next((one for one in lines[place + 1 : end] if one.strip() and not one.lstrip().startswith("#")), "")
    indent = _indent([first], default="") if first.lstrip().startswith("-") else outer + "  "
    return "".join([*lines[: place + 1], f"{indent}- {line}\n", *lines[place + 1 :]])


def _find(lines: list[str], pattern: str, first: int, end: int) -> int | None:
    return next((place for place in range(first, end) if re.match(pattern, lines[place])), None)


def _indent(lines: list[str], *, default: str) -> str:
    written = next((one for one in lines if one.strip() and not one.lstrip().startswith("#")), "")
    return written[: len(written) - len(written.lstrip())] or default
