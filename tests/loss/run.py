"""One loss test from beginning to end: start, load and kill, release and kill, stop, look everywhere, weigh."""

import asyncio
import json
import random
import re
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, closing
from dataclasses import dataclass, field
from pathlib import Path

from dlp.instance import now
from dlp.model import Action
from dlp.store.stores import Stores
from tests.helpers.daemon import CHECKOUT, Daemon, configure, free_port, started
from tests.loss.client import Load
from tests.loss.hop import records
from tests.loss.judge import HOP, RELEASER, Evidence, Held, Report, judge
from tests.loss.messages import Kind, a_message, arrived
from tests.loss.processes import FRONT, GATEWAY, WORKER, ZYGOTE, kill, tree
from tests.loss.records import LOST, Attempt, Kill

_LOOK = 0.02
"""Seconds between two looks at how far the load has come."""
_SETTLE = 300.0
"""Seconds a spool has to hand on the last message."""
_PASSES = 30
"""How often what remains to be released is tried again, the daemon restarted in between, before that is a fault."""


@dataclass(frozen=True, slots=True)
class Mode:
    """How the gateway works: lines for its table [mail]; shares of the kills by role; whether it answers 250 before the next
    hop has the message."""

    lines: str = ""
    roles: Mapping[str, int] = field(default_factory=lambda: {GATEWAY: 40, WORKER: 30, ZYGOTE: 10, HOP: 20})
    spooled: bool = False


