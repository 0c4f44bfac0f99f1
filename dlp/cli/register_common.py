"""What the kinds of `dlp register` share: the folder held for a change, levels and dates as they are typed, lists."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

import typer

from dlp.cli.common import NotFound, actor, print_json, print_table, when
from dlp.cli.stores import opened
from dlp.columns import private
from dlp.config import Configuration, build_policy
from dlp.instance import now
from dlp.store.files import private_folder, translated
from dlp.store.register import Entry, changing
from dlp.store.stores import Stores


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A register held for a change: the stores, the folder of its kind, and the key of all indexes."""

    stores: Stores
    folder: Path
    key: bytes


@contextmanager
def changed(configuration: Configuration, kind: str) -> Iterator[Change]:
    """Hold the registers against a second command, every folder made that is missing. Raises StoreError."""
    with opened(configuration) as stores:
        folder = configuration.state / "register"
        private_folder(configuration.state)
        with translated("the register was not made", folder):
            private(folder)
            private(folder / kind)
        with changing(folder), translated("the register was not changed", folder / kind):
            yield Change(stores=stores, folder=folder / kind, key=stores.register_key)


def level_of(configuration: Configuration, level: str) -> str:
    """`level` if the profile has it. Raises typer.BadParameter, which is exit status 64."""
    profile = build_policy(configuration).profile
    if level not in profile.ids:
        raise typer.BadParameter(f"{level!r} is none of {', '.join(profile.ids)}", param_hint="--level")
    return level


LONGEST_OWNER = 64
"""Characters: a finding tells the owner, and its facts are short."""


def owner_of(owner: str) -> str:
    """`owner` as it is kept. Raises typer.BadParameter, which is exit status 64."""
    if not owner.strip() or len(owner) > LONGEST_OWNER:
        raise typer.BadParameter(f"has to have 1 to {LONGEST_OWNER} characters", param_hint="--owner")
    return owner.strip()


def last_moment(date: str | None) -> datetime | None:
    """The end of a day, local time, given as YYYY-MM-DD. Raises typer.BadParameter."""
    if date is None:
        return None
    try:
        day = datetime.strptime(date, "%Y-%m-%d").astimezone()
    except ValueError:
        raise typer.BadParameter(f"{date!r} is no date such as 2030-12-31", param_hint="--expires") from None
    end = (day + timedelta(days=1)).astimezone(UTC)
    if end <= now():
        raise typer.BadParameter(f"{date} is over", param_hint="--expires")
    return end


def record(stores: Stores, event: str, entry: Entry) -> None:
    """One record of the audit log for each entry; titles are not in it."""
    stores.audit.record(event, kind=entry.kind, entry=entry.id, level=entry.level, owner=entry.owner, by=actor())


def listed(
    configuration: Configuration, kind: str, *, json: bool, in_force: Callable[[Path], Iterable[str]], details: Sequence[str] = ()
) -> None:
    """Print the entries of one kind. `in_force` tells from the kind's folder the ids that are looked for; the others were left
    by a command that ended halfway."""
    with opened(configuration) as stores:
        known = frozenset(in_force(configuration.state / "register" / kind))
        entries = list(stores.register.list(kind))
    if json:
        for entry in entries:
            print_json(entry_json(entry, in_force=entry.id in known))
        return
    columns = ("id", "title", "level", "owner", "expires", "added", "by", "size", *details, "state")
    print_table(columns, (_row(entry, details, state=_state(entry, known)) for entry in entries), empty="Nothing is declared.")


def entry_json(entry: Entry, *, in_force: bool) -> dict[str, Any]:
    """An entry as it is printed."""
    fields: Mapping[str, Any] = {name: getattr(entry, name) for name in Entry.__dataclass_fields__}
    return {**fields, "details": dict(entry.details), "in_force": in_force}


Identities = Annotated[list[str], typer.Argument(metavar="ID…", help="As `list` shows them.")]


def removed(
    configuration: Configuration, kind: str, identities: Iterable[str], put_out: Callable[[Path, frozenset[str]], None]
) -> None:
    """Take entries out of force and out of the list. `put_out` takes ids out of the index in the kind's folder. Raises NotFound,
    StoreError."""
    with changed(configuration, kind) as change:
        entries = _removable(change.stores, kind, identities)
        for entry in entries:
            record(change.stores, "register-removed", entry)
        gone = frozenset(entry.id for entry in entries)
        put_out(change.folder, gone)
        change.stores.register.remove(gone)


def _removable(stores: Stores, kind: str, identities: Iterable[str]) -> list[Entry]:
    """The entries of these ids. Raises NotFound for the first that names none of this kind."""
    found = []
    for identity in identities:
        entry = stores.register.get(identity)
        if entry is None or entry.kind != kind:
            raise NotFound(f"entry of {kind}", identity, f"dlp register {kind} list")
        found.append(entry)
    return found


def _state(entry: Entry, known: frozenset[str]) -> str:
    if entry.id not in known:
        return "not in force: remove it, add it again"
    return "expired" if entry.expires and entry.expires <= now() else "in force"


def _cell(detail: Any) -> str:
    return ", ".join(map(str, detail)) if isinstance(detail, list) else str(detail)


def _row(entry: Entry, details: Sequence[str], *, state: str) -> tuple[str, ...]:
    return (
        entry.id,
        entry.title,
        entry.level or "",
        entry.owner,
        when(entry.expires - timedelta(seconds=1))[:10] if entry.expires else "",
        when(entry.added),
        entry.added_by,
        str(entry.size),
        *(_cell(entry.details.get(name, "")) for name in details),
        state,
    )
