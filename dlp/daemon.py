"""The daemon: the composition root, the only place that names concretes.

Start: lock, stores (recover what a crash cut short), workers, pipeline, channels, exporter, then
ready. Stop: the reverse, with everything under way finished. Reload builds the new configuration and
signatures beside the old, tests them, and swaps; a bad one keeps the old.
"""

import asyncio
import contextlib
import os
import resource
import signal
import socket
import time
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, Protocol

import structlog

from dlp import __version__
from dlp.channels import usb_devices_wire
from dlp.channels.ask_server import AskPorts, AskServer
from dlp.channels.ask_wire import ask_socket
from dlp.channels.clamd import About, ClamdServer
from dlp.channels.clamd_settings import ClamdSettings
from dlp.channels.folder import FolderPorts
from dlp.channels.mail import MailGateway
from dlp.channels.mail_fronts import MailFronts
from dlp.channels.mail_settings import MailSettings
from dlp.channels.milter import MilterServer
from dlp.channels.relay import parse_endpoint
from dlp.channels.share import ShareChannel
from dlp.channels.spool_runner import SpoolRunner
from dlp.channels.usb import UsbChannel
from dlp.config import Configuration, basis, build_policy, duties, large, load_configuration, load_letters, plan
from dlp.detect import registers
from dlp.devices import DeviceBook
from dlp.errors import ConfigError, DLPError, StoreError
from dlp.instance import item_id, lock, now
from dlp.metrics import Metrics
from dlp.model import Verdict
from dlp.notify.events import EventLog
from dlp.notify.letters import Letters
from dlp.notify.mail import MailNotices
from dlp.pipeline import Pipeline
from dlp.policy.policy import Policy
from dlp.ports import Incident, Notify
from dlp.store.files import DiskFull, private_folder
from dlp.store.register import busy
from dlp.store.stores import Stores
from dlp.supervisor import Supervisor
from dlp.web.exporter import Exporter
from dlp.workers.libc import PR_SET_DUMPABLE, prctl
from dlp.workers.pool import Workers

log = structlog.get_logger()


MOST_DESCRIPTORS = 1 << 16
DECLARED_SECONDS = 2.0
"""How often it is asked whether a register has changed."""
ROOM_SECONDS = 5.0
"""How often it is asked whether the disk is full."""
LONGEST_CHANGE = 60.0
"""Seconds after which what a command has changed so far is taken into force though it is still at work."""
Announce = Callable[["Daemon"], None]
"""Called once, when everything stands."""


class Channel(Protocol):
    """What the daemon asks of each way out."""

    async def start(self) -> None: ...

    async def stop(self) -> None:
        """Take nothing new, finish what is under way."""


