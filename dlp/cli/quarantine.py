"""`dlp quarantine`: originals in custody, and their way back."""

import asyncio
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from dlp.channels.folder_restore import restore
from dlp.channels.mail_gate import release_message
from dlp.cli.common import (
    ConfigOption,
    JsonOption,
    NotFound,
    actor,
    configuration,
    origin_json,
    origin_line,
    print_error,
    print_fields,
    print_json,
    print_table,
    printable,
    when,
)
from dlp.cli.stores import opened
from dlp.config import Configuration
from dlp.errors import DLPError
from dlp.model import Envelope
from dlp.policy.addresses import Address
from dlp.policy.people import People, load_people
from dlp.ports import Held
from dlp.store.stores import Stores

app = typer.Typer(help="Originals in custody.", no_args_is_help=True)

Identity = Annotated[str, typer.Argument(metavar="ID")]
Reason = Annotated[str, typer.Option(help="Why, for the audit log.")]


def held_json(held: Held) -> dict[str, Any]:
    """An original as the contract prints it."""
    return {
        "id": held.id,
        "incident": held.incident,
        "channel": held.channel.value,
        "stored": held.stored,
        "size": held.size,
        "sha256": held.sha256,
        "level": held.level,
        "origin": origin_json(held.origin),
        "state": held.state,
        "approve_by": list(held.approve_by),
    }


@app.command("list")
def list_(
    config: ConfigOption = None,
    json: JsonOption = False,
    state: Annotated[str | None, typer.Option(help="Only these: held, releasing, released, purged.")] = None,
) -> None:
    """All originals that are or were held, oldest first."""
    with opened(configuration(config)) as stores:
        found = stores.quarantine.list(state=state)
        if json:
            for held in found:
                print_json(held_json(held))
        else:
            columns = ("id", "incident", "stored", "channel", "size", "level", "state", "origin")
            print_table(columns, map(_row, found), empty="Nothing is held.")


def _row(held: Held) -> tuple[str, ...]:
    size, level = str(held.size), held.level or ""
    return held.id, held.incident, when(held.stored), held.channel.value, size, level, held.state, origin_line(held.origin)


@app.command()
def show(identity: Identity, config: ConfigOption = None, json: JsonOption = False) -> None:
    """One original; never its content."""
    with opened(configuration(config)) as stores:
        held = find(stores, identity)
    if json:
        print_json(held_json(held))
    else:
        data = held_json(held)
        print_fields(data | data["origin"] | {"origin": origin_line(held.origin), "stored": when(held.stored)})


@app.command()
def release(
    identity: Identity,
    to: Annotated[Path | None, typer.Option(metavar="FILE", help="Write the original here instead of sending it back.")] = None,
    reason: Reason = "",
    approved_by: Annotated[
        str, typer.Option(metavar="ADDRESS", help="Who approves, where the rule names approvers: a person of people.toml.")
    ] = "",
    config: ConfigOption = None,
) -> None:
    """Let an original go: a file back to its place with its owner, mode and times, a message on to the next hop.

    Nothing is ever overwritten. Where the rule names `approve_by`, one who holds such a role must approve.
    """
    loaded = configuration(config)
    with opened(loaded) as stores:
        held = find(stores, identity)
        check_approval(loaded, held, approved_by)
        stores.audit.record(
            "release-requested",
            held=held.id,
            incident=held.incident,
            by=actor(),
            approved_by=approved_by,
            reason=reason,
            to=printable(str(to or "")),
        )
        with stores.quarantine.releasing(held.id):
            said = _release(loaded, stores, held, to)
        stores.audit.record("released", held=held.id, incident=held.incident, by=actor())
    typer.echo(said)


def check_approval(loaded: Configuration, held: Held, approved_by: str) -> None:
    """Raises DLPError where the rule asks for an approver and `approved_by` is none."""
    people = load_people(loaded.people) if loaded.people else People()
    approvers = sorted({person.address for role in held.approve_by for person in people.holders(role)})
    if not held.approve_by or Address.of(approved_by) in map(Address.of, approvers):
        return
    roles, who = " or ".join(held.approve_by), ", ".join(approvers) or "nobody in people.toml"
    raise DLPError(f"{held.id} is released only with the approval of {roles} ({who}): name one with --approved-by")


def _release(loaded: Configuration, stores: Stores, held: Held, to: Path | None) -> str:
    content = stores.quarantine.content(held.id)
    if to is None and isinstance(held.origin, Envelope):
        if (hop := loaded.next_hop()) is None:
            raise DLPError(f"there is no next hop to send {held.id} to; set mail.next_hop, or name a file with --to")
        reply = asyncio.run(release_message(held, content, hop, stores.quarantine.seal))
        return f"{held.id} was taken by the next hop: {reply}"
    restored = restore(held, content, to)
    lost = f" (not restored: {', '.join(restored.lost)})" if restored.lost else ""
    return f"{held.id} is at {printable(str(restored.path))}{lost}"


@app.command()
def purge(
    identity: Identity,
    reason: Reason = "",
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    config: ConfigOption = None,
) -> None:
    """Destroy an original for good; the record of it stays."""
    with opened(configuration(config)) as stores:
        held = find(stores, identity)
        if not yes:
            typer.confirm(f"Destroy {held.id} ({held.size} bytes, incident {held.incident}) for good?", abort=True)
        stores.make_room()
        stores.audit.record("purge", held=held.id, incident=held.incident, by=actor(), reason=reason)
        stores.quarantine.purge(held.id)


@app.command()
def verify(config: ConfigOption = None, json: JsonOption = False) -> int:
    """Decrypt every original and check it against its SHA-256. Exit status 1 if one does not hold."""
    bad = 0
    with opened(configuration(config)) as stores:
        for identity, problem in stores.quarantine.verify():
            bad += problem is not None
            if json:
                print_json({"id": identity, "problem": problem})
            elif problem is not None:
                print_error(f"{identity}: {problem}")
            else:
                sys.stdout.write(f"{identity}: holds\n")
    return 1 if bad else 0


def find(stores: Stores, identity: str) -> Held:
    """The original of that id, or of that incident. Raises NotFound."""
    held = stores.quarantine.get(identity)
    if held is None and (incident := stores.incidents.get(identity)) and incident.quarantine:
        held = stores.quarantine.get(incident.quarantine)
    if held is None:
        raise NotFound("original", identity, "dlp quarantine list")
    return held
