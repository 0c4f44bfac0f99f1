"""`dlp register codenames`: real names and their codes."""

import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from dlp import columns
from dlp.cli import tables
from dlp.cli.common import ConfigOption, JsonOption, NotFound, actor, configuration, print_json, styled_line
from dlp.cli.register_common import Change, Identities, changed, last_moment, level_of, listed, owner_of, record, removed
from dlp.config import Configuration
from dlp.detect.codenames import KIND, MOST_PAIRS, NameList, entries, letters, opened, too_short
from dlp.detect.codenames_lint import Weakness, weaknesses
from dlp.detect.keyed import sealed
from dlp.errors import ConfigError
from dlp.instance import now
from dlp.store.ids import new_id
from dlp.store.register import Entry

app = typer.Typer(help="Real names that have a code, and public terms that need none.", no_args_is_help=True)

_ENGLISH = "name names real realname realnames code codes codename codenames term terms public publicterms"
_CHINESE = "名称 真实名称 真名 品名 原料 原料名称 项目 项目名称 代号 代码 编码 公开名称 公开术语 术语"
_HEADINGS = frozenset((*_ENGLISH.split(), *map(letters, _CHINESE.split())))
"""First rows of these words are a heading."""


@app.command()
def add(
    names: Annotated[
        list[str],
        typer.Argument(metavar="FILE | REAL CODE…", help="A CSV of two columns, or pairs; with --public: one column, or terms."),
    ],
    owner: Annotated[str, typer.Option(help="Who answers for the list.")],
    level: Annotated[str | None, typer.Option(help="How secret a real name is, by the active profile.")] = None,
    title: Annotated[str, typer.Option(help="What people see in findings.")] = "",
    forbidden: Annotated[
        bool, typer.Option("--real-name-forbidden/--pair-only", help="Whether a real name alone is a finding.")
    ] = True,
    public: Annotated[bool, typer.Option("--public", help="These are public terms, which are no real names.")] = False,
    expires: Annotated[str | None, typer.Option(metavar="YYYY-MM-DD", help="The last day it is looked for.")] = None,
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Declare real names with their codes. They are kept sealed; codes that can be guessed are warned of.

    Prefer a file: what is typed stays in the shell's history.
    """
    loaded, owner = configuration(config), owner_of(owner)
    if (level is None) is not public:
        raise typer.BadParameter("real names need a level, public terms have none", param_hint="--level")
    rows, last = _rows(loaded, names, 1 if public else 2), last_moment(expires)
    declared = NameList(
        title=title,
        level=level_of(loaded, level) if level else None,
        owner=owner,
        expires=last.isoformat() if last else None,
        forbidden=forbidden,
        pairs=[] if public else rows,
        public=[term for term, *_ in rows] if public else [],
    )
    with changed(loaded, KIND) as change:
        entry = Entry(
            id=new_id("cn", now(), os.urandom),
            kind=KIND,
            title=title,
            level=declared.level,
            owner=owner,
            expires=last,
            added=now(),
            added_by=actor(),
            size=len(rows),
            details={"finds": "public" if public else "real names and pairs" if forbidden else "pairs"},
        )
        _write(change, entry, declared)
        weak = [] if public else list(weaknesses(declared.pairs, list(_public(_lists(change.folder, change.key)))))
    _tell(entry, weak, json=json)


def _write(change: Change, entry: Entry, declared: NameList) -> None:
    """Add a sealed list to the others and put it in force, recorded before."""
    kept = entries(columns.facts(change.folder))
    record(change.stores, "register-added", entry)
    change.stores.register.add([entry])
    _commit(change.folder, kept | {entry.id: sealed(change.key, asdict(declared), entry.id)})


def _commit(folder: Path, lists: Mapping[str, str]) -> None:
    columns.Draft(folder, columns.opened(folder)).commit({"lists": dict(lists)})


def _rows(loaded: Configuration, names: Sequence[str], width: int) -> list[tuple[str, ...]]:
    """The file's rows or the words given, checked. Raises ConfigError, typer.BadParameter."""
    file = Path(names[0])
    if len(names) == 1 and (file.suffix.lower() in (".csv", ".tsv", ".txt", *tables.WORKBOOKS) or file.is_file()):
        rows, where = _file_rows(loaded, file, width), str(file)
    else:
        if len(names) % width:
            raise typer.BadParameter("give a code for each real name, or a file", param_hint="REAL CODE…")
        rows, where = [tuple(names[at : at + width]) for at in range(0, len(names), width)], "REAL CODE…"
    if not rows or len(rows) > MOST_PAIRS:
        raise ConfigError.single(where, "", f"has {len(rows)} names", f"declare from 1 to {MOST_PAIRS:,} at a time")
    for number, (name, *codes) in enumerate(rows, start=1):
        if too_short(name) or any(code and len(letters(code)) < 2 for code in codes):
            what = "is too short: it would be found everywhere"
            raise ConfigError.single(where, f"row {number}", what, "three letters or digits, two if Chinese; two for a code")
    return rows


def _file_rows(loaded: Configuration, file: Path, width: int) -> list[tuple[str, ...]]:
    with tables.opened(file, loaded) as sheet:
        rows = [sheet.heading, *(row for batch in sheet.batches for row in batch)]
    if all(letters(cell) in _HEADINGS for cell in rows[0][:width]):
        rows = rows[1:]
    return [tuple(cell.strip() for cell in (*row, "")[:width]) for row in rows]


def _lists(folder: Path, key: bytes) -> dict[str, NameList]:
    return {name: opened(folder, key, name, text) for name, text in entries(columns.facts(folder)).items()}


def _public(lists: Mapping[str, NameList]) -> Iterator[str]:
    for one in lists.values():
        yield from one.public


def _tell(entry: Entry, weak: Sequence[Weakness], *, json: bool) -> None:
    if json:
        print_json({"id": entry.id, "names": entry.size, "weak": [asdict(one) for one in weak]})
        return
    for one in weak:
        styled_line(f"warning: {entry.id}: number {one.number}: {one.what}")
    styled_line(f"{entry.id}: {entry.size} {'public terms' if entry.level is None else 'names'}")


@app.command("list")
def list_(config: ConfigOption = None, json: JsonOption = False) -> None:
    """All declared lists, oldest first; none of their names."""
    listed(configuration(config), KIND, json=json, in_force=_in_force, details=("finds",))


def _in_force(folder: Path) -> list[str]:
    return list(entries(columns.facts(folder)))


@app.command()
def lint(
    identities: Annotated[list[str] | None, typer.Argument(metavar="[ID]…", help="Lists (default: all).")] = None,
    config: ConfigOption = None,
    json: JsonOption = False,
) -> int:
    """Name the codes that can be guessed, by their numbers in their lists. Exit status 1 if there are any."""
    with changed(configuration(config), KIND) as change:
        lists = _lists(change.folder, change.key)
    unknown = [identity for identity in identities or () if identity not in lists]
    if unknown:
        raise NotFound("list", unknown[0], f"dlp register {KIND} list")
    public, found = list(_public(lists)), 0
    for identity in identities or lists:
        for one in weaknesses(lists[identity].pairs, public):
            found += 1
            if json:
                print_json({"entry": identity, **asdict(one)})
            else:
                styled_line(f"{identity}: number {one.number}: {one.what}")
    if not json:
        styled_line(f"{found} weaknesses.")
    return 1 if found else 0


@app.command()
def remove(identities: Identities, config: ConfigOption = None) -> None:
    """Look for these names no longer."""
    removed(configuration(config), KIND, identities, _without)


def _without(folder: Path, gone: Collection[str]) -> None:
    _commit(folder, {name: text for name, text in entries(columns.facts(folder)).items() if name not in gone})
