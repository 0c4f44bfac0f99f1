"""What a loss test found, weighed. Pure: from what was written down to faults, duplicates and a table.

A duplicate is explained by a kill that fell into the flight of the attempt which made it, of a
process whose death leaves the sender in doubt. A worker's does not: nothing is handed on before it
has answered.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from tests.loss.hop import Record
from tests.loss.messages import Arrived, Kind, Message, arrived
from tests.loss.processes import WORKER, ZYGOTE
from tests.loss.records import Attempt, Kill

HOP, RELEASER = "next hop", "releaser"
SPOOLED = 10.0
"""Seconds within which a spool has noted that a message was taken, once the next hop had it."""


@dataclass(frozen=True, slots=True)
class Held:
    """An original in custody: what it is the content of, when it came, what has become of it, and what holding it was for."""

    id: str
    sha256: str
    stored: float
    state: str
    action: str


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """Everything that is known at the end. `unsound`: what the product's own checks said, a sentence each."""

    messages: Sequence[Message]
    answers: Mapping[str, str]
    attempts: Sequence[Attempt]
    releases: Sequence[Attempt] = ()
    kills: Sequence[Kill]
    delivered: Sequence[Record]
    held: Sequence[Held]
    unsound: Sequence[str] = ()
    spooled: bool = False


@dataclass
class Report:
    """`faults` are sentences, one for each thing that must not be; `duplicates` name each copy too many and its kill."""

    faults: list[str] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    duplicates: list[str] = field(default_factory=list)
    figures: dict[str, int] = field(default_factory=dict)

    @property
    def table(self) -> str:
        width = max(map(len, self.figures), default=0)
        return "\n".join(f"  {name:<{width}}  {figure:>7}" for name, figure in self.figures.items())


@dataclass(frozen=True, slots=True)
class _Copy:
    """One copy of something, and when it came about."""

    id: str
    at: float


Explain = Callable[[_Copy, Attempt | None, Sequence[Kill], float], Kill | None]


def judge(evidence: Evidence) -> Report:
    """Weigh it."""
    report = Report()
    sent = {message.id: message for message in evidence.messages}
    found = [(record.at, arrived(record.raw)) for record in evidence.delivered]
    relayed = [_Copy(one.id, at) for at, one in found if not one.released]
    released = [_Copy(one.released, at) for at, one in found if one.released]
    by_content = {message.sha256: message.id for message in evidence.messages}
    custody = [(held, by_content.get(held.sha256, "")) for held in evidence.held]

    report.faults += _strangers(sent, [one for _, one in found], custody)
    report.faults += _answers(sent, evidence.answers)
    report.lost += _lost(evidence.answers, {copy.id for copy in relayed}, {identity for _, identity in custody})
    report.faults += [f"{identity}: answered {evidence.answers[identity]!r} and is nowhere" for identity in report.lost]
    report.faults += _leaked(sent, evidence, {copy.id for copy in relayed}, found)
    report.faults += _releases(evidence.held, {copy.id for copy in released}, wanted=bool(evidence.releases))
    report.faults += evidence.unsound

    doubt = [kill for kill in evidence.kills if kill.role not in (WORKER, ZYGOTE)]
    flights = [kill for kill in doubt if kill.role != RELEASER]
    explain = _spooled if evidence.spooled else _in_flight
    stored = [_Copy(identity, held.stored) for held, identity in custody]
    counts = {
        "relayed": _duplicates(report, "relayed", relayed, evidence.attempts, flights, explain),
        "in custody": _duplicates(report, "in custody", stored, evidence.attempts, flights, _in_flight),
        "released": _duplicates(report, "released", released, evidence.releases, doubt, _in_flight),
    }
    report.figures = _figures(evidence, report, counts, copies=(len(relayed), len(stored), len(released)))
    return report


def _strangers(sent: Mapping[str, Message], found: Sequence[Arrived], custody: Sequence[tuple[Held, str]]) -> Iterator[str]:
    for one in found:
        if one.id not in sent:
            yield f"the next hop has a message that nobody sent: {one.id!r}"
        elif not one.whole or one.sha256 != sent[one.id].sha256:
            yield f"{one.id}: the next hop has it changed"
    for held, identity in custody:
        if not identity:
            yield f"{held.id} is in quarantine and nobody sent it"


def _answers(sent: Mapping[str, Message], answers: Mapping[str, str]) -> Iterator[str]:
    for identity, message in sent.items():
        if (answer := answers.get(identity)) is None:
            yield f"{identity}: never answered"
        elif (answer[:1] == "5") != (message.kind is Kind.REFUSED):
            yield f"{identity}: a message to be {message.kind.value} was answered {answer!r}"


def _lost(answers: Mapping[str, str], relayed: set[str], held: set[str]) -> list[str]:
    return [identity for identity, answer in answers.items() if answer[:1] == "2" and identity not in relayed | held]


