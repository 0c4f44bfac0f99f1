"""The guard: the composition root of what takes privileges, in a process of its own beside the daemon.

It reads the same configuration and does the duties that this asks for. It holds no key and no record, and reads no
content itself: it asks the daemon (dlp.channels.ask). Where the daemon gives no answer, each duty does what its
configuration says.
"""

import asyncio
import fcntl
import os
import signal
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import IO, Protocol

import structlog

from dlp.channels.ask import AskClient, ask_socket
from dlp.channels.usb_devices_allow import parse_all
from dlp.channels.usb_devices_control import DeviceControl
from dlp.channels.usb_devices_wire import AskedLedger
from dlp.config import Configuration, load_configuration
from dlp.errors import ConfigError
from dlp.instance import now
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
        self.duties = build_duties(self.configuration, path)

    async def run(self, announce: Callable[["Guard"], None]) -> None:
        """Start, call `announce` once everything stands, serve until asked to stop. Raises ConfigError if it cannot start."""
        stopping = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stopping.set)
        async with AsyncExitStack() as stack:
            stack.callback(lock(self.configuration.state).close)
            for duty in self.duties:
                await self._started(duty)
                stack.push_async_callback(duty.stop)
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


def build_duties(configuration: Configuration, path: Path) -> Sequence[Duty]:
    """What this configuration asks of a guard."""
    return [device_control(configuration)] if configuration.usb else []


def device_control(configuration: Configuration) -> DeviceControl:
    """Also where every drive is allowed: then it lets go of what an earlier configuration held, and records."""
    state = configuration.state
    assert configuration.usb is not None  # noqa: S101 - asked by the caller
    return DeviceControl(
        parse_all(configuration.usb.allow),
        AskedLedger(AskClient(ask_socket(state), "devices")),
        folder=Path(os.environ.get("STATE_DIRECTORY") or state / "guard"),
        clock=now,
    )


def guard_lock(state: Path) -> Path:
    """Held by the guard as long as it is there."""
    return state / "run" / "guard.lock"


def lock(state: Path) -> IO[str]:
    """Hold `state` against a second guard for as long as the returned file is open. Raises ConfigError."""
    place = guard_lock(state)
    try:
        _shared(state, place)
        file = place.open("a")
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise ConfigError.single(state, "", "another guard works for this state", "stop it") from None
    except OSError as error:
        raise ConfigError.single(place, "", f"cannot be written: {error.strerror}", "start the daemon first") from error
    return file


def guarded(state: Path) -> bool:
    """Whether a guard holds `state`. Asking leaves no trace."""
    try:
        with guard_lock(state).open("r") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False


def _shared(state: Path, place: Path) -> None:
    """Make file and folder, which are whose the state is: the daemon and its commands look at them too."""
    owner = state.stat()
    place.parent.mkdir(mode=0o700, exist_ok=True)
    place.touch(mode=0o600)
    for one in (place.parent, place):
        os.chown(one, owner.st_uid, owner.st_gid)
