"""`dlp register documents` and `dlp register public`: classified documents to be found again, and public ones to be told from.

The documents are read by the same confined children as anything that is scanned; what comes back are fingerprints.
"""

import asyncio
import os
from collections.abc import Collection, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from dlp import columns, logs
from dlp.cli.ahead import as_many, in_order
from dlp.cli.common import ConfigOption, JsonOption, actor, configuration, print_error, print_json, styled_line
from dlp.cli.register_common import Change, Identities, changed, last_moment, level_of, listed, record, removed
from dlp.cli.scan import item_of, opened_file, progress_bar, tree
from dlp.config import Configuration, plan
from dlp.detect.documents import LEAST, file_hash
from dlp.detect.fingerprint_index import Addition, change
from dlp.detect.fingerprints import Hashes, unpacked
from dlp.errors import ConfigError
from dlp.instance import now
from dlp.metrics import Metrics
from dlp.model import Limits
from dlp.store.ids import new_id
from dlp.store.register import Entry
from dlp.store.schema import rfc3339
from dlp.workers.pool import Workers

documents = typer.Typer(help="Classified documents, found again whole or in part.", no_args_is_help=True)
public = typer.Typer(help="Public documents and templates, whose text proves nothing.", no_args_is_help=True)

Paths = Annotated[list[str], typer.Argument(metavar="PATH…", help="Files and folders.")]
Title = Annotated[str | None, typer.Option(help="What people call it (default: the file's name).")]