def _leaked(
    sent: Mapping[str, Message], evidence: Evidence, relayed: set[str], found: Sequence[tuple[float, Arrived]]
) -> Iterator[str]:
    outside = {one.id for _, one in found}
    for identity, answer in evidence.answers.items():
        if answer[:1] == "5" and identity in outside:
            yield f"{identity}: answered {answer!r}, and the next hop has it"
        elif sent[identity].kind is Kind.HELD and identity in relayed:
            yield f"{identity}: was to be quarantined, and the next hop has it"


def _releases(custody: Sequence[Held], released: set[str], *, wanted: bool) -> Iterator[str]:
    for held in custody:
        due = wanted and held.action == "quarantine"
        if due and held.id not in released:
            yield f"{held.id}: was released, and the next hop does not have it"
        if held.state != ("released" if due else "held"):
            yield f"{held.id}: is {held.state} at the end"
        if not due and held.id in released:
            yield f"{held.id}: was not released, and the next hop has it"


def _in_flight(copy: _Copy, attempt: Attempt | None, kills: Sequence[Kill], following: float) -> Kill | None:
    """The kill that left whoever made this attempt in doubt; `following` is when the next copy came about."""
    if attempt is None:
        return None
    own = [kill for kill in kills if kill.role != RELEASER or kill.pid == attempt.pid]
    return next((kill for kill in own if kill.during(attempt.begin, attempt.end)), None)


def _spooled(copy: _Copy, attempt: Attempt | None, kills: Sequence[Kill], following: float) -> Kill | None:
    """As `_in_flight`; or the kill, after this copy and before the next, of what had yet to note that it was taken."""
    end = min(following, copy.at + SPOOLED)
    return _in_flight(copy, attempt, kills, following) or next((kill for kill in kills if kill.during(copy.at, end)), None)


def _duplicates(
    report: Report,
    where: str,
    copies: Sequence[_Copy],
    attempts: Sequence[Attempt],
    kills: Sequence[Kill],
    explain: Explain,
) -> int:
    """All but one copy of each thing are duplicates; each needs a kill. Returns how many there are."""
    made, count = defaultdict(list[Attempt]), 0
    for attempt in attempts:
        made[attempt.id].append(attempt)
    together = defaultdict(list[_Copy])
    for copy in copies:
        together[copy.id].append(copy)
    for identity, several in together.items():
        if len(several) < 2:
            continue
        several.sort(key=lambda copy: copy.at)
        pairs = _paired(several, made[identity])
        count += len(several) - 1
        for (copy, attempt), following in zip(pairs[:-1], several[1:], strict=True):
            kill = explain(copy, attempt, kills, following.at)
            if kill is None:
                report.faults.append(f"{identity}: {where} twice, first at {copy.at:.3f}, and no kill explains it")
            else:
                report.duplicates.append(f"{identity}: {where} at {copy.at:.3f} and {following.at:.3f}; {kill}")
    return count


def _paired(copies: Sequence[_Copy], attempts: Sequence[Attempt]) -> list[tuple[_Copy, Attempt | None]]:
    """Each copy with the attempt that made it: the last one begun before it, each made one copy at the most."""
    left, pairs = sorted(attempts, key=lambda attempt: attempt.begin), list[tuple[_Copy, Attempt | None]]()
    for copy in reversed(copies):
        attempt = next((one for one in reversed(left) if one.begin <= copy.at), None)
        if attempt is not None:
            left.remove(attempt)
        pairs.insert(0, (copy, attempt))
    return pairs


def _figures(evidence: Evidence, report: Report, counts: Mapping[str, int], *, copies: tuple[int, int, int]) -> dict[str, int]:
    roles = Counter(kill.role for kill in evidence.kills)
    replies = Counter((attempt.reply[:3] or "no reply") for attempt in evidence.attempts)
    return {
        "messages": len(evidence.messages),
        **{f"  {kind.value}": sum(one.kind is kind for one in evidence.messages) for kind in Kind},
        "kills": sum(roles.values()),
        **{f"  of {role}": number for role, number in sorted(roles.items())},
        "in flight at the kills": sum(kill.in_flight for kill in evidence.kills),
        "attempts": len(evidence.attempts),
        **{f"  answered {reply}": number for reply, number in sorted(replies.items())},
        "attempts to release": len(evidence.releases),
        "copies at the next hop": copies[0],
        "originals in quarantine": copies[1],
        "released copies": copies[2],
        "lost": len(report.lost),
        "duplicates relayed": counts["relayed"],
        "duplicates in custody": counts["in custody"],
        "duplicates released": counts["released"],
        "  explained by a kill": len(report.duplicates),
        "faults": len(report.faults),
    }
