"""The guard: the composition root of what takes privileges, in a process of its own beside the daemon.

It reads the same configuration and does the duties that this asks for. It holds no key and no record, and reads no
content itself: it asks the daemon (dlp.channels.ask). Where the daemon gives no answer, each duty does what its
configuration says.
"""

import asyncio
import signal
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Protocol

import structlog

from dlp.channels.deny_open import DenyOpen, DenyOpenSettings
from dlp.channels.deny_open_answers import DUTY as DENY_OPEN
from dlp.config import Configuration, duties, load_configuration
from dlp.errors import ConfigError
from dlp.instance import GuardLock
from dlp.supervisor import Supervisor

log = structlog.get_logger()


class Duty(Protocol):
    """One thing the guard does, from `start` to `stop`. Lives on the guard's event loop."""

    @property
    def name(self) -> str:
        """What the daemon knows it by; see `dlp.config.duties`."""

    async def start(self) -> None:
        """Returns once it is done from now on. Raises OSError, ConfigError."""

    async def stop(self) -> None:
        """Let go of everything; what is under way gets its answer."""

    def status(self) -> str:
        """A few words for `systemctl status`."""


class Guard:
    """One guard on one configuration file. `run` returns when asked to stop by SIGTERM or SIGINT."""

    def __init__(self, path: Path, supervisor: Supervisor) -> None:
        self._path = path
        self._supervisor = supervisor
        self.configuration = load_configuration(path)
        self.duties = build_duties(self.configuration)

    async def run(self, announce: Callable[["Guard"], None]) -> None:
        """Start, call `announce` once everything stands, serve until asked to stop. Raises ConfigError if it cannot start."""
        stopping = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stopping.set)
        async with AsyncExitStack() as stack:
            held = stack.enter_context(GuardLock(self.configuration.state))
            for duty in self.duties:
                await self._started(duty)
                stack.push_async_callback(duty.stop)
            held.stands()
            self._supervisor.ready(self.status())
            announce(self)
            await self._serve(stopping)
            self._supervisor.stopping()

    def status(self) -> str:
        return "; ".join(f"{duty.name}: {duty.status()}" for duty in self.duties) or "nothing to do"

    async def _started(self, duty: Duty) -> None:
        try:
            await duty.start()
        except OSError as error:
            what = f"cannot be done: {error.strerror or error}"
            raise ConfigError.single(self._path, duty.name, what, "`dlp check` may say more") from error

    async def _serve(self, stopping: asyncio.Event) -> None:
        while not stopping.is_set():
            try:
                async with asyncio.timeout(self._supervisor.interval or None):
                    await stopping.wait()
            except TimeoutError:
                self._supervisor.alive()


def build_duties(configuration: Configuration) -> Sequence[Duty]:
    """What this configuration asks of a guard."""
    wanted = duties(configuration)
    return [build(configuration) for name, build in BUILDERS.items() if name in wanted]


def _deny_open(configuration: Configuration) -> Duty:
    share, usb = configuration.share, configuration.usb
    return DenyOpen(
        DenyOpenSettings(
            share=share if share and share.strength == DENY_OPEN else None,
            usb=usb if usb and usb.strength == DENY_OPEN else None,
            state=configuration.state,
        )
    )


BUILDERS: Mapping[str, Callable[[Configuration], Duty]] = {DENY_OPEN: _deny_open}
"""What does each duty that `dlp.config.duties` may name."""
