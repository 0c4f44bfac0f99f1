"""The way of one item: what happens in which order, and that nothing is lost whichever step fails."""

import asyncio
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlp.errors import DLPError, GateError, RelayError, StoreError, WorkerError
from dlp.model import Action, Finding, Item, Mode, Unscannable, Why
from dlp.ports import Outcome
from tests.helpers.pipeline import CONTENT, DivisibleGate, House, MarkableGate, RecordingGate, a_message, an_item
from tests.policy.builders import a_policy, a_rule

SECRET_TEXT = "机密 content of the plan"


def a_finding(action: str, **more: object) -> Finding:
    """A finding that the house's policy answers with `action`."""
    return Finding(signature=action, level="secret", **more)  # type: ignore[arg-type]


async def run(house: House, gate: RecordingGate, item: Item | None = None) -> Outcome:
    """One item through the pipeline, its blob closed afterwards as a channel would."""
    item = item or an_item(file=gate.destroys)
    with item.blob:
        return await house.pipeline.process(item, gate)


def verbs(house: House) -> list[str]:
    """What was done, less the looking."""
    return [event for event in house.events if event not in ("inspect", "quarantine.released", "incidents.get")]


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path)


@pytest.mark.parametrize("destroys", [False, True])
async def test_what_nothing_was_found_in_is_released_and_recorded(house: House, destroys: bool) -> None:
    outcome = await run(house, gate := house.gate(destroys=destroys))
    assert (outcome.verdict.action, outcome.incident, outcome.held) == (Action.ALLOW, None, None)
    assert verbs(house) == ["audit.record", "gate.release"]
    assert gate.released == 1
    (record,) = house.audit.records
    assert (record.event, record.durable, record.facts["action"]) == ("decision", False, "allow")


@pytest.mark.parametrize("destroys", [False, True])
async def test_an_alert_lets_go_with_an_incident_and_without_custody(house: House, destroys: bool) -> None:
    house.finds(a_finding("alert"))
    outcome = await run(house, house.gate(destroys=destroys))
    assert verbs(house) == ["audit.record", "incidents.open", "gate.release", "incidents.close", "notify"]
    assert outcome.held is None
    assert house.quarantine.rows == {}
    assert (house.only_incident.state, house.only_incident.enforced) == ("closed", True)


@pytest.mark.parametrize("destroys", [False, True])
@pytest.mark.parametrize("action", ["quarantine", "block"])
async def test_custody_comes_before_the_gate_and_the_incident_around_both(house: House, action: str, destroys: bool) -> None:
    house.finds(a_finding(action))
    outcome = await run(house, gate := house.gate(destroys=destroys))
    order = ["audit.record", "incidents.open", "quarantine.store", "gate.withhold", "incidents.close", "notify"]
    assert verbs(house) == order
    assert house.quarantine.contents[outcome.held or ""] == CONTENT
    assert gate.withheld == [(outcome.verdict, outcome.incident, outcome.held)]
    incident = house.only_incident
    assert (incident.state, incident.enforced, incident.quarantine) == ("closed", True, outcome.held)
    assert house.notify.told == [incident], "people are told of the incident as it ended"
    assert house.audit.records[0].durable


async def test_evidence_of_blocked_mail_can_be_turned_off(tmp_path: Path) -> None:
    house = House(tmp_path, evidence=False)
    house.finds(a_finding("block"))
    outcome = await run(house, gate := house.gate(destroys=False))
    assert "quarantine.store" not in house.events
    assert gate.withheld == [(outcome.verdict, outcome.incident, None)]
    assert house.only_incident.quarantine is None


async def test_a_gate_that_destroys_has_custody_with_evidence_off_too(tmp_path: Path) -> None:
    house = House(tmp_path, evidence=False)
    house.finds(a_finding("block"))
    outcome = await run(house, house.gate(destroys=True))
    assert outcome.held in house.quarantine.rows


async def test_what_cannot_be_read_is_decided_by_policy_never_clean(house: House) -> None:
    house.finds(unread=(Unscannable(why=Why.CRASHED),))
    outcome = await run(house, gate := house.gate(destroys=False))
    assert (outcome.verdict.action, gate.released) == (Action.QUARANTINE, 0)
    assert house.only_incident.unscannable == (Unscannable(why=Why.CRASHED),)


