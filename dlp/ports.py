"""What the rooms ask of each other. Each Protocol has a real second implementation or a fake that the contract tests hold to it.

A channel makes an Item and a Gate and hands both to `Submit`; everything else happens behind it.
Async at the rim, sync inside: a port that may wait on another process or on the network is async,
a port that only touches the local disk is sync and is called through a thread.
"""

from collections.abc import Collection, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol, runtime_checkable

from dlp.blob import Blob
from dlp.model import Channel, Finding, Inspection, Item, Origin, Unscannable, Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of an item. `incident` and `held` are ids, None where there is no incident or no custody."""

    verdict: Verdict
    inspection: Inspection
    incident: str | None = None
    held: str | None = None


class Gate(Protocol):
    """A channel's two verbs for one item. Exactly one of them is called, once; both finish what they began.

    `destroys` says that withholding removes the only copy, so custody must be durable first.
    """

    @property
    def destroys(self) -> bool: ...

    @property
    def attributes(self) -> Mapping[str, Any]:
        """What custody must keep beside the content so that it can go back or go on later, JSON-serialisable:
        a file's mode, ids, times and extended attributes; a message's SMTP parameters."""

    async def release(self) -> None:
        """Let the item go on. Returns once whoever takes it has it durably.

        Raises RelayError with the reply to give, or GateError; the item is then not delivered.
        """

    async def withhold(self, verdict: Verdict, incident: str, held: str | None) -> None:
        """Keep the item back. `held` is the custody id, never None where `destroys`.

        Raises GateError when the item could not be withdrawn (it changed, it vanished, no permission);
        then it is still where it was.
        """


@runtime_checkable
class Divisible(Gate, Protocol):
    """A gate whose recipients may be treated apart: some kept back, the others served."""

    async def divide(self, withheld: frozenset[int]) -> tuple[Gate, Gate]:
        """Two gates in place of this one, on which no verb is called any more: that of the recipients at those
        places in the envelope, and that of the others. Neither is empty.

        The first one's `withhold` is called before the second's `release`, and its `attributes` are of its own
        recipients only. Raises RelayError where the others cannot be served alone just now; then nothing was done.
        If the first one is Replaceable, the second's `release` may come first: custody has been taken by then.
        """


@runtime_checkable
class Markable(Gate, Protocol):
    """A gate that marks what it lets pass by its level."""

    def mark(self, level: str | None) -> None:
        """The verdict's level, told before either verb is called."""


@runtime_checkable
class Replaceable(Gate, Protocol):
    """A gate that can let other content go in place of the item's own."""

    @property
    def patience(self) -> float:
        """Seconds left until a verb may come too late; perhaps infinite."""

    def replaced(self, blob: Blob) -> Gate:
        """A gate whose `release`, called in place of a verb of this one, lets `blob` go. It stays its creator's, who keeps
        it open as long. If that release fails where others have been served already, `withhold` of this one is called."""


class Submit(Protocol):
    """The pipeline as a channel sees it."""

    async def __call__(self, item: Item, gate: Gate) -> Outcome:
        """Inspect, decide, record, enforce. Raises DLPError where a promise could not be kept:
        a channel answers 451, or leaves the file untouched, and the pipeline has recorded the failure."""


