"""`dlp signatures replay`: a changed set of signatures beside the one in force, over real documents."""

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, ExitStack
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from dlp import logs
from dlp.blob import Blob
from dlp.cli.ahead import in_order
from dlp.cli.common import ConfigOption, JsonOption, actor, configuration, print_error, print_json, print_table, printable
from dlp.cli.scan import item_of, may_ask, opened_file, progress_bar, tree
from dlp.cli.stores import opened
from dlp.config import Configuration, build_policy, plan
from dlp.detect import signatures
from dlp.detect.replay import Change, Compared, Judged, Kind, Totals, compare
from dlp.errors import ConfigError, DLPError
from dlp.metrics import Metrics
from dlp.model import Action, Item, Limits
from dlp.policy.policy import Policy
from dlp.ports import Held
from dlp.store.stores import Stores
from dlp.workers.pool import Workers

WITH_CONTENT = ("held", "releasing", "released")
_AHEAD = 2
"""Items under way for each worker."""


@dataclass(frozen=True, slots=True)
class Source:
    """One item to be: what it is called, and what opens it. `open` raises OSError or DLPError."""

    name: str
    open: Callable[[], Item]


@dataclass(frozen=True, slots=True)
class Unread:
    """One that could not be opened, and why."""

    name: str
    why: str


def replay(
    paths: Annotated[list[str] | None, typer.Argument(metavar="[PATH]…", help="Files and folders.")] = None,
    changed: Annotated[
        list[Path] | None, typer.Option("--with", metavar="FOLDER", help="The changed signatures; may be repeated.")
    ] = None,
    against: Annotated[
        list[Path] | None, typer.Option(metavar="FOLDER", help="Compare with these instead of those in force; may be repeated.")
    ] = None,
    kept: Annotated[bool, typer.Option("--kept", help="Also every original that is in custody.")] = False,
    config: ConfigOption = None,
    json: JsonOption = False,
) -> int:
    """What a changed set of signatures would find, and what would be done, beside the set in force. Nothing is touched.

    A folder given by --with that has a signature in common with a configured folder is a working copy of it, and stands in its
    place; any other is added. Every original that is read is in the audit log. Exit status: 0 nothing would change, 1 something
    would, or something could not be read.
    """
    logs.configure(level="WARNING")
    loaded = configuration(config)
    if not changed:
        raise typer.BadParameter("name a folder of changed signatures", param_hint="--with")
    if not paths and not kept:
        raise typer.BadParameter("name files or folders, or give --kept", param_hint="PATH")
    if missing := [path for path in paths or () if not Path(path).exists()]:
        raise ConfigError.single(missing[0], "", "no such file or folder", "name one that exists")
    base = _absolute(against or loaded.signatures.paths)
    sets = (base, stand_in(base, _absolute(changed)))
    if not json:
        named = (" ".join(map(str, paths)) for paths in sets)
        typer.echo("before: {}\nafter:  {}".format(*named), err=True)
    sources = [Source(path, partial(_file, path, loaded.limits)) for path in tree(paths or ())]
    with ExitStack() as stack:
        if kept:
            sources += _originals(stack.enter_context(opened(loaded)))
        totals, unread = asyncio.run(_replay(loaded, sets, sources, json=json))
    _summary(totals, unread, json=json)
    return 1 if totals.changed or unread else 0


def _absolute(paths: Sequence[Path]) -> tuple[Path, ...]:
    """The workers have another current folder."""
    return tuple(path.absolute() for path in paths)


def stand_in(base: Sequence[Path], changed: Sequence[Path]) -> tuple[Path, ...]:
    """The changed set: `changed`, and of `base` what none of them is a working copy of. Raises SignatureError."""
    names = frozenset(signatures.load(changed).signatures)
    kept = [path for path in base if names.isdisjoint(signatures.load([path]).signatures)]
    return (*kept, *changed)


def _originals(stores: Stores) -> Iterator[Source]:
    """Every original that has not been purged, oldest first."""
    for held in stores.quarantine.list():
        if held.state in WITH_CONTENT:
            yield Source(held.id, partial(original, stores, held, purpose="replay"))


def _file(path: str, limits: Limits) -> Item:
    status, blob = opened_file(path, limits)
    if blob is None:
        raise DLPError("not a regular file")
    return item_of(path, status, blob)


def original(stores: Stores, held: Held, *, purpose: str) -> Item:
    """The original as the item it was; whoever calls closes its blob. On record before it is read. Raises StoreError."""
    stores.audit.record("original-read", held=held.id, incident=held.incident, by=actor(), purpose=purpose)
    blob = Blob.of(stores.quarantine.content(held.id))
    return Item(id=held.id, channel=held.channel, origin=held.origin, blob=blob, arrived=held.stored)