# ---- Some of the recipients


OUTSIDE = "".join(a_rule('recipients = "external", signature = "secret"', action, action) for action in ("quarantine", "block"))
SPLIT = OUTSIDE + a_rule('signature = "secret"', "alert", "noted")


@pytest.fixture
def parted(tmp_path: Path) -> House:
    """A house that keeps what has been found from outsiders, and notes it for insiders."""
    house = House(tmp_path, rules=SPLIT, evidence=False)
    house.finds(a_finding("secret"))
    return house


async def test_who_may_not_have_a_message_is_withheld_it_before_the_others_are_served(parted: House) -> None:
    gate = DivisibleGate(parted.events)
    outcome = await run(parted, gate, a_message("in@example.com", "out@example.org", "too@example.com"))
    assert gate.asked == {1}
    assert (gate.released, gate.withheld, gate.on.released) == (0, [], 1)
    order = ["gate.divide", "audit.record", "incidents.open", "quarantine.store", "gate.withhold"]
    assert verbs(parted)[:5] == order
    assert verbs(parted)[5:8] == ["audit.record", "incidents.open", "gate.release"]
    assert outcome.verdict.action is Action.BLOCK
    kept = parted.quarantine.rows[outcome.held or ""]
    assert kept.origin.recipients == ("out@example.org",)  # type: ignore[union-attr]
    states = {incident.verdict.action: (incident.state, incident.origin) for incident in parted.incidents.rows.values()}
    assert states[Action.BLOCK] == ("closed", kept.origin)
    assert states[Action.ALERT][1].recipients == ("in@example.com", "too@example.com")  # type: ignore[union-attr]
    assert parted.sample("dlp_items_total", channel="mail", action="block") == 1
    assert parted.sample("dlp_items_total", channel="mail", action="alert") == 0


@pytest.mark.parametrize("recipients", [("out@example.org", "also@example.net"), ("out@example.org",), ("in@example.com",)])
async def test_a_message_that_all_or_none_may_have_is_not_divided(parted: House, recipients: tuple[str, ...]) -> None:
    gate = DivisibleGate(parted.events)
    await run(parted, gate, a_message(*recipients))
    assert "gate.divide" not in parted.events
    assert gate.released + len(gate.withheld) == 1


@pytest.mark.parametrize("fault", [RelayError("452 4.2.2 full", "full"), RuntimeError("a bug")])
async def test_if_the_others_are_not_served_the_sender_keeps_it_and_so_custody_ends(parted: House, fault: Exception) -> None:
    gate = DivisibleGate(parted.events, fault=fault)
    with pytest.raises(type(fault)):
        await run(parted, gate, a_message("in@example.com", "out@example.org"))
    assert [row.state for row in parted.quarantine.rows.values()] == ["purged"]
    assert {incident.state for incident in parted.incidents.rows.values()} == {"failed"}
    assert {incident.quarantine for incident in parted.incidents.rows.values()} == {None}


async def test_if_it_cannot_be_divided_nothing_is_done(parted: House) -> None:
    gate = DivisibleGate(parted.events)
    gate.fault = RelayError("451 4.4.1 down", "down")
    with pytest.raises(RelayError):
        await run(parted, gate, a_message("in@example.com", "out@example.org"))
    assert verbs(parted) == ["gate.divide"]


async def test_without_custody_for_some_the_others_are_not_served(parted: House) -> None:
    parted.quarantine.faults.fail("store")
    gate = DivisibleGate(parted.events)
    with pytest.raises(StoreError):
        await run(parted, gate, a_message("in@example.com", "out@example.org"))
    assert gate.on.released == 0
    assert parted.only_incident.state == "failed"


# ---- What fails


@pytest.mark.parametrize("action", ["allow", "alert", "quarantine", "block"])
async def test_what_cannot_be_recorded_is_not_done(house: House, action: str) -> None:
    house.finds(a_finding(action))
    house.audit.faults.fail("record")
    with pytest.raises(StoreError):
        await run(house, gate := house.gate(destroys=True))
    assert gate.events == house.events
    assert not {"gate.release", "gate.withhold", "quarantine.store", "incidents.open"} & set(house.events)


