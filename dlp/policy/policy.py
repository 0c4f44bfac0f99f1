"""`Policy.decide`: findings and origin → verdict.

Pure: no I/O, no clock but the item's own arrival. Every matching rule counts and the most severe action wins, so
the order of rules and of findings never matters; no condition can stop holding because something was added
(dlp.policy.conditions), so adding a finding never lowers the action.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, datetime, tzinfo
from pathlib import Path

from dlp.model import Action, Attachment, Channel, Envelope, Inspection, Item, Mode, Verdict
from dlp.policy.addresses import Address, DomainPattern
from dlp.policy.attachments import offending
from dlp.policy.conditions import Case, Correspondent
from dlp.policy.organisation import Organisation, within
from dlp.policy.partners import Partners
from dlp.policy.people import People
from dlp.policy.profiles import Profile
from dlp.policy.rules import Rule, load_rules


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """The operator's choices. `zone` is that of `time` conditions and of partners' dates; None is the machine's own."""

    profile: Profile
    rules: tuple[Rule, ...]
    organisation: Organisation = field(default_factory=Organisation)
    people: People = field(default_factory=People)
    partners: Partners = field(default_factory=Partners)
    zone: tzinfo | None = None

    def decide(self, item: Item, inspection: Inspection) -> Verdict:
        """The verdict on `item`. `inspection` may be graded or not; shadow findings count nowhere.

        What no rule matches is allowed. `rules` and `reasons` stand most severe first, then by name; `approve_by`
        is united over the rules of the winning action, `notify` over all that match: a notice asked for by one
        rule is not lost because another is more severe. `replace` is what all rules agree on that would keep it back.
        """
        case = self._case(item, inspection)
        matches = [(rule, reason) for rule in self.rules if (reason := _reason(rule, case)) is not None]
        matches.sort(key=lambda match: (-match[0].then, match[0].name))
        action = max((rule.then for rule, _ in matches), default=Action.ALLOW)
        return Verdict(
            action=action,
            level=self.profile.highest(*(finding.level for finding in case.findings)),
            rules=tuple(rule.name for rule, _ in matches),
            reasons=tuple(reason for _, reason in matches),
            approve_by=_united(rule.approve_by for rule, _ in matches if rule.then is action),
            notify=_united(rule.notify for rule, _ in matches),
            replace=action >= Action.QUARANTINE and all(rule.replace for rule, _ in matches if rule.then >= Action.QUARANTINE),
        )

    def withheld(self, item: Item, inspection: Inspection) -> frozenset[int]:
        """The places of the recipients to whom the message may not go, where there are others to whom it may; else none.

        Each is judged as if the message were to him alone; the others must be free of it together as well.
        """
        places = frozenset(range(len(item.recipients)))
        if len(places) < 2 or self.decide(item, inspection).action < Action.QUARANTINE:
            return frozenset()
        kept = frozenset(place for place in places if self._keeps(item.addressed({place}), inspection))
        if kept == places or self._keeps(item.addressed(places - kept), inspection):
            return frozenset()
        return kept

    def offending(self, item: Item, inspection: Inspection) -> tuple[Attachment, ...]:
        """The attachments without which `item` might go; none where nothing is kept back or the rest may not go either."""
        return offending(inspection, lambda known: self._keeps(item, known))

    def _keeps(self, item: Item, inspection: Inspection) -> bool:
        return self.decide(item, inspection).action >= Action.QUARANTINE

    def _case(self, item: Item, inspection: Inspection) -> Case:
        graded = self.profile.grade(inspection)
        now = item.arrived.astimezone(self.zone)
        sender, recipients = self._correspondents(item, now)
        return Case(
            item=item,
            channel=self._asked_as(item.channel),
            findings=tuple(finding for finding in graded.findings if finding.mode is Mode.ENFORCE),
            unscannable=graded.unscannable,
            now=now,
            sender=sender,
            recipients=recipients,
        )

    def _asked_as(self, channel: Channel) -> Channel:
        """A scan touches nothing: it asks what would happen on a drive, unless some rule names `scan`."""
        if channel is not Channel.SCAN or any(Channel.SCAN in rule.channels for rule in self.rules):
            return channel
        return Channel.USB

    def _correspondents(self, item: Item, now: datetime) -> tuple[Correspondent | None, tuple[Correspondent, ...]]:
        if item.channel is Channel.SCAN:
            return None, (Correspondent(address=None),)
        if not isinstance(item.origin, Envelope):
            return None, ()
        patterns, day = self.organisation.patterns, now.date()
        recipients = tuple(self._correspondent(one, patterns, day) for one in item.origin.recipients)
        if not item.origin.sender:
            # The null sender (RFC 5321 section 4.5.5): at the way out it is an inside server that returns mail.
            return Correspondent(address=Address.of(""), inside=True), recipients
        return self._correspondent(item.origin.sender, patterns, day), recipients

    def _correspondent(self, text: str, patterns: frozenset[DomainPattern], day: date) -> Correspondent:
        address = Address.of(text)
        inside = within(patterns, address)
        return Correspondent(
            address=address,
            inside=inside,
            partner=not inside and self.partners.find(address, day) is not None,
            tls=not inside and self.partners.tls(address, day),
            person=self.people.find(address),
        )


def load_policy(
    path: Path,
    *,
    profile: Profile,
    organisation: Organisation,
    people: People,
    partners: Partners,
    zone: tzinfo | None = None,
) -> Policy:
    """The policy in the file at `path`. Raises ConfigError with every fault."""
    rules = load_rules(path, profile=profile, people=people)
    return Policy(profile=profile, rules=rules, organisation=organisation, people=people, partners=partners, zone=zone)


def _reason(rule: Rule, case: Case) -> str | None:
    """One sentence saying why `rule` matches, or None where it does not."""
    phrases: list[str] = []
    for condition in rule.conditions:
        if (phrase := condition.holds(case)) is None:
            return None
        phrases.append(phrase)
    return f'rule "{rule.name}": {", ".join(phrases) or "always"}'


def _united(lists: Iterable[tuple[str, ...]]) -> tuple[str, ...]:
    return tuple(sorted({one for each in lists for one in each}))
