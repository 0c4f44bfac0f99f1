"""What every `ports.Incidents` does."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from dlp.errors import StoreError
from dlp.model import Channel, Inspection, Verdict
from dlp.ports import Incidents
from dlp.redact import mask
from dlp.store.stores import Stores
from tests.helpers.memory import MemoryIncidents
from tests.store.items import INSPECTION, VERDICT, MakeItem, an_envelope, now


@pytest.fixture(params=["real", "memory"])
def incidents(request: pytest.FixtureRequest) -> Incidents:
    if request.param == "memory":
        return MemoryIncidents()
    stores: Stores = request.getfixturevalue("stores")
    return stores.incidents


def test_an_opened_incident_says_what_was_found_and_decided(incidents: Incidents, make_item: MakeItem) -> None:
    item, before = make_item(), now()
    opened = incidents.get(incidents.open(item, INSPECTION, VERDICT))
    assert opened is not None
    assert (opened.channel, opened.origin, opened.verdict) == (item.channel, item.origin, VERDICT)
    assert (opened.findings, opened.unscannable) == (INSPECTION.findings, INSPECTION.unscannable)
    assert (opened.sha256, opened.size, opened.state) == (item.blob.sha256, item.blob.size, "open")
    assert before <= opened.opened <= now()
    assert (opened.closed, opened.enforced, opened.quarantine, opened.error, opened.review) == (None, False, None, "", "")


def test_the_subject_is_masked_and_the_rest_of_the_envelope_is_not(incidents: Incidents, make_item: MakeItem) -> None:
    envelope = an_envelope("merger with Example Holdings")
    opened = incidents.get(incidents.open(make_item(origin=envelope), INSPECTION, VERDICT))
    assert opened is not None
    assert opened.origin == replace(envelope, subject=mask("merger with Example Holdings"))


def test_closing_says_that_it_was_enforced_and_where_the_original_is(incidents: Incidents, make_item: MakeItem) -> None:
    incident = incidents.open(make_item(), INSPECTION, VERDICT)
    incidents.close(incident, held="q-1")
    closed = incidents.get(incident)
    assert closed is not None
    assert (closed.state, closed.enforced, closed.quarantine) == ("closed", True, "q-1")
    assert closed.closed is not None
    assert closed.closed >= closed.opened


def test_a_verdict_that_says_more_takes_the_place_of_the_first(incidents: Incidents, make_item: MakeItem) -> None:
    incident = incidents.open(make_item(), INSPECTION, VERDICT)
    more = replace(VERDICT, replace=True, reasons=("delivered with 1 attachment replaced by notices", *VERDICT.reasons))
    incidents.close(incident, held="q-1", verdict=more)
    closed = incidents.get(incident)
    assert closed is not None
    assert (closed.verdict, closed.state) == (more, "closed")


def test_a_failure_keeps_its_sentence_and_stays_unclosed(incidents: Incidents, make_item: MakeItem) -> None:
    incident = incidents.open(make_item(), INSPECTION, VERDICT)
    incidents.fail(incident, "the file vanished", held=None)
    failed = incidents.get(incident)
    assert failed is not None
    assert (failed.state, failed.error, failed.enforced, failed.closed) == ("failed", "the file vanished", False, None)


def test_only_what_was_open_is_interrupted(incidents: Incidents, make_item: MakeItem) -> None:
    done, failed, hanging = (incidents.open(make_item(), INSPECTION, VERDICT) for _ in range(3))
    incidents.close(done, held=None)
    incidents.fail(failed, "no", held=None)
    assert incidents.interrupted() == 1
    assert [incident.id for incident in incidents.list(state="interrupted")] == [hanging]
    assert incidents.interrupted() == 0


@pytest.mark.parametrize("stuck", ["interrupted", "failed"])
def test_a_review_closes_what_was_stuck(incidents: Incidents, make_item: MakeItem, stuck: str) -> None:
    incident = incidents.open(make_item(), INSPECTION, VERDICT)
    if stuck == "failed":
        incidents.fail(incident, "no", held=None)
    else:
        incidents.interrupted()
    incidents.review(incident, "false-positive", "bob")
    reviewed = incidents.get(incident)
    assert reviewed is not None
    assert (reviewed.state, reviewed.review, reviewed.reviewed_by) == ("closed", "false-positive", "bob")
    assert reviewed.closed is not None


def test_a_review_marks_false_alarms_and_takes_the_mark_back(incidents: Incidents, make_item: MakeItem) -> None:
    incident = incidents.open(make_item(), INSPECTION, VERDICT)

    def marked() -> dict[str, str | None]:
        found = incidents.get(incident)
        assert found is not None
        return {one.signature: one.facts.get("review") for one in found.findings}

    incidents.review(incident, "confirmed", "bob", false=["cn_id"])
    assert marked() == {"cn_id": "false-positive", "caf\udce9": None}
    incidents.review(incident, "confirmed", "bob")
    assert marked() == {"cn_id": None, "caf\udce9": None}
    found = incidents.get(incident)
    assert found is not None
    assert found.findings[0].facts == INSPECTION.findings[0].facts


def test_a_review_leaves_alone_what_is_still_being_acted_on(incidents: Incidents, make_item: MakeItem) -> None:
    incident = incidents.open(make_item(), INSPECTION, VERDICT)
    incidents.review(incident, "confirmed", "bob")
    assert [one.id for one in incidents.list(state="open")] == [incident]


def test_an_unknown_id_or_outcome_is_refused(incidents: Incidents, make_item: MakeItem) -> None:
    incident = incidents.open(make_item(), INSPECTION, VERDICT)
    assert incidents.get("inc-none") is None
    attempts: tuple[Callable[[], None], ...] = (
        lambda: incidents.close("inc-none", held=None),
        lambda: incidents.fail("inc-none", "", held=None),
        lambda: incidents.review("inc-none", "confirmed", "bob"),
        lambda: incidents.review(incident, "whatever", "bob"),
    )
    for attempt in attempts:
        with pytest.raises(StoreError):
            attempt()


def test_lists_are_oldest_first_and_filtered(incidents: Incidents, make_item: MakeItem) -> None:
    mail = incidents.open(make_item(origin=an_envelope()), INSPECTION, VERDICT)
    drive = incidents.open(make_item(), Inspection(), Verdict())
    share = incidents.open(make_item(channel=Channel.SHARE), INSPECTION, VERDICT)
    incidents.close(drive, held=None)
    assert [one.id for one in incidents.list()] == [mail, drive, share]
    assert [one.id for one in incidents.list(channel=Channel.USB)] == [drive]
    assert [one.id for one in incidents.list(state="open")] == [mail, share]
    assert [one.id for one in incidents.list(state="closed", channel=Channel.MAIL)] == []
