"""A message whose offending attachments are replaced: custody first, proof before it goes, kept whole whatever fails."""

import asyncio
import os
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlp.errors import DLPError, RelayError, StoreError, WorkerError
from dlp.model import Action, Attachment, Finding, Inspection, Unscannable, Why
from dlp.ports import Outcome
from tests.helpers.pipeline import ApartGate, House, RecordingGate, ReplaceableGate, a_message
from tests.policy.builders import a_rule

MESSAGE = b"Subject: x\r\n\r\n--b\r\nGOOD\r\n--b\r\nSECRET\r\n--b--\r\n"
START = MESSAGE.index(b"SECRET")
PLACES = (
    Attachment(name="good.txt", start=MESSAGE.index(b"GOOD"), end=MESSAGE.index(b"GOOD") + 4),
    Attachment(name="plan.docx", start=START, end=START + 6),
)
SECRET = Finding(signature="secret", level="secret", trail=("plan.docx",))
FIRST = Inspection(findings=(SECRET,), attachments=PLACES)
RULES = (
    a_rule('channel = "mail", recipients = "external", signature = "secret"', "quarantine", "held", "replace = true")
    + a_rule('channel = "mail", recipients = "external", signature = "blocked"', "block", "blocked", "replace = true")
    + a_rule('channel = "mail", signature = "strict"', "quarantine", "strict")
    + a_rule('channel = "mail", unscannable = true', "quarantine", "unread", "replace = true")
    + a_rule('channel = "mail", signature = "noted"', "alert", "noted")
)
DELIVERED = "delivered with 1 attachment replaced by notices"


@pytest.fixture
def house(tmp_path: Path) -> House:
    return a_house(tmp_path)


def a_house(folder: Path) -> House:
    made = House(folder, rules=RULES, evidence=False)
    made.inspector.answer, made.inspector.again = FIRST, Inspection(attachments=PLACES)
    return made


async def run(house: House, gate: RecordingGate, *recipients: str) -> Outcome:
    """The message through the pipeline; no descriptor is left behind."""
    before = len(os.listdir("/proc/self/fd"))
    with (item := a_message(*(recipients or ("out@example.org",)), content=MESSAGE)).blob:
        try:
            return await house.pipeline.process(item, gate)
        finally:
            assert len(os.listdir("/proc/self/fd")) == before + 1, "what was made in its place is closed"


def verbs(house: House) -> list[str]:
    return [event for event in house.events if event not in ("quarantine.released", "incidents.get")]


async def test_the_original_is_in_custody_before_the_rest_goes(house: House) -> None:
    outcome = await run(house, gate := ReplaceableGate(house.events))
    assert verbs(house) == [
        "inspect",
        "audit.record",
        "incidents.open",
        "inspect",
        "quarantine.store",
        "audit.record",
        "gate.release",
        "incidents.close",
        "notify",
    ]
    assert (gate.released, gate.withheld, gate.instead.released) == (0, [], 1)
    (sent,) = gate.sent
    assert house.inspector.seen == [MESSAGE, sent], "what was proven is what went"
    assert sent.startswith(MESSAGE[:START])
    assert sent.endswith(MESSAGE[START + 6 :])
    assert b'filename="plan.docx.txt"' in sent
    assert b"SECRET" not in sent
    assert house.quarantine.contents[outcome.held or ""] == MESSAGE
    incident = house.only_incident
    assert (incident.state, incident.enforced, incident.quarantine) == ("closed", True, outcome.held)
    assert (incident.verdict.action, incident.verdict.replace) == (Action.QUARANTINE, True)
    assert incident.verdict.reasons[0] == DELIVERED
    assert incident.verdict == outcome.verdict
    assert house.notify.told == [incident]
    first, second = house.audit.records
    assert (first.event, second.event, second.durable) == ("decision", "replaced", True)
    assert (second.facts["original"], second.facts["action"]) == (first.facts["sha256"], "allow")
    assert second.facts["sha256"] != first.facts["sha256"]
    assert house.sample("dlp_items_total", channel="mail", action="quarantine") == 1


async def test_what_would_be_blocked_is_in_custody_even_if_evidence_is_not_kept(house: House) -> None:
    house.inspector.answer = Inspection(
        findings=(Finding(signature="blocked", level="secret", trail=("plan.docx",)),), attachments=PLACES
    )
    outcome = await run(house, gate := ReplaceableGate(house.events))
    assert gate.instead.released == 1
    assert house.quarantine.contents == {outcome.held: MESSAGE}
    assert house.only_incident.verdict.action is Action.BLOCK


async def test_the_rest_may_be_noted(house: House) -> None:
    house.inspector.again = Inspection(findings=(Finding(signature="noted"),))
    await run(house, gate := ReplaceableGate(house.events))
    assert gate.instead.released == 1
    assert house.audit.records[-1].facts["action"] == "alert"


