"""The table of what each action does, cell by cell."""

import pytest

from dlp.enforce import act, take_custody
from dlp.errors import GateError, RelayError, StoreError
from dlp.model import Action, Verdict
from dlp.ports import Gate
from tests.helpers.memory import MemoryQuarantine
from tests.helpers.pipeline import CONTENT, RecordingGate, an_item

CUSTODY = {
    # (action, the gate destroys, evidence is kept): custody is taken
    (Action.ALLOW, False, True): False,
    (Action.ALLOW, True, True): False,
    (Action.ALERT, False, True): False,
    (Action.ALERT, True, True): False,
    (Action.QUARANTINE, False, True): True,
    (Action.QUARANTINE, False, False): True,
    (Action.QUARANTINE, True, True): True,
    (Action.QUARANTINE, True, False): True,
    (Action.BLOCK, False, True): True,
    (Action.BLOCK, False, False): False,
    (Action.BLOCK, True, True): True,
    (Action.BLOCK, True, False): True,
}


@pytest.mark.parametrize(("cell", "taken"), CUSTODY.items(), ids=lambda value: str(value))
async def test_custody_is_taken_as_the_table_says(cell: tuple[Action, bool, bool], taken: bool) -> None:
    action, destroys, evidence = cell
    quarantine, gate = MemoryQuarantine(), RecordingGate([], destroys=destroys)
    verdict = Verdict(action=action, level="secret", approve_by=("head",))
    with (item := an_item(file=destroys)).blob:
        held = await take_custody(item, gate, verdict, "inc-1", quarantine, evidence=evidence)
    assert (held is not None) is taken
    assert gate.events == [], "custody does not touch the gate"
    if held is not None:
        kept = quarantine.rows[held]
        assert quarantine.contents[held] == CONTENT
        assert (kept.incident, kept.approve_by, kept.attributes) == ("inc-1", ("head",), {"mode": 0o640})


async def test_custody_that_is_not_durable_is_an_error() -> None:
    quarantine, gate = MemoryQuarantine(), RecordingGate([], destroys=True)
    quarantine.faults.fail("store")
    with (item := an_item(file=True)).blob, pytest.raises(StoreError):
        await take_custody(item, gate, Verdict(action=Action.BLOCK), "inc-1", quarantine, evidence=True)


@pytest.mark.parametrize(
    ("action", "verb"), [("ALLOW", "release"), ("ALERT", "release"), ("QUARANTINE", "withhold"), ("BLOCK", "withhold")]
)
async def test_exactly_one_verb_of_the_gate_is_called(action: str, verb: str) -> None:
    gate = RecordingGate([], destroys=False)
    verdict = Verdict(action=Action[action])
    await act(gate, verdict, "inc-1", "q-1")
    assert gate.events == [f"gate.{verb}"]
    assert gate.withheld in ([], [(verdict, "inc-1", "q-1")])


@pytest.mark.parametrize("error", [GateError("it vanished"), RelayError("451 4.3.0 later", "the next hop is down")])
async def test_what_the_gate_raises_is_passed_on(error: Exception) -> None:
    gate: Gate = RecordingGate([], destroys=True, fault=error)
    for action in Action:
        with pytest.raises(type(error)):
            await act(gate, Verdict(action=action), "inc-1", "q-1")
