"""What the verbs share: the options every verb has, and the two ways to print, tables for people and lines of JSON."""

import json
import os
import pwd
import struct
import sys
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from dlp import config
from dlp.config import Configuration, load_configuration
from dlp.errors import DLPError, Fault
from dlp.explain import Explain
from dlp.model import Envelope, Finding, Origin, Unscannable

ConfigOption = Annotated[
    Path | None,
    typer.Option(
        "--config", metavar="FILE", help="Configuration (default: /etc/dlp/dlp.toml, else the checkout's config/dlp.toml)."
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="One JSON object a line.")]

LEVEL_STYLE = {"block": "bold red", "quarantine": "yellow", "alert": "cyan", "allow": "green"}
"""Colours of the actions; NO_COLOR turns them off (no-color.org)."""


def configuration_file(named: Path | None) -> Path:
    """The file that was named, else the default one."""
    return named or config.find()


def configuration(named: Path | None) -> Configuration:
    """The configuration in force. Raises ConfigError."""
    return load_configuration(configuration_file(named))


def printable(text: str) -> str:
    """`text` without what a terminal would obey or UTF-8 cannot hold: names of files and members are strangers' words."""
    return "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in text.encode("utf-8", "backslashreplace").decode())


def print_json(value: Mapping[str, Any]) -> None:
    """One object, one line, on standard output. What is not UTF-8 or a terminal would obey comes as a \\uXXXX escape."""
    text = json.dumps(value, ensure_ascii=False, default=_plain)
    if not _encodable(text):
        text = json.dumps(value, ensure_ascii=True, default=_plain)
    sys.stdout.write("".join(c if c.isprintable() else _escaped(c) for c in text) + "\n")


def _escaped(character: str) -> str:
    """RFC 8259, section 7: its UTF-16 units."""
    units = character.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{unit:04x}" for unit in struct.unpack(f">{len(units) // 2}H", units))


def _encodable(text: str) -> bool:
    try:
        text.encode(sys.stdout.encoding or "utf-8")
    except UnicodeEncodeError:
        return False
    return True


def _plain(value: object) -> object:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Path):
        return str(value)
    raise TypeError(type(value).__name__)


def print_table(columns: Sequence[str], rows: Iterable[Sequence[str]], *, empty: str) -> None:
    """An aligned table on standard output; `empty` where there are no rows. A cell that names an action is coloured."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*(styled(cell) for cell in row))
    console = Console(highlight=False, width=None if sys.stdout.isatty() else 200)
    console.print(table if table.row_count else empty)


def print_fields(fields: Mapping[str, Any]) -> None:
    """Names and values, a line each, aligned."""
    console, width = Console(highlight=False, soft_wrap=True), max(map(len, fields))
    for name, value in fields.items():
        text = ", ".join(map(str, value)) if isinstance(value, list) else "" if value is None else str(value)
        console.print(f"[bold]{name:<{width}}[/]  {styled(text)}")
    console.print()


def styled(cell: str) -> str:
    """`cell` safe for rich, coloured if it is an action."""
    text = printable(cell).replace("[", r"\[")
    return f"[{LEVEL_STYLE[cell]}]{text}[/]" if cell in LEVEL_STYLE else text


def print_error(text: str) -> None:
    """One line on standard error."""
    Console(stderr=True, highlight=False, soft_wrap=True).print("[bold red]dlp:[/] " + styled(text))


def styled_line(text: str) -> None:
    """One line on standard output, safe for a terminal."""
    Console(highlight=False, soft_wrap=True).print(styled(text))


def print_fault(fault: Fault, *, warning: bool = False, json: bool) -> None:
    """A fault of the operator's files on standard error, a warning on standard output, either as JSON if asked."""
    severity = "warning" if warning else "fault"
    if json:
        facts = {"where": fault.where, "key": fault.key, "what": fault.what, "remedy": fault.remedy}
        print_json({"severity": severity} | facts)
    elif warning:
        styled_line(f"warning: {fault}")
    else:
        print_error(str(fault))


def actor() -> str:
    """Who gives the command, for the audit log: the login that sudo remembers, else the user, by name or number."""
    name = os.environ.get("SUDO_USER", "")
    if name:
        return name
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return f"uid:{os.getuid()}"


def origin_json(origin: Origin) -> dict[str, Any]:
    """An origin as the contract prints it."""
    if isinstance(origin, Envelope):
        return {
            "peer": origin.peer,
            "user": origin.user,
            "sender": origin.sender,
            "recipients": list(origin.recipients),
            "subject": origin.subject,
            "queue_id": origin.queue_id,
        }
    return {"path": origin.path, "volume": origin.volume, "owner": origin.owner, "device": origin.device}


def origin_line(origin: Origin) -> str:
    """An origin in a table's cell."""
    if isinstance(origin, Envelope):
        return f"{origin.sender or '<>'} → {', '.join(origin.recipients)}"
    return origin.path


def finding_json(finding: Finding, explain: Explain) -> dict[str, Any]:
    """A finding as the contract prints it, the facts the signature states of it, and why it is one, a sentence a language."""
    return {
        "signature": finding.signature,
        "category": finding.category,
        "level": finding.level,
        "confidence": finding.confidence,
        "count": finding.count,
        "trail": list(finding.trail),
        "zone": finding.zone.value,
        "excerpt": finding.excerpt,
        "offset": finding.offset,
        "mode": finding.mode.value,
        "facts": dict(finding.facts),
        "why": explain.why(finding),
    }


def unscannable_json(place: Unscannable) -> dict[str, Any]:
    """An unscannable as the contract prints it, with the detail for a person."""
    return {"trail": list(place.trail), "why": place.why.value, "detail": place.detail}


def when(moment: datetime | None) -> str:
    """A time in a table's cell: local, to the second."""
    return moment.astimezone().strftime("%Y-%m-%d %H:%M:%S") if moment else ""


class NotFound(DLPError):
    """An id that names nothing."""

    def __init__(self, kind: str, identity: str, verb: str) -> None:
        super().__init__(f"no {kind} has the id {identity!r}; `{verb}` lists them")
