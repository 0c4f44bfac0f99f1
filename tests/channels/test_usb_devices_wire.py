"""Sightings and exceptions as packets."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlp.channels.front_wire import Packet
from dlp.channels.usb_devices_wire import AskedLedger, answered_by, parse_sightings
from dlp.ports import DECISIONS, DeviceException, Sighting
from tests.store.items import now

words = st.text(max_size=20)
times = st.datetimes(min_value=datetime(2000, 1, 1), max_value=datetime(2100, 1, 1), timezones=st.just(UTC))
sightings = st.builds(
    Sighting,
    time=times,
    decision=st.sampled_from(DECISIONS),
    **dict.fromkeys(("vendor", "model", "serial", "maker", "product", "user"), words),
)


class Line:
    """The socket: packets as JSON, and the daemon at the other end."""

    def __init__(self, excepted: Sequence[DeviceException] = ()) -> None:
        self.seen: list[Sighting] = []
        self.excepted = excepted

    async def tell(self, packet: Packet, timeout: float) -> Packet:
        async def record(sightings: Sequence[Sighting]) -> Sequence[DeviceException]:
            self.seen += sightings
            return self.excepted

        answer = await answered_by(record)(json.loads(json.dumps(packet)))
        heard: Packet = json.loads(json.dumps(answer))
        return heard

    def close(self) -> None:
        raise AssertionError


@given(st.lists(sightings, max_size=4))
async def test_what_is_told_is_heard(told: list[Sighting]) -> None:
    until = now() + timedelta(hours=1)
    line = Line([DeviceException(entry="A1", until=until, reason="r", by="li")])
    assert await AskedLedger(line).devices(told) == [DeviceException(entry="A1", until=until)]
    assert line.seen == told


@pytest.mark.parametrize("change", [{"decision": "loved"}, {"time": "soon"}])
async def test_what_is_no_sighting_is_refused(change: dict[str, str]) -> None:
    whole = dict.fromkeys(("vendor", "model", "serial", "maker", "product", "user"), "") | {
        "time": now().isoformat(),
        "decision": "refused",
    }
    assert len(parse_sightings({"sightings": [whole]})) == 1
    with pytest.raises(ValueError, match=r"loved|soon"):
        parse_sightings({"sightings": [whole | change]})
