"""`dlp scan`: files and trees, now. Nothing is touched, nothing is recorded."""

import asyncio
import os
import stat
import sys
from collections.abc import Iterable, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from dlp import logs
from dlp.blob import Blob
from dlp.cli.ahead import as_many, in_order
from dlp.cli.common import (
    ConfigOption,
    JsonOption,
    configuration,
    finding_json,
    print_error,
    print_json,
    styled,
    unscannable_json,
)
from dlp.cli.explaining import explain_of
from dlp.config import Configuration, build_policy, plan
from dlp.errors import ConfigError
from dlp.explain import Explain
from dlp.instance import item_id, now
from dlp.metrics import Metrics
from dlp.model import Action, Channel, FileOrigin, Inspection, Item, Limits, Mode, Unscannable, Verdict, Why
from dlp.policy.marks import borne
from dlp.policy.policy import Policy
from dlp.workers.pool import Workers

FOUND, UNREAD = 1, 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Scanned:
    """One file's result. `sha256` is None where the file could not even be opened; `marking` says that content bears no
    mark, or one too low, in the profile's language."""

    path: str
    sha256: str | None
    size: int | None
    inspection: Inspection
    verdict: Verdict
    level_name: str | None
    marking: str | None = None


def scan(
    paths: Annotated[list[str], typer.Argument(metavar="PATH…", help="Files and folders.")],
    config: ConfigOption = None,
    json: JsonOption = False,
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="Print only files in which something was found or unread.")
    ] = False,
    explain: Annotated[bool, typer.Option("--explain", help="Say why each finding is one.")] = False,
) -> int:
    """Scan files and folders now; nothing is touched. Symbolic links inside folders are not followed.

    Exit status: 0 nothing found, 1 something found by an enforced signature, 2 something could not be scanned
    (and nothing found), 64 usage, a path that does not exist, a bad configuration.
    """
    logs.configure(level="WARNING")
    loaded = configuration(config)
    missing = [path for path in paths if not os.path.lexists(path)]
    if missing:
        raise ConfigError.single(missing[0], "", "no such file or folder", "name one that exists")
    told = explain_of(loaded) if json or explain else None
    return asyncio.run(_scan(loaded, build_policy(loaded), paths, json=json, quiet=quiet, explain=told))


async def _scan(
    loaded: Configuration, policy: Policy, paths: list[str], *, json: bool, quiet: bool, explain: Explain | None
) -> int:
    status, counts = 0, dict[Action, int]()
    files = list(tree(paths))
    async with AsyncExitStack() as stack:
        workers = Workers(loaded.workers, plan(loaded, registers=may_ask(loaded)), Metrics())
        stack.push_async_callback(workers.stop)
        await workers.start()
        progress = stack.enter_context(progress_bar("scanning"))
        task = progress.add_task("", total=len(files))
        async for result in in_order(files, lambda path: _one(path, workers, policy, loaded.limits), ahead=as_many(loaded)):
            progress.advance(task)
            counts[result.verdict.action] = counts.get(result.verdict.action, 0) + 1
            status = _worse(status, result.inspection)
            if not quiet or result.inspection.findings or result.inspection.unscannable:
                _print(result, json=json, explain=explain)
    if not json:
        _summary(counts)
    return status


def may_ask(loaded: Configuration) -> bool:
    """Whether the registers may be read; an ordinary user is told that they are not."""
    state = loaded.state
    try:
        state.stat()
        allowed = os.access(state, os.R_OK | os.X_OK)
    except FileNotFoundError:
        return True
    except OSError:
        allowed = False
    if not allowed:
        print_error(f"{state} may not be read, so nothing is looked for that was declared (dlp register); ask its owner to scan")
    return allowed


def tree(paths: Iterable[str]) -> Iterator[str]:
    """Every path that is not a folder, in order: those named as they are (a link is followed), folders walked by name.
    A folder that cannot be listed is itself among them, so that it is told as unread."""
    for path in paths:
        if Path(path).is_dir():
            yield from _walked(path)
        else:
            yield path


def _walked(top: str) -> Iterator[str]:
    closed: list[str] = []
    for folder, folders, names in os.walk(top, onerror=lambda error: closed.append(str(error.filename))):
        folders.sort()
        files = (Path(folder) / name for name in sorted(names))
        yield from (str(file) for file in files if not file.is_symlink())
    yield from closed


async def _one(path: str, workers: Workers, policy: Policy, limits: Limits) -> Scanned:
    try:
        status, blob = await asyncio.to_thread(opened_file, path, limits)
    except OSError as error:
        return _unread(path, policy, f"cannot be opened: {error.strerror}")
    if blob is None:
        return _unread(path, policy, "not a regular file")
    with blob:
        item = item_of(path, status, blob)
        return _judged(path, item, await workers.inspect(item), policy)