LONGEST_OWNER = 64
"""Characters: a finding tells the owner, and its facts are short."""
_BATCH_PRINTS, _BATCH_DOCUMENTS = 2_000_000, 500
"""Fingerprints and documents after which what was read is put in force: what a command that is ended loses at most."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Wanted:
    """What the command line says of every document named."""

    kind: str
    title: str | None = None
    level: str | None = None
    owner: str = ""
    expires: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Read:
    """One file that was read, or `error`: why it was not. `unread` is what of it could not be."""

    path: str
    sha256: str = ""
    size: int = 0
    characters: int = 0
    hashes: Hashes | None = None
    unread: tuple[str, ...] = ()
    error: str = ""


@documents.command("add")
def add_documents(
    paths: Paths,
    level: Annotated[str, typer.Option(help="How secret they are: a level of the profile.")],
    owner: Annotated[str, typer.Option(help="Whose they are: a person, a department.")],
    expires: Annotated[str | None, typer.Option(metavar="YYYY-MM-DD", help="The last day on which they are looked for.")] = None,
    title: Title = None,
    config: ConfigOption = None,
    json: JsonOption = False,
) -> int:
    """Declare classified documents, so that they are found again whole or in part. Folders are walked.

    Exit status: 0 all are declared, 1 some could not be.
    """
    loaded = configuration(config)
    if not owner.strip() or len(owner) > LONGEST_OWNER:
        raise typer.BadParameter(f"has to have 1 to {LONGEST_OWNER} characters", param_hint="--owner")
    wanted = _Wanted(
        kind="documents", title=title, level=level_of(loaded, level), owner=owner.strip(), expires=last_moment(expires)
    )
    return _add(loaded, paths, wanted, json=json)


@public.command("add")
def add_public(paths: Paths, title: Title = None, config: ConfigOption = None, json: JsonOption = False) -> int:
    """Name public documents, forms and templates: text that stands in them is no sign of a declared document. Folders are walked.

    Exit status: 0 all are taken up, 1 some could not be.
    """
    return _add(configuration(config), paths, _Wanted(kind="public", title=title), json=json)


@documents.command("list")
def list_documents(config: ConfigOption = None, json: JsonOption = False) -> None:
    """All declared documents, oldest first."""
    listed(configuration(config), "documents", json=json, in_force=_in_force, details=("characters",))


@public.command("list")
def list_public(config: ConfigOption = None, json: JsonOption = False) -> None:
    """All public documents and templates, oldest first."""
    listed(configuration(config), "public", json=json, in_force=_in_force, details=("characters",))


@documents.command("remove")
def remove_documents(identities: Identities, config: ConfigOption = None) -> None:
    """Look for these documents no more."""
    removed(configuration(config), "documents", identities, _without)


@public.command("remove")
def remove_public(identities: Identities, config: ConfigOption = None) -> None:
    """Let the text of these count again where it stands in declared documents."""
    removed(configuration(config), "public", identities, _without)


def _without(folder: Path, gone: Collection[str]) -> None:
    change(folder, remove=sorted(gone))


def _add(loaded: Configuration, paths: Sequence[str], wanted: _Wanted, *, json: bool) -> int:
    logs.configure(level="WARNING")
    missing = [path for path in paths if not os.path.lexists(path)]
    if missing:
        raise ConfigError.single(missing[0], "", "no such file or folder", "name one that exists")
    with changed(loaded, wanted.kind) as held:
        adding = _Adding(held, wanted, json=json)
        return asyncio.run(_read_all(loaded, list(tree(paths)), adding))


class _Adding:
    """Documents on their way into a register, put in force batch by batch."""

    def __init__(self, held: Change, wanted: _Wanted, *, json: bool) -> None:
        self._held, self._wanted, self._json = held, wanted, json
        in_force = frozenset(_in_force(held.folder))
        entries = [entry for entry in held.stores.register.list(wanted.kind) if entry.id in in_force]
        self._known = {str(entry.details.get("file")): entry.id for entry in entries}
        self._batch: list[tuple[_Read, Entry]] = []
        self._prints = 0
        self.failed = 0

    def take(self, read: _Read) -> None:
        """One document more."""
        file = "" if read.error else f"{file_hash(bytes.fromhex(read.sha256), self._held.key):016x}"
        if (known := self._known.get(file)) is not None:
            self._tell(read, known, f"is declared already as {known}; remove that first to change what is said of it")
        elif read.error or read.hashes is None:
            self.failed += 1
            self._tell(read, None, read.error)
        else:
            entry = _entry(read, self._wanted, file)
            self._known[file] = entry.id
            self._batch.append((read, entry))
            self._prints += read.hashes.size
            if self._prints >= _BATCH_PRINTS or len(self._batch) >= _BATCH_DOCUMENTS:
                self.commit()

    def commit(self) -> None:
        """Put in force what was taken: the audit log first, then what people see, then what is looked for."""
        batch, self._batch, self._prints = self._batch, [], 0
        if not batch:
            return
        stores = self._held.stores
        for _, entry in batch:
            record(stores, "register-added", entry)
        stores.register.add(entry for _, entry in batch)
        change(self._held.folder, add=[_addition(read, entry) for read, entry in batch])
        for read, entry in batch:
            self._tell(read, entry.id, _note(read))

    def _tell(self, read: _Read, entry: str | None, note: str) -> None:
        if self._json:
            print_json({"path": read.path, "id": entry, "characters": read.characters, "note": note})
        elif entry is None:
            print_error(f"{read.path}: {note}")
        else:
            styled_line(f"{entry}  {read.path}" + (f"  ({note})" if note else ""))


def _entry(read: _Read, wanted: _Wanted, file: str) -> Entry:
    added = now()
    name = os.fsencode(Path(read.path).name).decode("utf-8", "backslashreplace")
    return Entry(
        id=new_id("doc" if wanted.kind == "documents" else "pub", added, os.urandom),
        kind=wanted.kind,
        title=wanted.title or name,
        level=wanted.level,
        owner=wanted.owner,
        expires=wanted.expires,
        added=added,
        added_by=actor(),
        size=read.size,
        details={"file": file, "characters": read.characters},
    )


def _addition(read: _Read, entry: Entry) -> Addition:
    hashes: Any = read.hashes
    return Addition(
        id=entry.id,
        hashes=hashes if read.characters >= LEAST or entry.kind == "public" else hashes[:0],
        file=int(entry.details["file"], 16),
        level=entry.level or "",
        owner=entry.owner,
        expires=rfc3339(entry.expires) if entry.expires else "",
    )


def _note(read: _Read) -> str:
    notes = []
    if read.characters < LEAST:
        notes.append(
            f"{read.characters} of the {LEAST} characters that it takes to find parts of it: only the same file is found"
        )
    if read.unread:
        notes.append(f"not read: {', '.join(read.unread)}")
    return "; ".join(notes)


async def _read_all(loaded: Configuration, files: Sequence[str], adding: _Adding) -> int:
    async with AsyncExitStack() as stack:
        workers = Workers(loaded.workers, plan(loaded), Metrics())
        stack.push_async_callback(workers.stop)
        await workers.start()
        progress = stack.enter_context(progress_bar("reading"))
        task = progress.add_task("", total=len(files))
        async for read in in_order(files, lambda path: _one(path, workers, loaded.limits), ahead=as_many(loaded)):
            progress.advance(task)
            adding.take(read)
    adding.commit()
    return 1 if adding.failed else 0


async def _one(path: str, workers: Workers, limits: Limits) -> _Read:
    try:
        status, blob = await asyncio.to_thread(opened_file, path, limits)
    except OSError as error:
        return _Read(path=path, error=f"cannot be opened: {error.strerror}")
    if blob is None:
        return _Read(path=path, error="not a regular file")
    with blob:
        if not blob.size:
            return _Read(path=path, error="is empty")
        inspection, declared = await workers.declare(item_of(path, status, blob), "documents")
        try:
            hashes = unpacked(declared)
        except ValueError:
            return _Read(path=path, error="could not be read: what the child says of it makes no sense")
        unread = dict.fromkeys(" / ".join((*place.trail, place.why.value)) for place in inspection.unscannable)
        return _Read(
            path=path,
            sha256=blob.sha256,
            size=blob.size,
            characters=inspection.text_chars,
            hashes=hashes,
            unread=tuple(unread)[:5],
        )


def _in_force(folder: Path) -> list[str]:
    return [entry["id"] for entry in columns.facts(folder).get("entries", [])]
