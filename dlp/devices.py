"""What the daemon does with the drives it is told of: audit log, table, event, metric; and which exceptions are in force."""

import asyncio
from collections.abc import Callable, Sequence
from datetime import datetime

from dlp.metrics import Metrics
from dlp.ports import Audit, DeviceException, Devices, Sighting


class DeviceBook:
    """The daemon's end of `dlp.channels.usb_devices_control.Ledger`. `tell` passes an event on."""

    def __init__(
        self,
        devices: Devices,
        audit: Audit,
        metrics: Metrics,
        *,
        clock: Callable[[], datetime],
        tell: Callable[[Sighting], None],
    ) -> None:
        self._devices = devices
        self._audit = audit
        self._metrics = metrics
        self._clock = clock
        self._tell = tell

    async def devices(self, sightings: Sequence[Sighting]) -> Sequence[DeviceException]:
        """Record each, first in the audit log; the exceptions in force. Raises StoreError, and then some may be recorded
        again when they are told again."""
        for sighting in sightings:
            await asyncio.to_thread(self._record, sighting)
            self._metrics.usb_drives.labels(sighting.decision).inc()
            self._tell(sighting)
        return await asyncio.to_thread(self._devices.exceptions, self._clock())

    def _record(self, sighting: Sighting) -> None:
        names = ("vendor", "model", "serial", "maker", "product", "user")
        facts = {name: getattr(sighting, name) for name in names}
        self._audit.record(f"device-{sighting.decision}", seen=sighting.time.isoformat(), **facts)
        self._devices.saw(sighting)