def _judged(path: str, item: Item, found: Inspection, policy: Policy) -> Scanned:
    inspection = policy.profile.grade(found)
    verdict = policy.decide(item, inspection)
    name = policy.profile.name_of(verdict.level) if verdict.level else None
    return Scanned(
        path=path,
        sha256=item.blob.sha256,
        size=item.blob.size,
        inspection=inspection,
        verdict=verdict,
        level_name=name,
        marking=borne(policy.profile, inspection.findings, policy.profile.language),
    )


def opened_file(path: str, limits: Limits) -> tuple[os.stat_result, Blob | None]:
    """The file's status and its content; None for what is not a regular file. Raises OSError."""
    status = os.stat(path)  # noqa: PTH116 - first, because merely opening a device can do something
    if not stat.S_ISREG(status.st_mode) and not stat.S_ISDIR(status.st_mode):
        return status, None
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            return status, None
        return status, Blob.copy_of(descriptor) if status.st_size <= limits.bytes else Blob.over(descriptor)
    finally:
        os.close(descriptor)


def item_of(path: str, status: os.stat_result, blob: Blob) -> Item:
    place = Path(path).absolute()
    origin = FileOrigin(
        path=str(place),
        volume=str(place.parent),
        owner=f"uid:{status.st_uid}",
        device=f"{os.major(status.st_dev)}:{os.minor(status.st_dev)}",
        inode=status.st_ino,
    )
    return Item(id=item_id(), channel=Channel.SCAN, origin=origin, blob=blob, arrived=now())


def _unread(path: str, policy: Policy, detail: str) -> Scanned:
    """A file that could not be opened: unscannable as a whole, and decided as such."""
    with Blob.of(()) as nothing:
        item = item_of(path, os.stat_result((0,) * 10), nothing)
        found = Inspection(unscannable=(Unscannable(why=Why.UNREADABLE, detail=detail),))
        return replace(_judged(path, item, found, policy), sha256=None, size=None)


def _worse(status: int, inspection: Inspection) -> int:
    if any(finding.mode is Mode.ENFORCE for finding in inspection.findings):
        return FOUND
    return UNREAD if inspection.unscannable and status != FOUND else status


def scanned_json(result: Scanned, explain: Explain) -> dict[str, Any]:
    """A result as the contract prints it."""
    verdict, inspection = result.verdict, result.inspection
    return {
        "path": result.path,
        "sha256": result.sha256,
        "size": result.size,
        "media_type": inspection.media_type,
        "action": str(verdict.action),
        "level": verdict.level,
        "level_name": result.level_name,
        "marking": result.marking,
        "findings": [finding_json(finding, explain) for finding in inspection.findings],
        "unscannable": [unscannable_json(place) for place in inspection.unscannable],
        "rules": list(verdict.rules),
        "reasons": list(verdict.reasons),
        "seconds": round(inspection.seconds, 4),
    }


def _print(result: Scanned, *, json: bool, explain: Explain | None) -> None:
    if json and explain is not None:
        print_json(scanned_json(result, explain))
        return
    verdict, inspection = result.verdict, result.inspection
    console = Console(highlight=False, soft_wrap=True)
    console.print(
        f"{styled(str(verdict.action))}  {styled(result.path)}" + (f"  [bold]{result.level_name}[/]" if verdict.level else "")
    )
    for finding in inspection.findings:
        place = " / ".join((*finding.trail, finding.zone.value))
        shadow = "  (shadow)" if finding.mode is Mode.SHADOW else ""
        console.print(f"    {styled(finding.signature)} ×{finding.count}  {styled(place)}  {styled(finding.excerpt)}{shadow}")
        for why in explain.why(finding).values() if explain else ():
            console.print(f"        {styled(why)}")
    if result.marking:
        console.print(f"    {styled(result.marking)}")
    for unread in inspection.unscannable:
        console.print(f"    unscannable ({unread.why.value})  {styled(' / '.join(unread.trail))}  {styled(unread.detail)}")


def _summary(counts: dict[Action, int]) -> None:
    total = ", ".join(f"{counts[action]} {action}" for action in sorted(counts, reverse=True))
    Console(stderr=True, highlight=False).print(f"{sum(counts.values())} files: {total or 'none'}")


def progress_bar(doing: str) -> Progress:
    """A bar on standard error, only where that is a terminal and the results are not printed to the same one."""
    shown = sys.stderr.isatty() and not sys.stdout.isatty()
    columns = (TextColumn(doing), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    return Progress(*columns, console=Console(stderr=True), transient=True, disable=not shown)
