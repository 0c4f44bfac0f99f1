"""Pipeline.process(): the product on one screen. Inspect, decide, record, enforce, close, notify."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import datetime
from functools import partial

import structlog

from dlp.enforce import act, take_custody
from dlp.errors import DLPError, WorkerError
from dlp.metrics import Metrics
from dlp.model import Action, Inspection, Item, Verdict
from dlp.policy.policy import Policy
from dlp.ports import Audit, Divisible, Gate, Incidents, Inspector, Markable, Notify, Outcome, Quarantine, Replaceable
from dlp.replacement import Notice, Replacement, Replacer, Substitute, kept

log = structlog.get_logger()


class Pipeline:
    """One daemon's way of every item; implements `ports.Submit` by `process`.

    `evidence`: keep a copy of blocked mail. `clock` gives the present, aware, in UTC. `notice` gives the words that stand
    for an attachment.
    """

    def __init__(
        self,
        *,
        inspector: Inspector,
        notice: Notice,
        policy: Policy,
        incidents: Incidents,
        quarantine: Quarantine,
        audit: Audit,
        notify: Notify,
        metrics: Metrics,
        clock: Callable[[], datetime],
        evidence: bool = True,
    ) -> None:
        self._inspector = inspector
        self._replacer = Replacer(inspector, notice)
        self._policy = policy
        self._incidents = incidents
        self._quarantine = quarantine
        self._audit = audit
        self._notify = notify
        self._metrics = metrics
        self._clock = clock
        self._evidence = evidence

    def adopt(self, policy: Policy) -> None:
        """Judge by `policy` from the next item on; items under way finish under the one they began with."""
        self._policy = policy

    async def process(self, item: Item, gate: Gate) -> Outcome:
        """See `ports.Submit`."""
        policy = self._policy
        inspection = policy.profile.grade(await self._inspect(item))
        if isinstance(gate, Divisible) and (withheld := await asyncio.to_thread(self._apart, policy, item, inspection)):
            outcome = await self._divided(policy, item, gate, inspection, withheld)
        else:
            outcome = await self._whole(policy, item, gate, inspection)
        self._count(item, inspection, outcome.verdict)
        return outcome

    async def judge(self, item: Item) -> Verdict:
        """What would be done with `item`, for who asks before it is read: nothing is done and no incident is opened. That it
        would be kept back is in the audit log, where that can be written. Raises DLPError where it cannot be said."""
        policy = self._policy
        inspection = policy.profile.grade(await self._inspect(item))
        verdict = policy.decide(item, inspection)
        return verdict if verdict.action < Action.QUARANTINE else await asyncio.to_thread(self._judged, item, inspection, verdict)

    def _judged(self, item: Item, inspection: Inspection, verdict: Verdict) -> Verdict:
        verdict = self._unless_released(item, verdict)
        if verdict.action >= Action.QUARANTINE:
            try:
                self._record(item, inspection, verdict, event="open-denied", durable=False)
            except DLPError as error:  # to deny is right all the same
                log.error("a denied open is not in the audit log", item=item.id, error=str(error))
        return verdict

    async def _whole(self, policy: Policy, item: Item, gate: Gate, inspection: Inspection) -> Outcome:
        verdict = await asyncio.to_thread(self._decide, policy, item, inspection)
        if isinstance(gate, Markable):
            gate.mark(verdict.level)
        if verdict.action is not Action.ALLOW:
            return await self._enforce(policy, item, gate, verdict, inspection)
        await gate.release()
        return Outcome(verdict=verdict, inspection=inspection)

    async def _divided(
        self, policy: Policy, item: Item, gate: Divisible, inspection: Inspection, withheld: frozenset[int]
    ) -> Outcome:
        """Custody for the recipients who may not have it, then the others are served; the outcome is that of the former."""
        others = frozenset(range(len(item.recipients))) - withheld
        back, on = await gate.divide(withheld)
        verdict = await asyncio.to_thread(self._decide, policy, item.addressed(withheld), inspection)
        return await self._enforce(
            policy,
            item.addressed(withheld),
            back,
            verdict,
            inspection,
            then=lambda: self._whole(policy, item.addressed(others), on, inspection),
        )

    async def _inspect(self, item: Item) -> Inspection:
        """The inspection; where none can be had, that is on record before the channel answers for it."""
        try:
            return await self._inspector.inspect(item)
        except WorkerError as error:
            record = partial(self._audit.record, "not-inspected", item=item.id, channel=item.channel.value, error=str(error))
            await asyncio.to_thread(record)
            raise

    def _apart(self, policy: Policy, item: Item, inspection: Inspection) -> frozenset[int]:
        """The recipients to be treated apart, by their places; none of a message that an approver has let go."""
        withheld = policy.withheld(item, inspection)
        return withheld if withheld and self._quarantine.released(item) is None else frozenset()

    def _decide(self, policy: Policy, item: Item, inspection: Inspection) -> Verdict:
        """The policy's verdict, recorded. Only a release that an approver has given for this very content lowers it."""
        verdict = self._unless_released(item, policy.decide(item, inspection))
        self._record(item, inspection, verdict, event="decision", durable=verdict.action is not Action.ALLOW)
        return verdict

    def _unless_released(self, item: Item, verdict: Verdict) -> Verdict:
        if verdict.action < Action.QUARANTINE or (held := self._quarantine.released(item)) is None:
            return verdict
        reasons = (f"released from quarantine as {held}", *verdict.reasons)
        return replace(verdict, action=Action.ALLOW, replace=False, reasons=reasons)

    async def _enforce(
        self,
        policy: Policy,
        item: Item,
        gate: Gate,
        verdict: Verdict,
        inspection: Inspection,
        *,
        then: Callable[[], Awaitable[Outcome]] | None = None,
    ) -> Outcome:
        """`then`: what else has to succeed before the sender's copy may go; until it has, custody is only provisional.
        So it is while something else is to go in place of the message."""
        incident = await asyncio.to_thread(self._incidents.open, item, inspection, verdict)
        held: str | None = None
        provisional = then is not None
        try:
            with await self._replacement(
                policy, item, gate, verdict=verdict, inspection=inspection, incident=incident
            ) as replacement:
                provisional = provisional or replacement.substitute is not None
                evidence = self._evidence or provisional
                held = await take_custody(item, gate, verdict, incident, self._quarantine, evidence=evidence)
                done = await self._act(
                    item, gate, verdict=verdict, replacement=replacement, incident=incident, held=held, then=then
                )
        except Exception as error:
            if provisional and held is not None:
                held = await self._given_up(held)
            # A bug: the channel answers 451 or leaves the file. Only the kind is recorded: a foreign
            # exception's text may quote content.
            what = str(error) if isinstance(error, DLPError) else f"internal error: {type(error).__name__}"
            await self._failed(incident, what, held)
            raise
        await asyncio.to_thread(self._incidents.close, incident, held=held, verdict=done)
        await self._tell(incident)
        return Outcome(verdict=done, inspection=inspection, incident=incident, held=held)

    async def _replacement(
        self, policy: Policy, item: Item, gate: Gate, *, verdict: Verdict, inspection: Inspection, incident: str
    ) -> Replacement:
        """What is to go in place of the message; nothing where that is not wanted, or cannot be."""
        if not verdict.replace:
            return Replacement()
        if not isinstance(gate, Replaceable):
            return kept("the message came by a way on which it cannot be rewritten")
        return await self._replacer.replacement(policy, item, gate, inspection=inspection, incident=incident)

    async def _act(
        self,
        item: Item,
        gate: Gate,
        *,
        verdict: Verdict,
        replacement: Replacement,
        incident: str,
        held: str | None,
        then: Callable[[], Awaitable[Outcome]] | None,
    ) -> Verdict:
        """The gate's verb, or the substitute's release, and what has to succeed besides; returns the verdict to remember.

        A substitute goes after the others are served. Their reply covers these recipients as well, who are promised no more
        than custody then: so a substitute that cannot be delivered is held, and no error.
        """
        substitute = replacement.substitute
        if substitute is None:
            await act(gate, verdict, incident, held)
            if then is not None:
                await then()
            return replacement.told(verdict)
        await asyncio.to_thread(self._record_substitute, item, substitute, replacement.note)
        if isinstance(gate, Markable):
            gate.mark(substitute.verdict.level)  # what goes is not of the original's level
        if then is None:
            await substitute.gate.release()
            return replacement.told(verdict)
        await then()
        try:
            await substitute.gate.release()
        except Exception as error:  # noqa: BLE001 - custody must stand now; only the kind is told, a foreign text may quote content
            log.error("rewritten message not delivered", item=item.id, incident=incident, error=type(error).__name__)
            await gate.withhold(verdict, incident, held)
            return kept("the next hop did not take the message without them").told(verdict)
        return replacement.told(verdict)

    async def _given_up(self, held: str) -> str | None:
        """The sender is told to keep the message, or that it failed, for all: what was kept of it for some goes again."""
        try:
            await asyncio.to_thread(self._quarantine.purge, held)
        except DLPError as error:
            log.error("a copy the sender will send again stays in quarantine", held=held, error=str(error))
            return held
        return None

    async def _failed(self, incident: str, error: str, held: str | None) -> None:
        try:
            await asyncio.to_thread(self._incidents.fail, incident, error, held=held)
            await self._tell(incident)
        except DLPError as second:
            # The first error is the one to raise. An incident left open is listed as interrupted after the next start.
            log.error("incident not updated", incident=incident, error=str(second))

    async def _tell(self, incident: str) -> None:
        if (record := await asyncio.to_thread(self._incidents.get, incident)) is not None:
            await self._notify.incident(record)

    def _record(self, item: Item, inspection: Inspection, verdict: Verdict, *, event: str, durable: bool) -> None:
        """No audit record, no act: what cannot be recorded is not done. Only ALLOW may lose its last records in a power cut."""
        self._audit.record(
            event,
            durable=durable,
            item=item.id,
            channel=item.channel.value,
            sha256=item.blob.sha256,
            size=item.blob.size,
            action=str(verdict.action),
            level=verdict.level,
            rules=list(verdict.rules),
            reasons=list(verdict.reasons),
            findings=len(inspection.findings),
            unscannable=len(inspection.unscannable),
        )

    def _record_substitute(self, item: Item, substitute: Substitute, note: str) -> None:
        """As `_record`, of what goes in place of `item`."""
        self._audit.record(
            "replaced",
            item=item.id,
            channel=item.channel.value,
            original=item.blob.sha256,
            sha256=substitute.blob.sha256,
            size=substitute.blob.size,
            action=str(substitute.verdict.action),
            level=substitute.verdict.level,
            rules=list(substitute.verdict.rules),
            reasons=[note, *substitute.verdict.reasons],
        )

    def _count(self, item: Item, inspection: Inspection, verdict: Verdict) -> None:
        metrics, channel = self._metrics, item.channel.value
        metrics.items.labels(channel, str(verdict.action)).inc()
        metrics.inspected_bytes.labels(channel).inc(item.blob.size)
        metrics.item_seconds.labels(channel).observe((self._clock() - item.arrived).total_seconds())
        for finding in inspection.findings:  # those in shadow too: to be counted is what they are for
            metrics.findings.labels(finding.signature, finding.level or "none").inc()
        for place in inspection.unscannable:
            metrics.unscannable.labels(channel, place.why.value).inc()
