"""What every `ports.Quarantine` does."""

from dataclasses import replace
from typing import Any

import pytest

from dlp.errors import StoreError
from dlp.model import Item, ReleaseClaim
from dlp.ports import Quarantine
from dlp.redact import mask
from dlp.store.stores import Stores
from tests.helpers.memory import MemoryQuarantine
from tests.store.items import VERDICT, MakeItem, a_file, an_envelope


@pytest.fixture(params=["real", "memory"])
def quarantine(request: pytest.FixtureRequest) -> Quarantine:
    if request.param == "memory":
        return MemoryQuarantine()
    stores: Stores = request.getfixturevalue("stores")
    return stores.quarantine


def state(quarantine: Quarantine, held: str) -> str:
    row = quarantine.get(held)
    assert row is not None
    return row.state


@pytest.mark.parametrize("size", [0, 1, (1 << 20) - 1, 1 << 20, (1 << 20) + 1, 3 << 20])
def test_the_content_comes_back_byte_for_byte(quarantine: Quarantine, make_item: MakeItem, size: int) -> None:
    content = bytes(range(256)) * (size // 256) + b"x" * (size % 256)
    held = quarantine.store(make_item(content), "inc-1", VERDICT, {})
    assert b"".join(quarantine.content(held)) == content


def test_the_record_says_what_it_is_and_what_goes_back_with_it(quarantine: Quarantine, make_item: MakeItem) -> None:
    attributes = {"mode": 0o640, "uid": 1000, "mtime_ns": 1_700_000_000_123_456_789, "xattrs": {"user.x": "AAEC"}}
    item = make_item(origin=a_file("/mnt/usb/\udcff.txt"))
    row = quarantine.get(quarantine.store(item, "inc-1", VERDICT, attributes))
    assert row is not None
    assert (row.incident, row.channel, row.origin, row.state) == ("inc-1", item.channel, item.origin, "held")
    assert (row.size, row.sha256, row.level) == (item.blob.size, item.blob.sha256, "secret")
    assert (row.approve_by, row.attributes) == (("department-head",), attributes)


def test_a_subject_is_masked(quarantine: Quarantine, make_item: MakeItem) -> None:
    envelope = an_envelope("merger with Example Holdings")
    row = quarantine.get(quarantine.store(make_item(origin=envelope), "inc-1", VERDICT, {}))
    assert row is not None
    assert row.origin == replace(envelope, subject=mask("merger with Example Holdings"))


def test_the_same_content_for_the_same_incident_is_kept_once(quarantine: Quarantine, make_item: MakeItem) -> None:
    first = quarantine.store(make_item(b"a"), "inc-1", VERDICT, {})
    assert quarantine.store(make_item(b"a"), "inc-1", VERDICT, {}) == first
    others = [quarantine.store(make_item(b"a"), "inc-2", VERDICT, {}), quarantine.store(make_item(b"b"), "inc-1", VERDICT, {})]
    assert len({first, *others}) == 3
    assert [row.id for row in quarantine.list()] == [first, *others]


def test_what_was_purged_is_kept_anew(quarantine: Quarantine, make_item: MakeItem) -> None:
    first = quarantine.store(make_item(b"a"), "inc-1", VERDICT, {})
    quarantine.purge(first)
    again = quarantine.store(make_item(b"a"), "inc-1", VERDICT, {})
    assert again != first
    assert b"".join(quarantine.content(again)) == b"a"


def test_a_release_that_succeeds_is_remembered(quarantine: Quarantine, make_item: MakeItem) -> None:
    item = make_item()
    held = quarantine.store(item, "inc-1", VERDICT, {})
    assert quarantine.released(item) is None
    with quarantine.releasing(held):
        assert state(quarantine, held) == "releasing"
        assert quarantine.released(item) == held
    assert state(quarantine, held) == "released"
    assert quarantine.released(item) == held
    quarantine.purge(held)
    assert quarantine.released(item) == held


def test_released_means_this_content_at_this_path(quarantine: Quarantine, make_item: MakeItem) -> None:
    held = quarantine.store(make_item(b"a"), "inc-1", VERDICT, {})
    with quarantine.releasing(held):
        pass
    assert quarantine.released(make_item(b"changed")) is None
    assert quarantine.released(make_item(b"a", origin=a_file("/mnt/usb/elsewhere.docx"))) is None
    assert quarantine.released(make_item(b"a", origin=an_envelope())) is None


def claiming(quarantine: Quarantine, make_item: MakeItem, held: str, *, body: str = "ab" * 32, **envelope: Any) -> Item:
    """A message that comes by again with the seal of `held` for the body "abab…"."""
    claim = ReleaseClaim(held=held, seal=quarantine.seal(held, "ab" * 32), body=body)
    return replace(make_item(b"with other fields", origin=replace(an_envelope(), **envelope)), claim=claim)


def test_a_released_message_is_known_by_its_seal(quarantine: Quarantine, make_item: MakeItem) -> None:
    held = quarantine.store(make_item(origin=an_envelope()), "inc-1", VERDICT, {})
    again = claiming(quarantine, make_item, held)
    assert quarantine.released(again) is None  # it is held, nobody has let it go
    with quarantine.releasing(held):
        assert quarantine.released(again) == held
    assert quarantine.released(again) == held
    assert quarantine.released(claiming(quarantine, make_item, held, recipients=("C@example.net",))) == held
    quarantine.purge(held)
    assert quarantine.released(again) == held


def test_a_seal_fits_one_body_one_sender_and_the_recipients_it_was_given_for(quarantine: Quarantine, make_item: MakeItem) -> None:
    held, other = (quarantine.store(make_item(origin=an_envelope()), f"inc-{n}", VERDICT, {}) for n in (1, 2))
    with quarantine.releasing(held), quarantine.releasing(other):
        pass
    wrong = [
        claiming(quarantine, make_item, held, body="cd" * 32),
        claiming(quarantine, make_item, held, sender="mallory@example.com"),
        claiming(quarantine, make_item, held, recipients=("b@example.net", "eve@example.org")),
        replace(make_item(origin=an_envelope()), claim=None),
    ]
    good = claiming(quarantine, make_item, held)
    assert good.claim is not None
    wrong += [replace(good, claim=replace(good.claim, held=other)), replace(good, claim=replace(good.claim, held="q-none"))]
    wrong += [replace(good, claim=replace(good.claim, seal=seal)) for seal in ("", "0" * 64, "\udcff")]
    assert [quarantine.released(item) for item in wrong] == [None] * len(wrong)
    assert quarantine.released(good) == held


@pytest.mark.parametrize("error", [RuntimeError("the next hop is down"), KeyboardInterrupt()])
def test_a_release_that_fails_leaves_it_held(quarantine: Quarantine, make_item: MakeItem, error: BaseException) -> None:
    item = make_item()
    held = quarantine.store(item, "inc-1", VERDICT, {})
    with pytest.raises(type(error)), quarantine.releasing(held):
        raise error
    assert state(quarantine, held) == "held"
    assert quarantine.released(item) is None


def test_a_second_release_is_refused(quarantine: Quarantine, make_item: MakeItem) -> None:
    held = quarantine.store(make_item(), "inc-1", VERDICT, {})
    with quarantine.releasing(held):
        with pytest.raises(StoreError), quarantine.releasing(held):
            pass
        assert state(quarantine, held) == "releasing"
    with pytest.raises(StoreError), quarantine.releasing(held):
        pass
    assert state(quarantine, held) == "released"


def test_a_purge_leaves_the_record_and_nothing_else(quarantine: Quarantine, make_item: MakeItem) -> None:
    held = quarantine.store(make_item(), "inc-1", VERDICT, {"mode": 1})
    quarantine.purge(held)
    quarantine.purge(held)
    row = quarantine.get(held)
    assert row is not None
    assert (row.state, row.attributes) == ("purged", {})
    with pytest.raises(StoreError):
        list(quarantine.content(held))
    with pytest.raises(StoreError), quarantine.releasing(held):
        pass


def test_what_is_being_released_is_not_purged(quarantine: Quarantine, make_item: MakeItem) -> None:
    held = quarantine.store(make_item(b"a"), "inc-1", VERDICT, {})
    with quarantine.releasing(held):
        with pytest.raises(StoreError):
            quarantine.purge(held)
        assert b"".join(quarantine.content(held)) == b"a"


def test_an_unknown_id_is_refused(quarantine: Quarantine) -> None:
    assert quarantine.get("q-none") is None
    with pytest.raises(StoreError):
        list(quarantine.content("q-none"))
    with pytest.raises(StoreError):
        quarantine.purge("q-none")
    with pytest.raises(StoreError), quarantine.releasing("q-none"):
        pass


def test_lists_are_oldest_first_and_filtered(quarantine: Quarantine, make_item: MakeItem) -> None:
    held = [quarantine.store(make_item(bytes([n])), f"inc-{n}", VERDICT, {}) for n in range(3)]
    quarantine.purge(held[1])
    assert [row.id for row in quarantine.list()] == held
    assert [row.id for row in quarantine.list(state="held")] == [held[0], held[2]]
    assert [row.id for row in quarantine.list(state="purged")] == [held[1]]