@pytest.mark.parametrize("action", ["alert", "quarantine", "block"])
async def test_without_an_incident_nothing_is_done(house: House, action: str) -> None:
    house.finds(a_finding(action))
    house.incidents.faults.fail("open")
    with pytest.raises(StoreError):
        await run(house, house.gate(destroys=True))
    assert verbs(house) == ["audit.record", "incidents.open"]


async def test_without_the_list_of_releases_nothing_is_done(house: House) -> None:
    house.finds(a_finding("block"))
    house.quarantine.faults.fail("released")
    with pytest.raises(StoreError):
        await run(house, house.gate(destroys=True))
    assert house.events == ["inspect", "quarantine.released"]


@pytest.mark.parametrize("destroys", [False, True])
@pytest.mark.parametrize("action", ["quarantine", "block"])
async def test_without_custody_the_gate_is_untouched_and_the_incident_failed(house: House, action: str, destroys: bool) -> None:
    house.finds(a_finding(action))
    house.quarantine.faults.fail("store")
    with pytest.raises(StoreError):
        await run(house, house.gate(destroys=destroys))
    assert not {"gate.release", "gate.withhold"} & set(house.events)
    incident = house.only_incident
    assert (incident.state, incident.enforced, incident.quarantine) == ("failed", False, None)
    assert incident.error == "store: no space is left (injected)"
    assert house.notify.told == [incident]


@pytest.mark.parametrize(
    ("action", "error"),
    [
        ("alert", RelayError("554 5.7.1 no", "the next hop refused")),
        ("alert", GateError("it changed")),
        ("quarantine", GateError("it changed")),
        ("block", GateError("no permission")),
    ],
)
async def test_a_gate_that_fails_leaves_a_failed_incident_and_the_custody(house: House, action: str, error: DLPError) -> None:
    house.finds(a_finding(action))
    with pytest.raises(type(error)) as caught:
        await run(house, house.gate(destroys=True, fault=error))
    assert caught.value is error, "the channel answers with this very reply"
    incident = house.only_incident
    assert (incident.state, incident.enforced, incident.error) == ("failed", False, str(error))
    assert (incident.quarantine in house.quarantine.rows) is (action != "alert")
    assert house.notify.told == [incident]


async def test_a_relay_that_refuses_clean_mail_makes_no_incident(house: House) -> None:
    with pytest.raises(RelayError):
        await run(house, house.gate(destroys=False, fault=RelayError("451 4.3.0 later", "down")))
    assert house.incidents.rows == {}
    assert house.sample("dlp_items_total", channel="mail", action="allow") == 0


@pytest.mark.parametrize("where", ["custody", "gate"])
async def test_a_bug_is_recorded_by_its_kind_and_never_by_its_words(house: House, where: str) -> None:
    house.finds(a_finding("quarantine"))
    bug = ValueError(SECRET_TEXT)
    if where == "custody":
        house.quarantine.faults.fail("store", error=bug)
    with pytest.raises(ValueError, match=SECRET_TEXT):
        await run(house, house.gate(destroys=True, fault=bug))
    assert house.only_incident.state == "failed"
    assert house.only_incident.error == "internal error: ValueError"
    assert SECRET_TEXT not in repr((house.incidents.rows, house.audit.records, house.notify.told))


async def test_an_incident_that_cannot_even_be_failed_stays_open_and_the_first_error_is_raised(house: House) -> None:
    house.finds(a_finding("quarantine"))
    house.quarantine.faults.fail("store")
    house.incidents.faults.fail("fail")
    with pytest.raises(StoreError, match="store:"):
        await run(house, house.gate(destroys=True))
    assert house.only_incident.state == "open"
    assert house.incidents.interrupted() == 1, "the next start lists it"


async def test_the_first_error_is_raised_even_if_the_incident_cannot_be_read_again(house: House) -> None:
    house.finds(a_finding("alert"))
    house.incidents.faults.fail("get")
    with pytest.raises(RelayError, match="down"):
        await run(house, house.gate(destroys=False, fault=RelayError("451 4.3.0 later", "down")))
    assert house.only_incident.state == "failed"


async def test_an_incident_that_cannot_be_closed_is_an_error_after_the_act(house: House) -> None:
    house.finds(a_finding("quarantine"))
    house.incidents.faults.fail("close")
    with pytest.raises(StoreError):
        await run(house, gate := house.gate(destroys=True))
    assert len(gate.withheld) == 1
    assert list(house.quarantine.contents.values()) == [CONTENT]
    assert house.only_incident.state == "open"


