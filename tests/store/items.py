"""Items, verdicts and inspections for the tests of the store."""

import itertools
from collections.abc import Callable
from datetime import UTC, datetime

from dlp.blob import Blob
from dlp.model import Action, Channel, Envelope, FileOrigin, Finding, Inspection, Item, Origin, Unscannable, Verdict, Why

MakeItem = Callable[..., Item]

VERDICT = Verdict(
    action=Action.QUARANTINE,
    level="secret",
    rules=("a rule", "another"),
    reasons=("because",),
    approve_by=("department-head",),
    notify=("security@example.com",),
)
INSPECTION = Inspection(
    findings=(
        Finding(
            signature="cn_id", category="personal", count=3, trail=("a.zip", "b.docx"), excerpt="11**58", facts={"term": "1年"}
        ),
        Finding(signature="caf\udce9", trail=("name\udcff.txt",)),
    ),
    unscannable=(Unscannable(why=Why.ENCRYPTED, trail=("c.7z",), detail="needs a password"),),
)

_numbers = itertools.count(1)


def now() -> datetime:
    return datetime.now(UTC)


def a_file(path: str = "/mnt/usb/a.docx") -> FileOrigin:
    return FileOrigin(path=path, volume="/mnt/usb", owner="alice", device="8:17", inode=12)


def an_envelope(subject: str | None = "quarterly figures, final") -> Envelope:
    return Envelope(
        peer="192.0.2.1:4711",
        sender="a\udcff@example.com",
        recipients=("b@example.net", "c@example.net"),
        user="alice",
        subject=subject,
    )


def an_item(content: bytes = b"content", origin: Origin | None = None, channel: Channel | None = None) -> Item:
    """An item over a sealed copy of `content`; whoever calls closes the blob."""
    origin = origin or a_file()
    channel = channel or (Channel.USB if isinstance(origin, FileOrigin) else Channel.MAIL)
    return Item(id=f"item-{next(_numbers)}", channel=channel, origin=origin, blob=Blob.of([content]), arrived=now())
