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
    styled_line,
    unscannable_json,
    when,
)
from dlp.cli.explaining import explain_of
from dlp.cli.stores import opened
from dlp.config import CHECKOUT
from dlp.errors import DLPError
from dlp.explain import Explain
from dlp.model import Channel
from dlp.policy.marks import borne
from dlp.policy.profiles import Profile, load_profile
from dlp.ports import Incident

app = typer.Typer(help="What was found and what was done.", no_args_is_help=True)

_SHOWN = ("id", "opened", "closed", "state", "channel", "action", "enforced", "level", "quarantine", "sha256", "size", "error")

FALSE_POSITIVE = "false-positive"
OUTCOMES = ("confirmed", FALSE_POSITIVE, "other")
"""What a reviewer may say of an incident."""


def incident_json(incident: Incident, explain: Explain) -> dict[str, Any]:
    """An incident as the contract prints it, with what a reviewer said and why each finding is one."""
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
        "findings": [finding_json(finding, explain) for finding in incident.findings],
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
    loaded = configuration(config)
    with opened(loaded) as stores:
        found = stores.incidents.list(state=state, channel=channel)
        if json:
            explain = explain_of(loaded)
            for incident in found:
                print_json(incident_json(incident, explain))
        else:
            columns = ("incident", "opened", "channel", "action", "level", "state", "review", "quarantine", "origin", "rules")
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
        incident.review,
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
    explain = explain_of(loaded)
    if json:
        print_json(incident_json(incident, explain))
    else:
        _show(incident, explain, load_profile(Path(loaded.profile), CHECKOUT))


def _show(incident: Incident, explain: Explain, profile: Profile) -> None:
    data = incident_json(incident, explain)
    facts = {key: data[key] for key in _SHOWN} | data["origin"] | {"review": incident.review, "reviewed by": incident.reviewed_by}
    facts |= {"opened": when(incident.opened), "closed": when(incident.closed), "because": "; ".join(incident.verdict.reasons)}
    facts["marking"] = borne(profile, incident.findings, profile.language)
    print_fields(facts)
    found = [
        (
            finding.signature,
            finding.level or "",
            str(finding.count),
            str(finding.confidence),
            finding.mode.value,
            finding.facts.get("review", ""),
            " / ".join(finding.trail),
            finding.zone.value,
            finding.excerpt,
        )
        for finding in incident.findings
    ]
    columns = ("signature", "level", "count", "confidence", "mode", "review", "where", "zone", "excerpt")
    print_table(columns, found, empty="No findings.")
    for finding in data["findings"]:
        for language, why in finding["why"].items():
            styled_line(f"{language}  {why}")
    unread = [(place.why.value, " / ".join(place.trail), place.detail) for place in incident.unscannable]
    if unread:
        print_table(("unscannable", "where", "detail"), unread, empty="")


@app.command()
def close(
    identity: Annotated[str, typer.Argument(metavar="ID")],
    outcome: Annotated[str | None, typer.Option(help=f"One of: {', '.join(OUTCOMES)}; confirmed if nothing is said.")] = None,
    false_positive: Annotated[bool, typer.Option("--false-positive", help="The findings are false alarms.")] = False,
    signature: Annotated[
        list[str] | None, typer.Option(help="Only this signature's findings are false alarms, the others right; may be repeated.")
    ] = None,
    config: ConfigOption = None,
) -> None:
    """Record what a person says of an incident, and close one that was interrupted or failed.

    What is said counts in `dlp signatures report`.
    """
    if outcome is not None and outcome not in OUTCOMES:
        raise typer.BadParameter(f"{outcome!r} is none of {', '.join(OUTCOMES)}", param_hint="--outcome")
    false = false_positive or outcome == FALSE_POSITIVE
    if false_positive and outcome not in (None, FALSE_POSITIVE):
        raise typer.BadParameter(f"says something else than --outcome {outcome}", param_hint="--false-positive")
    if signature and not false:
        raise typer.BadParameter("names false alarms; add --false-positive", param_hint="--signature")
    with opened(configuration(config)) as stores:
        incident = stores.incidents.get(identity)
        if incident is None:
            raise NotFound("incident", identity, "dlp incidents list")
        wrong = _false(incident, signature) if false else frozenset[str]()
        said = outcome or "confirmed"
        if false:
            said = FALSE_POSITIVE if wrong >= {finding.signature for finding in incident.findings} else "confirmed"
        stores.audit.record("incident-reviewed", incident=identity, outcome=said, false=sorted(wrong), by=actor())
        stores.incidents.review(identity, said, actor(), false=wrong)


def _false(incident: Incident, named: list[str] | None) -> frozenset[str]:
    """The signatures whose findings are false alarms. Raises DLPError for one that found nothing here."""
    found = {finding.signature for finding in incident.findings}
    if unknown := sorted(set(named or ()) - found):
        raise DLPError(f"{unknown[0]} found nothing in {incident.id}; found there: {', '.join(sorted(found)) or 'nothing'}")
    return frozenset(named or found)