MODES = {
    "control": Mode('mode = "relay"', roles={GATEWAY: 1}),
    "relay": Mode('mode = "relay"'),
    "spool": Mode('mode = "spool"\nspool.retry_seconds = 1\nspool.retry_max_seconds = 2', spooled=True),
    "processes": Mode("processes = 2", roles={GATEWAY: 25, FRONT: 25, WORKER: 25, ZYGOTE: 5, HOP: 20}),
}


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What to do. `kills` fall while messages are sent, `release_kills` while they are released (0 and 0: nothing is
    released); `seconds` is the longest the sending may take; `module` is what runs as the daemon."""

    messages: int
    kills: int
    release_kills: int = 0
    seconds: float = 3600.0
    sessions: int = 8
    seed: int = 1
    mode: Mode = MODES["relay"]
    module: str = "dlp"
    say: Callable[[str], None] = print


class House:
    """The daemon and the next hop, each started again at once when it is killed."""

    def __init__(self, folder: Path, plan: Plan) -> None:
        self.folder, self.plan = folder, plan
        self.journal = folder / "hop.journal"
        self.state = folder / "state"
        self.kills: list[Kill] = []
        self._hop_port = free_port()
        self.config = configure(folder, next_hop=f"smtp://127.0.0.1:{self._hop_port}")
        text = self.config.read_text("utf-8")
        self.config.write_text(re.sub(r"(?m)^\[mail\]$", f'[mail]\nnext_hop_tls = "off"\n{plan.mode.lines}', text), "utf-8")
        self.hop = self._start_hop()
        self._running: AbstractContextManager[Daemon] | None = None
        self.daemon = self.start()

    def start(self) -> Daemon:
        """The daemon, ready."""
        self._running = started(self.config, module=self.plan.module)
        self.daemon = self._running.__enter__()
        return self.daemon

    def stop(self) -> None:
        """The daemon ended in good order; does nothing to a dead one."""
        if self._running is not None:
            self._running.__exit__(None, None, None)
            self._running = None

    def close(self) -> None:
        self.stop()
        self.hop.kill()
        self.hop.wait()

    def _start_hop(self) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "tests.loss.hop", str(self._hop_port), str(self.journal)]
        with (self.folder / "hop.stderr").open("ab") as errors:
            return subprocess.Popen(command, stderr=errors, cwd=CHECKOUT)

    def strike(self, role: str, *, in_flight: Callable[[], int]) -> None:
        """Kill one process of that role, and start again what has to be. A worker lives for one message: while none is to
        be found its zygote is killed."""
        if role == HOP:
            self._note(kill(self.hop.pid, HOP, in_flight=in_flight()))
            self.hop.wait()
            self.hop = self._start_hop()
            return
        end = time.monotonic() + 3.0
        while not self._struck(role, in_flight):
            if time.monotonic() > end:
                role, end = ZYGOTE if role == WORKER else GATEWAY, end + 3.0
        if role == GATEWAY:
            self.daemon.process.wait()
            self.stop()
            self.start()

    def _struck(self, role: str, in_flight: Callable[[], int]) -> bool:
        found = [process for process in tree(self.daemon.process.pid) if process.role == role]
        if not found:
            return False
        target = random.choice(found)
        return self._note(kill(target.pid, role, parent=target.parent, in_flight=in_flight()))

    def _note(self, done: Kill | None) -> bool:
        self.kills += [done] if done else []
        return done is not None


class LossTest:
    """The whole of it."""

    def __init__(self, folder: Path, plan: Plan) -> None:
        self.plan = plan
        self._chance = random.Random(plan.seed)
        self._house = House(folder, plan)
        self._messages = [a_message(number, seed=plan.seed) for number in range(plan.messages)]
        self._load = Load(self._house.daemon.smtp, plan.sessions, self._chance)
        self._releases: list[Attempt] = []

    async def run(self) -> Report:
        """Do it all; the report."""
        try:
            await self._send()
            if self.plan.release_kills:
                await self._release()
            return await asyncio.to_thread(self._look)
        finally:
            await asyncio.to_thread(self._house.close)

    async def _send(self) -> None:
        sending = asyncio.create_task(self._load.send(self._messages))
        saying = asyncio.create_task(self._progress())
        try:
            async with asyncio.timeout(self.plan.seconds):
                await self._kill(sending)
                await sending
        except TimeoutError:
            self.plan.say(f"not all was sent within {self.plan.seconds:.0f} s")
        finally:
            sending.cancel()
            saying.cancel()
        if self.plan.mode.spooled:
            await self._settled()

    async def _kill(self, sending: asyncio.Task[None]) -> None:
        """The kills, each once a random number of further messages has been answered, so that they spread over the load."""
        deck, due = self._deck(self.plan.kills), 0
        while deck and not sending.done():
            left = self.plan.messages - len(self._load.answers)
            due = len(self._load.answers) + self._chance.randint(0, max(1, 2 * left // (len(deck) + 1) - 1))
            while len(self._load.answers) < due and not sending.done():
                await asyncio.sleep(_LOOK)
            await asyncio.sleep(self._chance.uniform(0, 0.05))
            await asyncio.to_thread(self._house.strike, deck.pop(), in_flight=lambda: len(self._load.under_way))

    def _deck(self, kills: int) -> list[str]:
        roles = self.plan.mode.roles
        total = sum(roles.values())
        deck = [role for role, share in roles.items() for _ in range(round(kills * share / total))]
        deck = (deck + [GATEWAY] * kills)[:kills]
        self._chance.shuffle(deck)
        return deck

    async def _progress(self) -> None:
        begun = time.monotonic()
        while True:
            await asyncio.sleep(5)
            load = self._load
            self.plan.say(
                f"{time.monotonic() - begun:5.0f} s  {len(load.answers)} of {self.plan.messages} messages answered, "
                f"{len(self._house.kills)} kills, {load.retries} retries"
            )

    async def _settled(self) -> None:
        """Wait for a spool to hand on what it has taken; the judge counts what is missing."""
        wanted = {one.id for one in self._messages if one.kind is Kind.CLEAN and self._load.answers.get(one.id, "")[:1] == "2"}
        end = time.monotonic() + _SETTLE
        while time.monotonic() < end:
            found = await asyncio.to_thread(lambda: {arrived(record.raw).id for record in records(self._house.journal)})
            if wanted <= found:
                return
            await asyncio.sleep(1)

    # Release

    async def _release(self) -> None:
        remaining = await asyncio.to_thread(self._to_release)
        self.plan.say(f"{len(remaining)} originals are to be released")
        left = self.plan.release_kills
        for number in range(_PASSES):
            left -= await self._pass(number, remaining, left)
            remaining = await asyncio.to_thread(self._unreleased, remaining)
            if not remaining:
                return
            # What a killed process was about to release is held again once the daemon has started anew.
            await asyncio.to_thread(self._house.strike, GATEWAY, in_flight=lambda: 0)

    def _to_release(self) -> list[str]:
        with closing(Stores.open(self._house.state, clock=now)) as stores:
            actions = {one.id: one.verdict.action for one in stores.incidents.list()}
            return [one.id for one in stores.quarantine.list(state="held") if actions[one.incident] is Action.QUARANTINE]

    def _unreleased(self, wanted: Sequence[str]) -> list[str]:
        """Those of `wanted` that are not released; a process may have died between releasing one and saying so."""
        with closing(Stores.open(self._house.state, clock=now)) as stores:
            released = {one.id for one in stores.quarantine.list(state="released")}
        return [held for held in wanted if held not in released]

    async def _pass(self, number: int, remaining: Sequence[str], kills: int) -> int:
        """Release what remains, in two processes, with kills between; how many kills were done."""
        journals = [self._house.folder / f"releases-{number}-{half}" for half in range(2)]
        running = [_Releaser(self._house, journal, remaining[half::2]) for half, journal in enumerate(journals)]
        deck = [role for role in (RELEASER, RELEASER, HOP, GATEWAY) for _ in range(-(-kills // 4))][:kills]
        self._chance.shuffle(deck)
        done = 0
        try:
            while any(one.alive for one in running):
                ended = sum(one.ended for one in running)
                if deck and ended > (len(remaining) * (done + self._chance.random())) // (kills + 1):
                    await asyncio.sleep(self._chance.uniform(0, 0.05))
                    await asyncio.to_thread(self._strike_release, deck.pop(), running)
                    done += 1
                await asyncio.sleep(_LOOK)
        finally:
            for one in running:
                self._releases += await asyncio.to_thread(one.finish, self._house.kills)
        self.plan.say(f"{sum(one.taken for one in self._releases)} released, {len(self._house.kills)} kills")
        return done

    def _strike_release(self, role: str, running: list["_Releaser"]) -> None:
        if role != RELEASER:
            self._house.strike(role, in_flight=lambda: sum(one.alive for one in running))
        elif alive := [one for one in running if one.alive]:
            random.choice(alive).strike()

    # At the end

    def _look(self) -> Report:
        """Stop in good order, and look at everything."""
        house = self._house
        house.stop()
        with closing(Stores.open(house.state, clock=now)) as stores:
            incidents = list(stores.incidents.list())
            actions = {one.id: str(one.verdict.action) for one in incidents}
            held = [
                Held(one.id, one.sha256, one.stored.timestamp() + 0.001, one.state, actions[one.incident])
                for one in stores.quarantine.list()
            ]
            unsound = [*_unsound(stores), *_complaints(house.daemon)]
        report = judge(
            Evidence(
                messages=self._messages,
                answers=self._load.answers,
                attempts=self._load.attempts,
                releases=self._releases,
                kills=house.kills,
                delivered=list(records(house.journal)),
                held=held,
                unsound=unsound,
                spooled=self.plan.mode.spooled,
            )
        )
        states = Counter(one.state for one in incidents)
        report.figures |= {f"incidents {state}": number for state, number in sorted(states.items())}
        return report


class _Releaser:
    """A process that releases, and another in its place when it is killed."""

    def __init__(self, house: House, journal: Path, ids: Sequence[str]) -> None:
        self._house, self._journal, self._ids = house, journal, ids
        self._process = self._start(ids)

    def _start(self, ids: Iterable[str]) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "tests.loss.releaser", str(self._house.config), str(self._journal)]
        with (self._house.folder / "releaser.stderr").open("ab") as errors:
            process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=errors, cwd=CHECKOUT)
        assert process.stdin is not None
        process.stdin.write("\n".join(ids).encode())
        process.stdin.close()
        return process

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    @property
    def ended(self) -> int:
        """How many releases have ended."""
        return sum("end" in line for line in self._lines())

    def strike(self) -> None:
        """Kill it; the next one begins with what this one had not yet ended."""
        if (done := kill(self._process.pid, RELEASER, in_flight=1)) is None:
            return
        self._house.kills.append(done)
        self._process.wait()
        ended = {line["id"] for line in self._lines() if line.get("reply", "").startswith("2")}
        self._process = self._start(one for one in self._ids if one not in ended)

    def finish(self, kills: Sequence[Kill]) -> list[Attempt]:
        """Wait for its end; every release it tried. One without an end ended when its process was killed."""
        self._process.wait()
        deaths = {one.pid: one.after for one in kills if one.role == RELEASER}
        open_, made = dict[tuple[int, str], float](), list[Attempt]()
        for line in self._lines():
            who = (line["pid"], line["id"])
            if "begin" in line:
                open_[who] = line["begin"]
            else:
                made.append(Attempt(line["id"], open_.pop(who), line["end"], line["reply"], line["pid"]))
        return made + [Attempt(held, begin, deaths[pid], LOST, pid) for (pid, held), begin in open_.items()]

    def _lines(self) -> list[dict[str, object]]:
        if not self._journal.exists():
            return []
        return [json.loads(line) for line in self._journal.read_text().splitlines(keepends=True) if line.endswith("\n")]


def _unsound(stores: Stores) -> Iterator[str]:
    """What the product's own checks find: those of `dlp audit verify` and `dlp quarantine verify`, and incidents left open."""
    yield from (f"audit line {problem.line}: {problem.what}" for problem in stores.audit.verify().problems)
    yield from (f"quarantine verify: {held}: {problem}" for held, problem in stores.quarantine.verify() if problem)
    yield from (f"incident {one.id} is still open" for one in stores.incidents.list(state="open"))


def _complaints(daemon: Daemon) -> Iterator[str]:
    """What the daemon logged that no kill may cause: a recovery that left something, a fault of its own."""
    for line in daemon.log.splitlines():
        said = json.loads(line)
        if said["event"] in ("recovery", "mail session failed"):
            yield f"the daemon said: {line}"


def run(folder: Path, plan: Plan) -> Report:
    """The loss test in `folder`, which it fills."""
    return asyncio.run(LossTest(folder, plan).run())
