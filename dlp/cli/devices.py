"""`dlp devices`: USB drives that were seen, and those that may be used for a time."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import typer

from dlp.channels.usb_devices import Bus
from dlp.channels.usb_devices_allow import Claims, Entry, parse_all
from dlp.cli.common import ConfigOption, JsonOption, NotFound, actor, configuration, print_json, print_table, when
from dlp.cli.stores import opened
from dlp.config import Configuration
from dlp.errors import DLPError
from dlp.instance import now
from dlp.ports import DeviceException
from dlp.store.devices import KnownDevice

app = typer.Typer(help="USB drives: which were seen, and which may be used for a time.", no_args_is_help=True)

Drive = Annotated[str, typer.Argument(metavar="SERIAL", help='A serial, or "vendor:product:serial" in hexadecimal.')]
_FORMS = ("%Y-%m-%d", "%Y-%m-%dT%H:%M")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Line:
    """A drive that was seen, or an entry of the list or of the exceptions that fits none that was. `state` is what becomes
    of it now: "allowed", "excepted", "refused"."""

    entry: str
    state: str
    plugged: bool = False
    known: KnownDevice | None = None
    exception: DeviceException | None = None


@app.command("list")
def list_(config: ConfigOption = None, json: JsonOption = False) -> None:
    """Drives that were seen, what becomes of each now, and what is allowed and was not seen yet."""
    loaded = configuration(config)
    plugged = {(one.vendor, one.model, one.serial) for one in Bus().devices() if one.storage}
    with opened(loaded) as stores:
        exceptions = stores.devices.last_exceptions()
        lines = list(_lines(_allowed(loaded), exceptions, stores.devices.known(), plugged))
    if json:
        for line in lines:
            print_json(_line_json(line))
        return
    columns = (
        "serial",
        "vendor:product",
        "name",
        "state",
        "until",
        "plugged in",
        "last seen",
        "decided then",
        "user",
        "reason",
        "by",
    )
    print_table(columns, map(_row, lines), empty="No drives were seen.")


@app.command()
def allow(
    drive: Drive,
    until: Annotated[
        str, typer.Option(metavar="DATE", help="Through this day, as 2030-12-31, or to a time, as 2030-12-31T18:00.")
    ],
    reason: Annotated[str, typer.Option(help="Why, for the audit log.")],
    by: Annotated[str | None, typer.Option(metavar="NAME", help="Who allows it, if not who gives the command.")] = None,
    config: ConfigOption = None,
) -> None:
    """Let a drive be used for a time. The guard takes it up at once, and takes the drive away when the time is over."""
    loaded, entry, end = configuration(config), _entry(drive), _end(until)
    if not reason.strip():
        raise typer.BadParameter("has to say something", param_hint="--reason")
    if not _allowed(loaded):
        raise DLPError("every drive is allowed, because [usb] allow names none: an exception would change nothing")
    allower, giver = by or actor(), actor()
    exception = DeviceException(entry=str(entry), until=end, reason=reason.strip(), by=allower)
    with opened(loaded) as stores:
        stores.audit.record(
            "device-excepted", entry=exception.entry, until=end.isoformat(), reason=exception.reason, by=allower, given_by=giver
        )
        stores.devices.allow(exception, added=now())


@app.command()
def revoke(drive: Drive, config: ConfigOption = None) -> None:
    """End an exception before its time. The guard takes the drive away at once."""
    loaded, entry = configuration(config), _entry(drive)
    with opened(loaded) as stores:
        if all(one.entry != str(entry) for one in stores.devices.exceptions(now())):
            raise NotFound("exception in force", str(entry), "dlp devices list")
        stores.audit.record("device-exception-revoked", entry=str(entry), by=actor())
        stores.devices.revoke(str(entry), at=now(), by=actor())


def _allowed(loaded: Configuration) -> tuple[Entry, ...]:
    return parse_all(loaded.usb.allow) if loaded.usb else ()


def _lines(
    allowed: tuple[Entry, ...],
    exceptions: list[DeviceException],
    known: Iterable[KnownDevice],
    plugged: set[tuple[str, str, str]],
) -> Iterator[_Line]:
    excepted = {Entry.parse(one.entry): one for one in exceptions}
    every = {*allowed, *excepted}
    unseen = set(every)
    for one in known:
        seen = one.sighting
        fitting = [entry for entry in every if entry.covers(seen)]
        unseen.difference_update(fitting)
        exception = next((excepted[entry] for entry in fitting if entry in excepted), None)
        yield _Line(
            entry=seen.serial,
            state=_state(allowed, exception, seen),
            plugged=(seen.vendor, seen.model, seen.serial) in plugged,
            known=one,
            exception=exception,
        )
    for entry in sorted(unseen, key=str):
        exception = excepted.get(entry)
        yield _Line(entry=str(entry), state="allowed" if entry in allowed else _until(exception), exception=exception)


def _state(allowed: tuple[Entry, ...], exception: DeviceException | None, seen: Claims) -> str:
    return "allowed" if not allowed or any(entry.covers(seen) for entry in allowed) else _until(exception)


def _until(exception: DeviceException | None) -> str:
    return "excepted" if exception and exception.until > now() else "refused"


def _line_json(line: _Line) -> dict[str, Any]:
    seen, exception = line.known.sighting if line.known else None, line.exception
    return {
        "serial": seen.serial if seen else line.entry,
        "vendor": seen and seen.vendor,
        "product": seen and seen.model,
        "maker": seen and seen.maker,
        "name": seen and seen.product,
        "state": line.state,
        "plugged_in": line.plugged,
        "first_seen": line.known and line.known.first,
        "last_seen": seen and seen.time,
        "decision": seen and seen.decision,
        "user": seen and seen.user,
        "exception": exception
        and {"entry": exception.entry, "until": exception.until, "reason": exception.reason, "by": exception.by},
    }


def _row(line: _Line) -> tuple[str, ...]:
    seen, exception = line.known.sighting if line.known else None, line.exception
    return (
        line.entry or "(none)",
        f"{seen.vendor}:{seen.model}" if seen else "",
        f"{seen.maker} {seen.product}".strip() if seen else "",
        line.state,
        when(exception.until) if exception else "",
        "yes" if line.plugged else "",
        when(seen.time) if seen else "",
        seen.decision if seen else "",
        seen.user if seen else "",
        exception.reason if exception else "",
        exception.by if exception else "",
    )


def _entry(text: str) -> Entry:
    try:
        return Entry.parse(text)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="SERIAL") from None


def _end(text: str) -> datetime:
    """The end of a day, or a moment; local time. Raises typer.BadParameter."""
    for form in _FORMS:
        try:
            moment = datetime.strptime(text, form).astimezone()
        except ValueError:
            continue
        end = (moment + timedelta(days=form == _FORMS[0])).astimezone(UTC)
        if end <= now():
            raise typer.BadParameter(f"{text} is over", param_hint="--until")
        return end
    raise typer.BadParameter(f"{text!r} is no date such as 2030-12-31 or 2030-12-31T18:00", param_hint="--until")
