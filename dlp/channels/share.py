"""Channel `share`: folders of this machine that others read, watched at strength `detect`: a file is judged
after it was closed, and removed into quarantine if the policy says so."""

import asyncio
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from dlp.channels import filesystems
from dlp.channels.folder import POLL_SECONDS, Events, Folder, FolderPorts, Root, absolute
from dlp.model import Channel

SETTLE_LEAST = 0.05
"""Seconds; below this two versions of a file might bear the same time stamp."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ShareSettings:
    """Table `[share]`. `settle_seconds`: how long a file stands still before it is read. `rescan_seconds`: how often
    the whole tree is walked for what events did not tell. `events`, `poll_seconds`: see `folder.Events`, `folder.Root`.
    `on_error`: what becomes of an open under `deny-open` that has no verdict after `on_error_seconds`. Raises ValueError."""

    paths: tuple[Path, ...]
    strength: Literal["detect", "deny-open"] = "detect"
    on_error: Literal["deny", "allow"] = "deny"
    on_error_seconds: float = 10.0
    settle_seconds: float = 0.5
    rescan_seconds: float = 900
    events: Events = "auto"
    poll_seconds: float = POLL_SECONDS

    def __post_init__(self) -> None:
        check_times(self.settle_seconds, self.rescan_seconds)
        check_on_error(self.on_error_seconds)
        if self.poll_seconds < 1:
            raise ValueError("poll_seconds must be at least 1")
        if not self.paths:
            raise ValueError("paths names no folder")


def check_times(settle_seconds: float, rescan_seconds: float) -> None:
    """Raises ValueError for times that could not keep the promise that every version is judged."""
    if settle_seconds < SETTLE_LEAST:
        raise ValueError(f"settle_seconds must be at least {SETTLE_LEAST}")
    if rescan_seconds < 1:
        raise ValueError("rescan_seconds must be at least 1")


def check_on_error(seconds: float) -> None:
    """Raises ValueError for a time in which nothing could be judged, or that would look like a hang."""
    if not 0.1 <= seconds <= 300:
        raise ValueError("on_error_seconds must be from 0.1 to 300")


def slots() -> asyncio.Semaphore:
    """How many files of a channel are in work at once: enough to keep every processor busy."""
    return asyncio.Semaphore((os.cpu_count() or 1) + 1)


class ShareChannel:
    """Watches the folders of `[share]` from `start` to `stop`."""

    def __init__(self, settings: ShareSettings, ports: FolderPorts) -> None:
        self._settings = settings
        self._ports = ports
        self._folders: list[Folder] = []

    async def start(self) -> None:
        """Begin to watch; what is there already is judged too. A folder that is not there is waited for."""
        self._loop = asyncio.get_running_loop()
        shared = slots()
        for path in self._settings.paths:
            root = Root(
                path=absolute(path),
                channel=Channel.SHARE,
                events=self._settings.events,
                poll_seconds=self._settings.poll_seconds,
            )
            # A file server that does not answer keeps what is in work; it shall keep no other share's places.
            apart = any(map(filesystems.remote, filesystems.of_path(root.path).values()))
            folder = Folder(
                root,
                self._ports,
                slots=slots() if apart else shared,
                settle_seconds=self._settings.settle_seconds,
                rescan_seconds=self._settings.rescan_seconds,
            )
            await folder.start()
            self._folders.append(folder)
        self._began = self._loop.time()
        metrics = self._ports.metrics
        metrics.queue_items.labels(Channel.SHARE.value).set_function(lambda: sum(folder.queued for folder in self._folders))
        metrics.reconcile_lag.set_function(self._lag)

    async def stop(self) -> None:
        """End; returns once nothing is in work."""
        await asyncio.gather(*(folder.stop() for folder in self._folders))
        self._folders.clear()

    async def settled(self) -> None:
        """Return once everything seen is judged, or has failed and waits for another try."""
        await asyncio.gather(*(folder.settled() for folder in self._folders))

    def recheck(self) -> None:
        """Signatures or policy have changed: judge everything again."""
        for folder in self._folders:
            folder.recheck()

    def _lag(self) -> float:
        """Seconds since the last complete walk of the folder that has waited longest."""
        ends = [self._began if folder.reconciled is None else folder.reconciled for folder in self._folders]
        return self._loop.time() - min(ends, default=self._loop.time())
