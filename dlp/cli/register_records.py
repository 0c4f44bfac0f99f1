"""`dlp register records`: tables whose rows are to be found again."""

import os
from collections.abc import Iterator, Sequence, Set
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from dlp import columns
from dlp.cli import tables
from dlp.cli.common import ConfigOption, JsonOption, actor, configuration, print_json, styled_line
from dlp.cli.register_common import Change, Identities, changed, last_moment, level_of, listed, owner_of, record, removed
from dlp.detect.keyed import Keyed, Sums, sealed
from dlp.detect.records import KIND, Facts, entries
from dlp.detect.records_build import MOST_OTHERS, MOST_ROWS, Builder, Built, columns_of
from dlp.errors import ConfigError, DLPError
from dlp.instance import now
from dlp.store.ids import new_id
from dlp.store.register import Entry

app = typer.Typer(help="Tables whose rows are found again by their exact cells.", no_args_is_help=True)

_SHORT = 6
"""Characters: shorter primary cells turn up by chance."""
_DEAR = 16
"""Lengths of primary cells; with each more, looking takes longer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Declaration:
    """What is asked for with one table. `expires` is the end of it."""

    title: str
    level: str
    owner: str
    primary: str
    others: Sequence[str]
    least: int
    rows: int
    expires: datetime | None


@app.command()
def add(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="CSV or TSV, in UTF-8 or GB18030, or a workbook; with a heading.")],
    primary: Annotated[str, typer.Option(metavar="COLUMN", help="The column that identifies a row: a number, an account.")],
    with_: Annotated[
        list[str], typer.Option("--with", metavar="COLUMN[,COLUMN…]", help="Columns of which another cell must stand close by.")
    ],
    level: Annotated[str, typer.Option(help="How secret a row is, by the active profile.")],
    owner: Annotated[str, typer.Option(help="Who answers for the table.")],
    title: Annotated[str | None, typer.Option(help="What people see in findings (default: the file's name).")] = None,
    least: Annotated[int, typer.Option(min=1, help="Other cells that must stand by the primary one.")] = 1,
    rows: Annotated[int, typer.Option(min=1, help="Distinct rows in one item that make a finding.")] = 1,
    expires: Annotated[str | None, typer.Option(metavar="YYYY-MM-DD", help="The last day it is looked for.")] = None,
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Declare a table. The index keeps keyed hashes of its cells and nothing that can be read; the file is not kept."""
    loaded = configuration(config)
    declaration = Declaration(
        title=title or file.name,
        level=level_of(loaded, level),
        owner=owner_of(owner),
        primary=primary,
        others=[],
        least=least,
        rows=rows,
        expires=last_moment(expires),
    )
    with tables.opened(file, loaded) as sheet, changed(loaded, KIND) as change:
        places = _places(file, sheet.heading, primary, with_)
        names = [sheet.heading[place] for place in places[1:]]
        if least > len(names):
            raise typer.BadParameter(f"there are only {len(names)} other columns", param_hint="--least")
        entry, built = _added(change, replace(declaration, others=names), _columns(sheet, places))
    _tell(entry, built, sheet.broken, json=json)


def _places(file: Path, heading: Sequence[str], primary: str, others: Sequence[str]) -> list[int]:
    """Where the columns stand, the primary one first. A name with a comma in it is taken whole if the heading has it."""
    names = [primary]
    for one in others:
        names += [one] if one.strip() in heading else one.split(",")
    places = [_place(file, heading, name.strip()) for name in names]
    if len(set(places)) != len(places):
        raise ConfigError.single(file, "", "a column is named twice", "name the primary one and others")
    if len(places) > MOST_OTHERS + 1:
        raise ConfigError.single(file, "", f"more than {MOST_OTHERS} other columns", "name those that tell rows apart")
    return places


def _place(file: Path, heading: Sequence[str], name: str) -> int:
    if heading.count(name) == 1:
        return heading.index(name)
    what = "has no column" if name not in heading else "has more than one column"
    raise ConfigError.single(file, "", f"{what} {name!r}", f"its columns: {', '.join(heading)}")


def _columns(sheet: tables.Sheet, places: Sequence[int]) -> Iterator[list[list[str]]]:
    """The batches, column by column; a cell that a row lacks is empty."""
    for batch in sheet.batches:
        yield [[row[place] if place < len(row) else "" for row in batch] for place in places]


