"""Templates of notices: text files with placeholders, filled with values that can be nothing but text.

The first line is the mail's subject, what follows its text. `$name` and `${name}` stand for a value, `$$` for a dollar sign;
there is nothing else, so that a template computes nothing and a value is never looked into for placeholders. A line of which
every placeholder is empty is left out; a line with one of `MANY` stands once for each of its values.
"""

import difflib
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from string import Template as Text
from typing import Literal

from dlp.errors import ConfigError, Fault
from dlp.notify.notices import Language

Kind = Literal["sender", "security"]
KINDS: tuple[Kind, ...] = ("sender", "security")

_BOTH = ("incident", "action", "outcome", "when", "organisation")
_MAIL = ("sender", "user", "peer", "queue_id", "recipients")
_FILE = ("path", "owner", "device")
ONE: Mapping[Kind, frozenset[str]] = {
    "sender": frozenset({*_BOTH, "advice", "subject"}),
    "security": frozenset({*_BOTH, *_MAIL, *_FILE, "level", "channel", "size", "quarantine", "approvers"}),
}
"""Placeholders that stand for one value, or for none."""
MANY: Mapping[Kind, frozenset[str]] = {
    "sender": frozenset({"recipient"}),
    "security": frozenset({"finding", "why", "unread", "rule", "reason"}),
}
"""Placeholders that stand for any number of values."""
LONGEST = 1000
"""Characters of one value at the most."""


@dataclass(frozen=True, slots=True)
class Template:
    """One file, checked: its first line and the lines of its text."""

    kind: Kind
    subject: str
    lines: tuple[str, ...]

    def filled(self, values: Mapping[str, Sequence[str]]) -> tuple[str, str]:
        """Subject and text. `values` has one or no value for each placeholder of `ONE` and any number for those of `MANY`."""
        clean = {name: [text for one in several if (text := line_of(one))] for name, several in values.items()}
        made = [line for template in self.lines for line in self._lines(template, clean)]
        return line_of(_filled(self.subject, clean)), "\n".join(made) + "\n"

    def _lines(self, template: str, values: Mapping[str, Sequence[str]]) -> Iterator[str]:
        names = Text(template).get_identifiers()
        many = next((name for name in names if name in MANY[self.kind]), None)
        if many is not None:
            yield from (_filled(template, {**values, many: [one]}) for one in values[many])
        elif not names or any(values[name] for name in names):
            yield _filled(template, values)


def _filled(template: str, values: Mapping[str, Sequence[str]]) -> str:
    return Text(template).substitute({name: one[0] if one else "" for name, one in values.items()})


def line_of(value: str) -> str:
    """`value` on one line, without anything that would end it, hide in it, turn its direction, or be decoded in a header."""
    shown = "".join(" " if unicodedata.category(one)[0] == "C" or one in "\u2028\u2029" else one for one in value[:LONGEST])
    return " ".join(shown.replace("=?", "= ?").split())


def load_templates(folder: Path, languages: Sequence[Language]) -> dict[tuple[Kind, Language], Template]:
    """The files `sender.en.txt`, `security.zh.txt` … of these languages in `folder`. Raises ConfigError with every fault."""
    faults: list[Fault] = []
    made = {(kind, language): _load(folder / f"{kind}.{language}.txt", kind, faults) for kind in KINDS for language in languages}
    if faults:
        raise ConfigError(faults)
    return made


def _load(path: Path, kind: Kind, faults: list[Fault]) -> Template:
    text = _read(path, faults)
    subject, *lines = text.splitlines() or [""]
    while lines and not lines[0].strip():
        del lines[0]
    if text and (not subject.strip() or not lines):
        faults.append(Fault(str(path), "", "has no subject or no text", "write the subject in the first line, the text below it"))
    for number, line in enumerate(text.splitlines(), 1):
        allowed = ONE[kind] if number == 1 else ONE[kind] | MANY[kind]
        faults += [Fault(str(path), f"line {number}", what, remedy) for what, remedy in _wrong(line, kind, allowed)]
    return Template(kind=kind, subject=subject, lines=tuple(lines))


def _read(path: Path, faults: list[Fault]) -> str:
    remedy = "copy the shipped notices there and change them, or leave notify.templates out"
    try:
        text = path.read_text("utf-8-sig")
    except FileNotFoundError:
        faults.append(Fault(str(path), "", "no such file", remedy))
    except OSError as error:
        faults.append(Fault(str(path), "", f"cannot be read: {error.strerror}", "check its permissions"))
    except UnicodeDecodeError:
        faults.append(Fault(str(path), "", "is not UTF-8", "save it as UTF-8"))
    else:
        if not text.strip():
            faults.append(Fault(str(path), "", "is empty", remedy))
        return text
    return ""


def _wrong(line: str, kind: Kind, allowed: frozenset[str]) -> Iterator[tuple[str, str]]:
    """What is wrong in one line, and what to do about it."""
    if not Text(line).is_valid():
        yield "has a $ that begins no placeholder", "write $$ for a dollar sign"
        return
    names = Text(line).get_identifiers()
    for name in names:
        if name not in allowed:
            close = difflib.get_close_matches(name, allowed, n=1)
            hint = f"did you mean ${close[0]}? " if close else ""
            yield f"unknown placeholder ${name}", f"{hint}known here: {', '.join(f'${one}' for one in sorted(allowed))}"
    if len(many := [name for name in names if name in MANY[kind]]) > 1:
        yield f"has {' and '.join(f'${name}' for name in many)}, each of which repeats the line", "give each a line of its own"
