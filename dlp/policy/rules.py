"""The `[[rule]]` tables of policy.toml: their shape, and what each key means.

    [[rule]]
    name = "classified mail leaves only by its custodian"     # unique
    when = { channel = "mail", level = ">=confidential", recipients = "external", sender = { not_role = "custodian" } }
    then = "quarantine"                                       # allow, alert, quarantine, block
    notify = ["security-officer", "sender"]                   # roles, addresses, "sender"
    approve_by = ["department-head"]                          # roles; for quarantine and block
    replace = true                                            # mail: deliver it with a notice for each offending attachment

All conditions under `when` must hold; an empty `when` always does. Where a list is allowed, one value may stand
alone, and any one of a list is enough. The conditions:

    channel       mail, share, usb, clamd, scan
    level         ">=confidential", ">internal", "<=internal", "<secret", "=secret" or "secret"; list
    category      of the profile's table; list
    signature     a signature's name, or a pattern as for file names ("cn_*"); list
    zone          header, footer, body, title, filename …; list
    confidence    the least that counts, 0 to 100
    marked        true: a mark of the document says it; false: its content alone does
    count         ">=5" or 5: the least number of distinct matches, of all matching findings together
    unscannable   true, or a list of reasons: encrypted, corrupt, unsupported, too-large, too-deep, too-many,
                  timeout, crashed
    recipients    "external", "internal", "partner", "stranger", addresses, domains ("example.com",
                  "*.gov.cn"); list; holds if any recipient meets any entry
    transport     "clear", "unverified" (TLS without a checked certificate); list; of a message, on its way to
                  the next hop
    destination_tls
                  false: some recipient outside is of no partner with tls = true in partners.toml
    sender        as recipients; or a table of address, role, not_role, department, status
    user          the authenticated user of a message, the owner of a file; patterns
    device        a drive's serial; patterns
    path          a file's path; patterns
    size          bytes: ">=1000000", "<4096"; a number alone is the least
    time          { days = ["sat", "sun"], from = "18:00", to = "08:00" }, local time of arrival

`level`, `category`, `signature`, `zone`, `confidence`, `marked` and `count` are asked of the same findings: one finding at
least must meet all that are given. So `level = "<=internal"` says that a finding of such a level is there, not
that none is higher. There is no condition that something is absent, nor an upper bound for `count` or
`confidence`: with one, another finding could lower the action. So `transport` and `destination_tls` name what is
unsafe only: a rule says what must not go that way, never what may.

`replace` goes with quarantine or block and with channel = "mail". It holds for a message if every rule that would
quarantine or block it says so, and if what offends lies in attachments that can be taken out; else the message is kept
whole. The original is in custody in any case.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import time
from pathlib import Path
from typing import Any, TypeVar

from dlp.model import Action, Channel
from dlp.policy.addresses import AddressPattern
from dlp.policy.conditions import (
    DAYS,
    WORDS,
    ChannelIs,
    Condition,
    Correspondence,
    DestinationWithoutTls,
    DeviceIs,
    FindingsAre,
    PathIs,
    RecipientIs,
    SenderIs,
    SizeIs,
    TimeIs,
    TransportIs,
    UnscannableIs,
    UserIs,
)
from dlp.policy.faults import Faults, Wrong, distinct, known
from dlp.policy.people import STATUSES, People
from dlp.policy.profiles import Profile
from dlp.policy.tables import PolicyFile, RuleTable, SenderTable, When, plural
from dlp.settings import check, read

T = TypeVar("T")

SENDER = "sender"
"""The word in `notify` for the sender of a message."""

_COMPARISON = re.compile(r"\s*(>=|<=|>|<|=)?\s*(\S+)\s*")
_NUMBER = re.compile(r"[0-9]{1,18}")
_CLOCK = re.compile(r"([01]\d|2[0-3]):([0-5]\d)(:00)?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One choice of the operator's. `notify` holds addresses and the word `sender`: roles have become addresses."""

    name: str
    conditions: tuple[Condition, ...] = ()
    then: Action
    notify: tuple[str, ...] = ()
    approve_by: tuple[str, ...] = ()
    replace: bool = False

    @property
    def channels(self) -> frozenset[Channel]:
        """The channels that it names; empty where it names none."""
        return frozenset().union(*(one.channels for one in self.conditions if isinstance(one, ChannelIs)))


