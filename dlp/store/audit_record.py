"""One line of the audit log, and what ties it to the line before.

A record is a JSON object in canonical spelling (dlp.store.codec.canonical): `seq` from 1, `time`
(UTC, RFC 3339), `event`, `facts`, `prev` (the hash of the record before; 64 zeros on the first)
and `hash`: HMAC-SHA-256 (RFC 2104) over the canonical spelling of all the others, `prev` among
them, under a key only the key file gives. Who has the file but not the key can forge no record.
"""

import hashlib
import hmac
import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from dlp.store.codec import canonical
from dlp.store.schema import rfc3339

GENESIS = "0" * 64
REPAIRED = "audit-repaired"
"""The event that explains what an append found wrong: `torn_sha256` and `torn_bytes` of a line a power cut left
unfinished, `reason` in words."""
HEAD_CHANGED = "the head in the database was changed"
HEAD_GONE = "the head in the database is gone"
"""Reasons that leave no other trace in the log: they stay a problem for ever."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """The end of a chain: the last record's number and hash."""

    seq: int = 0
    hash: str = GENESIS


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """A record whose hash is right."""

    seq: int
    time: datetime
    event: str
    facts: dict[str, Any]
    prev: str
    hash: str

    @property
    def head(self) -> Head:
        return Head(seq=self.seq, hash=self.hash)


def line_after(head: Head, key: bytes, *, time: datetime, event: str, facts: dict[str, object]) -> tuple[bytes, Head]:
    """The line that follows `head`, with its newline, and the new head. Raises TypeError for a fact that is no plain value."""
    record = {"seq": head.seq + 1, "time": rfc3339(time), "event": event, "facts": _plain(facts), "prev": head.hash}
    digest = _hash(record, key)
    return canonical(record | {"hash": digest}).encode("ascii") + b"\n", Head(seq=head.seq + 1, hash=digest)


def authentic(line: bytes, key: bytes) -> Record | None:
    """The record in `line` (without its newline), or None where it is not exactly what `line_after` wrote."""
    record = _object(line)
    if record is None or record.keys() != {"seq", "time", "event", "facts", "prev", "hash"}:
        return None
    stated = record.pop("hash")
    if not isinstance(stated, str) or not hmac.compare_digest(stated.encode(), _hash(record, key).encode()):
        return None
    if canonical(record | {"hash": stated}).encode("ascii") != line:
        return None
    return Record(hash=stated, **(record | {"time": datetime.fromisoformat(record["time"])}))


def claimed(line: bytes) -> int | None:
    """The number a line gives itself, right or wrong."""
    record = _object(line) or {}
    seq = record.get("seq")
    return seq if isinstance(seq, int) else None


def mac(head: Head, key: bytes) -> str:
    """Seals a head that is kept elsewhere."""
    return _hash({"anchor": head.hash, "seq": head.seq}, key)


def _object(line: bytes) -> dict[str, Any] | None:
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _hash(record: dict[str, Any], key: bytes) -> str:
    return hmac.new(key, _spelled(record), hashlib.sha256).hexdigest()


def _spelled(record: dict[str, Any]) -> bytes:
    # A forged line may hold NaN, which has no canonical spelling; it must fail the comparison, not the check.
    try:
        return canonical(record).encode("ascii")
    except ValueError:
        return b""


def _plain(facts: dict[str, object]) -> dict[str, object]:
    return {name: _value(name, value) for name, value in facts.items()}


def _value(name: str, value: object) -> object:
    if value is None or isinstance(value, str | int | float | bool):
        return value
    if isinstance(value, list | tuple):
        return [_value(name, one) for one in value]
    raise TypeError(f"audit fact {name!r} is a {type(value).__name__}; facts are text, numbers, booleans, None and lists of them")