async def test_where_no_inspection_can_be_had_that_is_on_record_and_nothing_is_done(house: House) -> None:
    house.inspector.answer = WorkerError("no child can be had")
    with pytest.raises(WorkerError):
        await run(house, house.gate(destroys=False))
    assert house.events == ["inspect", "audit.record"]
    (record,) = house.audit.records
    assert (record.event, record.durable) == ("not-inspected", True)
    assert record.facts["item"] == "item-1"
    assert (record.facts["channel"], record.facts["error"]) == ("mail", "no child can be had")


async def test_where_that_cannot_be_recorded_either_the_channel_may_not_pass_it_on(house: House) -> None:
    house.inspector.answer = WorkerError("no child can be had")
    house.audit.faults.fail("record")
    with pytest.raises(StoreError):
        await run(house, house.gate(destroys=False))


# ---- Releases and reloads


async def test_what_an_approver_let_go_is_allowed_and_recorded(house: House) -> None:
    house.finds(a_finding("block"))
    first = await run(house, house.gate(destroys=True))
    with house.quarantine.releasing(first.held or ""):
        pass
    house.events.clear()
    outcome = await run(house, gate := house.gate(destroys=True))
    assert (outcome.verdict.action, gate.released, outcome.incident) == (Action.ALLOW, 1, None)
    assert verbs(house)[-2:] == ["audit.record", "gate.release"]
    record = house.audit.records[-1]
    assert record.facts["action"] == "allow"
    assert record.facts["rules"] == ["rule block"], "what it would have been is on record"
    assert first.held is not None
    assert first.held in str(record.facts["reasons"])


async def test_a_release_is_for_this_content_at_this_path(house: House) -> None:
    house.finds(a_finding("block"))
    first = await run(house, house.gate(destroys=True))
    with house.quarantine.releasing(first.held or ""):
        pass
    other_path = await run(house, house.gate(destroys=True), an_item(file=True, path="/media/x/other.docx"))
    other_content = await run(house, house.gate(destroys=True), an_item(file=True, content=b"changed"))
    assert (other_path.verdict.action, other_content.verdict.action) == (Action.BLOCK, Action.BLOCK)


async def test_a_new_policy_judges_from_the_next_item_on(house: House, tmp_path: Path) -> None:
    house.finds(a_finding("alert"))
    assert (await run(house, house.gate(destroys=True))).verdict.action is Action.ALERT
    house.pipeline.adopt(a_policy(tmp_path, a_rule('signature = "alert"', "block", "stricter")))
    outcome = await run(house, house.gate(destroys=True))
    assert (outcome.verdict.action, outcome.verdict.rules) == (Action.BLOCK, ("stricter",))


async def test_an_item_under_way_is_judged_by_the_policy_it_began_with(house: House, tmp_path: Path) -> None:
    house.finds(a_finding("alert"))
    stricter = a_policy(tmp_path, a_rule('signature = "alert"', "block", "stricter"))
    inspect = house.inspector.inspect

    async def meanwhile(item: Item) -> object:
        house.pipeline.adopt(stricter)
        return await inspect(item)

    house.inspector.inspect = meanwhile  # type: ignore[method-assign, assignment]
    assert (await run(house, house.gate(destroys=True))).verdict.action is Action.ALERT


# ---- What is counted


async def test_every_item_is_counted_once(house: House) -> None:
    finding = a_finding("quarantine", count=3)
    house.finds(finding, finding, unread=(Unscannable(why=Why.ENCRYPTED), Unscannable(why=Why.CORRUPT)))
    await run(house, house.gate(destroys=True))
    assert house.sample("dlp_items_total", channel="usb", action="quarantine") == 1
    assert house.sample("dlp_inspected_bytes_total", channel="usb") == len(CONTENT)
    assert house.sample("dlp_item_seconds_count", channel="usb") == 1
    assert house.sample("dlp_item_seconds_sum", channel="usb") == 2
    assert house.sample("dlp_findings_total", signature="quarantine", level="secret") == 2
    assert house.sample("dlp_unscannable_total", channel="usb", why="encrypted") == 1
    assert house.sample("dlp_unscannable_total", channel="usb", why="corrupt") == 1


