"""The shape of policy.toml, checked before anything is made of it. What the keys mean: dlp.policy.rules."""

from dataclasses import dataclass, fields
from typing import Any, Literal

from dlp.model import Channel, Why, Zone


@dataclass(frozen=True, slots=True, kw_only=True)
class SenderTable:
    """The shape of a sender condition written as a table."""

    address: tuple[str, ...] | None = None
    role: tuple[str, ...] | None = None
    not_role: tuple[str, ...] | None = None
    department: tuple[str, ...] | None = None
    status: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class When:
    """The shape of `when`, after `plural` has made lists of single values."""

    channel: tuple[Channel, ...] | None = None
    level: tuple[str, ...] | None = None
    category: tuple[str, ...] | None = None
    signature: tuple[str, ...] | None = None
    zone: tuple[Zone, ...] | None = None
    confidence: int | None = None
    marked: bool | None = None
    count: str | None = None
    unscannable: tuple[Why, ...] | None = None
    recipients: tuple[str, ...] | None = None
    transport: tuple[Literal["clear", "unverified"], ...] | None = None
    destination_tls: bool | None = None
    sender: SenderTable | None = None
    user: tuple[str, ...] | None = None
    device: tuple[str, ...] | None = None
    path: tuple[str, ...] | None = None
    size: str | None = None
    time: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleTable:
    """The shape of one rule."""

    name: str
    when: When
    then: Literal["allow", "alert", "quarantine", "block"]
    notify: tuple[str, ...] = ()
    approve_by: tuple[str, ...] = ()
    replace: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyFile:
    """The shape of policy.toml."""

    rule: tuple[RuleTable, ...]


_LISTS = {f.name for shape in (When, SenderTable, RuleTable) for f in fields(shape) if "tuple" in str(f.type)}


def plural(document: dict[str, Any]) -> dict[str, Any]:
    """`document` with a list wherever one value may stand for it.

    So the shapes need no unions, whose faults pydantic reports once for every member. What has no such shape is
    left for the check to refuse.
    """
    rules = document.get("rule")
    return {**document, "rule": [_plural_rule(rule) for rule in rules]} if isinstance(rules, list) else document


def _plural_rule(rule: Any) -> Any:
    if not isinstance(rule, dict):
        return rule
    return {key: _plural_when(value) if key == "when" else _listed(key, value) for key, value in rule.items()}


def _plural_when(when: Any) -> Any:
    if not isinstance(when, dict):
        return when
    made = {key: _listed(key, value) for key, value in when.items()}
    if made.get("unscannable") is True:
        made["unscannable"] = [why.value for why in Why]
    for key in ("count", "size"):
        if type(made.get(key)) is int:  # a bool is none
            made[key] = f">={made[key]}"
    sender = made.get("sender")
    if isinstance(sender, str | list):
        sender = {"address": sender}
    if isinstance(sender, dict):
        made["sender"] = {key: _listed(key, value) for key, value in sender.items()}
    return made


def _listed(key: str, value: Any) -> Any:
    return [value] if key in _LISTS and isinstance(value, str) else value