def _many_descriptors() -> None:
    """As many as the system grants: a session is one, and its message up to three. The usual soft limit of 1,024 is for
    programs that call select(2)."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, MOST_DESCRIPTORS)), hard))


class Everyone:
    """Tells each of several; implements `ports.Notify`."""

    def __init__(self, notifies: Sequence[Notify]) -> None:
        self._notifies = notifies

    async def incident(self, incident: Incident) -> None:
        for notify in self._notifies:
            await notify.incident(incident)


class Daemon:
    """One agent on one configuration file. `run` returns when asked to stop by SIGTERM or SIGINT."""

    def __init__(self, path: Path, supervisor: Supervisor) -> None:
        self._path = path
        self._supervisor = supervisor
        self.configuration = load_configuration(path)
        self.policy = build_policy(self.configuration)
        self.metrics = Metrics()
        self._stamp = self._declared()
        self._basis = basis(self.configuration)
        self._letters = load_letters(self.configuration, self.policy)
        self._channels: dict[str, Channel] = {}
        self._exporter: Exporter | None = None
        self._mail: MailGateway | MailFronts | None = None
        self._spool: SpoolRunner | None = None
        self._milter: MilterServer | None = None
        self._opened = self._ready = self._cramped = False
        self._unsaid: list[tuple[str, dict[str, Any]]] = []
        self._stop = asyncio.Event()
        self._reload = asyncio.Event()

    async def run(self, announce: Announce) -> None:
        """Start, call `announce` once everything stands, serve until asked to stop. Raises DLPError if it cannot start."""
        _many_descriptors()
        prctl(PR_SET_DUMPABLE, 0)  # its memory has keys and passwords: no core dump, no look from outside
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop.set)
        loop.add_signal_handler(signal.SIGHUP, self._reload.set)
        async with AsyncExitStack() as stack:
            if not await self._start(stack):
                return
            self._ready = True
            self._supervisor.ready(self._status())
            announce(self)
            for watching in (self._watch_registers(), self._watch_room()):
                stack.callback(asyncio.create_task(watching).cancel)
            await self._serve()
            self._ready = False
            self._supervisor.stopping()

    @property
    def signatures(self) -> int:
        """How many signatures are in force."""
        return len(self.workers.signatures)

    @property
    def mail_addresses(self) -> list[str]:
        """Where the gateway really listens, as host:port."""
        return [f"{host}:{port}" for host, port in self._mail.addresses] if self._mail else []

    @property
    def milter_addresses(self) -> list[str]:
        """Where mail servers find the milter, as "unix:PATH" or "inet:host:port"."""
        return list(self._milter.addresses) if self._milter else []

    @property
    def metrics_address(self) -> str | None:
        """Where metrics are served, as host:port."""
        return "{}:{}".format(*self._exporter.address) if self._exporter else None

    async def reload(self) -> None:
        """Take up the configuration as it is now. Rules, signatures, limits, passwords, text recognition and notices change
        at once; what a channel listens on or watches changes at the next start. A fault keeps everything as it was."""
        self._supervisor.reloading()
        self._stamp = self._declared()
        try:
            configuration = load_configuration(self._path)
            policy, fresh = build_policy(configuration), basis(configuration)
            letters = await asyncio.to_thread(load_letters, configuration, policy)
            await self.workers.reload(plan(configuration))
        except DLPError as error:
            self.metrics.reload_failures.inc()
            log.error("reload refused, the old configuration stays", error=str(error))
            self._say("reload-refused")
        else:
            self._adopt(configuration, policy, fresh, letters)
        self._supervisor.ready(self._status())

    def _adopt(self, configuration: Configuration, policy: Policy, fresh: str, letters: Letters) -> None:
        for table in ("mail", "milter", "share", "usb", "clamd", "metrics", "state", "workers"):
            if getattr(configuration, table) != getattr(self.configuration, table):
                log.warning("changed, and takes effect at the next start", table=table)
        self.configuration, self.policy, self._basis, self._letters = configuration, policy, fresh, letters
        self.pipeline.adopt(policy)
        if self._notices:
            self._notices.adopt(letters)
        self._loaded()
        self._say("reloaded", basis=fresh, profile=policy.profile.name)
        log.info("reloaded", signatures=self.signatures)
        for channel in self._channels.values():
            if isinstance(channel, ShareChannel | UsbChannel):
                channel.recheck()
            elif isinstance(channel, MailFronts):
                channel.rename()
            elif isinstance(channel, AskServer):
                channel.tell_basis()

    async def _start(self, stack: AsyncExitStack) -> bool:
        """False if asked to stop meanwhile."""
        configuration = self.configuration
        stack.callback(lock(configuration.state).close)
        if configuration.metrics:
            self._exporter = Exporter(
                configuration.metrics, self.metrics, refresh=self._refresh, alive=tuple, ready=self._missing
            )
            self._exporter.start()
            stack.callback(self._exporter.stop)
        if not await self._open_stores(stack):
            return False
        self.workers = Workers(configuration.workers, plan(configuration), self.metrics)
        stack.push_async_callback(self.workers.stop)
        await self.workers.start()
        self._loaded()
        await self._start_spool(stack)
        self._notices = self._mail_notices(stack)
        if self._notices:
            stack.push_async_callback(self._notices.drain)
        self.pipeline = self._pipeline()
        self._say("daemon-started", version=__version__, profile=self.policy.profile.name, basis=self._basis)
        stack.callback(self._say, "daemon-stopped")
        self._all_known()
        for name, channel in self._build_channels().items():
            try:
                await channel.start()
            except OSError as error:
                raise ConfigError.single(self._path, name, f"cannot be started: {error}", "`dlp check` may say more") from error
            stack.push_async_callback(channel.stop)
            self._channels[name] = channel
        return True

    async def _open_stores(self, stack: AsyncExitStack) -> bool:
        """Open what is kept; on a disk too full even for that, wait for room, and say so. False if asked to stop meanwhile."""
        while not self._opened:
            try:
                self.stores = Stores.open(self.configuration.state, clock=now)
                try:
                    self._recover()
                except DiskFull:
                    self.stores.close()
                    raise
            except DiskFull as error:
                self._set_cramped(True, str(error))
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._stop.wait(), ROOM_SECONDS)
                if self._stop.is_set():
                    return False
                self._supervisor.alive()
            else:
                self._opened = True
        stack.callback(self._close_stores)
        self._set_cramped(self.stores.cramped(), "there is hardly any room left")
        return True

    def _close_stores(self) -> None:
        self._opened = False
        self.stores.close()

    async def _watch_room(self) -> None:
        """Say when the disk is full, and when it is not any more."""
        while True:
            await asyncio.sleep(ROOM_SECONDS)
            try:
                self._set_cramped(await asyncio.to_thread(self.stores.cramped), "there is hardly any room left")
            except DLPError as error:
                log.error("room not looked at", error=str(error))
            if self._unsaid and not self._cramped:
                unsaid, self._unsaid = self._unsaid, []
                for event, facts in unsaid:
                    self._say(event, **facts)

    def _set_cramped(self, cramped: bool, why: str) -> None:
        if cramped == self._cramped:
            return
        self._cramped = cramped
        if cramped:
            log.error(
                "the disk is full, or nearly so: what cannot be recorded is put off, mail at its sender and files where they are",
                error=why,
            )
        else:
            log.info("there is room on the disk again")
        self._supervisor.ready(self._status())

    def _say(self, event: str, **facts: Any) -> None:
        """Into the audit log; on a full disk once there is room, as far as we live to see it."""
        try:
            self.stores.audit.record(event, **facts)
        except DiskFull as error:
            log.error("not recorded yet, the disk is full", event_name=event, error=str(error))
            self._unsaid.append((event, facts))

    def _declared(self) -> Sequence[object]:
        """What tells that a register has changed since."""
        try:
            return registers.stamp(self.configuration.state / "register")
        except OSError as error:
            return [error.errno]

    async def _watch_registers(self) -> None:
        """Take a changed register into force, as a reload does, once the command that changes it has ended: each time it is,
        everything on the shares is judged again."""
        waited = 0.0
        while True:
            await asyncio.sleep(DECLARED_SECONDS)
            fresh = self._declared()
            if fresh == self._stamp:
                waited = 0.0
            elif (waited := waited + DECLARED_SECONDS) > LONGEST_CHANGE or not self._being_changed():
                self._stamp, waited = fresh, 0.0
                log.info("a register has changed")
                self._reload.set()

    def _being_changed(self) -> bool:
        try:
            return busy(self.configuration.state / "register")
        except OSError:
            return False  # the reload will say what is wrong

    def _all_known(self) -> None:
        """A socket that was handed over and that nobody serves would leave who connects to it waiting. Raises ConfigError."""
        known = [parse_endpoint(one) for one in (self.configuration.mail.listen if self.configuration.mail else ())]
        for one in self._supervisor.sockets:
            if (place := one.getsockname()[:2]) not in known:
                what = f"does not name {place[0]}:{place[1]}, whose socket was handed over"
                raise ConfigError.single(self._path, "mail.listen", what, "let dlp.socket and mail.listen name the same")

    def _recover(self) -> None:
        report = self.stores.recover()
        for problem in report.problems:
            log.error("recovery", problem=problem)
        if interrupted := self.stores.incidents.interrupted():
            log.warning("incidents interrupted by the last stop", count=interrupted)

    def _loaded(self) -> None:
        self.metrics.build.labels(__version__).set(1)
        self.metrics.signatures_loaded.set(self.signatures)
        self.metrics.signatures_timestamp.set(time.time())
        try:
            self.stores.journal.keep_only(self._basis)
        except StoreError as error:  # only a cache: what is in it besides is in nobody's way
            log.warning("old notes stay in the scan journal", error=str(error))

    def _refresh(self) -> None:
        """Bring the gauges of what is stored up to date; called by a scrape, in its own thread."""
        if not self._opened:
            return
        metrics = self.metrics
        counts = self.stores.incidents.counts_open()
        for level in (*self.policy.profile.ids, "none"):
            metrics.incidents_open.labels(level).set(counts.get(level, 0))
        held, size = self.stores.quarantine.totals()
        metrics.quarantine_items.set(held)
        metrics.quarantine_bytes.set(size)
        metrics.journal_entries.set(self.stores.journal.size())
        if (head := self.stores.audit.head_time()) is not None:
            metrics.audit_head.set(head.timestamp())

    def _missing(self) -> list[str]:
        """What keeps the daemon from being ready, a word each."""
        missing = ["disk"] if self._cramped else []
        if not self._ready:
            return [*missing, "channels"]
        return missing if self.workers.signatures else [*missing, "workers"]

    def _status(self) -> str:
        degraded = "degraded, the disk is full: " if self._cramped else ""
        if not self._opened:
            return f"{degraded}nothing is open"
        if not self._ready:
            return f"{degraded}starting"
        return f"{degraded}{self.signatures} signatures; watching {', '.join(self._channels) or 'nothing'}"

    async def _start_spool(self, stack: AsyncExitStack) -> None:
        """Begin to deliver what was spooled, before anything new can come."""
        mail = self.configuration.mail
        if mail is None or mail.mode != "spool":
            return
        folder, hostname = self.configuration.spool(), mail.hostname or socket.gethostname()
        self._spool = SpoolRunner(folder, mail.hop(), mail.spool, self.metrics, clock=now, random=os.urandom, hostname=hostname)
        try:
            await self._spool.start()
        except OSError as error:
            what, remedy = f"cannot be used: {error.strerror}", "give it to the daemon's user, mode 0700"
            raise ConfigError.single(folder.root, "mail.mode", what, remedy) from error
        stack.push_async_callback(self._spool.stop)

    def _spooled(self, name: str) -> None:
        if self._spool is not None:
            self._spool.poke(name)

    def _mail_notices(self, stack: AsyncExitStack) -> MailNotices | None:
        hop = self.configuration.next_hop(self._spooled)
        if hop is None:
            return None
        stack.push_async_callback(hop.close)
        return MailNotices(
            deliver=hop.deliver_message,
            author=self.configuration.notify.author,
            letters=self._letters,
            metrics=self.metrics,
        )

    def _pipeline(self) -> Pipeline:
        return Pipeline(
            inspector=self.workers,
            notice=self._attachment_notice,
            policy=self.policy,
            incidents=self.stores.incidents,
            quarantine=self.stores.quarantine,
            audit=self.stores.audit,
            notify=Everyone([EventLog(), *([self._notices] if self._notices else [])]),
            metrics=self.metrics,
            clock=now,
            evidence=self.configuration.quarantine.evidence,
        )

    def _build_channels(self) -> dict[str, Channel]:
        configuration, channels = self.configuration, dict[str, Channel]()
        if configuration.mail or configuration.milter or configuration.clamd:
            private_folder(large(configuration.state))
        if configuration.mail:
            channels["mail"] = self._mail = self._gateway(configuration.mail)
        if configuration.milter:
            self._milter = MilterServer(
                configuration.milter,
                self.pipeline.process,
                self.metrics,
                clock=now,
                new_id=item_id,
                folder=large(configuration.state),
            )
            channels["milter"] = self._milter
        if configuration.share:
            for path in configuration.share.paths:
                if path.is_relative_to(configuration.state):  # a trial's own folder; anybody else's must be there already
                    path.mkdir(parents=True, exist_ok=True)
            channels["share"] = ShareChannel(configuration.share, self._folder_ports())
        if configuration.usb:
            channels["usb"] = UsbChannel(configuration.usb, self._folder_ports())
        if configuration.clamd:
            channels["clamd"] = self._clamd(configuration.clamd)
        if (needed := duties(configuration)) or configuration.usb:  # a guard that nobody needs tells of drives all the same
            channels["guard"] = AskServer(ask_socket(configuration.state), self._ask_ports(), needed=needed)
        return channels

    def _ask_ports(self) -> AskPorts:
        return AskPorts(
            submit=self.pipeline.process,
            judge=self.pipeline.judge,
            metrics=self.metrics,
            limits=lambda: self.configuration.limits,
            basis=lambda: self._basis,
            clock=now,
            new_id=item_id,
            told={"gated": lambda packet: self.metrics.gate_drives.set(packet["drives"])},
            replies={usb_devices_wire.SAY: usb_devices_wire.answered_by(self._device_book().devices)},
        )

    def _device_book(self) -> DeviceBook:
        return DeviceBook(self.stores.devices, self.stores.audit, self.metrics, clock=now, tell=EventLog().drive)

    def _clamd(self, settings: ClamdSettings) -> ClamdServer:
        """The server that others ask."""
        if settings.socket.is_relative_to(self.configuration.state):  # of a trial; anybody else's folder must be there already
            settings.socket.parent.mkdir(parents=True, exist_ok=True)
        return ClamdServer(
            settings,
            self.pipeline.process,
            self.metrics,
            limits=lambda: self.configuration.limits,
            clock=now,
            new_id=item_id,
            about=About(version=__version__, signatures=lambda: self.signatures),
            folder=large(self.configuration.state),
        )

    def _gateway(self, settings: MailSettings) -> MailGateway | MailFronts:
        """The gateway in this process, or in processes of its own."""
        if settings.processes:
            return MailFronts(
                settings,
                self.pipeline.process,
                self.metrics,
                given=self._supervisor.sockets,
                state=self.configuration.state,
                names=self._level_names,
            )
        return MailGateway(
            settings,
            self.pipeline.process,
            self.metrics,
            clock=now,
            new_id=item_id,
            folder=large(self.configuration.state),
            hop=self.configuration.mail_hop(settings, self._spooled),
            level_name=lambda level: self.policy.profile.name_of(level),
            given=self._supervisor.sockets,
        )

    def _level_names(self) -> dict[str, str]:
        return {level: self.policy.profile.name_of(level) for level in self.policy.profile.ids}

    def _folder_ports(self) -> FolderPorts:
        return FolderPorts(
            submit=self.pipeline.process,
            journal=self.stores.journal,
            metrics=self.metrics,
            limits=self.configuration.limits,
            basis=lambda: self._basis,
            notice=self._file_notice if self.configuration.quarantine.notice else None,
            clock=now,
            new_id=item_id,
        )

    def _file_notice(self, verdict: Verdict, incident: str, name: str) -> str:
        return self._letters.words.file_notice(verdict, incident, name)

    def _attachment_notice(self, incident: str) -> str:
        return self._letters.words.attachment_notice(incident)

    async def _serve(self) -> None:
        """Until asked to stop: reload when told, and tell the watchdog we live, but only while inspection works."""
        stop = asyncio.create_task(self._stop.wait())
        try:
            while not self._stop.is_set():
                reload = asyncio.create_task(self._reload.wait())
                await asyncio.wait({stop, reload}, timeout=self._supervisor.interval or None, return_when=asyncio.FIRST_COMPLETED)
                reload.cancel()
                if self._reload.is_set():
                    self._reload.clear()
                    await self.reload()
                await self._watchdog()
        finally:
            stop.cancel()

    async def _watchdog(self) -> None:
        if not self._supervisor.interval:
            return
        try:
            await self.workers.check()
        except DLPError as error:
            log.error("inspection does not answer; the watchdog is not fed", error=str(error))
            return
        self._supervisor.alive()
