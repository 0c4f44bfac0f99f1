"""`dlp queue`: messages that wait for the next hop in the spool (`[mail] mode = "spool"`)."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Annotated, Any

import typer

from dlp.channels.smtp_syntax import Address
from dlp.channels.spool_envelope import History
from dlp.channels.spool_folder import SpoolFolder
from dlp.channels.spool_runner import next_try
from dlp.channels.spool_settings import SpoolSettings
from dlp.cli.common import (
    ConfigOption,
    JsonOption,
    NotFound,
    actor,
    configuration,
    print_error,
    print_fields,
    print_json,
    print_table,
    when,
)
from dlp.cli.stores import opened
from dlp.config import Configuration
from dlp.errors import DLPError
from dlp.instance import now, running

app = typer.Typer(help="Messages that wait for the next hop.", no_args_is_help=True)

Identity = Annotated[str, typer.Argument(metavar="ID")]

_REPLY = 60
"""Characters of a reply in a table's cell; `show` has it whole."""


def message_json(history: History, settings: SpoolSettings, at: datetime) -> dict[str, Any]:
    """A message in the spool; `recipients` are those that wait, or all where none does."""
    envelope = history.envelope
    places = history.waiting or range(len(envelope.recipients))
    return {
        "id": envelope.id,
        "queued": envelope.queued,
        "age_seconds": round((at - envelope.queued).total_seconds()),
        "size": envelope.size,
        "sender": envelope.sender.mailbox,
        "recipients": [envelope.recipients[place].mailbox for place in places],
        "tries": history.tries,
        "next_try": max(at, next_try(history, settings)),
        "last_reply": history.last_reply,
    }


@app.command("list")
def list_(config: ConfigOption = None, json: JsonOption = False) -> None:
    """All messages that wait, oldest first."""
    loaded, at = configuration(config), now()
    settings = _settings(loaded)
    rows = (message_json(history, settings, at) for history in _histories(loaded.spool()))
    if json:
        for row in rows:
            print_json(row)
    else:
        columns = ("id", "age", "size", "sender", "recipients", "tries", "next try", "last reply")
        print_table(columns, (_row(row, at) for row in rows), empty="Nothing waits.")


def _row(row: dict[str, Any], at: datetime) -> tuple[str, ...]:
    waits = row["next_try"] - at
    return (
        row["id"],
        age(timedelta(seconds=row["age_seconds"])),
        str(row["size"]),
        row["sender"] or "<>",
        ", ".join(row["recipients"]),
        str(row["tries"]),
        f"in {age(waits)}" if waits > timedelta() else "now",
        _shortened(" ".join(row["last_reply"].split())),
    )


def _shortened(reply: str) -> str:
    return reply if len(reply) <= _REPLY else f"{reply[: _REPLY - 1]}…"


@app.command()
def show(identity: Identity, config: ConfigOption = None, json: JsonOption = False) -> None:
    """One message, with what was said for each recipient; never its content."""
    loaded = configuration(config)
    history = _find(loaded.spool(), identity)
    data = message_json(history, _settings(loaded), now())
    envelope = history.envelope
    recipients: list[dict[str, Any]] = [
        {
            "recipient": recipient.mailbox,
            "state": history.fate(place).value,
            "tried": history.tried(place),
            "reply": history.reply(place),
            "parameters": _parameters(recipient),
        }
        for place, recipient in enumerate(envelope.recipients)
    ]
    if json:
        print_json(data | {"parameters": _parameters(envelope.sender), "recipients": recipients})
        return
    facts = {key: value for key, value in data.items() if key not in ("recipients", "last_reply", "age_seconds")}
    times = {"queued": when(envelope.queued), "next_try": when(data["next_try"]) if history.waiting else ""}
    print_fields(facts | times | {"sender": envelope.sender.mailbox or "<>", "parameters": _parameters(envelope.sender)})
    rows = [(r["recipient"], r["state"], when(r["tried"]), " ".join(r["reply"].split()), r["parameters"]) for r in recipients]
    print_table(("recipient", "state", "tried", "reply", "parameters"), rows, empty="")