def _added(change: Change, declaration: Declaration, batches: Iterator[list[list[str]]]) -> tuple[Entry, Built]:
    """Write the index beside the others and put it in force, recorded before. Raises DLPError, OSError."""
    name = new_id("tab", now(), os.urandom)
    builder = Builder(Sums(change.key), Keyed(change.key, name), others=len(declaration.others), least=declaration.least)
    for primary, *others in batches:
        builder.add(primary, others)
        if builder.rows > MOST_ROWS:
            raise DLPError(f"the table has more than {MOST_ROWS:,} rows: declare it in parts")
    old = columns.opened(change.folder)
    draft = columns.Draft(change.folder, old)
    try:
        built = builder.finish(draft, name)
        if not built.rows:
            raise DLPError(f"no row can be found again, so nothing was declared: {'; '.join(_warnings(built))}")
        entry = _entry(name, declaration, built)
        record(change.stores, "register-added", entry)
        change.stores.register.add([entry])
        if old:
            draft.keep(*old.arrays)
        draft.commit({"tables": {**(entries(old.facts) if old else {}), name: _sealed(change.key, name, declaration, built)}})
    finally:
        draft.give_up()
    return entry, built


def _sealed(key: bytes, name: str, declaration: Declaration, built: Built) -> str:
    facts = Facts(
        title=declaration.title,
        level=declaration.level,
        owner=declaration.owner,
        least=declaration.least,
        rows=declaration.rows,
        shapes=built.shapes,
        expires=declaration.expires.isoformat() if declaration.expires else None,
    )
    return sealed(key, asdict(facts), name)


def _entry(name: str, declaration: Declaration, built: Built) -> Entry:
    return Entry(
        id=name,
        kind=KIND,
        title=declaration.title,
        level=declaration.level,
        owner=declaration.owner,
        expires=declaration.expires,
        added=now(),
        added_by=actor(),
        size=built.rows,
        details={
            "primary": declaration.primary,
            "with": list(declaration.others),
            "least": declaration.least,
            "rows": declaration.rows,
        },
    )


def _warnings(built: Built, others: Sequence[str] = ()) -> Iterator[str]:
    """What of a table cannot be found, and what may be found where it is not."""
    if built.unusable:
        yield f"{built.unusable} rows have a primary cell that is too short"
    if built.repeated:
        yield f"{built.repeated} rows share their primary cell with too many others"
    if built.sparse:
        yield f"{built.sparse} rows have too few other cells that tell them apart"
    for name, count in zip(others, built.common, strict=False):
        if count:
            yield f"column {name}: {count} cells do not count, because too many rows share them"
    if any(length < _SHORT or han == length for length, _, han in built.shapes[0]):
        yield "some primary cells are so short, or are mere names, that they turn up by chance: consider --least 2"
    if len({length for length, *_ in built.shapes[0]}) > _DEAR:
        yield "primary cells have so many different lengths that looking for them is slow: a number would be a better column"


def _tell(entry: Entry, built: Built, broken: int, *, json: bool) -> None:
    warnings = [f"{broken} rows have empty cells, or line ends in cells: save it as CSV to have them too"] if broken else []
    warnings += _warnings(built, entry.details["with"])
    if json:
        print_json({"id": entry.id, "rows": built.rows, "warnings": warnings})
        return
    for warning in warnings:
        styled_line(f"warning: {warning}")
    styled_line(f"{entry.id}: {built.rows} rows of {entry.title} are looked for")


@app.command("list")
def list_(config: ConfigOption = None, json: JsonOption = False) -> None:
    """All declared tables, oldest first; none of their cells."""
    listed(configuration(config), KIND, json=json, in_force=_in_force, details=("primary", "with", "least", "rows"))


def _in_force(folder: Path) -> list[str]:
    return list(entries(columns.facts(folder)))


@app.command()
def remove(identities: Identities, config: ConfigOption = None) -> None:
    """Look for these tables no longer, and remove their index."""
    removed(configuration(config), KIND, identities, _without)


def _without(folder: Path, gone: Set[str]) -> None:
    old = columns.opened(folder)
    if old is None or not gone & entries(old.facts).keys():
        return
    draft = columns.Draft(folder, old)
    kept = {name: text for name, text in entries(old.facts).items() if name not in gone}
    lost = {column for name in gone for column in columns_of(name, MOST_OTHERS)}
    draft.keep(*(column for column in old.arrays if column not in lost))
    draft.commit({"tables": kept})
