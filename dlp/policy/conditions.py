"""What a rule may ask about an item, one small class a question.

Every condition answers with a phrase for the reasons, or None where it does not hold. Phrases are made of the
rule's own words and of ids: no content, no address, no path of the item. None of them can stop holding because a
finding or an unscannable place was added: they ask whether something is there, never whether it is absent.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, time
from fnmatch import fnmatchcase
from typing import Protocol

from dlp.model import Channel, Envelope, FileOrigin, Finding, Item, Transport, Unscannable, Why, Zone
from dlp.policy.addresses import Address, AddressPattern
from dlp.policy.marks import borne, is_mark
from dlp.policy.people import Person
from dlp.policy.profiles import Profile

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_LISTED = 3
"""Names that a reason lists before it says how many more there are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Correspondent:
    """A sender or a recipient, with what the operator's files say of it on the day.

    `address` is None for the unknown outsider to whom a scanned file might go. `partner`: outside, and under an
    agreement that holds. `tls`: one of these says that mail to there goes over TLS or not at all.
    """

    address: Address | None
    inside: bool = False
    partner: bool = False
    tls: bool = False
    person: Person | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One item as the rules are asked about it.

    `channel` is the one it is asked as; `findings` are the enforced ones, graded; `now` is the item's arrival in
    local time. Files have no sender and no recipients.
    """

    item: Item
    channel: Channel
    findings: tuple[Finding, ...]
    unscannable: tuple[Unscannable, ...]
    now: datetime
    sender: Correspondent | None = None
    recipients: tuple[Correspondent, ...] = ()


class Condition(Protocol):
    """One question about a case."""

    def holds(self, case: Case) -> str | None:
        """A phrase saying why it holds, the same for the same set of findings in any order; else None."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelIs:
    channels: frozenset[Channel]

    def holds(self, case: Case) -> str | None:
        return f"channel {case.channel.value}" if case.channel in self.channels else None


@dataclass(frozen=True, slots=True, kw_only=True)
class FindingsAre:
    """Some findings meet every test given, and their counts together reach `count`.

    One and the same finding must meet all the tests: a level met by one finding and a confidence met by another
    is no match. None is a test not given. The counts of one finding are distinct matches; the same value in two
    places of an item is two findings and counts twice. `marked` asks whether the finding is a mark of the document or
    stands on its content alone; that the item bears no mark cannot be asked, for one more finding would end it. The
    reason tells it.
    """

    profile: Profile
    levels: frozenset[str] | None = None
    level_words: str = ""
    categories: frozenset[str] | None = None
    signatures: tuple[str, ...] | None = None
    zones: frozenset[Zone] | None = None
    confidence: int | None = None
    marked: bool | None = None
    count: int | None = None

    def holds(self, case: Case) -> str | None:
        matching = [finding for finding in case.findings if self._meets(finding)]
        # A count comes from the child that read hostile content: below 0 it must not take from the others.
        total = sum(max(finding.count, 0) for finding in matching)
        if not matching or total < (self.count or 0):
            return None
        return ", ".join(self._phrases(case, matching, total))

    def _meets(self, finding: Finding) -> bool:
        return (
            (self.levels is None or finding.level in self.levels)
            and (self.categories is None or finding.category in self.categories)
            and (self.signatures is None or any(fnmatchcase(finding.signature, glob) for glob in self.signatures))
            and (self.zones is None or finding.zone in self.zones)
            and (self.confidence is None or finding.confidence >= self.confidence)
            and (self.marked is None or is_mark(finding) is self.marked)
        )

    def _phrases(self, case: Case, matching: list[Finding], total: int) -> Iterable[str]:
        if self.levels is not None:
            yield f"level {self.profile.highest(*(f.level for f in matching))} ({self.level_words})"
        if self.categories is not None:
            yield f"category {_listed(f.category or '' for f in matching)}"
        if self.signatures is not None:
            yield f"signature {_listed(f.signature for f in matching)}"
        if self.zones is not None:
            yield f"zone {_listed(f.zone.value for f in matching)}"
        if self.confidence is not None:
            yield f"confidence {max(f.confidence for f in matching)} (>={self.confidence})"
        if self.marked is not None:
            yield "marked" if self.marked else borne(self.profile, case.findings) or "found by content"
        if self.count is not None:
            yield f"count {total} (>={self.count})"


@dataclass(frozen=True, slots=True, kw_only=True)
class UnscannableIs:
    """Some place could not be read, for one of the reasons."""

    reasons: frozenset[Why]

    def holds(self, case: Case) -> str | None:
        met = {place.why.value for place in case.unscannable if place.why in self.reasons}
        return f"unscannable: {', '.join(sorted(met))}" if met else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Correspondence:
    """One entry of `recipients` or of a sender's `address`, as the operator wrote it in `words`.

    `pattern` is None for the four words: `internal` (inside), `external` (everybody else, partners included),
    `partner` (external, under an agreement that holds), `stranger` (external, and not a partner).
    """

    words: str
    pattern: AddressPattern | None = None

    def matches(self, one: Correspondent) -> bool:
        if self.pattern is not None:
            return one.address is not None and self.pattern.matches(one.address)
        return {
            "internal": one.inside,
            "external": not one.inside,
            "partner": one.partner,
            "stranger": not one.inside and not one.partner,
        }[self.words]


WORDS = ("external", "internal", "partner", "stranger")