def _parameters(address: Address) -> str:
    return b" ".join(address.params).decode("utf-8", "surrogateescape")


@app.command()
def flush(config: ConfigOption = None) -> None:
    """Have the daemon try everything now, whatever the schedule says."""
    loaded = configuration(config)
    folder = loaded.spool()
    with _translated(folder):
        waiting = len(_names(folder))
        if not waiting:
            typer.echo("Nothing waits.")
            return
        folder.flush()
    late = "" if running(loaded.state) else " once the daemon runs; it does not now"
    typer.echo(f"{waiting} to be tried{late or ' now'}")


@app.command()
def remove(
    identity: Identity,
    reason: Annotated[str, typer.Option(help="Why, for the audit log.")] = "",
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    config: ConfigOption = None,
) -> None:
    """Destroy a message that waits; nobody is told, neither its sender nor its recipients."""
    loaded = configuration(config)
    folder = loaded.spool()
    history = _find(folder, identity)
    envelope = history.envelope
    if not yes:
        waiting = ", ".join(envelope.recipients[place].mailbox for place in history.waiting)
        typer.confirm(f"Destroy {identity} ({envelope.size} bytes, for {waiting or 'nobody any more'}) for good?", abort=True)
    with _translated(folder), opened(loaded) as stores:
        try:
            message = folder.open(identity)
        except FileNotFoundError:
            raise NotFound("waiting message", identity, "dlp queue list") from None
        except BlockingIOError:
            raise DLPError(f"{identity} is being delivered this very moment; look again with `dlp queue list`") from None
        try:
            stores.audit.record(
                "queue-removed",
                message=identity,
                sender=envelope.sender.mailbox,
                recipients=[envelope.recipients[place].mailbox for place in message.history.waiting],
                by=actor(),
                reason=reason,
            )
            message.finish()
        finally:
            message.close()


def _settings(loaded: Configuration) -> SpoolSettings:
    return loaded.mail.spool if loaded.mail else SpoolSettings()


def _histories(folder: SpoolFolder) -> Iterator[History]:
    """What waits, oldest first; a file that cannot be read is named on standard error."""
    with _translated(folder):
        for name in _names(folder):
            try:
                yield folder.look(name)
            except FileNotFoundError:
                continue  # it has just gone
            except ValueError as error:
                print_error(f"{folder.queue / name} cannot be read: {error}; the daemon sets it aside")


def _names(folder: SpoolFolder) -> list[str]:
    """Nothing where mail was never spooled."""
    try:
        return folder.names()
    except FileNotFoundError:
        return []


def _find(folder: SpoolFolder, identity: str) -> History:
    with _translated(folder):
        try:
            if identity in _names(folder):
                return folder.look(identity)
        except FileNotFoundError:
            pass  # as if it had never been there
        except ValueError as error:
            raise DLPError(f"{folder.queue / identity} cannot be read: {error}; the daemon sets it aside") from error
    raise NotFound("waiting message", identity, "dlp queue list")


@contextmanager
def _translated(folder: SpoolFolder) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        what = f"the spool {folder.root} cannot be used: {error.strerror}"
        raise DLPError(f"{what}; give the command as root or as the daemon's user") from error


def age(span: timedelta) -> str:
    """A span in a table's cell, in its two largest units: "3d 4h", "2h 5m", "41s"."""
    seconds = max(0, round(span.total_seconds()))
    units = [(seconds // 86400, "d"), (seconds // 3600 % 24, "h"), (seconds // 60 % 60, "m"), (seconds % 60, "s")]
    first = next((index for index, (number, _) in enumerate(units) if number), 3)
    return " ".join(f"{number}{unit}" for number, unit in units[first : first + 2] if number or unit == units[first][1])
