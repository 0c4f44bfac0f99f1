"""`dlp incidents`: what was found and what was done."""

from pathlib import Path
from typing import Annotated, Any

import typer

from dlp.cli.common import (
    ConfigOption,
    JsonOption,
    NotFound,
    actor,
    configuration,
    finding_json,
    origin_json,
    origin_line,
    print_fields,
    print_json,
    print_table,
    unscannable_json,
    when,
)
from dlp.cli.stores import opened
from dlp.config import CHECKOUT
from dlp.model import Channel, Finding
from dlp.policy.marks import borne
from dlp.policy.profiles import Profile, load_profile
from dlp.ports import Incident

app = typer.Typer(help="What was found and what was done.", no_args_is_help=True)

_SHOWN = ("id", "opened", "closed", "state", "channel", "action", "enforced", "level", "quarantine", "sha256", "size", "error")

OUTCOMES = ("confirmed", "false-positive", "other")
"""What a reviewer may say of an incident."""


def incident_json(incident: Incident) -> dict[str, Any]:
    """An incident as the contract prints it, with what a reviewer said."""
    return {
        "id": incident.id,
        "opened": incident.opened,
        "closed": incident.closed,
        "state": incident.state,
        "channel": incident.channel.value,
        "action": str(incident.verdict.action),
        "enforced": incident.enforced,
        "level": incident.verdict.level,
        "origin": origin_json(incident.origin),
        "findings": [finding_json(finding) for finding in incident.findings],
        "unscannable": [unscannable_json(place) for place in incident.unscannable],
        "rules": list(incident.verdict.rules),
        "reasons": list(incident.verdict.reasons),
        "quarantine": incident.quarantine,
        "sha256": incident.sha256,
        "size": incident.size,
        "error": incident.error,
        "review": incident.review,
        "reviewed_by": incident.reviewed_by,
    }


@app.command("list")
def list_(
    config: ConfigOption = None,
    json: JsonOption = False,
    state: Annotated[str | None, typer.Option(help="Only these: open, closed, interrupted, failed.")] = None,
    channel: Annotated[Channel | None, typer.Option(help="Only what came this way.")] = None,
) -> None:
    """All incidents, oldest first."""
    with opened(configuration(config)) as stores:
        found = stores.incidents.list(state=state, channel=channel)
        if json:
            for incident in found:
                print_json(incident_json(incident))
        else:
            columns = ("incident", "opened", "channel", "action", "level", "state", "quarantine", "origin", "rules")
            print_table(columns, map(_row, found), empty="No incidents.")


def _row(incident: Incident) -> tuple[str, ...]:
    verdict = incident.verdict
    return (
        incident.id,
        when(incident.opened),
        incident.channel.value,
        str(verdict.action),
        verdict.level or "",
        incident.state,
        incident.quarantine or "",
        origin_line(incident.origin),
        ", ".join(verdict.rules),
    )


@app.command()
def show(identity: Annotated[str, typer.Argument(metavar="ID")], config: ConfigOption = None, json: JsonOption = False) -> None:
    """One incident, whole."""
    loaded = configuration(config)
    with opened(loaded) as stores:
        incident = stores.incidents.get(identity)
    if incident is None:
        raise NotFound("incident", identity, "dlp incidents list")
    if json:
        print_json(incident_json(incident))
    else:
        _show(incident, load_profile(Path(loaded.profile), CHECKOUT))


def _show(incident: Incident, profile: Profile) -> None:
    data = incident_json(incident)
    facts = {key: data[key] for key in _SHOWN} | data["origin"] | {"review": incident.review, "reviewed by": incident.reviewed_by}
    facts |= {"opened": when(incident.opened), "closed": when(incident.closed), "because": "; ".join(incident.verdict.reasons)}
    facts["marking"] = borne(profile, incident.findings, profile.language)
    print_fields(facts)
    found = [
        (f.signature, f.level or "", str(f.count), str(f.confidence), " / ".join(f.trail), f.zone.value, f.excerpt, _told(f))
        for f in incident.findings
    ]
    print_table(("signature", "level", "count", "confidence", "where", "zone", "excerpt", "facts"), found, empty="No findings.")
    unread = [(place.why.value, " / ".join(place.trail), place.detail) for place in incident.unscannable]
    if unread:
        print_table(("unscannable", "where", "detail"), unread, empty="")


def _told(finding: Finding) -> str:
    return "; ".join(f"{key} {value}" for key, value in finding.facts.items())


@app.command()
def close(
    identity: Annotated[str, typer.Argument(metavar="ID")],
    outcome: Annotated[str, typer.Option(help=f"One of: {', '.join(OUTCOMES)}.")] = "confirmed",
    config: ConfigOption = None,
) -> None:
    """Record what a person says of an incident, and close one that was interrupted or failed."""
    if outcome not in OUTCOMES:
        raise typer.BadParameter(f"{outcome!r} is none of {', '.join(OUTCOMES)}", param_hint="--outcome")
    with opened(configuration(config)) as stores:
        if stores.incidents.get(identity) is None:
            raise NotFound("incident", identity, "dlp incidents list")
        stores.audit.record("incident-reviewed", incident=identity, outcome=outcome, by=actor())
        stores.incidents.review(identity, outcome, actor())
