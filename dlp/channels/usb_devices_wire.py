"""What device control and the daemon say to each other over the ask socket: sightings one way, exceptions the other."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import Protocol

from dlp.channels.front_wire import Packet
from dlp.ports import DECISIONS, DeviceException, Sighting

SAY = "devices"
"""What a packet with sightings says."""
ANSWER_SECONDS = 20.0
"""How long the daemon may take to record what was seen."""
_WORDS = ("vendor", "model", "serial", "maker", "product", "user")

Record = Callable[[Sequence[Sighting]], Awaitable[Sequence[DeviceException]]]


class Tells(Protocol):
    """The guard's end of the ask socket (dlp.channels.ask.AskClient)."""

    async def tell(self, packet: Packet, timeout: float) -> Packet:
        """The daemon's answer to a packet that is no question. Raises AskError."""

    def close(self) -> None:
        """Give the connection up."""


class AskedLedger:
    """`dlp.channels.usb_devices_control.Ledger` on the ask socket."""

    def __init__(self, client: Tells) -> None:
        self._client = client

    async def devices(self, sightings: Sequence[Sighting]) -> Sequence[DeviceException]:
        """See Ledger. Raises AskError."""
        packet = {"say": SAY, "sightings": [_dumped(one) for one in sightings]}
        return parse_exceptions(await self._client.tell(packet, ANSWER_SECONDS))

    def close(self) -> None:
        """See Ledger."""
        self._client.close()


def answered_by(record: Record) -> Callable[[Packet], Awaitable[Packet]]:
    """The daemon's side: what answers a packet with sightings. Raises ValueError, KeyError, TypeError for what is none."""

    async def answer(packet: Packet) -> Packet:
        return dump_exceptions(await record(parse_sightings(packet)))

    return answer


def dump_exceptions(exceptions: Sequence[DeviceException]) -> Packet:
    return {"exceptions": [[one.entry, one.until.isoformat()] for one in exceptions]}


def parse_exceptions(packet: Packet) -> list[DeviceException]:
    return [DeviceException(entry=entry, until=datetime.fromisoformat(until)) for entry, until in packet["exceptions"]]


def parse_sightings(packet: Packet) -> list[Sighting]:
    return [_sighting(one) for one in packet["sightings"]]


def _dumped(sighting: Sighting) -> Packet:
    words = {name: getattr(sighting, name) for name in _WORDS}
    return words | {"time": sighting.time.isoformat(), "decision": sighting.decision}


def _sighting(packet: Packet) -> Sighting:
    if packet["decision"] not in DECISIONS:
        raise ValueError(f"{packet['decision']!r} is no decision")
    words = {name: str(packet[name]) for name in _WORDS}
    return Sighting(time=datetime.fromisoformat(packet["time"]), decision=packet["decision"], **words)
