"""The shapes that the outer contract promises: every key, and the types it may have. A verb may print more keys."""

from collections.abc import Mapping
from typing import Any

Shape = Mapping[str, tuple[type, ...]]
NONE = type(None)

SCAN: Shape = {
    "path": (str,),
    "sha256": (str, NONE),
    "size": (int, NONE),
    "media_type": (str,),
    "action": (str,),
    "level": (str, NONE),
    "level_name": (str, NONE),
    "findings": (list,),
    "unscannable": (list,),
    "seconds": (float,),
}
FINDING: Shape = {
    "signature": (str,),
    "category": (str, NONE),
    "level": (str, NONE),
    "confidence": (int,),
    "count": (int,),
    "trail": (list,),
    "zone": (str,),
    "excerpt": (str,),
}
UNSCANNABLE: Shape = {"trail": (list,), "why": (str,)}
INCIDENT: Shape = {
    "id": (str,),
    "opened": (str,),
    "closed": (str, NONE),
    "state": (str,),
    "channel": (str,),
    "action": (str,),
    "enforced": (bool,),
    "level": (str, NONE),
    "origin": (dict,),
    "findings": (list,),
    "unscannable": (list,),
    "rules": (list,),
    "quarantine": (str, NONE),
}
HELD: Shape = {
    "id": (str,),
    "incident": (str,),
    "channel": (str,),
    "stored": (str,),
    "size": (int,),
    "sha256": (str,),
    "level": (str, NONE),
    "origin": (dict,),
    "state": (str,),
    "approve_by": (list,),
}
MAIL_ORIGIN: Shape = {
    "peer": (str,),
    "user": (str, NONE),
    "sender": (str,),
    "recipients": (list,),
    "subject": (str, NONE),
    "queue_id": (str, NONE),
}
FILE_ORIGIN: Shape = {"path": (str,), "volume": (str,), "owner": (str,), "device": (str,)}
ZONES = {"body", "header", "footer", "watermark", "textbox", "title", "subject", "filename", "note", "comment", "hidden"}
ZONES |= {"property", "raw"}


def holds(value: Mapping[str, Any], shape: Shape) -> None:
    """Fails unless `value` has every key of `shape`, of one of its types, with nested ones as promised too."""
    for key, types in shape.items():
        assert key in value, key
        assert type(value[key]) in types, (key, value[key])
    for finding in value.get("findings", ()):
        holds(finding, FINDING)
        assert finding["zone"] in ZONES
        assert all(isinstance(step, str) for step in finding["trail"])
    for place in value.get("unscannable", ()):
        holds(place, UNSCANNABLE)
    if "origin" in value:
        holds(value["origin"], FILE_ORIGIN if "path" in value["origin"] else MAIL_ORIGIN)