def load_rules(path: Path, *, profile: Profile, people: People) -> tuple[Rule, ...]:
    """The rules of the file at `path`. Raises ConfigError with every fault."""
    tables = check(plural(read(path)), PolicyFile, where=str(path)).rule
    faults = Faults(str(path))
    with faults.at("rule"):
        if not tables:
            raise Wrong("has no rules, so everything would pass", "add a [[rule]] table")
        distinct([table.name for table in tables], "rule")
    rules = [_Compiler(profile, people, faults, f"rule.{number}").rule(table) for number, table in enumerate(tables)]
    faults.settle()
    return tuple(rules)


class _Compiler:
    """Turns one rule's table into a Rule; every fault goes to `faults` under the rule's key."""

    def __init__(self, profile: Profile, people: People, faults: Faults, key: str) -> None:
        self._profile = profile
        self._people = people
        self._faults = faults
        self._key = key

    def rule(self, table: RuleTable) -> Rule:
        action = Action.named(table.then)
        with self._faults.at(f"{self._key}.name"):
            if not table.name.strip():
                raise Wrong("is blank", "say in a sentence what the rule is for")
        with self._faults.at(f"{self._key}.approve_by"):
            if table.approve_by and action < Action.QUARANTINE:
                raise Wrong(f"{action} holds nothing that could be released", "remove it, or quarantine or block")
        for role in table.approve_by:
            with self._faults.at(f"{self._key}.approve_by"):
                self._people.role(role)
        with self._faults.at(f"{self._key}.replace"):
            if table.replace and action < Action.QUARANTINE:
                raise Wrong(f"{action} keeps nothing back that could be replaced", "remove it, or quarantine or block")
            if table.replace and set(table.when.channel or ()) != {Channel.MAIL}:
                raise Wrong("only messages have attachments that could be replaced", 'say channel = "mail" under when')
        return Rule(
            name=table.name,
            conditions=self._conditions(table.when),
            then=action,
            notify=self._notify(table.notify),
            approve_by=table.approve_by,
            replace=table.replace,
        )

    def _conditions(self, when: When) -> tuple[Condition, ...]:
        """In the order in which a reason reads best; the cheapest come first as well."""
        made: list[Condition] = []
        if (channels := self._some("channel", when.channel)) is not None:
            made.append(ChannelIs(channels=frozenset(channels)))
        if (findings := self._findings(when)) is not None:
            made.append(findings)
        if (reasons := self._some("unscannable", when.unscannable)) is not None:
            made.append(UnscannableIs(reasons=frozenset(reasons)))
        if (entries := self._correspondence("recipients", when.recipients)) is not None:
            made.append(RecipientIs(entries=entries))
        if (transports := self._some("transport", when.transport)) is not None:
            made.append(TransportIs(words=frozenset(transports)))
        if when.destination_tls is not None:
            made.append(self._destination(when.destination_tls))
        if when.sender is not None:
            made.append(self._sender(when.sender))
        if (users := self._some("user", when.user)) is not None:
            made.append(UserIs(globs=users))
        if (devices := self._some("device", when.device)) is not None:
            made.append(DeviceIs(globs=devices))
        if (paths := self._some("path", when.path)) is not None:
            made.append(PathIs(globs=paths))
        if when.size is not None:
            made.append(self._one("size", when.size, _size, SizeIs(words="")))
        if when.time is not None:
            made.append(self._time(when.time))
        return tuple(made)

    def _some(self, key: str, given: tuple[T, ...] | None) -> tuple[T, ...] | None:
        """`given`; an empty list is a fault, since it would hold for nothing."""
        with self._faults.at(f"{self._key}.when.{key}"):
            if given == ():
                raise Wrong("is an empty list, which nothing meets", "name something, or leave the condition out")
        return given

    def _one(self, key: str, given: str, make: Callable[[str], T], otherwise: T) -> T:
        """What `make` makes of `given`, or `otherwise` where that is a fault."""
        with self._faults.at(f"{self._key}.when.{key}"):
            return make(given)
        return otherwise

    def _findings(self, when: When) -> FindingsAre | None:
        asked = (when.level, when.category, when.signature, when.zone, when.confidence, when.marked, when.count)
        if all(one is None for one in asked):
            return None
        level, zones = self._some("level", when.level), self._some("zone", when.zone)
        with self._faults.at(f"{self._key}.when.confidence"):
            if when.confidence is not None and not 0 <= when.confidence <= 100:
                raise Wrong(f"{when.confidence} is no confidence", "a number from 0 to 100")
        return FindingsAre(
            profile=self._profile,
            levels=None if level is None else self._levels(level),
            level_words=" or ".join(level or ()),
            categories=self._named("category", when.category, self._profile.categories, "category of the profile"),
            signatures=self._some("signature", when.signature),
            zones=None if zones is None else frozenset(zones),
            confidence=when.confidence,
            marked=when.marked,
            count=None if when.count is None else self._one("count", when.count, _count, 0),
        )

    def _levels(self, comparisons: Sequence[str]) -> frozenset[str]:
        """The ids on the profile's scale that any of the comparisons covers."""
        covered: set[str] = set()
        with self._faults.at(f"{self._key}.when.level"):
            for comparison in comparisons:
                covered |= _covered(comparison, self._profile)
            if comparisons and not covered:
                raise Wrong(f"no level of the profile {self._profile.name} is {' or '.join(comparisons)}", "the rule never holds")
        return frozenset(covered)

    def _named(self, key: str, given: tuple[str, ...] | None, names: Mapping[str, str], kind: str) -> frozenset[str] | None:
        for name in self._some(key, given) or ():
            with self._faults.at(f"{self._key}.when.{key}"):
                known(name, names, kind)
        return None if given is None else frozenset(given)

    def _correspondence(self, key: str, given: tuple[str, ...] | None) -> tuple[Correspondence, ...] | None:
        made: list[Correspondence] = []
        for words in self._some(key, given) or ():
            with self._faults.at(f"{self._key}.when.{key}"):
                made.append(_correspondence(words))
        return None if given is None else tuple(made)

    def _destination(self, tls: bool) -> DestinationWithoutTls:
        with self._faults.at(f"{self._key}.when.destination_tls"):
            if tls:
                raise Wrong("true is no condition: a rule says what must not go", "write destination_tls = false")
        return DestinationWithoutTls()

    def _sender(self, table: SenderTable) -> SenderIs:
        with self._faults.at(f"{self._key}.when.sender"):
            if table == SenderTable():
                raise Wrong("is an empty table", "name an address, role, not_role, department or status")
        people = self._people
        return SenderIs(
            entries=self._correspondence("sender.address", table.address),
            role=self._roles("sender.role", table.role),
            not_role=self._roles("sender.not_role", table.not_role),
            department=self._named(
                "sender.department", table.department, dict.fromkeys(people.departments, ""), "department of people.toml"
            ),
            status=self._named("sender.status", table.status, dict.fromkeys(STATUSES, ""), "status"),
        )

    def _roles(self, key: str, given: tuple[str, ...] | None) -> frozenset[str] | None:
        for name in self._some(key, given) or ():
            with self._faults.at(f"{self._key}.when.{key}"):
                self._people.role(name)
        return None if given is None else frozenset(given)

    def _notify(self, entries: Sequence[str]) -> tuple[str, ...]:
        made: list[str] = []
        for entry in entries:
            with self._faults.at(f"{self._key}.notify"):
                if entry == SENDER or "@" in entry:
                    made.append(entry)
                else:
                    made += [person.address for person in self._people.holders(self._people.role(entry))]
        return tuple(dict.fromkeys(made))

    def _time(self, table: Mapping[str, Any]) -> TimeIs:
        days, start, end = frozenset(range(7)), time(0), None
        for key in table:
            with self._faults.at(f"{self._key}.when.time.{key}"):
                known(key, ("days", "from", "to"), "key")
        with self._faults.at(f"{self._key}.when.time"):
            if not table:
                raise Wrong("is an empty table", "name days, from or to")
        with self._faults.at(f"{self._key}.when.time.days"):
            days = _days(table["days"]) if "days" in table else days
        with self._faults.at(f"{self._key}.when.time.from"):
            start = _clock(table["from"]) if "from" in table else start
        with self._faults.at(f"{self._key}.when.time.to"):
            end = _clock(table["to"]) if "to" in table else end
            if end == start:
                raise Wrong("is no later than `from`, so the span is empty", "leave both out for the whole day")
        return TimeIs(days=days, start=start, end=end)


