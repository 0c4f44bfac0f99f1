"""What is known of a spooled message: its envelope, and what has become of each recipient. Pure.

A file of the spool is one line of JSON (the envelope), an empty line, and the message as it goes out.
The file is never changed; what happens to it later is a journal beside it, one line of JSON a mark.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Literal

from dlp.channels.smtp_syntax import Address

VERSION = 1

Action = Literal["failed", "delayed", "relayed"]
"""What a sender is told of a recipient, in the words of RFC 3464 section 2.3.3."""
ACTIONS: tuple[Action, ...] = ("failed", "relayed", "delayed")


class Fate(StrEnum):
    """Where a recipient stands."""

    WAITING = "waiting"
    TAKEN = "taken"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class SpoolEnvelope:
    """The first line of a file. `queued` is aware; `size` is the message's, in bytes. `once`: its id stands for
    this very message, which is not to be taken again when it has gone."""

    id: str
    queued: datetime
    sender: Address
    recipients: tuple[Address, ...]
    size: int
    once: bool = False

    def line(self) -> bytes:
        """One line of ASCII without its end."""
        value = {
            "v": VERSION,
            "id": self.id,
            "queued": self.queued.isoformat(),
            "size": self.size,
            "sender": self.sender.as_json(),
            "recipients": [recipient.as_json() for recipient in self.recipients],
            "once": self.once,
        }
        return json.dumps(value).encode("ascii")

    @classmethod
    def parse(cls, line: bytes) -> "SpoolEnvelope":
        """The inverse of `line`. Raises ValueError for what is none."""
        value = _object(line)
        if value.get("v") != VERSION:
            raise ValueError("the envelope is of a version that is not known here")
        try:
            envelope = cls(
                id=value["id"],
                queued=_moment(value["queued"]),
                sender=Address.from_json(value["sender"]),
                recipients=tuple(Address.from_json(one) for one in value["recipients"]),
                size=value["size"],
                once=value["once"],
            )
        except (KeyError, TypeError) as error:
            raise ValueError("the envelope lacks something") from error
        if type(envelope.id) is not str or type(envelope.size) is not int or type(envelope.once) is not bool:
            raise ValueError("the envelope has a value of a wrong type")
        if envelope.size < 0 or not envelope.recipients:
            raise ValueError("the envelope names no recipient, or no size")
        return envelope


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """One thing that happened at `at`. Recipients go by their place in the envelope.

    `replies`: an attempt, and what the next hop said for each recipient it was made for; `lacks_dsn`: that
    next hop tells no sender of success (RFC 3461). `given_up`: not tried any more. `told`: what the sender
    was told of `about`.
    """

    at: datetime
    replies: Mapping[int, str] = field(default_factory=dict)
    lacks_dsn: bool = False
    given_up: tuple[int, ...] = ()
    told: str = ""
    about: tuple[int, ...] = ()

    def line(self) -> bytes:
        """One line of ASCII with its end."""
        value: dict[str, Any] = {"at": self.at.isoformat()}
        if self.replies:
            value |= {"replies": {str(place): reply for place, reply in self.replies.items()}, "lacks_dsn": self.lacks_dsn}
        if self.given_up:
            value["given_up"] = list(self.given_up)
        if self.told:
            value |= {"told": self.told, "about": list(self.about)}
        return json.dumps(value).encode("ascii") + b"\n"

    @classmethod
    def parse(cls, line: bytes) -> "Mark":
        """The inverse of `line`. Raises ValueError for what is none."""
        value = _object(line)
        try:
            return cls(
                at=_moment(value["at"]),
                replies={int(place): str(reply) for place, reply in value.get("replies", {}).items()},
                lacks_dsn=bool(value.get("lacks_dsn", False)),
                given_up=tuple(map(int, value.get("given_up", ()))),
                told=str(value.get("told", "")),
                about=tuple(map(int, value.get("about", ()))),
            )
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError("a mark lacks something") from error


def marks_of(journal: bytes) -> tuple[tuple[Mark, ...], int]:
    """The marks, and the length of what they take: a line that was cut short at the end was never acknowledged.

    Raises ValueError for anything else that is no mark.
    """
    whole = journal.rfind(b"\n") + 1
    return tuple(Mark.parse(line) for line in journal[:whole].splitlines()), whole


class History:
    """An envelope with all its marks."""

    def __init__(self, envelope: SpoolEnvelope, marks: Iterable[Mark] = ()) -> None:
        self.envelope = envelope
        self.tries = 0
        self.last: datetime | None = None
        self.reports = 0
        self._fates = [Fate.WAITING] * len(envelope.recipients)
        self._marks: list[Mark] = [Mark(at=envelope.queued)] * len(envelope.recipients)
        self._given_up: set[int] = set()
        self._told: set[tuple[str, int]] = set()
        for mark in marks:
            self.add(mark)

    def add(self, mark: Mark) -> None:
        """One more mark. Raises ValueError for one about a recipient there is not."""
        if any(not 0 <= place < len(self._fates) for place in (*mark.replies, *mark.given_up, *mark.about)):
            raise ValueError("a mark is about a recipient there is not")
        if mark.replies:
            self.tries += 1
            self.last = mark.at
        for place, reply in mark.replies.items():
            self._fates[place] = {"2": Fate.TAKEN, "5": Fate.FAILED}.get(reply[:1], Fate.WAITING)
            self._marks[place] = mark
        for place in mark.given_up:
            self._fates[place] = Fate.FAILED
            self._given_up.add(place)
        if mark.told:
            self.reports += 1
            self._told |= {(mark.told, place) for place in mark.about}

    @property
    def waiting(self) -> tuple[int, ...]:
        """Who has not got it yet and may still."""
        return tuple(place for place, fate in enumerate(self._fates) if fate is Fate.WAITING)

    def fate(self, place: int) -> Fate:
        """Where this recipient stands."""
        return self._fates[place]

    def reply(self, place: int) -> str:
        """The last that was said for this recipient; "" before the first attempt."""
        return self._marks[place].replies.get(place, "")

    def tried(self, place: int) -> datetime | None:
        """When that was."""
        return self._marks[place].at if self._marks[place].replies else None

    def given_up(self, place: int) -> bool:
        """It was not refused for good; its time ran out."""
        return place in self._given_up

    @property
    def last_reply(self) -> str:
        """What was said last for one who waits; else for anybody."""
        places = self.waiting or range(len(self._fates))
        return next((reply for place in places if (reply := self.reply(place))), "")

    def untold(self, action: Action, *, now: datetime, warn: timedelta) -> tuple[int, ...]:
        """Of whom the sender is to be told so and has not been, as NOTIFY asks (RFC 3461 section 4.1).

        `warn` is the age at which a delay is worth telling.
        """
        wanted = []
        for place, fate in enumerate(self._fates):
            happened = {
                "failed": fate is Fate.FAILED,
                "relayed": fate is Fate.TAKEN and self._marks[place].lacks_dsn,
                "delayed": fate is Fate.WAITING and self.tries > 0 and now - self.envelope.queued >= warn,
            }[action]
            if happened and (action, place) not in self._told and wants(self.envelope.recipients[place], action):
                wanted.append(place)
        return tuple(wanted)


_NOTIFY: dict[Action, str] = {"failed": "FAILURE", "delayed": "DELAY", "relayed": "SUCCESS"}


def wants(recipient: Address, action: Action) -> bool:
    """Whether the sender wants to be told this of `recipient`: by default, of failure and delay."""
    asked = recipient.param("NOTIFY")
    return _NOTIFY[action] in (asked.upper().split(",") if asked else ("FAILURE", "DELAY"))


def _object(line: bytes) -> dict[str, Any]:
    try:
        value = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise ValueError("a line is not JSON") from error
    if not isinstance(value, dict):
        raise ValueError("a line is no JSON object")
    return value


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError("a time has no zone")
    return moment