class Inspector(Protocol):
    """inspect() somewhere else: a confined child, or in-process for tests."""

    async def inspect(self, item: Item) -> Inspection:
        """Never raises for what the content does: a crash, a limit or a deadline is an Unscannable.
        Raises WorkerError only where no child can be had at all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Incident:
    """The durable record of one item that was not simply allowed; holds no raw content.

    `state`: "open" while acting, "closed" when done, "interrupted" if the daemon died in between,
    "failed" if acting failed. `enforced`: the action was carried out. `error` is a sentence.
    `review` is what a person said of it ("" | "confirmed" | "false-positive" | "other").
    """

    id: str
    opened: datetime
    channel: Channel
    origin: Origin
    verdict: Verdict
    findings: tuple[Finding, ...] = ()
    unscannable: tuple[Unscannable, ...] = ()
    sha256: str = ""
    size: int = 0
    state: str = "open"
    closed: datetime | None = None
    enforced: bool = False
    quarantine: str | None = None
    error: str = ""
    review: str = ""
    reviewed_by: str = ""


class Incidents(Protocol):
    """Durable incidents. Every method returns only once its change survives a power cut, else raises StoreError."""

    def open(self, item: Item, inspection: Inspection, verdict: Verdict) -> str:
        """Record what is about to be done and return the incident's id; the origin's subject is masked here."""

    def close(self, incident: str, *, held: str | None, verdict: Verdict | None = None) -> None:
        """The action was carried out. `verdict`, where given, takes the place of the first: it says more of what was done."""

    def fail(self, incident: str, error: str, *, held: str | None) -> None:
        """The action was not, or not wholly, carried out; `error` says what, without content."""

    def get(self, incident: str) -> Incident | None: ...

    def list(self, *, state: str | None = None, channel: Channel | None = None) -> Iterator[Incident]:
        """Oldest first."""

    def review(self, incident: str, outcome: str, by: str, *, false: Collection[str] = ()) -> None:
        """A person's judgement; also closes one that was interrupted or failed. Findings of the signatures in `false` get the
        fact `review`: "false-positive", the others lose it. Raises StoreError for an unknown id."""

    def interrupted(self) -> int:
        """At start-up: mark what is still open as interrupted; returns how many."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """One original in custody. `attributes` is what release must restore (see Quarantine.store).

    `state`: "held", "releasing", "released", "purged".
    """

    id: str
    incident: str
    channel: Channel
    stored: datetime
    size: int
    sha256: str
    level: str | None
    origin: Origin
    state: str
    approve_by: tuple[str, ...] = ()
    attributes: Mapping[str, Any] = field(default_factory=dict)


class Quarantine(Protocol):
    """Custody of originals, encrypted. Durable before it returns, verified before anything is removed."""

    def store(self, item: Item, incident: str, verdict: Verdict, attributes: Mapping[str, Any]) -> str:
        """Take a copy of the item's blob into custody and return its id.

        `attributes` is channel data needed to release it, JSON-serialisable: for a file its mode,
        uid, gid, mtime_ns and extended attributes; for a message its SMTP parameters. Raises
        StoreError if the copy is not durable or does not hash to the blob's SHA-256.
        """

    def get(self, held: str) -> Held | None: ...

    def list(self, *, state: str | None = None) -> Iterator[Held]:
        """Oldest first."""

    def released(self, item: Item) -> str | None:
        """The custody id under which this very item was (or is being) released, if it was: what an approver let go
        is not taken again. A file is known by content and path; a message by its claim, whose seal must fit its
        body, from the same sender to recipients it was released for."""

    def seal(self, held: str, body: str) -> str:
        """What a message released under this id carries, so that it is known when it comes by again; `body` is the
        SHA-256 in hex of what follows the first empty line. One line of ASCII without spaces."""

    def content(self, held: str) -> Iterator[bytes]:
        """The original's bytes, authenticated chunk by chunk; raises StoreError on the first that is not.
        The last chunk is yielded only after the whole content's hash has been checked."""

    def releasing(self, held: str) -> AbstractContextManager[None]:
        """Held while an original goes back: a second release of the same id is refused (StoreError), success
        marks it released, an exception puts it back to held."""

    def purge(self, held: str) -> None:
        """Destroy the original; the row stays as a record."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FileVersion:
    """One version of one file, as cheaply as the kernel tells it apart. `basis` names the signatures and the
    policy it was judged by, so that a change of either makes every version new again. `path` takes part only
    where inode numbers mean nothing (FAT, FUSE)."""

    device: int
    inode: int
    size: int
    mtime_ns: int
    ctime_ns: int
    basis: str
    path: str = ""


class Journal(Protocol):
    """Which versions of which files have been judged; what makes a restart and a reconcile cheap."""

    def known(self, version: FileVersion) -> bool: ...

    def note(self, version: FileVersion) -> None:
        """Remember that this version was judged and left where it is."""

    def keep_only(self, basis: str) -> int:
        """Drop the rows of every other basis; returns how many went."""


class Audit(Protocol):
    """Hash-chained record of every decision and every act of an administrator."""

    def record(self, event: str, *, durable: bool = True, **facts: object) -> None:
        """Append one record; with `durable` it has been fsynced on return. Raises StoreError."""


class Notify(Protocol):
    """Tells people and machines what happened. A notice that cannot be delivered is logged, counted, and never stops an item."""

    async def incident(self, incident: Incident) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Sighting:
    """A USB drive that was plugged in, or judged anew, as it calls itself. `decision` is one of DECISIONS; `user` is who sat
    at the machine, "" where nobody did or the system does not say."""

    time: datetime
    decision: str
    vendor: str
    model: str
    serial: str
    maker: str = ""
    product: str = ""
    user: str = ""


DECISIONS = ("allowed", "excepted", "refused", "ended", "kept")
"""Allowed by the configuration; by an exception; refused; refused after it was allowed, because that has ended; refused, and
kept because the machine runs from it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceException:
    """A drive that may be used until a time, though the configuration does not allow it. `entry` as in `[usb] allow`."""

    entry: str
    until: datetime
    reason: str = ""
    by: str = ""
    added: datetime | None = None


class Devices(Protocol):
    """What is told of drives, and what was excepted."""

    def saw(self, sighting: Sighting) -> None:
        """Keep what is known of a drive up to date. Raises StoreError."""

    def exceptions(self, at: datetime) -> list[DeviceException]:
        """Those in force, the oldest first. Raises StoreError."""
