"""Events for machines: one JSON object an incident, in OCSF's words.

Open Cybersecurity Schema Framework 1.3, class Data Security Finding (class_uid 2006, category 2
Findings). Enumerations: `severity_id`, `action_id`, `disposition_id`, `status_id` of that class.
"""

from collections.abc import Iterable
from typing import Any

import structlog

from dlp import __version__
from dlp.model import Action, Envelope, Finding, Mode
from dlp.ports import Incident, Sighting

_DISPOSITION = {
    Action.ALLOW: (1, "Allowed"),
    Action.ALERT: (19, "Alert"),
    Action.QUARANTINE: (3, "Quarantined"),
    Action.BLOCK: (2, "Blocked"),
}
_SEVERITY = {
    Action.ALLOW: (1, "Informational"),
    Action.ALERT: (2, "Low"),
    Action.QUARANTINE: (4, "High"),
    Action.BLOCK: (5, "Critical"),
}
_FAILED = (27, "Error")
_PRODUCT = {"name": "dlp", "vendor_name": "dlp", "version": __version__}


def ocsf(incident: Incident) -> dict[str, Any]:
    """`incident` as an OCSF Data Security Finding; holds masked excerpts and no content."""
    action = incident.verdict.action
    disposition = _DISPOSITION[action] if incident.state != "failed" else _FAILED
    withheld = action >= Action.QUARANTINE
    return {
        "class_uid": 2006,
        "class_name": "Data Security Finding",
        "category_uid": 2,
        "activity_id": 1,
        "type_uid": 200601,
        "time": int(incident.opened.timestamp() * 1000),
        "severity_id": _SEVERITY[action][0],
        "severity": _SEVERITY[action][1],
        "action_id": 2 if withheld else 1,
        "action": "Denied" if withheld else "Allowed",
        "disposition_id": disposition[0],
        "disposition": disposition[1],
        "status": incident.state,
        "status_detail": incident.error,
        "metadata": {"version": "1.3.0", "product": _PRODUCT},
        "finding_info": {"uid": incident.id, "title": ", ".join(incident.verdict.rules), "types": _signatures(_acting(incident))},
        "confidence_score": max((finding.confidence for finding in _acting(incident)), default=0),
        "unmapped": {
            "channel": incident.channel.value,
            "level": incident.verdict.level,
            "quarantine": incident.quarantine,
            "attachments_replaced": incident.verdict.replace and incident.state == "closed",
            "sha256": incident.sha256,
            "size": incident.size,
            "shadow": _signatures(one for one in incident.findings if one.mode is Mode.SHADOW),
            "unscannable": sorted({place.why.value for place in incident.unscannable}),
            "origin": _origin(incident),
        },
    }


def ocsf_drive(sighting: Sighting) -> dict[str, Any]:
    """A drive that device control judged, as an OCSF Base Event: no class of 1.3 is about peripherals that are let in."""
    denied = sighting.decision in ("refused", "ended")
    disposition = _DISPOSITION[Action.BLOCK if denied else Action.ALLOW]
    severity = _SEVERITY[Action.ALERT if denied or sighting.decision == "kept" else Action.ALLOW]
    return {
        "class_uid": 0,
        "class_name": "Base Event",
        "category_uid": 0,
        "activity_id": 99,
        "activity_name": "USB drive",
        "type_uid": 99,
        "time": int(sighting.time.timestamp() * 1000),
        "severity_id": severity[0],
        "severity": severity[1],
        "action_id": 2 if denied else 1,
        "action": "Denied" if denied else "Allowed",
        "disposition_id": disposition[0],
        "disposition": disposition[1],
        "status": sighting.decision,
        "metadata": {"version": "1.3.0", "product": _PRODUCT},
        "unmapped": {
            "vendor_id": sighting.vendor,
            "product_id": sighting.model,
            "serial": sighting.serial,
            "maker": sighting.maker,
            "product": sighting.product,
            "user": sighting.user,
        },
    }


def _acting(incident: Incident) -> list[Finding]:
    return [finding for finding in incident.findings if finding.mode is Mode.ENFORCE]


def _signatures(findings: Iterable[Finding]) -> list[str]:
    return sorted({finding.signature for finding in findings})


def _origin(incident: Incident) -> dict[str, Any]:
    origin = incident.origin
    if isinstance(origin, Envelope):
        return {"peer": origin.peer, "user": origin.user, "sender": origin.sender, "recipients": list(origin.recipients)}
    return {"path": origin.path, "volume": origin.volume, "owner": origin.owner, "device": origin.device}


class EventLog:
    """Writes each incident as one JSON line where the daemon logs; implements `ports.Notify`."""

    def __init__(self) -> None:
        self._log = structlog.get_logger("dlp.incident")

    async def incident(self, incident: Incident) -> None:
        """Never fails for what the incident holds."""
        self._log.warning("incident", **ocsf(incident))

    def drive(self, sighting: Sighting) -> None:
        """A drive that device control judged."""
        self._log.warning("usb drive", **ocsf_drive(sighting))