async def _replay(
    loaded: Configuration, sets: tuple[Sequence[Path], Sequence[Path]], sources: Sequence[Source], *, json: bool
) -> tuple[Totals, int]:
    """Two crews of confined children, one for each set: an item is opened once, and its very bytes are shown to both."""
    policy, totals, unread = build_policy(loaded), Totals(), 0
    async with AsyncExitStack() as stack:
        common = plan(loaded, registers=may_ask(loaded))
        pools = [Workers(loaded.workers, replace(common, signatures=tuple(paths)), Metrics()) for paths in sets]
        for pool in pools:
            stack.push_async_callback(pool.stop)
            await pool.start()
        progress = stack.enter_context(progress_bar("replaying"))
        task = progress.add_task("", total=len(sources))
        async for result in in_order(
            sources, lambda source: _one(source, pools, policy), ahead=_AHEAD * (loaded.workers.count or 2)
        ):
            progress.advance(task)
            if isinstance(result, Unread):
                unread += 1
                print_error(f"{printable(result.name)} could not be read: {result.why}")
                continue
            totals.add(result)
            if not result.same:
                _print(result, json=json)
    return totals, unread


async def _one(source: Source, pools: Sequence[Workers], policy: Policy) -> Compared | Unread:
    try:
        item = await asyncio.to_thread(source.open)
    except OSError as error:
        return Unread(source.name, error.strerror or type(error).__name__)
    except DLPError as error:
        return Unread(source.name, str(error))
    with item.blob:
        before, after = await asyncio.gather(*(_judged(pool, item, policy) for pool in pools))
    return compare(source.name, before, after)


async def _judged(pool: Workers, item: Item, policy: Policy) -> Judged:
    inspection = policy.profile.grade(await pool.inspect(item))
    verdict = policy.decide(item, inspection)
    return Judged(inspection=inspection, action=verdict.action, level=verdict.level)


def compared_json(result: Compared) -> dict[str, Any]:
    """One item that would change."""
    return {
        "item": result.name,
        "action": {"before": str(result.before.action), "after": str(result.after.action)},
        "level": {"before": result.before.level, "after": result.after.level},
        "changes": [_change_json(change) for change in result.changes],
    }


def _change_json(change: Change) -> dict[str, Any]:
    told = {"before": list(map(_state_json, change.before)), "after": list(map(_state_json, change.after))}
    return {"signature": change.signature, "trail": list(change.trail), "kind": change.kind.value} | told


def _state_json(state: Sequence[str]) -> dict[str, Any]:
    if len(state) == 1:  # a place that could not be read
        return {"why": state[0]}
    level, confidence, count, zone, mode = state
    return {"level": level or None, "confidence": int(confidence), "count": int(count), "zone": zone, "mode": mode}


def _print(result: Compared, *, json: bool) -> None:
    if json:
        print_json(compared_json(result))
        return
    before, after = result.before, result.after
    moved = f"{before.action} → {after.action}" if before.action is not after.action else f"{after.action} as before"
    typer.echo(f"{printable(result.name)}  {moved}")
    rows = [("  " + one.kind.value, one.signature, " / ".join(one.trail), *_difference(one)) for one in result.changes]
    print_table(("  change", "signature", "where", "before", "after"), rows, empty="  The level changes, and no finding.")


def _difference(change: Change) -> tuple[str, str]:
    return _told(change.before), _told(change.after)


def _told(states: Sequence[Sequence[str]]) -> str:
    told = [f"{s[0] or 'no level'} ×{s[2]} {s[1]} % {s[3]} {s[4]}" if len(s) > 1 else s[0] for s in states]
    return "; ".join(told) or "-"


def _summary(totals: Totals, unread: int, *, json: bool) -> None:
    counted = sorted(totals.signatures.items())
    if json:
        for name, kinds in counted:
            print_json({"signature": name} | {kind.value: kinds[kind] for kind in Kind})
        moved = [{"before": str(a), "after": str(b), "items": n} for (a, b), n in sorted(totals.actions.items())]
        print_json({"items": totals.items, "changed": totals.changed, "unread": unread, "actions": moved})
        return
    rows = [(name, *(str(kinds[kind]) for kind in Kind)) for name, kinds in counted]
    print_table(("signature", "newly found", "no longer found", "changed"), rows, empty="No signature would find anything else.")
    for line in _moves(totals.actions):
        typer.echo(line)
    typer.echo(f"{totals.items} items, {totals.changed} would change, {unread} could not be read.")


def _moves(actions: Mapping[tuple[Action, Action], int]) -> Iterator[str]:
    for (before, after), count in sorted(actions.items()):
        how = "more severe" if after > before else "milder"
        yield f"{count} items: {before} → {after} ({how})"