def _covered(comparison: str, profile: Profile) -> set[str]:
    found = _COMPARISON.fullmatch(comparison)
    if found is None:
        raise Wrong(f"{comparison!r} is no comparison with a level", 'write ">=confidential" or "secret"')
    operator, level = found[1], known(found[2], (*profile.ids, *profile.aliases), f"level of the profile {profile.name}")
    limit = profile.rank(level)
    holds: Callable[[int], bool] = {
        ">=": limit.__le__,
        ">": limit.__lt__,
        "<=": limit.__ge__,
        "<": limit.__gt__,
    }.get(operator or "=", limit.__eq__)
    return {one for one in profile.ids if holds(profile.rank(one))}


def _count(text: str) -> int:
    found = _COMPARISON.fullmatch(text)
    if found is None or found[1] != ">=" or not _NUMBER.fullmatch(found[2]) or int(found[2]) < 1:
        raise Wrong(f"{text!r} is no least number of matches", 'write ">=5"; an upper bound would let a finding lower the action')
    return int(found[2])


def _size(text: str) -> SizeIs:
    found = _COMPARISON.fullmatch(text)
    if found is None or not _NUMBER.fullmatch(found[2]):
        raise Wrong(f"{text!r} is no size in bytes", 'write ">=1048576"')
    operator, limit = found[1] or "=", int(found[2])
    least = {">=": limit, ">": limit + 1, "=": limit}.get(operator, 0)
    most = {"<=": limit, "<": limit - 1, "=": limit}.get(operator)
    return SizeIs(words=text.strip(), least=least, most=most)


def _correspondence(words: str) -> Correspondence:
    if words in WORDS:
        return Correspondence(words=words)
    if "@" not in words and "." not in words:
        raise Wrong(
            f"{words!r} is neither an address, a domain nor one of {', '.join(WORDS)}", "write *.example.com for a domain"
        )
    return Correspondence(words=words, pattern=AddressPattern.of(words))


def _days(given: Any) -> frozenset[int]:
    names = [given] if isinstance(given, str) else given
    if not isinstance(names, list) or not names or not all(isinstance(name, str) for name in names):
        raise Wrong("is not a list of days", f"of {', '.join(DAYS)}")
    return frozenset(DAYS.index(known(name, DAYS, "day")) for name in names)


def _clock(given: Any) -> time:
    """A TOML string or local time; to the minute."""
    found = _CLOCK.fullmatch(given) if isinstance(given, str) else None
    if found is None:
        raise Wrong("is no time of day", 'write "18:00"')
    return time(int(found[1]), int(found[2]))