async def test_findings_in_shadow_are_counted_and_do_not_act(house: House) -> None:
    house.finds(a_finding("block", mode=Mode.SHADOW))
    outcome = await run(house, gate := house.gate(destroys=True))
    assert (outcome.verdict.action, gate.released) == (Action.ALLOW, 1)
    assert house.sample("dlp_findings_total", signature="block", level="secret") == 1


# ---- Whatever fails

STEPS = (
    "audit.record",
    "quarantine.released",
    "incidents.open",
    "quarantine.store",
    "incidents.close",
    "incidents.fail",
    "incidents.get",
)


@given(
    actions=st.lists(st.sampled_from(["alert", "quarantine", "block", "nothing"]), max_size=3),
    failing=st.sets(st.sampled_from(STEPS)),
    fault=st.sampled_from([None, GateError("it changed"), RelayError("451 later", "down"), ValueError("a bug")]),
    foreign=st.booleans(),
    destroys=st.booleans(),
    evidence=st.booleans(),
)
def test_no_item_is_ever_lost(
    actions: list[str], failing: set[str], fault: Exception | None, foreign: bool, destroys: bool, evidence: bool
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        house = House(Path(folder), evidence=evidence)
    house.finds(*map(a_finding, actions))
    for step in failing:
        port, _, method = step.partition(".")
        getattr(house, port).faults.fail(method, error=ValueError("a bug") if foreign else None)
    gate = house.gate(destroys=destroys, fault=fault)
    outcome: Outcome | None = None
    try:
        outcome = asyncio.run(run(house, gate))
    except (DLPError, ValueError) as error:
        assert failing or error is fault
    touched = [event for event in house.events if event.startswith("gate.")]
    assert len(touched) <= 1, "exactly one verb, once, or none"
    if outcome is not None:
        assert touched == [f"gate.{'withhold' if outcome.verdict.action >= Action.QUARANTINE else 'release'}"]
        assert fault is None
    if "gate.withhold" in touched and (destroys or "block" not in actions):
        assert house.events.index("quarantine.store") < house.events.index("gate.withhold")
        assert list(house.quarantine.contents.values()) == [CONTENT]
    if "gate.release" in touched:
        assert not {"quarantine", "block"} & set(actions)
        assert house.quarantine.contents == {}
    if touched:
        assert house.events.index("audit.record") < house.events.index(touched[0])


@pytest.mark.parametrize("action", ["allow", "alert", "quarantine"])
async def test_a_gate_that_marks_knows_the_level_before_it_acts(house: House, action: str) -> None:
    house.finds(Finding(signature=action, level="secret"))
    gate = MarkableGate(house.events, destroys=False)
    await run(house, gate)
    assert gate.level == "secret"
    verb = "gate.withhold" if action == "quarantine" else "gate.release"
    assert house.events.index("gate.mark") < house.events.index(verb)


@pytest.mark.parametrize("action", ["alert", "quarantine", "block"])
async def test_what_is_only_asked_about_is_judged_and_nothing_is_done(house: House, action: str) -> None:
    house.finds(a_finding(action))
    item = an_item(file=True)
    with item.blob:
        assert (await house.pipeline.judge(item)).action is Action.named(action)
    kept = action != "alert"
    assert verbs(house) == (["audit.record"] if kept else [])
    assert [(record.event, record.durable) for record in house.audit.records] == ([("open-denied", False)] if kept else [])


async def test_what_was_released_may_be_opened(house: House) -> None:
    house.finds(a_finding("quarantine"))
    held = (await run(house, house.gate(destroys=True))).held
    item = an_item(file=True)
    with item.blob:
        assert (await house.pipeline.judge(item)).action is Action.QUARANTINE
        with house.quarantine.releasing(held or ""):
            pass
        assert (await house.pipeline.judge(item)).action is Action.ALLOW


async def test_what_cannot_be_recorded_is_denied_all_the_same(house: House) -> None:
    house.finds(a_finding("quarantine"))
    house.audit.faults.fail("record")
    item = an_item(file=True)
    with item.blob:
        assert (await house.pipeline.judge(item)).action is Action.QUARANTINE