async def test_what_goes_is_marked_by_its_own_level_and_not_by_the_originals(house: House) -> None:
    class Marking(ReplaceableGate):
        levels: tuple[str | None, ...] = ()

        def mark(self, level: str | None) -> None:
            assert not self.instead.released
            self.levels += (level,)

    house.inspector.again = Inspection(findings=(Finding(signature="noted", level="internal"),))
    await run(house, gate := Marking(house.events))
    assert gate.instead.released == 1
    assert gate.levels == ("secret", "internal")


async def test_a_released_message_goes_whole(house: House) -> None:
    first = await run(house, RecordingGate(house.events, destroys=False))
    with house.quarantine.releasing(first.held or ""):
        pass
    house.quarantine.released = lambda item: first.held  # type: ignore[method-assign, assignment]
    outcome = await run(house, gate := ReplaceableGate(house.events))
    assert (gate.released, gate.sent) == (1, [])
    assert (outcome.verdict.action, outcome.verdict.replace) == (Action.ALLOW, False)


def answers(name: str) -> tuple[Inspection, Inspection | Exception]:
    """What is found first, and then in the rewritten message."""
    strict = Finding(signature="strict", trail=("plan.docx",))
    own = Finding(signature="secret", level="secret")
    unread = Unscannable(why=Why.CRASHED)
    return {
        "still found": (FIRST, Inspection(findings=(SECRET,), attachments=PLACES)),
        "found elsewhere now": (FIRST, Inspection(findings=(own,))),
        "not read again": (FIRST, Inspection(unscannable=(unread,))),
        "no child for the proof": (FIRST, WorkerError("no child")),
        "in its own text": (Inspection(findings=(own, SECRET), attachments=PLACES), Inspection()),
        "a fault of the whole": (Inspection(findings=(SECRET,), unscannable=(unread,), attachments=PLACES), Inspection()),
        "nobody knows where": (Inspection(findings=(SECRET,)), Inspection()),
        "a stricter rule": (Inspection(findings=(SECRET, strict), attachments=PLACES), Inspection()),
    }[name]


WHOLE = (
    "still found",
    "found elsewhere now",
    "not read again",
    "no child for the proof",
    "in its own text",
    "a fault of the whole",
    "nobody knows where",
    "a stricter rule",
)


@pytest.mark.parametrize("name", WHOLE)
async def test_what_cannot_be_replaced_or_proven_is_kept_whole(house: House, name: str) -> None:
    house.inspector.answer, house.inspector.again = answers(name)
    outcome = await run(house, gate := ReplaceableGate(house.events))
    assert (gate.released, gate.instead.released, len(gate.withheld), gate.sent) == (0, 0, 1, [])
    assert house.quarantine.contents == {outcome.held: MESSAGE}
    incident = house.only_incident
    assert (incident.state, incident.verdict.replace) == ("closed", False)
    if name == "a stricter rule":
        assert "replaced" not in "".join(incident.verdict.reasons)
    else:
        assert incident.verdict.reasons[0].startswith("no attachment was replaced: ")


async def test_a_proof_that_takes_too_long_is_none(house: House) -> None:
    house.inspector.seconds = 60.0
    await run(house, gate := ReplaceableGate(house.events, patience=0.05))
    assert (gate.instead.released, len(gate.withheld)) == (0, 1)
    assert "no time" in house.only_incident.verdict.reasons[0]