@dataclass(frozen=True, slots=True, kw_only=True)
class RecipientIs:
    """Any one recipient meets any one entry. A file on a share or a drive has none."""

    entries: tuple[Correspondence, ...]

    def holds(self, case: Case) -> str | None:
        met = [entry.words for entry in self.entries if any(map(entry.matches, case.recipients))]
        return f"recipient {', '.join(met)}" if met else None


TRANSPORTS = {
    "clear": frozenset({Transport.CLEAR, Transport.UNKNOWN}),
    "unverified": frozenset({Transport.UNVERIFIED}),
}
"""What a rule may ask of the way to the next hop. What nobody has said counts as clear. What is safe cannot be asked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TransportIs:
    """A message would go on to the next hop over one of the `words`. A file does not go on."""

    words: frozenset[str]

    def holds(self, case: Case) -> str | None:
        origin = case.item.origin
        if not isinstance(origin, Envelope):
            return None
        met = [word for word in sorted(self.words) if origin.transport in TRANSPORTS[word]]
        return f"transport {origin.transport.value}" if met else None


@dataclass(frozen=True, slots=True, kw_only=True)
class DestinationWithoutTls:
    """Some recipient outside is of no partner to whom mail goes over TLS or not at all."""

    def holds(self, case: Case) -> str | None:
        return "destination without TLS" if any(not one.inside and not one.tls for one in case.recipients) else None


@dataclass(frozen=True, slots=True, kw_only=True)
class SenderIs:
    """The sender of a message meets every test given; of a list, any one entry. A file has no sender.

    The sender is that of the SMTP envelope. The null sender, under which an inside server returns mail, is
    internal, and like anybody whom people.toml does not know it has no role, department or status.
    """

    entries: tuple[Correspondence, ...] | None = None
    role: frozenset[str] | None = None
    not_role: frozenset[str] | None = None
    department: frozenset[str] | None = None
    status: frozenset[str] | None = None

    def holds(self, case: Case) -> str | None:
        if case.sender is None:
            return None
        phrases = list(self._phrases(case.sender))
        return None if None in phrases else ", ".join(filter(None, phrases))

    def _phrases(self, sender: Correspondent) -> Iterable[str | None]:
        person = sender.person
        if self.entries is not None:
            met = [entry.words for entry in self.entries if entry.matches(sender)]
            yield f"sender {', '.join(met)}" if met else None
        if self.role is not None:
            held = self.role & set(person.roles if person else ())
            yield f"sender has role {_listed(held)}" if held else None
        if self.not_role is not None:
            held = self.not_role & set(person.roles if person else ())
            yield None if held else f"sender without role {_listed(self.not_role)}"
        if self.department is not None:
            yield f"sender of {person.department}" if person and person.department in self.department else None
        if self.status is not None:
            yield f"sender status {person.status}" if person and person.status in self.status else None


@dataclass(frozen=True, slots=True, kw_only=True)
class UserIs:
    """The authenticated user of a message's session, or the owner of a file: file-name patterns, case counts."""

    globs: tuple[str, ...]

    def holds(self, case: Case) -> str | None:
        origin = case.item.origin
        return _glob_phrase("user", origin.user if isinstance(origin, Envelope) else origin.owner, self.globs)


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceIs:
    """A file's device (a drive's serial): file-name patterns, case counts. A message has none."""

    globs: tuple[str, ...]

    def holds(self, case: Case) -> str | None:
        origin = case.item.origin
        return _glob_phrase("device", origin.device if isinstance(origin, FileOrigin) else None, self.globs)


@dataclass(frozen=True, slots=True, kw_only=True)
class PathIs:
    """A file's absolute path: patterns in which `*` passes over slashes, case counts. A message has none."""

    globs: tuple[str, ...]

    def holds(self, case: Case) -> str | None:
        origin = case.item.origin
        return _glob_phrase("path", origin.path if isinstance(origin, FileOrigin) else None, self.globs)


@dataclass(frozen=True, slots=True, kw_only=True)
class SizeIs:
    """The item's size in bytes lies between `least` and `most`, both included."""

    words: str
    least: int = 0
    most: int | None = None

    def holds(self, case: Case) -> str | None:
        size = case.item.blob.size
        within = self.least <= size and (self.most is None or size <= self.most)
        return f"size {size} ({self.words})" if within else None


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeIs:
    """The item arrived, in local time, from `start` on and before `end`, in a span beginning on one of `days` (0 is Monday).

    Where `end` is not after `start` the span ends on the next day: Friday from 18:00 to 08:00 holds on Saturday at
    07:00. `end` None is midnight.
    """

    days: frozenset[int] = frozenset(range(7))
    start: time = time(0)
    end: time | None = None

    def holds(self, case: Case) -> str | None:
        return f"arrived {DAYS[case.now.weekday()]} {case.now:%H:%M}" if self._within(case.now) else None

    def _within(self, now: datetime) -> bool:
        clock, today = now.time(), now.weekday()
        if self.end is None:
            return today in self.days and clock >= self.start
        if self.start < self.end:
            return today in self.days and self.start <= clock < self.end
        return (today in self.days and clock >= self.start) or ((today - 1) % 7 in self.days and clock < self.end)


def _glob_phrase(what: str, value: str | None, globs: tuple[str, ...]) -> str | None:
    met = [] if value is None else [glob for glob in globs if fnmatchcase(value, glob)]
    return f"{what} {', '.join(met)}" if met else None


def _listed(names: Iterable[str]) -> str:
    ordered = sorted(set(names))
    more = f" and {len(ordered) - _LISTED} more" if len(ordered) > _LISTED else ""
    return ", ".join(ordered[:_LISTED]) + more
