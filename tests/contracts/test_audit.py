"""What every `ports.Audit` does."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from dlp.model import Action, Channel
from dlp.ports import Audit
from dlp.store.stores import Stores
from tests.helpers.memory import MemoryAudit

Events = Callable[[], list[tuple[str, dict[str, object]]]]


@pytest.fixture(params=["real", "memory"])
def log(request: pytest.FixtureRequest, state: Path) -> tuple[Audit, Events]:
    """The log, and what is in it."""
    if request.param == "memory":
        memory = MemoryAudit()
        return memory, lambda: [(one.event, json.loads(json.dumps(one.facts))) for one in memory.records]
    stores: Stores = request.getfixturevalue("stores")
    lines = state / "audit" / "audit.jsonl"
    return stores.audit, lambda: [(one["event"], one["facts"]) for one in map(json.loads, lines.read_text().splitlines())]


def test_records_are_kept_in_order(log: tuple[Audit, Events]) -> None:
    audit, events = log
    audit.record("started", version="1.0")
    audit.record("decided", durable=False, incident="inc-1", action=str(Action.BLOCK))
    audit.record("stopped")
    assert events() == [("started", {"version": "1.0"}), ("decided", {"incident": "inc-1", "action": "block"}), ("stopped", {})]


def test_facts_are_plain_values(log: tuple[Audit, Events]) -> None:
    audit, events = log
    audit.record("decided", text="机密\udcff\n", count=3, share=0.5, yes=True, none=None, list=["a", 1, ["b"]], on=Channel.USB)
    facts = {"text": "机密\udcff\n", "count": 3, "share": 0.5, "yes": True, "none": None, "list": ["a", 1, ["b"]], "on": "usb"}
    assert events() == [("decided", facts)]


@pytest.mark.parametrize("value", [b"bytes", {"a": 1}, object(), [b"x"]], ids=["bytes", "mapping", "object", "inside a list"])
def test_other_facts_are_a_fault_of_the_caller_and_leave_nothing(log: tuple[Audit, Events], value: object) -> None:
    audit, events = log
    with pytest.raises(TypeError, match="fact"):
        audit.record("decided", fact=value)
    assert events() == []