async def test_without_memory_it_is_kept_whole(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> int:
        raise OSError(12, "Cannot allocate memory")

    gate = ReplaceableGate(house.events)
    with (item := a_message("out@example.org", content=MESSAGE)).blob:
        monkeypatch.setattr("dlp.blob.os.memfd_create", full)
        await house.pipeline.process(item, gate)
    assert (gate.instead.released, len(gate.withheld)) == (0, 1)
    assert "Cannot allocate memory" in house.only_incident.verdict.reasons[0]


async def test_a_gate_that_cannot_send_anything_else_holds_it_whole(house: House) -> None:
    await run(house, gate := house.gate(destroys=False))
    assert len(gate.withheld) == 1
    assert "cannot be rewritten" in house.only_incident.verdict.reasons[0]
    assert len(house.inspector.seen) == 1


async def test_without_custody_nothing_goes(house: House) -> None:
    house.quarantine.faults.fail("store")
    gate = ReplaceableGate(house.events)
    with pytest.raises(StoreError):
        await run(house, gate)
    assert (gate.instead.released, gate.withheld) == (0, [])
    assert house.only_incident.state == "failed"


async def test_what_cannot_be_recorded_does_not_go(house: House) -> None:
    gate = ReplaceableGate(house.events)
    record = house.audit.record

    def failing(event: str, **facts: object) -> None:
        if event == "replaced":
            raise StoreError("no space")
        record(event, **facts)  # type: ignore[arg-type]

    house.audit.record = failing  # type: ignore[method-assign, assignment]
    with pytest.raises(StoreError):
        await run(house, gate)
    assert gate.instead.released == 0
    assert [row.state for row in house.quarantine.rows.values()] == ["purged"]


@pytest.mark.parametrize("fault", [RelayError("452 4.2.2 full", "full"), RuntimeError("a bug")])
async def test_if_the_next_hop_does_not_take_it_the_sender_keeps_it_and_custody_ends(house: House, fault: Exception) -> None:
    gate = ReplaceableGate(house.events, fault=fault)
    with pytest.raises(type(fault)):
        await run(house, gate)
    assert gate.withheld == []
    assert [row.state for row in house.quarantine.rows.values()] == ["purged"]
    incident = house.only_incident
    assert (incident.state, incident.quarantine, incident.enforced) == ("failed", None, False)


# ---- Together with recipients apart

BOTH = ("in@example.com", "out@example.org")


async def test_who_may_have_it_gets_it_whole_and_then_the_others_the_rest(house: House) -> None:
    gate = ApartGate(house.events)
    outcome = await run(house, gate, *BOTH)
    order = [event for event in verbs(house) if event.split(".")[0] in ("gate", "quarantine")]
    assert order == ["gate.divide", "quarantine.store", "gate.release", "gate.release"]
    assert (gate.on.released, gate.apart.instead.released, gate.apart.withheld) == (1, 1, [])
    assert house.quarantine.rows[outcome.held or ""].origin.recipients == ("out@example.org",)  # type: ignore[union-attr]
    assert house.only_incident.verdict.reasons[0] == DELIVERED


@pytest.mark.parametrize("fault", [RelayError("452 4.2.2 full", "full"), RuntimeError("a bug")])
async def test_once_the_others_have_it_the_rest_is_held_if_it_cannot_be_sent(house: House, fault: Exception) -> None:
    gate = ApartGate(house.events, fault=fault)
    outcome = await run(house, gate, *BOTH)
    assert (gate.on.released, gate.apart.instead.released, len(gate.apart.withheld)) == (1, 0, 1)
    assert house.quarantine.contents == {outcome.held: MESSAGE}
    incident = house.only_incident
    assert (incident.state, incident.verdict.replace, incident.quarantine) == ("closed", False, outcome.held)
    assert incident.verdict.reasons[0].startswith("no attachment was replaced: the next hop")


async def test_if_the_others_are_not_served_nobody_gets_the_rest(house: House) -> None:
    gate = ApartGate(house.events, others=RelayError("452 4.2.2 full", "full"))
    with pytest.raises(RelayError):
        await run(house, gate, *BOTH)
    assert (gate.apart.instead.released, gate.apart.withheld) == (0, [])
    assert [row.state for row in house.quarantine.rows.values()] == ["purged"]


async def test_apart_and_kept_whole_is_apart_as_ever(house: House) -> None:
    house.inspector.again = FIRST
    gate = ApartGate(house.events)
    await run(house, gate, *BOTH)
    assert (gate.on.released, len(gate.apart.withheld), gate.apart.sent) == (1, 1, [])


# ---- Whatever fails

STEPS = (
    "audit.record",
    "incidents.open",
    "quarantine.store",
    "quarantine.purge",
    "incidents.close",
    "incidents.fail",
    "incidents.get",
)


@given(
    name=st.sampled_from([*WHOLE, "good", "good", "good"]),
    failing=st.sets(st.sampled_from(STEPS)),
    fault=st.sampled_from([None, None, RelayError("451 later", "down"), ValueError("a bug")]),
    recipients=st.sampled_from([BOTH, ("out@example.org",)]),
)
def test_nothing_is_lost_and_nothing_goes_unproven(
    name: str, failing: set[str], fault: Exception | None, recipients: tuple[str, ...]
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        house = a_house(Path(folder))
    if name != "good":
        house.inspector.answer, house.inspector.again = answers(name)
    for step in failing:
        port, _, method = step.partition(".")
        getattr(house, port).faults.fail(method)
    gate = ApartGate(house.events, fault=fault)
    alone = gate.apart if len(recipients) == 1 else gate
    outcome: Outcome | None = None
    try:
        outcome = asyncio.run(run(house, alone, *recipients))
    except (DLPError, ValueError):
        assert failing or fault
    if gate.apart.instead.released:
        assert name == "good"
        assert MESSAGE in house.quarantine.contents.values()
        assert house.inspector.seen[-1] == gate.apart.sent[0]
    assert gate.apart.released == 0, "the original goes to nobody who may not have it"
    if outcome is not None or gate.on.released:
        assert MESSAGE in house.quarantine.contents.values(), "the sender may delete his copy"
